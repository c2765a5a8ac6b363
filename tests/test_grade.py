"""Grading, on what learners do to notebooks: every case a verdict, none takes another's with it, and none can forge."""

import json
import random
import stat

import pytest
from course_tools import CHECK, NAME, built_course, cell, learner, save
from typer.testing import CliRunner

from squint.course import answers, cli, grade, ipynb
from squint.course.cli import app
from squint.course.project import CourseError

RIGHT = {
    "double": "def double(number):\n    return number + number",
    "square": "square = lambda x: x ** 2",
    "limit": "limit = 5 + 5",
}


def judged(project, notebook, **options) -> grade.Report:
    return grade.grade(save(notebook, project.work / f"{NAME}.ipynb"), project, **options)


def verdicts(report: grade.Report) -> dict[str, str]:
    return {id: one.verdict for id, one in report.exercises.items()}


def code_cell(source: str, id: str = "mine", **metadata) -> dict:
    return {"cell_type": "code", "id": id, "metadata": metadata, "source": source, "outputs": [], "execution_count": 1}


def test_as_shipped_nothing_is_done_and_every_claim_holds(tmp_path):
    project = built_course(tmp_path)
    report = judged(project, learner(project))
    assert verdicts(report) == {"double": "not-done", "square": "not-done", "limit": "not-done"}
    assert report.claims == {"squares outgrow doubles": {"held": True, "measured": 100}}
    assert not report.passed


