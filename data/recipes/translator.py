"""Trains the English–German Transformer that lab 03b translates with: six blocks each side, on 166,000 pairs.

Run: python data/recipes/translator.py --minutes 120             (`_run.py` says what else there is)

`--begin shipped` starts from the weights and the pieces of words in `data/` instead of from nothing: so the shipped
model learned the three older sources first, and all six then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _run
import torch
from safetensors.torch import load

from squint import device as devices
from squint import train
from squint.data import catalogue, translations
from squint.data.translations import Pairs
from squint.models.seq2seq import Config, Seq2Seq, translate, translation_loss
from squint.text.bpe import BPE, Ragged, bucketed

LICENCE = "GPL-2.0-or-later"


@dataclass(frozen=True)
class Settings(_run.Settings):
    """What a run depends on besides.

    Attributes:
        vocabulary: pieces of words, for both languages.
        dim, heads, hidden, blocks, dropout: the model's shape.
        smoothing: of the labels.
        tokens: the most that a batch has on either side.
        begin: `shipped` to start from the weights in `data/`; from nothing if empty.
        written: how often an epoch has each sentence that was written by hand.
        pairs: how many pairs are learned from, and how many sentences a score is taken on; all if 0.
    """

    vocabulary: int = 8_000
    dim: int = 192
    heads: int = 4
    hidden: int = 768
    blocks: int = 6
    dropout: float = 0.1
    smoothing: float = 0.1
    tokens: int = 2_048
    begin: str = ""
    written: int = 4
    pairs: int = 0


# Data


def some(pairs: Pairs, most: int) -> Pairs:
    """The first `most` pairs, or all."""
    return Pairs(pairs.english[:most], pairs.german[:most]) if most else pairs


def vocabulary(settings: Settings, home: Path) -> BPE:
    """The pieces of both languages, learned once and kept beside the run."""
    file = home / "tokenizer.json"
    if settings.begin == "shipped":
        file.write_bytes(catalogue.path("translator/tokenizer.json").read_bytes())
    elif not file.exists():
        pairs = some(translations.load("train"), settings.pairs)
        BPE.train(pairs.english + pairs.german, settings.vocabulary).save(file)
    return BPE.load(file)


@dataclass(frozen=True)
class Encoded:
    """Pairs as numbers, `</s>` at the end of each text."""

    source: Ragged
    target: Ragged

    @classmethod
    def of(cls, pieces: BPE, pairs: Pairs) -> Encoded:
        """Spell the pairs."""
        return cls(Ragged.of(pieces.encode(pairs.english, end=True)), Ragged.of(pieces.encode(pairs.german, end=True)))

    def batches(self, tokens: int, generator: torch.Generator | None = None) -> Iterator[dict[str, torch.Tensor]]:
        """Batches of nearly equal lengths, in another order for every generator."""
        for rows in bucketed(self.source.length, self.target.length, tokens, generator):
            yield {"source": self.source.padded(rows), "labels": self.target.padded(rows)}


# Training


def make_step(settings: Settings, pieces: BPE) -> train.ModelStep:
    """The model with its optimiser, from the seed."""
    devices.seed(settings.seed)
    shape = {name: getattr(settings, name) for name in ("dim", "heads", "hidden", "blocks", "dropout")}
    model = Seq2Seq(Config(len(pieces), **shape))
    if settings.begin == "shipped":
        weights = load(catalogue.path("translator/weights.safetensors").read_bytes())
        model.load_state_dict({name: value.float() for name, value in weights.items()})
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.rate, betas=(0.9, 0.98), weight_decay=0.01)
    return train.ModelStep(
        model,
        lambda model, batch: translation_loss(model, batch["source"], batch["labels"], settings.smoothing),
        optimiser,
        average=settings.average,
    )


@torch.inference_mode()
def held_out_loss(model: Seq2Seq, pairs: Encoded) -> float:
    """Cross-entropy a token in nats, without smoothing."""
    model.eval()
    place, total, count = next(model.parameters()).device, 0.0, 0
    for batch in pairs.batches(4_096):
        labels = batch["labels"].to(place)
        real = int((labels != model.config.padding).sum())
        total, count = total + real * float(model.loss(batch["source"].to(place), labels, 0.0)), count + real
    return total / count


def learn(
    settings: Settings,
    home: Path,
    minutes: float | None = None,
    also: Callable[[int, torch.Tensor], None] | None = None,
) -> tuple[train.ModelStep, BPE, train.History]:
    """Train from the last save, if there is one, until the steps or the minutes are over; `also` watches as well."""
    pieces = vocabulary(settings, home)
    step = make_step(settings, pieces)
    again = [translations.load("train", "written")] * (settings.written - 1)
    pairs = Encoded.of(pieces, some(sum(again, translations.load("train")), settings.pairs))
    valid = Encoded.of(pieces, some(translations.load("valid"), settings.pairs))

    def epoch(number: int) -> Iterator[dict[str, torch.Tensor]]:
        return pairs.batches(settings.tokens, torch.Generator().manual_seed(1_000_003 * settings.seed + number))

    def judge(model: torch.nn.Module) -> dict[str, float]:
        return {"valid": held_out_loss(model, valid)}  # type: ignore[arg-type]

    return step, pieces, _run.learn(settings, step, epoch, judge, home, minutes, also)


# Measuring


def bleu(found: list[str], right: list[str]) -> float:
    """Corpus BLEU in percent by sacrebleu's defaults (13a, mixed case, exponential smoothing)."""
    import sacrebleu

    return round(sacrebleu.corpus_bleu(found, [right]).score, 2)


