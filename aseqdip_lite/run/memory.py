"""Memory: keeps what a step frees for the next step, and measures the most that a run took.

That is memory of the GPU where the run is on one, else of this process (Linux).
"""

import contextlib
import ctypes
import functools
import platform
import re
from pathlib import Path

import torch

PROCESS = Path("/proc/self")

#: Options of glibc's mallopt(3) with their values in bytes: free memory above this at the top of a heap goes back to
#: the system (M_TRIM_THRESHOLD), and so does every larger block as soon as it is freed (M_MMAP_THRESHOLD, the most
#: that glibc takes).
KEPT = {-1: 256 * 2**20, -3: 32 * 2**20}


@functools.cache
def keep():
    """Ask glibc to keep up to 256 MiB of what is freed; does nothing where there is no glibc.

    A step frees all its activations and the next one needs as many. By default glibc returns many of them to the
    system, which then maps and clears them anew: over a thousand pages per step of 128 x 128 pixels.
    """
    if platform.libc_ver()[0] == "glibc":
        for option, size in KEPT.items():
            ctypes.CDLL(None).mallopt(option, size)


def reset(device):
    """Start counting anew; does nothing where the system cannot."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")  # resets the high-water mark, see proc(5)


def peak(device):
    """Most memory since `reset` in MiB, None if not known: tensors on the GPU, or all of the process (see `keep`)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", (PROCESS / "status").read_text())
    except OSError:
        return None
    return int(found[1]) / 2**10 if found else None
