"""The replay itself, on tiny notebooks that are right or deliberately broken: every trap of nbval's must spring."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from course_tools import FIXTURE, NAME, built_course, cell, code, notebook_of, shown, stream
from nbformat.v4 import new_markdown_cell, new_output

from squint.course.validate import alike


def replay(*files: Path, options: tuple[str, ...] = ()) -> tuple[int, dict[str, str | None], str]:
    """Replay notebooks. Returns pytest's exit code, why each cell failed (None where it passed), and what was printed."""
    report = files[0].with_suffix(".report.json")
    command = [sys.executable, "-m", "pytest", "-p", "squint.course.validate", "-p", "nbval", "--noconftest"]
    command += [
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        str(files[0].parent),
        "--color=no",
        "--labs",
        "--labs-report",
        str(report),
    ]
    command += [*options, *map(str, files)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=FIXTURE, env=environment)
    cells = map(json.loads, report.read_text(encoding="utf-8").splitlines() if report.exists() else [])
    return done.returncode, {one["id"]: one["why"] for one in cells}, done.stdout + done.stderr


DISPLAY = "from IPython.display import clear_output, display"
CLAIM = '"application/vnd.squint.claim+json"'
HELD = {"claim": "a", "held": True}
VIEW = '"application/vnd.jupyter.widget-view+json": {"model_id": "1"}'

RIGHT = [
    code("imports", f"{DISPLAY}\nimport sys, math"),
    code("text", 'print("[2, 3]")', stream("[2, 3]\n")),
    code("measured", 'print("took ⟨1.5 s⟩")', stream("took ⟨9.7 s⟩\n")),
    code("close", "print(1.0004, [0.5])", stream("1.0000 [0.50]\n")),
    code("value", "3 + 4", shown(text="7")),
    code("bars", 'print("a:  50%|##   | 1/2 [00:01<00:01, 1.0s/it]", file=sys.stderr)'),
    code("bars-left", 'print("a: 0%|   | 0/2 [00:01<00:01]\\r           \\rdone")', stream("done\n")),
    code("widget-bar", f'display({{"text/plain": "0%|  | 0/3 [00:00<?]", {VIEW}}}, raw=True)'),
    code("widget", f'display({{"text/plain": "IntSlider(value=3)", {VIEW}}}, raw=True)', shown(text="IntSlider(value=3)")),
    code("html", 'display({"text/html": "<b>2</b>", "text/plain": "x"}, raw=True)', shown(text="x", html="<b>1</b>")),
    code("cleared", 'print("old")\nclear_output()\nprint("new")', stream("new\n")),
    code("cleared-late", 'print("old")\nclear_output(wait=True)\nprint("new")', stream("new\n")),
    code("cleared-never", 'print("old")\nclear_output(wait=True)', stream("old\n")),
    code("updated", 'h = display(1, display_id=True)\nh.update(2)', shown(text="2")),
    code("quiet", "x = 1"),
    code("random", "import random; print(random.random())", stream("0.5\n"), tags=("nbval-ignore-output",)),
    code("streams", 'print("a"); print("b", flush=True); print("c")', stream("a\n"), stream("b\nc\n")),
    code("claim", f'display({{"text/plain": "✓ a: ⟨1⟩", {CLAIM}: {{"claim": "a", "held": True, "measured": 1}}}}, raw=True)',
         shown(text="✓ a: ⟨2⟩", claim=HELD | {"measured": 2})),
]  # fmt: skip

