"""W1: do lam and N act through the one number N (1 + lam)? (A question of the course's own; `theory.friction` has why.)

The settings were fixed on 2026-11-30, before the first of their runs: six values of N (1 + lam), and of each three
pairs that are as far apart as the value allows, N = 1 with a large lam, lam = 0 with a large N, and one between.
"""

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from ...run.plots import NAMES
from ...study.statistics import difference
from .. import stored
from ..theory import peaks, shares
from ..theory.friction import product
from . import Experiment, register
from .verdicts import claim, graded

#: (N, lam), three for each of the products 3, 4, 6, 10, 16 and 32.
PAIRS = ((1, 2.0), (2, 0.5), (3, 0.0), (1, 3.0), (2, 1.0), (4, 0.0), (1, 5.0), (2, 2.0), (6, 0.0),
         (1, 9.0), (4, 1.5), (10, 0.0), (1, 15.0), (4, 3.0), (16, 0.0), (1, 31.0), (4, 7.0), (32, 0.0))

#: The number of a setting that is asked to explain the peak; all are used with `DEGREE` free parameters.
NUMBERS = {"N (1 + lam)": product, "N": lambda lam, N: N, "1 + lam": lambda lam, N: 1 + lam}
DEGREE = 5

#: Shares and leads by which the law holds, decibels by which two settings are alike: see `judge`.
SHARE, HALF, LEAD, ALIKE = 0.75, 0.5, 0.2, 0.5


def measure(tasks=("denoising", "mri"), images=4, seeds=3, size=64, steps=500, pairs=None, file=None, progress=True,
            workers=None):
    """The peak of every pair on every image.

    Args:
        tasks, images, seeds, size, steps: see `peaks.plan`. pairs: how many of `PAIRS`; None for all.
        file, progress, workers: see `peaks.record`.

    Returns:
        {"tasks": {task: see `summary`}, "grid": see `stored_grid`, "runs": number, "steps": Adam steps made}.
    """
    arms = [dict(N=N, lam=lam) for N, lam in PAIRS[:pairs]]
    rows = peaks.record(peaks.plan(arms, tasks=tasks, images=images, seeds=seeds, size=size, steps=steps), file=file,
                        workers=workers, progress=progress, title="W1")
    return dict(tasks={task: summary([row for row in rows if row["task"] == task], arms) for task in tasks},
                grid=stored_grid(), runs=len(rows), steps=sum(row["step"][-1] for row in rows))


def summary(rows, arms):
    """What the runs of a task say.

    Returns:
        {"images", "N", "lam", "peak": [image][setting][seed] PSNR in dB, "at": mean step of the peak of each setting,
        "late": share of its runs whose peak lies in the last tenth of the budget, "lost": share that has begun to
        overfit, "explained": {number: see `shares.explained`}, "ceiling", "slopes": dB per doubling of N and 1 + lam}.
    """
    names, of = list(dict.fromkeys(row["image"] for row in rows)), {}
    for row in rows:
        of.setdefault((row["image"], row["N"], row["lam"]), []).append(row)
    settings = [(arm["N"], arm["lam"]) for arm in arms]
    each = [[row for name in names for row in of[name, *pair]] for pair in settings]
    table = [[[row["psnr"][1] for row in of[name, *pair]] for pair in settings] for name in names]
    found = dict(images=names, N=[N for N, _ in settings], lam=[lam for _, lam in settings], peak=table,
                 at=[float(np.mean([row["step"][1] for row in group])) for group in each],
                 late=[float(np.mean([row["step"][1] > 0.9 * row["steps"] for row in group])) for group in each],
                 lost=[float(np.mean([row["step"][2] is not None for row in group])) for group in each])
    return found | analysed(found)


