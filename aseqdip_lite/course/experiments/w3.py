"""W3: is it the damping? The input is calmed without the autoencoding term, by a weaker pull: our own question.

With lam = 0 the input moves by z <- (1 - rho) z + rho f(z), a share rho of its way (`theory.friction`). It is held
against lam 1, and against what could look like friction: an input that stays, at the same and at a lower rate, and an
average of the outputs. Three things are kept apart: how good the image gets (peak), when it is lost again (onset), and
how long it takes (rise). The runs are in W1's file, and those that W1 has are not made again.
"""

import math
import statistics

from matplotlib.figure import Figure

from ...run.plots import NAMES
from ...study.statistics import difference
from ..theory import peaks
from . import Experiment, register
from .arms import by_image
from .verdicts import by_signs, claim, compared, graded

#: The arms; N is 2 where nothing is said, lr in multiples of the common rate.
ARMS = {"lam 0": dict(lam=0.0), "lam 0, rho 0.5": dict(lam=0.0, rho=0.5), "lam 0, rho 0.25": dict(lam=0.0, rho=0.25),
        "lam 0, rho 0.1": dict(lam=0.0, rho=0.1), "lam 1": dict(lam=1.0), "fixed input": dict(lam=0.0, N=None),
        "fixed input, lr / 5": dict(lam=0.0, N=None, lr=0.2)}

#: The arm that the claims are about, chosen before the runs.
DAMPED = "lam 0, rho 0.25"

#: Decibels by which two arms are alike.
ALIKE = 0.5


def measure(tasks=("denoising", "mri"), images=4, seeds=3, size=64, steps=500, file=None, progress=True,
            workers=None):
    """Every arm on every image.

    Args:
        tasks, images, seeds, size, steps: see `peaks.plan`. file, progress, workers: see `peaks.record`.

    Returns:
        {"rows": [{"arm", "task", "image", "seed", "peak", "mean", "final", "rise", "at", "onset", "made"}], "steps":
        Adam steps made}: see `peaks.measured`; "at" is the step of the peak, "made" the last.
    """
    runs = [dict(run, arm=arm) for arm, settings in ARMS.items()
            for run in peaks.plan([settings | dict(lr=peaks.LR * settings.get("lr", 1.0))], tasks=tasks, images=images,
                                  seeds=seeds, size=size, steps=steps)]
    rows = peaks.record(runs, file=file, workers=workers, progress=progress, title="W3")
    return dict(rows=[short(row) for row in rows], steps=sum(row["step"][-1] for row in rows))


def short(row):
    """A run as `measure` returns it."""
    _, peak, final = row["psnr"]
    rise, at, onset, made = row["step"]
    return {name: row[name] for name in ("arm", "task", "image", "seed")} | dict(
        peak=peak, mean=row["mean"], final=final, rise=rise, at=at, onset=onset, made=made)


def gaps(rows, arm, other, value=lambda row: row["peak"], against=None):
    """{image: [value of a run of `arm` minus that of `other` with its seed]}; `against`: another value of the other."""
    mine, theirs = ([row for row in rows if row["arm"] == name] for name in (arm, other))
    return by_image(mine, theirs, lambda row, paired: value(row) - (against or value)(paired))


def averaged(row):
    """The highest peak of the averages of a run's outputs."""
    return max(row["mean"])


def sooner(row, other):
    """+1 if another run begins to overfit before this one, -1 if after it, 0 if it cannot be told."""
    mine, theirs = row["onset"], other["onset"]
    if theirs is not None and (mine or row["made"]) > theirs:
        return 1
    return -1 if mine is not None and (theirs or other["made"]) > mine else 0


def late(rows, arm):
    """Share of the runs of an arm that peak in the last tenth of their steps: more steps might have raised them."""
    return statistics.fmean(row["at"] > 0.9 * row["made"] for row in rows if row["arm"] == arm)


def lower(text, rows, arm, task, against=None):
    """The claim that an arm peaks lower than `DAMPED`, see `judge`; `against`: see `gaps`."""
    found, share = compared(text, gaps(rows, DAMPED, arm, against=against), task), late(rows, arm)
    if found["verdict"] != "agree" or share < 0.5:
        return found
    return claim(text, "undecided",
                 f"{found['why']}; {100 * share:.0f} % of the runs of {arm} peak in the last tenth of their steps")


def alike(text, found):
    """The claim that a `difference` is at most `ALIKE`, noise floor added (agree) or taken off (disagree)."""
    if len(found["values"]) < 3 or found["floor"] is None:
        return claim(text, "not tested", "too few images or seeds")
    size, floor = abs(found["mean"]), found["floor"]
    values = ", ".join(f"{value:+.2f}" for value in found["values"])
    return claim(text, graded(size + floor <= ALIKE, size - floor > ALIKE),
                 f"{found['mean']:+.2f} dB (each image: {values}); noise floor {floor:.2f} dB")


