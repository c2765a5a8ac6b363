"""Saying what a model thinks: greedy search, and a beam search over many sentences at once. Knows no model.

What it decodes with is anything that has two methods (`Decodes`): `step` gives the log-probability of every next token,
and `reorder` keeps some hypotheses and forgets the others. States are the model's own; nothing here looks into them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@runtime_checkable
class Decodes(Protocol):
    """What search needs from a model. A hypothesis is one beam of one sentence."""

    def step(
        self, tokens: Int[Tensor, "sentences beams"], state: Any
    ) -> tuple[Float[Tensor, "sentences beams vocabulary"], Any]:
        """Log-probabilities of what follows `tokens`, the hypotheses' last tokens, and the state after them."""
        ...

    def reorder(self, state: Any, sentences: Int[Tensor, " kept"] | None, beams: Int[Tensor, "kept new"]) -> Any:
        """The state of `sentences` only (of all, if None), each with the hypotheses `beams`, which may repeat."""
        ...


@dataclass(frozen=True)
class Hypothesis:
    """A finished answer.

    Attributes:
        tokens: without the start and the end token.
        log_probability: of all its tokens together, the end token among them, in nats.
        score: the log-probability divided by the length penalty: what hypotheses are compared by.
        complete: whether it came to its end token, or was cut off at the limit.
    """

    tokens: list[int]
    log_probability: float
    score: float
    complete: bool


def length_penalty(length: int | Tensor, alpha: float) -> Any:
    """((5 + length) / 6) ** alpha, by which log-probabilities are divided (Wu et al. 2016, eq. 14).

    Every further token makes a hypothesis less probable, so sums alone prefer short ones. `alpha` = 0 compares sums,
    1 nearly means. The length counts the end token.
    """
    return ((5 + length) / 6) ** alpha


@torch.inference_mode()
def greedy(
    model: Decodes,
    state: Any,
    *,
    limit: Int[Tensor, " sentences"],
    start: int = 1,
    end: int = 2,
    alpha: float = 0.6,
) -> list[Hypothesis]:
    """Always the likeliest next token, until the end token or `limit` tokens; a hypothesis a sentence.

    Args:
        model: what gives log-probabilities.
        state: the model's state before the first token, with one beam a sentence.
        limit: the most tokens of each sentence, the end token among them; at least one.
        start, end: the numbers of these tokens.
        alpha: of the length penalty. It changes the scores, not what is found.
    """
    device = limit.device
    found: list[Hypothesis | None] = [None] * len(limit)
    # Row i of what is still being decoded belongs to sentence `sentence[i]`.
    sentence = torch.arange(len(limit), device=device)
    tokens = torch.full((len(limit), 1), start, device=device)
    total = torch.zeros(len(limit), device=device)
    while len(sentence):
        log_probabilities, state = model.step(tokens[:, -1:], state)
        best, token = log_probabilities[:, 0].max(dim=-1)
        total, tokens = total + best, torch.cat([tokens, token[:, None]], dim=1)
        length = tokens.shape[1] - 1
        done = (token == end) | (limit[sentence] <= length)
        for row in done.nonzero()[:, 0].tolist():
            found[int(sentence[row])] = _finished(tokens[row, 1:].tolist(), float(total[row]), end, alpha)
        if bool(done.all()):
            break
        if bool(done.any()):
            rows = (~done).nonzero()[:, 0]
            sentence, tokens, total = sentence[rows], tokens[rows], total[rows]
            state = model.reorder(state, rows, torch.zeros_like(rows)[:, None])
    return [hypothesis for hypothesis in found if hypothesis is not None]


def _finished(tokens: list[int], log_probability: float, end: int, alpha: float) -> Hypothesis:
    complete = tokens[-1] == end
    score = log_probability / length_penalty(len(tokens), alpha)
    return Hypothesis(tokens[:-1] if complete else tokens, log_probability, score, complete)


