"""Checkpoints: loaded without pickle, refused if they belong to another run."""

import sys
import zipfile
from pathlib import Path

import torch
from tqdm.auto import tqdm

from ..files import make_folder, write_atomically
from ..settings import InputError

FORMAT = 5


def save(path, identity, **parts):
    """Write a checkpoint; OSError if it cannot be written, and an earlier file is then as it was.

    Args:
        path: the file, usually `checkpoint.pt` in the out folder.
        identity: flat dictionary of what makes the run this run; see `load`.
        **parts: state dictionaries of tensors, numbers, strings, lists and dictionaries.
    """
    stored = dict(identity=identity, **parts)
    stored |= dict(format=FORMAT, contents=contents(stored))

    def write(file):
        try:
            torch.save(stored, file)
        except RuntimeError as error:  # torch reports a full disk so, by a position in the file
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None

    write_atomically(path, write)


def load(path, identity, device="cpu"):
    """Read a checkpoint of the run `identity` (weights_only, tensors onto `device`) and return its parts.

    InputError for a damaged file, another format, or a run with other settings; it lists the differences.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums that it writes
            if archive.testzip() is not None:
                raise zipfile.BadZipFile
        stored = torch.load(path, map_location=device, weights_only=True)
        version = int(stored.pop("format"))
        if version == FORMAT and stored.pop("contents") != contents(stored):
            raise TypeError
    except Exception as error:  # torch raises many kinds for a damaged file: all mean the same to a user
        raise damaged(path, error) from None
    if version != FORMAT:
        raise InputError(f"{path}: the checkpoint has format {version}, this version reads {FORMAT}: start again")
    theirs = stored.pop("identity")
    keys = list(dict.fromkeys([*identity, *theirs]))
    differences = [f"{key} is {identity.get(key)!r} here and {theirs.get(key)!r} there"
                   for key in keys if identity.get(key) != theirs.get(key)]
    if differences:
        raise InputError(f"{path}: the checkpoint belongs to another run: {'; '.join(differences)}")
    return stored


class Keeper:
    """Keeps the run `identity` in `checkpoint.pt` of `out`, None keeps nothing; InputError if it cannot write there."""

    def __init__(self, out, identity):
        self.file = None if out is None else Path(out) / "checkpoint.pt"
        self.identity, self.complained = identity, False
        if out is not None:
            make_folder(out)
            for half in self.file.parent.glob(".checkpoint.pt-*"):  # what a killed run left half written
                half.unlink(missing_ok=True)

    def save(self, carry, recorder, seconds):
        """Write the checkpoint. If that fails, the one before stays, and a line says so the first time."""
        if self.file is None:
            return
        try:
            save(self.file, self.identity, carry=carry.state_dict(), recorder=recorder.state_dict(), seconds=seconds)
        except OSError as error:
            if not self.complained:
                tqdm.write(f"no checkpoint at step {carry.step} in {self.file.parent}: {error.strerror or error}; the "
                           "run goes on and tries again at the next one", file=sys.stderr)
            self.complained = True

    def restore(self, carry, recorder, device):
        """Bring a run to where its checkpoint is; returns the seconds that it had taken, 0 without a checkpoint.

        InputError as in `load`, and for parts that do not fit the run, such as those of another version's networks.
        """
        if self.file is None or not self.file.exists():
            return 0.0
        parts = load(self.file, self.identity, device)
        try:
            carry.load_state_dict(parts["carry"])
            recorder.load_state_dict(parts["recorder"])
            return parts["seconds"]
        except Exception as error:  # torch raises many kinds for parts that do not fit
            raise damaged(self.file, error) from None


def damaged(path, error):
    """The InputError of a file that cannot be used, whatever error its reading raised."""
    return InputError(f"{path}: the checkpoint is damaged ({type(error).__name__}): "
                      "delete it, or run without --resume to start again")


def contents(value):
    """Kind and size of every part of nested dictionaries, in text; a file that does not match it was tampered with."""
    if isinstance(value, dict):
        return {str(key): contents(part) for key, part in value.items()}
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"{len(value)} of {sorted({type(part).__name__ for part in value})}"
    return type(value).__name__
