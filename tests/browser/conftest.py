"""A JupyterLab of its own, on this machine only and with a token, for headless Chromium to look at."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

#: JupyterLab's settings: all cells are in the page, not only those on view; no question about news.
SETTINGS = {"notebook-extension/tracker": {"windowingMode": "none"},
            "apputils-extension/notification": {"fetchNews": "false"}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, process, seconds=60):
    """Wait until a server answers; the test fails if it ends or never does."""
    for _ in range(4 * seconds):
        assert process.poll() is None, "JupyterLab ended before it answered"
        try:
            return urllib.request.urlopen(url, timeout=2).status
        except OSError:
            time.sleep(0.25)
    pytest.fail("JupyterLab did not answer")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """lab(name, notebook): store a notebook where JupyterLab runs, and return its address."""
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    folder = tmp_path_factory.mktemp("lab")
    homes = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR",
                                                           "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
    for name, settings in SETTINGS.items():
        file = folder / "jupyterlab_settings_dir" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(settings))
    port, token = free_port(), secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
               f"--IdentityProvider.token={token}", f"--notebook-dir={folder}",
               "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    process = subprocess.Popen(command, env=os.environ | homes | dict(ASEQDIP_PROFILE="smoke"),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def store(name, notebook):
        nbformat.write(notebook, folder / name)
        return f"http://127.0.0.1:{port}/lab/tree/{name}?reset&token={token}"

    try:
        wait_for(f"http://127.0.0.1:{port}/api?token={token}", process)
        yield store
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def started():
    """started(page, run): call `run()` until a cell runs.

    Before its kernel is connected, JupyterLab drops what is to be run, or says so in a dialog.
    """
    def begin(page, run):
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt")
        prompts.first.wait_for()
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
        for _ in range(20):
            run()
            page.wait_for_timeout(3000)
            if re.search(r"[*\d]", "".join(prompts.all_inner_texts())):
                return
            if page.locator(".jp-Dialog").is_visible():
                page.keyboard.press("Escape")
        pytest.fail("no cell started to run")
    return begin


@pytest.fixture(scope="module")
def severe():
    """severe(page, selector): what axe-core finds serious or critical inside of an element, one line each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

    def faults(page, selector):
        found = axe.Axe().run(page, context=selector).response
        assert found["passes"], f"axe-core looked at nothing in {selector}"
        return [f"{fault['id']} ({fault['impact']}): {node['html'][:200]}" for fault in found["violations"]
                for node in fault["nodes"] if fault["impact"] in ("serious", "critical")]
    return faults
