"""Running an answer: every call on a fresh copy of its arguments, seeded, quiet, and within a time limit."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import functools
import inspect
import io
import itertools
import math
import os
import signal
import sys
import sysconfig
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from squint.checks import compare, modules
from squint.checks.check import Case, Check

TIME_LIMIT = 20.0
"""Seconds that one answer may take on all its cases before it is taken for an endless loop."""


class OutOfTime(BaseException):
    """Raised inside an answer that runs too long; no `except Exception` in it can swallow this."""


@dataclass(frozen=True)
class Outcome:
    """What one call came to: a value, or the exception that it raised. `mutated` says whether it changed its input."""

    value: Any = None
    error: BaseException | None = None
    mutated: bool = False


class Trial:
    """An answer, a mistake or the solution on a check's cases; each case is run once, when it is asked for."""

    def __init__(self, check: Check, subject: Any, cases: Sequence[Case], limit: float | None = None) -> None:
        self.check, self.subject, self.cases, self.limit = check, subject, cases, limit
        self._outcomes: dict[int, Outcome] = {}
        self._marks: dict[int, float | str | None] = {}

    def outcome(self, i: int) -> Outcome:
        """What the subject makes of case `i`."""
        if i not in self._outcomes:
            with time_limit(self.limit, of_work=True):
                self._outcomes[i] = self._run(i)
        return self._outcomes[i]

    @property
    def outcomes(self) -> list[Outcome]:
        """Of all cases."""
        return [self.outcome(i) for i in range(len(self.cases))]

    def agrees(self, other: Trial, i: int) -> bool:
        """Whether both come to the same on case `i`."""
        mine, theirs = self.outcome(i), other.outcome(i)
        if mine.error is not None or theirs.error is not None:
            return type(mine.error) is type(theirs.error)
        return self._difference(mine.value, theirs.value) is None

    def mark(self, i: int) -> float | str | None:
        """A number that sums an outcome up, or the exception's name; None where there is no such."""
        if i not in self._marks:
            outcome = self.outcome(i)
            value = normalised(self.check, outcome.value)
            if outcome.error is not None:
                self._marks[i] = type(outcome.error).__name__
            elif isinstance(value, Tensor) and not value.is_complex():
                self._marks[i] = _mark(value.detach().cpu().double().flatten(), self.check.atol)
            else:
                plain = isinstance(value, int | float)
                self._marks[i] = _mark(torch.tensor([float(value)]).double(), self.check.atol) if plain else None
        return self._marks[i]

    def may_agree(self, other: Trial, i: int) -> bool:
        """As `agrees`, but fast: True may be wrong, False never is."""
        mine, theirs = self.mark(i), other.mark(i)
        return alike(mine, theirs) if mine is not None and theirs is not None else self.agrees(other, i)

    def _run(self, i: int) -> Outcome:
        case = fresh(self.cases[i], modules_too=self.limit is None)
        if self.check.kind == "value":
            return call(self.check.probe or _itself, (self.subject, *case.args), case.kwargs)
        args, kwargs = positional(self.check.reference, case)
        before = cloned(args)
        outcome = call(self.subject, args, kwargs)
        mutated = self.limit is None and any(map(_changed, args, before))
        return Outcome(outcome.value, outcome.error, mutated)

    def _difference(self, mine: Any, theirs: Any) -> str | None:
        mine, theirs = (normalised(self.check, value) for value in (mine, theirs))
        try:
            return compare.difference(mine, theirs, self.check.rtol, self.check.atol, explain=False)
        except Exception:  # two odd things that cannot even be compared
            return "differs"


