"""The command line: quick, plain about what is wrong, and never over a learner's file."""

import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from cells import define
from course_tools import FIXTURE, NAME, built_course, cell, course, learner, save
from typer.testing import CliRunner

from squint.checks import engine, solution
from squint.course import doctor, lab
from squint.course.cli import app
from squint.course.project import CourseError, Project, one_of

ROOT = Path(__file__).resolve().parents[1]
SQUINT = [sys.executable, "-m", "squint.course.cli"]


def squint(*arguments: str, expect: int = 0):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == expect, result.output
    return result


def one_sentence(result, says: str) -> None:
    assert result.stdout == ""
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return built_course(tmp_path)


def test_help_is_quick_and_imports_nothing_heavy():
    look = "import sys, time; sys.argv = ['squint', '--help']; from squint.course.cli import app\ntry: app()\nfinally: "
    look += "print([name for name in ('torch', 'nbformat', 'IPython', 'numpy') if name in sys.modules], time.process_time())"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)
    heavy, _, seconds = done.stdout.splitlines()[-1].rpartition(" ")
    assert heavy == "[]"
    assert float(seconds) < 1, "of the processor's time, whatever else it does"
    for command in ("lab", "check", "doctor", "data", "build", "new", "recipe"):
        assert f" {command} " in done.stdout


@pytest.mark.parametrize(
    "command", [["lab"], ["check"], ["doctor"], ["data"], ["data", "list"], ["build"], ["new"], ["recipe"]]
)
def test_every_command_explains_itself(command):
    text = squint(*command, "--help").stdout
    assert len(text) > 200 and "Usage" in text


def test_labs_are_copied_once_and_never_over_a_file(project):
    assert f"Copied to work/: {NAME}" in squint("lab", "7", "--no-jupyter").stdout
    file = project.work / f"{NAME}.ipynb"
    assert file.read_bytes() == (project.labs / f"{NAME}.ipynb").read_bytes()
    assert os.access(file, os.W_OK)
    file.write_text("mine", encoding="utf-8")
    assert squint("lab", "7", "--no-jupyter").stdout == ""
    assert file.read_text(encoding="utf-8") == "mine"
    assert [path.name for path in project.work.iterdir()] == [file.name], "nothing is left lying about"


