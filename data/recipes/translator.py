"""Trains the English–German Transformer that lab 03b translates with: six blocks each side, on 168,000 pairs.

Run: python data/recipes/translator.py --minutes 120             (train; then measure, and write the model and its card)
     python data/recipes/translator.py --minutes 60 --resume     (go on where it stopped or was killed)
     python data/recipes/translator.py --resume --ship           (and put the result into data/, with its hashes)

`--begin shipped` starts from the weights and the pieces of words in `data/` instead of from nothing: so the shipped
model learned the three older sources first, and all six then.

The schedule is that of `--steps`, whatever `--minutes` says: minutes only end a sitting. Where the pace turns out too
slow, `--resume --steps FEWER` brings the rate down sooner. Everything random follows from the seed and the step's
number, so a run that was killed and resumed gives the losses of one that was not. On a GPU it runs in bf16.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import _write
import torch
from safetensors.torch import load, save

from squint import device as devices
from squint import train
from squint.data import catalogue, translations
from squint.data.translations import Pairs
from squint.models.seq2seq import Config, Seq2Seq, translate, translation_loss
from squint.text.bpe import BPE, Ragged, bucketed

HOME = _write.DATA.parent / "build/recipes/translator"
LICENCE = "GPL-2.0-or-later"
RANK, PROCESSES = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True)
class Settings:
    """Everything that the result depends on.

    Attributes:
        vocabulary: pieces of words, for both languages.
        dim, heads, hidden, blocks, dropout: the model's shape.
        smoothing: of the labels.
        tokens: the most that a batch has on either side.
        rate: the highest learning rate; it climbs for `warmup` steps and falls along a cosine to a fiftieth.
        steps: how many there are in all.
        average: the decay of the moving average of the weights, which is what is shipped.
        seed: of everything random.
        begin: `shipped` to start from the weights in `data/`; from nothing if empty.
        written: how often an epoch has each sentence that was written by hand.
        pairs: how many pairs are learned from, and how many sentences a score is taken on; all if 0.
        save_every: steps from one save to the next.
        judge_every: steps from one look at the held-out loss to the next.
    """

    vocabulary: int = 8_000
    dim: int = 192
    heads: int = 4
    hidden: int = 768
    blocks: int = 6
    dropout: float = 0.1
    smoothing: float = 0.1
    tokens: int = 2_048
    rate: float = 1.5e-3
    warmup: int = 600
    steps: int = 10_000
    average: float = 0.998
    seed: int = 0
    begin: str = ""
    written: int = 4
    pairs: int = 0
    save_every: int = 100
    judge_every: int = 500


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


class Watch:
    """Called after every step: writes the log, looks at the held-out loss, and ends the sitting when its time is up."""

    def __init__(self, settings: Settings, step: train.ModelStep, valid: Encoded, home: Path, minutes: float | None):
        self.settings, self.step, self.valid, self.log = settings, step, valid, home / "log.jsonl"
        self.ends = time.monotonic() + 60 * minutes if minutes is not None else None
        self.began = time.monotonic()
        self.recent: list[float] = []

    def __call__(self, number: int, loss: float) -> None:
        """Step `number` (from 0) had this loss."""
        self.recent.append(loss)
        done, last = number + 1, number + 1 == self.settings.steps
        judged = done % self.settings.judge_every == 0 or last
        if judged or done % 50 == 0:
            self.write(done, judged)
        if self.ends is not None and time.monotonic() > self.ends and not last:
            self.write(done, False)
            # `fit` takes an interrupt as a wish to stop: it saves and returns.
            signal.raise_signal(signal.SIGINT)

    def write(self, done: int, judged: bool) -> None:
        """One line for people, one for the log."""
        if not self.recent:
            return
        loss = round(sum(self.recent) / len(self.recent), 4)
        entry: dict[str, float] = {"step": done, "of": self.settings.steps, "loss": loss}
        if judged:
            with self.step.averaged() as model:
                entry["valid"] = round(held_out_loss(model, self.valid), 4)  # type: ignore[arg-type]
        entry["seconds"] = round(time.monotonic() - self.began, 2)
        pace = entry["seconds"] / len(self.recent)
        left = pace * (self.settings.steps - done) / 60
        self.began, self.recent = time.monotonic(), []
        if RANK:
            return
        with self.log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        valid = f", held out {entry['valid']:.3f}" if judged else ""
        print(f"step {done:,} of {self.settings.steps:,}: loss {entry['loss']:.3f}{valid}, "
              f"{pace:.2f} s a step, {left:.0f} minutes left", flush=True)  # fmt: skip


def learn(
    settings: Settings, home: Path, minutes: float | None = None, also: Callable[[int, float], None] | None = None
) -> tuple[train.ModelStep, BPE, train.History]:
    """Train from the last save, if there is one, until the steps or the minutes are over; `also` watches as well."""
    pieces = vocabulary(settings, home)
    step = make_step(settings, pieces)
    again = [translations.load("train", "written")] * (settings.written - 1)
    pairs = Encoded.of(pieces, some(sum(again, translations.load("train")), settings.pairs))
    watch = Watch(settings, step, Encoded.of(pieces, some(translations.load("valid"), settings.pairs)), home, minutes)

    def epoch(number: int) -> Iterator[dict[str, torch.Tensor]]:
        return pairs.batches(settings.tokens, torch.Generator().manual_seed(1_000_003 * settings.seed + number))

    def after_step(number: int, loss: float) -> None:
        watch(number, loss)
        if also is not None:
            also(number, loss)

    history = train.fit(
        step, epoch, steps=settings.steps, schedule=train.cosine(settings.warmup, floor=0.02), seed=settings.seed,
        label="translator", save=home / "run.safetensors", save_every=settings.save_every, after_step=after_step,
    )  # fmt: skip
    return step, pieces, history


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


def hardware() -> str:
    """The machine, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] \
        if info.exists() else []  # fmt: skip
    return f"{names[0] if names else platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def logged(home: Path) -> list[dict[str, float]]:
    """What was written down while it trained."""
    log = home / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def minutes_spent(home: Path) -> float:
    """How long all sittings took together."""
    return round(sum(entry["seconds"] for entry in logged(home)) / 60, 1)


