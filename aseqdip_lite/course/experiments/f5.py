"""F5: the reconstructions themselves, with residual boxes (aSeqDIP paper, Fig. 5)."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...methods import configure
from ...run.engine import reconstruct
from ...run.plots import NAMES, worst_box
from ...run.result import as_gray
from ...tasks import load_case
from . import Experiment, register
from .arms import BUDGET, SEARCHED, TASK_SETTINGS
from .verdicts import claim

#: The published settings of each task, and the classic method that stands beside vanilla DIP and aSeqDIP.
PROBLEMS = {"mri": (dict(image="brain-070", acceleration=8.0), "tv"), "ct": (dict(image="ct-head", views=18), "tv"),
            "denoising": (dict(image="astronaut", sigma=25.0), "nlm"),
            "inpainting": (dict(image="astronaut", hiar=0.25), "biharmonic"),
            "deblurring": (dict(image="astronaut"), "tv")}


def measure(size, steps, coils=8, seed=0, progress=True):
    """Start, classic method, vanilla DIP and aSeqDIP on each task, with pictures of 8 bit for the figure.

    Returns:
        {task: {"box": [top, left, side], "rows": {method: {"psnr", "box" (root mean squared error in the box, in
        units of the data range)}}}}; the box is the square, a quarter of the side long, in which the start misses the
        truth most, so that no method chooses it. And {"task, method" or "task, truth": picture (H, W), uint8}, its
        window from black to white; of colours their mean.
    """
    found, pictures = {}, {}
    for task, (problem, classic) in PROBLEMS.items():
        case = load_case(task, size=size, seed=seed, **TASK_SETTINGS[task], **problem,
                         **(dict(coils=coils) if task == "mri" else {}))
        images = {"start": case.observation.start}
        for name in (classic, "vanilla", "aseqdip"):
            searched = dict(steps=BUDGET[task], **SEARCHED[task]) if name == "aseqdip" else {}
            method = configure(name, task, **searched)
            method = method.with_steps(min(steps, method.steps)) if method.budget else method
            images[name] = reconstruct(case, method, seed=seed, progress=progress).images["final"]
        shown = {name: case.display(image) for name, image in images.items()}
        box = worst_box(shown["start"], case.truth)
        found[task] = dict(box=list(box), rows={name: row(picture, case, box) for name, picture in shown.items()})
        for name, picture in (shown | dict(truth=case.truth)).items():
            gray = picture.mean(axis=-1) if picture.ndim == 3 else picture
            pictures[f"{task}, {name}"] = as_gray(gray, case.window)
    return found, pictures


def row(picture, case, box):
    """What is stored of one picture."""
    top, left, side = box
    part = np.s_[top:top + side, left:left + side]
    error = (picture - case.truth) / case.data_range
    return dict(psnr=float(-10 * np.log10(np.mean(error**2))), box=float(np.sqrt(np.mean(error[part] ** 2))))


def judge(ours):
    """Undecided: there is one image per task. The classic methods are not in the paper's figure; the rule counts the
    tasks on which aSeqDIP has a smaller error in the box than vanilla DIP."""
    errors = {task: {name: row["box"] for name, row in found["rows"].items()} for task, found in ours.items()}
    won = [task for task, by_method in errors.items() if min(by_method, key=by_method.get) == "aseqdip"]
    ahead = sum(by_method["aseqdip"] < by_method["vanilla"] for by_method in errors.values())
    claims = [claim("aSeqDIP has smaller residuals in the boxes than vanilla DIP", "undecided",
                    f"true on {ahead} of {len(errors)} tasks, but there is only one image of each")]
    numbers = "; ".join(f"{task} " + ", ".join(f"{name} {value:.3f}" for name, value in by_method.items())
                        for task, by_method in errors.items())
    return claims, (f"Of all methods that were run aSeqDIP has the smallest error in the box on {len(won)} of "
                     f"{len(errors)} tasks. Root mean squared error there, in units of the data range: {numbers}.")


def figure(ours, pictures):
    """One row a task: each picture with its box framed, and the box's error below it."""
    columns = max(len(found["rows"]) for found in ours.values()) + 1
    picture = Figure(figsize=(1.9 * columns, 2.6 * len(ours)), layout="constrained")
    axes = picture.subplots(2 * len(ours), columns, height_ratios=[1.0, 0.5] * len(ours))
    for index, (task, found) in enumerate(ours.items()):
        top, left, side = found["box"]
        truth = pictures[f"{task}, truth"].astype(float)
        for name, upper, lower in zip([*found["rows"], "truth"], axes[2 * index], axes[2 * index + 1], strict=True):
            image = pictures[f"{task}, {name}"]
            upper.imshow(image, cmap="gray", vmin=0, vmax=255)
            upper.add_patch(Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor="white"))
            words = [NAMES.get(task, task)] if name == "start" else []
            upper.set_title(": ".join([*words, NAMES.get(name, name)]), fontsize=9)
            if name != "truth":
                upper.set_title(f"{upper.get_title()}\n{found['rows'][name]['psnr']:.2f} dB", fontsize=9)
                part = np.s_[top:top + side, left:left + side]
                drawn = lower.imshow(np.abs(image - truth)[part] / 255, cmap="cividis", vmin=0, vmax=0.25)
        for axis in axes[2 * index:2 * index + 2].flat:
            axis.set_axis_off()
        bar = picture.colorbar(drawn, cax=lower.inset_axes((0.2, 0.6, 0.6, 0.12)), orientation="horizontal",
                               ticks=(0, 0.25))
        bar.set_label("|error| in the frame,\nshare of the gray scale", fontsize=8)
    return picture


register(Experiment(
    id="F5", about="reconstructions with residual boxes: MRI 8x, CT 18 views, denoising, in-painting, deblurring",
    published="visual: aSeqDIP has the smallest residuals in the boxes",
    profiles=dict(smoke=dict(size=32, coils=2, steps=2, progress=False), laptop=dict(size=128, steps=1500),
                  paper=dict(size=256, coils=15, steps=4000)),
    measure=measure, judge=judge, figure=figure,
    alt="Five rows of pictures, one for each task: start, a classic method, vanilla DIP, aSeqDIP and the truth, each "
        "with a framed box whose error is shown below it"))
