"""How good the image of a run gets, when, and when it is lost again: the runs of experiments W1 to W3.

A run is a dictionary with `FIELDS`. Every run of a comparison has the same budget of Adam steps. A run that is over
costs no more: it ends as soon as its PSNR lies `FALL` dB below its peak and the peak `SINCE` steps back. The truth
decides that, and what is measured; the method does not see it. A finished run is one line of JSON, and is made once.
"""

import math

from ...methods.aseqdip import ASeqDIP
from ...run import metrics
from ...run.engine import iterate
from ...study.store import Store, key
from ...study.sweep import sweep
from ...tasks import load_case
from .grid import first_within, overfitting_start, smoothed

#: Shipped images of the role "result" that neither a search nor the stored grid has used.
IMAGES = {"denoising": ("camera", "grass", "hubble", "retina"),
          "mri": ("brain-056", "brain-064", "brain-082", "brain-108")}

#: Settings of the tasks; MRI as noisy as in `grid`, where at 25 dB no run overfits.
SETTINGS = {"denoising": dict(sigma=25.0, fill="zero"), "mri": dict(snr=4.0, coils=4)}

#: What a run is: its problem; its budget; the network; where it starts, see `STARTS`; aSeqDIP's settings, N None for an
#: input that stays.
FIELDS = ("task", "image", "seed", "size", "steps", "network", "lr", "start", "lam", "N", "rho")

LR = 1e-3  #: Adam's rate in all runs

FALL, SINCE = 1.5, 300  #: a run that is so many dB below its peak, so many steps after it, is over

#: Factors of the exponential averages of the outputs that are measured beside the outputs: a memory of 8 and 50 steps.
AVERAGES = (0.875, 0.98)


def plan(arms, *, tasks=("denoising", "mri"), images=4, seeds=3, size=64, steps=500, network="lite-half", lr=LR):
    """The runs of every arm on every image with every seed: [run].

    Args:
        arms: dictionaries of those of start ("own"), lam (1), N (2), rho (1), network and lr that are not as here.
        tasks: of `IMAGES`; images: how many of each; seeds: each is data seed and initialisation seed.
        size, steps, network, lr: of all runs.
    """
    shared = dict(size=size, steps=steps, network=network, lr=lr, start="own", lam=1.0, N=2, rho=1.0)
    return [dict(task=task, image=image, seed=seed) | shared | arm for seed in range(seeds) for task in tasks
            for image in IMAGES[task][:images] for arm in arms]


def label(run):
    """What identifies a run, its `FIELDS` in a line."""
    return " ".join(f"{run[name]:g}" if isinstance(run[name], float) else str(run[name]) for name in FIELDS)


def record(runs, *, file=None, measure=None, workers=None, progress=True, title="runs"):
    """The rows of all runs, those that `file` does not hold made now; each is written as soon as it is there.

    Args:
        runs: see `plan`. file: of the `Store`, or None.
        measure: a module's function like `measured`, which is the default.
        workers, progress, title: see `sweep`; without a bar one worker, unless more are asked for.

    Raises:
        KeyboardInterrupt: it was interrupted; started again, it goes on there.
    """
    kept, names = Store(file, ("run",)), [key(dict(run=label(run)), ("run",)) for run in runs]
    jobs = {name: run | dict(budget=run["steps"]) for name, run in zip(names, runs, strict=True)
            if name not in kept.rows}
    workers = workers or (None if progress else 1)
    if jobs and len(sweep(measure or measured, jobs, workers=workers, progress=progress, label=title,
                          finished=lambda _, row: kept.add(row))) < len(jobs):
        raise KeyboardInterrupt
    return [run | kept.rows[name] for name, run in zip(names, runs, strict=True)]


def measured(run, watch):
    """The row of a run, or None if `watch` said to stop.

    {"run": `label`, "psnr": [of the start, of the peak, of the last step], "step": [of the rise, of the peak, of the
    onset of overfitting or None, the last], "mean": [peak of each of `AVERAGES`], "end": "budget", "fell", "diverged"}

    PSNR in dB, to two decimals. The rise is the first step at which the smoothed PSNR lies within 1 dB of its maximum,
    the onset as in `grid.overfitting_start`.
    """
    case = problem(run)
    row = follow(run, case, watch)
    return row and dict(run=label(run)) | row


def problem(run):
    """The `Case` of a run."""
    return load_case(run["task"], run["image"], seed=run["seed"], size=run["size"], **SETTINGS[run["task"]])


def method(run):
    """The method of a run; an input that stays is one stage that is longer than the run."""
    N, K = (run["steps"] + 1, 1) if run["N"] is None else (run["N"], -(-run["steps"] // run["N"]))
    return ASeqDIP(lam=run["lam"], N=N, K=K, lr=run["lr"], network=run["network"], rho=run["rho"])


def follow(run, case, watch, z0=None, look=None):
    """What `measured` says of a run, or None; `look` is called with each `State`, z0 an input to start from."""
    curve, averages, end = [], Averages(case), "budget"
    for state in iterate(case.observation, method(run), seed=run["seed"], steps=run["steps"], z0=z0):
        if not state.is_finite:
            end = "diverged"
            break
        curve.append(metrics.psnr(case.display(state.image), case.truth, case.data_range))
        averages.update(state.image)
        if look:
            look(state)
        if watch(state.step):
            return None
        if over(curve):
            end = "fell"
            break
    return summary(metrics.psnr(case.display(case.observation.start), case.truth, case.data_range), curve,
                   averages.peaks, end)


def over(curve):
    """Whether a run is `FALL` dB below its peak and `SINCE` steps after it; `curve` has one PSNR a step."""
    if len(curve) <= SINCE or len(curve) % 10:  # looked at every tenth step
        return False
    top = max(curve)
    return curve[-1] < top - FALL and len(curve) - 1 - curve.index(top) >= SINCE


def summary(start, curve, averages, end):
    """The numbers of a row of `measured`; a run without a finite step has its start as its peak."""
    if not curve:
        return dict(psnr=[round(start, 2)] * 3, step=[0, 0, None, 0], mean=[round(start, 2)] * len(AVERAGES), end=end)
    top = max(curve)
    return dict(psnr=[round(value, 2) for value in (start, top, curve[-1])],
                step=[first_within(smoothed(curve), 1.0), curve.index(top) + 1, overfitting_start(curve), len(curve)],
                mean=[round(value, 2) for value in averages], end=end)


class Averages:
    """Exponential averages of the outputs of a run, and the highest PSNR of each so far."""

    def __init__(self, case):
        self.case, self.images, self.peaks = case, [None] * len(AVERAGES), [-math.inf] * len(AVERAGES)

    def update(self, image):
        """Take in the next output (1, C, H, W); an average starts at the first."""
        for index, factor in enumerate(AVERAGES):
            before = self.images[index]
            self.images[index] = image if before is None else image.lerp(before, factor)
            psnr = metrics.psnr(self.case.display(self.images[index]), self.case.truth, self.case.data_range)
            self.peaks[index] = max(self.peaks[index], psnr)


