"""Checkpoints: loaded without pickle, checked field by field, refused if they belong to another run."""

import io
import os
import stat
import zipfile
from contextlib import nullcontext, suppress
from pathlib import Path

import torch

from ..files import hold, write_atomically
from ..settings import InputError
from .bar import say
from .identity import DIGESTS
from .schema import MOST_TEXT, conform, pattern_of

FORMAT = 8
FILE = "checkpoint.pt"  #: its name in the out folder
MOST_BYTES = 8 * 2**30  #: of a file; tensors are stored as they are, and reading one takes about three times its size


def save(path, identity, **parts):
    """Write a checkpoint; OSError if it cannot be written, and an earlier file is then as it was.

    Args:
        path: the file, usually `FILE` in the out folder.
        identity: flat dictionary of what makes the run this run; see `load`.
        **parts: state dictionaries of tensors, numbers, strings, lists and dictionaries.
    """
    def write(file):
        try:
            torch.save(dict(format=FORMAT, identity=identity, **parts), file)
        except RuntimeError as error:  # torch reports a full disk so, by a position in the file
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None

    write_atomically(path, write)


def load(path, identity, device="cpu", any_format=False):
    """Read a checkpoint of the run `identity` (weights_only, tensors onto `device`) and return its parts, unchecked.

    InputError for a damaged file, another format (unless `any_format`), or a run with other settings, which it lists;
    digests only where no setting differs.
    """
    try:
        stored = unpacked(path, device)
        version, theirs = stored.pop("format"), stored.pop("identity")
        if type(version) is not int or not isinstance(theirs, dict):
            raise ValueError("it has no identity")
        changed = [key for key in dict.fromkeys([*identity, *theirs])
                   if repr(identity.get(key)) != repr(theirs.get(key))]  # theirs may be of any kind
        differences = [f"{key} is {identity.get(key)!r} here and {theirs.get(key)!r} there"
                       for key in [key for key in changed if key not in DIGESTS] or changed]
    except Exception as error:  # torch raises many kinds for a damaged file: all mean the same to a user
        raise damaged(path, error) from None
    if version != FORMAT and not any_format:
        raise InputError(f"{path}: the checkpoint has format {version}, this version reads {FORMAT}: delete it "
                         "to start again, or choose another --out")
    if differences:
        raise InputError(f"{path}: the checkpoint belongs to another run: {ascii('; '.join(differences))[1:-1]}")
    return stored


def unpacked(path, device):
    """The file's content; any error for one not made by `save`. Only regular files of stored members are read."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # a pipe must not be waited for
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise ValueError("no regular file, or too large")
        clean = io.BytesIO()  # PyTorch reads archives in its own way, without checksums: it gets one of our making
        with zipfile.ZipFile(file) as archive, zipfile.ZipFile(clean, "w") as copy:
            members = archive.infolist()
            if (any(member.compress_type != zipfile.ZIP_STORED for member in members)
                    or sum(member.file_size for member in members) > status.st_size):
                raise zipfile.BadZipFile
            for member in members:
                copy.writestr(member.filename, archive.read(member))
        clean.seek(0)
        return torch.load(clean, map_location=device, weights_only=True)


def interrupted_at(out):
    """The step at which the run of the checkpoint in a folder was interrupted; None if it ended or there is none.

    InputError for one that cannot be read: it may be of such a run.
    """
    file = Path(out) / FILE
    if not os.path.lexists(file):
        return None
    try:
        stored = unpacked(file, "cpu")
        return None if stored["ended"] is True else int(stored["carry"]["step"])
    except Exception as error:
        raise damaged(file, error) from None


class Keeper:
    """Keeps the run `identity` in `FILE` of `out`, which it holds while it is entered; None keeps nothing.

    InputError if it cannot write there, or another process does.
    """

    def __init__(self, out, identity):
        self.file = None if out is None else Path(out) / FILE
        self.identity, self.complained = identity, False
        self.held = nullcontext() if out is None else hold(out)

    def __enter__(self):
        self.held.__enter__()
        return self

    def __exit__(self, *error):
        return self.held.__exit__(*error)

    def save(self, run):
        """Write the checkpoint of a `Run`. If that fails, the one before stays, and a line says so the first time."""
        if self.file is None:
            return
        try:
            save(self.file, self.identity, **run.state_dict())
        except OSError as error:
            if not self.complained:
                say(f"no checkpoint at step {run.carry.step} in {self.file.parent}: {error.strerror or error}; the run "
                    "continues and tries again at the next one")
            self.complained = True

    def end(self):
        """Note in the last checkpoint that its run has ended, by a fault: there is nothing to continue."""
        with suppress(InputError, OSError):  # there is none, or only one of another run
            if not (parts := load(self.file, self.identity))["ended"]:
                save(self.file, self.identity, **parts | dict(ended=True))

    def restore(self, run):
        """Bring a `Run` that has just begun to where its checkpoint is, if there is one.

        InputError as in `load`, for more steps than the run's budget, and for parts that do not match `pattern_of`.
        """
        if self.file is None or not os.path.lexists(self.file):
            return
        parts = load(self.file, self.identity, run.case.observation.y.device)
        made = parts["carry"].get("step") if isinstance(parts.get("carry"), dict) else None
        if type(made) is int and made > run.budget:
            raise InputError(f"{self.file}: {made} steps are already done, more than the {run.budget} asked for: ask "
                             "for as many or more, or choose another --out")
        try:
            state = conform(parts, pattern_of(run.carry, run.recorder, run.budget))
            check_agreement(state)
            run.load_state_dict(state)
        except Exception as error:  # torch raises some kinds for parts that it does not take
            raise damaged(self.file, error) from None


def check_agreement(state):
    """ValueError unless the parts of a state agree: columns of one length, steps that increase up to the carry's, a
    step for each image, as many outputs in a window as were counted.
    """
    recorder, last = state["recorder"], state["carry"]["step"]
    columns, steps = recorder["curve"], recorder["curve"].get("step", [])
    if {len(column) for column in columns.values()} - {len(steps)}:
        raise ValueError("the columns of the curve must be of one length")
    if not all(a < b for a, b in zip([0, *steps], [*steps, last + 1], strict=True)):
        raise ValueError("the steps of the curve must increase up to the last one")
    if recorder["at"].keys() != {name for name, image in recorder["images"].items() if image is not None}:
        raise ValueError("each image must have a step")
    if any(len(rule["ring"]) != min(rule["count"], rule["window"]) for rule in recorder["rules"].values()
           if "ring" in rule):
        raise ValueError("a window must hold the outputs that it has counted")


def damaged(path, error):
    """The InputError of a file that cannot be used, whatever error its reading raised."""
    said = ascii(str(error).split("\n")[0])[1:-1][:MOST_TEXT] if isinstance(error, ValueError) else ""
    return InputError(f"{path}: the checkpoint is damaged ({said or type(error).__name__}): delete it to start again")
