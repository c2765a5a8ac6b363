"""Lab 03, the Transformer: what is right in each exercise, and which mistakes have names."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from squint.checks.engine import Case, Check, Law
from squint.models import seq2seq
from squint.nn.attention import MultiHeadAttention, causal_mask, padding_mask
from squint.nn.transformer import FeedForward, LayerNorm, layer_norm


def _drawer(seed: int) -> Callable[..., Tensor]:
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=dtype)

    return draw


def _asked(
    function: Callable, found: Callable[[Any, dict[str, Any]], Any] | None = None, **others: Callable[[Any], Any]
) -> Callable:
    """A right function wrongly used: some arguments are changed on the way in, or what it found on the way out."""
    signature = inspect.signature(function)

    def wrong(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        for name, other in others.items():
            given.arguments[name] = other(given.arguments[name])
        answer = function(*given.args, **given.kwargs)
        return found(answer, given.arguments) if found else answer

    return wrong


def _always(value: Any) -> Callable[[Any], Any]:
    """Whatever is handed over, this value."""
    return lambda given: value


def _left_out(function: Callable, **defaults: Any) -> Callable:
    """A right function with other defaults."""
    signature = inspect.signature(function)

    def wrong(*args: Any, **kwargs: Any) -> Any:
        return function(**{**defaults, **signature.bind(*args, **kwargs).arguments})

    return wrong


def _on_clones(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call a function that may change what it is given."""
    return function(*(x.clone() if isinstance(x, Tensor) else x for x in args), **kwargs)


# gradients

IN_PLACE = (
    "It changes x itself (`+=`). Others still need x, and so does its gradient: write x = x + …, which makes a new "
    "tensor."
)
CHANGED_TOO_SOON = (
    "The output is right, but a tensor was changed in place (`+=`) that the gradient still needs: write x = x + …, "
    "which makes a new one."
)
NO_GRADIENT = "The output is right, but no gradient reaches the inputs: do without .detach(), .item() and numpy."
OTHER_GRADIENT = (
    "The output is right, but its gradient is another one: part of it was cut off. Do without .detach(), .item() and "
    "torch.no_grad()."
)
NO_NUMBER = (
    "The output is right, but its gradient is not a number: a root or a logarithm of 0 on the way, or 0 · ∞, has none."
)
RAISED_FOR_GRADIENTS = {
    "numpy()": "The output is right, but no gradient can pass through numpy: use torch's functions.",
    "inplace operation": CHANGED_TOO_SOON,
    "in-place operation": CHANGED_TOO_SOON,
}


def _is_real(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def _gradients(function: Callable, case: Case) -> tuple[Tensor | None, ...]:
    """What comes back to each real input, if the output's entries count by random numbers that are always the same."""
    leaves = [x.clone().requires_grad_() if _is_real(x) else x for x in case.args]
    output = function(*(x * 1 if _is_real(x) else x for x in leaves), **case.kwargs)
    wanted = [x for x in leaves if _is_real(x)]
    if not (isinstance(output, Tensor) and output.requires_grad):
        return (None,) * len(wanted)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(0)).to(output)
    return torch.autograd.grad((output * weights).sum(), wanted, allow_unused=True)


def same_gradient(reference: Callable) -> Law:
    """A law for functions of tensors: what comes back to the inputs is what the reference sends."""

    def law(function: Callable, case: Case) -> str | None:
        """the right gradient reaches every input"""
        try:
            mine = _gradients(function, case)
        except RuntimeError as error:
            for sign, sentence in RAISED_FOR_GRADIENTS.items():
                if sign in str(error):
                    return sentence
            raise
        if all(gradient is None for gradient in mine):
            return NO_GRADIENT
        for got, want in zip(mine, _gradients(reference, case), strict=True):
            assert want is not None
            if got is not None and not got.isfinite().all():
                return NO_NUMBER
            if got is None or not torch.allclose(got, want, rtol=1e-3, atol=1e-3 * float(want.abs().max()) + 1e-4):
                return OTHER_GRADIENT
        return None

    return law


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
        # An eighth has no rounding error, a sixth has one that looks like a variance.
        case("a vector whose entries are all the same", torch.full((1, 8), 2.5)),
        case("very small entries", 2e-3 * draw(2, 8)),
        case("another epsilon", draw(2, 6), epsilon=0.1),
        case("float64", draw(2, 3, 8, dtype=torch.float64)),
    ]


def _spread(x: Tensor) -> float:
    return float(x.var(dim=-1, correction=0).min())


def same_for_every_level(norm: Callable, case: Case) -> str | None:
    """one number added to all entries of a vector changes nothing"""
    x, *rest = case.args
    higher, plain = (_on_clones(norm, y, *rest, **case.kwargs) for y in (x + 0.5, x))
    if torch.allclose(higher, plain, atol=1e-2):
        return None
    return "A number added to all entries of a vector moves its mean and nothing else. Your result changes."


def same_for_every_scale(norm: Callable, case: Case) -> str | None:
    """a vector ten times as long gives the same"""
    x, *rest = case.args
    if case.kwargs or _spread(x) < 0.05:  # epsilon would count
        return None
    if torch.allclose(_on_clones(norm, 10 * x, *rest), _on_clones(norm, x, *rest), atol=1e-2):
        return None
    return "A vector ten times as long should give nearly the same result, and it does not."


def each_by_itself(norm: Callable, case: Case) -> str | None:
    """a vector's result does not depend on its neighbours"""
    x, *rest = case.args
    alone, among = (_on_clones(norm, y, *rest, **case.kwargs) for y in (x[:1], x))
    if torch.allclose(alone, among[:1], atol=1e-4):
        return None
    return "The first vector alone gives another result than among its neighbours. Each is normalised by itself."


Axes = int | tuple[int, ...] | None


def _mean(x: Tensor, axes: Axes = -1) -> Tensor:
    return x.mean(dim=tuple(range(x.ndim)) if axes is None else axes, keepdim=True)


def _deviation(x: Tensor, axes: Axes, epsilon: float) -> Tensor:
    """What layer norm divides by."""
    return (_mean((x - _mean(x, axes)).square(), axes) + epsilon).sqrt()


