"""Lab 01's checks: answers that learners are likely to give, the mistake that each message must name, and its words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from squint.checks import engine, lab01
from squint.models import word2vec

Answer = Callable[..., object]


def judged(name: str, answer: Answer) -> engine.Verdict:
    return engine.judge(lab01.CHECKS[name], answer)


# Right answers in other words


def one_hot_numpy(ids: Tensor, size: int) -> Tensor:
    return torch.from_numpy(np.eye(size, dtype=np.float32)[ids.cpu().numpy()])


def embed_stacked(ids: Tensor, table: Tensor) -> Tensor:
    return torch.stack([table[i] for i in ids.flatten()]).reshape(*ids.shape, table.shape[1])


def embed_reshaped(ids: Tensor, table: Tensor) -> Tensor:
    return table.index_select(0, ids.flatten()).reshape(*ids.shape, -1)


def pairs_numpy(tokens: Tensor, radius: Tensor) -> Tensor:
    t, r = tokens.numpy(), radius.numpy()
    pairs = [(t[i], t[j]) for i in range(len(t)) for j in range(len(t)) if i != j and abs(i - j) <= r[i]]
    return torch.from_numpy(np.array(pairs, dtype=np.int64).reshape(-1, 2))


def subsample_numpy(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    c = counts.numpy().astype(float)
    keep = np.minimum(1, np.sqrt(threshold * c.sum() / c))
    return torch.from_numpy(tokens.numpy()[uniform.numpy() < keep[tokens.numpy()]])


def loss_with_softplus(u: Tensor, v: Tensor, pairs: Tensor, negatives: Tensor) -> Tensor:
    scores = torch.bmm(v[negatives], u[pairs[:, 0]].unsqueeze(2)).squeeze(2)
    scores = torch.where(negatives == pairs[:, 1:2], float("-inf"), scores)
    return (F.softplus(-(u[pairs[:, 0]] * v[pairs[:, 1]]).sum(1)) + F.softplus(scores).sum(1)).mean()


def similar_masked(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    scores = vectors @ query / (vectors.norm(dim=1) * query.norm())
    keep = torch.ones(len(vectors), dtype=torch.bool)
    keep[exclude] = False
    ids = keep.nonzero().flatten()
    return ids[scores[keep].topk(k).indices]


def similar_on_the_sphere(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    scores = -(F.normalize(vectors, dim=1) - query).norm(dim=1)
    scores[exclude] = -torch.inf
    return scores.topk(k).indices


def analogy_by_list(vectors: Tensor, a: int, b: int, c: int, k: int) -> Tensor:
    unit = F.normalize(vectors, dim=1)
    return word2vec.most_similar(unit, unit[b] - unit[a] + unit[c], k, [a, b, c])


def weat_as_float(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> float:
    return word2vec.weat(x, y, a, b).item()


RIGHT = {
    "one_hot": [one_hot_numpy],
    "embed": [embed_stacked, embed_reshaped],
    "window_pairs": [pairs_numpy],
    "subsample": [subsample_numpy],
    "skipgram_loss": [loss_with_softplus],
    "most_similar": [similar_masked, similar_on_the_sphere],
    "analogy": [analogy_by_list],
    "weat": [weat_as_float],
}


@pytest.mark.parametrize(
    ("name", "answer"), [pytest.param(n, a, id=a.__name__) for n, answers in RIGHT.items() for a in answers]
)
def test_a_right_answer_in_other_words_passes(name: str, answer: Answer) -> None:
    verdict = judged(name, answer)
    assert verdict.passed, verdict


# Wrong answers: what the message must say, and what it must not


def unit_rows(*sets: Tensor) -> tuple[Tensor, ...]:
    return tuple(F.normalize(vectors, dim=1) for vectors in sets)


def lean(words: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return (words @ a.T).mean(1) - (words @ b.T).mean(1)


def parts(u: Tensor, v: Tensor, pairs: Tensor, negatives: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of the pairs, scores of the negatives, and which of those count."""
    centre = u[pairs[:, 0]]
    return (centre * v[pairs[:, 1]]).sum(1), (centre[:, None] * v[negatives]).sum(2), negatives != pairs[:, 1:]


def loss_first_minus_only(u: Tensor, v: Tensor, pairs: Tensor, negatives: Tensor) -> Tensor:
    good, bad, counts = parts(u, v, pairs, negatives)
    return (-F.logsigmoid(good) + (F.logsigmoid(-bad) * counts).sum(1)).mean()


def loss_minus_everywhere(u: Tensor, v: Tensor, pairs: Tensor, negatives: Tensor) -> Tensor:
    good, bad, counts = parts(u, v, pairs, negatives)
    return -(F.logsigmoid(-good) + (F.logsigmoid(-bad) * counts).sum(1)).mean()


def loss_all_with_all(u: Tensor, v: Tensor, pairs: Tensor, negatives: Tensor) -> Tensor:
    _, bad, counts = parts(u, v, pairs, negatives)
    return -F.logsigmoid(u[pairs[:, 0]] @ v[pairs[:, 1]].T).mean() - (F.logsigmoid(-bad) * counts).sum(1).mean()


