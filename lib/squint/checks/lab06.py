"""Lab 06, scale: what a model costs, power laws, valleys, PaLM's block, routing to experts, what chips exchange."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn, tensor

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises

# What a model costs


def shapes(seed: int) -> list[Case]:
    """Widths, blocks and hidden widths; no two of them go by the same factor."""
    return [
        Case("two wide, one block", 2, 1, 3), Case("two blocks", 4, 2, 5), Case("a GPT's shape", 48, 3, 192),
        Case("a wide network", 10, 4, 70), Case("no block at all", 6, 0, 24),
    ]  # fmt: skip


parameters = Check(
    cases=shapes,
    hints=(
        "Count one block first, part by part, as the list above does; then all blocks; then the norm behind them.",
        "attention = 4 * (dim * dim + dim); network = dim * hidden + hidden + hidden * dim + dim; norm = 2 * dim; a "
        "block has attention, network and two norms."),
    misconceptions=edits({
        "4 * (dim * dim + dim)": {
            "4 * dim * dim": "The four matrices of attention have a bias each: dim numbers more.",
            "3 * (dim * dim + dim)": "Attention has four matrices: queries, keys, values, and the output.",
            "4 * dim * dim + dim": "Each of the four matrices has a bias of its own: 4 * (dim * dim + dim).",
            "4 * (dim * dim + 1)": "A bias has dim numbers, not one."},
        "dim * hidden + hidden + hidden * dim + dim": {
            "dim * hidden + hidden * dim": "The small network's biases are missing: hidden numbers on the way in, dim "
            "on the way back.",
            "dim * hidden + hidden": "The small network has a second matrix, back from hidden to dim, and its bias.",
            "dim * hidden + dim + hidden * dim + hidden + hidden": "There are two biases, one of hidden numbers and "
            "one of dim.",
            "2 * (dim * hidden + hidden)": "The second bias has dim numbers: as many as come out.",
            "2 * (dim * hidden + dim)": "The first bias has hidden numbers: as many as come out.",
            "dim * 4 * dim + 4 * dim + 4 * dim * dim + dim": "The small network is hidden wide; that need not be "
            "4 * dim."},
        "norm = 2 * dim": {
            "norm = dim": "A norm has a gain and a bias, dim numbers each.",
            "norm = 0": "Of each block 4 · dim numbers are missing, and the 2 · dim of the norm "
            "at the end: that is all norms, or that one and the biases of attention.",
            "norm = 2": "A norm's gain and bias have dim numbers each, not one."},
        "blocks * (attention + network + 2 * norm) + norm": {
            "blocks * (attention + network + 2 * norm)": "One more norm stands behind the last block.",
            "blocks * (attention + network + norm) + norm": "A block has two norms, one before each of its parts.",
            "blocks * (attention + network + 2 * norm + norm)": "The last norm stands behind all blocks, once, not in "
            "each of them.",
            "blocks * (attention + network) + 2 * norm + norm": "Each block has its two norms.",
            "12 * blocks * dim**2": "12 · blocks · dim² is close where hidden is 4 · dim. Asked is the exact "
            "number, with `hidden`, biases and norms.",
            "attention + network + 2 * norm + norm": "That is one block. There are `blocks` of them."},
    }))  # fmt: skip

flops = Check(
    cases=lambda seed: [
        Case("two wide, one block", 2, 1, 3, context=4, vocabulary=5),
        Case("two blocks", 3, 2, 7, context=10, vocabulary=11),
        Case("the context and vocabulary of this lab", 48, 3, 192),
        Case("an odd context", 4, 5, 9, context=33, vocabulary=100),
        Case("GPT-3's shape", 12_288, 96, 49_152, context=2_048, vocabulary=50_257)],
    hints=(
        "Three kinds of products: with parameters, with the embeddings for the scores, with keys and values. Each "
        "costs six operations a token.",
        "scores = dim * vocabulary; attention = blocks * 2 * dim * context / 2; the whole is 6 * (parameters(dim, "
        "blocks, hidden) + scores + attention)."),
    misconceptions=edits({
        "dim * vocabulary": {
            "vocabulary": "A score is a sum of dim products: dim * vocabulary of them.",
            "blocks * dim * vocabulary": "The scores are made once, behind the last block, not in each.",
            "2 * dim * vocabulary": "One matrix, dim × vocabulary: its products are counted once, like a parameter's.",
            "dim * 256": "There need not be 256 tokens: `vocabulary` says how many.",
            "0": "The scores are missing: dim * vocabulary products."},
        "parameters(dim, blocks, hidden)": {
            "parameters(dim, blocks, 4 * dim)": "The small network is `hidden` wide; that need not be 4 * dim."},
        "blocks * 2 * dim * context / 2": {
            "2 * dim * context / 2": "Each block has its attention: `blocks` times as much.",
            "blocks * 2 * dim * context": "Under the causal mask a token sees half of the context on average.",
            "blocks * dim * context / 2": "A key costs dim products for its match and dim more for its value.",
            "blocks * 2 * dim * context * context / 2": "That is for all tokens of a context together. Here it is a "
            "token: it looks at context / 2 others.",
            "blocks * 2 * context / 2": "A match is a sum of dim products, all heads together.",
            "blocks * 2 * dim * 64 / 2": "A text need not have 64 tokens: `context` says how many.",
            "0": "Attention is missing: 2 * dim * context / 2 products a block."},
        "6 * (parameters(dim, blocks, hidden) + scores + attention)": {
            "2 * (parameters(dim, blocks, hidden) + scores + attention)": "That is the way forward. Training goes "
            "back, too: six operations a product.",
            "4 * (parameters(dim, blocks, hidden) + scores + attention)": "That is the way back. The way forward "
            "costs two more.",
            "3 * (parameters(dim, blocks, hidden) + scores + attention)": "A product is a multiplication and an "
            "addition: two operations, forward, and four back.",
            "parameters(dim, blocks, hidden) + scores + attention": "Those are products. Each costs six operations.",
            "6 * parameters(dim, blocks, hidden) + scores + attention": "Scores and attention cost six operations a "
            "product as well.",
            "6 * (12 * blocks * dim**2 + scores + attention)": "12 · blocks · dim² is close and not exact, and it "
            "takes hidden for 4 · dim: use `parameters`.",
            "6 * (parameters(dim, blocks, hidden) + scores + attention) * context": "That is for a whole context. "
            "Asked is a token."},
    }))  # fmt: skip

# Power laws


def losses(law: tuple[float, float, float], sizes: Sequence[float], off: Sequence[float] = ()) -> list[float]:
    """Losses on a law, each moved by some."""
    floor, slope, alpha = law
    return [floor + slope * n**-alpha + d for n, d in zip(sizes, off or [0.0] * len(sizes), strict=True)]


FAMILY = [1_760, 3_792, 6_592, 14_496, 25_472, 56_640]
OFF = [0.01, -0.02, 0.015, -0.01, 0.012, -0.004]


def laws(seed: int) -> list[Case]:
    """Losses that lie on a law, near one, and such as want a floor below zero."""
    return [
        Case("on the law 1 + 8 / N^0.5", [4, 16, 64, 256], losses((1, 8, 0.5), [4, 16, 64, 256])),
        Case("a family, near a law", FAMILY, losses((1.8, 10, 0.3), FAMILY, OFF)),
        Case("steep, far from its floor", [10, 30, 100, 400, 1_000], losses((0.5, 60, 1.2), [10, 30, 100, 400, 1_000])),
        Case("one that bends downwards, so wants a floor below zero", [10, 100, 1_000, 10_000], [3.0, 2.7, 2.3, 1.6]),
        Case("hardly falling", [10, 100, 1_000, 10_000], losses((0.5, 2, 0.02), [10, 100, 1_000, 10_000])),
        Case("falling faster than any alpha of the list", [2, 3, 5, 9], losses((1, 9, 1.8), [2, 3, 5, 9])),
        Case("hardly a floor", [10, 100, 1_000, 10_000], [4.971, 4.221, 3.433, 2.862]),
        Case("sizes that stand in no order", [900, 30, 300, 90], losses((2, 5, 0.4), [900, 30, 300, 90], OFF[:4])),
    ]  # fmt: skip


Law = tuple[float, float, float]


def search(
    wanted: Callable[[np.ndarray, np.ndarray, float], tuple[float, float, float]],
) -> Callable[[list[float], list[float]], Law]:
    """A mistake: the exponent whose last number of `wanted` (E, A, error) is least; infinite where it is out."""

    def version(sizes: list[float], losses: list[float]) -> Law:
        n, y = np.array(sizes, dtype=float), np.array(losses, dtype=float)
        tried = [(*wanted(n, y, alpha), alpha) for alpha in np.arange(2, 151) / 100]
        floor, slope, _, alpha = min(tried, key=lambda each: each[2])
        return float(floor), float(slope), float(alpha)

    return version


def fitted(n: np.ndarray, y: np.ndarray, alpha: float) -> tuple[float, float, np.ndarray]:
    """E, A and the errors of least squares, at an exponent."""
    slope, floor = np.polyfit(n**-alpha, y, 1)
    return floor, slope, floor + slope * n**-alpha - y


def no_floor(sizes: list[float], losses: list[float]) -> Law:
    """A mistake: the law without E, fitted to logarithms."""
    alpha, scale = np.polyfit(np.log(sizes), np.log(losses), 1)
    return 0.0, float(np.exp(scale)), float(-alpha)


def floor_at_the_last(n: np.ndarray, y: np.ndarray, alpha: float) -> tuple[float, float, float]:
    """A mistake: a floor below zero is moved up to zero, its slope left as it was."""
    floor, slope, error = fitted(n, y, alpha)
    return max(floor, 0.0), slope, float((error**2).sum())


fit_power = Check(
    cases=laws,
    rtol=1e-4, atol=1e-4,
    hints=(
        "For one alpha it is a straight line: over x = sizes**-alpha. Try all of them, and keep the best with E ≥ 0.",
        "In the loop: x = sizes**-alpha; A, E = np.polyfit(x, losses, 1); error = ((E + A * x - losses) ** 2).sum(); "
        "if E >= 0 and error < least: remember (E, A, alpha) and error."),
    misconceptions=edits({
        "x = sizes**-alpha": {
            "x = sizes**alpha": "The exponent is negative: A / sizes**alpha is A * sizes**-alpha.",
            "x = np.log(sizes)": "That fits a straight line over the logarithm of the size, whatever alpha is. x is "
            "the power, sizes**-alpha.",
            "x = -alpha * np.log(sizes)": "That fits a straight line over the logarithm of the size. x is the power "
            "itself, sizes**-alpha."},
        "A, E = np.polyfit": {
            "E, A = np.polyfit": "`np.polyfit` returns the slope first, and that is A; then the start, E."},
        "((E + A * x - losses) ** 2).sum()": {
            "(((E + A * x - losses) / losses) ** 2).sum()": "Those are errors relative to the losses. Add up the "
            "squares of the errors themselves.",
            "((A * x - losses) ** 2).sum()": "The law is E + A * x: E is missing in the error.",
            "((A + E * x - losses) ** 2).sum()": "E is where the line starts, and A its slope: the law is E + A * x."},
        "if E >= 0 and error < least": {
            "if error < least": "An alpha that wants E below zero is out: no loss is negative.",
            "if E >= 0 and error <= least + 1": "You keep the last alpha, not the best: compare with the least error "
            "so far, and note that each time, `least = error`.",
            "if E >= 0 and best is None": "You keep the first alpha that fits at all. Keep the one of least error.",
        },
        "best, least = (float(E), float(A), float(alpha)), error": {
            "best, least = (float(A), float(E), float(alpha)), error": "E comes before A: the order is (E, A, alpha).",
            "best, least = (float(E), float(A), -float(alpha)), error": "alpha is positive: the law has / N**alpha.",
            "best, least = (float(E), float(alpha), float(A)), error": "alpha comes last: the order is (E, A, alpha)."},
    }, versions={
        "That is a law without a floor: a straight line through the logarithms. Here E stands as well, and for each "
        "alpha `np.polyfit` finds it.": no_floor,
        "You add up the errors, and those above and below cancel. Square them first.":
        search(lambda n, y, a: (*(f := fitted(n, y, a))[:2], abs(float(f[2].sum())) if f[0] >= 0 else math.inf)),
        "You add up the errors' sizes. Least squares adds up their squares.":
        search(lambda n, y, a: (*(f := fitted(n, y, a))[:2], float(abs(f[2]).sum()) if f[0] >= 0 else math.inf)),
        "You keep the alpha whose *largest* error is least. Add up the squares.":
        search(lambda n, y, a: (*(f := fitted(n, y, a))[:2], float(abs(f[2]).max()) if f[0] >= 0 else math.inf)),
        "A floor below zero is not to be moved up to zero before the error is measured: leave that alpha out.":
        search(lambda n, y, a: (max((f := fitted(n, y, a))[0], 0.0), f[1],
                                float(((max(f[0], 0.0) + f[1] * n**-a - y) ** 2).sum()))),
        "A floor below zero is not to be moved up to zero: then the slope is no longer that of least squares. Leave "
        "that alpha out.": search(floor_at_the_last),
    }))  # fmt: skip


def over_the_size(sizes: list[float], losses: list[float]) -> float:
    """A mistake: no logarithm."""
    a, b, _ = np.polyfit(sizes, losses, 2)
    return float(-b / (2 * a))


valley = Check(
    cases=lambda seed: [
        Case("a valley at 10", [1, 10, 100], [3.0, 2.0, 3.0]),
        Case("not in the middle", [4, 12, 40, 75], [2.4, 2.1, 2.05, 2.2]),
        Case("five sizes, near a parabola", [5, 11, 19, 41, 72], [2.31, 2.22, 2.19, 2.20, 2.26]),
        Case("in no order", [81, 3, 27, 9], [2.5, 2.9, 2.3, 2.35]),
        Case("its bottom lies outside", [10, 20, 40], [3.0, 2.5, 2.2])],
    rtol=1e-3,
    hints=(
        "The parabola runs over the logarithm of the size. Where is its slope zero? That is a logarithm, too.",
        "a, b, c = np.polyfit(np.log(sizes), losses, 2); the bottom lies at x = -b / (2 * a), and the size is e to the "
        "power of that."),
    misconceptions=edits({
        "np.log(sizes), losses, 2": {
            "sizes, losses, 2": "The parabola runs over the logarithm of the size: np.log(sizes).",
            "sizes, np.log(losses), 2": "It is the sizes that are taken as logarithms, not the losses.",
            "np.log(sizes), np.log(losses), 2": "Only the sizes are taken as logarithms, not the losses."},
        "a, b, c = ": {
            "b, a, c = ": "`np.polyfit` returns the highest power first: a, b, c.",
            "c, b, a = ": "`np.polyfit` returns the powers from the highest down: a first, c last."},
        "float(np.exp(-b / (2 * a)))": {
            "float(-b / (2 * a))": "That is the bottom's logarithm. The size is np.exp of it.",
            "float(np.exp(b / (2 * a)))": "The sign: 2 a x + b = 0 gives x = −b / (2 a).",
            "float(np.exp(-b / a))": "The slope is 2 a x + b, so it is zero at −b / (2 a).",
            "float(np.exp(-b / 2 * a))": "Python divides by 2 and then multiplies by a. Put brackets around 2 * a.",
            "float(10 ** (-b / (2 * a)))": "np.log is the natural logarithm: undo it by np.exp.",
            "float(np.exp(-2 * a / b))": "It is upside down: −b / (2 a).",
            "float(c - b**2 / (4 * a))": "That is the loss at the bottom. Asked is the size there.",
            "float(np.min(losses))": "That is the least loss that was measured. Asked is the parabola's size at its "
            "bottom.",
            "float(sizes[int(np.argmin(losses))])": "That is the best of the sizes that were tried. The bottom of the "
            "parabola may lie between them."},
    }, versions={"That is a parabola over the size itself. It runs over the logarithm of the size, "
                "np.log(sizes), and e to the power of its bottom is the size.": over_the_size}))  # fmt: skip

# PaLM's block


class Halves(nn.Module):
    """A norm, attention's stand-in and a network: each looks at all of its input, and none is linear."""

    def __init__(self, draw: Draw, dim: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(draw(dim), requires_grad=False)
        self.mix = nn.Parameter(draw(dim, dim), requires_grad=False)


class Norm(Halves):
    """Each vector over its length, by a gain."""

    def forward(self, x: Tensor) -> Tensor:
        """Like an RMS norm."""
        return x / (1 + x.square().mean(dim=-1, keepdim=True)).sqrt() * self.gain


class Around(Halves):
    """What came before, summed up."""

    def forward(self, x: Tensor) -> Tensor:
        """Like attention: earlier tokens have a part in later ones."""
        return (x @ self.mix).cumsum(dim=-2).tanh()


class Alone(Halves):
    """Each vector by itself."""

    def forward(self, x: Tensor) -> Tensor:
        """Like a small network."""
        return (x @ self.mix).relu() * self.gain


def block(label: str, draw: Draw, batch: int, tokens: int, dim: int) -> Case:
    """A block's parts and what comes in."""
    return Case(label, draw(batch, tokens, dim), Norm(draw, dim), Around(draw, dim), Alone(draw, dim))


parallel_block = Check(
    cases=drawn(
        lambda draw: block("one text of two tokens", draw, 1, 2, 3),
        lambda draw: block("two texts", draw, 2, 5, 4),
        lambda draw: block("as many of everything", draw, 3, 3, 3)),
    gradients=True,
    hints=(
        "Both halves read the same thing, and what they say is added to what came in.",
        "seen = norm(x), once; then x + attention(seen) + feed_forward(seen)."),
    misconceptions=edits({
        "norm(x)": {
            "x": "Nothing was normalised. Both halves read norm(x)."},
        "x + attention(seen) + feed_forward(seen)": {
            "attention(seen) + feed_forward(seen)": "What came in is missing: the residual adds x.",
            "seen + attention(seen) + feed_forward(seen)": "The residual adds x itself, not its normalised copy.",
            "x + feed_forward(attention(seen))": "The network reads what attention says. In PaLM's block it reads the "
            "same normalised vectors as attention.",
            "x + attention(seen) + feed_forward(attention(seen))": "The network reads attention's answer. In PaLM's "
            "block both read norm(x).",
            "x + attention(seen) + feed_forward(norm(x + attention(seen)))": "That is GPT's block: the network waits "
            "for attention. Here both read norm(x).",
            "x + attention(seen) + feed_forward(x + attention(seen))": "The network waits for attention and reads the "
            "sum. Here both read norm(x).",
            "x + attention(seen) + feed_forward(x)": "The network reads x as it is. Both halves read norm(x).",
            "x + attention(x) + feed_forward(seen)": "Attention reads x as it is. Both halves read norm(x).",
            "x + attention(seen)": "The small network is missing.",
            "x + feed_forward(seen)": "Attention is missing.",
            "x + attention(seen) * feed_forward(seen)": "The halves' answers are added, not multiplied.",
            "2 * x + attention(seen) + feed_forward(seen)": "x counts once, for both halves together.",
            "norm(x + attention(seen) + feed_forward(seen))": "The norm stands before the halves, not behind the sum.",
            "x + (attention(seen) + feed_forward(seen)) / 2": "The two answers are added up, not averaged."},
    }))  # fmt: skip

# Experts


def by_score(scores: Tensor, top: int) -> tuple[Tensor, Tensor, Tensor]:
    """A mistake: the scores themselves are made to sum to one."""
    largest, chosen = scores.topk(top, dim=-1)
    p = scores.softmax(dim=-1)
    share = nn.functional.one_hot(chosen, scores.shape[-1]).to(p.dtype).mean(dim=(0, 1))
    return largest / largest.sum(dim=-1, keepdim=True), chosen, scores.shape[-1] * (share * p.mean(dim=0)).sum()


NO_PULL = {
    1: "The weights have no gradient, so the loss cannot teach the router: do not detach the probabilities.",
    2: "The balance has no gradient, so it cannot teach the router. Choices are counted and have none, but the mean "
    "probability has: leave it a tensor, and do not detach it.",
}


def both_pull(route: Callable, case: Case) -> str | None:
    """weights and balance have gradients"""
    scores, top = case.args
    if len(scores) > 1 and 1 < top < scores.shape[-1]:  # else there is nothing to teach
        scores = scores.clone().requires_grad_()
        weights, _, balance = route(scores, top)
        for part, value in ((1, weights), (2, balance)):
            if not isinstance(value, Tensor) or not value.requires_grad:
                return NO_PULL[part]
            (slope,) = torch.autograd.grad(value.flatten()[0], scores, retain_graph=True, allow_unused=True)
            if slope is None or slope.abs().sum() == 0:
                return NO_PULL[part]
    return None


route = Check(
    laws=[both_pull],
    cases=drawn(
        lambda draw: Case("probabilities 0.5, 0.3, 0.2; two are asked", tensor([[0.5, 0.3, 0.2]]).log(), 2),
        lambda draw: Case("five tokens, four experts, two are asked", 2 * draw(5, 4), 2),
        lambda draw: Case("one is asked", 2 * draw(7, 3), 1),
        lambda draw: Case("three of six are asked", draw(4, 6) + torch.arange(6.0), 3),
        lambda draw: Case("as many of everything", 2 * draw(4, 4), 4)),
    hints=(
        "Softmax first, over the experts; then the largest; then make these sum to one. For the balance you need two "
        "numbers an expert: its share of all choices, and its mean probability.",
        "largest, chosen = p.topk(top, dim=-1); weights = largest / their sum (keepdim); share = F.one_hot(chosen, n) "
        "as floats, the mean over tokens and choices; balance = n * (share * p.mean(dim=0)).sum()."),
    misconceptions=edits({
        "scores.softmax(dim=-1)": {
            "scores.softmax(dim=0)": "Softmax ran over the tokens. Each token spreads over the experts: dim=-1.",
            "scores.sigmoid()": "A sigmoid looks at each expert alone. Softmax makes a token's probabilities sum to "
            "one."},
        "p.topk(top, dim=-1)": {
            "(each.flip(-1) for each in p.topk(top, dim=-1))": "The likeliest expert stands last. It stands first.",
            "p.topk(top, dim=-1, largest=False)": "Those are the least likely experts.",
            "p[..., :top], torch.arange(top).expand(len(p), top)": "Those are the first experts, not the likeliest: "
            "topk."},
        "largest / largest.sum(dim=-1, keepdim=True)": {
            "largest": "The weights of the chosen do not sum to one. Divide them by their sum.",
            "largest.softmax(dim=-1)": "That is a softmax of probabilities, a second one. Divide by their sum.",
            "largest / largest.sum(dim=0, keepdim=True)": "Each token's weights sum to one: dim=-1.",
            "largest / largest.sum()": "All weights together sum to one, but each token's should.",
            "torch.full_like(largest, 1 / top)": "All chosen count the same. They count by their probability.",
            "largest / largest.amax(dim=-1, keepdim=True)": "Divide by the sum of the chosen, not by the largest."},
        "F.one_hot(chosen, n).to(p.dtype)": {
            "(F.one_hot(chosen, n) * weights[..., None])": "The share counts choices, each as one, whatever it "
            "weighs."},
        ".mean(dim=(0, 1))": {
            ".sum(dim=(0, 1))": "That is how many choices fell on each expert. A share is divided by all choices.",
            ".sum(dim=1).mean(dim=0)": "Shares of all choices sum to one: divide by `top`, too.",
            "[:, 0].mean(dim=0)": "Only first choices were counted. A share is one of *all* choices."},
        "balance = n * (share * p.mean(dim=0)).sum()": {
            "balance = (share * p.mean(dim=0)).sum()": "Even should be 1, and yours is 1/n of that: the number of "
            "experts is missing, or a mean stands where the sum over the experts belongs.",
            "balance = n * (share * p.sum(dim=0)).sum()": "That is the sum over the tokens. Take the mean "
            "probability.",
            "balance = n * share.sum() * p.mean(dim=0).sum()": "Multiply expert by expert, and then add up: the sum of "
            "the products is not the product of the sums.",
            "balance = n * (share * p[0]).sum()": "That is the first token's probability. Take the mean over all "
            "tokens.",
            "balance = n * (share * share).sum()": "That has no gradient: choices are counted. One of the two is the "
            "mean probability.",
            "balance = n * (p.mean(dim=0) ** 2).sum()": "One of the two is the share of choices that fell on the "
            "expert, not the probability again.",
            "balance = top * (share * p.mean(dim=0)).sum()": "n is the number of experts, not of those that are asked.",
            "balance = n * (share * p.amax(dim=0)).sum()": "Take the mean probability, not the largest.",
            "balance = n * share * p.mean(dim=0)": "The balance is one number: add up over the experts."},
        "return weights, chosen, balance": {
            "return chosen, weights, balance": "The order is weights, chosen, balance."},
    }, versions={
        "You took the scores as they come. Take their softmax first: weights are probabilities.": by_score,
    }), gradients=True)  # fmt: skip

# Chips

exchanged = Check(
    cases=lambda seed: [
        Case("two replicas", 1_000, 10, 4, 600, replicas=2),
        Case("three slices", 1_000, 10, 4, 600, slices=3),
        Case("four stages", 1_000, 10, 4, 600, stages=4),
        Case("three replicas of two slices", 5_000, 8, 6, 900, replicas=3, slices=2),
        Case("two replicas of five stages", 5_000, 8, 10, 900, replicas=2, stages=5),
        Case("four slices in two stages", 5_000, 8, 10, 900, slices=4, stages=2),
        Case("some of everything", 540_000, 18, 13, 4_200, replicas=5, slices=3, stages=4),
        Case("one chip", 1_000, 10, 4, 600)],
    rtol=1e-6, atol=1e-6,
    hints=(
        "What has a chip of each thing? Of the parameters a share 1 / (slices · stages), of the tokens 1 / replicas, "
        "of the blocks 1 / stages. A ring of n chips sends 2 (n − 1) / n times what it sums; a number has two bytes.",
        "stream = tokens / replicas * dim; gradients = ring(replicas, parameters / (slices * stages)); sums = "
        "ring(slices, stream) * 2 * blocks / stages; handed_on = 2 directions * 2 bytes * stream / slices, if there is "
        "more than one stage."),
    misconceptions=edits({
        "2 * 2 * (chips - 1) / chips * numbers": {
            "2 * (chips - 1) / chips * numbers": "One of the twos is missing: the ring goes around twice, once to add "
            "up and once to hand out, and a number has two bytes.",
            "2 * 2 * (chips - 1) * numbers": "Around the ring go parts of 1/n: 2 (n − 1) / n times what is summed.",
            "2 * 2 * numbers": "A ring of n chips sends 2 (n − 1) / n times what is summed, and nothing if n is 1.",
            "2 * 2 * chips / (chips + 1) * numbers": "The factor is (n − 1) / n: one of the n parts is the chip's own.",
            "4 * 2 * (chips - 1) / chips * numbers": "A number takes two bytes here."},
        "tokens / replicas * dim": {
            "tokens * dim": "A replica reads its part of the batch alone: tokens / replicas.",
            "tokens / replicas": "The stream has dim numbers a token.",
            "tokens / replicas * dim / stages": "Each stage sees all tokens of its replica, one after the other."},
        "ring(replicas, parameters / (slices * stages))": {
            "ring(replicas, parameters)": "A chip holds a share 1 / (slices · stages) of the parameters, and only "
            "their gradients.",
            "ring(replicas, parameters / slices)": "Stages share the parameters as well: / (slices * stages).",
            "ring(replicas, parameters / stages)": "Slices share the parameters as well: / (slices * stages).",
            "ring(replicas, parameters / (replicas * slices * stages))": "Replicas do not share the parameters: each "
            "has the gradients of its whole share, 1 / (slices · stages).",
            "ring(replicas, parameters / replicas)": "Each replica has all parameters. It is slices and stages that "
            "share them.",
            "ring(replicas * slices * stages, parameters / (slices * stages))": "Gradients are summed over the "
            "replicas only: the others hold other parameters."},
        "ring(slices, stream) * 2 * blocks / stages": {
            "ring(slices, stream) * blocks / stages": "Two sums a block: one forward, one back.",
            "ring(slices, stream) * 4 * blocks / stages": "PaLM's parallel block needs two sums, one forward and one "
            "back. Four are GPT's.",
            "ring(slices, stream) * 2 * blocks": "A chip computes the blocks of its stage only: blocks / stages.",
            "ring(slices, stream) * 2": "That is one block. A chip computes blocks / stages of them.",
            "ring(slices, stream / slices) * 2 * blocks / stages": "The whole stream is summed: every slice has an "
            "addend for each of its numbers.",
            "ring(slices, parameters) * 2 * blocks / stages": "Slices sum what a block adds to the stream, not "
            "parameters."},
        "2 * 2 * stream / slices if stages > 1 else 0": {
            "2 * 2 * stream / slices": "With one stage there is nobody to hand on to: 0.",
            "2 * stream / slices if stages > 1 else 0": "Once in each direction, two bytes a number: 2 * 2.",
            "2 * 2 * stream if stages > 1 else 0": "Where there are slices, each sends its own part: / slices.",
            "2 * 2 * stream / slices / stages if stages > 1 else 0": "A stage hands on its whole stream, not a share "
            "of it: no division by stages.",
            "2 * 2 * stream / slices * stages if stages > 1 else 0": "A chip hands on to one other stage, not to all.",
            "2 * 2 * stream / slices * (stages - 1) / stages": "Stages are no ring: a chip of a middle stage hands on "
            "its whole part, once in each direction.",
            "2 * 2 * stream / slices * (stages - 1) if stages > 1 else 0": "That is what all stages send together. "
            "Asked is one chip.",
            "2 * 2 * stream / slices * blocks / stages if stages > 1 else 0": "It is handed on at the end of a stage, "
            "once, not behind each block."},
        "return gradients, sums, handed_on": {
            "return gradients + sums + handed_on": "Return the three numbers, not their sum.",
            "return sums, gradients, handed_on": "The gradients stand first: gradients, sums, handed_on.",
            "return gradients, handed_on, sums": "The order is gradients, sums of the slices, what stages hand on."},
    }))  # fmt: skip

CHECKS = exercises("06", {
    "parameters": parameters, "flops": flops, "fit_power": fit_power, "valley": valley,
    "parallel_block": parallel_block, "route": route, "exchanged": exchanged,
})  # fmt: skip
