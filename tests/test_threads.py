"""The policy of threads: one for a small image, the processor's for a large one, and a number that was chosen stays."""

import pytest
import torch

from aseqdip_lite import Vanilla, iterate, reconstruct
from aseqdip_lite.run import threads


@pytest.fixture
def two(monkeypatch):
    """A process with two threads for which nobody has asked; afterwards the former number."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "_own", 2)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_small_image_gets_one_thread_and_the_former_number_comes_back(two, tiny_mri):
    result = reconstruct(tiny_mri, Vanilla(), steps=1, progress=False)
    assert result.metrics["threads"] == 1 and torch.get_num_threads() == 2
    next(iterate(tiny_mri.observation, Vanilla()))
    assert torch.get_num_threads() == 2
    with pytest.raises(RuntimeError), threads.suited(tiny_mri.observation):
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == 2


def test_the_size_that_counts_is_that_of_real_and_imaginary_part(two, tiny_mri, monkeypatch):
    for worth, number in ((2 * 32 * 32, 2), (2 * 32 * 32 + 1, 1)):
        monkeypatch.setattr(threads, "WORTH", worth)
        assert threads.count(tiny_mri.observation) == number


@pytest.mark.parametrize("choose", [lambda patch: patch.setenv("OMP_NUM_THREADS", "2"), lambda patch: threads.use(2),
                                    lambda patch: torch.set_num_threads(3)])
def test_a_number_that_was_chosen_stays(choose, two, tiny_mri, monkeypatch):
    choose(monkeypatch)
    assert threads.count(tiny_mri.observation) == torch.get_num_threads() > 1
