"""The Transformer against PyTorch's own, masks of every kind, and decoding step by step against all at once."""

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from squint.models import gru, seq2seq
from squint.models.seq2seq import (
    Seq2Seq,
    fused_label_smoothed_loss,
    inverse_square_root,
    label_smoothed_loss,
    shift_right,
    warm_up_rate,
)
from squint.nn.attention import causal_mask
from squint.nn.transformer import (
    Decoder,
    DecoderBlock,
    Dropout,
    Encoder,
    EncoderBlock,
    FeedForward,
    LayerNorm,
    layer_norm,
)
from squint.text.decode import Decodes, beam_search, greedy

DIM, HEADS, HIDDEN, BLOCKS = 16, 4, 24, 2
PAD, START, END = 0, 1, 2


def pour_attention(ours: nn.Module, theirs: nn.MultiheadAttention) -> None:
    """PyTorch keeps the three input projections in one matrix."""
    for part, weight, bias in zip(
        (ours.to_query, ours.to_key, ours.to_value),
        theirs.in_proj_weight.chunk(3),
        theirs.in_proj_bias.chunk(3),
        strict=True,
    ):
        part.weight.copy_(weight)
        part.bias.copy_(bias)
    ours.to_output.load_state_dict(theirs.out_proj.state_dict())


def pour_norm(ours: nn.Module, theirs: nn.LayerNorm) -> None:
    ours.gain.copy_(theirs.weight)
    ours.bias.copy_(theirs.bias)


@torch.no_grad()
def pour(encoder: Encoder, decoder: Decoder, theirs: nn.Transformer) -> None:
    """Give our stacks the weights of PyTorch's."""
    for stack, other in ((encoder, theirs.encoder), (decoder, theirs.decoder)):
        for block, layer in zip(stack.blocks, other.layers, strict=True):
            pour_attention(block.attention, layer.self_attn)
            block.feed_forward.widen.load_state_dict(layer.linear1.state_dict())
            block.feed_forward.narrow.load_state_dict(layer.linear2.state_dict())
            pour_norm(block.attention_residual.norm, layer.norm1)
            if stack is decoder:
                pour_attention(block.cross_attention, layer.multihead_attn)
                pour_norm(block.cross_attention_residual.norm, layer.norm2)
                pour_norm(block.feed_forward_residual.norm, layer.norm3)
            else:
                pour_norm(block.feed_forward_residual.norm, layer.norm2)
        pour_norm(stack.norm, other.norm)


@torch.no_grad()
def stir(module: nn.Module) -> None:
    """Random biases and gains too, which begin at zero and one and would hide a mistake."""
    for parameter in module.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm_first", [True, False], ids=["pre-norm", "post-norm"])
@pytest.mark.parametrize("training", [False, True])
def test_same_as_pytorch_s_given_its_weights(norm_first: bool, training: bool) -> None:
    """PyTorch masks say what is hidden, ours what is seen. In training it takes another path through its code."""
    theirs = nn.Transformer(DIM, HEADS, BLOCKS, BLOCKS, HIDDEN, dropout=0.0, batch_first=True, norm_first=norm_first)
    stir(theirs)
    shape = (BLOCKS, DIM, HEADS, HIDDEN)
    encoder = Encoder(*shape, norm_first=norm_first, final_norm=True)
    decoder = Decoder(*shape, norm_first=norm_first, final_norm=True)
    pour(encoder, decoder, theirs)
    theirs.train(training)
    source, target = torch.randn(3, 7, DIM), torch.randn(3, 5, DIM)
    real = torch.arange(7) < torch.tensor([7, 4, 1])[:, None]
    expected = theirs(
        source, target, tgt_mask=~causal_mask(5), src_key_padding_mask=~real, memory_key_padding_mask=~real
    )
    memory = encoder(source, real[:, None])
    found = decoder(target, memory, causal_mask(5), real[:, None])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm_first", [True, False])
