"""Compare docs/glossary.md with the lessons and the code, and the pages for instructors with lessons and exercises.

    python scripts/check_docs.py             print what is missing; exit 1 if anything is
    python scripts/check_docs.py --write     first make the glossary's table of settings, and the settings that
                                             `aseqdip run TASK --help` shows, anew from the registries

A row `| $x$ | `x` | ...` of a lesson, whose first cell holds math and whose second one code or nothing, defines a
symbol. It must have a row in the glossary, which may not claim that a later lesson defines it first.

The glossary's table of symbols is the card that all lessons obey. The last cell of a row says where it holds: "06"
from lesson 06 on, "only 04, 05" in these alone. Every letter in a formula of a lesson's text is in a row that holds
there, no symbol has two such rows in one lesson, and no row is for a lesson that does not use it.
"""

import json
import re
import sys
from pathlib import Path

import click

from aseqdip_lite import methods, tasks
from aseqdip_lite.cli.options import SETTINGS
from aseqdip_lite.course import lesson_files
from aseqdip_lite.course.exercises import REGISTRY
from aseqdip_lite.settings import fields_of
from aseqdip_lite.study.tables import markdown_table

ROOT = Path(__file__).resolve().parent.parent
GLOSSARY, PLAN = ROOT / "docs" / "glossary.md", ROOT / "docs" / "instructors.md"
OUTCOMES = ROOT / "docs" / "teaching" / "outcomes.md"
BEGIN, END = "<!-- settings: made by python scripts/check_docs.py --write -->", "<!-- end of settings -->"

TERM = re.compile(r"^- \*\*(.+?)\*\*:", re.MULTILINE)
ITALIC = re.compile(r"(?<!\*)\*(?![*`\s)])([^*`|]+?)\*(?!\*)", re.DOTALL)

#: What in a formula is no letter: text, names of functions, transposes, the number e, differentials, orders O(...).
NO_LETTERS = re.compile(
    r"\\(?:text|mathrm|operatorname|tag|begin|end|rm)\s*(?:\{[^}]*\}|[A-Za-z]+)|\\math(?:bb|sf|cal)\s*\{?[A-Z]\}?"
    r"|\^\s*\{?(?:\\,)?[TH]|e(?=\^)|(?:\\,|\\!)\s*d(?=\s*(?:\\[a-z]|[A-Za-z]))|\bO(?=\()")

#: Names of LaTeX that are letters of symbols.
GREEK = re.compile(r"\\(?:alpha|beta|gamma|delta|(?:var)?epsilon|zeta|(?:var)?theta|eta|kappa|lambda|mu|nu|rho|sigma"
                   r"|tau|(?:var)?phi|psi|omega|ell|Gamma|Delta|Theta|Lambda|Sigma|Phi|Psi|Omega)")


