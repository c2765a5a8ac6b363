"""The Transformer's blocks: attention and a small network, each inside a residual (Vaswani et al. 2017, §3.1–3.3).

Post-norm, `norm(x + sublayer(x))`, is the paper's. Pre-norm, `x + sublayer(norm(x))`, leaves a path from the loss to
every block that no norm interrupts, and so trains without a careful warm-up (Xiong et al. 2020, §3).

Masks are boolean, True means "may be seen", and they broadcast to `batch queries keys`, as in `squint.nn.attention`.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any, TypeVar, cast

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, empty, empty_like, int64, nn, no_grad, ones, uint8, zeros

from squint.nn.attention import MultiHeadAttention, for_all_heads, join_heads, scaled_dot_product, split_heads
from squint.nn.cache import Cache

# Pieces


def layer_norm(
    x: Float[Tensor, "*batch dim"], gain: Float[Tensor, " dim"], bias: Float[Tensor, " dim"], epsilon: float = 1e-5
) -> Float[Tensor, "*batch dim"]:
    """Each vector moved to mean zero and variance one, then scaled and shifted (Ba et al. 2016, eq. 4).

    The variance is that of all entries, divided by `dim` and not by `dim − 1`; `epsilon` is added to it.
    """
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return gain * centred / (variance + epsilon).sqrt() + bias


class LayerNorm(nn.Module):
    """`layer_norm` with gain and bias to learn, in one fused call."""

    def __init__(self, dim: int, epsilon: float = 1e-5):
        super().__init__()
        self.gain, self.bias, self.epsilon = nn.Parameter(ones(dim)), nn.Parameter(zeros(dim)), epsilon

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Normalise each vector."""
        return F.layer_norm(x, self.gain.shape, self.gain, self.bias, self.epsilon)


class RMSNorm(nn.Module):
    """Each vector divided by its root mean square, then scaled (Zhang and Sennrich 2019, eq. 4): no mean, no bias."""

    def __init__(self, dim: int, epsilon: float = 1e-5):
        super().__init__()
        self.gain, self.epsilon = nn.Parameter(ones(dim)), epsilon

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """x / √(mean x² + ε) · gain."""
        return F.rms_norm(x, self.gain.shape, self.gain, self.epsilon)


class Dropout(nn.Module):
    """Sets a share of the entries to zero in training and enlarges the others (Srivastava et al. 2014).

    On a CPU, drawing a random number an entry is an eighth of a training step. Here a draw of 64 bits serves eight
    entries, so `share` is rounded to a 256th there; entries are enlarged by what was really kept.
    """

    def __init__(self, share: float = 0.0):
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, but it is {share}.")
        self.share = share

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Drop some entries in training; change nothing otherwise."""
        if not self.training or self.share == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        dropped = min(max(1, round(256 * self.share)), 255)
        draws = empty(-(-x.numel() // 8), dtype=int64).random_(-(2**63), None)
        # Laid out in memory as `x` is: pictures have their channels last.
        keep = (draws.view(uint8)[: x.numel()] >= dropped).as_strided(x.shape, empty_like(x).stride())
        return x * (keep * (256 / (256 - dropped)))

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"{self.share}"


class FeedForward(nn.Module):
    """A network with one hidden layer, the same for every position (Vaswani et al. 2017, eq. 2).

    `activation` bends the hidden layer; what is negative is cut off, if it is not given.
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        dropout: float = 0.0,
        *,
        bias: bool = True,
        activation: Callable[[Tensor], Tensor] = F.relu,
    ):
        super().__init__()
        self.widen, self.narrow = nn.Linear(dim, hidden, bias=bias), nn.Linear(hidden, dim, bias=bias)
        self.dropout, self.activation = Dropout(dropout), activation

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Widen, bend, narrow."""
        return self.narrow(self.dropout(self.activation(self.widen(x))))


class SwiGLU(nn.Module):
    """A feed-forward network whose hidden layer is gated by another (Shazeer 2020, eq. 6)."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.gate, self.widen = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
        self.narrow = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """narrow(silu(gate x) · widen x)."""
        return self.narrow(F.silu(self.gate(x)) * self.widen(x))


