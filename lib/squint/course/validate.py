"""Replays executed notebooks with nbval and holds them to their own outputs, strictly. A pytest plugin:

    pytest -p squint.course.validate --labs solutions/*.ipynb -n 2 --dist loadfile

It differs from `pytest --nbval` (which stays off) in this: a test is named by its cell's id; what stands between
⟨ ⟩ was measured and is not compared; other floats have a relative tolerance of 1e-3; an unknown magic, a cell that was
never executed, stray lines on stderr and an error of any kind fail; after a time-out or a dead kernel the cells that
follow fail, and none is skipped. Verdicts of checks and claims are compared even where other outputs are ignored.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any, NoReturn

import nbformat
import pytest
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError, find_metadata_tags

from .execute import WIDGET, as_text, is_progress, kernel_environment, kernel_manager, without_progress
from .project import Project
from .source import IGNORE, MAX_IGNORED_SHARE

CHECK = "application/vnd.squint.check+json"
CLAIM = "application/vnd.squint.claim+json"
TOLERANCE = 1e-3
"""Relative tolerance of a float that is printed outside ⟨ ⟩."""

STARTUP = 120.0
"""Seconds a kernel has to start."""

PATIENCE = 5.0
"""Seconds an interrupted kernel has to fall silent."""

UNJUDGED = ("exercise", "scratch")
"""Roles of cells, in a notebook that is graded, which are the learner's: they run, and only their death counts."""

_FLOAT = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+")
_MEASURED = re.compile(r"⟨[^⟩]*⟩")


class KernelDied(Exception):
    """The process that ran the cells is gone."""


class Kernel(RunningKernel):
    """A kernel of this Python in an empty folder, that notices its own death and keeps no one waiting."""

    def __init__(self, folder: str, environment: dict[str, str]) -> None:
        """Start the kernel and wait until it listens."""
        self.fate: str | None = None
        self._silence_by = math.inf
        self.km = kernel_manager(asynchronous=False)
        self.km.start_kernel(cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        self.kc = self.km.client()
        self.kc.start_channels()
        try:
            self.kc.wait_for_ready(timeout=STARTUP)
            self._ensure_iopub_up()
        except RuntimeError:
            self.stop()
            raise

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        """Send a cell, which the kernel remembers as in a notebook; what befell an earlier one is forgotten."""
        self.fate, self._silence_by = None, math.inf
        return self.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False)

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for a reply as nbval does, but look every second whether anyone is left to give it.

        Raises:
            Empty: the time is up.
            KernelDied: nobody is left.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0:
                self.fate = "timeout"
                raise Empty
            try:
                return super().await_reply(msg_id, timeout=min(left, 1))
            except Empty:
                if not self.is_alive():
                    self.fate = "died"
                    raise KernelDied("The kernel died in this cell.") from None

    def get_message(self, stream: str, timeout: float | None = None) -> Any:
        """The next message; none, if an interrupted kernel goes on talking.

        Raises:
            Empty: there is none.
        """
        if time.monotonic() > self._silence_by:
            raise Empty
        return super().get_message(stream, timeout=timeout)

    def interrupt(self) -> None:
        """Interrupt the kernel, which must then fall silent soon."""
        super().interrupt()
        self._silence_by = time.monotonic() + PATIENCE

    def run_quietly(self, code: str, timeout: float) -> None:
        """Run code whose output nobody reads.

        Raises:
            Empty: it took too long.
            KernelDied: it killed the kernel.
        """
        self.fate, self._silence_by = None, math.inf
        msg_id = self.kc.execute(code, store_history=False, allow_stdin=False, stop_on_error=False)
        self.await_reply(msg_id, timeout)
        self.await_idle(msg_id, PATIENCE)


