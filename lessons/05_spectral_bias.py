# ---
# jupyter:
#   minutes: 1
# ---

# %% [markdown]
# # Spectral bias: what a network learns first, and what it fills in
#
# {colab}
#
# **After this lesson you can**
#
# - split the error of a reconstruction into frequency bands, and measure which band Deep Image Prior learns first;
# - explain this order by the network's kernel, and measure the kernel on the real U-Net before any training;
# - derive where gradient descent ends when samples are missing, $z_\infty = WA^{\mathsf T}(AWA^{\mathsf T})^{+}y$, and
#   say exactly which images come back;
# - say what a kernel puts into the null space of $A$, and when it puts nothing there;
# - compare a Deep Decoder with a wide convolutional network on the same samples, with and without their own starts, and
#   say what their frozen kernels explain, and what they do not;
# - write the loss of Self-Guided DIP, which also learns its input.
#
# **You need** lesson 02 (Deep Image Prior) and the kernel of lesson 04, or: linear algebra up to the pseudoinverse, the
# discrete Fourier transform, and a training loop in PyTorch. The MRI operator of lesson 07 may stay a black box.
#
# **Time** about {minutes} minute to run in the `laptop` profile on one CPU thread (measured); not yet measured on a
# GPU. To work through it, take 90 minutes; without the sections marked *stretch*, 80.
#
# **Data** one axial slice of Colin27 (Holmes et al. 1998; BSD-3-Clause). The slice is real. Its phase, the coil
# sensitivities and the noise are simulated. The signals are made here. Code BSD-3-Clause, text CC BY 4.0.
# **For teaching, not for diagnosis.**

# %%

import matplotlib
import torch
from matplotlib.figure import Figure

from aseqdip_lite import configure, iterate, load_case, metrics, networks
from aseqdip_lite.course import banner, check, claim, drawings, pick, show, stored
from aseqdip_lite.course.theory import bands, guidance, learned_input, square_wave
from aseqdip_lite.course.theory.nets import as_function, conv_net
from aseqdip_lite.course.theory.ntk import NTK, ntk_matrix
from aseqdip_lite.course.theory.spectral import commutator, fourier_rows, limit, trajectory
from aseqdip_lite.operators.mri import Fourier
from aseqdip_lite.run.plots import plot_images

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(
    drawings.frequencies(),
    alt="""A photograph of a man with a camera; its k-space, bright in the centre, with a small solid and a larger
        dashed circle; and its three parts with plus signs between them. Low band: a blurred man. Middle band: soft
        outlines. High band: thin edges.""",
)

# %% [markdown]
# **Three bands of one picture.** In k-space the distance from the centre is the frequency. The two circles cut k-space
# into three rings. Each ring alone gives a picture, and the three pictures add up to the photograph. This lesson asks
# in which order a network learns them.

# %% [markdown]
# ## Predict first
#
# Write your guesses down; the last section asks for them again.
#
# 1. Deep Image Prior reconstructs a brain from a quarter of its k-space. What does it learn first: coarse shapes or
#    fine detail? Is there a band that it never learns?
# 2. A network fits a few samples of a signal exactly. What does it draw where nothing was sampled: zero, noise, or
#    something else?
# 3. Two networks fit a few Fourier samples of a square wave: a wide convolutional network, and a Deep Decoder, which
#    only upsamples and mixes channels. Which one draws the better square wave?
# 4. Let the *input* of the network be learned along with the weights. It starts as noise. What will it look like later?

# %% [markdown]
# ## Three bands of an image
#
# Our scan is MRI at 4x. `bands.complex_truth` gives the complex image $x$ behind it, which no method sees. Cut k-space
# into three rings according to the distance from its centre, as a share of the Nyquist frequency:

# %%
size, coils = pick(smoke=48, laptop=64, paper=320), pick(smoke=2, laptop=8, paper=15)
case = load_case("mri", "brain-070", size=size, coils=coils, seed=0)
x = bands.complex_truth(case)  # (1, 1, H, W)
F = Fourier((1, size, size))  # centred, orthonormal
rings = bands.ring_masks((size, size))  # {"low", "mid", "high": (H, W) bool}

parts = {"truth |x|": x} | {f"{name} band": F.adjoint(ring * F(x)) for name, ring in rings.items()}
pictures = {name: part[0, 0].abs().numpy() for name, part in parts.items()}
show(
    plot_images(pictures, None, (0, 1)),
    alt="""The truth, a brain slice, and the magnitude of its three bands. Low: a blurred head. Mid: outlines
        of the skull and of the folds, dark elsewhere. High: faint thin edges.""",
)

# %%
energy = float(F(x).norm() ** 2)
for name, ring in rings.items():
    inner, outer = bands.BANDS[name]
    share = float(F(x)[0, 0][ring].norm() ** 2) / energy
    print(f"{name:>4}: from {inner:g} Nyquist, {ring.float().mean():.0%} of k-space, {share:.1%} of the energy")

# %% [markdown]
# The high band is most of k-space but contains next to none of the energy. PSNR, which measures energy, hardly sees it;
# your eye does. So we give each band its own error,
#
# $$e_b(z) = \frac{\|M_bF(z-x)\|}{\|M_bFx\|},\qquad M_b = \text{the ring's mask.}$$
#
# An image without the band has $e_b = 1$, and the truth has $e_b = 0$. A value above 1 is worse than leaving the band
# empty.
#
# ### Exercise 1: the error of a band
#
# Return $e_b$ for k-spaces `k_image` and `k_truth`, complex and of shape (H, W), and a mask of booleans.


# %% tags=["exercise"]
def my_band_error(k_image, k_truth, mask):
    # blank: return ...
    return (k_image - k_truth)[mask].norm() / k_truth[mask].norm()
    # end


