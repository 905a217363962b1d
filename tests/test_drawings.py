"""The drawings of the lessons: what they draw is what the code computes, and every label can be read."""

import itertools
import math

import build_lessons
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from aseqdip_lite import configure, iterate, load_case, methods, networks
from aseqdip_lite.course import drawings
from aseqdip_lite.course.drawings import runs, scans
from aseqdip_lite.course.theory import dynamics
from aseqdip_lite.course.theory.bands import complex_truth
from aseqdip_lite.methods.sampler import Sampler

ALL = {"two_pixels": (), "coils": (), "rays": (), "camera": (), "frequencies": (), "denoised": (), "inputs": (),
       "network": ("lite", "hourglass"), "family": (), "two_ways": (), "two_orders": (), "stages": (), "split": (),
       "semiconvergence": (), "spring": (), "two_explanations": (), "first_modes": (), "samplers": ()}
SMALLEST = 8  #: points


@pytest.fixture(scope="module")
def drawn():
    """{name: figure}, each drawn once."""
    figures = {name: getattr(drawings, name)(*given) for name, given in ALL.items()}
    for figure in figures.values():
        FigureCanvasAgg(figure).draw()
    return figures


def texts(figure):
    """The texts of a figure that are seen: no ticks beyond the ends of an axis, nor of an axis that is switched off."""
    hidden = set()
    for axis in figure.axes:
        for line in (axis.xaxis, axis.yaxis):
            low, high = sorted(line.get_view_interval())
            for tick in line.get_major_ticks() + line.get_minor_ticks():
                if not axis.axison or not low <= tick.get_loc() <= high:
                    hidden |= set(tick.findobj(Text))
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist not in hidden)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def images(figure):
    """The pictures of a figure as arrays, in the order in which they were drawn."""
    return [np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
            for axis in figure.axes for image in axis.images]


def test_every_drawing_is_here():
    helpers = {"STAGES", "calls", "coil_places", "landweber", "met"}
    assert set(drawings.__all__) == {*ALL, *helpers}


@pytest.mark.parametrize("name", ALL)
def test_labels_are_large_enough_and_inside_of_the_figure(drawn, name):
    figure = drawn[name]
    width, height = figure.canvas.get_width_height()
    assert texts(figure) and width <= 1000
    for text in texts(figure):
        place = text.get_window_extent()
        assert text.get_fontsize() >= SMALLEST, text.get_text()
        assert place.x0 > -1 and place.y0 > -1 and place.x1 < width + 1 and place.y1 < height + 1, text.get_text()


@pytest.mark.parametrize("name", ALL)
def test_labels_do_not_lie_on_each_other(drawn, name):
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(drawn[name])]
    for number, (text, place) in enumerate(boxes):
        for other, its in boxes[:number]:
            wide, high = min(place.x1, its.x1) - max(place.x0, its.x0), min(place.y1, its.y1) - max(place.y0, its.y0)
            assert min(wide, high) <= 1.5, (text, other)


@pytest.mark.parametrize("start", scans.STARTS)
def test_the_toy_stays_on_its_line_and_ends_at_the_projection(start):
    start, row = scans.STARTS[start], np.array([1, 1]) / math.sqrt(2)
    found = drawings.landweber(start, row @ scans.TRUTH, 80)
    hidden = np.array([1, -1]) / math.sqrt(2)
    assert np.allclose(found @ hidden, start @ hidden)  # what A does not see stays
    assert np.allclose(found[-1], start + row * (row @ (scans.TRUTH - start)))  # the nearest solution
    errors = row @ scans.TRUTH - found @ row
    assert np.allclose(errors[1:21], 0.6 * errors[:20])  # 1 - tau


def test_the_toy_from_zero_ends_at_the_solution_of_least_norm():
    end = drawings.landweber((0, 0), scans.TOY @ scans.TRUTH, 80)[-1]
    assert np.allclose(end, np.linalg.pinv(scans.TOY[None]) @ [scans.TOY @ scans.TRUTH])


