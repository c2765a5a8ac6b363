"""The one attention of the course: its laws, its parity with PyTorch, and what happens where nothing may be seen."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from squint.nn import attention, positions
from squint.nn.attention import MultiHeadAttention

ATTENTIONS = [attention.scaled_dot_product, attention.fused_scaled_dot_product]

sizes = st.integers(1, 6)
seeds = st.integers(0, 2**31 - 1)
several = settings(max_examples=40, deadline=None)


def draw(seed: int, *shape: int, dtype=torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def random_mask(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.5


@several
@given(seeds, sizes, sizes, sizes)
def test_rows_sum_to_one_or_to_zero_where_nothing_is_seen(seed, queries, keys, dim):
    mask = random_mask(seed, 2, queries, keys)
    weights = attention.attention_weights(draw(seed, 2, queries, dim), draw(seed + 1, 2, keys, dim), mask)
    assert torch.allclose(weights.sum(dim=-1), mask.any(dim=-1).double())
    assert not weights[~mask].any()


@several
@given(seeds, sizes, sizes, st.floats(-50, 50))
def test_softmax_ignores_a_shift_of_all_scores(seed, queries, keys, shift):
    scores, mask = draw(seed, queries, keys), random_mask(seed, queries, keys)
    assert torch.allclose(attention.masked_softmax(scores + shift, mask), attention.masked_softmax(scores, mask))


@several
@given(seeds, sizes, sizes, sizes, st.sampled_from(ATTENTIONS))
def test_the_order_of_keys_is_free(seed, queries, keys, dim, attend):
    query, key, value = draw(seed, queries, dim), draw(seed + 1, keys, dim), draw(seed + 2, keys, 3)
    mask, order = random_mask(seed, queries, keys), torch.randperm(keys)
    assert torch.allclose(attend(query, key[order], value[order], mask[:, order]), attend(query, key, value, mask))


@several
@given(seeds, sizes)
def test_self_attention_is_permutation_equivariant(seed, tokens):
    torch.manual_seed(seed)
    module, x, order = MultiHeadAttention(8, 2).double(), draw(seed, 1, tokens, 8), torch.randperm(tokens)
    assert torch.allclose(module(x)[:, order], module(x[:, order]))


@several
@given(seeds, st.integers(2, 7), st.data())
def test_the_future_changes_nothing(seed, tokens, data):
    now = data.draw(st.integers(1, tokens - 1))
    torch.manual_seed(seed)
    module, x = MultiHeadAttention(8, 2).double(), draw(seed, 1, tokens, 8)
    other = torch.cat([x[:, :now], draw(seed + 1, 1, tokens - now, 8)], dim=1)
    mask = attention.causal_mask(tokens)
    assert torch.allclose(module(x, mask=mask)[:, :now], module(other, mask=mask)[:, :now], atol=1e-12)


@several
@given(seeds, sizes, sizes, sizes, st.sampled_from(ATTENTIONS))
def test_hidden_keys_are_as_good_as_absent(seed, queries, keys, dim, attend):
    query, key, value = draw(seed, queries, dim), draw(seed + 1, keys + 2, dim), draw(seed + 2, keys + 2, dim)
    visible = torch.arange(keys + 2) < keys
    assert torch.allclose(
        attend(query, key, value, visible.expand(queries, -1)), attend(query, key[:keys], value[:keys], None)
    )


@several
@given(seeds, sizes, sizes, sizes)
def test_the_fused_version_is_the_written_one_gradients_included(seed, queries, keys, dim):
    mask = random_mask(seed, 2, 1, queries, keys)
    found = []
    for attend in ATTENTIONS:
        inputs = [draw(seed + i, 2, 3, n, dim).requires_grad_() for i, n in enumerate((queries, keys, keys))]
        output = attend(*inputs, mask)
        found.append([output, *torch.autograd.grad(output.square().sum(), inputs)])
    for written, fused in zip(*found, strict=True):
        assert torch.allclose(written, fused, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("attend", ATTENTIONS)
def test_a_query_that_sees_nothing_gets_zeros_and_gives_a_gradient_of_zero(attend, dtype):
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[2] = False
    inputs = [draw(i, 2, n, 8, dtype=dtype).requires_grad_() for i, n in enumerate((4, 5, 5))]
    output = attend(*inputs, mask)
    gradients = torch.autograd.grad(output.square().sum() + output[:, 2].sum(), inputs)
    assert not output[:, 2].any()
    assert all(torch.isfinite(g).all() for g in gradients)
    assert not gradients[0][:, 2].any()


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("cross", [False, True])
def test_the_same_weights_give_what_pytorchs_module_gives(heads, cross):
    torch.manual_seed(0)
    theirs, ours = torch.nn.MultiheadAttention(16, heads, batch_first=True), MultiHeadAttention(16, heads)
    with torch.no_grad():
        theirs.in_proj_bias.normal_()
        layers = (ours.to_query, ours.to_key, ours.to_value)
        for layer, weight, bias in zip(
            layers, theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3), strict=True
        ):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        ours.to_output.load_state_dict(theirs.out_proj.state_dict())
    x, context = torch.randn(3, 5, 16), torch.randn(3, 7, 16) if cross else None
    seen = x if context is None else context
    lengths = torch.tensor([5, 2, 4])
    mask = attention.padding_mask(lengths, seen.shape[1])
    want, weights = theirs(x, seen, seen, key_padding_mask=~mask[:, 0], average_attn_weights=False)
    assert torch.allclose(ours(x, context, mask), want, atol=1e-5)
    assert torch.allclose(ours.weights(x, context, mask), weights, atol=1e-5)


def test_the_written_out_attention_can_stand_in():
    torch.manual_seed(0)
    fused, written = MultiHeadAttention(8, 2), MultiHeadAttention(8, 2, attention=attention.scaled_dot_product)
    written.load_state_dict(fused.state_dict())
    x, mask = torch.randn(2, 4, 8), attention.causal_mask(4)
    assert torch.allclose(fused(x, mask=mask), written(x, mask=mask), atol=1e-5)


def test_a_context_of_another_width_and_no_bias():
    module = MultiHeadAttention(8, 2, context_dim=6, bias=False)
    assert module(torch.randn(2, 3, 8), torch.randn(2, 5, 6)).shape == (2, 3, 8)
    assert {name for name, _ in module.named_parameters()} == {
        f"to_{x}.weight" for x in ("query", "key", "value", "output")
    }


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="10 is not a multiple of 4"):
        MultiHeadAttention(10, 4)


@several
@given(seeds, sizes, st.sampled_from([1, 2, 4]))
def test_joining_undoes_splitting(seed, tokens, heads):
    x = draw(seed, 2, tokens, 8)
    assert torch.equal(attention.join_heads(attention.split_heads(x, heads)), x)


def test_masks():
    assert attention.padding_mask(torch.tensor([2, 3]), 3).tolist() == [[[True, True, False]], [[True, True, True]]]
    assert torch.equal(attention.causal_mask(4), torch.ones(4, 4, dtype=torch.bool).tril())
    assert torch.equal(attention.causal_mask(2, past=3), attention.causal_mask(5)[3:])


@several
@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 20))
def test_positions_know_distances_only(tokens, pairs, step):
    table = positions.sinusoidal(tokens + step, 2 * pairs).double()
    products = (table[:tokens] * table[step : step + tokens]).sum(dim=-1)
    assert torch.allclose(products, products[:1], atol=1e-4)


def test_positions_follow_the_formula():
    table = positions.sinusoidal(7, 6)
    assert table[5, 2] == pytest.approx(torch.tensor(5 / 10_000 ** (2 / 6)).sin().item(), abs=1e-6)
    assert table[5, 3] == pytest.approx(torch.tensor(5 / 10_000 ** (2 / 6)).cos().item(), abs=1e-6)
    with pytest.raises(ValueError, match="even"):
        positions.sinusoidal(3, 5)


@pytest.mark.parametrize("kind", [positions.SinusoidalPositions, positions.LearnedPositions])
def test_position_modules_add_a_vector_a_place(kind):
    module, x = kind(10, 6), torch.randn(2, 4, 6)
    assert torch.allclose(module(x) - x, module(torch.zeros(4, 6)).expand(2, 4, 6), atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_the_two_versions_agree_on_a_gpu():
    mask = random_mask(0, 2, 1, 16, 16).cuda()
    inputs = [draw(i, 2, 4, 16, 32, dtype=torch.float32).cuda() for i in range(3)]
    assert torch.allclose(ATTENTIONS[0](*inputs, mask), ATTENTIONS[1](*inputs, mask), atol=1e-4)
    assert torch.isfinite(F.softmax(attention.attention_scores(*inputs[:2]), dim=-1)).all()