def test_a_battered_notebook_with_right_answers_passes(tmp_path):
    """Check cells edited, cells added, deleted and moved, ids made anew, outputs of another time: all at once."""
    project = built_course(tmp_path)
    notebook = learner(project, **RIGHT)
    cells = notebook["cells"]
    cell(notebook, "check-double")["source"] = 'check("double")  # again\nprint("hello")'
    cell(notebook, "check-square")["source"] = "square = None"
    cell(notebook, "double")["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "old"}]
    cells.remove(cell(notebook, "use-double"))
    cells.remove(cell(notebook, "title"))
    cells.append(cells.pop(cells.index(cell(notebook, "double"))))
    cells.insert(3, code_cell("1 / 0", "a"))
    cells.insert(5, code_cell("%no_such_magic\nprint(random)", "b"))
    cells.insert(6, code_cell("", "c"))
    cells.append(code_cell("assert False, 'the end'", "d"))
    for number, one in enumerate(cells):
        one["id"] = f"new-{number}"
    report = judged(project, notebook)
    assert verdicts(report) == {"double": "passed", "square": "passed", "limit": "passed"}
    assert report.passed and report.notes == []


def test_wrong_answers_get_their_hints(tmp_path):
    project = built_course(tmp_path)
    answers = {
        "double": "def double(x):\n    return x * x",
        "square": "def square(x):\n    return x *",
        "limit": "limit = lost",
    }
    report = judged(project, learner(project, **answers))
    assert verdicts(report) == {"double": "failed", "square": "error", "limit": "error"}
    assert report.exercises["double"].hint == "double(1) is 2"
    assert report.exercises["square"].hint == "line 2: SyntaxError: invalid syntax"
    assert report.exercises["limit"].hint == "line 1: NameError: name 'lost' is not defined"
    assert report.claims["squares outgrow doubles"]["held"], "what comes after has the references"


def test_missing_and_empty_cells_are_not_done(tmp_path):
    project = built_course(tmp_path)
    notebook = learner(project, square="", limit="limit = ...  # later")
    notebook["cells"].remove(cell(notebook, "double"))
    report = judged(project, notebook)
    assert verdicts(report) == {"double": "not-done", "square": "not-done", "limit": "failed"}
    assert "missing" in report.exercises["double"].hint


@pytest.mark.slow
def test_loops_that_never_end_are_timed_out_one_by_one(tmp_path):
    """In the definition, in the check, and in a check that swallows the interrupt: the third exercise is judged."""
    project = built_course(tmp_path)
    in_definition = "def double(x):\n    return 2 * x\nwhile True:\n    print('round and round')"
    in_check = "def square(x):\n    while True: pass"
    report = judged(project, learner(project, double=in_definition, square=in_check, limit="limit = 10"), timeout=2.0)
    assert verdicts(report) == {"double": "timeout", "square": "timeout", "limit": "passed"}
    assert "its cell after 2 s" in report.exercises["double"].hint
    assert "its check after 2 s" in report.exercises["square"].hint
    assert report.claims["squares outgrow doubles"]["held"]


@pytest.mark.slow
def test_a_loop_that_swallows_the_interrupt_costs_only_its_own_exercise(tmp_path):
    project = built_course(tmp_path)
    stubborn = "def double(x):\n    while True:\n        try:\n            while True: pass\n        except: pass"
    report = judged(project, learner(project, **RIGHT | {"double": stubborn}), timeout=2.0)
    assert verdicts(report) == {"double": "timeout", "square": "passed", "limit": "passed"}


@pytest.mark.slow
def test_deaths_cost_only_their_own_exercises(tmp_path):
    project = built_course(tmp_path)
    answers = {
        "double": "import os\ndef double(x):\n    os._exit(0)",
        "square": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "limit": "limit = 10",
    }
    notebook = learner(project, **answers)
    notebook["cells"].insert(3, code_cell("import os; os._exit(1)"))
    report = judged(project, notebook)
    assert verdicts(report) == {"double": "error", "square": "error", "limit": "passed"}
    assert report.exercises["double"].hint.startswith("The kernel died in its check")
    assert report.exercises["square"].hint.startswith("The kernel died in its cell")
    assert report.claims["squares outgrow doubles"]["held"]


def test_what_comes_after_an_exercise_does_not_hide_its_verdict(tmp_path):
    project = built_course(tmp_path)
    talks = "def double(x):\n    print('called')\n    return 2 * x"
    dies_later = "def square(x):\n    if x == 10: raise SystemExit\n    return x * x"
    report = judged(project, learner(project, double=talks, square=dies_later, limit="limit = 10"))
    assert verdicts(report) == {"double": "passed", "square": "passed", "limit": "passed"}
    assert [note.split(":")[0] for note in report.notes] == ["use-double", "claim"]
    assert report.claims == {"squares outgrow doubles": {"held": False, "measured": None}}
    assert report.solved and not report.passed


@pytest.mark.slow
def test_a_kernel_lost_after_an_exercise_keeps_its_verdict(tmp_path):
    project = built_course(tmp_path)
    dies_later = "import os\ndef square(x):\n    if x == 10: os._exit(0)\n    return x * x"
    report = judged(project, learner(project, **RIGHT | {"square": dies_later}))
    assert verdicts(report) == {"double": "passed", "square": "passed", "limit": "passed"}


def _bundle(name: str) -> str:
    bundle = {CHECK: {"exercise": name, "verdict": "passed", "hint": None}, "text/plain": f"✓ {name}: 4 cases hold"}
    return f"from IPython.display import display\ndisplay({json.dumps(bundle).replace('null', 'None')}, raw=True)"


def test_a_verdict_cannot_be_displayed_into_being(tmp_path):
    project = built_course(tmp_path)
    body = _bundle("square").replace("\n", "\n    ")
    answers = {
        "double": _bundle("double") + "\ndef double(x):\n    return 0",
        "square": f"def square(x):\n    {body}\n    return 0",
        "limit": f"limit = 0\ndef check(name):\n    {_bundle('limit')}\n".replace("\ndisplay", "\n    display"),
    }
    notebook = learner(project, **answers)
    cell(notebook, "check-double")["source"] = _bundle("double")
    notebook["cells"].append(code_cell(_bundle("double"), "extra", squint={"id": "check-double"}))
    assert "passed" not in verdicts(judged(project, notebook)).values()


def test_the_smoke_profile_judges_exercises_only(tmp_path):
    project = built_course(tmp_path)
    wrong = learner(project, **RIGHT)
    profile = "import os\nlimit = 10 if os.environ['SQUINT_PROFILE'] == 'smoke' else 0"
    cell(wrong, "limit")["source"] = profile
    assert verdicts(judged(project, wrong, profile="smoke"))["limit"] == "passed"


# How a notebook's cells are found again costs no kernel to test.


def matched(project, notebook) -> grade.Skeleton:
    solution, shipped = (ipynb.read(folder / f"{NAME}.ipynb") for folder in (project.solutions, project.labs))
    return grade.match(ipynb.read_learner(save(notebook, project.work / "any.ipynb")), solution, shipped)


def _new_ids(notebook):
    for one in notebook["cells"]:
        one["id"] = f"{random.getrandbits(32):08x}"


def _no_metadata(notebook):
    for one in notebook["cells"]:
        one["metadata"] = {}


def _no_ids_at_all(notebook):
    notebook["nbformat_minor"] = 4
    for one in notebook["cells"]:
        del one["id"]


def _no_metadata_and_new_ids(notebook):
    _new_ids(notebook)
    _no_metadata(notebook)


def _edited_checks_too(notebook):
    for one in notebook["cells"]:
        if "check(" in "".join(one["source"]):
            one["source"] = "# mine\n" + "".join(one["source"])
    _no_metadata_and_new_ids(notebook)


def _shuffled(notebook):
    random.Random(0).shuffle(notebook["cells"])


def _strange_metadata(notebook):
    _new_ids(notebook)
    for one, metadata in zip(
        notebook["cells"], [None, {"squint": None}, {"squint": "x"}, {"squint": {"id": 3}}] * 9, strict=False
    ):
        one["metadata"] = metadata


CHANGES = [
    _new_ids, _no_metadata, _no_ids_at_all, _no_metadata_and_new_ids, _edited_checks_too, _shuffled, _strange_metadata,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
@pytest.mark.parametrize("answers", [RIGHT, {}, {"square": "def square(x):\n    return x *"}], ids=len)
def test_answers_are_found_again(tmp_path, change, answers):
    project = built_course(tmp_path)
    notebook = learner(project, **answers)
    untouched = {id: "".join(cell(notebook, id)["source"]) for id in RIGHT}
    change(notebook)
    skeleton = matched(project, notebook)
    assert skeleton.answers == untouched
    assert skeleton.scratch == []


def test_the_last_copy_of_an_exercise_counts(tmp_path):
    project = built_course(tmp_path)
    notebook = learner(project, **RIGHT)
    place = notebook["cells"].index(cell(notebook, "double"))
    backup = dict(cell(notebook, "double"), id="copy", source="def double(x): return 'second'")
    tail = dict(cell(notebook, "double"), id="tail", source="print(double(1))")
    notebook["cells"][place + 1 : place + 1] = [backup, tail]
    skeleton = matched(project, notebook)
    assert skeleton.answers["double"] == "def double(x): return 'second'"
    assert [code for _, code in skeleton.scratch] == ["print(double(1))"], "what is judged stays what it is"
    assert skeleton.others["double"] == [RIGHT["double"]], "and the first still counts, should the last be wrong"


def test_scratch_cells_stay_where_they_are(tmp_path):
    project = built_course(tmp_path)
    notebook = learner(project, **RIGHT)
    notebook["cells"].insert(0, code_cell("first = 1", "x"))
    notebook["cells"].insert(1 + notebook["cells"].index(cell(notebook, "check-double")), code_cell("two = 2", "y"))
    skeleton = matched(project, notebook)
    names = [one.id for one in skeleton.cells]
    assert skeleton.scratch == [(-1, "first = 1"), (names.index("check-double"), "two = 2")]


def test_a_name_used_elsewhere_is_not_taken_for_the_exercise(tmp_path):
    project = built_course(tmp_path)
    notebook = learner(project, **RIGHT)
    _no_metadata_and_new_ids(notebook)
    notebook["cells"].append(code_cell("for double in range(3): square == double\nlimited = 3\nlimit == 4", "z"))
    skeleton = matched(project, notebook)
    assert skeleton.answers == RIGHT
    assert len(skeleton.scratch) == 1


DEFINITIONS = {
    "lambda": "double = lambda x: x + x",
    "class": "class double:\n    def __new__(cls, x):\n        return x + x",
    "import": "from functools import partial\nfrom operator import mul as double\ndouble = partial(double, 2)",
    "decorated": "import functools\n@functools.cache\ndef double(x): return x + x",
    "tuple": "double, mine = (lambda x: x + x), 3",
    "annotated": "double: object = lambda x: x + x",
    "alias": "def twice(x): return x + x\ndouble = twice",
    "guarded": "try:\n    import gone\nexcept ImportError:\n    def double(x): return x + x",
    "timed": "%%time\ndef double(x): return x + x",
    "walrus": "(double := lambda x: x + x)",
    "twice": "def double(x): return 0\ndef double(x): return x + x",
}


@pytest.mark.parametrize("code", DEFINITIONS.values(), ids=DEFINITIONS)
@pytest.mark.parametrize("where", ["own", "below", "merged", "check's"])
def test_an_answer_is_whatever_defines_the_name(tmp_path, code, where):
    project = built_course(tmp_path)
    notebook = learner(project)
    cells = notebook["cells"]
    if where == "own":
        cell(notebook, "double")["source"] = code
    elif where == "below":
        cells.insert(6, code_cell(f'{code}\ndouble = check("double")'))
    elif where == "merged":
        cell(notebook, "double")["source"] = f'{code}\n\ndouble = check("double"); print(double(2))'
        cells.remove(cell(notebook, "check-double"))
        _no_metadata_and_new_ids(notebook)
    else:
        cell(notebook, "check-double")["source"] = f'{code}\ndouble = check(\n    "double")\nprint("done")'
    skeleton = matched(project, notebook)
    answer = skeleton.answers["double"]
    assert code in answer and "check(" not in answer
    assert len(answer.splitlines()) >= len(code.splitlines())
    if where != "own":
        assert not [one for _, one in skeleton.scratch if "double" in one]


def test_of_several_answers_the_one_that_was_checked_comes_first(tmp_path):
    project = built_course(tmp_path)
    notebook = learner(project, **RIGHT)
    play = code_cell("double = lambda x: 3 * x  # what would happen?")
    notebook["cells"].insert(1 + notebook["cells"].index(cell(notebook, "check-double")), play)
    skeleton = matched(project, notebook)
    assert skeleton.answers["double"] == RIGHT["double"] and skeleton.others["double"] == [play["source"]]
    # Unless it ran, and the check above it after that.
    cell(notebook, "check-double")["execution_count"] = 5
    assert matched(project, notebook).answers["double"] == play["source"]


def test_answers_merged_into_one_cell_are_taken_apart(tmp_path):
    project = built_course(tmp_path)
    notebook = learner(project)
    for name in ("double", "check-double", "square", "check-square", "limit", "check-limit"):
        notebook["cells"].remove(cell(notebook, name))
    parts = ["import math", RIGHT["double"], 'double = check("double")', RIGHT["square"], 'square = check("square")']
    notebook["cells"].append(code_cell("\n".join([*parts, RIGHT["limit"]])))
    skeleton = matched(project, notebook)
    for name in RIGHT:
        assert [RIGHT[other] in skeleton.answers[name] for other in RIGHT] == [other == name for other in RIGHT]
        assert skeleton.answers[name].startswith("import math")


def test_what_an_answer_uses_runs_before_it(tmp_path):
    """A helper in a cell of its own, below the check; an import added to a cell of the lab; a cell that was split."""
    project = built_course(tmp_path)
    notebook = learner(project, double="def double(x):\n    return helper(x)", square="square = lambda x: prod([x, x])")
    cell(notebook, "use-double")["source"] = "from math import prod\nprint(double(21))"
    helpers = [
        code_cell("two = 2", "a"),
        code_cell("def helper(x):\n    return two * x", "b"),
        code_cell("lost = 1", "c"),
    ]
    notebook["cells"][6:6] = helpers
    skeleton = matched(project, notebook)
    names = [one.id for one in skeleton.cells]
    before = names.index("double") - 1
    assert [text for at, text in skeleton.scratch if at == before] == [helpers[0]["source"], helpers[1]["source"]]
    assert cell(notebook, "use-double")["source"] in [text for _, text in skeleton.scratch]


def test_own_cells_own_settings_and_own_files_cost_nobody_an_answer(tmp_path, monkeypatch):
    """What a learner has below the check, in a file, in their settings for this notebook and in those for all."""
    project = built_course(tmp_path)
    notebook = learner(project, double="def double(x):\n    return x", square="from solved import square")
    show_all = "from IPython.core.interactiveshell import InteractiveShell as shell\nshell.ast_node_interactivity = "
    notebook["cells"].insert(3, code_cell(show_all + '"last_expr_or_assign"', "a"))
    notebook["cells"].append(code_cell("two = 2", "b"))
    notebook["cells"].append(code_cell('def double(x):\n    return two * x\ndouble = check("double")', "c"))
    cell(notebook, "check-limit")["source"] = 'limit = 10\nlimit = check("limit")'
    (project.root / "work").mkdir()
    (project.work / "solved.py").write_text("def square(x):\n    return x * x", encoding="utf-8")
    (project.work / "random.py").write_text("hidden = 1 / 0", encoding="utf-8")
    for path, text in {
        "ipython/profile_default/ipython_config.py": 'c.InteractiveShell.ast_node_interactivity = "all"\n1 / 0',
        "ipython/profile_default/startup/0.py": "import os\nos._exit(1)",
        "start.py": "import os\nos._exit(1)",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "start.py"))
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    told = []
    report = judged(project, notebook, tell=told.append)
    assert report.passed and report.notes == [], report
    assert told[1:4] == ["✓ double", "✓ square", "✓ limit"] and told[-1] == "✓ squares outgrow doubles"
    assert sorted(path.name for path in project.work.iterdir()) == [f"{NAME}.ipynb", "random.py", "solved.py"]


def test_any_of_several_answers_that_is_right_is_enough(tmp_path):
    project = built_course(tmp_path)
    notebook = learner(project, **RIGHT | {"double": "def double(x):\n    return x"})
    notebook["cells"].insert(6, code_cell(RIGHT["double"]))
    assert judged(project, notebook, profile="smoke").passed


def test_magics_keep_the_lines_where_they_are():
    for text in (
        "\n\n%matplotlib inline\n\nx = 1",
        "%%time\n\n\n\nx = 1",
        "!ls\n?x\n%cd .\n#\nx = 1",
        "\n%%capture\n\n\nx = 1",
    ):
        assert answers.python(text).rstrip().splitlines()[4] == "x = 1", text
    assert answers.python("%%bash\nx=1") == answers.python("%%timeit\nx = 1") == ""


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_an_answer_in_a_cell_that_does_not_run_is_told(tmp_path, kind):
    project = built_course(tmp_path)
    notebook = learner(project, **RIGHT)
    cell(notebook, "double")["cell_type"] = kind
    notebook["cells"].append({"cell_type": kind, "metadata": {}, "source": RIGHT["square"]})
    cell(notebook, "square")["source"] = ""
    skeleton = matched(project, notebook)
    assert skeleton.elsewhere["double"] == kind and skeleton.answers["double"] is None
    note = {"id": "double", "role": "exercise", "fate": None, "outputs": []}
    hint = grade._verdict("double", skeleton, [note], 1.0).hint
    assert "press y" in hint and {"markdown": "Markdown", "raw": "raw"}[kind] in hint


# What is no notebook of the lab is told in one sentence.


def _not_json(path):
    path.write_text("{'cells': []}", encoding="utf-8")


def _not_text(path):
    path.write_bytes(bytes(range(256)))


def _not_a_notebook(path):
    path.write_text('{"a": 1}', encoding="utf-8")


def _a_list(path):
    path.write_text("[1, 2]", encoding="utf-8")


def _too_deep(path):
    path.write_text("[" * 100_000, encoding="utf-8")


def _old(path):
    path.write_text('{"nbformat": 3, "worksheets": []}', encoding="utf-8")


def _empty(path):
    path.write_text("", encoding="utf-8")


def _a_folder(path):
    path.mkdir()


def _nothing(path):
    pass


def _of_zeros(path):
    path.write_bytes(bytes(1000))


def _with_a_hole(path):
    path.write_bytes(b'{"cells": [],\n' + bytes(100))


def _with_a_merge_left_in_it(path):
    path.write_text('{\n "cells": [\n<<<<<<< HEAD\n  {},\n=======\n  [],\n>>>>>>> theirs\n]}', encoding="utf-8")


def _cut_off(path):
    path.write_text('{\n "cells": [\n  {"source": "a = ', encoding="utf-8")


def _web_page(path):
    path.write_text("<!DOCTYPE html>\n<html><body>Sign in</body></html>", encoding="utf-8")


def _zipped(path):
    path.write_bytes(b"PK\x03\x04 07_tiny.ipynb")


def _pointer(path):
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", encoding="utf-8")


def _other_lab(path):
    path.write_text('{"nbformat": 4, "cells": [], "metadata": {"squint": {"lab": "03_other"}}}', encoding="utf-8")


def _no_exercise(path):
    path.write_text(json.dumps({"nbformat": 4, "cells": [code_cell("x = 1"), 3, {}], "metadata": 3}), encoding="utf-8")


REFUSED = {
    _not_json: "does not hold JSON",
    _not_text: "does not hold JSON",
    _not_a_notebook: "has no cells",
    _a_list: "has no cells",
    _too_deep: "does not hold JSON",
    _old: "notebook format 4",
    _empty: "it is empty",
    _of_zeros: "from line 1 on it holds zeros",
    _with_a_hole: "from line 2 on it holds zeros",
    _with_a_merge_left_in_it: "a merge left its marks in line 3",
    _cut_off: "it breaks off in line 3",
    _web_page: "it is a web page",
    _zipped: "it is packed",
    _pointer: "run `git lfs pull`",
    _a_folder: "is a folder",
    _nothing: "does not exist",
    _other_lab: "is a notebook of lab 03_other, which this course does not have",
    _no_exercise: "none of that lab's exercises are in it",
}


@pytest.mark.parametrize(("make", "says"), REFUSED.items(), ids=[make.__name__.strip("_") for make in REFUSED])
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_what_cannot_be_judged_is_one_sentence_and_exit_code_2(tmp_path, monkeypatch, make, says, options):
    project = built_course(tmp_path)
    monkeypatch.chdir(project.root)
    project.work.mkdir()
    file = project.work / f"{NAME}.ipynb"
    make(file)
    result = CliRunner().invoke(app, ["check", str(file), *options])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert says in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr


LMS = [
    "07_tiny-2.ipynb", "07_tiny (1).ipynb", "07_tiny-Copy1.ipynb", "Copy of 07_tiny.ipynb", "07-Tiny.ipynb",
    "07 tiny copy.ipynb", "lovelaceada_12345_67890_07_tiny-1.ipynb", "07_tiny-checkpoint.ipynb",
    "Ada Lovelace_98765_assignsubmission_file_07_tiny.ipynb",
    "Homework 3_alovelace_attempt_2026-11-02-10-15-00_07_tiny.ipynb",
]  # fmt: skip
"""What Jupyter, browsers, Canvas, Moodle and Blackboard make of a file's name."""


def test_the_lab_is_known_by_metadata_by_name_or_not_at_all(tmp_path):
    project = built_course(tmp_path)
    notebook = learner(project)

    def lab(name: str, asked: str | None = None) -> str:
        return grade.lab_of(notebook, project.work / name, project, asked)

    assert lab("my copy.ipynb") == lab("07_mine.ipynb") == lab("any.ipynb", "07") == lab("any.ipynb", "7") == NAME
    assert lab("17_lovelace.ipynb") == lab("08_other.ipynb") == NAME, "a file's name is a person's"
    del notebook["metadata"]["squint"]
    assert lab("17_lovelace.ipynb") == NAME, "its first cell begins the lab"
    notebook["cells"].remove(cell(notebook, "setup"))
    for name in LMS:
        assert lab(name) == NAME
    for name in ("my copy.ipynb", "17_lovelace.ipynb", "07_lovelace.ipynb", "107_tiny.ipynb", "07_tinyworld.ipynb"):
        with pytest.raises(CourseError, match="does not say which lab"):
            lab(name)
    with pytest.raises(CourseError, match="There is no lab 08"):
        lab("any.ipynb", "08")
    notebook["metadata"]["squint"] = {"lab": "03_other"}
    with pytest.raises(CourseError, match="is a notebook of lab 03_other, not of lab 07_tiny"):
        lab("any.ipynb", "07")
    notebook["metadata"]["squint"] = {"lab": "42_gone"}
    with pytest.raises(CourseError, match="which this course does not have"):
        lab("my copy.ipynb")


def test_an_unreadable_file_says_so(tmp_path, monkeypatch):
    project = built_course(tmp_path)
    file = save(learner(project), project.work / f"{NAME}.ipynb")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(file), "read_bytes", refuse)
    with pytest.raises(CourseError, match="cannot be read: Permission denied"):
        grade.grade(file, project)


