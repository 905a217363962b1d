"""Measured CT projections: counts to line integrals, the axis of rotation, new bins, and the file format."""

import math

import h5py
import numpy as np
import pytest
import torch
from checks import error_of

from aseqdip_lite import load_case
from aseqdip_lite.images import Sinogram
from aseqdip_lite.images.files import load_file
from aseqdip_lite.images.phantoms import ellipse_image
from aseqdip_lite.images.projections import (
    half_turn,
    line_integrals,
    load_projections,
    rebinned,
    rotation_centre,
    usable_bins,
)
from aseqdip_lite.operators.projectors import disc, equal_angles, strip_sinogram
from aseqdip_lite.tasks.ct import CT

ELLIPSES = ((1.0, 0.3, 0.5, 0.1, -0.1, 30.0), (0.6, 0.1, 0.05, 0.05, 0.2, -20.0))
BINS, VIEWS = 101, 24
ANGLES = np.array(equal_angles(VIEWS))


def phantom(size):
    return ellipse_image(ELLIPSES, size)


def line_sums(centre, angles=ANGLES):
    """Line integrals (views, bins) of the phantom, 64 bins wide, with the axis of rotation at bin `centre`."""
    fine = strip_sinogram(0.02 * phantom(256), angles, 8 * BINS + 1, pixel=2.0) / 8  # 8 samples a bin
    s = (np.arange(8 * BINS + 1) - 4 * BINS) / 8  # bin positions of the samples, 0 on the axis
    offsets = np.arange(BINS)[:, None] - centre + (np.arange(8)[None] - 3.5) / 8  # (bins, 8) across each bin
    return np.stack([np.interp(offsets, s, view).mean(axis=1) for view in fine])


def write(path, sinogram, angles, dark=100.0, beam=3000.0, rows=2, without=(), **others):
    """A Data Exchange file: the scan in its last row, a scan of nothing in the others; `others` replace datasets."""
    counts = np.full((len(sinogram), rows, sinogram.shape[1]), dark + beam)
    counts[:, -1] = dark + beam * np.exp(-sinogram)
    parts = dict(data=counts.astype(np.float32), data_white=np.full((3, *counts.shape[1:]), dark + beam, np.float32),
                 data_dark=np.full((2, *counts.shape[1:]), dark, np.float32), theta=np.degrees(angles)) | others
    with h5py.File(path, "w") as file:
        for name, array in parts.items():
            if name not in without:
                file[f"exchange/{name}"] = array
    return path


# Line integrals and angles.

def test_line_integrals_do_not_depend_on_gain_and_offset():
    rng = np.random.default_rng(0)
    truth, gain, offset = rng.uniform(0, 3, (5, 20)), rng.uniform(1e3, 3e3, 20), rng.uniform(50, 99, 20)
    white = gain + offset + np.array([[-5.0], [0.0], [5.0]])
    found = line_integrals(gain * np.exp(-truth) + offset, white, offset + np.array([[1.0], [-1.0]]))
    np.testing.assert_allclose(found, truth, atol=1e-10)


def test_rays_without_a_count_are_finite_and_dead_bins_refused():
    found = line_integrals(np.array([[100.0, 50.0, 600.0]]), np.full((2, 3), 1100.0), np.full((2, 3), 100.0))
    np.testing.assert_allclose(found, [[math.log(1e4), math.log(1e4), math.log(2)]])
    white = np.full((2, 3), 1100.0)
    white[:, 1] = 100
    assert error_of(lambda: line_integrals(white, white, np.full((2, 3), 100.0))) == (
        "1 of 3 bins are dead: their open beam is not above the dark field")


def test_views_of_the_first_half_turn_are_taken_in_order():
    angles = np.radians([0, 45, 90, 135, 180, 225, 270, 315])
    shuffled = np.random.default_rng(0).permutation(8)
    np.testing.assert_allclose(angles[shuffled][half_turn(angles[shuffled])], angles[:4])
    np.testing.assert_array_equal(half_turn(np.linspace(0, math.pi, 7)), np.arange(6))  # its ends are the same rays


@pytest.mark.parametrize("degrees, gap", [([5.0], "180"), ([5.0, 95.0], "90"), (range(0, 120), "61"),
                                          (np.radians(range(180)), "177")])
def test_views_that_leave_a_gap_are_refused(degrees, gap):
    angles = np.radians(np.array(list(degrees)))
    assert error_of(lambda: half_turn(angles)) == (
        f"its {len(angles)} views leave a gap of {gap} degrees: three or more that are spread evenly over half a turn "
        "are expected")


# The axis of rotation.

@pytest.mark.parametrize("centre", [40.0, 46.3, 50.0, 57.75])
def test_axis_of_rotation_is_found(centre):
    angles = ANGLES
    assert rotation_centre(line_sums(centre), angles) == pytest.approx(centre, abs=0.01)


