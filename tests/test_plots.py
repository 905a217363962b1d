"""Figures: the colour bar tells the true error, levels, plain names, several rows, and a style that does not leak."""

import matplotlib
import numpy as np
import pytest

from aseqdip_lite.run.plots import MOST, plot_curves, plot_images
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
