"""Hostile files: every loader is given mutated and truncated ones, and must answer with a result or an `InputError`.

A child process with a limit on its memory loads one file after another; a parent that it reports to each time
ends it where a file takes longer than 5 seconds, and starts another. What else than a result or an `InputError`
comes out, a crash, a hang or more than 1 GiB, is a failure; its file is kept in --keep. Writes results/fuzz.json.

    python scripts/fuzz.py                        at least 10,000 files and 10 minutes
    python scripts/fuzz.py --cases 300 --minutes 0
"""

import io
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

import click
import h5py
import numpy as np
import torch
from PIL import Image as Picture

from aseqdip_lite.files import provenance, to_json
from aseqdip_lite.images.files import load_file
from aseqdip_lite.operators.kernelwizard import load_kernelwizard
from aseqdip_lite.run import checkpoint
from aseqdip_lite.settings import InputError
from aseqdip_lite.tasks.inpainting import read_mask

RESULTS = Path(__file__).parent.parent / "aseqdip_lite" / "results" / "fuzz.json"

#: Seconds that one file may take, and bytes that it may add to the process.
MOST_SECONDS, MOST_BYTES = 5.0, 2**30

H, W = 24, 20


def arrays(rng):
    """A gray picture (H, W), a colour one (H, W, 3) and k-space (3, H, W)."""
    gray = rng.random((H, W), dtype=np.float32)
    colour = np.uint8(255 * rng.random((H, W, 3)))
    kspace = (rng.standard_normal((3, H, W)) + 1j * rng.standard_normal((3, H, W))).astype(np.complex64)
    return gray, colour, kspace


def written(write):
    """What write(buffer) writes."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def fastmri(kspace):
    """A small fastMRI file."""
    def write(buffer):
        with h5py.File(buffer, "w") as file:
            file["kspace"] = np.stack([kspace, kspace])
            file["reconstruction_rss"] = np.ones((2, H, W), np.float32)
            file.attrs["max"] = 1.0
    return written(write)


def projections():
    """A small Data Exchange file: 12 views of a disc of water."""
    chords = 2 * np.sqrt(np.clip(100 - (np.arange(32) - 15.5) ** 2, 0, None))
    counts = np.uint16(1000 * np.exp(-0.05 * chords))

    def write(buffer):
        with h5py.File(buffer, "w") as file:
            group = file.create_group("exchange")
            group["data"] = np.tile(counts, (12, 2, 1))
            group["data_white"] = np.full((2, 2, 32), 1000, np.uint16)
            group["data_dark"] = np.zeros((2, 2, 32), np.uint16)
            group["theta"] = np.arange(12) * 15.0
    return written(write)


def dicom():
    """The CT slice that the pydicom wheel carries, 39 kB."""
    from pydicom.data import get_testdata_file
    return Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes()


def seeds():
    """{suffix or kind: (contents, loader)} of the good files that the bad ones are made of.

    A good KernelWizard checkpoint has 460 MB; here it is a good file of other weights, which is refused.
    """
    rng = np.random.default_rng(0)
    gray, colour, kspace = arrays(rng)
    weights = dict(a=torch.ones(4, 5), step=3, names=["x", "y"])
    stored = dict(identity={}, **weights)
    stored |= dict(format=checkpoint.FORMAT, contents=checkpoint.contents(stored))
    picture = {kind: written(lambda buffer, kind=kind: Picture.fromarray(colour).save(buffer, format=kind))
               for kind in ("png", "jpeg", "tiff")}
    mask = written(lambda buffer: Picture.fromarray(np.uint8(255 * (gray > 0.3))).save(buffer, format="png"))
    return {
        ".npy": (written(lambda b: np.save(b, gray)), load_file),
        ".npz": (written(lambda b: np.savez(b, kspace=kspace, mask=np.ones(W, np.float32))), load_file),
        ".png": (picture["png"], load_file), ".jpg": (picture["jpeg"], load_file), ".tif": (picture["tiff"], load_file),
        ".h5": (fastmri(kspace), load_file), "-ct.h5": (projections(), load_file), ".dcm": (dicom(), load_file),
        ".pt": (written(lambda b: torch.save(stored, b)), load_checkpoint),
        "-kw.pth": (written(lambda b: torch.save(weights, b)), load_kernelwizard),
        "-mask.png": (mask, load_mask)}


def load_checkpoint(path):
    return checkpoint.load(path, {})


def load_mask(path):
    return read_mask(path, (H, W))


def mutate(content, rng):
    """A bad copy: cut off, bytes changed, a piece doubled, removed, zeroed, a number blown up, a bad part of a zip."""
    data = bytearray(content)
    kind = rng.integers(7)
    if kind == 0:
        return bytes(data[:rng.integers(len(data))])
    start = int(rng.integers(len(data)))
    end = min(start + int(2 ** rng.uniform(0, 8)), len(data))
    if kind == 1:
        for place in rng.integers(len(data), size=int(2 ** rng.uniform(0, 6))):
            data[place] = int(rng.integers(256))
    elif kind == 2:
        data[start:start] = data[start:end] * int(rng.integers(1, 20))
    elif kind == 3:
        del data[start:end]
    elif kind == 4:
        data[start:end] = bytes(end - start)
    elif kind == 5:  # lengths and shapes lie in headers
        place = int(rng.integers(min(len(data), 512)))
        data[place:place + 4] = rng.choice([b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"9999"])
    elif zipfile.is_zipfile(io.BytesIO(content)):
        return rezipped(content, rng)
    else:
        data[:8], data[start:start + 8] = data[start:start + 8], data[:8]
    return bytes(data)


def rezipped(content, rng):
    """A sound zip one member of which is mutated, so that the fault lies behind the checksums."""
    def write(buffer):
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
            victim = rng.choice(old.namelist())
            for name in old.namelist():
                member = old.read(name)
                new.writestr(name, mutate(member, rng) if name == victim and member else member)
    return written(write)


def child(pipe):
    """Load the files that come through the pipe; answer with what came of each."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders print
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES, size + MOST_BYTES))
    loaders = {kind: loader for kind, (_, loader) in seeds().items()}
    pipe.send("ready")
    while True:
        kind, path = pipe.recv()
        try:
            loaders[kind](path)
            pipe.send("loaded")
        except InputError as error:
            pipe.send("refused" if len(str(error).splitlines()) == 1 else f"an error of several lines: {error}")
        except BaseException as error:  # whatever else comes out is what is looked for
            pipe.send(f"{type(error).__name__}: {error}")


