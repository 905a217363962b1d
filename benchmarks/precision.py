"""What bfloat16 brings: milliseconds of a step in float32 and in bfloat16, by what the processor can.

    python benchmarks/precision.py          about a minute

oneDNN, which computes torch's convolutions on x86 processors, is confined to the instructions of older ones by
ONEDNN_MAX_CPU_ISA; each measurement is a fresh process of one thread, and processor time, which other programs
hardly lengthen. Stores results/bench_precision.json.
"""

import os
import statistics
import subprocess
import sys
import time

import torch
from common import describe, machine, row, save

from aseqdip_lite import ASeqDIP, iterate, load_case
from aseqdip_lite.networks import PRECISIONS

#: Levels of oneDNN, and what they leave of the processor.
LEVELS = {"DEFAULT": "all there is here", "AVX512_CORE_BF16": "AVX512-BF16", "AVX512_CORE": "AVX512 alone"}

STEPS, WARM = 10, 2


def milliseconds(network, precision):
    """Median processor time of an Adam step on denoising at 128 x 128 pixels."""
    states = iterate(load_case("denoising", size=128).observation, ASeqDIP(network=network, precision=precision))
    times = []
    for _ in range(WARM + STEPS):
        began = time.process_time()
        next(states)
        times.append(time.process_time() - began)
    return 1e3 * statistics.median(times[WARM:])


def confined(level, *arguments):
    """`milliseconds` in a fresh process at one of oneDNN's levels."""
    environment = os.environ | dict(ONEDNN_MAX_CPU_ISA=level)
    return float(subprocess.run([sys.executable, __file__, *arguments], env=environment, check=True,
                                capture_output=True, text=True).stdout)


def main():
    rows = []
    for network in ("lite", "paper-shallow"):
        for level, name in LEVELS.items():
            full, half = (confined(level, network, precision) for precision in PRECISIONS)
            where = f"{network}, {name}"
            rows += [row(f"{where}: ms float32", full), row(f"{where}: ms bfloat16", half),
                     row(f"{where}: bfloat16 over float32", half / full)]
            print(describe(rows[-1]), flush=True)
    save("bench_precision", dict(rows=rows, settings=dict(size=128, steps=STEPS), provenance=machine()))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        print(milliseconds(*sys.argv[1:]))
    else:
        main()
