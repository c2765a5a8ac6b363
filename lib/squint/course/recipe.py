"""Recipes: the programs in data/recipes that make the course's data and train its weights."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .project import CourseError, Project


@dataclass(frozen=True)
class Recipe:
    """One program of data/recipes.

    Attributes:
        path: the program.
        does: the first line of its docstring.
        trains: whether it trains, and so takes `--minutes` and `--resume`.
    """

    path: Path
    does: str
    trains: bool

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """What a program says of itself; it is not run."""
        text = path.read_text("utf-8")
        lines = (ast.get_docstring(ast.parse(text)) or "").splitlines()
        return cls(path, lines[0] if lines else "", "RECIPE.main()" in text or '"--resume"' in text)

    @property
    def name(self) -> str:
        """What it is called by."""
        return self.path.stem

    def run(self, options: list[str]) -> int:
        """Run it to its end, in its own process; returns its exit code. An interrupt is the recipe's to take.

        Raises:
            CourseError: if it trains nothing and is asked to train for some minutes, or to go on.
        """
        if not self.trains and options and {"--minutes", "--resume"} & set(options):
            raise CourseError(f"The recipe {self.name} trains nothing: it takes neither --minutes nor --resume.")
        environment = os.environ | {"PYTHONIOENCODING": "utf-8:replace"}
        process = subprocess.Popen([sys.executable, str(self.path), *options], env=environment)
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def recipes(project: Project) -> list[Recipe]:
    """All recipes, by name. Files whose names begin with _ are shared by recipes and are none."""
    return [Recipe.read(path) for path in sorted(project.recipes.glob("[!_]*.py"))]


def find(project: Project, name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        CourseError: there is none; the message names those there are.
    """
    known = {recipe.name: recipe for recipe in recipes(project)}
    if name not in known:
        raise CourseError(f"There is no recipe {name}; there are {', '.join(known)}.")
    return known[name]
