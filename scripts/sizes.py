"""Do the defaults, which were found at 128 pixels, suit pictures at 256? aSeqDIP's budget grows with the side there.

Two tuning pictures and five that no default was tuned on, one seed. A row keeps the final PSNR that the run would have
had at half the budget and has at the budget, and its peak, which needs the truth. Finished runs in results/sizes.jsonl
are not made again.

    python scripts/sizes.py denoising     some 30 minutes of one core
"""

from functools import partial
from pathlib import Path

import click
from tune import budgets_read

from aseqdip_lite import methods
from aseqdip_lite.study.trials import Trial, record

FILE = Path(__file__).parent.parent / "aseqdip_lite" / "results" / "sizes.jsonl"
SIZE = 256  #: pixels
TUNING, IMAGES = ("chelsea", "gravel"), ("astronaut", "camera", "coffee", "grass", "hubble")
CLASSICS = dict(denoising=("nlm", "tv"), deblurring=("tv",), inpainting=("harmonic", "biharmonic", "tv"))


def trials(task, budget):
    """The `Trial`s of a task: aSeqDIP on each picture, and the classic methods on those that are no tuning pictures."""
    for image in TUNING + IMAGES:
        problem = dict(image=image, size=SIZE)
        yield Trial(task, "aseqdip", problem, steps=budget)
        yield from (Trial(task, method, problem) for method in CLASSICS[task] if image in IMAGES)


@click.command()
@click.argument("tasks", nargs=-1, type=click.Choice(list(CLASSICS)))
@click.option("--workers", type=int, help="Processes of one thread each [one for each core].")
def main(tasks, workers):
    """Make the runs of TASKS (all by default) that are missing."""
    for task in tasks or CLASSICS:
        budget = methods.configure("aseqdip", task, side=SIZE).steps
        rows = record(list(trials(task, budget)), file=FILE, workers=workers, label=f"{task} at {SIZE} pixels",
                      read=partial(budgets_read, budgets=[budget // 2, budget]))
        for row in rows:
            print(row["image"], row["method"], row.get("finals") or row["answers"]["final"]["psnr"],
                  row["answers"].get("oracle"))


if __name__ == "__main__":
    main()