def analysed(found):
    """The last three entries of `summary` from the others; nothing of a single image."""
    table = np.mean(found["peak"], axis=2)
    if len(table) < 2:
        return dict(explained=None, ceiling=None, slopes=None)
    numbers = {name: [number(lam, N) for N, lam in zip(found["N"], found["lam"], strict=True)]
               for name, number in NUMBERS.items()}
    several = np.shape(found["peak"])[2] > 1
    return dict(explained={name: shares.explained(table, values, DEGREE) for name, values in numbers.items()},
                ceiling=shares.ceiling(found["peak"]) if several else None,
                slopes=shares.slopes(table, {name: numbers[name] for name in ("N", "1 + lam")}))


def stored_grid():
    """{task: {number: Spearman's rank correlation of the mean peak with it}} over the settings of the stored grid, all
    with a moving input: what suggested the law, and no test of it.
    """
    rows = [row for row in stored("grid/grid") if row["input"] == "moving"]
    found = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        cells = {}
        for row in rows:
            if row["task"] == task and row["psnr"]["best"] is not None:
                cells.setdefault((row["N"], row["lam"]), []).append(row["psnr"]["best"])
        means = [np.mean(values) for values in cells.values()]
        found[task] = {name: float(spearmanr([number(lam, N) for N, lam in cells], means).statistic)
                       for name, number in NUMBERS.items()}
    return found


def groups(found):
    """{N (1 + lam): positions of its settings} of an entry of `measure`."""
    values = {}
    for index, (N, lam) in enumerate(zip(found["N"], found["lam"], strict=True)):
        values.setdefault(round(product(lam, N), 6), []).append(index)
    return values


def widest(found):
    """[(product, (N, lam) of the higher, of the lower, `difference` of the two)] of the two settings of each product
    that are farthest apart in the mean.
    """
    lines, peak = [], np.array(found["peak"])
    for value, indices in groups(found).items():
        order = sorted(indices, key=lambda index: peak[:, index].mean())
        low, high = order[0], order[-1]
        gaps = {name: list(peak[row, high] - peak[row, low]) for row, name in enumerate(found["images"])}
        pairs = [(found["N"][index], found["lam"][index]) for index in (high, low)]
        lines.append((value, *pairs, difference(gaps)))
    return lines


def law(task, found):
    """The claim that N (1 + lam) decides the peak, see `judge`."""
    text = f"{task}: the peak depends on lam and N through N (1 + lam)"
    if not found["explained"] or len(found["N"]) < len(PAIRS):
        return claim(text, "not tested", "too few images or settings")
    said = found["explained"]
    mine, others = said["N (1 + lam)"], [said[name] for name in NUMBERS if name != "N (1 + lam)"]
    best = max(other["share"] for other in others)
    everywhere = all(value > other["images"][index] for other in others for index, value in enumerate(mine["images"]))
    word = graded(mine["share"] >= SHARE and mine["share"] >= best + LEAD and everywhere,
                  mine["share"] < HALF or mine["share"] <= best)
    words = ", ".join(f"{name} {part['share']:.2f} (" + "; ".join(f"{value:.2f}" for value in part["images"]) + ")"
                      for name, part in said.items())
    bound = "unknown" if found["ceiling"] is None else f"{found['ceiling']:.2f}"
    return claim(text, word, f"share of the variance within images that is predicted on the image left out (each "
                 f"image): {words}; the most that the noise of the seeds leaves to predict: {bound}")


def collapse(task, found):
    """The claim that settings of one product peak alike, see `judge`."""
    text = f"{task}: settings with one N (1 + lam) peak within {ALIKE} dB of each other"
    lines = widest(found)
    if len(found["images"]) < 3 or any(line[-1]["floor"] is None for line in lines) or len(found["N"]) < len(PAIRS):
        return claim(text, "not tested", "too few images, seeds or settings")
    word = graded(all(gap["mean"] + gap["floor"] <= ALIKE for *_, gap in lines),
                  any(gap["mean"] - gap["floor"] > ALIKE for *_, gap in lines))
    return claim(text, word, "the two settings of each product that are farthest apart, higher first: " + "; ".join(
        f"{value:g}: N {high[0]} lam {high[1]:g} over N {low[0]} lam {low[1]:g} by {gap['mean']:.2f}, noise floor "
        f"{gap['floor']:.2f} dB" for value, high, low, gap in lines))


