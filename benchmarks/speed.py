"""Speed and memory of one aSeqDIP step, measured in one run on one machine.

Prints, for each network and size, milliseconds a step, GFLOP/s by torch's flop counter as a share
of a 2048 x 2048 matrix product measured in the same run, the share of time outside network,
operator and optimiser, and peak memory; then what a step costs in other modes, over the default's,
with fresh processes taking turns. Stores results/bench_speed.json.

    python benchmarks/speed.py [--quick] [--threads 2]
"""

import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import click
import torch
from common import machine, row, save
from growth import seconds_of
from torch.utils.flop_counter import FlopCounterMode

from aseqdip_lite import ASeqDIP, load_case
from aseqdip_lite.operators import Operator
from aseqdip_lite.run.engine import iterate
from aseqdip_lite.run.recorder import Recorder
from aseqdip_lite.run.threads import use

#: Network, pixels a side, share of the matrix product's rate to reach (None: only reported).
SETTINGS = [("lite", 128, 0.45), ("paper-shallow", 128, 0.60), ("paper-medium", 128, None), ("lite", 192, None),
            ("paper-shallow", 192, None), ("paper-medium", 192, None), ("lite", 320, None),
            ("paper-shallow", 320, None), ("paper-medium", 320, None)]


#: {mode: what a process does before its first step}.
MODES = {
    "default": "",
    "deterministic": "torch.utils.deterministic.fill_uninitialized_memory = False\n"
                     "torch.use_deterministic_algorithms(True)",  # what `aseqdip run --deterministic` does
    "freed memory given back": "memory.keep = lambda: None",
}

#: A process that prints the median seconds of a step of the network `lite` at 128 pixels, over stages of N = 2.
PROCESS = """
import statistics, time, torch
from aseqdip_lite import ASeqDIP, iterate, load_case
from aseqdip_lite.run import memory
from aseqdip_lite.run.threads import use
use({number})
{before}
states, times = iterate(load_case("mri", size=128).observation, ASeqDIP(N=2)), []
for stage in range(50):
    began = time.perf_counter()
    next(states), next(states)
    times.append((time.perf_counter() - began) / 2)
print(statistics.median(times[15:]))
"""


