"""Quizzes of the lessons: one file of questions a lesson, graded in words, shown as a form or as text.

A question of `NN_name.toml` has the fields of `Question`. Its kind follows from `right`:

    [[question]]
    ask = "How much does the PSNR rise when the squared error falls to a hundredth?"
    right = 20.0                              # a number; a text: choice; a list: order; a table: match
    tolerance = 0.1
    unit = "dB"
    why = "PSNR = 10 log₁₀(peak²/MSE), and 10 log₁₀ 100 = 20."
    wrong = {"2" = "That is log₁₀ 100: a decibel is a tenth of it.", "40" = "That is 20 log₁₀: MSE is squared already."}
    hint = "Write the PSNR twice and subtract."

Numbers that a variant draws are written as formulas, see `template`.
"""

import html
import importlib.resources
import math
import random
import re
import tomllib
from dataclasses import dataclass, field

from ...settings import nearest
from .. import variants
from ..feedback import UNANSWERED
from .template import draw

FOLDER = importlib.resources.files(__name__)

#: What a reader is asked to do, by the kind of the question.
ASKS = {"choice": "choose one", "number": "write a number", "order": "put in order", "match": "match"}


#: The blank before three digits, as in 1 536; and a number whose comma may be meant so.
BLANK, THOUSANDS = re.compile(r"(?<=\d)\s(?=\d{3}(?!\d))"), re.compile(r"[-−]?[1-9]\d{0,2},\d{3}")


#: {(quiz, number of the question): answers to it in their order}, while this Python runs.
TRIED = {}


@dataclass(frozen=True)
class Question:
    """A question with its answer, the reason, and what to say to wrong answers.

    Attributes:
        ask: the question.
        right: a text among several (choice), a number, a list in its order, or a table {left: right} to match.
        why: why this is right.
        wrong: {wrong answer: why it is not right}; all the other choices, or likely slips of a number.
        hint: what to think about, where a wrong answer is not listed in `wrong`.
        tolerance: largest distance of a right number from `right`.
        unit: unit of the number.
        salt: changes the order of the options; a variant sets it.
    """

    ask: str
    right: str | float | list | dict
    why: str
    wrong: dict = field(default_factory=dict)
    hint: str = ""
    tolerance: float = 0.0
    unit: str = ""
    salt: str = ""

    @property
    def kind(self):
        """"choice", "number", "order" or "match"."""
        return {str: "choice", list: "order", dict: "match"}.get(type(self.right), "number")

    @property
    def options(self):
        """What a reader picks from: in the same mixed order each time, never the right one; [] for a number."""
        given = {"choice": lambda: [self.right, *self.wrong], "order": lambda: list(self.right),
                 "match": lambda: list(self.right.values()), "number": list}[self.kind]()
        mixed = random.Random(self.ask + self.salt).sample(given, len(given))
        return mixed[::-1] if self.kind in ("order", "match") and mixed == given else mixed

    @property
    def solution(self):
        """The right answer in a line."""
        return {"choice": lambda: self.right, "number": lambda: f"{self.right:g} {self.unit}".strip(),
                "order": lambda: " → ".join(self.right),
                "match": lambda: "; ".join(f"{left}: {right}" for left, right in self.right.items())}[self.kind]()


def attempts(quiz, number, answer):
    """How many answers to a question were given while this Python runs, this one included.

    The same answer twice in a row, in a form and then as text for instance, is one attempt.

    Args:
        quiz: name of the quiz and its variant, or anything else that tells it from others.
        number: that of the question.
        answer: anything; two are the same if they are written alike.
    """
    given = TRIED.setdefault((quiz, number), [])
    if [str(answer)] != given[-1:]:
        given.append(str(answer))
    return len(given)


def grade(question, answer):
    """None if an answer is right, else a sentence that says why not or what to think about.

    Args:
        question: a Question.
        answer: the text of a choice, a number or its text (12.5, 12,5, 1 536, 1/64), a list of texts, or a table
            {left: right}.
    """
    parts = answer if isinstance(answer, list) else [*answer.values()] if isinstance(answer, dict) else [answer]
    if any(part is None or part is ... or isinstance(part, str) and not part.strip() for part in parts):
        return f"{UNANSWERED}: {ASKS[question.kind]}"
    if question.kind == "number":
        return grade_number(question, answer)
    if not isinstance(answer, type(question.right)) or not all(isinstance(part, str) for part in parts):
        return f"this is no answer to the question: {ASKS[question.kind]}"
    if answer == question.right:
        return None
    if question.kind == "choice":
        return question.wrong.get(answer, "choose one of the answers that are given")
    if question.kind == "match":
        fit = sum(answer.get(left) == right for left, right in question.right.items())
        return f"{fit} of {len(question.right)} fit. {question.hint}"
    return question.hint


