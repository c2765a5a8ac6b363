"""Fine-tunes the small GPT to lab 04b's three tasks with 32, 128 and 512 labels, again and again: a table.

Run: python data/recipes/labels.py                     (all of it, half an hour of one core)
     python data/recipes/labels.py --resume --ship     (go on where it stopped or was killed, then put it into data/)

The code is the lab's own: the cells of its source above the one that reads this table are run here, so no second copy
of its tasks or its training can go astray. What has read and what has not get the same labels, steps and test, and each
its own learning rate: that of `RATES` which is right most often on questions that are in no test.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import _run
import _write
import torch

from squint.course import source
from squint.course.build import setup_code
from squint.models.gpt import GPT

LAB, READS = _write.DATA.parent / "solutions/04b_fine_tuning.py", "measured"
STARTS, SIZES, DRAWS = ("pre-trained", "from scratch"), (32, 128, 512), 4
STEPS, LONG = {32: 30, 128: 60, 512: 120}, 240
"""Of a fine-tuning, by labels; and of the lab's first task from scratch, which needs more than the lab has time for."""
RATES, SEARCHES, HELD_BACK = (3e-4, 1e-3, 3e-3), 2, 200
"""The rates that are tried with 128 labels, how often, and on how many questions they are judged."""


def lab() -> dict[str, Any]:
    """The names of the lab's source down to the cell that reads the table."""
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(setup_code(LAB.stem, "", ""), names)
        for cell in source.read(LAB).code:
            if cell.id == READS:
                return names
            if "check" not in cell.tags and not cell.id.startswith(("fig-", "guess-")):
                exec(compile(source.solution_code(cell.text), f"{LAB.name}: {cell.id}", "exec"), names)
    raise LookupError(f"{LAB.name} has no cell `{READS}`.")


def fine_tuned(names: dict[str, Any], row: dict[str, Any], smoke: bool = False) -> float:
    """Percent right: of the test, or, while a rate is looked for, of questions to learn from that were not drawn."""
    task, draw = names["tasks"][row["task"]], row["draw"]
    search = row["kind"] == "rate"
    mixed = random.Random(99).sample(task.learn, len(task.learn))
    learn, judged = (mixed[HELD_BACK:], mixed[:HELD_BACK]) if search else (task.learn, task.test)
    torch.manual_seed(draw)
    start = names["reader"] if row["start"] == "pre-trained" else GPT(names["shape"])
    few = random.Random(draw).sample(learn, row["labels"])
    tuned = names["fine_tune"](task, few, start, 2 if smoke else row["steps"], row["rate"], seed=draw)
    some = judged[:20] if smoke else judged
    return round(names["share_right"](names["chosen"](*tuned, task.kind, some), some), 2)


def wanted(tasks: list[str], rates: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """The runs: a search for rates first, and once they are known what they are for."""
    if not rates:
        return [
            {"kind": "rate", "task": task, "start": start, "labels": 128, "steps": STEPS[128],
             "rate": rate, "draw": draw}
            for task, start, rate, draw in product(tasks, STARTS, RATES, range(100, 100 + SEARCHES))
        ]  # fmt: skip
    tests = [
        (task, start, STEPS[size], size, draw)
        for size, task, start, draw in product(SIZES, tasks[1:], STARTS, range(DRAWS))
    ] + [(tasks[0], "from scratch", LONG, size, draw) for size, draw in product(SIZES, range(DRAWS))]
    return [
        {"kind": "test", "task": task, "start": start, "labels": size, "steps": steps, "rate": rates[task][start],
         "draw": draw} for task, start, steps, size, draw in tests
    ]  # fmt: skip


def best(rows: list[dict[str, Any]], task: str, start: str) -> float:
    """The rate that was right most often."""
    mine = [row for row in rows if (row["kind"], row["task"], row["start"]) == ("rate", task, start)]
    return max(RATES, key=lambda rate: sum(row["right"] for row in mine if row["rate"] == rate))


def learn(home: Path, smoke: bool = False) -> None:
    """Fine-tune whatever is not in the table yet."""
    names, file = lab(), home / "labels.json"
    content = json.loads(file.read_text("utf-8")) if file.exists() else {
        "name": "What a small GPT learns from few labels", "licence": "MIT", "made_by": "recipes/labels.py",
        "start": "gpt_small/weights.safetensors", "unit": "percent right", "batch": names["BATCH"],
        "test": {task: len(parts.test) for task, parts in names["tasks"].items()}, "rates": {}, "rows": [],
    }  # fmt: skip
    for _ in range(2):
        for row in wanted(list(names["tasks"]), content["rates"]):
            if any(row.items() <= done.items() for done in content["rows"]):
                continue
            began = time.monotonic()
            content["rows"].append(row | {"right": fine_tuned(names, row, smoke)})
            part = home / "labels.part"
            lines = json.dumps(content, ensure_ascii=False).replace('{"kind"', '\n{"kind"')
            part.write_text(f"{lines}\n", "utf-8")
            os.replace(part, file)
            print(*content["rows"][-1].values(), f"{time.monotonic() - began:.0f} s", flush=True)
        content["rates"] = {
            task: {start: best(content["rows"], task, start) for start in STARTS} for task in names["tasks"]
        }


def main(arguments: list[str] | None = None) -> None:
    """Fine-tune, and ship."""
    parser = argparse.ArgumentParser(description="Makes the table that data/gpt_small holds.")
    parser.add_argument("--resume", action="store_true", help="keep the rows that are done, and go on")
    parser.add_argument("--ship", action="store_true", help="put the table into data/")
    parser.add_argument("--smoke", action="store_true", help="two steps a run, to see that it works")
    parser.add_argument("--home", type=Path, default=_run.BUILD / "labels", help="where the table grows")
    options = parser.parse_args(arguments)
    if (options.home / "labels.json").exists() and not options.resume:
        sys.exit(f"There is a table in {options.home}: go on with --resume, or remove that folder, or name another.")
    if options.smoke and options.ship:
        sys.exit("What a smoke run finds means nothing, and is not shipped.")
    options.home.mkdir(parents=True, exist_ok=True)
    learn(options.home, options.smoke)
    if options.ship:
        _write.write("gpt_small/labels.json", (options.home / "labels.json").read_bytes(),
                     name="What a small GPT learns from few labels", licence="MIT",
                     origin="the small GPT fine-tuned to tasks made from texts/", made_by=__file__)  # fmt: skip


if __name__ == "__main__":
    main()
