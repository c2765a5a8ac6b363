"""Lab 02, attention: weights, masks, a query matrix by hand, several heads, positions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from squint.checks import compare, laws
from squint.checks.engine import Case, Check, edits, exercises
from squint.data import hand_made
from squint.nn import attention


def drawn(make: Callable[..., list[Case]]) -> Callable[[int], list[Case]]:
    """Cases made with what draws normal numbers of some shape."""
    return lambda seed: make(partial(torch.randn, generator=torch.Generator().manual_seed(seed)))


query_and_key = drawn(lambda draw: [
    Case("two queries, three keys", draw(2, 4), draw(3, 4)),
    Case("one query, two keys", torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])),
    Case("three words that look at each other", draw(3, 4), draw(3, 4)), Case("a single key", draw(2, 4), draw(1, 4)),
    Case("four sentences of four words, four wide", draw(4, 3, 4), draw(4, 4, 4)),
    Case("a batch of one", draw(1, 4, 8), draw(1, 5, 8)), Case("a batch of heads", draw(2, 3, 4, 8), draw(2, 3, 6, 8)),
    Case("float64, not contiguous", draw(2, 8, 4).double().mT, draw(2, 8, 5).double().mT),
    Case("scores of some hundred, as wide vectors have", *(8 * draw(2, 6, 9)).round()),  # exact in any order of adding
])  # fmt: skip
COUNTED = (
    "transpose(1, 2) counts the axes from the front, and is right with one batch axis only. Swap the last two, "
    "whatever stands before them: key.transpose(-2, -1), or key.mT."
)
OVERFLOWS = (
    "Right as a formula, but e^89 is more than 32 bits hold, and ∞ by ∞ is no number. `scores.softmax(dim=-1)` gives "
    "the same and survives."
)
OVER_QUERIES = "Softmax ran over the queries. Each shares its attention out among the keys: the last axis."
attention_weights = Check(
    cases=query_and_key, hints=(
        "First a number for each pair of a query and a key; then each query's numbers are turned into shares.",
        "All dot products at once are queries × keys, the keys transposed (`key.mT`). Then softmax, along the keys."),
    misconceptions=edits({
        "query @ key.mT": {
            "query @ key.transpose(1, 2)": COUNTED,
            "key @ query.mT": "A row should be a query and a column a key: query @ key.mT.",
            "-torch.cdist(query, key)": "You compared by distance. Here the dot product is the score.",
            "F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).mT": "You compared by cosine. Here length counts."},
        "return scores": {
            "return (scores / sqrt(query.shape[-1]))": "You divided by √d already. The next section measures why; "
            "here, leave it out.",
            "return (scores / query.shape[-1])": "You divided by d. Here nothing divides the scores."},
        ".softmax(dim=-1)": {
            ".softmax(dim=-2)": OVER_QUERIES,
            ".softmax(dim=1)": "softmax(dim=1) means the keys only without a batch. Count from the end: dim=-1.",
            ".exp() / scores.exp().sum()": "All shares together sum to one. Every query has a whole of its own.",
            " / scores.sum(dim=-1, keepdim=True)": "Raw scores can be negative. Exponentials first: that is softmax.",
            ".exp() / scores.exp().sum(dim=-1, keepdim=True)": OVERFLOWS,
            ".exp()": "The exponentials are there, but not divided by their sum over the keys.",
            ".sigmoid()": "A sigmoid judges each key by itself. Attention is shared out: use softmax over the keys.",
            "": "These are the scores. Turn each row of them into shares with softmax.",
            ".eq(scores.amax(-1, keepdim=True)).to(scores)": "The best key gets everything: use softmax, not argmax."},
    }))  # fmt: skip


def query_key_value_mask(seed: int) -> list[Case]:
    """Many shapes; every query may see at least one key, and no scores are so low that exponentials would vanish."""
    random = torch.Generator().manual_seed(seed)
    draw = partial(torch.randn, generator=random)

    def mask(*shape: int) -> Tensor:
        visible = torch.rand(*shape, generator=random) < 0.6
        visible[..., 1], visible[..., 2] = True, False
        return visible

    low, negative, turned = 20 + draw(3, 4).double(), draw(5, 4).double() / 50 - 15, mask(2, 5, 4).mT
    return [
        *(Case(case.label, *case.args, draw(*case.args[1].shape[:-1], 5)) for case in query_and_key(seed)[:5]),
        Case("one query that may see the middle key", draw(1, 4), draw(3, 4), draw(3, 4), torch.eye(3)[1:2] > 0),
        Case("four words and a mask", draw(4, 8), draw(4, 8), draw(4, 8), mask(4, 4)),
        Case("one mask for a whole batch", draw(2, 4, 8), draw(2, 5, 8), draw(2, 5, 6), mask(4, 5)),
        Case("one mask for all queries of a sentence", draw(2, 4, 8), draw(2, 5, 8), draw(2, 5, 6), mask(2, 1, 5)),
        Case("a batch of heads", draw(2, 3, 4, 8), draw(2, 3, 6, 8), draw(2, 3, 6, 8), mask(2, 1, 4, 6)),
        Case("not contiguous", draw(2, 8, 4).mT, draw(2, 8, 5).mT, draw(2, 6, 5).mT, turned | (torch.eye(4, 5) > 0)),
        Case("scores around −600, a mask, and float64", low, negative, draw(5, 6).double(), mask(3, 5)),
        Case("scores of some hundred", *(15 * draw(2, 6, 16)).round(), draw(6, 5)),
    ]


HIDE = 'scores = scores.masked_fill(~mask, float("-inf"))\n    return scores.softmax(dim=-1)'
LATE = "return (scores.softmax(dim=-1) {}) @ value\n    return scores.softmax(dim=-1)"
WIDTH = "The d in √d is the vectors' width, query.shape[-1]. You took {}."
scaled_dot_product = Check(
    cases=query_key_value_mask, gradients=True, hints=(
        "New are a division, what happens to hidden scores before the softmax, and the weighted sum at the end.",
        "Divide the scores by the root of the width. Where the mask is False they become −∞: masked_fill takes the "
        "places to fill, ~mask turns a mask round. Then softmax, and the matrix product of weights and values."),
    misconceptions=edits({
        "query @ key.mT": {
            "query @ key.transpose(1, 2)": COUNTED,
            "(query @ key.mT).softmax(dim=-1)": "Two softmaxes: attention_weights has one already. Begin with "
            "query @ key.mT."},
        "scores = query": {"query, key, value = query.float(), key.float(), value.float()\n    scores = query":
            "You made all of it 32 bits. What comes in 64 bits is computed in 64, and comes back so."},
        " / sqrt(query.shape[-1])": {
            "": "You left out the scale 1/√d: the weights grow sharper as d grows. Divide the scores by √d.",
            " * sqrt(query.shape[-1])": "You multiplied by √d. The scale is there to make scores smaller: divide.",
            " / query.shape[-1]": "You divided by d. Standard deviations grow as √d, so √d is the scale.",
            " / query.shape[-1] / 2": "You divided by d, and by 2: in `d ** 1/2` and in `d ** -1/2` the power comes "
            "first. Write d ** 0.5 and d ** -0.5.",
            " * query.shape[-1] / 2": "You multiplied by d and divided by 2: in `/ d ** -1/2` the power comes first, "
            "and to divide by 1/d is to multiply. Write / d ** 0.5.",
            " / (query.shape[-1] / 2)": "`d ** 1/2` is half of d: ** comes before /. Write d ** 0.5, or sqrt(d).",
            " / sqrt(key.shape[-2])": WIDTH.format("the number of keys"),
            " / sqrt(query.shape[0])": WIDTH.format("the size of the first axis, as len(query) does")},
        "~mask": {"mask": "The mask is upside down. True means “may be seen”: fill the scores where it is False."},
        'float("-inf")': {
            "0": "Hidden scores are 0, as if multiplied by the mask. But e⁰ = 1 is still a share: set them to −∞.",
            "-1": "Hidden scores are −1, and e⁻¹ is a good share: set them to −∞.",
            "-10": "Hidden scores are −10, and e⁻¹⁰ still leaks a little of the hidden keys: set them to −∞.",
            "-100": "Hidden scores are not low enough: where all are low, −100 is the highest. Set them to −∞."},
        'scores.masked_fill(~mask, float("-inf"))': {
            "scores": "The mask is not used. Where it is False, set the scores to −∞ before the softmax.",
            "scores + mask": "You added the mask to the scores. Adding 1 and 0 hides nothing: set hidden scores to −∞.",
            "scores + ~mask * -torch.inf": "0 × ∞ is NaN: a mask times −∞ spoils the visible scores. Use masked_fill."},
        ".softmax(dim=-1)": {
            ".softmax(dim=-2)": OVER_QUERIES,
            ".softmax(dim=-1) / sqrt(query.shape[-1])": "You divided the weights by √d. It belongs under the scores.",
            ".exp() / scores.exp().sum(dim=-1, keepdim=True)": OVERFLOWS,
            "": "The softmax is missing: scores are no shares yet. Softmax over the keys, then the weighted sum."},
        " @ value": {"": "You returned the weights. One step is missing: the weighted sum of the values."},
        HIDE: {
            LATE.format("* mask"): "The mask came after the softmax, so weights no longer sum to one. Hide scores "
            "before it.",
            LATE.format("+ mask.log()"): "−∞ came after the softmax. Hide scores before it: it makes zeros of −∞."},
    }))  # fmt: skip

ADDED = "This is a mask to add to the scores. Ours is True where a key may be seen, else False."
padding_mask = Check(
    cases=lambda seed: [Case(label, torch.tensor(lengths), tokens) for label, lengths, tokens in (
        ("two sentences, filled up to five", [4, 1], 5), ("one sentence of two words, filled up to three", [2], 3),
        ("filled further than the longest", [3, 5, 2], 7), ("three sentences of three words", [3, 1, 2], 3),
        ("nothing to fill", [2, 2], 2))], hints=(
        "Number the places from 0. Which numbers belong to the words of a sentence of length 3?",
        "torch.arange numbers the places, lengths[:, None] has a row a sentence. Make room for the queries: axis 1."),
    misconceptions=edits({
        "place < lengths[:, None]": {
            "place >= lengths[:, None]": "The mask is upside down: words should be True, and the filling False.",
            "place <= lengths[:, None]": "One place too many is visible: three words have the places 0, 1 and 2.",
            "place == lengths[:, None]": "Only one place a sentence is True. All places before the length are words.",
            "place >= tokens - lengths[:, None]": "The filling stands behind the words: the first places are True.",
            "(place < lengths[0]).repeat(len(lengths), 1)": "All sentences got the first one's mask. Use all lengths."},
        "[:, None, :]": {
            "": "The axis for the queries is missing: [batch, tokens] should be [batch, 1, tokens].",
            "[:, None, :] & (place < lengths[:, None])[..., None]": "You hid the filling's own rows as well. What may "
            "be seen hangs on the key alone: [batch, 1, tokens].",
            "[:, :, None]": "You hid queries. The last axis is the keys: [batch, 1, tokens], not [batch, tokens, 1].",
            "[None]": "The axis of size one stands before the batch. It belongs behind it: [batch, 1, tokens].",
            "[:, None, :].repeat(1, tokens, 1)": "Right, but written out for every query. Leave that axis at size one.",
            "[:, None, :].float().log()": ADDED},
        "torch.arange(tokens": {"torch.arange(int(lengths.max())": "The filling goes further: `tokens` is how far."},
    }))  # fmt: skip

causal_mask = Check(
    cases=lambda seed: [Case(f"{tokens} word{'s' * (tokens > 1)}", tokens) for tokens in (3, 1, 2, 9)], hints=(
        "Draw it for three words: a row for each query, a column for each key. Which of the nine may be seen?",
        "The lower triangle, with the diagonal. Compare two `torch.arange`s, one of them as a column, or use `tril`."),
    misconceptions=edits({
        " <= ": {
            " < ": "Off by one: a word may see itself. Keep the diagonal.",
            " >= ": "The wrong triangle: these words see what comes after them. Rows are queries, columns are keys.",
            " > ": "The mask is upside down: True means “may be seen”, here the word itself and what came before.",
            " == ": "Each word sees itself alone. It may see all words before it as well."},
        "place[:, None]": {
            "place[:, None] + 1": "Off by one: each word sees the next one, which it should learn to predict.",
            "place.flip(0)[:, None]": "The triangle stands in another corner: the first row should see one key."},
        "place[None, :]": {"place.flip(0)[None, :]": "The triangle leans the wrong way: begin with the first key."},
        "place[None, :] <= place[:, None]": {
            "place[None, :] + place[:, None] >= 0": "Everything may be seen. Hide the keys that come after the query.",
            "(place[:, None] - place[None, :]) // 2 == 0": "Each word sees itself and one before. Let it see them all.",
            "(place[None, :] <= place[:, None]).float().log()": ADDED},
    }))  # fmt: skip

LEAST, DRIFT = 0.8, 0.05  # what “it” must give its animal at least, and how far other words' weights may move
STANDS_IN, THING, ALIVE, PLACE = (hand_made.FEATURES.index(name) for name in ("stands in", "thing", "alive", "place"))
MISSED: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("You filled the column of “stands in”. A query is word @ w_query, so what “it” asks for stands in its row.",
     "w_query[[THING, ALIVE], STANDS_IN] = 10", lambda s: not s.row[s.rest].any() and s.others[:, STANDS_IN].any()),
    ("The row of “stands in” is all zeros, so “it” asks for nothing and shares its attention out evenly.",
     "w_query[STANDS_IN] = 0", lambda s: not s.row.any()),
    ("“it” still asks for what it asked for before. That is the row of “stands in”: write something there.",
     "", lambda s: s.row.equal(s.identity[STANDS_IN])),
    ("The row of “stands in” does its job, but the other rows are empty. Start with torch.eye(7), not with zeros.",
     "w_query[STANDS_IN, [THING, ALIVE]] = 10\nw_query[:STANDS_IN] = w_query[STANDS_IN + 1 :] = 0",
     lambda s: s.moved and not s.others.any()),
    ("Every word's query has grown louder. Leave the other rows as they are in the identity: ones on the diagonal.",
     "w_query = 10 * w_query", lambda s: s.moved and s.others.equal(s.w[0, 0] * s.identity[s.rest]) and s.w[0, 0] > 1),
    ("Every word looks for the animal now. Leave the other rows as they are in the identity.",
     "w_query[:, [THING, ALIVE]] = 10", lambda s: s.moved and s.looking > 0.6),
    ("“it” looks away from its animal: the numbers that meet it point the wrong way. Make them positive.",
     "w_query[STANDS_IN, [THING, ALIVE]] = -10", lambda s: not s.moved and s.row @ s.animal < 0),
    ("“it” asks for a place, and finds the street. Ask for what the animal is: a thing, and alive.",
     "w_query[STANDS_IN, [THING, PLACE]] = 10", lambda s: PLACE in s.asked and s.rival[PLACE] > 0),
    ("“it” asks for a thing, and a street is a thing too. Ask for what the animal has and the street has not.",
     "w_query[STANDS_IN, THING] = 10", lambda s: s.asked == {THING} and s.rival[THING] > 0),
    ("“it” asks for what is alive, and “tired” is a little alive as well. Ask louder, or for a thing too.",
     "w_query[STANDS_IN, ALIVE] = 10", lambda s: s.asked == {ALIVE} and s.rival[ALIVE] > 0),
    ("“it” looks the right way, but faintly. Differences between scores make the weights: use larger numbers.",
     "w_query[STANDS_IN, [THING, ALIVE]] = 1", lambda s: s.asked == {THING, ALIVE} and s.first),
]  # fmt: skip
"""What is said, what somebody may have written, and how it is known; the first that fits counts."""


def weights_by_hand(w_query: Any, words: Tensor, it: int, meant: int) -> tuple[Tensor, Tensor] | str:
    """The matrix, and everybody's weights when the keys are the words themselves; or that it is no such matrix."""
    with suppress(TypeError, ValueError, RuntimeError):
        matrix = torch.as_tensor(w_query, dtype=words.dtype, device=words.device).detach()
        if matrix.shape == (7, 7) and matrix.isfinite().all():
            return matrix, attention.attention_weights(words @ matrix, words)
    return f"w_query should be 7 × 7 finite numbers, and yours is {compare.brief(w_query)}. Start with torch.eye(7)."


