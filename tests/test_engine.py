"""The engine itself, on tiny exercises: what passes, what fails, and with which sentence."""

import math
import os
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from cells import define, solution
from einops import rearrange
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from squint.checks import compare, engine, laws, modules, run
from squint.checks.engine import Case, Check, edits, judge

HINTS = ("a nudge of a hint", "a plan of a hint")


def attend(query, key, value, mask=None):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1) @ value


def unscaled(query, key, value, mask=None):
    return attend(query * query.shape[-1] ** 0.5, key, value, mask)


def cases(seed):
    g = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(*s, generator=g) for s in ((2, 6), (3, 6), (3, 5)))
    mask = torch.tensor([[True, True, False], [True, False, False]])
    return [Case("two queries, three keys", q, k, v), Case("a mask", q, k, v, mask=mask)]


def stays_in_range(fn, case):
    """An average lies between the smallest and the largest value."""
    out, value = fn(*case.args, **case.kwargs), case.args[2]
    return None if out.max() <= value.max() + 1e-5 else "The average is larger than every value."


CHECK = Check(
    cases,
    HINTS,
    edits({
        " / query.shape[-1] ** 0.5": {"": "No scale."},
        "softmax(-1)": {"softmax(-2)": "Over queries."},
        "~mask": {"mask": "The mask is inverted."},
    }, {"The values alone.": lambda query, key, value, mask=None: value.mean(0).expand(len(query), -1)}),
    [stays_in_range],
    solution=solution(attend),
)  # fmt: skip


def verdict(answer, check=CHECK):
    return judge(check, answer)


@pytest.mark.parametrize(
    "answer",
    [
        attend,
        lambda a, b, c, m=None: attend(a, b, c, m),
        lambda query, key, value, mask=None: attend(query, key, value, mask).double(),
        lambda query, key, value, mask=None: attend(query, key, value, mask).numpy(),
        lambda query, key, value, mask=None: attend(query, key, value, mask).tolist(),
        lambda query, key, value, mask=None: attend(query.clone().mul_(1.0), key, value, mask),
    ],
)
def test_right_answers_in_other_forms_pass(answer):
    got = verdict(answer)
    assert got == engine.Verdict("passed", None, 2, 1, got.note)
    query, key, value = cases(0)[0].args
    plain = isinstance(answer(query, key, value), torch.Tensor)
    assert plain == (got.note is None) and (plain or "turn it into a tensor of float32" in got.note)
    assert torch.allclose(got.usable(query, key=key, value=value, mask=None), attend(query, key, value))
    query, key, value = query.double(), key.double(), value.double()
    assert got.usable(query, key, value=value).dtype == torch.float64


def test_a_misconception_is_named():
    assert verdict(unscaled).hint == "No scale."
    assert verdict(lambda q, k, v, m=None: v.mean(0).expand(len(q), -1)).hint == "The values alone."


def test_a_misconception_with_an_error_of_its_own_besides_is_not_misnamed():
    def both(query, key, value, mask=None):
        return unscaled(query, key, value, mask) + 1

    assert verdict(both).hint not in [mistake.sentence for mistake in CHECK.misconceptions]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda q, k, v, mask=None: 2 * attend(q, k, v, mask), "2 times what it should be"),
        (lambda q, k, v, mask=None: -attend(q, k, v, mask), "wrong sign"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask) + 1, "+1 away"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask).mT, "swapped"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask)[None], "size one"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask) * torch.nan, "NaN"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask).flip(0), "reverse order"),
        (lambda q, k, v, mask=None: attend(q, k, v), "a mask"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask) > 0, "True and False"),
        (lambda q, k, v, mask=None: "text", "got a str"),
        (lambda q, k, v, mask=None: q @ k, "inner sizes must agree"),
        (lambda q: q, "in their order"),
        (lambda q, k, v, mask: attend(q, k, v, mask), "keep the default"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask).mT.view(-1), "use reshape"),
        (lambda q, k, v, mask=None: (attend(q, k, v, mask), 1)[:1][0].sum(), "shape ()"),
        (3, "should be a function"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask).bfloat16(), "too coarse"),
        (lambda q, k, v, mask=None: rearrange(q, "a b c -> a (b c)"), "Wrong shape: expected 3 dims"),
        (lambda q, k, v, mask=None: rearrange(q, "... d -> ... (d ...)"), "EinopsError"),
        (lambda q, k, v, mask=None: attend(q, k), "A call of yours leaves out an argument."),
        (lambda q, k, v, mask=None: attend(q, k, v, mask, 1), "A call of yours hands over more"),
        (lambda q, k, v, mask=None: attend(q, k, v, mask)(q), "was called as a function"),
        (lambda q, k, v, mask=None: nn.ModuleList([nn.Linear(4, 4)])(q), "take one of them"),
        (lambda q, k, v, mask=None: nn.Linear(4, 4)(q > 0), "hand it over by its name"),
    ],
)
def test_a_wrong_answer_gets_a_sentence_that_says_how(answer, said):
    got = verdict(answer)
    assert not got.passed
    assert said in got.hint, got.hint


