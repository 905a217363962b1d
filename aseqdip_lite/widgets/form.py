"""The settings of a run as controls: what is reconstructed, how, and from which seeds."""

import ipywidgets as widgets

from .. import images, methods, tasks
from ..run.engine import check_run
from ..settings import fields_of, nearest, whole_number
from .controls import FIRST, WIDTH, controls_for, described, glossary, narrow

OWN = "own settings"  #: no preset

#: What a preset makes of the settings of aSeqDIP, at the same number of steps; None is another method.
PRESETS = {"default": dict, "paper": dict, "vanilla DIP": None, "no lam": lambda settings: settings | dict(lam=0.0),
           "exact stages": lambda settings: settings | exact(settings["N"], settings["K"])}


class Form(widgets.VBox):
    """Controls of image, method, seeds and all settings; they become a `Case` and a method on demand.

    The form itself holds what is folded away; `first` holds the presets, the method and those of its settings that are
    named in `controls.FIRST`.

    Args:
        task, image, method, seed, data_seed, profile: what is chosen at first, see `panel`.
        offered: names of the methods to choose from.
        settings: {name: first value} of settings of the task or of the offered methods.

    Raises:
        InputError: an unknown name, or a value out of its bounds.
    """

    def __init__(self, task, image, method, seed, data_seed, profile, offered, settings):
        self.task, self.profile = tasks.get(task), profile
        nearest(profile, self.task.profiles, "profile")
        for name in offered:
            nearest(name, methods.names(task), f"method for {task}")
        nearest(method, offered, "method of this panel")
        known = {field.name for cls in (self.task, *map(methods.get, offered)) for field, _, _ in fields_of(cls)}
        for name in settings:
            nearest(name, sorted(known), f"setting of {task} or its methods")
        self._given, self._cached, self._of_method = settings, {}, {}
        self._of_problem = dict(
            image=widgets.Dropdown(options=self._pictures(image), value=image or self.task.default_image,
                                   **described("image", "the image taken as truth")),
            data_seed=widgets.IntText(value=data_seed, **described("data_seed", "seed of the data: mask, noise, ...")),
            **controls_for(self.task, self.task(**self.task.profiles[profile] | self._given_to(self.task)).to_dict()))
        self._choice = widgets.Dropdown(options=offered, value=method,
                                        **described("method", "how to reconstruct"))
        self._seed = widgets.IntText(value=seed, **described("seed", "seed of the initial weights"))
        names = [name for name, change in PRESETS.items() if ("aseqdip" if change else "vanilla") in offered]
        self.preset = widgets.Dropdown(options=[OWN, *names], value=OWN, **described(
            "preset", "settings that go together; with exact stages each z is fitted nearly as well as f can"))
        self._changed, self._taking = lambda: None, False
        self._problem_box = widgets.VBox([heading("Problem"), *self._of_problem.values()])
        self._method_box, self._words = widgets.VBox(), widgets.HTML(layout=widgets.Layout(width=WIDTH))
        self.first = widgets.HBox(layout=widgets.Layout(display="flex", flex_flow="row wrap"))
        super().__init__([self._problem_box, self._method_box, self._words])
        self.preset.observe(self._take_preset, "value")
        self._choice.observe(self._choose, "value")
        for one in (*self._of_problem.values(), self._choice, self._seed):
            one.observe(self._touched, "value")
        self._choose()

    @property
    def controls(self):
        """{name: control} of "image", "data_seed", "method", "seed" and all settings in use."""
        return self._of_problem | dict(method=self._choice, seed=self._seed) | self._of_method[self._choice.value]

    def on_change(self, call):
        """Call `call()` after every change of a value."""
        self._changed = call

    def enable(self, enabled):
        """Let the controls be changed, or not."""
        for one in (self.preset, *self.controls.values()):
            one.disabled = not enabled

    def case(self):
        """The `Case` that is asked for; the last one is kept, so that another lam does not simulate anew.

        Raises:
            InputError: a setting is out of its bounds or does not fit the image.
        """
        asked = {name: control.value for name, control in self._of_problem.items()}
        key = tuple(asked.items())
        if key not in self._cached:
            image, seed = asked.pop("image"), whole_number("seed", asked.pop("data_seed"), 0)
            self._cached = {key: self.task(**asked).observe(images.load_image(image), seed)}
        return self._cached[key]

    def method(self):
        """The method that is asked for, with its settings; InputError if one is out of its bounds."""
        name = self._choice.value
        settings = {key: control.value for key, control in self._of_method[name].items()}
        return methods.configure(name, self.task.name, self.profile, **settings)

    def seed(self):
        """The initialisation seed; InputError if it is negative."""
        check_run(seed=self._seed.value)
        return self._seed.value

    def code(self, device):
        """The Python that repeats a run on a device, but for its end, the number of steps and a bracket."""
        task, asked = self.task, {name: control.value for name, control in self._of_problem.items()}
        image, data_seed = asked.pop("image"), asked.pop("data_seed")
        of_file = images.load_image(image)
        idle = {*task(**asked).idle(of_file), *["size"] * (not getattr(of_file, "shipped", True))}
        usual = task(**task.profiles["laptop"]).to_dict()
        asked = {key: value for key, value in asked.items() if key not in idle
                 and (value != usual[key] or asked.get("measured") and key == "sigma")}
        name, method = self._choice.value, self.method()
        usual = methods.configure(name, task.name).to_dict()
        given = {key: value for key, value in method.to_dict().items() if key == "network" and value != usual[key]}
        usual = methods.configure(name, task.name, **given).to_dict()  # a network may bring its settings along
        given |= {key: value for key, value in method.to_dict().items() if value != usual[key]}
        case = call("load_case", task.name, image, seed=data_seed, **asked)
        moved = "" if device == "cpu" else f".to({device!r})"
        return ("from aseqdip_lite import configure, load_case, reconstruct\n"
                f"result = reconstruct({case}{moved}, {call('configure', name, task.name, **given)}, "
                f"seed={self._seed.value}, steps=")

    def _choose(self, _=None):
        """Show the settings of the chosen method; each method keeps its own values."""
        name, cls = self._choice.value, methods.get(self._choice.value)
        if name not in self._of_method:
            first = methods.configure(name, self.task.name, self.profile, **self._given_to(cls))
            self._of_method[name] = controls_for(cls, first.to_dict())
            for one in self._of_method[name].values():
                one.observe(self._touched, "value")
        own = self._of_method[name]
        self.first.children = [narrow(one) for one in (self.preset, self._choice,
                                                       *(own[key] for key in FIRST if key in own))]
        rest = [one for key, one in own.items() if key not in FIRST]
        self._method_box.children = [heading("Method"), *rest, self._seed]
        self._words.value = glossary(self.task, cls)

    def recorded(self, profile):
        """The settings {name: value} that aSeqDIP has for the task in a profile, with those that the panel was given
        unless they are the paper's.
        """
        given = {} if profile == "paper" else self._given_to(methods.get("aseqdip"))
        return methods.configure("aseqdip", self.task.name, profile, **given).to_dict()

    def _take_preset(self, event):
        """Set the controls to a preset."""
        name = event["new"]
        if name == OWN:
            return
        self._taking = True
        try:
            change = PRESETS[name]
            self._choice.value = "aseqdip" if change else "vanilla"
            settings = self.recorded("paper" if name == "paper" else self.profile) if change else {}
            for key, value in (change(settings) if change else settings).items():
                one = self.controls[key]
                one.value = str(value) if isinstance(one, widgets.Text) else value
        finally:
            self._taking = False
        self._changed()

    def _touched(self, _):
        """A value was changed: by hand, or by a preset, which tells of all its changes at once."""
        if not self._taking:
            self.preset.value = OWN
            self._changed()

    def _given_to(self, cls):
        names = {field.name for field, _, _ in fields_of(cls)}
        return {name: value for name, value in self._given.items() if name in names}

    def _pictures(self, image):
        """The shipped images for the task, and the one asked for."""
        shipped = [name for name, facts in images.catalogue().items() if self.task.name in facts["task"]]
        return list(dict.fromkeys([*shipped, self.task.default_image, *([image] if image else [])]))


def exact(N, K):
    """Fifty times longer stages, and fewer, so that N K stays about the same; a schedule of N is left as it is."""
    return dict(N=min(50 * N, N * K), K=max(1, K // 50)) if isinstance(N, int) else {}


def call(name, *arguments, **named):
    """The text of a call in Python."""
    return f"{name}({', '.join([*map(repr, arguments), *(f'{key}={value!r}' for key, value in named.items())])})"


def heading(text):
    """A small heading."""
    return widgets.HTML(f"<b>{text}</b>")
