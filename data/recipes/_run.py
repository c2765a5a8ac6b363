"""What the recipes that train share: settings, a run that is gone on with, a log, the card, shipping.

A recipe is its settings (a dataclass on `Settings`), its data, its step and its measures; `Recipe` does the rest:

    python data/recipes/NAME.py --minutes 120             (train; then measure, and write the model and its card)
    python data/recipes/NAME.py --minutes 60 --resume     (go on where it stopped or was killed)
    python data/recipes/NAME.py --resume --ship           (and put the result into data/, with its hashes)
    python data/recipes/NAME.py --within 30               (a whole training that takes half an hour at the most)

The schedule is that of `--steps`, whatever `--minutes` says: minutes only end a sitting. Where the pace turns out too
slow, `--resume --steps FEWER` brings the rate down sooner; `--within` does so by itself, from the pace of the first
seconds. Everything random follows from the seed and the step's number, so a run that was killed and resumed gives the
losses of one that was not. On a GPU it runs in bf16.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import _write
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from squint import device as devices
from squint import train

BUILD = _write.DATA.parent / "build/recipes"
RANK, PROCESSES = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
FILES = {
    "weights.safetensors": "weights, fp16", "tokenizer.json": "pieces of words",
    "card.json": "what it is and how good",
}  # fmt: skip
Judge = Callable[[nn.Module], dict[str, float]]
UNJUDGED = {"step", "of", "loss", "seconds"}
PACE = 20.0
"""Seconds of training from which a recipe that is to end within some minutes learns how fast it is."""


@dataclass(frozen=True)
class Settings:
    """Everything that a result depends on; recipes add theirs.

    Attributes:
        rate: the highest learning rate; it climbs for `warmup` steps and falls along a cosine to a fiftieth.
        steps: how many there are in all.
        average: the decay of the moving average of the weights, which is what is shipped.
        seed: of everything random.
        save_seconds: from one save to the next.
        save_every: steps from one save to the next, if there are to be more saves; none by steps if 0.
        judge_every: steps from one look at what is held out to the next.
        within: minutes of training in all; as many of the steps are done as they have room for. All if 0.
    """

    rate: float = 1.5e-3
    warmup: int = 600
    steps: int = 10_000
    average: float = 0.998
    seed: int = 0
    save_seconds: float = 30.0
    save_every: int = 0
    judge_every: int = 500
    within: float = 0.0


Kind = TypeVar("Kind", bound=Settings)


class Watch:
    """Called after every step: writes the log, looks at what is held out, and ends the sitting when its time is up.

    Attributes:
        over: whether it was the watch that ended the sitting.
    """

    def __init__(self, steps: int, settings: Settings, step: train.ModelStep, judge: Judge, home: Path, ends: float):
        self.steps, self.settings, self.step, self.judge, self.log = steps, settings, step, judge, home / "log.jsonl"
        self.ends, self.over = ends, False
        self.began = time.monotonic()
        self.recent: list[Tensor] = []

    def __call__(self, number: int, loss: Tensor) -> None:
        """Step `number` (from 0) had this loss, which is read only when it is written."""
        self.recent.append(loss)
        done, last = number + 1, number + 1 == self.steps
        judged = done % self.settings.judge_every == 0 or last
        # The first step stands alone, since it prepares the device as well.
        if judged or done % 50 == 0 or done == 1:
            self.write(done, judged)
        if time.monotonic() > self.ends and not last:
            self.write(done, False)
            self.over = True
            # `fit` takes an interrupt as a wish to stop: it saves and returns.
            signal.raise_signal(signal.SIGINT)

    def write(self, done: int, judged: bool) -> None:
        """One line for people, one for the log.

        Raises:
            FloatingPointError: if the loss is no number any more.
        """
        if not self.recent:
            return
        loss = round(torch.stack(self.recent).float().mean().item(), 4)
        if not math.isfinite(loss):
            raise FloatingPointError(f"The loss is {loss} at step {done:,}: try a lower --rate.")
        entry: dict[str, float] = {"step": done, "of": self.steps, "loss": loss}
        seconds = time.monotonic() - self.began
        if judged:
            with self.step.averaged() as model:
                entry |= {name: round(value, 4) for name, value in self.judge(model).items()}
        now = time.monotonic()
        entry["seconds"] = round(now - self.began, 2)
        pace = seconds / len(self.recent)
        left = pace * (self.steps - done) / 60
        self.began, self.recent = now, []
        if RANK:
            return
        with self.log.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        held = "".join(f", {name} {value:.3f}" for name, value in entry.items() if name not in UNJUDGED)
        print(f"step {done:,} of {self.steps:,}: loss {entry['loss']:.3f}{held}, "
              f"{pace:.2f} s a step, {left:.0f} minutes left", flush=True)  # fmt: skip


def learn(
    settings: Settings,
    step: train.ModelStep,
    epoch: Callable[[int], Iterable[Any]],
    judge: Judge,
    home: Path,
    minutes: float | None = None,
    also: Callable[[int, Tensor], None] | None = None,
) -> train.History:
    """Train from the last save, if there is one, until the steps or the minutes are over; `also` watches as well."""

    def sit(steps: int, ends: float) -> tuple[train.History, bool]:
        watch = Watch(steps, settings, step, judge, home, ends)

        def after_step(number: int, loss: Tensor) -> None:
            watch(number, loss)
            if also is not None:
                also(number, loss)

        return train.fit(
            step, epoch, steps=steps, schedule=train.cosine(settings.warmup, floor=0.02), seed=settings.seed,
            label=home.name, save=home / "run.safetensors", save_every=settings.save_every or steps,
            save_seconds=settings.save_seconds, after_step=after_step,
        ), watch.over  # fmt: skip

    home.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + 60 * minutes if minutes is not None else math.inf
    while (steps := room(settings, home)) is None:
        history, over = sit(settings.steps, min(ends, time.monotonic() + PACE))
        if not over or time.monotonic() > ends:
            return history
    return sit(steps, ends)[0]


def room(settings: Settings, home: Path) -> int | None:
    """How many steps there are in all: those that `within` leaves time for, by the pace of the log's first seconds.

    None while the log is too short to tell. The log only grows, so a run that goes on finds the same number.
    """
    if not settings.within:
        return settings.steps
    spent, begin = 0.0, list[dict[str, float]]()
    for entry in logged(home):
        begin.append(entry)
        spent += entry["seconds"]
        if spent > 0.9 * PACE:
            break
    else:
        return None
    # The first step, which prepares the device as well, says little of the pace.
    last, cold = begin[-1]["step"], begin[0] if len(begin) > 1 else {"step": 0, "seconds": 0}
    pace = (spent - cold["seconds"]) / max(last - cold["step"], 1)
    return min(settings.steps, int(last + max((60 * settings.within - spent) / pace, 1)))


# The log and the card


def logged(home: Path) -> list[dict[str, float]]:
    """What was written down while it trained."""
    log = home / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def minutes_spent(home: Path) -> float:
    """How long all sittings took together."""
    return round(sum(entry["seconds"] for entry in logged(home)) / 60, 1)


def looks(home: Path) -> list[dict[str, float]]:
    """Every look at what is held out, with the seconds that all sittings had taken by then."""
    found, seconds = list[dict[str, float]](), 0.0
    for entry in logged(home):
        seconds += entry["seconds"]
        if entry.keys() - UNJUDGED:
            found.append({**entry, "seconds": round(seconds, 1)})
    return found


def plans(home: Path) -> dict[str, int]:
    """How many steps were aimed at, by the logged step after which; more than one if that was changed in resuming."""
    found: dict[str, int] = {}
    last, aim = 0, 0
    for entry in logged(home):
        if entry["of"] != aim:
            found[f"after {last}"] = aim = int(entry["of"])
        last = int(entry["step"])
    return found


def hardware() -> str:
    """The machine, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] \
        if info.exists() else []  # fmt: skip
    return f"{names[0] if names else platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def training(settings: Settings, home: Path, done: int) -> dict[str, Any]:
    """For the card: how it was trained."""
    return {
        "steps": done, "planned_steps": plans(home), "settings": asdict(settings), "minutes": minutes_spent(home),
        "hardware": hardware(), "torch": torch.__version__, "seed": settings.seed,
    }  # fmt: skip


