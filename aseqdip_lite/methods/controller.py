"""What sets lam and N along a run of aSeqDIP, so that the method need not ask whether they change."""

import copy

import torch

from .base import load_moments, moments, square_norm
from .heldout import HeldOut, kept, start_without
from .schedules import Schedule, Stage, energy, first, whole


def control(lam, N, observation, seed):
    """The controller of a run with these settings lam and N, each a number or a schedule; see `Controller`."""
    kind = HeldOutController if isinstance(lam, HeldOut) else Controller
    return kind(lam, N, observation, seed)


class Controller:
    """lam and N where each is a number, which stays, or a schedule, which is shown each stage.

    Args:
        lam, N: the method's settings.
        observation: the `Observation`.
        seed: of the choice of what is held out.

    Attributes:
        settings: (lam, N) as given; lam, N: numbers, of the present stage.
        schedules: {name: schedule} of those that are one; memory: {name: what it remembers}.
        replays: whether steps may be recorded and replayed: a recorded step has a fixed lam.
        start: the input z_0 that the run begins with, (1, C, H, W).
        answer: what the method would return now, (1, C, H, W); None where that is its last output.
    """

    STATE = ("lam", "N", "memory")
    answer = None

    def __init__(self, lam, N, observation, seed):
        self.settings, self.start = (lam, N), observation.start
        self.lam, self.N = first(lam), whole(N)
        self.schedules = {name: rule for name, rule in dict(lam=lam, N=N).items() if isinstance(rule, Schedule)}
        self.memory = {name: {} for name in self.schedules}
        self.replays = not self.schedules

    @property
    def damping(self):
        """What the whole loss is multiplied by."""
        return self.schedules["lam"].damping(self.lam) if "lam" in self.schedules else 1.0

    @property
    def terms(self):
        """{name: number} of what changes, for the curve."""
        return {name: float(getattr(self, name)) for name in self.schedules}

    def seen(self, data, residual):
        """What the loss has of the data term ||residual||^2 = `data`: all of it."""
        return data

    def after_stage(self, observation, carry, output, image):
        """Set lam and N of the next stage, and return its input.

        Args:
            carry: at the end of a stage, with its input z.
            output: f(z) at which the last gradient was taken; image: what the method would continue with.
        """
        if self.schedules:
            stage = Stage(observation, carry.step, carry.z, image, observation.A(output) - observation.y,
                          float(carry.swap))
            for name, rule in self.schedules.items():
                setattr(self, name, rule.next(stage, self.memory[name]))
            self.N = whole(self.N)
        return image

    def state_dict(self):
        """Tensors, numbers and dictionaries only; what `observation` and settings give is left out."""
        return {name: copy.deepcopy(getattr(self, name)) for name in self.STATE}

    def load_state_dict(self, state):
        vars(self).update(copy.deepcopy(state))


class HeldOutController(Controller):
    """Holds measurements out, follows how well they are predicted, and takes the run back once that no longer improves.

    InputError if the share of measurements rounds to nothing or to everything.

    Attributes, further to those of `Controller`:
        kept: ones and zeros, (H, W) as the last two axes of y; what is held out is 0.
        average: of the inputs so far, (1, C, H, W); None before the first stage.
        risk: ||A average - y||^2 over what is held out; of z_0 before the first stage.
        best: where the risk was least: {"risk", "step", "average", "z", "network", "optimizer"}; None before.
        since: step of the last return.
    """

    STATE = (*Controller.STATE, "average", "risk", "best", "since")

    def __init__(self, lam, N, observation, seed):
        super().__init__(lam.first, N, observation, seed)
        self.settings, self.rule, self.observation = (lam, N), lam, observation
        self.kept = kept(observation, lam.share, torch.Generator().manual_seed(seed))
        self.start = start_without(observation, self.kept)
        self.average, self.best, self.since, self.replays = None, None, 0, False
        self.risk = self.predict(self.start)

    @property
    def damping(self):
        return self.rule.damping(self.lam)

    @property
    def terms(self):
        return dict(lam=self.lam) | super().terms | dict(risk=self.risk)

    @property
    def answer(self):
        return self.average if self.best is None else self.best["average"]

    def seen(self, data, residual):
        """The data term without what is held out."""
        return square_norm(self.kept * residual)

    @torch.no_grad()
    def predict(self, image):
        """The risk of an image."""
        residual = self.observation.A(image) - self.observation.y
        return energy((1 - self.kept) * residual)

    def after_stage(self, observation, carry, output, image):
        """As in `Controller`; the input may be the one to go back to, and `carry` is then changed to go with it."""
        z, rule = super().after_stage(observation, carry, output, image), self.rule
        past = rule.average ** carry.inner
        self.average = z if self.average is None else torch.lerp(z, self.average, past)
        self.risk = self.predict(self.average)
        if carry.step < rule.warm_up:
            return z
        if self.best is None or self.risk < self.best["risk"]:
            self.best = dict(risk=self.risk, step=carry.step, average=self.average, z=z,
                             network=copy.deepcopy(carry.network.state_dict()),
                             optimizer=copy.deepcopy(moments(carry.optimizer)))
            return z
        waited = carry.step - max(self.best["step"], self.since)
        return self.go_back(carry) if waited > max(rule.patience * self.best["step"], rule.warm_up / 2) else z

    def go_back(self, carry):
        """Where the risk was least, with a larger lam; the steps since are lost, but they are counted."""
        carry.network.load_state_dict(self.best["network"])
        load_moments(carry.optimizer, self.best["optimizer"])
        self.lam, self.since, self.average = self.lam * self.rule.factor, carry.step, self.best["average"]
        carry.done = self.lam > self.rule.most
        return self.best["z"]
