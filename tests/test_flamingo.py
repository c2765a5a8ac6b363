"""Flamingo: what a gate, a mask and a resampler promise, what was never learned from, what the shipped one is worth."""

import functools
import json
import random
import sys
from dataclasses import replace
from math import sqrt

import pytest
import torch
from fake_device import THERE, second_device
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from squint.data import catalogue, emoji, episodes
from squint.data.episodes import ABSENT, BLANK
from squint.models import clip, flamingo
from squint.models.flamingo import Flamingo, Seeing, latest_picture
from squint.models.llama import Config as LlamaConfig
from squint.models.llama import Llama, smollm2
from squint.models.reader import BEGIN, END, PICTURE, Eye, Reader, Speller, tiles_of
from squint.nn.perceiver import PerceiverResampler, Standardise
from squint.text.sampling import generate

sys.path.insert(0, str(catalogue.CHECKOUT / "data/recipes"))

import flamingo as recipe  # noqa: E402

SHOWN = 7
CONFIG = flamingo.Config(SHOWN, features=20, patches=4, every=2, visual_dim=32, latents=3, heads=2, part=16, hidden=48,
                         resampler_heads=2, resampler_hidden=32)  # fmt: skip
TOKENS = torch.tensor([[1, 2, SHOWN, 3, 4, SHOWN, 5, 6, 8], [SHOWN, 2, 3, SHOWN, 3, 4, 5, SHOWN, 6]])
TINY = LlamaConfig(vocabulary=30, dim=48, blocks=6, heads=6, shared_heads=2, hidden=64)


def tiny(opened: float = 0.0, **changes) -> Flamingo:
    torch.manual_seed(0)
    model = Flamingo(Llama(TINY), replace(CONFIG, **changes)).eval()
    for name, value in model.named_parameters():
        if name.endswith("gate.gate"):
            value.data.fill_(opened)
    return model


