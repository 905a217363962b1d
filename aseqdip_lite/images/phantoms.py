"""Phantoms made of ellipses.

An ellipse is a row (value, a, b, x, y, phi): half axes a and b, centre (x, y), with y pointing up,
in units where the square image is [-1, 1]^2, and the turn phi of the axis a, counterclockwise in
degrees. Values of overlapping ellipses add up.
"""

import math

import numpy as np

#: Shepp and Logan, IEEE Trans. Nucl. Sci. 21(3), 1974, with the higher contrasts of Toft, PhD thesis, DTU, 1996.
SHEPP_LOGAN = (
    (1.0, 0.69, 0.92, 0.0, 0.0, 0.0), (-0.8, 0.6624, 0.874, 0.0, -0.0184, 0.0),
    (-0.2, 0.11, 0.31, 0.22, 0.0, -18.0), (-0.2, 0.16, 0.41, -0.22, 0.0, 18.0), (0.1, 0.21, 0.25, 0.0, 0.35, 0.0),
    (0.1, 0.046, 0.046, 0.0, 0.1, 0.0), (0.1, 0.046, 0.046, 0.0, -0.1, 0.0), (0.1, 0.046, 0.023, -0.08, -0.605, 0.0),
    (0.1, 0.023, 0.023, 0.0, -0.606, 0.0), (0.1, 0.023, 0.046, 0.06, -0.605, 0.0))


def shepp_logan(size=512):
    """The Shepp-Logan head phantom, (size, size) float32 in [0, 1]."""
    return ellipse_image(SHEPP_LOGAN, size).clip(0, 1)  # rounding leaves a few -1e-8


def ellipse_image(ellipses, size, oversample=4):
    """Picture (size, size) float32: each pixel the mean over oversample x oversample points within it."""
    fine = size * oversample
    axis = (np.arange(fine) - (fine - 1) / 2) * (2 / fine)
    X, Y = axis[None, :], -axis[:, None]
    image = np.zeros((fine, fine), dtype=np.float32)
    for value, a, b, x, y, phi in ellipses:
        c, s = math.cos(math.radians(phi)), math.sin(math.radians(phi))
        along, across = (X - x) * c + (Y - y) * s, (Y - y) * c - (X - x) * s
        image[(along / a) ** 2 + (across / b) ** 2 <= 1] += value
    return image.reshape(size, oversample, size, oversample).mean(axis=(1, 3))
