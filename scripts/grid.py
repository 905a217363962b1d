"""The lam x N grid of aSeqDIP on images: does lam delay overfitting?

Two tasks, two images, two seeds, lam 0 to 4, N 1, 2 and 4, and as a control a fixed input with lam 0 and 1: 136
runs of 1200 Adam steps at 128 pixels. Finished runs in grid.jsonl are not run again: stop it by
Ctrl-C and start it again to go on.

    python scripts/grid.py                          about two hours on 2 cores
    python scripts/grid.py --size 64 --steps 60     a try of the machinery; it says nothing about lam
"""

import argparse
import json
import sys
from pathlib import Path

from aseqdip_lite.course.theory.figures_dynamics import plot_grid
from aseqdip_lite.course.theory.grid import grid, run_grid
from aseqdip_lite.course.theory.verdict import verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "aseqdip_lite" / "results" / "grid",
                        help="folder of grid.jsonl and, once all runs are there, verdict.json and grid.png")
    parser.add_argument("--workers", type=int, default=None, help="processes of one thread each; one for each core")
    parser.add_argument("--size", type=int, default=128, help="side of the images in pixels")
    parser.add_argument("--steps", type=int, default=1200, help="Adam steps of a run")
    arguments = parser.parse_args()
    settings = dict(size=arguments.size, steps=arguments.steps)
    rows = run_grid(arguments.out, workers=arguments.workers, **settings)
    found, missing = verdict(rows), len(grid(**settings)) - len(rows)
    print("\n".join(found["sentences"]))
    if missing:
        print(f"stopped: {missing} runs are missing; start the same command again to go on", file=sys.stderr)
        return 130
    (arguments.out / "verdict.json").write_text(json.dumps(found, indent=1) + "\n")
    plot_grid(rows).savefig(arguments.out / "grid.png", dpi=80)
    return 0


if __name__ == "__main__":  # worker processes import this file
    sys.exit(main())
