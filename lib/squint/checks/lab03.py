"""Lab 03, the Transformer: norms and residuals, the decoder's block, what is learned from, the two searches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn, tensor

from squint.checks.engine import Case, Check, edits, exercises
from squint.nn.attention import MultiHeadAttention, causal_mask, padding_mask
from squint.nn.transformer import FeedForward, LayerNorm


def drawn(make: Callable[..., list[Case]]) -> Callable[[int], list[Case]]:
    """Cases made with what draws normal numbers of some shape."""
    return lambda seed: make(partial(torch.randn, generator=torch.Generator().manual_seed(seed)))


IN_PLACE = "It changes what it was given, and others still need that. Make a new tensor (x = x + …), or a .clone()."
along = "x.mean({0})\n    variance = centred.square().mean({0})".format
layer_norm = Check(
    cases=drawn(lambda draw: [
        Case("one vector, gain 1 and bias 0", tensor([[1.0, 2.0, 3.0, 6.0]]), torch.ones(4), torch.zeros(4)),
        *(Case(label, x, (1 + draw(x.shape[-1]) / 2).to(x), draw(x.shape[-1]).to(x)) for label, x in (
            ("one vector, any gain and bias", draw(1, 4)), ("two vectors", draw(2, 5)), ("three of three", draw(3, 3)),
            ("two sentences of three words", draw(2, 3, 6)), ("four sentences of four words, four wide", draw(4, 4, 4)),
            # An eighth has no rounding error, a sixth has one that looks like a variance.
            ("entries around 10", 10 + 3 * draw(2, 8)), ("entries that are all the same", torch.full((1, 8), 2.5)),
            ("very small entries", 2e-3 * draw(2, 8)), ("float64", draw(2, 3, 8).double()))),
        Case("another epsilon", draw(2, 6), draw(6), draw(6), epsilon=0.1)]),
    atol=1e-4, gradients=True, in_place=IN_PLACE, hints=(
        "Take something off each vector, divide it by something, then gain and bias. Which axis holds its entries?",
        "The mean over the last axis, with keepdim=True. The variance: the mean of the squared differences from it. "
        "Divide the differences by the root of (variance + epsilon); then times the gain, plus the bias."),
    misconceptions=edits({
        along("dim=-1, keepdim=True"): {
            along("dim=0, keepdim=True"): "This is batch norm, across sentences. Each vector by itself: the last axis.",
            along(""): "Mean and variance were taken over everything at once. Each vector has its own."},
        "x.mean(dim=-1, keepdim=True)": {"0": "The mean was not taken off, as in the later root-mean-square norm."},
        "centred.square().mean(dim=-1, keepdim=True)": {
            "x.var(dim=-1, keepdim=True)": "`.var()` and `.std()` divide by n − 1, layer norm by n: say correction=0.",
            "x.square().mean(dim=-1, keepdim=True)": "You squared x itself. Square the differences from the mean.",
            "centred.square().sum(dim=-1, keepdim=True)": "You took a sum of squares. A variance is their mean."},
        "gain * centred": {"centred": "The gain is missing: multiply the normalised entries by it."},
        "(variance + epsilon).sqrt()": {"(variance + epsilon)": "You divided by the variance: take its root.",
            "(variance.sqrt() + epsilon)": "Epsilon stands outside the root: add it to the variance, inside.",
            "1": "The division is missing: after the mean is off, divide by the root of (variance + epsilon).",
            "variance.sqrt()": "Epsilon is missing, and equal entries divide 0 by 0. Add it, inside the root."},
        " + bias": {"": "The bias is missing: add it at the end."},
        "gain * centred / (variance + epsilon).sqrt() + bias": {
            "bias * centred / (variance + epsilon).sqrt() + gain": "Gain and bias are swapped: times gain, plus bias.",
            "nn.LayerNorm(x.shape[-1], eps=epsilon)(x)": "`nn.LayerNorm` has a gain and bias of its own. Use yours."},
    }))  # fmt: skip

residual = Check(
    cases=drawn(lambda draw: [
        Case(f"{label}, the norm {'first' if first else 'last'}", x, sublayer, F.normalize, first)
        for label, x, sublayer in (
            ("one vector", tensor([[1.0, 2.0, 3.0, 6.0]]), torch.square), ("a sentence", draw(3, 4), torch.exp),
            ("a batch", draw(2, 3, 6), torch.sin), ("nothing to add", draw(2, 5), torch.zeros_like))
        for first in (True, False)]),
    gradients=True, in_place=IN_PLACE, hints=(
        "Two formulas stand above. One `if` chooses between them.",
        "With norm_first, the sublayer sees norm(x), and what it says is added to x itself, not to norm(x). Otherwise "
        "the sublayer sees x, what it says is added to x, and the norm is taken of the sum."),
    misconceptions=edits({
        "if norm_first": {"if False": "The norm comes last even where it should come first: x + sublayer(norm(x)).",
            "if not norm_first": "The two orders are swapped: norm_first=True means that the sublayer sees norm(x).",
            "if True": "The norm comes first whatever was asked. Without norm_first it is norm(x + sublayer(x))."},
        "x + sublayer(norm(x))": {"sublayer(norm(x))": "With the norm first, x itself is missing: add to it.",
            "x + sublayer(x)": "With the norm first, the norm is missing: the sublayer sees norm(x).",
            "norm(x) + sublayer(norm(x))": "With the norm first, you add to norm(x). The road stays free: add to x.",
            "x + norm(sublayer(x))": "With the norm first, you normalised the sublayer's answer, not what it sees.",
            "norm(x + sublayer(norm(x)))": "With the norm first, nothing comes after the sum: the road stays free."},
        "norm(x + sublayer(x))": {"norm(sublayer(x))": "With the norm last, x itself is missing: normalise the sum.",
            "norm(x) + sublayer(x)": "With the norm last, x alone was normalised, not the sum.",
            "x + norm(sublayer(x))": "With the norm last, only the sublayer's answer was normalised, not the sum.",
            "x + sublayer(x)": "With the norm last, the norm is missing: take it of the sum, norm(x + sublayer(x))."},
        "x + sublayer(norm(x))\n    return norm(x + sublayer(x))": {
            "x + sublayer(x)\n    return x + sublayer(x)": "The norm is missing: before the sublayer, or of the sum."},
    }))  # fmt: skip


class Block(nn.Module):
    """What a decoder block consists of, random and fixed; its attributes are those of lab 03's `DecoderBlock`."""

    def __init__(self, dim: int, norm_first: bool, draw: Callable[..., Tensor]):
        super().__init__()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            self.attention, self.cross_attention = MultiHeadAttention(dim, 2), MultiHeadAttention(dim, 2)
            self.feed_forward, self.norm_first = FeedForward(dim, 2 * dim), norm_first
            self.__name__ = f"a {'pre' if norm_first else 'post'}-norm block"
            self.norms = nn.ModuleList(LayerNorm(dim) for _ in range(3))
            for parameter in self.parameters():
                parameter.copy_(draw(*parameter.shape) / 2)
        for part in (self.attention, self.cross_attention, self.feed_forward, *self.norms):
            part.register_forward_pre_hook(lambda part, x: part.to(x[0].dtype) and None if x else None)  # float64, too


