"""A solution that nbgrader cleared still runs to its end: what it leaves raises, and the course's versions stand in."""

import ast
from pathlib import Path

import pytest
from nbclient import NotebookClient

from squint.course import build, execute, source
from squint.course.grade import CHECK
from squint.course.project import Project

PROJECT = Project(Path(__file__).resolve().parents[1])
SOURCES = PROJECT.sources()


def cleared(path: Path):
    """A solution, as nbgrader's ClearSolutions leaves it: a comment and an exception for each block."""
    notebook, _ = build.notebooks(source.read(path), PROJECT)
    for cell in notebook.cells:
        lines, inside = [], False
        for line in cell.source.splitlines():
            if source.BEGIN in line:
                indent = line[: len(line) - len(line.lstrip())]
                lines += [f"{indent}# YOUR CODE HERE", f"{indent}raise NotImplementedError()"]
            inside = (inside or source.BEGIN in line) and source.END not in line
            if not inside and source.END not in line:
                lines.append(line)
        cell.source = "\n".join(lines)
    return notebook


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_what_nbgrader_clears_is_python_and_may_raise(path):
    exercises = [cell for cell in cleared(path).cells if "exercise" in cell.metadata.get("tags", [])]
    assert exercises
    for cell in exercises:
        ast.parse(cell.source)
        assert "raise NotImplementedError()" in cell.source and "raises-exception" in cell.metadata.tags


@pytest.mark.slow
def test_a_cleared_lab_runs_to_its_end(tmp_path):
    notebook = cleared(SOURCES[0])
    client = NotebookClient(notebook, km=execute.kernel_manager(), resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=execute.kernel_environment(PROJECT, "smoke", 1, str(tmp_path / "ipython")), cleanup_kc=True)
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    verdicts = [data[CHECK]["verdict"] for data in outputs if CHECK in data]
    assert verdicts == ["not-done"] * len([cell for cell in notebook.cells if "check" in cell.metadata.get("tags", [])])
