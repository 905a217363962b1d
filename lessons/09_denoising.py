# ---
# jupyter:
#   minutes: 3
# ---

# %% [markdown]
# # Denoising: when A is the identity
#
# {colab}
#
# **After this lesson you can**
#
# - say why the task with the simplest operator has nothing to rely on but a prior and a stop;
# - derive what a Gaussian filter, total variation and non-local means do to a picture and to its noise, and run them;
# - measure the noise level, and the error of a denoised picture, **without the truth**;
# - show that in denoising `lam` can act only through the moving input, and what it then does to the target;
# - stop a run by three rules that do not see the truth, and say what each costs in dB;
# - read a table in which filters of 2005 and 2007 beat the network, and look for the reason.
#
# **You need** lessons 02 (Deep Image Prior, stopping), 04b (the state at rest) and 06 (aSeqDIP), or: normal
# distributions, partial integration, and a training loop in PyTorch.
#
# **Time** about {minutes} minutes to run in the `laptop` profile on one CPU thread (measured); not yet measured on a
# GPU. To work through it, take 90 minutes; without the sections marked *stretch*, 60.
#
# **Data** the photograph *astronaut* (NASA, public domain) and the fundus photograph *retina* (Mikael Häggström, CC0),
# which come with scikit-image. Their noise is simulated. Code BSD-3-Clause, text CC BY 4.0.
# **For teaching, not for diagnosis.**

# %%
import math
from dataclasses import replace

import matplotlib
import torch
from matplotlib.figure import Figure
from skimage.restoration import denoise_tv_chambolle, estimate_sigma

from aseqdip_lite import ASeqDIP, Vanilla, configure, iterate, load_case, metrics
from aseqdip_lite.course import banner, check, claim, device, drawings, pick, show, stored
from aseqdip_lite.course.theory.grid import overfitting_start
from aseqdip_lite.run.plots import plot_curves, plot_images
from aseqdip_lite.run.recorder import MovingVariance

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(
    drawings.denoised(),
    alt="""Five pictures of a man with a camera: the truth; the truth in noise; the picture denoised by total variation,
        with flat patches; what was taken away, which is nearly plain noise; and the error of the answer, with the
        outlines of the man and of the camera's stand.""",
)

# %% [markdown]
# **Denoising in one row.** A classic method, total variation, has taken something away from $y$, and we want this to be
# the noise and nothing else. Compare the last two pictures: in what was taken away the noise hides all outlines, but
# the error shows them. There the method has mistaken picture for noise.

# %% [markdown]
# ## Predict first
#
# Write your guesses down; the last section asks for them again.
#
# 1. $A = I$ hides nothing: it has no null space and no small singular value. Is denoising the easiest of our five
#    tasks?
# 2. You have one noisy picture and nothing else. Can you measure how strong the noise is? Can you measure how large the
#    **error** of a denoised picture is?
# 3. aSeqDIP has the term $\lambda\|f(z) - z\|^2$. If the input stays at $z = y$, what does $\lambda$ change?
# 4. Non-local means dates from 2005: no network, no iteration, less than a second. Does aSeqDIP beat it?
# 5. Somebody stores the noisy picture as an ordinary 8-bit file, which cuts off values below 0 and above 1. Is this
#    harmless?

# %% [markdown]
# ## A noisy picture
#
# | symbol | code | meaning |
# |---|---|---|
# | $x$ | `x` | the truth, RGB in [0, 1], shape (1, 3, H, W) |
# | $n$ | `n` | white Gaussian noise of standard deviation $\sigma = 25/255$ |
# | $y = x + n$ | `y` | what we are given; $A = I$ |
# | $m$ | `m` | how many numbers $y$ contains, three per pixel |
# | $h$ | `h` | a denoiser: any map from noisy pictures to pictures |

# %%
size = pick(smoke=32, laptop=96, paper=128)
noisy_as = dict(sigma=25, fill="zero")  # zero is black, as in the paper
case = load_case("denoising", "astronaut", size=size, seed=0, **noisy_as).to(device())
observation = case.observation
y, sigma = observation.y, observation.noise_std
x = torch.from_numpy(case.truth).permute(2, 0, 1)[None].to(y)  # (H, W, 3) -> (1, 3, H, W)
n = y - x
m, energy = y.numel(), float(n.square().sum())


def psnr(image):
    """PSNR in dB of an image (1, 3, H, W), clipped to [0, 1] as it would be shown."""
    return metrics.psnr(case.display(image), case.truth, case.data_range)


def error(image):
    """||image - x||^2 in units of the expected energy of the noise, m sigma^2; nothing is clipped."""
    return float((image - x).square().sum()) / (m * sigma**2)


# %% [markdown]
# How good is $y$? Its mean squared error is $\frac1m\sum n_i^2$, whose expectation is $\sigma^2$. The peak is 1, so
#
# $$\mathrm{PSNR}(y) \approx 10\log_{10}\frac{1}{\sigma^2} = -20\log_{10}\sigma .$$
#
# How far is the PSNR of one $y$ from this? The relative standard deviation of $\|n\|^2$ is $\sqrt{2/m}$ (lesson 02),
# and $10\log_{10}(1 + \varepsilon) \approx 4.34\,\varepsilon$.

# %%
expected = -20 * math.log10(sigma)
spread = 10 / math.log(10) * math.sqrt(2 / m)
unclipped = -10 * math.log10(energy / m)
print(f"expected {expected:.2f} dB, give or take {spread:.2f} dB; measured {unclipped:.2f} dB")
print(f"as the library shows it: {psnr(y):.2f} dB")
claim(abs(unclipped - expected) < 4 * spread, "the PSNR of y is -20 log10(sigma), within four deviations", "smoke")

# %% [markdown]
# The last number is higher, because the library clips to [0, 1] before it measures: what cannot be shown does not
# count. Since $x$ lies in [0, 1], clipping moves no pixel away from it. **Methods get the unclipped $y$**; the section
# "What went wrong" shows why.

# %%
closer = ((y.clamp(0, 1) - x).abs() <= (y - x).abs()).all()
claim(closer, "clipping moves no pixel of y away from the truth", "smoke")

# %% [markdown]
# ## Nothing to invert
#
# In MRI the null space is the difficulty: part of the image is not in the data. Here all of it is. Every singular value
# of $A = I$ is 1, and the data term $\|f - y\|^2$ has exactly one minimiser:
#
# $$f = y, \qquad\text{with all of its noise.}$$
#
# This is the trouble. The filters of lesson 01b damp faint directions. If all directions are equally strong, all get
# the same factor: the picture becomes darker, and its noise weaker. What is the best such factor $c$, chosen **with**
# the truth?

# %%
c = float((x * y).sum() / (y * y).sum())  # argmin over c of ||c y - x||^2
print(f"best factor {c:.3f}: {error(c * y):.3f} of m sigma^2 is left of an error that was {error(y):.3f}")
claim(error(c * y) > 0.9 * error(y), "the best multiple of y takes away less than 10 % of the error", "smoke")

# %% [markdown]
# So a denoiser must know something that neither $A$ nor $y$ says: **what pictures look like**. This knowledge can be in
# one of two places. A classic method writes it into a formula. An untrained network has it in its structure, and then
# somebody must stop in time, because for the network as well the minimiser is $y$.

# %% [markdown]
# ## Three classic answers
#
# ### A Gaussian filter
#
# "Neighbours are alike": replace each pixel by a weighted mean of its neighbours, with weights
# $g_{ij} \propto e^{-(i-j)^2/2w^2}$ that add up to 1. In 2D the weight is a product of one for rows and one for
# columns. So with the matrix $G$ of the weights along a line, a picture becomes $G\,y\,G^T$. At a border the weights
# that fall outside are left out, and the others are rescaled so that they add up to 1 again:


# %%
def weights(w, size=size):
    """G, (size, size): row i holds the weights of the mean at pixel i."""
    i = torch.arange(size, dtype=torch.float32)
    g = torch.exp(-((i[:, None] - i) ** 2) / (2 * w**2))
    return (g / g.sum(dim=1, keepdim=True)).to(y)


def blur(image, w):
    """G image G^T, channel by channel."""
    G = weights(w, image.shape[-1])
    return G @ image @ G.T


# %% [markdown]
# What does the filter cost, and what does it gain? Write $h(y) = Hy$ for a linear denoiser. Its error is the sum of
# $Hx - x$, which is fixed, and $Hn$, which is random with mean zero. Hence
#
# $$\mathbb E\,\|h(y) - x\|^2 = \underbrace{\|Hx - x\|^2}_{\text{bias: what the blur takes}} +
# \underbrace{\sigma^2\,\|H\|_F^2}_{\text{noise that is left}} . \tag{1}$$
#
# $\|H\|_F^2$ is the sum of all squared weights. With three channels and a separable filter it is $3\,\|G\|_F^4$. Far
# from a border it is $\sum_{ij}g_i^2g_j^2 \approx 1/(4\pi w^2)$ per pixel: a width of one pixel leaves 8 % of the
# noise.

