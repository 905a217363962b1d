"""Lesson 16: altered images, and what exact samples of a posterior are like."""

import math

import numpy as np
import pytest
import torch

from aseqdip_lite import configure, load_case
from aseqdip_lite.course.theory import priors
from aseqdip_lite.images import Image, load_image
from aseqdip_lite.images.types import fit

PIXELS, M = 40_000, 4


@pytest.fixture(scope="module")
def exact():
    """Exact samples (M, PIXELS) and the truth (1, PIXELS): complex Gaussian pixels, each seen with noise."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.complex128)

    truth = draw(1, PIXELS)
    y, variance = truth + 0.5 * draw(1, PIXELS), 0.25 / 1.25
    return y / 1.25 + variance**0.5 * draw(M, PIXELS), truth, variance


def test_exact_samples_err_as_the_formulas_say(exact):
    samples, truth, variance = exact
    found = priors.spread(samples, truth)
    assert found["one"] ** 2 == pytest.approx(2 * variance, rel=0.03)
    assert found["mean"] ** 2 == pytest.approx((1 + 1 / M) * variance, rel=0.03)
    assert found["spread"] ** 2 == pytest.approx(variance, rel=0.03)
    assert 20 * math.log10(found["one"] / found["mean"]) == pytest.approx(priors.gain(M), abs=0.1)


def test_the_truth_is_a_sample_among_exact_ones(exact):
    samples, truth, _ = exact
    place = priors.ranks(samples, truth)
    share = torch.bincount(place.flatten(), minlength=M + 1) / place.numel()
    assert place.numel() == 2 * PIXELS and torch.allclose(share, torch.full((M + 1,), 1 / (M + 1)), atol=0.01)
    assert float(share[0] + share[-1]) == pytest.approx(priors.outside(M), abs=0.02)


def test_samples_that_are_too_near_to_each_other_are_found(exact):
    samples, truth, _ = exact
    narrow = samples.mean(dim=0) + 0.5 * (samples - samples.mean(dim=0))
    found, place = priors.spread(narrow, truth), priors.ranks(narrow, truth)
    assert 20 * math.log10(found["one"] / found["mean"]) < priors.gain(M) - 0.5
    assert float(((place == 0) | (place == M)).double().mean()) > 1.3 * priors.outside(M)


def test_what_is_kept_is_the_share_of_a_linear_method_and_more_is_no_share():
    without, with_it = priors.with_lesions(load_image("brain-096"), 48, [(0.4, 0.4), (0.6, 0.6)])
    t = with_it.array - without.array
    assert t.max() > 0.2 * without.array.max() and t.min() < 0
    for share in (0.0, 0.6, 1.0):
        assert priors.kept(without.array, with_it.array, 3.0, 3.0 + share * t) == pytest.approx(share, abs=1e-6)


def test_a_disc_has_its_area_and_its_place():
    found = priors.disc((64, 64), (20.0, 40.0), 6.0)
    rows, columns = np.indices(found.shape)
    assert found.sum() == pytest.approx(math.pi * 36, rel=0.02)
    assert np.allclose([(found * rows).sum(), (found * columns).sum()] / found.sum(), (20, 40), atol=1e-3)


def test_another_contrast_keeps_black_and_turns_the_order_of_tissues():
    image = Image("ramp", np.linspace(0, 2, 64, dtype=np.float32).reshape(8, 8))
    found, share = priors.turned(image).array, image.array / 2
    assert found[0, 0] == 0 and (np.diff(found[share > priors.TISSUE]) < 0).all()


def test_the_abdomen_is_an_mr_image_of_pydicom_and_fits_the_task():
    image = priors.abdomen()
    case = load_case("mri", image, size=32, coils=4)
    assert case.truth.shape == (32, 32) and fit(image, 32).max() == pytest.approx(case.data_range)


@pytest.mark.parametrize("task, name, expected", [("mri", "ddnm", 1), ("mri", "dps", 1), ("mri", "score_mri", 2),
                                                  ("ct", "mcg", 2)])
def test_calls_of_a_step_are_those_that_the_lesson_lists(task, name, expected):
    observation = load_case(task, size=16).observation
    assert priors.calls(observation, configure(name, task, steps=3)) == expected


def test_a_training_has_paid_where_the_lines_cross():
    n = priors.pays_after(900.0, 60.0, 15.0)
    assert 900 + 15 * n == pytest.approx(60 * n) and priors.pays_after(900.0, 1.0, 2.0) == math.inf
