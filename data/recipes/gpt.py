"""Trains the GPT of lab 04 on the four English texts: 7.8 million weights, 6,000 pieces of words, 256 tokens at once.

Run: python data/recipes/gpt.py --minutes 5             (on a GPU; `_run.py` says what else there is)

Held out are the ends of all books and three whole books (`squint.data.books`); the card has the bits a byte there, by
source, beside those of a 5-gram with Kneser–Ney on the same pieces.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _run
import numpy as np
import torch
from torch import Tensor, nn

from squint import device as devices
from squint import train
from squint.data import books
from squint.models.gpt import GPT, Config, surprise
from squint.text.bpe import BPE, END
from squint.text.ngram import KneserNey
from squint.text.sampling import generate

LICENCE, TITLE = "MIT", "GPT on four English texts"
SAMPLED = {"temperature": 0.8, "top_p": 0.95}


@dataclass(frozen=True)
class Settings(_run.Settings):
    """What a run depends on besides.

    Attributes:
        vocabulary: pieces of words.
        dim, heads, blocks, dropout: the model's shape.
        context: the longest sequence, and the one that is learned from.
        batch: sequences a step.
        decay: of the matrices.
        books: how many texts of each source are learned from and judged; all if 0.
    """

    rate: float = 1.5e-3
    warmup: int = 100
    steps: int = 5_000
    average: float = 0.99
    judge_every: int = 500
    vocabulary: int = 6_000
    dim: int = 288
    heads: int = 6
    blocks: int = 6
    dropout: float = 0.15
    context: int = 256
    batch: int = 64
    decay: float = 0.1
    books: int = 0


def some(texts: list[str], most: int) -> list[str]:
    """The first texts, or all; of a few only their beginnings."""
    return [text[:20_000] for text in texts[:most]] if most else texts


def vocabulary(settings: Settings, home: Path) -> BPE:
    """The pieces of words, learned once from what is learned from, and kept beside the run."""
    file = home / "tokenizer.json"
    if not file.exists():
        texts = [text for name in books.NAMES for text in some(books.source(name).train, settings.books)]
        BPE.train([line for text in texts for line in text.split("\n") if line], settings.vocabulary).save(file)
    return BPE.load(file)


def stream(settings: Settings, pieces: BPE) -> Tensor:
    """All that is learned from, one text after the other."""
    texts = [text for name in books.NAMES for text in some(books.source(name).train, settings.books)]
    return torch.cat(books.encoded(pieces, texts))


def batches(tokens: Tensor, settings: Settings) -> Callable[[int], Iterator[Tensor]]:
    """Each epoch cuts the text at another offset and shuffles the sequences; a batch is [batch, context + 1]."""
    columns = torch.arange(settings.context + 1)

    def epoch(number: int) -> Iterator[Tensor]:
        chance = torch.Generator().manual_seed(1_000_003 * settings.seed + number)
        first = int(torch.randint(settings.context, (1,), generator=chance))
        starts = torch.arange(first, len(tokens) - settings.context - 1, settings.context)
        for rows in starts[torch.randperm(len(starts), generator=chance)].split(settings.batch):
            yield tokens[rows[:, None] + columns]

    return epoch


def groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """For AdamW: matrices decay towards zero; norms, biases and tables do not."""
    named = list(model.named_parameters())
    decays = [p for name, p in named if p.dim() > 1 and not name.startswith(("embedding", "positions"))]
    rest = [p for name, p in named if p.dim() < 2 or name.startswith(("embedding", "positions"))]
    return [{"params": decays, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def make_step(settings: Settings, pieces: BPE) -> train.ModelStep:
    """The model with its optimiser, from the seed."""
    devices.seed(settings.seed)
    shape = {name: getattr(settings, name) for name in ("dim", "heads", "blocks", "dropout")}
    model = GPT(Config(len(pieces), hidden=4 * settings.dim, tokens=settings.context, **shape))
    optimiser = torch.optim.AdamW(groups(model, settings.decay), lr=settings.rate, betas=(0.9, 0.95))

    def loss(model: nn.Module, tokens: Tensor) -> Tensor:
        logits = model(tokens[:, :-1])
        return nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    return train.ModelStep(model, loss, optimiser, average=settings.average)


# Measuring


def held_out(settings: Settings) -> dict[str, list[str]]:
    """`ends/austen`, `book/austen`, …: what is held out, by source."""
    parts = {f"{part}/{name}": getattr(books.source(name), part) for part in ("ends", "book") for name in books.NAMES}
    return {part: some(texts, settings.books) for part, texts in parts.items() if texts}


def bits_a_byte(nats: list[Tensor], texts: list[str]) -> float:
    """All surprise over all bytes; a text's end counts as a byte."""
    return sum(float(each.sum()) for each in nats) / math.log(2) / sum(len(text.encode()) + 1 for text in texts)