def does_the_job(got: Any, want: Any, case: Case) -> str | None:
    """None if “it” finds its animal and the other words look where they did, else what is in the way."""
    if isinstance(got, str):
        return got
    (w, weights), (words, it, meant) = got, case.args
    rest, others = torch.arange(7) != STANDS_IN, torch.arange(len(words), device=w.device) != it
    drift = (weights - attention.attention_weights(words, words)).abs().amax(dim=-1) * others
    share, moved = weights[it].index_fill(0, torch.tensor(meant, device=w.device), 0), bool(drift.max() > DRIFT)
    if weights[it, meant] >= LEAST and not moved:
        return None
    word = case.label.split()[int((drift if moved else share).argmax())]
    seen = SimpleNamespace(
        w=w, row=w[STANDS_IN], rest=rest, others=w[rest], identity=torch.eye(7).to(w), moved=moved, animal=words[meant],
        asked={f for f in range(7) if not moved and w[STANDS_IN, f] > 0} - {STANDS_IN}, rival=words[share.argmax()],
        looking=(weights[others].argmax(-1) == meant).float().mean(), first=weights[it].argmax() == meant)  # fmt: skip
    more = f"“{word}” looks elsewhere, too: a weight moved by {drift.max():.2f}. Change the row of “stands in” only."
    less = f"“it” gives {weights[it, meant]:.0%} to its animal, “{word}” {share.max():.0%}; {LEAST:.0%} is asked for."
    return next((says for says, _, fits in MISSED if fits(seen)), f"On “{case.label}” {more if moved else less}")


