"""The ledger: the tables and figures of the sources that this project reproduces, one file each.

An `Experiment` measures, draws and judges itself; `run` stores what it found with its provenance.
Every module of this folder is imported here, so a new file that calls `register` is at once in the
tests and on the command line.
"""

import importlib
import json
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ...files import finite, provenance, to_bytes, write_atomically
from ...settings import InputError, nearest

VERDICTS = ("reproduced", "same direction", "not reproduced")

REGISTRY = {}


@dataclass(frozen=True)
class Experiment:
    """One row of the ledger.

    Attributes:
        id: as in the ledger, e.g. "F6".
        about: what is measured, in a line.
        published: what the source reports.
        profiles: {"smoke" | "laptop" | "paper": keyword arguments of `measure`}.
        measure: function of these sizes that returns a dictionary of plain numbers, strings and lists.
        judge: function of what was measured: (one of VERDICTS, a sentence with the numbers behind it).
        figure: function of what was measured that returns a matplotlib Figure.
        alt: the figure's alternative text.
    """

    id: str
    about: str
    published: str
    profiles: dict
    measure: Callable
    judge: Callable
    figure: Callable
    alt: str


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


def run(name, profile="laptop", out="results"):
    """Measure an experiment and write ID.json and ID.png into the folder `out`; returns what ID.json holds.

    Raises:
        InputError: unknown experiment or profile.
    """
    experiment = get(name)
    sizes = experiment.profiles[nearest(profile, experiment.profiles, "profile")]
    began = time.perf_counter()
    ours = finite(experiment.measure(**sizes))
    seconds = round(time.perf_counter() - began, 1)
    verdict, why = experiment.judge(ours)
    if verdict not in VERDICTS:
        raise ValueError(f"{name}: verdict must be one of {VERDICTS}, got {verdict!r}")
    report = dict(id=name, about=experiment.about, published=experiment.published, ours=ours, verdict=verdict, why=why,
                  provenance=dict(profile=profile, settings=sizes, seconds=seconds, **provenance(torch.device("cpu"))))
    picture = to_bytes(lambda buffer: experiment.figure(ours).savefig(buffer, format="png", dpi=100))
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / f"{name}.png", lambda file: file.write(picture))
    write_atomically(out / f"{name}.json", lambda file: file.write(json.dumps(report, indent=1).encode() + b"\n"))
    return report


def stored(name, out="results"):
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


def as_markdown(reports):
    """The ledger of stored results as a Markdown page: published, ours, verdict, with the figures."""
    lines = ["# What was reproduced", "",
             "Rebuilt by `aseqdip experiment --all`. The papers' data cannot be redistributed, so our numbers come "
             "from other images: a verdict is about the effect.", "",
             "| id | what | published | verdict | profile | seconds |", "|---|---|---|---|---|---:|"]
    for report in reports:
        source = report["provenance"]
        lines.append(f"| [{report['id']}](#{report['id'].lower()}) | {report['about']} | {report['published']} | "
                     f"**{report['verdict']}** | {source['profile']} | {source['seconds']:.0f} |")
    for report in reports:
        alt = get(report["id"]).alt
        lines += ["", f"## {report['id']}", "", f"{report['about']}. Published: {report['published']}.", "",
                  f"**{report['verdict'].capitalize()}.** {report['why']}", "",
                  f"![{alt}](../aseqdip_lite/results/{report['id']}.png)"]
    return "\n".join(lines) + "\n"


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
