"""What came before the Transformer: recurrent encoder and decoder with attention between them.

The encoder reads in both directions. The decoder reads its own words and looks at the source at every step, by dot
products (Luong et al. 2015, §3.1) or by a small network (Bahdanau et al. 2015, eq. 6). As in Luong's, attention comes
after the recurrence: so all positions attend at once in training, and only the recurrence itself goes word by word.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from squint.models.seq2seq import translation_loss
from squint.nn.attention import attention_weights, masked_softmax


@dataclass(frozen=True)
class Config:
    """The shape of a `GRU`.

    Attributes:
        vocabulary: how many tokens there are, in both languages together.
        dim: the width of embeddings and states; the encoder's two directions have half of it each.
        layers: recurrent layers of the encoder, and of the decoder.
        dropout: the share of entries that training drops.
        score: how a state is compared with a source word: a dot product, or a small network.
        padding, start, end: the numbers of the special tokens.
    """

    vocabulary: int
    dim: int = 256
    layers: int = 2
    dropout: float = 0.1
    score: Literal["dot", "additive"] = "dot"
    padding: int = 0
    start: int = 1
    end: int = 2


class RecurrentAttention(nn.Module):
    """From a decoder's states to the source: an average of its vectors, by dot or additive scores."""

    def __init__(self, dim: int, score: Literal["dot", "additive"] = "dot"):
        super().__init__()
        self.to_query = nn.Linear(dim, dim)
        self.to_key = nn.Linear(dim, dim, bias=False)
        self.to_score = nn.Linear(dim, 1, bias=False) if score == "additive" else None

    def weights(
        self,
        x: Float[Tensor, "batch queries dim"],
        memory: Float[Tensor, "batch keys dim"],
        mask: Bool[Tensor, "batch 1 keys"] | None = None,
    ) -> Float[Tensor, "batch queries keys"]:
        """The share of each query's attention that each source vector gets."""
        query, key = self.to_query(x), self.to_key(memory)
        if self.to_score is None:
            return attention_weights(query, key, mask)
        scores = self.to_score((query[:, :, None] + key[:, None]).tanh())
        return masked_softmax(rearrange(scores, "batch queries keys 1 -> batch queries keys"), mask)

    def forward(
        self,
        x: Float[Tensor, "batch queries dim"],
        memory: Float[Tensor, "batch keys dim"],
        mask: Bool[Tensor, "batch 1 keys"] | None = None,
    ) -> Float[Tensor, "batch queries dim"]:
        """The weighted average of the source's vectors."""
        return self.weights(x, memory, mask) @ memory


@dataclass(frozen=True)
class State:
    """Where decoding stands.

    Attributes:
        memory: the source's vectors.
        mask: which of them are real.
        hidden: the recurrent state of every hypothesis.
    """

    memory: Float[Tensor, "sentences source dim"]
    mask: Bool[Tensor, "sentences 1 source"]
    hidden: Float[Tensor, "layers sentences beams dim"]


