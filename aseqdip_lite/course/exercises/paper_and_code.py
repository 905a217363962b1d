"""Exercises of lesson 14: where a broken broadcast pulls, a test of a loss, lam without squares, which gradient steps.
"""

import torch

from .aseqdip import energy
from .drawing import draw
from .table import exercise


@exercise("paper.target", lambda: [(draw(1, 1, *size, seed=1, dtype=torch.complex64),)
                                  for size in ((6, 5), (4, 7))], (
    "write both channels as |x - a|^2 = (Re x - a)^2 + (Im x)^2 with a = Re z and a = Im z, and seek Re x and Im x"),
          form=": an image like z", real=True)
def target(z):
    """A function z -> the complex x that minimises the broadcast ||x - [Re z, Im z]||^2: (Re z + Im z) / 2, real."""
    mean, none = (z.real + z.imag) / 2, torch.zeros_like(z.real)
    return {
        None: torch.complex(mean, none),
        "your answer is the minimum of the right term; in the broken one the whole x meets each channel of z": z,
        "Re x is right; Im x appears in both channels, squared and alone, so it is pulled to one value whatever z is":
            [torch.complex(mean, z.imag), torch.complex(mean, mean)],
        "Im x is right; two squares pull on Re x, one from each channel, with equal force":
            [torch.complex(z.real, none), torch.complex(z.imag, none)],
        "take half of that: a sum of two squares is least at the mean of the two, not at their sum":
            torch.complex(2 * mean, none),
        "that would be right with x in real channels and z complex; here z has the two real channels":
            torch.complex(z.real, z.real),
        "zero is not the minimum: at x = 0, Re x still misses both channels of z": 0 * z,
    }


def broken(x, z):
    """The term with the broken broadcast: a complex x (H, W) minus the real channels (1, 2, H, W) of z."""
    channels = torch.view_as_real(z[:, 0]).permute(0, 3, 1, 2)  # (1, H, W, 2) -> (1, 2, H, W)
    return energy(x[0, 0] - channels)


#: Terms that are ||x - z||^2, and terms that are not, each with what gives it away.
SOUND = {
    "abs().square()": lambda x, z: energy(x - z),
    "view_as_real": lambda x, z: torch.view_as_real(x - z).square().sum(),
    "real and imaginary part": lambda x, z: (x.real - z.real).square().sum() + (x.imag - z.imag).square().sum(),
}
FAULTY = {
    "the broken broadcast": (broken, "it is not 0 at x = z: let both be the same complex image"),
    "a dead statement": (lambda x, z: (x - x).abs().sum(), "it is 0 for every x: a term must also be able to fail"),
    "magnitudes": (lambda x, z: energy(x.abs() - z.abs()), "it is also 0 at x = i z: change only the phase"),
    "real parts only": (lambda x, z: (x.real - z.real).square().sum(),
                        "it is also 0 at x = z + i: change only the imaginary part"),
    "the unsquared norm": (lambda x, z: (x - z).abs().square().sum().sqrt(),
                           "if x - z doubles, it doubles instead of becoming four times as large"),
    "r * r": (lambda x, z: ((x - z) * (x - z)).sum().real,
              "a complex r times itself is not |r|^2 and can be negative: let x - z be imaginary"),
    "one input forgotten": (lambda x, z: energy(x), "it does not depend on z, and is not 0 at x = z"),
    "a mean": (lambda x, z: (x - z).abs().square().mean(), "x = z + 1 must give the number of pixels"),
    "half of it": (lambda x, z: 0.5 * energy(x - z), "x = z + 1 must give the number of pixels, not half of it"),
    "the square of a sum": (lambda x, z: (x - z).abs().sum() ** 2, "x = z + 1 must give the number of pixels"),
    "a cropped image": (lambda x, z: energy((x - z)[..., 1:]), "let x - z be 1 at every pixel, and count them"),
}


@exercise("paper.test", [(term,) for term in (*SOUND.values(), *(term for term, _ in FAULTY.values()))], (
    "compare term(x, z) with ||x - z||^2, within a tolerance"),
          stepwise=True, trait=lambda verdict, term: bool(verdict))
