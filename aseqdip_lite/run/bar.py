"""Progress bars and lines above them that never end the work: what cannot be printed is dropped."""

import sys
from contextlib import suppress

from tqdm.auto import tqdm

#: What writing to a stream raises that is full, broken or closed.
UNWRITABLE = (OSError, ValueError)


class Bar(tqdm):
    """A tqdm that is disabled by a stream which fails; tqdm itself raises, and holds a lock that others wait for."""

    def __init__(self, *args, disable=False, **kwargs):
        super().__init__(*args, disable=disable or sys.stderr is None, **kwargs)

    @staticmethod
    def status_printer(*args, **kwargs):
        try:
            return tqdm.status_printer(*args, **kwargs)
        except UNWRITABLE:
            return lambda text: None

    def display(self, *args, **kwargs):
        try:
            return super().display(*args, **kwargs)
        except UNWRITABLE:
            self.disable = True

    def close(self):
        with suppress(*UNWRITABLE):
            super().close()


def say(line):
    """Print a line on stderr, above the bars that are there."""
    if sys.stderr is not None:
        with suppress(*UNWRITABLE):
            tqdm.write(line, file=sys.stderr)
