"""What many tests ask for: seeded random tensors, an error's one line, a state that went through a file, a trap."""

import io

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
