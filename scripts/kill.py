"""Kill tests: runs and sweeps ended by SIGKILL at random moments, and in the middle of writing a checkpoint.

Each trial starts a run (or a comparison with two processes) in a fresh folder, kills its whole process group at a
random moment, a random number of times, and lets it finish. The result must equal that of an
uninterrupted run bit for bit: recon.npy, the curve and the scores. Writes results/kill.json.

    python scripts/kill.py                    50 runs, 50 comparisons, 20 kills inside a write
    python scripts/kill.py --trials 5
"""

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from aseqdip_lite import ASeqDIP, checkpoint, engine, load_case, reconstruct
from aseqdip_lite.compare import compare
from aseqdip_lite.result import provenance

RESULTS = Path(__file__).parent.parent / "results" / "kill.json"

#: Adam steps of a run, and between two checkpoints: so often that many kills fall into a write.
STEPS, EVERY = 240, 10

CASE = dict(size=32, coils=2)


def run(out):
    """One run with checkpoints; it goes on where an earlier one was killed."""
    alone()
    result = reconstruct(load_case("mri", **CASE), ASeqDIP(N=2, K=STEPS // 2), out=out, resume=True, progress=False)
    result.save(out)


def sweep(out):
    """A comparison of two methods and two seeds in two processes."""
    alone()
    compare("mri", ["vanilla", "aseqdip"], seeds=2, steps=STEPS // 4, out=out, workers=2, progress=False, **CASE)


def run_that_dies_writing(out):
    """The run, killed by itself half way through the temporary file of its third checkpoint, and not again."""
    left = [3]

    def dies(path, write):
        if Path(path).name == "checkpoint.pt" and not (Path(out) / "died").exists():
            left[0] -= 1
            if left[0] == 0:
                (Path(out) / "died").touch()

                class Half:
                    """A file that kills the process once 100 kB are written."""

                    def __init__(self, file):
                        self.file = file

                    def write(self, data):
                        self.file.write(bytes(data)[:100_000])
                        self.file.flush()
                        os.kill(os.getpid(), signal.SIGKILL)

                    def flush(self):
                        self.file.flush()

                return whole(path, lambda file: write(Half(file)))
        return whole(path, write)

    whole = checkpoint.write_atomically
    checkpoint.write_atomically = dies
    run(out)


def alone():
    """A process group of its own, one thread, checkpoints often."""
    if os.getpid() != os.getpgid(0):
        os.setpgid(0, 0)
    torch.set_num_threads(1)
    engine.CHECKPOINT_EVERY = EVERY


def outcome(out):
    """What must be equal: {file: contents} of a run, or the scores of a comparison."""
    out = Path(out)
    if (out / "compare.json").exists():
        rows = json.loads((out / "compare.json").read_text())["rows"]
        return [(row["method"], row["seed"], row["psnr"], row["ssim"], row["steps"]) for row in rows]
    metrics = json.loads((out / "metrics.json").read_text())
    return ((out / "recon.npy").read_bytes(), (out / "curve.csv").read_bytes(), metrics["psnr"], metrics["ssim"],
            metrics["steps"])


def start(target, out):
    """The target in a process that was forked from one with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["aseqdip_lite.engine", "aseqdip_lite.compare", "aseqdip_lite.tasks"])
    process = context.Process(target=target, args=(str(out),))
    process.start()
    return process


def kill_group(process):
    """SIGKILL to the process and all that it started."""
    for send, number in ((os.killpg, process.pid), (os.kill, process.pid)):
        try:
            send(number, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
    process.join()


def trial(target, out, seconds, rng):
    """Kill the target up to three times, each at a random moment of its run; returns the moments of those that hit."""
    kills = []
    for _ in range(int(rng.integers(1, 4))):
        process, moment = start(target, out), float(rng.uniform(0, seconds))
        process.join(moment)
        if process.exitcode is not None:
            break
        kill_group(process)
        kills.append(round(moment, 3))
    process = start(target, out)
    process.join()
    if process.exitcode:
        raise SystemExit(f"{target.__name__} did not finish after kills at {kills}: exit code {process.exitcode}")
    return kills


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50, help="runs, and comparisons, that are killed")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng, rows, began = np.random.default_rng(arguments.seed), [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for target, trials in ((run, arguments.trials), (sweep, arguments.trials), (run_that_dies_writing, 1)):
            reference, at = Path(folder) / f"{target.__name__}-whole", time.perf_counter()
            if target is run_that_dies_writing:
                reference = Path(folder) / "run-whole"
            else:
                process = start(target, reference)
                process.join()
            expected, seconds = outcome(reference), time.perf_counter() - at
            moments, equal = [], 0
            for index in range(trials):
                out = Path(folder) / f"{target.__name__}-{index}"
                if target is run_that_dies_writing:
                    process = start(target, out)
                    process.join()
                    moments.append(["in the write"] if process.exitcode == -signal.SIGKILL else [])
                    process = start(target, out)
                    process.join()
                else:
                    moments.append(trial(target, out, seconds, rng))
                equal += outcome(out) == expected
                shutil.rmtree(out)
                print(f"{target.__name__} {index + 1} of {trials}: killed {len(moments[-1])} times, "
                      f"{equal} equal so far", flush=True)
            rows.append(dict(target=target.__name__, trials=trials, kills=sum(map(len, moments)), equal=equal,
                             seconds_uninterrupted=round(seconds, 2), moments=moments))
    report = dict(rows=rows, seed=arguments.seed, steps=STEPS, checkpoint_every=EVERY,
                  seconds=round(time.perf_counter() - began, 1), provenance=provenance(torch.device("cpu")))
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    failed = [row for row in rows if row["equal"] < row["trials"]]
    print(f"{sum(row['trials'] for row in rows)} trials, {sum(row['kills'] for row in rows)} kills, "
          f"{sum(row['trials'] - row['equal'] for row in failed)} results differ")
    return 1 if failed else 0


if __name__ == "__main__":  # child processes import this file
    sys.exit(main())
