"""Atomic file writes, JSON, and where and with what a result was made.

Importing it does not import PyTorch, so that the command line answers quickly.
"""

import io
import json
import math
import os
import platform
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .settings import InputError

EXACT = ("settings", "problem")  #: keys whose values say which run it was: they keep all their digits
WIDTH = 120  #: characters of a line of JSON at most, but for a list of numbers, which is never broken
PROBE = 2**20  #: bytes that must find room in the out folder before a run: about what its pictures and tables take


def write_atomically(path, write):
    """Call `write(file)` on a temporary file beside `path`, flush it to disk and rename it into place.

    A reader sees the whole old file or the whole new one, even if the process is killed.
    """
    write_together({path: write})


def write_together(writers):
    """Write several files, {path: write}, as `write_atomically` does, and rename none before all are on the disk.

    A full disk leaves all of them as they were; a kill between two renames may leave old ones beside new ones.
    """
    temporaries = {}
    try:
        for path, write in writers.items():
            path = Path(path)
            handle, temporaries[path] = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
        mask = os.umask(0o022)  # it can only be read by setting it
        os.umask(mask)
        for path, temporary in temporaries.items():
            os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes files that only their owner may read
            os.replace(temporary, path)
    except BaseException:
        for temporary in temporaries.values():
            Path(temporary).unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in temporaries}:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(path):
    """Make the folder `path` if needed and try a file of `PROBE` bytes in it; InputError if it cannot be written."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(bytes(PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"cannot write to the out folder {path}: {error.strerror}, choose another --out "
                         "or make room") from None


def to_bytes(write):
    """What `write(buffer)` writes, as bytes."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def plain(value, digits=6):
    """The same nested structure as results hold it: floats of six significant digits, None for NaN and infinity.

    Whole numbers and what lies under a key of `EXACT` stay as they are. plain(plain(x)) == plain(x).
    """
    if isinstance(value, dict):
        return {key: plain(item, 17 if key in EXACT else digits) for key, item in value.items()}  # 17 lose no bit
    if isinstance(value, (list, tuple)):
        return [plain(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def to_json(value):
    """`plain` of a nested structure as JSON text: one line for a list of scalars and for all that fits in one."""
    return _lay_out(plain(value), "\n") + "\n"


def _lay_out(value, margin):
    """A plain value as text, each line after the first behind `margin`, a line break and blanks."""
    line = json.dumps(value, allow_nan=False)
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    nested = isinstance(value, dict) or any(isinstance(part, (dict, list)) for part in parts)
    if not parts or len(line) + len(margin) <= WIDTH or not nested:
        return line
    texts = [_lay_out(part, margin + " ") for part in parts]
    if isinstance(value, dict):
        texts = [f"{json.dumps(str(key))}: {text}" for key, text in zip(value, texts, strict=True)]
    return line[0] + margin + " " + f",{margin} ".join(texts) + margin + line[-1]


def provenance(device):
    """Where and with what a result was made: device, threads, versions of the packages that matter."""
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return dict(device=str(device), hardware=name, threads=torch.get_num_threads(),
                versions=dict(python=platform.python_version(),
                              **{p: installed(p) for p in ("aseqdip-lite", "torch", "numpy", "sigpy", "scikit-image")}))


def installed(package):
    """Version of an installed package, None if it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
