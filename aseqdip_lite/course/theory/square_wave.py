"""A square wave from Fourier samples, by a Deep Decoder and by a wide CNN (Fig. 1 of the Self-Guided DIP paper; G1).

Three questions, with the same samples for both networks:

* the kernel's answer: the limit and the path of `spectral`, from z_0 = 0;
* the network trained by gradient descent with the same step, its initial output subtracted so that z_0 = 0 too:
  does it follow the kernel?
* the network trained by Adam as it is used in practice, without subtraction: what does it reconstruct?

The paper's figure gives neither the length of the signal nor the samples nor the networks' sizes: those here are ours.
"""

import torch
from matplotlib.figure import Figure

from ...networks.decoder import decoder
from .nets import as_function, conv_net
from .ntk import ntk_matrix
from .spectral import commutator, fourier_rows, limit, singular_spectra, trajectory

NETWORKS = {"decoder": "Deep Decoder", "cnn": "wide CNN"}

#: Sizes of `measure`: samples, CNN width, decoder channels and layers, steps, steps between two measurements, seeds.
SIZES = {
    "smoke": dict(n=32, width=8, channels=8, layers=2, steps=20, every=5, seeds=1),
    "laptop": dict(n=128, width=128, channels=64, layers=5, steps=3000, every=10, seeds=3),
    "paper": dict(n=256, width=512, channels=128, layers=6, steps=20000, every=20, seeds=5),
}


