"""Every learner's lab, as shipped, runs from top to bottom: nothing raises, nothing reaches for the network."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
LABS = sorted((ROOT / "labs").glob("*.ipynb"))
CHECK = "application/vnd.squint.check+json"


def execute(
    notebook: nbformat.NotebookNode, folder: Path, monkeypatch, profile: str = "smoke"
) -> nbformat.NotebookNode:
    paths = (ROOT / "tests" / "no_network", ROOT / "lib")
    settings = {
        "PYTHONPATH": os.pathsep.join(map(str, paths)), "SQUINT_PROFILE": profile, "SQUINT_THREADS": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    for key, value in settings.items():
        monkeypatch.setenv(key, value)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}, allow_errors=True
    )
    return client.execute()


def bundles(notebook: nbformat.NotebookNode, mime: str) -> list[dict]:
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return [o["data"][mime] for o in outputs if mime in o.get("data", {})]


def errors(notebook: nbformat.NotebookNode) -> list[str]:
    return [
        f"{cell.id}: {output.ename}: {output.evalue}"
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", LABS, ids=lambda p: p.stem)
def test_a_lab_runs_as_shipped(path, tmp_path, monkeypatch):
    done = execute(nbformat.read(path, 4), tmp_path, monkeypatch)
    assert not errors(done)
    verdicts = {b["exercise"]: b["verdict"] for b in bundles(done, CHECK)}
    assert set(verdicts.values()) == {"not-done"}, verdicts
    exercises = {c.id for c in done.cells if "exercise" in c.metadata.get("tags", [])}
    assert set(verdicts) == exercises
    assert not list(tmp_path.iterdir()), "a lab leaves nothing behind"


@pytest.mark.slow
@pytest.mark.parametrize("path", LABS, ids=lambda p: p.stem)
def test_a_lab_survives_answers_that_are_broken(path, tmp_path, monkeypatch):
    """Every exercise answered with something that does not even run: the cells below still do."""
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if "exercise" in cell.metadata.get("tags", []):
            cell.source = f"def {cell.id}(*arguments:\n    return 1 +"
    done = execute(notebook, tmp_path, monkeypatch)
    exercises = {c.id for c in done.cells if "exercise" in c.metadata.get("tags", [])}
    assert {e.split(":")[0] for e in errors(done)} == exercises, "only the broken cells raise"
    assert {b["verdict"] for b in bundles(done, CHECK)} == {"not-done"}


@pytest.mark.parametrize("path", LABS, ids=lambda p: p.stem)
def test_a_lab_ships_without_answers_or_outputs(path):
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        assert not cell.get("outputs") and not cell.get("execution_count")
        assert "BEGIN SOLUTION" not in "".join(cell["source"])
    assert notebook["metadata"]["squint"]["lab"] == path.stem


@pytest.mark.slow
def test_the_network_is_really_closed(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell("import urllib.request\nurllib.request.urlopen('http://example.com', timeout=3)")
    done = execute(nbformat.v4.new_notebook(cells=[cell]), tmp_path, monkeypatch)
    assert "tried to" in errors(done)[0]
