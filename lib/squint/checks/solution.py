"""A lab's source read as a module: an exercise's solution, and the names it uses, resolved when they are needed."""

from __future__ import annotations

import ast
import contextlib
import functools
import math
import re
import textwrap
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from squint.checks.check import Mistake

SOLUTIONS = Path(__file__).absolute().parents[3] / "solutions"

_CELL = re.compile(r"^# %%(?P<head>.*)\n(?P<code>(?:(?!# %%).*\n?)*)", re.MULTILINE)
_STUB = re.compile(r"^[ \t]*### STUB\n(?:(?![ \t]*### END SOLUTION).*\n)*", re.MULTILINE)
_MARK = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
_BLOCK = re.compile(r"### BEGIN SOLUTION\n(.*?)^[ \t]*### (?:STUB|END SOLUTION)", re.MULTILINE | re.DOTALL)


class Source:
    """The code of a lab, `solutions/NN_name.py`; nothing is read or run before it is asked for.

    Attributes:
        names: what was run so far, and what edits may use whatever the lab imports.
    """

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text
        self._under_way: set[str] = set()
        self.names: dict[str, Any] = {"__name__": "solution", "torch": torch, "F": F, "nn": nn, "math": math}

    @classmethod
    @functools.cache
    def of_lab(cls, lab: str) -> Source:
        """The source of the lab with that number.

        Raises:
            FileNotFoundError: when it is first read, if there is none.
        """

        def read() -> str:
            found = sorted(SOLUTIONS.glob(f"{lab}_*.py"))
            if not found:
                raise FileNotFoundError(f"{SOLUTIONS} has no source of lab {lab}: checks read their solutions there.")
            return found[0].read_text(encoding="utf-8")

        return cls(read)

    @cached_property
    def cells(self) -> dict[str, str]:
        """The code cells by id, as written; text, set-up and checks are left out."""
        cells = {}
        for cell in _CELL.finditer(self._text()):
            head, name = cell["head"], re.search(r'id="([^"]+)"', cell["head"])
            if name and "[markdown]" not in head and '"setup"' not in head and '"check"' not in head:
                cells[name[1]] = cell["code"]
        return cells

    @cached_property
    def _defined_in(self) -> dict[str, list[ast.stmt]]:
        """For each name the statements that give it its meaning: the exercise's cell, else the first definition."""
        where: dict[str, list[ast.stmt]] = {}
        for name, code in self.cells.items():
            statements = ast.parse(answer(code)).body
            for statement in statements:
                for defined in _defines(statement):
                    where.setdefault(defined, [statement])
            if "### BEGIN SOLUTION" in code and name.isidentifier():
                where[name] = statements
        return where

    def resolve(self, code: str | ast.AST, but: Sequence[str] = ()) -> dict[str, Any]:
        """The names that a piece of code uses, run as far as it needs them; those of `but` are its own."""
        tree = ast.parse(code) if isinstance(code, str) else code
        own = {*but, *_bound(tree)}
        for node in ast.walk(tree):
            name = node.id if isinstance(node, ast.Name) else ""
            if name in self.names or name in self._under_way or name in own or name not in self._defined_in:
                continue
            self._under_way.add(name)
            statements = self._defined_in[name]
            for statement in statements:
                self.resolve(statement, [n for each in statements for n in _defines(each)])
            with contextlib.suppress(NameError):  # of a cell that needs an open lab: whoever needs the name will say so
                exec(compile(ast.Module(statements, []), f"<solution of {name}>", "exec"), self.names)  # noqa: S102
        return self.names


class Solution:
    """The right answer to one exercise: its code, what the code makes, and the same with edits."""

    def __init__(self, name: str, source: Source) -> None:
        self.name, self.source = name, source

    @cached_property
    def code(self) -> str:
        """The exercise's cell, solved, without marks, stub and docstrings: what edits are applied to."""
        return without_docstrings(answer(self.source.cells[self.name]))

    @cached_property
    def shown(self) -> str:
        """What a learner is to write, for the last hint."""
        blocks = [textwrap.dedent(block).strip() for block in _BLOCK.findall(self.source.cells[self.name])]
        return "\n\n".join(blocks)

    @cached_property
    def kind(self) -> str:
        """What the cell defines under the exercise's name."""
        for statement in ast.parse(self.code).body:
            if self.name in _defines(statement):
                if isinstance(statement, ast.ClassDef):
                    return "module"
                return "function" if isinstance(statement, ast.FunctionDef) else "value"
        raise NameError(f"the solution of {self.name} does not define it")

    def make(self, code: str | None = None) -> Any:
        """What the code makes; the solution's own if none is given."""
        code = self.code if code is None else code
        names = {**self.source.resolve(code, [self.name])}
        exec(compile(code, f"<{self.name}>", "exec"), names)  # noqa: S102
        made = names[self.name]
        return made.clone() if isinstance(made, torch.Tensor) else made

    def edited(self, mistakes: Sequence[Mistake]) -> str | None:
        """The code with these edits; None where two of them touch the same place.

        Raises:
            ValueError: a fragment does not stand exactly once in the code.
        """
        spans = []
        for mistake in mistakes:
            if self.code.count(mistake.right) != 1:
                raise ValueError(
                    f"{mistake.right!r} stands {self.code.count(mistake.right)} times in {self.name}, not once"
                )
            start = self.code.index(mistake.right)
            spans.append((start, start + len(mistake.right), mistake.wrong))
        spans.sort()
        if any(before[1] > after[0] for before, after in zip(spans, spans[1:], strict=False)):
            return None
        code = self.code
        for start, end, wrong in reversed(spans):
            code = code[:start] + wrong + code[end:]
        return code


def answer(cell: str) -> str:
    """A cell as solved: the stubs and the marks are left out."""
    return _MARK.sub("", _STUB.sub("", cell))


def without_docstrings(code: str) -> str:
    """Code without the docstrings of its functions and classes."""
    lines = code.splitlines(keepends=True)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) and len(node.body) > 1:
            first = node.body[0]
            for number in range(first.lineno - 1, first.end_lineno or first.lineno):
                lines[number] = ""
    return "".join(lines)


def _bound(tree: ast.AST) -> set[str]:
    """The names that a piece of code gives a meaning itself: parameters, and what it assigns."""
    stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return stored | functions | {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}


def _defines(statement: ast.stmt) -> list[str]:
    """The names that a statement of a cell's top level defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in statement.names]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [
            part.id
            for target in targets
            for part in ast.walk(target)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        ]
    return []
