"""The checks are tested themselves: for every exercise of every lab, what must pass passes and what must fail fails.

What an author owes an exercise is collected here, so a new lab is held to it by adding its file to checks/, and its
answers, right and wrong, to tests/answers/.
"""

import ast
import difflib
import functools
import pkgutil
import random
import re
import time
from dataclasses import replace

import pytest
import torch
from cells import answered, answers, checks, define, is_named

import squint.checks
from squint.checks import diagnose, engine
from squint.checks.check import Case
from squint.checks.diagnose import Standard
from squint.checks.repair import Code, Repair
from squint.viz.blind import interval

LABS = sorted(m.name[3:] for m in pkgutil.iter_modules(squint.checks.__path__) if m.name.startswith("lab"))
EXERCISES = [pytest.param(lab, name, id=f"{lab}-{name}") for lab in LABS for name in checks(lab)]


@pytest.fixture
def patient(monkeypatch):
    """On a busy machine, as where tests run side by side, a search may take twice as long."""
    monkeypatch.setattr(diagnose, "SECONDS", 2 * diagnose.SECONDS)


def right_answers(lab: str, name: str) -> list:
    return [checks(lab)[name].reference, *answers(lab).RIGHT[name]]


def test_there_are_labs():
    assert LABS[:4] == ["00", "01", "02", "03"]


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_right_answers_pass(lab: str, name: str):
    for answer in right_answers(lab, name):
        for seed in (0, 1):
            verdict = engine.judge(checks(lab)[name], answer, seed=seed)
            assert verdict.passed, (answer, seed, verdict)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_right_answers_pass_on_a_gpu(lab: str, name: str):
    for answer in right_answers(lab, name):
        verdict = engine.judge(checks(lab)[name], answer, device=torch.device("cuda"))
        assert verdict.passed, (answer, verdict)


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
@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_right_answers_pass_on_other_inputs(lab: str, name: str, change):
    check = checks(lab)[name]

    def cases(seed: int) -> list[Case]:
        return [
            Case(c.label, *map(change, c.args), init=c.init, **{k: change(v) for k, v in c.kwargs.items()})
            for c in check.cases(seed)
        ]

    other = replace(check, cases=cases, kept={})
    for answer in right_answers(lab, name):
        verdict = engine.judge(other, answer)
        assert verdict.passed, (answer, verdict)


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_every_fragment_stands_once_in_the_solution(lab: str, name: str):
    check = checks(lab)[name]
    code = check.solution.code
    for mistake in check.misconceptions:
        if mistake.version is None and code.count(mistake.right) != 1:
            near = difflib.get_close_matches(mistake.right, code.splitlines(), n=1, cutoff=0)
            pytest.fail(
                f"lib/squint/checks/lab{lab}.py, {name}: the fragment {mistake.right!r} stands {code.count(mistake.right)} "
                f"times in the solution, not once. The nearest line is: {near[0].strip() if near else '(none)'}"
            )


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_every_mistake_with_a_name_gets_its_own_sentence_and_no_other(lab: str, name: str):
    check = checks(lab)[name]
    standard = Standard(check, 0, None)
    for mistake in check.misconceptions:
        made = standard.made(mistake)
        assert made is not None, f"{mistake.right!r} → {mistake.wrong!r} cannot be made"
        verdict = engine.judge(check, made.subject)
        assert (verdict.verdict, verdict.hint) == ("failed", mistake.sentence), f"{mistake.right!r} → {mistake.wrong!r}"


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_two_mistakes_at_different_places_are_told_both_or_at_least_one(lab: str, name: str, patient):
    """Of pairs of named edits, each made as an answer whose text is not known.

    Such an answer is told only what computes the same everywhere, so two that amount to a third are told that one.
    """
    check, silent = checks(lab)[name], []
    sentences = [mistake.sentence for mistake in check.misconceptions]
    pairs = list(Standard.of(check, 0, None).pairs())
    for pair, trial in random.Random(0).sample(pairs, min(len(pairs), 12)):
        hint = engine.judge(check, trial.subject).hint or ""
        if not any(sentence in hint for sentence in sentences):
            silent.append((pair, hint))
    assert len(silent) <= 1, silent


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_wrong_answers_are_told_what_is_wrong(lab: str, name: str, patient):
    for exercise, source, said in answers(lab).WRONG:
        if exercise == name:
            answer = answered(lab, name, source) if isinstance(source, str) else source
            verdict = engine.judge(checks(lab)[name], answer)
            assert not verdict.passed, source
            assert said in (verdict.hint or ""), (source, verdict.hint)


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_an_exercise_has_what_it_owes(lab: str, name: str):
    check = checks(lab)[name]
    assert len(check.misconceptions) >= 3
    assert len(answers(lab).RIGHT[name]) >= 2
    assert len(check.steps) == 3 and all(len(step.strip()) > 10 for step in check.steps)
    sentences = [mistake.sentence for mistake in check.misconceptions]
    assert len(set(sentences)) == len(sentences)
    assert all(len(sentence) > 20 and sentence.endswith((".", "?", ")")) for sentence in sentences)
    cases = check.cases(0)
    assert len(cases) >= 2 and all(case.label for case in cases)
    assert len({case.label for case in cases}) == len(cases), "labels tell the cases apart"
    for law in check.laws:
        assert law.__doc__, f"{law} has no docstring to name it"


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_the_code_of_the_last_hint_is_the_solution(lab: str, name: str):
    check = checks(lab)[name]
    lines = [line.strip() for line in check.steps[2].splitlines() if line.strip()]
    assert all(line in check.solution.code for line in lines)
    assert not any("###" in line or re.fullmatch(r"(.*= )?\.\.\.", line) for line in lines)


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_the_stub_is_not_done_yet(lab: str, name: str):
    def stub(*args, **kwargs):
        raise NotImplementedError("your turn")

    class Stub(torch.nn.Module):
        def __init__(self, *args, **kwargs):
            raise NotImplementedError("your turn")

    check = checks(lab)[name]
    answer = {"function": stub, "module": Stub, "value": ...}[check.kind]
    assert engine.judge(check, answer).verdict == "not-done"
    assert engine.judge(check, None).verdict == "not-done"


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_nonsense_fails_with_a_sentence_and_never_raises(lab: str, name: str):
    def forgets_to_return(*args, **kwargs):
        list(args)

    def crashes(*args, **kwargs):
        raise KeyError("oops")

    def leaves(*args, **kwargs):
        raise SystemExit

    for answer in (forgets_to_return, crashes, leaves, lambda *a, **k: "text", lambda *a, **k: torch.zeros(7, 3), 3.0,
                   torch.nn.Linear, object()):  # fmt: skip
        verdict = engine.judge(checks(lab)[name], answer)
        assert not verdict.passed, (answer, verdict)
        assert verdict.verdict == "not-done" or verdict.hint