def test_numbers_that_differ_are_shown_with_digits_that_differ():
    assert compare.difference(torch.tensor([0.13750001]), torch.tensor([0.137509]), 1e-6, 0) == (
        "1 of 1 entries differ, the first at [0]: got 0.1375, expected 0.13751."
    )


def test_short_lists_are_shown_whole():
    assert compare.difference([[3, 4, 2], [5]], [[3, 4], [5]], 0, 0) == "in part [0], got [3, 4, 2], expected [3, 4]."
    got, want = [([1], 0.5), ([3, 5], 1.0)], [([1], 0.5), ([4, 5], 1.0)]
    assert compare.difference(got, want, 0, 0) == "in part [1][0], got [3, 5], expected [4, 5]."


def in_order(words, turned):
    return sorted(words, reverse=turned)


WORDS = Check(
    lambda seed: [Case("two words", ["b", "a"], False), Case("turned round", ["b", "c", "a"], True)],
    HINTS,
    solution=solution(in_order),
)


def test_a_list_that_is_changed_in_place_is_noticed_and_copied():
    def answer(words, turned):
        words.sort(reverse=turned)
        return words

    got, words = judge(WORDS, answer), ["b", "a"]
    assert got.passed and "in place" in got.note
    assert got.usable(words, False) == ["a", "b"] and words == ["b", "a"]
    assert judge(WORDS, in_order).note is None


def test_none_in_one_case_is_said_to_be_in_that_case():
    hint = judge(WORDS, lambda words, turned: None if turned else sorted(words)).hint
    assert "turned round" in hint and "returned None" in hint
    assert "Is the `return` missing?" in judge(WORDS, lambda words, turned: print(words)).hint


def test_an_answer_that_changes_its_input_gets_copies_that_keep_the_gradient():
    def in_place(x, scale):
        x *= 2
        return scale(x).exp()

    code = "def twice(x, scale):\n    return scale(2 * x).exp()"
    cases = lambda seed: [Case("a vector", torch.ones(3), torch.sin)]  # noqa: E731
    check = Check(cases, HINTS, solution=solution("twice", code))
    got = judge(check, in_place)
    assert got.passed and "in place" in got.note
    x = torch.ones(3, requires_grad=True)
    got.usable(x, torch.sin).sum().backward()
    assert torch.allclose(x.grad, 2 * torch.cos(torch.tensor(2.0)) * torch.sin(torch.tensor(2.0)).exp())


def test_a_function_that_forgets_to_return():
    def forgets(query, key, value, mask=None):
        attend(query, key, value, mask)

    assert "return" in verdict(forgets).hint


def test_a_law_is_tried_when_every_case_is_right():
    same = solution("same", "def same(x):\n    return x")
    low = Check(
        lambda s: [Case("a number", torch.ones(1))], HINTS, laws=[lambda f, c: "It never holds."], solution=same
    )
    assert judge(low, lambda x: x).hint == "It never holds."


@pytest.mark.parametrize("stub", [None, ..., lambda *a: ..., lambda *a: None])
def test_what_is_not_done(stub):
    assert verdict(stub).verdict == "not-done"


def test_half_a_scaffold_is_not_done():
    def scaffold(query, key, value, mask=None):
        scores = ...
        return scores @ value

    assert verdict(scaffold).verdict == "not-done"