def _gain_and_bias(normed: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    return gain * normed + bias


def _norm(
    by: Callable[[Tensor, Any, float], Tensor] = _deviation,
    then: Callable[[Tensor, Tensor, Tensor], Tensor] = _gain_and_bias,
    *,
    over: Axes = -1,
    level: Callable[[Tensor, Axes], Tensor | float] = _mean,
) -> Callable[..., Tensor]:
    """A layer norm that takes off another level, divides by something else, or uses gain and bias in another way."""

    def norm(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
        return then((x - level(x, over)) / by(x, over, epsilon), gain, bias)

    return norm


UNBIASED = {
    "The variance was divided by n − 1, as `.var()` and `.std()` do by themselves. Layer norm divides by n: say "
    "correction=0, or take the mean of the squares.": lambda x, axes, epsilon: (
        x.var(axes, keepdim=True) + epsilon
    ).sqrt(),
    "Two things: `.std()` divides by n − 1 (say correction=0), and epsilon belongs inside the root.": (
        lambda x, axes, epsilon: x.std(axes, keepdim=True) + epsilon
    ),
    "Two things: `.std()` divides by n − 1 (say correction=0), and epsilon is missing: add it to the variance, inside "
    "the root.": lambda x, axes, epsilon: x.std(axes, keepdim=True),
}
BATCH_NORM = (
    "Mean and variance were taken over the first axis, across sentences: that is batch norm. Each vector is normalised "
    "by itself: the last axis."
)
OVER_EVERYTHING = (
    "Mean and variance were taken over everything at once. Each vector has its own: over the last axis, keepdim=True."
)


def _norm_by_module(x: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    return nn.LayerNorm(x.shape[-1], eps=epsilon)(x)


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
    properties=[same_for_every_level, same_for_every_scale, each_by_itself, same_gradient(layer_norm)],
    hints=(
        "Take something off each vector, divide it by something, then gain and bias. Which axis of x holds the entries "
        "of one vector?",
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
        BATCH_NORM: _norm(over=0),
        OVER_EVERYTHING: _norm(over=None),
        "Mean and variance were taken over the words. Each word's vector is normalised by itself: the last axis.": (
            _norm(over=-2)
        ),
        "A sentence's words were normalised together. Each word's vector has a mean and a variance of its own.": (
            _norm(over=(-2, -1))
        ),
        **{hint: _norm(by) for hint, by in UNBIASED.items()},
        **{f"{BATCH_NORM} Then: {hint}": _norm(by, over=0) for hint, by in UNBIASED.items()},
        **{f"{OVER_EVERYTHING} Then: {hint}": _norm(by, over=None) for hint, by in UNBIASED.items()},
        "Epsilon stands outside the root. It is added to the variance, then comes the root.": _norm(
            lambda x, axes, epsilon: x.std(-1, keepdim=True, correction=0) + epsilon
        ),
        "Epsilon is missing: a vector whose entries are all the same divides 0 by 0. Add it to the variance.": _asked(
            layer_norm, epsilon=_always(0.0)
        ),
        "Epsilon is a parameter of the function. Use it as it comes, not a number of your own.": _asked(
            layer_norm, epsilon=_always(1e-5)
        ),
        **{
            f"Epsilon is a parameter of the function. Use it as it comes, not a number of your own "
            f"({own:.0e}).": _asked(layer_norm, epsilon=_always(own))
            for own in (1e-6, 1e-7, 1e-8, 1e-9, 1e-12)
        },
        "Epsilon stands outside the root, and is a number of your own. Add the parameter to the variance, then take "
        "the root.": _norm(lambda x, axes, epsilon: x.std(-1, keepdim=True, correction=0) + 1e-5),
        "The gain is missing: multiply the normalised entries by it.": _asked(layer_norm, gain=torch.ones_like),
        "The bias is missing: add it at the end.": _asked(layer_norm, bias=torch.zeros_like),
        "Gain and bias are missing: the normalised entries times the gain, plus the bias.": _asked(
            layer_norm, gain=torch.ones_like, bias=torch.zeros_like
        ),
        "`nn.LayerNorm` has a gain and bias of its own, which are 1 and 0. Use those that are given.": _norm_by_module,
        "Gain and bias are swapped: times the gain, plus the bias.": _norm(
            then=lambda normed, gain, bias: bias * normed + gain
        ),
        "The bias was taken off. Add it.": _norm(then=lambda normed, gain, bias: gain * normed - bias),
        "The bias was multiplied by the gain, too. First times the gain, then plus the bias.": _norm(
            then=lambda normed, gain, bias: gain * (normed + bias)
        ),
        "You divided by the variance. Its root, the standard deviation, has the units of the entries.": _norm(
            lambda x, axes, epsilon: x.var(-1, keepdim=True, correction=0) + epsilon
        ),
        "A root too many: divide by the root of (variance + epsilon), and the standard deviation is a root already.": (
            _norm(lambda x, axes, epsilon: (x.std(-1, keepdim=True, correction=0) + epsilon).sqrt())
        ),
        "The division is missing: after the mean is off, divide by the root of (variance + epsilon).": _norm(
            lambda x, axes, epsilon: torch.ones_like(x)
        ),
        "Division binds tighter than minus: put brackets round x − mean, and divide all of "
        "it.": lambda x, gain, bias, epsilon=1e-5: gain * (x - _mean(x) / _deviation(x, -1, epsilon)) + bias,
        "The mean was not taken off: this is the root-mean-square norm, which later models use. Subtract the mean "
        "first.": _norm(lambda x, axes, epsilon: (_mean(x.square()) + epsilon).sqrt(), level=lambda x, axes: 0.0),
        "The variance is the mean of the squared differences from the mean, and you squared x itself.": _norm(
            lambda x, axes, epsilon: (_mean(x.square()) + epsilon).sqrt()
        ),
        "You divided x itself. Take the mean off above the line as well.": _norm(level=lambda x, axes: 0.0),
        "keepdim=True is missing: without it a vector's mean meets the wrong entries, or none at all.": (
            _norm_without_keepdim
        ),
        "You divided by the length of the vector, the root of a sum. A variance is a mean of squares.": _norm(
            lambda x, axes, epsilon: ((x - _mean(x)).square().sum(-1, keepdim=True) + epsilon).sqrt()
        ),
        "`F.normalize` divides by the length of the vector, the root of a sum. A variance is a mean of squares, and "
        "epsilon is added to it.": lambda x, gain, bias, epsilon=1e-5: gain * F.normalize(x - _mean(x), dim=-1) + bias,
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
    if torch.allclose(_on_clones(function, x, nothing, norm, True), x, atol=1e-5):
        return None
    return "With the norm first and a sublayer that adds nothing, x should come out as it went in."


def post_norm_ends_with_the_norm(function: Callable, case: Case) -> str | None:
    """with the norm last, what comes out is normalised"""
    x, sublayer, norm, _ = case.args
    if torch.allclose(_on_clones(function, x, sublayer, norm, False).mean(-1), x.new_tensor(0.5), atol=1e-3):
        return None
    return "With the norm last, the output should be what the norm returned."


Sublayer = Callable[[Tensor], Tensor]
Road = Callable[[Tensor, Sublayer, Sublayer], Tensor]


def _first(x: Tensor, sublayer: Sublayer, norm: Sublayer) -> Tensor:
    return x + sublayer(norm(x))


def _last(x: Tensor, sublayer: Sublayer, norm: Sublayer) -> Tensor:
    return norm(x + sublayer(x))


def residual(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    """x + sublayer(norm(x)), or norm(x + sublayer(x))."""
    return _first(x, sublayer, norm) if norm_first else _last(x, sublayer, norm)


def _roads(first: Road = _first, last: Road = _last) -> Callable[..., Tensor]:
    """A residual with another formula for the norm first, or for the norm last."""
    return lambda x, sublayer, norm, norm_first: (first if norm_first else last)(x, sublayer, norm)


def _own_norm(x: Tensor, sublayer: Sublayer, norm: Sublayer, norm_first: bool) -> Tensor:
    return residual(x, sublayer, lambda y: F.layer_norm(y, y.shape[-1:]), norm_first)


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
    properties=[pre_norm_lets_x_through, post_norm_ends_with_the_norm, same_gradient(residual)],
    in_place=IN_PLACE,
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
            _roads(last=_first)
        ),
        "The norm comes last even where it was asked for first: then it is x + sublayer(norm(x)).": _roads(_last),
        "The two orders are swapped: norm_first=True means that the sublayer sees norm(x).": _roads(_last, _first),
        "The norm is missing: x + sublayer(norm(x)), or norm(x + sublayer(x)).": _roads(
            lambda x, sublayer, norm: x + sublayer(x), lambda x, sublayer, norm: x + sublayer(x)
        ),
        "With the norm first, the norm is missing: the sublayer sees norm(x).": _roads(
            lambda x, sublayer, norm: x + sublayer(x)
        ),
        "With the norm last, the norm is missing: take it of the sum, norm(x + sublayer(x)).": _roads(
            last=lambda x, sublayer, norm: x + sublayer(x)
        ),
        "x itself is missing: what the sublayer says is added to x.": _roads(
            lambda x, sublayer, norm: sublayer(norm(x)), lambda x, sublayer, norm: norm(sublayer(x))
        ),
        "With the norm first, x itself is missing: what the sublayer says is added to x.": _roads(
            lambda x, sublayer, norm: sublayer(norm(x))
        ),
        "With the norm first, you add to norm(x). The road past the sublayer must stay free: add to x itself.": _roads(
            lambda x, sublayer, norm: norm(x) + sublayer(norm(x))
        ),
        "With the norm first, the sublayer sees norm(x): x + sublayer(norm(x)). You normalised its answer.": _roads(
            lambda x, sublayer, norm: x + norm(sublayer(x))
        ),
        "With the norm first, there is a norm at both ends. The road past the sublayer must stay free: nothing comes "
        "after the sum.": _roads(lambda x, sublayer, norm: norm(x + sublayer(norm(x)))),
        "With the norm last, only the sublayer's answer was normalised. Normalise the sum: norm(x + sublayer(x)).": (
            _roads(last=lambda x, sublayer, norm: x + norm(sublayer(x)))
        ),
        "You normalised the sublayer's answer, whatever was asked. The norm comes before the sublayer, or after the "
        "sum.": _roads(
            lambda x, sublayer, norm: x + norm(sublayer(x)), lambda x, sublayer, norm: x + norm(sublayer(x))
        ),
        "With the norm last, x alone was normalised. Normalise the sum: norm(x + sublayer(x)).": _roads(
            last=lambda x, sublayer, norm: norm(x) + sublayer(x)
        ),
        "With the norm last, there is a norm at both ends. There the sublayer sees x as it is.": _roads(
            last=lambda x, sublayer, norm: norm(x + sublayer(norm(x)))
        ),
        "There is a norm at both ends, whatever was asked. It stands before the sublayer, or after the sum.": _roads(
            lambda x, sublayer, norm: norm(x + sublayer(norm(x))), lambda x, sublayer, norm: norm(x + sublayer(norm(x)))
        ),
        "x was added twice. Once is enough.": _roads(
            lambda x, sublayer, norm: x + x + sublayer(norm(x)), lambda x, sublayer, norm: norm(x + x + sublayer(x))
        ),
        "You multiplied. A residual is a sum.": _roads(
            lambda x, sublayer, norm: x * sublayer(norm(x)), lambda x, sublayer, norm: norm(x * sublayer(x))
        ),
        "You subtracted what the sublayer says. A residual is a sum.": _roads(
            lambda x, sublayer, norm: x - sublayer(norm(x)), lambda x, sublayer, norm: norm(x - sublayer(x))
        ),
        "Sublayer and norm changed places: the parameters come in the order x, sublayer, norm, norm_first.": _roads(
            lambda x, sublayer, norm: x + norm(sublayer(x)), lambda x, sublayer, norm: sublayer(x + norm(x))
        ),
        "Use the norm that is handed to you. It has a gain and bias, which a norm of your own lacks.": _own_norm,
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
        Case("three words, nothing hidden", Block(8, 4, True, seed + 5), draw(2, 3, 8), draw(2, 4, 8), None, None),
    ]  # fmt: skip


def later_words_do_not_count(function: Callable, case: Case) -> str | None:
    """a word's vector does not depend on the words after it"""
    block, x, memory, mask, memory_mask = case.args
    if mask is None:
        return None
    changed = x.clone()
    changed[..., -1, :] += 1
    before, after = (_on_clones(function, block, y, memory, mask, memory_mask) for y in (x, changed))
    if torch.allclose(before[..., :-1, :], after[..., :-1, :], atol=1e-4):
        return None
    return "The last word was changed, and words before it changed with it. Hand `mask` to the self-attention."


def filling_does_not_count(function: Callable, case: Case) -> str | None:
    """what the memory's mask hides can change without any effect"""
    block, x, memory, mask, memory_mask = case.args
    if memory_mask is None:
        return None
    changed = torch.where(memory_mask.mT, memory, memory + 3)
    before, after = (_on_clones(function, block, x, m, mask, memory_mask) for m in (memory, changed))
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


@dataclass
class _Scene:
    """What a decoder block is given; x is what has become of it so far."""

    block: Any
    x: Tensor
    memory: Tensor
    mask: Mask
    memory_mask: Mask


Part = Callable[[Tensor, _Scene], Tensor]


def _look(y: Tensor, at: _Scene) -> Tensor:
    return at.block.attention(y, mask=at.mask)


def _over(y: Tensor, at: _Scene) -> Tensor:
    return at.block.cross_attention(y, at.memory, at.memory_mask)


def _think(y: Tensor, at: _Scene) -> Tensor:
    return at.block.feed_forward(y)


def _of_x(part: Part) -> Part:
    """A lambda that takes y and uses x."""
    return lambda y, at: part(at.x, at)


def _seeing(part: Part, at: _Scene) -> Sublayer:
    return lambda y: part(y, at)


def _wrong_block(
    look: Part = _look,
    over: Part = _over,
    think: Part = _think,
    *,
    norms: tuple[int, int, int] = (0, 1, 2),
    order: tuple[int, ...] = (0, 1, 2),
    joined: dict[int, Callable[..., Tensor]] | None = None,
    first: Callable[[bool], bool] = bool,
) -> Callable[..., Tensor]:
    """A decoder block with other parts, other norms, another order, or something else in the place of a residual."""

    def wrong(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
        at = _Scene(block, x, memory, mask, memory_mask)
        for i in order:
            join = (joined or {}).get(i, residual)
            at.x = join(at.x, _seeing((look, over, think)[i], at), block.norms[norms[i]], first(block.norm_first))
        return at.x

    return wrong


def _memory_through_the_norm(y: Tensor, at: _Scene) -> Tensor:
    return at.block.cross_attention(y, at.block.norms[1](at.memory), at.memory_mask)


def _side_by_side(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    first = block.norm_first
    looked = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], first)
    over = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], first)
    return residual(looked + over - x, block.feed_forward, block.norms[2], first)


def _one_norm_more(block: Any, x: Tensor, memory: Tensor, mask: Mask, memory_mask: Mask) -> Tensor:
    return block.norms[2](decoder_block(block, x, memory, mask, memory_mask))


def _everywhere(join: Callable[..., Tensor]) -> dict[int, Callable[..., Tensor]]:
    return dict.fromkeys(range(3), join)


_bare = _roads(lambda x, sublayer, norm: sublayer(norm(x)), lambda x, sublayer, norm: norm(sublayer(x)))
"""A norm and a sublayer, without the sum."""


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
    properties=[later_words_do_not_count, filling_does_not_count, same_gradient(decoder_block)],
    in_place=IN_PLACE,
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
            over=lambda y, at: at.block.cross_attention(y)
        ),
        "Cross-attention looks at the decoder's own words under the causal mask: a second self-attention. Its context "
        "is the memory, its mask memory_mask.": _wrong_block(
            over=lambda y, at: at.block.cross_attention(y, mask=at.mask)
        ),
        "In cross-attention the memory asks and the decoder's words are looked at. Turn it round: y asks, the memory "
        "is the context.": _wrong_block(over=lambda y, at: at.block.cross_attention(at.memory, y)),
        "In cross-attention the memory asks and the decoder's words are looked at, under memory_mask. Turn it round: y "
        "asks, the memory is the context, memory_mask hides its filling.": _wrong_block(
            over=lambda y, at: at.block.cross_attention(at.memory, y, at.memory_mask)
        ),
        "In cross-attention the memory asks and the decoder's words are looked at, under `mask`. Turn it round: y "
        "asks, the memory is the context, memory_mask hides its filling.": _wrong_block(
            over=lambda y, at: at.block.cross_attention(at.memory, y, at.mask)
        ),
        "block.attention did both: the look at the memory has weights of its own, block.cross_attention.": _wrong_block(
            over=lambda y, at: at.block.attention(y, at.memory, at.memory_mask)
        ),
        "block.cross_attention did both: the look at the words so far has weights of its own, block.attention.": (
            _wrong_block(lambda y, at: at.block.cross_attention(y, mask=at.mask))
        ),
        "The two attentions are swapped: block.attention is for the words so far, block.cross_attention for the "
        "memory.": _wrong_block(
            lambda y, at: at.block.cross_attention(y, mask=at.mask),
            lambda y, at: at.block.attention(y, at.memory, at.memory_mask),
        ),
        "The memory went through the decoder's norm. It was normalised at the end of the encoder: hand it on as it "
        "is.": _wrong_block(over=_memory_through_the_norm),
        "The self-attention looks at the memory. There the words so far look at each other: "
        "block.attention(y, mask=mask).": _wrong_block(lambda y, at: at.block.attention(y, at.memory, at.mask)),
        "The self-attention has no mask, so every word sees those that come after it: mask=mask.": _wrong_block(
            lambda y, at: at.block.attention(y)
        ),
        "Cross-attention has no mask, so it looks at the filling: hand it memory_mask.": _wrong_block(
            over=lambda y, at: at.block.cross_attention(y, at.memory)
        ),
        "Neither attention has its mask: mask=mask for the words so far, memory_mask for the memory.": _wrong_block(
            lambda y, at: at.block.attention(y), lambda y, at: at.block.cross_attention(y, at.memory)
        ),
        "The two masks are swapped: `mask` is for the words so far, `memory_mask` for the memory.": _wrong_block(
            lambda y, at: at.block.attention(y, mask=at.memory_mask),
            lambda y, at: at.block.cross_attention(y, at.memory, at.mask),
        ),
        "Cross-attention got `mask`, which is for the words so far. What it may see of the memory says "
        "`memory_mask`.": (_wrong_block(over=lambda y, at: at.block.cross_attention(y, at.memory, at.mask))),
        "The self-attention got `memory_mask`, which is for the memory. Which words so far it may see says `mask`.": (
            _wrong_block(lambda y, at: at.block.attention(y, mask=at.memory_mask))
        ),
        "You made a mask of your own. Which words may be seen is said by `mask`, and None hides nothing.": _wrong_block(
            lambda y, at: at.block.attention(y, mask=causal_mask(y.shape[1]))
        ),
        **{
            f"In {where} you use x. With the norm first, y is norm(x), which the sublayer should see: use "
            "y.": _wrong_block(*parts)
            for where, parts in {
                "the self-attention's lambda": (_of_x(_look),),
                "cross-attention's lambda": (_look, _of_x(_over)),
                "the lambdas of both attentions": (_of_x(_look), _of_x(_over)),
                "all three lambdas": (_of_x(_look), _of_x(_over), _of_x(_think)),
            }.items()
        },
        "One norm serves all three. Each sublayer has its own: norms[0], norms[1], norms[2].": _wrong_block(
            norms=(0, 0, 0)
        ),
        **{
            f"The norms are mixed up: yours are norms[{a}], norms[{b}], norms[{c}]. They are norms[0], norms[1], "
            "norms[2], in this order.": _wrong_block(norms=(a, b, c))
            for a, b, c in ((0, 1, 1), (0, 2, 1), (2, 1, 0), (1, 0, 2), (0, 0, 1), (0, 0, 2), (0, 1, 0))
        },
        "Cross-attention came before self-attention. First the words so far look at each other, then at the memory.": (
            _wrong_block(order=(1, 0, 2))
        ),
        "Cross-attention came before self-attention, with norms[0]. First the words so far look at each other, then at "
        "the memory.": _wrong_block(order=(1, 0, 2), norms=(1, 0, 2)),
        "The small network came before cross-attention. It comes last.": _wrong_block(order=(0, 2, 1)),
        "The small network came before cross-attention, with norms[1]. It comes last, with norms[2].": _wrong_block(
            order=(0, 2, 1), norms=(0, 2, 1)
        ),
        "Self-attention and cross-attention both saw the block's input. The second should see what the first gave.": (
            _side_by_side
        ),
        "Nothing comes of the small network: it is missing, or its result was not handed back.": _wrong_block(
            order=(0, 1)
        ),
        "Nothing comes of cross-attention: it is missing, or its result was not handed on as x. Without it the decoder "
        "never sees the source.": _wrong_block(order=(0, 2)),
        "This is the encoder's block, with norms[1] for the small network. Cross-attention comes between its two "
        "parts: without it the decoder never sees the source.": _wrong_block(order=(0, 2), norms=(0, 1, 1)),
        "Nothing comes of self-attention: it is missing, or its result was not handed on as x = residual(…).": (
            _wrong_block(order=(1, 2))
        ),
        "Nothing comes of either attention. What a residual returns must be kept: x = residual(…).": _wrong_block(
            order=(2,)
        ),
        "This is self-attention alone. Cross-attention and the small network follow, each inside a residual.": (
            _wrong_block(order=(0,))
        ),
        "Cross-attention has no residual around it: what it says is added to x.": _wrong_block(joined={1: _bare}),
        "The small network has no residual around it: what it says is added to x.": _wrong_block(joined={2: _bare}),
        "The small network has no residual around it, and its norm comes first even in a post-norm block. Hand it to "
        "residual.": _wrong_block(joined={2: lambda x, sublayer, norm, first: sublayer(norm(x))}),
        "The small network has neither norm nor residual: hand it to residual, with norms[2].": _wrong_block(
            joined={2: lambda x, sublayer, norm, first: sublayer(x)}
        ),
        "The small network has no norm: hand it to residual, with norms[2].": _wrong_block(
            joined={2: lambda x, sublayer, norm, first: x + sublayer(x)}
        ),
        "There are no residuals: what each of the three says is added to x.": _wrong_block(joined=_everywhere(_bare)),
        "There are no residuals, and the norms come first whatever was asked. Put each of the three into residual.": (
            _wrong_block(joined=_everywhere(lambda x, sublayer, norm, first: sublayer(norm(x))))
        ),
        "There are neither norms nor residuals. Put each of the three into residual, with its norm.": _wrong_block(
            joined=_everywhere(lambda x, sublayer, norm, first: sublayer(x))
        ),
        "There are no norms. Put each of the three into residual, which knows where the norm belongs.": _wrong_block(
            joined=_everywhere(lambda x, sublayer, norm, first: x + sublayer(x))
        ),
        "You added x to what residual returned. It adds x already: x = residual(…).": _wrong_block(
            joined=_everywhere(lambda x, *rest: x + residual(x, *rest))
        ),
        "You added x to what the first residual returned. It adds x already: x = residual(…).": _wrong_block(
            joined={0: lambda x, *rest: x + residual(x, *rest)}
        ),
        "Sublayer and norm are swapped: residual takes x, the sublayer, the norm, and norm_first.": _wrong_block(
            joined=_everywhere(lambda x, sublayer, norm, first: residual(x, norm, sublayer, first))
        ),
        "A norm too many at the end: residual knows where the norm belongs, hand back what it returns.": _one_norm_more,
        "The norm comes first even in a post-norm block: hand block.norm_first on to residual.": _wrong_block(
            first=lambda first: True
        ),
        "The norm comes last even in a pre-norm block: hand block.norm_first on to residual.": _wrong_block(
            first=lambda first: False
        ),
        "Pre-norm and post-norm are swapped: hand block.norm_first on to residual as it is.": _wrong_block(
            first=lambda first: not first
        ),
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
    if torch.equal(_on_clones(function, labels, *rest)[:, 1:], labels[:, :-1]):
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