def test_not_even_a_dangling_link_is_overwritten(project):
    project.work.mkdir()
    link = project.work / f"{NAME}.ipynb"
    link.symlink_to(project.root / "elsewhere")
    lab.lay_out(project)
    assert link.is_symlink() and not (project.root / "elsewhere").exists()


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_of_many_who_copy_at_once_one_does(tmp_path, monkeypatch, links):
    sources = [tmp_path / f"{number}.txt" for number in range(16)]
    for number, source in enumerate(sources):
        source.write_text(str(number) * 100_000, encoding="utf-8")
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no hard links here")))
    barrier = threading.Barrier(len(sources))

    def copy(source: Path) -> bool:
        barrier.wait()
        return lab.copy_new(source, tmp_path / "target")

    with ThreadPoolExecutor(len(sources)) as pool:
        made = list(pool.map(copy, sources))
    assert sum(made) == 1
    assert (tmp_path / "target").read_text(encoding="utf-8") == sources[made.index(True)].read_text(encoding="utf-8")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_lab_that_changed_is_told_and_put_beside(project):
    squint("lab", "--no-jupyter", "07")
    mine = project.work / f"{NAME}.ipynb"
    worked_on = learner(project, double="def double(x): return x + x")
    save(worked_on, mine)
    assert squint("lab", "--no-jupyter", "07").stdout == "", "one's own work is no change of the lab"

    shipped = json.loads((project.labs / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    cell(shipped, "title")["source"] = "# Tiny, better"
    shipped["metadata"]["squint"]["edition"] = "another"
    save(shipped, project.labs / f"{NAME}.ipynb")
    said = squint("lab", "--no-jupyter", "07").stdout
    assert f"{NAME} has changed since you began it. Your file is left alone" in said and "squint lab 07 --fresh" in said

    said = squint("lab", "--no-jupyter", "07", "--fresh").stdout
    assert f"work/{NAME}-2.ipynb" in said
    assert json.loads((project.work / f"{NAME}-2.ipynb").read_text(encoding="utf-8")) == shipped
    assert json.loads(mine.read_text(encoding="utf-8")) == worked_on
    squint("lab", "--no-jupyter", "07", "--fresh")
    assert (project.work / f"{NAME}-3.ipynb").exists()


def test_what_lab_cannot_do_is_one_sentence(project):
    lab.lay_out(project)
    one_sentence(squint("lab", "55", "--no-jupyter", expect=2), "There is no lab 55")
    one_sentence(squint("lab", "55", "--fresh", expect=2), "There is no lab 55")
    (project.labs / f"{NAME}.ipynb").unlink()
    one_sentence(squint("lab", expect=2), "There are no labs in")


def test_a_work_that_cannot_be_written_says_so(project):
    (project.root / "work").write_text("a file", encoding="utf-8")
    one_sentence(squint("lab", "07", expect=2), "cannot be written")


SERVERS = {
    "base_url": "/jupyter/", "certfile": "/no/such.pem", "sock": "/no/such.sock", "token": "", "port": 1, "ip": "0.0.0.0",
    "root_dir": "/no", "preferred_dir": "/no", "default_url": "/tree", "password": "argon2:no", "disable_check_xsrf": True,
}  # fmt: skip
"""What people have set for servers of their own."""


@pytest.mark.slow
def test_jupyterlab_opens_on_the_lab_with_nothing_from_outside(project):
    """As root or not, with no browser, from the printed address; and it is gone after an interrupt.

    Whatever the learner has set up for servers of their own; what they chose for JupyterLab's looks stays theirs.
    """
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["PYTHONUNBUFFERED"] = "1"
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH", "JUPYTER_RUNTIME_DIR"):
        environment[variable] = str(project.root / variable)
    for variable in ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"):
        environment.pop(variable, None)
    theme = "lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
    for path, text in {
        "JUPYTER_CONFIG_DIR/jupyter_server_config.json": json.dumps({"ServerApp": SERVERS}),
        "JUPYTER_CONFIG_DIR/jupyter_lab_config.py": "1 / 0",
        "JUPYTER_CONFIG_PATH/jupyter_config.json": json.dumps({"IdentityProvider": {"token": "theirs"}}),
        f"JUPYTER_CONFIG_DIR/{theme}": '{"theme": "JupyterLab Dark"}',
    }.items():
        (project.root / path).parent.mkdir(parents=True, exist_ok=True)
        (project.root / path).write_text(text, encoding="utf-8")
    server = subprocess.Popen(
        [*SQUINT, "lab", "07"],
        cwd=project.root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = ""
        for line in server.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        address = re.search(rf"http://127.0.0.1:(\d+)/lab/tree/{NAME}.ipynb\?token=(\S+)", said)
        assert address, said
        port, token = address[1], address[2]

        def get(path: str) -> str:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"token {token}"}
            )
            return urllib.request.urlopen(request, timeout=30).read().decode()

        assert "jupyter-config-data" in get(f"/lab/tree/{NAME}.ipynb")
        assert [one["name"] for one in json.loads(get("/api/contents/"))["content"]] == [f"{NAME}.ipynb"]
        settings = json.loads(get("/lab/api/settings/@jupyterlab/apputils-extension:notification"))
        defaults = {key: value["default"] for key, value in settings["schema"]["properties"].items()}
        assert defaults["fetchNews"] == "false" and defaults["checkForUpdates"] is False
        assert "JupyterLab Dark" in get("/lab/api/settings/@jupyterlab/apputils-extension:themes")
        page = json.loads(re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', get("/lab"), re.S)[1])
        assert page["extensionManager"]["can_install"] is False
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents/", timeout=30)
    finally:
        server.send_signal(2)
        assert server.wait(timeout=30) == 0
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=2):
        pass


def test_a_server_that_answers_otherwise_is_not_waited_for(project, monkeypatch):
    """A configuration of the machine's own may still move the address."""
    elsewhere = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
    monkeypatch.setattr(lab, "command", lambda project, port: [*elsewhere, str(port)])
    assert "answers 404" in squint("lab", "07", "--no-browser", expect=2).stderr


def test_a_port_in_use_is_not_taken(project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert lab.free_port(port) != port
        assert f"Port {port} is in use" in squint("lab", "07", "--port", str(port), expect=2).stderr


def test_a_jupyterlab_that_does_not_start_says_why(project, monkeypatch):
    broken = [sys.executable, "-c", "print('starting'); raise SystemExit('no such option')"]
    monkeypatch.setattr(lab, "command", lambda *_: broken)
    assert squint("lab", "07", expect=2).stderr == "JupyterLab did not start: no such option\n"


def test_no_browser_is_opened_where_there_is_none(monkeypatch):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    if sys.platform.startswith("linux"):
        assert lab.has_browser() is False


def test_of_several_copies_the_one_saved_last_is_judged_and_named(project):
    squint("lab", "07", "--fresh", "--no-jupyter")
    solved = {"double": "def double(x): return x + x", "square": "def square(x): return x * x", "limit": "limit = 10"}
    for age, (name, answers) in enumerate({f"{NAME}-2": solved, NAME: {}, "mine": {}, f"{NAME} (1)": {}}.items()):
        file = save(learner(project, **answers), project.work / f"{name}.ipynb")
        os.utime(file, (1e9 - age, 1e9 - age))
    save(learner(project), project.work / ".ipynb_checkpoints" / f"{NAME}-checkpoint.ipynb")
    result = squint("check", "7", "--profile", "smoke")
    assert result.stdout.startswith(f"{NAME} · work/{NAME}-2.ipynb")
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"This is work/{NAME}-2.ipynb, which was saved last. There are also ")
    assert all(f"work/{name}.ipynb" in first for name in (NAME, "mine", f"{NAME} (1)")) and "checkpoint" not in first


@pytest.mark.parametrize("page", ["cp1252", "ascii", "cp437", "utf-16"])
@pytest.mark.parametrize("command", [["-h"], ["doctor"], ["check", "07", "--profile", "smoke"], ["data", "list"]])
def test_no_code_page_is_a_failure(project, page, command):
    """Exit code 1 says that something did not pass, and nothing else."""
    squint("lab", "07", "--no-jupyter")
    environment = os.environ | {"PYTHONIOENCODING": page, "SQUINT_DATA": str(ROOT / "data")}
    done = subprocess.run([*SQUINT, *command], capture_output=True, env=environment, cwd=project.root)
    assert "Traceback" not in done.stderr.decode("utf-8")
    assert {"-h": "Exit codes", "doctor": "✓ work/", "check": "○ not-done", "data": "licence"}[command[0]] in (
        done.stdout.decode("utf-8")
    )


def test_a_damaged_notebook_in_work_is_told_by_lab_and_doctor(project):
    squint("lab", "07", "--no-jupyter")
    kept = project.work / ".ipynb_checkpoints" / f"{NAME}-checkpoint.ipynb"
    save(learner(project), kept)
    (project.work / f"{NAME}.ipynb").write_text("", encoding="utf-8")
    (project.work / "copy.ipynb").write_text("<html>", encoding="utf-8")
    (project.work / f"._{NAME}.ipynb").write_bytes(b"\0\5\26\7Mac OS X")
    for said in (squint("lab", "07", "--no-jupyter").stderr, doctor._work(project)[1]):
        assert f"{NAME}.ipynb is not a notebook: it is empty. An earlier state is in {kept}." in said
        assert "copy.ipynb is not a notebook: it is a web page" in said and "._" not in said
    assert "it is empty" in squint("check", "07", expect=2).stderr


def test_build_says_how_long_it_took_and_check_proves(project):
    said = squint("build", "7").stdout
    assert re.search(rf"{NAME}: \d+\.\d s; slowest: \S+ \d+\.\d s, ", said)
    assert squint("build", "--check").stdout == f"In step: {NAME}\n"
    path = project.solutions / f"{NAME}.py"
    path.write_text(path.read_text(encoding="utf-8").replace("return 2 * x", "return x + x"), encoding="utf-8")
    result = squint("build", "--check", expect=1)
    at = next(i for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if 'id="double"' in line)
    assert result.stderr.startswith(f"{path}:{at}: The code was edited since the solution was executed (double): ")
    path.write_text(path.read_text(encoding="utf-8").replace("minutes=2 ", ""), encoding="utf-8")
    line = next(i for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if 'id="square"' in line)
    one_sentence(squint("build", expect=2), f"{path}:{line}: The exercise `square` says nothing for `minutes`.")
    assert squint("build", "--check", expect=1).stderr.startswith(f"{path}:{line}: ")


def test_a_lab_that_is_refused_does_not_keep_the_others(project):
    path = project.solutions / f"{NAME}.py"
    (project.solutions / "06_broken.py").write_text("x", encoding="utf-8")
    before = path.with_suffix(".ipynb").stat().st_mtime_ns
    assert "06_broken.py:1: " in squint("build", expect=2).stderr
    assert path.with_suffix(".ipynb").stat().st_mtime_ns > before


def test_numbers_find_labs(project):
    assert one_of(project.solutions, "7", ".py").stem == NAME
    assert one_of(project.solutions, "07_tiny.py", ".py").stem == NAME
    with pytest.raises(CourseError, match="There is no lab 03"):
        one_of(project.solutions, "3", ".py")
    (project.solutions / "07b_other.py").touch()
    for number in ("7b", "07b", "07b_other"):
        assert one_of(project.solutions, number, ".py").stem == "07b_other"
    assert [path.stem for path in project.sources()] == [NAME, "07b_other"]
    (project.solutions / "07_other.py").touch()
    with pytest.raises(CourseError, match="More than one file"):
        one_of(project.solutions, "7", ".py")
    assert one_of(project.solutions, NAME, ".py").stem == NAME


def test_outside_a_checkout_the_installed_one_is_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Project.find().root == ROOT
    assert Project.find(FIXTURE / "solutions").root == FIXTURE


def test_new_writes_a_lab_whose_checks_are_sound(tmp_path, monkeypatch):
    """Its notebook is built by the slow test below; here its checks are held to what every check owes."""
    project = course(tmp_path)
    monkeypatch.chdir(tmp_path)
    said = squint("new", "42", "one_scale").stdout
    source, checks = project.solutions / "42_one_scale.py", tmp_path / "lib" / "squint" / "checks" / "lab42.py"
    answers = tmp_path / "tests" / "answers" / "lab42.py"
    files = (source, checks, answers)
    assert all(str(path) in said for path in files)
    text = {path: path.read_text(encoding="utf-8") for path in files}
    one_sentence(squint("new", "42", "other", expect=2), "There is a lab 42 already")

    monkeypatch.setattr(solution, "SOLUTIONS", project.solutions)
    check, given = module_of(checks).CHECKS["standardise"], module_of(answers)
    assert len(check.misconceptions) >= 3 and len(given.RIGHT["standardise"]) >= 2 and len(check.steps) == 3
    for answer in (check.reference, *given.RIGHT["standardise"]):
        assert engine.judge(check, answer).passed
    for mistake in check.misconceptions:
        made = check.solution.make(check.solution.edited([mistake]))
        assert engine.judge(check, made).hint == mistake.sentence
    for exercise, code, said in given.WRONG:
        assert said in engine.judge(check, define(code, exercise, {"torch": torch})).hint
    source.unlink()
    one_sentence(squint("new", "42", "one_scale", expect=2), "There is a lab 42 already")
    assert checks.read_text(encoding="utf-8") == text[checks] and not source.exists()
    # As if the files lay where they will.
    for path in files:
        for command in (["check"], ["format", "--check"]):
            ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path.relative_to(tmp_path)), "-"]
            clean = subprocess.run(ruff, input=text[path], cwd=ROOT, capture_output=True, text=True)
            assert clean.returncode == 0 or (path, command) == (source, ["format", "--check"]), clean.stdout