LOOK = "x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)"
OVER = "x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], block.norm_first)"
THINK = "return residual(x, block.feed_forward, block.norms[2], block.norm_first)"
joined = "memory_mask, residual=lambda x, sublayer, norm, first: {}):".format
REAL = padding_mask(tensor([3, 5]), 5)
decoder_block = Check(
    cases=drawn(lambda draw: [
        Case(label, Block(x.shape[-1], first, draw), x, memory, mask and causal_mask(mask), real)
        for label, first, x, memory, mask, real in (
            ("two words, the norm first", True, draw(1, 2, 4), draw(1, 2, 4), 2, REAL[:1, :, :2]),
            ("two words, the norm last", False, draw(1, 2, 4), draw(1, 2, 4), 2, REAL[:1, :, :2]),
            ("three words look at three, one of them filling", True, draw(1, 3, 4), draw(1, 3, 4), 3, REAL[:1, :, 1:4]),
            ("three words look at five others, some of them filling", True, draw(2, 3, 8), draw(2, 5, 8), 3, REAL),
            ("the same with the norm last", False, draw(2, 3, 8), draw(2, 5, 8), 3, REAL),
            ("nothing hidden", True, draw(2, 3, 8), draw(2, 4, 8), None, None))]),
    gradients=True, in_place=IN_PLACE, hints=(
        "It is the encoder's block above with one residual more in the middle. Who asks there, who is looked at?",
        "Three residuals, each with its own norm, each handing its result on as x: block.attention of y under `mask`; "
        "block.cross_attention, where y asks, of the memory under `memory_mask`; block.feed_forward."),
    misconceptions=edits({
        "block.attention(y, mask=mask)": {"block.attention(y)": "The self-attention has no mask: later words are seen.",
            "block.attention(y, mask=causal_mask(y.shape[1]))": "You made a mask of your own. Use `mask`, or None.",
            "block.attention(y, mask=memory_mask)": "The self-attention got `memory_mask`, which is for the memory.",
            "block.cross_attention(y, mask=mask)": "The words so far looked at each other through cross_attention."},
        "block.cross_attention(y, memory, memory_mask)": {
            "block.cross_attention(y)": "Cross-attention never reads the source. Its context is the memory, not y.",
            "block.cross_attention(memory, y)": "In cross-attention the memory asks. Let y ask, and look at memory.",
            "block.attention(y, memory, memory_mask)": "The memory has weights of its own: block.cross_attention.",
            "block.cross_attention(y, block.norms[1](memory), memory_mask)": "The memory went through the decoder's "
            "norm. It was normalised at the end of the encoder: hand it on as it is.",
            "block.cross_attention(y, memory)": "Cross-attention has no mask, so it looks at filling: memory_mask.",
            "block.cross_attention(y, memory, mask)": "Cross-attention got `mask`, which is for the words so far."},
        LOOK: {LOOK[4:]: "Nothing comes of self-attention: is it missing, or was its result not kept as x = …?"},
        OVER: {OVER[4:]: "Nothing comes of cross-attention: is it missing, or was its result not kept as x = …?"},
        THINK: {
            "return x": "Nothing comes of the small network: is it missing, or was its result not handed back?",
            "return x + block.feed_forward(x)": "The small network has no norm: hand it to residual, with norms[2].",
            f"return block.norms[2]({THINK[7:]})": "A norm too many at the end: residual knows where it belongs."},
        "norms[0]": {"norms[1]": "Self-attention has the wrong norm. Each has its own: norms[0], norms[1], norms[2]."},
        "norms[1]": {"norms[0]": "Cross-attention has self-attention's norm. It has its own, norms[1]."},
        "norms[2]": {"norms[1]": "The small network has cross-attention's norm. It has its own, norms[2]."},
        f"{LOOK}\n    {OVER}": {f"{OVER}\n    {LOOK}": "Cross-attention came before self-attention: turn them round."},
        "memory_mask):": {
            joined("x + sublayer(norm(x))"): "The norm always comes first: hand block.norm_first on to residual.",
            joined("norm(x + sublayer(x))"): "The norm always comes last: hand block.norm_first on to residual.",
            joined("x + sublayer(x)"): "There are no norms: put each of the three into residual, with its norm.",
            joined("x + norm(sublayer(x)) if first else sublayer(x + norm(x))"): "Sublayer and norm are swapped.",
            joined("x + x + sublayer(norm(x)) if first else x + norm(x + sublayer(x))"): "residual adds x already.",
            joined("norm(x + sublayer(x)) if first else x + sublayer(norm(x))"): "Pre-norm and post-norm are swapped.",
            joined("sublayer(norm(x)) if first else norm(sublayer(x))"): "There are no residuals: add x each time."},
    }))  # fmt: skip

