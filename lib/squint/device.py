"""Where the tensors live: cuda, then mps, then cpu; seeds and threads."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable

import numpy as np
import torch


def pick() -> torch.device:
    """The best device of this machine: cuda, then mps, then cpu. `SQUINT_DEVICE` overrides it."""
    # cuDNN's attention plans anew for every shape, and sentences have all lengths: on a Hopper, where torch prefers
    # it, a translator's training slowed down to a tenth. Torch's other kernels of attention take lengths as they come.
    torch.backends.cuda.enable_cudnn_sdp(False)
    wanted = os.environ.get("SQUINT_DEVICE")
    if wanted:
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def profile(device: torch.device) -> str:
    """The size of work to do: `smoke`, `cpu` or `gpu`. `SQUINT_PROFILE` overrides what the device suggests.

    Raises:
        ValueError: if `SQUINT_PROFILE` is none of the three.
    """
    wanted = os.environ.get("SQUINT_PROFILE", "cpu" if device.type == "cpu" else "gpu")
    if wanted not in ("smoke", "cpu", "gpu"):
        raise ValueError(f"SQUINT_PROFILE is {wanted!r}; set it to smoke, cpu or gpu, or unset it.")
    return wanted


def threads() -> int:
    """Set torch's threads: `SQUINT_THREADS`, or the cores this process may use, at most eight. Returns the number."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("SQUINT_THREADS") or os.environ.get("OMP_NUM_THREADS") or str(min(available, 8))
    if not (wanted.isdigit() and int(wanted) > 0):
        raise ValueError(f"the number of threads is {wanted!r}; set SQUINT_THREADS to a whole number above zero.")
    torch.set_num_threads(int(wanted))
    return int(wanted)


def seed(value: int = 0) -> None:
    """Seed Python, numpy and torch, on every device."""
    random.seed(value)
    np.random.seed(value)  # noqa: NPY002  (libraries that a learner uses still read the global state)
    # `torch.manual_seed` formats a stack trace for every accelerator that is not there: too slow for every step.
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(value)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(value)


def wait() -> None:
    """Wait until the accelerator has done all that it was asked for; on a CPU there is nothing to wait for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def seconds(work: Callable[[], object], times: int = 1, *, of_thread: bool = False) -> float:
    """How long `work()` takes, in seconds: the best of `times`. The one clock of the course.

    A GPU is handed work and does it later, so a clock that does not wait measures how fast it was handed over.
    With `of_thread`, where there is no GPU, only what this thread works is counted, so that a busy machine disturbs
    little; that is all of it if torch has one thread.
    """
    accelerated = torch.cuda.is_available() or torch.backends.mps.is_available()
    clock = time.thread_time if of_thread and not accelerated else time.perf_counter
    best = float("inf")
    for _ in range(times):
        wait()
        began = clock()
        work()
        wait()
        best = min(best, clock() - began)
    return best
