"""Answers to the exercises of lesson 00."""

import math

import numpy as np
from skimage.metrics import peak_signal_noise_ratio


def mse(image, truth):
    return np.mean((image - truth) ** 2)


RIGHT = {
    "start.psnr": [
        lambda image, truth, peak: 10 * math.log10(peak**2 / mse(image, truth)),
        lambda image, truth, peak: 20 * np.log10(peak) - 10 * np.log10(mse(image, truth)),
        lambda image, truth, peak: peak_signal_noise_ratio(truth, image, data_range=peak),
    ],
    "start.steps": [lambda N, K: (N * K, K), lambda N, K: [sum(N for _ in range(K)), K]],
    "start.truth": ["B", "b", " (b) ", ["B"]],
}

WRONG = {
    "start.psnr": {
        "upside down": lambda image, truth, peak: 10 * math.log10(mse(image, truth) / peak**2),
        "natural logarithm": lambda image, truth, peak: 10 * math.log(peak**2 / mse(image, truth)),
        "take their mean": lambda image, truth, peak: 10 * math.log10(peak**2 / np.sum((image - truth) ** 2)),
        "squares and factor": lambda image, truth, peak: 10 * math.log10(peak / mse(image, truth)),
        "the peak is missing": lambda image, truth, peak: -10 * math.log10(mse(image, truth)),
        "mean of |error|": lambda image, truth, peak: 20 * math.log10(peak / np.mean(abs(image - truth))),
        "has the shape (7, 9)": lambda image, truth, peak: 10 * np.log10(peak**2 / (image - truth) ** 2),
        "three steps": lambda image, truth, peak: mse(image, truth),
        "returns nothing": lambda image, truth, peak: None,
        "raised TypeError": lambda image, truth: 0.0,
    },
    "start.steps": {
        "the other way round": lambda N, K: (K, N * K),
        "the last stage": lambda N, K: (N * K, K - 1),
        "within one stage": lambda N, K: (N * K, N),
        "stays the same during a stage": lambda N, K: (N * K, N * K),
        "they multiply": lambda N, K: (N + K, K),
        "each of them makes N": lambda N, K: (K, K),
        "two numbers are expected": lambda N, K: N * K,
        "draw it": lambda N, K: (N**K, K),
        "returns nothing": lambda N, K: (..., ...),
    },
    "start.truth": {"no method sees the truth": "A", "nobody can": "c", "one letter": 2, "such as": "B and C"},
}
