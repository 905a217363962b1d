"""F10: Adam steps per stage against stages, at a fixed number of steps (aSeqDIP paper, Fig. 10)."""

import numpy as np
from matplotlib.figure import Figure

from . import Experiment, register
from .arms import highest, mean, rows_of, run_arms

NS = (1, 2, 4)
PROBLEMS = (dict(task="mri", image="brain-070"), dict(task="ct", image="ct-head", views=18),
            dict(task="denoising", image="astronaut", sigma=25.0),
            dict(task="inpainting", image="astronaut", hiar=0.25))


def arm(N):
    """Name of the arm of an N."""
    return f"N {N}"


def measure(size, steps, coils=8, seeds=1, progress=True):
    """aSeqDIP with lam 1 and each N of `NS` on four tasks, N K = steps: {"rows": see `arms.run_arms`}."""
    arms = {arm(N): dict(method="aseqdip", lam=1.0, N=N, lr=3e-4, network="lite") for N in NS}
    problems = [problem | dict(size=size) | (dict(coils=coils) if problem["task"] == "mri" else {})
                for problem in PROBLEMS]
    return dict(rows=run_arms(arms, problems, steps=steps, seeds=seeds, progress=progress, label="F10"))


def finals(ours):
    """{task: {N: mean PSNR at the last step}}."""
    tasks = dict.fromkeys(row["task"] for row in ours["rows"])
    return {task: {N: mean(rows_of(ours["rows"], arm(N), task=task), "final") for N in NS} for task in tasks}


def judge(ours):
    """One claim for each task: with N = 2 the last PSNR is above that of the better one of N = 1 and N = 4."""
    table = finals(ours)
    won = [task for task, by_N in table.items() if max(by_N, key=by_N.get) == 2]
    claims = [highest(f"{task}: N = 2 ends highest", [row for row in ours["rows"] if row["task"] == task], arm(2),
                      "final", task) for task in table]
    numbers = "; ".join(f"{task} " + ", ".join(f"{value:.2f}" for value in by_N.values())
                        for task, by_N in table.items())
    return claims, ("Learning rate 3e-4 in all arms. "
                    f"N = 2 ends highest on {len(won)} of {len(table)} tasks. PSNR at the last step for "
                    f"N = 1, 2, 4: {numbers}.")


def figure(ours):
    """PSNR at the last step by N, one group a task."""
    table, picture = finals(ours), Figure(figsize=(6.4, 3.2), layout="constrained")
    axis, places = picture.subplots(), np.arange(len(table))
    for index, (N, hatch) in enumerate(zip(NS, ("", "//", ".."), strict=True)):
        axis.bar(places + 0.27 * (index - 1), [by_N[N] for by_N in table.values()], 0.25, hatch=hatch,
                 edgecolor="white", label=arm(N))
    axis.set_xticks(places, list(table))
    axis.set_ylabel("PSNR at the last step (dB)")
    axis.legend(ncols=len(NS), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return picture


register(Experiment(
    id="F10", about="(N, K) at a fixed number N K of Adam steps, four tasks",
    published="N K = 4000: (2, 2000) best, against (1, 4000) and (4, 1000)",
    profiles=dict(smoke=dict(size=32, coils=2, steps=4, progress=False), laptop=dict(size=128, steps=1500),
                  paper=dict(size=512, coils=15, steps=4000, seeds=3)),
    measure=measure, judge=judge, figure=figure,
    alt="bars of the PSNR at the last step for N 1, 2 and 4 on MRI, CT, denoising and in-painting"))
