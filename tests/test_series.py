"""DICOM as scanners and archives write it: units by the tags, frames and slices of one scan, files without preamble."""

import numpy as np
import pydicom
import pytest
from checks import error_of
from dicom_files import dataset, stored_values, write, write_enhanced
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from aseqdip_lite.images import load_image
from aseqdip_lite.images.files import load_file
from aseqdip_lite.tasks.ct import CT

AXIAL = [1, 0, 0, 0, 1, 0]
NPZ = "save Hounsfield units in .npz as 'hu', or attenuation relative to water as 'image'"


def phantom(offset=1024):
    """Air, a disc of water and in it an insert of 400 HU, as stored values."""
    rows, columns = np.mgrid[:32, :32] - 15.5
    hu = np.full((32, 32), -1000)
    hu[rows**2 + columns**2 < 150] = 0
    hu[rows**2 + columns**2 < 20] = 400
    return (hu + offset).astype(np.int16)


RIGHT = 1 + phantom(0) / 1000  #: air 0, water 1, insert 1.4


def fault(path, slice_index=None):
    """The error's text without the path that it begins with."""
    text = error_of(load_file, path, slice_index)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def check_right(image, atol=1e-6):
    np.testing.assert_allclose(image.array, RIGHT, atol=atol)


# What values mean.

NO_RESCALE = ("RescaleSlope", "RescaleIntercept")


def test_no_rescale_is_refused_where_the_values_have_an_offset(tmp_path):
    for offset in (1000, 1024):
        said = fault(write(tmp_path / "a.dcm", phantom(offset), without=NO_RESCALE))
        assert said == ("has no air at -1000 but many values near 1000: if they are Hounsfield units plus an offset, "
                        f"as HU + 1024, subtract it (its RescaleSlope and RescaleIntercept are missing): {NPZ}")
    noisy = phantom() + np.random.default_rng(0).normal(0, 25, (32, 32)).astype(np.int16)
    assert noisy.min() < 0
    assert fault(write(tmp_path / "a.dcm", noisy, without=NO_RESCALE)).startswith("has no air at -1000 but many values")
    assert fault(write(tmp_path / "a.dcm", phantom(), RescaleIntercept="0")).endswith(
        f"subtract it (its RescaleIntercept is 0): {NPZ}")
    window = np.clip((phantom(0) + 160) / 400 * 255, 0, 255).astype(np.int16)  # a display window of 8 bits
    assert fault(write(tmp_path / "a.dcm", window, without=NO_RESCALE)) == (
        "has no value below 0 as air has in Hounsfield units: store them with a sign (its RescaleSlope and "
        f"RescaleIntercept are missing): {NPZ}")


def test_no_rescale_is_read_where_the_values_have_air(tmp_path):
    image = load_file(write(tmp_path / "a.dcm", phantom(0), without=NO_RESCALE))
    check_right(image)
    assert image.notes == ("its RescaleSlope and RescaleIntercept are missing: stored values were taken as Hounsfield "
                           "units",)
    check_right(load_file(write(tmp_path / "b.dcm", phantom(0), RescaleIntercept="0")))


@pytest.mark.parametrize("name", NO_RESCALE)
def test_an_empty_tag_is_a_missing_one_and_is_named(tmp_path, name):
    for change in ({name: None}, {name: ""}):
        said = fault(write(tmp_path / "a.dcm", phantom(), **change))
        assert said == f"its {name} is missing or empty, so its values have no unit: {NPZ}"
    assert fault(write(tmp_path / "b.dcm", phantom(), without=(name,))).startswith(f"its {name} is missing or empty")


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("first", [0, 24])
def test_modality_lut(tmp_path, first, bits):
    """A table of HU, below 0 in two's complement; values beyond its ends take those of its ends."""
    table = (np.arange(first, 4096) - 1024).astype("<i2")
    lut = dataset(LUTDescriptor=[len(table), first, bits], ModalityLUTType="HU")
    lut.add_new("LUTData", "OW", table.tobytes())
    path = write(tmp_path / "a.dcm", phantom(), without=NO_RESCALE, ModalityLUTSequence=Sequence([lut]),
                 PixelRepresentation=0)
    check_right(load_file(path))
    lut.ModalityLUTType = "OD"
    path = write(tmp_path / "b.dcm", phantom(), without=NO_RESCALE, ModalityLUTSequence=Sequence([lut]))
    assert fault(path) == f"its values are in OD (RescaleType), not in Hounsfield units: {NPZ}"


