"""The study of lam and N by themselves: `--lam auto` against the best fixed lam and N, on images it was not made on.

Three parts, run one after the other; trials already stored in results/adaptive.json are not run again, so an
interrupted study goes on where it was. Every run has twice the budget of its task's defaults.

* "fixed": the (lam, N) of `GRID` on the tuning image of each task. Two of them go on: the one whose PSNR is highest
  at the budget, and the one that is highest at its double, each for its task.
* "rule": the values of `RULES` for auto on the same images. One goes on, the same for all tasks: the one whose final
  PSNR, averaged over the tasks, is highest.
* "test": the arms of `ARMS` on three other images with other seeds, and a part of them at the second published setting.

    python scripts/adaptive.py                      run what is left, print the tables
    python scripts/adaptive.py --tasks denoising    test on these tasks alone
    python scripts/adaptive.py --report             print the tables of what is stored
"""

import argparse
import json
from pathlib import Path
from statistics import fmean

from aseqdip_lite import configure, load_case, reconstruct
from aseqdip_lite.experiments.t2 import TASKS
from aseqdip_lite.statistics import interval
from aseqdip_lite.trials import record, stored

ROOT = Path(__file__).parent.parent
FILE = ROOT / "results" / "adaptive.json"

#: The tuning image of each task, with its settings.
TUNING = {"mri": dict(image="brain-076"), "ct": dict(image="ct-brain", views=30),
          "denoising": dict(image="chelsea", sigma=25.0), "inpainting": dict(image="chelsea", hiar=0.25),
          "deblurring": dict(image="chelsea")}

#: The fixed settings that compete on it; lr is the default's, as everywhere here.
GRID = [dict(lam=lam, N=N) for N in (2, 10) for lam in (0.25, 1.0, 4.0, 16.0, 64.0)]

#: What of auto is tuned.
RULES = [dict(first=first, patience=patience, N=N)
         for N in (2, 10) for patience in (0.2, 0.5) for first in (0.25, 1.0, 4.0)]

#: What runs on the test images: a method, and its settings as a function of those that have won the searches.
ARMS = {
    "default": ("aseqdip", lambda won: {}),
    "fixed": ("aseqdip", lambda won: won["budget"]),
    "fixed for double": ("aseqdip", lambda won: won["double"]),
    "auto": ("aseqdip", lambda won: auto(won["rule"])),
    "self_guided": ("self_guided", lambda won: {}),
    # one part of the rule taken away: lam does not grow, so that the run ends when the prediction has ceased to
    # improve; the last input in place of the average; growing by the clock; growing since the residual is white,
    # with nothing held out
    "auto, lam stays": ("aseqdip", lambda won: auto(won["rule"], most=won["rule"]["first"])),
    "auto, no average": ("aseqdip", lambda won: auto(won["rule"], average=0.0)),
    "geometric": ("aseqdip", lambda won: dict(lam="geometric", N=won["rule"]["N"])),
    "growth, white": ("aseqdip", lambda won: dict(lam="growth", N=won["rule"]["N"])),
}

#: The arms that also run at the second setting of a task.
SECOND = ("default", "fixed", "fixed for double", "auto", "self_guided")

#: Rules that stop a fixed run without the truth, read from the arm "default".
STOPS = ("wmv", "discrepancy")

#: Small pictures, so that the study takes an evening.
SIZE, COILS, SEEDS = 64, 8, (1,)


def auto(rule, **settings):
    """aSeqDIP's settings for the schedule "heldout" with the numbers of a rule, and others."""
    numbers = {name: value for name, value in rule.items() if name != "N"} | settings
    values = ",".join(f"{name}={value}" for name, value in numbers.items())
    return dict(lam=f"heldout:{values}", N=rule["N"])


def problem_of(task, **settings):
    """The settings of `load_case` for a task."""
    return dict(size=SIZE) | (dict(coils=COILS) if task == "mri" else {}) | settings


def budget(task):
    """Adam steps of a task's default."""
    return configure("aseqdip", task).steps


