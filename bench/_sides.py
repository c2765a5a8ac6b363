"""What comparisons share: sides that take turns, the ratio asked for, and the memory of a process of its own."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch


def in_turn(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Wall seconds of every side in every round; one round before them only warms up."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds + 1):
        for side, work in sides.items():
            start = time.perf_counter()
            work()
            times[side].append(time.perf_counter() - start)
    return {side: several[1:] for side, several in times.items()}


def ratio(times: Mapping[str, list[float]], ours: str, theirs: str) -> float:
    """How many times as fast ours is: the median over the rounds, so that a busy moment slows both sides of a round."""
    return statistics.median(b / a for a, b in zip(times[ours], times[theirs], strict=True))


def status(name: str) -> int:
    """A line of what Linux says of this process, in KiB; 0 elsewhere. `VmHWM` is the most memory it has had."""
    file = Path("/proc/self/status")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def peak_of(work: Callable[[], object]) -> float:
    """Megabytes that `work` needs at most, over what the process has before."""
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")  # the most so far is now what there is
    before = status("VmRSS")
    work()
    return (status("VmHWM") - before) / 1024


def peak_memory(script: str, *options: str) -> float:
    """What a script prints last when it is asked for the memory of one side, in a process of its own."""
    command = [sys.executable, script, "--memory-of", *options]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def verdict(found: float, wanted: float) -> str:
    """The ratio beside what is asked for."""
    return f"{found:.2f}× as fast, asked for {wanted:.1f}× {'✓' if found >= wanted else '✗'}"


def heading(says: str) -> None:
    """What is compared, and what stands in the columns of `line`."""
    print(f"{says}, torch {torch.__version__}")
    print(f"{'':>25} {'squint':>8} {'transformers':>14} {'peak memory over the model, MB':>33}")


def line(
    script: str, case: str, sides: Mapping[str, Callable[[], object]], rounds: int, units: int, wanted: float
) -> bool:
    """Prints a case's units a second and memory on both sides, ours first; returns whether it is as fast as asked."""
    times = in_turn(sides, rounds)
    speed = [units / statistics.median(times[side]) for side in sides]
    memory = [peak_memory(script, side, case) for side in sides]
    found = ratio(times, *sides)
    print(f"{case:>25} {speed[0]:>8.1f} {speed[1]:>14.1f} {memory[0]:>25.1f} | {memory[1]:.1f}   "
          f"{verdict(found, wanted)}", flush=True)  # fmt: skip
    return found >= wanted
