"""What is right in one exercise, and which mistakes have names: the data that the engine reads.

In every lab alike, the form of an answer is free where the cells below can be given what they need: lists and arrays
for tensors, other names of parameters, a change of the inputs in place, float32 alone where there is float64. It
passes, a note says so, and the cells below call it with copies and get tensors from it. What is not free is what a cell
below needs and no wrapping can supply: gradients, where the text asks for them; the parameters that the text asks of a
module, biases among them; and tensors that are made where the inputs are, on a CPU or a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from squint.checks import compare
from squint.checks.solution import Solution, Source


class Case:
    """One call of an exercise's function: a label a learner understands, and the arguments.

    Args:
        label: what is special about the call, in a few words: "one query, no mask".
        args: positional arguments; tensors are copied for every call, strides included.
        init: for modules, the constructor's arguments.
        kwargs: keyword arguments, bound to positions by the solution's signature, so a learner may rename parameters.
    """

    def __init__(self, label: str, *args: Any, init: tuple = (), **kwargs: Any) -> None:
        self.label, self.args, self.init, self.kwargs = label, args, init, kwargs

    def __repr__(self) -> str:
        return f"Case({self.label!r})"

    def shapes(self) -> str:
        """The arguments in short: shapes of tensors, other small values as they are."""
        named = [compare.brief(a) for a in self.args] + [f"{k}={compare.brief(v)}" for k, v in self.kwargs.items()]
        return ", ".join(named)


Law = Callable[[Callable, Case], str | None]


Draw = Callable[..., Tensor]
"""Draws normal numbers of some shape."""


def drawn(*makers: Callable[[Draw], Case]) -> Callable[[int], list[Case]]:
    """Cases from their makers, each with random numbers of its own."""
    return lambda seed: [
        make(partial(torch.randn, generator=torch.Generator().manual_seed(100 * seed + i)))
        for i, make in enumerate(makers)
    ]


@dataclass(frozen=True)
class Mistake:
    """A mistake that has a name: an edit of the solution's code, or another algorithm altogether.

    Attributes:
        sentence: names the mistake and says what to do about it.
        right, wrong: the fragment of the solution that is replaced, and what replaces it.
        version: the other algorithm, where it is no edit: a function, class or value.
    """

    sentence: str
    right: str = ""
    wrong: str = ""
    version: Any = None


def edits(table: Mapping[str, Mapping[str, str]], versions: Mapping[str, Any] | None = None) -> tuple[Mistake, ...]:
    """Named mistakes: {right fragment: {wrong fragment: sentence}}, and {sentence: another algorithm} for the rest.

    A right fragment stands exactly once in the solution's code (docstrings do not count). Edits at different places
    combine by themselves: nobody writes pairs.
    """
    edited = [Mistake(says, right, wrong) for right, row in table.items() for wrong, says in row.items()]
    return (*edited, *(Mistake(says, version=version) for says, version in (versions or {}).items()))


@dataclass
class Check:
    """What is right in one exercise, and which mistakes have names. The solution stands in the lab's source.

    Args:
        cases: makes the cases from a seed, the smallest first.
        hints: two steps, a nudge and a plan; the third, the code, is the solution's.
        misconceptions: the mistakes that have names, from `edits`.
        laws: what holds for every right answer: `law(function, case)` is None, or a sentence where it does not hold.
        probe: for values: what is compared is `probe(value, *case.args)`.
        rtol, atol: tolerances, relative and absolute, for floats.
        normal: brings outputs that are equally right to one form before they are compared, such as pairs in any order.
        compare: judges an output by what it does, where equality is the wrong question:
            `compare(got, want, case)` is None or a sentence (one that names a misconception counts as that).
        gradients: whether the gradients of all float inputs are held against the solution's.
        solution: where the right answer stands; `exercises` fills it in.
    """

    cases: Callable[[int], Sequence[Case]]
    hints: tuple[str, str]
    misconceptions: Sequence[Mistake] = ()
    laws: Sequence[Law] = ()
    probe: Callable | None = None
    rtol: float = 1e-4
    atol: float = 1e-5
    normal: Callable[[Any], Any] | None = None
    compare: Callable[[Any, Any, Case], str | None] | None = None
    gradients: bool = False
    solution: Solution = field(default=None, repr=False)  # type: ignore[assignment]
    kept: dict = field(default_factory=dict, repr=False, compare=False)
    """What was computed once and serves every later answer, as long as the process lives."""

    @property
    def kind(self) -> str:
        """What the solution defines: "function", "module" (a class of torch modules) or "value"."""
        return self.solution.kind

    @cached_property
    def reference(self) -> Any:
        """The solution itself: the right function, class or value."""
        return self.solution.make()

    @property
    def steps(self) -> tuple[str, str, str]:
        """The hints with their third step, the solution's code."""
        return (*self.hints, self.solution.shown)


def exercises(lab: str, checks: Mapping[str, Check]) -> dict[str, Check]:
    """The checks of one lab, by exercise; each learns where its solution stands.

    Args:
        lab: the lab's number, "02".
        checks: by the exercise's id. Nothing is read before an answer is judged.
    """
    for name, check in checks.items():
        check.solution = Solution(name, Source.of_lab(lab))
    return dict(checks)
