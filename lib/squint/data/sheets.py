"""Sheets of little pictures: many in one WebP file, in rows from the top left."""

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d

from squint.data import catalogue

FULL = 64
"""Side of the shipped pictures, in pixels; smaller ones are averages of their blocks."""


def read(path: str, count: int, size: int) -> UInt8[Tensor, "count 4 size size"]:
    """The first pictures of a sheet: red, green, blue and opacity; colours are not multiplied by the opacity.

    Args:
        path: of the sheet, as in the catalogue.
        count: how many pictures are on it.
        size: 64, 32, 16, 8, 4, 2 or 1 pixels.

    Raises:
        ValueError: no such size.
        DataError: the file is missing or not what it was.
    """
    if size < 1 or FULL % size:
        raise ValueError(f"there are pictures of 64, 32, 16, 8, 4, 2 and 1 pixels, not of {size}")
    with Image.open(catalogue.path(path)) as sheet:
        pixels = torch.from_numpy(np.array(sheet.convert("RGBA")))
    tiles = rearrange(pixels, "(row h) (column w) c -> (row column) c h w", h=FULL, w=FULL)[:count]
    # A few at a time stay in a processor's cache.
    return tiles.contiguous() if size == FULL else torch.cat([shrink(few, FULL // size) for few in tiles.split(64)])


def shrink(images: UInt8[Tensor, "n 4 h w"], factor: int) -> UInt8[Tensor, "n 4 h2 w2"]:
    """Averages over blocks, colours weighed by opacity, so that what is transparent lends no colour."""
    values = images.float()
    opacity = avg_pool2d(values[:, 3:], factor)
    weighed = avg_pool2d(values[:, :3] * values[:, 3:], factor)
    return torch.cat([weighed / opacity.clamp(min=1e-6), opacity], dim=1).round().to(torch.uint8)


def on_grey(images: UInt8[Tensor, "n 4 h w"], lightness: float) -> Float[Tensor, "n 3 h w"]:
    """The pictures on a grey background (1 is white, 0 black), from 0 to 1."""
    colour, opacity = images[:, :3].float() / 255, images[:, 3:].float() / 255
    return torch.lerp(torch.full_like(colour, lightness), colour, opacity)