w_query = Check(
    cases=lambda seed: [Case(text, hand_made.vectors(text.split()), text.split().index("it"), 1) for text in (
        "the animal did not cross the street because it was too tired",
        "the dog left the street because it was hungry")],
    probe=weights_by_hand, compare=does_the_job, hints=(
        "Only one feature of “it” is not zero, “stands in”. So only one row of w_query decides what “it” asks for.",
        "Start from the identity, and write large numbers into that row: for what only the animal is, and no rival."),
    misconceptions=edits({
        "w_query[STANDS_IN, THING] = 10\nw_query[STANDS_IN, ALIVE] = 10": {wrong: says for says, wrong, _ in MISSED},
    }))  # fmt: skip

vectors_and_heads = drawn(lambda draw: [
    Case("four sentences of three words, two heads", torch.arange(120.0).reshape(4, 3, 10), 2),
    Case("one word, two heads", torch.arange(4.0).reshape(1, 1, 4), 2), Case("a batch of two", draw(2, 5, 12), 4),
    Case("as many words as heads", draw(2, 4, 8), 4), Case("one head", draw(2, 3, 6), 1),
    Case("float64, not contiguous", draw(2, 8, 5).double().mT, 2),
])  # fmt: skip

split_heads = Check(
    cases=vectors_and_heads, gradients=True, hints=(
        "Two things happen: the last axis is cut in two, and the axis of the heads moves in front of the words.",
        "In einops a bracket on the left cuts an axis, `(heads part)`; on the right, the axes stand as you want them."),
    misconceptions=edits({
        "(heads part)": {"(part heads)": "Each head took every n-th entry. Heads come first in the bracket."},
        "batch tokens (heads part)": {
            "batch (heads tokens) part": "You cut the words' axis. Cut the vectors', the last: (heads part)."},
        "-> batch heads": {"-> (batch heads)": "Batch and heads are melted into one axis. Keep both, each its own."},
        "heads tokens part": {
            "tokens heads part": "The heads stand behind the words. Move them in front: [batch, heads, tokens, part].",
            "heads part tokens": "The last two axes are swapped: [batch, heads, tokens, part] is asked for."},
        "heads=heads": {"part=heads": "`heads` is how many parts there are, not how long they are: dim / heads."},
        ", heads=heads)": {", heads=heads).flip(1)": "The heads stand in reverse order: first part first."},
        "rearrange(x,": {
            "rearrange(x.reshape(len(x), heads, x.shape[1], -1).transpose(1, 2).flatten(2),":
                "Reshape and view keep the order in memory, so a head gets whole words: cut the last axis, then swap.",
            "rearrange(x.unfold(-1, x.shape[-1] // heads, 1)[:, :, :heads].flatten(2),":
                "The parts overlap. Each begins where the last one ends, at head * part."},
    }))  # fmt: skip

