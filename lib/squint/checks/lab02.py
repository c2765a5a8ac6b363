"""Lab 02, attention: what is right in each exercise, and which mistakes have names."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from squint.checks import modules
from squint.checks.engine import Case, Check
from squint.data import hand_made
from squint.nn import attention, positions


def unscaled_weights(query: Tensor, key: Tensor) -> Tensor:
    """softmax(q kᵀ): the first exercise, before the scale."""
    return (query @ key.mT).softmax(dim=-1)


def query_and_key(seed: int) -> list[Case]:
    """Queries and keys of many shapes; first comes one in which no two sizes are alike."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=dtype)

    east, north = [1.0, 0.0], [0.0, 1.0]
    return [
        Case("two queries, three keys", draw(2, 4), draw(3, 4)),
        Case("one query, two keys", torch.tensor([east]), torch.tensor([east, north])),
        Case("three words that look at each other", draw(3, 4), draw(3, 4)),
        Case("a single key", draw(2, 4), draw(1, 4)),
        Case("a batch of one", draw(1, 4, 8), draw(1, 5, 8)),
        Case("four sentences of four words, four wide", draw(4, 3, 4), draw(4, 4, 4)),
        Case("a batch of heads", draw(2, 3, 4, 8), draw(2, 3, 6, 8)),
        Case("tensors that are not contiguous", draw(2, 8, 4).mT, draw(2, 8, 5).mT),
        Case("float64", draw(2, 4, 8, dtype=torch.float64), draw(2, 6, 8, dtype=torch.float64)),
    ]


def rows_sum_to_one(weights: Callable, case: Case) -> str | None:
    """each query's weights sum to one"""
    total = weights(*case.args).sum(dim=-1)
    if torch.allclose(total, torch.ones_like(total), atol=1e-4):
        return None
    return "The weights of a query should sum to one over the keys, and they do not."


def only_differences_count(weights: Callable, case: Case) -> str | None:
    """the same vector added to every key changes nothing"""
    query, key = case.args
    if torch.allclose(weights(query, key + key[..., :1, :]), weights(query, key), atol=1e-4):
        return None
    return (
        "Adding one vector to every key adds one number to all scores of a query, and a softmax does not mind that. "
        "Your weights change."
    )


def gradient_arrives(function: Callable, case: Case) -> str | None:
    """a gradient reaches every input"""
    inputs = [x.requires_grad_() for x in case.args if isinstance(x, Tensor) and x.is_floating_point()]
    try:
        output = function(*case.args, **case.kwargs)
        gradients = torch.autograd.grad(output.square().sum(), inputs, allow_unused=True)
    except RuntimeError:  # such as “Can't call numpy() on Tensor that requires grad”
        return modules.NO_GRADIENT
    return modules.NO_GRADIENT if any(gradient is None for gradient in gradients) else None


def _weights_over_queries(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.mT).softmax(dim=-2)


def _weights_over_everything(query: Tensor, key: Tensor) -> Tensor:
    scores = query @ key.mT
    return scores.flatten(start_dim=-2).softmax(dim=-1).view_as(scores)


def _weights_over_the_first_axis(query: Tensor, key: Tensor) -> Tensor:
    # What F.softmax does when dim is left out: axis 0 of three, else axis 1.
    scores = query @ key.mT
    return scores.softmax(dim=0 if scores.ndim == 3 else 1)


def _weights_over_axis_0(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.mT).softmax(dim=0)


def _weights_over_axis_1(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.mT).softmax(dim=1)


def _weights_of_the_largest(query: Tensor, key: Tensor) -> Tensor:
    scores = query @ key.mT
    return scores / scores.amax(dim=-1, keepdim=True)


def _weights_in_logarithms(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.mT).log_softmax(dim=-1)


def _weights_of_the_winner(query: Tensor, key: Tensor) -> Tensor:
    scores = query @ key.mT
    return F.one_hot(scores.argmax(dim=-1), scores.shape[-1]).to(scores.dtype)


def _weights_without_root(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.mT / query.shape[-1]).softmax(dim=-1)


def _weights_turned_over(query: Tensor, key: Tensor) -> Tensor:
    return (-query @ key.mT).softmax(dim=-1)


def _weights_over_the_batch(query: Tensor, key: Tensor) -> Tensor:
    share = (query @ key.mT).exp()
    return share / share.sum()


def _weights_applied(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.mT).softmax(dim=-1) @ key


def _weights_of_keys(query: Tensor, key: Tensor) -> Tensor:
    return (key @ query.mT).softmax(dim=-1)


def _weights_of_distances(query: Tensor, key: Tensor) -> Tensor:
    return (-torch.cdist(query, key)).softmax(dim=-1)


def _weights_turned_round(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.permute(*range(key.ndim - 1, -1, -1))).softmax(dim=-1)


def _weights_without_exponential(query: Tensor, key: Tensor) -> Tensor:
    scores = query @ key.mT
    return scores / scores.sum(dim=-1, keepdim=True)


def _weights_not_normalised(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.mT).exp()


def _weights_by_sigmoid(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.mT).sigmoid()


def _weights_by_cosine(query: Tensor, key: Tensor) -> Tensor:
    return (F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).mT).softmax(dim=-1)


