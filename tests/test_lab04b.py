"""Lab 04b's own parts: its solutions held to laws and to scipy, and the recipe of its table, which runs its cells."""

import json
import re
import sys
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from squint.checks.lab04b import CHECKS, DELIMITER, EXTRACT, START
from squint.data import catalogue

sys.path.insert(0, str(catalogue.CHECKOUT / "data/recipes"))

import labels as recipe  # noqa: E402

SOLUTIONS = {name: check.reference for name, check in CHECKS.items()}
SHIPPED = json.loads(catalogue.path("gpt_small/labels.json").read_text("utf-8"))
TEXT = st.lists(st.integers(2, 5_999), max_size=6)


@given(st.sampled_from(["one", "pair", "choice"]), st.lists(TEXT, min_size=5, max_size=5))
def test_a_row_has_one_start_one_end_and_every_text(kind, texts):
    texts = texts[: {"one": 1, "pair": 2, "choice": 5}[kind]]
    rows = SOLUTIONS["layout"](kind, texts)
    assert len(rows) == {"one": 1, "pair": 2, "choice": 4}[kind]
    wanted = {"one": [texts], "pair": [texts, texts[::-1]], "choice": [[texts[0], answer] for answer in texts[1:]]}
    for row, parts in zip(rows, wanted[kind], strict=True):
        assert row[0] == START and row[-1] == EXTRACT and row.count(DELIMITER) == len(parts) - 1
        middle = row[1:-1]
        cut = middle.index(DELIMITER) if DELIMITER in middle else len(middle)
        assert [middle[:cut], middle[cut + 1 :]][: len(parts)] == parts


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=8))
def test_the_interval_is_students(values):
    found = SOLUTIONS["interval"](values)
    spread = stats.sem(values)
    wanted = stats.t.interval(0.95, len(values) - 1, sum(values) / len(values), spread) if spread else [values[0]] * 2
    assert found == pytest.approx(tuple(wanted), rel=1e-3, abs=1e-3 + 1e-3 * spread)


@given(
    st.lists(st.text("ab ,", max_size=30), max_size=4),
    st.lists(st.text("ab ,", max_size=30), max_size=3),
    st.integers(1, 4),
)
def test_a_leak_is_a_run_of_words_in_one_text(tests, training, n):
    def words(text):
        return f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} "

    def runs(text):
        parts = words(text).split()
        return [f" {' '.join(parts[i : i + n])} " for i in range(len(parts) - n + 1)]

    brute = [any(run in words(text) for run, text in product(runs(test), training)) for test in tests]
    assert SOLUTIONS["leaks"](tests, training, n) == brute


def test_the_order_of_a_pair_changes_nothing():
    torch.manual_seed(0)
    features, head = torch.randn(5, 2, 8), torch.nn.Linear(8, 3)
    found = SOLUTIONS["log_probabilities"]("pair", features, head)
    torch.testing.assert_close(found, SOLUTIONS["log_probabilities"]("pair", features.flip(1), head))


def test_the_shipped_table_is_whole():
    rows, tasks = SHIPPED["rows"], list(SHIPPED["test"])
    assert set(SHIPPED["rates"]) == set(tasks)
    for task, start in product(tasks, recipe.STARTS):
        assert SHIPPED["rates"][task][start] == recipe.best(rows, task, start)
    keys = [{name: value for name, value in row.items() if name != "right"} for row in rows]
    assert keys == recipe.wanted(tasks, {}) + recipe.wanted(tasks, SHIPPED["rates"])
    assert all(0 <= row["right"] <= 100 for row in rows)


@pytest.mark.slow
def test_the_table_is_gone_on_with(tmp_path, monkeypatch):
    """Two steps a run; killed in the middle, it ends with the rows of one that was not."""
    for name, value in {"SIZES": (32,), "RATES": (1e-3,), "SEARCHES": 1, "DRAWS": 1}.items():
        monkeypatch.setattr(recipe, name, value)
    monkeypatch.setenv("SQUINT_DEVICE", "cpu")
    names = recipe.lab()
    monkeypatch.setattr(recipe, "lab", lambda: names)
    whole, cut, tried = tmp_path / "whole", tmp_path / "cut", []
    for home in (whole, cut):
        home.mkdir()
    recipe.learn(whole, smoke=True)
    plain = recipe.fine_tuned

    def killed(*arguments):
        tried.append(arguments)
        if len(tried) == 5:
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(recipe, "fine_tuned", killed)
    with pytest.raises(KeyboardInterrupt):
        recipe.learn(cut, smoke=True)
    recipe.learn(cut, smoke=True)
    assert (cut / "labels.json").read_text() == (whole / "labels.json").read_text()
    assert len(tried) == 12
