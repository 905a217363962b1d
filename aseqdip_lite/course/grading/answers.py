"""Points for quizzes: the answers that a notebook writes down in `quiz_answers` are read, not run, and judged here."""

import ast
import contextlib

from ...settings import InputError
from ..feedback import UNANSWERED
from ..quizzes import names, quiz
from ..quizzes.answers import verdicts

#: What goes wrong with a text or a table that a student wrote, whatever it holds.
FAULTS = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)


def marks(cells, lesson, variant):
    """({question, e.g. "quiz.06.1": None for right, else a hint}, remarks) of a notebook of a lesson.

    The last cell that answers this lesson's quiz counts, in the variant that is given, whatever the cell itself names.
    """
    if lesson not in names():
        return {}, []
    questions, number, remarks = quiz(lesson, variant), lesson.split("_")[0], []
    found = dict.fromkeys(range(1, len(questions) + 1), f"{UNANSWERED}: no quiz_answers were found")
    call = last_call(cells, (lesson, *lesson.split("_", 1)))
    if call is not None:
        try:
            answers, own = read(call)
            found = verdicts(questions, answers)
            if own not in (None, variant):
                remarks.append(f"its quiz_answers are of the variant {str(own)[:20]}, not of {variant}")
        except InputError as error:
            remarks.append(f"quiz_answers: {error}")
        except FAULTS:
            remarks.append("quiz_answers holds more than numbers and texts, so it was not read")
    return {f"quiz.{number}.{question}": hint for question, hint in found.items()}, remarks


def read(call):
    """(answers, variant or None) of a call of `quiz_answers`; one of FAULTS if they are not written out."""
    named = {part.arg: ast.literal_eval(part.value) for part in call.keywords}
    given = dict(zip(("name", "answers", "variant"), map(ast.literal_eval, call.args), strict=False)) | named
    return given.get("answers"), given.get("variant")


def last_call(cells, lesson):
    """The last call of `quiz_answers` with one of the names of a lesson, as a tree; None if there is none."""
    for cell in reversed([cell for cell in cells if "quiz_answers" in cell]):
        with contextlib.suppress(*FAULTS):
            lines = [line for line in cell.splitlines() if not line.startswith(("%", "!", "?"))]
            calls = [node for node in ast.walk(ast.parse("\n".join(lines))) if isinstance(node, ast.Call)
                     and ast.unparse(node.func).split(".")[-1] == "quiz_answers" and lesson_of(node) in lesson]
            if calls:
                return calls[-1]
    return None


def lesson_of(call):
    """The name of the lesson that a call names, or None."""
    first = next(iter([*call.args, *(part.value for part in call.keywords if part.arg == "name")]), None)
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
