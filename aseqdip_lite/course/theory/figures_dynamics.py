"""Figures of aSeqDIP's dynamics and of the lam x N grid. All take `Figure()`, never pyplot."""

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure

from ...run.plots import NAMES
from . import dynamics
from .figures import finish
from .verdict import failed, onset

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "osD^v"


def plot_modes(fast=0.2, slow=0.01, lams=(0.0, 0.5, 1.0, 2.0, 4.0), N=2, stages=120):
    """The error of a fast and a slow mode per stage, A = I: input ignored (G = 0) beside residual network (G = I).

    fast, slow: 2 beta theta of the two modes, the share of the error that one step removes at lam = 0.
    """
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    titles = ("blind to its input, G = 0", "residual network, G = I")
    for axis, gain, title in zip(axes, (0.0, 1.0), titles, strict=True):
        for dash, colour, lam in styles(lams):
            theta, one = torch.tensor([fast, slow], dtype=torch.float64).diag() / 2, torch.ones(2, dtype=torch.float64)
            eye = torch.eye(2, dtype=torch.float64)
            path = dynamics.momentum_path(theta, gain * eye, eye, 0 * one, one, one, lam, N, 1.0, stages)
            for mode, width in ((0, 1.0), (1, 2.0)):
                axis.plot(path[:, mode], linestyle=dash, color=colour, linewidth=width,
                          label=f"lam = {lam:g}" if mode else None)
        axis.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        finish(axis, title, 10, xlabel="stage k")
    axes[0].set_ylabel("error of the mode, from 1 at the start")
    axes[0].text(0.97, 0.97, f"thick: slow mode, 2 beta theta = {slow:g}\nthin: fast mode, {fast:g}", ha="right",
                 va="top", transform=axes[0].transAxes, fontsize=9)
    axes[1].legend(fontsize=9)
    return figure


def plot_frozen(found, y):
    """||z_k - y|| / ||y|| of trained runs beside the frozen kernel's prediction; a prediction that diverges leaves
    the frame.

    found: {title: `stages.frozen_kernel_error`'s dictionary}; y: measurements (n,), A = I.
    """
    figure = Figure(figsize=(4.0 * len(found), 3.6), layout="constrained")
    axes = figure.subplots(1, len(found), squeeze=False)[0]
    for axis, (title, run) in zip(axes, found.items(), strict=True):
        for name, dash in (("trained", "-"), ("frozen", "--")):
            axis.plot((run[name] - y).norm(dim=1) / y.norm(), dash, label=name)
        finish(axis, f"{title}\nerror of the prediction {run['error']:.2g}", 10, xlabel="stage k",
              ylim=(0, 1.2 * max(1.0, float((run["trained"] - y).norm(dim=1).max() / y.norm()))))
    axes[0].set_ylabel("||z_k - y|| / ||y||")
    axes[0].legend(fontsize=9)
    return figure


def plot_grid(rows, N=2):
    """The grid in a row of four panels per task: PSNR curves with moving (N steps a stage) and with fixed input, the
    first step of overfitting, and ||z|| / ||z_0||; means over images and seeds, of the steps medians.

    A hollow marker is a median with at least one run that did not overfit within the budget: a lower bound. A cross
    is a setting all of whose runs failed (see `verdict`).
    """
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure = Figure(figsize=(12, 3.2 * len(tasks)), layout="constrained")
    for line, task in zip(figure.subplots(len(tasks), 4, squeeze=False), tasks, strict=True):
        of_task, name = [row for row in rows if row["task"] == task], NAMES.get(task, task)
        line[0].sharey(line[1])
        lams = sorted({row["lam"] for row in of_task})
        draw_curves(line[0], [row for row in of_task if row["N"] == N], "psnr", f"{name}: input moves, N = {N}",
                    lams)
        draw_curves(line[1], [row for row in of_task if row["input"] == "fixed"], "psnr", f"{name}: input fixed at z_0",
                    lams)
        draw_onsets(line[2], of_task)
        draw_curves(line[3], [row for row in of_task if row["N"] == N], "norm", f"{name}: size of the input, N = {N}",
                    lams)
        line[0].set_ylabel("PSNR (dB)")
        line[3].set_ylabel("||z_k|| / ||z_0||")
        line[3].axhline(np.mean([row["truth_norm"] for row in of_task]), color="0.4", linewidth=0.8)
        line[3].annotate("truth", (1, np.mean([row["truth_norm"] for row in of_task])), color="0.3", fontsize=8,
                         xycoords=("axes fraction", "data"), ha="right", va="bottom")
    return figure


def draw_curves(axis, rows, name, title, lams):
    """Mean over the runs of each of `lams` of one curve of the rows; runs that diverged are left out."""
    for dash, colour, lam in styles(lams):
        found = [row["curve"] for row in rows if row["lam"] == lam and row["diverged"] is None]
        if found:
            axis.plot(found[0]["step"], np.mean([curve[name] for curve in found], axis=0), linestyle=dash, color=colour,
                      label=f"lam = {lam:g}")
    finish(axis, title, 10, legend=8, xlabel="Adam step")


def draw_onsets(axis, rows):
    """Median first step of overfitting against lam, one line for the fixed input and one for each N."""
    arms = sorted({(row["input"], row["N"] or 0) for row in rows})
    lams = sorted({row["lam"] for row in rows})
    for (dash, colour, (arm, N)), marker in zip(styles(arms), MARKERS, strict=False):
        label = "fixed" if arm == "fixed" else f"moving, N = {N}"
        points = []
        for place, lam in enumerate(lams):
            found = [row for row in rows if (row["input"], row["N"] or 0, row["lam"]) == (arm, N, lam)]
            good = [row for row in found if not failed(row)]
            if good:
                points.append((place, np.median([onset(row) for row in good]), all(row["overfitting"] for row in good)))
            elif found:
                axis.plot(place, 0, "x", color=colour)
        if points:
            axis.plot([], [], linestyle=dash, color=colour, marker=marker, label=label)
            axis.plot([point[0] for point in points], [point[1] for point in points], linestyle=dash, color=colour)
            for place, value, begun in points:
                axis.plot(place, value, marker, color=colour, fillstyle="full" if begun else "none")
    axis.set_xticks(range(len(lams)), [f"{lam:g}" for lam in lams])
    axis.set_ylim(top=1.4 * axis.get_ylim()[1])  # room for the legend
    finish(axis, "overfitting starts\n(hollow: a lower bound)", 10, xlabel="lam", ylabel="Adam step")
    axis.legend(fontsize=7, loc="upper center", ncols=2)


def styles(values):
    """(dash, colour, value) of each value, from dark to light."""
    values = list(values)
    colours = colormaps["cividis"](np.linspace(0, 0.85, max(len(values), 1)))
    return [(DASHES[index % len(DASHES)], colours[index], value) for index, value in enumerate(values)]
