"""`aseqdip compare`: several methods on the same measurements, side by side."""

import csv
import hashlib
import io
import json
import os
import unicodedata
from contextlib import suppress
from pathlib import Path

import torch

from .. import methods, tasks
from ..files import check_free, hold, plain, to_json, write_together
from ..run import checkpoint
from ..run.engine import Run, check_run
from ..run.identity import describe
from ..run.interrupt import deferred_interrupt
from ..run.plots import plot_curves, plot_images, to_png, worst_box
from ..run.recorder import ANSWERS
from ..run.result import FILES, answer, read_saved
from ..run.stopping import StopReason
from ..settings import InputError, checked_name
from .statistics import summarise
from .sweep import sweep
from .tables import as_markdown
from .trials import Trial

REPORT = ("compare.json", "compare.md", "compare.csv")
LONGEST = 200  #: bytes of an image's name: with what is put before and behind it a file's name has at most 255


def compare(task, names, *, seeds=1, images=(None,), profile="laptop", steps=None, out, device="cpu", workers=None,
            scheduler=None, progress=True, **settings):
    """Run methods on the same measurements and write what they reach.

    A seed is both data seed and initialisation seed. Each run has its own folder IMAGE-METHOD-seedS in `out`, with a
    checkpoint: a comparison that is started again goes on where it was, and finished runs are read. What can be known
    to be wrong before the first step is refused there; that a run's folder cannot be written to shows when it begins.

    Args:
        task: task name; names: method names; seeds: number of seeds.
        images: shipped images or files; None is the task's default.
        profile: "smoke", "laptop" or "paper"; steps: of every method that makes Adam steps, or of a sampler.
        out: folder of compare.json, compare.md, compare.csv, and of compare.png and curves.png of the first image,
            compare-IMAGE.png and curves-IMAGE.png of each other one.
        workers: runs at a time (see `sweep`); by default one for each core, or 1 on a GPU.
        scheduler: address of a Dask scheduler whose workers make the runs; they must see the folder `out`.
        **settings: the task's settings.

    Returns:
        {"rows": [metrics of each run], "summary": [see `statistics.summarise`] of the whole ones, "left_out":
        [{"method", "image", "why"}] of what cannot honestly be run, was interrupted, or was given up, "pictures": [path
        of each that was drawn], "interrupted": bool, "failed": whether runs were given up, or diverged}.

    Raises:
        InputError: bad settings, two images of the same name, a folder with runs of other settings, or a file that has
            changed since the comparison began.
        KeyboardInterrupt: it was interrupted before any run had made a step.
    """
    out, device = Path(out), torch.device(device)
    check_run(seeds=seeds, workers=workers, steps=steps)
    images = [tasks.get(task).default_image if image is None else str(image) for image in images]
    labels = check_labels([Path(image).stem for image in images])
    asked = 0 if seeds > 1 and not any(methods.get(name).budget for name in names) else None  # seeds of the data alone
    cases = [tasks.load_case(task, image, data_seed=asked, profile=profile, **settings) for image in images]
    jobs, left_out = {}, []
    for image, label, case in zip(images, labels, cases, strict=True):
        files = digests([image, *settings.values()])
        for name in names:
            budget = steps if methods.get(name).budget else None  # a classic solver keeps its iterations
            method = methods.configure(name, task, profile, budget, max(case.observation.start.shape[2:]))
            try:
                method.check_image(label)
            except InputError as error:
                left_out.append(dict(method=name, image=label, why=str(error)))
                continue
            Run(case, method)  # refuses what the method cannot do on this case
            for seed in range(seeds):
                trial = Trial(task, name, dict(image=image) | settings, method.to_dict(), steps, seed, seed, profile)
                jobs[label, name, seed] = dict(trial=trial, budget=trial.budget, device=str(device), files=files,
                                               folder=str(out.absolute() / f"{label}-{name}-seed{seed}"))
    workers = 1 if workers is None and device.type != "cpu" else workers
    with deferred_interrupt(), hold(out):
        return _make(task, names, labels, cases, jobs, left_out, out, workers, scheduler, progress)