def module_of(path: Path):
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_new_lab_builds_replays_and_passes_as_it_stands(tmp_path, monkeypatch):
    """With the library itself, which imports torch: skeleton, notebooks, replay, and a learner's verdicts."""
    for folder in ("solutions", "lib"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "lib" / "squint").symlink_to(ROOT / "lib" / "squint")
    checks = ROOT / "lib" / "squint" / "checks"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib" / "squint").unlink()
    _shadow(ROOT / "lib" / "squint", tmp_path / "lib" / "squint")
    squint("new", "42", "one_scale")
    assert not (checks / "lab42.py").exists()
    squint("build", "42")
    assert squint("build", "--check").stdout == "In step: 42_one_scale\n"
    squint("lab", "42", "--no-jupyter")
    report = json.loads(squint("check", "42", "--json", expect=1).stdout)
    assert report["exercises"]["standardise"]["verdict"] == "not-done"
    assert report["claims"]["standardising keeps the ranking of every row"]["held"]
    file = tmp_path / "work" / "42_one_scale.ipynb"
    notebook = json.loads(file.read_text(encoding="utf-8"))
    cell(notebook, "standardise")["source"] = (
        "def standardise(rows):\n    return (rows - rows.mean(1, keepdim=True)) / rows.std(1, keepdim=True, correction=0)"
    )
    save(notebook, file)
    assert "✓ passed" in squint("check", "42").stdout


