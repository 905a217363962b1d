"""What the experiments on whole runs share: arms, that is methods with settings, on the same problems and seeds."""

import statistics

from ...methods import configure, get
from ...run.plots import plot_curves
from ...run.stopping import StopReason
from ...study.trials import Trial
from ..theory.grid import overfitting_start
from .published import Runs
from .verdicts import compared

#: The settings of each task that all runs have: zero is black in noisy and blurred pictures and the mean of the known
#: pixels in those with a hole, answers keep their own known pixels, and z_0 of CT and of in-painting is A^T y.
TASK_SETTINGS = {"mri": {}, "ct": dict(start="paper"), "denoising": dict(fill="zero"),
                 "inpainting": dict(fill="mean", start="paper", paste=False), "deblurring": dict(fill="zero")}

#: The same at the published size: the hole is black.
PUBLISHED_SETTINGS = TASK_SETTINGS | {"inpainting": dict(fill="zero", start="paper", paste=False)}

#: aSeqDIP's settings where an arm is to have those that the search found for the U-Net "lite" (`docs/SEARCH.md`).
SEARCHED = {"mri": dict(network="lite", lr=1e-3, lam=1.0, N=10), "ct": dict(network="lite", lr=1e-3, lam=0.1, N=10),
            "denoising": dict(network="lite", lr=3e-4, lam=4.0, N=2),
            "inpainting": dict(network="lite", lr=3e-4, lam=1.0, N=2),
            "deblurring": dict(network="lite", lr=3e-3, lam=1.0, N=2)}

#: The Adam steps that it found with them.
BUDGET = {"mri": 1600, "ct": 1500, "denoising": 900, "inpainting": 1400, "deblurring": 1200}

#: Settings of an arm that belong to the narrow network; at the published size they are the published ones.
NARROW = ("network", "lr")

#: Network and learning rate of arms that differ in the method, or in lam and N, alone.
ONE = dict(lr=3e-4, network="lite")

#: The slices of MRI of such arms.
BRAINS = ("brain-070", "brain-096", "brain-056")

#: Steps over which a PSNR is smoothed before an onset is looked for.
SMOOTH = 50

#: Points that are kept of each curve.
POINTS = 150

#: Decibels between two kept points, and steps after the onset, by which a fall is a collapse of the optimiser.
COLLAPSE, SOON = 2.0, 100


def run_arms(arms, problems, *, steps, seeds=1, progress=True, label="runs"):
    """Run every arm on every problem with every seed, for the same number of Adam steps.

    Args:
        arms: {label: {"method": name, setting: value, ...}}; settings that are not given are the defaults
            of the profile "laptop".
        problems: [{"task": name, "image": name, setting: value, ...}]; others are those of `TASK_SETTINGS`.
        steps: Adam steps of every arm; seeds: number of seeds, each data seed and initialisation seed.
        progress, label: of the bar over all runs.

    Returns:
        [{"arm", "task", "image", "seed", "answers", "onset", "steps", "stop_reason", "seconds", "lr", "curve"}]:
        "answers" as in `Recorder.answers`; "onset" the first step of overfitting or None, see `overfitting_start`; "lr"
        Adam's learning rate; "curve" {"step", "psnr"}, thinned.
    """
    runs = Runs(label, blocks, lambda found: rows_in(arms, found), course)
    return runs.measure(arms=arms, problems=problems, steps=steps, seeds=seeds, progress=progress)


def blocks(arms, problems, *, steps, seeds=1, profile="laptop"):
    """[(label, Trial)] of all arms on a problem with a seed, for each seed and problem; others: see `run_arms`.

    profile: "paper" for the published settings, `PUBLISHED_SETTINGS` and no `NARROW` network.
    """
    return [[(label, trial_of(arm, problem, steps, seed, profile)) for label, arm in arms.items()]
            for seed in range(seeds) for problem in problems]


def trial_of(arm, problem, steps, seed, profile="laptop"):
    """The `Trial` of an arm on a problem, as `blocks` has them, with all settings of its method."""
    fixed = PUBLISHED_SETTINGS if profile == "paper" else TASK_SETTINGS
    settings = {name: value for name, value in arm.items() if profile != "paper" or name not in NARROW}
    problem, name = dict(problem), settings.pop("method")
    task = problem.pop("task")
    method = configure(name, task, profile, steps if get(name).budget else None, **settings)
    return Trial(task, name, fixed[task] | problem, method.to_dict(), steps, seed, seed, profile)


def rows_in(order, found):
    """The rows of `run_arms` of [(label, row of a `Trial`)], with the arms in this order of their labels."""
    order = list(order)
    return sorted((dict(arm=label, task=row["task"], image=row["image"], seed=row["seed"], answers=row["answers"],
                        onset=row["onset"], steps=row["made"], stop_reason=row["stop_reason"], seconds=row["seconds"],
                        lr=row["settings"].get("lr"), curve=row["curve"])
                   for label, row in found), key=lambda row: order.index(row["arm"]))


