"""`aseqdip compare`: several methods on the same measurements, side by side."""

import csv
import io
import json
from pathlib import Path

import numpy as np

from . import methods, tasks
from .checkpoint import write_atomically
from .engine import reconstruct
from .plots import plot_curves, plot_images
from .result import finite, to_bytes

SCORES = ("start", "final", "blind", "oracle")


def compare(task, names, *, seeds=1, image=None, profile="laptop", steps=None, out, device="cpu", progress=True,
            **settings):
    """Run methods on the same cases and write what they reach.

    Run number s uses s as data seed and as initialisation seed, so within a seed every method sees
    the same y. Each run has its own folder METHOD-seedS in `out`, with a checkpoint: an interrupted
    comparison that is started again goes on where it was, and finished runs are not made again.

    Args:
        task: task name; names: method names; seeds: number of seeds.
        image: shipped image or file; the task's default if None.
        profile: "smoke", "laptop" or "paper"; steps: Adam steps of every iterative method.
        out: folder of compare.json, compare.md, compare.csv, compare.png and curves.png.
        **settings: the task's settings.

    Returns:
        {"rows": [metrics of each run], "summary": [one row a method], "interrupted": bool}.
    """
    out, results, interrupted = Path(out), {}, False
    for seed in range(seeds):
        case = tasks.load_case(task, image, seed=seed, profile=profile, **settings).to(device)
        for name in names:
            method = methods.configure(name, task, profile, steps)
            folder = out / f"{name}-seed{seed}"
            result = reconstruct(case, method, seed=seed, steps=steps if method.budget else None, out=folder,
                                 resume=True, progress=progress)
            result.save(folder)
            results.setdefault(name, []).append(result)
            interrupted = result.metrics["stop_reason"] == "interrupted"
            if interrupted:
                break
        if interrupted:
            break
    summary = [summarise(name, [result.metrics for result in found]) for name, found in results.items()]
    report = dict(rows=[result.metrics for found in results.values() for result in found], summary=summary)
    write(out, report, results)
    return report | dict(interrupted=interrupted)


def summarise(name, rows):
    """Mean and standard deviation over runs of one method: {"psnr": {"final": {"mean", "std"}, ...}, ...}."""
    row = dict(method=name, runs=len(rows), steps=rows[0]["steps"],
               seconds=float(np.mean([metrics["seconds"] for metrics in rows])))
    for score in ("psnr", "ssim"):
        row[score] = {}
        for column in SCORES:
            values = [metrics[score][column] for metrics in rows]
            known = None not in values
            row[score][column] = dict(mean=float(np.mean(values)) if known else None,
                                      std=float(np.std(values, ddof=1)) if known and len(values) > 1 else None)
    return row


def write(out, report, results):
    """Write the report as .json, .md and .csv, and the pictures of the first seed."""
    table = io.StringIO()
    writer = csv.writer(table)
    facts = ("method", "image", "seed", "steps", "seconds")
    scores = [(score, column) for score in ("psnr", "ssim") for column in SCORES]
    writer.writerow([*facts, *(f"{score}_{column}" for score, column in scores)])
    for row in report["rows"]:
        writer.writerow([*(row[fact] for fact in facts), *(row[score][column] for score, column in scores)])
    first = {name: found[0] for name, found in results.items()}
    case = next(iter(first.values())).case
    shown = {name: case.display(result.answer) for name, result in first.items()}
    titles = {name: f"{result.metrics['psnr']['final']:.2f} dB" for name, result in first.items()
              if result.metrics["psnr"]["final"] is not None}
    figures = {"compare.png": plot_images(shown, case.truth, case.window, titles)}
    curves = {name: (result.curve["step"], result.curve["psnr"]) for name, result in first.items()
              if len(result.curve["step"]) > 1 and "psnr" in result.curve}
    if curves:
        figures["curves.png"] = plot_curves(curves)
    contents = {"compare.json": json.dumps(finite(report), indent=1).encode() + b"\n",
                "compare.md": as_markdown(report["summary"]).encode(), "compare.csv": table.getvalue().encode()}
    for name, figure in figures.items():
        contents[name] = to_bytes(lambda buffer, figure=figure: figure.savefig(buffer, format="png", dpi=100))
    for name, content in contents.items():
        write_atomically(out / name, lambda file, content=content: file.write(content))


def as_markdown(summary):
    """The summary as a Markdown table: mean (standard deviation) over the runs."""
    lines = ["| method | PSNR start | PSNR final (dB) | PSNR blind pick | PSNR oracle | SSIM final | steps | seconds |",
             "|---|---:|---:|---:|---:|---:|---:|---:|"]

    def cell(score, digits):
        if score["mean"] is None:
            return "-"
        spread = "" if score["std"] is None else f" ({score['std']:.{digits}f})"
        return f"{score['mean']:.{digits}f}{spread}"

    for row in summary:
        psnr = (cell(row["psnr"][column], 2) for column in SCORES)
        lines.append(f"| {row['method']} | {' | '.join(psnr)} | {cell(row['ssim']['final'], 3)} | "
                     f"{row['steps']} | {row['seconds']:.0f} |")
    return "\n".join(lines) + "\n"
