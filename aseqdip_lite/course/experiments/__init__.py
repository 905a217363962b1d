"""The ledger: the tables and figures of the sources that this project reproduces, one file each.

An `Experiment` measures, draws and judges itself; `run` stores what it found with its provenance.
Every module of this folder is imported here, so a new file that calls `register` is at once in the
tests and on the command line.
"""

import importlib
import inspect
import json
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib import rc_context

from ...files import make_folder, plain, provenance, to_bytes, to_json, write_together
from ...run.interrupt import deferred_interrupt
from ...run.plots import STYLE, to_png
from ...settings import InputError, nearest
from .verdicts import overall

REGISTRY = {}


@dataclass(frozen=True)
class Experiment:
    """One row of the ledger.

    Attributes:
        id: as in the ledger, e.g. "F6".
        about: what is measured, in a line.
        published: what the source reports.
        profiles: {"smoke" | "laptop" | "paper": keyword arguments of `measure`}; a `file` among them is the name of a
            file in the out folder, where `measure` records finished runs.
        measure: function of these sizes that returns a dictionary of plain numbers, strings and lists; with it, where
            the figure shows pictures, {name: array}.
        judge: function of this dictionary: (claims, a sentence with all numbers); each claim of the source is a
            dictionary {"claim", "verdict": one of `verdicts.VERDICTS`, "why"}. Its docstring is the rule.
        figure: function of all that was measured that returns a matplotlib Figure.
        alt: the figure's alternative text.
        runs: the `published.Runs` that it is made of; None if it cannot be divided into such.
    """

    id: str
    about: str
    published: str
    profiles: dict
    measure: Callable
    judge: Callable
    figure: Callable
    alt: str
    runs: object = None


def register(experiment):
    """Enter an experiment under its id."""
    REGISTRY[experiment.id] = experiment
    return experiment


def names():
    """Ids of all experiments, in the order of the ledger: by letter, then by number."""
    return sorted(REGISTRY, key=lambda name: (name[0], int(name[1:].rstrip("ab")), name))


def get(name):
    """The experiment of an id; InputError with the nearest id if there is none."""
    return REGISTRY[nearest(name, REGISTRY, "experiment")]


def run(name, profile="laptop", *, out, workers=None):
    """Measure an experiment and write ID.json, ID.png and, of its pictures, ID.npz into the folder `out`.

    workers: runs at a time, for an experiment whose `measure` takes it; None for its own choice.

    Returns what ID.json holds.

    Raises:
        InputError: unknown experiment or profile, no choice of workers, or nothing can be written into `out`.
        KeyboardInterrupt: it was interrupted; see `kept`, unless the error says that all is stored.
    """
    experiment = get(name)
    chosen = {} if workers is None else dict(workers=workers)
    if not set(chosen) <= set(inspect.signature(experiment.measure).parameters):
        raise InputError(f"{name} chooses its processes itself: leave out --workers")
    sizes = experiment.profiles[nearest(profile, experiment.profiles, "profile")]
    out = Path(out)
    make_folder(out)  # before hours are spent
    records = dict(file=out / sizes["file"]) if "file" in sizes else {}
    began = time.perf_counter()
    measured = experiment.measure(**sizes | records | chosen)
    seconds = round(time.perf_counter() - began, 1)
    ours, *arrays = measured if isinstance(measured, tuple) else (measured,)
    ours = plain(ours)
    report = dict(id=name, about=experiment.about, published=experiment.published, ours=ours, **judged(name, ours),
                  provenance=dict(profile=profile, settings=sizes, seconds=seconds, **provenance(torch.device("cpu"))))
    with rc_context(STYLE):
        files = {"png": to_png(experiment.figure(ours, *arrays)), "json": to_json(report).encode()}
    for pictures in arrays:
        files["npz"] = to_bytes(lambda buffer, pictures=pictures: np.savez_compressed(buffer, **pictures))
    with deferred_interrupt() as interrupted:
        write_together(out, {f"{name}.{kind}": content for kind, content in files.items()})
    if interrupted:
        raise KeyboardInterrupt(f"{name} is done and stored in {out}")
    return json.loads(files["json"])


def kept(name, profile, out):
    """What an interrupted `run` has stored and how to go on, in words."""
    file = get(name).profiles[profile].get("file")
    if file is None or not (path := Path(out) / file).exists():
        return f"nothing of {name} is stored yet; the same command begins it again"
    count = path.read_bytes().count(b"\n")  # perhaps also those of another experiment, which shares the file
    runs = "1 finished run is" if count == 1 else f"{count} finished runs are"
    return f"{runs} stored in {path}; the same command goes on there"


def judged(name, ours):
    """{"verdict", "why", "claims"} of what an experiment has measured, as ID.json holds them."""
    claims, why = get(name).judge(ours)
    return dict(verdict=overall(claims), why=why, claims=claims)


def stored(name, out):
    """What an earlier `run` stored, or None; InputError if the file is damaged."""
    file = Path(out) / f"{name}.json"
    if not file.exists():
        return None
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        report = None
    if not isinstance(report, dict) or not {"id", "ours", "verdict", "provenance"} <= set(report):
        raise InputError(f"{file} is damaged: remove it and run the experiment again")
    return report


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
