"""Deep Image Prior with aSeqDIP's network, learning rate and budget: what is left of the difference of two packages.

On the images, seeds and data of the stored comparisons (`results_page`), a row each in results/controls.jsonl; finished
runs are not made again. All images with the first seed come first.

    python scripts/controls.py denoising ct mri deblurring     some 15, 40, 50 and 20 minutes of one core
"""

from pathlib import Path

import click

from aseqdip_lite import methods
from aseqdip_lite.course import stored
from aseqdip_lite.study.trials import Trial, record

FILE = Path(__file__).parent.parent / "aseqdip_lite" / "results" / "controls.jsonl"
TASKS = ("denoising", "deblurring", "ct", "mri")  #: in in-painting no network leaves its start (RESULTS.md)


def trials(task):
    """The `Trial`s of a task: for each stored run of aSeqDIP with today's defaults one of Deep Image Prior."""
    ours = methods.configure("aseqdip", task)
    rows = [row for row in stored(f"compare_{task}")["rows"] if row["method"] == ours.name]
    return [Trial(task, "vanilla", dict(image=row["image"]), dict(network=ours.network, lr=ours.lr), ours.steps,
                  row["seed"], row["data_seed"]) for row in sorted(rows, key=lambda row: row["seed"])]


@click.command()
@click.argument("tasks", nargs=-1, type=click.Choice(TASKS))
@click.option("--workers", type=int, help="Processes of one thread each [one for each core].")
def main(tasks, workers):
    """Make the runs of TASKS (all by default) that are missing."""
    for task in tasks or TASKS:
        for row in record(trials(task), file=FILE, workers=workers, label=f"control of {task}"):
            print(task, row["image"], row["seed"], row["answers"])


if __name__ == "__main__":
    main()