def course(trial, result):
    """The onset of overfitting and the thinned curve of a run."""
    step, psnr = result.curve["step"], result.curve["psnr"]
    between, thin = step[0], max(len(psnr) // POINTS, 1)  # the first recorded step is the distance of all
    onset = overfitting_start(psnr, max(SMOOTH // between, 1))
    return dict(onset=onset and onset * between, curve=dict(
        step=step[thin - 1::thin], psnr=[round(value, 3) for value in psnr[thin - 1::thin]]))


def ends(trial, result):
    """Of a run's answers the start and the last one, for rows that nobody asks more of."""
    answers = result.metrics["answers"]
    return dict(answers={name: {score: answers[name][score] for score in ("psnr", "ssim")}
                         for name in ("start", "final")})


def rows_of(rows, arm, **which):
    """The rows of an arm, or of those of them with the given values, e.g. task="mri"."""
    return [row for row in rows if row["arm"] == arm and all(row[name] == value for name, value in which.items())]


def mean(rows, name):
    """Mean PSNR of an answer over rows, in dB."""
    return statistics.fmean(row["answers"][name]["psnr"] for row in rows)


def fall(rows):
    """Mean of the decibels from the peak to the last step."""
    return mean(rows, "oracle") - mean(rows, "final")


def event(row):
    """("overfitting", "collapse" or "none", step): how the fall of a run's PSNR begins, or its last step without one.

    A collapse is a run that ended as a dead or diverged network, or a fall of more than `COLLAPSE` dB between two kept
    points within `SOON` steps of the onset: the optimiser has lost its way, which is no fitting of noise.
    """
    if row.get("stop_reason") in (StopReason.DEAD, StopReason.DIVERGED):
        return "collapse", row["steps"]
    if row["onset"] is None:
        return "none", row["steps"]
    steps, psnr = row["curve"]["step"], row["curve"]["psnr"]
    falls = [step for step, before, after in zip(steps[1:], psnr, psnr[1:], strict=False)
             if before - after > COLLAPSE and abs(step - row["onset"]) <= SOON]
    return ("collapse", falls[0]) if falls else ("overfitting", row["onset"])


def later(first, second):
    """+1 if the second run begins to overfit after the first, -1 if before, 0 if it cannot be told: a run that has not
    begun, or has collapsed, overfits at an unknown step after that.
    """
    (kind, step), (other, after) = event(first), event(second)
    if kind == "overfitting" and (other == "overfitting" or after >= step):
        return 1 if after > step or other != "overfitting" else -1
    return -1 if other == "overfitting" and step >= after else 0


def lasts(row, step):
    """+1 if a run does not overfit before a step, -1 if it does, 0 if it ended or collapsed before."""
    kind, at = event(row)
    return -1 if kind == "overfitting" and at < step else 1 if at >= step else 0


def by_image(rows, others, value):
    """{image: [value(row, other) of each seed]} of the rows of two arms."""
    found, paired = {}, {(row["image"], row["seed"]): row for row in others}
    for row in rows:
        found.setdefault(row["image"], []).append(value(row, paired[row["image"], row["seed"]]))
    return found


def highest(text, rows, arm, name, task):
    """The claim that an arm's answer is above that of all other arms: `verdicts.compared` with the best of them."""
    others = [other for other in dict.fromkeys(row["arm"] for row in rows) if other != arm]
    best = max(others, key=lambda other: mean(rows_of(rows, other), name))
    gaps = by_image(rows_of(rows, arm), rows_of(rows, best),
                    lambda row, other: row["answers"][name]["psnr"] - other["answers"][name]["psnr"])
    return compared(f"{text} (the best other is {best})", gaps, task)


def one_rate(rows):
    """A sentence with the learning rate of all rows."""
    return f"Learning rate {rows[0]['lr']:.0e} in all arms.".replace("e-0", "e-")


def onset_text(rows):
    """How the fall of each run begins, in words."""
    words = dict(overfitting="step {}", collapse="collapse at step {}", none="none by step {}")
    return ", ".join(words[kind].format(step) for kind, step in map(event, rows))


def mean_curves(rows):
    """{arm: (steps, mean PSNR over its runs)} for `plot_curves`; runs that ended early are left out of the mean."""
    curves = {}
    for arm in dict.fromkeys(row["arm"] for row in rows):
        group = rows_of(rows, arm)
        longest = max((row["curve"] for row in group), key=lambda curve: len(curve["step"]))
        whole = [row["curve"]["psnr"] for row in group if len(row["curve"]["step"]) == len(longest["step"])]
        curves[arm] = (longest["step"], [statistics.fmean(values) for values in zip(*whole, strict=True)])
    return curves


def draw_curves(ours):
    """The figure of {"rows"}: mean PSNR against Adam steps, one line an arm, its peak circled; classic methods and the
    start as level lines.
    """
    curves = mean_curves(ours["rows"])
    marks = {}
    for arm, (steps, psnr) in curves.items():
        if len(psnr) > 1:
            top = max(range(len(psnr)), key=psnr.__getitem__)
            marks[arm] = (steps[top], psnr[top])
    return plot_curves(curves | dict(start=([0], [mean(ours["rows"], "start")])), marks=marks)