def _start_last(labels: Tensor, start: int = 1) -> Tensor:
    return torch.cat([labels[:, :-1], _starts(labels, start)], dim=1)


def _shifted_by_two(labels: Tensor, start: int = 1) -> Tensor:
    return seq2seq.shift_right(seq2seq.shift_right(labels, start), start)


def _copied_forwards(labels: Tensor, start: int = 1) -> Tensor:
    return torch.cat([_starts(labels, start), labels[:, :1].expand(-1, labels.shape[1] - 1)], dim=1)


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
        "The last label came round to the front, and into the next sentence: `roll` without dims takes all sentences "
        "for one. At the front belongs the start token.": lambda labels, start=1: labels.roll(1),
        "The start token stands at the end: it comes first.": _start_last,
        "The first place holds 0: put `start` there.": _asked(seq2seq.shift_right, start=_always(0)),
        "The start token is a parameter of the function: use `start`, not 1.": _asked(
            seq2seq.shift_right, start=_always(1)
        ),
        "The start token is a parameter of the function: use `start`, not 2.": _asked(
            seq2seq.shift_right, start=_always(2)
        ),
        "This is shifted by two places: each should see the label of the place before. Leave out the last label "
        "alone.": (_shifted_by_two),
        "You copied from places that were already overwritten, so the first label went all the way. Go from the last "
        "place to the first, or copy from `labels`.": _copied_forwards,
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
        Case("another number for filling", draw(2, 3, 6), torch.tensor([[0, 5, 4], [4, 3, 1]]), 0.1, 4),
        Case("smoothing and filling left out", draw(2, 2, 5), torch.tensor([[3, 2], [1, 0]])),
        Case("very large logits", 150 * draw(2, 2, 5), torch.tensor([[3, 2], [1, 2]]), 0.1),
    ]


