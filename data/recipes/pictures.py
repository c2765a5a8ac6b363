"""Trains the course's picture models on emoji: CLIP, then unCLIP's decoder, prior and upsamplers; then measures them.

Run: python data/recipes/pictures.py --minutes 11            (on a GPU; the time is shared out over the stages)
     python data/recipes/pictures.py --resume                (go on where it stopped or was killed)
     python data/recipes/pictures.py --resume --ship         (and put the result into data/, with its hashes)
     python data/recipes/pictures.py --smoke                 (two steps of everything, on any CPU)

Each stage's rate falls with its share of the time, so a run has its minutes for good, and `--resume` keeps them. A
stage saves every half minute; what is finished is not trained again. On NVIDIA's GPUs it runs in bf16, else in float32.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import _write
from pictures import stages
from pictures.train_clip import VARIANTS

HOME = _write.DATA.parent / "build/recipes/pictures"
SMOKE = HOME.with_name("pictures-smoke")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of a run."""
    parser = argparse.ArgumentParser(description="Trains CLIP and unCLIP on emoji, and measures them.")
    parser.add_argument("--minutes", type=float, help="of training in all, shared out over the stages; 11 if left out")
    parser.add_argument("--resume", action="store_true", help="go on from the last save")
    parser.add_argument("--ship", action="store_true", help="put the result into data/")
    parser.add_argument("--smoke", action="store_true", help="two steps of everything, in a folder of its own")
    parser.add_argument("--clips", nargs="+", choices=tuple(VARIANTS), help="the best is shipped; cnn if left out")
    parser.add_argument("--home", type=Path, help="where the run is kept")
    options = parser.parse_args(arguments)
    if options.smoke and (options.ship or options.resume):
        parser.error("a smoke test is nothing to ship, and nothing to go on with")
    if options.minutes is not None and options.minutes <= 0:
        parser.error("the minutes must be more than 0")
    return options


def settings_of(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Those of the run that is resumed, or new ones.

    Raises:
        SystemExit: if there is a run and it is not resumed, or none to resume, or if resuming would change it.
    """
    file = home / "settings.json"
    given = {name: value for name in ("minutes", "clips") if (value := getattr(options, name)) is not None}
    if options.resume:
        if not file.exists():
            sys.exit(f"There is no run in {home} to resume.")
        kept = stages.read(file)
        if changed := sorted(name for name, value in given.items() if value != kept[name]):
            sys.exit(f"In resuming nothing can change, not {', '.join(changed)}.")
        return kept
    if home == SMOKE:
        shutil.rmtree(home, ignore_errors=True)
    if file.exists():
        sys.exit(f"There is a run in {home}: go on with --resume, or remove that folder, or name another.")
    home.mkdir(parents=True, exist_ok=True)
    settings = {"minutes": 11.0, "clips": ["cnn"], **given, "smoke": options.smoke}
    file.write_text(json.dumps(settings, indent=1) + "\n")
    return settings


def main(arguments: list[str] | None = None) -> None:
    """Train, measure, write."""
    options, began = parse(arguments), time.monotonic()
    home = options.home or (SMOKE if options.smoke else HOME)
    settings = settings_of(options, home)
    try:
        stages.run(home, settings)
    except KeyboardInterrupt:
        sys.exit("Stopped; what was trained is kept, and --resume goes on.")
    print(*stages.read(home / "card.json")["limits"], sep="\n")
    print(f"{home}: done after {(time.monotonic() - began) / 60:.1f} minutes")
    if options.ship and not settings["smoke"]:
        stages.ship(home)


if __name__ == "__main__":
    main()
