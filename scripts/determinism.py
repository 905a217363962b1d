"""Determinism on a CPU: the same bits at the same number of threads, and the spread in dB between 1 and 2 threads.

aSeqDIP with its default settings on MRI and denoising at 64 and 128 pixels; every run has a process of its own,
and those of one thread are made two at a time. The first seed is run twice at each number of threads. For scale, the
spread between the seeds is measured beside that between the threads. Half an hour; writes results/determinism.json.

    python scripts/determinism.py
"""

import hashlib
import itertools
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from aseqdip_lite import load_case, methods, reconstruct
from aseqdip_lite.result import provenance

RESULTS = Path(__file__).parent.parent / "results" / "determinism.json"

TASKS, SIZES, SEEDS, THREADS = ("mri", "denoising"), (64, 128), (0, 1, 2), (1, 2)

#: The three PSNRs that are compared, as a result names them; the peak over the steps is its oracle.
SCORES = dict(peak="oracle", final="final", blind="blind")


def run(task, size, seed, threads):
    """One run: its PSNRs in dB and a digest of its final image."""
    torch.set_num_threads(threads)
    method = methods.configure("aseqdip", task)
    result = reconstruct(load_case(task, size=size, seed=seed), method, seed=seed, progress=False)
    if result.metrics["threads"] != threads:
        raise RuntimeError(f"{threads} threads were asked for, PyTorch uses {result.metrics['threads']}")
    image = result.images["final"].resolve_conj().numpy().tobytes()
    return dict(task=task, size=size, seed=seed, threads=threads, digest=hashlib.sha256(image).hexdigest()[:16],
                psnr={name: result.metrics["psnr"][image] for name, image in SCORES.items()})


def same_bits(rows):
    """Of the runs that were made twice: how many, and how many gave the same final image bit for bit."""
    digests = {}
    for row in rows:
        digests.setdefault((row["task"], row["size"], row["seed"], row["threads"]), []).append(row["digest"])
    pairs = [found for found in digests.values() if len(found) > 1]
    return dict(pairs=len(pairs), equal=sum(len(set(found)) == 1 for found in pairs))


def spread(rows, alike):
    """[{task, size, peak, final, blind}]: the largest difference in dB of runs with the same `alike`.

    alike: "seed" for the difference between numbers of threads, "threads" for that between seeds.
    """
    found = []
    for task, size in dict.fromkeys((row["task"], row["size"]) for row in rows):
        worst = dict.fromkeys(SCORES, 0.0)
        for same in dict.fromkeys(row[alike] for row in rows):
            runs = [row["psnr"] for row in rows if (row["task"], row["size"], row[alike]) == (task, size, same)]
            for name in SCORES:
                values = [psnr[name] for psnr in runs]
                worst[name] = max(worst[name], max(values) - min(values))
        found.append(dict(task=task, size=size, **{name: round(value, 4) for name, value in worst.items()}))
    return found


def main():
    began, rows = time.perf_counter(), []
    context = multiprocessing.get_context("spawn")
    for threads in THREADS:  # more threads than cores would wait for each other
        with ProcessPoolExecutor(max(THREADS) // threads, mp_context=context, max_tasks_per_child=1) as pool:
            waiting = [pool.submit(run, task, size, seed, threads)
                       for task, size, seed in itertools.product(TASKS, SIZES, (*SEEDS, SEEDS[0]))]
            for one in waiting:
                rows.append(one.result())
                print(rows[-1], flush=True)
    report = dict(rows=rows, same_bits=same_bits(rows), between_threads=spread(rows, "seed"),
                  between_seeds=spread(rows, "threads"),
                  steps={task: methods.configure("aseqdip", task).steps for task in TASKS},
                  seconds=round(time.perf_counter() - began, 1), provenance=provenance(torch.device("cpu")))
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    for name in ("same_bits", "between_threads", "between_seeds"):
        print(f"{name}: {report[name]}")
    return 0 if report["same_bits"]["equal"] == report["same_bits"]["pairs"] else 1


if __name__ == "__main__":  # child processes import this file
    sys.exit(main())
