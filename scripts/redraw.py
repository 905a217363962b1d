"""Draw the figures of aseqdip_lite/results anew from the numbers that lie beside them, after a change of their look.

    python scripts/redraw.py            all of them
    python scripts/redraw.py F9 grid    these

Nothing is measured. `aseqdip experiment`, `scripts/grid.py` and the benchmarks draw by the same functions.
"""

import importlib
import sys
from pathlib import Path

import click
from matplotlib import rc_context

from aseqdip_lite.course import RESULTS, experiments, stored
from aseqdip_lite.course.theory.figures_dynamics import plot_grid
from aseqdip_lite.run.plots import STYLE, to_png

#: Benchmarks with a figure: benchmarks/NAME.py draws results/bench_NAME.png.
BENCHMARKS = ("growth", "means", "quality")


def drawn(name):
    """The figure of results/NAME.png."""
    if name == "grid":
        return plot_grid(stored("grid/grid"))
    numbers = stored(name)
    if name.startswith("bench_"):
        return importlib.import_module(name.removeprefix("bench_")).draw(numbers["runs"])
    arrays = [stored(f"{name}.npz")] if (RESULTS / f"{name}.npz").exists() else []
    return experiments.get(name).figure(numbers["ours"], *arrays)


@click.command()
@click.argument("names", nargs=-1)
def main(names):
    """Draw the named figures, or all."""
    sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
    there = [*(name for name in experiments.names() if experiments.stored(name, RESULTS)),
             *(f"bench_{name}" for name in BENCHMARKS), "grid"]
    for name in names or there:
        with rc_context(STYLE):
            picture = to_png(drawn(name))
        file = RESULTS / ("grid/grid.png" if name == "grid" else f"{name}.png")
        file.write_bytes(picture)
        click.echo(f"{file.name}: {len(picture) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
