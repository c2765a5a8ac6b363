"""MiniLM-L6, a small BERT: an encoder of six layers with twelve heads each, on this course's own attention.

The network is BERT's (Devlin et al. 2019, "BERT", §3), in the Transformer's original order with each norm after its
residual (Vaswani et al. 2017, §3.1); the weights were distilled from a larger model (Wang et al. 2020, "MiniLM") and
tuned for sentence similarity. All sizes are read from the weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from squint.nn.attention import (
    AttentionFunction,
    MultiHeadAttention,
    attention_weights,
    for_all_heads,
    fused_scaled_dot_product,
    join_heads,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

HEADS = 12
EPSILON = 1e-12
"""What BERT's layer norm adds to the variance."""


@dataclass(frozen=True)
class Pieces:
    """A batch of sentences as the encoder reads them: word pieces, with [CLS] before and [SEP] after each sentence."""

    token_ids: Int[Tensor, "batch tokens"]
    lengths: Int[Tensor, "batch"]
    """How many of the tokens are pieces; the rest is filling."""
    tokens: list[list[str]]
    """The pieces as text, without the filling."""
    words: Float[Tensor, "batch tokens words"]
    """1 where a piece belongs to a word of the sentence, else 0."""

    def to(self, device: torch.device) -> "Pieces":
        """The same on another device."""
        return Pieces(self.token_ids.to(device), self.lengths.to(device), self.tokens, self.words.to(device))


def pieces(sentences: Sequence[Sequence[str]], tokenizer: "Tokenizer") -> Pieces:
    """Cut sentences, given as words, into MiniLM's pieces."""
    cut = [tokenizer.encode(list(words), is_pretokenized=True) for words in sentences]
    lengths = torch.tensor([len(sentence.ids) for sentence in cut])
    token_ids = torch.zeros(len(cut), int(lengths.max()), dtype=torch.long)
    words = torch.zeros(*token_ids.shape, max(len(sentence) for sentence in sentences))
    for row, sentence in enumerate(cut):
        token_ids[row, : len(sentence.ids)] = torch.tensor(sentence.ids)
        of_word = [(piece, word) for piece, word in enumerate(sentence.word_ids) if word is not None]
        words[row, [piece for piece, _ in of_word], [word for _, word in of_word]] = 1
    return Pieces(token_ids, lengths, [sentence.tokens for sentence in cut], words)


def between_words(
    attentions: Float[Tensor, "batch layers heads tokens tokens"], words: Float[Tensor, "batch tokens words"]
) -> Float[Tensor, "batch layers heads words words"]:
    """Attention from word to word: summed over the pieces attended to, averaged over the pieces that attend.

    A row then sums to at most one; the rest went to [CLS] and [SEP] (Clark et al. 2019, "What Does BERT Look At?",
    §4.1).
    """
    to_words = torch.einsum("blhqk, bkw -> blhqw", attentions, words)
    share = words / words.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("bqv, blhqw -> blhvw", share, to_words)


@dataclass(frozen=True)
class Encoded:
    """What the encoder made of a batch of sentences."""

    hidden: Float[Tensor, "batch tokens dim"]
    """The last layer's vectors."""
    attentions: Float[Tensor, "batch layers heads tokens tokens"]
    """Each head's weights; a row is a query and sums to one."""
    queries: Float[Tensor, "batch layers heads tokens part"]
    keys: Float[Tensor, "batch layers heads tokens part"]


class Layer(nn.Module):
    """Attention, then a feed-forward network; each is added to its input and normalised after (post-norm)."""

    def __init__(self, dim: int, heads: int, inner: int):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.attention_norm = nn.LayerNorm(dim, eps=EPSILON)
        self.widen = nn.Linear(dim, inner)
        self.narrow = nn.Linear(inner, dim)
        self.output_norm = nn.LayerNorm(dim, eps=EPSILON)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], mask: Bool[Tensor, "..."] | None, attention: AttentionFunction
    ) -> tuple[Float[Tensor, "batch tokens dim"], Tensor, Tensor, Tensor]:
        """The next layer's vectors, then this layer's weights, queries and keys, each a head at a time."""
        mask = for_all_heads(mask)
        query, key, value = self.attention.project(x)
        attended = self.attention.to_output(join_heads(attention(query, key, value, mask)))
        x = self.attention_norm(x + attended)
        x = self.output_norm(x + self.narrow(F.gelu(self.widen(x))))
        return x, attention_weights(query, key, mask), query, key