@pytest.mark.parametrize("slope, intercept, said", [
    ("0", "-1024", ("0", "-1024")), (["1", "-1024"], "0", ("[1, -1024]", "0")),
    ("1", ["-1024", "0"], ("1", "[-1024, 0]")), ("nan", "-1024", ("nan", "-1024"))])
def test_a_rescale_that_is_no_line_is_refused(tmp_path, slope, intercept, said):
    path = write(tmp_path / "a.dcm", phantom(), RescaleSlope=slope, RescaleIntercept=intercept)
    assert fault(path) == (f"its RescaleSlope is {said[0]} and its RescaleIntercept {said[1]}, where one finite number "
                           f"each is expected and a slope that is not 0: {NPZ}")


@pytest.mark.parametrize("side", [20, 900])  # above 1 MiB pydicom puts off reading the pixels
def test_a_file_deflated_as_a_whole(tmp_path, side):
    stored = stored_values(side, side)
    data = pydicom.dcmread(write(tmp_path / "plain.dcm", stored))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_allclose(load_file(tmp_path / "a.dcm").array, ((stored - 24.0) / 1000).clip(0), atol=1e-6)


def test_rescale_type(tmp_path):
    check_right(load_file(write(tmp_path / "lower.dcm", phantom(), RescaleType="hu")))
    check_right(load_file(write(tmp_path / "a.dcm", phantom(), RescaleType="HU")))
    unsaid = load_file(write(tmp_path / "a.dcm", phantom(), RescaleType="US"))
    check_right(unsaid)
    assert unsaid.notes == ("its RescaleType is US, unspecified: values were taken as Hounsfield units",)
    assert fault(write(tmp_path / "a.dcm", phantom(), RescaleType="HU_MOD")).startswith("its values are in HU_MOD (R")


def test_colours_are_refused_and_monochrome1_is_not(tmp_path):
    assert fault(write(tmp_path / "a.dcm", phantom(), PhotometricInterpretation="PALETTE COLOR")) == (
        "its PhotometricInterpretation is PALETTE COLOR, colours: a gray CT slice is expected")
    check_right(load_file(write(tmp_path / "b.dcm", phantom(), PhotometricInterpretation="MONOCHROME1")))


def test_imager_spacing_is_no_pixel_spacing(tmp_path):
    assert load_file(write(tmp_path / "a.dcm", phantom(), ImagerPixelSpacing=[0.5, 0.5])).spacing_mm is None


def test_a_localizer_and_a_dicomdir_are_no_slices(tmp_path):
    assert fault(write(tmp_path / "a.dcm", phantom(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])) == (
        "is a localizer, a view from the side (ImageType): a CT slice is expected")
    write(tmp_path / "DICOMDIR", phantom(), DirectoryRecordSequence=Sequence([dataset(PatientID="1")]))
    assert fault(tmp_path / "DICOMDIR") == "is a DICOMDIR, a table of other files: name the folder of the slices"


# Files without ending, preamble or meta header.

@pytest.mark.parametrize("implicit, little", [(True, True), (False, True), (False, False)])
def test_no_preamble_and_no_meta_header(tmp_path, monkeypatch, implicit, little):
    monkeypatch.chdir(tmp_path)
    data = pydicom.dcmread(write(tmp_path / "a.dcm", phantom(), PixelPaddingValue=-2000))
    stored = phantom()
    stored[0] = -2000
    data.PixelData = stored.astype("<i2" if little else ">i2").tobytes()
    del data.file_meta
    pydicom.dcmwrite(tmp_path / "IM000001", pydicom.Dataset(data), implicit_vr=implicit, little_endian=little)
    assert (tmp_path / "IM000001").read_bytes()[128:132] != b"DICM"
    for name in ("IM000001", tmp_path / "IM000001"):
        image = load_image(name)
        assert image.name == "IM000001" and (image.array[0] == 0).all()
        np.testing.assert_allclose(image.array[1:], RIGHT[1:], atol=1e-6)
    (tmp_path / "IM000001").rename(tmp_path / "a.png")
    assert load_image("a.png").array.max() == pytest.approx(1.4)


def test_a_folder_of_files_without_endings(tmp_path):
    for number in range(3):
        data = pydicom.dcmread(write(tmp_path / f"IM{number}", phantom(1024 + number), InstanceNumber=number))
        if number == 1:
            del data.file_meta
            data.save_as(tmp_path / "IM1", implicit_vr=True, little_endian=True)
    (tmp_path / "README").write_text("no DICOM")
    for number in range(3):
        np.testing.assert_allclose(load_file(tmp_path, number).array, RIGHT.clip(0) + number / 1000, atol=1e-6)
    assert load_file(tmp_path).notes == ("no ImagePositionPatient: slices are in the order of InstanceNumber",)