def _make(task, names, labels, cases, jobs, left_out, out, workers, scheduler, progress):
    """Make the runs of a comparison and write its report; see `compare`."""
    options, lost = dict(workers=workers, scheduler=scheduler, folder=out.absolute()), []
    check_free(out, REPORT)
    for job in jobs.values():
        check_free(job["folder"], (*FILES, checkpoint.FILE))
    begun = {key: job for key, job in jobs.items() if os.path.lexists(Path(job["folder"]) / checkpoint.FILE)}
    found = sweep(check, begun, progress=False, **options)
    if len(found) < len(begun):
        raise KeyboardInterrupt
    left = {key: job for key, job in jobs.items() if not found.get(key)}
    found |= sweep(run, left, lost=lost, progress=progress, label=f"compare {task}", **options)
    done = {key: found[key] for key in jobs if found.get(key)}
    if jobs and not done and not lost:
        raise KeyboardInterrupt
    left_out += [dict(method=name, image=label, why=f"seed {seed}: its process was killed each time")
                 for label, name, seed in lost]
    whole = {key: row for key, row in done.items() if row["stop_reason"] != StopReason.INTERRUPTED}
    for (label, name, seed), row in done.items():
        if (label, name, seed) not in whole:
            left_out.append(dict(method=name, image=label, why=f"seed {seed}: interrupted at step {row['steps']} of "
                                 f"{jobs[label, name, seed]['budget']}"))
    report, pictures = dict(rows=list(done.values()), summary=summarise(whole.values()), left_out=left_out), {}
    for index, (case, label) in enumerate(zip(cases, labels, strict=True)):
        folders = {name: out / f"{label}-{name}-seed0" for name in names if (label, name, 0) in whole}
        pictures |= draw(f"-{label}" if index else "", case, folders)
    write(out, report, pictures)
    failed = bool(lost) or any(StopReason(row["stop_reason"]).is_fault for row in done.values())
    return report | dict(pictures=[str(out / name) for name in pictures],
                         interrupted=len(whole) + len(lost) < len(jobs), failed=failed)


def check_labels(labels):
    """The names of images as files have them; InputError for one that cannot be a folder's, or two that are alike."""
    for label in labels:
        if len(os.fsencode(checked_name(label, "an image"))) > LONGEST:
            raise InputError(f"the name of the image {label[:40]}... has more than {LONGEST} bytes: shorten it")
    seen = set()
    for label in labels:
        alike = unicodedata.normalize("NFC", label).casefold()  # some file systems take these for one
        if alike in seen:
            raise InputError(f"two images are called {label}, or differ only in case: rename one, their results would "
                             "mix")
        seen.add(alike)
    return labels


def digests(names):
    """{name: sha256 of its contents} of those names, of anything, that are files, or folders of files."""
    found = {}
    for name in names:
        if isinstance(name, str) and os.path.exists(name):
            files = sorted(Path(name).iterdir()) if os.path.isdir(name) else [Path(name)]
            whole = hashlib.sha256()
            for file in files:
                if file.is_file():
                    with file.open("rb") as stream:
                        whole.update(hashlib.file_digest(stream, "sha256").digest())
            found[name] = whole.hexdigest()
    return found


