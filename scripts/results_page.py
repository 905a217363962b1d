"""docs/RESULTS.md from the stored comparisons of all tasks, aseqdip_lite/results/compare_TASK.json.

    python scripts/results_page.py                  write the page
    python scripts/results_page.py out/compare-ct   take over a finished comparison into compare_TASK.json first, or
                                                    into compare_NAME.json with --name NAME; methods that it does not
                                                    have keep their rows

`compare_NAME_NETWORK` has runs with another network: those of aSeqDIP with `lite`, from before another was the default,
and with `hourglass`; in in-painting they start from y. The page shows them beside the default where the data are the
same, as total variation, which is stored with them, then is. `compare_mri_demo` has the demo's slice at 4x and 8x.
"""

import json
from operator import itemgetter
from pathlib import Path

import click
import numpy as np

from aseqdip_lite import methods, tasks
from aseqdip_lite.course import stored
from aseqdip_lite.files import plain, to_json
from aseqdip_lite.run.recorder import ANSWERS
from aseqdip_lite.run.result import answer
from aseqdip_lite.study.statistics import ALL, difference, paired, summarise
from aseqdip_lite.study.tables import QUALITY, as_markdown, cell, markdown_table, table

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "aseqdip_lite" / "results", ROOT / "docs" / "RESULTS.md"

#: A comparison beside those of the tasks, a row a line: in-painting with 97 % of the pixels missing.
SPECIAL = ("inpainting_97",)

#: {network: what the page says of the table of its runs beside the default}.
BESIDE = {
    "lite": "With the network `lite` and the settings found for it, beside the default on the same images and seeds:",
    "hourglass": "With the network `hourglass` and the settings found for it, started from y, beside the default on the"
                 " same images and seeds:"}

#: The page's prose, with a field for each task's table and for that of the real scan.
TEXT = PAGE.parent / "texts" / "results.md"


def read_row(row):
    """Metrics, or a row made of them, with `answers`, even if an earlier version wrote it.

    There "psnr", "ssim", "data_residual" and "heldout_residual" were the only place of {answer: number}, "peak_step"
    that of the oracle's step, and "stops" had {rule: {"step", "psnr", "ssim"}}; older ones lack the last two. What an
    earlier version did not measure is left out.
    """
    if "answers" in row:
        return row
    row = dict(row)
    peak, stops = row.pop("peak_step", None), row.pop("stops", {})
    old = {value: row[value] if value in ("psnr", "ssim") else row.pop(value, {})
           for value in ("psnr", "ssim", "data_residual", "heldout_residual") if value in row}
    last = row.get("made", row["steps"])
    steps = dict(start=0, final=last, oracle=peak) if peak or last > 1 else {}  # a classic method makes no steps
    answers = {}
    for name in ANSWERS:
        found = dict(step=steps.get(name)) | stops.get("wmv" if name == "blind" else name, {})
        found |= {value: numbers[name] for value, numbers in old.items() if name in numbers}
        if any(value is not None for value in found.values()):
            answers[name] = found
    return row | dict(answers=answers)


def verdict(rows):
    """In words: on how many images aSeqDIP's final image is above, level with or below the start, and the best classic
    method of each; level is within the noise floor.
    """
    summary = [row for row in summarise(rows) if row["image"] != ALL]
    ours = [row for row in rows if row["method"] == "aseqdip"]
    risen = paired(ours, {(row["image"], row["seed"]): answer(row, "start", "psnr") for row in ours})
    gaps = {}
    for image in risen:
        classics = [row for row in summary if row["image"] == image and not methods.get(row["method"]).budget]
        gaps[image] = max(classics, key=lambda row: row["to_aseqdip"]["mean"])
    listed = ", ".join(f"{image} {-row['to_aseqdip']['mean']:+.2f} to {row['method']}" for image, row in gaps.items())
    starts, bests = [difference(risen, [image]) for image in risen], [row["to_aseqdip"] for row in gaps.values()]
    return (f"Of {len(risen)} images aSeqDIP's final image is, against the start, {counted(starts)}; against the best "
            f"classic method of each {counted([gap | dict(mean=-gap['mean']) for gap in bests])} ({listed}, in dB).")


def counted(gaps):
    """How many differences are above, within and below the noise floor, in words."""
    found = [0 if abs(gap["mean"]) <= (gap["floor"] or 0) else 1 if gap["mean"] > 0 else -1 for gap in gaps]
    return f"above on {found.count(1)}, level on {found.count(0)} and below on {found.count(-1)}"


def real_scan(report):
    """The table of the real scan: residuals in place of PSNR."""
    rows = [[row["method"], *(f"{row['answers']['final'][name]:.4f}" for name in ("data_residual", "heldout_residual")),
             row["steps"], f"{row['seconds']:.0f}"] for row in report["rows"]]
    return markdown_table(rows, ("method", "residual:", "held-out residual:", "steps:", "seconds:"))


def rows_of(name):
    """The rows of a comparison, [] where there is none."""
    found = stored(f"compare_{name}") if any(RESULTS.glob(f"compare_{name}.json*")) else []
    return found if isinstance(found, list) else found["rows"]


def compared(name):
    """The table of a comparison and what it says, after a line on how it was measured."""
    rows = rows_of(name)
    seeds, notes = len({row["seed"] for row in rows}), rows[0]["notes"]
    return "\n".join([f"{seeds} seeds; {'; '.join(notes) or 'simulated from the image'}.\n",
                      as_markdown(summarise(rows)), beside(name, rows) + verdict(rows)])


def beside(name, rows):
    """The tables of other networks beside aSeqDIP's default on the same data; "" where there is none."""
    return "".join(f"{words}\n\n{found}\n" for network, words in BESIDE.items()
                   if (found := with_network(network, rows_of(f"{name}_{network}"), rows)))