join_heads = Check(
    cases=lambda seed: [
        Case(case.label, *(x.contiguous() if i % 2 else x for x in [attention.split_heads(*case.args)]))
        for i, case in enumerate(vectors_and_heads(seed))],
    gradients=True, hints=(
        "It is split_heads read backwards.",
        "Swap heads and tokens, then melt the last two axes into one: in einops, a bracket on the right, heads first."),
    misconceptions=edits({
        "(heads part)": {
            "(part heads)": "The heads are shuffled entry by entry. In the bracket, heads come first, (heads part).",
            "heads part": "Heads and words have changed places; now melt the last two axes into one."},
        "tokens (heads part)": {"(heads tokens) part": "The heads were laid along the words, not along the last axis."},
        "rearrange(x,": {
            "rearrange(x.flip(1),": "The heads stand in reverse order: the first head's entries come first.",
            "rearrange(x.sum(1, keepdim=True),": "You added the heads up. Lay them side by side instead.",
            "rearrange(x.mean(1, keepdim=True),": "You averaged the heads. Lay them side by side instead.",
            "rearrange(x.reshape(len(x), x.shape[2], x.shape[1], -1).transpose(1, 2),":
                "Reshape alone keeps the order in memory, so words get mixed. Swap heads and words first."},
    }))  # fmt: skip

