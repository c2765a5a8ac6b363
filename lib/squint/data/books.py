"""The four English texts as books, each cut into what is learned from and what is held out; and as numbers.

Held out, and never learned from: the last twentieth of every book ("ends"), and one whole book a source ("book"):
Northanger Abbey, Macbeth, Job. WordNet has no books: it is cut into forty stretches of equal length, and the last
twentieth of each is held out. Austen's printed lines are joined to paragraphs, or else a model must guess where a
printer broke the line; runs of blank lines become one. Nothing else is changed.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from squint.data import texts
from squint.text.bpe import BPE, END

NAMES = texts.NAMES
WHOLE = {"austen": "Northanger Abbey", "shakespeare": "Macbeth", "bible": "Job"}
NOVELS = ("Sense and Sensibility", "Pride and Prejudice", "Mansfield Park", "Emma", "Northanger Abbey", "Persuasion")
SHARE = 0.05


@dataclass(frozen=True)
class Source:
    """One source, cut.

    Attributes:
        train: a text a book, to learn from.
        ends: how these books end.
        book: a book that is not learned from at all; none of WordNet.
    """

    train: list[str]
    ends: list[str]
    book: list[str]


def _austen(text: str) -> list[tuple[str, str]]:
    """Each novel begins with its title on a line of its own."""
    heads = [re.search(rf"(?im)^{re.escape(name)}\s*$", text) for name in NOVELS]
    places = [head.start() for head in heads if head] + [len(text)]
    novels = [re.sub(r"(?<!\n)\n(?!\n)", " ", text[a:b]) for a, b in zip(places, places[1:], strict=False)]
    return [(name, re.sub(r" {2,}", " ", novel)) for name, novel in zip(NOVELS, novels, strict=True)]


def _shakespeare(text: str) -> list[tuple[str, str]]:
    return [(play.strip().split("\n")[0], play) for play in text.split("\n\n\n")]


def _bible(text: str) -> list[tuple[str, str]]:
    """Chapters begin with the book's name and a number: "Genesis 1"."""
    found: dict[str, list[str]] = {}
    for chapter in re.split(r"(?m)(?:\A|(?<=\n)\n)(?=[^\n]{3,40} \d+\n\n)", text):
        if head := re.match(r"(.+) \d+\n", chapter.strip()):
            found.setdefault(head[1], []).append(chapter.strip())
    return [(book, "\n\n".join(parts)) for book, parts in found.items()]


def _wordnet(text: str, stretches: int = 40) -> list[tuple[str, str]]:
    lines = text.splitlines(keepends=True)
    size = -(-len(lines) // stretches)
    return [(f"stretch {i // size + 1}", "".join(lines[i : i + size])) for i in range(0, len(lines), size)]


_CUT = {"austen": _austen, "shakespeare": _shakespeare, "bible": _bible, "wordnet": _wordnet}


@functools.cache
def books(name: str) -> list[tuple[str, str]]:
    """Titles and texts of the source ``name``: austen, shakespeare, bible or wordnet.

    Raises:
        ValueError: there is no such source.
        DataError: its file is missing or not what it was.
    """
    content = texts.load(name)
    return [(title, re.sub(r"\n{3,}", "\n\n", book).strip() + "\n") for title, book in _CUT[name](content)]


@functools.cache
def source(name: str) -> Source:
    """The source ``name``, cut at line ends."""
    train, ends, whole = [], [], []
    for title, book in books(name):
        if title == WHOLE.get(name):
            whole.append(book)
            continue
        cut = book.find("\n", int(len(book) * (1 - SHARE))) + 1
        train.append(book[:cut] if cut > 0 else book)
        if 0 < cut < len(book):
            ends.append(book[cut:])
    return Source(train, ends, whole)


def encoded(pieces: BPE, chosen: list[str]) -> list[Int[Tensor, " tokens"]]:
    """Each text in pieces of words, `</s>` at its end.

    A long text is cut for the tokenizer's many threads, but only in front of a letter or a quotation mark: there white
    space never joins what follows, so the pieces are those of the whole text.
    """
    found = []
    for text in chosen:
        parts, begin = [], 0
        while begin < len(text):
            end = text.find("\n", begin + 20_000)
            while 0 <= end < len(text) - 1 and text[end + 1].isspace():
                end = text.find("\n", end + 1)
            end = len(text) if end < 0 else end + 1
            parts.append(text[begin:end])
            begin = end
        rows = pieces.tokenizer.encode_batch_fast([" " * (i == 0) + part for i, part in enumerate(parts)])
        found.append(torch.tensor([token for row in rows for token in row.ids] + [END]))
    return found


def stream(pieces: BPE, *names: str) -> Int[Tensor, " tokens"]:
    """All that is learned from in the sources ``names`` (all four if none is), one text after the other."""
    chosen = [text for name in names or NAMES for text in source(name).train]
    return torch.cat(encoded(pieces, chosen))
