"""Byte-pair encoding: words in pieces, so that a small vocabulary spells everything (Sennrich et al. 2016, §3.2).

The work is done by HF's tokenizers, on bytes (Radford et al. 2019, §2.2): whatever the text, it comes back as it was.
Below it: sequences of unequal lengths as one tensor, and batches of pairs of nearly equal lengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

PAD, START, END = 0, 1, 2
SPECIAL = ("<pad>", "<s>", "</s>")


class BPE:
    """A vocabulary of pieces of words, shared by both languages, with `<pad>` = 0, `<s>` = 1 and `</s>` = 2.

    A word is spelled with the space before it, and a text as if it began with one: "house" has the same pieces at the
    beginning of a sentence as in its middle.
    """

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        # A text that happens to say "</s>" is spelled like any other.
        tokenizer.encode_special_tokens = True

    def __len__(self) -> int:
        """How many pieces there are, the three special ones included."""
        return self.tokenizer.get_vocab_size()

    @classmethod
    def train(cls, texts: Iterable[str], size: int = 8_000, least: int = 2) -> BPE:
        """Learn a vocabulary of `size` pieces: begin with bytes, merge the commonest two neighbours, again and again.

        `size` counts the 256 bytes and three special pieces; a merge must have been seen `least` times.

        Raises:
            ValueError: if `size` leaves no room for the bytes.
        """
        smallest = 256 + len(SPECIAL)
        if size < smallest:
            raise ValueError(f"a vocabulary has at least {smallest} pieces, 256 of them bytes, but size is {size}.")
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size, min_frequency=least, special_tokens=list(SPECIAL), show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )  # fmt: skip
        tokenizer.train_from_iterator((" " + text for text in texts), trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, path: str | Path) -> BPE:
        """A vocabulary that `save` wrote.

        Raises:
            ValueError: if the file is missing or something else.
        """
        try:
            return cls(Tokenizer.from_file(str(path)))
        except Exception as error:  # tokenizers raises nothing more special
            raise ValueError(f"{path} cannot be read as a tokenizer: {error}.") from error

    def save(self, path: str | Path) -> None:
        """Write the vocabulary to one JSON file."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.tokenizer.save(str(path), pretty=False)

    def encode(self, texts: Sequence[str], end: bool = False) -> list[list[int]]:
        """The pieces of each text by number; `end` puts `</s>` after them."""
        encoded = self.tokenizer.encode_batch_fast([" " + text for text in texts])
        return [[*each.ids, END] if end else each.ids for each in encoded]

    def decode(self, sequences: Iterable[Sequence[int]]) -> list[str]:
        """The texts that pieces spell; special ones are left out. The inverse of `encode`."""
        plain = [[piece for piece in sequence if piece > END] for sequence in sequences]
        return [text.removeprefix(" ") for text in self.tokenizer.decode_batch(plain, skip_special_tokens=False)]

    def pieces(self, sequence: Sequence[int]) -> list[str]:
        """Each piece to be read by people: `▁` for a space, the special ones by their names."""
        spelled = [self.tokenizer.decode([piece], skip_special_tokens=False) for piece in sequence]
        return [
            SPECIAL[piece] if piece <= END else text.replace(" ", "▁")
            for piece, text in zip(sequence, spelled, strict=True)
        ]


# Sequences of unequal lengths


@dataclass(frozen=True)
class Ragged:
    """Many sequences, one after the other in one tensor: what a list of lists is, without the lists.

    Attributes:
        flat: all tokens.
        start: where each sequence begins in `flat`.
        length: how many tokens each has.
    """

    flat: Int[Tensor, " tokens"]
    start: Int[Tensor, " n"]
    length: Int[Tensor, " n"]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Ragged:
        """From a list of lists."""
        length = torch.tensor([len(sequence) for sequence in sequences], dtype=torch.long)
        flat = torch.tensor([token for sequence in sequences for token in sequence], dtype=torch.long)
        return cls(flat, length.cumsum(0) - length, length)

    def __len__(self) -> int:
        return len(self.length)

    def padded(self, rows: Int[Tensor, " batch"], padding: int = PAD) -> Int[Tensor, "batch longest"]:
        """The sequences `rows` as one tensor, `padding` after those that are shorter than the longest."""
        start, length = self.start[rows], self.length[rows]
        column = torch.arange(int(length.max()) if len(rows) else 0)
        real = column < length[:, None]
        if not real.any():
            return torch.full(real.shape, padding)
        return self.flat[(start[:, None] + column).where(real, 0)].where(real, padding)


def pad(sequences: Sequence[Sequence[int]], padding: int = PAD) -> Int[Tensor, "batch longest"]:
    """Lists of tokens as one tensor, `padding` after those that are shorter than the longest."""
    return Ragged.of(sequences).padded(torch.arange(len(sequences)), padding)


def bucketed(
    source: Int[Tensor, " n"],
    target: Int[Tensor, " n"],
    tokens: int,
    generator: torch.Generator | None = None,
    pool: int = 16_384,
) -> list[Int[Tensor, " batch"]]:
    """Cut pairs into batches of nearly equal lengths, each of at most `tokens` tokens a side, filling included.

    With a generator the pairs are shuffled first, then sorted by length within pools, then the batches are shuffled:
    so batches differ from epoch to epoch and hold little filling. Without one, pairs are sorted once and for all.

    Args:
        source: the length of each pair's one side.
        target: the length of its other.
        tokens: the most that a batch may have on either side, `rows × longest`. A pair that is longer comes alone.
        generator: of the shuffling.
        pool: how many pairs are sorted together.

    Returns:
        The pairs' numbers, a tensor a batch. Every pair is in one batch.
    """
    n = len(source)
    order = torch.randperm(n, generator=generator) if generator is not None else torch.arange(n)
    pools = order.split(pool) if generator is not None else [order]
    batches = [batch for part in pools for batch in _cut(part, source[part], target[part], tokens)]
    if generator is None:
        return batches
    return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


def _cut(rows: Tensor, source: Tensor, target: Tensor, tokens: int) -> list[Tensor]:
    """Sort rows by their longer side, then by the other, and cut as late as the budget allows."""
    longer, shorter = torch.maximum(source, target), torch.minimum(source, target)
    # One key sorts by both, since lengths are whole numbers.
    order = (longer * (int(shorter.max()) + 1) + shorter).argsort(stable=True)
    rows, longer = rows[order], longer[order]
    batches, first, n = [], 0, len(rows)
    while first < n:
        # What the batch would hold if it ended after each of these pairs. It only grows: the last that fits is found.
        cost = longer[first : first + tokens] * torch.arange(1, min(tokens, n - first) + 1)
        size = max(1, int(torch.searchsorted(cost, tokens, right=True)))
        batches.append(rows[first : first + size])
        first += size
    return batches