class LabFile(IPyNbFile):
    """A notebook: one kernel, one test a code cell, named by the cell's id."""

    kernel: Kernel | None = None

    def collect(self) -> Iterator[LabCell]:
        """The code cells as tests.

        Raises:
            CollectError: the file is no notebook, or too large a share of its cells is ignored.
        """
        try:
            found = list(super().collect())
        except Exception as error:
            raise self.CollectError(f"{self.path} is not a notebook: {error}") from None
        cells = [
            LabCell.from_parent(
                self,
                name=item.cell.metadata.get("squint", {}).get("id", item.cell.id),
                cell_num=item.cell_num,
                cell=item.cell,
                # Tags only: a comment in a cell must not switch off what judges it.
                options=defaultdict(bool, find_metadata_tags(item.cell.metadata)),
            )
            for item in found
        ]
        ignored = sum(cell.ignored for cell in cells)
        if ignored > MAX_IGNORED_SHARE * len(cells) and not any(cell.role for cell in cells):
            share = f"{ignored} of {len(cells)} code cells"
            raise self.CollectError(f"{self.path}: {share} ignore their output; at most {MAX_IGNORED_SHARE:.0%} may.")
        yield from cells
        if self.config.option.labs_further:
            yield from self._further(len(found))

    def _further(self, first: int) -> Iterator[FurtherCell]:
        for number, code in enumerate(further(nbformat.read(self.path, 4)), 1):
            cell = new_code_cell(code, execution_count=first + number)
            yield FurtherCell.from_parent(
                self, name=f"further-{number}", cell_num=first + number, cell=cell, options=defaultdict(bool)
            )

    def setup(self) -> None:
        """Start a kernel in an empty folder, away from the reference."""
        threads = os.environ.get("SQUINT_THREADS") or os.environ.get("OMP_NUM_THREADS") or "1"
        profile = os.environ.get("SQUINT_PROFILE", "cpu")
        self.folder = tempfile.TemporaryDirectory(prefix="squint-")
        ipython, here = Path(self.folder.name, "ipython"), Path(self.folder.name, "here")
        here.mkdir()
        environment = kernel_environment(Project.find(self.path.parent), profile, int(threads), str(ipython))
        self.kernel = Kernel(str(here), environment)
        self.clear_next = False
        self.displays: dict[str, tuple[LabCell, int]] = {}

    def teardown(self) -> None:
        """Stop the kernel and remove its folder."""
        super().teardown()
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def get_kernel_message(self, timeout: float | None = None, stream: str = "iopub") -> Any:
        """The next message, after doing what nbval leaves undone: clearing and updating outputs."""
        message = super().get_kernel_message(timeout, stream)
        kind, content = message["msg_type"], message["content"]
        if kind in ("stream", "display_data", "execute_result", "error") and self.clear_next:
            self.running.test_outputs.clear()
            self.clear_next = False
        if kind == "clear_output":
            self.clear_next = True
            return self.get_kernel_message(timeout, stream)
        shown = content.get("transient", {}).get("display_id")
        if kind == "update_display_data":
            cell, position = self.displays.get(shown, (None, 0))
            if cell is self.running and position < len(cell.test_outputs):
                cell.test_outputs[position].data = from_dict(content["data"])
            return self.get_kernel_message(timeout, stream)
        if kind == "display_data" and shown:
            self.displays[shown] = self.running, len(self.running.test_outputs)
        return message