def measure(model: GPT, pieces: BPE, settings: Settings) -> dict[str, dict[str, float]]:
    """Loss and bits a byte of the model, and bits a byte of a 5-gram, on everything that is held out."""
    place = next(model.parameters()).device
    context = np.full(4, END)
    counted = KneserNey(np.concatenate([context, stream(settings, pieces).numpy()]), len(pieces))
    found = {}
    for part, texts in held_out(settings).items():
        rows = books.encoded(pieces, texts)
        nats = [surprise(model, row.to(place)).cpu() for row in rows]
        other = [
            -torch.from_numpy(np.log(counted.probabilities(np.concatenate([context, row.numpy()])))) for row in rows
        ]
        found[part] = {
            "tokens": sum(map(len, rows)), "loss": round(torch.cat(nats).mean().item(), 4),
            "bits_per_byte": round(bits_a_byte(nats, texts), 4), "ngram": round(bits_a_byte(other, texts), 4),
        }  # fmt: skip
    return found


def samples(model: GPT, pieces: BPE, settings: Settings, new: int = 120, known: int = 24) -> list[dict[str, str]]:
    """Three a source, not picked: how the first, a middle and the last held-out end would go on."""
    place, rows, names = next(model.parameters()).device, [], []
    for name in books.NAMES:
        ends = [row for row in books.encoded(pieces, held_out(settings)[f"ends/{name}"]) if len(row) > known]
        for row in (ends[0], ends[len(ends) // 2], ends[-1]):
            names.append(name)
            rows.append(torch.cat([row.new_full((1,), END), row[:known]]))
    tokens = torch.stack(rows).to(place)
    chance = torch.Generator(place).manual_seed(settings.seed)
    written = generate(model, tokens, new, generator=chance, **SAMPLED)[:, known + 1 :].tolist()
    return [
        {"source": name, "prompt": pieces.decode([row.tolist()])[0], "continuation": pieces.tokenizer.decode(more)}
        for name, row, more in zip(names, rows, written, strict=True)
    ]


def learn(
    settings: Settings, home: Path, minutes: float | None = None, also: Callable[[int, Tensor], None] | None = None
) -> tuple[train.ModelStep, BPE, train.History]:
    """Train from the last save, if there is one, until the steps or the minutes are over; `also` watches as well."""
    pieces = vocabulary(settings, home)
    step, tokens = make_step(settings, pieces), stream(settings, pieces)
    tested = {part: texts[:3] for part, texts in held_out(settings).items() if part.startswith("ends/")}
    rows = {part: books.encoded(pieces, texts) for part, texts in tested.items()}

    def judge(model: nn.Module) -> dict[str, float]:
        assert isinstance(model, GPT)
        place = next(model.parameters()).device
        return {
            part.removeprefix("ends/"): bits_a_byte(
                [surprise(model.eval(), row.to(place)) for row in rows[part]], texts
            )
            for part, texts in tested.items()
        }

    return step, pieces, _run.learn(settings, step, batches(tokens, settings), judge, home, minutes, also)


def export(
    settings: Settings, step: train.ModelStep, pieces: BPE, done: int, home: Path,
    name: str = TITLE, made_by: str = "recipes/gpt.py",
) -> dict[str, Any]:  # fmt: skip
    """Write weights, averaged and in half precision, and the card of what *these* weights, so rounded, are worth."""
    model = _run.keep(step, home)
    assert isinstance(model, GPT)
    return _run.write_card(home, {
        "name": name, "licence": LICENCE, "made_by": made_by,
        "data": "what squint.data.books learns from in texts/*.txt.gz",
        "parameters": model.parameter_count, "config": asdict(model.config),
        "training": _run.training(settings, home, done), "metrics": measure(model, pieces, settings),
        "sampling": SAMPLED, "samples": samples(model, pieces, settings),
    })  # fmt: skip


RECIPE = _run.Recipe(
    __file__, Settings, learn, export, title=TITLE, licence=LICENCE,
    origin="trained on the texts of texts/",
)  # fmt: skip

if __name__ == "__main__":
    RECIPE.main()