def filling_costs_nothing(loss: Callable, case: Case) -> str | None:
    """other logits where there is only filling give the same loss"""
    logits, labels, *rest = case.args
    padding = rest[1] if len(rest) > 1 else 0
    changed = torch.where((labels == padding)[..., None], logits.flip(-1) + 2, logits)
    other, same = (_on_clones(loss, x, labels, *rest) for x in (changed, logits))
    if torch.allclose(other, same, atol=1e-4):
        return None
    return "The logits of the filling were changed, and your loss changed with them."


def smoothed_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    """Mean cross-entropy of the real tokens to smoothed targets."""
    return seq2seq.label_smoothed_loss(logits, labels, smoothing, padding)


def _mixed(every: Tensor, right: Tensor, smoothing: float) -> Tensor:
    """Each token's loss, from all log-probabilities and that of the label."""
    return -(1 - smoothing) * right - smoothing * every.mean(dim=-1)


def _loss(
    each: Callable[[Tensor, Tensor, float], Tensor] = _mixed,
    *,
    mean: Callable[[Tensor, Tensor], Tensor] = lambda each, real: each[real].mean(),
    log: Callable[[Tensor], Tensor] = lambda logits: logits.log_softmax(dim=-1),
) -> Callable[..., Tensor]:
    """A smoothed loss with another loss of each token, another mean of them, or something else for log_softmax."""

    def loss(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
        every = log(logits)
        right = every.gather(-1, labels[..., None])[..., 0]
        return mean(each(every, right, smoothing), labels != padding)

    return loss


def _padding_alone(each: Tensor, real: Tensor) -> Tensor:
    return each.where(~real, 0).sum() / (~real).sum().clamp(min=1)


def _before_the_first_filling(each: Tensor, real: Tensor) -> Tensor:
    return each[real.cumprod(dim=1).bool()].mean()


def _naive_log_softmax(logits: Tensor) -> Tensor:
    exponentials = logits.exp()
    return (exponentials / exponentials.sum(dim=-1, keepdim=True)).log()


def _log_with(small: float) -> Callable[[Tensor], Tensor]:
    return lambda logits: (logits.softmax(dim=-1) + small).log()


def _divergence(every: Tensor, right: Tensor, smoothing: float) -> Tensor:
    share = torch.full_like(every[0, 0], smoothing / every.shape[-1])
    share[0] += 1 - smoothing
    return _mixed(every, right, smoothing) + torch.special.xlogy(share, share).sum()


def _label_unmasked(logits: Tensor, labels: Tensor, smoothing: float = 0.1, padding: int = 0) -> Tensor:
    every = logits.log_softmax(dim=-1)
    right = every.gather(-1, labels[..., None])
    return -(1 - smoothing) * right.mean() - smoothing * every[labels != padding].mean()


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
    properties=[filling_costs_nothing, same_gradient(smoothed_loss)],
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
        "The filling is counted. Take the mean over those places where labels != padding.": _loss(
            mean=lambda each, real: each.mean()
        ),
        "The filling costs nothing, but is still counted: divide by the number of real tokens, not of all places.": (
            _loss(mean=lambda each, real: each.where(real, 0).mean())
        ),
        "You kept the filling and left out the words: real tokens are where labels != padding.": _loss(
            mean=_padding_alone
        ),
        "A token that comes after filling was left out. Filling may stand anywhere: take all places where "
        "labels != padding.": _loss(mean=_before_the_first_filling),
        "The number that stands for filling is a parameter: compare labels with `padding`, not with 0.": _asked(
            smoothed_loss, padding=_always(0)
        ),
        "This is the plain cross-entropy: smoothing is not used.": _asked(smoothed_loss, smoothing=_always(0.0)),
        "Two things: this is the plain cross-entropy, without smoothing, and the filling is counted in its "
        "mean.": _loss(lambda every, right, smoothing: -right, mean=lambda each, real: each.mean()),
        "The spread was averaged over all places at once, filling among them. Each place has its own, the mean over "
        "dim=-1, and counts where labels != padding.": _loss(
            lambda every, right, smoothing: -(1 - smoothing) * right - smoothing * every.mean()
        ),
        "Only one part of the loss leaves out the filling: the label's part is still a mean over all places. Take one "
        "mean, of the whole loss, where labels != padding.": _label_unmasked,
        "Smoothing is a parameter of the function: use it as it comes, not 0.1.": _asked(
            smoothed_loss, smoothing=_always(0.1)
        ),
        "Left out, smoothing is 0.1 and padding 0: keep the defaults of the first line.": _left_out(
            smoothed_loss, smoothing=0.0
        ),
        "Left out, padding is 0: keep the defaults of the first line.": _left_out(smoothed_loss, padding=-100),
        "The spread share went to the wrong tokens only. It goes to all alike, the label among them: "
        "smoothing / vocabulary each.": _loss(
            lambda every, right, smoothing: (
                -(1 - smoothing) * right - smoothing / (every.shape[-1] - 1) * (every.sum(dim=-1) - right)
            )
        ),
        "The spread share was divided by vocabulary − 1. It is shared among all, the label among them: "
        "smoothing / vocabulary each.": _loss(
            lambda every, right, smoothing: (
                -(1 - smoothing) * right - smoothing / (every.shape[-1] - 1) * every.sum(dim=-1)
            )
        ),
        "The target adds up to less than one: the label gets its share of what is spread, too, "
        "1 − smoothing + smoothing / vocabulary.": _loss(
            lambda every, right, smoothing: (
                -(1 - smoothing) * right - smoothing / every.shape[-1] * (every.sum(dim=-1) - right)
            )
        ),
        "Every token got the whole share. It is shared out: smoothing / vocabulary each, so take the mean of the "
        "log-probabilities, not their sum.": _loss(
            lambda every, right, smoothing: -(1 - smoothing) * right - smoothing * every.sum(dim=-1)
        ),
        "The spread share needs the mean of the logarithms, not the logarithm of the mean.": _loss(
            lambda every, right, smoothing: -(1 - smoothing) * right - smoothing * every.exp().mean(dim=-1).log()
        ),
        "The two shares are swapped: the label gets 1 − smoothing, and all tokens together share smoothing.": _asked(
            smoothed_loss, smoothing=lambda smoothing: 1 - smoothing
        ),
        "The spread term has the wrong sign: both terms are minus a log-probability.": _loss(
            lambda every, right, smoothing: -(1 - smoothing) * right + smoothing * every.mean(dim=-1)
        ),
        "What is spread is missing: the label got 1 − smoothing, and nobody the rest.": _loss(
            lambda every, right, smoothing: -(1 - smoothing) * right
        ),
        "The target adds up to more than one: the label's share must give up what is spread, 1 − smoothing.": _loss(
            lambda every, right, smoothing: -right - smoothing * every.mean(dim=-1)
        ),
        "This is the divergence from the target: the target's own entropy was taken off. Take the cross-entropy, "
        "−(target · log-probabilities).": _loss(_divergence),
        "This is the sum over all tokens. Take their mean, so that long sentences do not make long steps.": _loss(
            mean=lambda each, real: each[real].sum()
        ),
        "The sum was divided by the number of sentences. Divide by the number of real tokens.": _loss(
            mean=lambda each, real: each[real].sum() / real.shape[0]
        ),
        "The sum was divided by the length of the sentences. Divide by the number of real tokens.": _loss(
            mean=lambda each, real: each[real].sum() / real.shape[1]
        ),
        "The mean ran over the vocabulary, too. Sum over the vocabulary before you take the mean of the tokens.": _loss(
            lambda every, right, smoothing: _mixed(every, right, smoothing) / every.shape[-1]
        ),
        "You averaged within each sentence first. All real tokens count alike: one mean over all of them.": _loss(
            mean=lambda each, real: (each.where(real, 0).sum(dim=1) / real.sum(dim=1).clamp(min=1)).mean()
        ),
        "You averaged within each sentence first, and one of nothing but filling divides 0 by 0. All real tokens count "
        "alike: one mean over all of them.": _loss(
            mean=lambda each, real: (each.where(real, 0).sum(dim=1) / real.sum(dim=1)).mean()
        ),
        "The sign is wrong: a loss is minus the log-probability.": _loss(mean=lambda each, real: -each[real].mean()),
        "With large logits a probability rounds to 0, or an exponential to ∞, and the logarithm of either is infinite. "
        "Take `log_softmax`, which avoids both.": _loss(log=lambda logits: logits.softmax(dim=-1).log()),
        "exp of a large logit overflows, and ∞/∞ is not a number; or all of them round to 0, and 0/0 is none either. "
        "Take `log_softmax`.": _loss(log=_naive_log_softmax),
        **{
            f"The small number {small:.0e} caps the loss of large logits, whose probabilities are smaller still. Take "
            "`log_softmax`, which needs none.": _loss(log=_log_with(small))
            for small in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
        },
        "The softmax ran over the tokens. At every place the vocabulary's probabilities sum to one: dim=-1.": _loss(
            log=lambda logits: logits.log_softmax(dim=1)
        ),
        "The softmax ran over the sentences. At every place the vocabulary's probabilities sum to one: dim=-1.": _loss(
            log=lambda logits: logits.log_softmax(dim=0)
        ),
        "These are raw logits. Turn them into log-probabilities first: log_softmax.": _loss(log=lambda logits: logits),
        "These are probabilities. Take their logarithms: log_softmax in the place of softmax.": _loss(
            log=lambda logits: logits.softmax(dim=-1)
        ),
        "The softmax was taken twice. `cross_entropy` and `log_softmax` take it themselves: hand them the "
        "logits.": _loss(log=lambda logits: logits.softmax(dim=-1).log_softmax(dim=-1)),
        "These are logarithms to the base 2. The loss is measured in natural ones: log_softmax, or torch.log.": _loss(
            log=lambda logits: logits.log_softmax(dim=-1) / math.log(2)
        ),
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
        Case("the default warm-up", 100, 256),
    ]


