"""Which mistake an answer makes: one that has a name, two of them, a slip in a line of the learner's, or both kinds.

In this order, the simplest explanation that fits every case first; one that needs a change of the learner's code must
fit the cases of another seed, too. Where nothing fits, nothing is said here.
"""

from __future__ import annotations

import bisect
import contextlib
import inspect
import itertools
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from squint.checks import compare, run, tell
from squint.checks.check import Case, Check, Mistake
from squint.checks.repair import Code, Repair
from squint.checks.run import OutOfTime, Trial, alike

SECONDS = 3.0
"""How long an explanation is looked for."""
ONE_RUN = 0.25
"""Seconds that a mistake or a changed answer may take on one case."""

LIKE = {"an exponential": "exp|softmax", "a logarithm": "log|entropy", "a softmax": "softmax", "a log_softmax": "log_"}
"""What is believed missing only where the solution has the like: it may leave an order or a softmax as they are."""

_ANYTHING = re.compile("too much|the wrong name|where a name|the right number|(term|factor|division) is missing")
"""Changes that can turn an answer into anything, a mistake with a name among it."""


class Clock:
    """Says when a share of `SECONDS` is spent: of this thread's own time, on a busy machine of twice as much."""

    def __init__(self) -> None:
        self._began = time.thread_time(), time.monotonic()

    def over(self, share: float = 1.0) -> bool:
        """Whether that share is spent."""
        mine, all_in_all = time.thread_time() - self._began[0], time.monotonic() - self._began[1]
        return max(mine, all_in_all / 2) > share * SECONDS


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, in a sentence or two; and the learner's lines as they should read, for whoever asks for a hint."""

    sentence: str
    correction: str | None = None


class Standard:
    """A check's cases for one seed and device, with the right outcomes and those of the mistakes that have names."""

    def __init__(self, check: Check, seed: int, device: torch.device | None, single: bool = False) -> None:
        self.check, self.seed, self.device = check, seed, device or torch.device("cpu")
        self.single = single
        cases = [case for case in check.cases(seed) if self.device.type != "mps" or not run.is_double(case)]
        self.cases: list[Case] = [run.moved(case, self.device, single) for case in cases]
        self.solved = run.trial(check, check.reference, self.cases)
        self._pairs: dict[tuple[Mistake, ...], Trial | None] = {}
        self._slips: dict[int, list[float]] = {}

    @classmethod
    def of(cls, check: Check, seed: int, device: torch.device | None, single: bool = False) -> Standard:
        """The one that was made before, if there was."""
        key = (seed, str(device or "cpu"), single)
        if key not in check.kept:
            check.kept[key] = cls(check, seed, device, single)
        return check.kept[key]

    @cached_property
    def _spare(self) -> list[Case]:
        """Copies of the cases, for changed answers: what they do to a module stays with it."""
        return [run.fresh(case) for case in self.cases]

    def trial(self, subject: Any, limit: float | None = ONE_RUN) -> Trial:
        """Something else on these cases."""
        return run.trial(self.check, subject, self.cases if limit is None else self._spare, limit)

    @cached_property
    def named(self) -> list[tuple[tuple[Mistake, ...], Trial]]:
        """Every mistake that has a name, made."""
        made = [((mistake,), self.made(mistake)) for mistake in self.check.misconceptions]
        return [(mistakes, trial) for mistakes, trial in made if trial is not None]

    @cached_property
    def varied(self) -> list[tuple[tuple[Mistake, ...], Trial]]:
        """Of these, those whose outcome is not one number throughout: any nonsense turns an answer into such a one."""
        everywhere = range(len(self.cases))
        return [(m, t) for m, t in self.named if any(run.tells(t.outcome(i).value, varied=True) for i in everywhere)]

    def pairs(self) -> Iterator[tuple[tuple[Mistake, ...], Trial]]:
        """Every two named edits at different places, both made."""
        for pair in itertools.combinations([m for m in self.check.misconceptions if m.version is None], 2):
            if pair not in self._pairs:
                self._pairs[pair] = self.made(*pair)
            if (trial := self._pairs[pair]) is not None:
                yield pair, trial

    def made(self, *mistakes: Mistake) -> Trial | None:
        """The solution with these mistakes; None if they touch the same place or it cannot be made."""
        if len(mistakes) == 1 and mistakes[0].version is not None:
            return self.trial(mistakes[0].version)
        code = self.check.solution.edited(mistakes)
        try:
            return None if code is None else self.trial(self.check.solution.make(code))
        except Exception:
            return None

    def slips(self, i: int) -> list[float]:
        """What the solution comes to on case `i` with one slip in it, as marks in order; as time allows."""
        if i not in self._slips:
            code, marks, clock = Code.of_solution(self.check.solution), set(), Clock()
            for slip in code.repairs(_arguments(self.check.reference, self.cases[i])):
                if clock.over(0.2):
                    break
                back = slip.put()
                subject = code.make()
                back()
                if subject is not None:
                    with contextlib.suppress(OutOfTime):
                        marks.add(self.trial(subject).mark(i))
            self._slips[i] = sorted(mark for mark in marks if isinstance(mark, float))
        return self._slips[i]

    def right(self, trial: Trial, i: int) -> bool:
        """Whether an outcome is right."""
        if self.check.compare is not None:
            mine, want = trial.outcome(i), self.solved.outcome(i).value
            try:
                value = run.normalised(self.check, mine.value)
                return mine.error is None and self.check.compare(value, want, self.cases[i]) is None
            except Exception:
                return False
        surely = trial.limit is None  # an answer is likely to be right, a change is not
        return (surely or trial.may_agree(self.solved, i)) and trial.agrees(self.solved, i)

    def all_right(self, trial: Trial, first: int) -> bool:
        """Whether every outcome is right; the case that fails soonest is tried first."""
        return all(self.right(trial, i) for i in (first, *(i for i in range(len(self.cases)) if i != first)))


