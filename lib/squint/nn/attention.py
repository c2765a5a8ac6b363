"""Attention: replace each vector by a weighted average of the vectors it should know about.

Scaled dot-product and multi-head attention as in Vaswani et al. 2017, "Attention Is All You Need", §3.2. This is the
one attention of the course: the Transformer, GPT, CLIP and Flamingo are all built on it.

Masks are boolean everywhere, and True means "may be seen". A query that may see nothing gets weights of zero, and so an
output of zero with a gradient of zero: padding then stays out of the way instead of turning into NaN.
"""

from collections.abc import Callable
from math import sqrt
from typing import TypeAlias

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, arange, finfo, nn, no_grad
from torch import device as Device

from squint.nn.cache import Cache

AttentionFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


def attention_scores(
    query: Float[Tensor, "*batch queries dim"], key: Float[Tensor, "*batch keys dim"]
) -> Float[Tensor, "*batch queries keys"]:
    """How well each query matches each key: q·k / √dim.

    The scale keeps the variance of a score at one when the entries of queries and keys have variance one, whatever the
    dimension (Vaswani et al. 2017, §3.2.1, footnote 4).
    """
    return query @ key.mT / sqrt(query.shape[-1])


def masked_softmax(
    scores: Float[Tensor, "*batch queries keys"], mask: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "*batch queries keys"]:
    """Softmax over the keys that may be seen. Rows sum to one, or to zero where nothing may be seen.

    `mask` broadcasts to the scores. Hidden scores are pushed to the lowest finite number rather than to −∞, because a
    row of −∞ alone would give 0/0; the second fill clears what is left in such a row.
    """
    if mask is None:
        return scores.softmax(dim=-1)
    lowest = finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0)


