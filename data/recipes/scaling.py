"""Trains the table of lab 06: GPTs of many sizes on bytes of the four texts, each on several amounts of them.

Run: python data/recipes/scaling.py                     (all of it, some 45 minutes of one core; or a GPU)
     python data/recipes/scaling.py --minutes 20        (what there is time for, the cheapest first)
     python data/recipes/scaling.py --resume --ship     (go on where it stopped or was killed, then put it into data/)

A run is kept as one row when it is done; one that was killed begins anew. Every byte is seen once at most, all runs of
a seed see the same ones in the same order, and what is held out (ends of books, `squint.data.books`) is read in the
same 4,096 stretches by all. Bytes, so that embeddings are few; 64 of them at once, since with 256 the small ones learn
for long nothing but pairs of letters.

The learning rate is a · width^−p. A sweep finds a and p first: three widths, four rates each. It does not depend on the
amount of data: a longer run wants a lower rate, a larger batch a higher one; rows of kind "check" have half and twice
the rule's rate.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import _run
import _write
import torch
from gpt import groups
from torch import Tensor, nn

from squint import device as devices
from squint import train
from squint.data import books
from squint.models.gpt import GPT, Config

CONTEXT, VOCABULARY, HELD_OUT = 64, 256, 4_096
START, POWER = 0.0075, 0.75
"""Where the sweep looks: rates about START · (width / 32)^−POWER."""


@dataclass(frozen=True)
class Grid:
    """What is trained.

    Attributes:
        sizes: width, blocks and heads.
        budgets: bytes.
        long: a budget of small models only, those of at most 100,000 parameters.
        swept: the places in `sizes` of the three for which the best rate is looked for.
    """

    sizes: tuple[tuple[int, int, int], ...]
    budgets: tuple[int, ...]
    long: int
    swept: tuple[int, int, int]


GRIDS = {
    "smoke": Grid(((16, 1, 2), (24, 1, 2), (32, 1, 2)), (4_000, 8_000), 16_000, (0, 1, 2)),
    "cpu": Grid(
        ((16, 1, 2), (24, 1, 3), (24, 2, 3), (32, 3, 2), (48, 3, 3), (64, 4, 4), (96, 4, 6), (128, 5, 8)),
        (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000), 8_000_000, (2, 4, 6),
    ),
    "gpu": Grid(
        ((32, 3, 2), (48, 4, 3), (80, 4, 5), (128, 4, 4), (192, 5, 6), (256, 6, 8), (320, 8, 10)),
        (1_000_000, 2_000_000, 4_000_000, 8_000_000), 16_000_000, (0, 3, 5),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One model on one budget: what a row begins with, and all that it depends on."""

    kind: str
    width: int
    blocks: int
    heads: int
    budget: int
    rate: float
    seed: int = 0

    @property
    def batch(self) -> int:
        """Sequences a step: the fewer, the less there is to learn from, since small models want steps."""
        return max(1, round(24 * math.sqrt(self.budget / 4e6)))

    @property
    def steps(self) -> int:
        """How many."""
        return max(2, round(self.budget / (self.batch * CONTEXT)))

    def flops(self, parameters: int) -> float:
        """6 a parameter and byte, the layer of scores among them; and of attention the half that is not masked."""
        scores, attention = VOCABULARY * self.width, self.blocks * self.width * CONTEXT
        return 6.0 * (parameters + scores + attention) * self.steps * self.batch * CONTEXT

    def model(self) -> GPT:
        """Untrained."""
        devices.seed(1_000 * self.seed + self.width)
        return GPT(Config(VOCABULARY, self.width, self.heads, 4 * self.width, self.blocks, dropout=0.0, tokens=CONTEXT))


def text(part: str) -> Tensor:
    """All bytes of a part of the four sources, `train` or `ends`."""
    joined = "".join(each for name in books.NAMES for each in getattr(books.source(name), part))
    return torch.frombuffer(bytearray(joined.encode()), dtype=torch.uint8)


def stretches(data: Tensor, starts: Tensor) -> Tensor:
    """[rows, CONTEXT + 1]: what is read, and one byte more."""
    return data[starts[:, None] + torch.arange(CONTEXT + 1)].long()


