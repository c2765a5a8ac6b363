"""A stand-in for a GPU where there is none: an answer's inputs refuse to mix with what it makes on the CPU.

Nothing is moved, and nothing is computed otherwise. Tensors are marked, by their storage, as the inputs' or as made on
the CPU, and every call of torch is looked at on its way in: what torch would refuse on a GPU raises `Mixed`. What was
moved by hand, or cannot be followed, mixes with everything.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

from squint.checks import modules, run, tell
from squint.checks.check import Case, Check

INPUT = ""
"""The mark of what is, or was computed from, the inputs. Any other mark is the code that made a tensor on the CPU."""

_MAKE = {
    *("arange", "linspace", "logspace", "tensor", "as_tensor", "asarray", "eye", "zeros", "ones", "full", "empty"),
    *("rand", "randn", "randint", "randperm", "normal", "tril_indices", "triu_indices"),
}
_MOVE = {"to", "cpu", "cuda", "mps", "type", "type_as", "set_"}
_MIX = {
    *("copy_", "__set__", "expand_as", "view_as", "reshape_as", "broadcast_tensors", "tensor_split"),
    *("_pack_padded_sequence", "grad", "backward", "result_type", "can_cast", "_has_compatible_shallow_copy_type"),
}
_PICK = {"__getitem__", "__setitem__", "index_put", "index_put_"}


class Mixed(RuntimeError):
    """What torch would raise on a GPU, said so that it helps."""


class Elsewhere(TorchFunctionMode):
    """While it is on, tensors that were `given` refuse to mix with those that are made on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        # A weak reference keeps a storage's address from being used again, and not its numbers. But what is left of the
        # dead lies between the free places of the memory, so that none is large enough again: they are let go.
        self._marks: dict[int, tuple[StorageWeakRef, str | None]] = {}
        self._room = 64

    def give(self, value: Any) -> None:
        """Mark all tensors in a value, modules' among them, as the inputs'."""
        for tensor in _tensors(value):
            self._put(tensor, INPUT, anew=True)

    def mark(self, tensor: Tensor) -> str | None:
        """`INPUT`, the code that made it, or None for what mixes with everything."""
        place = _place(tensor)
        return self._marks[place._cdata][1] if place is not None and place._cdata in self._marks else None

    def _put(self, tensor: Tensor, mark: str | None, anew: bool = False) -> None:
        place = _place(tensor)
        if place is not None and (anew or place._cdata not in self._marks):
            self._marks[place._cdata] = StorageWeakRef(place), mark
        if len(self._marks) > self._room:
            self._marks = {address: kept for address, kept in self._marks.items() if not kept[0].expired()}
            self._room = 2 * len(self._marks) + 64

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Look at the tensors that a call brings together, let it happen, and mark what comes of it."""
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "__get__":
            return func(*args, **kwargs)
        asked = [*args[1:], *kwargs.values()]
        casts = asked and all(isinstance(each, torch.dtype | bool) for each in asked)  # as `.to(torch.float32)` does
        moved = kwargs.get("device") is not None or name in _MOVE and not casts
        fresh = name in _MAKE and not (args and isinstance(args[0], Tensor) and "tensor" in name)
        given = [] if moved or fresh else list(_tensors((args, kwargs)))
        if name in _PICK:  # indices may be on the CPU where the table is on a GPU, and not the reverse
            given = [args[0], *(t for t in _tensors(args[1]) if t.ndim and self.mark(t) == INPUT)]
        yours = [t for t in given if self.mark(t) == INPUT]
        made = [t for t in given if self.mark(t) and t.ndim and t.numel()]
        if made and yours and name not in _MIX:
            raise Mixed(_sentence(self, self.mark(made[0]) or ""))
        mark = None if moved or given else _written()
        mark = INPUT if yours else self.mark(made[0]) if made else mark
        value = func(*args, **kwargs)
        if moved and any(value is each for each in args):
            value = value.clone()  # on a GPU it would have a storage of its own
        for tensor in _tensors(value):
            self._put(tensor, mark)
        return value


def at_home(answer: Callable) -> Callable:
    """An answer that says nothing of devices, with what it makes made where its inputs are."""

    @functools.wraps(answer)
    def standing_in(*args: Any, **kwargs: Any) -> Any:
        with next((tensor.device for tensor in _tensors((args, kwargs))), torch.device("cpu")):
            return answer(*args, **kwargs)

    return standing_in


def clash(check: Check, answer: Any, cases: Sequence[Case]) -> str | None:
    """What a GPU would refuse in a right answer, in a sentence; None if nothing is found in two seconds."""
    answer, is_module = inspect.unwrap(answer), check.kind == "module"
    with contextlib.suppress(run.OutOfTime), run.time_limit(2.0, of_work=True):
        for case in map(run.fresh, cases if check.kind != "value" else ()):
            args, kwargs = (case.args, case.kwargs) if is_module else run.positional(check.reference, case)
            with Elsewhere() as mode:
                called = modules.build(answer, case) if is_module else answer
                mode.give((args, kwargs, called))
                error = run.call(called, args, kwargs).error
            if isinstance(error, Mixed):
                return str(error)
    return None


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in nested lists, tuples, dicts and modules."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from (*value.parameters(), *value.buffers())
    elif isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors(each)


def _place(tensor: Tensor) -> Any:
    """Where a tensor's numbers lie; None of one that has no such place, as a sparse one."""
    try:
        return tensor.untyped_storage()
    except (RuntimeError, NotImplementedError):
        return None


def _own_frames() -> list[Any]:
    """The frames of the learner's own code, the innermost first."""
    frames = [frame for frame, _ in traceback.walk_stack(None)]
    return [f for f in frames if not (tell.elsewhere(f.f_code) or f.f_code.co_name == "__torch_function__")]


def _written() -> str:
    """The call in the learner's code that is under way."""
    code = [tell.expression(frame.f_code, frame.f_lasti) for frame in _own_frames()[:1]]
    return "".join(code) or "what you make"


def _sentence(mode: Elsewhere, made: str) -> str:
    held = [item for frame in _own_frames() for item in frame.f_locals.items() if isinstance(item[1], Tensor)]
    yours = next((f"{name}.device" for name, tensor in held if mode.mark(tensor) == INPUT), "the inputs' device")
    how = f"give it device={yours}" if made.startswith("torch.") else f"move it with .to({yours})"
    return f"`{made}` makes a tensor on the CPU; on a GPU it would not mix with yours: {how}."
