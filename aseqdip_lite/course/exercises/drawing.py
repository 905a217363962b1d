"""Numbers that exercises are tried on: seeded, and drawn anew for each variant."""

import contextlib
import contextvars

import torch

#: What is added to the seeds of cases, in each thread for itself, see `drawn_in`.
SHIFT = contextvars.ContextVar("shift", default=0)


@contextlib.contextmanager
def drawn_in(variant):
    """In this block cases are drawn for a variant, a whole number: other images and noise; None: those of everybody."""
    token = SHIFT.set(0 if variant is None else 1000 * (variant % 10**12 + 1))
    try:
        yield
    finally:
        SHIFT.reset(token)


def shifted(seed):
    """The seed that stands for this one in the present variant."""
    return seed + SHIFT.get()


def draw(*shape, seed=0, dtype=torch.float64):
    """Normal numbers, seeded, others in each variant."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(shifted(seed)), dtype=dtype)
