"""How many threads a run gets: one where the image is small, otherwise all that PyTorch has.

On small images threads wait for each other, at full load: on a busy machine two have taken ten times the processor time
of one. All that steps a run asks here, so that it gives the same bits wherever it is started.
"""

import os
from contextlib import contextmanager

import torch

#: Real numbers in an image (channels times pixels, twice that if complex) from which a second thread pays.
WORTH = 2 * 256 * 256

#: PyTorch's own number of threads; None once somebody has chosen another by `use`.
_own = torch.get_num_threads()


def use(number):
    """Give everything in this process `number` threads, whatever the size of its images."""
    global _own
    _own = None
    torch.set_num_threads(number)


def count(observation):
    """Threads that a run on this `Observation` gets.

    A number that was chosen stays: by OMP_NUM_THREADS, by `use`, or by torch.set_num_threads after the import of this
    package. On a GPU the processor's threads stay as they are.
    """
    now, start = torch.get_num_threads(), observation.start
    if "OMP_NUM_THREADS" in os.environ or now != _own or start.device.type != "cpu":
        return now
    return 1 if start.numel() * (2 if start.is_complex() else 1) < WORTH else now


@contextmanager
def suited(observation):
    """The `count` of an observation in this block, and the former number after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(count(observation))
    try:
        yield
    finally:
        torch.set_num_threads(before)
