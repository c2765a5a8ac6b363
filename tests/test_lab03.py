"""Lab 03's own parts: its searches against brute force, its small language, its pictures, its guard against slow answers.

And the course's library, which does the same as the lab's solutions.
"""

import datetime
import itertools
import math
import random
import time

import pytest
import torch
from answers.lab03 import beam_from_copies
from torch import Tensor

from squint.checks import engine
from squint.checks.lab03 import CHECKS, Language, garden_path
from squint.checks.pace import at_pace
from squint.data import dates, guests
from squint.models import seq2seq
from squint.nn import transformer
from squint.text import decode
from squint.text.decode import length_penalty
from squint.viz import bertviz, diagrams

greedy, beam_search = CHECKS["greedy"].reference, CHECKS["beam_search"].reference


def library_residual(x, sublayer, norm, norm_first):
    block = transformer.Residual(x.shape[-1], norm_first=norm_first)
    del block.norm
    block.norm = norm
    return block.after(x, sublayer(block.before(x)))


def library_block(block, x, memory, mask, memory_mask):
    theirs = transformer.DecoderBlock(x.shape[-1], 2, 2 * x.shape[-1], norm_first=block.norm_first)
    named = {}
    for name, weight in block.state_dict().items():
        for i, part in enumerate(("attention", "cross_attention", "feed_forward")):
            name = name.replace(f"norms.{i}", f"{part}_residual.norm")
        named[name] = weight
    theirs.load_state_dict(named)
    return theirs(x, memory, mask, memory_mask)


class Whole:
    """What the course's searches decode with, from what the lab's ask. The state: which sentences, and their prefixes."""

    def __init__(self, continuations, sentences: int):
        self.continuations, self.sentences = continuations, sentences

    def begin(self) -> tuple[Tensor, Tensor]:
        return torch.arange(self.sentences), torch.zeros(self.sentences, 1, 0, dtype=torch.long)

    def step(self, tokens: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        rows, prefixes = state[0], torch.cat([state[1], tokens[..., None]], dim=-1)
        everybody = torch.zeros(self.sentences, *prefixes.shape[1:], dtype=torch.long)
        everybody[rows] = prefixes
        return self.continuations(everybody)[rows], (rows, prefixes)

    def reorder(self, state: tuple[Tensor, Tensor], sentences: Tensor | None, beams: Tensor) -> tuple[Tensor, Tensor]:
        kept = torch.arange(len(beams)) if sentences is None else sentences
        return state[0][kept], state[1][kept[:, None], beams]


def library_greedy(continuations, sentences, limit, start=1, end=2):
    model, limits = Whole(continuations, sentences), torch.full((sentences,), limit)
    return [each.tokens for each in decode.greedy(model, model.begin(), limit=limits, start=start, end=end)]


SAME = {
    "layer_norm": transformer.layer_norm,
    "residual": library_residual,
    "decoder_block": library_block,
    "shift_right": seq2seq.shift_right,
    "smoothed_loss": lambda logits, labels, smoothing=0.1, padding=0: seq2seq.label_smoothed_loss(
        logits, labels, smoothing, padding
    ),
    "warm_up_rate": seq2seq.warm_up_rate,
    "greedy": library_greedy,
}


@pytest.mark.parametrize("exercise", SAME)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_library_does_what_the_lab_does(exercise: str, seed: int):
    verdict = engine.judge(CHECKS[exercise], SAME[exercise], seed=seed)
    assert verdict.passed, verdict


def test_the_librarys_narrowest_beam_is_the_labs():
    """Wider ones differ: in the library a finished text keeps its place in the beam, and greedy's never leaves it."""
    for case in CHECKS["beam_search"].cases(0):
        continuations, sentences, limit, *rest = case.args
        _, alpha, start, end = (*rest, *(4, 1.0, 1, 2)[len(rest) :])
        model, limits = Whole(continuations, sentences), torch.full((sentences,), limit)
        theirs = decode.beam_search(model, model.begin(), limit=limits, width=1, alpha=alpha, start=start, end=end)
        ours = beam_search(continuations, sentences, limit, 1, alpha, start, end)
        for (best, *_), (tokens, score) in zip(theirs, ours, strict=True):
            assert best.tokens == tokens
            assert best.score == pytest.approx(score, abs=1e-4)


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
            if total / length_penalty(length, alpha) > best[1]:
                best = ([token for token in text if token != language.end], total / length_penalty(length, alpha))
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
        stops, goes_on = (search(language, 4, 9, width, alpha) for search in (beam_search, beam_from_copies))
        assert [tokens for tokens, _ in stops] == [tokens for tokens, _ in goes_on]
        torch.testing.assert_close(
            torch.tensor([score for _, score in stops]), torch.tensor([score for _, score in goes_on])
        )


@pytest.mark.parametrize("seed", range(40))
def test_width_one_is_greedy(seed: int) -> None:
    language = Language(5, 8, 700 + seed)
    assert [tokens for tokens, _ in beam_search(language, 5, 10, 1)] == greedy(language, 5, 10)


def test_the_garden_path_fools_greed_and_not_a_beam_of_two() -> None:
    assert greedy(garden_path, 2, 5)[0][0] == 3
    found = beam_search(garden_path, 2, 5, 2, 0.0)
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


def test_languages_say_what_they_cannot_go_on_with() -> None:
    with pytest.raises(ValueError, match="2 sentences"):
        garden_path(torch.ones(3, 1, dtype=torch.long))
    with pytest.raises(ValueError, match="`start` stands first"):
        Language(1, 6, 0)(torch.ones(1, 0, dtype=torch.long))


def test_a_right_answer_with_other_names_can_be_called_as_the_lab_calls_it() -> None:
    verdict = engine.judge(CHECKS["warm_up_rate"], lambda t, d, w=4000: seq2seq.warm_up_rate(t, d, w))
    assert verdict.passed
    assert verdict.usable(3, dim=64, warmup=100) == seq2seq.warm_up_rate(3, 64, 100)
