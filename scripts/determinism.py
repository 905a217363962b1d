"""Determinism on a CPU: the same bits at the same number of threads, and the spread in dB between 1 and 2 threads.

aSeqDIP with its default settings and budget; every run has a process of its own, and those of one thread are made two
at a time. For scale, the spread between the seeds is measured beside that between the threads. In PyTorch's default
mode MRI and denoising at 64 and 128 pixels, and the first seed twice at each number of threads; in its deterministic
mode also the other tasks, at 64 pixels. Half an hour each; writes results/determinism.json.

    python scripts/determinism.py                    both modes
    python scripts/determinism.py deterministic      this mode alone; what is stored of the other stays
"""

import hashlib
import itertools
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click
import torch

from aseqdip_lite import load_case, methods, reconstruct, tasks
from aseqdip_lite.files import provenance, to_json
from aseqdip_lite.run.threads import use

RESULTS = Path(__file__).parent.parent / "aseqdip_lite" / "results" / "determinism.json"

SEEDS, THREADS, MODES = (0, 1, 2), (1, 2), ("default", "deterministic")

#: The three PSNRs that are compared, as a result names them; the peak over the steps is its oracle.
SCORES = dict(peak="oracle", final="final", blind="blind")


def problems(mode):
    """(task, size, seed) of every run of a mode at each number of threads."""
    places = list(itertools.product(("mri", "denoising"), (64, 128)))
    if mode == "default":
        return [(*place, seed) for place in places for seed in (*SEEDS, SEEDS[0])]
    places += [(task, 64) for task in tasks.names() if (task, 64) not in places]
    return [(*place, seed) for place in places for seed in SEEDS]


def run(task, size, seed, threads, mode):
    """One run: its PSNRs in dB and a digest of its final image."""
    use(threads)
    torch.use_deterministic_algorithms(mode == "deterministic")
    method = methods.configure("aseqdip", task)
    result = reconstruct(load_case(task, size=size, seed=seed), method, seed=seed, progress=False)
    if result.metrics["threads"] != threads:
        raise RuntimeError(f"{threads} threads were asked for, PyTorch uses {result.metrics['threads']}")
    image = result.images["final"].resolve_conj().numpy().tobytes()
    return dict(task=task, size=size, seed=seed, threads=threads, digest=hashlib.sha256(image).hexdigest()[:16],
                psnr={name: result.metrics["psnr"][image] for name, image in SCORES.items()})


def same_bits(rows, but=()):
    """Of the runs that were made twice: how many pairs, and how many gave the same final image bit for bit.

    but: facts in which the two may differ, e.g. ("threads",).
    """
    digests = {}
    for row in rows:
        same = tuple(row[name] for name in ("task", "size", "seed", "threads") if name not in but)
        digests.setdefault(same, []).append(row["digest"])
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


def measure(mode):
    """A mode's report; in the deterministic mode the pairs of the same bits are of different numbers of threads."""
    began, rows = time.perf_counter(), []
    context = multiprocessing.get_context("spawn")
    for threads in THREADS:  # more threads than cores would wait for each other
        with ProcessPoolExecutor(max(THREADS) // threads, mp_context=context, max_tasks_per_child=1) as pool:
            for one in [pool.submit(run, *problem, threads, mode) for problem in problems(mode)]:
                rows.append(one.result())
                print(rows[-1], flush=True)
    return dict(rows=rows, same_bits=same_bits(rows, ("threads",) if mode == "deterministic" else ()),
                between_threads=spread(rows, "seed"), between_seeds=spread(rows, "threads"),
                steps={row["task"]: methods.configure("aseqdip", row["task"]).steps for row in rows},
                seconds=round(time.perf_counter() - began, 1), provenance=provenance(torch.device("cpu")))


@click.command()
@click.argument("modes", nargs=-1, type=click.Choice(MODES))
def main(modes):
    """Measure the MODES, both if none is named; exit 1 if runs that must have the same bits differ."""
    modes = modes or MODES
    reports = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for mode in modes:
        reports[mode] = measure(mode)
        RESULTS.write_text(to_json(reports), encoding="utf-8")
        for name in ("same_bits", "between_threads", "between_seeds"):
            print(f"{mode}, {name}: {reports[mode][name]}")
    sys.exit(any(reports[mode]["same_bits"]["equal"] != reports[mode]["same_bits"]["pairs"] for mode in modes))


if __name__ == "__main__":  # child processes import this file
    main()