FILLED = attention.padding_mask(torch.tensor([3, 4]), 4)
ATTEND = "scaled_dot_product(query, key, value, mask)"
BY_RESHAPE = "scaled_dot_product(*(join_heads(y).reshape(y.shape) for y in (query, key, value)), mask)"
WITHIN = "scaled_dot_product(*(y.transpose(1, 2) for y in (query, key, value)), mask).flatten(2)"
NEVER_SPLIT = "The heads are never split, so all share one softmax: split_heads before you attend, join_heads after."
multi_head_attention = Check(
    cases=drawn(lambda draw: [
        Case("two words look at two others", draw(1, 2, 6), draw(1, 2, 6), init=(6, 2)),
        Case("two words look at five others", draw(1, 2, 6), draw(1, 5, 6), init=(6, 2)),
        Case("four sentences of five words, two heads", draw(4, 5, 6), init=(6, 2)),
        Case("four words, only backwards", draw(1, 4, 6), None, attention.causal_mask(4), init=(6, 2)),
        Case("a batch looks at other sentences, filled up", draw(2, 3, 8), draw(2, 4, 8), FILLED, init=(8, 4)),
        Case("a batch, filled up", draw(2, 4, 8), None, FILLED, init=(8, 4)),
        Case("three words, four heads", draw(2, 3, 8), init=(8, 4)), Case("one head", draw(2, 3, 6), init=(6, 1)),
        Case("float64, not contiguous", draw(2, 4, 5).double().mT, init=(4, 2))]),
    laws=[laws.agrees_in_training, laws.starts_alive], hints=(
        "You have all the parts: four linear layers, split_heads, scaled_dot_product, join_heads. Put them in order.",
        "Queries come from x, keys and values from the context. Project each and split it into heads; attend, with "
        "the mask; join the heads, and apply the last linear layer."),
    misconceptions=edits({
        "context = x if context is None else context": {
            "context = x": "The context is not used. Keys and values come from the context, queries from x.",
            "x, context = x if context is None else context, x": "x and the context have changed places: x asks."},
        "self.to_query(x)": {"self.to_query(context)": "The queries come from the context. Those who ask are x."},
        "self.to_key(context)": {"self.to_key(x)": "The keys come from x. What is looked at is the context."},
        "self.to_value(context)": {
            "self.to_value(x)": "The values come from x. What is looked up is the context, as with the keys.",
            "self.to_key(context)": "One layer makes keys and values. Each of the two needs a layer of its own."},
        "query, key, value, mask": {
            "key, query, value, mask": "Query and key have changed places: scaled_dot_product takes the query first.",
            "query, key, value": "The mask is not used. Hand it on: scaled_dot_product(query, key, value, mask).",
            "query * sqrt(query.shape[-1]), key, value, mask": "There is no scale: scaled_dot_product has one.",
            "query / sqrt(query.shape[-1]), key, value, mask": "You scale, and scaled_dot_product does, too.",
            "query / sqrt(self.heads), key, value, mask": "The d in √d is a head's width, dim / heads."},
        "mask[..., None, :, :]": {"~mask[..., None, :, :]": "The mask is upside down: True means “may be seen”."},
        "self.heads = heads": {"self.heads = 1": NEVER_SPLIT},
        ATTEND: {BY_RESHAPE: "The heads were cut from the words' axis. Use split_heads, which cuts the last one."},
        f"join_heads({ATTEND})": {
            f"{BY_RESHAPE}.reshape(x.shape)": "A head got whole words: use split_heads and join_heads.",
            f"{ATTEND}.reshape(x.shape)": "A reshape alone mixes up the words. join_heads moves the heads back first.",
            WITHIN: "The heads attend to each other within one word. Their axis belongs before the words."},
        "return self.to_output(": {
            "return (": "The output layer is made and not used: what the heads found goes through it last.",
            "return x + self.to_output(": "You added x to the result. That comes in lab 03; here, leave it out."},
        "self.to_output = nn.Linear(dim, dim)": {"self.to_output = nn.Identity()": "The last linear layer is missing."},
    }))  # fmt: skip