class GRU(nn.Module):
    """The baseline: it is trained, called and decoded like `squint.models.seq2seq.Seq2Seq`."""

    def __init__(self, config: Config):
        super().__init__()
        if config.dim % 2:
            raise ValueError(f"dim must be even, half a direction, but it is {config.dim}.")
        self.config = config
        dropout = config.dropout if config.layers > 1 else 0.0
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = nn.GRU(
            config.dim, config.dim // 2, config.layers, batch_first=True, dropout=dropout, bidirectional=True
        )
        self.bridge = nn.Linear(config.dim, config.dim)
        self.decoder = nn.GRU(config.dim, config.dim, config.layers, batch_first=True, dropout=dropout)
        self.attention = RecurrentAttention(config.dim, config.score)
        self.join = nn.Linear(2 * config.dim, config.dim)
        nn.init.normal_(self.embedding.weight, std=config.dim**-0.5)

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    def embed(self, tokens: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens dim"]:
        """Tokens as vectors of length √dim."""
        return self.dropout(self.embedding(tokens) * math.sqrt(self.config.dim))

    def encode(
        self, source: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch source dim"], Float[Tensor, "layers batch dim"]]:
        """The source's vectors, and the state that the decoder begins with."""
        # Packed, so that the backward direction begins at the last word and not in the padding.
        lengths = (source != self.config.padding).sum(dim=1).clamp(min=1).cpu()
        packed = pack_padded_sequence(self.embed(source), lengths, batch_first=True, enforce_sorted=False)
        read, last = self.encoder(packed)
        memory, _ = pad_packed_sequence(read, batch_first=True, total_length=source.shape[1])
        both = rearrange(last, "(layers ways) batch dim -> layers batch (ways dim)", ways=2)
        return memory, self.bridge(both).tanh()

    def source_mask(self, source: Int[Tensor, "batch source"]) -> Bool[Tensor, "batch 1 source"]:
        """Which source tokens may be seen."""
        return (source != self.config.padding)[:, None, :]

    def read_out(
        self,
        x: Float[Tensor, "batch target dim"],
        memory: Float[Tensor, "batch source dim"],
        mask: Bool[Tensor, "batch 1 source"],
    ) -> Float[Tensor, "batch target dim"]:
        """Look at the source, and put what was seen beside the state (Luong et al. 2015, eq. 5)."""
        seen = self.attention(x, memory, mask)
        return self.dropout(self.join(torch.cat([x, seen], dim=-1)).tanh())

    def logits(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch vocabulary"]:
        """How well each vector matches each token's embedding."""
        return F.linear(x, self.embedding.weight)

    def forward(
        self,
        source: Int[Tensor, "batch source"],
        target: Int[Tensor, "batch target"],
        keep: Bool[Tensor, "batch target"] | None = None,
    ) -> Float[Tensor, "batch target vocabulary"] | Float[Tensor, "kept vocabulary"]:
        """What should follow each token of the target; see `Seq2Seq.forward`."""
        memory, hidden = self.encode(source)
        x, _ = self.decoder(self.embed(target), hidden)
        x = self.read_out(x, memory, self.source_mask(source))
        return self.logits(x if keep is None else x[keep])

    def loss(
        self, source: Int[Tensor, "batch source"], labels: Int[Tensor, "batch target"], smoothing: float = 0.1
    ) -> Float[Tensor, ""]:
        """The label-smoothed loss of `labels`, which end with the end token and padding."""
        return translation_loss(self, source, labels, smoothing, self.config.start, self.config.padding)

    # Decoding token by token

    def begin(self, source: Int[Tensor, "sentences source"]) -> State:
        """Read the sources: everything there is to know before the first token, with one beam a sentence."""
        memory, hidden = self.encode(source)
        return State(memory, self.source_mask(source), hidden[:, :, None])

    def step(
        self, tokens: Int[Tensor, "sentences beams"], state: State
    ) -> tuple[Float[Tensor, "sentences beams vocabulary"], State]:
        """The log-probability of every token after `tokens`, the hypotheses' last ones."""
        beams = tokens.shape[1]
        embedded = self.embed(rearrange(tokens, "sentences beams -> (sentences beams) 1"))
        hidden = rearrange(state.hidden, "layers sentences beams dim -> layers (sentences beams) dim").contiguous()
        x, hidden = self.decoder(embedded, hidden)
        x = rearrange(x, "(sentences beams) 1 dim -> sentences beams dim", beams=beams)
        hidden = rearrange(hidden, "layers (sentences beams) dim -> layers sentences beams dim", beams=beams)
        # A sentence's hypotheses look at the same source, so they count as its queries.
        x = self.read_out(x, state.memory, state.mask)
        return self.logits(x).log_softmax(dim=-1), State(state.memory, state.mask, hidden)

    def reorder(self, state: State, sentences: Int[Tensor, " kept"] | None, beams: Int[Tensor, "kept new"]) -> State:
        """Only these sentences (all if None), and of each of them these of its hypotheses."""
        rows = torch.arange(len(beams), device=beams.device) if sentences is None else sentences
        hidden = state.hidden[:, rows[:, None], beams]
        return State(state.memory[rows], state.mask[rows], hidden)


def of_size(parameters: int, config: Config) -> Config:
    """`config` with the width that brings the number of parameters nearest to `parameters`.

    So a comparison with another model is one at equal size.
    """

    def count(dim: int) -> int:
        with torch.device("meta"):
            return GRU(replace(config, dim=dim)).parameter_count

    low, high = 2, 4
    while count(high) < parameters:
        low, high = high, 2 * high
    while high - low > 2:
        middle = (low + high) // 4 * 2
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
    return replace(config, dim=min((low, high), key=lambda dim: abs(count(dim) - parameters)))