check("spectral.band", my_band_error)

# %% [markdown]
# $F$ is unitary and the rings cover k-space without overlap, so squared errors add up: with $s_b$ the band's share of
# the energy, $\|z-x\|^2/\|x\|^2 = \sum_b s_b\,e_b(z)^2$. We check the library's function on the zero-filled image:

# %% tags=["nbval-check-output"]
start = case.observation.start
found = bands.band_errors(start, x)
total = sum(float(F(x)[0, 0][ring].norm() ** 2) / energy * found[name] ** 2 for name, ring in rings.items())
whole = float((start - x).norm() / x.norm()) ** 2
claim(abs(total - whole) < 1e-4 * whole, "the bands' squared errors add up to the image's, within 1e-4", needs="smoke")

# %% [markdown]
# ## Watch DIP learn
#
# `iterate` yields a state after each Adam step. We keep the three errors, and a few images for later.

# %%
steps, every = pick(smoke=12, laptop=400, paper=4000), pick(smoke=2, laptop=4, paper=20)
method = configure("vanilla", "mri", steps=steps)
print(method)
taken, curves, scores, images = [], {name: [] for name in rings}, [], []
for state in iterate(case.observation, method, seed=0):
    if state.step % every == 0:
        taken.append(state.step)
        images.append(state.image)
        scores.append(metrics.psnr(case.display(state.image), case.truth, case.data_range))
        for name, error in bands.band_errors(state.image, x).items():
            curves[name].append(error)


