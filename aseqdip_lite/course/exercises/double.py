"""What the exercises of lessons 04, 05 and 13 share: seeded numbers and a comparison, in double precision."""

import torch


def draw(*shape, seed=0, dtype=torch.float64):
    """Seeded normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def close(answer, expected, tol=1e-6):
    """Whether two tensors agree in shape, and in value to `tol` relative to the expected one."""
    return answer.shape == expected.shape and float((answer - expected).norm()) <= tol * float(expected.norm())
