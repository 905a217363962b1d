"""Build the rendered site: lessons with their stored outputs, guides, results, and a reference made of the docstrings.

    python scripts/build_site.py                 into out/site; open out/site/index.html
    python scripts/build_site.py --out FOLDER

Nothing is executed: a lesson shows what its notebook stores. The pages are copied into a folder of their own, where
each module gets a page, and rendered by Sphinx with docs/conf.py. A broken link or any other warning is an error. The
site asks no other host for anything: formulas are drawn by the MathJax that it carries.
"""

import ast
import base64
import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

import build_slides
import click
import nbformat
from PIL import Image

from aseqdip_lite.course import REPOSITORY, lesson_files
from aseqdip_lite.study.tables import markdown_table

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "aseqdip_lite"

#: Guides in the order of the menu: (title, page).
GUIDES = (("README", "README"), ("Glossary", "docs/glossary"), ("Troubleshooting", "docs/troubleshooting"),
          ("For instructors", "docs/instructors"), ("Quizzes", "docs/QUIZZES"), ("Results", "docs/RESULTS"),
          ("Performance", "docs/PERFORMANCE"), ("Data", "data/README"), ("Contributing", "CONTRIBUTING"),
          ("Changes", "CHANGELOG"))

#: The front page's prose, with fields for the number of lessons and their table.
FRONT = ROOT / "docs" / "texts" / "site.md"

#: Pages of docs/teaching in the order of the menu.
TEACHING = ("outcomes", "rubric", "exam", "exam_solutions", "sample_report", "projects", "assistants", "running")

#: Files that pages link to or show, and that are no pages themselves.
EXTRAS = ("CITATION.cff", "LICENSE", "docs/images/*", "aseqdip_lite/results/*.png", "docs/teaching/starters/*.py")

#: Where the README's pictures lie for an index page; the site has its own copies.
RAW = REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main/"

MENU = """
```{{toctree}}
:caption: {caption}
:hidden:

{entries}
```
"""

#: What a lesson's page says in place of its first code cell.
NOTE = ("*This page shows what the stored notebook printed. Nothing runs here, not even the panels.* "
        "{{download}}`Download the notebook <../notebooks/{stem}.ipynb>`, or open the lessons with `make lab`. "
        "{slides} of this lesson.")

#: The link to a lesson's slides, which Sphinx does not know.
SLIDES = '<a href="{up}slides/{stem}.html">Slides</a>'

#: Options of a module's page.
MEMBERS = "   :members:\n   :ignore-module-all:\n   :show-inheritance:\n   :member-order: bysource\n"


