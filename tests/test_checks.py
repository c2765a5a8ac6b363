"""The checks are tested themselves: for every exercise of every lab, what must pass passes and what must fail fails.

What an author owes an exercise is collected here, so a new lab is held to it by adding its file to checks/.
"""

import importlib
import pkgutil

import pytest
import torch
from torch import nn

import squint.checks
from squint.checks import engine, lab02
from squint.checks.engine import Case, Check
from squint.nn import attention

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


@pytest.mark.slow
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


@pytest.mark.slow
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


# ---------------------------------------------------------------- lab 02, as learners write it


def masked(query, key, value, mask, fill):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    return (scores if mask is None else scores.masked_fill(~mask, fill)).softmax(dim=-1) @ value


def by_numpy(query, key, value, mask=None):
    return masked(*(torch.from_numpy(x.numpy()) for x in (query, key, value)), mask, -torch.inf).numpy()


def written(**rows):
    """A w_query: the identity, but for some rows."""
    matrix = torch.eye(7)
    for name, entries in rows.items():
        for column, entry in entries.items():
            matrix[getattr(lab02, name), column] = entry
    return matrix


class Dropout(lab02._Written):
    def attend(self, query, key, value, mask):
        return nn.functional.dropout(super().attend(query, key, value, mask), 0.1, self.training)


class DetachedWeights(lab02._Written):
    def attend(self, query, key, value, mask):
        return super().attend(query.detach(), key, value, mask)


class OneLayerForTwo(lab02._Written):
    def project(self, x, context):
        return self.q(x), self.k(context), self.k(context)


class UnscaledWithoutBiases(lab02._NeverScales):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim, bias=False) for _ in range(4))


THING, ALIVE, PLACE, STANDS_IN = lab02.THING, lab02.ALIVE, lab02.PLACE, lab02.STANDS_IN
FURTHER = [
    ("attention_weights", lambda q, k: (q @ k).softmax(-1), "transposed"),
    ("scaled_dot_product", by_numpy, "no gradient comes back"),
    ("scaled_dot_product", lambda q, k, v, mask=None: masked(q.detach(), k, v, mask, -torch.inf), "Stay in torch"),
    ("scaled_dot_product", lambda q, k, v, mask: masked(q, k, v, mask, -torch.inf), "keep the default"),
    ("scaled_dot_product", lambda q, k, v, mask=None: masked(q, k, v, mask, -50), "not low enough"),
    ("split_heads", lambda x, heads: attention.split_heads(x, heads).detach(), "Stay in torch"),
    ("split_heads", lambda x, heads: attention.split_heads(torch.from_numpy(x.numpy()), heads), "no gradient"),
    ("join_heads", lambda x: attention.join_heads(x).detach().numpy(), "no gradient"),
    ("join_heads", lambda x: x.transpose(1, 2).view(*x.shape[::2], -1), "use reshape"),
    ("w_query", "the animal", "it is a string"),
    ("w_query", torch.ones(7), "a single row"),
    ("w_query", torch.eye(12), "shape (12, 12)"),
    ("w_query", {"thing": 10}, "it is a dict"),
    ("w_query", written(STANDS_IN={6: 10.0}), "“it” gives 0% to its animal"),
    ("w_query", written(STANDS_IN={5: 10.0}), "goes to “tired”"),
    ("w_query", written(STANDS_IN={ALIVE: 10.0, PLACE: 10.0}), lab02.A_PLACE),
    ("w_query", written(THING={STANDS_IN: 10.0}), lab02.SIDEWAYS),
    ("w_query", 10 * torch.eye(7), lab02.LOUD),
    ("MultiHeadAttention", Dropout, "In training mode"),
    ("MultiHeadAttention", DetachedWeights, "no gradient comes back to it"),
    ("MultiHeadAttention", OneLayerForTwo, "`v.weight` is made in __init__ and has no effect"),
    ("MultiHeadAttention", UnscaledWithoutBiases, "There is no scale"),
]


@pytest.mark.parametrize(("exercise", "answer", "said"), FURTHER)
def test_further_wrong_answers_of_lab_02_get_the_right_sentence(exercise, answer, said):
    verdict = engine.judge(lab02.CHECKS[exercise], answer)
    assert not verdict.passed
    assert said in verdict.hint, verdict.hint


def test_a_matrix_that_is_a_parameter_comes_back_as_a_tensor_that_can_be_drawn():
    answer = nn.Parameter(lab02.by_hand({THING: 10.0, ALIVE: 10.0}))
    verdict = engine.judge(lab02.CHECKS["w_query"], answer)
    assert verdict.passed
    verdict.usable.numpy()


@pytest.mark.parametrize("exercise", ["attention_weights", "scaled_dot_product", "padding_mask", "sinusoidal",
                                      "split_heads", "join_heads"])  # fmt: skip
def test_sizes_differ_in_the_first_case_so_that_messages_about_shapes_name_the_right_axis(exercise):
    case = lab02.CHECKS[exercise].cases(0)[0]
    shape = lab02.CHECKS[exercise].reference(*case.args).shape
    assert len(set(shape)) == len(shape)
    assert 1 not in shape or exercise == "padding_mask"
