"""A widget for every setting: one function from the fields of a Settings class to controls."""

import html
import math

import ipywidgets as widgets
import traitlets

from ..settings import fields_of

#: The settings that every panel shows first, in this order; whole numbers among them have a slider, too.
FIRST = ("lam", "N", "K", "lr", "samples", "eta", "zeta")
STYLE = dict(description_width="92px")
WIDTH = "310px"
#: ipywidgets 7 calls the hover text of a described widget otherwise than 8 does.
TIP = "tooltip" if "tooltip" in widgets.FloatText.class_trait_names() else "description_tooltip"


def controls_for(cls, values):
    """{name: control} for the settings of a Settings class, with initial `values`, {name: value}, or its defaults."""
    return {field.name: control(field, kind, optional, values.get(field.name, field.default))
            for field, kind, optional in fields_of(cls)}


def control(field, kind, optional, value):
    """The control of one `setting` field.

    A weight or rate, that is a float bounded by 0 from below only, is a box with a slider over decades; a value that
    may be None has a check box "none" beside it; a schedule is a text box, which takes a number as well. Boxes take any
    value: the Settings class alone checks it.
    """
    facts = field.metadata
    if facts["parse"] and isinstance(value, str):
        kind = str
    look = described(field.name, facts["help"])
    if optional:
        given = [known for known in (value, field.default, *(facts["choices"] or ())) if known is not None]
        return OptionalControl(box(kind, facts["choices"], given[0] if given else kind(), look), value is None)
    if kind is float and 0 in (facts["low"], facts["above"]) and facts["high"] is None and facts["below"] is None:
        return DecadeControl(float(value), decades(field.default, facts["low"] == 0), look)
    if kind is int and field.name in FIRST:
        return DecadeControl(value, [digit * 10**power for power in range(4) for digit in (1, 2, 5)], look)
    return box(kind, facts["choices"], value, look)


def box(kind, choices, value, look):
    """A drop-down list, check box, number box or text box with its look, see `described`."""
    if choices is not None:
        return widgets.Dropdown(options=choices, value=value, **look)
    plain = {bool: widgets.Checkbox, int: widgets.IntText, float: widgets.FloatText, str: widgets.Text}
    return plain[kind](value=value, **look)


def described(name, text):
    """The arguments that give every control its label, hover text and width."""
    return {"description": name, TIP: text, "style": STYLE, "layout": widgets.Layout(width=WIDTH)}


def narrow(one):
    """A control with a short name, so narrow that three stand in a row of a laptop's notebook; returns it."""
    getattr(one, "box", one).style.description_width = "52px"
    if hasattr(one, "box"):
        one.box.layout.width = "142px"
    one.layout.width = "264px"
    return one


def decades(centre, with_zero):
    """1, 3, 10, ... times a power of ten, two decades to either side of `centre`; 0 first if asked for."""
    power = math.floor(math.log10(centre)) if centre > 0 else 0
    ladder = [float(f"{digit}e{p}") for p in range(power - 2, power + 3) for digit in (1, 3)]
    return [0.0, *ladder] if with_zero else ladder


class DecadeControl(widgets.HBox):
    """A number box with the `look` of `described` beside a slider over a ladder, which shows its nearest rung."""

    value = traitlets.Union([traitlets.Int(), traitlets.Float()])  # an int stays one
    disabled = traitlets.Bool(False)

    def __init__(self, value, ladder, look):
        plain = widgets.IntText if isinstance(value, int) else widgets.FloatText
        self.box = plain(**look | dict(layout=widgets.Layout(width="190px")))
        options = [(f"{x:g}", x) for x in ladder]
        self.slider = widgets.SelectionSlider(options=options, readout=False, continuous_update=False,
                                              layout=widgets.Layout(width="116px"))
        self._following = False
        super().__init__([self.box, self.slider], layout=widgets.Layout(width=WIDTH))
        self.slider.observe(self._slid, "value")
        self.observe(self._follow, "value")
        traitlets.link((self, "value"), (self.box, "value"))
        for part in (self.box, self.slider):
            traitlets.link((self, "disabled"), (part, "disabled"))
        self.value = value

    def _slid(self, change):
        if not self._following:
            self.value = change["new"]

    def _follow(self, change):
        """Move the slider to the value nearest on the scale of decades, without changing the value."""
        place = math.log10(max(change["new"], 1e-30))
        self._following = True
        self.slider.value = min((value for _, value in self.slider.options),
                                key=lambda value: abs(math.log10(max(value, 1e-30)) - place))
        self._following = False


class OptionalControl(widgets.HBox):
    """A control beside a check box "none": the value is None while that is ticked."""

    value = traitlets.Any(allow_none=True)
    disabled = traitlets.Bool(False)

    def __init__(self, inner, is_none):
        self.inner = inner
        self.none = widgets.Checkbox(value=is_none, description="none", indent=False,
                                     layout=widgets.Layout(width="70px"))
        inner.layout.width = "236px"
        super().__init__([inner, self.none], layout=widgets.Layout(width=WIDTH))
        self.value, self._spreading = None if is_none else inner.value, False
        for part in (self.inner, self.none):
            part.observe(self._collect, "value")
        self.observe(self._spread, ["value", "disabled"])
        self._spread()

    def _collect(self, _):
        """The parts were changed: take over what they say."""
        if not self._spreading:
            self.value = None if self.none.value else self.inner.value

    def _spread(self, _=None):
        """The value or `disabled` was set: show it in the parts."""
        self._spreading = True
        self.none.value = self.value is None
        if self.value is not None:
            self.inner.value = self.value
        self._spreading = False
        self.none.disabled = self.disabled
        self.inner.disabled = self.disabled or self.value is None


def glossary(*classes):
    """HTML of what the settings of some Settings classes mean, folded away."""
    rows = {field.name: field.metadata["help"] for cls in classes for field, _, _ in fields_of(cls)}
    items = "".join(f'<div style="line-height: 1.3; margin: 3px 0"><b>{name}</b>: {html.escape(text)}</div>'
                    for name, text in rows.items())
    return f"<details><summary>What the settings mean</summary>{items}</details>"
