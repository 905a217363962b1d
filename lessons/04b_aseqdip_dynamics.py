# ---
# jupyter:
#   minutes: 1
# ---

# %% [markdown]
# # aSeqDIP's own dynamics: what lam and N do while the kernel stands still
#
# {colab}
#
# **After this lesson you can**
#
# - derive what one stage of aSeqDIP does to its input: a target, a factor, and the swap;
# - read aSeqDIP as gradient descent with a preconditioner and momentum, and read `lam` as its friction;
# - prove three statements about it that need no approximation;
# - say where the linear theory fails, and recognise an error that is small for the wrong reason.
#
# **You need** lesson 04 (the kernel $\Theta$ and its modes), linear algebra with eigenvectors. Lesson 06 (aSeqDIP) can
# come before or after.
#
# **Time** about {minutes} minute to run in the `laptop` profile on one CPU core (measured); not yet measured on a GPU.
# To work through it, take 60 minutes; without the sections marked *stretch*, 45.
#
# **Data** simulated: sinusoids in noise. Code BSD-3-Clause, text CC BY 4.0.

# %%
import matplotlib
import torch
from matplotlib.figure import Figure

from aseqdip_lite.course import banner, check, claim, drawings, pick, show
from aseqdip_lite.course.theory import dynamics, figures_dynamics, stages
from aseqdip_lite.course.theory.descent import sinusoid
from aseqdip_lite.course.theory.figures_dynamics import styles
from aseqdip_lite.course.theory.nets import as_function, conv_net
from aseqdip_lite.course.theory.ntk import ntk_matrix

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(
    drawings.spring(),
    alt="""Left, a plane whose axes are the slow and the fast mode of the input. Three lines of dots rise from 0 to the
        height of a star, the data y. One bends soon and creeps along towards the star. One overshoots the height of
        the star, then its place, and runs back and forth along the slow mode. One rises more slowly and swings
        less. Right, the slow mode against the stage: a slow rise, a wave from 0.4 to 1.8 around 1, and a wave that
        dies out.""",
)

# %% [markdown]
# **The input as a mass on a spring.** aSeqDIP with a linear network pulls its input towards the data $y$, quickly in
# the fast mode and slowly in the slow mode. If the network ignores its input, the input creeps there. If the network
# passes its input on, the input has momentum: it shoots past $y$ and swings. The larger $\lambda$, the sooner the
# swinging dies. This lesson derives that picture, and then asks how well a trained network obeys it.

# %% [markdown]
# ## Predict first
#
# Write your guesses down; the last section asks for them again.
#
# 1. You run aSeqDIP on a noisy signal, with a larger `lam`. Does the run end nearer to the noisy signal, or farther
#    from it?
# 2. A run has come to rest: the output is the input, and no step changes the weights. How do `lam` and `N` affect where
#    it rests?
# 3. Does a moving input reach the noisy signal sooner than a fixed one, or later?

# %% [markdown]
# ## The algorithm, and what we assume
#
# Lesson 04 asked what training does to the output of a network with one fixed input: a step of size $\beta$ against the
# gradient of a loss $L$ moves it by
#
# $$f \leftarrow f - \beta\,\Theta\,\nabla_{\!f} L, \qquad \Theta = JJ^T . \tag{10}$$
#
# aSeqDIP moves its input. Recall the algorithm: for $k = 1, \dots, K$, take $N$ steps of size $\beta$ on
#
# $$L(\phi) = \|Af_\phi(z_{k-1}) - y\|^2 + \lambda\,\|f_\phi(z_{k-1}) - z_{k-1}\|^2 ,
# \qquad\text{then}\quad z_k = f_{\phi_k}(z_{k-1}).$$
#
# The paper does not linearise it; what follows is this project's derivation. As in lesson 04, we take the network to
# first order, with a $\Theta$ that does not change. Mind the symbols: here $\lambda$ is `lam`, and an eigenvalue of
# $\Theta$ is $\theta$. The squares have no $\frac12$, so $2\beta$ takes the place of lesson 04's $\beta$.
#
# ## One stage
#
# Within a stage the input $z = z_{k-1}$ is fixed. Let $u$ be the output while the stage runs. The gradient of $L$ with
# respect to $u$ is
#
# $$2A^H(Au-y) + 2\lambda(u-z) = 2\,(Hu - A^Hy - \lambda z), \qquad H = A^HA+\lambda I .$$
#
# It vanishes at $t(z) = H^{-1}(A^Hy+\lambda z)$, the minimiser of $\|Au-y\|^2+\lambda\|u-z\|^2$, which is called the
# **proximal point** of the data term. So the gradient is $2H(u-t)$, and by (10) a step is
#
# $$u \leftarrow u - 2\beta\,\Theta H\,(u - t), \qquad\text{that is}\qquad u - t \leftarrow M\,(u-t), \quad
# M = I - 2\beta\,\Theta H .$$
#
# The stage begins at $u_k = f_{\phi_{k-1}}(z_{k-1})$, the output of the old network for the new input. After $N$ steps
#
# $$z_k = t(z_{k-1}) + M^N\,\big(u_k - t(z_{k-1})\big). \tag{S}$$
#
# (For $\lambda = 0$ and an $A$ with a null space, $H$ has no inverse. Then any minimiser serves as $t$; the formula at
# the end of the next section does not contain $t$.)
#
# ### Exercise 1: the proximal point
#
# Return $t(z) = \arg\min_u \|Au-y\|^2+\lambda\|u-z\|^2$ for a real matrix $A$ (m, n) and $\lambda>0$.


