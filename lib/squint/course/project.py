"""Where things lie: the project's root, its labs by number, and what pyproject.toml says of the release."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

MARKS = {"passed": "✓", "not-done": "○"}
"""How the verdicts on exercises are marked, all others with ✗."""

LAB = "[0-9][0-9]*_*"
"""What a lab's files are called: the number, `03` or `03b`, is what stands before the first underscore."""


class CourseError(Exception):
    """Something a person can mend: one sentence, shown without a traceback, exit code 2."""


@dataclass(frozen=True)
class Refusal:
    """One thing wrong with a source: where, and a sentence."""

    path: Path
    line: int
    sentence: str

    def __str__(self) -> str:
        """`file:line: sentence`, as compilers write it, so that editors jump there."""
        return f"{self.path}:{self.line}: {self.sentence}"


class Refused(CourseError):
    """A source that is not built, with everything that was found wrong with it."""

    def __init__(self, refusals: list[Refusal]) -> None:
        """Keep the refusals, in the order of their lines."""
        self.refusals = sorted(refusals, key=lambda refusal: (str(refusal.path), refusal.line))
        super().__init__("\n".join(map(str, self.refusals)))


@dataclass(frozen=True)
class Project:
    """A checkout of the course: the folder that holds pyproject.toml, solutions/, labs/ and work/."""

    root: Path

    @classmethod
    def find(cls, *starts: Path) -> Project:
        """The project around one of `starts`, else around the working folder, else the one this package lies in.

        Raises:
            CourseError: neither is a checkout of the course.
        """
        for start in (*starts, Path.cwd(), Path(__file__).parents[3]):
            for folder in (start.resolve(), *start.resolve().parents):
                if (folder / "pyproject.toml").is_file() and (folder / "solutions").is_dir():
                    return cls(folder)
        raise CourseError("This is no checkout of the course: no folder with pyproject.toml and solutions/ was found.")

    @property
    def recipes(self) -> Path:
        """The folder of the programs that make data and weights."""
        return self.root / "data" / "recipes"

    @property
    def solutions(self) -> Path:
        """The folder of sources and executed notebooks."""
        return self.root / "solutions"

    @property
    def labs(self) -> Path:
        """The folder of the learner's notebooks, as shipped."""
        return self.root / "labs"

    @property
    def work(self) -> Path:
        """The folder where the learner works, which git ignores."""
        return self.root / "work"

    def release(self) -> tuple[str, str]:
        """Version and repository address, from pyproject.toml.

        Raises:
            CourseError: pyproject.toml lacks one of them.
        """
        path = self.root / "pyproject.toml"
        about = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
        try:
            return about["version"], about["urls"]["Repository"]
        except KeyError as missing:
            raise CourseError(f"{path}:1: [project] has no {missing.args[0]}, which the Colab set-up needs.") from None

    def sources(self, numbers: list[str] | None = None) -> list[Path]:
        """The sources of the labs with these numbers (or names), all of them by default.

        Raises:
            CourseError: a number has no source, or more than one.
        """
        if not numbers:
            return sorted(self.solutions.glob(f"{LAB}.py"))
        return [one_of(self.solutions, number, ".py") for number in numbers]


def is_number(text: str) -> re.Match[str] | None:
    """Whether it is a lab's number, as a person may write it: "3", "03", "3b"; its figures and its letter."""
    return re.fullmatch(r"([0-9]+)([a-z]?)", text)


def one_of(folder: Path, number: str, suffix: str) -> Path:
    """The one file of `folder` for a lab given as "2", "02", "3b", "02_attention" or a file's name.

    Raises:
        CourseError: there is none, or more than one.
    """
    stem = Path(number).stem if number.endswith((".py", ".ipynb")) else number
    if parts := is_number(stem):
        stem = f"{parts[1]:0>2}{parts[2]}"
    found = sorted(path for path in folder.glob(f"*{suffix}") if path.stem == stem or path.stem.startswith(f"{stem}_"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise CourseError(f"There is no lab {stem} in {folder}.")
    raise CourseError(f"More than one file in {folder} could be lab {stem}: {', '.join(path.name for path in found)}.")
