"""Comparing an answer's output with the right one, and saying in a sentence how they differ.

Leniency is about form only: a number for a one-element tensor, a list for a tuple, float64 for float32, a numpy array
for a tensor. Values are held to the check's tolerance.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def brief(value: Any) -> str:
    """A value in a few characters: a tensor's shape, a collection's size, a short repr."""
    if isinstance(value, Tensor):
        kind = {torch.bool: "bool ", torch.int64: "int ", torch.float64: "float64 "}.get(value.dtype, "")
        return f"{kind}{tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"array {value.shape}"
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    if len(text) <= 40:
        return text
    return f"{type(value).__name__} of {len(value)}" if hasattr(value, "__len__") else text[:40]


def has_ellipsis(value: Any) -> bool:
    """Whether `...`, the mark of what is left out, stands in a value."""
    if value is Ellipsis:
        return True
    if isinstance(value, Mapping):
        return any(has_ellipsis(v) for v in value.values())
    return isinstance(value, list | tuple) and any(has_ellipsis(v) for v in value)


def difference(
    got: Any, want: Any, rtol: float, atol: float, explain: bool = True, diagnose: bool = True
) -> str | None:
    """None if `got` is as good as `want`, else a sentence or two on how it differs: form first, then values.

    With `explain` off the sentence is only "differs", found faster; with `diagnose` off it shows the first difference
    and draws no conclusion ("twice as large") from all of them.
    """
    wrong_form = structure(got, want)
    if wrong_form:
        return wrong_form
    if isinstance(want, Tensor):
        return _values(_tensor(got, want), want, rtol, atol, explain, diagnose)
    if isinstance(want, bool | str | None) or not isinstance(want, numbers.Number | Mapping | list | tuple):
        return None if _plain(got) == want else f"got {brief(_plain(got))}, expected {brief(want)}."
    if isinstance(want, numbers.Number):
        return _values(_tensor(got, torch.tensor(want)), torch.tensor(want), rtol, atol, explain, diagnose)
    pairs = _pairs(got, want)
    for key, mine, theirs in pairs:
        inner = difference(mine, theirs, rtol, atol, explain, diagnose)
        if inner and len(pairs) > 1 and _short(want) and _short(got):
            return f"got {_short(got)}, expected {_short(want)}."
        if inner and len(pairs) > 1:
            deeper = inner.startswith("in part [")
            return f"in part [{key!r}]{inner.removeprefix('in part ') if deeper else f', {inner}'}"
        if inner:
            return inner
    return None


def structure(got: Any, want: Any) -> str | None:
    """None if `got` has the type, length, shape and kind of numbers of `want`, else a sentence."""
    if isinstance(want, Tensor) or (isinstance(want, numbers.Number) and not isinstance(want, bool)):
        return _tensor_structure(got, want if isinstance(want, Tensor) else torch.tensor(want))
    if isinstance(want, Mapping):
        if not isinstance(got, Mapping):
            return f"expected a dict, got {_a(got)}."
        if set(got) != set(want):
            missing, extra = set(want) - set(got), set(got) - set(want)
            what = f"{sorted(missing, key=repr)[0]!r} is missing" if missing else ""
            what += " and " if missing and extra else ""
            what += f"{sorted(extra, key=repr)[0]!r} should not be there" if extra else ""
            return f"the dict's keys differ: {what}."
    elif isinstance(want, list | tuple):
        if isinstance(got, Tensor | np.ndarray) and got.ndim and (len(got) == len(want) or _short(want)):
            got = list(got)
        if not isinstance(got, Sequence) or isinstance(got, str):
            return f"expected {len(want)} things in a {type(want).__name__}, got {_a(got)}."
        if len(got) != len(want):
            if _short(want) and _short(got):
                return f"got {_short(got)}, expected {_short(want)}."
            return f"expected {len(want)} items, got {len(got)}."
    elif isinstance(want, str) and not isinstance(got, str):
        return f"expected a string, got {_a(got)}."
    elif isinstance(want, bool) and not isinstance(_plain(got), bool):
        return f"expected True or False, got {_a(got)}."
    return None


def _short(value: Any) -> str:
    """A list of a few whole numbers, written out; nothing for anything else."""
    value = value.tolist() if isinstance(value, Tensor | np.ndarray) else value
    if not isinstance(value, list | tuple) or len(value) > 16:
        return ""
    plain = [_plain(v) for v in value]
    return str(plain) if all(isinstance(v, int) for v in plain) else ""


def form(value: Any) -> str:
    """What kind of thing a value is, in a few words."""
    if isinstance(value, Tensor):
        return f"a tensor of {str(value.dtype).removeprefix('torch.')}"
    return f"a numpy array of {value.dtype}" if isinstance(value, np.ndarray) else _a(value)


def same_kind(got: Any, want: Any) -> bool:
    """Whether `got` is a tensor where `want` is one, both of whole numbers or neither."""
    if isinstance(got, Tensor) and isinstance(want, Tensor):
        return got.is_floating_point() == want.is_floating_point()
    return not isinstance(want, Tensor)


def same_form(got: Any, want: Any) -> bool:
    """Whether `got` can stand where `want` stands: for a tensor, a tensor of its kind of numbers, shape and device."""
    if isinstance(want, Tensor):
        alike = [(x.dtype, x.shape, x.device) for x in (got, want) if isinstance(x, Tensor)]
        return len(alike) == 2 and alike[0] == alike[1]
    return True


def shaped(got: Any, want: Any, inputs: Sequence[Any] = ()) -> Any:
    """`got` in the form of `want`: a list or an array becomes a tensor; floats take the precision of the `inputs`."""
    if not isinstance(want, Tensor):
        return got
    floats = [x.dtype for x in inputs if isinstance(x, Tensor) and x.is_floating_point()]
    dtype = floats[0] if floats and want.is_floating_point() else want.dtype
    if isinstance(got, list | tuple) and got and all(isinstance(each, Tensor) for each in got):
        got = torch.stack(tuple(got))  # which keeps their gradients
    tensor = got if isinstance(got, Tensor) else torch.as_tensor(np.asarray(_numbers(got)))
    tensor = tensor.reshape(()) if want.ndim == 0 and tensor.numel() == 1 else tensor
    tensor = tensor.reshape(0, *want.shape[1:]) if isinstance(got, list | tuple) and not got else tensor
    return tensor.to(next((x.device for x in inputs if isinstance(x, Tensor)), want.device), dtype)


def _tensor_structure(got: Any, want: Tensor) -> str | None:
    try:
        mine = _tensor(got, want)
    except (TypeError, ValueError, RuntimeError):
        what = f"a tensor of shape {tuple(want.shape)}" if want.ndim else "a number"
        return f"expected {what}, got {_a(got)}."
    if mine.shape != want.shape:
        sentence = f"shape {tuple(mine.shape)}, expected {tuple(want.shape)}."
        if mine.ndim >= 2 and mine.mT.shape == want.shape:
            return f"{sentence} The last two axes are swapped."
        if (
            mine.numel() == want.numel()
            and mine.ndim != want.ndim
            and min(mine.ndim, want.ndim) > 0
            and _thin(mine, want)
        ):
            return f"{sentence} Axes of size one differ: look at keepdim, squeeze and unsqueeze."
        return sentence
    if want.dtype == torch.bool and mine.dtype != torch.bool:
        return f"expected True and False (torch.bool), got {str(mine.dtype).removeprefix('torch.')}."
    if want.dtype != torch.bool and mine.dtype == torch.bool:
        return "expected numbers, got True and False (torch.bool)."
    if mine.is_complex():
        return "expected real numbers, got complex ones."
    if mine.dtype in (torch.float16, torch.bfloat16) and want.dtype not in (torch.float16, torch.bfloat16):
        return f"{str(mine.dtype).removeprefix('torch.')} is too coarse here; compute in the precision of the inputs."
    return None


def _thin(mine: Tensor, want: Tensor) -> bool:
    """Whether two shapes are one but for axes of size one, and hold more than one number."""
    return mine.squeeze().shape == want.squeeze().shape and mine.squeeze().ndim > 1


def _a(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if value is None:
        return "None"
    return "a string" if isinstance(value, str) else f"a {type(value).__name__}"


def _plain(value: Any) -> Any:
    """A one-element tensor or a numpy scalar as the Python value that it holds; anything else as it is."""
    if isinstance(value, Tensor):
        return value.item() if value.numel() == 1 else value
    return value.item() if isinstance(value, np.generic) else value


def _tensor(value: Any, like: Tensor) -> Tensor:
    tensor = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(_numbers(value)))
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    if isinstance(value, list | tuple) and not value and not like.numel():
        return tensor.reshape(like.shape)  # a list of nothing has no other axes
    return tensor.reshape(()) if like.ndim == 0 and tensor.numel() == 1 else tensor


def _numbers(value: Any) -> Any:
    """Lists of tensors become lists of numbers, so that numpy can read them; strings and objects are refused."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, list | tuple):
        return [_numbers(v) for v in value]
    if isinstance(value, numbers.Number | np.generic | np.ndarray):
        return value
    raise TypeError(type(value).__name__)


