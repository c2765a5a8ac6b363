"""The training loop: schedules, saving and resuming, interrupting, many processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from fake_device import THERE, NoWaits, SecondDevice, second_device
from torch import nn

from squint import train

SCRIPT = textwrap.dedent(
    """
    import sys, time, torch
    from torch import nn
    from squint import train

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(203, 6, generator=generator)
    targets = (inputs @ torch.randn(6, 1, generator=generator)).tanh()

    def epoch(number):
        order = torch.randperm(len(inputs))
        return [(inputs[part], targets[part]) for part in order.split(20)]

    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    step = train.ModelStep(
        model,
        lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
        torch.optim.AdamW(model.parameters(), lr=1e-2),
        average=0.99,
    )
    """
)


def regression(dropout: float = 0.0) -> tuple[train.ModelStep, list[tuple[torch.Tensor, torch.Tensor]]]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(96, 6, generator=generator)
    targets = (inputs @ torch.randn(6, 1, generator=generator)).tanh()
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, 1))
    step = train.ModelStep(
        model,
        lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
        torch.optim.AdamW(model.parameters(), lr=1e-2),
        average=0.9,
    )
    return step, list(zip(inputs.split(16), targets.split(16), strict=True))


def run(script: str, *arguments: str, processes: int = 1) -> str:
    head = [sys.executable]
    if processes > 1:
        head += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    path = Path(arguments[0])
    path.write_text(SCRIPT + textwrap.dedent(script))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SQUINT_DEVICE": "cpu"}
    done = subprocess.run(
        [*head, str(path), *arguments[1:]], capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_schedules_climb_and_descend() -> None:
    for make in (train.linear, train.cosine):
        factors = [make(warmup=10, floor=0.1)(step, 100) for step in range(100)]
        assert factors[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
        assert factors[10] == pytest.approx(1.0)
        assert all(later < earlier for earlier, later in zip(factors[10:], factors[11:], strict=False))
        assert factors[-1] == pytest.approx(0.1, abs=0.02)
    assert train.cosine()(50, 100) == pytest.approx(0.5)
    assert train.constant()(99, 100) == 1.0


def test_it_learns_and_counts_in_steps_or_epochs() -> None:
    step, batches = regression()
    history = train.fit(step, batches, epochs=20, schedule=train.cosine(warmup=5))
    assert len(history.losses) == 20 * len(batches)
    assert history.losses[-1] < history.losses[0] / 10
    assert len(train.fit(step, batches, steps=7).losses) == 7


@pytest.mark.parametrize("kwargs", [{}, {"steps": 3, "epochs": 3}])
def test_steps_or_epochs_not_both(kwargs: dict[str, int]) -> None:
    step, batches = regression()
    with pytest.raises(ValueError, match="either steps"):
        train.fit(step, batches, **kwargs)


def test_a_used_up_generator_is_explained() -> None:
    step, batches = regression()
    with pytest.raises(ValueError, match="used up after one epoch"):
        train.fit(step, (batch for batch in batches), steps=100)
    with pytest.raises(ValueError, match="steps=… instead"):
        train.fit(step, (batch for batch in batches), epochs=2)


def test_the_same_seed_gives_the_same_run() -> None:
    runs = []
    for seed in (0, 0, 1):
        step, batches = regression(dropout=0.3)
        torch.rand(seed + 3)
        runs.append(train.fit(step, batches, steps=30, seed=seed).losses)
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("stop", [1, 13, 24])
def test_resuming_ends_where_an_unbroken_run_ends(tmp_path: Path, stop: int) -> None:
    """Dropout, shuffling, the optimiser's memory and the moving average all go on as if nothing had happened."""

    def shuffled(batches: list) -> torch.utils.data.DataLoader:
        rows = list(zip(torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches]), strict=True))
        return torch.utils.data.DataLoader(rows, batch_size=16, shuffle=True)

    step, batches = regression(dropout=0.3)
    whole = train.fit(step, shuffled(batches), steps=40, schedule=train.cosine())
    expected = step.state()

    first, _ = regression(dropout=0.3)
    file = tmp_path / "run.safetensors"

    def killed(number: int, loss: float) -> None:
        if number == stop + 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train.fit(
            first, shuffled(batches), steps=40, schedule=train.cosine(), save=file, save_every=stop, after_step=killed
        )
    second, _ = regression(dropout=0.3)
    resumed = train.fit(second, shuffled(batches), steps=40, schedule=train.cosine(), save=file)
    assert resumed.losses == pytest.approx(whole.losses, abs=1e-6)
    for name, value in second.state().items():
        torch.testing.assert_close(value, expected[name], msg=name)


