"""Trains unCLIP's prior, which guesses a picture's CLIP vector from a caption: 3.4 million weights.

Run: python data/recipes/prior.py --minutes 1             (on a GPU; `_run.py` says what else there is)

It takes `--clip`, and ships, like the decoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import _run
import torch
import torch.nn.functional as F
from pictures import drawing, shared, shipping
from pictures.zero_shot import embed
from torch import Tensor, nn

from squint import device as devices
from squint import train
from squint.data import album, augment
from squint.data.album import Pictures, Sampler
from squint.models.clip import CLIP
from squint.models.unclip import Caption, Prior, PriorConfig, lengthened


@dataclass(frozen=True)
class Settings(drawing.Settings):
    """What a run depends on besides.

    Attributes:
        times: how often each picture is varied and looked at by CLIP beforehand; the prior sees no pixels.
        styled: the share of captions that name the style.
    """

    rate: float = 6e-4
    warmup: int = 30
    steps: int = 500
    judge_every: int = 50
    decay: float = 0.1
    times: int = 16
    styled: float = 0.3


@torch.no_grad()
def embedding_bank(clip: CLIP, sampler: Sampler, times: int) -> Tensor:
    """Embeddings of all pictures to learn from, each varied `times` times: `pictures times dim`."""
    rows = []
    for part in [part for _ in range(times) for part in sampler.places.split(512)]:
        seen = F.avg_pool2d(augment.on_background(sampler.varied(part, augment.GENTLE)), 2)
        with shared.in_bf16(part.device):
            rows.append(lengthened(clip.embed_pictures(seen).float()))
    return torch.stack(torch.cat(rows).chunk(times), dim=1)


def batch_loss(settings: Settings, clip: CLIP, pictures: Pictures) -> Callable[[Prior], Tensor]:
    """The loss of a random batch: a varied picture's embedding, and a random caption of the picture."""
    sampler = Sampler.of(pictures)
    captions = album.captions(pictures, sampler.places, clip.vocabulary.encode, settings.styled)
    captions = captions.to(sampler.places.device)
    bank = embedding_bank(clip, sampler, settings.times)
    draw = lambda most: torch.randint(most, (settings.batch,), device=bank.device)  # noqa: E731

    def loss(model: Prior) -> Tensor:
        rows = draw(len(bank))
        words = captions[sampler.places[rows], draw(album.CAPTIONS)]
        return model.loss(bank[rows, draw(settings.times)], Caption.of(clip, words.long()))

    return loss


def judged(clip: CLIP, pictures: Pictures, most: int) -> Callable[[nn.Module], dict[str, float]]:
    """Measures how close the prior's vectors are to real ones, beside the captions' own, on what was set aside."""
    sets = {name: pictures.purpose[name][: most or None] for name in ("valid_pictures", "valid_concepts")}

    @torch.no_grad()
    def judge(model: nn.Module) -> dict[str, float]:
        found = {}
        for name, places in sets.items():
            real = embed(clip, pictures, places)
            with shared.in_bf16(places.device):
                caption = Caption.read(clip, [pictures.names[i] for i in pictures.concept[places].tolist()])
                guessed = model.eval().sample(caption, generator=torch.Generator(places.device).manual_seed(0))
            found[f"{name}_prior"] = F.cosine_similarity(guessed, real).mean().item()
            found[f"{name}_text"] = F.cosine_similarity(caption.embedding, real).mean().item()
        return found

    return judge


def learn(
    settings: Settings, home: Path, minutes: float | None = None, also: drawing.Also = None
) -> tuple[train.ModelStep, Any, train.History]:
    """Train from the last save, if there is one, until the steps or the minutes are over; `also` watches as well."""
    clip, pictures = drawing.begin(settings, home)
    devices.seed(settings.seed)
    step = shared.make_step(Prior(PriorConfig()), batch_loss(settings, clip, pictures), settings)
    judge = judged(clip, pictures, settings.most)
    return step, judge, _run.learn(settings, step, shared.endless, judge, home, minutes, also)


ABOUT = {"augmentation": asdict(augment.GENTLE), "objective": "clean embedding, mean squared error"}
RECIPE = shipping.Part(
    __file__, Settings, learn, partial(shared.export, name="prior", best="valid_concepts_prior", **ABOUT)
)  # fmt: skip

if __name__ == "__main__":
    RECIPE.main()
