"""The 1D networks of the theory, and any network as a function of its weights."""

import torch
from torch import nn

from ...settings import InputError


def conv_net(width=64, layers=5, kernel=3, c_in=1, *, seed=0, generator=None):
    """g(z) = C_L(ReLU(... ReLU(C_1(z)))): the network of Theorem A.1, in float64.

    The convolutions have biases and are padded with zeros, so lengths are kept. He initialisation:
    weights N(0, 2 / (c r)) with c input channels of the layer and filter size r, the last layer
    included, biases 0 (aSeqDIP paper, A.1, "Setting").

    Args:
        width: channels of all layers but the last, which has one.
        layers: number of convolutions L, at least 2.
        kernel: filter size r, odd.
        c_in: channels of the input.
        seed: seed of the weights, unless a torch.Generator is given as `generator`.

    Maps (1, c_in, n) to (1, 1, n).

    Raises:
        InputError: fewer than two layers, or an even filter size.
    """
    if layers < 2 or width < 1 or c_in < 1:
        raise InputError(f"a network needs at least 2 layers and 1 channel, got layers {layers}, width {width}, "
                         f"c_in {c_in}")
    if kernel % 2 == 0 or kernel < 1:
        raise InputError(f"kernel must be odd so that lengths are kept, got {kernel}")
    generator = generator if generator is not None else torch.Generator().manual_seed(seed)
    channels = (c_in, *[width] * (layers - 1), 1)
    parts = []
    for a, b in zip(channels, channels[1:], strict=False):
        parts += [nn.Conv1d(a, b, kernel, padding=kernel // 2, dtype=torch.float64), nn.ReLU()]
    network = nn.Sequential(*parts[:-1])  # no activation at the output
    with torch.no_grad():
        for convolution in network[::2]:
            c = convolution.in_channels
            convolution.weight.normal_(0.0, (2 / (c * kernel)) ** 0.5, generator=generator)
            convolution.bias.zero_()
    return network


def as_function(network, residual=False):
    """A network as a pure function: (f, params) with f(params, z) its output.

    Args:
        network: any module on one tensor, e.g. from `conv_net` or `networks.build`.
        residual: f = z + g(z) with g the network, instead of f = g(z) (Theorem A.1).

    Returns:
        f: (params, z) -> output; torch.func's transforms and autograd run through both arguments.
        params: {name: tensor}, detached and sharing the network's memory: do not change them in place.
    """
    params = {name: p.detach() for name, p in network.named_parameters()}

    def f(params, z):
        g = torch.func.functional_call(network, params, (z,))
        return z + g if residual else g

    return f, params


def antithetic(params):
    """The partner initialisation: the last layer negated, so that g_0 -> -g_0 while Theta stays.

    The kernel of the last layer does not see its own weights, and the Jacobians of all others change
    sign together. The mean of f_0 over such a pair is exactly 0 (plain) or z (residual), where a mean
    over independent draws still carries noise. Holds for networks that end in a linear layer, which
    must be the last one registered; params is as `as_function` gives it and is not changed.
    """
    last = next(reversed(params)).rpartition(".")[0] + "."
    return {name: -p if name.startswith(last) else p.clone() for name, p in params.items()}
