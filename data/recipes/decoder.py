"""Trains unCLIP's decoder, which draws emoji of 16 pixels from CLIP's vectors: 4.5 million weights.

Run: python data/recipes/decoder.py --minutes 5             (on a GPU; `_run.py` says what else there is)

It learns on the CLIP in `data/`, or on `--clip FILE`. Only what learned on the CLIP in `data/` can be shipped alone;
shipping it measures unCLIP anew, all parts together.
"""

from __future__ import annotations

from dataclasses import dataclass

from pictures import drawing

from squint.data import augment
from squint.models.unclip import Decoder, DecoderConfig


@dataclass(frozen=True)
class Settings(drawing.Settings):
    """What a run depends on."""

    rate: float = 1.4e-3
    warmup: int = 120
    steps: int = 4_000


RECIPE = drawing.recipe(__file__, Settings, lambda: Decoder(DecoderConfig()), augment.GENTLE, best="-valid_pictures")

if __name__ == "__main__":
    RECIPE.main()