def _pairs(got: Any, want: Any) -> list[tuple[Any, Any, Any]]:
    if isinstance(want, Mapping):
        return [(key, got[key], want[key]) for key in want]
    return [(i, mine, theirs) for i, (mine, theirs) in enumerate(zip(got, want, strict=True))]


def _values(got: Tensor, want: Tensor, rtol: float, atol: float, explain: bool, diagnose: bool) -> str | None:
    mine, theirs = got.detach().cpu(), want.detach().cpu()
    if not (mine.is_floating_point() or theirs.is_floating_point()):
        same = mine == theirs
        return None if bool(same.all()) else _first_difference(mine, theirs, same)
    mine, theirs = mine.double(), theirs.double()
    same = torch.isclose(mine, theirs, rtol=rtol, atol=atol, equal_nan=True)
    if bool(same.all()):
        return None
    if not explain:
        return "differs"
    return (_diagnosis(mine, theirs, rtol, atol) if diagnose else None) or _first_difference(mine, theirs, same)


def _first_difference(mine: Tensor, theirs: Tensor, same: Tensor) -> str:
    if mine.ndim == 0:
        return _got_expected(mine, theirs)
    wrong = (~same).nonzero()
    at = tuple(wrong[0].tolist())
    first = _got_expected(mine[at], theirs[at])
    return f"{len(wrong)} of {same.numel()} entries differ, the first at {list(at)}: {first}"


