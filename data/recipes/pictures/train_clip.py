"""Trains one CLIP on emoji; keeps the weights that do best on concepts and pictures set aside for that."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from squint import device as devices
from squint import train
from squint.models.clip import CLIP, Config, contrastive_loss, load, rank_of_truth

from . import album, augment, learn
from .album import Pictures, Sampler


@dataclass(frozen=True)
class Variant:
    """One way to train a CLIP.

    Attributes:
        tower: what looks at pictures, `cnn` or `vit`.
        batch: pictures a step, with `twice` pairs among them that show one concept in two named styles.
        styled: the share of the other captions that name the style.
        rate, decay: of AdamW.
        dropout, forget, glove: see `squint.models.clip.Config`.
        strength: of the variations, times `augment.FOR_CLIP`.
    """

    tower: str = "cnn"
    batch: int = 1024
    twice: int = 96
    styled: float = 0.1
    rate: float = 2e-3
    decay: float = 0.2
    dropout: float = 0.15
    forget: float = 0.3
    glove: bool = True
    strength: float = 0.9


VARIANTS = {
    "cnn": Variant(),
    "vit": Variant(tower="vit", rate=1e-3),
    "cnn-milder": Variant(strength=0.6, dropout=0.1, forget=0.2),
    "cnn-no-glove": Variant(glove=False),
    "cnn-no-styles": Variant(twice=0, styled=0.0),
}
"""The first is the one that the course ships; the others are to compare it with, or to judge by."""


# Judging


@torch.no_grad()
def embed(model: CLIP, pictures: Pictures, places: Int[Tensor, " k"]) -> Tensor:
    """Embeddings of pictures as they are."""
    part = 64 if places.device.type == "cpu" else 1024  # what stays in a processor's cache, or fills a GPU
    with learn.in_bf16(places.device):
        return torch.cat([model.embed_pictures(pictures.plain(few)) for few in places.split(part)]).float()


@torch.no_grad()
def embed_names(model: CLIP, pictures: Pictures) -> Tensor:
    """Embeddings of all concepts' names."""
    with learn.in_bf16(model.log_scale.device):
        return model.embed_captions(pictures.names).float()


@torch.no_grad()
def embed_ensembles(model: CLIP, pictures: Pictures, prompts: int = 8) -> Tensor:
    """For each concept the mean over its name and its name with some of its tags (Radford et al. 2021, §3.1.4)."""
    chance, total = random.Random(0), embed_names(model, pictures)
    for _ in range(prompts):
        texts = [
            " ".join([name, *chance.sample(tags, min(len(tags), 3))])
            for name, tags in zip(pictures.names, pictures.tags, strict=True)
        ]
        with learn.in_bf16(model.log_scale.device):
            total = total + model.embed_captions(texts)
    return nn.functional.normalize(total, dim=-1)


def accuracy(
    model: CLIP, pictures: Pictures, purpose: str, names: Tensor, among: Tensor | None = None, most: int | None = None
) -> dict[str, float]:
    """Zero-shot: how often a picture's own name is the closest, and among the five closest."""
    places = pictures.purpose[purpose][:most]
    truth = pictures.concept[places]
    if among is not None:
        among = among.to(truth.device)
        names, truth = names[among], torch.searchsorted(among, truth)
    rank = rank_of_truth(embed(model, pictures, places), names, truth)
    top1, top5 = ((rank < best).float().mean().item() for best in (1, 5))
    return {"top1": round(top1, 4), "top5": round(top5, 4), "of": len(names), "pictures": len(places)}


def style_probe(model: CLIP, pictures: Pictures, most: int = 4000) -> float:
    """How well a linear map of the embedding tells the artist, on concepts it was not fitted on: least squares."""
    places = pictures.purpose["train"]
    places = places[torch.randperm(len(places), generator=torch.Generator().manual_seed(0))[:most].to(places.device)]
    x, style = embed(model, pictures, places), pictures.style[places]
    x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    fit = pictures.concept[places] % 2 == 0
    # By the normal equations, in double precision: the same on every device.
    a, b = learn.precise(x[fit]), learn.precise(nn.functional.one_hot(style, len(pictures.styles))[fit])
    solution = (
        torch.linalg.solve(a.mT @ a + 1e-3 * torch.eye(a.shape[1], device=a.device), a.mT @ b).float().to(x.device)
    )
    return round(((x[~fit] @ solution).argmax(dim=-1) == style[~fit]).float().mean().item(), 4)