def _scores_alone(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.mT


def _weights_by_einsum(query: Tensor, key: Tensor) -> Tensor:
    return torch.einsum("...qd,...kd->...qk", query, key).softmax(-1)


def _weights_by_numpy(query: Tensor, key: Tensor) -> np.ndarray:
    scores = query.detach().cpu().numpy() @ np.swapaxes(key.detach().cpu().numpy(), -1, -2)
    share = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return share / share.sum(axis=-1, keepdims=True)


def _weights_transposed_twice(query: Tensor, key: Tensor) -> Tensor:
    return F.softmax(key @ query.transpose(-1, -2), dim=-2).transpose(-1, -2)


def _weights_by_loops(query: Tensor, key: Tensor) -> Tensor:
    rows = []
    for i in range(query.shape[-2]):
        scores = torch.stack([(query[..., i, :] * key[..., j, :]).sum(-1) for j in range(key.shape[-2])], dim=-1)
        share = torch.exp(scores - scores.max(-1, keepdim=True).values)
        rows.append(share / share.sum(-1, keepdim=True))
    return torch.stack(rows, dim=-2)


ATTENTION_WEIGHTS = Check(
    reference=unscaled_weights,
    cases=query_and_key,
    properties=[rows_sum_to_one, only_differences_count],
    hints=(
        "There are two steps. The first gives a number for each pair of a query and a key; the second turns each "
        "query's numbers into shares.",
        """
        1. All dot products at once are one matrix product: queries × keys, with the keys transposed (`key.mT`).
        2. `softmax` needs to know the axis along which the shares sum to one. A row is a query, a column is a key.
        """,
        """
        scores = query @ key.mT
        return scores.softmax(dim=-1)
        """,
    ),
    misconceptions={
        "Softmax ran over the queries. Each query shares its attention out among the keys: the last axis.": (
            _weights_over_queries
        ),
        "Softmax ran over all pairs at once. Every query has a whole of its own: softmax over the last axis.": (
            _weights_over_everything
        ),
        "With a batch, the softmax took another axis than the keys. Say which one: softmax(dim=-1).": (
            _weights_over_the_first_axis
        ),
        "softmax(dim=0) runs along the first axis: the queries, or with a batch the sentences. Keys are the last axis: "
        "dim=-1.": _weights_over_axis_0,
        "softmax(dim=1) means the keys only while there is no batch. Count from the end: dim=-1.": _weights_over_axis_1,
        "A row should be a query and a column a key: multiply queries × keys, query @ key.mT.": _weights_of_keys,
        "`.T` turns all axes round, the batch among them. `.mT` swaps the last two only.": _weights_turned_round,
        "You divided by the largest score. A softmax takes exponentials and divides by their sum.": (
            _weights_of_the_largest
        ),
        "These are the logarithms of the weights. Use softmax, not log_softmax.": _weights_in_logarithms,
        "The exponentials are divided by the sum of all of them. Every query has a whole of its own: "
        "`.sum(dim=-1, keepdim=True)`.": _weights_over_the_batch,
        "The keys that match least get most: there is a minus before the scores.": _weights_turned_over,
        "You went one step too far: return the weights, before anything is averaged.": _weights_applied,
        "The best key gets everything. Attention is a soft choice: softmax instead of argmax.": _weights_of_the_winner,
        "You divided by d. The next section measures what the scale should be; here, leave it out.": (
            _weights_without_root
        ),
        "You compared by distance. Here the dot product is the score: query @ key.mT.": _weights_of_distances,
        "You divided by the sum of raw scores, which can be negative. Exponentials first: that is softmax.": (
            _weights_without_exponential
        ),
        "The exponentials are there, but not divided by their sum over the keys.": _weights_not_normalised,
        "A sigmoid judges each key by itself. Attention is shared out: use softmax over the keys.": _weights_by_sigmoid,
        "You normalised the vectors first. Here the plain dot product counts, length and all.": _weights_by_cosine,
        "You divided by √d already. The next section measures why; here, leave it out.": (attention.attention_weights),
        "These are the scores. Turn each row of them into shares with softmax.": _scores_alone,
    },
    also_right=[_weights_by_einsum, _weights_transposed_twice, _weights_by_loops, _weights_by_numpy],
)


def query_key_value_mask(seed: int) -> list[Case]:
    """Queries, keys, values and masks of many shapes; every query may see at least one key, and no scores are so low
    that exponentials in double precision would vanish."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=dtype)

    def mask(*shape: int) -> Tensor:
        visible = torch.rand(*shape, generator=random) < 0.6
        visible[..., 1] = True
        visible[..., 2] = False
        return visible

    long = torch.float64
    return [
        Case("two queries, three keys, wider values", draw(2, 4), draw(3, 4), draw(3, 5)),
        Case("one query, two keys", draw(1, 4), draw(2, 4), draw(2, 4)),
        Case("four words that look at each other", draw(4, 4), draw(4, 4), draw(4, 4)),
        Case("a single key", draw(2, 4), draw(1, 4), draw(1, 3)),
        Case("three sentences of three words, three wide", draw(3, 3, 3), draw(3, 3, 3), draw(3, 3, 3)),
        Case("one query that may see the middle one of three keys", draw(1, 4), draw(3, 4), draw(3, 4),
             torch.tensor([[False, True, False]])),
        Case("four words and a mask", draw(4, 8), draw(4, 8), draw(4, 8), mask(4, 4)),
        Case("a batch of one, with a mask", draw(1, 4, 8), draw(1, 5, 8), draw(1, 5, 8), mask(1, 4, 5)),
        Case("one mask for a whole batch", draw(2, 4, 8), draw(2, 5, 8), draw(2, 5, 6), mask(4, 5)),
        Case("one mask for all queries of a sentence", draw(2, 4, 8), draw(2, 5, 8), draw(2, 5, 6), mask(2, 1, 5)),
        Case("a batch of heads", draw(2, 3, 4, 8), draw(2, 3, 6, 8), draw(2, 3, 6, 8), mask(2, 1, 4, 6)),
        Case("tensors that are not contiguous", draw(2, 8, 4).mT, draw(2, 8, 5).mT, draw(2, 6, 5).mT, mask(2, 5, 4).mT
             | torch.eye(4, 5, dtype=torch.bool)),
        Case("float64", draw(2, 4, 8, dtype=long), draw(2, 5, 8, dtype=long), draw(2, 5, 8, dtype=long), mask(4, 5)),
        Case("scores around −600, and a mask", 20 + draw(3, 4, dtype=long), draw(5, 4, dtype=long) / 50 - 15,
             draw(5, 6, dtype=long), mask(3, 5)),
    ]  # fmt: skip


def stays_among_the_values(function: Callable, case: Case) -> str | None:
    """the output lies between the smallest and the largest value"""
    value = case.args[2]
    output = function(*case.args)
    low, high = value.amin(dim=-2, keepdim=True), value.amax(dim=-2, keepdim=True)
    if bool(((output >= low - 1e-4) & (output <= high + 1e-4)).all()):
        return None
    return "An average of the values lies between the smallest and the largest of them, and your output does not."


def order_of_keys_is_free(function: Callable, case: Case) -> str | None:
    """keys and values in another order, with their mask, give the same output"""
    query, key, value, mask = (*case.args, None)[:4]
    order = torch.arange(key.shape[-2], device=key.device).flip(0)
    turned = None if mask is None else mask[..., order]
    if torch.allclose(
        function(query, key[..., order, :], value[..., order, :], turned), function(*case.args), atol=1e-4
    ):
        return None
    return "With keys and values in another order the output should be the same, and it is not."


def hidden_keys_do_not_count(function: Callable, case: Case) -> str | None:
    """what the mask hides from every query can change without any effect"""
    query, key, value, mask = (*case.args, None)[:4]
    if mask is None:
        return None
    seen = mask.expand(*query.shape[:-1], key.shape[-2]).any(dim=-2)[..., None]
    changed = function(query, torch.where(seen, key, key + 3), torch.where(seen, value, value - 7), mask)
    if torch.allclose(changed, function(*case.args), atol=1e-4):
        return None
    return "A key that no query may see was changed, and your output changed with it."


def _attend(scores: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1) @ value


def _without_scale(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT, value, mask)


def _scale_the_wrong_way(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT * sqrt(query.shape[-1]), value, mask)


def _scale_without_root(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / query.shape[-1], value, mask)


def _scale_by_half(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / query.shape[-1] / 2, value, mask)


def _scale_by_half_of_d(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / (query.shape[-1] / 2), value, mask)


def _mask_times_infinity(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    return _attend(scores if mask is None else scores + ~mask * -torch.inf, value, None)


def _scale_by_number_of_keys(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / sqrt(key.shape[-2]), value, mask)


def _scale_by_number_of_queries(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / sqrt(query.shape[-2]), value, mask)


def _scale_by_first_axis(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / sqrt(query.shape[0]), value, mask)


def _scale_by_width_of_values(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / sqrt(value.shape[-1]), value, mask)


def _neither_scale_nor_mask(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT, value, None)


def _keys_turned_round(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.permute(*range(key.ndim - 1, -1, -1)) / sqrt(query.shape[-1]), value, mask)


def _scale_after_softmax(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT, value, mask) / sqrt(query.shape[-1])


def _softmax_over_queries(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-2) @ value


def _softmax_over_axis_0(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=0) @ value


def _softmax_over_axis_1(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=1) @ value


def _no_softmax(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    scores = scores if mask is None else scores.masked_fill(~mask, -torch.inf)
    return scores @ value


def _no_softmax_with_zeros(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    return (scores if mask is None else scores.masked_fill(~mask, 0)) @ value


def _keys_for_values(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return attention.scaled_dot_product(query, key, key, mask)


def _filled_with_minus_100(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    return _attend(scores if mask is None else scores.masked_fill(~mask, -100), value, None)


def _filled_with_minus_10(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    return _attend(scores if mask is None else scores.masked_fill(~mask, -10), value, None)


def _filled_with_minus_1(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    return _attend(scores if mask is None else scores.masked_fill(~mask, -1), value, None)


def _filled_with_infinity(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    return _attend(scores if mask is None else scores.masked_fill(~mask, torch.inf), value, None)


def _mask_over_values(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    weights = (query @ key.mT / sqrt(query.shape[-1])).softmax(dim=-1)
    return (weights if mask is None else weights.masked_fill(~mask, -torch.inf)) @ value


def _mask_after_softmax(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    weights = (query @ key.mT / sqrt(query.shape[-1])).softmax(dim=-1)
    return (weights if mask is None else weights * mask) @ value


def _mask_inverted(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / sqrt(query.shape[-1]), value, None if mask is None else ~mask)


def _mask_added(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    return _attend(scores if mask is None else scores + mask, value, None)


def _mask_multiplied(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = query @ key.mT / sqrt(query.shape[-1])
    return _attend(scores if mask is None else scores * mask, value, None)


def _mask_forgotten(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return _attend(query @ key.mT / sqrt(query.shape[-1]), value, None)


def _weights_returned(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    return attention.attention_weights(query, key, mask)


def _product_by_einsum(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = torch.einsum("...qd,...kd->...qk", query, key) * query.shape[-1] ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.tensor(-1e9, dtype=scores.dtype, device=scores.device))
    return torch.einsum("...qk,...kd->...qd", F.softmax(scores, dim=-1), value)


def _product_scaled_early_in_place(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    scores = torch.matmul(query / sqrt(key.size(-1)), key.transpose(-2, -1))
    if mask is not None:
        scores += torch.zeros_like(scores).masked_fill_(mask.logical_not(), float("-inf"))
    return torch.matmul(torch.softmax(scores, -1), value)


def _product_masked_and_renormalised(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    weights = (query @ key.mT / sqrt(query.shape[-1])).exp()
    weights = weights if mask is None else weights * mask
    return weights / weights.sum(dim=-1, keepdim=True) @ value


SCALED_DOT_PRODUCT = Check(
    reference=attention.scaled_dot_product,
    cases=query_key_value_mask,
    properties=[stays_among_the_values, order_of_keys_is_free, hidden_keys_do_not_count, gradient_arrives],
    hints=(
        "You have the scores and the softmax already. New are a division, what happens to hidden scores before the "
        "softmax, and the weighted sum at the end.",
        """
        1. scores: as before, divided by the root of the vectors' width (`query.shape[-1]`).
        2. If there is a mask: scores where it is False become −∞, since e to the −∞ is 0. `masked_fill` takes the
           places to fill, and `~mask` turns a mask round.
        3. softmax over the keys.
        4. weights × values is a matrix product.
        """,
        """
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, float("-inf"))
        return scores.softmax(dim=-1) @ value
        """,
    ),
    misconceptions={
        "You left out the 1/√d scale: the weights grow sharper as d grows. Divide the scores by √d.": (_without_scale),
        "You multiplied by √d. The scale is there to make scores smaller: divide.": _scale_the_wrong_way,
        "You divided by d. Standard deviations grow as √d, so √d is the scale.": _scale_without_root,
        "`scores / d ** 1/2` is scores divided by d and halved: ** comes before /. Write d ** 0.5, or sqrt(d).": (
            _scale_by_half
        ),
        "`d ** 1/2` is half of d: ** comes before /. Write d ** 0.5, or sqrt(d).": _scale_by_half_of_d,
        "0 × ∞ is NaN, so a mask times −∞ spoils the visible scores. Fill the places: scores.masked_fill(~mask, …).": (
            _mask_times_infinity
        ),
        "You divided by the root of the number of keys. The d in √d is the vectors' width, query.shape[-1].": (
            _scale_by_number_of_keys
        ),
        "You divided by the root of the number of queries. The d in √d is the vectors' width, query.shape[-1].": (
            _scale_by_number_of_queries
        ),
        "len(query) and query.shape[0] count the first axis. The d in √d is the last one, query.shape[-1].": (
            _scale_by_first_axis
        ),
        "You divided by the root of the values' width. Scores compare queries with keys: take query.shape[-1].": (
            _scale_by_width_of_values
        ),
        "Two things are missing: the scale 1/√d, and the mask.": _neither_scale_nor_mask,
        "`.T` turns all axes round, the batch among them. `.mT` swaps the last two only.": _keys_turned_round,
        "The scale came after the softmax. It belongs to the scores: divide them by √d first.": _scale_after_softmax,
        "Softmax ran over the queries. Each query should spread its attention over the keys: the last axis.": (
            _softmax_over_queries
        ),
        "softmax(dim=0) runs along the first axis: the queries, or with a batch the sentences. Keys are the last axis: "
        "dim=-1.": _softmax_over_axis_0,
        "softmax(dim=1) means the keys only while there is no batch. Count from the end: dim=-1.": _softmax_over_axis_1,
        "The softmax is missing: scores are no shares yet. Softmax over the keys, then the weighted sum.": _no_softmax,
        "The softmax is missing: scores are no shares yet, and hiding a key takes −∞ before the softmax.": (
            _no_softmax_with_zeros
        ),
        "You averaged the keys. They only decide who gets how much; what is averaged is the values: weights @ value.": (
            _keys_for_values
        ),
        "−∞ came after the softmax. Hide scores before it; it turns them into weights of zero.": _mask_over_values,
        "The mask came after the softmax, so the rows no longer sum to one. Set hidden scores to −∞ before it.": (
            _mask_after_softmax
        ),
        "The mask is upside down. True means “may be seen”: fill the scores where it is False.": _mask_inverted,
        "You added the mask to the scores. Adding 1 and 0 hides nothing: set hidden scores to −∞.": _mask_added,
        "Hidden scores are 0, as if multiplied by the mask. A score of 0 still gets a share, e⁰ = 1: set it to −∞.": (
            _mask_multiplied
        ),
        "Hidden scores are a number that is not low enough. Where all scores are low, −100 is the highest of them, and "
        'the hidden keys get everything: float("-inf").': _filled_with_minus_100,
        'Hidden scores are −10 or so, and e⁻¹⁰ still leaks a little of the hidden keys: float("-inf").': (
            _filled_with_minus_10
        ),
        'Hidden scores are −1, and e⁻¹ is a good share: set them to −∞, float("-inf").': _filled_with_minus_1,
        "Hidden scores are +∞ or NaN, and NaN comes out. It is −∞ whose exponential is zero.": _filled_with_infinity,
        "Everything is right but the mask, which is not used.": _mask_forgotten,
        "You returned the weights. One step is missing: the weighted sum of the values.": _weights_returned,
    },
    also_right=[_product_by_einsum, _product_scaled_early_in_place, _product_masked_and_renormalised],
)


def lengths_and_tokens(seed: int) -> list[Case]:
    """Batches of sentences, given by their lengths, and how far they are filled up."""
    return [
        Case("two sentences, filled up to five", torch.tensor([4, 1]), 5),
        Case("one sentence of two words, filled up to three", torch.tensor([2]), 3),
        Case("three sentences, filled further than the longest", torch.tensor([3, 5, 2]), 7),
        Case("three sentences of three words", torch.tensor([3, 1, 2]), 3),
        Case("nothing to fill", torch.tensor([2, 2]), 2),
    ]


def hides_the_filling_only(function: Callable, case: Case) -> str | None:
    """as many keys are visible as the sentence has words"""
    lengths, _ = case.args
    if torch.equal(function(*case.args).sum(dim=(-2, -1)), lengths):
        return None
    return "Each sentence should show as many keys as it has words."


def _padding_upside_down(lengths: Tensor, tokens: int) -> Tensor:
    return ~attention.padding_mask(lengths, tokens)


def _padding_one_too_many(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths + 1, tokens)


def _padding_one_too_few(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths - 1, tokens)


def _padding_without_query_axis(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths, tokens)[..., 0, :]


def _padding_of_queries(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths, tokens).mT


def _padding_of_both(lengths: Tensor, tokens: int) -> Tensor:
    mask = attention.padding_mask(lengths, tokens)
    return mask & mask.mT


def _padding_for_every_query(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths, tokens).expand(-1, tokens, -1)


def _padding_axis_in_front(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths, tokens)[:, 0][None]


def _padding_at_the_front(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths, tokens).flip(-1)


def _padding_to_the_longest(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths, int(lengths.max()))


def _padding_of_the_first(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths[:1], tokens).repeat(len(lengths), 1, 1)


def _padding_the_last_word(lengths: Tensor, tokens: int) -> Tensor:
    return (torch.arange(tokens, device=lengths.device) == lengths[:, None])[:, None]


def _padding_to_be_added(lengths: Tensor, tokens: int) -> Tensor:
    mask = attention.padding_mask(lengths, tokens)
    return torch.zeros_like(mask, dtype=torch.float32).masked_fill(~mask, -torch.inf)


def _padding_by_numpy(lengths: Tensor, tokens: int) -> np.ndarray:
    return np.arange(tokens)[None, None, :] < lengths.cpu().numpy()[:, None, None]


def _padding_as_numbers(lengths: Tensor, tokens: int) -> Tensor:
    return attention.padding_mask(lengths, tokens).float()


def _padding_by_loops(lengths: Tensor, tokens: int) -> Tensor:
    rows = [[[position < int(length) for position in range(tokens)]] for length in lengths]
    return torch.tensor(rows, device=lengths.device)


def _padding_filled_in_place(lengths: Tensor, tokens: int) -> Tensor:
    mask = torch.zeros(len(lengths), 1, tokens, dtype=torch.bool, device=lengths.device)
    for row, length in enumerate(lengths.tolist()):
        mask[row, 0, :length] = True
    return mask


PADDING_MASK = Check(
    reference=attention.padding_mask,
    cases=lengths_and_tokens,
    properties=[hides_the_filling_only],
    hints=(
        "Number the places from 0. Which numbers belong to the words of a sentence of length 3?",
        """
        1. `torch.arange(tokens)` numbers the places: shape [tokens].
        2. Compare it with the lengths. For every sentence against every place, the lengths must stand in an axis of
           their own: `lengths[:, None]` has shape [batch, 1].
        3. That gives [batch, tokens]. Make room for the queries: [batch, 1, tokens].
        """,
        """
        place = torch.arange(tokens, device=lengths.device)
        return (place < lengths[:, None])[:, None, :]
        """,
    ),
    misconceptions={
        "The mask is upside down: True means “may be seen”, so the words are True and the filling is False.": (
            _padding_upside_down
        ),
        "One place too many is visible. Three words have the places 0, 1 and 2: compare with <, not ≤.": (
            _padding_one_too_many
        ),
        "The last word is hidden. Places count from 0, so place < length keeps all words.": _padding_one_too_few,
        "The axis for the queries is missing: [batch, tokens] should be [batch, 1, tokens].": (
            _padding_without_query_axis
        ),
        "You hid queries. The last axis is the keys: the shape should be [batch, 1, tokens], not [batch, tokens, 1].": (
            _padding_of_queries
        ),
        "You hid the filling among the queries as well. A query without any key would give 0/0; hide keys only.": (
            _padding_of_both
        ),
        "Right, but written out for every query. An axis of size one stretches by itself: [batch, 1, tokens].": (
            _padding_for_every_query
        ),
        "The axis of size one stands before the batch. It belongs behind it: [batch, 1, tokens].": (
            _padding_axis_in_front
        ),
        "The filling stands behind the words, not before them: the first places are True.": _padding_at_the_front,
        "The mask is as wide as the longest sentence. The batch was filled up to `tokens` places.": (
            _padding_to_the_longest
        ),
        "Every sentence got the mask of the first. Each has a length of its own: lengths[:, None].": (
            _padding_of_the_first
        ),
        "Only one place a sentence is True. All places before the length are words: compare with <, not ==.": (
            _padding_the_last_word
        ),
        "This is a mask to add to the scores. Ours is True where a key may be seen, else False.": _padding_to_be_added,
        "These are numbers. A mask is True and False: leave the comparison's result as it is.": _padding_as_numbers,
    },
    also_right=[_padding_by_loops, _padding_filled_in_place, _padding_by_numpy],
)


def numbers_of_tokens(seed: int) -> list[Case]:
    """Sentences of one to nine words."""
    names = {3: "three words", 1: "one word", 2: "two words", 9: "nine words"}
    return [Case(name, tokens) for tokens, name in names.items()]


def each_sees_one_more(function: Callable, case: Case) -> str | None:
    """the first word sees one key, the second two, and so on"""
    (tokens,) = case.args
    if function(tokens).sum(dim=-1).tolist() == list(range(1, tokens + 1)):
        return None
    return "The first word should see one key, the second two, and so on."


def _causal_without_self(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool).tril(-1)


def _causal_with_next(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool).tril(1)


def _causal_backwards(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool).triu()


def _causal_upside_down(tokens: int) -> Tensor:
    return ~attention.causal_mask(tokens)


def _causal_as_numbers(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens).tril()


def _causal_to_be_added(tokens: int) -> Tensor:
    return torch.full((tokens, tokens), -torch.inf).triu(1)


def _causal_not_at_all(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool)


def _causal_self_alone(tokens: int) -> Tensor:
    return torch.eye(tokens, dtype=torch.bool)


def _causal_one_back(tokens: int) -> Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool).tril().triu(-1)


def _causal_from_the_other_corner(tokens: int) -> Tensor:
    return attention.causal_mask(tokens).flip(0)


def _causal_mirrored(tokens: int) -> Tensor:
    return attention.causal_mask(tokens).flip(1)


def _causal_one_larger(tokens: int) -> Tensor:
    return attention.causal_mask(tokens + 1)


def _causal_by_numpy(tokens: int) -> np.ndarray:
    return np.tril(np.ones((tokens, tokens), dtype=bool))


def _causal_by_tril(tokens: int) -> Tensor:
    return torch.tril(torch.ones(tokens, tokens)).bool()


def _causal_by_loops(tokens: int) -> Tensor:
    return torch.tensor([[key <= query for key in range(tokens)] for query in range(tokens)])


def _causal_by_inversion(tokens: int) -> Tensor:
    return torch.triu(torch.ones(tokens, tokens), diagonal=1) == 0


CAUSAL_MASK = Check(
    reference=attention.causal_mask,
    cases=numbers_of_tokens,
    properties=[each_sees_one_more],
    hints=(
        "Draw it for three words: a row for each query, a column for each key. Which of the nine may be seen?",
        """
        1. The word at place i may see places 0 … i, itself among them.
        2. So an entry is True where the key's place is at most the query's: the lower triangle, with the diagonal.
        3. Either compare two `torch.arange`s, one as a column, or cut a square of True with `tril`.
        """,
        """
        place = torch.arange(tokens)
        return place[None, :] <= place[:, None]
        """,
    ),
    misconceptions={
        "Off by one: a word may see itself. Keep the diagonal.": _causal_without_self,
        "Off by one: each word sees the next one, which is the one it should learn to predict. Stop at the diagonal.": (
            _causal_with_next
        ),
        "The wrong triangle: these words see what comes after them. Rows are queries, columns are keys.": (
            _causal_backwards
        ),
        "The mask is upside down: True means “may be seen”.": _causal_upside_down,
        "Everything may be seen, the future as well. Hide the keys that come after the query.": _causal_not_at_all,
        "Each word sees itself alone. It may see all words before it as well.": _causal_self_alone,
        "Each word sees itself and one word before. It may see all words before it.": _causal_one_back,
        "The triangle stands in another corner: the first row, the first query, should see one key.": (
            _causal_from_the_other_corner
        ),
        "The triangle leans the wrong way: what a word sees begins with the first key, at the left.": _causal_mirrored,
        "One row and one column too many: places count from 0 to tokens − 1.": _causal_one_larger,
        "These are ones and zeros. A mask is True and False: compare, or end with `.bool()`.": _causal_as_numbers,
        "This is a mask to add to the scores. Ours is True where a key may be seen, else False.": _causal_to_be_added,
    },
    also_right=[_causal_by_tril, _causal_by_loops, _causal_by_inversion, _causal_by_numpy],
)


LEAST, DRIFT = 0.8, 0.05
"""What “it” must give its animal at least, and how far other words' weights may move."""