def judge(ours):
    """Written on 2026-11-30, before the runs; the claims are ours, on lam 0 with rho 0.25, for each task. By the rule
    on differences, this arm peaks above undamped lam 0, above a fixed input at a fifth of the rate (so slowness alone
    does not explain it), and above the better of two averages of the undamped outputs (so averaging alone does not
    explain it). Its peak equals that of lam 1 within `ALIKE`, 0.5 dB, with the noise floor added (agree), or differs by
    more even with the noise floor subtracted (disagree). By the same rule rho 0.5 peaks as high as lam 1, which follows
    from N (1 + lam) / rho in `theory.friction`. By the rule on orders, over all images and seeds, lam 1 overfits before
    this arm. Added on the same day, after the runs: a claim that an arm peaks lower is undecided if at least half of
    that arm's runs peak in the last tenth of their steps, because more steps might have raised them."""
    claims, words = [], []
    for task in dict.fromkeys(row["task"] for row in ours["rows"]):
        rows = [row for row in ours["rows"] if row["task"] == task]
        onsets = by_image(*([row for row in rows if row["arm"] == arm] for arm in (DAMPED, "lam 1")), sooner)
        counted = [sign for seeds in onsets.values() for sign in seeds]
        claims += [lower(f"{task}: without the term, damping raises the peak", rows, "lam 0", task),
                   alike(f"{task}: damping alone reaches the same peak as lam 1",
                         difference(gaps(rows, DAMPED, "lam 1"))),
                   alike(f"{task}: rho 0.5 reaches the same peak as lam 1, as N (1 + lam) / rho predicts",
                         difference(gaps(rows, "lam 0, rho 0.5", "lam 1"))),
                   lower(f"{task}: slowness alone does not explain the peak: a fixed input at a fifth of the rate "
                         "peaks lower", rows, "fixed input, lr / 5", task),
                   lower(f"{task}: averaging alone does not explain the peak: the averaged outputs of the undamped "
                         "run peak lower", rows, "lam 0", task, averaged),
                   by_signs(f"{task}: lam 1 begins to overfit before the damped run", onsets,
                            f"before it in {counted.count(1)}, after it in {counted.count(-1)}, unknown in "
                            f"{counted.count(0)} runs")]
        words.append(f"{task}: mean peak in dB, its step, the step of the rise, share of runs that peak in the last "
                     "tenth of their steps: "
                     + "; ".join(f"{arm} {peak:.2f}, {at:.0f}, {rise:.0f}, {100 * late(rows, arm):.0f} %"
                                 for arm, (peak, at, rise) in means(rows).items()))
    return claims, f"{len(ours['rows'])} runs, {ours['steps']} Adam steps. {'. '.join(words)}."


def means(rows):
    """{arm: means of the peak in dB, of its step and of the step of the rise}."""
    of = {arm: [row for row in rows if row["arm"] == arm] for arm in dict.fromkeys(row["arm"] for row in rows)}
    return {arm: tuple(statistics.fmean(row[name] for row in mine) for name in ("peak", "at", "rise"))
            for arm, mine in of.items()}


def figure(ours):
    """A row a task: the peak of each arm minus that of lam 1, the step of the rise, and the onset; a dot a run.

    Bars: medians, for which runs that have not begun to overfit come last.
    """
    tasks = list(dict.fromkeys(row["task"] for row in ours["rows"]))
    picture = Figure(figsize=(9.6, 0.4 + 2.4 * len(tasks)), layout="constrained")
    axes = picture.subplots(len(tasks), 3, squeeze=False, sharey=True)
    names = ("peak minus that of lam 1 (dB)", "step of the rise", "onset of overfitting (step)")
    for row, task in zip(axes, tasks, strict=True):
        mine = [run for run in ours["rows"] if run["task"] == task]
        base = {(run["image"], run["seed"]): run["peak"] for run in mine if run["arm"] == "lam 1"}
        for place, arm in enumerate(ARMS):
            runs = [run for run in mine if run["arm"] == arm]
            columns = [[run["peak"] - base[run["image"], run["seed"]] for run in runs], [run["rise"] for run in runs],
                       [run["onset"] for run in runs if run["onset"] is not None]]
            for axis, values in zip(row, columns, strict=True):
                axis.plot(values, [place] * len(values), ".", color=f"C{place}", alpha=0.5)
                middle = statistics.median([*values, *[math.inf] * (len(runs) - len(values))])  # unseen ones come last
                if middle < math.inf:
                    axis.plot(middle, place, "|", color="black", markersize=14)
            later = [run["made"] for run in runs if run["onset"] is None]
            row[2].plot(later, [place] * len(later), ">", color=f"C{place}", fillstyle="none", markersize=4)
        for axis, name in zip(row, names, strict=True):
            axis.set(xlabel=name, title=NAMES.get(task, task) if axis is row[0] else None)
            axis.grid(alpha=0.3)
        row[0].axvline(0, color="0.5", linewidth=0.8)
    axes[0, 0].set_yticks(range(len(ARMS)), ARMS)
    axes[0, 0].invert_yaxis()
    return picture


register(Experiment(
    id="W3", about="why aSeqDIP works, 3: whether damping the input does what the autoencoding term does",
    published="section 3: the autoencoding term acts as an implicit regulariser and delays overfitting",
    profiles=dict(smoke=dict(tasks=("denoising",), images=1, seeds=2, size=32, steps=2, progress=False),
                  laptop=dict(images=4, seeds=3, size=64, steps=500, file="W_runs.jsonl"),
                  paper=dict(images=4, seeds=5, size=128, steps=2000, file="W_runs_paper.jsonl")),
    measure=measure, judge=judge, figure=figure,
    alt="one row for each arm: the peak PSNR of its runs minus that of lam 1, the step of their rise, and the step at "
        "which they begin to overfit, open triangles where that has not come by their last step"))
