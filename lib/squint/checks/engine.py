"""The engine that judges an exercise, and says which mistake was made.

`judge` runs an answer on the check's cases beside the solution (`run`, `compare`, `modules`). Where they differ it
looks for the mistake (`diagnose`, by way of `repair`); where none is found, the smallest failing case is shown,
shapes first.

Answers are compared by what they compute, never by source text, parameter names, seeds or order of creation.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any, Literal

import torch
from torch import Tensor

from squint.checks import compare, elsewhere, laws, modules, run, tell
from squint.checks.check import Case, Check, Draw, Law, Mistake, drawn, edits, exercises
from squint.checks.diagnose import Standard, diagnose
from squint.checks.run import ModuleTrial, Outcome, OutOfTime, Trial
from squint.checks.solution import Solution

__all__ = [
    "Case", "Check", "Draw", "Law", "Mistake", "Solution", "Verdict", "drawn", "edits", "exercises", "judge",
]  # fmt: skip

VerdictName = Literal["passed", "failed", "not-done", "error", "timeout"]
UNDECIDED = (
    "it runs and its shapes are right, but this check could not match your parameters with the course's in the time it "
    "has, so it cannot tell whether the numbers are right. They may well be. Laid out as in the text, it could tell."
)
"""Said of a module where the search for a match was cut short."""
BROKEN = "The check itself broke ({}), so it cannot tell whether your answer is right. That is the course's mistake."
NO_GRADIENTS = (
    "Gradients are switched off in this notebook. It was judged with them, and cells below need them: run "
    "torch.set_grad_enabled(True)."
)
SINGLE = "It raises on numbers in float64, which is no mistake here. Where a cell below has such, it gets float32."


@dataclass(frozen=True)
class Verdict:
    """What `judge` found: the verdict, the hint that goes with it, how much was tried, and an answer to go on with.

    `usable` is the right answer itself; where it names its parameters otherwise or returns lists or arrays for tensors,
    it is wrapped, so that cells which call it as they would call the solution get what they expect. `correction` is
    the learner's own line put right, for whoever asks.
    """

    verdict: VerdictName
    hint: str | None = None
    cases: int = 0
    laws: int = 0
    note: str | None = None
    usable: Any = field(default=None, compare=False)
    correction: str | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """Whether the answer is right."""
        return self.verdict == "passed"


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
    # Compiled anew for the shapes of every case, it would be out of time; what it computes is the same.
    with contextlib.suppress(Exception):  # raised by what an answer does when asked for something that it has not
        answer = getattr(answer, "_torchdynamo_orig_callable", answer)
    off = not torch.is_grad_enabled()
    try:
        with run.as_torch_comes(device or torch.device("cpu")), run.quiet():
            verdict = _judged(check, answer, seed, device)
    except OutOfTime:
        hint = f"It was still running after {run.TIME_LIMIT:.0f} seconds. Is there a loop that never ends?"
        return Verdict("timeout", hint)
    except KeyboardInterrupt:
        return Verdict("timeout", "You interrupted it before it was done.")
    except Exception as error:
        return Verdict("not-done", BROKEN.format(tell.raised(error, in_short=True).removesuffix(".")))
    return replace(verdict, note=" ".join(filter(None, (verdict.note, NO_GRADIENTS)))) if off else verdict


def _judged(check: Check, answer: Any, seed: int, device: torch.device | None) -> Verdict:
    wrong_kind = _wrong_kind(check, answer)
    if wrong_kind:
        return Verdict("failed", wrong_kind)
    standard = Standard.of(check, seed, device)
    mine = standard.trial(answer, limit=None)
    with run.time_limit(run.TIME_LIMIT):
        if _raises_in_double_alone(standard, mine):
            standard = Standard.of(check, seed, device, single=True)
            mine = standard.trial(answer, limit=None)
        if standard.device.type != "cpu" and not _to_be_made_there(check):
            mine = _at_home(standard, mine)
        verdict, failing = _held_against(standard, mine)
    return verdict or _explained(standard, mine, failing)


def _raises_in_double_alone(standard: Standard, mine: Trial) -> bool:
    """Whether an answer raises on float64 and does not on the same in float32: no exercise asks for float64."""
    double = [i for i, case in enumerate(standard.cases) if run.is_double(case)]
    raised = [] if standard.single else [i for i in double if mine.outcome(i).error is not None]
    if not raised or _not_done(mine):
        return False
    again = Standard.of(standard.check, standard.seed, standard.device, single=True).trial(mine.subject, limit=None)
    return any(again.outcome(i).error is None for i in raised)


def _to_be_made_there(check: Check) -> bool:
    """Whether tensors are to be made where the inputs are: in an exercise that makes some, and in modules."""
    return check.kind == "module" or "device" in check.solution.code


def _at_home(standard: Standard, mine: Trial) -> Trial:
    """The trial of an answer that would be right if what it makes were made where its inputs are; else its own."""
    if not any("same device" in str(outcome.error) for outcome in mine.outcomes):
        return mine
    again = standard.trial(elsewhere.at_home(mine.subject), limit=None)
    return again if all(standard.right(again, i) for i in range(len(standard.cases))) else mine


def _held_against(standard: Standard, mine: Trial) -> tuple[Verdict | None, list[int]]:
    """The verdict, unless cases fail: then which."""
    check, cases = standard.check, standard.cases
    if _not_done(mine):
        return Verdict("not-done"), []
    failing = [i for i in range(len(cases)) if not standard.right(mine, i)]
    if failing:
        return None, failing
    usable = _usable(standard, mine)
    tried = [*check.laws, *([laws.same_gradient(check.reference)] if check.gradients else [])]
    for law in tried:
        for case in cases:
            broken = _broken(law, usable, case)
            if broken:
                return Verdict("failed", broken, len(cases)), []
    clash = elsewhere.clash(check, mine.subject, cases)
    if clash and _to_be_made_there(check):
        return Verdict("failed", clash, len(cases)), []
    return Verdict("passed", None, len(cases), len(tried), _note(standard, mine) or clash, usable), []


def _explained(standard: Standard, mine: Trial, failing: list[int]) -> Verdict:
    """What is said of an answer that fails on these cases."""
    cases, first = len(standard.cases), failing[0]
    message = failure(standard, mine, first)
    if any(message == mistake.sentence for mistake in standard.check.misconceptions):
        return Verdict("failed", message, cases)
    error = mine.outcome(first).error
    found = None
    with contextlib.suppress(Exception):  # whatever a changed answer does, the verdict stands
        found = diagnose(mine.subject, mine, standard, failing)
    if found:
        more = f" As it is, {tell.raised(error, in_short=True)}" if error is not None and found.correction else ""
        return Verdict("failed", found.sentence + more, cases, correction=found.correction)
    if isinstance(mine, ModuleTrial):
        if mine.cut_short and all(_form(standard, mine, i) is None for i in range(cases)):
            return Verdict("not-done", UNDECIDED, cases)
    elif not _conclusion(standard, mine, failing):
        message = failure(standard, mine, first, conclude=False)
    return Verdict("error" if error is not None else "failed", message, cases)


def failure(standard: Standard, mine: Trial, i: int, conclude: bool = True) -> str:
    """A sentence or two on case `i`: an exception, the form, the values; with `conclude`, what they have in common."""
    check, case, outcome = standard.check, standard.cases[i], mine.outcome(i)
    where = f"On “{case.label}” ({case.shapes()}): " if case.shapes() else f"On “{case.label}”: "
    if outcome.error is not None:
        mixed = "same device" in str(outcome.error) and elsewhere.clash(check, mine.subject, [case])
        return mixed or where + tell.raised(outcome.error)
    if isinstance(mine, ModuleTrial):
        return _module_failure(standard, mine, i, where)
    value, want = (run.normalised(check, v) for v in (outcome.value, standard.solved.outcome(i).value))
    if value is None and want is not None:
        some = any(other.value is not None for other in mine.outcomes)
        return f"{where}it returned None." if some else "Your function returned None. Is the `return` missing?"
    if check.compare:
        try:
            return check.compare(value, want, case) or ""
        except Exception as error:
            return f"{where}what came back could not be used ({tell.raised(error)})"
    return where + (compare.difference(value, want, check.rtol, check.atol, diagnose=conclude) or "")


def _module_failure(standard: Standard, mine: ModuleTrial, i: int, where: str) -> str:
    check, case, module = standard.check, standard.cases[i], mine.built(i)
    assert isinstance(module, torch.nn.Module)
    if mine.outcome(i).value is None:
        return "`forward` returned None. Is the `return` missing?"
    form = _form(standard, mine, i)
    if form:
        return where + form
    return (
        modules.gradient_message(module, run.fresh(case))
        or modules.count_message(module, check.reference, case)
        or f"{where}however your parameters are matched with the course's, the output is another one. Either something "
        "else is computed, or the layers are laid out in a way that this check does not know. The text's it does."
    )


def _form(standard: Standard, mine: Trial, i: int) -> str | None:
    """What is wrong with the form of a module's output."""
    outcome, want = mine.outcome(i), standard.solved.outcome(i)
    return "it raised" if outcome.error is not None else compare.structure(outcome.value, want.value)


