"""Lab 03's own parts: its small language, its picture, what it measures with, its guard against slow answers.

And the course's library, which does the same as the lab's solutions.
"""

import datetime
import random
import time

import pytest
import torch
from torch import Tensor

from squint.checks import engine
from squint.checks.lab03 import CHECKS
from squint.checks.pace import at_pace
from squint.data import dates, guests
from squint.models import pour, seq2seq
from squint.nn import depth, transformer
from squint.nn.attention import MultiHeadAttention, causal_mask, weights_during
from squint.viz import diagrams

CLAIM = "application/vnd.squint.claim+json"


def library_residual(x, sublayer, norm, norm_first):
    block = transformer.Residual(x.shape[-1], norm_first=norm_first)
    del block.norm
    block.norm = norm
    return block.after(x, sublayer(block.before(x)))


def in_the_librarys_words(block):
    named = {}
    for name, weight in block.state_dict().items():
        parts = (
            ("attention", "cross_attention", "feed_forward") if len(block.norms) == 3 else ("attention", "feed_forward")
        )
        for i, part in enumerate(parts):
            name = name.replace(f"norms.{i}", f"{part}_residual.norm")
        named[name] = weight
    return named


def library_encoder_block(block, x, mask):
    theirs = transformer.EncoderBlock(x.shape[-1], 2, 2 * x.shape[-1], norm_first=block.norm_first)
    theirs.load_state_dict(in_the_librarys_words(block))
    return theirs(x, mask)


def library_block(block, x, memory, mask, memory_mask):
    theirs = transformer.DecoderBlock(x.shape[-1], 2, 2 * x.shape[-1], norm_first=block.norm_first)
    theirs.load_state_dict(in_the_librarys_words(block))
    return theirs(x, memory, mask, memory_mask)


def library_decode(model, target, memory, source):
    vocabulary, dim = model.embedding.weight.shape
    theirs = seq2seq.Seq2Seq(seq2seq.Config(vocabulary, dim, 2, 2 * dim, len(model.decoder), dropout=0.0))
    for block, own in zip(theirs.decoder.blocks, model.decoder, strict=True):
        block.load_state_dict(in_the_librarys_words(own))
    theirs.decoder.norm.load_state_dict(model.decoder_norm.state_dict())
    theirs.embedding.weight = model.embedding.weight
    causal = causal_mask(target.shape[1], device=target.device)
    return theirs.decoder(theirs.embed(target), memory, causal, theirs.source_mask(source))


def library_train(model, optimiser, batches):
    losses = []
    for source, labels in batches:
        loss = seq2seq.label_smoothed_loss(model(source, seq2seq.shift_right(labels)), labels, padding=0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return losses


SAME = {
    "layer_norm": transformer.layer_norm,
    "residual": library_residual,
    "encoder_block": library_encoder_block,
    "decoder_block": library_block,
    "shift_right": seq2seq.shift_right,
    "smoothed_loss": lambda logits, labels, smoothing=0.1, padding=0: seq2seq.label_smoothed_loss(
        logits, labels, smoothing, padding
    ),
    "train": library_train,
}


@pytest.mark.parametrize("exercise", SAME)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_library_does_what_the_lab_does(exercise: str, seed: int):
    verdict = engine.judge(CHECKS[exercise], SAME[exercise], seed=seed)
    assert verdict.passed, verdict


def test_a_slow_answer_stays_out_of_the_loop(capsys: pytest.CaptureFixture[str]) -> None:
    def slow(x: int) -> int:
        time.sleep(0.02)
        return x

    def quick(x: int) -> int:
        return x

    def course(x: int) -> int:
        return x

    assert at_pace(slow, course, 1) is course
    assert "slow: yours is right" in capsys.readouterr().out
    assert at_pace(quick, course, 1) is quick
    assert capsys.readouterr().out == "quick: fast enough.\n"


def test_the_machine_is_drawn() -> None:
    figure = diagrams.transformer(blocks=3)
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"cross-attention", "masked self-attention", "self-attention", "the first of\n3 blocks"} <= words


def test_guests_are_put_in_order() -> None:
    assert list(guests.NAMES) == sorted(set(guests.NAMES)) and len(guests.NAMES) == 100
    source, target = guests.draw(50, random.Random(0))
    for arrived, ordered in zip(source.tolist(), target.tolist(), strict=True):
        names = guests.spelled(arrived).split()
        assert 8 <= len(names) == len(set(names)) <= 14
        assert guests.spelled(ordered).split() == sorted(names)
        assert arrived.count(guests.END) == ordered.count(guests.END) == 1
    again = guests.draw(50, random.Random(0))
    assert torch.equal(source, again[0]) and torch.equal(target, again[1])


def test_guests_are_read_by_name() -> None:
    assert guests.spelled(guests.read("Zoe Ada")[0].tolist()) == "Zoe Ada"
    with pytest.raises(ValueError, match="'Bob' is not among the hundred names"):
        guests.read("Ada Bob")


@pytest.mark.parametrize(
    ("year", "words"),
    [(1904, "nineteen hundred and four"), (1987, "nineteen eighty-seven"), (1900, "nineteen hundred"),
     (2000, "two thousand"), (2004, "two thousand and four"), (2154, "twenty-one fifty-four")],
)  # fmt: skip
def test_years_are_read_aloud(year: int, words: str) -> None:
    assert dates.year_in_words(year) == words


