"""The recorded search that the defaults come from.

Every method gets the same number of trials of the same number of steps: six settings on the first
tuning problem of a task, and the best four of them on its other problems, if it has more. Where a
search names "budgets", a run's PSNR is read at each of these steps: the run that ends there is the
same run, unless a setting is a share of the budget, as SGLD-DIP's burn-in. Methods that end by a
rule of their own are taken at their word. Where it names "seeds", each trial is made with as many
seeds of the network. The settings and the budget of the best mean final PSNR win.
Trials already in results/tuning_TASK.jsonl are not run again, so an interrupted search goes on where
it was.

    python scripts/tune.py mri                      run the search, print the table
    python scripts/tune.py mri --write              and write the winners to methods/defaults.json
    python scripts/tune.py mri_lite-half            the search of a task with the network of this name

A search may name the "side" from which on its budget grows with larger images, see `methods.configure`, and methods
whose defaults are "kept" whatever wins.
"""

import json
from functools import partial
from pathlib import Path

import click

from aseqdip_lite import methods
from aseqdip_lite.course.experiments.arms import ends
from aseqdip_lite.run.stopping import in_dip
from aseqdip_lite.study.store import Store
from aseqdip_lite.study.trials import NAMES, Trial, record

ROOT = Path(__file__).parent.parent
DEFAULTS = ROOT / "aseqdip_lite" / "methods" / "defaults.json"

#: Per search: the image and task settings of each trial, the Adam steps, and the grid of each method. A search has the
#: name of its task, or says what its "task" is and which "network" all its methods have. In one of samplers "steps" is
#: null: each has its own, which its grid may name; their rows hold the start and the last answer alone.
SEARCHES = json.loads((Path(__file__).parent / "searches.json").read_text(encoding="utf-8"))

#: What rows of a search have: the oldest do not say how many steps were `made`.
KINDS = dict(answers=dict)

#: Methods that end by a rule of their own: no budget is sought for them.
OWN_RULE = ("es_dip", "rethinking_dip")

#: Settings of each method that go on from a task's first problem to its others.
GO_ON = 4


def trials(name, number, rows):
    """Yield each `Trial` on a search's problem of this number; `rows` are of trials done before."""
    search = SEARCHES[name]
    task, network = search.get("task", name), {key: search[key] for key in ("network",) if key in search}
    for method, grid in search["methods"].items():
        tried = [settings | network for settings in grid]
        if number:
            first = means([row for row in rows if row["problem"] == search["problems"][0]], seeds_of(name))
            tried.sort(key=lambda settings: -max(first[method, json.dumps(settings)].values()))
        yield from (Trial(task, method, search["problems"][number], settings, search["steps"], seed)
                    for settings in tried[:GO_ON if number else None] for seed in range(seeds_of(name)))


def file_of(name):
    """Where the rows of a search are."""
    return ROOT / "aseqdip_lite" / "results" / f"tuning_{name}.jsonl"


def stored(name):
    """{key: row} of a search's file."""
    return Store(file_of(name), NAMES).rows


def seeds_of(name):
    """How many seeds of the network a search makes each trial with."""
    return SEARCHES[name].get("seeds", 1)


def means(rows, count):
    """{(method, settings): {budget: mean final PSNR}} of what has `count` rows at that budget."""
    found = {}
    for row in rows:
        for budget, final in finals(row).items():
            found.setdefault((row["method"], json.dumps(row["settings"])), {}).setdefault(int(budget), []).append(final)
    return {setting: {budget: sum(values) / count for budget, values in read.items() if len(values) == count}
            for setting, read in found.items()}


def finals(row):
    """{budget: final PSNR} of a trial."""
    return row.get("finals") or {row["steps"] or row["made"]: row["answers"]["final"]["psnr"]}


def budgets_read(trial, result, budgets):
    """The final PSNR of a run at each of the `budgets` at which the same method would end with it."""
    method = trial.configured()
    if not method.budget or trial.method in OWN_RULE:
        return {}
    curve, data = result.curve["psnr"], result.curve["data"]
    noise = result.metrics["answers"].get("discrepancy", {}).get("step") or len(data)
    steady = {step: curve[step - 1] for step, stage in enumerate(result.curve["stage"], start=1)
              if not stage or step <= noise and not in_dip(data[:step])}
    read = {budget: steady[max(step for step in steady if step <= budget)] for budget in budgets
            if only_budget(method, budget)}
    return dict(finals=read) if read else {}


