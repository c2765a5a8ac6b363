"""Comparing two modules by what they compute with the same parameters, whatever their layout.

One layer for queries, keys and values or three, a list of small heads, one raw matrix, interleaved heads: all of these
hold the same numbers in another order. So the two modules' *numbers* are paired, not their layers. A number is known by
its gradient: with every parameter at one value, numbers that play different parts have different gradients. Numbers
that still look alike share a colour, each colour gets a value of its own, and the gradients are taken anew, until all
colours are told apart; where two numbers are truly interchangeable, as two heads are, one is singled out by hand. (This
is colour refinement, as used for telling graphs apart: Weisfeiler and Leman 1968.)
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from squint.checks.check import Case

PATIENCE = 600
"""Rounds of gradients that one search may take; a right answer of the course's sizes needs fewer than a hundred."""

WRITTEN = 0.5
"""The size of the numbers that parameters are given, with a sign at random."""


class OutOfPatience(Exception):
    """The search was cut short: nothing is known about what it was looking for."""


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """Torch's chance begins at 0 inside, and is outside as it was. (`torch.manual_seed` would ask for every device.)"""
    before = torch.default_generator.get_state()
    torch.default_generator.manual_seed(0)
    try:
        yield
    finally:
        torch.default_generator.set_state(before)


