"""Quizzes: right answers are right, wrong ones get a sentence of their own, and both forms show every question."""

import ast
import html
import itertools
import math
import re
import tomllib
from types import SimpleNamespace

import build_lessons
import numpy as np
import pytest
import quizzes_page

from aseqdip_lite import InputError
from aseqdip_lite.course import quiz, quiz_answers, quizzes
from aseqdip_lite.course.quizzes import Question, grade
from aseqdip_lite.course.quizzes.answers import verdicts
from aseqdip_lite.course.quizzes.form import Form
from aseqdip_lite.course.quizzes.template import evaluate, fill

NAMES = list(quizzes.names())
ALL = {f"{name}:{number}": question for name in NAMES for number, question in enumerate(quiz(name), start=1)}


@pytest.fixture(autouse=True)
def no_attempts(monkeypatch):
    """A kernel in which nothing was answered yet."""
    monkeypatch.setattr(quizzes, "TRIED", {})


def of_kind(*kinds):
    return [pytest.param(question, id=name) for name, question in ALL.items() if question.kind in kinds]


def test_each_lesson_has_a_quiz_and_ends_with_it():
    assert [source.stem for source in build_lessons.sources()] == NAMES
    for source in build_lessons.sources():
        cells = [cell.source for cell in build_lessons.notebook_of(source, solved=False).cells]
        last = next(i for i, cell in enumerate(cells) if cell.startswith("## What you can now say"))
        number = source.stem.split("_")[0]
        assert cells[last - 2].startswith("## Quiz\n") and cells[last - 1].endswith(f'\nquiz("{number}")')


@pytest.mark.parametrize("name", NAMES)
def test_a_quiz_has_five_to_eight_questions_of_several_kinds(name):
    questions = quiz(name)
    assert 5 <= len(questions) <= 8 and len({question.ask for question in questions}) == len(questions)
    assert len({question.kind for question in questions}) >= 2
    number, short = name.split("_", 1)
    assert quiz(number) == quiz(short) == questions
    assert not number.isdecimal() or quiz(int(number)) == questions


@pytest.mark.parametrize("question", ALL.values(), ids=ALL)
def test_the_right_answer_is_right_and_no_answer_is_none(question):
    assert grade(question, question.right) is None and question.why and question.solution
    unanswered = dict(order=[None], match={"a": ""}).get(question.kind)
    assert grade(question, unanswered).startswith("not answered yet")
    assert grade(question, ...).startswith("not answered yet")


@pytest.mark.parametrize("question", of_kind("choice"))
def test_each_wrong_choice_gets_its_own_sentence(question):
    assert len(question.wrong) >= 2 and question.right not in question.wrong
    assert len(set(question.wrong.values())) == len(question.wrong)
    assert sorted(question.options) == sorted([question.right, *question.wrong])
    assert max(map(len, question.options)) <= 100  # radio buttons have one line
    for answer, why in question.wrong.items():
        assert grade(question, answer) == why and len(why) > 10
    assert grade(question, "something else")


@pytest.mark.parametrize("question", of_kind("number"))
def test_a_number_is_right_up_to_its_tolerance_and_slips_get_their_own_sentence(question):
    edge = question.tolerance
    for sign in (1, -1):
        assert grade(question, question.right + sign * edge) is None
        beyond = question.right + sign * (1.01 * edge + 1e-6 * abs(question.right))
        assert grade(question, beyond) is not None
    for slip, why in question.wrong.items():
        assert abs(float(slip) - question.right) > 2 * edge and grade(question, slip) == why
    far = 1e6 + sum(abs(float(slip)) for slip in question.wrong)
    assert question.hint and grade(question, far) == question.hint
    assert grade(question, f"{question.right}".replace(".", ",")) is None
    assert "number is expected" in grade(question, "many") and "finite" in grade(question, "nan")


@pytest.mark.parametrize("question", of_kind("order"))
def test_every_other_order_is_refused(question):
    assert question.hint and len(set(question.right)) == len(question.right) >= 3
    assert question.options != question.right and sorted(question.options) == sorted(question.right)
    for other in itertools.permutations(question.right):
        assert (grade(question, list(other)) is None) == (list(other) == question.right)


