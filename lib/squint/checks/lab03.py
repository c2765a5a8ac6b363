"""Lab 03, the Transformer: what is right in each exercise, and which mistakes have names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from squint.checks.engine import Case, Check
from squint.models import seq2seq
from squint.nn.attention import MultiHeadAttention, causal_mask, padding_mask
from squint.nn.transformer import FeedForward, LayerNorm, layer_norm


def _drawer(seed: int) -> Callable[..., Tensor]:
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=dtype)

    return draw


# layer_norm


def vectors_gain_and_bias(seed: int) -> list[Case]:
    """Vectors of several shapes and sizes, the simplest first."""
    draw = _drawer(seed)

    def case(label: str, x: Tensor, **more: Any) -> Case:
        dim = x.shape[-1]
        gain, bias = 1 + 0.5 * draw(dim, dtype=x.dtype), draw(dim, dtype=x.dtype)
        return Case(label, x, gain, bias, **more)

    plain = torch.ones(4), torch.zeros(4)
    return [
        Case("one vector, gain 1 and bias 0", torch.tensor([[1.0, 2.0, 3.0, 6.0]]), *plain),
        case("one vector, any gain and bias", draw(1, 4)),
        case("two vectors", draw(2, 5)),
        case("three vectors of three", draw(3, 3)),
        case("two sentences of three words", draw(2, 3, 6)),
        case("four sentences of four words, four wide", draw(4, 4, 4)),
        case("entries around 10", 10 + 3 * draw(2, 8)),
        case("a vector whose entries are all the same", torch.full((1, 6), 2.5)),
        case("very small entries", 2e-3 * draw(2, 8)),
        case("another epsilon", draw(2, 6), epsilon=0.1),
        case("float64", draw(2, 3, 8, dtype=torch.float64)),
    ]


def _spread(x: Tensor) -> float:
    return float(x.var(dim=-1, correction=0).min())


def same_for_every_level(norm: Callable, case: Case) -> str | None:
    """one number added to all entries of a vector changes nothing"""
    x, *rest = case.args
    if torch.allclose(norm(x + 0.5, *rest, **case.kwargs), norm(x, *rest, **case.kwargs), atol=1e-2):
        return None
    return "A number added to all entries of a vector moves its mean and nothing else. Your result changes."


def same_for_every_scale(norm: Callable, case: Case) -> str | None:
    """a vector ten times as long gives the same"""
    x, *rest = case.args
    if case.kwargs or _spread(x) < 0.05:  # epsilon would count
        return None
    if torch.allclose(norm(10 * x, *rest), norm(x, *rest), atol=1e-2):
        return None
    return "A vector ten times as long should give nearly the same result, and it does not."


def each_by_itself(norm: Callable, case: Case) -> str | None:
    """a vector's result does not depend on its neighbours"""
    x, *rest = case.args
    if torch.allclose(norm(x[:1], *rest, **case.kwargs), norm(x, *rest, **case.kwargs)[:1], atol=1e-4):
        return None
    return "The first vector alone gives another result than among its neighbours. Each is normalised by itself."


def gradient_arrives(function: Callable, case: Case) -> str | None:
    """a gradient reaches every input"""
    inputs = [x.clone().requires_grad_() if _is_real(x) else x for x in case.args]
    output = function(*inputs, **case.kwargs)
    wanted = [x for x in inputs if _is_real(x)]
    if not output.requires_grad or any(
        g is None for g in torch.autograd.grad(output.square().sum(), wanted, allow_unused=True)
    ):
        return "The output is right, but no gradient reaches the inputs: do without .detach(), .item() and numpy."
    return None


