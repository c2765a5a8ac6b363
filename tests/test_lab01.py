"""Lab 01: the course's own word vectors are the lab's, and what a check hands on can be used."""

import numpy as np
import pytest
import torch

from squint.checks import engine
from squint.checks.lab01 import CHECKS
from squint.models import word2vec


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
