"""Exercises of lesson 06: the loss of a stage, the input of a step, exact stages, a minimiser, onsets that are None."""

import math

import torch

from ...operators import Identity, Mask
from ...operators.mri import MRIOperator
from .drawing import draw
from .table import REGISTRY, exercise


def complex_draw(*shape, seed=0):
    """Seeded complex normal numbers in single precision."""
    return draw(*shape, seed=seed, dtype=torch.complex64)


def fourier(coils, seed=0, side=12):
    """An MRI operator (1, side, side) -> (coils, side, side) whose coil maps have sum |S|^2 = 1, half of its columns.

    With one coil of S = 1 it fulfils A A^H y = y for every y = A x.
    """
    sens_maps = complex_draw(coils, side, side, seed=seed)
    sens_maps = sens_maps / sens_maps.abs().square().sum(dim=0).sqrt() if coils > 1 else torch.ones_like(sens_maps)
    return MRIOperator(sens_maps, (torch.arange(side) % 2 == 0).float())


def stage():
    """(x, z, A, y, lam) of two complex problems, x with a gradient."""
    cases = []
    for A, lam in ((fourier(3), 0.7), (fourier(2, side=10), 3.0)):
        z, y = complex_draw(1, *A.in_shape, seed=1), complex_draw(1, *A.out_shape, seed=2)
        cases.append((complex_draw(1, *A.in_shape, seed=3).requires_grad_(), z, A, y, lam))
    return cases


def energy(r):
    """The sum of |r|^2, real."""
    return r.abs().square().sum()


def with_gradient(loss, x, *rest):
    """A loss and its gradient with respect to x, None where no graph leads to x."""
    known = loss.requires_grad and torch.autograd.grad(loss, x, retain_graph=True, allow_unused=True)[0]
    return loss, None if known is False else known


@exercise("aseqdip.loss", stage, tol=1e-4, trait=with_gradient,
          form=": a loss is one number, the sum over all entries",
          otherwise="first term: x through A against y. Second: x against z, both images. Square, sum, weight the "
                    "second by lam")
def loss(x, z, A, y, lam):
    """A function (x, z, A, y, lam) -> ||A x - y||^2 + lam ||x - z||^2, a real number with a gradient in x; complex."""
    r, gap = A(x) - y, x - z
    data, ae = energy(r), energy(gap)
    return {
        None: data + lam * ae,
        "the loss has lost its graph: .item(), float() or .detach() cut it off, and no gradient reaches phi":
            (data + lam * ae).item(),
        "the value is right, but x is cut off by .detach() in one of the terms: its gradient must include both":
            [data.detach() + lam * ae, data + lam * ae.detach()],
        "the loss is complex: ||r||^2 is the sum of |r|^2, and r * r or r.square() of a complex r is not |r|^2; "
        "r * r.conj() still needs .real":
            [(r * r).sum() + lam * (gap * gap).sum(), (r * r.conj()).sum() + lam * (gap * gap.conj()).sum()],
        "sums, not means: y has more entries than x here, so means would change the balance that lam sets":
            r.abs().square().mean() + lam * gap.abs().square().mean(),
        "the norms must be squared: you added ||r|| where the loss has ||r||^2": r.norm() + lam * gap.norm(),
        "the second term is weighted by lam": [data, data + ae],
        "lam belongs to the second term, not to the first": lam * data + ae,
        "the imaginary part counts too: |r|^2 = (Re r)^2 + (Im r)^2":
            r.real.square().sum() + lam * gap.real.square().sum(),
        "compare the complex images, not their magnitudes: a wrong phase is also an error":
            data + lam * energy(x.abs() - z.abs()),
        "the second term pulls x to the current input z, not to A^H y; they are the same only in the first stage":
            data + lam * energy(x - A.adjoint(y)),
    }


@exercise("aseqdip.input", [(step, N) for N in (1, 2, 5) for step in range(1, 13)], (
    "make the list for N = 2: steps 1 and 2 see z_0, steps 3 and 4 see z_1"))
