"""Pictures varied at random, a whole batch at once and on whatever device it lies.

Pictures are here red, green and blue *multiplied by* opacity, and opacity, from 0 to 1: so they can be moved, blended
and put on a background without seams.
"""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Strength:
    """How much to vary; every amount is the largest, and half of it is common.

    Attributes:
        share: of the pictures that are moved, and of those that are recoloured.
        shift: as a share of the side.
        scale: larger or smaller by this factor, less one.
        stretch: wider than high, or higher than wide, by this factor, less one.
        turn, shear: in radians.
        flip: the share of pictures that are mirrored, where that does no harm.
        hue: in radians around grey.
        colour: of saturation, contrast and brightness.
        holes: the share of pictures with a square cut out.
        blur: the share of pictures that are blurred.
        grey: the share of pictures on a background other than white.
    """

    share: float = 1.0
    shift: float = 0.0
    scale: float = 0.0
    stretch: float = 0.0
    turn: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    hue: float = 0.0
    colour: float = 0.0
    holes: float = 0.0
    blur: float = 0.0
    grey: float = 0.0

    def scaled(self, by: float) -> Strength:
        """The same mix of variations, more or less of it; `share` stays."""
        return Strength(**{
            name: min(value * by, 1.0) if name != "share" else value for name, value in asdict(self).items()
        })  # fmt: skip


FOR_CLIP = Strength(
    share=0.9, shift=0.1, scale=0.25, stretch=0.15, turn=0.25, shear=0.15, flip=0.3, hue=0.3, colour=0.4, holes=0.3,
    blur=0.15, grey=0.25,
)  # fmt: skip
GENTLE = Strength(share=0.5, shift=0.04, scale=0.08, stretch=0.04, turn=0.06, flip=0.3)
FOR_UPSAMPLING = Strength(share=0.6, shift=0.08, scale=0.15, stretch=0.05, turn=0.1, flip=0.3, hue=0.4, colour=0.2)


def vary(
    pictures: Float[Tensor, "batch 4 side side"], may_flip: Bool[Tensor, " batch"], strength: Strength, size: int = 0
) -> Float[Tensor, "batch 4 size size"]:
    """Move, then recolour; `size` is the side of what comes out if it is to be another."""
    moved = move(pictures, placement(may_flip, strength), size)
    return recolour(moved, strength) if strength.colour or strength.hue else moved


def for_clip(
    pictures: Float[Tensor, "batch 4 side side"],
    may_flip: Bool[Tensor, " batch"],
    strength: Strength = FOR_CLIP,
    size: int = 32,
) -> Float[Tensor, "batch 3 size size"]:
    """As CLIP sees them in training: moved, recoloured, some with a hole, on a background, and some blurred."""
    seen = cut_hole(vary(pictures, may_flip, strength, size), strength.holes)
    return blur(on_background(seen, strength.grey), strength.blur)


def around_zero(batch: int, largest: float, like: Tensor) -> Float[Tensor, " batch"]:
    """Random numbers from −largest to largest."""
    return largest * (2 * torch.rand(batch, device=like.device) - 1)


def some(batch: int, share: float, like: Tensor) -> Bool[Tensor, " batch"]:
    """True for a random share."""
    return torch.rand(batch, device=like.device) < share


def placement(may_flip: Bool[Tensor, " batch"], strength: Strength) -> Float[Tensor, "batch 2 3"]:
    """For every picture, where each of its places is to be taken from: a linear map and a shift."""
    n, on = len(may_flip), some(len(may_flip), strength.share, may_flip).float()
    turn, shear = (on * around_zero(n, most, may_flip) for most in (strength.turn, strength.shear))
    size, stretch = (on * around_zero(n, math.log1p(most), may_flip) for most in (strength.scale, strength.stretch))
    mirror = torch.where(may_flip & some(n, strength.flip, may_flip), -1.0, 1.0)
    wide, high = (size + stretch).exp(), (size - stretch).exp()
    linear = torch.stack(
        [mirror * wide * turn.cos(), -high * (turn + shear).sin(), mirror * wide * turn.sin(), high * turn.cos()],
        dim=-1,
    )
    shift = torch.stack([2 * on * around_zero(n, strength.shift, may_flip) for _ in range(2)], dim=-1)
    return torch.cat([rearrange(linear, "b (two three) -> b two three", two=2), shift[..., None]], dim=-1)