def keep(step: train.ModelStep, home: Path) -> nn.Module:
    """Write the averaged weights in half precision; returns the model that a lab will have, with what they round to."""
    with step.averaged() as averaged:
        weights = {name: value.detach().cpu().half().contiguous() for name, value in averaged.state_dict().items()}
        model = type(averaged)(averaged.config)
    content = save(weights, {"format": "pt"})
    (home / "weights.safetensors").write_bytes(content)
    model.load_state_dict({name: value.float() for name, value in load(content).items()})
    return model.to(devices.pick()).eval()


def write_card(home: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Put the card beside the run."""
    (home / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return card


# The command line


@dataclass(frozen=True)
class Recipe(Generic[Kind]):
    """A recipe's frame.

    Attributes:
        made_by: the program.
        kind: its settings.
        learn: from settings, the run's folder and the minutes of this sitting to what `export` takes, the step first
            and the history last.
        export: writes weights and card into the run's folder, from settings, what `learn` gave but the history, the
            number of steps and the folder; returns the card.
        title: of the weights, in the catalogue.
        licence: of the weights.
        origin: what they were trained on.
        files: what is shipped: the run's files, and what each is.
        folder: of the shipped files below `data/`; the recipe's name if empty.
    """

    made_by: str
    kind: type[Kind]
    learn: Callable[..., tuple[Any, ...]]
    export: Callable[..., dict[str, Any]]
    title: str
    licence: str
    origin: str
    files: Mapping[str, str] = field(default_factory=lambda: FILES)
    folder: str = ""

    @property
    def name(self) -> str:
        """What the recipe is called."""
        return Path(self.made_by).stem

    def parse(self, arguments: list[str] | None = None) -> argparse.Namespace:
        """Options for the run, and one for every setting; a setting that is not given is None."""
        parser = argparse.ArgumentParser(description=f"Trains what data/{self.folder or self.name} holds.")
        parser.add_argument("--minutes", type=float, help="end this sitting after so many minutes")
        parser.add_argument("--resume", action="store_true", help="go on from the last save")
        parser.add_argument("--ship", action="store_true", help="put the result into data/")
        parser.add_argument("--no-export", action="store_true", help="train only; measure and write nothing")
        parser.add_argument("--home", type=Path, default=BUILD / self.name, help="where the run is kept")
        for setting in fields(self.kind):
            usual = getattr(self.kind(), setting.name)
            parser.add_argument(f"--{setting.name.replace('_', '-')}", type=type(usual), help=f"default {usual}")
        return parser.parse_args(arguments)

    def settings_of(self, options: argparse.Namespace) -> Kind:
        """Those of the run that is resumed, or new ones; steps may be changed in resuming, and nothing else.

        Raises:
            SystemExit: if there is a run and it is neither resumed nor elsewhere, or none to resume.
        """
        names = [setting.name for setting in fields(self.kind)]
        given = {name: value for name in names if (value := getattr(options, name)) is not None}
        file, run = options.home / "settings.json", options.home / "run.safetensors"
        if not options.resume:
            if run.exists():
                sys.exit(
                    f"There is a run in {options.home}: go on with --resume, or remove that folder, or name another."
                )
            # A run that was killed before its first save has left its settings and perhaps what it began from.
            for leftover in ("tokenizer.json", "clip.safetensors", "card.json", "log.jsonl"):
                (options.home / leftover).unlink(missing_ok=True)
            settings = self.kind(**given)
        elif not file.exists():
            sys.exit(f"There is no run in {options.home} to resume.")
        else:
            kept = self.kind(**json.loads(file.read_text()))
            changed = sorted(name for name, value in given.items() if value != getattr(kept, name) and name != "steps")
            if changed:
                sys.exit(f"In resuming only --steps can change, not {', '.join(changed)}.")
            settings = replace(kept, steps=given.get("steps", kept.steps))
        options.home.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(settings), indent=2) + "\n")
        return settings

    def ship(self, home: Path) -> None:
        """Put weights, vocabulary and card into the course's data, with their hashes."""
        for file, what in self.files.items():
            _write.write(f"{self.folder or self.name}/{file}", (home / file).read_bytes(), name=f"{self.title}, {what}",
                         licence=self.licence, origin=self.origin, made_by=self.made_by)  # fmt: skip

    def once(self, home: Path, *arguments: str) -> dict[str, Any]:
        """The card of a run that is trained to its end and measured, once; it is begun, gone on with, or read.

        Raises:
            SystemExit: if it was interrupted.
        """
        if not (home / "card.json").exists():
            begun = (home / "run.safetensors").exists()
            options = self.parse(["--home", str(home), *(["--resume"] if begun else arguments)])
            settings = self.settings_of(options)
            *trained, history = self.learn(settings, home)
            if history.interrupted:
                sys.exit("Stopped; what was trained is kept, and --resume goes on.")
            self.export(settings, *trained, len(history.losses), home)
        return json.loads((home / "card.json").read_text("utf-8"))

    def main(self, arguments: list[str] | None = None) -> None:
        """Train, measure, write."""
        options = self.parse(arguments)
        if PROCESSES > 1 and options.minutes is not None:
            sys.exit("Many processes would not stop at the same step: leave --minutes out, and stop them by killing.")
        devices.threads()
        settings = self.settings_of(options)
        *trained, history = self.learn(settings, options.home, options.minutes)
        if RANK or options.no_export:
            return
        card = self.export(settings, *trained, len(history.losses), options.home)
        print(json.dumps(card["metrics"], indent=2))
        if options.ship:
            self.ship(options.home)
