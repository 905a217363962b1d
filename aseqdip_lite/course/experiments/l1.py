"""L1: what lam changes along a run in denoising, how fast it goes or which way (a question of the course's own)."""

import statistics

import numpy as np
from matplotlib.figure import Figure

from ..theory import path
from . import Experiment, register
from .arms import SEARCHED, by_image
from .verdicts import by_signs, compared

#: Settings of aSeqDIP that are compared; all but lam are those of the search.
ARMS = {f"lam {lam:g}": SEARCHED["denoising"] | dict(lam=lam) for lam in (0.0, 1.0, 4.0, 16.0)}
ARMS["lam 1 to 64"] = SEARCHED["denoising"] | dict(lam="geometric:first=1,last=64,begin=150,end=1200")

#: Shares of the noise at which ways are compared: around those of the best images.
LEVELS = (0.1, 0.15, 0.2)

#: Points that are kept of each path.
POINTS = 150


def measure(images, size, sigma, steps, seeds=1, progress=True):
    """The paths of `ARMS`, and what of the picture is missing where the same share of the noise has been fitted.

    Args:
        images, size, sigma, steps, seeds, progress: see `path.measure`.

    Returns:
        {"runs": [{"arm", "image", "seed", "noise", "best": PSNR without clipping, "best_step", "last",
        "levels": [see `at_level`], "freedom_gap": median of |freedom - share|, "ratio": median of friction / spring,
        "path": thinned columns}]}.
    """
    found = path.measure(images, size, sigma, steps, ARMS, seeds, progress=progress)
    return dict(runs=[summary(run) for run in found])


