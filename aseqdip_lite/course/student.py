"""A student's copy of the lessons and of the pages that they need, which is renewed but never written over."""

import hashlib
import json
import posixpath
import re
from pathlib import Path

from ..files import write_atomically
from ..settings import InputError
from . import REPOSITORY, variants

PACKAGE = Path(__file__).parents[1]
FIRST = "00_start_here.ipynb"  #: the lesson to begin with
MANIFEST = ".aseqdip-lessons.json"  #: {name: sha256} of the last version of each file that was offered to the student
PAGES = ("docs/troubleshooting.md", "docs/glossary.md", "docs/RESULTS.md", "docs/images/brain_real.png")
OWN = {".ci", ".git", ".github", "aseqdip_lite", "benchmarks", "data", "docs", "lessons", "scripts", "tests"
       }  #: folders of the clone, in which no copy may lie
CHECK = re.compile(r'^check\("([^"]+)"', re.MULTILINE)  #: of a lesson's code, with the exercise's name
LINK = re.compile(r"\]\((?!\w+:|#)([^)#]+)")  #: of Markdown, to a file
README = """\
# Your lessons

Start with [lesson 00]({first}). The exercises are yours to fill in.

| lesson | contents |
|---|---|
{rows}

To look things up: [glossary](docs/glossary.md) of words and symbols, [troubleshooting](docs/troubleshooting.md),
[results](docs/RESULTS.md) of all methods on all tasks.

A file that you have changed stays as it is. When `aseqdip lab` brings a newer version of it, that one is put beside
yours, with `.new` in its name.
"""


#: The first cell of code of a lesson in a variant; the grader reads it, too.
SEED = """# Your variant of the exercises and the quiz. Leave this cell as it is.
import os

os.environ["{variable}"] = "{variant}\""""


def renew(folder, variant=None):
    """Copy lessons and pages into a folder, made if needed, and bring an earlier copy up to date.

    The notebooks have blank exercises; sources and solutions are not copied. A file that the student has not changed is
    renewed. One that was changed, or was there before, stays, and a new version is put beside it once: NAME.new.ipynb.

    Args:
        folder: path of the student's folder.
        variant: whole number of the variant of exercises and quizzes; by default that of ASEQDIP_VARIANT, else the one
            that this folder was made with, if any.

    Returns:
        Names of the files that were written for the first time or renewed, and of those put beside a changed one.

    Raises:
        InputError: there are no lessons to copy, the folder is the course's own, or it cannot be written to.
    """
    home, real = course_folder(), folder.resolve()
    if real == home or real.is_relative_to(home) and real.relative_to(home).parts[0] in OWN:
        raise InputError(f"{folder} is the course's own folder: name another one for your copy of the lessons")
    try:
        offered = read_manifest(folder)
        variant = variants.current(variant)
        variant = variants.current(offered.get(variants.VARIABLE, "")) if variant is None else variant
        folder.mkdir(parents=True, exist_ok=True)
        written, beside = [], []
        for name, content in contents(home, variant).items():
            at = place(folder, name, content, offered)
            if at is not None:
                (written if at == name else beside).append(at)
        offered |= {} if variant is None else {variants.VARIABLE: str(variant)}
        manifest = json.dumps(offered, indent=1).encode()
        write_atomically(folder / MANIFEST, lambda file: file.write(manifest))
    except OSError as error:
        raise InputError(f"cannot copy the lessons to {folder}: {error.strerror}; name another folder: aseqdip lab "
                         "FOLDER") from None
    return written, beside


def place(folder, name, content, offered):
    """Write a file unless the student has changed it, else put a version not yet `offered` beside it.

    Returns the name under which it was written; None if it was not.
    """
    path, digest = folder / name, hashlib.sha256(content).hexdigest()
    there = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
    before, offered[name] = offered.get(name), digest
    if there == digest or there not in (None, before) and before == digest:
        return None
    if there not in (None, before):
        return place(folder, str(Path(name).with_suffix(f".new{path.suffix}")), content, offered)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, lambda file: file.write(content))
    return name


def read_manifest(folder):
    """What was offered to the student before, {name: sha256}; nothing if that is not known."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def course_folder():
    """The clone of the repository that has the lessons: the working directory, or where the package lies."""
    for home in (Path.cwd(), PACKAGE.parent):
        if (home / "lessons" / FIRST).is_file():
            return home.resolve()
    raise InputError(f"no folder lessons here: get it by git clone {REPOSITORY}, and start this in the clone")


def contents(home, variant=None):
    """{name: bytes} of all that a student gets: notebooks, in a variant or none, pages, and a README to lead there."""
    found = {path.name: path.read_bytes() for path in sorted((home / "lessons").glob("*.ipynb"))}
    if variant is not None:
        found = {name: in_variant(content, variant) for name, content in found.items()}
    rows = re.findall(r"^\| \[\d\d[a-z]? .*", (home / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    readme = README.format(first=FIRST, rows="\n".join(rows).replace("](lessons/", "]("))
    pages = {name: (home / name).read_bytes() for name in PAGES}
    return found | {"README.md": readme.encode()} | {
        name: with_links(home, name, content) if name.endswith(".md") else content for name, content in pages.items()}


def in_variant(content, variant):
    """A lesson's notebook in a variant: a first cell sets it, notes say what it changes, the stored quiz is cleared."""
    from .exercises import REGISTRY, chosen

    notebook, cells, begun = json.loads(content), [], False
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            if not begun:
                begun = True
                cells.append(dict(cell_type="code", id="variant", metadata={}, execution_count=None, outputs=[],
                                  source=SEED.format(variable=variants.VARIABLE, variant=variant)))
            for name in CHECK.findall(source):
                if (asked := chosen(name, variant)) != name:
                    note = f"**Your variant of `{name}`**: {REGISTRY[asked].instead}."
                    cells.append(dict(cell_type="markdown", id=f"variant-{name.replace('.', '-')}", metadata={},
                                      source=note))
            if re.search(r"^quiz\(", source, re.MULTILINE):
                cell |= dict(outputs=[], execution_count=None)
        cells.append(cell)
    return (json.dumps(notebook | dict(cells=cells), ensure_ascii=False, indent=1) + "\n").encode()


def with_links(home, name, content):
    """A page whose links to files of the course that are not copied lead to the repository."""
    def link(match):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[1]))
        return match[0] if target in PAGES or not (home / target).exists() else f"]({REPOSITORY}/blob/main/{target}"

    return LINK.sub(link, content.decode()).encode()