STANDS_IN, THING, ALIVE, PLACE = (hand_made.FEATURES.index(name) for name in ("stands in", "thing", "alive", "place"))


def by_hand(asks: dict[int, float]) -> Tensor:
    """The identity, but for the row that says what a word that stands in asks for."""
    w_query = torch.eye(len(hand_made.FEATURES))
    w_query[STANDS_IN] = 0
    for feature, loudness in asks.items():
        w_query[STANDS_IN, feature] = loudness
    return w_query


def sentences_with_it(seed: int) -> list[Case]:
    """Two sentences: the words' vectors, the place of “it” and the place of its animal."""
    texts = {
        "the animal did not cross the street because it was too tired": "animal",
        "the dog left the street because it was hungry": "dog",
    }
    cases = []
    for text, meant in texts.items():
        words = text.split()
        cases.append(Case(text, hand_made.vectors(words), words.index("it"), words.index(meant)))
    return cases


def weights_by_hand(w_query: Any, words: Tensor, it: int, meant: int) -> dict[str, Any]:
    """Everybody's weights when the keys are the words themselves, and the matrix that made them; or the problem."""
    dim = words.shape[-1]
    try:
        matrix = torch.as_tensor(w_query, dtype=words.dtype, device=words.device).detach()
    except (TypeError, ValueError, RuntimeError):
        what = "a string" if isinstance(w_query, str) else f"a {type(w_query).__name__}"
        return {"problem": f"w_query should be a matrix of {dim} × {dim} numbers, and it is {what}. {START}"}
    if matrix.shape != (dim, dim):
        is_row = matrix.shape == (dim,)
        form = "a single row" if is_row else "a single number" if not matrix.ndim else f"of shape {tuple(matrix.shape)}"
        return {"problem": f"w_query should be a matrix of {dim} × {dim}, and it is {form}. {START}"}
    return {"w_query": matrix, "weights": attention.attention_weights(words @ matrix, words)}


