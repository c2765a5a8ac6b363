"""An interpolated Kneser–Ney n-gram, the best language model by counting (Chen and Goodman 1999, §3), by sorting.

Modified: three discounts an order. An n-gram of tokens below V is one 64-bit number in base V, so counting is sorting
and looking up is a binary search. What no order has seen is shared out evenly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def keys(tokens: np.ndarray, order: int, vocabulary: int) -> np.ndarray:
    """Every n-gram of the text as one number: the first token in the highest place."""
    n = len(tokens) - order + 1
    key = np.zeros(n, np.int64)
    for i in range(order):
        key = key * vocabulary + tokens[i : i + n]
    return key


@dataclass(frozen=True)
class _Level:
    """The n-grams of one order.

    Attributes:
        grams: as numbers, sorted.
        kept: how often each occurs, less its discount.
        context: what stands before the last token, sorted.
        total: how often each context occurs.
        left: the share of it that the discounts set free, for the next lower order.
    """

    grams: np.ndarray
    kept: np.ndarray
    context: np.ndarray
    total: np.ndarray
    left: np.ndarray

    @classmethod
    def of(cls, grams: np.ndarray, counts: np.ndarray, vocabulary: int) -> _Level:
        """From n-grams and their counts; the discounts follow from how many occur once, twice, … (eq. 17)."""
        n1, n2, n3, n4 = ((counts == i).sum() for i in (1, 2, 3, 4))
        y = n1 / max(1, n1 + 2 * n2)
        discount = np.array([0, 1 - 2 * y * n2 / max(1, n1), 2 - 3 * y * n3 / max(1, n2), 3 - 4 * y * n4 / max(1, n3)])
        taken = np.clip(discount, 0, [0, 1, 2, 3])[np.minimum(counts, 3)]
        context = grams // vocabulary
        first = np.flatnonzero(np.r_[True, context[1:] != context[:-1]])
        total = np.add.reduceat(counts, first)
        return cls(grams, counts - taken, context[first], total, np.add.reduceat(taken, first) / total)

    def interpolated(self, gram: np.ndarray, vocabulary: int, lower: np.ndarray) -> np.ndarray:
        """The probability of each gram's last token, given `lower`, that of the order below."""
        context = gram // vocabulary
        at = np.minimum(np.searchsorted(self.context, context), len(self.context) - 1)
        place = np.minimum(np.searchsorted(self.grams, gram), len(self.grams) - 1)
        kept = np.where(self.grams[place] == gram, self.kept[place], 0)
        return np.where(self.context[at] == context, kept / self.total[at] + self.left[at] * lower, lower)


class KneserNey:
    """Counts of a text, ready to say how probable each token of another is.

    Args:
        tokens: of the text, whole numbers below `vocabulary`.
        vocabulary: how many there are.
        order: the n of the n-gram.

    Raises:
        ValueError: if such n-grams do not fit into 64 bits.
    """

    def __init__(self, tokens: np.ndarray, vocabulary: int, order: int = 5):
        if vocabulary**order >= 2**63:
            raise ValueError(f"{order}-grams of {vocabulary:,} different tokens do not fit into 64 bits.")
        self.vocabulary, self.order = vocabulary, order
        grams, counts = np.unique(keys(tokens, order, vocabulary), return_counts=True)
        self.levels = [_Level.of(grams, counts, vocabulary)]
        for n in range(order - 1, 0, -1):
            # A lower order counts in how many ways a gram is preceded, not how often it occurs.
            grams, counts = np.unique(grams % vocabulary**n, return_counts=True)
            self.levels.insert(0, _Level.of(grams, counts, vocabulary))

    def probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """Of every token from the `order`-th on, given those before it."""
        grams = keys(tokens, self.order, self.vocabulary)
        share = np.full(len(grams), 1 / self.vocabulary)
        for n, level in enumerate(self.levels, start=1):
            share = level.interpolated(grams % self.vocabulary**n if n < self.order else grams, self.vocabulary, share)
        return share