def a_number_comes_back(rate: Callable, case: Case) -> str | None:
    """a number comes back"""
    try:
        float(rate(*case.args))
    except TypeError:
        return "Hand back a number, not a list of one."
    return None


def highest_at_the_end_of_the_climb(rate: Callable, case: Case) -> str | None:
    """no step has a higher rate than the last one of the climb"""
    _, dim, *rest = case.args
    warmup = rest[0] if rest else 4000
    peak = float(rate(warmup, dim, *rest))
    if all(float(rate(step, dim, *rest)) <= peak * 1.0001 for step in (1, warmup - 1, warmup + 1, 3 * warmup)):
        return None
    return "The rate should be highest at step = warmup."


def _zero_at_first(step: int, dim: int, warmup: int = 4000) -> float:
    return dim**-0.5 * min(max(step - 1, 1e-9) ** -0.5, (step - 1) * warmup**-1.5)


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
    properties=[a_number_comes_back, highest_at_the_end_of_the_climb],
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
        "It never stops climbing. After the warm-up the rate falls as 1/√step: take the smaller of the two, and look "
        "at the signs of the exponents: step**-0.5, warmup**-1.5.": lambda step, dim, warmup=4000: (
            dim**-0.5 * step * warmup**-1.5
        ),
        "There is no warm-up: the first step is the largest. Take the smaller of the climb and the fall, and look at "
        "the signs of the exponents: step**-0.5, warmup**-1.5.": lambda step, dim, warmup=4000: dim**-0.5 * step**-0.5,
        "You took the larger of the two. The smaller one climbs first and falls later: min.": (
            lambda step, dim, warmup=4000: dim**-0.5 * max(step**-0.5, step * warmup**-1.5)
        ),
        "You added the two curves. The rate is the smaller of the two: min.": lambda step, dim, warmup=4000: (
            dim**-0.5 * (step**-0.5 + step * warmup**-1.5)
        ),
        "You multiplied the two curves. The rate is the smaller of the two: min.": lambda step, dim, warmup=4000: (
            dim**-0.5 * step**-0.5 * step * warmup**-1.5
        ),
        "The width is missing: the whole is multiplied by dim to the power −0.5.": lambda step, dim, warmup=4000: min(
            step**-0.5, step * warmup**-1.5
        ),
        "Wider models get smaller steps: dim to the power −0.5, not 0.5.": lambda step, dim, warmup=4000: (
            dim**0.5 * min(step**-0.5, step * warmup**-1.5)
        ),
        "You divided by dim. It is dim to the power −0.5, one over its root.": lambda step, dim, warmup=4000: (
            min(step**-0.5, step * warmup**-1.5) / dim
        ),
        "The width is inside the first curve only. It multiplies both: dim**-0.5 * min(…).": (
            lambda step, dim, warmup=4000: min(dim**-0.5 * step**-0.5, step * warmup**-1.5)
        ),
        "The width is inside the second curve only. It multiplies both: dim**-0.5 * min(…).": (
            lambda step, dim, warmup=4000: min(step**-0.5, dim**-0.5 * step * warmup**-1.5)
        ),
        "The width is a parameter of the function: use `dim`, not 512.": _asked(seq2seq.warm_up_rate, dim=_always(512)),
        "Step and width changed places: the parameters come in the order step, dim, warmup.": (
            lambda step, dim, warmup=4000: seq2seq.warm_up_rate(dim, step, warmup)
        ),
        "The climb is too steep: step times warmup to the power −1.5, so that both curves meet at step = warmup.": (
            lambda step, dim, warmup=4000: dim**-0.5 * min(step**-0.5, step * warmup**-0.5)
        ),
        "The climb is too steep: warmup to the power −1.5, not −1, so that both curves meet at step = warmup.": (
            lambda step, dim, warmup=4000: dim**-0.5 * min(step**-0.5, step / warmup)
        ),
        "The climb is straight: step, not step squared.": lambda step, dim, warmup=4000: (
            dim**-0.5 * min(step**-0.5, step**2 * warmup**-1.5)
        ),
        "Only warmup is raised to the power −1.5. step stands before it as it is: step * warmup**-1.5.": (
            lambda step, dim, warmup=4000: dim**-0.5 * min(step**-0.5, (step * warmup) ** -1.5)
        ),
        "This is the schedule in units of its peak. The paper's is a rate in absolute units: dim and warmup set its "
        "height.": lambda step, dim, warmup=4000: min(step / warmup, (warmup / step) ** 0.5),
        "It stays at its peak. After the warm-up the rate should fall as 1/√step.": lambda step, dim, warmup=4000: (
            dim**-0.5 * min(warmup**-0.5, step * warmup**-1.5)
        ),
        "You count steps from zero. Here the first step is 1: use step as it comes.": _asked(
            seq2seq.warm_up_rate, step=lambda step: step + 1
        ),
        "The first step has the rate zero and learns nothing. Steps count from 1: use step as it comes.": (
            _zero_at_first
        ),
        "The length of the warm-up is a parameter: use `warmup`, not 4000.": _asked(
            seq2seq.warm_up_rate, warmup=_always(4000)
        ),
        "Left out, warmup is 4000: keep the default of the first line.": _left_out(seq2seq.warm_up_rate, warmup=100),
        "It falls as 1/step. It should fall as 1/√step.": lambda step, dim, warmup=4000: (
            dim**-0.5 * min(warmup**0.5 / step, step * warmup**-1.5)
        ),
    },
    also_right=[_rate_by_cases, _rate_by_torch],
)


# greedy and beam_search

FAR_BEYOND = 64
"""More tokens than any case's limit allows."""


