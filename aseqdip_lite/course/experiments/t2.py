"""T2 in miniature: every method on every task (aSeqDIP paper, Table 2)."""

import numpy as np
from matplotlib.figure import Figure

from ... import methods
from ...run.plots import NAMES
from ...settings import InputError
from ...study.statistics import ALL, interval, summarise
from ...study.trials import Trial
from . import Experiment, register
from .arms import PUBLISHED_SETTINGS
from .published import Runs
from .verdicts import claim, judged, task_floor

#: Per task: images, the two published settings, and what is given to the smaller of the two comparisons.
TASKS = {
    "mri": (("brain-056", "brain-070", "brain-096"), dict(acceleration=4.0), dict(acceleration=8.0)),
    "ct": (("ct-head", "shepp-logan", "ct-brain-064"), dict(views=30), dict(views=18)),
    "denoising": (("astronaut", "coffee", "retina"), dict(sigma=25.0), dict(sigma=15.0)),
    "inpainting": (("astronaut", "coffee", "retina"), dict(hiar=0.1), dict(hiar=0.25)),
    "deblurring": (("astronaut", "coffee", "retina"), dict(motion=10.0), dict(motion=16.0)),
}

#: The methods of the DIP family in the paper's Table 2, beside aSeqDIP; of the data-driven ones, T3 runs VarNet.
PUBLISHED = {
    "mri": ("vanilla", "es_dip", "tv_dip", "reference_guided", "self_guided"),
    "ct": ("fbp", "vanilla", "reference_guided", "self_guided"),
    "denoising": ("vanilla", "sgld_dip", "tv_dip", "rethinking_dip", "es_dip", "self_guided"),
    "inpainting": ("vanilla", "sgld_dip", "tv_dip", "es_dip", "self_guided"),
    "deblurring": ("sgld_dip", "self_guided"),
}

#: The DIP methods that also run at the second setting, beside the classic ones.
SECOND = ("aseqdip", "vanilla", "self_guided")

#: aSeqDIP and the method that comes nearest to it in the paper's table, on each task.
PAIR = ("aseqdip", "self_guided")


def blocks(images, seeds, size=None, tasks=tuple(TASKS), steps=None, coils=8, profile="laptop"):
    """The runs of all methods at the first setting of each task, and of a part of them at the second.

    A claim is about aSeqDIP and the best method on the paper's list, and one rival that is better decides it: so the
    `PAIR` comes first, on the three images that a claim needs, task by task; then the others on the list; then the same
    at the second setting; then further seeds; and at last the methods that are on no list. A block has those of one
    image and seed.

    Args:
        images: images a task, of `TASKS`; seeds: seeds of each; tasks: names.
        size: side in pixels; None for the profile's own, and its coils.
        steps: Adam steps of every method; by default each has its own, found by the search.
        coils: coils of MRI; profile: whose default settings the methods have.
    """
    found = {}
    for place, task in enumerate(tasks):
        sizes = {} if size is None else dict(size=size) | (dict(coils=coils) if task == "mri" else {})
        sizes |= PUBLISHED_SETTINGS[task] if profile == "paper" else {}
        for seed in range(seeds):
            for index in (0, 1):
                for trial in trials_of(task, index, images, seed, profile, steps, sizes):
                    rank = 0 if trial.method in PAIR else 1 if trial.method in PUBLISHED[task] else 2
                    order = rank == 2, seed, index, rank, place, TASKS[task][0].index(trial.problem["image"])
                    found.setdefault(order, []).append((words(task, TASKS[task][1 + index]), trial))
    return [found[order] for order in sorted(found)]


def gather(runs):
    """{"parts": [{"task", "settings", "summary": see `statistics.summarise`}], "runs", "core_seconds"} of [(`words`,
    row)].
    """
    rows = {}
    for part, row in runs:
        rows.setdefault(part, []).append(row | dict(steps=row["made"]))
    parts = [dict(task=task, settings=found[1 + index], summary=summarise(rows[part])) for index in (0, 1)
             for task, found in TASKS.items() if (part := words(task, found[1 + index])) in rows]
    return dict(parts=parts, runs=len(runs), core_seconds=sum(row["seconds"] for _, row in runs))


def trials_of(task, index, images, seed, profile, steps, sizes):
    """The runs of one seed at the first (index 0) or second setting of a task; reference-guided only where it may."""
    made = []
    for name in methods.untrained(task):
        method = methods.configure(name, task, profile, steps)
        for image in TASKS[task][0][:images] if not index or name in SECOND or is_classic(name) else ():
            try:
                method.check_image(image)
            except InputError:  # this image is the reference itself
                continue
            made.append(Trial(task, name, dict(image=image) | TASKS[task][1 + index] | sizes, method.to_dict(),
                              seed=seed, data_seed=seed, profile=profile))
    return made


def is_classic(name):
    """Whether a method trains no network."""
    return not methods.get(name).budget


def means(part):
    """{method: mean final PSNR over all images and seeds} of a part, the highest first."""
    labels = {row["image"] for row in part["summary"]}
    label = ALL if ALL in labels else labels.pop()
    found = {row["method"]: row["answers"]["final"]["psnr"]["mean"] for row in part["summary"] if row["image"] == label}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def title(part):
    """A part in words, see `words`."""
    return words(part["task"], part["settings"])


