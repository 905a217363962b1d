"""The recorded search that the defaults come from.

Every method gets the same number of trials of the same number of steps on the tuning image of
a task; the trial with the best final PSNR wins. Trials already in results/tuning_TASK.json are
not run again, so an interrupted search goes on where it was.

    python scripts/tune.py mri                      run the search, print the table
    python scripts/tune.py mri --write              and write the winners to methods/defaults.json
"""

import argparse
import json
import multiprocessing
import os
from pathlib import Path

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


def run(trial):
    """One trial, in its own process with one thread; returns it with its scores."""
    import torch

    from aseqdip_lite import configure, load_case, methods, reconstruct

    torch.set_num_threads(1)
    case = load_case(trial["task"], **trial["problem"])
    steps = trial["steps"] if methods.get(trial["method"]).budget else None  # classic solvers keep their iterations
    method = configure(trial["method"], trial["task"], "laptop", steps, **trial["settings"])
    metrics = reconstruct(case, method, steps=steps, progress=False).metrics
    kept = ("psnr", "ssim", "seconds", "seed", "data_seed", "threads", "versions", "device", "hardware")
    return trial | {key: metrics[key] for key in kept}


def key(trial):
    """What identifies a trial."""
    return json.dumps([trial[k] for k in ("task", "method", "problem", "settings", "steps")], sort_keys=True)


def with_budget(method, task, settings):
    """The winning settings with the search's own number of steps, where the method has one."""
    from aseqdip_lite import methods

    cls = methods.get(method)
    steps = {"steps": SEARCHES[task]["steps"], "K": SEARCHES[task]["steps"] // settings.get("N", 1)}
    return settings | ({cls.budget: steps[cls.budget]} if cls.budget else {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=SEARCHES)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of one thread each")
    parser.add_argument("--write", action="store_true", help="write the winners to the package's defaults")
    arguments = parser.parse_args()
    file = ROOT / "results" / f"tuning_{arguments.task}.json"
    file.parent.mkdir(exist_ok=True)
    rows = json.loads(file.read_text()) if file.exists() else []
    done = {key(row) for row in rows}
    left = [trial for trial in trials(arguments.task) if key(trial) not in done]
    print(f"{len(left)} trials to run, {len(done)} done before", flush=True)
    if left:
        with multiprocessing.get_context("spawn").Pool(arguments.workers, maxtasksperchild=1) as pool:
            for row in pool.imap_unordered(run, left):
                rows.append(row)
                file.write_text(json.dumps(rows, indent=1) + "\n")
                print(describe(row), flush=True)
    report(arguments.task, rows, arguments.write)


def describe(row):
    values = " ".join(f"{k}={row['psnr'][k]:.2f}" if row["psnr"][k] is not None else f"{k}=-" for k in row["psnr"])
    what = f"{row['method']:12} {json.dumps(row['problem'])} {json.dumps(row['settings'])}"
    return f"{what} {values} {row['seconds']:.0f} s"


def report(task, rows, write):
    """Print the winner of each method (mean final PSNR over the problems) and, if asked, store it."""
    wanted, scores = {key(trial) for trial in trials(task)}, {}
    for row in rows:
        if key(row) in wanted:
            scores.setdefault((row["method"], json.dumps(row["settings"])), []).append(row["psnr"]["final"])
    winners = {}
    for (method, settings), finals in sorted(scores.items(), key=lambda item: sum(item[1]) / len(item[1])):
        mean = sum(finals) / len(finals)
        winners[method] = json.loads(settings)
        print(f"{method:12} {settings:50} mean final {mean:.2f} dB over {len(finals)} problems")
    if write:
        stored = json.loads(DEFAULTS.read_text())
        stored.setdefault(task, {})["laptop"] = {
            method: with_budget(method, task, settings) for method, settings in sorted(winners.items())}
        stored[task]["paper"] = SEARCHES[task]["published"]
        DEFAULTS.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