def diagnose(answer: Any, mine: Trial, standard: Standard, failing: Sequence[int]) -> Diagnosis | None:
    """What an answer that fails on these cases does wrong; None where nothing is found in `SECONDS`."""
    clock, everywhere = Clock(), range(len(mine.cases))
    if named := _named(mine, standard.named, everywhere, failing, clock):
        return Diagnosis(named[0].sentence)
    pair = _named(mine, standard.pairs(), everywhere, failing, clock)
    errors = [error for i in failing if isinstance(error := mine.outcome(i).error, TypeError)]
    never_begun = len(errors) == len(failing) and not any(map(tell.own_place, errors))  # its first line does not fit
    code = None if mine.check.kind == "value" or never_begun else Code.of(answer)
    search = code and _Search(code, mine, standard, failing[0], clock)
    if search and (found := search.one(dearest=1.3 if pair else 9)):
        return found
    if pair:
        return Diagnosis(f"There are two mistakes here. {pair[0].sentence} And: {pair[1].sentence}")
    if named := _named(mine, standard.named, failing, failing, Clock()):
        return Diagnosis(named[0].sentence)
    return search.two() if search else None


def _named(
    mine: Trial, made: Iterable[tuple], cases: Sequence[int], failing: Sequence[int], clock: Clock
) -> tuple[Mistake, ...] | None:
    """The first mistakes that come to the answer's own outcomes on these cases."""
    for mistakes, trial in made:
        with contextlib.suppress(OutOfTime):
            if _same(mine, trial, cases, failing):
                return mistakes
        if clock.over(0.3):
            break
    return None


def _same(mine: Trial, named: Trial, cases: Sequence[int], failing: Sequence[int]) -> bool:
    """Whether both come to the same on these cases. Where an answer raises, in fewer than half, it may differ.

    If it fails only where it raises, it may not: a mistake that is right elsewhere would fit any such answer.
    What is not a number anywhere tells nothing.
    """
    runs = [i for i in cases if mine.outcome(i).error is None]
    if not runs or not mine.may_agree(named, runs[0]):
        return False
    held = runs if 2 * len(runs) > len(cases) and not set(runs).isdisjoint(failing) else cases
    return any(run.tells(mine.outcome(i).value) for i in runs) and all(mine.agrees(named, i) for i in held)


def _arguments(answer: Any, case: Case) -> dict[str, Any]:
    """A case's arguments by the names that the answer gives them."""
    try:
        bound = inspect.signature(answer).bind(*(case.init if inspect.isclass(answer) else case.args), **case.kwargs)
    except (TypeError, ValueError):
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)


