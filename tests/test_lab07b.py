"""Lab 07b's own parts: its solutions against a known optimum, every order of four numbers, geometry."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp

from squint.checks.lab07b import CHECKS

SOLUTIONS = {name: check.reference for name, check in CHECKS.items()}
SEEDS = st.integers(0, 10_000)


def normal(seed: int, *shapes: tuple[int, ...]) -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=chance) for shape in shapes]


def bottom(features: torch.Tensor, labels: torch.Tensor, classes: int, strength: float) -> list[torch.Tensor]:
    probe = [torch.zeros(classes, features.shape[1], requires_grad=True), torch.zeros(classes, requires_grad=True)]
    optimiser = torch.optim.LBFGS(probe, max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-7)

    def closure():
        optimiser.zero_grad()
        loss = SOLUTIONS["probe_loss"](*probe, features, labels, strength)
        loss.backward()
        return loss

    optimiser.step(closure)
    return [part.detach() for part in probe]


def test_a_probe_that_sees_nothing_learns_how_common_each_class_is():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
    weight, bias = bottom(torch.zeros(8, 3), labels, 3, 0.1)
    assert weight.abs().max() == 0
    torch.testing.assert_close(bias.softmax(dim=0), torch.tensor([0.5, 0.25, 0.25]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("strength", [0.003, 0.1])
def test_its_bottom_is_that_of_scipy(strength):
    features, noise = normal(0, (60, 5), (60, 4))
    labels = (features[:, :4] + noise).argmax(dim=1)
    x, y = features.double().numpy(), labels.numpy()

    def loss(flat: np.ndarray) -> float:
        weight, bias = flat[:20].reshape(4, 5), flat[20:]
        scores = x @ weight.T + bias
        return (logsumexp(scores, axis=1) - scores[np.arange(60), y]).mean() + strength * (weight**2).sum()

    theirs = minimize(loss, np.zeros(24), method="L-BFGS-B", tol=1e-12)
    weight, bias = bottom(features, labels, 4, strength)
    torch.testing.assert_close(weight, torch.tensor(theirs.x[:20].reshape(4, 5)).float(), atol=2e-3, rtol=0)
    assert float(SOLUTIONS["probe_loss"](weight, bias, features, labels, strength)) == pytest.approx(
        theirs.fun, rel=1e-5
    )


def test_winogrounds_chance_over_all_orders_of_four_numbers():
    orders = torch.tensor(list(permutations(range(4)))).float().unflatten(1, (2, 2))
    torch.testing.assert_close(SOLUTIONS["winoground"](orders), torch.tensor([1 / 4, 1 / 4, 1 / 6]))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), SEEDS)
def test_who_collects_words_gets_no_text_score_and_who_sees_no_difference_no_image_score(n, seed):
    seen, said = normal(seed, (n, 2, 5), (n, 1, 5))
    bag = torch.einsum("npd,ncd->npc", seen, said.expand(n, 2, 5))
    assert SOLUTIONS["winoground"](bag)[[0, 2]].tolist() == [0, 0]
    assert SOLUTIONS["winoground"](bag.mT)[[1, 2]].tolist() == [0, 0]
    text, image, group = SOLUTIONS["winoground"](torch.einsum("npd,ncd->npc", seen, seen.flip(2))).tolist()
    assert group <= min(text, image)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(2, 9), SEEDS)
def test_a_shadow_forgets_what_is_beside_the_line(n, dim, seed):
    one, other, beside, how_far = normal(seed, (n, dim), (n, dim), (n, dim), (n, 1))
    way = one - other
    beside = beside - (beside * way).sum(-1, keepdim=True) / way.square().sum(-1, keepdim=True) * way
    there = SOLUTIONS["leaning"](other + how_far * way + 3 * beside, one, other)
    torch.testing.assert_close(there, how_far[:, 0], atol=1e-3, rtol=1e-3)
    back = SOLUTIONS["leaning"](other + how_far * way, other, one)
    torch.testing.assert_close(back, 1 - how_far[:, 0], atol=1e-3, rtol=1e-3)
