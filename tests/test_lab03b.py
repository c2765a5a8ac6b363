"""Lab 03b's own parts: its searches against brute force and against the library's, its pictures, what it measures with."""

import itertools
import math

import pytest
import torch
from answers.lab03b import beam_from_copies
from torch import Tensor

from squint.checks import engine
from squint.checks.lab03b import CHECKS, Language, garden_path
from squint.checks.run import positional
from squint.models import alignment, seq2seq
from squint.text import decode
from squint.text.decode import length_penalty
from squint.viz import bertviz, diagrams

greedy, beam_search = CHECKS["greedy"].reference, CHECKS["beam_search"].reference


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


@pytest.mark.parametrize("seed", [0, 1])
def test_the_library_searches_as_the_lab_does(seed: int):
    verdict = engine.judge(CHECKS["greedy"], library_greedy, seed=seed)
    assert verdict.passed, verdict


def test_the_librarys_narrowest_beam_is_the_labs():
    """Wider ones differ: in the library a finished text keeps its place in the beam, and greedy's never leaves it."""
    for case in CHECKS["beam_search"].cases(0):
        continuations, sentences, limit, *rest = positional(beam_search, case)[0]
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


def test_cross_attention_is_drawn_offline() -> None:
    weights = torch.rand(2, 3, 4, 5).softmax(dim=-1)
    view = bertviz.translation_view(weights, ["a", "b", "c", "d", "</s>"], ["wer", "da", "ist", "</s>"], layer=1)
    assert "2 layers × 3 heads, 4 tokens look at 5" in view.description
    for name in ("wer", "d3", "<\\/s>"):
        assert name in view.html
    assert "<script src=" not in view.html and "require.config" not in view.html


def test_languages_say_what_they_cannot_go_on_with() -> None:
    with pytest.raises(ValueError, match="2 sentences"):
        garden_path(torch.ones(3, 1, dtype=torch.long))
    with pytest.raises(ValueError, match="`start` stands first"):
        Language(1, 6, 0)(torch.ones(1, 0, dtype=torch.long))


def test_the_tree_is_drawn() -> None:
    tree = {"": {"a": 0.5, "b": 0.4, "c": 0.1}, "a": {"x": 0.4, "y": 0.6}, "b": {"x": 0.9}}
    bold = [text.get_text() for text in diagrams.word_tree(tree).axes[0].texts if text.get_fontweight() == "bold"]
    assert bold == ["x   0.90  →  0.360 together"]


def small() -> seq2seq.Seq2Seq:
    torch.manual_seed(0)
    return seq2seq.Seq2Seq(seq2seq.Config(12, 16, 2, 24, 2)).eval()


def test_whole_prefixes_are_continued_as_one_token_after_the_other() -> None:
    model, source = small(), torch.tensor([[3, 4, 5, 2], [6, 2, 0, 0]])
    ask, prefixes = seq2seq.continuations(model, source), torch.tensor([[1, 7, 8], [1, 9, 10]])
    state = model.begin(source)
    for place in range(3):
        expected, state = model.step(prefixes[:, place : place + 1], state)
    torch.testing.assert_close(ask(prefixes), expected[:, 0], rtol=1e-4, atol=1e-5)
    beams = torch.stack([prefixes, prefixes.flip(0)], dim=1)
    assert ask(beams).shape == (2, 2, 12)
    torch.testing.assert_close(ask(beams)[:, 0], ask(prefixes), rtol=1e-4, atol=1e-5)


def test_translating_can_be_watched() -> None:
    model, pieces, _ = seq2seq.pretrained()
    seen: list[range] = []

    def watch(batches: range) -> range:
        seen.append(batches)
        return batches

    texts = ["A dog.", "The king is dead.", "A cat."]
    watched = seq2seq.translate(model, pieces, texts, width=1, batch=2, watch=watch)
    assert [len(batches) for batches in seen] == [2]
    assert [a[0].tokens for a in watched] == [a[0].tokens for a in seq2seq.translate(model, pieces, texts, width=1)]


def test_copied_pieces_are_found_in_order() -> None:
    _, pieces, _ = seq2seq.pretrained()
    english, german = (pieces.encode([text], end=True)[0] for text in ("Press 3 or 4 in 3.", "Drücken Sie 4 in 3."))
    found = alignment.copies(pieces, english, german)
    assert found == sorted(found)
    assert all(german[said] == english[stands] for said, stands in found)
    assert {pieces.pieces([german[said]])[0].strip("▁") for said, _ in found} == {"4"}


def test_looks_are_cross_attention_before_each_label() -> None:
    weights = alignment.looks(small(), [3, 4, 2], [7, 8, 9, 2])
    assert weights.shape == (2, 2, 4, 3)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 2, 4))
