"""Exercises of lesson 16: a denoiser as a noise estimate, a damped data step, exact samples, what a training costs."""

import math

from .drawing import draw
from .table import exercise


def denoiser(mean, sd):
    """D(x, s), the posterior mean of pixels N(mean, sd^2) given x = x_0 + s n: the best denoiser for these pixels."""
    return lambda x, s: (s**2 * mean + sd**2 * x) / (s**2 + sd**2)


def noisy():
    """(u, abar, D): images in the units of DDPM at three places of its chain, each with a denoiser."""
    return [(math.sqrt(abar) * (mean + sd * draw(6, 6, seed=seed)) + math.sqrt(1 - abar) * draw(6, 6, seed=seed + 1),
             abar, denoiser(mean, sd)) for seed, (abar, mean, sd) in enumerate(((0.9, 0.2, 0.3), (0.5, 0.5, 0.2),
                                                                               (0.05, -0.1, 0.4)))]


@exercise("learned.eps", noisy, (
    "x = u / sqrt(abar) = x_0 + s n with s = sqrt((1 - abar) / abar): replace x_0 by D and solve for n"), tol=1e-4)
def eps(u, abar, D):
    """A function (u, abar, D) -> the estimate of n in u = sqrt(abar) x_0 + sqrt(1 - abar) n, with D(x, s) at hand."""
    x, s, noise = u / math.sqrt(abar), math.sqrt((1 - abar) / abar), math.sqrt(1 - abar)
    return {
        None: (x - D(x, s)) / s,
        "D expects x = x_0 + s n: divide u by sqrt(abar) first": [(u - D(u, s)) / s, (u - D(u, noise)) / noise],
        "sqrt(1 - abar) is the noise in u; in x = u / sqrt(abar) it is larger": [
            (x - D(x, noise)) / noise, (x - D(x, noise)) / s, (x - D(x, s)) / noise],
        "the level s is a standard deviation: you forgot the square root": [
            (x - D(x, s**2)) / s**2, (x - D(x, s**2)) / s, (x - D(x, s)) / s**2],
        "your answer is the score, -n / s": (D(x, s) - x) / s**2,
        "the sign is wrong: s n is what x has in addition to the picture": (D(x, s) - x) / s,
        "your answer is s n: divide by s": x - D(x, s),
        "your answer is the estimate of the picture, not of the noise": D(x, s),
    }


def given():
    """(x0, y, s, sd, sigma): a denoised and a noisy picture at three levels of the sampler's noise."""
    return [(draw(5, 5, seed=seed), draw(5, 5, seed=seed + 1), s, sd, sigma)
            for seed, (s, sd, sigma) in enumerate(((2.0, 0.3, 0.1), (0.2, 0.4, 0.1), (0.05, 0.3, 0.2)))]


@exercise("learned.step", given, (
    "two Gaussians meet, N(x0, r^2) and, from the data, N(y, sigma^2): weigh each by the inverse of its variance"),
          tol=1e-4)
def step(x0, y, s, sd, sigma):
    """A function (x0, y, s, sd, sigma) -> DDNM's image x_0' in denoising, A = I, with r^2 = s^2 sd^2 / (s^2 + sd^2)."""
    r = s * sd / math.sqrt(s**2 + sd**2)

    def moved(share):
        return x0 + share * (y - x0)

    return {
        None: moved(r**2 / (r**2 + sigma**2)),
        "the weights are the wrong way round: where the sampler's noise is large, trust y": moved(
            sigma**2 / (r**2 + sigma**2)),
        "r is at most s and at most sd: the picture is known at least as well as an image of the prior": [
            moved(s**2 / (s**2 + sigma**2)), moved((s**2 + sd**2) / (s**2 + sd**2 + sigma**2)),
            moved(sd**2 / (sd**2 + sigma**2))],
        "weigh by variances, not by standard deviations": moved(r / (r + sigma)),
        "r^2 is the product of s^2 and sd^2 over their sum: the two variances combine like parallel resistors": moved(
            s**2 * sd**2 / (s**2 * sd**2 + sigma**2)),
        "your answer is the step for a y without noise, x_0' = y: here the noise of y would end up in the picture": y,
        "that does not use y": x0,
        "your answer is the change x_0' - x0": moved(r**2 / (r**2 + sigma**2)) - x0,
    }