# %%
widths = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.4, 2.0)
bias = [error(blur(x, w)) for w in widths]
left = [3 * float(weights(w).square().sum()) ** 2 / m for w in widths]
measured = [error(blur(y, w)) for w in widths]
for w, b, noise, e in zip(widths, bias, left, measured, strict=True):
    print(f"w = {w:.1f}: bias {b:.3f} + noise {noise:.3f} = {b + noise:.3f}; measured {e:.3f} (in units of m sigma^2)")
worst = max(abs(b + noise - e) / e for b, noise, e in zip(bias, left, measured, strict=True))
claim(worst < 0.1, "bias + noise is the measured error, within 10 %", "smoke")
w_best = min(zip(measured, widths, strict=True))[1]
print(f"least error at w = {w_best}, PSNR {psnr(blur(y, w_best)):.2f} dB")

# %% [markdown]
# The best filter is narrow: its width is less than a pixel, and 17 % of the noise is left. The bias comes from edges,
# and one width must serve sky and eyelashes alike.
#
# **Two minutes.** By (1), which width is best for a picture that is black all over, and which for $\sigma = 0$? (Black:
# the wider the better, because there is no bias. $\sigma = 0$: no blur at all.)
#
# ### Total variation
#
# "Pictures are flat with few edges". For a gray picture this asks for
# $\min_f\ \frac12\|f - y\|^2 + \lambda\,\mathrm{TV}(f)$, where $\mathrm{TV}$ adds up the lengths of the gradients. Why
# does it keep edges? A step from 0 to 1 costs 1 along a line, whether it is sharp or spread over ten pixels. So nothing
# is gained by smearing it, whereas squared gradients would charge ten times as much for the sharp step.
#
# What does it take away? **Contrast, and more of it from smaller things.** A disc of radius $r$ and height $a$ has
# $\mathrm{TV} = 2\pi r\,a$, height times circumference. If the noiseless disc of height 1 is returned with the height
# $a$, the objective is $\frac12\pi r^2(1-a)^2 + 2\pi r\,\lambda a$. Its derivative in $a$ is zero at
#
# $$1 - a = \frac{2\lambda}{r} .$$
#
# A disc of this radius loses the same amount whatever its height, so a low one disappears. (It takes a proof that the
# answer is a disc again, Strong and Chan 2003.) On pixels:

# %%
lamda = configure("tv", "denoising", "laptop").strength * sigma  # the library's weight for this noise level
centred = torch.arange(128) - 63.5
radius = (centred[:, None] ** 2 + centred**2).sqrt().numpy()
for r in (2, 4, 8, 16):
    disc = (radius <= r).astype(float)
    flat = denoise_tv_chambolle(disc, weight=lamda, eps=1e-7, max_num_iter=1000)
    lost = 1 - flat[radius <= r].mean()
    print(f"r = {r:>2}: contrast lost {lost:.4f}, predicted {2 * lamda / r:.4f}")
    claim(abs(lost - 2 * lamda / r) < 0.25 * 2 * lamda / r, f"r = {r}: 2 lamda / r within 25 %", "smoke")

# %% [markdown]
# On pixels the circumference comes out too long, so all four losses are 12 to 19 % larger than predicted. A freckle of
# radius 2 loses about 0.08 in height, four fifths of the standard deviation of the noise. This is the price.
#
# In colour the library takes, at each pixel, **one** length of the differences of all three channels together, so an
# edge that all three share costs less than three edges at three places. To see what this is worth, we denoise our
# picture with separate channels, and choose their weight **with** the truth:

# %%
picture = y[0].permute(1, 2, 0).cpu().numpy()  # (1, 3, H, W) -> (H, W, 3)
separate = {}
for strength in (0.4, 0.5, 0.6, 0.7, 0.85, 1.0):
    channels = [torch.from_numpy(denoise_tv_chambolle(picture[..., c], strength * sigma, eps=1e-6, max_num_iter=1000))
                for c in range(3)]
    separate[strength] = psnr(torch.stack(channels)[None].to(y))  # 3 x (H, W) -> (1, 3, H, W)
    print(f"channel by channel, lamda = {strength:.2f} sigma: {separate[strength]:.2f} dB")

# %% [markdown]
# ### Non-local means
#
# "Pictures repeat themselves": the mean of $k$ noisy copies of a pixel has the variance $\sigma^2/k$. So find pixels
# that show the same thing, near or not so near, and average **them**. To decide whether two pixels show the same thing,
# compare their surroundings: take the mean squared difference $d^2$ of the two 5 x 5 patches. On noisy patches
#
# $$\mathbb E\,d^2_{\text{noisy}} = d^2_{\text{clean}} + 2\sigma^2 ,$$
#
# because the difference of two independent noises has the variance $2\sigma^2$. Subtract this, and use the weights
# $e^{-(d^2 - 2\sigma^2)_+/(s\sigma)^2}$, where $s$ is the `strength`. This filter is not linear, because its weights
# are made from the noisy picture itself. A pixel without look-alikes keeps its noise, and its detail.
#
# ### The three methods compared

# %%
settings = {name: configure(name, "denoising", "laptop") for name in ("tv", "nlm")}


def denoise(method, y=y, noise_std=sigma):
    """What a classic method of the library makes of y."""
    *_, state = iterate(replace(observation, y=y, start=y, noise_std=noise_std), method)
    return state.image


answers = {"Gaussian": blur(y, w_best), "TV": denoise(settings["tv"]), "non-local means": denoise(settings["nlm"])}
score = {name: psnr(image) for name, image in {"y": y, **answers}.items()}
for name, value in score.items():
    print(f"{name:>16}: {value:.2f} dB")

# %%
show(
    plot_images({"y": case.display(y)} | {name: case.display(image) for name, image in answers.items()},
                case.truth, case.window, {name: f"{value:.2f} dB" for name, value in score.items()}),
    alt="""A woman in a space suit: the noisy picture, the Gaussian filter, total variation, non-local means and the
        truth; below, four times the errors. The Gaussian picture is still grainy and a little blurred, total variation
        is smooth but has lost edges and detail, non-local means has the cleanest wall.""",
)
claim(
    score["non-local means"] > score["TV"] > score["Gaussian"] + 0.8 and score["Gaussian"] > score["y"] + 3,
    "non-local means is first, then TV, more than 0.8 dB above the Gaussian filter, which is more than 3 dB above y",
)
claim(score["TV"] > max(separate.values()) + 0.3, "TV of all channels is more than 0.3 dB above TV channel by channel")

# %% [markdown]
# Two of the settings above are not honest: `w_best` was chosen with the truth in sight, and $\sigma$ was handed to us.
# Can we do without this help?

# %% [markdown]
# ## The noise level from y alone
#
# Take a block of 2 x 2 pixels $a, b$ over $c, d$ and the number
#
# $$v = \tfrac12(a - b - c + d) .$$
#
# On noise, $v$ has the variance $\frac14\cdot4\sigma^2 = \sigma^2$. On a picture it is zero wherever the picture is
# flat, or a ramp in any direction, or has a vertical or horizontal edge, so that only corners and fine texture are
# left. It is the **diagonal Haar wavelet coefficient**. So most of the $v$ are noise, and some are picture and may be
# large. A standard deviation would count these with their squares. The **median** of $|v|$ hardly moves: if 5 % of the
# numbers are replaced by infinity, it goes from the 50th to about the 53rd percentile. Half of a normal variable lies
# within 0.6745 standard deviations, therefore
#
# $$\hat\sigma = \frac{\mathrm{median}\,|v|}{0.6745} .$$
#
# ### Exercise 1: sigma from the median absolute deviation
#
# Return $\hat\sigma$ for a `y` of shape (1, C, H, W) with even H and W.


# %% tags=["exercise"]
def my_sigma(y):
    # blank: ...
    a, b, c, d = y[..., ::2, ::2], y[..., ::2, 1::2], y[..., 1::2, ::2], y[..., 1::2, 1::2]
    return ((a - b - c + d) / 2).abs().median() / 0.6745
    # end


check("denoising.sigma", my_sigma)

# %% [markdown]
# scikit-image's `estimate_sigma` does the same with a longer wavelet (Daubechies 2; Donoho and Johnstone, 1994).


# %%
def haar_sigma(y):
    """The noise level from the diagonal Haar coefficients of y, (1, C, H, W)."""
    a, b, c, d = y[..., ::2, ::2], y[..., ::2, 1::2], y[..., 1::2, ::2], y[..., 1::2, 1::2]
    return float(((a - b - c + d) / 2).abs().median()) / 0.6745


