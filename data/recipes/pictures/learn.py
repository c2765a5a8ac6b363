"""Training by the clock: a budget in seconds, an average of the weights, a look now and then, a save now and then."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from squint import device as devices
from squint import train


def pick() -> torch.device:
    """The best device; sets what makes it fast."""
    place = devices.pick()
    devices.threads()
    if place.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")
    return place


def hardware(place: torch.device) -> str:
    """The machine, in words."""
    return torch.cuda.get_device_name() if place.type == "cuda" else f"{place.type}, {torch.get_num_threads()} threads"


def in_bf16(place: torch.device) -> torch.autocast:
    """Half precision on a GPU of NVIDIA's, and only there."""
    return torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cuda")


def precise(x: Tensor) -> Tensor:
    """In double precision, which Apple's GPUs do not have."""
    return (x.cpu() if x.device.type == "mps" else x).double()


class Average:
    """A copy of a model whose weights follow the model's slowly."""

    def __init__(self, model: nn.Module, decay: float):
        self.decay, self.updates = decay, 0
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        pairs = list(zip(tensors(self.model), tensors(model), strict=True))
        self.moving = [pair for pair in pairs if pair[0].is_floating_point()]
        self.others = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Move a little; at first more, so that the random first weights are soon forgotten."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        mine, theirs = zip(*self.moving, strict=True)
        torch._foreach_lerp_(mine, [each.detach() for each in theirs], 1 - decay)
        for counter, original in self.others:
            counter.copy_(original)


def tensors(model: nn.Module) -> list[Tensor]:
    """Weights and buffers, themselves and no copies."""
    return list(model.state_dict(keep_vars=True).values())


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        seconds: the budget.
        batch: pictures a step.
        rate: the highest learning rate; it climbs over `warmup`, a share of the budget, and falls along a cosine to
            `floor`, a share of the rate.
        decay: of the weights.
        beta2: of AdamW.
        average: decay of the moving average.
        look_every, save_every: in seconds.
        steps: the most; for smoke tests.
        seed: of everything random.
    """

    seconds: float
    batch: int
    rate: float = 1e-3
    warmup: float = 0.03
    floor: float = 0.02
    decay: float = 0.05
    beta2: float = 0.98
    average: float = 0.999
    look_every: float = 12.0
    save_every: float = 30.0
    steps: int | None = None
    seed: int = 0

    def factor(self, done: float) -> float:
        """The learning rate's factor when that share of the budget is gone."""
        if done < self.warmup:
            return max(done / self.warmup, 1e-3)
        fall = (done - self.warmup) / (1 - self.warmup)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * min(fall, 1.0))) / 2


@dataclass
class Record:
    """What a run went through; `seconds` are those of training, without looks and saves."""

    steps: int = 0
    seconds: float = 0.0
    memory: float = 0.0
    losses: list[tuple[int, float]] = field(default_factory=list)
    looks: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)

    def card(self, batch: int) -> dict[str, Any]:
        """For the model's card."""
        return {
            "steps": self.steps, "seconds": round(self.seconds, 1), "images_seen": self.steps * batch,
            "steps_per_second": round(self.steps / max(self.seconds, 1e-9), 1),
            "memory_gib": round(self.memory, 2), "losses": self.losses, "looks": self.looks, "best": self.best,
        }  # fmt: skip


