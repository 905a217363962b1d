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
        count = given.lstrip("0") or "0"
        if len(count) > len(str(MOST)) or not 0 < int(count) <= MOST:
            raise InputError(f"{count[:20]} students: give 1 to {MOST}")
        return [f"student-{number:0{len(count)}}" for number in range(1, int(count) + 1)]
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
    """Write variants.json, {student: variant}, and a page STUDENT.md for each student to a folder.

    Students that the folder's variants.json already has keep their rows and pages.

    Args:
        folder: path, made if needed.
        names_of_students: list of names.
        secret: text that is not blank; the same secret gives the same variants.
        lessons: names of the quizzes on the pages; all by default.

    Returns:
        {student: variant} of the names.

    Raises:
        InputError: the secret is blank, or the folder's variants.json is none or has variants of another secret.
    """
    if not secret.strip():
        raise InputError("the secret is blank: give --secret a text that only you know")
    each = {student: variant_of(student, secret) for student in names_of_students}
    file = Path(folder) / "variants.json"
    before = read_variants(file) if file.exists() else {}
    if any(variant != variant_of(student, secret) for student, variant in before.items()):
        raise InputError(f"{printable(file)} has variants of another secret: name another folder, or give that secret")
    make_folder(folder)
    save(file, json.dumps(before | each, ensure_ascii=False, indent=1) + "\n")
    for student, variant in each.items():
        save(Path(folder) / f"{file_name(student)}.md", page(student, variant, lessons or list(names())))
    return each


def read_variants(file):
    """{student: variant} of a JSON file, None without one; InputError for another content."""
    if file is None:
        return None
    try:
        each = json.loads(Path(file).read_bytes())
    except (ValueError, RecursionError):
        each = None
    if not isinstance(each, dict) or not all(type(number) is int and number >= 0 for number in each.values()):
        raise InputError(f'{file} has no variants: write JSON such as {{"ada": 7, "ben": 8}}, or call `aseqdip bank`')
    return each


def save(path, text):
    """Write a text, all of it or nothing."""
    write_atomically(path, lambda file: file.write(text.encode("utf-8", "replace")))