def test_axis_of_rotation_with_noise():
    noise = 0.01 * np.random.default_rng(0).standard_normal((VIEWS, BINS))
    assert rotation_centre(line_sums(47.2) + noise, ANGLES) == pytest.approx(47.2, abs=0.3)


@pytest.mark.parametrize("error", [-0.005, 0.01])
def test_a_constant_error_of_the_open_beam_does_not_move_the_axis(error):
    assert rotation_centre(line_sums(46.3) + error, ANGLES) == pytest.approx(46.3, abs=0.03)


def test_an_object_beyond_the_detector_is_refused():
    cut = line_sums(50.0)[:, 40:]
    assert error_of(lambda: rotation_centre(cut, ANGLES)) == (
        "the attenuation of the whole object changes from view to view by more than 10%: it reaches beyond the "
        "detector, or the beam was not stable")
    assert error_of(lambda: rotation_centre(np.zeros((VIEWS, BINS)), ANGLES)) == (
        "a view shows no attenuation: there is no object in it")
    spot = np.eye(1, BINS, 3) * np.ones((VIEWS, 1))
    assert error_of(lambda: rotation_centre(spot, ANGLES)) == (
        "the axis of rotation falls on bin 3.0 of 101, at or off the edge")


# New bins.

@pytest.mark.parametrize("centre", [50.0, 44.0, 56.4])
@pytest.mark.parametrize("bins", [17, 33, 80])
def test_rebinned_keeps_the_attenuation_and_centres_the_axis(centre, bins):
    scan = Sinogram("a", line_sums(centre), ANGLES, centre)
    width = usable_bins(scan) / bins
    new = rebinned(scan, bins)
    assert new.shape == (VIEWS, bins)
    np.testing.assert_allclose(new.sum(axis=1) * width**2, scan.sinogram.sum(axis=1), rtol=2e-3)
    assert rotation_centre(new, scan.angles) == pytest.approx((bins - 1) / 2, abs=0.02)


def test_as_many_bins_as_there_are_change_nothing():
    scan = Sinogram("a", line_sums(50.0), ANGLES, 50.0)
    assert usable_bins(scan) == BINS
    np.testing.assert_allclose(rebinned(scan, BINS), scan.sinogram, atol=1e-12)


def test_the_image_is_attenuation_per_bin_whatever_the_size():
    """Projecting the known object on the new grid gives the new sinogram."""
    scan = Sinogram("a", line_sums(47.0), ANGLES, 47.0)
    for bins in (48, 95):
        scale = usable_bins(scan) / bins  # old bins in a new one; the object spans 64 old ones
        object_ = strip_sinogram(0.02 * phantom(256), ANGLES, bins, pixel=64 / 256 / scale)
        assert np.linalg.norm(rebinned(scan, bins) - object_) < 0.02 * np.linalg.norm(object_)


# The file.

@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "scan.h5", line_sums(46.3), ANGLES)


def test_file_becomes_a_sinogram(file):
    scan = load_file(file)
    assert scan.name == "scan.h5[1]" and scan.sinogram.dtype == np.float32
    np.testing.assert_allclose(scan.sinogram, line_sums(46.3), atol=1e-5)
    np.testing.assert_allclose(scan.angles, ANGLES)
    assert scan.centre == pytest.approx(46.3, abs=0.01)
    assert load_file(file, 1).name == "scan.h5[1]"


@pytest.mark.parametrize("change, words", [
    (dict(without=("theta",)), "is no complete Data Exchange file: it has no 'exchange/theta'"),
    (dict(without=("data_white",)), "is no complete Data Exchange file: it has no 'exchange/data_white'"),
    (dict(theta=np.arange(5.0)), "'data', 'data_white', 'data_dark' and 'theta' must have shapes (views, rows, D), "
     "(n, rows, D), (n, rows, D) and (views,), got (24, 2, 101), (3, 2, 101), (2, 2, 101), (5,)"),
    (dict(data=np.ones((24, 9))), "'exchange/data' must hold real numbers with 3 axes, got float64 of shape (24, 9)"),
    (dict(data=np.ones((24, 2, 101), complex)), "'exchange/data' must hold real numbers with 3 axes, got complex128"),
    (dict(theta=np.full(24, np.nan)), "'data', 'data_white', 'data_dark' and 'theta' must be finite"),
    (dict(data_dark=np.ones((0, 2, 101))), "holds no values: its shape is (0, 101)"),
    (dict(theta=np.linspace(0, 1, 24)), "its 24 views leave a gap of 179 degrees"),
])
def test_bad_files(tmp_path, change, words):
    path = write(tmp_path / "a.h5", line_sums(50.0), ANGLES, **change)
    assert error_of(lambda: load_file(path)).startswith(f"{path}: {words}")


