# ---
# jupyter:
#   minutes: 1
# ---

# %% [markdown]
# # A trained autoencoder as the reconstructor
#
# {colab}
#
# **After this lesson you can**
#
# - train an autoencoder on clean images (Eq. 17 of the aSeqDIP paper), and show why a skip connection makes it a
#   worse prior;
# - say what a bottleneck lets through, and count whether the measurements could determine the code;
# - derive the gradient of Eq. 18, reconstruct by optimising the **input** of the frozen network, and sweep its weight
#   $\lambda_a$;
# - find out from two losses whether a bad reconstruction is the fault of the optimiser or of the model;
# - compare a trained prior fairly with an untrained one, and name what flatters the trained one.
#
# **You need** lessons 06 (aSeqDIP) and 07 (MRI), or: the chain rule for vectors and a training loop in PyTorch.
#
# **Time** about {minutes} minute to run in the `laptop` profile on one CPU thread (measured); not yet measured on a
# GPU. To work through it, take 75 minutes; without the sections marked *stretch*, 60.
#
# **Data** slices of Colin27 (Holmes et al. 1998; BSD-3-Clause). The slices are real; phase, coil sensitivities and
# noise are simulated. The photographs come with scikit-image (*astronaut*: NASA, public domain; *coffee*: Rachel
# Michetti, CC0). The trained weights ship with the course; `data/README.md` says how they were made. Code
# BSD-3-Clause, text CC BY 4.0. **For teaching, not for diagnosis.**

# %%

import matplotlib
import numpy as np
import torch

from aseqdip_lite import configure, load_case, metrics, networks, reconstruct
from aseqdip_lite.course import banner, check, claim, drawings, pick, profile, show, stored
from aseqdip_lite.course.theory import autoencoder
from aseqdip_lite.course.theory.autoencoder import Autoencoder, load_autoencoder, reconstruct_input
from aseqdip_lite.course.theory.bands import complex_truth
from aseqdip_lite.images import fit, load_image
from aseqdip_lite.run.plots import plot_curves, plot_images

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(
    drawings.two_ways(),
    alt="""Three rows. Top: one scan, shown as a blurred head; the arrow "fit the weights" leads to a network f with
        random weights, and from there to the answer f(z). Middle: four clean brain slices; the arrow "train once,
        Eq. 17" leads to an autoencoder g, and an arrow leads down to the same box with frozen weights. Bottom: one
        scan; the arrow "fit the input z, Eq. 18" leads to that frozen box, and from there to the answer g(z).""",
)

# %% [markdown]
# **Two ways to use a network on one scan.** Above, the way of all lessons so far: nothing is trained beforehand, and
# the weights are fitted to the scan. Below, the way of this lesson: an autoencoder is trained once on clean slices,
# its weights are then frozen, and its *input* is fitted to the scan.

# %% [markdown]
# ## Predict first
#
# aSeqDIP's autoencoding term $\|f_\phi(z)-z\|^2$ pulls an **untrained** network towards returning its input. Appendix
# B of the paper asks: if a network really is an autoencoder of clean images, can it reconstruct an image by itself?
# Write down your guesses.
#
# 1. Two autoencoders are trained on the same clean patches. One has a bottleneck; the other has the same bottleneck
#    and a skip connection. Which one has the smaller training loss? Which one would you use to reconstruct?
# 2. The trained autoencoder is frozen, and its input $z$ is fitted to undersampled data. Without the autoencoding term
#    ($\lambda_a=0$), what happens to the image as the fit continues?
# 3. Which image does it code better, that is, with the smaller relative error $\|g(v)-v\|/\|v\|$: the true image, or
#    the zero-filled one with its aliasing?
# 4. A trained autoencoder and an untrained aSeqDIP reconstruct the same scan. Which wins?

