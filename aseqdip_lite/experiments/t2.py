"""T2 in miniature: every method on every task (aSeqDIP paper, Table 2)."""

import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .. import methods
from ..compare import compare
from ..statistics import ALL
from . import Experiment, register

#: Per task: images, the two published settings, and what is given to the smaller of the two comparisons.
TASKS = {
    "mri": (("brain-056", "brain-070", "brain-096"), dict(acceleration=4.0), dict(acceleration=8.0)),
    "ct": (("ct-head", "shepp-logan", "ct-brain-064"), dict(views=30), dict(views=18)),
    "denoising": (("astronaut", "coffee", "retina"), dict(sigma=25.0), dict(sigma=15.0)),
    "inpainting": (("astronaut", "coffee", "retina"), dict(hiar=0.1), dict(hiar=0.25)),
    "deblurring": (("astronaut", "coffee", "retina"), dict(motion=10.0), dict(motion=16.0)),
}

#: The DIP methods that also run at the second setting, beside the classic ones.
SECOND = ("aseqdip", "vanilla", "self_guided")

#: What is kept of a run.
KEPT = ("method", "image", "seed", "steps", "gradients", "seconds", "stop_reason", "peak_step")


def measure(size, images, seeds, tasks=tuple(TASKS), steps=None, coils=8, profile="laptop", folder=None, progress=True):
    """Compare all methods at the first setting of each task, and a part of them at the second.

    Args:
        size: side in pixels; images: images a task, of `TASKS`; seeds: seeds of each; tasks: names.
        steps: Adam steps of every method; by default each has its own, found by the search.
        coils: coils of MRI; profile: whose default settings the methods have.
        folder: where each run has a folder, so that a stopped experiment goes on when it is started again; None
            keeps nothing.

    Returns:
        {"parts": [{"task", "settings", "summary": see `statistics.summarise`, "rows"}]}.
    """
    keep = nullcontext(folder) if folder else tempfile.TemporaryDirectory()
    parts = []
    with keep as out:
        for index in (0, 1):
            for task in tasks:
                pictures, *settings = TASKS[task]
                names = [name for name in methods.names(task) if not index or name in SECOND or is_classic(name)]
                extra = dict(size=size) | (dict(coils=coils) if task == "mri" else {})
                report = compare(task, names, seeds=seeds, images=pictures[:images], profile=profile, steps=steps,
                                 out=Path(out) / f"{task}-{index + 1}", workers=None if progress else 1,
                                 progress=progress, **settings[index], **extra)
                if report["interrupted"]:
                    raise KeyboardInterrupt
                parts.append(dict(task=task, settings=settings[index], summary=report["summary"],
                                  rows=[shortened(row) for row in report["rows"]]))
    return dict(parts=parts)


def is_classic(name):
    """Whether a method is no network's."""
    return not methods.get(name).budget


def shortened(row):
    """What is stored of a run's metrics."""
    return {name: row[name] for name in KEPT} | dict(psnr=row["psnr"], ssim=row["ssim"],
                                                     stops={rule: stop["psnr"] for rule, stop in row["stops"].items()})


def means(part):
    """{method: mean final PSNR over all images and seeds} of a part, the highest first."""
    labels = {row["image"] for row in part["summary"]}
    label = ALL if ALL in labels else labels.pop()
    found = {row["method"]: row["psnr"]["final"]["mean"] for row in part["summary"] if row["image"] == label}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def title(part):
    """A part in words, e.g. "mri, acceleration 4"."""
    return part["task"] + "".join(f", {name} {value:g}" for name, value in part["settings"].items())


def judge(ours):
    """Reproduced if aSeqDIP is first of all DIP methods everywhere; same direction in more than half of the parts."""
    parts = ours["parts"]
    first, over_all, places = [], [], []
    for part in parts:
        table = means(part)
        family = [name for name in table if not is_classic(name)]
        first += [part] * (family[0] == "aseqdip")
        over_all += [part] * (next(iter(table)) == "aseqdip")
        places.append(f"{title(part)}: " + ", ".join(f"{name} {value:.2f}" for name, value in table.items()))
    verdict = ("reproduced" if len(first) == len(parts) else "same direction" if 2 * len(first) > len(parts)
               else "not reproduced")
    runs = [row for part in parts for row in part["rows"]]  # an interrupted experiment's own clock knows its end alone
    hours = sum(row["seconds"] for row in runs) / 3600
    return verdict, (f"{len(runs)} runs, {hours:.1f} core-hours. Of {len(parts)} comparisons aSeqDIP is "
                     f"first of the DIP methods in {len(first)} and first of "
                     f"all in {len(over_all)}. Mean PSNR at the last step: " + "; ".join(places) + ".")


def figure(ours):
    """Final PSNR minus that of aSeqDIP, one row of points a part; classic methods hollow."""
    parts = ours["parts"]
    names = list(dict.fromkeys(name for part in parts for name in means(part) if name != "aseqdip"))
    picture = Figure(figsize=(8.0, 0.42 * len(parts) + 1.6), layout="constrained")
    axis, markers = picture.subplots(), "osD^v<>pP*Xh8d"
    for index, name in enumerate(names):
        found = [(means(part)[name] - means(part)["aseqdip"], row) for row, part in enumerate(parts)
                 if name in means(part)]
        axis.plot(*np.transpose(found), markers[index % len(markers)], label=name, linestyle="none",
                  fillstyle="none" if is_classic(name) else "full")
    axis.axvline(0, color="0.4", linewidth=1)
    axis.set_yticks(range(len(parts)), [title(part) for part in parts])
    axis.invert_yaxis()
    axis.set_xlabel("final PSNR minus that of aSeqDIP (dB)")
    axis.grid(axis="x", alpha=0.3)
    axis.legend(fontsize=7, ncols=2, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return picture


register(Experiment(
    id="T2", about="every method on every task at two settings, in miniature",
    published="aSeqDIP highest of the DIP family on all five tasks, e.g. MRI 4x 34.08 dB against Self-Guided 33.6",
    profiles=dict(smoke=dict(size=40, coils=2, images=1, seeds=1, steps=2, tasks=("mri", "denoising"), progress=False),
                  laptop=dict(size=128, images=3, seeds=2, folder="out/T2"),
                  paper=dict(size=512, coils=15, images=3, seeds=3, profile="paper", folder="out/T2-paper")),
    measure=measure, judge=judge, figure=figure,
    alt="one row for each task and setting with a mark for each method at its mean final PSNR minus that of aSeqDIP, "
        "which is the line at 0; classic methods have hollow marks"))
