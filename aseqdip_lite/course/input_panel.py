"""The panel of lesson 03: the network's input, and the noise in it, as controls (aSeqDIP paper, Fig. 1).

It is the same `Panel` as everywhere. Only the case differs: its observation starts from the chosen input
instead of A^H y, so that aSeqDIP takes it as z_0, and the pictures show it as step 0. With lam = 0 and one stage
(K = 1, N = number of steps) aSeqDIP never moves its input: that is Deep Image Prior with input z_0.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from .. import settings as defaults
from ..run.engine import check_run
from ..settings import Settings, setting
from ..widgets.buttons import Panel
from ..widgets.controls import controls_for
from ..widgets.form import Form, call
from .experiments import f1

ZERO_FILLED = "zero-filled"


@dataclass(frozen=True)
class NetworkInput(Settings):
    """The input of the network. All but "zero-filled" are for diagnosis: the truth is in it, or chosen beside it."""

    input: str = setting("truth + noise", "z_0: the truth plus noise, noise alone, or A^H y",
                         choices=(*f1.KINDS, ZERO_FILLED))
    std: float = setting(0.1, "standard deviation of the input's noise per component; the image's peak is about 1",
                         low=0.0)


class InputForm(Form):
    """A `Form` of MRI and aSeqDIP with the network's input and its std as further controls.

    Args:
        image, seed, data_seed, profile, settings: as of `Form`; the input's noise is drawn from data_seed.
        chosen: first values of `NetworkInput`.

    Raises:
        InputError: a value out of its bounds.
    """

    def __init__(self, image, seed, data_seed, profile, settings, chosen):
        super().__init__("mri", image, "aseqdip", seed, data_seed, profile, ["aseqdip"], settings)
        self._of_input = controls_for(NetworkInput, NetworkInput(**chosen).to_dict())
        for one in self._of_input.values():
            one.observe(lambda change: self._changed(), "value")
        self.first.children = [*self._of_input.values(), *self.first.children]

    @property
    def controls(self):
        return self._of_input | super().controls

    def case(self):
        """The `Case` that is asked for, its observation with the chosen input as `start`.

        Raises:
            InputError: a setting is out of its bounds or does not fit the image.
        """
        chosen = NetworkInput(**{name: control.value for name, control in self._of_input.items()})
        asked = {name: control.value for name, control in self._of_problem.items()}
        check_run(seed=asked["data_seed"])
        case, x, generator = f1.scan(asked.pop("image"), seed=asked.pop("data_seed"), **asked)
        observation = case.observation
        if chosen.input != ZERO_FILLED:
            observation = replace(observation, start=f1.network_input(chosen.input, chosen.std, x, generator))
        return replace(case, observation=observation, settings=case.settings | chosen.to_dict())

    def code(self, device):
        """See `Form.code`: only a panel has this input."""
        named = {name: control.value for name, control in self.controls.items() if name != "method"}
        return ("from aseqdip_lite.course.input_panel import input_panel\n"
                f"result = {call('input_panel', named.pop('image'), device=device, **named)}.run_sync(steps=")


def input_panel(image=None, *, seed=0, data_seed=0, profile=None, device=None, out="out", input="truth + noise",
                std=0.1, **settings):
    """A panel on MRI whose network input can be chosen: make it the last line of a cell.

    Args:
        image: a shipped slice's name; the task's default image if None.
        seed: seed of the initial weights; data_seed: of phase, mask, noise and the input's noise.
        profile, device, out: as of `panel`.
        input: "truth + noise", "noise" or "zero-filled"; std: of the input's noise per component.
        **settings: first values of settings of MRI or aSeqDIP, e.g. lam=0.0, N=300, K=1.

    Raises:
        InputError: unknown setting, or a value out of its bounds.
    """
    form = InputForm(image, seed, data_seed, profile or defaults.profile(), settings, dict(input=input, std=std))
    return Panel(form, device or defaults.device(), Path(out))
