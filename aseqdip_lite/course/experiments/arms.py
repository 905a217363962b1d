"""What the experiments on whole runs share: arms, that is methods with settings, on the same problems and seeds."""

import statistics

from ...run.plots import plot_curves
from ...study.trials import Trial, record
from ..theory.grid import overfitting_start

#: Points that are kept of each curve.
POINTS = 150


def run_arms(arms, problems, *, steps, seeds=1, progress=True, label="runs"):
    """Run every arm on every problem with every seed, for the same number of Adam steps.

    Args:
        arms: {label: {"method": name, setting: value, ...}}; settings that are not given are the defaults
            of the profile "laptop".
        problems: [{"task": name, "image": name, setting: value, ...}].
        steps: Adam steps of every arm; seeds: number of seeds, each data seed and initialisation seed.
        progress, label: of the bar over all runs.

    Returns:
        [{"arm", "task", "image", "seed", "answers", "onset", "steps", "seconds", "curve"}]: "answers" as in
        `Recorder.answers`; "onset" the first step of overfitting or None, see `overfitting_start`; "curve" {"step",
        "psnr"}, thinned.
    """
    planned = [(name, trial_of(arm, problem, steps, seed)) for name, arm in arms.items() for problem in problems
               for seed in range(seeds)]
    rows = record([trial for _, trial in planned], read=course, progress=progress, label=label)
    return [dict(arm=name, task=row["task"], image=row["image"], seed=row["seed"], answers=row["answers"],
                 onset=row["onset"], steps=row["made"], seconds=row["seconds"], curve=row["curve"])
            for (name, _), row in zip(planned, rows, strict=True)]


def trial_of(arm, problem, steps, seed):
    """The `Trial` of an arm on a problem, as `run_arms` has them."""
    settings, problem = dict(arm), dict(problem)
    return Trial(problem.pop("task"), settings.pop("method"), problem, settings, steps, seed, data_seed=seed)


def course(trial, result):
    """The onset of overfitting and the thinned curve of a run."""
    psnr = result.curve["psnr"]
    every = max(len(psnr) // POINTS, 1)
    return dict(onset=overfitting_start(psnr), curve=dict(
        step=result.curve["step"][every - 1::every], psnr=[round(value, 3) for value in psnr[every - 1::every]]))


def rows_of(rows, arm, **which):
    """The rows of an arm, or of those of them with the given values, e.g. task="mri"."""
    return [row for row in rows if row["arm"] == arm and all(row[name] == value for name, value in which.items())]


def mean(rows, name):
    """Mean PSNR of an answer over rows, in dB."""
    return statistics.fmean(row["answers"][name]["psnr"] for row in rows)


def fall(rows):
    """Mean of the decibels from the peak to the last step."""
    return mean(rows, "oracle") - mean(rows, "final")


def onset(rows):
    """Median of the first step of overfitting; one past the last step for a run where it has not begun."""
    return statistics.median(row["steps"] + 1 if row["onset"] is None else row["onset"] for row in rows)


def onset_text(rows):
    """The onset in words; "none by step n" where it is past the last step."""
    step, last = onset(rows), max(row["steps"] for row in rows)
    return f"none by step {last}" if step > last else f"step {step:g}"


def mean_curves(rows):
    """{arm: (steps, mean PSNR over its runs)} for `plot_curves`; runs that ended early are left out of the mean."""
    curves = {}
    for arm in dict.fromkeys(row["arm"] for row in rows):
        group = rows_of(rows, arm)
        longest = max((row["curve"] for row in group), key=lambda curve: len(curve["step"]))
        whole = [row["curve"]["psnr"] for row in group if len(row["curve"]["step"]) == len(longest["step"])]
        curves[arm] = (longest["step"], [statistics.fmean(values) for values in zip(*whole, strict=True)])
    return curves


def draw_curves(rows):
    """Mean PSNR against Adam steps, one line an arm, its peak circled."""
    curves = mean_curves(rows)
    marks = {}
    for arm, (steps, psnr) in curves.items():
        top = max(range(len(psnr)), key=psnr.__getitem__)
        marks[arm] = (steps[top], psnr[top])
    return plot_curves(curves, marks=marks)
