"""Finds a learner's answers, whatever became of the ids, the metadata, the kind and the order of a notebook's cells.

An answer is whatever defines the exercise's name: a function, a class, a value, an import, in any cell of theirs.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from squint.names import UNREADABLE, changes, defined, defines, statements, uses

from .source import checked

_CELL_MAGIC = re.compile(r"\s*%%(\w*)")
_HERE = ("time", "capture", "prun")
"""Cell magics below which a cell still defines names of the notebook."""


@dataclass(frozen=True)
class Theirs:
    """A cell of the learner's notebook."""

    text: str
    ids: tuple[str, ...] = ()
    kind: str = "code"
    ran: int = 0

    @cached_property
    def python(self) -> str:
        """The cell as Python."""
        return python(self.text)

    @cached_property
    def checks(self) -> set[str]:
        """The exercises that it has judged."""
        try:
            return checked(self.python)
        except UNREADABLE:
            return set(re.findall(r"""\bcheck\(\s*["']?(\w+)""", self.text))


@dataclass
class Skeleton:
    """The solution's code cells, and what of the learner's belongs to each."""

    cells: list[NotebookNode]
    answers: dict[str, str | None]
    stubs: dict[str, str]
    scratch: list[tuple[int, str]]
    """(position of the solution's cell that it follows, code); -1 stands before the first."""
    others: dict[str, list[str]] = field(default_factory=dict)
    """Up to three further answers to an exercise, which count if they are right."""
    elsewhere: dict[str, str] = field(default_factory=dict)
    """Exercises whose answer stands in a cell that does not run: that cell's kind."""


@cache
def python(text: str) -> str:
    """A cell as Python, line by line: magics as IPython rewrites them; of a cell under `%%time` what stands below."""
    magic = _CELL_MAGIC.match(text)
    if magic and magic[1] not in _HERE:
        return ""
    body = text[magic.end() :].partition("\n")[2] if magic else text
    # IPython drops blank lines at the top.
    before = text.count("\n") - body.count("\n") + body[: len(body) - len(body.lstrip())].count("\n")
    try:
        return "\n" * before + TransformerManager().transform_cell(body)
    except UNREADABLE:
        return text


def without(text: str, drop: Callable[[ast.stmt], bool]) -> str:
    """A cell less some of its statements, each of the others at its line; if it is not Python, less its checks."""
    lines = text.encode().split(b"\n")
    try:
        nodes = [node for node in statements(python(text)) if drop(node)]
    except UNREADABLE:
        return re.sub(r"^.*\bcheck\(.*$", "", text, flags=re.MULTILINE)
    # From the end, so that two on one line both stand where they were.
    for node in reversed(nodes):
        decorators = [each.lineno for each in getattr(node, "decorator_list", [])]
        first, last = min([node.lineno, *decorators]) - 1, node.end_lineno or node.lineno
        head, tail = lines[first][: node.col_offset], lines[last - 1][node.end_col_offset :]
        alone = not node.col_offset and not tail.strip()
        lines[first:last] = [b"" if alone else head + b"pass" + tail, *[b""] * (last - first - 1)]
    return b"\n".join(lines).decode()


def match(notebook: dict[str, Any], solution: NotebookNode, shipped: NotebookNode) -> Skeleton:
    """Find the learner's answers and scratch cells."""
    ours = [cell for cell in solution.cells if cell.cell_type == "code"]
    stubs = {cell.id: cell.source for cell in shipped.cells if cell.cell_type == "code" and _is(cell, "exercise")}
    position = {cell.id: number for number, cell in enumerate(ours) if _is(cell, "exercise")}
    every = [_theirs(cell) for cell in notebook["cells"] if isinstance(cell, dict)]
    theirs = [cell for cell in every if cell.kind == "code"]
    place = [_place(cell, ours, stubs) for cell in theirs]
    skeleton = Skeleton(ours, {}, stubs, [])
    chosen: set[int] = set()
    for name in position:
        # Where nothing gives the name to anything: its own cell, as they left it.
        own = [number for number, where in enumerate(place) if where == position[name]]
        ranked = _ranked(name, theirs, place, skeleton, position) or own[-1:]
        texts = [_for(name, theirs[number].text, position) for number in ranked]
        skeleton.answers[name] = texts[0] if texts else None
        skeleton.others[name] = [text for text in texts[1:4] if text.strip() != stubs[name].strip()]
        chosen |= set(ranked[:1])
        if not texts or texts[0].strip() == stubs[name].strip():
            kinds = [cell.kind for cell in every if _holds(name, cell, shipped)]
            skeleton.elsewhere |= {name: kinds[0]} if kinds else {}
    _add_scratch(skeleton, theirs, place, chosen, position)
    return skeleton


