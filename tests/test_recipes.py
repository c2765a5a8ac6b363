"""Recipes that train: budgets and saves for all; the picture recipes, one by one and in their chain."""

import importlib.util
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fake_device import THERE, NoWaits, second_device
from torch import nn

from squint import train
from squint.course import recipe as kitchen
from squint.course.project import Project
from squint.data import album, catalogue
from squint.models import clip as clips
from squint.models import unclip

RECIPES = catalogue.CHECKOUT / "data/recipes"
sys.path.insert(0, str(RECIPES))

import _run  # noqa: E402
import clip  # noqa: E402
import decoder  # noqa: E402
import prior  # noqa: E402
import stamps  # noqa: E402
import upsamplers  # noqa: E402
from pictures import shipping  # noqa: E402

PARTS = {"clip": clip, "decoder": decoder, "upsamplers": upsamplers, "prior": prior}
TINY = {"steps": 5, "warmup": 2, "batch": 6, "most": 6, "save_every": 2, "judge_every": 3}
MORE: dict[str, dict] = {"clip": {"twice": 2}, "prior": {"times": 2}}


def read(file: Path) -> dict:
    return json.loads(file.read_text("utf-8"))


def settings_of(name: str, **changes) -> _run.Settings:
    return PARTS[name].Settings(**TINY, **MORE.get(name, {}), **changes)


# All recipes: a toy one


@dataclass(frozen=True)
class Settings(_run.Settings):
    warmup: int = 2
    steps: int = 100_000
    judge_every: int = 1_000_000
    pause: float = 0.002
    broken: int = 0


def learn(settings: Settings, home: Path, minutes: float | None = None, also=None) -> tuple:
    torch.manual_seed(settings.seed)
    model = nn.Linear(4, 8)
    rates: list[float] = []

    def loss(model: nn.Module, nothing: None) -> torch.Tensor:
        time.sleep(settings.pause)
        return (model(torch.randn(6, 4)) - 1).square().mean() * (float("nan") if settings.broken else 1)

    step = train.ModelStep(model, loss, torch.optim.AdamW(model.parameters(), lr=settings.rate), average=0.9)

    def watch(number: int, loss: torch.Tensor) -> None:
        rates.append(step.optimiser.param_groups[0]["lr"] / settings.rate)
        if also is not None:
            also(number, loss)

    judge = lambda model: {"held": 1.0}  # noqa: E731
    history = _run.learn(settings, step, lambda epoch: iter([None] * 7), judge, home, minutes, watch)
    return step, rates, history


def export(settings: Settings, step: train.ModelStep, rates: list[float], done: int, home: Path) -> dict:
    return _run.write_card(home, {"metrics": {"done": done}, "training": _run.training(settings, home, done)})


TOY = _run.Recipe("toy.py", Settings, learn, export, title="A toy", licence="MIT", origin="nothing")


def test_a_budget_of_minutes_gives_a_whole_schedule_that_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(_run, "PACE", 0.5)
    settings = Settings(within=2 / 60, pause=0.01)
    _, rates, history = learn(settings, tmp_path)
    steps, took = len(history.losses), sum(entry["seconds"] for entry in _run.logged(tmp_path))
    assert 1 < took < 4 and 40 < steps < 210 and not history.interrupted
    assert rates[-1] == pytest.approx(0.02, abs=0.01) and max(rates) == pytest.approx(1, abs=0.01)
    assert steps == _run.room(settings, tmp_path) == list(_run.plans(tmp_path).values())[-1]
    assert _run.plans(tmp_path)["after 0"] == 100_000
    assert _run.looks(tmp_path)[-1]["step"] == steps and _run.looks(tmp_path)[-1]["held"] == 1
    again = learn(settings, tmp_path)[2]
    assert again.losses == pytest.approx(history.losses)


def test_a_run_that_ends_within_its_budget_does_no_more_than_its_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(_run, "PACE", 0.1)
    assert len(learn(Settings(within=60, steps=200), tmp_path)[2].losses) == 200


