# ---
# jupyter:
#   minutes: 2
# ---

# %% [markdown]
# # aSeqDIP: a network whose input follows its output
#
# {colab}
#
# **After this lesson you can**
#
# - write aSeqDIP from the paper's equations in twenty lines, and reproduce the library's images bit for bit;
# - say what happens at each step, stage and swap, and what the paper leaves open;
# - show by numbers what the autoencoding term sees, and why Eq. (6) of the paper does not explain a good image;
# - separate the two ideas of a method by a control that the paper does not have;
# - judge the sentence "the autoencoding term delays overfitting" from a grid of runs, some of which ended too early,
#   and tell a late onset from a slow run.
#
# **You need** lesson 02 (Deep Image Prior). Lessons 03 (the input) and 04 (dynamics) help; what we use of them is
# repeated here.
#
# **Time** about {minutes} minutes to run in the `laptop` profile on one CPU core (measured); not yet measured on a GPU.
# To work through it, take 90 minutes; without the sections marked *stretch*, 75.
#
# **Data** the photograph "astronaut" (NASA, public domain) and one axial slice of Colin27 (Holmes et al. 1998;
# BSD-3-Clause). Noise, coils and phase are simulated. Code BSD-3-Clause, text CC BY 4.0.
# **For teaching, not for diagnosis.**

# %%
import copy
from collections import Counter
from statistics import median

import matplotlib
import torch
from matplotlib.figure import Figure

from aseqdip_lite import ASeqDIP, Vanilla, iterate, load_case, metrics, networks
from aseqdip_lite.course import banner, check, claim, device, drawings, pick, show, stored
from aseqdip_lite.course.theory import grid
from aseqdip_lite.course.theory.figures_dynamics import plot_grid
from aseqdip_lite.course.theory.verdict import failed, verdict
from aseqdip_lite.course.theory.verdict import onset as onset_of
from aseqdip_lite.run.plots import plot_curves, plot_images

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(drawings.stages(), alt=drawings.STAGES)

# %% [markdown]
# **The algorithm as a film.** The upper row is one stage. Two things pull at the output: the data $y$, and the input
# itself, with the weight $\lambda$. Then the output takes the input's place. The lower row is the input after more and
# more stages of a short run on a small picture.

# %% [markdown]
# ## Predict first
#
# Write your guesses down; the last section asks for them again.
#
# 1. After two Adam steps, aSeqDIP replaces its input by the output of a network that has been trained for only these
#    two steps. How much of the picture is left in the input?
# 2. You could solve each stage **exactly** instead of taking a few steps. Would the image be better?
# 3. Switch the autoencoding term off, `lam` = 0, but let the input move. Is the result better or worse than with the
#    term? Does overfitting begin sooner or later?
# 4. Now double `lam`. Does it begin sooner or later?
# 5. aSeqDIP overfits later than DIP. It differs from DIP in two ways: its input moves, and it has `lam`. Which of the
#    two is the reason?

# %% [markdown]
# ## From one equation to three
#
# Deep Image Prior trains a network on the measurements, with a fixed input $z$:
#
# $$\min_\phi\ \|A f_\phi(z) - y\|^2 . \tag{1}$$
#
# Lesson 03 asked what $z$ should be. Its answer: an input helps if it shows the image in the right place. The truth
# does, but we do not have it. Soon, however, the network's own **output** is nearer to the truth than $A^Hy$ is. So use
# the output as the next input. aSeqDIP (Alkhouri, Liang et al., NeurIPS 2024) does this for $k = 1, \dots, K$, starting
# from $z_0 = A^Hy$:
#
# $$\phi_k \leftarrow \arg\min_\phi\ \|Af_\phi(z_{k-1}) - y\|^2 + \lambda\,\|f_\phi(z_{k-1}) - z_{k-1}\|^2 ,
# \quad\text{starting at } \phi_{k-1} \tag{3}$$
#
# $$z_k \leftarrow f_{\phi_k}(z_{k-1}) \tag{4}$$
#
# $$\hat x = z_K \tag{5}$$
#
# These are two ideas, and it is worth keeping them apart:
#
# - **the input moves**, Eq. (4);
# - the **autoencoding term** with its weight $\lambda$: the output should be like the input, as in an autoencoder.
#
# | symbol | code | meaning |
# |---|---|---|
# | $k = 1, \dots, K$ | `K` | stage: a stretch of steps with one input |
# | $N$ | `N` | Adam steps in a stage; $NK$ in all |
# | $\lambda$ | `lam` | weight of the autoencoding term |
# | $z_k$ | `z` | input of stage $k+1$ |
# | $x = f_\phi(z)$ | `x` | the network's output |
#
# The "argmin" is not meant literally. Algorithm 1 of the paper takes $N$ gradient steps; the published setting is
# $N = 2$, $K = 2000$, `lam` = 1, Adam with rate $10^{-4}$. We shall see below that this difference is the whole point.
#
# ### Exercise 1: the loss of a stage
#
# Write the loss in (3). `x` and `z` are complex images of shape (1, 1, H, W); `A(x)` is also complex. Norms are sums
# over all entries.


# %% tags=["exercise"]
def my_loss(x, z, A, y, lam):
    # blank: ...
    data = (A(x) - y).abs().square().sum()
    autoencoding = (x - z).abs().square().sum()
    return data + lam * autoencoding
    # end


check("aseqdip.loss", my_loss)

# %% [markdown]
# ## Twenty lines


# %%
def energy(r):
    """||r||^2 of a real or complex r."""
    return torch.view_as_real(r).square().sum() if r.is_complex() else r.square().sum()


def my_aseqdip(observation, f, lam, N, K, lr):
    """aSeqDIP; yields (loss, next input) after each stage."""
    A, y, z = observation.A, observation.y, observation.start  # z_0 = A^H y, or y
    adam = torch.optim.Adam(f.parameters(), lr=lr, fused=True)  # one for all stages
    for _ in range(K):
        for _ in range(N):
            x = f(z)
            loss = energy(A(x) - y) + lam * energy(x - z)  # Eq. 3
            adam.zero_grad()
            loss.backward()
            adam.step()
        with torch.no_grad():
            z = f(z)  # Eq. 4, a new pass with the new weights
        yield loss.item(), z


# %% [markdown]
# Is this the library's `ASeqDIP`? We compare the two with the same settings and seed, on a denoising task and a complex
# one:

# %%
size = pick(smoke=32, laptop=64, paper=128)
case = load_case("denoising", "astronaut", size=size, sigma=25, fill="zero", seed=0).to(device())  # zero is black
scan = load_case("mri", "brain-070", size=size, coils=4, snr=10, seed=0).to(device())
lr, few = 1e-3, pick(smoke=3, laptop=10, paper=10)


def draw(observation, seed=0):
    """The library's `lite` U-Net with random weights."""
    return networks.build("lite", observation.start, torch.Generator().manual_seed(seed))