@torch.inference_mode()
def beam_search(
    model: Decodes,
    state: Any,
    *,
    limit: Int[Tensor, " sentences"],
    width: int = 4,
    alpha: float = 0.6,
    keep: int = 1,
    start: int = 1,
    end: int = 2,
) -> list[list[Hypothesis]]:
    """The best answers that a beam of `width` hypotheses a sentence finds, the best first.

    At each step every hypothesis is continued in every way and the `width` likeliest are kept; one that comes to its
    end token keeps its score and its place, so the beam grows narrower and closes after `width` ends. Three things
    make the result trustworthy:

    - Hypotheses that are compared while they grow have the same length; finished ones are compared by `score`.
    - A sentence is finished early only when nothing that still grows can win: a log-probability can only fall, so
      divided by the penalty of the longest answer allowed it bounds every score that can still come.
    - The greedy hypothesis is never pushed out of the beam. So the best answer never scores below greedy's, which a
      plain beam does not promise, and a beam of width one is greedy search.

    All sentences are decoded together, and those that are finished leave the batch.

    Args:
        model: what gives log-probabilities.
        state: the model's state before the first token, with one beam a sentence.
        limit: the most tokens of each sentence, the end token among them; at least one. What is not finished then is
            taken as it stands.
        width: how many hypotheses a sentence.
        alpha: of the length penalty (Wu et al. 2016, eq. 14).
        keep: how many answers are wanted, at most `width`; a sentence is searched until it has them for certain.
        start, end: the numbers of these tokens.

    Returns:
        For each sentence its best `keep` answers (fewer only if there are no more).

    Raises:
        ValueError: if `width` is below one, `alpha` negative or `keep` not within 1 and `width`.
    """
    if width < 1 or alpha < 0 or not 1 <= keep <= width:
        raise ValueError(
            f"a beam needs width ≥ 1, alpha ≥ 0 and 1 ≤ keep ≤ width, not width {width}, alpha {alpha}, keep {keep}."
        )
    beam = _Beam(limit, width, alpha, keep, start, end)
    while len(beam.sentence):
        log_probabilities, state = model.step(beam.tokens[:, :, -1], state)
        rows, parents = beam.advance(log_probabilities)
        if not len(beam.sentence):
            break
        state = model.reorder(state, rows, parents)
    return [sorted(several, key=lambda each: -each.score)[:keep] for several in beam.found]


