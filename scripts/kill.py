"""Kill tests: runs and sweeps ended by signals at random moments and in the middle of a save, and races for a folder.

Each trial works in a fresh folder. A run, a comparison of four runs in two processes, or a study of eight in two, is
ended up to three times, each at a random moment by KILL, TERM or HUP, sent to all its processes, the first one or a
worker. A save is a run that dies at a random one of the system calls that change its folder. Then it may finish. Its
recon.npy, curves and scores must equal those of an uninterrupted one bit for bit; a study must have every row once, and
those that it had when it was killed; no process and no temporary file may stay. A race is two runs of different seeds
that start in one folder at once: what is there in the end must be whole and one of them's, and the other one must have
been told.

    python scripts/kill.py                            57 runs and saves, 19 sweeps and studies, 100 races
    python scripts/kill.py --trials 5 --races 10      a few of each

Writes results/kill.json. Itself interrupted, it goes on where it was: finished trials wait in out/kill.jsonl.
"""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import click
import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor

from aseqdip_lite import ASeqDIP, load_case, reconstruct
from aseqdip_lite.files import hold, provenance, to_json
from aseqdip_lite.run import engine
from aseqdip_lite.run.result import read_saved
from aseqdip_lite.settings import InputError
from aseqdip_lite.study.compare import compare
from aseqdip_lite.study.store import Store, key
from aseqdip_lite.study.trials import NAMES, Trial, record

ROOT = Path(__file__).parent.parent
RESULTS, PROGRESS = ROOT / "aseqdip_lite" / "results" / "kill.json", ROOT / "out" / "kill.jsonl"

#: Adam steps of a run, and between two checkpoints: so often that many kills fall into a write.
STEPS, EVERY = 240, 10

CASE = dict(size=32, coils=2)