def test_an_endless_loop_is_stopped(monkeypatch):
    monkeypatch.setattr(run, "TIME_LIMIT", 0.3)

    def endless(*args, **kwargs):
        while True:
            try:  # noqa: SIM105
                time.sleep(0.01)
            except:  # noqa: E722, SIM105  (an answer may do even this)
                pass

    start = time.monotonic()
    assert verdict(endless).verdict == "timeout"

    def endless_without_gradients(*args, **kwargs):
        with torch.no_grad():
            while True:
                pass

    assert verdict(endless_without_gradients).verdict == "timeout"
    assert torch.is_grad_enabled()
    assert time.monotonic() - start < 5


def test_a_library_is_let_finish_before_the_time_is_up():
    """As torch's modes: stopped between taking one off the stack and putting it back, a library would lose it."""
    library: dict = {}
    code = "def work():\n    on.append(1)\n    end = clock() + 0.2\n    while clock() < end: pass\n    on.pop()"
    exec(compile(code, "lib/site-packages/torch/modes.py", "exec"), library)
    library |= {"on": [], "clock": time.process_time}
    with pytest.raises(run.OutOfTime), run.time_limit(0.1, of_work=True):
        while True:
            library["work"]()
    assert library["on"] == []


def test_endless_recursion_and_exits_are_errors():
    def again(*args, **kwargs):
        return again(*args, **kwargs)

    def leaves(*args, **kwargs):
        raise SystemExit

    assert "calls itself" in verdict(again).hint
    assert verdict(leaves).verdict == "error"


def test_an_answer_cannot_spoil_the_cases():
    def spoils(query, key, value, mask=None):
        out = attend(query, key, value, mask)
        query.zero_()
        return out

    got = verdict(spoils)
    assert got.passed and "in place" in got.note


def test_what_an_answer_prints_is_swallowed(capsys):
    def chatty(query, key, value, mask=None):
        print("here")
        return attend(query, key, value, mask)

    assert verdict(chatty).passed
    assert capsys.readouterr().out == ""


def test_what_is_printed_below_python_is_swallowed_too(capfd):
    """LAPACK complains of infinities on the standard output, past `sys.stdout`."""

    def loud(query, key, value, mask=None):
        os.write(1, b"by a library")
        np.polyfit([1.0, np.inf], [1.0, 2.0], 1)

    print("before", flush=True)
    assert not verdict(loud).passed
    print("behind", flush=True)
    assert capfd.readouterr() == ("before\nbehind\n", "")


def test_random_numbers_outside_are_left_alone():
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    judge(CHECK, lambda q, k, v, mask=None: torch.rand(1))
    assert torch.equal(torch.rand(1), wanted)


# ---------------------------------------------------------------- slips in an answer's own lines


def told(
    body: str, check=CHECK, name: str = "attend", arguments: str = "query, key, value, mask=None"
) -> engine.Verdict:
    """What is said of an answer with these lines."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return judge(check, define(f"def {name}({arguments}):\n{lines}", name, {"torch": torch, "math": math}))


LONG = """
d = query.shape[-1]
scores = torch.einsum("qd,kd->qk", query, key) / math.sqrt(d)
if mask is not None:
    scores = scores.masked_fill(mask == False, -math.inf)
