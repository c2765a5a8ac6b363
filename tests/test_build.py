"""What the builder makes of a source, and what it refuses, with file and line."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import pytest
from course_tools import NAME, SOURCE, built_course, course

from squint.course import build as builder
from squint.course import execute, source
from squint.course.project import CourseError, Refused

# What is wrong, what to replace, by what, a piece of the line that is named, a piece of the sentence.
BROKEN = {
    "a header key is missing": ("#   claim: Squares outgrow doubles.\n", "", "# ---", "`claim`"),
    "a header key is empty": ("promise: It fits on a page.", "promise:", "promise:", "`promise`"),
    "a header key is unknown": ("#   title:", "#   colour: red\n#   title:", "colour", "unknown key `colour`"),
    "the header is not YAML": ("title: Tiny", "title: Tiny: very", "title:", "not YAML"),
    "there is no header": ("# ---\n# squint:", "# squint:", "# squint:", "header"),
    "the header is of something else": ("# squint:", "# jupyter:", "# ---", "`squint:`"),
    "the lab's number is not its file's": ('lab: "07"', 'lab: "08"', 'lab: "08"', '"07"'),
    "a line before the first cell": ("# %% [markdown]", "import os\n\n# %% [markdown]", "import os", "before the first"),
    "an id is missing": (' id="use-double"', "", "# %%\n", "no id"),
    "an id is taken": ('id="use-double"', 'id="double"', '# %% id="double"\n', 'The id "double" is taken'),
    "an id has a space": ('id="use-double"', 'id="use double"', "use double", "letters, digits"),
    "minutes are missing": ("minutes=2 ", "", 'id="square"', "`minutes`"),
    "difficulty is missing": ("difficulty=2 ", "", 'id="square"', "`difficulty`"),
    "teaches is missing": (' teaches="a value"', "", 'id="limit"', "`teaches`"),
    "difficulty is out of range": ("difficulty=2", "difficulty=6", 'id="square"', "from 1 to 5"),
    "minutes are no number": ("minutes=2", 'minutes="two"', 'id="square"', "whole number"),
    "metadata is misspelt": ("minutes=2", "minuets=2 minutes=2", 'id="square"', "`minuets`"),
    "tags are no list": ('tags=["check"]\ndouble', 'tags="check"\ndouble', 'id="check-double"', "not a list"),
    "a block does not close": ("    return 2 * x\n    ### END SOLUTION", "    return 2 * x", "### BEGIN", "does not close"),
    "a block nests": ("    return 2 * x", "    ### BEGIN SOLUTION\n    return 2 * x", "### BEGIN", "inside the one of"),
    "an end without a beginning": ("    ### BEGIN SOLUTION\n    return 2 * x", "    return 2 * x", "### END", "not begin"),
    "no block at all": ("    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION", "    return 2 * x",
                        'id="double"', "no solution block"),
    "a block outside an exercise": ("print(double(21))", "### BEGIN SOLUTION\nprint(double(21))\n### END SOLUTION",
                                    'id="use-double"', "not tagged `exercise`"),
    "a stub line of another solution": ("    # product = ...", "    # total = ...", "# total = ...", "not in its solution"),
    "a stub line that is code": ("    # product = ...", "    product = ...", "    product = ...", "commented"),
    "a second stub": ("    # return product", "    ### STUB\n    # return product", "    ### STUB", "second stub"),
    "a stub that leaves no Python": ("    # product = ...", "    # product = x ...", 'id="square"', "With its stub"),
    "an exercise's id is no name": ('id="square" tags', 'id="the-square" tags', 'id="the-square"', "cannot be a name"),
    "an exercise defines something else": ("def square(x)", "def quadrat(x)", 'id="square"', "does not define `square`"),
    "an exercise without a check": ('square = check("square")', 'check("double")', 'id="square"', "No check cell"),
    "a check before its exercise": ('double = check("double")', "pass", 'id="double"', "No check cell"),
    "a skipped cell": ('id="use-double"', 'id="use-double" tags=["nbval-skip"]', 'id="use-double"', "`nbval-skip`"),
    "an error that is allowed": ('id="use-double"', 'id="use-double" tags=["raises-exception"]', "use-double", "judged"),
    "a comment for nbval": ("print(double(21))", "# NBVAL_SKIP\nprint(double(21))", "NBVAL_SKIP", "with a tag"),
    "a check that is ignored": ('id="check-limit" tags=["check"]', 'id="check-limit" tags=["check", "nbval-ignore-output"]',
                                'id="check-limit"', "check is compared"),
    "a magic": ("print(double(21))", "x = 1\n%timeit double(21)", "%timeit", "plain Python"),
    "a shell line": ("print(double(21))", "!ls", "!ls", "plain Python"),
    "a shell line's value": ("print(double(21))", "files = !ls", "!ls", "plain Python"),
    "a magic in a solution": ("    return 2 * x", "    %time x\n    return 2 * x", "%time", "plain Python"),
    "a syntax error": ("print(double(21))", "print(double(21)", "print(double(21)", "not Python"),
    "a marker in a string": ("print(double(21))", 'text = """\n# %% not a cell\n"""', "title", "inside a string"),
    "no set-up cell": (' tags=["setup"]', "", "# ---", "tagged `setup`"),
    "a second set-up cell": ('id="use-double"', 'id="use-double" tags=["setup"]', 'id="use-double"', "tagged `setup`"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "at", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_source_is_refused_at_its_line(tmp_path, old, new, at, says):
    assert old in SOURCE
    text = SOURCE.replace(old, new, 1)
    path = course(tmp_path, text).solutions / f"{NAME}.py"
    with pytest.raises(Refused) as refused:
        source.read(path)
    lines = text.splitlines(keepends=True)
    told = [one for one in refused.value.refusals if says in one.sentence]
    assert told, str(refused.value)
    assert any(at in lines[one.line - 1] for one in told), [(one.line, lines[one.line - 1]) for one in told]
    assert str(told[0]).startswith(f"{path}:{told[0].line}: ")


def test_too_many_ignored_cells_are_refused(tmp_path):
    cells = "".join(f'\n# %% id="more{i}" tags=["nbval-ignore-output"]\nprint({i})\n' for i in range(7))
    with pytest.raises(Refused, match=r"8 of 17 code cells have their output ignored; at most 45% may"):
        source.read(course(tmp_path, SOURCE + cells).solutions / f"{NAME}.py")


def test_everything_wrong_is_told_at_once(tmp_path):
    text = SOURCE.replace("minutes=2 ", "").replace("difficulty=1 teaches", "teaches").replace(' id="use-double"', "")
    with pytest.raises(Refused) as refused:
        source.read(course(tmp_path, text).solutions / f"{NAME}.py")
    assert len(refused.value.refusals) == 4
    assert [one.line for one in refused.value.refusals] == sorted(one.line for one in refused.value.refusals)


def test_comments_that_look_like_magics_stay_comments(tmp_path):
    text = SOURCE.replace("print(double(21))", "# cat sat on the mat\n# %matplotlib inline\nprint(double(21))")
    lab = source.read(course(tmp_path, text).solutions / f"{NAME}.py")
    assert next(cell for cell in lab.cells if cell.id == "use-double").text.startswith("# cat sat on the mat\n# %mat")


def test_lines_are_those_of_the_file(tmp_path):
    lab = source.read(course(tmp_path).solutions / f"{NAME}.py")
    lines = SOURCE.splitlines()
    for cell in lab.cells:
        assert f'id="{cell.id}"' in lines[cell.line - 1]
        if cell.is_code and cell.text:
            assert lines[cell.line].strip() == cell.text.splitlines()[0].strip()


def test_a_build_gives_an_executed_solution_and_a_learners_notebook(tmp_path):
    project = built_course(tmp_path)
    solution, shipped = (nbformat.read(folder / f"{NAME}.ipynb", 4) for folder in (project.solutions, project.labs))
    nbformat.validate(solution)
    nbformat.validate(shipped)
    mine, theirs = ({cell.id: cell for cell in notebook.cells} for notebook in (solution, shipped))
    assert list(mine) == list(theirs)

    assert mine["use-double"].outputs[0].text == "42\n"
    assert mine["use-double"].metadata.squint.id == "use-double"
    assert mine["use-double"].metadata.squint.seconds >= 0
    assert mine["square"].source.count("###") == 2 and "STUB" not in mine["square"].source
    assert [cell.execution_count for cell in solution.cells if cell.cell_type == "code"] == list(range(1, 11))

    assert theirs["double"].source.endswith('    raise NotImplementedError("your turn")')
    assert theirs["square"].source.splitlines()[-2:] == ["    product = ...", "    return product"]
    assert theirs["limit"].source == "limit = ..."
    assert theirs["double"].metadata.tags == ["exercise", "raises-exception"]
    assert theirs["double"].metadata.squint == {
        "id": "double", "minutes": 1, "difficulty": 1, "teaches": "adding a number to itself",
    }  # fmt: skip
    assert not any(cell.outputs or cell.execution_count for cell in shipped.cells if cell.cell_type == "code")
    assert not any("SOLUTION" in cell.source or "STUB" in cell.source for cell in shipped.cells)

    assert shipped.metadata.squint.lab == NAME
    assert shipped.metadata.squint.title == "Tiny"
    assert shipped.metadata.squint.version == "0.0.1"
    assert solution.metadata.squint.source_hash
    assert shipped.metadata.kernelspec.name == "python3"
    assert "execution" not in json.dumps(solution.metadata) and "timestamp" not in json.dumps(solution)


def test_a_build_is_the_same_twice(tmp_path):
    text = SOURCE.replace("print(random.random())", "print(3)")
    project = course(tmp_path, text)
    path = project.solutions / f"{NAME}.py"
    files = [path.with_suffix(".ipynb"), project.labs / f"{NAME}.ipynb"]

    def made() -> list[dict]:
        builder.build(path, project)
        notebooks = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        for cell in notebooks[0]["cells"]:
            cell["metadata"]["squint"].pop("seconds", None)
        return notebooks

    assert made() == made()
    assert not [file for file in (*project.solutions.iterdir(), *project.labs.iterdir()) if file.name.startswith(".")]


DIRTY = {
    "raises": ("print(double(21))", "x = 1\nx / 0", "x / 0", "raised ZeroDivisionError: division by zero"),
    "raises in a function above": ("print(double(21))", "double(None)", "double(None)", "raised TypeError"),
    "raises below a stub": (
        "    # return product\n    ### END SOLUTION\n",
        "    ### END SOLUTION\n\nnowhere",
        "nowhere",
        "NameError",
    ),
    "the kernel dies": ("print(double(21))", "import os; os._exit(3)", "use-double", "The kernel died"),
}


@pytest.mark.parametrize(("old", "new", "at", "says"), DIRTY.values(), ids=DIRTY.keys())
def test_a_solution_that_cannot_be_a_reference_is_refused(tmp_path, old, new, at, says):
    text = SOURCE.replace(old, new)
    project = course(tmp_path, text)
    with pytest.raises(Refused) as refused:
        builder.build(project.solutions / f"{NAME}.py", project)
    lines = text.splitlines()
    told = [one for one in refused.value.refusals if says in one.sentence]
    assert told, str(refused.value)
    assert at in lines[told[0].line - 1]
    assert not (project.solutions / f"{NAME}.ipynb").exists(), "nothing is written unless all is well"


def test_what_another_machine_would_not_print_is_refused(tmp_path):
    """All of it in one lab, since a build tells everything at once."""
    odd = {
        "warning": ("import warnings; warnings.warn('old')", "writes to stderr"),
        "path": ("import os; print(os.getcwd() + '/x')", "path of this machine"),
        "address": ("print(object())", "object's address"),
        "time": ("import datetime; print(datetime.datetime.now())", "time of day"),
    }
    cells = "".join(f'\n# %% id="{id}"\n{code}\n' for id, (code, _) in odd.items())
    text = SOURCE.replace("above=double(limit)", "above=1000").replace("product = x * x", "product = x + x") + cells
    project = course(tmp_path, text)
    with pytest.raises(Refused) as refused:
        builder.build(project.solutions / f"{NAME}.py", project)
    expected = {"check-square": "✗ square", "claim": "✗ squares outgrow"} | {id: says for id, (_, says) in odd.items()}
    lines = text.splitlines()
    told = {re.search(r'id="(.*?)"', lines[one.line - 1])[1]: one.sentence for one in refused.value.refusals}
    assert told.keys() == expected.keys()
    assert all(says in told[id] for id, says in expected.items()), told


def test_a_cell_that_takes_for_ever_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "CELL_LIMIT", 1)
    project = course(tmp_path, SOURCE.replace("print(double(21))", "while True: pass"))
    with pytest.raises(Refused, match="more than 1 s") as refused:
        builder.build(project.solutions / f"{NAME}.py", project)
    assert 'id="use-double"' in SOURCE.splitlines()[refused.value.refusals[0].line - 1]