# ---------------------------------------------------------------- slips that nobody wrote down


@functools.cache
def codes(lab: str, name: str) -> list[tuple[Code, list[Repair]]]:
    """The right answers to an exercise as code, each with the slips that can be put into it."""
    found = [Code.of_solution(checks(lab)[name].solution), *filter(None, map(Code.of, answers(lab).RIGHT[name]))]
    return [(code, [change for change in code.repairs() if change.cost < 1.6]) for code in found]


def slipped(lab: str, name: str, chance: random.Random, slips: int):
    """A right answer with so many slips put in, as a cell that a learner may have written; None if it cannot be made."""
    code, likely = chance.choice(codes(lab, name))
    backs = [chance.choice(likely).put() for _ in range(slips)]
    try:
        source = "\n".join(ast.unparse(definition) for definition in code.definitions)
        return define(source, code.name, code.names)
    except Exception:
        return None
    finally:
        for back in reversed(backs):
            back()


def shares_of_slips(slips: int, tries: int) -> tuple[int, list[float], list[str]]:
    """So many answers of all labs with slips put in: how many were named, what each took, and the others."""
    chance, named, took, missed = random.Random(slips), 0, [], []
    everywhere = [(lab, name) for lab in LABS for name in checks(lab) if checks(lab)[name].kind == "function"]
    while len(took) < tries:
        lab, name = chance.choice(everywhere)
        check = checks(lab)[name]
        answer = slipped(lab, name, chance, slips)
        if answer is None:
            continue
        before = time.thread_time()
        verdict = engine.judge(check, answer)
        if verdict.passed:  # the slip changes nothing: then it must change nothing anywhere
            again = [engine.judge(check, answer, seed=seed).passed for seed in (1, 2)]
            assert all(again), (lab, name, again)
            continue
        if verdict.verdict in ("timeout", "not-done"):
            continue
        took.append(time.thread_time() - before)
        if is_named(check, verdict.hint, verdict.correction) or verdict.verdict == "error":
            named += 1
        else:
            missed.append(f"{lab} {name}: {verdict.hint}")
    return named, took, missed


@pytest.mark.slow
@pytest.mark.parametrize(("slips", "tries", "least"), [(1, 60, 0.9), (2, 30, 0.7)])
def test_slips_that_nobody_wrote_down_are_found(slips: int, tries: int, least: float):
    """Drawn at random, so a share is known within its exact interval only, which must reach what is promised."""
    named, took, missed = shares_of_slips(slips, tries)
    median = sorted(took)[tries // 2]
    print(f"{slips} slip{'s' * (slips > 1)}: {named} of {tries} named ({named / tries:.0%}), median {median:.2f} s")
    assert interval(named, tries)[1] >= least, "\n".join(missed)
    assert slips > 1 or median < 1