# %% tags=["exercise"]
def my_proximal(A, y, z, lam):
    # blank: return ...
    H = A.T @ A + lam * torch.eye(len(z), dtype=z.dtype)
    return torch.linalg.solve(H, A.T @ y + lam * z)
    # end


check("stage.proximal", my_proximal)

# %% [markdown]
# ### Exercise 2: a whole stage
#
# Return $z_k$ according to (S): the output after $N$ steps, when the stage begins at the output `u` $= u_k$. `theta` is
# $\Theta$, and `my_proximal` may help.


# %% tags=["exercise"]
def my_stage(theta, A, y, z, u, lam, N, beta):
    # blank: return ...
    identity = torch.eye(len(z), dtype=z.dtype)
    H = A.T @ A + lam * identity
    t = torch.linalg.solve(H, A.T @ y + lam * z)
    return t + torch.linalg.matrix_power(identity - 2 * beta * theta @ H, N) @ (u - t)
    # end


check("stage.output", my_stage)

# %% [markdown]
# ## From stage to stage
#
# (S) needs $u_k$. Two observations remove it.
#
# **The move within a stage.** Subtract $z = z_{k-1}$ from (S), with $\delta_k = u_k - z_{k-1}$:
#
# $$z_k - z_{k-1} = (I-M^N)\,(t - z_{k-1}) + M^N\delta_k .$$
#
# The geometric series gives $I - M^N = \sum_{j<N}M^j\,(I-M) = B_NH$ with $B_N = 2\beta\sum_{j<N}M^j\,\Theta$. And
#
# $$H\,(t-z) = A^Hy+\lambda z - A^HAz-\lambda z = A^H(y-Az):$$
#
# so $\lambda$ has cancelled.
#
# **Two minutes.** Why must $\lambda$ cancel? Think of a $z$ that fits the data, $Az = y$: where is $t(z)$ then? (At
# $z$, for every $\lambda$: no distance is left that $\lambda$ could scale.)
#
# **The swap.** By the update of the input, $z_{k-1} = f_{\phi_{k-1}}(z_{k-2})$. So
# $\delta_k = f_{\phi_{k-1}}(z_{k-1}) - f_{\phi_{k-1}}(z_{k-2})$: the same network on two successive inputs. To first
# order that is $G\,v_{k-1}$, with $G = \partial f/\partial z$ and the velocity $v_{k-1} = z_{k-1}-z_{k-2}$.
#
# Together:
#
# $$z_k = z_{k-1} + B_N\,A^H(y - Az_{k-1}) + M^N G\,v_{k-1}. \tag{P}$$
#
# The middle term is gradient descent on $\|Az-y\|^2$ with the network's kernel as **preconditioner**. The last one is
# **momentum**. The weight $\lambda$ appears in $M$ and nowhere else.
#
# Is the algebra right? We compare it with a literal simulation, which uses nothing of the derivation: a model that is
# linear in weights and input is trained with autograd's gradient of $L$ as written, step by step, stage by stage.

# %%
d = 12  # length of the test signals