def test_progress_bars_and_widgets_leave_nothing_behind(tmp_path):
    bars = """from tqdm.auto import tqdm
import ipywidgets, sys
for _ in tqdm(range(3), desc="training"): pass
for _ in __import__("tqdm").tqdm(range(3), leave=False, file=sys.stdout): pass
display(ipywidgets.IntSlider(value=3))
print("done")"""
    project = course(tmp_path, SOURCE.replace("print(double(21))", bars))
    builder.build(project.solutions / f"{NAME}.py", project)
    solution = nbformat.read(project.solutions / f"{NAME}.ipynb", 4)
    outputs = next(cell for cell in solution.cells if cell.id == "use-double").outputs
    assert [dict(output.get("data", {})) or output.text for output in outputs] == [
        "done\n",
        {"text/plain": "IntSlider(value=3)"},
    ]
    assert "widgets" not in solution.metadata
    assert builder.in_step(project.solutions / f"{NAME}.py", project) == []


def test_what_was_built_is_in_step(tmp_path):
    project = built_course(tmp_path)
    assert builder.in_step(project.solutions / f"{NAME}.py", project) == []


def _edit(path, change):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change({cell["id"]: cell for cell in notebook["cells"]})
    path.write_text(json.dumps(notebook), encoding="utf-8")


