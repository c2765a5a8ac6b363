"""Lab 08's own parts: its solutions against the library's diffusion, and laws."""

import math

import pytest
import torch
from cells import answered
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from squint.checks.engine import judge
from squint.checks.lab08 import CHECKS
from squint.models import diffusion

SOLUTIONS = {name: check.reference for name, check in CHECKS.items()}
SEEDS = st.integers(0, 999)
SHAPES = st.sampled_from([(3, 2), (2, 2), (1, 5), (4, 3, 4, 4), (2, 3, 6, 2)])
TIMES = st.floats(0.02, 0.98)


def normal(shape, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def times(count: int, seed: int) -> torch.Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kept_at(time: float) -> float:
    return math.cos(time * math.pi / 2) ** 2


@settings(deadline=None)
@given(SHAPES, SEEDS)
def test_noise_is_added_as_in_the_library(shape, seed):
    clean, noise, time = normal(shape, seed), normal(shape, seed + 1), times(shape[0], seed + 2)
    kept = (time * math.pi / 2).cos().square()
    ours = SOLUTIONS["add_noise"](clean, noise, kept)
    torch.testing.assert_close(ours, diffusion.add_noise(clean, noise, time), rtol=1e-4, atol=1e-5)


@given(SHAPES, SEEDS)
def test_what_was_noised_is_found_again(shape, seed):
    clean, noise, time = normal(shape, seed), normal(shape, seed + 1), times(shape[0], seed + 2)
    kept = (time * math.pi / 2).cos().square()
    noisy, velocity = diffusion.add_noise(clean, noise, time), diffusion.velocity(clean, noise, time)
    found = SOLUTIONS["clean_and_noise"](noisy, velocity, kept)
    torch.testing.assert_close(found, (clean, noise), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found, diffusion.clean_and_noise(noisy, velocity, time), rtol=1e-3, atol=1e-4)


@given(SHAPES, SEEDS)
def test_noise_keeps_a_variance_of_one(shape, seed):
    """In the sense of the two factors: their squares add up to one."""
    kept = times(shape[0], seed)
    one = torch.ones(shape, dtype=torch.float64)
    signal = SOLUTIONS["add_noise"](one, 0 * one, kept)
    level = SOLUTIONS["add_noise"](0 * one, one, kept)
    torch.testing.assert_close(signal.square() + level.square(), one)


@settings(deadline=None)
@given(SHAPES, SEEDS)
def test_the_loss_is_nothing_for_who_knows_the_velocity_and_counts_every_error(shape, seed):
    clean, noise, time = normal(shape, seed), normal(shape, seed + 1), times(shape[0], seed + 2)
    velocity = diffusion.velocity(clean, noise, time)
    loss = SOLUTIONS["velocity_loss"]
    assert loss(lambda noisy, time: velocity, clean, noise, time).item() < 1e-9
    assert loss(lambda noisy, time: velocity + 2, clean, noise, time).item() == pytest.approx(4, rel=1e-4)
    seen = []
    loss(lambda noisy, time: seen.append((noisy, time)) or noisy, clean, noise, time)
    torch.testing.assert_close(seen[0][0], diffusion.add_noise(clean, noise, time), rtol=1e-4, atol=1e-5)
    assert torch.equal(seen[0][1], time)


@given(TIMES, TIMES, SEEDS)
def test_the_chains_step_is_the_librarys(one, other, seed):
    then, now = sorted((one, other))
    assume(now - then > 0.01)
    clean, noisy = normal((3, 2), seed), normal((3, 2), seed + 1)
    mean, deviation = SOLUTIONS["posterior"](clean, noisy, kept_at(now), kept_at(then))
    theirs, spread = diffusion.posterior(clean, noisy, now, then)
    torch.testing.assert_close(mean, theirs, rtol=1e-4, atol=1e-5)
    assert deviation == pytest.approx(spread)


@given(TIMES, SEEDS)
def test_the_last_step_ends_in_the_clean_thing_with_no_doubt(now, seed):
    clean, noisy = normal((3, 2), seed), normal((3, 2), seed + 1)
    mean, deviation = SOLUTIONS["posterior"](clean, noisy, kept_at(now), 1.0)
    torch.testing.assert_close(mean, clean)
    assert deviation == 0
    torch.testing.assert_close(SOLUTIONS["ddim_step"](clean, noisy, kept_at(now), 1.0), clean)


@given(TIMES, TIMES, SEEDS)
def test_both_steps_lead_where_noising_leads(one, other, seed):
    """The posterior's mean and variance, averaged over noisy things, are those of noising in one go."""
    then, now = sorted((one, other))
    assume(now - then > 0.01)
    clean, noise = normal((3, 2), seed), normal((3, 2), seed + 1)
    a, b = kept_at(now), kept_at(then)
    there = SOLUTIONS["add_noise"](clean, noise, torch.full((3,), b))
    here = SOLUTIONS["add_noise"](clean, noise, torch.full((3,), a))
    torch.testing.assert_close(SOLUTIONS["ddim_step"](clean, here, a, b), there, rtol=1e-3, atol=1e-4)
    expected, deviation = SOLUTIONS["posterior"](clean, math.sqrt(a) * clean, a, b)
    torch.testing.assert_close(expected, math.sqrt(b) * clean, rtol=1e-3, atol=1e-4)
    slope = float(SOLUTIONS["posterior"](torch.zeros(1), torch.ones(1), a, b)[0])
    assert slope**2 * (1 - a) + deviation**2 == pytest.approx(1 - b, rel=1e-3)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_ddim_in_several_steps_is_the_librarys(steps):
    noise = normal((5, 2), 0)

    def denoiser(x, time):
        return 0.3 * x + time[:, None]

    x = noise
    for now, then in diffusion.steps_back(steps):
        time = torch.full((len(x),), now)
        clean, _ = diffusion.clean_and_noise(x, denoiser(x, time), time)
        x = SOLUTIONS["ddim_step"](clean, x, kept_at(now), kept_at(then))
    torch.testing.assert_close(x, diffusion.sample_ddim(denoiser, noise, steps, limit=None), rtol=1e-3, atol=1e-4)


@settings(deadline=None)
@given(st.integers(1, 20), SEEDS)
def test_a_straight_way_takes_one_step_or_many(steps, seed):
    noise, clean = normal((4, 3), seed), normal((4, 3), seed + 1)
    x = SOLUTIONS["euler"](lambda x, time: noise - clean, noise, steps)
    torch.testing.assert_close(x, clean, rtol=1e-3, atol=1e-4)


def test_euler_comes_nearer_with_more_steps():
    noise = normal((6, 2), 3)
    exact = noise * math.exp(-1)  # dx/dt = x, from time 1 to 0
    errors = [(SOLUTIONS["euler"](lambda x, time: x, noise, steps) - exact).norm() for steps in (1, 4, 16, 64)]
    assert all(later < earlier / 2 for earlier, later in zip(errors, errors[1:], strict=False))


@given(st.integers(1, 5), st.integers(1, 6), st.floats(0.0, 0.98), SEEDS)
def test_the_best_guess_lies_among_the_known(batch, things, kept, seed):
    noisy, known = normal((batch, 3), seed), normal((things, 3), seed + 1)
    found = SOLUTIONS["best_guess"](noisy, known, kept)
    assert (found >= known.amin(dim=0) - 1e-4).all() and (found <= known.amax(dim=0) + 1e-4).all()
    order = torch.randperm(things, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(SOLUTIONS["best_guess"](noisy, known[order], kept), found, rtol=1e-3, atol=1e-4)


def test_the_best_guess_is_the_mean_in_pure_noise_and_the_nearest_near_the_end():
    known = 3 * normal((6, 4), 0)
    torch.testing.assert_close(SOLUTIONS["best_guess"](normal((2, 4), 1), known, 0.0), known.mean(dim=0).expand(2, -1))
    kept = 0.9999
    noisy = math.sqrt(kept) * known + math.sqrt(1 - kept) * normal((6, 4), 2)
    torch.testing.assert_close(SOLUTIONS["best_guess"](noisy, known, kept), known, rtol=1e-3, atol=1e-3)


def test_no_other_guess_has_a_smaller_error():
    """Over noisy things drawn from the known ones, nudging the best guess in any direction makes it worse."""
    known, kept, count = normal((4, 2), 0), 0.4, 20_000
    which = torch.randint(4, (count,), generator=torch.Generator().manual_seed(1))
    noisy = math.sqrt(kept) * known[which] + math.sqrt(1 - kept) * normal((count, 2), 2)
    best = SOLUTIONS["best_guess"](noisy, known, kept)

    def error(guess: torch.Tensor) -> float:
        return (guess - known[which]).square().sum(dim=1).mean().item()

    for other in (best + 0.1, best - 0.1, 0.9 * best, 1.1 * best, known[torch.cdist(noisy, known).argmin(dim=1)]):
        assert error(best) < error(other)


def test_another_name_put_in_tells_no_second_mistake():
    """With clean in the place of time the network would be held to the clean thing; but that is not what was done."""
    code = (
        "def velocity_loss(network, clean, noise, time):\n    kept = alpha_bar(time)\n    noisy = add_noise(clean, noise, kept)\n"
        "    target = time\n    return (network(noisy, time) - target).square().mean()"
    )
    hint = judge(CHECKS["velocity_loss"], answered("08", "velocity_loss", code)).hint
    assert hint and "held to the clean thing" not in hint