def test_a_preamble_that_is_the_head_of_a_tiff(tmp_path):
    content = write(tmp_path / "a.dcm", phantom()).read_bytes()
    (tmp_path / "a.dcm").write_bytes(b"II*\0" + content[4:])
    check_right(load_file(tmp_path / "a.dcm"))


def test_what_only_begins_like_dicom_is_unknown(tmp_path):
    (tmp_path / "noise").write_bytes(b"\x08\0" + np.random.default_rng(0).bytes(1000))
    assert fault(tmp_path / "noise").startswith("is damaged, or of a kind that is not read: ")


def test_compressed_pixels_of_which_nothing_says_how(tmp_path):
    data = pydicom.dcmread(write(tmp_path / "a.dcm", phantom()))
    data.compress(pydicom.uid.RLELossless)
    del data.file_meta
    data.save_as(tmp_path / "a", implicit_vr=False, little_endian=True)
    assert fault(tmp_path / "a") == ("is compressed, but no TransferSyntaxUID says how: save it again with its meta "
                                     "header")


# Enhanced multi-frame files.

def test_enhanced_frames_have_their_own_place_and_rescale(tmp_path):
    """Frames are sorted by position; slope, intercept and spacing come from the functional groups."""
    places, rescale = (10.0, 0.0, 5.0), ((1, -1024), (2, -1000), (0.5, -1010))
    stored = np.stack([stored_values(seed=seed) for seed in range(3)])
    path = write_enhanced(tmp_path / "a.dcm", stored, places, rescale)
    for index, frame in enumerate(np.argsort(places)):
        image, (slope, intercept) = load_file(path, index), rescale[frame]
        assert (image.name, image.spacing_mm) == (f"a.dcm[{index}]", 0.75)
        hu = slope * stored[frame] + intercept
        np.testing.assert_allclose(image.array, np.maximum(1 + hu / 1000, 0), atol=1e-6)
    assert fault(path, 3) == "slice 3 does not exist: there are slices 0 to 2"
    folder = tmp_path / "series"
    folder.mkdir()
    path.rename(folder / "a")
    np.testing.assert_array_equal(load_file(folder, 2).array, load_file(folder / "a", 2).array)


def test_enhanced_rescale_shared_by_all_frames(tmp_path):
    path = write_enhanced(tmp_path / "a.dcm", np.stack([phantom(1000)] * 2), (0, 5), ((1, -1000),) * 2)
    data = pydicom.dcmread(path)
    for frame in data.PerFrameFunctionalGroupsSequence:
        del frame.PixelValueTransformationSequence
    assert load_file(path) is not None
    data.save_as(path)
    assert fault(path).startswith("has no air at -1000 but many values near 1000")
    data.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = Sequence(
        [dataset(RescaleSlope=1, RescaleIntercept=-1000, RescaleType="HU")])
    data.save_as(path)
    check_right(load_file(path))


def test_enhanced_faults(tmp_path):
    stored, rescale = np.stack([phantom()] * 2), ((1, -1024),) * 2
    assert fault(write_enhanced(tmp_path / "a.dcm", stored, (5, 5), rescale)) == (
        "a.dcm and a.dcm hold the same place, ImagePositionPatient 5: keep one of them")
    path = write_enhanced(tmp_path / "b.dcm", stored, (5, 5), rescale)
    data = pydicom.dcmread(path)
    for number, frame in enumerate(data.PerFrameFunctionalGroupsSequence):
        frame.FrameContentSequence = Sequence([dataset(TemporalPositionIndex=number + 1)])
    data.save_as(path)
    assert fault(path) == ("holds 2 scans of the same places, told apart by TemporalPositionIndex (1, 2): "
                           "keep one of them")
    data.NumberOfFrames = 3
    data.save_as(path)
    assert fault(path) == "holds 3 frames but functional groups of 2: it is damaged"
    assert fault(write(tmp_path / "c.dcm", stored, NumberOfFrames=10**9)).startswith("NumberOfFrames is 1000000000: ")
    path = write_enhanced(tmp_path / "d.dcm", stored, (0, 5), rescale,
                          PixelMeasuresSequence=dict(PixelSpacing=[0.5, 0.75]))
    assert fault(path) == "its pixels of 0.5 x 0.75 mm are not square: resample it first"


