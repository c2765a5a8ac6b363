"""The engine that judges an exercise, and says which mistake was made.

A `Check` is data: a reference, cases, laws, and *misconceptions*: wrong versions, each with the hint that names it.
`judge` runs an answer on the cases. Where it differs from the reference, a misconception that gives the same outputs
supplies the message; otherwise the smallest failing case does, shapes first.

Answers are compared by what they compute, never by source text, parameter names, seeds or order of creation.
"""

from __future__ import annotations

import contextlib
import copy
import dis
import functools
import inspect
import io
import linecache
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Literal

import torch
from torch import Tensor

from squint.checks import compare, modules

VerdictName = Literal["passed", "failed", "not-done", "error", "timeout"]
UNDECIDED = (
    "it runs and its shapes are right, but this check could not match your parameters with the course's in the time it "
    "has, so it cannot tell whether the numbers are right. They may well be. Laid out as in the text, it could tell."
)
"""Said of a module where the search for a match was cut short."""
TIME_LIMIT = 20.0
"""Seconds that one answer may take on all its cases before it is taken for an endless loop."""


class Case:
    """One call of an exercise's function: a label a learner understands, and the arguments.

    Args:
        label: what is special about the call, in a few words: "one query, no mask".
        args: positional arguments; tensors are copied for every call, strides included.
        init: for modules, the constructor's arguments.
        kwargs: keyword arguments, bound to positions by the reference's signature, so a learner may rename parameters.
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


@dataclass
class Check:
    """What is right in one exercise, and which mistakes have names.

    Args:
        reference: the right function, class or value.
        cases: makes the cases from a seed, the smallest first.
        hints: three steps: a nudge, a plan, the code.
        misconceptions: hint → wrong version. A hint names the mistake and says what to do about it.
        properties: laws that need no reference: `law(function, case)` is None, or a sentence where it does not hold.
        kind: "function", "module" (a class of torch modules) or "value" (a tensor, a number, …).
        probe: for values: what is compared is `probe(value, *case.args)`.
        rtol, atol: tolerances, relative and absolute, for floats.
        compare: judges an output by what it does, where equality is the wrong question:
            `compare(got, want, case)` is None or a sentence (a key of `misconceptions` counts as that misconception).
        equivalents: for modules: other right classes, which compute the same from other parameters. Parameters that
            are only laid out differently (fused projections, a list of heads) need none: see `modules`.
        without_bias: for modules: whether an answer may leave out biases that the reference has.
        in_place: what is said to an answer that changes a tensor it was given, where that is a mistake. Elsewhere it
            is right, and the cells below give it copies.
        also_right: right answers written differently; the tests hold them against the check.
    """

    reference: Any
    cases: Callable[[int], Sequence[Case]]
    hints: tuple[str, str, str]
    misconceptions: dict[str, Any] = field(default_factory=dict)
    properties: Sequence[Law] = ()
    kind: Literal["function", "module", "value"] = "function"
    probe: Callable | None = None
    rtol: float = 1e-4
    atol: float = 1e-5
    compare: Callable[[Any, Any, Case], str | None] | None = None
    equivalents: Sequence[type] = ()
    without_bias: bool = False
    in_place: str | None = None
    also_right: Sequence[Any] = ()


@dataclass(frozen=True)
class Verdict:
    """What `judge` found: the verdict, the hint that goes with it, how much was tried, and an answer to go on with.

    `usable` is the right answer itself; where it names its parameters otherwise or returns lists or arrays for tensors,
    it is wrapped, so that cells which call it as they would call the reference get what they expect.
    """

    verdict: VerdictName
    hint: str | None = None
    cases: int = 0
    laws: int = 0
    note: str | None = None
    usable: Any = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.verdict == "passed"


@dataclass(frozen=True)
class Outcome:
    """What one call came to: a value, or the exception that it raised. `mutated` says whether it changed its input."""

    value: Any = None
    error: BaseException | None = None
    mutated: bool = False


class _OutOfTime(BaseException):
    """Raised inside an answer that runs too long; no `except Exception` in it can swallow this."""


def judge(check: Check, answer: Any, seed: int = 0, device: torch.device | None = None) -> Verdict:
    """Judge a learner's answer. Never raises, whatever the answer does, short of ending the process.

    Args:
        check: what is right.
        answer: the learner's function, class or value.
        seed: seeds the cases.
        device: where the cases' tensors live; the CPU if none is given.
    """
    if answer is None or answer is Ellipsis:
        return Verdict("not-done")
    wrong_kind = _wrong_kind(check, answer)
    if wrong_kind:
        return Verdict("failed", wrong_kind)
    try:
        # A time-out may leave an answer's `with torch.no_grad()` without its end: gradients are on again afterwards.
        with torch.set_grad_enabled(torch.is_grad_enabled()), _quiet(), _time_limit(TIME_LIMIT):
            return _judge(check, answer, [_on_device(case, device) for case in check.cases(seed)])
    except _OutOfTime:
        hint = f"It was still running after {TIME_LIMIT:.0f} seconds. Is there a loop that never ends?"
        return Verdict("timeout", hint)
    except KeyboardInterrupt:
        return Verdict("timeout", "You interrupted it before it was done.")


def _judge(check: Check, answer: Any, cases: list[Case]) -> Verdict:
    trial = _trial(check, answer, cases)
    if trial.not_done():
        return Verdict("not-done")
    failures = [(i, message) for i in range(len(cases)) if (message := trial.failure(i))]
    if failures:
        named = _named_mistake(check, trial, [i for i, _ in failures], [m for _, m in failures])
        first, message = failures[0]
        if not named and trial.undecided():
            return Verdict("not-done", UNDECIDED, len(cases))
        if not named and not trial.diagnosis_holds([i for i, _ in failures]):
            message = trial.failure(first, diagnose=False) or message
        raised = trial.outcomes[first].error is not None
        return Verdict("error" if raised and not named else "failed", named or message, len(cases))
    if check.in_place and trial.mutates():
        return Verdict("failed", check.in_place, len(cases))
    usable = trial.usable()
    for law in check.properties:
        for case in cases:
            broken = _broken(law, usable, case)
            if broken:
                return Verdict("failed", broken, len(cases))
    return Verdict("passed", None, len(cases), len(check.properties), trial.note(), usable)


def _named_mistake(check: Check, trial: Trial, failing: list[int], messages: list[str]) -> str | None:
    """The hint of the misconception that gives the answer's own outputs on every failing case; the closest, if many."""
    for message in messages:
        if message in check.misconceptions:
            return message
    best, best_agreement = None, -1
    for hint, wrong in check.misconceptions.items():
        agrees = trial.agrees_with(wrong, failing)
        explained = all(agrees[i] for i in failing) and any(trial.outcomes[i].error is None for i in failing)
        if explained and sum(agrees) > best_agreement:
            best, best_agreement = hint, sum(agrees)
    return best