shift_right = Check(
    cases=lambda seed: [
        Case("one sentence of three tokens", tensor([[5, 6, 2]])), Case("a single token", tensor([[2]])),
        Case("two sentences, one filled up", tensor([[5, 6, 7, 2], [8, 2, 0, 0]])),
        Case("another start token", tensor([[5, 6, 7], [9, 8, 3]]), 4),
        Case("four sentences of four tokens", torch.arange(3, 19).view(4, 4))],
    in_place=IN_PLACE, hints=(
        "Write it down for one sentence: labels a, b, end. When a is asked for, what may be seen? And when b is?",
        "A column of start tokens, of the labels' dtype; all labels but the last, labels[:, :-1]; side by side."),
    misconceptions=edits({
        "labels[:, :1], start": {"labels[:, :1], 1": "The start token is a parameter: use `start`, not 1."},
        "labels[:, :-1]": {"labels": "It is one token too long: leave out the last label, which nobody needs to see.",
            "labels[:, 1:]": "Only the first label was replaced, and no other was moved: each still sees itself."},
        "[first, labels[:, :-1]]": {"[labels]": "Nothing was shifted: each place sees, and copies, what is asked for.",
            "[labels[:, 1:], first]": "This is shifted to the left: each place sees the label after its own.",
            "[labels[:, :-1]]": "The start token is missing: it stands first, before all labels but the last.",
            "[labels[:, -1:], labels[:, :-1]]": "The last label came round to the front. There belongs `start`."},
        "first = torch.full_like(labels[:, :1], start)\n    return torch.cat([first, labels[:, :-1]], dim=1)": {
            "return torch.cat([torch.full_like(labels[:1], start), labels[:-1]])": "You moved whole sentences: dim=1.",
            "return F.pad(labels.flatten(), (1, 0), value=start)[:-1].view_as(labels)": "The end of each sentence came "
            "round into the next one. Every sentence begins with the start token.",
            "return labels.roll(1)": "`roll` without dims takes all sentences for one, and puts the last label first."},
    }))  # fmt: skip

