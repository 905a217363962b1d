"""Sampling masks by mathematics: counts, centre, spacing, density, seeds, what is held out."""

import numpy as np
import pytest
import torch
from checks import error_of, generator
from hypothesis import assume, given
from hypothesis import strategies as st

from aseqdip_lite.operators.sampling import (
    PATTERNS,
    calibration_width,
    centre_square,
    column_mask,
    draw_mask,
    equispaced_mask,
    hold_out,
    variable_density_mask,
)

COLUMNS = [column_mask, equispaced_mask]
seeds = st.integers(0, 2**63 - 1)
sides = st.integers(16, 90)


def is_mask(mask, shape):
    """Whether it is a float32 tensor of zeros and ones of this shape."""
    return mask.shape == torch.Size(shape) and mask.dtype == torch.float32 and set(mask.unique().tolist()) <= {0, 1}


# All patterns.

@given(pattern=st.sampled_from(PATTERNS), h=sides, w=sides, acceleration=st.floats(1, 16), seed=seeds)
def test_every_mask_meets_its_acceleration(pattern, h, w, acceleration, seed):
    mask = draw_mask(pattern, (h, w), acceleration, generator(seed))
    points = pattern == "variable-density"
    assert is_mask(mask, (h, w) if points else (w,))
    assert mask[(h // 2, w // 2) if points else w // 2] == 1, "the zero frequency is measured"
    assert abs(int(mask.sum()) - round((h * w if points else w) / acceleration)) <= (pattern == "equispaced")
    assert torch.equal(mask, draw_mask(pattern, (h, w), acceleration, generator(seed)))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_masks_depend_on_the_seed(pattern):
    masks = {tuple(draw_mask(pattern, (50, 200), 8, generator(seed)).flatten().tolist()) for seed in range(10)}
    assert len(masks) == 10


@pytest.mark.parametrize("pattern", PATTERNS)
def test_acceleration_1_samples_everything(pattern):
    for shape in ((16, 16), (17, 40), (31, 320)):
        assert draw_mask(pattern, shape, 1, generator()).all()


@given(pattern=st.sampled_from(PATTERNS), h=sides, w=sides, cut=st.tuples(*[st.floats(0, 0.9)] * 4),
       acceleration=st.floats(1, 8), seed=seeds)
def test_a_mask_lies_inside_of_its_support(pattern, h, w, cut, acceleration, seed):
    """Margins of any widths on the four sides; what they leave holds the zero frequency."""
    support = torch.zeros(h, w, dtype=torch.bool)
    top, bottom, left, right = (int(share * n) for share, n in zip(cut, (h // 2, h // 2, w // 2, w // 2), strict=True))
    support[top:h - bottom, left:w - right] = True
    inside = support.sum() if pattern == "variable-density" else w - left - right
    assume(acceleration <= inside)
    mask = draw_mask(pattern, (h, w), acceleration, generator(seed), support)
    rows_missing = top + bottom > 0 or pattern == "variable-density"
    assert is_mask(mask, (h, w) if rows_missing else (w,))
    drawn = mask.expand(h, w) == 1
    assert not (drawn & ~support).any() and drawn[h // 2, w // 2]
    count = drawn.sum() if pattern == "variable-density" else drawn.any(dim=0).sum()
    assert abs(int(count) - round(int(inside) / acceleration)) <= (pattern == "equispaced")


# Columns.

@pytest.mark.parametrize("pattern", COLUMNS)
@given(width=st.integers(8, 400), acceleration=st.sampled_from([4, 8]), seed=seeds)
def test_centre_columns_are_fully_sampled(pattern, width, acceleration, seed):
    mask = pattern(width, acceleration, generator(seed))
    centre = max(round(0.32 / acceleration * width), 1)
    first = width // 2 - centre // 2
    assert first <= width // 2 < first + centre and mask[first:first + centre].all()


@pytest.mark.parametrize("pattern", COLUMNS)
@pytest.mark.parametrize("width, acceleration, sampled, centre", [
    (320, 4, 80, 26), (320, 8, 40, 13), (192, 4, 48, 15), (192, 8, 24, 8), (193, 4, 48, 15), (64, 4, 16, 5),
    (64, 8, 8, 3), (100, 1, 100, 32), (8, 8, 1, 1)])
def test_columns_at_named_sizes(pattern, width, acceleration, sampled, centre):
    masks = torch.stack([pattern(width, acceleration, generator(seed)) for seed in range(40)])
    counts = masks.sum(dim=1)
    assert (counts == sampled).all() if pattern is column_mask else (counts - sampled).abs().max() <= 1
    always = masks.all(dim=0)  # 40 random draws leave no other column always sampled, unless all are
    assert int(always.sum()) == (width if acceleration == 1 else centre)
    assert bool(always[width // 2])


@pytest.mark.parametrize("seed, columns", [
    (0, [4, 7, 15, 16, 17, 20, 22, 25]), (1, [0, 3, 4, 15, 16, 17, 20, 23])])
def test_random_columns_stay_what_results_were_made_with(seed, columns):
    assert column_mask(32, 4, generator(seed)).nonzero().flatten().tolist() == columns


@given(width=st.integers(8, 400), acceleration=st.floats(1, 8), seed=seeds)
def test_comb_has_equal_spacing(width, acceleration, seed):
    """Gaps outside of the centre are the two whole numbers next to the spacing, and the comb goes on behind it."""
    sampled = round(width / acceleration)
    centre = max(round(width * 0.32 / acceleration), 1)
    assume(sampled > centre)
    spacing = (width - centre) / (sampled - centre)
    mask = equispaced_mask(width, acceleration, generator(seed))
    first = width // 2 - centre // 2
    left = mask[:first].nonzero().flatten()
    right = mask[first + centre:].nonzero().flatten() + first + centre
    for part in (left, right):
        assert set(part.diff().tolist()) <= {int(np.floor(spacing)), int(np.ceil(spacing))}
    ends = [(left, left), (right, right), (left, right)]
    for one, other in ends:  # n gaps of the comb add up to n spacings, to within one column
        if len(one) and len(other):
            distance = int(other[-1] - one[0])
            assert abs(distance - round(distance / spacing) * spacing) <= 1 + 1e-9
    if len(left) and len(right):
        assert int(left[0]) < spacing and width - int(right[-1]) <= spacing + 1


def test_comb_has_its_acceleration_on_average():
    """The offset is uniform, so every column outside of the centre is sampled equally often."""
    draws = generator()
    masks = torch.stack([equispaced_mask(100, 4, draws) for _ in range(2000)])  # 25 columns, 8 of them the centre
    assert float(masks.sum(dim=1).mean()) == pytest.approx(25, abs=0.05)
    often = masks.mean(dim=0)
    outside = often[often < 1]
    assert len(outside) == 92
    assert (outside - 17 / 92).abs().max() < 5 * (17 / 92 / 2000) ** 0.5


@pytest.mark.parametrize("pattern", COLUMNS)
def test_column_errors(pattern):
    assert error_of(lambda: pattern(64, 65, generator())) == (
        "acceleration must lie between 1 and the 64 columns of k-space, got 65")
    assert error_of(lambda: pattern(64, 0.5, generator())) == (
        "acceleration must lie between 1 and the 64 columns of k-space, got 0.5")


# Points.

@pytest.mark.parametrize("shape, acceleration, side", [
    ((320, 320), 4, 24), ((320, 320), 8, 24), ((192, 192), 8, 24), ((64, 64), 4, 18), ((64, 64), 8, 12),
    ((65, 47), 8, 11), ((16, 400), 1, 16), ((16, 16), 256, 1)])
def test_points_at_named_sizes(shape, acceleration, side):
    masks = torch.stack([variable_density_mask(shape, acceleration, generator(seed)) for seed in range(8)])
    assert (masks.sum(dim=(1, 2)) == round(shape[0] * shape[1] / acceleration)).all()
    for mask in masks:
        assert mask[centre_square(shape, side)].all()
    assert calibration_width(masks.all(dim=0).float()) == (16 if acceleration == 1 else side)


def test_points_are_dense_in_the_middle_and_reach_the_corners():
    """The measured share of points falls from the centre outwards as (1 - r)^3 does, and is even in all directions."""
    draws = generator()
    share = torch.stack([variable_density_mask((65, 65), 8, draws) for _ in range(400)]).mean(dim=0)
    y, x = torch.meshgrid(torch.arange(65) - 32, torch.arange(65) - 32, indexing="ij")
    r = torch.hypot(x.double(), y.double()) / 33 / 2**0.5
    rings = [share[(r >= low) & (r < low + 0.1)].mean() for low in np.arange(0.3, 0.95, 0.1)]
    assert all(one > other for one, other in zip(rings, rings[1:], strict=False))
    # where few points are taken, drawing without replacement is as drawing with it: the shares are as the odds
    near, far = (share[(r >= low) & (r < low + 0.1)].sum() / ((1 - r) ** 3)[(r >= low) & (r < low + 0.1)].sum()
                 for low in (0.6, 0.7))
    assert float(near / far) == pytest.approx(1, abs=0.1)
    assert share[r > 0.9].max() > 0
    share[r < 0.3] = 0  # leaves out the centre square, of even side
    top, bottom, left, right = share[:32].sum(), share[33:].sum(), share[:, :32].sum(), share[:, 33:].sum()
    for half in (bottom, left, right):
        assert float(half / top) == pytest.approx(1, abs=0.02)


def test_point_errors():
    assert error_of(lambda: variable_density_mask((20, 30), 601, generator())) == (
        "acceleration must lie between 1 and the 600 points of k-space, got 601")
    assert error_of(lambda: variable_density_mask((20, 30), 0.5, generator())) == (
        "acceleration must lie between 1 and the 600 points of k-space, got 0.5")


# The calibration square.

def test_calibration_width_is_the_largest_full_square():
    assert calibration_width(torch.ones(64, 64)) == 24
    assert calibration_width(torch.ones(64, 10)) == 10
    assert calibration_width(torch.zeros(16, 16)) == 0
    for width in (1, 5, 8):
        mask = torch.zeros(32, 30)
        mask[16 - width // 2:16 - width // 2 + width, 15 - width // 2:15 - width // 2 + width] = 1
        assert calibration_width(mask) == width


# What is held out.

@given(pattern=st.sampled_from(PATTERNS), h=sides, w=sides, acceleration=st.floats(1, 5), share=st.floats(0.02, 0.9),
       seed=seeds)
def test_held_out_and_seen_make_up_the_mask(pattern, h, w, acceleration, share, seed):
    draws = generator(seed)
    mask = draw_mask(pattern, (h, w), acceleration, draws)
    square = centre_square((h, w), calibration_width(mask.expand(h, w)))
    outside = int(mask.sum()) - int(mask[square[-mask.ndim:]].sum())
    assume(0 < round(share * outside) < outside)
    seen, held = hold_out(mask, (h, w), share, draws)
    assert is_mask(seen, mask.shape) and is_mask(held, mask.shape)
    assert torch.equal(seen + held, mask)
    assert int(held.sum()) == round(share * outside)
    assert seen.expand(h, w)[square].all(), "the coil maps are estimated from the same square"


def test_what_is_held_out_depends_on_the_seed_alone():
    mask = draw_mask("random", (64, 64), 2, generator())
    held = [hold_out(mask, (64, 64), 0.3, generator(seed))[1] for seed in (0, 0, 1)]
    assert torch.equal(held[0], held[1]) and not torch.equal(held[0], held[2])


@pytest.mark.parametrize("pattern, acceleration, share, words", [
    ("random", 4, 0.01, "holdout 0.01 takes 0 of the 11 measured columns outside of the calibration centre: "
                        "choose another share, or a lower acceleration"),
    ("random", 4, 0.99, "holdout 0.99 takes 11 of the 11 measured columns"),
    ("random", 64, 0.5, "holdout 0.5 takes 0 of the 0 measured columns"),
    ("variable-density", 4, 1e-4, "holdout 0.0001 takes 0 of the 700 measured points"),
])
def test_share_that_cannot_be_held_out(pattern, acceleration, share, words):
    mask = draw_mask(pattern, (64, 64), acceleration, generator())
    assert error_of(lambda: hold_out(mask, (64, 64), share, generator())).startswith(words)