def attention_weights(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries keys"]:
    """The share of its attention that each query gives to each key (Vaswani et al. 2017, eq. 1, without the values).

    `mask` broadcasts to `*batch queries keys`; True means that the query may see the key.
    """
    return masked_softmax(attention_scores(query, key), mask)


def scaled_dot_product(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys out"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries out"]:
    """softmax(q kᵀ / √dim) v: each query's weighted average of the values (Vaswani et al. 2017, eq. 1)."""
    return attention_weights(query, key, mask) @ value


def fused_scaled_dot_product(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys out"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries out"]:
    """The same as `scaled_dot_product` in one call that never stores the weights (PyTorch's fused kernels)."""
    attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    if mask is None:
        return attended
    # Not every fused kernel agrees on a row that may see nothing, so the promise above is kept here.
    return attended.masked_fill(~mask.any(dim=-1, keepdim=True), 0)


def causal_attention(
    query: Float[Tensor, "*batch queries dim"],
    key: Float[Tensor, "*batch keys dim"],
    value: Float[Tensor, "*batch keys out"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "*batch queries out"]:
    """`fused_scaled_dot_product` under the causal mask, which a fused kernel never writes out; `mask` hides more.

    The queries are the last of the tokens: with a cache there are more keys than queries.
    """
    new, tokens = query.shape[-2], key.shape[-2]
    if mask is None and new == tokens:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)
    if new > 1:
        causal = causal_mask(new, tokens - new, device=query.device)
        mask = causal if mask is None else mask & causal
    return fused_scaled_dot_product(query, key, value, mask)


def padding_mask(lengths: Int[Tensor, "*batch"], tokens: int) -> Bool[Tensor, "*batch 1 tokens"]:
    """Which keys are words and which are filling: True for the first `lengths` of `tokens` keys, for every query."""
    return (arange(tokens, device=lengths.device) < lengths[..., None])[..., None, :]


def causal_mask(tokens: int, past: int = 0, device: Device | str | None = None) -> Bool[Tensor, "tokens keys"]:
    """Each token may see itself and what came before: the lower triangle (Vaswani et al. 2017, §3.2.3).

    `past` is the number of earlier keys that all queries may see, for decoding with a cache of keys and values.
    """
    query, key = arange(past, past + tokens, device=device), arange(past + tokens, device=device)
    return key[None, :] <= query[:, None]


def split_heads(x: Float[Tensor, "*batch tokens dim"], heads: int) -> Float[Tensor, "*batch heads tokens part"]:
    """Cut each vector into `heads` consecutive pieces, and give each piece a sequence of its own."""
    return rearrange(x, "... tokens (heads dim) -> ... heads tokens dim", heads=heads)


def join_heads(x: Float[Tensor, "*batch heads tokens part"]) -> Float[Tensor, "*batch tokens dim"]:
    """Lay the heads' vectors side by side again: the inverse of `split_heads`."""
    return rearrange(x, "... heads tokens dim -> ... tokens (heads dim)")


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each in its own small projection (Vaswani et al. 2017, §3.2.2).

    `dim` is the width of the queries and of the result, in `heads` equal parts; `context_dim` the width of what is
    looked at, if it differs (cross-attention); `part` the width of a head, if it is not `dim / heads`. `bias` gives all
    four projections a bias. `attention` does the work inside: any function (query, key, value, mask) -> attended.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        context_dim: int | None = None,
        part: int | None = None,
        bias: bool = True,
        attention: AttentionFunction = fused_scaled_dot_product,
    ):
        super().__init__()
        if part is None and dim % heads:
            raise ValueError(f"dim must be a multiple of heads, but {dim} is not a multiple of {heads}.")
        inner = dim if part is None else heads * part
        self.heads = heads
        self.attention = attention
        self.to_query = nn.Linear(dim, inner, bias=bias)
        self.to_key = nn.Linear(context_dim or dim, inner, bias=bias)
        self.to_value = nn.Linear(context_dim or dim, inner, bias=bias)
        self.to_output = nn.Linear(inner, dim, bias=bias)

    def project(
        self, x: Float[Tensor, "*batch queries dim"], context: Float[Tensor, "*batch keys context"] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries from `x`, keys and values from `context` (or `x`), split into heads: `*batch heads tokens part`."""
        context = x if context is None else context
        query, key, value = self.to_query(x), self.to_key(context), self.to_value(context)
        return split_heads(query, self.heads), split_heads(key, self.heads), split_heads(value, self.heads)

    def forward(
        self,
        x: Float[Tensor, "*batch queries dim"],
        context: Float[Tensor, "*batch keys context"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
        past: Cache | None = None,
    ) -> Float[Tensor, "*batch queries dim"]:
        """Attend from `x` to `context`, or to `x` itself and to what `past` remembers of the tokens before it.

        `mask` broadcasts to `*batch queries keys` and is the same for all heads.
        """
        query, key, value = self.project(x, context)
        if past is not None:
            key, value = past.remember(key, value)
        return self.to_output(join_heads(self.attention(query, key, value, for_all_heads(mask))))

    def weights(
        self,
        x: Float[Tensor, "*batch queries dim"],
        context: Float[Tensor, "*batch keys context"] | None = None,
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*batch heads queries keys"]:
        """The weights that `forward` uses and, for speed, does not keep."""
        query, key, _ = self.project(x, context)
        return attention_weights(query, key, for_all_heads(mask))


@no_grad()
def weights_during(attention: MultiHeadAttention, run: Callable[[], object]) -> Float[Tensor, "..."]:
    """The weights with which one attention looks while `run()` runs; of its last call, if there are several."""
    kept = []
    see = attention.register_forward_pre_hook(
        lambda _, args, named: kept.append(attention.weights(*args, **named)), with_kwargs=True
    )
    try:
        run()
    finally:
        see.remove()
    return kept[-1]


def for_all_heads(mask: Bool[Tensor, "*batch queries keys"] | None) -> Bool[Tensor, "*batch 1 queries keys"] | None:
    """One mask, shown to every head: a head axis before the queries and keys."""
    return None if mask is None else mask[..., None, :, :]
