"""What a lab's first cell imports: begin, check, hint, predict, claim, progress, budget, show, track.

`begin` opens a lab and remembers it; the other functions speak about the lab that is open. None of them raises over
what a learner wrote: a failed exercise never breaks the cells below it.
"""

from __future__ import annotations

import importlib
import inspect
import operator
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from squint import device as devices
from squint.checks import engine
from squint.names import changes, steps, uses
from squint.viz import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["begin", "budget", "check", "claim", "hint", "predict", "progress", "show", "track"]

T = TypeVar("T")
CHECK_MIME = "application/vnd.squint.check+json"
CLAIM_MIME = "application/vnd.squint.claim+json"


@dataclass
class Claim:
    """A claim, whether it held, the sentence that says so, and whose work it was where it was not the learner's."""

    text: str
    held: bool
    line: str
    paper: str | None
    course: str = ""


@dataclass
class Lab:
    """An open lab: where it computes, what has been solved, what has been claimed.

    Attributes:
        name: "02_attention".
        device: where tensors should live.
        profile: "smoke", "cpu" or "gpu": how much work is done, see `budget`.
        names: what the notebook has defined; `check("name")` looks there.
    """

    name: str
    device: torch.device
    profile: str
    names: dict[str, Any] = field(default_factory=dict, repr=False)
    checks: dict[str, engine.Check] = field(default_factory=dict)
    verdicts: dict[str, engine.Verdict] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    stand_ins: dict[str, Any] = field(default_factory=dict)

    def generator(self, seed: int = 0) -> torch.Generator:
        """A seeded random generator on the lab's device."""
        return torch.Generator(self.device).manual_seed(seed)


_lab: Lab | None = None


def begin(name: str) -> Lab:
    """Open a lab: seeds, device, threads, figure style. Says in one line what it found.

    Args:
        name: the lab's file name without its ending: "02_attention".

    Raises:
        ValueError: if there is no such lab.
    """
    global _lab
    module = f"squint.checks.lab{name.partition('_')[0]}"
    try:
        checks = importlib.import_module(module).CHECKS
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ValueError(f"there is no lab called {name!r}: begin() takes the name of the notebook's file.") from None
    style.use()
    devices.seed()
    threads, device = devices.threads(), devices.pick()
    _lab = Lab(name, device, devices.profile(device), _notebook_names(), checks)
    where = f"{device.type}, {threads} thread{'s' * (threads > 1)}, torch {torch.__version__}, profile {_lab.profile}"
    print(f"{name} · ⟨{where}⟩")
    return _lab


def _notebook_names() -> dict[str, Any]:
    """The names that the notebook's cells define; outside IPython, those of the script that runs."""
    from IPython import get_ipython

    shell = get_ipython()
    return vars(sys.modules["__main__"]) if shell is None else shell.user_ns


def _open_lab() -> Lab:
    if _lab is None:
        raise RuntimeError("no lab is open: run the set-up cell at the top of the notebook first.")
    return _lab


_MISSING = object()


def check(answer: Any, name: str | None = None) -> Any:
    """Judge an exercise, show the verdict, and return something that works: yours if it is right, else the course's.

    Args:
        answer: the exercise's name, looked up in the notebook; or the answer itself.
        name: the exercise's name, where `answer` is not it and does not carry it.

    Returns:
        The learner's answer if it passes, else the reference, so that every cell below still works.
    """
    lab = _open_lab()
    if name is None and isinstance(answer, str):
        name, answer = answer, lab.names.get(answer, _MISSING)
    elif name is None:
        named = [n for n in lab.checks if lab.names.get(n) is answer]
        name = named[0] if len(named) == 1 else getattr(answer, "__name__", "?")
    if name not in lab.checks:
        print(f"This lab has no exercise called {name!r}. It has: {', '.join(lab.checks)}.")
        return None if answer is _MISSING else answer
    exercise = lab.checks[name]
    verdict = _judge(lab, name, exercise, answer)
    _show_verdict(name, verdict, counted=exercise.kind != "value" or not isinstance(exercise.reference, int | float))
    if verdict.passed:
        lab.verdicts[name] = verdict
        return verdict.usable
    if answer is _MISSING or answer is not lab.stand_ins.get(name, _MISSING):
        lab.verdicts[name] = verdict
    lab.stand_ins[name] = _stand_in(exercise.reference)
    return lab.stand_ins[name]