# %%
def draw_bands(curves, title):
    """Error of each band against the step."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axis = figure.subplots()
    for (name, errors), style in zip(curves.items(), ("-", "--", "-."), strict=True):
        axis.plot(taken, errors, style, label=name, linewidth=1.8)
    axis.axhline(1.0, color="0.5", linewidth=1)
    axis.set(xscale="log", ylim=(0, 2), xlabel="Adam step", ylabel="relative error of the band", title=title)
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


show(
    draw_bands(curves, f"DIP, MRI 4x, {size} x {size}"),
    alt="""Relative error of three bands against Adam steps, logarithmic. The low band falls first and deepest,
        the middle band later and less, the high band last and least: it stays nearest to 1, the error of an image
        without the band.""",
)


def first_below(errors, level):
    """The first step at which the error is below the level, or None."""
    return next((step for step, error in zip(taken, errors, strict=True) if error < level), None)


for name, errors in curves.items():
    print(f"{name:>4}: below 0.8 at step {first_below(errors, 0.8)}, least error {min(errors):.2f}, "
          f"zero-filled {found[name]:.2f}")
print(f"PSNR: {scores[-1]:.2f} dB at the last step")

# %%
reached = [first_below(curves[name], 0.8) or float("inf") for name in ("low", "mid", "high")]
claim(reached[0] * 2 < reached[1], "the low band is below 0.8 in less than half of the steps that the middle one takes")
claim(reached[1] < reached[2], "the high band comes after the middle one, if at all")
claim(min(curves["low"]) < min(curves["mid"]) < min(curves["high"]), "the lower the band, the smaller its least error")

# %% [markdown]
# Low frequencies come first and high frequencies last: this is **spectral bias**. It helps DIP to denoise, because
# noise is spread over all of k-space and most of k-space is high. It also makes DIP blur, because edges live there too.
#
# Here is the same run with sliders. Set `snr` to 5 and watch the grain appear. The panel works only in a running
# notebook; nothing after it depends on it.

# %%
from aseqdip_lite.widgets import panel

panel("mri", method="vanilla", methods=["vanilla"], size=size, coils=coils, **method.to_dict())

# %% [markdown]
# ### Stored: two noise levels, more pixels (stretch)
#
# The command `aseqdip experiment G2` runs the same measurement for longer, with little and with more noise. Its
# signal-to-noise ratio counts only the sampled k-space. Counted over the whole of k-space, as `snr` does today, 25 and
# 15 dB are about 19 and 9 dB.


# %%
def experiment(name):
    """The numbers of a stored experiment; prints their origin."""
    report = stored(name)
    source = report["provenance"]
    settings = ", ".join(f"{key} {value}" for key, value in source["settings"].items())
    print(f"{name}, profile {source['profile']}: {settings}; {source['seconds'] / 60:.0f} minutes on "
          f"{source['device']}, torch {source['versions']['torch']}")
    print(f"{report['verdict']}: {report['why']}")
    return report["ours"]


# %% tags=["stored-result"]
g2 = experiment("G2")
show(
    bands.figure(g2),
    alt="""Above, the three ring masks. Below, PSNR against Adam steps for two noise levels, and for each level
        the errors of the three bands: the low band falls first, then the middle one. The high one stays near 1 with
        little noise and rises far above 1 with more.""",
)
for run in g2["runs"]:
    least = {name: min(errors) for name, errors in run["bands"].items()}
    print(f"k-space at {run['snr']:g} dB: " + ", ".join(
        f"{name} least {least[name]:.2f} at step {run['best'][name]}" for name in rings)
        + f"; best PSNR {max(run['psnr']):.2f} dB at step {run['best']['psnr']}, last {run['psnr'][-1]:.2f} dB")
    claim(least["low"] < least["mid"] < least["high"], "stored: the lower the band, the smaller the error", "smoke")

# %% [markdown]
# ## Why: the kernel
#
# Near its initial weights $\phi_0$ a network is almost linear in its weights. Write $\theta = \phi-\phi_0$, and let $J$
# be the Jacobian of the output with respect to the weights:
#
# $$z(\theta) \approx z_0 + J\theta,\qquad z_0 = f_{\phi_0}.$$
#
# Take this linear model seriously and run gradient descent with step $\beta$ on $\tfrac12\|z-x\|^2$, at first with all
# pixels given. The gradient with respect to $\theta$ is $J^{\mathsf T}(z-x)$, so
#
# $$\theta_{t+1} = \theta_t - \beta J^{\mathsf T}(z_t-x) \quad\Longrightarrow\quad
# z_{t+1} - x = (I-\beta W)\,(z_t-x),\qquad W = JJ^{\mathsf T}.$$
#
# The second equation is the first, multiplied by $J$. The weights have dropped out: all that is left of the network is
# the matrix $W$, its **neural tangent kernel**. It is symmetric and has no negative eigenvalue. Let $Wv = \mu v$. Each
# step multiplies the part of the error along $v$ by $1-\beta\mu$, so after $t$ steps the learned share of a mode is
#
# $$1-(1-\beta\mu)^t .$$
#
# Modes with a large $\mu$ come early, those with a small $\mu$ late, and those with $\mu = 0$ never.
#
# **Two minutes.** With $\beta\mu = 0.1$, how much of a mode has been learned after 1, 10 and 100 steps? (0.1, 0.65 and
# 0.99997.)
#
# ### Exercise 2: half of a mode
#
# After how many steps has half of a mode been learned? Return the real number $t$ for $0<\beta\mu<1$.


# %% tags=["exercise"]
def my_half_life(beta, mu):
    # blank: return ...
    return torch.log(torch.tensor(0.5)) / torch.log1p(torch.tensor(-beta * mu, dtype=torch.float64))
    # end


check("spectral.steps", my_half_life)

# %% [markdown]
# If low frequencies lie along eigenvectors with large $\mu$, spectral bias is explained. Do they? Let us ask the real
# U-Net, before any training. We cannot store its $W$, but `NTK` multiplies by it. For a random image $v$ of norm 1
# inside a band, $v^{\mathsf T}Wv$ is a mean of eigenvalues, weighted by how much of $v$ lies along each: the **gain**
# of the kernel in this band.

# %%
draws = pick(smoke=1, laptop=4, paper=8)
generator = torch.Generator().manual_seed(0)
noise = torch.view_as_complex(torch.randn((*x.shape, 2), generator=generator))
f, params = as_function(networks.build("lite", noise, torch.Generator().manual_seed(0)).network)
W_unet = NTK(f, params, networks.to_channels(noise))  # on real images (1, 2, H, W)

gains = {}
for name, ring in rings.items():
    gains[name] = []
    for _ in range(draws):
        k = ring * torch.view_as_complex(torch.randn((*x.shape, 2), generator=generator))
        v = networks.to_channels(F.adjoint(k))
        v = v / v.norm()
        gains[name].append(float((v * W_unet(v)).sum()))
mean_gain = {name: sum(values) / draws for name, values in gains.items()}
for name, values in gains.items():
    print(f"{name:>4}: gain {mean_gain[name]:.0f} ({min(values):.0f} to {max(values):.0f} over {draws} draws), "
          f"half-lives compared with the low band: {mean_gain['low'] / mean_gain[name]:.1f}")

# %%
claim(
    min(gains["low"]) > 2 * max(gains["mid"]) and min(gains["mid"]) > 1.5 * max(gains["high"]),
    "in each draw, the gain of the low band is more than 2 times that of the middle band, which is more than 1.5 times "
    "that of the high band",
)

# %% [markdown]
# So an **untrained** network, with noise as its input, already prefers low frequencies. Its weights are random and its
# input is noise (one draw of both), so with such an input the order comes from the architecture. (In lesson 04 the
# input decided what comes first, with a small network that knows only one scale.)
#
# Compare the half-lives with the curves above, but be careful: the order agrees, the ratios need not. A band is not a
# single mode, so a mean gain gives no exact half-life; Adam is not gradient descent; three quarters of k-space were not
# measured; and $W$ changes during training. The rest of the lesson is about the missing measurements.

# %% [markdown]
# ## What happens where nothing is measured
#
# Now $y = Ax$, where $A$ has shape $(p, n)$ and there are fewer samples than unknowns. Theorem 1 of the Self-Guided DIP
# paper treats this case. We could not check the theorem's conclusion, so we derive our own; it needs no assumption on
# the rank of $A$ or $W$.
#
# Gradient descent on $\tfrac12\|Az-y\|^2$ with $z = z_0 + J\theta$ takes the steps
#
# $$\theta \leftarrow \theta - \beta J^{\mathsf T}A^{\mathsf T}(Az-y).$$
#
# Put $M = AJ$ and $r = y - Az_0$. This is gradient descent on $\tfrac12\|M\theta-r\|^2$ from $\theta = 0$.
#
# 1. *$\theta$ never leaves the range of $M^{\mathsf T}$.* It starts at 0, and every step is $M^{\mathsf T}$ times a
#    vector.
# 2. *It converges for $0 < \beta < 2/\mu_{\max}$*, with $\mu_{\max}$ the largest eigenvalue of
#    $MM^{\mathsf T} = AWA^{\mathsf T}$: on the range of $M^{\mathsf T}$, all eigenvalues of
#    $I-\beta M^{\mathsf T}M$ lie strictly between $-1$ and $1$.
# 3. *The limit solves $M^{\mathsf T}(M\theta-r)=0$ and lies in the range of $M^{\mathsf T}$.* There is only one such
#    $\theta$: the least-squares solution of least norm, $\theta_\infty = M^{+}r$.
# 4. *$M^{+} = M^{\mathsf T}(MM^{\mathsf T})^{+}$* for every matrix (insert the singular value decomposition). Multiply
#    by $J$:
#
# $$z_\infty = z_0 + WA^{\mathsf T}\,(AWA^{\mathsf T})^{+}\,(y-Az_0) .$$
#
# With $z_0 = 0$: $\;z_\infty = WA^{\mathsf T}(AWA^{\mathsf T})^{+}y$. In the same way, after $t$ steps each eigenvalue
# $\mu$ of $AWA^{\mathsf T}$ has let through the share $1-(1-\beta\mu)^t$ of its mode: this is exercise 2 again, with a
# different matrix.
#
# **Two minutes.** Take $A = I$ and an invertible $W$. What is $z_\infty$? And for $W = I$ and a mask as $A$? ($y$; and
# $z_0$ with the known entries of $y$ put in.)
#
# ### Exercise 3: write the limit
#
# Return the limit for $z_0 = 0$. `W` (n, n), `A` (p, n) and `y` (p,) are in double precision. $AWA^{\mathsf T}$ may be
# singular, and rounding then turns zeros into tiny eigenvalues, so call `torch.linalg.pinv` with
# `hermitian=True, rtol=1e-12`.


# %% tags=["exercise"]
def my_limit(W, A, y):
    # blank: return ...
    return W @ A.T @ torch.linalg.pinv(A @ W @ A.T, hermitian=True, rtol=1e-12) @ y
    # end


check("spectral.limit", my_limit)

# %% [markdown]
# Is it true? Take a signal of 32 numbers, 7 Fourier samples of it (frequency 0 gives one number, every other frequency
# a cosine and a sine), and a linear model with a random $J$. Compare gradient descent in the weights with the formula.

# %%
n = 32
A = fourier_rows(n, [0, 1, 2, 6])  # (7, n), orthonormal rows
generator = torch.Generator().manual_seed(0)
J = torch.randn((n, 50), generator=generator, dtype=torch.float64)
x1 = torch.randn(n, generator=generator, dtype=torch.float64)  # the truth
W, y = J @ J.T, A @ x1
beta = 1.0 / float(torch.linalg.eigvalsh(A @ W @ A.T)[-1])

theta, path = torch.zeros(50, dtype=torch.float64), []
for _ in range(2001):
    z = J @ theta
    path.append(z)
    theta = theta - beta * J.T @ A.T @ (A @ z - y)


def distance(a, b):
    """||a - b|| / ||b||."""
    return float((a - b).norm() / b.norm())


# %% tags=["nbval-check-output"]
claim(distance(path[-1], limit(W, A, y)) < 1e-8, "2000 steps of descent end at the limit, within 1e-8", needs="smoke")
claim(
    distance(path[40], trajectory(W, A, y, beta, [40])[0]) < 1e-10,
    "and after 40 steps they are where 1 - (1 - beta mu)^40 says, within 1e-10",
    needs="smoke",
)

# %% [markdown]
# ## Which images come back?
#
# Let $y = Ax$ and $z_0 = 0$. **$z_\infty = x$ if and only if $x$ lies in the range of $WA^{\mathsf T}$.**
#
# - *Only if*: by the formula, $z_\infty$ is $WA^{\mathsf T}$ times something.
# - *If*: let $x = WA^{\mathsf T}v$. Then
#   $z_\infty = WA^{\mathsf T}(AWA^{\mathsf T})^{+}(AWA^{\mathsf T})\,v = WA^{\mathsf T}Pv$, where $P$ projects onto the
#   range of $AWA^{\mathsf T}$. What $P$ takes away from $v$ lies in the null space of
#   $AWA^{\mathsf T} = MM^{\mathsf T}$, which is the null space of $M^{\mathsf T} = J^{\mathsf T}A^{\mathsf T}$ (since
#   $\|M^{\mathsf T}u\|^2 = u^{\mathsf T}MM^{\mathsf T}u$). But $WA^{\mathsf T} = J\,(J^{\mathsf T}A^{\mathsf T})$ maps
#   this null space to 0. So $WA^{\mathsf T}Pv = WA^{\mathsf T}v = x$.
#
# The range has at most $p$ dimensions, one for each sample. Every other image comes back wrong.

# %%
inside = W @ A.T @ torch.randn(len(A), generator=generator, dtype=torch.float64)
basis = torch.linalg.qr(W @ A.T).Q  # (n, p): orthonormal basis of the range
outside = float((x1 - basis @ (basis.T @ x1)).norm() / x1.norm())
for name, signal in {"inside the range": inside, "at random": x1}.items():
    print(f"signal {name}: relative error of the limit {distance(limit(W, A, A @ signal), signal):.1e}")
print(f"of the random signal, {outside:.0%} (by norm) lie outside the range")

# %% tags=["nbval-check-output"]
claim(distance(limit(W, A, A @ inside), inside) < 1e-8, "a signal in the range comes back, within 1e-8", needs="smoke")
claim(
    distance(limit(W, A, A @ x1), x1) > outside > 0.5,
    "a random one does not: its error is at least its part outside the range",
    needs="smoke",
)

# %% [markdown]
# ### Exercise 4: a kernel for one image
#
# Return a kernel $W$, symmetric and without negative eigenvalues, under which **your** signal $x$ comes back exactly
# from a few Fourier samples, whatever the other frequencies are. (One of the frequencies is 0, and the mean of $x$ is
# not 0.)


# %% tags=["exercise"]
def my_kernel(x):
    # blank: return ...
    return torch.outer(x, x)
    # end


check("spectral.kernel", my_kernel)

# %% [markdown]
# This is perfect reconstruction from seven samples of thirty-two! Before you publish it, show the kernel another
# signal.

# %%
square = square_wave.square_wave(n)
ramp = torch.linspace(0, 1, n, dtype=torch.float64)
made_for_square = torch.outer(square, square)
figure = Figure(figsize=(7.2, 2.8), layout="constrained")
shown = {"square wave": square, "ramp": ramp}
for axis, (title, signal) in zip(figure.subplots(1, 2, sharey=True), shown.items(), strict=True):
    axis.plot(signal, color="0.6", linewidth=3, label="truth")
    axis.plot(limit(made_for_square, A, A @ signal), "k-", linewidth=1, label="z$_\\infty$")
    axis.set(title=f"samples of the {title}", xlabel="sample", ylabel="amplitude")
    axis.legend()
show(
    figure,
    alt="""Two panels. From samples of the square wave the kernel gives the square wave. From samples of a ramp it
        also gives a square wave.""",
)

# %% tags=["nbval-check-output"]
answer = limit(made_for_square, A, A @ ramp)
claim(
    distance(answer, square * (answer @ square) / (square @ square)) < 1e-10 and distance(answer, ramp) > 0.3,
    "from samples of the ramp it draws a multiple of the square wave, within 1e-10, and that is more than 30 % off",
    needs="smoke",
)

# %% [markdown]
# Now modify it, so that the kernel is made for both signals. Predict which value of `mix` gives which error, then run.

# %%
mix = 0.1  # <- your turn: 0, 0.001, 1, 100

for_both = torch.outer(square, square) + mix * torch.outer(ramp, ramp)
third = torch.sin(torch.linspace(0, 7, n, dtype=torch.float64))
for name, signal in {"square wave": square, "ramp": ramp, "a third signal": third}.items():
    print(f"{name:>14}: relative error {distance(limit(for_both, A, A @ signal), signal):.1e}")
if mix == 0.1:
    found_both = max(distance(limit(for_both, A, A @ signal), signal) for signal in (square, ramp))
    claim(found_both < 1e-6, "both come back, within 1e-6", needs="smoke")

# %% [markdown]
# Without noise the weights of the two signals do not matter, as long as they are not 0, because the range of
# $WA^{\mathsf T}$ stays the same. They affect only *when* each part arrives: even with noise in the samples the limit
# is the same for every `mix` > 0, namely the combination of the two signals that fits the samples best.
#
# **A kernel recovers the images that it was made for, and draws them into others.** That is what a prior is. A network
# with random weights is also a prior; the question is what its $W$ was made for.

# %% [markdown]
# ## What fills the null space
#
# Where $AWA^{\mathsf T}$ is invertible, $Az_\infty = y$: the data are fitted exactly, including their noise. If they
# have no noise, the whole error lies in the null space of $A$. What is there? With orthonormal rows
# ($AA^{\mathsf T}=I$) the projector onto the null space is $I-A^{\mathsf T}A$, and
#
# $$(I-A^{\mathsf T}A)\,z_\infty = (I-A^{\mathsf T}A)\,WA^{\mathsf T}(AWA^{\mathsf T})^{-1}y .$$
#
# This is **interpolation**: of all $z$ in the range of $W$ with $Az = y$, the limit is the one with the least
# $z^{\mathsf T}W^{+}z$. (In terms of the weights, it is the one with the least $\|\theta\|$. "In the range" matters
# where $W$ is singular: no weights of the linear model make a $z$ outside the range.)
#
# When is it zero? Suppose $W$ commutes with $A^{\mathsf T}A$. Then
#
# $$WA^{\mathsf T} = WA^{\mathsf T}AA^{\mathsf T} = A^{\mathsf T}A\,WA^{\mathsf T},$$
#
# because $AA^{\mathsf T}=I$ and because they commute. So all of $WA^{\mathsf T}$, and with it $z_\infty$, lies in the
# range of $A^{\mathsf T}$. The only signal there with $Az = y$ is $A^{\mathsf T}y$, the **zero-filled** one. A
# commuting kernel fills in nothing.
#
# Which kernels commute? Sampling in Fourier space is diagonal in the Fourier basis. So are circulant matrices, the
# convolutions. A convolutional network treats all places alike. If its input is noise of many channels, all places also
# look alike to it, and its kernel comes closer to a circulant one. Two more things keep it away: its width is finite,
# and it sees the ends of the signal, where it pads with zeros. To tell these two apart, the last rows of the table have
# a larger width, and circular padding, which joins the ends. `commutator` measures
# $\|WA^{\mathsf T}A-A^{\mathsf T}AW\|/\|W\|$:

# %%
signal = square_wave.square_wave(n).roll(3)


def describe(kernel):
    """(commutator, part of the limit in null(A) as a share of the signal, relative error of the limit)."""
    z = limit(kernel, A, A @ signal)
    filled = z - A.T @ (A @ z)
    return commutator(kernel, A), float(filled.norm() / signal.norm()), distance(z, signal)


first = torch.fft.irfft(0.1 + torch.rand(n // 2 + 1, generator=generator, dtype=torch.float64), n=n)
circulant = torch.stack([first.roll(shift) for shift in range(n)])
rows = {"circulant": [describe(circulant)], "random J": [describe(W)]}
for channels, width, padding in ((1, 32, "zeros"), (16, 32, "zeros"), (256, 32, "zeros"), (256, 32, "circular"),
                                 (256, 128, "zeros"), (256, 128, "circular")):
    name = f"CNN, {channels} noise channels, width {width}, {padding}"
    rows[name] = []
    for draw in range(5):
        generator = torch.Generator().manual_seed(draw)
        net = conv_net(width=width, layers=3, c_in=channels, generator=generator)
        for convolution in net[::2]:
            convolution.padding_mode = padding
        z_in = torch.randn((1, channels, n), generator=generator, dtype=torch.float64)
        rows[name].append(describe(ntk_matrix(*as_function(net), z_in)))
mean = {name: torch.tensor(found).mean(dim=0).tolist() for name, found in rows.items()}
for name, (commuting, filled, error) in mean.items():
    print(f"{name:>43}: commutator {commuting:.3f}, filled into null(A) {filled:.3f}, error {error:.3f}"
          + (" (means over 5 draws)" if name.startswith("CNN") else ""))
zero_filled_error = distance(A.T @ (A @ signal), signal)
print(f"{'zero-filled':>43}: error {zero_filled_error:.3f}")

# %%
one, many, joined, wider, both = (mean[f"CNN, {kind}"] for kind in (
    "1 noise channels, width 32, zeros", "256 noise channels, width 32, zeros",
    "256 noise channels, width 32, circular", "256 noise channels, width 128, zeros",
    "256 noise channels, width 128, circular"))
claim(max(rows["circulant"][0][:2]) < 1e-8, "a circulant kernel puts nothing into null(A), within 1e-8", needs="smoke")
claim(one[0] > 1.2 * many[0], "1 noise channel: the mean commutator is more than 1.2 times that of 256", needs="smoke")
claim(one[1] > 2 * many[1], "and the part filled into null(A) more than twice as large", needs="smoke")
claim(min(one[2], many[2]) > zero_filled_error, "both are farther from the truth than the zero-filled signal", "smoke")
claim(
    both[0] < min(joined[0], wider[0]) and max(joined[0], wider[0]) < many[0],
    "256 channels: circular padding and a larger width each lower the commutator, and both together most",
    needs="smoke",
)
claim(wider[0] < joined[0], "the larger width lowers it more than circular padding does", needs="smoke")

# %% [markdown]
# So the ends are the smaller part: at width 32 most of the commutator remains even where there are no ends.
#
# Read the last column with care. It is easy to fill **something** into the null space; it is hard to fill in the right
# thing. At width 32 the CNN's kernel would do better to leave it empty, and at width 128 what it fills in gains
# nothing.

# %% [markdown]
# ## Deep Decoder against a wide CNN
#
# The Deep Decoder of Heckel and Hand has no convolution wider than a single pixel. Each layer mixes channels, upsamples
# linearly by two, sets negative values to zero and normalises each channel:
#
# $$B_{i+1} = \operatorname{cn}\bigl(\operatorname{relu}(U_iB_iC_i)\bigr),\qquad \text{signal} = B_dC_d .$$
#
# Only $U_i$ couples neighbours. A wide CNN, in contrast, has no coarse grid at all. `square_wave.measure` gives both
# networks the same Fourier samples of a square wave, and asks three questions for each. Where does the **frozen
# kernel** lead (by the formula above)? Where does **gradient descent** on the real network lead (with its initial
# output $f_0$ subtracted, so that $z_0=0$ for both)? And where does **Adam** lead, as used in practice, with $f_0$
# kept? Descent and Adam then differ in two things. So with `starts` we also ask all three questions with the other
# choice of $f_0$.

# %%
g1_size = dict(
    n=pick(smoke=32, laptop=64, paper=128), width=pick(smoke=8, laptop=32, paper=128),
    channels=pick(smoke=8, laptop=32, paper=64), layers=pick(smoke=2, laptop=4, paper=5),
    steps=pick(smoke=20, laptop=1000, paper=3000), every=10, seeds=1, starts=True,
)
g1_live, g1_spectra = square_wave.measure(**g1_size)
show(
    square_wave.figure(g1_live, g1_spectra),
    alt="""Above: the Deep Decoder's reconstruction, close to the square wave, and the wide CNN's, which swings
        about it; RMSE against steps. Below: spectra of the left singular vectors of both kernels, and their
        singular values, which fall much more steeply for the Deep Decoder.""",
)


def table(result):
    """Means over the seeds: RMSE at the end for kernel, descent and Adam; how far descent left the kernel's path."""
    print(f"zero-filled: RMSE {sum(result['zero_filled']) / len(result['zero_filled']):.3f}")
    print(f"{'':>14}  {'kernel limit':>12} {'descent':>9} {'Adam':>7}   {'lazy':>5} {'weights':>8}")
    rows = {}
    for name, title in square_wave.NETWORKS.items():
        one = result["networks"][name]
        ends = {kind: [curve[-1] for curve in one[kind]] for kind in ("descent", "adam")}
        columns = dict(limit=one["limit"], **ends, lazy=one["lazy"])
        rows[name] = {key: sum(values) / len(values) for key, values in columns.items()}
        print(f"{title:>14}: {rows[name]['limit']:>12.3f} {rows[name]['descent']:>9.3f} {rows[name]['adam']:>7.3f}   "
              f"{rows[name]['lazy']:>5.2f} {one['weights'][0]:>8}")
    return rows


