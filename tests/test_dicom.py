"""DICOM: units, padding, order of slices, sizes, and what is wrong with a file said in one line."""

import numpy as np
import pydicom
import pytest
from checks import error_of
from dicom_files import stored_values, write
from pydicom.uid import generate_uid

from aseqdip_lite import InputError
from aseqdip_lite.images import Image, headers, load_image, series
from aseqdip_lite.images.dicom import attenuation, load_dicom
from aseqdip_lite.images.files import load_file
from aseqdip_lite.images.types import MOST_VALUES
from aseqdip_lite.tasks.ct import CT


def fault(path, slice_index=None):
    """The error's text without the path that it begins with."""
    text = error_of(load_file, path, slice_index)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_hounsfield_units_become_attenuation_relative_to_water():
    np.testing.assert_allclose(attenuation([-1000, 0, 1000, -500]), [0, 1, 2, 0.5])
    np.testing.assert_array_equal(attenuation([-1024, -2000, -3024]), 0)
    assert attenuation(np.array([1], dtype=np.int16)).dtype == np.float32


def test_slope_and_intercept_are_applied(tmp_path):
    stored = stored_values()
    image = load_file(write(tmp_path / "a.dcm", stored, RescaleSlope="0.5", RescaleIntercept="-900"))
    assert image.name == "a.dcm" and not image.shipped
    np.testing.assert_allclose(image.array, np.maximum(1 + (0.5 * stored - 900) / 1000, 0), atol=1e-6)


def test_pixel_spacing_is_kept(tmp_path):
    stored = stored_values()
    assert load_file(write(tmp_path / "none.dcm", stored)).spacing_mm is None
    assert load_file(write(tmp_path / "a.dcm", stored, PixelSpacing=["0.8125", "0.8125"])).spacing_mm == 0.8125
    (tmp_path / "series").mkdir()
    write(tmp_path / "series" / "a.dcm", stored, PixelSpacing=["0.8125", "0.8125"])
    assert load_file(tmp_path / "series", 0).spacing_mm == 0.8125
    write(tmp_path / "flat.dcm", stored, PixelSpacing=["0.5", "0.75"])
    assert fault(tmp_path / "flat.dcm") == "its pixels of 0.5 x 0.75 mm are not square: resample it first"
    write(tmp_path / "zero.dcm", stored, PixelSpacing=["0", "0"])
    assert fault(tmp_path / "zero.dcm").startswith("the pixel spacing must be one or two positive numbers of mm, ")


@pytest.mark.parametrize("padding, tags", [
    (-2000, {}), (-2000, dict(PixelPaddingValue=-2000)), (30000, dict(PixelPaddingValue=30000)),
    (29000, dict(PixelPaddingValue=30000, PixelPaddingRangeLimit=28000))])
def test_padding_outside_of_the_disc_is_air(tmp_path, padding, tags):
    stored = stored_values(32, 32)
    axis = np.arange(32) - 15.5
    outside = axis[:, None] ** 2 + axis[None, :] ** 2 > 15**2
    stored[outside] = padding
    image = load_file(write(tmp_path / "a.dcm", stored, **tags))
    assert (image.array[outside] == 0).all()
    assert image.array.max() == pytest.approx((stored[~outside].max() - 24) / 1000)
    assert CT(views=6).observe(image).truth.max() < 3


def test_middle_frame_or_the_one_asked_for(tmp_path):
    frames = np.stack([stored_values(seed=seed) for seed in range(4)])
    path = write(tmp_path / "frames.dcm", frames)
    np.testing.assert_allclose(load_file(path).array, attenuation(frames[2] - 1024.0))
    np.testing.assert_allclose(load_file(path, 0).array, attenuation(frames[0] - 1024.0))
    assert fault(path, 4) == "slice 4 does not exist: there are slices 0 to 3"
    assert fault(path, -1) == "slice -1 does not exist: there are slices 0 to 3"


@pytest.mark.parametrize("by_position", [True, False])
def test_slices_of_a_folder_are_sorted_along_the_axis(tmp_path, by_position):
    folder = tmp_path / "series"
    folder.mkdir()
    places = (30.0, -10.0, 12.5, 0.0, 5.0)
    for number, place in enumerate(places):
        tags = dict(ImagePositionPatient=[1, 2, place], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                    InstanceNumber=len(places) - number) if by_position else dict(InstanceNumber=int(10 * place) + 200)
        write(folder / f"file{number}", stored_values(seed=number), **tags)
    (folder / "notes.txt").write_text("no DICOM file, passed over")
    (folder / "deeper").mkdir()
    write(folder / "scout", stored_values(), Modality="OT", SeriesInstanceUID=generate_uid())
    order = np.argsort(places)
    for index in range(5):
        image = load_image(str(folder), index)
        assert image.name == f"series[{index}]"
        np.testing.assert_allclose(image.array, attenuation(stored_values(seed=order[index]) - 1024.0))
    assert load_image(str(folder)).name == "series[2]"
    assert fault(folder, 5) == "slice 5 does not exist: there are slices 0 to 4"