class LabCell(IPyNbCell):
    """A code cell as a test: it runs, and its outputs are held against the reference's."""

    parent: LabFile
    comparison_traceback: list[str]
    ran = False

    @property
    def about(self) -> dict[str, Any]:
        """What the course wrote into the cell's metadata."""
        return self.cell.metadata.get("squint", {})

    @property
    def role(self) -> str | None:
        """In a notebook that is graded: exercise, scratch, check or after. Else nothing."""
        return self.about.get("role")

    @property
    def ignored(self) -> bool:
        """Whether the cell's outputs, but for verdicts, are not compared."""
        return IGNORE in self.cell.metadata.get("tags", [])

    def setup(self) -> None:
        """Mark nothing as expected to fail, as nbval does after a time-out: a cell that did not run has failed."""

    def runtest(self) -> None:
        """Run the cell, compare, and note what came of it.

        Raises:
            NbCellError: the cell differs, or did not run.
            KernelDied: it took the kernel with it.
        """
        note = {"id": self.name, "role": self.role, "fate": None, "lost": False, "why": None, "seconds": 0.0}
        note["exercises"] = self.about.get("exercises", [])
        begin = time.monotonic()
        try:
            self._run()
        except Exception as error:
            note["why"] = self._reason(error)
            raise
        finally:
            kernel = self.parent.kernel
            note["seconds"] = round(time.monotonic() - begin, 2)
            note["fate"] = kernel.fate if kernel and self.ran else None
            note["lost"] = not (kernel and kernel.is_alive())
            note["outputs"] = [json.loads(json.dumps(output, default=str)) for output in self.test_outputs or []]
            self.user_properties.append(("seconds", note["seconds"]))
            if report := self.config.option.labs_report:
                with open(report, "a", encoding="utf-8") as lines:
                    lines.write(json.dumps(note) + "\n")

    def compare_outputs(self, test: list[Any], ref: list[Any], skip_compare: Any = None) -> bool:
        """Whether the outputs agree with the reference's; says where not in `comparison_traceback`."""
        self.comparison_traceback = []
        if self.role in UNJUDGED:
            return True
        got, want = self._seen(test), self._seen(ref)
        for kind in sorted(got.keys() | want.keys()):
            if len(got[kind]) != len(want[kind]):
                reference, mine = ("\n".join(seen[kind]) or "(nothing)" for seen in (want, got))
                self.format_output_compare(kind, reference, mine)
                return False
            for mine, reference in zip(got[kind], want[kind], strict=True):
                if not alike(mine, reference):
                    self.format_output_compare(kind, reference, mine)
                    return False
        return True

    def raise_cell_error(self, message: str, *args: Any, **kwargs: Any) -> NoReturn:
        """Fail this test.

        Raises:
            NbCellError: always.
        """
        raise NbCellError(self.cell_num, message, self.cell.source, *args, **kwargs)

    def _run(self) -> None:
        if self.options["skip"]:
            self.raise_cell_error("The cell is tagged to be skipped, and no cell of a lab may be.")
        if self.cell.execution_count is None:
            self.raise_cell_error("The reference was never executed here, so there is nothing to compare with.")
        kernel = self.parent.kernel
        if not kernel or not kernel.is_alive() or self.parent.timed_out:
            self.raise_cell_error("The cell did not run: an earlier one took too long or killed the kernel.")
        self.ran = True
        for code in self.about.get("before", []):
            kernel.run_quietly(code, STARTUP)
        self.options["check"] = True
        self.parent.running, self.parent.clear_next = self, False
        # nbval reads one limit for all cells; ours have one each.
        limit = self.about.get("limit", self.config.option.labs_timeout)
        self.config.option.nbval_cell_timeout = limit
        try:
            super().runtest()
        finally:
            self._recover(kernel, limit)
        if kernel.fate == "timeout":
            self.raise_cell_error(f"The cell ran for more than {limit:g} s.")
        if self.role not in UNJUDGED:
            self._refuse_errors()

    def _recover(self, kernel: Kernel, limit: float) -> None:
        """After a time-out, let the kernel go on with what the cell's author provided for that case."""
        fate = kernel.fate
        if fate != "timeout" or not kernel.is_alive() or "fallback" not in self.about:
            return
        try:
            for code in self.about["fallback"]:
                kernel.run_quietly(code, limit)
            self.parent.timed_out = False
        except (Empty, KernelDied):
            kernel.stop()
        kernel.fate = fate

    def _refuse_errors(self) -> None:
        for output in self.test_outputs or []:
            if output.output_type == "error":
                self.raise_cell_error(f"The cell raised {output.ename}: {output.evalue}")
            if output.output_type == "stream" and output.name == "stderr" and "UsageError" in output.text:
                self.raise_cell_error(output.text.strip())

    def _reason(self, error: Exception) -> str:
        if not isinstance(error, NbCellError):
            return str(error) or type(error).__name__
        lines = getattr(self, "comparison_traceback", []) if "differ" in str(error) else []
        return "\n".join([str(error), *lines])

    def _seen(self, outputs: list[Any]) -> dict[str, list[str]]:
        """What is compared of some outputs, by kind."""
        seen: dict[str, list[str]] = defaultdict(list)
        for output in outputs:
            if is_progress(output):
                continue
            if output.output_type == "stream":
                text = without_progress(as_text(output.text))
                if text.strip():
                    seen[output.name].append(text)
            elif output.output_type == "error":
                seen["error"].append(output.ename)
            for mime, value in output.get("data", {}).items():
                if mime == CHECK:
                    seen[mime].append(f"{value.get('exercise')}: {value.get('verdict')}")
                elif mime == CLAIM:
                    seen[mime].append(f"{value.get('claim')}: {value.get('held')}")
                elif mime == "text/plain":
                    seen[mime].append(as_text(value))
                elif mime != WIDGET:
                    seen[mime].append("(shown)")
        if self.ignored or self.role == "check":
            return defaultdict(list, {mime: seen[mime] for mime in (CHECK, CLAIM) if mime in seen})
        return seen