@pytest.mark.parametrize("question", of_kind("match"))
def test_every_other_match_is_refused_and_told_how_much_fits(question):
    values = list(question.right.values())
    assert question.hint and len(set(values)) == len(values) >= 3 and question.options != values
    for other in itertools.permutations(values):
        hint = grade(question, dict(zip(question.right, other, strict=True)))
        fit = sum(a == b for a, b in zip(other, values, strict=True))
        assert hint is None if list(other) == values else hint.startswith(f"{fit} of {len(values)} fit. ")


def test_the_longest_choice_is_no_hint():
    choices = [question for question in ALL.values() if question.kind == "choice"]
    longest = sum(len(question.right) > max(map(len, question.wrong)) for question in choices)
    assert longest < len(choices) / 2


def test_a_question_tells_its_kind_and_slips_near_the_answer_do_not_hide_it():
    question = Question("?", 10, "since", {"10.5": "slip"}, "think", tolerance=0.2)
    assert question.kind == "number"
    assert grade(question, 10.2) is None and grade(question, "10.4") == "slip" and grade(question, 10.25) == "think"


@pytest.mark.parametrize("text, number", [("1/64", 0.015625), ("1 536", 1536), ("1\u202f536", 1536), ("−3/4", -0.75),
                                          ("12,5", 12.5), ("1 000 000", 10**6)])
def test_numbers_are_read_as_one_writes_them(text, number):
    assert grade(Question("?", number, "since"), text) is None


def test_a_comma_for_thousands_is_told_how_it_was_read():
    question = Question("?", 1536, "since", {"1.536": "a slip"}, "think")
    assert grade(question, "1,536") == "1,536 is read as 1.536; with thousands in mind, write no comma. a slip"
    for text in ("1/0", "1/2/3", "1 53", "/", "1/"):
        assert grade(question, text) == "a number is expected, such as 12.5"


@pytest.mark.parametrize("right", ["a", 2.0, ["a", "b"], {"x": "a", "y": "b"}])
def test_an_answer_of_a_strange_type_gets_a_sentence(right):
    question = Question("?", right, "since", {"c": "no"} if right == "a" else {}, "think")
    for answer in ([["a"]], {"x": {}}, {1: [2]}, np.zeros(3), [np.zeros(3)], object(), b"a", 3j, [], {}):
        assert isinstance(grade(question, answer), str)


def test_a_quiz_that_is_not_there_is_refused_in_one_line():
    with pytest.raises(InputError, match="^unknown quiz 'aseqdipp': did you mean 'aseqdip'?"):
        quiz("aseqdipp")
    for name in (["06"], None, 99, np.zeros(3)):
        with pytest.raises(InputError, match="^unknown quiz"):
            quiz(name)


# --- variants ---------------------------------------------------------------------------------------------------------

def written(name):
    return tomllib.loads(quizzes.names()[name].read_text(encoding="utf-8"))["question"]


#: {name: fields} of the questions whose numbers are free.
FREE = {f"{name}:{number}": fields for name in NAMES for number, fields in enumerate(written(name), start=1)
        if "given" in fields}


def numbers_in(text):
    """All numbers of a text, without its signs."""
    return re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)


@pytest.mark.parametrize("fields", FREE.values(), ids=FREE)
def test_a_question_with_free_numbers_is_sound_with_all_of_its_values(fields):
    given, asks = fields["given"], set()
    for values in itertools.product(*given.values()):
        question = Question(**fill({name: field for name, field in fields.items() if name != "given"},
                                   dict(zip(given, values, strict=True))))
        slips = [float(slip) for slip in question.wrong]
        assert math.isfinite(question.right) and len(slips) == len(fields["wrong"])
        assert grade(question, question.right) is None
        for slip, why in question.wrong.items():
            assert abs(float(slip) - question.right) > 2 * question.tolerance and grade(question, slip) == why
        assert min(abs(a - b) for a, b in itertools.combinations([*slips, question.right], 2)) > 1e-9
        text = " ".join([question.ask, question.why, question.solution, question.hint, *question.wrong,
                         *question.wrong.values()])
        assert not re.search(r"[{}]", text)
        assert all("e" not in number and len(number.replace(".", "").strip("0")) <= 4 for number in numbers_in(text))
        for value in values:
            shown = [str(part) for part in (value if isinstance(value, list) else [value])]
            assert any(part in question.ask or part in question.why for part in shown)
        asks.add(question.ask)
    assert len(asks) >= 2


