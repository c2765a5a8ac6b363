"""One training loop for every lab: `fit(step, batches, …)`.

A *step* learns from one batch and returns its loss; the loop does the rest: the schedule, the progress bar, saving,
resuming, stopping when asked. `ModelStep` is the step of a torch module with an optimiser, on Accelerate: the same
line trains on a CPU, on a GPU in bf16, or under `torchrun` on many processes. A model with an update of its own,
such as `squint.models.word2vec.SkipGram`, is a step as it stands.

Randomness is a function of the seed and the step's number, never of what ran before. So a run that was killed and
resumed sees the same random numbers as one that was not, and two processes draw the same batches as one.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from squint import device as devices

if TYPE_CHECKING:
    from accelerate import Accelerator

Batches = Iterable[Any] | Callable[[int], Iterable[Any]]
Schedule = Callable[[int, int], float]


Step = Callable[[Any, float], Tensor]
"""Learns from a batch at a share of its learning rate, and returns the loss, a scalar."""


@runtime_checkable
class Resumable(Protocol):
    """What a step needs besides, if it is to be saved: to tell its state, and to go on from one."""

    def state(self) -> dict[str, Tensor]:
        """Everything a checkpoint must hold, by name."""
        ...

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` returned."""
        ...


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read or does not fit; its message says what to do."""


# Schedules: the learning rate's factor at a step


def _warmed_up(decay: Callable[[float], float], warmup: int) -> Schedule:
    def factor(step: int, total: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return decay((step - warmup) / max(1, total - warmup))

    return factor


def constant(warmup: int = 0) -> Schedule:
    """The full rate, after `warmup` steps of a straight climb."""
    return _warmed_up(lambda done: 1.0, warmup)


def linear(warmup: int = 0, floor: float = 0.0) -> Schedule:
    """A straight climb over `warmup` steps, then a straight descent to `floor` times the rate."""
    return _warmed_up(lambda done: floor + (1 - floor) * (1 - done), warmup)


def cosine(warmup: int = 0, floor: float = 0.0) -> Schedule:
    """A straight climb over `warmup` steps, then half a cosine down to `floor` (Loshchilov and Hutter 2017)."""
    return _warmed_up(lambda done: floor + (1 - floor) * (1 + math.cos(math.pi * done)) / 2, warmup)


# The loop


@dataclass
class History:
    """What a run went through: the loss of every step, the seconds it took, and whether it was interrupted."""

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False


class Losses:
    """The losses so far, in the order of their steps. Noting one waits for nothing; reading them waits once."""

    def __init__(self, before: Iterable[float] = ()) -> None:
        self._read, self._new = torch.tensor(list(before), dtype=torch.float32), list[Tensor]()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._read) + len(self._new)

    def append(self, loss: Tensor) -> None:
        """Note a scalar, wherever it is."""
        self._new.append(loss)

    def on_the_cpu(self) -> Tensor:
        """All of them, [steps]; what the device holds of them comes over in one piece."""
        if self._new:
            self._read = torch.cat([self._read, torch.stack(self._new).float().cpu()])
            self._new.clear()
        return self._read


def fit(
    step: Step,
    batches: Batches,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    schedule: Schedule | None = None,
    seed: int = 0,
    label: str = "training",
    save: str | Path | None = None,
    save_every: int = 500,
    save_seconds: float = math.inf,
    resume: bool = True,
    after_step: Callable[[int, Tensor], None] | None = None,
) -> History:
    """Train: feed batches to `step` until `steps` or `epochs` are done, or until interrupted.

    Interrupting (the notebook's stop button, Ctrl-C) lets the step in hand finish, keeps what was trained and returns.

    Args:
        step: what learns: a `ModelStep`, or anything that is called with a batch and a factor of its learning rate
            and returns the loss.
        batches: a list or DataLoader, gone through again each epoch, or a function from the epoch's number to that
            epoch's batches. A DataLoader may shuffle; a function should depend on its argument (or on the global
            random state, which is seeded before every batch).
        steps: how many steps in all; or
        epochs: how many times through the batches, which must then have a length.
        schedule: the learning rate's factor; `constant()` if left out.
        seed: of everything random in the run.
        label: what the progress bar says.
        save: the checkpoint's file (`.safetensors`), if `step` is `Resumable`. It is replaced in one move, so that
            it is whole at any moment.
        save_every: steps from one checkpoint to the next; the last step is saved as well.
        save_seconds: seconds from one checkpoint to the next, if that is sooner.
        resume: go on from `save` if it is there.
        after_step: called with the step's number and its loss, a scalar on the device; reading it waits.

    Returns:
        The history, with the steps before a resumption among the losses.

    Raises:
        ValueError: unless one of `steps` and `epochs` is given, or if an epoch has no batches.
        TypeError: if `step` is to be saved and cannot.
        CheckpointError: if the checkpoint is damaged or of another model.
    """
    total, schedule = _total_steps(batches, steps, epochs), schedule or constant()
    path = Path(save) if save is not None else None
    if path is not None and not isinstance(step, Resumable):
        raise TypeError("fit(save=…) needs a step with the methods state() and load_state().")
    losses = Losses(_load(step, path) if path is not None and resume and path.exists() else ())
    history, started = History(), time.perf_counter()
    saved = started
    with _finishing_the_step() as stop, _bar(total, len(losses), label) as bar:
        try:
            for number, batch in _numbered(batches, seed, len(losses), total):
                loss = step(batch, schedule(number, total)).detach()
                losses.append(loss)
                if after_step is not None:
                    after_step(number, loss)
                _advance(bar, losses)
                due = len(losses) % save_every == 0 or time.perf_counter() - saved > save_seconds
                if path is not None and (stop or len(losses) == total or due):
                    _save(step, path, losses)
                    saved = time.perf_counter()
                if stop:
                    history.interrupted = True
                    break
        except KeyboardInterrupt:
            history.interrupted = True
    if history.interrupted:
        print(f"{label}: interrupted after {len(losses)} of {total} steps; what was trained is kept.")
    history.losses = losses.on_the_cpu().tolist()
    history.seconds = time.perf_counter() - started
    return history


def _total_steps(batches: Batches, steps: int | None, epochs: int | None) -> int:
    if (steps is None) == (epochs is None):
        raise ValueError("fit() takes either steps=… or epochs=….")
    if steps is not None:
        return steps
    once = batches(0) if callable(batches) else batches
    if epochs is None or not isinstance(once, Sized):
        raise ValueError("these batches have no length, so fit() cannot count in epochs: give steps=… instead.")
    return epochs * len(once)


def _numbered(batches: Batches, seed: int, first: int, total: int) -> Iterator[tuple[int, Any]]:
    """The batches of steps `first` to `total`, each drawn and then learnt from under its own seed."""
    number = epoch = 0
    nothing = object()
    while number < total:
        devices.seed(_stream(seed, "epoch", epoch))
        source, before = iter(batches(epoch) if callable(batches) else batches), number
        while number < total:
            devices.seed(_stream(seed, "batch", number))
            batch = next(source, nothing)
            if batch is nothing:
                break
            if number >= first:
                devices.seed(_stream(seed, "step", number, _rank()))
                yield number, batch
            number += 1
        if number == before:
            raise ValueError(
                f"epoch {epoch} has no batches. A generator is used up after one epoch: give fit() a list, a "
                "DataLoader or a function of the epoch's number."
            )
        epoch += 1


def _stream(*numbers: object) -> int:
    """A seed for one purpose: well mixed, so that neighbouring steps have nothing in common."""
    return zlib.crc32(repr(numbers).encode())


def _rank() -> int:
    many = torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch.distributed.get_rank() if many else 0


@contextmanager
def _finishing_the_step() -> Iterator[list[int]]:
    """Collect the first interrupt instead of raising it, so that no step is left half done; a second one raises."""
    pressed: list[int] = []

    def remember(number: int, frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.signal(signal.SIGINT, remember)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _watched() -> bool:
    """Whether somebody sees what is printed: a terminal, or a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    return sys.stdout.isatty() or hasattr(ipython and ipython.get_ipython(), "kernel")


