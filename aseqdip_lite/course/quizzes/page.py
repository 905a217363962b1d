"""A quiz with its answers as Markdown, for instructors."""

from . import ASKS


def markdown(questions):
    """The lines of all questions, each with its answer, why it is right, and what the quiz says to wrong answers."""
    for number, question in enumerate(questions, start=1):
        yield f"{number}. {question.ask} *({ASKS[question.kind]})*"
        yield ""
        yield f"   **{question.solution}**. {question.why}"
        yield ""
        yield from (f"   - {answer}: *{why}*" for answer, why in question.wrong.items())
        if question.hint:
            yield f"   - any other answer: *{question.hint}*"
        yield ""
