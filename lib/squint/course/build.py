"""From `solutions/NN_name.py`: the executed `solutions/NN_name.ipynb` and the learner's `labs/NN_name.ipynb`.

Both are generated and committed. `in_step` proves, without executing, that they are what the source gives.
"""

from __future__ import annotations

import copy
import hashlib
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from . import execute as execution
from . import ipynb, source
from .project import CourseError, Project, Refusal, Refused
from .source import Cell, Lab

CELL_BUDGET = 60
"""Seconds that no cell of a solution should exceed on two cores."""

LAB_BUDGET = 120
"""Seconds that no solution should exceed on two cores."""


@dataclass(frozen=True)
class Built:
    """What a build measured: seconds per code cell, by id; none if nothing was executed."""

    lab: str
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        """Seconds of the whole lab."""
        return sum(self.seconds.values())

    def slowest(self, n: int = 3) -> list[tuple[str, float]]:
        """The slowest cells, slowest first."""
        return sorted(self.seconds.items(), key=lambda item: -item[1])[:n]

    def warnings(self) -> list[str]:
        """A sentence for each budget that was exceeded."""
        slow = [f"{id} took {s:.0f} s; a cell has {CELL_BUDGET} s." for id, s in self.slowest() if s > CELL_BUDGET]
        return slow + ([f"The lab took {self.total:.0f} s; it has {LAB_BUDGET} s."] if self.total > LAB_BUDGET else [])


def setup_code(lab: str, version: str, repository: str) -> str:
    """The set-up cell of every lab: on Colab it fetches the release it was built for; elsewhere it only imports."""
    return textwrap.dedent(f"""\
        import sys

        if "google.colab" in sys.modules:
            import os
            import subprocess

            home = "/content/squint-v{version}"
            release = ["--branch=v{version}", "{repository}", home]
            fetch = ["git", "clone", "--quiet", "--depth=1", *release]
            os.path.isdir(home) or subprocess.run(fetch, check=True)
            sys.path.insert(0, home + "/lib")
            import squint.bootstrap

            squint.bootstrap.colab()

        from squint.notebook import *

        lab = begin("{lab}")""")


def build(path: Path, project: Project, execute: bool = True) -> Built:
    """Build one lab from its source.

    Args:
        path: the source.
        project: the checkout it belongs to.
        execute: run the solution; without, keep the outputs it has and renew prose and metadata only.

    Raises:
        Refused: the source breaks a rule, a cell raised, or without `execute` the code is not the code that ran.
    """
    lab = source.read(path)
    solution, learner = notebooks(lab, project)
    target = path.with_suffix(".ipynb")
    if execute:
        seconds = execution.run(lab, solution, project)
        for cell in solution.cells:
            if cell.cell_type == "code":
                cell.metadata.squint.seconds = seconds[cell.id]
    else:
        seconds = {}
        _take_outputs(lab, solution, ipynb.read(target))
    ipynb.write(target, solution)
    ipynb.write(project.labs / target.name, learner)
    return Built(lab.name, seconds)


def notebooks(lab: Lab, project: Project) -> tuple[NotebookNode, NotebookNode]:
    """The solution, not yet executed, and the learner's notebook."""
    version, repository = project.release()
    about = {"lab": lab.name, "title": lab.header["title"], "version": version}
    pair = []
    for learner in (False, True):
        notebook = new_notebook(nbformat_minor=5)
        notebook.cells = [_cell(cell, setup_code(lab.name, version, repository), learner) for cell in lab.cells]
        shown = [(cell.id, cell.source) for cell in notebook.cells]
        # The edition tells a learner's copy from a lab that has changed since.
        extra = {"edition": _hash(shown)[:12]} if learner else {"source_hash": code_hash(lab)}
        notebook.metadata = nbformat.from_dict(
            {
                "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
                "squint": about | extra,
            }
        )
        pair.append(notebook)
    return pair[0], pair[1]


