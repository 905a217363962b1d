"""What a grader reads: the lessons that were handed out, and the notebooks that came back."""

import ast
import hashlib
import json
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...settings import InputError, nearest
from .. import lesson_files, variants
from .attempts import attempts

#: Bytes of a notebook, its cells and the letters of their code, at most.
LARGEST, MOST_CELLS, MOST_CODE = 2**25, 2000, 2**20

#: Names that no answer needs: where the right answers lie, and ways into a running program.
SUSPECT = re.compile(r"\b(?:REGISTRY|judge|exercises|grading|importlib|__import__|ctypes|inspect|subprocess|socket)\b|"
                     r"sys\.modules|_getframe|\bgc\.get_|\bexec\s*\(|\beval\s*\(|\bos\.(?:system|exec|fork)")

#: The line of a notebook that sets its variant, see `student.SEED`.
VARIANT = re.compile(rf"""^os\.environ\[["']{variants.VARIABLE}["']\]\s*=\s*["'](\d{{1,18}})["']""", re.MULTILINE)

NAMED = re.compile(r"""\(\s*(?:name\s*=\s*)?["']([\w.]+)["']\s*,""")


class UnreadableError(Exception):
    """A file is no notebook that can be run; its line says why."""


@dataclass(frozen=True)
class Lesson:
    """A lesson as it was handed out.

    Attributes:
        name: e.g. "07_mri".
        exercises: {name: the variable that holds its answer}, in the lesson's order.
        cells: the sources of its code cells.
    """

    name: str
    exercises: dict
    cells: frozenset

    @property
    def digest(self):
        """What tells it from another lesson, and from another edition."""
        return digest([self.name, self.exercises])


@dataclass(frozen=True)
class Handin:
    """A notebook that was handed in, or what stands in its place.

    Attributes:
        student, file: names of the student and of the file.
        cells: the sources of its code cells.
        lesson: its `Lesson`.
        fault: why it cannot be run, else None.
        variant: whole number of the variant that it is judged in; None for the lessons' own exercises.
        remarks: for the instructor.
        attempts: {exercise or question: how often it was tried}, see `attempts`.
    """

    student: str
    file: str
    cells: tuple = ()
    lesson: Lesson | None = None
    fault: str | None = None
    variant: int | None = None
    remarks: tuple = ()
    attempts: dict = field(default_factory=dict)

    @property
    def content(self):
        """What tells it from other notebooks: the code alone, for stored outputs do not count."""
        return digest(self.cells)