# What is printed, the reference, and a piece of what is said of it.
WRONG = [
    code("text", 'print("[2, 4]")', stream("[2, 3]\n")),
    code("integer", "print(1000)", stream("1001\n")),
    code("far", "print(1.002)", stream("1.0000\n")),
    code("beside-measured", 'print("⟨1.5⟩ < 3")', stream("⟨9.7⟩ > 3\n")),
    code("other-lines", 'print("a\\nb")', stream("a b\n")),
    code("more", "print(1); print(2)", stream("1\n")),
    code("less", "pass", stream("1\n")),
    code("unforeseen", "print(1)"),
    code("magic", "%no_such_magic"),
    code("magic-ignored", "%no_such_magic", tags=("nbval-ignore-output",)),
    code("unexecuted", "print(1)", count=None),
    code("unexecuted-quiet", "x = 1", count=None),
    code("unexecuted-ignored", "print(1)", count=None, tags=("nbval-ignore-output",)),
    code("unexecuted-outputs", "print(1)", stream("1\n"), count=None),
    code("stderr", 'import warnings; warnings.warn("old")'),
    code("error", "1 / 0"),
    code("error-ignored", "1 / 0", tags=("nbval-ignore-output",)),
    code("error-allowed", "1 / 0", tags=("raises-exception", "nbval-ignore-output")),
    code("no-error", "pass", new_output("error", ename="E")),
    code("skipped", "print(1)", stream("1\n"), tags=("nbval-skip",)),
    code("skipped-by-comment", "# NBVAL_SKIP\nprint(2)", stream("1\n")),
    code("ignored-by-comment", "# NBVAL_IGNORE_OUTPUT\nprint(2)", stream("1\n")),
    code("picture-gone", "pass", shown(text="figure", html="<img>")),
    code("html-gone", 'from IPython.display import display; display({"text/plain": "x"}, raw=True)',
         shown(text="x", html="<b>1</b>")),
    code("claim-in-a-picture", f'display({{"text/plain": "✗ a", {CLAIM}: {{"claim": "a", "held": False}}}}, raw=True)',
         shown(text="✓ a", claim=HELD), tags=("nbval-ignore-output",)),
    code("claim-gone", "pass", shown(text="✓ a", claim=HELD), tags=("nbval-ignore-output",)),
]  # fmt: skip


def test_what_is_the_same_passes(tmp_path):
    status, why, printed = replay(notebook_of(tmp_path / "right.ipynb", *RIGHT), options=("-v",))
    assert {id: reason for id, reason in why.items() if reason} == {}
    assert list(why) == [one.id for one in RIGHT]
    assert status == 0
    assert "right.ipynb::measured PASSED" in printed.replace(" [", "["), "tests are named by the cells' ids"
    assert "right: " in printed and "slowest: " in printed


def test_what_differs_fails(tmp_path):
    status, why, printed = replay(notebook_of(tmp_path / "wrong.ipynb", *WRONG), options=("-o", "xfail_strict=true"))
    assert {id for id, reason in why.items() if reason is None} == set()
    assert list(why) == [one.id for one in WRONG]
    assert status == 1
    counts = printed.splitlines()[-1]
    assert f"{len(WRONG)} failed" in counts and not any(word in counts for word in ("passed", "skipped", "xfail"))
    assert "UsageError" in why["magic"] and "UsageError" in why["magic-ignored"]
    assert "never executed" in why["unexecuted-quiet"]
    assert "warn" in why["stderr"]
    assert "[2, 4]" in why["text"] and "[2, 3]" in why["text"]


def test_after_a_time_out_the_rest_fails(tmp_path):
    cells = [
        code("before", "print(1)", stream("1\n")),
        code("endless", "while True: pass", tags=("nbval-ignore-output",)),
        code("after", "print(1)", stream("1\n")),
        code("quiet", "x = 1"),
    ]
    status, why, printed = replay(notebook_of(tmp_path / "slow.ipynb", *cells), options=("--labs-timeout", "1"))
    assert status == 1
    assert why["before"] is None
    assert "Timeout of 1 seconds" in why["endless"]
    assert "did not run" in why["after"] and "did not run" in why["quiet"]
    assert "3 failed, 1 passed" in printed and "xfail" not in printed and "skipped" not in printed


@pytest.mark.slow
def test_a_loop_that_will_not_be_interrupted_is_given_up(tmp_path):
    stubborn = "while True:\n    try:\n        while True: print(1)\n    except BaseException: pass"
    cells = [code("stubborn", stubborn), code("after", "print(1)", stream("1\n"))]
    status, why, _ = replay(notebook_of(tmp_path / "stubborn.ipynb", *cells), options=("--labs-timeout", "1"))
    assert status == 1
    assert "Failed to interrupt" in why["stubborn"]
    assert "did not run" in why["after"]


