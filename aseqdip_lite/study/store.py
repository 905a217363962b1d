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

    Attributes:
        rows: {key: row} in the order of the file; of two rows of one key the later one.

    Raises:
        InputError: a line is damaged.
    """

    def __init__(self, file, names):
        self.file, self.names = file and Path(file), names
        self.rows = {}
        data = self.file.read_bytes() if self.file and self.file.exists() else b""
        for number, line in enumerate(data.split(b"\n")[:-1], 1):
            try:
                row = json.loads(line)
                self.rows[key(row, names)] = row
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{self.file}, line {number} is damaged: put the file back as it was, or take the "
                                 "line out to run its trial again") from None

    def add(self, row):
        """Take in a row, plain JSON, and write it; InputError if it cannot be written: the file is then as before."""
        line = json.dumps(row).encode() + b"\n"
        self.rows[key(row, self.names)] = row
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
            raise InputError(f"cannot write to {self.file}: {error.strerror or error}; mend that and start again, "
                             "it goes on there") from None

