"""Which word of one language belongs to which of the other, as far as one can tell without a dictionary.

Bahdanau et al. 2015, §5.2, let attention say it; here is what to hold that against.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from squint.models.seq2seq import Seq2Seq, shift_right
from squint.text.bpe import BPE


def copies(pieces: BPE, english: list[int], german: list[int]) -> list[tuple[int, int]]:
    """Pieces with a capital or a digit that stand once in either text: (place in German, place in English), in order.

    So names, figures and words that both languages share. *I* and *In* are words like others, and left out.
    """

    def telling(number: int) -> bool:
        spelled = pieces.pieces([number])[0].strip("▁")
        return any(letter.isdigit() or letter.isupper() for letter in spelled) and spelled not in ("I", "In")

    once = [piece for piece in german if german.count(piece) == english.count(piece) == 1 and telling(piece)]
    return [(german.index(piece), english.index(piece)) for piece in once]


def looks(model: Seq2Seq, source: list[int], labels: list[int]) -> Float[Tensor, "blocks heads target source"]:
    """Where each head of each block looks in the source when each of the labels is said; on the CPU."""
    device = next(model.parameters()).device
    source_, labels_ = (torch.tensor([tokens], device=device) for tokens in (source, labels))
    return model.cross_attention(source_, shift_right(labels_))[:, 0].cpu()