def _output(cells, id, output):
    cells[id]["outputs"] = [output]


OUT_OF_STEP = {
    "code was edited": ("source", lambda text: text.replace("return 2 * x", "return x + x"), "was edited since"),
    "a comment was edited": ("source", lambda text: text.replace("import random", "import random  # why"), "edited since"),
    "prose was edited": ("source", lambda text: text.replace("Numbers, doubled", "Numbers doubled"), "not what the source"),
    "a stub was edited": ("source", lambda text: text.replace("# product = ...", "# product = ... * x"), "learner's"),
    "the learner's notebook was edited": ("labs", lambda cells: cells["title"].update(source="# Other"), "learner's"),
    "an id was changed": ("labs", lambda cells: cells["title"].update(id="other"), "learner's"),
    "the solution was edited": ("solutions", lambda cells: cells["claim"].update(source="pass"), "solution's notebook"),
    "a cell was not executed": ("solutions", lambda cells: cells["claim"].update(execution_count=None), "not executed"),
    "an output is an error": (
        "solutions",
        lambda cells: _output(
            cells, "claim", {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
        ),
        "raised",
    ),
    "an output says it failed": (
        "solutions",
        lambda cells: _output(cells, "claim", {"output_type": "stream", "name": "stdout", "text": "✗ no"}),
        "shows ✗",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("where", "change", "says"), OUT_OF_STEP.values(), ids=OUT_OF_STEP.keys())
def test_what_is_out_of_step_is_found_without_executing(tmp_path, monkeypatch, where, change, says):
    project = built_course(tmp_path)
    path = project.solutions / f"{NAME}.py"
    if where == "source":
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        _edit(tmp_path / where / f"{NAME}.ipynb", change)
    monkeypatch.setattr(execute, "run", lambda *_: pytest.fail("executed"))
    wrong = builder.in_step(path, project)
    assert any(says in one.sentence for one in wrong), wrong


@pytest.mark.parametrize("folder", ["labs", "solutions"])
def test_a_missing_or_broken_notebook_is_out_of_step(tmp_path, folder):
    project = built_course(tmp_path)
    notebook = tmp_path / folder / f"{NAME}.ipynb"
    notebook.write_text("{", encoding="utf-8")
    assert "not a notebook" in builder.in_step(project.solutions / f"{NAME}.py", project)[0].sentence
    notebook.unlink()
    assert "missing" in builder.in_step(project.solutions / f"{NAME}.py", project)[0].sentence


def test_prose_is_renewed_without_executing(tmp_path, monkeypatch):
    project = built_course(tmp_path)
    path = project.solutions / f"{NAME}.py"
    monkeypatch.setattr(execute, "run", lambda *_: pytest.fail("executed"))
    path.write_text(SOURCE.replace("Numbers, doubled", "Numbers doubled"), encoding="utf-8")
    builder.build(path, project, execute=False)
    assert builder.in_step(path, project) == []
    path.write_text(SOURCE.replace("return 2 * x", "return x + x"), encoding="utf-8")
    with pytest.raises(Refused, match="edited since it ran"):
        builder.build(path, project, execute=False)


def test_a_failed_execution_leaves_the_old_notebook(tmp_path):
    project = built_course(tmp_path)
    path = project.solutions / f"{NAME}.py"
    before = path.with_suffix(".ipynb").read_bytes()
    path.write_text(SOURCE.replace("print(double(21))", "1 / 0"), encoding="utf-8")
    with pytest.raises(Refused):
        builder.build(path, project)
    assert path.with_suffix(".ipynb").read_bytes() == before


def test_the_set_up_cell_fetches_a_release_on_colab_only(monkeypatch):
    code = builder.setup_code("07_tiny", "1.2.3", "https://example.org/squint")
    branch = [line for line in code.split('if "google.colab"')[1].splitlines() if line.startswith("    ")]
    assert len(branch) <= 10
    calls, colab = [], SimpleNamespace(colab=lambda: calls.append("bootstrap"))
    notebook = SimpleNamespace(begin=lambda name: calls.append(name), __all__=["begin"])
    package = SimpleNamespace(bootstrap=colab, notebook=notebook)
    modules = {"squint": package, "squint.bootstrap": colab, "squint.notebook": notebook}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append(command))
    monkeypatch.setattr(sys, "path", list(sys.path))

    exec(code, {})
    assert calls == ["07_tiny"]
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    exec(code, {})
    clone, *rest = calls[1:]
    assert clone[:2] == ["git", "clone"] and "--branch=v1.2.3" in clone and "https://example.org/squint" in clone
    assert rest == ["bootstrap", "07_tiny"]
    assert sys.path[0] == "/content/squint-v1.2.3/lib"


def test_a_project_without_an_address_says_so(tmp_path):
    project = course(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1"\n', encoding="utf-8")
    with pytest.raises(CourseError, match=r"pyproject.toml:1: \[project\] has no urls"):
        project.release()


def test_budgets_are_warned_of():
    assert builder.Built("07_tiny", {"a": 1.0}).warnings() == []
    slow = builder.Built("07_tiny", {"a": 61.0, "b": 2.0, "c": 59.0, "d": 3.0})
    assert [id for id, _ in slow.slowest()] == ["a", "c", "d"]
    assert slow.warnings() == ["a took 61 s; a cell has 60 s.", "The lab took 125 s; it has 120 s."]
