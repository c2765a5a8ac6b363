"""Lab 02: the course's own attention is the lab's, and what a check hands on can be used."""

import functools
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from squint import device
from squint.checks import engine
from squint.checks.lab02 import CHECKS
from squint.nn import attention, positions

SOURCE = Path(__file__).resolve().parents[1] / "solutions" / "02_attention.py"
SAME = {
    "scaled_dot_product": attention.scaled_dot_product,
    "padding_mask": attention.padding_mask,
    "causal_mask": attention.causal_mask,
    "split_heads": attention.split_heads,
    "join_heads": attention.join_heads,
    "MultiHeadAttention": attention.MultiHeadAttention,
    "sinusoidal": positions.sinusoidal,
}


@pytest.mark.parametrize("exercise", SAME)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_library_does_what_the_lab_does(exercise: str, seed: int):
    verdict = engine.judge(CHECKS[exercise], SAME[exercise], seed=seed)
    assert verdict.passed, verdict


def test_the_librarys_weights_are_the_labs_with_a_scale():
    for case in CHECKS["attention_weights"].cases(0):
        query, key = case.args
        want = CHECKS["attention_weights"].reference(query / query.shape[-1] ** 0.5, key)
        assert torch.allclose(attention.attention_weights(query, key), want)


def test_a_matrix_that_is_a_parameter_comes_back_as_a_tensor_that_can_be_drawn():
    verdict = engine.judge(CHECKS["w_query"], nn.Parameter(CHECKS["w_query"].reference))
    assert verdict.passed
    verdict.usable.numpy()


@pytest.mark.parametrize("exercise", ["attention_weights", "scaled_dot_product", "padding_mask", "sinusoidal",
                                      "split_heads", "join_heads"])  # fmt: skip
def test_sizes_differ_in_the_first_case_so_that_messages_about_shapes_name_the_right_axis(exercise):
    case = CHECKS[exercise].cases(0)[0]
    shape = CHECKS[exercise].reference(*case.args).shape
    assert len(set(shape)) == len(shape)
    assert 1 not in shape or exercise == "padding_mask"


def test_a_thread_s_own_time_does_not_count_what_others_do():
    sleep = functools.partial(time.sleep, 0.02)
    assert device.seconds(sleep) >= 0.02
    if device.pick().type == "cpu":
        assert device.seconds(sleep, of_thread=True) < 0.01