def _stand_in(reference: Any) -> Any:
    """The reference, as an object that is not also a learner's: Python keeps one 3 for everybody."""
    kind = type(reference)
    return type(kind.__name__, (kind,), {})(reference) if kind in (int, float, str) else reference


def _judge(lab: Lab, name: str, exercise: engine.Check, answer: Any) -> engine.Verdict:
    if answer is _MISSING:
        return engine.Verdict("not-done", f"there is no {name} yet. Run the exercise's cell above first.")
    if answer is lab.stand_ins.get(name, _MISSING):
        hint = (
            "this is the course's version, which stands in for yours. Run your own cell again, then this one. If you "
            f"just did, it stopped with an error, or calls its answer something else than {name}."
        )
        return engine.Verdict("not-done", hint)
    return engine.judge(exercise, answer, device=lab.device)


def _show_verdict(name: str, verdict: engine.Verdict, counted: bool = True) -> None:
    """Say how it went; where the answer is a single number, there are no cases worth counting."""
    more = f' Stuck? hint("{name}")'
    if verdict.passed:
        laws = f" and {_count(verdict.laws, 'law')} hold{'s' * (verdict.laws == 1)}" if verdict.laws else ""
        mark, text = "✓", f"{_count(verdict.cases, 'case')} right{laws}" if counted else "right"
    elif verdict.verdict == "not-done":
        mark, text = "○", (verdict.hint or f"not done yet; the course's version stands in.{more}")
    else:
        mark, text = "✗", f"{verdict.hint}{more}"
    data = {"exercise": name, "verdict": verdict.verdict, "hint": verdict.hint}
    _display(mark, f"{name}: {text}", {CHECK_MIME: data}, verdict.note)


def _count(n: int, thing: str) -> str:
    return f"{n} {thing}{'s' * (n != 1)}"


_TINT = {"✓": "#009E73", "✗": "#D55E00", "○": "#8A8F98"}


def _display(mark: str, text: str, data: dict[str, Any], note: str | None = None) -> None:
    """Show a marked line, as text for terminals and tests, as a tinted line for readers, as data for the grader."""
    from IPython.display import display

    small = f'<br><span style="opacity:.75">{escape(note)}</span>' if note else ""
    # Only the bar and the mark have a colour: the text keeps the theme's own, so it is readable on light and dark.
    html = (
        f'<div style="border-left:4px solid {_TINT[mark]};padding:.3em .8em;white-space:pre-wrap">'
        f'<b style="color:{_TINT[mark]}">{mark}</b> {escape(text)}{small}</div>'
    )
    display({"text/plain": f"{mark} {text}", "text/html": html, **data}, raw=True)


def hint(name: str | None = None, step: int | None = None) -> None:
    """Show the next of an exercise's three hints: a nudge, a plan, the code; and your line put right, if it is known.

    Args:
        name: the exercise; if left out, you are told which there are.
        step: 1, 2 or 3 for that one; the next if left out.
    """
    lab = _open_lab()
    name = getattr(name, "__name__", name)
    if name is None:
        solved = [name for name in lab.checks if _is_solved(lab, name)]
        calls = [f'  hint("{name}")' + " (solved)" * (name in solved) for name in sorted(lab.checks, key=solved.count)]
        print("\n".join(["Say for which exercise:", *calls]))
        return
    if name not in lab.checks:
        print(f"This lab has no exercise called {name!r}. It has: {', '.join(lab.checks)}.")
        return
    steps = lab.checks[name].steps
    at = step if step is not None else min(lab.steps.get(name, 0) + 1, len(steps))
    if not 1 <= at <= len(steps):
        print(f"There are {len(steps)} hints: hint({name!r}, 1) to hint({name!r}, {len(steps)}).")
        return
    lab.steps[name] = at
    kind = ("a nudge", "a plan", "the code")[at - 1]
    print(f"Hint {at} of {len(steps)}, {kind}:\n{inspect.cleandoc(steps[at - 1])}")
    verdict = lab.verdicts.get(name)
    if verdict is not None and verdict.correction:
        print(f"\nIn your own code:\n{verdict.correction}")


@dataclass
class Prediction:
    """A guess at a result before it is seen. `value` is None until the learner answers."""

    question: str
    value: Any = None


