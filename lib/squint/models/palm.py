"""PaLM (Chowdhery et al. 2022, §2): a GPT of parallel blocks, whose table of embeddings also gives the scores."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from squint.models.gpt import Tied
from squint.nn.cache import Cache
from squint.nn.parallel import ParallelBlock, Rule, parallel_block
from squint.nn.positions import rotary


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
        for block, remembered in zip(self.blocks, past or itertools.repeat(None), strict=False):
            x = block(x, table, remembered)
        return self.norm(x)