sinusoidal = Check(
    cases=lambda seed: [Case(f"places: {n}, entries: {dim}", n, dim) for n, dim in ((3, 8), (1, 2), (4, 2), (32, 16))],
    atol=1e-4, hints=(
        "Make the angles first, one for each place and each pair of columns. Sines and cosines come last.",
        "Places are a column, [tokens, 1]; the even columns are torch.arange(0, dim, 2). An angle is place / 10000 "
        "to the power (even column / dim). In an empty table, columns 0::2 are the angles' sines, 1::2 their cosines."),
    misconceptions=edits({
        "torch.arange(tokens)": {"torch.arange(1, tokens + 1)": "The first place is 0, not 1."},
        "place / ": {"place * ": "The waves get shorter from pair to pair. They should get longer: divide."},
        "(torch.arange(0, dim, 2) / dim)": {
            "(2 * torch.arange(0, dim, 2) / dim)": "The exponent is doubled: 0, 2, 4, … are 2i already.",
            "(torch.arange(dim // 2) / dim)": "The exponent is halved. Use the even columns 0, 2, 4, … over dim."},
        "angle.cos()": {
            "angle.sin()": "Sines only: the odd columns are the cosines of the same angles.",
            "(place / 10_000 ** (torch.arange(1, dim, 2) / dim)).cos()": "Sine and cosine of a pair turn at different "
            "speeds. Both take the even column's exponent."},
        "table[:, 0::2] = angle.sin()\n    table[:, 1::2]": {
            "table[:, 1::2] = angle.sin()\n    table[:, 0::2]": "Sine and cosine are swapped: even columns are sines.",
            "table[:, : dim // 2] = angle.sin()\n    table[:, dim // 2 :]": "All sines stand before all cosines. They "
            "take turns: sine in column 0, its cosine in column 1."},
        "table[:, 0::2] = angle.sin()\n    table[:, 1::2] = angle.cos()": {
            "table.zero_()[:, 1 : dim // 2 + 1] = angle.cos()\n    table[:, : dim // 2] = angle.sin()": "The pairs "
            "overwrite each other. Pair i has two columns of its own, 2i and 2i + 1."},
        "return table": {"return angle.repeat_interleave(2, 1)": "These are the angles. Take their sines and cosines."},
    }))  # fmt: skip

CHECKS = exercises("02", {
    "attention_weights": attention_weights, "scaled_dot_product": scaled_dot_product, "padding_mask": padding_mask,
    "causal_mask": causal_mask, "w_query": w_query, "split_heads": split_heads, "join_heads": join_heads,
    "MultiHeadAttention": multi_head_attention, "sinusoidal": sinusoidal,
})  # fmt: skip