def run(out, number=0, seed=0):
    """One run that goes on where an earlier one was killed; it dies at the `Dying` call of this number, 0 for none."""
    alone()
    calls = Dying(number)
    with hold(out):
        result = reconstruct(load_case("mri", **CASE), ASeqDIP(N=2, K=STEPS // 2), seed=seed, out=out, resume=True,
                             progress=False)
        result.save(out)
    (Path(out).parent / f"{Path(out).name}.calls").write_text(str(calls.made))


def sweep(out, number=0):
    """A comparison of two methods and two seeds in two processes; it goes on where an earlier one was killed."""
    alone()
    compare("mri", ["vanilla", "aseqdip"], seeds=2, steps=STEPS // 4, out=out, workers=2, progress=False, **CASE)
    get_reusable_executor().shutdown()  # idle workers would keep a process that multiprocessing has started for minutes


def study(out, number=0):
    """Eight recorded trials in two processes; it goes on where an earlier one was killed."""
    alone()
    trials = [Trial("mri", method, CASE, steps=STEPS // 8, seed=seed) for method in ("vanilla", "aseqdip")
              for seed in range(4)]
    record(trials, file=Path(out) / "rows.jsonl", workers=2, progress=False)
    get_reusable_executor().shutdown()


class Dying:
    """Calls of the system that change a folder; the process dies at the one of this number, 0 for none."""

    CALLS = ("open", "replace", "unlink", "fsync", "chmod")

    def __init__(self, number):
        self.number, self.made = number, 0
        for name in self.CALLS:
            setattr(os, name, self.counted(getattr(os, name)))

    def counted(self, call):
        def at(*args, **kwargs):
            self.made += 1
            if self.made == self.number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)
        return at


#: What is killed.
TARGETS = {"run": run, "sweep": sweep, "save": run, "study": study}

#: How: a signal, and to whom: all processes of the target, the first one alone, or one of its workers alone.
WAYS = {"KILL to all": (signal.SIGKILL, "all"), "KILL to the parent": (signal.SIGKILL, "parent"),
        "KILL to a worker": (signal.SIGKILL, "worker"), "TERM to the parent": (signal.SIGTERM, "parent"),
        "HUP to the parent": (signal.SIGHUP, "parent"), "TERM to all": (signal.SIGTERM, "all")}

#: Seconds until all processes of a target must be gone once its first one is.
GONE = 20.0


def alone():
    """A process group of its own, one thread, checkpoints often."""
    os.setpgid(0, 0)
    torch.set_num_threads(1)
    engine.CHECKPOINT_EVERY = EVERY


def attempt(target, out, death=None):
    """Start the target and end it by a death, (seconds, way) or the number of a call: (its exit code, whether it died).

    SystemExit where a process of it stays behind.
    """
    context = forkserver()
    seconds, way = death if isinstance(death, tuple) else (None, None)
    process = context.Process(target=target, args=(str(out), death if isinstance(death, int) else 0))
    process.start()
    process.join(seconds)
    alive = process.exitcode is None
    if alive:
        number, whom = WAYS[way]
        workers = [one for one in group(process.pid) if one != process.pid]
        victims = {"all": [process.pid, *workers], "parent": [process.pid],
                   "worker": workers[-1:]}[whom]
        for victim in victims:
            with suppress(ProcessLookupError):
                os.kill(victim, number)
        process.join()
    deadline = time.monotonic() + GONE
    while left := group(process.pid):
        if time.monotonic() > deadline:
            raise SystemExit(f"{target.__name__} left {len(left)} processes behind after {death}")
        time.sleep(0.1)
    return process.exitcode, alive or process.exitcode == -signal.SIGKILL


def forkserver():
    """The context of processes that are forked from one that has everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["aseqdip_lite.run.engine", "aseqdip_lite.study.compare", "aseqdip_lite.tasks"])
    return context


def group(leader):
    """The processes of a group, in the order of their numbers; those that have ended and wait for their parent not."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == leader and state != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def draw(kind, seconds, calls, rng):
    """The deaths of a trial: of a save at a call, of others at up to three moments in a way each."""
    if kind == "save":
        return [int(rng.integers(1, calls + 1))]
    ways = [way for way in WAYS if kind != "run" or "worker" not in way]
    return [(round(float(rng.uniform(0, 0.9 * seconds)), 3), str(rng.choice(ways))) for _ in range(rng.integers(1, 4))]


def trial(target, out, deaths):
    """Let the target die each death, unless it is done before, then let it finish; returns the deaths that it died."""
    kills = []
    for death in [*deaths, None]:
        before = rows(out)
        code, died = attempt(target, out, death)
        if not rows(out).startswith(before):
            raise SystemExit(f"{target.__name__} has lost rows after {kills}")
        if death is None and code:
            raise SystemExit(f"{target.__name__} ended with exit code {code} after {kills}")
        if died:
            kills.append(death)
    left = [file.name for file in out.rglob("*") if file.name.startswith(".") or file.name.startswith("tmp")]
    if left:
        raise SystemExit(f"{target.__name__} left {left} behind after {kills}")
    return kills


def rows(out):
    """The whole lines of the rows of a study, as bytes."""
    file = Path(out) / "rows.jsonl"
    return file.read_bytes().rpartition(b"\n")[0] if file.exists() else b""


def outcome(out):
    """What must be equal: {file: contents} of all images and curves, {file: facts} of all runs and of all rows."""
    facts = ("answers", "steps", "stop_reason")
    found = {file: file.read_bytes() for name in ("recon.npy", "curve.csv") for file in out.rglob(name)}
    for file in out.rglob("metrics.json"):
        report = json.loads(file.read_text())
        found[file] = {fact: report[fact] for fact in facts}
    found[out / "rows.jsonl"] = sorted(json.dumps([key(row, NAMES), row["answers"], row["made"]])
                                       for row in map(json.loads, rows(out).splitlines()))
    return {file.relative_to(out): value for file, value in found.items()}


def contend(out, seed, said):
    """A run of a seed for a folder that another may hold; `said` gets the refusal, or None."""
    try:
        run(out, seed=seed)
        said.put(None)
    except InputError as error:
        said.put(str(error))


def race(out, delay):
    """Two runs into one folder, the second started `delay` seconds after the first; whether all is as it must be."""
    context = forkserver()
    said = [context.Queue() for _ in range(2)]
    both = [context.Process(target=contend, args=(str(out), seed, queue)) for seed, queue in enumerate(said)]
    both[0].start()
    time.sleep(delay)
    both[1].start()
    heard = [queue.get() for queue in said]
    for process in both:
        process.join()
    metrics, _, _ = read_saved(out)
    winners = [seed for seed, text in enumerate(heard) if text is None]
    told = all("is in use by process" in text or "another run" in text for text in heard if text is not None)
    return told and metrics["seed"] in winners and metrics["steps"] == STEPS


@click.command()
@click.option("--trials", "count", default=57, show_default=True, help="Runs and saves; sweeps and studies are a third "
              "as many, for they take far longer.")
@click.option("--races", default=100, show_default=True, help="Races of two runs for one folder.")
@click.option("--seed", default=0, show_default=True)
def main(count, races, seed):
    """Kill runs and sweeps at random moments, and compare what they leave with uninterrupted ones."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, by all that is started from here as well
    setup = dict(seed=seed, steps=STEPS, checkpoint_every=EVERY, provenance=provenance(torch.device("cpu")))
    progress = Store(PROGRESS, ("setup", "kind", "index"))
    trials = [row["trial"] for row in progress.rows.values() if row["setup"] == setup]

    def missing(kind, wanted):
        return sorted(set(range(wanted)) - {row["index"] for row in trials if row["kind"] == kind})

    def note(kind, index, kills, equal, seconds):
        trials.append(dict(kind=kind, index=index, kills=kills, equal=equal, seconds=round(seconds, 2)))
        progress.add(dict(setup=setup, kind=kind, index=index, trial=trials[-1]))
        print(f"{kind} {index}: {len(kills)} deaths, {'right' if equal else 'WRONG'}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, target) in enumerate(TARGETS.items()):
            wanted = count if target is run else count // 3
            if not missing(kind, wanted):
                continue
            whole = Path(folder) / f"{kind}-whole"
            trial(target, whole, [])
            began = time.perf_counter()
            trial(target, Path(folder) / f"{kind}-timed", [])  # the first one also waited for the imports
            seconds = time.perf_counter() - began
            calls = int((Path(folder) / f"{kind}-whole.calls").read_text()) if target is run else 0
            for index in missing(kind, wanted):
                out, began = Path(folder) / f"{kind}-{index}", time.perf_counter()
                kills = trial(target, out, draw(kind, seconds, calls, np.random.default_rng([seed, number, index])))
                note(kind, index, kills, outcome(out) == outcome(whole), time.perf_counter() - began)
                shutil.rmtree(out)
        for index in missing("race", races):
            out, began = Path(folder) / f"race-{index}", time.perf_counter()
            delay = float(np.random.default_rng([seed, len(TARGETS), index]).uniform(0, 0.5))
            note("race", index, [], race(out, delay), time.perf_counter() - began)
    order = {kind: number for number, kind in enumerate([*TARGETS, "race"])}
    trials.sort(key=lambda row: (order[row["kind"]], row["index"]))
    found = [{name: row[name] for name in ("kind", "kills", "equal")} for row in trials]
    RESULTS.write_text(to_json(setup | dict(seconds=sum(row["seconds"] for row in trials), trials=found)))
    PROGRESS.unlink()
    differ = sum(not row["equal"] for row in trials)
    print(f"{len(trials)} trials, {sum(len(row['kills']) for row in trials)} deaths, {differ} wrong")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":  # child processes import this file
    main()