def with_network(network, theirs, rows):
    """The table of a network's rows and of aSeqDIP's default; "" if it has none, or its data had other noise."""
    key = itemgetter("method", "image", "seed")
    ours, runs = {key(row): row for row in rows}, [row for row in theirs if row["method"] == "aseqdip"]
    if not runs or any(answer(row, "final", "psnr") != answer(ours[key(row)], "final", "psnr")
                       for row in theirs if row["method"] == "tv"):
        return ""
    both = [row | dict(method=f"aseqdip, {network}") for row in runs] + [ours[key(row)] for row in runs]
    return table(summarise(both), QUALITY, markdown_table)[0]


def demo():
    """Mean final PSNR of the methods of `make demo` on its slice with three seeds, at each acceleration, best first."""
    finals = {}
    for row in rows_of("mri_demo"):
        by_method = finals.setdefault(row["settings"]["acceleration"], {})
        by_method.setdefault(row["method"], []).append(answer(row, "final", "psnr"))
    best = {factor: sorted(((np.mean(values), method) for method, values in by_method.items()), reverse=True)
            for factor, by_method in finals.items()}
    return "; ".join(f"{factor:g}x " + ", ".join(f"{method} {mean:.2f}" for mean, method in means)
                     for factor, means in best.items())


def larger(task):
    """The table of `scripts/sizes.py`: the budget that was found on smaller images, twice and four times as much."""
    rows = [row for row in stored("sizes") if row["task"] == task]
    ours = sorted((row for row in rows if row["method"] == "aseqdip"), key=lambda row: row["problem"]["size"])
    budgets, lines = sorted({int(steps) for row in ours for steps in row["finals"]}), []
    for row in ours:
        same = [other for other in rows if other["method"] != "aseqdip" and other["problem"] == row["problem"]]
        best = max(same, key=lambda other: answer(other, "final", "psnr"), default=None)
        peak, finals = row["answers"]["oracle"], {int(steps): f"{value:.2f}" for steps, value in row["finals"].items()}
        lines.append([row["problem"]["size"], row["image"], f"{answer(row, 'start', 'psnr'):.2f}",
                      *(finals.get(steps, "-") for steps in budgets), row["answers"]["final"]["step"],
                      f"{peak['psnr']:.2f}", peak["step"], row["steps"],
                      f"{answer(best, 'final', 'psnr'):.2f} ({best['method']})" if best else "tuning picture"])
    return markdown_table(lines, ("pixels:", "image", "start:", *(f"final of {steps} steps:" for steps in budgets),
                                  "step of the final:", "peak:", "its step:", "run to:", "best classic:"))


def controlled():
    """The table of `scripts/controls.py`: aSeqDIP beside Deep Image Prior with the same network, rate and budget."""
    rows, lines = stored("controls"), []
    for task in dict.fromkeys(row["task"] for row in rows):
        rivals = {(row["image"], row["seed"]): row for row in rows if row["task"] == task}
        ours = [row for row in stored(f"compare_{task}")["rows"]
                if row["method"] == "aseqdip" and (row["image"], row["seed"]) in rivals]
        gaps = {name: paired(ours, {run: answer(row, name, "psnr") for run, row in rivals.items()})
                for name in ("final", "discrepancy", "oracle")}
        for image in gaps["final"]:
            mean = np.mean([answer(row, "final", "psnr") for row in ours if row["image"] == image])
            cells = [f"{mean - np.mean(found[image]):.2f}" if image in found else "-" for found in gaps.values()]
            lines.append([task, image, len(gaps["final"][image]), f"{mean:.2f}", *cells])
        above = [difference(found) for found in gaps.values()]
        lines.append([task, f"aSeqDIP above it, {len(ours)} runs", "", "",
                      *("-" if gap is None else f"{cell(gap)}; noise floor {gap['floor']:.2f}" for gap in above)])
    return markdown_table(lines, ("task", "image", "seeds:", "aSeqDIP, final:", "DIP, last step:",
                                  "DIP, discrepancy principle:", "DIP, oracle:"))


def file_of(name, ending="json"):
    """Where a comparison is stored."""
    return RESULTS / f"compare_{name}.{ending}"


def page():
    """The page's text."""
    return TEXT.read_text(encoding="utf-8").format(
        real=real_scan(stored("compare_mri_real")).rstrip(), controls=controlled().rstrip(), demo=demo(),
        **{f"sizes_{task}": larger(task).rstrip() for task in dict.fromkeys(row["task"] for row in stored("sizes"))},
        **{name: compared(name) for name in (*tasks.names(), *SPECIAL)})


def place(row):
    """Where a row stands among others: the classic methods first, those with a network in the order of the registry."""
    method = methods.get(row["method"])
    return row["image"], bool(method.budget), methods.names().index(row["method"]), row["seed"]


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--name", type=click.Choice(("mri_real", *SPECIAL)), help="What to store it as [its task's name].")
def main(folders, name):
    """Write docs/RESULTS.md; first take over the finished comparisons in FOLDERS, if there are any."""
    for folder in folders:
        report = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
        new = [read_row(row) for row in report["rows"]]  # it may be of an earlier version
        if name in SPECIAL:
            lines = [json.dumps(plain(row), separators=(",", ":")) + "\n" for row in sorted(new, key=place)]
            file_of(name, "jsonl").write_text("".join(lines))
            continue
        file, made = file_of(name or new[0]["task"]), {row["method"] for row in new}
        before = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
        rows = sorted([*new, *(row for row in before if row["method"] not in made)], key=place)
        file.write_text(to_json(report | dict(rows=rows, summary=summarise(rows))), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