def _conclusion(standard: Standard, mine: Trial, failing: Sequence[int]) -> bool:
    """Whether what is concluded from the first failing case is said of all of them: “twice as large” may be chance."""
    right, check = standard.solved, mine.check
    said = {compare.difference(mine.outcome(i).value, right.outcome(i).value, check.rtol, check.atol) for i in failing}
    return len(said) == 1


def _broken(law: Law, answer: Any, case: Case) -> str | None:
    try:
        return law(answer, run.fresh(case))
    except Exception as error:
        return f"{tell.raised(error)} while this was tried: {(inspect.getdoc(law) or law.__name__).splitlines()[0]}"


# ---------------------------------------------------------------- what is not done, or of the wrong kind


def _wrong_kind(check: Check, answer: Any) -> str | None:
    if check.kind == "module" and not (inspect.isclass(answer) and issubclass(answer, torch.nn.Module)):
        return "This should be a class that inherits from nn.Module."
    if check.kind == "function" and not callable(answer):
        return f"This should be a function, and it is {compare.brief(answer)}. Did you give its name to something else?"
    if check.kind == "value" and inspect.isroutine(answer):
        return "This should be a value, and it is a function. Did you mean to call it?"
    return None


def _not_done(mine: Trial) -> bool:
    """Whether the answer is still the stub, or has parts left out: the first case shows it."""
    first = mine.outcome(0)
    if compare.has_ellipsis(first.value) or _left_out(first, mine.subject):
        return True
    return first.value is None and first.error is None and _empty_body(mine.subject)