def matrix_seconds(repeats=5):
    """Seconds of `repeats` products of two 2048 x 2048 float32 matrices, the machine's reference."""
    a, b = (torch.randn(2048, 2048, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    return [seconds_of(lambda: a @ b) for _ in range(repeats + 1)][1:]


class Clock:
    """Seconds spent in named parts of a step."""

    def __init__(self):
        self.spent = {}

    @contextmanager
    def part(self, name):
        began = time.perf_counter()
        yield
        self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - began

    def wrap(self, name, function):
        def timed(*args, **kwargs):
            with self.part(name):
                return function(*args, **kwargs)
        return timed


class Timed(Operator):
    """A forward operator whose calls are timed."""

    def __init__(self, A, clock):
        super().__init__(A.in_shape, A.out_shape, in_complex=A.in_complex, out_complex=A.out_complex)
        self.apply = clock.wrap("operator", A._apply)

    def _apply(self, x):
        return self.apply(x)


def measure(network, size, stages):
    """One row: median seconds a step over stages of N = 2, split into parts, and flops a step."""
    case = load_case("mri", size=size)
    method, clock = ASeqDIP(network=network, N=2, K=10**6), Clock()
    with FlopCounterMode(display=False) as counter:
        warm = iterate(case.observation, method)
        for _ in range(2):
            state = next(warm)
    observation = replace(case.observation, A=Timed(case.observation.A, clock))
    carry, recorder = state.carry, Recorder(case)
    carry.network.forward = clock.wrap("network", carry.network.forward)
    carry.optimizer.step = clock.wrap("optimiser", carry.optimizer.step)
    torch.Tensor.backward, original = clock.wrap("backward", torch.Tensor.backward), torch.Tensor.backward
    states, times = iterate(observation, method, carry=carry), []
    try:
        for stage in range(stages + 2):
            if stage == 2:
                clock.spent.clear()
            times.append(seconds_of(lambda: [recorder.record(next(states)) for _ in range(2)]))
    finally:
        torch.Tensor.backward = original
    total = sum(times[2:])
    back = operator_backward(case.observation, state.image)
    parts = {name: spent / total for name, spent in clock.spent.items()}
    return dict(network=network, size=size, seconds=statistics.median(times[2:]) / 2,
                gflops=counter.get_total_flops() / 1e9 / 2, outside=1 - sum(parts.values()),
                operator=parts["operator"] + back * 2 * stages / total, optimiser=parts["optimiser"])


def operator_backward(observation, image):
    """Median seconds of the gradient through A alone."""
    def once():
        x = image.clone().requires_grad_()
        loss = (observation.A(x) - observation.y).abs().square().sum()
        return seconds_of(loss.backward)
    return statistics.median(once() for _ in range(5))


def modes(number, turns):
    """{mode: seconds of a step over the default's}, the median over turns of one process each."""
    def seconds(before):
        code = PROCESS.format(number=number, before=before)
        return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    rounds = [{mode: seconds(before) for mode, before in MODES.items()} for _ in range(turns)]
    return {mode: statistics.median(one[mode] / one["default"] for one in rounds) for mode in MODES}


def peak_memory(network, size):
    """Peak resident memory in MiB of a fresh process that makes 4 steps."""
    code = ("import itertools, resource; from aseqdip_lite import ASeqDIP, iterate, load_case\n"
            f"case = load_case('mri', size={size})\n"
            f"list(itertools.islice(iterate(case.observation, ASeqDIP(network={network!r})), 4))\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout) // 1024


@click.command()
@click.option("--quick", is_flag=True, help="Only 128 pixels, few stages; nothing is stored.")
@click.option("--threads", default=2, show_default=True)
def main(quick, threads):
    """Measure the speed and memory of one aSeqDIP step."""
    use(threads)
    chosen = [s for s in SETTINGS if not quick or s[1] == 128]
    print(f"{'network':14} {'size':>5} {'ms/step':>8} {'GFLOP/s':>8} {'of matmul':>9} {'operator':>8} "
          f"{'optimiser':>9} {'outside':>8} {'peak MiB':>8}")
    rows = []
    for network, size, target in chosen:
        products = matrix_seconds()  # beside each row, before and after: the machine's speed drifts
        found = measure(network, size, stages=4 if quick or size == 320 else 20)
        rate = 2 * 2048**3 / statistics.median(products + matrix_seconds()) / 1e9
        speed = found["gflops"] / found["seconds"]
        found |= dict(share=speed / rate, matmul_gflops=rate, peak_mib=peak_memory(network, size))
        print(f"{network:14} {size:5} {1e3 * found['seconds']:8.1f} {speed:8.0f} {found['share']:9.2f} "
              f"{found['operator']:8.3f} {found['optimiser']:9.3f} {found['outside']:8.3f} {found['peak_mib']:8}",
              flush=True)
        where = f"{network} {size}"
        rows += [row(f"{where}: ms per step", 1e3 * found["seconds"]),
                 row(f"{where}: share of the matrix-product rate", found["share"], target, least=True),
                 row(f"{where}: share outside network, operator, optimiser", found["outside"], 0.05),
                 row(f"{where}: share of the operator (8 coils)", found["operator"]),
                 row(f"{where}: peak memory in MiB", found["peak_mib"]),
                 row(f"{where}: matrix-product GFLOP/s", found["matmul_gflops"])]
    for mode, ratio in modes(threads, 1 if quick else 5).items():
        if mode != "default":
            print(f"lite 128, {mode}: {ratio:.2f} of the default's step")
            rows.append(row(f"lite 128, {mode}: a step, over the default's", ratio))
    if not quick:
        save("bench_speed", dict(rows=rows, provenance=machine()))
    missed = [entry["name"] for entry in rows if entry["ok"] is False]
    print(f"targets missed: {', '.join(missed) or 'none'}")


if __name__ == "__main__":
    main()
