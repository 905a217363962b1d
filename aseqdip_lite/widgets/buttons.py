"""What the buttons of the panel do: runs are started, paused, stepped, stopped and saved."""

import asyncio
import contextlib
import html
import itertools
import signal
import threading
import time
from pathlib import Path

from ..files import write_together
from ..run.engine import check_run
from ..run.plots import to_gif
from ..run.stopping import StopReason
from ..settings import InputError
from .drawing import image_tag
from .session import Session
from .view import View


class Panel(View):
    """A `View` whose buttons work, and which can be driven without them by `run_sync`.

    Args:
        form: the `Form` of the settings.
        device: where to compute.
        out: folder for "Save" and "GIF".
    """

    _running = None  # the one panel that runs: two would share the processor and both crawl

    def __init__(self, form, device, out):
        super().__init__(form, resting)
        self.device, self.out, self._task, self._main = device, out, None, None
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(RuntimeError):  # a script has no loop
                self._main = asyncio.get_running_loop()
        for name, button in self.buttons.items():
            action = getattr(self, f"_{name.lower()}")
            button.on_click(lambda _, action=action: self._attempt(action))
        form.on_change(self._settings_changed)
        self._attempt(self._reset)

    def run_sync(self, steps=None):
        """Run to the end without buttons and return the `Result`: the same numbers as `reconstruct`.

        Args:
            steps: last Adam step; the method's own budget by default.

        Raises:
            InputError: bad settings, or a run is still in progress.
        """
        check_run(steps=steps)
        if self.state in ("running", "paused"):
            raise InputError(f"a run is {self.state}: press Stop or Reset first")
        self._new_run(steps)
        self.session.run()
        try:
            while self.session.state == "running":
                self.session.advance()
        finally:
            self._show_ending()
            self.draw()
        return self.session.result()

    # What the buttons do

    def _run(self):
        loop = running_loop()
        if self.state != "paused":
            self._new_run()
        other = None if resting() else Panel._running
        if other is not None:
            other._attempt(other._give_way)
        self._say(f"The run of another panel is paused at step {other.session.steps}: two would share the processor. "
                  "Run continues there." if other else "")
        self.session.run()
        Panel._running, self._follow, self._interrupted = self, True, False
        self._task = loop.create_task(self._drive(self.session))

    def _pause(self):
        self.session.pause()
        self._say("Paused. Run and Step continue; to change settings, press Stop.")

    def _give_way(self):
        self.session.pause()
        self._say("Paused, because another panel runs now: two would share the processor. Run continues here.")

    def _step(self):
        if self.state != "paused":
            self._new_run()
        self._say("")
        self._follow = True
        self.session.step()
        self._show_ending()

    def _stop(self):
        self.session.stop()
        self._show_ending()

    def _reset(self):
        self.session = self.previous = self._task = None
        self._preview()

    def _save(self):
        folder = free(self._place()).resolve()
        written = self.session.result().save(folder)
        self._say(f"Saved in {folder}: {' '.join(written)}")

    def _gif(self):
        frames = self.session.frames
        *images, last = {**frames.kept, **dict([frames.latest])}.values()
        gif = to_gif([*images[::len(images) // 36 + 1], last], self.session.case.window)
        file = free(self._place(), ".gif").resolve()
        try:
            write_together(file.parent, {file.name: gif})
        except OSError as error:
            raise InputError(f"cannot write {file}: {error.strerror or error}; make room, or choose another folder by "
                             "panel(..., out=FOLDER)") from None
        shown = image_tag(gif, f"Iterates of {self.session.method.name} up to step {self.session.steps}", 192,
                          kind="gif")
        self.message.value = f"{shown}<br>Saved as {html.escape(str(file))}"

    def _place(self):
        return self.out / f"panel-{self.session.case.task}-{self.session.method.name}"

    # What happens inside

    async def _drive(self, session):
        """Step a session to its end, letting the notebook's messages through after each step."""
        try:
            while session.state == "running" and self._task is asyncio.current_task():
                self._in_main_thread(self._hear_interrupts, True)
                session.advance()
                if self._interrupted:
                    session.pause()
                    self._say("Interrupted. Run and Step continue; to change settings, press Stop.")
                if time.perf_counter() >= self._due:
                    self.draw()
                await asyncio.sleep(0.001)
        except Exception as error:
            if session.state == "running":  # the fault lies in the drawing
                session.pause()
            self._show_error(error)
        finally:
            self._in_main_thread(self._hear_interrupts, False)
        if session is self.session:
            self._attempt(self._show_ending)

    def _in_main_thread(self, function, *args):
        """Call where signals can be heard: JupyterLab has clicks, and so runs, handled by another thread."""
        if threading.current_thread() is threading.main_thread():
            function(*args)
        elif self._main is not None:
            self._main.call_soon_threadsafe(function, *args)

    def _hear_interrupts(self, wanted):
        """Let the kernel's Interrupt pause the run, or no longer: between two cells, when panels run, it is ignored."""
        before, after = (signal.SIG_IGN, self._interrupt) if wanted else (self._interrupt, signal.SIG_IGN)
        if signal.getsignal(signal.SIGINT) == before:
            signal.signal(signal.SIGINT, after)

    def _interrupt(self, number, frame):
        self._interrupted = True

    def _prepare(self, steps=None):
        """A new idle session with the settings of the form."""
        case = self.form.case().to(self.device)
        self.session = Session(case, self.form.method(), seed=self.form.seed(), steps=steps)
        self._repeats = self.form.code(self.device)
        self._follow = True

    def _new_run(self, steps=None):
        """Prepare the next run; the last one becomes A if it made a step, unless another one is kept as A."""
        last = self.session
        self._prepare(steps)
        if last is not None and last.steps and not (self.keep.value and self.previous):
            self.previous = last

    def _settings_changed(self):
        """Before a run the start is shown at once with new settings; later they wait for the next run."""
        if self.state == "idle":
            self._attempt(self._preview)
        else:
            self._attempt(self._check)

    def _check(self):
        """Say that settings wait, or what is wrong with them."""
        self.form.method(), self.form.seed()
        self._say("Settings changed: the next new run will use them.")

    def _preview(self):
        self._say("" if resting() or Panel._running is self else Panel._running.elsewhere())
        self._prepare()

    def _show_ending(self):
        if self.state == "done":
            reason, settings = self.session.reason, self.session.method.to_dict()
            self._say("Stopped. The next run will be shown beside this one." if reason is StopReason.INTERRUPTED
                      else reason.told(settings))

    def elsewhere(self):
        """What other panels say while this one runs, which may be out of sight since the page was loaded again."""
        return (f"The run of another panel continues, {self.session.method.name} at step {self.session.steps} of "
                f"{self.session.budget}. Its Stop ends it; if that panel is lost, Run here pauses it for good, and so "
                "does Kernel > Interrupt.")

    def __repr__(self):
        return f"Panel({self.form.task.name}, {self.state}): run the notebook to use it, or call run_sync()"


def resting():
    """Whether no panel runs."""
    return Panel._running is None or Panel._running.state != "running"


def running_loop():
    """The notebook's event loop; InputError where there is none, as in a plain script."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise InputError("Run needs a notebook's event loop: call run_sync() instead") from None


def free(path, suffix=""):
    """`path` with the first number that is not taken, and the suffix: path-1, path-2, ..."""
    names = (Path(f"{path}-{number}{suffix}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
