"""The recorded search that the defaults come from.

Every method gets the same number of trials of the same number of steps on the tuning problems of
a task. Where a search names "budgets", a run's PSNR is read at each of these steps: the run that
ends there is the same run, unless a setting is a share of the budget, as SGLD-DIP's burn-in. The
settings and the budget of the best mean final PSNR win. Trials already in results/tuning_TASK.json
are not run again, so an interrupted search goes on where it was.

    python scripts/tune.py mri                      run the search, print the table
    python scripts/tune.py mri --write              and write the winners to methods/defaults.json
"""

import argparse
import json
from pathlib import Path

from aseqdip_lite import configure, load_case, methods, reconstruct
from aseqdip_lite.checkpoint import write_atomically
from aseqdip_lite.sweep import sweep

ROOT = Path(__file__).parent.parent
DEFAULTS = ROOT / "aseqdip_lite" / "methods" / "defaults.json"

#: Per task: the image and task settings of each trial, the Adam steps, and the grid of each method.
SEARCHES = json.loads((Path(__file__).parent / "searches.json").read_text(encoding="utf-8"))


def trials(task):
    """Every trial of a task's search as a plain dictionary."""
    search = SEARCHES[task]
    for problem in search["problems"]:
        for method, grid in search["methods"].items():
            for settings in grid:
                yield dict(task=task, method=method, problem=problem, settings=settings, steps=search["steps"])


def run(trial, watch):
    """One trial, for `sweep`: it with its scores, or None if it was stopped."""
    case = load_case(trial["task"], **trial["problem"])
    steps = trial["steps"] if methods.get(trial["method"]).budget else None  # classic solvers keep their iterations
    method = configure(trial["method"], trial["task"], "laptop", steps, **trial["settings"])
    result = reconstruct(case, method, steps=steps, progress=False, watch=watch)
    if result.metrics["stop_reason"] == "interrupted":
        return None
    kept = ("psnr", "ssim", "seconds", "seed", "data_seed", "threads", "versions", "device", "hardware")
    row = trial | {key: result.metrics[key] for key in kept}
    curve, budgets = result.curve["psnr"], SEARCHES[trial["task"]].get("budgets", []) if steps else []
    # a method that has stopped by itself returns the same at every later step
    finals = {budget: curve[min(budget, len(curve)) - 1] for budget in budgets if only_budget(method, budget)}
    return row | (dict(finals=finals) if finals else {})


def only_budget(method, steps):
    """Whether the same method with another budget differs in its budget alone."""
    return set(changes(method, steps)) <= {method.budget}


def changes(method, steps):
    """The settings that a budget of `steps` changes, with their new values."""
    before, after = method.to_dict(), method.with_steps(steps).to_dict()
    return {name: value for name, value in after.items() if value != before[name]}


def key(trial):
    """What identifies a trial."""
    return json.dumps([trial[k] for k in ("task", "method", "problem", "settings", "steps")], sort_keys=True)


def with_budget(method, settings, steps):
    """The winning settings with their number of steps, where the method has a budget."""
    chosen = methods.get(method)(**settings)
    return settings | (changes(chosen, steps) | {chosen.budget: getattr(chosen.with_steps(steps), chosen.budget)}
                       if chosen.budget else {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=SEARCHES)
    parser.add_argument("--workers", type=int, help="processes of one thread each [one for each core]")
    parser.add_argument("--write", action="store_true", help="write the winners to the package's defaults")
    arguments = parser.parse_args()
    file = ROOT / "results" / f"tuning_{arguments.task}.json"
    rows = json.loads(file.read_text()) if file.exists() else []
    done = {key(row) for row in rows}
    left = {name: trial | dict(budget=trial["steps"] if methods.get(trial["method"]).budget else 1)
            for trial in trials(arguments.task) if (name := key(trial)) not in done}
    print(f"{len(left)} trials to run, {len(done)} done before", flush=True)

    def finished(_, row):
        rows.append({name: value for name, value in row.items() if name != "budget"})
        write_atomically(file, lambda stream: stream.write(json.dumps(rows, indent=1).encode() + b"\n"))

    if left:
        sweep(run, left, workers=arguments.workers, finished=finished, label=f"search {arguments.task}")
    report(arguments.task, rows, arguments.write)


def report(task, rows, write):
    """Print the winner of each setting (mean final PSNR over the problems) and, if asked, store that of each method."""
    wanted, scores = {key(trial) for trial in trials(task)}, {}
    for row in rows:
        if key(row) in wanted:
            for steps, final in row.get("finals", {row["steps"]: row["psnr"]["final"]}).items():
                means = scores.setdefault((row["method"], json.dumps(row["settings"])), {})
                means.setdefault(int(steps), []).append(final)
    best = []
    for (method, settings), finals in scores.items():
        steps, values = max(finals.items(), key=lambda item: sum(item[1]) / len(item[1]))
        best.append((sum(values) / len(values), method, json.loads(settings), steps, len(values)))
    winners = {}
    for mean, method, settings, steps, problems in sorted(best, key=lambda item: item[0]):
        winners[method] = with_budget(method, settings, steps)
        print(f"{method:12} {json.dumps(winners[method]):60} mean final {mean:.2f} dB over {problems} problems")
    if write:
        stored = json.loads(DEFAULTS.read_text())
        stored.setdefault(task, {})["laptop"] = dict(sorted(winners.items()))
        stored[task]["paper"] = SEARCHES[task]["published"]
        DEFAULTS.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
