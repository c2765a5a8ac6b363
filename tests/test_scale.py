"""A mixture of experts and PaLM: laws, a loop that does the same, and what the field's library says."""

import copy
import math
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from squint.models import palm
from squint.nn.experts import MixtureOfExperts, assign, route
from squint.nn.transformer import FeedForward
from squint.text.sampling import generate

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

import _theirs  # noqa: E402
from fake_device import NoWaits, second_device  # noqa: E402

SMALL = palm.Config(50, dim=24, heads=4, hidden=40, blocks=3, tokens=16)
SHAPE = st.tuples(st.integers(1, 40), st.integers(1, 7), st.integers(1, 7), st.integers(0, 99)).filter(
    lambda shape: shape[2] <= shape[1]
)
"""Tokens, experts, top and a seed."""


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mixture(experts: int, top: int, capacity: float | None = None, seed: int = 0) -> MixtureOfExperts:
    torch.manual_seed(seed)
    return MixtureOfExperts(5, 7, experts, top=top, capacity=capacity).double()


def by_loop(layer: MixtureOfExperts, x: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The same, choice by choice, and how many were dropped."""
    weights, chosen, _ = route(layer.router(x), layer.top)
    taken, dropped, out = [0] * layer.experts, 0, [torch.zeros_like(row) for row in x]
    for choice in range(layer.top):
        for token, row in enumerate(x):
            expert = int(chosen[token, choice])
            if layer.capacity is None or taken[expert] < math.ceil(layer.capacity * len(x) * layer.top / layer.experts):
                taken[expert] += 1
                hidden = (row @ layer.widen[expert] + layer.widen_bias[expert, 0]).relu()
                answer = hidden @ layer.narrow[expert] + layer.narrow_bias[expert, 0]
                out[token] = out[token] + weights[token, choice] * answer
            else:
                dropped += 1
    return torch.stack(out), dropped


# The router


@given(SHAPE)
@settings(max_examples=40, deadline=None)
def test_weights_are_those_of_the_likeliest_and_sum_to_one(shape):
    tokens, experts, top, seed = shape
    scores = draw(tokens, experts, seed=seed)
    weights, chosen, balance = route(scores, top)
    assert weights.shape == chosen.shape == (tokens, top) and 0 < balance <= experts
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(tokens, dtype=torch.float64))
    assert torch.equal(chosen, scores.argsort(dim=1, descending=True)[:, :top])
    # Mixtral's: a softmax over the scores of the chosen only.
    torch.testing.assert_close(weights, scores.gather(1, chosen).softmax(dim=1))
    torch.testing.assert_close(route(scores + 3, top)[0], weights)


@given(st.integers(2, 8), st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_balance_is_one_if_even_and_the_experts_if_all_goes_to_one(experts, times):
    even = 30 * torch.eye(experts, dtype=torch.float64).repeat(times, 1)
    assert route(even, 1)[2].item() == pytest.approx(1)
    assert route(torch.zeros_like(even), 2)[2].item() == pytest.approx(1)
    assert route(even[:1].expand(times, -1), 1)[2].item() == pytest.approx(experts)


def test_less_balance_to_pay_is_more_even():
    scores = draw(200, 6)
    scores[:, 0] += 2
    scores.requires_grad_()
    before = route(scores, 2)[2]
    (slope,) = torch.autograd.grad(before, scores)
    assert slope[:, 0].mean() > 0
    assert route(scores - 50 * slope, 2)[2] < before


def test_balance_is_the_librarys():
    mixtral = pytest.importorskip("transformers.models.mixtral.modeling_mixtral")
    scores = draw(50, 6)
    for top in (1, 2, 3):
        # Its shares are of tokens, and so sum to `top`.
        theirs = mixtral.load_balancing_loss_func((scores.float(),), 6, top)
        assert top * route(scores, top)[2].item() == pytest.approx(theirs.item(), rel=1e-5)


# The layer


@given(SHAPE, st.sampled_from([None, 0.3, 0.7, 1.0, 1.25, 9.0]))
@settings(max_examples=60, deadline=None)
def test_it_is_a_loop_over_tokens_and_drops_what_that_drops(shape, capacity):
    tokens, experts, top, seed = shape
    layer, x = mixture(experts, top, capacity, seed), draw(tokens, 5, seed=seed)
    leaves = [x.requires_grad_(), *layer.parameters()]
    ours = layer(x)
    loop, dropped = by_loop(layer, x)
    torch.testing.assert_close(ours, loop)
    assert layer.dropped.item() * tokens * top == pytest.approx(dropped, abs=1e-9)
    outer = draw(tokens, 5, seed=seed + 1)
    found = [torch.autograd.grad(each, leaves, outer, materialize_grads=True) for each in (ours, loop)]
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@given(SHAPE, st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_no_expert_takes_more_than_it_has_room_for(shape, room):
    tokens, experts, top, seed = shape
    _, chosen, _ = route(draw(tokens, experts, seed=seed), top)
    token, place, kept = assign(chosen, experts, room)
    places = token.shape[1]
    assert places <= min(room, tokens)
    taken = torch.bincount(chosen[kept], minlength=experts)
    wanted = torch.bincount(chosen.flatten(), minlength=experts)
    assert torch.equal(taken, wanted.clamp(max=room))
    # Every choice that was kept has a place of its own, at its own expert, and there its own token stands.
    assert len(place[kept].unique()) == int(kept.sum())
    assert torch.equal((place // places)[kept], chosen[kept])
    assert torch.equal(token.flatten()[place][kept], torch.arange(tokens)[:, None].expand(-1, top)[kept])


@given(SHAPE)
@settings(max_examples=30, deadline=None)
def test_in_another_order_tokens_get_the_same(shape):
    tokens, experts, top, seed = shape
    layer, x = mixture(experts, top, seed=seed), draw(tokens, 5, seed=seed)
    order = torch.randperm(tokens)
    torch.testing.assert_close(layer(x[order]), layer(x)[order])
    assert layer.dropped == 0


def test_first_choices_come_before_second_ones_and_earlier_tokens_before_later():
    chosen = torch.tensor([[1, 0], [0, 1], [0, 1]])
    _, _, kept = assign(chosen, 2, 2)
    assert kept.tolist() == [[True, False], [True, True], [True, False]]
    _, _, kept = assign(chosen, 2, 1)
    assert kept.tolist() == [[True, False], [True, False], [False, False]]


@pytest.mark.parametrize("capacity", [None, 0.5, 1.25])
def test_elsewhere_it_waits_for_nothing_and_says_the_same(monkeypatch, capacity):
    torch.manual_seed(0)
    layer, x = MixtureOfExperts(5, 7, 4, capacity=capacity), torch.randn(9, 5)
    here = layer(x)
    with second_device(monkeypatch) as device, NoWaits():
        there = layer.to("mps")(x.to("mps"))
        there.sum().backward()
        places = assign(torch.tensor([[0, 1], [2, 3]], device="mps"), 4, 2)[0]
        assert device.is_there(layer.dropped) and places.shape == (4, 2)
    torch.testing.assert_close(there, here)


def test_one_expert_is_a_feed_forward():
    torch.manual_seed(0)
    dense = FeedForward(5, 7).double()
    layer, x = MixtureOfExperts.of([dense], top=1), draw(2, 3, 5)
    torch.testing.assert_close(layer(x), dense(x))
    assert layer.dropped == 0 and layer.balance.item() == pytest.approx(1)
    # And so are several that are alike.
    torch.testing.assert_close(MixtureOfExperts.of([dense] * 4, capacity=None)(x), dense(x))


def test_experts_begin_as_spread_as_linear_layers():
    layer, dense = MixtureOfExperts(64, 256, 8), FeedForward(64, 256)
    for name in ("widen", "narrow"):
        for ours, theirs in ((name, "weight"), (f"{name}_bias", "bias")):
            linear = getattr(getattr(dense, name), theirs)
            for expert in getattr(layer, ours):
                assert expert.std().item() == pytest.approx(linear.std().item(), rel=0.2)


def test_a_token_that_is_dropped_everywhere_gets_nothing():
    layer, x = mixture(4, 2, 0.5), draw(1, 5).expand(8, 5)
    out = layer(x)
    # All eight want the same two experts, each of which takes two.
    assert layer.dropped == 0.75
    assert (out[:2] != 0).all() and (out[2:] == 0).all()


def test_what_a_learner_routes_by_is_used():
    def worst(scores, top):
        return route(-scores, top)

    torch.manual_seed(0)
    layer = MixtureOfExperts(5, 7, 4, route=worst)
    other = copy.deepcopy(layer)
    other.route = route
    with torch.no_grad():
        other.router.weight.neg_()
    x = draw(9, 5).float()
    torch.testing.assert_close(layer(x), other(x))


def test_a_trained_layer_can_be_copied_and_its_balance_is_learned_from():
    layer = mixture(4, 2)
    layer(draw(9, 5))
    layer.balance.backward()
    assert layer.router.weight.grad.abs().sum() > 0 and layer.widen.grad is None
    torch.testing.assert_close(copy.deepcopy(layer).balance, layer.balance.detach())
    assert set(layer.state_dict()) == {"router.weight", "widen", "widen_bias", "narrow", "narrow_bias"}


@pytest.mark.parametrize(("options", "says"), [({"top": 5}, "5 of 4 experts"), ({"capacity": 0.0}, "above 0")])
def test_what_makes_no_sense_is_refused(options, says):
    with pytest.raises(ValueError, match=says):
        MixtureOfExperts(5, 7, 4, **options)


@torch.no_grad()
def test_the_mixture_is_the_librarys():
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    layer = MixtureOfExperts(16, 24, 6, top=2, capacity=None)
    x = torch.randn(3, 20, 16)
    theirs = _theirs.mixtral(layer)(torch.cat([x, torch.ones(3, 20, 1)], dim=2))
    torch.testing.assert_close(layer(x), theirs[..., :-1])


# PaLM


@pytest.fixture
def model():
    torch.manual_seed(0)
    return palm.PaLM(SMALL).eval()


def words(rows: int = 3, tokens: int = 12) -> torch.Tensor:
    return torch.randint(50, (rows, tokens), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize("cuts", [(1,) * 12, (5, 1, 1, 5), (11, 1)])
def test_with_a_cache_palm_says_what_it_says_without(model, cuts):
    tokens, past = words(), model.begin()
    said = torch.cat([model(part, past) for part in tokens.split(cuts, dim=1)], dim=1)
    torch.testing.assert_close(said, model(tokens))
    torch.testing.assert_close(model(tokens, last=2), said[:, -2:])
    assert past[0].bytes == 2 * 4 * 3 * 12 * 24 // 4, "one head of keys and values is kept"


@torch.no_grad()
def test_the_future_changes_nothing_in_palm(model):
    tokens = words()
    other = tokens.clone()
    other[:, 7:] = 3
    torch.testing.assert_close(model(tokens)[:, :7], model(other)[:, :7])
    assert not torch.allclose(model(tokens)[:, 7:], model(other)[:, 7:])


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 30), st.integers(2, 40))
@settings(max_examples=15, deadline=None)
def test_palm_has_no_bias_and_as_many_numbers_as_the_formula(heads, half, blocks, hidden, vocabulary):
    dim = 2 * half * heads
    model = palm.PaLM(palm.Config(vocabulary, dim, heads, hidden, blocks, 8))
    assert not [name for name, _ in model.named_parameters() if "bias" in name]
    block = 2 * dim**2 + 2 * dim * (dim // heads) + 3 * dim * hidden + dim
    assert model.parameter_count == vocabulary * dim + blocks * block + dim


@torch.no_grad()
def test_palm_is_the_librarys(model):
    pytest.importorskip("transformers")
    for norm in [model.norm, *(block.norm for block in model.blocks)]:
        norm.weight.uniform_(0.5, 2)
    theirs, tokens = _theirs.palm(model).eval(), words()
    torch.testing.assert_close(model(tokens), theirs(tokens).logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.loss(tokens), theirs(tokens, labels=tokens).loss, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_rule_is_the_blocks(model):
    def serial(x, norm, attention, feed_forward):
        x = x + attention(norm(x))
        return x + feed_forward(norm(x))

    other = palm.PaLM(SMALL, rule=serial).eval()
    other.load_state_dict(model.state_dict())
    assert not torch.allclose(other(words()), model(words()))
    block, x = model.blocks[0], torch.randn(2, 12, 24)
    seen = block.norm(x)
    torch.testing.assert_close(
        block(x, model.table[:, :12]), x + block.attention(seen, model.table[:, :12]) + block.feed_forward(seen)
    )


def test_palm_learns_writes_and_refuses_too_long_a_text(model):
    tokens = words()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    assert model.loss(tokens).item() == pytest.approx(math.log(50), rel=0.1)
    for _ in range(30):
        optimiser.zero_grad()
        loss = model.loss(tokens)
        loss.backward()
        optimiser.step()
    assert loss < 1.5
    with torch.no_grad():
        written = generate(model, tokens[:, :4], 5, temperature=0)
        assert torch.equal(model(written[:, :-1])[:, 3:].argmax(dim=-1), written[:, 4:])
    with pytest.raises(ValueError, match="16 tokens at once, and not 17"):
        model(words(1, 17))