def grade_number(question, answer):
    """`grade` of a number: right within the tolerance, and so are the slips in `wrong`."""
    try:
        number = number_of(str(answer))
    except (ValueError, ZeroDivisionError):
        return "a number is expected, such as 12.5"
    hint = grade_value(question, number)
    if hint and THOUSANDS.fullmatch(str(answer).strip()):
        return f"{answer} is read as {number:.12g}; with thousands in mind, write no comma. {hint}"
    return hint


def number_of(text):
    """The number of a text: 12.5, 12,5, 1 536 or 1/64; ValueError or ZeroDivisionError if it is none."""
    over, *under = BLANK.sub("", text).replace(",", ".").replace("−", "-").split("/", 1)
    return float(over) / float(under[0]) if under else float(over)


def grade_value(question, number):
    """`grade` of a number that was read."""
    if not math.isfinite(number):
        return "a finite number is expected, such as 12.5"
    values = [question.right, *map(float, question.wrong)]
    nearest_value = min(values, key=lambda value: abs(number - value))
    if abs(number - nearest_value) > question.tolerance * (1 + 1e-9) + 1e-12 * abs(nearest_value):
        return question.hint
    return None if nearest_value == question.right else list(question.wrong.values())[values.index(nearest_value) - 1]


class Quiz(list):
    """The questions of a lesson: a form in a notebook that runs, text with folded answers everywhere else.

    Attributes:
        name: that of the lesson's file.
        variant: a whole number, or None.
    """

    def __init__(self, questions, name="", variant=None):
        super().__init__(questions)
        self.name, self.variant = name, variant

    def __repr__(self):
        lines = []
        for number, question in enumerate(self, start=1):
            lines.append(f"{number}. {question.ask} ({ASKS[question.kind]})")
            lines += [*(f"   - {left}" for left in question.right), "   with"] if question.kind == "match" else []
            lines += [f"   * {option}" for option in question.options]
        lines += ["", "Answers"]
        lines += [f"{number}. {question.solution}. {question.why}" for number, question in enumerate(self, start=1)]
        return "\n".join(lines)

    def _repr_html_(self):
        return f"<ol>{''.join(f'<li>{as_html(question)}</li>' for question in self)}</ol>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        """HTML and text; where a kernel runs, the view of the form, too."""
        from IPython import get_ipython

        bundle = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if hasattr(get_ipython(), "kernel"):
            from .form import Form

            view = dict(version_major=2, version_minor=0, model_id=Form(self).model_id)
            bundle["application/vnd.jupyter.widget-view+json"] = view
        return bundle


def as_html(question):
    """A question with its options, and the answer folded."""
    def items(texts):
        return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>" if texts else ""

    left = f"{items(list(question.right))}<p>with</p>" if question.kind == "match" else ""
    wrong = items([f"Not {answer}: {why}" for answer, why in question.wrong.items()])
    return (f"<p>{html.escape(question.ask)} <em>({ASKS[question.kind]})</em></p>{left}{items(question.options)}"
            f"<details><summary>Answer</summary><p><strong>{html.escape(question.solution)}</strong>. "
            f"{html.escape(question.why)}</p>{wrong}</details>")


def names():
    """{name: file} of all quizzes, the name being that of the lesson's file, e.g. "06_aseqdip"."""
    files = sorted((file for file in FOLDER.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {file.name.removesuffix(".toml"): file for file in files}


def quiz(name, variant=None):
    """The quiz of a lesson, to be shown as the last line of a cell.

    Args:
        name: the lesson's number, name or both: 6, "06", "aseqdip" or "06_aseqdip".
        variant: a whole number that draws other numbers and another order; by default that of the environment variable
            ASEQDIP_VARIANT, and where it is not set the questions as they are in the lessons.

    Returns:
        Quiz, a list of Questions.

    Raises:
        InputError: no lesson has this name, or the variant is not a whole number.
    """
    known, variant = names(), variants.current(variant)
    name = f"{name:02d}" if type(name) is int else name
    full = {short: stem for stem in known for short in (stem, *stem.split("_", 1))}
    name = full[nearest(name, full, "quiz")]
    rng = variants.generator(variant, name)
    salt = "" if rng is None else str(variant)
    written = tomllib.loads(known[name].read_text(encoding="utf-8"))["question"]
    questions = [Question(**draw(question, rng), salt=salt) for question in written]
    return Quiz(rng.sample(questions, len(questions)) if rng else questions, name, variant)