class MiniLM(nn.Module):
    """The encoder: word, position and segment vectors are added and normalised, then pass through the layers."""

    def __init__(self, vocabulary: int, positions: int, dim: int, layers: int, inner: int, heads: int = HEADS):
        super().__init__()
        self.words = nn.Embedding(vocabulary, dim)
        self.positions = nn.Embedding(positions, dim)
        self.segments = nn.Embedding(2, dim)
        self.norm = nn.LayerNorm(dim, eps=EPSILON)
        self.layers = nn.ModuleList(Layer(dim, heads, inner) for _ in range(layers))

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> "MiniLM":
        """The network with the weights of a BERT as `transformers` names them (`squint.data.minilm.weights()`).

        Raises:
            KeyError: if a weight that the network needs is not among them.
        """
        weights = {name.removeprefix("bert."): weight for name, weight in weights.items()}
        vocabulary, dim = weights["embeddings.word_embeddings.weight"].shape
        layers = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer.")})
        with torch.device("meta"):  # allocates nothing: every parameter is replaced just below
            model = cls(
                vocabulary,
                positions=len(weights["embeddings.position_embeddings.weight"]),
                dim=dim,
                layers=layers,
                inner=len(weights["encoder.layer.0.intermediate.dense.weight"]),
            )
        model.load_state_dict({name: weights[berts_name(name)] for name in model.state_dict()}, assign=True)
        return model.eval().requires_grad_(False)

    def embed(self, token_ids: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens dim"]:
        """What enters the first layer: three vectors added, then normalised. All tokens are of the first segment."""
        position = torch.arange(token_ids.shape[-1], device=token_ids.device)
        return self.norm(self.words(token_ids) + self.positions(position) + self.segments.weight[0])

    def forward(
        self,
        token_ids: Int[Tensor, "batch tokens"],
        mask: Bool[Tensor, "batch #queries tokens"] | None = None,
        attention: AttentionFunction = fused_scaled_dot_product,
    ) -> Encoded:
        """Encode sentences. `mask` says which keys are words (`padding_mask`); `attention` is any scaled dot product.

        The weights in the result are computed beside `attention` from the same queries and keys, since `attention`
        returns only what was attended.
        """
        x = self.embed(token_ids)
        steps = []
        for layer in self.layers:
            x, *step = layer(x, mask, attention)
            steps.append(step)
        weights, queries, keys = (torch.stack(kind, dim=1) for kind in zip(*steps, strict=True))
        return Encoded(x, weights, queries, keys)


BERTS_NAMES = {
    "words.": "embeddings.word_embeddings.",
    "positions.": "embeddings.position_embeddings.",
    "segments.": "embeddings.token_type_embeddings.",
    "norm.": "embeddings.LayerNorm.",
    "layers.": "encoder.layer.",
    "attention.to_query.": "attention.self.query.",
    "attention.to_key.": "attention.self.key.",
    "attention.to_value.": "attention.self.value.",
    "attention.to_output.": "attention.output.dense.",
    "attention_norm.": "attention.output.LayerNorm.",
    "widen.": "intermediate.dense.",
    "narrow.": "output.dense.",
    "output_norm.": "output.LayerNorm.",
}


def berts_name(name: str) -> str:
    """A parameter's name here, as `transformers` calls it: `layers.3.widen.bias` is `encoder.layer.3.intermediate…`."""
    if not name.startswith("layers."):
        module, parameter = name.rsplit(".", 1)
        return BERTS_NAMES[f"{module}."] + parameter
    _, number, rest = name.split(".", 2)
    module, parameter = rest.rsplit(".", 1)
    return f"encoder.layer.{number}.{BERTS_NAMES[module + '.']}{parameter}"
