"""Lab 09's own parts: its solutions against geometry, an analysis of variance, scipy's rotations, and numpy's PCA."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp
from scipy.stats import f_oneway

from squint.checks.lab09 import CHECKS
from squint.models.unclip import lengthened

SOLUTIONS = {name: check.reference for name, check in CHECKS.items()}
SEEDS = st.integers(0, 10_000)


def normal(seed: int, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=chance, dtype=torch.float64) for shape in shapes]


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0, 1))
def test_slerp_goes_at_an_even_pace_and_keeps_the_length(seed, part):
    one, other = (lengthened(each) for each in normal(seed, (6, 9), (6, 9)))
    found, whole = SOLUTIONS["slerp"](one, other, part), F.cosine_similarity(one, other).acos()
    torch.testing.assert_close(found.norm(dim=1), torch.full((6,), 3.0, dtype=torch.float64))
    if part > 0.01:
        torch.testing.assert_close(F.cosine_similarity(one, found).acos(), part * whole, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found, SOLUTIONS["slerp"](other, one, 1 - part))


@pytest.mark.parametrize("part", [0.0, 0.3, 0.8, 1.0])
def test_slerp_is_scipys_on_unit_quaternions(part):
    (pair,) = normal(3, (2, 4))
    pair = F.normalize(pair, dim=1)
    pair[1] *= (pair[0] @ pair[1]).sign()  # of a rotation's two quaternions scipy takes the nearer
    theirs = Slerp([0, 1], Rotation.from_quat(pair.numpy()))(part).as_quat()
    ours = SOLUTIONS["slerp"](pair[:1], pair[1:], part)[0].numpy()
    np.testing.assert_allclose(np.abs(theirs @ ours), 1, atol=1e-9)


def test_slerp_between_the_same_vectors_is_that_vector():
    (one,) = normal(0, (3, 128))
    torch.testing.assert_close(SOLUTIONS["slerp"](one, one.clone(), 0.4), one)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(2, 6), st.integers(2, 6))
def test_shares_are_those_of_an_analysis_of_variance(seed, rows, columns):
    (table,) = normal(seed, (rows, columns, 1))
    between_rows, between_columns = SOLUTIONS["shares"](table)
    within = 1 - between_rows
    ratio = (between_rows / (rows - 1)) / (within / (rows * (columns - 1)))
    assert float(ratio) == pytest.approx(f_oneway(*table[..., 0].numpy()).statistic, rel=1e-6)
    assert between_rows >= 0 and between_columns >= 0 and between_rows + between_columns <= 1 + 1e-9


def test_effects_that_add_up_leave_nothing_over():
    row, column = normal(1, (4, 1, 3), (1, 5, 3))
    assert sum(SOLUTIONS["shares"](row + column)).item() == pytest.approx(1)


@pytest.mark.parametrize("kept", [0, 1, 3, 8])
def test_what_is_kept_is_numpys_principal_part(kept):
    wanted, known = normal(2, (5, 8), (40, 8))
    known = known * torch.linspace(3, 0.5, 8, dtype=torch.float64) + 2
    values, found = np.linalg.eigh(np.cov(known.numpy().T))
    basis = found[:, np.argsort(-values)[:kept]]
    mean = known.numpy().mean(axis=0)
    flat = mean + (wanted.numpy() - mean) @ basis @ basis.T
    theirs = math.sqrt(8) * flat / np.linalg.norm(flat, axis=1, keepdims=True)
    np.testing.assert_allclose(SOLUTIONS["squeezed"](wanted, known, kept).numpy(), theirs, atol=1e-9)


def test_a_push_all_the_way_ends_at_the_difference():
    pictured, before, after = normal(4, (3, 16), (3, 16), (3, 16))
    pictured, before, after = lengthened(pictured), F.normalize(before, dim=1), F.normalize(after, dim=1)
    torch.testing.assert_close(SOLUTIONS["pushed"](pictured, before, after, 1.0), lengthened(after - before))
    torch.testing.assert_close(SOLUTIONS["pushed"](pictured, before, after, 0.0), pictured)


def test_the_best_of_more_is_never_worse():
    candidates, captions = normal(5, (7, 12, 6), (7, 6))
    near = [F.cosine_similarity(SOLUTIONS["best_of"](candidates[:, :k], captions), captions) for k in (1, 2, 5, 12)]
    assert all((later >= sooner).all() for sooner, later in zip(near, near[1:], strict=False))


def test_the_prior_that_knows_has_no_loss_and_the_mean_has_the_spread():
    vectors, noise = normal(6, (4_000, 16), (4_000, 16))
    vectors, time = F.normalize(vectors, dim=1), torch.rand(4_000, dtype=torch.float64)
    loss = SOLUTIONS["prior_loss"]
    assert loss(lambda noisy, at, captions: 4 * captions, vectors, vectors, noise, time).item() < 1e-12
    blank = loss(lambda noisy, at, captions: 0 * noisy, vectors, vectors, noise, time)
    assert blank.item() == pytest.approx(1), "at length √dim a vector's numbers have a mean square of one"