def check(job, watch):
    """Metrics of the run of a job that its folder holds whole, else {}: it is to be made, or gone on with. For `sweep`.

    InputError if the checkpoint there is of another run, or of an unfinished one and damaged or of another format.
    """
    trial, folder = job["trial"], Path(job["folder"])
    begun = Run(trial.case(), trial.configured(), seed=trial.seed, steps=job["budget"])
    identity = describe(begun, window=100)
    checkpoint.load(folder / checkpoint.FILE, identity, any_format=True)
    with suppress(KeyError, ValueError):  # no sound result
        metrics, _, _ = read_saved(folder)
        reason, more = StopReason(metrics["stop_reason"]), job["budget"] - metrics["steps"]
        by_itself = reason.is_fault or reason is StopReason.OWN_RULE
        if metrics.pop("digests", None) and (more >= 0 if by_itself else reason is StopReason.BUDGET and more == 0):
            return metrics
    checkpoint.Keeper(folder, identity).restore(begun)
    return {}


def run(job, watch):
    """One run of a comparison: its metrics, which its folder holds too. For `sweep`."""
    case = job["trial"].case()
    now = digests(job["files"])
    if changed := [name for name, digest in job["files"].items() if now.get(name) != digest]:
        raise InputError(f"{changed[0]} has changed since this comparison began, so its rows would come from different "
                         "data: put it back and start again, or choose another --out")
    with hold(job["folder"]):
        result = job["trial"].run(watch, device=job["device"], out=job["folder"], case=case)
        result.save(job["folder"])
    if result.stop_reason is StopReason.INTERRUPTED:
        watch.stop()
    return plain(result.metrics)


def write(out, report, pictures):
    """Write the report as .json, .md and .csv with its pictures, {name: bytes}; those of an earlier one go."""
    table = io.StringIO()
    writer = csv.writer(table)
    facts = ("method", "image", "seed", "steps", "gradients", "seconds", "peak_memory_mib", "stop_reason")
    scores = {f"{score}_{name}": (name, score) for score in ("step", "psnr", "ssim") for name in ANSWERS}
    writer.writerow([*facts, *scores])
    writer.writerows([*(no_formula(row[fact]) for fact in facts), *(answer(row, *score) for score in scores.values())]
                     for row in report["rows"])
    contents = (text.encode() for text in (to_json(report), as_markdown(report["summary"]), table.getvalue()))
    write_together(out, dict(zip(REPORT, contents, strict=True)) | pictures,
                   remove=sorted(drawn_before(out) - set(pictures)))


def drawn_before(out):
    """Names of the pictures that an earlier comparison in a folder may have drawn, by its compare.json."""
    try:
        rows = json.loads((out / "compare.json").read_text(encoding="utf-8"))["rows"]
        labels = {Path(row["image"]).stem for row in rows}
    except (OSError, ValueError, KeyError, TypeError):  # none, or not ours
        return set()
    return {f"{kind}{end}.png" for kind in ("compare", "curves")
            for end in ("", *(f"-{label}" for label in labels if label))}


def draw(suffix, case, folders):
    """{name: bytes} of the pictures and the curves of one image from the {method: folder} of its runs of seed 0."""
    scores, curves, again = {}, {}, not folders or "zero_filled" in folders  # which is the start
    start = case.display(case.observation.start)
    shown, zoom = {} if again else {"start": start}, None if case.truth is None else worst_box(start, case.truth)
    for name, folder in folders.items():
        metrics, recon, rows = read_saved(folder)
        shown[name] = case.shown(recon)
        if case.truth is not None:
            scores |= {"start": metrics["psnr"]["start"], name: metrics["psnr"]["final"]}
        if len(rows) > 1 and "psnr" in rows[0]:
            curves[name] = ([int(row["step"]) for row in rows], [float(row["psnr"]) for row in rows])
    titles = {name: f"{score:.2f} dB" for name, score in scores.items()}
    figures = {f"compare{suffix}.png": plot_images(shown, case.truth, case.window, titles, zoom=zoom)} if shown else {}
    if curves:
        levels = {name: ([0], [scores[name]]) for name in shown if name in scores and name not in curves}
        figures[f"curves{suffix}.png"] = plot_curves(curves | levels)
    return {name: to_png(figure) for name, figure in figures.items()}


def no_formula(value):
    """A cell of a table; a text that a spreadsheet would compute is put behind an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
