"""`aseqdip compare`: several methods on the same measurements, side by side."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import torch

from .. import methods, tasks
from ..files import make_folder, plain, to_json, write_atomically, write_together
from ..run.plots import plot_curves, plot_images, to_png
from ..run.recorder import ANSWERS
from ..run.result import answer
from ..run.stopping import StopReason
from ..settings import InputError
from .statistics import summarise
from .sweep import sweep
from .tables import as_markdown
from .trials import Trial


def compare(task, names, *, seeds=1, images=(None,), profile="laptop", steps=None, out, device="cpu", workers=None,
            scheduler=None, progress=True, **settings):
    """Run methods on the same measurements and write what they reach.

    A seed is both data seed and initialisation seed. Each run has its own folder IMAGE-METHOD-seedS in `out`, with a
    checkpoint: a comparison that is started again goes on where it was, and finished runs are not made again.

    Args:
        task: task name; names: method names; seeds: number of seeds.
        images: shipped images or files; None is the task's default.
        profile: "smoke", "laptop" or "paper"; steps: Adam steps of every iterative method.
        out: folder of compare.json, compare.md, compare.csv, and of compare.png and curves.png of the first image,
            compare-IMAGE.png and curves-IMAGE.png of each other one.
        workers: runs at a time (see `sweep`); by default one for each core, or 1 on a GPU.
        scheduler: address of a Dask scheduler whose workers make the runs; they must see the folder `out`.
        **settings: the task's settings.

    Returns:
        {"rows": [metrics of each run], "summary": [see `statistics.summarise`], "left_out": [{"method", "image",
        "why"}] of what cannot honestly be run, "interrupted": bool}.

    Raises:
        InputError: bad settings, two images of the same name, or a folder with runs of other settings.
    """
    out, device = Path(out), torch.device(device)
    images = [tasks.get(task).default_image if image is None else str(image) for image in images]
    labels = [Path(image).stem for image in images]
    if doubled := [label for label in labels if labels.count(label) > 1]:
        raise InputError(f"two images are called {doubled[0]}: rename one, their results would mix")
    jobs, left_out = {}, []
    for image, label in zip(images, labels, strict=True):
        for name in names:
            method = methods.configure(name, task, profile, steps)
            try:
                method.check_image(label)
            except InputError as error:
                left_out.append(dict(method=name, image=label, why=str(error)))
                continue
            for seed in range(seeds):
                trial = Trial(task, name, dict(image=image) | settings, {} if method.budget else method.to_dict(),
                              steps, seed, seed, profile)
                jobs[label, name, seed] = dict(trial=trial, budget=trial.budget, device=str(device),
                                               folder=str(out.absolute() / f"{label}-{name}-seed{seed}"))
    workers = 1 if workers is None and device.type != "cpu" else workers
    make_folder(out)
    shared = out.absolute() if scheduler else None  # workers elsewhere see no temporary folder of this machine
    done = sweep(run, jobs, workers=workers, scheduler=scheduler, folder=shared, progress=progress,
                 label=f"compare {task}")
    interrupted = len(done) < len(jobs) or StopReason.INTERRUPTED in (row["stop_reason"] for row in done.values())
    rows = list(done.values())
    report = dict(rows=rows, summary=summarise(rows), left_out=left_out)
    write(out, report)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        case = tasks.load_case(task, image, seed=0, profile=profile, **settings)
        folders = {name: out / f"{label}-{name}-seed0" for name in names if (label, name, 0) in done}
        draw(out, f"-{label}" if index else "", case, folders)
    return report | dict(interrupted=interrupted)


def run(job, watch):
    """One run of a comparison: its metrics, which its folder holds too. For `sweep`."""
    result = job["trial"].run(watch, device=job["device"], out=job["folder"])
    result.save(job["folder"])
    if result.stop_reason is StopReason.INTERRUPTED:
        watch.stop()
    return plain(result.metrics)


def write(out, report):
    """Write the report as .json, .md and .csv."""
    table = io.StringIO()
    writer = csv.writer(table)
    facts = ("method", "image", "seed", "steps", "gradients", "seconds", "peak_memory_mib", "stop_reason")
    scores = {f"{score}_{name}": (name, score) for score in ("step", "psnr", "ssim") for name in ANSWERS}
    writer.writerow([*facts, *scores])
    writer.writerows([*(row[fact] for fact in facts), *(answer(row, *score) for score in scores.values())]
                     for row in report["rows"])
    contents = {"compare.json": to_json(report),
                "compare.md": as_markdown(report["summary"]), "compare.csv": table.getvalue()}
    write_together({out / name: lambda file, content=content: file.write(content.encode())
                    for name, content in contents.items()})


def draw(out, suffix, case, folders):
    """The pictures and the curves of one image from the {method: folder} of its runs of seed 0."""
    shown, titles, curves = {}, {}, {}
    for name, folder in folders.items():
        shown[name] = case.shown(np.load(folder / "recon.npy", allow_pickle=False))
        final = json.loads((folder / "metrics.json").read_text())["psnr"]["final"]
        if final is not None:
            titles[name] = f"{final:.2f} dB"
        rows = list(csv.DictReader((folder / "curve.csv").read_text().splitlines()))
        if len(rows) > 1 and "psnr" in rows[0]:
            curves[name] = ([int(row["step"]) for row in rows], [float(row["psnr"]) for row in rows])
    figures = {f"compare{suffix}.png": plot_images(shown, case.truth, case.window, titles)} if shown else {}
    if curves:
        figures[f"curves{suffix}.png"] = plot_curves(curves)
    for name, figure in figures.items():
        write_atomically(out / name, lambda file, figure=figure: file.write(to_png(figure)))
