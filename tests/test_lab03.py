"""Lab 03's own parts: its searches against brute force, its small language, its pictures, its guard against slow answers."""

import datetime
import inspect
import itertools
import math
import random
import textwrap
import time

import pytest
import torch
import torch.nn.functional as F

from squint.checks import engine, lab03
from squint.checks.lab03 import GardenPath, Language, beam_search, greedy, penalty
from squint.checks.pace import at_pace
from squint.data import dates, guests
from squint.nn.attention import causal_mask
from squint.viz import bertviz, diagrams


def best_of_all(language: Language, sentence: int, limit: int, alpha: float) -> tuple[list[int], float]:
    """The best text of at most `limit` tokens, by trying every one of them."""
    sentences, vocabulary = len(language.sentences), language.tokens.shape[1]
    best: tuple[list[int], float] = ([], -math.inf)
    for length in range(1, limit + 1):
        for text in itertools.product(range(vocabulary), repeat=length):
            if language.end in text[:-1] or (text[-1] != language.end and length < limit):
                continue
            total = 0.0
            for at, token in enumerate(text):
                prefix = torch.tensor([1, *text[:at]]).expand(sentences, -1)
                total += float(language(prefix)[sentence, token])
            if total / penalty(length, alpha) > best[1]:
                best = ([token for token in text if token != language.end], total / penalty(length, alpha))
    return best


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_beam_wide_enough_finds_the_best_of_all(seed: int, alpha: float) -> None:
    language = Language(2, 20, seed)
    # With two steps, a beam as wide as the vocabulary leaves nothing out.
    for sentence, (tokens, score) in enumerate(beam_search(language, 2, 2, 20, alpha)):
        best, highest = best_of_all(language, sentence, 2, alpha)
        assert tokens == best
        assert score == pytest.approx(highest, abs=1e-4)


@pytest.mark.parametrize("seed", range(40))
def test_stopping_early_changes_nothing(seed: int) -> None:
    language = Language(4, 7, 900 + seed, haste=0.2)
    for width, alpha in ((1, 1.0), (2, 0.0), (3, 0.6), (5, 1.5)):
        stops, goes_on = (search(language, 4, 9, width, alpha) for search in (beam_search, lab03._beam_from_copies))
        assert [tokens for tokens, _ in stops] == [tokens for tokens, _ in goes_on]
        torch.testing.assert_close(
            torch.tensor([score for _, score in stops]), torch.tensor([score for _, score in goes_on])
        )


@pytest.mark.parametrize("seed", range(40))
def test_width_one_is_greedy(seed: int) -> None:
    language = Language(5, 8, 700 + seed)
    assert [tokens for tokens, _ in beam_search(language, 5, 10, 1)] == greedy(language, 5, 10)


def test_the_garden_path_fools_greed_and_not_a_beam_of_two() -> None:
    assert greedy(GardenPath(), 2, 5)[0][0] == 3
    found = beam_search(GardenPath(), 2, 5, 2, 0.0)
    assert found[0][0] == [4, 5]
    assert math.exp(found[0][1]) == pytest.approx(0.4 * 0.9 * 0.9, rel=1e-4)
    assert found[1][0] == []


def test_a_language_wants_all_its_sentences() -> None:
    with pytest.raises(ValueError, match="3 sentences"):
        Language(3, 6, 0)(torch.ones(2, 1, dtype=torch.long))


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


def test_cross_attention_is_drawn_offline() -> None:
    weights = torch.rand(2, 3, 4, 5).softmax(dim=-1)
    view = bertviz.translation_view(weights, ["a", "b", "c", "d", "</s>"], ["wer", "da", "ist", "</s>"], layer=1)
    assert "2 layers × 3 heads, 4 tokens look at 5" in view.description
    for name in ("wer", "d3", "<\\/s>"):
        assert name in view.html
    assert "<script src=" not in view.html and "require.config" not in view.html


def test_the_machine_is_drawn() -> None:
    figure = diagrams.transformer(blocks=3)
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"cross-attention", "masked self-attention", "self-attention", "decoder block,\n3 times"} <= words


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


def one_sentence_at_a_time(continuations, sentences, limit, start=1, end=2):
    return [greedy(lambda prefixes: continuations(prefixes)[:1], 1, limit, start, end)[0] for _ in range(sentences)]