def words(task, settings):
    """A task with a setting in words, e.g. "mri, acceleration 4"."""
    return task + "".join(f", {name} {value:g}" for name, value in settings.items())


def leads(part):
    """{method: `statistics.difference` of aSeqDIP's final PSNR to it, over the images that it ran on} of a part, the
    best method first.
    """
    found = {}
    for row in part["summary"]:
        if row["to_aseqdip"] and row["image"] != ALL:
            found.setdefault(row["method"], []).append(-row["to_aseqdip"]["mean"])
    return dict(sorted(((name, interval(values)) for name, values in found.items()), key=lambda item: item[1]["mean"]))


def first(part, among, text):
    """The claim that aSeqDIP ends above the best of some methods that ran on a part, see `verdicts.compared`."""
    table = leads(part)
    rival = next((name for name in table if name in among), None)
    if rival is None:
        return claim(text, "not tested", "none of them was run")
    seeds = [row["runs"] for row in part["summary"] if row["method"] == rival and row["image"] != ALL]
    found = judged(text, table[rival], task_floor(part["task"], seeds, 1 + (not is_classic(rival))))
    return found | dict(why=f"aSeqDIP minus {rival}: {found['why']}")


def judge(ours):
    """One claim for each task and setting: aSeqDIP ends above the best method of the DIP family that the paper's own
    table lists for the task and that was run here. If some of the listed methods were not run, the verdict cannot be
    "agree". The table also gives aSeqDIP's places by the mean PSNR, in the whole family and among all methods that were
    run; the paper claims nothing about these."""
    claims, over_all, places = [], [], []
    for part in ours["parts"]:
        table, listed = means(part), PUBLISHED[part["task"]]
        missing = [name for name in listed if name not in table]
        found = first(part, listed, f"{title(part)}: aSeqDIP is first on the paper's list")
        if missing and found["verdict"] == "agree":
            found["verdict"] = "undecided"
        claims.append(found | dict(why=found["why"] + (f"; not run: {', '.join(missing)}" if missing else "")))
        over_all += [part] * (next(iter(table)) == "aseqdip")
        places.append(f"{title(part)}: " + ", ".join(f"{name} {value:.2f}" for name, value in table.items()))
    hours = ours["core_seconds"] / 3600  # an interrupted experiment's own clock knows its end alone
    most = max(row["runs"] for part in ours["parts"] for row in part["summary"])
    return claims, (f"{ours['runs']} runs, {hours:.1f} core-hours, up to {most} runs in a mean. By the mean aSeqDIP "
                    f"is first of all methods that were run in {len(over_all)} of {len(ours['parts'])} comparisons. "
                    "Mean PSNR in dB at the last step: " + "; ".join(places) + ".")


def plain_title(part):
    """A part as figures name it, e.g. "MRI, 4 x" or "in-painting, hole 10 %"."""
    words = [dict(acceleration=f"{value:g} x", views=f"{value:g} views", hiar=f"hole {100 * value:g} %").get(
        name, f"{name} {value:g}") for name, value in part["settings"].items()]
    return ", ".join([NAMES.get(part["task"], part["task"]), *words])


def rows_figure(parts, xlabel):
    """(figure, axis) with a row for each part and a vertical line at 0."""
    picture = Figure(figsize=(8.0, 0.42 * len(parts) + 1.6), layout="constrained")
    axis = picture.subplots()
    axis.axvline(0, color="0.4", linewidth=1)
    axis.set_yticks(range(len(parts)), [plain_title(part) for part in parts])
    axis.invert_yaxis()
    axis.set_xlabel(xlabel)
    axis.grid(axis="x", alpha=0.3)
    return picture, axis


def figure(ours):
    """Final PSNR minus that of aSeqDIP, one row of points a part; classic methods hollow."""
    parts, markers = ours["parts"], "osD^v<>pP*Xh8d"
    names = list(dict.fromkeys(name for part in parts for name in means(part) if name != "aseqdip"))
    picture, axis = rows_figure(parts, "final PSNR minus that of aSeqDIP (dB)")
    for index, name in enumerate(names):
        found = [(means(part)[name] - means(part)["aseqdip"], row) for row, part in enumerate(parts)
                 if name in means(part)]
        axis.plot(*np.transpose(found), markers[index % len(markers)], label=NAMES.get(name, name), linestyle="none",
                  fillstyle="none" if is_classic(name) else "full")
    axis.legend(fontsize=7, ncols=2, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return picture


RUNS = Runs("T2", blocks, gather)
measure = RUNS.measure
register(Experiment(
    id="T2", about="every method on every task in miniature, and at a second setting aSeqDIP, vanilla DIP, Self-Guided "
    "DIP and the classic methods",
    published="aSeqDIP is highest of the DIP family on all five tasks, e.g. MRI 4x: 34.08 dB, Self-Guided DIP 33.6 dB",
    profiles=dict(smoke=dict(size=40, coils=2, images=1, seeds=1, steps=2, tasks=("mri", "denoising"), progress=False),
                  laptop=dict(size=128, images=3, seeds=1, file="T2_runs.jsonl"),
                  paper=dict(images=3, seeds=3, profile="paper", record_every=10, file="T2_runs_paper.jsonl")),
    measure=measure, runs=RUNS, judge=judge, figure=figure,
    alt="one row for each task and setting with a mark for each method at its mean final PSNR minus that of aSeqDIP, "
        "which is the line at 0; classic methods have hollow marks"))
