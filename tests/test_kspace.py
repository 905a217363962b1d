"""K-space as people have it: order of axes, place of the zero frequency, masks, zero filling, fastMRI's layouts."""

import h5py
import numpy as np
import pytest
from checks import error_of

from aseqdip_lite import load_case
from aseqdip_lite.images import Image, KSpace
from aseqdip_lite.images.fastmri import header_facts
from aseqdip_lite.images.files import load_file
from aseqdip_lite.images.hdf5 import dataset, node
from aseqdip_lite.images.kspace import measured
from aseqdip_lite.images.phantoms import ellipse_image

COILS, H, W = 6, 64, 48


def dft(n, zero=True):
    """The orthonormal DFT as a matrix, by its definition; `zero`: index n // 2 is frequency, or place, zero."""
    middle = n // 2 if zero else 0
    k = np.arange(n) - middle
    return np.exp(-2j * np.pi * np.outer(k, k) / n) / np.sqrt(n)


def transformed(pictures, zero=True):
    return dft(pictures.shape[-2], zero) @ pictures @ dft(pictures.shape[-1], zero).T


def object_of(h, w):
    """A head-like phantom (h, w), off the middle."""
    ellipses = ((1.0, 0.7, 0.8, 0.05, -0.03, 0.0), (-0.5, 0.5, 0.6, 0.0, -0.02, 10.0), (0.6, 0.2, 0.15, 0.2, 0.2, 30.0))
    fine = ellipse_image(ellipses, 256)
    return fine[np.ix_(np.arange(h) * 256 // h, np.arange(w) * 256 // w)]


def pictures_of(h=H, w=W, coils=COILS):
    """Pictures (coils, h, w) of smooth complex coils that stand around the object."""
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    angles = 2 * np.pi * np.arange(coils)[:, None, None] / coils
    maps = np.exp(-((y - np.sin(angles)) ** 2 + (x - np.cos(angles)) ** 2) / 2 + 1j * (angles + x * np.cos(angles)))
    return object_of(h, w) * maps


def rss(kspace, shape=None):
    """The root sum of squares of the coil pictures, its central `shape` part."""
    inverse = [dft(n).conj().T for n in kspace.shape[-2:]]
    picture = np.sqrt((np.abs(inverse[0] @ kspace.astype(complex) @ inverse[1].T) ** 2).sum(axis=-3))
    shape = shape or picture.shape[-2:]
    top, left = ((n - m) // 2 for n, m in zip(picture.shape[-2:], shape, strict=True))
    return picture[..., top:top + shape[0], left:left + shape[1]].astype(np.float32)


def likeness(one, other):
    return np.corrcoef(np.ravel(one), np.ravel(other))[0, 1]


def save(folder, array, **others):
    path = folder / ("a.npz" if others else "a.npy")
    if others:
        np.savez(path, **others, kspace=array)
    else:
        np.save(path, array)
    return path


def write(folder, kspace, **others):
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        for name, value in dict(kspace=kspace, **others).items():
            file[name] = value
    return path


def header(encoded, recon, inside=""):
    sizes = "".join(f"<{kind}><matrixSize><x>{h}</x><y>{w}</y><z>1</z></matrixSize></{kind}>"
                    for kind, (h, w) in dict(encodedSpace=encoded, reconSpace=recon).items())
    return (f'<?xml version="1.0"?>{inside}<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>{sizes}'
            "</encoding></ismrmrdHeader>")


# Pictures and k-space in arrays without words.

@pytest.mark.parametrize("h, w", [(64, 48), (63, 47), (64, 47)])
def test_one_array_is_kspace_or_picture_by_where_its_energy_lies(tmp_path, h, w):
    picture = object_of(h, w) * np.exp(0.5j * np.linspace(-1, 1, w))
    scan = load_file(save(tmp_path, transformed(picture)))
    assert isinstance(scan, KSpace) and scan.kspace.shape == (1, h, w) and scan.mask is None
    np.testing.assert_allclose(scan.kspace[0], transformed(picture), rtol=1e-5, atol=1e-5)
    assert "taken as k-space of one coil; save a picture as 'image' of an .npz" in scan.notes[0]
    image = load_file(save(tmp_path, picture))
    assert isinstance(image, Image) and np.array_equal(image.array, picture.astype(np.complex64)) and not image.notes


def test_an_npz_says_what_its_array_is(tmp_path):
    kspace, pictures = transformed(pictures_of()), pictures_of()
    np.savez(tmp_path / "a.npz", image=kspace[0])
    assert isinstance(load_file(tmp_path / "a.npz"), Image)
    np.savez(tmp_path / "a.npz", kspace=pictures)
    np.testing.assert_allclose(load_file(tmp_path / "a.npz").kspace, pictures, rtol=1e-6)
    assert error_of(load_file, save(tmp_path, pictures)).startswith(
        f"{tmp_path / 'a.npy'}: looks like coil images: its Fourier transform, not the array itself, has its energy "
        "in one spot; save k-space")


def in_file(folder, kind, kspace):
    """K-space in each of the three ways in."""
    return {"npy": lambda: save(folder, kspace), "npz": lambda: save(folder, kspace, reference=np.ones((16, 16))),
            "h5": lambda: write(folder, np.stack([kspace, kspace]))}[kind]()


@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
@pytest.mark.parametrize("h, w", [(64, 48), (63, 47)])
@pytest.mark.parametrize("order", ["shifted back", "without any shift", "shifted once", "rows alone"])
def test_the_zero_frequency_is_moved_to_the_middle(tmp_path, kind, h, w, order):
    """Whichever of the shifts was left out, the picture lies as it does with all of them."""
    pictures = pictures_of(h, w)
    right = transformed(pictures)
    kspace = {"shifted back": lambda: np.fft.ifftshift(right, (1, 2)),
              "without any shift": lambda: transformed(pictures, zero=False),
              "shifted once": lambda: np.fft.fftshift(transformed(pictures, zero=False), (1, 2)),
              "rows alone": lambda: np.fft.ifftshift(right, 1)}[order]()
    scan = load_file(in_file(tmp_path, kind, kspace))
    np.testing.assert_allclose(scan.kspace, right, atol=1e-4 * np.abs(right).max())
    assert scan.mask is None
    text = " ".join(scan.notes)
    assert ("at index 0: moved to the middle by np.fft.fftshift" in text) == (order != "shifted once")
    assert ("without ifftshift: rolled back" in text) == (order in ("without any shift", "shifted once"))


def test_a_mask_moves_with_its_kspace(tmp_path):
    columns = (np.arange(W) % 3 == 0) | (abs(np.arange(W) - W // 2) < 6)
    right = transformed(pictures_of()) * columns
    corner = np.fft.ifftshift(right, (1, 2))
    for mask in (np.fft.ifftshift(columns), None):
        scan = load_file(save(tmp_path, corner, **({} if mask is None else dict(mask=mask))))
        assert np.array_equal(scan.mask, columns)
        np.testing.assert_allclose(scan.kspace, right, atol=1e-5)


@pytest.mark.parametrize("corner", [True, False])
@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize("points", [True, False])
def test_a_mask_that_was_moved_otherwise_than_its_kspace(tmp_path, corner, moved, zeros, points):
    """Zero frequencies in a corner and in the middle, in k-space with its zeros and in full k-space."""
    mask = np.random.default_rng(0).random((H, W)) < 0.3 if points else np.arange(W) % 3 == 0
    mask[(slice(H // 2 - 5, H // 2 + 5), slice(W // 2 - 5, W // 2 + 5))[-mask.ndim:]] = True
    right = transformed(pictures_of()) * (mask if zeros else 1)
    scan = load_file(save(tmp_path, np.fft.ifftshift(right, (1, 2)) if corner else right,
                          mask=np.fft.ifftshift(mask) if moved else mask))
    assert np.array_equal(scan.mask, mask)
    np.testing.assert_allclose(scan.kspace, right, atol=1e-5)
    said = [note for note in scan.notes if note.startswith("the zero frequency of the mask was")]
    assert len(said) == (corner != moved) and len(scan.notes) == len(said) + corner + (not zeros)


def hollow(h, w):
    """A thick shell (h, w) round a faint inside that nearly touches two of the edges, as a skull does."""
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    return 1.0 * ((y / 0.94) ** 2 + (x / 0.7) ** 2 < 1) - 0.9 * ((y / 0.86) ** 2 + (x / 0.6) ** 2 < 1)


@pytest.mark.parametrize("h, w", [(63, 64), (64, 64), (96, 81)])
@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("step", [1, 3])
def test_a_hollow_picture_lies_where_air_is_at_the_edges(tmp_path, h, w, across, step):
    columns = (np.arange(w) % step == 0) | (abs(np.arange(w) - w // 2) < 5)
    right = transformed(np.stack([hollow(h, w), 1j * hollow(h, w)])) * columns
    rolled = np.exp(2j * np.pi * np.add.outer((np.arange(h) - h // 2) * (h // 2) / h,
                                              (np.arange(w) - w // 2) * (w // 2) / w))
    scan = load_file(save(tmp_path, right / rolled if across else right))
    np.testing.assert_allclose(scan.kspace, right, atol=1e-4 * np.abs(right).max())
    assert ["rolled back" in note for note in scan.notes] == [True] * across


@pytest.mark.parametrize("seed", range(3))
def test_a_picture_without_air_stays_as_it_is_with_a_note(tmp_path, seed):
    picture = np.random.default_rng(seed).random((H, W)) + 3 + np.cos(np.linspace(0, 2 * np.pi, W))  # darker inside
    kspace = transformed(picture[None].astype(complex)).astype(np.complex64)
    scan = load_file(save(tmp_path, kspace))
    assert np.array_equal(scan.kspace, kspace)
    assert scan.notes == ("no air round the object tells whether the picture lies in the middle: if it shows rolled by "
                          "half, save fftshift(fft2(ifftshift(a)))",)


@pytest.mark.parametrize("offset", [(0, 0), (3, -4), (-5, 2)])
def test_a_peak_off_the_middle_stays(tmp_path, offset):
    """An echo that comes early or late moves the peak by a few samples; nothing is put right."""
    kspace = np.roll(transformed(pictures_of()), offset, (1, 2)).astype(np.complex64)
    scan = load_file(save(tmp_path, kspace))
    assert np.array_equal(scan.kspace, kspace) and scan.notes == ()


@pytest.mark.parametrize("kind", ["npy", "npz", "h5"])
@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("coils", [2, 6, 20])
def test_coils_that_are_not_first(tmp_path, kind, axis, coils):
    right = transformed(pictures_of(coils=coils))
    kspace = np.moveaxis(right, 0, axis)
    scan = load_file(in_file(tmp_path, kind, kspace))
    np.testing.assert_allclose(scan.kspace, right, rtol=1e-5, atol=1e-6)
    assert scan.notes[0] == (f"shape {kspace.shape} is read with the coils on axis {axis}, the one without a peak: put "
                             "them first by np.moveaxis")


def test_a_guess_is_named_where_it_led_nowhere(tmp_path):
    path = save(tmp_path, np.moveaxis(transformed(pictures_of()), 0, 2))
    message = error_of(load_case, "mri", str(path), acceleration=8)
    assert message.startswith("ESPIRiT needs a fully sampled centre of at least 6 lines, got 2: use a lower")
    assert message.endswith("; note that " + load_file(path).notes[0])


def test_a_scan_without_calibration_lines_names_a_way_that_leads_on(tmp_path):
    mask = np.arange(W) % 2 == 0
    path = save(tmp_path, transformed(pictures_of()) * mask, mask=mask)
    assert error_of(load_case, "mri", str(path)) == (
        "ESPIRiT needs a fully sampled centre of at least 6 lines, got 1: save its calibration lines in k-space and "
        "mask, or one coil alone, kspace[:1], which needs no maps")
    assert load_case("mri", str(save(tmp_path, transformed(pictures_of())[:1] * mask, mask=mask))).observation
    mask |= abs(np.arange(W) - W // 2) < 5
    assert load_case("mri", str(save(tmp_path, transformed(pictures_of()) * mask, mask=mask))).observation


def test_a_partial_scan_without_its_zeros_is_named(tmp_path):
    scan = load_file(save(tmp_path, transformed(pictures_of())[..., 16:]))
    assert scan.notes == ("its energy lies at index 8 of 32 columns, but the zero frequency is taken to be at 16: fill "
                          "a partial scan up with zeros (np.pad) until it is there",)


@pytest.mark.parametrize("array, words", [
    (np.ones((3, H, W, 2)), "an image must have shape (H, W) or (H, W, 3), got (3, 64, 48, 2): if its last axis holds "
     "real and imaginary parts, save a[..., 0] + 1j * a[..., 1]"),
    (np.ones((2, 3, H, W), complex), "k-space must be complex of shape (coils, H, W), got complex128 of shape (2, 3, "
     "64, 48): of (slices, coils, H, W) save one slice, a[index], or 'kspace' of an .h5 file"),
])
def test_other_arrays_are_named(tmp_path, array, words):
    assert error_of(load_file, save(tmp_path, array)) == f"{tmp_path / 'a.npy'}: {words}"


# What was measured.

def bands(rows=slice(None), columns=slice(None)):
    support = np.zeros((H, W), bool)
    support[rows, columns] = True
    return support


ELLIPSE = ((np.arange(H)[:, None] - H // 2) / 28) ** 2 + ((np.arange(W) - W // 2) / 20) ** 2 <= 1


@pytest.mark.parametrize("support, notes", [
    (bands(columns=slice(4, 44)), ("zero-filled from 40 to 48 columns",)),
    (bands(columns=slice(4, 45)), ("zero-filled from 41 to 48 columns",)),
    (bands(columns=slice(6, 45)), ("zero-filled from 39 to 48 columns",)),
    (bands(columns=slice(18, 48)), ("partial Fourier: 30 of 48 columns",)),
    (bands(columns=slice(0, 30)), ("partial Fourier: 30 of 48 columns",)),
    (bands(columns=slice(8, 30)), ("partial Fourier: 22 of 33 columns", "zero-filled from 33 to 48 columns")),
    (bands(rows=slice(20, 64)), ("partial Fourier: 44 of 64 rows",)),
    (bands(slice(8, 56), slice(4, 44)), ("zero-filled from 48 to 64 rows", "zero-filled from 40 to 48 columns")),
    (ELLIPSE, ("zero-filled from 57 to 64 rows", "zero-filled from 41 to 48 columns")),
])
@pytest.mark.parametrize("pattern", ["random", "equispaced", "variable-density"])
def test_a_mask_is_drawn_inside_of_what_was_measured(tmp_path, support, notes, pattern):
    """The acceleration counts what was measured; the calibration centre lies around the zero frequency."""
    kspace = transformed(pictures_of(coils=1)).astype(np.complex64) * support
    for mask in (None, np.ones(W), support):
        path = save(tmp_path, kspace, **({} if mask is None else dict(mask=mask)))
        scan = load_file(path)
        assert scan.mask is None and np.array_equal(scan.support, support) and scan.notes == notes
    case = load_case("mri", str(path), acceleration=2, pattern=pattern)
    drawn = case.observation.A.mask.expand(H, W).numpy().astype(bool)
    assert not (drawn & ~support).any()
    assert drawn[H // 2 - 2:H // 2 + 2, W // 2 - 2:W // 2 + 2].all()
    if pattern == "variable-density":
        assert drawn.sum() == round(support.sum() / 2)
    else:
        assert abs(drawn.any(axis=0).sum() - round(support.any(axis=0).sum() / 2)) <= (pattern == "equispaced")
    assert case.settings["sampled"] == pytest.approx(drawn.mean())
    y = case.observation.y[0].numpy()
    assert ((y != 0).any(axis=0) == drawn).all(), "what is measured is not zero, and nothing else is measured"
    assert set(notes) < set(case.notes)


def test_the_same_columns_are_drawn_of_a_scan_without_zero_filling(tmp_path):
    """The mask of the measured columns is that of a scan of so many columns, its centre at the zero frequency."""
    kspace = transformed(pictures_of())
    whole = load_case("mri", str(save(tmp_path, kspace[..., 4:44])), acceleration=2).observation.A.mask
    filled = load_case("mri", str(save(tmp_path, kspace * bands(columns=slice(4, 44)))), acceleration=2)
    assert np.array_equal(filled.observation.A.mask[4:44], whole)


def test_a_hole_or_a_missing_centre_is_undersampling():
    kspace = transformed(pictures_of())
    for columns in (np.arange(W) != 7, np.arange(W) > W // 2, np.arange(W) < W // 2):
        mask, support, notes = measured(kspace * columns)
        assert np.array_equal(mask, columns) and support is None and notes == ()


@pytest.mark.parametrize("wrong, note", [
    (slice(2, 5), "the mask counts 3 columns as measured where k-space is zero: left out of it"), (slice(0, 0), None)])
def test_a_mask_that_contradicts_the_zeros(tmp_path, wrong, note):
    columns = (np.arange(W) % 2 == 0) | (abs(np.arange(W) - W // 2) < 6)
    given = columns.copy()
    given[wrong] = True
    scan = load_file(save(tmp_path, transformed(pictures_of()) * (columns & (np.arange(W) != 2)), mask=given))
    assert np.array_equal(scan.mask, columns & (np.arange(W) != 2))
    expected = note.replace("3", "2") if note else (
        "the mask counts 1 columns as measured where k-space is zero: left out of it")
    assert scan.notes == (expected,)
    scan = load_file(save(tmp_path, transformed(pictures_of()), mask=columns))
    assert np.array_equal(scan.mask, columns)
    assert scan.notes == (f"the mask leaves out {(~columns).sum()} columns that k-space holds",)


# fastMRI.

def test_a_mask_of_ones_is_no_mask(tmp_path):
    kspace = np.stack([transformed(pictures_of())] * 3).astype(np.complex64)
    case = load_case("mri", str(write(tmp_path, kspace, mask=np.ones(W, np.float32))), acceleration=2)
    assert int(case.observation.A.mask.sum()) == W // 2 and case.settings["acceleration"] == 2


@pytest.mark.parametrize("form", ["(W,)", "(1, W, 1)", "(slices, W)", "(H, W)", "(slices, H, W)"])
def test_masks_of_all_forms(tmp_path, form):
    rng, kspace = np.random.default_rng(0), np.stack([transformed(pictures_of())] * 3)
    columns = rng.random((3, W)) < 0.4
    columns[:, W // 2] = True
    points = rng.random((3, H, W)) < 0.4
    masks = {"(W,)": columns[1], "(1, W, 1)": columns[1][None, :, None], "(slices, W)": columns, "(H, W)": points[1],
             "(slices, H, W)": points}
    scan = load_file(write(tmp_path, kspace, mask=masks[form]))
    assert np.array_equal(scan.mask, points[1] if "H" in form else columns[1])


def test_a_scan_without_reconstruction_is_cropped_to_the_header(tmp_path):
    """Of a full scan the picture; of an undersampled one the rows, which are complete, and what is shown of columns."""
    kspace = transformed(pictures_of())[None]
    words = header((H, W), (32, 40))
    full = load_file(write(tmp_path, kspace, ismrmrd_header=words))
    assert full.mask is None and full.kspace.shape == (COILS, 32, 40)
    np.testing.assert_allclose(rss(full.kspace), rss(kspace[0], (32, 40)), rtol=1e-4, atol=1e-5)
    columns = (np.arange(W) % 2 == 0) | (abs(np.arange(W) - W // 2) < 6)
    path = write(tmp_path, kspace * columns, ismrmrd_header=words, mask=columns)
    scan = load_file(path)
    assert np.array_equal(scan.mask, columns) and scan.crop == (32, 40) and scan.kspace.shape == (COILS, 32, W)
    np.testing.assert_allclose(rss(scan.kspace), rss(kspace[0] * columns, (32, W)), rtol=1e-4, atol=1e-5)
    assert (scan.kspace[..., ~columns] == 0).all()
    case = load_case("mri", str(path))
    assert case.display(case.observation.start).shape == (32, 40) and case.truth is None


@pytest.mark.parametrize("words, shape", [
    (header((64, 48), (32, 40)), (32, 40)), (header((64, 48), (32, 40)).replace(' xmlns="http://www.ismrm.org/ISMRMRD"',
                                                                              ""), (32, 40)),
    ("<ismrmrdHeader/>", None)])
def test_the_header_is_read_by_its_schema(tmp_path, words, shape):
    for value in (words, words.encode(), np.array([words.encode()])):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["ismrmrd_header"] = value
            assert header_facts(file["ismrmrd_header"]) == (shape, None, None)


@pytest.mark.parametrize("words, fault", [
    ("<ismrmrdHeader", "is not an ISMRMRD header in XML"), ("", "is not an ISMRMRD header in XML"),
    (header((64, 48), ("many", 40)), "is not an ISMRMRD header in XML"),
    (header((64, 48), (-3, 40)), "asks for a picture of -3 x 40"),
    (header((64, 48), (32, 40), '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]>'), "or defines entities"),
    ("<a>" + "x" * 2**20 + "</a>", "is too large or defines entities"),
])
def test_bad_headers(tmp_path, words, fault):
    path = write(tmp_path, transformed(pictures_of())[None], ismrmrd_header=words)
    message = error_of(load_file, path)
    assert fault in message and message.endswith("delete it from the file")


@pytest.mark.parametrize("undersampled", [False, True])
def test_a_reference_larger_than_kspace_made_by_zero_filling(tmp_path, undersampled):
    columns = (np.arange(30) % 2 == 0) | (abs(np.arange(30) - 15) < 8)
    narrow = transformed(pictures_of())[..., 9:39]
    filled = np.pad(narrow, ((0, 0), (0, 0), (9, 9)))
    reference = rss(filled, (40, W))
    scan = load_file(write(tmp_path, (narrow * columns if undersampled else narrow)[None],
                           reconstruction_rss=reference[None]))
    assert np.array_equal(scan.reference, reference)
    if undersampled:
        assert np.array_equal(scan.mask, np.pad(columns, 9))
    else:
        assert scan.mask is None and scan.kspace.shape == (COILS, 40, W)
        assert "zero-filled from 30 to 48" in scan.notes[0]
        np.testing.assert_allclose(rss(scan.kspace), reference, atol=1e-4)


def test_a_reference_larger_than_kspace_of_a_wider_picture(tmp_path):
    """The scanner padded the picture: compared on the common centre."""
    kspace = transformed(pictures_of())
    reference = np.pad(rss(kspace, (40, W)), ((0, 0), (10, 10)))
    scan = load_file(write(tmp_path, kspace[None], reconstruction_rss=reference[None]))
    assert scan.reference.shape == (40, W) and likeness(rss(scan.kspace), scan.reference) > 0.9999
    assert scan.notes[0].endswith("68, is larger than k-space: compared on the common centre, 40 x 48")


def test_a_reference_larger_than_kspace_of_something_else(tmp_path):
    other = np.random.default_rng(0).random((1, 40, 70)).astype(np.float32)
    message = error_of(load_file, write(tmp_path, transformed(pictures_of())[None], reconstruction_rss=other))
    assert message.endswith("delete the reconstruction from the file to do without")


@pytest.mark.parametrize("factor", [1e-6, 2.0, 1.0])
def test_the_reference_of_a_full_scan_gets_the_unit_of_its_kspace(tmp_path, factor):
    kspace = transformed(pictures_of())
    scan = load_file(write(tmp_path, kspace[None], reconstruction_rss=factor * rss(kspace, (40, 40))[None]))
    np.testing.assert_allclose(scan.reference, rss(kspace, (40, 40)), rtol=1e-4)
    assert any(f"times {1 / factor:.3g}" in note for note in scan.notes) == (factor != 1)
    unlike = np.random.default_rng(0).random((1, 40, 40))
    scan = load_file(write(tmp_path, kspace[None], reconstruction_rss=unlike))
    assert "does not look like the picture of its k-space" in scan.notes[-1]
    np.testing.assert_array_equal(scan.reference, unlike[0].astype(np.float32))


TURNED = {"flipped up-down": np.flipud, "flipped left-right": np.fliplr,
          "turned by 180 degrees": lambda a: np.rot90(a, 2), "transposed": np.transpose,
          "turned by 90 degrees": np.rot90, "turned by -90 degrees": lambda a: np.rot90(a, -1),
          "transposed along the other diagonal": lambda a: np.rot90(a, 2).T}


@pytest.mark.parametrize("words", TURNED)
@pytest.mark.parametrize("size", [(H, W), (40, 44), (H + 8, W + 4)])
@pytest.mark.parametrize("kind", ["h5", "npz"])
def test_a_reference_that_lies_otherwise_than_its_kspace_is_turned_back(tmp_path, words, size, kind):
    """Cropped, and of k-space that the scanner filled up with zeros, too."""
    kspace = transformed(pictures_of(64, 64)).astype(np.complex64)
    kspace += 1e-3 * np.abs(kspace).max() * np.random.default_rng(0).normal(size=kspace.shape)
    filled = np.pad(kspace, ((0, 0), *(((n - 64 + 1) // 2 if n > 64 else 0,) * 2 for n in size)))
    reference = rss(filled, size)
    turned = TURNED[words](reference)
    if kind == "npz" and max(size) > 64:
        assert "larger than the k-space" in error_of(load_file, save(tmp_path, kspace, reference=turned))
        return
    scan, right = (load_file(write(tmp_path, kspace[None], reconstruction_rss=one[None]) if kind == "h5" else
                             save(tmp_path, kspace, reference=one)) for one in (turned, reference))
    np.testing.assert_allclose(scan.reference, reference, rtol=0.02)
    assert [note for note in scan.notes if "turned back" in note] == [
        f"the reference is {words} relative to the picture of its k-space: turned back; to do without, delete it from "
        "the file"]
    assert np.array_equal(right.reference, scan.reference) and not any("turned back" in note for note in right.notes)


def test_a_symmetric_object_and_a_reference_of_something_else_stay(tmp_path):
    y, x = np.meshgrid(np.linspace(-1, 1, 64), np.linspace(-1, 1, 64), indexing="ij")
    kspace = transformed(1.0 * (y**2 + x**2 < 0.5)[None] + 0j)
    for reference in (rss(kspace), np.random.default_rng(0).random((64, 64)).astype(np.float32)):
        scan = load_file(save(tmp_path, kspace, reference=reference))
        assert np.array_equal(scan.reference, reference) and scan.notes == ()


def test_the_reference_of_an_undersampled_scan_is_turned_only_if_it_is_turned(tmp_path):
    columns = (np.arange(W) % 3 == 0) | (abs(np.arange(W) - W // 2) < 6)
    kspace = transformed(pictures_of())
    for reference, turned in ((rss(kspace), False), (rss(kspace)[::-1], True)):
        scan = load_file(save(tmp_path, kspace * columns, reference=reference))
        assert np.array_equal(scan.reference, rss(kspace)) and any("up-down" in note for note in scan.notes) == turned


@pytest.mark.parametrize("shape", [(48, 1), (1, 48, 1), (48,)])
@pytest.mark.parametrize("zeros", [True, False])
def test_a_line_of_a_square_mask_is_of_rows_or_columns_as_zeros_or_its_shape_say(tmp_path, shape, zeros):
    rows = np.random.default_rng(0).random(W) < 0.5
    rows[W // 2] = True
    kspace = transformed(pictures_of(W, W)).astype(np.complex64)
    for axis, sampled in enumerate((rows[:, None], rows)):
        scan = load_file(write(tmp_path, (kspace * sampled if zeros else kspace)[None], mask=rows.reshape(shape)))
        of_rows = axis == 0 if zeros else shape == (48, 1)
        assert np.array_equal(scan.mask, np.broadcast_to(rows[:, None], (W, W)) if of_rows else rows)
        told = [note for note in scan.notes if "is read as one of" in note]
        assert bool(told) == (of_rows or (not zeros and shape == (1, 48, 1)))
    assert np.array_equal(load_file(save(tmp_path, kspace[:, :, :40], mask=rows[:, None])).mask[:, 7], rows)


def test_each_slice_may_have_its_mask_of_rows(tmp_path):
    rows = np.random.default_rng(0).random((3, W)) < 0.5
    rows[:, W // 2] = True
    kspace = np.stack([transformed(pictures_of(W, W))] * 3)
    scan = load_file(write(tmp_path, kspace * rows[:, None, :, None], mask=rows[..., None]), 2)
    assert np.array_equal(scan.mask, np.broadcast_to(rows[2][:, None], (W, W)))


def test_masks_that_measure_nothing_name_the_way_out(tmp_path):
    kspace = transformed(pictures_of())
    kspace[:, :, ::2] = 0
    mask = np.arange(W) % 2 == 0
    assert error_of(load_file, save(tmp_path, kspace, mask=mask)).endswith(": save 1 - mask")
    assert error_of(load_file, save(tmp_path, kspace, mask=0.5 * ~mask)).endswith(
        "only zeros and ones: save mask > 0 if all above 0 was measured")


@pytest.mark.parametrize("zero", [True, False])
@pytest.mark.parametrize("shape", [(64, 64), (65, 48)])
def test_the_magnitude_of_kspace_is_no_picture(tmp_path, shape, zero):
    kspace = np.abs(transformed(object_of(*shape), zero))
    if zero or shape == (64, 64):
        for array in (kspace / kspace.max(), np.log1p(1e3 * kspace / kspace.max())):
            assert "the magnitude of k-space" in load_file(save(tmp_path, array)).notes[0]
    assert load_file(save(tmp_path, object_of(*shape))).notes == ()


def test_single_coil(tmp_path):
    """`reconstruction_esc` is that of one coil; the other may be of all coils. The map of one coil is 1."""
    kspace = np.stack([transformed(scale * pictures_of(coils=1))[0] for scale in (1, 2, 3)])
    esc = np.stack([rss(one[None], (40, 40)) for one in kspace])
    path = write(tmp_path, kspace, reconstruction_esc=esc, reconstruction_rss=5 * esc)
    scan = load_file(path, 2)
    assert scan.kspace.shape == (1, 40, 40) and np.array_equal(scan.reference, esc[2])
    case = load_case("mri", str(path), acceleration=1, slice_index=2)
    np.testing.assert_allclose(case.display(case.observation.start), esc[2], rtol=1e-3, atol=1e-4)
    assert "measured k-space, one coil" in case.notes and load_case("mri", str(path), acceleration=4)
    assert "slices of one coil" in load_file(write(tmp_path, kspace)).notes[0]


@pytest.mark.parametrize("kspace, words", [
    (np.ones((3, 2, 4, H, W), np.complex64), "got complex64 of shape (3, 2, 4, 64, 48): save one of its averages"),
    (np.ones((2, 4, H, W, 2), np.float32), "got float32 of shape (2, 4, 64, 48, 2): if its last axis holds real and"),
    (np.ones((1, 2, 4, H, W), np.float32), "got float32 of shape (1, 2, 4, 64, 48): if its axis 1 holds real and "
     "imaginary parts, save a[:, 0] + 1j * a[:, 1]"),
    (np.ones((3, 4, 5, 30, 20), np.float32), "got float32 of shape (3, 4, 5, 30, 20): radial k-space must be gridded"),
])
def test_other_layouts_are_named(tmp_path, kspace, words):
    assert words in error_of(load_file, write(tmp_path, kspace))


# Coils before slices.

def volume_of(slices, coils, noise=0.0, alike=False):
    """K-space (slices, coils, H, W) of objects that differ from slice to slice, or are `alike`, as averages are."""
    rng = np.random.default_rng(0)
    y, x = np.meshgrid(np.linspace(-1, 1, H), np.linspace(-1, 1, W), indexing="ij")
    pictures = np.stack([pictures_of(coils=coils) * (1 if alike else (
        (1 + 0.8 * np.sin(9 * y + k) * np.cos(8 * x - 2 * k)) * np.exp(1j * (k * x + np.sin(k) * y))))
        for k in range(slices)])
    kspace = transformed(pictures)
    return (kspace + noise * np.abs(kspace).max() * rng.normal(size=(*kspace.shape, 2)) @ [1, 1j]).astype(np.complex64)


OUT = "save one slice as 'kspace' (coils, H, W) of an .npz"


@pytest.mark.parametrize("slices, coils", [(5, 8), (8, 5), (4, 4), (2, 16), (12, 2), (1, 8), (6, 1)])
@pytest.mark.parametrize("noise, columns", [(0, 1), (1e-3, 1), (0, 4)])
def test_the_axis_of_coils_is_told_by_smooth_factors(tmp_path, slices, coils, noise, columns):
    kspace = volume_of(slices, coils, noise) * ((np.arange(W) % columns == 0) | (abs(np.arange(W) - W // 2) < 6))
    usual, index = load_file(write(tmp_path, kspace)), slices // 2
    assert np.array_equal(usual.kspace, kspace[index]) and usual.notes == ()
    if coils > 1:
        turned = load_file(write(tmp_path, kspace.swapaxes(0, 1)))
        if slices == 1 and columns > 1:  # aliases of one slice, and no other to compare with
            assert OUT in turned.notes[0]
            return
        assert np.array_equal(turned.kspace, kspace[index]) and turned.name == f"a.h5[{index}]"
        assert turned.notes[0].startswith("'kspace' is read as (coils, slices, H, W)") and OUT in turned.notes[0]
        last = load_file(write(tmp_path, kspace.swapaxes(0, 1)), slices - 1)
        assert np.array_equal(last.kspace, kspace[-1])
        assert f"slices 0 to {slices - 1}" in error_of(load_file, tmp_path / "a.h5", slices)


@pytest.mark.parametrize("noise", [0, 1e-3, 1e-2])
def test_averages_are_no_coils(tmp_path, noise):
    kspace = volume_of(6, 5, alike=True)
    kspace += noise * np.abs(kspace).max() * np.random.default_rng(1).normal(size=kspace.shape)
    assert np.array_equal(load_file(write(tmp_path, kspace)).kspace, kspace[3])


def test_what_cannot_be_told_is_read_in_fastmris_order_with_a_note(tmp_path):
    noise = volume_of(5, 4, 0.05)
    scan = load_file(write(tmp_path, noise))
    assert np.array_equal(scan.kspace, noise[2]) and "is read as (slices, coils, H, W)" in scan.notes[0]
    assert OUT in scan.notes[0]


def test_the_numbers_in_the_file_tell_the_axis_of_coils(tmp_path):
    """Also of what would be read otherwise; where the numbers are equal they tell nothing."""
    noise = volume_of(5, 4, 0.05)
    references = rss(noise)
    words = header((H, W), (H, W)).replace("<encoding>", "<acquisitionSystemInformation><receiverChannels>4"
                                           "</receiverChannels></acquisitionSystemInformation><encoding>")
    limits = header((H, W), (H, W)).replace("</encoding>", "<encodingLimits><slice><minimum>0</minimum><maximum>4"
                                            "</maximum></slice></encodingLimits></encoding>")
    for facts in (dict(reconstruction_rss=references), dict(ismrmrd_header=words), dict(ismrmrd_header=limits)):
        usual, turned = (load_file(write(tmp_path, array, **facts)) for array in (noise, noise.swapaxes(0, 1)))
        assert np.array_equal(usual.kspace, noise[2]) and np.array_equal(turned.kspace, noise[2])
        assert "is read as" not in " ".join(usual.notes)
        assert turned.notes[0].startswith("'kspace' is read as (coils, slices, H, W): the file says that it has")
    turned = volume_of(5, 4).swapaxes(0, 1)
    assert np.array_equal(load_file(write(tmp_path, turned, reconstruction_rss=rss(volume_of(4, 5)))).kspace, turned[2])
    assert "must have shape" in error_of(load_file, write(tmp_path, turned, reconstruction_rss=rss(volume_of(3, 1))))


def test_three_axes_are_coils_or_slices(tmp_path):
    coils, slices = volume_of(1, 6)[0], volume_of(6, 1)[:, 0]
    scan = load_file(write(tmp_path, coils))
    assert np.array_equal(scan.kspace, coils) and scan.notes[0].startswith("'kspace' is read as (coils, H, W)")
    scan = load_file(write(tmp_path, coils, reconstruction_rss=rss(coils)[None]))
    assert np.array_equal(scan.kspace, coils) and "says that it has 1 slices" in scan.notes[0]
    scan = load_file(write(tmp_path, slices), 4)
    assert np.array_equal(scan.kspace, slices[4:5]) and scan.notes[0].endswith("with several coils save kspace[None]")


# HDF5.

def test_nothing_outside_of_the_file_is_opened(tmp_path):
    kspace = transformed(pictures_of())[None].astype(np.complex64)
    write(tmp_path, kspace).rename(tmp_path / "other.h5")
    path, message = tmp_path / "a.h5", f"{tmp_path / 'a.h5'}: "
    with h5py.File(path, "w") as file:
        file["kspace"] = h5py.ExternalLink("other.h5", "/kspace")
    assert error_of(load_file, path) == message + "'kspace' lies in another file: copy it into this one"
    with h5py.File(path, "w") as file:
        file["far"], file["kspace"] = h5py.ExternalLink("other.h5", "/"), h5py.SoftLink("/far/kspace")
    assert error_of(load_file, path) == message + "'/far/kspace' lies in another file: copy it into this one"
    layout = h5py.VirtualLayout(kspace.shape, np.complex64)
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "kspace", kspace.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("kspace", layout)
    assert error_of(load_file, path).startswith(message + "the numbers of 'kspace' lie in other files: copy them")
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", kspace.shape, np.complex64, external=[(str(tmp_path / "raw"), 0, kspace.nbytes)])
    (tmp_path / "raw").write_bytes(kspace.tobytes())
    assert error_of(load_file, path).startswith(message + "the numbers of 'kspace' lie in other files: copy them")


def test_soft_links_inside_of_the_file_are_followed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/numbers"] = np.arange(3)
        file["deep/link"], file["soft"] = h5py.SoftLink("numbers"), h5py.SoftLink("/deep/link")
        file["round"], file["lost"] = h5py.SoftLink("/round"), h5py.SoftLink("/nowhere")
        assert dataset(file, "soft")[()].tolist() == dataset(file["deep"], "./link")[()].tolist() == [0, 1, 2]
        assert node(file, "round") is node(file, "lost") is node(file, "deep/numbers/none") is None


def write_packed(path, name, array, code=32001):
    """A dataset packed by a filter that is not here."""
    with h5py.File(path, "a") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk(array.shape)
        plist.set_filter(code, h5py.h5z.FLAG_OPTIONAL)
        group = file.require_group(name.rpartition("/")[0] or "/")
        found = h5py.h5d.create(group.id, name.rpartition("/")[2].encode(), h5py.h5t.py_create(array.dtype),
                                h5py.h5s.create_simple(array.shape), plist)
        found.write_direct_chunk((0,) * array.ndim, array.tobytes())
    return path


@pytest.mark.parametrize("name, array", [("kspace", np.ones((1, 2, 20, 20), np.complex64)),
                                         ("exchange/data", np.ones((4, 2, 20), np.float32))])
def test_a_missing_filter_is_named(tmp_path, monkeypatch, name, array):
    monkeypatch.setitem(__import__("sys").modules, "hdf5plugin", None)
    path = write_packed(tmp_path / "a.h5", name, array, 32999)
    assert error_of(load_file, path) == (f"{path}: '{name}' is packed by the HDF5 filter 32999, which is missing: pip "
                                         "install hdf5plugin, or unpack the file with h5repack -f NONE")


def test_matlab_and_ismrmrd_are_named(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["kspace"] = np.ones((20, 20))
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    assert error_of(load_file, path).startswith(f"{path}: is a MATLAB v7.3 file: read its array with h5py")
    with h5py.File(path, "w") as file:
        file["dataset/xml"], file["dataset/data"] = "<ismrmrdHeader/>", np.ones(5)
    assert error_of(load_file, path).startswith(f"{path}: is an ISMRMRD raw file, a list of readouts: sort them into")