class _Beam:
    """The hypotheses of the sentences still being decoded, and those found.

    Attributes:
        sentence: whose hypotheses each row has: Int[rows].
        tokens: all tokens so far: Int[rows, beams, length], with the start token.
        total: log-probabilities so far: Float[rows, beams]; −∞ where there is no hypothesis.
        room: how many hypotheses each row may still have: Int[rows].
        greedy: whether beam 0 still is the greedy hypothesis: Bool[rows].
    """

    def __init__(self, limit: Tensor, width: int, alpha: float, keep: int, start: int, end: int):
        rows, device = len(limit), limit.device
        self.limit, self.alpha, self.keep, self.end = limit, alpha, keep, end
        self.found: list[list[Hypothesis]] = [[] for _ in range(rows)]
        self.sentence: Int[Tensor, " rows"] = torch.arange(rows, device=device)
        self.tokens: Int[Tensor, "rows beams length"] = torch.full((rows, 1, 1), start, device=device)
        self.total: Float[Tensor, "rows beams"] = torch.zeros(rows, 1, device=device)
        self.room: Int[Tensor, " rows"] = torch.full((rows,), width, device=device)
        self.greedy: Bool[Tensor, " rows"] = torch.ones(rows, dtype=torch.bool, device=device)

    def advance(self, log_probabilities: Float[Tensor, "rows beams vocabulary"]) -> tuple[Tensor | None, Tensor]:
        """One token further; returns the rows that go on (None if all do) and the beams that theirs grew from."""
        parents, token, total = self.best(log_probabilities)
        rank = torch.arange(token.shape[1], device=token.device)
        is_hypothesis = (rank < self.room[:, None]) & total.isfinite()
        self.tokens = torch.cat([_taken(self.tokens, parents), token[:, :, None]], dim=2)
        length = self.tokens.shape[2] - 1
        ended = is_hypothesis & ((token == self.end) | (self.limit[self.sentence] <= length)[:, None])
        self.collect(ended, total)
        grows = is_hypothesis & ~ended
        self.room = self.room - ended.sum(dim=1)
        self.greedy = self.greedy & grows[:, 0]
        self.total = total.masked_fill(~grows, -torch.inf)
        return self.squeeze(parents, grows & ~self.is_decided()[:, None])

    def best(self, log_probabilities: Float[Tensor, "rows beams vocabulary"]) -> tuple[Tensor, Tensor, Tensor]:
        """The likeliest continuations, best first, the greedy one before all: parents, tokens, log-probabilities."""
        widest = int(self.room.max())
        # The best of all are among the best of each: two small searches instead of one over beams × vocabulary.
        each, token = _best(log_probabilities, min(widest, log_probabilities.shape[2]))
        total = (self.total[:, :, None] + each).flatten(1)
        priority = total.clone()
        priority[:, 0].masked_fill_(self.greedy, torch.inf)
        place = priority.topk(min(widest, total.shape[1]), dim=1).indices
        return place // each.shape[2], token.flatten(1).gather(1, place), total.gather(1, place)

    def collect(self, ended: Bool[Tensor, "rows beams"], total: Float[Tensor, "rows beams"]) -> None:
        """Note down the hypotheses that have ended."""
        places = ended.nonzero()
        several = zip(places[:, 0].tolist(), self.tokens[ended][:, 1:].tolist(), total[ended].tolist(), strict=True)
        for row, tokens, log_probability in several:
            hypothesis = _finished(tokens, log_probability, self.end, self.alpha)
            self.found[int(self.sentence[row])].append(hypothesis)

    def is_decided(self) -> Bool[Tensor, " rows"]:
        """Whether nothing that still grows can be among the best any more."""
        bound = self.total.max(dim=1).values / length_penalty(self.limit[self.sentence], self.alpha)
        sure = [self.sure(sentence) for sentence in self.sentence.tolist()]
        return torch.tensor(sure, dtype=bound.dtype, device=bound.device) >= bound

    def sure(self, sentence: int) -> float:
        """The score that a new hypothesis must beat to be among the best."""
        scores = sorted((hypothesis.score for hypothesis in self.found[sentence]), reverse=True)
        return scores[self.keep - 1] if len(scores) >= self.keep else -torch.inf

    def squeeze(self, parents: Tensor, grows: Bool[Tensor, "rows beams"]) -> tuple[Tensor | None, Tensor]:
        """Drop the rows where nothing grows, and beams that are empty in all rows; the order of the others stays."""
        rows = grows.any(dim=1).nonzero()[:, 0]
        widest = int(grows.sum(dim=1).max()) if len(grows) else 0
        order = grows.to(torch.uint8)[rows].argsort(dim=1, descending=True, stable=True)[:, :widest]
        self.tokens = _taken(self.tokens[rows], order)
        self.total = self.total[rows].gather(1, order)
        all_stay = len(rows) == len(self.sentence)
        self.sentence, self.room, self.greedy = self.sentence[rows], self.room[rows], self.greedy[rows]
        return None if all_stay else rows, parents[rows].gather(1, order)


def _best(scores: Float[Tensor, "*rows n"], k: int) -> tuple[Tensor, Tensor]:
    """The same as `scores.topk(k)`, sooner for long rows: the k best lie in the k slices whose best are the highest."""
    slices = 64
    if scores.shape[-1] % slices or k >= slices:
        return scores.topk(k)
    sliced = scores.unflatten(-1, (slices, -1))
    place = sliced.amax(dim=-1).topk(k).indices
    best, inside = sliced.gather(-2, place[..., None].expand(*place.shape, sliced.shape[-1])).flatten(-2).topk(k)
    size = sliced.shape[-1]
    return best, place.gather(-1, inside // size) * size + inside % size


def _taken(tokens: Int[Tensor, "rows beams length"], places: Int[Tensor, "rows new"]) -> Int[Tensor, "rows new length"]:
    """The hypotheses at these places, row by row."""
    return tokens.gather(1, places[:, :, None].expand(-1, -1, tokens.shape[2]))