def _checked(prefixes: Any, sentences: int) -> Tensor:
    """The prefixes as a tensor, if they are such as a language can go on with."""
    prefixes = torch.as_tensor(prefixes)
    if prefixes.shape[:1] != (sentences,):
        raise ValueError(f"there are {sentences} sentences, and the prefixes' first axis has {prefixes.shape[0]}")
    if prefixes.shape[-1] == 0:
        raise ValueError("the prefixes are empty: the start token stands first")
    if prefixes.shape[-1] > FAR_BEYOND:
        raise ValueError(f"the prefixes have {prefixes.shape[-1]} tokens already: heed `limit`")
    return prefixes


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
            ValueError: if there is not one row of prefixes for each sentence, or they are empty, or without a limit.
        """
        prefixes = _checked(prefixes, len(self.sentences))
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
        """The log-probability of every next token.

        Raises:
            ValueError: as in `Language`.
        """
        prefixes = _checked(prefixes, 2)
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


Cut = Callable[[list[int], int, int], list[int] | None]


def _cut(row: list[int], start: int, end: int) -> list[int]:
    """What is handed back of a row of prefixes."""
    return _up_to(end, row[1:])


def _never(said: Tensor, end: int) -> bool:
    return False


def _all_over(said: Tensor, end: int) -> bool:
    return bool((said == end).any(dim=1).all())


def _decode(
    cut: Cut = _cut,
    *,
    stop: Callable[[Tensor, int], bool] = _all_over,
    limited: bool = True,
    see: Callable[[Tensor], Tensor] = lambda prefixes: prefixes,
    forbid_end_first: bool = False,
    fill: bool = False,
) -> Callable[..., list]:
    """Greedy search with something wrong.

    Args:
        cut: what is handed back of a row, start token and all; nothing if None.
        stop: whether the search is over, by the tokens without the start.
        limited: whether the limit is heeded.
        see: what the model is shown of the prefixes.
        forbid_end_first: whether no sentence may be empty.
        fill: whether sentences that are over are filled with `end`.
    """

    def wrong(continuations: Continuations, sentences: int, limit: int, start: int = 1, end: int = 2) -> list:
        prefixes = torch.full((sentences, 1), start)
        for length in range(limit if limited else 2 * FAR_BEYOND):
            log_probabilities = continuations(see(prefixes)).clone()
            if forbid_end_first and length == 0:
                log_probabilities[:, end] = -math.inf
            token = log_probabilities.argmax(dim=-1)
            if fill:
                token = torch.where((prefixes[:, 1:] == end).any(dim=1), end, token)
            prefixes = torch.cat([prefixes, token[:, None]], dim=1)
            if stop(prefixes[:, 1:], end):
                break
        found = [cut(row, start, end) for row in prefixes.tolist()]
        return [tokens for tokens in found if tokens is not None]

    return wrong


def _stopping_or_not(hint: str, cut: Cut, **more: Any) -> dict[str, Callable]:
    """Two misconceptions for what depends on whether the search stops when all sentences are over."""
    return {
        hint: _decode(cut, **more),
        f"{hint} (And stop when every sentence is over.)": _decode(cut, stop=_never, **more),
    }


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
        "It talks on after the end token. Cut each sentence at its first `end`.": _decode(
            lambda row, start, end: row[1:], stop=_never
        ),
        "Each sentence talks on after its end token until all are over. Cut each at its first `end`.": _decode(
            lambda row, start, end: row[1:]
        ),
        **_stopping_or_not(
            "You left out the end tokens and kept what came after them. Cut each sentence at its first `end`.",
            lambda row, start, end: [token for token in row[1:] if token != end],
        ),
        "The end token is still there. Hand back what stands before it.": _decode(
            lambda row, start, end: [*_up_to(end, row[1:]), *([end] if end in row[1:] else [])]
        ),
        **_stopping_or_not(
            "The end tokens are still there: sentences that are over were filled up with them. Cut each at its first "
            "`end`.",
            lambda row, start, end: row[1:],
            fill=True,
        ),
        "The start token is still there. It was never said: leave it out.": _decode(
            lambda row, start, end: [start, *_up_to(end, row[1:])]
        ),
        "Start and end tokens are still there. Hand back what stands between them.": _decode(
            lambda row, start, end: [start, *_up_to(end, row[1:]), *([end] if end in row[1:] else [])]
        ),
        **_stopping_or_not(
            "These are the whole prefixes. Leave out the start token, and cut each sentence at its first `end`.",
            lambda row, start, end: row,
        ),
        "You left out every token that is the start token's number. Leave out the first alone.": _decode(
            lambda row, start, end: [token for token in _up_to(end, row[1:]) if token != start]
        ),
        **_stopping_or_not(
            "You cut one token before the `end`, which belongs to the text: row[: row.index(end)] leaves out the end "
            "alone.",
            lambda row, start, end: row[1:][: row[1:].index(end) - 1] if end in row[1:] else row[1:],
        ),
        **_stopping_or_not(
            "You cut at the last `end`. What stands after the first was never meant: cut there.",
            lambda row, start, end: row[1 : -1 - row[::-1].index(end)] if end in row[1:] else row[1:],
        ),
        "A text that the limit cuts off counts as it stands. You handed back nothing for it.": _decode(
            lambda row, start, end: _up_to(end, row[1:]) if end in row[1:] else []
        ),
        "A text that the limit cuts off counts as it stands. You left it out, and the list is too short.": _decode(
            lambda row, start, end: _up_to(end, row[1:]) if end in row[1:] else None
        ),
        "The limit is not heeded: some sentences never end. Ask at most `limit` times.": _decode(limited=False),
        "The model saw the last token only. What comes next depends on all tokens so far: hand over the whole "
        "prefixes.": _decode(see=lambda prefixes: prefixes[:, -1:]),
        "The prefixes never grow, so the same token comes again and again. Put each token behind the prefixes before "
        "you ask again.": _decode(see=lambda prefixes: prefixes[:, :1]),
        "All sentences stopped when the first one ended. Go on until each has said `end`, or to the limit.": _decode(
            stop=lambda said, end: bool((said == end).any())
        ),
        "Only the first sentence was asked whether it is over. Go on until each has said `end`, or to the limit.": (
            _decode(stop=lambda said, end: bool((said[0] == end).any()))
        ),
        "One token too few: the limit does not count the start token, or you cut off the last token of a text that has "
        "no `end`: there all tokens stay.": _asked(greedy, limit=lambda limit: limit - 1),
        "One token too many: no sentence may have more than `limit` tokens, its end token among them.": _asked(
            greedy, limit=lambda limit: limit + 1
        ),
        "These are the least likely tokens: take the largest log-probability, argmax.": _asked(
            greedy, continuations=lambda continuations: lambda prefixes: -continuations(prefixes)
        ),
        "A sentence may be empty: `end` counts as first token, too, if it is the likeliest.": _decode(
            forbid_end_first=True
        ),
        "The numbers of the start and end tokens are parameters: use `start` and `end`, not 1 and 2.": _asked(
            greedy, start=_always(1), end=_always(2)
        ),
        "The number of the start token is a parameter: use `start`, not 1.": _asked(greedy, start=_always(1)),
        "The number of the end token is a parameter: use `end`, not 2.": _asked(greedy, end=_always(2)),
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
        Case("one sentence, a beam of one", Language(1, 6, 130 + seed), 1, 8, 1, 1.0),
        Case("one sentence, a beam of two, sums compared", Language(1, 6, 131 + seed), 1, 8, 2, 0.0),
        Case("three sentences, a beam of three", Language(3, 8, 146 + seed), 3, 10, 3, 1.0),
        Case("five sentences, a beam of four", Language(5, 9, 150 + seed, haste=0.3), 5, 12, 4, 1.0),
        Case("five sentences, a strong penalty", Language(5, 9, 155 + seed, haste=0.3), 5, 12, 4, 2.0),
        Case("cut off by the limit", Language(3, 8, 160 + seed, haste=-3.0), 3, 4, 3, 1.0),
        Case("other numbers for start and end", Language(4, 8, 170 + seed, end=5), 4, 10, 3, 0.6, 0, 5),
        # Always these languages: few are such that every other width and alpha finds something else, or that whoever
        # stops a little too early misses something.
        Case("width and alpha left out", Language(3, 8, 180, haste=0.3), 3, 10),
        Case("one sentence, a late end wins", Language(1, 6, 2003, haste=0.3), 1, 8, 2, 2.0),
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


def _divided(total: float, length: int, alpha: float, limit: int, ended: bool) -> float:
    return total / penalty(length, alpha)


def _likeliest(every: Tensor, width: int) -> Tensor:
    return every.flatten(1).topk(width).indices


def _of_parents(prefixes: Tensor, parent: Tensor) -> Tensor:
    return prefixes.gather(1, parent[..., None].expand(-1, -1, prefixes.shape[-1]))


def _said(text: list[int], start: int, end: int) -> list[int]:
    return text[1:-1] if text[-1] == end else text[1:]


def _nothing_grows(totals: Tensor, over: Tensor) -> Tensor:
    return totals.masked_fill(over, -torch.inf)


@dataclass(frozen=True)
class _Step:
    """Where a search stands at the end of a step."""

    best: Found
    totals: Tensor
    length: int
    limit: int
    alpha: float

    def bound(self, length: int | None = None) -> list[float]:
        """For each sentence, what still grows divided by the penalty of a length, or by nothing."""
        most = self.totals.amax(dim=1)
        return (most if length is None else most / penalty(length, self.alpha)).tolist()

    def beaten(self, bound: list[float]) -> list[bool]:
        """Whether each sentence's best score reaches its bound."""
        return [score >= most for (_, score), most in zip(self.best, bound, strict=True)]

    def has_text(self) -> list[bool]:
        """Whether each sentence has a finished text."""
        return [score > -math.inf for _, score in self.best]


