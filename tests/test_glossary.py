"""The glossary knows every symbol of the lessons, every setting and its own words, and the plan the lessons there are.

Each fault is found by its check.
"""

import check_docs
import pytest

from aseqdip_lite import methods, tasks
from aseqdip_lite.settings import fields_of


@pytest.fixture(scope="module")
def glossary():
    return check_docs.GLOSSARY.read_text(encoding="utf-8")


def test_nothing_is_missing(glossary):
    assert check_docs.faults(glossary, check_docs.lesson_sources()) == []


def test_the_settings_of_the_command_line_are_those_of_the_code():
    assert check_docs.SETTINGS.read_text(encoding="utf-8") == check_docs.settings_file()


@pytest.mark.parametrize("cls", [*tasks.REGISTRY.values(), *methods.REGISTRY.values()], ids=lambda cls: cls.name)
def test_every_setting_is_explained(glossary, cls):
    for field, _, _ in fields_of(cls):
        rows = [line.replace("\\|", "|") for line in glossary.splitlines() if line.startswith(f"| `{field.name}` |")]
        assert any(field.metadata["help"] in row and cls.name in row for row in rows), field.name


def test_symbols_are_read_from_tables_alone():
    text = """\
# | symbol | code | meaning |
# |---|---|---|
# | $y = Ax + n$ | `y` | data |
# | $f_\\phi(z)$ | `f(params, z)` | network |
# | $J$ | | Jacobian |
# | $3x$ | 2 | no code: not a symbol's row |
# An equation $q = 1$ in prose."""
    assert [symbol for symbol, _ in check_docs.symbol_rows(text)] == ["y", "f_\\phi", "J"]


def test_stated_times_agree():
    lessons = check_docs.lesson_sources()
    for page in (check_docs.PLAN.read_text(encoding="utf-8"), lessons["00_start_here"]):
        assert check_docs.time_faults(page, lessons, "page") == []


def test_undefined_symbol(glossary):
    lesson = "# | $\\Xi_0$ | `xi` | what nobody has heard of |"
    assert check_docs.faults(glossary, {"99_made_up": lesson}) == [
        "99_made_up: the symbol $\\Xi_0$ is not in the glossary"]


def test_symbol_that_a_later_lesson_is_said_to_define(glossary):
    assert check_docs.faults(glossary, {"03_made_up": "# | $V$ | `views` | views |"}) == [
        "03_made_up: the glossary says that $V$ comes first in lesson 08"]


def test_every_lesson_obeys_the_card_of_symbols(glossary):
    assert check_docs.card_faults(glossary, check_docs.lesson_sources()) == []


def test_letters_of_formulas_are_those_of_symbols():
    text = r"""By `x` and $A^Hy = \mathrm{Re}\,(\lambda z_k)$, $\mathbb E\,e^{-p}$, $B^{\mathsf T}$ and \$5, 6 \$ or
$$\int_0^{\text{all}} f_\phi(s)\,ds + O(h^2) \tag{W}$$"""
    assert check_docs.letters(text) == {"A", "y", "\\lambda", "z", "k", "p", "B", "f", "\\phi", "s", "h"}


def test_faults_of_the_card():
    def card(*rows):
        return "".join(f"| ${symbol}$ | | what it is | {where} |\n" for symbol, where in rows)

    def lesson(formula):
        return f"# %% [markdown]\n# By ${formula}$.\n\n# %%\nQ = 1  # $Q$\n"

    lessons = {"04_a": lesson("x = y"), "05_b": lesson("x_t")}
    assert check_docs.card_faults(card(("x", "04"), ("y", "only 04"), ("t", "05")), lessons) == []
    assert check_docs.card_faults(card(("x", "04"), ("y", "only 05, 06"), ("t", "05")), lessons) == [
        "lesson 04: $y$ is not on the card", "the card: lesson 05 does not use $y$"]
    assert check_docs.card_faults(card(("x", "04"), ("x", "only 05"), ("y", "04"), ("t", "05")), lessons) == [
        "lesson 05: $x$ has two meanings on the card"]


@pytest.mark.parametrize("change", [
    lambda text: text.replace("| `lam` | aseqdip (1.0) |", "| `lam` | aseqdip (2.0) |"),
    lambda text: "".join(line for line in text.splitlines(keepends=True) if not line.startswith("| `hiar` |")),
], ids=["other default", "setting without a row"])
def test_table_of_settings_that_is_not_the_codes(glossary, change):
    assert change(glossary) != glossary
    assert check_docs.faults(change(glossary), {}) == [
        "the table of settings is not that of the code: python scripts/check_docs.py --write"]
    assert check_docs.with_settings(change(glossary)) == glossary


def test_word_without_an_entry(glossary):
    assert check_docs.faults(glossary + "- **new**: a kind of *thingamajig*.\n", {}) == [
        "the term 'thingamajig' is used but has no entry"]


def test_entry_that_is_there_twice(glossary):
    assert check_docs.faults(glossary + "- **Stage**: again.\n", {}) == ["the term 'stage' has two entries"]


def test_table_of_lessons_that_is_behind():
    plan = "| 01 operators | A | - | 75 |\n# | [02 DIP](02.ipynb) | fit | 90 |\n| 04 kernel | Theta | 02 | 120 |\n"
    lessons = {"01_operators": "To work through it,\n# take 60 minutes.",
               "03_inputs": "To work through it, take 75 minutes.", "04_kernel": "To work through it, take two hours."}
    assert check_docs.time_faults(plan, lessons, "plan") == [
        "plan: lesson 01 takes 60 minutes, not 75", "plan: lesson 02 takes None minutes, not 90",
        "plan: lesson 03 takes 75 minutes, not None"]