def _got_expected(mine: Tensor, theirs: Tensor) -> str:
    """Two numbers that differ, with as many digits as it takes to see it."""
    one, other = mine.item(), theirs.item()
    if not (isinstance(one, float) and isinstance(other, float)):
        return f"got {one}, expected {other}."
    digits = next((n for n in range(4, 17) if f"{one:.{n}g}" != f"{other:.{n}g}"), 17)
    return f"got {one:.{digits}g}, expected {other:.{digits}g}."


def _diagnosis(mine: Tensor, theirs: Tensor, rtol: float, atol: float) -> str | None:
    """What kind of difference it is, where a simple kind fits all entries."""

    def close(a: Tensor, b: Tensor) -> bool:
        return a.shape == b.shape and torch.allclose(a, b, rtol=rtol, atol=atol)

    if mine.isnan().any() and not theirs.isnan().any():
        return (
            "some entries are NaN (not a number). It usually comes from 0/0, log 0, ∞−∞, or the softmax of a row "
            "that is −∞ everywhere."
        )
    if mine.isinf().any() and not theirs.isinf().any():
        return "some entries are infinite. It usually comes from a division by zero, log 0 or exp of a large number."
    if not theirs.isfinite().all() or theirs.abs().max() < 10 * atol:
        return None
    if close(mine, -theirs):
        return "every entry has the wrong sign."
    factor = float((mine * theirs).sum() / (theirs * theirs).sum())
    if mine.numel() > 1 and abs(factor) > 1e-6 and close(mine, factor * theirs):
        return f"every entry is {factor:.4g} times what it should be."
    offset = float((mine - theirs).mean())
    if mine.numel() > 1 and close(mine, theirs + offset):
        return f"every entry is {offset:+.4g} away from what it should be."
    if theirs.ndim >= 2 and close(mine, theirs.mT):
        return "the last two axes are swapped: it is the transpose of what it should be."
    for axis in range(theirs.ndim):
        if theirs.shape[axis] > 1:
            if close(mine, theirs.flip(axis)):
                return f"the entries are in reverse order along axis {axis}."
            if theirs.shape[axis] > 2 and any(close(mine, theirs.roll(step, axis)) for step in (1, -1)):
                return f"the entries are shifted by one along axis {axis}."
    if theirs.numel() > 2 and close(mine.flatten().sort().values, theirs.flatten().sort().values):
        return "the numbers are right, and in the wrong places."
    return None
