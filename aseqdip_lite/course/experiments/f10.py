"""F10: Adam steps per stage against stages, at a fixed number of steps (aSeqDIP paper, Fig. 10)."""

import numpy as np
from matplotlib.figure import Figure

from ...run.plots import NAMES
from . import Experiment, arms, register
from .arms import BRAINS, ONE, highest, mean, one_rate, rows_in, rows_of
from .published import Runs

NS = (1, 2, 4)
PICTURES = ("astronaut", "coffee", "retina")
PROBLEMS = (dict(task="mri", images=BRAINS),
            dict(task="ct", images=("ct-head", "ct-brain-064", "shepp-logan"), views=18),
            dict(task="denoising", images=PICTURES, sigma=25.0), dict(task="inpainting", images=PICTURES, hiar=0.25))


def arm(N):
    """Name of the arm of an N."""
    return f"N {N}"


def blocks(steps, size=None, coils=8, images=1, seeds=1, profile="laptop"):
    """The runs of aSeqDIP with lam 1 and each N of `NS` on four tasks, N K = steps, see `arms.blocks`.

    A task's claim compares N 2 with the better one of the others, so a block has all three, on an image with a seed.
    A claim needs three images, and can do with one seed. So each task has all images with the first seed before the
    next task: one claim that is decided says more than four that are not.

    Args:
        size: side in pixels; None for the profile's own, and its coils. images: of each task.
    """
    by_N = {arm(N): dict(method="aseqdip", lam=1.0, N=N) | ONE for N in (2, 4, 1)}
    problems = []
    for problem in PROBLEMS:
        sizes = {} if size is None else dict(size=size) | (dict(coils=coils) if problem["task"] == "mri" else {})
        settings = {name: value for name, value in problem.items() if name != "images"} | sizes
        problems += [settings | dict(image=image) for image in problem["images"][:images]]
    return arms.blocks(by_N, problems, steps=steps, seeds=seeds, profile=profile)


def gather(found):
    """{"rows": see `arms.run_arms`} of [(label, row)]."""
    return dict(rows=rows_in(map(arm, NS), found))


def finals(ours):
    """{task: {N: mean PSNR at the last step}}."""
    tasks = dict.fromkeys(row["task"] for row in ours["rows"])
    return {task: {N: mean(rows_of(ours["rows"], arm(N), task=task), "final") for N in NS} for task in tasks}


def judge(ours):
    """One claim for each task: with N = 2 the PSNR at the last step is above that of the better one of N = 1 and N = 4.
    """
    table = finals(ours)
    won = [task for task, by_N in table.items() if max(by_N, key=by_N.get) == 2]
    claims = [highest(f"{task}: N = 2 ends highest", [row for row in ours["rows"] if row["task"] == task], arm(2),
                      "final", task) for task in table]
    numbers = "; ".join(f"{task} " + ", ".join(f"{value:.2f}" for value in by_N.values())
                        for task, by_N in table.items())
    return claims, (f"{one_rate(ours['rows'])} N = 2 ends highest on {len(won)} of {len(table)} tasks. PSNR at "
                    f"the last step for N = 1, 2, 4: {numbers}.")


def figure(ours):
    """PSNR at the last step by N, one group a task."""
    table, picture = finals(ours), Figure(figsize=(6.4, 3.2), layout="constrained")
    axis, places = picture.subplots(), np.arange(len(table))
    for index, (N, hatch) in enumerate(zip(NS, ("", "//", ".."), strict=True)):
        axis.bar(places + 0.27 * (index - 1), [by_N[N] for by_N in table.values()], 0.25, hatch=hatch,
                 edgecolor="white", label=arm(N))
    axis.set_xticks(places, [NAMES.get(task, task) for task in table])
    axis.set_ylabel("PSNR at the last step (dB)")
    axis.legend(ncols=len(NS), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return picture


RUNS = Runs("F10", blocks, gather, arms.course)
register(Experiment(
    id="F10", about="the last PSNR for several (N, K) with the same number N K of Adam steps, four tasks",
    published="with N K = 4000, (2, 2000) is better than (1, 4000) and (4, 1000)",
    profiles=dict(smoke=dict(size=32, coils=2, steps=4, progress=False),
                  laptop=dict(size=128, steps=1500, images=3, seeds=3, file="F_runs.jsonl"),
                  paper=dict(images=3, steps=4000, seeds=3, profile="paper", record_every=10,
                             file="F10_runs_paper.jsonl")),
    measure=RUNS.measure, runs=RUNS, judge=judge, figure=figure,
    alt="bars of the PSNR at the last step for N 1, 2 and 4 on MRI, CT, denoising and in-painting"))