def optimiser(model: nn.Module, plan: Plan) -> torch.optim.AdamW:
    """AdamW that lets norms, biases and lone vectors be."""
    parameters = [each for each in model.parameters() if each.requires_grad]
    groups = [
        {"params": [each for each in parameters if each.ndim >= 2], "weight_decay": plan.decay},
        {"params": [each for each in parameters if each.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, plan.beta2), fused=parameters[0].is_cuda)


class Training:
    """A model on its way.

    Args:
        model: on its device.
        loss: draws a batch and returns the model's loss on it.
        plan: how long and how fast.
        label: for the log.
        look: measures the averaged model.
        metric: which of the look's numbers is to be high; the last weights are kept if there is none.
        file: where the run is saved, to be gone on with.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[], Tensor],
        plan: Plan,
        *,
        label: str,
        look: Callable[[nn.Module], dict[str, float]],
        metric: str | None = None,
        file: Path,
    ):
        self.model, self.loss, self.plan = model, loss, plan
        self.label, self.look, self.metric, self.file = label, look, metric, file
        self.place = next(model.parameters()).device
        self.average, self.adam, self.record = Average(model, plan.average), optimiser(model, plan), Record()
        self.best: dict[str, Tensor] = {}
        self.recent: list[Tensor] = []

    def run(self) -> tuple[nn.Module, Record]:
        """Train until the time is up; an interrupt saves and goes up.

        Returns:
            The averaged model, at its best or at the end, and the record.
        """
        devices.seed(self.plan.seed)
        if self.file.exists():
            self.load()
            devices.seed(self.plan.seed + self.record.steps)  # other pictures than those of the first steps
        try:
            self.until_the_end()
        except KeyboardInterrupt:
            self.save()
            raise
        self.tell()
        self.measure()
        if self.metric is not None:
            self.average.model.load_state_dict(self.best)
        if self.place.type == "cuda":
            self.record.memory = torch.cuda.max_memory_allocated() / 2**30
        print(f"[{self.label}] done: {self.record.steps:,} steps in {self.record.seconds:.0f} s", flush=True)
        return self.average.model, self.record

    def until_the_end(self) -> None:
        """Step after step; between them now and then a line, a look, a save, none of which costs training time."""
        told = looked = saved = self.record.seconds
        while (done := self.done()) < 1:
            began = time.monotonic()
            self.step(self.plan.factor(done))
            self.record.seconds += time.monotonic() - began
            now = self.record.seconds
            if self.record.steps == 1 or now - told > 5:
                self.tell()
                told = self.record.seconds
            if now - looked > self.plan.look_every:
                self.measure()
                looked = now
            if now - saved > self.plan.save_every:
                self.save()
                saved = now

    def done(self) -> float:
        """The share of the budget that is gone."""
        by_steps = self.record.steps / self.plan.steps if self.plan.steps is not None else 0.0
        return max(self.record.seconds / self.plan.seconds, by_steps)

    def step(self, factor: float) -> None:
        """One step of the optimiser, at a share of the highest rate."""
        for group in self.adam.param_groups:
            group["lr"] = self.plan.rate * factor
        with in_bf16(self.place):
            loss = self.loss()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0, foreach=True)
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        self.average.update()
        self.record.steps += 1
        self.recent.append(loss.detach())

    def tell(self) -> None:
        """The mean loss since it was last told: a line, and an entry of the record.

        Raises:
            FloatingPointError: if the loss is no number any more.
        """
        if not self.recent:
            return
        began = time.monotonic()
        record, value = self.record, torch.stack(self.recent).mean().item()
        record.seconds += time.monotonic() - began  # reading a loss waits for the device, which is training meanwhile
        if not math.isfinite(value):
            raise FloatingPointError(f"{self.label}: the loss is {value} at step {record.steps}")
        record.losses.append((record.steps, round(value, 4)))
        pace = record.steps / max(record.seconds, 1e-9)
        print(f"[{self.label}] {record.seconds:5.0f} s  step {record.steps:,}  loss {value:.4f}  "
              f"{pace:.1f} steps/s  {pace * self.plan.batch:,.0f} pictures/s", flush=True)  # fmt: skip
        self.recent = []

    def measure(self) -> None:
        """Look at the averaged model; keep it if it is better than ever."""
        found = {name: round(float(value), 4) for name, value in self.look(self.average.model).items()}
        record = self.record
        record.looks.append({"step": record.steps, "seconds": round(record.seconds, 1), **found})
        print(f"[{self.label}] {record.seconds:5.0f} s  step {record.steps:,}  {found}", flush=True)
        if self.metric is not None and found[self.metric] >= record.best.get(self.metric, -math.inf):
            record.best = record.looks[-1]
            self.best = {name: value.clone() for name, value in self.average.model.state_dict().items()}

    def save(self) -> None:
        """All there is to go on from, in two files: tensors, and the record."""
        memory = self.adam.state_dict()["state"]
        state = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        state |= {f"average.{name}": value for name, value in self.average.model.state_dict().items()}
        state |= {f"best.{name}": value for name, value in self.best.items()}
        state |= {f"adam.{i}.{name}": value for i, slots in memory.items() for name, value in slots.items()}
        train.write_checkpoint(self.file, state, {"record": as_words(self.record)})

    def load(self) -> None:
        """Go on from what was saved."""
        state = train.read_checkpoint(self.file)
        self.model.load_state_dict(below("model.", state))
        self.average.model.load_state_dict(below("average.", state))
        self.best = {name: value.to(self.place) for name, value in below("best.", state).items()}
        memory: dict[int, dict[str, Tensor]] = {}
        for key, value in below("adam.", state).items():
            parameter, name = key.split(".", 1)
            memory.setdefault(int(parameter), {})[name] = value
        self.adam.load_state_dict({"state": memory, "param_groups": self.adam.state_dict()["param_groups"]})
        self.record = record_of(self.file)
        self.average.updates = self.record.steps
        print(f"[{self.label}] goes on after {self.record.seconds:.0f} s, step {self.record.steps:,}", flush=True)


def as_words(record: Record) -> str:
    """A record as words for a file's header."""
    return json.dumps(asdict(record))


def record_of(file: Path) -> Record:
    """The record in the header of a saved run."""
    with safe_open(file, "pt") as opened:
        kept = json.loads(opened.metadata()["record"])
    return Record(**{**kept, "losses": [(step, loss) for step, loss in kept["losses"]]})


def below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, without it."""
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


# Files


def halved(model: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """Weights in half precision; the running means and variances of batch norms, which are few, as they are."""
    return {
        prefix + name: value if "running" in name or not value.is_floating_point() else value.half()
        for name, value in model.state_dict().items()
        if "num_batches" not in name
    }


def count(model: nn.Module) -> int:
    """How many numbers were learned."""
    return sum(each.numel() for each in model.parameters())
