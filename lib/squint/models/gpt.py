"""A decoder-only Transformer, as in Radford et al. 2018 and 2019 (GPT and GPT-2): what comes next?

Lab 03's encoder blocks with the norm first, whose attention is causal: that is a decoder without anything to translate.
Positions are learned, and one table serves for the tokens that come in and, transposed, for the scores that go out.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors.torch import load_file
from torch import Tensor, nn

from squint.data import catalogue
from squint.nn.attention import causal_attention
from squint.nn.cache import Cache
from squint.nn.loss import cross_entropy
from squint.nn.positions import LearnedPositions, sinusoidal
from squint.nn.transformer import Dropout, Encoder
from squint.text.bpe import BPE, END


@dataclass(frozen=True)
class Config:
    """The shape of a `GPT`.

    Attributes:
        vocabulary: how many tokens there are.
        dim: the width of the vectors.
        heads: attentions side by side, each of width `dim / heads`.
        hidden: the width inside the feed-forward networks.
        blocks: how many blocks.
        dropout: the share of entries that training drops.
        tokens: the longest sequence.
    """

    vocabulary: int
    dim: int = 288
    heads: int = 6
    hidden: int = 1_152
    blocks: int = 6
    dropout: float = 0.1
    tokens: int = 256


class Tied(nn.Module):
    """A language model whose table of embeddings also gives, transposed, the scores (Press and Wolf 2017).

    Whoever inherits makes `features`, what the last block says of each place, and a `config` with `dim`, `blocks` and
    `tokens`.
    """

    config: Any
    embedding: nn.Embedding

    @property
    def spread(self) -> float:
        """The deviation of the first embeddings and weights.

        0.02 is GPT-2's for a width of 768. At a width of 32 a model that begins so learns little more than how often
        each letter occurs; what keeps a product's variance at any width goes as 1 / √dim.
        """
        return 0.02 * math.sqrt(768 / self.config.dim)

    @torch.no_grad()
    def initialise(self) -> None:
        """Small weights; what writes into the residual stream the smaller, the deeper (Radford et al. 2019, §2.3)."""
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                depth = math.sqrt(2 * self.config.blocks) if name.endswith(("to_output", "narrow")) else 1
                width = math.sqrt(self.config.dim / module.in_features)
                nn.init.normal_(module.weight, std=self.spread * width / depth)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.embedding.weight, std=self.spread)

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def longest(self) -> int:
        """How many tokens it can see at once."""
        return self.config.tokens

    def features(
        self, tokens: Int[Tensor, "batch tokens"], past: Sequence[Cache] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """What the last block says of each place; with `past`, of the tokens after those it remembers."""
        raise NotImplementedError

    def forward(
        self, tokens: Int[Tensor, "batch tokens"], past: Sequence[Cache] | None = None, last: int | None = None
    ) -> Float[Tensor, "batch places vocabulary"]:
        """How well each token would come next, behind every one of `tokens`, or behind the `last` of them only."""
        x = self.features(tokens, past)
        return F.linear(x if last is None else x[:, -last:], self.embedding.weight)

    def loss(self, tokens: Int[Tensor, "batch tokens"]) -> Float[Tensor, ""]:
        """Mean cross-entropy in nats of every token but the first, each from those before it."""
        return cross_entropy(self.features(tokens[:, :-1]), self.embedding.weight, tokens[:, 1:])


class GPT(Tied):
    """A stack of causal blocks between the embeddings and their transpose."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary, config.dim)
        self.positions = LearnedPositions(config.tokens, config.dim)
        self.dropout = Dropout(config.dropout)
        self.blocks = Encoder(
            config.blocks, config.dim, config.heads, config.hidden, dropout=config.dropout, attention=causal_attention
        )
        self.initialise()

    @torch.no_grad()
    def initialise(self) -> None:
        """As `Tied`'s; learned positions begin as waves of the embeddings' size, so that neighbours are alike."""
        super().initialise()
        waves = sinusoidal(self.config.tokens, self.config.dim)
        self.positions.table.copy_(self.spread * math.sqrt(2) * waves)

    def begin(self) -> list[Cache]:
        """What there is to remember before the first token: a cache a block."""
        return [Cache() for _ in self.blocks.blocks]

    def features(
        self, tokens: Int[Tensor, "batch tokens"], past: Sequence[Cache] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """What the last block says of each place; with `past`, of the tokens after those it remembers.

        Raises:
            ValueError: if there are more tokens than it can see at once.
        """
        seen = tokens.shape[1] + (past[0].nodes if past else 0)
        if seen > self.longest:
            raise ValueError(f"this GPT sees {self.longest} tokens at once, and not {seen}: give it the last of them.")
        x = self.positions(self.embedding(tokens), first=past[0].nodes if past else 0)
        return self.blocks(self.dropout(x), past=past)


@torch.inference_mode()
def surprise(
    model: Tied, text: Int[Tensor, " tokens"], stride: int | None = None, batch: int = 32
) -> Float[Tensor, " tokens"]:
    """−log p in nats of every token of a text, given those before it; the first one follows an `</s>`.

    The text is read through windows as long as the model sees, each `stride` tokens after the one before it, half a
    window if left out: so every token but the first has at least so many before it as a window is longer.
    """
    width = model.longest
    stride = stride or width // 2
    sequence = torch.cat([text.new_full((1,), END), text])
    starts = range(0, max(1, len(text) - (width - stride)), stride)
    rows = torch.stack(
        [F.pad(sequence[at : at + width + 1], (0, max(0, at + width + 1 - len(sequence)))) for at in starts]
    )
    found = torch.cat([
        F.cross_entropy(model(some[:, :-1]).mT, some[:, 1:], reduction="none") for some in rows.split(batch)
    ])  # fmt: skip
    # Of the first window all tokens count, of the others those that no window before has read.
    new = torch.arange(width, device=text.device) >= width - stride
    new = new.expand(len(rows), width).clone()
    new[0] = True
    place = torch.tensor(starts, device=text.device)[:, None] + torch.arange(width, device=text.device)
    return found[new & (place < len(text))]


def pretrained(name: str = "gpt") -> tuple[GPT, BPE, dict[str, Any]]:
    """A trained GPT of the course, ready to be asked, its pieces of words, and its card.

    Made by `data/recipes/gpt.py`; the card says from what, and how good it is. `name` is its folder below `data/`; all
    of them have the pieces of `gpt`.

    Raises:
        DataError: a file is missing or not what it was.
    """
    card = json.loads(catalogue.path(f"{name}/card.json").read_text("utf-8"))
    model = GPT(Config(**card["config"]))
    weights = load_file(catalogue.path(f"{name}/weights.safetensors"))
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    return model.eval(), BPE.load(catalogue.path("gpt/tokenizer.json")), card
