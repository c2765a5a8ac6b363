"""Lab 04's own parts: its solutions against the library's, its blind test, what a claim of it hangs on."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from squint.checks.lab04 import CHECKS
from squint.nn.attention import causal_attention
from squint.text.sampling import next_token_probabilities
from squint.viz import blind

SOLUTIONS = {name: check.reference for name, check in CHECKS.items()}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 12), st.floats(0.2, 3), st.floats(0.05, 1), st.integers(1, 14))
def test_drawing_is_the_librarys(seed, pieces, temperature, top_p, top_k):
    scores = 3 * torch.randn(3, pieces, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).float()
    ours = SOLUTIONS["to_draw_from"](scores, temperature, top_k, top_p)
    torch.testing.assert_close(ours, next_token_probabilities(scores, temperature, top_k, top_p))
    assert ((ours > 0).sum(dim=-1) <= top_k).all()


@pytest.mark.parametrize("cuts", [[7], [3, 4], [1, 1, 5]])
def test_attention_with_a_memory_is_causal_attention(cuts):
    torch.manual_seed(0)
    parts = [torch.randn(2, 3, 7, 4) for _ in range(3)]
    past, seen = None, []
    for query, key, value in zip(*(each.split(cuts, dim=-2) for each in parts), strict=True):
        found, past = SOLUTIONS["attend"](query, key, value, past)
        seen.append(found)
    torch.testing.assert_close(torch.cat(seen, dim=-2), causal_attention(*parts))
    torch.testing.assert_close(past, tuple(parts[1:]))


@pytest.mark.parametrize(
    ("right", "asked", "low", "high"), [(8, 12, 0.349, 0.901), (0, 12, 0, 0.265), (6, 6, 0.541, 1)]
)
def test_the_interval_is_clopper_and_pearsons(right, asked, low, high):
    assert blind.interval(right, asked) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize(("right", "asked"), [(1, 0), (5, 4), (-1, 3)])
def test_no_interval_of_nonsense(right, asked):
    with pytest.raises(ValueError, match="make no share"):
        blind.interval(right, asked)


def test_the_blind_test_keeps_score_and_hides_its_answers():
    test = blind.BlindTest([("She <saw>", "a\nman"), ("He", "went"), ("It", "was")], [True, False, True])
    assert "Nothing" in test.score()
    text, buttons, said = test.widget().children
    by_person, by_model = buttons.children
    assert "&lt;saw&gt;" in text.value and "a<br>man" in text.value and "1 of 3" in text.value
    by_model.click()
    assert test.right == 1 and "Right: the model wrote it" in said.value and "1 of 1" in test.score()
    by_model.click()
    assert test.right == 1 and "No: a person wrote it" in said.value
    by_person.click()
    assert test.guesses == {0: True, 1: True, 2: False} and "1 of 3" in test.score()
    assert by_person.disabled and by_model.disabled and not text.value
    listed, answers = test.on_paper().split("<details>")
    assert listed.count("<li>") == 3 and "The model wrote 1, 3;" in answers and "model" not in listed
