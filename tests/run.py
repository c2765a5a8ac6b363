"""`make test`, `make test-fast`, `make test-all`: the stages, one after the other, and one plain summary.

A stage is a command. What pytest counted is read from its junit file; any other stage counts as one test. With CI=true
a skipped test is a failure: a machine that lacks what a test needs must not look green.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PYTHON = sys.executable
BIN = Path(PYTHON).parent
SKIP_IS_FAILURE = os.environ.get("CI", "").lower() in ("1", "true")


@dataclass
class Stage:
    """A command, and what it counted."""

    name: str
    command: list[str]
    pytest: bool = False
    env: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Run it, its output going by, and count."""
        print(f"\n── {self.name} " + "─" * max(0, 88 - len(self.name)), flush=True)
        report = BUILD / f"{self.name.replace(' ', '-')}.xml"
        report.unlink(missing_ok=True)
        command = [*self.command, f"--junitxml={report}"] if self.pytest else self.command
        env = {**os.environ, "OMP_NUM_THREADS": "1", "SQUINT_THREADS": "1", **self.env}
        start = time.monotonic()
        code = subprocess.run(command, cwd=ROOT, env=env).returncode
        self.seconds = time.monotonic() - start
        if self.pytest and report.exists():
            self.read(report)
        else:
            self.passed, self.failed = int(code == 0), int(code != 0)
        if code and not self.failed:
            self.failed = 1
            self.notes.append(f"ended with exit code {code}")

    def read(self, report: Path) -> None:
        """Count a junit file's cases. One that was expected to fail counts as skipped."""
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
            elif skipped is not None:
                self.skipped += 1
                self.notes.append(f"skipped {case.get('name')}: {skipped.get('message')}")
            else:
                self.passed += 1


def tests(name: str, *arguments: str, **options) -> Stage:
    """A stage of pytest."""
    return Stage(name, [PYTHON, "-m", "pytest", *arguments], pytest=True, **options)


def stages(what: str) -> list[Stage]:
    """The stages of `test-fast`, `test` or `test-all`."""
    style = [
        Stage("ruff", [str(BIN / "ruff"), "check", "."]),
        Stage("format", [str(BIN / "ruff"), "format", "--check", "--quiet", "lib", "tests", "bench"]),
        Stage("types", [str(BIN / "mypy")]),
        Stage("imports", [str(BIN / "lint-imports"), "--no-cache"]),
        Stage("notebooks in step", [PYTHON, "-m", "squint.course.cli", "build", "--check"]),
    ]
    if what == "test-fast":
        return [*style, tests("library", "tests", "-m", "not slow and not gpu", "-n", "2", "--dist", "worksteal")]
    marks = [] if _gpu() else ["-m", "not gpu"]
    full = [
        *style,
        tests("library", "tests", *marks, "-n", "2", "--dist", "worksteal", "--ignore", "tests/test_browser.py"),
        tests("browser", "tests/test_browser.py"),
        tests("solutions", "-p", "squint.course.validate", "--labs", "--labs-further", "-n", "2", "--dist", "loadfile",
              "solutions", env={"PYTHONPATH": str(ROOT / "tests" / "no_network")}),
    ]  # fmt: skip
    return full if what == "test" else [*full, Stage("other Pythons", [PYTHON, "tests/elsewhere.py"])]


def _gpu() -> bool:
    return shutil.which("nvidia-smi") is not None


def need_browser() -> None:
    """Install Chromium where that is allowed: root on Debian. Elsewhere its test is skipped, and says so."""
    if shutil.which("chromium") or not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get")):
        return
    print("installing Chromium for the browser test", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update", "-qq"], **quiet)
    subprocess.run(["apt-get", "install", "-y", "-qq", "chromium", "fonts-dejavu-core"], **quiet)


def main() -> int:
    """Run what was asked for; the exit code is 1 if anything failed."""
    what = sys.argv[1] if len(sys.argv) > 1 else "test"
    BUILD.mkdir(exist_ok=True)
    if what != "test-fast":
        need_browser()
    done = stages(what)
    for stage in done:
        stage.run()
    print(f"\n── summary of {what} " + "─" * 70)
    for stage in done:
        mark = "✗" if stage.failed or (stage.skipped and SKIP_IS_FAILURE) else "✓"
        counts = f"{stage.passed:4} passed {stage.failed:4} failed {stage.skipped:4} skipped"
        print(f"{mark} {stage.name:20} {counts} {stage.seconds:7.0f} s")
        for note in stage.notes:
            print(f"    {note}")
    passed, failed, skipped = (sum(getattr(s, k) for s in done) for k in ("passed", "failed", "skipped"))
    if SKIP_IS_FAILURE and skipped:
        print(f"{skipped} skipped tests count as failures here, since CI=true")
        passed, failed, skipped = passed, failed + skipped, 0
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