def search(part, task):
    """The trials of a task's search: of the fixed settings or of the rule's."""
    points = [(point, point) for point in GRID] if part == "fixed" else [(rule, auto(rule)) for rule in RULES]
    return [dict(part=part, task=task, arm=json.dumps(point), method="aseqdip", settings=settings, seed=0,
                 problem=problem_of(task, **TUNING[task]), steps=2 * budget(task)) for point, settings in points]


def winners(task, rows):
    """{"budget", "double", "rule"}: the settings that won the searches, the rule's being the same for all tasks."""
    fixed = [row for row in rows if row["part"] == "fixed" and row["task"] == task]
    score = {row["arm"]: [] for row in rows if row["part"] == "rule"}
    for row in rows:
        if row["part"] == "rule":
            score[row["arm"]].append(row["psnr"]["final"])
    return dict(budget=max(fixed, key=lambda row: row["at_half"])["settings"],
                double=max(fixed, key=lambda row: row["psnr"]["final"])["settings"],
                rule=json.loads(max(score, key=lambda arm: fmean(score[arm]))))


def tests(task, rows):
    """The trials on a task's test images."""
    images, *settings = TASKS[task]
    won = winners(task, rows)
    return [dict(part="test", task=task, arm=arm, method=method, seed=seed, steps=2 * budget(task),
                 settings=settings_of(won), problem=problem_of(task, image=image, **setting))
            for index, setting in enumerate(settings) for image in images for seed in SEEDS
            for arm, (method, settings_of) in ARMS.items() if not index or arm in SECOND]


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
    """Print, for each task, every arm's mean PSNR, and the paired differences of the last image to "fixed for double"
    and to "fixed" at the budget, with 95 % intervals.
    """
    for task in TASKS:
        found = [row for row in rows if row["part"] == "test" and row["task"] == task]
        if not found:
            continue
        won = winners(task, rows)
        print(f"\n{task}, {budget(task)} steps and twice that; best fixed {won['budget']} and {won['double']}; "
              f"auto {won['rule']}")
        print(f"{'':>22}  runs  at budget   last   peak  steps made  to the best fixed at double, at the budget")
        by_arm = {arm: [row for row in found if row["arm"] == arm] for arm in ARMS}
        for arm, mine in by_arm.items():
            if mine:
                line(arm, mine, [row["psnr"]["final"] for row in mine], by_arm)
        for rule in STOPS:
            stopped = [row for row in by_arm["default"] if row["stops"].get(rule, {}).get("psnr") is not None]
            if stopped:
                line(f"default, {rule}", stopped, [row["stops"][rule]["psnr"] for row in stopped], by_arm)


def line(label, rows, last, by_arm):
    """Print an arm's line; `last` is the PSNR of what it returns, one for each of its rows."""
    double = {case_of(row): row["psnr"]["final"] for row in by_arm["fixed for double"]}
    single = {case_of(row): row["at_half"] for row in by_arm["fixed"]}
    means = [fmean(row[name] for row in rows) for name in ("at_half", "made")]
    peak = fmean(row["psnr"]["oracle"] for row in rows)
    gaps = [as_text(interval([value - reference[case_of(row)] for row, value in zip(rows, last, strict=True)]))
            for reference in (double, single)]
    print(f"{label:>22}  {len(rows):>4}  {means[0]:9.2f}  {fmean(last):5.2f}  {peak:5.2f}  {means[1]:10.0f}  "
          + "   ".join(gaps))


def as_text(gap):
    """A difference with its interval."""
    bounds = "" if gap["low"] is None else f" ({gap['low']:+.2f} to {gap['high']:+.2f})"
    return f"{gap['mean']:+.2f}{bounds}"


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

    def run_all(trials, label):
        record(run, [trial | dict(budget=trial["steps"]) for trial in trials], rows, FILE, key, label=label,
               workers=arguments.workers)

    if not arguments.report:
        run_all([trial for part in ("fixed", "rule") for task in TASKS for trial in search(part, task)], "searches")
        for task in arguments.tasks:
            run_all(tests(task, rows), task)
    report(rows)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: started again, it goes on here") from None