def predict(
    question: str,
    choices: Sequence[str] | None = None,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    unit: str = "",
) -> Prediction:
    """Ask for a guess before the result is shown: one of `choices`, or a number from `low` to `high`.

    The figure below draws the guess beside the outcome (`viz.style.draw_guess`); unanswered, the outcome alone.
    Without ipywidgets, set `guess.value` by hand.

    Raises:
        ValueError: if there are neither choices nor both ends of a range.
    """
    if choices is None and (low is None or high is None):
        raise ValueError("predict() needs choices=[…], or low=… and high=….")
    guess = Prediction(question)
    try:
        import ipywidgets as widgets
        from IPython.display import display
    except ImportError:
        print(f"{question}\nSet guess.value = … to your guess" + (f", one of {list(choices)}." if choices else "."))
        return guess
    if choices is not None:
        control = widgets.RadioButtons(options=list(choices), value=None, layout={"width": "max-content"})
    else:
        assert low is not None and high is not None
        control = widgets.FloatSlider(
            value=(low + high) / 2, min=low, max=high, step=step or (high - low) / 100, continuous_update=False
        )
    said = widgets.HTML("<i>Your guess, before you go on?</i>")

    def remember(change: dict[str, Any]) -> None:
        guess.value = change["new"]
        shown = escape(guess.value) if isinstance(guess.value, str) else f"{guess.value:g} {escape(unit)}".strip()
        said.value = f"<i>Your guess: {shown}. Now run the cells below.</i>"

    control.observe(remember, names="value")
    display(widgets.VBox([widgets.HTML(f"<b>{escape(question)}</b>"), control, said]))
    return guess


_RELATIONS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "above": (">", operator.gt),
    "below": ("<", operator.lt),
    "at_least": ("≥", operator.ge),
    "at_most": ("≤", operator.le),
    "equals": ("=", operator.eq),
}


def claim(
    text: str,
    measured: Any,
    *,
    between: tuple[float, float] | None = None,
    near: tuple[float, float] | None = None,
    control: Mapping[str, Any] | None = None,
    unit: str = "",
    paper: str | None = None,
    **relation: Any,
) -> None:
    """Hold a measurement against a claim, and print both: `✓ the beam beats greedy: ⟨31.2⟩ > ⟨29.8⟩`.

    A measurement that would come out the same on nonsense says nothing. So a claim can carry its control: the same
    measurement where the claim must fail (labels shuffled, a random head, a blank picture). It is shown beside the
    claim, and a claim whose control fits as well is not held.

    Args:
        text: what is claimed.
        measured: the number, or the thing, that was measured.
        between: lowest and highest value that fit.
        near: a value and the distance from it that still fits.
        control: what the measurement is where it must not fit, by what was done: `{"labels shuffled": 0.02}`.
        unit: stands behind the numbers.
        paper: who claimed it first, and where.
        relation: one of above, below, at_least, at_most, equals.

    Returns nothing, so that a cell may end with it; the lab remembers whether it held.

    Raises:
        TypeError: unless exactly one relation is given.
    """
    given = {name: bound for name, bound in {**relation, "between": between, "near": near}.items() if bound is not None}
    if len(given) != 1 or not set(relation) <= set(_RELATIONS):
        raise TypeError(
            "claim() takes one of above, below, at_least, at_most, equals, between=(low, high), near=(x, tol)"
        )
    ((kind, bound),) = given.items()
    bound = [_plain(each) for each in bound] if kind in ("between", "near") else _plain(bound)
    value = _plain(measured)
    held, outcome = _holds(kind, value, bound, unit)
    controls = {name: _plain(found) for name, found in (control or {}).items()}
    for name, found in controls.items():
        fits, nothing = _holds(kind, found, bound, unit)[0], found != found  # NaN fits nowhere, and shows nothing
        outcome += f"; {name}: {_measured(found, unit)}"
        outcome += ", which fits as well" * fits + ", which was not measured" * nothing
        held &= not (fits or nothing)
    line, course = f"{text}: {outcome}", _stood_in(_open_lab())
    whose = f" (with the course's version of {', '.join(course)})" if course else ""
    _open_lab().claims[text] = Claim(text, held, line, paper, whose)
    data = {"claim": text, "held": held, "measured": value, "relation": kind, "bound": bound, "paper": paper}
    data |= {"control": controls} | ({"course": course} if course else {})
    _display("✓" if held else "✗", line + (f" ({paper})" if paper else "") + whose, {CLAIM_MIME: data})