def only_budget(method, steps):
    """Whether the same method with another budget differs in its budget alone."""
    return set(changes(method, steps)) <= {method.budget}


def changes(method, steps):
    """The settings that a budget of `steps` changes, with their new values."""
    before, after = method.to_dict(), method.with_steps(steps).to_dict()
    return {name: value for name, value in after.items() if value != before[name]}


def with_budget(method, settings, steps):
    """The winning settings with their number of steps, where the method has a budget."""
    chosen = methods.get(method)(**settings)
    return settings | (changes(chosen, steps) | {chosen.budget: getattr(chosen.with_steps(steps), chosen.budget)}
                       if chosen.budget else {})


@click.command()
@click.argument("name", metavar="SEARCH", type=click.Choice(list(SEARCHES)))
@click.option("--workers", type=int, help="Processes of one thread each [one for each core].")
@click.option("--write", is_flag=True, help="Write the winners to the package's defaults.")
def main(name, workers, write):
    """Run a SEARCH of searches.json, or go on with it, and print its winners."""
    try:
        search(name, workers, write)
    except KeyboardInterrupt:
        raise SystemExit("interrupted: start it again to continue here") from None


def search(name, workers, write):
    """Make the trials that are missing, then report."""
    rows, problems = [], SEARCHES[name]["problems"]
    read = partial(budgets_read, budgets=SEARCHES[name].get("budgets", [])) if SEARCHES[name]["steps"] else ends
    for number in range(len(problems)):
        rows += record(list(trials(name, number, rows)), file=file_of(name), read=read, workers=workers, kinds=KINDS,
                       label=f"search {name}, problem {number + 1}")
    report(name, rows, write)


def ranking(name, rows):
    """[(mean final PSNR over problems and seeds, method, settings, steps)], the best first.

    Each setting is there once, with its best number of steps; one that was left behind after the first problem is not.
    """
    read = means(rows, len(SEARCHES[name]["problems"]) * seeds_of(name))
    best = [(max(scores.values()), method, json.loads(settings), max(scores, key=scores.get))
            for (method, settings), scores in read.items() if scores]
    return sorted(best, key=lambda item: -item[0])


def edges(name, method, settings, steps):
    """Names of the numbers of a setting that are the least or the greatest tried, so that a better one may lie beyond.

    "steps" is one of them where the search chose among several budgets and this is the last.
    """
    grid = SEARCHES[name]["methods"][method]
    found = []
    for field, value in settings.items():
        tried = {other.get(field) for other in grid} - {None}
        if len(tried) > 1 and isinstance(value, int | float) and value in (min(tried), max(tried)):
            found.append(field)
    budgets = SEARCHES[name].get("budgets", [])
    return found + ["steps"] * (methods.get(method).budget != "" and method not in OWN_RULE and steps in budgets[-1:])


def report(name, rows, write):
    """Print the winner of each method (mean final PSNR over problems and seeds) and, if asked, store all of them."""
    winners = {}
    for mean, method, settings, steps in ranking(name, rows):
        if method not in winners:
            winners[method] = with_budget(method, settings, steps)
            at_edge = edges(name, method, settings, steps)
            print(f"{method:16} {mean:.2f} dB  {json.dumps(winners[method])}"
                  + (f"  at an edge of what was tried: {', '.join(at_edge)}" if at_edge else ""))
    if write:
        defaults = json.loads(DEFAULTS.read_text())
        search = SEARCHES[name]
        found = defaults.setdefault(search.get("task", name), {})
        for method, settings in sorted(winners.items()):
            if method not in search.get("kept", ()):
                grows = dict(side=search["side"]) if "side" in search else {}
                found.setdefault(place(name, method), {})[method] = settings | grows
        found |= dict(paper=search["published"]) if "published" in search else {}
        DEFAULTS.write_text(json.dumps(defaults, indent=1) + "\n")


def place(name, method):
    """Where the defaults hold a method's winner: under "laptop", which is what is taken, or under its network's name.

    Of two searches of a task for the same method the one that is marked "default" is taken.
    """
    search = SEARCHES[name]
    task, network = search.get("task", name), search.get("network")
    marked = any(other.get("default") and other.get("task") == task and method in other["methods"]
                 for other in SEARCHES.values())
    taken = search.get("default", False) if marked else network is None
    return "laptop" if taken else network or methods.get(method)().network


if __name__ == "__main__":
    main()
