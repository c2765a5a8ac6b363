"""Stand-ins for networks that checks hand to an answer: they refuse what a real network could not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, tensor

from squint.checks.check import Case, Law
from squint.checks.laws import same_gradient
from squint.checks.modules import NO_GRADIENT


def per_thing(amount: Tensor, like: Tensor) -> Tensor:
    """Amounts [batch], shaped to multiply things [batch, …]."""
    return amount.reshape(-1, *[1] * (like.ndim - 1))


def asked(x: Tensor, **given: Any) -> None:
    """Refuse what a real network could not read.

    Raises:
        ValueError: something is not given for each thing: [batch], or [batch, dim] for a `condition`.
    """
    for name, what in given.items():
        axes, wanted = (2, "[batch, dim]") if name == "condition" else (1, "[batch]")
        if not isinstance(what, Tensor) or what.ndim != axes or len(what) != len(x):
            got = tuple(what.shape) if isinstance(what, Tensor) else "no tensor"
            raise ValueError(f"the network wants one {name} for each thing, {wanted}, here of {len(x)}, and got {got}")


def drift(x: Tensor, time: Tensor) -> Tensor:
    """A network whose answer depends on place and time."""
    asked(x, time=time)
    return 0.4 * x + per_thing(1 + 2 * time**2, x)


def constant(x: Tensor, time: Tensor) -> Tensor:
    """A network that says the same everywhere and always."""
    asked(x, time=time)
    return 0 * x + 0.5


def trains_the_network(right: Callable[..., Tensor]) -> Law:
    """A law for losses that take a network first: a weight of the network gets the gradient that `right` sends."""

    def law(loss: Callable[..., Tensor], case: Case) -> str | None:
        """the right gradient reaches the network's weights"""
        broken = same_gradient(_of_weight(right, case))(_of_weight(loss, case), Case(case.label, tensor(1.0)))
        if broken == NO_GRADIENT:
            return "The number is right, but no gradient comes back from it, and without one no network can be trained."
        return broken

    return law


def _of_weight(loss: Callable[..., Tensor], case: Case) -> Callable[[Tensor], Tensor]:
    network, *things = case.args

    def of_weight(weight: Tensor) -> Tensor:
        return loss(lambda *seen: weight * network(*seen), *things)

    return of_weight