def plans(home: Path) -> dict[str, int]:
    """How many steps were aimed at, by the logged step after which; more than one if that was changed in resuming."""
    found: dict[str, int] = {}
    last, aim = 0, 0
    for entry in logged(home):
        if entry["of"] != aim:
            found[f"after {last}"] = aim = int(entry["of"])
        last = int(entry["step"])
    return found


def export(settings: Settings, step: train.ModelStep, pieces: BPE, done: int, home: Path) -> dict[str, Any]:
    """Write weights, averaged and in half precision, and the card of what *these* weights, so rounded, are worth."""
    with step.averaged() as averaged:
        config = averaged.config
        weights = {name: value.detach().cpu().half().contiguous() for name, value in averaged.state_dict().items()}
    content = save(weights, {"format": "pt"})
    model = Seq2Seq(config)
    model.load_state_dict({name: value.float() for name, value in load(content).items()})
    model.to(devices.pick())
    card = {
        "name": "English–German Transformer",
        "licence": LICENCE,
        "made_by": "recipes/translator.py",
        "data": "train pairs of english-german/*.tsv.gz (GPL-2.0-or-later and MPL-2.0)",
        "parameters": model.parameter_count,
        "config": asdict(config),
        "training": {
            "steps": done,
            "planned_steps": plans(home),
            "settings": asdict(settings),
            "minutes": minutes_spent(home),
            "hardware": hardware(),
            "torch": torch.__version__,
            "seed": settings.seed,
        },
        "metrics": measure(model, pieces, settings.pairs),
    }
    (home / "weights.safetensors").write_bytes(content)
    (home / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return card


def ship(home: Path) -> None:
    """Put weights, vocabulary and card into the course's data, with their hashes."""
    words = {
        "weights.safetensors": "English–German Transformer, weights, fp16",
        "tokenizer.json": "English–German Transformer, pieces of words",
        "card.json": "English–German Transformer, what it is and how good",
    }
    for file, name in words.items():
        _write.write(f"translator/{file}", (home / file).read_bytes(), name=name, licence=LICENCE,
                     origin="trained on the pairs of english-german/", made_by=__file__)  # fmt: skip


# The command line


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options for the run, and one for every setting; a setting that is not given is None."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, help="end this sitting after so many minutes")
    parser.add_argument("--resume", action="store_true", help="go on from the last save")
    parser.add_argument("--ship", action="store_true", help="put the result into data/")
    parser.add_argument("--no-export", action="store_true", help="train only; measure and write nothing")
    parser.add_argument("--home", type=Path, default=HOME, help="where the run is kept")
    for field in fields(Settings):
        kind = type(getattr(Settings(), field.name))
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, help=f"default {getattr(Settings(), field.name)}"
        )
    return parser.parse_args(arguments)


def settings_of(options: argparse.Namespace) -> Settings:
    """Those of the run that is resumed, or new ones; steps may be changed in resuming, and nothing else.

    Raises:
        SystemExit: if there is a run and it is neither resumed nor elsewhere, or none to resume.
    """
    given = {field.name: value for field in fields(Settings) if (value := getattr(options, field.name)) is not None}
    file, run = options.home / "settings.json", options.home / "run.safetensors"
    if not options.resume:
        if run.exists():
            sys.exit(f"There is a run in {options.home}: go on with --resume, or remove that folder, or name another.")
        # A run that was killed before its first save has left its settings and perhaps its vocabulary.
        for leftover in ("tokenizer.json", "log.jsonl"):
            (options.home / leftover).unlink(missing_ok=True)
        settings = Settings(**given)
    elif not file.exists():
        sys.exit(f"There is no run in {options.home} to resume.")
    else:
        kept = Settings(**json.loads(file.read_text()))
        changed = sorted(name for name, value in given.items() if value != getattr(kept, name) and name != "steps")
        if changed:
            sys.exit(f"In resuming only --steps can change, not {', '.join(changed)}.")
        settings = replace(kept, steps=given.get("steps", kept.steps))
    options.home.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(settings), indent=2) + "\n")
    return settings


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, write."""
    options = parse(arguments)
    if PROCESSES > 1 and options.minutes is not None:
        sys.exit("Many processes would not stop at the same step: leave --minutes out, and stop them by killing them.")
    devices.threads()
    settings = settings_of(options)
    step, pieces, history = learn(settings, options.home, options.minutes)
    if RANK or options.no_export:
        return
    card = export(settings, step, pieces, len(history.losses), options.home)
    print(json.dumps(card["metrics"], indent=2))
    if options.ship:
        ship(options.home)


if __name__ == "__main__":
    main()
