"""Throughput of a sweep: two processes of one thread against one process of two threads, in one run on one machine.

The same runs of aSeqDIP, of the network and size of the comparisons, made by `sweep` with one process a core
and made one after another with all threads; the two take turns, and the medians are compared. Stores
results/bench_sweep.json.

    python benchmarks/sweep.py [--steps 60] [--turns 3]
"""

import os
import statistics
import time

import click
from common import machine, row, save

from aseqdip_lite import configure, iterate, load_case
from aseqdip_lite.run import threads
from aseqdip_lite.study.sweep import sweep

#: What the ratio is to reach.
TARGET = 1.3

NETWORK = "lite"


def run(job, watch):
    """One run: its seconds."""
    case = load_case(job["task"], size=128, seed=job["seed"])
    began = time.perf_counter()
    method = configure("aseqdip", job["task"], network=NETWORK)
    for state in iterate(case.observation, method, seed=job["seed"], steps=job["budget"]):
        watch(state.step)
    return time.perf_counter() - began


def seconds(jobs, workers, number):
    """Wall time of all jobs."""
    threads.use(number)
    began = time.perf_counter()
    sweep(run, jobs, workers=workers, progress=False)
    return time.perf_counter() - began


@click.command()
@click.option("--steps", default=60, show_default=True, help="Adam steps of a run.")
@click.option("--turns", "count", default=3, show_default=True, help="Turns of each way.")
def main(steps, count):
    """Compare the throughput of a sweep in one process a core with that of one process."""
    cores, rows = os.cpu_count(), []
    for task in ("mri", "denoising"):
        jobs = {f"{task} {seed}": dict(task=task, seed=seed, budget=steps) for seed in range(2 * cores)}
        sweep(run, {key: job | dict(budget=2) for key, job in jobs.items()}, progress=False)  # starts the processes
        turns = [(seconds(jobs, cores, 1), seconds(jobs, 1, cores)) for _ in range(count)]
        processes, threaded = (statistics.median(times) for times in zip(*turns, strict=True))
        ratio = threaded / processes
        rows += [row(f"{task}: seconds of {len(jobs)} runs in {cores} processes", processes),
                 row(f"{task}: seconds one after another with {cores} threads", threaded),
                 row(f"{task}: throughput of a sweep, ratio", ratio, TARGET, least=True)]
        print(f"{task}: {processes:.1f} s in {cores} processes, {threaded:.1f} s one after another with {cores} "
              f"threads: {ratio:.2f} x (target {TARGET})")
    settings = dict(size=128, network=NETWORK, steps=steps, turns=count, cores=cores)
    save("bench_sweep", dict(rows=rows, settings=settings, provenance=machine()))


if __name__ == "__main__":  # worker processes import this file
    main()
