"""Tux Paint's stamps: 706 photographs and drawings of things, by many hands, with their names."""

from __future__ import annotations

import json
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from squint.data import catalogue, sheets


@dataclass(frozen=True)
class Stamps:
    """Pictures and what they are called.

    Attributes:
        images: red, green, blue and opacity, 0 to 255; colours are not multiplied by the opacity.
        captions: what each shows, as in ``great blue heron``; several may be called the same.
        categories: where the package keeps each, as in ``animals/birds``.
        photo: whether it is a photograph.
    """

    images: UInt8[Tensor, "n 4 size size"]
    captions: list[str]
    categories: list[str]
    photo: Bool[Tensor, " n"]

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.images)

    @property
    def names(self) -> list[str]:
        """The different captions, in the order of the pictures."""
        return list(dict.fromkeys(self.captions))

    @property
    def name(self) -> Int[Tensor, " n"]:
        """For each picture, its caption's place in ``names``."""
        place = {name: i for i, name in enumerate(self.names)}
        return torch.tensor([place[caption] for caption in self.captions])

    def rgb(self, background: float = 1.0) -> Float[Tensor, "n 3 size size"]:
        """The pictures on a grey background (1 is white, 0 black), from 0 to 1."""
        return sheets.on_grey(self.images, background)


def load(size: int = 32) -> Stamps:
    """All stamps at ``size`` pixels. They are under the GPL, version 2 or later, and not the course's MIT.

    Args:
        size: 64, 32, 16, 8, 4, 2 or 1 pixels; a smaller picture is the average of the 64-pixel one over blocks.

    Raises:
        ValueError: no such size.
        DataError: a file is missing or not what it was.
    """
    rows = json.loads(catalogue.path("stamps/index.json").read_text("utf-8"))["stamps"]
    return Stamps(
        images=sheets.read("stamps/stamps.webp", len(rows), size),
        captions=[row["caption"] for row in rows],
        categories=[row["category"] for row in rows],
        photo=torch.tensor([row["photo"] for row in rows]),
    )
