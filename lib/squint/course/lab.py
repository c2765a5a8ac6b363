"""The learner's desk: copies labs into work/, never over a file that is there, and opens JupyterLab on one of them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from squint.bootstrap import again

from .project import LAB, CourseError, Project, one_of

START = 120.0
"""Seconds that JupyterLab has to answer."""

SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}
"""What holds in JupyterLab unless the learner chose otherwise: it asks nothing of the network, nor of them."""


@dataclass
class Desk:
    """What `lay_out` did."""

    copied: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def lay_out(project: Project) -> Desk:
    """Copy the labs that the learner does not have yet to work/.

    Returns:
        The labs that were copied, those in work/ that were begun from another edition than the present one, and a
        sentence for each notebook there that cannot be read.

    Raises:
        CourseError: there are no labs, or work/ cannot be written.
    """
    labs = sorted(project.labs.glob(f"{LAB}.ipynb"))
    if not labs:
        raise CourseError(f"There are no labs in {project.labs}: run `squint build`.")
    from . import ipynb

    desk = Desk()
    try:
        project.work.mkdir(exist_ok=True)
        for lab in labs:
            target = project.work / lab.name
            if copy_new(lab, target):
                desk.copied.append(lab.stem)
            elif (theirs := _edition(target)) and theirs != _edition(lab):
                desk.outdated.append(lab.stem)
        desk.damaged += ipynb.damaged(project.work.glob("[!.]*.ipynb"))
    except OSError as error:
        raise CourseError(f"{project.work} cannot be written: {error.strerror}.") from None
    return desk


def fresh(project: Project, number: str) -> Path:
    """Put the present edition of a lab beside the learner's, under a new name.

    Returns:
        The new file.

    Raises:
        CourseError: there is no such lab, or work/ cannot be written.
    """
    lab = one_of(project.labs, number, ".ipynb")
    try:
        project.work.mkdir(exist_ok=True)
        for count in range(2, 1000):
            target = project.work / f"{lab.stem}-{count}.ipynb"
            if copy_new(lab, target):
                return target
    except OSError as error:
        raise CourseError(f"{project.work} cannot be written: {error.strerror}.") from None
    raise CourseError(f"{project.work} holds a thousand copies of {lab.stem}: move some away.")


def copy_new(source: Path, target: Path) -> bool:
    """Copy a file whole, unless there is one of that name, however many do so at once.

    Returns:
        Whether the copy was made.
    """
    if os.path.lexists(target):
        return False
    number, beside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as file, source.open("rb") as content:
            shutil.copyfileobj(content, file)
        os.chmod(beside, 0o644)
        try:
            os.link(beside, target)
        except FileExistsError:
            return False
        except OSError:
            # A file system without hard links: claim the name first, then fill it.
            try:
                with target.open("xb") as file:
                    file.write(Path(beside).read_bytes())
            except FileExistsError:
                return False
        return True
    finally:
        os.unlink(beside)


def open_lab(project: Project, file: Path, say: Callable[[str], object], browser: bool, port: int | None = None) -> int:
    """Run JupyterLab in work/ until it is stopped.

    Args:
        project: the checkout.
        file: the notebook to open.
        say: is told the address, once JupyterLab answers there.
        browser: whether to open one, if there is one.
        port: the port to listen on; the first free one from 8888 if left out.

    Returns:
        JupyterLab's exit status, 0 after an interrupt.

    Raises:
        CourseError: JupyterLab is not installed or does not start, or the port is in use.
    """
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise CourseError(f"JupyterLab is not installed: run {again()}.")
    if port and not is_free(port):
        raise CourseError(f"Port {port} is in use: leave --port out, or give another.")
    port, token = port or free_port(), secrets.token_urlsafe(18)
    address = f"http://127.0.0.1:{port}/lab/tree/{file.name}?token={token}"
    with tempfile.TemporaryDirectory(prefix="squint-") as folder:
        log = Path(folder, "jupyter.log")
        with log.open("w", encoding="utf-8") as lines:
            server = subprocess.Popen(
                command(project, port),
                env=environment(project, folder, token),
                cwd=project.work,
                stdout=lines,
                stderr=lines,
            )
        try:
            _wait_for(server, port, token, log)
            say(address)
            if browser and has_browser():
                import webbrowser

                webbrowser.open(address)
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _stop(server)


def command(project: Project, port: int) -> list[str]:
    """How JupyterLab is started: on this machine only, quiet, never on the network, whatever is set up elsewhere."""
    options = [
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={project.work}",
        "--ServerApp.answer_yes=True",
        f"--ServerApp.preferred_dir={project.work}",
        *(f"--ServerApp.{name}=" for name in ("base_url", "certfile", "keyfile", "sock")),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [sys.executable, "-m", "jupyterlab", *options, *root]


def environment(project: Project, folder: str, token: str) -> dict[str, str]:
    """JupyterLab's environment: this Python's kernel, the course's library, our settings below the learner's own.

    What they set up for servers of their own (an address, a certificate, a password) stays out: this one is ours.
    """
    from jupyter_core.paths import jupyter_config_dir

    theirs = Path(jupyter_config_dir(), "lab")
    settings = Path(folder, "labconfig", "default_setting_overrides.json")
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(SETTINGS), encoding="utf-8")

    paths = [str(project.root / "lib"), *filter(None, [os.environ.get("PYTHONPATH")])]
    looks = {"JUPYTERLAB_SETTINGS_DIR": "user-settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    return os.environ | {
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": folder,
        "JUPYTER_CONFIG_PATH": "",
        "JUPYTER_NO_CONFIG": "",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONPATH": os.pathsep.join(paths),
        **{name: os.environ.get(name) or str(theirs / kind) for name, kind in looks.items()},
    }


def free_port(first: int = 8888) -> int:
    """The first free port of this machine from `first` on."""
    for port in range(first, first + 50):
        if is_free(port):
            return port
    raise CourseError(f"The ports {first} to {first + 49} are all in use: give one with --port.")


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of this machine."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def has_browser() -> bool:
    """Whether a browser with windows can be opened here."""
    import webbrowser

    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def _wait_for(server: subprocess.Popen[Any], port: int, token: str, log: Path) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"})
    # A proxy that is meant for the world outside has nothing to say about this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        try:
            opener.open(request, timeout=2).close()
            return
        except urllib.error.HTTPError as error:
            # It runs, and will not answer otherwise however long one waits.
            raise CourseError(f"JupyterLab runs on port {port}, but answers {error.code} {error.reason}.") from None
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise CourseError(f"JupyterLab did not start: {lines[-1] if lines else 'it says nothing'}")


def _stop(server: subprocess.Popen[Any]) -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()


def _edition(file: Path) -> str | None:
    """The edition a learner's notebook was begun from; nothing if it does not say."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))["metadata"]["squint"]["edition"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