def pictures(rows: int = 2, number: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of scenes and of single tiles."""
    chance = torch.Generator().manual_seed(1)
    there = (
        torch.arange(4) < torch.tensor([4, 1])[torch.arange(rows * number) % 2].unflatten(0, (rows, number))[..., None]
    )
    return torch.randn(rows, number, 4, 4, 20, generator=chance), there


# Gates


def test_closed_gates_change_nothing_at_all():
    model = tiny()
    assert torch.equal(model(TOKENS, *pictures()), model.lm(TOKENS))
    assert not torch.allclose(tiny(0.5)(TOKENS, *pictures()), model.lm(TOKENS))


@torch.no_grad()
def test_closed_gates_leave_smollm2_as_it_is(world):
    lm, tokenizer = smollm2()
    model, speller = Flamingo(lm, flamingo.Config(Speller(tokenizer).picture)).eval(), Speller(tokenizer)
    turns = episodes.to_judge_by("count", world["seen"], 1, 1)
    tokens, features = torch.tensor([speller.question(turns[0])]), torch.randn(1, 2, 4, 16, 224)
    there = tiles_of(turns) != ABSENT
    bare = lm(tokens)
    assert torch.equal(model(tokens, features, there), bare)
    model.cross["4"].attention_gate.gate.fill_(0.5)
    assert not torch.allclose(model(tokens, features, there), bare, atol=0.1)


def test_only_what_was_added_learns():
    model = tiny(0.5)
    model(TOKENS, *pictures()).square().mean().backward()
    assert all(value.grad is None for value in model.lm.parameters())
    added = {name: value for name, value in model.adapter().items() if value.requires_grad}
    assert {name.split(".")[0] for name in added} == {"cross", "resampler"}
    # Finite, although some tokens see no picture at all.
    assert all(value.grad is not None and value.grad.isfinite().all() for value in added.values())


def test_behind_closed_gates_only_the_gates_learn():
    model = tiny()
    model(TOKENS, *pictures())[..., :3].sum().backward()
    for name, value in model.adapter().items():
        if value.requires_grad:
            assert (value.grad.abs().max() > 0) == name.endswith("gate.gate"), name


def test_without_gates_it_is_open_from_the_start():
    model = tiny(gated=False)
    assert set(model.openings().values()) == {(1.0, 1.0)} and not any("gate" in name for name in model.adapter())
    assert not torch.allclose(model(TOKENS, *pictures()), model.lm(TOKENS))


# Who sees what


@settings(deadline=None, max_examples=60)
@given(st.lists(st.booleans(), min_size=1, max_size=12), st.integers(0, 3))
def test_each_token_sees_the_latest_picture_and_no_other(shown, before):
    tokens = torch.tensor([[SHOWN if each else 1 for each in shown]])
    number, latest = before + sum(shown), before - 1
    found = latest_picture(tokens, SHOWN, max(number, 1), torch.tensor([[before]]))[0]
    for row, each in zip(found, shown, strict=True):
        latest += each
        assert row.nonzero().flatten().tolist() == ([latest] if latest >= 0 else [])


def test_the_past_sees_nothing_of_a_picture_and_what_follows_sees_only_the_latest():
    model, (features, there) = tiny(0.5), pictures()
    before = model(TOKENS, features, there)
    other = features.clone()
    other[0, 1] = other[0, 1].flip(-1)  # not shifted: a norm would not notice
    after = model(TOKENS, other, there)
    assert torch.equal(before[0, :5], after[0, :5]) and not torch.allclose(before[0, 5], after[0, 5])
    assert torch.equal(before[1], after[1])


def test_a_block_looks_at_the_latest_picture_only():
    model = tiny(1.0)
    block, visual, x = model.cross["1"], torch.randn(2, 3, 3, 32), torch.randn(2, 9, 48)
    mask = latest_picture(TOKENS, SHOWN, 3).repeat_interleave(3, dim=2)
    segment = (TOKENS == SHOWN).cumsum(dim=1) - 1
    before = block(x, visual.flatten(1, 2), mask)
    for picture in range(3):
        other = visual.clone()
        other[:, picture] += torch.randn(3, 32)
        assert torch.equal((block(x, other.flatten(1, 2), mask) != before).any(dim=-1), segment == picture)
    blind = block.feed_forward_gate(x, block.feed_forward(block.feed_forward_norm(x)))
    assert torch.equal(before[0, :2], blind[0, :2])


def test_more_pictures_than_ever_are_no_matter():
    """Twenty pictures: the text after the last is what it is when the others come with it or were never counted."""
    model, features, there = tiny(0.5), *pictures(1, 20)
    tokens = torch.tensor([[SHOWN, 3] * 20])
    logits = model(tokens, features, there)
    assert logits.isfinite().all()
    fewer = model(tokens[:, :10], features[:, :5], there[:, :5])
    torch.testing.assert_close(logits[:, :10], fewer, atol=1e-5, rtol=1e-5)


# One token after the other


@pytest.mark.parametrize("cuts", [[9], [1] * 9, [2, 1, 4, 2]])
@torch.no_grad()
def test_with_a_cache_it_says_the_same(cuts):
    model, (features, there) = tiny(0.5), pictures()
    whole, seeing = model(TOKENS, features, there), Seeing(model, model.look(features, there))
    past = seeing.begin()
    parts = [seeing(part, past, None) for part in TOKENS.split(cuts, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_filling_in_front_changes_nothing():
    model, (features, there) = tiny(0.5), pictures()
    visual = model.look(features, there)
    alone = [generate(Seeing(model, visual[i : i + 1]), TOKENS[i : i + 1, i:], 5, temperature=0) for i in (0, 1)]
    # The second text lost its first token, a picture's, and so begins with the second picture.
    alone[1] = generate(Seeing(model, visual[1:, 1:]), TOKENS[1:, 1:], 5, temperature=0)
    filled = TOKENS.clone()
    filled[1, 0] = 1
    visual = torch.stack([visual[0], visual[1].roll(-1, 0)])
    together = generate(Seeing(model, visual, torch.tensor([[0], [1]])), filled, 5, temperature=0)
    assert torch.equal(together[0, -5:], alone[0][0, -5:]) and torch.equal(together[1, -5:], alone[1][0, -5:])


@torch.no_grad()
def test_a_text_goes_on_in_several_ways():
    model, (features, there) = tiny(0.5), pictures()
    seeing, rows = Seeing(model, model.look(features, there)), torch.tensor([1, 0, 1])
    past, more = seeing.begin(), torch.tensor([[3, SHOWN], [4, 5], [5, 6]])
    seeing(TOKENS[:, :4], past, 1)
    found = seeing.of(rows)(more, [cache.of(rows) for cache in past], None)
    for i, row in enumerate(rows.tolist()):
        text = torch.cat([TOKENS[row, :4], more[i]])[None]
        torch.testing.assert_close(
            found[i], model(text, features[row : row + 1], there[row : row + 1])[0, -2:], atol=1e-5, rtol=1e-5
        )


# The resampler


def test_tiles_that_are_absent_do_not_count():
    resampler, features = PerceiverResampler(20, 4, 32, 3, 2, 2, 32), torch.randn(2, 4, 4, 20)
    there = torch.tensor([[True, False, False, False], [True] * 4])
    other = features.clone()
    other[0, 1:] = 9
    assert torch.equal(resampler(features, there)[0], resampler(other, there)[0])
    assert not torch.allclose(resampler(features, there)[0], resampler(features, there.roll(1, 0))[0])
    assert resampler(features, torch.zeros_like(there)).isfinite().all()


def test_a_tile_is_known_by_its_corner():
    resampler, there = PerceiverResampler(20, 4, 32, 3, 2, 2, 32), torch.ones(1, 4, dtype=torch.bool)
    resampler.tile_place.data.normal_()
    features = torch.randn(1, 4, 4, 20)
    assert not torch.allclose(resampler(features, there), resampler(features.roll(1, 1), there), atol=1e-3)
    resampler.tile_place.data.zero_()
    torch.testing.assert_close(resampler(features, there), resampler(features.roll(1, 1), there), atol=1e-5, rtol=1e-4)


def test_standardised_features_have_mean_zero_and_variance_one():
    standardise, features = Standardise(3), torch.randn(50, 4, 3) * torch.tensor([1.0, 9.0, 1e-6]) + 5
    standardise.measure(features)
    found = standardise(features).flatten(0, 1)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std(dim=0)[:2], torch.ones(2), atol=1e-4, rtol=0)
    assert found.std(dim=0)[2] < 1e-4  # what hardly ever changes is not blown up


# Pictures and words


@pytest.mark.parametrize("kind", ["cnn", "vit"])
def test_patches_are_what_a_tower_takes_the_mean_of(kind):
    tower, tiles = clip.TOWERS[kind](clip.Config(tower=kind)).eval(), torch.rand(2, 3, 32, 32)
    patches = tower.patches(tiles)
    assert patches.shape == {"cnn": (2, 16, 224), "vit": (2, 64, 192)}[kind]
    torch.testing.assert_close(tower.project(patches.mean(dim=1)), tower(tiles))


def test_an_eye_looks_once_and_knows_a_blank_and_an_absent_tile():
    tower, shown = clip.ConvolutionTower(clip.Config(channels=(8, 16))).eval(), torch.rand(5, 3, 32, 32)
    eye, calls = Eye(tower, shown), []
    look = eye.look
    eye.look = lambda some: (calls.append(len(some)), look(some))[1]
    tiles = torch.tensor([[[3, ABSENT, ABSENT, ABSENT]], [[BLANK, 0, BLANK, 4]]])
    (features, there), (again, _) = eye.features(tiles), eye.features(tiles)
    assert calls == [4] and torch.equal(features, again)
    assert there.tolist() == [[[True, False, False, False]], [[True] * 4]]
    torch.testing.assert_close(features[0, 0, 0], look(shown[3:4])[0])
    torch.testing.assert_close(features[1, 0, 0], look(torch.ones(1, 3, 32, 32))[0])


@pytest.fixture(scope="module")
def world() -> dict[str, episodes.World]:
    return episodes.worlds(emoji.load(64))


@pytest.fixture(scope="module")
def speller() -> Speller:
    return Speller(smollm2()[1])


@pytest.fixture(scope="module")
def reader() -> Reader:
    model, tower, tokenizer, _ = flamingo.pretrained()
    return Reader(model, Eye(tower, emoji.load(32).rgb()), tokenizer)


def text(turns: episodes.Episode) -> str:
    return BEGIN + "".join(f"{PICTURE if t.tiles else ''}{t.prompt}{t.answer}{END}" for t in turns)


def test_pieces_are_spelled_as_the_whole_text_is(speller, world):
    chance = random.Random(0)
    for _ in range(300):
        turns = episodes.episode(world["learn"], chance)
        whole = speller.tokenizer.encode(text(turns)).ids
        assert speller.question(turns) == whole[: len(whole) - len(speller.turn(turns[-1])[1])]
        assert whole.count(speller.picture) == sum(bool(turn.tiles) for turn in turns)


@pytest.mark.parametrize("task", episodes.TO_JUDGE_BY)
def test_every_task_asks_what_can_be_answered(task, world):
    for split in ("seen", "unseen style", "unseen concepts"):
        for turns in episodes.to_judge_by(task, world[split], 3, 20):
            assert len(turns) == 4 and all(turn.answer.startswith(" ") for turn in turns)
            assert (
                turns[-1].choices[0] == turns[-1].answer and len(set(turns[-1].choices)) == len(turns[-1].choices) > 1
            )
            assert turns[-1].blank().tiles == (BLANK,) * len(turns[-1].tiles)
    first, again = (episodes.to_judge_by(task, world["seen"], 2, 5) for _ in range(2))
    assert first == again != episodes.to_judge_by(task, world["seen"], 2, 5, seed=1)


def test_a_made_up_name_can_be_known_once_its_thing_was_shown(world):
    for turns in episodes.to_judge_by("binding of three", world["learn"], 8, 50):
        named = [turn.answer for turn in turns]
        assert [turn.known for turn in turns] == [name in named[:i] for i, name in enumerate(named)]
        assert len(set(named[:3])) == 3 == len(set(named))


def test_what_a_scene_is_asked_about_is_so(world):
    asked = {task: episodes.to_judge_by(task, world["seen"], 0, 60) for task in ("count", "side", "two")}
    for [turn] in asked["count"]:
        places = [tile for tile in turn.tiles if tile != BLANK]
        assert max(map(places.count, places)) == 1 + episodes.NUMBERS.index(turn.answer.strip())
    of = {place: concept for concept, styles in enumerate(world["seen"].picture) for place in styles.values()}
    for [turn] in asked["side"] + asked["two"]:
        labels = [world["seen"].label(of[tile]) for tile in turn.tiles if tile != BLANK]
        last = any(word in turn.prompt for word in ("on the right", "at the bottom"))
        assert turn.answer in (f" {labels[last]}", f" {labels[0]} and {labels[1]}")


def places_of(world: episodes.World) -> list[int]:
    return [place for concept in world.allowed for place in world.pictures(concept)]


def test_nothing_held_out_is_learned_from(world, speller):
    learn, held_out = world["learn"], set(emoji.split_concepts(0)[1].tolist())
    assert len(held_out) == 150 and not held_out & set(learn.allowed)
    assert set(world["unseen concepts"].allowed) == held_out
    assert not set(learn.names) & set(world["seen"].names) and not set(learn.formats) & set(world["seen"].formats)
    of = {place: (c, style) for c, styles in enumerate(learn.picture) for style, place in styles.items()}
    chance, drawn = random.Random(0), set()
    for _ in range(3_000):
        turns = episodes.episode(learn, chance)
        drawn |= {of[tile] for turn in turns for tile in turn.tiles if tile != BLANK}
        said = " ".join(turn.prompt + turn.answer for turn in turns)
        assert not any(wording.split("{}")[1] in said for wording in episodes.Presence.leading[:3])
    assert len(drawn) > 5_000
    assert not any(concept in held_out or style == "emojitwo" for concept, style in drawn)
    near = recipe.to_learn_from(learn)
    twins = set(places_of(learn)) - set(places_of(near))
    assert len(twins) == 44 and not set(places_of(near)) & set(places_of(world["unseen concepts"]))
    # And there is nothing to be looked up of a picture that is not to be learned from.
    tower, images = clip.ConvolutionTower(clip.Config(channels=(8, 16))).eval(), emoji.load(64).images
    varied = recipe.Varied.look(tower, images, torch.tensor([3, 4]), 2, seed=0)
    features, there = varied.features(torch.tensor([[[3, BLANK, 4, ABSENT]]]))
    assert features.shape[:3] == (1, 1, 4) and there.tolist() == [[[True, True, True, False]]]
    with pytest.raises(IndexError):
        varied.features(torch.tensor([[[5, ABSENT, ABSENT, ABSENT]]]))


def test_questions_in_the_unseen_style_are_asked_in_it(world):
    of = {place: style for styles in world["seen"].picture for style, place in styles.items()}
    for turns in episodes.to_judge_by("caption", world["unseen style"], 3, 20):
        assert [of[turn.tiles[0]] == "emojitwo" for turn in turns] == [False, False, False, True]


# Asked


@torch.no_grad()
def test_choices_are_rated_as_the_whole_text_would_be(reader, world):
    """A batch of questions of other lengths, each read once, against every text read whole and alone."""
    asked = [episodes.to_judge_by(task, world["seen"], k, 1)[0] for task, k in (("kind", 0), ("count", 2), ("two", 1))]
    for turns, rating in zip(asked, reader.rate(asked), strict=True):
        question, visual = reader.speller.question(turns), reader.model.look(*reader.eye.features(tiles_of([turns])))
        for i, choice in enumerate(turns[-1].choices[:3]):
            answer = torch.tensor(reader.speller.encode(choice + END))
            tokens = torch.cat([torch.tensor(question), answer])
            logits = reader.model.lm.logits(reader.model.states(tokens[None, :-1], visual))[0, -len(answer) :]
            likely = logits.log_softmax(dim=-1).gather(1, answer[:, None]).sum()
            assert rating.likely[i].item() == pytest.approx(likely.item(), abs=2e-3)
            assert rating.said[i] == (logits.argmax(dim=-1) == answer).all()


def test_what_it_says_is_the_likeliest_answer(reader, world):
    asked = episodes.to_judge_by("count", world["seen"], 1, 4) + episodes.to_judge_by("colour", world["seen"], 0, 4)
    answers, ratings = reader.answer(asked), reader.rate(asked)
    for turns, answer, rating in zip(asked, answers, ratings, strict=True):
        assert [f" {answer}" == choice for choice in turns[-1].choices] == rating.said.tolist()
        assert f" {answer}" == turns[-1].choices[rating.likely.argmax()]


def test_bare_it_is_the_language_model(reader, world):
    asked = episodes.to_judge_by("colour", world["seen"], 1, 2)
    other = [[turn.blank() for turn in turns] for turns in asked]
    for first, second in zip(reader.rate(asked, bare=True), reader.rate(other, bare=True), strict=True):
        assert torch.equal(first.likely, second.likely)
    seen, blank = reader.rate(asked), reader.rate(other)
    assert not any(torch.allclose(a.likely, b.likely, atol=0.1) for a, b in zip(seen, blank, strict=True))


def test_a_question_about_the_same_picture_needs_no_other(reader, world):
    chance, said = random.Random(1), []
    for _ in range(4):
        turns = episodes.dialogue(world["seen"], chance, 3)
        assert [bool(turn.tiles) for turn in turns] == [True, False, False]
        said += reader.answer([turns])
    assert all(said)


# From files


def test_wrong_weights_are_told_in_a_sentence(speller):
    lm, model = smollm2()[0], tiny()
    adapter = {name: value.detach() for name, value in model.adapter().items()}
    model.load_adapter(adapter)
    for wrong in (
        {**adapter, "resampler.latents": adapter["resampler.latents"][:2]},
        {name: value for name, value in adapter.items() if name != "cross.1.attention_gate.gate"},
        {**adapter, "cross.9.attention_gate.gate": torch.zeros(())},
    ):
        with pytest.raises(ValueError, match=r"^these are another Flamingo's weights: \S+ does not fit\.$"):
            model.load_adapter(wrong)
    for name in ("pictures/clip.safetensors", "gpt/weights.safetensors"):
        with pytest.raises(ValueError, match=r"^\w+\.safetensors holds no Flamingo\.$"):
            flamingo.load(catalogue.path(name), lm)
    for name in ("flamingo/flamingo.safetensors", "gpt/weights.safetensors"):
        with pytest.raises(ValueError, match=r"^\w+\.safetensors holds no CLIP's picture tower\.$"):
            flamingo.load_eye(catalogue.path(name))


def test_a_missing_file_is_told_in_a_sentence(monkeypatch):
    real = catalogue.problem
    for missing in ("flamingo/flamingo.safetensors", "flamingo/eye.safetensors", "flamingo/card.json"):
        catalogue._verified.cache_clear()
        gone = lambda entry, missing=missing: f"{missing} is missing." if entry.path == missing else real(entry)  # noqa: E731
        monkeypatch.setattr(catalogue, "problem", gone)
        with pytest.raises(catalogue.DataError, match="is missing"):
            flamingo.pretrained()
    catalogue._verified.cache_clear()


def test_the_card_is_of_these_weights(reader):
    card, model = flamingo.pretrained()[3], reader.model
    assert card["parameters"] == sum(value.numel() for value in model.adapter().values()) < 7_500_000
    assert card["eye"]["parameters"] == sum(value.numel() for value in reader.eye.tower.parameters())
    assert card["config"] == vars(model.config) and model.config.picture == reader.speller.picture
    for place, pair in model.openings().items():
        assert card["gates"][place] == pytest.approx(pair, abs=1e-4)
    assert list(model.cross) == ["4", "9", "14", "19", "24", "29"]
    assert card["limits"][: len(recipe.limits(card["metrics"]))] == recipe.limits(card["metrics"])
    assert card["training"]["sequences"] == card["training"]["steps"] * card["training"]["settings"]["batch"]


@pytest.mark.slow
@pytest.mark.parametrize(("split", "task", "shots", "items"), [
    ("unseen concepts", "binding of two", 0, 60), ("unseen concepts", "binding of two", 4, 60),
    ("unseen style", "count", 0, 60), ("unseen style", "caption", 0, 40),
])  # fmt: skip
def test_the_shipped_weights_are_worth_what_the_card_says(reader, world, split, task, shots, items):
    metrics = flamingo.pretrained()[3]["metrics"]
    told = metrics[split][task]["choice"][str(shots)]
    found = reader.score(episodes.to_judge_by(task, world[split], shots, items))["choice"]
    error = sqrt(told * (1 - told) * (1 / items + 1 / metrics["items"]))
    assert found == pytest.approx(told, abs=3 * error)


# The recipe


SMALL = recipe.Settings(steps=8, warmup=2, save_every=2, judge_every=8, batch=3, tokens=64, pictures=4, variations=2,
                        concepts=30, items=1)  # fmt: skip


load_once = functools.cache(emoji.load)


@pytest.fixture
def small(monkeypatch, world, tmp_path) -> recipe.Settings:
    """A run with a language model of SmolLM2's words and an eye that are quick to learn through."""
    torch.manual_seed(0)
    lm = Llama(replace(TINY, vocabulary=49_152, blocks=5)).requires_grad_(False)
    monkeypatch.setattr(recipe, "language_model", lambda place: (lm, smollm2()[1]))
    monkeypatch.setattr(emoji, "load", load_once)
    monkeypatch.setattr(episodes, "worlds", lambda pictures: dict(world))
    config = {"channels": [8, 8, 8, 16]}
    tower = clip.ConvolutionTower(clip.config_of(clip.Config, config))
    save_file(
        {f"image.{name}": value for name, value in tower.state_dict().items()},
        tmp_path / "clip.safetensors",
        {"about": json.dumps({"config": config})},
    )
    return replace(SMALL, eye=str(tmp_path / "clip.safetensors"))


def test_a_batch_follows_from_its_number_and_asks_for_answers_only(speller, world):
    first, again, other = (recipe.batch(speller, world["learn"], SMALL, i) for i in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["tokens"][:, :40], other["tokens"][:, :40])
    assert first["tokens"].shape[1] <= SMALL.tokens and (first["tokens"][:, 0] == speller.begin).all()
    assert first["tiles"].shape[1] <= SMALL.pictures
    shown = (first["tiles"] != ABSENT).any(dim=2).sum(dim=1)
    assert torch.equal(shown, (first["tokens"] == speller.picture).sum(dim=1))
    for row, before, labels in zip(first["tokens"], first["before"], first["labels"], strict=True):
        real = labels != recipe.NOT_LEARNED
        assert torch.equal(row[before[real] + 1], labels[real])
        answers = speller.tokenizer.decode(labels[real].tolist()).split(END)
        assert answers[-1] == "" and all(answer.startswith(" ") and "?" not in answer for answer in answers[:-1])


def test_what_learns_is_all_that_is_kept_and_averaged(small):
    given = recipe.prepare(small)
    step, batch = (
        recipe.make_step(small, given),
        recipe.batch(Speller(given.tokenizer), given.worlds["learn"], small, 0),
    )
    assert {name.split(".")[1] for name in step.state() if name.startswith("model.")} == {"cross", "resampler"}
    frozen = {name: value.clone() for name, value in given.model.lm.state_dict().items()}
    latents = given.model.resampler.latents.detach().clone()
    losses = [step(batch).item() for _ in range(3)]
    assert losses[-1] < losses[0] and not torch.equal(given.model.resampler.latents, latents)
    assert all(torch.equal(value, frozen[name]) for name, value in given.model.lm.state_dict().items())
    with step.averaged():
        torch.testing.assert_close(given.model.resampler.latents.data, step.average["resampler.latents"])
    assert not torch.equal(given.model.resampler.latents, step.average["resampler.latents"])
    rates = {group["lr"] for group in recipe.groups(recipe.Learner(given.model, None), small) if "lr" in group}
    assert rates == {5 * small.rate}


def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path, small):
    def killed(number: int, loss: torch.Tensor) -> None:
        if number == 5:
            raise RuntimeError("killed")

    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, _, history = recipe.learn(small, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="killed"):
        recipe.learn(small, tmp_path / "killed", also=killed)
    resumed, _, again = recipe.learn(small, tmp_path / "killed")
    assert len(history.losses) == 8 and again.losses == pytest.approx(history.losses, abs=1e-4)
    for name, value in resumed.state().items():
        torch.testing.assert_close(value, whole.state()[name], rtol=1e-4, atol=1e-5, msg=name)