live_rows = table(g1_live)
zero_filled = g1_live["zero_filled"][0]

# %%
started = {}
print(f"{'RMSE at the end':>17}  {'kernel limit':>12} {'descent':>9} {'Adam':>7}")
for name, title in square_wave.NETWORKS.items():
    one = g1_live["networks"][name]
    started[name] = dict(kept=[one["limit_kept"][0], one["descent_kept"][0][-1], one["adam"][0][-1]],
                         subtracted=[one["limit"][0], one["descent"][0][-1], one["adam_subtracted"][0][-1]])
    print(f"{title:>17}")
    for way, (of_limit, of_descent, of_adam) in started[name].items():
        print(f"{'f_0 ' + way:>17}  {of_limit:>12.3f} {of_descent:>9.3f} {of_adam:>7.3f}")

# %%
deep, wide = live_rows["decoder"], live_rows["cnn"]
claim(deep["adam"] < zero_filled < wide["adam"], "Adam: Deep Decoder better, CNN worse than zero-filled")
claim(min(deep["limit"], wide["limit"]) > zero_filled, "frozen kernels: both limits worse than zero-filled")
claim(min(deep["lazy"], wide["lazy"]) > 0.1, "both: descent leaves the kernel's path by more than 0.1 of the norm")
claim(started["decoder"]["subtracted"][2] > zero_filled, "Deep Decoder, Adam, f_0 subtracted: worse than zero-filled")
claim(min(started["decoder"]["kept"][:2]) > zero_filled, "Deep Decoder, f_0 kept: so are kernel limit and descent")
claim(min(error for way in started["cnn"].values() for error in way) > zero_filled, "CNN: so are all six ends")

