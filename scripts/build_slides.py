"""Slides of the lessons, made of their stored notebooks: nothing is written twice, so nothing goes stale.

    python scripts/build_slides.py                 into out/slides; open out/slides/07_mri.html
    python scripts/build_slides.py --out FOLDER

A section of a lesson gives a slide: its heading, its first picture, or else its first table or formula, and a few
short sentences, most of them the first one of a paragraph. The speaker's notes hold the whole text of the section. The
first slide says what one learns, the last one what to keep. Exercises, quiz and references stay in the lesson. The
pages ask no other host for anything: reveal.js and MathJax lie beside them.
"""

import base64
import html
import re
import shutil
import struct
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path

import click
import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from aseqdip_lite.course import lesson_files

ROOT = Path(__file__).resolve().parent.parent
PAGE, STYLE = (ROOT / "docs" / "texts" / name for name in ("slides.html", "slides.css"))

MOST = 20  #: slides of a lesson
LINES = 3, 6  #: most sentences of a slide, with something to see and without
WORDS = 6, 30  #: fewest and most words of a sentence that is shown
ROWS = 9  #: most rows of a table that is shown
NARROW = 2.3  #: a picture less wide than this, in heights, stands beside the sentences, not below them

#: Sizes of letters in pixels, each with the most characters that a slide then holds; of more the last one.
LETTERS, SMALLEST = ((30, 440), (26, 640), (24, 820)), 22

#: Headings of what is worked on, not shown.
LEFT_OUT = re.compile(r"Exercise \d|Quiz$|References$|The same with sliders(?: \(stretch\))?$")

#: How a paragraph begins that is a task for two minutes: it stands in the notes alone.
TASK = "**Two minutes.**"

#: How sentences begin that tell a reader what to do at the keyboard.
TO_READERS = ("Now you", "Change ", "Run ", "Press ", "Move ", "Now change", "Predict")


@dataclass
class Block:
    """A paragraph, list, table, formula or picture: its kind in markdown-it's words, or "picture", and its text."""

    kind: str
    text: str


@dataclass
class Section:
    """A heading of a level (1 to 3) and what stands below it, up to the next heading."""

    level: int
    title: str
    blocks: list = field(default_factory=list)

    def all(self, *kinds):
        return [block for block in self.blocks if block.kind in kinds]


@cache
def markdown():
    """The parser: tables, and formulas as MathJax finds them."""
    def formula(text, options):
        left, right = (r"\[", r"\]") if options["display_mode"] else (r"\(", r"\)")
        return f"{left}{html.escape(text)}{right}"

    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=formula)


def sections(notebook):
    """The sections of a notebook, in order: headings and prose of its text, pictures of its outputs."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            shown = output.get("data", {}).get("text/html", "")
            found[-1].blocks += [Block("picture", tag) for tag in re.findall(r"<img [^>]+>", shown)]
        if "exercise" in cell.metadata.get("tags", ()):
            found.append(Section(4, ""))  # what follows an exercise is no part of it
        if cell.cell_type == "markdown":
            text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", cell.source)  # the text of links
            lines = text.splitlines()
            for token in markdown().parse(text):
                if token.level or not token.map:
                    continue
                text = "\n".join(lines[slice(*token.map)]).strip()
                if token.type == "heading_open":
                    found.append(Section(int(token.tag[1]), text.lstrip("# ")))
                else:
                    found[-1].blocks.append(Block(token.type.removesuffix("_open"), text))
    return found


def chosen(lesson):
    """The sections of a lesson that give a slide; what stands below other headings goes to the slide before.

    Each heading of level 2 has a slide, if anything stands right below it, and one of level 3 if it has a picture: the
    first ones, up to `MOST` in all.
    """
    shown = [section for section in lesson if not LEFT_OUT.match(section.title)]
    small = [section for section in shown if section.level == 3 and section.all("picture")]
    small = small[:max(0, MOST - sum(section.level < 3 for section in shown))]
    slides = []
    for section in shown:
        if section.level < 3 or any(section is one for one in small):
            slides.append(Section(section.level, section.title, [*section.blocks]))
        else:
            slides[-1].blocks += section.blocks
    return [slide for slide in slides if slide.blocks]


def sentences(text):
    """The sentences of a paragraph or of an item of a list."""
    text = re.sub(r"^(?:[-*]|\d+\.)\s+", "", " ".join(text.split()))
    ends = r"(?:(?<=[.?!])|(?<=[.?!]\*\*))(?<!e\.g\.)(?<!i\.e\.)(?<!al\.)(?<!Fig\.)(?<!Eq\.)"
    return [part.strip() for part in re.split(ends + r"\s+(?=[A-Z$*\"`(])", text)]


def items(block):
    """The items of a list, without their marks."""
    return [re.sub(r"^(?:[-*]|\d+\.) +", "", item) for item in re.split(r"\n(?=(?:[-*]|\d+\.) )", block.text)]


def alone(sentence):
    """Whether a sentence can stand alone on a slide: of a good length, a whole one, and no lead to what follows."""
    fewest, most = WORDS
    if sentence.startswith("**"):  # the lead of a paragraph or of an item
        return len(sentence.split()) <= most and sentence.rstrip("*")[-1] in ".?!"
    return (fewest <= len(sentence.split()) <= most and not sentence[0].islower() and sentence[-1] in ".!)"
            and "$$" not in sentence and not sentence.startswith(TO_READERS))


def lines(slide, most):
    """At most so many sentences of a slide, in their order: the first of each paragraph before any second one, and
    of what stands before the picture one at most.
    """
    ranked, behind = [], not slide.all("picture")
    for place, block in enumerate(slide.blocks):
        behind |= block.kind == "picture"
        if block.kind in ("paragraph", "bullet_list", "ordered_list") and not block.text.startswith(TASK):
            parts = [block.text] if block.kind == "paragraph" else items(block)
            for part, text in enumerate(parts):
                fit = [one for one in sentences(text) if alone(one)]
                ranked += [((rank, not behind), (place, part, rank), one) for rank, one in enumerate(fit)]
    before = [one for one in ranked if one[0] == (0, True)][:1]
    rest = sorted((one for one in ranked if one not in before), key=lambda one: one[0])
    return [text for _, _, text in sorted((before + rest)[:most], key=lambda one: one[1])]


def visual(slide):
    """HTML of a slide's first picture, else of its first table of few rows or formula, else ""; and whether it is
    narrow enough to stand beside the sentences.
    """
    for block in slide.all("picture")[:1]:
        return block.text, aspect(block.text) < NARROW
    for place, block in enumerate(slide.blocks):
        if block.kind == "math_block":  # with those that follow at once
            run = takewhile(lambda one: one.kind == "math_block", slide.blocks[place:])
            return "".join(markdown().render(re.sub(r"\\tag\{[^}]*\}", "", one.text)) for one in run), False
        if block.kind == "table" and block.text.count("\n") - 1 <= ROWS:
            return markdown().render(block.text), False
    return "", False


def aspect(tag):
    """Width of a stored picture (a PNG) in heights, from the <img> element that holds it."""
    head = base64.b64decode(re.search(r"base64,([^\"]{32})", tag)[1])
    width, height = struct.unpack(">II", head[16:24])
    return width / height


def notes(slide):
    """HTML of the speaker's notes: the text of the section, and what its pictures show."""
    return "".join("<p>Picture: {}</p>".format(re.search(r'alt="([^"]*)"', block.text)[1]) if block.kind == "picture"
                   else markdown().render(block.text) for block in slide.blocks)


