"""The emoji as something to learn from: which to learn from and which to judge by, captions, and batches of both."""

from __future__ import annotations

import functools
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from squint.data import augment, emoji
from squint.text.words import split_words

UNSEEN_STYLE = "emojitwo"
DIRECTIONS = re.compile(r"left|right|clockwise|arrow|facing|o’clock|o'clock|oncoming|thirty|button|letter|input")
CAPTIONS = 24
"""Captions kept ready for every picture."""
TWIN = 0.05
"""Two pictures are taken for one if their values at 32 pixels differ by less, root mean square, on a scale of one."""


@dataclass
class Pictures:
    """All emoji, and what they are for.

    Attributes:
        images: premultiplied red, green, blue, and opacity, 0 to 255.
        style, concept: of each picture.
        may_flip: of each picture; what points somewhere or can be read may not.
        names, styles: of the concepts and styles.
        tags: of the concepts.
        purpose: places of pictures to `train` on, and to judge by: `valid_pictures` (known concepts in known styles),
            `valid_concepts`, `test_style` (known concepts), `test_concepts` (known styles) and `test_style_all`.
            Two concepts or styles may be drawn nearly alike: what is a near twin of a test picture is in `twins`, and
            is neither trained on nor judged by.
        valid, held_out: the concepts that are not trained on.
    """

    images: UInt8[Tensor, "n 4 side side"]
    style: Int[Tensor, " n"]
    concept: Int[Tensor, " n"]
    may_flip: Bool[Tensor, " n"]
    names: list[str]
    tags: list[tuple[str, ...]]
    styles: list[str]
    purpose: dict[str, Int[Tensor, " k"]]
    valid: Int[Tensor, " v"]
    held_out: Int[Tensor, " h"]

    def to(self, device: torch.device) -> Pictures:
        """All tensors on that device."""
        for name in ("images", "style", "concept", "may_flip"):
            setattr(self, name, getattr(self, name).to(device))
        self.purpose = {name: places.to(device) for name, places in self.purpose.items()}
        return self

    def at(self, size: int) -> Pictures:
        """The same with smaller pictures, means over blocks.

        `augment.for_clip` varies these faster; they stay sharp if they are twice as wide as what it is to give.
        """
        block = self.images.shape[-1] // size
        small = [F.avg_pool2d(few.float(), block).round().to(torch.uint8) for few in self.images.split(64)]
        return replace(self, images=torch.cat(small))

    def rgba(self, places: Int[Tensor, " k"]) -> Float[Tensor, "k 4 side side"]:
        """Premultiplied, from 0 to 1."""
        return self.images[places].float() / 255

    def plain(self, places: Int[Tensor, " k"], size: int = 32) -> Float[Tensor, "k 3 size size"]:
        """On white, from 0 to 1, not varied."""
        return F.avg_pool2d(augment.on_background(self.rgba(places)), self.images.shape[-1] // size)


def load(valid_concepts: int = 60, valid_share: float = 0.03, seed: int = 1) -> Pictures:
    """All emoji, split; the test splits are those of the course, the validation splits are cut from what is left.

    The shipped weights were trained before near twins were left out: they saw 40 of them among 7,088 pictures.
    """
    all_of_them = emoji.load(64)
    kept, held_out = emoji.split_concepts(0)
    shuffled = torch.randperm(len(kept), generator=torch.Generator().manual_seed(seed))
    valid = kept[shuffled[:valid_concepts]].sort().values
    known = torch.isin(all_of_them.concept, kept[shuffled[valid_concepts:]])
    unseen = all_of_them.style == all_of_them.styles.index(UNSEEN_STYLE)
    chance = torch.rand(len(all_of_them), generator=torch.Generator().manual_seed(seed))
    aside = known & ~unseen & (chance < valid_share)
    purpose = {
        "train": known & ~unseen & ~aside,
        "valid_pictures": aside,
        "valid_concepts": torch.isin(all_of_them.concept, valid) & ~unseen,
        "test_style": ~torch.isin(all_of_them.concept, held_out) & unseen,
        "test_concepts": torch.isin(all_of_them.concept, held_out) & ~unseen,
        "test_style_all": unseen,
    }
    names = [concept.label for concept in all_of_them.concepts]
    groups = [concept.group for concept in all_of_them.concepts]
    turned = {name.removesuffix(": facing right") for name in names if name.endswith(": facing right")}
    flips = torch.tensor([
        group != "symbols" and name not in turned and not DIRECTIONS.search(name)
        for name, group in zip(names, groups, strict=True)
    ])  # fmt: skip
    images = all_of_them.images.clone()
    for few in images.split(64):  # which stay in a processor's cache, and so it takes a sixth of the time
        few[:, :3] = (few[:, :3].float() * (few[:, 3:].float() / 255)).round_()
    pictures = Pictures(
        images=images,
        style=all_of_them.style,
        concept=all_of_them.concept,
        may_flip=flips[all_of_them.concept],
        names=names,
        tags=[concept.tags for concept in all_of_them.concepts],
        styles=list(all_of_them.styles),
        purpose={name: mask.nonzero()[:, 0] for name, mask in purpose.items()},
        valid=valid,
        held_out=held_out,
    )
    return without_twins(pictures)


def without_twins(pictures: Pictures, like: float = TWIN) -> Pictures:
    """Set aside as `twins` what looks like a test picture."""

    def seen(places: Int[Tensor, " k"], size: int = 32) -> Float[Tensor, "k values"]:
        """So scaled that distances are root mean squares."""
        plain = torch.cat([pictures.plain(few, size).flatten(1) for few in places.split(64)])
        return plain / plain.shape[1] ** 0.5

    tests = torch.cat([pictures.purpose["test_style_all"], pictures.purpose["test_concepts"]])
    coarse, fine, twins = seen(tests, 8), seen(tests), []
    for name in ("train", "valid_pictures", "valid_concepts"):
        places = pictures.purpose[name]
        # Means over blocks are no further apart than what they are means of, so few need a closer look.
        doubtful = (torch.cdist(seen(places, 8), coarse) < 1.01 * like).any(dim=1).nonzero()[:, 0]
        twin = torch.zeros_like(places, dtype=torch.bool)
        twin[doubtful] = (torch.cdist(seen(places[doubtful]), fine) < like).any(dim=1)
        twins.append(places[twin])
        pictures.purpose[name] = places[~twin]
    pictures.purpose["twins"] = torch.cat(twins)
    return pictures


@functools.cache
def on(device: torch.device) -> Pictures:
    """All emoji on that device, read once."""
    return load().to(device)


# Captions


def words(pictures: Pictures) -> list[str]:
    """The words of the names and tags that are trained on, and of the styles; the commonest first."""
    trained = sorted(set(pictures.concept[pictures.purpose["train"]].tolist()))
    texts = [" ".join((pictures.names[i], *pictures.tags[i])) for i in trained]
    styles = [style_words(style) for style in pictures.styles if style != UNSEEN_STYLE]
    return [word for word, _ in Counter(split_words(" ".join(texts + styles))).most_common()]


def style_words(style: str) -> str:
    """A style's name as a caption says it."""
    return style.replace("-", " ") + ("" if "emoji" in style else " emoji")


def caption(name: str, tags: tuple[str, ...], style: str, chance: random.Random, styled: float) -> str:
    """One of many ways to say what a picture shows: its name, its name and some tags, or some tags alone."""
    kind, some = chance.random(), chance.sample(tags, min(len(tags), chance.randint(1, 4)))
    if kind < 0.5 or not tags:
        parts = [name]
    elif kind < 0.85:
        parts = [name, *some]
    else:
        parts = some
    if chance.random() < styled:
        parts.append(style_words(style))
    return " ".join(parts)


def captions(
    pictures: Pictures,
    places: Int[Tensor, " k"],
    encode: Callable[[Sequence[str]], Int[Tensor, "texts tokens"]],
    styled: float,
    seed: int = 0,
) -> Int[Tensor, "n captions tokens"]:
    """`CAPTIONS` for each of these pictures, as the words' numbers; rows of other pictures are empty.

    Args:
        pictures: all of them.
        places: of the pictures to speak of.
        encode: from captions to their words' numbers, such as `squint.models.clip.Vocabulary.encode`.
        styled: the share of captions that name the style.
        seed: of what is said.
    """
    chance, said = random.Random(seed), list[str]()
    for concept, style in zip(pictures.concept[places].tolist(), pictures.style[places].tolist(), strict=True):
        what = pictures.names[concept], pictures.tags[concept], pictures.styles[style]
        said += [caption(*what, chance, styled) for _ in range(CAPTIONS)]
    numbers = rearrange(encode(said), "(k captions) tokens -> k captions tokens", captions=CAPTIONS)
    table = torch.zeros(len(pictures.concept), *numbers.shape[1:], dtype=torch.int16)
    table[places.cpu()] = numbers.to(table)
    return table


# Batches


@dataclass
class Sampler:
    """Draws pictures to learn from, on their device.

    Attributes:
        pictures: all of them.
        places: of the pictures to draw from.
        of_concept: for each concept that has any, the places of its pictures, the first ones repeated.
        count: how many different ones there are.
    """

    pictures: Pictures
    places: Int[Tensor, " k"]
    of_concept: Int[Tensor, "concepts most"]
    count: Int[Tensor, " concepts"]

    @classmethod
    def of(cls, pictures: Pictures, purpose: str = "train") -> Sampler:
        """Over the pictures of that purpose."""
        places = pictures.purpose[purpose]
        by_concept: dict[int, list[int]] = {}
        for place, concept in zip(places.tolist(), pictures.concept[places].tolist(), strict=True):
            by_concept.setdefault(concept, []).append(place)
        most = max(map(len, by_concept.values()))
        rows = [(members * most)[:most] for members in by_concept.values()]
        count = [len(members) for members in by_concept.values()]
        device = pictures.images.device
        return cls(pictures, places, torch.tensor(rows, device=device), torch.tensor(count, device=device))

    def any(self, batch: int) -> Int[Tensor, " batch"]:
        """Any pictures."""
        return self.places[torch.randint(len(self.places), (batch,), device=self.places.device)]

    def one_a_concept(self, batch: int, twice: int = 0) -> Int[Tensor, " batch"]:
        """Pictures of different concepts; the last `twice` show concepts of the first ones, in another style."""
        device, concepts = self.count.device, len(self.count)
        chosen = torch.randperm(concepts, device=device)[: min(batch - twice, concepts)]
        first = (torch.rand(len(chosen), device=device) * self.count[chosen]).long()
        places = self.of_concept[chosen, first]
        if not twice:
            return places
        chosen, first, count = chosen[:twice], first[:twice], self.count[chosen[:twice]]
        step = 1 + (torch.rand(len(chosen), device=device) * (count - 1)).long()
        return torch.cat([places, self.of_concept[chosen, (first + step) % count]])

    def varied(self, places: Int[Tensor, " k"], strength: augment.Strength) -> Float[Tensor, "k 4 side side"]:
        """These pictures, each varied at random."""
        # In full precision: bf16 knows places only to a quarter of a pixel.
        with torch.autocast(places.device.type, enabled=False):
            return augment.vary(self.pictures.rgba(places), self.pictures.may_flip[places], strength)

    def for_clip(
        self, places: Int[Tensor, " k"], strength: augment.Strength = augment.FOR_CLIP, size: int = 32
    ) -> Float[Tensor, "k 3 size size"]:
        """These pictures as CLIP is to see them in training: varied, on a background, from 0 to 1."""
        with torch.autocast(places.device.type, enabled=False):
            return augment.for_clip(self.pictures.rgba(places), self.pictures.may_flip[places], strength, size)
