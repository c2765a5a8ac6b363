"""What the four recipes share besides `_run`: settings, the device, the step, and what is written of a model."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _run
import torch
from torch import Tensor, nn

from squint import device as devices
from squint import train
from squint.models.clip import read_weights


@dataclass(frozen=True)
class Settings(_run.Settings):
    """What a run depends on besides.

    Attributes:
        batch: pictures a step.
        decay: of matrices and filters.
        most: how many pictures are judged by at most; all if 0.
    """

    average: float = 0.999
    judge_every: int = 200
    batch: int = 1_024
    decay: float = 0.01
    most: int = 0


def pick() -> torch.device:
    """The best device; sets what makes it fast.

    Raises:
        SystemExit: if there are other processes, since batches are drawn where they are learned from.
    """
    if _run.PROCESSES > 1:
        sys.exit("The picture models are trained by one process.")
    place = devices.pick()
    if place.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    return place


def in_bf16(place: torch.device) -> torch.autocast:
    """Half precision on a GPU of NVIDIA's, and only there."""
    return torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cuda")


def precise(x: Tensor) -> Tensor:
    """In double precision, which Apple's GPUs do not have."""
    return (x.cpu() if x.device.type == "mps" else x).double()


# The step


def make_step(model: nn.Module, loss: Callable[[nn.Module], Tensor], settings: Settings) -> train.ModelStep:
    """AdamW that lets norms, biases and lone vectors be, on a loss that draws its batch itself, on the device."""
    model.to(pick(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    parameters = [each for each in model.parameters() if each.requires_grad]
    groups = [
        {"params": [each for each in parameters if each.ndim >= 2], "weight_decay": settings.decay},
        {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=settings.rate, betas=(0.9, 0.98), fused=parameters[0].is_cuda)
    return train.ModelStep(model, lambda model, nothing: loss(model), adam, average=settings.average)


def endless(number: int) -> Iterator[None]:
    """An epoch for a loss that draws its batches itself; the seed of each step is set before it."""
    return itertools.repeat(None)


# What is written


def export(
    settings: Settings, step: train.ModelStep, judge: Callable[[Any], dict[str, Any]], done: int, home: Path, *,
    name: str, best: str, about: dict[str, Any] | None = None, **training: Any,
) -> dict[str, Any]:  # fmt: skip
    """Write the averaged weights in half precision, and the card of what *these* weights, so rounded, are worth.

    Args:
        settings: of the run.
        step: what was trained: one model, or a `ModuleDict` of several.
        judge: measures the weights.
        done: how many steps were done.
        home: the run's folder.
        name: of the weights, and of the model if it is one.
        best: which number of the looks at what is held out is to be high, or low after a minus.
        about: for the weights' header; each model's shape if left out.
        training: what else the card says of the training.
    """
    file, parts = home / f"{name}.safetensors", parts_of(step.plain(), name)
    about = about or {part: asdict(model.config) for part, model in parts.items()}
    with step.averaged() as model:
        train.write_checkpoint(file, halved(model), {"format": "pt", "about": json.dumps(about)})
        model.load_state_dict(read_weights(file)[1], strict=False)
        metrics = judge(model.eval())
    looks, key, sign = _run.looks(home), best.removeprefix("-"), -1 if best.startswith("-") else 1
    top = max(looks, key=lambda look: sign * look[key], default={})
    print(f"{key} was best after {top.get('step', 0):,} of {done:,} steps.", flush=True)
    training = {
        **_run.training(settings, home, done), "seconds": looks[-1]["seconds"] if looks else 0.0,
        "pictures_seen": done * settings.batch, "looks": looks, "best": top, **training,
    }  # fmt: skip
    models = {
        part: {"parameters": count(model), "config": asdict(model.config), "training": training}
        for part, model in parts.items()
    }
    return _run.write_card(home, {"name": f"{name} on emoji", "models": models, "metrics": metrics})


def parts_of(model: nn.Module, name: str) -> dict[str, Any]:
    """Several models by their own names, or one by this."""
    return dict(model.items()) if isinstance(model, nn.ModuleDict) else {name: model}


def halved(model: nn.Module) -> dict[str, Tensor]:
    """Weights in half precision; the running means and variances of batch norms, which are few, as they are."""
    return {
        name: value if "running" in name or not value.is_floating_point() else value.half()
        for name, value in model.state_dict().items()
        if "num_batches" not in name
    }


def count(model: nn.Module) -> int:
    """How many numbers were learned."""
    return sum(each.numel() for each in model.parameters())
