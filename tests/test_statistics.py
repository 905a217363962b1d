"""Intervals cover what they say, the noise floor lets one of 20 equal pairs pass, and tables say which it is."""

import numpy as np
import pytest
from scipy import stats

from aseqdip_lite.study.statistics import difference, floor, interval
from aseqdip_lite.study.tables import cell


def is_finding(found):
    """Whether a table does not call a difference level."""
    level = abs(found["mean"]) <= found["floor"]
    assert level == ("level" in cell(found))
    return not level


def samples(skewness, images, draws=3000):
    """Draws of mean 0 and deviation 1, (draws, images), normal for skewness 0, else of a gamma law."""
    rng = np.random.default_rng(images)
    if not skewness:
        return rng.normal(size=(draws, images))
    shape = 4 / skewness**2
    return (rng.gamma(shape, size=(draws, images)) - shape) / shape**0.5


@pytest.mark.parametrize("images", [6, 10, 20])
@pytest.mark.parametrize(("skewness", "least"), [(0, 0.94), (1, 0.92), (2, 0.87)])
def test_the_interval_covers_the_mean_as_often_as_its_docstring_says(images, skewness, least):
    found = [interval(list(values)) for values in samples(skewness, images)]
    assert least <= np.mean([one["low"] <= 0 <= one["high"] for one in found]) <= 0.96


def test_the_interval_is_that_of_a_t_test():
    values = [0.3, 1.2, -0.4, 0.8, 2.0, 0.1, 0.9]
    bounds = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert interval(values) == dict(mean=pytest.approx(0.7), values=values, low=pytest.approx(bounds.low),
                                    high=pytest.approx(bounds.high))


def test_below_six_images_there_are_their_values_alone():
    assert interval([1.0, 2.0, 3.0, 4.0, 5.0]) == dict(mean=3.0, values=[1.0, 2.0, 3.0, 4.0, 5.0], low=None, high=None)
    assert interval([2.0] * 6) == dict(mean=2.0, values=[2.0] * 6, low=2.0, high=2.0)
    assert interval([]) is None


@pytest.mark.parametrize(("images", "seeds"), [(3, 3), (1, 2), (8, 3)])
def test_of_equal_methods_one_mean_of_20_is_above_the_noise_floor(images, seeds):
    """Also on one of the images, though each has its own level."""
    rng = np.random.default_rng(0)
    false = dict(all=0, first=0)
    for draw in rng.normal(scale=0.7, size=(1500, images, seeds)):
        gaps = {str(image): list(values) for image, values in enumerate(draw)}
        false["all"] += is_finding(difference(gaps))
        false["first"] += is_finding(difference(gaps, ["0"]))
    assert all(0.035 < count / 1500 < 0.065 for count in false.values())


def test_the_image_is_the_unit():
    """The mean is over images whatever their numbers of seeds; the noise is that around each image's own mean."""
    gaps = dict(a=[1.0, 3.0], b=[10.0, 10.0, 10.0, 10.0])
    found = difference(gaps)
    assert found["mean"] == 6.0 and found["values"] == [2.0, 10.0]
    deviation = (2 / 4) ** 0.5  # squares of 2 with four degrees of freedom
    scale = (1 / 2 + 1 / 4) ** 0.5 / 2  # the deviation of the mean of two means
    assert found["floor"] == floor(gaps, [2, 4]) == pytest.approx(2.776 * deviation * scale, rel=1e-3)


def test_one_seed_has_no_noise_floor():
    found = difference(dict(a=[0.1], b=[0.2]))
    assert found["floor"] is None and difference({}) is None


@pytest.mark.parametrize(("gaps", "text"), [
    (dict(a=[0.5]), "+0.50"), (dict(a=[0.5], b=[-0.1]), "+0.20 (+0.50, -0.10)"),
    (dict(a=[0.5, 0.7], b=[-1.1, -0.9]), "-0.20 (+0.60, -1.00), level"),
    ({str(image): [1.0 + image] for image in range(6)}, "+3.50 [+1.54, +5.46]")])
def test_a_difference_in_words(gaps, text):
    assert cell(difference(gaps), 2) == text
