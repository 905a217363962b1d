"""Figures: images side by side with their errors, and curves. All take `Figure()`, never pyplot."""

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from ..case import as_gray
from ..files import to_bytes
from .stopping import StopReason

LARGEST_DPI = 100  #: largest resolution of a stored figure, in dots per inch
WIDEST = 10.0  #: inches that images side by side take at most, the width of a page of a notebook


def plot_images(shown, truth, window, titles=None, error_scale=4, zoom=None):
    """Images in a row, with `error_scale` x |error| below each where the truth is known.

    Args:
        shown: {title: (H, W) or (H, W, 3) array as displayed}.
        truth: array of the same shape, or None.
        window: (low, high) of the gray scale.
        titles: {title: second line}, e.g. PSNR.
        zoom: (top, left, size) in pixels of a square that is framed, enlarged in a row of its own, and
            whose errors alone are shown; None shows the errors of the whole image.
    """
    pictures = dict(shown) if truth is None else {**shown, "truth": truth}
    height, width = next(iter(pictures.values())).shape[:2]
    top, left, size = zoom or (0, 0, None)
    part = np.s_[top:top + size, left:left + size] if zoom else np.s_[:]
    heights = [height / width, *[1.0] * bool(zoom), *[1.0 if zoom else height / width] * (truth is not None)]
    side = min(2.6, WIDEST / len(pictures))
    figure = Figure(figsize=(side * len(pictures), side * sum(heights) + 0.7), layout="constrained")
    axes = figure.subplots(len(heights), len(pictures), squeeze=False, height_ratios=heights)
    low, high = window
    for column, (title, picture) in zip(axes.T, pictures.items(), strict=True):
        column[0].imshow(picture, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        column[0].set_title("\n".join(filter(None, [title, (titles or {}).get(title, "")])), fontsize=10)
        if zoom:
            column[0].add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor="white"))
            column[1].imshow(picture[part], cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        if truth is not None and title != "truth":
            error = np.abs(picture - truth) * error_scale
            error = error.mean(axis=-1) if error.ndim == 3 else error
            column[-1].imshow(error[part], cmap="cividis", vmin=0, vmax=high - low, interpolation="nearest")
            column[-1].set_title(f"{error_scale} x |error|", fontsize=9)
        for axis in column:
            axis.set_axis_off()
    return figure


def plot_curves(curves, ylabel="PSNR (dB)", marks=None):
    """Lines of {label: (steps, values)} with different dashes; `marks` {label: (step, value)} are circled."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axis = figure.subplots()
    styles = ("-", "--", "-.", ":")
    for index, (label, (steps, values)) in enumerate(curves.items()):
        line, = axis.plot(steps, values, styles[index % 4], label=label, linewidth=1.6)
        if marks and label in marks:
            axis.plot(*marks[label], "o", color=line.get_color(), fillstyle="none", markersize=9)
    axis.set_xlabel("Adam step")
    axis.set_ylabel(ylabel)
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


def plot_result(result):
    """Start, answer and truth of a `Result` with their PSNR, errors on a scale, and PSNR over the steps."""
    scores, case, curve = result.metrics["psnr"], result.case, result.curve
    images = {"start": result.images["start"], result.metrics["method"]: result.answer}
    values = scores["start"], scores["blind" if result.stop_reason is StopReason.EARLY else "final"]
    titles = {name: f"{value:.2f} dB" for name, value in zip(images, values, strict=True) if value is not None}
    figure = plot_images({name: case.display(image) for name, image in images.items()}, case.truth, case.window, titles)
    if case.truth is not None:
        *_, errors, axis = figure.axes  # below the truth is room
        figure.colorbar(errors.images[0], ax=errors, shrink=0.8)
        axis.set_axis_on()
        axis.set_title("PSNR (dB), dotted: the start", fontsize=9)
        axis.axhline(scores["start"], color="black", linestyle=":")
        axis.plot(curve.get("step", ()), curve.get("psnr", ()))
    return figure


def to_gif(images, window):
    """Displayed images, see `Case.display`, as the bytes of a GIF of at most 192 x 192; the last stays for a while."""
    first, *others = [Image.fromarray(as_gray(image, window)) for image in images]
    for picture in (first, *others):
        picture.thumbnail((192, 192))
    return to_bytes(lambda file: first.save(file, format="GIF", save_all=True, append_images=others, loop=0,
                                            duration=[150] * len(others) + [1500]))  # milliseconds


def to_png(figure):
    """A figure as PNG bytes of at most `LARGEST_DPI` and 160 colours, less than a third of the size of true colour."""
    dpi = min(figure.dpi, LARGEST_DPI)
    picture = Image.open(io.BytesIO(to_bytes(lambda buffer: figure.savefig(buffer, format="png", dpi=dpi))))
    few = picture.convert("RGB").quantize(160)  # the 160 colours that represent it best
    return to_bytes(lambda buffer: few.save(buffer, format="png", optimize=True, dpi=(dpi, dpi)))