FURTHER = [
    ("layer_norm", lambda x, gain, bias, epsilon=1e-5: lab03.layer_norm(x.detach(), gain, bias, epsilon), "gradient"),
    ("layer_norm", lambda x, gain, bias, epsilon: lab03.layer_norm(x, gain, bias, epsilon), "epsilon"),
    ("layer_norm", lambda x, gain, bias, epsilon=1e-5: x.mean(-1), "shape"),
    ("residual", lambda x, sublayer, norm, norm_first: x + norm(sublayer(x)), "whatever was asked"),
    ("decoder_block", lambda block, x, memory, mask, memory_mask: block.attention(x, memory), "“two words look at"),
    ("shift_right", lambda labels, start=1: lab03.seq2seq.shift_right(labels, start).float(), ""),
    ("smoothed_loss", lambda logits, labels, smoothing=0.1, padding=0: lab03.smoothed_loss(
        logits, labels, smoothing, padding).item(), "gradient"),
    ("warm_up_rate", lambda step, dim, warmup=4000: 0.001, "“the first step”"),
    ("greedy", one_sentence_at_a_time, "there are 2 sentences"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "answer", "said"), FURTHER)
def test_further_wrong_answers_get_a_sentence_that_helps(exercise, answer, said) -> None:
    verdict = engine.judge(lab03.CHECKS[exercise], answer)
    if exercise == "shift_right":  # whole numbers as floats are right
        assert verdict.passed
        return
    assert not verdict.passed
    assert said in verdict.hint, verdict.hint


# Right and wrong answers as learners write them: source, since most differ from each other in a word or two.

WRITTEN = {
    "layer_norm": """
m, v = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
return gain * (x - m) / (v + epsilon).sqrt() + bias""",
    "residual": """
if norm_first:
    return x + sublayer(norm(x))
return norm(x + sublayer(x))""",
    "decoder_block": """
x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)
x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], block.norm_first)
return residual(x, block.feed_forward, block.norms[2], block.norm_first)""",
    "shift_right": """
out = torch.full_like(labels, start)
out[:, 1:] = labels[:, :-1]
return out""",
    "smoothed_loss": """
lp = logits.log_softmax(-1)
right = lp.gather(-1, labels[..., None])[..., 0]
each = -(1 - smoothing) * right - smoothing * lp.mean(-1)
return each[labels != padding].mean()""",
    "warm_up_rate": """
return dim**-0.5 * min(step**-0.5, step * warmup**-1.5)""",
    "greedy": """
prefixes = torch.full((sentences, 1), start)
over = torch.zeros(sentences, dtype=torch.bool)
for _ in range(limit):
    token = continuations(prefixes).argmax(-1)
    prefixes = torch.cat([prefixes, token[:, None]], 1)
    over |= token == end
    if over.all(): break
return [row[: row.index(end)] if end in row else row for row in prefixes[:, 1:].tolist()]""",
    "beam_search": """
prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
best = [([], -math.inf)] * sentences
rows = torch.arange(sentences)[:, None]
for length in range(1, limit + 1):
    lp = continuations(prefixes)
    totals, place = (totals[..., None] + lp).flatten(1).topk(width)
    parent, token = place // lp.shape[-1], place % lp.shape[-1]
    prefixes = torch.cat([prefixes[rows, parent], token[..., None]], 2)
    over = (token == end) | (length == limit)
    scores = totals / penalty(length, alpha)
    for row, beam in over.nonzero().tolist():
        if scores[row, beam] > best[row][1]:
            text = prefixes[row, beam, 1:].tolist()
            best[row] = (text[:-1] if text[-1] == end else text, scores[row, beam].item())
    totals = totals.masked_fill(over, -torch.inf)
    most = (totals.amax(1) / penalty(limit, alpha)).tolist()
    if all(score >= bound for (_, score), bound in zip(best, most)): break
return best""",
}
BOUND = "if all(score >= bound for (_, score), bound in zip(best, most))"


def written(exercise: str, *changes: str):
    """The function that `WRITTEN` spells out, with some of its text replaced: old, new, old, new, …"""
    first_line = f"def {exercise}{inspect.signature(getattr(lab03, exercise, lab03.CHECKS[exercise].reference))}:"
    source = "from __future__ import annotations\n" + first_line + textwrap.indent(WRITTEN[exercise], "    ")
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in source, old
        source = source.replace(old, new)
    names = {"torch": torch, "math": math, "F": F, "residual": lab03.residual, "penalty": penalty, "nn": torch.nn,
             "causal_mask": causal_mask}  # fmt: skip
    exec(source, names)
    return names[exercise]


