"""Answers to the exercises of lesson 14."""

import torch


def noise(seed=3):
    return torch.randn((1, 1, 7, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.complex64)


def passes(term):
    x, z = noise(3), noise(4)
    once = float(term(x, z))
    return (float(term(z, z)) == 0 and all(float(term(z + u, z)) > 0 for u in (1, 1j, (1j - 1) * z))
            and abs(float(term(z + 2 * (x - z), z)) - 4 * once) < 1e-3 * once)


def equals(term):
    x, z = noise(3), noise(4)
    wanted = float((x - z).norm()) ** 2
    return abs(term(x, z) - wanted) < 1e-4 * wanted


def zero_at_z(term):
    z = noise()
    return float(term(z, z)) == 0


def zero_and_positive(term):
    return zero_at_z(term) and float(term(noise(3), noise(4))) > 0


def zero_and_phase(term):
    return zero_and_positive(term) and float(term(1j * noise(), noise())) > 0


def zero_and_parts(term):
    return zero_and_phase(term) and float(term(noise() + 1j, noise())) > 0


def circle(order):
    backward, step, zero = (order.index(call) for call in ("backward", "step", "zero"))
    if (zero - backward) % 3 < (step - backward) % 3:
        return "none"
    return "own" if backward < step else "last"


def replay(order):
    """The three calls, made: what is in the gradient, by its round, when the third step comes."""
    held = used = None
    for turn in range(3):
        for call in order:
            if call == "zero":
                held = None
            elif call == "backward":
                held = turn
            else:
                used = held
    return {2: "own", 1: "last", None: "none"}[used]


RIGHT = {
    "paper.target": [
        lambda z: torch.complex(z.real, z.real),
        lambda z: (1 + 1j) * z.real,
        lambda z: z + 1j * (z.real - z.imag),
    ],
    "paper.test": [passes, equals],
    "paper.lam": [lambda lam, data, gap: lam * data / gap, lambda lam, data, gap: (2 * data) * lam / (2 * gap)],
    "paper.gradient": [circle, replay],
}

WRONG = {
    "paper.target": {
        "minimum of the right term": lambda z: z,
        "second channel, Im x, meets the same z": lambda z: z.real + 0j,
        "sum of two squares": lambda z: z.conj(),
        "-i Im z stays": lambda z: (1 + 1j) * z.imag,
        "zero is not the minimum": lambda z: 0 * z,
        "say what its imaginary part is": lambda z: z.real,
        "only the first square holds x": lambda z: 1j * z,
        "a tensor of shape": lambda z: z[0],
        "returns nothing": lambda z: None,
    },
    "paper.test": {
        "refuses a right term": lambda term: False,
        "the broken broadcast slips through": lambda term: True,
        "a dead statement slips through": zero_at_z,
        "magnitudes slips through": zero_and_positive,
        "real parts only slips through": zero_and_phase,
        "the unsquared norm slips through": zero_and_parts,
        "raised TypeError": lambda: True,
        "returns nothing": lambda term: None,
    },
    "paper.lam": {
        "upside down": lambda lam, data, gap: lam * gap / data,
        "the norms enter once": lambda lam, data, gap: lam * (data / gap) ** 2,
        "divided by its norm, too": lambda lam, data, gap: lam / gap,
        "each term is divided by its own norm": lambda lam, data, gap: lam,
        "take out the data term's factor": lambda lam, data, gap: lam * data,
        "returns nothing": lambda lam, data, gap: None,
    },
    "paper.gradient": {
        "erased before the next step comes": lambda order: (
            "last" if order == ("step", "backward", "zero") else circle(order)),
        "the calls form a circle": lambda order: (
            "last" if order == ("backward", "step", "zero") else circle(order)),
        "the step comes first": lambda order: "own",
        "with a pencil": lambda order: "own" if order[0] == "zero" else circle(order),
        "the words are": lambda order: "previous",
        "returns nothing": lambda order: None,
    },
}
