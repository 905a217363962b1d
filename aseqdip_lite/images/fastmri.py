"""Measured k-space in the HDF5 files of fastMRI: knee and brain, of several coils or one."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import h5py
import numpy as np

from ..settings import InputError
from .axes import coil_axis
from .hdf5 import dataset, node, read, text
from .kspace import as_kspace, in_order
from .reference import of_common_scale, of_common_size, oriented
from .types import LEAST_SIDE, parts_hint, slice_of

MOST_HEADER = 2**20  #: largest accepted header in characters; those of fastMRI have some thousands


def load_fastmri(path, slice_index):
    """A slice of `kspace` as a `KSpace`; of a full scan the picture's centre alone, as large as the reconstruction.

    That is the size of `reconstruction_rss` (`reconstruction_esc` for one coil), else of the `reconSpace` of the
    header. Readouts (rows) are complete in an undersampled scan, too, so that the picture is cropped along them to the
    header's size; along the columns only what is shown of it is.
    """
    with h5py.File(path, "r") as file:
        kspace, mask = dataset(file, "kspace"), dataset(file, "mask")
        if kspace is None:
            raise InputError("contains no dataset 'kspace'")
        if kspace.ndim not in (3, 4) or kspace.dtype.kind != "c":
            raise InputError("'kspace' must be complex of shape (slices, coils, H, W), "
                             f"got {kspace.dtype} of shape {kspace.shape}" + _layout_hint(kspace))
        recon, coils, slices = header_facts(dataset(file, "ismrmrd_header", "OSU"))
        kinds = ("reconstruction_rss", "reconstruction_esc")[:5 - kspace.ndim]
        kind = next((kind for kind in kinds[::-1] if node(file, kind) is not None), None)
        reference = None if kind is None else dataset(file, kind)
        pictures = None if reference is None else reference.shape[0] if reference.ndim == 3 else 0
        coils, slices = (coils, slices) if kspace.ndim == 4 else (None, None)  # the header of one coil is that of all
        axis, notes = coil_axis(kspace, pictures or slices, coils)
        slices = kspace.shape[axis == 0] if kspace.ndim == 4 or axis is None else 1
        if kind is not None and pictures != slices:
            raise InputError(f"'{kind}' must have shape ({slices}, h, w), got {reference.shape}")
        index = slice_of(slice_index, slices, "the file has")
        kspace = read(kspace, *((slice(None), index)[:kspace.ndim - 2] if axis == 0 else (index,)))
        if mask is not None:
            mask = _mask_of(read(mask), index, slices, kspace.shape[-2:])
        if reference is not None:
            reference = read(reference, index)
    if axis is None and kind is None:
        notes += ("'kspace' of three axes is taken as slices of one coil; of one slice with several coils save "
                  "kspace[None]",)
    kspace, mask, found = in_order(kspace[None] if axis is None else kspace, mask)
    if reference is not None:
        reference, turned = oriented(kspace, reference)
        kspace, mask, reference, wider = of_common_size(kspace, mask, reference)
        found += turned + wider
    scan = as_kspace(f"{path.name}[{index}]", kspace, mask, reference, (*notes, *found))
    return of_common_scale(_cropped(scan, recon))


def header_facts(header):
    """(size, coils, slices) of an ISMRMRD header, a stored string of XML: (h, w) of its `reconSpace`, numbers, or None.

    InputError for a header that is too large, no XML, or has entities, which could expand to any size.
    """
    if header is None:
        return None, None, None
    words = text(header[()]) if header.size == 1 else ""
    if len(words) > MOST_HEADER or "<!" in words.replace("<!--", ""):
        raise InputError("'ismrmrd_header' is too large or defines entities: delete it from the file")
    try:
        root = ElementTree.fromstring(words.encode())
        size = root.find("{*}encoding/{*}reconSpace/{*}matrixSize")
        shape = None if size is None else tuple(int(size.findtext("{*}" + side)) for side in "xy")
        coils = root.findtext("{*}acquisitionSystemInformation/{*}receiverChannels")
        last = root.findtext("{*}encoding/{*}encodingLimits/{*}slice/{*}maximum")
        counts = None if coils is None else int(coils), None if last is None else int(last) + 1
    except (ElementTree.ParseError, TypeError, ValueError):
        raise InputError("'ismrmrd_header' is not an ISMRMRD header in XML: delete it from the file") from None
    if shape is not None and min(shape) < LEAST_SIDE:
        raise InputError(f"'ismrmrd_header' asks for a picture of {shape[0]} x {shape[1]}: delete it from the file")
    return shape, *counts


def crop_field_of_view(kspace, shape):
    """K-space (coils, H, W) of the central `shape` part of the image: the crop is made on the image.

    An axis that is cropped must have been measured in full.
    """
    import sigpy

    axes = tuple(axis for axis in (-2, -1) if kspace.shape[axis] != shape[axis])
    if not axes:
        return kspace
    image = sigpy.ifft(kspace, axes=axes)
    top, left = ((n - m) // 2 for n, m in zip(image.shape[-2:], shape, strict=True))
    return sigpy.fft(image[..., top:top + shape[0], left:left + shape[1]], axes=axes)


def _layout_hint(kspace):
    if kspace.ndim == 5 and kspace.dtype.kind == "c":
        return ": save one of its averages or contrasts, file['kspace'][0], or the mean of the averages"
    if kspace.ndim == 2 and kspace.dtype.kind == "c":
        return ": of one slice and one coil save kspace[None]"
    return parts_hint(kspace) or (": radial k-space must be gridded first" if kspace.ndim > 4 else "")


def _mask_of(mask, index, slices, shape):
    """The mask of a slice where each has its own; else the mask as it is."""
    own = mask.ndim > 1 and len(mask) == slices > 1 and np.squeeze(mask).shape != shape
    own = own and np.squeeze(mask[index]).shape in (shape, shape[:1], shape[1:])
    return mask[index] if own else mask


def _cropped(scan, recon):
    """The scan with the picture cropped to the reference or, without one, to the header's `recon` (h, w) or None."""
    sides = scan.kspace.shape[1:]
    wanted = tuple(map(min, recon or sides, sides))
    shape = wanted if scan.reference is None else scan.reference.shape
    if shape == sides:
        return scan
    words = "the header's reconSpace" if scan.reference is None else "the reconstruction in the file"
    if scan.mask is None:
        notes = (*scan.notes, f"picture cropped to {words}, {shape[0]} x {shape[1]}")
        support = None if scan.support is None else _support_of(scan.support, shape)
        return replace(scan, kspace=crop_field_of_view(scan.kspace, shape), support=support, notes=notes)
    rows = wanted[0] if scan.mask.ndim == 1 and wanted[0] >= shape[0] else sides[0]
    notes = (*scan.notes, f"shown and compared: the centre of the picture, {words}, {shape[0]} x {shape[1]}")
    return replace(scan, kspace=crop_field_of_view(scan.kspace, (rows, sides[1])), crop=shape, notes=notes)


def _support_of(support, shape):
    """Where k-space was measured, on the coarser grid of a picture cropped to `shape`."""
    lines = [(np.rint((np.arange(m) - m // 2) * n / m) + n // 2).astype(int).clip(0, n - 1)
             for n, m in zip(support.shape, shape, strict=True)]
    return support[np.ix_(*lines)]
