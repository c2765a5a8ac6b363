"""What the tests of the course's tools share: a tiny course of one lab, whose kernels import no torch."""

import functools
import json
import shutil
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from squint.course.build import build
from squint.course.project import Project

FIXTURE = Path(__file__).parent / "fixtures" / "course"
SOURCE = (FIXTURE / "solutions" / "07_tiny.py").read_text(encoding="utf-8")
NAME = "07_tiny"
CHECK = "application/vnd.squint.check+json"
CLAIM = "application/vnd.squint.claim+json"


def course(folder: Path, source: str = SOURCE) -> Project:
    """A course of one lab, not built."""
    shutil.copytree(FIXTURE, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (folder / "solutions" / f"{NAME}.py").write_text(source, encoding="utf-8")
    return Project(folder)


@functools.cache
def _built() -> tempfile.TemporaryDirectory:
    folder = tempfile.TemporaryDirectory(prefix="squint-course-")
    project = course(Path(folder.name))
    build(project.solutions / f"{NAME}.py", project)
    return folder


def built_course(folder: Path) -> Project:
    """A course of one lab, built; built once a process."""
    shutil.copytree(_built().name, folder, dirs_exist_ok=True)
    return Project(folder)


def learner(project: Project, **answers: str) -> dict:
    """The learner's notebook as JSON, with some exercises filled in."""
    notebook = json.loads((project.labs / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    for name, code in answers.items():
        cell(notebook, name)["source"] = code
    return notebook


def cell(notebook: dict, id: str) -> dict:
    """The cell with this id."""
    return next(one for one in notebook["cells"] if one["id"] == id)


def save(notebook: dict, path: Path) -> Path:
    """Write a notebook that is JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def stream(text: str, name: str = "stdout"):
    """An output on a stream."""
    return new_output("stream", text=text, name=name)


def shown(**data):
    """A displayed output; `text` stands for text/plain, `html` for text/html, `claim` and `check` for their bundles."""
    mimes = {"text": "text/plain", "html": "text/html", "claim": CLAIM, "check": CHECK}
    return new_output("display_data", {mimes[key]: value for key, value in data.items()})


def code(id: str, source: str, *outputs, count: int | None = 1, tags: tuple[str, ...] = ()):
    """A code cell with reference outputs."""
    metadata = {"tags": list(tags)} if tags else {}
    return new_code_cell(source, id=id, outputs=list(outputs), execution_count=count, metadata=metadata)


def notebook_of(path: Path, *cells) -> Path:
    """Write a notebook of these cells."""
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path
