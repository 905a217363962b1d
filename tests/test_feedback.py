"""What readers see of a verdict, and of two kinds of slip in an exercise's cell."""

import re

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from aseqdip_lite.course import feedback
from aseqdip_lite.course.exercises import ATTEMPTS, DONE, check
from aseqdip_lite.course.feedback import Box, sentence


@pytest.fixture(autouse=True)
def afresh():
    """No attempt yet, nothing done."""
    ATTEMPTS.clear()
    DONE.clear()


@pytest.mark.parametrize("hint, word", [(None, "right"), ("a < b & c", "not yet: a < b & c"),
                                        ("not answered yet: dots", "not answered yet: dots")])
def test_a_box_says_the_same_with_and_without_html(hint, word):
    box = Box("mri.lam", hint, "attempts: 2", "1 of 4 done")
    text, page = repr(box), box._repr_html_()
    assert text[0] in "✓✗○" and text[2:] == f"mri.lam: {word} | attempts: 2 | 1 of 4 done"
    assert 'role="status"' in page and "a < b" not in page
    plain = re.sub(r"<[^>]*>", "", page.replace("<br>", " | ")).replace("&lt;", "<").replace("&amp;", "&")
    assert plain == text


def test_attempts_and_exercises_done_are_counted_and_dots_are_no_attempt(capsys):
    answers = (..., lambda N, K: None, lambda N, K: (K, K), lambda N, K: (N * K, K), lambda N, K: (K, K))
    for answer in answers:
        check("start.steps", answer)
    check("start.truth", "b")
    lines = capsys.readouterr().out.splitlines()
    assert all(" | " not in line for line in lines[:2])
    assert [re.findall(r"\d+", line.rpartition("attempts: ")[2])[:2] for line in lines[2:]] == [
        ["1", "0"], ["2", "1"], ["3", "1"], ["1", "2"]]
    assert all(line.endswith("of 3 exercises of this lesson done") for line in lines[2:])


#: Cells of exercises with a slip, and what the sentence names.
SLIPS = {'letter = B\ncheck("start.truth", letter)': "\"B\"", 'answer =\ncheck("start.truth", answer)': "'answer ='",
         'check("start.psnr", my_psnr)': "my_psnr", 'def f(x):\n\ncheck("start.psnr", f)': "line 3"}

#: Cells whose traceback stays: without a check, in a function of the reader's, another exception, other code.
OTHERS = ["B", "x =", 'def f():\n    return B\ncheck("start.truth", f())', '1 / 0\ncheck("start.truth", "b")',
          'exec("1 +")\ncheck("start.truth", "b")']


@pytest.fixture
def shell(monkeypatch):
    """An IPython with the handler, which collects the tracebacks that it shows."""
    shell = InteractiveShell()
    shell.user_ns["check"] = lambda name, answer: None
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    shell.shown = []
    shell._showtraceback = lambda kind, error, lines: shell.shown.append(lines)
    feedback.explain_slips()
    return shell


@pytest.mark.parametrize("cell", SLIPS)
def test_a_slip_gets_a_sentence_and_the_cell_fails(shell, cell):
    result = shell.run_cell(cell, store_history=True)
    assert not result.success
    (line,), = shell.shown
    assert SLIPS[cell] in line and "\n" not in line


@pytest.mark.parametrize("cell", OTHERS)
def test_all_other_exceptions_keep_their_traceback(shell, cell):
    assert not shell.run_cell(cell, store_history=True).success
    lines, = shell.shown
    assert any(re.search(r"\w+Error", line) for line in lines) and not any("run the cell" in line for line in lines)


def test_a_handler_of_somebody_else_stays(shell):
    mine = shell.custom_exceptions
    shell.set_custom_exc((KeyError,), lambda *args, **kwargs: None)
    feedback.explain_slips()
    assert mine == (NameError, SyntaxError) and shell.custom_exceptions == (KeyError,)
    assert sentence(KeyError("a"), 'check("start.truth", a)') is None


def test_tools_that_run_notebooks_stop_at_a_slip():
    start = "from aseqdip_lite.course.feedback import explain_slips\nexplain_slips()"
    cells = [start, 'check("start.truth", b)']
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises(CellExecutionError, match="is not defined. If it is your answer"):
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    error, = notebook.cells[1].outputs
    assert (error.output_type, error.ename) == ("error", "NameError")