def _bar(total: int, done: int, label: str) -> Any:
    """A progress bar with the time left; silent where nobody watches."""
    from tqdm.auto import tqdm

    hidden = not _watched() or _rank() != 0
    return tqdm(total=total, initial=done, desc=label, file=sys.stdout, leave=False, mininterval=0.3, disable=hidden)


def _advance(bar: Any, losses: Losses) -> None:
    # Reading losses waits for the device, so they are read only when the bar is about to be drawn anyway.
    if not bar.disable and time.time() - bar.last_print_t > bar.mininterval:
        recent = losses.on_the_cpu()[-50:].mean().item()
        bar.set_postfix_str(f"loss {recent:.3f}", refresh=False)
    bar.update()


# Checkpoints: one safetensors file


def _save(step: Any, path: Path, losses: Losses) -> None:
    if _rank() == 0:
        trace = {"fit.losses": losses.on_the_cpu()}
        write_checkpoint(path, {**step.state(), **trace}, {"steps": str(len(losses))})


def _load(step: Any, path: Path) -> list[float]:
    state = read_checkpoint(path)
    try:
        losses = state.pop("fit.losses").tolist()
        step.load_state(state)
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{path} does not fit this model ({str(error).splitlines()[0]}): delete it, or give fit() another file."
        ) from error
    return losses