def _search(
    *,
    see: Callable[[Tensor], Tensor] = lambda prefixes: prefixes,
    grow: Callable[[Tensor, Tensor], Tensor] = lambda totals, step: totals + step,
    pick: Callable[[Tensor, int], Tensor] = _likeliest,
    rows: Callable[[Tensor, Tensor], Tensor] = _of_parents,
    carry: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] | None = None,
    shrink: Callable[[Tensor, int, float], Tensor] | None = None,
    score: Callable[[float, int, float, int, bool], float] = _divided,
    begin: float = -math.inf,
    better: Callable[[float, float], bool] = operator.gt,
    note: Callable[[Tensor, Tensor, bool, Found], Tensor] | None = None,
    row_of: Callable[[int], int] = lambda row: row,
    text: Callable[[list[int], int, int], list[int]] = _said,
    close: Callable[[Tensor, Tensor], Tensor] = _nothing_grows,
    ends: bool = True,
    refill: bool = False,
    beams: int | None = 1,
    keep_all: bool = False,
    stop: Callable[[_Step], bool] | None = None,
) -> Callable:
    """A beam search with something wrong.

    Args:
        see: what the model is shown of the prefixes.
        grow: the sums of all continuations, from the totals and the log-probabilities.
        pick: the places of the best continuations.
        rows: the prefixes that they grew from.
        carry: the new totals, from the old ones, the log-probabilities, the places, and the sums at the places.
        shrink: what is done to the new totals, by length and alpha.
        score: of a text, from total, length, alpha, limit, and whether it has ended.
        begin: the score that the first text must beat.
        better: whether a score beats the best so far.
        note: which of those that are over are noted, from these, the ones that have ended, whether the limit is
            reached, and the best so far.
        row_of: the sentence to which a text is counted.
        text: what is handed back of a prefix, from prefix, start and end.
        close: what becomes of the totals of texts that are over.
        ends: whether the end token is looked at.
        refill: whether others take the places of those that are over.
        beams: how many there are at first; None for as many as later.
        keep_all: whether every text is handed back, the best first.
        stop: whether the search is over before the limit.
    """

    def wrong(
        continuations: Continuations, sentences: int, limit: int, width: int = 4, alpha: float = 1.0, start: int = 1,
        end: int = 2,
    ) -> Any:  # fmt: skip
        prefixes = torch.full((sentences, beams or width, 1), start)
        totals = torch.zeros(sentences, beams or width)
        best: Found = [([], begin)] * sentences
        every_text: list[Found] = [[] for _ in range(sentences)]
        for length in range(1, limit + 1):
            step = continuations(see(prefixes))
            every = grow(totals[..., None], step).masked_fill(totals[..., None] == -math.inf, -math.inf)
            place = pick(every, min(2 * width, every[0].numel()) if refill else width)
            parent, token, sums = place // step.shape[-1], place % step.shape[-1], every.flatten(1).gather(1, place)
            totals = carry(totals, step, place, sums) if carry else sums
            totals = shrink(totals, length, alpha) if shrink else totals
            prefixes = torch.cat([rows(prefixes, parent), token[..., None]], dim=2)
            ended, last = token == end, length == limit
            over = (ended & ends) | last
            noted = note(over, ended, last, best) if note else over
            if noted.any():
                texts, sums_so_far, is_ended = prefixes.tolist(), totals.tolist(), ended.tolist()
                for row, beam in noted.nonzero().tolist():
                    mark = score(sums_so_far[row][beam], length, alpha, limit, is_ended[row][beam])
                    found = (text(texts[row][beam], start, end), mark)
                    every_text[row].append(found)
                    if better(mark, best[row_of(row)][1]):
                        best[row_of(row)] = found
            totals = close(totals, over)
            if refill:
                totals, kept = totals.topk(width)
                prefixes = _of_parents(prefixes, kept)
            dead = better is operator.gt and bool((totals == -math.inf).all())
            if dead or (stop and stop(_Step(best, totals, length, limit, alpha))):
                break
        return [sorted(texts, key=lambda each: -each[1]) for texts in every_text] if keep_all else best

    return wrong


def _best_of_each(every: Tensor, width: int) -> Tensor:
    """The likeliest continuation of each beam, by itself; from one beam, the likeliest of all."""
    _, beams, vocabulary = every.shape
    if beams == 1:
        return _likeliest(every, width)
    return every.argmax(dim=-1) + vocabulary * torch.arange(beams, device=every.device)


def _shared_by_sentences(every: Tensor, width: int) -> Tensor:
    """The continuations that are likeliest in the first sentence, for all sentences."""
    return _likeliest(every[:1], width).expand(len(every), -1)


def _filled_with(value: float) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda totals, over: totals.masked_fill(over, value)


def _gone(every: Tensor) -> int:
    """How many texts ended in the step before, at most."""
    return int((every[..., 0] == -math.inf).sum(dim=1).max())


def _ever_fewer(every: Tensor, width: int) -> Tensor:
    """A beam that has lost a place for each text that ended."""
    return _likeliest(every, every.shape[1] - _gone(every) if every.shape[1] > 1 else width)


def _penalty_of(tokens: list[int], given: dict[str, Any]) -> float:
    """The penalty of a text without its end token, which it had if there was room."""
    return penalty(min(len(tokens) + 1, given["limit"]), given["alpha"])


def _rows_in_place(prefixes: Tensor, parent: Tensor) -> Tensor:
    """Each new token behind the beam at its own place."""
    return prefixes if prefixes.shape[1] == parent.shape[1] else prefixes.expand(-1, parent.shape[1], -1)


def _totals_in_place(totals: Tensor, step: Tensor, place: Tensor, sums: Tensor) -> Tensor:
    """The total of the beam at the same place, and the right step."""
    return totals.expand(-1, place.shape[1]) + step.flatten(1).gather(1, place)