def test_the_drawn_paths_of_the_toy_are_those_of_the_iteration(drawn):
    lines = [line.get_xydata() for line in drawn["two_pixels"].axes[0].lines]
    for start in scans.STARTS.values():
        path = drawings.landweber(start, scans.TOY @ scans.TRUTH, 12)
        assert any(line.shape == path.shape and np.allclose(line, path) for line in lines)


def test_two_pixels_pass_the_truth_by_on_the_way_to_the_naive_inverse(drawn):
    U, s, Vh = np.linalg.svd(scans.FAINT)
    y, k = scans.FAINT @ scans.TRUTH + scans.NOISE, np.arange(301)[:, None]
    path = ((1 - (1 - 0.4 * s**2) ** k) * (U.T @ y) / s) @ Vh  # the filter factors
    left, right = drawn["semiconvergence"].axes
    assert np.allclose(left.lines[0].get_xydata(), path, atol=1e-9)
    assert np.allclose(scans.FAINT @ left.lines[-1].get_xydata()[0], y)
    errors = right.lines[0].get_ydata()
    assert np.allclose(errors, np.linalg.norm(path[1:] - scans.TRUTH, axis=1) / np.linalg.norm(scans.TRUTH))
    assert errors[0] > 2 * errors.min() < errors[-1] and (np.diff(right.lines[1].get_ydata()) < 0).all()


def test_the_drawn_spring_is_a_literal_run_of_the_linear_model(drawn):
    theta, one = torch.diag(torch.tensor(runs.SPEEDS, dtype=torch.float64)), torch.eye(2, dtype=torch.float64)
    left, right = drawn["spring"].axes
    for line, curve, gain, lam in zip(left.lines, right.lines, (0, 1, 1), (1.0, 0.0, 4.0), strict=False):
        path = dynamics.linear_simulation(theta.sqrt(), gain * one, one, one.sum(0), 0 * one[0], 0 * one[0], lam, 2,
                                          0.25, 60)
        assert np.allclose(line.get_xydata(), path.flip(1)) and np.allclose(curve.get_ydata(), path[:, 1])


def test_what_the_coils_measure_is_A_x(drawn):
    case = load_case("mri", "brain-070", size=48, coils=4, snr=None)
    measured = case.observation.A(complex_truth(case)[None, 0])[0].abs()
    kept = images(drawn["coils"])[4::4]  # after the head four pictures a coil
    for coil, shades in zip((0, 2), kept, strict=True):
        there = ~np.isnan(shades)
        assert np.array_equal(there, np.broadcast_to(case.observation.A.mask.bool().numpy(), there.shape))
        ratio = measured[coil].numpy()[there] / 10 ** shades[there]
        assert np.allclose(ratio, np.median(ratio), rtol=1e-3)


def test_a_coil_stands_where_it_is_most_sensitive():
    maps = load_case("mri", "brain-070", size=48, coils=4).observation.A.sens_maps.abs()
    for magnitude, (column, row) in zip(maps, drawings.coil_places(maps), strict=True):
        near = magnitude[int(row.clamp(0, 47)), int(column.clamp(0, 47))]
        far = magnitude[int((47 - row).clamp(0, 47)), int((47 - column).clamp(0, 47))]
        assert near > 2 * far


def test_the_parts_of_the_frequencies_add_up_to_the_photograph(drawn):
    photograph, _, *parts = images(drawn["frequencies"])
    assert np.allclose(sum(parts), photograph, atol=1e-5)


def test_the_split_adds_up_and_its_rest_is_orthogonal_to_the_noise(drawn):
    found = images(drawn["split"])
    for z, x, noise, rest in (found[:4], found[4:]):
        assert np.allclose(z, x + noise + rest, atol=1e-5)
        assert abs((noise * rest).sum()) < 1e-3 * np.linalg.norm(noise) * max(np.linalg.norm(rest), 1)