FILLED = tensor([[4, 1, 2, 3], [3, 2, 0, 0], [2, 0, 0, 0]])
smoothed_loss = Check(
    cases=drawn(lambda draw: [Case(label, logits, torch.as_tensor(labels), *more) for label, logits, labels, *more in (
        ("one token, no smoothing", tensor([[[0.0, 1.0, 3.0]]]), [[2]], 0.0),
        ("one token", tensor([[[0.0, 1.0, 3.0]]]), [[2]], 0.1), ("two tokens", draw(1, 2, 5), [[3, 2]], 0.1),
        ("three tokens of three", draw(3, 3, 3), [[1, 2, 1], [2, 2, 1], [1, 1, 2]], 0.2),
        ("several lengths, filled up", draw(3, 4, 5), FILLED, 0.1), ("no smoothing", draw(3, 4, 5), FILLED, 0.0),
        ("a sentence of nothing but filling", draw(2, 2, 5), [[3, 2], [0, 0]], 0.1),
        ("another number for filling", draw(2, 3, 6), [[0, 5, 4], [4, 3, 1]], 0.1, 4),
        ("the rest left out", draw(2, 2, 5), [[3, 2], [1, 0]]),
        ("very large logits", 150 * draw(2, 2, 5), [[3, 2], [1, 2]], 0.1))]),
    gradients=True, hints=(
        "First the loss of every token, as a table: a mixture of two things. What to do with the filling comes last.",
        "log_softmax gives all log-probabilities, gather picks each label's from them, and the spread is their mean at "
        "each place. A token's loss: −(1 − smoothing) · label's − smoothing · spread. Last, the real ones' mean."),
    misconceptions=edits({
        "logits.log_softmax(dim=-1)": {"logits": "These are raw logits. Take their log_softmax first.",
            "logits.softmax(dim=-1).log()": "A probability may round to 0, whose logarithm is infinite: `log_softmax`.",
            **{f"(logits.softmax(dim=-1) + {n}).log()": f"The small number {n} caps the loss of large logits, whose "
               "probabilities are smaller. `log_softmax` needs none." for n in (1e-8, 1e-9, 1e-10, 1e-12)},
            "logits.softmax(dim=-1).log_softmax(dim=-1)": "The softmax was taken twice: log_softmax is one already.",
            "logits.log_softmax(dim=1)": "The softmax ran over the tokens: the vocabulary's sum to one, dim=-1."},
        "log_probabilities.mean(dim=-1)": {"0": "What is spread is missing: nobody got the rest, smoothing.",
            "log_probabilities.sum(dim=-1)": "Every token got the whole share. It is shared out: take the mean.",
            "log_probabilities.mean()": "The spread was averaged over all places at once: each has its own, dim=-1.",
            "(log_probabilities.sum(dim=-1) - right) / (logits.shape[-1] - 1)": "The spread share went to the wrong "
            "tokens only. It goes to all alike, the label among them: smoothing / vocabulary each.",
            "log_probabilities.sum(dim=-1) / (logits.shape[-1] - 1)": "The spread was divided by vocabulary − 1."},
        "-(1 - smoothing) * right": {"-right": "The target adds up to more than one: the label gets 1 − smoothing."},
        "-(1 - smoothing) * right - smoothing * spread": {"-right": "Smoothing is not used: plain cross-entropy.",
            "-smoothing * right - (1 - smoothing) * spread": "The two shares are swapped: 1 − smoothing for the label.",
            "(1 - smoothing) * right + smoothing * spread": "The sign is wrong: a loss is minus the log-probability."},
        "each[labels != padding]": {"each": "The filling is counted. Take the mean where labels != padding.",
            "each.where(labels != padding, 0)": "The filling costs nothing, but counts: divide by the real tokens.",
            "each[labels != 0]": "The number that stands for filling is a parameter: `padding`, not 0.",
            "torch.stack([e[real].mean() for e, real in zip(each, labels != padding)])": "You averaged within each "
            "sentence first, and one of nothing but filling is 0/0. Take one mean over all real tokens.",
            "torch.stack([e[real].mean() for e, real in zip(each, labels != padding) if real.any()])": "You averaged "
            "within each sentence first. All real tokens count alike: take one mean over all of them."},
    }))  # fmt: skip