def _broken(law: Law, answer: Any, case: Case) -> str | None:
    try:
        return law(answer, _fresh_case(case))
    except Exception as error:
        return f"{_raised(error)} while this was tried: {(inspect.getdoc(law) or law.__name__).splitlines()[0]}"


class Trial:
    """An answer, the outcomes of its calls, and the comparison with the reference and with wrong versions."""

    def __init__(self, check: Check, answer: Any, cases: list[Case]) -> None:
        self.check, self.answer, self.cases = check, answer, cases
        self.outcomes = [self.outcome(answer, case) for case in cases[:1]]
        # A stub answers the first case; the others need not wait for it.
        if not self.not_done():
            self.outcomes += [self.outcome(answer, case) for case in cases[1:]]
            self.wanted = [self.outcome(check.reference, case).value for case in cases]

    def outcome(self, subject: Any, case: Case) -> Outcome:
        """Call `subject` as the check's kind asks, on a fresh copy of the case's arguments."""
        case = _fresh_case(case)
        if self.check.kind == "value":
            return _call(self.check.probe or _itself, (subject, *case.args), case.kwargs)
        args, kwargs = _positional(self.check.reference, case)
        before = _cloned(args)
        outcome = _call(subject, args, kwargs)
        mutated = any(
            isinstance(b, Tensor) and not torch.equal(b.nan_to_num(), a.nan_to_num())
            for a, b in zip(args, before, strict=True)
        )
        return Outcome(outcome.value, outcome.error, mutated)

    def not_done(self) -> bool:
        """Whether the answer is still the stub, or has parts left out."""
        first = self.outcomes[0]
        if compare.has_ellipsis(first.value) or _left_out(first.error, self.answer):
            return True
        return first.value is None and first.error is None and _empty_body(self.answer)

    def diagnosis_holds(self, failing: list[int]) -> bool:
        """Whether what is said of the first failing case fits the others as well: “twice as large” may be chance."""
        first, *others = (self._sentence(i) for i in failing)
        return all(compare.same_diagnosis(first, other) for other in others)

    def _sentence(self, i: int) -> str | None:
        return compare.difference(self.outcomes[i].value, self.wanted[i], self.check.rtol, self.check.atol)

    def failure(self, i: int, diagnose: bool = True) -> str | None:
        """None if the answer is right on case `i`, else a sentence or two that say what is wrong."""
        case, outcome, want = self.cases[i], self.outcomes[i], self.wanted[i]
        where = f"On “{case.label}” ({case.shapes()}): " if case.shapes() else f"On “{case.label}”: "
        if outcome.error is not None:
            return where + _raised(outcome.error)
        if outcome.value is None and want is not None:
            return "Your function returned None. Is the `return` missing?"
        if self.check.compare:
            try:
                return self.check.compare(outcome.value, want, case)
            except Exception as error:
                return f"{where}what came back could not be used ({_raised(error)})"
        message = compare.difference(outcome.value, want, self.check.rtol, self.check.atol, diagnose=diagnose)
        return where + message if message else None

    def agrees_with(self, wrong: Any, needed: Sequence[int] = ()) -> list[bool]:
        """For each case, whether a wrong version comes to the same outcome as the answer.

        Once it differs on a case that is `needed`, the others need not be right.
        """
        agrees = [False] * len(self.cases)
        others = (i for i in range(len(self.cases)) if i not in needed)
        for i in (*needed, *others):
            agrees[i] = self._same(self.outcomes[i], self.outcome(wrong, self.cases[i]))
            if i in needed and not agrees[i]:
                break
        return agrees

    def _same(self, mine: Outcome, other: Outcome) -> bool:
        if mine.error is not None or other.error is not None:
            return type(mine.error) is type(other.error)
        return self._equal(mine.value, other.value)

    def _equal(self, mine: Any, other: Any) -> bool:
        return compare.difference(mine, other, self.check.rtol, self.check.atol, explain=False) is None

    def usable(self) -> Any:
        """The answer, wrapped if it cannot stand where the reference stands: see Verdict."""
        pairs = [(o.value, w) for o, w in zip(self.outcomes, self.wanted, strict=True)]
        if self.check.kind == "value":
            want = self.check.reference
            # A value is looked at and computed with, never trained: a parameter comes back as a plain tensor.
            return compare.shaped(self.answer, want).detach() if isinstance(want, Tensor) else self.answer
        same_form = all(compare.same_form(got, want) for got, want in pairs)
        mutates = self.mutates()
        if same_form and not mutates and _same_names(self.answer, self.check.reference):
            return self.answer

        @functools.wraps(self.answer)
        def standing_in(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = _positional(self.check.reference, Case("", *args, **kwargs))
            args = _cloned(args) if mutates else args
            value = self.answer(*args, **kwargs)
            return value if same_form else compare.shaped(value, pairs[0][1], args)

        return standing_in

    def note(self) -> str | None:
        """What is worth a word about a right answer."""
        if self.mutates():
            return "It changes its input in place. The cells below give it a copy."
        if self.check.kind == "function":
            for outcome, want in zip(self.outcomes, self.wanted, strict=True):
                if not compare.same_kind(outcome.value, want):
                    return f"It gives {compare.form(outcome.value)}. The cells below turn it into {compare.form(want)}."
        return None

    def undecided(self) -> bool:
        """Whether the answer may be right, although it was not found to be."""
        return False

    def mutates(self) -> bool:
        """Whether some call changed its own arguments."""
        return any(outcome.mutated for outcome in self.outcomes)


class ModuleTrial(Trial):
    """A module, compared with another by giving the other one its numbers, in an order in which both compute alike."""

    def __init__(self, check: Check, answer: Any, cases: list[Case]) -> None:
        self.built: dict[tuple, torch.nn.Module | BaseException] = {}
        self.cut_short = False
        super().__init__(check, answer, cases)
        if not self.not_done():
            self.agreement: list[bool] = [False] * len(cases)
            for right in (check.reference, *check.equivalents):
                self.agreement = max(self.agreement, self.agrees_with(right), key=sum)
                if all(self.agreement):
                    break

    def outcome(self, subject: Any, case: Case) -> Outcome:
        """Build the answer once for each constructor call, with parameters drawn at random, and call it."""
        if subject is not self.answer:  # the reference's output depends on the answer's parameters: see agrees_with
            return Outcome()
        if case.init not in self.built:
            self.built[case.init] = modules.build(self.answer, case)
        module = self.built[case.init]
        if isinstance(module, BaseException):
            return Outcome(error=module)
        case = _fresh_case(case)
        return _call(module, case.args, case.kwargs)

    def diagnosis_holds(self, failing: list[int]) -> bool:
        """A module's message is about one case: nothing is concluded from it for others."""
        return True

    def undecided(self) -> bool:
        """Whether the answer runs on every case with the right shapes, and the search for a match was cut short."""
        return self.cut_short and all(
            outcome.error is None and compare.structure(outcome.value, self._wanted(case)) is None
            for outcome, case in zip(self.outcomes, self.cases, strict=True)
        )

    def failure(self, i: int, diagnose: bool = True) -> str | None:
        """None if the answer computes what the reference computes with the same parameters, else what is wrong."""
        case, outcome = self.cases[i], self.outcomes[i]
        where = f"On “{case.label}” ({case.shapes()}): "
        if outcome.error is not None:
            return where + _raised(outcome.error)
        if outcome.value is None:
            return "`forward` returned None. Is the `return` missing?"
        if self.agreement[i]:
            return None
        module = self.built[case.init]
        assert isinstance(module, torch.nn.Module)
        form = compare.structure(outcome.value, self._wanted(case))
        if form:
            return where + form
        return (
            modules.gradient_message(module, _fresh_case(case))
            or modules.count_message(
                module, (self.check.reference, *self.check.equivalents), case, self.check.without_bias
            )
            or f"{where}however your parameters are matched with the course's, the output is another one. Either "
            "something else is computed, or the layers are laid out in a way that this check does not know; those in "
            "the text it knows."
        )

    def _wanted(self, case: Case) -> Any:
        case = _fresh_case(case)
        return modules.build(self.check.reference, case)(*case.args, **case.kwargs)

    def usable(self) -> Any:
        """A class stands for itself."""
        return self.answer

    def note(self) -> str | None:
        """What is worth a word about a right answer."""
        for case in self.cases if self.check.without_bias else ():
            module = self.built[case.init]
            assert isinstance(module, torch.nn.Module)
            if modules.size(module) < modules.size(modules.build(self.check.reference, case)):
                return "Some of your layers have no bias and the course's have one. Both are right."
        return None

    def agrees_with(self, wrong: Any, needed: Sequence[int] = ()) -> list[bool]:
        """For each case, whether some order of the answer's numbers makes `wrong` compute the same."""
        agrees = [False] * len(self.cases)
        for init, module in self.built.items():
            if isinstance(module, BaseException):
                continue
            mine = [i for i, case in enumerate(self.cases) if case.init == init]
            for i, same in zip(mine, self._best_match(module, wrong, mine), strict=True):
                agrees[i] = same
            if not all(agrees[i] for i in mine if i in needed):
                break
        return agrees

    def _best_match(self, module: torch.nn.Module, wrong: Any, mine: list[int]) -> list[bool]:
        """Match on the first case that the answer survives; where that does not settle the others, on all of them."""
        other = modules.build(wrong, self.cases[mine[0]])
        best = [False] * len(mine)
        runs = [i for i in mine if self.outcomes[i].error is None and _finite(self.outcomes[i].value)]
        if isinstance(other, BaseException) or not runs:
            return best
        for tried in (runs[:1], runs):
            try:
                found = modules.pour(module, other, [self.cases[i] for i in tried], self.check.without_bias)
            except modules.OutOfPatience:
                self.cut_short = True
                continue
            if not found:
                break
            best = max(best, [self._computes(other, i) for i in mine], key=sum)
            if all(best) or len(runs) == 1:
                break
        return best

    def _computes(self, other: torch.nn.Module, i: int) -> bool:
        """Whether `other`, one of the course's own modules, gives the answer's outcome on case `i`."""
        case = _fresh_case(self.cases[i])
        try:
            with torch.no_grad():
                value = other(*case.args, **case.kwargs)
        except Exception as error:
            return type(error) is type(self.outcomes[i].error)
        return self.outcomes[i].error is None and self._equal(self.outcomes[i].value, value)


def _finite(value: Any) -> bool:
    value = value[0] if isinstance(value, tuple | list) and value else value
    return not isinstance(value, Tensor) or bool(torch.isfinite(value).all())


def _trial(check: Check, answer: Any, cases: list[Case]) -> Trial:
    return ModuleTrial(check, answer, cases) if check.kind == "module" else Trial(check, answer, cases)


def _wrong_kind(check: Check, answer: Any) -> str | None:
    if check.kind == "module" and not (inspect.isclass(answer) and issubclass(answer, torch.nn.Module)):
        return "This should be a class that inherits from nn.Module."
    if check.kind == "function" and not callable(answer):
        return f"This should be a function, and it is {compare.brief(answer)}. Did you give its name to something else?"
    if check.kind == "value" and inspect.isroutine(answer):
        return "This should be a value, and it is a function. Did you mean to call it?"
    return None


def _itself(value: Any) -> Any:
    return value


def _call(function: Callable, args: tuple, kwargs: dict) -> Outcome:
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Outcome(function(*args, **kwargs))
    except (KeyboardInterrupt, _OutOfTime):
        raise
    except BaseException as error:  # noqa: BLE001  (SystemExit in an answer must not end the lab)
        return Outcome(error=error)


def _positional(reference: Callable, case: Case) -> tuple[tuple, dict]:
    """The case's arguments bound to positions by the reference's signature, so that a learner may rename parameters."""
    try:
        bound = inspect.signature(reference).bind(*case.args, **case.kwargs)
    except (TypeError, ValueError):
        return case.args, case.kwargs
    return bound.args, bound.kwargs


def _same_names(answer: Any, reference: Any) -> bool:
    """Whether two functions name their parameters alike."""
    try:
        return list(inspect.signature(answer).parameters) == list(inspect.signature(reference).parameters)
    except (TypeError, ValueError):
        return True


def _empty_body(answer: Any) -> bool:
    """Whether a function's body does nothing: a docstring, `pass` or `...` alone."""
    code: CodeType | None = getattr(answer, "__code__", None)
    names = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    return code is not None and all(step.opname in names for step in dis.get_instructions(code))


def _left_out(error: BaseException | None, answer: Any) -> bool:
    """Whether an exception says that something is still to be written: `raise NotImplementedError`, or `...` used."""
    if isinstance(error, NotImplementedError):
        # nn.Module raises it, too, if a module without `forward` is called; which may be one of the course's.
        return "missing the required" not in str(error) or f"[{getattr(answer, '__name__', '')}]" in str(error)
    return error is not None and "ellipsis" in str(error).lower() and type(error).__name__ != "EinopsError"


def _raised(error: BaseException) -> str:
    """One or two sentences on an exception: what, where in the learner's cell, and what it usually means."""
    if isinstance(error, RecursionError):
        return "it calls itself for ever (RecursionError)."
    text = str(error).strip().splitlines()
    # einops says first what it was asked to do, and last what is wrong with it.
    reason = text[-1 if type(error).__name__ == "EinopsError" else 0].strip()[:200].rstrip(".") if text else ""
    sentence = f"it raised {type(error).__name__}" + (f": {reason}." if reason else ".")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        line = linecache.getline(frame.filename, frame.lineno or 0).strip()
        if line and "ipykernel" in frame.filename or frame.filename.startswith("<ipython-input"):
            sentence += f" The line is `{line}` (line {frame.lineno} of its cell)."
            break
    meanings = _MEANINGS_OF_CALLS[_in_own_call(error)] if isinstance(error, TypeError) else {}
    for sign, meaning in (meanings | _MEANINGS).items():
        if sign in str(error):
            return f"{sentence} {meaning}"
    return sentence


def _in_own_call(error: BaseException) -> bool:
    """Whether the learner's code was running: then a wrong call is one of its own, and not ours of it."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any(not file.startswith((_HERE, _TORCH)) for file in files)


_HERE, _TORCH = (str(Path(module.__file__).parent) for module in (compare, torch) if module.__file__)


_MEANINGS = {
    "before Module.__init__() call": "Call super().__init__() first in __init__.",
    "Expected all tensors to be on the same device": "A tensor that you make inside must live where the inputs do: "
    "pass device=….device.",
    "expected m1 and m2 to have the same dtype": "A tensor that you make inside must have the inputs' dtype: "
    "pass dtype=….dtype.",
    "expected scalar type": "A tensor that you make inside must have the inputs' dtype: pass dtype=….dtype.",
    "mat1 and mat2 shapes cannot be multiplied": "In a matrix product the inner sizes must agree: is one side to be "
    "transposed?",
    "view size is not compatible": "After a transpose the numbers lie in another order in memory: use reshape.",
    "must match the size of tensor": "These shapes do not broadcast: compare them axis by axis, from the last.",
    "Boolean value of Tensor": "A tensor is neither true nor false: ask `if x is not None`, or use .any() or .all().",
    "'Tensor' object is not callable": "A tensor was called as a function. Where a function is wanted, hand over the "
    "function itself, as in `lambda y: …`, and not what it returned.",
    "must have the same dtype, but got Bool": "A mask stands where vectors should: hand it over by its name, mask=….",
    "[ModuleList] is missing the required": "It is a list of modules: take one of them, as in norms[0].",
    "is not in list": "`.index` looks for something that is not always there: ask `if … in …` first.",
    "Expected target size": "cross_entropy wants the vocabulary on the second axis: flatten(0, 1) logits and labels.",
    "Index tensor must have the same number of dimensions": "gather wants an index with as many axes as its table: "
    "index[..., None].",
    "min() received an invalid combination": "torch.min wants tensors. Plain numbers take Python's own min.",
    "minimum(): argument": "torch.minimum wants tensors. Plain numbers take Python's own min.",
    "is out of bounds for": "An index is too large for its axis: does it count something else?",
    "Could not infer sizes": "A bracket of the pattern holds several names, and einops cannot know how large each is: "
    "say all but one, as in heads=….",
}
_MEANINGS_OF_CALLS: dict[bool, dict[str, str]] = {
    True: {
        "required positional argument": "A call of yours leaves out an argument.",
        "positional argument": "A call of yours hands over more than is wanted.",
        "unexpected keyword argument": "A call of yours uses a name that the function does not know.",
    },
    False: {
        "required positional argument": "Where the exercise gives a parameter a default, as in mask=None, a call may "
        "leave it out: keep the default.",
        "positional argument": "Keep all parameters of the first line, in their order.",
        "unexpected keyword argument": "Keep the parameters' names where the exercise calls them by name.",
    },
}
"""What a call that does not fit means, by whether it is the learner's own."""


def _fresh(value: Any) -> Any:
    """A copy that shares nothing: tensors keep their strides, generators their state, functions stay themselves."""
    if isinstance(value, torch.Generator):
        twin = torch.Generator(value.device)
        twin.set_state(value.get_state())
        return twin
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_fresh(v) for v in value)
    if isinstance(value, dict):
        return {k: _fresh(v) for k, v in value.items()}
    return copy.deepcopy(value)


