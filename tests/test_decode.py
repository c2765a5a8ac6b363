"""Search against brute force, on models that are only tables of random numbers."""

import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from squint.text.decode import Hypothesis, beam_search, greedy, length_penalty

START, END = 1, 2


@dataclass
class TableState:
    """What a table knows: whose sentence each row is, and the tokens so far."""

    sentence: Tensor
    tokens: Tensor


class Table:
    """A model whose next token depends on the sentence, on the length, and on the last two tokens."""

    def __init__(self, sentences: int, vocabulary: int, lengths: int, seed: int, sharpness: float = 1.5):
        generator = torch.Generator().manual_seed(seed)
        shape = (sentences, lengths, vocabulary, vocabulary, vocabulary)
        self.log_probabilities = (sharpness * torch.randn(shape, generator=generator)).log_softmax(dim=-1)
        self.vocabulary = vocabulary
        self.steps = 0

    def begin(self, rows: list[int]) -> TableState:
        return TableState(torch.tensor(rows), torch.zeros(len(rows), 1, 1, dtype=torch.long))

    def step(self, tokens: Tensor, state: TableState) -> tuple[Tensor, TableState]:
        self.steps += 1
        tokens = torch.cat([state.tokens, tokens[..., None]], dim=-1)
        where = (
            state.sentence[:, None].expand(tokens.shape[:2]),
            tokens.shape[-1] - 2,
            tokens[..., -2],
            tokens[..., -1],
        )
        return self.log_probabilities[where], TableState(state.sentence, tokens)

    def reorder(self, state: TableState, sentences: Tensor | None, beams: Tensor) -> TableState:
        rows = torch.arange(len(beams)) if sentences is None else sentences
        assert len(rows) == len(beams)
        return TableState(state.sentence[rows], state.tokens[rows[:, None], beams])

    def log_probability(self, sentence: int, tokens: list[int]) -> float:
        history, total = [0, START, *tokens], 0.0
        for i, token in enumerate(tokens):
            total += float(self.log_probabilities[sentence, i, history[i], history[i + 1], token])
        return total


def brute_force(model: Table, sentence: int, limit: int, alpha: float) -> list[Hypothesis]:
    """All there is to say within `limit` tokens, the best first."""
    others = [token for token in range(model.vocabulary) if token != END]
    answers = []
    for length in range(limit + 1):
        for tokens in itertools.product(others, repeat=length):
            spoken = [*tokens, END] if length < limit else list(tokens)
            total = model.log_probability(sentence, spoken)
            score = total / length_penalty(len(spoken), alpha)
            answers.append(Hypothesis(list(tokens), total, score, length < limit))
    return sorted(answers, key=lambda each: -each.score)


def same(one: Hypothesis, other: Hypothesis) -> bool:
    return (one.tokens, one.complete) == (other.tokens, other.complete) and all(
        math.isclose(a, b, abs_tol=1e-4)
        for a, b in ((one.log_probability, other.log_probability), (one.score, other.score))
    )


ALPHA = st.sampled_from([0.0, 0.6, 1.0, 2.0])


@given(st.integers(0, 9_999), ALPHA)
@settings(deadline=None, max_examples=30)
def test_a_beam_wide_enough_finds_what_brute_force_finds(seed, alpha):
    model, limit = Table(2, 4, 4, seed), torch.tensor([4, 3])
    found = beam_search(model, model.begin([0, 1]), limit=limit, width=200, alpha=alpha, keep=7)
    for sentence in (0, 1):
        best = brute_force(model, sentence, int(limit[sentence]), alpha)
        assert len(found[sentence]) == 7
        assert all(same(one, other) for one, other in zip(found[sentence], best, strict=False))