# %% [markdown]
# `lazy` is the largest distance between the real gradient descent and the path that the frozen kernel predicts, as a
# share of the signal's norm. If the theory were exact, it would be 0.
#
# - **In practice the Deep Decoder wins**: with Adam, from its own start. The CNN fills the gaps with the wrong waves.
# - **The spectra show the bias.** The Deep Decoder's leading singular vectors are low frequencies (except for frequency
#   0, the mean, which in the figure stands only at 20), and its singular values fall steeply; the CNN's vectors
#   mix frequencies, and its values fall slowly.
# - **The frozen kernel does not explain the success.** With their kernels frozen, *both* networks would end farther
#   from the truth than the zero-filled signal, with $f_0$ and without it. Plain descent leaves the predicted path: the
#   kernel changes while the network learns. Our formula says exactly where a frozen kernel leads. It does not say that
#   the kernel of a network of usual size stays frozen.
# - **The architecture alone does not explain it either.** If you subtract the Deep Decoder's $f_0$, Adam ends farther
#   from the truth than the zero-filled signal. If you keep $f_0$ but use plain descent, the same happens within these
#   steps (one seed).
#
# ### Stored: longer signals, wider networks, three seeds (stretch)

# %% tags=["stored-result"]
g1 = experiment("G1")
show(
    square_wave.figure(g1, stored("G1.npz")),
    alt="""As above, for longer signals: the Deep Decoder's reconstruction follows the square wave more closely than
        the wide CNN's; RMSE curves; spectra and singular values of the two kernels.""",
)
stored_rows, nothing_filled = table(g1), sum(g1["zero_filled"]) / len(g1["zero_filled"])
deep, wide = stored_rows["decoder"], stored_rows["cnn"]
claim(deep["adam"] < nothing_filled < wide["adam"], "stored: Adam, Deep Decoder better, CNN worse than zero-filled",
      needs="smoke")