# %% [markdown]
# ## Eq. 17: training, with and without a skip
#
# The network $g_\psi$ should return clean images unchanged:
#
# $$\hat\psi = \arg\min_\psi \frac1{|\mathcal D|}\sum_{x\in\mathcal D}\|g_\psi(x)-x\|^2. \tag{17}$$
#
# One solution needs no training and knows nothing about images: $g(x)=x$. Put it into Eq. 18 below, and the
# autoencoding term vanishes for every $z$; what remains is least squares without any prior. The paper trains a U-Net,
# and a U-Net has skip connections. The paper does not say whether Eq. 17 drives it to the identity.
#
# ### Exercise 1: one skip is enough
#
# Images are complex, so networks see two channels, [Re, Im]. Return the weights, of shape (2, 2, 3, 3), of a single 3
# x 3 convolution (zero padding, no bias) that returns its input.


# %% tags=["exercise"]
def my_skip():
    # blank: return ...
    weight = torch.zeros(2, 2, 3, 3)
    weight[0, 0, 1, 1] = weight[1, 1, 1, 1] = 1.0
    return weight
    # end


check("auto.skip", my_skip)

# %% [markdown]
# Will training find this solution? We train two small autoencoders on patches of the four tuning slices. The first is
# the course's `Autoencoder`, which turns every 8 x 8 pixels into 24 numbers; the second is the same network plus that
# single convolution.