class ModuleTrial(Trial):
    """A module, compared with another by giving the other one its numbers, in an order in which both compute alike."""

    def __init__(self, check: Check, subject: Any, cases: Sequence[Case], limit: float | None = None) -> None:
        super().__init__(check, subject, cases, limit and 4 * limit)  # a module is built before it is called
        self._built: dict[tuple, torch.nn.Module | BaseException] = {}
        self._matches: dict[tuple[int, tuple], dict[int, bool]] = {}
        self.cut_short = False

    def built(self, i: int) -> torch.nn.Module | BaseException:
        """The module of case `i`, its parameters drawn at random; or what making it raised."""
        init = self.cases[i].init
        if init not in self._built:
            self._built[init] = modules.build(self.subject, self.cases[i])
        return self._built[init]

    def agrees(self, other: Trial, i: int) -> bool:
        """Whether some order of this module's numbers makes the other compute the same on case `i`."""
        assert isinstance(other, ModuleTrial)
        init = self.cases[i].init
        if (id(other), init) not in self._matches:
            with time_limit(self.limit and 10 * self.limit, of_work=True):
                self._matches[id(other), init] = self._match(other, init)
        return self._matches[id(other), init][i]

    def may_agree(self, other: Trial, i: int) -> bool:
        """As `agrees`, but fast."""
        assert isinstance(other, ModuleTrial)
        unmade = any(isinstance(built, BaseException) for built in (self.built(i), other.built(i)))
        return not unmade and super().may_agree(other, i)

    def mark(self, i: int) -> float | str | None:
        """What the module returns where every number in it is the same one, summed up."""
        if i not in self._marks:
            with time_limit(self.limit, of_work=True):
                module, error = self.built(i), self.outcome(i).error
                if isinstance(module, BaseException) or error is not None:
                    self._marks[i] = type(error).__name__
                else:
                    found = modules.probe(module, self.cases[i])
                    self._marks[i] = None if found is None else _mark(found[None], self.check.atol)
        return self._marks[i]

    def _run(self, i: int) -> Outcome:
        module = self.built(i)
        if isinstance(module, BaseException):
            return Outcome(error=module)
        case = fresh(self.cases[i])
        return call(module, case.args, case.kwargs)

    def _match(self, other: ModuleTrial, init: tuple) -> dict[int, bool]:
        """Match on the first case that this module survives; where that does not settle the others, on all of them."""
        mine = [i for i, case in enumerate(self.cases) if case.init == init]
        best = dict.fromkeys(mine, False)
        module, target = self.built(mine[0]), other.built(mine[0])
        if isinstance(module, BaseException) or isinstance(target, BaseException):
            return best
        runs = [i for i in mine if self.outcome(i).error is None and _finite(self.outcome(i).value)]
        for tried in (runs[:1], runs) if runs else ():
            try:
                found = modules.pour(module, target, [self.cases[i] for i in tried])
            except modules.OutOfPatience:
                self.cut_short = True
                continue
            if not found:
                break
            best = max(best, {i: self._computes(target, i) for i in mine}, key=lambda same: sum(same.values()))
            if all(best.values()) or len(runs) == 1:
                break
        return best

    def _computes(self, target: torch.nn.Module, i: int) -> bool:
        """Whether `target`, which holds this module's numbers, gives its outcome on case `i`."""
        case = fresh(self.cases[i])
        try:
            with torch.no_grad():
                value = target(*case.args, **case.kwargs)
        except Exception as error:
            return type(error) is type(self.outcome(i).error)
        return self.outcome(i).error is None and self._difference(self.outcome(i).value, value) is None


def alike(mine: float | str, theirs: float | str, closely: float = 0.03) -> bool:
    """Whether two marks may belong to outcomes that agree."""
    if isinstance(mine, str) or isinstance(theirs, str):
        return mine == theirs
    return abs(mine - theirs) < closely


def _mark(flat: Tensor, atol: float) -> float:
    """What is positive and what is negative, weighted by place, each added up and as a logarithm."""
    weights = (torch.arange(flat.numel(), dtype=torch.float64) * 0.7).cos() + 1.3
    flat = flat.nan_to_num(posinf=1e30, neginf=-1e30) * weights
    small = 100 * atol * (flat.numel() + 1)
    return math.log(float(flat.clamp(min=0).sum()) + small) + 1.6 * math.log(float(-flat.clamp(max=0).sum()) + small)


