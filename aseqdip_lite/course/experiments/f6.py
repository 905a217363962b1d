"""F6: when a network learns the noise, by its input (aSeqDIP paper, appendix A.2, Fig. 6)."""

import numpy as np

from ..theory import figures, overfitting
from . import Experiment, register
from .verdicts import claim, graded

#: The effect counts as the paper's if the truth as input delays overfitting at least so many times.
ENOUGH = 10


def judge(ours):
    """A demonstration. Agree if, in every draw of the noise, overfitting comes at least `ENOUGH`, 10, times later with
    the truth as input than with noise; disagree if it comes no later."""
    ratios = [found["ratio"] for found in ours["ratios"]["overfitting"]]
    bound = "at least " if any(found["is_bound"] for found in ours["ratios"]["overfitting"]) else ""
    text = "With the truth as input, overfitting takes some 25 times more steps"
    if None in ratios:
        why = f"With noise as input the noise was not half learned by step {ours['steps']}."
        return [claim(text, "undecided", why)], why
    claims = [claim(text, graded(min(ratios) >= ENOUGH, max(ratios) <= 1),
                    f"{bound}{min(ratios):.0f} times as many; {len(ratios)} {'draw' if len(ratios) == 1 else 'draws'}")]
    steps = {kind: [run["overfitting"] for run in ours["inputs"][kind]] for kind in ("x", "noise")}
    later = np.mean([run["overfitting"] or ours["steps"] for runs in ours["by_distance"][:1] for run in runs])
    return claims, (
        f"The noise is half learned at step {listed(steps['x'])} with the truth as input and at step "
        f"{listed(steps['noise'])} with noise as input: {bound}{min(ratios):.0f} times later. With an input at "
        f"distance {ours['distances'][0]:g} from the truth it is half learned at step {later:.0f}.")


def listed(steps):
    """Steps in words; None is one that has not come."""
    return ", ".join("none" if step is None else str(step) for step in steps)


QUIET = dict(progress=False)

register(Experiment(
    id="F6", about="the step at which a 1D network has learned half of the noise, with the truth, y or noise as input",
    published="with the truth as input, overfitting takes some 25 times more iterations",
    profiles={name: sizes | (QUIET if name == "smoke" else {}) for name, sizes in overfitting.SIZES.items()},
    measure=overfitting.measure, judge=judge, figure=figures.overfitting,
    alt="Error to the truth against the gradient step for the inputs truth, y and noise, the same for inputs ever "
        "farther from the truth, and the step at which the noise is half learned"))