@exercise("learned.gain", [(2,), (4,), (16,)], (
    "the square error of one sample is 2 v, where v is the posterior's variance; the mean of m samples has v from the "
    "truth plus v / m from the mean"), tol=1e-3)
def gain(m):
    """A function m -> dB by which the mean of m exact samples exceeds one of them, on average."""
    return {
        None: 10 * math.log10(2 * m / (m + 1)),
        "the errors of two samples are not independent: both miss the same truth, and that part stays":
            10 * math.log10(m),
        "your answer is the limit of many samples": 10 * math.log10(2),
        "your answer is how far it remains below the mean of infinitely many": 10 * math.log10(1 + 1 / m),
        "the sign is wrong: the mean has the smaller error": -10 * math.log10(2 * m / (m + 1)),
        "your answer is a ratio: 10 log10 of it is dB": 2 * m / (m + 1),
        "20 log10 is for amplitudes: variances are squares already": 20 * math.log10(2 * m / (m + 1)),
        "10 log10, not ln": 10 * math.log(2 * m / (m + 1)),
    }


@exercise("learned.gain:missing", [(2,), (4,), (16,)], (
    "the square error of the mean of m is (1 + 1 / m) v, and that of the mean of infinitely many is v"), tol=1e-3,
          instead="Return the dB by which the mean of m exact samples is below the mean of infinitely many",
          solution="lambda m: 10 * math.log10(1 + 1 / m)")
def missing(m):
    """A function m -> dB by which the mean of m exact samples is below the mean of infinitely many."""
    return {
        None: 10 * math.log10(1 + 1 / m),
        "your answer is the gain from one sample to the mean of m": 10 * math.log10(2 * m / (m + 1)),
        "the error of the mean does not vanish like 1 / m: the truth's own distance from the posterior mean remains":
            10 * math.log10(m),
        "the sign is wrong: return how far it is below, a number above 0": -10 * math.log10(1 + 1 / m),
        "your answer is a ratio: 10 log10 of it is dB": 1 + 1 / m,
        "20 log10 is for amplitudes: variances are squares already": 20 * math.log10(1 + 1 / m),
    }


@exercise("learned.outside", [(1,), (4,), (19,)], (
    "sort the m samples and the truth: exact samples are drawn as the truth is, so each of the m + 1 is equally likely "
    "to be the largest"), tol=1e-4)
def outside(m):
    """A function m -> probability that the truth of a pixel lies outside the range of m exact samples."""
    return {
        None: 2 / (m + 1),
        "that counts one end: the truth may be the smallest as well as the largest": 1 / (m + 1),
        "there are m + 1 numbers to sort: the truth is one more": 2 / m,
        "your answer is the probability that the truth lies inside": (m - 1) / (m + 1),
        "that would be right if independent coins put the samples on either side of the truth: but they share their "
        "centre, and the truth may lie far from it": 2 * 0.5**m,
        "your answer is a fixed share: but with more samples the range grows": 0.05,
        "return a probability, not a percentage": 200 / (m + 1),
    }


@exercise("learned.bill", [(972.0, 60.0, 3.0), (240.0, 2.0, 1.5), (1000.0, 100.0, 75.0)], (
    "after n images one method has cost training + n fast and the other n slow: where do the lines cross?"), tol=1e-4)
def bill(training, slow, fast):
    """A function (training, slow, fast), seconds, the last two for one image -> images until training has paid."""
    return {
        None: training / (slow - fast),
        "the trained method also takes time for each image": training / slow,
        "each image saves the difference of the two": [training / (slow + fast), training / fast],
        "your answer is upside down: that is the share of the training that one image pays back":
            (slow - fast) / training,
        "the sign is wrong: an image takes longer without training": training / (fast - slow),
        "do not round: the number of images may be a fraction": [
            math.ceil(training / (slow - fast)), math.floor(training / (slow - fast))],
        "your answer is only the difference of the seconds": slow - fast,
    }