def test_faults_of_a_folder(tmp_path):
    assert fault(tmp_path) == "holds no CT slice in DICOM format"
    (tmp_path / "deeper").mkdir()
    assert fault(tmp_path) == "holds no CT slice in DICOM format: name the subfolder of the slices"
    write(tmp_path / "a.dcm", stored_values())
    write(tmp_path / "b.dcm", stored_values(), SeriesInstanceUID=generate_uid())
    assert fault(tmp_path) == "holds slices of 2 series: keep one series per folder"


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "MOST_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text("")
    assert fault(tmp_path) == "holds 3 files, at most 2 are looked at"


def test_a_folder_of_bad_files_costs_no_more_than_its_share(tmp_path, monkeypatch):
    """Files that only begin like DICOM, with many tags, are passed over; all together they are bounded, too."""
    tags = b"".join(b"\x08\0" + k.to_bytes(2, "little") + b"SH\0\0" for k in range(0x100, 0x1000, 2))
    for number in range(20):
        (tmp_path / f"{number:02}").write_bytes(tags)
    assert fault(tmp_path) == "holds no CT slice in DICOM format"
    monkeypatch.setattr(series, "MOST_FOLDER", 20_000)
    said = fault(tmp_path)
    assert said == ("the headers of its first 11 files, of 20, are as much as is looked at: keep the slices of one "
                    "series alone in it, or name one file"), "1,920 tags and reads each"
    for number in range(12):
        write(tmp_path / f"{number:02}", stored_values(), InstanceNumber=number)
    assert load_image(str(tmp_path)).array.shape == (18, 20), "slices bring reads along"
    monkeypatch.setattr(series, "MOST_FOLDER", 2**19)
    monkeypatch.setattr(series, "MOST_HEADERS", 3 * len(tags))
    assert fault(tmp_path).startswith("the headers of its first ")


def test_frames_of_all_files_of_a_folder_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "MOST_SLICES", 8)
    for name in "abcd":
        write(tmp_path / name, stored_values()[None].repeat(6, axis=0))
    assert fault(tmp_path).startswith("the headers of its first 2 files, of 4, are as much as is looked at")


def test_no_pixel_data(tmp_path):
    assert fault(write(tmp_path / "a.dcm", stored_values(), without=("PixelData",))) == (
        "holds no pixel data: name the file of a slice")
    floats = np.zeros((18, 20), np.float32).tobytes()
    assert fault(write(tmp_path / "a.dcm", stored_values(), without=("PixelData",), FloatPixelData=floats)) == (
        "holds FloatPixelData, which no CT slice has: save Hounsfield units in .npz as 'hu', or attenuation relative "
        "to water as 'image'")


def test_a_number_that_is_none_is_named_by_its_tag(tmp_path):
    path = write(tmp_path / "a.dcm", stored_values(), RescaleSlope="1.0", PixelSpacing=["0.5", "0.5"])
    content = path.read_bytes()
    for right, wrong, name in ((b"1.0 ", b"1,0 ", "RescaleSlope"), (b"0.5\\0.5 ", b"0,5\\0,5 ", "PixelSpacing")):
        assert content.count(right) == 1
        path.write_bytes(content.replace(right, wrong))
        assert fault(path).startswith(f"its {name} is not a number, ")


def test_pixels_that_are_not_square_without_a_spacing(tmp_path):
    assert fault(write(tmp_path / "a.dcm", stored_values(), PixelAspectRatio=[2, 1])) == (
        "its pixels of 2 x 1 are not square: resample it first")
    assert load_file(write(tmp_path / "a.dcm", stored_values(), PixelAspectRatio=[1, 1])).spacing_mm is None


