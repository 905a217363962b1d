"""Variants of quizzes and exercises: a whole number decides which numbers, orders and conventions a student gets."""

import os
import random

from ..settings import InputError

#: Environment variable with the variant where a call names none; without it everybody gets the lessons' own questions.
VARIABLE = "ASEQDIP_VARIANT"


def current(variant=None):
    """The variant that holds: the one given, else that of ASEQDIP_VARIANT, else None.

    Raises:
        InputError: it is not a whole number from 0 on.
    """
    text = str(os.environ.get(VARIABLE, "") if variant is None else variant).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise InputError(f"a variant is a whole number such as 7, not '{text[:40]}'; correct variant= or {VARIABLE}")
    return int(text)


def generator(variant, name):
    """Seeded random numbers of a variant for what has this name; None where there is no variant."""
    return None if variant is None else random.Random(f"{variant} {name}")
