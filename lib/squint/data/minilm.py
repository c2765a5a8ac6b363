"""MiniLM-L6: a small BERT for sentences, six layers of twelve heads, fetched once by ``squint data fetch``."""

from __future__ import annotations

from dataclasses import dataclass

from safetensors.torch import load_file
from tokenizers import Tokenizer as _Tokenizer
from torch import Tensor

from squint.data import catalogue


@dataclass(frozen=True)
class Config:
    """The sizes of a BERT encoder.

    Attributes:
        vocab: word pieces.
        layers: blocks of attention and feed-forward.
        heads: attention heads a layer.
        dim: width of a token's vector; a head has dim / heads.
        hidden: width inside the feed-forward part, which uses the exact GELU.
        positions: most tokens a sentence can have.
        types: kinds of segment (only 0 is used here).
        norm_eps: epsilon of the layer norms, which stand after the residual sums.
    """

    vocab: int = 30_522
    layers: int = 6
    heads: int = 12
    dim: int = 384
    hidden: int = 1_536
    positions: int = 512
    types: int = 2
    norm_eps: float = 1e-12


CONFIG = Config()
"""The sizes of MiniLM-L6."""


def weights() -> dict[str, Tensor]:
    """The weights, float32, under the names of Hugging Face's ``BertModel``.

    For example ``encoder.layer.0.attention.self.query.weight``, of shape [dim_out, dim_in] as in ``torch.nn.Linear``.
    Wang et al. 2020, "MiniLM"; Reimers and Gurevych 2019, "Sentence-BERT".

    Raises:
        DataError: they were not fetched yet, or the file is not what it was.
    """
    tensors = load_file(catalogue.path("cache/minilm.safetensors"))
    return {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}


def tokenizer() -> _Tokenizer:
    """MiniLM's WordPiece tokenizer, lower-casing; it neither pads nor truncates.

    Raises:
        DataError: it was not fetched yet, or the file is not what it was.
    """
    pieces = _Tokenizer.from_file(str(catalogue.path("cache/minilm-tokenizer.json")))
    # As packaged it pads every text to 128 pieces.
    pieces.no_padding()
    pieces.no_truncation()
    return pieces