warm_up_rate = Check(
    cases=lambda seed: [
        Case("the first step", 1, 512, 4000), Case("halfway up", 2000, 512, 4000), Case("the peak", 4000, 512, 4000),
        Case("four times as far", 16_000, 512, 4000), Case("a narrow model on its way up", 30, 64, 100),
        Case("a narrow model on its way down", 700, 64, 100), Case("the default warm-up", 100, 256)],
    atol=1e-12, hints=(
        "The formula stands above: two curves, and the smaller of them.",
        "The fall: step to the power −0.5. The climb: step times (warmup to the power −1.5). The smaller of the two, "
        "times dim to the power −0.5. `**` binds tighter than a minus before it, and `step**-0.5` is fine."),
    misconceptions=edits({
        "dim**-0.5 * ": {"": "The width is missing: the whole is multiplied by dim to the power −0.5.",
            "dim**0.5 * ": "Wider models get smaller steps: dim to the power −0.5, not 0.5.",
            "dim**-1 * ": "You divided by dim. It is dim to the power −0.5, one over its root."},
        "min(step**-0.5, step * warmup**-1.5)": {
            "step * warmup**-1.5": "It never stops climbing: take the smaller, and look at the signs of the exponents.",
            "step**-0.5": "There is no warm-up: take the smaller, and look at the signs of the exponents.",
            "max(step**-0.5, step * warmup**-1.5)": "You took the larger of the two. The smaller climbs first: min.",
            "(step**-0.5 + step * warmup**-1.5)": "You added the two curves. The rate is the smaller of the two: min."},
        "step**-0.5": {"1 / step": "The fall is 1/step. It should be 1/√step: step to the power −0.5.",
            "warmup**-0.5": "It stays at its peak. After the warm-up the rate should fall as 1/√step."},
        "step * warmup**-1.5": {"step / warmup": "The climb is too steep: warmup to the power −1.5, not −1.",
            "(step - 1) * warmup**-1.5": "The first step has the rate zero and learns nothing. Steps count from 1."},
        "dim**-0.5 * min(step**-0.5, step * warmup**-1.5)": {
            "min(dim**-0.5 * step**-0.5, step * warmup**-1.5)": "The width is in the first curve only, not in both."},
    }))  # fmt: skip