@torch.inference_mode()
def judge(model: GPT, data: Tensor) -> float:
    """Nats a byte on what is held out."""
    starts = torch.linspace(0, len(data) - CONTEXT - 1, HELD_OUT).long()
    place = next(model.parameters()).device
    parts = stretches(data, starts).to(place).split(256)
    return sum(float(model.eval().loss(part)) * len(part) for part in parts) / HELD_OUT


def row_of(run: Run, data: dict[str, Tensor], ends: float | None) -> dict[str, Any] | None:
    """Train and judge; None if it was interrupted, or if the time (of `time.monotonic`) is up."""
    model = run.model()
    optimiser = torch.optim.AdamW(groups(model, 0.1), lr=run.rate, betas=(0.9, 0.95), fused=True)

    def loss(model: nn.Module, rows: Tensor) -> Tensor:
        return nn.functional.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

    step = train.ModelStep(model, loss, optimiser)
    starts = torch.arange(0, len(data["train"]) - CONTEXT - 1, CONTEXT)
    order = starts[torch.randperm(len(starts), generator=torch.Generator().manual_seed(run.seed))]
    if run.steps * run.batch > len(order):
        raise ValueError(f"{run.budget:,} bytes are more than one epoch.")

    def epoch(number: int) -> Iterator[Tensor]:
        yield from (stretches(data["train"], rows) for rows in order[: run.steps * run.batch].split(run.batch))

    def in_time(number: int, loss: Tensor) -> None:
        if ends is not None and time.monotonic() > ends:
            raise KeyboardInterrupt

    histories: list[train.History] = []
    schedule = train.cosine(warmup=max(1, run.steps // 20), floor=0.1)
    seconds = devices.seconds(lambda: histories.append(
        train.fit(step, epoch, steps=run.steps, schedule=schedule, seed=run.seed, after_step=in_time, label=run.kind)
    ), of_thread=True)  # fmt: skip
    if histories[0].interrupted:
        return None
    parameters = sum(each.numel() for each in model.blocks.parameters())
    return asdict(run) | {
        "parameters": parameters, "all_parameters": model.parameter_count, "bytes": run.steps * run.batch * CONTEXT,
        "steps": run.steps, "batch": run.batch, "flops": run.flops(parameters),
        "loss": round(judge(step.plain(), data["ends"]), 5), "seconds": round(seconds, 1), "hardware": _run.hardware(),
    }  # fmt: skip


def sweep(grid: Grid) -> list[Run]:
    """Four rates for each of three widths, on the second budget."""
    return [
        Run("sweep", *grid.sizes[place], grid.budgets[1], START * (grid.sizes[place][0] / 32) ** -POWER * 2.0**k)
        for place in grid.swept for k in (-1, 0, 1, 2)
    ]  # fmt: skip


def rule(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Where the loss is least: one parabola for all widths, in logarithms, whose low point moves along a line.

    It goes through the best rate of each width and its two neighbours. One bend for all: a width whose losses are
    nearly the same at every rate then says little about where the low point lies.
    """
    near, widths = [], sorted({row["width"] for row in rows})
    for width in widths:
        own = sorted((row for row in rows if row["width"] == width), key=lambda row: row["rate"])
        best = min(own, key=lambda row: row["loss"])
        first = min(max(own.index(best) - 1, 0), len(own) - 3)
        near += own[first : first + 3]
    wide, rate = (torch.tensor([row[name] for row in near]).double().log2() for name in ("width", "rate"))
    height = torch.tensor([[row["width"] == width for width in widths] for row in near]).double()
    columns = torch.cat([height, torch.stack([rate.square(), rate, rate * (wide - 5)], dim=1)], dim=1)
    losses = torch.tensor([[row["loss"]] for row in near]).double()
    bend, slope, moves = torch.linalg.lstsq(columns, losses).solution[-3:, 0].tolist()
    return {"at_32": 2 ** (-slope / (2 * bend)), "power": moves / (2 * bend)}


def runs(grid: Grid, found: dict[str, float]) -> list[Run]:
    """The grid, a second seed of its smaller half and the checks of the rate, the cheapest first."""
    made = []
    for place, (width, blocks, heads) in enumerate(grid.sizes):
        rate = found["at_32"] * (width / 32) ** -found["power"]
        small = 12 * blocks * width**2 <= 100_000
        made += [Run("grid", width, blocks, heads, budget, rate) for budget in grid.budgets]
        made += [Run("grid", width, blocks, heads, grid.long, rate)] if small else []
        if place < len(grid.sizes) // 2:
            made += [Run("seed", width, blocks, heads, budget, rate, seed=1) for budget in grid.budgets[:3]]
        if place == grid.swept[1]:
            made += [Run("check", width, blocks, heads, grid.budgets[-2], factor * rate) for factor in (0.5, 2.0)]
    return sorted(made, key=lambda run: run.flops(12 * run.blocks * run.width**2))


def write(home: Path, content: dict[str, Any]) -> None:
    """The table, in one move."""
    part = home / "table.part"
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    os.replace(part, home / "table.json")


def learn(grid: Grid, home: Path, minutes: float | None = None) -> bool:
    """Train whatever is not in the table yet; returns whether all is."""
    file, data = home / "table.json", {part: text(part) for part in ("train", "ends")}
    content = json.loads(file.read_text("utf-8")) if file.exists() else {
        "name": "GPTs of many sizes on many amounts of text", "licence": "MIT", "made_by": "recipes/scaling.py",
        "data": f"bytes of the four texts, {len(data['train']):,}; held out, their ends, in {HELD_OUT:,} stretches",
        "context": CONTEXT, "unit": "nats a byte", "torch": torch.__version__, "rule": {}, "rows": [],
    }  # fmt: skip
    ends = time.monotonic() + 60 * minutes if minutes is not None else None

    def done(wanted: list[Run]) -> bool:
        for number, run in enumerate(wanted):
            if any(asdict(run).items() <= row.items() for row in content["rows"]):
                continue
            row = row_of(run, data, ends)
            if row is None:
                return False
            content["rows"].append(row)
            write(home, content)
            print(f"{number + 1} of {len(wanted)}, {run.kind}: {run.width} wide, {run.blocks} blocks, "
                  f"{row['parameters']:,} parameters, {row['bytes']:,} bytes, rate {run.rate:.5f}: "
                  f"{row['loss']:.4f} nats a byte, {row['seconds']:.0f} s", flush=True)  # fmt: skip
        return True

    if not content["rule"]:
        if not done(sweep(grid)):
            return False
        content["rule"] = rule([row for row in content["rows"] if row["kind"] == "sweep"])
        write(home, content)
    return done(runs(grid, content["rule"]))


def main(arguments: list[str] | None = None) -> None:
    """Train, and ship."""
    parser = argparse.ArgumentParser(description="Trains the table that data/scaling holds.")
    parser.add_argument("--minutes", type=float, help="end this sitting after so many minutes")
    parser.add_argument("--resume", action="store_true", help="keep the rows that are done, and go on")
    parser.add_argument("--ship", action="store_true", help="put the table into data/, all rows that there are")
    parser.add_argument("--grid", choices=GRIDS, default=devices.profile(devices.pick()), help="default %(default)s")
    parser.add_argument("--home", type=Path, default=_run.BUILD / "scaling", help="where the table grows")
    options = parser.parse_args(arguments)
    if (options.home / "table.json").exists() and not options.resume:
        sys.exit(f"There is a table in {options.home}: go on with --resume, or remove that folder, or name another.")
    options.home.mkdir(parents=True, exist_ok=True)
    devices.threads()
    print("all done" if learn(GRIDS[options.grid], options.home, options.minutes) else "not all is done: --resume")
    if options.ship:
        _write.write("scaling/table.json", (options.home / "table.json").read_bytes(),
                     name="Losses of GPTs of many sizes on many amounts of text", licence="MIT",
                     origin="trained on the texts of texts/", made_by=__file__)  # fmt: skip


if __name__ == "__main__":
    main()
