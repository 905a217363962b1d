"""What the benchmarks share: rows with targets, reports with provenance, the clock around a run, its curve."""

import json
import re
import time
from pathlib import Path

import click
import torch
from matplotlib import rc_context

from aseqdip_lite.files import provenance, to_json, write_atomically
from aseqdip_lite.run.plots import STYLE, to_png
from aseqdip_lite.run.recorder import Recorder
from aseqdip_lite.study.store import Store

ROOT = Path(__file__).parent.parent
RESULTS, OUT = ROOT / "aseqdip_lite" / "results", ROOT / "out"

#: Of a curve every tenth step is kept.
EVERY = 10


def row(name, value, target=None, *, least=False):
    """One number of a report; `ok` says whether it is at most its target, or at least it if `least`.

    None means that the value was never reached; it misses every target.
    """
    ok = None if target is None else value is not None and (value >= target if least else value <= target)
    return dict(name=name, value=value, target=target, ok=ok)


def benchmark(quick):
    """Decorator: the options that the resumable benchmarks share; `quick` says what a quick look measures."""
    def decorate(main):
        main = click.option("--anew", is_flag=True, help="Measure all again, whatever is stored.")(main)
        main = click.option("--quick", is_flag=True, help=f"{quick}; stores nothing.")(main)
        return click.command()(click.option("--threads", default=2, show_default=True)(main))
    return decorate


def describe(entry):
    """A row as one line for people."""
    value, target = entry["value"], entry["target"]
    verdict = "" if target is None else f"  target {target:g} {'reached' if entry['ok'] else 'missed'}"
    return f"{entry['name']:100} {'never' if value is None else f'{value:.3f}':>10}{verdict}"


def machine():
    """Provenance of a measurement on the CPU, with what the processor says of itself (Linux)."""
    file = Path("/proc/cpuinfo")
    facts = file.read_text(encoding="utf-8") if file.exists() else ""
    model = re.search(r"^model name\s*: (.*)$", facts, re.MULTILINE)
    return provenance(torch.device("cpu")) | dict(
        cpu=model and model[1], bfloat16=[flag for flag in ("avx512_bf16", "amx_bf16") if f" {flag} " in facts])


def load(name):
    """The stored report results/NAME.json, or None."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def save(name, report):
    """Write results/NAME.json, whole or not at all."""
    write_atomically(RESULTS / f"{name}.json", lambda file: file.write(to_json(report).encode()))


class Measured:
    """Measurements by name, each appended to out/NAME.jsonl as it is finished, and not made again.

    At the end `show` writes the report results/NAME.json, whose measurements are not made again either. Those of
    another machine, thread number, version or setting are left out: they are measured anew. With `portable` those of
    another processor stay: for measurements that no clock enters, or that say where they were made.

    Args:
        name: the report.
        rows_of: the report's rows as a function of {key: measurement}, of as many as there are.
        settings: what all measurements share, plain JSON.
        keep: False stores nothing, for a quick look.
        anew: leave all stored ones out.
    """

    def __init__(self, name, rows_of, settings, *, keep=True, anew=False, portable=False):
        self.name, self.rows_of, self.settings, self.keep = name, rows_of, settings, keep
        self.provenance = machine()
        self.store = Store(OUT / f"{name}.jsonl" if keep else None, ("key", "settings", "provenance"))
        report = load(name) or {}
        entries = [dict(report, key=key, run=run) for key, run in report.get("runs", {}).items()] if keep else []
        entries += self.store.rows.values()
        elsewhere = {name: self.provenance[name] for name in ("cpu", "bfloat16") if portable}
        same = [entry for entry in entries
                if (entry["provenance"] | elsewhere, entry["settings"]) == (self.provenance, settings)]
        if len(same) < len(entries):
            print("some of what is stored comes from another machine or other settings: that is measured anew")
        self.runs = {} if anew else {entry["key"]: entry["run"] for entry in same}

    def measure(self, key, function, *, valid=lambda run: True):
        """function()'s plain JSON under `key`, from the store if it is there and `valid`."""
        if key not in self.runs or not valid(self.runs[key]):
            self.runs[key] = function()
            self.store.add(dict(key=key, settings=self.settings, provenance=self.provenance, run=self.runs[key]))
        return self.runs[key]

    @property
    def rows(self):
        """The rows of what is measured so far."""
        return self.rows_of(self.runs)

    def show(self, draw):
        """Write the report and draw(runs) as results/NAME.png, unless nothing is stored, and print the rows."""
        if self.keep:
            save(self.name, dict(rows=self.rows, settings=self.settings, provenance=self.provenance, runs=self.runs))
            self.store.file.unlink(missing_ok=True)
            with rc_context(STYLE):
                (RESULTS / f"{self.name}.png").write_bytes(to_png(draw(self.runs)))
        for entry in self.rows:
            print(describe(entry))


