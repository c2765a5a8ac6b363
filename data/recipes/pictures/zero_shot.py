"""What a CLIP on emoji is worth: pictures, names and captions as vectors, and how often they find each other."""

from __future__ import annotations

import random
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from squint.data.album import Pictures
from squint.models.clip import CLIP, rank_of_truth

from . import shared


@torch.no_grad()
def embed(model: CLIP, pictures: Pictures, places: Int[Tensor, " k"]) -> Tensor:
    """Embeddings of pictures as they are."""
    part = 64 if places.device.type == "cpu" else 1024  # what stays in a processor's cache, or fills a GPU
    with shared.in_bf16(places.device):
        return torch.cat([model.embed_pictures(pictures.plain(few)) for few in places.split(part)]).float()


@torch.no_grad()
def embed_names(model: CLIP, pictures: Pictures) -> Tensor:
    """Embeddings of all concepts' names."""
    with shared.in_bf16(model.log_scale.device):
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
        with shared.in_bf16(model.log_scale.device):
            total = total + model.embed_captions(texts)
    return nn.functional.normalize(total, dim=-1)


def accuracy(
    model: CLIP, pictures: Pictures, purpose: str, names: Tensor, among: Tensor | None = None, most: int = 0
) -> dict[str, float]:
    """Zero-shot, on the first `most` pictures or all: how often the own name is closest, and among the five closest."""
    places = pictures.purpose[purpose][: most or None]
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
    a, b = shared.precise(x[fit]), shared.precise(nn.functional.one_hot(style, len(pictures.styles))[fit])
    solution = (
        torch.linalg.solve(a.mT @ a + 1e-3 * torch.eye(a.shape[1], device=a.device), a.mT @ b).float().to(x.device)
    )
    return round(((x[~fit] @ solution).argmax(dim=-1) == style[~fit]).float().mean().item(), 4)


def aside(model: CLIP, pictures: Pictures, most: int = 0) -> dict[str, float]:
    """What to choose a training's length by, on what was set aside for that: zero-shot accuracy, and its mean."""
    names = embed_names(model, pictures)
    known = accuracy(model, pictures, "valid_pictures", names, most=most)["top1"]
    new = accuracy(model, pictures, "valid_concepts", names, pictures.valid, most)["top1"]
    return {"valid_pictures": known, "valid_concepts": new, "score": (known + new) / 2, "scale": model.scale.item()}


def judge(model: CLIP, pictures: Pictures, most: int = 0) -> dict[str, Any]:
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
