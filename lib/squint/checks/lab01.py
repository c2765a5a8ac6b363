"""Lab 01: one-hot and lookup, subsampling, windows, the skip-gram loss, neighbours, analogies, WEAT."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from einops import einsum
from torch import Tensor

from squint.checks import compare
from squint.checks.engine import Case, Check
from squint.models import word2vec

RTOL, ATOL = 1e-4, 1e-5


def _normal(seed: int) -> Callable[..., Tensor]:
    random = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=random)


def _whole(seed: int) -> Callable[..., Tensor]:
    random = torch.Generator().manual_seed(seed)
    return lambda low, high, *shape: torch.randint(low, high, shape, generator=random)


def _ids(*ids: int) -> Tensor:
    return torch.tensor(ids, dtype=torch.long)


def _where(case: Case) -> str:
    return f"On “{case.label}” ({case.shapes()}): "


def _a_tensor(got: Any, want: Tensor, case: Case) -> str | None:
    """The usual comparison, but for a tensor only: the cells below index with it, or multiply it."""
    if isinstance(got, torch.return_types.topk | torch.return_types.sort):
        return (
            f"{_where(case)}topk and sort give two tensors, values and indices: return one of them, such as .indices."
        )
    if not isinstance(got, Tensor):
        return f"{_where(case)}expected a tensor, which the cells below can use, and got a {type(got).__name__}."
    message = compare.difference(got, want, RTOL, ATOL)
    return _where(case) + message if message else None


def _some_ids(got: Any, want: Tensor, case: Case) -> str | None:
    """A tensor of so many ids, the right ones in their order."""
    if isinstance(got, Tensor) and got.dtype != torch.bool:
        if got.shape != want.shape:
            return (
                f"{_where(case)}expected {len(want)} ids in a tensor of shape ({len(want)},), got {tuple(got.shape)}."
            )
        if got.is_floating_point():
            kind = str(got.dtype).removeprefix("torch.")
            whole = torch.equal(got, got.round())
            cure = "give dtype=torch.long" if whole else "are these the scores? topk gives values and indices"
            return f"{_where(case)}ids are integers, and you returned {kind}: {cure}."
    return _a_tensor(got, want, case)


# One-hot


def _one_hot_cases(seed: int) -> list[Case]:
    whole = _whole(seed)
    return [
        Case("the words 2 and 0 of a vocabulary of 4", _ids(2, 0), 4),
        Case("the first word and the last", _ids(0, 5), 6),
        Case("one word", _ids(3), 7),
        Case("a word that comes twice", _ids(1, 2, 1), 3),
        Case("a sentence", whole(0, 50, 12), 50),
        Case("a vocabulary of one word", _ids(0, 0), 1),
        Case("no words at all", _ids(), 3),
        Case("every second word of a sentence", whole(0, 9, 10)[::2], 9),
    ]


def _rows_sum_to_one(one_hot: Callable, case: Case) -> str | None:
    """Every row sums to one."""
    rows = torch.as_tensor(one_hot(*case.args)).sum(1)
    return None if torch.equal(rows.float(), torch.ones_like(rows.float())) else "A row does not sum to one."


def _picks_rows(one_hot: Callable, case: Case) -> str | None:
    """Times a table, it gives the rows of the table."""
    ids, size = case.args
    table = torch.arange(2.0 * size, device=ids.device).reshape(size, 2)
    return None if torch.equal(one_hot(ids, size) @ table, table[ids]) else "Times a table, it does not give its rows."


WRONG_TYPE = (
    "The ones and zeros are right, but not of the right type. The next step multiplies this matrix by a table of "
    "floats (torch.float32), and both sides of a product must be of one type: add .float()."
)


def _same_and_floating(got: Any, want: Tensor, case: Case) -> str | None:
    if isinstance(got, Tensor) and got.dtype != want.dtype and torch.equal(got.to(want), want):
        return WRONG_TYPE
    return _a_tensor(got, want, case)


def _one_hot_loop(ids: Tensor, size: int) -> Tensor:
    rows = torch.zeros(len(ids), size, device=ids.device)
    for row, column in enumerate(ids.tolist()):
        rows[row, column] = 1
    return rows


def _counted_from_one(ids: Tensor, size: int) -> Tensor:
    return word2vec.one_hot((ids + 1) % (size + 1), size)


one_hot = Check(
    reference=word2vec.one_hot,
    cases=_one_hot_cases,
    compare=_same_and_floating,
    properties=[_rows_sum_to_one, _picks_rows],
    misconceptions={
        "Rows and columns are swapped. Each word of the sentence is a row, each word of the vocabulary a column.": (
            lambda ids, size: word2vec.one_hot(ids, size).T
        ),
        "The ones stand one column too far. Ids count from 0: the word with id 0 has its one in the first column.": (
            _counted_from_one
        ),
        "Every column up to the id is one. Only the column of the id itself should be.": lambda ids, size: (
            ids[:, None] >= torch.arange(size, device=ids.device)
        ).float(),
        "All words went into one row. Each word of the sentence has a row of its own.": lambda ids, size: (
            word2vec.one_hot(ids, size).sum(0).clamp(max=1)
        ),
        "Every row has a one for each word of the sentence. Row i has a single one, in column ids[i].": (
            lambda ids, size: word2vec.one_hot(ids, size).sum(0).clamp(max=1).repeat(len(ids), 1)
        ),
        "Ones and zeros are swapped: a word's own column is one, all others are zero.": lambda ids, size: (
            1 - word2vec.one_hot(ids, size)
        ),
        "The id itself stands where a one should stand.": lambda ids, size: word2vec.one_hot(ids, size) * ids[:, None],
        "The rows are sorted by id. Keep the order of the sentence: row i belongs to its word i.": lambda ids, size: (
            word2vec.one_hot(ids.sort().values, size)
        ),
        "Each different word has one row in yours. The sentence has a row for each of its words, and a word that comes "
        "twice has two.": lambda ids, size: word2vec.one_hot(ids.unique(), size),
    },
    hints=(
        "Start from a matrix of zeros: how many rows, how many columns? Where does the one of row i go?",
        "Make zeros of shape (len(ids), size). For row i, set column ids[i] to one. Without a loop: compare "
        "ids[:, None] with torch.arange(size), which is True exactly where the one belongs, and make it floats.",
        "return (ids[:, None] == torch.arange(size, device=ids.device)).float()",
    ),
    also_right=[
        _one_hot_loop,
        lambda ids, size: torch.eye(size, device=ids.device)[ids],
        lambda ids, size: torch.zeros(len(ids), size, device=ids.device).scatter_(1, ids[:, None], 1.0),
        lambda ids, size: F.one_hot(ids, size).float(),
    ],
)


# Lookup


def _embed_cases(seed: int) -> list[Case]:
    normal, whole = _normal(seed), _whole(seed)
    return [
        Case("two words, a table of three words", _ids(2, 0), torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])),
        Case("one word", _ids(4), normal(5, 3)),
        Case("a word that comes twice", _ids(1, 1), normal(3, 4)),
        Case("as many words as dimensions", whole(0, 4, 4), normal(4, 4)),
        Case("a batch of sentences", whole(0, 20, 3, 7), normal(20, 5)),
        Case("a table stored the other way round in memory", whole(0, 6, 4), normal(5, 6).T),
        Case("float64", whole(0, 8, 2, 2), normal(8, 3).double()),
    ]


def _gradient_reaches_used_rows(embed: Callable, case: Case) -> str | None:
    """The gradient of a row is how often its word comes."""
    ids, table = case.args
    table = table.detach().clone().requires_grad_()
    out = embed(ids, table)
    if not out.requires_grad:
        return (
            "The rows are right, but no gradient reaches the table: it could not be trained. Use torch throughout, "
            "no numpy, no .item(), no .detach()."
        )
    out.sum().backward()
    counts = torch.bincount(ids.flatten(), minlength=len(table)).to(table.dtype)
    assert table.grad is not None
    same = torch.allclose(table.grad, counts[:, None].expand_as(table))
    return None if same else "The gradient does not reach the rows that were looked up."


def _embed_loop(ids: Tensor, table: Tensor) -> Tensor:
    rows = [table[i] for i in ids.flatten().tolist()]
    return torch.stack(rows).reshape(*ids.shape, -1) if rows else table.new_zeros(*ids.shape, table.shape[1])


embed = Check(
    reference=word2vec.embed,
    cases=_embed_cases,
    compare=_a_tensor,
    properties=[_gradient_reaches_used_rows],
    misconceptions={
        "You took columns of the table. A word's vector is a row: the first index.": lambda ids, table: table[:, ids],
        "You added the words' vectors up. Each word keeps its own.": lambda ids, table: table[ids].sum(-2),
        "You made the vectors unit vectors. A lookup copies the rows as they are.": lambda ids, table: F.normalize(
            table[ids], dim=-1
        ),
        "You averaged the words' vectors. Each word keeps its own.": lambda ids, table: table[ids].mean(-2),
        "You looked one row too far up: ids count from 0, so the vector of word i is row i.": lambda ids, table: table[
            ids - 1
        ],
        "The shape of ids got lost: for a batch of sentences the vectors should keep it, (batch, words, dim).": (
            lambda ids, table: table[ids.flatten()]
        ),
    },
    hints=(
        "Write a 2 × 3 one-hot matrix and a 3 × 2 table on paper and multiply them. What did the multiplication do?",
        "Row i of the product is the row of the table at which row i of the one-hot matrix has its one. So no product "
        "is needed: torch can index a table by a whole tensor of ids, of any shape.",
        "return table[ids]",
    ),
    also_right=[
        _embed_loop,
        lambda ids, table: F.embedding(ids, table),
        lambda ids, table: table.index_select(0, ids.flatten()).reshape(*ids.shape, table.shape[1]),
        lambda ids, table: F.one_hot(ids, len(table)).to(table.dtype) @ table,
    ],
)


# Subsampling


def _subsample_cases(seed: int) -> list[Case]:
    whole, random = _whole(seed), torch.Generator().manual_seed(seed)

    def draws(n: int) -> Tensor:
        return torch.rand(n, generator=random)

    counts = torch.tensor([800, 150, 45, 5])
    return [
        Case(
            "word 0 is 80 % of the corpus, t is 0.2: it stays with probability 0.5",
            _ids(0, 0, 0, 0),
            torch.tensor([80, 20]),
            0.2,
            torch.tensor([0.10, 0.40, 0.60, 0.90]),
        ),
        Case("a word rarer than t always stays", _ids(3, 3), counts, 0.1, torch.tensor([0.0, 0.999])),
        Case("one word", _ids(1), counts, 0.01, torch.tensor([0.2])),
        Case("three frequent words, all dropped", _ids(0, 0, 0), counts, 0.001, torch.tensor([0.9, 0.5, 0.8])),
        Case("a sentence", whole(0, 4, 60), counts, 0.02, draws(60)),
        Case("a t above every frequency", whole(0, 4, 12), counts, 1.0, draws(12)),
        Case("a longer text", whole(0, 4, 500), counts, 0.006, draws(500)),
        Case("draws in float64", whole(0, 4, 30), counts, 0.05, draws(30).double()),
        Case("no words at all", _ids(), counts, 0.01, torch.tensor([])),
    ]


def _keeps_the_right_share(subsample: Callable, case: Case) -> str | None:
    """Over evenly spread draws, the share of a word that stays is √(t / f)."""
    _, counts, threshold, _ = case.args
    keep = word2vec.keep_probability(counts, threshold)
    n = 1000
    uniform = (torch.arange(n, device=counts.device) + 0.5) / n
    for word in range(len(counts)):
        share = len(subsample(torch.full((n,), word, device=counts.device), counts, threshold, uniform)) / n
        if abs(share - keep[word].item()) > 2e-3:
            return f"Of a word that should stay with probability {keep[word]:.3f}, the share that stays is {share:.3f}."
    return None


def _subsample_by(keep: Callable[[Tensor, float], Tensor]) -> Callable:
    def subsample(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
        return tokens[uniform < keep(counts, threshold)[tokens]]

    return subsample


def _share(counts: Tensor) -> Tensor:
    return counts / counts.sum()


def _high_draws_stay(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    return tokens[uniform >= 1 - word2vec.keep_probability(counts, threshold)[tokens]]


def _kept_and_dropped_swapped(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    return tokens[uniform >= word2vec.keep_probability(counts, threshold)[tokens]]


def _mask_only(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    return uniform < word2vec.keep_probability(counts, threshold)[tokens]


def _own_draws(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    draws = torch.rand(len(tokens), device=tokens.device)
    return tokens[draws < word2vec.keep_probability(counts, threshold)[tokens]]


def _share_of_the_sentence(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    frequency = counts / max(1, len(tokens))
    return tokens[uniform < (threshold / frequency).sqrt()[tokens]]


def _of_the_tokens_given(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    frequency = torch.bincount(tokens, minlength=len(counts)) / max(1, len(tokens))
    return tokens[uniform < (threshold / frequency).sqrt()[tokens]]


def _places_only(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    return _mask_only(tokens, counts, threshold, uniform).nonzero().flatten()


def _blotted_out(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    return torch.where(_mask_only(tokens, counts, threshold, uniform), tokens, 0)


def _rare_dropped(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    return tokens[_mask_only(tokens, counts, threshold, uniform) & (_share(counts)[tokens] > threshold)]


def _all_or_nothing(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    return tokens[_share(counts)[tokens] <= threshold]


def _in_order_of_id(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    return word2vec.subsample(tokens, counts, threshold, uniform).sort().values


def _subsample_loop(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    total, kept = counts.sum().item(), []
    for token, draw in zip(tokens.tolist(), uniform.tolist(), strict=True):
        probability = min(1.0, math.sqrt(threshold / (counts[token].item() / total)))
        if draw < probability:
            kept.append(token)
    return torch.tensor(kept, dtype=torch.long)


def _subsample_by_discarding(tokens: Tensor, counts: Tensor, threshold: float, uniform: Tensor) -> Tensor:
    frequency = counts[tokens].double() / counts.sum()
    discard = 1 - torch.sqrt(threshold / frequency)
    return torch.masked_select(tokens, ~(1 - uniform <= discard))


subsample = Check(
    reference=word2vec.subsample,
    cases=_subsample_cases,
    compare=_some_ids,
    properties=[_keeps_the_right_share],
    misconceptions={
        "1 − √(t / f) is the probability of dropping a word. You kept with it, so the frequent words are what is "
        "left.": _subsample_by(lambda counts, t: 1 - (t / _share(counts)).sqrt()),
        "The square root is missing: you kept a word with probability t / f.": _subsample_by(
            lambda counts, t: t / _share(counts)
        ),
        "You used the count where the formula has the frequency f: the word's share of the whole corpus, its count "
        "divided by the sum of all counts.": _subsample_by(lambda counts, t: (t / counts).sqrt()),
        "The fraction is upside down. Frequent words have a large f and should stay seldom: t / f.": _subsample_by(
            lambda counts, t: (_share(counts) / t).sqrt()
        ),
        "You drew random numbers of your own. Use those in uniform, one for each token.": _own_draws,
        "Kept and dropped are swapped: a token stays where its draw is below the probability of keeping "
        "it.": _kept_and_dropped_swapped,
        "Your tokens stay with the right probability, but where the draw is high. So that everyone gets the same "
        "answer, let a token stay where its draw is below its keep probability.": _high_draws_stay,
        "You returned which tokens stay, as True and False. Return the tokens themselves: tokens[stays].": _mask_only,
        "You used √(t / f) + t / f, as the authors' program does. The paper's formula, which this exercise asks for, "
        "is √(t / f) alone.": _subsample_by(lambda counts, t: (t / _share(counts)).sqrt() + t / _share(counts)),
        "You divided by the number of tokens given. f is the word's share of the whole corpus: divide by "
        "counts.sum().": _share_of_the_sentence,
        "You divided by the number of different words. f is the word's share of the running text: divide by the sum of "
        "all counts, counts.sum().": _subsample_by(lambda counts, t: (t * len(counts) / counts).sqrt()),
        "You divided by the largest count. f is the word's share of the whole corpus: divide by "
        "the sum of all counts.": _subsample_by(lambda counts, t: (t * counts.max() / counts).sqrt()),
        "You counted the words among the tokens given. f is the share in the whole corpus: "
        "counts / counts.sum().": _of_the_tokens_given,
        "The root is taken of t alone. It is the root of the whole fraction: √(t / f).": _subsample_by(
            lambda counts, t: math.sqrt(t) / _share(counts)
        ),
        "You returned the places of the tokens that stay. Return the tokens themselves: tokens[places].": _places_only,
        "A dropped token became 0, which is the id of a word. Leave it out.": _blotted_out,
        "Words rarer than t are missing. Their √(t / f) is above 1, which means that they always stay.": _rare_dropped,
        "You kept the words rarer than t and dropped all others. The frequent ones are to be thinned out: they stay "
        "with probability √(t / f).": _all_or_nothing,
        "The tokens that stay are the right ones, but sorted. Keep them in the order of the text.": _in_order_of_id,
    },
    hints=(
        "First find each word's keep probability, one number for each word of the vocabulary. Then look up the one of "
        "each token, as you looked up vectors.",
        "frequency = counts / counts.sum(); keep = sqrt(threshold / frequency), which may exceed 1 and then means "
        "“always”. keep[tokens] is one probability a token; a token stays where uniform is below it.",
        "keep = (threshold / (counts / counts.sum())).sqrt()\nreturn tokens[uniform < keep[tokens]]",
    ),
    also_right=[
        _subsample_loop,
        _subsample_by_discarding,
        lambda tokens, counts, threshold, uniform: tokens[
            (uniform < (threshold * counts.sum() / counts).sqrt().clamp(max=1)[tokens]).nonzero().squeeze(1)
        ],
    ],
)


# Windows


def _window_cases(seed: int) -> list[Case]:
    whole = _whole(seed)
    return [
        Case("three words, radius 1", _ids(5, 7, 9), _ids(1, 1, 1)),
        Case("four words, the first with radius 3", _ids(10, 11, 12, 13), _ids(3, 1, 1, 1)),
        Case("a word that comes twice", _ids(4, 4, 2), _ids(1, 2, 1)),
        Case("radii of their own", _ids(0, 1, 2, 3, 4, 5, 6), _ids(1, 3, 2, 1, 2, 3, 1)),
        Case("a window wider than the sentence", _ids(8, 6, 4), _ids(9, 9, 9)),
        Case("a longer sentence", whole(0, 50, 23), whole(1, 6, 23)),
        Case("two words", _ids(3, 1), _ids(2, 1)),
        Case("every second word of a text", whole(0, 50, 20)[::2], whole(1, 4, 20)[::2]),
        Case("one word, which has no neighbours", _ids(3), _ids(2)),
        Case("no words at all", _ids(), _ids()),
    ]


def _same_pairs(got: Any, want: Tensor, case: Case) -> str | None:
    """The same pairs, each as often, in whatever order."""
    where = f"On “{case.label}” (tokens {case.args[0].tolist()}, radius {case.args[1].tolist()}): "
    if not isinstance(got, Tensor):
        return (
            f"{where}expected a tensor, not a {type(got).__name__}: torch.tensor(pairs) makes one of a list of pairs."
        )
    if got.numel() == 0 and want.numel() == 0:
        if got.shape == want.shape and not got.is_floating_point():
            return None
        return (
            f"{where}there is no pair here, and the empty result should still have two columns and hold integers: "
            "torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)."
        )
    if got.ndim != 2 or got.shape[1] != 2:
        return where + f"expected a row a pair, shape {tuple(want.shape)}, got {tuple(got.shape)}."
    if got.is_floating_point():
        return where + f"ids are integers, and you returned {str(got.dtype).removeprefix('torch.')}."
    mine, theirs = ([tuple(pair) for pair in pairs.tolist()] for pairs in (got, want))
    for pair in theirs:
        if pair not in mine:
            return f"{where}the pair {pair} is missing. Expected {len(theirs)} pairs, got {len(mine)}."
        mine.remove(pair)
    return f"{where}the pair {mine[0]} is there once too often; expected {len(theirs)} pairs." if mine else None


def _walk(allowed: Callable[[int, int, list[int]], bool], of_ids: bool = False) -> Callable:
    """All pairs of places that `allowed` lets through, centre by centre, each from left to right."""

    def window_pairs(tokens: Tensor, radius: Tensor) -> Tensor:
        ids, radii, n = tokens.tolist(), radius.tolist(), len(tokens)
        places = [(i, j) for i in range(n) for j in range(n) if allowed(i, j, radii)]
        if of_ids:
            places = [(i, j) for i, j in places if ids[i] != ids[j]]
        return torch.tensor([(ids[i], ids[j]) for i, j in places], dtype=torch.long).reshape(-1, 2)

    return window_pairs


def _columns_swapped(tokens: Tensor, radius: Tensor) -> Tensor:
    return word2vec.window_pairs(tokens, radius).flip(1)


def _round_the_corner(tokens: Tensor, radius: Tensor) -> Tensor:
    ids, pairs = tokens.tolist(), []
    for i, r in enumerate(radius.tolist()):
        pairs += [(ids[i], ids[j]) for j in range(i - r, min(len(ids), i + r + 1)) if j != i]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def _negative_slice(tokens: Tensor, radius: Tensor) -> Tensor:
    ids, pairs = tokens.tolist(), []
    for i, r in enumerate(radius.tolist()):
        pairs += [(ids[i], other) for other in ids[i - r : i] + ids[i + 1 : i + r + 1]]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def _places(tokens: Tensor, radius: Tensor) -> Tensor:
    return word2vec.window_pairs(torch.arange(len(tokens)), radius.cpu())


def _by_id(tokens: Tensor, radius: Tensor) -> Tensor:
    distance = (tokens[:, None] - tokens).abs()
    centre, context = torch.where((distance > 0) & (distance <= radius[:, None]))
    return torch.stack([tokens[centre], tokens[context]], dim=1)


def _largest_radius(tokens: Tensor, radius: Tensor) -> Tensor:
    return word2vec.window_pairs(tokens, radius.max().expand(len(radius)))


def _each_pair_once(tokens: Tensor, radius: Tensor) -> Tensor:
    return word2vec.window_pairs(tokens, radius).unique(dim=0)


def _nested_loops(tokens: Tensor, radius: Tensor) -> Tensor:
    pairs = []
    for i in range(len(tokens)):
        for j in range(max(0, i - int(radius[i])), min(len(tokens), i + int(radius[i]) + 1)):
            pairs += [(tokens[i], tokens[j])] if j != i else []
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def _by_distance(tokens: Tensor, radius: Tensor) -> Tensor:
    parts = [tokens.new_empty(0, 2)]
    for d in range(1, len(tokens)):
        left, right = tokens[:-d], tokens[d:]
        parts.append(torch.stack([left, right], dim=1)[radius[:-d] >= d])
        parts.append(torch.stack([right, left], dim=1)[radius[d:] >= d])
    return torch.cat(parts)


window_pairs = Check(
    reference=word2vec.window_pairs,
    cases=_window_cases,
    compare=_same_pairs,
    misconceptions={
        "Each word is paired with itself as well. Leave out the place i itself.": _walk(
            lambda i, j, r: abs(i - j) <= r[i]
        ),
        "The window only looks to the right. The words before the centre are its neighbours too.": _walk(
            lambda i, j, r: 0 < j - i <= r[i]
        ),
        "The window only looks to the left. The words after the centre are its neighbours too.": _walk(
            lambda i, j, r: 0 < i - j <= r[i]
        ),
        "The window is one word too narrow: a word exactly radius[i] places away belongs to it. Python's range leaves "
        "out its end.": _walk(lambda i, j, r: 0 < abs(i - j) < r[i]),
        "On the right the window is one word too narrow: Python's range, and a slice, leave out their end.": _walk(
            lambda i, j, r: -r[i] <= j - i < r[i] and i != j
        ),
        "You used the context's radius. The window belongs to the centre: radius[i], where i is the centre's "
        "place.": _walk(lambda i, j, r: 0 < abs(i - j) <= r[j]),
        "Centre and context are swapped: the centre, whose radius counts, is the first column.": _columns_swapped,
        "You left out pairs of equal words. A word may well stand next to itself: leave out the same place, not the "
        "same word.": _walk(lambda i, j, r: 0 < abs(i - j) <= r[i], of_ids=True),
        "Near the beginning, negative places count from the end of the sentence. Start the window at "
        "max(0, i − radius).": _round_the_corner,
        "Near the beginning, a slice that starts at a negative place comes out empty or wrong. Start it at "
        "max(0, i − radius).": _negative_slice,
        "You returned places in the sentence. Return the ids that stand there: tokens[place].": _places,
        "You compared ids. It is the places in the sentence that must be near: |i − j|, whatever stands there.": _by_id,
        "You used the largest radius for every centre. Each centre has its own: radius[i].": _largest_radius,
        "You left out pairs that come again. A pair counts as often as it stands in the text.": _each_pair_once,
        "Each pair of neighbours is there once. Every word is a centre, and a context for others: (i, j) as well as "
        "(j, i), if both windows reach.": _walk(lambda i, j, r: 0 < j - i <= max(r[i], r[j])),
        "Each word is paired with the next one alone. The window reaches radius[i] words, to both sides.": _walk(
            lambda i, j, r: j == i + 1
        ),
        "Only words exactly radius[i] places away are in. The window holds the nearer ones as well.": _walk(
            lambda i, j, r: abs(i - j) == r[i]
        ),
    },
    hints=(
        "Which places j belong to centre i? Those with |i − j| at most radius[i], but not i itself.",
        "With loops: for each i, for each j from max(0, i − radius[i]) to min(n, i + radius[i] + 1), if j ≠ i, note "
        "(tokens[i], tokens[j]). Without: the n × n table of distances |i − j|, torch.where on the condition, two "
        "columns stacked.",
        "position = torch.arange(len(tokens), device=tokens.device)\n"
        "distance = (position[:, None] - position[None, :]).abs()\n"
        "centre, context = torch.where((distance > 0) & (distance <= radius[:, None]))\n"
        "return torch.stack([tokens[centre], tokens[context]], dim=1)",
    ),
    also_right=[_nested_loops, _by_distance],
)


# The loss


def _loss_cases(seed: int) -> list[Case]:
    normal, whole = _normal(seed), _whole(seed)
    small = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    loud = torch.tensor([[20.0, 0.0], [0.0, 20.0], [-20.0, 5.0], [9.0, -9.0]])
    return [
        Case("one pair, one negative", small, small.flip(0), torch.tensor([[0, 1]]), torch.tensor([[2]])),
        Case(
            "one pair, three negatives", normal(6, 4), normal(6, 4), torch.tensor([[0, 1]]), torch.tensor([[2, 3, 5]])
        ),
        Case("two pairs", normal(6, 4), normal(6, 4), torch.tensor([[0, 1], [4, 2]]), torch.tensor([[2, 3], [5, 0]])),
        Case(
            "a negative that is the context itself",
            normal(5, 3),
            normal(5, 3),
            torch.tensor([[0, 1], [2, 3]]),
            torch.tensor([[1, 4, 2], [0, 4, 1]]),
        ),
        Case("a batch", normal(9, 5), normal(9, 5), whole(0, 9, 40, 2), whole(0, 9, 40, 8)),
        Case("tables stored the other way round", normal(4, 9).T, normal(4, 9).T, whole(0, 9, 7, 2), whole(0, 9, 7, 3)),
        Case("float64", normal(9, 5).double(), normal(9, 5).double(), whole(0, 9, 6, 2), whole(0, 9, 6, 4)),
        Case("scores of several hundred", loud, loud, torch.tensor([[0, 2], [1, 1]]), torch.tensor([[0, 3], [1, 0]])),
    ]


def _starts_at_log_two(loss: Callable, case: Case) -> str | None:
    """With an output table of zeros, before any training, a pair with k negatives costs (1 + k) · log 2."""
    input_table, output_table, pairs, negatives = case.args
    k = (negatives != pairs[:, 1:]).sum(1).to(input_table.dtype)
    expected = ((1 + k) * math.log(2)).mean()
    got = loss(input_table, torch.zeros_like(output_table), pairs, negatives)
    return None if torch.isclose(torch.as_tensor(got).to(expected), expected, rtol=1e-4) else (
        f"Before training, with an output table of zeros, the loss should be {expected:.4f}; it is {float(got):.4f}."
    )  # fmt: skip


def _both_tables_learn(loss: Callable, case: Case) -> str | None:
    """The gradient arrives at both tables."""
    tables = [table.detach().clone().requires_grad_() for table in case.args[:2]]
    value = loss(*tables, *case.args[2:])
    if not (isinstance(value, Tensor) and value.requires_grad):
        return "No gradient arrives at the tables. Use torch throughout, without .item(), .detach() or float()."
    value.backward()
    if any(table.grad is None for table in tables):
        return "Only one of the two tables gets a gradient."
    return None


def _loss(
    *,
    positive: Callable[[Tensor], Tensor] = F.logsigmoid,
    negative: Callable[[Tensor], Tensor] = lambda score: F.logsigmoid(-score),
    over_negatives: str = "sum",
    over_pairs: str = "mean",
    skip: bool = True,
    swap: bool = False,
    one_table: bool = False,
    sign: int = -1,
    not_the: int = 1,
    zero_score: bool = False,
    flip: bool = False,
    negatives_in: str = "output",
    against: str = "centre",
    all_pairs: bool = False,
    unit: bool = False,
    average_score: bool = False,
    by: Callable[[int], float] = lambda k: 1.0,
) -> Callable:
    """The loss with some parts exchanged."""

    def skipgram_loss(input_table: Tensor, output_table: Tensor, pairs: Tensor, negatives: Tensor) -> Tensor:
        if swap:
            input_table, output_table = output_table, input_table
        if one_table:
            output_table = input_table
        pairs = pairs.flip(1) if flip else pairs
        centre, context = pairs.unbind(1)
        u, v = input_table[centre], output_table[context]
        n = (output_table if negatives_in == "output" else input_table)[negatives]
        if unit:
            u, v, n = (F.normalize(vectors, dim=-1) for vectors in (u, v, n))
        u, v = (u / u.shape[1], v) if average_score else (u, v)
        scores = einsum(n, u if against == "centre" else v, "pair k dim, pair dim -> pair k")
        counts = (negatives != pairs[:, [not_the]]).to(scores.dtype) if skip else torch.ones_like(scores)
        bad = negative(scores * counts) if zero_score else negative(scores) * counts
        good = positive(u @ v.T).mean(1) if all_pairs else positive((u * v).sum(1))
        each = (good + getattr(bad, over_negatives)(1)) * by(negatives.shape[1])
        return sign * getattr(each, over_pairs)() if over_pairs else sign * each

    return skipgram_loss


def _loss_loop(input_table: Tensor, output_table: Tensor, pairs: Tensor, negatives: Tensor) -> Tensor:
    total = torch.zeros((), dtype=input_table.dtype, device=input_table.device)
    for (centre, context), ids in zip(pairs.tolist(), negatives.tolist(), strict=True):
        u = input_table[centre]
        total = total - F.logsigmoid(u @ output_table[context])
        for i in ids:
            if i != context:
                total = total - F.logsigmoid(-(u @ output_table[i]))
    return total / len(pairs)


def _loss_as_classification(input_table: Tensor, output_table: Tensor, pairs: Tensor, negatives: Tensor) -> Tensor:
    targets = torch.cat([pairs[:, 1:], negatives], dim=1)
    scores = torch.einsum("bd,bkd->bk", input_table[pairs[:, 0]], output_table[targets])
    label = torch.zeros_like(scores)
    label[:, 0] = 1
    weight = torch.ones_like(scores)
    weight[:, 1:] = (negatives != pairs[:, 1:]).to(scores.dtype)
    return F.binary_cross_entropy_with_logits(scores, label, weight, reduction="sum") / len(pairs)


skipgram_loss = Check(
    reference=word2vec.skipgram_loss,
    cases=_loss_cases,
    properties=[_starts_at_log_two, _both_tables_learn],
    misconceptions={
        "A positive is among your negatives: where a negative is the context itself, you push apart the pair that you "
        "pull together. Leave it out of the sum.": _loss(skip=False),
        "There is a sigmoid too many: logsigmoid already takes the sigmoid, so give it the score itself.": _loss(
            positive=lambda s: F.logsigmoid(s.sigmoid()), negative=lambda s: F.logsigmoid(-s.sigmoid())
        ),
        "You averaged over the negatives. They are summed: each of the k is an example of its own.": _loss(
            over_negatives="mean"
        ),
        "You summed over the pairs. Take their mean, so that the loss does not depend on the size of the batch.": _loss(
            over_pairs="sum"
        ),
        "You returned a loss for each pair. Take their mean, a single number.": _loss(over_pairs=""),
        "The negatives play no part. Each of them adds −log σ(−u·n).": _loss(negative=torch.zeros_like),
        "You left out negatives that are the centre. It is those that are the context, in the second column of pairs, "
        "that are no impostors.": _loss(not_the=0),
        "Where a negative is the context you set its score to zero, and log σ(0) is not zero: it still counts log 2. "
        "Set the log to zero.": _loss(zero_score=True),
        "You took −log σ(u·n) for the negatives. The minus belongs inside the sigmoid: log σ(−u·n).": _loss(
            negative=lambda s: -F.logsigmoid(s)
        ),
        "The negatives lack their minus: you pull them closer, like the context. It is log σ(−u·n).": _loss(
            negative=F.logsigmoid
        ),
        "The sign is turned round: this grows as the model gets better. A loss is minus the log-probability.": _loss(
            sign=1
        ),
        "The log is missing: it is the log of the sigmoid, log σ(u·v), that is added up.": _loss(
            positive=torch.sigmoid, negative=lambda s: torch.sigmoid(-s)
        ),
        "Context and negatives come from the output table, and yours come from the input table.": _loss(one_table=True),
        "The tables are swapped: the centre comes from the input table, contexts and negatives from the output "
        "table.": _loss(swap=True),
        "It is right as long as the scores are small. For large ones the sigmoid rounds to 0 and its log is −∞: use "
        "F.logsigmoid(score), which takes both at once.": _loss(
            positive=lambda s: s.sigmoid().log(), negative=lambda s: (-s).sigmoid().log()
        ),
        "The true pair has a minus too many: it is log σ(u·v), and the minus inside belongs to the negatives.": _loss(
            positive=lambda s: F.logsigmoid(-s)
        ),
        "The true pair plays no part. It adds −log σ(u·v).": _loss(positive=torch.zeros_like),
        "The second term has the wrong sign. Both logarithms are subtracted: −log σ(u·v) − Σ log σ(−u·n).": _loss(
            negative=lambda s: -F.logsigmoid(-s)
        ),
        "You took 1 − log σ(u·n). It is the log of the probability 1 − σ(u·n), and that is log σ(−u·n).": _loss(
            negative=lambda s: 1 - F.logsigmoid(s)
        ),
        "Centre and context are swapped: the first column of pairs is the centre.": _loss(flip=True),
        "The negatives come from the output table, as contexts do, and yours come from the input table.": _loss(
            negatives_in="input"
        ),
        "You scored the negatives against the context, v·n. They are scored against the centre: u·n.": _loss(
            against="context"
        ),
        "You scored every centre with every context: u @ v.T is a table of pairs × pairs. A pair has one score: "
        "(u * v).sum(1).": _loss(all_pairs=True),
        "You took cosines. The score is the plain dot product, so that lengths are learned as well.": _loss(unit=True),
        "You averaged over the dimensions. The score is a dot product, and that is a sum.": _loss(average_score=True),
        "You divided by the number of terms, k + 1. A pair's loss is the sum of its terms.": _loss(
            by=lambda k: 1 / (k + 1)
        ),
    },
    hints=(
        "Three lookups first: u for the centres, v for the contexts, n for the negatives. What are their shapes?",
        "Score of a pair: (u * v).sum(1). Scores of its negatives: multiply n, (pairs, k, dim), by u[:, None, :] and "
        "sum over dim. F.logsigmoid of the first, and of minus the second; zero where negatives == context[:, None]; "
        "sum over k; mean over pairs; minus.",
        "centre, context = pairs[:, 0], pairs[:, 1]\n"
        "u, v, n = input_table[centre], output_table[context], output_table[negatives]\n"
        "positive = F.logsigmoid((u * v).sum(1))\n"
        "negative = F.logsigmoid(-(n * u[:, None, :]).sum(2))\n"
        "negative = negative.masked_fill(negatives == context[:, None], 0)\n"
        "return -(positive + negative.sum(1)).mean()",
    ),
    also_right=[_loss_loop, _loss_as_classification, _loss(positive=lambda s: -F.softplus(-s))],
)


# Neighbours


def _similar_cases(seed: int) -> list[Case]:
    normal = _normal(seed)
    four = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.2]])
    long = torch.tensor([[0.1, 0.0], [5.0, 5.0], [0.0, 9.0], [3.0, 1.0]])
    behind = torch.tensor([[1.0, 0.0], [-1.0, 0.5], [-1.0, -0.1], [-0.4, 1.2]])
    lengths = torch.tensor([0.1, 9.0, 0.5, 3.0, 1.0, 20.0, 0.2, 2.0])[:, None]
    return [
        Case("four words, the query is word 0, nothing left out", four, four[0], 3, _ids()),
        Case("four words, the query is word 0, which is left out", four, four[0], 2, _ids(0)),
        Case("short and long vectors", long, torch.tensor([2.0, 0.1]), 3, _ids()),
        Case("all that are left point away from the query", behind, behind[0], 2, _ids(0)),
        Case("one neighbour", normal(12, 4), normal(4), 1, _ids(3)),
        Case("several words left out", normal(30, 6), normal(6), 7, _ids(3, 4, 17, 29)),
        Case("vectors of many lengths, a long query", normal(8, 3) * lengths, 50 * normal(3), 5, _ids(2)),
        Case("all that are left, in order", normal(6, 3), normal(3), 4, _ids(5, 0)),
        Case("vectors stored the other way round", (normal(3, 9)).T, normal(3), 4, _ids(1)),
        Case("float64", normal(9, 4).double(), normal(4).double(), 3, _ids(0)),
    ]


def _length_does_not_matter(most_similar: Callable, case: Case) -> str | None:
    """Making vectors longer or shorter changes nothing."""
    vectors, query, k, exclude = case.args
    stretch = torch.arange(1, len(vectors) + 1, device=vectors.device).to(vectors.dtype)[:, None]
    same = torch.equal(
        torch.as_tensor(most_similar(vectors, query, k, exclude)),
        torch.as_tensor(most_similar(vectors * stretch, 3 * query, k, exclude)),
    )
    return None if same else "Making some vectors longer changed the neighbours. Cosine looks at directions only."


def _cosines(vectors: Tensor, query: Tensor) -> Tensor:
    return F.cosine_similarity(vectors, query[None, :], dim=1)


def _ranked(
    score: Callable[[Tensor, Tensor], Tensor] = _cosines, hidden: float = -math.inf, largest: bool = True
) -> Callable:
    """The best by some score, where what is left out scores `hidden`."""

    def most_similar(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
        scores = score(vectors, query).clone()
        scores[exclude] = hidden if largest else -hidden
        return scores.topk(k, largest=largest).indices

    return most_similar


def _nothing_left_out(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    return _cosines(vectors, query).topk(k).indices


def _left_out_afterwards(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    best = _cosines(vectors, query).topk(k).indices
    return best[~torch.isin(best, exclude)]


def _renumbered(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    left = torch.tensor([i for i in range(len(vectors)) if i not in exclude.tolist()], device=vectors.device)
    return _cosines(vectors[left], query).topk(k).indices


def _scores_not_ids(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    return _cosines(vectors, query).index_fill(0, exclude, -math.inf).topk(k).values


def _first_dropped(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    return _cosines(vectors, query).argsort(descending=True)[1 : k + 1]


def _some_dropped(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    return _cosines(vectors, query).argsort(descending=True)[len(exclude) : k + len(exclude)]


def _best_last(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    return word2vec.most_similar(vectors, query, k, exclude).flip(0)


def _by_id_at_last(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    return word2vec.most_similar(vectors, query, k, exclude).sort().values


def _one_left_out(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    return word2vec.most_similar(vectors, query, k, exclude[:1])


def _similar_loop(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    def cosine(i: int) -> float:
        return (vectors[i] @ query / (vectors[i].norm() * query.norm())).item()

    hidden = set(exclude.tolist())
    order = sorted((i for i in range(len(vectors)) if i not in hidden), key=cosine, reverse=True)
    return torch.tensor(order[:k])


def _similar_in_place(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    vectors /= vectors.norm(dim=1, keepdim=True)
    scores = torch.mv(vectors, query / query.norm())
    scores[exclude] = -2
    return torch.argsort(scores, descending=True)[:k]


def _by_distance_on_the_sphere(vectors: Tensor, query: Tensor, k: int, exclude: Tensor) -> Tensor:
    distance = torch.cdist(F.normalize(vectors, dim=1), F.normalize(query, dim=0)[None])[:, 0]
    return distance.index_fill(0, exclude, math.inf).topk(k, largest=False).indices


most_similar = Check(
    reference=word2vec.most_similar,
    cases=_similar_cases,
    compare=_some_ids,
    properties=[_length_does_not_matter],
    misconceptions={
        "This ranks by the dot product, which favours long vectors. Divide each vector by its length first: cosine is "
        "the dot product of unit vectors.": _ranked(lambda vectors, query: vectors @ query),
        "The words to leave out came back. Give them a score that can never win, before you pick the best.": (
            _nothing_left_out
        ),
        "Two things: the dot product favours long vectors, so divide each by its length first; and the words to leave "
        "out came back.": lambda vectors, query, k, exclude: (vectors @ query).topk(k).indices,
        "You left words out after picking the best k, so too few remain. Leave them out first.": _left_out_afterwards,
        "The worst come first: that is the order of a distance. The highest cosine is the nearest.": _ranked(
            largest=False
        ),
        "This ranks by distance, and a long vector is far away even if it points the same way. Compare directions: "
        "cosine.": _ranked(lambda vectors, query: -(vectors - query).norm(dim=1)),
        "A word to be left out can still win: it got a score such as 0, and all the others may lie below that. Give it "
        "−∞.": _ranked(hidden=0.0),
        "You made the columns unit vectors. Each word is a row: normalise along dim=1.": _ranked(
            lambda vectors, query: F.normalize(vectors, dim=0) @ query
        ),
        "You dropped the first of the list, whoever it was. Only the words in exclude are to be left out; the query "
        "need not be one of them.": _first_dropped,
        "You dropped as many of the best as there are words in exclude, whoever they were. Leave out those words "
        "themselves.": _some_dropped,
        "You returned the similarities. Return the ids of the words: topk gives values and indices.": _scores_not_ids,
        "The ids are those of the shortened list. After taking rows out, the rest have new numbers: score all rows, "
        "and give those to leave out −∞.": _renumbered,
        "You took the size of the cosine without its sign. A word that points the opposite way is not "
        "similar.": _ranked(lambda vectors, query: _cosines(vectors, query).abs()),
        "You divided by the square of each vector's length, which favours short vectors. Divide by the length "
        "itself.": _ranked(lambda vectors, query: vectors @ query / vectors.square().sum(1)),
        "The right words, but the best comes last. It should come first.": _best_last,
        "The right words, but sorted by id. Leave them in the order of their similarity, best first.": _by_id_at_last,
        "Only the first word of exclude was left out. It may hold several.": _one_left_out,
    },
    hints=(
        "You wrote a cosine similarity in lab 00. Here it is one query against all rows of a table at once.",
        "Make every row a unit vector (F.normalize(vectors, dim=1)), multiply by the query: one score a word. Set the "
        "scores of exclude to −∞. scores.topk(k).indices are the ids, best first.",
        'scores = F.normalize(vectors, dim=1) @ query\nscores[exclude] = float("-inf")\nreturn scores.topk(k).indices',
    ),
    also_right=[_similar_loop, _similar_in_place, _by_distance_on_the_sphere, _ranked()],
)


# Analogies


def _analogy_cases(seed: int) -> list[Case]:
    normal = _normal(seed)
    # man, king, woman, queen, royal, horse: the answer to man is to king as woman is to … is 3.
    court = torch.tensor([[1.0, 0.1], [1.0, 1.0], [-1.0, 0.1], [-0.9, 1.1], [0.2, 1.0], [0.1, -1.0]])
    near = torch.tensor([[1.0, 0.0, 0.2], [1.0, 0.3, 0.1], [0.9, -0.1, 0.6], [0.5, 0.9, 0.4], [-0.2, 0.1, 1.0]])
    lengths = torch.tensor([0.2, 6.0, 0.5, 3.0, 1.0, 9.0, 0.3, 2.0, 4.0, 0.1])[:, None]
    return [
        Case("six words in the plane", court, 0, 1, 2, 1),
        Case("the same, two answers", court, 0, 1, 2, 2),
        Case("b itself lies nearest to b − a + c", near, 0, 1, 2, 1),
        Case("vectors of many lengths", normal(10, 4) * lengths, 3, 5, 1, 3),
        Case("twenty words", normal(20, 6), 4, 9, 13, 4),
        Case("the other way round", normal(20, 6), 13, 4, 9, 4),
        Case("vectors stored the other way round", normal(5, 12).T, 0, 3, 7, 3),
        Case("float64", normal(12, 5).double(), 2, 8, 5, 2),
        Case("the third word is the first", normal(12, 5), 2, 8, 2, 2),
    ]


def _never_the_question(analogy: Callable, case: Case) -> str | None:
    """None of the question's own words is an answer."""
    vectors, a, b, c, _ = case.args
    k = len(vectors) - len({a, b, c})
    got = torch.as_tensor(analogy(vectors, a, b, c, k)).tolist()
    return "One of the question's own words is among the answers." if {a, b, c} & set(got) else None


