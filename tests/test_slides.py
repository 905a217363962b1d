"""Slides of the lessons: ten to twenty each, with notes, pictures that are described, and nothing from elsewhere."""

import re
from html.parser import HTMLParser

import build_slides
import nbformat
import pytest

from aseqdip_lite.course import lesson_files

LESSONS = lesson_files(build_slides.ROOT / "lessons", "ipynb")


class Slide(HTMLParser):
    """Headings, items, pictures, addresses and notes of a slide."""

    def __init__(self, text):
        super().__init__()
        self.pictures, self.addresses, self.items, self.notes, self.headings = [], [], 0, "", 0
        self.inside = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [attrs[name] for name in ("src", "href") if name in attrs]
        self.pictures += [attrs.get("alt")] if tag == "img" else []
        if tag != "img":
            self.inside.append(tag)
        if "aside" not in self.inside:
            self.items += tag == "li"
            self.headings += tag in ("h1", "h2")

    def handle_endtag(self, tag):
        if tag in self.inside:
            while self.inside.pop() != tag:
                pass

    def handle_data(self, data):
        self.notes += data if "aside" in self.inside else ""


@pytest.fixture(scope="module")
def slides():
    """{number of a lesson: its slides}."""
    return {number: [Slide(text) for text in build_slides.slides(nbformat.read(path, 4))]
            for number, path in LESSONS.items()}


def test_every_lesson_has_ten_to_twenty_slides(slides):
    assert {number: len(found) for number, found in slides.items() if not 10 <= len(found) <= 20} == {}


def test_every_slide_has_a_heading_something_below_it_and_notes(slides):
    faults = [(number, place) for number, found in slides.items() for place, slide in enumerate(found, start=1)
              if slide.headings != 1 or not (slide.items or slide.pictures) or len(slide.notes.split()) < 10]
    assert faults == []


def test_every_picture_is_described_and_nothing_lies_elsewhere(slides):
    for number, found in slides.items():
        for slide in found:
            assert len(slide.pictures) <= 1 and all(len(alt or "") >= 20 for alt in slide.pictures), number
            assert all(address.startswith("data:") for address in slide.addresses), number
        assert any(slide.pictures for slide in found), number


NOTEBOOK = nbformat.v4.new_notebook(cells=[
    nbformat.v4.new_markdown_cell("# Title\n\nYou can\n\n- see $a < b$;\n- do.\n\nHead, e.g. [this](x.ipynb)."),
    nbformat.v4.new_markdown_cell("## One\n\nThe first sentence stands above here. The second one is not shown.\n\n"
                                  "$$x = 1 \\tag{3}$$\n\nand a part of a sentence. It has: a colon, which leads:\n\n"
                                  "The kernel is what stands below it.\n\n"
                                  "**Two minutes.** A task of this kind is for the notes alone."),
    nbformat.v4.new_markdown_cell("### Exercise 1: do it\n\nThis text is part of an exercise, not of a slide."),
    nbformat.v4.new_code_cell("check('x')", metadata=dict(tags=["exercise"])),
    nbformat.v4.new_markdown_cell("After the exercise the section goes on here."),
    nbformat.v4.new_markdown_cell("## Quiz\n\nPress the button that is below."),
    nbformat.v4.new_markdown_cell("## What you can now say\n\nYou guessed this and that.\n\n- You know.\n- You do."),
])


def test_a_slide_is_made_of_the_sections_own_sentences():
    first, middle, last = build_slides.slides(NOTEBOOK)
    shown, notes = middle.split("<aside")
    assert r"\(a &lt; b\)</span></li>" in first and "e.g. this." in first
    assert re.findall("<li>(.*?)</li>", shown) == [
        "The first sentence stands above here.", "The kernel is what stands below it.",
        "After the exercise the section goes on here."]
    assert r"\[x = 1\]" in shown and r"\tag{3}" in notes and "The second one is not shown" in notes
    assert "A task of this kind" in notes
    assert "part of an exercise" not in middle and "Quiz" not in middle + last
    assert re.findall("<li>(.*?)</li>", last.split("<aside")[0]) == ["You know.", "You do."]


def test_sentences_end_where_they_end():
    assert build_slides.sentences("1. By Eq. (3), e.g. A. **So it is.** $x$ is 1.5 dB. Why? It is.") == [
        "By Eq. (3), e.g. A.", "**So it is.**", "$x$ is 1.5 dB.", "Why?", "It is."]
