"""A1: Theorem A.1 of the aSeqDIP paper, its predicted trajectory against trained networks of growing width."""

import numpy as np

from ..theory import figures, limits, residual
from . import Experiment, register
from .verdicts import claim

#: The bar for the prediction at the greatest width: mean ||P - F|| / ||F|| until the training residual has halved.
ENOUGH = 0.05


def measure(widths, expectation, limits_sizes):
    """Each network against its own kernel and start; the mean network against Eq. 13; what breaks the prediction.

    Args:
        widths, expectation, limits_sizes: arguments of `residual.measure_widths`, `residual.measure_expectation` and
            `limits.measure`.

    Returns:
        {"widths", "expectation", "limits"}: what these three return.
    """
    return dict(widths=residual.measure_widths(**widths), expectation=residual.measure_expectation(**expectation),
                limits=limits.measure(**limits_sizes))


def judge(ours):
    """Not tested: the theorem is about infinite width, and the paper measures nothing. We set two bars of our own: for
    every kind of run the mean error falls with width by more than two standard errors, and at the greatest width it is
    below `ENOUGH`, 5 %."""
    found = ours["widths"]
    rows = {kind: np.array([[run["relative"] for run in row] for row in runs]) for kind, runs in found["runs"].items()}
    ends = {kind: values[-1].mean() for kind, values in rows.items()}
    slopes = {kind: found["slopes"][kind]["relative"] for kind in rows}
    falls = all(slope["slope"] + 2 * (slope["std_error"] or 0.0) < 0 for slope in slopes.values())
    enough = all(end <= ENOUGH for end in ends.values())
    kernel = np.mean([run["kernel"] for runs in found["runs"].values() for run in runs[-1]])
    parts = [f"{kind} {100 * ends[kind]:.1f} % (slope {slopes[kind]['slope']:.2f})" for kind in rows]
    worst = np.mean([run["worst"] for runs in found["runs"].values() for run in runs[-1]])
    why = (f"the paper measures nothing; in our runs the error {'falls' if falls else 'does not always fall'} with "
           f"width by more than two standard errors, and at the greatest width {'all' if enough else 'not all'} kinds "
           f"are below {100 * ENOUGH:g} %")
    return [claim("At infinite width, and in expectation, networks follow Eq. 13", "not tested", why)], (
        f"Mean error ||P - F|| / ||F|| of the predicted trajectory at width {found['widths'][-1]}, until the training "
        f"residual has halved or the steps are used up, and its slope against width in logarithms: {'; '.join(parts)}. "
        f"In units of the residual at the start the largest error is {100 * worst:.1f} % on average. By then the "
        f"kernel itself has changed by {100 * kernel:.1f} %, whereas the prediction takes it as constant.")


def figure(ours):
    """The errors against the width."""
    return figures.widths(ours["widths"])


register(Experiment(
    id="A1", about="Theorem A.1: trajectory predicted by the kernel against trained networks, widths 16 to 512",
    published="stated for infinite width and in expectation; no measurement",
    profiles={"smoke": dict(widths=residual.WIDTHS["smoke"] | dict(progress=False),
                            expectation=residual.EXPECTATION["smoke"], limits_sizes=limits.SIZES["smoke"]),
              "laptop": dict(widths=residual.WIDTHS["laptop"], expectation=residual.EXPECTATION["laptop"],
                             limits_sizes=limits.SIZES["laptop"]),
              "paper": dict(widths=residual.WIDTHS["paper"], expectation=residual.EXPECTATION["paper"],
                            limits_sizes=limits.SIZES["paper"])},
    measure=measure, judge=judge, figure=figure,
    alt="Four panels in logarithms against the width of the network: three errors of the predicted trajectory and the "
        "change of the kernel; all fall as the width grows"))