def test_gradients_are_pytorch_s(norm_first: bool) -> None:
    theirs = nn.Transformer(DIM, HEADS, 1, 1, HIDDEN, dropout=0.0, batch_first=True, norm_first=norm_first)
    encoder = Encoder(1, DIM, HEADS, HIDDEN, norm_first=norm_first, final_norm=True)
    decoder = Decoder(1, DIM, HEADS, HIDDEN, norm_first=norm_first, final_norm=True)
    pour(encoder, decoder, theirs)
    ours_in = torch.randn(2, 6, DIM, requires_grad=True)
    theirs_in = ours_in.detach().clone().requires_grad_()
    target = torch.randn(2, 4, DIM)
    decoder(target, encoder(ours_in), causal_mask(4)).square().sum().backward()
    theirs(theirs_in, target, tgt_mask=~causal_mask(4)).square().sum().backward()
    torch.testing.assert_close(ours_in.grad, theirs_in.grad, rtol=1e-4, atol=1e-4)


def test_final_norm_comes_with_pre_norm() -> None:
    assert isinstance(Encoder(1, 8, 2, 8).norm, LayerNorm)
    assert isinstance(Encoder(1, 8, 2, 8, norm_first=False).norm, nn.Identity)


def test_layer_norm_is_its_formula() -> None:
    x, gain, bias = 3 + 5 * torch.randn(4, 6, DIM), torch.randn(DIM), torch.randn(DIM)
    module = LayerNorm(DIM)
    with torch.no_grad():
        module.gain.copy_(gain)
        module.bias.copy_(bias)
    expected = nn.functional.layer_norm(x, (DIM,), gain, bias)
    torch.testing.assert_close(layer_norm(x, gain, bias), expected)
    torch.testing.assert_close(module(x), expected)
    plain = layer_norm(x, torch.ones(DIM), torch.zeros(DIM))
    torch.testing.assert_close(plain.mean(-1), torch.zeros(4, 6), atol=1e-5, rtol=0)
    torch.testing.assert_close(plain.var(-1, unbiased=False), torch.ones(4, 6), atol=1e-4, rtol=0)


def test_a_constant_vector_is_normalised_to_its_bias() -> None:
    assert torch.equal(
        layer_norm(torch.full((2, 4), 7.0), torch.ones(4), torch.arange(4.0)), torch.arange(4.0).expand(2, 4)
    )


def test_feed_forward_sees_one_position_at_a_time() -> None:
    network, x = FeedForward(DIM, HIDDEN), torch.randn(2, 5, DIM)
    torch.testing.assert_close(network(x)[:, 2], network(x[:, 2]))


@pytest.mark.parametrize("norm_first", [True, False])
def test_where_the_norm_stands(norm_first: bool) -> None:
    """With sublayers that answer zero, pre-norm is the identity and post-norm is a norm."""
    block, x = EncoderBlock(DIM, HEADS, HIDDEN, norm_first=norm_first), 9 * torch.randn(2, 5, DIM)
    with torch.no_grad():
        for layer in (block.attention.to_output, block.feed_forward.narrow):
            layer.weight.zero_()
            layer.bias.zero_()
    normed = layer_norm(x, torch.ones(DIM), torch.zeros(DIM))
    torch.testing.assert_close(block(x), x if norm_first else normed, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_last_token_alone_comes_to_what_it_comes_to_among_all(norm_first: bool) -> None:
    encoder, x = Encoder(BLOCKS, DIM, HEADS, HIDDEN, norm_first=norm_first).eval(), torch.randn(3, 5, DIM)
    seen = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [1, 0, 0, 0, 1]]).bool()[:, None]
    for mask in (None, seen):
        torch.testing.assert_close(encoder.read_last(x, mask), encoder(x, mask)[:, -1], rtol=1e-4, atol=1e-5)


PATTERNS = [torch.tensor(bits) for n in range(1, 5) for bits in itertools.product([True, False], repeat=n)]