def test_a_budget_survives_a_kill_and_a_short_sitting(tmp_path, monkeypatch):
    monkeypatch.setattr(_run, "PACE", 0.3)
    settings = Settings(within=1.5 / 60, save_every=20)
    assert learn(settings, tmp_path, minutes=0.1 / 60)[2].interrupted
    assert len(read_losses(tmp_path)) < 100_000

    def killed(number: int, loss: torch.Tensor) -> None:
        if (planned := _run.room(settings, tmp_path)) and number > planned / 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        learn(settings, tmp_path, also=killed)
    planned = _run.room(settings, tmp_path)
    assert len(learn(settings, tmp_path)[2].losses) == planned


def read_losses(home: Path) -> list[float]:
    return train.read_checkpoint(home / "run.safetensors")["fit.losses"].tolist()


@pytest.mark.parametrize(("seconds", "saved"), [(0.0, 5), (30.0, 0)])
def test_it_saves_by_the_clock(tmp_path, seconds, saved):
    def killed(number: int, loss: torch.Tensor) -> None:
        if number == 5:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        learn(Settings(steps=9, save_seconds=seconds), tmp_path, also=killed)
    assert (len(read_losses(tmp_path)) if (tmp_path / "run.safetensors").exists() else 0) == saved


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    with pytest.raises(FloatingPointError, match="step 1: try a lower --rate"):
        learn(Settings(steps=9, broken=1), tmp_path)


def test_once_is_once(tmp_path):
    card = TOY.once(tmp_path / "run", "--steps", "9", "--pause", "0")
    written = (tmp_path / "run/run.safetensors").stat().st_mtime_ns
    assert card["metrics"] == {"done": 9} and TOY.once(tmp_path / "run", "--steps", "12") == card
    assert (tmp_path / "run/run.safetensors").stat().st_mtime_ns == written


def test_squint_knows_which_recipes_train():
    known = {recipe.name: recipe.trains for recipe in kitchen.recipes(Project(catalogue.CHECKOUT))}
    assert {"gpt", "translator", "pictures", *PARTS} <= {name for name, trains in known.items() if trains}
    assert not any(known[name] for name in ("emoji", "glove", "licences", "parses", "stamps"))


@pytest.mark.parametrize(
    ("sentence", "name"),
    [
        ("A camera.  Say Cheese!", "camera"),
        ("An albino peahen (a female peafowl, or peacock).", "albino peahen"),
        ("Mars—the red planet. It’s just beyond earth.", "mars"),
        ("A ginger 'root'.", "ginger root"),
        ("A “Stop” sign. Stop here, then go when it’s your turn.", "stop sign"),
        ("A wizard's hat.", "wizard’s hat"),
        ("A candy cane is a traditional Christmas treat in the United States.", "candy cane"),
        ("An F-22 Raptor.", "f-22 raptor"),
        ("A compact disc for music, movies, or data!", "compact disc for music, movies, or data"),
    ],
)
def test_a_stamp_is_named_by_its_sentence(sentence, name):
    assert stamps.name_of(sentence) == name


# The picture recipes


