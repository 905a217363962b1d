"""How the cost of a step grows with pixels, coils, views, N and members of a batch; how long the package takes to load.

    python benchmarks/growth.py             a few minutes
    python benchmarks/growth.py --quick     the two smallest of each; stores nothing

Each point is the median of eight stages after two that are not counted: aSeqDIP with the network `lite` at 128 x 128
pixels on 2 threads, N = 2, where these are not what grows. An exponent is the slope of a straight line through log
seconds against log size, by least squares. Start-up times are those of fresh processes, medians of five. Stores
results/bench_growth.json and .png; what is stored is not measured again.
"""

import itertools
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from common import Measured, benchmark, row
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from aseqdip_lite import ASeqDIP, iterate, load_case, networks
from aseqdip_lite.methods.base import square_norm
from aseqdip_lite.run.threads import use

STAGES, WARM = 8, 2


def seconds_of(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median(call):
    """Median seconds of a call."""
    return statistics.median([seconds_of(call) for _ in range(WARM + STAGES)][WARM:])


def stage(case, N=2):
    """Seconds of a stage: N Adam steps and a new input."""
    states = iterate(case.observation, ASeqDIP(N=N, K=10**6))
    return median(lambda: list(itertools.islice(states, N)))


def operator(case):
    """Seconds of A x and of the gradient through it."""
    x = case.observation.start.clone().requires_grad_()
    return median(lambda: square_norm(case.observation.A(x) - case.observation.y).backward())


def batch(case, members):
    """Seconds of a stage of several denoising runs whose weights are stacked."""
    return median(stacked(case, members))


def stacked(case, members):
    """A function that makes a stage of several denoising runs: `torch.func.vmap` of the network over stacked weights.

    z: (members, 1, C, H, W). The first outputs must be those of the networks one by one.
    """
    y = case.observation.y
    nets = [networks.build("lite", y, torch.Generator().manual_seed(seed)) for seed in range(members)]
    weights, _ = torch.func.stack_module_state(nets)
    run = torch.func.vmap(lambda weights, z: torch.func.functional_call(nets[0], weights, (z,)))
    state = dict(z=y.expand(members, *y.shape).clone())
    torch.testing.assert_close(run(weights, state["z"]), torch.stack([net(y) for net in nets]), rtol=1e-3, atol=1e-5)
    optimizer = torch.optim.Adam(weights.values(), lr=3e-4, fused=True)

    def once():
        output = run(weights, state["z"])
        for _ in range(2):
            optimizer.zero_grad(set_to_none=True)
            (square_norm(output - y) + square_norm(output - state["z"])).backward()
            optimizer.step()
            output = run(weights, state["z"])
        state["z"] = output.detach()
    return once


def picture(pixels=128**2):
    """A denoising case of so many pixels."""
    return load_case("denoising", size=math.isqrt(pixels))


def scan(coils):
    return load_case("mri", size=128, coils=coils)


def tomogram(views):
    return load_case("ct", size=128, views=views)


#: {what grows: (its sizes, {what is timed: seconds as a function of a size})}
SERIES = {
    "pixels (denoising)": ([side**2 for side in (128, 192, 256, 384, 512)], {"stage": lambda n: stage(picture(n))}),
    "coils (MRI)": ([1, 2, 4, 8, 16, 32], {"stage": lambda n: stage(scan(n)),
                                           "A and its gradient": lambda n: operator(scan(n))}),
    "views (CT)": ([18, 30, 60, 90, 180], {"stage": lambda n: stage(tomogram(n)),
                                           "A and its gradient": lambda n: operator(tomogram(n))}),
    "N (denoising)": ([1, 2, 4, 8, 16], {"stage": lambda n: stage(picture(), n)}),
    "members of a batch (denoising)": ([1, 2, 4, 8], {"stage": lambda n: batch(picture(), n)}),
}

#: Start-up: {name: (command line after the interpreter's folder, target in seconds)}.
START_UP = {
    "import aseqdip_lite": ([sys.executable, "-c", "import aseqdip_lite"], None),
    "from aseqdip_lite import load_case, reconstruct, ASeqDIP": (
        [sys.executable, "-c", "from aseqdip_lite import load_case, reconstruct, ASeqDIP"], 2.5),
    "import torch, of that": ([sys.executable, "-c", "import torch"], None),
    "aseqdip --help": ([str(Path(sys.executable).parent / "aseqdip"), "--help"], 0.7),
}


def exponent(sizes, seconds):
    """Slope of log seconds against log sizes, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def start_up(command):
    """Median seconds of five fresh processes, after one that fills the cache of files."""
    return statistics.median([seconds_of(lambda: subprocess.run(command, check=True, capture_output=True))
                              for _ in range(6)][1:])


def curve(runs, what, timed):
    """The sizes that are measured, and their seconds."""
    sizes = [size for size in SERIES[what][0] if f"{what}: {timed}, {size}" in runs]
    return sizes, [runs[f"{what}: {timed}, {size}"] for size in sizes]


def rows_of(runs):
    """The report's numbers of {"what grows: what is timed, size": seconds} and {what starts: seconds}."""
    rows = []
    for what, (_, functions) in SERIES.items():
        for timed in functions:
            sizes, seconds = curve(runs, what, timed)
            if len(sizes) > 1:
                where = f"{timed} against {what}, {sizes[0]} to {sizes[-1]}"
                rows += [row(f"{where}: ms at the smallest", 1e3 * seconds[0]),
                         row(f"{where}: ms at the largest", 1e3 * seconds[-1]),
                         row(f"{where}: exponent", exponent(sizes, seconds))]
    return rows + [row(f"{name}: seconds in a fresh process", runs[name], target)
                   for name, (_, target) in START_UP.items() if name in runs]


def draw(runs):
    """Seconds against size, one panel for what grows, three in a row."""
    rows = -(-len(SERIES) // 3)
    figure = Figure(figsize=(9.6, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 3).flat
    for axis in axes[len(SERIES):]:
        axis.set_axis_off()
    for axis, (what, (sizes, functions)) in zip(axes, SERIES.items(), strict=False):
        for index, timed in enumerate(functions):
            seconds = curve(runs, what, timed)[1]
            axis.loglog(sizes, [1e3 * s for s in seconds], ("o-", "s--")[index],
                        label=f"{timed}: exponent {exponent(sizes, seconds):.2f}")
        axis.set_xticks(sizes, labels=[f"{math.isqrt(n)}$^2$" if n > 1000 else n for n in sizes])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlabel(what)
        axis.grid(alpha=0.3)
        axis.margins(y=0.3)  # room for the legend
        axis.legend(fontsize=8, loc="upper left")
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("milliseconds")
    return figure


@benchmark("the two smallest of each")
def main(threads, quick, anew):
    """Measure how time and memory grow."""
    use(threads)
    measured = Measured("bench_growth", rows_of, dict(stages=STAGES, warm=WARM, network="lite"),
                        keep=not quick, anew=anew)
    for what, (sizes, functions) in SERIES.items():
        for timed, seconds in functions.items():
            for size in sizes[:2] if quick else sizes:
                measured.measure(f"{what}: {timed}, {size}", lambda seconds=seconds, size=size: seconds(size))
    for name, (command, _) in START_UP.items():
        measured.measure(name, lambda command=command: start_up(command))
    measured.show(draw)


if __name__ == "__main__":
    main()