# %%
class WithSkip(torch.nn.Module):
    """An autoencoder plus one 3 x 3 convolution from the input to the output."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.skip = torch.nn.Conv2d(2, 2, 3, padding=1, bias=False)

    def forward(self, x):
        return self.inner(x) + self.skip(x)


training = ("brain-050", "brain-076", "brain-088", "brain-102")
slices = [torch.from_numpy(fit(load_image(name), 128)) for name in training]
slices = [picture / torch.quantile(picture, 0.995) for picture in slices]


def patches(count, side, generator):
    """(count, 2, side, side): random cuts of the slices, each with a random constant phase."""
    cuts = []
    for _ in range(count):
        picture = slices[int(torch.randint(4, (), generator=generator))]
        i, j = (int(torch.randint(128 - side + 1, (), generator=generator)) for _ in range(2))
        phase = torch.exp(2j * torch.pi * torch.rand((), generator=generator))
        cuts.append(picture[i : i + side, j : j + side] * phase)
    return networks.to_channels(torch.stack(cuts)[:, None])


def train(network, steps, seed=0):
    """Eq. 17 by Adam; returns the loss of every step."""
    generator, losses = torch.Generator().manual_seed(seed), []
    adam = torch.optim.Adam(network.parameters(), lr=4e-3)
    for _ in range(steps):
        x = patches(8, 48, generator)
        loss = (network(x) - x).square().mean()
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.05)
        adam.step()
        losses.append(loss.item())
    return losses


def small_autoencoder():
    """A narrow `Autoencoder` whose initial weights keep the size of signals (He initialisation)."""
    network = Autoencoder(widths=(16, 24, 32))
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
            torch.nn.init.zeros_(module.bias)
    return network


training_steps = pick(smoke=10, laptop=400, paper=2000)
torch.manual_seed(0)
trained = {"bottleneck": small_autoencoder(), "bottleneck + skip": WithSkip(small_autoencoder())}
losses = {name: train(network, training_steps) for name, network in trained.items()}
figure = plot_curves(
    {name: (range(1, training_steps + 1), values) for name, values in losses.items()}, ylabel="loss of Eq. 17"
)
figure.axes[0].set_yscale("log")
show(
    figure,
    alt="""Training loss of Eq. 17 against Adam steps, on a logarithmic scale. With the bottleneck alone it falls and
        levels off; with the skip it ends far lower.""",
)

# %% [markdown]
# Judged by its training loss, the second network is a much better autoencoder. Now feed both something that is **not
# an image**:

# %%
generator = torch.Generator().manual_seed(1)
clean = patches(8, 48, generator)
noise_patches = clean.std() * torch.randn(clean.shape, generator=generator)
passed = {}
with torch.no_grad():
    for name, network in trained.items():
        for kind, v in (("clean patches", clean), ("noise", noise_patches)):
            passed[name, kind] = float((network(v) - v).norm() / v.norm())
            print(f"{name:>17}, {kind:>13}: relative error {passed[name, kind]:.2f}")

# %%
claim(
    np.mean(losses["bottleneck + skip"][-20:]) < 0.5 * np.mean(losses["bottleneck"][-20:]),
    "with the skip the training loss ends at less than half of the loss without it",
)
claim(passed["bottleneck + skip", "noise"] < 0.8, "the network with the skip returns noise with an error below 0.8")
claim(passed["bottleneck", "noise"] > 0.9, "without it the error is above 0.9: noise hardly passes the bottleneck")

# %% [markdown]
# The network with the skip is learning to **copy**. On noise it is still far from that (error 0.71): patches have
# little energy at high frequencies, so the loss hardly asks for them, and the copy is still blurred (lesson 05). But
# an autoencoder works as a prior through what it refuses, and this one already lets a good part of the noise pass. So
# our autoencoder has a bottleneck and no skip. That is our choice, not the paper's.

# %% [markdown]
# ## What the shipped autoencoder lets through
#
# `load_autoencoder` returns $g_\psi$ with the weights that ship with the course. They were trained for longer, on
# larger patches of the same four slices, with a simulated smooth phase. From here on the network is frozen. Our scan
# shows another slice:

# %%
g = load_autoencoder()
size, coils = pick(smoke=64, laptop=128, paper=192), pick(smoke=2, laptop=8, paper=15)
case = load_case("mri", "brain-070", size=size, coils=coils, seed=0)
observation = case.observation
A, y, start = observation.A, observation.y, observation.start
x = complex_truth(case)  # (1, 1, H, W) complex: the truth, in the units of the observation


def psnr(image):
    return metrics.psnr(case.display(image), case.truth, case.data_range)


def shown(image):
    return case.display(image) / case.data_range


images = {"truth |x|": x, "|g(x)|": g(x), "zero-filled": start, "|g(zero-filled)|": g(start)}
titles = {name: f"{psnr(image):.2f} dB" for name, image in images.items() if image is not x}
show(
    plot_images({name: shown(image) for name, image in images.items()}, None, (0, 1), titles),
    alt="""The truth; what the autoencoder makes of it, slightly blurred; the zero-filled image with edges smeared
        sideways; and what the autoencoder makes of that one, which looks the same, smear included.""",
)

# %% [markdown]
# $g(x)$ of the truth is often called the **ceiling** of the method: it is what the bottleneck lets through. Before you
# read on, look at the last picture as well.
#
# ### Exercise 2: count
#
# For complex images of H x W pixels (both divisible by 8), return two numbers: how many real numbers the image has,
# and how many its code has. The code has 24 channels on a grid whose sides are an eighth of the image's.


# %% tags=["exercise"]
def my_count(H, W):
    # blank: return ...
    return 2 * H * W, 24 * (H // 8) * (W // 8)
    # end


check("auto.count", my_count)

# %%
code_numbers = g.network.encode(networks.to_channels(x)).numel()
samples = 2 * A.in_shape[-2] * int(A.mask.sum())  # real numbers that a single coil measures
print(f"image {2 * size * size} numbers, code {code_numbers}, one coil's samples {samples}")

# %% tags=["nbval-check-output"]
claim(code_numbers == 2 * size * size * 3 / 16, "the code has 3/16 of the image's numbers", needs="smoke")
claim(samples > code_numbers, "at 4x a single coil measures more numbers than the code has", needs="smoke")

# %% [markdown]
# So **if** the truth were $g(z)$ for some $z$, then $y = Ag(z)$ would have more equations than unknowns, and fitting
# the data could find it. This is the hope behind the bottleneck. But a favourable count is necessary, not sufficient:
# the equations may be badly conditioned, and the truth is not exactly in the range of $g$.

# %% [markdown]
# ## Eq. 18: optimise the input
#
# $$\hat z = \arg\min_z\ \|Ag(z)-y\|^2 + \lambda_a\,\|g(z)-z\|^2, \qquad \hat x = g(\hat z). \tag{18}$$
#
# These are the same two terms as in aSeqDIP, but in another variable: there the weights move and the input is given,
# here the input moves and the weights are given. The output $g(z)$ lies in the range of $g$ whatever $z$ is. The
# second term asks for more: it wants $z$ to be a **fixed point**, an image that the autoencoder codes without loss.
#
# The paper does not say where $z$ starts or how it is optimised. We start from $z=A^Hy$ and use Adam.
#
# **Two minutes.** Let $g$ be the projection onto a line. Which $z$ are fixed points? What does the second term do to
# all other $z$?
#
# ### Exercise 3: the gradient
#
# Take real vectors. `g`, `A`, `At` $=A^{\mathsf T}$ and `Jt` are functions, and `Jt(u)` $=J^{\mathsf T}u$, where $J$
# is the Jacobian of $g$ at $z$. Return the gradient of the loss of Eq. 18 with respect to $z$.


# %% tags=["exercise"]
def my_gradient(z, g, Jt, A, At, y, lam):
    # blank: return ...
    gap = g(z) - z
    return 2 * Jt(At(A(g(z)) - y)) + 2 * lam * (Jt(gap) - gap)
    # end


check("auto.gradient", my_gradient)

# %% [markdown]
# In the code, autograd computes this gradient. We record the PSNR of every step to watch the run; it needs the truth
# and decides nothing.


# %%
def energy(r):
    """||r||^2 of a complex r."""
    return torch.view_as_real(r).square().sum()


def fit_input(lam_a, steps, z0=start, lr=0.02):
    """Eq. 18 by Adam on z: (g(z), z, loss and PSNR of g(z) before each step)."""
    z = z0.clone().requires_grad_()
    adam, losses, scores = torch.optim.Adam([z], lr=lr), [], []
    for _ in range(steps):
        output = g(z)
        loss = energy(A(output) - y) + lam_a * energy(output - z)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
        scores.append(psnr(output.detach()))
    with torch.no_grad():
        return g(z), z.detach(), losses, scores


ours, _, our_losses, _ = fit_input(1.0, 5)
theirs, _, their_losses = reconstruct_input(observation, g, 1.0, 5)
difference = float((ours - theirs).norm() / theirs.norm())
print(f"relative difference to the library after 5 steps: {difference:.1e}")
claim(difference < 1e-5, "our loop and the library's give the same image, within a relative 1e-5", needs="smoke")

# %% [markdown]
# ### Sweep $\lambda_a$

# %%
lams, steps = (0.0, 0.3, 1.0, 8.0), pick(smoke=5, laptop=120, paper=1000)
runs = {lam: fit_input(lam, steps) for lam in lams}
figure = plot_curves({f"lam_a = {lam:g}": (range(steps), run[3]) for lam, run in runs.items()})
figure.axes[0].axhline(psnr(start), color="0.5", linewidth=1)
figure.axes[0].annotate("zero-filled", (steps, psnr(start)), ha="right", va="top", fontsize=8)
show(
    figure,
    alt="""PSNR of g(z) against Adam steps for four weights lam_a. With 0 it rises a little within a few steps, then
        falls steadily, far below the zero-filled image. The larger lam_a, the slower the rise and the slower the fall;
        with 8 it hardly falls at all.""",
)
for lam, (output, z, _, scores) in runs.items():
    print(f"lam_a {lam:g}: g(z) {psnr(output):.2f} dB, z {psnr(z):.2f} dB at the end; "
          f"best g(z) {max(scores):.2f} dB at step {int(np.argmax(scores))}")
print(f"zero-filled {psnr(start):.2f} dB, g(truth) {psnr(g(x)):.2f} dB")

# %%
last = {lam: psnr(run[0]) for lam, run in runs.items()}
best_step = {lam: int(np.argmax(run[3])) for lam, run in runs.items()}
claim(last[0.0] < psnr(start) - 1, "without the autoencoding term the end is over 1 dB below the zero-filled image")
claim(max(last, key=last.get) > 0, "at the end of the runs, the best of the four lam_a is not 0")
claim(best_step[0.0] < best_step[1.0] < best_step[8.0], "the larger lam_a, the later the best step")
claim(max(last.values()) < psnr(g(x)) - 4, "every run ends more than 4 dB below g(truth)")

# %% [markdown]
# Change the cell below: try another weight or another learning rate. Can you beat all four runs, and did you need the
# truth for it?

# %%
lam_a, lr = 3.0, 0.05  # <- your turn

mine = fit_input(lam_a, pick(smoke=5, laptop=60, paper=500), lr=lr)
print(f"lam_a {lam_a:g}, lr {lr:g}: {psnr(mine[0]):.2f} dB at the end, best {max(mine[3]):.2f} dB")

# %% [markdown]
# The sweep has two results, one in favour of the paper and one against it.
#
# - **The autoencoding term delays overfitting.** The paper says this about aSeqDIP's term; here it can be seen with
#   weights that do not move at all. But the rise is delayed as well, and the peak is no higher, so part of the delay
#   may be mere slowness.
# - **Judged by PSNR, the reconstruction is hardly better than the zero-filled image**, and far below the ceiling.

# %% [markdown]
# ## Optimiser or model?
#
# When a reconstruction is bad, compare two losses: the loss of the answer and the loss of the **truth**. If the truth
# has the smaller loss, the optimiser has not found it, so take more steps or another start. If the truth has the
# *larger* loss, no optimiser will help, because the model prefers the wrong image.

# %%
lam = 1.0
with torch.no_grad():
    loss_at_truth = float(energy(A(g(x)) - y) + lam * energy(g(x) - x))
loss_at_answer = runs[lam][2][-1]
from_truth, _, truth_losses, truth_scores = fit_input(lam, steps, z0=x)
print(f"loss of Eq. 18 at z = truth: {loss_at_truth:.1f}; at the end of our run: {loss_at_answer:.1f}")
print(f"started at the truth: from {truth_scores[0]:.2f} dB to {psnr(from_truth):.2f} dB, loss {truth_losses[-1]:.1f}")
claim(loss_at_truth > 2 * loss_at_answer, "the truth has more than twice the loss of the answer")
claim(psnr(from_truth) < truth_scores[0] - 1, "a run that starts at the truth walks more than 1 dB away from it")

# %% [markdown]
# The model prefers the wrong image. Why? An autoencoder helps against artefacts only if it codes images better than
# artefacts. We can measure whether it does:

# %%
generator = torch.Generator().manual_seed(2)
noise = torch.view_as_complex(torch.randn((*x.shape, 2), generator=generator))
noise = noise * x.norm() / noise.norm()
shuffled = x.flatten()[torch.randperm(x.numel(), generator=generator)].view(x.shape)


def coding_error(v):
    """||g(v) - v|| / ||v||."""
    with torch.no_grad():
        return float((g(v) - v).norm() / v.norm())


errors = {name: coding_error(v) for name, v in
          {"truth": x, "zero-filled": start, "shuffled pixels": shuffled, "noise": noise}.items()}
for name, error in errors.items():
    print(f"{name:>16}: relative coding error {error:.3f}")
claim(min(errors["noise"], errors["shuffled pixels"]) > 0.8, "noise and shuffled pixels are not coded: error above 0.8")
claim(errors["zero-filled"] < errors["truth"], "the zero-filled image is coded better than the truth")

# %% [markdown]
# The autoencoder knows that noise is not an image. It does **not** know that about aliasing. Seen through 8 x 8 pixels
# and their neighbours, a brain that is smeared sideways is a plausible, smooth brain, and what is smooth is easy to
# code. A prior against aliasing would have to see whole rows, or to be trained on aliased inputs: that would be a
# *denoising* autoencoder, as in the second term of Self-Guided DIP (lesson 05).

# %% [markdown]
# ### Is g(x) the ceiling? (stretch)
#
# $g(x)$ is what the autoencoder returns for $x$, but Eq. 18 may choose any $z$. What is the best image in the range of
# $g$? We can ask Eq. 18 itself, with $A=I$, $y=x$ and $\lambda_a=0$. This needs the truth, so it is a bound and not a
# method.

# %%
from aseqdip_lite.case import Observation
from aseqdip_lite.operators import Identity

given = Observation(Identity(tuple(x.shape[1:]), is_complex=True), x, x)
nearest, _, _ = reconstruct_input(given, g, 0.0, pick(smoke=5, laptop=60, paper=500))
print(f"g(x): {psnr(g(x)):.2f} dB; nearest image found in the range of g: {psnr(nearest):.2f} dB")
claim(psnr(nearest) > psnr(g(x)) + 0.3, "the range of g contains an image more than 0.3 dB better than g(x)")

# %% [markdown]
# So "ceiling" is only a manner of speaking. The range of $g$ contains an even better image, but the data do not lead
# there.

# %% [markdown]
# ## Against an untrained network
#
# Now we reconstruct the same scan with methods that were trained on nothing:

# %%
short = configure("aseqdip", "mri", steps=pick(smoke=10, laptop=500, paper=4000))
print(short)
results = {name: reconstruct(case, configure(name, "mri", profile()), progress=False)
           for name in ("zero_filled", "sense", "l1_wavelet", "tv")}
results["aSeqDIP"] = reconstruct(case, short, seed=0, progress=False)
table = {name: result.metrics["psnr"]["final"] for name, result in results.items()}
chosen = max(last, key=last.get)
table[f"autoencoder, lam_a {chosen:g}"] = last[chosen]
for name, value in sorted(table.items(), key=lambda row: row[1]):
    print(f"{name:>22}: {value:.2f} dB")

# %%
pictures = {
    "zero-filled": case.display(start),
    "autoencoder": case.display(runs[chosen][0]),
    "aSeqDIP": case.display(results["aSeqDIP"].answer),
}
scores = dict(zip(pictures, (psnr(start), last[chosen], table["aSeqDIP"]), strict=True))
show(
    plot_images(pictures, case.truth, case.window, {name: f"{value:.2f} dB" for name, value in scores.items()}),
    alt="""The zero-filled image, the answers of the trained autoencoder and of aSeqDIP, and the truth; below, four
        times the errors. The autoencoder's image has clearer outlines than the zero-filled one, but it is full of
        speckle, with aliasing around the head; aSeqDIP's is smooth, and its errors are smaller.""",
)
claim(table["aSeqDIP"] > last[chosen] + 1, "untrained aSeqDIP is more than 1 dB above the trained autoencoder")
claim(min(table["l1_wavelet"], table["tv"]) > table["aSeqDIP"] + 0.5,
      "L1-wavelet and TV, which have no network at all, are more than 0.5 dB above this short run of aSeqDIP")

