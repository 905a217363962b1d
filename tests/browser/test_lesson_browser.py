"""A lesson in JupyterLab, in a real browser: Run All makes its figures, its panel and no error."""

from pathlib import Path

import nbformat
import pytest

from aseqdip_lite.course import quiz as questions

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

LESSON = Path(__file__).resolve().parent.parent.parent / "lessons" / "00_start_here.ipynb"
OUTPUT = ".jp-OutputArea-output"


@pytest.fixture(scope="module")
def lesson(chromium, lab, started):
    """Lesson 00 in the browser after Run All; its stored outputs are removed before."""
    notebook = nbformat.read(LESSON, 4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    chromium.goto(lab(LESSON.name, notebook))

    def run_all():
        chromium.get_by_role("menuitem", name="Run", exact=True).click()
        chromium.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    started(chromium, run_all)
    chromium.wait_for_function(
        """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)')]
                 .every(prompt => /\\d/.test(prompt.innerText))""")
    return chromium


def test_every_cell_ran_and_none_has_an_error_or_a_warning(lesson):
    cells = nbformat.read(LESSON, 4).cells
    assert lesson.locator(".jp-CodeCell").count() == sum(cell.cell_type == "code" for cell in cells)
    for kind in ("error", "stderr"):
        assert lesson.locator(f'[data-mime-type="application/vnd.jupyter.{kind}"]').all_inner_texts() == []
    assert lesson.locator(OUTPUT).get_by_text("Everything is here: go on.").is_visible()


def test_figures_are_drawn_and_have_alt_text(lesson):
    pictures = lesson.locator(f"{OUTPUT} img")
    assert pictures.count() == 4 + 4  # figures of the text, pictures of the panel
    for picture in pictures.all():
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        assert picture.bounding_box()["width"] > 100 and len(picture.get_attribute("alt")) > 10


def test_the_button_of_the_self_check_answers(lesson):
    outputs = lesson.locator(OUTPUT)
    assert outputs.get_by_text("The kernel has heard nothing yet.").is_visible()
    outputs.get_by_role("button", name="press me").click()
    playwright.expect(outputs.get_by_text("Panels work here.")).to_be_visible()


def answered(lesson, answer):
    """The cell of an exercise, after a reader has typed the answer and run it."""
    cell = lesson.locator(".jp-CodeCell", has_text='check("start.truth"')
    cell.locator(".cm-content").click()
    lesson.keyboard.press("Control+a")
    lesson.keyboard.insert_text(f'check("start.truth", {answer})')
    lesson.keyboard.press("Shift+Enter")
    return cell


def test_an_exercise_is_answered_in_the_page(lesson):
    assert lesson.get_by_text("start.truth: not answered yet").is_visible()
    cell = answered(lesson, '"C"')
    playwright.expect(cell.locator(".jp-OutputArea")).to_contain_text("to pick the oracle, somebody compared")


def test_a_letter_without_quotation_marks_gets_a_sentence(lesson):
    cell = answered(lesson, 'B')
    playwright.expect(cell.locator(".jp-OutputArea")).to_contain_text("put it in quotation marks")
    assert "Traceback" not in cell.locator(".jp-OutputArea").inner_text()


def test_questions_of_the_quiz_are_answered_in_the_page(lesson):
    quiz = lesson.locator(".jp-CodeCell", has_text='quiz("00")')
    number, question = next(pair for pair in enumerate(questions("00")) if pair[1].kind == "choice")
    button = quiz.get_by_role("button", name="Check").nth(number)
    for answer, verdict in ((next(iter(question.wrong)), "not yet"), (question.right, "✓")):
        quiz.get_by_label(answer, exact=True).check()
        button.click()
        playwright.expect(quiz.locator("[role=status]").first).to_contain_text(verdict)
    number, question = next(pair for pair in enumerate(questions("00")) if pair[1].kind == "number")
    quiz.get_by_placeholder("your number").first.fill(str(question.right))
    quiz.get_by_role("button", name="Check").nth(number).click()
    playwright.expect(quiz).to_contain_text(f"2 of {len(questions('00'))} right")


def test_axe_finds_nothing_serious_in_what_the_lesson_shows(lesson, severe):
    """The text and the outputs; JupyterLab's own frame and editor are not ours."""
    assert severe(lesson, ".jp-MarkdownOutput") == []
    assert severe(lesson, OUTPUT) == []