@pytest.mark.parametrize("death", ["import os; os._exit(0)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_after_a_death_the_rest_fails_at_once(tmp_path, death):
    cells = [code("death", death, tags=("raises-exception", "nbval-ignore-output")), code("after", "x = 1")]
    cells.append(code("last", "print(1)", stream("1\n")))
    status, why, printed = replay(notebook_of(tmp_path / "dead.ipynb", *cells))
    assert status == 1
    assert "died" in why["death"]
    assert "did not run" in why["after"] and "did not run" in why["last"]
    assert "3 failed" in printed


def test_the_share_of_ignored_cells_is_capped(tmp_path):
    cells = [code(f"a{i}", "x = 1", tags=("nbval-ignore-output",)) for i in range(5)] + [code("b", "x = 1")]
    status, why, printed = replay(notebook_of(tmp_path / "ignored.ipynb", *cells))
    assert status == 2 and why == {}
    assert "5 of 6 code cells ignore their output; at most 45% may" in printed


def test_what_is_no_notebook_is_an_error(tmp_path):
    (tmp_path / "broken.ipynb").write_text("{", encoding="utf-8")
    status, _, printed = replay(tmp_path / "broken.ipynb")
    assert status == 2 and "is not a notebook" in printed


def test_nbval_itself_stays_off(tmp_path):
    status, _, printed = replay(notebook_of(tmp_path / "right.ipynb", RIGHT[0]), options=("--nbval",))
    assert status == 4 and "leave that off" in printed


def test_the_kernel_runs_in_an_empty_folder_that_goes_away(tmp_path):
    look = 'import os; print(os.listdir()); open("left.txt", "w").close(); from pathlib import Path'
    keep = f"Path({str(tmp_path / 'where')!r}).write_text(os.getcwd())"
    cells = [code("look", look, stream("[]\n")), code("keep", keep, shown(text="1"), tags=("nbval-ignore-output",))]
    cells += [code(f"more{i}", "x = 1") for i in range(2)]
    assert replay(notebook_of(tmp_path / "folder.ipynb", *cells))[0] == 0
    where = Path((tmp_path / "where").read_text())
    assert where != tmp_path and not where.exists()


@pytest.mark.slow
def test_built_solutions_replay_side_by_side(tmp_path):
    project = built_course(tmp_path / "course")
    right = project.solutions / f"{NAME}.ipynb"
    wrong = json.loads(right.read_text(encoding="utf-8"))
    cell(wrong, "use-double")["outputs"][0]["text"] = "43\n"
    other = project.solutions / "08_wrong.ipynb"
    other.write_text(json.dumps(wrong), encoding="utf-8")
    status, _, printed = replay(right, other, options=("-p", "xdist", "-n", "2", "--dist", "loadfile", "-q"))
    assert status == 1
    assert "1 failed, 19 passed" in printed
    assert "07_tiny: " in printed and "08_wrong: " in printed


@pytest.mark.parametrize(
    ("text", "reference", "same"),
    [
        ("a ⟨1⟩ b", "a ⟨22⟩ b", True),
        ("a ⟨1⟩ b", "a 1 b", False),
        ("a ⟨1⟩ b\n⟨2⟩", "a ⟨⟩ b\n⟨3⟩", True),
        ("1.0", "1.0009", True),
        ("1.0", "1.002", False),
        ("1e-5", "1.0005e-05", True),
        ("-0.0", "0.0", True),
        ("0.0", "1e-9", False),
        ("1", "1.0", False),
        ("nan", "1.0", False),
        ("nan", "nan", True),
        ("tensor([1.0000,  2.0000])", "tensor([1.0, 2.0])", True),
        ("1.0 2.0", "1.0\n2.0", False),
        ("", "", True),
    ],
)
def test_texts_agree_or_not(text, reference, same):
    assert alike(text, reference) is same


def test_what_is_folded_away_under_going_further_is_run_and_must_claim_what_holds(tmp_path):
    says = (
        "from IPython.display import display\ndisplay({{" + CLAIM + ": {{'claim': 'a', 'held': x == {}}}}}, raw=True)"
    )
    folded = [says.format(2), says.format(3), "x", "1 / 0", says.format(2) + "\n1 / 0"]
    text = "".join(f"<details>\n\n```python\n{each}\n```\n</details>\n" for each in folded)
    path = notebook_of(tmp_path / "more.ipynb", code("two", "x = 2"), new_markdown_cell(text, id="further"))
    assert replay(path)[1] == {"two": None}
    path.with_suffix(".report.json").unlink()
    status, why, _ = replay(path, options=("--labs-further",))
    assert status == 1 and why["two"] is None and why["further-1"] is None
    assert "a: False" in why["further-2"] and "no claim" in why["further-3"]
    assert all("exception" in why[f"further-{number}"] for number in (4, 5))
