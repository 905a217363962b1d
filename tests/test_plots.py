"""Figures: the colour bar tells the true error, levels, plain names, several rows, and a style that does not leak."""

import matplotlib
import numpy as np
import pytest

from aseqdip_lite.run.plots import MOST, plot_curves, plot_images, worst_box
from aseqdip_lite.widgets.curves import Curves

TRUTH = np.linspace(0, 2, 64).reshape(8, 8)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_errors_are_drawn_in_the_units_of_the_picture_and_the_bar_says_so(channels):
    truth = np.broadcast_to(TRUTH.reshape(8, 8, *[1] * len(channels)), (8, 8, *channels))
    figure = plot_images({"tv": truth + 0.1}, truth, (0, 2), {"tv": "20.00 dB"})
    picture, _, errors, below = figure.axes
    assert picture.get_title() == "total variation\n20.00 dB"
    assert np.allclose(errors.images[0].get_array(), 0.1) and errors.images[0].get_clim() == (0, 0.5)
    bar, = below.child_axes
    assert bar.get_xlim() == (0, 0.5) and "pictures: 0 to 2" in bar.get_xlabel()


@pytest.mark.parametrize("channels", [(), (3,)])
def test_the_worst_box_holds_the_error_and_is_enlarged_with_its_errors(channels):
    truth = np.zeros((48, 32, *channels))
    start = truth.copy()
    start[9:15, 17:23] = 1.0
    box = top, left, size = worst_box(start, truth)
    assert size == 8 and top <= 9 and left <= 17 and top + size >= 15 and left + size >= 23
    whole, _, enlarged, _, errors, _ = plot_images({"start": start}, truth, (0, 1), zoom=box).axes
    frame, = whole.patches
    assert (frame.get_x(), frame.get_y(), frame.get_width()) == (left - 0.5, top - 0.5, size)
    part = start[top:top + size, left:left + size]
    assert np.array_equal(enlarged.images[0].get_array(), part)
    assert np.array_equal(errors.images[0].get_array(), part.max(axis=-1) if channels else part)


def test_a_picture_smaller_than_four_pixels_has_a_box_too():
    assert worst_box(np.eye(3), np.zeros((3, 3))) == (0, 0, 1)


def test_many_images_stand_in_several_rows():
    shown = {f"image {index}": TRUTH for index in range(MOST + 2)}
    titles = [axis.get_title() for axis in plot_images(shown, TRUTH, (0, 2)).axes]
    assert [title for title in titles if title and "error" not in title] == [*shown, "truth"]
    assert titles.count("4 x |error|") == len(shown)


def test_one_value_is_a_level_line_and_names_are_plain():
    before = dict(matplotlib.rcParams)
    axis, = plot_curves({"aseqdip": (range(3), [1.0, 2.0, 3.0]), "zero_filled": ([0], [2.5])}).axes
    curve, level = axis.lines
    assert list(curve.get_ydata()) == [1.0, 2.0, 3.0] and list(level.get_ydata()) == [2.5, 2.5]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["aSeqDIP", "zero-filled"]
    assert (curve.get_color(), curve.get_linestyle()) != (level.get_color(), level.get_linestyle())
    assert dict(matplotlib.rcParams) == before


def test_a_panel_without_a_moving_variance_says_from_which_step_on_there_is_one():
    curves = Curves()
    curves.tag({}, 0, ("", np.nan))
    axis = curves.axes["variance"]
    assert curves.later.get_visible() and "100" in curves.later.get_text()
    assert not axis.xaxis.get_visible() and not axis.yaxis.get_visible()