def square_wave(n):
    """One period of a square wave, (n,) float64: 1 in the middle half and 0 outside."""
    x = torch.zeros(n, dtype=torch.float64)
    x[n // 4:n - n // 4] = 1.0
    return x


def sampled_frequencies(n, generator):
    """Frequencies 0 to n / 16, all of them, and a quarter of the higher ones at random: sorted, 0 to n / 2 - 1."""
    low = n // 16 + 1
    rest = torch.randperm(n // 2 - low, generator=generator)[:(n // 2 - low) // 4] + low
    return sorted([*range(low), *rest.tolist()])


def build(name, n, width, channels, layers, generator):
    """(network, noise input) of "decoder" or "cnn" for signals of length n, in float64."""
    if name == "decoder":
        network = decoder((n,), 1, generator, channels, layers).double()
        return network, network.noise(generator, torch.float64)
    network = conv_net(width, generator=generator)
    return network, torch.randn((1, 1, n), generator=generator, dtype=torch.float64)


def descend(network, z, A, y, optimizer, steps, every, centre=0.0):
    """Steps on 1/2 ||A (f(z) - centre) - y||^2; returns f(z) - centre at the start and after each `every` steps."""
    path = []
    for step in range(steps + 1):
        output = network(z).flatten() - centre
        if step % every == 0:
            path.append(output.detach())
        if step < steps:
            optimizer.zero_grad()
            (0.5 * (A @ output - y).square().sum()).backward()
            optimizer.step()
    return torch.stack(path)  # (steps // every + 1, n)


def measure(n, width, channels, layers, steps, every, seeds, lr=0.01, starts=False):
    """Kernel, gradient descent and Adam (rate lr) for both networks on `seeds` draws of samples and weights.

    Root mean square errors are those against the square wave, whose values are 0 and 1. Descent subtracts the network's
    initial output f_0, Adam does not; with `starts` each is run the other way as well.

    Returns:
        dict with the settings, "step", "truth", "sampled" (frequencies of the first seed), "zero_filled" (RMSE of
        A^T y, one a seed) and "networks": for each network and seed lists of "kernel", "descent" and "adam" (RMSE
        at "step"), "limit" (RMSE of z_inf), "lazy" (largest distance of descent from the kernel's path, relative to
        the truth's norm), "commutator", "weights", and for the first seed "reconstruction" (Adam) and "values" of
        the kernel; with `starts` also "limit_kept", "descent_kept" (f_0 kept) and "adam_subtracted". And
        {network: spectra of the first seed's kernel (frequency, singular vector)}.
    """
    x = square_wave(n)
    spectra, taken = {}, list(range(0, steps + 1, every))
    result = dict(n=n, width=width, channels=channels, layers=layers, lr=lr, step=taken, truth=x.tolist(),
                  zero_filled=[], networks={name: {} for name in NETWORKS})
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)
        frequencies = sampled_frequencies(n, generator)
        A = fourier_rows(n, frequencies)
        y = A @ x
        result.setdefault("sampled", frequencies)
        result["zero_filled"].append(rmse(A.T @ y, x))
        for name in NETWORKS:
            network, z = build(name, n, width, channels, layers, generator)
            first = {key: value.clone() for key, value in network.state_dict().items()}
            W = ntk_matrix(*as_function(network), z)  # (n, n)
            beta = 1.0 / float(torch.linalg.eigvalsh(A @ W @ A.T)[-1])
            kernel = trajectory(W, A, y, beta, taken)
            f0 = network(z).detach().flatten()
            descent = descend(network, z, A, y, torch.optim.SGD(network.parameters(), lr=beta), steps, every, f0)
            network.load_state_dict(first)
            adam = descend(network, z, A, y, torch.optim.Adam(network.parameters(), lr=lr), steps, every)
            values, rows = singular_spectra(W)
            found = dict(kernel=rmse(kernel, x), descent=rmse(descent, x), adam=rmse(adam, x),
                         limit=rmse(limit(W, A, y), x), commutator=commutator(W, A),
                         lazy=float((descent - kernel).norm(dim=1).max() / x.norm()),
                         weights=sum(p.numel() for p in network.parameters()))
            if starts:
                network.load_state_dict(first)
                kept = descend(network, z, A, y, torch.optim.SGD(network.parameters(), lr=beta), steps, every)
                network.load_state_dict(first)
                other = descend(network, z, A, y, torch.optim.Adam(network.parameters(), lr=lr), steps, every, f0)
                found |= dict(limit_kept=rmse(limit(W, A, y, f0), x), descent_kept=rmse(kept, x),
                              adam_subtracted=rmse(other, x))
            if seed == 0:
                result["networks"][name] |= dict(reconstruction=adam[-1].tolist(), values=values.tolist())
                spectra[name] = rows.mul(1e4).round().div(1e4).float().numpy()  # rounded, so that it packs well
            for key, value in found.items():
                result["networks"][name].setdefault(key, []).append(value)
    return result, spectra


def rmse(z, x):
    """Root mean square error of (n,), a number, or of (m, n), a list."""
    return (z - x).square().mean(dim=-1).sqrt().tolist()


def figure(result, spectra):
    """Reconstructions, RMSE curves (first seed) and the spectra of the kernel's left singular vectors."""
    figure = Figure(figsize=(10.5, 6.2), layout="constrained")
    axes = figure.subplots(2, 3)
    for column, (name, title) in enumerate(NETWORKS.items()):
        found = result["networks"][name]
        axis = axes[0, column]
        axis.plot(result["truth"], color="0.6", linewidth=3, label="square wave")
        axis.plot(found["reconstruction"], "k-", linewidth=1, label=f"RMSE {found['adam'][0][-1]:.3f}")
        axis.set_title(f"{title}, Adam, step {result['step'][-1]}", fontsize=10)
        axis.set(xlabel="sample", ylabel="amplitude")
        axis.set_ylim(top=1.25 * axis.get_ylim()[1])  # room for the legend
        axis.legend(fontsize=8, loc="upper left", ncols=2)
        axis = axes[1, column]
        shown = axis.imshow(spectra[name], cmap="cividis", aspect="auto", origin="lower", vmin=0, vmax=0.4,
                            interpolation="nearest")
        axis.set_title(f"{title}: |FFT| of the\nleft singular vectors", fontsize=10)
        axis.set(xlabel="singular vector, largest value first", ylabel="frequency (periods per signal)")
        figure.colorbar(shown, ax=axis, shrink=0.9, extend="max")
    curves, values = axes[0, 2], axes[1, 2]
    for (name, title), color, width in zip(NETWORKS.items(), ("#00204d", "#a59c74"), (1.2, 2.4), strict=True):
        found = result["networks"][name]
        for kind, style in (("adam", "-"), ("descent", "--"), ("kernel", ":")):
            curves.plot(result["step"][1:], found[kind][0][1:], style, color=color, linewidth=width,
                        label=f"{title.split()[-1]}, {'Adam' if kind == 'adam' else kind}")
        values.plot([value / found["values"][0] for value in found["values"]], "-" if name == "decoder" else "--",
                    color=color, linewidth=width, label=title)
    curves.axhline(result["zero_filled"][0], color="0.6", linewidth=1, label="zero-filled")
    curves.set(xscale="log", xlabel="step", ylabel="RMSE")
    curves.set_title("error (thin: Decoder, thick: CNN)", fontsize=10)
    curves.set_ylim(0, 1.75 * curves.get_ylim()[1])  # room for the legend
    curves.legend(fontsize=7, ncols=2, loc="upper left", columnspacing=0.8, handlelength=1.8)
    values.set(yscale="log", ylim=(1e-10, 2), xlabel="index", ylabel="singular value / largest")
    values.legend(fontsize=8)
    return figure
