# ---
# jupyter:
#   minutes: 1
# ---

# %% [markdown]
# # Semiconvergence: why gradient descent has to stop
#
# {colab}
#
# **After this lesson you can**
#
# - read from the singular values of an $A$ what is lost and what arrives faintly;
# - predict by which factor an inverse amplifies noise;
# - derive why gradient descent first improves an image and then spoils it, and stop it in time;
# - compute the expected error of any filter on the singular values;
# - name the three choices that a regulariser makes.
#
# **You need** lesson 01 (the five tasks, the adjoint, the null space) and the singular value decomposition.
#
# **Time** about {minutes} min to run in the `laptop` profile on one CPU thread (measured). No network is trained,
# and no GPU is used. To work through it, take 75 minutes; without the sections marked *stretch*, 60.
#
# **Data** Colin27 (Holmes et al. 1998; BSD-3-Clause), CT slices that come with pydicom (MIT), pictures that come with
# scikit-image (NASA's portrait: public domain; the cat: CC0). Measurements are simulated. Code BSD-3-Clause, text CC
# BY 4.0. **For teaching, not for diagnosis.**

# %%
import math
from itertools import islice

import matplotlib
import torch
from matplotlib.figure import Figure

from aseqdip_lite import LinearOperator, load_case, metrics
from aseqdip_lite.course import banner, check, claim, drawings, pick, show
from aseqdip_lite.course.theory.linear import (
    Jacobian,
    five_tasks,
    gallery,
    image_of,
    in_double,
    matrix_of,
    noise_share,
    small_tasks,
)
from aseqdip_lite.run.plots import plot_images

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(
    drawings.semiconvergence(),
    alt="""Left, a plane whose axes are pixel 1 and pixel 2, with narrow ellipses that slope down to the right. A line
        of dots starts at 0, rises to the long axis of the ellipses, turns, runs along it past a star, the truth, and
        ends at a cross, the naive inverse, well beyond the star. A square marks the dot nearest to the star, k = 38.
        Right, against the number of steps: the error of the image falls as far as the square and rises again, while
        the residual of the data keeps falling.""",
)

# %% [markdown]
# **Two pixels and two noisy measurements.** $A$ measures the sum of the pixels well and their difference faintly. On
# each gray ellipse $\|Ax-y\|$ is constant. Gradient descent finds the sum in a few steps. Then it creeps along the
# faint direction, passes the truth, and ends where the noise pulls it. The residual falls at every step, but the error
# does not.

# %% [markdown]
# ## Predict first
#
# Write your guesses down; the last section asks for them again.
#
# 1. A small CT scan sends 458 rays through 448 unknown pixels, and the data have 1 % noise. How large is the error of
#    the image that fits the data best: about 1 %, about 10 %, or more?
# 2. Gradient descent makes $\|Ax - y\|$ smaller at every step. Does the image also get better at every step, in each
#    of the five tasks?
# 3. You may stop early, but you do not know the truth. What could tell you when to stop?

# %%
size = pick(smoke=64, laptop=128, paper=256)
motion = pick(smoke=6.0, laptop=10.0, paper=20.0)
cases = five_tasks(size, views=pick(smoke=18, laptop=30, paper=60), motion=motion)
operators = {name: case.observation.A.to(double=True) for name, case in cases.items()}
data = {name: in_double(case.observation.y) for name, case in cases.items()}
small_cases = small_tasks()
small = {name: case.observation.A.to(double=True) for name, case in small_cases.items()}

# %% [markdown]
# ## Singular values: between seen and unseen
#
# The SVD $A = \sum_i s_i\,u_iv_i^H$ measures how strongly each direction is seen: the pattern $v_i$ arrives in the data
# as $s_iu_i$. If $s_i = 0$ it is lost, and if $s_i = 1$ it arrives as it is. Here are **all** singular values at 24 x
# 24 pixels; for the camera, they are those of $J(x)$ at the truth.

# %%
small_truth = image_of(small_cases["deblurring"], torch.zeros(1, dtype=torch.float64))
matrices = {n: matrix_of(A) for n, A in small.items() if n != "deblurring"}
matrices["deblurring"] = matrix_of(Jacobian(small["deblurring"], small_truth).H).mH
spectra = {}
for name, B in matrices.items():
    values = torch.linalg.svdvals(B)
    spectra[name] = torch.cat([values, values.new_zeros(B.shape[1] - len(values))])
spectra["deblurring"] = torch.linalg.svdvals(matrices["deblurring"])

# %%
figure = Figure(figsize=(6.6, 3.4), layout="constrained")
axis = figure.subplots()
styles = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
for (name, values), style in zip(spectra.items(), styles, strict=True):
    axis.semilogy(values.clamp(min=1e-9), linestyle=style, linewidth=1.8, label=name)