START = "Start with w_query = torch.eye(7), and write into its row for “stands in”."
UNCHANGED = "“it” still looks for words like itself. What it asks for is the row of “stands in”: write something there."
SIDEWAYS = "You filled the column of “stands in”. A query is word @ w_query, so what “it” asks for stands in its row."
ELSEWHERE = (
    "“it” asks for what it asked for before: you changed other rows. What “it” asks for is the row of “stands in”."
)
SILENT = "The row of “stands in” is all zeros, so “it” asks for nothing and shares its attention out evenly."
NOTHING = "Nobody asks for anything: every entry is zero. Start with torch.eye(7), and fill the row of “stands in”."
NEGATED = "Every entry has the wrong sign: with all of them turned round, it would do."
AWAY = "“it” looks away from its animal: the numbers that meet it point the wrong way. Make them positive."
FAINT = "“it” looks the right way, but faintly. Differences between scores make the weights: use larger numbers."
ANY_THING = "“it” asks for a thing, and a street is a thing too. Ask for what the animal has and the street has not."
ANY_LIFE = (
    "“it” asks for what is alive, and “tired” is a little alive as well. Ask for a thing too: only the animal is both."
)
A_PLACE = "“it” asks for a place, and finds the street. Ask for what the animal is: a thing, and alive."
EVERYBODY = "Every word looks for the animal now. Leave the other rows as they are in the identity."
ALONE = "The row of “stands in” does its job, but the other rows are empty. Start with torch.eye(7), not with zeros."
LOUD = "Every word's query has grown louder. Leave the other rows as they are in the identity: ones on the diagonal."


def does_the_job(got: dict[str, Any], want: dict[str, Any], case: Case) -> str | None:
    """None if “it” finds its animal and the other words look where they did, else what is in the way."""
    if "problem" in got:
        return got["problem"]
    words, it, meant = case.args
    w_query, weights = got["w_query"], got["weights"]
    if not bool(torch.isfinite(weights).all()):
        return "Some weights are not numbers. Are there infinities in w_query? Numbers around 10 are loud enough."
    plain = weights_by_hand(torch.eye(words.shape[-1]), words, it, meant)["weights"]
    others = torch.arange(len(words), device=words.device) != it
    moved = float((weights - plain)[others].abs().max()) > DRIFT
    finds = float(weights[it, meant]) >= LEAST
    if finds and not moved:
        return None
    return _wrong_rows(w_query) or (
        _others_moved(w_query, weights, plain, others, finds, case) if moved else _not_found(w_query, weights, case)
    )


def _wrong_rows(w_query: Tensor) -> str | None:
    """What can be told from the matrix alone: that the row of “stands in” was left as it was, or left empty."""
    identity = torch.eye(len(w_query)).to(w_query)
    rest = torch.arange(len(w_query), device=w_query.device) != STANDS_IN
    row, column = w_query[STANDS_IN], w_query[:, STANDS_IN]
    if not bool(w_query.any()):
        return NOTHING
    if not bool(row[rest].any()) and bool(column[rest].any()):
        return SIDEWAYS
    if not bool(row.any()):
        return SILENT
    if bool((w_query == identity).all()):
        return UNCHANGED
    if bool((row == identity[STANDS_IN]).all()) and not bool((w_query == w_query[0, 0] * identity).all()):
        return ELSEWHERE
    return None