shares = (scores - scores.amax(1, keepdim=True)).exp()
shares = shares / shares.sum(1, keepdim=True)
return shares @ value
""".strip()  # fmt: skip


def test_the_long_way_is_right():
    assert told(LONG).passed


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        (
            "shares.sum(1, keepdim=True)",
            "shares.sum(0, keepdim=True)",
            "shares = shares /",
            "runs along the wrong axis",
        ),
        ("shares.sum(1, keepdim=True)", "shares.sum(1)", "shares = shares / shares.sum(1)", "drops the axis"),
        ("mask == False", "mask == True", "", "The mask is inverted."),
        ("-math.inf", "math.inf", "scores = scores.masked_fill(mask == False, math.inf)", "has the wrong sign"),
        ("qd,kd->qk", "qd,kd->kq", 'torch.einsum("qd,kd->kq"', "`q` and `k` are swapped"),
        ("math.sqrt(d)", "d", "", "a root is missing at"),
        ("shares @ value", "value @ shares", "return value @ shares", "the wrong way round"),
        ("return shares @ value", "return shares", "return shares", "a matrix product is missing"),
    ],
)
def test_a_slip_is_found_in_the_learner_s_own_line(right, wrong, line, said):
    got = told(LONG.replace(right, wrong))
    assert not got.passed
    assert line in got.hint and said in got.hint, got.hint


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"math.sqrt(d)": "1", "shares.sum(1,": "shares.sum(0,"}, ("No scale.", "runs along the wrong axis")),
        ({"shares.sum(1, keepdim=True)": "shares.sum(1)", "== False": "== True"}, ("drops the axis", "inverted")),
        (
            {"scores.amax(1, keepdim=True)": "scores.amax(1)", "shares.sum(1, keepdim=True)": "shares.sum(1)"},
            ("amax", "sum"),
        ),
    ],
)
def test_two_slips_are_both_told(changes, said):
    body = LONG
    for right, wrong in changes.items():
        body = body.replace(right, wrong)
    got = told(body)
    assert "two mistakes" in got.hint or "once more" in got.hint, got.hint
    assert all(words in got.hint for words in said), got.hint


def test_the_corrected_line_waits_for_the_hint():
    got = told(LONG.replace("shares.sum(1, keepdim=True)", "shares.sum(1)"))
    assert "keepdim=True" not in got.hint
    assert got.correction.endswith("shares = shares / shares.sum(1, keepdim=True)")


def test_a_line_inside_the_loop_is_found():
    code = "def total(x):\n    found = 0\n    for each in x:\n        found = found + each\n    return found"
    check = Check(lambda s: [Case("three", torch.tensor([1.0, 2.0, 4.0]))], HINTS, solution=solution("total", code))
    got = told("for each in x:\n    found = 0\n    found = found + each\nreturn found", check, "total", "x")
    assert "In your line `found = 0`" in got.hint and "starts anew in every round" in got.hint


def test_an_exception_is_told_from_where_it_arose():
    got = told("weights = (query @ key.T).softmax(-1)\nreturn value @ weights @ torch.zeros(7, 7)")
    assert "it raised RuntimeError" in got.hint and "`value` (3, 5) and `weights` (2, 3) meet" in got.hint


def test_things_that_cannot_be_compared_differ():
    check = Check(lambda s: [Case("one", 1)], HINTS, solution=solution("name", "def name(x):\n    return 'a'"))
    got = told("import numpy\nreturn numpy.ones(3)", check, "name", "x")
    assert not got.passed and got.hint


def test_a_search_that_breaks_leaves_the_verdict(monkeypatch):
    monkeypatch.setattr(engine, "diagnose", lambda *a: 1 / 0)
    assert "entries differ" in told("return query[:, :5] * 0 + 7").hint


def test_a_slow_answer_is_not_tried_for_minutes():
    began = time.monotonic()
    told("import time\ntime.sleep(0.05)\nreturn query")
    assert time.monotonic() - began < 15


# ---------------------------------------------------------------- values


def test_values():
    wrong = edits({"eye(2)": {"ones(2, 2)": "Ones."}})
    check = Check(lambda s: [Case("as it is")], HINTS, wrong, solution=solution("eye", "eye = torch.eye(2)"))
    assert judge(check, torch.eye(2)).passed
    assert judge(check, np.eye(2)).passed
    assert judge(check, [[1, 0], [0, 1]]).passed
    assert judge(check, torch.ones(2, 2)).hint == "Ones."
    parameter = judge(check, nn.Parameter(torch.eye(2))).usable
    assert type(parameter) is torch.Tensor and not parameter.requires_grad
    assert judge(check, ...).verdict == "not-done"
    assert "function" in judge(check, torch.eye).hint


def test_a_value_is_judged_by_what_it_does():
    check = Check(
        lambda s: [Case("its sign", 2.0)],
        HINTS,
        edits({"1.0": {"-1.0": "It points the other way."}}),
        solution=solution("one", "one = 1.0"),
        probe=lambda value, x: value * x,
        compare=lambda got, want, case: None if got > 0 else "It points the other way.",
    )
    assert judge(check, 17.0).passed
    assert judge(check, -3.0).hint == "It points the other way."
    assert not judge(check, "text").passed


# ---------------------------------------------------------------- modules


class Heads(nn.Module):
    scale = True

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x):
        query, key, value = (self.split(p(x)) for p in (self.query, self.key, self.value))
        return self.out((attend if self.scale else unscaled)(query, key, value).transpose(-2, -3).flatten(-2))

    def split(self, x):
        return x.view(*x.shape[:-1], self.heads, -1).transpose(-2, -3)


class Unscaled(Heads):
    scale = False


class OtherNames(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.h, self.last = heads, nn.Linear(dim, dim)
        self.three = nn.ModuleList([nn.Linear(dim, dim) for _ in range(3)])

    def forward(self, x):
        v, k, q = (m(x).unflatten(-1, (self.h, -1)).movedim(-2, -3) for m in self.three)
        return self.last(attend(q, k, v).movedim(-3, -2).flatten(-2))


class RawMatrices(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.h = heads
        self.w = nn.ParameterList([nn.Parameter(torch.zeros(dim, dim)) for _ in range(4)])
        self.b = nn.ParameterList([nn.Parameter(torch.zeros(dim)) for _ in range(4)])

    def forward(self, x):
        q, k, v = ((x @ self.w[i] + self.b[i]).unflatten(-1, (self.h, -1)).movedim(-2, -3) for i in (2, 0, 1))
        return attend(q, k, v).movedim(-3, -2).flatten(-2) @ self.w[3] + self.b[3]


class FourInOne(nn.Module):
    """One parameter for all matrices, heads interleaved, biases in a parameter of their own."""

    def __init__(self, dim, heads):
        super().__init__()
        self.h = heads
        self.w, self.b = nn.Parameter(torch.zeros(dim, 4, dim)), nn.Parameter(torch.zeros(4, dim))

    def forward(self, x):
        three = torch.einsum("...td,dne->n...te", x, self.w[:, 1:]) + self.b[1:].reshape(3, *[1] * (x.ndim - 1), -1)
        q, k, v = rearrange(three, "three ... t (part h) -> three ... h t part", h=self.h)
        return rearrange(attend(q, k, v), "... h t part -> ... t (part h)") @ self.w[:, 0].mT + self.b[0]


class HeadByHead(nn.Module):
    """A list of heads, each of which owns a fused layer for its query, key and value."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(dim, 3 * dim // heads) for _ in range(heads))
        self.last = nn.Linear(dim, dim)

    def forward(self, x):
        return self.last(torch.cat([attend(*head(x).chunk(3, dim=-1)) for head in self.heads], dim=-1))


