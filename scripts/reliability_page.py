"""docs/RELIABILITY.md from aseqdip_lite/results/kill.json, faults.json, fuzz.json, determinism.json and audit.json.

    python scripts/reliability_page.py
"""

import json
from pathlib import Path

from aseqdip_lite.study.tables import markdown_table

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "aseqdip_lite" / "results", ROOT / "docs" / "RELIABILITY.md"

#: The page's prose, with fields for what the reports hold and for the tables made of it.
TEXT = PAGE.parent / "texts" / "reliability.md"

#: Largest spread in dB between numbers of threads that is held to be no difference.
SMALL = 0.05


def killed(report):
    """The table of kill tests."""
    rows = []
    for kind in dict.fromkeys(trial["kind"] for trial in report["trials"]):
        trials = [trial for trial in report["trials"] if trial["kind"] == kind]
        kills = sum(len(trial["kills"]) for trial in trials)
        rows.append([kind, len(trials), kills, sum(trial["equal"] for trial in trials)])
    return markdown_table(rows, ("what is killed", "trials:", "deaths:", "right:"))


def disk(report):
    """The table of full disks."""
    rows = []
    for trial in report["disk"]:
        kept = {True: "unchanged", False: "CHANGED", None: ""}[trial.get("unchanged")]
        if "equals_uninterrupted" in trial:
            kept = f"result {'equal to' if trial['equals_uninterrupted'] else 'DIFFERENT FROM'} an uninterrupted run's"
        rows.append([trial["trial"], trial["exit_code"], "<br>".join(trial["stderr"]) or "nothing", kept])
    table = markdown_table(rows, ("trial", "exit code:", "what it says", "earlier files"))
    return table if rows else "No tmpfs could be mounted where this was measured."


def hostile(counts):
    """The table of hostile files of one part, mutated or structured."""
    rows = [[f"`{kind}`" if kind[0] in ".-" and " " not in kind else kind,
             *(found.get(name, 0) for name in ("loaded", "refused", "failed"))] for kind, found in counts.items()]
    rows.append(["all", *map(sum, zip(*(found for _, *found in rows), strict=True))])
    return markdown_table(rows, ("kind", "loaded:", "refused:", "failures:"))


def same_numbers(report):
    """The table of a mode's differences in dB, and the numbers in the text around it."""
    rows, scores, facts = [], ("peak", "final", "blind"), report["provenance"]
    for threads, seeds in zip(report["between_threads"], report["between_seeds"], strict=True):
        for between, found in (("threads", threads), ("seeds", seeds)):
            rows.append([found["task"], report["steps"][found["task"]], found["size"], between,
                         *(f"{found[name]:.3f}" for name in scores)])
    values = [found[name] for found in report["between_threads"] for name in scores]
    table = markdown_table(rows, ("task", "steps:", "size:", "between", *(f"{name}:" for name in scores)))
    return report["same_bits"] | dict(
        table=table.rstrip(), hardware=facts["hardware"], torch=facts["versions"]["torch"],
        seeds=len({run["seed"] for run in report["rows"]}), within=sum(value <= SMALL for value in values),
        all=len(values), small=SMALL)


def numbers(report):
    """The table of numerical faults."""
    rows = []
    runs = [run | dict(label="default" if run["default"] else f"{run['lr']:g}") for run in report["growth"]]
    for label in dict.fromkeys(run["label"] for run in runs):
        found = [run for run in runs if run["label"] == label]
        rows.append([label, len(found), f"{max(run['growth'] for run in found):.2g}",
                     sum(run["constant"] > 0 for run in found), sum(not run["finite"] for run in found)])
    return markdown_table(rows, (
        "learning rate", "runs:", "largest growth:", "runs with a constant output:", "not finite:"))


def audited(report):
    """What the search for known vulnerabilities found, in words."""
    looked = report["packages"] - report["skipped"]
    if not looked:
        return (f"not known. On {report['date']} the data of {report['tool']} could not be reached from\nwhere this "
                f"was measured, and all {report['packages']} packages of `constraints.txt` were skipped")
    return f"{report['found']} in {looked} of {report['packages']} packages on {report['date']} ({report['tool']})"


def minutes(seconds):
    """A time in words, e.g. "one minute"."""
    return "one minute" if round(seconds / 60) == 1 else f"{seconds / 60:.0f} minutes"


def page():
    """The page's text."""
    kill, faults, fuzz, modes, audit = (json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
                                        for name in ("kill", "faults", "fuzz", "determinism", "audit"))
    trials, races = ([trial for trial in kill["trials"] if (trial["kind"] == "race") is raced]
                     for raced in (False, True))
    counts = [part for parts in fuzz["counts"].values() for part in parts.values()]
    return TEXT.read_text(encoding="utf-8").format(
        kill_trials=len(trials), kill_right=sum(trial["equal"] for trial in trials),
        kill_deaths=sum(len(trial["kills"]) for trial in trials), races=len(races),
        races_right=sum(trial["equal"] for trial in races), fuzz_files=sum(sum(part.values()) for part in counts),
        fuzz_failed=sum(part.get("failed", 0) for part in counts) or "none",
        threads_most=max(found[name] for found in modes["default"]["between_threads"]
                         for name in ("peak", "final", "blind")),
        kill=kill, killed=killed(kill).rstrip(), disk=disk(faults).rstrip(), tmpfs=faults["tmpfs_bytes"] / 2**20,
        probe=faults["probe_bytes"] / 2**20, fuzz=fuzz, mutated=hostile(fuzz["counts"]["mutated"]).rstrip(),
        structured=hostile(fuzz["counts"]["structured"]).rstrip(), minutes=minutes(fuzz["seconds"]),
        memory=fuzz["limits"]["bytes"] / 2**30, faults=faults, numbers=numbers(faults).rstrip(),
        audit=audited(audit), **{mode: same_numbers(report) for mode, report in modes.items()})


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
