"""The rendered site: every lesson has a page with its stored outputs and slides, links lead somewhere, pictures have
alt texts and sizes, and nothing is asked of another host, also in a browser, which draws the formulas.
"""

import base64
import html
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from docstrings import as_rst
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

NEEDED = ("sphinx", "myst_nb", "furo", "mathjax", "sphinx_revealjs")
needs_sphinx = pytest.mark.skipif(not all(map(find_spec, NEEDED)),
                                  reason="Sphinx and what it draws with are not installed: make site installs them")


class Page(HTMLParser):
    """Links, ids, pictures, title and what else a page loads."""

    def __init__(self, path):
        super().__init__()
        self.links, self.ids, self.pictures, self.loaded = [], set(), [], []
        text = path.read_text(encoding="utf-8")
        self.title = html.unescape(re.search("<title>(.*?)</title>", text, re.DOTALL)[1])
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs["id"]} if "id" in attrs else set()
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        if tag == "img":
            self.pictures.append(attrs)
        if tag == "link" and set(attrs.get("rel", "").split()) & {"stylesheet", "icon", "preload"}:
            self.loaded.append(attrs["href"])
        elif tag not in ("a", "link") and attrs.get("src"):
            self.loaded.append(attrs["src"])


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
                 "docs/QUIZZES", "README", "api/index", "api/aseqdip_lite.operators",
                 "api/aseqdip_lite.methods.aseqdip"):
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
def test_every_picture_is_there_and_has_an_alt_text_and_its_own_size(site, pages):
    faults = []
    for path, page in pages.items():
        for picture in page.pictures:
            source, inside = picture["src"], picture["src"].partition(";base64,")[2]
            file = io.BytesIO(base64.b64decode(inside)) if inside else path.parent / unquote(source)
            sized = there = bool(inside) or file.is_file()
            if there:
                with Image.open(file) as opened:
                    sized = (picture.get("width"), picture.get("height")) == tuple(map(str, opened.size))
            if not there or not sized or not (picture.get("alt") or "").strip():
                faults.append(f"{path.relative_to(site)}: {source[:60]}")
    assert faults == []


@needs_sphinx
def test_titles_are_the_lessons_headings_and_the_menu_has_their_numbers(site, notebooks, pages):
    front = (site / "index.html").read_text(encoding="utf-8")
    for notebook in notebooks:
        heading = nbformat.read(notebook, 4).cells[0].source.splitlines()[0].removeprefix("# ")
        assert pages[site / "lessons" / f"{notebook.stem}.html"].title.startswith(heading)
        assert pages[site / "slides" / f"{notebook.stem}.html"].title.startswith(heading)
        number = notebook.stem.partition("_")[0]
        assert f'href="lessons/{notebook.stem}.html">{number} {heading.split(":")[0]}<' in front


@needs_sphinx
def test_the_front_page_leads_to_all_lessons_and_their_slides_and_shows_a_picture(site, notebooks, pages):
    front = pages[site / "index.html"]
    wanted = {f"{folder}/{notebook.stem}.html" for notebook in notebooks for folder in ("lessons", "slides")}
    assert wanted <= set(front.links) and any("demo" in picture["src"] for picture in front.pictures)


@needs_sphinx
def test_what_a_page_loads_lies_beside_it(site, pages):
    assert any("favicon" in address for address in pages[site / "index.html"].loaded)
    missing = {(path.name, address[:80]) for path, page in pages.items() for address in page.loaded
               if not address.startswith("data:") and not (path.parent / unquote(address.partition("?")[0])).is_file()}
    assert missing == set()


#: Slides that hold something beyond their edge, each as (number, pixels); the page's formulas are drawn before.
OVERFLOW = """async () => {
    await MathJax.startup.promise;
    const found = [];
    for (let i = 0; i < Reveal.getTotalSlides(); i++) {
        Reveal.slide(i);
        const slide = Reveal.getCurrentSlide().querySelector(".slide"), edge = slide.getBoundingClientRect();
        for (const part of slide.querySelectorAll("h1, h2, li, td, img, svg")) {
            const box = part.getBoundingClientRect();
            const over = Math.max(box.bottom - edge.bottom, box.right - edge.right, edge.left - box.left);
            if (over > 1) found.push([i + 1, over]);
        }
    }
    return found;
}"""


@needs_sphinx
def test_a_browser_asks_no_other_host_draws_the_formulas_and_slides_fit(site, notebooks, chromium):
    asked = []
    chromium.on("request", lambda request: asked.append(request.url))
    chromium.context.route(re.compile("^(https?|wss?):"), lambda route: route.abort())
    for name in ("index", "docs/teaching/exam", "lessons/08_ct"):
        chromium.goto((site / f"{name}.html").as_uri())
        if name != "index":
            formulas = chromium.locator("mjx-container")
            formulas.first.wait_for()
            chromium.evaluate("MathJax.startup.promise")
            assert formulas.count() == chromium.locator(".math").count() > 10
            assert formulas.first.bounding_box()["height"] > 5
            assert chromium.locator("mjx-merror, [data-mjx-error]").count() == 0
    for notebook in notebooks:
        chromium.goto((site / "slides" / f"{notebook.stem}.html").as_uri())
        chromium.wait_for_function("Reveal.isReady() && window.MathJax?.startup?.promise")
        assert chromium.evaluate(OVERFLOW) == [], notebook.stem
    assert len(asked) > 20 and [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


# Docstrings, which need no Sphinx.

def test_prose_keeps_its_signs():
    assert as_rst(["|x|^2 of f_phi, z_ and *args; `A @ B`ed, `g`^2."]) == [
        r"\|x\|^2 of f_phi, z\_ and \*args; ``A @ B``\ ed, ``g``\ ^2."]


def test_indented_lines_stand_as_they_are():
    assert as_rst(["Minimises", "", "    |x|^2 + *y*", "", "over x."]) == [
        "Minimises", "", "", "::", "", "    |x|^2 + *y*", "", "over x."]


def test_sections():
    lines = ["Args:", "    x: |x| > 0.", "", "Returns:", "    dict of", "    psnr: dB,", "      a list.", "", "End."]
    assert as_rst(lines) == ["Args:", r"    x: \|x\| > 0.", "", ":returns:", "    dict of", "", "    - psnr: dB,",
                             "      a list.", "", "End."]