class WithoutBiases(Heads):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.query, self.key, self.out = (nn.Linear(dim, dim, bias=False) for _ in range(3))


class Dropout(Heads):
    def forward(self, x):
        return nn.functional.dropout(super().forward(x), 0.1, self.training)


class Zeros(Heads):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


class Uninitialised(Heads):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.out.weight = nn.Parameter(torch.full((dim, dim), torch.nan))


class InputDetached(Heads):
    def forward(self, x):
        return super().forward(x.detach())


class WithANorm(Heads):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.norm = nn.LayerNorm(dim // 2)


class Detached(Heads):
    def split(self, x):
        return super().split(x.detach())


class WithoutGradient(Heads):
    def forward(self, x):
        return torch.tensor(super().forward(x).detach().numpy())


class UnusedLayer(Heads):
    def forward(self, x):
        query, key, value = (self.split(p(x)) for p in (self.query, self.key, self.value))
        return attend(query, key, value).transpose(-2, -3).flatten(-2)


class ListOfLayers(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.layers = [nn.Linear(dim, dim) for _ in range(4)]

    def forward(self, x):
        return self.layers[0](x)


class NoParameters(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.w = torch.eye(dim)

    def forward(self, x):
        return x @ self.w


class NoSuper(nn.Module):
    def __init__(self, dim, heads):
        self.out = nn.Linear(dim, dim)

    def forward(self, x):
        return self.out(x)


class Reversed(Heads):
    def forward(self, x):
        return super().forward(x.flip(-2))


def sequences(seed):
    g = torch.Generator().manual_seed(seed)
    draws = torch.randn(3, 8, generator=g), torch.randn(2, 3, 8, generator=g)
    return [Case("one", draws[0], init=(8, 2)), Case("batch", draws[1], init=(8, 4))]


MODULE = Check(
    sequences,
    HINTS,
    edits({}, {"No scale.": Unscaled}),
    solution=solution(Heads),
)


@pytest.mark.parametrize("answer", [Heads, OtherNames, RawMatrices, FourInOne, HeadByHead])
def test_modules_are_compared_whatever_their_parameters_are_called(answer):
    start = time.monotonic()
    got = judge(MODULE, answer)
    assert got.passed, got
    assert time.monotonic() - start < 5


def test_a_module_has_the_biases_that_the_text_asks_for():
    assert "`bias=False` is the wrong choice" in judge(MODULE, WithoutBiases).hint
    unknown = type("Unknown", (WithoutBiases,), {"forward": lambda self, x: Heads.forward(self, x)})
    assert judge(MODULE, Heads).note is None and not judge(MODULE, unknown).passed


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Dropout, "In training mode"),
        (Zeros, "start at zero"),
        (Uninitialised, "not finite"),
        (InputDetached, "no gradient comes back to the inputs"),
    ],
)
def test_a_module_is_held_to_what_it_does_when_it_is_used(answer, said):
    assert judge(MODULE, answer).passed
    held = replace(MODULE, laws=[laws.agrees_in_training, laws.starts_alive], kept={})
    assert judge(held, Heads).passed
    assert said in judge(held, answer).hint