def judge(model: CLIP, pictures: Pictures, most: int | None = None) -> dict[str, Any]:
    """Everything that is claimed, on the test splits."""
    result: dict[str, Any] = {}
    names = embed_names(model, pictures)
    for kind, vectors in {"": names, "_ensemble": embed_ensembles(model, pictures)}.items():
        result |= {
            f"unseen_style{kind}": accuracy(model, pictures, "test_style", vectors, most=most),
            f"unseen_concepts{kind}": accuracy(model, pictures, "test_concepts", vectors, pictures.held_out, most),
        }
    result["unseen_style_with_unseen_concepts"] = accuracy(model, pictures, "test_style_all", names, most=most)
    result["unseen_concepts_among_all"] = accuracy(model, pictures, "test_concepts", names, most=most)
    result["style_probe"] = style_probe(model, pictures, most or 4000)
    return result


# Training


def batch_loss(model: CLIP, pictures: Pictures, variant: Variant) -> tuple[Callable[[], Tensor], int]:
    """The loss of a random batch, and how many pictures a batch has."""
    place, n, trained = model.log_scale.device, variant.twice, pictures.purpose["train"]
    plain = album.captions(pictures, trained, model.vocabulary, variant.styled).to(place)
    styled = album.captions(pictures, trained, model.vocabulary, 1.0, seed=1).to(place) if n else plain
    sampler, strength = Sampler.of(pictures), augment.FOR_CLIP.scaled(variant.strength)
    batch = min(variant.batch, len(sampler.count) + n)

    def loss() -> Tensor:
        places = sampler.one_a_concept(batch, n)
        chosen = torch.randint(album.CAPTIONS, places.shape, device=place)
        words = plain[places, chosen]
        if n:
            # The first n and the last n are the pairs: only the styles in their captions tell their pictures apart.
            pairs = torch.cat([torch.arange(n), torch.arange(len(places) - n, len(places))]).to(place)
            words[pairs] = styled[places[pairs], chosen[pairs]]
        seen = sampler.varied(places, strength)
        seen = augment.blur(augment.cut_hole(seen, strength.holes), strength.blur)
        seen = nn.functional.avg_pool2d(augment.on_background(seen, strength.grey), 2)
        same = (places[:, None] == places) & ~torch.eye(len(places), dtype=torch.bool, device=place)
        return contrastive_loss(*model(seen, words.long()), same)

    return loss, batch


def fit(
    name: str, pictures: Pictures, home: Path, seconds: float, steps: int | None = None, most: int | None = None
) -> None:
    """Train, judge, and write `clip-NAME.safetensors` and its card."""
    variant, place = VARIANTS[name], pictures.images.device
    if steps is not None:
        variant = replace(variant, batch=16, twice=min(variant.twice, 4))
    devices.seed(0)
    words = album.vocabulary(pictures)
    config = Config(tower=variant.tower, dropout=variant.dropout, forget=variant.forget, glove=variant.glove)
    model = CLIP(config, words)
    model.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss, batch = batch_loss(model, pictures, variant)
    plan = learn.Plan(seconds, batch, rate=variant.rate, decay=variant.decay, average=0.998, steps=steps)
    print(f"[{name}] {learn.count(model):,} parameters, {learn.count(model.image):,} of them for pictures; "
          f"{len(words.own):,} words; batch {batch}", flush=True)  # fmt: skip

    def look(average: nn.Module) -> dict[str, float]:
        assert isinstance(average, CLIP)
        names = embed_names(average, pictures)
        known = accuracy(average, pictures, "valid_pictures", names, most=most)["top1"]
        new = accuracy(average, pictures, "valid_concepts", names, pictures.valid, most)["top1"]
        scale = average.scale.item()
        return {"valid_pictures": known, "valid_concepts": new, "score": (known + new) / 2, "scale": scale}

    run = home / f"run-clip-{name}.safetensors"
    average, record = learn.Training(model, loss, plan, label=name, look=look, metric="score", file=run).run()
    file = home / f"clip-{name}.safetensors"
    about = {"config": asdict(config), "words": words.own}
    train.write_checkpoint(file, learn.halved(average), {"format": "pt", "about": json.dumps(about)})
    shipped = load(file).to(place)
    card = {
        "name": f"CLIP on emoji ({name})", "parameters": learn.count(model),
        "picture_parameters": learn.count(model.image), "config": asdict(config),
        "training": {
            **record.card(batch), "settings": asdict(variant),
            "augmentation": asdict(augment.FOR_CLIP.scaled(variant.strength)), "hardware": learn.hardware(place),
            "torch": torch.__version__, "seed": plan.seed,
        },
        "metrics": judge(shipped, pictures, most),
    }  # fmt: skip
    (home / f"card-clip-{name}.json").write_text(json.dumps(card, indent=1) + "\n")
    run.unlink(missing_ok=True)
    print(f"[{name}] {json.dumps(card['metrics'])}", flush=True)
