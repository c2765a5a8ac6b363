"""Guests as they arrive, and in alphabetical order: a small language to translate, with as many pairs as wanted.

A hundred names are a hundred tokens. A model sees no letters, so it must find the order out from lists put right.
"""

from __future__ import annotations

import random

import torch
from jaxtyping import Int
from torch import Tensor

PAD, START, END = 0, 1, 2
NAMES = (
    "Ada", "Adam", "Agnes", "Alan", "Alice", "Amina", "Amos", "Anton", "Astrid", "Ayo", "Beata", "Ben", "Boris",
    "Bruno", "Carl", "Carmen", "Celia", "Chen", "Clara", "Dana", "Dario", "David", "Dora", "Edgar", "Edith", "Elias",
    "Ella", "Emil", "Erik", "Esther", "Eva", "Fatima", "Felix", "Fiona", "Frida", "Georg", "Gita", "Greta", "Hana",
    "Hans", "Helen", "Hugo", "Ida", "Igor", "Ines", "Iris", "Ivan", "Jack", "Jana", "Jonas", "Julia", "Kai", "Karin",
    "Kofi", "Lars", "Laura", "Leo", "Lina", "Lotte", "Lucas", "Magda", "Malik", "Maria", "Max", "Mei", "Mina", "Nadia",
    "Nils", "Nora", "Olaf", "Olga", "Oscar", "Otto", "Pablo", "Paula", "Pia", "Priya", "Quinn", "Ravi", "Rita",
    "Robert", "Rosa", "Ruth", "Samir", "Sara", "Selma", "Simon", "Sofia", "Stefan", "Tara", "Theo", "Tilda", "Tomas",
    "Uma", "Vera", "Viktor", "Wanda", "Yara", "Yusuf", "Zoe",
)  # fmt: skip
TOKENS = ("<pad>", "<s>", "</s>", *NAMES)
"""All tokens, by number."""


def draw(
    n: int, random_: random.Random, fewest: int = 8, most: int = 14
) -> tuple[Int[Tensor, "n source"], Int[Tensor, "n target"]]:
    """`n` lists of guests, as they arrive and in order, both with the end token and filled up; nobody comes twice."""
    source, target = [], []
    for _ in range(n):
        guests = random_.sample(range(END + 1, len(TOKENS)), random_.randint(fewest, most))
        source.append([*guests, END])
        target.append([*sorted(guests), END])
    return _filled(source), _filled(target)


def read(names: str) -> Int[Tensor, "1 source"]:
    """Guests by their names, as `draw` would give them.

    Raises:
        ValueError: if a name is not among the hundred.
    """
    if unknown := [name for name in names.split() if name not in NAMES]:
        raise ValueError(f"{unknown[0]!r} is not among the hundred names in squint.data.guests.NAMES")
    return torch.tensor([[TOKENS.index(name) for name in names.split()] + [END]])


def spelled(tokens: list[int]) -> str:
    """Tokens as names, the special ones left out."""
    return " ".join(TOKENS[int(token)] for token in tokens if int(token) > END)


def _filled(rows: list[list[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
