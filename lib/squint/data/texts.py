"""Four English texts and the corpus made of them: Austen, Shakespeare, the World English Bible, WordNet."""

from __future__ import annotations

import functools
import gzip
import re
from collections import Counter
from dataclasses import dataclass
from itertools import compress

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from squint.data import catalogue

NAMES = ("austen", "shakespeare", "bible", "wordnet")
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+|\n\n")
SHORTEST = 3
"""Words a sentence must have; shorter ones are mostly headings and speakers."""
RAREST = 5
"""Times a word must occur to enter the vocabulary."""


@dataclass(frozen=True)
class Corpus:
    """The four texts as one stream of word numbers.

    Attributes:
        tokens: the words by their place in ``vocab``; rarer words are left out.
        sentence: for every token, the sentence of ``sentences()`` it stands in.
        vocab: the words that occur five times or more, the commonest first.
        counts: how often each word of ``vocab`` occurs.
    """

    tokens: Int[Tensor, " n"]
    sentence: Int[Tensor, " n"]
    vocab: list[str]
    counts: Int[Tensor, " v"]

    @property
    def index(self) -> dict[str, int]:
        """Each word's place in ``vocab``."""
        return {word: i for i, word in enumerate(self.vocab)}


def names() -> list[str]:
    """The texts there are: austen, shakespeare, bible, wordnet."""
    return list(NAMES)


def load(name: str) -> str:
    """The text ``name``, as in ``load("austen")``: 4 to 12 million characters with plain quotes.

    Raises:
        ValueError: there is no such text.
        DataError: its file is missing or not what it was.
    """
    if name not in NAMES:
        raise ValueError(f"there is no text {name!r}; there are {', '.join(NAMES)}")
    return gzip.decompress(catalogue.path(f"texts/{name}.txt.gz").read_bytes()).decode("utf-8")


def words(text: str) -> list[str]:
    """The lower-cased words of a text; letters with at most one apostrophe inside, as in ``don't``."""
    return WORD.findall(text.lower())


def sentences(*chosen: str) -> list[list[str]]:
    """The sentences of the texts ``chosen`` (all four if none is) as lists of lower-cased words.

    A sentence ends after ``. ! ? ; :`` and white space, or at a blank line; those of fewer than three words are left
    out.
    """
    split = (words(part) for name in chosen or NAMES for part in SENTENCE_END.split(load(name)))
    return [sentence for sentence in split if len(sentence) >= SHORTEST]


@functools.cache
def corpus() -> Corpus:
    """All four texts as word numbers: 4.1 million tokens in about two seconds, kept in memory for the next call.

    It equals numbering the words of ``sentences()``, but finds words and sentence ends by array operations.
    """
    spelled, sentence = _split("\n\n".join(load(name) for name in NAMES))
    ranked = Counter(spelled).most_common()
    rank = {word: i for i, (word, _) in enumerate(ranked)}
    counts = np.fromiter((count for _, count in ranked), np.int64, len(ranked))
    size = int((counts >= RAREST).sum())
    numbers = np.fromiter(map(rank.__getitem__, spelled), np.int64, len(spelled))
    kept = numbers < size
    return Corpus(
        tokens=torch.from_numpy(numbers[kept]),
        sentence=torch.from_numpy(sentence[kept]),
        vocab=[word.decode("ascii") for word, _ in ranked[:size]],
        counts=torch.from_numpy(counts[:size]),
    )


def _split(text: str) -> tuple[list[bytes], np.ndarray]:
    """All words of the sentences that are long enough, and the number of the sentence each stands in."""
    letters = np.frombuffer(text.encode("utf-8").lower(), np.uint8)
    in_word = _is_in_word(letters)
    starts = np.flatnonzero(in_word[1:] & ~in_word[:-1]) + 1
    starts = np.concatenate(([0], starts)) if in_word[0] else starts
    sentence = np.searchsorted(np.flatnonzero(_ends_sentence(letters)), starts)
    long_enough = np.bincount(sentence) >= SHORTEST
    kept = long_enough[sentence]
    spelled = np.where(in_word, letters, np.uint8(ord(" "))).tobytes().split()
    return list(compress(spelled, kept.tolist())), (np.cumsum(long_enough) - 1)[sentence[kept]]


def _among(letters: np.ndarray, wanted: bytes) -> np.ndarray:
    table = np.zeros(256, bool)
    table[list(wanted)] = True
    return table[letters]


def _is_in_word(letters: np.ndarray) -> np.ndarray:
    """True at a letter, and at the first apostrophe of a word that has a letter on both sides."""
    in_word = (letters >= ord("a")) & (letters <= ord("z"))
    inner = np.flatnonzero(letters[1:-1] == ord("'")) + 1
    inner = inner[in_word[inner - 1] & in_word[inner + 1]]
    for i in inner.tolist():
        # A word has one apostrophe at most: "fo'c'sle" is read as "fo'c" and "sle".
        start = i - 1
        while start >= 0 and in_word[start] and letters[start] != ord("'"):
            start -= 1
        in_word[i] = start < 0 or not in_word[start]
    return in_word


def _ends_sentence(letters: np.ndarray) -> np.ndarray:
    """True at a mark that is followed by white space, and at the first of two line ends."""
    is_mark, is_space = _among(letters, b".!?;:"), _among(letters, b" \t\n\r\f\v")
    is_line_end = letters == ord("\n")
    ends = np.zeros(len(letters), bool)
    ends[:-1] = (is_mark[:-1] & is_space[1:]) | (is_line_end[:-1] & is_line_end[1:])
    return ends