exact = []
for problem in (case, scan):
    observation = problem.observation
    method = ASeqDIP(lam=1.0, N=2, K=few, lr=lr, network="lite")
    ours = list(my_aseqdip(observation, draw(observation), lam=1.0, N=2, K=few, lr=lr))
    theirs = list(iterate(observation, method, seed=0))
    for stage in (1, few):
        loss, image = ours[stage - 1]
        state = theirs[2 * stage - 1]
        print(f"{problem.task:>9}, stage {stage:>2}: our loss {loss!r}, theirs {state.losses['loss']!r}")
    exact.append(bool(torch.equal(image, state.image)))
    gap = float((image - state.image).abs().max() / image.abs().max())

# %%
# a GPU does not always add in the same order
claim(
    all(exact) if device() == "cpu" else gap < 1e-2,
    "our twenty lines and the library give the same image, bit for bit (within 1e-2 on a GPU)",
    needs="smoke",
)

# %% [markdown]
# The images are the same, but the printed losses may differ in the last digits. Both add up the same squares, but in a
# different order, so the sums are rounded differently. The images do not notice, because the gradient of $\|r\|^2$ is
# $2r$, entry by entry, and does not contain the sum.
#
# To get the same image, one must decide four things that the equations do not say:
#
# - **One Adam for all stages.** The paper is silent; the authors' scripts keep one, and so does the library.
# - **A fresh pass in (4).** Algorithm 1 prescribes one, and the in-painting script follows it. The scripts for
#   denoising, deblurring and CT instead take the last `x`, which was computed before the last update.
# - **The first weights.** Algorithm 1 prints $\phi_0\sim N(0, I)$. No U-Net trains from there; the library draws small
#   weights, $N(0, 0.02^2)$, as do all of the scripts except the one for in-painting.
# - **Which image is the answer.** Eq. (5) says the last one. All of the scripts except the one for MRI report the best
#   PSNR of the run, which needs the truth.
#
# The scripts are those of `sjames40/Aseq_DIP` at commit f6d4a66, which is younger than the paper; lesson 14 quotes
# their lines.

# %% [markdown]
# ## Steps, stages, swaps
#
# A stage ends with a **swap**: $z_k$ replaces $z_{k-1}$. We look at both terms of the loss at every step of the first
# stages. The stages are long here, $N = 6$, so that one sees what happens.

# %%
N_slow = 6
first = [state.losses for state in iterate(case.observation, ASeqDIP(N=N_slow, K=6, lr=lr), seed=0)]
figure = Figure(figsize=(6.4, 3.2), layout="constrained")
axis = figure.subplots()
steps_shown = range(1, len(first) + 1)
axis.semilogy(steps_shown, [row["data"] for row in first], "-o", markersize=3, color="#00204d", label="data term")
axis.semilogy(steps_shown, [row["autoencoding"] for row in first], "--s", markersize=3, color="#a69d75",
              label="autoencoding term")
for step in range(N_slow, len(first), N_slow):
    axis.axvline(step + 0.5, color="0.6", linewidth=0.8)
axis.set(xlabel="Adam step (vertical lines: swaps)", ylabel="energy")
axis.grid(alpha=0.3)
axis.legend()
show(
    figure,
    alt="""Data term and autoencoding term of six stages of six steps on a logarithmic axis. In the first stage they
        are equal. At the first swap the autoencoding term drops by a factor of a few hundred; from then on it ends each
        stage higher than it began it and drops at each swap, a saw. The data term falls slowly and without jumps.""",
)

# %% [markdown]
# In the first stage the two terms are equal, because $z_0 = y$ here and so $\|x - z_0\| = \|x - y\|$. Then the saw
# begins. Right after a swap the output is nearly the new input: the same weights have just made that input, from the
# old one, and the network hardly responds to the exchange. Within the stage the output moves away while the input
# waits. So the term measures what the swap did to the output, together with how far the output has moved since.
#
# ### Exercise 2: which input?
#
# Adam steps count from 1. Which input $z_k$ does step `step` use for its gradient? Return $k$.


# %% tags=["exercise"]
def my_input(step, N):
    # blank: ...
    return (step - 1) // N
    # end


check("aseqdip.input", my_input)

# %% [markdown]
# What does a swap cost? A backward pass costs about two forward passes, so a stage costs $3N + 1$ passes instead of
# $3N$. Three of the authors' scripts save this one pass. The library has both versions, as `refresh="fresh"` and
# `refresh="stale"`. (A third, `"projected"`, is for MRI; lesson 07 has an exercise on it.)

# %%
for N in (1, 2, 4, 10):
    ends = {}
    for refresh in ("fresh", "stale"):
        for state in iterate(case.observation, ASeqDIP(N=N, K=few, lr=lr, refresh=refresh), seed=0):
            if state.step == N:
                ends[refresh, 1] = state.image
        ends[refresh, few] = state.image
    gaps = [float((ends["fresh", k] - ends["stale", k]).norm() / ends["fresh", k].norm()) for k in (1, few)]
    print(f"N = {N:>2}: the fresh pass is {1 / (3 * N + 1):.0%} of the cost; "
          f"z_1 differs by {gaps[0]:.1%}, z_{few} by {gaps[1]:.1%}")

# %% [markdown]
# These are two different algorithms, and the shorter the stage, the more they differ. With $N = 1$ the stale $z_1$ is
# the output of the **untrained** network.

# %% [markdown]
# ## If a stage were exact
#
# Take (3) literally, for denoising, $A = I$, and a network that can produce any image. Then the network no longer
# matters in (3), which asks for
#
# $$x = \arg\min_x\ \|x - y\|^2 + \lambda\|x - z_{k-1}\|^2 .$$
#
# **Two minutes.** One pixel has $y = 1$ and $z_0 = 0$, and $\lambda = 1$. What are $z_1$, $z_2$ and $z_3$?
#
# ### Exercise 3: exact stages
#
# Solve it, and repeat: return $z_k$ after $k$ exact stages from $z_0$.


# %% tags=["exercise"]
def my_exact(z0, y, lam, k):
    # blank: ...
    return y + (lam / (1 + lam)) ** k * (z0 - y)
    # end


check("aseqdip.exact", my_exact)

# %% [markdown]
# Insert $z_0 = y$, as aSeqDIP does: $z_k = y$ for every $k$. **Exact stages give the noisy picture back.** (For a
# general $A$ they are the proximal point method for $\|Ax-y\|^2$; its limit is a least-squares solution and does not
# depend on the network.) So taking only a few steps in a stage is not a way to save time. The few steps are the
# regulariser.
#
# ## What the autoencoding term sees
#
# Lesson 04b derives three exact statements, E1 to E3. Here we check them in numbers, for the real U-Net with BatchNorm.
# We begin with a short run, to have a network that has learned something.

# %%
z_old, z_new = None, case.observation.start
for state in iterate(case.observation, ASeqDIP(lam=1.0, N=2, K=pick(smoke=5, laptop=40, paper=40), lr=lr), seed=0):
    if state.step % 2 == 0:
        z_old, z_new = z_new, state.carry.z
f, y = state.carry.network, case.observation.y
print(f"after {state.step} steps: {metrics.psnr(case.display(z_new), case.truth, 1.0):.2f} dB")


def gradient(loss):
    """Gradient of a loss in all weights of f, as one vector."""
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(f.parameters()))])