def test_losses_on_another_device_are_read_together_and_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a resumption, with a bar: old losses come from a file, new ones from the device, in one piece each time."""
    monkeypatch.setattr(train, "_watched", lambda: True)
    weight, reads = torch.zeros(1), []

    def step(batch: torch.Tensor, scale: float) -> torch.Tensor:
        return (batch.to(THERE).mean() - scale).square()

    step.state, step.load_state = lambda: {"weight": weight}, lambda state: None
    monkeypatch.setattr(SecondDevice, "moved_here", lambda self, tensor: reads.append(tensor.numel()))
    file, batches = tmp_path / "run.safetensors", [torch.full((4,), 3.0), torch.ones(2)]
    with second_device(monkeypatch):
        train.fit(step, batches, steps=20, save=file, save_every=10)
        losses = train.fit(step, batches, steps=50, save=file, save_every=10).losses
    assert losses == pytest.approx([4.0, 0.0] * 25)
    assert sum(reads) == 50 and len(reads) <= 7


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_step_waits_for_no_number(average: float | None) -> None:
    """With SGD: AdamW reads its own count of steps, which is on the CPU everywhere."""
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))
    step = train.ModelStep(
        model,
        lambda model, batch: (model(batch[0]) - batch[1]).square().mean(),
        torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9),
        average=average,
    )
    batch = torch.randn(8, 6), torch.randn(8, 1)
    step(batch)
    with NoWaits():
        step(batch)


def test_the_average_of_all_weights_is_that_of_each() -> None:
    step, batches = regression()
    before = {name: value.clone() for name, value in step.average.items()}
    step(batches[0])
    for name, value in step.plain_state().items():
        torch.testing.assert_close(step.average[name], before[name].lerp(value, 1 - 2 / 11))


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    step, batches = regression()
    file = tmp_path / "run.safetensors"
    losses = train.fit(step, batches, steps=5, save=file).losses
    again, _ = regression()
    assert train.fit(again, batches, steps=5, save=file).losses == losses
    assert len(train.fit(again, batches, steps=5, save=file, resume=False).losses) == 5


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path: Path) -> None:
    script = """
        def slowly(number, loss):
            time.sleep(0.02)
        slowly = slowly if sys.argv[2] == "slow" else None
        print(train.fit(step, epoch, steps=120, save=sys.argv[1], save_every=3, after_step=slowly).losses[-1])
    """
    program = str(tmp_path / "program.py")
    whole = float(run(script, program, str(tmp_path / "whole.safetensors"), "fast"))
    file = tmp_path / "broken.safetensors"
    for wait in (0.3, 0.05, 0.5):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "SQUINT_DEVICE": "cpu"}
        before = file.stat().st_mtime_ns if file.exists() else 0
        process = subprocess.Popen([sys.executable, program, str(file), "slow"], env=environment)
        while not (file.exists() and file.stat().st_mtime_ns > before):
            time.sleep(0.01)
            assert process.poll() is None
        time.sleep(wait)
        process.kill()
        process.wait()
    assert float(run(script, program, str(file), "fast")) == pytest.approx(whole, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3])
def test_many_processes_give_the_loss_of_one(tmp_path: Path, processes: int) -> None:
    """203 rows in batches of 20 leave a last batch of 3: shares are uneven, and with three processes single rows."""
    script = """
        losses = train.fit(step, epoch, steps=40, schedule=train.linear(warmup=4)).losses
        if step.accelerator.is_main_process:
            print(step.accelerator.num_processes, *losses)
    """
    program = str(tmp_path / "program.py")
    world, *one = map(float, run(script, program).split())
    assert world == 1
    world, *many = map(float, run(script, program, processes=processes).split())
    assert world == processes
    assert many == pytest.approx(one, abs=1e-4)


def test_a_batch_smaller_than_the_number_of_processes_still_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    step, _ = regression()
    batch, shares = {"x": torch.arange(2.0)}, []
    for rank in range(3):
        state = type("Three", (), {"process_index": rank, "num_processes": 3, "device": torch.device("cpu")})
        monkeypatch.setattr(step, "accelerator", state)
        rows, weight = step.own_rows(batch)
        shares.append((rows["x"].tolist(), weight))
    assert sum(sum(rows) * weight for rows, weight in shares) / 3 == pytest.approx(batch["x"].mean().item())
    assert all(len(rows) == 1 for rows, _ in shares)


def test_interrupting_keeps_what_was_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step, batches = regression()
    file = tmp_path / "run.safetensors"

    def press(number: int, loss: float) -> None:
        if number == 9:
            os.kill(os.getpid(), signal.SIGINT)

    history = train.fit(step, batches, steps=50, label="regression", save=file, after_step=press)
    assert history.interrupted
    assert len(history.losses) == 10
    assert capsys.readouterr().out == "regression: interrupted after 10 of 50 steps; what was trained is kept.\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    rest = train.fit(step, batches, steps=50, save=file)
    unbroken, _ = regression()
    assert rest.losses == pytest.approx(train.fit(unbroken, batches, steps=50).losses, abs=1e-6)


def test_a_keyboard_interrupt_from_inside_a_step_is_kept_too() -> None:
    step, batches = regression()

    def impatient(batch: object, scale: float) -> torch.Tensor:
        if scale < 0.8:
            raise KeyboardInterrupt
        return step(batch, scale)

    history = train.fit(impatient, batches, steps=10, schedule=train.linear())
    assert history.interrupted
    assert len(history.losses) == 3


def test_a_step_that_cannot_be_saved_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="state\\(\\)"):
        train.fit(lambda batch, scale: batch.sum(), [torch.ones(1)], steps=1, save=tmp_path / "x.safetensors")


def test_any_step_function_will_do() -> None:
    """A step with an update of its own: a running mean needs no optimiser."""
    mean = torch.zeros(1)

    def step(batch: torch.Tensor, scale: float) -> torch.Tensor:
        error = batch.mean() - mean
        mean.add_(scale * error)
        return error.square().sum()

    train.fit(step, [torch.full((4,), 3.0)], steps=60, schedule=train.constant(warmup=5))
    assert mean.item() == pytest.approx(3.0)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "run.safetensors"
    train.write_checkpoint(file, {"x": torch.ones(3)})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        train.write_checkpoint(file, {"x": torch.zeros(3)})
    assert torch.equal(train.read_checkpoint(file)["x"], torch.ones(3))
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.safetensors"]


def test_tied_weights_can_be_saved(tmp_path: Path) -> None:
    weight = torch.ones(2, 2)
    train.write_checkpoint(tmp_path / "x.safetensors", {"a": weight, "b": weight, "c": weight.T[:1]})
    assert set(train.read_checkpoint(tmp_path / "x.safetensors")) == {"a", "b", "c"}


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "folder"])
def test_a_damaged_checkpoint_says_what_to_do(tmp_path: Path, damage: str) -> None:
    step, batches = regression()
    file = tmp_path / "run.safetensors"
    train.fit(step, batches, steps=2, save=file)
    data = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    else:
        file.write_bytes({"truncated": data[: len(data) // 2], "garbage": os.urandom(999), "empty": b""}[damage])
    with pytest.raises(train.CheckpointError, match="delete it and train again"):
        train.fit(step, batches, steps=4, save=file)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    step, batches = regression()
    file = tmp_path / "run.safetensors"
    train.fit(step, batches, steps=2, save=file)
    model = nn.Linear(6, 1)
    other = train.ModelStep(
        model, lambda m, b: (m(b[0]) - b[1]).square().mean(), torch.optim.SGD(model.parameters(), lr=0.1)
    )
    with pytest.raises(train.CheckpointError, match="does not fit this model"):
        train.fit(other, batches, steps=4, save=file)


def test_the_average_lags_and_comes_off_again() -> None:
    step, batches = regression()
    train.fit(step, batches, steps=10)
    present = [p.detach().clone() for p in step.plain().parameters()]
    with step.averaged() as model:
        inside = [p.detach().clone() for p in model.parameters()]
    assert any(not torch.equal(a, b) for a, b in zip(present, inside, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(present, step.plain().parameters(), strict=True))


def test_the_gradient_is_clipped() -> None:
    moved = []
    for clip in (None, 1e-3):
        model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(model.weight)
        step = train.ModelStep(
            model, lambda m, b: (m(b) - 100).square().mean(), torch.optim.SGD(model.parameters(), lr=1.0), clip=clip
        )
        step(torch.ones(4, 1))
        moved.append(model.weight.abs().item())
    assert moved[0] == pytest.approx(200.0)
    assert moved[1] == pytest.approx(1e-3, rel=1e-3)


def test_nothing_is_said_where_nobody_watches(capfd: pytest.CaptureFixture[str]) -> None:
    step, batches = regression()
    train.fit(step, batches, steps=5)
    out, err = capfd.readouterr()
    assert out == err == ""
