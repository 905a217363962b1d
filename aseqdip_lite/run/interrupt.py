"""Signals: Ctrl-C, TERM (`kill`, a scheduler's time limit) and HUP (a closed terminal) end work in good order."""

import signal
import threading
from contextlib import contextmanager

#: They end a run after its current step; what it has made is stored.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_caught = None  # the list of the outermost block of `deferred_interrupt` that is open


@contextmanager
def deferred_interrupt():
    """Collect `SIGNALS` in the yielded list instead of ending anything; a second Ctrl-C raises KeyboardInterrupt.

    A second TERM or HUP does not: a terminal that closes sends several. A block within a block shares its list, so that
    one signal ends the innermost work and all that waits for it. Only the main thread receives signals; elsewhere the
    list stays empty, as it does for a HUP under nohup.
    """
    global _caught
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    if _caught is not None:
        yield _caught
        return
    caught = _caught = []

    def handle(number, frame):
        if caught and number == signal.SIGINT:
            raise KeyboardInterrupt
        caught.append(number)

    with handled(handle, *SIGNALS):
        try:
            yield caught
        finally:
            _caught = None


@contextmanager
def raised_interrupt():
    """TERM and HUP raise KeyboardInterrupt, as Ctrl-C does."""
    if threading.current_thread() is threading.main_thread():
        with handled(signal.default_int_handler, signal.SIGTERM, signal.SIGHUP):
            yield
    else:
        yield


@contextmanager
def handled(handle, *numbers):
    """Signals go to `handle` in this block; a HUP that is ignored, or one that is not Python's, stays so."""
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: was for number, was in before.items()
              if was is not None and (was is not signal.SIG_IGN or number == signal.SIGINT)}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def leave_to_parent():
    """For a worker: no signal of `SIGNALS` is its own. Its parent, which gets the same ones, tells it to stop."""
    global _caught
    _caught = []
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
