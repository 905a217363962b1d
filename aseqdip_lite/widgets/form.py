"""The settings of a run as controls: what is reconstructed, how, and from which seeds."""

import ipywidgets as widgets

from .. import images, methods, tasks
from ..run.engine import check_run
from ..settings import fields_of, nearest, whole_number
from .controls import WIDTH, controls_for, described, glossary


class Form(widgets.VBox):
    """Controls of image, method, seeds and all settings; they become a `Case` and a method on demand.

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
        self._changed = lambda: None
        self._problem_box = widgets.VBox([heading("Problem"), *self._of_problem.values()])
        self._method_box, self._words = widgets.VBox(), widgets.HTML(layout=widgets.Layout(width=WIDTH))
        super().__init__([self._problem_box, self._method_box, self._words])
        self._choice.observe(self._choose, "value")
        for one in (*self._of_problem.values(), self._choice, self._seed):
            one.observe(lambda change: self._changed(), "value")
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
        for one in self.controls.values():
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

    def _choose(self, _=None):
        """Show the settings of the chosen method; each method keeps its own values."""
        name, cls = self._choice.value, methods.get(self._choice.value)
        if name not in self._of_method:
            first = methods.configure(name, self.task.name, self.profile, **self._given_to(cls))
            self._of_method[name] = controls_for(cls, first.to_dict())
            for one in self._of_method[name].values():
                one.observe(lambda change: self._changed(), "value")
        self._method_box.children = [heading("Method"), self._choice, *self._of_method[name].values(), self._seed]
        self._words.value = glossary(self.task, cls)

    def _given_to(self, cls):
        names = {field.name for field, _, _ in fields_of(cls)}
        return {name: value for name, value in self._given.items() if name in names}

    def _pictures(self, image):
        """The shipped images for the task, and the one asked for."""
        shipped = [name for name, facts in images.catalogue().items() if self.task.name in facts["task"]]
        return list(dict.fromkeys([*shipped, self.task.default_image, *([image] if image else [])]))


def heading(text):
    """A small heading."""
    return widgets.HTML(f"<b>{text}</b>")