def checked(prefixes: Any, sentences: int) -> Tensor:
    """The prefixes as a tensor, if they are such as a language can go on with."""
    prefixes = torch.as_tensor(prefixes)
    if prefixes.shape[:1] != (sentences,):
        raise ValueError(f"there are {sentences} sentences, and the prefixes are {list(prefixes.shape)}")
    if not 0 < prefixes.shape[-1] <= 64:  # far more than any case's limit
        raise ValueError(f"{prefixes.shape[-1]} tokens are too many, or too few: heed `limit`, `start` stands first")
    return prefixes


class Language:
    """An invented language: from prefixes, all of whose tokens count, to log-probabilities, as the lab's models."""

    def __init__(self, sentences: int, vocabulary: int, seed: int, end: int = 2, haste: float = 0.5):
        draw, self.end, self.haste = partial(torch.randn, generator=torch.Generator().manual_seed(seed)), end, haste
        self.__name__ = f"a language of {vocabulary} tokens"
        self.tokens, self.sentences, self.out = draw(16, vocabulary, 12), draw(sentences, 12), draw(12, vocabulary)

    def __call__(self, prefixes: Tensor) -> Tensor:
        """The log-probability of every next token."""
        prefixes = checked(prefixes, len(self.sentences))
        state = self.tokens[torch.arange(prefixes.shape[-1]) % 16, prefixes.cpu()].sum(dim=-2)
        logits = (state + self.sentences.view(-1, *(1,) * (prefixes.ndim - 2), 12)).tanh() @ self.out
        logits[..., self.end] += self.haste * (prefixes.shape[-1] - 3)
        return logits.log_softmax(dim=-1).to(prefixes.device)


def garden_path(prefixes: Tensor) -> Tensor:
    """Two sentences. In one the likeliest first token, 3, leads to nothing likely, but 4 to 5 and the end, 2."""
    last, plain = checked(prefixes, 2)[..., -1], [0.11, 0.14, 0.16, 0.18, 0.20, 0.21]  # no two of a row are equal
    four, five = [0.01, 0.02, 0.03, 0.015, 0.025, 0.90], [0.01, 0.015, 0.90, 0.025, 0.03, 0.02]
    table = tensor([plain, [0.01, 0.02, 0.03, 0.50, 0.40, 0.04], plain, plain, four, five])
    probabilities = table.to(last.device)[last]
    probabilities[1] = tensor([0.01, 0.015, 0.90, 0.04, 0.03, 0.005])  # the other ends at once
    return probabilities.log()


