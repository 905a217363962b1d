"""No mutant of a right answer is called right, no answer makes a check fail, and docs/EXERCISES.md says so."""

import math

import exercises_page
import numpy as np
import pytest
import torch
from mutants import EQUIVALENT, equivalent, mutants, raises, verdicts

from aseqdip_lite.course.exercises import REGISTRY, judge


@pytest.mark.parametrize("name", list(REGISTRY))
def test_no_mutant_survives_but_those_that_are_right_too(name):
    survivors = {mutant for mutant, hint in verdicts(name).items() if hint is None}
    assert survivors == set(equivalent(name)) and len(survivors) < len(verdicts(name))


def test_equivalent_mutants_belong_to_exercises():
    assert {name for found in EQUIVALENT.values() for name in found} <= set(REGISTRY)


@pytest.mark.parametrize("name", list(REGISTRY))
def test_hints_have_one_line_and_tell_only_exceptions_of_the_answer_itself(name):
    hints = {mutant: hint for mutant, hint in verdicts(name).items() if hint}
    assert not any("\n" in hint for hint in hints.values())
    made = mutants(name)
    assert all(raises(name, made[mutant]) for mutant, hint in hints.items() if hint.startswith("your answer raised"))


itself = []
itself.append(itself)

#: What is no answer to any exercise.
ODD = {
    "text": "a few words", "bytes": b"x", "dict": {"a": 1}, "set of a number": {1}, "no entry": [],
    "ragged": [[1], [1, 2]],
    "itself": itself, "object": np.array(None), "texts": np.array(["a", "b"]), "type": torch.Tensor, "complex": 1j,
    "huge": -10**400, "NaN twice": (math.nan, math.nan), "unlike": [torch.ones(2), torch.ones(3)],
    "structured": np.zeros(2, dtype=[("a", float)]), "backwards": np.arange(4.0)[::-1],
    "masked": np.ma.array([1.0, 2.0]),
    "meta": torch.empty((), device="meta"), "sparse": torch.eye(3).to_sparse(),
    "parameter": torch.nn.Parameter(torch.ones(2)), "date": np.datetime64("2020-01-01"), "long": np.longdouble(0.123)}


@pytest.mark.parametrize("name", list(REGISTRY))
def test_whatever_an_answer_is_its_hint_is_not_an_exception(name):
    for answer in ODD.values():
        hint = judge(name, lambda *case, answer=answer: answer)
        assert hint and "\n" not in hint and "raised" not in hint


def test_the_page_of_the_exercises_is_current():
    assert exercises_page.PAGE.read_text(encoding="utf-8") == exercises_page.page()