def judge(ours):
    """Written on 2026-11-30, before the runs; the claims are ours. For each task there are two. First: N (1 + lam) as a
    factor with six levels predicts, on the image that is left out, `SHARE`, 0.75, of the variance of the peak within
    images, at least `LEAD`, 0.2, more than N alone and than 1 + lam alone with as many free parameters, and more than
    both on each image (agree); or it predicts less than `HALF`, 0.5, or no more than one of the others (disagree).
    Second: for every product, the two settings that are farthest apart differ by at most `ALIKE`, 0.5 dB, with the
    noise floor added (agree); or those of some product differ by more even with the noise floor subtracted
    (disagree)."""
    claims = [make(task, found) for task, found in ours["tasks"].items() for make in (law, collapse)]
    words = [f"{task}: {found['slopes']['N']:+.2f} dB per doubling of N, {found['slopes']['1 + lam']:+.2f} dB per "
             f"doubling of 1 + lam; {100 * np.mean(found['late']):.0f} % of the runs peak in the last tenth of the "
             f"budget, and {100 * np.mean(found['lost']):.0f} % have begun to overfit"
             for task, found in ours["tasks"].items() if found["slopes"]]
    grid = "; ".join(f"{task} " + ", ".join(f"{name} {value:.2f}" for name, value in numbers.items())
                     for task, numbers in ours["grid"].items())
    return claims, " ".join([f"{ours['runs']} runs, {ours['steps']} Adam steps.", *(f"{each}." for each in words),
                             "The stored grid, which suggested the law: rank correlation of the mean peak with each "
                             f"number, {grid}."])


def figure(ours):
    """The peak, without what the image adds, against N (1 + lam), N and 1 + lam: a row a task, one color a product."""
    picture = Figure(figsize=(9.6, 0.4 + 2.9 * len(ours["tasks"])), layout="constrained")
    axes = picture.subplots(len(ours["tasks"]), len(NUMBERS), squeeze=False, sharey="row")
    for row, (task, found) in zip(axes, ours["tasks"].items(), strict=True):
        table = shares.centred(np.mean(found["peak"], axis=2))
        for axis, (name, number) in zip(row, NUMBERS.items(), strict=True):
            for color, (value, indices) in enumerate(groups(found).items()):
                for marker, index in zip("os^", indices, strict=False):
                    x = [number(found["lam"][index], found["N"][index])] * len(table)
                    axis.plot(x, table[:, index], marker, color=f"C{color}", markersize=4, alpha=0.8, linestyle="none",
                              label=f"{value:g}" if marker == "o" else None)
            axis.set_xscale("log", base=2)
            axis.grid(alpha=0.3)
            words = f": predicts {round(100 * found['explained'][name]['share'])} %" if found["explained"] else ""
            axis.set(xlabel=name, title=NAMES.get(task, task) + words)
        row[0].set_ylabel("peak minus the image's mean (dB)")
    axes[0, -1].legend(title="N (1 + lam)", fontsize=7, title_fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return picture


register(Experiment(
    id="W1", about="why aSeqDIP works, 1: whether lam and N act through N (1 + lam)",
    published="lam and N are two settings that are searched separately (section 4); nothing on how they act together",
    profiles=dict(smoke=dict(images=2, seeds=2, size=32, steps=2, pairs=4, tasks=("denoising",), progress=False),
                  laptop=dict(images=4, seeds=3, size=64, steps=500, file="W_runs.jsonl"),
                  paper=dict(images=4, seeds=5, size=128, steps=2000, file="W_runs_paper.jsonl")),
    measure=measure, judge=judge, figure=figure,
    alt="the peak PSNR of each setting on each image, minus the image's mean, against N (1 + lam), against N and "
        "against 1 + lam; colors are the values of N (1 + lam), markers its three settings"))
