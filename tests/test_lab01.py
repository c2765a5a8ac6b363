"""Lab 01: the course's own word vectors are the lab's, and what a check hands on can be used."""

import re
import symtable
from collections import Counter
from itertools import combinations

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from test_labs import ROOT, bundles, errors, execute

from squint.checks import engine
from squint.checks.lab01 import CHECKS
from squint.models import word2vec
from squint.names import uses
from squint.viz.labels import label

CLAIM = "application/vnd.squint.claim+json"


def solution() -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "solutions" / "01_embeddings.ipynb", 4)


@pytest.mark.parametrize("exercise", CHECKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_library_does_what_the_lab_does(exercise: str, seed: int) -> None:
    verdict = engine.judge(CHECKS[exercise], getattr(word2vec, exercise), seed=seed)
    assert verdict.passed, verdict


def test_a_numpy_array_is_not_told_to_call_float_and_comes_back_as_a_tensor_of_floats() -> None:
    verdict = engine.judge(CHECKS["one_hot"], lambda ids, size: np.eye(size, dtype=np.float32)[ids.numpy()])
    assert verdict.passed, verdict
    assert verdict.usable(torch.tensor([1, 0]), 3).dtype == torch.float32


def test_ids_that_come_as_floats_come_back_as_ids() -> None:
    answer = engine.judge(CHECKS["most_similar"], lambda *case: word2vec.most_similar(*case).float()).usable
    table = torch.eye(3)
    assert table[answer(table, table[0], 1, torch.tensor([], dtype=torch.long))].shape == (1, 3)


def codes() -> dict[str, str]:
    """The lab's code by cell: what its author wrote, so without the cell that the builder writes."""
    cells = [c for c in solution().cells if c.cell_type == "code" and "setup" not in c.metadata.get("tags", [])]
    return {c.id: c.source for c in cells}


def assigned(code: str) -> set[str]:
    symbols = symtable.symtable(code, "cell", "exec").get_symbols()
    return {one.get_name() for one in symbols if one.is_assigned() or one.is_namespace()}


def test_no_name_means_one_thing_here_and_another_there() -> None:
    """A name that several cells set is set by every cell that uses it, so that any cell may be run again."""
    mine = {where: code for where, code in codes().items() if not re.search(r"= check\(", code)}
    setting = Counter(name for code in mine.values() for name in assigned(code))
    several = {name for name, times in setting.items() if times > 1}
    assert not {(where, name) for where, code in mine.items() for name in uses(code) & several - assigned(code)}


def test_the_labs_code_fits_its_cells() -> None:
    lines = [(where, line) for where, code in codes().items() for line in code.splitlines()]
    assert not [(where, line) for where, line in lines if len(line) > 100]


def further() -> list[str]:
    """The solutions under “Going further”, as code."""
    (text,) = [c.source for c in solution().cells if c.source.startswith("## Going further")]
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def with_further() -> nbformat.NotebookNode:
    notebook = solution()
    notebook.cells += [nbformat.v4.new_code_cell(code) for code in further()]
    return notebook


@pytest.mark.slow
def test_what_is_said_of_going_further_is_so(tmp_path, monkeypatch) -> None:
    done = execute(with_further(), tmp_path, monkeypatch, profile="cpu")
    assert not errors(done)
    claims = [claim for cell in done.cells[-len(further()) :] for claim in cell_claims(cell)]
    assert len(claims) == len(further())
    assert all(claim["held"] for claim in claims), claims
    assert all(claim["held"] for claim in bundles(done, CLAIM))


def cell_claims(cell: nbformat.NotebookNode) -> list[dict]:
    return [out["data"][CLAIM] for out in cell.outputs if CLAIM in out.get("data", {})]


def test_words_beside_points_keep_off_each_other() -> None:
    figure, axes = plt.subplots(figsize=(8, 6))
    points = torch.rand(30, 2, generator=torch.Generator().manual_seed(0)).tolist()
    axes.scatter(*zip(*points, strict=True), s=16)
    axes.margins(0.1)
    words = [f"word {i}" for i in range(len(points))]
    boxes = [text.get_window_extent() for text in label(axes, points, words, ["black"] * len(words))]
    plt.close(figure)
    crossing = sum(one.overlaps(other) for one, other in combinations(boxes, 2))
    covered = sum(box.contains(*axes.transData.transform(point)) for box in boxes for point in points)
    assert (crossing, covered) == (0, 0)
    assert all(axes.bbox.contains(*corner) for box in boxes for corner in box.corners())