def input_of_step(step, N):
    """A function (step, N) -> k such that Adam step `step` (from 1) takes its gradient with the input z_k."""
    return {
        None: (step - 1) // N,
        "one step early: z_1 is made after step N, so step N itself still sees z_0": step // N,
        "your answer is the number of the stage; stage k has the input z_{k-1}": (step - 1) // N + 1,
        "your answer is the place of the step within its stage: count the whole stages before it instead":
            [(step - 1) % N, step % N],
        "round down: between two swaps the input does not change": (step - 1) / N,
        "your answer is right only for N = 1: the input changes once in N steps": step - 1,
    }


@exercise("aseqdip.exact", lambda: [(draw(1, 3, 4, 4, seed=k), draw(1, 3, 4, 4, seed=k + 1), lam, k)
                                    for lam in (0.5, 2.0) for k in (1, 2, 7)],
          form=": z_k is an image like y",
          otherwise="set the gradient 2 (x - y) + 2 lam (x - z) to zero, solve for x - y, and do it k times")
def exact_stages(z0, y, lam, k):
    """A function (z0, y, lam, k) -> z_k for A = I if each stage reaches argmin_x ||x - y||^2 + lam ||x - z||^2."""
    factor, gap = lam / (1 + lam), z0 - y
    return {
        None: y + factor**k * gap,
        "your answer is z_1: the next stage starts from it, so the factor appears once per stage": y + factor * gap,
        "one stage too many or too few: z_0 is given, and z_1 comes after one stage":
            [y + factor ** (k + 1) * gap, y + factor ** (k - 1) * gap],
        "the weights are swapped: a large lam keeps x near z": y + (1 / (1 + lam)) ** k * gap,
        "2 (x - y) + 2 lam (x - z) = 0 gives x = (y + lam z) / (1 + lam): divide by the sum of both weights":
            y + lam**k * gap,
        "y is the limit of many stages; after k stages something of z_0 is left": y,
    }


def three_tasks():
    """(A, y) with A A^H y = y: denoising, in-painting, MRI with one coil."""
    holes = (torch.arange(8) % 3 != 1).float()
    operators = Identity((3, 8, 8)), Mask(holes, (3, 8, 8)), fourier(1)
    kinds = torch.float32, torch.float32, torch.complex64
    return [(A, A(draw(1, *A.in_shape, seed=4, dtype=kind))) for A, kind in zip(operators, kinds, strict=True)]


def data_term(z, A, y):
    """||A z - y||^2 relative to ||y||^2, and whether z is 0."""
    z = z.detach()
    value = float(energy(A(z) - y) / energy(y))
    return (0.0 if value <= 1e-8 else value), not float(z.abs().max())


@exercise("aseqdip.minimiser", three_tasks, lambda z, A, y: (
    f"with f(z) = z the data term is ||A z - y||^2 = {data_term(z, A, y)[0]:.3g} ||y||^2 for {type(A).__name__}, and "
    "it can be 0: use A A^H y = y"), tol=1e-3, trait=data_term, form=": z is an image")
def minimiser(A, y):
    """A function (A, y) -> z (1, *A.in_shape) with ||A z - y||^2 = 0, for A with A A^H y = y; tried on three tasks."""
    return {
        None: A.adjoint(y),
        "z = 0 with f(0) = 0 meets the constraint, but its data term is ||y||^2": 0 * A.adjoint(y),
        "in MRI y is not an image, and A y is not y. What takes y back to the space of images?": y,
    }


@exercise("aseqdip.later", [(100, 200), (200, 100), (100, None), (None, 100), (None, None), (100, 100)], stepwise=True,
          otherwise="a number against a number: compare; a number against None: None is later; equal or both None: "
                    "undecided")
def later(less, more):
    """A function (less, more) of two onsets, None: not begun -> whether the second is "later", "earlier", "undecided".
    """
    def compared(never, tie="undecided"):
        a, b = (never if onset is None else onset for onset in (less, more))
        return tie if a == b else "later" if b > a else "earlier"

    right = compared(math.inf)
    return {
        None: right,
        "None cannot be compared with a number: decide first what a run without an onset means":
            lambda: "later" if more > less else "earlier",
        "your answer is the other way round: is the onset of `more` later than that of `less`?":
            {"later": "earlier", "earlier": "later"}.get(right, right),
        "None is not step 0: the run had not begun to overfit at its end, so its onset is later than any seen":
            compared(0),
        "one run overfits and the other has not begun: this pair is decided, because the unseen onset is the later one":
            "undecided" if None in (less, more) else right,
        "neither run has begun to overfit: the data do not say which of the two would be later":
            ["later" if more is None else right, "earlier" if less is None else right],
        "both runs begin to overfit at the same step: neither of them is later":
            [right if None in (less, more) else compared(0, tie) for tie in ("later", "earlier")],
    }


