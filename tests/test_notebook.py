"""What a lab's first cell imports: that it shows, remembers and hands back the right thing, and never raises."""

import sys
import types

import pytest
import torch
from cells import solution

from squint import device, notebook
from squint.checks.engine import Case, Check, edits
from squint.viz import style


def double(x):
    return 2 * x


CHECKS = {
    "double": Check(
        lambda seed: [Case("three", torch.tensor([3.0]))],
        ("Think of two.", "Multiply."),
        edits({"2 * x": {"x * x": "You squared it."}}),
        solution=solution("double", "def double(x):\n    return 2 * x"),
    ),
    "half": Check(lambda seed: [Case("as it is")], ("nudge", "plan"), solution=solution("half", "half = 0.5")),
}


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, as mime bundles."""
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw=False, **kw: bundles.append(data))
    return bundles


@pytest.fixture
def lab(monkeypatch, shown):
    module = types.ModuleType("squint.checks.lab99")
    module.CHECKS = CHECKS
    monkeypatch.setitem(sys.modules, "squint.checks.lab99", module)
    monkeypatch.setenv("SQUINT_THREADS", "1")
    monkeypatch.setenv("SQUINT_DEVICE", "cpu")
    return notebook.begin("99_test")


def check_in(names, *args):
    """Call check() in a notebook whose names are `names`."""
    notebook._lab.names = names
    return notebook.check(*args)


def test_begin_says_what_it_found(lab, capsys):
    notebook.begin("99_test")
    assert capsys.readouterr().out.startswith("99_test · ⟨cpu, 1 thread, torch ")


def test_begin_knows_its_labs():
    with pytest.raises(ValueError, match="no lab called"):
        notebook.begin("77_nowhere")


def test_without_a_lab_one_sentence(monkeypatch):
    monkeypatch.setattr(notebook, "_lab", None)
    with pytest.raises(RuntimeError, match="set-up cell"):
        notebook.check("double")


def test_check_hands_back_what_works(lab, shown):
    mine = lambda x: x + x  # noqa: E731
    assert check_in({"double": mine}, "double")(torch.ones(1)) == 2
    assert shown[-1]["application/vnd.squint.check+json"] == {"exercise": "double", "verdict": "passed", "hint": None}
    assert shown[-1]["text/plain"] == "✓ double: 1 case right"
    assert check_in({"double": torch.square}, "double") is CHECKS["double"].reference
    assert shown[-1]["text/plain"].startswith("✗ double: You squared it.")
    assert "hint(&quot;double&quot;)" in shown[-1]["text/html"]


def test_check_takes_the_answer_itself(lab, shown):
    def anything(x):
        return x + x

    assert check_in({"double": anything}, anything) is not None
    assert shown[-1]["application/vnd.squint.check+json"]["verdict"] == "passed"
    assert check_in({}, 0.5, "half") == 0.5
    assert shown[-1]["application/vnd.squint.check+json"]["verdict"] == "passed"


def test_a_name_that_was_never_bound_and_one_that_is_no_exercise(lab, shown, capsys):
    assert check_in({}, "double") is CHECKS["double"].reference
    assert "there is no double yet" in shown[-1]["text/plain"]
    assert check_in({"other": 3}, "other") == 3
    assert "no exercise called 'other'" in capsys.readouterr().out


def test_the_courses_version_does_not_count_as_yours(lab, shown):
    stand_in = check_in({"double": torch.square}, "double")
    check_in({"double": stand_in}, "double")
    assert shown[-1]["application/vnd.squint.check+json"]["verdict"] == "not-done"
    assert lab.verdicts["double"].verdict == "failed"  # what was said of the learner's own answer stays


def test_a_small_number_of_the_courses_is_not_taken_for_the_learners(lab, shown, monkeypatch):
    monkeypatch.setitem(
        lab.checks, "three", Check(lambda seed: [Case("as it is")], ("a", "b"), solution=solution("three", "three = 3"))
    )
    stand_in = check_in({"three": 4}, "three")
    assert stand_in == 3
    check_in({"three": stand_in}, "three")
    assert "course's version" in shown[-1]["text/plain"]
    assert check_in({"three": 3}, "three") == 3
    assert shown[-1]["text/plain"].startswith("✓")


def test_hints_come_in_three_steps(lab, capsys):
    for words in ("Think of two.", "Multiply.", "return 2 * x", "return 2 * x"):
        notebook.hint("double")
        assert words in capsys.readouterr().out
    notebook.hint("double", 1)
    assert "Think of two." in capsys.readouterr().out
    notebook.hint("double", 9)
    assert "There are 3 hints" in capsys.readouterr().out
    notebook.hint("nothing")
    assert "no exercise called" in capsys.readouterr().out
    check_in({"double": double}, "double")
    notebook.hint()
    assert capsys.readouterr().out.splitlines() == [
        "Say for which exercise:", '  hint("half")', '  hint("double") (solved)',
    ]  # fmt: skip
    notebook.hint(double, 1)
    assert "Think of two." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "relation", "held", "said"),
    [
        (31.234, {"above": 29.8}, True, "✓ it is so: ⟨31.23⟩ > ⟨29.8⟩"),
        (1, {"above": 1}, False, "✗ it is so: ⟨1⟩ ≤ ⟨1⟩"),
        (1, {"at_least": 1}, True, "✓ it is so: ⟨1⟩ ≥ ⟨1⟩"),
        (torch.tensor(0.5), {"below": 0.25}, False, "✗ it is so: ⟨0.5⟩ ≥ ⟨0.25⟩"),
        (3, {"at_most": 2}, False, "✗ it is so: ⟨3⟩ > ⟨2⟩"),
        ("queen", {"equals": "queen"}, True, "✓ it is so: ⟨queen⟩ = ⟨queen⟩"),
        ("king", {"equals": "queen"}, False, "✗ it is so: ⟨king⟩ ≠ ⟨queen⟩"),
        (2.0, {"between": (1.7, 2.3)}, True, "✓ it is so: ⟨1.7⟩ ≤ ⟨2⟩ ≤ ⟨2.3⟩"),
        (1.0, {"near": (1.5, 0.2)}, False, "✗ it is so: ⟨1⟩ within ⟨0.2⟩ of ⟨1.5⟩"),
        (float("nan"), {"above": 0}, False, "✗ it is so: ⟨nan⟩ ≤ ⟨0⟩"),
        (3, {"above": 2, "control": {"shuffled": 1}}, True, "✓ it is so: ⟨3⟩ > ⟨2⟩; shuffled: ⟨1⟩"),
        (
            3,
            {"above": 2, "control": {"shuffled": 2.5}},
            False,
            "✗ it is so: ⟨3⟩ > ⟨2⟩; shuffled: ⟨2.5⟩, which fits as well",
        ),
        (
            3,
            {"above": 2, "control": {"shuffled": float("nan")}},
            False,
            "✗ it is so: ⟨3⟩ > ⟨2⟩; shuffled: ⟨nan⟩, which was not measured",
        ),
    ],
)
def test_claims(lab, shown, value, relation, held, said):
    assert notebook.claim("it is so", value, **relation) is None, "a cell that ends with a claim shows it once"
    assert shown[-1]["text/plain"] == said
    assert shown[-1]["application/vnd.squint.claim+json"]["held"] is held
    assert lab.claims["it is so"].held is held


def test_a_claim_needs_one_relation(lab):
    for relation in ({}, {"above": 1, "below": 2}, {"like": 1}):
        with pytest.raises(TypeError, match="takes one of"):
            notebook.claim("it is so", 1, **relation)


def test_a_claim_says_what_was_the_courses(lab, shown, capsys):
    check_in({"double": torch.square}, "double")
    notebook.claim("it is so", 1, above=0, paper="Ada 1843")
    whose = "(with the course's version of double)"
    assert shown[-1]["text/plain"] == f"✓ it is so: ⟨1⟩ > ⟨0⟩ (Ada 1843) {whose}"
    assert shown[-1]["application/vnd.squint.claim+json"]["course"] == ["double"]
    notebook.progress()
    assert f"  ✓ it is so {whose}" in capsys.readouterr().out.splitlines()
    check_in({"double": double}, "double")
    notebook.claim("it is so", 1, above=0)
    assert shown[-1]["text/plain"] == "✓ it is so: ⟨1⟩ > ⟨0⟩"
    assert "course" not in shown[-1]["application/vnd.squint.claim+json"]


@pytest.mark.parametrize(
    ("cells", "leans"),
    [
        (["x = 1", "claim(double(x))"], True),
        (["y = double(x)", "z = half + 1", "claim(y)"], True),
        (["def measure(x):\n    return double(x)", "claim(measure(2))"], True),
        (["fit(model, double)", "y = 1", "claim(model(2))"], True),
        (["fit(other, double)", "claim(model(2))"], False),
        (["y = double(x)", "y_else = 3", "claim(y_else)"], False),
        (["claim(half)", "y = double(x)", "claim(half)"], False),
        (["def report(y):\n    claim(y)", "report(half)"], True),
        ([], True),
        (["y = []", "for i in range(3):\n    y.append(double(i))", "claim(len(y))"], True),
        (["y = {}\ny['a'] = double(2)\nz = 3\nclaim(z)"], False),
        (["y = {}\ny['a'] = double(2)\nz = 3\nclaim(y)"], True),
    ],
)
def test_of_the_courses_versions_those_are_named_that_had_a_part(lab, cells, leans):
    check_in({"double": torch.square}, "double")
    notebook._lab.names = {"In": ["", *cells], "model": torch.nn.Linear(1, 1)}
    assert notebook._stood_in(lab) == ["double"] * leans


def test_progress_sums_up(lab, capsys):
    check_in({"double": double}, "double")
    notebook.claim("it is so", 1, above=0)
    capsys.readouterr()
    notebook.progress()
    assert capsys.readouterr().out.splitlines() == [
        "99_test: 1 of 2 exercises solved", "  ✓ double", "  ○ half", "1 of 1 claim held", "  ✓ it is so",
    ]  # fmt: skip


@pytest.mark.parametrize(("profile", "steps"), [("smoke", 3), ("cpu", 400), ("gpu", 4000)])
def test_budget(lab, profile, steps):
    lab.profile = profile
    assert notebook.budget(cpu=400, gpu=4000, smoke=3) == steps


def test_predict_waits_for_an_answer(lab):
    guess = notebook.predict("How many?", low=0, high=10)
    assert guess.value is None
    assert notebook.predict("Which?", choices=["a", "b"]).value is None
    with pytest.raises(ValueError, match="choices"):
        notebook.predict("Which?")


def test_a_guess_is_drawn_only_when_there_is_one(lab):
    import matplotlib.pyplot as plt

    _, axes = plt.subplots()
    style.draw_guess(axes, notebook.Prediction("?"))
    assert not axes.lines
    style.draw_guess(axes, notebook.Prediction("?", 3.0))
    assert len(axes.lines) == 1
    plt.close("all")


def test_a_figure_carries_its_alternative_text(lab, shown):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([0, 1])
    notebook.show(figure, alt='A line that goes "up".')
    assert 'alt="A line that goes &quot;up&quot;."' in shown[-1]["text/html"]
    assert shown[-1]["text/plain"] == 'figure: A line that goes "up".'
    assert not plt.get_fignums()


def test_a_figure_is_the_same_bytes_twice():
    import matplotlib.pyplot as plt

    def draw():
        figure, axes = plt.subplots()
        axes.plot([0, 1])
        data = style.png(figure)
        plt.close(figure)
        return data

    assert draw() == draw()


@pytest.mark.parametrize(("name", "value"), [("SQUINT_PROFILE", "fast"), ("SQUINT_THREADS", "many")])
def test_settings_that_make_no_sense_get_a_sentence(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name):
        device.profile(torch.device("cpu"))
        device.threads()


def test_what_is_tracked_comes_back():
    assert list(notebook.track(range(3), "counting")) == [0, 1, 2]
