"""Peak memory of a run: it sees what was held and given back, and forgets what was before."""

import pytest
import torch

from aseqdip_lite import memory

CPU = torch.device("cpu")


@pytest.mark.skipif(memory.peak(CPU) is None, reason="this system does not tell a process its peak memory")
def test_peak_counts_what_was_held_since_the_reset():
    memory.reset(CPU)
    before = memory.peak(CPU)
    block = torch.ones(50 * 2**20 // 4)  # 50 MiB, touched
    del block
    held = memory.peak(CPU)
    assert 45 <= held - before <= 80
    memory.reset(CPU)
    assert memory.peak(CPU) <= held - 30


def test_without_proc_it_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "PROCESS", tmp_path)
    memory.reset(CPU)
    assert memory.peak(CPU) is None