claim(min(deep["limit"], wide["limit"]) > nothing_filled, "stored: both limits worse than zero-filled", "smoke")
claim(min(deep["lazy"], wide["lazy"]) > 0.1, "stored: descent leaves the path by more than 0.1", "smoke")

# %% [markdown]
# ## Self-Guided DIP: learn the input as well
#
# Lesson 03 showed that an input that contains the image helps, and that nobody has one. Self-Guided DIP lets descent
# find it. Weights $\phi$ **and** input $z$ are the variables of
#
# $$\min_{\phi,\,z}\ \bigl\|A\,\mathbb E_\eta f_\phi(z+\eta)-y\bigr\|^2
# + \alpha\,\bigl\|\mathbb E_\eta f_\phi(z+\eta)-z\bigr\|^2 .$$
#
# $\eta$ is fresh uniform noise in each step, and $\mathbb E_\eta$ is approximated by a mean over three draws. The
# second term asks the network to return $z$ from noisy copies of $z$: the network becomes a **denoiser** of the one
# image that it sees. In the language of this lesson, the kernel $W$ depends on $z$, so learning $z$ changes the prior.
#
# ### Exercise 5: the loss
#
# `etas` is a list of draws; `A` and `f` are functions. Return the loss as a number (real tensors, so that $\|u\|^2$ is
# `u.square().sum()`).