def build(cls: type, case: Case, redraw: bool = True) -> Any:
    """A module made as the case asks, its parameters drawn at random; or the exception that making it raised.

    The draw replaces the module's own initialisation: zeros would hide a parameter that is used in the wrong place.
    """
    try:
        with seeded():
            module = cls(*case.init)
            generator = torch.Generator().manual_seed(1)
            example = next((a for a in case.args if isinstance(a, Tensor) and a.is_floating_point()), None)
            if example is not None:
                module = module.to(device=example.device, dtype=example.dtype)
            with torch.no_grad():
                for parameter in module.parameters() if redraw else ():
                    draw = torch.randn(parameter.shape, generator=generator) * WRITTEN
                    parameter.copy_(draw.to(parameter))
        return module.eval()
    except (KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        return error


def count_message(module: nn.Module, right: type, case: Case) -> str | None:
    """A sentence if the module holds another number of parameters than the right class, else None."""
    mine, wanted = size(module), size(build(right, case))
    if mine == wanted:
        return None
    hiding = [name for name, part in vars(module).items() if name[0] != "_" and _hides_modules(part)]
    if hiding:
        return (
            f"`self.{hiding[0]}` is a plain list, and torch does not find the layers in it: they would not be trained. "
            "Use nn.ModuleList."
        )
    if mine == 0:
        return (
            "Your module has no parameters: make them in __init__ (nn.Linear, nn.Parameter) and keep them on self. A "
            "plain list hides them: use nn.ModuleList."
        )
    if any(isinstance(part, nn.Linear) and part.bias is None for part in module.modules()) and mine < wanted:
        return "Some of your layers have no bias, and the text asks for one in each: leave bias=False out."
    return (
        f"With {case.init}, your module holds {mine} numbers in its parameters, expected {wanted}. "
        "Look for a layer or a bias that is missing, of another size, or where none belongs."
    )


def _hides_modules(part: Any) -> bool:
    """Whether something is a list, a tuple or a dictionary with modules in it."""
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ()
    return any(isinstance(each, nn.Module) for each in parts)


def gradient_message(module: nn.Module, case: Case) -> str | None:
    """A sentence if a parameter changes the output and gets no gradient, or changes nothing at all; else None."""
    before = _output(module, case)
    if before is None or not before.ndim:
        return None
    # A key's bias has no effect, and rightly so: only what is larger than a bias is looked at.
    matrices = [(name, p) for name, p in module.named_parameters() if p.numel() > before.shape[-1]]
    if not matrices:
        return None
    gradients: Sequence[Tensor | None] = [None] * len(matrices)
    with contextlib.suppress(RuntimeError):
        gradients = torch.autograd.grad(before.sum(), [p for _, p in matrices], allow_unused=True)
    for (name, parameter), gradient in zip(matrices, gradients, strict=True):
        used = _has_effect(parameter, module, case, before)
        if used and gradient is None:
            return f"The output depends on `{name}`, but no gradient comes back to it, so it could never learn. {STAY}"
        if not used:
            return f"`{name}` is made in __init__ and has no effect: whatever it holds, `forward` returns the same."
    return None


STAY = "Stay in torch: without numpy, .detach(), .data, .item(), .tolist() or torch.no_grad()."
"""What to do where a gradient gets lost."""

NO_GRADIENT = f"The output is right, but no gradient comes back to the inputs, and a cell further down needs it. {STAY}"
"""Said of a function or a module that breaks the chain."""


def pour(source: nn.Module, target: nn.Module, cases: Sequence[Case]) -> bool:
    """Give `target` the numbers of `source` in an order that makes both compute the same; False if there is none.

    Raises:
        OutOfPatience: if the search was cut short.
    """
    mine, theirs = list(source.parameters()), list(target.parameters())
    if size(source) != size(target) or any(p.numel() == 0 for p in mine) or not mine:
        return False
    pairs = _pair(_Probe(source, mine, cases), _Probe(target, theirs, cases))
    if pairs is None:
        return False
    with torch.no_grad():
        numbers = torch.nn.utils.parameters_to_vector(mine)
        poured = torch.empty_like(numbers)
        poured[pairs[1].argsort(stable=True)] = numbers[pairs[0].argsort(stable=True)]
        torch.nn.utils.vector_to_parameters(poured, theirs)
    return True


def probe(module: nn.Module, case: Case) -> Tensor | None:
    """A number that two modules have in common if they compute alike, whatever their layout; None if it cannot be had.

    Parameters get one value, then one for each colour that gradients tell apart, twice; so their order does not matter.
    """
    if size(module) == 0:
        return None
    asked = _Probe(module, list(module.parameters()), [case])
    colours, found = torch.zeros(1, asked.numbers, dtype=torch.long), None
    for this_round in range(3):
        found = asked(_values(int(colours.max()) + 1, this_round)[colours[0]])
        if found is None:
            return None
        colours = _split(colours, found[1][None])
    return found[0] if found else None


def size(module: nn.Module) -> int:
    """How many numbers a module's parameters hold."""
    return sum(p.numel() for p in module.parameters())


class _Probe:
    """A copy of a module in double precision, asked for its output and its gradients with chosen numbers inside."""

    def __init__(self, module: nn.Module, parameters: list[nn.Parameter], cases: Sequence[Case]) -> None:
        names = {id(p): name for name, p in module.named_parameters()}
        # Metal has no double precision, and the processor has.
        on_metal = any(p.device.type == "mps" for p in parameters)
        self.device = torch.device("cpu") if on_metal else parameters[0].device
        self.module = copy.deepcopy(module).to(self.device).double()
        mine = dict(self.module.named_parameters())
        self.parameters = [mine[names[id(p)]] for p in parameters]
        self.cases = [[self._moved(a) for a in case.args] for case in cases]
        self.kwargs = [{k: self._moved(v) for k, v in case.kwargs.items()} for case in cases]
        self.numbers = sum(p.numel() for p in self.parameters)
        self.alive = torch.zeros(self.numbers, dtype=torch.bool)

    def _moved(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        value = value.to(self.device)
        return value.double() if value.is_floating_point() else value

    def __call__(self, values: Tensor) -> tuple[Tensor, Tensor] | None:
        """A weighted sum of everything that the module returns, and its gradient; None where it cannot be had."""
        total = torch.zeros((), dtype=torch.float64)
        random = torch.Generator().manual_seed(2)
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(values.to(self.device), self.parameters)
        try:
            for args, kwargs in zip(self.cases, self.kwargs, strict=True):
                output = first_tensor(self.module(*args, **kwargs))
                total = total + (output.cpu() * torch.randn(output.shape, generator=random, dtype=torch.float64)).sum()
            gradients = torch.autograd.grad(total, self.parameters, allow_unused=True)
        except Exception:
            return None
        parts = [torch.zeros_like(p) if g is None else g for p, g in zip(self.parameters, gradients, strict=True)]
        gradient = torch.cat([g.flatten() for g in parts]).cpu()
        if not (bool(torch.isfinite(total)) and bool(torch.isfinite(gradient).all())):
            return None
        self.alive |= gradient.abs() > 1e-12 * gradient.abs().max()
        return total.detach(), gradient


def _pair(mine: _Probe, theirs: _Probe) -> Tensor | None:
    """A colour for each number of both modules, [2, numbers], each colour once in both; None if there is no such."""
    rounds = itertools.count()

    def refine(colours: Tensor) -> Tensor | None:
        """Tell apart all colours that gradients tell apart; None where the modules turn out to differ."""
        while True:
            this_round = next(rounds)
            if this_round >= PATIENCE:
                raise OutOfPatience
            values = _values(int(colours.max()) + 1, this_round)
            got, want = mine(values[colours[0]]), theirs(values[colours[1]])
            if got is None or want is None or not torch.allclose(got[0], want[0], rtol=1e-6, atol=1e-8):
                return None
            finer = _split(colours, torch.stack([got[1], want[1]]))
            if not torch.equal(finer[0].sort().values, finer[1].sort().values):
                return None
            if finer.max() == colours.max():
                return finer
            colours = finer

    def search(colours: Tensor) -> Tensor | None:
        refined = refine(colours)
        if refined is None:
            return None
        counts = torch.bincount(refined[0], weights=mine.alive.double())
        if not bool((counts > 1).any()):
            return refined
        # The smallest group first: with two of a kind, at most two ways are tried.
        tied = int(torch.where(counts > 1, counts, torch.inf).argmin())
        one = int((refined[0] == tied).nonzero()[0])
        for other in (refined[1] == tied).nonzero().flatten().tolist():
            singled_out = refined.clone()
            singled_out[0, one] = singled_out[1, other] = int(refined.max()) + 1
            found = search(singled_out)
            if found is not None:
                return found
        return None

    return search(torch.zeros(2, mine.numbers, dtype=torch.long))


def _values(colours: int, this_round: int) -> Tensor:
    """A number for each colour: none is near zero, where different parts would look alike."""
    random = torch.Generator().manual_seed(this_round)
    size = WRITTEN * (0.6 + 0.8 * torch.rand(colours, generator=random, dtype=torch.float64))
    return size * torch.where(torch.rand(colours, generator=random) < 0.5, -1.0, 1.0)


def _split(colours: Tensor, gradients: Tensor) -> Tensor:
    """Colours that are equal where colour and gradient are. Gradients that rounding could part count as equal."""
    ordered, order = gradients.flatten().sort()
    gap = 1e-7 * gradients.abs().max() + 1e-300
    group = torch.zeros(ordered.numel(), dtype=torch.long)
    group[1:] = (ordered.diff() > gap).cumsum(dim=0)
    groups = torch.empty_like(group)
    groups[order] = group
    _, finer = torch.stack([colours.flatten(), groups]).unique(dim=1, return_inverse=True)
    return finer.view_as(colours)


def _has_effect(parameter: nn.Parameter, module: nn.Module, case: Case, before: Tensor) -> bool:
    """Whether another value of a parameter changes the output."""
    kept = parameter.detach().clone()
    with torch.no_grad():
        parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)).to(parameter))
        after = _output(module, case)
        parameter.copy_(kept)
    return after is None or after.shape != before.shape or not torch.allclose(after, before, rtol=1e-4, atol=1e-5)


def _output(module: nn.Module, case: Case) -> Tensor | None:
    try:
        return first_tensor(module(*case.args, **case.kwargs))
    except Exception:
        return None


def first_tensor(value: Any) -> Tensor:
    """The first tensor that a module returns."""
    value = value[0] if isinstance(value, tuple | list) and value else value
    if not isinstance(value, Tensor):
        raise TypeError(type(value).__name__)
    return value
