"""Peak memory of a run: it sees what was held and given back, and forgets what was before; what is kept stays."""

import json
import platform
import subprocess
import sys

import pytest
import torch

from aseqdip_lite.run import memory

CPU = torch.device("cpu")

#: In a process of its own: of a large one the system may take back pages meanwhile, which hides what a block adds.
HOLD = """
import json, torch
from aseqdip_lite.run import memory
cpu = torch.device("cpu")
memory.reset(cpu)
before = memory.peak(cpu)
block = torch.ones(50 * 2**20 // 4)  # 50 MiB, touched
del block
held = memory.peak(cpu)
memory.reset(cpu)
print(json.dumps([before, held, memory.peak(cpu)]))
"""


@pytest.mark.skipif(memory.peak(CPU) is None, reason="this system does not tell a process its peak memory")
def test_peak_counts_what_was_held_since_the_reset():
    done = subprocess.run([sys.executable, "-c", HOLD], check=True, capture_output=True, text=True)
    before, held, after = json.loads(done.stdout)
    assert 45 <= held - before <= 80
    assert after <= held - 30


def test_without_proc_it_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "PROCESS", tmp_path)
    memory.reset(CPU)
    assert memory.peak(CPU) is None


#: How many pages had to be mapped for 20 blocks of 20 MiB, each freed before the next, at first and once again.
REUSE = """
import json, resource, torch
from aseqdip_lite.run import memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(20 * 2**20 // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
torch.set_num_threads(1)
memory.keep()
first = faults()
print(json.dumps([first, faults()]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="keep is for glibc")
def test_what_is_kept_is_not_mapped_again():
    done = subprocess.run([sys.executable, "-c", REUSE], check=True, capture_output=True, text=True)
    first, again = json.loads(done.stdout)
    assert again < 100, f"{again} pages mapped again, {first} at first; 20 MiB are 5120 pages"


def test_without_glibc_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    asked = []
    monkeypatch.setattr(memory.ctypes, "CDLL", asked.append)
    memory.keep.__wrapped__()
    assert asked == []
