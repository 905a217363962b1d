"""The methods, one file each, and their registry.

A method is a frozen `Settings` dataclass with `init(observation, seed)` and `step(observation, carry)`; it never
receives the truth. Importing this package imports every module of the folder, which registers its methods.
"""

import importlib
import json
import pkgutil
from pathlib import Path

from .. import tasks
from ..run.engine import check_run
from ..settings import check_defined, fields_of, nearest
from .base import Carry, Method, State  # noqa: F401  (public names)

REGISTRY = {}

SMOKE_STEPS = 60  #: Adam steps in the profile "smoke", which takes seconds and shows only that a method runs


def register(cls):
    """Class decorator: enter a method under its `name`."""
    REGISTRY[cls.name] = cls
    return cls


def names(task=None):
    """Names of all methods, or of those defined for a task."""
    return [name for name, cls in REGISTRY.items() if task is None or cls.tasks is None or task in cls.tasks]


def untrained(task):
    """Names of the methods for a task that use no network trained on other images."""
    return [name for name in names(task) if not REGISTRY[name].trained]


def get(name):
    """The method class of a name; InputError with the nearest name if there is none."""
    return REGISTRY[nearest(name, REGISTRY, "method")]


def configure(name, task, profile="laptop", steps=None, side=None, **settings):
    """A method with the settings found for a task by the recorded search, or the published ones.

    InputError for an unknown task, profile, method or setting, a method not defined for the task, a bad value.

    Args:
        name: method name.
        task: task name; the method must be defined for it.
        profile: "laptop" (found by a search, see docs/SEARCH.md), "paper", or "smoke": as laptop, with
            `SMOKE_STEPS` Adam steps. A network with a search of its own, "lite-half", brings its settings along.
        steps: budget of Adam steps (solver iterations for classic methods); None keeps the default.
        side: longer side of the image in pixels. A default budget that was found at a stated `side` is for images up
            to that size, and grows in proportion to the side of larger ones. None: the budget as it was found.
        **settings: the method's own settings; they win over the defaults.
    """
    cls = get(name)
    nearest(profile, tasks.get(task).profiles, "profile")
    check_defined(name, task, names(task), cls.limit)
    check_run(steps=steps, side=side)
    known = [field.name for field, _, _ in fields_of(cls)]
    for key in settings:
        nearest(key, known, f"setting of {name}")
    defaults = json.loads((Path(__file__).parent / "defaults.json").read_text(encoding="utf-8")).get(task, {})
    searched = {} if profile == "paper" else defaults.get(str(settings.get("network")), {})
    found = searched.get(name) or defaults.get("paper" if profile == "paper" else "laptop", {}).get(name, {})
    found_at = found.pop("side", side)
    method = cls(**(found | settings))
    if cls.budget and cls.budget not in settings and steps is None:
        if profile == "smoke":
            steps = SMOKE_STEPS
        elif side and side > found_at:
            steps = round(method.steps * side / found_at)
    return method if steps is None else method.with_steps(steps)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
