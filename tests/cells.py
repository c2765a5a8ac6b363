"""Answers as learners give them: as the text of a cell, which Python remembers."""

import importlib
import inspect
import itertools
import linecache
import textwrap
from typing import Any

from squint.checks.check import Check
from squint.checks.solution import Solution, Source

_number = itertools.count()


def define(source: str, name: str, names: dict[str, Any]) -> Any:
    """What a cell with this text defines under that name, where `names` are known."""
    source = source.strip("\n") + "\n"
    file = f"/tmp/ipykernel_1/{next(_number)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope = {**names, "__name__": "__main__"}
    exec(compile(source, file, "exec"), scope)
    return scope[name]


def answered(lab: str, exercise: str, source: str) -> Any:
    """The same in that lab's notebook: its imports and earlier exercises are there, those of the course."""
    return define(source, exercise, dict(Source.of_lab(lab).resolve(source, [exercise])))


def checks(lab: str) -> dict[str, Check]:
    """A lab's checks by exercise."""
    return importlib.import_module(f"squint.checks.lab{lab}").CHECKS


def answers(lab: str) -> Any:
    """The module of a lab's answers: RIGHT and WRONG."""
    return importlib.import_module(f"answers.lab{lab}")


def is_named(check: Check, hint: str | None, correction: str | None) -> bool:
    """Whether a verdict says which mistake it was, and not only how the numbers differ."""
    return correction is not None or any(mistake.sentence in (hint or "") for mistake in check.misconceptions)


def solution(thing: Any, code: str = "") -> Solution:
    """A solution that stands in no lab: a function or class of a test's, or `code` that defines the name `thing`."""
    name = thing if code else thing.__name__
    code = code or textwrap.dedent(inspect.getsource(thing))
    source = Source(lambda: f'# %% id="{name}"\n### BEGIN SOLUTION\n{code}\n### END SOLUTION\n')
    if not isinstance(thing, str):
        source.names.update(vars(inspect.getmodule(thing)))
    return Solution(name, source)
