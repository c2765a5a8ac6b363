"""Lab 01: the course's own word vectors are the lab's, and what a check hands on can be used."""

from itertools import combinations

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from test_labs import ROOT

from squint.checks import engine
from squint.checks.lab01 import CHECKS
from squint.models import word2vec
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