@pytest.fixture(scope="module")
def few() -> album.Pictures:
    """Emoji with fewer of them to learn from, which trains and judges as fast as a test must."""
    pictures = album.load()
    purpose = {name: places[:: max(1, len(places) // 120)] for name, places in pictures.purpose.items()}
    return replace(pictures, purpose=purpose)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch, request):
    monkeypatch.setenv("SQUINT_DEVICE", "cpu")
    if "few" in request.fixturenames:
        found = request.getfixturevalue("few")
        monkeypatch.setattr(album, "on", lambda place: found)


@pytest.mark.parametrize("name", PARTS)
def test_settings_are_options(name, tmp_path):
    recipe = PARTS[name].RECIPE
    options = recipe.parse(["--home", str(tmp_path), "--batch", "7", "--within", "3", "--rate", "1e-4"])
    assert recipe.settings_of(options) == PARTS[name].Settings(batch=7, within=3, rate=1e-4)
    assert recipe.settings_of(recipe.parse(["--home", str(tmp_path), "--resume"])).batch == 7
    assert recipe.name == name and recipe.folder == "pictures"


def test_the_steps_are_those_that_paid():
    """The shipped run's record: where it was best, and what it did in all."""
    models = clips.card()["models"]
    best = models["clip"]["training"]["best"]["step"]
    assert best <= clip.Settings().steps < models["clip"]["training"]["steps"]
    best = models["prior"]["training"]["best"]["step"]
    assert best <= prior.Settings().steps < models["prior"]["training"]["steps"]


@pytest.mark.parametrize("name", PARTS)
def test_a_run_that_was_killed_ends_as_one_that_was_not(name, tmp_path, few):
    recipe, settings = PARTS[name].RECIPE, replace(settings_of(name), judge_every=5)
    step, *_, history = recipe.learn(settings, tmp_path / "whole")
    assert len(history.losses) == 5 and len(set(history.losses)) == 5

    def killed(number: int, loss: torch.Tensor) -> None:
        if number == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        recipe.learn(settings, tmp_path / "killed", None, killed)
    assert len(read_losses(tmp_path / "killed")) == 2
    again, *_, resumed = recipe.learn(settings, tmp_path / "killed")
    assert resumed.losses == pytest.approx(history.losses, abs=1e-5)
    for key, value in again.state().items():
        torch.testing.assert_close(value, step.state()[key], rtol=1e-4, atol=1e-5, msg=key)
    with NoWaits():
        step.loss(step.model.train(), None)


@pytest.mark.parametrize("name", PARTS)
def test_it_trains_on_whatever_device_there_is(name, tmp_path, few, monkeypatch):
    with second_device(monkeypatch):
        there = replace(few).to(THERE)
        monkeypatch.setattr(album, "on", lambda place: there)
        step, *_, history = PARTS[name].RECIPE.learn(replace(settings_of(name), steps=2), tmp_path)
        assert len(history.losses) == 2 and next(step.plain().parameters()).device == THERE


@pytest.mark.parametrize("name", PARTS)
def test_what_is_written_can_be_read_and_says_what_it_is(name, tmp_path, few):
    recipe, settings = PARTS[name].RECIPE, settings_of(name)
    step, judge, history = recipe.learn(settings, tmp_path)
    card = recipe.export(settings, step, judge, len(history.losses), tmp_path)
    assert read(tmp_path / "card.json")["models"].keys() == card["models"].keys() and card["metrics"]
    file = tmp_path / f"{name}.safetensors"
    parts = ["up32", "up64"] if name == "upsamplers" else [name]
    assert list(card["models"]) == parts
    for part in parts:
        prefix = f"{part}." if name == "upsamplers" else ""
        model = clips.load(file) if name == "clip" else unclip.load_part(file, part, prefix)
        with step.averaged() as averaged:
            for key, value in model.state_dict().items():
                if "num_batches" not in key:
                    torch.testing.assert_close(averaged.state_dict()[prefix + key], value, rtol=1e-3, atol=1e-4)
        training = card["models"][part]["training"]
        assert training["steps"] == 5 and training["pictures_seen"] == 30 and training["settings"]["batch"] == 6
        assert [look["step"] for look in training["looks"]] == [3, 5] and training["best"] in training["looks"]


def test_clip_begins_from_the_shipped_one(tmp_path, monkeypatch, few):
    shipped, _ = clips.pretrained()
    model = clip.make_model(settings_of("clip", begin="shipped"), few)
    assert all(weight.requires_grad for weight in model.parameters())
    for key, value in shipped.state_dict().items():
        torch.testing.assert_close(model.state_dict()[key], value, msg=key)
    assert model.config.dropout == clip.Settings().dropout
    assert model.vocabulary.own == shipped.vocabulary.own != album.words(few)
    monkeypatch.setattr(clip.shared, "export", lambda *run, **said: said)
    step = SimpleNamespace(plain=lambda: model)
    card = clip.export(settings_of("clip", begin="shipped"), step, few, 5, tmp_path)
    assert card["before"]["steps"] == 4915 and card["about"]["words"] == shipped.vocabulary.own
    assert "before" not in clip.export(settings_of("clip"), step, few, 5, tmp_path)


# Shipping


def test_a_part_is_shipped_with_a_card_that_stays_true(tmp_path, monkeypatch, few):
    with pytest.raises(SystemExit, match="squint recipe pictures --ship"):
        clip.RECIPE.parse(["--ship"])
    settings = settings_of("decoder")
    step, judge, _ = decoder.RECIPE.learn(settings, tmp_path)
    decoder.RECIPE.export(settings, step, judge, 5, tmp_path)
    before, shipped = clips.card(), {}
    found = before["metrics"]["unclip"] | {"cosines": "new"}
    monkeypatch.setattr(shipping, "measure", lambda folders, home, size: found)
    monkeypatch.setattr(shipping._write, "write", lambda path, content, **about: shipped.update({path: content}))
    decoder.RECIPE.ship(tmp_path)
    assert shipped.keys() == {"pictures/decoder.safetensors", "pictures/card.json"}
    card = json.loads(shipped["pictures/card.json"])
    assert card["metrics"] == {"clip": before["metrics"]["clip"], "unclip": found}
    assert card["models"]["decoder"]["training"]["steps"] == 5
    assert {k: v for k, v in card["models"].items() if k != "decoder"} == {
        k: v for k, v in before["models"].items() if k != "decoder"
    }
    assert card["parameters"] == before["parameters"] and "other_judge" not in card
    assert card["limits"][:2] == before["limits"][:2] and card["limits"][2] != before["limits"][2]
    (tmp_path / "clip.safetensors").write_bytes(b"another")
    with pytest.raises(SystemExit, match="learned on another CLIP"):
        decoder.RECIPE.ship(tmp_path)


# The chain


@pytest.fixture
def chain():
    spec = importlib.util.spec_from_file_location("chain_of_pictures", RECIPES / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_minutes_are_shared_out_and_what_is_left_goes_on(chain, tmp_path, monkeypatch):
    """Each fake recipe but the decoder uses all it may; the decoder a half."""
    given: dict[str, float] = {}

    def fake(name: str):
        def once(home: Path, *options: str) -> None:
            given[name] = float(options[options.index("--within") + 1])
            assert ("--clip" in options) == (name != "clip")
            home.mkdir()
            seconds = 60 * given[name] / (2 if name == "decoder" else 1)
            (home / "log.jsonl").write_text(json.dumps({"seconds": seconds}) + "\n")

        return SimpleNamespace(once=once)

    shares = {name: share for name, (_, share) in chain.STAGES.items()}
    monkeypatch.setattr(chain, "STAGES", {name: (fake(name), share) for name, share in shares.items()})
    chain.train(tmp_path, 13, False)
    assert list(given) == ["clip", "decoder", "upsamplers", "prior"] and sum(shares.values()) == 650
    assert given["clip"] == pytest.approx(13 * 165 / 650) and given["decoder"] == pytest.approx(13 * 260 / 650, abs=0.1)
    left = 13 - given["clip"] - given["decoder"] / 2
    assert given["upsamplers"] + given["prior"] == pytest.approx(left, abs=0.1)


def test_the_chain_says_what_it_cannot_do(chain, tmp_path):
    with pytest.raises(SystemExit, match="no run"):
        chain.main(["--resume", "--home", str(tmp_path)])
    (tmp_path / "clip").mkdir()
    with pytest.raises(SystemExit, match="go on with --resume"):
        chain.main(["--home", str(tmp_path)])
    for wrong in (["--smoke", "--ship"], ["--minutes", "0"]):
        with pytest.raises(SystemExit):
            chain.main(wrong)


@pytest.mark.slow
def test_the_whole_chain_runs_and_nothing_is_trained_twice(chain, tmp_path, few, capsys):
    home = tmp_path / "run"
    chain.main(["--smoke", "--home", str(home)])
    card = read(home / "card.json")
    assert list(card["models"]) == ["clip", "decoder", "up32", "up64", "prior"]
    sizes = {name: {part: model["parameters"] for part, model in found["models"].items() if part != "clip"}
             for name, found in (("run", card), ("shipped", clips.card()))}  # fmt: skip
    assert sizes["run"] == sizes["shipped"] and card["metrics"]["unclip"].keys() >= {"sources", "steps", "copies"}
    assert (home / "grids.png").stat().st_size > 10_000
    assert (home / "decoder/clip.safetensors").read_bytes() == (home / "clip/clip.safetensors").read_bytes()
    capsys.readouterr()
    chain.main(["--resume", "--home", str(home)])
    assert "step 1" not in capsys.readouterr().out and read(home / "card.json") == card
