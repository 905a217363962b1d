"""Curves of the runs over their steps, as a picture with alt text."""

import io
import math

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from ..run.plots import STYLE
from .drawing import decibel, image_tag

#: Curve row -> label. The loss of a method that solves in one step is its data term.
CURVES = {"psnr": "PSNR (dB)", "loss": "loss", "variance": "moving variance of 100 outputs"}
LINES = {"A": dict(linestyle="-", color="C0"), "B": dict(linestyle="--", color="C1", linewidth=1.8)}
#: On a dark page the picture is dark, too, and keeps its hues: in JupyterLab, Colab and VS Code.
DARK = ('<style>[data-jp-theme-light="false"] .aseqdip-curves, html[theme="dark"] .aseqdip-curves, '
        '.vscode-dark .aseqdip-curves {filter: invert(0.93) hue-rotate(180deg)}</style>')


class Curves:
    """PSNR, loss and moving variance of the runs over steps. One figure is kept and its lines are moved: half the time
    of a new one. Runs differ by solid lines (A) and dashes (B), not by colour alone.
    """

    @rc_context(STYLE)
    def __init__(self):
        self.figure = Figure(figsize=(8.4, 2.1), dpi=80)
        self.figure.subplots_adjust(left=0.06, right=0.99, bottom=0.22, top=0.82, wspace=0.26)
        self.axes = dict(zip(CURVES, self.figure.subplots(1, len(CURVES)), strict=True))
        self.lines, self.marks = {}, {}
        for column, axis in self.axes.items():
            axis.set_title(CURVES[column], fontsize=10)
            axis.set_xlabel("Adam step", fontsize=9)
            axis.tick_params(labelsize=8)
            axis.grid(alpha=0.3)
            self.marks[column] = axis.axvline(0, color="black", linewidth=0.8, linestyle=":")
            self.lines[column] = {name: axis.plot([], [], label=name, **look)[0] for name, look in LINES.items()}
            if column != "psnr":
                axis.set_yscale("log")
                axis.yaxis.set_major_formatter(LogFormatter())
                axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))
                axis.tick_params(which="minor", labelsize=8)
        self.start = self.axes["psnr"].axhline(math.nan, color="black", linewidth=1, linestyle="-.")
        self.classic = self.axes["psnr"].axhline(math.nan, color="C2", linewidth=1.6, linestyle=":")
        axis = self.axes["variance"]
        self.later = axis.text(0.5, 0.5, "from step 100 on", ha="center", fontsize=9, transform=axis.transAxes)
        self.legend = self.axes["psnr"].legend(fontsize=8, loc="lower right")

    @rc_context(STYLE)
    def tag(self, runs, step, classic):
        """The figure as an <img>, with a vertical line at `step` and level ones at the PSNR of the start and of the
        `classic` answer, (its name, dB); those are left out where they are NaN.
        """
        levels = {"-·- start": next((run.psnr(0) for run in reversed(runs.values())), math.nan),
                  f"···· {classic[0]}": classic[1]}
        for line, value in zip((self.start, self.classic), levels.values(), strict=True):
            line.set_ydata([value] * 2)
        known = {name: value for name, value in levels.items() if math.isfinite(value)}
        self.axes["psnr"].set_title("\n".join([CURVES["psnr"], *["   ".join(known)] * bool(known)]), fontsize=9)
        last = max((session.steps for session in runs.values()), default=0)
        self.legend.set_visible(len(runs) > 1)
        for column, axis in self.axes.items():
            points = 0
            for name, line in self.lines[column].items():
                steps, values = curve_of(runs.get(name), column)
                line.set_data(steps, values)
                line.set_marker("o" if len(steps) == 1 else "")
                points += len(steps)
            self.marks[column].set_xdata([step, step])
            axis.set_xlim(0, max(last, 10))
            axis.yaxis.set_visible(points > 0)
            axis.xaxis.set_visible(points > 0)
            self.marks[column].set_visible(points > 0)
            if column == "variance":
                self.later.set_visible(points == 0)
            axis.relim()
            axis.autoscale_view(scalex=False)
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", pil_kwargs=dict(compress_level=1))
        words = "; ".join(f"{name.split(' ', 1)[1]} at {decibel(value)}" for name, value in known.items())
        return (f'{DARK}<div class="aseqdip-curves">'
                f'{image_tag(buffer.getvalue(), "; ".join([self.alt(runs), *[words] * bool(known)]), 672)}</div>')

    def alt(self, runs):
        """The curves in words: first and last value of each."""
        texts = []
        for name, session in runs.items():
            for column, label in CURVES.items():
                steps, values = curve_of(session, column)
                if len(steps):
                    texts.append(f"{label} of run {name} from {values[0]:.4g} at step {steps[0]} "
                                 f"to {values[-1]:.4g} at step {steps[-1]}")
        return "Curves over Adam steps. " + ("; ".join(texts) or "No steps yet")


def curve_of(session, column):
    """(steps, values) of a curve of a session where it is a number; empty where there is none."""
    curve = {} if session is None else session.recorder.curve
    name = "data" if column == "loss" and "loss" not in curve else column
    values = np.asarray(curve.get(name, ()), dtype=float)
    known = np.isfinite(values)
    return np.asarray(curve.get("step", ())[:len(values)])[known], values[known]
