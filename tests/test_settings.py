"""Settings check themselves: what leaves the type, bounds or choices of any field is refused."""

import math

import pytest
from checks import error_of

from aseqdip_lite import methods, tasks
from aseqdip_lite.settings import fields_of

#: {kind of bound: (its words, how far beyond it the nearest refused whole number lies)}.
BOUNDS = dict(low=("at least", -1), above=("above", 0), high=("at most", 1), below=("below", 0))


def refused(cls):
    """(name, bad value, what the error says of it) of each way in which a setting of a class can be wrong."""
    for field, kind, _ in fields_of(cls):
        facts = field.metadata
        for bound, (words, beyond) in BOUNDS.items():
            if facts[bound] is not None:
                value = kind(facts[bound] + beyond)
                yield field.name, value, f"must be {words} {facts[bound]}, got {value}"
        if kind is float:
            yield from ((field.name, value, f"must be finite, got {value}") for value in (math.nan, math.inf))
        if kind in (int, float):
            yield field.name, [1], f"must be of type {kind.__name__}, got [1]"
        if kind is int:
            yield field.name, 2.5, "must be of type int, got 2.5"
        if kind is str:
            yield field.name, 3, "must be of type str, got 3"
        for choice in facts["choices"] or ():
            known = ", ".join(facts["choices"])
            wrong = choice[0] + choice  # nearer to it than to a choice that it begins
            yield field.name, wrong, f"'{wrong}': did you mean '{choice}'? known: {known}"


@pytest.mark.parametrize("cls", [*tasks.REGISTRY.values(), *methods.REGISTRY.values()], ids=lambda cls: cls.name)
def test_a_setting_out_of_its_bounds_is_refused(cls):
    for name, value, words in refused(cls):
        said = error_of(cls, **{name: value})
        assert said in (f"{name} {words}", f"unknown {name} {words}")
