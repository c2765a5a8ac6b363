"""GPT, the Llama and writing on: what the field's library says, with a cache as without one."""

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from squint.models import gpt, llama
from squint.nn import loss
from squint.nn.positions import rotary, rotate
from squint.text.sampling import generate, next_token_probabilities

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

import _theirs  # noqa: E402

FIXTURES = Path(__file__).parent / "fixtures"
SMALL = gpt.Config(50, dim=24, heads=4, hidden=48, blocks=3, dropout=0.0, tokens=16)
SMALL_LLAMA = llama.Config(50, dim=24, blocks=3, heads=6, shared_heads=2, hidden=40, base=10_000.0, tokens=16)


@pytest.fixture(params=["gpt", "llama"])
def model(request):
    torch.manual_seed(0)
    made = gpt.GPT(SMALL) if request.param == "gpt" else llama.Llama(SMALL_LLAMA)
    return made.eval()


def words(rows: int = 3, tokens: int = 12) -> torch.Tensor:
    return torch.randint(50, (rows, tokens), generator=torch.Generator().manual_seed(1))


# The models


@torch.no_grad()
@pytest.mark.parametrize("cuts", [(1,) * 12, (5, 1, 1, 5), (11, 1)])
def test_with_a_cache_all_is_as_without(model, cuts):
    tokens, past = words(), model.begin()
    said = torch.cat([model(part, past) for part in tokens.split(cuts, dim=1)], dim=1)
    torch.testing.assert_close(said, model(tokens))
    torch.testing.assert_close(model(tokens, last=2), said[:, -2:])
    part = model.config.dim // model.config.heads
    heads = getattr(model.config, "shared_heads", model.config.heads)
    assert past[0].nodes == 12 and past[0].bytes == 2 * 4 * 3 * 12 * heads * part


@torch.no_grad()
def test_the_future_changes_nothing(model):
    tokens = words()
    other = tokens.clone()
    other[:, 7:] = 3
    torch.testing.assert_close(model(tokens)[:, :7], model(other)[:, :7])


@torch.no_grad()
def test_a_cache_can_go_back_and_be_thinned_out(model):
    tokens, past = words(), model.begin()
    model(tokens[:, :8], past)
    rows = torch.tensor([2, 0])
    thinned = [each.back_at(5).of(rows) for each in past]
    torch.testing.assert_close(model(tokens[rows, 5:], thinned), model(tokens)[rows, 5:])


def test_too_long_a_text_is_refused(model):
    with pytest.raises(ValueError, match="16 tokens at once, and not 17"):
        model(words(1, 17))


@torch.no_grad()
def test_filling_in_front_changes_nothing_in_a_llama():
    torch.manual_seed(0)
    model, tokens = llama.Llama(SMALL_LLAMA).eval(), words(2, 8)
    filled = torch.cat([torch.zeros(2, 3, dtype=torch.long), tokens], dim=1)
    real = torch.arange(11) >= 3
    torch.testing.assert_close(model(filled, mask=real.expand(2, 11))[:, 3:], model(tokens))
    past = model.begin()
    model(filled[:, :10], past, mask=real.expand(2, 11)[:, :10])
    torch.testing.assert_close(model(filled[:, 10:], past, mask=real.expand(2, 11)), model(tokens, last=1))


@torch.no_grad()
def test_gpt_is_the_librarys_gpt2():
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = gpt.GPT(SMALL).eval()
    theirs = _theirs.gpt2(model).eval()
    tokens = words()
    torch.testing.assert_close(model(tokens), theirs(tokens).logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.loss(tokens), theirs(tokens, labels=tokens).loss, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_llama_is_the_librarys():
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = llama.Llama(SMALL_LLAMA).eval()
    theirs = _theirs.llama(model).eval()
    torch.testing.assert_close(model(words()), theirs(words()).logits, rtol=1e-4, atol=1e-5)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 40))
@settings(max_examples=20, deadline=None)
def test_rotated_products_depend_on_the_distance_alone(first, second, shift):
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 8, dtype=torch.float64)
    torch.set_default_dtype(torch.float64)  # else the table's angles, up to 60, are wrong by up to 4e-6
    try:
        table = rotary(64, 8)
    finally:
        torch.set_default_dtype(torch.float32)

    def product(i: int, j: int) -> torch.Tensor:
        return (rotate(query, table[:, i : i + 1]) * rotate(key, table[:, j : j + 1])).sum()

    torch.testing.assert_close(product(first, second), product(first + shift, second + shift), atol=1e-9, rtol=0)
    turned = rearrange(rotate(query, table[:, first : first + 1]), "1 (two pair) -> pair two", two=2)
    torch.testing.assert_close(turned.norm(dim=1), rearrange(query, "1 (two pair) -> pair two", two=2).norm(dim=1),
                               atol=1e-5, rtol=1e-5)  # fmt: skip


