"""One run that is started, paused, stepped, stopped and looked back on. No widgets here."""

import math
import time

from ..run.engine import fault, iterate
from ..run.recorder import Recorder
from ..run.result import Result

#: What may be asked of a session in each state. "done" and "failed" are final.
ACTIONS = {
    "idle": ("run", "step"),
    "running": ("pause", "stop"),
    "paused": ("run", "step", "stop"),
    "done": (),
    "failed": (),
}
#: Bounds on the stored iterates of one run: their number and their bytes.
MOST_FRAMES, MOST_BYTES = 64, 64 * 2**20


class Frames:
    """Displayed images at evenly spaced steps, thinned to every second one whenever there are too many.

    Args:
        limit: most images that are kept besides the latest, at least 2.
    """

    def __init__(self, limit):
        self.limit, self.stride = limit, 1
        self.kept, self.latest = {}, (0, None)

    def add(self, step, image):
        """Take in the image (H, W) or (H, W, 3) of the next step; the first step is 0."""
        self.latest = (step, image)
        if step % self.stride == 0:
            self.kept[step] = image
        while len(self.kept) > self.limit:
            self.stride *= 2
            self.kept = {s: kept for s, kept in self.kept.items() if s % self.stride == 0}

    def at(self, step):
        """(stored step, image): the latest from its own step on, else the last one stored up to `step`."""
        if step >= self.latest[0]:
            return self.latest
        stored = step - step % self.stride
        return stored, self.kept[stored]


class Session:
    """A run of a method on a case, driven step by step.

    Args:
        case: the `Case`.
        method: a method with its settings.
        seed: initialisation seed.
        steps: last Adam step; the method's own budget by default.

    Attributes:
        state: "idle", "running", "paused", "done" or "failed".
        reason: why it is done: "budget", "own rule", "interrupted", "diverged" or "dead network", as in `Result`; ""
            before.
        recorder: the `Recorder`, with the curves and the four images.
        frames: the stored iterates, as displayed; step 0 is the start.
        seconds: wall time spent running.

    Raises:
        InputError: the method does not fit the case.
    """

    def __init__(self, case, method, *, seed=0, steps=None):
        method.check_image(case.image)
        self.case, self.method, self.seed = case, method, seed
        self.budget = method.steps if steps is None else steps
        self.carry = method.init(case.observation, seed)
        self.recorder = Recorder(case)
        start = case.display(case.observation.start)
        self._start_psnr = math.nan if case.truth is None else self.recorder.score("psnr", case.observation.start)
        self.frames = Frames(max(2, min(MOST_FRAMES, MOST_BYTES // start.nbytes)))
        self.frames.add(0, start)
        self.state, self.reason, self.seconds = "idle", "", 0.0
        self._states = iterate(case.observation, method, steps=self.budget, carry=self.carry)

    @property
    def actions(self):
        """What may be asked of the session now."""
        return ACTIONS[self.state]

    @property
    def steps(self):
        """Recorded Adam steps."""
        return len(self.recorder.curve.get("step", ()))

    @property
    def seconds_left(self):
        """Estimated seconds to the end of the budget at the mean pace so far; None before the first step and after
        the end.
        """
        if not self.steps or not self.actions:
            return None
        return (self.budget - self.steps) * self.seconds / self.steps

    def run(self):
        """Start, or go on after a pause; then call `advance` while the state is "running"."""
        self._expect("run")
        self.state, self._since = "running", time.perf_counter()

    def pause(self):
        """Stop pulling states until `run` or `step`."""
        self._expect("pause")
        self.state = "paused"

    def stop(self):
        """End the run with what was reached."""
        self._expect("stop")
        self._end("interrupted")

    def step(self):
        """Make one Adam step, then stay paused unless that was the last one."""
        self._expect("step")
        self.state, self._since = "paused", time.perf_counter()
        self.advance()

    def advance(self):
        """Make and record the next Adam step. An exception of the method makes the state "failed" and goes on up."""
        try:
            state = next(self._states)
            reason = fault(state, self.recorder)
            if reason:
                self._end(reason)
                return
            self.recorder.record(state)
            self.frames.add(state.step, self.case.display(state.estimate))
        except Exception:
            self.state = "failed"
            raise
        now = time.perf_counter()
        self.seconds, self._since = self.seconds + now - self._since, now
        if state.step >= self.budget:
            self._end("budget")
        elif self.carry.done:
            self._end("own rule")

    def result(self):
        """The run so far as a `Result`, the same as `reconstruct` returns."""
        return Result.of(self.recorder, self.method, seed=self.seed, steps=self.carry.step,
                         stop_reason=self.reason or "interrupted", seconds=self.seconds)

    def psnr(self, step):
        """PSNR in dB of the answer at a step, 0 being the start; NaN where there is no such step or no truth."""
        values = [self._start_psnr, *self.recorder.curve.get("psnr", ())]
        return values[step] if 0 <= step < len(values) else math.nan

    def _expect(self, action):
        if action not in self.actions:
            raise RuntimeError(f"cannot {action} a run that is {self.state}")

    def _end(self, reason):
        self.state, self.reason = "done", reason
