"""Emoji by seven artists: 9,518 pictures of 1,640 concepts, with names, tags and groups."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from squint.data import catalogue, sheets


@dataclass(frozen=True)
class Concept:
    """What an emoji shows, whoever drew it.

    Attributes:
        hexcode: its code points, as in ``1f600`` or ``1f3c3-200d-2642``.
        label: its name, as in ``grinning face``.
        tags: other words for it.
        group: one of eight, as ``food-drink``.
        subgroup: as ``food-fruit``.
        emoji: the character itself.
    """

    hexcode: str
    label: str
    tags: tuple[str, ...]
    group: str
    subgroup: str
    emoji: str


@dataclass(frozen=True)
class Emoji:
    """Pictures and what they show.

    Attributes:
        images: red, green, blue and opacity, 0 to 255; colours are not multiplied by the opacity.
        style: for each picture, its artist's place in ``styles``.
        concept: for each picture, its place in ``concepts``.
        group: for each picture, its place in ``groups``.
        styles: the artists' sets.
        concepts: all concepts, in the order of an emoji keyboard; the same list whichever styles are loaded.
        groups: the eight groups, as ``animals-nature``.
    """

    images: UInt8[Tensor, "n 4 size size"]
    style: Int[Tensor, " n"]
    concept: Int[Tensor, " n"]
    group: Int[Tensor, " n"]
    styles: list[str]
    concepts: list[Concept]
    groups: list[str]

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.images)

    @property
    def labels(self) -> list[str]:
        """The label of each picture, as in ``red apple``."""
        return [self.concepts[i].label for i in self.concept.tolist()]

    def rgb(self, background: float = 1.0) -> Float[Tensor, "n 3 size size"]:
        """The pictures on a grey background (1 is white, 0 black), from 0 to 1."""
        return sheets.on_grey(self.images, background)

    def where(self, mask: Bool[Tensor, " n"] | Int[Tensor, " k"]) -> Emoji:
        """The pictures for which ``mask`` is true, or those at the places it lists; names and groups stay."""
        picked = {name: getattr(self, name)[mask] for name in ("images", "style", "concept", "group")}
        return replace(self, **picked)


def load(size: int = 32, styles: Sequence[str] | None = None) -> Emoji:
    """All emoji at ``size`` pixels, or those of some styles.

    Skin tones and flags are left out. A smaller picture is the average of the 64-pixel one over blocks, colours weighed
    by opacity, so that what is transparent lends no colour.

    Args:
        size: 64, 32, 16, 8, 4, 2 or 1 pixels.
        styles: some of ``style_names()``; all seven if None.

    Raises:
        ValueError: no such size or style.
        DataError: a file is missing or not what it was.
    """
    index = _index()
    chosen = list(index["styles"]) if styles is None else list(styles)
    if unknown := set(chosen) - set(index["styles"]):
        raise ValueError(f"there is no style {sorted(unknown)[0]!r}; there are {', '.join(index['styles'])}")
    concepts, groups = _concepts(), list(index["groups"])
    place = {concept.hexcode: i for i, concept in enumerate(concepts)}
    concept = torch.tensor([place[code] for style in chosen for code in index["styles"][style]])
    counts = torch.tensor([len(index["styles"][style]) for style in chosen])
    group_of = torch.tensor([groups.index(concept.group) for concept in concepts])
    return Emoji(
        images=torch.cat([sheets.read(f"emoji/{style}.webp", len(index["styles"][style]), size) for style in chosen]),
        style=torch.repeat_interleave(torch.arange(len(chosen)), counts),
        concept=concept,
        group=group_of[concept],
        styles=chosen,
        concepts=concepts,
        groups=groups,
    )


def style_names() -> list[str]:
    """The seven sets: noto, noto-v1, twemoji, fluent-emoji, fluent-emoji-flat, fxemoji, emojitwo."""
    return list(_index()["styles"])


def split_concepts(seed: int = 0, held_out: int = 150) -> tuple[Int[Tensor, " kept"], Int[Tensor, " held_out"]]:
    """Concepts to learn from, and ``held_out`` others to be tested on; both as places in ``concepts``.

    Split by concept, never by picture: two sets may draw one concept almost alike, and a near twin of a test picture in
    training would leak the answer. ``emoji.where(torch.isin(emoji.concept, kept))`` gives the pictures.

    Raises:
        ValueError: more concepts are to be held out than there are.
    """
    places = list(range(len(_concepts())))
    if not 0 <= held_out <= len(places):
        raise ValueError(f"{held_out} concepts cannot be held out of {len(places)}")
    random.Random(seed).shuffle(places)
    return torch.tensor(sorted(places[held_out:])), torch.tensor(sorted(places[:held_out]))


@functools.cache
def _index() -> dict:
    return json.loads(catalogue.path("emoji/index.json").read_text("utf-8"))


@functools.cache
def _concepts() -> list[Concept]:
    return [Concept(**{**row, "tags": tuple(row["tags"])}) for row in _index()["concepts"]]
