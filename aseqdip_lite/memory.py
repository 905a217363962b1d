"""The most memory that a run took: of the GPU where it ran on one, else of this process (Linux)."""

import contextlib
import re
from pathlib import Path

import torch

PROCESS = Path("/proc/self")


def reset(device):
    """Start counting anew; does nothing where the system cannot."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        (PROCESS / "clear_refs").write_text("5")  # resets the high-water mark, see proc(5)


def peak(device):
    """Most memory since `reset` in MiB: tensors on the GPU, or all that the process held; None if not known."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", (PROCESS / "status").read_text())
    except OSError:
        return None
    return int(found[1]) / 2**10 if found else None
