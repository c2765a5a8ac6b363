"""Lab 04, GPT: byte pairs, the loss of the next token, perplexity, attention with a memory, drawing, mixing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, edits, exercises

# Byte pairs

NO_DICTIONARY = "hand back a dictionary (a Counter is one) from pairs to numbers"
LOW = {tuple("low"): 5, tuple("lower"): 2, tuple("newest"): 6, tuple("widest"): 3}
"""The words of Sennrich et al. 2016, algorithm 1."""
NO_TUPLE = "Hand back a tuple, tuple(…), not a list: words are keys of a dictionary below, which lists cannot be."


def counted(found: Any) -> list[tuple[str, str, int]]:
    """The pairs in alphabetical order, without those that were counted as none."""
    if not isinstance(found, Mapping):
        raise TypeError(NO_DICTIONARY)
    return sorted((str(a), str(b), int(number)) for (a, b), number in dict(found).items() if number)


count_pairs = Check(
    cases=lambda seed: [
        Case("one word of three letters that occurs twice", {("a", "b", "c"): 2}),
        Case("a pair that stands twice in one word", {tuple("baba"): 3, tuple("ba"): 1}),
        Case("three equal letters", {("a", "a", "a"): 4}), Case("four words", LOW),
        Case("pieces of several letters", {("th", "e", "re"): 3, ("th", "e"): 7, ("a",): 9}),
        Case("a word of one letter", {("a",): 9}), Case("no words", {})],
    normal=counted,
    hints=(
        "Go through the words; in each, through its neighbours. What does a word that occurs ten times count?",
        "for word, times in words.items(): for pair in zip(word, word[1:]): add `times` to what stands at `pair` in a "
        "Counter."),
    misconceptions=edits({
        "pairs[pair] += times": {
            "pairs[pair] += 1": "A word that occurs ten times counts ten times: add `times`, not 1.",
            "pairs[pair] = times": "A later word overwrites an earlier one's number: add to what is there, +=.",
            "pairs[pair] += times / len(word)": "You divided by the word's length. Each pair counts `times`.",
            "pairs[pair[0] + pair[1]] += times": "The keys are pairs, tuples of two pieces, and not yet one string."},
        "zip(word, word[1:])": {
            "zip(word[::2], word[1::2])": "Every second neighbour was skipped: of a b c, both a b and b c are pairs.",
            "set(zip(word, word[1:]))": "A pair that stands twice in one word counts twice.",
            "zip(word[1:], word)": "The pairs are turned round: what stands first comes first.",
            "zip(word, word[2:])": "These two have one between them. Neighbours are word and word[1:].",
            "((a, b) for i, a in enumerate(word) for b in word[i + 1 :])": "Any two pieces of a word were counted. "
            "Only neighbours count.",
            "[*zip(word, word[1:]), (word[-1], word[0])]": "Its end and its beginning are no neighbours."},
        "return pairs": {
            "flat = [piece for word, times in words.items() for piece in word * times]\n    return Counter(zip(flat, "
            "flat[1:]))": "Pairs were counted across words, from the end of one to the beginning of the next."},
    }))  # fmt: skip


def tuples(got: Any, want: Any, case: Case) -> str | None:
    """Pieces compared as they are; a list is told apart."""
    if isinstance(got, list):
        return NO_TUPLE
    shown = got if isinstance(got, tuple | str) else type(got).__name__
    return None if got == want else f"expected {want}, got {shown}"


def with_strings(word: Any, pair: Any) -> tuple[str, ...]:
    """A mistake: what ends in the first piece and what begins with the second are taken for the pair."""
    return tuple(" ".join(word).replace(" ".join(pair), "".join(pair)).split(" "))


def only_the_first(word: Any, pair: Any) -> tuple[str, ...]:
    """A mistake: only the first place."""
    for at in range(len(word) - 1):
        if tuple(word[at : at + 2]) == tuple(pair):
            return (*word[:at], word[at] + word[at + 1], *word[at + 2 :])
    return tuple(word)


def from_the_right(word: Any, pair: Any) -> tuple[str, ...]:
    """A mistake: from right to left."""
    merged: list[str] = []
    at = len(word) - 1
    while at >= 0:
        both = at > 0 and tuple(word[at - 1 : at + 1]) == tuple(pair)
        merged.insert(0, word[at - 1] + word[at] if both else word[at])
        at -= 1 + both
    return tuple(merged)


MERGED = "merged.append(word[at] + word[at + 1])\n            at += 2"
merge = Check(
    cases=lambda seed: [
        Case("a pair at the beginning", ("t", "h", "e"), ("t", "h")),
        Case("a pair at the end, and again before it", tuple("baba"), ("b", "a")),
        Case("three equal letters", ("a", "a", "a"), ("a", "a")), Case("five", tuple("aaaaa"), ("a", "a")),
        Case("pieces of several letters", ("th", "e", "re", "th", "e"), ("th", "e")),
        Case("a piece that ends like the pair's first", ("xa", "b", "a", "b"), ("a", "b")),
        Case("a piece that begins like the pair's second", ("a", "bx", "a", "b"), ("a", "b")),
        Case("pieces that spell what the pair spells", ("a", "bc", "ab", "c"), ("ab", "c")),
        Case("the pair turned round", ("h", "t", "h"), ("t", "h")), Case("no such pair", tuple("low"), ("w", "l")),
        Case("one letter", ("a",), ("a", "a"))],
    compare=tuples,
    hints=(
        "Walk along the word with a place. What is there is the pair, or it is not: how far do you go on in either "
        "case?",
        "While at < len(word): if word[at : at + 2] is the pair, append both as one string and go on by two; else "
        "append word[at] and go on by one. At the end: tuple(merged)."),
    misconceptions=edits({
        MERGED: {
            MERGED.replace("at += 2", "at += 1"): "The second of the two is still there: after a merge go on by two.",
            MERGED.replace("word[at] + word[at + 1]", "word[at + 1] + word[at]"): "The two are written in the wrong "
            "order: the first comes first.",
            MERGED.replace("word[at] + word[at + 1]", "word[at]"): "The second piece is lost: both are written "
            "together.",
            MERGED.replace("word[at] + word[at + 1]", "(word[at], word[at + 1])"): "The new piece is one string, "
            "word[at] + word[at + 1], and not a tuple.",
            MERGED.replace("word[at] + word[at + 1]", "word[at] + ' ' + word[at + 1]"): "There is a space between the "
            "two. The new piece is both, written together."},
        "tuple(merged)": {"merged": NO_TUPLE},
        "at < len(word)": {
            "at < len(word) - 1": "The last piece is lost where it belongs to no pair: go on to the word's end."},
        "tuple(word[at : at + 2]) == tuple(pair)": {
            "set(word[at : at + 2]) == set(pair) and len(word[at:]) > 1": "A pair that is turned round was merged, "
            "too. The order counts.",
            "''.join(word[at : at + 2]) == ''.join(pair) and len(word[at : at + 2]) == 2": "You compared what the two "
            "spell together. Another two can spell the same: compare the pieces themselves.",
            "word[at] == pair[0] and at + 1 < len(word)": "You looked at the first piece only. Both must fit."},
    }, versions={
        "A piece that only ends like the pair's first, or begins like its second, was merged. Compare whole pieces; "
        "joined strings do not know where a piece begins.": with_strings,
        "Only the first place was merged. Go on to the end of the word.": only_the_first,
        "You went from right to left. Of a a a, the first two are merged.": from_the_right,
    }))  # fmt: skip


def longest_first(word: str, merges: Any) -> tuple[str, ...]:
    """A mistake: the longest known piece at each place, as WordPiece spells."""
    known, found, at = {a + b for a, b in merges}, [], 0
    while at < len(word):
        size = next((n for n in range(len(word) - at, 1, -1) if word[at : at + n] in known), 1)
        found.append(word[at : at + size])
        at += size
    return tuple(found)


MERGES = [("e", "r"), ("l", "o"), ("lo", "w"), ("w", "er"), ("n", "e"), ("low", "er")]
spell = Check(
    cases=lambda seed: [
        Case("one merge", "the", [("h", "e")]), Case("two merges that build on each other", "the", [("h", "e"),
             ("t", "he")]), Case("a word that two merges compete for", "lower", MERGES),
        Case("the same pieces, learned in another order", "lower", [("w", "e"), ("l", "o"), ("we", "r"), ("e", "r")]),
        Case("a new word", "slower", MERGES), Case("nothing fits", "xyz", MERGES),
        Case("a merge that fits twice", "nener", MERGES), Case("and once more", "anan", [("a", "n")]),
        Case("one letter", "a", MERGES), Case("no merges", "ab", [])],
    compare=tuples,
    hints=(
        "Begin with single letters. Each merge in the list was learned on words in which all before it were made.",
        "spelling = tuple(word); then for each pair of merges, in order: spelling = merge(spelling, pair)."),
    misconceptions=edits({
        "for pair in merges": {
            "for pair in merges[::-1]": "You began with the last merge. They apply in the order in which they were "
            "learned.",
            "for pair in sorted(merges)": "You applied the merges in alphabetical order. They apply in the order in "
            "which they were learned.",
            "for pair in sorted(merges, key=lambda pair: -len(pair[0] + pair[1]))": "You began with the longest "
            "pieces. Merges apply in the order in which they were learned.",
            "for pair in merges[:1]": "Only the first merge was made. Go through all of them.",
            "for pair in merges[1:]": "The first merge was left out."},
        "spelling = merge(spelling, pair)": {
            "merge(spelling, pair)": "merge changes nothing, it returns the new word: keep that.",
            "spelling = merge(tuple(word), pair)": "Each merge began again with single letters. Hand it what the one "
            "before it made."},
        "return spelling": {"return list(spelling)": NO_TUPLE},
        "spelling = tuple(word)": {"spelling = (word,)": "Begin with single letters, tuple(word), not with the word."},
    }, versions={
        "You took the longest piece that fits at each place. Byte pairs are merged in the order in which they were "
        "learned.": longest_first,
    }))  # fmt: skip


# What comes next


def lessons(label: str, batch: int, tokens: int, vocabulary: int, draw: Any) -> Case:
    """Scores, and the tokens whose successors they are asked for."""
    numbers = (draw(batch, tokens) * 7).long().abs() % vocabulary
    return Case(label, 2 * draw(batch, tokens, vocabulary), numbers)


next_token_loss = Check(
    cases=lambda seed: [make(partial(torch.randn, generator=torch.Generator().manual_seed(100 * seed + i)))
        for i, make in enumerate((
            lambda draw: Case("one text of two tokens", tensor([[[2.0, 0.0, 0.5], [0.0, 9.0, 1.0]]]), tensor([[0, 2]])),
            lambda draw: lessons("one text of four tokens", 1, 4, 3, draw),
            lambda draw: lessons("three texts", 3, 5, 7, draw),
            lambda draw: lessons("as many texts as tokens", 4, 4, 4, draw)))],
    gradients=True,
    hints=(
        "Which of the scores have a token to be held against? And which tokens were never predicted?",
        "Leave out the scores at the last place, logits[:, :-1], and the first token, tokens[:, 1:]. "
        "F.cross_entropy(rows, numbers) wants [n, vocabulary] and [n]: flatten(0, 1), and flatten()."),
    misconceptions=edits({
        "logits[:, :-1], tokens[:, 1:]": {
            "logits, tokens": "The scores were held against the token they were made from. They say what comes next: "
            "shift by one.",
            "logits[:, 1:], tokens[:, :-1]": "You shifted the wrong way: the scores were held against the token "
            "before. Scores at a place belong to the token after it.",
            "logits[:, :-1], tokens[:, :-1]": "You left out the last of both, so they are still not shifted. The "
            "tokens begin one later: tokens[:, 1:].",
            "logits[:, 1:], tokens[:, 1:]": "You left out the first of both, so they are still not shifted. The "
            "scores end one earlier: logits[:, :-1].",
            "logits[:, :-2], tokens[:, 2:]": "You shifted by two. The next token is one further on."},
        "F.cross_entropy(before.flatten(0, 1), after.flatten())": {
            "F.cross_entropy(before.flatten(0, 1), after.flatten(), reduction='sum')": "That is the sum. Take the mean "
            "over all tokens that were predicted.",
            "F.cross_entropy(before.flatten(0, 1), after.flatten()) / math.log(2)": "That is in bits. Nats were asked "
            "for: do not divide by ln 2.",
            "F.cross_entropy(before.softmax(dim=-1).flatten(0, 1), after.flatten())": "cross_entropy does the softmax "
            "itself: hand it the scores.",
            "F.cross_entropy(before.flatten(0, 1), after.flatten(), reduction='sum') / len(tokens)": "You divided by "
            "the number of texts. The mean goes over all tokens that were predicted.",
            "F.cross_entropy(before.flatten(0, 1), after.flatten(), reduction='sum') / tokens.numel()": "You divided "
            "by all tokens. The first of each text was not predicted.",
            "-before.log_softmax(dim=-1).mean()": "That is the mean of all pieces' log-probabilities. Take that of the "
            "piece that came.",
            "-F.cross_entropy(before.flatten(0, 1), after.flatten())": "The sign is wrong: a loss is above zero.",
            "F.cross_entropy(logits.flatten(0, 1), tokens.roll(-1, 1).flatten())": "The last place was held against "
            "the text's first token. Nothing is known of what comes after it: leave it out.",
            "F.cross_entropy(logits.flatten(0, 1)[:-1], tokens.flatten()[1:])": "The end of one text was held against "
            "the beginning of the next: shift first, then flatten.",
            "before.flatten(0, 1).softmax(dim=-1).gather(1, after.flatten()[:, None]).mean()": "That is the mean "
            "probability. The loss is the mean of its negative logarithm."},
    }))  # fmt: skip

MEAN = "(nats / counts.sum()).exp()"
perplexity = Check(
    cases=lambda seed: [
        Case("two batches of different sizes", tensor([1.0, 3.0]), tensor([9.0, 1.0])),
        Case("one batch", tensor([0.7]), tensor([5])), Case("whole numbers", tensor([0.2, 2.0, 1.1]),
             tensor([10, 300, 45])), Case("no surprise", tensor([0.0, 0.0]), tensor([3, 4])),
        Case("four batches", tensor([3.1, 2.9, 4.5, 0.3]), tensor([64, 64, 64, 7]))],
    hints=(
        "How much surprise is there in a batch, all its tokens together? And in all batches?",
        "losses * counts are the nats of each batch. Their sum over counts.sum() is the mean a token; exp of that."),
    misconceptions=edits({
        MEAN: {
            "losses.mean().exp()": "Every batch weighs the same here. The mean goes over tokens: weigh the losses by "
            "`counts`.",
            "(losses.exp() * counts).sum() / counts.sum()": "You took the mean of perplexities. First the mean of the "
            "nats, then exp.",
            "losses.exp().mean()": "You took the mean of the batches' perplexities. First the mean of the nats over "
            "all tokens, then exp.",
            "nats / counts.sum()": "That is the mean loss. The perplexity is its exponential.",
            "2 ** (nats / counts.sum())": "The losses are in nats, so the base is e: exp, not a power of 2.",
            "(nats / counts.sum() / math.log(2)).exp()": "You turned the nats into bits, and then took e to the power "
            "of bits. exp of the mean nats.",
            "(nats / len(losses)).exp()": "You divided by the number of batches. Divide by the number of tokens.",
            "nats.exp()": "You did not divide by the number of tokens.",
            "(-nats / counts.sum()).exp()": "The sign is wrong: that is the mean probability of a token, below 1."},
        "(losses * counts).sum()": {
            "losses.sum()": "Each loss is a mean: times its count it is the surprise of the whole batch.",
            "(losses / counts).sum()": "You divided each loss by its count. It is a mean already: multiply."},
    }))  # fmt: skip

# The machine


def glimpse(label: str, new: int, old: int, draw: Any, *front: int, part: int = 6) -> Case:
    """New tokens, and what is remembered of old ones."""
    query, key, value = (draw(*front, new, part) for _ in range(3))
    past = (draw(*front, old, part), draw(*front, old, part)) if old else None
    return Case(label, query, key, value, past)


ROWS = "[every - new :]"
attend = Check(
    cases=lambda seed: [make(partial(torch.randn, generator=torch.Generator().manual_seed(100 * seed + i)))
        for i, make in enumerate((
            lambda draw: glimpse("two tokens, nothing remembered", 2, 0, draw),
            lambda draw: glimpse("one new token, two remembered", 1, 2, draw),
            lambda draw: glimpse("three new tokens, two remembered", 3, 2, draw),
            lambda draw: glimpse("two new tokens, five remembered, in two heads", 2, 5, draw, 2),
            lambda draw: glimpse("two texts of three heads", 4, 3, draw, 2, 3, part=5),
            lambda draw: glimpse("as many new as old", 4, 4, draw, 2, part=4)))],
    gradients=True,
    hints=(
        "Put the new keys and values behind the old ones. Then the new tokens are the last of all: which rows of the "
        "causal mask for all tokens are theirs?",
        "torch.cat([past[0], key], dim=-2), and the same for the values. mask = causal_mask(every)[every - new :]. "
        "Scores: query @ key.mT over the square root of query.shape[-1]; where the mask is False, −∞; softmax along "
        "the keys; times the values."),
    misconceptions=edits({
        ROWS: {
            "[:new]": "These are the first rows of the mask. The new tokens are the last of all: [every - new :].",
            "[new:] if every > new else causal_mask(every)": "Those are not the new tokens' rows: [every - new :].",
            "[every - new :].flip(0)": "The rows of the mask are in the wrong order."},
        "causal_mask(every, device=query.device)": {
            "causal_mask(every, device=query.device).T": "The mask is turned round: a token sees those before it.",
            "causal_mask(every, device=query.device).tril(-1)": "A token may see itself: the diagonal belongs to the "
            "mask."},
        "scores.masked_fill(~mask, -torch.inf)": {
            "scores": "Nothing is masked: a new token sees those after it.",
            "scores.masked_fill(mask, -torch.inf)": "The mask is inverted: it says who *may* be seen. Fill where it is "
            "False: ~mask.",
            "scores.masked_fill(~mask, 0)": "What may not be seen got the score 0, which is not nothing: fill in −∞.",
        },
        "softmax(dim=-1)": {"softmax(dim=-2)": "The softmax ran over the queries. Each query spreads its attention "
            "over the keys: dim=-1."},
        " / math.sqrt(query.shape[-1])": {
            "": "The scale is missing: divide by the square root of query.shape[-1].",
            " / query.shape[-1]": "Divide by the *square root* of query.shape[-1].",
            " / math.sqrt(every)": "You divided by the root of the number of tokens. It is that of a query's length."},
        "torch.cat([past[0], key], dim=-2)": {
            "torch.cat([key, past[0]], dim=-2)": "The new keys went in front. They belong behind the old ones.",
            "torch.cat([past[1], key], dim=-2)": "The old values were taken for keys: past is (keys, values).",
            "key": "There must be as many keys as values: the new keys go behind past[0], the new values "
            "behind past[1]."},
        "torch.cat([past[1], value], dim=-2)": {
            "torch.cat([value, past[1]], dim=-2)": "The new values went in front. They belong behind the old ones.",
            "torch.cat([past[0], value], dim=-2)": "The old keys were taken for values: past is (keys, values)."},
        "(key, value)": {
            "(value, key)": "What is remembered is (keys, values), in this order.",
            "past": "The old memory was handed back. The new one has the new tokens in it, too.",
            "(key[..., -new:, :], value[..., -new:, :])": "Only the new tokens are remembered. Hand back those of all "
            "tokens so far."},
    }))  # fmt: skip


def block_of(weight: Tensor) -> Any:
    """A block that mixes what it is given with the mean of all it has seen; it remembers, in two heads."""

    def block(x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        mix = weight.to(x)
        key, value = torch.stack([x @ mix, x], dim=1), torch.stack([x @ mix.mT, -x], dim=1)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=-2), torch.cat([past[1], value], dim=-2)
        mean = value.cumsum(dim=-2) / torch.arange(1, value.shape[-2] + 1, device=x.device)[:, None]
        seen = (mean + 0.1 * key)[..., -x.shape[-2] :, :].sum(dim=1)
        return (x + seen).tanh(), (key, value)

    block.__name__ = f"a block of width {len(weight)}"
    return block


def unit(x: Tensor) -> Tensor:
    """A norm: every vector at length one."""
    return F.normalize(x, dim=-1)


def machine(label: str, batch: int, new: int, old: int, blocks: int, draw: Any, dim: int = 5) -> Case:
    """A small GPT, and what it remembers of a text."""
    tokens = (9 * draw(batch, new)).long().abs() % 7
    stack = [block_of(0.7 * draw(dim, dim)) for _ in range(blocks)]
    memory = [(draw(batch, 2, old, dim), draw(batch, 2, old, dim)) for _ in range(blocks)] if old else None
    return Case(label, tokens, draw(7, dim), draw(16, dim), stack, unit, memory)


HANDED = "memory[number] if memory else None"
gpt = Check(
    cases=lambda seed: [make(partial(torch.randn, generator=torch.Generator().manual_seed(100 * seed + i)))
        for i, make in enumerate((
            lambda draw: machine("two tokens, one block, nothing remembered", 1, 2, 0, 1, draw),
            lambda draw: machine("three blocks", 2, 4, 0, 3, draw),
            lambda draw: machine("one new token, three remembered", 1, 1, 3, 2, draw),
            lambda draw: machine("two texts, three new tokens, four remembered", 2, 3, 4, 3, draw),
            lambda draw: machine("to the last place", 3, 6, 10, 2, draw)))],
    hints=(
        "Four stations: where in the text do the new tokens stand? What goes in? Through the blocks, each with its own "
        "memory. What comes out?",
        "first = memory[0][0].shape[-2] if memory else 0. In goes table[tokens] + positions[first : first + new]. "
        "Each block gets x and memory[number], or None, and gives x and what it remembers; collect that. Out comes "
        "norm(x)."),
    misconceptions=edits({
        "first = memory[0][0].shape[-2] if memory else 0": {
            "first = 0": "The places begin at 0 although tokens are remembered. The first new token stands behind "
            "them.",
            "first = len(memory) if memory else 0": "That is the number of blocks. How many tokens are remembered: "
            "memory[0][0].shape[-2].",
            "first = memory[0][0].shape[-1] if memory else 0": "That is the vectors' width. How many tokens are "
            "remembered: memory[0][0].shape[-2].",
            "first = memory[0][0].shape[1] if memory else 0": "That is the number of heads. The tokens are on the last "
            "axis but one: memory[0][0].shape[-2].",
            "first = memory[0][0].shape[-2] - 1 if memory else 0": "The places begin one too early: the last of the "
            "remembered has that one.",
            "first = memory[0][0].shape[-2] + 1 if memory else 0": "The places begin one too late."},
        "table[tokens] + positions[first : first + tokens.shape[1]]": {
            "table[tokens]": "The positions are not added.",
            "table[tokens] + positions[tokens]": "The positions were looked up by token. Places count from `first`.",
            "table[tokens] * positions[first : first + tokens.shape[1]]": "Positions are added, not multiplied.",
            "table[tokens] + positions[first]": "All tokens got the first one's place. Each has its own: "
            "positions[first : first + tokens.shape[1]]."},
        "x, past = block(": {
            "_, past = block(": "What a block says is thrown away: its x goes into the next one."},
        HANDED: {
            "None": "The blocks got no memory: hand each its own, memory[number].",
            "memory[0] if memory else None": "All blocks got the first one's memory. Each has its own: "
            "memory[number].",
            "memory[-1 - number] if memory else None": "The memories went to the wrong blocks."},
        "remembered.append(past)": {
            "pass": "Nothing is remembered: append each block's past.",
            "remembered = [past]": "Only the last block's memory came back. Collect that of each.",
            "remembered.insert(0, past)": "The memories came back in reverse: the first block's comes first."},
        "norm(x), remembered": {
            "x, remembered": "The last norm is missing: norm(x).",
            "norm(x), memory": "The old memory came back. Return what the blocks gave.",
            "norm(x) @ table.T, remembered": "These are scores. Return the states, norm(x).",
            "norm(table[tokens] + x), remembered": "The embeddings were added once more at the end."},
    }))  # fmt: skip

# Drawing


def nucleus_after_top_k(scores: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0) -> Any:
    """A mistake: the nucleus is measured in what top-k has left."""
    shares = (scores / temperature).softmax(dim=-1)
    ranked, order = shares.sort(dim=-1, descending=True)
    if top_k is not None:
        ranked = ranked * (torch.arange(scores.shape[-1]) < top_k)
        ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    ranked = ranked * (ranked.cumsum(dim=-1) - ranked < top_p)
    return torch.zeros_like(shares).scatter(-1, order, ranked / ranked.sum(dim=-1, keepdim=True))


def temperature_last(scores: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0) -> Any:
    """A mistake: the nucleus is chosen at temperature 1."""
    ranked, order = scores.softmax(dim=-1).sort(dim=-1, descending=True)
    kept = ranked.cumsum(dim=-1) - ranked < top_p
    if top_k is not None:
        kept = kept & (torch.arange(scores.shape[-1]) < top_k)
    shares = (scores / temperature).gather(-1, order).masked_fill(~kept, -torch.inf).softmax(dim=-1)
    return torch.zeros_like(shares).scatter(-1, order, shares)


FOUR = tensor([0.15, 0.5, 0.05, 0.3]).log()
NUCLEUS = "ranked.cumsum(dim=-1) - ranked < top_p"
BACK = "torch.zeros_like(shares).scatter(-1, order, ranked)"


def rows_of(seed: int) -> Tensor:
    """Scores of three texts, no two alike."""
    return 2 * torch.randn(3, 9, generator=torch.Generator().manual_seed(seed))


to_draw_from = Check(
    cases=lambda seed: [
        Case("shares 0.15, 0.5, 0.05 and 0.3, as they are", FOUR),
        Case("a nucleus of 0.7", FOUR, top_p=0.7), Case("a nucleus of 0.4", FOUR, top_p=0.4),
        Case("the three likeliest", FOUR, top_k=3), Case("at temperature 0.5", FOUR, 0.5),
        Case("three texts", rows_of(seed)), Case("three texts, hot", rows_of(seed + 10), 1.7),
        Case("three texts, the four likeliest", rows_of(seed + 20), top_k=4),
        Case("three texts, a nucleus of 0.85", rows_of(seed + 30), top_p=0.85),
        Case("both, and cold", rows_of(seed + 40), 0.6, 2, 0.9),
        Case("the nucleus is smaller than top-k", rows_of(seed + 50), 1.3, 8, 0.55),
        # 0.5 and 0.3 reach 0.75 of all, and of the three likeliest 0.84.
        Case("a nucleus of 0.82 and the three likeliest", FOUR, 1.0, 3, 0.82),
        Case("more than there are", FOUR, top_k=9)],
    hints=(
        "Softmax first, then sort. Who stays can be said of the ranked shares; then they go back to their pieces.",
        "kept = ranked.cumsum(dim=-1) - ranked < top_p, and if top_k is given, kept[..., top_k:] = False. "
        "ranked * kept, divided by its sum along the last axis (keepdim=True); then scatter by `order`."),
    misconceptions=edits({
        "(scores / temperature).softmax(dim=-1)": {
            "scores.softmax(dim=-1) / temperature": "You divided the shares. Divide the scores, before the softmax."},
        "scores / temperature": {
            "scores * temperature": "You multiplied by the temperature. Divide: below 1, the likely become likelier.",
            "scores": "The temperature is not used: divide the scores by it."},
        NUCLEUS: {
            "ranked.cumsum(dim=-1) <= top_p": "The piece that crosses p was dropped, and so what is kept stays below "
            "p. Ask what lies *above* each piece: cumsum − ranked.",
            "ranked.cumsum(dim=-1) < top_p": "The piece that crosses p was dropped, and of all pieces the last. What "
            "lies *above* a piece is cumsum − ranked.",
            "ranked >= 1 - top_p": "You kept pieces above a share. The nucleus is the fewest that *together* reach p.",
            "ranked < top_p": "You asked whether a piece's own share is below p. Sum what lies above it: cumsum.",
            "ranked.cumsum(dim=-1) < 2": "The nucleus is not used: top_p changes nothing."},
        "descending=True": {"descending=False": "You sorted from the unlikeliest up: descending=True."},
        "kept[..., top_k:] = False": {
            "kept[..., top_k + 1 :] = False": "One too many: ranks begin at 0, so the k likeliest are those below k.",
            "kept[..., :top_k] = True": "A piece stays only if both keep it: cross out the ranks from top_k on.",
            "kept = torch.arange(kept.shape[-1]) < top_k": "With top_k given, the nucleus was forgotten: both must "
            "keep a piece."},
        "ranked / ranked.sum(dim=-1, keepdim=True)": {
            "ranked": "The shares do not sum to 1 any more: divide by their sum.",
            "ranked / ranked.sum()": "You divided by the sum over all texts. Each text's shares sum to 1: dim=-1.",
            "ranked.softmax(dim=-1)": "A second softmax gives a share to what was cut off. Divide by the sum."},
        BACK: {
            "ranked": "The shares are still in order of rank: put each back at its piece, with scatter.",
            "ranked.gather(-1, order)": "gather goes the wrong way: order says where each rank *belongs*. scatter."},
        "temperature).softmax(dim=-1)": {
            "temperature).softmax(dim=0)": "The softmax ran over the texts. Along the pieces: dim=-1."},
    }, versions={
        "The nucleus was measured in what top-k has left. It is measured in the shares that the softmax gives.":
        nucleus_after_top_k,
        "The temperature came last. It changes the shares in which the nucleus is measured: divide before all else.":
        temperature_last,
    }))  # fmt: skip

# Mixing


def spread(seed: int, sizes: tuple[int, ...], weights: Tensor, count: int, width: int, label: str) -> Case:
    """Sources that count from 1,000, from 2,000 …, so that each token tells where it stood."""
    streams = [1_000 * (i + 1) + torch.arange(size) for i, size in enumerate(sizes)]
    return Case(label, streams, weights, count, width)


EVENLY = "All sources are drawn equally often. Each by its weight: torch.multinomial(weights, …)."
BY_SIZE = "The sources are drawn by their size alone. By weight: torch.multinomial(weights, …)."
ALSO_BY_SIZE = "The sources are drawn by weight times size. By weight alone, however long they are."
SOFTENED = "The weights went through a softmax. They are shares already, up to their sum."
NO_STRETCH = "A row is not a stretch of neighbouring tokens of one source: stream[first : first + width]."
NOT_THE_LAST = "No row ever ends with the last token: there are len(stream) - width + 1 places to begin at."
NOT_THE_FIRST = "No row ever begins with the first token. Every place is as likely, from 0."
NOT_EVERYWHERE = "All rows of a source begin at one place. Every place is as likely as any other."
ALIKE = "Two calls give the same batch: something inside sets the seed anew. Training would read one batch for ever."
UNEVEN = "Some places are drawn more often than others. Every place of a source is as likely."


def as_rows(got: Any) -> Tensor:
    """A batch as a tensor on the CPU, whatever it is made of."""
    rows = torch.stack([torch.as_tensor(row) for row in got]) if isinstance(got, list | tuple) else torch.as_tensor(got)
    return rows.cpu().long()


def mixed(got: Any, want: Any, case: Case) -> str | None:
    """Whether a batch is drawn by weight, and from everywhere; None if it is."""
    streams, weights, count, width = case.args
    rows, weights = as_rows(got), weights.cpu()
    if list(rows.shape) != [count, width]:
        return f"The batch should be [{count}, {width}], rows and tokens, and is {list(rows.shape)}."
    source, place = rows // 1_000 - 1, rows % 1_000
    steps = torch.arange(width)
    if not bool(((source == source[:, :1]) & (place == place[:, :1] + steps)).all()):
        turned = bool(((source == source[:, :1]) & (place == place[:, :1] - steps)).all())
        return NO_STRETCH + " And in its order." * turned
    source, place = source[:, 0], place[:, 0]
    if count < 1_000:
        return None
    wanted = weights / weights.sum()
    found = torch.bincount(source, minlength=len(streams)) / count
    far = 5 * (wanted * (1 - wanted) / count).sqrt() + 1e-6
    sizes = tensor([float(len(stream)) for stream in streams])
    if ((found - wanted).abs() > far).any():
        for sentence, other in {
            EVENLY: wanted * 0 + 1, BY_SIZE: sizes, ALSO_BY_SIZE: sizes * wanted, SOFTENED: weights.softmax(0),
        }.items():  # fmt: skip
            other = other / other.sum()
            if ((found - other).abs() <= 5 * (other * (1 - other) / count).sqrt() + 1e-6).all():
                return sentence
        shown = ", ".join(f"{share:.2f}" for share in found)
        return f"The sources are drawn in shares of {shown}, and should be in shares of " + ", ".join(
            f"{share:.2f}" for share in wanted) + "."  # fmt: skip
    for number, stream in enumerate(streams):
        seen, places = place[source == number], len(stream) - width + 1
        if len(seen) < 20 * places:
            continue
        often = torch.bincount(seen, minlength=places).double() / len(seen)
        if places > 1 and (often == 1).any():
            return NOT_EVERYWHERE
        if often[-1] == 0 or often[0] == 0:
            return NOT_THE_LAST if often[-1] == 0 else NOT_THE_FIRST
        if (often - 1 / places).abs().max() > 6 * (1 / places / len(seen)) ** 0.5:
            return UNEVEN
    return None


def batches_differ(function: Any, case: Case) -> str | None:
    """no two batches are alike"""
    if case.args[2] != 1_000:  # one case will do
        return None
    first, second = (as_rows(function(*case.args)) for _ in range(2))
    return ALIKE if torch.equal(first, second) else None


draw = Check(
    cases=lambda seed: [
        spread(seed, (9,), tensor([1.0]), 2, 4, "one source, two rows"),
        spread(seed, (7, 30, 9), tensor([0.7, 0.1, 0.2]), 2_000, 5, "three sources, the smallest most often"),
        spread(seed, (6, 8), tensor([0.5, 0.5]), 1_001, 4, "two sources, drawn equally often"),
        spread(seed, (7, 6), tensor([3.0, 1.0]), 1_001, 5, "weights that do not sum to 1"),
        spread(seed, (6, 9), tensor([0.0, 1.0]), 1_000, 3, "a source that is never read"),
        spread(seed, (3,), tensor([1.0]), 5, 3, "a source as long as a row")],
    compare=mixed, laws=[batches_differ],
    hints=(
        "For each row: first the source, then the place.",
        "torch.multinomial(weights, count, replacement=True).tolist() are the sources of the rows. For each, first = "
        "int(torch.randint(len(stream) - width + 1, ())), and its row is stream[first : first + width]. torch.stack."),
    misconceptions=edits({
        "torch.multinomial(weights, count": {
            "torch.multinomial(torch.ones_like(weights), count": EVENLY,
            "torch.multinomial(torch.tensor([float(len(stream)) for stream in streams]), count": BY_SIZE,
            "torch.multinomial(weights * torch.tensor([len(stream) for stream in streams]), count": ALSO_BY_SIZE,
            "torch.multinomial(weights.softmax(dim=0), count": SOFTENED},
        "len(stream) - width + 1": {
            "len(stream) - width": NOT_THE_LAST, "1": NOT_EVERYWHERE},
        "first = int(torch.randint(len(stream) - width + 1, ()))": {
            "first = int(torch.randint(1, len(stream) - width + 1, ()))": NOT_THE_FIRST,
            "first = int(torch.randint(len(stream) - width + 1, (2,)).amin())": UNEVEN},
        "stream[first : first + width]": {
            "stream[torch.randint(len(stream), (width,))]": NO_STRETCH,
            "stream[first : first + width].flip(0)": NO_STRETCH + " And in its order.",
        },
    }))  # fmt: skip

CHECKS = exercises("04", {
    "count_pairs": count_pairs, "merge": merge, "spell": spell, "next_token_loss": next_token_loss,
    "perplexity": perplexity, "attend": attend, "gpt": gpt, "to_draw_from": to_draw_from, "draw": draw,
})  # fmt: skip
