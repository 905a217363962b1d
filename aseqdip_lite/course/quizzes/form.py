"""A quiz as a form of ipywidgets 7.7 or later: a control, a button "Check" and a verdict for each question."""

import html

from ipywidgets import HTML, Button, Dropdown, Layout, RadioButtons, Text, VBox

from ..feedback import UNANSWERED, Box
from . import ASKS, attempts, grade

#: The control takes the width that its longest option needs.
WIDE = Layout(width="auto", max_width="100%")


class Row(VBox):
    """One question.

    Attributes:
        fields: its controls; an order and a match have one for each place.
        button: checks the answer.
        verdict: an HTML widget, empty until the first check.
        right: whether the last checked answer was right.
    """

    def __init__(self, quiz, number, question, report):
        self.quiz, self.number, self.question, self.report = quiz, number, question, report
        self.attempts, self.right = 0, False
        self.fields = fields_of(question)
        self.button = Button(description="Check", tooltip=f"Check the answer to question {number}")
        self.button.on_click(self.check)
        self.verdict = HTML()
        ask = HTML(f"<p><b>{number}.</b> {html.escape(question.ask)} <em>({ASKS[question.kind]})</em></p>")
        super().__init__([ask, *self.fields, self.button, self.verdict])

    def answer(self):
        """What the controls say, in the form that `grade` takes."""
        values = [control.value for control in self.fields]
        if self.question.kind == "order":
            return values
        return dict(zip(self.question.right, values, strict=True)) if self.question.kind == "match" else values[0]

    def check(self, _):
        """Grade the answer, show the verdict and report to the form."""
        answer = self.answer()
        hint = grade(self.question, answer)
        self.right = hint is None
        if not (hint or "").startswith(UNANSWERED):
            self.attempts = attempts(self.quiz, self.number, answer)
        notes = [f"attempts: {self.attempts}"] if self.attempts else []
        self.verdict.value = Box("", hint, *notes, why=self.question.why)._repr_html_()
        self.report()


def fields_of(question):
    """The controls of a question, all without an answer."""
    if question.kind == "number":
        return [Text(description=question.unit or "number", placeholder="your number", continuous_update=False)]
    if question.kind == "choice":
        return [RadioButtons(options=question.options, value=None, layout=WIDE)]
    labels = question.right if question.kind == "match" else [
        f"place {place}" for place in range(1, len(question.right) + 1)]
    return [Dropdown(options=[("choose", None), *((option, option) for option in question.options)], value=None,
                     description=label, style=dict(description_width="initial"), layout=WIDE) for label in labels]


class Form(VBox):
    """All questions of a quiz, and how many are answered right.

    Attributes:
        rows: a Row for each question.
        score: HTML widget, e.g. "3 of 6 right".
        text: HTML widget, the answers as a cell that can be handed in; empty before the first check.
    """

    def __init__(self, questions):
        self.name, self.variant = getattr(questions, "name", ""), getattr(questions, "variant", None)
        self.score, self.text = HTML(), HTML()
        quiz = (self.name, self.variant) if self.name else object()
        self.rows = [Row(quiz, number, question, self.count) for number, question in enumerate(questions, start=1)]
        self.count()
        super().__init__([*self.rows, self.score, self.text])

    def count(self):
        """Renew the score, and the answers as text."""
        right = sum(row.right for row in self.rows)
        self.score.value = f'<p role="status"><b>{right} of {len(self.rows)} right</b></p>'
        answers = {number: row.answer() for number, row in enumerate(self.rows, start=1) if row.attempts}
        if answers and self.name:
            given = "" if self.variant is None else f", variant={self.variant}"
            lesson = self.name.partition("_")[0]
            call = f'quiz_answers("{lesson}", {answers!r}{given})'
            self.text.value = ("<p>To hand in your answers, copy this into a cell:</p><pre>"
                               f"from aseqdip_lite.course import quiz_answers\n{html.escape(call)}</pre>")
