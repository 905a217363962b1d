"""The rendered site: every lesson has a page with its stored outputs, links lead somewhere, pictures have alt texts."""

import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from docstrings import as_rst

ROOT = Path(__file__).resolve().parent.parent

needs_sphinx = pytest.mark.skipif(find_spec("sphinx") is None or find_spec("myst_nb") is None,
                                  reason="Sphinx is not installed: make site installs it")


class Page(HTMLParser):
    """Links, ids and pictures of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.pictures = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs["id"]} if "id" in attrs else set()
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "img":
            self.pictures.append(attrs)


@pytest.fixture(scope="module")
def notebooks():
    """{path: content} of the lessons as they are before the site is built."""
    return {path: path.read_bytes() for path in (ROOT / "lessons").glob("*.ipynb")}


@pytest.fixture(scope="module")
def site(notebooks, tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, ROOT / "scripts" / "build_site.py", "--out", out], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html")}


@needs_sphinx
def test_every_lesson_has_a_page_with_its_outputs_and_its_notebook(site, notebooks):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    for notebook, content in notebooks.items():
        page = (site / "lessons" / f"{notebook.stem}.html").read_text(encoding="utf-8")
        assert "holds: " in page and '<img src="data:image/png' in page
        assert "google.colab" not in page
        assert f"lessons/{notebook.stem}" in index
        downloads = list((site / "_downloads").rglob(notebook.name))
        assert [path.read_bytes() for path in downloads] == [content]


@needs_sphinx
def test_guides_and_reference_are_there(site):
    for name in ("index", "docs/glossary", "docs/instructors", "docs/troubleshooting", "docs/RESULTS", "CHANGELOG",
                 "api/index", "api/aseqdip_lite.operators", "api/aseqdip_lite.methods.aseqdip"):
        assert (site / f"{name}.html").is_file(), name
    reference = (site / "api" / "aseqdip_lite.methods.aseqdip.html").read_text(encoding="utf-8")
    assert "weight of the autoencoding term" in reference


@needs_sphinx
def test_links_between_pages_resolve(site, pages):
    dead = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[target].ids if target in pages else set()
            if not target.is_file() or (parts.fragment and target in pages and unquote(parts.fragment) not in known):
                dead.append(f"{path.relative_to(site)} -> {link}")
    assert dead == []


@needs_sphinx
def test_every_picture_is_there_and_has_an_alt_text(site, pages):
    faults = []
    for path, page in pages.items():
        for picture in page.pictures:
            there = picture["src"].startswith("data:") or (path.parent / unquote(picture["src"])).is_file()
            if not there or not (picture.get("alt") or "").strip():
                faults.append(f"{path.relative_to(site)}: {picture['src'][:60]}")
    assert faults == []


# Docstrings, which need no Sphinx.

def test_prose_keeps_its_signs():
    assert as_rst(["|x|^2 of f_phi, z_ and *args; `A @ B`ed."]) == [
        r"\|x\|^2 of f_phi, z\_ and \*args; ``A @ B``\ ed."]


def test_indented_lines_stand_as_they_are():
    assert as_rst(["Minimises", "", "    |x|^2 + *y*", "", "over x."]) == [
        "Minimises", "", "", "::", "", "    |x|^2 + *y*", "", "over x."]


def test_sections():
    lines = ["Args:", "    x: |x| > 0.", "", "Returns:", "    dict of", "    psnr: dB,", "      a list.", "", "End."]
    assert as_rst(lines) == ["Args:", r"    x: \|x\| > 0.", "", ":returns:", "    dict of", "", "    - psnr: dB,",
                             "      a list.", "", "End."]
