"""What a GPU brings: a step made operation by operation, replayed as CUDA graphs, in exact float32, TF32 and bfloat16.

    python benchmarks/gpu.py [--quick]          minutes; needs a CUDA GPU

Stores results/bench_gpu.json, after each part what there is. The plain loop is the same code without `graphs` and with
PyTorch's layers for ours, as PyTorch comes: matrix products in float32, convolutions in TF32. Steps are timed without
recording; whole runs are those of `reconstruct`.
"""

import itertools
import statistics
import time
from contextlib import contextmanager

import click
import torch
from common import describe, row, save
from growth import stacked
from torch import nn
from torch.nn import functional as F

from aseqdip_lite import ASeqDIP, configure, load_case, reconstruct, tasks
from aseqdip_lite.cli.options import determinism
from aseqdip_lite.files import provenance
from aseqdip_lite.networks import unet
from aseqdip_lite.networks.layers import Conv2d
from aseqdip_lite.run.engine import iterate
from aseqdip_lite.run.recorder import Recorder

#: {label: (network, pixels a side, coils, least speed-up of graphs over the plain loop)}.
SIZES = {"lite 128": ("lite", 128, 8, 4.0), "paper-medium 320": ("paper-medium", 320, 15, 2.0)}

#: {label: what differs from the default of `--device cuda`, see `states_of` and `conditions`}; the first is the plain
#: loop.
VARIANTS = {
    "plain loop": dict(replays=False, ours=False),
    "plain loop, again": dict(replays=False, ours=False),
    "plain loop, our layers": dict(replays=False),
    "graphs": {},
    "graphs, PyTorch's layers": dict(ours=False),
    "graphs, deterministic mode": dict(deterministic=True),
    "plain loop, exact float32": dict(replays=False, ours=False, tf32=False),
    "graphs, exact float32": dict(tf32=False),
    "plain loop, bfloat16": dict(replays=False, ours=False, precision="bfloat16"),
    "graphs, bfloat16": dict(precision="bfloat16"),
    "graphs, compiled": dict(compiled=True),
    "graphs, bfloat16, compiled": dict(precision="bfloat16", compiled=True),
}

#: Of them those that are held to the target of the speed.
AIMED = ("graphs", "graphs, bfloat16")

#: Those whose PSNR is compared: with the first, and in the published run with the second.
COMPARED = ("plain loop, our layers", "graphs", "graphs, bfloat16")

#: The published run whose seconds are to be under so many.
PUBLISHED, SECONDS = 4000, 30.0

SEEDS = (0, 1, 2)

#: A run's PSNR is the mean over every tenth of so many last steps.
LAST = 200


@contextmanager
def conditions(tf32=True, ours=True, deterministic=False):
    """What steps are made under.

    tf32: whether convolutions are TF32 or exact float32. ours: whether biases before a BatchNorm are left out and
    upsampling is made of matrix products, as in `layers`, or as PyTorch has them. deterministic: PyTorch's mode.
    """
    forward, enlarged = Conv2d.forward, unet.enlarged
    torch.backends.cudnn.allow_tf32 = tf32
    if not ours:
        Conv2d.forward, unet.enlarged = nn.Conv2d.forward, bilinear
    with determinism(deterministic):
        yield
    Conv2d.forward, unet.enlarged = forward, enlarged
    torch.backends.cudnn.allow_tf32 = True


def bilinear(x):
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def states_of(case, network, seed=0, steps=10**9, *, lr=1e-3, precision="float32", replays=True, compiled=False):
    """The states of aSeqDIP with N = 2. replays: whether steps are replayed. compiled: whether the network is."""
    method = ASeqDIP(network=network, precision=precision, N=2, K=10**9, lr=lr)
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
    for variant, settings in VARIANTS.items():
        if settings.get("compiled") and quick:
            continue
        around, settings = split(settings)
        with conditions(**around):
            spent, before = milliseconds(states_of(case, network, **settings), 20 if quick else 50)
        plain = plain or spent
        rows += [row(f"{label}, {variant}: ms per step", spent),
                 row(f"{label}, {variant}: times the speed of the plain loop", plain / spent,
                     target if variant in AIMED else None, least=True),
                 row(f"{label}, {variant}: seconds of the first 20 steps", before / 1e3)]
    return rows


def split(settings):
    """The settings of a variant that are for `conditions`, and those for `states_of`."""
    around = {name: value for name, value in settings.items() if name in ("tf32", "ours", "deterministic")}
    return around, {name: value for name, value in settings.items() if name not in around}


def quality_of(label, case, steps, variants=COMPARED):
    """PSNR at the end over the seeds in each variant, and its distance from the first one's."""
    network, size, _, _ = SIZES[label]
    found, lr = {}, 1e-3 if network == "lite" else 1e-4
    for variant in variants:
        found[variant] = [last_psnr(case, states_of(case, network, seed, steps, lr=lr, **split(VARIANTS[variant])[1]),
                                    steps) for seed in SEEDS]
    first = found[variants[0]]
    rows = []
    for variant, values in found.items():
        where, mean = f"{label}, {steps} steps, {variant}", statistics.fmean(values)
        rows += [row(f"{where}: PSNR at the end in dB, mean of 3 seeds", mean),
                 row(f"{where}: distance of the mean from the first line's", abs(mean - statistics.fmean(first)),
                     None if variant == variants[0] else 0.1),
                 row(f"{where}: largest distance of a seed from itself there",
                     max(abs(value - other) for value, other in zip(values, first, strict=True)))]
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


def stacks(steps):
    """Runs of one process with stacked weights, `growth.stacked`, operation by operation: ms of a stage of all."""
    rows, case, single = [], load_case("denoising", size=128).to("cuda"), None
    for count in (1, 2, 4, 8):
        with conditions(tf32=False):  # in which the members are those of the networks one by one
            once = stacked(case, count)
        spent, _ = milliseconds((once() for _ in itertools.count()), steps)
        single = single or spent
        rows += [row(f"{count} runs of lite 128, stacked: ms per stage of all", spent),
                 row(f"{count} runs of lite 128, stacked: throughput of one run, ratio", count * single / spent)]
    return rows


@click.command()
@click.option("--quick", is_flag=True, help="Fewer steps; stores nothing.")
def main(quick):
    """Measure what a GPU brings."""
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
    add(stacks(10 if quick else 30))
    add(quality_of("lite 128", cases["lite 128"], 50 if quick else 1600))
    add(quality_of("paper-medium 320", cases["paper-medium 320"], 20 if quick else 1000))
    add(quality_of("paper-medium 320", cases["paper-medium 320"], 40 if quick else PUBLISHED, COMPARED[1:]))


if __name__ == "__main__":
    main()
