"""A second device for machines that have one only: tensors that say they are elsewhere, and will not mix.

Run: python tests/fake_device.py 01         (every cell of that lab's solution, on the second device, profile `smoke`)
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from squint import train
from squint.checks.elsewhere import INPUT, Elsewhere

THERE = torch.device("mps")
"""Whose name the second device has: one that no machine of ours has, and that knows no float64."""

ON_THE_CPU = "what was moved to the CPU"


def _here(value: Any) -> Any:
    return torch.device("cpu") if _is_there(value) else value


def _is_there(value: Any) -> bool:
    return isinstance(value, str | torch.device) and str(value).split(":")[0] == THERE.type


class SecondDevice(Elsewhere):
    """While it is on, `.to("mps")` and `device="mps"` work, and what is there is there for good.

    Unlike a check's stand-in it knows of every tensor where it is: what is moved is known as well.
    """

    def moved_here(self, tensor: torch.Tensor) -> None:
        """Called with what is copied to the CPU: whoever does so waits."""

    def is_there(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is on the second device."""
        return self.mark(tensor) == INPUT

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        there = [a for a in args if isinstance(a, torch.Tensor) and self.mark(a) == INPUT]
        if name == "__get__":
            value = func(*args, **kwargs)
            return THERE if isinstance(value, torch.device) and there else value
        wanted = [*args, *kwargs.values()]
        if (name == "double" or torch.float64 in [w for w in wanted if isinstance(w, torch.dtype)]) and (
            there or any(map(_is_there, wanted))
        ):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        if name in ("numpy", "__array__") and there:
            raise TypeError("can't convert mps:0 device type tensor to numpy. Use Tensor.cpu() first.")
        if func is torch.device or name == "_parse_to":
            return func(*args, **kwargs)
        to_there = any(map(_is_there, wanted)) or (
            name in ("to", "type_as") and len(there) > (args[0] is there[0] if there else 0)
        )
        to_here = (
            name == "cpu" or name == "to" and any(str(w) == "cpu" for w in wanted if isinstance(w, str | torch.device))
        )
        if to_here and there:
            self.moved_here(there[0])
        value = super().__torch_function__(
            func, types, tuple(map(_here, args)), {k: _here(v) for k, v in kwargs.items()}
        )
        if isinstance(value, torch.Tensor) and (to_there or to_here or kwargs.get("device") is not None):
            self._put(value, INPUT if to_there else ON_THE_CPU, anew=True)
        if name == "_pack_padded_sequence":  # whose second part stays on the CPU, and may
            self._put(value[1], None, anew=True)
        return value


class NoWaits(TorchDispatchMode):
    """While it is on, no operation may ask for a number that a GPU has not yet computed."""

    WAITS = ("_local_scalar_dense", "bincount", "nonzero", "masked_select", "unique", "_unique2", "unique_consecutive",
             "equal", "is_nonzero", "item", "histc", "repeat_interleave")  # fmt: skip

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Refuse what waits; an index by a mask looks for the mask's places, which waits as well."""
        name = func.overloadpacket.__name__
        index = args[1] if name in ("index", "index_put", "index_put_") else ()
        if name in self.WAITS or any(getattr(i, "dtype", None) in (torch.bool, torch.uint8) for i in index):
            raise RuntimeError(f"{name} waits for the device")
        return func(*args, **(kwargs or {}))


class _Anywhere(type):
    """The class of generators that can be made for the second device, too."""

    real = torch.Generator

    def __call__(cls, device: Any = "cpu") -> torch.Generator:
        return cls.real(_here(device))

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.real)


class _Generator(metaclass=_Anywhere):
    pass


def second_device(monkeypatch: Any) -> SecondDevice:
    """The mode, with what torch makes without asking it taught about the device."""
    monkeypatch.setattr(torch, "Generator", _Generator)
    monkeypatch.setattr(train, "_accelerator", _accelerator)
    monkeypatch.setenv("SQUINT_DEVICE", THERE.type)
    return SecondDevice()


def _accelerator() -> Any:
    from accelerate import Accelerator

    found = Accelerator(cpu=True)
    found.state.device = THERE
    return found


def run_lab(lab: str) -> None:
    """Run a solution as a script, cell by cell; what raises is printed, and ends it with an error."""
    path = next((Path(__file__).parents[1] / "solutions").glob(f"{lab}_*.py"))
    names, failed = vars(sys.modules["__main__"]), False
    with pytest.MonkeyPatch.context() as patch, second_device(patch):
        exec(f"from squint.notebook import *; lab = begin({path.stem!r})", names)
        for cell in re.split(r"(?m)^(?=# %%)", path.read_text(encoding="utf-8")):
            head = cell.partition("\n")[0]
            if not head.startswith("# %%") or "[markdown]" in head or '"setup"' in head:
                continue
            try:
                exec(compile(cell, head, "exec"), names)
            except Exception as error:
                failed = True
                print(head, *traceback.format_exception(error)[-3:], sep="\n", file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    run_lab(sys.argv[1])
