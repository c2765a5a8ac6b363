"""Notebook files: read with one sentence where that fails, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

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


SIGNS = {
    rb"\s*\Z": "it is empty",
    rb"[^\x00]*\x00{8}": "from line {line} on it holds zeros, as a disk or a sync that failed leaves them",
    rb"(?s)(.*\n)?<<<<<<< ": "a merge left its marks in line {line}: take one side or the other",
    rb"(?i)\s*<(!doctype|html|\?xml)": "it is a web page: download the file itself",
    rb"version https://git-lfs": "it only points to one: run `git lfs pull`",
    rb"PK\x03\x04|\x1f\x8b": "it is packed: unpack it first",
}
"""How a file begins that is no notebook, and what it is."""


def read_learner(file: Path) -> dict[str, Any]:
    """Anybody's notebook as plain JSON, forgiving of all that Jupyter forgives.

    Raises:
        CourseError: there is no such file, or it is no notebook.
    """
    try:
        content = file.read_bytes()
        notebook = json.loads(content)
    except IsADirectoryError:
        raise CourseError(f"{file} is a folder, not a notebook.") from None
    except FileNotFoundError:
        raise CourseError(f"{file} does not exist.") from None
    except OSError as error:
        raise CourseError(f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise CourseError(f"{file} is not a notebook: {_damage(content, error)}.{_kept(file)}") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list) or notebook.get("nbformat") != 4:
        raise CourseError(f"{file} is not a notebook: it has no cells of notebook format 4.")
    notebook["metadata"] = notebook["metadata"] if isinstance(notebook.get("metadata"), dict) else {}
    return notebook


def damaged(files: Iterable[Path]) -> Iterator[str]:
    """A sentence for each of some learner's notebooks that cannot be read."""
    for file in sorted(files):
        try:
            read_learner(file)
        except CourseError as error:
            yield str(error)


def _damage(content: bytes, error: Exception) -> str:
    """What is wrong with a file that is no JSON."""
    for sign, means in SIGNS.items():
        if found := re.match(sign, content):
            return means.format(line=found[0].count(b"\n") + 1)
    if isinstance(error, json.JSONDecodeError):
        broken = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated")
        return f"it does not hold JSON: {'it breaks off in' if broken else 'see'} line {error.lineno}"
    return "it does not hold JSON"


def _kept(file: Path) -> str:
    """Where Jupyter keeps what was last saved by hand, if that is a notebook."""
    kept = file.with_name(".ipynb_checkpoints") / f"{file.stem}-checkpoint.ipynb"
    try:
        json.loads(kept.read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    return f" An earlier state is in {kept}."


def write(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
