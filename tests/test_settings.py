"""Settings check themselves: what leaves the type, bounds or choices of any field is refused."""

import math
from contextlib import suppress

import numpy as np
import pytest
from checks import error_of

from aseqdip_lite import InputError, methods, tasks
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


#: Of kinds that no setting has, or too large for one.
STRANGE = ([1], {}, 1j, b"big", np.ones(2), 10**400)


@pytest.mark.parametrize("value", [*STRANGE, "big", True, 2.5, 0, -1], ids=lambda value: str(value)[:9])
@pytest.mark.parametrize("name", ["steps", "side"])
def test_numbers_of_configure_must_be_whole_and_at_least_1(name, value):
    for method, task in (("aseqdip", "denoising"), ("sgld_dip", "mri"), ("cgls", "ct"), ("fbp", "ct")):
        assert error_of(methods.configure, method, task, **{name: value}).startswith(f"{name} must be ")


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: str(value)[:9])
def test_names_of_configure_must_be_names(value):
    for names in ((value, "mri"), ("aseqdip", value), ("aseqdip", "mri", value)):
        assert error_of(methods.configure, *names).startswith("unknown ")


@pytest.mark.parametrize("cls", [*tasks.REGISTRY.values(), *methods.REGISTRY.values()], ids=lambda cls: cls.name)
def test_a_value_of_any_kind_is_taken_or_refused_with_an_input_error(cls):
    """Also where the value chooses the defaults, as a network does."""
    def make(**settings):
        if cls in tasks.REGISTRY.values():
            return cls(**settings)
        return methods.configure(cls.name, task_of(cls), **settings)

    for field, _, _ in fields_of(cls):
        for value in STRANGE:
            with suppress(InputError):
                assert getattr(make(**{field.name: value}), field.name) == value


def task_of(cls):
    """A task that a method serves."""
    return (cls.tasks or ("mri",))[0]