def code_hash(lab: Lab) -> str:
    """A hash of all that a solution executes, but for the generated set-up cell: are its outputs current?"""
    code = [(cell.id, source.solution_code(cell.text), cell.tags) for cell in lab.code if "setup" not in cell.tags]
    return _hash(code)


def in_step(path: Path, project: Project) -> list[Refusal]:
    """What is out of step between a source and the two notebooks made from it. Executes nothing.

    Raises:
        Refused: the source itself breaks a rule.
    """
    lab = source.read(path)
    solution, learner = notebooks(lab, project)
    line = {cell.id: cell.line for cell in lab.cells}
    again = f"run `squint build {lab.name.partition('_')[0]}`."
    try:
        have, shipped = ipynb.read(path.with_suffix(".ipynb")), ipynb.read(project.labs / f"{lab.name}.ipynb")
    except CourseError as error:
        return [Refusal(path, 1, str(error))]
    if have.metadata.get("squint", {}).get("source_hash") != code_hash(lab):
        now = {cell.id: cell.source for cell in solution.cells if cell.cell_type == "code"}
        then = {cell.id: cell.source for cell in have.cells if cell.cell_type == "code"}
        edited = [id for id in now | then if now.get(id) != then.get(id)]
        what = f" ({', '.join(edited[:5])}{' …' * (len(edited) > 5)})" if edited else ""
        at = next((line[id] for id in edited if id in line), 1)
        return [Refusal(path, at, f"The code was edited since the solution was executed{what}: {again}")]
    wrong = []
    if nbformat.writes(shipped) != nbformat.writes(learner):
        wrong.append(Refusal(path, 1, f"The learner's notebook is not what the source gives: {again}"))
    if _bare(have) != _bare(solution):
        wrong.append(Refusal(path, 1, f"The solution's notebook is not what the source gives: {again}"))
    for count, cell in enumerate((cell for cell in have.cells if cell.cell_type == "code"), 1):
        at = line.get(cell.id, 1)
        said = f"The cell `{cell.id}` of the solution"
        if cell.execution_count != count:
            wrong.append(Refusal(path, at, f"{said} was not executed in its turn: {again}"))
        if any(output.output_type == "error" for output in cell.outputs):
            wrong.append(Refusal(path, at, f"{said} raised."))
        if any("✗" in text for text in execution.output_texts(cell)):
            wrong.append(Refusal(path, at, f"{said} shows ✗."))
    return wrong


def _hash(thing: Any) -> str:
    return hashlib.sha256(repr(thing).encode()).hexdigest()


def _cell(cell: Cell, setup: str, learner: bool) -> NotebookNode:
    squint: dict[str, Any] = {key: cell.metadata[key] for key in ("id", *source.EXERCISE_KEYS) if key in cell.metadata}
    # In the solution too: nbgrader clears it, and then it raises.
    tags = cell.tags + (["raises-exception"] if "exercise" in cell.tags else [])
    metadata = {"squint": squint} | ({"tags": tags} if tags else {})
    if not cell.is_code:
        return new_markdown_cell(cell.text, id=cell.id, metadata=metadata)
    face = source.learner_code if learner else source.solution_code
    return new_code_cell(setup if "setup" in cell.tags else face(cell.text), id=cell.id, metadata=metadata)


def _take_outputs(lab: Lab, solution: NotebookNode, old: NotebookNode) -> None:
    if old.metadata.get("squint", {}).get("source_hash") != code_hash(lab):
        raise Refused([Refusal(lab.path, 1, "The code was edited since it ran, so its outputs cannot be kept.")])
    before = {cell.id: cell for cell in old.cells if cell.cell_type == "code"}
    for cell in solution.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = before[cell.id].outputs, before[cell.id].execution_count
            cell.metadata.squint.seconds = before[cell.id].metadata.squint.seconds


def _bare(notebook: NotebookNode) -> Any:
    """A notebook without what executing adds: outputs, counts and seconds."""
    bare = copy.deepcopy(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.metadata.get("squint", {}).pop("seconds", None)
    return bare