def letters(text):
    """The letters of all formulas in a text, Latin ones and `GREEK`, e.g. {"f", "\\phi"} of "$f_\\phi$"."""
    formulas = re.findall(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$]+?)\$", re.sub(r"`[^`\n]*`", "", text), re.DOTALL)
    plain = NO_LETTERS.sub(" ", " ".join(map("".join, formulas)))
    return {name for name in re.findall(r"\\[A-Za-z]+|[A-Za-z]", plain) if len(name) == 1 or GREEK.fullmatch(name)}


def prose(source):
    """The text of a lesson's markdown cells."""
    cells = re.split(r"^# %%(.*)\n", source, flags=re.MULTILINE)
    marked = [body for kind, body in zip(cells[1::2], cells[2::2], strict=True) if "[markdown]" in kind]
    return re.sub(r"^# ?", "", "\n".join(marked), flags=re.MULTILINE)


def holds_in(cell, number):
    """Whether a row of the card with this last cell holds in the lesson of this number."""
    return number in cell.removeprefix("only ").split(", ") if cell.startswith("only ") else cell <= number


def card_faults(glossary, lessons):
    """Letters without a row on the card, symbols with two in one lesson, and rows of no use, one line each."""
    rows = list(symbol_rows(glossary.split("## Settings")[0]))
    found = []
    used = {number_of(name): letters(prose(source)) for name, source in sorted(lessons.items())}
    used.pop("00", None)  # it shows letters of later lessons, which tests/test_lesson_00.py compares with the card
    for number, there in used.items():
        held = [symbol for symbol, cells in rows if holds_in(cells[-1], number)]
        known = {letter for symbol in held for letter in letters(f"${symbol}$")}
        found += [f"lesson {number}: ${letter}$ is not on the card" for letter in sorted(there - known)]
        found += [f"lesson {number}: ${symbol}$ has two meanings on the card" for symbol in sorted(set(held))
                  if held.count(symbol) > 1]
    for symbol, cells in rows:
        wanted = cells[-1].removeprefix("only ").split(", ")
        found += [f"the card: lesson {number} does not use ${symbol}$" for number in wanted
                  if number in used and not letters(f"${symbol}$") <= used[number]]
    return found


def symbol_rows(text):
    """(symbol, cells) of each row of a lesson or of the glossary that defines symbols.

    Of "$y = x + n$" and "$f_\\phi(z)$" the symbols are "y" and "f_\\phi".
    """
    for line in text.splitlines():
        row = line.removeprefix("# ")
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        if not row.startswith("| ") or len(cells) < 3 or not re.fullmatch(r"(`[^`]*`.*)?", cells[1]):
            continue
        for math in re.findall(r"\$([^$]+)\$", cells[0]):
            yield re.sub(r"\(.*\)$", "", math.split("=")[0].strip()), cells


def settings_table():
    """The glossary's table of settings, in Markdown: one row for each name with one meaning."""
    rows = {}
    for registry in (tasks.REGISTRY, methods.REGISTRY):
        for owner, cls in sorted(registry.items()):
            for field, _, _ in fields_of(cls):
                default = "" if field.default is None else f" ({field.default})"
                rows.setdefault((field.name, field.metadata["help"]), []).append(f"{owner}{default}")
    return markdown_table([[f"`{name}`", ", ".join(owners), help.replace("|", r"\|")] for (name, help), owners in
                           sorted(rows.items(), key=lambda row: (row[0][0].lower(), row[0]))],
                          ("setting", "of (default)", "meaning"))


def settings_file():
    """Text of the command line's settings.json, from the registries; the defaults of tasks are those of laptop."""
    found = dict(tasks={name: dict(about=cls.about, settings=facts_of(cls, cls.profiles["laptop"]))
                        for name, cls in tasks.REGISTRY.items()},
                 methods={name: dict(about=cls.about, tasks=cls.tasks, limit=cls.limit, settings=facts_of(cls, {}))
                          for name, cls in methods.REGISTRY.items()})
    return json.dumps(found, indent=1) + "\n"


def facts_of(cls, defaults):
    """{name: type, default, help and choices} of the settings of a class."""
    return {field.name: dict(type="schedule" if field.metadata["parse"] else kind.__name__,
                             default=defaults.get(field.name, field.default), help=field.metadata["help"],
                             choices=field.metadata["choices"])
            for field, kind, _ in fields_of(cls)}


def with_settings(glossary):
    """The glossary's text with its table of settings made anew."""
    before, rest = glossary.split(BEGIN)
    return f"{before}{BEGIN}\n\n{settings_table()}\n{END}{rest.split(END)[1]}"


def number_of(lesson):
    """The number of a lesson, e.g. "07" of "07_mri"."""
    return lesson.partition("_")[0]


