"""What a GPU brings: a step made operation by operation, replayed as CUDA graphs, in exact float32, TF32 and bfloat16.

    python benchmarks/gpu.py [--quick]          minutes; needs a CUDA GPU

Stores results/bench_gpu.json, after each part what there is. The plain loop is the same code without `graphs`, as
PyTorch comes: matrix products in float32, convolutions in TF32. Steps are timed without recording; whole runs are those
of `reconstruct`.
"""

import argparse
import itertools
import statistics
import time
from contextlib import contextmanager

import torch
from common import describe, row, save
from torch import nn

from aseqdip_lite import ASeqDIP, configure, load_case, reconstruct, tasks
from aseqdip_lite.engine import iterate
from aseqdip_lite.methods.base import adam
from aseqdip_lite.networks import Block
from aseqdip_lite.recorder import Recorder
from aseqdip_lite.result import provenance

#: {label: (network, pixels a side, coils, least speed-up of graphs over the plain loop)}.
SIZES = {"lite 128": ("lite", 128, 8, 4.0), "paper-medium 320": ("paper-medium", 320, 15, 2.0)}

#: {label: what differs from the default of `--device cuda`, see `states_of`, or tf32, whether convolutions are TF32};
#: the first is the plain loop.
VARIANTS = {
    "plain loop": dict(replays=False),
    "plain loop, again": dict(replays=False),
    "graphs": {},
    "plain loop, exact float32": dict(replays=False, tf32=False),
    "graphs, exact float32": dict(tf32=False),
    "plain loop, bfloat16": dict(replays=False, precision="bfloat16"),
    "graphs, bfloat16": dict(precision="bfloat16"),
    "plain loop, no biases": dict(replays=False, biases=False),
    "graphs, no biases": dict(biases=False),
    "graphs, bfloat16, no biases": dict(precision="bfloat16", biases=False),
    "graphs, compiled": dict(compiled=True),
    "graphs, bfloat16, compiled": dict(precision="bfloat16", compiled=True),
}

#: Of them those whose PSNR is compared.
COMPARED = ("plain loop", "plain loop, again", "graphs", "graphs, bfloat16")

#: The published run whose seconds are to be under so many.
PUBLISHED, SECONDS = 4000, 30.0

SEEDS = (0, 1, 2)

#: A run's PSNR is the mean over every tenth of so many last steps.
LAST = 200


@contextmanager
def tf32(allowed):
    """Convolutions in TF32 or in exact float32."""
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextmanager
def deterministic():
    """PyTorch's mode in which a GPU gives the same bits twice."""
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def states_of(case, network, seed=0, steps=10**9, *, lr=1e-3, precision="float32", replays=True, biases=True,
              compiled=False):
    """The states of aSeqDIP with N = 2.

    replays: whether steps are replayed. biases: whether convolutions before a BatchNorm have some.
    compiled: whether the network is compiled.
    """
    method = ASeqDIP(network=network, precision=precision, N=2, K=10**9, lr=lr)
    carry = method.init(case.observation, seed)
    carry.replays = carry.replays and replays
    if not biases:
        for block in (module for module in carry.network.modules() if isinstance(module, Block)):
            for convolution in (layer for layer in block if isinstance(layer, nn.Conv2d)):
                convolution.bias = None
        carry.optimizer = adam(carry.network, lr)
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
    for variant, settings in VARIANTS.items():
        if settings.get("compiled") and quick:
            continue
        settings = dict(settings)
        with tf32(settings.pop("tf32", True)):
            spent, before = milliseconds(states_of(case, network, **settings), 20 if quick else 50)
        plain = plain or spent
        rows += [row(f"{label}, {variant}: ms per step", spent),
                 row(f"{label}, {variant}: times the speed of the plain loop", plain / spent,
                     target if variant == "graphs" else None, least=True),
                 row(f"{label}, {variant}: seconds of the first 20 steps", before / 1e3)]
    return rows


def quality_of(label, case, steps, variants=COMPARED, how=""):
    """PSNR at the end over the seeds in each variant, and its distance to the plain loop's."""
    network, size, _, _ = SIZES[label]
    found, lr = {}, 1e-3 if network == "lite" else 1e-4
    for variant in variants:
        found[variant] = [last_psnr(case, states_of(case, network, seed, steps, lr=lr, **VARIANTS[variant]), steps)
                          for seed in SEEDS]
    plain = found["plain loop"]
    rows = []
    for variant, values in found.items():
        where, mean = f"{label}, {steps} steps{how}, {variant}", statistics.fmean(values)
        rows += [row(f"{where}: PSNR at the end in dB, mean of 3 seeds", mean),
                 row(f"{where}: distance of the mean from the plain loop's", abs(mean - statistics.fmean(plain)),
                     0.1 if variant == "graphs" else None),
                 row(f"{where}: largest distance of a seed from itself in the plain loop",
                     max(abs(value - other) for value, other in zip(values, plain, strict=True)))]
    return rows


def last_psnr(case, states, steps):
    """Mean PSNR in dB of every tenth of the `LAST` steps: that of one step is ragged."""
    return statistics.fmean([Recorder(case).record(state)["psnr"] for state in states
                             if state.step > steps - LAST and state.step % 10 == 0])


def runs_of(cases, quick):
    """Seconds of whole runs: the published one, and our default by how often it is recorded."""
    steps = PUBLISHED // 10 if quick else PUBLISHED
    method = ASeqDIP(network="paper-medium", lam=1.0, N=2, K=steps // 2, lr=1e-4)
    found = reconstruct(cases["paper-medium 320"], method, record_every=50, progress=False)
    rows = [row(f"paper-medium 320, 15 coils, {steps} steps, recorded every 50: seconds of a run",
                found.metrics["seconds"], None if quick else SECONDS)]
    for task in tasks.names():
        default = configure("aseqdip", task, steps=200 if quick else None)
        case = load_case(task, size=128).to("cuda")
        for every in (1, 10, 50) if task == "mri" else (10,):
            found = reconstruct(case, default, record_every=every, progress=False)
            rows.append(row(f"{task} 128, default, {default.steps} steps, recorded every {every}: seconds of a run",
                            found.metrics["seconds"]))
    return rows


def batches(case, steps):
    """Runs of one process, each with its graphs on a stream of its own, stepped in turn: ms of a step of all."""
    rows, single = [], None
    for count in (1, 2, 4, 8):
        streams = [torch.cuda.Stream() for _ in range(count)]
        runs = [states_of(case, "lite", seed) for seed in range(count)]
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
        if not quick:
            save("bench_gpu", dict(rows=rows, provenance=provenance(device)))

    for label, case in cases.items():
        add(steps_of(label, case, quick))
    add(runs_of(cases, quick))
    add(batches(cases["lite 128"], 20 if quick else 300))
    for label, steps, slow in (("lite 128", 1600, 1600), ("paper-medium 320", 1000, 300)):
        add(quality_of(label, cases[label], 50 if quick else steps))
        with deterministic():
            add(quality_of(label, cases[label], 20 if quick else slow, ("plain loop", "graphs"),
                           " in the deterministic mode"))


if __name__ == "__main__":
    main()