def their_sigma(y):
    return float(estimate_sigma(y[0].permute(1, 2, 0).cpu().numpy(), channel_axis=-1, average_sigmas=True))


print(f"the truth: sigma = {sigma:.4f}")
guesses = {}
for name in ("astronaut", "coffee", "retina"):
    for side in (size, 4 * size):
        noisy = load_case("denoising", name, size=side, seed=0, **noisy_as)
        guesses[name, side] = haar_sigma(noisy.observation.y)
        texture = haar_sigma(torch.from_numpy(noisy.truth).permute(2, 0, 1)[None])
        print(f"{name:>10} {side:>3}: Haar {guesses[name, side]:.4f}, scikit-image "
              f"{their_sigma(noisy.observation.y):.4f}; the same formula on the truth: {texture:.4f}")

# %%
sigma_hat = haar_sigma(y)
claim(abs(sigma_hat - sigma) < 0.06 * sigma, "from our picture, the noise level comes out within 6 %")
claim(
    all(abs(guess - sigma) < 0.04 * sigma for (_, side), guess in guesses.items() if side == 4 * size),
    "with four times the side all three pictures give it within 4 %",
)
claim(min(guesses.values()) > 0.98 * sigma, "no estimate is more than 2 % too low: texture can only add")

# %% [markdown]
# The error has a sign: fine texture is in the $v$ as well, and it adds to them. The last column shows what the formula
# takes for noise where there is none. In a small picture a larger share of the pixels is fine texture. Lesson 02 showed
# what a wrong $\sigma$ does to the discrepancy principle: an error of 20 % cost more than 1 dB. Ours is far from that.

# %% [markdown]
# ## The error of an answer, without the truth
#
# Knowing $\|h(y) - x\|^2$ without $x$ sounds impossible. For Gaussian noise it is not. Write $h$ for $h(y)$ and
# $x = y - n$:
#
# $$\|h - x\|^2 = \|h - y + n\|^2 = \|h - y\|^2 + 2\langle h, n\rangle - 2\langle y, n\rangle + \|n\|^2 .$$
#
# Take expectations: $\mathbb E\langle y, n\rangle = \mathbb E\langle x, n\rangle + \mathbb E\|n\|^2 = m\sigma^2$. What
# is left is $\mathbb E\langle h, n\rangle$, which says how much the answer follows the noise. Take one entry of it,
# with the others held fixed, and $p(n_i) \propto e^{-n_i^2/2\sigma^2}$, for which $n_i\,p = -\sigma^2\,p'$:
#
# $$\mathbb E\,h_i\,n_i = \int h_i\,n_i\,p\,\mathrm dn_i = -\sigma^2\int h_i\,p'\,\mathrm dn_i
# = \sigma^2\int \frac{\partial h_i}{\partial n_i}\,p\,\mathrm dn_i = \sigma^2\,\mathbb E\,\frac{\partial h_i}{\partial
# y_i} ,$$
#
# by partial integration ($h_i\,p \to 0$ far out), and because $y_i$ moves with $n_i$. This is **Stein's lemma**. Sum
# over $i$:
#
# $$\mathbb E\,\|h(y) - x\|^2 = \mathbb E\Big[\,\|h(y) - y\|^2 - m\sigma^2 + 2\sigma^2\,\mathrm{div}\,h(y)\,\Big],
# \qquad \mathrm{div}\,h = \sum_i\frac{\partial h_i}{\partial y_i} . \tag{2}$$
#
# The bracket is **SURE**, Stein's unbiased risk estimate (1981). The truth does not occur in it. Two checks: for
# $h(y) = y$ it is $0 - m\sigma^2 + 2\sigma^2m = m\sigma^2$, and for $h(y) = 0$ it is $\|y\|^2 - m\sigma^2$, whose mean
# is $\|x\|^2$. Both are right.
#
# **Two minutes.** What does (2) say about the best multiple of $y$, $h(y) = cy$? Its divergence is $cm$. (The bracket
# is $(1 - c)^2\|y\|^2 - m\sigma^2 + 2\sigma^2cm$, least at $c = 1 - m\sigma^2/\|y\|^2$. The factor chosen with the
# truth was $1 - \langle n, y\rangle/\|y\|^2$, and $m\sigma^2$ is the mean of $\langle n, y\rangle$.)
#
# ### Exercise 2: SURE
#
# Return the estimate of $\|h(y) - x\|^2$, the sum over all $m$ entries. `residual` is $\|h(y) - y\|^2$.


# %% tags=["exercise"]
def my_sure(residual, divergence, noise_std, m):
    # blank: ...
    return residual - m * noise_std**2 + 2 * noise_std**2 * divergence
    # end


check("denoising.sure", my_sure)

# %% [markdown]
# For a linear $h(y) = Hy$ the divergence is the trace of $H$. Our Gaussian filter is $G\,y\,G^T$, so a pixel's own
# weight is $G_{ii}G_{jj}$, and the sum over three channels is exactly $3\,(\operatorname{tr}G)^2$.
#
# For any other $h$ there is a probe. Let $b$ be random with independent entries of mean 0 and variance 1. For a matrix
# $J$
#
# $$\mathbb E\,\langle b, Jb\rangle = \sum_{ij}J_{ij}\,\mathbb E\,b_ib_j = \sum_iJ_{ii} = \operatorname{tr}J ,$$
#
# and for a small $\varepsilon$ the Jacobian acts as $Jb \approx (h(y + \varepsilon b) - h(y))/\varepsilon$. This takes
# two runs of the denoiser, and no derivative (Ramani, Blu and Unser, 2008).
#
# ### Exercise 3: divergence by a probe
#
# Return the estimate of $\mathrm{div}\,h(y)$ from one probe `b`. `h` is a function.


# %% tags=["exercise"]
def my_divergence(h, y, b, eps):
    # blank: ...
    return (b * (h(y + eps * b) - h(y))).sum() / eps
    # end


check("denoising.divergence", my_divergence)


# %%
def probed(h, y, b, eps=1e-3):
    """<b, h(y + eps b) - h(y)> / eps, an estimate of div h(y)."""
    return float((b * (h(y + eps * b) - h(y))).sum()) / eps


def sure(residual, divergence):
    """Estimated error ||h(y) - x||^2 in units of m sigma^2."""
    return (residual - m * sigma**2 + 2 * sigma**2 * divergence) / (m * sigma**2)


generator = torch.Generator().manual_seed(1)
b = torch.randn(y.shape, generator=generator).sign().to(y)  # signs have mean 0 and variance 1
exact = [3 * float(weights(w).trace()) ** 2 for w in widths]
by_probe = [probed(lambda v, w=w: blur(v, w), y, b) for w in widths]
estimated = [sure(float((blur(y, w) - y).square().sum()), d) for w, d in zip(widths, exact, strict=True)]
for w, d, p, s, e in zip(widths, exact, by_probe, estimated, measured, strict=True):
    print(f"w = {w:.1f}: trace / m {d / m:.4f}, by one probe {p / m:.4f}; SURE {s:.3f}, true error {e:.3f}")

# %%
claim(
    max(abs(d - p) for d, p in zip(exact, by_probe, strict=True)) < 0.03 * m,
    "one probe gives the trace within 0.03 m",
    needs="smoke",
)
claim(
    max(abs(s - e) for s, e in zip(estimated, measured, strict=True)) < 0.03,
    "SURE agrees with the true error within 0.03 m sigma^2, for every width",
)
w_sure = min(zip(estimated, widths, strict=True))[1]
claim(w_sure == w_best, "the width of least SURE is the width of least error")

# %% [markdown]
# Non-local means is not linear, because its weights depend on $y$, but the probe works for it as well. We choose its
# strength without the truth:

# %%
strengths = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
rows = []
for s in strengths:
    method = replace(settings["nlm"], strength=s)
    image = denoise(method)
    divergence = probed(lambda v, method=method: denoise(method, v), y, b)
    rows.append((sure(float((image - y).square().sum()), divergence), error(image), psnr(image), s))
    print(f"strength {s:.1f}: SURE {rows[-1][0]:.3f}, true error {rows[-1][1]:.3f}, {rows[-1][2]:.2f} dB")
chosen, best = min(rows), max(rows, key=lambda row: row[2])
print(f"SURE chooses {chosen[3]}, {chosen[2]:.2f} dB; best {best[3]}, {best[2]:.2f} dB")
claim(chosen[2] > best[2] - 0.1, "the strength that SURE chooses is less than 0.1 dB below the best of the list")