def test_of_a_term(term):
    """A function term -> whether term(x, z) passes as ||x - z||^2 of complex x and z; tried on `SOUND` and `FAULTY`."""
    right = term in SOUND.values()
    return {None: right} | {
        f"it refuses a right term, written with {name}: compare within a tolerance, and remember that term(x, z) is a "
        "tensor with one number": right and term is not sound for name, sound in SOUND.items()
    } | {f"{name} slips through: {why}": right or term is faulty for name, (faulty, why) in FAULTY.items()}


@exercise("paper.lam", [(1.0, 3.0, 0.5), (0.7, 0.2, 2.0), (2.0, 5.0, 4.0)], (
    "write both as gradients of squares, divided by twice the norm, and take out the factor of the data term"))
def lam(lam, data, gap):
    """A function (lam, data, gap) -> weight of the squared loss whose gradient has the direction of the unsquared one.

    data = ||A x - y|| and gap = ||x - z||, not squared.
    """
    return {
        None: lam * data / gap,
        "your answer is upside down: the derivative of sqrt(u) is 1 / (2 sqrt(u)), so the larger the norm, the more "
        "is divided away":
            lam * gap / data,
        "the norms enter once, not squared: grad ||r|| = grad ||r||^2 / (2 ||r||)": lam * (data / gap) ** 2,
        "the data term has also been divided by its norm: take 1 / (2 data) out of the whole gradient":
            [lam / gap, lam / (2 * gap)],
        "that is true only if both norms are equal: each term is divided by its own norm": lam,
    }


#: Which gradient the step uses, for every order of the three calls.
STEPS = {("zero", "backward", "step"): "own", ("backward", "step", "zero"): "own",
         ("step", "zero", "backward"): "last", ("zero", "step", "backward"): "none",
         ("backward", "zero", "step"): "none", ("step", "backward", "zero"): "none"}


@exercise("paper.gradient", [(order,) for order in STEPS], stepwise=True, otherwise=lambda word, order: (
    f"{', '.join(order)}: go through two rounds with a pencil, and note what the gradient is when step is called"))
def gradient(order):
    """A function of an order of "zero", "backward", "step" -> "own", "last" or "none": the gradient that step uses."""
    def but(word, *calls):
        return word if order == calls else STEPS[order]

    return {
        None: STEPS[order],
        "backward, step, zero: the calls form a circle, and here backward comes directly before step":
            but("last", "backward", "step", "zero"),
        "step, zero, backward: the step comes first, so it can only use what the previous round has left":
            but("own", "step", "zero", "backward"),
        "step, backward, zero: what the backward pass leaves is deleted before the next step":
            [but(word, "step", "backward", "zero") for word in ("last", "own")],
    }


@exercise("paper.lam:unsquared", [(1.0, 3.0, 0.5), (0.7, 0.2, 2.0), (2.0, 5.0, 4.0)], (
    "write both as gradients of squares, divided by twice the norm, and take out the factor of the data term"),
          instead="go the other way: lam is the weight in the squared loss. Return the weight that gives the loss "
                  "without squares a gradient of the same direction",
          solution="lambda lam, data, gap: lam * gap / data")
def lam_unsquared(lam, data, gap):
    """A function (lam, data, gap) -> weight of the unsquared loss whose gradient has the direction of the squared one.

    data = ||A x - y|| and gap = ||x - z||, not squared.
    """
    return {
        None: lam * gap / data,
        "your answer is upside down: the term without a square is divided by its norm, so a large gap needs a larger "
        "weight":
            lam * data / gap,
        "the norms enter once, not squared: grad ||r|| = grad ||r||^2 / (2 ||r||)": lam * (gap / data) ** 2,
        "the data term is also divided by its norm: take 1 / (2 data) out of the whole gradient":
            [lam * gap, 2 * lam * gap],
        "that is true only if both norms are equal: each term is divided by its own norm": lam,
    }