def test_most_numbers_are_free():
    numbers = [name for name, question in ALL.items() if question.kind == "number"]
    assert len(FREE) >= 0.9 * len(numbers)


@pytest.mark.parametrize("name", NAMES)
def test_a_variant_asks_the_same_things_with_other_numbers_in_another_order(name):
    plain, variants = quiz(name), [quiz(name, variant=seed) for seed in range(6)]
    assert quiz(name, variant=3) == variants[3]
    for questions in variants:
        assert sorted(question.kind for question in questions) == sorted(question.kind for question in plain)
        for question in questions:
            assert grade(question, question.right) is None
            if question.kind in ("order", "match"):
                known = next(one for one in plain if one.ask == question.ask)
                kept = [part for part in known.right if part in question.right]
                assert kept == list(question.right) and len(kept) >= 3
    keys = [[(question.ask[:20], str(question.right)) for question in questions] for questions in variants]
    assert all(a != b for a, b in itertools.combinations(keys, 2))
    assert len({str(question.right) for questions in variants for question in questions}) > len(plain)


def test_a_class_gets_its_variant_by_the_environment(monkeypatch):
    monkeypatch.setenv("ASEQDIP_VARIANT", "7")
    assert quiz("06") == quiz("06", variant=7) and quiz("06").variant == 7
    monkeypatch.setenv("ASEQDIP_VARIANT", "seven")
    with pytest.raises(InputError, match="^a variant is a whole number such as 7, not 'seven'"):
        quiz("06")


@pytest.mark.parametrize("formula, value", [
    ("2 * 3 + 4**2 / 8 - 1", 7), ("-N + 1", -9), ("sqrt(N * 10)", 10), ("log10(N)", 1), ("round(pi, 2)", 3.14)])
def test_a_formula_is_arithmetic(formula, value):
    assert evaluate(formula, dict(N=10)) == pytest.approx(value)


@pytest.mark.parametrize("formula", [
    "K", "1 +", "N.real", "N[0]", "'a'", "True", "__import__('os')", "max(1, 2)", "1 / 0", "sqrt(-1)", "lambda: 1",
    "N if N else 1", "sqrt(1, 2)", "[1]", ""])
def test_a_formula_is_nothing_else(formula):
    with pytest.raises(InputError, match="formula .* cannot be read"):
        evaluate(formula, dict(N=10))


# --- as text in a cell ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("variant", [None, 7])
@pytest.mark.parametrize("name", NAMES)
def test_answers_as_text_are_judged_as_those_of_the_form(name, variant):
    questions = quiz(name, variant)
    right = {number: question.right for number, question in enumerate(questions, start=1)}
    assert set(verdicts(questions, right).values()) == {None}
    assert all(hint.startswith("not answered yet") for hint in verdicts(questions, {}).values())
    form = Form(questions)
    for row in form.rows:
        fill_in(row, row.question.right)
        row.button.click()
    call = html.unescape(re.sub("<[^>]*>", "\n", form.text.value)).strip().splitlines()[-1]
    node = ast.parse(call, mode="eval").body
    assert ast.unparse(node.func) == "quiz_answers" and node.args[0].value == name.split("_")[0]
    assert set(verdicts(questions, ast.literal_eval(node.args[1])).values()) == {None}
    assert [ast.literal_eval(part.value) for part in node.keywords] == ([] if variant is None else [variant])


def test_the_beginning_of_an_option_is_enough_where_it_is_the_only_one():
    question = Question("?", "by the dot test", "since", {"by the error": "no", "it stops": "nor this"})
    assert verdicts([question], {1: "By the DOT"})[1] is None and verdicts([question], {1: "it"})[1] == "nor this"
    assert verdicts([question], {1: "by the"})[1] == "choose one of the answers that are given"
    match = Question("?", {"left": "first", "centre": "second", "right": "third"}, "since", hint="think")
    assert verdicts([match], {1: {"l": "f", "c": "s", "r": "t"}})[1] is None