def test_a_search_that_was_cut_short_says_so_and_not_that_the_answer_is_wrong(monkeypatch):
    monkeypatch.setattr(modules, "PATIENCE", 5)
    got = judge(MODULE, HeadByHead)
    assert got.verdict == "not-done"
    assert "cannot tell" in got.hint and "They may well be" in got.hint
    assert "shape (3, 2)" in judge(MODULE, nn.Linear).hint


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Unscaled, "No scale."),
        (NoParameters, "no parameters"),
        (NoSuper, "super().__init__()"),
        (nn.Linear, "shape (3, 2)"),
        (WithANorm, "is too much | 296 numbers"),
        (Detached, "`.detach(…)` is too much"),
        (WithoutGradient, "no gradient comes back to it"),
        (UnusedLayer, "`out.weight` is made in __init__ and has no effect"),
        (ListOfLayers, "nn.ModuleList"),
        (Reversed, "flip"),
        (attend, "class that inherits"),
    ],
)
def test_wrong_modules_get_their_sentence(answer, said):
    got = judge(MODULE, answer)
    assert not got.passed
    assert any(words in got.hint for words in said.split(" | ")), got.hint


# ---------------------------------------------------------------- comparison

floats = st.floats(-1e3, 1e3, allow_nan=False)


@given(st.lists(floats, min_size=1, max_size=6))
def test_a_thing_is_as_good_as_itself_in_every_form(numbers):
    want = torch.tensor(numbers, dtype=torch.float64)
    for got in (want, want.numpy(), numbers, tuple(numbers), want.float()):
        assert compare.difference(got, want, 1e-4, 1e-4) is None
    assert compare.difference(want, numbers, 1e-4, 1e-4) is None


@given(st.lists(floats, min_size=1, max_size=6), st.integers(0, 5), st.floats(0.1, 10))
def test_a_changed_entry_is_noticed(numbers, where, by):
    want = torch.tensor(numbers, dtype=torch.float64)
    got = want.clone()
    got[where % len(numbers)] += by
    assert compare.difference(got, want, 1e-5, 1e-5)


@pytest.mark.parametrize(
    ("got", "want"),
    [
        ([1, 2], [1, 2, 3]), ({"a": 1}, {"b": 1}), ("b", "a"), (1, "a"), (None, torch.ones(2)), (False, True),
        ([("a", 1.0)], [("a", 2.0)]),
        (torch.tensor(1), (torch.tensor([1.0]),)), (torch.tensor([1, 2]), torch.tensor([1, 3])), (math.nan, 1.0), (math.inf, 1.0),
        ({"a", "b"}, {"a"}), (torch.ones(2, dtype=torch.complex64), torch.ones(2)),
    ],
)  # fmt: skip
def test_differences_are_sentences(got, want):
    sentence = compare.difference(got, want, 1e-4, 1e-5)
    assert sentence and len(sentence) > 10


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (np.float32(1.5), 1.5), (torch.tensor([[1.5]]), 1.5), (1, True), ((1, [2.0]), [1, (2,)]), (np.str_("a"), "a"),
        (torch.ones(1), torch.tensor(1.0)), ({"a": torch.ones(2)}, {"a": [1, 1]}), (math.nan, math.nan), ({"a"}, {"a"}),
    ],
)  # fmt: skip
def test_forms_that_are_as_good(got, want):
    if isinstance(want, bool):
        assert compare.difference(got, want, 1e-4, 1e-5)  # but a number is no truth value
    else:
        assert compare.difference(got, want, 1e-4, 1e-5) is None