# %% [markdown]
# The comparison even favours the autoencoder: its $\lambda_a$ was chosen with the truth, its four training slices show
# **the same head**, and it works at the resolution at which it was trained.
#
# The panel below repeats the aSeqDIP run with sliders. It lives only in a running notebook, and nothing after it
# depends on it.

# %%
from aseqdip_lite.widgets import panel

panel("mri", size=size, coils=coils, **short.to_dict())

# %% [markdown]
# ## Figure 7, stored
#
# The command `aseqdip experiment F7` sweeps more weights on three slices, with more steps. Figure 7 of the paper is a
# curve of the mean PSNR of 8 scans against $\lambda_a$; its values are not printed in the text, so they cannot be
# compared number by number. The paper concludes that "a trained autoencoder effectively serves as a reconstructor as
# evidenced by the achieved PSNR".

# %% tags=["stored-result"]
report = stored("F7")
source, found = report["provenance"], report["ours"]
print(f"profile {source['profile']}: {', '.join(found['images'])}, {found['size']} x {found['size']} pixels, "
      f"{found['steps']} steps; {source['seconds'] / 60:.0f} minutes on {source['device']}, "
      f"torch {source['versions']['torch']}")
print(f"{report['verdict']}: {report['why']}")
show(
    autoencoder.figure(found),
    alt="""PSNR of g(z) and of z against lam_a, the mean over the slices and each slice, with horizontal lines for
        g(truth), far above, and for the zero-filled image.""",
)
zero_filled, ceiling = np.mean(found["start"]), np.mean(found["ceiling"])
print(f"our maximum: {max(found['mean']):.2f} dB at lam_a {found['best']:g}; at lam_a 0 "
      f"{found['mean'][0]:.2f} dB; zero-filled {zero_filled:.2f} dB, g(truth) {ceiling:.2f} dB")