def drawn_matrix(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def momentum_form(theta, G, A, y, z0, f0, lam, N, beta, stages):
    H = A.T @ A + lam * torch.eye(len(z0), dtype=torch.float64)
    M = torch.eye(len(z0), dtype=torch.float64) - 2 * beta * theta @ H
    powers = [torch.linalg.matrix_power(M, j) for j in range(N + 1)]
    B = 2 * beta * sum(powers[:N]) @ theta
    path = [z0, powers[N] @ f0 + B @ (A.T @ y + lam * z0)]  # stage 1 has no swap behind it
    for _ in range(stages - 1):
        z, before = path[-1], path[-2]
        path.append(z + B @ A.T @ (y - A @ z) + powers[N] @ G @ (z - before))
    return torch.stack(path)


J = drawn_matrix(d, 3 * d, seed=0) / d
G = 0.4 * drawn_matrix(d, d, seed=1) / d**0.5
operators = {"identity": torch.eye(d, dtype=torch.float64), "general A": drawn_matrix(8, d, seed=2) / 3}
operators["mask"] = torch.diag((torch.arange(d) % 3 != 1).double())
worst = 0.0
for A in operators.values():
    for lam in (0.0, 1.0, 4.0):
        for N in (1, 2, 7):
            step = 0.6 * dynamics.largest_step(J @ J.T, A, lam)
            start = [drawn_matrix(d, seed=seed) for seed in (3, 4)]
            target = drawn_matrix(len(A), seed=5)
            literally = dynamics.linear_simulation(J, G, A, target, *start, lam, N, step, 12)
            formula = momentum_form(J @ J.T, G, A, target, *start, lam, N, step, 12)
            library = dynamics.momentum_path(J @ J.T, G, A, target, *start, lam, N, step, 12)
            worst = max(worst, float((literally - formula).abs().max()), float((library - formula).abs().max()))

# %% tags=["nbval-check-output"]
claim(worst < 1e-10, "3 operators, 3 lam, 3 N: (P), the library's form and the simulation agree within 1e-10", "smoke")

# %% [markdown]
# ## One mode at a time
#
# For $A = I$ we have $H = (1+\lambda)I$, and each mode of $\Theta$ evolves on its own if $G$ does not mix them. Let
# $\theta$ be its eigenvalue, $q = 1 - 2\beta(1+\lambda)\theta$ and $a = 1 - q^N$. Then $B_N = a/(1+\lambda)$, and the
# error $e = z - y$ obeys
#
# $$e_k = \Big(1 - \frac{a}{1+\lambda}\Big)e_{k-1} + q^N G\,(e_{k-1}-e_{k-2}).$$
#
# ### Exercise 3: a network that is blind to its input
#
# Let $G = 0$. Return the factor by which one stage multiplies the error $e$ of a mode.


# %% tags=["exercise"]
def my_factor(theta, lam, N, beta):
    # blank: return ...
    q = 1 - 2 * beta * (1 + lam) * theta
    return (lam + q**N) / (1 + lam)
    # end


check("stage.factor", my_factor)

# %% [markdown]
# For $N = 1$ the factor of a blind network is
#
# $$\frac{\lambda + 1 - 2\beta(1+\lambda)\theta}{1+\lambda} = 1 - 2\beta\theta : \quad\lambda\text{ cancels.}$$
#
# For slow modes it cancels at any $N$, to first order in $\theta$. For very fast ones the factor tends to
# $\frac{\lambda}{1+\lambda}$. So, as a filter, $\lambda$ slows only the **fast** modes. What they contain depends on
# the input: for $z = x$ the signal, for $z = y$ most of the noise as well.
#
# **A residual network** whose $g$ is blind has $G = 1$, and is a mass on a spring. In slow modes the spring constant is
# $h \approx 2\beta N\theta$, and the friction is $a \approx h\,(1+\lambda)$. Without friction the mode would swing with
# the frequency $\sqrt h$. So a slow mode that starts at rest **crosses** $y$ for the first time after about
# $\frac{\pi}{2\sqrt h}$ stages, while without momentum it needs about $\frac{\ln 2}{h}$ stages for only the first half
# of the distance, which is far more. But it does not **stay** there: the swinging shrinks by the factor
# $1 - \frac{h\,(1+\lambda)}{2}$, approximately, per stage. At $\lambda = 0$ this is slower than without momentum, where
# the factor is $1 - h$. A larger $\lambda$ makes it faster, up to a $1+\lambda$ of about $\frac{2}{\sqrt h}$. Beyond
# that the mode no longer swings but creeps, and the larger $\lambda$, the more slowly.

# %%
show(
    figures_dynamics.plot_modes(),
    alt="""Error of a fast and a slow mode against stages. Left, blind to its input: the slow mode falls along one
        curve for every lam, and the fast one is slower for larger lam. Right, residual: the modes swing around zero;
        the larger lam, the sooner the swinging dies.""",
)
slow, fast, lams = 1e-4, 0.15, (0.0, 1.0, 4.0)  # two eigenvalues theta, with 2 beta = 1


def factor(theta, gain, lam, N):
    """By how much a mode of the error shrinks per stage, A = I: the larger root of its recursion."""
    return float(dynamics.mode_roots(theta, gain, lam, N, 0.5).abs().max())


def reach(theta, gain, lam, N, level, most=20_000):
    """The first stage after which the error of a mode, from 1 and at rest, is not above the level, A = I."""
    q = 1 - (1 + lam) * theta  # 2 beta = 1
    before = error = 1.0
    for stage in range(most):
        if error <= level:
            return stage
        before, error = error, error - (1 - q**N) / (1 + lam) * error + q**N * gain * (error - before)
    return most


print("factor per stage, N = 2    G = 0, slow   G = 0, fast   G = 1, slow")
for lam in lams:
    row = factor(slow, 0, lam, 2), factor(fast, 0, lam, 2), factor(slow, 1, lam, 2)
    print("lam = {:g} {:>31.6f}{:>14.4f}{:>14.6f}".format(lam, *row))
h = 2 * slow  # 2 beta N theta
crossing = {lam: reach(slow, 1, lam, 2, 0.0) for lam in lams}
halfway = {gain: reach(slow, gain, 0.0, 2, 0.5) for gain in (0, 1)}
print(f"slow mode, lam = 0: half of the way after {halfway[0]} stages with G = 0, after {halfway[1]} with G = 1")
print(f"G = 1: first crossing at stage {list(crossing.values())} for lam {list(lams)}; "
      f"pi / (2 sqrt h) = {torch.pi / (2 * h**0.5):.0f}")

# %% tags=["nbval-check-output"]
once = [factor(fast, 0, lam, 1) for lam in lams]
blind_slow = [factor(slow, 0, lam, 2) for lam in lams]
ring = [factor(slow, 1, lam, 2) for lam in lams]
claim(max(once) - min(once) < 1e-12, "G = 0, N = 1: lam cancels, within 1e-12", needs="smoke")
claim(max(blind_slow) - min(blind_slow) < 1e-6, "G = 0, N = 2, slow mode: lam changes the factor by less than 1e-6",
      needs="smoke")
claim(ring[0] > ring[1] > ring[2], "G = 1: the larger lam, the faster the swinging dies", needs="smoke")
claim(
    all(abs(one - (1 - h * (1 + lam) / 2)) < 1e-6 for one, lam in zip(ring, lams, strict=True)),
    "G = 1: its factor is 1 - h (1 + lam) / 2, within 1e-6",
    needs="smoke",
)
claim(ring[0] > blind_slow[0], "lam = 0: in the long run the swinging mode is slower than the one without momentum",
      needs="smoke")
claim(
    all(abs(stage - torch.pi / (2 * h**0.5)) < 5 for stage in crossing.values()) and halfway[1] < halfway[0] / 10,
    "but it first crosses y after pi / (2 sqrt h) stages, within 5, and is half-way more than 10 times sooner",
    needs="smoke",
)

# %% [markdown]
# ## Three exact statements
#
# The linear theory is an approximation. The next three statements are not: they are true for any network, and we check
# them on a trained one. It is a residual network, trained by aSeqDIP from $z_0 = y$ for a few stages.

# %%
m, layers, width = pick(smoke=24, laptop=100, paper=100), pick(smoke=3, laptop=5, paper=5), pick(8, 64, 64)
signals = sinusoid(m, seed=0)
y = signals.y
signal, measured, other = (s.flatten() for s in signals)  # the truth, y and noise as vectors (m,)
identity = torch.eye(m, dtype=torch.float64)
g, g_params = as_function(conv_net(width, layers, seed=0))
f, _ = as_function(conv_net(width, layers, seed=0), residual=True)
beta = 0.15 * dynamics.largest_step(ntk_matrix(g, g_params, y), identity, 0.0)
weights, zs = g_params, [measured]
for _ in range(5):
    weights = stages.descend(f, weights, identity, measured, zs[-1], lam=1.0, N=2, beta=beta)
    zs.append(stages.output(f, weights, zs[-1]))
trained_z, before = zs[-1], zs[-2]


def gradient(f, z, lam, data=1.0):
    """Gradient of data ||f(z) - y||^2 + lam ||f(z) - z||^2 in the trained weights, as one vector."""
    leaves = {name: p.clone().requires_grad_() for name, p in weights.items()}
    u = stages.output(f, leaves, z)
    loss = data * (u - measured).square().sum() + lam * (u - z).square().sum()
    parts = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


# %% [markdown]
# **E1. What the autoencoding term sees.** At the first step of stage $k\ge2$ its gradient is
# $2\lambda J^T(u_k - z_{k-1}) = 2\lambda J^T\delta_k$, and by the update of the input
# $\delta_k = f_{\phi_{k-1}}(z_{k-1}) - f_{\phi_{k-1}}(z_{k-2})$. If the swap does not change the output, the gradient
# is zero. Later in the stage, $u - z_{k-1}$ also contains what has moved within the stage. It contains nothing else,
# neither a clean image nor a prior. So the term opposes **motion**, and its anchor moves along. That is friction, not a
# spring.

# %%
swap = stages.output(f, weights, trained_z) - stages.output(f, weights, before)  # delta_k
_, backward = torch.func.vjp(lambda weights: stages.output(f, weights, trained_z), weights)
of_swap = torch.cat([2 * part.flatten() for part in backward(swap)[0].values()])
of_term = gradient(f, trained_z, lam=1.0, data=0.0)

# %% tags=["nbval-check-output"]
claim(
    (of_swap - of_term).norm() < 1e-9 * of_term.norm(),
    "E1: the autoencoding term's gradient is 2 J^T delta, within a relative 1e-9",
    needs="smoke",
)

# %% [markdown]
# **Two minutes.** What loss would a *spring* to $z_0$ have, and where would its anchor be in later stages?
# ($\lambda\,\|f - z_0\|^2$; its anchor would stay at $z_0$.)
#
# **E2. Where a run can come to rest.** Let $f(z^*) = z^*$ and let no step change the weights. Then the gradient of the
# autoencoding term is $2\lambda J^T(f(z^*)-z^*) = 0$. So the gradient of the data term must vanish alone:
#
# $$J^TA^H(Az^*-y) = 0 .$$
#
# $\lambda$ and $N$ have dropped out. Multiply by $J$ to obtain $\Theta\,A^H(Az^*-y) = 0$; if $\Theta$ has no zero
# eigenvalue, $A^H(Az^*-y) = 0$. For denoising that means $z^* = y$, **noise and all**, whatever $\lambda$.
#
# To see this, we construct a fixed point: $f'(z) = z + g_\phi(z) - g_{\phi_{\rm trained}}(z)$ returns every $z$
# unchanged.

# %%
fixed = stages.centred(g, weights)
by_lam = [gradient(fixed, trained_z, lam) for lam in (0.0, 1.0, 4.0)]
at_measured = gradient(fixed, measured, lam=1.0)
smallest = float(torch.linalg.eigvalsh(ntk_matrix(g, weights, trained_z[None, None]))[0])
print(f"gradient at f(z) = z: {by_lam[0].norm():.4g} for lam = 0, {by_lam[2].norm():.4g} for lam = 4; "
      f"at z = y: {at_measured.norm():.1g}")
print(f"smallest eigenvalue of the trained network's Theta: {smallest:.3g}")

# %% tags=["nbval-check-output"]
claim(
    all((one - by_lam[0]).norm() < 1e-9 * by_lam[0].norm() for one in by_lam) and by_lam[0].norm() > 0,
    "E2: at f(z) = z the gradient is that of the data term for every lam, within a relative 1e-9",
    needs="smoke",
)
claim(smallest > 0, "E2: Theta has no zero eigenvalue here", needs="smoke")
claim(at_measured.norm() < 1e-9 * by_lam[0].norm(), "E2: at z = y it rests, within a relative 1e-9", needs="smoke")

# %% [markdown]
# **E3. What Eq. (6) asks for.** The paper's remark 3.1 says that limit points solve $\min_\phi\|Af_\phi(z)-y\|^2$
# subject to $z = f_\phi(z)$. Let $AA^Hy = y$, as in denoising, with masks, or with one coil. Take $z = A^Hy$ and a
# network with $f(z) = z$. The constraint is met, and
#
# $$\|Af(z)-y\|^2 = \|AA^Hy-y\|^2 = 0 .$$
#
# No value can be smaller. So the noisy image itself, or the zero-filled one, **is a global minimiser** of (6), and a
# network that starts there has gradient zero and never moves. (This is for gradient descent. Adam divides by the
# gradient's size, so with Adam a rounding error is enough to leave.)

# %%
resting = {}
for name, A in {"denoising": identity, "mask": torch.diag((torch.arange(m) % 3 != 1).double())}.items():
    start = A.T @ measured
    path = stages.trained_path(stages.centred(g, g_params), g_params, A, A @ measured, start, 1.0, 2, beta, 50)
    resting[name] = float((path - start).norm(dim=1).max() / start.norm())

# %% tags=["nbval-check-output"]
for name, moved in resting.items():
    claim(moved < 1e-9, f"E3, {name}: a network with f(z) = z at z = A^H y has not moved after 50 stages, within 1e-9",
          needs="smoke")

# %% [markdown]
# ### What they say about the paper's sentences
#
# - "an autoencoding regularization term used for noise overfitting mitigation": by E1 and E2 the term does not pull
#   towards anything clean, and it does not change where a run may rest.
# - "aSeqDIP is solving the optimization problem in (6)": by E3 a minimiser of (6) may be the noisy image. Solving (6)
#   cannot be what makes a good image.
#
# So these two sentences do not explain good images. If aSeqDIP's images are good, which lessons 06 to 12 examine, the
# reason must be the **path**, and stopping before its end.

# %% [markdown]
# ## The linear theory against trained networks
#
# Now we compare (P), with $\Theta$ and $G$ of the initial network **frozen** for all stages, with aSeqDIP by gradient
# descent. We use two networks:
#
# - "centred": $f(z) = z + g_\phi(z) - g_{\phi_0}(z)$. It begins as the identity, $G_0 = I$, and its run starts near
#   $y$, at $z_0 = y + 0.3\cdot$ noise.
# - "the paper's": $f(z) = z + g_\phi(z)$ as in experiment A.2 of lesson 04, from $z_0 = y$.

# %%
centred, stage_count = stages.centred(g, g_params), pick(smoke=10, laptop=200, paper=500)
near_y = measured + 0.3 * other
found = {}
for lam in (0.0, 2.0):
    found[f"centred, lam = {lam:g}"] = stages.frozen_kernel_error(
        centred, g_params, identity, measured, near_y, lam, 2, beta, stage_count)
found["the paper's, lam = 1"] = stages.frozen_kernel_error(
    f, g_params, identity, measured, measured, 1.0, 2, beta, stage_count)
figure = figures_dynamics.plot_frozen(found, measured)
for axis in figure.axes[:2]:
    axis.set_ylim(0, 0.3)
show(
    figure,
    alt="""Distance of z from y against stages, trained and predicted by the frozen kernel. For the centred network
        both fall together at first; later the trained one falls further while the predicted one swings. For the
        paper's network the prediction leaves the frame at once, while the trained run jumps away from y and
        stays at the distance of the zero signal.""",
)
for name, one in found.items():
    print(f"{name:>20}: error of the frozen prediction {one['error']:.2g} of the distance travelled")


def frozen_radius(net, start, lam, N=2):
    """Spectral radius of G at the start, and that of (P) with Theta and G frozen, as a map of (z_k, z_k-1)."""
    theta = ntk_matrix(g, g_params, start[None, None])
    G = torch.func.jacrev(lambda z: stages.output(net, g_params, z))(start)
    M = identity - 2 * beta * (1 + lam) * theta  # A = I
    powers = [torch.linalg.matrix_power(M, j) for j in range(N + 1)]
    momentum = powers[N] @ G
    once = torch.cat([identity - 2 * beta * sum(powers[:N]) @ theta + momentum, -momentum], dim=1)
    twice = torch.cat([once, torch.cat([identity, torch.zeros_like(identity)], dim=1)])
    return [float(torch.linalg.eigvals(matrix).abs().max()) for matrix in (G, twice)]


radius = {f"centred, lam = {lam:g}": frozen_radius(centred, near_y, lam) for lam in (0.0, 2.0)}
radius["the paper's, lam = 1"] = frozen_radius(f, measured, 1.0)
for name, (alone, whole) in radius.items():
    print(f"{name:>20}: spectral radius of G_0 {alone:.2f}, of the frozen (P) {whole:.4f}")

# %%
claim(
    all(found[f"centred, lam = {lam}"]["error"] < 0.5 for lam in (0, 2)),
    "centred: the error of the frozen kernel is less than half of the distance travelled",
)
claim(found["the paper's, lam = 1"]["error"] > 10, "the paper's network: it is more than 10 times this distance")
claim(
    radius["the paper's, lam = 1"][1] > 1.5 and max(radius[f"centred, lam = {lam}"][1] for lam in (0, 2)) < 1.001,
    "frozen (P) grows by a factor over 1.5 a stage for the paper's network, and under 1.001 for the centred one",
)

# %% [markdown]
# This is half a success and a complete failure. The failure comes from the frozen recursion itself: with $G_0$ kept for
# all stages, (P) is unstable and grows from stage to stage, whatever the network does. Is (S) wrong, the formula of
# **one** stage, or is it the freezing? `one_stage_error` applies (S) with the network's current $\Theta$ and $u_k$ at
# each stage. Its error is relative to the change that training makes in that stage.

# %%
few_stages = pick(smoke=3, laptop=6, paper=10)
worst_stage = {}
for name, (net, start, lam) in {"centred, lam = 0": (centred, near_y, 0.0), "centred, lam = 2": (centred, near_y, 2.0),
                                "the paper's, lam = 1": (f, measured, 1.0)}.items():
    for N in (2, 20):
        error = stages.one_stage_error(net, g_params, identity, measured, start, lam, N, beta, few_stages)
        worst_stage[name, N] = float(error.max())
        print(f"{name:>20}, N = {N:>2}: one stage is wrong by {error.min():.1%} to {error.max():.1%}")

# %%
claim(
    all(error < 0.12 for (name, N), error in worst_stage.items() if N == 2),
    "N = 2: one stage is predicted within 12 % for every network and stage",
)

# %% [markdown]
# So (S) describes well what a stage does. What fails is keeping $\Theta$ and $G$ for all stages: $\Theta(z)$ follows
# $z$ (lesson 04: the fast modes contain the input), and $G = \partial f/\partial z$ changes with what has been learned.
#
# ### Where does the paper's network go? (stretch)

# %%
path = found["the paper's, lam = 1"]["trained"]
error_of = (path - signal).square().mean(dim=1)
print(f"error to the truth: y {error_of[0]:.2f}, last z {error_of[-1]:.2f}, least {error_of.min():.2f}")
print(f"size of z: {path[0].square().mean().sqrt():.2f} at the start, {path[-1].square().mean().sqrt():.2f} at the end")
print(f"error of z = 0: {signal.square().mean():.2f}")
late_weights, z, returned = g_params, measured, []
for _ in range(stage_count):
    late_weights = stages.descend(f, late_weights, identity, measured, z, 1.0, 2, beta)
    z = stages.output(f, late_weights, z)
    returned.append(float(stages.output(f, late_weights, z).norm() / z.norm()))
print("||f(z)|| / ||z|| after the swap, stages 1 to 10:", " ".join(f"{ratio:.2f}" for ratio in returned[:10]))
first, last = (torch.linalg.eigvalsh(kernel) for kernel in (
    ntk_matrix(g, g_params, y), ntk_matrix(g, late_weights, z[None, None])))
print(f"largest and smallest eigenvalue of Theta: {first[-1]:.3g} and {first[0]:.3g} at the start, "
      f"{last[-1]:.3g} and {last[0]:.3g} at the end")

# %%
claim(path[-1].square().mean() < 0.2 * path[0].square().mean(), "z has lost more than 80 % of its energy")
claim(abs(error_of[-1] - signal.square().mean()) < 0.15, "its error is that of z = 0, within 0.15")
claim(last[-1] < 0.05 * first[-1] and last[0] < 0.05 * first[0], "both eigenvalues have fallen below 5 %")

# %% [markdown]
# **A trap.** The error has fallen to about half of that of $y$. It looks like denoising, but in fact $z\to0$: the zero
# signal has this error. After the first stages the network returns less than it gets, and two steps a stage do not make
# up for it. As $z$ shrinks, so does the kernel, because the features of a ReLU network without normalisation scale with
# its input. So the way back becomes slower and slower. E2 needs a $\Theta$ without zero eigenvalues. Here none is zero,
# but the largest has fallen to less than a hundredth of what it was, and the smallest to about a thousandth, so hardly
# anything pulls $z$ to $y$. Anyone who looks only at the error reports a success.
#
# Would more steps in each stage help? Predict, run, and then change the numbers.

# %%
lam, N = 1.0, 50  # <- your turn

mine = stages.trained_path(f, g_params, identity, measured, measured, lam, N, beta, pick(smoke=3, laptop=40, paper=40))
to_truth, to_measured = (float((mine[-1] - goal).square().mean()) for goal in (signal, measured))
print(f"lam = {lam:g}, N = {N}: error to the truth {to_truth:.2f}, mean squared distance from y {to_measured:.2f}")

# %%
if (lam, N) == (1.0, 50):
    claim(to_measured < 0.3 < 0.8 < to_truth, "N = 50: z goes to y, nearer than 0.3, and its error is above 0.8")

# %% [markdown]
# It does not collapse. It goes towards $y$, where by E2 it can rest, noise and all.
#
# ### Friction, seen
#
# The centred network heads for $y$. There we can watch what $\lambda$ does, and compare with plain DIP (whose input
# stays at $z_0$).

# %%
held = stages.blind(centred, near_y)
friction = {"DIP, input fixed": stages.trained_path(
    held, g_params, identity, measured, near_y, 0.0, 2, beta, stage_count)}
for lam in (0.0, 1.0, 4.0):
    friction[f"aSeqDIP, lam = {lam:g}"] = stages.trained_path(
        centred, g_params, identity, measured, near_y, lam, 2, beta, stage_count)
distance = {name: (path - measured).square().sum(dim=1) for name, path in friction.items()}
figure = Figure(figsize=(6.4, 3.4), layout="constrained")
axis = figure.subplots()
for dash, color, (name, values) in styles(distance.items()):
    axis.semilogy(values / values[0], linestyle=dash, color=color, label=name)
axis.set(xlabel="stage k (two gradient steps each)", ylabel="||z$_k$ - y||$^2$, relative to the start")
axis.grid(alpha=0.3)
axis.legend()
show(
    figure,
    alt="""Squared distance from y against stages on a logarithmic axis. DIP with a fixed input falls slowly.
        aSeqDIP falls sooner, in waves; the larger lam, the lower the curve ends.""",
)
for name, values in distance.items():
    print(f"{name:>18}: {values[-1] / values[0]:.1e} of ||z_0 - y||^2 is left")

# %%
left = [float(values[-1]) for values in distance.values()]
claim(left[0] > 2 * max(left[1:]), "DIP with a fixed input comes last: more than twice the distance of aSeqDIP")
claim(left[1] > left[2] > left[3], "and the larger lam, the nearer to y: the noise is fitted more closely")

# %% [markdown]
# Here a moving input comes near $y$ sooner than a fixed one, and a larger $\lambda$ brings it nearer. This is one
# network, one seed, one dimension, gradient descent, and a start near $y$.
#
# ### Does a moving input reach $y$ sooner or later?
#
# This figure says "sooner". Lesson 06 will say "later", for a U-Net on images. Both can be true, and this lesson can
# show both. Run the same comparison with the paper's network from above, $z_0 = y$. Its first output is not $y$ but
# $f_0(y) = y + g_0(y)$.

# %%
gone = {}
for name, net, lam in (("DIP, input fixed", stages.blind(f, measured), 0.0), ("aSeqDIP, lam = 0", f, 0.0),
                       ("aSeqDIP, lam = 1", f, 1.0)):
    path = stages.trained_path(net, g_params, identity, measured, measured, lam, 2, beta, stage_count)
    gone[name] = (path - measured).square().mean(dim=1)
    at = sorted({1, stage_count // 10, stage_count // 2, stage_count})
    print(f"{name:>16}: mean squared distance from y " + ", ".join(
        f"{gone[name][k]:.2f} after stage {k}" for k in at))

# %%
fixed_end, *moving_ends = [float(values[-1]) for values in gone.values()]
claim(fixed_end < 0.2, "the paper's network with its input fixed comes near to y, nearer than 0.2")
claim(min(moving_ends) > 1, "with its input moving it does not, for lam = 0 and for lam = 1: it stays farther than 1")

# %% [markdown]
# The order is reversed. Moving the input neither hastens nor delays by itself. It adds $M^NG\,v$ to (P), and it
# replaces $\Theta(z_0)$ by $\Theta(z_k)$. The centred network starts with $G = I$, so its $G\,v$ is a momentum towards
# $y$. The paper's network has a different $G$, and its $z$ and its kernel shrink. So the linear theory, which freezes
# both, cannot tell whether a given network learns the noise sooner or later. Does $\lambda$ delay the noise for a U-Net
# on images, with Adam? Only an experiment can answer that: lesson 06 has a grid over `lam`, `N` and the input.

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the answers.

# %%
from aseqdip_lite.course import quiz

quiz("04b")

# %% [markdown]
# ## What you can now say
#
# Take out your predictions.
#
# 1. Nearer, for the centred network: `lam` is friction on the motion of $z$. The paper's network, with $N = 2$,
#    collapses.
# 2. Not at all: at rest both drop out, and in denoising the run rests at the noisy signal.
# 3. Neither as such: in this lesson one network does the one, and one the other.
#
# - You can split a stage into a pull, with the kernel as preconditioner, and momentum.
# - You can show that at rest `lam` and `N` drop out, and that the noisy image is a minimiser of Eq. (6).
# - You can recognise a small error that means nothing: look at the signal.
#
# Next comes [05 Spectral bias](05_spectral_bias.ipynb), or [06 aSeqDIP](06_aseqdip.ipynb), which turns to the U-Net.

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding Sequential
#   Deep Image Prior.* NeurIPS 2024. Eq. (6) and remark 3.1; appendix A for the kernel of one fixed input.
# - A. Jacot, F. Gabriel, C. Hongler. *Neural tangent kernel: convergence and generalization in neural networks.*
#   NeurIPS 2018.
# - B. T. Polyak. *Some methods of speeding up the convergence of iteration methods.* USSR Comput. Math. Math. Phys. 4,
#   1964 (momentum).
