"""Peak memory of a run: it sees what was held and given back, and forgets what was before."""

import json
import subprocess
import sys

import pytest
import torch

from aseqdip_lite import memory

CPU = torch.device("cpu")

#: In a process of its own: of a large one the system may take back pages meanwhile, which hides what a block adds.
HOLD = """
import json, torch
from aseqdip_lite import memory
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
