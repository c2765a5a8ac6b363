"""Lab 06's own parts: its solutions against counted models, torch's own count, known laws, the library, and a ring."""

import numpy as np
import pytest
import torch
from cells import answered, answers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from squint.checks.engine import judge
from squint.checks.lab06 import CHECKS
from squint.models import palm
from squint.models.gpt import GPT, Config
from squint.nn import experts

SOLUTIONS = {name: check.reference for name, check in CHECKS.items()}


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 30))
def test_parameters_are_those_of_the_model(dim, blocks, hidden):
    model = GPT(Config(7, 2 * dim, 2, hidden, blocks, dropout=0.0, tokens=5))
    counted = sum(parameter.numel() for parameter in model.blocks.parameters())
    assert SOLUTIONS["parameters"](2 * dim, blocks, hidden) == counted


def test_operations_are_those_that_torch_counts():
    """Torch counts products without biases and norms, and attention without its mask."""
    dim, blocks, hidden, context, vocabulary, rows = 32, 3, 80, 24, 50, 4
    model = GPT(Config(vocabulary, dim, 2, hidden, blocks, dropout=0.0, tokens=context))
    tokens = torch.randint(vocabulary, (rows, context))
    with FlopCounterMode(display=False) as counter, torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        model(tokens)
    whole = SOLUTIONS["flops"](dim, blocks, hidden, context, vocabulary) * rows * context / 3
    vectors = SOLUTIONS["parameters"](dim, blocks, hidden) - blocks * (4 * dim**2 + 2 * dim * hidden)
    masked = 2 * blocks * dim * context
    assert counter.get_total_flops() == whole + (masked - 2 * vectors) * rows * context


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 3), st.floats(1, 20), st.integers(20, 120))
def test_a_known_law_is_found_again(floor, slope, hundredths):
    sizes = np.geomspace(10, 10_000, 8)
    found = SOLUTIONS["fit_power"](sizes.tolist(), (floor + slope * sizes ** (-hundredths / 100)).tolist())
    assert found == pytest.approx((floor, slope, hundredths / 100), rel=1e-3, abs=1e-6)


@given(st.floats(1.5, 12), st.floats(0.01, 3), st.floats(0.5, 4))
def test_the_bottom_of_a_known_valley_is_found(bottom, bend, height):
    sizes = np.exp([1.0, 3.0, 4.0, 9.0, 11.0])
    losses = height + bend * (np.log(sizes) - bottom) ** 2
    assert SOLUTIONS["valley"](sizes.tolist(), losses.tolist()) == pytest.approx(np.exp(bottom), rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 99))
def test_routing_is_the_librarys(tokens, number, seed):
    scores = torch.randn(tokens, number, generator=torch.Generator().manual_seed(seed))
    for top in range(1, number + 1):
        ours, theirs = SOLUTIONS["route"](scores, top), experts.route(scores, top)
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other)


def test_the_parallel_block_is_the_librarys():
    torch.manual_seed(0)
    model = palm.PaLM(palm.Config(20, 16, 2, 24, 2, 8))
    tokens, before = torch.randint(20, (2, 8)), None
    before = model(tokens)
    for block in model.blocks:
        block.rule = SOLUTIONS["parallel_block"]
    assert torch.equal(model(tokens), before)


@given(st.integers(1, 9), st.integers(1, 50))
def test_a_ring_sends_what_is_said(chips, parts):
    """Chips pass parts around: so many numbers as there are chips, times `parts`; once to add, once to hand out."""
    held = [np.eye(chips)[chip].repeat(parts).reshape(chips, parts) for chip in range(chips)]
    sent = 0
    for turn in range(2 * (chips - 1)):
        moving = [(chip, (chip - turn) % chips) for chip in range(chips)]
        messages = [(chip, part, held[chip][part].copy()) for chip, part in moving]
        for chip, part, numbers in messages:
            neighbour = held[(chip + 1) % chips]
            neighbour[part] = neighbour[part] + numbers if turn < chips - 1 else numbers
            sent += len(numbers)
    wanted = np.eye(chips).repeat(parts, axis=1).reshape(chips, chips, parts).sum(axis=0)
    assert all(np.array_equal(one, wanted) for one in held)
    gradients, _, _ = SOLUTIONS["exchanged"](chips * parts, 1, 1, 1, replicas=chips)
    assert gradients == pytest.approx(2 * sent / chips)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "accusation"),
    [
        # Right where the best alpha is 0.5; one turned sign would make it a mistake with a name, everywhere.
        ("fit_power", "151", "101", "exponent is negative"),
        # The sums of the slices are right: only the third number is not.
        ("exchanged", "stream / slices if", "stream / slices / stages if", "blocks of its stage"),
    ],
)
def test_no_mistake_is_named_that_spoils_what_was_right(name, right, wrong, accusation):
    answer = {"fit_power": answers("06").FIT, "exchanged": answers("06").EXCHANGED}[name]
    verdict = judge(CHECKS[name], answered("06", name, answer.replace(right, wrong)))
    assert not verdict.passed
    assert accusation not in verdict.hint, verdict.hint