axis.set(xlabel="index", ylabel="singular value (floor: 1e-9)", title="24 x 24 pixels")
axis.grid(alpha=0.3)
axis.legend()
show(
    figure,
    alt="""Singular values of five tasks on a logarithmic axis. Denoising: all are 1. In-painting and
        MRI: 1, then a drop to the floor. CT: a slope over six decades, then a drop. Deblurring:
        a slope that ends in a steep fall.""",
)
for name, values in spectra.items():
    counts = [int((values > least).sum()) for least in (0.1, 1e-3, 1e-7)]
    print(
        f"{name:>12}: of {len(values)} singular values {counts[0]} are above 0.1, "
        f"{counts[1]} above 1e-3, {counts[2]} above 1e-7"
    )
B = matrices["CT"]
pixels, hits = int((B != 0).any(dim=0).sum()), int((B != 0).any(dim=1).sum())
print(f"CT: {hits} rays meet the {pixels} pixels of the field of view")

# %% tags=["nbval-check-output"]
rank = int((spectra["CT"] > 1e-7).sum())
claim(hits > pixels > rank, "CT: more rays than pixels, yet fewer directions seen than pixels", needs="smoke")
for name in ("MRI", "in-painting"):
    values = spectra[name]
    claim(
        ((values - values.round()).abs() < 1e-9).all(),
        f"{name}: all singular values are 0 or 1 within 1e-9",
        needs="smoke",
    )
claim(
    spectra["deblurring"][-1] < 1e-6 * spectra["deblurring"][0],
    "deblurring: the smallest singular value is less than 1e-6 of the largest",
    needs="smoke",
)

# %% [markdown]
# We see three kinds of trouble. In denoising nothing is lost, but the noise stays. In MRI with one coil and in
# in-painting, some directions are lost and the others arrive unharmed. In deblurring and CT, directions arrive fainter
# and fainter, and CT loses some altogether. The last kind is the most treacherous, because on paper each faint
# direction can be inverted.
#
# **Two minutes.** A direction has $s = 0.01$, and the noise is 1 % of the strongest direction's signal. Divide by $s$.
# How large is the noise in this direction now, relative to that signal?
#
# ## The naive inverse, and why it fails
#
# Put $y = Ax + n$ into the pseudo-inverse, direction by direction:
#
# $$A^+y = \sum_{s_i > 0} \frac{\langle u_i, y\rangle}{s_i}\,v_i
# = \sum_{s_i > 0} \Bigl(\langle v_i, x\rangle + \frac{\langle u_i, n\rangle}{s_i}\Bigr)\,v_i ,$$
#
# since $\langle u_i, Ax\rangle = \langle A^Hu_i, x\rangle = s_i\,\langle v_i, x\rangle$. The part of $x$ that is seen
# comes back exactly. But a direction that arrived faintly is amplified, and its noise with it. Let $n$ be real and
# white with standard deviation $\sigma$. Then each $\langle u_i, n\rangle$ has variance $\sigma^2$, because the $u_i$
# are unit vectors. The $v_i$ are orthonormal, so
#
# $$\mathbb E\,\|A^+y - A^+Ax\|^2 = \sigma^2\sum_{s_i > 0}\frac1{s_i^2} .$$
#
# (Complex noise with standard deviation $\sigma$ in its real and in its imaginary part, as in MRI, has $2\sigma^2$
# instead of $\sigma^2$.)
#
# We look at two problems, both of them real-valued: a blurred signal of 64 points, and the CT scan of 24 x 24 pixels.
# The noise is 1 % of the data (root mean square).


# %%
def decompose(B):
    """(U, s, V^H) of a matrix, without the directions that it does not see."""
    U, s, Vh = torch.linalg.svd(B, full_matrices=False)
    seen = s > 1e-7 * s[0]
    return U[:, seen], s[seen], Vh[seen]


def gaussian_blur(n, width):
    """The matrix (n, n) that replaces each point by a Gaussian mean of its neighbours."""
    i = torch.arange(n, dtype=torch.float64)
    return torch.exp(-(i[:, None] - i) ** 2 / (2 * width**2)) / (width * math.sqrt(2 * math.pi))


def noisy(B, x, seed, level=0.01):
    """y = B x + n and the standard deviation of n: `level` of the root mean square of B x where it is not 0."""
    clean = B @ x
    sigma = level * float(clean.norm()) / int((clean != 0).sum()) ** 0.5
    generator = torch.Generator().manual_seed(seed)
    return clean + sigma * torch.randn(clean.shape, generator=generator, dtype=clean.dtype), sigma


point = torch.arange(64)
signal = ((point > 12) & (point < 22)).double() + 0.6 * ((point >= 30) & (point < 50)) * (point - 30) / 20
signal = signal + 0.8 * ((point > 54) & (point < 58))
slice24 = torch.from_numpy(small_cases["CT"].truth).double().flatten()
toys = {"blur": (gaussian_blur(64, 1.5), signal), "CT": (matrices["CT"], slice24)}
parts = {name: decompose(B) for name, (B, _) in toys.items()}
draws = {name: noisy(B, x, seed=0) for name, (B, x) in toys.items()}

