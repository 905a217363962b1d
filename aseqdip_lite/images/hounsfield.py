"""Hounsfield units and attenuation relative to water, and what makes it implausible that values have that unit."""

import numpy as np

LUNG = -800  #: Hounsfield units below which there is air: lungs begin here


def attenuation(hu):
    """max(1 + HU / 1000, 0): attenuation relative to water, float32, from Hounsfield units."""
    return np.maximum(1 + np.asarray(hu, dtype=np.float64) / 1000, 0).astype(np.float32)


def without_air(hu):
    """A note on Hounsfield units that do not go down to air, as those that were clipped to a window; else none."""
    low = float(np.min(hu))
    return () if low < LUNG else (f"its lowest value is {low:g} HU, attenuation {1 + low / 1000:.2g}: if there is air "
                                  "in it, its values were clipped to a window; save them before that",)


def no_hounsfield(values):
    """Why values are hardly Hounsfield units, air -1000 and water 0, and what else they may be; None if they may be.

    With an offset there is no air at -1000, noise on air at 0 apart, but water at 1000 or 1024.
    """
    low, high = float(np.min(values)), float(np.max(values))
    if high - low < 20 and low < 0:
        return f"has values from {low:g} to {high:g}, too near 0 for Hounsfield units: if HU / 1000, multiply by 1000"
    if low > -200 and np.mean((values > 850) & (values < 1250)) > 0.05:
        return ("has no air at -1000 but many values near 1000: if they are Hounsfield units plus an offset, as "
                "HU + 1024, subtract it")
    return "has no value below 0 as air has in Hounsfield units: store them with a sign" if low >= 0 else None


def no_attenuation(values):
    """Why values are hardly attenuation relative to water, air 0 and water 1; None if they may be.

    Noise and the ringing of a reconstruction go a little below 0, metal goes up to about 30.
    """
    low, high = float(values.min()), float(values.max())
    if low < -10:
        return f"has values down to {low:g}, which no attenuation has: if they are Hounsfield units, add --unit hu"
    if np.mean(values < -0.6) > 0.01:
        return (f"has values from {low:g} to {high:g}, where air is 0 and water 1: if they are HU / 1000, add 1; if a "
                "picture scaled to [-1, 1], add 1 and halve")
    if 40 < high <= 255:
        return f"has values up to {high:g}, where water is 1: if they are gray levels of 8 bit, divide them by 255"
    if high > 40:
        return (f"has values up to {high:g}, where water is 1: if they are Hounsfield units plus an offset, as "
                "HU + 1024, subtract it and add --unit hu")
    return None
