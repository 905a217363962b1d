"""Sampling masks of Cartesian MRI: which columns or which points of k-space are measured.

A mask (W,) picks columns: the phase encoding lines of a 2D scan, each read out along its H rows. A mask (H, W) picks
points: a 3D scan has two phase encoding directions, and one slice across its readout shows each measured line as a
point. All masks are float32 tensors of zeros and ones, and the zero frequency lies at index W // 2 (H // 2).

An acceleration is at least 1 and at most the number of columns (points), else InputError; random choices come from
the `generator`, a torch.Generator.
"""

import torch

from ..settings import InputError

CENTRE = 0.32  #: share of the samples that the fully sampled centre takes: 8 % of the columns at 4x, 4 % at 8x
CALIBRATION = 24  #: side of the largest calibration square
DENSITY = 3  #: exponent of the sampling density of points
PATTERNS = ("random", "equispaced", "variable-density")  #: the patterns that `draw_mask` knows


def draw_mask(pattern, shape, acceleration, generator, support=None):
    """The mask of a pattern for k-space of shape (H, W): (W,) for the first two patterns, (H, W) for the last.

    Of a `support` (H, W), true where k-space was measured at all, only that is drawn from, and the acceleration counts
    it alone. The mask is (H, W) then, unless whole columns are missing.
    """
    if pattern == "variable-density":
        return variable_density_mask(shape, acceleration, generator, support)
    draw = dict(random=column_mask, equispaced=equispaced_mask)[pattern]
    if support is None:
        return draw(shape[1], acceleration, generator)
    columns = support.any(dim=0).nonzero().flatten()
    first, last = int(columns[0]), int(columns[-1])
    mask = torch.zeros(shape[1])
    mask[first:last + 1] = draw(last + 1 - first, acceleration, generator, shape[1] // 2 - first)
    return mask if bool((support == support.any(dim=0)).all()) else mask * support


def column_mask(width, acceleration, generator, zero=None):
    """Exactly round(width / acceleration) sampled columns, (width,): the fully sampled centre and random others.

    The centre takes 0.32 / acceleration of the width (8 % at 4x, 4 % at 8x), rounded, but at least the zero frequency,
    which lies at index `zero`, width // 2 by default; the centre stays inside the mask.
    """
    mask, others = _centre_columns(width, acceleration, zero)
    outside = torch.nonzero(mask == 0).flatten()
    mask[outside[torch.randperm(len(outside), generator=generator)[:others]]] = 1
    return mask


def equispaced_mask(width, acceleration, generator, zero=None):
    """The fully sampled centre columns of `column_mask` and a comb of equal spacing over the whole width, (width,).

    The spacing is that of fastMRI (Zbontar et al., arXiv:1811.08839), (width - centre) / (round(width / acceleration) -
    centre): counted outside of the centre, the comb completes round(width / acceleration) columns, to within one. It is
    rarely a whole number, so the gaps are the two whole numbers next to it. The random offset is uniform in one
    spacing.
    """
    mask, others = _centre_columns(width, acceleration, zero)
    if others:
        spacing = int((mask == 0).sum()) / others
        offset = spacing * float(torch.rand((), generator=generator, dtype=torch.float64))
        teeth = offset + spacing * torch.arange(width, dtype=torch.float64)
        mask[teeth[teeth < width].long()] = 1  # rounded down
    return mask


def variable_density_mask(shape, acceleration, generator, support=None):
    """Exactly round(H W / acceleration) sampled points (H, W), dense near the zero frequency and thin at the corners.

    A centre square of side 24, or less where that takes more than 0.32 of the samples or does not fit, is fully
    sampled, so that coil maps can be estimated from it. The others are drawn without replacement, with odds (1 - r)^3
    where r is the distance from the zero frequency, 1 beyond the corners (polynomial density: Lustig et al., MRM 2007).
    Where there is a `support`, its points take the place of all H W.
    """
    h, w = shape
    inside = torch.ones(shape) if support is None else support.float()
    points = int(inside.sum())
    if not 1 <= acceleration <= points:
        raise InputError(f"acceleration must lie between 1 and the {points} points of k-space, got {acceleration:g}")
    sampled = round(points / acceleration)
    centre = max(min(CALIBRATION, h, w, int((CENTRE * sampled) ** 0.5)), 1)
    y, x = ((torch.arange(n, dtype=torch.float64) - n // 2) / (n // 2 + 1) for n in shape)
    odds = (1 - torch.hypot(y[:, None], x[None]) / 2**0.5) ** DENSITY * inside  # (H, W), positive up to the corners
    mask = torch.zeros(shape)
    mask[centre_square(shape, centre)] = 1
    mask *= inside
    odds[mask == 1] = 0
    others = sampled - int(mask.sum())
    if others:
        mask.view(-1)[torch.multinomial(odds.flatten(), others, generator=generator)] = 1
    return mask


def hold_out(mask, shape, share, generator):
    """Split a mask, (W,) or (H, W), into (seen, held): what methods see, and what is held out to check their answers.

    Of the mask's columns or points outside of the calibration square of k-space `shape`, a random `share` between 0 and
    1 is held out, rounded to a whole number; InputError if that is none or all of them.
    """
    square = centre_square(shape, calibration_width(mask.expand(shape)))
    outside = mask.clone()
    outside[square[-mask.ndim:]] = 0
    places = outside.flatten().nonzero().flatten()
    count = round(share * len(places))
    if not 0 < count < len(places):
        kind = "columns" if mask.ndim == 1 else "points"
        raise InputError(f"holdout {share:g} takes {count} of the {len(places)} measured {kind} outside of the "
                         "calibration centre: choose another share, or a lower acceleration")
    held = torch.zeros_like(mask)
    held.view(-1)[places[torch.randperm(len(places), generator=generator)[:count]]] = 1
    return mask - held, held


def calibration_width(mask):
    """Side of the largest fully sampled centred square of a (H, W) mask, up to `CALIBRATION`; 0 if there is none."""
    widths = range(min(CALIBRATION, *mask.shape), 0, -1)
    return next((width for width in widths if bool((mask[centre_square(mask.shape, width)] == 1).all())), 0)


def centre_square(shape, width):
    """The slices of a square of side `width` around the zero frequency of k-space (H, W), cut as sigpy cuts it."""
    return tuple(slice(n // 2 - width // 2, n // 2 - width // 2 + width) for n in shape)


def _centre_columns(width, acceleration, zero=None):
    """A mask (width,) of the centre columns alone, and how many others complete round(width / acceleration)."""
    if not 1 <= acceleration <= width:
        raise InputError(f"acceleration must lie between 1 and the {width} columns of k-space, got {acceleration}")
    sampled = round(width / acceleration)
    centre = max(round(width * CENTRE / acceleration), 1)
    first = (width // 2 if zero is None else zero) - centre // 2  # index width // 2 is the zero frequency
    first = min(max(first, 0), width - centre)
    mask = torch.zeros(width)
    mask[first:first + centre] = 1
    return mask, sampled - centre