# %%
inverted = {}
for name, (B, x) in toys.items():
    (U, s, Vh), (y, sigma) = parts[name], draws[name]
    inverted[name] = Vh.T @ (U.T @ y / s)
    exact = Vh.T @ (U.T @ (B @ x) / s)
    without, with_noise = (float((z - x).norm() / x.norm()) for z in (exact, inverted[name]))
    formula = sigma * float((1 / s**2).sum()) ** 0.5 / float(x.norm())
    n = sigma * torch.randn(4000, len(B), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    mean = float((n @ U / s).square().sum(dim=1).mean()) ** 0.5 / float(x.norm())  # A^+ n of 4000 draws
    print(f"{name:>5}: smallest singular value {float(s[-1]):.0e}")
    print(f"       error of the inverse: {without:.1%} without noise, {with_noise:.0%} with 1 % noise")
    print(f"       root mean square over 4000 draws of the noise: {mean:.0%}, by the formula {formula:.0%}")
    claim(without < 0.05, f"{name}: without noise the error is below 5 %", needs="smoke")
    claim(with_noise > 10, f"{name}: 1 % of noise leads to an error above 1000 %", needs="smoke")
    claim(abs(mean / formula - 1) < 0.1, f"{name}: the mean over draws is within 10 % of the formula", needs="smoke")

# %% [markdown]
# The formula gives a mean. A single draw may lie far from it, because the few smallest singular values dominate the
# sum.

# %%
figure = Figure(figsize=(9.0, 3.2), layout="constrained")
axes = figure.subplots(1, 2)
for axis, (name, (U, s, _)) in zip(axes, parts.items(), strict=True):
    y, sigma = draws[name]
    axis.semilogy(s, "-", label="singular value $s_i$")
    axis.semilogy((U.T @ y).abs(), ".", markersize=3, label=r"data $|\langle u_i, y\rangle|$")
    axis.semilogy((U.T @ y).abs() / s, "x", markersize=3, label=r"$|\langle u_i, y\rangle| / s_i$")
    axis.axhline(sigma, color="0.2", linestyle="--", linewidth=1, label=r"noise level $\sigma$")
    axis.set(xlabel="index i", title=name)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
show(
    figure,
    alt="""Two panels, blur and CT, logarithmic. Singular values fall over many decades. The data's
        coefficients fall with them until they reach the noise level and stay there. Their
        quotient therefore turns upwards.""",
)

# %% [markdown]
# This plot is worth drawing for any inverse problem. Where the data's coefficients reach the noise level and stop
# falling, they contain little but noise. To the right of that point, dividing by $s_i$ does more harm than good.

# %% [markdown]
# ## Gradient descent filters
#
# Everybody trains by gradient descent. What does it do with small singular values? The gradient of $\frac12\|Ax-y\|^2$
# is $A^H(Ax - y)$ (lesson 01). Steps against it from $x_0 = 0$,
#
# $$x_{k+1} = x_k + \tau A^H(y - Ax_k),$$
#
# are called **Landweber iteration**. Look at one direction. With $c_k = \langle v_i, x_k\rangle$,
# $b = \langle u_i, y\rangle$ and $s = s_i$,
#
# $$c_{k+1} = c_k + \tau s\,(b - s\,c_k) = (1 - \tau s^2)\,c_k + \tau s\,b, \qquad c_0 = 0,$$
#
# because $\langle v_i, A^Hr\rangle = \langle Av_i, r\rangle = s\,\langle u_i, r\rangle$ and
# $\langle u_i, Ax_k\rangle = s\,c_k$. Directions do not mix: an iteration in a million dimensions is a million
# iterations of one number each.
#
# The fixed point is $c = b/s$, the naive inverse. Each step multiplies what is missing by the same number:
#
# $$c_{k+1} - \tfrac bs = (1 - \tau s^2)\,\bigl(c_k - \tfrac bs\bigr) \quad\Rightarrow\quad
# c_k = \varphi_k(s)\,\frac bs, \qquad \boxed{\varphi_k(s) = 1 - (1 - \tau s^2)^k} .$$
#
# The share $\varphi_k(s)$ of the naive inverse that has arrived after $k$ steps is called the **filter factor**.
#
# - The iteration converges in all directions with $s > 0$ if $|1 - \tau s^2| < 1$ in each of them, that is, if
#   $0 < \tau < 2/s_1^2$. Here $s_1 \approx 1$ and $\tau = 1$.
# - A direction has arrived after about $1/(\tau s^2)$ steps, so strong directions come first.
# - A direction with $s = 0$ never moves.
#
# ### Exercise 1: another start
#
# The first input of aSeqDIP's network is $z_0$, which is a multiple of $A^Hy$ in the four linear tasks. Here let the
# iteration itself start there. Return the filter factor after $k$ Landweber steps from $x_0 = a\,A^Hy$ with a number
# $a$, for a tensor `s` of singular values; `step` is $\tau$.


# %% tags=["exercise"]
def my_filter(s, k, step, a):
    # blank: ...
    return 1 - (1 - step * s**2) ** k * (1 - a * s**2)  # c_0 = a s b = a s^2 (b / s)
    # end


check("landweber.filter", my_filter)

# %% [markdown]
# With $a = \tau$ the start is the result of one step from 0, and the filter is that of $k + 1$ steps.
#
# Here is the iteration itself. A generator yields $x_0, x_1, \dots$; because it uses the vjp, it also works for a
# nonlinear $A$.


# %%
def landweber(A, y, step=1.0, x=None):
    """x_0, x_1, ... of gradient descent on 1/2 ||A(x) - y||^2, from 0 by default. To stop, stop pulling."""
    x = torch.zeros(1, *A.in_shape, dtype=y.dtype) if x is None else x
    while True:
        yield x
        x = x - step * A.vjp(x, A(x) - y)


y24, sigma24 = draws["CT"]
U, s, Vh = parts["CT"]
measured = y24.reshape(1, *small["CT"].out_shape)
worst = 0.0
for k, x in enumerate(islice(landweber(small["CT"], measured), 201)):
    predicted = Vh.T @ ((1 - (1 - s**2) ** k) / s * (U.T @ y24))
    worst = max(worst, float((x.flatten() - predicted).norm() / slice24.norm()))
print(f"largest relative difference of 200 iterates to the formula: {worst:.0e}")

# %% tags=["nbval-check-output"]
claim(worst < 1e-6, "200 iterates agree with the filter factors within a relative 1e-6", needs="smoke")

# %% [markdown]
# ## Semiconvergence: better, then worse
#
# Put $b = s\,\langle v, x\rangle + \langle u, n\rangle$ into the formula. The error in one direction is
#
# $$c_k - \langle v, x\rangle
# = -\underbrace{(1 - \tau s^2)^k\,\langle v, x\rangle}_{\text{signal that is still missing}}
# + \underbrace{\varphi_k(s)\,\frac{\langle u, n\rangle}s}_{\text{noise that has arrived}},$$
#
# and the expected squared error is a sum of two curves, with $x_\perp$ the unseen part of $x$:
#
# $$\mathbb E\,\|x_k - x\|^2
# = \underbrace{\|x_\perp\|^2 + \sum_i (1 - \tau s_i^2)^{2k}\,|\langle v_i, x\rangle|^2}_{\text{falls with }k}
# + \underbrace{\sigma^2\sum_i\varphi_k(s_i)^2 / s_i^2}_{\text{rises with }k} .$$
#
# The first curve falls fast at first, because images have most of their energy in strong directions. The second curve
# starts at 0 and ends at the catastrophe of the naive inverse. If strong directions bring mostly signal and faint ones
# mostly noise, the error **falls, then rises**. This is called **semiconvergence**.
#
# ### Exercise 2: the error of any filter
#
# Nothing in this derivation needs the particular filter $\varphi_k$. Take any filter factors, `f`, on the seen
# directions, with singular values `s`, the coefficients `c` $= \langle v_i, x\rangle$ and noise of standard deviation
# `sigma`. Return the expected squared error in these directions.


# %% tags=["exercise"]
def my_error(s, c, f, sigma):
    # blank: ...
    missing, arrived = (1 - f) * c, sigma * f / s
    return (missing**2 + arrived**2).sum()
    # end


check("landweber.error", my_error)

# %% [markdown]
# The filter factors give $x_k$ directly for any $k$, even for a million steps.

# %%
counts = torch.logspace(0, 6, 61).round().unique().long()
curves = {}
for name, (B, x) in toys.items():
    (U, s, Vh), (y, sigma) = parts[name], draws[name]
    size_x, signal_part = float(x.norm()), Vh @ x
    unseen = float((x - Vh.T @ signal_part).square().sum())
    rows = dict(missing=[], noise=[], measured=[], residual=[])
    for k in counts.tolist():
        rest = (1 - s**2) ** k
        x_k = Vh.T @ ((1 - rest) / s * (U.T @ y))
        rows["missing"].append((unseen + float((rest * signal_part).square().sum())) ** 0.5 / size_x)
        rows["noise"].append(sigma * float(((1 - rest) / s).norm()) / size_x)
        rows["measured"].append(float((x_k - x).norm()) / size_x)
        rows["residual"].append(float((B @ x_k - y).norm()))
    curves[name] = {key: torch.tensor(values) for key, values in rows.items()}

# %% [markdown]
# **Two minutes.** Think about this before you read on: the truth $x$ itself does not fit $y$ exactly. By how much does
# it miss $y$?
#
# **When should we stop**, without knowing the truth? The truth itself misses the data by the noise:
# $\mathbb E\,\|Ax - y\|^2 = m\sigma^2$, where $m$ is the number of noisy values. So stop at the first $k$ with
# $\|Ax_k - y\| \le \sqrt m\,\sigma$: what is left in the residual may all be noise, and fitting it is pointless. This
# is the **discrepancy principle** (Morozov). It needs $\sigma$ but not the truth. In the plot, we test only those $k$
# that are drawn.

# %%
figure = Figure(figsize=(9.0, 3.4), layout="constrained")
axes = figure.subplots(1, 2)
for axis, (name, c) in zip(axes, curves.items(), strict=True):
    y, sigma = draws[name]
    total = (c["missing"] ** 2 + c["noise"] ** 2).sqrt()
    axis.loglog(counts, c["missing"], "--", label="signal still missing")
    axis.loglog(counts, c["noise"], ":", label="noise that has arrived")
    axis.loglog(counts, total, "-", label="expected error")
    axis.loglog(counts, c["measured"], ".", label="one measured run")
    stop = int((c["residual"] <= sigma * len(y) ** 0.5).int().argmax())
    best = int(c["measured"].argmin())
    c["stop"], c["best"] = stop, best
    mark = dict(fillstyle="none", markersize=11, color="black", label="discrepancy principle")
    axis.plot(counts[stop], c["measured"][stop], "s", **mark)
    axis.set(xlabel="Landweber steps k", ylabel="relative error", title=name, ylim=(3e-3, 5))
    axis.grid(alpha=0.3)
axes[1].legend(fontsize=7, loc="upper center", markerscale=0.6)
show(
    figure,
    alt="""Relative error against Landweber steps for blur and CT, logarithmic. Missing signal
        falls, arrived noise rises, their sum falls and then rises. Measured dots follow the sum.
        A square marks where the discrepancy principle stops: to the left of a flat minimum.""",
)
for name, c in curves.items():
    e = c["measured"]
    print(
        f"{name:>5}: best {e[c['best']]:.3f} after {counts[c['best']]} steps; discrepancy principle "
        f"{e[c['stop']]:.3f} after {counts[c['stop']]}; after a million steps {e[-1]:.3f}"
    )
    claim(
        c["best"] not in (0, len(counts) - 1) and e[-1] > 3 * e[c["best"]],
        f"{name}: the error falls, then rises to more than 3 times its minimum",
        needs="smoke",
    )
    claim(
        e[c["stop"]] < 1.3 * e[c["best"]],
        f"{name}: the discrepancy principle is within 30 % of the smallest error",
        needs="smoke",
    )

# %%
(U, s, Vh), (y, _), c = parts["CT"], draws["CT"], curves["CT"]
stop = int(counts[c["stop"]])
answers = {
    "naive inverse": inverted["CT"],
    f"Landweber, {stop} steps": Vh.T @ ((1 - (1 - s**2) ** stop) / s * (U.T @ y)),
    "a million steps": Vh.T @ ((1 - (1 - s**2) ** 10**6) / s * (U.T @ y)),
}
pictures = {name: answer.reshape(24, 24).numpy() for name, answer in answers.items()}
show(
    plot_images(pictures, slice24.reshape(24, 24).numpy(), (0, float(slice24.max()))),
    alt="""A slice of 24 x 24 pixels. The naive inverse is black and white noise, Landweber stopped
        by the discrepancy principle shows a soft slice, and after a million steps black and white
        noise fills the slice again. Below, four times the errors.""",
)

# %% [markdown]
# ## The five tasks, at full size
#
# We run the same generator on the five cases of lesson 01. CT now has photon noise. The camera is nonlinear, so there
# the vjp makes the step, and no formula tells us what the curve will look like.

# %%
steps = pick(smoke=60, laptop=300, paper=1000)
moments = [k for k in (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 1000) if k <= steps]


def relative_error(case, x):
    difference = torch.from_numpy(case.display(x) - case.truth)
    return float(difference.norm() / torch.from_numpy(case.truth).norm())


runs = {}
for name, A in operators.items():
    errors, residuals, frames = [], [], {}
    for k, x in enumerate(islice(landweber(A, data[name]), steps + 1)):
        errors.append(relative_error(cases[name], x))
        residuals.append(float((A(x) - data[name]).norm() / data[name].norm()))
        if k in moments:
            frames[k] = cases[name].display(x)
    runs[name] = dict(errors=errors, residuals=residuals, frames=frames)

# %%
figure = Figure(figsize=(6.6, 3.4), layout="constrained")
axis = figure.subplots()
for (name, run), style in zip(runs.items(), styles, strict=True):
    axis.semilogx(range(1, steps + 1), run["errors"][1:], linestyle=style, label=name)
axis.set(xlabel="gradient steps k", ylabel="relative error", ylim=(0, None))
axis.grid(alpha=0.3)
axis.legend(ncols=2)
show(
    figure,
    alt="""Relative error against gradient steps for five tasks. MRI, denoising and in-painting are
        horizontal lines. CT and deblurring fall, reach a minimum and rise.""",
)
for name, run in runs.items():
    e = run["errors"]
    fits = [k for k, r in enumerate(run["residuals"]) if r <= noise_share(cases[name]) + 1e-12]
    stopped = f"{e[fits[0]]:.3f} at step {fits[0]}" if fits else "not reached"
    print(
        f"{name:>12}: smallest error {min(e):.3f} at step {e.index(min(e))}, last {e[-1]:.3f}; "
        f"discrepancy principle {stopped}"
    )

# %%
for name in ("MRI", "denoising", "in-painting"):
    e = runs[name]["errors"]
    claim(abs(e[-1] - e[1]) < 1e-6, f"{name}: the last error is that of step 1, within 1e-6", needs="smoke")
for name in ("CT", "deblurring"):
    r, e = runs[name]["residuals"], runs[name]["errors"]
    claim(r[-1] < r[e.index(min(e))], f"{name}: the last residual is smaller than the best image's", needs="smoke")
    claim(e[-1] > 1.2 * min(e), f"{name}: the last error is more than 20 % above the smallest")

# %% [markdown]
# This plot teaches two things.
#
# - **CT and deblurring** show semiconvergence, deblurring even though its $A$ is not linear. The residual keeps falling
#   while the image gets worse, so the residual alone does not show the best moment.
# - **MRI with one coil, denoising and in-painting** have no singular values other than 0 and 1. With $\tau = 1$ the
#   first step does everything: the last error is that of step 1 within 1e-6. (For MRI the cell prints a later step for
#   the smallest error; with these singular values, that can only be rounding.)
#
# ### A smaller step (stretch)
#
# A smaller step takes longer. For $s = 1$ the filter factor is $\varphi_k = 1 - (1 - \tau)^k$, the same number in all
# directions that are seen, so $x_k = \varphi_k A^Hy$ goes from black to $A^Hy$. The stops on this path are **darker
# copies of one image**. Is one of them better than the end?

# %%
tau = 0.1
for name in ("MRI", "denoising", "in-painting"):
    A, y = operators[name], data[name]
    back, off, errors = A.adjoint(y), 0.0, []
    for k, x in enumerate(islice(landweber(A, y, step=tau), steps + 1)):
        off = max(off, float((x - (1 - (1 - tau) ** k) * back).norm() / back.norm()))
        errors.append(relative_error(cases[name], x))
    k = errors.index(min(errors))
    print(f"{name:>12}, step {tau}: smallest error {errors[k]:.4f} after {k} steps, last {errors[-1]:.4f}")
    claim(off < 1e-9, f"{name}: every x_k is A^H y times 1 - (1 - tau)^k, within 1e-9", needs="smoke")
    claim(min(errors) > 0.98 * errors[-1], f"{name}: the smallest error is less than 2 % below the last")

# %% [markdown]
# Hardly, because a darker image is not a cleaner one. In the space of pixels, with singular values 0 and 1, all that
# stopping can do is to scale $A^Hy$. While the noise is weak, there is **little to gain by stopping**.
#
# ### The images of CT

# %%
few = [k for k in moments if k in (10, 30, 100, 300)]
shown = {f"{k} steps": runs["CT"]["frames"][k] for k in few}
titles = {f"{k} steps": f"error {runs['CT']['errors'][k]:.3f}" for k in few}
figure = plot_images(shown, cases["CT"].truth, cases["CT"].window, titles, error_scale=2)
figure.set_size_inches(1.7 * (len(few) + 1), 4.1)
show(
    figure,
    alt="""CT after more and more gradient steps and the truth: first a soft head, then a head with
        edges and some grain, then a head under heavy grain. Below, twice the errors: edges at
        first, grain in the end.""",
)

# %% [markdown]
# The next cell puts the images of all tasks, with more steps, under a slider. It works only in a running notebook, and
# nothing after it depends on it. Choose `deblurring`: where would you stop?

# %%
import ipywidgets as widgets
from IPython.display import display

from aseqdip_lite.widgets.drawing import picture

task = widgets.Dropdown(options=list(runs), value="CT", description="task")
slider = widgets.SelectionSlider(options=moments, value=moments[-1], description="steps k")
view = widgets.HTML()


def look(_=None):
    name, k = task.value, slider.value
    words = f"{name}, {k} steps: error {runs[name]['errors'][k]:.3f}"
    case = cases[name]
    view.value = picture(runs[name]["frames"][k], case.window, words, f"Reconstruction of {words}")


for part in (task, slider):
    part.observe(look, "value")
slider.value = few[-2]  # moving the slider draws
display(widgets.VBox([task, slider, view]))

# %%
claim(titles[f"{few[-2]} steps"] in view.value, "the slider shows the error of the plain cell", needs="smoke")

# %% [markdown]
# ## Regularisation is a choice
#
# The data do not say what to put where they are silent, so somebody has to choose. There are three places to do so.
#
# ### Choice 1: how faint is too faint (stretch)
#
# Every linear method of this kind applies a filter $\varphi(s)$ to the naive inverse.
#
# | method | filter $\varphi(s)$ | knob |
# |---|---|---|
# | truncated SVD | 1 if $s \ge \varepsilon$, else 0 | $\varepsilon$ |
# | Tikhonov, $\min \lVert Ax-y\rVert^2 + \alpha\lVert x\rVert^2$ | exercise 3 | $\alpha$ |
# | Landweber | $1-(1-\tau s^2)^k$ | $k$ |
#
# ### Exercise 3: Tikhonov's filter (stretch)
#
# Return Tikhonov's filter factor for a tensor `s` of singular values, which includes zeros. Set the gradient to zero
# and look at one direction, as above.


# %% tags=["exercise"]
def my_tikhonov(s, alpha):
    # blank: ...
    return s**2 / (s**2 + alpha)  # (s^2 + alpha) c = s b, and c is relative to b / s
    # end


check("landweber.tikhonov", my_tikhonov)

# %% [markdown]
# All three filters let strong directions pass and suppress faint ones. The bend lies where $s \approx \varepsilon$,
# $\sqrt\alpha$ or $1/\sqrt{\tau k}$. So the number of steps **is** a regularisation parameter, with
# $\alpha \approx 1/(\tau k)$.

# %%
filters = {
    "truncated SVD": lambda s, bend: (s >= bend).double(),
    "Tikhonov": lambda s, bend: s**2 / (s**2 + bend**2),
    "Landweber": lambda s, bend: 1 - (1 - s**2) ** round(1 / bend**2),
}
figure = Figure(figsize=(5.4, 3.0), layout="constrained")
axis = figure.subplots()
sharp = torch.logspace(-3, 0, 400, dtype=torch.float64)
for (name, rule), style in zip(filters.items(), styles, strict=False):
    axis.semilogx(sharp, rule(sharp, 0.05), linestyle=style, label=name)
axis.set(xlabel="singular value s", ylabel="filter factor", title="bend at s = 0.05 (400 steps)")
axis.grid(alpha=0.3)
axis.legend()
show(
    figure,
    alt="""Filter factors against the singular value. Truncated SVD jumps from 0 to 1 at 0.05.
        Tikhonov and Landweber rise smoothly around it, Landweber more steeply.""",
)
bends = torch.logspace(-3, 0, 61).tolist()
smallest = {}
for problem, (_, x) in toys.items():
    (U, s, Vh), y = parts[problem], draws[problem][0]
    for name, rule in filters.items():
        tried = [Vh.T @ (rule(s, bend) / s * (U.T @ y)) for bend in bends]
        smallest[problem, name] = min(float((z - x).norm() / x.norm()) for z in tried)
    print(f"{problem:>5}: " + ", ".join(f"{name} {smallest[problem, name]:.3f}" for name in filters))

# %%
for problem in toys:
    tried = [smallest[problem, name] for name in filters]
    claim(
        max(tried) < 1.2 * min(tried),
        f"{problem}: with the best bend for each, the three differ by less than 20 %",
        needs="smoke",
    )

# %% [markdown]
# With the best bend for each, the kind of filter makes little difference. The place of the bend makes a large one: see
# the curves of semiconvergence above. (Here the truth chose the bend, which is fair for this comparison but not
# possible in practice.)
#
# ### Choice 2: what to put into the null space
#
# Directions with $s = 0$ never move, so the unseen part of $x_k$ always stays that of $x_0$. Starting from 0 is also a
# choice: "what I do not see is black". If you start at the cat instead, you arrive at the impostor of lesson 01. Or
# you can fill the hole with the mean of the known pixels, as the library does by default (`fill="mean"`).

# %%
A, y = operators["in-painting"], data["in-painting"]
cat = image_of(load_case("denoising", "chelsea", size=size), y)
impostor = y + cat - A(cat)  # A^H A = A: what is seen of y, what is not seen of the cat
*_, tenth = islice(landweber(A, y, x=cat), 11)
same = float((tenth - impostor).norm() / cat.norm())
print(f"ten steps from the cat, relative difference to the impostor: {same:.0e}")
claim(same < 1e-9, "gradient descent from the cat ends at the impostor, within 1e-9", needs="smoke")
gray = load_case("inpainting", "astronaut", size=size, fill="mean", start="paper", paste=False)
psnr = {
    fill: metrics.psnr(case.display(case.observation.start), case.truth, case.data_range)
    for fill, case in (("black", cases["in-painting"]), ("gray", gray))
}
print(f"hole black: {psnr['black']:.2f} dB, hole gray: {psnr['gray']:.2f} dB, with the same data")
claim(psnr["gray"] > psnr["black"] + 3, "gray is more than 3 dB better than black", needs="smoke")

# %% [markdown]
# ### Choice 3: the coordinates
#
# So far we have moved pixels. Write $x = Gc$ instead, and run gradient descent on $c$. By the chain rule
# $c_{k+1} = c_k + \tau\,G^HA^H(y - AGc_k)$, and so
#
# $$x_{k+1} = x_k + \tau\,GG^H\,A^H(y - Ax_k).$$
#
# If $G$ is invertible, the data and the minimisers of $\|Ax - y\|$ are the same. But the step has changed: what comes
# back from the data now passes through $GG^H$. If $G$ smooths, a known pixel passes its value on to its neighbours,
# **even to those in the null space**. And the singular values are now those of $AG$: for $A = I$, smooth patterns come
# first and rough ones last.


# %%
class Smoothing(LinearOperator):
    """Gaussian mean over `width` pixels with periodic borders: symmetric, so its own adjoint."""

    def __init__(self, shape, width):
        super().__init__(shape, shape)
        rows, columns = (torch.fft.fftfreq(n, dtype=torch.float64) for n in shape[-2:])
        frequency = rows[:, None] ** 2 + columns**2  # (H, W)
        self.response = torch.exp(-2 * math.pi**2 * width**2 * frequency)

    def _apply(self, c):
        return torch.fft.ifft2(self.response * torch.fft.fft2(c)).real

    _adjoint = _apply


width = 1.0  # <- your turn: 0.5, 2.0

half = load_case("inpainting", "astronaut", size=size, missing=0.5, fill="mean", start="paper", paste=False)
problems = {"denoising": cases["denoising"], "in-painting, half of the pixels": half}
scores, views = {}, {}
for name, case in problems.items():
    A, y = case.observation.A.to(double=True), in_double(case.observation.y)
    G = Smoothing(A.in_shape, width)
    for way, operator in (("pixels", A), ("x = Gc", A @ G)):
        values = []
        for c in islice(landweber(operator, y), steps + 1):
            x = c if operator is A else G(c)
            values.append(metrics.psnr(case.display(x), case.truth, case.data_range))
            if values[-1] == max(values):
                views[name, way, "best"] = case.display(x)
        scores[name, way], views[name, way, "last"] = values, case.display(x)
        k = values.index(max(values))
        print(f"{name}, {way}: best {values[k]:.2f} dB at step {k}, last {values[-1]:.2f} dB")

# %%
columns = {
    "pixels": [views[name, "pixels", "last"] for name in problems],
    "x = Gc, best": [views[name, "x = Gc", "best"] for name in problems],
    "x = Gc, last": [views[name, "x = Gc", "last"] for name in problems],
}
show(
    gallery(columns, ["denoising", "in-painting"]),
    alt="""Two rows of three portraits. Denoising: grainy in pixel coordinates; smoother at the best
        step with x = Gc; grainier again at the last. In-painting: half of the pixels gray in
        pixel coordinates; complete, a little soft, with x = Gc, at the best step and at the last.""",
)

# %%
if width == 1.0:
    noisy_psnr, smooth = max(scores["denoising", "pixels"]), scores["denoising", "x = Gc"]
    claim(max(smooth) > noisy_psnr + 2, "denoising gains more than 2 dB by smooth coordinates")
    claim(smooth[-1] < max(smooth) - 0.5, "denoising loses more than 0.5 dB of that without a stop")
    name = "in-painting, half of the pixels"
    gain = scores[name, "x = Gc"][-1] - scores[name, "pixels"][-1]
    claim(gain > 5, "in-painting gains more than 5 dB: the null space is filled")

# %% [markdown]
# We added nothing to the loss. The **parametrisation** is the prior, and the number of steps is its knob. Denoising
# now has a best moment; in pixel coordinates there was next to nothing to gain by stopping.
#
# A Gaussian is a poor choice, because it knows that neighbours are alike but nothing about edges. It also has a short
# reach, as the big hole of our in-painting case shows:

# %%
A, y, case = operators["in-painting"], data["in-painting"], cases["in-painting"]
G = Smoothing(A.in_shape, 1.0)
*_, c = islice(landweber(A @ G, y), steps + 1)
before, after = (metrics.psnr(case.display(x), case.truth, 1.0) for x in (y, G(c)))
print(f"hole in the middle: z_0 {before:.2f} dB, x = Gc after {steps} steps {after:.2f} dB")
claim(after - before < 2, "the hole in the middle gains less than 2 dB: its middle is out of reach")

# %% [markdown]
# **Two minutes.** What would a better $G$ than a Gaussian know about images? Name two things.
#
# Now replace $Gc$ by a network with random weights, $x = f_\phi(z)$, and run gradient descent on the weights $\phi$.
# That is **Deep Image Prior**, and this is where lesson 02 begins. For small steps its update is the one above with
# $J_\phi J_\phi^H$ instead of $GG^H$, where $J_\phi$ is the Jacobian of the network with respect to its weights;
# lesson 04 calls this product the neural tangent kernel. Semiconvergence will return under the name of overfitting,
# and early stopping with it.

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the answers.

# %%
from aseqdip_lite.course import quiz

quiz("01b")

# %% [markdown]
# ## What you can now say
#
# Compare these answers with your predictions.
#
# 1. Far more: the error of the naive inverse of the small scan was hundreds of times as large as the image, as the
#    numbers above show. Counting equations tells little; the small singular values tell more.
# 2. No. CT and deblurring show semiconvergence. In the other three tasks, one step of length 1 reaches the end.
# 3. The level of the noise could: stop when the residual is no larger than the noise may be. This is the discrepancy
#    principle.
#
# - You can explain early stopping as a filter on singular values, and stop without knowing the truth.
# - You can split an error into the signal that is missing and the noise that has arrived.
# - You can name the three choices that a regulariser makes: the filter, the null space, the coordinates.
#
# Next: [02 Deep Image Prior](02_deep_image_prior.ipynb), where a network takes the place of $G$.

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding
#   Sequential Deep Image Prior.* NeurIPS 2024.
# - P. C. Hansen. *Discrete Inverse Problems: Insight and Algorithms.* SIAM, 2010. doi:10.1137/1.9780898718836.
# - L. Landweber. *An iteration formula for Fredholm integral equations of the first kind.* Amer. J. Math. 73, 1951.
#   doi:10.2307/2372313.
# - M. Hanke, A. Neubauer, O. Scherzer. *A convergence analysis of the Landweber iteration for nonlinear ill-posed
#   problems.* Numer. Math. 72, 1995. doi:10.1007/s002110050158.
# - V. A. Morozov. *On the solution of functional equations by the method of regularization.* Soviet Math. Dokl. 7,
#   1966.
