"""Kill tests: runs and sweeps ended by SIGKILL at random moments, and in the middle of writing a checkpoint.

Each trial works in a fresh folder. A run, a comparison of four runs in two processes, or a study of eight in two, is
killed up to three times, each at a random moment and with all the processes that it started; or a run once, after a
random number of bytes of a random checkpoint. Then it may finish. Its recon.npy, curves and scores must equal those of
an uninterrupted one bit for bit; a study must have every row once, and those that it had when it was killed.

    python scripts/kill.py                    50 runs, 50 comparisons, 50 studies, 20 kills inside a write
    python scripts/kill.py --trials 5         5, 5, 5 and 2

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
from pathlib import Path

import click
import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor

from aseqdip_lite import ASeqDIP, load_case, reconstruct
from aseqdip_lite.files import provenance, to_json
from aseqdip_lite.run import checkpoint, engine
from aseqdip_lite.study.compare import compare
from aseqdip_lite.study.store import Store, key
from aseqdip_lite.study.trials import NAMES, Trial, record

ROOT = Path(__file__).parent.parent
RESULTS, PROGRESS = ROOT / "aseqdip_lite" / "results" / "kill.json", ROOT / "out" / "kill.jsonl"

#: Adam steps of a run, and between two checkpoints: so often that many kills fall into a write.
STEPS, EVERY = 240, 10

CASE = dict(size=32, coils=2)


def run(out, death=None):
    """One run that goes on where an earlier one was killed; with a death (number, size) it is a `Dying` one."""
    alone()
    if death is not None:
        checkpoint.write_atomically = Dying(*death, checkpoint.write_atomically)
    result = reconstruct(load_case("mri", **CASE), ASeqDIP(N=2, K=STEPS // 2), out=out, resume=True, progress=False)
    result.save(out)


def sweep(out, death=None):
    """A comparison of two methods and two seeds in two processes; it goes on where an earlier one was killed."""
    alone()
    compare("mri", ["vanilla", "aseqdip"], seeds=2, steps=STEPS // 4, out=out, workers=2, progress=False, **CASE)
    get_reusable_executor().shutdown()  # idle workers would keep a process that multiprocessing has started for minutes


def study(out, death=None):
    """Eight recorded trials in two processes; it goes on where an earlier one was killed."""
    alone()
    trials = [Trial("mri", method, CASE, steps=STEPS // 8, seed=seed) for method in ("vanilla", "aseqdip")
              for seed in range(4)]
    record(trials, file=Path(out) / "rows.jsonl", workers=2, progress=False)
    get_reusable_executor().shutdown()


class Dying:
    """`write_atomically` that kills the process once `size` bytes of the checkpoint of this number are written."""

    def __init__(self, number, size, whole):
        self.left, self.size, self.whole = number, size, whole

    def __call__(self, path, write):
        self.left -= 1
        self.whole(path, write if self.left else lambda file: write(self.over(file)))

    def over(self, file):
        self.file = file
        return self

    def write(self, data):
        self.file.write(bytes(data)[:self.size])
        self.size -= len(bytes(data))
        if self.size <= 0:
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def flush(self):
        self.file.flush()


#: What is killed, and how many trials of it for each of --trials.
TARGETS = {"run": (run, 1.0), "sweep": (sweep, 1.0), "write": (run, 0.4), "study": (study, 1.0)}


def alone():
    """A process group of its own, one thread, checkpoints often."""
    os.setpgid(0, 0)
    torch.set_num_threads(1)
    engine.CHECKPOINT_EVERY = EVERY


def attempt(target, out, moment=None):
    """Start the target and end it at a moment, seconds or a death (number, size); returns its exit code.

    Its process is forked from one that has everything imported.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["aseqdip_lite.run.engine", "aseqdip_lite.study.compare", "aseqdip_lite.tasks"])
    seconds, death = (moment, None) if isinstance(moment, float) else (None, moment)
    process = context.Process(target=target, args=(str(out), death))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # so early that it has no group of its own yet
            process.kill()
        process.join()
    return process.exitcode


def draw(kind, seconds, size, rng):
    """The moments at which a trial is to be killed."""
    if kind == "write":
        return [(int(rng.integers(1, STEPS // EVERY + 1)), int(rng.integers(1, size)))]
    return [round(float(rng.uniform(0, 0.9 * seconds)), 3) for _ in range(rng.integers(1, 4))]


def trial(target, out, moments):
    """Kill the target at each moment, unless it is done before, then let it finish; returns the moments that hit."""
    kills = []
    for moment in [*moments, None]:
        before = rows(out)
        code = attempt(target, out, moment)
        if not rows(out).startswith(before):
            raise SystemExit(f"{target.__name__} has lost rows after kills at {kills}")
        if code == -signal.SIGKILL:
            kills.append(moment)
        elif code:
            raise SystemExit(f"{target.__name__} ended with exit code {code} after kills at {kills}")
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


@click.command()
@click.option("--trials", "count", default=50, show_default=True, help="Runs, comparisons and studies that are killed.")
@click.option("--seed", default=0, show_default=True)
def main(count, seed):
    """Kill runs and sweeps at random moments, and compare what they leave with uninterrupted ones."""
    setup = dict(seed=seed, steps=STEPS, checkpoint_every=EVERY, provenance=provenance(torch.device("cpu")))
    progress = Store(PROGRESS, ("setup", "kind", "index"))
    trials = [row["trial"] for row in progress.rows.values() if row["setup"] == setup]
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, (target, share)) in enumerate(TARGETS.items()):
            wanted = max(1, round(share * count))
            missing = sorted(set(range(wanted)) - {row["index"] for row in trials if row["kind"] == kind})
            if not missing:
                continue
            whole = Path(folder) / f"{kind}-whole"
            trial(target, whole, [])
            began = time.perf_counter()
            trial(target, Path(folder) / f"{kind}-timed", [])  # the first one also waited for the imports
            seconds, size = time.perf_counter() - began, sum(f.stat().st_size for f in whole.glob("checkpoint.pt"))
            for index in missing:
                out, began = Path(folder) / f"{kind}-{index}", time.perf_counter()
                moments = draw(kind, seconds, size, np.random.default_rng([seed, number, index]))
                kills = trial(target, out, moments)
                trials.append(dict(kind=kind, index=index, kills=kills, equal=outcome(out) == outcome(whole),
                                   seconds=round(time.perf_counter() - began, 2)))
                shutil.rmtree(out)
                progress.add(dict(setup=setup, kind=kind, index=index, trial=trials[-1]))
                print(f"{kind} {index + 1} of {wanted}: killed {len(kills)} times, "
                      f"{'equal' if trials[-1]['equal'] else 'NOT EQUAL'}", flush=True)
    RESULTS.write_text(to_json(setup | dict(trials=trials)))
    PROGRESS.unlink()
    differ = sum(not row["equal"] for row in trials)
    print(f"{len(trials)} trials, {sum(len(row['kills']) for row in trials)} kills, {differ} results differ")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":  # child processes import this file
    main()
