"""Trains one part of unCLIP on a finished CLIP: the decoder, the prior, or an upsampler."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from squint import device as devices
from squint import train
from squint.models.clip import CLIP
from squint.models.unclip import (
    PARTS,
    Caption,
    Decoder,
    DecoderConfig,
    Prior,
    PriorConfig,
    Upsampler,
    UpsamplerConfig,
    lengthened,
)

from . import album, augment, learn
from .album import Pictures, Sampler
from .train_clip import embed

CONFIGS: dict[str, Any] = {
    "decoder": DecoderConfig(),
    "prior": PriorConfig(),
    "up32": UpsamplerConfig(size=32, channels=(32, 64, 128)),
    "up64": UpsamplerConfig(size=64, channels=(48, 64, 128), patch=2),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "decoder": {"batch": 1024, "rate": 1.4e-3, "average": 0.999, "decay": 0.01},
    "prior": {"batch": 1024, "rate": 6e-4, "average": 0.999, "decay": 0.1},
    "up32": {"batch": 512, "rate": 1.4e-3, "average": 0.999, "decay": 0.01},
    "up64": {"batch": 384, "rate": 1.4e-3, "average": 0.999, "decay": 0.01},
}


def varied_with_embeddings(
    clip: CLIP, sampler: Sampler, strength: augment.Strength, batch: int
) -> Callable[[], tuple[Tensor, Tensor]]:
    """A source of batches: varied pictures on white at 64 pixels, and the embeddings of just these."""

    @torch.no_grad()
    def draw() -> tuple[Tensor, Tensor]:
        seen = augment.on_background(sampler.varied(sampler.any(batch), strength))
        return seen, lengthened(clip.embed_pictures(F.avg_pool2d(seen, 2)))

    return draw


def drawing_loss(model: Decoder | Upsampler, draw: Callable[[], tuple[Tensor, Tensor]]) -> Callable[[], Tensor]:
    """The loss of what draws: on pictures at its own size, from −1 to 1."""

    def loss() -> Tensor:
        seen, embedding = draw()
        return model.loss(2 * F.avg_pool2d(seen, 64 // model.config.size) - 1, embedding)

    return loss


@torch.no_grad()
def embedding_bank(clip: CLIP, sampler: Sampler, strength: augment.Strength, times: int) -> Tensor:
    """Embeddings of all pictures to learn from, each varied `times` times: `pictures times dim`."""
    rows = []
    for _ in range(times):
        varied = []
        for part in sampler.places.split(512):
            seen = F.avg_pool2d(augment.on_background(sampler.varied(part, strength)), 2)
            with learn.in_bf16(part.device):
                varied.append(clip.embed_pictures(seen))
        rows.append(lengthened(torch.cat(varied).float()))
    return torch.stack(rows, dim=1)


def prior_loss(
    model: Prior, clip: CLIP, captions: Tensor, sampler: Sampler, bank: Tensor, batch: int
) -> Callable[[], Tensor]:
    """The loss of the prior, on a random caption of each picture; the prior sees no pixels, so a bank will do."""
    device = bank.device

    def loss() -> Tensor:
        rows = torch.randint(len(bank), (batch,), device=device)
        embedding = bank[rows, torch.randint(bank.shape[1], (batch,), device=device)]
        words = captions[sampler.places[rows], torch.randint(album.CAPTIONS, (batch,), device=device)]
        return model.loss(embedding, Caption.of(clip, words.long()))

    return loss


# Looking


def drawing_look(
    model: Decoder | Upsampler, clip: CLIP, pictures: Pictures, most: int
) -> Callable[[nn.Module], dict[str, float]]:
    """The averaged model's loss on pictures that were set aside, always with the same noise."""
    trained = pictures.purpose["train"]
    place = trained.device
    sets = {name: pictures.purpose[name][:most] for name in ("valid_pictures", "valid_concepts")}
    sets["train"] = trained[torch.linspace(0, len(trained) - 1, min(most, 256), device=place).long()]

    @torch.no_grad()
    def look(average: nn.Module) -> dict[str, float]:
        found = {}
        for name, places in sets.items():
            with torch.random.fork_rng([place] if place.type == "cuda" else []), learn.in_bf16(place):
                torch.manual_seed(0)
                shown = 2 * pictures.plain(places, model.config.size) - 1
                found[name] = average.loss(shown, lengthened(embed(clip, pictures, places))).item()  # type: ignore
        return found

    return look


def prior_look(clip: CLIP, pictures: Pictures, most: int) -> Callable[[nn.Module], dict[str, float]]:
    """How close the prior's embeddings are to real ones, beside the captions' own; on what was set aside."""
    sets = {name: pictures.purpose[name][:most] for name in ("valid_pictures", "valid_concepts")}

    @torch.no_grad()
    def look(average: nn.Module) -> dict[str, float]:
        assert isinstance(average, Prior)
        found = {}
        for name, places in sets.items():
            real = embed(clip, pictures, places)
            with learn.in_bf16(places.device):
                caption = Caption.read(clip, [pictures.names[i] for i in pictures.concept[places].tolist()])
                guessed = average.sample(caption, generator=torch.Generator(places.device).manual_seed(0))
            found[f"{name}_prior"] = F.cosine_similarity(guessed, real).mean().item()
            found[f"{name}_text"] = F.cosine_similarity(caption.embedding, real).mean().item()
        return found

    return look


# Training


def fit(
    part: str, clip: CLIP, pictures: Pictures, home: Path, seconds: float, steps: int | None = None, most: int = 512
) -> None:
    """Train, and write `PART.safetensors` and its card."""
    place, config, settings = pictures.images.device, CONFIGS[part], dict(SETTINGS[part])
    if steps is not None:
        settings["batch"] = 16
    devices.seed(0)
    strength = augment.FOR_UPSAMPLING if part.startswith("up") else augment.GENTLE
    sampler, model = Sampler.of(pictures), PARTS[part][0](config)
    model.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    metric, batch = None, settings["batch"]
    if isinstance(model, Prior):
        captions = album.captions(pictures, sampler.places, clip.vocabulary, 0.3).to(place)
        bank = embedding_bank(clip, sampler, strength, 16 if place.type == "cuda" else 1)
        loss = prior_loss(model, clip, captions, sampler, bank, batch)
        look, metric = prior_look(clip, pictures, most), "valid_concepts_prior"
    else:
        loss = drawing_loss(model, varied_with_embeddings(clip, sampler, strength, batch))
        look = drawing_look(model, clip, pictures, most)
    print(f"[{part}] {learn.count(model):,} parameters, batch {batch}", flush=True)
    plan, run = learn.Plan(seconds, **settings, steps=steps), home / f"run-{part}.safetensors"
    average, record = learn.Training(model, loss, plan, label=part, look=look, metric=metric, file=run).run()
    about = {part: asdict(config)}
    train.write_checkpoint(
        home / f"{part}.safetensors", learn.halved(average), {"format": "pt", "about": json.dumps(about)}
    )
    card = {
        "name": f"unCLIP's {part} on emoji", "parameters": learn.count(model), "config": asdict(config),
        "training": {
            **record.card(batch), "settings": settings, "augmentation": asdict(strength),
            "objective": ("clean embedding" if part == "prior" else "velocity") + ", mean squared error",
            "schedule": "cosine, continuous time", "hardware": learn.hardware(place), "torch": torch.__version__,
            "seed": plan.seed,
        },
    }  # fmt: skip
    (home / f"card-{part}.json").write_text(json.dumps(card, indent=1) + "\n")
    run.unlink(missing_ok=True)