def stage(folder):
    """Copy all that Sphinx reads into an empty folder, the links between the files unchanged."""
    notebooks = lesson_files(ROOT / "lessons", "ipynb").values()
    teaching = [ROOT / "docs" / "teaching" / f"{name}.md" for name in TEACHING]
    pages = [path for path in sorted((ROOT / "docs").glob("*.md"))] + teaching + [
        ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")]
    for path in [*pages, *(path for pattern in EXTRAS for path in ROOT.glob(pattern))]:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for name in ("lessons", "notebooks"):
        (folder / name).mkdir()
    lessons = []
    for path in notebooks:
        shutil.copy(path, folder / "notebooks" / path.name)
        notebook = nbformat.read(path, 4)
        nbformat.write(for_readers(notebook, path.stem), folder / "lessons" / path.name)
        lessons.append((lesson_title(path.stem, notebook), f"lessons/{path.stem}"))
    named = {page for _, page in GUIDES}
    guides = [*GUIDES, *((path.stem.capitalize(), f"docs/{path.stem}") for path in pages
                         if path.parent.name == "docs" and f"docs/{path.stem}" not in named)]
    stage_reference(folder / "api")
    menus = (("Lessons", lessons), ("Guides", guides),
             ("Teaching", [(first_heading(path), f"docs/teaching/{path.stem}") for path in teaching]),
             ("Reference", [("All modules", "api/index")]))
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace(RAW, "")
    (folder / "README.md").write_text(readme, encoding="utf-8")
    front = FRONT.read_text(encoding="utf-8").format(count=len(lessons), lessons=lessons_table(readme))
    (folder / "index.md").write_text(front + "".join(menu(*one) for one in menus), encoding="utf-8")


def lessons_table(readme):
    """The README's table of lessons in Markdown, with the minutes that each one runs and its slides."""
    rows = []
    for link, stem, holds in re.findall(r"^\| (\[.+?\]\(lessons/(\w+)\.ipynb\)) \| (.+) \|$", readme, re.MULTILINE):
        source = (ROOT / "lessons" / f"{stem}.py").read_text(encoding="utf-8")
        rows.append([link, holds, re.search(r"^#   minutes: (\d+)$", source, re.MULTILINE)[1],
                     SLIDES.format(up="", stem=stem)])
    return markdown_table(rows, ("lesson", "contents", "minutes", "slides"))


def first_heading(page):
    """The first heading of a page in Markdown."""
    return page.read_text(encoding="utf-8").split("\n")[0].removeprefix("# ")


def menu(caption, entries):
    """A hidden toctree, which the theme shows as a part of its menu."""
    return MENU.format(caption=caption, entries="\n".join(f"{title} <{page}>" for title, page in entries))


def for_readers(notebook, stem):
    """The notebook with a note in place of the cell that sets up Google Colab, which tells a reader nothing, and folded
    code as a tag, which myst-nb reads.
    """
    for cell in notebook.cells:
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata["tags"] = [*cell.metadata.get("tags", ()), "hide-input"]
    note = nbformat.v4.new_markdown_cell(NOTE.format(stem=stem, slides=SLIDES.format(up="../", stem=stem)))
    notebook.cells = [note if "colab-setup" in cell.metadata.get("tags", ()) else cell for cell in notebook.cells]
    return notebook


def lesson_title(stem, notebook):
    """Number and short title of a lesson, e.g. "07 MRI", from its file name and its first heading."""
    heading = notebook.cells[0].source.lstrip("# ").split("\n")[0]
    return f"{stem.partition('_')[0]} {heading.split(':')[0]}"


def modules():
    """{dotted name: path} of all public modules of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = [*path.relative_to(ROOT).with_suffix("").parts]
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in parts):
            found[".".join(parts)] = path
    return found


def short(name):
    """A module's name without the package's, which would not fit into the menu."""
    return name.removeprefix(f"{PACKAGE.name}.")


def stage_reference(folder):
    """One page a module, and an index that says in a line what each contains."""
    folder.mkdir()
    rows, found = [], modules()
    for name, path in found.items():
        heading = f"{short(name)}\n{'=' * len(short(name))}"
        options = "" if name == PACKAGE.name else MEMBERS  # the package only passes names on
        (folder / f"{name}.rst").write_text(f"{heading}\n\n.. automodule:: {name}\n{options}", encoding="utf-8")
        first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
        first = re.sub(r"([|*])", r"\\\1", first)
        rows.append([f"[{short(name)}]({name}.rst)", first])
    index = ("# All modules\n\nMade from the docstrings. What lessons use can be imported from `aseqdip_lite`.\n\n"
             + markdown_table(rows, ("module", "contents")) + menu("Modules", [(short(n), n) for n in found]))
    (folder / "index.md").write_text(index, encoding="utf-8")


def with_sizes(page):
    """Write the width and height of each picture into a page, so that its text stays where it is while they load."""
    def sized(tag):
        kind, _, content = tag[1].partition(",")
        inside = io.BytesIO(base64.b64decode(content)) if kind.startswith("data:") else page.parent / tag[1]
        with Image.open(inside) as picture:
            width, height = picture.size
        return f'{tag[0][:-1].rstrip("/ ")} width="{width}" height="{height}"/>'

    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r'<img(?![^>]* width=)[^>]*? src="([^"]+)"[^>]*>', sized, text), encoding="utf-8")


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "out" / "site", help="Folder [out/site].")
def main(out):
    """Build the site; exit 1 if Sphinx warns."""
    from sphinx.cmd.build import build_main

    with tempfile.TemporaryDirectory() as temporary:
        staged, html, doctrees = (Path(temporary) / name for name in ("pages", "html", "doctrees"))
        staged.mkdir()
        stage(staged)
        failed = build_main(["-q", "-W", "--keep-going", "-j", "auto", "-b", "html", "-c", str(ROOT / "docs"),
                             "-d", str(doctrees), str(staged), str(html)])
        if not failed:
            build_slides.build(html / "slides")
            for page in html.rglob("*.html"):
                with_sizes(page)
            shutil.copytree(html, out, dirs_exist_ok=True)
            click.echo(f"written: {out / 'index.html'}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