def plain(text: str) -> str:
    """A text without case and punctuation."""
    return re.sub(r"[^\w ]", "", text.casefold()).strip()


def answers(model: Seq2Seq, pieces: BPE, texts: list[str], width: int, alpha: float) -> list[str]:
    """The best translation of each text."""
    found = translate(model, pieces, texts, width=width, alpha=alpha)
    return pieces.decode([several[0].tokens for several in found])


def measure(model: Seq2Seq, pieces: BPE, most: int = 0, width: int = 4) -> dict[str, Any]:
    """The penalty chosen on the held-out valid pairs, then BLEU on the test pairs, by greedy and by beam search."""
    valid = some(translations.load("valid"), most)
    by_alpha = {
        alpha: bleu(answers(model, pieces, valid.english, width, alpha), valid.german) for alpha in (0.6, 1.0, 1.4)
    }
    alpha = max(by_alpha, key=lambda each: by_alpha[each])
    result: dict[str, Any] = {"width": width, "alpha": alpha, "valid_bleu_by_alpha": by_alpha}
    test = some(translations.load("test"), most)
    greedily, widely = (answers(model, pieces, test.english, each, alpha) for each in (1, width))
    result |= {"greedy_bleu": bleu(greedily, test.german), "beam_bleu": bleu(widely, test.german)}
    begin = 0
    for source in translations.TESTED if not most else ():
        end = begin + len(translations.load("test", source))
        result[f"beam_bleu_{source}"] = bleu(widely[begin:end], test.german[begin:end])
        begin = end
    tried = translations.everyday()[: most or None]
    said = answers(model, pieces, [english for english, _ in tried], width, alpha)
    right = sum(plain(each) in map(plain, german) for each, (_, german) in zip(said, tried, strict=True))
    result |= {"everyday": len(tried), "everyday_right": right}
    result["test_loss"] = round(held_out_loss(model, Encoded.of(pieces, test)), 4)
    return result


def export(settings: Settings, step: train.ModelStep, pieces: BPE, done: int, home: Path) -> dict[str, Any]:
    """Write weights, averaged and in half precision, and the card of what *these* weights, so rounded, are worth."""
    model = _run.keep(step, home)
    assert isinstance(model, Seq2Seq)
    about = _run.training(settings, home, done)
    if settings.begin == "shipped":
        about["before"] = json.loads(catalogue.path("translator/card.json").read_text("utf-8"))["training"]
    return _run.write_card(home, {
        "name": "English–German Transformer", "licence": LICENCE, "made_by": "recipes/translator.py",
        "data": "train pairs of english-german/*.tsv.gz (GPL-2.0-or-later, MPL-2.0 and MIT)",
        "parameters": model.parameter_count, "config": asdict(model.config),
        "training": about, "metrics": measure(model, pieces, settings.pairs),
    })  # fmt: skip


RECIPE = _run.Recipe(
    __file__, Settings, learn, export, title="English–German Transformer", licence=LICENCE,
    origin="trained on the pairs of english-german/",
)  # fmt: skip

if __name__ == "__main__":
    RECIPE.main()