def test_values_clipped_to_a_window_are_named(tmp_path):
    hu = np.clip(stored_values() - 1024, -160, 240)
    np.savez(tmp_path / "a.npz", hu=hu)
    for image in (load_file(write(tmp_path / "a.dcm", (hu + 1024).astype(np.int16))), load_file(tmp_path / "a.npz"),
                  CT(views=6, unit="hu", size=None).observe(Image("a", hu.astype(np.float32)))):
        assert any("its lowest value is -160 HU, attenuation 0.84: " in note for note in image.notes)
    assert load_file(write(tmp_path / "a.dcm", stored_values())).notes == ()
    np.savez(tmp_path / "a.npz", hu=(stored_values() // 4).astype(np.uint16))
    assert fault(tmp_path / "a.npz") == ("'hu' has no value below 0 as air has in Hounsfield units: store them with a "
                                         "sign, or save attenuation relative to water as 'image'")


def test_other_modalities_and_colour(tmp_path):
    assert fault(write(tmp_path / "a.dcm", stored_values(), Modality="MR")) == (
        "its modality is MR: a CT slice is expected, pixels of another kind can be saved as a picture or as .npy")
    assert fault(write(tmp_path / "b.dcm", stored_values(), without=("Modality",))).startswith(
        "its modality is none: a CT slice is expected")
    assert fault(write(tmp_path / "c.dcm", stored_values(), SamplesPerPixel=3)) == (
        "holds 3 values per pixel: a gray CT slice is expected")


def test_size_is_checked_before_any_pixel_is_read(tmp_path, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("pixels were read")

    monkeypatch.setattr(pydicom.pixels, "pixel_array", never)
    assert fault(write(tmp_path / "a.dcm", stored_values(), Rows=60000, Columns=60000)) == (
        f"too large: 60000 x 60000 values, at most {MOST_VALUES} are accepted")
    monkeypatch.setattr(headers, "MOST_FILE", 1000)
    assert fault(write(tmp_path / "b.dcm", stored_values(40, 40))) == "too large: 0 MiB, at most 0 are accepted"


def test_small_and_constant_slices(tmp_path):
    assert fault(write(tmp_path / "a.dcm", stored_values(10, 20))) == (
        "an image must have at least 16 pixels on each side, got 10 x 20")
    assert fault(write(tmp_path / "b.dcm", np.full((20, 20), -2000, dtype=np.int16))) == (
        "the image is zero throughout")


def test_damaged_files(tmp_path):
    text = tmp_path / "text.dcm"
    text.write_text("this is a text file" * 40)
    assert fault(text).startswith("text.dcm is damaged or not a DICOM file (")
    empty = tmp_path / "empty.dcm"
    empty.write_bytes(b"")
    assert fault(empty).startswith("is empty: ")
    cut = write(tmp_path / "cut.dcm", stored_values(64, 64))
    cut.write_bytes(cut.read_bytes()[:-3000])
    assert "damaged" in fault(cut) or "cannot decode" in fault(cut)
    assert fault(tmp_path / "missing.dcm").startswith("no such file")


def test_a_damaged_file_in_a_folder_is_named(tmp_path):
    write(tmp_path / "a.dcm", stored_values())
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x02\x00\xff\xff")  # an entry of half its size
    assert fault(tmp_path).startswith("bad.dcm is damaged or not a DICOM file (")


def test_unknown_compression_is_named(tmp_path):
    from pydicom.data import get_testdata_file

    jpeg2000 = pydicom.dcmread(get_testdata_file("J2K_pixelrep_mismatch.dcm", download=False))
    jpeg2000.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    jpeg2000.save_as(tmp_path / "ls.dcm", enforce_file_format=True)
    message = fault(tmp_path / "ls.dcm")
    assert message.startswith("cannot decode the pixels (JPEG-LS Lossless Image Compression; ")
    assert message.endswith("if the file is intact, pydicom's guide lists the decoder to install")


def test_shipped_slices_come_from_the_wheel():
    head, spine = load_image("ct-head"), load_image("ct-spine")
    assert head.shipped and head.array.shape == (512, 512)
    assert (head.array[:30, :30] == 0).all()  # padding of -2000
    assert 0.9 < np.median(head.array[200:400, 180:330]) < 1.1  # brain, a little denser than water
    assert head.array.max() == pytest.approx(2.896)
    assert spine.array.shape == (128, 128)


def test_without_pydicom_the_error_names_it(monkeypatch, tmp_path):
    import sys

    path = write(tmp_path / "a.dcm", stored_values())
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for call in (lambda: load_dicom(path), lambda: load_image("ct-head")):
        with pytest.raises(InputError, match="DICOM files need the package pydicom: pip install 'pydicom>=3.0'"):
            call()


def test_npz_in_hounsfield_units(tmp_path):
    hu = stored_values().astype(np.int16) - 1024
    np.savez(tmp_path / "a.npz", hu=hu, pixel_spacing_mm=0.7)
    np.testing.assert_allclose(load_file(tmp_path / "a.npz").array, attenuation(hu))


def test_other_files_have_no_slices(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(20))
    assert fault(tmp_path / "a.npy", 1) == "has no slices to choose from: only .h5 volumes, DICOM and TIFF stacks have"
