"""Lab 00: slow answers must not slow the lab; what the library has in common with the lab's solutions is the same."""

import datetime
from pathlib import Path

import nbformat
import pytest
import torch
from test_labs import CHECK, bundles, errors, execute

from squint.checks import engine
from squint.checks.lab00 import CHECKS
from squint.models import tiny

ROOT = Path(__file__).resolve().parents[1]
SLOW = {
    "numbers_per_picture": "numbers_per_picture = 3072",
    "shrink": '''
def shrink(images, factor):
    batch, channels, height, width = images.shape
    small = torch.zeros(batch, channels, height // factor, width // factor)
    for picture in range(batch):
        for channel in range(channels):
            for row in range(height // factor):
                for column in range(width // factor):
                    total = 0
                    for dy in range(factor):
                        for dx in range(factor):
                            total += images[picture, channel, row * factor + dy, column * factor + dx]
                    small[picture, channel, row, column] = total / factor**2
    return small
''',
    "cosine_similarity": '''
def cosine_similarity(a, b):
    table = torch.zeros(len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)):
            table[i, j] = (a[i] * b[j]).sum() / ((a[i] ** 2).sum() * (b[j] ** 2).sum()) ** 0.5
    return table
''',
    "nearest": '''
def nearest(queries, memory):
    found = []
    for query in queries:
        similarities = [float(cosine_similarity(query[None], other[None])) for other in memory]
        found.append(similarities.index(max(similarities)))
    return found
''',
    "bend": '''
def bend(right, cost, share=0.95):
    best = None
    for size in right:
        if right[size] >= share * max(right.values()) and (best is None or cost[size] < cost[best]):
            best = size
    return best
''',
}  # fmt: skip


@pytest.mark.slow
def test_slow_answers_do_not_slow_the_lab(tmp_path, monkeypatch):
    """Loops over pixels pass, and no cell below waits for them: over all pictures they would take many minutes."""
    notebook = nbformat.read(ROOT / "labs" / "00_start_here.ipynb", 4)
    for cell in notebook.cells:
        cell.source = SLOW.get(cell.id, cell.source)
    done = execute(notebook, tmp_path, monkeypatch)
    assert not errors(done)
    assert {b["exercise"]: b["verdict"] for b in bundles(done, CHECK)} == dict.fromkeys(SLOW, "passed")
    read = datetime.datetime.fromisoformat
    seconds = {
        cell.id: (read(at["shell.execute_reply"]) - read(at["iopub.execute_input"])).total_seconds()
        for cell in done.cells
        if (at := cell.metadata.get("execution"))
    }
    assert len(seconds) > 20, "nbclient notes when a cell began and ended"
    assert max(seconds.values()) < 60, sorted(seconds.items(), key=lambda pair: -pair[1])[:5]


def by_two_matrices(images, factor):
    """Averaging as a matrix from the left and one from the right, both in single precision, as the lab's pictures are."""
    options = {"device": images.device}
    rows, columns = (torch.eye(n // factor, **options).repeat_interleave(factor, 1) / factor for n in images.shape[2:])
    return torch.einsum("rh,bchw,kw->bcrk", rows, images, columns)


def by_convolution(images, factor):
    channels = images.shape[1]
    kernel = torch.ones(channels, 1, factor, factor, device=images.device) / factor**2
    return torch.nn.functional.conv2d(images, kernel, stride=factor, groups=channels)


@pytest.mark.parametrize("answer", [by_two_matrices, by_convolution])
def test_what_is_right_in_single_precision_is_right(answer):
    """No cell of the lab uses another."""
    assert engine.judge(CHECKS["shrink"], answer).passed


@pytest.mark.parametrize("name", ["shrink", "cosine_similarity", "nearest"])
def test_the_library_s_functions_are_the_lab_s(name):
    for case in CHECKS[name].cases(0):
        assert torch.allclose(getattr(tiny, name)(*case.args), CHECKS[name].reference(*case.args))