def _is_solved(lab: Lab, name: str) -> bool:
    return name in lab.verdicts and lab.verdicts[name].passed


def _is_trained(thing: Any) -> bool:
    """Whether a thing has weights, so that whoever uses it may have changed it."""
    return isinstance(thing, torch.nn.Module) or (isinstance(thing, torch.Tensor) and thing.requires_grad)


def _stood_in(lab: Lab) -> list[str]:
    """The exercises, not solved, whose stand-in had a part in what the running cell claims.

    That is: its claims use it, or a line that made what they use, or one that trained it. Where no record of what was
    run says so, they all had.
    """
    course = [name for name in lab.checks if name in lab.stand_ins and not _is_solved(lab, name)]
    if not course:
        return []
    cells = lab.names.get("In") or [""]
    needed = frozenset[str]().union(*(uses(step) for step in steps(cells[-1]) if "claim" in uses(step)))
    for step in reversed([step for cell in cells for step in steps(cell)]):
        trained = {name for name in needed if _is_trained(lab.names.get(name))}
        if changes(step) & needed or uses(step) & trained:
            needed |= uses(step)
    return [name for name in course if name in needed or not needed]


def _holds(kind: str, value: Any, bound: Any, unit: str) -> tuple[bool, str]:
    """Whether a value stands to its bound as it should, and how it stands to it."""
    shown = _measured(value, unit)
    if kind == "between":
        low, high = bound
        return bool(low <= value <= high), f"{_measured(low, unit)} ≤ {shown} ≤ {_measured(high, unit)}"
    if kind == "near":
        centre, distance = bound
        within = f"{shown} within {_measured(distance, unit)} of {_measured(centre, unit)}"
        return bool(abs(value - centre) <= distance), within
    sign, holds = _RELATIONS[kind]
    held = bool(holds(value, bound))
    sign = sign if held else {">": "≤", "<": "≥", "≥": "<", "≤": ">", "=": "≠"}[sign]
    return held, f"{shown} {sign} {_measured(bound, unit)}"


def _plain(value: Any) -> Any:
    """A one-element tensor or numpy scalar as a Python number."""
    return value.item() if hasattr(value, "item") else value


def _measured(value: Any, unit: str) -> str:
    number = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
    number = f"{value:.4g}" if isinstance(value, float) else number
    return f"⟨{number}{' ' * bool(unit and unit != '%')}{unit}⟩"


def progress() -> None:
    """Print what is solved and what was measured in this lab so far."""
    lab = _open_lab()
    done = sum(_is_solved(lab, name) for name in lab.checks)
    print(f"{lab.name}: {done} of {_count(len(lab.checks), 'exercise')} solved")
    marks = {"passed": "✓", "not-done": "○"}
    for name in lab.checks:
        verdict = lab.verdicts.get(name)
        print(f"  {marks.get(verdict.verdict, '✗') if verdict else '○'} {name}")
    held = sum(c.held for c in lab.claims.values())
    print(f"{held} of {_count(len(lab.claims), 'claim')} held")
    for entry in lab.claims.values():
        print(f"  {'✓' if entry.held else '✗'} {entry.text}{entry.course}")


def budget(*, cpu: int, gpu: int, smoke: int) -> int:
    """The number of steps for this lab's profile: enough to show the point on a laptop, more where there is a GPU."""
    return {"cpu": cpu, "gpu": gpu, "smoke": smoke}[_open_lab().profile]


def show(figure: Figure, alt: str) -> None:
    """Show a figure with its alternative text, and close it.

    Args:
        figure: a matplotlib figure.
        alt: one sentence that says what one sees, for readers who do not see it.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    display({"text/html": style.html(figure, alt), "text/plain": f"figure: {alt}"}, raw=True)
    plt.close(figure)


def track(things: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """A progress bar over `things` with the time left; silent where nobody watches.

    Args:
        things: what to go through.
        what: what is being done: "training the vectors".
        total: how many there are, where `len(things)` does not tell.
    """
    from tqdm.auto import tqdm

    return tqdm(things, desc=what, total=total, file=sys.stdout, leave=False, mininterval=0.3)