# %%
figure = Figure(figsize=(6.4, 3.4), layout="constrained")
axis = figure.subplots()
axis.plot(widths, measured, "-", color="#00204d", label="true error")
axis.plot(widths, estimated, "o", color="#00204d", fillstyle="none", label="SURE")
axis.plot(widths, bias, "--", color="#7c7b78", label="bias")
axis.plot(widths, left, ":", color="#7c7b78", label="noise that is left")
axis.set(xlabel="width w of the Gaussian filter", ylabel="error / (m sigma$^2$)", ylim=(0, 1.05))
axis.grid(alpha=0.3)
axis.legend()
show(
    figure,
    alt="""Error of the Gaussian filter against its width. The noise that is left falls and the bias rises; their sum,
        the true error, is least near a width of 0.7. The circles of SURE lie on the curve of the true error.""",
)

# %% [markdown]
# Equation (2) has one more use. Lesson 02 measured the share of the noise in an answer,
# $a = \langle h - x, n\rangle/\|n\|^2$. By Stein's lemma
# $\mathbb E\langle h, n\rangle = \sigma^2\,\mathbb E\,\mathrm{div}\,h$, so
#
# $$a \approx \frac{\mathrm{div}\,h}{m} .$$
#
# **Divided by $m$, the divergence is the share of the noise, measured without the truth.**

# %%
share_nlm = float(((answers["non-local means"] - x) * n).sum()) / energy
by_probe_nlm = probed(lambda v: denoise(settings["nlm"], v), y, b) / m
print(f"non-local means: share of the noise {share_nlm:.3f}, divergence / m {by_probe_nlm:.3f}")
claim(abs(share_nlm - by_probe_nlm) < 0.03, "share and divergence / m agree within 0.03")

# %% [markdown]
# ## aSeqDIP when A is the identity
#
# $$\|f_\phi(z_{k-1}) - y\|^2 + \lambda\,\|f_\phi(z_{k-1}) - z_{k-1}\|^2, \qquad z_k = f_{\phi_k}(z_{k-1}), \qquad
# z_0 = y . \tag{3}$$
#
# Both terms are now distances of the **same** picture $f$ from a given picture. In MRI one of them lives in k-space;
# here the two merge.
#
# ### Exercise 4: complete the square
#
# Find the picture $t$ and the number $c$, which does not depend on $f$, with
#
# $$\|f - y\|^2 + \lambda\|f - z\|^2 = (1 + \lambda)\,\|f - t\|^2 + c \qquad\text{for every } f .$$
#
# Return `(t, c)`.


# %% tags=["exercise"]
def my_target(y, z, lam):
    # blank: ...
    t = (y + lam * z) / (1 + lam)
    return t, lam / (1 + lam) * (y - z).square().sum()
    # end


check("denoising.target", my_target)

# %% [markdown]
# So in denoising, aSeqDIP is **Deep Image Prior with an input and a target that move**. The number $c$ has no gradient,
# and Adam divides the factor $1 + \lambda$ away. So $\lambda$ acts on the target alone:
#
# $$t_k = \frac{y + \lambda z_k}{1 + \lambda} . \tag{4}$$
#
# We check (4) on a real network, for the loss and for its gradient in all weights.


# %%
def gradient(loss, f):
    """Gradient of a loss in all weights of a network f, as one vector."""
    return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(f.parameters()))])


def merged_gap(f, z, lam):
    """Relative differences of the loss (3) and (1 + lam) ||f - t||^2 + c: in value, in gradient."""
    t = (y + lam * z) / (1 + lam)
    apart = (f(z) - y).square().sum() + lam * (f(z) - z).square().sum()
    merged = (1 + lam) * (f(z) - t).square().sum() + lam / (1 + lam) * (y - z).square().sum()
    g = gradient(apart, f)
    return float(((apart - merged) / apart).detach().abs()), float((g - gradient(merged, f)).norm() / g.norm())


*_, state = iterate(observation, ASeqDIP(lam=1.0, N=2, K=pick(smoke=3, laptop=10, paper=10), lr=3e-4), seed=0)
f, z = state.carry.network, state.carry.z
gaps = {lam: merged_gap(f, z, lam) for lam in (0.5, 1.0, 4.0)}
for lam, (value, slope) in gaps.items():
    print(f"lam {lam:>3}: loss differs by a relative {value:.0e}, its gradient by {slope:.0e}")
claim(
    all(value < 1e-4 and slope < 1e-2 for value, slope in gaps.values()),
    "loss and gradient are those of the moving target, within 1e-4 and 1e-2 (single precision)",
    needs="smoke",
)

# %% [markdown]
# **Input fixed at $y$**: here $t = (y + \lambda y)/(1+\lambda) = y$ and $c = 0$. So $\lambda$ drops out, and the method
# is DIP with $y$ as its input. **At rest**, where $f(z) = z = y$, the loss is 0 for every $\lambda$ (lesson 04b, E2).
#
# **What the target is like.** Let $a_k$ be the share of the noise in $z_k$. Equation (4) mixes shares as it mixes
# pictures, and $y$ has the share 1, so the target has the share
#
# $$\frac{1 + \lambda a_k}{1 + \lambda} . \tag{5}$$
#
# **Two minutes.** The input contains 10 % of the noise. How much does the target contain for $\lambda = 1$, and how
# much for $\lambda = 4$?
#
# As long as the input is cleaner than $y$, so is the target, and a larger $\lambda$ makes it cleaner. With $a_k = 0.1$
# it contains 55 % of the noise for $\lambda = 1$ and 28 % for $\lambda = 4$. But what the input has lost of the
# picture, the target has lost as well, except for the part $1/(1+\lambda)$ that $y$ puts back in each stage.

# %% [markdown]
# ## Four runs
#
# We make four runs on the same $y$, with the same U-Net, the same seed and the same learning rate:
#
# - DIP with a noise input; DIP with $y$ as its input;
# - aSeqDIP with the paper's `lam` = 1, `N` = 2, and with `lam` = 4, `N` = 2, which the course's recorded search found
#   on other pictures (`stored("tuning_denoising")`).
#
# Along each run we follow the PSNR, the data term and the share of the noise, and keep the image at four moments:
# *final*, the last step; *oracle*, the best step by the truth; *blind*, where the moving variance of the last `window`
# outputs is least; *level*, where the data term first reaches $m\sigma^2$ (the discrepancy principle). Lesson 02
# explains all four.

# %%
lr = 3e-4
window = pick(smoke=5, laptop=100, paper=100)


def follow(method, z0=None, keep=False):
    """Curves of a run, its images at four moments and their steps; all its outputs too if `keep`."""
    run = dict(step=[], psnr=[], error=[], data=[], share=[], image={}, at={}, outputs=[])
    variance = MovingVariance(window)
    for state in iterate(observation, method, seed=0, z0=z0):
        image = state.image
        reached = float((image - y).square().sum())
        moments = dict(
            final=True,
            oracle=psnr(image) > max(run["psnr"], default=0),
            blind=variance.update(image, state.step),
            level="level" not in run["at"] and reached <= m * sigma**2,
        )
        run["step"].append(state.step)
        run["psnr"].append(psnr(image))
        run["error"].append(error(image))
        run["data"].append(reached / (m * sigma**2))
        run["share"].append(float(((image - x) * n).sum()) / energy)
        for moment in (name for name, now in moments.items() if now):
            run["image"][moment], run["at"][moment] = image, state.step
        if keep:
            run["outputs"].append(image.cpu())
    return run


short, long = pick(smoke=12, laptop=600, paper=1500), pick(smoke=12, laptop=1000, paper=3000)
dip = Vanilla(lr=lr, network="lite", steps=short)
published = ASeqDIP(lam=1.0, N=2, lr=lr, network="lite").with_steps(long)
tuned = replace(published, lam=4.0)
runs = {
    "DIP, noise input": follow(dip, keep=True),
    "DIP, y as input": follow(dip, z0=y),
    "aSeqDIP, lam 1": follow(published),
    "aSeqDIP, lam 4": follow(tuned),
}

# %%
print(f"{'':>18}  best (dB)  at step  last (dB)  fallen  onset")
for name, run in runs.items():
    best, last = max(run["psnr"]), run["psnr"][-1]
    onset = overfitting_start(run["psnr"]) or "not begun"
    print(f"{name:>18}  {best:9.2f}  {run['at']['oracle']:7}  {last:9.2f}  {best - last:6.2f}  {onset}")

# %%
figure = plot_curves({name: (run["step"], run["psnr"]) for name, run in runs.items()},
                     marks={name: (run["at"]["oracle"], max(run["psnr"])) for name, run in runs.items()})
for name in ("y", "non-local means"):
    figure.axes[0].axhline(score[name], color="0.5", linewidth=1)
    figure.axes[0].annotate(name, (0, score[name]), va="bottom", fontsize=8)
