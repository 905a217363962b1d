"""Seeded random tensors, which several tests share."""

import torch


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rand(*shape, seed=0):
    """Uniform on [0, 1), float64."""
    return torch.rand(shape, generator=generator(seed), dtype=torch.float64)


def randn(*shape, seed=0, dtype=torch.float64):
    """Standard normal; a complex dtype gives complex numbers of variance 1."""
    return torch.randn(shape, generator=generator(seed), dtype=dtype)
