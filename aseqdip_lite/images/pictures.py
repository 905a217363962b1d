"""Pictures: PNG, JPEG and TIFF, as a viewer shows them: upright, black 0, white 1."""

import numpy as np

from ..settings import InputError
from .bounds import MOST_VISITS, check_pages, check_scans, check_tiles
from .types import Image, as_image, count_values, slice_of

BITS, PHOTOMETRIC, PLANES, SAMPLE_FORMAT = 258, 262, 284, 339  #: tags of TIFF
TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  #: how one begins
WHITE_IS_ZERO, SEPARATE, UNSIGNED = 0, 2, 1  #: values of the last three, which Pillow does not heed at all depths
ROUGH, ALIKE = 0.04, 0.4  #: least variance beyond that of means of 3 x 3, and likeness of both sides, of |k-space|


def load_picture(path, slice_index=None):
    """A picture as an `Image`; see `read_picture`."""
    array, _, name, notes = read_picture(path, slice_index)
    return as_picture(name, array, notes)


def as_picture(name, array, notes=()):
    """The checked `Image` of a real array; with a note if it looks like the magnitude of k-space, or its logarithm.

    That is brightest at the zero frequency, much alike on both sides of it, and rough.
    """
    from scipy.ndimage import uniform_filter

    array = as_image(array)
    plane = array.reshape(*array.shape[:2], -1).mean(axis=-1, dtype=np.float64)
    smooth = uniform_filter(plane, 3, mode="wrap")
    place = np.unravel_index(smooth.argmax(), plane.shape)
    near = all(min(k, abs(k - n // 2), n - k) <= 2 for k, n in zip(place, plane.shape, strict=True))
    behind = np.roll(plane[::-1, ::-1], [1 - n % 2 for n in plane.shape], (0, 1))
    if (near and np.var(plane - smooth) > ROUGH * np.var(plane)
            and np.corrcoef(plane.ravel(), behind.ravel())[0, 1] > ALIKE):
        notes += ("it looks like the magnitude of k-space: if it is, bring k-space itself, complex; if not, save it as "
                  "'image' of an .npz",)
    return Image(name, array, notes=notes)


def read_picture(path, slice_index=None):
    """(array, alpha, name, notes) of a picture; array (H, W) or (H, W, 3) float32, alpha (H, W) in [0, 1] or None.

    Values are scaled to [0, 1]; TIFF of floats or of signed integers keeps its own. The EXIF orientation is applied.
    InputError for several pictures and no `slice_index`, too large, other kinds, and what `bounds` refuses.
    """
    from PIL import Image as Picture
    from PIL import ImageOps, UnidentifiedImageError

    with open(path, "rb") as file:  # by its name Pillow 13.0 would map a TIFF into memory and garble it if it is turned
        if file.read(4) in TIFFS:
            check_pages(file)
        file.seek(0)
        try:
            picture = Picture.open(file, formats=("PNG", "JPEG", "TIFF"))  # reads the header alone
        except Picture.DecompressionBombError as error:
            raise InputError(f"too large: {error}") from None
        except UnidentifiedImageError:
            raise InputError("is damaged or not known to Pillow: save it as 8 or 16 bit gray or RGB, or its values as "
                             ".npy") from None
        name, notes = _turn_to_page(picture, path.name, slice_index)
        pixels, tags, bits = count_values(picture.size), dict(getattr(picture, "tag_v2", {})), _bits(file, picture)
        place = file.tell()
        if picture.format == "TIFF":
            check_tiles(file, pixels, tags)
        elif picture.format in ("JPEG", "MPO"):
            check_scans(file, pixels)
        file.seek(place)
        deep = picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format == "PNG")  # Pillow 10.0
        array, alpha = _pixels(ImageOps.exif_transpose(picture), deep, bits, tags)
    if alpha is not None and alpha.min() < 1:
        notes += ("its alpha channel, not opaque everywhere, was dropped",)
    if deep and bits == 16 and array.max() < 4096:
        notes += (f"its largest value is {array.max()} of 65535: 12 bits in 16 would be 16 times too dark",)
    if array.dtype == np.uint8 and bits == 16:
        notes += ("values of 16 bit were read as 8 bit",)
    if array.dtype in (np.int32, np.float32):
        return array.astype(np.float32), alpha, name, (*notes, "its values were kept, not scaled to white 1")
    top = 2**bits - 1 if deep else 1 if array.dtype == bool else 255
    if deep and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        array = top - array
    return array.astype(np.float32) / top, alpha, name, notes


def _turn_to_page(picture, name, slice_index):
    """Turn a file of several pictures to the one asked for; its name and notes."""
    pages = getattr(picture, "n_frames", 1)
    if pages == 1:
        if slice_index is not None:
            raise InputError("has no slices to choose from: only .h5 volumes, DICOM and TIFF stacks have")
        return name, ()
    if slice_index is not None:
        if picture.format == "PNG" and slice_index * count_values(picture.size) > MOST_VISITS:
            raise InputError(f"is an animation, and picture {slice_index} is too far from its start: save it alone")
        picture.seek(slice_of(slice_index, pages))
        return f"{name}[{slice_index}]", ()
    if picture.format == "MPO":  # a phone's JPEG: its picture, then a smaller one or a map of depths
        return name, (f"the first of its {pages} pictures was read: --slice chooses another",)
    raise InputError(f"holds {pages} pictures: choose one with --slice, from 0 to {pages - 1}, or save it alone")


def _bits(file, picture):
    """Bits per value as stored, 8 where the format says nothing else."""
    if picture.format == "PNG":
        place = file.tell()
        file.seek(24)  # in the header, which comes first
        bits = file.read(1)[0]
        file.seek(place)
        return bits
    return int(np.max(getattr(picture, "tag_v2", {}).get(BITS, 8)))


def _pixels(picture, deep, bits, tags):
    """The pixels of a gray or RGB picture as stored, and its alpha channel (H, W) in [0, 1] or None."""
    alpha = None
    if picture.mode in ("LA", "RGBA", "PA") or (picture.mode in ("1", "L", "P", "RGB")
                                                and "transparency" in picture.info):
        alpha = np.asarray(picture.convert("RGBA"))[..., 3] / np.float32(255)
    if picture.mode in ("LA", "RGBA", "PA", "P", "RGBX"):
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    unsigned = np.max(tags.get(SAMPLE_FORMAT, UNSIGNED)) == UNSIGNED
    physical = picture.mode in ("F", "I") and not unsigned and tags.get(PHOTOMETRIC) != WHITE_IS_ZERO
    plain = picture.mode in ("1", "L", "RGB") and unsigned
    if bits > 8 and picture.mode == "RGB" and tags.get(PLANES) == SEPARATE:  # which Pillow reads as 8 bit
        raise InputError("its colours lie in planes of 16 bit: save it as 8 or 16 bit gray or RGB, not in planes")
    if not (plain or deep or physical):
        raise InputError(f"pictures of mode {picture.mode} are not supported: save it as 8 or 16 bit gray or RGB")
    return np.asarray(picture), alpha