@torch.no_grad()
def test_smollm2_says_what_the_librarys_says():
    """The fixture holds logits of transformers' LlamaForCausalLM with the same weights."""
    model, pieces = llama.smollm2()
    kept = load_file(FIXTURES / "smollm2.safetensors")
    text = "The capital of France is Paris, and that of Italy is Rome. Seven times eight is"
    assert pieces.encode(text).ids == kept["tokens"].tolist()
    logits = model(kept["tokens"][None])[0]
    torch.testing.assert_close(logits[:, kept["places"]], kept["logits"], rtol=0, atol=1e-3)
    assert pieces.decode([int(logits[-1].argmax())]) == " "


@given(st.integers(1, 40), st.integers(2, 30), st.integers(1, 400))
@settings(max_examples=25, deadline=None)
def test_the_loss_in_pieces_is_the_librarys_and_so_are_its_gradients(tokens, words, piece):
    chance = torch.Generator().manual_seed(tokens)
    states, table = torch.randn(tokens, 5, generator=chance), torch.randn(words, 5, generator=chance)
    labels = torch.randint(words, (tokens,), generator=chance)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "PIECE", piece)
        for of in (loss.cross_entropy, lambda states, table, labels: F.cross_entropy(states @ table.T, labels)):
            leaves = [each.clone().requires_grad_() for each in (states, table)]
            value = of(*leaves, labels)
            found.append([value, *torch.autograd.grad(3 * value, leaves)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)
    with torch.no_grad():
        torch.testing.assert_close(loss.cross_entropy(states, table, labels), found[1][0])


# Writing on


LOGITS = st.lists(st.floats(-8, 8), min_size=2, max_size=12)


@given(LOGITS, st.floats(0.2, 3), st.integers(1, 12), st.floats(0.05, 1))
@settings(max_examples=60, deadline=None)
def test_what_is_drawn_from(logits, temperature, top_k, top_p):
    scores = torch.tensor(logits)
    shares = next_token_probabilities(scores, temperature, top_k, top_p)
    plain = (scores / temperature).softmax(dim=-1)
    torch.testing.assert_close(shares.sum(), torch.tensor(1.0))
    assert (shares > 0).sum() <= top_k
    kept = shares > 0
    torch.testing.assert_close(shares[kept], plain[kept] / plain[kept].sum(), rtol=1e-4, atol=1e-6)
    # Without its least likely member, what is kept falls short of the nucleus; nothing left out is likelier.
    assert plain[kept].sum() - plain[kept].min() < top_p + 1e-5
    assert not (~kept).any() or plain[~kept].max() <= plain[kept].min() + 1e-6


def test_cold_is_greedy_and_nonsense_is_refused():
    assert next_token_probabilities(torch.tensor([1.0, 3.0, 2.0]), temperature=0).tolist() == [0, 1, 0]
    for wrong in ({"temperature": -1}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}):
        with pytest.raises(ValueError, match="sampling takes"):
            next_token_probabilities(torch.zeros(3), **wrong)


@torch.no_grad()
def test_writing_on_is_what_the_model_says_next(model):
    tokens = words(2, 4)
    written = generate(model, tokens, 9, temperature=0)
    assert written.shape == (2, 13) and torch.equal(written[:, :4], tokens)
    assert torch.equal(model(written[:, :-1])[:, 3:].argmax(dim=-1), written[:, 4:])


@torch.no_grad()
def test_a_text_longer_than_the_model_sees_goes_on_from_its_second_half(model):
    written = generate(model, words(1, 20), 30, temperature=0)
    assert written.shape == (1, 50)
    assert int(model(written[:, 20 - 16 : 20])[0, -1].argmax()) == int(written[0, 20])
    assert int(model(written[:, 21 - 8 : 21])[0, -1].argmax()) == int(written[0, 21])


def test_draws_follow_the_generator_and_the_end_token_ends(model):
    def draw(seed: int, **more: int) -> torch.Tensor:
        return generate(model, words(3, 2), 12, generator=torch.Generator().manual_seed(seed), **more)

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
    end = int(draw(1)[0, 3])
    ended = draw(1, end=end)[0, 3:].tolist()
    assert ended == [end] * len(ended)
