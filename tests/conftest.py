"""Shared by all tests: one thread, repeatable hypothesis, small cases that are made once, and headless Chromium.

Tests in a browser are skipped where playwright or Chromium is not installed: `make setup` has the first, the Debian
package `chromium` the second.
"""

import functools
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import hypothesis
import pytest
import torch

from aseqdip_lite import State, load_case
from aseqdip_lite.images import fetch
from aseqdip_lite.methods.base import Method
from aseqdip_lite.methods.classic import Solved
from aseqdip_lite.run import threads
from aseqdip_lite.settings import setting

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: No attempt to reach anything outside of this machine; no sandbox, which root may not use.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
SLOW = 120_000  # milliseconds that a loaded machine may take to start a kernel and import torch

threads.use(1)
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None, max_examples=25)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def smoke_case():
    """smoke_case(task, **settings): a `Case` of the smoke profile, made once and shared; do not write into it."""
    return functools.cache(lambda task, **settings: load_case(task, profile="smoke", **settings))


@pytest.fixture(scope="session")
def tiny_mri(smoke_case):
    """An MRI case of 32 x 32 pixels and 2 coils, the quickest on which every network runs."""
    return smoke_case("mri", size=32, coils=2)


#: Where the tests look for the files that a user fetches.
FETCHED = Path(os.environ.get("ASEQDIP_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


@pytest.fixture
def fetched(monkeypatch):
    """fetched(name): path of a file that a user fetches, by its registered name or its file name.

    ASEQDIP_DATA is set to its folder for the test. A test whose file is not there is skipped.
    """
    def path_of(name):
        path = FETCHED / fetch.registry().get(name, dict(file=name))["file"]
        if not path.is_file():
            pytest.skip(f"{path.name} is not in the folder {FETCHED} (ASEQDIP_DATA)")
        monkeypatch.setenv("ASEQDIP_DATA", str(FETCHED))
        return path
    return path_of


@pytest.fixture
def deterministic():
    """PyTorch's deterministic mode: a GPU gives the same bits twice, a CPU those of any number of threads."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@dataclass(frozen=True)
class Scripted(Method):
    """A method whose states are prescribed, to test what is made of them."""

    name: ClassVar[str] = "scripted"

    steps: int = setting(100, "steps", low=1)

    def init(self, observation, seed, z0=None):
        return Solved()

    def step(self, observation, carry):
        carry.step += 1
        return State(**dict(step=carry.step, terms=dict(loss=1.0), carry=carry) | self.script(carry.step))


@pytest.fixture
def scripted():
    """scripted(script, steps): a method that yields what `script(step)` says, a dictionary of fields of `State`."""
    return lambda script, steps=100: type("Scripted", (Scripted,), dict(script=staticmethod(script)))(steps=steps)


@pytest.fixture(scope="module")
def chromium():
    """An empty page of headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport=dict(width=1440, height=1300))
        page.set_default_timeout(SLOW)
        playwright.expect.set_options(timeout=SLOW)
        yield page
        browser.close()
