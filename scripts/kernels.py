"""Measure what a student's notebook costs a shared server: kernels that have imported the course, and one run in each.

    python scripts/kernels.py              one kernel
    python scripts/kernels.py --kernels 2  two kernels at once

A kernel starts, imports what the lessons import, and makes fifty steps of aSeqDIP on a brain slice of 128 pixels, the
size of the laptop profile. All kernels do this at the same time, with one thread each. Unique memory is what the
system gets back if one kernel ends; libraries that kernels share are counted in resident memory alone.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import click
import psutil
from jupyter_client.manager import start_new_kernel

from aseqdip_lite.study.tables import markdown_table

IMPORTS = "from aseqdip_lite import ASeqDIP, configure, load_case, reconstruct\n" \
          "from aseqdip_lite.course import banner, check; from aseqdip_lite.run.plots import plot_images; banner()"
RUN = "case = load_case('mri', 'brain-070', size=128, seed=0)\n" \
      "result = reconstruct(case, configure('aseqdip', 'mri', steps=50), seed=0, progress=False)"
MIB = 2**20


def execute(client, code):
    """Run a cell; RuntimeError with what it said if it fails."""
    reply = client.execute_interactive(code, timeout=600, output_hook=lambda message: None)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(reply["content"]["evalue"])


def one_kernel(_):
    """[s to start, to import, to make 50 steps; MiB resident and unique after the import, and after the run]."""
    began = time.perf_counter()
    manager, client = start_new_kernel(startup_timeout=300)
    try:
        process = psutil.Process(manager.provisioner.pid)
        marks, memory = [time.perf_counter()], []
        for code in (IMPORTS, RUN):
            execute(client, code)
            marks.append(time.perf_counter())
            used = process.memory_full_info()
            memory += [used.rss / MIB, used.uss / MIB]
        return [after - before for before, after in zip([began, *marks], marks, strict=False)] + memory
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@click.command()
@click.option("--kernels", type=click.IntRange(1, 64), default=1, help="Kernels at the same time [1].")
def main(kernels):
    """Print one row a kernel."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ThreadPoolExecutor(kernels) as pool:
        rows = [[f"{value:.0f}" if i > 2 else f"{value:.1f}" for i, value in enumerate(row)]
                for row in pool.map(one_kernel, range(kernels))]
    click.echo(markdown_table(rows, ("s to start", "s to import", "s for 50 steps", "MiB resident, imported",
                                     "unique, imported", "resident, after the run", "unique, after the run")))
    click.echo(f"processors {os.cpu_count()}, load of the last minute {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