def _cloned(value: Any) -> Any:
    """Tensors copied so that gradients still flow through the copies; all else as it is."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_cloned(v) for v in value)
    return value


def _fresh_case(case: Case) -> Case:
    return Case(case.label, *_fresh(case.args), init=case.init, **_fresh(case.kwargs))


def _on_device(case: Case, device: torch.device | None) -> Case:
    if device is None or device.type == "cpu":
        return case

    def move(value: Any) -> Any:
        if isinstance(value, Tensor | torch.nn.Module):
            return value.to(device)
        if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
            return type(value)(move(v) for v in value)
        return value

    return Case(case.label, *move(case.args), init=case.init, **{k: move(v) for k, v in case.kwargs.items()})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Swallow what an answer prints and warns of: on a dozen cases it would bury the verdict."""
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise _OutOfTime in the main thread when the block takes too long; elsewhere, and on Windows, do nothing."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            raise _OutOfTime
        return stop

    def ring(signum: int, frame: FrameType | None) -> None:
        # A bare `except:` in an endless loop would swallow one exception; so its every next line raises another.
        while frame is not None and frame.f_code.co_filename != __file__:
            frame.f_trace = stop
            frame = frame.f_back
        sys.settrace(lambda *event: None)  # tracing is on, for the frames just marked alone
        raise _OutOfTime

    previous, tracing = signal.signal(signal.SIGALRM, ring), sys.gettrace()
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.settrace(tracing)
        signal.signal(signal.SIGALRM, previous)
