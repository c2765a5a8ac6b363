"""Runs a notebook once with nbclient, and leaves in its outputs only what is the same on every machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager, KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, from_dict
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager
from nbval.plugin import coalesce_streams

from .project import Project, Refusal, Refused
from .source import IGNORE, Lab, solution_lines

CELL_LIMIT = 600
"""Seconds after which the build gives a cell up."""

WIDGET = "application/vnd.jupyter.widget-view+json"

_PROGRESS = re.compile(r"\d+%\|.*\||\d+it \[\d+:\d\d|\[\d+:\d\d<")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FRAME = re.compile(r"Cell In\[(\d+)\], line (\d+)")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}")
_TIME = re.compile(r"\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d")


def kernel_manager(asynchronous: bool = True) -> Any:
    """A manager of kernels of this very Python, whatever kernels a user has registered under the name python3."""
    make = AsyncKernelManager if asynchronous else KernelManager
    return make(kernel_name=CURRENT_ENV_KERNEL_NAME, kernel_spec_manager=NbvalKernelspecManager())


def kernel_environment(project: Project, profile: str, threads: int, ipython: str) -> dict[str, str]:
    """What a kernel finds in its environment: a profile, a number of threads, the project's own library, no network.

    Nothing that a person has set up for their own notebooks: IPython has an empty profile, in the folder `ipython`.
    """
    theirs = ("PYTHONSTARTUP", "MPLBACKEND", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONOPTIMIZE")
    paths = [str(project.root / "lib"), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    number = str(threads)
    return {name: value for name, value in os.environ.items() if name not in theirs} | {
        "IPYTHONDIR": ipython,
        "PYTHONPATH": os.pathsep.join(str(Path(path).resolve()) for path in paths),
        "SQUINT_DEVICE": os.environ.get("SQUINT_DEVICE", "cpu"),
        "SQUINT_PROFILE": profile,
        "SQUINT_THREADS": number,
        "OMP_NUM_THREADS": number,
        "MKL_NUM_THREADS": number,
        "HF_HUB_OFFLINE": "1",
    }


def run(lab: Lab, notebook: NotebookNode, project: Project) -> dict[str, float]:
    """Execute `notebook` in place, in an empty folder, with the reference's profile (cpu, two threads).

    Returns:
        Seconds per code cell, by id.

    Raises:
        Refused: a cell raised, or put something in its output that another machine would not.
    """
    with tempfile.TemporaryDirectory(prefix="squint-") as folder, tempfile.TemporaryDirectory() as ipython:
        environment = kernel_environment(project, "cpu", 2, ipython) | {"SQUINT_DEVICE": "cpu"}
        client = NotebookClient(
            notebook,
            km=kernel_manager(),
            timeout=CELL_LIMIT,
            resources={"metadata": {"path": folder}},
            record_timing=True,
            # A learner's exercise may raise, a solution not.
            force_raise_errors=True,
        )
        try:
            client.execute(env=environment, cleanup_kc=True, stderr=subprocess.DEVNULL)
        except CellExecutionError as error:
            raise Refused([_where_it_raised(lab, notebook, error)]) from None
        except CellTimeoutError:
            cell = _last_begun(lab, notebook)
            raise Refused([Refusal(lab.path, cell.line, f"The cell ran for more than {CELL_LIMIT} s.")]) from None
        except DeadKernelError:
            cell = _last_begun(lab, notebook)
            raise Refused([Refusal(lab.path, cell.line, "The kernel died in this cell.")]) from None
        seconds = {cell.id: _seconds(cell) for cell in notebook.cells if cell.cell_type == "code"}
        _clean(lab, notebook, [folder, str(project.root), str(Path.home()), sys.prefix])
    return seconds


def without_progress(text: str) -> str:
    """A stream less its progress bars: what they drew, and the blanks that they drew over it."""
    kept = []
    for line in text.splitlines(keepends=True):
        shown = [part for part in line.split("\r") if _ANSI.sub("", part).strip() and not _PROGRESS.search(part)]
        if shown or not ("\r" in line or _PROGRESS.search(line)):
            kept.append(shown[-1] if shown else line)
    return "".join(kept)


def is_progress(output: NotebookNode) -> bool:
    """Whether an output is a progress bar drawn as a widget."""
    data = output.get("data", {})
    return WIDGET in data and bool(_PROGRESS.search(as_text(data.get("text/plain", ""))))


def as_text(value: Any) -> str:
    """An output's text, which nbformat keeps as a string or as a list of lines."""
    return "".join(value) if isinstance(value, list) else str(value)