def test_it_learns_and_is_asked_on_a_second_device(monkeypatch, small):
    """Nothing that is made on the CPU meets the device; what is found there is what is found here."""

    def learned(place: torch.device) -> list[object]:
        given = recipe.prepare(small)
        learner, speller = recipe.make_learner(replace(small, variations=1), given), Speller(given.tokenizer)
        batch = recipe.batch(speller, given.worlds["learn"], small, 0)
        loss = learner({name: value.to(place) for name, value in batch.items()})
        loss.backward()
        reader = given.reader(given.model.eval())
        asked = [episodes.to_judge_by(task, given.worlds["seen"], i, 1)[0] for i, task in enumerate(("kind", "count"))]
        return [loss.item(), [rating.likely for rating in reader.rate(asked)], reader.answer(asked, longest=3), loss]

    here = learned(torch.device("cpu"))
    with second_device(monkeypatch) as device:
        there = learned(THERE)
        assert device.is_there(there.pop())
    torch.testing.assert_close(there[:2], here[:2], atol=1e-3, rtol=1e-4)
    assert there[2] == here[2]


@pytest.mark.slow
def test_what_is_written_is_what_is_measured(tmp_path, small, monkeypatch):
    monkeypatch.setattr(recipe, "SHOTS", (0, 1))
    step, given, history = recipe.learn(replace(small, steps=2), tmp_path)
    card = recipe.export(small, step, given, len(history.losses), tmp_path)
    model = flamingo.load(tmp_path / "flamingo.safetensors", given.model.lm)
    with step.averaged():
        for name, value in given.model.adapter().items():
            torch.testing.assert_close(model.adapter()[name], value.half().float())
    assert card["training"]["sequences"] == 2 * small.batch and card["config"] == vars(model.config)
    shipped, alone = (flamingo.load_eye(file) for file in (small.eye_file, tmp_path / "eye.safetensors"))
    assert all(torch.equal(value, alone.state_dict()[name]) for name, value in shipped.state_dict().items())
    shipped_card = flamingo.pretrained()[3]["metrics"]
    assert card["metrics"].keys() == shipped_card.keys() and all(
        card["metrics"][split].keys() == shipped_card[split].keys() for split in card["metrics"] if split != "items"
    )
    assert len(card["limits"]) == 4
