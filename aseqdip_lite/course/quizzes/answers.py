"""Answers to a quiz as text, which a notebook keeps: a cell with `quiz_answers` is handed in and graded."""

from IPython.display import display

from ...settings import InputError
from ..feedback import UNANSWERED, Box
from . import attempts, grade, quiz


def quiz_answers(name, answers, variant=None):
    """Check the answers to a quiz and show a verdict for each question, with the attempts at it so far.

    Args:
        name: the lesson's number or name, e.g. "06".
        answers: {number of the question: answer}. An answer is a number; the text of a choice; a list of texts in
            order; or a table {left: right}. Of a text its beginning is enough, where no other option begins so.
        variant: a whole number, as that of `quiz`.

    Raises:
        InputError: there is no such quiz, question or variant, or the answers are no table.
    """
    questions = quiz(name, variant)
    for number, hint in verdicts(questions, answers).items():
        notes = []
        if hint is None or not hint.startswith(UNANSWERED):
            notes = [f"attempts: {attempts((questions.name, questions.variant), number, answers[number])}"]
        display(Box(f"question {number}", hint, *notes))


def verdicts(questions, answers):
    """{number of each question: None for a right answer, else a hint} of a table of answers.

    Raises:
        InputError: the answers are no table, or hold a question that does not exist.
    """
    if not isinstance(answers, dict):
        raise InputError("the answers to a quiz are a table: quiz_answers(\"06\", {1: \"the beginning of a choice\", "
                         "2: 450})")
    if unknown := [number for number in answers if number not in range(1, len(questions) + 1)]:
        raise InputError(f"the quiz has the questions 1 to {len(questions)}, not {str(unknown[0])[:40]!r}")
    return {number: verdict(question, answers.get(number)) for number, question in enumerate(questions, start=1)}


def verdict(question, answer):
    """`grade` of an answer whose texts may be beginnings; of one that is no answer at all, that."""
    try:
        return grade(question, whole(question, answer))
    except (TypeError, AttributeError):  # a list for a choice, a number for a match
        return "the answer has another form: see the question"


def whole(question, answer):
    """An answer with each of its texts completed to the option that begins with it."""
    if question.kind == "number":
        return answer
    if isinstance(answer, list):
        return [complete(part, question.options) for part in answer]
    if isinstance(answer, dict):
        return {complete(left, question.right): complete(right, question.options) for left, right in answer.items()}
    return complete(answer, question.options)


def complete(text, options):
    """The one option that is, or begins with, a text, whatever its case; the text itself if none or several do."""
    if not isinstance(text, str) or not text.strip() or text in options:
        return text
    found = [option for option in options if option.casefold().startswith(text.strip().casefold())]
    return found[0] if len(found) == 1 else text
