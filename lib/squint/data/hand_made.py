"""Word vectors made by hand, seven numbers a word that can be read aloud: for seeing what attention does to them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

FEATURES = ("thing", "alive", "place", "stands in", "doing", "quality", "glue")
"""What each entry of a vector says: the word is a thing, is alive, is a place, stands in for another word, …"""

_GLUE = {"glue": 1.0}
_HELPS = {"doing": 0.5, "glue": 0.5}

WORDS: dict[str, dict[str, float]] = {
    "the": _GLUE,
    "animal": {"thing": 1.0, "alive": 1.0},
    "dog": {"thing": 1.0, "alive": 1.0},
    "street": {"thing": 1.0, "place": 1.0},
    "house": {"thing": 1.0, "place": 1.0},
    "it": {"stands in": 1.0},
    "did": _HELPS,
    "was": _HELPS,
    "cross": {"doing": 1.0},
    "left": {"doing": 1.0},
    "not": _GLUE,
    "because": _GLUE,
    "too": {"quality": 0.5, "glue": 0.5},
    "tired": {"quality": 1.0, "alive": 0.7},
    "hungry": {"quality": 1.0, "alive": 0.7},
    "wide": {"quality": 1.0, "place": 0.7},
}
"""Each word's entries; what is not named is zero."""


def vectors(words: list[str]) -> Float[Tensor, "words 7"]:
    """The words' vectors, a row each, in the order of `FEATURES`.

    Raises:
        KeyError: for a word that is not in `WORDS`.
    """
    return torch.tensor([[WORDS[word].get(feature, 0.0) for feature in FEATURES] for word in words])