@given(st.integers(0, 9_999), ALPHA)
@settings(deadline=None, max_examples=50)
def test_width_one_is_greedy(seed, alpha):
    model, limit = Table(5, 5, 9, seed), torch.tensor([9, 1, 4, 9, 6])
    greedily = greedy(model, model.begin([0, 1, 2, 3, 4]), limit=limit, alpha=alpha)
    found = beam_search(model, model.begin([0, 1, 2, 3, 4]), limit=limit, width=1, alpha=alpha)
    assert all(len(several) == 1 and same(several[0], one) for several, one in zip(found, greedily, strict=True))


@given(st.integers(0, 9_999), st.integers(2, 6), ALPHA)
@settings(deadline=None, max_examples=100)
def test_a_wider_beam_never_scores_below_greedy(seed, width, alpha):
    model, limit = Table(5, 5, 9, seed, sharpness=3.0), torch.tensor([9, 1, 4, 9, 6])
    greedily = greedy(model, model.begin([0, 1, 2, 3, 4]), limit=limit, alpha=alpha)
    found = beam_search(model, model.begin([0, 1, 2, 3, 4]), limit=limit, width=width, alpha=alpha)
    assert all(several[0].score >= one.score - 1e-6 for several, one in zip(found, greedily, strict=True))


def test_greedy_takes_the_likeliest_token_each_time():
    model = Table(1, 6, 8, seed=3)
    found = greedy(model, model.begin([0]), limit=torch.tensor([8]))[0]
    history = [0, START]
    for i in range(8):
        token = int(model.log_probabilities[0, i, history[-2], history[-1]].argmax())
        history.append(token)
        if token == END:
            break
    assert [*found.tokens, *([END] if found.complete else [])] == history[2:]


@given(st.integers(0, 9_999), st.integers(1, 5), ALPHA)
@settings(deadline=None, max_examples=40)
def test_a_batch_gives_what_one_by_one_gives(seed, width, alpha):
    model, limit = Table(6, 5, 9, seed), torch.tensor([9, 3, 5, 1, 9, 7])
    together = beam_search(
        model, model.begin(list(range(6))), limit=limit, width=width, alpha=alpha, keep=min(2, width)
    )
    for sentence in range(6):
        alone = beam_search(
            model, model.begin([sentence]), limit=limit[sentence, None], width=width, alpha=alpha, keep=min(2, width)
        )[0]
        assert len(alone) == len(together[sentence])
        assert all(same(one, other) for one, other in zip(alone, together[sentence], strict=True))
    one_by_one = [greedy(model, model.begin([i]), limit=limit[i, None])[0] for i in range(6)]
    assert all(map(same, greedy(model, model.begin(list(range(6))), limit=limit), one_by_one))


@given(st.integers(0, 9_999), st.integers(1, 5), ALPHA)
@settings(deadline=None, max_examples=40)
def test_finished_hypotheses_keep_their_score(seed, width, alpha):
    """Whatever was going on beside it: the score is that of the tokens, the end token included."""
    model, limit = Table(3, 5, 8, seed), torch.tensor([8, 5, 8])
    for sentence, several in enumerate(
        beam_search(model, model.begin([0, 1, 2]), limit=limit, width=width, alpha=alpha, keep=width)
    ):
        assert [each.score for each in several] == sorted((each.score for each in several), reverse=True)
        assert len({(tuple(each.tokens), each.complete) for each in several}) == len(several) == width
        for each in several:
            spoken = [*each.tokens, END] if each.complete else each.tokens
            assert END not in each.tokens and 1 <= len(spoken) <= int(limit[sentence])
            assert each.complete or len(spoken) == int(limit[sentence])
            assert each.log_probability == pytest.approx(model.log_probability(sentence, spoken), abs=1e-4)
            assert each.score == pytest.approx(each.log_probability / length_penalty(len(spoken), alpha), abs=1e-4)