class Residual(nn.Module):
    """What a block adds to its input, and where the norm stands: before the sublayer, or after the sum.

    The sublayer itself is handed in at each call, since cross-attention needs more than `x`.
    """

    def __init__(self, dim: int, dropout: float = 0.0, norm_first: bool = True):
        super().__init__()
        self.norm, self.dropout, self.norm_first = LayerNorm(dim), Dropout(dropout), norm_first

    def before(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """What the sublayer sees."""
        return self.norm(x) if self.norm_first else x

    def after(self, x: Float[Tensor, "*batch dim"], change: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """The block's input and the sublayer's answer, put together."""
        total = x + self.dropout(change)
        return total if self.norm_first else self.norm(total)


Model = TypeVar("Model", bound=nn.Module)


@no_grad()
def glorot(model: Model) -> Model:
    """Draw all matrices so that signals keep their size on the way through (Glorot and Bengio 2010); biases are 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model


# Decoding token by token


class Past(Cache):
    """What a decoder block need not compute again: keys and values of the tokens so far, and of the encoder's output.

    The hypotheses of a sentence grow like a tree: many share their first tokens. All that any of them ever said stays
    where it was written, a node a token, and a mask tells each hypothesis which nodes are its own. So nothing moves
    when a beam search drops one hypothesis and continues another twice.

    Attributes:
        memory_key, memory_value: of the memory, for cross-attention; computed once a sentence.
    """

    kept = (*Cache.kept, "memory_key", "memory_value")
    memory_key: Float[Tensor, "sentences heads keys part"]
    memory_value: Float[Tensor, "sentences heads keys part"]

    def __init__(self, cross: MultiHeadAttention, memory: Float[Tensor, "sentences keys context"]):
        """Before the first token; `cross` is the block's cross-attention."""
        # Contiguous, or else each step's products would copy them.
        self.memory_key, self.memory_value = (
            split_heads(project(memory), cross.heads).contiguous() for project in (cross.to_key, cross.to_value)
        )
        self.key, self.value = self.memory_key[:, :, :0], self.memory_value[:, :, :0]


# Blocks


class EncoderBlock(nn.Module):
    """Self-attention, then the small network (Vaswani et al. 2017, §3.1).

    Args:
        dim: the width of the vectors.
        heads: how many attentions side by side.
        hidden: the width inside the small network.
        dropout: of each sublayer's answer and of the hidden layer.
        norm_first: pre-norm, else post-norm.
        options: handed to `MultiHeadAttention`, such as `attention=…`.
    """

    def __init__(
        self, dim: int, heads: int, hidden: int, *, dropout: float = 0.0, norm_first: bool = True, **options: Any
    ):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads, **options)
        self.feed_forward = FeedForward(dim, hidden, dropout)
        self.attention_residual = Residual(dim, dropout, norm_first)
        self.feed_forward_residual = Residual(dim, dropout, norm_first)

    def forward(
        self,
        x: Float[Tensor, "*batch tokens dim"],
        mask: Bool[Tensor, "..."] | None = None,
        past: Cache | None = None,
        last: bool = False,
    ) -> Float[Tensor, "*batch queries dim"]:
        """Look around, and back at what `past` remembers, if anything; then think about it.

        All tokens do, or with `last` the last one only; the mask is then its own, or the same for all.
        """
        seen = self.attention_residual.before(x)
        if last:
            x, asking = x[..., -1:, :], seen[..., -1:, :]
            change = self.attention(asking, seen, mask)
        else:
            change = self.attention(seen, mask=mask, past=past)
        x = self.attention_residual.after(x, change)
        return self.feed_forward_residual.after(x, self.feed_forward(self.feed_forward_residual.before(x)))


class DecoderBlock(nn.Module):
    """Masked self-attention, attention to the encoder's output, then the small network (Vaswani et al. 2017, §3.1).

    The arguments are those of `EncoderBlock`; `context_dim` is the width of the encoder's vectors, if it differs.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        norm_first: bool = True,
        context_dim: int | None = None,
        **options: Any,
    ):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads, **options)
        self.cross_attention = MultiHeadAttention(dim, heads, context_dim=context_dim, **options)
        self.feed_forward = FeedForward(dim, hidden, dropout)
        self.attention_residual = Residual(dim, dropout, norm_first)
        self.cross_attention_residual = Residual(dim, dropout, norm_first)
        self.feed_forward_residual = Residual(dim, dropout, norm_first)

    def forward(
        self,
        x: Float[Tensor, "*batch tokens dim"],
        memory: Float[Tensor, "*batch keys context"],
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*batch tokens dim"]:
        """Look back, look over at the source, then think about both.

        Args:
            x: the target so far.
            memory: the encoder's output.
            mask: which targets may see which; causal, when the block is to generate.
            memory_mask: which of the memory may be seen.
        """
        x, _ = self.attend(x, memory, mask, memory_mask)
        return x

    def attend(
        self,
        x: Float[Tensor, "*batch tokens dim"],
        memory: Float[Tensor, "*batch keys context"],
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
        weights: bool = False,
    ) -> tuple[Float[Tensor, "*batch tokens dim"], Float[Tensor, "*batch heads tokens keys"] | None]:
        """The same as `forward`, and with `weights` what cross-attention looked at."""
        x = self.attention_residual.after(x, self.attention(self.attention_residual.before(x), mask=mask))
        seen = self.cross_attention_residual.before(x)
        looked_at = self.cross_attention.weights(seen, memory, memory_mask) if weights else None
        x = self.cross_attention_residual.after(x, self.cross_attention(seen, memory, memory_mask))
        x = self.feed_forward_residual.after(x, self.feed_forward(self.feed_forward_residual.before(x)))
        return x, looked_at

    def step(
        self,
        x: Float[Tensor, "sentences beams dim"],
        past: Past,
        own: Bool[Tensor, "sentences beams nodes"],
        memory_mask: Bool[Tensor, "sentences keys"],
    ) -> Float[Tensor, "sentences beams dim"]:
        """`forward` for one new token a hypothesis, with what `past` remembers; its keys and values join `past`.

        The beams of a sentence look at the same nodes, of which only their `own` are shown to each, and at the same
        memory. So they count as its tokens, and keys and values stand in memory once, however many beams there are.
        """
        # So few queries are too little work for a fused kernel to pay.
        query, key, value = self.attention.project(self.attention_residual.before(x))
        attended = scaled_dot_product(query, *past.remember(key, value), for_all_heads(own))
        x = self.attention_residual.after(x, self.attention.to_output(join_heads(attended)))
        query = self.cross_attention.to_query(self.cross_attention_residual.before(x))
        query = split_heads(query, self.cross_attention.heads)
        attended = scaled_dot_product(query, past.memory_key, past.memory_value, memory_mask[:, None, None, :])
        x = self.cross_attention_residual.after(x, self.cross_attention.to_output(join_heads(attended)))
        return self.feed_forward_residual.after(x, self.feed_forward(self.feed_forward_residual.before(x)))


# Stacks


class Stack(nn.Module):
    """Blocks of one kind, one after the other; after pre-norm blocks, and if asked for, a last norm."""

    block: type[nn.Module]

    def __init__(
        self,
        blocks: int,
        dim: int,
        heads: int,
        hidden: int,
        *,
        norm_first: bool = True,
        final_norm: bool | None = None,
        **options: Any,
    ):
        """`options` and the widths are those of the blocks."""
        super().__init__()
        self.blocks = nn.ModuleList(
            self.block(dim, heads, hidden, norm_first=norm_first, **options) for _ in range(blocks)
        )
        # Nothing has normalised what pre-norm blocks add up, so it is done once at the end.
        self.norm = LayerNorm(dim) if (norm_first if final_norm is None else final_norm) else nn.Identity()


class Encoder(Stack):
    """Encoder blocks."""

    block = EncoderBlock

    def forward(
        self,
        x: Float[Tensor, "*batch tokens dim"],
        mask: Bool[Tensor, "..."] | None = None,
        past: Sequence[Cache] | None = None,
    ) -> Float[Tensor, "*batch tokens dim"]:
        """Through all blocks; with `past`, a cache a block, which grows by the new tokens."""
        for block, remembered in zip(self.blocks, past or repeat(None), strict=False):
            x = block(x, mask, remembered)
        return self.norm(x)

    def read_last(
        self, x: Float[Tensor, "*batch tokens dim"], mask: Bool[Tensor, "*batch 1 tokens"] | None = None
    ) -> Float[Tensor, "*batch dim"]:
        """What the last token comes to: of the last block nothing else is computed. The mask is the same for all."""
        *blocks, last = self.blocks
        for block in blocks:
            x = block(x, mask)
        return self.norm(last(x, mask, last=True))[..., 0, :]


class Decoder(Stack):
    """Decoder blocks, all of which see the same memory."""

    block = DecoderBlock

    def __iter__(self) -> Iterator[DecoderBlock]:
        return cast(Iterator[DecoderBlock], iter(self.blocks))

    def forward(
        self,
        x: Float[Tensor, "*batch tokens dim"],
        memory: Float[Tensor, "*batch keys context"],
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*batch tokens dim"]:
        """Through all blocks, each of which sees the same memory."""
        for block in self:
            x = block(x, memory, mask, memory_mask)
        return self.norm(x)

    def cross_weights(
        self,
        x: Float[Tensor, "*batch tokens dim"],
        memory: Float[Tensor, "*batch keys context"],
        mask: Bool[Tensor, "..."] | None = None,
        memory_mask: Bool[Tensor, "..."] | None = None,
    ) -> list[Float[Tensor, "*batch heads tokens keys"]]:
        """What each block's cross-attention looks at: a tensor a block."""
        found = []
        for block in self:
            x, weights = block.attend(x, memory, mask, memory_mask, weights=True)
            found.append(cast(Tensor, weights))
        return found

    def begin(self, memory: Float[Tensor, "sentences keys context"]) -> list[Past]:
        """What there is to remember before the first token: a `Past` a block."""
        return [Past(block.cross_attention, memory) for block in self]

    def step(
        self,
        x: Float[Tensor, "sentences beams dim"],
        past: list[Past],
        own: Bool[Tensor, "sentences beams nodes"],
        memory_mask: Bool[Tensor, "sentences keys"],
    ) -> Float[Tensor, "sentences beams dim"]:
        """`forward` for one new token a hypothesis; every `past` grows by it."""
        for block, remembered in zip(self, past, strict=True):
            x = block.step(x, remembered, own, memory_mask)
        return self.norm(x)
