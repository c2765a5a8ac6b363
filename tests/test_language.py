"""The texts as books, counting as a language model, and the GPT that the course ships: held to its card."""

import math
import sys

import numpy as np
import pytest
import torch

from squint.data import books, catalogue, texts
from squint.models import gpt
from squint.text.bpe import END
from squint.text.ngram import KneserNey

sys.path.insert(0, str(catalogue.CHECKOUT / "data/recipes"))

import gpt as recipe  # noqa: E402


@pytest.mark.parametrize("name", books.NAMES)
def test_books_are_cut_and_nothing_is_lost(name):
    titles = [title for title, _ in books.books(name)]
    assert len(set(titles)) == len(titles) >= 6
    source = books.source(name)
    assert bool(source.book) == (name != "wordnet")
    whole = "".join(text for _, text in books.books(name))
    cut = source.train + source.ends + source.book
    assert sum(map(len, cut)) == len(whole)
    assert 0.03 < sum(map(len, source.ends)) / len(whole) < 0.07
    # Blank lines and printed lines apart, the books are the text.
    assert "".join(whole.split()) == "".join(texts.load(name).split())


def test_what_is_held_out_is_not_learned_from():
    for name in books.NAMES:
        source = books.source(name)
        learned = "\n".join(source.train)
        for held in [*source.book, *source.ends[:5]]:
            lines = [line for line in held.split("\n") if len(line) > 60]
            known = sum(line in learned for line in lines)
            assert known <= 0.1 * len(lines), (name, known, len(lines))


def test_a_text_cut_for_the_tokenizer_has_the_pieces_of_the_whole():
    pieces = gpt.pretrained()[1]
    text = books.source("shakespeare").ends[0] * 4
    assert books.encoded(pieces, [text])[0].tolist() == [*pieces.encode([text])[0], END]
    assert len(books.stream(pieces, "austen")) > 500_000


def test_kneser_ney_is_a_distribution_and_learns_what_there_is_to_learn():
    chance = np.random.default_rng(0)
    text = chance.integers(5, size=400)
    model = KneserNey(text, 5, order=3)
    for a, b in ((0, 1), (3, 3), (4, 2)):
        rows = np.array([[a, b, c] for c in range(5)])
        assert sum(model.probabilities(row)[0] for row in rows) == pytest.approx(1)
    pattern = np.tile([0, 1, 2, 3, 4, 2], 80)
    assert KneserNey(pattern, 5, order=3).probabilities(pattern[:60]).mean() > 0.9
    with pytest.raises(ValueError, match="do not fit"):
        KneserNey(text, 100_000, order=5)


def test_surprise_is_what_the_model_says_of_every_token():
    torch.manual_seed(0)
    model = gpt.GPT(gpt.Config(40, dim=16, heads=2, hidden=16, blocks=1, dropout=0.0, tokens=16)).eval()
    text = torch.randint(40, (50,))
    short = gpt.surprise(model, text[:12])
    logits = model(torch.cat([torch.tensor([END]), text[:11]])[None])[0]
    torch.testing.assert_close(short, torch.nn.functional.cross_entropy(logits, text[:12], reduction="none"))
    for stride in (None, 5, 16):
        found = gpt.surprise(model, text, stride)
        assert found.shape == text.shape
        torch.testing.assert_close(found[:16], gpt.surprise(model, text[:16]))
    # The last window begins ten tokens before it.
    last = torch.nn.functional.cross_entropy(model(text[None, -11:-1])[0, -1:], text[-1:])
    assert gpt.surprise(model, text)[-1].item() == pytest.approx(last.item(), rel=1e-4)


@pytest.mark.parametrize("name", ["gpt", "gpt_small"])
def test_a_shipped_gpt_fits_its_card(name):
    model, pieces, card = gpt.pretrained(name)
    assert model.parameter_count == card["parameters"] and len(pieces) == card["config"]["vocabulary"]
    assert card["made_by"] == f"recipes/{name}.py"
    for part, found in card["metrics"].items():
        assert found["bits_per_byte"] < found["ngram"], part


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "part"), [("gpt", "ends/austen"), ("gpt", "book/bible"), ("gpt_small", "ends/austen")]
)
def test_a_shipped_gpt_scores_what_its_card_says(name, part):
    model, pieces, card = gpt.pretrained(name)
    kept = card["metrics"][part]
    chosen = recipe.held_out(recipe.Settings())[part]
    rows = books.encoded(pieces, chosen)
    nats = [gpt.surprise(model, row) for row in rows]
    assert sum(map(len, rows)) == kept["tokens"]
    assert recipe.bits_a_byte(nats, chosen) == pytest.approx(kept["bits_per_byte"], abs=2e-3)
    assert math.isclose(torch.cat(nats).mean().item(), kept["loss"], abs_tol=2e-3)


def test_the_recipe_runs_and_is_gone_on_with(tmp_path):
    tiny = {"vocabulary": 300, "dim": 16, "heads": 2, "blocks": 1, "context": 16, "batch": 4, "books": 1, "warmup": 2}
    settings = recipe.Settings(**tiny, steps=6, save_every=2, judge_every=3)
    step, pieces, history = recipe.learn(settings, tmp_path / "whole")
    assert len(history.losses) == 6
    assert recipe.learn(settings, tmp_path / "cut", minutes=0)[2].interrupted
    assert recipe.learn(settings, tmp_path / "cut")[2].losses == pytest.approx(history.losses, abs=1e-5)
    card = recipe.export(settings, step, pieces, 6, tmp_path / "whole")
    assert card["training"]["steps"] == 6 and len(card["samples"]) == 12
    assert {"loss", "bits_per_byte", "ngram"} <= card["metrics"]["ends/austen"].keys()
