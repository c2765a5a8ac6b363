"""The checks are tested themselves: for every exercise of every lab, what must pass passes and what must fail fails.

What an author owes an exercise is collected here, so a new lab is held to it by adding its file to checks/.
"""

import importlib
import pkgutil

import pytest
import torch

import squint.checks
from squint.checks import engine
from squint.checks.engine import Case, Check

LABS = sorted(m.name for m in pkgutil.iter_modules(squint.checks.__path__) if m.name.startswith("lab"))
EXERCISES = [
    pytest.param(check, id=f"{lab}-{name}")
    for lab in LABS
    for name, check in importlib.import_module(f"squint.checks.{lab}").CHECKS.items()
]
WRONG = [
    pytest.param(check, hint, id=f"{lab}-{name}-{i}")
    for lab in LABS
    for name, check in importlib.import_module(f"squint.checks.{lab}").CHECKS.items()
    for i, hint in enumerate(check.misconceptions)
]
RIGHT = [
    pytest.param(check, answer, id=f"{lab}-{name}-{i}")
    for lab in LABS
    for name, check in importlib.import_module(f"squint.checks.{lab}").CHECKS.items()
    for i, answer in enumerate((check.reference, *check.also_right))
]


def test_there_are_labs():
    assert LABS[:3] == ["lab00", "lab01", "lab02"]


@pytest.mark.parametrize(("check", "answer"), RIGHT)
@pytest.mark.parametrize("seed", [0, 1])
def test_right_answers_pass(check: Check, answer, seed: int):
    verdict = engine.judge(check, answer, seed=seed)
    assert verdict.passed, verdict


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass_on_a_gpu(check: Check, answer):
    verdict = engine.judge(check, answer, device=torch.device("cuda"))
    assert verdict.passed, verdict


@pytest.mark.parametrize(("check", "hint"), WRONG)
def test_a_misconception_gets_its_own_hint(check: Check, hint: str):
    verdict = engine.judge(check, check.misconceptions[hint])
    assert verdict.verdict == "failed", verdict
    assert verdict.hint == hint


@pytest.mark.parametrize("check", EXERCISES)
def test_an_exercise_has_what_it_owes(check: Check):
    assert len(check.misconceptions) >= 3
    assert len(check.also_right) >= 2
    assert len(check.hints) == 3 and all(len(h.strip()) > 10 for h in check.hints)
    assert all(len(hint) > 25 and hint.endswith((".", "?", ")")) for hint in check.misconceptions)
    cases = check.cases(0)
    assert len(cases) >= 2 and all(case.label for case in cases)
    assert len({case.label for case in cases}) == len(cases), "labels tell the cases apart"
    for law in check.properties:
        assert law.__doc__, f"{law} has no docstring to name it"


@pytest.mark.parametrize("check", EXERCISES)
def test_the_stub_is_not_done_yet(check: Check):
    def stub(*args, **kwargs):
        raise NotImplementedError("your turn")

    class Stub(torch.nn.Module):
        def __init__(self, *args, **kwargs):
            raise NotImplementedError("your turn")

    answer = {"function": stub, "module": Stub, "value": ...}[check.kind]
    assert engine.judge(check, answer).verdict == "not-done"
    assert engine.judge(check, None).verdict == "not-done"


@pytest.mark.parametrize("check", EXERCISES)
def test_nonsense_fails_with_a_sentence_and_never_raises(check: Check):
    def forgets_to_return(*args, **kwargs):
        list(args)

    def crashes(*args, **kwargs):
        raise KeyError("oops")

    def leaves(*args, **kwargs):
        raise SystemExit

    for answer in (forgets_to_return, crashes, leaves, lambda *a, **k: "text", lambda *a, **k: torch.zeros(7, 3), 3.0,
                   torch.nn.Linear, object()):  # fmt: skip
        verdict = engine.judge(check, answer)
        assert not verdict.passed, (answer, verdict)
        assert verdict.verdict == "not-done" or verdict.hint


def _cast(value, dtype):
    if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
        return value.to(dtype)
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_cast(v, dtype) for v in value)
    return value


def _stride(value):
    """The same numbers, with every second place of a twice as large tensor: not contiguous."""
    if isinstance(value, torch.Tensor) and value.ndim:
        wide = torch.zeros(*value.shape[:-1], 2 * value.shape[-1], dtype=value.dtype)
        wide[..., ::2] = value
        return wide[..., ::2]
    return value


@pytest.mark.parametrize("change", [lambda v: _cast(v, torch.float64), _stride], ids=["float64", "non-contiguous"])
@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass_on_other_inputs(check: Check, answer, change):
    def cases(seed: int) -> list[Case]:
        return [
            Case(c.label, *map(change, c.args), init=c.init, **{k: change(v) for k, v in c.kwargs.items()})
            for c in check.cases(seed)
        ]

    other = Check(**{**check.__dict__, "cases": cases})
    verdict = engine.judge(other, answer)
    assert verdict.passed, verdict