# %% [markdown]
# **E1.** At the first step of a stage the weights are still those that made the input, $z_k = f(z_{k-1})$. The
# autoencoding term is $\|f(z_k) - z_k\|^2 = \|f(z_k) - f(z_{k-1})\|^2$. It compares the network **with itself**, before
# and after the swap. It contains no picture and no prior: if the swap does not change the output, its gradient is zero.
# So the term acts like friction on a motion. We compute its gradient with the swap, and with the swap undone.

# %%
with_swap = float(gradient(energy(f(z_new) - z_new)).norm())
undone = float(gradient(energy(f(z_old) - z_new)).norm())
of_data = float(gradient(energy(f(z_new) - y)).norm())
print(f"gradient of the autoencoding term: {with_swap:.3g} after the swap, {undone:.1g} with the swap undone")
print(f"gradient of the data term:         {of_data:.3g}")

# %%
claim(
    undone < 1e-3 * with_swap,
    "E1: with the swap undone its gradient is zero, within a relative 1e-3",
    needs="smoke",
)

# %% [markdown]
# **E2.** Where can aSeqDIP come to rest? At $f(z^*) = z^*$ the autoencoding term has its least value 0, so its gradient
# is zero, and the data term's gradient must vanish alone. `lam` and `N` have dropped out. To see this, we shift the
# network by a constant so that $z^*$ is a fixed point, $f'(z) = f(z) + (z^* - f(z^*))$, and vary `lam`.

# %%
shift = (z_new - f(z_new)).detach()
at_rest = {}
for lam in (0.0, 1.0, 4.0):
    x = f(z_new) + shift
    at_rest[lam] = gradient(energy(x - y) + lam * energy(x - z_new))
    print(f"f(z) = z, lam = {lam:g}: gradient {float(at_rest[lam].norm()):.4g}")

# %%
claim(
    all(float((g - at_rest[0.0]).norm()) < 1e-3 * float(at_rest[0.0].norm()) for g in at_rest.values()),
    "E2: at a fixed point the gradient is the same for every lam, within a relative 1e-3",
    needs="smoke",
)

# %% [markdown]
# **E3.** The paper's remark 3.1 describes the limit points by another problem:
#
# $$\min_\phi\ \|Af_\phi(z) - y\|^2 \quad\text{subject to}\quad z = f_\phi(z) . \tag{6}$$
#
# Read it slowly. If $z$ is given, every admissible $\phi$ has the same objective, $\|Az - y\|^2$, so there is nothing
# to minimise. If $z$ is free, then (6) asks for the image $z$ with the least data term among those that some $f_\phi$
# passes unchanged. Which image is that?
#
# ### Exercise 4: a minimiser for free
#
# Let $AA^Hy = y$, which is true for denoising, in-painting and one-coil MRI. Return a $z$ such that a network with
# $f(z) = z$ solves (6). You may use `A(x)`, `A.adjoint(y)` and `A.in_shape`.


# %% tags=["exercise"]
def my_minimiser(A, y):
    # blank: ...
    return A.adjoint(y)
    # end


check("aseqdip.minimiser", my_minimiser)

# %% [markdown]
# So the noisy picture, or the zero-filled one, **is a global minimiser of (6)**. And a network that passes it unchanged
# never moves. Here is such a network, $f(z) = z + (g_\phi(z) - g_{\phi_0}(z))$, run by our own loop:

# %%
class PassesAll(torch.nn.Module):
    """z + g(z) - g_0(z): the identity, until training changes it."""

    def __init__(self, g):
        super().__init__()
        self.g, self.frozen = g, copy.deepcopy(g).requires_grad_(False)

    def forward(self, z):
        return z + (self.g(z) - self.frozen(z))


lazy = PassesAll(draw(case.observation))
*_, (loss, z) = my_aseqdip(case.observation, lazy, lam=1.0, N=2, K=few, lr=lr)
print(f"loss {loss:g}; z has moved by {float((z - y).norm() / y.norm()):g}")

# %% tags=["nbval-check-output"]
claim(torch.equal(z, y), "E3: this network is at rest at z = y, exactly, and (6) is solved with the value 0", "smoke")

# %% [markdown]
# Nobody would use this network. It only shows that (6) cannot be the reason for a good image, because the noisy picture
# solves it. Whatever is good about aSeqDIP's image must come from the **path**, and from stopping before its end. So we
# look at paths.

# %% [markdown]
# ## Figure 4 in small: two ideas, four arms
#
# The paper's Fig. 4 compares Vanilla DIP, Self-Guided DIP (lesson 05), aSeqDIP with `lam` = 0 and aSeqDIP with `lam` =
# 1, on MRI and CT. One comparison is missing: **the input fixed at $z_0$**, with and without `lam`. We get it for free,
# as aSeqDIP whose first stage is longer than the run, so that no swap ever comes. Our task is denoising, because it
# overfits within as many steps as a laptop has time for; the stored grid below includes MRI.

# %%
steps = pick(smoke=20, laptop=500, paper=1200)


def run(method, case=case, carry=None):
    """A run's curves and its last image."""
    observation = case.observation
    z0 = observation.start
    found = dict(step=[], psnr=[], norm=[], moved=[], jump=[])
    for state in iterate(observation, method, seed=0, steps=steps, carry=carry):
        shown = case.display(state.image)
        found["step"].append(state.step)
        found["psnr"].append(metrics.psnr(shown, case.truth, case.data_range))
        z = state.carry.z
        if hasattr(method, "N") and state.step % method.N == 1 % method.N:  # the first step of a stage
            found["jump"].append((state.step, state.losses["autoencoding"] ** 0.5 / float(z0.norm())))
        if z.shape == z0.shape:
            found["norm"].append(float(z.norm() / z0.norm()))
            found["moved"].append(float((z - z0).norm() / z0.norm()))
    found["last"] = shown
    return found


def moving(lam, N):
    """aSeqDIP itself."""
    return ASeqDIP(lam=float(lam), N=N, lr=lr, network="lite").with_steps(steps)


def fixed(lam):
    """The same loss with z = z_0 throughout: one stage that is longer than the run."""
    return ASeqDIP(lam=float(lam), N=steps + 1, K=1, lr=lr, network="lite")


runs = {
    "DIP, noise input": run(Vanilla(lr=lr, network="lite", steps=steps)),
    "fixed, lam 0": run(fixed(0)),
    "fixed, lam 1": run(fixed(1)),
    "moving, lam 0": run(moving(0, 2)),
    "moving, lam 1": run(moving(1, 2)),
}


def top(name):
    """(step, PSNR) of a run's best image."""
    psnr = runs[name]["psnr"]
    at = max(range(len(psnr)), key=psnr.__getitem__)
    return runs[name]["step"][at], psnr[at]


def report(names):
    """Best, end and onset of overfitting of some runs."""
    print(f"{'':>24}  best (dB)  at step  last (dB)   lost  onset")
    for name in names:
        psnr = runs[name]["psnr"]
        at, best = top(name)
        onset = grid.overfitting_start(psnr)
        onset = "not begun" if onset is None else onset + runs[name]["step"][0] - 1
        print(f"{name:>24}  {best:9.2f}  {at:7}  {psnr[-1]:9.2f}  {best - psnr[-1]:5.2f}  {onset}")