def rich_groups(frames):
    """The bytes of the functional groups of so many frames as scanners write them; nothing here asks for most of them.

    Frame k lies at -k / 2 mm, and its HU are the stored values less k.
    """
    code = dict(CodeValue="113961", CodingSchemeDesignator="DCM", CodeMeaning="Reconstruction Algorithm")
    one = dataset(
        PlanePositionSequence=dict(ImagePositionPatient=["0", "0", "-8888.0"]),
        FrameContentSequence=dict(FrameAcquisitionNumber=1, StackID="1", FrameAcquisitionDuration=1.0),
        PixelValueTransformationSequence=dict(RescaleSlope="1", RescaleIntercept="-9999", RescaleType="HU"),
        FrameVOILUTSequence=dict(WindowCenter=40, WindowWidth=400),
        CTImageFrameTypeSequence=dict(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]),
        DerivationImageSequence=dict(DerivationCodeSequence=code),
        CTExposureSequence=dict(ExposureTimeInms=500.0, XRayTubeCurrentInmA=200.0, CTDIvol=5.0),
        CTPositionSequence=dict(TablePosition=0.0, ReconstructionTargetCenterPatient=[0, 0, 0]),
        CTTableDynamicsSequence=dict(TableSpeed=1.0, SpiralPitchFactor=1.0))
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    pydicom.filewriter.write_dataset(buffer, one)
    group = buffer.getvalue()
    item = b"\xfe\xff\x00\xe0" + len(group).to_bytes(4, "little") + group
    items = b"".join(item.replace(b"-8888.0", b"%7.1f" % (-k / 2)).replace(b"-9999", b"%5d" % -k)
                     for k in range(frames))
    return b"\x00\x52\x30\x92SQ\0\0" + len(items).to_bytes(4, "little") + items


def test_an_enhanced_file_of_3000_frames(tmp_path):
    """It has some 33,000 items."""
    frames = 3000
    stored = np.broadcast_to(np.arange(16, dtype=np.int16), (frames, 16, 16))
    shared = dataset(PlaneOrientationSequence=dict(ImageOrientationPatient=AXIAL),
                     PixelMeasuresSequence=dict(PixelSpacing=[0.75, 0.75]))
    path = write(tmp_path / "a.dcm", stored, without=NO_RESCALE, SharedFunctionalGroupsSequence=Sequence([shared]))
    content = path.read_bytes()
    place = content.rfind(b"\xe0\x7f\x10\x00O")
    path.write_bytes(content[:place] + rich_groups(frames) + content[place:])
    for index, frame in ((2989, 10), (2500, 499)):
        image = load_file(path, index)
        np.testing.assert_allclose(image.array, (stored[0] - frame + 1000) / 1000, atol=1e-6)
        assert image.spacing_mm == 0.75


def test_too_many_frames_or_tags_name_a_way_out(tmp_path):
    path = write(tmp_path / "a.dcm", np.zeros((17000, 16, 16), np.int16) + np.arange(16, dtype=np.int16),
                 PerFrameFunctionalGroupsSequence=Sequence([dataset()]))
    assert fault(path) == "holds 17000 frames, at most 16384 are put in order: save the slice alone"


def test_pixels_beyond_a_mebibyte_which_pydicom_reads_last(tmp_path):
    for stored in (stored_values(800, 800), np.stack([stored_values(300, 300, seed) for seed in range(7)])):
        image = load_file(write(tmp_path / "a.dcm", stored))
        right = stored[3] if stored.ndim == 3 else stored
        np.testing.assert_allclose(image.array, np.maximum(right - 24, 0) / 1000, atol=1e-6)


# Folders.

def series(folder, places, **each):
    """Slices at places in mm; `each` names tags and gives their values slice by slice."""
    for number, place in enumerate(places):
        tags = {name: values[number] for name, values in each.items()}
        write(folder / f"IM{number}", stored_values(seed=number), **dict(
            ImagePositionPatient=[0, 0, place], ImageOrientationPatient=AXIAL, InstanceNumber=number + 1) | tags)
    return folder


@pytest.mark.parametrize("tag, one, other", [
    ("AcquisitionNumber", 1, 2), ("TemporalPositionIdentifier", 1, 2), ("NominalPercentageOfCardiacPhase", 40, 75),
    ("ConvolutionKernel", "B30", "B70"), ("KVP", 100, 140)])
