"""Good files of every kind that is read, small: what the fuzz test makes its bad ones of."""

from functools import cache
from pathlib import Path

import h5py
import numpy as np
import torch
from attacks import H, W, written
from PIL import Image as Picture

from aseqdip_lite import load_case
from aseqdip_lite.methods.deep_decoder import Decoder
from aseqdip_lite.run import checkpoint
from aseqdip_lite.run.engine import Run
from aseqdip_lite.run.identity import describe


def arrays(rng):
    """A gray picture (H, W), a colour one (H, W, 3) and k-space (3, H, W)."""
    gray = rng.random((H, W), dtype=np.float32)
    colour = np.uint8(255 * rng.random((H, W, 3)))
    kspace = (rng.standard_normal((3, H, W)) + 1j * rng.standard_normal((3, H, W))).astype(np.complex64)
    return gray, colour, kspace


def fastmri(kspace):
    """A small fastMRI file with a mask and a header."""
    sizes = "".join(f"<{kind}><matrixSize><x>{H}</x><y>{W}</y></matrixSize></{kind}>"
                    for kind in ("encodedSpace", "reconSpace"))

    def write(buffer):
        with h5py.File(buffer, "w") as file:
            file["kspace"] = np.stack([kspace, kspace])
            file["mask"] = np.ones(W, np.float32)
            file["ismrmrd_header"] = f"<ismrmrdHeader><encoding>{sizes}</encoding></ismrmrdHeader>"
            file["reconstruction_rss"] = np.ones((2, H, W), np.float32)
            file.attrs["max"] = 1.0
    return written(write)


def projections(nexus=False):
    """A small CT scan, 12 views of a disc of water at golden angles: Data Exchange, or NXtomo."""
    chords = 2 * np.sqrt(np.clip(100 - (np.arange(32) - 15.5) ** 2, 0, None))
    data = np.tile(np.uint16(1000 * np.exp(-0.05 * chords)), (12, 2, 1))
    white, dark, theta = np.full((2, 2, 32), 1000, np.uint16), np.zeros((2, 2, 32), np.uint16), np.arange(12) * 111.246

    def write(buffer):
        with h5py.File(buffer, "w") as file:
            if nexus:
                group = file.create_group("entry")
                group["data/data"] = np.concatenate([white, data, dark])
                group["data/rotation_angle"] = np.pad(theta, 2)
                group["instrument/detector/image_key"] = np.repeat([1, 0, 2], [2, 12, 2])
            else:
                for name, array in dict(data=data, data_white=white, data_dark=dark, theta=theta).items():
                    file[f"exchange/{name}"] = array
                file["exchange/theta"].attrs["units"] = "deg"
    return written(write)


def dicom():
    """The CT slice that the pydicom wheel carries, 39 kB."""
    from pydicom.data import get_testdata_file
    return Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes()


def enhanced():
    """A CT file of two frames with functional groups, without preamble and meta header."""
    from pydicom import Dataset, dcmwrite

    def group(**tags):
        data = Dataset()
        for name, value in tags.items():
            setattr(data, name, [group(**value)] if isinstance(value, dict) else value)
        return data

    frames = [group(PlanePositionSequence=dict(ImagePositionPatient=[0, 0, place]),
                    PixelValueTransformationSequence=dict(RescaleSlope=1, RescaleIntercept=-1024, RescaleType="HU"))
              for place in (5, 0)]
    data = group(Modality="CT", SeriesInstanceUID="1.2", SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
                 NumberOfFrames=2, Rows=H, Columns=W, BitsAllocated=16, BitsStored=16, HighBit=15,
                 PixelRepresentation=0, PlaneOrientationSequence=dict(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
                 PixelData=np.random.default_rng(0).integers(0, 3000, (2, H, W), np.uint16).tobytes())
    data.SpecificCharacterSet = "ISO_IR 100"
    data.PerFrameFunctionalGroupsSequence = frames
    return written(lambda buffer: dcmwrite(buffer, data, implicit_vr=False, little_endian=True))


def stack(colour):
    """A TIFF of three pages, and a white PNG with an alpha channel; both with an orientation."""
    exif = Picture.Exif()
    exif[0x0112] = 3
    first, *others = (Picture.fromarray(np.uint16(257) * colour[..., k]) for k in range(3))
    tiff = written(lambda buffer: first.save(buffer, "tiff", save_all=True, append_images=others, exif=exif))
    alpha = Picture.fromarray(np.dstack([np.full_like(colour, 255), np.uint8(255) * (colour[..., :1] > 80)]))
    return tiff, written(lambda buffer: alpha.save(buffer, "png", exif=exif))


@cache
def tiny():
    """A case of 16 x 16 pixels and a method of few weights."""
    return load_case("mri", profile="smoke", size=16, coils=1), Decoder(channels=4, steps=8)


def a_checkpoint():
    """The checkpoint of a small run, half way."""
    case, method = tiny()
    run = Run(case, method, window=4)
    run.start()
    for _ in range(5):
        run.advance()
    whole = dict(format=checkpoint.FORMAT, identity=describe(run, 4), **run.state_dict())
    return written(lambda buffer: torch.save(whole, buffer))


def seeds():
    """{suffix or kind: (contents, name of the loader)} of the good files that the bad ones are made of.

    A good KernelWizard checkpoint has 460 MB; here it is a good file of other weights, which is refused.
    """
    rng = np.random.default_rng(0)
    gray, colour, kspace = arrays(rng)
    weights = dict(a=torch.ones(4, 5), step=3, names=["x", "y"])
    picture = {kind: written(lambda buffer, kind=kind: Picture.fromarray(colour).save(buffer, format=kind))
               for kind in ("png", "jpeg", "tiff")}
    mask = written(lambda buffer: Picture.fromarray(np.uint8(255 * (gray > 0.3))).save(buffer, format="png"))
    tiff, alpha = stack(colour)
    return {
        ".npy": (written(lambda b: np.save(b, gray)), "file"),
        ".npz": (written(lambda b: np.savez(b, kspace=kspace, mask=np.ones(W, np.float32))), "file"),
        ".png": (picture["png"], "file"), ".jpg": (picture["jpeg"], "file"), ".tif": (picture["tiff"], "file"),
        "-complex.npy": (written(lambda b: np.save(b, np.fft.fft2(gray))), "file"),
        "-kspace.npy": (written(lambda b: np.save(b, np.moveaxis(kspace, 0, 2))), "file"),
        ".h5": (fastmri(kspace), "file"), "-one.h5": (fastmri(kspace[0]), "file"),
        "-ct.h5": (projections(), "file"), "-nexus.h5": (projections(nexus=True), "file"),
        ".dcm": (dicom(), "file"),
        ".pt": (a_checkpoint(), "checkpoint"),
        "-kw.pth": (written(lambda b: torch.save(weights, b)), "weights"),
        "-mask.png": (mask, "mask"), "-alpha.png": (alpha, "mask"),
        "-mask.npy": (written(lambda b: np.save(b, gray > 0.3)), "mask"),
        "-stack.tif": (tiff, "page"), "-enhanced": (enhanced(), "file"), "-dcm.old": (dicom()[132:], "file")}
