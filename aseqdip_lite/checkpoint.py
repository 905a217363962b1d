"""Checkpoints: written atomically, loaded without pickle, refused if they belong to another run."""

import os
import tempfile
import zipfile
from pathlib import Path

import torch

from .settings import InputError

FORMAT = 2


def write_atomically(path, write):
    """Call `write(file)` on a temporary file beside `path`, flush it to disk and rename it into place.

    A reader sees the old file or the new one, whole, whenever the process is killed.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())  # mkstemp makes files that only their owner may read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def current_umask():
    """The process's file mode mask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def save(path, identity, **parts):
    """Write a checkpoint.

    Args:
        path: the file, usually `checkpoint.pt` in the out folder.
        identity: flat dictionary of what makes the run this run; see `load`.
        **parts: state dictionaries of tensors, numbers, strings, lists and dictionaries.
    """
    write_atomically(path, lambda file: torch.save(dict(format=FORMAT, identity=identity, **parts), file))


def load(path, identity, device="cpu"):
    """Read a checkpoint of the run `identity` (weights_only, tensors onto `device`) and return its parts.

    Raises:
        InputError: the file is damaged, of another format, or of a run with other settings; the
            differences are listed.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums that it writes
            if archive.testzip() is not None:
                raise zipfile.BadZipFile
        stored = torch.load(path, map_location=device, weights_only=True)
        version, theirs = stored.pop("format"), stored.pop("identity")
    except Exception as error:  # torch raises many kinds for a damaged file: all mean the same to a user
        raise InputError(f"{path}: the checkpoint is damaged ({type(error).__name__}): "
                         "delete it, or run without --resume to start again") from None
    if version != FORMAT:
        raise InputError(f"{path}: the checkpoint has format {version}, this version reads {FORMAT}: start again")
    keys = list(dict.fromkeys([*identity, *theirs]))
    differences = [f"{key} is {identity.get(key)!r} here and {theirs.get(key)!r} there"
                   for key in keys if identity.get(key) != theirs.get(key)]
    if differences:
        raise InputError(f"{path}: the checkpoint belongs to another run: {'; '.join(differences)}")
    return stored