def listed(texts, kind="ul", room=1.0):
    """HTML of a list of sentences in Markdown, in letters that let all of them fit into a share of the slide."""
    size = next((size for size, most in LETTERS if sum(map(len, texts)) <= room * most), SMALLEST)
    rows = "".join(f"<li>{markdown().renderInline(text)}</li>" for text in texts)
    return f'<{kind} style="font-size: {size}px">{rows}</{kind}>'


def one_slide(slide, shown, level=2, visual="", beside=False):
    """HTML of a slide: its heading, what is shown below it, and the notes."""
    body = f'<div class="lines">{shown}</div>' + (f'<div class="visual">{visual}</div>' if visual else "")
    return (f'<section><div class="slide"><h{level}>{markdown().renderInline(slide.title)}</h{level}>'
            f'<div class="{"beside" if beside else "below"}">{body}</div></div>\n'
            f'<aside class="notes">{notes(slide)}</aside></section>\n')


def slides(notebook):
    """HTML of all slides of a lesson: what one learns, its sections, what to keep."""
    first, *middle, last = chosen(sections(notebook))
    goals = [goal.rstrip(";.") for goal in items(first.all("bullet_list")[0])]
    found = [one_slide(first, listed(goals), level=1)]
    for slide in middle:
        if slide.title == "Predict first":
            questions = [question for block in slide.all("ordered_list") for question in items(block)]
            found.append(one_slide(slide, listed(questions, "ol")))
        else:
            shown, beside = visual(slide)
            texts = listed(lines(slide, LINES[not shown]), room=0.45 if beside else 1)
            found.append(one_slide(slide, texts, visual=shown, beside=beside))
    return [*found, one_slide(last, listed(items(last.all("bullet_list")[-1])))]


def build(out):
    """Write the slides of all lessons, and what they are drawn with, into a folder."""
    import mathjax
    import sphinx_revealjs

    reveal = Path(sphinx_revealjs.__path__[0], "_static", "revealjs")
    assets = out / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    parts = [reveal / name for name in ("dist/reveal.js", "dist/reveal.css", "plugin/notes/notes.js")]
    for file in (*parts, Path(mathjax.__path__[0], "static/mathjax/es5/tex-svg.js"), STYLE):
        shutil.copy(file, assets)
    shutil.copy(reveal / "LICENSE", assets / "LICENSE-reveal.txt")
    page = PAGE.read_text(encoding="utf-8")
    for path in lesson_files(ROOT / "lessons", "ipynb").values():
        notebook = nbformat.read(path, 4)
        title = html.escape(sections(notebook)[0].title.replace("$", ""))
        text = page.replace("{title}", title).replace("{slides}", "".join(slides(notebook)))
        (out / f"{path.stem}.html").write_text(text, encoding="utf-8")


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "out" / "slides", help="Folder [out/slides].")
def main(out):
    """Make the slides of all lessons."""
    build(out)
    click.echo(f"written: {out}, a page a lesson; S opens the speaker's notes, ?print-pdf after the address prints")


if __name__ == "__main__":
    main()
