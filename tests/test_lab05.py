"""Labs 05 and 05b's own parts: their solutions against the library's, and the tasks that are shown by examples."""

import json
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from squint.checks import lab05, lab05b
from squint.data import catalogue, tasks
from squint.models import llama
from squint.nn.attention import causal_mask
from squint.nn.grouped import GroupedQueryAttention
from squint.nn.positions import rotary, rotate
from squint.nn.transformer import RMSNorm, SwiGLU

sys.path.insert(0, str(catalogue.CHECKOUT / "data/recipes"))
import few_shot as recipe  # noqa: E402

SOLUTIONS = {name: check.reference for lab in (lab05, lab05b) for name, check in lab.CHECKS.items()}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 6), st.integers(1, 4))
def test_turning_is_the_librarys(seed, tokens, pairs, heads):
    x = torch.randn(heads, tokens, 2 * pairs, generator=torch.Generator().manual_seed(seed))
    table = rotary(tokens, 2 * pairs)
    angle = torch.atan2(table[1], table[0])[:, :pairs]
    torch.testing.assert_close(SOLUTIONS["rotate"](x, angle), rotate(x, table), atol=1e-5, rtol=1e-4)


def test_norm_and_network_are_the_librarys():
    torch.manual_seed(0)
    x, norm, network = torch.randn(2, 5, 6), RMSNorm(6, 1e-5), SwiGLU(6, 9)
    torch.nn.init.normal_(norm.gain)
    torch.testing.assert_close(SOLUTIONS["rms_norm"](x, norm.gain, 1e-5), norm(x))
    weights = network.gate.weight, network.widen.weight, network.narrow.weight
    torch.testing.assert_close(SOLUTIONS["swiglu"](x, *weights), network(x))


def test_grouped_attention_is_the_librarys():
    torch.manual_seed(0)
    attention = GroupedQueryAttention(12, 6, 2)
    query, key, value = torch.randn(2, 6, 4, 2), torch.randn(2, 2, 4, 2), torch.randn(2, 2, 4, 2)
    ours = SOLUTIONS["grouped_attention"](query, key, value, causal_mask(4).expand(2, -1, -1))
    wanted = attention.attend(query, key, value, None)
    torch.testing.assert_close(ours.transpose(1, 2).flatten(2), wanted)


@pytest.mark.parametrize(("heads", "pairs"), [(1, 3), (3, 4), (9, 32)])
def test_what_was_reordered_is_put_back(heads, pairs):
    weight = torch.randn(heads * pairs * 2, 5)
    assert torch.equal(llama.unpermute(llama.permute(weight, heads), heads), weight)
    assert torch.equal(SOLUTIONS["unpermute"](weight, heads), llama.unpermute(weight, heads))


def test_the_rival_fits_what_can_be_fitted():
    torch.manual_seed(0)
    xs, w, asked = torch.randn(4, 5, 3), torch.randn(4, 3, 1), torch.randn(4, 3)
    found = SOLUTIONS["least_squares"](xs, (xs @ w)[..., 0], asked)
    torch.testing.assert_close(found, (asked[:, None] @ w)[:, 0, 0], atol=1e-4, rtol=1e-3)


def test_the_tasks_are_what_their_recipe_makes():
    for name in recipe.TASKS:
        task = tasks.load()[name]
        made = json.loads(json.dumps(recipe.shuffled(name)))
        assert made == [[item.question, list(item.right)] for item in (*task.shots, *task.items)]


def test_no_item_of_a_task_is_shown():
    for task in tasks.load().values():
        asked, shown = ({item.question for item in part} for part in (task.items, task.shots))
        assert len(task.shots) == 20 and len(asked) == len(task.items) >= 50
        assert not asked & shown
        assert all(item.answer == item.right[0] and item.question not in item.right for item in task.items)


@pytest.mark.parametrize(("name", "labels"), [("sentiment", 2), ("kinds", 4)])
def test_labels_are_equally_frequent(name, labels):
    task = tasks.load()[name]
    assert len(task.labels) == labels
    for part in (task.shots, task.items, task.shots[:labels], task.shots[: 2 * labels]):
        counts = {label: sum(item.answer == label for item in part) for label in task.labels}
        assert len(set(counts.values())) == 1