def _others_moved(w_query: Tensor, weights: Tensor, plain: Tensor, others: Tensor, finds: bool, case: Case) -> str:
    words, it, meant = case.args
    if float(w_query.trace()) < 0 and does_the_job(weights_by_hand(-w_query, words, it, meant), {}, case) is None:
        return NEGATED
    rest = torch.arange(len(w_query), device=w_query.device) != STANDS_IN
    if finds and not bool(w_query[rest].any()):
        return ALONE
    diagonal = w_query.diagonal()
    if bool((w_query[rest] == diagonal.diag()[rest]).all()) and bool((diagonal[rest] > 1).all()):
        return LOUD
    if bool((weights[others].argmax(dim=-1) == meant).float().mean() > 0.6):
        return EVERYBODY
    drift = (weights - plain).abs().amax(dim=-1) * others
    word = case.label.split()[int(drift.argmax())]
    return (
        f"On “{case.label}” other words look elsewhere as well: a weight of “{word}” moved by "
        f"{float(drift.max()):.2f}, and {DRIFT} is allowed. Change the row of “stands in” only."
    )


def _not_found(w_query: Tensor, weights: Tensor, case: Case) -> str:
    words, it, meant = case.args
    asks = w_query[STANDS_IN]
    share = weights[it].clone()
    share[meant] = 0
    rival = int(share.argmax())
    if float(asks @ words[meant]) < 0:
        return AWAY
    asked = {feature for feature in range(len(asks)) if float(asks[feature]) > 0} - {STANDS_IN}
    if PLACE in asked and float(words[rival, PLACE]) > 0:
        return A_PLACE
    if asked == {THING} and float(words[rival, THING]) > 0:
        return ANY_THING
    if asked == {ALIVE} and float(words[rival, ALIVE]) > 0:
        return ANY_LIFE
    if asked == {THING, ALIVE} and int(weights[it].argmax()) == meant:
        return FAINT
    return (
        f"On “{case.label}” “it” gives {float(weights[it, meant]):.0%} to its animal; {LEAST:.0%} is asked for. "
        f"Most of the rest, {float(weights[it, rival]):.0%}, goes to “{case.label.split()[rival]}”."
    )


W_QUERY = Check(
    kind="value",
    reference=by_hand({THING: 10.0, ALIVE: 10.0}),
    probe=weights_by_hand,
    compare=does_the_job,
    cases=sentences_with_it,
    hints=(
        "Only one feature of “it” is not zero, “stands in”. So only one row of w_query decides what “it” asks for.",
        """
        1. Start from the identity, so that all other words keep asking for what they are.
        2. In the row of “stands in”, write large numbers where the animal has an entry and its rivals have less.
        3. The street is a thing, and tired is a little alive; only the animal is both.
        """,
        """
        w_query = torch.eye(7)
        w_query[STANDS_IN, THING] = 10
        w_query[STANDS_IN, ALIVE] = 10
        """,
    ),
    misconceptions={
        UNCHANGED: torch.eye(len(hand_made.FEATURES)),
        SIDEWAYS: by_hand({THING: 10.0, ALIVE: 10.0}).mT.contiguous(),
        ELSEWHERE: torch.eye(7).index_put((torch.tensor([6, 6]), torch.tensor([THING, ALIVE])), torch.tensor(10.0)),
        SILENT: by_hand({}),
        NOTHING: torch.zeros(7, 7),
        NEGATED: -by_hand({THING: 10.0, ALIVE: 10.0}),
        FAINT: by_hand({THING: 1.0, ALIVE: 1.0}),
        ANY_THING: by_hand({THING: 10.0}),
        ANY_LIFE: by_hand({ALIVE: 10.0}),
        A_PLACE: by_hand({THING: 10.0, PLACE: 10.0}),
        EVERYBODY: torch.zeros(7, 7).index_fill(1, torch.tensor([THING, ALIVE]), 10.0),
        AWAY: by_hand({THING: -10.0, ALIVE: -10.0}),
        ALONE: by_hand({THING: 10.0, ALIVE: 10.0}) - by_hand({}),
        LOUD: by_hand({THING: 10.0, ALIVE: 10.0}) + 9 * by_hand({}),
    },
    also_right=[
        by_hand({THING: 8.0, ALIVE: 12.0, STANDS_IN: 1.0}),
        by_hand({THING: 15.0, ALIVE: 15.0, hand_made.FEATURES.index("glue"): -5.0}),
        by_hand({THING: 20.0, hand_made.FEATURES.index("place"): -15.0, hand_made.FEATURES.index("quality"): -4.0}),
        by_hand({THING: 10.0, ALIVE: 10.0}).double(),
        nn.Parameter(by_hand({THING: 10.0, ALIVE: 10.0})),
        by_hand({THING: 10.0, ALIVE: 10.0}).tolist(),
        by_hand({THING: 10.0, ALIVE: 10.0}).numpy(),
    ],
)


def vectors_and_heads(seed: int) -> list[Case]:
    """Sequences of vectors, and numbers of heads."""
    random = torch.Generator().manual_seed(seed)
    return [
        Case("four sentences of three words, two heads", torch.arange(120.0).reshape(4, 3, 10), 2),
        Case("one word, two heads", torch.arange(4.0).reshape(1, 1, 4), 2),
        Case("a batch of two", torch.randn(2, 5, 12, generator=random), 4),
        Case("as many words as heads", torch.randn(2, 4, 8, generator=random), 4),
        Case("one head", torch.randn(2, 3, 6, generator=random), 1),
        Case("a tensor that is not contiguous", torch.randn(2, 8, 5, generator=random).mT, 2),
        Case("float64", torch.randn(2, 5, 8, generator=random, dtype=torch.float64), 2),
    ]


