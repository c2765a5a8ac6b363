"""Lab 05b, learning in context: prompts of numbers, least squares, the induction score, heads switched off."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises

# Prompts of numbers


X_TOKEN, Y_TOKEN = "F.pad(xs, (0, 1))", "F.pad(ys[..., None], (xs.shape[-1], 0))"
TURNS = 'rearrange([as_x, as_y], "two batch pairs width -> batch (pairs two) width")'
interleave = Check(
    cases=drawn(
        lambda draw: Case("two pairs", tensor([[[1.0, 2.0], [3.0, 4.0]]]), tensor([[5.0, 6.0]])),
        lambda draw: Case("three prompts of four pairs", draw(3, 4, 2), draw(3, 4)),
        lambda draw: Case("x is one number", draw(2, 3, 1), draw(2, 3)),
        lambda draw: Case("one pair", tensor([[[1.0, 2.0]]]), tensor([[5.0]])),
        lambda draw: Case("as many of everything", draw(3, 3, 3), draw(3, 3))),
    gradients=True,
    hints=(
        "Make both kinds of tokens equally wide, and then let them take turns: x1, y1, x2, y2.",
        "as_x = F.pad(xs, (0, 1)); as_y = F.pad(ys[..., None], (dim, 0)); torch.stack([as_x, as_y], dim=2) is [batch, "
        "pairs, 2, dim + 1]: flatten(1, 2). Or rearrange([as_x, as_y], \"two batch pairs width -> …\")."),
    misconceptions=edits({
        X_TOKEN: {
            "F.pad(xs, (1, 0))": "The zero of an x stands in front. It stands behind: (x, 0).",
            "F.pad(xs, (0, 1), value=1.0)": "An x has a zero behind it, not a one."},
        Y_TOKEN: {
            "F.pad(ys[..., None], (3, 0))": "That fits functions of three numbers only. Ask xs how many zeros it "
            "takes, xs.shape[-1], and not a written 3 or DIM.",
            "F.pad(ys[..., None], (0, xs.shape[-1]))": "The zeros of a y stand behind. They stand in front: (0, …, 0, "
            "y).",
            "ys[..., None].expand(-1, -1, xs.shape[-1] + 1)": "y was written into every entry. It has the last one "
            "alone."},
        TURNS: {
            'rearrange([as_x, as_y], "two batch pairs width -> batch (two pairs) width")': "All x came first, then "
            "all y. They take turns: in (pairs two) the last axis runs fastest.",
            'rearrange([as_y, as_x], "two batch pairs width -> batch (pairs two) width")': "Each y came before its x.",
            'rearrange([as_x, as_y], "two batch pairs width -> batch pairs (width two)")': "Their entries were laid "
            "between each other. Whole tokens take turns.",
            "(as_x + as_y).repeat_interleave(2, dim=1)": "x and y stand in one token. Each has a token of its own."},
    }))  # fmt: skip

# The rival


def ridge(penalty: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A mistake: a penalty on w."""

    def version(xs: Tensor, ys: Tensor, asked: Tensor) -> Tensor:
        gram = xs.mT @ xs + penalty * torch.eye(xs.shape[-1]).to(xs)
        return (asked[:, None] @ torch.linalg.solve(gram, xs.mT @ ys[..., None]))[:, 0, 0]

    return version


def without_examples(guess: Callable[[Tensor], Tensor | None]) -> Callable[[Tensor, Tensor, Tensor], Tensor | None]:
    """A mistake: something else than a zero for each prompt where there is no example."""

    def version(xs: Tensor, ys: Tensor, asked: Tensor) -> Tensor | None:
        if xs.shape[1] == 0:
            return guess(asked)
        return (asked[:, None] @ (torch.linalg.pinv(xs) @ ys[..., None]))[:, 0, 0]

    return version


