"""What the panel shows, as HTML with alt text: pictures of the runs, their curves, their figures."""

import base64
import html
import io
import math

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import LogFormatter

ERROR_SCALE = 4  #: errors are shown up to the range of the picture, divided by this
#: The colours of "cividis" from its lowest to its highest value.
BAR = ('<span style="display: inline-block; width: 40px; height: 9px; '
       'background: linear-gradient(90deg, #00224e, #434e6c, #7d7c78, #bcae6c, #fee838)"></span>')
WIDTHS = {3: 176, 6: 128}  #: of so many pictures, so that they stand in a row of 880 pixels
#: Curve row -> label. The loss of a method that solves in one step is its data term.
CURVES = {"psnr": "PSNR (dB)", "loss": "loss", "variance": "moving variance of 100 outputs"}
LINES = {"A": dict(linestyle="--", color="tab:orange", linewidth=1.8), "B": dict(linestyle="-", color="tab:blue")}


def image_tag(png, alt, width, rendering="auto"):
    """An <img> element that holds its PNG bytes; decoded at once, so that a redraw does not flicker."""
    data = base64.b64encode(png).decode()
    return (f'<img decoding="sync" width="{width}" style="max-width: 100%; image-rendering: {rendering}" '
            f'alt="{html.escape(alt)}" src="data:image/png;base64,{data}">')


def picture(array, window, caption, alt, width, cmap="gray"):
    """A <figure> of an (H, W) or (H, W, 3) array, from window[0] (dark) to window[1] (bright); the caption is HTML."""
    low, high = window
    buffer = io.BytesIO()
    if array.ndim == 3:
        array = np.clip((array - low) / (high - low), 0, 1)
    imsave(buffer, array, vmin=low, vmax=high, cmap=cmap, format="png", pil_kwargs=dict(compress_level=1))
    rendering = "pixelated" if 2 * array.shape[1] <= width else "auto"  # few pixels are shown as they are
    tag = image_tag(buffer.getvalue(), alt, width, rendering)
    return (f'<figure style="margin: 0; width: {width}px">{tag}'
            f'<figcaption style="line-height: 1.3">{caption}</figcaption></figure>')


def pictures(runs, step):
    """Each run's stored iterate at a step with its error, the difference of two runs, and the truth of the last one.

    Args:
        runs: {"A": session, "B": session}, either may be missing.
        step: Adam step to look at.
    """
    cells, images, width = [], [], WIDTHS[3 if len(runs) < 2 else 6]
    for name, session in runs.items():
        case = session.case
        stored, shown = session.frames.at(step)
        images.append(shown)
        what = f"{name}: {session.method.name}, " + (f"step {stored}" if stored else "start")
        psnr = session.psnr(stored)
        score = "" if math.isnan(psnr) else f", {decibel(psnr)}"
        cells.append(picture(shown, case.window, html.escape(what + score),
                             f"Reconstruction of run {what}{score}", width))
        if case.truth is not None:
            cells.append(difference(np.abs(shown - case.truth), case, f"{name}: |error|",
                                    f"Absolute error of run {what}", width))
    if len(images) == 2 and images[0].shape == images[1].shape:
        cells.append(difference(np.abs(images[0] - images[1]), case, "|A - B|",
                                "Absolute difference of run A and run B", width))
    if case.truth is not None:
        cells.append(picture(case.truth, case.window, html.escape(f"truth ({case.image})"),
                             f"The true image {case.image}", width))
    return f'<div style="display: flex; flex-wrap: wrap; gap: 8px">{"".join(cells)}</div>'


def difference(array, case, caption, alt, width):
    """A <figure> of an absolute difference, with the scale of its colours: dark is 0."""
    top = (case.window[1] - case.window[0]) / ERROR_SCALE
    bar = f"{html.escape(caption)}, 0 {BAR} {top:.2g}"
    return picture(array.mean(axis=-1) if array.ndim == 3 else array, (0, top), bar, alt, width, cmap="cividis")


