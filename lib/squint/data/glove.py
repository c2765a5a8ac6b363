"""GloVe word vectors: the 20,000 commonest words of the 6-billion-token set, 50 numbers each."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from squint.data import catalogue

WORDS = 20_000


@dataclass(frozen=True)
class Vectors:
    """Word vectors.

    Attributes:
        words: the words, the commonest first.
        index: each word's place in ``words``.
        vectors: one row a word, not normalised.
    """

    words: list[str]
    index: dict[str, int]
    vectors: Float[Tensor, "words dim"]

    def __getitem__(self, word: str) -> Float[Tensor, " dim"]:
        """The vector of ``word``; KeyError if it has none."""
        return self.vectors[self.index[word]]

    def __contains__(self, word: str) -> bool:
        """Whether ``word`` has a vector."""
        return word in self.index


def load(n: int = WORDS) -> Vectors:
    """The vectors of the ``n`` commonest words, float32, stored in half precision (error below 0.1 %).

    From Pennington, Socher and Manning 2014, "GloVe: Global Vectors for Word Representation" (Wikipedia 2014 and
    Gigaword 5).

    Raises:
        ValueError: n is not in 1 … 20,000.
        DataError: a file is missing or not what it was.
    """
    if not 1 <= n <= WORDS:
        raise ValueError(f"n is {n}, but there are vectors for 1 to {WORDS:,} words")
    words = catalogue.path("glove/words.txt").read_text("utf-8").split("\n")[:n]
    vectors = load_file(catalogue.path("glove/vectors.safetensors"))["vectors"][:n].float()
    return Vectors(words, {word: i for i, word in enumerate(words)}, vectors)
