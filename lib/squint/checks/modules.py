"""Comparing two modules by what they compute with the same parameters, whatever the parameters are called.

The parameters of one module are poured into the other in every arrangement that fits: parameters of one sub-module stay
together, same shapes may swap, and a raw matrix may stand transposed. One arrangement that gives the same outputs is
enough: the learner's names, order of creation and layout do not matter.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from squint.checks.engine import Case

MOST = 20_000
"""Arrangements tried at the most."""

Slot = tuple[Tensor, bool]
"""A parameter, and whether it may stand transposed (a raw matrix may; a Linear's weight has one layout)."""


def build(cls: type, case: Case) -> Any:
    """A module made as the case asks, its parameters drawn at random; or the exception that making it raised.

    The draw replaces the module's own initialisation: zeros would hide a parameter that is used in the wrong place.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            module = cls(*case.init)
            generator = torch.Generator().manual_seed(1)
            example = next((a for a in case.args if isinstance(a, Tensor) and a.is_floating_point()), None)
            if example is not None:
                module = module.to(device=example.device, dtype=example.dtype)
            with torch.no_grad():
                for parameter in module.parameters():
                    draw = torch.randn(parameter.shape, generator=generator) * 0.5
                    parameter.copy_(draw.to(parameter))
        return module.eval()
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        return error


def count_message(module: nn.Module, classes: tuple[type, ...], case: Case) -> str | None:
    """A sentence if the module holds another number of parameters than each of the right classes, else None."""
    mine = sum(p.numel() for p in module.parameters())
    right = [sum(p.numel() for p in build(c, case).parameters()) for c in classes]
    if mine in right:
        return None
    if mine == 0:
        return "Your module has no parameters: make them in __init__ (nn.Linear, nn.Parameter) and keep them on self."
    return (
        f"With {case.init}, your module holds {mine} numbers in its parameters, expected {right[0]}. "
        "Look for a layer that is missing, of another size, or with a bias where none belongs."
    )


def arrangements(source: nn.Module, target: nn.Module, case: Case) -> Iterator[None]:
    """Pour `source`'s parameters into `target`, once for every arrangement that fits; yields after each.

    Where both are laid out alike, whole sub-modules change places. Else each parameter moves by itself, the matrices
    first: with all vectors at one value, which of them goes where makes no difference, so matrices that do not give the
    same output on `case` then are passed over.
    """
    mine, theirs = _units(source), _units(target)
    if sorted(sorted(map(_shape, unit)) for unit in mine) == sorted(sorted(map(_shape, unit)) for unit in theirs):
        for pairs in itertools.islice(_assign(mine, theirs), MOST):
            _pour(pairs)
            yield
        return
    plain = _with_flat_vectors(source)
    wanted = _output(plain, case)
    for matrices in itertools.islice(_assign(_alone(_units(plain), 2), _alone(theirs, 2)), MOST):
        _with_flat_vectors(target, copy_first=False)
        _pour(matrices)
        got = _output(target, case)
        if got.shape != wanted.shape or not torch.allclose(got, wanted, rtol=1e-3, atol=1e-4):
            continue
        for vectors in itertools.islice(_assign(_alone(mine, 1), _alone(theirs, 1)), MOST):
            _pour(vectors)
            yield


def _pour(pairs: list[tuple[Tensor, Tensor, bool]]) -> None:
    with torch.no_grad():
        for mine, theirs, transposed in pairs:
            theirs.copy_(mine.mT if transposed else mine)


def _with_flat_vectors(module: nn.Module, copy_first: bool = True) -> nn.Module:
    """The module, or a copy of it, with every parameter of fewer than two axes set to one value."""
    module = copy.deepcopy(module) if copy_first else module
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim < 2:
                parameter.fill_(0.3)
    return module


def _output(module: nn.Module, case: Case) -> Tensor:
    """The first tensor that the module returns; NaN where it raises or returns none, which equals nothing."""
    try:
        with torch.no_grad():
            value = module(*case.args, **case.kwargs)
    except Exception:
        value = None
    value = value[0] if isinstance(value, tuple | list) and value else value
    return value.double() if isinstance(value, Tensor) else torch.tensor(torch.nan, dtype=torch.float64)


def _alone(units: list[list[Slot]], axes: int) -> list[list[Slot]]:
    """Each parameter as a unit of its own: the matrices (`axes` = 2 and more), or the vectors (1 and fewer)."""
    return [[slot] for unit in units for slot in unit if (slot[0].ndim >= 2) == (axes >= 2)]


def _units(module: nn.Module) -> list[list[Slot]]:
    """Parameters, grouped by the sub-module that owns them."""
    units = []
    for owner in module.modules():
        raw = not isinstance(owner, nn.Linear)
        slots: list[Slot] = [(p, raw and p.ndim == 2) for p in owner.parameters(recurse=False)]
        if slots:
            units.append(slots)
    return units


def _shape(slot: Slot) -> tuple[int, ...]:
    return tuple(sorted(slot[0].shape))


def _assign(mine: list[list[Slot]], theirs: list[list[Slot]]) -> Iterator[list[tuple[Tensor, Tensor, bool]]]:
    if not theirs:
        if not mine:
            yield []
        return
    first, rest = theirs[0], theirs[1:]
    for i, unit in enumerate(mine):
        for pairs in _pair_up(unit, first):
            for others in _assign(mine[:i] + mine[i + 1 :], rest):
                yield pairs + others


def _pair_up(mine: list[Slot], theirs: list[Slot]) -> Iterator[list[tuple[Tensor, Tensor, bool]]]:
    if len(mine) != len(theirs):
        return
    for order in itertools.permutations(mine):
        choices = [_fits(a, b) for a, b in zip(order, theirs, strict=True)]
        yield from ([*pairs] for pairs in itertools.product(*choices))


def _fits(mine: Slot, theirs: Slot) -> list[tuple[Tensor, Tensor, bool]]:
    (a, a_raw), (b, b_raw) = mine, theirs
    fits = [(a, b, False)] if a.shape == b.shape else []
    if a.ndim == 2 and (a_raw or b_raw) and a.mT.shape == b.shape:
        fits.append((a, b, True))
    return fits