def write_checkpoint(path: str | Path, tensors: dict[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write tensors to one safetensors file, whole or not at all: beside it first, then moved into place.

    Args:
        path: the file; its folder is made if it is missing.
        tensors: by name, of any shapes and devices.
        about: words for the file's header.

    Raises:
        OSError: if the disk is full or read-only; what stood at `path` is untouched then.
    """
    from safetensors.torch import save

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Cloned, since tied weights share memory, which the format refuses.
    data = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, about)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as part:
        try:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
            os.replace(part.name, path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file that `write_checkpoint` wrote, on the CPU.

    Raises:
        CheckpointError: if the file is missing, truncated or something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint ({error}): delete it and train again.") from error


# The step of a torch module


class ModelStep:
    """Learn by gradient descent on a module's loss, on whatever Accelerate finds: CPU, GPU in bf16, many processes.

    Under `torchrun` every process draws the same batch and learns from its own rows of it; gradients are averaged in
    proportion, so N processes give the losses of one.

    Args:
        model: the module. It is moved to the device.
        loss: called as `loss(model, batch)`; returns the mean loss over the batch's rows. It must call the model
            itself, `model(…)`, since gradients of many processes meet there.
        optimiser: of the model's parameters; their learning rates are the full ones, which the schedule scales.
        clip: the gradient's largest norm; None for no limit.
        average: keep an exponential moving average of the weights with this decay; None for none. Early on the
            decay is lower, so that the first random weights are soon forgotten.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[nn.Module, Any], Tensor],
        optimiser: torch.optim.Optimizer,
        *,
        clip: float | None = 1.0,
        average: float | None = None,
    ) -> None:
        """Hand model and optimiser to Accelerate."""
        self.accelerator = _accelerator()
        self.rates = [group["lr"] for group in optimiser.param_groups]
        self.model, self.optimiser = self.accelerator.prepare(model, optimiser)
        self.loss, self.clip, self.decay, self.updates = loss, clip, average, 0
        self.average = {name: value.detach().clone() for name, value in self.plain_state().items()} if average else {}

    def __call__(self, batch: Any, scale: float = 1.0) -> Tensor:
        """One step of the optimiser at `scale` times its learning rates; returns the loss over the whole batch."""
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * scale
        rows, weight = self.own_rows(batch)
        self.model.train()
        with self.accelerator.autocast():
            loss = self.loss(self.model, rows) * weight
        self.accelerator.backward(loss)
        if self.clip is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.update_average()
        return self.accelerator.reduce(loss.detach(), reduction="mean")

    def own_rows(self, batch: Any) -> tuple[Any, float]:
        """This process's share of the batch's rows, on its device, and what its mean loss counts."""
        from accelerate.utils import find_batch_size, send_to_device, slice_tensors

        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        size = find_batch_size(batch) if world > 1 else None
        if size is None:
            return send_to_device(batch, self.accelerator.device), 1.0
        start, end = size * rank // world, size * (rank + 1) // world
        # A process left without rows still has to take part in averaging: it takes one row that counts nothing.
        rows = slice(start, end) if end > start else slice(0, 1)
        return send_to_device(slice_tensors(batch, rows), self.accelerator.device), (end - start) * world / size

    def plain(self) -> nn.Module:
        """The module itself, without what Accelerate wraps around it."""
        return self.accelerator.unwrap_model(self.model)

    def plain_state(self) -> dict[str, Tensor]:
        """The module's weights and buffers by name."""
        return self.plain().state_dict()

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average a little towards the present weights."""
        if self.decay is None:
            return
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        state = self.plain_state()
        moving = [name for name, value in state.items() if value.is_floating_point()]
        # One call for all weights: on a GPU a small model's hundred calls take longer than its step.
        torch._foreach_lerp_([self.average[name] for name in moving], [state[name] for name in moving], 1 - decay)
        for name in state.keys() - moving:
            self.average[name].copy_(state[name])

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Inside this context the model has its averaged weights: `with step.averaged() as model: sample(model)`."""
        present = {name: value.detach().clone() for name, value in self.plain_state().items()}
        self.plain().load_state_dict(self.average or present)
        try:
            yield self.plain()
        finally:
            self.plain().load_state_dict(present)

    def state(self) -> dict[str, Tensor]:
        """Weights, average and the optimiser's memory, flat: `model.…`, `average.…`, `optimiser.<parameter>.…`."""
        slots = self.optimiser.state_dict()["state"]
        return {
            **{f"model.{name}": value for name, value in self.plain_state().items()},
            **{f"average.{name}": value for name, value in self.average.items()},
            **{
                f"optimiser.{parameter}.{name}": torch.as_tensor(value)
                for parameter, memory in slots.items()
                for name, value in memory.items()
                if value is not None
            },
            "updates": torch.tensor(self.updates),
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from `state`; the learning rates are those of now."""
        self.plain().load_state_dict(_below("model", state))
        average = _below("average", state)
        self.average = {name: average[name].to(value.device) for name, value in self.average.items()}
        memory: dict[int, dict[str, Tensor]] = {}
        for key, value in _below("optimiser", state).items():
            parameter, name = key.split(".", 1)
            memory.setdefault(int(parameter), {})[name] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": memory, "param_groups": groups})
        self.updates = int(state["updates"])


def _below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(f"{prefix}."): value for key, value in state.items() if key.startswith(f"{prefix}.")}


def _accelerator() -> Accelerator:
    from accelerate import Accelerator

    device = devices.pick()
    # bf16 on a GPU only: on a CPU one bf16 product can slow every later fp32 operation of the process.
    precision = "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "no"
    return Accelerator(cpu=device.type == "cpu", mixed_precision=precision)