def loss_negatives_as_input(u: Tensor, v: Tensor, pairs: Tensor, negatives: Tensor) -> Tensor:
    good, _, counts = parts(u, v, pairs, negatives)
    bad = (u[pairs[:, 0]][:, None] * u[negatives]).sum(2)
    return -(F.logsigmoid(good) + (F.logsigmoid(-bad) * counts).sum(1)).mean()


def wrapping_window(tokens: Tensor, radius: Tensor) -> Tensor:
    pairs = [
        (int(tokens[i]), int(tokens[j]))
        for i in range(len(tokens))
        for j in range(i - int(radius[i]), min(len(tokens), i + int(radius[i]) + 1))
        if j != i
    ]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def cosines(vectors: Tensor, query: Tensor, exclude: Tensor) -> Tensor:
    scores = F.normalize(vectors, dim=1) @ query
    scores[exclude] = -torch.inf
    return scores


WRONG: list[tuple[str, Answer, str]] = [
    ("one_hot", lambda ids, size: np.eye(size, dtype=np.float32)[ids.numpy()], "expected a tensor"),
    ("one_hot", lambda ids, size: F.one_hot(ids, size), "add .float()"),
    ("one_hot", lambda ids, size: ids[:, None] == torch.arange(size), "add .float()"),
    ("one_hot", lambda ids, size: torch.eye(size, dtype=torch.double)[ids], "add .float()"),
    ("one_hot", lambda ids, size: F.one_hot(ids.sort().values, size).float(), "sorted by id"),
    ("one_hot", lambda ids, size: F.one_hot(ids.unique(), size).float(), "twice has two"),
    ("one_hot", lambda ids, size: 1 - F.one_hot(ids, size).float(), "swapped: a word's own"),
    ("embed", lambda ids, table: F.normalize(table[ids], dim=-1), "copies the rows"),
    ("embed", lambda ids, table: torch.from_numpy(table.detach().numpy()[ids.numpy()]), "no gradient reaches"),
    ("window_pairs", wrapping_window, "negative places count from the end"),
    ("window_pairs", lambda t, r: word2vec.window_pairs(t, r.max().expand(len(t))), "Each centre has its own"),
    ("window_pairs", lambda t, r: torch.stack([t[:-1], t[1:]], 1), "the next one alone"),
    ("window_pairs", lambda t, r: word2vec.window_pairs(t, r).unique(dim=0), "as often as it stands"),
    ("subsample", lambda t, c, h, u: (u < (h * c.sum() / c[t]).sqrt()).nonzero().flatten(), "tokens[places]"),
    ("subsample", lambda t, c, h, u: torch.where(u < (h * c.sum() / c[t]).sqrt(), t, 0), "became 0"),
    ("subsample", lambda t, c, h, u: t[u < (h * len(c) / c[t]).sqrt()], "number of different words"),
    ("subsample", lambda t, c, h, u: t[u < (h * c.max() / c[t]).sqrt()], "largest count"),
    ("subsample", lambda t, c, h, u: t[c[t] / c.sum() < h], "dropped all others"),
    ("skipgram_loss", loss_first_minus_only, "Both logarithms are subtracted"),
    ("skipgram_loss", loss_minus_everywhere, "a minus too many"),
    ("skipgram_loss", loss_all_with_all, "pairs × pairs"),
    ("skipgram_loss", loss_negatives_as_input, "yours come from the input table"),
    ("skipgram_loss", lambda u, v, p, n: word2vec.skipgram_loss(u, v, p.flip(1), n), "first column of pairs"),
    ("most_similar", lambda v, q, k, e: cosines(v, q, e).topk(k).values, "topk gives values and indices"),
    ("most_similar", lambda v, q, k, e: cosines(v, q, e).topk(k), "such as .indices"),
    ("most_similar", lambda v, q, k, e: cosines(v, q, e).topk(k).indices.float(), "dtype=torch.long"),
    ("most_similar", lambda v, q, k, e: cosines(v, q, e).topk(k).indices.flip(0), "the best comes last"),
    ("most_similar", lambda v, q, k, e: cosines(v, q, e[:1]).topk(k).indices, "It may hold several"),
    ("analogy", lambda v, a, b, c, k: word2vec.analogy(v, a, b, c, k).flip(0), "the best comes last"),
    ("weat", lambda x, y, a, b: _effect(*unit_rows(x, y), a, b), "Only the targets"),
    ("weat", lambda x, y, a, b: _statistic(*unit_rows(x, y, a, b)), "in standard deviations"),
]


def _effect(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    of_x, of_y = lean(x, a, b), lean(y, a, b)
    return (of_x.mean() - of_y.mean()) / torch.cat([of_x, of_y]).std()


def _statistic(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return lean(x, a, b).sum() - lean(y, a, b).sum()


@pytest.mark.parametrize(
    ("name", "answer", "says"), [pytest.param(*row, id=f"{row[0]}-{i}") for i, row in enumerate(WRONG)]
)
def test_a_wrong_answer_is_told_what_is_wrong(name: str, answer: Answer, says: str) -> None:
    verdict = judged(name, answer)
    assert not verdict.passed
    assert verdict.hint is not None and says in verdict.hint, verdict


def test_a_numpy_array_is_not_told_to_call_float() -> None:
    verdict = judged("one_hot", lambda ids, size: np.eye(size, dtype=np.float32)[ids.numpy()])
    assert verdict.hint is not None and ".float()" not in verdict.hint
