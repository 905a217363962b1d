"""The panel in JupyterLab, in a real browser (headless Chromium): what no kernel-side test can see."""

import re

import nbformat
import pytest

from aseqdip_lite import configure

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

SLOW = 120_000  # milliseconds that a loaded machine may take to start a kernel and import torch
CELLS = ('from aseqdip_lite.widgets import panel\n'
         'p = panel("mri", profile="smoke", device="cpu", K=20000)\np')
PANEL = ".aseqdip-panel"


@pytest.fixture(scope="module")
def notebook(chromium, lab, started):
    """A notebook in the browser, its one cell executed and the panel on view."""
    stored = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELLS)],
        metadata=dict(kernelspec=dict(name="python3", display_name="Python 3", language="python")))
    chromium.goto(lab("panel.ipynb", stored))

    def run():
        chromium.locator(".jp-Notebook .jp-CodeCell").first.click()
        chromium.keyboard.press("Shift+Enter")

    started(chromium, run)
    chromium.locator('img[alt^="Reconstruction of run A"]').wait_for()
    return chromium


@pytest.fixture
def page(notebook):
    """The panel before its first run, with lam = 1."""
    if press(notebook, "Reset").is_enabled():
        press(notebook, "Reset").click()
    notebook.get_by_label("lam", exact=True).fill("1")
    notebook.keyboard.press("Enter")
    settle(notebook)
    playwright.expect(notebook.get_by_text("Run A is idle, step 0 of")).to_be_visible()
    return notebook


def settle(page):
    """Wait until the kernel has had every change: the page holds one back while another is worked on, but no click."""
    idle = page.locator("#jp-main-statusbar").get_by_text("| Idle")
    wait_until(page, lambda: all((page.wait_for_timeout(100), idle.is_visible())[1] for _ in range(5)))


def press(page, name):
    """A button of the panel."""
    return page.locator(".jupyter-button").get_by_text(name, exact=True)


def enabled(page):
    return {name for name in ("Run", "Pause", "Step", "Stop", "Reset", "Save", "GIF") if press(page, name).is_enabled()}


def status(page):
    """(step, PSNR in dB) that the panel tells."""
    found = re.search(r"step (\d+) of .*?PSNR ([\d.]+) dB", page.get_by_text(re.compile("Run [AB] is ")).inner_text())
    return int(found[1]), float(found[2])


def two_runs(page, steps):
    """A run with lam = 1, then one with lam = 0, of so many single steps each."""
    for name, lam in dict(A="1", B="0").items():
        page.get_by_label("lam", exact=True).fill(lam)
        page.keyboard.press("Enter")
        settle(page)
        for step in range(1, steps + 1):
            press(page, "Step").click()
            playwright.expect(page.get_by_text(f"Run {name} is paused, step {step} of")).to_be_visible()
        press(page, "Stop").click()
        playwright.expect(page.get_by_text("Stopped.")).to_be_visible()


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
    page.get_by_role("slider", name="lam, decades").focus()
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
    playwright.expect(page.get_by_text("Run A is paused")).to_be_visible()
    press(page, "Run").click()
    playwright.expect(page.get_by_text("Run A is running")).to_be_visible()
    wait_until(page, lambda: status(page)[0] > first[0] + 6)
    press(page, "Stop").click()
    playwright.expect(page.get_by_text("Stopped.")).to_be_visible(timeout=2000)
    assert enabled(page) == {"Run", "Step", "Reset", "Save", "GIF"}


def test_the_menus_interrupt_pauses_a_run_and_says_so(page):
    press(page, "Run").click()
    wait_until(page, lambda: status(page)[0] > 3)
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Interrupt Kernel")).click()
    playwright.expect(page.get_by_text("Interrupted. Run and Step continue")).to_be_visible(timeout=20_000)
    assert enabled(page) >= {"Run", "Step", "Stop"} and "Pause" not in enabled(page)
    step = status(page)[0]
    page.wait_for_timeout(500)
    assert status(page)[0] == step