def first_head_is_the_first_part(function: Callable, case: Case) -> str | None:
    """the first head holds the first entries of every vector"""
    x, heads = case.args
    if torch.equal(function(x, heads)[..., 0, :, :], x[..., : x.shape[-1] // heads]):
        return None
    return "The first head should hold the first dim / heads entries of every word's vector."


def _split_by_reshape_alone(x: Tensor, heads: int) -> Tensor:
    return x.reshape(*x.shape[:-2], heads, x.shape[-2], x.shape[-1] // heads)


def _split_interleaved(x: Tensor, heads: int) -> Tensor:
    return rearrange(x, "... tokens (part heads) -> ... heads tokens part", heads=heads)


def _split_without_moving(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1))


def _split_by_view_alone(x: Tensor, heads: int) -> Tensor:
    return x.view(*x.shape[:-2], heads, x.shape[-2], x.shape[-1] // heads)


def _split_heads_first(x: Tensor, heads: int) -> Tensor:
    return torch.stack(x.chunk(heads, dim=-1))


def _split_as_parts(x: Tensor, heads: int) -> Tensor:
    return rearrange(x, "... tokens (heads part) -> ... heads part tokens", heads=heads)


def _split_words_among_heads(x: Tensor, heads: int) -> Tensor:
    return rearrange(x, "... tokens (part heads) -> ... heads tokens part", part=heads)


def _split_one_head_alone(x: Tensor, heads: int) -> Tensor:
    return x[..., None, :, : x.shape[-1] // heads]


def _split_as_copies(x: Tensor, heads: int) -> Tensor:
    return x[..., None, :, :].expand(*x.shape[:-2], heads, *x.shape[-2:])


def _split_into_the_batch(x: Tensor, heads: int) -> Tensor:
    return attention.split_heads(x, heads).flatten(end_dim=1)


def _split_backwards(x: Tensor, heads: int) -> Tensor:
    return torch.stack(x.chunk(heads, dim=-1)[::-1], dim=-3)


def _split_by_loops(x: Tensor, heads: int) -> Tensor:
    part = x.shape[-1] // heads
    out = x.new_zeros(*x.shape[:-2], heads, x.shape[-2], part)
    for entry in range(x.shape[-1]):
        out[..., entry // part, :, entry % part] = x[..., entry]
    return out


def _split_by_cutting(x: Tensor, heads: int) -> Tensor:
    return torch.stack(x.chunk(heads, dim=-1), dim=-3)


def _split_by_transposing(vectors: Tensor, number: int) -> Tensor:
    batch, tokens, dim = vectors.shape
    return vectors.reshape(batch, tokens, number, dim // number).transpose(1, 2)


SPLIT_HEADS = Check(
    reference=attention.split_heads,
    cases=vectors_and_heads,
    properties=[first_head_is_the_first_part, gradient_arrives],
    hints=(
        "Two things happen: the last axis is cut in two, and the axis of the heads moves in front of the words.",
        """
        In einops' language the last axis is `(heads part)`: a bracket on the left cuts an axis, the outer part first.
        On the right, write the axes in the order in which you want them: batch, heads, tokens, part.
        """,
        """
        return rearrange(x, "batch tokens (heads part) -> batch heads tokens part", heads=heads)
        """,
    ),
    misconceptions={
        "The heads were cut from the words' axis: reshape alone keeps the order in memory, so a head gets whole words. "
        "Cut the last axis first, then swap the heads and the words.": _split_by_reshape_alone,
        "The heads were cut from the words' axis: view alone keeps the order in memory, so a head gets whole words. "
        "Cut the last axis first, then swap the heads and the words.": _split_by_view_alone,
        "The heads stand before the batch. Their axis belongs between the batch and the words.": _split_heads_first,
        "Each head took every n-th entry. Give it consecutive ones: in the bracket, heads come first, (heads part).": (
            _split_interleaved
        ),
        "Cut right, but the heads stand behind the words. Move them in front: [batch, heads, tokens, part].": (
            _split_without_moving
        ),
        "The last two axes are swapped: [batch, heads, tokens, part] is asked for.": _split_as_parts,
        "These are heads of dim / heads pieces: `heads` is how many parts there are, not how long they are. Cut with "
        "(heads part), heads=heads.": _split_words_among_heads,
        "Only the first head is there. Cut every vector into all its parts.": _split_one_head_alone,
        "Each head got a copy of the whole vector. It should get its own part, dim / heads entries.": _split_as_copies,
        "Heads and sentences melted into one axis. Keep them apart: [batch, heads, tokens, part].": (
            _split_into_the_batch
        ),
        "The heads stand in reverse order: the first head gets the first entries.": _split_backwards,
    },
    also_right=[_split_by_cutting, _split_by_transposing, _split_by_loops],
)


def heads_to_join(seed: int) -> list[Case]:
    """Vectors of several heads, some as splitting leaves them in memory and some laid out afresh."""
    split = [(case.label, attention.split_heads(*case.args)) for case in vectors_and_heads(seed)]
    return [Case(label, x.contiguous() if i % 2 else x) for i, (label, x) in enumerate(split)]


def nothing_is_lost(function: Callable, case: Case) -> str | None:
    """splitting again gives back the heads"""
    (x,) = case.args
    if torch.equal(attention.split_heads(function(x), x.shape[-3]), x):
        return None
    return "Splitting what you joined should give back the heads, and it does not."


def _join_by_reshape_alone(x: Tensor) -> Tensor:
    return x.reshape(*x.shape[:-3], x.shape[-2], x.shape[-3] * x.shape[-1])


def _join_interleaved(x: Tensor) -> Tensor:
    return rearrange(x, "... heads tokens part -> ... tokens (part heads)")


def _join_by_adding(x: Tensor) -> Tensor:
    return x.sum(dim=-3)


def _join_by_averaging(x: Tensor) -> Tensor:
    return x.mean(dim=-3)


def _join_along_words(x: Tensor) -> Tensor:
    return rearrange(x, "... heads tokens part -> ... (heads tokens) part")


def _join_words_with_parts(x: Tensor) -> Tensor:
    return x.flatten(start_dim=-2)


def _join_the_first_alone(x: Tensor) -> Tensor:
    return x[..., 0, :, :]


def _join_without_melting(x: Tensor) -> Tensor:
    return x.transpose(-3, -2)


def _join_backwards(x: Tensor) -> Tensor:
    return torch.cat(x.unbind(dim=-3)[::-1], dim=-1)


def _join_by_loops(x: Tensor) -> Tensor:
    batch, heads, tokens, part = x.shape
    joined = x.new_empty(batch, tokens, heads * part)
    for head in range(heads):
        joined[:, :, head * part : (head + 1) * part] = x[:, head]
    return joined


def _join_by_concatenating(x: Tensor) -> Tensor:
    return torch.cat(x.unbind(dim=-3), dim=-1)


def _join_by_transposing(x: Tensor) -> Tensor:
    return x.transpose(-3, -2).flatten(start_dim=-2)


JOIN_HEADS = Check(
    reference=attention.join_heads,
    cases=heads_to_join,
    properties=[nothing_is_lost, gradient_arrives],
    hints=(
        "It is split_heads read backwards.",
        """
        The axes come in as heads, tokens, part. Swap heads and tokens, then melt the last two axes into one.
        In einops a bracket on the right melts axes, the outer one first.
        """,
        """
        return rearrange(x, "batch heads tokens part -> batch tokens (heads part)")
        """,
    ),
    misconceptions={
        "Reshape alone keeps the order in memory, so words get mixed. Swap heads and words first.": (
            _join_by_reshape_alone
        ),
        "The heads are shuffled together entry by entry. Lay them side by side: in the bracket, heads come first.": (
            _join_interleaved
        ),
        "You added the heads up. Lay their vectors side by side, so that nothing is lost.": _join_by_adding,
        "You averaged the heads. Lay their vectors side by side, so that nothing is lost.": _join_by_averaging,
        "The words melted into the parts: [batch, heads, tokens × part]. Swap heads and words first; then the last two "
        "axes are the right ones.": _join_words_with_parts,
        "Only the first head is there. Lay the vectors of all heads side by side.": _join_the_first_alone,
        "Heads and words have changed places; now melt the last two axes into one.": _join_without_melting,
        "The heads stand in reverse order: the first head's entries come first.": _join_backwards,
        "The heads were laid one after the other along the words. Lay them side by side along the last axis.": (
            _join_along_words
        ),
    },
    also_right=[_join_by_concatenating, _join_by_transposing, _join_by_loops],
)


class _Written(nn.Module):
    """Multi-head attention in plain steps, each of which a version below replaces."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads, self.dim = heads, dim
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

    def split(self, x: Tensor) -> Tensor:
        return attention.split_heads(x, self.heads)

    def join(self, x: Tensor) -> Tensor:
        return attention.join_heads(x)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return attention.scaled_dot_product(query, key, value, mask)

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(x), self.k(context), self.v(context)

    def finish(self, attended: Tensor, x: Tensor) -> Tensor:
        return self.o(attended)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        query, key, value = map(self.split, self.project(x, x if context is None else context))
        return self.finish(self.join(self.attend(query, key, value, attention.for_all_heads(mask))), x)


class _IgnoresContext(_Written):
    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(x), self.k(x), self.v(x)


class _AsksFromContext(_Written):
    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(context), self.k(context), self.v(context)


class _ValuesFromX(_Written):
    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(x), self.k(context), self.v(x)


class _KeysFromX(_Written):
    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(x), self.k(x), self.v(context)


class _SwapsQueryAndKey(_Written):
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return attention.scaled_dot_product(key, query, value, mask)


class _IgnoresMask(_Written):
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return attention.scaled_dot_product(query, key, value)


class _InvertsMask(_Written):
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return _mask_inverted(query, key, value, mask)


class _MasksTooLate(_Written):
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return _mask_after_softmax(query, key, value, mask)


class _NeverScales(_Written):
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return _without_scale(query, key, value, mask)


class _ScalesTwice(_Written):
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return attention.scaled_dot_product(query / sqrt(query.shape[-1]), key, value, mask)


class _ScalesByAllOfDim(_Written):
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return attention.scaled_dot_product(query / sqrt(self.heads), key, value, mask)


class _SoftmaxOverQueries(_Written):
    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        return _softmax_over_queries(query, key, value, mask)


class _OneHead(_Written):
    def split(self, x: Tensor) -> Tensor:
        return attention.split_heads(x, 1)


class _NeverSplits(_Written):
    def split(self, x: Tensor) -> Tensor:
        return x

    def join(self, x: Tensor) -> Tensor:
        return x


class _SplitsWords(_Written):
    def split(self, x: Tensor) -> Tensor:
        return _split_by_reshape_alone(x, self.heads)

    def join(self, x: Tensor) -> Tensor:
        return _join_by_reshape_alone(x.transpose(-3, -2)).reshape(*x.shape[:-3], x.shape[-2], self.dim)


class _JoinsByReshape(_Written):
    def join(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:-3], x.shape[-2], self.dim)


class _AttendsAcrossHeads(_Written):
    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1))

    def join(self, x: Tensor) -> Tensor:
        return x.flatten(start_dim=-2)


class _AveragesHeads(_Written):
    def join(self, x: Tensor) -> Tensor:
        return x.mean(dim=-3).repeat_interleave(self.heads, dim=-1)


class _LeavesOutputOut(_Written):
    def finish(self, attended: Tensor, x: Tensor) -> Tensor:
        return attended


class _AddsX(_Written):
    def finish(self, attended: Tensor, x: Tensor) -> Tensor:
        return x + self.o(attended)


class _NoOutputLayer(_LeavesOutputOut):
    def __init__(self, dim: int, heads: int):
        super().__init__(dim, heads)
        del self.o


class _Packed(_Written):
    """One projection for queries, keys and values, as many libraries write it."""

    def __init__(self, dim: int, heads: int):
        nn.Module.__init__(self)
        self.heads, self.qkv, self.o = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.qkv(x).chunk(3, dim=-1)[0], *self.qkv(context).chunk(3, dim=-1)[1:]


class _PackedKeysAndValues(_Written):
    """Queries alone, keys and values from one projection, heads cut so that each takes every n-th entry; no biases."""

    def __init__(self, dim: int, heads: int):
        nn.Module.__init__(self)
        self.heads, self.kv = heads, nn.Linear(dim, 2 * dim, bias=False)
        self.q, self.o = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)

    def split(self, x: Tensor) -> Tensor:
        return _split_interleaved(x, self.heads)

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q(x), *self.kv(context).chunk(2, dim=-1)


class _PackedByHead(_Written):
    """One projection in which each head's query, key and value stand together."""

    def __init__(self, dim: int, heads: int):
        nn.Module.__init__(self)
        self.heads, self.qkv, self.o = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        pattern, context = (
            "... tokens (heads three part) -> three ... heads tokens part",
            x if context is None else context,
        )
        query = rearrange(self.qkv(x), pattern, heads=self.heads, three=3)[0]
        _, key, value = rearrange(self.qkv(context), pattern, heads=self.heads, three=3)
        return self.o(attention.join_heads(self.attend(query, key, value, attention.for_all_heads(mask))))


class _Head(nn.Module):
    """One head with its own small projections."""

    def __init__(self, dim: int, part: int):
        super().__init__()
        self.key, self.query, self.value = nn.Linear(dim, part), nn.Linear(dim, part), nn.Linear(dim, part)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None) -> Tensor:
        return attention.scaled_dot_product(self.query(x), self.key(context), self.value(context), mask)


class _ListOfHeads(nn.Module):
    """A list of heads, joined by concatenation."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = nn.ModuleList(_Head(dim, dim // heads) for _ in range(heads))
        self.mix = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        return self.mix(torch.cat([head(x, context, mask) for head in self.heads], dim=-1))


class _SeveralSmallHeads(nn.Module):
    """Three lists of small projections."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        part = dim // heads
        self.queries, self.keys, self.values = (
            nn.ModuleList(nn.Linear(dim, part) for _ in range(heads)) for _ in range(3)
        )
        self.mix = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        heads = [
            attention.scaled_dot_product(q(x), k(context), v(context), mask)
            for q, k, v in zip(self.queries, self.keys, self.values, strict=True)
        ]
        return self.mix(torch.cat(heads, dim=-1))


class _FourMatrices(_Written):
    """One parameter that holds all four matrices, and one that holds their biases."""

    def __init__(self, dim: int, heads: int):
        nn.Module.__init__(self)
        self.heads = heads
        self.w, self.b = nn.Parameter(torch.randn(4, dim, dim) / sqrt(dim)), nn.Parameter(torch.zeros(4, dim))

    def project(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return x @ self.w[0] + self.b[0], context @ self.w[1] + self.b[1], context @ self.w[2] + self.b[2]

    def finish(self, attended: Tensor, x: Tensor) -> Tensor:
        return attended @ self.w[3] + self.b[3]


class _MatrixAHead(nn.Module):
    """A parameter [3, heads, dim, part] and einsum; the output's matrix is [heads, part, dim]; no biases."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.qkv = nn.Parameter(torch.randn(3, heads, dim, dim // heads) / sqrt(dim))
        self.out = nn.Parameter(torch.randn(heads, dim // heads, dim) / sqrt(dim))

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        context = x if context is None else context
        query, key, value = (
            torch.einsum("...td,hdp->...htp", y, w) for y, w in zip((x, context, context), self.qkv, strict=True)
        )
        attended = attention.scaled_dot_product(query, key, value, attention.for_all_heads(mask))
        return torch.einsum("...htp,hpd->...td", attended, self.out)


class _MatricesOfHeads(nn.Module):
    """A parameter [heads, dim, part] for each of the three, with biases [heads, 1, part]."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        part = dim // heads
        self.wq, self.wk, self.wv = (nn.Parameter(torch.randn(heads, dim, part) / sqrt(dim)) for _ in range(3))
        self.bq, self.bk, self.bv = (nn.Parameter(torch.zeros(heads, 1, part)) for _ in range(3))
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        x = x.unsqueeze(-3)
        context = x if context is None else context.unsqueeze(-3)
        query, key, value = x @ self.wq + self.bq, context @ self.wk + self.bk, context @ self.wv + self.bv
        mask = mask if mask is None else mask.unsqueeze(-3)
        return self.out(attention.join_heads(attention.scaled_dot_product(query, key, value, mask)))


class _ByPyTorch(nn.Module):
    """Made in another order, attending with PyTorch's own function; keys have no bias."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.last, self.third, self.first = (nn.Linear(dim, dim) for _ in range(3))
        self.second = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        seen = x if context is None else context
        query, key, value = (
            y.unflatten(-1, (self.heads, -1)).transpose(-3, -2)
            for y in (self.first(x), self.second(seen), self.third(seen))
        )
        mask = mask if mask is None else mask.unsqueeze(-3)
        return self.last(F.scaled_dot_product_attention(query, key, value, mask).transpose(-3, -2).flatten(-2))


def sequences_for_a_module(seed: int) -> list[Case]:
    """Self- and cross-attention, with and without masks, of several sizes."""
    random = torch.Generator().manual_seed(seed)

    def draw(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=dtype)

    lengths = torch.tensor([3, 4])
    return [
        Case("four sentences of five words, two heads", draw(4, 5, 6), init=(6, 2)),
        Case("two words look at two others", draw(1, 2, 6), draw(1, 2, 6), init=(6, 2)),
        Case("two words look at five others", draw(1, 2, 6), draw(1, 5, 6), init=(6, 2)),
        Case("four words, only backwards", draw(1, 4, 6), None, attention.causal_mask(4), init=(6, 2)),
        Case("three words, four heads", draw(2, 3, 8), init=(8, 4)),
        Case("a batch, filled up", draw(2, 4, 8), None, attention.padding_mask(lengths, 4), init=(8, 4)),
        Case("a batch looks at other sentences, filled up", draw(2, 3, 8), draw(2, 4, 8),
             attention.padding_mask(lengths, 4), init=(8, 4)),
        Case("one head", draw(2, 3, 6), init=(6, 1)),
        Case("float64, not contiguous", draw(2, 4, 5, dtype=torch.float64).mT, init=(4, 2)),
    ]  # fmt: skip


MULTI_HEAD_ATTENTION = Check(
    kind="module",
    reference=attention.MultiHeadAttention,
    without_bias=True,
    cases=sequences_for_a_module,
    properties=[modules.agrees_in_training, modules.starts_alive],
    hints=(
        "You have all the parts: four linear layers, split_heads, scaled_dot_product, join_heads. Put them in order.",
        """
        1. context is x, unless another is given.
        2. Project: queries from x; keys and values from the context. Split each into heads.
        3. scaled_dot_product, with one mask for all heads: give the mask an axis of size one where the heads are.
        4. Join the heads, and apply the last linear layer.
        """,
        """
        context = x if context is None else context
        query = split_heads(self.to_query(x), self.heads)
        key = split_heads(self.to_key(context), self.heads)
        value = split_heads(self.to_value(context), self.heads)
        mask = None if mask is None else mask[..., None, :, :]
        return self.to_output(join_heads(scaled_dot_product(query, key, value, mask)))
        """,
    ),
    misconceptions={
        "The context is not used. Keys and values come from the context, queries from x.": _IgnoresContext,
        "The queries come from the context. Those who ask are x: queries from x, keys and values from the context.": (
            _AsksFromContext
        ),
        "The values come from x. What is looked up is the context: keys and values both come from it.": _ValuesFromX,
        "The keys come from x. What is looked at is the context: keys and values both come from it.": _KeysFromX,
        "Query and key have changed places: scaled_dot_product takes the query first.": _SwapsQueryAndKey,
        "The mask is not used. Give it an axis for the heads, mask[..., None, :, :], and hand it on.": _IgnoresMask,
        "The mask is upside down: True means “may be seen”. Hand it on as it is.": _InvertsMask,
        "The mask came after the softmax, so the weights no longer sum to one. Leave it to scaled_dot_product.": (
            _MasksTooLate
        ),
        "There is no scale: a score is divided by the root of a head's width. Your scaled_dot_product does it.": (
            _NeverScales
        ),
        "The scores are scaled twice. scaled_dot_product divides by √d already.": _ScalesTwice,
        "The scale is the root of the whole width. Each head works with dim / heads entries: scale after splitting.": (
            _ScalesByAllOfDim
        ),
        "Softmax ran over the queries. Each query should spread its attention over the keys: the last axis.": (
            _SoftmaxOverQueries
        ),
        "All heads work as one: split queries, keys and values before you attend.": _OneHead,
        "The heads are never split, so there is one softmax for all of them: split_heads before you attend, join_heads "
        "after.": _NeverSplits,
        "The heads were cut from the words' axis. Use split_heads, which cuts the last one.": _SplitsWords,
        "The heads were joined by a reshape alone, which mixes up the words. Use join_heads, which moves their axis "
        "back first.": _JoinsByReshape,
        "The heads attend to each other within one word. Their axis belongs before the words: use split_heads.": (
            _AttendsAcrossHeads
        ),
        "The heads are averaged. Lay their vectors side by side: join_heads.": _AveragesHeads,
        "The output layer is made and not used: what the heads found goes through it last.": _LeavesOutputOut,
        "You added x to the result. That comes with the Transformer's block, in lab 03; here, return what the output "
        "layer gives.": _AddsX,
        "The last linear layer is missing: it mixes what the heads found.": _NoOutputLayer,
    },
    also_right=[
        _Packed, _PackedKeysAndValues, _PackedByHead, _ListOfHeads, _SeveralSmallHeads, _FourMatrices, _MatrixAHead,
        _MatricesOfHeads, _ByPyTorch,
    ],
)  # fmt: skip


def tokens_and_dim(seed: int) -> list[Case]:
    """Lengths and widths."""
    return [
        Case("three places, eight entries", 3, 8),
        Case("one place, two entries", 1, 2),
        Case("four places, two entries", 4, 2),
        Case("thirty-two places, sixteen entries", 32, 16),
    ]


def all_equally_long(function: Callable, case: Case) -> str | None:
    """every position's vector has the same length"""
    length = function(*case.args).norm(dim=-1)
    if torch.allclose(length, torch.full_like(length, sqrt(case.args[1] / 2)), atol=1e-3):
        return None
    return "sin² + cos² = 1, so every position's vector should have the length √(dim / 2)."


def _angles(tokens: int, dim: int, base: float = 10_000.0) -> Tensor:
    return torch.arange(tokens)[:, None] / base ** (torch.arange(0, dim, 2) / dim)


def _interleave(even: Tensor, odd: Tensor) -> Tensor:
    return torch.stack([even, odd], dim=-1).flatten(start_dim=-2)


def _sines_then_cosines(tokens: int, dim: int) -> Tensor:
    angle = _angles(tokens, dim)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def _cosines_first(tokens: int, dim: int) -> Tensor:
    angle = _angles(tokens, dim)
    return _interleave(angle.cos(), angle.sin())


def _from_one(tokens: int, dim: int) -> Tensor:
    return positions.sinusoidal(tokens + 1, dim)[1:]


def _a_wavelength_an_entry(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] / 10_000 ** (torch.arange(dim) / dim)
    return torch.where(torch.arange(dim) % 2 == 0, angle.sin(), angle.cos())


def _twice_the_exponent(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] / 10_000 ** (2 * torch.arange(0, dim, 2) / dim)
    return _interleave(angle.sin(), angle.cos())


def _half_the_exponent(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] / 10_000 ** (torch.arange(dim // 2) / dim)
    return _interleave(angle.sin(), angle.cos())


def _multiplied(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] * 10_000 ** (torch.arange(0, dim, 2) / dim)
    return _interleave(angle.sin(), angle.cos())


def _only_sines(tokens: int, dim: int) -> Tensor:
    angle = _angles(tokens, dim)
    return _interleave(angle.sin(), angle.sin())


def _only_cosines(tokens: int, dim: int) -> Tensor:
    angle = _angles(tokens, dim)
    return _interleave(angle.cos(), angle.cos())


def _angles_alone(tokens: int, dim: int) -> Tensor:
    return _interleave(_angles(tokens, dim), _angles(tokens, dim))


def _sines_at_half_the_width(tokens: int, dim: int) -> Tensor:
    return _angles(tokens, dim).sin()


def _turned_back(tokens: int, dim: int) -> Tensor:
    angle = _angles(tokens, dim)
    return _interleave(-angle.sin(), angle.cos())


def _whole_steps(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] // 10_000 ** (torch.arange(0, dim, 2) / dim)
    return _interleave(angle.sin(), angle.cos())


def _exponent_not_divided(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] / 10_000.0 ** torch.arange(0, dim, 2)
    return _interleave(angle.sin(), angle.cos())


def _times_for_power(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] / (10_000 * (torch.arange(0, dim, 2) / dim))
    return _interleave(angle.sin(), angle.cos())


def _exponent_up_to_one(tokens: int, dim: int) -> Tensor:
    angle = torch.arange(tokens)[:, None] / 10_000 ** (torch.arange(0, dim, 2) / max(dim - 2, 1))
    return _interleave(angle.sin(), angle.cos())


def _base_of_a_thousand(tokens: int, dim: int) -> Tensor:
    angle = _angles(tokens, dim, base=1_000.0)
    return _interleave(angle.sin(), angle.cos())


def _sinusoidal_by_numpy(tokens: int, dim: int) -> np.ndarray:
    angle = np.arange(tokens)[:, None] / 10_000 ** (np.arange(0, dim, 2) / dim)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(tokens, dim)


def _sinusoidal_by_phase(tokens: int, dim: int) -> Tensor:
    column = torch.arange(dim)
    rate = 10_000 ** (-(column - column % 2) / dim)
    return (torch.arange(tokens)[:, None] * rate + column % 2 * torch.pi / 2).sin()


def _sinusoidal_by_loops(tokens: int, dim: int) -> Tensor:
    table = torch.zeros(tokens, dim)
    for place in range(tokens):
        for pair in range(dim // 2):
            angle = torch.tensor(place / 10_000 ** (2 * pair / dim))
            table[place, 2 * pair], table[place, 2 * pair + 1] = angle.sin(), angle.cos()
    return table


def _sinusoidal_by_logarithms(tokens: int, dim: int) -> Tensor:
    rate = torch.exp(torch.arange(0, dim, 2).double() * -(torch.tensor(10_000.0).double().log() / dim))
    table = torch.empty(tokens, dim, dtype=torch.float64)
    table[:, 0::2] = torch.sin(torch.arange(tokens).double()[:, None] * rate)
    table[:, 1::2] = torch.cos(torch.arange(tokens).double()[:, None] * rate)
    return table


SINUSOIDAL = Check(
    reference=positions.sinusoidal,
    cases=tokens_and_dim,
    properties=[all_equally_long],
    atol=1e-4,
    hints=(
        "Make the angles first, one for each place and each pair of columns. Sines and cosines come last.",
        """
        1. place: [tokens, 1]. The pairs' even columns 0, 2, 4, …: [dim / 2], from `torch.arange(0, dim, 2)`.
        2. angle = place / 10000 to the power (even column / dim): [tokens, dim / 2].
        3. An empty table of [tokens, dim]; its columns 0::2 are the sines of the angles, its columns 1::2 the cosines.
        """,
        """
        place = torch.arange(tokens)[:, None]
        angle = place / 10_000 ** (torch.arange(0, dim, 2) / dim)
        table = torch.empty(tokens, dim)
        table[:, 0::2] = angle.sin()
        table[:, 1::2] = angle.cos()
        return table
        """,
    ),
    misconceptions={
        "All sines stand before all cosines. They take turns: sine in column 0, its cosine in column 1, and so on.": (
            _sines_then_cosines
        ),
        "Sine and cosine are swapped: the even columns, 0 among them, are sines.": _cosines_first,
        "The first place is 0, not 1.": _from_one,
        "Sine and cosine of a pair have different wavelengths. Both take the even column's exponent.": (
            _a_wavelength_an_entry
        ),
        "The exponent is doubled: 0, 2, 4, … are 2i already. It runs from 0 to just below 1.": _twice_the_exponent,
        "The exponent is halved: it should run from 0 to just below 1. Use the even columns 0, 2, 4, … over dim.": (
            _half_the_exponent
        ),
        "The waves get shorter from pair to pair. They should get longer: divide the place by 10000^(…).": _multiplied,
        "Sines only: the odd columns are the cosines of the same angles.": _only_sines,
        "Cosines only: the even columns are the sines of the same angles.": _only_cosines,
        "These are the angles. The table holds their sines and cosines.": _angles_alone,
        "The table has half its columns: each angle gives two, its sine and its cosine.": _sines_at_half_the_width,
        "The sines have the wrong sign: the hands turn the other way.": _turned_back,
        "`//` rounds down. The angles are fractions: divide with /.": _whole_steps,
        "The exponent is not divided by dim, so all pairs but the first stand still: 10000 ** (even column / dim).": (
            _exponent_not_divided
        ),
        "10000 is multiplied where it should be raised to a power: 10000 ** (even column / dim).": (_times_for_power),
        "The exponent reaches 1 at the last pair. Even column / dim stays just below.": _exponent_up_to_one,
        "The base is 1,000 where the formula has 10,000.": _base_of_a_thousand,
    },
    also_right=[_sinusoidal_by_loops, _sinusoidal_by_logarithms, _sinusoidal_by_numpy, _sinusoidal_by_phase],
)


CHECKS = {
    "attention_weights": ATTENTION_WEIGHTS,
    "scaled_dot_product": SCALED_DOT_PRODUCT,
    "padding_mask": PADDING_MASK,
    "causal_mask": CAUSAL_MASK,
    "w_query": W_QUERY,
    "split_heads": SPLIT_HEADS,
    "join_heads": JOIN_HEADS,
    "MultiHeadAttention": MULTI_HEAD_ATTENTION,
    "sinusoidal": SINUSOIDAL,
}