claim(found["best"] > 0, "stored: the best lam_a is not 0", "smoke")
claim(found["mean"][0] < zero_filled, "stored: with lam_a 0 the mean is below zero-filled", "smoke")
claim(max(found["mean"]) < ceiling - 3, "stored: the maximum is more than 3 dB below g(truth)", "smoke")

# %% [markdown]
# **Against the paper.** Here, too, the PSNR depends on $\lambda_a$, but that proves little, because every curve that
# is not flat shows it. Whether a trained autoencoder serves as a reconstructor is not tested here: ours is small, has
# no skips, and saw four slices, while theirs is a U-Net that saw 3000 scans. A larger one may know what aliasing is.
# But test it as we did: what does it do to the zero-filled image?

# %% [markdown]
# ## What it was trained on (stretch)
#
# Does the autoencoder know this head by heart? To find out, compare its errors on its training slices, on slices that
# were held out, and on photographs (as magnitudes, with the phase of our scan).

# %%
phase = x / x.abs().clamp_min(1e-6)


def with_phase(name):
    picture = fit(load_image(name), size)
    picture = torch.from_numpy(np.ascontiguousarray(picture.mean(axis=-1) if picture.ndim == 3 else picture)).float()
    return picture / torch.quantile(picture, 0.995) * phase