@pytest.mark.parametrize("answer", [["a"], {"a": "b"}, {1: [2]}, 3, 1j, b"x", (1, 2), {1}, [[1]], "?", 10**400, [{}]])
def test_whatever_is_written_as_an_answer_gets_a_sentence(answer):
    for name in ("00", "01"):
        questions = quiz(name)
        hints = verdicts(questions, dict.fromkeys(range(1, len(questions) + 1), answer)).values()
        assert all(isinstance(hint, str) and hint and "\n" not in hint for hint in hints)


@pytest.mark.parametrize("answers, fault", [("B", "a table"), ({99: 1}, "questions 1 to 7, not '99'")])
def test_answers_to_questions_that_are_not_there_are_refused(answers, fault):
    with pytest.raises(InputError, match=fault):
        quiz_answers("00", answers)


def test_attempts_are_answers_that_differ_from_the_one_before(capsys):
    for given in (450, 450, 45, ..., 450, {"a": [1]}):
        quiz_answers("00", {2: given})
    lines = [line for line in capsys.readouterr().out.splitlines() if "question 2" in line]
    assert [line.rpartition(" | attempts: ")[2] for line in lines] == ["1", "1", "2", lines[3], "3", "4"]
    row = Form(quiz("00")).rows[1]
    fill_in(row, 450)
    row.button.click()
    assert "attempts: 5" in row.verdict.value


def test_quiz_answers_shows_a_verdict_for_each_question(capsys):
    quiz_answers("00", {2: 450})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7 and "question 2: right" in lines[1] and "question 3: not answered yet" in lines[2]


# --- the form ---------------------------------------------------------------------------------------------------------

def fill_in(row, answer):
    """Put an answer into the controls of a row."""
    answers = {"order": list, "match": lambda one: list(one.values())}.get(row.question.kind, lambda one: [one])(answer)
    for control, value in zip(row.fields, answers, strict=True):
        control.value = str(value) if row.question.kind == "number" else value


@pytest.mark.parametrize("name", NAMES)
def test_the_form_counts_right_answers_and_explains_them(name):
    form = Form(quiz(name))
    total = len(form.rows)
    assert f"0 of {total} right" in form.score.value
    for count, row in enumerate(form.rows, start=1):
        row.button.click()
        assert "not answered yet" in row.verdict.value and f"{count - 1} of {total}" in form.score.value
        fill_in(row, row.question.right)
        row.button.click()
        assert f"✓ right: {html.escape(row.question.why)}" in re.sub("<[^>]*>", "", row.verdict.value)
        assert "attempts: 1" in row.verdict.value
        assert f"{count} of {total} right" in form.score.value


def test_a_wrong_answer_in_the_form_gets_its_sentence_and_takes_the_point_back():
    question = next(question for question in ALL.values() if question.kind == "choice")
    row, = (form := Form([question])).rows
    fill_in(row, question.right)
    row.button.click()
    wrong, why = next(iter(question.wrong.items()))
    fill_in(row, wrong)
    row.button.click()
    assert html.escape(why) in row.verdict.value and "not yet" in row.verdict.value
    assert "attempts: 2" in row.verdict.value and "0 of 1 right" in form.score.value


# --- as text ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", NAMES)
def test_page_and_text_hold_every_question_and_fold_the_answers(name):
    questions = quiz(name)
    page, text = questions._repr_html_(), repr(questions)
    outside = re.sub("<details>.*?</details>", "", page)
    assert page.count("<details>") == len(questions)
    for question in questions:
        assert html.escape(question.ask) in outside and html.escape(question.why) not in outside
        assert html.escape(question.solution) in page and html.escape(question.why) in page
        assert question.ask in text and question.why in text.partition("\nAnswers\n")[2]
        assert all(html.escape(why) in page for why in question.wrong.values())


def test_the_view_of_the_form_is_made_only_where_a_kernel_runs(monkeypatch):
    view = build_lessons.WIDGET
    assert set(quiz("00")._repr_mimebundle_()) == {"text/html", "text/plain"}
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=None))
    bundle = quiz("00")._repr_mimebundle_()
    assert bundle[view]["model_id"] and bundle["text/html"]


def test_the_page_of_the_quizzes_is_current():
    assert quizzes_page.PAGE.read_text(encoding="utf-8") == quizzes_page.page()