# %% tags=["exercise"]
def my_guided_loss(f, A, y, z, etas, alpha):
    # blank: return ...
    output = sum(f(z + eta) for eta in etas) / len(etas)
    return (A(output) - y).square().sum() + alpha * (output - z).square().sum()
    # end


check("spectral.guided", my_guided_loss)

# %% [markdown]
# A short run. Watch the input.

# %%
short, pictures = learned_input.measure(
    size=size, steps=pick(smoke=4, laptop=150, paper=1000), lr=1e-3, every=pick(smoke=1, laptop=5, paper=10),
    snapshots=pick(smoke=(0, 4), laptop=(0, 5, 20, 50, 150), paper=(0, 10, 100, 1000)),
)
show(
    learned_input.figure(short, pictures),
    alt="""Above: the magnitude of the input at growing steps, from noise to a coarse brain, beside the truth. Below:
        PSNR of input, output and moving average against the step; input and output rise together.""",
)
print(f"PSNR of the input: {short['snapshots'][0]['psnr']:.2f} dB at the start, {short['input'][-1]:.2f} dB at the end")
print(f"PSNR of the output {short['output'][-1]:.2f} dB, of the moving average {short['average'][-1]:.2f} dB")

# %%
claim(short["input"][-1] > short["snapshots"][0]["psnr"] + 3, "the input gains more than 3 dB")

# %% tags=["stored-result"]
g4 = experiment("G4")
show(
    learned_input.figure(g4, stored("G4.npz")),
    alt="""Above: the magnitude of the learned input at growing steps beside the truth: noise turns into the brain.
        Below: PSNR of input, output and moving average against the step, and the loss.""",
)
claim(g4["input"][-1] > g4["snapshots"][0]["psnr"] + 5, "stored: the input gains more than 5 dB", needs="smoke")

