"""An instructor's bank: a variant for each student from one secret, and for each variant its questions with answers.

It is generated, never published. Who does not know the secret cannot tell another student's variant.
"""

import hashlib
import hmac
import json
from collections import Counter
from pathlib import Path

from ..files import make_folder, write_atomically
from ..settings import InputError, printable
from .exercises import REGISTRY, chosen, own
from .grading.report import file_name
from .quizzes import names, quiz
from .quizzes.page import markdown

#: Students of a class, at most.
MOST = 10_000

HEAD = """# {student}: variant {variant}

For instructors. The student starts by `aseqdip lab --variant {variant}`.

## Exercises in another convention

{exercises}

All other exercises are those of the lessons; their solutions lie in `lessons/solutions/`.
"""


def students(given):
    """The names of a class: those in a file, one a line, or student-01, student-02, ... up to a number.

    Raises:
        InputError: there is no such file, a name comes twice, or there are none or more than 10,000.
    """
    if given.isdecimal():
        count = int(given[:9])
        found = [f"student-{number:0{len(str(count))}}" for number in range(1, min(count, MOST + 1) + 1)]
    else:
        try:
            found = [line.strip() for line in Path(given).read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, ValueError):
            raise InputError(f"no list of students can be read from '{given}': write a text file, one name per line, "
                             "or give their number") from None
    if not 0 < len(found) <= MOST:
        raise InputError(f"{len(found)} students: give 1 to {MOST}")
    name, times = Counter(found).most_common(1)[0]
    if times > 1:
        raise InputError(f"the student '{name}' is named twice: give each line a different name")
    return found


def variant_of(student, secret):
    """The variant of a student, a number of at most eight digits that nobody finds without the secret."""
    digest = hmac.new(secret.encode(), student.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") % 10**8


def page(student, variant, lessons):
    """Questions, answers and solutions of a variant as Markdown; `lessons` are names of quizzes, "06_aseqdip"."""
    rows = []
    for name in own():
        asked = chosen(name, variant)
        if asked != name:
            rows.append(f"- `{name}`: {REGISTRY[asked].instead}. Solution: `{REGISTRY[asked].solution}`")
    text = [HEAD.format(student=printable(student), variant=variant, exercises="\n".join(rows) or "None.")]
    for lesson in lessons:
        text += [f"## Quiz of lesson {lesson.replace('_', ' ')}", "", *markdown(quiz(lesson, variant))]
    return "\n".join(text)


def write(folder, names_of_students, secret, lessons=None):
    """Write variants.json, {student: variant}, and a page STUDENT.md for each student to a folder; returns the table.

    Args:
        folder: path, made if needed.
        names_of_students: list of names.
        secret: text; the same secret gives the same variants.
        lessons: names of the quizzes on the pages; all by default.
    """
    each = {student: variant_of(student, secret) for student in names_of_students}
    make_folder(folder)
    save(Path(folder) / "variants.json", json.dumps(each, ensure_ascii=False, indent=1) + "\n")
    for student, variant in each.items():
        save(Path(folder) / f"{file_name(student)}.md", page(student, variant, lessons or list(names())))
    return each


def save(path, text):
    """Write a text, all of it or nothing."""
    write_atomically(path, lambda file: file.write(text.encode("utf-8", "replace")))
