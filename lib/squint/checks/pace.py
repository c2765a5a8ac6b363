"""Which of two equal functions goes into a training loop: an answer may be right and far too slow for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from squint.device import seconds

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
    first = seconds(lambda: function(*example))
    return first if first > 0.5 else min(first, seconds(lambda: function(*example), times=2))