@exercise("aseqdip.loss:mu", stage, tol=1e-4, trait=with_gradient,
          form=": a loss is one number, the sum over all entries",
          otherwise="first term: x through A against y, weighted by mu. Second: x against z. Square and sum",
          instead="weigh the data term: mu ||A x - y||^2 + ||x - z||^2. The fifth argument is mu",
          solution="lambda x, z, A, y, mu: mu * (A(x) - y).abs().square().sum() + (x - z).abs().square().sum()")
def loss_mu(x, z, A, y, mu):
    """A function (x, z, A, y, mu) -> mu ||A x - y||^2 + ||x - z||^2, a real number with a gradient in x; complex."""
    r, gap = A(x) - y, x - z
    data, ae = energy(r), energy(gap)
    return {
        None: mu * data + ae,
        "the loss has lost its graph: .item(), float() or .detach() cut it off, and no gradient reaches phi":
            (mu * data + ae).item(),
        "the value is right, but x is cut off by .detach() in one of the terms: its gradient must include both":
            [mu * data.detach() + ae, mu * data + ae.detach()],
        "the loss is complex: ||r||^2 is the sum of |r|^2, and r * r or r.square() of a complex r is not |r|^2; "
        "r * r.conj() still needs .real":
            [mu * (r * r).sum() + (gap * gap).sum(), mu * (r * r.conj()).sum() + (gap * gap.conj()).sum()],
        "sums, not means: y has more entries than x here, so means would change the balance that mu sets":
            mu * r.abs().square().mean() + gap.abs().square().mean(),
        "the norms must be squared: you added ||r|| where the loss has ||r||^2": mu * r.norm() + gap.norm(),
        "the weights are wrong: mu multiplies the data term, and the second term appears as it is": [data, data + ae],
        "your answer is the lesson's own convention: here mu belongs to the data term": data + mu * ae,
        "1 / mu is the weight of the second term of a different loss: here mu multiplies the first": data + ae / mu,
        "the imaginary part counts too: |r|^2 = (Re r)^2 + (Im r)^2":
            mu * r.real.square().sum() + gap.real.square().sum(),
        "compare the complex images, not their magnitudes: a wrong phase is also an error":
            mu * data + energy(x.abs() - z.abs()),
        "the second term pulls x to the current input z, not to A^H y; they are the same only in the first stage":
            mu * data + energy(x - A.adjoint(y)),
    }


@exercise("aseqdip.exact:mu", REGISTRY["aseqdip.exact"].cases, form=": z_k is an image like y",
          otherwise="set the gradient 2 mu (x - y) + 2 (x - z) to zero, solve for x - y, and do it k times",
          instead="weigh the data term: each stage reaches argmin_x mu ||x - y||^2 + ||x - z||^2. The third argument "
                  "is mu",
          solution="lambda z0, y, mu, k: y + (z0 - y) / (1 + mu) ** k")
def exact_stages_mu(z0, y, mu, k):
    """A function (z0, y, mu, k) -> z_k for A = I if each stage reaches argmin_x mu ||x - y||^2 + ||x - z||^2."""
    factor, gap = 1 / (1 + mu), z0 - y
    return {
        None: y + factor**k * gap,
        "your answer is z_1: the next stage starts from it, so the factor appears once per stage": y + factor * gap,
        "one stage too many or too few: z_0 is given, and z_1 comes after one stage":
            [y + factor ** (k + 1) * gap, y + factor ** (k - 1) * gap],
        "the weights are swapped: a large mu pulls x to y": y + (mu / (1 + mu)) ** k * gap,
        "2 mu (x - y) + 2 (x - z) = 0 gives x = (mu y + z) / (1 + mu): divide by the sum of both weights":
            y + mu**-k * gap,
        "y is the limit of many stages; after k stages something of z_0 is left": y,
    }