def move(
    pictures: Float[Tensor, "batch 4 side side"], where: Float[Tensor, "batch 2 3"], size: int = 0
) -> Float[Tensor, "batch 4 size size"]:
    """Take every place from where it is to be taken from; outside the picture there is nothing.

    With half the side for `size`, every pixel is the mean of about four, and all is done four times as fast.
    """
    side = size or pictures.shape[-1]
    grid = F.affine_grid(where, [*pictures.shape[:2], side, side], align_corners=False)
    return F.grid_sample(pictures, grid, align_corners=False)


GREY = (0.299, 0.587, 0.114)


def recolour(pictures: Float[Tensor, "batch 4 h w"], strength: Strength) -> Float[Tensor, "batch 4 h w"]:
    """Another hue, saturation, contrast and brightness: all of them one linear map of the colours and a shift."""
    n, like = len(pictures), pictures
    on = some(n, strength.share, like).float()
    saturation, contrast = (1 + on * around_zero(n, strength.colour, like) for _ in range(2))
    brightness = on * around_zero(n, strength.colour / 2, like)
    luma, keep = grey_and_colour(like.device)
    saturate = saturation[:, None, None] * (keep - luma) + luma
    linear = contrast[:, None, None] * around_grey(on * around_zero(n, strength.hue, like)) @ saturate
    colour, opacity = pictures[:, :3], pictures[:, 3:]
    shift = ((1 - contrast) / 2 + brightness)[:, None, None, None] * opacity
    changed = torch.einsum("bij,bjhw->bihw", linear, colour) + shift
    return torch.cat([torch.minimum(changed.clamp(min=0), opacity), opacity], dim=1)


@functools.cache
def grey_and_colour(device: torch.device) -> tuple[Float[Tensor, "3 3"], Float[Tensor, "3 3"]]:
    """The maps of a colour to its grey, and to itself; made once, since what comes from the CPU is waited for."""
    return torch.tensor(GREY, device=device).expand(3, 3), torch.eye(3, device=device)


def around_grey(angle: Float[Tensor, " batch"]) -> Float[Tensor, "batch 3 3"]:
    """Turns of the colours around the axis from black to white."""
    a = (1 + 2 * angle.cos()) / 3
    b, c = (
        (1 - angle.cos()) / 3 - angle.sin() / math.sqrt(3),
        (1 - angle.cos()) / 3 + angle.sin() / math.sqrt(3),
    )
    return rearrange(torch.stack([a, b, c, c, a, b, b, c, a], dim=-1), "b (i j) -> b i j", i=3)


def on_background(pictures: Float[Tensor, "batch 4 h w"], grey: float = 0.0) -> Float[Tensor, "batch 3 h w"]:
    """On white; a share on grey of any lightness."""
    n = len(pictures)
    lightness = torch.where(some(n, grey, pictures), torch.rand(n, device=pictures.device), 1.0)
    return pictures[:, :3] + lightness[:, None, None, None] * (1 - pictures[:, 3:])


def cut_hole(pictures: Float[Tensor, "batch 4 size size"], share: float) -> Float[Tensor, "batch 4 size size"]:
    """A square of a quarter to a half of the side, of which nothing is left (DeVries and Taylor 2017)."""
    n, size = len(pictures), pictures.shape[-1]
    half = size * (0.125 + 0.125 * torch.rand(n, device=pictures.device)) * some(n, share, pictures)
    centre = size * torch.rand(n, 2, device=pictures.device)
    place = torch.arange(size, device=pictures.device) + 0.5
    near = (place - centre[..., None]).abs() < half[:, None, None]
    hole = near[:, 0, :, None] & near[:, 1, None, :]
    return pictures * ~hole[:, None]


def blur(pictures: Float[Tensor, "batch c h w"], share: float) -> Float[Tensor, "batch c h w"]:
    """Of a share of the pictures, each pixel is half its own and half the mean of the four beside it."""
    wide = F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    beside = wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:] + wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1]
    return pictures.lerp(beside / 4, 0.5 * some(len(pictures), share, pictures)[:, None, None, None])
