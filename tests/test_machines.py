"""Machines as people have them: no home, little memory, an output that cannot show every letter."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

RUN = ("run", "denoising", "--method", "vanilla", "--steps", "2", "--quiet")


def aseqdip(*args, before=(), **changes):
    """The command in a process of its own, with changes of its environment (None removes a variable)."""
    env = {name: value for name, value in (os.environ | changes).items() if value is not None}
    return subprocess.run([*before, sys.executable, "-m", "aseqdip_lite", *map(str, args)], env=env,
                          capture_output=True, timeout=300)


def nobody():
    """How to become a user that no list names; skips where the system does not let one."""
    command = ("unshare", "--user", "--map-user=2000")
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("user namespaces are not to be had here")
    return command


def test_a_user_without_a_name_and_a_home(tmp_path):
    before = nobody()
    shown = aseqdip("list", "images", before=before, HOME=None)
    assert shown.returncode == 0 and b" to fetch, " in shown.stdout
    fetched = aseqdip("fetch", "tooth", "--yes", before=before, HOME=None, ASEQDIP_DATA=None, XDG_CACHE_HOME=None)
    assert fetched.returncode == 2 and b"XDG_CACHE_HOME" in fetched.stderr and b"Traceback" not in fetched.stderr
    made = aseqdip(*RUN, "--size", 32, "--out", tmp_path / "out", HOME=None)
    assert made.returncode == 0 and (tmp_path / "out" / "recon.png").exists()


def test_too_little_memory_is_one_line(tmp_path):
    np.save(tmp_path / "large.npy", np.random.default_rng(0).random((1200, 1200, 3), dtype=np.float32))
    done = aseqdip(*RUN, "--image", tmp_path / "large.npy", "--out", tmp_path / "out",
                   before=("bash", "-c", 'ulimit -v 2500000; exec "$@"', "-"))
    assert done.returncode == 2
    line, = done.stderr.decode().splitlines()
    assert line.startswith("aseqdip: out of memory: ")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_an_output_without_the_letters_of_a_name(tmp_path, encoding):
    out = tmp_path / "画像"
    done = aseqdip(*RUN, "--size", 32, "--out", out, PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and (out / "metrics.json").exists()
    assert ("画像" in done.stdout.decode(encoding)) == (encoding == "utf-8")
    refused = aseqdip(*RUN, "--image", out / "画像.npy", PYTHONIOENCODING=encoding)
    assert refused.returncode == 2 and b"Traceback" not in refused.stderr


def test_only_the_outputs_that_were_made_are_kept():
    """The moving variance holds no more outputs than there were steps."""
    import torch

    from aseqdip_lite.run.stopping import MovingVariance
    rule = MovingVariance(window=100)
    for step in range(1, 4):
        rule.update(torch.randn(1, 3, 8, 8), step)
    assert sum(output.numel() for output in rule.ring) == 3 * 192