def column_times_row(xs: Tensor, ys: Tensor, asked: Tensor) -> Tensor:
    """A mistake where there are examples: w is still a column when it is multiplied."""
    if xs.shape[1] == 0:
        return torch.zeros(len(asked)).to(asked)
    return (torch.linalg.pinv(xs) @ ys[..., None] * asked).sum(dim=-1)


def correlation(xs: Tensor, ys: Tensor, asked: Tensor) -> Tensor:
    """A mistake: the sum of the products, without its inverse."""
    return (asked[:, None] @ (xs.mT @ ys[..., None]))[:, 0, 0]


def nearest_example(xs: Tensor, ys: Tensor, asked: Tensor) -> Tensor:
    """A mistake: the answer of the nearest example."""
    if xs.shape[1] == 0:
        return torch.zeros(len(asked)).to(asked)
    near = (xs - asked[:, None]).square().sum(dim=-1).argmin(dim=-1)
    return ys.gather(1, near[:, None])[:, 0]


def fit(label: str, draw: Draw, batch: int, k: int, dim: int) -> Case:
    """Examples of a linear function, and a point that is asked."""
    xs = draw(batch, k, dim)
    return Case(label, xs, (xs @ draw(batch, dim, 1))[..., 0], draw(batch, dim))


NOTHING: dict[str, Callable[[Tensor], Tensor | None]] = {
    "one 0": lambda asked: asked.new_zeros(()),
    "a 0 for each number": torch.zeros_like,
    "a column": lambda asked: 0 * asked[:, :1],
    "None": lambda asked: None,
}
least_squares = Check(
    cases=drawn(
        lambda draw: Case("one example, one number", tensor([[[2.0]], [[-1.0]]]), tensor([[6.0], [4.0]]),
                          tensor([[5.0], [3.0]])),
        lambda draw: fit("three prompts, fewer examples than unknowns", draw, 3, 2, 4),
        lambda draw: fit("as many of everything", draw, 3, 3, 3),
        lambda draw: fit("more examples than unknowns", draw, 4, 6, 3),
        lambda draw: Case("no example", torch.zeros(2, 0, 3), torch.zeros(2, 0), draw(2, 3)),
        lambda draw: Case("examples that no function fits", draw(2, 6, 2), draw(2, 6), draw(2, 2)),
        lambda draw: fit("one prompt", draw, 1, 4, 2)),
    rtol=1e-3, atol=1e-3,
    hints=(
        "Which w fits? The pseudoinverse says it, whether there are too few examples or too many. Then w · asked.",
        "w = torch.linalg.pinv(xs) @ ys[..., None] is [batch, dim, 1]; asked[:, None] @ w is [batch, 1, 1]."),
    misconceptions=edits({
        "torch.linalg.pinv(xs) @ ys[..., None]": {
            "torch.linalg.pinv(xs) @ ys": "`ys` is no column here: [batch, k] is taken for one matrix. Give it an axis "
            "at the end, ys[..., None].",
            "torch.linalg.pinv(xs) @ ys.mean(dim=1, keepdim=True)[..., None].expand(-1, xs.shape[1], -1)": "The mean "
            "of the answers was fitted. Fit each example's own.",
            "xs.mT @ ys[..., None] / max(1, xs.shape[1])": "That is a correlation. x's entries are not independent in "
            "a few examples: use the pseudoinverse.",
            "torch.linalg.pinv(xs[:, 1:]) @ ys[:, 1:, None]": "The first example is missing.",
            "torch.linalg.pinv(xs[:, :-1]) @ ys[:, :-1, None]": "The last example is missing.",
            "torch.linalg.pinv(xs) @ ys.flip(1)[..., None]": "The answers are in reverse order."},
        "(asked[:, None] @ w)[:, 0, 0]": {
            "(w * asked).sum(dim=-1)": "w is a column, [batch, dim, 1], and asked is [batch, dim]: they do not lie on "
            "each other. Take w's last axis off first, w[..., 0].",
            "(asked[:, None] @ w).squeeze()": "`squeeze()` takes the prompts' axis away, too, where there is one. "
            "Say which axes go: [:, 0, 0].",
            "(asked @ w)[..., 0]": "Each prompt's point met every prompt's w: [batch, dim] is taken for one matrix. "
            "Give it an axis between, asked[:, None].",
            "w[..., 0].sum(dim=-1)": "That is the sum of w. Multiply it by the point that is asked.",
            "(asked[:, None] @ w.mean(dim=0))[:, 0, 0]": "One w for all prompts. Each has its own function."},
    }, versions={
        "With examples, w is a column, [batch, dim, 1], and asked is [batch, dim]: they do not lie on each other. Take "
        "w's last axis off first, w[..., 0].": column_times_row,
        "That adds up x · y, which is a step towards w, not w: the pseudoinverse takes the x's own products out.":
        correlation,
        "That is the answer of the nearest example. Fit a function to all of them.": nearest_example,
        **{f"A penalty, of {penalty} or any other, holds w small (ridge). Least squares has none.": ridge(penalty)
           for penalty in (1, 0.5, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6)},
        **{f"Without examples you return {what}. Zeros are wanted, one for each prompt: asked.new_zeros("
           "len(asked)). Or leave the case to the pseudoinverse, which gives them by itself.": without_examples(guess)
           for what, guess in NOTHING.items()},
    }))  # fmt: skip