ODD_BUT_RIGHT = [
    *((exercise,) for exercise in WRITTEN),
    ("layer_norm", "x - m", "x @ (torch.eye(x.shape[-1], dtype=x.dtype) - 1 / x.shape[-1])"),
    ("layer_norm", "return gain", "return F.group_norm(x.reshape(-1, x.shape[-1]), 1, gain, bias, epsilon).view(x.shape)\n    "
     "return gain"),
    ("residual", "return x + sublayer(norm(x))", "return torch.stack([x, sublayer(norm(x))]).sum(0)"),
    ("decoder_block", "block.norms[2]", "block.norms[-1]"),
    ("smoothed_loss", "each[labels != padding].mean()", "each.masked_fill(labels == padding, math.nan).nanmean()"),
    ("warm_up_rate", "return dim", "return torch.ones(1) * dim"),
    ("greedy", "if over.all(): break", "pass"),
    ("beam_search", BOUND, "if totals.isinf().all()"),
    ("beam_search", BOUND, "if False"),
    ("beam_search", "-torch.inf", "-1e9", BOUND, "if False"),
]  # fmt: skip


@pytest.mark.parametrize("answer", ODD_BUT_RIGHT)
def test_odd_right_answers_pass(answer) -> None:
    verdict = engine.judge(lab03.CHECKS[answer[0]], written(*answer))
    assert verdict.passed, verdict