@given(st.integers(0, 9_999), st.integers(2, 5), ALPHA)
@settings(deadline=None, max_examples=40)
def test_stopping_early_changes_nothing(seed, width, alpha):
    """Asking for all answers searches to the end; the best of them is the one found when asking for one."""
    model, limit = Table(4, 5, 9, seed, sharpness=3.0), torch.tensor([9, 9, 4, 7])
    soon = beam_search(model, model.begin([0, 1, 2, 3]), limit=limit, width=width, alpha=alpha)
    late = beam_search(model, model.begin([0, 1, 2, 3]), limit=limit, width=width, alpha=alpha, keep=width)
    assert all(same(one[0], several[0]) for one, several in zip(soon, late, strict=True))


class Scripted:
    """Says the end with the first probability at the first step, and with the others after it."""

    def __init__(self, ends: list[float]):
        self.ends, self.steps = ends, 0

    def step(self, tokens: Tensor, state: int) -> tuple[Tensor, int]:
        self.steps += 1
        end = self.ends[min(state, len(self.ends) - 1)]
        row = torch.tensor([0.0, 0.0, end, 1 - end]).log()
        return row.expand(*tokens.shape, 4), state + 1

    def reorder(self, state: int, sentences: Tensor | None, beams: Tensor) -> int:
        return state


def test_it_stops_when_nothing_can_win_any_more():
    sure = Scripted([0.9])
    assert beam_search(sure, 0, limit=torch.tensor([50]), width=2, alpha=0.0)[0][0].tokens == []
    assert sure.steps == 1


def test_it_does_not_stop_at_the_first_end():
    """The first end is unlikely, and with a length penalty the long answer wins."""
    model = Scripted([0.4, 0.01, 0.01, 0.99])
    found = beam_search(model, 0, limit=torch.tensor([10]), width=2, alpha=1.0)[0][0]
    assert found.tokens == [3, 3, 3]
    assert beam_search(Scripted([0.4, 0.01, 0.01, 0.99]), 0, limit=torch.tensor([10]), width=2, alpha=0.0)[0][
        0
    ].tokens == [3, 3, 3]
    short = beam_search(Scripted([0.6, 0.01, 0.01, 0.99]), 0, limit=torch.tensor([10]), width=2, alpha=0.0)[0][0]
    assert short.tokens == []


def test_impossible_tokens_are_never_said():
    found = beam_search(Scripted([0.5]), 0, limit=torch.tensor([3]), width=4, keep=4)[0]
    assert sorted(each.tokens for each in found) == [[], [3], [3, 3], [3, 3, 3]]
    assert all(math.isfinite(each.score) for each in found)


def test_finished_sentences_leave_the_batch():
    model = Table(2, 4, 30, seed=0)
    model.log_probabilities[0, ..., :] = torch.tensor([1e-9, 1e-9, 1.0, 1e-9]).log()
    widths = []
    step = model.step
    model.step = lambda tokens, state: widths.append(tuple(tokens.shape)) or step(tokens, state)
    beam_search(model, model.begin([0, 1]), limit=torch.tensor([30, 30]), width=3)
    assert widths[0] == (2, 1) and all(rows == 1 for rows, _ in widths[1:])


def test_no_sentence_is_no_work():
    model = Table(1, 4, 3, seed=0)
    nothing = torch.empty(0, dtype=torch.long)
    assert beam_search(model, model.begin([]), limit=nothing) == [] == greedy(model, model.begin([]), limit=nothing)


@pytest.mark.parametrize("wrong", [{"width": 0}, {"alpha": -1.0}, {"keep": 5}, {"keep": 0}])
def test_what_cannot_be_is_refused(wrong):
    model = Table(1, 4, 3, seed=0)
    with pytest.raises(ValueError, match="width ≥ 1"):
        beam_search(model, model.begin([0]), limit=torch.tensor([3]), **wrong)


def test_penalty_is_that_of_the_paper():
    assert length_penalty(1, 0.6) == 1.0
    assert length_penalty(13, 0.5) == pytest.approx(math.sqrt(3))
    assert length_penalty(7, 0.0) == 1.0
