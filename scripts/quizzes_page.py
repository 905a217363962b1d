"""docs/QUIZZES.md: all questions of the quizzes with their answers, for instructors, from aseqdip_lite/course/quizzes.

    python scripts/quizzes_page.py
"""

from pathlib import Path

from aseqdip_lite.course.quizzes import names, quiz
from aseqdip_lite.course.quizzes.page import markdown

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "QUIZZES.md"

HEAD = """# Quizzes

This page is made by `python scripts/quizzes_page.py` from `aseqdip_lite/course/quizzes/`, one file per lesson;
`tests/test_quizzes.py` checks that it is current. Near its end each lesson asks these questions, lesson 06 for example
with `quiz("06")`. A reader's answers are checked at once and are not stored. Here each question comes with its answer,
the reason why it is right, and what the quiz says to wrong answers.
"""


def page():
    """The page's text."""
    text = [HEAD]
    for name in names():
        text += [f"## Lesson {name.replace('_', ' ')}", "", *markdown(quiz(name))]
    return "\n".join(text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
