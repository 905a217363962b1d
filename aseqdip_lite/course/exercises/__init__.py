"""Checks of the lessons' exercises, one file a lesson: an answer comes back with a hint.

Every module of this folder is imported here, so a new file with `exercise`s is at once known to `check` and to the
tests.
"""

import importlib
import pkgutil
from collections import Counter

from ...settings import nearest
from .. import variants
from ..feedback import UNANSWERED, Box
from .drawing import drawn_in
from .table import REGISTRY

#: Attempts at each exercise, and the exercises that were right once, while this Python runs.
ATTEMPTS, DONE = Counter(), set()


def judge(name, answer, variant=None):
    """None if `answer` solves the exercise, else a hint; Ellipsis counts as not answered.

    An exception raised by a reader's function becomes the hint. In a variant, a whole number, the images and other
    numbers that the answer is tried on are drawn for it.

    Raises:
        InputError: no exercise has this name, or the variant is not a whole number from 0 on.
    """
    asked = REGISTRY[nearest(name, REGISTRY, "exercise")]
    variant = None if variant is None else variants.current(variant)
    if answer is ...:
        return f"{UNANSWERED}: put your answer in place of the dots"
    try:
        with drawn_in(variant):
            return asked.judge(answer)
    except Exception as error:  # whatever a reader's own types raise
        return f"your answer raised {type(error).__name__}: {error}"


def own():
    """The names of the lessons' own exercises, without those in another convention."""
    return [name for name in REGISTRY if ":" not in name]


def chosen(name, variant=None):
    """The table that judges an exercise in a variant: its own, or that of another convention, e.g. "mri.lam:forward".

    Args:
        name: the exercise, e.g. "mri.lam".
        variant: a whole number; by default that of ASEQDIP_VARIANT, and where it is not set the exercise's own table.
    """
    rng = variants.generator(variants.current(variant), name)
    return rng.choice([name, *(other for other in REGISTRY if other.startswith(f"{name}:"))]) if rng else name


def check(name, answer):
    """Check an answer and show "right", or a hint; with it the attempts so far, and what of the lesson is done.

    Args:
        name: the exercise, e.g. "mri.adjoint".
        answer: what the exercise asks for: a number, a tensor or a function. What is not answered yet is no attempt.
    """
    from IPython.display import display

    variant = variants.current()
    asked = chosen(name, variant)
    hint, notes = judge(asked, answer, variant), [f"your variant: {REGISTRY[asked].instead}"] if asked != name else []
    if hint is not None and hint.startswith(UNANSWERED):
        display(Box(name, hint, *notes))
        return
    ATTEMPTS[name] += 1
    if hint is None:
        DONE.add(name)
    lesson = {other for other in own() if other.split(".")[0] == name.split(".")[0]}
    display(Box(name, hint, *notes, f"attempts: {ATTEMPTS[name]}",
                f"{len(lesson & DONE)} of {len(lesson)} exercises of this lesson done"))


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
