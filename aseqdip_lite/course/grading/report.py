"""What a grader writes: a CSV of all hand-ins, a gradebook for other programs, a page for each student, a table."""

import csv
import hashlib
import html
import io
import os
from collections import Counter
from pathlib import Path

from ...files import make_folder, write_atomically
from ...settings import InputError, printable

#: The columns that `nbgrader export` writes, which scripts for learning platforms read.
GRADEBOOK = ("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
             "late_submission_penalty", "score", "max_score")

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ border: 1px solid #767676; padding: .3rem .6rem; text-align: left; vertical-align: top }}
</style></head><body>
<h1>{title}</h1>
{sections}
</body></html>
"""


def checked_places(handins, grades, gradebook=None, pages=None):
    """The folders that a grader writes to, made if needed; InputError for a place where it must not or cannot write.

    Args:
        handins: folder of the hand-ins, in which nothing may be written.
        grades, gradebook: files .csv; pages: a folder; the last two may be None.
    """
    files = {"--csv": grades} | ({} if gradebook is None else {"--gradebook": gradebook})
    folders = {option: Path(file).parent for option, file in files.items()} | ({} if pages is None else
                                                                              {"--html": Path(pages)})
    for option, place in (files | ({} if pages is None else {"--html": pages})).items():
        if not place:
            raise InputError(f"{option} is empty: name a {'folder' if option == '--html' else 'file .csv'}")
        if Path(place).resolve().is_relative_to(Path(handins).resolve()):
            raise InputError(f"{option} {place} lies among the hand-ins, in {handins}: choose a place outside it")
    for option, file in files.items():
        if Path(file).suffix != ".csv" or Path(file).is_dir():
            raise InputError(f"{option} {file} is a folder, or does not end in .csv: name a file such as grades.csv")
    if len({Path(file).resolve() for file in files.values()}) < len(files):
        raise InputError(f"--csv and --gradebook name the same file, {grades}: name two")
    for option, folder in folders.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{option}: the folder {folder} cannot be made ({error.strerror}): choose another place"
                             ) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{option}: no permission to write in the folder {folder}: choose another place")
    return list(folders.values())


def plain(number):
    """A number of points without needless digits."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def cell(value):
    """A text that no spreadsheet takes for a formula."""
    value = printable(str(value))
    return f"'{value}" if value.lstrip()[:1] in ("=", "+", "-", "@") else value


def write_csv(path, grades, worth, deduct, whole=True):
    """One row a hand-in: student, file, lesson, points, also of each exercise, with attempts, hints, failed cells,
    seconds, remark. Attempts are the student's own count, empty where the notebook holds none.

    `whole`: whether all hand-ins are among the grades, see `write_rows`.
    """
    names = list(dict.fromkeys(name for grade in grades for name in grade.marks))
    rows = [["student", "file", "lesson", "points", "out of", *names,
             *(f"attempts {name}" for name in names), "hints", "failed cells", "seconds", "remark"]]
    for grade in grades:
        points = [plain(worth.get(name, 1) * (grade.marks[name] is None)) if name in grade.marks else ""
                  for name in names]
        tried = [grade.attempts.get(name, "") if name in grade.marks else "" for name in names]
        hints = " | ".join(f"{name}: {hint}" for name, hint in grade.marks.items() if hint is not None)
        rows.append([cell(grade.student), cell(grade.file), grade.lesson, plain(grade.points(worth, deduct)),
                     plain(grade.out_of(worth)), *points, *tried, cell(hints), len(grade.failed),
                     grade.seconds, cell("; ".join(grade.remarks))])
    write_rows(path, rows, whole, key=("student", "file"))


def write_gradebook(path, grades, worth, deduct, whole=True):
    """The best hand-in of each student and lesson in the columns `GRADEBOOK`; those without marks are left out."""
    best = {}
    for grade in grades:
        key = grade.lesson, grade.student
        points = grade.points(worth, deduct)
        if grade.lesson and grade.marks and (key not in best or points > best[key].points(worth, deduct)):
            best[key] = grade
    rows = [GRADEBOOK]
    for (lesson, student), grade in sorted(best.items()):
        points = plain(grade.points(worth, deduct))
        rows.append([lesson, "", "", cell(student), "", "", "", points, "0", points, plain(grade.out_of(worth))])
    write_rows(path, rows, whole, key=("assignment", "student_id"))