def test_a_preset_sets_what_goes_together(page):
    def take(preset):
        page.get_by_label("preset", exact=True).select_option(preset)
        settle(page)

    def shown():
        boxes = {name: page.get_by_label(name, exact=True) for name in ("lam", "N", "K", "lr")}
        return {name: float(box.input_value()) for name, box in boxes.items() if box.count()}

    take("default")
    before = shown()
    assert before["lam"] == configure("aseqdip", "mri").lam and before["K"] == 20000
    take("no lam")
    assert shown() == before | dict(lam=0)
    take("exact stages")
    exact = shown()
    assert exact["N"] > before["N"] and exact["K"] < before["K"] and exact["lam"] == before["lam"]
    take("vanilla DIP")
    assert page.get_by_label("method", exact=True).input_value() == "vanilla" and "lam" not in shown()
    take("default")
    assert page.get_by_label("method", exact=True).input_value() == "aseqdip" and shown() == before
    page.get_by_label("lam", exact=True).fill("2")
    page.keyboard.press("Enter")
    settle(page)
    assert page.get_by_label("preset", exact=True).input_value() == "own settings"


def test_an_error_is_said_in_the_panel(page):
    page.get_by_label("lam", exact=True).fill("-1")
    page.keyboard.press("Enter")
    said = page.locator(".widget-html").get_by_role("alert")
    playwright.expect(said).to_be_visible()
    assert "lam must be at least 0.0, got -1.0" in said.inner_text()


def test_two_runs_stand_side_by_side_and_the_slider_looks_back_by_keyboard(page):
    two_runs(page, steps=2)
    for name in "AB":
        playwright.expect(page.get_by_alt_text(f"Reconstruction of run {name}: aseqdip, step 2")).to_be_visible()
    assert page.locator("td b").all_inner_texts() == ["lam 1", "lam 0"]
    playwright.expect(page.get_by_alt_text("Run A minus run B, from ")).to_be_visible()
    playwright.expect(page.get_by_text("striped: B is brighter")).to_be_visible()
    page.get_by_label("zoom", exact=True).select_option("4 x")
    playwright.expect(page.get_by_text("across", exact=True)).to_be_visible()
    page.get_by_label("zoom", exact=True).select_option("whole")
    page.get_by_role("slider", name="look at step").focus()
    page.keyboard.press("Home")
    for name in "AB":
        playwright.expect(page.get_by_alt_text(f"Reconstruction of run {name}: aseqdip, start")).to_be_visible()


def test_pictures_curves_and_first_settings_are_on_one_laptop_screen(page):
    two_runs(page, steps=1)
    before = page.viewport_size
    page.set_viewport_size(dict(width=1280, height=720))
    try:
        page.wait_for_timeout(500)
        box = page.get_by_label("lr", exact=True).bounding_box()
        room = page.locator(".jp-WindowedPanel-outer, .jp-Notebook").first.bounding_box()["height"]
        assert box["y"] + box["height"] - page.locator(PANEL).bounding_box()["y"] <= room
    finally:
        page.set_viewport_size(before)


def test_axe_finds_nothing_serious_before_and_after_a_run_and_beside_an_error(page, severe):
    assert severe(page, PANEL) == []
    two_runs(page, steps=1)
    assert severe(page, PANEL) == []
    page.get_by_label("lam", exact=True).fill("-1")
    page.keyboard.press("Enter")
    press(page, "Step").click()
    page.locator(PANEL).get_by_role("alert").wait_for()
    assert severe(page, PANEL) == []


@pytest.mark.parametrize("element, attribute, fault", [
    ("img", "alt", "image-alt (critical)"), (".noUi-handle", "aria-label", "aria-input-field-name (serious)")])
def test_axe_finds_what_is_wrong(page, severe, element, attribute, fault):
    page.evaluate(f"document.querySelector('{PANEL} {element}').removeAttribute('{attribute}')")
    assert [found for found in severe(page, PANEL) if found.startswith(fault)]
