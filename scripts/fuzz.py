"""Hostile files: every loader is given mutated and structured ones, and must answer with a result or an `InputError`.

Mutated ones are good files with bytes cut off, changed, doubled. Structured ones are built to hurt (`attacks`):
links and pipes, bombs, streams that go on beyond their sizes, circles, deep nesting, fields of another kind.

A child process with a limit on its memory loads one file after another; a parent that it reports to each time
ends it where a file takes longer than a minute, and starts another. What else than a result or an `InputError` comes
out, a crash, a hang, more than 1 GiB or 5 seconds of a processor, whatever else it does, is a failure; its file is kept
in --keep. Writes results/fuzz.json.

    python scripts/fuzz.py                        10,000 mutated files and 10,000 structured ones
    python scripts/fuzz.py --cases 300
"""

import io
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import attacks_hdf5  # noqa: F401, which lists its attacks
import click
import numpy as np
import torch
from attacks import ATTACKS, H, W, written
from attacks_dicom import attacks_on
from good_files import seeds, tiny

from aseqdip_lite.files import provenance, to_json
from aseqdip_lite.images.files import load_file
from aseqdip_lite.operators.kernelwizard import load_kernelwizard
from aseqdip_lite.run import checkpoint
from aseqdip_lite.run.engine import Run
from aseqdip_lite.run.identity import describe
from aseqdip_lite.settings import InputError
from aseqdip_lite.tasks.deblurring import read_kernel
from aseqdip_lite.tasks.inpainting import read_mask

RESULTS = Path(__file__).parent.parent / "aseqdip_lite" / "results" / "fuzz.json"

#: Processor seconds that one file may take, bytes that it may add to the process, and seconds until it counts as hung.
MOST_SECONDS, MOST_BYTES, HUNG = 5.0, 2**30, 60.0

def load_checkpoint(path):
    """Restore a run from the file; what it holds must be finite, and a step further must end in no error."""
    case, method = tiny()
    run = Run(case, method, window=4)
    keeper = checkpoint.Keeper(path.parent, describe(run, 4))
    keeper.file = path
    keeper.restore(run)
    state = [run.carry.z, *run.carry.network.state_dict().values()]
    if not all(bool(tensor.isfinite().all()) for tensor in state):
        raise ArithmeticError("the run that was restored is not finite")
    run.start()
    if not run.reason:
        run.advance()


def load_page(path):
    return load_file(path, 1)


def load_mask(path):
    return read_mask(path, (H, W))


LOADERS = dict(file=load_file, page=load_page, mask=load_mask, kernel=read_kernel, weights=load_kernelwizard,
               checkpoint=load_checkpoint)


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
    """Load the files that come through the pipe; answer with what came of each and its processor seconds."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders print
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MOST_BYTES, size + MOST_BYTES))
    with suppress(InputError):  # what is imported late is no part of the time that a file takes
        load_checkpoint(Path("none"))
    pipe.send("ready")
    while True:
        loader, path = pipe.recv()
        began = time.process_time()
        try:
            LOADERS[loader](Path(path))
            found = "loaded"
        except InputError as error:
            found = "refused" if len(str(error).splitlines()) == 1 else f"an error of several lines: {error}"
        except BaseException as error:  # whatever else comes out is what is looked for
            found = f"{type(error).__name__}: {error}"
        pipe.send((found, time.process_time() - began))


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

    def load(self, loader, path):
        """(what came of a file, in words, its processor seconds)."""
        self.pipe.send((loader, str(path)))
        try:
            if self.pipe.poll(HUNG):
                found, seconds = self.pipe.recv()
                return (found if seconds <= MOST_SECONDS else f"took {seconds:.1f} processor seconds"), seconds
            found = f"hung for {HUNG:g} s"
        except EOFError:
            self.process.join()
            found = f"crashed with exit code {self.process.exitcode}"
        self.process.kill()
        self.start()
        return found, 0.0


def files(seed, cases, good):
    """Yield (part, kind, suffix, loader, build) of as many mutated files as structured ones; build(rng, path)."""
    for kind in (".pt", "-kw.pth"):
        attacks_on(kind, kind, good[kind][1], good[kind][0])
    for number in range(cases):
        kind = list(good)[number % len(good)]
        yield "mutated", kind, kind, good[kind][1], lambda rng, path, kind=kind: mutate(good[kind][0], rng)
        kind = list(ATTACKS)[number % len(ATTACKS)]
        suffix, loader, build = ATTACKS[kind]
        yield "structured", kind, suffix, loader, build


def built(build, path, *seed):
    """The bytes of a file, or None where it was made at the path; what cannot be written is drawn again."""
    for again in range(100):
        try:
            return build(np.random.default_rng((*seed, again)), path)
        except Exception:  # the libraries that write the good files refuse some of the bad ones
            remove(path)
    raise RuntimeError(f"no attack could be built for {path}")


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@click.command()
@click.option("--cases", default=10_000, show_default=True, help="Files of each part, mutated and structured.")
@click.option("--seed", default=0, show_default=True)
@click.option("--only", default="", help="Only kinds with this in their name; nothing is stored.")
@click.option("--keep", type=click.Path(path_type=Path), default=Path("out") / "fuzz", show_default=True,
              help="Folder of the files that failed.")
def main(cases, seed, only, keep):
    """Give every loader hostile files; exit 1 if one answers with neither a result nor an InputError."""
    good, worker, failures, slowest = seeds(), Worker(), [], 0.0
    counts = dict(mutated={}, structured={})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for kind, (content, loader) in good.items():
            path = Path(folder) / f"good{kind}"
            path.write_bytes(content)
            print(f"{kind}: the good file is {worker.load(loader, path)[0]}")
        for number, (part, kind, suffix, loader, build) in enumerate(files(seed, cases, good)):
            if only not in kind:
                continue
            path = Path(folder) / f"bad{suffix}"
            content = built(build, path, seed, number)
            if content is not None:
                path.write_bytes(content)
            found, seconds = worker.load(loader, path)
            slowest = max(slowest, seconds)
            one = counts[part].setdefault(kind, Counter())
            one[found if found in ("loaded", "refused") else "failed"] += 1
            if found not in ("loaded", "refused"):
                keep.mkdir(parents=True, exist_ok=True)
                if content is not None:
                    (keep / f"{len(failures)}{suffix}").write_bytes(content)
                failures.append(dict(part=part, kind=kind, case=number, found=found))
                print(f"{part} {kind}, case {number}: {found}", flush=True)
            remove(path)
    report = dict(cases={part: sum(map(Counter.total, kinds.values())) for part, kinds in counts.items()},
                  seconds=round(time.perf_counter() - began, 1), slowest_seconds=round(slowest, 3),
                  counts=counts, failures=failures, seed=seed, limits=dict(seconds=MOST_SECONDS, bytes=MOST_BYTES),
                  provenance=provenance(torch.device("cpu")))
    if not only:
        RESULTS.write_text(to_json(report))
    print(f"{report['cases']} files in {report['seconds']:.0f} s, {len(failures)} failures, slowest {slowest:.2f} s")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":  # the child imports this file
    main()
