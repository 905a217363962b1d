"""Exercises of lesson 00: PSNR by hand, what N and K count, and who sees the truth."""

import math

import numpy as np

from . import NOTHING, exercise, nothing


def close(answer, expected):
    """Whether two numbers agree to a relative 1e-4."""
    return math.isclose(float(answer), float(expected), rel_tol=1e-4)


@exercise("start.psnr")
def psnr(answer):
    """A function (image, truth, peak) -> PSNR in dB, for arrays (H, W): 10 log10(peak^2 / mean squared error)."""
    generator = np.random.default_rng(5)
    truth = generator.uniform(0, 0.6, (7, 9))
    image, peak = truth + 0.05 * generator.standard_normal(truth.shape), 0.7
    ours = answer(image, truth, peak)
    if nothing(ours):
        return NOTHING
    if np.ndim(ours) != 0:
        return f"one number is expected, yours has the shape {np.shape(ours)}: take the mean over all pixels"
    error = image - truth
    mse = np.mean(error**2)
    if close(ours, 10 * math.log10(peak**2 / mse)):
        return None
    if close(ours, 10 * math.log10(mse / peak**2)):
        return "upside down: a smaller error must give a larger PSNR"
    if close(ours, 10 * math.log(peak**2 / mse)):
        return "that is the natural logarithm: decibels count in powers of ten, so take log10"
    if close(ours, 10 * math.log10(peak**2 / np.sum(error**2))):
        return "that is the sum of the squared errors: take their mean, so that the image's size drops out"
    if close(ours, 10 * math.log10(peak / mse)) or close(ours, 20 * math.log10(peak**2 / mse)):
        return "squares and factor do not fit: 10 log10(peak^2 / MSE), or 20 log10(peak / sqrt(MSE))"
    if close(ours, 10 * math.log10(1 / mse)):
        return "the peak is missing: in another unit of the image the PSNR would be another"
    if close(ours, 20 * math.log10(peak / np.mean(abs(error)))):
        return "that is the mean of |error|: square first, so that large errors count more"
    return "three steps: square the error pixel by pixel, take the mean, then 10 log10(peak^2 / mean)"


@exercise("start.steps")
def steps(answer):
    """A function (N, K) -> (Adam steps of the whole run, how many times the input is replaced) = (N K, K)."""
    pairs = ((2, 5), (10, 160), (3, 1))
    ours = [answer(N, K) for N, K in pairs]
    if nothing(*ours):
        return NOTHING
    if any(not isinstance(pair, (tuple, list)) or len(pair) != 2 for pair in ours):
        return f"two numbers are expected, (Adam steps, replaced inputs), your answer is {ours[0]!r}"
    if nothing(*(part for pair in ours for part in pair)):
        return NOTHING

    def all_are(formula):
        return all(tuple(pair) == formula(N, K) for pair, (N, K) in zip(ours, pairs, strict=True))

    if all_are(lambda N, K: (N * K, K)):
        return None
    if all_are(lambda N, K: (K, N * K)):
        return "the other way round: first the Adam steps, then how often the input is replaced"
    if all_are(lambda N, K: (N * K, K - 1)):
        return "the last stage replaces its input too: that last output z_K is the answer"
    if all_are(lambda N, K: (N * K, N)):
        return "N counts the steps within one stage: the input is replaced once at the end of each stage"
    if all_are(lambda N, K: (N * K, N * K)):
        return "the input stays the same during a stage: only its end replaces it"
    if all_are(lambda N, K: (N + K, K)):
        return "each of the K stages has N steps: they multiply"
    if all_are(lambda N, K: (K, K)):
        return "K counts stages: each of them makes N Adam steps"
    return "draw it for N = 2 and K = 3: step step swap, step step swap, step step swap"


@exercise("start.truth")
def truth(answer):
    """The letter of the true one among three statements about who sees the truth: "B"."""
    letter = "".join(answer).strip(" .()").upper() if isinstance(answer, (str, list, tuple, set)) else ""
    if letter == "B":
        return None
    if letter == "A":
        return "no method sees the truth: look at what the observation holds; the loss is made of that alone"
    if letter == "C":
        return "to pick the oracle somebody compared every image with the truth; where nobody has it, nobody can"
    return 'answer with one letter in quotation marks, such as "A"'
