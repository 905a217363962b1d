"""docs/QUIZZES.md: all questions of the quizzes with their answers, for instructors, from aseqdip_lite/course/quizzes.

    python scripts/quizzes_page.py
"""

from pathlib import Path

from aseqdip_lite.course.quizzes import names, quiz
from aseqdip_lite.course.quizzes.page import markdown

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "QUIZZES.md"

HEAD = """# Quizzes

Made by `python scripts/quizzes_page.py` from `aseqdip_lite/course/quizzes/`, one file a lesson;
`tests/test_quizzes.py` holds that the page is current. Near its end each lesson asks these questions, by `quiz("06")`
for lesson 06. A reader's answers are checked at once, and stored nowhere. Here each question stands with its answer,
why it is right, and what the quiz says to wrong answers.
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