def test_json_is_all_there_is_on_stdout_and_the_file_is_only_read(tmp_path, monkeypatch):
    project = built_course(tmp_path)
    file = save(learner(project, **RIGHT), project.work / f"{NAME}.ipynb")
    file.chmod(stat.S_IRUSR)
    before, content = file.stat(), file.read_bytes()
    monkeypatch.chdir(project.root)
    result = CliRunner().invoke(app, ["check", "7", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "lab": NAME,
        "file": str(file.relative_to(project.root)),
        "exercises": {name: {"verdict": "passed", "hint": None} for name in RIGHT},
        "claims": {"squares outgrow doubles": {"held": True, "measured": 100}},
    }
    after = file.stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_mode) == (before.st_mtime_ns, before.st_ino, before.st_mode)
    assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_table_says_exercise_verdict_and_hint(tmp_path, monkeypatch):
    project = built_course(tmp_path)
    save(learner(project, **RIGHT | {"double": "def double(x):\n    return x"}), project.work / f"{NAME}.ipynb")
    monkeypatch.chdir(project.root)
    result = CliRunner().invoke(app, ["check", f"work/{NAME}.ipynb"])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"Judging work/{NAME}.ipynb", "✗ double", "✓ square", "✓ limit",
        "Now the whole lab, for its claims", "✓ squares outgrow doubles",
    ]  # fmt: skip
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["double", "✗", "failed", "double(1)", "is", "2"] in rows
    assert ["square", "✓", "passed"] in rows
    assert "✓ squares outgrow doubles (measured 100)" in result.stdout


def test_the_line_of_an_error_is_the_cells_own_whatever_magics_stand_above_it(tmp_path):
    project = built_course(tmp_path)
    answers = {
        "double": "%matplotlib inline\n\n!true\n\ndouble = lost",
        "square": "%%time\n\nx = 1\nsquare = lost",
        "limit": "\n%cd .\n\nlimit = lost",
    }
    report = judged(project, learner(project, **answers), profile="smoke")
    hints = [one.hint for one in report.exercises.values()]
    assert hints == [f"line {line}: NameError: name 'lost' is not defined" for line in (5, 4, 4)]


def test_whose_a_claim_was_is_in_the_report_and_in_the_table(tmp_path, capsys):
    project = built_course(tmp_path)
    bundle = {"claim": "squares outgrow doubles", "held": True, "measured": 100, "course": ["square"]}
    note = {"role": "after", "outputs": [{"data": {grade.CLAIM: bundle}}]}
    claims = grade._claims(matched(project, learner(project)), [note])
    assert claims == {"squares outgrow doubles": {"held": True, "measured": 100, "course": ["square"]}}
    cli._show(grade.Report(NAME, tmp_path, {}, claims))
    assert "✓ squares outgrow doubles (measured 100, with the course's version of square)" in capsys.readouterr().out
