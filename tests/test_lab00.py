"""Lab 00: what learners write, right and wrong, and what the check says to it; slow answers that must not slow the lab.

The wrong answers are written as a learner would write them, not as the check's own misconceptions are.
"""

import datetime
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from einops import einsum, rearrange, reduce
from test_labs import CHECK, bundles, errors, execute

from squint.checks import engine, lab00
from squint.models import tiny

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = "b c (h dy) (w dx) -> b c h w"
COLUMN = {"dim": 1, "keepdim": True}
cosine = tiny.cosine_similarity


def zeros(images, factor):
    batch, channels, height, width = images.shape
    return torch.zeros(batch, channels, height // factor, width // factor)


def loops(images, factor, rows=0, steps=0, stride=None, operation=torch.Tensor.mean):
    """Blocks by loops: `rows` and `steps` are what a learner takes off the two ranges, `stride` what blocks move by."""
    small, stride = zeros(images, factor), factor if stride is None else stride
    for row in range(small.shape[2] - rows):
        for column in range(small.shape[3] - rows):
            top, left, end = row * stride, column * stride, factor - steps
            small[:, :, row, column] = operation(images[:, :, top : top + end, left : left + end], (2, 3))
    return small


def corners(images, factor, end=0):
    small = zeros(images, factor)
    for dy in range(factor - end):
        for dx in range(factor - end):
            small += images[:, :, dy::factor, dx::factor]
    return small / factor**2


def pixel_by_pixel(images, factor):
    small = zeros(images, factor)
    for at in np.ndindex(*small.shape):
        picture, channel, row, column = at
        total = 0
        for dy in range(factor):
            for dx in range(factor):
                total += images[picture, channel, row * factor + dy, column * factor + dx]
        small[at] = total / factor**2
    return small


def overwrites(images, factor):
    small = zeros(images, factor)
    for row in range(images.shape[2]):
        for column in range(images.shape[3]):
            small[:, :, row // factor, column // factor] = images[:, :, row, column] / factor**2
    return small


def as_lists(images, factor):
    def small(picture):
        rows, columns, block = len(picture) // factor, len(picture[0]) // factor, range(factor)
        return [
            [sum(picture[r * factor + i][c * factor + j] for i in block for j in block) / factor**2
             for c in range(columns)]
            for r in range(rows)
        ]  # fmt: skip

    return [[small(channel) for channel in picture] for picture in images.tolist()]


def by_matrices(images, factor):
    def average(size):
        return torch.eye(size // factor, dtype=images.dtype).repeat_interleave(factor, 1) / factor

    return average(images.shape[2]) @ images @ average(images.shape[3]).T


def in_place(images, factor):
    for row in range(images.shape[2] // factor):
        for column in range(images.shape[3] // factor):
            top, left = row * factor, column * factor
            images[:, :, row, column] = images[:, :, top : top + factor, left : left + factor].mean((2, 3))
    return images[:, :, : images.shape[2] // factor, : images.shape[3] // factor]


def entry_by_entry(a, b):
    """Cosine similarity as one writes it in C."""
    table = torch.zeros(len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)):
            dot = first = second = 0
            for k in range(a.shape[1]):
                dot += a[i, k] * b[j, k]
                first += a[i, k] ** 2
                second += b[j, k] ** 2
            table[i, j] = dot / (first**0.5 * second**0.5)
    return table


def best_of_loop(queries, memory, best=0.0, at=0):
    found = []
    for row in cosine(queries, memory):
        largest, where = best, at
        for j, similarity in enumerate(row):
            if similarity > largest:
                largest, where = float(similarity), j
        found.append(where)
    return found


RIGHT = {
    "numbers_per_picture": [3072, np.int64(3072), torch.zeros(3, 32, 32).numel(), torch.Size([3, 32, 32]).numel()],
    "shrink": [
        loops, corners, pixel_by_pixel, as_lists, by_matrices, in_place,
        lambda x, k: F.avg_pool2d(x, k),
        lambda x, k: F.adaptive_avg_pool2d(x, (x.shape[2] // k, x.shape[3] // k)),
        lambda x, k: x.unfold(2, k, k).unfold(3, k, k).mean((-1, -2)),
        lambda x, k: reduce(x, BLOCKS, "sum", dy=k, dx=k) / (k * k),
        lambda x, k: np.add.reduceat(np.add.reduceat(x.numpy(), np.arange(0, x.shape[2], k), 2),
                                     np.arange(0, x.shape[3], k), 3) / k**2,
    ],
    "cosine_similarity": [
        entry_by_entry,
        lambda a, b: a @ b.T / a.norm(**COLUMN) / b.norm(dim=1),
        lambda a, b: einsum(F.normalize(a), F.normalize(b), "n dim, m dim -> n m"),
        lambda a, b: [[F.cosine_similarity(x, y, dim=0) for y in b] for x in a],
        lambda a, b: [F.cosine_similarity(x, b) for x in a],
        lambda a, b: (a.div_(a.norm(**COLUMN))) @ (b.div_(b.norm(**COLUMN))).T,
        lambda a, b: np.inner(a, b) / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)),
        lambda a, b: a @ b.T / (a.norm(**COLUMN) * b.norm(**COLUMN).T + 1e-8),
    ],
    "nearest": [
        lambda q, m: cosine(m, q).argmax(0),
        lambda q, m: cosine(q, m).argsort(dim=1)[:, -1],
        lambda q, m: np.argmax(np.asarray(cosine(q, m)), axis=-1),
        lambda q, m: torch.max(cosine(q, m), dim=1)[1],
        lambda q, m: [int(row.argmax()) for row in cosine(q, m)],
        lambda q, m: torch.cdist(F.normalize(q), F.normalize(m)).argmin(1),
        lambda q, m: best_of_loop(q, m, best=-1.0),
    ],
}  # fmt: skip

WRONG = {
    "numbers_per_picture": [
        (32 * 32, "You counted the pixels."), (32**3, "32 three times"), ("3 * 32 * 32", "quotation marks"),
        (torch.Size([3, 32, 32]), "their product"), (torch.Size([9518, 3, 32, 32]), "their product"),
        (torch.rand(3, 32, 32), "Say how many"), (32 ^ 2 * 3, "not a power"), (3 * 32 ^ 2, "not a power"),
        (9518 * 3072, "all the emoji"), (8 * 3072, "too many"), (255, "too few"), (-3072, "too few"),
        ([3072], "one number"), (float("inf"), "too many"), (lambda: 3072, "value"),
    ],
    "shrink": [
        (lambda x, k: corners(x, k, end=1), "out of the sum"),
        (lambda x, k: loops(x, k, steps=1), "left the last row and the last column of every block out."),
        (lambda x, k: loops(x, k, rows=1), "are empty"),
        (lambda x, k: loops(x, k, stride=1), "begins one pixel after"),
        (lambda x, k: loops(x, k, operation=torch.sum), "did not divide"),
        (lambda x, k: reduce(x, BLOCKS, "sum", dy=k, dx=k) / k * k, "with the brackets"),
        (lambda x, k: reduce(x, BLOCKS, "sum", dy=k, dx=k) / k, "You divided by factor."),
        (lambda x, k: reduce(x, BLOCKS, "mean", dy=k, dx=k) / k**2, "already divided by it"),
        (overwrites, "+= instead of ="),
        (lambda x, k: x[:, :, k - 1 :: k, k - 1 :: k], "bottom right"),
        (lambda x, k: rearrange(x, "b c (h dy) (w dx) -> b c h w (dy dx)", dy=k, dx=k).median(-1).values, "median"),
        (lambda x, k: reduce(x, "b c (h dy) (w dx) -> b c dy dx", "mean", dy=k, dx=k), "other way round"),
        (lambda x, k: x.reshape(*x.shape[:2], x.shape[2] // k, x.shape[3] // k, k, k).mean((4, 5)), "runs of factor"),
        (lambda x, k: x.reshape(*x.shape[:2], k, x.shape[2] // k, k, x.shape[3] // k).mean((2, 4)), "far apart"),
        (lambda x, k: F.avg_pool2d(x, 2), "by 2, whatever the factor"),
        (lambda x, k: x.mean((2, 3), keepdim=True), "the whole picture"),
        (lambda x, k: reduce(x, BLOCKS, "mean", h=k, w=k), "shrank the pictures to factor pixels"),
        (lambda x, k: print(x.mean()), "return"),
    ],
    "cosine_similarity": [
        (lambda a, b: a @ b, "left the lengths in"),
        (lambda a, b: (a / a.norm(**COLUMN)) @ (b / b.norm(**COLUMN)), "Turn b on its side"),
        (lambda a, b: (a / a.norm(**COLUMN)).T @ (b / b.norm(**COLUMN)), "You turned a on its side"),
        (lambda a, b: a @ b.T / (a.norm(**COLUMN) * b.norm(**COLUMN)), "lengths of b stand in a column"),
        (lambda a, b: a / a.norm(**COLUMN) @ b.T / b.norm(**COLUMN), "lengths of b stand in a column"),
        (lambda a, b: a @ b.T / a.norm(**COLUMN) * b.norm(**COLUMN).T, "in brackets"),
        (lambda a, b: (a / a.norm(1)) @ (b / b.norm(1)).T, "norm(1) is another norm"),
        (lambda a, b: (a / a.norm(1, **COLUMN)) @ (b / b.norm(1, **COLUMN)).T, "sum of the entries' sizes"),
        (lambda a, b: F.normalize(a, p=1) @ F.normalize(b, p=1).T, "sum of the entries' sizes"),
        (lambda a, b: (a / a.sum(**COLUMN)) @ (b / b.sum(**COLUMN)).T, "sum of the entries."),
        (lambda a, b: (a / a.norm(dim=0)) @ (b / b.norm(dim=0)).T, "norm down the columns"),
        (lambda a, b: a @ b.T / (a.norm(dim=0) * b.norm(dim=0)), "norms down the columns"),
        (lambda a, b: a @ b.T / torch.outer(a.norm(dim=0), b.norm(dim=0)), "norms down the columns"),
        (lambda a, b: (a @ b.T) / (a @ b.T).norm(**COLUMN), "the table's own rows"),
        (lambda a, b: (a * b).sum(1), "the first with the first"),
        (lambda a, b: F.cosine_similarity(a[:, None], b[None]), "along the list of b"),
        (lambda a, b: [F.cosine_similarity(x, y, dim=0) for x in a for y in b], "one long row"),
        (lambda a, b: cosine(a, a), "a with itself"),
        (lambda a, b: cosine(a, b).round(decimals=2), "rounded"),
        (lambda a, b: (a / a.norm()) @ (b / b.norm()).T, "norm of the whole table"),
    ],
    "nearest": [
        (lambda q, m: (q @ m).argmax(dim=1), "memory.T"),
        (lambda q, m: ((q / q.norm(**COLUMN)) @ (m / m.norm(**COLUMN))).argmax(dim=1), "takes its .T"),
        (lambda q, m: (q @ m.T).argmax(dim=1), "dot products"),
        (lambda q, m: cosine(q, m).argmax(0), "wrong axis"),
        (lambda q, m: cosine(m, q).argmax(1), "wrong axis"),
        (lambda q, m: cosine(q, m).max(dim=1), ".indices"),
        (lambda q, m: cosine(q, m).argsort(dim=1)[:, 0], "least alike"),
        (lambda q, m: cosine(q, m).argsort(dim=1, descending=True)[0], "[:, 0]"),
        (lambda q, m: cosine(q, m).argmax(1, keepdim=True).squeeze(), "squeeze"),
        (lambda q, m: cosine(q, m).topk(1).indices, "a column"),
        (lambda q, m: cosine(q, m).abs().argmax(1), "dropped the sign"),
        (lambda q, m: cosine(q, m), "table of similarities"),
        (lambda q, m: torch.cdist(q, m).argmax(1), "farthest away"),
        (best_of_loop, "Begin with −1"),
        (lambda q, m: cosine(q, m).flatten().argmax(), "one best of the whole table"),
    ],
}  # fmt: skip


def numbered(answers):
    return [pytest.param(name, x, id=f"{name}-{i}") for name, xs in answers.items() for i, x in enumerate(xs)]


@pytest.mark.parametrize(("name", "answer"), numbered(RIGHT))
def test_right_answers_of_many_kinds_pass(name, answer):
    verdict = engine.judge(lab00.CHECKS[name], answer)
    assert verdict.passed, verdict


@pytest.mark.parametrize(("name", "answer"), numbered(WRONG))
def test_wrong_answers_are_told_what_is_wrong(name, answer):
    wrong, words = answer
    verdict = engine.judge(lab00.CHECKS[name], wrong)
    assert verdict.verdict == "failed", verdict
    assert words in verdict.hint


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
