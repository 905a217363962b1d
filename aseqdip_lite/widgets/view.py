"""What is seen of the panel: pictures and curves first, then the settings that matter most, all others folded away."""

import html
import time
import traceback

import ipywidgets as widgets

from ..run.stopping import StopReason
from ..settings import InputError
from .classic import Classic
from .controls import TIP
from .curves import Curves
from .drawing import pictures, status, table
from .slider_names import slider_names

BUTTONS = {
    "Run": "start a run with these settings, or continue after a pause",
    "Pause": "interrupt the run; Run or Step continues it",
    "Step": "take one Adam step, of a new run if the last one has ended",
    "Stop": "end the run with what it has reached",
    "Reset": "forget both runs and show the start",
    "Save": "write picture, array, curve and metrics of the latest run to files",
    "GIF": "write the iterates of the latest run as a moving picture, and show it",
}
#: Least seconds between two redraws; a redraw also waits three times as long as the last one took.
REDRAW = 0.35


class View(widgets.VBox):
    """The view of up to two `Session`s: the latest, and the finished one before it.

    The first run is named A. The next one, B, stands beside it; from the third on the last one becomes A.

    Args:
        form: the `Form` of the settings.
        resting: tells whether no panel runs.

    Attributes:
        session, previous: the latest run and the one before it; None where there is none.
        controls: {name: control}, e.g. `panel.controls["lam"].value = 0`.
        buttons: {"Run": ..., "Pause", "Step", "Stop", "Reset", "Save", "GIF"}.
        slider: the step that is looked at.
        zoom, across, down: how much is enlarged, and where the box lies, from 0 (left, top) to 1.
        keep: check box; while it is ticked, A stays A.
        status, message, pictures, curves, table: the HTML parts.
        code: text box with the Python that repeats the latest run.
    """

    def __init__(self, form, resting):
        self.form, self.session, self.previous, self._repeats = form, None, None, ""
        self._due, self._follow, self._drawing, self._latest = 0.0, True, False, 0
        self._plot, self._classic = Curves(), Classic(resting, lambda: self._attempt(lambda: None))
        self.buttons = {name: widgets.Button(description=name, tooltip=tip, layout=widgets.Layout(width="68px"))
                        for name, tip in BUTTONS.items()}
        self.keep = widgets.Checkbox(description="keep run A for the next runs too", indent=False,
                                     layout=widgets.Layout(width="auto", margin="2px 2px 2px 12px"))
        self.slider = widgets.IntSlider(description="look at step", min=0, max=0, layout=widgets.Layout(width="340px"),
                                        style=dict(description_width="90px"))
        self.zoom = widgets.Dropdown(description="zoom", options=[("whole", 1), ("2 x", 2), ("4 x", 4), ("8 x", 8)],
                                     layout=widgets.Layout(width="130px"), style=dict(description_width="40px"))
        self.across, self.down = (widgets.FloatSlider(
            value=0.5, min=0, max=1, step=0.05, description=name, readout=False, style=dict(description_width="50px"),
            layout=widgets.Layout(width="160px", display="none")) for name in ("across", "down"))
        self.status, self.message, self.pictures, self.curves, self.table = (widgets.HTML() for _ in range(5))
        self.message.layout.min_height = "30px"  # so that a message does not move what is below it
        self.bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="180px", height="14px"))
        self.code = widgets.Textarea(rows=4, layout=widgets.Layout(width="98%"), description="code", **{
            TIP: "Python that repeats the latest run: copy it into a cell"})
        more = widgets.Accordion([form, self.code], selected_index=None)
        for index, title in enumerate(("More settings", "The latest run as a line of Python")):
            more.set_title(index, title)
        super().__init__([wrapped(self.buttons.values()), wrapped([self.bar, self.status]), self.pictures, self.message,
                          wrapped([self.slider, self.zoom, self.across, self.down, self.keep]), self.curves,
                          form.first, self.table, more, slider_names()])
        self.add_class("aseqdip-panel")
        self.slider.observe(self._look, "value")
        for one in (self.zoom, self.across, self.down):
            one.observe(self._enlarge, "value")

    @property
    def controls(self):
        return self.form.controls

    @property
    def state(self):
        """State of the latest run: "idle", "running", "paused", "done" or "failed"."""
        return "idle" if self.session is None else self.session.state

    @property
    def runs(self):
        """{"A": session, "B": session} of the runs that there are; B is later."""
        return dict(zip("AB", filter(None, (self.previous, self.session)), strict=False))

    def draw(self):
        """Show everything as it is now."""
        began = time.perf_counter()
        self._enable()
        runs = self.runs
        self._move_slider(runs)
        step = self.slider.value
        self.status.value = status(*[*runs.items()][-1]) if runs else ""
        self.bar.value = self.session.steps / self.session.budget if self.session and self.session.budget else 0
        self.pictures.value = pictures(runs, step, (self.zoom.value, self.across.value, self.down.value))
        self.curves.value = self._plot.tag(runs, step, self._classic.line(self.session))
        self.code.value = self._code_of(self.session) if self.session else ""
        self.table.value = table(runs)
        now = time.perf_counter()
        self._due = now + max(REDRAW, 3 * (now - began))
        self._classic.ask(self.session)

    def _attempt(self, action):
        """Do what a control asks for and draw; a mistake or a fault is shown in the panel."""
        for act in (action, self.draw):
            try:
                act()
            except Exception as error:
                self._show_error(error)

    def _enlarge(self, _):
        for one in (self.across, self.down):
            one.layout.display = None if self.zoom.value > 1 else "none"
        self._attempt(lambda: None)

    def _look(self, change):
        if not self._drawing:
            self._follow = change["new"] == self._latest
            self._attempt(lambda: None)

    def _move_slider(self, runs):
        """Widen the slider to the longest run; it follows the latest run until it is moved back."""
        self._drawing, self._latest = True, self.session.steps if self.session else 0
        self.slider.max = max((run.steps for run in runs.values()), default=0)
        if self._follow:
            self.slider.value = self._latest
        self._drawing = False

    def _enable(self):
        actions = ("run", "step") if self.state in ("idle", "done", "failed") else self.session.actions
        made_steps = self.session is not None and self.session.steps > 0
        files = made_steps and self.state != "running"
        allowed = dict(reset=made_steps or self.previous is not None, save=files, gif=files)
        for name, button in self.buttons.items():
            button.disabled = not allowed.get(name.lower(), name.lower() in actions)
        self.keep.disabled = self.previous is None
        self.form.enable(self.state not in ("running", "paused"))

    def _code_of(self, session):
        """The line that repeats a session: one that was ended early with the steps that it made."""
        steps = session.steps if session.reason is StopReason.INTERRUPTED else session.budget
        return f"{self._repeats}{steps})"

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


def wrapped(children):
    """A row of widgets that goes on below where the page is narrow."""
    return widgets.HBox([*children], layout=widgets.Layout(display="flex", flex_flow="row wrap", align_items="center"))
