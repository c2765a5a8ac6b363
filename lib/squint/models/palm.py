"""PaLM's block (Chowdhery et al. 2022, §2): attention and the small network side by side, not one after the other.

Both read the same normalised copy, so a block has one norm, and what they say is added up at once. The small network is
gated (SwiGLU), all heads of queries share one of keys and values, positions are rotary, the table of embeddings also
gives the scores, and nothing has a bias: neither the products nor the norms, which subtract the mean as a `LayerNorm`.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from squint.models.gpt import Tied
from squint.nn.cache import Cache
from squint.nn.grouped import GroupedQueryAttention
from squint.nn.positions import rotary
from squint.nn.transformer import SwiGLU

Part = Callable[[Tensor], Tensor]
Rule = Callable[[Tensor, Part, Part, Part], Tensor]


@dataclass(frozen=True)
class Config:
    """The shape of a `PaLM`.

    Attributes:
        vocabulary: how many tokens there are.
        dim: the width of the vectors.
        heads: of queries, each of width `dim / heads`; they share one of keys and values.
        hidden: the width inside the gated networks, which have three matrices: two thirds of a GPT's costs as much.
        blocks: how many blocks.
        tokens: the longest sequence.
    """

    vocabulary: int
    dim: int = 288
    heads: int = 6
    hidden: int = 768
    blocks: int = 6
    tokens: int = 256


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


class PaLM(Tied):
    """A language model of parallel blocks; it is asked and trained as a `squint.models.gpt.GPT` is.

    `rule` is that of its blocks. It begins as a GPT does. (The paper's embeddings are as wide as a standard normal, and
    its scores are divided by √dim instead, §5.)
    """

    def __init__(self, config: Config, rule: Rule = parallel_block):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.blocks = nn.ModuleList(
            ParallelBlock(config.dim, config.heads, config.hidden, rule) for _ in range(config.blocks)
        )
        self.norm = nn.LayerNorm(config.dim, bias=False)
        self.table: Tensor
        self.register_buffer("table", rotary(config.tokens, config.dim // config.heads), persistent=False)
        self.initialise()

    def begin(self) -> list[Cache]:
        """What there is to remember before the first token: a cache a block."""
        return [Cache() for _ in self.blocks]

    def features(
        self, tokens: Int[Tensor, "batch tokens"], past: Sequence[Cache] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """What the last block says of each place, normalised; with `past`, of the tokens after those it remembers.

        Raises:
            ValueError: if there are more tokens than it can see at once.
        """
        first = past[0].nodes if past else 0
        seen = first + tokens.shape[1]
        if seen > self.longest:
            raise ValueError(f"this PaLM sees {self.longest} tokens at once, and not {seen}: give it the last of them.")
        x, table = self.embedding(tokens), self.table[:, first:seen]
        if torch.is_autocast_enabled(tokens.device.type):
            # Queries and keys are in half precision then: a table of the same kind keeps them so.
            table = table.to(torch.get_autocast_dtype(tokens.device.type))
        for block, remembered in zip(self.blocks, past or itertools.repeat(None), strict=False):
            x = block(x, table, remembered)
        return self.norm(x)
