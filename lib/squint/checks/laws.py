"""Laws that exercises share: that gradients come back as they should, that a module behaves as it is made."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from squint.checks.check import Case, Law
from squint.checks.modules import NO_GRADIENT, STAY, build, first_tensor, seeded

OTHER_GRADIENT = f"The output is right, but its gradient is another one: part of it was cut off. {STAY}"
NO_NUMBER = (
    "The output is right, but its gradient is not a number: a root or a logarithm of 0 on the way, or 0 · ∞, has none."
)
_CHANGED_TOO_SOON = (
    "The output is right, but a tensor was changed in place (`+=`) that the gradient still needs: write x = x + …, "
    "which makes a new one."
)
_RAISED = {"numpy()": NO_GRADIENT, "inplace operation": _CHANGED_TOO_SOON, "in-place operation": _CHANGED_TOO_SOON}


def same_gradient(reference: Callable) -> Law:
    """A law for functions of tensors: what comes back to the inputs is what the reference sends."""

    def law(function: Callable, case: Case) -> str | None:
        """the right gradient reaches every input"""
        try:
            mine = _gradients(function, case)
        except RuntimeError as error:
            for sign, sentence in _RAISED.items():
                if sign in str(error):
                    return sentence
            raise
        wanted = _gradients(reference, case)
        if all(got is None for got in mine) and any(want is not None for want in wanted):
            return NO_GRADIENT
        for got, want in zip(mine, wanted, strict=True):
            if want is None or (got is None and not want.any()):  # nothing comes back in either
                continue
            if got is not None and not got.isfinite().all():
                return NO_NUMBER
            if got is None or not torch.allclose(got, want, rtol=1e-3, atol=1e-3 * float(want.abs().max()) + 1e-4):
                return OTHER_GRADIENT
        return None

    return law


def _gradients(function: Callable, case: Case) -> tuple[Tensor | None, ...]:
    """What comes back to each real input, if the output's entries count by random numbers that are always the same."""
    leaves = [x.clone().requires_grad_() if _is_real(x) else x for x in case.args]
    output = function(*(x * 1 if _is_real(x) else x for x in leaves), **case.kwargs)
    wanted = [x for x in leaves if _is_real(x)]
    if not (isinstance(output, Tensor) and output.requires_grad):
        return (None,) * len(wanted)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(0)).to(output)
    return torch.autograd.grad((output * weights).sum(), wanted, allow_unused=True)


def _is_real(x: object) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def agrees_in_training(cls: Callable, case: Case) -> str | None:
    """what it returns in training is what it returns in evaluation"""
    if not isinstance(cls, type):
        return None
    module = build(cls, case)
    with torch.no_grad(), seeded():
        quiet = first_tensor(module(*case.args, **case.kwargs))
        loud = [first_tensor(module.train()(*case.args, **case.kwargs)) for _ in range(2)]
    if all(torch.allclose(quiet, one, rtol=1e-4, atol=1e-5) for one in loud):
        return None
    return (
        "In training mode it returns something else than in evaluation, or something else at every call. Is there a "
        "dropout or a batch norm? Leave it out here: the cells below compare outputs."
    )


def starts_alive(cls: Callable, case: Case) -> str | None:
    """as it is made, the module's output depends on what goes in, and a gradient comes back"""
    module = build(cls, case, redraw=False)  # type: ignore[arg-type]
    inputs = [a.requires_grad_() for a in case.args if isinstance(a, Tensor) and a.is_floating_point()]
    output = first_tensor(module(*case.args, **case.kwargs))
    if not bool(torch.isfinite(output).all()):
        return (
            "As it is made, your module returns numbers that are not finite. nn.Parameter(torch.empty(…)) holds "
            "whatever was in memory: draw the numbers with torch.randn, and divide by the root of the width."
        )
    gradients = (
        torch.autograd.grad(output.square().sum(), inputs, allow_unused=True) if output.requires_grad else [None]
    )
    if any(g is None for g in gradients):
        return NO_GRADIENT
    if bool((gradients[0] == 0).all()):  # type: ignore[union-attr]
        return (
            "As it is made, your module returns the same whatever goes in: its parameters start at zero, and would "
            "stay there. Draw them with torch.randn, and divide by the root of the width."
        )
    return None