def follow(case, states, *, steps, patience=None):
    """Pull at most `steps` states of a run and say what was reached when.

    The clock runs while a state is made, its network drawn and its start computed, and stands still while it is
    recorded, for PSNR and stopping rules are the bystander's cost, the same for every method.

    Args:
        case: a `Case` with a truth. states: iterator of `State`.
        patience: end when PSNR has not risen for so many steps.

    Returns:
        {"curve": {"seconds", "psnr"} of every tenth step, see `steps_of`, "answers": {name: {"step", "seconds",
        "psnr"}} of those of final, blind, blend and oracle that there are, see `Recorder`; the blend has no step}.
    """
    recorder, states, clock = Recorder(case), iter(states), [0.0]
    for _ in range(steps):
        began = time.perf_counter()
        state = next(states, None)
        clock.append(clock[-1] + time.perf_counter() - began)
        if state is None:
            break
        recorder.record(state)
        if patience is not None and state.step - recorder.at["oracle"] >= patience:
            break
    psnr, first, blend = recorder.curve["psnr"], recorder.curve["step"][0], recorder.blend

    def at(step):
        return dict(step=step, seconds=round(clock[step - first + 1], 3), psnr=round(psnr[step - first], 3))

    shown = [at(step) for step in recorder.curve["step"] if step % EVERY == 0]
    answers = {name: at(recorder.at[name]) for name in ("final", "blind", "oracle") if name in recorder.at}
    if blend is not None:
        answers["blend"] = dict(step=None, seconds=None, psnr=round(recorder.score("psnr", blend), 3))
    return dict(curve={name: [point[name] for point in shown] for name in ("seconds", "psnr")}, answers=answers)


def steps_of(run):
    """The steps at which a run's curve, as of `follow`, has its points."""
    return [EVERY * (index + 1) for index in range(len(run["curve"]["psnr"]))]


def below_peak(run, name):
    """dB from a run's highest PSNR, as of `follow`, down to that of an answer; None if it has no such answer."""
    answers = run["answers"]
    return answers["oracle"]["psnr"] - answers[name]["psnr"] if name in answers else None


def as_text(run):
    """A run's peak and end in words."""
    peak, last = (run["answers"][name] for name in ("oracle", "final"))
    return (f"peak {peak['psnr']:6.2f} dB at {peak['seconds']:7.1f} s, "
            f"last {last['psnr']:6.2f} dB at {last['seconds']:7.1f} s")


def until(run, psnr, unit="seconds"):
    """Seconds, or with unit "step" steps, until a run, as of `follow`, first has this PSNR, to ten steps; else None."""
    peak = run["answers"]["oracle"]
    spent = steps_of(run) if unit == "step" else run["curve"][unit]
    points = sorted([*zip(spent, run["curve"]["psnr"], strict=True), (peak[unit], peak["psnr"])])
    return next((spent for spent, reached in points if reached >= psnr), None)
