"""Exercises of lesson 06: the loss of a stage, the input of a step, exact stages, a minimiser, onsets that are None."""

import math

import torch

from ...operators import Identity, Mask
from ...operators.mri import MRIOperator
from . import NOTHING, exercise, nothing


def draw(*shape, seed=0, dtype=torch.complex64):
    """Seeded normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def fourier(coils, seed=0, side=12):
    """An MRI operator (1, side, side) -> (coils, side, side) whose coil maps have sum |S|^2 = 1, half of its columns.

    With one coil of S = 1 it fulfils A A^H y = y for every y = A x.
    """
    sens_maps = draw(coils, side, side, seed=seed) if coils > 1 else torch.ones((1, side, side), dtype=torch.complex64)
    sens_maps = sens_maps / sens_maps.abs().square().sum(dim=0).sqrt()
    return MRIOperator(sens_maps, (torch.arange(side) % 2 == 0).float())


@exercise("aseqdip.loss")
def loss(answer):
    """A function (x, z, A, y, lam) -> ||A x - y||^2 + lam ||x - z||^2, a real number with a gradient in x; complex."""
    A, lam = fourier(3), 0.7
    z, y = draw(1, *A.in_shape, seed=1), draw(1, *A.out_shape, seed=2)
    x = draw(1, *A.in_shape, seed=3).requires_grad_()
    got = answer(x, z, A, y, lam)
    if nothing(got):
        return NOTHING
    if not isinstance(got, torch.Tensor) or got.numel() != 1:
        return "a loss is one number: sum over all entries"
    if got.is_complex():
        return "the loss is complex: ||r||^2 is the sum of |r|^2, and r * r or r.square() of a complex r is not |r|^2"
    if not got.requires_grad:
        return "the loss has lost its graph: .item(), float() or .detach() cut it off, and no gradient reaches phi"

    def close(value):
        return math.isclose(got.item(), value.item(), rel_tol=1e-4)

    data, gap = A(x) - y, x - z
    ae = gap.abs().square().sum()
    right = data.abs().square().sum() + lam * ae
    if close(right):
        return None
    if close(data.abs().square().mean() + lam * gap.abs().square().mean()):
        return "sums, not means: y has more entries than x here, so means would change the balance that lam sets"
    if close(data.norm() + lam * gap.norm()):
        return "the norms are squared"
    if close(right - lam * ae) or close(right + (1 - lam) * ae):
        return "the second term has the weight lam"
    if close(right + (lam - 1) * (right - lam * ae) + (1 - lam) * ae):
        return "lam belongs to the second term, not to the first"
    if close(data.real.square().sum() + lam * gap.real.square().sum()):
        return "the imaginary part counts too: |r|^2 = (Re r)^2 + (Im r)^2"
    if close(right - lam * ae + lam * (x.abs() - z.abs()).square().sum()):
        return "compare the complex images, not their magnitudes: a wrong phase is an error too"
    if close(right - lam * ae + lam * (x - A.adjoint(y)).abs().square().sum()):
        return "the second term pulls x to the present input z, not to A^H y; they are the same in the first stage only"
    return "first term: x through A against y. Second: x against z, both images. Square, sum, weight the second by lam"


@exercise("aseqdip.input")
def input_of_step(answer):
    """A function (step, N) -> k such that Adam step `step` (from 1) takes its gradient with the input z_k."""
    tries = [(step, N, answer(step, N)) for N in (1, 2, 5) for step in range(1, 13)]
    if nothing(*(k for *_, k in tries)):
        return NOTHING

    def all_are(formula):
        return all(float(k) == formula(step, N) for step, N, k in tries)

    if all_are(lambda step, N: (step - 1) // N):
        return None
    if all_are(lambda step, N: step // N):
        return "one step early: z_1 is made after step N, so step N itself still sees z_0"
    if all_are(lambda step, N: (step - 1) // N + 1):
        return "that is the number of the stage; stage k has the input z_{k-1}"
    if all_are(lambda step, N: (step - 1) % N) or all_are(lambda step, N: step % N):
        return "that is the place of the step within its stage: count the whole stages before it instead"
    if all_are(lambda step, N: (step - 1) / N):
        return "round down: between two swaps the input stays"
    if all_are(lambda step, N: step - 1):
        return "so it is for N = 1 only: the input changes once in N steps"
    return "make the list for N = 2: steps 1 and 2 see z_0, steps 3 and 4 see z_1"


@exercise("aseqdip.exact")
def exact_stages(answer):
    """A function (z0, y, lam, k) -> z_k for A = I if each stage reaches argmin_x ||x - y||^2 + lam ||x - z||^2."""
    z0, y = draw(1, 3, 4, 4, seed=1, dtype=torch.float64), draw(1, 3, 4, 4, seed=2, dtype=torch.float64)
    tries = [(lam, k, answer(z0, y, lam, k)) for lam in (0.5, 2.0) for k in (1, 2, 7)]
    for *_, got in tries:
        if nothing(got):
            return NOTHING
        if not isinstance(got, torch.Tensor) or got.shape != y.shape:
            return f"z_k is an image like y, of shape {tuple(y.shape)}"

    def all_are(factor):
        return all(torch.allclose(got, y + factor(lam, k) * (z0 - y), rtol=1e-6, atol=1e-9) for lam, k, got in tries)

    if all_are(lambda lam, k: (lam / (1 + lam)) ** k):
        return None
    if all_are(lambda lam, k: lam / (1 + lam)):
        return "that is z_1: the next stage starts from it, so the factor comes once a stage"
    if all_are(lambda lam, k: (lam / (1 + lam)) ** (k + 1)) or all_are(lambda lam, k: (lam / (1 + lam)) ** (k - 1)):
        return "a stage too many or too few: z_0 is given, and z_1 comes after one stage"
    if all_are(lambda lam, k: (1 / (1 + lam)) ** k):
        return "the weights are exchanged: a large lam keeps x near z"
    if all_are(lambda lam, k: lam**k):
        return "2 (x - y) + 2 lam (x - z) = 0 gives x = (y + lam z) / (1 + lam): divide by the sum of both weights"
    if all_are(lambda lam, k: 0.0):
        return "y is the limit of many stages; after k of them something of z_0 is left"
    return "set the gradient 2 (x - y) + 2 lam (x - z) to zero, solve for x - y, and do it k times"


@exercise("aseqdip.minimiser")
def minimiser(answer):
    """A function (A, y) -> z (1, *A.in_shape) with ||A z - y||^2 = 0, for A with A A^H y = y; tried on three tasks."""
    holes = (torch.arange(8) % 3 != 1).float()
    for name, A in (("denoising", Identity((3, 8, 8))), ("in-painting", Mask(holes, (3, 8, 8))),
                    ("one-coil MRI", fourier(1))):
        x = draw(1, *A.in_shape, seed=4, dtype=torch.complex64 if A.in_complex else torch.float32)
        y = A(x)
        z = answer(A, y)
        if nothing(z):
            return NOTHING
        if not isinstance(z, torch.Tensor) or z.shape != x.shape or z.is_complex() != x.is_complex():
            kind = "complex" if x.is_complex() else "real"
            return f"{name}: z is a {kind} image of shape {tuple(x.shape)}"
        value = float((A(z) - y).abs().square().sum())
        if value <= 1e-8 * float(y.abs().square().sum()):
            continue
        if float(z.abs().max()) == 0:
            return "z = 0 with f(0) = 0 fulfils the constraint, but its data term is ||y||^2"
        if z.shape == y.shape and torch.equal(z, y):
            return f"{name}: y is not an image here, A y is not y. What brings y back to where images live?"
        return f"{name}: with f(z) = z the data term is ||A z - y||^2 = {value:.3g}, and it can be 0: use A A^H y = y"
    return None


@exercise("aseqdip.later")
def later(answer):
    """A function (less, more) of two onsets, None: not begun -> whether the second is "later", "earlier", "undecided".
    """
    pairs = {(100, 200): "later", (200, 100): "earlier", (100, None): "later", (None, 100): "earlier",
             (100, 100): "undecided", (None, None): "undecided"}
    got = {}
    for pair in pairs:
        try:
            got[pair] = answer(*pair)
        except TypeError as error:
            return f"None cannot be compared with a number ({error}): decide first what a run without an onset means"
    if nothing(*got.values()):
        return NOTHING
    words = {word for word in got.values() if word not in ("later", "earlier", "undecided")}
    if words:
        return f"the words are 'later', 'earlier' and 'undecided', not {sorted(map(str, words))[0]!r}"
    if got == pairs:
        return None
    if (got[100, 200], got[200, 100]) == ("earlier", "later"):
        return "the other way round: is the onset of `more` later than that of `less`?"
    if (got[100, None], got[None, 100]) == ("earlier", "later"):
        return "None is not step 0: the run had not begun to overfit at its end, so its onset is later than any seen"
    if "undecided" in (got[100, None], got[None, 100]):
        return "one run overfits and the other has not begun: that is decided, the onset that was not seen is the later"
    if got[None, None] != "undecided":
        return "neither has begun: which of the two will be the later is not in the data"
    if got[100, 100] != "undecided":
        return "the same step: undecided"
    return "a number against a number: compare; a number against None: None is later; equal or both None: undecided"
