"""Set-up that fails says in one sentence what is wrong and what to do; set-up that is done takes no time."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from squint import bootstrap
from squint.bootstrap import SetupError

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 14), (2, 7)])
def test_another_python_is_refused(version):
    with pytest.raises(SetupError, match=r"runs on 3\.11, 3\.12 and 3\.13"):
        bootstrap.check_python(version)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_its_own_pythons_are_taken(version):
    bootstrap.check_python(version)


def test_an_old_python_can_read_the_file_far_enough_to_say_so():
    text = (ROOT / "lib" / "squint" / "bootstrap.py").read_text()
    assert "from __future__ import annotations" in text
    assert "match " not in text.split("def check_python")[0]


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Temporary failure in name resolution", "no network"),
        ("NewConnectionError('<pip._vendor...': [Errno 101] Network is unreachable')", "no network"),
        ("The virtual environment was not created because ensurepip is not available.", "python3-venv"),
        ("ERROR: Could not install: [Errno 13] Permission denied: '/opt/x'", "cannot be written to"),
        ("ERROR: No matching distribution found for torch==2.13.0", "torch==2.13.0 could not be found"),
        ("something odd\nlast line of it", "last line of it"),
        ("", "without a word"),
    ],
)
def test_what_a_failure_means(output, said):
    sentence = bootstrap.meaning(output)
    assert said in sentence
    assert "\n" not in sentence


def project(tmp_path: Path, requirement: str) -> Path:
    (tmp_path / "requirements.lock").write_text(requirement)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '0'\n")
    return tmp_path


def test_no_network_is_one_sentence(tmp_path, monkeypatch):
    root = project(tmp_path, "surely-not-a-package-of-this-name==1.0\n")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(SetupError, match="no network"):
        bootstrap.make_venv(root)
    assert not bootstrap.is_current(root), "a broken set-up is done again"


def test_a_full_disk_is_noticed_first(tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda p: type("U", (), {"free": 1e9})())
    with pytest.raises(SetupError, match="1.0 GB free"):
        bootstrap.make_venv(project(tmp_path, ""))


def test_a_disk_that_fills_up_on_the_way(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bootstrap.subprocess, "run", full)
    with pytest.raises(SetupError, match="disk is full"):
        bootstrap.make_venv(project(tmp_path, ""))


def test_main_prints_the_sentence_alone(monkeypatch, capsys):
    def broken():
        raise SetupError("the disk is full; make room and run it again")

    monkeypatch.setattr(bootstrap, "check_python", broken)
    assert bootstrap.main() == 1
    assert capsys.readouterr().err == "Set-up stopped: the disk is full; make room and run it again\n"


def test_the_lines_for_windows_name_what_is_there():
    """As far as Linux can tell: the files, the command that pip makes, and set-up run by its path alone."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.search(r"```bat\n(.*?)```", readme, re.DOTALL)[1].splitlines()
    assert lines == [r"py -3.12 lib\squint\bootstrap.py", r".venv\Scripts\squint lab 00"]
    assert (ROOT / lines[0].split()[2].replace("\\", "/")).samefile(bootstrap.__file__)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert "squint" in scripts


def test_on_windows_the_advice_is_windows_own(monkeypatch):
    monkeypatch.setattr(bootstrap, "os", SimpleNamespace(name="nt"))
    assert bootstrap.venv_python(Path("a")) == Path("a/.venv/Scripts/python.exe")
    with pytest.raises(SetupError, match=r"py -3\.12 lib\\squint\\bootstrap\.py"):
        bootstrap.check_python((3, 14))
    assert bootstrap.again() == r"`py lib\squint\bootstrap.py`"


def test_the_stamp_follows_the_lock(tmp_path):
    root = project(tmp_path, "a==1\n")
    before = bootstrap.fingerprint(root)
    (root / "requirements.lock").write_text("a==2\n")
    assert bootstrap.fingerprint(root) != before
    assert not bootstrap.is_current(root)


def test_bootstrap_needs_only_the_standard_library():
    code = "import runpy, sys; sys.argv = ['x']; runpy.run_path(sys.argv[0] and 'lib/squint/bootstrap.py')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_colab_installs_what_is_missing_at_the_pinned_version(monkeypatch):
    ran = []
    monkeypatch.setattr(bootstrap, "run", ran.append)
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda m: None if m == "bertviz" else object())
    monkeypatch.setattr("squint.data.fetch.all", lambda: None)
    bootstrap.colab()
    assert ran[0][-1] == "bertviz==1.4.1" and "--no-deps" in ran[0]
    assert len(ran) == 1


def shell(command: list[str], data: Path) -> subprocess.CompletedProcess:
    env = {
        **os.environ,
        "SQUINT_DATA": str(data),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(data),
        "PIP_CONFIG_FILE": os.devnull,
    }
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=env, capture_output=True, text=True)


def test_fetching_from_a_shell_fetches_or_says_why_not(tmp_path):
    (tmp_path / "catalogue.toml").write_text((ROOT / "data" / "catalogue.toml").read_text())
    done = shell(["squint.data.fetch"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("again.") and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_set_up_passes_the_sentence_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "catalogue.toml").write_text("not [ toml")
    monkeypatch.setenv("SQUINT_DATA", str(tmp_path))
    monkeypatch.setattr(bootstrap, "is_current", lambda: True)
    monkeypatch.setattr(bootstrap, "venv_python", lambda root: Path(sys.executable))
    assert bootstrap.main() == 1
    assert "catalogue" in capsys.readouterr().err