class _Search:
    """Changes of the learner's own code, tried one by one and then in twos."""

    def __init__(self, code: Code, mine: Trial, standard: Standard, probe: int, clock: Clock) -> None:
        self.code, self.mine, self.standard, self.probe, self.clock = code, mine, standard, probe, clock
        right, repairs = standard.check.solution.code, code.repairs(_arguments(mine.subject, standard.cases[probe]))
        strange = tuple(f"{what} is m" for what, its in LIKE.items() if not re.search(its, right))
        self.repairs = [repair for repair in repairs if not repair.sentence.startswith(strange)]
        self.other = Standard.of(standard.check, standard.seed + 1, standard.device, standard.single)
        self.tried: list[tuple[float, Repair, float | str | None]] = []
        self.and_named: tuple[Repair, Mistake] | None = None

    def one(self, dearest: float) -> Diagnosis | None:
        """The likeliest change that alone makes the answer right. On the way, what the others come to is noted."""
        for repair in self.repairs:
            if repair.cost > dearest or self.clock.over(0.6):
                break
            if self._fits(repair):
                return Diagnosis(f"In your line {self._says(repair)}", self.code.correction(repair))
        return None

    def two(self) -> Diagnosis | None:
        """A change that leaves a mistake with a name; else two changes that make the answer right together."""
        if self.and_named:
            repair, mistake = self.and_named
            sentence = f"There are two mistakes here. In your line {self._says(repair)} And: {mistake.sentence}"
            return Diagnosis(sentence, self.code.correction(repair))
        slips, error = self.standard.slips(self.probe), self.mine.outcome(self.probe).error
        trace = tell.own_place(error) if error else None
        raised = trace.tb_lineno if trace else None

        def unlikely(tried: tuple[float, Repair, float | str | None]) -> float:
            distance, repair, mark = tried
            near = bisect.bisect_left(slips, mark - 1e-3) if isinstance(mark, float) else len(slips)
            one_slip_left = near < len(slips) and alike(mark, slips[near], 2e-3)  # type: ignore[arg-type]
            return (
                distance
                + repair.cost / 2
                - 10 * (one_slip_left and distance <= 1)
                - 20 * (distance == 0)
                - 2 * (repair.line == raised)
            )

        firsts = [repair for _, repair, _ in sorted(self.tried, key=unlikely)]
        for least, most, how_many in ((0, 1.05, 30), (1.05, 1.35, 20), (1.35, 1.7, 10), (1.7, 2.3, 6)):
            seconds = [repair for repair in self.repairs if least < repair.cost <= most]
            for first in firsts[:how_many]:
                if second := self._second(first, seconds):
                    early, late = sorted((first, second), key=lambda repair: repair.line)
                    also = f"{late.sentence}." if early.line == late.line else f"in your line {self._says(late)}"
                    says = f"There are two mistakes here. In your line {self._says(early)} And {also}"
                    return Diagnosis(says, self.code.correction(first, second))
        return None

    def _second(self, first: Repair, seconds: list[Repair]) -> Repair | None:
        """Which of these makes the answer right together with the first."""
        back = first.put()
        try:
            return next((r for r in seconds if not self.clock.over() and self._fits(r, note=False)), None)
        finally:
            back()

    def _says(self, repair: Repair) -> str:
        return f"`{self.code.line(repair.line)}`: {repair.sentence}."

    def _fits(self, repair: Repair, note: bool = True) -> bool:
        """Whether a change makes the answer right on all cases of two seeds. If not: how far it got."""
        back = repair.put()
        try:
            subject = self.code.make()
        finally:
            back()
        if subject is None:
            return False
        trial = self.standard.trial(subject)
        try:
            if self.standard.all_right(trial, self.probe):
                return self.other.all_right(self.other.trial(subject), self.probe)
            if note:
                self._note(trial, repair)
        except OutOfTime:
            pass
        return False

    def _note(self, trial: Trial, repair: Repair) -> None:
        everywhere = range(len(trial.cases))
        fit = self.and_named is None and repair.cost < 2.3 and not _ANYTHING.search(repair.sentence)
        for (mistake,), named in self.standard.varied if fit else ():
            if not trial.may_agree(named, self.probe) or not _same(trial, named, everywhere, everywhere):
                continue
            if all(trial.outcome(i).error is not None or self.standard.right(trial, i) for i in everywhere):
                continue
            if not any(self._spoils(trial, i) for i in everywhere):
                self.and_named = (repair, mistake)
                return
        if repair.cost < 2.3 and not (trial.may_agree(self.mine, self.probe) and repair.cost > 1.3):
            self.tried.append((self._distance(trial), repair, trial.mark(self.probe)))

    def _spoils(self, trial: Trial, i: int) -> bool:
        """Whether a change makes wrong what was right before, or raises where nothing did."""
        if trial.outcome(i).error is not None:
            return self.mine.outcome(i).error is None
        return self.standard.right(self.mine, i) and not self.standard.right(trial, i)

    def _distance(self, trial: Trial) -> float:
        """How far from right on the failing case: the share of wrong entries, 2 for another form, more if it raises."""
        outcome, want = trial.outcome(self.probe), self.standard.solved.outcome(self.probe)
        if outcome.error is not None:
            trace = tell.own_place(outcome.error)
            return 2 + 1 / (1 + trace.tb_lineno) if trace else 3.0  # the later it raises, the nearer
        mine, right = (run.normalised(self.standard.check, value) for value in (outcome.value, want.value))
        if compare.structure(mine, right):
            return 2.0
        if isinstance(right, torch.Tensor) and right.numel() > 1 and isinstance(mine, torch.Tensor):
            same = torch.isclose(mine.cpu().double(), right.cpu().double(), rtol=1e-4, atol=1e-5, equal_nan=True)
            return 1 - same.double().mean().item()
        return 1.0