def _is_real(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def _norm_over(dim: int | tuple[int, ...] | None) -> Callable:
    def norm(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
        axes = tuple(range(x.ndim)) if dim is None else dim
        centred = x - x.mean(dim=axes, keepdim=True)
        return gain * centred / (centred.square().mean(dim=axes, keepdim=True) + epsilon).sqrt() + bias

    return norm


def _norm_unbiased(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return gain * (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + epsilon).sqrt() + bias


def _norm_epsilon_outside(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return gain * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True, correction=0) + epsilon) + bias


def _norm_unbiased_and_outside(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return gain * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + epsilon) + bias


def _norm_without_epsilon(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return layer_norm(x, gain, bias, 0.0)


def _norm_own_epsilon(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return layer_norm(x, gain, bias)


def _norm_without_gain(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return layer_norm(x, torch.ones_like(gain), bias, epsilon)


def _norm_without_bias(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return layer_norm(x, gain, torch.zeros_like(bias), epsilon)


def _norm_without_either(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return layer_norm(x, torch.ones_like(gain), torch.zeros_like(bias), epsilon)


def _norm_bias_before_gain(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return gain * (layer_norm(x, torch.ones_like(gain), torch.zeros_like(bias), epsilon) + bias)


def _norm_by_variance(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return gain * centred / (centred.square().mean(-1, keepdim=True) + epsilon) + bias


def _norm_of_root_mean_square(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return gain * x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() + bias


def _norm_mean_left_in(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return gain * x / (x.var(-1, keepdim=True, correction=0) + epsilon).sqrt() + bias


def _norm_by_length(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return gain * centred / (centred.square().sum(-1, keepdim=True) + epsilon).sqrt() + bias


def _norm_without_keepdim(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    centred = x - x.mean(-1)
    return gain * centred / (centred.square().mean(-1) + epsilon).sqrt() + bias


def _norm_by_pytorch(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], gain, bias, epsilon)


def _norm_by_var(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
    return (x - mean) * torch.rsqrt(variance + epsilon) * gain + bias


def _norm_by_loops(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        mean = sum(row) / len(row)
        variance = sum((entry - mean) ** 2 for entry in row) / len(row)
        rows.append((row - mean) / (variance + epsilon) ** 0.5 * gain + bias)
    return torch.stack(rows).reshape(x.shape)


LAYER_NORM = Check(
    reference=layer_norm,
    cases=vectors_gain_and_bias,
    properties=[same_for_every_level, same_for_every_scale, each_by_itself, gradient_arrives],
    hints=(
        "Lab 00's `standardise`-like steps, for each vector by itself: which axis holds the entries of one vector?",
        """
        1. The mean of each vector: over the last axis, with keepdim=True so that it can be taken off again.
        2. The variance: the mean of the squared differences, over the same axis.
        3. Divide the differences by the root of (variance + epsilon).
        4. Times the gain, plus the bias: both have one number for each entry, and broadcast by themselves.
        """,
        """
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        return gain * centred / (variance + epsilon).sqrt() + bias
        """,
    ),
    misconceptions={
        "Mean and variance were taken over the first axis, across sentences: that is batch norm. Each vector is "
        "normalised by itself: the last axis.": _norm_over(0),
        "Mean and variance were taken over everything at once. Each vector has its own: over the last axis, "
        "keepdim=True.": _norm_over(None),
        "Mean and variance were taken over the words. Each word's vector is normalised by itself: the last axis.": (
            _norm_over(-2)
        ),
        "A sentence's words were normalised together. Each word's vector has a mean and a variance of its own.": (
            _norm_over((-2, -1))
        ),
        "The variance was divided by n − 1, as `.var()` and `.std()` do by themselves. Layer norm divides by n: say "
        "correction=0, or take the mean of the squares.": _norm_unbiased,
        "Epsilon stands outside the root. It is added to the variance, then comes the root.": _norm_epsilon_outside,
        "Two things: `.std()` divides by n − 1 (say correction=0), and epsilon belongs inside the root.": (
            _norm_unbiased_and_outside
        ),
        "Epsilon is missing: a vector whose entries are all the same divides 0 by 0. Add it to the variance.": (
            _norm_without_epsilon
        ),
        "Epsilon is a parameter of the function. Use it as it comes, not a number of your own.": _norm_own_epsilon,
        "The gain is missing: multiply the normalised entries by it.": _norm_without_gain,
        "The bias is missing: add it at the end.": _norm_without_bias,
        "Gain and bias are missing: the normalised entries times the gain, plus the bias.": _norm_without_either,
        "The bias was multiplied by the gain, too. First times the gain, then plus the bias.": _norm_bias_before_gain,
        "You divided by the variance. Its root, the standard deviation, has the units of the entries.": (
            _norm_by_variance
        ),
        "The mean was not taken off: this is the root-mean-square norm, which later models use. Subtract the mean "
        "first.": _norm_of_root_mean_square,
        "You divided x itself. Take the mean off above the line as well.": _norm_mean_left_in,
        "keepdim=True is missing: without it a vector's mean meets the wrong entries, or none at all.": (
            _norm_without_keepdim
        ),
        "You divided by the length of the vector, the root of a sum. A variance is a mean of squares.": _norm_by_length,
    },
    also_right=[_norm_by_pytorch, _norm_by_var, _norm_by_loops],
)


# residual


def times_three(x: Tensor) -> Tensor:
    """A sublayer that gives back its input times three."""
    return 3 * x


def plus_one(x: Tensor) -> Tensor:
    """A sublayer that adds one."""
    return x + 1


def nothing(x: Tensor) -> Tensor:
    """A sublayer that has nothing to add."""
    return torch.zeros_like(x)


def running_sum(x: Tensor) -> Tensor:
    """A sublayer in which words see those before them."""
    return x.cumsum(dim=-2)


def normalised(x: Tensor) -> Tensor:
    """A layer norm with gain 2 and bias 0.5."""
    return 2 * F.layer_norm(x, x.shape[-1:]) + 0.5


def sublayers_and_norms(seed: int) -> list[Case]:
    """Both orders, with sublayers of several kinds."""
    draw = _drawer(seed)
    return [
        Case("one vector, the norm first", torch.tensor([[1.0, 2.0, 3.0, 6.0]]), times_three, normalised, True),
        Case("one vector, the norm last", torch.tensor([[1.0, 2.0, 3.0, 6.0]]), times_three, normalised, False),
        Case("a sentence, the norm first", draw(3, 4), plus_one, normalised, True),
        Case("a sentence, the norm last", draw(3, 4), plus_one, normalised, False),
        Case("a batch, the norm first", draw(2, 3, 6), running_sum, normalised, True),
        Case("a batch, the norm last", draw(2, 3, 6), running_sum, normalised, False),
        Case("a sublayer with nothing to add, the norm first", draw(2, 5), nothing, normalised, True),
        Case("a sublayer with nothing to add, the norm last", draw(2, 5), nothing, normalised, False),
    ]


def pre_norm_lets_x_through(function: Callable, case: Case) -> str | None:
    """with the norm first, a sublayer that adds nothing leaves x as it is"""
    x, _, norm, _ = case.args
    if torch.allclose(function(x.clone(), nothing, norm, True), x, atol=1e-5):
        return None
    return "With the norm first and a sublayer that adds nothing, x should come out as it went in."


def post_norm_ends_with_the_norm(function: Callable, case: Case) -> str | None:
    """with the norm last, what comes out is normalised"""
    x, sublayer, norm, _ = case.args
    if torch.allclose(function(x.clone(), sublayer, norm, False).mean(-1), x.new_tensor(0.5), atol=1e-3):
        return None
    return "With the norm last, the output should be what the norm returned."


Sublayer = Callable[[Tensor], Tensor]


def residual(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    """x + sublayer(norm(x)), or norm(x + sublayer(x))."""
    return x + sublayer(norm(x)) if norm_first else norm(x + sublayer(x))


def _always_first(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return residual(x, sublayer, norm, True)


def _always_last(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return residual(x, sublayer, norm, False)


def _orders_swapped(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return residual(x, sublayer, norm, not norm_first)


def _no_residual(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return sublayer(norm(x)) if norm_first else norm(sublayer(x))


def _no_residual_when_first(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return sublayer(norm(x)) if norm_first else norm(x + sublayer(x))


def _normed_residual(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return norm(x) + sublayer(norm(x)) if norm_first else norm(x + sublayer(x))


def _norm_of_the_answer(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return x + sublayer(norm(x)) if norm_first else x + norm(sublayer(x))


def _norm_at_both_ends(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return x + sublayer(norm(x)) if norm_first else norm(x + sublayer(norm(x)))


def _multiplied(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return x * sublayer(norm(x)) if norm_first else norm(x * sublayer(x))


def _residual_in_steps(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    seen = norm(x) if norm_first else x
    total = x + sublayer(seen)
    return total if norm_first else norm(total)


def _residual_by_composition(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    before, after = (norm, torch.clone) if norm_first else (torch.clone, norm)
    return after(torch.add(sublayer(before(x)), x))


RESIDUAL = Check(
    reference=residual,
    cases=sublayers_and_norms,
    properties=[pre_norm_lets_x_through, post_norm_ends_with_the_norm],
    hints=(
        "Two formulas stand above. One `if` chooses between them.",
        """
        1. With norm_first, the sublayer sees norm(x), and what it says is added to x itself, not to norm(x).
        2. Otherwise the sublayer sees x, what it says is added to x, and the norm is taken of the sum.
        """,
        """
        if norm_first:
            return x + sublayer(norm(x))
        return norm(x + sublayer(x))
        """,
    ),
    misconceptions={
        "The norm comes first whatever was asked. Without norm_first it is the last thing: norm(x + sublayer(x)).": (
            _always_first
        ),
        "The norm comes last even where it was asked for first: then it is x + sublayer(norm(x)).": _always_last,
        "The two orders are swapped: norm_first=True means that the sublayer sees norm(x).": _orders_swapped,
        "x itself is missing: what the sublayer says is added to x.": _no_residual,
        "With the norm first, x itself is missing: what the sublayer says is added to x.": _no_residual_when_first,
        "With the norm first, you add to norm(x). The road past the sublayer must stay free: add to x itself.": (
            _normed_residual
        ),
        "With the norm last, only the sublayer's answer was normalised. Normalise the sum: norm(x + sublayer(x)).": (
            _norm_of_the_answer
        ),
        "With the norm last, there is a norm at both ends. There the sublayer sees x as it is.": _norm_at_both_ends,
        "You multiplied. A residual is a sum.": _multiplied,
    },
    also_right=[_residual_in_steps, _residual_by_composition],
)


# decoder_block


class AnyPrecision(nn.Module):
    """A module that computes in the precision of what it is given, so that one case can be tried in several."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, *rest: Any, **more: Any) -> Tensor:
        """What the inner module gives, in the precision of `x`."""
        return self.inner.to(x.dtype)(x, *rest, **more)


class Block(nn.Module):
    """What a decoder block consists of: two attentions, a small network, three norms; random and fixed.

    Its attributes are those that lab 03's `DecoderBlock` has.
    """

    def __init__(self, dim: int, heads: int, norm_first: bool, seed: int):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.attention = AnyPrecision(MultiHeadAttention(dim, heads))
            self.cross_attention = AnyPrecision(MultiHeadAttention(dim, heads))
            self.feed_forward = AnyPrecision(FeedForward(dim, 2 * dim))
            self.norms = nn.ModuleList(AnyPrecision(LayerNorm(dim)) for _ in range(3))
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.add_(0.3 * torch.randn_like(parameter))
        self.norm_first = norm_first

    def __repr__(self) -> str:
        return f"a {'pre' if self.norm_first else 'post'}-norm block"


def blocks_and_sequences(seed: int) -> list[Case]:
    """Decoder blocks of both kinds, with sentences to say and sentences to look at."""
    draw = _drawer(seed)
    real = padding_mask(torch.tensor([3, 5]), 5)
    return [
        Case("two words look at two others, the norm first", Block(4, 2, True, seed), draw(1, 2, 4), draw(1, 2, 4),
             causal_mask(2), torch.ones(1, 1, 2, dtype=torch.bool)),
        Case("two words look at two others, the norm last", Block(4, 2, False, seed + 1), draw(1, 2, 4),
             draw(1, 2, 4), causal_mask(2), torch.ones(1, 1, 2, dtype=torch.bool)),
        Case("three words look at three, one of them filling", Block(4, 2, True, seed + 2), draw(1, 3, 4),
             draw(1, 3, 4), causal_mask(3), padding_mask(torch.tensor([2]), 3)),
        Case("three words look at five others, some of them filling", Block(8, 2, True, seed + 3), draw(2, 3, 8),
             draw(2, 5, 8), causal_mask(3), real),
        Case("the same with the norm last", Block(8, 2, False, seed + 4), draw(2, 3, 8), draw(2, 5, 8),
             causal_mask(3), real),
        Case("a single word, nothing hidden", Block(8, 4, True, seed + 5), draw(2, 1, 8), draw(2, 4, 8), None, None),
    ]  # fmt: skip


def later_words_do_not_count(function: Callable, case: Case) -> str | None:
    """a word's vector does not depend on the words after it"""
    block, x, memory, mask, memory_mask = case.args
    if mask is None:
        return None
    changed = x.clone()
    changed[..., -1, :] += 1
    before, after = (function(block, y, memory, mask, memory_mask) for y in (x, changed))
    if torch.allclose(before[..., :-1, :], after[..., :-1, :], atol=1e-4):
        return None
    return "The last word was changed, and words before it changed with it. Hand `mask` to the self-attention."


def filling_does_not_count(function: Callable, case: Case) -> str | None:
    """what the memory's mask hides can change without any effect"""
    block, x, memory, mask, memory_mask = case.args
    if memory_mask is None:
        return None
    changed = torch.where(memory_mask.mT, memory, memory + 3)
    before, after = (function(block, x, m, mask, memory_mask) for m in (memory, changed))
    if torch.allclose(before, after, atol=1e-4):
        return None
    return "A source word that is only filling was changed, and your output changed with it: use `memory_mask`."


Mask = Tensor | None


def decoder_block(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    """Self-attention, cross-attention, the small network: each inside a residual."""
    first = block.norm_first
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], first)
    x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], first)
    return residual(x, block.feed_forward, block.norms[2], first)


def _wrong_block(
    attend: Callable[..., Tensor] | None = None,
    cross: Callable[..., Tensor] | None = None,
    norms: tuple[int, int, int] = (0, 1, 2),
) -> Callable[..., Tensor]:
    """A decoder block with other self-attention, cross-attention or norms."""

    def wrong(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
        look = attend or (lambda block, y, memory, mask, memory_mask: block.attention(y, mask=mask))
        over = cross or (lambda block, y, memory, mask, memory_mask: block.cross_attention(y, memory, memory_mask))
        first, (a, b, c) = block.norm_first, norms
        x = residual(x, lambda y: look(block, y, memory, mask, memory_mask), block.norms[a], first)
        x = residual(x, lambda y: over(block, y, memory, mask, memory_mask), block.norms[b], first)
        return residual(x, block.feed_forward, block.norms[c], first)

    return wrong


def _memory_through_the_norm(block: Any, y: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    return block.cross_attention(y, block.norms[1](memory), memory_mask)


def _cross_first(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    first = block.norm_first
    x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], first)
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], first)
    return residual(x, block.feed_forward, block.norms[2], first)


def _side_by_side(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    first = block.norm_first
    looked = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], first)
    over = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], first)
    return residual(looked + over - x, block.feed_forward, block.norms[2], first)


def _without_feed_forward(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    first = block.norm_first
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], first)
    return residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], first)


def _without_cross(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    first = block.norm_first
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], first)
    return residual(x, block.feed_forward, block.norms[2], first)


def _cross_without_residual(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    first, norm = block.norm_first, block.norms[1]
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], first)
    x = block.cross_attention(norm(x) if first else x, memory, memory_mask)
    return residual(x if first else norm(x), block.feed_forward, block.norms[2], first)


def _block_always_first(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], True)
    x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], True)
    return residual(x, block.feed_forward, block.norms[2], True)


def _block_written_out(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    one, two, three = block.norms
    if block.norm_first:
        y = one(x)
        x = x + block.attention(y, y, mask)
        x = x + block.cross_attention(two(x), memory, memory_mask)
        return x + block.feed_forward(three(x))
    x = one(x + block.attention(x, x, mask))
    x = two(x + block.cross_attention(x, memory, memory_mask))
    return three(x + block.feed_forward(x))


def _block_by_a_list(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    sublayers = [
        lambda y: block.attention(y, mask=mask),
        lambda y: block.cross_attention(y, context=memory, mask=memory_mask),
        block.feed_forward,
    ]
    for sublayer, norm in zip(sublayers, block.norms, strict=True):
        x = residual(x, sublayer, norm, block.norm_first)
    return x


DECODER_BLOCK = Check(
    reference=decoder_block,
    cases=blocks_and_sequences,
    properties=[later_words_do_not_count, filling_does_not_count],
    hints=(
        "It is the encoder's block above with one residual more in the middle. Who asks there, and who is looked at?",
        """
        1. A residual around block.attention: the words so far look at each other, under `mask`; norms[0].
        2. A residual around block.cross_attention: y asks, the memory is the context, under `memory_mask`; norms[1].
        3. A residual around block.feed_forward; norms[2].
        Each hands its result to the next as x.
        """,
        """
        x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)
        x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], block.norm_first)
        return residual(x, block.feed_forward, block.norms[2], block.norm_first)
        """,
    ),
    misconceptions={
        "Cross-attention got its keys and values from the decoder's own words, so the source is never read. Hand it "
        "the memory: block.cross_attention(y, memory, memory_mask).": _wrong_block(
            cross=lambda block, y, memory, mask, memory_mask: block.cross_attention(y)
        ),
        "Cross-attention looks at the decoder's own words under the causal mask: a second self-attention. Its context "
        "is the memory, its mask memory_mask.": _wrong_block(
            cross=lambda block, y, memory, mask, memory_mask: block.cross_attention(y, mask=mask)
        ),
        "In cross-attention the memory asks and the decoder's words are looked at. Turn it round: y asks, the memory "
        "is the context.": _wrong_block(
            cross=lambda block, y, memory, mask, memory_mask: block.cross_attention(memory, y)
        ),
        "block.attention did both: the look at the memory has weights of its own, block.cross_attention.": _wrong_block(
            cross=lambda block, y, memory, mask, memory_mask: block.attention(y, memory, memory_mask)
        ),
        "The memory went through the decoder's norm. It was normalised at the end of the encoder: hand it on as it "
        "is.": _wrong_block(cross=_memory_through_the_norm),
        "The self-attention has no mask, so every word sees those that come after it: mask=mask.": _wrong_block(
            attend=lambda block, y, memory, mask, memory_mask: block.attention(y)
        ),
        "Cross-attention has no mask, so it looks at the filling: hand it memory_mask.": _wrong_block(
            cross=lambda block, y, memory, mask, memory_mask: block.cross_attention(y, memory)
        ),
        "The two masks are swapped: `mask` is for the words so far, `memory_mask` for the memory.": _wrong_block(
            attend=lambda block, y, memory, mask, memory_mask: block.attention(y, mask=memory_mask),
            cross=lambda block, y, memory, mask, memory_mask: block.cross_attention(y, memory, mask),
        ),
        "One norm serves all three. Each sublayer has its own: norms[0], norms[1], norms[2].": _wrong_block(
            norms=(0, 0, 0)
        ),
        "Cross-attention came before self-attention. First the words so far look at each other, then at the memory.": (
            _cross_first
        ),
        "Self-attention and cross-attention both saw the block's input. The second should see what the first gave.": (
            _side_by_side
        ),
        "The small network at the end is missing.": _without_feed_forward,
        "Cross-attention is missing: without it the decoder never sees the source.": _without_cross,
        "Cross-attention has no residual around it: what it says is added to x.": _cross_without_residual,
        "The norm comes first even in a post-norm block: hand block.norm_first on to residual.": _block_always_first,
    },
    also_right=[_block_written_out, _block_by_a_list],
)


# shift_right


def labels_to_shift(seed: int) -> list[Case]:
    """Labels of one sentence and of several, with filling, and with another start token."""
    random = torch.Generator().manual_seed(seed)
    return [
        Case("one sentence of three tokens", torch.tensor([[5, 6, 2]])),
        Case("a single token", torch.tensor([[2]])),
        Case("two sentences, one filled up", torch.tensor([[5, 6, 7, 2], [8, 2, 0, 0]])),
        Case("another start token", torch.tensor([[5, 6, 7], [9, 8, 3]]), 4),
        Case("four sentences of four tokens", torch.randint(3, 50, (4, 4), generator=random)),
    ]


def nobody_sees_their_own_label(function: Callable, case: Case) -> str | None:
    """each place holds the label of the place before"""
    labels, *rest = case.args
    if torch.equal(function(labels, *rest)[:, 1:], labels[:, :-1]):
        return None
    return "Place t should hold the label of place t − 1."


def _starts(labels: Tensor, start: int) -> Tensor:
    return torch.full_like(labels[:, :1], start)


def _not_shifted(labels: Tensor, start: int = 1) -> Tensor:
    return labels


def _shifted_left(labels: Tensor, start: int = 1) -> Tensor:
    return torch.cat([labels[:, 1:], _starts(labels, start)], dim=1)


def _one_longer(labels: Tensor, start: int = 1) -> Tensor:
    return torch.cat([_starts(labels, start), labels], dim=1)


def _one_shorter(labels: Tensor, start: int = 1) -> Tensor:
    return labels[:, :-1]


def _rolled(labels: Tensor, start: int = 1) -> Tensor:
    return labels.roll(1, dims=1)


def _first_replaced(labels: Tensor, start: int = 1) -> Tensor:
    return torch.cat([_starts(labels, start), labels[:, 1:]], dim=1)


def _always_one(labels: Tensor, start: int = 1) -> Tensor:
    return seq2seq.shift_right(labels, 1)


def _shifted_down(labels: Tensor, start: int = 1) -> Tensor:
    return torch.cat([torch.full_like(labels[:1], start), labels[:-1]])


def _shift_by_filling(labels: Tensor, start: int = 1) -> Tensor:
    seen = torch.full_like(labels, start)
    seen[:, 1:] = labels[:, :-1]
    return seen


def _shift_by_pad(labels: Tensor, start: int = 1) -> Tensor:
    return F.pad(labels, (1, 0), value=start)[:, :-1]


def _shift_by_lists(labels: Tensor, start: int = 1) -> Tensor:
    return torch.tensor([[start, *row[:-1]] for row in labels.tolist()], device=labels.device)


SHIFT_RIGHT = Check(
    reference=seq2seq.shift_right,
    cases=labels_to_shift,
    properties=[nobody_sees_their_own_label],
    hints=(
        "Write it down for one sentence: labels a, b, end. When a is asked for, what may be seen? And when b is?",
        """
        1. A column of start tokens: as many rows as there are sentences, one wide, of the labels' dtype.
        2. All labels but the last: labels[:, :-1].
        3. Side by side, along the axis of the tokens: torch.cat.
        """,
        """
        first = torch.full_like(labels[:, :1], start)
        return torch.cat([first, labels[:, :-1]], dim=1)
        """,
    ),
    misconceptions={
        "Nothing was shifted: each place would see the very label that it is asked for, and learn to copy it.": (
            _not_shifted
        ),
        "This is shifted to the left: each place sees the label after its own. Shift to the right.": _shifted_left,
        "It is one token too long: nobody needs the last label to say anything, so leave it out.": _one_longer,
        "The start token is missing: it stands first, before all labels but the last.": _one_shorter,
        "The last label came round to the front. There belongs the start token.": _rolled,
        "Only the first label was replaced, and the others were not moved: each still sees itself.": _first_replaced,
        "The start token is a parameter of the function: use `start`, not 1.": _always_one,
        "You moved whole sentences. The tokens are the second axis: dim=1.": _shifted_down,
    },
    also_right=[_shift_by_filling, _shift_by_pad, _shift_by_lists],
)


# smoothed_loss


def logits_and_labels(seed: int) -> list[Case]:
    """Logits, labels, smoothing and the number that stands for filling."""
    draw = _drawer(seed)
    filled = torch.tensor([[4, 1, 2, 3], [3, 2, 0, 0], [2, 0, 0, 0]])
    return [
        Case("one token, no smoothing", torch.tensor([[[0.0, 1.0, 3.0]]]), torch.tensor([[2]]), 0.0),
        Case("one token, smoothing 0.1", torch.tensor([[[0.0, 1.0, 3.0]]]), torch.tensor([[2]]), 0.1),
        Case("two tokens of one sentence", draw(1, 2, 5), torch.tensor([[3, 2]]), 0.1),
        Case("three tokens of three", draw(3, 3, 3), torch.tensor([[1, 2, 1], [2, 2, 1], [1, 1, 2]]), 0.2),
        Case("sentences of several lengths, filled up", draw(3, 4, 5), filled, 0.1),
        Case("filled up, no smoothing", draw(3, 4, 5), filled, 0.0),
        Case("a sentence of nothing but filling", draw(2, 2, 5), torch.tensor([[3, 2], [0, 0]]), 0.1),
        Case("another number for filling", draw(2, 3, 6), torch.tensor([[0, 5, 4], [3, 4, 4]]), 0.1, 4),
        Case("very large logits", 150 * draw(2, 2, 5), torch.tensor([[3, 2], [1, 2]]), 0.1),
    ]


def filling_costs_nothing(loss: Callable, case: Case) -> str | None:
    """other logits where there is only filling give the same loss"""
    logits, labels, smoothing, *rest = case.args
    padding = rest[0] if rest else 0
    changed = torch.where((labels == padding)[..., None], logits.flip(-1) + 2, logits)
    if torch.allclose(loss(changed, labels, smoothing, padding), loss(logits, labels, smoothing, padding), atol=1e-4):
        return None
    return "The logits of the filling were changed, and your loss changed with them."


def _loss_reaches_the_logits(loss: Callable, case: Case) -> str | None:
    """a gradient reaches the logits"""
    logits, *rest = case.args
    logits = logits.clone().requires_grad_()
    value = loss(logits, *rest)
    if not value.requires_grad or torch.autograd.grad(value, logits, allow_unused=True)[0] is None:
        return "The loss is right, but no gradient reaches the logits: do without .item(), .tolist() and numpy."
    return None


def smoothed_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    """Mean cross-entropy of the real tokens to smoothed targets."""
    return seq2seq.label_smoothed_loss(logits, labels, smoothing, padding)


def _each(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """The smoothed loss of every token, filling among them."""
    log_probabilities = logits.log_softmax(dim=-1)
    right = log_probabilities.gather(-1, labels[..., None])[..., 0]
    return -(1 - smoothing) * right - smoothing * log_probabilities.mean(dim=-1)


def _padding_counted(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return _each(logits, labels, smoothing).mean()


def _padding_in_the_divisor(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return _each(logits, labels, smoothing).where(labels != padding, 0).mean()


def _padding_alone(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return _each(logits, labels, smoothing)[labels == padding].mean()


def _padding_always_zero(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return smoothed_loss(logits, labels, smoothing, 0)


def _not_smoothed(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return smoothed_loss(logits, labels, 0.0, padding)


def _always_a_tenth(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return smoothed_loss(logits, labels, 0.1, padding)


def _smoothed_over_others(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    vocabulary = logits.shape[-1]
    return smoothed_loss(logits, labels, smoothing * vocabulary / (vocabulary - 1), padding)


def _smoothed_by_a_sum(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    log_probabilities = logits.log_softmax(dim=-1)
    right = log_probabilities.gather(-1, labels[..., None])[..., 0]
    each = -(1 - smoothing) * right - smoothing * log_probabilities.sum(dim=-1)
    return each[labels != padding].mean()


def _shares_swapped(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return smoothed_loss(logits, labels, 1 - smoothing, padding)


def _smoothing_added(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    log_probabilities = logits.log_softmax(dim=-1)
    right = log_probabilities.gather(-1, labels[..., None])[..., 0]
    return (-right - smoothing * log_probabilities.mean(dim=-1))[labels != padding].mean()


def _summed(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return _each(logits, labels, smoothing)[labels != padding].sum()


def _mean_of_means(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    real = labels != padding
    by_sentence = _each(logits, labels, smoothing).where(real, 0).sum(dim=1) / real.sum(dim=1).clamp(min=1)
    return by_sentence.mean()


def _wrong_sign(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return -smoothed_loss(logits, labels, smoothing, padding)


def _log_of_softmax(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    log_probabilities = logits.softmax(dim=-1).log()
    right = log_probabilities.gather(-1, labels[..., None])[..., 0]
    return (-(1 - smoothing) * right - smoothing * log_probabilities.mean(dim=-1))[labels != padding].mean()


def _softmax_over_tokens(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    log_probabilities = logits.log_softmax(dim=1)
    right = log_probabilities.gather(-1, labels[..., None])[..., 0]
    return (-(1 - smoothing) * right - smoothing * log_probabilities.mean(dim=-1))[labels != padding].mean()


def _raw_logits(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    right = logits.gather(-1, labels[..., None])[..., 0]
    return (-(1 - smoothing) * right - smoothing * logits.mean(dim=-1))[labels != padding].mean()


def _loss_by_pytorch(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    return F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=padding, label_smoothing=smoothing, reduction="mean"
    )


def _loss_by_targets(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    vocabulary = logits.shape[-1]
    target = (1 - smoothing) * F.one_hot(labels, vocabulary) + smoothing / vocabulary
    each = -(target.to(logits.dtype) * F.log_softmax(logits, dim=-1)).sum(dim=-1)
    real = (labels != padding).to(logits.dtype)
    return (each * real).sum() / real.sum()


def _loss_by_loops(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    losses = []
    for sentence, wanted in zip(logits, labels, strict=True):
        for row, label in zip(sentence, wanted.tolist(), strict=True):
            if label != padding:
                log_probability = row - torch.logsumexp(row, 0)
                losses.append(-(1 - smoothing) * log_probability[label] - smoothing * log_probability.mean())
    return torch.stack(losses).mean()


SMOOTHED_LOSS = Check(
    reference=smoothed_loss,
    cases=logits_and_labels,
    properties=[filling_costs_nothing, _loss_reaches_the_logits],
    hints=(
        "Find the loss of every token first, as a table of [batch, tokens]. Smoothing is a mixture of two things that "
        "you can read off the log-probabilities. What to do with the filling comes last.",
        """
        1. log_probabilities = logits.log_softmax(dim=-1)
        2. right: the log-probability of each label. `gather` picks one entry from each row; `labels[..., None]`
           gives it the axis that it wants, and `[..., 0]` takes that axis off again.
        3. spread: the mean of all log-probabilities of a place.
        4. Each token's loss: −(1 − smoothing) · right − smoothing · spread.
        5. Keep those where labels != padding, and take their mean.
        """,
        """
        log_probabilities = logits.log_softmax(dim=-1)
        right = log_probabilities.gather(-1, labels[..., None])[..., 0]
        spread = log_probabilities.mean(dim=-1)
        each = -(1 - smoothing) * right - smoothing * spread
        return each[labels != padding].mean()
        """,
    ),
    misconceptions={
        "The filling is counted. Take the mean over those places where labels != padding.": _padding_counted,
        "The filling costs nothing, but is still counted: divide by the number of real tokens, not of all places.": (
            _padding_in_the_divisor
        ),
        "You kept the filling and left out the words: real tokens are where labels != padding.": _padding_alone,
        "The number that stands for filling is a parameter: compare labels with `padding`, not with 0.": (
            _padding_always_zero
        ),
        "This is the plain cross-entropy: smoothing is not used.": _not_smoothed,
        "Smoothing is a parameter of the function: use it as it comes, not 0.1.": _always_a_tenth,
        "The spread share went to the wrong tokens only. It goes to all alike, the label among them: "
        "smoothing / vocabulary each.": _smoothed_over_others,
        "Every token got the whole share. It is shared out: smoothing / vocabulary each, so take the mean of the "
        "log-probabilities, not their sum.": _smoothed_by_a_sum,
        "The two shares are swapped: the label gets 1 − smoothing, and all tokens together share smoothing.": (
            _shares_swapped
        ),
        "The target adds up to more than one: the label's share must give up what is spread, 1 − smoothing.": (
            _smoothing_added
        ),
        "This is the sum over all tokens. Take their mean, so that long sentences do not make long steps.": _summed,
        "You averaged within each sentence first. All real tokens count alike: one mean over all of them.": (
            _mean_of_means
        ),
        "The sign is wrong: a loss is minus the log-probability.": _wrong_sign,
        "With large logits a probability rounds to 0, and its log is −∞. Take `log_softmax`, which never divides.": (
            _log_of_softmax
        ),
        "The softmax ran over the tokens. At every place the vocabulary's probabilities sum to one: dim=-1.": (
            _softmax_over_tokens
        ),
        "These are raw logits. Turn them into log-probabilities first: log_softmax.": _raw_logits,
    },
    also_right=[_loss_by_pytorch, _loss_by_targets, _loss_by_loops],
)


# warm_up_rate


def steps_and_widths(seed: int) -> list[Case]:
    """Steps before, at and after the peak."""
    return [
        Case("the first step", 1, 512, 4000),
        Case("halfway up", 2000, 512, 4000),
        Case("the peak", 4000, 512, 4000),
        Case("four times as far", 16_000, 512, 4000),
        Case("a narrow model on its way up", 30, 64, 100),
        Case("a narrow model on its way down", 700, 64, 100),
    ]


def highest_at_the_end_of_the_climb(rate: Callable, case: Case) -> str | None:
    """no step has a higher rate than the last one of the climb"""
    _, dim, warmup = case.args
    peak = float(rate(warmup, dim, warmup))
    if all(float(rate(step, dim, warmup)) <= peak * 1.0001 for step in (1, warmup - 1, warmup + 1, 3 * warmup)):
        return None
    return "The rate should be highest at step = warmup."


def _only_climbs(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * step * warmup**-1.5


def _only_falls(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * step**-0.5


def _larger_of_both(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * max(step**-0.5, step * warmup**-1.5)


def _width_forgotten(step: int, dim: int, warmup: int = 4000) -> float:
    return min(step**-0.5, step * warmup**-1.5)


def _width_multiplied(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**0.5 * min(step**-0.5, step * warmup**-1.5)


def _climbs_too_fast(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * min(step**-0.5, step * warmup**-0.5)


def _peak_of_one(step: int, dim: int, warmup: int = 4000) -> float:
    return min(step / warmup, (warmup / step) ** 0.5)


def _stays_at_the_peak(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * min(warmup**-0.5, step * warmup**-1.5)


def _counts_from_zero(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * min((step + 1) ** -0.5, (step + 1) * warmup**-1.5)


def _zero_at_first(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * min(max(step - 1, 1e-9) ** -0.5, (step - 1) * warmup**-1.5)


def _warm_up_always_4000(step: int, dim: int, warmup: int = 4000) -> float:
    return seq2seq.warm_up_rate(step, dim)


def _falls_straight(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * min(warmup**0.5 / step, step * warmup**-1.5)


def _rate_by_cases(step: int, dim: int, warmup: int = 4000) -> float:
    peak = 1 / math.sqrt(dim * warmup)
    if step < warmup:
        return peak * step / warmup
    return peak * math.sqrt(warmup / step)


def _rate_by_torch(step: int, dim: int, warmup: int = 4000) -> Tensor:
    place = torch.tensor(float(step), dtype=torch.float64)
    return torch.minimum(place.rsqrt(), place / warmup**1.5) / dim**0.5


WARM_UP_RATE = Check(
    reference=seq2seq.warm_up_rate,
    cases=steps_and_widths,
    properties=[highest_at_the_end_of_the_climb],
    atol=1e-12,
    hints=(
        "The formula stands above: two curves, and the smaller of them.",
        """
        1. The fall: step to the power −0.5.
        2. The climb: step times (warmup to the power −1.5).
        3. The smaller of the two, times dim to the power −0.5. `**` binds tighter than a minus before it, and
           `step**-0.5` is fine.
        """,
        """
        return dim**-0.5 * min(step**-0.5, step * warmup**-1.5)
        """,
    ),
    misconceptions={
        "It never stops climbing. After the warm-up the rate falls as 1/√step: take the smaller of the two.": (
            _only_climbs
        ),
        "There is no warm-up: the first step is the largest. Take the smaller of the climb and the fall.": _only_falls,
        "You took the larger of the two. The smaller one climbs first and falls later: min.": _larger_of_both,
        "The width is missing: the whole is multiplied by dim to the power −0.5.": _width_forgotten,
        "Wider models get smaller steps: dim to the power −0.5, not 0.5.": _width_multiplied,
        "The climb is too steep: step times warmup to the power −1.5, so that both curves meet at step = warmup.": (
            _climbs_too_fast
        ),
        "This is the schedule in units of its peak. The paper's is a rate in absolute units: dim and warmup set its "
        "height.": _peak_of_one,
        "It stays at its peak. After the warm-up the rate should fall as 1/√step.": _stays_at_the_peak,
        "You count steps from zero. Here the first step is 1: use step as it comes.": _counts_from_zero,
        "The first step has the rate zero and learns nothing. Steps count from 1: use step as it comes.": (
            _zero_at_first
        ),
        "The length of the warm-up is a parameter: use `warmup`, not 4000.": _warm_up_always_4000,
        "It falls as 1/step. It should fall as 1/√step.": _falls_straight,
    },
    also_right=[_rate_by_cases, _rate_by_torch],
)


# greedy and beam_search


class Language(nn.Module):
    """An invented language: what may follow a text, drawn at random once and for all.

    It is called as the lab's models are: prefixes of `[sentences, …, length]` give log-probabilities of
    `[sentences, …, vocabulary]`. Each sentence has probabilities of its own, and every earlier token counts.
    """

    def __init__(self, sentences: int, vocabulary: int, seed: int, end: int = 2, haste: float = 0.5):
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.tokens: Tensor
        self.sentences: Tensor
        self.out: Tensor
        self.end, self.haste = end, haste
        self.register_buffer("tokens", torch.randn(16, vocabulary, 12, generator=random))
        self.register_buffer("sentences", torch.randn(sentences, 12, generator=random))
        self.register_buffer("out", torch.randn(12, vocabulary, generator=random))

    def forward(self, prefixes: Tensor) -> Tensor:
        """The log-probability of every next token.

        Raises:
            ValueError: if there is not one row of prefixes for each sentence.
        """
        prefixes = torch.as_tensor(prefixes)
        if prefixes.shape[:1] != self.sentences.shape[:1]:
            raise ValueError(
                f"there are {len(self.sentences)} sentences, and the prefixes' first axis has {prefixes.shape[0]}"
            )
        place = torch.arange(prefixes.shape[-1], device=self.tokens.device) % len(self.tokens)
        state = self.tokens[place, prefixes.to(self.tokens.device)].sum(dim=-2)
        middle = (None,) * (prefixes.ndim - 2)
        logits = (state + self.sentences[(slice(None), *middle)]).tanh() @ self.out
        logits[..., self.end] += self.haste * (prefixes.shape[-1] - 3)
        return logits.log_softmax(dim=-1).to(prefixes.device)

    def __repr__(self) -> str:
        return f"a language of {self.tokens.shape[1]} tokens"


class GardenPath(nn.Module):
    """Four tokens, two sentences: the likeliest first token leads to nothing likely, the second likeliest does.

    With <s> = 1 and </s> = 2: after <s>, token 3 has probability 0.5 and token 4 has 0.4. After 3 all are about
    equally likely; after 4, token 5 is nearly certain, and then the end. The second sentence ends at once.
    """

    def forward(self, prefixes: Tensor) -> Tensor:
        """The log-probability of every next token."""
        prefixes = torch.as_tensor(prefixes)
        last = prefixes[..., -1]
        # No two of a row are equal, so that there is one right answer.
        table = torch.tensor([0.11, 0.14, 0.16, 0.18, 0.20, 0.21]).repeat(6, 1)
        table[1] = torch.tensor([0.01, 0.02, 0.03, 0.50, 0.40, 0.04])
        table[4] = torch.tensor([0.01, 0.02, 0.03, 0.015, 0.025, 0.90])
        table[5] = torch.tensor([0.01, 0.015, 0.90, 0.025, 0.03, 0.02])
        probabilities = table.to(last.device)[last]
        hasty = torch.tensor([0.01, 0.015, 0.90, 0.04, 0.03, 0.005], device=last.device)
        second = torch.arange(len(prefixes), device=last.device).view(-1, *(1,) * last.ndim) == 1
        return torch.where(second, hasty, probabilities).log()

    def __repr__(self) -> str:
        return "a garden path"


Continuations = Callable[[Tensor], Tensor]


def greedy(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list[list[int]]:
    """Always the likeliest next token, for all sentences together."""
    prefixes = torch.full((sentences, 1), start)
    finished = torch.zeros(sentences, dtype=torch.bool)
    for _ in range(limit):
        token = continuations(prefixes).argmax(dim=-1)
        prefixes = torch.cat([prefixes, token[:, None]], dim=1)
        finished |= token == end
        if finished.all():
            break
    return [_up_to(end, row) for row in prefixes[:, 1:].tolist()]


def _up_to(end: int, tokens: list[int]) -> list[int]:
    return tokens[: tokens.index(end)] if end in tokens else tokens


def sentences_to_finish(seed: int) -> list[Case]:
    """Sentences that end early, late, or never within the limit."""
    return [
        Case("a garden path, and a sentence that ends at once", GardenPath(), 2, 5),
        Case("one sentence", Language(1, 6, 30 + seed), 1, 8),
        Case("two sentences", Language(2, 6, 41 + seed), 2, 8),
        Case("five sentences", Language(5, 8, 50 + seed), 5, 12),
        Case("a limit of one token", Language(3, 8, 60 + seed), 3, 1),
        Case("cut off by the limit", Language(3, 8, 70 + seed, haste=-3.0), 3, 4),
        Case("other numbers for start and end", Language(4, 8, 80 + seed, end=5), 4, 10, 0, 5),
    ]


def every_token_is_the_likeliest(function: Callable, case: Case) -> str | None:
    """no other token was likelier after those before it"""
    continuations, sentences, limit, *rest = case.args
    start, end = rest or (1, 2)
    found = [[int(token) for token in tokens] for tokens in function(*case.args)]
    longest = max(map(len, found), default=0)
    said = torch.full((sentences, longest + 1), start)
    for row, tokens in enumerate(found):
        said[row, 1 : len(tokens) + 1] = torch.tensor(tokens, dtype=torch.long)
    for length in range(1, longest + 2):
        best = continuations(said[:, :length]).argmax(dim=-1).tolist()
        for row, tokens in enumerate(found):
            if length <= len(tokens) and best[row] != tokens[length - 1]:
                return f"In sentence {row}, token {length - 1} is not the likeliest after those before it."
            if length == len(tokens) + 1 <= limit and best[row] != end:
                return f"Sentence {row} stops although the end token is not the likeliest."
    return None


def _never_stops(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    prefixes = torch.full((sentences, 1), start)
    for _ in range(limit):
        prefixes = torch.cat([prefixes, continuations(prefixes).argmax(dim=-1)[:, None]], dim=1)
    return prefixes[:, 1:].tolist()


def _end_filtered(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    said = _never_stops(continuations, sentences, limit, start, end)
    return [[token for token in row if token != end] for row in said]


def _end_kept(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    said = _never_stops(continuations, sentences, limit, start, end)
    return [row[: row.index(end) + 1] if end in row else row for row in said]


def _start_kept(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    return [[start, *row] for row in greedy(continuations, sentences, limit, start, end)]


def _last_token_only(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    return greedy(lambda prefixes: continuations(prefixes[..., -1:]), sentences, limit, start, end)


def _all_stop_together(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    prefixes = torch.full((sentences, 1), start)
    for _ in range(limit):
        token = continuations(prefixes).argmax(dim=-1)
        prefixes = torch.cat([prefixes, token[:, None]], dim=1)
        if (token == end).any():
            break
    return [_up_to(end, row) for row in prefixes[:, 1:].tolist()]


def _limit_counts_start(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    return greedy(continuations, sentences, limit - 1, start, end)


def _limit_plus_one(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    return greedy(continuations, sentences, limit + 1, start, end)


def _least_likely(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    return greedy(lambda prefixes: -continuations(prefixes), sentences, limit, start, end)


def _own_start_and_end(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    return greedy(continuations, sentences, limit)


def _greedy_with_lists(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    texts: list[list[int]] = [[start] for _ in range(sentences)]
    open_ = set(range(sentences))
    while open_ and len(texts[0]) <= limit:
        for row, token in enumerate(continuations(torch.tensor(texts)).max(dim=-1).indices.tolist()):
            texts[row].append(token)
            if token == end:
                open_.discard(row)
    return [_up_to(end, text[1:]) for text in texts]


def _greedy_in_place(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
    said = torch.full((sentences, limit + 1), end)
    said[:, 0] = start
    alive = torch.ones(sentences, dtype=torch.bool)
    for at in range(1, limit + 1):
        token = torch.topk(continuations(said[:, :at]), 1, dim=-1).indices[:, 0]
        said[alive, at] = token[alive]
        alive = alive & (token != end)
        if not bool(alive.any()):
            break
    return [row[1:][row[1:] != end] for row in said]


GREEDY = Check(
    reference=greedy,
    cases=sentences_to_finish,
    properties=[every_token_is_the_likeliest],
    hints=(
        "Begin with one start token for each sentence, and make the texts longer by one token at a time. Which "
        "sentences are over, and what is to be handed back of them, can be settled at the end.",
        """
        1. prefixes: [sentences, 1], all `start`.
        2. At most `limit` times: ask continuations(prefixes) for log-probabilities, take each row's argmax, and put it
           behind the prefixes with torch.cat.
        3. Remember which sentences have said `end`; stop when all have. A sentence that is over may go on growing.
        4. For each row: leave out the start token, and cut at the first `end`, if there is one.
        """,
        """
        prefixes = torch.full((sentences, 1), start)
        finished = torch.zeros(sentences, dtype=torch.bool)
        for _ in range(limit):
            token = continuations(prefixes).argmax(dim=-1)
            prefixes = torch.cat([prefixes, token[:, None]], dim=1)
            finished = finished | (token == end)
            if finished.all():
                break
        rows = prefixes[:, 1:].tolist()
        return [row[: row.index(end)] if end in row else row for row in rows]
        """,
    ),
    misconceptions={
        "It talks on after the end token. Cut each sentence at its first `end`.": _never_stops,
        "You left out the end tokens and kept what came after them. Cut each sentence at its first `end`.": (
            _end_filtered
        ),
        "The end token is still there. Hand back what stands before it.": _end_kept,
        "The start token is still there. It was never said: leave it out.": _start_kept,
        "The model saw the last token only. What comes next depends on all tokens so far: hand over the whole "
        "prefixes.": _last_token_only,
        "All sentences stopped when the first one ended. Go on until each has said `end`, or to the limit.": (
            _all_stop_together
        ),
        "One token too few: the limit does not count the start token.": _limit_counts_start,
        "One token too many: no sentence may have more than `limit` tokens, its end token among them.": _limit_plus_one,
        "These are the least likely tokens: take the largest log-probability, argmax.": _least_likely,
        "The numbers of the start and end tokens are parameters: use `start` and `end`, not 1 and 2.": (
            _own_start_and_end
        ),
    },
    also_right=[_greedy_with_lists, _greedy_in_place],
)


def penalty(length: int, alpha: float) -> float:
    """The length penalty of Wu et al. 2016, eq. 14."""
    return ((5 + length) / 6) ** alpha


Found = list[tuple[list[int], float]]


def beam_search(
    continuations: Continuations,
    sentences: int,
    limit: int,
    width: int = 4,
    alpha: float = 1.0,
    start: int = 1,
    end: int = 2,
) -> Found:
    """For each sentence the best finished text that a beam of `width` finds, and its score."""
    prefixes = torch.full((sentences, 1, 1), start)
    totals = torch.zeros(sentences, 1)
    best: Found = [([], -math.inf)] * sentences
    for length in range(1, limit + 1):
        log_probabilities = continuations(prefixes)
        totals, place = (totals[..., None] + log_probabilities).flatten(1).topk(width)
        parent, token = place // log_probabilities.shape[-1], place % log_probabilities.shape[-1]
        grown = prefixes.gather(1, parent[..., None].expand(-1, -1, length))
        prefixes = torch.cat([grown, token[..., None]], dim=2)
        over = (token == end) | (length == limit)
        scores = totals / penalty(length, alpha)
        for row, beam in over.nonzero().tolist():
            if scores[row, beam] > best[row][1]:
                best[row] = (_up_to(end, prefixes[row, beam, 1:].tolist()), float(scores[row, beam]))
        totals = totals.masked_fill(over, -torch.inf)
        still_possible = totals.amax(dim=1) / penalty(limit, alpha)
        if all(score >= bound for (_, score), bound in zip(best, still_possible.tolist(), strict=True)):
            break
    return best


def sentences_for_beams(seed: int) -> list[Case]:
    """Languages, widths and penalties."""
    return [
        Case("a garden path, and a sentence that ends at once", GardenPath(), 2, 5, 2, 0.0),
        Case("one sentence, a beam of one", Language(1, 6, 130 + seed), 1, 8, 1),
        Case("one sentence, a beam of two, sums compared", Language(1, 6, 131 + seed), 1, 8, 2, 0.0),
        Case("three sentences, a beam of three", Language(3, 8, 146 + seed), 3, 10, 3),
        Case("five sentences, a beam of four", Language(5, 9, 150 + seed, haste=0.3), 5, 12, 4),
        Case("five sentences, a strong penalty", Language(5, 9, 155 + seed, haste=0.3), 5, 12, 4, 2.0),
        Case("cut off by the limit", Language(3, 8, 160 + seed, haste=-3.0), 3, 4, 3),
        Case("other numbers for start and end", Language(4, 8, 170 + seed, end=5), 4, 10, 3, 0.6, 0, 5),
    ]


def _settings(case: Case) -> tuple[int, float, int, int]:
    """A case's width, alpha, start and end, the defaults where it does not say."""
    given: list[Any] = list(case.args[3:])
    width, alpha, start, end = given + [4, 1.0, 1, 2][len(given) :]
    return width, alpha, start, end


def _log_probability(continuations: Continuations, case: Case, row: int, tokens: list[int]) -> float:
    """Of one sentence's tokens together, the end token among them if there is room for it."""
    _, sentences, limit, *_ = case.args
    _, _, start, end = _settings(case)
    text = [*tokens, end] if len(tokens) < limit else tokens
    total = 0.0
    for length, token in enumerate(text, start=1):
        prefix = torch.tensor([start, *text[: length - 1]]).expand(sentences, -1)
        total += float(continuations(prefix)[row, token])
    return total


def width_one_is_greedy(function: Callable, case: Case) -> str | None:
    """a beam of one is greedy search"""
    continuations, sentences, limit, *_ = case.args
    _, alpha, start, end = _settings(case)
    found = function(continuations, sentences, limit, 1, alpha, start, end)
    alone = [[int(token) for token in tokens] for tokens, _ in found]
    if alone == greedy(continuations, sentences, limit, start, end):
        return None
    return "A beam of width one should find what greedy search finds, and it does not."


def not_below_greedy(function: Callable, case: Case) -> str | None:
    """on these sentences, the best score is not below greedy's"""
    continuations, sentences, limit, *_ = case.args
    _, alpha, start, end = _settings(case)
    greedily = greedy(continuations, sentences, limit, start, end)
    for row, ((_, score), tokens) in enumerate(zip(function(*case.args), greedily, strict=True)):
        length = min(len(tokens) + 1, limit)
        if float(score) < _log_probability(continuations, case, row, tokens) / penalty(length, alpha) - 1e-4:
            return f"In sentence {row} greedy search found something better than the beam did."
    return None


def the_score_is_the_texts_own(function: Callable, case: Case) -> str | None:
    """the score is the text's log-probability divided by the penalty"""
    continuations, _, limit, *_ = case.args
    for row, (tokens, score) in enumerate(function(*case.args)):
        tokens = [int(token) for token in tokens]
        length = min(len(tokens) + 1, limit)
        own = _log_probability(continuations, case, row, tokens) / penalty(length, _settings(case)[1])
        if abs(own - float(score)) > 1e-3:
            return f"In sentence {row} the score {float(score):.4g} is not that of its text, {own:.4g}."
    return None


def _search(
    *,
    pick: Callable[[Tensor, int], Tensor] | None = None,
    reorder: bool = True,
    divide: Callable[[float, int, float], float] | None = None,
    first_end_wins: bool = False,
    ended_go_on: bool = False,
    identical_start: bool = False,
    accumulate: bool = True,
    keep_end: bool = False,
    drop_unfinished: bool = False,
    last_only: bool = False,
    any_start: bool = True,
) -> Callable[..., Found]:
    """A beam search with one thing wrong."""
    score_of = divide or (lambda total, length, alpha: total / penalty(length, alpha))

    def wrong(
        continuations: Continuations, sentences: int, limit: int, width: int = 4, alpha: float = 1.0, start: int = 1,
        end: int = 2,
    ) -> Found:  # fmt: skip
        start, end = (start, end) if any_start else (1, 2)
        beams = width if identical_start else 1
        prefixes, totals = torch.full((sentences, beams, 1), start), torch.zeros(sentences, beams)
        best: Found = [([], -math.inf)] * sentences
        for length in range(1, limit + 1):
            log_probabilities = continuations(prefixes[..., -1:] if last_only else prefixes)
            vocabulary = log_probabilities.shape[-1]
            every = totals[..., None] + log_probabilities if accumulate else log_probabilities + 0 * totals[..., None]
            every = every.masked_fill(totals[..., None] == -math.inf, -math.inf)
            place = pick(every, width) if pick else every.flatten(1).topk(width).indices
            totals, parent, token = every.flatten(1).gather(1, place), place // vocabulary, place % vocabulary
            if reorder:
                prefixes = prefixes.gather(1, parent[..., None].expand(-1, -1, length))
            elif prefixes.shape[1] != width:
                prefixes = prefixes.expand(-1, width, -1)
            prefixes = torch.cat([prefixes, token[..., None]], dim=2)
            ended = token == end
            over = ended if drop_unfinished else ended | torch.tensor(length == limit)
            for row, beam in over.nonzero().tolist():
                total, text = float(totals[row, beam]), prefixes[row, beam, 1:].tolist()
                score = score_of(total, length, alpha)
                if first_end_wins and best[row][1] > -math.inf:
                    continue
                if score > best[row][1]:
                    text = text if keep_end else text[:-1] if text[-1] == end else text
                    best[row] = (text, score)
            if not ended_go_on:
                totals = totals.masked_fill(over, -torch.inf)
        return best

    return wrong


def _tokens_alone(
    continuations: Continuations, sentences: int, limit: int, width: int = 4, alpha: float = 1.0, start: int = 1,
    end: int = 2,
) -> list[list[int]]:  # fmt: skip
    return [tokens for tokens, _ in beam_search(continuations, sentences, limit, width, alpha, start, end)]


def _best_of_each(every: Tensor, width: int) -> Tensor:
    """The likeliest continuation of each beam, by itself; from one beam, the likeliest of all."""
    sentences, beams, vocabulary = every.shape
    if beams == 1:
        return every.flatten(1).topk(width).indices
    return every.argmax(dim=-1) + vocabulary * torch.arange(beams, device=every.device)


def _shared_by_sentences(every: Tensor, width: int) -> Tensor:
    """The continuations that are likeliest in the first sentence, for all sentences."""
    return every.flatten(1)[:1].topk(width).indices.expand(len(every), -1)


def _beam_with_lists(
    continuations: Continuations, sentences: int, limit: int, width: int = 4, alpha: float = 1.0, start: int = 1,
    end: int = 2,
) -> Found:  # fmt: skip
    beams: list[list[tuple[float, list[int]]]] = [[(0.0, [start])] for _ in range(sentences)]
    finished: list[Found] = [[] for _ in range(sentences)]
    for length in range(1, limit + 1):
        table = torch.full((sentences, width, length), start)
        for row, beam in enumerate(beams):
            for place, (_, text) in enumerate(beam):
                table[row, place] = torch.tensor(text)
        log_probabilities = continuations(table).tolist()
        for row, beam in enumerate(beams):
            grown = [
                (total + step, [*text, token])
                for place, (total, text) in enumerate(beam)
                for token, step in enumerate(log_probabilities[row][place])
            ]
            grown = sorted(grown, reverse=True)[:width]
            for total, text in grown:
                if text[-1] == end or length == limit:
                    finished[row].append((_up_to(end, text[1:]), total / penalty(length, alpha)))
            beams[row] = [(total, text) for total, text in grown if text[-1] != end]
        if not any(beams):
            break
    return [max(several, key=lambda each: each[1]) for several in finished]


def _beam_from_copies(
    continuations: Continuations, sentences: int, limit: int, width: int = 4, alpha: float = 1.0, start: int = 1,
    end: int = 2,
) -> Found:  # fmt: skip
    """All beams there from the beginning, all but one of them impossible; never stops early; scores in tensors."""
    rows = torch.arange(sentences)[:, None]
    texts = torch.full((sentences, width, limit + 1), end)
    texts[..., 0] = start
    totals = torch.full((sentences, width), -math.inf)
    totals[:, 0] = 0
    scores, answers = torch.full((sentences,), -math.inf), texts[:, 0].clone()
    for length in range(1, limit + 1):
        step = continuations(texts[..., :length])
        totals, place = (totals.unsqueeze(-1) + step).reshape(sentences, -1).sort(descending=True, stable=True)
        totals, place = totals[:, :width], place[:, :width]
        texts = texts[rows, torch.div(place, step.shape[-1], rounding_mode="floor")].clone()
        texts[..., length] = place % step.shape[-1]
        over = (texts[..., length] == end) if length < limit else torch.ones_like(totals, dtype=torch.bool)
        candidate, which = torch.where(over, totals / penalty(length, alpha), -math.inf).max(dim=1)
        better = candidate > scores
        scores = torch.where(better, candidate, scores)
        answers[better] = texts[rows[:, 0], which][better]
        answers[better, length + 1 :] = end
        totals = torch.where(over, -math.inf, totals)
    return [(_up_to(end, text[1:]), score) for text, score in zip(answers.tolist(), scores.tolist(), strict=True)]


BEAM_SEARCH = Check(
    reference=beam_search,
    cases=sentences_for_beams,
    properties=[width_one_is_greedy, not_below_greedy, the_score_is_the_texts_own],
    rtol=1e-3,
    atol=1e-4,
    hints=(
        "Keep two things for every sentence and beam: the text so far, and the sum of its log-probabilities. One step "
        "turns beams × vocabulary continuations into the `width` best. Which beam did each of those grow from?",
        """
        1. prefixes: [sentences, 1, 1], all `start`; totals: [sentences, 1], all 0. One beam: equal ones would stay
           equal for ever.
        2. totals[..., None] + continuations(prefixes): [sentences, beams, vocabulary]. flatten(1) lays all
           continuations of a sentence side by side; topk(width) gives the new totals and their places.
        3. place // vocabulary is the beam that a continuation grew from, place % vocabulary the new token. Take those
           beams' prefixes (gather, or prefixes[rows, parent]) and put the tokens behind them.
        4. Where the token is `end`, or the limit is reached: score = total / length_penalty(length, alpha); keep the
           best text of each sentence so far. Then set that total to −∞, so that nothing grows from it.
        """,
        """
        prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
        best = [([], -math.inf)] * sentences
        rows = torch.arange(sentences)[:, None]
        for length in range(1, limit + 1):
            log_probabilities = continuations(prefixes)
            vocabulary = log_probabilities.shape[-1]
            totals, place = (totals[..., None] + log_probabilities).flatten(1).topk(width)
            parent, token = place // vocabulary, place % vocabulary
            prefixes = torch.cat([prefixes[rows, parent], token[..., None]], dim=2)
            over = (token == end) | (length == limit)
            scores = totals / length_penalty(length, alpha)
            for row, beam in over.nonzero().tolist():
                if scores[row, beam] > best[row][1]:
                    text = prefixes[row, beam, 1:].tolist()
                    best[row] = (text[:-1] if text[-1] == end else text, scores[row, beam].item())
            totals = totals.masked_fill(over, -torch.inf)
            if all(score >= most for (_, score), most in
                   zip(best, (totals.amax(dim=1) / length_penalty(limit, alpha)).tolist())):
                break
        return best
        """,
    ),
    misconceptions={
        "Sums of different lengths were compared, and every token makes a sum smaller, so short texts win. Divide by "
        "length_penalty(length, alpha).": _search(divide=lambda total, length, alpha: total),
        "You multiplied by the penalty. Sums are negative: divide, and longer texts rise.": _search(
            divide=lambda total, length, alpha: total * penalty(length, alpha)
        ),
        "The penalty's length leaves out the end token. It counts every token that was chosen, `end` among them.": (
            _search(divide=lambda total, length, alpha: total / penalty(length - 1, alpha))
        ),
        "The penalty's length counts the start token. It was never chosen: do not count it.": _search(
            divide=lambda total, length, alpha: total / penalty(length + 1, alpha)
        ),
        "You divided by the length itself: alpha, the strength of the penalty, is not used. Use "
        "length_penalty(length, alpha).": _search(divide=lambda total, length, alpha: total / length),
        "The first text to end was taken. A longer one may score higher: go on, and keep the best.": _search(
            first_end_wins=True
        ),
        "Each beam was continued by itself, so the beams never compete. Rank all continuations of all beams of a "
        "sentence together: flatten(1), then topk.": _search(pick=_best_of_each),
        "Finished texts go on growing. Once a text has ended, set its total to −∞, so that nothing grows from it.": (
            _search(ended_go_on=True)
        ),
        "New tokens were put behind the wrong texts. The best continuations may all grow from one beam: take the "
        "prefixes of `parent` first.": _search(reorder=False),
        "You begin with several equal beams. They stay equal, and the beam is greedy search in copies: begin with one "
        "beam.": _search(identical_start=True),
        "Only the last step's log-probability counts. Add it to the total of the text so far.": _search(
            accumulate=False
        ),
        "The end token is still there. Hand back what stands before it.": _search(keep_end=True),
        "Texts that the limit cuts off got lost. At the limit, score what stands in the beam as it is.": _search(
            drop_unfinished=True
        ),
        "The model saw the last token only. Hand over the whole prefixes.": _search(last_only=True),
        "These are the tokens alone. Hand back a pair for each sentence: (tokens, score).": _tokens_alone,
        "All sentences took the first one's choices. Each has its own: topk along the axis of continuations, dim=1.": (
            _search(pick=_shared_by_sentences)
        ),
        "The numbers of the start and end tokens are parameters: use `start` and `end`, not 1 and 2.": _search(
            any_start=False
        ),
    },
    also_right=[_beam_with_lists, _beam_from_copies],
)


CHECKS = {
    "layer_norm": LAYER_NORM,
    "residual": RESIDUAL,
    "decoder_block": DECODER_BLOCK,
    "shift_right": SHIFT_RIGHT,
    "smoothed_loss": SMOOTHED_LOSS,
    "warm_up_rate": WARM_UP_RATE,
    "greedy": GREEDY,
    "beam_search": BEAM_SEARCH,
}