def draw_runs(names):
    """PSNR curves of some runs, beside the PSNR of the start."""
    figure = plot_curves({name: (runs[name]["step"], runs[name]["psnr"]) for name in names})
    start = metrics.psnr(case.display(case.observation.start), case.truth, case.data_range)
    figure.axes[0].axhline(start, color="0.5", linewidth=1)
    figure.axes[0].annotate("the noisy picture", (0, start), va="bottom", fontsize=8)
    return figure


report(runs)

# %%
show(
    draw_runs(["DIP, noise input", "fixed, lam 0", "moving, lam 0", "moving, lam 1"]),
    alt="""PSNR against Adam steps. DIP with noise and with the noisy picture as a fixed input rise fast, peak early
        and fall to the level of the noisy picture. With the input moving and lam 0 the curve rises, wavers far below
        the others until two thirds of the run, then climbs, and is highest close to its end. With lam 1 the curve
        rises between them, has the highest peak and falls a little.""",
)

# %% [markdown]
# "Onset" is the first step from which the PSNR, averaged over 50 steps, stays more than 0.1 dB below its maximum;
# "lost" is how far the last step lies below the best. (Since the average smooths the curve, an onset can lie before the
# best single step. Where it lies far before it, as with `N` = 1 below, do not trust it.) Compare the arms, one change
# at a time:
#
# - **replace noise by $y$ as the fixed input**: no gain. Here the noisy picture is not a better input than noise.
# - **let it move** (fixed, lam 0 → moving, lam 0): the fall is gone, as far as this run goes. But so is the rise; the
#   whole curve has become slow. Neither run has an autoencoding term.
# - **add `lam`** (moving, lam 0 → moving, lam 1): the rise is much faster, and the peak is the highest of all. But the
#   run **has begun to overfit**, which it had not without `lam`.

# %%
onset = {name: grid.overfitting_start(found["psnr"]) for name, found in runs.items()}
claim(
    onset["fixed, lam 0"] and onset["fixed, lam 0"] < steps / 2 and onset["moving, lam 0"] is None,
    "moving the input alone, lam = 0: the onset moves from the first half of the run to beyond its end",
)
claim(
    top("moving, lam 1")[1] > max(top(name)[1] for name in runs if name != "moving, lam 1") + 0.5,
    "the moving input with lam = 1 has the highest peak, by more than 0.5 dB",
)
claim(
    onset["moving, lam 1"] is not None and top("moving, lam 1")[0] < top("moving, lam 0")[0],
    "with lam = 1 the peak comes sooner than with lam = 0, and overfitting has begun at the end of the run",
)

# %% [markdown]
# The paper says that the term enforces similarity, "thus delaying the onset of noise overfitting decay". In this run
# the term brings the onset forward, but gives a better peak in return. This is one picture and one seed; the grid below
# asks again.
#
# ### Delay, or slowness?
#
# The run with the moving input and `lam` = 0 had no onset within these steps. Is that a merit of the moving input?
# There is a cheaper way to have no onset: keep the input fixed, and go slowly. We take a fifth of the learning rate.

# %%
runs["fixed, lam 0, slow"] = run(ASeqDIP(lam=0.0, N=steps + 1, K=1, lr=lr / 5, network="lite"))
report(["fixed, lam 0", "fixed, lam 0, slow", "moving, lam 0", "moving, lam 1"])

# %%
claim(
    grid.overfitting_start(runs["fixed, lam 0, slow"]["psnr"]) is None,
    "a fixed input at a fifth of the rate has no onset in this run, either",
)
claim(
    top("fixed, lam 0, slow")[1] < top("moving, lam 1")[1] - 1,
    "and its best image is more than 1 dB below the peak of the moving input with lam = 1",
)

# %% [markdown]
# So an unseen onset says little about a run that has not risen yet. Three things must be kept apart: how high a run
# rises, how long it takes to rise, and how long it **stays** up before it falls. We return to the third with the grid.
#
# ### A control that works only in MRI (stretch)
#
# What about the two "fixed" lines of the table? With $z = z_0 = y$ and $A = I$ the loss is
#
# $$\|x - y\|^2 + \lambda\|x - y\|^2 = (1+\lambda)\,\|x - y\|^2 ,$$
#
# and Adam does not notice a factor in front of the loss. The two lines are the **same** run, except for rounding. So
# their difference is what rounding alone does to a run of this length:

