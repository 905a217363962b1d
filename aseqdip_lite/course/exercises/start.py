"""Exercises of lesson 00: PSNR by hand, what N and K count, and who sees the truth."""

import math
import string

import numpy as np

from .drawing import shifted
from .table import exercise


def pictures():
    """(image, truth, peak) of small noisy pictures, the last one with more noise than peak: its PSNR is negative."""
    generator, cases = np.random.default_rng(shifted(5)), []
    for shape, peak in (((7, 9), 0.7), ((8, 5), 2.0), ((6, 7), 0.02)):
        truth = generator.uniform(0, 0.85 * peak, shape)
        cases.append((truth + 0.05 * generator.standard_normal(shape), truth, peak))
    return cases


@exercise("start.psnr", pictures, form=": take the mean over all pixels", otherwise=(
    "three steps: square the error pixel by pixel, take the mean, then 10 log10(peak^2 / mean)"))
def psnr(image, truth, peak):
    """A function (image, truth, peak) -> PSNR in dB, for arrays (H, W): 10 log10(peak^2 / mean squared error)."""
    error = image - truth
    mse = np.mean(error**2)
    return {
        None: 10 * math.log10(peak**2 / mse),
        "your answer is upside down: a smaller error must give a larger PSNR": 10 * math.log10(mse / peak**2),
        "your answer is the natural logarithm: decibels count in powers of ten, so take log10":
            10 * math.log(peak**2 / mse),
        "your answer is the sum of the squared errors: take their mean, so that the image's size drops out":
            10 * math.log10(peak**2 / np.sum(error**2)),
        "the squares and the factor do not match: 10 log10(peak^2 / MSE), or 20 log10(peak / sqrt(MSE))":
            [10 * math.log10(peak / mse), 20 * math.log10(peak**2 / mse), 10 * math.log10(peak / mse**0.5)],
        "the peak is missing: the PSNR would change with the unit of the image": 10 * math.log10(1 / mse),
        "your answer is the mean of |error|: square first, so that large errors count more":
            20 * math.log10(peak / np.mean(abs(error))),
        "your answer is the largest value or the range of these pictures: take the peak that is given, so that images "
        "can be compared":
            [10 * math.log10(top**2 / mse) for top in (truth.max(), image.max(), np.ptp(truth), np.ptp(image))],
        "your answer is a signal-to-noise ratio: PSNR has the square of the peak, not the energy of the truth":
            [10 * math.log10(np.mean(truth**2) / mse), 10 * math.log10(np.var(truth) / mse)],
    }


@exercise("start.steps", [(2, 5), (10, 160), (3, 1)], form=", (Adam steps, replaced inputs)", otherwise=(
    "draw it for N = 2 and K = 3: step step swap, step step swap, step step swap"))
def steps(N, K):
    """A function (N, K) -> (Adam steps of the whole run, how many times the input is replaced) = (N K, K)."""
    return {
        None: (N * K, K),
        "your answer is the other way round: first the Adam steps, then how often the input is replaced": (K, N * K),
        "the last stage also replaces its input: that last output z_K is the answer": (N * K, K - 1),
        "N counts the steps within one stage: the input is replaced once, at the end of each stage": (N * K, N),
        "the input stays the same during a stage: it is replaced only at the end": (N * K, N * K),
        "each of the K stages has N steps: they multiply": (N + K, K),
        "K counts stages: each of them takes N Adam steps": (K, K),
    }


def letter(answer):
    """A letter as it is meant: without marks around it, alone in a collection, in either case."""
    text = "".join(answer) if isinstance(answer, (str, list, tuple, set)) else ""
    return text.strip(string.punctuation + string.whitespace).upper()


@exercise("start.truth", [()], 'answer with one letter in quotation marks, such as "A"', trait=letter)
def truth():
    """The letter of the true statement among three about who sees the truth: "B"."""
    return {
        None: "B",
        "no method sees the truth: look at what the observation contains; the loss is made from that alone": "A",
        "to pick the oracle, somebody compared every image with the truth, and a hospital has no truth": "C",
    }


@exercise("start.steps:passes", [(2, 5), (10, 160), (3, 1)], form=", (forward passes, replaced inputs)", otherwise=(
    "draw it for N = 2 and K = 3: pass pass, a fresh pass and swap, three times over"),
          instead="count forward passes instead of Adam steps. Each step makes one, and each stage ends with one "
                  "more, z_k = f(z_{k-1}). Return (forward passes of the run, how many times the input is replaced)",
          solution="lambda N, K: (K * (N + 1), K)")
def passes(N, K):
    """A function (N, K) -> (forward passes of the whole run, how many times the input is replaced) = (K (N + 1), K)."""
    return {
        None: (K * (N + 1), K),
        "your answer counts only the passes of the Adam steps: each stage ends with one more pass, which makes the "
        "new input":
            (K * N, K),
        "the fresh pass comes at the end of each stage, not once in a run": (K * N + 1, K),
        "your answer is the other way round: first the passes, then how often the input is replaced": (K, K * (N + 1)),
        "the last stage also replaces its input: that last output z_K is the answer": (K * (N + 1), K - 1),
        "the input is replaced once at the end of each stage": [(K * (N + 1), N), (K * (N + 1), K * N)],
        "each of the K stages has N + 1 passes: they multiply": (N + 1 + K, K),
    }