def _left_out(first: Outcome, answer: Any) -> bool:
    """Whether an exception says that something is still to be written: `raise NotImplementedError`, or `...` used."""
    error = first.error
    if isinstance(error, NotImplementedError) and "not implemented for" not in str(error):  # torch, of a dtype
        # nn.Module raises it, too, if a module without `forward` is called; which may be one of the course's.
        return "missing the required" not in str(error) or f"[{getattr(answer, '__name__', '')}]" in str(error)
    return error is not None and "ellipsis" in str(error).lower() and type(error).__name__ != "EinopsError"


def _empty_body(answer: Any) -> bool:
    """Whether a function's body does nothing: a docstring, `pass` or `...` alone."""
    code: CodeType | None = getattr(answer, "__code__", None)
    names = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    return code is not None and all(step.opname in names for step in dis.get_instructions(code))


# ---------------------------------------------------------------- an answer to go on with


def _usable(standard: Standard, mine: Trial) -> Any:
    """The right answer, wrapped if it cannot stand where the solution stands: see Verdict."""
    answer, check = mine.subject, standard.check
    if check.kind == "value":
        # A value is looked at and computed with, never trained: a parameter comes back as a plain tensor.
        return compare.shaped(answer, check.reference).detach() if isinstance(check.reference, Tensor) else answer
    wants = [right.value for right in standard.solved.outcomes]
    same_form = all(compare.same_form(o.value, want) for o, want in zip(mine.outcomes, wants, strict=True))
    mutates, single = any(outcome.mutated for outcome in mine.outcomes), standard.single
    if check.kind == "module" or same_form and not mutates and not single and _same_names(answer, check.reference):
        return answer

    @functools.wraps(answer)
    def standing_in(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = run.positional(check.reference, Case("", *args, **kwargs))
        mine = run.cloned(args) if mutates else args
        value = answer(*(a.float() if single and run.is_double(a) else a for a in mine), **kwargs)
        return value if same_form and not single else compare.shaped(value, wants[0], args)

    return standing_in


def _note(standard: Standard, mine: Trial) -> str | None:
    """What is worth a word about a right answer."""
    if standard.single:
        return SINGLE
    if any(outcome.mutated for outcome in mine.outcomes):
        return "It changes its input in place. The cells below give it a copy."
    for case, outcome, want in zip(mine.cases, mine.outcomes, standard.solved.outcomes, strict=True):
        if standard.check.kind == "function" and not compare.same_kind(outcome.value, want.value):
            it = "It" if case is mine.cases[0] else f"On “{case.label}” it"
            return f"{it} gives {compare.form(outcome.value)}. The cells below turn it into {compare.form(want.value)}."
    return None


def _same_names(answer: Any, reference: Callable) -> bool:
    """Whether two functions name their parameters alike."""
    try:
        return list(inspect.signature(answer).parameters) == list(inspect.signature(reference).parameters)
    except (TypeError, ValueError):
        return True