def summary(run):
    """What is kept of a run of `path.measure`."""
    columns = {name: np.array(values, dtype=float) for name, values in run["path"].items()}
    psnr = path.psnr(columns["share"], columns["rest"], run["noise"])
    best, every = int(psnr.argmax()), max(len(psnr) // POINTS, 1)
    spring, friction = np.median(columns["spring"]), np.median(columns["friction"])
    kept = {name: [float(f"{value:.4g}") for value in columns[name][::every]] for name in ("step", "share", "rest")}
    return {name: run[name] for name in ("arm", "image", "seed", "noise")} | dict(
        best=float(psnr[best]), best_step=int(columns["step"][best]), last=float(psnr[-1]),
        levels=[at_level(columns, level) for level in LEVELS], path=kept,
        freedom_gap=float(np.median(np.abs(columns["freedom"] - columns["share"]))),
        ratio=float(friction / spring) if spring > 0 else None)


def at_level(columns, level):
    """{"step", "rest"}: the first step with this share of the noise, and the mean rest where the share is within a
    tenth of it; None for a run that has not come there.
    """
    there = columns["share"] >= level
    if not there.any():
        return dict(step=None, rest=None)
    near = np.abs(columns["share"] - level) <= 0.1 * level
    near[there.argmax()] = True
    return dict(step=int(columns["step"][there.argmax()]), rest=float(columns["rest"][near].mean()))


def against(runs, arm, name, reference="lam 1"):
    """Ratios of `name` ("step" or "rest") of an arm to the reference, for all levels that both runs have reached."""
    other = {(run["image"], run["seed"]): run["levels"] for run in runs if run["arm"] == reference}
    pairs = [(mine[name], theirs[name]) for run in runs if run["arm"] == arm
             for mine, theirs in zip(run["levels"], other[run["image"], run["seed"]], strict=True)]
    return [mine / theirs for mine, theirs in pairs if mine is not None and theirs is not None]


def slower(run, other):
    """+1 if a run needs more steps than another to each share of the noise that both reach, -1 if fewer, else 0."""
    pairs = [(mine["step"], theirs["step"]) for mine, theirs in zip(run["levels"], other["levels"], strict=True)]
    found = {(mine > theirs) - (mine < theirs) for mine, theirs in pairs if mine is not None and theirs is not None}
    return found.pop() if len(found) == 1 else 0


def judge(ours):
    """Two claims on lam 1 against lam 0 at the same learning rate: lam 1 needs more steps to reach each share of the
    noise, on each image and with each seed; and its best PSNR is above that of lam 0."""
    runs, words, means = ours["runs"], [], {}
    for arm in ARMS:
        speed, way = against(runs, arm, "step"), against(runs, arm, "rest")
        means[arm] = statistics.fmean(20 * np.log10(way)) if way else None
        mine = [run for run in runs if run["arm"] == arm]
        best, last = (statistics.fmean(run[name] for run in mine) for name in ("best", "last"))
        words.append(f"{arm} {statistics.fmean(speed):.2f} times the steps of lam 1, error {means[arm]:+.2f} dB, best "
                     f"{best:.2f}, last {last:.2f} dB" if speed else f"{arm} never there, best {best:.2f} dB")
    zero, one = ([run for run in runs if run["arm"] == f"lam {lam}"] for lam in (0, 1))
    pace = against(runs, "lam 0", "step")
    claims = [by_signs("The term delays the fitting of noise", by_image(one, zero, slower), "lam 0 needs " + (
                  f"{statistics.fmean(pace):.2f} times the steps of lam 1" if pace else "more steps than it took")),
              compared("The term enhances image quality: the best image is better", by_image(
                  one, zero, lambda run, other: run["best"] - other["best"]), "denoising")]
    gap = statistics.fmean(run["freedom_gap"] for run in runs)
    levels = ", ".join(f"{level:g}" for level in LEVELS)
    return claims, (f"When shares of {levels} of the noise have been fitted, compared with lam 1 on the same picture: "
                     f"{'; '.join(words)}. The share of the noise and the degrees of freedom per pixel, which are "
                     f"probed without the truth, differ by {gap:.3f} in the median.")


def figure(ours):
    """Left the paths of the first picture over lines of equal PSNR, right the same runs against steps."""
    runs = [run for run in ours["runs"] if (run["image"], run["seed"]) == (ours["runs"][0]["image"], 0)]
    picture = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = picture.subplots(1, 2)
    noise, top = runs[0]["noise"], max(max(run["path"]["share"]) for run in runs)
    shares, rests = np.meshgrid(np.linspace(0, top, 200), np.linspace(0.02, 0.12, 200))
    lines = left.contour(shares, rests, path.psnr(shares, rests, noise), levels=range(18, 34), colors="0.8",
                         linewidths=0.8)
    left.clabel(lines, fmt="%d dB", fontsize=7)
    for index, run in enumerate(runs):
        style = dict(label=run["arm"], linewidth=1.4, linestyle=("-", "--", "-.", ":", (0, (1, 2)))[index % 5])
        left.plot(run["path"]["share"], run["path"]["rest"], **style)
        psnr = path.psnr(np.array(run["path"]["share"]), np.array(run["path"]["rest"]), noise)
        right.plot(run["path"]["step"], psnr, **style)
    left.set(xlabel="share of the noise that is fitted", ylabel="rms of the missing part of the picture",
             ylim=(0.02, 0.12), title=f"{runs[0]['image']}: the path of each run")
    right.set(xlabel="Adam step", ylabel="PSNR (dB)", title="the same runs against time")
    right.grid(alpha=0.3)
    right.legend(fontsize=8)
    return picture


register(Experiment(
    id="L1", about="what lam changes in a run, denoising sigma 25: how fast it goes or which path it takes",
    published="section 3: the autoencoding term delays the fitting of noise and also enhances image quality",
    profiles=dict(smoke=dict(images=("coffee",), size=32, sigma=25.0, steps=6, progress=False),
                  laptop=dict(images=("astronaut", "coffee", "retina"), size=64, sigma=25.0, steps=1500),
                  paper=dict(images=("astronaut", "coffee", "retina"), size=256, sigma=25.0, steps=4000, seeds=3)),
    measure=measure, judge=judge, figure=figure,
    alt="left, the paths of runs with different lam in the plane of the share of the noise that is fitted and the rms "
        "of what is missing of the picture, over lines of equal PSNR; right, their PSNR against Adam steps"))
