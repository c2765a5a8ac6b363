"""English sentences and phrases of at most sixteen words, each with a German translation."""

from __future__ import annotations

import functools
import gzip
from dataclasses import dataclass

from squint.data import catalogue

PARTS = ("train", "valid", "test")
SOURCES = ("dictionary", "game", "help", "talk", "written", "made")
TESTED = SOURCES[:3]


@dataclass(frozen=True)
class Pairs:
    """Texts in two languages: ``german[i]`` translates ``english[i]``."""

    english: list[str]
    german: list[str]

    def __len__(self) -> int:
        return len(self.english)

    def __add__(self, others: Pairs) -> Pairs:
        return Pairs(self.english + others.english, self.german + others.german)


def load(part: str, *sources: str) -> Pairs:
    """The pairs of a part, as in ``load("train")``; those of some sources only, as in ``load("test", "game")``.

    The three parts are the same for everyone. ``valid`` (1,000 pairs) and ``test`` (1,500) are whole sentences of four
    words or more from the first three sources; neither their English nor their German stands in another part, whatever
    the case, punctuation, digits and white space.

    Args:
        part: ``train``, ``valid`` or ``test``.
        sources: some of ``dictionary`` (phrases and examples of the dictionary Ding), ``game`` (the dialogues of The
            Battle for Wesnoth), ``help`` (the help of LibreOffice), ``talk`` (what is said in seven more games),
            ``written`` and ``made`` (everyday sentences of the course, by hand and by rule); all if none is named.

    Raises:
        ValueError: there is no such part or no such source.
        DataError: a file is missing or not what it was.
    """
    if part not in PARTS:
        raise ValueError(f"there is no part {part!r}; there are {', '.join(PARTS)}")
    if unknown := set(sources) - set(SOURCES):
        raise ValueError(f"there is no source {min(unknown)!r}; there are {', '.join(SOURCES)}")
    chosen = [_read(source)[part] for source in SOURCES if not sources or source in sources]
    return Pairs([en for pairs in chosen for en in pairs.english], [de for pairs in chosen for de in pairs.german])


@functools.cache
def _read(source: str) -> dict[str, Pairs]:
    """All pairs of a source, by part."""
    content = gzip.decompress(catalogue.path(f"english-german/{source}.tsv.gz").read_bytes()).decode("utf-8")
    parts = {part: Pairs([], []) for part in PARTS}
    for line in content.splitlines():
        part, english, german = line.split("\t")
        parts[part].english.append(english)
        parts[part].german.append(german)
    return parts


def everyday() -> list[tuple[str, list[str]]]:
    """Everyday English sentences to try a translator with, each with its right German translations, the plainest first.

    No part of `load` holds one of the English sentences. The first sixty are by the hand that began the lexicon of the
    sentences made by rule; whoever wrote the others did not see what is learned from. A translation that is not among
    those given may still be right.

    Raises:
        DataError: the file is missing or not what it was.
    """
    rows = catalogue.path("english-german/everyday.tsv").read_text("utf-8").splitlines()
    return [(english, german) for english, *german in (row.split("\t") for row in rows)]
