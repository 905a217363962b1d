"""What many tests ask for: seeded random tensors, an error's one line, a state that went through a file, a trap."""

import io
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from aseqdip_lite import InputError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rand(*shape, seed=0):
    """Uniform on [0, 1), float64."""
    return torch.rand(shape, generator=generator(seed), dtype=torch.float64)


def randn(*shape, seed=0, dtype=torch.float64):
    """Standard normal; a complex dtype gives complex numbers of variance 1."""
    return torch.randn(shape, generator=generator(seed), dtype=dtype)


def error_of(call, *args, **kwargs):
    """The text of the `InputError` that call(*args, **kwargs) must raise: one line."""
    with pytest.raises(InputError) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def stored(state, device=None):
    """A state_dict as a checkpoint gives it back, on the CPU or on another device."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True, map_location=device)


def contents(folder):
    """{name: bytes} of the files of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def command(*args, where=None, **environment):
    """`aseqdip` with these arguments, begun in a process of its own; both outputs are pipes of text."""
    return subprocess.Popen([sys.executable, "-m", "aseqdip_lite", *map(str, args)], cwd=where, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=os.environ | dict(OMP_NUM_THREADS="1") | environment)


def descendants(pid):
    """{pid: command line} of the processes that a process has started, and of those that these have."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found.setdefault(parent, {})[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    below, wanted = {}, [pid]
    while wanted:
        children = found.get(wanted.pop(), {})
        below |= children
        wanted += children
    return below


def alive(pids):
    """Those of the processes that still run; one that has ended and was not waited for does not."""
    states = {}
    for pid in pids:
        with suppress(OSError):
            states[pid] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return [pid for pid, state in states.items() if state not in "ZX"]


def until(condition, seconds=180):
    """Wait until condition() is true, and return its answer; the test fails after so many seconds."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return answer


def resumed_training(make, before, after):
    """(a training of before + after steps, one that was stored between and taken up again); `make` gives a new one."""
    straight, first, second = (make() for _ in range(3))
    for training, steps in ((straight, before + after), (first, before)):
        for _ in range(steps):
            training.advance()
    second.load_state_dict(stored(first.state_dict()))
    for _ in range(after):
        second.advance()
    return straight, second


def same_training(one, other):
    """Whether all that two trainings store is equal bit for bit, but for the seconds that they took."""
    return same_state(*(training.state_dict() | dict(seconds=None) for training in (one, other)))


def same_state(one, other):
    """Whether two states are equal bit for bit: tensors, or dictionaries and lists of states, or plain values."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_state(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_state, one, other))
    return one == other
