"""Figures of what `residual`, `limits` and `overfitting` measure. All make `Figure()`, never pyplot.

Lines differ in their dashes or markers and not in colour alone.
"""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.scale import SymmetricalLogScale

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (7, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STEPS = dict(xscale=SymmetricalLogScale(None, linthresh=1), xlim=(0, None), xlabel="gradient step")
ERRORS = {"relative": "||P - F|| / ||F||", "worst": "largest ||p - f|| / ||y - f_0||",
          "change": "||P - F|| / ||F - f_0||"}


def widths(measured):
    """`residual.measure_widths`: each error of the prediction, and the kernel's change, against the width."""
    figure = Figure(figsize=(12.0, 3.6), layout="constrained")
    axes = figure.subplots(1, 4)
    names = {**{name: f"error: {text}" for name, text in ERRORS.items()}, "kernel": "kernel: ||change|| / ||Theta_0||"}
    runs = measured["runs"]
    for axis, (name, title) in zip(axes, names.items(), strict=True):
        for index, (kind, color) in enumerate(zip(runs, _colors(len(runs)), strict=True)):
            values = np.array([[run[name] for run in row] for row in runs[kind]])  # (widths, seeds)
            slope = measured["slopes"][kind][name]["slope"]
            axis.loglog(measured["widths"], np.exp(np.log(values).mean(axis=1)), linestyle=DASHES[index], color=color,
                        label=f"{kind}: slope {slope:.2f}")
            axis.loglog(measured["widths"], values, MARKERS[index], color=color, fillstyle="none", markersize=4)
        finish(axis, title, legend=6.5, xlabel="width (channels)")
        axis.set_xticks(measured["widths"], [str(w) for w in measured["widths"]])
        low, high = axis.get_ylim()
        ticks = [t for t in (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5) if low <= t <= high]
        axis.set_yticks(ticks, [f"{100 * t:g}" for t in ticks])
        axis.minorticks_off()
    axes[0].set_ylabel("%")
    return figure


def expectation(measured):
    """`residual.measure_expectation`: error to the truth of Eq. 13, of the mean networks and of single ones."""
    styles = {"theorem": "Eq. 13, mean kernel", "antithetic": "mean of antithetic pairs",
              "independent": "mean of as many independent networks", "single": "single networks, mean error"}
    figure = Figure(figsize=(11.0, 3.6), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    for axis, (kind, found) in zip(axes, measured["inputs"].items(), strict=True):
        for index, (name, color) in enumerate(zip(styles, _colors(len(styles)), strict=True)):
            axis.plot(measured["steps"], found[name], linestyle=DASHES[index], color=color, label=styles[name])
        axis.axhline(measured["noise"], color="gray", linewidth=0.8, label="error of y")
        finish(axis, f"input z = {kind}", 10, **STEPS)
        axis.set_yscale("symlog", linthresh=0.01)
    axes[0].set_ylabel("mean squared error to the truth x")
    axes[1].legend(fontsize=8, loc="lower left")  # its curves lie at the top
    return figure


def limits(measured):
    """`limits.measure`: training beyond the largest stable step, and how far Adam's path lies from the kernel's."""
    figure = Figure(figsize=(12.0, 3.6), layout="constrained")
    curves, ends, paths = figure.subplots(1, 3)
    shown = [f for f in measured["factors"] if f >= 1.0][::2]
    for index, (factor, color) in enumerate(zip(shown[:5], _colors(len(shown[:5])), strict=True)):
        run = measured["step_size"][measured["factors"].index(factor)][0]
        curves.semilogy(run["trained"], linestyle=DASHES[index], color=color, label=f"{factor:g}")
        curves.semilogy(run["predicted"], linestyle=DASHES[index], color=color, linewidth=0.7, alpha=0.7)
    finish(curves, "by beta lambda_max at the start; thin: predicted", xlabel="step",
          ylabel="residual ||f - y|| / ||f_0 - y||", ylim=(0.05, 30))
    curves.legend(fontsize=7, loc="upper right")
    _stability(ends, measured)
    _paths(paths, measured)
    return figure


def _stability(axis, measured):
    factors = measured["factors"]
    for factor, runs in zip(factors, measured["step_size"], strict=True):
        kept = [run["kernel"] for run in runs if run["kernel"] is not None]
        axis.plot([factor] * len(kept), kept, "o", color="black", fillstyle="none", markersize=5)
        if len(kept) < len(runs):
            axis.plot(factor, 0.25, "x", color="black", markersize=7)
    axis.loglog([factors[0], factors[-1]], [factors[0], factors[-1]], ":", color="gray", label="kernel that stays")
    axis.axhline(2.0, linestyle="--", color="gray", label="largest stable step")
    axis.set_xticks((0.25, 0.5, 1, 2, 4, 10, 25), ("0.25", "0.5", "1", "2", "4", "10", "25"))
    axis.set_yticks((0.25, 0.5, 1, 2, 4), ("0.25", "0.5", "1", "2", "4"))
    axis.minorticks_off()
    finish(axis, "circles: networks; cross: some diverged", legend=7, xlabel="beta lambda_max at the start",
          ylabel="beta lambda_max at the end", ylim=(0.2, 6))


def _paths(axis, measured):
    groups = {"descent": measured["descent_path"]}
    groups |= {f"Adam\n{rate:g}": runs for rate, runs in zip(measured["adam"], measured["adam_path"], strict=True)}
    for place, runs in enumerate(groups.values()):
        for run in runs:
            marker = "o" if run["left"] <= 0.5 else "v"
            axis.plot(place, run["distance"], marker, color="black", fillstyle="none")
    axis.set_xticks(range(len(groups)), groups)
    axis.set_ylim(bottom=0)
    finish(axis, "until the residual halved (v: not halved)", xlabel="optimiser and its rate")
    axis.set_ylabel("distance from the predicted path / ||y - f_0||", fontsize=9)


def overfitting(measured):
    """`overfitting.measure` (Fig. 6): error to the truth by input, and when the noise is learned, by distance."""
    figure = Figure(figsize=(12.0, 3.8), layout="constrained")
    by_input, by_distance, when = figure.subplots(1, 3)
    first = {kind: runs[0] for kind, runs in measured["inputs"].items()}
    for index, ((kind, run), color) in enumerate(zip(first.items(), _colors(len(first)), strict=True)):
        by_input.plot(run["steps"], run["truth"], linestyle=DASHES[index], color=color, label=f"z = {kind}")
        by_input.plot(run["predicted_steps"], run["predicted"], linestyle=DASHES[index], color=color, linewidth=0.6)
    by_input.set_title("thick: trained, thin: predicted by the kernel", fontsize=9)
    labels = ["z = x", *[f"x + {d:g} noise" for d in measured["distances"]], "z = noise"]
    runs = [first["x"], *[seeds[0] for seeds in measured["by_distance"]], first["noise"]]
    for index, (label, run, color) in enumerate(zip(labels, runs, _colors(len(runs)), strict=True)):
        by_distance.plot(run["steps"], run["truth"], linestyle=DASHES[index % len(DASHES)], color=color, label=label)
    for axis in (by_input, by_distance):
        axis.axhline(first["x"]["noise"], color="gray", linewidth=0.8, label="error of y")
        finish(axis, **STEPS, yscale="log", ylim=(0.005, 5), ylabel="mean squared error to the truth x")
        axis.legend(fontsize=7, loc="lower left", ncols=2)
    _when(when, measured, labels)
    return figure


def _when(axis, measured, labels):
    rows = [measured["inputs"]["x"], *measured["by_distance"], measured["inputs"]["noise"]]
    kinds = (("overfitting", "o", "trained"), ("predicted_overfitting", "x", "predicted by the kernel"))
    for name, marker, title in kinds:
        points = [(place, run[name] or measured["steps"]) for place, runs in enumerate(rows) for run in runs]
        axis.semilogy(*zip(*points, strict=True), marker, color="black", fillstyle="none", label=title)
    axis.axhline(measured["steps"], linestyle=":", color="gray", label="last step: here or later")
    axis.set_xticks(range(len(labels)), labels, rotation=30, ha="right", fontsize=8)
    finish(axis, legend=7, ylabel="step at which the noise is half learned")


def finish(axis, title=None, fontsize=9, legend=None, **properties):
    """Set properties of an axis such as `xlabel`, with a grid; `legend` is the font size of its legend, if it has one.

    The title is set where there is one, in `fontsize`.
    """
    if title is not None:
        axis.set_title(title, fontsize=fontsize)
    axis.set(**properties)
    axis.grid(alpha=0.3)
    if legend is not None:
        axis.legend(fontsize=legend)


def _colors(count):
    """`count` colours of cividis, without its palest end, which is faint on white."""
    return matplotlib.colormaps["cividis"](np.linspace(0.0, 0.85, count))
