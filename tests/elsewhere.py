"""`make test-all`: the library and its checks on another Python, and on the torch that Colab has.

Each environment is made fresh in build/, from environment.yml's pip part, so that is tested, too. One that cannot be made
here (no such Python, no such torch) is named and counts as skipped, not as passed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
QUICK = [
    "-m",
    "pytest",
    "--quiet",
    "--numprocesses=2",
    "tests/test_engine.py",
    "tests/test_checks.py",
    "tests/test_notebook.py",
    "tests/test_attention.py",
]
COLAB = ("torch==2.11.0", "setuptools==81.0.0")
"""The oldest torch that the course supports, which takes no newer setuptools."""


def pythons() -> dict[str, str]:
    """Other Pythons of this machine that the course supports, by version, the newest first."""
    found = {}
    for minor in (13, 12):
        named = [
            shutil.which(f"python3.{minor}"),
            *map(str, Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python")),
        ]
        for candidate in filter(None, named):
            if subprocess.run([candidate, "-c", "pass"], capture_output=True).returncode == 0:
                found[f"python3.{minor}"] = candidate
                break
    return found


def environment(name: str, python: str, *instead: str) -> Path | None:
    """A fresh environment with the pip part of environment.yml; `instead` replaces pins of the lock. None if refused."""
    folder = ROOT / "build" / name
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pins = (ROOT / "requirements.lock").read_text()
    for pin in instead:
        pins = re.sub(rf"^{re.escape(pin.split('==')[0])}==.*$", pin, pins, flags=re.MULTILINE)
    lock = folder / "requirements.lock"
    lock.write_text(pins)
    lines = re.findall(r"^      - (.+)$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    arguments = [word for line in lines for word in line.replace("requirements.lock", str(lock)).split()]
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    torch = re.search(r"^torch==.*$", pins, re.MULTILINE)[0]
    extra = ["pytest", "pytest-xdist", "hypothesis", "beartype", "diffusers", "transformers"]
    for what in ([torch], arguments, ["--constraint", str(lock), *extra]):
        done = subprocess.run([*pip, *what], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            print(f"  {name}: {' '.join(what)} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
            return None
    return folder / "bin" / "python"


def main() -> int:
    """Test wherever an environment can be made; the exit code is 1 if a test failed."""
    wanted = [(version, python, ()) for version, python in [*pythons().items()][:1]]
    wanted += [("fresh", sys.executable, ()), ("torch-2.11", sys.executable, COLAB)]
    failed = skipped = passed = 0
    for name, python, instead in wanted:
        print(f"{name}: {python} {' '.join(instead)}", flush=True)
        made = environment(name, python, *instead)
        if made is None:
            skipped += 1
            continue
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        code = subprocess.run([str(made), *QUICK], cwd=ROOT, env=env).returncode
        failed, passed = failed + (code != 0), passed + (code == 0)
        shutil.rmtree(ROOT / "build" / name, ignore_errors=True)
    print(f"other environments: {passed} passed, {failed} failed, {skipped} skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
