"""Does lam delay overfitting? A grid of aSeqDIP runs on images, with the real U-Net and Adam.

The paper says that the autoencoding term delays the onset of overfitting (section 3.2.1). aSeqDIP differs from
DIP in two ways at once: its input moves, and lam pulls the output to the input. The grid separates them:

* input "moving": aSeqDIP as it is, lam x N;
* input "fixed": the same loss with z = z_0 throughout, aSeqDIP with one stage that holds all steps. With lam = 0
  this is DIP with z_0 as its input, with lam > 0 a pull to z_0.

Every run goes through `iterate`. A finished run is one line of JSON in grid.jsonl and is never run again.
"""

import time
from pathlib import Path

import numpy as np

from ...files import plain, provenance
from ...methods.aseqdip import ASeqDIP
from ...run import metrics, threads
from ...run.engine import iterate
from ...settings import nearest
from ...study.store import Store, key
from ...study.sweep import sweep
from ...tasks import load_case

#: Shipped images of the role "result" that the grid runs on.
IMAGES = {"mri": ("brain-070", "brain-096"), "denoising": ("astronaut", "coffee")}

#: Settings of the tasks. At the usual noise no MRI run overfits within 1500 steps: there would be nothing to compare.
#: The stored rows count the signal of the sampled k-space alone; 4 dB of the whole are as much noise. In denoising zero
#: is black.
SETTINGS = {"mri": dict(snr=10.0), "denoising": dict(fill="zero")}

#: What identifies a run.
KEYS = ("task", "settings", "image", "seed", "size", "steps", "lr", "network", "input", "lam", "N")

#: Points that are kept of each curve.
POINTS = 60


def grid(tasks=("mri", "denoising"), images=None, lams=(0, 0.5, 1, 2, 4), Ns=(1, 2, 4), fixed=(0, 1), seeds=(0, 1),
         size=128, steps=1200, lr=1e-3, network="lite"):
    """All runs of the grid, {key: run}; N is None where the input is fixed.

    Args:
        tasks: task names; images: {task: image names}, `IMAGES` if None.
        lams, Ns: weights of the autoencoding term, steps per stage, of the moving input.
        fixed: weights of the autoencoding term with the input fixed.
        seeds: each is data seed and initialisation seed.
        size: side of the images in pixels; steps: Adam steps of each run; lr, network: as in `ASeqDIP`.
    """
    images = IMAGES if images is None else images
    for task in tasks:
        nearest(task, images, "task of the grid")
    arms = [("fixed", float(lam), None) for lam in fixed] + [("moving", float(lam), N) for N in Ns for lam in lams]
    runs = [dict(zip(KEYS, (task, SETTINGS[task], image, seed, size, steps, lr, network, *arm), strict=True))
            for seed in seeds for task in tasks for image in images[task] for arm in arms]
    return {key(run, KEYS): run | dict(budget=steps) for run in runs}


def run_grid(out, *, workers=None, progress=True, **settings):
    """Run what is missing of a grid and return all its rows, in the order of `grid`.

    Ctrl-C ends it after the running steps; the same call goes on with the runs that have not finished.

    Args:
        out: folder of grid.jsonl, one line a finished run; other grids may share the file.
        workers: processes of one thread each, one for each core if None.
        progress: show a bar.
        **settings: as in `grid`.

    Raises:
        InputError: a task without images, an unknown image or setting, or a damaged grid.jsonl.
    """
    kept, runs = Store(Path(out) / "grid.jsonl", KEYS), grid(**settings)
    for task, image in {(run["task"], run["image"]) for run in runs.values()}:
        load_case(task, image, size=next(iter(runs.values()))["size"])  # a wrong name ends here, not in a worker
    sweep(measure, {name: run for name, run in runs.items() if name not in kept.rows}, workers=workers,
          finished=lambda _, row: kept.add(row), progress=progress, label="lam x N")
    return [kept.rows[name] for name in runs if name in kept.rows]


def measure(run, watch):
    """One run: its row, or None if `watch` said to stop.

    A row holds the run, `psnr` (start, best, final; dB), `best_step`, `rise` (first step whose smoothed PSNR lies
    within 1 dB of its maximum), `overfitting` (first step of it or None, see `overfitting_start`), `diverged` (step
    or None), `truth_norm` ||x|| / ||z_0||, `seconds`, provenance, and `curve`: at every POINTS-th part
    of the steps psnr, moved ||z - z_0|| / ||z_0||, norm ||z|| / ||z_0||, data ||A f - y||^2 / ||y||^2, where z is
    the network's input of the next step.
    """
    began = time.perf_counter()
    case = load_case(run["task"], run["image"], seed=run["seed"], size=run["size"], **run["settings"])
    observation, steps = case.observation, run["steps"]
    start, energy = observation.start, float(observation.y.norm()) ** 2
    every, diverged = max(1, steps // POINTS), None
    curve, psnr = dict(step=[], psnr=[], moved=[], norm=[], data=[]), []
    for state in iterate(observation, method(run), seed=run["seed"], steps=steps):
        if not state.is_finite:
            diverged = state.step
            break
        psnr.append(metrics.psnr(case.display(state.image), case.truth, case.data_range))
        if state.step % every == 0 or state.step == steps:
            z = state.carry.z
            values = (state.step, psnr[-1], (z - start).norm() / start.norm(), z.norm() / start.norm(),
                      state.losses["data"] / energy)
            for name, value in zip(curve, values, strict=True):
                curve[name].append(float(f"{float(value):.5g}"))
        if watch(state.step):
            return None
    smooth = smoothed(psnr)
    psnr_start = metrics.psnr(case.display(start), case.truth, case.data_range)
    with threads.suited(observation):
        made = provenance(start.device)
    row = {name: run[name] for name in KEYS} | dict(
        psnr=dict(start=psnr_start, best=max(psnr, default=None), final=psnr[-1] if psnr else None),
        best_step=int(np.argmax(psnr)) + 1 if psnr else None, rise=first_within(smooth, 1.0),
        overfitting=overfitting_start(psnr), diverged=diverged,
        truth_norm=float(np.linalg.norm(case.truth) / np.linalg.norm(case.array(start))), curve=curve,
        seconds=round(time.perf_counter() - began, 2), **made)
    return plain(row)


def method(run):
    """The method of a run. A fixed input is one stage that is longer than the run, so that z is never swapped."""
    N, K = (run["steps"] + 1, 1) if run["N"] is None else (run["N"], -(-run["steps"] // run["N"]))
    return ASeqDIP(lam=run["lam"], N=N, K=K, lr=run["lr"], network=run["network"])


def smoothed(psnr, window=50):
    """Running mean of a curve with one value a step: {step in the middle of the window: mean}, shorter curves whole."""
    window = min(window, len(psnr))
    if not window:
        return {}
    means = np.convolve(psnr, np.ones(window) / window, "valid")
    return {index + 1 + window // 2: float(mean) for index, mean in enumerate(means)}


def overfitting_start(psnr, window=50, drop=0.1):
    """First step after which the PSNR, one value a step, smoothed over `window` steps, stays more than `drop` dB below
    its maximum; None where overfitting has not begun.
    """
    smooth = smoothed(psnr, window)
    if not smooth:
        return None
    top = max(smooth.values()) - drop
    last = max(step for step, value in smooth.items() if value >= top)
    return None if last == max(smooth) else last + 1


def first_within(smooth, margin):
    """First step at which a smoothed curve lies within `margin` of its maximum; None for an empty one."""
    top = max(smooth.values(), default=0.0) - margin
    return next((step for step, value in smooth.items() if value >= top), None)
