"""Labs with bertviz in JupyterLab in a real browser: all cells run, it draws, nothing asks another machine, it is saved.

Lab 02 is opened in the light theme and lab 03b in the dark one; both leave pictures in build/.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
LABS = {"02_attention": "JupyterLab Light", "03b_translation": "JupyterLab Dark"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TOKEN = "only-for-this-test"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here, and it could not be installed"),
]

IDLE = """async () => {
    const app = window.jupyterapp; await app.restored;
    const pause = () => new Promise(done => setTimeout(done, 100));
    let panel;
    for (let i = 0; i < 300 && !(panel = app.shell.currentWidget)?.sessionContext; i++) await pause();
    await panel.context.ready; await panel.sessionContext.ready;
    for (let i = 0; i < 600; i++) { if (panel.sessionContext.session?.kernel?.status === 'idle') return; await pause(); }
    throw new Error('the kernel is not idle');
}"""
RAN = """() => {
    const prompts = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')];
    return prompts.length > 0 && prompts.every(p => /^\\[\\d+\\]:$/.test(p.textContent.trim()));
}"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def settings(folder: Path, theme: str) -> None:
    for plugin, name, value in (
        ("notebook-extension", "tracker", {"windowingMode": "none"}),
        ("apputils-extension", "notification", {"fetchNews": "false", "checkForUpdates": False}),
        ("apputils-extension", "themes", {"theme": theme}),
    ):
        path = folder / "@jupyterlab" / plugin / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))


@pytest.fixture(params=LABS)
def server(tmp_path, request):
    """JupyterLab on this machine alone, with a learner's folder of its own and no settings but ours."""
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(ROOT / "labs" / f"{request.param}.ipynb", work)
    settings(tmp_path / "settings", LABS[request.param])
    kinds = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    env = {
        **os.environ,
        **{f"JUPYTER_{kind}": str(tmp_path / kind) for kind in kinds},
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "SQUINT_PROFILE": "smoke",
        "PYTHONPATH": str(ROOT / "lib"),
    }
    port = free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", timeout=2)
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.5)
        else:
            pytest.fail((tmp_path / "server.log").read_text()[-2000:])
        yield f"http://127.0.0.1:{port}", work / f"{request.param}.ipynb"
    finally:
        process.terminate()
        process.wait(20)


def test_a_lab_in_jupyterlab(server):
    from playwright.sync_api import sync_playwright

    address, lab = server
    elsewhere, trouble = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:", address.replace("http", "ws"))) else elsewhere.append(r.url))  # fmt: skip
        page.on("pageerror", lambda e: trouble.append(str(e)))
        page.goto(f"{address}/lab/tree/work/{lab.name}?token={TOKEN}&reset")
        page.wait_for_selector(".jp-NotebookPanel .jp-Notebook", timeout=90_000)
        page.evaluate(IDLE)
        page.get_by_role("menuitem", name="Run", exact=True).first.click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_function(RAN, timeout=300_000)
        time.sleep(2)
        shots = ROOT / "build" / "shots"
        shots.mkdir(parents=True, exist_ok=True)
        drawn = page.locator(".jp-OutputArea-output svg line, .jp-OutputArea-output svg rect").count()
        stderr = page.locator(
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'
        ).all_inner_texts()
        errors = page.locator('[data-mime-type="application/vnd.jupyter.error"]').count()
        for number, picture in enumerate(
            page.locator(".jp-OutputArea-output svg, .jp-OutputArea-output img").all()[:40]
        ):
            picture.scroll_into_view_if_needed()
            if number % 4 == 0:
                page.screenshot(path=shots / f"{lab.stem}-{number:02}.png")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+s")
        for _ in range(50):
            time.sleep(0.2)
            try:
                notebook = nbformat.read(lab, 4)
            except nbformat.reader.NotJSONError:  # JupyterLab is writing it
                continue
            if all(c.get("execution_count") for c in notebook.cells if c.cell_type == "code"):
                break
        browser.close()
    assert not errors and not stderr, stderr
    assert drawn > 100, "bertviz has drawn nothing"
    assert not elsewhere, f"asked another machine: {elsewhere}"
    assert not trouble
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert all(c.get("execution_count") for c in code), "not saved"
    assert any(c.outputs for c in code)