# %% [markdown]
# ### What the second term does
#
# The stored experiment G3 runs the same scan with four weights $\alpha$. With $\alpha = 0$ the input is free.

# %% tags=["stored-result"]
g3 = experiment("G3")
show(
    guidance.figure(g3),
    alt="""Left: PSNR of the moving average and of the raw output against the step for four weights alpha. Right:
        the distance between input and output, which is smaller for larger alpha.""",
)
for run in g3["runs"]:
    step, best = run["best"]
    print(f"alpha {run['alpha']:g}: average {run['psnr'][-1]:.2f} dB at the end, best {best:.2f} dB at step {step};"
          f" squared distance of input and output at the end {run['gap'][-1]:.3g}")
free, *_, strongest = g3["runs"]
claim(strongest["gap"][-1] < free["gap"][-1], "stored: input and output are closer with the largest alpha", "smoke")

# %% [markdown]
# With $\alpha = 0$ input and output drift far apart; a larger $\alpha$ keeps them closer. Of these four runs, one for
# each weight, that with $\alpha$ = 0.5 ends highest and that with 8 lowest. None had begun to fall, so whether $\alpha$
# delays overfitting is undecided. (The moving average is that of lesson 02.)
#
# ## What went wrong: high frequencies first?
#
# A student reports the opposite of this lesson: "DIP learns high frequencies first, and the low ones never". Here is
# the code. It measures the very images of our run, it runs without an error, and its bands divide k-space without
# overlap. Find the mistake before you read on.

# %%
wrong = {name: [] for name in rings}
for image in images:
    k_image = torch.fft.fft2(image, norm="ortho")[0, 0]
    k_truth = torch.fft.fft2(x, norm="ortho")[0, 0]
    for name, ring in rings.items():
        wrong[name].append(float((k_image - k_truth)[ring].norm() / k_truth[ring].norm()))
show(
    draw_bands(wrong, "the student's figure"),
    alt="""The same axes. Now the curve called high falls first and deepest, while the curve called low never gets
        below 1 and climbs at the end.""",
)
for name, errors in wrong.items():
    print(f"{name:>4}: below 0.8 at step {first_below(errors, 0.8)}, least error {min(errors):.2f}")

# %%
claim(min(wrong["high"]) < min(wrong["low"]), "the student's high band ends below the student's low band")

# %% [markdown]
# `fft2` puts the zero frequency into the **corner** of the array, but the rings are drawn around its **centre**. So
# "low" selects the highest frequencies, and "high" contains everything outside the inner rings, including the true low
# frequencies. `fftshift` (and `ifftshift` before the transform, because the image is centred as well) corrects this,
# and `Fourier` does just that. Two tests would have found the mistake: the band called low must contain most of the
# energy of a photograph or a slice, and a constant image must lie entirely in it.

# %% tags=["nbval-check-output"]
constant = torch.ones_like(x)
held = {name: float(F(constant)[0, 0][ring].norm() / constant.norm()) for name, ring in rings.items()}
claim(held["low"] > 1 - 1e-5, "with Fourier, a constant image lies in the low band, within 1e-5", needs="smoke")
unshifted = torch.fft.fft2(constant, norm="ortho")[0, 0][rings["low"]].norm() / constant.norm()
claim(float(unshifted) < 1e-5, "with fft2 alone, no part of it does, within 1e-5", needs="smoke")

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the answers.

# %%
from aseqdip_lite.course import quiz

quiz("05")

# %% [markdown]
# ## What you can now say
#
# Take out your predictions.
#
# 1. Coarse shapes first. The high band is hardly learned at all: its error is never below 0.85, and an empty band has
#    the error 1.
# 2. Neither zero nor noise: the kernel interpolates. This is zero-filling only if the kernel commutes with the
#    sampling, and it is right only for images in the range of $WA^{\mathsf T}$.
# 3. The Deep Decoder, when trained by Adam from its own start. Its frozen kernel alone does not achieve this.
# 4. Like the image, when the second term is at work: input and output approach each other. At $\alpha = 0$ they stay
#    far apart.
#
# - You can measure spectral bias by bands, and you check that the band called low contains most of the energy.
# - You can derive $z_\infty = WA^{\mathsf T}(AWA^{\mathsf T})^{+}y$ and say which images come back, and why all others
#   do not.
# - You can say what a theory with a frozen kernel explains (the order of the bands, interpolation) and what it does not
#   (how good a trained network is), and you ask for the measured distance between the two.
#
# ## References
#
# - S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Analysis of Deep Image Prior and Exploiting Self-Guidance for
#   Image Reconstruction.* arXiv:2402.04097, 2024. Theorem 1, Figures 1 to 4.
# - R. Heckel, P. Hand. *Deep Decoder: Concise image representations from untrained non-convolutional networks.*
#   ICLR 2019, arXiv:1810.03982.
# - A. Jacot, F. Gabriel, C. Hongler. *Neural tangent kernel: convergence and generalization in neural networks.*
#   NeurIPS 2018, arXiv:1806.07572.
# - N. Rahaman et al. *On the spectral bias of neural networks.* ICML 2019, arXiv:1806.08734.
# - P. Chakrabarty, S. Maji. *The spectral bias of the Deep Image Prior.* NeurIPS workshop 2019, arXiv:1912.08905.
# - D. Ulyanov, A. Vedaldi, V. Lempitsky. *Deep Image Prior.* CVPR 2018, doi 10.1109/CVPR.2018.00984.
# - C. J. Holmes et al. *Enhancement of MR images using registration for signal averaging.* J. Comput. Assist. Tomogr.
#   22, 1998 (Colin27), doi 10.1097/00004728-199803000-00032.
