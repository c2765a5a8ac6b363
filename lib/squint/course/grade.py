"""Judges a learner's notebook against the solution's outputs, through the nbval classes of `validate`.

The skeleton is the solution's: its cells, in its order, with its outputs as the reference. Only the exercise cells are
the learner's. Scratch cells run at their place, unjudged. The learner's file is read once, and never written.
"""

from __future__ import annotations

import ast
import copy
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from . import ipynb
from .project import CourseError, Project, one_of
from .source import checked

PASSED, FAILED, NOT_DONE, ERROR, TIMEOUT = "passed", "failed", "not-done", "error", "timeout"
MISSING = 'raise NotImplementedError("the cell is missing")'
CHECK = "application/vnd.squint.check+json"
CLAIM = "application/vnd.squint.claim+json"
OWN_NAMES = "from squint.notebook import check, claim"
"""Run before each cell that judges, so that a learner's own `check` does not stand in for ours."""

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Verdict:
    """What became of one exercise."""

    verdict: str
    hint: str | None = None


@dataclass
class Report:
    """What became of a notebook: verdict per exercise, claim by claim, and cells after them that came out otherwise."""

    lab: str
    exercises: dict[str, Verdict]
    claims: dict[str, dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    @property
    def solved(self) -> bool:
        """Whether every exercise passed."""
        return all(one.verdict == PASSED for one in self.exercises.values())

    @property
    def passed(self) -> bool:
        """Whether every exercise passed and every claim held."""
        return self.solved and all(claim["held"] for claim in self.claims.values())

    def as_json(self) -> str:
        """The report for machines."""
        exercises = {id: {"verdict": one.verdict, "hint": one.hint} for id, one in self.exercises.items()}
        report = {"lab": self.lab, "exercises": exercises, "claims": self.claims}
        return json.dumps(report, ensure_ascii=False, indent=1)


@dataclass(frozen=True)
class Theirs:
    """A code cell of the learner's notebook."""

    text: str
    ids: tuple[str, ...]


@dataclass
class Skeleton:
    """The solution's code cells, and what of the learner's belongs to each."""

    cells: list[NotebookNode]
    answers: dict[str, str | None]
    stubs: dict[str, str]
    scratch: list[tuple[int, str]]
    """(position of the solution's cell that it follows, code); -1 stands before the first."""


def grade(file: Path, project: Project, lab: str | None = None, profile: str = "cpu", timeout: float = 60.0) -> Report:
    """Judge a learner's notebook.

    Args:
        file: the notebook; it is only read.
        project: the checkout that holds the lab.
        lab: number or name of the lab, if the notebook should be of that one.
        profile: `cpu` compares everything; `smoke` trains little and judges exercises only.
        timeout: seconds that an exercise or its check may run.

    Raises:
        CourseError: the file is missing, no notebook, or of another lab.
    """
    notebook = read_learner(file)
    name = lab_of(notebook, file, project, lab)
    solution, shipped = (ipynb.read(folder / f"{name}.ipynb") for folder in (project.solutions, project.labs))
    skeleton = match(notebook, solution, shipped)
    named = notebook["metadata"].get("squint")
    if not (isinstance(named, dict) and named.get("lab")) and all(code is None for code in skeleton.answers.values()):
        raise CourseError(f"{file} is not a notebook of lab {name}: none of that lab's exercises are in it.")
    return _judge(name, skeleton, project, profile, timeout)


def read_learner(file: Path) -> dict[str, Any]:
    """The learner's notebook as plain JSON, forgiving of all that Jupyter forgives.

    Raises:
        CourseError: there is no such file, or it is no notebook.
    """
    try:
        notebook = json.loads(file.read_bytes().decode("utf-8-sig"))
    except IsADirectoryError:
        raise CourseError(f"{file} is a folder, not a notebook.") from None
    except FileNotFoundError:
        raise CourseError(f"{file} does not exist.") from None
    except OSError as error:
        raise CourseError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise CourseError(f"{file} is not a notebook: it does not hold JSON.") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list) or notebook.get("nbformat") != 4:
        raise CourseError(f"{file} is not a notebook: it has no cells of notebook format 4.")
    notebook["metadata"] = notebook["metadata"] if isinstance(notebook.get("metadata"), dict) else {}
    return notebook