figure.axes[0].set_ylim(bottom=score["y"] - 3 if max(max(run["psnr"]) for run in runs.values()) > score["y"] else None)
show(
    figure,
    alt="""PSNR against Adam steps for four runs, with the best steps circled, and two horizontal lines. DIP with either
        input rises first, peaks early and falls towards the line of y. Both aSeqDIP runs rise later and peak higher,
        lam 4 the highest, above the line of non-local means. After their peaks both sink slowly.""",
)

# %% [markdown]
# ### What the paper says about this figure
#
# The paper makes two statements about its PSNR curves for denoising: aSeqDIP is the highest; and overfitting starts
# earlier than in MRI, but the curve falls very little. We check them one by one.
#
# **aSeqDIP is the highest.** Of the four runs, yes:

# %%
peak = {name: max(run["psnr"]) for name, run in runs.items()}
fallen = {name: peak[name] - run["psnr"][-1] for name, run in runs.items()}
lam1, lam4 = "aSeqDIP, lam 1", "aSeqDIP, lam 4"
dips = ("DIP, noise input", "DIP, y as input")
claim(
    min(peak[lam1], peak[lam4]) > max(peak[name] for name in dips) + 0.5,
    "both aSeqDIP runs peak more than 0.5 dB above both DIP runs",
)
claim(
    abs(peak[lam4] - score["non-local means"]) < 1,
    "the peak with lam = 4 and non-local means are within 1 dB of each other",
)
print(f"best of lam 4 - non-local means: {peak[lam4] - score['non-local means']:+.2f} dB")

# %% [markdown]
# The last line is for one picture and one seed. A section below asks again with more of both.
#
# **The curve falls very little.** Our runs end soon after their peaks, too soon to say. The recorded search has longer
# runs on two other pictures: 1500 steps with our rate and network at 128 x 128, with noise of 25/255 and of 15/255.

# %% tags=["nbval-check-output"]
search = stored("tuning_denoising")
falls = {}
for row in search:
    found = row["settings"]
    if row["method"] == "aseqdip" and found["N"] == 2 and found["lr"] == 3e-4:
        name, best, last = row["problem"]["image"], *(row["answers"][key]["psnr"] for key in ("oracle", "final"))
        falls[name, found["lam"]] = best - last
        print(f"{name:>8}, lam {found['lam']:g}: best {best:.2f} dB, after {row['steps']} steps {last:.2f} dB, "
              f"fallen by {best - last:.2f} dB")
claim(
    all(falls[name, 1.0] > 2 and falls[name, 4.0] > 0.5 for name in ("chelsea", "rocket")),
    "stored: with lam = 1 both fall by more than 2 dB, with lam = 4 by more than 0.5 dB",
    needs="smoke",
)
claim(
    all(falls[name, 1.0] > falls[name, 4.0] for name in ("chelsea", "rocket")),
    "stored: with lam = 4 both fall less than with lam = 1",
    needs="smoke",
)

# %% [markdown]
# So this statement is not confirmed here: with the published `lam` both pictures lose more than 2 dB. (The paper's
# network is wider and its rate is a third of ours; its curve may fall later.) With a larger `lam` the curve falls less.
# "Earlier than in MRI" has to wait for the section on stored results.
#
# ### What lam did
#
# The figure shows the share of the noise in the output, which becomes the input, and by (5) in the target:

# %%
figure = plot_curves(
    {"lam 1: in the output": (runs[lam1]["step"], runs[lam1]["share"]),
     "lam 1: in the target": (runs[lam1]["step"], [(1 + a) / 2 for a in runs[lam1]["share"]]),
     "lam 4: in the output": (runs[lam4]["step"], runs[lam4]["share"]),
     "lam 4: in the target": (runs[lam4]["step"], [(1 + 4 * a) / 5 for a in runs[lam4]["share"]])},
    ylabel="share of the noise",
)
figure.axes[0].legend(loc="center left", bbox_to_anchor=(0, 0.6))
show(
    figure,
    alt="""Share of the noise against Adam steps for lam 1 and lam 4, in the output and in the target. The outputs start
        near zero and rise slowly, faster with lam 1. The targets lie above them, with lam 1 beyond 0.5, with lam 4
        beyond 0.2.""",
)
for lam, name in ((1, lam1), (4, lam4)):
    at = runs[name]["at"]["oracle"]
    a = runs[name]["share"][at - 1]
    t = (y + lam * runs[name]["image"]["oracle"]) / (1 + lam)
    of_target = float(((t - x) * n).sum()) / energy
    print(f"lam {lam}, best step {at}: share {a:.3f} in the output, {of_target:.3f} in the target; "
          f"target {psnr(t):.2f} dB, y {psnr(y):.2f} dB")
    claim(abs(of_target - (1 + lam * a) / (1 + lam)) < 1e-4, f"lam {lam}: its share is (5), within 1e-4", "smoke")

# %%
ends = {name: runs[name]["share"][-1] for name in (lam1, lam4)}
print(f"share of the noise at the end: lam 1 {ends[lam1]:.3f}, lam 4 {ends[lam4]:.3f}")
claim(ends[lam4] < ends[lam1], "by the end lam = 4 has taken up less noise than lam = 1")

# %% [markdown]
# At its best step the target of `lam` = 4 is itself a far better picture than $y$: the network is taught by what it has
# made before, with a little of $y$ mixed in. The two runs differ only in the target, so the target is the reason for
# the slower uptake. It can slow it down in two ways: it contains less noise to learn; or it is **nearer** to the
# output, so that everything, signal and noise, is learned more slowly. These runs do not tell the two apart.
#
# ### The same with sliders
#
# The panel starts with the settings of the last run, so its Run gives the numbers of "aSeqDIP, lam 4" above. Move `lam`
# or `N`, and run again: the panel keeps both curves. It works only in a running notebook, and nothing after it depends
# on it.

# %%
from aseqdip_lite.widgets import panel

print(tuned)
panel("denoising", "astronaut", size=size, fill="zero", **tuned.to_dict())

# %% [markdown]
# ## Stopping without the truth
#
# Only the stop keeps the noise out. Here are three rules that do not see $x$:
#
# 1. **variance**: the output where the moving variance is least. It needs nothing. It is the library's blind pick.
# 2. **level**: the first output with $\|f - y\|^2 \le m\sigma^2$. It needs $\sigma$.
# 3. **SURE**: the output of least estimated error (2). It needs $\sigma$ and a divergence.
#
# The third rule needs some thought. What is $h$ here? It is the map from $y$ to the output after $t$ steps **of
# training**. Its divergence is not that of the network at fixed weights, because the weights have seen $y$ as well. But
# the probe does not ask how $h$ works: **train twice**, on $y$ and on $y + \varepsilon b$, with the same seed, and
# compare the outputs at each step. Lesson 02 has shown that training amplifies tiny differences, so a tiny
# $\varepsilon$ would measure only that. With a Gaussian $b$ a large $\varepsilon$ is allowed: Stein's lemma, read with
# $\varepsilon b$ instead of $n$, gives
#
# $$\frac1\varepsilon\,\mathbb E_b\,\langle b, h(y + \varepsilon b)\rangle
# = \mathbb E_b\,\mathrm{div}\,h(y + \varepsilon b) ,$$
#
# the exact divergence, at a slightly noisier picture. Subtracting $h(y)$ does not change the mean, because
# $\mathbb E\langle b, h(y)\rangle = 0$, and it removes most of the spread. We take $\varepsilon = \sigma/2$ and DIP
# with its noise input.