kinds = {
    "trained on": training,
    "held out": ("brain-056", "brain-070", "brain-096"),
    "photographs": ("astronaut", "coffee"),
}
coded = {kind: [coding_error(with_phase(name)) for name in names] for kind, names in kinds.items()}
for kind, values in coded.items():
    print(f"{kind:>12}: relative coding error " + ", ".join(f"{value:.3f}" for value in values))
number = {name: int(name[-3:]) for name in (*training, *kinds["held out"])}  # Colin27 has a slice every millimetre
for name in kinds["held out"]:
    print(f"{name} lies {min(abs(number[name] - number[other]) for other in training)} mm from a slice of the training")
claim(
    abs(np.mean(coded["trained on"]) - np.mean(coded["held out"])) < 0.02,
    "trained-on and held-out slices are coded alike: the mean errors differ by less than 0.02",
)
claim(
    max(coded["held out"]) + 0.02 < min(coded["photographs"]) < max(coded["photographs"]) < 0.5 * errors["noise"],
    "photographs are coded worse than held-out slices, by more than 0.02, but with less than half of noise's error",
)

# %% [markdown]
# The errors show no sign of learning by heart. But each of these held-out slices lies only 6 mm from a training slice
# of the same head, so this is a weak test. The photographs, which are like nothing in the training set, are coded
# worse, though far better than noise: much of what it has learned is "pictures are smooth and have edges", and not
# "this is a brain".