def output_texts(cell: NotebookNode) -> list[str]:
    """Every text that a reader sees among a cell's outputs: streams and text/plain."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(as_text(output.text))
        elif "data" in output:
            texts.append(as_text(output.data.get("text/plain", "")))
    return texts


def _seconds(cell: NotebookNode) -> float:
    times = cell.metadata.get("execution", {})
    begin, end = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    if not (begin and end):
        return 0.0
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds(), 1)


def _last_begun(lab: Lab, notebook: NotebookNode) -> Any:
    begun = [cell for cell in notebook.cells if cell.cell_type == "code" and "execution" in cell.metadata]
    return next(cell for cell in lab.code if not begun or cell.id == begun[-1].id)


def _where_it_raised(lab: Lab, notebook: NotebookNode, error: Any) -> Refusal:
    """The line of the source at which a cell raised: that of the first frame in the cell itself."""
    broken = next(
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and any(output.output_type == "error" for output in cell.outputs)
    )
    cell = next(cell for cell in lab.code if cell.id == broken.id)
    frames = _FRAME.findall(_ANSI.sub("", "\n".join(broken.outputs[-1].get("traceback", []))))
    inside = [int(line) for count, line in frames if int(count) == broken.execution_count]
    shown = [] if "setup" in cell.tags else solution_lines(cell.text)
    within = 1 + shown[inside[0] - 1] if inside and inside[0] <= len(shown) else 0
    return Refusal(lab.path, cell.line + within, f"The cell `{cell.id}` raised {error.ename}: {error.evalue}")


def _clean(lab: Lab, notebook: NotebookNode, machine: list[str]) -> None:
    """Drop what belongs to one run only, and refuse what cannot be dropped."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = from_dict({"name": "python"})
    refusals = []
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        source = next(one for one in lab.code if one.id == cell.id)
        outputs = [output for output in coalesce_streams(cell.outputs) if not is_progress(output)]
        for output in outputs:
            if output.output_type == "stream":
                output.text = without_progress(as_text(output.text))
            else:
                # Without the state of the widgets, which is large and changes, a view of one is only an error message.
                output.data.pop(WIDGET, None)
        cell.outputs = [output for output in outputs if output.get("text", "").strip() or output.get("data")]
        noise = [output for output in cell.outputs if output.get("name") == "stderr"]
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if noise and IGNORE not in source.tags:
            last = noise[0].text.strip().splitlines()[-1]
            refusals.append(Refusal(lab.path, source.line, f"The cell `{cell.id}` writes to stderr: {last}"))
        refusals += [Refusal(lab.path, source.line, sentence) for sentence in _oddities(cell, machine)]
    if refusals:
        raise Refused(refusals)


def _oddities(cell: NotebookNode, machine: list[str]) -> list[str]:
    """What in a cell's outputs would differ on another machine or another day, or says that a check failed."""
    odd = []
    for text in output_texts(cell):
        if "✗" in text:
            line = next(line for line in text.splitlines() if "✗" in line).strip()
            odd.append(f"The cell `{cell.id}` says {line}")
        if any(f"{path.rstrip('/')}/" in text for path in machine if len(path) > 1):
            odd.append(f"The cell `{cell.id}` shows a path of this machine.")
        if _ADDRESS.search(text):
            odd.append(f"The cell `{cell.id}` shows an object's address in memory.")
        if _TIME.search(text):
            odd.append(f"The cell `{cell.id}` shows the time of day.")
    return odd
