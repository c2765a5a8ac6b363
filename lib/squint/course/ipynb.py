"""Notebook files: read with one sentence where that fails, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from .project import CourseError


def read(path: Path) -> NotebookNode:
    """A notebook of the course.

    Raises:
        CourseError: it is missing or damaged.
    """
    number = path.stem.partition("_")[0]
    try:
        return nbformat.read(path, as_version=4)
    except OSError:
        raise CourseError(f"{path} is missing: run `squint build {number}`.") from None
    except Exception:
        raise CourseError(f"{path} is not a notebook: run `squint build {number}`.") from None


def write(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