def test_places_are_counted() -> None:
    assert [dates.ordinal(n) for n in (1, 2, 3, 5, 9, 12, 20, 21, 30)] == [
        "first", "second", "third", "fifth", "ninth", "twelfth", "twentieth", "twenty-first", "thirtieth",
    ]  # fmt: skip
    assert [dates.suffixed(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd",
    ]  # fmt: skip


def test_dates_mean_what_they_say_and_no_day_is_on_both_sides() -> None:
    train, test = dates.load("train", 5_000), dates.load("test", 2_000)
    assert not set(train.iso) & set(test.iso)
    for written, iso in zip(train.written, train.iso, strict=True):
        day = datetime.date.fromisoformat(iso)
        figures = f"{day.day}.{day.month}.{day.year}"
        assert dates.MONTHS[day.month - 1][:3] in written or written == figures
        assert str(day.year) in written or dates.year_in_words(day.year) in written
    assert dates.load("train", 10).written == dates.load("train", 10).written != dates.load("train", 10, 1).written
    with pytest.raises(ValueError, match="no part"):
        dates.load("valid", 1)


def test_the_library_embeds_as_the_lab_does() -> None:
    for case in CHECKS["embed"].cases(0):
        tokens, table = case.args
        model = seq2seq.Seq2Seq(seq2seq.Config(*table.shape, heads=1, hidden=4, blocks=1)).eval()
        model.embedding.weight = torch.nn.Parameter(table)
        torch.testing.assert_close(model.embed(tokens), CHECKS["embed"].reference(tokens, table))


def test_the_librarys_decoder_is_the_labs() -> None:
    for case in CHECKS["decode"].cases(0):
        expected = CHECKS["decode"].reference(*case.args)
        torch.testing.assert_close(library_decode(*case.args), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm_first", [True, False])
def test_pytorchs_weights_are_poured_where_they_belong(norm_first: bool) -> None:
    ours = CHECKS["decode"].solution.source.resolve("Transformer(1)")["Transformer"]
    torch.manual_seed(0)
    theirs, yours = pour.random_pytorch(16, 2, 24, 2, norm_first), ours(9, 16, 2, 24, 2, norm_first)
    pour.from_pytorch(theirs, yours)
    source, target = torch.tensor([[3, 4, 5, 2]]), torch.tensor([[1, 6, 7]])
    embed = CHECKS["embed"].reference
    seen = theirs(
        *(embed(tokens, yours.embedding.weight) for tokens in (source, target)), tgt_mask=~causal_mask(3)
    )  # fmt: skip
    torch.testing.assert_close(yours(source, target), yours.logits(seen), rtol=1e-4, atol=1e-4)


def test_the_courses_weights_are_poured_where_they_belong() -> None:
    ours = CHECKS["decode"].solution.source.resolve("Transformer(1)")["Transformer"]
    torch.manual_seed(0)
    theirs, yours = seq2seq.Seq2Seq(seq2seq.Config(9, 16, 2, 24, 2)).eval(), ours(9, 16, 2, 24, 2)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    pour.from_course(theirs, yours)
    source, target = torch.tensor([[3, 4, 5, 2], [4, 2, 0, 0]]), torch.tensor([[1, 6, 7], [1, 2, 0]])
    torch.testing.assert_close(yours(source, target), theirs(source, target), rtol=1e-4, atol=1e-4)
    with pytest.raises(RuntimeError):
        pour.from_course(theirs, ours(9, 16, 2, 24, 3))


def test_what_a_model_says_rightly_is_counted_without_filling() -> None:
    class Echo(torch.nn.Module):
        """Says the source; wrongly, once."""

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(()))

        def forward(self, source: Tensor, target: Tensor) -> Tensor:
            assert target[:, 0].eq(1).all()
            return torch.nn.functional.one_hot(source, 9).float()

    labels = torch.tensor([[3, 4, 5, 2], [6, 2, 0, 0]])
    said = torch.tensor([[3, 4, 8, 2], [6, 2, 7, 7]])
    assert seq2seq.marked(Echo(), said, labels) == pytest.approx((100 * 5 / 6, 50))


def test_through_untrained_blocks() -> None:
    def block() -> torch.nn.Module:
        made = transformer.EncoderBlock(64, 4, 128)
        made.norms = torch.nn.ModuleList([transformer.LayerNorm(64), transformer.LayerNorm(64)])
        return made

    torch.manual_seed(0)
    first, last, alike = depth.through(
        block, lambda x, sublayer, norm: x + sublayer(norm(x)), 3, transformer.LayerNorm(64)
    )
    assert first > 0 and last > 0 and 0 < alike < 1
    assert depth.likeness(torch.ones(1, 3, 4)) == pytest.approx(1)
    assert depth.likeness(torch.eye(4)[None]) == pytest.approx(0)


def test_weights_are_seen_while_something_runs() -> None:
    attention = MultiHeadAttention(8, 2)
    x, context = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    seen = weights_during(attention, lambda: attention(x, context=context))
    torch.testing.assert_close(seen, attention.weights(x, context))
    assert not attention._forward_pre_hooks
