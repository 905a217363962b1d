"""Do the defaults, which were found on smaller images, suit larger ones?

Two tuning pictures and five that no default was tuned on make twice the budget at 256 pixels, and four tuning pictures
four times as much at 128. Slices of MRI and CT make twice their budget at 256 pixels, and one picture of
denoising four times its budget at 512. One seed. A row keeps the final PSNR that the run would have had at the budget,
at twice and at four times as much, and its peak, which needs the truth. Finished runs in results/sizes.jsonl are not
made again.

    python scripts/sizes.py denoising     some 70 minutes of one core; deblurring 70, in-painting 100, MRI 25, CT 40
"""

from functools import partial
from pathlib import Path

import click
from tune import budgets_read

from aseqdip_lite import methods
from aseqdip_lite.study.trials import Trial, record

FILE = Path(__file__).parent.parent / "aseqdip_lite" / "results" / "sizes.jsonl"
SIZE, LARGEST = 256, 512  #: pixels
TUNING = ("chelsea", "gravel", "rocket", "text")  #: pictures that also run at 128 pixels
#: Images at `SIZE`: those that defaults were tuned on, and others.
PICTURES = (TUNING[:2], ("astronaut", "camera", "coffee", "grass", "hubble"))
IMAGES = dict(denoising=PICTURES, deblurring=PICTURES, inpainting=PICTURES,
              mri=(("brain-076",), ("brain-096", "brain-070")), ct=((), ("ct-head", "shepp-logan", "ct-brain-064")))
AT_LARGEST = dict(denoising="astronaut")
CLASSICS = dict(denoising=("nlm", "tv"), deblurring=("tv",), inpainting=("harmonic", "biharmonic", "tv"),
                mri=("tv", "pnp"), ct=("tv", "sirt", "pnp"))


def trials(task, budget):
    """The `Trial`s of a task: aSeqDIP on each image, and the classic methods on those that no default was tuned on."""
    tuning, images = IMAGES[task]
    if IMAGES[task] is PICTURES:
        yield from (Trial(task, "aseqdip", dict(image=image, size=128), steps=4 * budget) for image in TUNING)
    larger = [(image, SIZE, 2 * budget) for image in tuning + images]
    larger += [(AT_LARGEST[task], LARGEST, 4 * budget)] if task in AT_LARGEST else []
    for image, size, steps in larger:
        problem = dict(image=image, size=size)
        yield Trial(task, "aseqdip", problem, steps=steps)
        yield from (Trial(task, method, problem) for method in CLASSICS[task] if image in images)


def read(trial, result, budget):
    """See `budgets_read`: at the budget, at twice and at four times as much, as far as the run went."""
    return budgets_read(trial, result, [n * budget for n in (1, 2, 4) if n * budget <= (trial.steps or 0)])


@click.command()
@click.argument("tasks", nargs=-1, type=click.Choice(list(CLASSICS)))
@click.option("--workers", type=int, help="Processes of one thread each [one for each core].")
def main(tasks, workers):
    """Make the runs of TASKS (all by default) that are missing."""
    for task in tasks or CLASSICS:
        budget = methods.configure("aseqdip", task).steps
        rows = record(list(trials(task, budget)), file=FILE, workers=workers, label=f"sizes, {task}",
                      read=partial(read, budget=budget))
        for row in rows:
            print(row["image"], row["method"], row.get("finals") or row["answers"]["final"]["psnr"],
                  row["answers"].get("oracle"))


if __name__ == "__main__":
    main()