MISTAKES = [
    # Stopping too early
    (lab03.EARLY, "beam_search", "penalty(limit, alpha)", "penalty(length + 1, alpha)"),
    (lab03.EARLY, "beam_search", BOUND, "if (token[:, 0] == end).all()"),
    (lab03.EARLY, "beam_search", "masked_fill(over,", "masked_fill(over | over[:, :1],"),
    ("when each sentence had one", "beam_search", BOUND, "if all(score > -math.inf for _, score in best)"),
    # Gradients
    (lab03.OTHER_GRADIENT, "layer_norm", "x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)",
     "x.mean(-1, keepdim=True).detach(), x.var(-1, keepdim=True, correction=0)"),
    (lab03.OTHER_GRADIENT, "residual", "return x +", "return x.detach() +"),
    (lab03.OTHER_GRADIENT, "decoder_block", "y, memory,", "y, memory.detach(),"),
    (lab03.NO_GRADIENT, "decoder_block", "y, memory,", "y, memory.detach(),", "x = residual(x, lambda y: block.att",
     "x = residual(x.detach(), lambda y: block.att"),
    (lab03.OTHER_GRADIENT, "smoothed_loss", "lp.mean(-1)", "lp.mean(-1).detach()"),
    (lab03.OTHER_GRADIENT, "smoothed_loss", "logits.log_softmax(-1)",
     "logits - logits.logsumexp(-1, keepdim=True).detach()"),
    ("no gradient can pass through numpy", "layer_norm", "return", "x.numpy()\n    return"),
    (lab03.IN_PLACE, "residual", "return x + sublayer(norm(x))", "x += sublayer(norm(x))\n        return x"),
    (lab03.IN_PLACE, "decoder_block", "return residual", "x.add_(0)\n    y = residual", "block.norms[2], block.norm_first)",
     "block.norms[2], block.norm_first)\n    seen += 1\n    return y", "x = residual(x, lambda y: block.att",
     "seen = x\n    x = residual(x, lambda y: block.att"),
    # Defaults, parameters, filling
    ("a mask of your own", "decoder_block", "mask=mask", "mask=causal_mask(y.shape[1])"),
    ("Left out, smoothing is 0.1", "smoothed_loss", "smoothing: 'float' = 0.1", "smoothing=0.0"),
    ("comes after filling was left out", "smoothed_loss", "labels != padding", "(labels == padding).cumsum(1) == 0"),
    ("Left out, warmup is 4000", "warm_up_rate", "4000", "100"),
    ("Left out, width is 4", "beam_search", "width: 'int' = 4", "width=1"),
    # Numbers
    ("a number, not a list", "warm_up_rate", "return", "return [", "-1.5)", "-1.5)]"),
    ("overflows", "smoothed_loss", "logits.log_softmax(-1)",
     "((logits - logits.max()).exp() / (logits - logits.max()).exp().sum(-1, keepdim=True)).log()"),
    ("infinite", "smoothed_loss", "logits.log_softmax(-1)", "logits - logits.exp().sum(-1, keepdim=True).log()"),
    ("signs of the exponents", "warm_up_rate", "warmup**-1.5", "warmup**1.5"),
    ("signs of the exponents", "warm_up_rate", "step**-0.5", "step**0.5"),
    ("not step squared", "warm_up_rate", "step * warmup", "step**2 * warmup"),
    # The same mistakes in other words
    ("epsilon is missing", "layer_norm", "x.var(-1, keepdim=True, correction=0)", "x.var(-1, keepdim=True)",
     "(v + epsilon).sqrt()", "v.sqrt()"),
    ("everything at once", "layer_norm", "x.var(-1, keepdim=True, correction=0)", "x.var()", "x.mean(-1, keepdim=True)",
     "x.mean()"),
    ("batch norm", "layer_norm", "-1", "0", "correction=0", "correction=1"),
    ("Gain and bias are swapped", "layer_norm", "gain *", "bias *", "+ bias", "+ gain"),
    ("The norm is missing", "residual", "norm(x)", "x", "norm(x + sublayer(x))", "x + sublayer(x)"),
    ("you use x", "decoder_block", "cross_attention(y", "cross_attention(x"),
    ("Neither attention", "decoder_block", "mask=mask", "mask=None", "memory, memory_mask)", "memory)"),
    ("must be kept", "decoder_block", "x = residual", "residual"),
    ("handed on as x", "decoder_block", "x = residual(x, lambda y: block.cross", "residual(x, lambda y: block.cross"),
    ("the memory asks", "decoder_block", "y, memory, memory_mask", "memory, y, memory_mask"),
    ("norms[0], norms[1], norms[1]", "decoder_block", "norms[2]", "norms[1]"),
    ("comes first", "shift_right", "out[:, 1:] = labels[:, :-1]", "out[:, :-1] = labels[:, :-1]"),
    ("holds 0", "shift_right", "full_like(labels, start)", "zeros_like(labels)"),
    ("within each sentence", "smoothed_loss", "each[labels != padding].mean()",
     "torch.stack([e[k].mean() for e, k in zip(each, labels != padding)]).mean()"),
    ("needs none", "smoothed_loss", "logits.log_softmax(-1)", "logits.softmax(-1).clamp(min=1e-12).log()"),
    ("until all are over", "greedy", "row[: row.index(end)] if end in row else row", "row"),
    ("cut off the last token", "greedy", "else row", "else row[:-1]"),
    ("The limit is not heeded", "greedy", "for _ in range(limit)", "while True"),
    ("Only the first sentence", "greedy", "over.all()", "over[0]"),
    ("greedy search, whatever the width", "beam_search", "topk(width)", "topk(1)"),
    ("No text was ever noted", "beam_search", "> best", "< best"),
    ("became NaN", "beam_search", "totals.masked_fill(over, -torch.inf)", "totals - torch.inf * over"),
    ("the first sentence", "beam_search", "[rows, parent]", "[0, parent]"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake[1]}: {mistake[0][:40]}")
def test_mistakes_get_the_sentence_that_names_them(mistake) -> None:
    said, exercise, *changes = mistake
    verdict = engine.judge(lab03.CHECKS[exercise], written(exercise, *changes))
    assert not verdict.passed
    assert said in verdict.hint, verdict.hint


def test_languages_say_what_they_cannot_go_on_with() -> None:
    with pytest.raises(ValueError, match="2 sentences"):
        GardenPath()(torch.ones(3, 1, dtype=torch.long))
    with pytest.raises(ValueError, match="the start token stands first"):
        Language(1, 6, 0)(torch.ones(1, 0, dtype=torch.long))


def test_a_right_answer_with_other_names_can_be_called_as_the_lab_calls_it() -> None:
    verdict = engine.judge(lab03.CHECKS["warm_up_rate"], lambda t, d, w=4000: lab03.seq2seq.warm_up_rate(t, d, w))
    assert verdict.passed
    assert verdict.usable(3, dim=64, warmup=100) == lab03.seq2seq.warm_up_rate(3, 64, 100)


@pytest.mark.parametrize("exercise", lab03.CHECKS)
def test_the_code_that_the_last_hint_shows_is_right(exercise: str) -> None:
    check = lab03.CHECKS[exercise]
    names = {"torch": torch, "math": math, "residual": lab03.residual, "length_penalty": penalty}
    parameters = inspect.signature(check.reference).parameters.values()
    first = ", ".join(str(each.replace(annotation=each.empty)) for each in parameters)
    exec(f"def answer({first}):\n{textwrap.indent(textwrap.dedent(check.hints[2]), '    ')}", names)
    verdict = engine.judge(check, names["answer"])
    assert verdict.passed, verdict.hint
