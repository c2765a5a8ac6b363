"""Trains the CLIP on emoji that labs search and draw with: a tower for pictures, one for captions, 3.8 million weights.

Run: python data/recipes/clip.py --minutes 3             (on a GPU; `_run.py` says what else there is)

`--begin shipped` starts from the weights in `data/` instead of from nothing. What draws was trained on the CLIP in
`data/` and would draw nonsense from another's vectors, so `pictures.py` ships them all together, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _run
import torch
from pictures import shared, shipping, zero_shot
from torch import Tensor, nn

from squint import device as devices
from squint import train
from squint.data import album, augment, catalogue
from squint.data.album import Pictures, Sampler
from squint.models import clip as clips
from squint.models.clip import CLIP, Config, Vocabulary, contrastive_loss


@dataclass(frozen=True)
class Settings(shared.Settings):
    """What a run depends on besides.

    Attributes:
        tower: what looks at pictures, `cnn` or `vit`.
        twice: how many pairs of a batch show one concept in two styles, which their captions name.
        styled: the share of the other captions that name the style.
        dropout, forget, glove: see `squint.models.clip.Config`; `glove` is 1 or 0.
        strength: of the variations, times `augment.FOR_CLIP`.
        begin: `shipped` to start from the weights in `data/`; from nothing if empty.
    """

    rate: float = 2e-3
    warmup: int = 100
    steps: int = 3_300
    average: float = 0.998
    decay: float = 0.2
    tower: str = "cnn"
    twice: int = 96
    styled: float = 0.1
    dropout: float = 0.15
    forget: float = 0.3
    glove: int = 1
    strength: float = 0.9
    begin: str = ""


def make_model(settings: Settings, pictures: Pictures) -> CLIP:
    """From the seed, or with the shipped weights and words."""
    devices.seed(settings.seed)
    shape = {name: getattr(settings, name) for name in ("tower", "dropout", "forget")}
    config = Config(**shape, glove=bool(settings.glove))
    if settings.begin != "shipped":
        return CLIP(config, Vocabulary(album.words(pictures)))
    about, weights = clips.read_weights(catalogue.path("pictures/clip.safetensors"))
    model = CLIP(config, Vocabulary(about["words"]))
    clips.fill(model, weights)
    return model.requires_grad_(True)


def batch_loss(settings: Settings, words: Vocabulary, pictures: Pictures) -> Callable[[CLIP], Tensor]:
    """The loss of a random batch, varied pictures and one caption of each."""
    place, n, trained = pictures.images.device, settings.twice, pictures.purpose["train"]
    plain = album.captions(pictures, trained, words.encode, settings.styled).to(place)
    styled = album.captions(pictures, trained, words.encode, 1.0, seed=1).to(place) if n else plain
    sampler, strength = Sampler.of(pictures), augment.FOR_CLIP.scaled(settings.strength)
    batch = min(settings.batch, len(sampler.count) + n)
    # The first n and the last n are the pairs: only the styles in their captions tell their pictures apart.
    pairs = torch.cat([torch.arange(n), torch.arange(batch - n, batch)]).to(place)
    itself = torch.eye(batch, dtype=torch.bool, device=place)

    def loss(model: CLIP) -> Tensor:
        places = sampler.one_a_concept(batch, n)
        chosen = torch.randint(album.CAPTIONS, places.shape, device=place)
        said = plain[places, chosen]
        said[pairs] = styled[places[pairs], chosen[pairs]]
        seen, same = sampler.for_clip(places, strength), (places[:, None] == places) & ~itself
        return contrastive_loss(*model(seen, said.long()), same)

    return loss


def learn(
    settings: Settings, home: Path, minutes: float | None = None, also: Callable[[int, Tensor], None] | None = None
) -> tuple[train.ModelStep, Pictures, train.History]:
    """Train from the last save, if there is one, until the steps or the minutes are over; `also` watches as well."""
    pictures = album.on(shared.pick())
    model = make_model(settings, pictures)
    step = shared.make_step(model, batch_loss(settings, model.vocabulary, pictures), settings)

    def judge(model: nn.Module) -> dict[str, float]:
        return zero_shot.aside(model.eval(), pictures, settings.most)  # type: ignore[arg-type]

    return step, pictures, _run.learn(settings, step, shared.endless, judge, home, minutes, also)


def export(settings: Settings, step: train.ModelStep, pictures: Pictures, done: int, home: Path) -> dict[str, Any]:
    """Write weights and card."""
    model = step.plain()
    assert isinstance(model, CLIP)
    more = {"augmentation": asdict(augment.FOR_CLIP.scaled(settings.strength))}
    if settings.begin == "shipped":
        more["before"] = clips.card()["models"]["clip"]["training"]
    return shared.export(
        settings, step, lambda model: zero_shot.judge(model, pictures, settings.most), done, home, name="clip",
        best="score", about={"config": asdict(model.config), "words": model.vocabulary.own}, **more,
    )  # fmt: skip


RECIPE = shipping.Part(__file__, Settings, learn, export)

if __name__ == "__main__":
    RECIPE.main()