class Worker:
    """A child process, replaced when it dies or hangs."""

    def __init__(self):
        self.start()

    def start(self):
        self.pipe, end = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=child, args=(end,), daemon=True)
        self.process.start()
        end.close()
        self.pipe.recv()

    def load(self, kind, path):
        """What came of a file, in words."""
        self.pipe.send((kind, str(path)))
        try:
            if self.pipe.poll(MOST_SECONDS):
                return self.pipe.recv()
            found = f"hung for {MOST_SECONDS:g} s"
        except EOFError:
            self.process.join()
            found = f"crashed with exit code {self.process.exitcode}"
        self.process.kill()
        self.start()
        return found


@click.command()
@click.option("--cases", default=10_000, show_default=True, help="Files at least.")
@click.option("--minutes", default=10.0, show_default=True, help="Minutes at least.")
@click.option("--seed", default=0, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), default=Path("out") / "fuzz", show_default=True,
              help="Folder of the files that failed.")
def main(cases, minutes, seed, keep):
    """Give every loader mutated and truncated files; exit 1 if one answers with neither a result nor an InputError."""
    rng, good, worker = np.random.default_rng(seed), seeds(), Worker()
    counts, failures, slowest = {kind: Counter() for kind in good}, [], 0.0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for kind, (content, _) in good.items():
            path = Path(folder) / f"good{kind}"
            path.write_bytes(content)
            print(f"{kind}: the good file is {worker.load(kind, path)}")
        number = 0
        while number < cases or time.perf_counter() - began < 60 * minutes:
            kind = list(good)[number % len(good)]
            path = Path(folder) / f"bad{kind}"
            path.write_bytes(mutate(good[kind][0], rng))
            at = time.perf_counter()
            found = worker.load(kind, path)
            slowest, number = max(slowest, time.perf_counter() - at), number + 1
            counts[kind][found if found in ("loaded", "refused") else "failed"] += 1
            if found not in ("loaded", "refused"):
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{len(failures)}{kind}").write_bytes(path.read_bytes())
                failures.append(dict(kind=kind, case=number, found=found))
                print(f"{kind}, case {number}: {found}", flush=True)
    report = dict(cases=number, seconds=round(time.perf_counter() - began, 1), slowest_seconds=round(slowest, 3),
                  counts=counts, failures=failures, seed=seed, limits=dict(seconds=MOST_SECONDS, bytes=MOST_BYTES),
                  provenance=provenance(torch.device("cpu")))
    RESULTS.write_text(to_json(report))
    print(f"{number} files in {report['seconds']:.0f} s, {len(failures)} failures, slowest {slowest:.2f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":  # the child imports this file
    main()