def test_two_scans_in_one_series(tmp_path, tag, one, other):
    said = fault(series(tmp_path, (0, 5, 10) * 2, **{tag: [one] * 3 + [other] * 3}))
    assert said == f"holds 2 scans of the same places, told apart by {tag} ({one}, {other}): keep one of them"


def test_two_scans_that_are_shifted_or_without_places(tmp_path):
    said = "holds 2 scans of the same places, told apart by AcquisitionNumber (1, 2): keep one of them"
    assert fault(series(tmp_path, (0, 5, 10, 2.5, 7.5, 12.5), AcquisitionNumber=[1] * 3 + [2] * 3)) == said
    for file in tmp_path.iterdir():
        data = pydicom.dcmread(file)
        del data.ImagePositionPatient
        data.save_as(file)
    assert fault(tmp_path) == said


def test_one_place_twice_is_told_by_times_or_by_names(tmp_path):
    series(tmp_path, (0, 5, 0), ContentTime=["101500", "101501", "101600"])
    assert fault(tmp_path) == ("IM0 and IM2 hold the same place, ImagePositionPatient 0, and differ in ContentTime: "
                               "keep one of them")
    series(tmp_path, (0, 5, 0), InstanceNumber=[1, 2, 1])
    assert fault(tmp_path) == "IM0 and IM2 hold the same place, ImagePositionPatient 0: keep one of them"


def test_acquisitions_one_after_the_other_are_one_scan(tmp_path):
    """A table that steps on has an acquisition at each stop, and every slice has times of its own."""
    series(tmp_path, (0, 5, 10, 15), AcquisitionNumber=[1, 1, 2, 2], ContentTime=["101500", "101501"] * 2)
    assert load_file(tmp_path).notes == ()
    for index in range(4):
        np.testing.assert_allclose(load_file(tmp_path, index).array,
                                   np.maximum(stored_values(seed=index) - 24, 0) / 1000, atol=1e-6)


def test_files_that_nothing_orders_are_refused(tmp_path):
    for name in "ab":
        write(tmp_path / name, stored_values(), without=("InstanceNumber",))
    assert fault(tmp_path) == ("neither ImagePositionPatient, SliceLocation nor InstanceNumber tells the order of its "
                               "files: name one of them")


def test_slice_location_stands_in_for_a_position(tmp_path):
    for number, place in enumerate((7.5, -2.5, 2.5)):
        write(tmp_path / f"IM{number}", stored_values(seed=number), InstanceNumber=number, SliceLocation=place)
    first = np.maximum(stored_values(seed=1) - 24, 0) / 1000
    np.testing.assert_allclose(load_file(tmp_path, 0).array, first, atol=1e-6)


def test_slices_that_do_not_belong_together(tmp_path):
    series(tmp_path, (0, 5), SeriesDescription=["thin", "thick"])
    assert fault(tmp_path) == "holds slices of 2 series: keep one series per folder"
    series(tmp_path, (0, 5), ImageOrientationPatient=[AXIAL, [1, 0, 0, 0, 0, -1]])
    assert fault(tmp_path).startswith("its slices differ in ImageOrientationPatient (1.000 0.000 ")
    series(tmp_path, (0, 5), ImageOrientationPatient=[AXIAL, [1, 1e-6, -1e-6, 0, 1, 0]])
    assert load_file(tmp_path).name.endswith("[1]")
    write(tmp_path / "IM1", stored_values(24, 24), ImagePositionPatient=[0, 0, 5], ImageOrientationPatient=AXIAL)
    assert fault(tmp_path) == "its slices differ in Rows (18, 24): keep those of one kind"
    series(tmp_path, (0, 5), ImagePositionPatient=[[0, 0, 0], None])
    assert fault(tmp_path) == ("1 of its 2 slices have no ImagePositionPatient, so their order is not known: "
                               "remove them")


def test_localizers_and_captures_in_a_folder_are_passed_over(tmp_path):
    series(tmp_path, (0, 5, 10))
    write(tmp_path / "A", stored_values(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], SeriesInstanceUID="1.2")
    write(tmp_path / "B", stored_values(), SOPClassUID=SecondaryCaptureImageStorage, SeriesInstanceUID="1.3")
    write(tmp_path / "C", stored_values(), Modality="SR", SeriesInstanceUID=generate_uid())
    image = load_file(tmp_path, 1)
    assert image.notes == ("2 localizers, secondary captures or reports were passed over",)
    np.testing.assert_allclose(image.array, np.maximum(stored_values(seed=1) - 24, 0) / 1000, atol=1e-6)
    assert CT(views=6).observe(image).notes[0] == image.notes[0]
