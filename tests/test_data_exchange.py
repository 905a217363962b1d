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
    attenuation_of,
    averaged,
    few,
    from_one_side,
    half_turn,
    line_integrals,
    rebinned,
    rotation_centre,
    usable_bins,
)
from aseqdip_lite.images.tomography import load_projections
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
        "are expected; if the angles are in radians, set their attribute 'units' to 'rad'")


@pytest.mark.parametrize("golden", [111.24612, 137.50776, 23.62814, 68.75388])
@pytest.mark.parametrize("views", [13, 34, 100, 233, 401])
def test_golden_angle_scans_keep_all_their_views(golden, views):
    for angles in (np.radians(golden * np.arange(views)), np.radians(golden * np.arange(views) % 360)):
        assert sorted(half_turn(angles)) == list(range(views))
        folded = (angles[half_turn(angles)] - angles.min()) % math.pi
        assert (np.diff(folded) > 0).all()


def test_opposite_views_of_a_full_turn_are_left_out_and_others_kept():
    even = np.radians(np.arange(0, 360, 4))
    np.testing.assert_array_equal(half_turn(even), np.arange(45))
    odd = np.radians(np.arange(91) * 360 / 91)  # opposite views lie between the first ones
    assert sorted(half_turn(odd)) == list(range(91))
    np.testing.assert_array_equal(half_turn(np.radians(np.arange(720, 540, -2))), np.arange(90)[::-1])


def test_views_from_behind_are_mirrored_at_the_axis():
    """They become what the projector makes of the object from the other side; half a bin's shift blurs a little."""
    angles = np.radians(137.50776 * np.arange(VIEWS))
    for centre, error in ((50.0, 1e-4), (46.0, 1e-4), (46.3, 0.02)):
        seen = line_sums(centre, angles)
        order = half_turn(angles)
        found, folded, axis, notes = from_one_side(seen[order], angles[order])
        assert axis == pytest.approx(centre, abs=0.02) and (np.diff(folded) > 0).all() and np.ptp(folded) < math.pi
        expected = line_sums(centre, folded)
        assert np.linalg.norm(found - expected) < error * np.linalg.norm(expected)
        assert "from behind: mirrored at the axis of rotation" in notes[0]


def test_a_view_taken_again_is_averaged():
    counts, angles = np.random.default_rng(0).random((5, 20)), np.radians([0.0, 45, 90, 135, 90.02])
    counts[4] = counts[2] + 0.01 * counts[3]
    found, places, notes = averaged(counts, angles)
    np.testing.assert_allclose(np.degrees(places), [0, 45, 90.01, 135], atol=1e-9)
    np.testing.assert_allclose(found, [counts[0], counts[1], (counts[2] + counts[4]) / 2, counts[3]])
    assert notes == ("5 views averaged to 4: taken more than once at 90.01 degrees",)
    turns = np.radians([0.0, 60, 120, 360, 420, 480])
    np.testing.assert_allclose(np.degrees(averaged(np.eye(6, 20), turns)[1]), [0, 60, 120], atol=1e-9)
    assert averaged(counts[:4], angles[:4]) == (pytest.approx(counts[:4]), pytest.approx(angles[:4]), ())


