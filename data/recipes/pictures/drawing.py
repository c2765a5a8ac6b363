"""What the recipes of unCLIP's parts share: the CLIP that they are trained on, and training a net that draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import _run
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from squint import device as devices
from squint import train
from squint.data import album, augment, catalogue
from squint.data.album import Pictures, Sampler
from squint.models import clip as clips
from squint.models.clip import CLIP
from squint.models.unclip import Decoder, Upsampler, lengthened

from . import shared, shipping
from .zero_shot import embed

Also = Callable[[int, Tensor], None] | None


@dataclass(frozen=True)
class Settings(shared.Settings):
    """What a run depends on besides.

    Attributes:
        clip: whose embeddings to draw from: a file, or `shipped` for the one in `data/`.
    """

    clip: str = "shipped"


def begin(settings: Settings, home: Path) -> tuple[CLIP, Pictures]:
    """CLIP, which is kept beside the run, and the pictures; both on the device."""
    place, file = shared.pick(), home / "clip.safetensors"
    if not file.exists():
        source = catalogue.path("pictures/clip.safetensors") if settings.clip == "shipped" else Path(settings.clip)
        home.mkdir(parents=True, exist_ok=True)
        file.write_bytes(source.read_bytes())
    return clips.load(file).to(place), album.on(place)


def loss_of(net: Decoder | Upsampler, pictures: Tensor, embedding: Tensor) -> Tensor:
    """On pictures from 0 to 1 at 64 pixels, at the net's own size."""
    return net.loss(2 * F.avg_pool2d(pictures, 64 // net.config.size) - 1, embedding)


@torch.no_grad()
def draw(clip: CLIP, sampler: Sampler, strength: augment.Strength, batch: int) -> tuple[Tensor, Tensor]:
    """Varied pictures on white at 64 pixels, and the embeddings of just these."""
    seen = augment.on_background(sampler.varied(sampler.any(batch), strength))
    return seen, lengthened(clip.embed_pictures(F.avg_pool2d(seen, 2)))


def judged(clip: CLIP, pictures: Pictures, most: int) -> Callable[[nn.Module], dict[str, float]]:
    """Measures the losses on pictures that were set aside, and on some to learn from; always with the same noise."""
    trained = pictures.purpose["train"]
    sets = {name: pictures.purpose[name][: most or None] for name in ("valid_pictures", "valid_concepts")}
    few = torch.linspace(0, len(trained) - 1, min(most or 256, 256), device=trained.device)
    sets["train"] = trained[few.long()]

    @torch.no_grad()
    def judge(model: nn.Module) -> dict[str, float]:
        found = {}
        for part, net in shared.parts_of(model.eval(), "").items():
            for name, places in sets.items():
                devices.seed(0)
                with shared.in_bf16(places.device):
                    embedding = lengthened(embed(clip, pictures, places))
                    found[f"{part}_{name}".lstrip("_")] = loss_of(net, pictures.plain(places, 64), embedding).item()
        return found

    return judge


def learn(
    settings: Settings, home: Path, minutes: float | None = None, also: Also = None, *,
    make: Callable[[], nn.Module], strength: augment.Strength,
) -> tuple[train.ModelStep, Callable[[nn.Module], dict[str, float]], train.History]:  # fmt: skip
    """Train what `make` makes to draw varied pictures from their embeddings; several nets learn from the same batch."""
    clip, pictures = begin(settings, home)
    devices.seed(settings.seed)
    sampler, judge = Sampler.of(pictures), judged(clip, pictures, settings.most)

    def loss(model: nn.Module) -> Tensor:
        batch = draw(clip, sampler, strength, settings.batch)
        return torch.stack([loss_of(net, *batch) for net in shared.parts_of(model, "").values()]).sum()

    step = shared.make_step(make(), loss, settings)
    return step, judge, _run.learn(settings, step, shared.endless, judge, home, minutes, also)


def recipe(
    made_by: str, kind: type[Settings], make: Callable[[], nn.Module], strength: augment.Strength, best: str
) -> shipping.Part:
    """The recipe of what `make` makes; see `learn` and `shared.export`."""
    about = {"augmentation": asdict(strength), "objective": "velocity, mean squared error"}
    return shipping.Part(
        made_by, kind, partial(learn, make=make, strength=strength),
        partial(shared.export, name=Path(made_by).stem, best=best, **about),
    )  # fmt: skip
