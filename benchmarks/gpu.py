"""What a GPU brings: a step made operation by operation, replayed as CUDA graphs, in exact float32, TF32 and bfloat16.

    python benchmarks/gpu.py [--quick]          minutes; needs a CUDA GPU

Stores results/bench_gpu.json. The plain loop is the same code without `graphs`, as PyTorch comes: matrix products in
float32, convolutions in TF32. Steps are timed without recording; whole runs are those of `reconstruct`.
"""

import argparse
import itertools
import statistics
import time
from contextlib import contextmanager

import torch
from common import describe, row, save

from aseqdip_lite import ASeqDIP, configure, load_case, reconstruct
from aseqdip_lite.engine import iterate
from aseqdip_lite.recorder import Recorder
from aseqdip_lite.result import provenance

#: {label: (network, pixels a side, coils, least speed-up of graphs over the plain loop)}.
SIZES = {"lite 128": ("lite", 128, 8, 4.0), "paper-medium 320": ("paper-medium", 320, 15, 2.0)}

#: {label: (precision, whether convolutions are TF32, whether steps are replayed, whether the network is compiled)}; the
#: first is the plain loop.
VARIANTS = {
    "plain loop": ("float32", True, False, False),
    "graphs": ("float32", True, True, False),
    "plain loop, exact float32": ("float32", False, False, False),
    "graphs, exact float32": ("float32", False, True, False),
    "plain loop, bfloat16": ("bfloat16", True, False, False),
    "graphs, bfloat16": ("bfloat16", True, True, False),
    "graphs, compiled": ("float32", True, True, True),
    "graphs, bfloat16, compiled": ("bfloat16", True, True, True),
}

#: The published run whose seconds are to be under so many.
PUBLISHED, SECONDS = 4000, 30.0

SEEDS = (0, 1, 2)


@contextmanager
def tf32(allowed):
    """Convolutions in TF32 or in exact float32."""
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def states_of(case, network, variant, seed=0, steps=10**9, **settings):
    """The states of aSeqDIP with N = 2 in one of the variants."""
    precision, _, replays, compiled = VARIANTS[variant]
    method = ASeqDIP(network=network, precision=precision, N=2, K=10**9, **settings)
    carry = method.init(case.observation, seed)
    carry.replays = carry.replays and replays
    if compiled:  # torch.compile lays out tensors itself, and stumbles over channels_last with two channels
        carry.network.to(memory_format=torch.contiguous_format)
        carry.network.network = torch.compile(carry.network.network, dynamic=False)
    return iterate(case.observation, method, steps=steps, carry=carry)


def milliseconds(states, steps):
    """Of `states`: (median over five blocks of the time of a step, time of the 20 steps before, all that is made once
    among them).
    """
    blocks = []
    for count in (20, *[steps] * 5):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in itertools.islice(states, count):
            pass
        torch.cuda.synchronize()
        blocks.append(1e3 * (time.perf_counter() - began))
    return statistics.median(blocks[1:]) / steps, blocks[0]


def steps_of(label, case, quick):
    """Milliseconds of a step in each variant, how many times the plain loop's speed that is, and what comes before."""
    network, _, _, target = SIZES[label]
    rows, plain = [], None
    for variant, (_, allowed, _, compiled) in VARIANTS.items():
        if compiled and quick:
            continue
        with tf32(allowed):
            spent, before = milliseconds(states_of(case, network, variant), 20 if quick else 50)
        plain = plain or spent
        rows += [row(f"{label}, {variant}: ms per step", spent),
                 row(f"{label}, {variant}: times the speed of the plain loop", plain / spent,
                     target if variant == "graphs" else None, least=True),
                 row(f"{label}, {variant}: seconds of the first 20 steps", before / 1e3)]
    return rows


def quality_of(label, case, steps):
    """Final PSNR over the seeds in each variant of default precision, and their distance to the plain loop."""
    network, size, _, _ = SIZES[label]
    found, lr = {}, 1e-3 if network == "lite" else 1e-4
    for variant in ("plain loop", "graphs", "graphs, bfloat16"):
        found[variant] = [last_psnr(case, states_of(case, network, variant, seed, steps, lr=lr)) for seed in SEEDS]
    plain = found["plain loop"]
    return [entry for variant, values in found.items() for entry in (
        row(f"{label}, {steps} steps, {variant}: last PSNR in dB, mean of 3 seeds", statistics.fmean(values)),
        row(f"{label}, {steps} steps, {variant}: distance of the mean from the plain loop's",
            abs(statistics.fmean(values) - statistics.fmean(plain)), 0.1 if variant == "graphs" else None),
        row(f"{label}, {steps} steps, {variant}: largest distance of a seed from itself in the plain loop",
            max(abs(value - other) for value, other in zip(values, plain, strict=True))))]


def last_psnr(case, states):
    """PSNR in dB of the last state's image."""
    state = None
    for state in states:  # noqa: B007  (the last one counts)
        pass
    return Recorder(case).record(state)["psnr"]


def runs_of(cases, quick):
    """Seconds of whole runs: the published one, and our default by how often it is recorded."""
    steps = PUBLISHED // 10 if quick else PUBLISHED
    method = ASeqDIP(network="paper-medium", lam=1.0, N=2, K=steps // 2, lr=1e-4)
    found = reconstruct(cases["paper-medium 320"], method, record_every=50, progress=False)
    rows = [row(f"paper-medium 320, 15 coils, {steps} steps, recorded every 50: seconds of a run",
                found.metrics["seconds"], None if quick else SECONDS)]
    default = configure("aseqdip", "mri", steps=200 if quick else None)
    for every in (1, 10, 50):
        found = reconstruct(cases["lite 128"], default, record_every=every, progress=False)
        rows.append(row(f"lite 128, {default.steps} steps, recorded every {every}: seconds of a run",
                        found.metrics["seconds"]))
    return rows


def batches(case, steps):
    """Runs of one process, each with its graphs on a stream of its own, stepped in turn: ms of a step of all."""
    rows, single = [], None
    for count in (1, 2, 4, 8):
        streams = [torch.cuda.Stream() for _ in range(count)]
        runs = [states_of(case, "lite", "graphs", seed) for seed in range(count)]
        for call in range(steps + 20):
            if call == 20:
                torch.cuda.synchronize()
                began = time.perf_counter()
            for stream, run in zip(streams, runs, strict=True):
                with torch.cuda.stream(stream):
                    next(run)
        torch.cuda.synchronize()
        spent = 1e3 * (time.perf_counter() - began) / steps
        single = single or spent
        rows += [row(f"{count} runs of lite 128 on streams: ms per step of all", spent),
                 row(f"{count} runs of lite 128 on streams: throughput of one run, ratio", count * single / spent)]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps; stores nothing")
    quick = parser.parse_args().quick
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA GPU found: this benchmark measures nothing without one")
    device = torch.device("cuda")
    cases = {label: load_case("mri", size=size, coils=coils).to(device)
             for label, (_, size, coils, _) in SIZES.items()}
    rows = []

    def add(found):
        for entry in found:
            print(describe(entry), flush=True)
        rows.extend(found)

    for label, case in cases.items():
        add(steps_of(label, case, quick))
    add(runs_of(cases, quick))
    add(batches(cases["lite 128"], 20 if quick else 300))
    for label, steps in (("lite 128", 1600), ("paper-medium 320", 1000)):
        add(quality_of(label, cases[label], 50 if quick else steps))
    if not quick:
        save("bench_gpu", dict(rows=rows, provenance=provenance(device)))


if __name__ == "__main__":
    main()