def _theirs(cell: dict[str, Any]) -> Theirs:
    source, metadata, ran = cell.get("source", ""), cell.get("metadata"), cell.get("execution_count")
    squint = metadata.get("squint") if isinstance(metadata, dict) else None
    kept = squint.get("id") if isinstance(squint, dict) else None
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    ids = tuple(id for id in (kept, cell.get("id")) if isinstance(id, str))
    # Half of a character, as broken JSON may hold, is nothing that can be written to a file.
    text = text.encode("utf-8", "replace").decode()
    return Theirs(text, ids, str(cell.get("cell_type")), ran if isinstance(ran, int) else 0)


def _place(cell: Theirs, ours: list[NotebookNode], stubs: dict[str, str]) -> int | None:
    """Which of our cells one of theirs is: by the id in its metadata, by its id, by its text, by what it checks."""
    for id in cell.ids:
        for position, one in enumerate(ours):
            if one.id == id:
                return position
    for position, one in enumerate(ours):
        if cell.text.strip() in (one.source.strip(), stubs.get(one.id, one.source).strip()):
            return position
    for position, one in enumerate(ours):
        if _is(one, "check") and cell.checks & checked(one.source) and not defines(python(without(cell.text, _judges))):
            return position
    return None


def _ranked(
    name: str, theirs: list[Theirs], place: list[int | None], skeleton: Skeleton, exercises: dict[str, int]
) -> list[int]:
    """The cells that define an exercise's name, best first.

    That is: more than the stub; seen by a check that came after; last, since so it is in a run from top to bottom.
    """
    found = []
    for number, (cell, where) in enumerate(zip(theirs, place, strict=True)):
        text = _for(name, cell.text, exercises) if name in cell.text else ""
        # A cell of the lab may use the name for a thing of its own.
        lab = skeleton.cells[where] if where is not None and where != exercises[name] else None
        if name not in defines(python(text)) or (lab and name in defines(_for(name, lab.source, exercises))):
            continue
        seen = any(name in other.checks and (i >= number or other.ran > cell.ran) for i, other in enumerate(theirs))
        found.append((text.strip() != skeleton.stubs[name].strip(), seen, number))
    return [number for *_, number in sorted(found, reverse=True)]


def _for(name: str | None, text: str, exercises: dict[str, int]) -> str:
    """Of a cell what answers one exercise: no check, which would hand back the course's version, no other's answer."""
    others = exercises.keys() - {name}
    return without(text, lambda node: _judges(node) or bool(defined(node)) and defined(node) <= others)


def _judges(node: ast.stmt) -> bool:
    """Whether a statement calls `check`."""
    if not isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign):
        return False
    calls = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
    return any("check" in (getattr(function, "id", None), getattr(function, "attr", None)) for function in calls)


def _holds(name: str, cell: Theirs, shipped: NotebookNode) -> bool:
    """Whether a cell that is no code holds an exercise's answer."""
    if cell.kind == "code" or any(cell.text == one.source for one in shipped.cells):
        return False
    return name in cell.ids or name in defines(cell.text)


def _add_scratch(
    skeleton: Skeleton, theirs: list[Theirs], place: list[int | None], chosen: set[int], position: dict[str, int]
) -> None:
    """Put the learner's other cells where they stand, and before an answer those that make what it uses.

    Of the lab's own cells that they changed, the lab's text runs; theirs only where an answer needs what it makes.
    """
    found: list[tuple[int, str, frozenset[str], bool]] = []
    last = -1
    for number, (cell, where) in enumerate(zip(theirs, place, strict=True)):
        last = last if where is None else where
        text = _for(None, cell.text, position)
        ours = skeleton.cells[where] if where is not None and where not in position.values() else None
        if number in chosen or not text.strip() or (ours and text.strip() == _for(None, ours.source, position).strip()):
            continue
        makes = changes(python(text)) - (changes(ours.source) if ours else frozenset())
        found.append((last - 1 if ours else last, text, makes, ours is None))
    for name, at in position.items():
        needed = uses(python(skeleton.answers[name] or ""))
        for number, (follows, text, makes, runs) in reversed(list(enumerate(found))):
            if (follows >= at or not runs) and makes & needed:
                found[number] = (min(follows, at - 1), text, makes, True)
                needed |= uses(python(text))
    skeleton.scratch = [(follows, text) for follows, text, _, runs in found if runs]


def _is(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])
