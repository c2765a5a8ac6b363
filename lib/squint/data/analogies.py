"""Google's analogies and two tests of word similarity, read from gensim's installed test data without importing it."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from squint.data.catalogue import DataError

SIMILARITY = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}


@functools.cache
def load() -> dict[str, list[tuple[str, str, str, str]]]:
    """Google's 19,544 analogies: for each of 14 sections, questions (a, b, c, d) with a : b = c : d, lower-cased.

    From Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space", section 4.1.

    Raises:
        DataError: gensim, whose test data they are, is not installed.
    """
    sections: dict[str, list[tuple[str, str, str, str]]] = {}
    for line in _read("questions-words.txt"):
        if line.startswith(":"):
            questions = sections.setdefault(line[1:].strip(), [])
        else:
            a, b, c, d = line.lower().split()
            questions.append((a, b, c, d))
    return sections


def similarity(name: str = "wordsim353") -> list[tuple[str, str, float]]:
    """Pairs of words and how alike people find them, 0 to 10: ``"wordsim353"`` or ``"simlex999"``.

    From Finkelstein et al. 2002 (353 pairs, relatedness) and Hill et al. 2015 (999 pairs, similarity proper).

    Raises:
        ValueError: there is no such test.
        DataError: gensim, whose test data they are, is not installed.
    """
    if name not in SIMILARITY:
        raise ValueError(f"there is no similarity test {name!r}; there are {', '.join(SIMILARITY)}")
    rows = (line.lower().split("\t") for line in _read(SIMILARITY[name]) if not line.startswith("#"))
    return [(first, second, float(score)) for first, second, score in rows]


def _read(name: str) -> list[str]:
    spec = importlib.util.find_spec("gensim")
    if spec is None or spec.origin is None:
        raise DataError("The analogies come with gensim, which is not installed: run `pip install gensim==4.4.0`.")
    file = Path(spec.origin).parent / "test" / "test_data" / name
    try:
        return [line for line in file.read_text("utf-8").splitlines() if line.strip()]
    except OSError:
        raise DataError(
            f"gensim is installed without {name}: run `pip install --force-reinstall --no-deps gensim==4.4.0`."
        ) from None
