"""docs/EXERCISES.md: how the checks of the exercises were tried, from tests/mutants.py and tests/right_forms.py.

    python scripts/exercises_page.py
"""

import sys
from pathlib import Path

from aseqdip_lite.course.exercises import REGISTRY, judge
from aseqdip_lite.course.exercises.table import entries
from aseqdip_lite.study.tables import markdown_table

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))

from mutants import EQUIVALENT, answer_of, each, equivalent, verdicts  # noqa: E402
from right_forms import FORMS, MISTAKES, RIGHT  # noqa: E402

PAGE = ROOT / "docs" / "EXERCISES.md"

#: The page's prose, with fields for the table and for the mutants that are right.
TEXT = PAGE.parent / "texts" / "exercises.md"


def row(name):
    """An exercise's row: numbers of mutants made, killed and right, of forms accepted and of hints to mistakes."""
    found, asked = verdicts(name), REGISTRY[name]
    killed = sum(hint is not None for hint in found.values())
    forms = [answer_of(name, change=lambda value, change=change: each(change, value))
             for form, change in FORMS.items() if (name, form) not in MISTAKES]
    forms += RIGHT.get(name, [])
    accepted = sum(judge(name, form) is None for form in forms)
    hints = {hint for hint, _ in entries(asked.table(*asked.cases()[0]))} - {None}
    return [f"`{name}`", len(found) - len(equivalent(name)), killed, accepted, len(forms), len(hints)]


def page():
    """The page's text."""
    rows = [row(name) for name in sorted(REGISTRY)]
    rows.append(["all", *map(sum, list(zip(*rows, strict=True))[1:])])
    table = [[name, f"{killed} of {made}", f"{accepted} of {forms}", hints]
             for name, made, killed, accepted, forms, hints in rows]
    right = [[f"`{name}`", ", ".join(mutants), why] for why, found in EQUIVALENT.items()
             for name, mutants in found.items()]
    return TEXT.read_text(encoding="utf-8").format(
        table=markdown_table(table, ("exercise", "mutants killed:", "forms accepted:", "hints of their own:")).rstrip(),
        right=markdown_table(right, ("exercise", "mutants", "why they are right")).rstrip())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