# Heads


def seen(label: str, draw: Draw, batch: int, heads: int, tokens: int, now: list[int], before: list[int]) -> Case:
    """What heads look at, and where the same tokens stand twice."""
    weights = (2 * draw(batch, heads, tokens, tokens)).softmax(dim=-1)  # no mask: its zeros would hide mistakes
    return Case(label, weights, tensor(now), tensor(before))


PICKED = "weights[:, :, now, before + 1].mean(dim=(0, 2))"
induction_score = Check(
    cases=drawn(
        lambda draw: seen("two texts", draw, 2, 4, 7, [4, 5, 6], [2, 0, 1]),
        lambda draw: seen("three heads, four tokens twice", draw, 1, 3, 8, [4, 5, 6, 7], [0, 1, 2, 3]),
        lambda draw: seen("only some of the places", draw, 3, 2, 10, [8, 5], [2, 1]),
        lambda draw: seen("as many of everything", draw, 4, 4, 4, [2, 3, 3, 2], [1, 0, 1, 0]),
        lambda draw: seen("one head, one token that comes again", draw, 1, 1, 4, [3], [0])),
    hints=(
        "Where should a head look, that stands at `now` and wants to know what followed the last time?",
        "weights[:, :, now, before + 1] is [batch, heads, n]: the mean over batch and places."),
    misconceptions=edits({
        PICKED: {
            "weights[:, :, now, before].mean(dim=(0, 2))": "That is where the token itself stood. What *followed* "
            "stands one further: before + 1.",
            "weights[:, :, now, before - 1].mean(dim=(0, 2))": "That is what came before it. What followed stands one "
            "further: before + 1.",
            "weights[:, :, before + 1, now].mean(dim=(0, 2))": "Queries and keys are swapped: the query stands at "
            "`now`, in the last axis but one.",
            "weights[:, :, now, now - 1].mean(dim=(0, 2))": "That looks one back from now. It should look behind where "
            "the token stood the last time.",
            "weights[:, :, now][..., before + 1].mean(dim=(0, 2, 3))": "Every place of `now` was paired with every one "
            "of `before`. The first goes with the first: weights[:, :, now, before + 1].",
            "weights[:, :, now, before + 1].sum(dim=(0, 2))": "That is the sum. Take the mean over texts and places.",
            "weights[:, :, now, before + 1].sum(dim=0).mean(dim=-1)": "The texts were added up. Take the mean "
            "over them, too.",
            "weights[:, :, now, before + 1].mean()": "One number for all heads. Each has its own: mean(dim=(0, 2)).",
            "weights[:, :, now, before + 1].mean(dim=(0, 1))": "The mean ran over the heads. Over texts and places: "
            "dim=(0, 2).",
            "weights[:, :, now, before + 1].mean(dim=-1)": "The mean ran over the places only. Take it over the texts, "
            "too: dim=(0, 2).",
            "weights[:, :, now, before + 1].mean(dim=0)": "The mean ran over the texts only. Take it over the places, "
            "too: dim=(0, 2).",
            "weights[now, before + 1].mean(dim=(0, 2))": "You look for the places along other axes. Queries and "
            "keys are the last two: weights[:, :, now, before + 1].",
            "weights[:, :, now, before + 1].amax(dim=(0, 2))": "That is the largest weight. Take the mean.",
            "weights[0][:, now, before + 1].mean(dim=-1)": "Only the first text was looked at."},
    }))  # fmt: skip