CUT = "row[: row.index(end)] if end in row else row"
rows = "rows = prefixes[:, 1:].tolist()\n    return [{} for row in rows]".format
greedy = Check(
    cases=lambda seed: [
        Case("a garden path, and a sentence that ends at once", garden_path, 2, 5),
        Case("one sentence", Language(1, 6, 30 + seed), 1, 8), Case("two sentences", Language(2, 6, 41 + seed), 2, 8),
        Case("five sentences", Language(5, 8, 50 + seed), 5, 12), Case("one token", Language(3, 8, 60 + seed), 3, 1),
        Case("cut off by the limit", Language(3, 8, 70 + seed, haste=-3.0), 3, 4),
        Case("other numbers for start and end", Language(4, 8, 80 + seed, end=5), 4, 10, 0, 5)],
    hints=(
        "Let all texts grow by one token at a time. What to hand back of each can be settled at the end.",
        "At most `limit` times: ask continuations(prefixes), take each row's argmax, put it behind the prefixes. Stop "
        "when all sentences have said `end`. Then leave out the start token, and cut each row at its first `end`."),
    misconceptions=edits({
        "range(limit)": {"range(limit - 1)": "One token too few: do not count `start`, and cut nothing without `end`.",
            "range(limit + 1)": "One token too many: no text may have more than `limit`, its end token among them."},
        "continuations(prefixes)": {"continuations(prefixes[:, -1:])": "The model saw the last token only, not all."},
        "finished.all()": {"finished[0]": "Only the first sentence was asked whether it is over. Wait for all of them.",
            "finished.any()": "All sentences stopped when the first one ended. Go on until each has said `end`."},
        CUT: {"[token for token in row if token != end]": "You kept what came after the end tokens. Cut at the first.",
            "row": "Each sentence talks on after its end token until all are over. Cut each at its first `end`.",
            "[token for token in row if token not in (start, end)]": "You kept all but start and end: cut at `end`.",
            "row[: row.index(end) + 1] if end in row else row": "The end token is still there. Leave it out.",
            "row[: row.index(end)] if end in row else []": "A text that the limit cuts off counts as it stands."},
        "prefixes[:, 1:]": {"prefixes": "The start token is still there. It was never said: leave it out."},
        "if finished.all():\n            break\n    " + rows(CUT): {
            rows("row"): "It talks on after the end token. Cut each sentence at its first `end`."},
        "for row in rows]": {"for row in rows if end in row]": "You left out texts that the limit cuts off."},
        "(sentences, 1), start": {"(sentences, 1), 1": "The start token's number is a parameter: `start`, not 1."},
    }))  # fmt: skip

