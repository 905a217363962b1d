"""Exercises of lesson 14: where a broken broadcast pulls, a test of a loss, lam without squares, which gradient steps.
"""

import math

import torch

from . import NOTHING, exercise, nothing

SHAPE = (1, 1, 6, 5)


def draw(seed, shape=SHAPE):
    """A random complex image (1, 1, H, W)."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex64)


@exercise("paper.target")
def target(answer):
    """A function z -> the complex image x at which ||[Re x, Im x] - z||^2, broadcast, is least: Re z + i Re z."""
    z = draw(1)
    x = answer(z)
    if nothing(x):
        return NOTHING
    if not isinstance(x, torch.Tensor) or x.shape != z.shape:
        return f"an image like z is expected, a tensor of shape {tuple(z.shape)}"
    if not x.is_complex():
        return "x is complex: say what its imaginary part is, too"

    def is_(image):
        return torch.allclose(x, image.to(x.dtype), atol=1e-5)

    if is_(torch.complex(z.real, z.real)):
        return None
    if is_(z):
        return "that is the minimum of the right term; in the broken one, which part of z does the channel Im x meet?"
    if is_(z.real):
        return "Re x is right; the second channel, Im x, meets the same z and is pulled to something, too, not to 0"
    if is_(torch.complex(z.real, z.imag + z.real)) or is_(torch.complex(z.real, -z.imag)):
        return "Re x is right; for Im x write |Im x - Re z - i Im z|^2 as a sum of two squares"
    if is_(torch.complex(z.imag, z.imag)):
        return "a real number minus z: its difference from Re z is what x can change; -i Im z stays whatever x is"
    if is_(torch.zeros_like(z)):
        return "zero is not the minimum: at x = 0 both channels still miss Re z"
    return "write both channels as |a - z|^2 = (a - Re z)^2 + (Im z)^2 with a real; only the first square holds x"


def energy(r):
    """The sum of |r|^2, real."""
    return r.abs().square().sum()


def broken(x, z):
    """The term with the broken broadcast: real channels (1, 2, H, W) minus complex (H, W)."""
    channels = torch.view_as_real(x[:, 0]).permute(0, 3, 1, 2)  # (1, H, W, 2) -> (1, 2, H, W)
    return energy(channels - z[0, 0])


#: Terms that are ||x - z||^2, and terms that are not, each with what gives it away.
SOUND = {
    "abs().square()": lambda x, z: energy(x - z),
    "view_as_real": lambda x, z: torch.view_as_real(x - z).square().sum(),
    "real and imaginary part": lambda x, z: (x.real - z.real).square().sum() + (x.imag - z.imag).square().sum(),
}
FAULTY = {
    "the broken broadcast": (broken, "it is not 0 at x = z: let both be the same complex image"),
    "a dead statement": (lambda x, z: (x - x).abs().sum(), "it is 0 wherever x is: a term must also be able to fail"),
    "magnitudes": (lambda x, z: energy(x.abs() - z.abs()), "it is 0 at x = i z, too: change the phase alone"),
    "real parts only": (lambda x, z: (x.real - z.real).square().sum(),
                        "it is 0 at x = z + i, too: change the imaginary part alone"),
    "the unsquared norm": (lambda x, z: (x - z).abs().square().sum().sqrt(),
                           "if x - z doubles it doubles and does not become fourfold"),
    "r * r": (lambda x, z: ((x - z) * (x - z)).sum().real,
              "a complex r times itself is not |r|^2, it can be negative: let x - z be imaginary"),
    "one input forgotten": (lambda x, z: energy(x), "it does not know z, and is not 0 at x = z"),
}


@exercise("paper.test")
def test_of_a_term(answer):
    """A function term -> whether term(x, z) passes as ||x - z||^2 of complex x and z; tried on `SOUND` and `FAULTY`."""
    verdicts = {name: answer(term) for name, term in SOUND.items()}
    if nothing(*verdicts.values()):
        return NOTHING
    for name, verdict in verdicts.items():
        if not bool(verdict):
            return (f"it refuses a right term, written with {name}: compare within a tolerance, and remember that "
                    "term(x, z) is a tensor with one number")
    for name, (term, why) in FAULTY.items():
        if bool(answer(term)):
            return f"{name} slips through: {why}"
    return None


@exercise("paper.lam")
def lam(answer):
    """A function (lam, data, gap) -> weight of the squared loss whose gradient has the direction of the unsquared one.

    data = ||A x - y|| and gap = ||x - z||, not squared.
    """
    tries = [(*case, answer(*case)) for case in ((1.0, 3.0, 0.5), (0.7, 0.2, 2.0), (2.0, 5.0, 4.0))]
    if nothing(*(got for *_, got in tries)):
        return NOTHING

    def all_are(formula):
        return all(math.isclose(float(got), formula(*case), rel_tol=1e-6) for *case, got in tries)

    if all_are(lambda lam, data, gap: lam * data / gap):
        return None
    if all_are(lambda lam, data, gap: lam * gap / data):
        return "upside down: the derivative of sqrt(u) is 1 / (2 sqrt(u)), so the larger norm is divided away the more"
    if all_are(lambda lam, data, gap: lam * (data / gap) ** 2):
        return "the norms enter once, not squared: grad ||r|| = grad ||r||^2 / (2 ||r||)"
    if all_are(lambda lam, data, gap: lam / gap) or all_are(lambda lam, data, gap: lam / (2 * gap)):
        return "the data term has been divided by its norm, too: take 1 / (2 data) out of the whole gradient"
    if all_are(lambda lam, data, gap: lam):
        return "only if both norms were equal: each term is divided by its own norm"
    return "write both as gradients of squares, divided by twice the norm, and take out the data term's factor"


@exercise("paper.gradient")
def gradient(answer):
    """A function of an order of "zero", "backward", "step" -> "own", "last" or "none": the gradient that steps."""
    right = {("zero", "backward", "step"): "own", ("backward", "step", "zero"): "own",
             ("step", "zero", "backward"): "last", ("zero", "step", "backward"): "none",
             ("backward", "zero", "step"): "none", ("step", "backward", "zero"): "none"}
    got = {order: answer(order) for order in right}
    if nothing(*got.values()):
        return NOTHING
    words = {word for word in got.values() if word not in ("own", "last", "none")}
    if words:
        return f"the words are 'own', 'last' and 'none', not {sorted(map(str, words))[0]!r}"
    wrong = [order for order in right if got[order] != right[order]]
    if not wrong:
        return None
    if wrong == [("step", "backward", "zero")]:
        return "step, backward, zero: what the backward pass leaves is erased before the next step comes"
    if ("backward", "step", "zero") in wrong and got["backward", "step", "zero"] == "last":
        return "backward, step, zero: the calls form a circle, and here backward comes directly before step"
    if got["step", "zero", "backward"] == "own":
        return "step, zero, backward: the step comes first, so it can only use what the round before has left"
    order = wrong[0]
    return f"{', '.join(order)}: go round twice with a pencil, and note what the gradient holds when step is called"