@pytest.mark.parametrize("preset", networks.PRESETS)
def test_the_boxes_of_a_network_are_its_parts(preset):
    side, stages = 64, drawings.met(preset)
    widths, whole = networks.PRESETS[preset], networks.build(
        preset, torch.zeros(1, 1, side, side), torch.Generator().manual_seed(0)).network
    down = [stage for stage in stages if stage.kind == "down"]
    assert tuple(stage.channels for stage in down) == widths
    assert min(stage.side for stage in stages) == side // whole.stride
    assert (stages[-1].kind, stages[-1].channels, stages[-1].side) == ("head", 1, side)
    by_side = {stage.side: stage.channels for stage in down}
    for stage in stages:
        assert stage.skip == (by_side[stage.side] if stage.kind == "up" and preset != "hourglass" else 0)


@pytest.mark.parametrize("preset", networks.PRESETS)
def test_a_drawn_box_has_the_height_and_width_of_its_part(preset):
    patches = [patch for patch in drawings.network(preset).axes[0].patches if isinstance(patch, Rectangle)]
    for patch, stage in zip(patches, drawings.met(preset), strict=True):
        assert patch.get_height() == stage.side and patch.get_width() == max(2, stage.channels / 2)


def test_the_family_is_the_family():
    drawn = [name for named in drawings.diagrams.FAMILY.values() for name in named]
    assert sorted([*drawn, "vanilla"]) == sorted(
        name for name in methods.names() if methods.get(name).budget and not methods.get(name).trained)


def test_the_samplers_are_those_of_the_library_and_the_slope_is_where_a_gradient_is_taken():
    drawn = [set(names) for names, _ in drawings.diagrams.ENTRIES.values()]
    known = {name: methods.get(name) for name in methods.names() if issubclass(methods.get(name), Sampler)}
    assert set.union(*drawn) == set(known)
    assert drawn[1] == {name for name, method in known.items() if method.guided}


def test_what_comes_out_of_the_drawn_denoiser_is_nearer_to_the_head(drawn):
    noisy, clean, _ = (np.asarray(inner.images[0].get_array()) for inner in drawn["samplers"].axes[0].child_axes)
    truth = load_case("mri", "brain-070", size=len(noisy), coils=4).truth
    assert np.corrcoef(clean.flat, truth.flat)[0, 1] > max(0.9, np.corrcoef(noisy.flat, truth.flat)[0, 1])


@pytest.mark.parametrize("N", [1, 2, 3])
def test_the_stale_output_saves_the_pass_after_the_last_step(N):
    round_of = ["forward", "backward", "step"]
    assert drawings.calls("fresh", N) == (N * round_of + ["forward"], N)
    assert drawings.calls("stale", N) == (N * round_of, N - 1)


def test_the_film_shows_the_inputs_of_a_run():
    case, method = load_case("denoising", **runs.PROBLEM), runs.TINY.with_steps(6)
    film = runs.inputs(case, method, (1, 3))
    images = {state.stage: state.image for state in iterate(case.observation, method, seed=0)}  # the last of each stage
    assert list(film) == [0, 1, 3] and torch.equal(film[0], case.observation.y)
    assert all(torch.equal(film[stage], images[stage]) for stage in (1, 3))


def test_rays_of_the_sinogram_are_line_integrals(drawn):
    truth, sinogram = images(drawn["rays"])
    inside = scans.MU_WATER * scans.FIELD_OF_VIEW / len(truth) * truth.sum()
    assert np.allclose(sinogram.sum(axis=1), inside, rtol=1e-3)  # every view holds all of the object


def test_what_is_taken_away_and_the_error_are_the_noise(drawn):
    x, y, answer, away, error = images(drawn["denoised"])
    assert np.allclose(away + error, y - x) and configure("tv", "denoising").name == "tv"
    assert np.square(error).mean() < np.square(y - x).mean() / 2


@pytest.mark.parametrize("source", build_lessons.sources(), ids=lambda source: source.stem)
def test_every_lesson_has_a_picture_on_its_first_screen(source):
    notebook = nbformat.read(build_lessons.stored_path(source, False), 4)
    before = itertools.takewhile(lambda cell: not cell.source.startswith("## "), notebook.cells)
    pictures = [output for cell in before for output in cell.get("outputs", ()) if "<img" in str(output.get("data"))]
    assert len(pictures) == 1
