"""The empirical neural tangent kernel Theta = J J^T of a network at given weights (aSeqDIP paper, Eq. 14).

J is the Jacobian of the output with respect to all weights. Small signals: `ntk_matrix`. Images:
`NTK`, a linear operator by one vjp and one jvp, and its leading eigenvalues by Lanczos.

Outputs must be real. For a complex image take the network on its [Re, Im] channels (the `network`
inside `networks.ImageNetwork`, on `networks.to_channels`): gradient descent acts on real numbers, and
its kernel is linear over the reals only.
"""

import math

import numpy as np
import scipy.sparse.linalg
import torch

from ...operators import LinearOperator
from ...settings import InputError

#: Most entries of the Jacobian that `ntk_matrix` holds at once: 1 GB in float64 (a single tensor may need more).
JACOBIAN = 2**27


def ntk_matrix(f, params, z, z2=None, *, chunk=None):
    """Theta(z, z2) = J(z) J(z2)^T as an (m, m2) matrix, m and m2 the entries of f's outputs at z and z2.

    The Jacobian is made and dropped for one group of parameter tensors after the other: `JACOBIAN` numbers, twice that
    if z2 is given, or m x p where a single tensor has more, p, and a few outputs of every layer for each of `chunk`
    rows.

    Args:
        f, params: a function f(params, z) and its weights (see `nets.as_function`).
        z, z2: inputs with batch axis; z2 = z by default, and Theta is then symmetric.
        chunk: rows of the Jacobian computed at once, all by default; fewer need less memory.

    Raises:
        InputError: the outputs are complex.
    """
    rows = _real_output(f, params, z).numel()
    total = 0.0
    for names in _groups(params, JACOBIAN // rows):
        left = jacobian(f, params, names, z, chunk)
        right = left if z2 is None else jacobian(f, params, names, z2, chunk)
        total = total + sum(a @ b.T for a, b in zip(left, right, strict=True))
    return total


def jacobian(f, params, names, z, chunk=None):
    """d f(params, z) / d params[name] for each of `names`: (m, p), m entries of the output and p of the tensor."""
    def output(part):
        return f({**params, **part}, z).flatten()

    rows = torch.func.jacrev(output, chunk_size=chunk)({name: params[name] for name in names})
    return [rows[name].flatten(start_dim=1) for name in names]  # each (m, *shape of the tensor) -> (m, p)


def _groups(params, limit):
    """The names in order, cut into lists whose tensors hold at most `limit` numbers together, or that are alone."""
    names, size = [], 0
    for name, p in params.items():
        if names and size + p.numel() > limit:
            yield names
            names, size = [], 0
        names.append(name)
        size += p.numel()
    yield names


class NTK(LinearOperator):
    """Theta(z, z) on images: x -> J (J^T x), self-adjoint and positive semi-definite.

    One application costs a backward pass (vjp) and a forward pass with tangents (jvp); no Jacobian is
    stored. Its norm is the largest eigenvalue.

    Args:
        f, params: a function f(params, z) and its weights (see `nets.as_function`).
        z: the network's input (1, C, H, W), or (1, c, n) for signals.

    Maps (B, *shape of the output) to the same, in the precision of `params` and z.

    Raises:
        InputError: the output is complex.
    """

    def __init__(self, f, params, z):
        shape = _real_output(f, params, z).shape[1:]
        super().__init__(shape, shape)
        self.f, self.params, self.z = f, params, z
        self._backward = torch.func.vjp(self._output, params)[1]

    def _output(self, params):
        return self.f(params, self.z)

    def _apply(self, x):
        return torch.cat([self._one(image[None]) for image in x])

    def _one(self, x):
        gradient, = self._backward(x)  # J^T x, one tensor for each parameter
        return torch.func.jvp(self._output, (self.params,), (gradient,))[1]

    _adjoint = _apply

    def norm(self, iterations=60, seed=0, double=None):
        """Largest eigenvalue by power iteration, a lower bound that converges; in the kernel's own precision."""
        return super().norm(iterations, seed, self.z.dtype == torch.float64 if double is None else double)

    def to(self, device=None, *, double=None):
        """The same kernel on another device and/or in double (True) or single (False) precision."""
        dtype = {None: None, True: torch.float64, False: torch.float32}[double]
        params = {name: p.to(device=device, dtype=dtype) for name, p in self.params.items()}
        return NTK(self.f, params, self.z.to(device=device, dtype=dtype))


def eigenvalues(operator, count, *, seed=0, tol=1e-8):
    """The `count` largest eigenvalues of a self-adjoint real operator, descending, by Lanczos (scipy's eigsh).

    Args:
        operator: a self-adjoint LinearOperator on real images, e.g. `NTK`.
        count: how many, below the number of entries of an image.
        seed: seed of the first Lanczos vector.
        tol: relative accuracy of the eigenvalues.

    Returns: (count,) float64 array.

    Raises:
        InputError: `count` is not below the number of entries.
    """
    return np.sort(_lanczos(operator, count, seed, tol, vectors=False))[::-1]


def modes(operator, count, *, seed=0, tol=1e-3):
    """The leading eigenvalues, descending, (count,), and their eigenvectors (count, *shape of an image) of length 1.

    Arguments and errors as in `eigenvalues`; an eigenvector is known to about `tol` over the gap of its eigenvalue.
    """
    values, vectors = _lanczos(operator, count, seed, tol, vectors=True)
    order = np.argsort(values)[::-1]
    return values[order], np.ascontiguousarray(vectors.T[order]).reshape(count, *operator.in_shape)


def _lanczos(operator, count, seed, tol, vectors):
    """What scipy's eigsh returns of a self-adjoint real operator on images; InputError for a bad count."""
    m = math.prod(operator.in_shape)
    if not 1 <= count < m:
        raise InputError(f"count must lie between 1 and {m - 1} for an operator on {m} entries, got {count}")
    z = next((value for value in vars(operator).values() if isinstance(value, torch.Tensor)), torch.empty(0))

    def product(vector):
        image = torch.as_tensor(vector.reshape(1, *operator.in_shape), dtype=z.dtype, device=z.device)
        return operator(image).flatten().cpu().numpy().astype(np.float64)

    linear = scipy.sparse.linalg.LinearOperator((m, m), matvec=product, dtype=np.float64)
    start = np.random.default_rng(seed).standard_normal(m)
    return scipy.sparse.linalg.eigsh(linear, k=count, which="LA", v0=start, tol=tol, return_eigenvectors=vectors)


def _real_output(f, params, z):
    output = f(params, z)
    if output.is_complex():
        raise InputError("the neural tangent kernel needs real outputs: take the network on the [Re, Im] channels")
    return output
