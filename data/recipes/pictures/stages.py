"""All of it in order: CLIP, unCLIP's parts one after another, their measures; and what is shipped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import _write
import torch
from safetensors import safe_open

from squint import train
from squint.models.clip import CLIP, load
from squint.models.unclip import UnCLIP, load_part

from . import album, evaluate, learn, train_clip, train_unclip

SHARES = {"clip": 165, "decoder": 260, "prior": 40, "up32": 65, "up64": 120}
"""How the minutes are shared out: seconds of the eleven minutes that the shipped weights took."""
PARTS = ("decoder", "prior", "up32", "up64")
LICENCE = "CC-BY-4.0"
ORIGIN = (
    "trained on the six sets of emoji/ other than emojitwo (Apache-2.0, CC-BY-4.0 and MIT), with the words of glove/"
)
NAMES = {
    "clip.safetensors": "CLIP on emoji, weights, fp16",
    "decoder.safetensors": "unCLIP on emoji: decoder to 16 pixels, weights, fp16",
    "prior.safetensors": "unCLIP on emoji: prior from captions to CLIP's pictures, weights, fp16",
    "upsamplers.safetensors": "unCLIP on emoji: upsamplers to 32 and 64 pixels, weights, fp16",
    "card.json": "CLIP and unCLIP on emoji, what they are and how good",
}


def read(file: Path) -> dict[str, Any]:
    """A JSON file."""
    return json.loads(file.read_text("utf-8"))


def seconds_of(stage: str, minutes: float, clips: int) -> float:
    """A stage's share of the minutes; several CLIPs take a share each."""
    total = sum(SHARES.values()) + (clips - 1) * SHARES["clip"]
    return 60 * minutes * SHARES[stage] / total


# The stages


def run(home: Path, settings: dict[str, Any]) -> None:
    """Every stage that is not finished yet; a finished one has a card."""
    place, smoke = learn.pick(), settings["smoke"]
    few: dict[str, Any] = {"steps": 2, "most": 24} if smoke else {}
    pictures = album.load().to(place)
    clips, minutes = settings["clips"], settings["minutes"]
    for name in clips:
        if not (home / f"card-clip-{name}.json").exists():
            train_clip.fit(name, pictures, home, seconds_of("clip", minutes, len(clips)), **few)
    choose(home, clips)
    clip = load(home / "clip.safetensors").to(place)
    for part in PARTS:
        if not (home / f"card-{part}.json").exists():
            train_unclip.fit(part, clip, pictures, home, seconds_of(part, minutes, len(clips)), **few)
    bundle(home)
    if not (home / "card-unclip.json").exists():
        measure(home, clip, pictures, evaluate.TINY if smoke else evaluate.Size())
    (home / "card.json").write_text(json.dumps(card(home), indent=1, ensure_ascii=False) + "\n", "utf-8")


def choose(home: Path, clips: list[str]) -> None:
    """The CLIP that did best on what was set aside is shipped; the next one, if there is any, judges beside it."""
    scores = {name: read(home / f"card-clip-{name}.json")["training"]["best"]["score"] for name in clips}
    order = sorted(scores, key=lambda name: scores[name], reverse=True)
    for name, target in zip(order, ("clip", "judge"), strict=False):
        shutil.copyfile(home / f"clip-{name}.safetensors", home / f"{target}.safetensors")
        shutil.copyfile(home / f"card-clip-{name}.json", home / f"card-{target}.json")


def bundle(home: Path) -> None:
    """Both upsamplers in one file, each under its name."""
    tensors, about = {}, {}
    for part in ("up32", "up64"):
        with safe_open(home / f"{part}.safetensors", "pt") as opened:
            about |= json.loads(opened.metadata()["about"])
        weights = train.read_checkpoint(home / f"{part}.safetensors")
        tensors |= {f"{part}.{name}": value for name, value in weights.items()}
    train.write_checkpoint(home / "upsamplers.safetensors", tensors, {"format": "pt", "about": json.dumps(about)})