class FurtherCell(LabCell):
    """A folded solution under “Going further”: it runs behind its lab and states an outcome as a claim that holds."""

    def compare_outputs(self, test: list[Any], ref: list[Any], skip_compare: Any = None) -> bool:
        """Whether there is a claim, and all that there are hold."""
        claims = self._seen(test)[CLAIM]
        self.comparison_traceback = claims or ["It makes no claim."]
        return bool(claims) and all(claim.endswith(": True") for claim in claims)


def further(notebook: NotebookNode) -> list[str]:
    """The solutions that are folded away under “Going further”, as code."""
    texts = "".join(cell.source for cell in notebook.cells if cell.id == "further")
    return re.findall(r"```python\n(.*?)```", texts, re.DOTALL)


def alike(text: str, reference: str) -> bool:
    """Whether two printed texts agree: line by line, ⟨measured⟩ left out, floats to a relative tolerance of 1e-3."""
    text, reference = (_MEASURED.sub("⟨⟩", one) for one in (text, reference))
    mine, theirs = ([_FLOAT.sub("#", line).split() for line in one.splitlines()] for one in (text, reference))
    if mine != theirs:
        return False
    pairs = zip(_FLOAT.findall(text), _FLOAT.findall(reference), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=TOLERANCE, abs_tol=1e-12) for a, b in pairs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of this plugin."""
    group = parser.getgroup("squint", "the labs of the course")
    group.addoption("--labs", action="store_true", help="replay executed notebooks and hold them to their outputs")
    group.addoption("--labs-further", action="store_true", help="and run what is folded away under “Going further”")
    group.addoption("--labs-timeout", type=float, default=600.0, help="seconds a cell may run (default: 600)")
    group.addoption("--labs-report", metavar="FILE", help="add what came of every cell to FILE, a line of JSON a cell")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse nbval's own options, which would run every notebook twice and loosely."""
    if config.option.labs and (config.option.nbval or config.option.nbval_lax):
        raise pytest.UsageError("--labs stands in for --nbval: leave that off")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> LabFile | None:
    """A notebook is a file of tests, with --labs."""
    if parent.config.option.labs and file_path.suffix == ".ipynb":
        return LabFile.from_parent(parent, path=file_path)
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Seconds of each notebook's replay, and its slowest cells."""
    if not terminalreporter.config.option.labs:
        return
    seconds: dict[str, dict[str, float]] = defaultdict(dict)
    for report in (*terminalreporter.stats.get("passed", []), *terminalreporter.stats.get("failed", [])):
        file, _, cell = report.nodeid.partition("::")
        for name, value in report.user_properties:
            if name == "seconds":
                seconds[file][cell] = value
    for file, cells in sorted(seconds.items()):
        slowest = sorted(cells.items(), key=lambda item: -item[1])[:3]
        listed = ", ".join(f"{cell} {value:.1f} s" for cell, value in slowest)
        terminalreporter.write_line(f"{Path(file).stem}: {sum(cells.values()):.1f} s; slowest: {listed}")
