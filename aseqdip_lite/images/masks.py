"""Masks for in-painting, drawn or computed by a user: which pixels are known, from a picture or an array."""

from pathlib import Path

import numpy as np

from ..settings import InputError
from .arrays import read_npy, read_npz
from .files import PICTURES, reading
from .pictures import read_picture

MOST_GRAY = 0.25  #: largest share of pixels about halfway between dark and bright: soft edges have fewer, photos more


def load_mask(path):
    """(known, notes): (H, W) bool, True where a pixel is known, from a picture, .npy, or `mask` or `image` of .npz.

    Known is what has at least half of the largest value; of colours, by their mean, what is nearer to the brightest
    than to the darkest. Where all that is opaque has one colour, the alpha channel tells: the hole is what is
    transparent in white, or painted in another colour. InputError for a scan, a photo.
    """
    path = Path(path)
    with reading(path) as kind:
        values, alpha, notes = _values(path, kind)
        if values.ndim == 3 and 1 in (values.shape[0], values.shape[-1]):
            values = values.squeeze(0 if values.shape[0] == 1 else -1)
        if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[-1] != 3):
            raise InputError(f"a mask must have shape (H, W) or (H, W, 3), got {values.shape}")
        if values.dtype.kind == "c" or not np.isfinite(values).all():
            raise InputError("a mask must contain finite real numbers")
        values = values.astype(np.float32)
        if alpha is not None and alpha.min() < 1:
            seen = values[alpha >= 0.5]  # (n,) or (n, 3)
            if not len(seen) or np.ptp(seen, axis=0).max() > 0.1:
                raise InputError("its alpha channel and its colours say different things: save it as gray, black in "
                                 "the hole")
            white = seen[0].min() >= 0.5
            values = alpha if white else 1 - alpha
            notes = (f"the hole was read off the alpha channel: what is {'transparent' if white else 'painted'}",)
        coloured = values.ndim == 3 and (values != values[..., :1]).any()
        values = values.mean(axis=-1) if values.ndim == 3 else values
        low, high = float(values.min()), float(values.max())
        if high > low and np.mean(np.abs((values - low) / (high - low) - 0.5) < 0.3) > MOST_GRAY:
            raise InputError("it is gray in most places, as a photo is: a mask is black in the hole, white elsewhere")
        return (values >= ((low if coloured else min(low, 0)) + high) / 2) & (high > 0), notes


def _values(path, kind):
    """The values of a mask file as stored, its alpha channel or None, and notes."""
    if kind in PICTURES:
        return *read_picture(path)[:2], ()  # its notes are on gray levels
    if kind == ".npz":
        arrays, names = read_npz(path, ("mask", "image"))
        if not arrays:
            raise InputError("must hold 'mask' or 'image', got " + (", ".join(map(repr, names))[:200] or "nothing"))
        return arrays.get("mask", arrays.get("image")), None, ()
    if kind == ".npy":
        with open(path, "rb") as file:
            return read_npy(file, path.stat().st_size), None, ()
    raise InputError("a mask must be a picture or an array, got a scan")
