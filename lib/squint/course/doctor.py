"""Looks at everything a lab needs, and says what to do about what is missing."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from squint.bootstrap import again

from .project import LAB, Project

FREE = 1.0
"""GB that should be free on the disk of the course."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is right, and what was found or what to do."""

    what: str
    right: bool
    says: str


def examine(project: Project) -> Iterator[Finding]:
    """Look at Python, packages, device, threads, data, weights, disk and work/, one after the other."""
    looks: dict[str, Callable[[Project], tuple[bool, str]]] = {
        "Python": _python,
        "packages": _packages,
        "device": _device,
        "threads": _threads,
        "data": _data,
        "weights": _weights,
        "disk": _disk,
        "work/": _work,
        "labs": _labs,
    }
    for what, look in looks.items():
        try:
            right, says = look(project)
        except Exception as error:
            right, says = False, f"{type(error).__name__}: {error}"
        yield Finding(what, right, says)


def _about(project: Project) -> dict:
    return tomllib.loads((project.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _python(project: Project) -> tuple[bool, str]:
    from packaging.specifiers import SpecifierSet

    version, wanted = ".".join(map(str, sys.version_info[:3])), _about(project)["requires-python"]
    if version not in SpecifierSet(wanted):
        return False, f"{version}, but the course needs {wanted}: make the environment anew with another Python."
    return True, f"{version} at {sys.executable}"


def _packages(project: Project) -> tuple[bool, str]:
    """Every package of pyproject.toml, but those for tests: present, in range; and how many are as locked."""
    from packaging.requirements import Requirement

    about = _about(project)
    extras = about.get("optional-dependencies", {})
    wanted = [*about.get("dependencies", []), *extras.get("lab", []), *extras.get("course", [])]
    locked = _lock(project.root / "requirements.lock")
    wrong, other = [], []
    for requirement in map(Requirement, wanted):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, not {requirement.specifier}")
        elif locked.get(_normal(requirement.name), version) != version.split("+")[0]:
            other.append(f"{requirement.name} {version}")
    if wrong:
        return False, f"{'; '.join(wrong)}: run {again()}, or `pip install -r requirements.lock`."
    if other:
        return True, f"{len(wanted)} in range; not as in requirements.lock: {', '.join(other)}"
    return True, f"{len(wanted)} in range" + (", all as in requirements.lock" if locked else "")


def _lock(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pins = (re.match(r"([A-Za-z0-9._-]+)==([^\s;+]+)", line) for line in lines)
    return {_normal(pin[1]): pin[2] for pin in pins if pin}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _device(project: Project) -> tuple[bool, str]:
    import torch

    from squint import device

    found = device.pick()
    name = f" ({torch.cuda.get_device_name()})" if found.type == "cuda" else ""
    return True, f"{found.type}{name}, torch {torch.__version__}, profile {device.profile(found)}"


def _threads(project: Project) -> tuple[bool, str]:
    from squint import device

    used, cores = device.threads(), os.cpu_count() or 1
    if used > cores:
        return False, f"{used} on {cores} cores, which is slow: set SQUINT_THREADS to {cores} or less."
    return True, f"{used} of {cores} cores"


def _data(project: Project) -> tuple[bool, str]:
    from squint.data import catalogue

    return _files([entry for entry in catalogue.entries() if not entry.fetched], "verified")


def _weights(project: Project) -> tuple[bool, str]:
    from squint.data import catalogue

    return _files([entry for entry in catalogue.entries() if entry.fetched], "fetched and verified")


def _files(entries: list, how: str) -> tuple[bool, str]:
    from squint.data import catalogue

    problems = [problem for entry in entries if (problem := catalogue.problem(entry))]
    size = sum(entry.bytes for entry in entries) / 1e6
    if problems:
        return False, problems[0] + (f" ({len(problems) - 1} more)" if len(problems) > 1 else "")
    return True, f"{len(entries)} files, {size:.0f} MB, {how}"


def _disk(project: Project) -> tuple[bool, str]:
    free = shutil.disk_usage(project.root).free / 1e9
    if free < FREE:
        return False, f"{free:.1f} GB free: make room until there is {FREE:g} GB."
    return True, f"{free:.0f} GB free"


def _work(project: Project) -> tuple[bool, str]:
    from . import ipynb

    if not project.work.is_dir():
        return True, "not there yet: `squint lab` makes it"
    try:
        with tempfile.TemporaryFile(dir=project.work):
            pass
    except OSError as error:
        return False, f"{project.work} cannot be written ({error.strerror}): change its owner or its permissions."
    notebooks = list(project.work.glob("[!.]*.ipynb"))
    if damaged := list(ipynb.damaged(notebooks)):
        return False, " ".join(damaged)
    return True, f"{len(notebooks)} notebooks, and it can be written"


def _labs(project: Project) -> tuple[bool, str]:
    labs = [path.stem for path in sorted(project.labs.glob(f"{LAB}.ipynb"))]
    return (True, ", ".join(labs)) if labs else (False, f"none in {project.labs}: run `squint build`.")
