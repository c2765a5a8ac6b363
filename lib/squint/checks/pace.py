"""Which of two equal functions goes into a training loop: an answer may be right and far too slow for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def at_pace(yours: F, course: F, *example: Any, most: float = 6.0) -> F:
    """`yours`, unless it takes over `most` times as long as `course` for the example; then `course`, and says so.

    Loops over words are as right as a matrix product, and a training would take them hours.

    Args:
        yours: the learner's function, which passed its check.
        course: one that computes the same.
        example: arguments of the size that training will have.
        most: how many times slower is too slow. Time below a millisecond is never too slow.
    """
    mine, theirs = (_seconds(function, example) for function in (yours, course))
    name = getattr(yours, "__name__", "it")
    if mine <= max(most * theirs, 1e-3):
        print(f"{name}: fast enough.")
        return yours
    factor = mine / theirs
    print(f"{name}: yours is right, and ⟨{factor:.0f}⟩ times as slow as the course's, which steps in.")
    return course


def _seconds(function: Callable[..., Any], example: tuple[Any, ...]) -> float:
    """The best of three calls; of one, where that took long."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        function(*example)
        best = min(best, time.perf_counter() - start)
        if best > 0.5:
            break
    return best
