"""One run that is started, paused, stepped, stopped and looked back on. No widgets here."""

import math

from ..case import to_array
from ..run.engine import Run

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
    """The latest displayed image, and at most `limit` (2 or more) evenly spaced ones: every second goes if need be."""

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


class Session(Run):
    """A `Run` with a state, and with its iterates to look back on.

    Attributes:
        state: "idle", "running", "paused", "done" or "failed".
        frames: the stored iterates, as displayed; step 0 is the start.
        sampled: of a method that draws several samples, one of them and their standard deviation at each pixel, as
            displayed after the latest step; else None.
    """

    def __init__(self, case, method, *, seed=0, steps=None):
        super().__init__(case, method, seed=seed, steps=steps)
        start = case.display(case.observation.start)
        self._start_psnr = math.nan if case.truth is None else self.recorder.score("psnr", case.observation.start)
        self.frames = Frames(max(2, min(MOST_FRAMES, MOST_BYTES // start.nbytes)))
        self.frames.add(0, start)
        self.state, self.sampled = "idle", None

    @property
    def actions(self):
        """What may be asked of the session now."""
        return ACTIONS[self.state]

    @property
    def seconds_left(self):
        """Seconds to the end of the budget at the mean pace so far; None before the first step and after the end."""
        return (self.budget - self.steps) * self.seconds / self.steps if self.steps and self.actions else None

    def run(self):
        """Start, or go on after a pause; then call `advance` while the state is "running"."""
        self._expect("run")
        self.state = "running"
        self.start()

    def pause(self):
        """Make no further step until `run` or `step`."""
        self._expect("pause")
        self.state = "paused"

    def stop(self):
        """End the run with what was reached."""
        self._expect("stop")
        self.interrupt()
        self.state = "done"

    def step(self):
        """Make one Adam step, then stay paused unless that was the last one."""
        self._expect("step")
        self.state = "paused"
        self.start()
        self.advance()

    def advance(self):
        """Make and record the next Adam step. An exception of the method makes the state "failed" and goes on up."""
        try:
            state = super().advance()
            if state.step == self.steps:
                self.frames.add(state.step, self.case.display(state.estimate))
                if state.deviation is not None:
                    spread = to_array(state.deviation, self.case.observation.scale)
                    self.sampled = self.case.display(state.image), self.case.shown(spread)
        except Exception:
            self.state = "failed"
            raise
        if self.reason:
            self.state = "done"

    def psnr(self, step):
        """PSNR in dB of the answer at a step, 0 being the start; NaN where there is no such step or no truth."""
        values = [self._start_psnr, *self.recorder.curve.get("psnr", ())]
        return values[step] if 0 <= step < len(values) else math.nan

    def _expect(self, action):
        if action not in self.actions:
            raise RuntimeError(f"cannot {action} a run that is {self.state}")