def digest(content):
    """SHA-256 of plain JSON."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def read_cells(path):
    """(sources of a notebook's code cells, these cells as they are); UnreadableError for a file that is none."""
    try:
        kind = path.lstat()
        if not stat.S_ISREG(kind.st_mode):
            raise UnreadableError("there is no notebook" if stat.S_ISDIR(kind.st_mode) else "it is no file")
        if kind.st_size > LARGEST:
            raise UnreadableError(f"it has more than {LARGEST // 2**20} MiB: clear its outputs")
        notebook = json.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableError(f"it cannot be read: {error.strerror}") from None
    except RecursionError:
        raise UnreadableError("it is nested too deeply") from None
    except ValueError:
        raise UnreadableError("it is no notebook: not JSON" if kind.st_size else "the file is empty") from None
    if not isinstance(notebook, dict) or "nbformat" not in notebook:
        raise UnreadableError("it is no notebook: JSON of another kind")
    if notebook["nbformat"] != 4:
        raise UnreadableError(f"its nbformat is {str(notebook['nbformat'])[:20]}, not 4: save it anew in JupyterLab")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise UnreadableError("it is no notebook: it has no list of cells")
    cells = [cell for cell in cells if cell.get("cell_type") == "code"]
    sources = [source_of(cell.get("source")) for cell in cells]
    if not any(source.strip() for source in sources):
        raise UnreadableError("it has no code")
    if len(sources) > MOST_CELLS:
        raise UnreadableError(f"it has {len(sources)} cells, more than {MOST_CELLS}")
    if sum(map(len, sources)) > MOST_CODE:
        raise UnreadableError(f"it has more than {MOST_CODE} letters of code")
    return sources, cells


def source_of(source):
    """The text of a cell, which notebooks store as one or as a list of lines."""
    lines = source if isinstance(source, list) else [source]
    if not all(isinstance(line, str) for line in lines):
        raise UnreadableError("a cell holds no text")
    return "".join(lines)


def read_lessons(folder):
    """{name: Lesson} of the blank notebooks NN_name.ipynb of a folder; InputError if there is none, or no sound one."""
    paths = lesson_files(folder, "ipynb")
    if not paths:
        raise InputError(f"no lessons NN_name.ipynb in {folder}: start in a clone of the course, or set --lessons")
    return {path.stem: read_lesson(path) for path in paths.values()}


def named(lessons, wanted):
    """The names of the lessons to grade: all, or the one of a number or a name; InputError if there is none."""
    if wanted is None:
        return list(lessons)
    numbered = [name for name in lessons if wanted and name.split("_")[0].lstrip("0") == wanted.lstrip("0")]
    return numbered or [nearest(wanted, lessons, "lesson")]


def read_lesson(path):
    """A `Lesson` of its blank notebook; InputError if that is none."""
    try:
        cells, _ = read_cells(path)
        calls = [node for cell in cells if "check(" in cell for node in ast.walk(ast.parse(cell))
                 if isinstance(node, ast.Call) and ast.unparse(node.func) == "check"]
    except (UnreadableError, SyntaxError) as error:
        raise InputError(f"the lesson {path} cannot be read: {error}; get it again from the course") from None
    return Lesson(path.stem, {call.args[0].value: ast.unparse(call.args[1]) for call in calls}, frozenset(cells))


def find(folder, lessons, every):
    """The hand-ins of a folder, which holds notebooks or a folder a student; and the names of other files in it.

    Args:
        folder: its path.
        lessons: {name: Lesson} of all lessons.
        every: names of the lessons that are graded; notebooks of the others are left out.

    Raises:
        InputError: there is no such folder, or nothing to grade in it.
    """
    if not Path(folder).is_dir():
        raise InputError(f"no folder {folder}: put the notebooks there, one file or one folder per student")
    paths, others = [], []
    for entry in sorted(Path(folder).iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            inside = [path for path in sorted(entry.rglob("*.ipynb"))
                      if not any(part.startswith(".") for part in path.relative_to(entry).parts)]
            paths += [(text(entry.name), path) for path in inside or [entry]]
        elif entry.suffix == ".ipynb":
            paths.append((student_of(entry.stem, lessons), entry))
        else:
            others.append(text(entry.name))
    found = [read(student, path, lessons) for student, path in paths]
    found = [handin for handin in found if handin.lesson is None or handin.lesson.name in every]
    if len(every) == 1:  # then what cannot be read is of this lesson, too
        found = [replace(handin, lesson=lessons[every[0]]) for handin in found]
    if not found:
        raise InputError(f"nothing to grade in {folder}: put notebooks there, one file or one folder per student")
    return found, others


def read(student, path, lessons):
    """The `Handin` at a path."""
    facts = dict(student=student, file=text(path.name))
    try:
        sources, cells = read_cells(path)
    except UnreadableError as error:
        return Handin(**facts, fault=str(error))
    lesson = lesson_of(path, sources, lessons)
    return Handin(**facts, cells=tuple(sources), lesson=lesson,
                  fault=None if lesson else "it is of none of the lessons",
                  attempts=attempts(cells, lesson.name.split("_")[0]) if lesson else {})


def assigned(handin, variant=None, each=None):
    """A hand-in with the variant that it is judged in: that of its student, that of all, or the one in the notebook.

    Args:
        handin: a Handin.
        variant: that of all, or None.
        each: {student: variant}, or None.
    """
    lines = VARIANT.findall("\n".join(handin.cells))
    own = int(lines[0]) if lines else None
    wanted = (each or {}).get(handin.student, variant)
    remarks = () if wanted is None or own in (None, wanted) else (f"its variant is {own}, not {wanted}",)
    return replace(handin, variant=own if wanted is None else wanted, remarks=remarks)


def student_of(stem, lessons):
    """The student's name in that of a file: without the lesson's, as in ada_07_mri."""
    for lesson in lessons:
        stem = stem.replace(lesson, "").strip(" _-") or stem
    return text(stem)


def text(name):
    """A name of a file as text: bytes that are none are replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def lesson_of(path, cells, lessons):
    """The lesson of a notebook, by its name or else by the exercises that it names; None if it belongs to none."""
    for name, lesson in lessons.items():
        if name in path.stem:
            return lesson
    named = NAMED.findall("\n".join(cells))
    score = {name: sum(one in lesson.exercises for one in named) for name, lesson in lessons.items()}
    best = max(score, key=score.get)
    if score[best]:
        return lessons[best]
    shared = {name: len(lesson.cells & set(cells)) for name, lesson in lessons.items()}
    best = max(shared, key=shared.get)
    return lessons[best] if shared[best] else None


def suspicions(cells, lesson, lost=()):
    """What a person should look at: changed checks, and words in the student's own cells that no answer needs.

    Args:
        cells, lesson: the sources of a notebook and its `Lesson`.
        lost: names of the exercises to which the notebook, as it ran, gave no answer.
    """
    named, own = set(NAMED.findall("\n".join(cells))), [cell for cell in cells if cell not in lesson.cells]
    gone = [f"the check of {name} is gone or renamed" for name in lesson.exercises if name not in named]
    gone += [f"the check of {name} was not reached" for name in lost if name in named]
    known = "\n".join(lesson.cells)
    found = {word for cell in own for word in SUSPECT.findall(cell)}
    words = sorted({word.strip("( ") for word in found if word not in known})
    again = [name for name in ("check", "judge", "record") if any(
        re.search(rf"^[ \t]*(?:def {name}\b|{name}\s*=)|\.{name}\s*=[^=]", cell, re.MULTILINE) for cell in own)]
    return gone + [f"it uses {', '.join(words)}"] * bool(words) + [f"it overwrites {', '.join(again)}"] * bool(again)
