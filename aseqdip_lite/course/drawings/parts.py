"""What the drawings are made of: pictures in a row with arrows between them, and boxes with a text."""

import numpy as np
from matplotlib.patches import FancyBboxPatch

#: Ink and fill of boxes; the fills are light, so that black text is read on them.
INK, FIRST, SECOND = "black", "#cfe6f5", "#fbe3c0"
ARROW = dict(arrowstyle="-|>", color=INK, linewidth=1.4, shrinkA=0, shrinkB=0)


def chain(figure, items, narrow=0.5):
    """Draw pictures in a row of a figure or subfigure; returns the axes of the pictures.

    Args:
        items: (title, image (H, W) or (H, W, 3), (low, high) of the gray scale) for a picture, and (text,) or (text,
            colour) for a box. A text is a step between two of them: an arrow with the text above it, or, where it is
            one character such as "+", that sign alone.
        narrow: width of a step, in widths of a picture.
    """
    widths = [narrow if isinstance(item, str) else 1.0 for item in items]
    axes = figure.subplots(1, len(items), width_ratios=widths, squeeze=False)[0]
    for axis, item in zip(axes, items, strict=True):
        axis.set_axis_off()
        if not isinstance(item, str) and isinstance(item[-1], str):
            axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
            box(axis, 0, 0.2, 1, 0.6, *item)
        elif not isinstance(item, str):
            picture(axis, *item)
        elif len(item) == 1:
            axis.text(0.5, 0.5, item, ha="center", va="center", fontsize=16)
        else:
            arrow(axis, (0.05, 0.5), (0.95, 0.5), item)
    return [axis for axis, item in zip(axes, items, strict=True) if not isinstance(item, str)]


def picture(axis, title, image, window=(0, 1)):
    """An image with a thin frame, which tells a white or black edge from the page."""
    axis.imshow(np.asanyarray(image), cmap="gray", vmin=window[0], vmax=window[1])
    axis.set(xticks=[], yticks=[])
    axis.set_axis_on()
    axis.set_title(title, fontsize=9)


def bright(image):
    """An image whose largest value is white."""
    return image / image.max()


def arrow(axis, start, end, text="", above=0.06, coordinates="axes fraction", **look):
    """An arrow between two points of an axis, and a text over its middle."""
    axis.annotate("", end, start, xycoords=coordinates, arrowprops=ARROW | look)
    if text:
        place = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + above
        axis.annotate(text, place, xycoords=coordinates, ha="center", va="bottom", fontsize=9)


def box(axis, left, bottom, width, height, text, fill=FIRST, **look):
    """A box with a text in its middle, in the units of the axis."""
    axis.add_patch(FancyBboxPatch((left, bottom), width, height, boxstyle="round,pad=0,rounding_size=0.06",
                                  facecolor=fill, edgecolor=INK, linewidth=1.0))
    axis.text(left + width / 2, bottom + height / 2, text, ha="center", va="center", **dict(fontsize=9) | look)


def canvas(axis, width, height):
    """An axis without ticks whose units are 0 to width and 0 to height."""
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.set_axis_off()
    return axis