@pytest.mark.parametrize("beam", [3000.0, 200.0])
def test_views_of_one_angle_that_contradict_each_other_are_named(beam):
    """By shape, not by noise: two passes of one object, and one pass over half of it taken for two."""
    counts = np.random.default_rng(0).poisson(beam * np.exp(-line_sums(46.3)), (2, VIEWS, BINS)).astype(float)
    twice = np.concatenate([ANGLES, ANGLES])
    assert len(averaged(counts.reshape(-1, BINS), twice)[2]) == 1
    half = np.concatenate([2 * ANGLES[:VIEWS // 2]] * 2)
    assert "show different things" in averaged(counts[0], half)[2][1]


# Bins that tell nothing.

def counted(rays, dark=100.0, beam=3000.0):
    """Counts of line integrals, of the open beam and of the dark field."""
    return dark + beam * np.exp(-rays), np.full((3, rays.shape[1]), dark + beam), np.full((2, rays.shape[1]), dark)


@pytest.mark.parametrize("fault", ["no beam", "no light in any view", "saturated"])
@pytest.mark.parametrize("bins", [[60], [40, 41], [38, 57, 58]])
def test_a_few_dead_or_hot_bins_are_interpolated(fault, bins):
    truth = line_sums(50.0)
    counts, white, dark = counted(truth)
    counts[:, bins] = {"no beam": 100.0, "no light in any view": 100.0, "saturated": 65535.0}[fault]
    white[:, bins] = {"no beam": 100.0, "no light in any view": 3100.0, "saturated": 65535.0}[fault]
    found, notes = attenuation_of(counts, white, dark)
    good = np.setdiff1d(np.arange(BINS), bins)
    np.testing.assert_allclose(found[:, good], truth[:, good], atol=1e-9)
    expected = np.stack([np.interp(bins, good, view[good]) for view in truth])
    np.testing.assert_allclose(found[:, bins], expected, atol=1e-9)
    assert notes == (f"{len(bins)} of 101 bins are dead or hot: interpolated from their neighbours",)


def test_sound_bins_stay():
    truth = line_sums(50.0) + 0.01 * np.random.default_rng(0).standard_normal((VIEWS, BINS))
    found, notes = attenuation_of(*counted(truth))
    np.testing.assert_allclose(found, truth, atol=1e-9)
    assert notes == ()
    wire = np.zeros((VIEWS, BINS))
    wire[:, 49:52] = 1.0  # on the axis, the same in all views
    assert attenuation_of(*counted(wire))[1] == ()


@pytest.mark.parametrize("bins", [range(30, 34), range(0, 100, 10)])
def test_many_dead_bins_are_refused(bins):
    counts, white, dark = counted(line_sums(50.0))
    white[:, list(bins)] = 100
    assert not few(white[0] == 100)
    assert error_of(attenuation_of, counts, white, dark) == (
        f"{len(bins)} of 101 bins are dead: their open beam is not above the dark field")


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
    (dict(theta=np.full(24, np.nan)), "the angles must be finite: leave out the views of the others"),
    (dict(data=np.full((24, 2, 101), np.nan)), "views, open beam and dark field must be finite: write 0 where a bin "),
    (dict(data=np.full((24, 2, 101), 0.5)), "most of 'data' is not above the dark field: counts are expected, in the "
     "unit of 'data_white' and 'data_dark'; with transmission I / I_0 these are ones and zeros"),
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


@pytest.mark.parametrize("unit", ["deg", b"degrees", "Degree", "", None, np.array([b"deg"])])
def test_angles_in_degrees(tmp_path, unit):
    path = write(tmp_path / "a.h5", line_sums(46.3), ANGLES)
    if unit is not None:
        with h5py.File(path, "a") as stored:
            stored["exchange/theta"].attrs["units"] = unit
    np.testing.assert_allclose(load_file(path).angles, ANGLES)


@pytest.mark.parametrize("unit", ["rad", b"radians", "Radian"])
def test_angles_in_radians(tmp_path, unit):
    path = write(tmp_path / "a.h5", line_sums(46.3), ANGLES, theta=ANGLES)
    with h5py.File(path, "a") as stored:
        stored["exchange/theta"].attrs["units"] = unit
    np.testing.assert_allclose(load_file(path).angles, ANGLES)


def test_a_unit_that_is_no_text_is_refused(tmp_path):
    path = write(tmp_path / "a.h5", line_sums(46.3), ANGLES)
    with h5py.File(path, "a") as stored:
        stored["exchange/theta"].attrs["units"] = 3.0
    assert error_of(load_file, path) == (
        f"{path}: the attribute 'units' of '/exchange/theta' is not text: write text, or delete it")


def test_angles_that_the_views_contradict_are_named(tmp_path):
    angles = np.radians(111.246) * np.arange(100)  # golden angle; the same numbers in degrees leave no gap either
    sums = line_sums(46.3, angles % np.pi)
    behind = np.floor(angles / np.pi) % 2 == 1
    bins = np.arange(BINS)
    sums[behind] = [np.interp(2 * 46.3 - bins, bins, view) for view in sums[behind]]
    assert len(load_file(write(tmp_path / "right.h5", sums, angles)).notes) == 1  # mirrored views
    note = load_file(write(tmp_path / "wrong.h5", sums, angles, theta=angles)).notes[-1]
    assert note.startswith("the centroids of the views do not follow a sine of their angles, ")
    assert note.endswith(" bins off: are the angles in the right unit and order?")


@pytest.mark.parametrize("angles", [ANGLES, 2 * ANGLES, np.radians(111.246) * np.arange(VIEWS)])
def test_radians_without_a_unit_are_asked_about(tmp_path, angles):
    path = write(tmp_path / "a.h5", line_sums(46.3), ANGLES, theta=angles)
    said = error_of(load_file, path)
    assert said.startswith(f"{path}: its 24 views leave a gap of 1") and said.endswith(
        " are expected; if the angles are in radians, set their attribute 'units' to 'rad'")
    with h5py.File(path, "a") as stored:
        stored["exchange/theta"].attrs["units"] = "deg"
    assert "leave a gap of" in error_of(load_file, path)
    with h5py.File(path, "a") as stored:
        stored["exchange/theta"].attrs["units"] = "mrad"
    assert error_of(load_file, path) == (
        f"{path}: '/exchange/theta' is in 'mrad': degrees or radians are expected, 'deg' or 'rad'")


def test_a_golden_angle_scan_becomes_a_sinogram(tmp_path):
    angles = np.radians(111.24612 * np.arange(60))
    scan = load_file(write(tmp_path / "a.h5", line_sums(46.3, angles), angles))
    assert scan.sinogram.shape == (60, BINS) and np.ptp(scan.angles) < math.pi and (np.diff(scan.angles) > 0).all()
    assert scan.centre == pytest.approx(46.3, abs=0.02) and "views are from behind: mirrored" in scan.notes[0]
    expected = line_sums(46.3, scan.angles)
    assert np.corrcoef(scan.sinogram[:, 10:83].ravel(), expected[:, 10:83].ravel())[0, 1] > 0.999


def test_a_full_turn_and_a_duplicate_are_told(tmp_path):
    angles = np.radians(np.arange(0, 360, 7.5))
    scan = load_file(write(tmp_path / "a.h5", line_sums(46.3, angles), angles))
    assert scan.notes == ("24 of 48 views show the rays of others from behind: left out",)
    np.testing.assert_allclose(scan.sinogram, line_sums(46.3), atol=1e-5)
    again = np.insert(ANGLES, 7, ANGLES[7])
    scan = load_file(write(tmp_path / "a.h5", line_sums(46.3, again), again))
    assert scan.notes == ("25 views averaged to 24: taken more than once at 52.5 degrees",)
    np.testing.assert_allclose(scan.sinogram, line_sums(46.3), atol=1e-5)


@pytest.mark.parametrize("missing, fill", [("data_white", "ones"), ("data_dark", "zeros")])
def test_how_to_supply_an_open_beam_and_a_dark_field(tmp_path, missing, fill):
    transmission = dict(data=np.exp(-line_sums(46.3))[:, None])
    parts = dict(data_white=np.ones((1, 1, BINS)), data_dark=np.zeros((1, 1, BINS)))
    path = write(tmp_path / "a.h5", line_sums(46.3), ANGLES, **transmission, **parts, without=(missing,))
    assert error_of(load_file, path) == (
        f"{path}: is no complete Data Exchange file: it has no 'exchange/{missing}'; where 'data' is transmission I / "
        f"I_0 already, add {fill} of shape (1, rows, D)")
    with h5py.File(path, "a") as stored:
        stored[f"exchange/{missing}"] = parts[missing]
    np.testing.assert_allclose(load_file(path).sinogram, line_sums(46.3), atol=1e-6)


def write_nexus(path, keys=(1, 1, 0, 2, 3), entry="entry1/tomo_entry", sample=False, theta=None):
    """An NXtomo file whose frames of each key stand together, their keys in this order; frames of key 3 are invalid."""
    with h5py.File(write(path.with_suffix(".tmp"), line_sums(46.3), ANGLES), "r") as stored:
        frames = {0: stored["exchange/data"][()], 1: stored["exchange/data_white"][:1],
                  2: stored["exchange/data_dark"][:1], 3: np.full((1, 2, BINS), 7.0, np.float32)}
    key = np.concatenate([np.full(len(frames[kind]), kind) for kind in keys])
    angles = np.full(len(key), 5.0)
    angles[key == 0] = np.degrees(ANGLES)[:(key == 0).sum()]
    with h5py.File(path, "w") as file:
        group = file.create_group(entry)
        group["instrument/detector/image_key"] = key
        group["instrument/detector/data"] = np.concatenate([frames[kind] for kind in keys])
        angle = "sample/rotation_angle" if sample else "data/rotation_angle"
        group[angle] = angles if theta is None else theta
        if not sample:
            group["data/data"] = h5py.SoftLink(f"/{entry}/instrument/detector/data")
    return path


@pytest.mark.parametrize("entry, sample", [("entry1/tomo_entry", False), ("entry", True), ("entry", False)])
def test_nexus(tmp_path, entry, sample):
    scan = load_file(write_nexus(tmp_path / "a.h5", entry=entry, sample=sample))
    np.testing.assert_allclose(scan.sinogram, line_sums(46.3), atol=1e-5)
    np.testing.assert_allclose(scan.angles, ANGLES)
    assert scan.name == "a.h5[1]" and scan.centre == pytest.approx(46.3, abs=0.01)


@pytest.mark.parametrize("change, words", [
    (dict(keys=(0, 2)), "NXtomo without open beam: no image_key is 1; add frames of it, or where the views are "),
    (dict(keys=(0, 1)), "NXtomo without dark field: no image_key is 2; add frames of it, or where the views are "),
    (dict(keys=(1, 2), theta=np.zeros(2)), "NXtomo without a view: no image_key is 0"),
    (dict(theta=np.arange(5.0)), "NXtomo needs an angle and an image_key for each frame, got 28 frames, 5 angles and "),
])
def test_bad_nexus(tmp_path, change, words):
    path = write_nexus(tmp_path / "a.h5", **change)
    assert error_of(load_file, path).startswith(f"{path}: {words}")


def test_chunks_are_bounded_and_links_stay_inside(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as stored:
        stored.create_dataset("exchange/data", (64, 4, 500 * 500), np.float32, chunks=(64, 4, 500 * 500),
                              compression="gzip")
    assert error_of(load_file, path).startswith(f"{path}: too large: 64 x 4 x 250000 values")
    with h5py.File(path, "w") as stored:
        stored["exchange/data"] = h5py.ExternalLink("other.h5", "/data")
    assert error_of(load_file, path) == f"{path}: 'exchange/data' lies in another file: copy it into this one"


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
