"""Pouring the weights of one Transformer (Vaswani et al. 2017) into another, to show that two compute the same.

What they are poured into is built as in lab 03: it has `encoder` and `decoder`, lists of blocks that hold `attention`,
`cross_attention`, `feed_forward` and `norms`; `encoder_norm` and `decoder_norm`; and `embedding`.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from squint.models.seq2seq import Seq2Seq

_PARTS = {"attention": 0, "cross_attention": 1, "feed_forward": 2}


def random_pytorch(dim: int, heads: int, hidden: int, blocks: int, norm_first: bool) -> nn.Transformer:
    """PyTorch's Transformer, which has no embedding, with random weights: no gain is 1, no bias 0."""
    shape: tuple[int, int, int, float] = dim, heads, hidden, 0.0
    reads = nn.TransformerEncoderLayer(*shape, batch_first=True, norm_first=norm_first)
    writes = nn.TransformerDecoderLayer(*shape, batch_first=True, norm_first=norm_first)
    encoder = nn.TransformerEncoder(reads, blocks, nn.LayerNorm(dim), enable_nested_tensor=False)
    decoder = nn.TransformerDecoder(writes, blocks, nn.LayerNorm(dim))
    theirs = nn.Transformer(dim, heads, custom_encoder=encoder, custom_decoder=decoder, batch_first=True)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.2)
    return theirs


def from_pytorch(theirs: nn.Transformer, yours: nn.Module) -> None:
    """Copy the weights of PyTorch's two towers; the embedding stays as it is.

    PyTorch keeps the three projections of an attention in one matrix, and counts its norms from one.
    """
    state = {}
    for name, weight in theirs.state_dict().items():
        name = re.sub(r"^(encoder|decoder)\.norm", r"\1_norm", name).replace(".layers.", ".")
        name = name.replace("self_attn", "attention").replace("multihead_attn", "cross_attention")
        name = name.replace("linear1", "feed_forward.widen").replace("linear2", "feed_forward.narrow")
        name = re.sub(r"norm(\d)\.", lambda found: f"norms.{int(found[1]) - 1}.", name).replace("out_proj", "to_output")
        name = re.sub(r"((?:norms\.\d|_norm)\.)weight", r"\1gain", name)
        if "in_proj_" in name:
            for part, piece in zip(("query", "key", "value"), weight.chunk(3), strict=True):
                state[name.replace("in_proj_", f"to_{part}.")] = piece
        else:
            state[name] = weight
    _load(yours, state | {"embedding.weight": yours.state_dict()["embedding.weight"]})


def from_course(theirs: Seq2Seq, yours: nn.Module) -> None:
    """Copy the weights of the course's Transformer, which keeps each norm beside its residual."""
    state = {}
    for name, weight in theirs.state_dict().items():
        name = re.sub(r"^(encoder|decoder)\.norm", r"\1_norm", name).replace(".blocks.", ".")
        if found := re.search(r"(\w+)_residual\.norm", name):
            number = min(_PARTS[found[1]], 1) if name.startswith("encoder") else _PARTS[found[1]]
            name = name.replace(found[0], f"norms.{number}")
        state[name] = weight
    _load(yours, state)


@torch.no_grad()
def _load(yours: nn.Module, state: Mapping[str, Tensor]) -> None:
    """All of them, and no others.

    Raises:
        RuntimeError: a name or a shape is not the other's.
    """
    yours.load_state_dict(dict(state), strict=True)