TEXT, CLOSED = "text[:-1] if text[-1] == end else text", "totals = totals.masked_fill(over, -torch.inf)"
scored = "scores, all = {}, lambda _: False".format
beam_search = Check(
    cases=lambda seed: [
        Case("one sentence of at most three tokens", Language(1, 4, 120 + seed), 1, 3, 2, 0.5),
        Case("a garden path, and a sentence that ends at once", garden_path, 2, 5, 2, 0.0),
        Case("one sentence, a beam of one", Language(1, 6, 130 + seed), 1, 8, 1, 1.0),
        Case("one sentence, a beam of two, sums compared", Language(1, 6, 131 + seed), 1, 8, 2, 0.0),
        Case("three sentences, a beam of three", Language(3, 8, 146 + seed), 3, 10, 3, 1.0),
        Case("five sentences, a beam of four", Language(5, 9, 150 + seed, haste=0.3), 5, 12, 4, 1.0),
        Case("five sentences, a strong penalty", Language(5, 9, 155 + seed, haste=0.3), 5, 12, 4, 2.0),
        Case("cut off by the limit", Language(3, 8, 160 + seed, haste=-3.0), 3, 4, 3, 1.0),
        Case("other numbers for start and end", Language(4, 8, 170 + seed, end=5), 4, 10, 3, 0.6, 0, 5),
        # Always these languages: few tell every other width, alpha and bound apart.
        Case("width and alpha left out", Language(3, 8, 180, haste=0.3), 3, 10),
        Case("one sentence, a late end wins", Language(1, 6, 2003, haste=0.3), 1, 8, 2, 2.0)],
    rtol=1e-3, atol=1e-4, hints=(
        "Keep each beam's text and sum. A step turns beams × vocabulary into the `width` best: grown from which beam?",
        "Begin with one beam, its total 0. The flattened sums and topk(width) give new totals and places: place // "
        "vocabulary is the beam, place % vocabulary the token to put behind it. Where it is `end`, or at the limit: "
        "score = total / length_penalty(length, alpha); keep the best; set that total to −∞."),
    misconceptions=edits({
        "(sentences, 1, 1), start), torch.zeros(sentences, 1)": {
            "(sentences, width, 1), start), torch.zeros(sentences, width)": "This is greedy search, whatever the "
            "width: several equal texts stay equal for ever. Begin with one."},
        TEXT: {"text": "The end token is still there. Hand back what stands before it.",
            "text[:-1]": "A text that the limit cuts off lost its last token. Cut that off only where it is `end`."},
        "(token == end) | (length == limit)": {"token == end": "Texts that the limit cuts off got lost: score them."},
        "scores = totals / length_penalty(length, alpha)": {
            scored("totals"): "Sums of different lengths were compared, so short texts win. Divide by length_penalty.",
            scored("totals / length_penalty(length - (token == end).int(), alpha)"): "The penalty's length leaves out "
            "the end token. It counts every token that was chosen, `end` among them.",
            scored("totals * length_penalty(length, alpha)"): "You multiplied by the penalty. Divide by it.",
            scored("totals / length**alpha"): "You divided by length ** alpha. Take ((5 + length) / 6) ** alpha.",
            scored("totals / ((5 + length) / 6**alpha)"): "Brackets are missing: alpha is for (5 + length) / 6."},
        "if scores[row, beam] > best[row][1]:": {"if True:": "You kept the text that was noted last, not the best.",
            "if best[row][1] == -math.inf:": "The first text to end was taken. A longer one may score higher."},
        "all(score >= bound for (_, score), bound in zip(best, most))": {
            "all(score > -math.inf for _, score in best)": "You stopped too early, when each had one finished text."},
        "(totals.amax(dim=1) / length_penalty(limit, alpha))": {
            "(totals.amax(dim=1) / length_penalty(length, alpha))": "You stopped too early: what grows may win."},
        "totals, place = (totals[..., None] + log_probabilities).flatten(1).topk(width)": {
            "every = totals[..., None] + log_probabilities\n        totals, place = every.max(dim=2) if length > 1 "
            "else every.flatten(1).topk(width)\n        place += (length > 1) * vocabulary * torch.arange(width)":
            "Each beam was continued by itself, so they never compete. Rank all of a sentence together: flatten(1).",
            "all = lambda _: False\n        totals, place = log_probabilities.flatten(1).topk(width)": "Only the last "
            "step's log-probability counts, even after an `end`. Add it to the total of the text so far.",
            "all = lambda _: False\n        totals, place = log_probabilities.masked_fill(totals[..., None].isinf(), "
            "-torch.inf).flatten(1).topk(width)": "Only the last step's log-probability counts. Add it to the total."},
        CLOSED: {"pass": "Finished texts go on growing. Once a text has ended, set its total to −∞ for good."},
        f"({TEXT}, scores[row, beam].item())\n        {CLOSED}": {
            "(text[: text.index(end)] if end in text else text, scores[row, beam].item())": "Finished "
            "texts go on growing, and are cut again. Once a text has ended, set its total to −∞ for good."},
        "prefixes[rows, parent]": {"prefixes[:, parent[0]]": "All sentences took the parents of the first: use rows.",
            "prefixes[0, parent]": "All texts were taken from the first sentence: prefixes[rows, parent].",
            "prefixes.expand(-1, width, -1)": "Tokens went behind the wrong texts: use parent."},
        "alpha=1.0": {"alpha=0.6": "Left out, alpha is 1: keep the default of the first line."},
        "prefixes, totals": {"limit -= 1\n    prefixes, totals": "One token too few: lengths run to the limit."},
        "beam, 1:]": {"beam]": "The start token is still there. It was never said: leave it out."},
    }))  # fmt: skip

CHECKS = exercises("03", {
    "layer_norm": layer_norm, "residual": residual, "decoder_block": decoder_block, "shift_right": shift_right,
    "smoothed_loss": smoothed_loss, "warm_up_rate": warm_up_rate, "greedy": greedy, "beam_search": beam_search,
})  # fmt: skip
