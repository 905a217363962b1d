"""CT files in DICOM format that the tests write: plain ones, and enhanced ones with functional groups."""

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

SERIES = generate_uid(entropy_srcs=["series"])


def stored_values(rows=18, columns=20, seed=0):
    return np.random.default_rng(seed).integers(0, 2000, (rows, columns)).astype(np.int16)


def write(path, stored, without=(), **tags):
    """A CT file of `stored` (H, W) or (frames, H, W) int16, HU = stored - 1024; `tags` are set, `without` deleted."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = CTImageStorage
    data.Modality, data.SeriesInstanceUID, data.InstanceNumber = "CT", SERIES, 1
    data.Rows, data.Columns = stored.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleSlope, data.RescaleIntercept = "1", "-1024"
    if stored.ndim == 3:
        data.NumberOfFrames = len(stored)
    data.PixelData = stored.astype("<i2").tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    for name in without:
        delattr(data, name)
    data.save_as(path, enforce_file_format=True)
    return path


def dataset(**tags):
    """A dataset of some tags; a dictionary becomes a sequence of one item."""
    data = Dataset()
    for name, value in tags.items():
        setattr(data, name, Sequence([dataset(**value)]) if isinstance(value, dict) else value)
    return data


def write_enhanced(path, stored, places, rescale, **shared):
    """An enhanced CT file: (frames, H, W) int16, positions in mm along z, (slope, intercept) of each frame."""
    frames = [dataset(PlanePositionSequence=dict(ImagePositionPatient=[0, 0, place]),
                      PixelValueTransformationSequence=dict(RescaleSlope=slope, RescaleIntercept=intercept,
                                                            RescaleType="HU"))
              for place, (slope, intercept) in zip(places, rescale, strict=True)]
    groups = dict(PlaneOrientationSequence=dict(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
                  PixelMeasuresSequence=dict(PixelSpacing=[0.75, 0.75])) | shared
    return write(path, stored, without=("RescaleSlope", "RescaleIntercept"), SOPClassUID=EnhancedCTImageStorage,
                 PerFrameFunctionalGroupsSequence=Sequence(frames),
                 SharedFunctionalGroupsSequence=Sequence([dataset(**groups)]))
