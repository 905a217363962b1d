"""Figures: images side by side with their errors, and curves. All take `Figure()`, never pyplot, and one `STYLE`."""

import io
from pathlib import Path

import numpy as np
from matplotlib import rc_context, rc_params_from_file
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from ..case import as_gray
from ..files import to_bytes
from .stopping import StopReason

STYLE = rc_params_from_file(Path(__file__).with_name("figures.mplstyle"), use_default_template=False)
#: What figures call methods and tasks; those without an entry by their own names.
NAMES = dict(aseqdip="aSeqDIP", bm3d="BM3D", cgls="CGLS", ddnm="DDNM", deep_decoder="Deep Decoder", dps="DPS",
             es_dip="ES-DIP", fbp="FBP", l1_wavelet="L1 wavelet", mcg="MCG", nlm="non-local means", pnp="plug-and-play",
             reference_guided="reference-guided", rethinking_dip="Rethinking DIP", score_mri="Score-MRI",
             self_guided="self-guided DIP", sense="SENSE", sgld_dip="SGLD-DIP", sirt="SIRT", tv="total variation",
             tv_dip="DIP with TV", vanilla="Deep Image Prior", varnet="VarNet", zero_filled="zero-filled", mri="MRI",
             ct="CT", inpainting="in-painting")
LARGEST_DPI = 100  #: largest resolution of a stored figure, in dots per inch
WIDEST = 10.0  #: inches that images side by side take at most, the width of a page of a notebook
MOST = 8  #: images in a row; more make further rows


@rc_context(STYLE)
def plot_images(shown, truth, window, titles=None, error_scale=4, zoom=None):
    """Images in a row, with `error_scale` x |error| below each where the truth is known.

    Args:
        shown: {title: (H, W) or (H, W, 3) array as displayed}. truth: array of the same shape, or None.
        window: (low, high) of the gray scale. titles: {title: second line}, e.g. PSNR.
        zoom: (top, left, size) in pixels of a square that is framed, enlarged in a row of its own, and
            whose errors alone are shown; None shows the errors of the whole image.
    """
    pictures = dict(shown) if truth is None else {**shown, "truth": truth}
    height, width = next(iter(pictures.values())).shape[:2]
    top, left, size = zoom or (0, 0, None)
    part = np.s_[top:top + size, left:left + size] if zoom else np.s_[:]
    heights = [height / width, *[1.0] * bool(zoom), *[1.0 if zoom else height / width] * (truth is not None)]
    blocks = -(-len(pictures) // MOST)
    count = -(-len(pictures) // blocks)
    side, (low, high) = min(2.6, WIDEST / count), window
    figure = Figure(figsize=(side * count, blocks * (side * sum(heights) + 0.7)), layout="constrained")
    axes = figure.subplots(blocks * len(heights), count, squeeze=False, height_ratios=blocks * heights)
    for axis in axes.flat:
        axis.set_axis_off()
    columns = (column for block in np.vsplit(axes, blocks) for column in block.T)
    for (title, picture), column in zip(pictures.items(), columns, strict=False):  # the last block may have fewer
        column[0].imshow(picture, cmap="gray", vmin=low, vmax=high)
        column[0].set_title("\n".join(filter(None, [NAMES.get(title, title), (titles or {}).get(title, "")])))
        if zoom:
            column[0].add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor="white"))
            column[1].imshow(picture[part], cmap="gray", vmin=low, vmax=high)
        if truth is not None and title != "truth":
            error = np.abs(picture - truth).mean(axis=tuple(range(2, truth.ndim)))  # of the channels, if there are
            drawn = column[-1].imshow(error[part], cmap="cividis", vmin=0, vmax=(high - low) / error_scale)
            column[-1].set_title(f"{error_scale} x |error|", fontsize=9)
    if truth is not None:
        bar = figure.colorbar(drawn, cax=column[-1].inset_axes((0.08, 0.34, 0.84, 0.06)), orientation="horizontal",
                              format="%.2g", ticks=drawn.get_clim())
        bar.set_label(f"|error|\n(pictures: {low:.2g} to {high:.2g})", fontsize=8)
    return figure


def worst_box(picture, truth):
    """(top, left, size) of the square, size min(H, W) / 4, in which a picture (H, W) or (H, W, 3) errs most."""
    error = ((picture - truth) ** 2).reshape(*truth.shape[:2], -1).mean(axis=2)
    size, step = (-(-min(error.shape) // part) for part in (4, 16))
    sums = np.lib.stride_tricks.sliding_window_view(error, (size, size))[::step, ::step].sum(axis=(2, 3))
    return (*(int(step * place) for place in np.unravel_index(sums.argmax(), sums.shape)), size)


@rc_context(STYLE)
def plot_curves(curves, ylabel="PSNR (dB)", marks=None):
    """Lines of {label: (steps, values)}, one value as a level line; `marks` {label: (step, value)} are circled."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axis = figure.subplots()
    for index, (label, (steps, values)) in enumerate(curves.items()):
        look = dict(label=NAMES.get(label, label), color=f"C{index}", linestyle=("-", "--", "-.", ":")[index % 4])
        axis.axhline(*values, **look) if len(values) == 1 else axis.plot(steps, values, **look)
        if marks and label in marks:
            axis.plot(*marks[label], "o", color=f"C{index}", fillstyle="none", markersize=9)
    axis.set(xlabel="Adam step", ylabel=ylabel)
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


@rc_context(STYLE)
def plot_result(result):
    """Start, answer and truth of a `Result` with their PSNR, errors on a scale, and PSNR over the steps."""
    scores, case, curve = result.metrics["psnr"], result.case, result.curve
    images = {"start": result.images["start"], result.metrics["method"]: result.answer}
    values = scores["start"], scores["blind" if result.stop_reason is StopReason.EARLY else "final"]
    titles = {name: f"{value:.2f} dB" for name, value in zip(images, values, strict=True) if value is not None}
    shown = {name: case.display(image) for name, image in images.items()}
    zoom = None if case.truth is None else worst_box(shown["start"], case.truth)
    figure = plot_images(shown, case.truth, case.window, titles, zoom=zoom)
    if zoom:
        axis = figure.axes[-1].inset_axes((0.14, 0.62, 0.86, 0.38))  # below the truth, above the colour bar
        axis.set_xlabel("Adam step")
        axis.set_title("PSNR (dB), dotted: the start", fontsize=8)
        axis.axhline(scores["start"], color="black", linestyle=":")
        axis.plot(curve.get("step", ()), curve.get("psnr", ()))
        axis.grid(alpha=0.3)
    return figure


def to_gif(images, window):
    """Displayed images, see `Case.display`, as the bytes of a GIF of at most 192 x 192; the last stays for a while."""
    first, *others = [Image.fromarray(as_gray(image, window)) for image in images]
    for picture in (first, *others):
        picture.thumbnail((192, 192))
    return to_bytes(lambda file: first.save(file, format="GIF", save_all=True, append_images=others, loop=0,
                                            duration=[150] * len(others) + [1500]))  # milliseconds


@rc_context(STYLE)  # ticks are made when a figure is drawn
def to_png(figure):
    """A figure as PNG bytes of at most `LARGEST_DPI` and 128 colours, less than a third of the size of true colour."""
    dpi = min(figure.dpi, LARGEST_DPI)
    picture = Image.open(io.BytesIO(to_bytes(lambda buffer: figure.savefig(buffer, format="png", dpi=dpi))))
    few = picture.convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE, kmeans=1)  # rare colours are kept
    return to_bytes(lambda buffer: few.save(buffer, format="png", optimize=True, dpi=(dpi, dpi)))