@pytest.mark.parametrize("real", PATTERNS, ids=lambda real: "".join("x" if bit else "." for bit in real))
def test_what_is_padding_changes_nothing(real: Tensor) -> None:
    """Every pattern of padding up to length 4: real tokens come out as if the padding were not there, and no NaN."""
    encoder, block = Encoder(BLOCKS, DIM, HEADS, HIDDEN).eval(), DecoderBlock(DIM, HEADS, HIDDEN).eval()
    source, target = torch.randn(1, len(real), DIM), torch.randn(1, 3, DIM)
    mask = real[None, None, :]
    memory = encoder(source, mask)
    found = block(target, memory, causal_mask(3), mask)
    other = source.masked_scatter(~real[None, :, None], 50 * torch.randn(1, len(real), DIM))
    again = encoder(other, mask)
    torch.testing.assert_close(again[:, real], memory[:, real])
    torch.testing.assert_close(block(target, again, causal_mask(3), mask), found)
    assert found.isfinite().all() and memory.isfinite().all()
    if real.any():
        alone = encoder(source[:, real])
        torch.testing.assert_close(alone, memory[:, real])
        torch.testing.assert_close(block(target, alone, causal_mask(3)), found)


@pytest.mark.parametrize("real", PATTERNS, ids=lambda real: "".join("x" if bit else "." for bit in real))
def test_gradients_stay_finite_under_every_padding(real: Tensor) -> None:
    encoder, block = Encoder(1, DIM, HEADS, HIDDEN), DecoderBlock(DIM, HEADS, HIDDEN)
    source = torch.randn(1, len(real), DIM, requires_grad=True)
    block(torch.randn(1, 2, DIM), encoder(source, real[None, None]), causal_mask(2), real[None, None]).sum().backward()
    assert source.grad is not None and source.grad.isfinite().all()
    assert not source.grad[:, ~real].any()


def tiny(norm_first: bool = True, **options) -> Seq2Seq:
    return Seq2Seq(
        seq2seq.Config(11, DIM, HEADS, HIDDEN, BLOCKS, dropout=0.0, norm_first=norm_first, tokens=16, **options)
    )


def models() -> list[nn.Module]:
    both = [tiny(), tiny(norm_first=False)]
    both += [gru.GRU(gru.Config(11, DIM, 2, dropout=0.0, score=score)) for score in ("dot", "additive")]
    for model in both:
        stir(model)
    return [model.eval() for model in both]


NAMES = ["pre-norm", "post-norm", "gru, dot", "gru, additive"]
SOURCE = torch.tensor([[5, 6, 7, 8, 9], [4, 3, PAD, PAD, PAD], [9, 9, 9, PAD, PAD]])
LABELS = torch.tensor([[3, 4, 5, END], [6, END, PAD, PAD], [7, 8, END, PAD]])


def test_labels_are_shifted_right() -> None:
    assert shift_right(torch.tensor([[5, 6, 2], [7, 2, 0]])).tolist() == [[1, 5, 6], [1, 7, 2]]
    assert shift_right(torch.tensor([5, 6]), start=9).tolist() == [9, 5]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_loss_is_pytorch_s(smoothing: float) -> None:
    logits, labels = 4 * torch.randn(3, 5, 11), torch.randint(0, 11, (3, 5))
    labels[0, 3:] = PAD
    expected = nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=PAD, label_smoothing=smoothing
    )
    torch.testing.assert_close(label_smoothed_loss(logits, labels, smoothing, PAD), expected)
    everything = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=smoothing)
    torch.testing.assert_close(label_smoothed_loss(logits, labels, smoothing), everything)
    torch.testing.assert_close(fused_label_smoothed_loss(logits.flatten(0, 1), labels.flatten(), smoothing), everything)