def others_are_silent(joined: Tensor, heads: list[int], part: int) -> Tensor:
    """A mistake: the named heads are all that is left."""
    kept = torch.zeros_like(joined)
    for head in heads:
        kept[..., head * part : (head + 1) * part] = joined[..., head * part : (head + 1) * part]
    return kept


SPAN = "head * part : (head + 1) * part"
silence = Check(
    cases=drawn(
        lambda draw: Case("the first of two heads", draw(3, 5, 4), [0], 2),
        lambda draw: Case("the last of three heads", draw(5, 7, 6), [2], 2),
        lambda draw: Case("two of five heads", draw(4, 5, 15), [3, 1], 3),
        lambda draw: Case("no head", draw(2, 2, 6), [], 3),
        lambda draw: Case("all heads", draw(7, 8, 6), [0, 1, 2], 2),
        lambda draw: Case("heads of four", draw(5, 12), [1], 4)),
    hints=(
        "Which numbers of the joined vector are head 0's, and which head 1's? Copy first, then write zeros.",
        "quiet = joined.clone(); for each head: quiet[..., head * part : (head + 1) * part] = 0."),
    misconceptions=edits({
        "joined.clone()": {
            "torch.zeros_like(joined)": "Everything is zero. Only the named heads say nothing."},
        "quiet[..., ": {
            "quiet[": "The zeros went along the first axis. A head's numbers lie along the last: [..., from : to].",
            "quiet[:, :, ": "That takes three axes. There may be fewer or more: write [..., from : to].",
            "quiet[:, ": "The zeros went along the second axis. A head's numbers lie along the last: "
            "[..., from : to]."},
        "for head in heads": {
            "for head in range(len(heads))": "range(len(heads)) counts the list. The heads' numbers stand in it: for "
            "head in heads."},
        SPAN: {
            "head * part : head * part + 1": "Only one number of the head is zero. It has `part` of them.",
            "head": "Only the number at place `head` is zero. A head has `part` of them, from head * part on.",
            "head :: part": "You took every `part`-th number, as if heads lay between each other. A head's numbers lie "
            "side by side: head * part : (head + 1) * part.",
            "head : head + part": "The head's numbers begin at head * part.",
            "(head + 1) * part : (head + 2) * part": "That is the next head. Heads count from 0.",
            "head :: joined.shape[-1] // part": "You took every so many-th number, as if heads lay between each other. "
            "A head's numbers lie side by side.",
            "head * part : part": "A slice ends at a place, not after a width: (head + 1) * part."},
        "return quiet": {
            "return quiet.unflatten(-1, (-1, part))": "The heads are still on an axis of their own. Lay them side by "
            "side again, in the shape of `joined`."},
    }, versions={
        "It is the other way round: the named heads are all that is left. They are the ones to be silent.":
        others_are_silent,
    }))  # fmt: skip

CHECKS = exercises("05b", {
    "interleave": interleave, "least_squares": least_squares, "induction_score": induction_score, "silence": silence,
})  # fmt: skip
