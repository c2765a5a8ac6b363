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
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from squint.names import UNREADABLE, changes, uses

from . import ipynb
from .answers import Skeleton, match, python
from .project import MARKS, CourseError, Project, one_of
from .source import checked

PASSED, FAILED, NOT_DONE, ERROR, TIMEOUT = "passed", "failed", "not-done", "error", "timeout"
MISSING = 'raise NotImplementedError("the cell is missing")'
CHECK = "application/vnd.squint.check+json"
CLAIM = "application/vnd.squint.claim+json"
OWN_NAMES = "from squint.notebook import check, claim\nget_ipython().ast_node_interactivity = 'last_expr'"
"""Run before each of our cells, so that a learner's own `check` does not stand in for ours, nor what they let show."""

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
    file: Path
    exercises: dict[str, Verdict]
    claims: dict[str, dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    def has_passed(self, id: str) -> bool:
        """Whether an exercise passed."""
        return self.exercises[id].verdict == PASSED

    @property
    def solved(self) -> bool:
        """Whether every exercise passed."""
        return all(map(self.has_passed, self.exercises))

    @property
    def passed(self) -> bool:
        """Whether every exercise passed and every claim held."""
        return self.solved and all(claim["held"] for claim in self.claims.values())

    def as_json(self) -> str:
        """The report for machines."""
        exercises = {id: {"verdict": one.verdict, "hint": one.hint} for id, one in self.exercises.items()}
        report = {"lab": self.lab, "file": str(self.file), "exercises": exercises, "claims": self.claims}
        # In ASCII: who reads it may have another code page.
        return json.dumps(report, indent=1)


def grade(
    file: Path,
    project: Project,
    lab: str | None = None,
    profile: str = "cpu",
    timeout: float = 60.0,
    tell: Callable[[str], object] = lambda line: None,
) -> Report:
    """Judge a learner's notebook.

    Args:
        file: the notebook; it is only read.
        project: the checkout that holds the lab.
        lab: number or name of the lab, if the notebook should be of that one.
        profile: `cpu` compares everything; `smoke` judges exercises only.
        timeout: seconds that an exercise or its check may run.
        tell: is told, as it goes, what was found: a line an exercise, then one a claim.

    Raises:
        CourseError: the file is missing, no notebook, or of another lab.
    """
    notebook = ipynb.read_learner(file)
    name = lab_of(notebook, file, project, lab)
    solution, shipped = (ipynb.read(folder / f"{name}.ipynb") for folder in (project.solutions, project.labs))
    skeleton = match(notebook, solution, shipped)
    named = notebook["metadata"].get("squint")
    if not (isinstance(named, dict) and named.get("lab")) and all(code is None for code in skeleton.answers.values()):
        raise CourseError(f"{file} is not a notebook of lab {name}: none of that lab's exercises are in it.")
    tell(f"Judging {file}")
    court = _Court(project, file.resolve().parent, profile, timeout, tell)
    return _judge(Report(name, file, {}, {}), skeleton, court)


def copies(project: Project, lab: str) -> list[Path]:
    """Notebooks of a lab in work/, here or in the project, and in the working folder, whatever they are called.

    Returns:
        The one that was saved last first. Those of labs/ and solutions/ are not a learner's.
    """
    found: dict[Path, Path] = {}
    for folder in (Path("work"), Path(), project.work):
        for file in folder.glob("[!.]*.ipynb") if folder.resolve() not in (project.solutions, project.labs) else ():
            try:
                if lab_of(ipynb.read_learner(file), file, project) == lab:
                    found.setdefault(file.resolve(), file)
            except CourseError:
                # What cannot be read may be the one that is meant: its name says so.
                if file.stem == lab and file.is_file():
                    found.setdefault(file.resolve(), file)
    return sorted(found.values(), key=lambda file: -file.stat().st_mtime)


def lab_of(notebook: dict[str, Any], file: Path, project: Project, lab: str | None = None) -> str:
    """The name of the lab a notebook belongs to: what it says itself, else what its file is called.

    What a file is called is a person's: a lab's whole name counts, wherever it stands, and a number alone does not.

    Raises:
        CourseError: it is of another lab than asked for, or of none of this course.
    """
    squint = notebook["metadata"].get("squint")
    says = squint.get("lab") if isinstance(squint, dict) else None
    begun = re.search(r"""\bbegin\(\\?["'](\w+)""", json.dumps(notebook["cells"]))
    says = says or (begun[1] if begun else None)
    wanted = one_of(project.solutions, lab, ".ipynb").stem if lab else None
    if says and wanted and says != wanted:
        raise CourseError(f"{file} is a notebook of lab {says}, not of lab {wanted}.")
    called = re.sub(r"[\W_]+", "_", file.stem.lower())
    names = sorted((path.stem for path in project.solutions.glob("*.ipynb")), key=len)
    name = wanted or says or next((one for one in reversed(names) if f"_{one}_" in f"_{called}_"), None)
    if not name:
        raise CourseError(f"{file} does not say which lab it is of: say it with --lab NN.")
    if not (project.solutions / f"{name}.ipynb").is_file():
        raise CourseError(f"{file} is a notebook of lab {name}, which this course does not have.")
    return str(name)


@dataclass
class _Court:
    """Replays a skeleton, as often as it takes until no cell takes the kernel with it."""

    project: Project
    folder: Path
    profile: str
    timeout: float
    tell: Callable[[str], object]
    settled: dict[str, Verdict] = field(default_factory=dict)
    """Exercises that are not run again: their stubs stand for them."""
    dropped: set[int] = field(default_factory=set)
    """Scratch cells that are not run again."""

    def hear(self, skeleton: Skeleton, whole: bool) -> tuple[dict[str, Verdict], list[dict[str, Any]]]:
        """Verdicts, and what came of each cell: of the whole lab, or of what the exercises need."""
        while True:
            merged, owners = _merge(skeleton, set(self.settled), self.dropped, self.timeout)
            if not whole:
                merged, owners = _exercises_only(merged, owners)
            begin = merged.cells[0].metadata.squint
            # What lies beside the notebook can be imported; it hides nothing that is installed.
            begin["before"] = [f"import sys\nsys.path.append({str(self.folder)!r})", *begin.get("before", [])]
            notes = _replay(merged, self.project, self.profile, lambda notes: self._tell_of(skeleton, notes, whole))
            verdicts = {id: self._verdict(id, skeleton, notes) for id in skeleton.answers}
            fatal = next((position for position, note in enumerate(notes) if note["lost"]), None)
            if fatal is None:
                return verdicts, notes
            culprit = next((owner for owner in reversed(owners[: fatal + 1]) if owner is not None), None)
            if culprit is None:
                raise CourseError(f"The solution's own cell `{notes[fatal]['id']}` did not survive on this machine.")
            if isinstance(culprit, int):
                self.dropped.add(culprit)
            else:
                self.settled[culprit] = verdicts[culprit]

    def _verdict(self, id: str, skeleton: Skeleton, notes: list[dict[str, Any]]) -> Verdict:
        return self.settled.get(id) or _verdict(id, skeleton, notes, self.timeout)

    def _tell_of(self, skeleton: Skeleton, notes: list[dict[str, Any]], whole: bool) -> None:
        """Tell what the last of some notes brought: verdicts, or in the whole lab claims."""
        if whole:
            for bundle in _bundles(notes[-1], CLAIM) if notes[-1]["role"] == "after" else []:
                self.tell(f"{'✓' if bundle.get('held') else '✗'} {bundle.get('claim')}")
        elif notes[-1]["role"] == "check":
            for id in notes[-1]["exercises"]:
                verdict = self._verdict(id, skeleton, notes)
                self.tell(f"{MARKS.get(verdict.verdict, '✗')} {id}")


def _judge(report: Report, skeleton: Skeleton, court: _Court) -> Report:
    """The exercises first, with no more of the lab than they need; then, unless it is the smoke profile, the lab."""
    report.exercises, _ = court.hear(skeleton, whole=False)
    lost = set(court.settled)
    # Who solved it in another of their cells has solved it.
    while again := {id: more.pop(0) for id, more in skeleton.others.items() if more and not report.has_passed(id)}:
        court.settled = {id: one for id, one in report.exercises.items() if id not in again and one.verdict != PASSED}
        second, _ = court.hear(replace(skeleton, answers={**skeleton.answers, **again}), whole=False)
        for id in (id for id in again if second[id].verdict == PASSED):
            report.exercises[id], skeleton.answers[id] = second[id], again[id]
    if court.profile == "smoke":
        return report
    # An error may come of what was left out: unless the kernel died, that exercise is tried again beside the whole lab.
    failed = {id: one for id, one in report.exercises.items() if one.verdict != PASSED}
    court.settled = {id: one for id, one in failed.items() if one.verdict != ERROR or id in lost}
    court.tell("Now the whole lab, for its claims")
    second, notes = court.hear(skeleton, whole=True)
    report.exercises |= {id: second[id] for id in second if not report.has_passed(id)}
    report.claims = _claims(skeleton, notes)
    after = [note for note in notes if note["role"] == "after" and note["why"] is not None]
    report.notes = [f"{note['id']}: {_first(note['why'])}" for note in after]
    return report


def _exercises_only(
    merged: NotebookNode, owners: list[str | int | None]
) -> tuple[NotebookNode, list[str | int | None]]:
    """Exercises and checks, and of the other cells those that make what these use."""
    kept: list[tuple[NotebookNode, str | int | None]] = []
    needed: set[str] = set()
    for cell, owner in zip(reversed(merged.cells), reversed(owners), strict=True):
        code = python(cell.source)
        judged = cell.metadata.squint.role in ("exercise", "check") or _is(cell, "setup")
        if judged or changes(code) & (needed | {"*"}):
            kept.insert(0, (cell, owner))
            needed |= uses(code)
    merged.cells = [cell for cell, _ in kept]
    return merged, [owner for _, owner in kept]


def _merge(
    skeleton: Skeleton, blank: set[str], dropped: set[int], timeout: float
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
    check = {name: cell.source for cell in skeleton.cells if _is(cell, "check") for name in checked(cell.source)}
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
            names = [name for name in skeleton.answers if _is(ours, "check") and name in checked(ours.source)]
            if names:
                owner = None if names[0] in blank else names[0]
                about |= {"role": "check", "limit": timeout, "exercises": names}
            about["before"] = [] if _is(ours, "setup") else [OWN_NAMES]
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


def _replay(
    merged: NotebookNode, project: Project, profile: str, tell: Callable[[list[dict[str, Any]]], object]
) -> list[dict[str, Any]]:
    """What came of each cell, from a pytest of its own; after each cell, `tell` is given all until then."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "SQUINT_PROFILE": profile}
    # Whatever plugins this Python has, none but these two has a part in a verdict.
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
    environment |= {"PYTHONIOENCODING": "utf-8:replace", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="squint-") as folder:
        file, report, log = Path(folder, "merged.ipynb"), Path(folder, "report.jsonl"), Path(folder, "log")
        nbformat.write(merged, file)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", "--rootdir", folder]
        command += ["-p", "squint.course.validate", "-p", "nbval", "--noconftest", "-c", os.devnull]
        command += ["--labs", "--labs-report", str(report), str(file)]
        notes: list[dict[str, Any]] = []
        report.touch()
        with log.open("wb") as output, report.open(encoding="utf-8") as written:
            process = subprocess.Popen(command, cwd=project.root, env=environment, stdout=output, stderr=output)
            try:
                running, rest = True, ""
                while running:
                    running = process.poll() is None
                    *lines, rest = (rest + written.read()).split("\n")
                    for line in lines:
                        notes.append(json.loads(line))
                        tell(notes)
                    time.sleep(0.1 * running)
            finally:
                process.kill()
                process.wait()
        if len(notes) != len(merged.cells):
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no output"]
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
    kind = {"markdown": "Markdown", "raw": "raw text"}.get(skeleton.elsewhere.get(id, ""), "no code")
    lost = id in skeleton.elsewhere and f"Its cell is {kind} now, which does not run: click beside it and press y."
    if answer is None:
        return Verdict(NOT_DONE, lost or "The exercise's cell is missing from the notebook.")
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
        return Verdict(NOT_DONE, lost or "Not done yet: the cell is as it was shipped.")
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
    line, plain = None, python(code)
    try:
        ast.parse(plain)
    except UNREADABLE as unreadable:
        line = getattr(unreadable, "lineno", None)
    # IPython counts from the first line that is not blank, and below `%%time` from there.
    trace, above = _ANSI.sub("", "\n".join(error.get("traceback", []))), len(plain) - len(plain.lstrip("\n"))
    frames = re.findall(r"<timed exec>:(\d+)", trace) or re.findall(r"Cell In\[\d+\], line (\d+)", trace)
    line = line or (int(frames[0]) + above if frames else None)
    message = re.sub(r" \(.*line \d+\)$", "", error["evalue"]).strip()
    return f"{f'line {line}: ' if line else ''}{error['ename']}: {message}"


def _claims(skeleton: Skeleton, notes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
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
                    measured = {"held": bool(bundle.get("held")), "measured": bundle.get("measured")}
                    course = {"course": bundle["course"]} if bundle.get("course") else {}
                    claims[bundle["claim"]] = measured | course
    return claims


def _bundles(note: dict[str, Any], mime: str) -> list[dict[str, Any]]:
    shown = [output.get("data", {}).get(mime) for output in note.get("outputs", [])]
    return [bundle for bundle in shown if isinstance(bundle, dict)]


def _first(why: str | None) -> str:
    return _ANSI.sub("", why or "it did not run").strip().splitlines()[0]


def _is(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])
