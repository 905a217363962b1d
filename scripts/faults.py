"""Faults on a real file system, and how far learning rates drive the data term. Writes results/faults.json.

Disk: on a small tmpfs a run's disk fills up in mid-run, a second run finds it full, the first one goes on when there is
room again, and a third finds it mounted read-only. Mounting needs root; without it, try `unshare -rm` before
the command, or the disk part is left out, which is said. Growth: the largest data term of every iterative method on
every task within 40 steps, relative to the first, at its default learning rate and at far larger ones.

    python scripts/faults.py
"""

import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from aseqdip_lite import files, iterate, load_case, methods, tasks
from aseqdip_lite.files import provenance
from aseqdip_lite.run import engine
from aseqdip_lite.run.recorder import is_constant

RESULTS = Path(__file__).parent.parent / "aseqdip_lite" / "results" / "faults.json"

#: Bytes of the tmpfs: room for a few checkpoints of the run below.
SIZE = 16 * 2**20

RUN = [sys.executable, "-m", "aseqdip_lite", "run", "mri", "--profile", "smoke", "--size", "32",
       "--coils", "2", "--steps", "600", "--quiet"]

#: Learning rates at which the growth of the data term is measured, besides the default, and Adam steps of each run.
RATES, STEPS = (0.1, 1.0, 10.0), 40


def disk():
    """The trials on a tmpfs, one row each; an empty list where none may be mounted."""
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as folder:
        whole, out, ballast = Path(scratch) / "whole", Path(folder) / "out", Path(folder) / "ballast"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]).returncode:
            print("disk: no tmpfs may be mounted here, so this part is left out: run as root, or by `unshare -rm`")
            return []
        try:
            aseqdip(whole)
            rows = [trial("full in mid-run", out, aseqdip(out, while_running=lambda: fill(ballast)))]
            with unchanged(out) as same:
                said = aseqdip(out, "--seed", "1")
            rows.append(trial("full from the start", out, said) | same)
            ballast.unlink()
            said = aseqdip(out, "--resume")
            rows.append(trial("room again, resumed", out, said) | dict(equals_uninterrupted=equal(out, whole)))
            mount = ["mount", "-o", "remount,ro", folder]
            subprocess.run(mount, check=True)
            with unchanged(out) as same:
                said = aseqdip(out, "--seed", "1")
            rows.append(trial("mounted read-only", out, said) | same)
        finally:
            subprocess.run(["umount", folder], check=True)
    return rows


def aseqdip(out, *more, while_running=None):
    """Run the command: (exit code, lines on stderr). From the first checkpoint on, `while_running` is called often."""
    process = subprocess.Popen([*RUN, "--out", str(out), *more], text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    while while_running is not None and process.poll() is None:
        if (out / "checkpoint.pt").exists():
            while_running()
        time.sleep(0.005)
    errors = process.communicate()[1]
    return process.returncode, errors.splitlines()


def trial(name, out, said):
    """A row: what was done, exit code and lines on stderr without the folder, and the files that are there."""
    code, lines = said
    return dict(trial=name, exit_code=code, stderr=[line.replace(str(out), "OUT") for line in lines],
                files=sorted(file.name for file in out.iterdir()))


def fill(ballast):
    """Let a file grow until the disk is full."""
    try:
        with ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        return


@contextmanager
def unchanged(out):
    """Yields a dictionary whose "unchanged" says in the end whether all files of a folder are as before."""
    before, found = contents(out), {}
    yield found
    found["unchanged"] = contents(out) == before


def contents(out):
    return {file.name: file.read_bytes() for file in out.iterdir()}


def equal(out, whole):
    """Whether image and curve of two runs are the same, bit for bit."""
    return all((out / name).read_bytes() == (whole / name).read_bytes() for name in ("recon.npy", "curve.csv"))


def growth():
    """Largest data term over the first, constant outputs and whether all was finite, at each rate: a row each."""
    rows = []
    for task in tasks.names():
        case = load_case(task, profile="smoke", size=32)
        for name in methods.names(task):
            default = methods.configure(name, task, "smoke", steps=STEPS)
            if not default.budget or default.trained:  # no learning rate
                continue
            for rate in (None, *RATES):
                method = default if rate is None else replace(default, lr=rate)
                data, flat = [], 0
                for state in iterate(case.observation, method, steps=STEPS):
                    if not state.is_finite:
                        break
                    data.append(state.losses["data"])
                    flat += is_constant(state.image)
                rows.append(dict(task=task, method=name, lr=method.lr, default=rate is None, constant=flat,
                                 growth=float(f"{max(data) / data[0]:.4g}"), finite=state.is_finite))
            print(f"growth: {task} {name}: {[row['growth'] for row in rows[-1 - len(RATES):]]}", flush=True)
    return rows


def main():
    torch.set_num_threads(1)
    report = dict(disk=disk(), tmpfs_bytes=SIZE, probe_bytes=files.PROBE, growth=growth(), steps=STEPS,
                  bound=engine.DIVERGED, dead=engine.DEAD, provenance=provenance(torch.device("cpu")))
    for row in report["disk"]:
        print(f"disk: {row}")
    RESULTS.write_text(files.to_json(report))
    bad = [row["trial"] for row in report["disk"] if not row.get("unchanged", row.get("equals_uninterrupted", True))]
    bad += [f"{row['method']} on {row['task']}" for row in report["growth"] if row["default"] and row["constant"]]
    print(f"{len(report['disk'])} disk trials, {len(report['growth'])} runs, failed: {', '.join(bad) or 'none'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