def _ended_compete(
    continuations: Continuations, sentences: int, limit: int, width: int = 4, alpha: float = 1.0, start: int = 1,
    end: int = 2,
) -> Found:  # fmt: skip
    """Texts that have ended stay in the beam, are followed by `end` at no cost, and are scored at the very end."""

    def with_rest(prefixes: Tensor) -> Tensor:
        step = continuations(prefixes)
        rest = torch.full_like(step, -math.inf)
        rest[..., end] = 0
        return torch.where((prefixes[..., 1:] == end).any(dim=-1, keepdim=True), rest, step)

    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    for _ in range(limit):
        every = totals[..., None] + with_rest(prefixes)
        totals, place = every.flatten(1).topk(width)
        prefixes = torch.cat([_of_parents(prefixes, place // every.shape[-1]), (place % every.shape[-1])[..., None]], 2)
    found: Found = []
    for texts, sums in zip(prefixes[..., 1:].tolist(), totals.tolist(), strict=True):
        cut = [_up_to(end, text) for text in texts]
        scores = [total / penalty(min(len(text) + 1, limit), alpha) for text, total in zip(cut, sums, strict=True)]
        found.append(max(zip(cut, scores, strict=True), key=lambda each: each[1]))
    return found


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


EARLY = (
    "You stopped too early. What still grows may yet win: its sum can only fall, but its penalty can rise to that "
    "of the limit. Compare with totals / length_penalty(limit, alpha), or do not stop early at all."
)

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
        "length_penalty(length, alpha).": _search(score=lambda total, length, alpha, limit, ended: total),
        "You multiplied by the penalty. Sums are negative: divide, and longer texts rise.": _search(
            score=lambda total, length, alpha, limit, ended: total * penalty(length, alpha)
        ),
        "The penalty's length leaves out the end token. It counts every token that was chosen, `end` among them.": (
            _search(score=lambda total, length, alpha, limit, ended: total / penalty(length - 1, alpha))
        ),
        "The penalty's length is that of the text without its end token. It counts every token that was chosen, `end` "
        "among them.": _search(score=lambda total, length, alpha, limit, ended: total / penalty(length - ended, alpha)),
        "The penalty's length counts the start token. It was never chosen: do not count it.": _search(
            score=lambda total, length, alpha, limit, ended: total / penalty(length + 1, alpha)
        ),
        "The penalty is always that of the limit. Each text has the one of its own length, length_penalty(length, "
        "alpha).": _search(score=lambda total, length, alpha, limit, ended: total / penalty(limit, alpha)),
        "You divided by the length itself: alpha, the strength of the penalty, is not used. Use "
        "length_penalty(length, alpha).": _search(score=lambda total, length, alpha, limit, ended: total / length),
        "You divided by length ** alpha. The penalty is ((5 + length) / 6) ** alpha: use length_penalty(length, "
        "alpha).": (_search(score=lambda total, length, alpha, limit, ended: total / length**alpha)),
        "Length and alpha are swapped: length_penalty(length, alpha).": _search(
            score=lambda total, length, alpha, limit, ended: total / ((5 + alpha) / 6) ** length
        ),
        **{
            f"alpha is a parameter of the function: use it as it comes, not {own:g}.": _asked(
                beam_search, alpha=_always(own)
            )
            for own in (1.0, 0.6)
        },
        "You took 1 − alpha. The penalty's exponent is alpha itself: length_penalty(length, alpha).": _asked(
            beam_search, alpha=lambda alpha: 1 - alpha
        ),
        "The totals themselves were divided, again in each step. Divide only when a text ends; the totals must stay "
        "sums.": _search(
            shrink=lambda totals, length, alpha: totals / penalty(length, alpha),
            score=lambda total, length, alpha, limit, ended: total,
        ),
        "Left out, width is 4 and alpha 1: keep the defaults of the first line.": _left_out(
            beam_search, width=1, alpha=0.0
        ),
        "Left out, width is 4: keep the default of the first line.": _left_out(beam_search, width=1),
        **{
            f"Left out, alpha is 1, not {alpha:g}: keep the default of the first line.": _left_out(
                beam_search, alpha=alpha
            )
            for alpha in (0.0, 0.6)
        },
        "No text was ever noted: when one is over and its score is above the best so far, put (tokens, score) into "
        "best[row].": _search(note=lambda over, ended, last, best: torch.zeros_like(over)),
        "The totals became NaN: 0 · ∞ is not a number. Write −∞ where a text is over, and nowhere else: masked_fill.": (
            _search(close=lambda totals, over: totals - math.inf * over)
        ),
        "Scores are negative, so none is above 0: let the best begin with −∞.": _search(begin=0.0),
        "You kept the worst text. Keep the one with the highest score, and begin with −∞.": _search(
            begin=math.inf, better=operator.lt
        ),
        "You kept the text that was noted last. Keep the one with the highest score: compare before you write it "
        "down.": _search(better=lambda score, best: True),
        "You kept the text that was noted last, and stopped when nothing could beat that. Keep the one with the "
        "highest score: compare before you write it down.": _search(
            better=lambda score, best: True, stop=lambda at: all(at.beaten(at.bound(at.limit)))
        ),
        "The first text to end was taken. A longer one may score higher: go on, and keep the best.": _search(
            better=lambda score, best: best == -math.inf
        ),
        EARLY: _search(stop=lambda at: all(at.beaten(at.bound(at.length)))),
        "You stopped too early: the bound has no penalty. What still grows may yet win, as its penalty can rise to "
        "that of the limit. Compare with totals / length_penalty(limit, alpha), or do not stop early at all.": _search(
            stop=lambda at: all(at.beaten(at.bound()))
        ),
        "You stopped too early, when each sentence had one finished text. What still grows may yet win: go on until "
        "no totals / length_penalty(limit, alpha) is above the best score, or do not stop early at all.": _search(
            stop=lambda at: all(at.has_text())
        ),
        "You stopped too early, when the first text of all ended. Other sentences have none yet, and what still grows "
        "may win: go on until every sentence is decided, or do not stop early at all.": _search(
            stop=lambda at: any(at.has_text())
        ),
        "You stopped too early, when one sentence was decided. Go on until all are: `all`, not `any`.": _search(
            stop=lambda at: any(at.beaten(at.bound(at.limit)))
        ),
        "Each beam was continued by itself, so the beams never compete. Rank all continuations of all beams of a "
        "sentence together: flatten(1), then topk.": _search(pick=_best_of_each),
        "These are the least likely continuations: take the largest sums, topk(width).": _search(
            pick=lambda every, width: every.flatten(1).topk(width, largest=False).indices
        ),
        "Finished texts go on growing. Once a text has ended, set its total to −∞, so that nothing grows from it.": (
            _search(close=lambda totals, over: totals)
        ),
        **{
            f"The totals of finished texts became {fill}, which is above any sum of logarithms, so they go on growing. "
            "Fill with −∞.": _search(close=_filled_with(fill))
            for fill in (0, -1)
        },
        "The end token is never looked at while the beam grows. A text is over where token == end: note it then, and "
        "let nothing grow from it.": _search(ends=False, text=lambda text, start, end: _up_to(end, text[1:])),
        "The end token is never looked at. A text is over where token == end: note it then, and let nothing grow from "
        "it.": _search(ends=False),
        "Finished texts stay in the beam and compete by their sums. Note their scores when they end, and let nothing "
        "grow from them.": _ended_compete,
        "Others take the places of finished texts at once, so the beam sees more than `width` continuations. A "
        "finished text takes its place in the step in which it ends.": _search(refill=True),
        "The beam loses a place for good with each text that ends. It has `width` places in every step: topk(width).": (
            _search(pick=_ever_fewer)
        ),
        "The beam is narrower in the step after a text ends. It has `width` places in every step: "
        "topk(width).": _search(pick=lambda every, width: _likeliest(every, width - _gone(every))),
        "Only the first beam was asked whether its text is over. Any beam may end: look at all of them.": _search(
            note=lambda over, ended, last, best: over & (torch.arange(over.shape[1], device=over.device) == 0)
        ),
        "New tokens were put behind the wrong texts. The best continuations may all grow from one beam: take the "
        "prefixes of `parent` first.": _search(rows=_rows_in_place),
        "All texts were taken from the first sentence. Each has its own: prefixes[rows, parent], with "
        "rows = torch.arange(sentences)[:, None].": _search(rows=lambda prefixes, parent: prefixes[0][parent]),
        "All sentences took the first one's parents. Each has its own: prefixes[rows, parent], with "
        "rows = torch.arange(sentences)[:, None].": _search(rows=lambda prefixes, parent: prefixes[:, parent[0]]),
        "Texts were taken from another sentence: `rows` lacks an axis, rows = torch.arange(sentences)[:, None].": (
            _search(rows=lambda prefixes, parent: prefixes[torch.arange(len(prefixes), device=parent.device), parent])
        ),
        "The totals stayed with their places, and texts moved. The best sums are the new totals: totals, place = "
        "(…).topk(width).": _search(carry=_totals_in_place),
        "This is greedy search, whatever the width. Either the beam begins with several equal texts, which stay equal "
        "for ever (begin with one), or only one continuation is kept (topk(width)).": _search(beams=None),
        "The width is a parameter of the function: use it as it comes, topk(width), not 4.": _asked(
            beam_search, width=_always(4)
        ),
        "The beam is one too wide: topk(width).": _asked(beam_search, width=lambda width: width + 1),
        "Only the last step's log-probability counts. Add it to the total of the text so far.": _search(
            grow=lambda totals, step: torch.zeros_like(totals) + step
        ),
        "You added probabilities. What comes back are log-probabilities already: add them as they are.": _search(
            grow=lambda totals, step: totals + step.exp()
        ),
        "You added probabilities, so the sums rise. What comes back are log-probabilities already: add them as they "
        "are.": _search(
            grow=lambda totals, step: totals + step.exp(), stop=lambda at: all(at.beaten(at.bound(at.limit)))
        ),
        "The end token is still there. Hand back what stands before it.": _search(
            text=lambda text, start, end: text[1:]
        ),
        "The start token is still there. It was never said: leave it out.": _search(
            text=lambda text, start, end: text[:-1] if text[-1] == end else text
        ),
        "Start and end tokens are still there. Hand back what stands between them.": _search(
            text=lambda text, start, end: text
        ),
        "A text that the limit cuts off lost its last token. Cut that off only where it is `end`.": _search(
            text=lambda text, start, end: text[1:-1]
        ),
        "Texts that the limit cuts off got lost. At the limit, score what stands in the beam as it is.": _search(
            note=lambda over, ended, last, best: ended
        ),
        "Texts that the limit cuts off were noted only where none had ended. Unfinished texts compete with finished "
        "ones at the limit.": _search(
            note=lambda over, ended, last, best: (
                ended | (over & torch.tensor([[score == -math.inf] for _, score in best], device=over.device))
            )
        ),
        "One token too few, and texts that the limit cuts off got lost: range(1, limit + 1), and what stands in the "
        "beam at the limit is scored as it is.": _asked(
            _search(note=lambda over, ended, last, best: ended), limit=lambda limit: limit - 1
        ),
        "One token too few: lengths run to the limit, range(1, limit + 1).": _asked(
            beam_search, limit=lambda limit: limit - 1
        ),
        "One token too many: lengths run to the limit, range(1, limit + 1).": _asked(
            beam_search, limit=lambda limit: limit + 1
        ),
        "The model saw the last token only. Hand over the whole prefixes.": _search(
            see=lambda prefixes: prefixes[..., -1:]
        ),
        "These are the tokens alone. Hand back a pair for each sentence: (tokens, score).": _asked(
            beam_search, lambda found, given: [tokens for tokens, _ in found]
        ),
        "The pairs are the wrong way round: (tokens, score).": _asked(
            beam_search, lambda found, given: [(score, tokens) for tokens, score in found]
        ),
        "These are all finished texts. Hand back the best of each sentence alone, as one pair (tokens, "
        "score).": _search(keep_all=True),
        "The score that you hand back is the sum. Hand back what you compared: the sum divided by the penalty.": _asked(
            beam_search, lambda found, given: [(tokens, score * _penalty_of(tokens, given)) for tokens, score in found]
        ),
        "You chose by the sum, and divided afterwards. Divide first, then compare: short texts have the larger sums.": (
            _asked(
                _search(score=lambda total, length, alpha, limit, ended: total),
                lambda found, given: [(tokens, total / _penalty_of(tokens, given)) for tokens, total in found],
            )
        ),
        "The score has the wrong sign: it is a sum of logarithms, and negative.": _asked(
            beam_search, lambda found, given: [(tokens, -score) for tokens, score in found]
        ),
        "The score was turned into a probability. Hand it back as it is, without exp.": _asked(
            beam_search, lambda found, given: [(tokens, math.exp(score)) for tokens, score in found]
        ),
        "All sentences took the first one's choices. Each has its own: topk along the axis of continuations, dim=1.": (
            _search(pick=_shared_by_sentences)
        ),
        "All sentences have one best between them. Each has its own: best[row].": _asked(
            _search(row_of=lambda row: 0), lambda found, given: [found[0]] * len(found)
        ),
        "All texts were noted for the first sentence. Each has its own best: best[row].": _search(row_of=lambda row: 0),
        "The numbers of the start and end tokens are parameters: use `start` and `end`, not 1 and 2.": _asked(
            beam_search, start=_always(1), end=_always(2)
        ),
        "The number of the start token is a parameter: use `start`, not 1.": _asked(beam_search, start=_always(1)),
        "The number of the end token is a parameter: use `end`, not 2.": _asked(beam_search, end=_always(2)),
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