def faults(glossary, lessons):
    """What is missing in the glossary, one line each.

    Args:
        glossary: its text. lessons: {name such as "07_mri": text of the source}.
    """
    found, first = [], {}
    for symbol, cells in symbol_rows(glossary):
        first[symbol] = min(first.get(symbol, "99"), cells[-1].removeprefix("only ").split(", ")[0])
    for lesson, text in sorted(lessons.items()):
        for symbol, _ in symbol_rows(text):
            if symbol not in first:
                found.append(f"{lesson}: the symbol ${symbol}$ is not in the glossary")
            elif first[symbol] > number_of(lesson):
                found.append(f"{lesson}: the glossary says that ${symbol}$ comes first in lesson {first[symbol]}")
    if with_settings(glossary) != glossary:
        found.append("the table of settings is not that of the code: python scripts/check_docs.py --write")
    terms = [term.lower() for term in TERM.findall(glossary)]
    found += [f"the term '{term}' has two entries" for term in sorted({t for t in terms if terms.count(t) > 1})]
    for term in ITALIC.findall(glossary.split("## Terms")[1]):
        word = " ".join(term.lower().split())
        if not {word, word + "s", word.removesuffix("s")} & set(terms) and term != "italics":
            found.append(f"the term '{word}' is used but has no entry")
    return found


def minutes_of(lesson):
    """The minutes that the head of a lesson says it takes to work through it."""
    text = " ".join(lesson.replace("# ", "").split())
    found = re.search(r"To work through it, take (?:(\d+) minutes|two hours)", text)
    return found and int(found[1] or 120)


def time_faults(page, lessons, name):
    """Where the table of lessons on a page differs from the lessons and the minutes that they state, one line each."""
    rows = re.findall(r"^(?:# )?\| \[?(\d\d[a-z]?) .*\| (\d+) \|$", page, re.MULTILINE)
    listed = {number: int(minutes) for number, minutes in rows}
    there = {number_of(lesson): minutes_of(text) for lesson, text in lessons.items()}
    return [f"{name}: lesson {number} takes {there.get(number)} minutes, not {listed.get(number)}"
            for number in sorted(there | listed) if there.get(number) != listed.get(number)]


def outcome_faults(outcomes, lessons):
    """Lessons and exercises that no outcome of the course names, or that it names and that are not, one line each."""
    rows = re.findall(r"^\| \d+ \| .+ \| ([\da-z, ]+) \| (.+) \|$", outcomes, re.MULTILINE)
    served = {number for numbers, _ in rows for number in numbers.split(", ")}
    tested = {name for _, names in rows for name in re.findall(r"`(.+?)`", names)}
    there = {number_of(name) for name in lessons}
    own = {name for name in REGISTRY if ":" not in name}  # a variant of an exercise tests the same
    return [*(f"outcomes: no lesson {number}" for number in sorted(served - there)),
            *(f"outcomes: lesson {number} serves none" for number in sorted(there - served)),
            *(f"outcomes: no exercise '{name}'" for name in sorted(tested - own)),
            *(f"outcomes: nothing says what exercise '{name}' tests" for name in sorted(own - tested))]


def lesson_sources():
    """{name: text} of the lessons' sources."""
    return {path.stem: path.read_text(encoding="utf-8") for path in lesson_files(ROOT / "lessons", "py").values()}


@click.command()
@click.option("--write", is_flag=True, help="Make the table of settings and the command line's settings.json anew.")
def main(write):
    """Say what docs/glossary.md lacks, where a lesson disobeys its card, and which pages for instructors are behind."""
    if write:
        SETTINGS.write_text(settings_file(), encoding="utf-8")
        GLOSSARY.write_text(with_settings(GLOSSARY.read_text(encoding="utf-8")), encoding="utf-8")
    lessons = lesson_sources()
    found = faults(GLOSSARY.read_text(encoding="utf-8"), lessons)
    found += card_faults(GLOSSARY.read_text(encoding="utf-8"), lessons)
    found += time_faults(PLAN.read_text(encoding="utf-8"), lessons, PLAN.name)
    found += time_faults(lessons["00_start_here"], lessons, "the map of lesson 00")
    found += outcome_faults(OUTCOMES.read_text(encoding="utf-8"), lessons)
    if SETTINGS.read_text(encoding="utf-8") != settings_file():
        found.append(f"{SETTINGS.name} is not that of the code: python scripts/check_docs.py --write")
    click.echo("\n".join(found) or "no fault")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
