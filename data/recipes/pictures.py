"""Trains all picture models on emoji in turn: CLIP, then unCLIP's decoder, upsamplers and prior; measures them.

Run: python data/recipes/pictures.py --minutes 12            (on a GPU; the time is shared out over the four recipes)
     python data/recipes/pictures.py --resume                (go on where it stopped or was killed)
     python data/recipes/pictures.py --resume --ship         (and put the result into data/, with its hashes)
     python data/recipes/pictures.py --smoke                 (two steps of everything, on any CPU)

Each recipe does as many of its steps as its share of the minutes has room for, so that its rate falls to the end; what
one leaves goes to the others. What is finished is not trained again, and what is begun keeps its budget. Measuring
comes on top of the minutes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import _run
import clip
import decoder
import prior
import upsamplers
from pictures import evaluate, shipping

from squint import device as devices

HOME = _run.BUILD / "pictures"
SMOKE = HOME.with_name("pictures-smoke")
STAGES = {"clip": (clip.RECIPE, 165), "decoder": (decoder.RECIPE, 260), "upsamplers": (upsamplers.RECIPE, 185),
          "prior": (prior.RECIPE, 40)}  # fmt: skip
"""What is trained, in order, and how the minutes are shared out: seconds that the shipped weights took."""
TINY = ["--steps", "2", "--warmup", "1", "--batch", "16", "--most", "24"]
TINIER = {"clip": ["--twice", "4"], "prior": ["--times", "1"]}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of a run."""
    parser = argparse.ArgumentParser(description="Trains CLIP and unCLIP on emoji, and measures them.")
    parser.add_argument("--minutes", type=float, default=12.0, help="of training in all, shared out; 12 if left out")
    parser.add_argument("--resume", action="store_true", help="go on from the last save")
    parser.add_argument("--ship", action="store_true", help="put the result into data/")
    parser.add_argument("--smoke", action="store_true", help="two steps of everything, in a folder of its own")
    parser.add_argument("--judge", type=Path, help="the folder of another CLIP's run, which looks at the drawings too")
    parser.add_argument("--home", type=Path, help="where the run is kept")
    options = parser.parse_args(arguments)
    if options.smoke and (options.ship or options.resume):
        parser.error("a smoke test is nothing to ship, and nothing to go on with")
    if options.minutes <= 0:
        parser.error("the minutes must be more than 0")
    return options


def begin(options: argparse.Namespace) -> Path:
    """The run's folder.

    Raises:
        SystemExit: if there is a run and it is not resumed, or none to resume.
    """
    home = options.home or (SMOKE if options.smoke else HOME)
    if home == SMOKE:
        shutil.rmtree(home, ignore_errors=True)
    if options.resume != (home / "clip").exists():
        sys.exit(
            f"There is no run in {home} to resume." if options.resume else
            f"There is a run in {home}: go on with --resume, or remove that folder, or name another."
        )  # fmt: skip
    home.mkdir(parents=True, exist_ok=True)
    return home


def train(home: Path, minutes: float, smoke: bool) -> dict[str, Path]:
    """Every recipe that is not finished yet; returns the runs' folders."""
    folders: dict[str, Path] = {}
    for name, (recipe, share) in STAGES.items():
        left = minutes - sum(map(_run.minutes_spent, folders.values()))
        within = left * share / sum(other for each, (_, other) in STAGES.items() if each not in folders)
        folders[name] = home / name
        options = [*TINY, *TINIER.get(name, [])] if smoke else ["--within", str(max(within, 0.1))]
        if name != "clip":
            options += ["--clip", str(folders["clip"] / "clip.safetensors")]
        recipe.once(folders[name], *options)
    return folders


def measured(home: Path, folders: dict[str, Path], smoke: bool, judge: Path | None) -> dict[str, Any]:
    """The card of all, in the run's folder; it is measured once."""
    if not (home / "card.json").exists():
        found = shipping.measure(folders, home, evaluate.TINY if smoke else evaluate.Size(), judge)
        _run.write_card(home, shipping.card(folders, found, judge))
    return shipping.read(home / "card.json")


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, write."""
    options, began = parse(arguments), time.monotonic()
    home = begin(options)
    devices.threads()
    folders = train(home, options.minutes, options.smoke)
    card = measured(home, folders, options.smoke, options.judge)
    print(*card["limits"], sep="\n")
    print(f"{home}: done after {(time.monotonic() - began) / 60:.1f} minutes")
    if options.ship:
        shipping.ship(folders, card)


if __name__ == "__main__":
    main()
