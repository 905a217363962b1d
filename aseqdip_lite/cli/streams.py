"""stdout and stderr of a command: that one of them is full, closed, broken or busy never ends the work."""

import errno
import io
import os
import sys
from contextlib import suppress


class Steady(io.FileIO):
    """A file descriptor that takes all bytes; those which it cannot write it drops, and `fault` says why."""

    fault = None

    def write(self, data):
        try:
            if (written := super().write(data)) is not None:
                return written
            self.fault = "it would have to wait"
        except OSError as error:
            self.fault = error.strerror if error.errno != errno.EPIPE else None  # its reader has had enough
        return len(data)


def lost():
    """Why a part of what was printed to stdout was lost; None if none was, or its reader has gone."""
    sys.stdout.flush()
    return getattr(getattr(getattr(sys.stdout, "buffer", None), "raw", None), "fault", None)


def steady():
    """Put a `Steady` below sys.stdout and sys.stderr, and let no letter of a name fail.

    A stream that was closed at the start becomes /dev/null, or a file of the run would get its descriptor.
    """
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        buffer = getattr(stream, "buffer", None)
        raw = getattr(buffer, "raw", buffer)  # there is no buffer between under PYTHONUNBUFFERED
        if stream is None:
            setattr(sys, name, os.fdopen(nowhere(number), "w"))
        elif isinstance(raw, io.FileIO) and not isinstance(raw, Steady):
            with suppress(OSError):
                stream.flush()
            setattr(sys, name, io.TextIOWrapper(
                io.BufferedWriter(Steady(raw.fileno(), "w", closefd=False)), stream.encoding, "backslashreplace",
                line_buffering=stream.line_buffering or raw is buffer))
        else:
            stream.reconfigure(errors="backslashreplace")


def nowhere(number):
    """A descriptor of /dev/null, which children inherit; `number` is one, too, if it was free."""
    handle = os.open(os.devnull, os.O_RDWR)
    os.set_inheritable(handle, True)
    try:
        os.fstat(number)
    except OSError:
        os.dup2(handle, number)
    return handle
