"""Do the defaults, which were found at 128 pixels, suit pictures at 256? aSeqDIP's budget grows with the side there.

Two tuning pictures and five that no default was tuned on make twice the budget of 128 pixels, and four tuning pictures
four times as much at 128, one seed. A row keeps the final PSNR that the run would have had at the budget of 128 pixels
and at twice as much, and its peak, which needs the truth. Finished runs in results/sizes.jsonl are not made again.

    python scripts/sizes.py denoising     some 40 minutes of one core; deblurring 70, in-painting 100
"""

from functools import partial
from pathlib import Path

import click
from tune import budgets_read

from aseqdip_lite import methods
from aseqdip_lite.study.trials import Trial, record

FILE = Path(__file__).parent.parent / "aseqdip_lite" / "results" / "sizes.jsonl"
SIZE = 256  #: pixels
TUNING, IMAGES = ("chelsea", "gravel", "rocket", "text"), ("astronaut", "camera", "coffee", "grass", "hubble")
CLASSICS = dict(denoising=("nlm", "tv"), deblurring=("tv",), inpainting=("harmonic", "biharmonic", "tv"))


def trials(task, budget):
    """The `Trial`s of a task: aSeqDIP on each picture, and the classic methods on those that are no tuning pictures."""
    yield from (Trial(task, "aseqdip", dict(image=image, size=128), steps=4 * budget) for image in TUNING)
    for image in TUNING[:2] + IMAGES:
        problem = dict(image=image, size=SIZE)
        yield Trial(task, "aseqdip", problem, steps=2 * budget)
        yield from (Trial(task, method, problem) for method in CLASSICS[task] if image in IMAGES)


@click.command()
@click.argument("tasks", nargs=-1, type=click.Choice(list(CLASSICS)))
@click.option("--workers", type=int, help="Processes of one thread each [one for each core].")
def main(tasks, workers):
    """Make the runs of TASKS (all by default) that are missing."""
    for task in tasks or CLASSICS:
        budget = methods.configure("aseqdip", task).steps
        rows = record(list(trials(task, budget)), file=FILE, workers=workers, label=f"sizes, {task}",
                      read=partial(budgets_read, budgets=[budget, 2 * budget]))
        for row in rows:
            print(row["image"], row["method"], row.get("finals") or row["answers"]["final"]["psnr"],
                  row["answers"].get("oracle"))


if __name__ == "__main__":
    main()
