"""The lam x N grid of aSeqDIP on images: does lam delay overfitting?

Two tasks, two images, two seeds, lam 0 to 4, N 1, 2 and 4, and as a control a fixed input with lam 0 and 1: 136
runs of 1200 Adam steps at 128 pixels. Finished runs in grid.jsonl are not run again: stop it by
Ctrl-C and start it again to go on.

    python scripts/grid.py                          about two hours on 2 cores
    python scripts/grid.py --size 64 --steps 60     a try of the machinery; it says nothing about lam
"""

import sys
from pathlib import Path

import click
from matplotlib import rc_context

from aseqdip_lite.course.theory.figures_dynamics import plot_grid
from aseqdip_lite.course.theory.grid import grid, run_grid
from aseqdip_lite.course.theory.verdict import verdict
from aseqdip_lite.files import to_json
from aseqdip_lite.run.plots import STYLE, to_png


@click.command()
@click.option("--out", type=click.Path(path_type=Path),
              default=Path(__file__).parent.parent / "aseqdip_lite" / "results" / "grid",
              help="Folder of grid.jsonl and, once all runs are there, verdict.json and grid.png.")
@click.option("--workers", type=int, help="Processes of one thread each [one for each core].")
@click.option("--size", default=128, show_default=True, help="Side of the images in pixels.")
@click.option("--steps", default=1200, show_default=True, help="Adam steps of a run.")
def main(out, workers, size, steps):
    """Run the lam x N grid of aSeqDIP, or go on with it."""
    settings = dict(size=size, steps=steps)
    rows = run_grid(out, workers=workers, **settings)
    found, missing = verdict(rows), len(grid(**settings)) - len(rows)
    print("\n".join(found["sentences"]))
    if missing:
        print(f"stopped: {missing} runs are missing; start the same command again to continue", file=sys.stderr)
        sys.exit(130)
    (out / "verdict.json").write_text(to_json(found))
    with rc_context(STYLE):
        figure = plot_grid(rows)
    (out / "grid.png").write_bytes(to_png(figure))


if __name__ == "__main__":  # worker processes import this file
    main()
