"""A classic answer to the problem of a panel, to compare with: it is worked out while nothing runs."""

import asyncio
import contextlib
import math

from ..methods import configure
from ..run.engine import reconstruct
from ..settings import InputError
from .drawing import of_problem

#: Task -> its best classic method of about two seconds, and its name in words. The larger a picture, the longer it
#: takes: pictures of more than so many pixels get none.
QUICK = {"mri": ("tv", "total variation", 128**2), "ct": ("tv", "total variation", 128**2),
         "deblurring": ("tv", "total variation", 96**2), "denoising": ("nlm", "non-local means", 256**2),
         "inpainting": ("harmonic", "harmonic filling", 256**2)}
WAIT = 1.0  #: seconds without a change in the panel before it is begun


class Classic:
    """PSNR of a classic method on each problem of a panel.

    Args:
        resting: tells whether no panel runs; no run has to wait for a classic method then.
        changed: called when a value has become known.
    """

    def __init__(self, resting, changed):
        self._resting, self._changed, self._known, self._timer = resting, changed, {}, None

    def line(self, session):
        """(name in words, PSNR in dB) for the problem of a session; NaN dB where it is unknown or not known yet."""
        if session is None:
            return "", math.nan
        return QUICK.get(session.case.task, ("", "", 0))[1], self._known.get(str(of_problem(session)), math.nan)

    def ask(self, session):
        """Work out the value for a session when nothing was asked for a while; never without an event loop, as in a
        script.
        """
        if self._timer:
            self._timer.cancel()
        if session is None or str(of_problem(session)) in self._known:
            return
        truth, (_, _, most) = session.case.truth, QUICK.get(session.case.task, ("", "", 0))
        if truth is not None and math.prod(truth.shape[:2]) <= most:
            with contextlib.suppress(RuntimeError):
                self._timer = asyncio.get_running_loop().call_later(WAIT, self._solve, session)

    def _solve(self, session):
        self._timer = None
        if session.state == "paused" or not self._resting():
            return self.ask(session)
        case, key = session.case, str(of_problem(session))
        self._known[key] = math.nan  # whatever comes, it is tried once
        try:
            result = reconstruct(case, configure(QUICK[case.task][0], case.task), progress=False)
        except InputError:
            return
        self._known[key] = result.metrics["psnr"]["final"]
        self._changed()