def trial(check: Check, subject: Any, cases: Sequence[Case], limit: float | None = None) -> Trial:
    """The trial that the check's kind asks for; `limit` is in seconds, for each case."""
    return (ModuleTrial if check.kind == "module" else Trial)(check, subject, cases, limit)


def normalised(check: Check, value: Any) -> Any:
    """A value in the check's normal form; as it is where it has none."""
    if check.normal is None or isinstance(value, list | tuple) and not value:
        return value
    try:
        return check.normal(value)
    except Exception:
        return value


def call(function: Callable, args: tuple, kwargs: dict) -> Outcome:
    """Call with torch's chance seeded, and left outside as it was."""
    try:
        with modules.seeded():
            return Outcome(function(*args, **kwargs))
    except (KeyboardInterrupt, OutOfTime):
        raise
    except BaseException as error:  # noqa: BLE001  (SystemExit in an answer must not end the lab)
        return Outcome(error=error)


def positional(reference: Callable, case: Case) -> tuple[tuple, dict]:
    """The case's arguments bound to positions by the solution's signature, so that a learner may rename parameters."""
    try:
        bound = _signature(reference).bind(*case.args, **case.kwargs)
    except (TypeError, ValueError):
        return case.args, case.kwargs
    return bound.args, bound.kwargs


_signature = functools.lru_cache(maxsize=64)(inspect.signature)


def fresh(case: Case, modules_too: bool = True) -> Case:
    """The case with copies that share nothing: tensors keep their strides, generators their state."""

    def copied(value: Any) -> Any:
        if isinstance(value, Tensor) and not value.requires_grad:
            if value.is_contiguous() or 0 in value.stride():
                return value.clone()
            return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=value.device).copy_(value)
        if isinstance(value, torch.Generator):
            twin = torch.Generator(value.device)
            twin.set_state(value.get_state())
            return twin
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(copied(v) for v in value)
        if isinstance(value, dict):
            return {k: copied(v) for k, v in value.items()}
        plain = isinstance(value, int | float | str | bool | None)
        return value if plain or not modules_too else copy.deepcopy(value)

    return Case(case.label, *copied(case.args), init=case.init, **copied(case.kwargs))


