"""The study of lam by itself: `--lam auto` against the best fixed lam and N, on images that the rule was not made on.

Two parts, run one after the other; trials already stored in results/adaptive.json are not run again, so an
interrupted study goes on where it was.

* "search": the fixed (lam, N) of `GRID` on the tuning image of each task, with the budget of the defaults. The
  best mean final PSNR wins.
* "test": the arms of `ARMS`, that winner among them, on three other images, both published settings of each task,
  with twice that budget; each curve is read at the budget and at its double.

    python scripts/adaptive.py                      run what is left, print the tables
    python scripts/adaptive.py --tasks denoising    of these tasks alone
    python scripts/adaptive.py --report             print the tables of what is stored
"""

import argparse
import json
from pathlib import Path

from trials import record, stored

from aseqdip_lite import configure, load_case, reconstruct
from aseqdip_lite.experiments.t2 import TASKS
from aseqdip_lite.statistics import interval

ROOT = Path(__file__).parent.parent
FILE = ROOT / "results" / "adaptive.json"

#: The tuning image of each task, with its settings.
TUNING = {"mri": dict(image="brain-076"), "ct": dict(image="ct-brain", views=30),
          "denoising": dict(image="chelsea", sigma=25.0), "inpainting": dict(image="chelsea", hiar=0.25),
          "deblurring": dict(image="chelsea")}

#: The fixed settings that compete on it; lr is the default's.
GRID = [dict(lam=lam, N=N) for N in (2, 10) for lam in (0.25, 1.0, 4.0, 16.0, 64.0)]

#: What runs on the test images. "fixed" is the winner of the search. The last four take one part of the rule away:
#: lam does not grow, so that the run ends when the prediction has ceased to improve; the last input in place of the
#: average; lam growing by the clock; and growing from the step at which the residual is white, with nothing held out.
ARMS = {
    "default": ("aseqdip", {}),
    "fixed": ("aseqdip", None),
    "auto": ("aseqdip", dict(lam="auto")),
    "auto, lam stays": ("aseqdip", dict(lam="heldout:most=1")),
    "auto, no average": ("aseqdip", dict(lam="heldout:average=0")),
    "geometric": ("aseqdip", dict(lam="geometric")),
    "growth, white": ("aseqdip", dict(lam="growth")),
    "self_guided": ("self_guided", {}),
}

SIZE, SEEDS, COILS = 128, (0, 1), 8


def problem_of(task, **settings):
    """The settings of `load_case` for a task."""
    return dict(size=SIZE) | (dict(coils=COILS) if task == "mri" else {}) | settings


def budget(task):
    """Adam steps of a task's default."""
    return configure("aseqdip", task).steps


def searches(task):
    """The trials of a task's search."""
    return [dict(part="search", task=task, arm=f"lam {point['lam']:g}, N {point['N']}", method="aseqdip",
                 settings=point, problem=problem_of(task, **TUNING[task]), seed=0, steps=budget(task))
            for point in GRID]


def best_fixed(task, rows):
    """The settings that won a task's search."""
    found = [row for row in rows if row["part"] == "search" and row["task"] == task]
    return max(found, key=lambda row: row["psnr"]["final"])["settings"]


def tests(task, rows):
    """The trials on a task's test images."""
    images, *settings = TASKS[task]
    return [dict(part="test", task=task, arm=arm, method=method, seed=seed, steps=2 * budget(task),
                 settings=best_fixed(task, rows) if own is None else own,
                 problem=problem_of(task, image=image, **setting))
            for setting in settings for image in images for seed in SEEDS for arm, (method, own) in ARMS.items()]


def key(trial):
    """What identifies a trial."""
    names = ("part", "task", "arm", "method", "settings", "problem", "seed", "steps")
    return json.dumps([trial[name] for name in names], sort_keys=True)


def run(trial, watch):
    """One trial, for `sweep`: it with its scores; None if it was stopped."""
    case = load_case(trial["task"], seed=trial["seed"], **trial["problem"])
    method = configure(trial["method"], trial["task"], "laptop", trial["steps"], **trial["settings"])
    result = reconstruct(case, method, seed=trial["seed"], steps=trial["steps"], progress=False, watch=watch)
    if result.metrics["stop_reason"] == "interrupted":
        return None
    curve, half = result.curve["psnr"], trial["steps"] // 2
    kept = ("psnr", "ssim", "stops", "stop_reason", "peak_step", "gradients", "seconds", "versions", "device",
            "hardware", "threads")
    return trial | {name: result.metrics[name] for name in kept} | dict(
        made=result.metrics["steps"], at_half=curve[min(half, len(curve)) - 1])


def report(rows):
    """Print, for each task, every arm's mean final PSNR at the budget and its double, and the difference to "fixed"."""
    for task in TASKS:
        found = [row for row in rows if row["part"] == "test" and row["task"] == task]
        if not found:
            continue
        print(f"\n{task}: best fixed {best_fixed(task, rows)}, {budget(task)} steps")
        print(f"{'':>18}  at budget  at double    peak  steps made  to fixed at double (95 %)")
        fixed = {case_of(row): row["psnr"]["final"] for row in found if row["arm"] == "fixed"}
        for arm in ARMS:
            mine = [row for row in found if row["arm"] == arm]
            if mine:
                means = [sum(values) / len(mine) for values in zip(*((row["at_half"], row["psnr"]["final"],
                         row["psnr"]["oracle"], row["made"]) for row in mine), strict=True)]
                gaps = [row["psnr"]["final"] - fixed[case_of(row)] for row in mine if case_of(row) in fixed]
                print(f"{arm:>18}  {means[0]:9.2f}  {means[1]:9.2f}  {means[2]:6.2f}  {means[3]:10.0f}  "
                      + " ".join(f"{value:+.2f}" for value in interval(gaps).values() if value is not None))


def case_of(row):
    """What a run is paired by."""
    return json.dumps([row["problem"], row["seed"]], sort_keys=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--workers", type=int, help="processes of one thread each [one for each core]")
    parser.add_argument("--report", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    rows = stored(FILE)
    for task in () if arguments.report else arguments.tasks:
        for made in (searches, lambda task: tests(task, rows)):
            record(run, [trial | dict(budget=trial["steps"]) for trial in made(task)], rows, FILE, key, label=task,
                   workers=arguments.workers)
    report(rows)


if __name__ == "__main__":
    main()
