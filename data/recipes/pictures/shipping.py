"""What is shipped of CLIP and unCLIP: the files, and one card of all, measured on the weights as they ship."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _run
import _write
import torch

from squint.data import album, catalogue
from squint.models import clip as clips
from squint.models.unclip import UnCLIP, load_part

from . import evaluate, shared

LICENCE = "CC-BY-4.0"
ORIGIN = (
    "trained on the six sets of emoji/ other than emojitwo (Apache-2.0, CC-BY-4.0 and MIT), with the words of glove/"
)
FILES = {
    "clip": "CLIP on emoji, weights, fp16",
    "decoder": "unCLIP on emoji: decoder to 16 pixels, weights, fp16",
    "prior": "unCLIP on emoji: prior from captions to CLIP's pictures, weights, fp16",
    "upsamplers": "unCLIP on emoji: upsamplers to 32 and 64 pixels, weights, fp16",
}
"""What each recipe's weights are."""


def read(file: Path) -> dict[str, Any]:
    """A JSON file."""
    return json.loads(file.read_text("utf-8"))


@dataclass(frozen=True)
class Part(_run.Recipe[_run.Kind]):
    """A recipe of one of the picture models; what it ships are its weights, and all models' card."""

    title: str = "CLIP and unCLIP on emoji"
    licence: str = LICENCE
    origin: str = ORIGIN
    folder: str = "pictures"

    def parse(self, arguments: list[str] | None = None) -> argparse.Namespace:
        """Options as usual.

        Raises:
            SystemExit: if a CLIP is to be shipped alone.
        """
        options = super().parse(arguments)
        if options.ship and self.name == "clip":
            sys.exit(
                "What draws was trained on the CLIP in data/, and would draw nonsense from another's vectors: "
                "`squint recipe pictures --ship` trains and ships them together."
            )
        return options

    def ship(self, home: Path) -> None:
        """Measure unCLIP with this part and the shipped others; then put the part and the card into the course's data.

        Raises:
            SystemExit: if the part was trained on another CLIP than that of the others.
        """
        if (home / "clip.safetensors").read_bytes() != catalogue.path("pictures/clip.safetensors").read_bytes():
            sys.exit(f"This {self.name} learned on another CLIP than the one in data/, so it cannot go there alone.")
        folders = {self.name: home}
        ship(folders, card(folders, measure(folders, home, evaluate.Size())))


def weights(name: str, folders: Mapping[str, Path]) -> Path:
    """A recipe's weights: from its run's folder, or the shipped ones."""
    file = f"{name}.safetensors"
    return folders[name] / file if name in folders else catalogue.path(f"pictures/{file}")


def measure(
    folders: Mapping[str, Path], home: Path, size: evaluate.Size, judge: Path | None = None
) -> dict[str, Any]:
    """Everything that is claimed of unCLIP, on the weights as rounded; and a figure in `home`.

    What no run's folder is given for is as shipped; `judge` is the folder of another CLIP's run, which looks as well.
    """
    place = shared.pick()
    pictures, clip = album.on(place), clips.load(weights("clip", folders)).to(place)
    prior, decoder = (load_part(weights(part, folders), part) for part in ("prior", "decoder"))
    upsamplers = [load_part(weights("upsamplers", folders), part, f"{part}.") for part in ("up32", "up64")]
    unclip = UnCLIP(clip, prior, decoder, upsamplers).to(place)
    judges = {"shipped": clip, **({"other": clips.load(judge / "clip.safetensors").to(place)} if judge else {})}
    with torch.no_grad():
        looking = evaluate.Judge(unclip, judges, pictures, size)
        found = looking.run()
        looking.grids(home / "grids.png")
    return found


def card(folders: Mapping[str, Path], unclip: dict[str, Any], judge: Path | None = None) -> dict[str, Any]:
    """What the models are, how they were trained, how good they are, and what they are not good at.

    What no run's folder is given for is as the shipped card says; `unclip` is what `measure` found.
    """
    before = {} if folders.keys() >= FILES.keys() else clips.card()
    runs = {name: read(folder / "card.json") for name, folder in folders.items()}
    models = {**before.get("models", {}), **{k: model for run in runs.values() for k, model in run["models"].items()}}
    clip = runs["clip"]["metrics"] if "clip" in runs else before["metrics"]["clip"]
    trained = models["clip"]["training"]
    # A set, since the upsamplers are trained together: their seconds count once.
    seconds = {model["training"]["seconds"] for model in models.values()}
    result: dict[str, Any] = {
        "name": "CLIP and unCLIP on emoji",
        "licence": LICENCE,
        "made_by": "recipes/pictures.py",
        "data": "pictures, labels and tags of six emoji sets at 64 pixels (all but emojitwo), and GloVe's vectors",
        "never_seen": "the style emojitwo, and the 150 concepts of split_concepts(0) in any style, nor a near twin of "
        "theirs; 60 more concepts and 3 % of the pictures were set aside to tell when training stops to pay",
        "parameters": sum(model["parameters"] for model in models.values()),
        "seconds": round(sum(seconds), 1),
        **{name: trained[name] for name in ("hardware", "torch", "seed")},
        "models": models,
        "metrics": {"clip": clip, "unclip": unclip},
        "limits": limits(clip, unclip, models),
    }
    if judge is not None:
        other = read(judge / "card.json")
        training = other["models"]["clip"]["training"]
        result["other_judge"] = {
            "what": "a CLIP that is not shipped, which looked at the drawings beside the shipped one: `other` above",
            **{name: training[name] for name in ("steps", "seconds", "settings", "hardware")},
            "unseen_style_top1": other["metrics"]["unseen_style"]["top1"],
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


def ship(folders: Mapping[str, Path], card: dict[str, Any]) -> None:
    """Put these runs' weights and the card into the course's data, with their hashes."""
    content = {f"{name}.safetensors": (weights(name, folders).read_bytes(), FILES[name]) for name in folders}
    words = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    content["card.json"] = (words.encode("utf-8"), "CLIP and unCLIP on emoji, what they are and how good")
    for file, (bytes_, name) in content.items():
        _write.write(f"pictures/{file}", bytes_, name=name, licence=LICENCE, origin=ORIGIN, made_by="pictures.py")
