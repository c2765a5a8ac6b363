"""Grouped queries (Ainslie et al. 2023): several heads of queries share one head of keys and values.

The cache of keys and values is what long texts cost; with three heads for nine it is a third. Positions are rotary.
"""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from squint.nn.attention import causal_attention, for_all_heads, join_heads, split_heads
from squint.nn.cache import Cache
from squint.nn.positions import rotate


class GroupedQueryAttention(nn.Module):
    """Causal attention with `heads` of queries on `shared_heads` of keys and values, without biases."""

    def __init__(self, dim: int, heads: int, shared_heads: int):
        super().__init__()
        if dim % heads or heads % shared_heads:
            raise ValueError(f"{dim} wide vectors cannot be split into {heads} heads that share {shared_heads}.")
        part = dim // heads
        self.heads, self.shared_heads = heads, shared_heads
        self.to_query = nn.Linear(dim, dim, bias=False)
        self.to_key = nn.Linear(dim, shared_heads * part, bias=False)
        self.to_value = nn.Linear(dim, shared_heads * part, bias=False)
        self.to_output = nn.Linear(dim, dim, bias=False)

    def forward(
        self,
        x: Float[Tensor, "batch tokens dim"],
        table: Float[Tensor, "2 tokens part"],
        mask: Bool[Tensor, "..."] | None = None,
        past: Cache | None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """Each token looks at itself and what came before.

        Args:
            x: the tokens.
            table: of `squint.nn.positions.rotary`, at their positions.
            mask: which keys may be seen besides, as `batch queries keys`.
            past: what is remembered of the tokens before; it grows by these.
        """
        query = rotate(split_heads(self.to_query(x), self.heads), table)
        key = rotate(split_heads(self.to_key(x), self.shared_heads), table)
        value = split_heads(self.to_value(x), self.shared_heads)
        if past is not None:
            key, value = past.remember(key, value)
        return self.to_output(self.attend(query, key, value, mask))

    def attend(
        self,
        query: Float[Tensor, "batch heads queries part"],
        key: Float[Tensor, "batch shared keys part"],
        value: Float[Tensor, "batch shared keys part"],
        mask: Bool[Tensor, "..."] | None,
    ) -> Float[Tensor, "batch queries dim"]:
        """Heads of queries 0, 1, 2 look at the first of keys and values, heads 3, 4, 5 at the second, and so on."""
        if query.shape[2] == 1:
            # One token needs no causal mask, and so no key is copied.
            seen = for_all_heads(mask)
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, enable_gqa=True)
            return join_heads(attended if seen is None else attended.masked_fill(~seen.any(dim=-1, keepdim=True), 0))
        copies = self.heads // self.shared_heads
        key, value = (each.repeat_interleave(copies, dim=1) for each in (key, value))
        return join_heads(causal_attention(query, key, value, for_all_heads(mask)))