def _shadow(package: Path, target: Path) -> None:
    """A package of links to another's files, with real folders, so that a file may be added."""
    for path in package.rglob("*"):
        if "__pycache__" in path.parts or path.is_dir():
            continue
        link = target / path.relative_to(package)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["new", "7", "x"], "two digits"),
        (["new", "43", "Big Name"], "lower case"),
        (["check", "55"], "There is no lab 55"),
        (["check", "07"], "does not exist"),
        (["check", "07", "--profile", "gpu"], "There is no profile gpu"),
        (["build", "55"], "There is no lab 55"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(project, arguments, says):
    one_sentence(squint(*arguments, expect=2), says)


def test_a_package_that_is_missing_is_one_sentence(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "squint.course.build", None)

    def missing(*_):
        raise ModuleNotFoundError("No module named 'jupytext'", name="jupytext")

    monkeypatch.setattr(Project, "sources", missing)
    monkeypatch.delitem(sys.modules, "squint.course.build")
    one_sentence(squint("build", expect=2), "The package jupytext is not installed: run `make`.")


def test_doctor_looks_at_everything(monkeypatch):
    monkeypatch.chdir(ROOT)
    findings = {one.what: one for one in doctor.examine(Project(ROOT))}
    assert list(findings) == ["Python", "packages", "device", "threads", "data", "weights", "disk", "work/", "labs"]
    assert findings["Python"].right and findings["packages"].right, findings
    assert findings["device"].right and "torch" in findings["device"].says


def test_doctor_says_what_to_do(tmp_path, monkeypatch):
    project = course(tmp_path)
    about = (
        '[project]\nversion = "1"\nrequires-python = ">=4"\ndependencies = ["no-such-package", "rich>=999", "typer"]\n'
    )
    (tmp_path / "pyproject.toml").write_text(about, encoding="utf-8")
    (tmp_path / "requirements.lock").write_text("typer==0.0.1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "FREE", 1e9)
    monkeypatch.setenv("SQUINT_THREADS", str(4 * (os.cpu_count() or 1)))
    monkeypatch.setenv("SQUINT_DATA", str(tmp_path))
    findings = {one.what: one for one in doctor.examine(project)}
    assert not any(findings[what].right for what in ("Python", "packages", "threads", "data", "disk", "labs"))
    assert "needs >=4" in findings["Python"].says
    assert (
        "no-such-package is missing; rich is" in findings["packages"].says and "run `make`" in findings["packages"].says
    )
    assert "SQUINT_THREADS" in findings["threads"].says
    assert "squint build" in findings["labs"].says
    result = squint("doctor", expect=1)
    assert result.stdout.count("✗") >= 6 and "✓ work/" in result.stdout


def test_data_says_what_there_is_and_what_is_wrong(tmp_path, monkeypatch):
    listed = squint("data", "list").stdout
    assert "licence" in listed and "MIT" in listed
    monkeypatch.setenv("SQUINT_DATA", str(tmp_path))
    one_sentence(squint("data", "list", expect=2), "catalogue.toml is missing")
    (tmp_path / "catalogue.toml").write_text(
        '[[file]]\nname = "a"\npath = "a.txt"\nsha256 = "0"\nbytes = 3\nlicence = "MIT"\norigin = "b"\nmade_by = "c"\n',
        encoding="utf-8",
    )
    result = squint("data", "verify", expect=1)
    assert "a.txt is missing" in result.stderr and "0 of 1 files" in result.stdout


RECIPE = '''"""Trains a thing.

More.
"""
import sys
OPTIONS = "--resume"
print(sys.argv[1:])
sys.exit(3)
'''


def test_recipes_are_listed_run_and_given_their_options(project, capfd):
    folder = project.root / "data/recipes"
    folder.mkdir(parents=True)
    (folder / "thing.py").write_text(RECIPE)
    (folder / "picture.py").write_text('"""Draws a picture."""\nprint("drawn")\n')
    (folder / "_shared.py").write_text("")
    listed = squint("recipe").stdout
    assert "Trains a thing." in listed and "Draws a picture." in listed and "_shared" not in listed
    squint("recipe", "thing", "--minutes", "2", "--resume", "--ship", "--rate", "0.1", expect=3)
    assert "['--minutes', '2.0', '--resume', '--ship', '--rate', '0.1']" in capfd.readouterr().out
    squint("recipe", "picture")
    assert "drawn" in capfd.readouterr().out
    one_sentence(squint("recipe", "picture", "--minutes", "1", expect=2), "trains nothing")
    one_sentence(squint("recipe", "thinf", expect=2), "there are picture, thing")
