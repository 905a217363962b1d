"""A learned prior put to the test: altered images, and what samples of a posterior must be like if they are exact.

Let x be drawn from a prior, y measured of it, and let s_1, ..., s_m be exact samples of p(x | y). Given y, all m + 1
images have one distribution. With v the posterior's variance and M the mean of the samples follows, per pixel,

    E (s_i - x)^2 = 2 v,    E (M - x)^2 = (1 + 1 / m) v,    P(x outside of the range of the samples) = 2 / (m + 1).

None of these needs another posterior than the one that is claimed, so a measured violation is a fault of the samples.
"""

import math
from dataclasses import replace

import numpy as np
import torch

from ...images import Image, fit

TISSUE = 0.15  #: share of the peak from which on `turned` takes a pixel for tissue
PLACES = ((0.30, 0.40), (0.30, 0.60), (0.70, 0.38), (0.70, 0.62))  #: of pasted discs, rows and columns in sides
ABDOMEN = "examples_overlay.dcm"  #: MR of an abdomen among the test files of the pydicom wheel, MIT


def turned(image):
    """An `Image` in another contrast: within tissue bright is dark and dark is bright; what is black stays black."""
    share = image.array / image.array.max()
    return replace(image, name=f"{image.name}, turned", array=(np.clip(share / TISSUE, 0, 1) * (1.1 - share)).astype(
        np.float32))


def abdomen():
    """An MR `Image` of an abdomen with the peak 1, of pydicom's test files: an organ that no training has seen."""
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    pixels = dcmread(get_testdata_file(ABDOMEN, download=False)).pixel_array
    return Image("abdomen", (pixels / pixels.max()).astype(np.float32), shipped=True)


def disc(shape, place, radius):
    """1 within `radius` pixels of a place (row, column), 0 beyond it, falling over a pixel: (H, W) float32."""
    rows, columns = np.indices(shape)
    return np.clip(radius + 0.5 - np.hypot(rows - place[0], columns - place[1]), 0, 1).astype(np.float32)


def with_lesions(image, size, places=PLACES, radius=2.5, contrast=0.3):
    """Two `Image`s of size x size pixels: as it is, and with discs, by turns brighter and darker.

    Args:
        places: (row, column) of each, as shares of the size. radius: in pixels. contrast: in units of the image's peak.
    """
    array = fit(image, size)
    changed = array.copy()
    for number, place in enumerate(places):
        sign = 1 if number % 2 == 0 else -1
        changed += sign * contrast * array.max() * disc(array.shape, np.multiply(place, size), radius)
    return Image(image.name, array), Image(f"{image.name}, lesions", changed.clip(0, None))


def kept(without, with_it, answer_without, answer_with):
    """Share of what was added to an image that arrives in an answer: <d, t> / <t, t>, t the change of the truth and d
    that of the answer. 1 if all arrives; arrays (H, W).
    """
    t, d = with_it - without, answer_with - answer_without
    return float((d * t).sum() / (t * t).sum())


def gain(m):
    """dB from one exact sample to the mean of m of them, 10 log10(2 m / (m + 1)); 3 dB as m grows."""
    return 10 * math.log10(2 * m / (m + 1))


def outside(m):
    """Probability that the truth lies outside of the range of m exact samples."""
    return 2 / (m + 1)


def ranks(samples, truth):
    """At each number of the truth, how many of the samples lie below it: 0 to m, all as probable for exact samples.

    Args:
        samples: (m, ...) tensor; truth: (1, ...) tensor. Of complex ones Re and Im count apart.
    """
    samples, truth = (torch.view_as_real(x) if x.is_complex() else x for x in (samples, truth))
    return (samples < truth).sum(dim=0)


def spread(samples, truth):
    """{"one", "mean", "spread"}: rms over all pixels of a sample's error, of their mean's error, and of the deviation
    sqrt(sum |s_i - mean|^2 / (m - 1)) of the samples (m, ...), of real or complex tensors.
    """
    mean, count = samples.mean(dim=0), len(samples)
    return dict(one=rms(samples - truth), mean=rms(mean - truth[0]),
                spread=rms(samples - mean) * math.sqrt(count / (count - 1)))


def rms(x):
    """Root of the mean square of the absolute values."""
    return float(x.abs().square().mean().sqrt())


def pays_after(training, slow, fast):
    """Number of reconstructions after which `training` seconds are saved, at `slow` seconds each without it and `fast`
    with it; infinite if it saves none.
    """
    return training / (slow - fast) if slow > fast else math.inf


def calls(observation, method):
    """How often a step of a sampler calls the denoiser, counted in its first step."""
    carry, found = method.init(observation, 0), []
    carry.network.denoiser.register_forward_hook(lambda *_: found.append(1))
    method.step(observation, carry)
    return len(found)