def _arithmetic(
    mix: Callable[[Tensor, Tensor, Tensor], Tensor],
    unit: bool = True,
    hide: str = "abc",
    dot: bool = False,
    axis: int = 1,
    best_first: bool = True,
) -> Callable:
    """The nearest to some sum of the three vectors, with some of them left out."""

    def analogy(vectors: Tensor, a: int, b: int, c: int, k: int) -> Tensor:
        rows = F.normalize(vectors, dim=axis) if unit else vectors
        query = mix(rows[a], rows[b], rows[c])
        scores = vectors @ query if dot else _cosines(rows, query)
        for name, i in (("a", a), ("b", b), ("c", c)):
            if name in hide:
                scores[i] = -math.inf
        best = scores.topk(k).indices
        return best if best_first else best.flip(0)

    return analogy


def _usual(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return b - a + c


def _sum_of_cosines(vectors: Tensor, a: int, b: int, c: int, k: int) -> Tensor:
    best = [
        (sum(sign * float(F.cosine_similarity(v, vectors[i], dim=0)) for sign, i in ((-1, a), (1, b), (1, c))), n)
        for n, v in enumerate(vectors)
        if n not in (a, b, c)
    ]
    return torch.tensor([n for _, n in sorted(best, reverse=True)[:k]])


analogy = Check(
    reference=word2vec.analogy,
    cases=_analogy_cases,
    compare=_some_ids,
    properties=[_never_the_question],
    misconceptions={
        "The question's own words came back. Leave out all three: b − a + c usually lies nearest to c "
        "itself.": _arithmetic(_usual, hide=""),
        "Only c was left out. a and b have to be left out as well.": _arithmetic(_usual, hide="c"),
        "a and c were left out, but not b.": _arithmetic(_usual, hide="ac"),
        "b and c were left out, but not a.": _arithmetic(_usual, hide="bc"),
        "a and b were left out, but not c.": _arithmetic(_usual, hide="ab"),
        "You computed a − b + c. From a to b is the step b − a, and it starts at c: b − a + c.": _arithmetic(
            lambda a, b, c: a - b + c
        ),
        "You computed b − c + a. From a to b is the step b − a, and it starts at c: b − a + c.": _arithmetic(
            lambda a, b, c: b - c + a
        ),
        "You added a where it is subtracted: b − a + c.": _arithmetic(lambda a, b, c: a + b + c),
        "a plays no part in yours. It is b − a + c.": _arithmetic(lambda a, b, c: b + c),
        "c plays no part in yours. b − a is the step alone: take it from c.": _arithmetic(lambda a, b, c: b - a),
        "These are the neighbours of c: the step b − a is missing.": _arithmetic(lambda a, b, c: c),
        "These are the neighbours of b. Take the step b − a, and take it from c.": _arithmetic(lambda a, b, c: b),
        "You made the columns unit vectors. Each word is a row: normalise along dim=1.": _arithmetic(_usual, axis=0),
        "The right words, but the best comes last. It should come first.": _arithmetic(_usual, best_first=False),
        "You added the vectors at their own lengths, so the longest of the three decides. Make them unit vectors "
        "first.": _arithmetic(_usual, unit=False),
        "The answers are ranked by the dot product, which favours long vectors. Rank them by cosine: most_similar "
        "does.": _arithmetic(_usual, dot=True),
    },
    hints=(
        "The step from a to b, taken from c: where does it lead? And which words must not be the answer?",
        "unit = F.normalize(vectors, dim=1). The query is unit[b] − unit[a] + unit[c]. Your most_similar finds the "
        "nearest; tell it to leave out a tensor of the three ids.",
        "unit = F.normalize(vectors, dim=1)\n"
        "question = torch.tensor([a, b, c], device=vectors.device)\n"
        "return most_similar(unit, unit[b] - unit[a] + unit[c], k, question)",
    ),
    also_right=[
        _arithmetic(_usual),
        _arithmetic(lambda a, b, c: torch.stack([b, -a, c]).mean(0)),
        _sum_of_cosines,
    ],
)


# WEAT


def _weat_cases(seed: int) -> list[Case]:
    normal = _normal(seed)
    right, up = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    x = torch.tensor([[1.0, 0.2], [2.0, 0.5]])
    y = torch.tensor([[0.3, 1.0], [0.1, 4.0]])
    return [
        Case("two targets each, one attribute each", x, y, right, up),
        Case("the targets swapped", y, x, right, up),
        Case("vectors of many lengths", normal(4, 3) * torch.tensor([[0.1], [9.0], [1.0], [4.0]]), normal(4, 3),
             normal(5, 3) * torch.tensor([[7.0], [0.2], [1.0], [3.0], [0.5]]), normal(5, 3)),
        Case("eight words a set", normal(8, 10), normal(8, 10), normal(8, 10), normal(8, 10)),
        Case("sets of different sizes", normal(3, 6), normal(7, 6), normal(2, 6), normal(5, 6)),
        Case("vectors stored the other way round", normal(6, 4).T, normal(6, 4).T, normal(6, 3).T, normal(6, 3).T),
        Case("float64", *(normal(5, 4).double() for _ in range(4))),
        Case("one target each", normal(1, 3), normal(1, 3), normal(2, 3), normal(2, 3)),
    ]  # fmt: skip


def _swapping_turns_the_sign(weat: Callable, case: Case) -> str | None:
    """Swapping the two target sets turns the sign."""
    x, y, a, b = case.args
    there, back = (float(torch.as_tensor(weat(*args))) for args in ((x, y, a, b), (y, x, a, b)))
    return (
        None if math.isclose(there, -back, rel_tol=1e-3, abs_tol=1e-5) else "Swapping x and y does not turn the sign."
    )


def _effect(
    *,
    unit: str = "xyab",
    average: str = "mean",
    over: Callable[[Tensor, Tensor], Tensor] = lambda x, y: torch.cat([x, y]).std(),
    sign: int = 1,
    groups: str = "mean",
    against_b: bool = True,
    together: bool = False,
    finish: Callable[[Tensor], Tensor] = lambda d: d,
) -> Callable:
    """The effect size with some parts exchanged."""

    def weat(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
        x, y, a, b = (
            F.normalize(t, dim=1) if name in unit else t for name, t in zip("xyab", (x, y, a, b), strict=True)
        )
        lean_x, lean_y = (getattr(t @ a.T, average)(1) - against_b * getattr(t @ b.T, average)(1) for t in (x, y))
        of_x, of_y = (getattr(lean, groups)() for lean in (lean_x, lean_y))
        return finish(sign * (of_x + of_y if together else of_x - of_y) / over(lean_x, lean_y))

    return weat


def _population(x: Tensor, y: Tensor) -> Tensor:
    return torch.cat([x, y]).std(correction=0)


def _mean_vectors(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)
    a, b = F.normalize(a.mean(0), dim=0), F.normalize(b.mean(0), dim=0)
    lean_x, lean_y = x @ (a - b), y @ (a - b)
    return (lean_x.mean() - lean_y.mean()) / torch.cat([lean_x, lean_y]).std()


def _mean_directions(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return _mean_vectors(x, y, F.normalize(a, dim=1), F.normalize(b, dim=1))


def _weat_loop(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    def lean(word: Tensor) -> float:
        to_a = [F.cosine_similarity(word, other, dim=0).item() for other in a]
        to_b = [F.cosine_similarity(word, other, dim=0).item() for other in b]
        return sum(to_a) / len(to_a) - sum(to_b) / len(to_b)

    of_x, of_y = [lean(word) for word in x], [lean(word) for word in y]
    every = of_x + of_y
    middle = sum(every) / len(every)
    spread = math.sqrt(sum((value - middle) ** 2 for value in every) / (len(every) - 1))
    return torch.tensor((sum(of_x) / len(of_x) - sum(of_y) / len(of_y)) / spread)


def _weat_matrix(x: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    words, others = torch.cat([x, y]), torch.cat([a, b])
    cosines = (words @ others.T) / (words.norm(dim=1)[:, None] * others.norm(dim=1))
    lean = cosines[:, : len(a)].mean(1) - cosines[:, len(a) :].mean(1)
    return (lean[: len(x)].mean() - lean[len(x) :].mean()) / lean.std()


weat = Check(
    reference=word2vec.weat,
    cases=_weat_cases,
    properties=[_swapping_turns_the_sign],
    misconceptions={
        "These are dot products. Take cosines: make all vectors unit vectors first, so that long ones do not count "
        "more.": _effect(unit=""),
        "Only the targets were made unit vectors. A cosine divides by both lengths: the attribute words' as "
        "well.": _effect(unit="xy"),
        "Only the attribute words were made unit vectors. A cosine divides by both lengths: the targets' as "
        "well.": _effect(unit="ab"),
        "The division by the standard deviation is missing: the effect size says how many standard deviations lie "
        "between the two sets.": _effect(over=lambda x, y: torch.ones((), dtype=x.dtype, device=x.device)),
        "You divided by the variance. The effect size divides by the standard deviation, .std().": _effect(
            over=lambda x, y: torch.cat([x, y]).var()
        ),
        "The standard deviation is that of x alone. Take it over all targets, x and y together.": _effect(
            over=lambda x, y: x.std()
        ),
        "You averaged the standard deviations of x and of y. Put all targets together first, then take one standard "
        "deviation.": _effect(over=lambda x, y: (x.std() + y.std()) / 2),
        "You pooled the spread inside x and inside y (Cohen's d). WEAT takes the standard deviation of all targets "
        "together.": _effect(over=lambda x, y: ((x.var() + y.var()) / 2).sqrt()),
        "You divided by n inside the standard deviation. Use torch's .std(), which divides by n − 1.": _effect(
            over=_population
        ),
        "You summed the cosines over the attribute words. Take their mean, or a longer list weighs more.": _effect(
            average="sum"
        ),
        "You summed over the target words. The effect size compares the means of the two sets.": _effect(groups="sum"),
        "You took the absolute value. The sign says which way the words lean.": _effect(finish=torch.abs),
        "b plays no part in yours. A word's lean is its mean cosine with a less its mean cosine with b.": _effect(
            against_b=False
        ),
        "The sign is turned round: it is positive if x leans to a, and y to b.": _effect(sign=-1),
        "You took the cosine with the mean of the attribute words. Take the mean of the cosines with each of them.": (
            _mean_vectors
        ),
        "You averaged the attribute words' directions and took the cosine with that. Its length is below 1 and gets "
        "lost: take the mean of the cosines with each word.": _mean_directions,
        "You added the standard deviations of x and of y. Put all targets together first, then take one standard "
        "deviation.": _effect(over=lambda x, y: x.std() + y.std()),
        "You added the two means. The effect size is their difference.": _effect(together=True),
        "You summed over the targets and divided by nothing: that is the statistic whose p-value one takes. The effect "
        "size is the difference of the means in standard deviations.": _effect(
            groups="sum", over=lambda x, y: torch.ones((), dtype=x.dtype, device=x.device)
        ),
    },
    hints=(
        "One number a target word first: how much more it resembles the words of a than those of b.",
        "Make all four sets unit vectors. x @ a.T are all cosines; their mean over a, less the mean of x @ b.T over b, "
        "is one number for each word of x. The same for y. Then the difference of the two means, divided by .std() of "
        "all the numbers, those of x and of y together.",
        "x, y, a, b = (F.normalize(vectors, dim=1) for vectors in (x, y, a, b))\n"
        "lean_x = (x @ a.T).mean(1) - (x @ b.T).mean(1)\n"
        "lean_y = (y @ a.T).mean(1) - (y @ b.T).mean(1)\n"
        "return (lean_x.mean() - lean_y.mean()) / torch.cat([lean_x, lean_y]).std()",
    ),
    also_right=[_weat_loop, _weat_matrix],
)


CHECKS = {
    "one_hot": one_hot,
    "embed": embed,
    "window_pairs": window_pairs,
    "subsample": subsample,
    "skipgram_loss": skipgram_loss,
    "most_similar": most_similar,
    "analogy": analogy,
    "weat": weat,
}