def cloned(value: Any) -> Any:
    """Tensors copied so that gradients still flow through the copies; all else as it is."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(cloned(v) for v in value)
    return value


def moved(case: Case, device: torch.device, single: bool) -> Case:
    """The case with its tensors and modules on that device; with `single`, its tensors of float64 become float32."""

    def move(value: Any) -> Any:
        if isinstance(value, Tensor | torch.nn.Module):
            return (value.float() if single and is_double(value) else value).to(device)
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(move(v) for v in value)
        return value

    return Case(case.label, *move(case.args), init=case.init, **{k: move(v) for k, v in case.kwargs.items()})


def is_double(value: Any) -> bool:
    """Whether a value is a tensor in double precision, or a case that has one; Metal has none."""
    if isinstance(value, Case):
        return any(map(is_double, (*value.args, *value.kwargs.values())))
    return isinstance(value, Tensor) and value.dtype == torch.float64


@contextlib.contextmanager
def as_torch_comes(device: torch.device) -> Iterator[None]:
    """Whatever the notebook has switched, gradients are on inside, autocast is off, and defaults are torch's own."""
    dtype = torch.get_default_dtype()
    with contextlib.ExitStack() as settings:
        settings.enter_context(torch.inference_mode(mode=False))
        settings.enter_context(torch.enable_grad())
        settings.enter_context(torch.autograd.set_detect_anomaly(mode=False))
        for kind in {"cpu", device.type}:
            if torch.is_autocast_enabled(kind):
                settings.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            settings.enter_context(torch.device("cpu"))
        settings.callback(torch.set_default_dtype, dtype)
        torch.set_default_dtype(torch.float32)
        yield


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what an answer prints and warns of: on a dozen cases it would bury the verdict."""
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        with quiet_below_python():
            yield


@contextlib.contextmanager
def quiet_below_python() -> Iterator[None]:
    """Swallow what libraries in C and Fortran print: LAPACK complains of every NaN on the standard output."""
    flush = getattr(ctypes.CDLL(None), "fflush", None) if os.name == "posix" else None
    try:
        kept = {number: os.dup(number) for number in (1, 2)}
    except OSError:  # a process without a standard output
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        if flush:
            flush(None)
        for number in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        if flush:
            flush(None)
        for number, own in kept.items():
            os.dup2(own, number)
            os.close(own)
        os.close(nowhere)


@contextlib.contextmanager
def time_limit(seconds: float | None, of_work: bool = False) -> Iterator[None]:
    """Raise OutOfTime in the main thread when the block takes too long; elsewhere, and on Windows, do nothing.

    Seconds are those of the clock, or with `of_work` those that the processor works for us, however busy it is. Limits
    of one kind nest: the inner one rings first, and the outer one has what is left afterwards.
    """
    if not seconds or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    alarm, timer = (signal.SIGPROF, signal.ITIMER_PROF) if of_work else (signal.SIGALRM, signal.ITIMER_REAL)

    def stop(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            raise OutOfTime
        return stop

    inside, rings = [True], itertools.count()

    def ring(signum: int, frame: FrameType | None) -> None:
        if not inside:  # too late to be of use
            return
        # A bare `except:` in an endless loop would swallow one exception; so its every next line raises another.
        # Not in a library's frames: one that is stopped between two lines may never let go of a lock, or of a mode. So
        # we wait until it comes back, and for no longer than two rings more.
        here, marked = frame, False
        while frame is not None and frame.f_code.co_filename != __file__:
            if _is_ours(frame):
                frame.f_trace, marked = stop, True
            frame = frame.f_back
        sys.settrace(lambda *event: None)  # tracing is on, for the frames just marked alone
        if not marked or _is_ours(here) or next(rings) == 2:
            raise OutOfTime

    previous, tracing = signal.signal(alarm, ring), sys.gettrace()
    left, again = signal.setitimer(timer, seconds, 1.0)
    try:
        yield
    finally:
        inside.clear()
        signal.setitimer(timer, max(left - seconds, 0.01) if left else 0, again)
        sys.settrace(tracing)
        # By default these signals end the process: one that comes late must not.
        signal.signal(alarm, signal.SIG_IGN if previous is signal.SIG_DFL else previous)


def _is_ours(frame: FrameType | None) -> bool:
    """Whether a frame is the learner's or the course's, and not a library's."""
    path = Path(frame.f_code.co_filename) if frame else Path()
    frozen, installed = path.name.startswith("<frozen"), {"site-packages", "dist-packages"} & set(path.parts)
    return _COURSE in path.parents or not (frozen or installed or _PYTHON in path.parents)


_PYTHON, _COURSE = Path(sysconfig.get_path("stdlib")), Path(__file__).parents[1]


def _itself(value: Any) -> Any:
    return value


def _changed(now: Any, before: Any) -> bool:
    """Whether something is not what it was when it was `cloned`."""
    if isinstance(before, Tensor):
        return not torch.equal(before.nan_to_num(), now.nan_to_num())
    if isinstance(before, list | tuple) and not hasattr(before, "_fields"):
        return len(now) != len(before) or any(map(_changed, now, before))
    return now is not before


def _finite(value: Any) -> bool:
    value = value[0] if isinstance(value, tuple | list) and value else value
    return not isinstance(value, Tensor) or bool(torch.isfinite(value).all())


def tells(value: Any, varied: bool = False) -> bool:
    """Whether a value says anything: not if it is a tensor without a number; `varied`: with one number throughout."""
    if not isinstance(value, Tensor) or value.is_complex():
        return True
    constant = varied and value.numel() > 1 and bool((value == value.flatten()[0]).all())
    return not constant and not bool(value.isnan().all())
