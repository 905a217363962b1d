"""The panel: buttons, two runs in pictures and curves, the settings that matter most, and all others folded away."""

import asyncio
import html
import itertools
import signal
import threading
import time
import traceback
from pathlib import Path

import ipywidgets as widgets

from ..run.engine import check_run
from ..run.stopping import StopReason
from ..settings import InputError
from .drawing import Curves, pictures, status, table
from .session import Session
from .slider_names import slider_names

BUTTONS = {
    "Run": "start a run with these settings, or go on after a pause",
    "Pause": "interrupt the run; Run or Step goes on",
    "Step": "make one Adam step, of a new run if the last one has ended",
    "Stop": "end the run with what was reached",
    "Reset": "forget both runs and show the start",
    "Save": "write picture, array, curve and metrics of run B to files",
}
#: Least seconds between two redraws; a redraw also waits three times as long as the last one took.
REDRAW = 0.35


class Panel(widgets.VBox):
    """The view of up to two `Session`s: B, the current run, and A, the finished one before it.

    Args:
        form: the `Form` of the settings.
        device: where to compute.
        out: folder for "Save".

    Attributes:
        session, previous: B and A; None where there is none.
        controls: {name: control}, e.g. `panel.controls["lam"].value = 0`.
        buttons: {"Run": ..., "Pause", "Step", "Stop", "Reset", "Save"}.
        slider: the step that is looked at.
        keep: check box; while it is ticked, A stays A.
        status, message, pictures, curves, table: the HTML parts.
    """

    _running = None  # the one panel that runs: two would share the processor and both crawl

    def __init__(self, form, device, out):
        self.form, self.device, self.out = form, device, out
        self.session = self.previous = None
        self._task, self._due, self._follow, self._drawing, self._latest = None, 0.0, True, False, 0
        self._plot = Curves()
        self.buttons = {name: widgets.Button(description=name, tooltip=tip, layout=widgets.Layout(width="84px"))
                        for name, tip in BUTTONS.items()}
        self.keep = widgets.Checkbox(description="keep run A for the next runs too", indent=False,
                                     layout=widgets.Layout(width="auto", margin="2px 2px 2px 12px"))
        self.slider = widgets.IntSlider(description="look at step", min=0, max=0, layout=widgets.Layout(width="98%"),
                                        style=dict(description_width="90px"))
        self.status, self.message, self.pictures, self.curves, self.table = (widgets.HTML() for _ in range(5))
        self.message.layout.min_height = "30px"  # so that a message does not move the pictures
        self.bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="180px", height="14px"))
        more = widgets.Accordion([form], selected_index=None)
        more.set_title(0, "More settings")
        super().__init__([wrapped([*self.buttons.values(), self.keep]), wrapped([self.bar, self.status]), self.message,
                          self.pictures, self.slider, self.curves, form.first, self.table, more, slider_names()])
        self.add_class("aseqdip-panel")
        for name, button in self.buttons.items():
            action = getattr(self, f"_{name.lower()}")
            button.on_click(lambda _, action=action: self._attempt(action))
        self.slider.observe(self._look, "value")
        form.on_change(self._settings_changed)
        self._attempt(self._reset)

    @property
    def controls(self):
        return self.form.controls

    @property
    def state(self):
        """State of the current run: "idle", "running", "paused", "done" or "failed"."""
        return "idle" if self.session is None else self.session.state

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

    def draw(self):
        """Show everything as it is now."""
        began = time.perf_counter()
        self._enable()
        runs = {name: run for name, run in (("A", self.previous), ("B", self.session)) if run is not None}
        self._move_slider(runs)
        step = self.slider.value
        self.status.value = status(self.session) if self.session else ""
        self.bar.value = self.session.steps / self.session.budget if self.session and self.session.budget else 0
        self.pictures.value = pictures(runs, step) if runs else ""
        self.curves.value = self._plot.tag(runs, step)
        self.table.value = table(runs)
        now = time.perf_counter()
        self._due = now + max(REDRAW, 3 * (now - began))

    # What the buttons do

    def _run(self):
        loop = running_loop()
        if self.state != "paused":
            self._new_run()
        if Panel._running is not None and Panel._running.state == "running":
            Panel._running._attempt(Panel._running._give_way)
        self._say("")
        self.session.run()
        Panel._running, self._follow, self._interrupted = self, True, False
        self._task = loop.create_task(self._drive(self.session))

    def _pause(self):
        self.session.pause()
        self._say("Paused. Run and Step go on; to change settings, press Stop.")

    def _give_way(self):
        self.session.pause()
        self._say("Paused, because another panel runs now: two would share the processor. Run goes on here.")

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
        session = self.session
        folder = free_folder(self.out / f"panel-{session.case.task}-{session.method.name}")
        session.result().save(folder)
        self._say(f"Saved in {folder}: recon.png recon.npy curve.csv metrics.json")

    # What happens inside

    async def _drive(self, session):
        """Step a session to its end, letting the notebook's messages through after each step."""
        try:
            while session.state == "running" and self._task is asyncio.current_task():
                self._hear_interrupts()
                session.advance()
                if self._interrupted:
                    session.pause()
                    self._say("Interrupted. Run and Step go on; to change settings, press Stop.")
                if time.perf_counter() >= self._due:
                    self.draw()
                await asyncio.sleep(0.001)
        except Exception as error:
            if session.state == "running":  # the fault lies in the drawing
                session.pause()
            self._show_error(error)
        finally:
            if signal.getsignal(signal.SIGINT) == self._interrupt:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        if session is self.session:
            self._attempt(self._show_ending)

    def _hear_interrupts(self):
        """Let the kernel's Interrupt end the step; between two cells, when a panel runs, the kernel ignores it."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, number, frame):
        self._interrupted = True

    def _prepare(self, steps=None):
        """A new idle session with the settings of the form."""
        case = self.form.case().to(self.device)
        self.session = Session(case, self.form.method(), seed=self.form.seed(), steps=steps)
        self._follow = True

    def _new_run(self, steps=None):
        """Prepare the next run B; the last one becomes A if it made a step."""
        last = self.session
        self._prepare(steps)
        if last is not None and last.steps and not (self.keep.value and self.previous):
            self.previous = last

    def _attempt(self, action):
        """Do what a control asks for and draw; a mistake or a fault is shown in the panel."""
        for act in (action, self.draw):
            try:
                act()
            except Exception as error:
                self._show_error(error)

    def _settings_changed(self):
        """Before a run the start is shown at once with new settings; later they wait for the next run."""
        if self.state == "idle":
            self._attempt(self._preview)
        else:
            self._attempt(self._check)

    def _check(self):
        """Say that settings wait, or what is wrong with them."""
        self.form.method(), self.form.seed()
        self._say("Settings changed: the next new run has them.")

    def _preview(self):
        self._say("")
        self._prepare()

    def _look(self, change):
        if not self._drawing:
            self._follow = change["new"] == self._latest
            self._attempt(lambda: None)

    def _move_slider(self, runs):
        """Widen the slider to the longest run; it follows run B until it is moved away from B's latest step."""
        self._drawing, self._latest = True, self.session.steps if self.session else 0
        self.slider.max = max((run.steps for run in runs.values()), default=0)
        if self._follow:
            self.slider.value = self._latest
        self._drawing = False

    def _enable(self):
        actions = ("run", "step") if self.state in ("idle", "done", "failed") else self.session.actions
        made_steps = self.session is not None and self.session.steps > 0
        allowed = dict(reset=made_steps or self.previous is not None, save=made_steps and self.state != "running")
        for name, button in self.buttons.items():
            button.disabled = not allowed.get(name.lower(), name.lower() in actions)
        self.keep.disabled = self.previous is None
        self.form.enable(self.state not in ("running", "paused"))

    def _show_ending(self):
        if self.state == "done":
            self._say("Stopped. The next run will be shown beside this one."
                      if self.session.reason is StopReason.INTERRUPTED else self.session.reason.explanation)

    def _say(self, text):
        self.message.value = html.escape(text)

    def _show_error(self, error):
        """An input error in its one line; any other fault with its type and traceback."""
        text = f"<b>Error:</b> {html.escape(str(error))}"
        if not isinstance(error, InputError):
            trace = html.escape("".join(traceback.format_exception(error)))
            text = (f"<b>Error:</b> {type(error).__name__}: {html.escape(str(error))}"
                    f"<details><summary>traceback</summary><pre>{trace}</pre></details>")
        self.message.value = f'<div role="alert" style="border-left: 4px solid; padding-left: 8px">{text}</div>'

    def __repr__(self):
        return f"Panel({self.form.task.name}, {self.state}): run the notebook to use it, or call run_sync()"


def wrapped(children):
    """A row of widgets that goes on below where the page is narrow."""
    return widgets.HBox(children, layout=widgets.Layout(display="flex", flex_flow="row wrap"))


def running_loop():
    """The notebook's event loop; InputError where there is none, as in a plain script."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise InputError("Run needs a notebook's event loop: call run_sync() instead") from None


def free_folder(path):
    """`path` with the first number that is not taken: path-1, path-2, ..."""
    return next(folder for number in itertools.count(1) if not (folder := Path(f"{path}-{number}")).exists())
