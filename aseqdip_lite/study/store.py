"""What finished runs leave behind: one line of JSON each in a file that is only appended to."""

import errno
import fcntl
import json
import os
from pathlib import Path

from ..settings import InputError


def key(entry, names):
    """What identifies an entry: its values of these names, as canonical JSON."""
    return json.dumps([entry[name] for name in names], sort_keys=True)


class Store:
    """Rows of finished runs, read from a file at the start and appended to it one by one, perhaps by several processes.

    A row is on the disk when `add` returns. A killed process leaves at most a last line without its end, which does not
    count and is cut off by the next `add`.

    Args:
        file: path of the JSON lines; None keeps the rows in memory alone.
        names: those of the entries that identify a row.
        kinds: {name: type} of other entries that every row must have.

    Attributes:
        rows: {key: row} in the order of the file; of two rows of one key the later one.

    Raises:
        InputError: a line is damaged, or the file is a folder or another thing that no rows can be read from.
    """

    def __init__(self, file, names, kinds=None):
        self.file, self.names, self.kinds = file and Path(file), names, kinds or {}
        self.rows = {}
        for number, line in enumerate(self._lines(), 1):
            try:
                row = json.loads(line)
                self.rows[self._key(row)] = row
            except (ValueError, RecursionError):
                raise InputError(f"{self.file}, line {number} is damaged: put the file back as it was, or take the "
                                 "line out to run its trial again") from None

    def _lines(self):
        """The whole lines of the file, as bytes; none where there is no file yet."""
        if self.file is None or not os.path.lexists(self.file):
            return []
        if not self.file.is_file():
            raise InputError(f"cannot read rows from {self.file}: it is not a file, choose another name")
        try:
            return self.file.read_bytes().split(b"\n")[:-1]
        except OSError as error:
            raise InputError(f"cannot read rows from {self.file}: {error.strerror or error}") from None

    def _key(self, row):
        """The key of a row; InputError unless it is a dictionary that has the names and the kinds."""
        if not isinstance(row, dict) or not set(self.names) <= set(row) or not all(
                isinstance(row.get(name), kind) for name, kind in self.kinds.items()):
            kinds = "".join(f", {name} of type {kind.__name__}" for name, kind in self.kinds.items())
            raise InputError(f"a row must be a dictionary with {', '.join(self.names)}{kinds}")
        return key(row, self.names)

    def add(self, row):
        """Take in a row, plain JSON, and write it; InputError if it cannot be written: the file is then as before."""
        try:
            place, line = self._key(row), json.dumps(row).encode() + b"\n"
        except InputError:
            raise
        except (TypeError, ValueError) as error:
            raise InputError(f"a row must be plain JSON: {error}") from None
        self.rows[place] = row
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("ab+", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                whole = file.read().rfind(b"\n") + 1
                file.truncate(whole)
                try:
                    if file.write(line) < len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(whole)
                    raise
        except OSError as error:
            raise InputError(f"cannot write to {self.file}: {error.strerror or error}; correct that and start again, "
                             "it continues there") from None