class Curves:
    """PSNR, loss and moving variance of the runs over steps. One figure is kept and its lines are moved: half the time
    of a new one. Runs differ by dashes (A) and solid lines (B), not by colour alone.
    """

    def __init__(self):
        self.figure = Figure(figsize=(8.4, 2.1), dpi=80)
        self.figure.subplots_adjust(left=0.06, right=0.99, bottom=0.22, top=0.87, wspace=0.26)
        self.axes = dict(zip(CURVES, self.figure.subplots(1, len(CURVES)), strict=True))
        self.lines, self.marks = {}, {}
        for column, axis in self.axes.items():
            axis.set_title(CURVES[column] + ", dash-dotted: the start" * (column == "psnr"), fontsize=10)
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
        self.legend = self.axes["psnr"].legend(fontsize=8, loc="lower right")

    def tag(self, runs, step):
        """The figure as an <img>, with a vertical line at `step`."""
        self.start.set_ydata([next((run.psnr(0) for run in reversed(runs.values())), math.nan)] * 2)
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
            axis.relim()
            axis.autoscale_view(scalex=False)
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", pil_kwargs=dict(compress_level=1))
        return image_tag(buffer.getvalue(), self.alt(runs), 672)

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


def status(session):
    """Where a run stands, in one line of text."""
    parts = [f"Run B is {session.state}", f"step {session.steps} of {session.budget}"]
    if session.steps:
        stage = session.recorder.curve["stage"][-1]
        parts += [f"stage k = {stage}"] if stage else []
    parts.append(f"PSNR {decibel(session.psnr(session.steps))}")
    if session.seconds_left is not None:
        parts.append(f"{duration(session.seconds_left)} left")
    return html.escape(", ".join(parts))


def table(runs):
    """The runs in figures and settings as an HTML table, one column a run; settings that differ are bold."""
    rows = {
        "steps": lambda s: f"{s.steps} of {s.budget}" + (f" ({s.reason})" if s.reason else ""),
        "PSNR of the latest image": lambda s: decibel(s.psnr(s.steps)),
        "PSNR of the blind pick": lambda s: decibel(s.psnr(s.recorder.at.get("blind", -1))),
        "best PSNR (needs the truth)": lambda s: decibel(s.psnr(s.recorder.at.get("oracle", -1))),
        "solved by": lambda s: listed([of_method(s), *map(of_method, runs.values())]),
        "problem": lambda s: listed([of_problem(s), *map(of_problem, runs.values())]),
    }
    lines = [row("run", runs)]
    lines += [row(label, [show(session) for session in runs.values()]) for label, show in rows.items()]
    return f'<table style="line-height: 1.35">{"".join(lines)}</table>'


def row(label, cells):
    """A table row of HTML cells with its label."""
    style = "text-align: left; vertical-align: top; font-weight: normal; padding-right: 14px"
    return (f'<tr><th scope="row" style="{style}; white-space: nowrap">{label}</th>'
            + "".join(f'<td style="{style}">{cell}</td>' for cell in cells) + "</tr>")


def of_method(session):
    """All that makes the method of a session what it is."""
    return dict(method=session.method.name) | session.method.to_dict() | dict(seed=session.seed)


def of_problem(session):
    """All that makes the case of a session what it is."""
    return dict(image=session.case.image) | session.case.settings | dict(data_seed=session.case.seed)


def listed(settings):
    """The first of some dictionaries as HTML "lam 1, N 2"; bold where another has another value or none."""
    first, *others = settings
    texts = []
    for key, value in first.items():
        text = html.escape(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}")
        same = all(key in other and other[key] == value for other in others)
        texts.append(text if same else f"<b>{text}</b>")
    return ", ".join(texts)


def duration(seconds):
    """Seconds as text, from two minutes on in minutes."""
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def decibel(value):
    """A finite number of dB as text, else a dash."""
    return f"{value:.2f} dB" if math.isfinite(value) else "-"
