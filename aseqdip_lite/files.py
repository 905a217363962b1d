"""Atomic file writes, JSON, and where and with what a result was made.

Importing it does not import PyTorch, so that the command line answers quickly.
"""

import fcntl
import io
import json
import math
import os
import platform
import shutil
import stat
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .settings import InputError

EXACT = ("settings", "problem")  #: keys whose values say which run it was: they keep all their digits
WIDTH = 120  #: characters of a line of JSON at most, but for a list of numbers, which is never broken
LOCK, COMMIT, PART = ".lock", ".commit", ".part"  #: what an out folder has for a while, see `hold` and `write_together`
PATIENCE = 30.0  #: seconds that a result waits for another process to leave its folder
HELD = set()  #: (folder, thread) of the folders that this process holds
PROBE = 2**20  #: bytes that must find room in the out folder before a run: about what its pictures and tables take


def write_atomically(path, write):
    """Call `write(file)` on a temporary file beside `path`, flush it to disk and rename it into place.

    A reader sees the whole old file or the whole new one, even if the process is killed.
    """
    path = Path(path)
    temporary = write_beside(path, write)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(path.parent)


def write_together(folder, contents, remove=()):
    """Write several files of a folder, {name: bytes}, and remove others: all of it happens, or nothing.

    The files are written under other names. What is to be renamed and removed then stands in the file `COMMIT`, whose
    appearance is the one switch: before it nothing has happened, and what a kill leaves undone after it, `hold` does.
    InputError if another process holds the folder for longer than `PATIENCE`.
    """
    with hold(folder, PATIENCE):
        _write_together(Path(folder), contents, remove)


def _write_together(folder, contents, remove):
    temporaries, commit = {}, None
    check_free(folder, (*contents, *remove))
    try:
        for name, content in contents.items():
            temporaries[write_beside(folder / name, lambda file, content=content: file.write(content)).name] = name
        plan = json.dumps(dict(rename=temporaries, remove=list(remove))).encode()
        commit = write_beside(folder / COMMIT, lambda file: file.write(plan))
        os.replace(commit, folder / COMMIT)
    except BaseException:
        (folder / COMMIT).unlink(missing_ok=True)
        for temporary in (*temporaries, *([commit.name] if commit else ())):
            (folder / temporary).unlink(missing_ok=True)
        raise
    settle(folder)


def check_free(folder, names):
    """InputError if something other than a file, a link too, has one of the names of files that are to be written."""
    for path in (os.path.join(folder, name) for name in names):
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise InputError(f"{path} is in the way and is not a file: remove it, or choose another --out")


def settle(folder):
    """Do what the file `COMMIT` of a folder says, if there is one; InputError for one that is not of ours."""
    check_free(folder, [COMMIT])
    file = folder / COMMIT
    if not file.exists():
        return
    try:
        plan = json.loads(file.read_bytes())
        rename, remove = dict(plan["rename"]), list(plan["remove"])
        sound = all(os.path.basename(name) == name for name in (*rename, *rename.values(), *remove)) and all(
            is_temporary(name) for name in rename)
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise InputError(f"{file} is damaged: delete it")
    for temporary, name in rename.items():
        if (folder / temporary).exists():  # else it was renamed before the kill
            os.replace(folder / temporary, folder / name)
    for name in remove:
        (folder / name).unlink(missing_ok=True)
    flush(folder)
    file.unlink()


def write_beside(path, write):
    """The path of a new temporary file beside `path`, written by `write(file)` and flushed to disk."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=PART)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0o022)  # it can only be read by setting it
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp makes files that only their owner may read
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return Path(temporary)


def temporary_folder(folder=None):
    """A context that gives the path of a new folder in `folder`, or in this machine's for such, and removes it.

    A process that still writes to it while it is removed may leave a file there; that hides no result and no error.
    """
    return tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=PART, ignore_cleanup_errors=True)


def is_temporary(name):
    """Whether a file or a folder has a name of those that `write_beside` and `temporary_folder` make."""
    return name.startswith(".") and name.endswith(PART)


def flush(folder):
    """Have the disk hold the names of a folder's files as they are now."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def hold(folder, patience=0.0):
    """Hold an out folder, made if needed, while the body writes to it; what a killed process left there is cleared up.

    A process may hold a folder several times over. The lock goes with the process, however that ends. `patience`:
    seconds to wait for another one that holds it.

    Raises:
        InputError: another process holds it, it cannot be written to, or has something else under a name of ours.
    """
    fresh = not os.path.lexists(folder)
    make_folder(folder)
    folder = Path(folder).resolve()
    owner = folder, threading.get_ident()
    if owner in HELD:
        yield
        return
    file = lock(folder, time.monotonic() + patience)
    HELD.add(owner)
    try:
        settle(folder)
        for left in folder.iterdir():
            if is_temporary(left.name) and left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            elif is_temporary(left.name):
                left.unlink(missing_ok=True)
        yield
    finally:
        HELD.discard(owner)
        if file is not None:
            (folder / LOCK).unlink(missing_ok=True)
            os.close(file)
        if fresh:
            with suppress(OSError):
                folder.rmdir()  # nothing was written into it


def lock(folder, deadline):
    """The handle of a folder's lock file, which this process alone holds; None where the file system has no locks."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)  # another owner removes the folder that it made and left empty
        check_free(folder, [LOCK])
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = ascii(os.read(file, 100).decode(errors="replace"))[1:-1]
            os.close(file)
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise InputError(f"{folder} is in use{f' by process {who}' if who else ''}: wait until that has ended, or "
                             "choose another --out") from None
        except OSError:
            os.close(file)
            (folder / LOCK).unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(folder / LOCK), os.fstat(file)):
                break
        os.close(file)  # its last owner removed it in the meantime
    os.ftruncate(file, 0)
    os.write(file, f"{os.getpid()} on {platform.node()}".encode())
    return file


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