def test_rows_and_sizes_are_checked(tmp_path, file):
    assert error_of(lambda: load_file(file, 2)) == f"{file}: slice 2 does not exist: the file has slices 0 to 1"
    narrow = np.ones((4, 10))
    path = write(tmp_path / "narrow.h5", narrow, np.array(equal_angles(4)))
    assert error_of(lambda: load_projections(path)) == "a view must have at least 16 bins, got 10"


def test_claimed_sizes_are_refused_before_they_are_allocated(tmp_path):
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as stored:
        for name, views in (("data", 10**6), ("data_white", 1), ("data_dark", 1)):
            stored.create_dataset(f"exchange/{name}", (views, 1, 10**5), np.float32, chunks=(1, 1, 1024))
        stored.create_dataset("exchange/theta", (10**6,), np.float64, chunks=(1024,))
    assert error_of(lambda: load_file(path)) == (f"{path}: too large: 1000000 x 100000 values, at most 16777216 are "
                                                 "accepted")


# The task.

def test_a_measured_scan_is_taken_over_by_ct(file):
    case = load_case("ct", str(file), profile="smoke", views=8, size=48)
    scan = load_file(file)
    o = case.observation
    chosen = np.arange(0, VIEWS, 3)
    assert o.A.projector.angles == pytest.approx(scan.angles[chosen])
    np.testing.assert_allclose(o.y[0] * o.scale / o.A.factor, rebinned(scan, 48)[chosen], rtol=1e-4, atol=1e-5)
    assert (case.image, case.settings["views"], case.settings["size"]) == ("scan.h5[1]", 8, [48, 48])
    assert case.settings["centre"] == scan.centre and case.settings["reference"] == "fbp of all 24 views"
    assert o.noise_std is None and case.data_range == pytest.approx(case.truth.max())
    assert any("compared with the FBP of all 24 views: no truth" in note for note in case.notes)


def test_the_reference_is_the_object_where_views_suffice(tmp_path):
    angles = np.array(equal_angles(120))
    path = write(tmp_path / "many.h5", line_sums(46.3, angles), angles)
    case = load_case("ct", str(path), views=30, size=64)
    width = usable_bins(load_file(path)) / 64  # old bins in a pixel
    expected = np.zeros((64, 64))
    fine = 0.02 * phantom(256)
    axis = ((np.arange(64) - 31.5) * width) * 4 + 127.5  # the pixel centres among those of `fine`, 4 to an old bin
    nearest = np.rint(axis).astype(int)
    inside = (nearest >= 0) & (nearest < 256)
    expected[np.ix_(inside, inside)] = fine[np.ix_(nearest[inside], nearest[inside])]
    assert np.corrcoef(case.truth.ravel(), expected.ravel())[0, 1] > 0.95
    assert case.truth.sum() == pytest.approx(expected.sum(), rel=0.03)
    assert (case.truth[disc(64).numpy() == 0] == 0).all()


def test_size_is_bounded_by_the_bins(file):
    assert load_case("ct", str(file), views=8, size=2048).settings["size"] == [93, 93]
    assert CT(views=8, size=None).observe(load_file(file)).settings["size"] == [93, 93]


@pytest.mark.parametrize("settings, words", [
    (dict(views=25), "scan.h5[1] has 24 views: views must be at most 24, got 25"),
    (dict(angles="0,90"), "scan.h5[1] is a measured scan: angles is for simulated ones, leave it out"),
    (dict(i0=1e5), "scan.h5[1] is a measured scan: i0 is for simulated ones, leave it out"),
    (dict(fov=100.0), "scan.h5[1] is a measured scan: fov is for simulated ones, leave it out"),
    (dict(unit="hu"), "scan.h5[1] is a measured scan: leave unit at mu"),
])
def test_settings_of_simulated_scans_do_not_apply(file, settings, words):
    assert error_of(lambda: load_case("ct", str(file), profile="smoke", **settings)) == words


@pytest.mark.parametrize("task", ["mri", "denoising", "inpainting", "deblurring"])
def test_other_tasks_refuse_a_ct_scan(file, task):
    message = error_of(lambda: load_case(task, str(file), profile="smoke"))
    assert message.startswith("scan.h5[1] is a ") and "scan" in message.removeprefix("scan.h5[1] is a ")


def test_the_tooth(fetched):
    """The real scan: its axis is near bin 296, and 30 of its views show the tooth that all of them show."""
    scan = load_file(fetched("tooth"))
    assert scan.sinogram.shape == (181, 640) and scan.centre == pytest.approx(295.9, abs=0.1)
    case = load_case("ct", "tooth", profile="smoke", views=30)
    assert case.truth.shape == (64, 64) and case.truth.max() > 10 * abs(np.median(case.truth))
    shown = torch.from_numpy(case.truth)[None, None] / case.observation.scale
    residual = case.observation.A(shown) - case.observation.y
    assert float(residual.norm() / case.observation.y.norm()) < 0.05