# %%
a, b = (torch.tensor(runs[f"fixed, lam {lam}"]["psnr"]) for lam in (0, 1))
for part in (10, steps // 4, steps):
    print(f"up to step {part:>3}: the two runs differ by at most {float((a - b)[:part].abs().max()):.4f} dB")

# %%
claim(
    float((a - b)[:10].abs().max()) < 0.05,
    "the first ten steps with lam = 0 and lam = 1, input fixed at y, agree within 0.05 dB",
    needs="smoke",
)

# %% [markdown]
# Keep the last number in mind: a difference of this size between two single runs means nothing. In MRI the two terms
# differ, because $A^HA\ne I$, so there the control works.

# %%
show(
    plot_images({name: runs[name]["last"] for name in ("fixed, lam 0", "moving, lam 0", "moving, lam 1")},
                case.truth, case.window),
    alt="""A woman in an orange space suit, three results beside the truth, and below four times the errors. With the
        input fixed the picture is full of grain. With the input moving and lam 0 it is free of grain, smooth like an
        oil painting, and the face has no features; the error shows edges. With lam 1 the details are there, along
        with a little grain.""",
)
print(f"moving, lam 0: {runs['moving, lam 0']['psnr'][-1]:.2f} dB; lam 1: {runs['moving, lam 1']['psnr'][-1]:.2f} dB")

# %% [markdown]
# These are two different pictures: one has lost details, the other has kept noise. Neither a PSNR nor an onset says
# which of them you want. And do not trust the number for `lam` = 0: change the seed in `run`, and see how far it moves.

# %% [markdown]
# ### The same with sliders
#
# First comes a plain cell, then the panel with the same settings. Run it, move `lam`, `N` or `K`, and run again: the
# panel keeps both runs. (`panel("mri")` gives the scanner.) It works only in a running notebook; nothing after it
# depends on it.

# %%
mine = ASeqDIP(lam=1.0, N=2, K=pick(smoke=6, laptop=200, paper=600), lr=lr, network="lite")
*_, state = iterate(case.observation, mine, seed=0)
print(f"{mine}: {metrics.psnr(case.display(state.image), case.truth, 1.0):.2f} dB")

# %%
from aseqdip_lite.widgets import panel

panel("denoising", size=size, fill="zero", **mine.to_dict())

# %% [markdown]
# ## Modify: lam and N
#
# The paper's Fig. 9 varies `lam` in {0.5, 1, 2} (MRI, 10 000 steps: 1 is best, 0.5 falls first). Its Fig. 10 varies
# $(N, K)$ at $NK = 4000$ (four tasks: $N = 2$ is best). Here is a small version, with one picture and one seed.

# %%
for lam in (0.5, 2):
    runs[f"moving, lam {lam:g}"] = run(moving(lam, 2))
by_lam = [f"moving, lam {lam}" for lam in ("0", "0.5", "1", "2")]
report(by_lam)
show(
    draw_runs(by_lam),
    alt="""PSNR against Adam steps for lam 0, 0.5, 1 and 2 with the input moving. With lam above 0 the curves rise
        steeply and nearly together, peak in the middle and fall a little; with lam 0 the curve creeps along far below
        them and is highest close to its end.""",
)
early_psnr = [runs[name]["psnr"][2 * steps // 5 - 1] for name in by_lam]
print(f"after {2 * steps // 5} steps: " + ", ".join(f"{value:.2f}" for value in early_psnr) + " dB")
claim(
    early_psnr[0] + 2 < early_psnr[1] < early_psnr[2] - 0.3,
    "after two fifths of the run lam = 0 is more than 2 dB behind 0.5, which is more than 0.3 dB behind 1",
)
claim(
    max(top(name)[1] for name in by_lam[1:]) - min(top(name)[1] for name in by_lam[1:]) < 1,
    "the peaks of lam = 0.5, 1 and 2 lie within 1 dB of each other",
)
falls = [grid.overfitting_start(runs[name]["psnr"]) for name in by_lam]
claim(
    falls[0] is None and all(falls[2:]) and (falls[1] is None or falls[1] >= falls[2]),
    "lam = 1 and 2 have begun to overfit; 0 has not, and 0.5 not before 1",
)

# %% [markdown]
# `lam` makes the method **fast**. The peaks of 0.5, 1 and 2 lie close together here; at the size of the grid below they
# do not. In the paper's Fig. 9, 0.5 falls first; here it does not fall before 1 does.

# %%
for N in (1, 4):
    runs[f"lam 1, N {N}"] = run(moving(1, N))
by_stage = ["lam 1, N 1", "moving, lam 1", "lam 1, N 4", "fixed, lam 1"]
report(by_stage)
show(
    draw_runs(by_stage),
    alt="""PSNR against Adam steps for lam 1 and stages of 1, 2 and 4 steps, and one stage for the whole run. N 2 and 4
        rise together, peak high and fall a little. N 1 is far below them and rises nearly to the end. One stage rises
        first, has a low early peak and falls back to the noisy picture.""",
)
claim(
    top("moving, lam 1")[1] > top("lam 1, N 1")[1] + 1 and abs(top("moving, lam 1")[1] - top("lam 1, N 4")[1]) < 0.5,
    "lam = 1: the peaks with N = 2 and 4 agree within 0.5 dB; N = 1 stays more than 1 dB below",
)
claim(
    top("fixed, lam 1")[1] < top("moving, lam 1")[1] - 1,
    "lam = 1: one long stage has a peak more than 1 dB below that of N = 2",
)

# %% [markdown]
# A stage that is too short makes the run slow, and one that is too long makes it DIP, which overfits. The paper's
# $N = 2$ is also a good choice here; this run cannot say whether 4 is better or worse.

# %% [markdown]
# ## Where does the input go?
#
# How large is $z$, and how far is it from $z_0$? Both are given relative to $\|z_0\|$.

# %%
x, z0 = torch.from_numpy(case.truth).permute(2, 0, 1)[None], case.observation.start.cpu()  # (H, W, 3) -> (1, 3, H, W)
size_of_truth, far = float(x.norm() / z0.norm()), float((x - z0).norm() / z0.norm())
figure = Figure(figsize=(9.0, 3.2), layout="constrained")
axes = figure.subplots(1, 2)
labels = dict(norm="||z|| / ||z$_0$||", moved="||z - z$_0$|| / ||z$_0$||")
for axis, (column, label) in zip(axes, labels.items(), strict=True):
    for dash, name in zip(("-", "--", "-.", ":"), by_lam, strict=True):
        axis.plot(runs[name]["step"], runs[name][column], dash, label=name)
    axis.set(xlabel="Adam step", ylabel=label)
    axis.grid(alpha=0.3)
axes[0].axhline(size_of_truth, color="0.4", linewidth=0.8)
axes[0].annotate("the truth", (steps, size_of_truth), ha="right", va="bottom", fontsize=8)
axes[1].legend(fontsize=8)
axes[1].axhline(far, color="0.4", linewidth=0.8)
axes[1].annotate("the truth", (0, far), va="top", fontsize=8)
show(
    figure,
    alt="""Two panels for four values of lam. Size of the input: it drops to a tenth at the first swap, recovers
        within a fifth of the run and stays at the size of the truth. Distance from the start: nearly 1 after the first
        swap, then falling; in the end it is below the truth's distance for larger lam and above it for lam 0.""",
)
print(f"the truth: size {size_of_truth:.2f}, distance from z_0 {far:.2f}")
for name in by_lam:
    z_norm = runs[name]["norm"]
    print(f"{name}: least size {min(z_norm):.2f} at step {z_norm.index(min(z_norm)) + 1}, last {z_norm[-1]:.2f}; "
          f"moved in the end by {runs[name]['moved'][-1]:.2f}")

# %%
claim(
    all(min(runs[name]["norm"]) < 0.2 for name in by_lam),
    "the first swaps remove more than 80 % of the input's size",
    needs="smoke",
)
claim(
    all(abs(runs[name]["norm"][-1] / size_of_truth - 1) < 0.05 for name in by_lam),
    "in the end the input has the truth's size, within 5 %: it does not shrink to nothing",
)
claim(
    runs["moving, lam 1"]["moved"][-1] < far,
    "with lam = 1 the input ends nearer to the noisy picture than the truth is",
)
claim(
    runs["moving, lam 0"]["moved"][-1] > max(runs[name]["moved"][-1] for name in by_lam[1:]) + 0.02,
    "with lam = 0 it ends farther from the noisy picture than with each lam > 0",
)

# %% [markdown]
# The first swap replaces the picture by the output of a network after two training steps, which is almost nothing. Then
# the output grows, and the input with it. The input does not collapse to 0, as with a small network of lesson 04b:
# BatchNorm makes the network blind to the size of its input (lesson 03), so a small input does not give a small output.
#
# The distance reveals overfitting without a PSNR: if $z$ is closer to $y$ than $x$ is, the run has fitted noise. All
# runs come back towards $z_0 = y$. The run with `lam` = 0 comes last; the curves of 0.5, 1 and 2 nearly coincide.

# %% [markdown]
# ## The grid, stored
#
# One picture and one seed prove nothing, and the question is worth a grid: two tasks, two images each, two seeds, `lam`
# in {0, 0.5, 1, 2, 4}, $N$ in {1, 2, 4}, and as a control the input fixed with `lam` 0 and 1, all at 128 pixels and
# 1200 Adam steps at rate 1e-3. The MRI data are so noisy that the runs overfit in 1200 steps: 10 dB of the sampled
# k-space, as the stored rows count it, or 4 dB of the whole; at the course's usual 20 dB nothing overfits so soon.
#
# `scripts/grid.py` made the grid and stores one line for each run.

# %% tags=["stored-result"]
by_key = {grid.key(row, grid.KEYS): row for row in stored("grid/grid")}
rows = [by_key[key] for key in grid.grid()]
tasks = list(dict.fromkeys(row["task"] for row in rows))
print(", ".join(f"{number} runs of {task}" for task, number in Counter(row["task"] for row in rows).items()))
show(
    plot_grid(rows),
    alt="""For each task four panels. PSNR against steps, one line per lam, with the input moving at N 2, where lam 0
        rises slowest and lam 2 and 4 fastest, and with the input fixed, where it peaks within 150 steps and falls. The
        onset of overfitting against lam: below 200 with the fixed input, near the end for the moving one at lam 0,
        hollow where a run had not begun, and earlier for lam above 0. The size of the input against steps: it falls to
        about half in the first steps and returns to the size of the truth.""",
)

# %% [markdown]
# ### Exercise 5: onsets that were not seen
#
# Some runs had not begun to overfit when they ended, so their onset is `None`. This is not a missing value but a fact:
# the onset is later than the last step. For two runs that differ only in `lam`, say whether the one with **more** `lam`
# overfits "later", "earlier", or whether this is "undecided".


# %% tags=["exercise"]
def my_later(less, more):
    # blank: ...
    if less == more:  # the same step, or both not begun
        return "undecided"
    if less is None or more is None:
        return "later" if more is None else "earlier"
    return "later" if more > less else "earlier"
    # end


check("aseqdip.later", my_later)

# %% [markdown]
# `verdict` counts all such pairs. A run that never gets above the PSNR of $z_0$ has "failed": it has nothing to
# overfit, so a late onset would be no merit. One comparison is left out: in denoising with the input fixed, `lam` = 0
# and 1 are the same run, except for rounding, because there $\lambda$ only scales the loss.

# %% tags=["stored-result"]
found = verdict(rows)
no_control = ("denoising", "fixed")  # lam only scales the loss there
for sentence in found["sentences"]:
    if not sentence.startswith("{}, input {},".format(*no_control)):
        print(sentence)

# %% [markdown]
# Here is the table behind these sentences. PSNRs are means over images and seeds, onsets are medians. In the third
# column ">" says that some of the runs had not begun to overfit, so the number is a lower bound. "x" marks settings all
# of whose runs failed.


# %%
def heat(task):
    """Best PSNR, last PSNR and onset of a task, input and N downwards, lam to the right."""
    cells = {(cell["input"], cell["N"], cell["lam"]): cell for cell in found["table"] if cell["task"] == task}
    arms = {"input fixed": ("fixed", None)} | {f"moving, N = {N}": ("moving", N) for N in (1, 2, 4)}
    lams = sorted({lam for *_, lam in cells})
    columns = {"best": "best PSNR (dB)", "final": "last PSNR (dB)", "overfitting": "onset (median Adam step)"}
    figure = Figure(figsize=(10.4, 2.5), layout="constrained")
    for axis, (column, title) in zip(figure.subplots(1, 3, sharey=True), columns.items(), strict=True):
        values = torch.full((len(arms), len(lams)), float("nan"))
        for i, arm in enumerate(arms.values()):
            for j, lam in enumerate(lams):
                values[i, j] = cells.get((*arm, lam), {}).get(column, float("nan"))
        axis.imshow(values, cmap="cividis", aspect="auto")
        low, high = values[~values.isnan()].min(), values[~values.isnan()].max()
        for (i, arm), (j, lam) in ((a, b) for a in enumerate(arms.values()) for b in enumerate(lams)):
            cell = cells.get((*arm, lam))
            if cell and column in cell:
                late = column == "overfitting" and cell["not_begun"]
                text = ">" * bool(late) + (f"{cell[column]:.0f}" if column == "overfitting" else f"{cell[column]:.1f}")
                text += " x" * (cell["failed"] == cell["runs"])
                dark = values[i, j] < (low + high) / 2
                axis.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
        axis.set_title(f"{task}: {title}", fontsize=9)
        axis.set_xticks(range(len(lams)), [f"{lam:g}" for lam in lams])
        axis.set_yticks(range(len(arms)), list(arms))
        axis.set_xlabel("lam")
    return figure


for task in tasks:
    show(heat(task), alt=f"""Three tables of {task} as heat maps with their numbers written in: best PSNR, last PSNR and
        onset of overfitting, for the input fixed and moving with N 1, 2 and 4 from top to bottom, lam from left to
        right.""")

# %% [markdown]
# ### Where the delay comes from
#
# There are four settings of `lam` and input, and so four differences, each between runs of the same image and seed. We
# print medians, in steps; a run that had not begun to overfit counts as if it began after its last step.

# %% tags=["stored-result"]
for task in tasks:
    for kind, entries in found["delay"][task].items():
        for entry in entries:
            if (task, kind) == ("denoising", "lam, input fixed"):
                continue
            if entry["median"] is not None and entry["N"] in (None, 2) and entry["lam"] in (0, 1, 4):
                bound = f", {entry['bounds']} of them bounds" if entry["bounds"] else ""
                print(f"{task:>9}, {kind:>16}, lam = {entry['lam']:g}: {entry['median']:+7.1f} steps "
                      f"({entry['pairs']} pairs{bound})")

# %% [markdown]
# What does the input itself do: does it shrink, and how far does it go? At $N$ = 2:

# %% tags=["stored-result"]
for cell in found["table"]:
    if cell["N"] == 2 and "moved" in cell:
        print(f"{cell['task']:>9}, lam = {cell['lam']:g}: ||z|| / ||z_0|| falls to {cell['least']:.2f}, ends at "
              f"{cell['norm']:.2f} (truth: {cell['truth_norm']:.2f}); ||z - z_0|| / ||z_0|| = {cell['moved']:.2f}")
claim(
    all(cell["least"] < 0.6 and abs(cell["norm"] - 1) < 0.05 for cell in found["table"] if cell["N"] == 2),
    "stored: at N = 2 the input shrinks to less than 0.6 of its size and comes back to within 5 %, with every lam",
    needs="smoke",
)

# %% [markdown]
# The input collapses at first, because the young network's output is small, and then grows back to about the size of
# the truth. So a late onset here is no sign of a picture that has faded away.
#
# Read the tables in three ways, always with one change at a time.
#
# 1. **Down the first column**, `lam` = 0: this shows what the moving input does alone.
# 2. **Along the first row**, input fixed: this shows what `lam` does alone. In MRI it is a pull to $z_0$. For denoising
#    this row is no control: its entries are the same run, except for rounding.
# 3. **Along the other rows**: this is what the paper's sentence is about.
#
# And read each onset only beside its peak. A run that stays bad for long also has a late onset.
#
# ### How long does a run stay up? (stretch)
#
# Delay and slowness can be separated in part: count the steps between the **rise** (the first step at which the
# averaged PSNR is within 1 dB of its maximum) and the onset. But a run that is merely twice as slow also stays up for
# twice as many steps, so compare this number with the rise. The numbers are medians over the runs that did not fail;
# ">" marks lower bounds.

# %% tags=["stored-result"]
stay = {}
for task in tasks:
    for name, arm in {"fixed": ("fixed", None), "moving, N = 2": ("moving", 2)}.items():
        for lam in (0, 0.5, 1, 2, 4):
            of_arm = [row for row in rows if (row["task"], row["input"], row["N"], row["lam"]) == (task, *arm, lam)]
            good = [row for row in of_arm if not failed(row)]
            if good:
                stay[task, name, lam] = median(onset_of(row) - row["rise"] for row in good)
                late = any(row["overfitting"] is None for row in good)
                print(f"{task:>9}, {name:>13}, lam = {lam:<3g}: {len(good)} of {len(of_arm)} runs; "
                      f"rise at step {median(row['rise'] for row in good):>5.0f}, "
                      f"then {'>' * late}{stay[task, name, lam]:.0f} steps up")
for task in tasks:
    claim(
        min(value for (one, name, _), value in stay.items() if one == task and "moving" in name)
        > stay[task, "fixed", 0],
        f"{task}, stored: with the moving input, N = 2, runs stay up for more steps than with the fixed one, "
        "for every lam",
        needs="smoke",
    )

# %% [markdown]
# With the moving input a run rises more slowly, so at least a part of its late onset is slowness. Once up, it also
# stays up for more steps than with the fixed input; but does it so in units of its rise? In MRI nothing shows it: by
# these medians the onset comes at 2.6 and 2.4 times the rise with the fixed input, `lam` = 0 and 1, and at 1.65, 2.4
# and 2.5 times with the moving one and `lam` = 1, 2 and 4 (the first is a lower bound). In denoising it does,
# somewhat: 1.5 times with the fixed input, 1.9, 1.7 and 1.8 times with the moving one and the same `lam`. At `lam` =
# 0 there is the least evidence: in MRI no run had begun to fall, in denoising half of them failed.
#
# ### The verdict
#
# "The autoencoding term delays the onset of overfitting." This sentence contains two questions: does the presence of
# the term delay the onset, and does a larger weight delay it? So we count pairs with `lam` = 0 separately from pairs in
# which both runs have the term.

# %% tags=["stored-result"]
for task in tasks:
    for arm, kinds in found["order"][task].items():
        for kind, counts in kinds.items():
            if counts["later"] + counts["earlier"] and (task, arm) != no_control:
                print(f"{task:>9}, input {arm:>6}, {kind}: the sentence {counts['holds']!r}: "
                      f"later {counts['later']}, earlier {counts['earlier']}")


def mean_of(task, column, input, N, lam):
    """One number of the table."""
    return next(cell[column] for cell in found["table"] if
                (cell["task"], cell["input"], cell["N"], cell["lam"]) == (task, input, N, lam))


for task in tasks:
    zero, positive = found["order"][task]["moving"].values()
    claim(
        zero["holds"] in ("the opposite", "mostly the opposite"),
        f"{task}, stored: with the moving input lam = 0 overfits later than lam > 0 in two thirds of the decided pairs",
        needs="smoke",
    )
    entries = [entry["median"] for entry in found["delay"][task]["moving input"] if entry["N"] in (2, 4)]
    claim(
        min(entries) > 500,
        f"{task}, stored: lam = 0, N = 2 and 4: with the moving input the onset of runs that did not fail comes more "
        "than 500 steps later than with the fixed one (median)",
        needs="smoke",
    )
    claim(
        mean_of(task, "best", "moving", 2, 1.0) > mean_of(task, "best", "moving", 2, 0.0) + 2,
        f"{task}, stored: moving, N = 2: lam = 1 has a peak more than 2 dB above that of lam = 0, in the mean",
        needs="smoke",
    )
among = {task: found["order"][task]["moving"]["among lam > 0"]["holds"] for task in tasks}
claim(
    among == dict(mri="no order", denoising="holds mostly"),
    "stored: among lam > 0 a larger lam overfits later in two thirds of the decided pairs in denoising, not in MRI",
    needs="smoke",
)
claim(
    all(mean_of(task, "best", "moving", 1, 4.0) > mean_of(task, "best", "moving", 1, 0.5) + 5 for task in tasks)
    and mean_of("denoising", "best", "moving", 2, 4.0) > mean_of("denoising", "best", "moving", 2, 0.5) + 3,
    "stored: from lam = 0.5 to 4 the peak gains more than 5 dB with N = 1, and more than 3 dB in denoising with N = 2",
    needs="smoke",
)
claim(
    mean_of("mri", "best", "fixed", None, 1.0) < mean_of("mri", "best", "fixed", None, 0.0) - 0.5,
    "mri, stored, input fixed: lam = 1 costs more than 0.5 dB of the peak, in the mean",
    needs="smoke",
)

# %% [markdown]
# What speaks **for** the paper: aSeqDIP overfits much later than DIP with the same input, as in its Fig. 4. `lam`
# matters, as in its Fig. 9: without it the moving input is slow and its peak is low. The height of the peak depends on
# the size of `lam`, most of all at $N$ = 1. And in denoising, once the term is present, a larger `lam` mostly means a
# later onset.
#
# What speaks **against** its explanation: with the moving input and `lam` = 0, those runs that did not fail overfit
# late without any term. Where the two can be compared, adding the term mostly brings the onset forward, and raises the
# peak. In MRI, among `lam` > 0, there is no order at all. So the sentence "the autoencoding term delays the onset of
# overfitting" is not what these runs show. They show that **with the moving input runs rise later and stay up for more
# steps, and that the term makes the moving input worth having.** In units of the rise a run with `lam` = 1, 2 or 4
# stays up longer only in denoising: there the onset comes at 1.7 to 1.9 times the rise, and at 1.5 times with the fixed
# input. In MRI these medians show no longer stay: 1.65 to 2.5 times with the moving input, 2.6 and 2.4 times with the
# fixed one (`lam` = 0 and 1).
#
# What they **cannot** say is how much of the late onset at `lam` = 0 is slowness, in MRI perhaps all of it. With
# $N$ = 1, and in denoising with $N$ = 2, half of these runs or more failed, so they have no onset to compare. Nor do
# they say *why* the onset with a moving input is late. That it is late is no law: lesson 04b has a network that comes
# near the noisy signal sooner with a moving input, and one that comes near it only with a fixed one. What the moving
# input does depends on the network, through its kernel $\Theta(z_k)$ and its response to a swap. The networks of lesson
# 04b are small and without normalisation; here we have a U-Net, with BatchNorm and Adam.
#
# The comparison that could have told the two ideas apart, a fixed input, is not in the paper. Our grid is small, with
# narrow networks, a rate ten times the paper's and fewer steps, so a different result at the paper's sizes is possible.
# The same command can find out.

# %% [markdown]
# ## What went wrong, and why: a swap at every step
#
# Somebody reads "the input follows the output" and sets `N` = 1, `lam` = 0. Why wait, and why hold back?

# %%
runs["moving, lam 0, N 1"] = run(moving(0, 1))
half = steps // 2
report(["fixed, lam 0", "moving, lam 0, N 1", "lam 1, N 1", "moving, lam 1"])
print(f"after {half} steps: " + ", ".join(
    f"{name} {runs[name]['psnr'][half - 1]:.2f} dB" for name in ("moving, lam 0, N 1", "lam 1, N 1", "moving, lam 1")))

# %%
claim(
    max(runs[name]["psnr"][half - 1] for name in ("moving, lam 0, N 1", "lam 1, N 1"))
    < runs["moving, lam 1"]["psnr"][half - 1] - 3,
    "half way, N = 1 with lam = 0 and with lam = 1 is more than 3 dB behind N = 2 with lam = 1",
)

# %% [markdown]
# The onset is late, and half way the image is bad: anyone who reports only the onset calls this a success.
#
# **First explanation: the picture is thrown away.** With $N = 1$ the first inputs are outputs of a network that has
# learned nothing. Look at them.


# %%
def likeness(z):
    """Correlation of an image (1, 3, H, W) with the truth x, over all pixels and colours."""
    a, b = z.cpu() - z.cpu().mean(), x - x.mean()
    return float((a * b).sum() / (a.norm() * b.norm()))


print(f"z_0:   size 1.00, correlation with the truth {likeness(z0):.2f}")
like = {}
for state in iterate(case.observation, moving(0, 1), seed=0, steps=pick(smoke=10, laptop=40, paper=40)):
    if state.step in (1, 2, 5, 10, 20, 40):
        z = state.carry.z.cpu()
        like[state.step] = likeness(z)
        print(f"z_{state.step:<3}: size {z.norm() / z0.norm():.2f}, correlation with the truth {like[state.step]:.2f}")

# %% tags=["nbval-check-output"]
claim(like[1] < likeness(z0) / 2, "the first swap removes more than half of the correlation with the truth", "smoke")

# %% [markdown]
# This sounds right. It also makes a prediction: if the network may learn something before the first swap, the failure
# should go away. So we keep the input fixed for the first steps, and only then let it move, with the same `N` = 1 and
# `lam` = 0.

# %%
wait = pick(smoke=8, laptop=60, paper=100)
*_, state = iterate(case.observation, fixed(0), seed=0, steps=wait)
waited = f"the same, after {wait} steps"
runs[waited] = run(moving(0, 1), carry=state.carry)
patient = ["fixed, lam 0", "moving, lam 0, N 1", waited, "moving, lam 1"]
report(patient)
show(
    draw_runs(patient),
    alt="""PSNR against Adam steps. With N 1 and lam 0 the curve creeps up in a wavy line. The run that
        waits leaves the fixed input's curve at its first swap, falls by several dB to the creeping curve, and continues
        below it. N 2 with lam 1 is far above both.""",
)

# %%
before, after = runs["fixed, lam 0"]["psnr"][wait - 1], min(runs[waited]["psnr"][:half])
print(f"at the first swap {before:.2f} dB, then down to {after:.2f} dB")
claim(after < before - 2, "the run that waited falls by more than 2 dB once its input moves: the explanation is wrong")

# %% [markdown]
# The prediction fails. The run already had a better picture, and lost it **by moving**. And a far better run, $N = 2$
# with `lam` = 1, went through an input nearly as small. So the empty input is a fact, but it is not the reason.
#
# **Second explanation: the swaps shake the output.** A swap changes the output by $\delta = f(z_k) - f(z_{k-1})$. By E1
# the autoencoding term at the first step of a stage is $\|\delta\|^2$, so every run has measured it:

# %%
jumps = {}
print(f"{'':>18}  change by a swap  the same per step  PSNR after {half} steps")
for name in ("moving, lam 0, N 1", "lam 1, N 1", "moving, lam 0", "moving, lam 0.5", "moving, lam 1", "moving, lam 2"):
    late = [jump for step, jump in runs[name]["jump"] if steps // 5 < step <= half]
    jumps[name] = sorted(late)[len(late) // 2]
    per_step = jumps[name] / (1 if "N 1" in name else 2)
    print(f"{name:>18}  {jumps[name]:16.1%}  {per_step:17.1%}  {runs[name]['psnr'][half - 1]:.2f} dB")
print("(changes as medians over these steps, in per cent of ||z_0||)")

# %%
shaken = ("moving, lam 0, N 1", "lam 1, N 1", "moving, lam 0")
calm = ("moving, lam 0.5", "moving, lam 1", "moving, lam 2")
claim(
    min(jumps[name] for name in shaken) > max(jumps[name] for name in calm)
    and max(runs[name]["psnr"][half - 1] for name in shaken) < min(runs[name]["psnr"][half - 1] for name in calm) - 3,
    "the three runs that a swap changes most are the three worst, by more than 3 dB",
)
claim(
    jumps["moving, lam 1"] < 0.6 * jumps["moving, lam 0"] and jumps["lam 1, N 1"] > 0.8 * jumps["moving, lam 0, N 1"],
    "lam = 1 reduces the change by more than 40 % with N = 2, and by less than 20 % with N = 1",
)

# %% [markdown]
# By and large this fits: the runs that are shaken are the bad ones. Their order among these three says nothing: their
# PSNRs lie within 0.3 dB of each other, and rounding alone made two runs differ by as much. With $N = 2$, `lam` = 1
# damps the shaking, as friction does; with $N = 1$ it hardly does. A larger `lam` can rescue $N = 1$: in the grid its
# peak with `lam` = 4 is more than 5 dB above that with 0.5. In lesson 04b's linear theory the friction of a slow mode
# is about $2\beta\theta N(1+\lambda)$, so a short stage needs a larger `lam`. But a fit is not a proof: that shaking
# and bad images go together in six runs does not show that one causes the other. Lesson 06b asks that, with more
# images, seeds and controls. What this picture and this seed do show is that the first explanation, the one that
# sounded right, is wrong.

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the answers.

# %%
from aseqdip_lite.course import quiz

quiz("06")

# %% [markdown]
# ## What you can now say
#
# Take out your predictions.
#
# 1. Little: a tenth of its size, and with $N = 1$ a third of its correlation with the truth. But that does little harm.
# 2. No. For denoising exact stages return $y$. The few steps are the regulariser.
# 3. Without the term our run was slower and softer, and it had not begun to overfit; but neither had a fixed input at a
#    lower rate.
# 4. From 0 to 1: sooner, here and, in the median, in the grid. From one `lam` > 0 to a larger one: mostly later in
#    denoising, in no order in MRI.
# 5. Not `lam` alone: with the moving input runs rise later and stay up for more steps, and some do so at `lam` = 0; how
#    much of that is more than slowness is open. `lam` makes a moving input usable, because with it the peak is higher.
#
# - You can write aSeqDIP from its equations, bit for bit, and name the four decisions that the equations leave open.
# - You can show that at rest `lam` and `N` drop out, and that the noisy picture solves Eq. (6).
# - You can name the control that separates two ideas, and run it.
# - You can compare onsets when some of them were not seen, and you do not mistake slowness for a delay.

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding
#   Sequential Deep Image Prior.* NeurIPS 2024. Equations (1) and (3) to (6), Algorithm 1, remarks 3.1 and 3.3, section
#   3.2.1, Figures 4, 8, 9 and 10.
# - D. Ulyanov, A. Vedaldi, V. Lempitsky. *Deep Image Prior.* CVPR 2018. doi:10.1109/CVPR.2018.00984
# - R. T. Rockafellar. *Monotone operators and the proximal point algorithm.* SIAM J. Control Optim. 14, 1976.
#   doi:10.1137/0314056
# - D. P. Kingma, J. Ba. *Adam: a method for stochastic optimization.* ICLR 2015. arXiv:1412.6980
# - C. J. Holmes et al. *Enhancement of MR images using registration for signal averaging.* J. Comput. Assist. Tomogr.
#   22, 1998 (Colin27). doi:10.1097/00004728-199803000-00032