# %% [markdown]
# ## What went wrong: another unit
#
# A colleague loads a scan in the scanner's own units, so the numbers are ten times larger. The picture on the screen
# looks the same, because the display rescales it. Then $g$ is applied:

# %%
factors = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
with torch.no_grad():
    rescaled = {c: g(c * x) / c for c in factors}
by_unit = {c: psnr(image) for c, image in rescaled.items()}
for c, value in by_unit.items():
    print(f"image times {c:g}: g(c x) / c has {value:.2f} dB")
pictures = {f"c = {c:g}": shown(rescaled[c]) for c in (0.03, 1.0, 10.0)}
show(
    plot_images(pictures, None, (0, 1), {f"c = {c:g}": f"{by_unit[c]:.2f} dB" for c in (0.03, 1.0, 10.0)}),
    alt="""Three outputs of the autoencoder, scaled back: for an image times 0.03, blurred under a faint grid; times 1,
        close to the truth; times 10, a dark head in coarse speckle.""",
)
claim(by_unit[10.0] < by_unit[1.0] - 5, "a factor of ten costs more than 5 dB")

# %% [markdown]
# A linear method would not care. But $g$ is nonlinear and has only seen bright pixels near 1, so its biases and
# activations have fixed a unit. In this course an `Observation` is scaled by a statistic of $|A^Hy|$, which is known
# without the truth. A network that begins with a normalisation (lesson 03) does not have this weakness, but it has
# others.
#
# ### Exercise 4: cycle spinning
#
# The code lives on a grid of 8 x 8 pixels, so the result depends on how the image lies on the grid. Average this
# effect out: for each shift $(i, j)$ roll the image (along its last two axes), apply $g$, and roll back; return the
# mean.


