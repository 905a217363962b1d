"""The panel in JupyterLab, in a real browser (headless Chromium): what no kernel-side test can see.

Skipped where playwright, JupyterLab or Chromium is not installed: `pip install playwright` and the
Debian package `chromium`.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

#: No attempt to reach anything outside of this machine; no sandbox, which root may not use.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
SLOW = 120_000  # milliseconds that a loaded machine may take to start a kernel and import torch
CELLS = ('from aseqdip_lite.widgets import panel\n'
         'p = panel("mri", profile="smoke", device="cpu", K=20000)\np')


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
    """Address of a notebook with the panel in a JupyterLab of its own, on this machine only and with a token."""
    folder = tmp_path_factory.mktemp("lab")
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELLS)],
        metadata=dict(kernelspec=dict(name="python3", display_name="Python 3", language="python")))
    nbformat.write(notebook, folder / "panel.ipynb")
    port, token = free_port(), secrets.token_hex(16)
    homes = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
               f"--IdentityProvider.token={token}", f"--notebook-dir={folder}",
               "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    process = subprocess.Popen(command, env=os.environ | homes, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/api?token={token}", process)
        yield f"http://127.0.0.1:{port}/lab/tree/panel.ipynb?reset&token={token}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def notebook(lab):
    """The notebook in the browser, its cell executed and the panel on view."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=dict(width=1440, height=1300))
        page.set_default_timeout(SLOW)
        playwright.expect.set_options(timeout=SLOW)
        page.goto(lab)
        cell = page.locator(".jp-Notebook .jp-CodeCell").first
        for _ in range(20):  # JupyterLab drops what is run before its kernel is connected, and says nothing
            cell.click()
            page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(3000)
            if re.search(r"[*\d]", cell.locator(".jp-InputPrompt").inner_text()):
                break
        page.locator('img[alt^="Reconstruction of run B"]').wait_for()
        yield page
        browser.close()


@pytest.fixture
def page(notebook):
    """The panel before its first run, with lam = 1."""
    if press(notebook, "Reset").is_enabled():
        press(notebook, "Reset").click()
    notebook.get_by_label("lam", exact=True).fill("1")
    notebook.keyboard.press("Enter")
    playwright.expect(notebook.get_by_text("Run B is idle, step 0 of")).to_be_visible()
    return notebook


def press(page, name):
    """A button of the panel."""
    return page.locator(".jupyter-button").get_by_text(name, exact=True)


def enabled(page):
    return {name for name in ("Run", "Pause", "Step", "Stop", "Reset", "Save") if press(page, name).is_enabled()}


def status(page):
    """(step, PSNR in dB) that the panel tells."""
    found = re.search(r"step (\d+) of .*?PSNR ([\d.]+) dB", page.get_by_text("Run B is").inner_text())
    return int(found[1]), float(found[2])


def wait_until(page, holds):
    """Let the page live until `holds()`."""
    for _ in range(SLOW // 100):
        if holds():
            return
        page.wait_for_timeout(100)
    pytest.fail("the page never got there")


def test_the_panel_opens_with_honest_buttons_and_pictures_that_have_width_and_alt_text(page):
    assert enabled(page) == {"Run", "Step"}
    pictures = page.locator(".widget-html img")
    assert pictures.count() == 4  # image, error, truth, curves
    for picture in pictures.all():
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        assert picture.bounding_box()["width"] > 100
        assert len(picture.get_attribute("alt")) > 10


def test_lam_is_moved_by_keyboard(page):
    row = page.get_by_label("lam", exact=True).locator("xpath=ancestor::*[contains(@class, 'widget-hbox')][1]")
    row.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    playwright.expect(page.get_by_label("lam", exact=True)).to_have_value("3")
    page.keyboard.press("Home")
    playwright.expect(page.get_by_label("lam", exact=True)).to_have_value("0")
    assert page.get_by_label("lam", exact=True).input_value() == "0"


def test_a_run_progresses_and_stop_is_served_within_two_seconds(page):
    press(page, "Run").click()
    wait_until(page, lambda: status(page)[0] > 3)
    first = status(page)
    assert enabled(page) == {"Pause", "Stop", "Reset"} and page.get_by_label("lam", exact=True).is_disabled()
    wait_until(page, lambda: status(page)[0] > first[0] + 3)
    assert status(page)[1] != first[1]
    press(page, "Pause").click()
    playwright.expect(page.get_by_text("Run B is paused")).to_be_visible()
    press(page, "Run").click()
    playwright.expect(page.get_by_text("Run B is running")).to_be_visible()
    wait_until(page, lambda: status(page)[0] > first[0] + 6)
    press(page, "Stop").click()
    playwright.expect(page.get_by_text("Stopped.")).to_be_visible(timeout=2000)
    assert enabled(page) == {"Run", "Step", "Reset", "Save"}


def test_an_error_is_said_in_the_panel(page):
    page.get_by_label("lam", exact=True).fill("-1")
    page.keyboard.press("Enter")
    said = page.locator(".widget-html").get_by_role("alert")
    playwright.expect(said).to_be_visible()
    assert "lam must be at least 0.0, got -1.0" in said.inner_text()


def test_two_runs_stand_side_by_side_and_the_slider_looks_back_by_keyboard(page):
    for lam in ("1", "0"):
        page.get_by_label("lam", exact=True).fill(lam)
        page.keyboard.press("Enter")
        press(page, "Step").click()
        playwright.expect(page.get_by_text("Run B is paused, step 1 of")).to_be_visible()
        press(page, "Step").click()
        playwright.expect(page.get_by_text("Run B is paused, step 2 of")).to_be_visible()
        press(page, "Stop").click()
        playwright.expect(page.get_by_text("Stopped.")).to_be_visible()
    for name in "AB":
        playwright.expect(page.get_by_alt_text(f"Reconstruction of run {name}: aseqdip, step 2")).to_be_visible()
    assert page.locator("td b").all_inner_texts() == ["lam 1", "lam 0"]
    page.locator(".jupyter-widgets", has_text="look at step").locator(".noUi-handle").last.focus()
    page.keyboard.press("Home")
    for name in "AB":
        playwright.expect(page.get_by_alt_text(f"Reconstruction of run {name}: aseqdip, start")).to_be_visible()