def test_the_fused_loss_has_the_same_gradient() -> None:
    logits, labels = torch.randn(7, 11, dtype=torch.float64, requires_grad=True), torch.randint(0, 11, (7,))
    written_out = torch.autograd.grad(3 * label_smoothed_loss(logits, labels, 0.2), logits)[0]
    fused = torch.autograd.grad(3 * fused_label_smoothed_loss(logits, labels, 0.2), logits)[0]
    torch.testing.assert_close(fused, written_out, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_dropout_drops_its_share_and_keeps_the_mean(share: float, device: torch.device) -> None:
    module, x = Dropout(share), torch.ones(1001, 333, device=device)
    found = module(x)
    assert float((found == 0).float().mean()) == pytest.approx(share, abs=0.005)
    assert float(found.mean()) == pytest.approx(1, abs=0.005)
    assert len(found.unique()) == 2 and not torch.equal(found, module(x))
    # No pattern: neighbours, and entries eight apart, which one draw serves, are dropped independently.
    dropped = (found == 0).flatten().float()
    for apart in (1, 7, 8):
        assert float((dropped[apart:] * dropped[:-apart]).mean()) == pytest.approx(share**2, abs=0.005)
    assert torch.equal(module.eval()(x), x)


def test_dropout_has_the_gradient_of_what_it_kept() -> None:
    x = torch.randn(50, requires_grad=True)
    found = Dropout(0.3)(x)
    found.sum().backward()
    torch.testing.assert_close(x.grad, (found / x).detach())
    with pytest.raises(ValueError, match="below 1"):
        Dropout(1.0)


@pytest.mark.parametrize("which", range(4), ids=NAMES)
def test_padding_counts_nothing_in_the_loss(which: int) -> None:
    model = models()[which]
    wide_source = nn.functional.pad(SOURCE, (0, 3))
    wide_labels = nn.functional.pad(LABELS, (0, 2))
    torch.testing.assert_close(model.loss(wide_source, wide_labels), model.loss(SOURCE, LABELS))
    whole = label_smoothed_loss(model(SOURCE, shift_right(LABELS)), LABELS, 0.1, PAD)
    torch.testing.assert_close(model.loss(SOURCE, LABELS), whole)


@pytest.mark.parametrize("which", range(4), ids=NAMES)
def test_the_future_changes_nothing(which: int) -> None:
    model = models()[which]
    target = torch.randint(3, 11, (3, 6))
    other = torch.cat([target[:, :4], torch.randint(3, 11, (3, 2))], dim=1)
    torch.testing.assert_close(model(SOURCE, target)[:, :4], model(SOURCE, other)[:, :4])


@pytest.mark.parametrize("which", range(4), ids=NAMES)
def test_step_by_step_gives_what_all_at_once_gives(which: int) -> None:
    model = models()[which]
    target = torch.randint(3, 11, (3, 6))
    expected = model(SOURCE, target).log_softmax(dim=-1)
    state = model.begin(SOURCE)
    for position in range(6):
        found, state = model.step(target[:, position, None], state)
        torch.testing.assert_close(found[:, 0], expected[:, position], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("which", range(4), ids=NAMES)
def test_step_by_step_with_beams_that_change_places(which: int) -> None:
    """Hypotheses double, swap and leave with their sentence; each still continues its own history."""
    model = models()[which]
    histories = torch.randint(3, 11, (3, 1, 5))
    state = model.begin(SOURCE)
    _, state = model.step(histories[:, :, 0], state)
    _, state = model.step(histories[:, :, 1], state)
    beams = torch.tensor([[0, 0, 0]] * 3)
    state = model.reorder(state, None, beams)
    second = torch.randint(3, 11, (3, 3))
    _, state = model.step(second, state)
    kept, beams = torch.tensor([2, 0]), torch.tensor([[2, 1], [0, 0]])
    state = model.reorder(state, kept, beams)
    last = torch.randint(3, 11, (2, 2))
    found, _ = model.step(last, state)
    for row, sentence in enumerate(kept.tolist()):
        for beam in range(2):
            tokens = [
                *histories[sentence, 0, :2].tolist(),
                int(second[sentence, beams[row, beam]]),
                int(last[row, beam]),
            ]
            whole = model(SOURCE[sentence, None], torch.tensor([tokens])).log_softmax(dim=-1)[0, -1]
            torch.testing.assert_close(found[row, beam], whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("which", range(4), ids=NAMES)
def test_a_step_leaves_the_state_before_it_as_it_was(which: int) -> None:
    model = models()[which]
    state = model.begin(SOURCE)
    first, after = model.step(torch.full((3, 1), START), state)
    again, _ = model.step(torch.full((3, 1), START), state)
    torch.testing.assert_close(first, again)
    once, _ = model.step(torch.full((3, 1), 5), after)
    twice, _ = model.step(torch.full((3, 1), 5), after)
    torch.testing.assert_close(once, twice)


@pytest.mark.parametrize("which", range(4), ids=NAMES)
def test_it_decodes(which: int) -> None:
    """Width one is greedy, a wider beam is no worse, and the scores are those of teacher forcing."""
    model, limit = models()[which], torch.tensor([8, 3, 6])
    assert isinstance(model, Decodes)
    greedily = greedy(model, model.begin(SOURCE), limit=limit)
    one = beam_search(model, model.begin(SOURCE), limit=limit, width=1)
    four = beam_search(model, model.begin(SOURCE), limit=limit, width=4)
    for sentence in range(3):
        assert one[sentence][0].tokens == greedily[sentence].tokens
        assert four[sentence][0].score >= greedily[sentence].score - 1e-5
        best = four[sentence][0]
        labels = torch.tensor([[*best.tokens, *([END] if best.complete else [])]])
        rows = model(SOURCE[sentence, None], shift_right(labels)).log_softmax(dim=-1).detach()
        assert float(rows.gather(2, labels[..., None]).sum()) == pytest.approx(best.log_probability, abs=1e-4)


def test_schedule_is_that_of_the_paper() -> None:
    rates = [warm_up_rate(step, 512, 4000) for step in range(1, 8001)]
    assert max(range(8000), key=rates.__getitem__) == 3999
    assert rates[3999] == pytest.approx(512**-0.5 * 4000**-0.5)
    assert rates[1999] == pytest.approx(rates[3999] / 2) and rates[7999] == pytest.approx(rates[3999] / math.sqrt(2))
    factor = inverse_square_root(4000)
    assert [factor(i, 9) * rates[3999] for i in (0, 999, 3999, 7999)] == pytest.approx(
        [rates[i] for i in (0, 999, 3999, 7999)]
    )
    with pytest.raises(ValueError, match="counted from one"):
        warm_up_rate(0, 512)


def test_embeddings_are_tied_and_counted_once() -> None:
    model = tiny()
    tables = [name for name, value in model.state_dict().items() if 11 in value.shape]
    assert tables == ["embedding.weight"]
    model.loss(SOURCE, LABELS).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


def test_cross_attention_is_shares_of_real_words() -> None:
    model = tiny().eval()
    weights = model.cross_attention(SOURCE, shift_right(LABELS))
    assert weights.shape == (BLOCKS, 3, HEADS, 4, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert not weights[:, 1, :, :, 2:].any()


def test_the_first_loss_is_that_of_a_guess() -> None:
    torch.manual_seed(0)
    model = Seq2Seq(seq2seq.Config(500, 64, 4, 128, 6))
    source, labels = torch.randint(3, 500, (8, 9)), torch.randint(3, 500, (8, 9))
    assert float(model.loss(source, labels).detach()) == pytest.approx(math.log(500), rel=0.15)


@pytest.mark.parametrize("score", ["dot", "additive"])
def test_gru_of_equal_size(score) -> None:
    transformer = Seq2Seq(seq2seq.Config(2_000, 64, 4, 256, 3))
    model = gru.GRU(gru.of_size(transformer.parameter_count, gru.Config(2_000, score=score)))
    assert model.parameter_count == pytest.approx(transformer.parameter_count, rel=0.02)
    with pytest.raises(ValueError, match="even"):
        gru.GRU(gru.Config(11, 15))


@pytest.mark.parametrize("which", [0, 2], ids=["transformer", "gru"])
def test_they_learn_to_reverse(which: int) -> None:
    model = models()[which].train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    source = torch.randint(3, 11, (64, 4))
    labels = nn.functional.pad(source.flip(1), (0, 1), value=END)
    losses = []
    for _ in range(60):
        loss = model.loss(source, labels, 0.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu_it_decodes_the_same() -> None:
    for model in models():
        found = beam_search(model, model.begin(SOURCE), limit=torch.tensor([8, 3, 6]))
        moved = model.cuda()
        again = beam_search(moved, moved.begin(SOURCE.cuda()), limit=torch.tensor([8, 3, 6]).cuda())
        assert [several[0].tokens for several in again] == [several[0].tokens for several in found]
