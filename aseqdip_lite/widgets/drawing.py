"""What the panel shows, as HTML with alt text: pictures of the runs, their figures."""

import base64
import html
import io
import math

import numpy as np
from matplotlib import colormaps
from matplotlib.image import imsave

ERROR_SCALE = 4  #: errors are shown up to the range of the picture, divided by this
#: Colours of errors (cividis), and of signed differences (PuOr) with a line at 0, from the lowest to the highest value.
ERRORS = "#00224e, #434e6c, #7d7c78, #bcae6c, #fee838"
SIGNED = "#7f3b08, #e28620, #f7f7f7 48%, #000 48%, #000 52%, #f7f7f7 52%, #978ec2, #2d004b"
WIDTHS = {3: 168, 6: 128}  #: of so many pictures: six stand in a row of 880 pixels, two in a laptop's window at 200 %


def image_tag(content, alt, width, rendering="auto", kind="png"):
    """An <img> element that holds its bytes; decoded at once, so that a redraw does not flicker."""
    data = base64.b64encode(content).decode()
    return (f'<img decoding="sync" width="{width}" style="max-width: 100%; image-rendering: {rendering}" '
            f'alt="{html.escape(alt)}" src="data:image/{kind};base64,{data}">')


def picture(array, window, caption, alt, width=208, cmap="gray"):
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


def pictures(runs, step, zoom=(1, 0.5, 0.5)):
    """Each run's stored iterate at a step with its error, A - B, and the truth of the latest run.

    At the latest step of a run that draws samples also one of them, and their standard deviation.

    Args:
        runs: {"A": session, "B": session}; without B, or empty.
        step: Adam step to look at.
        zoom: (times, across, down): of every picture a box is shown, so many times enlarged, that lies `across` and
            `down`, from 0 at the left and the top to 1.
    """
    cells, images, width = [], [], WIDTHS[3 if len(runs) < 2 else 6]
    for name, session in runs.items():
        case = session.case
        stored, shown = session.frames.at(step)
        images.append(box(shown, *zoom))
        what = f"{name}: {session.method.name}, " + (f"step {stored}" if stored else "start")
        psnr = session.psnr(stored)
        score = "" if math.isnan(psnr) else f", {decibel(psnr)}"
        cells.append(picture(images[-1], case.window, html.escape(what + score),
                             f"Reconstruction of run {what}{score}", width))
        if case.truth is not None:
            cells.append(difference(box(np.abs(shown - case.truth), *zoom), case, f"{name}: |error|",
                                    f"Absolute error of run {what}", width))
        if session.sampled is not None and stored == session.steps:
            sample, spread = (box(array, *zoom) for array in session.sampled)
            cells.append(picture(sample, case.window, f"{name}: one sample", f"One sample of run {what}", width))
            cells.append(difference(spread, case, f"{name}: deviation", f"Deviation of the samples of run {what}",
                                    width))
    if len(images) == 2 and images[0].shape == images[1].shape:
        cells.append(signed_difference(images[0] - images[1], case, width))
    if runs and case.truth is not None:
        cells.append(picture(box(case.truth, *zoom), case.window, html.escape(f"truth ({case.image})"),
                             f"The true image {case.image}", width))
    return f'<div style="display: flex; flex-wrap: wrap; gap: 8px">{"".join(cells)}</div>' if cells else ""


def box(array, times, across, down):
    """The part of an array (H, W) or (H, W, 3) that is enlarged, see `pictures`."""
    height, width = (-(-side // times) for side in array.shape[:2])
    top, left = round(down * (array.shape[0] - height)), round(across * (array.shape[1] - width))
    return array[top:top + height, left:left + width]


def difference(array, case, caption, alt, width):
    """A <figure> of an absolute difference, with the scale of its colours: dark is 0."""
    top = (case.window[1] - case.window[0]) / ERROR_SCALE
    return picture(as_plane(array), (0, top), f"{html.escape(caption)}, {scale(0, ERRORS, top)}", alt, width, "cividis")


def signed_difference(array, case, width):
    """A <figure> of run A minus run B in diverging colours; where B is clearly brighter it has stripes, too."""
    array, top = as_plane(array), (case.window[1] - case.window[0]) / ERROR_SCALE
    colours = colormaps["PuOr"](array / (2 * top) + 0.5)[..., :3]
    rows, columns = np.indices(array.shape)
    colours[(array < -top / 10) & ((rows + columns) % 4 == 0)] *= 0.5
    caption = f"A - B, {scale(-top, SIGNED, top)}, striped: B is brighter"
    alt = f"Run A minus run B, from {array.min():.2g} to {array.max():.2g}"
    return picture(colours, (0, 1), caption, alt, width)


def as_plane(array):
    """(H, W) of an array (H, W), or of the mean of the channels of (H, W, 3)."""
    return array.mean(axis=-1) if array.ndim == 3 else array


def scale(low, colours, high):
    """A colour bar between its two values, as HTML."""
    return (f'{low:.2g} <span style="display: inline-block; width: 40px; height: 9px; '
            f'background: linear-gradient(90deg, {colours})"></span> {high:.2g}')


def status(name, session):
    """Where the run of a name, "A" or "B", stands, in one line of text."""
    parts = [f"Run {name} is {session.state}", f"step {session.steps} of {session.budget}"]
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