def measure(home: Path, clip: CLIP, pictures: album.Pictures, size: evaluate.Size) -> None:
    """Everything that is claimed of unCLIP, on the weights as rounded, and a figure."""
    prior, decoder = (load_part(home / f"{part}.safetensors", part) for part in ("prior", "decoder"))
    upsamplers = [load_part(home / "upsamplers.safetensors", part, f"{part}.") for part in ("up32", "up64")]
    place = pictures.images.device
    unclip = UnCLIP(clip, prior, decoder, upsamplers).to(place)
    other = home / "judge.safetensors"
    judges = {"shipped": clip, **({"other": load(other).to(place)} if other.exists() else {})}
    with torch.no_grad():
        judge = evaluate.Judge(unclip, judges, pictures, size)
        found = judge.run()
        judge.grids(home / "grids.png")
    (home / "card-unclip.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


# What is shipped


def card(home: Path) -> dict[str, Any]:
    """What the models are, how they were trained, how good they are, and what they are not good at."""
    models = {name: read(home / f"card-{name}.json") for name in ("clip", *PARTS)}
    clip, unclip = models["clip"].pop("metrics"), read(home / "card-unclip.json")
    trained = models["clip"]["training"]
    result: dict[str, Any] = {
        "name": "CLIP and unCLIP on emoji",
        "licence": LICENCE,
        "made_by": "recipes/pictures.py",
        "data": "pictures, labels and tags of six emoji sets at 64 pixels (all but emojitwo), and GloVe's vectors",
        "never_seen": "the style emojitwo, and the 150 concepts of split_concepts(0) in any style; 60 more concepts "
        "and 3 % of the pictures were set aside to choose weights by",
        "parameters": sum(model["parameters"] for model in models.values()),
        "seconds": round(sum(model["training"]["seconds"] for model in models.values()), 1),
        "hardware": trained["hardware"],
        "torch": trained["torch"],
        "seed": trained["seed"],
        "models": models,
        "metrics": {"clip": clip, "unclip": unclip},
        "limits": limits(clip, unclip, models),
    }
    if (home / "card-judge.json").exists():
        judge = read(home / "card-judge.json")
        settings = {name: judge["training"][name] for name in ("steps", "seconds", "settings", "hardware")}
        result["other_judge"] = {
            "what": "a CLIP that is not shipped, which looked at the drawings beside the shipped one: `other` above",
            **settings, "unseen_style_top1": judge["metrics"]["unseen_style"]["top1"],
        }  # fmt: skip
    return result


def limits(clip: dict[str, Any], unclip: dict[str, Any], models: dict[str, Any]) -> list[str]:
    """What to know before use, in the numbers that were measured."""
    style, concepts, prompts = (
        clip[name]["top1"] for name in ("unseen_style", "unseen_concepts", "unseen_concepts_ensemble")
    )
    looks = models["decoder"]["training"]["looks"]
    lowest = {name: min(looks, key=lambda look: look[name]) for name in ("valid_concepts", "valid_pictures")}
    rows, sources = unclip["spoiling"], unclip["sources"]
    details = {
        name: " and ".join(f"{value:.0f}" for value in rows[row]["corners_of_64"].values())
        for name, row in {
            "16": "spoil 0.1, 16 steps", "8": "spoil 0.1, 8 steps", "plain": "plain enlarging",
        }.items()
    }  # fmt: skip
    halves = [
        value
        for name in ("train", "held_out")
        for value in sources[f"{name}, real pictures"]["kernel_distance_of_halves"].values()
    ]

    def recognised(row: str) -> str:
        return f"{sources[row]['recognised']['shipped']['top1']:.2f}"

    return [
        f"CLIP gives {style:.3f} of the pictures in an unseen style their own name among 1,640; .55 was the goal.",
        f"Unseen concepts: {concepts:.3f} among their 150 names, {prompts:.3f} with several prompts a name; .40 was "
        f"the goal. Among all 1,640 names it is {clip['unseen_concepts_among_all']['top1']:.3f}.",
        f"How far the decoder learns by heart: its loss on concepts set aside is lowest after "
        f"{lowest['valid_concepts']['seconds']:.0f} s ({lowest['valid_concepts']['valid_concepts']:.4f}), on known "
        f"concepts' pictures set aside after {lowest['valid_pictures']['seconds']:.0f} s "
        f"({lowest['valid_pictures']['valid_pictures']:.4f}), and at the end, whose weights are shipped, "
        f"{looks[-1]['valid_concepts']:.4f} and {looks[-1]['valid_pictures']:.4f}.",
        f"Details at 64 pixels, kernel distance of corners from real ones in the eyes of each judge: {details['16']} "
        f"with 16 steps, {details['8']} with 8, {details['plain']} by plain enlarging.",
        f"Kernel distances are noisy: two halves of the same real pictures are {min(halves):.0f} to {max(halves):.0f} "
        "apart, where 0 is right.",
        f"Of unseen concepts the shipped CLIP recognises {recognised('held_out, prior')} of the drawings from the "
        f"prior's embeddings, {recognised('held_out, true')} of those from true ones, and "
        f"{recognised('held_out, real pictures')} of the real pictures: prior "
        "and judge share one idea of what a name looks like.",
    ]


def ship(home: Path) -> None:
    """Put weights and card into the course's data, with their hashes."""
    for file, name in NAMES.items():
        _write.write(
            f"pictures/{file}", (home / file).read_bytes(), name=name, licence=LICENCE, origin=ORIGIN,
            made_by="pictures.py",
        )  # fmt: skip