# %%
eps = sigma / 2
b = torch.randn(y.shape, generator=generator).to(y)
twin = replace(observation, y=y + eps * b, start=y + eps * b)
run = runs["DIP, noise input"]
changes = (state.image - one.to(y) for state, one in zip(iterate(twin, dip, seed=0), run["outputs"], strict=True))
divergences = [float((b * change).sum()) / eps for change in changes]
risks = [sure(data * m * sigma**2, d) for data, d in zip(run["data"], divergences, strict=True)]
picked = min(range(short), key=risks.__getitem__) + 1
run["at"]["SURE"] = picked
print(f"least SURE at step {picked}: {run['psnr'][picked - 1]:.2f} dB; oracle at step {run['at']['oracle']}")
for at in sorted({picked, short // 2, short}):
    print(f"step {at:>4}: share of the noise {run['share'][at - 1]:.3f}, divergence / m {divergences[at - 1] / m:.3f}")

# %%
figure = Figure(figsize=(6.4, 4.6), layout="constrained")
top, bottom = figure.subplots(2, sharex=True)
top.semilogy(run["step"], run["error"], "-", color="#00204d", label="true error")
top.semilogy(run["step"], risks, ":", color="#7c7b78", linewidth=2, label="SURE, by two runs")
top.semilogy(run["step"], run["data"], "--", color="#a69d75", label="||f - y||$^2$")
top.axhline(1, color="0.5", linewidth=1)
top.set(ylabel="in units of m sigma$^2$", ylim=(0.2, 20))
bottom.plot(run["step"], run["share"], "-", color="#00204d", label="share of the noise")
bottom.plot(run["step"], [d / m for d in divergences], ":", color="#7c7b78", linewidth=2, label="divergence / m")
bottom.set(xlabel="Adam step")
for axis in (top, bottom):
    axis.grid(alpha=0.3)
    axis.legend()
show(
    figure,
    alt="""Above, the true error of DIP against steps, with SURE from two runs on top of it and the data term falling
        through the line of the noise's energy. Below, the share of the noise rises, with the divergence from two runs
        beside it.""",
)

# %% [markdown]
# What do the rules cost? The table gives the decibels lost against the oracle of the same run:

# %%
lost = {}
print(f"{'':>18}{'variance':>14}{'level':>14}{'SURE':>14}{'last step':>14}")
for name, run in runs.items():
    cells = []
    for rule in ("blind", "level", "SURE", "final"):
        at = run["at"].get(rule)
        lost[name, rule] = None if at is None else peak[name] - run["psnr"][at - 1]
        cells.append("-" if at is None else f"{lost[name, rule]:.2f} ({at})")
    print(f"{name:>18}" + "".join(f"{cell:>14}" for cell in cells))
print("dB lost to the oracle of the same run (and the step)")

# %%
steps_of_dip = runs[dips[0]]["step"][short // 4 :]
gap = max(abs(runs[dips[0]]["share"][at - 1] - divergences[at - 1] / m) for at in steps_of_dip)
claim(gap < 0.04, "after a quarter of the run, share and divergence / m agree within 0.04 at every step")
claim(lost[dips[0], "SURE"] < 0.3, "SURE loses less than 0.3 dB")
claim(
    all(run["at"].get("level", long) < run["at"]["oracle"] for run in runs.values()),
    "the level is reached before the best step, in all four runs",
)
claim(
    (lost[lam4, "level"] or 0) < 0.5 < (lost[dips[1], "level"] or 0),
    "the level costs less than 0.5 dB with aSeqDIP at lam 4, and more with DIP on y",
)

# %% [markdown]
# - **level** stops too early each time. Lesson 02 said why: where the residual is $m\sigma^2$, at least half of the
#   error is missing image. On this picture this costs 0.07 and 0.17 dB in the two aSeqDIP runs, and 0.40 and 1.21 dB in
#   the two DIP runs.
# - **variance** depends on its window, here of 100 outputs, and takes any calm for the end. In the DIP runs it picks a
#   step long after the peak, when much is lost. A plateau on the way up can also mislead it. In this run with `lam` = 4
#   it costs 0.06 dB; over the six stored pictures below, with another network, 0.3 to 1.0 dB.
# - **SURE** comes close to the best, and its whole curve lies on that of the true error. It costs a second run, and it
#   needs $\sigma$ and Gaussian noise.
#
# ### A start from black or from gray (stretch)
#
# The output of a fresh network is near zero, and zero is **black** in our case (`fill="zero"`), so all four runs have
# to become bright first. Lessons 10 and 11 meet the same black start. What does it cost aSeqDIP, whose input is soon
# black as well? We subtract the mean of $y$ (`fill="mean"`), and change nothing else:

# %%
centred = load_case("denoising", "astronaut", size=size, sigma=25, seed=0, fill="mean").to(device())
best_gray, at_gray = {}, {}
for name, method in ((lam1, published), (lam4, tuned)):
    from_gray, variance, blind_at = [], MovingVariance(window), short
    for state in iterate(centred.observation, method.with_steps(short), seed=0):
        from_gray.append(metrics.psnr(centred.display(state.image), centred.truth, centred.data_range))
        if variance.update(state.image, state.step):
            blind_at = state.step
    best_gray[name], at_gray[name] = max(from_gray), from_gray.index(max(from_gray)) + 1
    run = runs[name]
    print(f"{name}, zero is black:         best {peak[name]:.2f} dB at step {run['at']['oracle']}, "
          f"variance picks {run['psnr'][run['at']['blind'] - 1]:.2f} dB at step {run['at']['blind']}")
    print(f"{name}, zero is the mean of y: best {best_gray[name]:.2f} dB at step {at_gray[name]}, "
          f"variance picks {from_gray[blind_at - 1]:.2f} dB at step {blind_at}")
claim(best_gray[lam1] > peak[lam1] + 0.2, "from gray lam = 1 peaks more than 0.2 dB higher")
claim(all(at_gray[name] < runs[name]["at"]["oracle"] for name in at_gray), "from gray both peak earlier")
claim(
    best_gray[lam4] - best_gray[lam1] < peak[lam4] - peak[lam1] - 0.2,
    "the lead of lam = 4 is more than 0.2 dB smaller from gray than from black",
)

# %% [markdown]
# From black the larger `lam` has the higher peak. From gray only `lam` = 1 gains, so a good part of that lead was not
# due to `lam`: the black start had cost `lam` = 1 more. A comparison of two settings compares everything that they meet
# on their way.

# %% [markdown]
# ## Six pictures, three seeds
#
# One picture and one seed rank nothing. `stored("compare_denoising")` contains six pictures at 128 x 128 with three
# seeds each. There aSeqDIP has the course's default: the network `lite-half`, `lam` = 4 and a budget of 800 steps, from
# a recorded search on other pictures. The strengths of TV and of non-local means come from a search as well.
#
# The table has a fourth classic method: **BM3D** (Dabov, Foi, Katkovnik and Egiazarian, 2007). It stacks similar
# patches, takes a transform of the whole stack, and shrinks what is small there. So what the patches share is kept,
# edges and texture alike. The package `bm3d` is free for non-commercial use only, so it is not part of this course's
# installation. Its scores on the same $y$ are stored.
#
# In this table *final* is what the method returns. For aSeqDIP this is never a step later than the one where the data
# term reaches $m\sigma^2$, so it can be earlier than the last step.

# %% tags=["stored-result"]
def summary(task):
    """{(image, method): row} of a stored comparison."""
    return {(row["image"], row["method"]): row for row in stored(f"compare_{task}")["summary"]}


table = summary("denoising")
PICTURES = list(dict.fromkeys(name for name, _ in table))[:-1]  # the last is the mean over all
classic_leads = {}
print(f"{'':>12}{'TV':>8}{'NLM':>8}{'BM3D':>8}{'aSeqDIP final':>15}{'blind':>8}{'oracle':>8}   "
      "NLM - aSeqDIP, final (noise floor)")
for name in PICTURES:
    net = table[name, "aseqdip"]
    tv, nlm, bm3d = (table[name, method]["answers"]["final"]["psnr"]["mean"] for method in ("tv", "nlm", "bm3d"))
    final, blind, oracle = (net["answers"][key]["psnr"]["mean"] for key in ("final", "blind", "oracle"))
    gap = table[name, "nlm"]["to_aseqdip"]
    classic_leads[name] = dict(tv=tv - final, nlm=nlm - final, bm3d=bm3d - final, oracle=nlm - oracle)
    print(f"{name:>12}{tv:>8.2f}{nlm:>8.2f}{bm3d:>8.2f}{final:>15.2f}{blind:>8.2f}{oracle:>8.2f}   "
          f"{gap['mean']:+.2f} ({gap['floor']:.2f}) dB")
    claim(bm3d > final + 1, f"{name}: BM3D is more than 1 dB above aSeqDIP's final image", "smoke")
claim(
    [name for name, leads in classic_leads.items() if leads["nlm"] < table[name, "nlm"]["to_aseqdip"]["floor"]]
    == ["hubble"] and classic_leads["hubble"]["nlm"] < -0.3,
    "non-local means is above aSeqDIP's final image by more than the noise floor, except on hubble, where it is below",
    "smoke",
)
claim(
    [name for name, leads in classic_leads.items() if leads["oracle"] < 0] == ["hubble"],
    "only on hubble is aSeqDIP's oracle above non-local means",
    "smoke",
)
claim(
    [name for name, leads in classic_leads.items() if leads["tv"] > 0.5] == ["camera", "grass", "hubble"]
    and max(leads["tv"] for leads in classic_leads.values() if leads["tv"] <= 0.5) < 0,
    "TV is more than 0.5 dB above aSeqDIP on camera, grass and hubble, and below it on the three others",
    "smoke",
)

# %% [markdown]
# In the mean over the seeds, non-local means is above aSeqDIP's final image on five pictures, each time by more than
# the **noise floor**, the difference that other seeds alone can make. On *hubble*, a dark sky full of dots, it is
# below. Even aSeqDIP's **oracle** is above the filter on that picture only. BM3D is more than 1 dB above aSeqDIP on all
# six. And TV, a convex problem of 1992 with one searched number, is more than 0.5 dB above aSeqDIP on three pictures;
# on the three others it is below, on one of them by less than the noise floor. TV and non-local means take about a
# second, aSeqDIP a minute.
#
# ### What the stop is worth (stretch)
#
# The final image is not always that of the last step. Since $\sigma$ is known here, aSeqDIP's answer comes from no
# later step than the one at which the discrepancy principle of lesson 02 is met. (The course added this rule after it
# had seen these runs.) What is the rule worth? And how much *earlier* than in MRI does denoising overfit? The stored
# comparisons say how much the final image and the last step lose to the oracle:

# %% tags=["nbval-check-output"]
for task in ("mri", "denoising"):
    row = summary(task)["all images", "aseqdip"]
    final, last, oracle = (row["answers"][key]["psnr"]["mean"] for key in ("final", "last", "oracle"))
    print(f"{task:>9}: after {row['steps']:.0f} steps oracle - last = {oracle - last:.2f} dB, "
          f"oracle - final = {oracle - final:.2f} dB")
    claim(oracle - final < 0.1, f"{task}: the final image loses less than 0.1 dB", "smoke")
    if task == "denoising":
        claim(oracle - last > 0.5, "denoising: the last step loses more than 0.5 dB", "smoke")
worst = max(PICTURES, key=lambda name: (lambda psnr: psnr["oracle"] - psnr["last"])(
    {key: table[name, "aseqdip"]["answers"][key]["psnr"]["mean"] for key in ("oracle", "last")}))
print(f"the last step loses most on {worst}")
claim(worst == "hubble", "the last step loses most on hubble", "smoke")

# %% [markdown]
# MRI loses next to nothing, although it has more steps. In denoising most of the last step's loss comes from one
# picture, hubble, whose peak lies near step 180 of 800 (`docs/RESULTS.md`). So denoising overfits earlier there, and on
# grass with two seeds of three; on the others the budget ends near the peak, so it cannot tell. (Rates and `N` differ,
# so this is not a controlled comparison.) On hubble the discrepancy principle stops near the peak, without the truth;
# on most of the others the misfit never falls so far.
#
# ### Why does the filter of 2005 win? (stretch)
#
# Three explanations come to mind. Two can be tested here.
#
# **"Non-local means was told $\sigma$, aSeqDIP was not."** So we take this knowledge away: we use $\hat\sigma$ from
# $y$, and the strength of least SURE with that $\hat\sigma$.

# %%
def from_y_alone(noisy):
    """Non-local means with noise level and strength from y alone."""
    level, trials = haar_sigma(noisy), []
    for s in strengths:
        method = replace(settings["nlm"], strength=s)
        image = denoise(method, noisy, level)
        divergence = probed(lambda v, method=method: denoise(method, v, level), noisy, b)
        trials.append((float((image - noisy).square().sum()) + 2 * level**2 * divergence, s, image))
    return level, *min(trials, key=lambda trial: trial[0])[1:]  # - m sigma^2 is the same for all


given, alone = {}, {}
for name in ("astronaut", "coffee", "retina"):
    problem = load_case("denoising", name, size=size, seed=0, **noisy_as).to(device())
    noisy = problem.observation.y
    level, s, image = from_y_alone(noisy)
    known = denoise(settings["nlm"], noisy)
    given[name], alone[name] = (metrics.psnr(problem.display(v), problem.truth, 1.0) for v in (known, image))
    print(f"{name:>10}: sigma known {given[name]:.2f} dB; "
          f"from y alone {alone[name]:.2f} dB (sigma {level:.4f}, strength {s})")
claim(
    all(alone[name] > given[name] - 0.3 for name in given),
    "without being told, it loses less than 0.3 dB on each picture: this is not the reason",
)

# %% [markdown]
# **"It wins where the picture is flat."** A flat area is full of look-alikes, so the mean is over many pixels. We sort
# the pixels of our picture by the size of the truth's gradient into four quarters, and look at the errors in each.

# %%
def slope_of(truth):
    """Size of the gradient of the mean of the channels, (H, W), per pixel; truth (H, W, 3)."""
    gray = torch.from_numpy(truth).mean(dim=-1)
    return (torch.gradient(gray, dim=0)[0] ** 2 + torch.gradient(gray, dim=1)[0] ** 2).sqrt()


slope = slope_of(case.truth)
quarter = torch.bucketize(slope, slope.flatten().quantile(torch.tensor([0.25, 0.5, 0.75])))  # 0 flat to 3 steep
images = {name: answers[name] for name in ("TV", "non-local means")}
images |= {f"{name}, best": runs[name]["image"]["oracle"] for name in (dips[0], lam1, lam4)}
by_quarter = {}
print(f"{'':>24}    flat                   steep   (mean squared error / sigma^2)")
for name, image in images.items():
    squares = ((image.clamp(0, 1) - x).square().mean(dim=1)[0] / sigma**2).cpu()  # (H, W)
    by_quarter[name] = [float(squares[quarter == q].mean()) for q in range(4)]
    print(f"{name:>24}" + "".join(f"{value:8.3f}" for value in by_quarter[name]))

# %%
ours, theirs = by_quarter[f"{lam4}, best"], by_quarter["non-local means"]
claim(theirs[0] < ours[0], "in the flat quarter non-local means has the smaller error")
claim(theirs[3] > ours[3], "in the steep quarter aSeqDIP with lam = 4 has the smaller error")

# %% [markdown]
# This explanation fits. It makes a prediction for the stored table: the flatter a picture, the larger the filter's
# lead.

# %% tags=["nbval-check-output"]
from scipy.stats import spearmanr

flatness, lead = {}, {}
for name in PICTURES:
    slope = slope_of(load_case("denoising", name, size=128).truth.reshape(128, 128, -1))  # gray or RGB -> (H, W, C)
    flatness[name], lead[name] = float((slope < sigma / 4).float().mean()), table[name, "nlm"]["to_aseqdip"]["mean"]
    print(f"{name:>10}: {flatness[name]:.0%} of the pixels have a slope below sigma / 4; lead {lead[name]:+.2f} dB")
rank_correlation = float(spearmanr(list(flatness.values()), list(lead.values())).statistic)
print(f"rank correlation of the two: {rank_correlation:+.2f}")
claim(abs(rank_correlation) < 0.5, "the rank correlation of flatness and lead is below 0.5", needs="smoke")

# %% [markdown]
# The prediction does not come true. The flattest picture, the retina, has the third smallest lead, and *grass*, where
# hardly a pixel is flat, has the second largest; on *hubble*, which is also flat, the network leads. What is true from
# quarter to quarter of one picture need not be true from picture to picture, where much else differs.
#
# **"128 pixels are too few, and the network is too small."** The paper has 512 x 512 pixels and a network with about
# four times the weights. We have not run it, so we cannot say.
#
# ### Look at the boxes
#
# PSNR counts a flat wall and a face alike. You do not. Which of the answers below has the best face?

# %%
zoom = (size // 16, size * 3 // 10, size * 3 // 8)
final = {
    "non-local means": answers["non-local means"],
    "DIP, level": runs[dips[0]]["image"].get("level", runs[dips[0]]["image"]["final"]),
    "aSeqDIP lam 1, variance": runs[lam1]["image"]["blind"],
    "aSeqDIP lam 4, variance": runs[lam4]["image"]["blind"],
}
show(
    plot_images({name: case.display(image) for name, image in final.items()}, case.truth, case.window,
                {name: f"{psnr(image):.2f} dB" for name, image in final.items()}, zoom=zoom),
    alt="""Four answers chosen without the truth, and the truth: non-local means, DIP stopped at the noise level,
        aSeqDIP with lam 1 and 4 stopped by the moving variance; below, the face enlarged, and four times its error.
        Non-local means has a clean wall, and a face without features and with a few bright specks. DIP is grainy all
        over. aSeqDIP with lam 4 has eyes and mouth, and a wall that is slightly blotchy.""",
)

# %% [markdown]
# Non-local means has the cleanest wall. In the face it finds no look-alikes: some pixels keep their noise, as bright
# specks, and where it does average, eyes and mouth disappear. The networks keep more of the face, and add something of
# their own: smooth areas in a wrong colour (look at the hair). Nobody takes a speck for hair, but a smooth area is
# harder to doubt.

# %% [markdown]
# ## What went wrong, and why: the noise that was cut off
#
# Somebody stores $y$ as a picture file. Such files have values from 0 to 1, so $y$ is clipped. The authors' denoising
# script clips its $y$ as well (`sjames40/Aseq_DIP` at f6d4a66, `Aseq_DIP_denoising.py`, line 92). This looks harmless,
# even helpful: clipping moved no pixel away from the truth, and the PSNR of the start is the same to the last digit,
# because the library clips what it shows. Now we denoise.

# %%
def clipped_pairs(name, side):
    """(method: (image from y, image from clipped y)), the case and its truth, for a picture."""
    problem = load_case("denoising", name, size=side, seed=0, **noisy_as).to(device())
    noisy = problem.observation.y
    pairs = {"y": (noisy, noisy.clamp(0, 1))}
    pairs["Gaussian"] = tuple(blur(v, w_best) for v in pairs["y"])
    for label, key in (("TV", "tv"), ("non-local means", "nlm")):
        pairs[label] = tuple(denoise(settings[key], v) for v in pairs["y"])
    return problem, pairs


cost = {}
for name in ("astronaut", "retina"):
    problem, pairs = clipped_pairs(name, size)
    for label, both in pairs.items():
        values = [metrics.psnr(problem.display(image), problem.truth, 1.0) for image in both]
        cost[name, label] = values[0] - values[1]
        print(f"{name:>10}, {label:>16}: {values[0]:.2f} dB, from the clipped y {values[1]:.2f} dB")

# %%
claim(
    all(abs(cost[name, "y"]) < 1e-3 for name in ("astronaut", "retina")),
    "the PSNR of y itself does not show the clipping, within 0.001 dB",
    needs="smoke",
)
claim(
    all(value > 0.15 for (_, label), value in cost.items() if label != "y"),
    "all three denoisers lose more than 0.15 dB on both pictures",
)
claim(cost["retina", "non-local means"] > 1.5, "non-local means loses more than 1.5 dB on the retina")

# %% [markdown]
# The loss is up to 2 dB, from data that are closer to the truth. Why? Take a black pixel, $x = 0$. Its noise was as
# often below as above. Clipping removes the lower half, and what is left has the mean
#
# $$\mathbb E\max(n, 0) = \int_0^\infty n\,\frac{e^{-n^2/2\sigma^2}}{\sqrt{2\pi}\,\sigma}\,\mathrm dn
# = \frac{\sigma}{\sqrt{2\pi}} ,$$
#
# ten gray levels of 255 here. This mean is the same in every black pixel, so it is **no longer noise but an offset, and
# no average removes it**. A denoiser does its duty and returns the mean, a dark gray. Above black, at $x = c\sigma$,
# the mean is $x\,\Phi(c) + \sigma\,\varphi(c)$, with $\Phi$ and $\varphi$ of the normal distribution.

# %%
dark = x < 0.02
normal = torch.distributions.Normal(0.0, 1.0)
of_dark = x[dark].cpu()
ratio = of_dark / sigma
predicted = float((of_dark * normal.cdf(ratio) + sigma * normal.log_prob(ratio).exp() - of_dark).mean())
_, pairs = clipped_pairs("astronaut", size)
print(f"dark pixels: {int(dark.sum())} of {m}; offset predicted {predicted:.4f}, sigma / sqrt(2 pi) = "
      f"{sigma / math.sqrt(2 * math.pi):.4f}")
offset = {}
for label, both in pairs.items():
    offset[label] = [float((image[dark] - x[dark]).mean()) for image in both]
    print(f"{label:>16}: mean error in the dark {offset[label][0]:+.4f}, from the clipped y {offset[label][1]:+.4f}")

# %%
claim(abs(offset["y"][1] - predicted) < 0.05 * predicted, "the offset of dark pixels is as predicted, within 5 %")
claim(
    all(abs(after - before - predicted) < 0.1 * predicted for before, after in offset.values()),
    "all three denoisers pass the offset on, within 10 % of the prediction",
)

# %%
_, pairs = clipped_pairs("retina", size)
retina = load_case("denoising", "retina", size=size, seed=0, **noisy_as)
shown = {name: retina.display(image)
         for name, image in zip(("from y", "from the clipped y"), pairs["non-local means"], strict=True)}
titles = {name: f"{metrics.psnr(image, retina.truth, 1.0):.2f} dB" for name, image in shown.items()}
show(
    plot_images(shown, retina.truth, retina.window, titles),
    alt="""The back of an eye in a black frame, denoised by non-local means from y and from the clipped y, and the
        truth. From the clipped y the error fills the black frame. In both, the fine blood vessels of the truth are
        gone.""",
)
before, after = haar_sigma(y), haar_sigma(y.clamp(0, 1))
print(f"sigma estimated from y {before:.4f}, from the clipped y {after:.4f} (true {sigma:.4f})")
claim(after < before - 0.003, "the estimate of sigma falls as well, by more than 0.003")

# %% [markdown]
# Everything that this lesson derived rests on $y = x + n$ with $\mathbb E\,n = 0$: the two parts of (1), SURE, the
# discrepancy principle. Clipped noise has another mean and another variance at every gray level. Clip what you
# **show**, never what you **fit**.
#
# Now look once more at the left picture, the good one. Its PSNR is far above all that we reached on the astronaut. But
# where are the blood vessels? At this size and noise level they are fine texture without look-alikes, and the mean has
# removed them. The high PSNR of a flat picture can hide the loss of the one thing for which the picture was taken.

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the answers.

# %%
from aseqdip_lite.course import quiz

quiz("09")

# %% [markdown]
# ## What you can now say
#
# Take out your predictions.
#
# 1. No: it is the task with the least to rely on. The data decide the image completely, and they are wrong.
# 2. Yes to both. The median of the diagonal differences gives $\sigma$, a little too large where there is fine texture.
#    SURE estimates the error of any denoiser, from two runs of it, if the noise is Gaussian and $\sigma$ is known.
# 3. Nothing: it is a factor in front of the loss. `lam` acts only through the input that moves, and then as a mixture:
#    the target is $(y + \lambda z)/(1 + \lambda)$.
# 4. In our one run they are within 1 dB of each other. In the stored table the filter is above the final image on five
#    of six pictures by more than the noise floor, and above the oracle on five. In our picture the filter wins in the
#    flat places, and the network in the steep ones. BM3D, of 2007, is more than 1 dB ahead on each picture; total
#    variation, of 1992, is ahead on three, and below on the three others.
# 5. No. Clipped noise is an offset in the dark that none of the three denoisers removes.
#
# - You can split an error into bias and noise, and choose a filter's width without the truth.
# - You can train twice to learn how much of the noise a run has fitted and where to stop it.
# - You can name a stopping rule, what it needs, and what it costs.
# - You can say "two filters of 2005 and 2007 are better here", and what you have and have not found out about the
#   reason.

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding
#   Sequential Deep Image Prior.* NeurIPS 2024. Equations (3) and (4), section 4.
# - D. Ulyanov, A. Vedaldi, V. Lempitsky. *Deep Image Prior.* CVPR 2018. doi:10.1109/CVPR.2018.00984
# - A. Buades, B. Coll, J.-M. Morel. *A non-local algorithm for image denoising.* CVPR 2005. doi:10.1109/CVPR.2005.38
# - K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian. *Image denoising by sparse 3-D transform-domain collaborative
#   filtering.* IEEE Trans. Image Process. 16, 2007. doi:10.1109/TIP.2007.901238
# - X. Bresson, T. F. Chan. *Fast dual minimization of the vectorial total variation norm and applications to color
#   image processing.* Inverse Problems and Imaging 2, 2008. doi:10.3934/ipi.2008.2.455
# - L. I. Rudin, S. Osher, E. Fatemi. *Nonlinear total variation based noise removal algorithms.* Physica D 60, 1992.
#   doi:10.1016/0167-2789(92)90242-F
# - A. Chambolle. *An algorithm for total variation minimization and applications.* J. Math. Imaging Vis. 20, 2004.
# - D. Strong, T. Chan. *Edge-preserving and scale-dependent properties of total variation regularization.* Inverse
#   Problems 19, 2003. doi:10.1088/0266-5611/19/6/059
# - C. M. Stein. *Estimation of the mean of a multivariate normal distribution.* Ann. Statist. 9, 1981.
#   doi:10.1214/aos/1176345632
# - S. Ramani, T. Blu, M. Unser. *Monte-Carlo SURE.* IEEE Trans. Image Process. 17, 2008. doi:10.1109/TIP.2008.2001404
# - D. L. Donoho, I. M. Johnstone. *Ideal spatial adaptation by wavelet shrinkage.* Biometrika 81, 1994.
#   doi:10.1093/biomet/81.3.425
# - Y. Jo, S. Y. Chun, J. Choi. *Rethinking Deep Image Prior for Denoising.* ICCV 2021. It puts SURE into the loss
#   (lesson 12).
# - H. Wang et al. *Early Stopping for Deep Image Prior.* Trans. Mach. Learn. Res., 2023.
# - V. A. Morozov. *On the solution of functional equations by the method of regularization.* Soviet Math. Dokl. 7,
#   1966.