# %% tags=["exercise"]
def my_spin(g, x, shifts):
    # blank: return ...
    moved = [g(x.roll((i, j), dims=(2, 3))).roll((-i, -j), dims=(2, 3)) for i, j in shifts]
    return sum(moved) / len(moved)
    # end


check("auto.spin", my_spin)

# %%
grid = [(i, j) for i in range(0, 8, 4) for j in range(0, 8, 4)]
with torch.no_grad():
    spun = sum(g(x.roll(s, dims=(2, 3))).roll((-s[0], -s[1]), dims=(2, 3)) for s in grid) / len(grid)
print(f"g(x) {psnr(g(x)):.2f} dB, mean over {len(grid)} shifts {psnr(spun):.2f} dB")
claim(psnr(spun) > psnr(g(x)) + 0.2, "averaging over four shifts gains more than 0.2 dB")

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the answers.

# %%
from aseqdip_lite.course import quiz

quiz("13")

# %% [markdown]
# ## What you can now say
#
# Compare your predictions with these answers.
#
# 1. The network with the skip has the smaller training loss, because it copies. It is the worse prior, because it lets
#    part of the noise pass.
# 2. It improves for a few steps. Then the run fits the noise as well, and nothing keeps it from images that fit the
#    data and are wrong: the range of $g$ contains many of them.
# 3. The zero-filled one, here: this prior prefers the artefact to the truth.
# 4. On this scan, the untrained network, which was fitted to this scan's own data. At this short budget wavelets and
#    total variation beat both.
#
# - You can tell a failure of the optimiser from a failure of the model: compare the loss at the answer with the loss
#   at the truth.
# - You can say what $\lambda_a$ does: it slows the run, the rise as well as the overfitting. It does not give
#   knowledge to a prior that has none.
# - You can question a claim about a trained prior: on what was it trained, on whom was it tested, in which units, and
#   what does it *refuse*?

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding
#   Sequential Deep Image Prior.* NeurIPS 2024. Appendix B, Equations (17) and (18), Figure 7.
# - O. Ronneberger, P. Fischer, T. Brox. *U-Net: convolutional networks for biomedical image segmentation.* MICCAI 2015,
#   doi 10.1007/978-3-319-24574-4_28.
# - P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol. *Extracting and composing robust features with denoising
#   autoencoders.* ICML 2008, doi 10.1145/1390156.1390294.
# - R. R. Coifman, D. L. Donoho. *Translation-invariant de-noising.* Wavelets and Statistics, Springer 1995,
#   doi 10.1007/978-1-4612-2544-7_9 (cycle spinning).
# - A. Bora, A. Jalal, E. Price, A. G. Dimakis. *Compressed sensing using generative models.* ICML 2017,
#   arXiv:1703.03208.
# - C. J. Holmes et al. *Enhancement of MR images using registration for signal averaging.* J. Comput. Assist. Tomogr.
#   22, 1998 (Colin27), doi 10.1097/00004728-199803000-00032.
