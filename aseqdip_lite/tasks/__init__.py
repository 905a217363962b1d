"""The tasks, one file each: a forward model, how it is observed, and its settings.

A task is a frozen `Settings` dataclass with `observe(image, seed)`, which makes a `Case`. Importing this package
imports every module of the folder, which registers its task for tests, command line and panels.
"""

import importlib
import pkgutil

from ..images import Image, load_image
from ..settings import InputError, fields_of, nearest, whole_number

REGISTRY = {}


def register(cls):
    """Class decorator: enter a task under its `name`."""
    REGISTRY[cls.name] = cls
    return cls


def names():
    """Names of all tasks."""
    return list(REGISTRY)


def get(name):
    """The task class of a name; InputError with the nearest name if there is none."""
    return REGISTRY[nearest(name, REGISTRY, "task")]


def load_case(task, image=None, *, seed=0, data_seed=None, profile="laptop", slice_index=None, **settings):
    """Image -> `Case`: load an image or a scan and observe it by a task.

    InputError for an unknown task, image or setting, a value out of its bounds, a setting that would do nothing.

    Args:
        task: "mri", ... (see `names`).
        image: a shipped image's name or a file's path; the task's default image if None.
        seed: data seed, of the mask, the phase and the noise. data_seed: the same, refused where nothing is drawn.
        profile: "smoke", "laptop" or "paper": sizes, unless `settings` say otherwise.
        slice_index: slice of a volume; the middle one by default.
        **settings: the task's own settings, e.g. acceleration=8. Of a `measured` picture sigma is estimated unless it
            is among them.
    """
    cls = get(task)
    nearest(profile, cls.profiles, "profile")
    known = [field.name for field, _, _ in fields_of(cls)]
    for name in settings:
        nearest(name, known, f"setting of {task}")
    chosen = cls(**(cls.profiles[profile] | settings))
    seed = whole_number("seed", seed if data_seed is None else data_seed, 0)
    image = load_image(cls.default_image if image is None else image, slice_index)
    if settings.get("measured") and "sigma" not in settings and "sigma" not in chosen.idle(image):
        chosen, image = chosen.with_estimated_sigma(image)
    idle = chosen.idle(image)
    if isinstance(image, Image) and not image.shipped:
        idle |= dict(size="it resamples shipped images alone, and a file keeps its pixels")
    for name, why in idle.items():
        if name in settings or (name == "data_seed" and data_seed is not None):
            raise InputError(f"{name} does nothing here, leave it out: {why}")
    return chosen.observe(image, seed)


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
