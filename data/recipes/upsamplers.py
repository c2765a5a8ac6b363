"""Trains unCLIP's two upsamplers, which redraw an emoji at twice its size, to 32 and to 64 pixels: 3.5 million weights.

Run: python data/recipes/upsamplers.py --minutes 4             (on a GPU; `_run.py` says what else there is)

Both learn from the same pictures, side by side, each by its own loss. It takes `--clip`, and ships, like the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

from pictures import drawing
from torch import nn

from squint.data import augment
from squint.models.unclip import Upsampler, UpsamplerConfig

CONFIGS = {
    "up32": UpsamplerConfig(size=32, channels=(32, 64, 128)),
    "up64": UpsamplerConfig(size=64, channels=(48, 64, 128), patch=2),
}


@dataclass(frozen=True)
class Settings(drawing.Settings):
    """What a run depends on."""

    rate: float = 1.4e-3
    warmup: int = 80
    steps: int = 2_700
    batch: int = 384


def make_nets() -> nn.ModuleDict:
    """Both, by name."""
    return nn.ModuleDict({name: Upsampler(config) for name, config in CONFIGS.items()})


RECIPE = drawing.recipe(__file__, Settings, make_nets, augment.FOR_UPSAMPLING, best="-up64_valid_pictures")

if __name__ == "__main__":
    RECIPE.main()