def write_rows(path, rows, whole, key):
    """Write rows as CSV, all of them or nothing; those of an interrupted call only if no row of the file gets lost.

    Args:
        path: the file.
        rows: lists of texts, the first one the names of the columns.
        whole: whether these are all rows, or those of an interrupted call.
        key: names of the columns that tell a row of the file from another.
    """
    if not whole and Path(path).exists():
        places = [rows[0].index(name) for name in key]
        if keys_of(path, key) - Counter(tuple(row[place] for place in places) for row in rows[1:]):
            return
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_atomically(path, lambda file: file.write(text.getvalue().encode("utf-8", "replace")))


def keys_of(path, key):
    """How often the rows of a CSV file have which values in the columns of a key."""
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        try:
            return Counter(tuple(map(row.get, key)) for row in csv.DictReader(file))
        except csv.Error:  # it is of another kind: nothing that a call writes has its rows
            return Counter([None])


def write_pages(folder, grades, worth, deduct):
    """A page STUDENT.html for each student, with marks in words, hints and failing cells. It holds no remarks."""
    make_folder(folder)
    for student in sorted({grade.student for grade in grades}):
        own = [grade for grade in grades if grade.student == student]
        page = PAGE.format(title=html.escape(printable(student)),
                           sections="\n".join(section(grade, worth, deduct) for grade in own))
        write_atomically(Path(folder) / f"{file_name(student)}.html",
                         lambda file, page=page: file.write(page.encode("utf-8", "replace")))


def file_name(student):
    """A student's name as that of a file: short enough, and with a digest where letters had to go."""
    sound = "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in student)[:60].strip(". ")
    if sound == student:
        return sound
    return f"{sound}-{hashlib.sha256(student.encode('utf-8', 'replace')).hexdigest()[:8]}"


def section(grade, worth, deduct):
    """A hand-in as HTML; all text is escaped."""
    def row(*texts):
        return "<tr>" + "".join(f"<td>{html.escape(printable(str(text)))}</td>" for text in texts) + "</tr>"

    lines = [f"<h2>{html.escape(printable(grade.lesson or grade.file))}</h2>"]
    faults = [remark for remark in grade.remarks if remark.startswith("not graded")]
    if faults:
        return "\n".join([*lines, f"<p>{html.escape(printable('; '.join(faults)))}</p>"])
    lines.append(f"<p><b>{plain(grade.points(worth, deduct))} of {plain(grade.out_of(worth))} points</b></p>")
    lines.append("<table><tr><th>exercise</th><th>mark</th><th>points</th><th>attempts</th><th>hint</th></tr>")
    for name, hint in grade.marks.items():
        mark, points = ("✓ right", worth.get(name, 1)) if hint is None else ("✗ not yet", 0)
        lines.append(row(name, mark, plain(points), grade.attempts.get(name, ""), hint or ""))
    lines.append("</table>")
    if grade.attempts:
        lines.append("<p>Attempts are as your notebook counted them; no points depend on them.</p>")
    if grade.failed:
        lines.append("<h3>Cells that failed</h3>")
        lines.append("<table><tr><th>code cell</th><th>begins with</th><th>error</th></tr>")
        lines += [row(*failed) for failed in grade.failed]
        lines.append("</table>")
        if deduct:
            lines.append(f"<p>Each takes {plain(deduct)} points off.</p>")
    return "\n".join(lines)


def table(grades, worth, deduct):
    """The hand-ins as a table of text."""
    rows = [("student", "lesson", "points", "failed", "remark")]
    rows += [(grade.student, grade.lesson, f"{plain(grade.points(worth, deduct))}/{plain(grade.out_of(worth))}",
              str(len(grade.failed)), "; ".join(grade.remarks)) for grade in grades]
    rows = [[printable(text)[:40] for text in row[:4]] + [printable(row[4])[:100]] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[4]]) for row in rows]
    return "\n".join(map(str.rstrip, lines))
