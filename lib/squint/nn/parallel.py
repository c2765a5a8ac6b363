"""PaLM's block (Chowdhery et al. 2022, §2): attention and the small network side by side, not one after the other.

Both read the same normalised copy, so a block has one norm, and what they say is added up at once. The small network is
gated (SwiGLU), all heads of queries share one of keys and values, positions are rotary, and nothing has a bias: neither
the products nor the norm, which subtracts the mean as a `LayerNorm`.
"""

from collections.abc import Callable
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from squint.nn.cache import Cache
from squint.nn.grouped import GroupedQueryAttention
from squint.nn.transformer import SwiGLU

Part = Callable[[Tensor], Tensor]
Rule = Callable[[Tensor, Part, Part, Part], Tensor]


def parallel_block(
    x: Float[Tensor, "*batch tokens dim"], norm: Part, attention: Part, feed_forward: Part
) -> Float[Tensor, "*batch tokens dim"]:
    """x + attention(norm(x)) + feed_forward(norm(x)) (Chowdhery et al. 2022, §2, "parallel layers")."""
    seen = norm(x)
    return x + attention(seen) + feed_forward(seen)


class ParallelBlock(nn.Module):
    """One norm, attention and the gated network; `rule` says how they are put together, `parallel_block` if left out.

    Raises:
        ValueError: if `dim` cannot be split into so many heads.
    """

    def __init__(self, dim: int, heads: int, hidden: int, rule: Rule = parallel_block):
        super().__init__()
        self.norm = nn.LayerNorm(dim, bias=False)
        self.attention = GroupedQueryAttention(dim, heads, shared_heads=1)
        self.feed_forward = SwiGLU(dim, hidden)
        self.rule = rule

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], table: Float[Tensor, "2 tokens part"], past: Cache | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """Look back, and think about what was there before looking; `table` is `rotary`'s at the tokens' positions."""
        return self.rule(x, self.norm, partial(self.attention, table=table, past=past), self.feed_forward)