def lab_of(notebook: dict[str, Any], file: Path, project: Project, lab: str | None = None) -> str:
    """The name of the lab a notebook belongs to: what it says itself, then what its file is called.

    Raises:
        CourseError: it is of another lab than asked for, or of none of this course.
    """
    squint = notebook["metadata"].get("squint")
    says = squint.get("lab") if isinstance(squint, dict) else None
    prefix = re.match(r"(\d\d[a-z]?)_", file.name)
    asked = lab or (prefix[1] if prefix else None)
    wanted = one_of(project.solutions, asked, ".ipynb").stem if asked else None
    if says and wanted and says != wanted:
        raise CourseError(f"{file} is a notebook of lab {says}, not of lab {wanted}.")
    name = wanted or says
    if not name:
        raise CourseError(f"{file} does not say which lab it is of: give it its name back, NN_name.ipynb.")
    if not (project.solutions / f"{name}.ipynb").is_file():
        raise CourseError(f"{file} is a notebook of lab {name}, which this course does not have.")
    return str(name)


def match(notebook: dict[str, Any], solution: NotebookNode, shipped: NotebookNode) -> Skeleton:
    """Find the learner's answers and scratch cells, whatever became of ids, metadata and the order of cells."""
    ours = [cell for cell in solution.cells if cell.cell_type == "code"]
    stubs = {cell.id: cell.source for cell in shipped.cells if cell.cell_type == "code" and _is(cell, "exercise")}
    theirs = [_theirs(cell) for cell in notebook["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code"]
    place = {index: _place(cell, ours, stubs) for index, cell in enumerate(theirs)}
    answers: dict[str, str | None] = {}
    for position, cell in enumerate(ours):
        if _is(cell, "exercise"):
            mine = [index for index, where in place.items() if where == position]
            # Nothing like the exercise's own cell is left: then any that gives the name to something.
            mine = mine or [i for i, where in place.items() if where is None and _defines(theirs[i].text, cell.id)][-1:]
            # Where a cell was copied, the last one counts: so it is in a run from top to bottom.
            best = [index for index in mine if _defines(theirs[index].text, cell.id)] or mine
            answers[cell.id] = theirs[best[-1]].text if best else None
            place |= {index: position if index == best[-1] else None for index in mine}
    scratch, last = [], -1
    for index, where in place.items():
        if where is not None:
            last = where
        elif theirs[index].text.strip():
            scratch.append((last, theirs[index].text))
    return Skeleton(ours, answers, stubs, scratch)


def _theirs(cell: dict[str, Any]) -> Theirs:
    source, metadata = cell.get("source", ""), cell.get("metadata")
    squint = metadata.get("squint") if isinstance(metadata, dict) else None
    kept = squint.get("id") if isinstance(squint, dict) else None
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return Theirs(text, tuple(id for id in (kept, cell.get("id")) if isinstance(id, str)))


def _place(cell: Theirs, ours: list[NotebookNode], stubs: dict[str, str]) -> int | None:
    """Which of our cells one of theirs is: by the id in its metadata, by its id, by its text, by what it defines."""
    for id in cell.ids:
        for position, one in enumerate(ours):
            if one.id == id:
                return position
    for position, one in enumerate(ours):
        if cell.text.strip() in (one.source.strip(), stubs.get(one.id, one.source).strip()):
            return position
    for position, one in enumerate(ours):
        if _is(one, "check") and _checked(cell.text) & _checked(one.source):
            return position
    for position, one in enumerate(ours):
        if _is(one, "exercise") and _defines(cell.text, one.id, like=one.source):
            return position
    return None


def _checked(text: str) -> set[str]:
    try:
        return checked(text)
    except SyntaxError:
        return set(re.findall(r"""\bcheck\(\s*["']?(\w+)""", text))


def _defines(text: str, name: str, like: str | None = None) -> bool:
    """Whether code defines `name` at its top level; with `like`, in the way that code does (def, class or value)."""
    ways = {
        "def": rf"^(async\s+)?def\s+{name}\b",
        "class": rf"^class\s+{name}\b",
        "value": rf"^{name}\b\s*(:[^=]*)?=(?!=)",
    }
    wanted = [way for way in ways.values() if like is None or re.search(way, like, re.MULTILINE)]
    return any(re.search(way, text, re.MULTILINE) for way in wanted)


def _is(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def _judge(name: str, skeleton: Skeleton, project: Project, profile: str, timeout: float) -> Report:
    """Replay; whenever a learner's cell took the kernel with it, settle that cell and replay without it."""
    settled: dict[str, Verdict] = {}
    dropped: set[int] = set()
    while True:
        merged, owners = _merge(skeleton, set(settled), dropped, profile, timeout)
        notes = _replay(merged, project, profile)
        verdicts = {id: settled.get(id) or _verdict(id, skeleton, notes, timeout) for id in skeleton.answers}
        fatal = next((position for position, note in enumerate(notes) if note["lost"]), None)
        if fatal is None:
            break
        culprit = next((owner for owner in reversed(owners[: fatal + 1]) if owner is not None), None)
        if culprit is None:
            raise CourseError(f"The solution's own cell `{notes[fatal]['id']}` did not survive on this machine.")
        if isinstance(culprit, int):
            dropped.add(culprit)
        else:
            settled[culprit] = verdicts[culprit]
    after = [note for note in notes if note["role"] == "after" and note["why"] is not None]
    return Report(name, verdicts, _claims(skeleton, notes, profile), [f"{n['id']}: {_first(n['why'])}" for n in after])


def _merge(
    skeleton: Skeleton, blank: set[str], dropped: set[int], profile: str, timeout: float
) -> tuple[NotebookNode, list[str | int | None]]:
    """The notebook to replay, and for each of its cells whose it is: an exercise's id, a scratch cell's number, none.

    A check belongs to its exercise. Answers in `blank` give way to their stubs; scratch cells in `dropped` are left
    out.
    """
    cells: list[NotebookNode] = []
    owners: list[str | int | None] = []

    def add_scratch(position: int) -> None:
        for number, (follows, code) in enumerate(skeleton.scratch):
            if follows == position and number not in dropped:
                about = {"role": "scratch", "id": f"scratch-{number + 1}", "limit": timeout}
                cells.append(_theirs_to_run(new_code_cell(code, id=about["id"]), about))
                owners.append(number)

    add_scratch(-1)
    check = {name: cell.source for cell in skeleton.cells if _is(cell, "check") for name in _checked(cell.source)}
    last: str | None = None
    for position, ours in enumerate(skeleton.cells):
        cell = copy.deepcopy(ours)
        limit = 6 * ours.metadata.squint.get("seconds", 0) + 60
        about: dict[str, Any] = {"id": ours.id, "role": "after", "limit": limit}
        owner: str | None = None
        if _is(ours, "exercise"):
            last = ours.id
            owner = None if last in blank else last
            answer = skeleton.answers[last]
            stub = skeleton.stubs.get(last, MISSING)
            cell.source = stub if last in blank else MISSING if answer is None else answer
            _theirs_to_run(cell, about | {"role": "exercise", "limit": timeout})
        else:
            names = [name for name in skeleton.answers if _is(ours, "check") and name in _checked(ours.source)]
            if names:
                owner = None if names[0] in blank else names[0]
                about |= {"role": "check", "limit": timeout, "exercises": names}
            elif profile == "smoke":
                about["read"] = False
            about["before"] = [OWN_NAMES] if any(f"{word}(" in ours.source for word in ("check", "claim")) else []
            if last:
                about["fallback"] = [skeleton.stubs.get(last, MISSING), OWN_NAMES, check.get(last, "")]
            cell.metadata.squint.update(about)
        cells.append(cell)
        owners.append(owner)
        add_scratch(position)
    return new_notebook(cells=cells, metadata={"squint": {"lab": "merged"}}), owners


def _theirs_to_run(cell: NotebookNode, about: dict[str, Any]) -> NotebookNode:
    """A learner's cell, which may raise and print what it likes."""
    cell.outputs, cell.execution_count = [], 1
    cell.metadata.clear()
    # After a time-out the cell is left as the interrupt left it; what comes next may go on.
    cell.metadata.update({"tags": ["raises-exception"], "squint": about | {"fallback": []}})
    return cell


def _replay(merged: NotebookNode, project: Project, profile: str) -> list[dict[str, Any]]:
    """What came of each cell, from a pytest of its own."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "SQUINT_PROFILE": profile}
    # Whatever plugins this Python has, none but these two has a part in a verdict.
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    environment.pop("PYTEST_ADDOPTS", None)
    with tempfile.TemporaryDirectory(prefix="squint-") as folder:
        file, report = Path(folder, "merged.ipynb"), Path(folder, "report.json")
        nbformat.write(merged, file)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "--rootdir", folder]
        command += ["-p", "squint.course.validate", "-p", "nbval", "--noconftest", "-c", os.devnull]
        command += ["--labs", "--labs-report", str(report), str(file)]
        done = subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True)
        try:
            notes = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            notes = []
    if len(notes) != len(merged.cells):
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no output"]
        raise CourseError(f"The replay did not run: {lines[-1]}")
    return notes


def _verdict(id: str, skeleton: Skeleton, notes: list[dict[str, Any]], timeout: float) -> Verdict:
    """The verdict on one exercise: from its own cell's fate, its check's bundle, and the comparison of that check."""
    own = next(note for note in notes if note["id"] == id and note["role"] == "exercise")
    check = next((note for note in notes if note["role"] == "check" and id in note["exercises"]), None)
    answer = skeleton.answers[id]
    for note, where in ((own, "its cell"), (check, "its check")):
        if note and note["fate"] == "timeout":
            return Verdict(TIMEOUT, f"Still running in {where} after {timeout:g} s: look for a loop that never ends.")
        if note and note["fate"] == "died":
            return Verdict(ERROR, f"The kernel died in {where}: os._exit, exit(), or more memory than there is.")
    if answer is None:
        return Verdict(NOT_DONE, "The exercise's cell is missing from the notebook.")
    bundles = [bundle for bundle in _bundles(check, CHECK) if bundle.get("exercise") == id] if check else []
    raised = _raised(own, answer)
    given = bundles[0].get("verdict") if len(bundles) == 1 else None
    hint = bundles[0].get("hint") if bundles else None
    if given == PASSED and check and check["why"] is None:
        return Verdict(PASSED)
    if given == PASSED and check:
        return Verdict(FAILED, f"The check passed but its output is not the solution's: {_first(check['why'])}")
    if raised:
        return Verdict(ERROR, raised)
    if answer.strip() == skeleton.stubs.get(id, "").strip():
        return Verdict(NOT_DONE, "Not done yet: the cell is as it was shipped.")
    if given == NOT_DONE:
        return Verdict(NOT_DONE, hint or "Not done yet.")
    if given in (FAILED, ERROR, TIMEOUT):
        return Verdict(given, hint)
    if len(bundles) > 1:
        return Verdict(FAILED, "The check's cell shows more than one verdict; only the check itself may show one.")
    return Verdict(ERROR, f"The check gave no verdict: {_first(check['why'] if check else None)}")


def _raised(note: dict[str, Any], code: str) -> str | None:
    """Line and message of what a learner's cell raised, unless that was the stub's NotImplementedError."""
    error = next((output for output in note.get("outputs", []) if output["output_type"] == "error"), None)
    if error is None or error["ename"] == "NotImplementedError":
        return None
    line = None
    try:
        ast.parse(code)
    except SyntaxError as syntax:
        line = syntax.lineno
    frames = re.findall(r"Cell In\[\d+\], line (\d+)", _ANSI.sub("", "\n".join(error.get("traceback", []))))
    line = line or (int(frames[0]) if frames else None)
    message = re.sub(r" \(.*line \d+\)$", "", error["evalue"]).strip()
    return f"{f'line {line}: ' if line else ''}{error['ename']}: {message}"


def _claims(skeleton: Skeleton, notes: list[dict[str, Any]], profile: str) -> dict[str, dict[str, Any]]:
    """Every claim that the solution makes: as it came out here, or not held where it was not reached."""
    claims: dict[str, dict[str, Any]] = {}
    for cell in skeleton.cells:
        for output in cell.outputs:
            bundle = output.get("data", {}).get(CLAIM)
            if bundle:
                claims[bundle["claim"]] = {"held": False, "measured": None}
    for note in notes:
        if note["role"] in ("after", "check"):
            for bundle in _bundles(note, CLAIM):
                if bundle.get("claim") in claims:
                    claims[bundle["claim"]] = {"held": bool(bundle.get("held")), "measured": bundle.get("measured")}
    return claims


def _bundles(note: dict[str, Any], mime: str) -> list[dict[str, Any]]:
    shown = [output.get("data", {}).get(mime) for output in note.get("outputs", [])]
    return [bundle for bundle in shown if isinstance(bundle, dict)]


def _first(why: str | None) -> str:
    return _ANSI.sub("", why or "it did not run").strip().splitlines()[0]
