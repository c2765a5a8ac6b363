"""PaLM's block against GPT's (Chowdhery et al. 2022, §2): attention and network side by side, and what else it changed.

Both look at the same norm of `x`, and both answers are added at once, so that no one waits for the other. One head of
keys and values for all heads of queries, positions by turning, a gated network, no biases.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from squint.nn.cache import Cache
from squint.nn.grouped import GroupedQueryAttention
from squint.nn.loss import cross_entropy
from squint.nn.positions import rotary
from squint.nn.transformer import SwiGLU


class ParallelBlock(nn.Module):
    """x + attention(norm x) + network(norm x), with one head of keys and values (Shazeer 2019)."""

    def __init__(self, dim: int, heads: int, hidden: int):
        super().__init__()
        self.norm = nn.LayerNorm(dim, bias=False)
        self.attention = GroupedQueryAttention(dim, heads, 1)
        self.feed_forward = SwiGLU(dim, hidden)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], table: Float[Tensor, "2 tokens part"], past: Cache | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """Look back and think, both at once."""
        seen = self.norm(x)
        return x + self.attention(seen, table, past=past) + self.feed_forward(seen)


@dataclass(frozen=True)
class Config:
    """The shape of a `PaLM`.

    Attributes:
        vocabulary: how many tokens there are.
        dim: the width of the vectors.
        heads: heads of queries, each of width `dim / heads`; all share one of keys and values.
        hidden: the width inside the gated networks.
        blocks: how many blocks.
        tokens: the longest sequence.
    """

    vocabulary: int
    dim: int
    heads: int
    hidden: int
    blocks: int
    tokens: int


class PaLM(nn.Module):
    """A stack of parallel blocks between the embeddings and their transpose, as `squint.models.gpt.GPT` is of others."""

    table: Float[Tensor, "2 tokens part"]

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.blocks = nn.ModuleList(ParallelBlock(config.dim, config.heads, config.hidden) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.dim, bias=False)
        self.register_buffer("table", rotary(config.tokens, config.dim // config.heads), persistent=False)
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """As GPT's: what keeps a product's variance, times what 0.02 is at a width of 768; the less, the deeper."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                depth = math.sqrt(2 * self.config.blocks) if name.endswith(("to_output", "narrow")) else 1
                nn.init.normal_(module.weight, std=0.02 * math.sqrt(768 / module.in_features) / depth)
        nn.init.normal_(self.embedding.weight, std=0.02 * math.sqrt(768 / self.config.dim))

    def features(
        self, tokens: Int[Tensor, "batch tokens"], past: Sequence[Cache] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """What the last block says of each place; with `past`, of the tokens after those it remembers."""
        first = past[0].nodes if past else 0
        x, table = self.embedding(tokens), self.table[:, first : first + tokens.shape[1]]
        for number, block in enumerate(self.blocks):
            x = block(x, table, past[number] if past else None)
        return self.norm(x)

    def forward(self, tokens: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens vocabulary"]:
        """How well each token would come next, behind every one of `tokens`."""
        return F.linear(self.features(tokens), self.embedding.weight)

    def loss(self, tokens: Int[Tensor, "batch tokens"]) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats of every token but the first, each from those before it."""
        return cross_entropy(self.features(tokens[:, :-1]), self.embedding.weight, tokens[:, 1:])
