"""`load_file`: a user's file goes to the loader of its kind: `arrays`, `pictures`, `dicom`, `fastmri`, `tomography`.

Every loader checks shape, kind and size before it allocates, unpickles nothing, and names the fault in its error. What
a decoder does not bound by itself is bounded before: chunks and links of HDF5 in `hdf5`, scans, pages and tags of
pictures in `bounds`, tags, items and what is deflated in DICOM in `headers`, frames and files in `series`.
"""

import os
import warnings
from contextlib import contextmanager
from pathlib import Path

from ..settings import InputError
from .arrays import load_npy, load_npz
from .dicom import load_dicom
from .formats import kind_of
from .pictures import load_picture

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def load_file(path, slice_index=None):
    """Read a user's file; returns an `Image` or what was measured, a `KSpace` (MRI) or a `Sinogram` (CT).

    Its contents say what it is, not its ending. What a reader of the numbers must know is in the `notes` of the result.

    * .npy: an image (H, W) or (H, W, 3); integers and reals become float32, complex complex64. A complex array of three
      axes, or one of two whose energy lies in one spot, is k-space (coils, H, W): zero where not measured, zero
      frequency at [H // 2, W // 2]. Another order is put right if it is beyond doubt, see `kspace.in_order`.
    * .npz: `image` as in .npy or `hu` (H, W), Hounsfield units, which become attenuation, with optional
      `pixel_spacing_mm` (one number or two); or `kspace` (coils, H, W), complex, with optional `mask` (W,) or (H, W)
      and `reference` (h, w), which is compared with the centre of the reconstruction.
    * .png, .jpg, .tif: gray of up to 16 bits or 8 bit RGB, scaled to [0, 1] and turned as its EXIF orientation says; a
      palette becomes RGB, an alpha channel is dropped, 16 bit colour is read as 8 bit. TIFF of floats or of signed
      integers keeps its values; of a stack, `slice_index` chooses a page.
    * .h5: fastMRI: `kspace` (slices, coils, H, W), or (slices, H, W) of one coil, optional `mask`, `ismrmrd_header` and
      `reconstruction_rss` (slices, h, w), see `fastmri.load_fastmri`; the coils may come first, see `axes.coil_axis`.
      Or a CT scan, Data Exchange or NXtomo, see `tomography.load_projections`.
    * DICOM files, with and without preamble, or a folder of them: CT slices, see `dicom.load_dicom`.

    Args:
        path: the file, or a folder of DICOM slices.
        slice_index: slice of an .h5 volume, a DICOM file or folder, the middle one by default; page of a TIFF stack.

    Raises:
        InputError: missing, unknown or damaged file, wrong shape, kind or size, NaN or Inf, no such slice.
    """
    path = Path(path)
    flat = {".npy": load_npy, ".npz": load_npz}
    volumes = dict.fromkeys(PICTURES, load_picture) | {".h5": _hdf5, ".dcm": load_dicom}
    with reading(path) as kind:
        if slice_index is not None and kind in flat:
            raise InputError("has no slices to choose from: only .h5 volumes, DICOM and TIFF stacks have")
        return flat[kind](path) if kind in flat else volumes[kind](path, slice_index)


@contextmanager
def reading(path):
    """The kind of a file or folder, as of `formats.kind_of`; what the body raises becomes an InputError naming it."""
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file (for the shipped images see: aseqdip list)")
    if not (path.is_file() or path.is_dir()):
        raise InputError(f"{path}: neither a file nor a folder")
    kind = ".dcm"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what decoders warn of is checked here or harmless
            kind = kind if path.is_dir() else kind_of(path)
            yield kind
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it") from None
    except Exception as error:  # decoders raise many kinds for a damaged file: all mean the same to a user
        line = (str(error).splitlines() or [""])[0]
        raise InputError(f"{path}: damaged or not a {kind} file ({type(error).__name__}: {line})") from None


def _hdf5(path, slice_index):
    """A volume in HDF5, told by what is in it: CT projections or fastMRI k-space."""
    import h5py

    from .fastmri import load_fastmri
    from .hdf5 import known_by_name, names_in, node
    from .tomography import load_projections, projections_of

    with h5py.File(path, "r") as stored:
        known_by_name(path, stored)
        if node(stored, "kspace") is not None:
            load = load_fastmri
        elif projections_of(stored):
            load = load_projections
        else:
            raise InputError("holds neither 'kspace' (fastMRI), nor 'exchange' (CT, Data Exchange), nor an entry of "
                             "NXtomo (CT, NeXus), but " + (", ".join(map(repr, names_in(stored)))[:100] or "nothing"))
    return load(path, slice_index)
