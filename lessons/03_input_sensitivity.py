# ---
# jupyter:
#   minutes: 3
# ---

# %% [markdown]
# # Input sensitivity: what the input of the network decides
#
# {colab}
#
# **After this lesson you can**
#
# - say what the fixed input $z$ of $f_\phi(z)$ does, and derive one thing that it cannot do: its scale has no effect
#   if BatchNorm follows the first convolution;
# - run a small version of Figure 1 of the aSeqDIP paper, and say what it shows and what it does not;
# - tell "near the truth" from "like the truth" by experiments, and test the paper's explanation against them;
# - find the onset of overfitting in a PSNR curve, and compare it between inputs;
# - say why inputs that contain the truth are a diagnosis and not a method, and what aSeqDIP makes of the idea.
#
# **You need** lesson 02 (Deep Image Prior), or else a training loop in PyTorch. Lesson 07 explains the MRI operator;
# here $A$ may stay a black box.
#
# **Time** about {minutes} minutes to run in the `laptop` profile on one CPU core (measured); not yet measured on a GPU.
# To work through it, take 75 minutes; without the sections marked *stretch*, 65.
#
# **Data** one axial slice of Colin27 (Holmes et al. 1998; BSD-3-Clause). The slice is real; its phase, the coil
# sensitivities and the noise are simulated. Code BSD-3-Clause, text CC BY 4.0. **For teaching, not for diagnosis.**

# %%
from dataclasses import replace

import matplotlib
import torch
from matplotlib.figure import Figure

from aseqdip_lite import configure, iterate, metrics, networks
from aseqdip_lite.course import banner, check, claim, device, drawings, experiments, pick, show, stored
from aseqdip_lite.course.experiments import f1
from aseqdip_lite.course.theory.grid import overfitting_start
from aseqdip_lite.run.plots import plot_curves, plot_images

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(
    drawings.inputs(),
    alt="""Four pictures of one size: a brain slice, the truth; the same under noise; noise alone; the negative of the
        slice. An arrow with the words one of them leads to a box: network to be fitted. A second arrow, A, leads to
        another box: near the same data y?""",
)

# %% [markdown]
# **One network, one scan, four inputs.** Deep Image Prior can use any of these pictures as the input of the network,
# which it then fits to the same data $y$. This lesson asks how much that choice decides.

# %% [markdown]
# ## Predict first
#
# Deep Image Prior (DIP) fits $\min_\phi \|Af_\phi(z)-y\|^2$ with an input $z$ that stays fixed. Write your guesses
# down; the last section asks for them again.
#
# 1. $z$ is pure noise, and you multiply it by 30. Is the reconstruction better, worse, or the same?
# 2. You feed in the truth plus noise. How much noise can you add before the input is no better than noise alone?
# 3. One input lies twice as far from the truth as another. Which of the two gives the better image?
# 4. Would the **negative** of the truth, with black and white exchanged, be a good input?

# %% [markdown]
# ## One scan, one yardstick
#
# Our problem is MRI at 4x. `f1.scan` is what experiment F1 of this course uses. It simulates a scan and, unlike
# `load_case`, also returns the complex truth $x$, because today we want to put it into the network.
#
# | symbol | code | meaning |
# |---|---|---|
# | $x$ | `x` | the truth ($x^*$ in plots), complex, (1, 1, H, W), bright pixels have magnitude about 1 |
# | $\delta = \sigma n$ | `sigma * noise` | complex noise, standard deviation $\sigma$ in real and imaginary part |
# | $z$ | `z` | the input of the network, of the same shape as $x$ |
# | distance | `distance(z)` | $\lVert z-x\rVert / \lVert x\rVert$ |

# %%
size, coils = pick(smoke=32, laptop=64, paper=320), pick(smoke=2, laptop=8, paper=15)
steps = pick(smoke=12, laptop=300, paper=4000)
case, x, generator = f1.scan("brain-070", size, coils, seed=0)
noise = f1.network_input("noise", 1.0, x, generator)  # n: sigma = 1
method = configure("vanilla", "mri", steps=steps)
print(method)


def distance(z):
    return float((z - x).norm() / x.norm())


def psnr(image, case=case):
    return metrics.psnr(case.display(image), case.truth, case.data_range)


def dip(z, case=case, method=method, seed=0):
    """Deep Image Prior with input z: the PSNR after each step, and the last image."""
    observation = case.to(device()).observation
    curve = []
    for state in iterate(observation, method, seed=seed, z0=z.to(device())):
        curve.append(psnr(state.image, case))
    return curve, state.image.cpu()


# %% [markdown]
# **A warning for the whole lesson.** We will take the *best* PSNR over the steps, as the paper's Figure 1 does, and we
# will use inputs that contain $x$. Both need the truth, so neither can be done on a real scan. The lesson measures
# what DIP is sensitive to; its last sections ask what is left for a method.

# %% [markdown]
# ## What z does before any training
#
# The network is a U-Net with random weights $\phi_0$. It takes local weighted sums, normalises them and cuts off
# negative values, and its skip connections carry the fine detail to the end. So what comes out?


# %%
def untrained(z, seed=0):
    f = networks.build("lite", z, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return f(z)


def bright(image):
    """Magnitude, stretched to [0, 1] for a picture: (H, W)."""
    image = image[0, 0].abs()
    return ((image - image.min()) / (image.max() - image.min()).clamp(min=1e-12)).numpy()


pictures = {
    "z = truth": bright(x),
    "f$_{\\phi_0}$(truth)": bright(untrained(x)),
    "other weights": bright(untrained(x, seed=1)),
    "z = noise": bright(noise),
    "f$_{\\phi_0}$(noise)": bright(untrained(noise)),
}
show(
    plot_images(pictures, None, (0, 1)),
    alt="""Five panels. The truth, a brain slice. The output of an untrained network for it: dark
        and patchy, with the ring of the skull and some folds in their places. The same with other
        weights: other patches, the same ring. Noise, and the untrained output for it: blotches
        without an outline.""",
)


# %%
def edges(image):
    """Magnitude of the gradient of |image|, without the last row and column: (H - 1, W - 1)."""
    image = image[0, 0].abs()
    return torch.hypot(image[1:, :-1] - image[:-1, :-1], image[:-1, 1:] - image[:-1, :-1])


def edge_likeness(image):
    """Correlation between the edges of an image and those of the truth."""
    pair = torch.stack([edges(image).flatten(), edges(x).flatten()])
    return float(torch.corrcoef(pair)[0, 1])


for name, z in {"truth": x, "noise": noise}.items():
    values = [edge_likeness(untrained(z, seed)) for seed in range(5)]
    print(f"z = {name}: edges of f(z) against edges of x, 5 networks: {min(values):.2f} to {max(values):.2f}")
    if name == "truth":
        claim(min(values) > 0.25, "untrained, with z = x: the edges correlate by more than 0.25")
    else:
        claim(max(map(abs, values)) < 0.15, "untrained, with noise: the edges correlate by less than 0.15")

# %% [markdown]
# The weights are random, but the edges of $z$ come through. A network with input $z$ makes **functions of $z$**: at
# each pixel, its output depends on $z$ around this pixel. Training chooses among these functions. If $z$ shows where
# the ventricle ends, "make it dark there" is a simple function of $z$. If $z$ is noise, the network has to learn the
# ventricle by heart, from marks in the noise that happen to lie there.

# %% [markdown]
# ## What z cannot do: its scale
#
# Now we come to prediction 1. From $z$, the first convolution makes a channel $u = w * z + b$. BatchNorm, with one
# image in the batch, subtracts the mean $\bar u$ of the channel over the pixels and divides by its standard deviation:
#
# $$\hat u = \frac{u-\bar u}{\sqrt{\operatorname{var}(u)+\varepsilon}}, \qquad \varepsilon = 10^{-5}.$$
#
# Replace $z$ by $cz$ with $c>0$.
#
# - The convolution is linear: $u_c = c\,(w*z) + b$.
# - The mean is also linear: $\bar u_c = c\,\overline{w*z} + b$. Hence $u_c - \bar u_c = c\,(w*z-\overline{w*z})$, and
#   the bias drops out for every $c$.
# - The variance is quadratic and does not depend on $b$: $\operatorname{var}(u_c) = c^2\operatorname{var}(w*z)$.
#
# Divide numerator and denominator by $c$:
#
# $$\hat u_c = \frac{c\,(w*z-\overline{w*z})}{\sqrt{c^2\operatorname{var}(w*z)+\varepsilon}}
# = \frac{w*z-\overline{w*z}}{\sqrt{\operatorname{var}(w*z)+\;?\;}} .$$
#
# **Two minutes.** What happens to $\hat u$, away from the borders, if you add a constant to $z$?
#
# ### Exercise 1: what stands at the question mark?
#
# Return the number that replaces $\varepsilon$ when $z$ is multiplied by $c$.


# %% tags=["exercise"]
def my_eps(eps, c):
    # blank: return ...
    return eps / c**2
    # end


check("input.eps", my_eps)

# %% [markdown]
# The next cell checks this for the library's whole network, in double precision: it compares $f(cz)$ with $f(z)$ for
# another $\varepsilon$ in the first normalisation.

# %% tags=["nbval-check-output"]
f = networks.build("lite", noise, torch.Generator().manual_seed(0)).double()
first = f.network.down[0][1]
z, eps = noise.to(torch.complex128), first.eps
with torch.no_grad():
    for c in (30.0, 0.03):
        scaled = f(c * z)
        first.eps = eps / c**2
        expected = f(z)
        first.eps = eps
        error = float((scaled - expected).norm() / expected.norm())
        claim(error < 1e-10, f"c = {c:g}: f(c z) is f(z) with eps / c^2, within a relative 1e-10", needs="smoke")

# %% [markdown]
# So in the limit $\varepsilon \to 0$, $f_\phi(cz) = f_\phi(z)$ **for every** $\phi$. Both are then the same function of
# $\phi$, with the same loss, the same gradients and the same Adam steps, and so the whole run is the same.
#
# When is $\varepsilon$ small? Our weights start as $N(0, 0.02^2)$, and a $3\times3$ filter sees two channels. So for
# noise of standard deviation $\sigma$ the variance of $u$ is about $18 \cdot 0.02^2\,\sigma^2$.

# %%
for sigma in (0.01, 0.03, 0.1, 1.0):
    variance = 18 * 0.02**2 * sigma**2
    print(f"sigma = {sigma:<4}: the untrained first layer is damped by {(1 + eps / variance) ** -0.5:.3f}")

# %% [markdown]
# Below about $\sigma = 0.03$ the untrained first layer is damped; from 0.1 on, $\varepsilon$ hardly counts.
#
# Does this remain true while Adam trains? We check it in double precision, where rounding stays small: we compare five
# steps with the input $30\,z$ with five steps with $z$ and $\varepsilon / 900$.

# %%
operator, measured = case.observation.A.to(double=True), case.observation.y.to(torch.complex128)


def train_in_double(z, eps, steps=5):
    """The output after a few Adam steps in double precision, with `eps` in the first normalisation."""
    f = networks.build("lite", noise, torch.Generator().manual_seed(0)).double()
    f.network.down[0][1].eps = eps
    adam = torch.optim.Adam(f.parameters(), lr=method.lr)
    for _ in range(steps):
        adam.zero_grad()
        (operator(f(z)) - measured).abs().square().sum().backward()
        adam.step()
    with torch.no_grad():
        return f(z)


large, same, plain = (train_in_double(*pair) for pair in ((30 * z, eps), (z, eps / 900), (z, eps)))
untouched, moved = (float((large - other).norm() / large.norm()) for other in (same, plain))
print(f"30 z against z with eps / 900: relative difference {untouched:.0e}; against z with the same eps: {moved:.0e}")
claim(untouched < 1e-6, "five Adam steps agree for 30 z and for z with eps / 900, within a relative 1e-6", "smoke")

# %% [markdown]
# With the same $\varepsilon$ on both sides, the first layer differs a little, by the damping computed above, and
# training amplifies this difference.
#
# Now we compare whole runs, in single precision: the same noise at two scales, and other draws of the noise.

# %%
scale_runs = {"sigma = 1": dip(noise)[0], "sigma = 30, the same draw": dip(30.0 * noise)[0]}
for draw in (1, 2):
    other_noise = f1.network_input("noise", 1.0, x, torch.Generator().manual_seed(draw))
    scale_runs[f"sigma = 1, draw {draw}"] = dip(other_noise)[0]
count = range(1, steps + 1)
show(
    plot_curves({name: (count, curve) for name, curve in scale_runs.items()}),
    alt="""PSNR against Adam steps for four noise inputs: sigma 1, the same draw at sigma 30, and
        two other draws. The four curves lie close together, less than one decibel apart at the end.""",
)
for name, curve in scale_runs.items():
    print(f"{name:>25}: best {max(curve):.2f} dB")
near, far, *draws = scale_runs.values()
claim(abs(max(near) - max(far)) < 1, "30 times the noise changes the best PSNR by less than 1 dB")

# %% [markdown]
# All four curves lie close together, so these runs cannot tell another scale from another draw. That the scale acts
# through $\varepsilon$ alone follows from the derivation and from the check in double precision. Remember the size of
# the spread between the runs: in this lesson, anything smaller is no effect.
#
# **Compared with the paper.** Its Figure 1 has a red curve for noise alone, and the paper conjectures that larger
# noise is farther from the truth and hence worse. In a network whose first convolution is followed by BatchNorm,
# distance of this kind cannot matter, because the BatchNorm divides it away. The U-Nets of the authors' public code
# are built like this (`sjames40/Aseq_DIP` at f6d4a66, `unet/unet_parts.py`, lines 15-22).
#
# The same argument says what matters in $z = x + \sigma n$. Divide by $\sigma$:
#
# $$f_\phi(x+\sigma n) = f_\phi\!\left(n + \tfrac1\sigma\,x\right)\quad(\varepsilon\to0).$$
#
# What counts is not the distance but the **ratio** of image to noise. As $\sigma$ grows, the input turns into noise
# alone, so the two curves of Figure 1 must meet.
#
# ### Exercise 2: far away and just as good
#
# Return an input $z$ with $\|z-x\|\ge 2\|x\|$ for which DIP does the same as for $x$ itself.


# %% tags=["exercise"]
def my_far_input(x):
    # blank: return ...
    return 3 * x
    # end


check("input.far", my_far_input)

# %% [markdown]
# ## Figure 1, small and live
#
# `f1.measure` runs DIP for both kinds of input and keeps the best PSNR over the steps. The paper averages over 8
# scans; we use one, with three values of $\sigma$. We add a third curve that the paper does not draw: the PSNR of
# **the input itself**, looked at as a picture. Predict where it will run.

# %%
sigmas = [0.03, 0.3, 3.0]
ours = f1.measure(["brain-070"], sigmas, size, coils, steps, progress=False)
own = [psnr(x + sigma * noise) for sigma in sigmas]

figure = f1.figure(ours)
axis = figure.axes[0]
axis.plot(sigmas, own, "^:", color="0.35", label="x* + noise, shown as it is")
axis.set_ylim(bottom=8)  # what lies below is no longer a picture; its number is printed
axis.legend(loc="lower left")
show(
    figure,
    alt="""Best PSNR against sigma. The curve of truth plus noise falls and meets the flat curve of
        noise alone at the right end. A third, dotted curve, the noisy truth shown as a picture,
        starts above both, crosses both and leaves the figure below.""",
)

# %%
with_truth, alone = ([row[0] for row in ours["best"][kind]] for kind in f1.KINDS)
for row in zip(sigmas, with_truth, alone, own, strict=True):
    print("sigma {:<4}: x* + noise {:.2f} dB, noise {:.2f} dB, the input as a picture {:.2f} dB".format(*row))
claim(with_truth[0] > with_truth[-1] + 3, "with x* + noise the PSNR falls by more than 3 dB from sigma 0.03 to 3")
claim(with_truth[0] > alone[0] + 3, "at sigma 0.03, x* + noise is more than 3 dB above noise alone")
claim(abs(with_truth[-1] - alone[-1]) < 1, "at sigma 3 the two curves have met, within 1 dB")
claim(max(alone) - min(alone) < 2, "noise alone stays within 2 dB from sigma 0.03 to 3")
claim(own[0] > with_truth[0] + 1, "at sigma 0.03 the input as a picture is more than 1 dB above the reconstruction")

# %% [markdown]
# We can read three things from the plot.
#
# - **The effect is real.** With little noise, an input that contains the image gives a far better reconstruction.
# - **Noise alone is flat** within 2 dB while $\sigma$ grows by a factor of 100, as our derivation says. The paper
#   conjectures a fall; here the fall is no larger than the noise floor of the stored study below.
# - **At small $\sigma$, DIP makes its input worse.** Anyone who has this $z$ should show $z$ and go home. The left
#   part of Figure 1 measures how well the network passes on what it is given, not how well it reconstructs.
#
# At which step was the PSNR best?

# %%
for kind in f1.KINDS:
    print(f"{f1.KINDS[kind]:>20}: best at steps {[row[0] for row in ours['steps'][kind]]} of {steps}")
earliest = min(row[0] for rows in ours["steps"].values() for row in rows)
claim(earliest > 0.8 * steps, "every run is at its best in the last fifth of its steps")

# %% [markdown]
# It was best at the end. Within this budget **nothing overfits** on this scan, so "best" means "fastest". The paper
# runs long enough for overfitting to begin; we return to that with a noisier scan.
#
# ## Figure 1, stored
#
# The command `aseqdip experiment F1` runs the same function on more scans, more values of $\sigma$ and larger images,
# and stores the result. The next cell shows the result that comes with the course, with its origin. It asserts the
# claims above on this result as well, with tolerances of its own, because these are means over other scans.

# %% tags=["stored-result"]
report = stored("F1")
source, found = report["provenance"], report["ours"]
used = source["settings"]
print(f"profile {source['profile']}: {', '.join(found['images'])}, {used['size']} x {used['size']} pixels, "
      f"{used['coils']} coils, {used['steps']} steps; {source['seconds'] / 60:.0f} minutes on {source['device']}, "
      f"torch {source['versions']['torch']}")
print(f"{report['verdict']}: {report['why']}")
for part in report["claims"]:
    print(f"  {part['verdict']}: {part['claim']}\n    " + part["why"].replace("; sigma", "\n    sigma"))
show(f1.figure(found), alt=experiments.get("F1").alt)
truth_means, noise_means = (torch.tensor(found["best"][kind]).mean(dim=1) for kind in f1.KINDS)
claim(truth_means[0] > truth_means[-1] + 2, "stored: x* + noise falls by more than 2 dB from end to end", "smoke")
claim(truth_means[0] > noise_means[0] + 2, "stored: at the least sigma it is more than 2 dB above noise", "smoke")
claim((truth_means - noise_means)[-1].abs() < 1.5, "stored: at the largest sigma they meet within 1.5 dB", "smoke")
claim(noise_means.max() - noise_means.min() < 1.5, "stored: noise alone is flat within 1.5 dB", "smoke")

# %% [markdown]
# At each $\sigma$, the verdict compares the mean difference of the two curves with the noise floor, which is what
# another seed alone would change. At the three largest $\sigma$ the difference lies within this floor, so we cannot
# tell which curve is higher there.
#
# ## Near the truth, or like the truth?
#
# The paper concludes: "the proximity of the DIP network input to the ground truth correlates with the quality of the
# reconstruction". In Figure 1 it does. But there everything changes at once: as $\sigma$ grows, so does the distance,
# and at the same time the image drowns. To separate the two, we need inputs for which they differ.
#
# | input | distance | contains the image? |
# |---|---|---|
# | $3x$ | 2 | yes |
# | $1-\lvert x\rvert$, the negative, without phase | large | yes, with black and white exchanged |
# | $x$ moved sideways by a third of its width | large | yes, in the wrong place |
# | $x$ with its pixels shuffled | large | the same pixels, nothing else |
# | $A^Hy$, the zero-filled image | small | blurred and doubled |
# | $x+\sigma n$ as far away as $A^Hy$ | that of $A^Hy$ | yes, with grain |
#
# ### Exercise 3: equally far, and not the same
#
# The last row can be generalised. Multiply the truth by a number $c$ and add noise, so that the input is again as far
# from $x$ as a given $z$. Return the $\sigma$ with $\mathbb E\,\|(c\,x + \sigma n) - x\|^2 = \|z-x\|^2$, or `None` if
# there is none. ($n$ is complex, with mean 0 and standard deviation 1 in each of its two components.)


# %% tags=["exercise"]
def my_sigma(z, x, c):
    # blank: return ...
    left = (z - x).norm() ** 2 - (c - 1) ** 2 * x.norm() ** 2  # the mixed term with n has the mean 0
    return None if left < 0 else (left / (2 * x.numel())).sqrt()
    # end


check("input.sigma", my_sigma)

# %% [markdown]
# The last row has $c = 1$. For larger $c$, the same distance leaves room for less noise, and at
# $c = 1 + \|z-x\|/\|x\|$ for none at all: that input is as far away as $z$, and according to exercise 2 as good as
# $x$.
#
# Guess the order of these inputs before you run the cells.

# %%
zero_filled = case.observation.start
shuffled = x.flatten()[torch.randperm(x.numel(), generator=generator)].view(x.shape)
sigma = float(torch.view_as_real(zero_filled - x).square().mean().sqrt())  # over all components
inputs = {
    "3x": 3 * x,
    "1 - |x|": (1 - x.abs()).to(x.dtype),
    "x moved": torch.roll(x, size // 3, dims=-1),
    "x shuffled": shuffled,
    "A$^H$y": zero_filled,
    "x + noise": x + sigma * noise,
}
show(
    plot_images({name: bright(z) for name, z in inputs.items()}, None, (0, 1)),
    alt="""Six inputs: the truth times 3, which looks like the truth; its negative; the truth moved
        sideways; its pixels shuffled, which looks like noise; the zero-filled image, blurred,
        with shifted copies folded into it; the truth with grain.""",
)

# %%
rows = {name: (distance(z), max(dip(z)[0])) for name, z in inputs.items()}
rows["x + noise, sigma 0.3"] = distance(x + 0.3 * noise), with_truth[1]
of_noise = [*map(max, scale_runs.values()), *alone]  # best PSNR of all inputs that were noise
for name, (far_away, best) in sorted(rows.items(), key=lambda row: -row[1][1]):
    print(f"{name.replace('$^H$', '^H '):>21}: distance {far_away:.2f}, best PSNR {best:.2f} dB")
print(f"{'noise, seven runs':>21}: best PSNR {min(of_noise):.2f} to {max(of_noise):.2f} dB")

figure = Figure(figsize=(6.4, 3.8), layout="constrained")
axis = figure.subplots()
for name, (far_away, best) in rows.items():
    axis.plot(far_away, best, "o", color="#00204d")
    axis.annotate(name, (far_away, best), xytext=(6, 3), textcoords="offset points")
axis.set(xlabel="distance ||z - x|| / ||x||", ylabel="best PSNR (dB)", xlim=(0, 2.4))
axis.margins(y=0.1)
axis.axhspan(min(of_noise), max(of_noise), color="#a59c74", alpha=0.5, label="noise, any scale")
axis.legend(loc="lower right")
axis.grid(alpha=0.3)
show(
    figure,
    alt="""Best PSNR against the distance of the input from the truth, one labelled dot for each input.
        The highest dots, 3x and the negative, lie far to the right. The zero-filled image lies far
        to the left and low, clearly below truth plus noise at the same distance.""",
)

# %%
best = {name: value for name, (_, value) in rows.items()}
claim(min(best["3x"], best["1 - |x|"]) > max(of_noise) + 3, "3x and the negative: more than 3 dB above all noise")
claim(min(abs(best["x shuffled"] - value) for value in of_noise) < 1, "shuffled pixels are like noise, within 1 dB")
claim(best["x moved"] < min(of_noise), "the truth in the wrong place is worse than all noise")
claim(best["A$^H$y"] < max(of_noise) + 1, "A^H y is less than 1 dB above the best noise")
claim(best["x + noise"] > best["A$^H$y"] + 2, "at equal distance, x + noise is more than 2 dB above A^H y")
claim(
    rows["x + noise, sigma 0.3"][0] > 1.5 * rows["A$^H$y"][0] and best["x + noise, sigma 0.3"] > best["A$^H$y"],
    "x + 0.3 n is more than 1.5 times as far away as A^H y, and gives the better image",
)

# %% [markdown]
# So distance is not the cause. An input helps if it shows, **in the right place**, what the network has to draw. Its
# gray values may be stretched or reversed, because the network can undo that. An edge that lies a third of the image
# away did not help: the moved truth is worse than noise, as if suppressing the misplaced edges had a price.
#
# ### A better yardstick than distance (stretch)
#
# Why is $A^Hy$ worse than the truth with grain, at the same distance? Averaging over neighbours can remove grain. But
# the doubled edges of $A^Hy$ look like edges, and no local average can tell them apart. So let us ask how much of $x$
# a small filter can make from an input:
#
# $$r(z) = \min_{w}\ \|w * z - x\| \,/\, \|x\|,\qquad w \text{ of } 5\times5 \text{ pixels}.$$
#
# The filter sees the real and the imaginary part of $z$ as two channels, as the network does. So this is a
# least-squares problem with 50 weights and a constant for each component of $x$.


# %%
def filter_residual(z, width=5):
    """r(z): what a best linear filter of width x width pixels leaves of x."""
    channels = networks.to_channels(z)  # (1, 1, H, W) complex -> (1, 2, H, W)
    patches = torch.nn.functional.unfold(channels, width, padding=width // 2)[0].T  # (H W, 2 width^2)
    patches = torch.cat([patches, torch.ones(len(patches), 1)], dim=1).double()
    wanted = networks.to_channels(x)[0].flatten(1).T.double()  # (H W, 2)
    weights = torch.linalg.lstsq(patches, wanted, driver="gelsd").solution
    return float((patches @ weights - wanted).norm() / wanted.norm())


family = {f"x* + noise, sigma {s}": (x + s * noise, value) for s, value in zip(sigmas, with_truth, strict=True)}
family |= {"A^H y": (zero_filled, best["A$^H$y"]), "noise": (noise, max(near))}
family |= {"1 - |x|": (inputs["1 - |x|"], best["1 - |x|"])}
residual = {name: filter_residual(z) for name, (z, _) in family.items()}
for name, (z, value) in family.items():
    print(f"{name:>22}: distance {distance(z):.2f}, filter residual {residual[name]:.2f}, best PSNR {value:.2f} dB")

# %%
claim(
    residual["x* + noise, sigma 0.3"] < residual["A^H y"] and distance(x + 0.3 * noise) > distance(zero_filled),
    "the filter puts x + 0.3 n before A^H y, as DIP does; the distance puts it behind",
)
claim(
    residual["1 - |x|"] > 2 * residual["A^H y"] and best["1 - |x|"] > best["A$^H$y"] + 2,
    "the filter misses the negative, with more than twice the residual of A^H y but an image more than 2 dB better",
)

# %% [markdown]
# This yardstick is better, but not the whole story: a linear filter cannot make a complex image with its phase from
# $1-|x|$, while the network can, and does it well. A yardstick that ranks *all* inputs would have to know what the
# network finds easy. This is the theme of lessons 04 and 05.

# %% [markdown]
# ## What theory says, and for which network
#
# The paper's Theorem A.1 treats denoising, $A = I$ and $y = x + n$, and a **residual** network
# $f_\phi(z) = z + g_\phi(z)$ that is infinitely wide, trained by gradient descent with step $\beta$. In expectation
# over the initial weights,
#
# $$f_t = y - M_t\,(y - z),\qquad M_t = (I-\beta\Theta)^t ,$$
#
# with a fixed positive matrix $\Theta$ that depends on the architecture and on $z$. Lesson 04 derives and tests this.
# Split the error with $y = x + n$ and $y - z = n - (z - x)$:
#
# $$f_t - x \;=\; n - M_t\,n + M_t\,(z-x) \;=\; \underbrace{(I-M_t)\,n}_{\text{noise learned so far}}
# \;+\; \underbrace{M_t\,(z-x)}_{\text{error of the input not yet forgotten}} .$$
#
# As $t$ grows, $M_t$ goes from $I$ to $0$: the second term fades and the first one grows. With $z = x$ the second term
# is zero from the start, and all that training can do is to learn noise (remark A.2). With $z = y$ both terms add up
# to $n$ at every $t$, so nothing is denoised at all.
#
# **Here the distance matters** for the error at the start, because the residual connection puts $z$ itself into the
# output: $3x$ would start at $3x$. Our U-Net has no such connection. Its skip connections carry normalised *features*
# of $z$. So the theorem explains why a residual network can keep a good input: it has that in its output from the start
# and need learn next to nothing. The experiments above are about a different network, where what counts is what can be
# computed from $z$.

# %% [markdown]
# ## When does overfitting begin?
#
# The paper sums up its experiment A.2 as follows: better inputs, nearer to the truth, delay the overfitting. Does the
# formula above say that? Suppose first that $\Theta$ is the same for all inputs, and that $z$ is independent of the
# noise $n$. Take one eigenvector of $\Theta$. In its direction let $M_t$ have the eigenvalue $m$, the noise the
# variance $\sigma^2$, and the input's error $z - x$ the component $e$. The expected squared error of $f_t$ in this
# direction is
#
# $$(1-m)^2\sigma^2 + m^2e^2, \qquad\text{least at}\qquad m = \frac{\sigma^2}{\sigma^2+e^2}.$$
#
# Training takes $m$ from 1 to 0. With $e = 0$, the truth as input, the best moment is $m = 1$, before the first step.
# The larger $e$ is, the smaller the best $m$ becomes, and the **later** the best step comes. So in each direction, for
# one fixed $\Theta$, the nearer input begins to overfit **sooner**; only its best error is smaller. The next cell
# computes this for 60 directions with rates $\beta\theta$ from $10^{-2}$ to $10^{-5}$, and for inputs that differ from
# the truth by white noise of standard deviation $d\sigma$.

# %%
rates = torch.logspace(-2, -5, 60, dtype=torch.float64)  # beta theta
counts = torch.cat([torch.zeros(1), torch.logspace(0, 6, 241)]).round().unique()
m = (1 - rates) ** counts[:, None]  # (steps, directions)
best_steps = []
for d in (0.0, 0.1, 0.25, 0.5, 1.0, 2.0):
    error = ((1 - m) ** 2 + (d * m) ** 2).mean(dim=1)  # in units of sigma^2
    best_steps.append(int(counts[error.argmin()]))
    print(f"d = {d:<4}: best step {best_steps[-1]:>6}, error there {float(error.min()):.3f} sigma^2")
claim(best_steps[0] == 0, "with the truth as input and Theta fixed, the best moment is before the first step", "smoke")
claim(best_steps == sorted(set(best_steps)), "Theta fixed: the farther the input, the later the best step", "smoke")

# %% [markdown]
# But $\Theta$ is not the same for all inputs: it depends on $z$. If a nearer input delays overfitting, the formula
# leaves $\Theta(z)$ as the reason, not the distance. What do we see in our U-Net? To see overfitting at all in a short
# run, we use a much noisier scan of the same slice (2 dB instead of 20 dB).
#
# ### Exercise 4: the onset
#
# In this course the "onset" is the first step from which the PSNR, averaged over 50 steps, **stays** more than 0.1 dB
# below the maximum of this average. The mean over steps $i + 1$ to $i + 50$ belongs to step $i + 26$. The onset is
# `None` if the average does not stay below until the end. Write the onset for a list of PSNR values.


# %% tags=["exercise"]
def my_onset(psnr):
    # blank: return ...
    smooth = torch.tensor(psnr).unfold(0, 50, 1).mean(dim=1)  # mean number i is over the steps i + 1 ... i + 50
    last = int(torch.nonzero(smooth >= smooth.max() - 0.1)[-1])
    return None if last == len(smooth) - 1 else last + 27  # one after step last + 26, the middle of the window
    # end


check("input.onset", my_onset)

# %%
noisy, noisy_x, noisy_generator = f1.scan("brain-070", size, coils, seed=0, snr=2.0)
noisy_noise = f1.network_input("noise", 1.0, noisy_x, noisy_generator)
longer = method.with_steps(pick(smoke=60, laptop=400, paper=4000))
noisy_inputs = {
    "x* + noise, sigma 0.1": noisy_x + 0.1 * noisy_noise,
    "A$^H$y": noisy.observation.start,
    "noise": noisy_noise,
}
noisy_runs = {name: dip(z, noisy, longer)[0] for name, z in noisy_inputs.items()}
figure = plot_curves({name: (range(1, len(curve) + 1), curve) for name, curve in noisy_runs.items()})
show(
    figure,
    alt="""PSNR against Adam steps on the noisy scan for three inputs. Truth plus noise rises fastest
        to the highest peak. The zero-filled image peaks lower, noise lowest. All three fall after their peak.""",
)
onset = {}
for name, curve in noisy_runs.items():
    onset[name] = overfitting_start(curve)
    top = max(range(len(curve)), key=curve.__getitem__)
    far_away = float((noisy_inputs[name] - noisy_x).norm() / noisy_x.norm())
    print(f"{name.replace('$^H$', '^H '):>22}: distance {far_away:.2f}, best {curve[top]:.2f} dB at step {top + 1}, "
          f"onset {onset[name]}, end {curve[-1]:.2f} dB")

# %%
begin = [onset[name] or float("inf") for name in noisy_inputs]
claim(min(begin[:2]) > begin[2] + 20, "noise begins to overfit more than 20 steps before the other two")
claim(
    max(noisy_runs["x* + noise, sigma 0.1"]) > max(noisy_runs["A$^H$y"]) + 2 > max(noisy_runs["noise"]) + 2,
    "x* + noise peaks more than 2 dB above A^H y, and A^H y above noise",
)
claim(
    all(curve[-1] < max(curve) - 1 for curve in noisy_runs.values()),
    "all three end more than 1 dB below their peak",
)

# %% [markdown]
# The two inputs that contain the image peak higher than noise and begin to fall later. They are also nearer to the
# truth. But with one $\Theta$ for all inputs, the formula says that an input that is nearer in each direction falls
# sooner. So the distance, as it stands in the formula, is hardly what delays the fall here. What the formula leaves is
# $\Theta(z)$: with another input, the network learns other things fast. Do not read an order into the onsets of
# $x^*$ + noise and of $A^Hy$ before you have seen other weights: `dip(z, noisy, longer, seed=1)`.
#
# Look also at what the delay is worth. All three fall in the end: a good input delays overfitting but does not prevent
# it. Without the truth nobody sees these peaks, so a stopping rule is still needed (lesson 02). This is one scan and
# one seed. Lesson 04 asks the same question in one dimension, with the network of the theorem.

# %% [markdown]
# ## What is left for a method
#
# No scanner knows $x$. A method may use only the observation.
#
# ### Exercise 5: an input without the truth
#
# From the observation alone, return an input of shape (1, 1, H, W) that is like the image. The observation has `A`
# (with `A.adjoint`), `y`, `start`, `scale` and `noise_std`.


# %% tags=["exercise"]
def my_input(observation):
    # blank: return ...
    return observation.A.adjoint(observation.y)
    # end


check("input.blind", my_input)

# %% [markdown]
# The first input of aSeqDIP is $A^Hy$. As an input of plain DIP, $A^Hy$ was not much better than noise. But DIP's
# **output** is nearer to the truth than $A^Hy$ is. So let us use it: we fit a fresh network, whose input is the output
# of the first one.

# %%
double = method.with_steps(2 * steps)
straight, _ = dip(zero_filled, method=double)
first_round, z1 = dip(zero_filled)
second_round, z2 = dip(z1)
rounds = {"A^H y": zero_filled, "after one round": z1, "after two": z2}
print("distance: " + ", ".join(f"{name} {distance(z):.3f}" for name, z in rounds.items()))

# %% [markdown]
# aSeqDIP does the same thing without a fresh start: the network continues, its output becomes its input every $N$
# steps, and the autoencoding term ties the two together. We run it with the same network, the same number of Adam
# steps, and the settings that the course's search found (for 1600 steps, not for so few).

# %%
aseqdip = configure("aseqdip", "mri", network=method.network).with_steps(2 * steps)
print(aseqdip)
observation = case.to(device()).observation
sequential = [psnr(state.image) for state in iterate(observation, aseqdip, seed=0, steps=2 * steps)]
total = range(1, 2 * steps + 1)
show(
    plot_curves({
        "DIP, input A$^H$y": (total, straight),
        "DIP again, input z$_1$": (range(steps + 1, 2 * steps + 1), second_round),
        "aSeqDIP": (total, sequential),
    }),
    alt="""PSNR against Adam steps. DIP with the zero-filled input rises and then creeps upwards. The second DIP, whose
        input is the output of the first, starts halfway and ends within a decibel of it. aSeqDIP rises more slowly and
        ends lower.""",
)
print(f"one network, {steps} steps, input A^H y: {first_round[-1]:.2f} dB")
print(f"one network, {steps} steps, input z_1:   {second_round[-1]:.2f} dB")
print(f"one network, {2 * steps} steps, input A^H y: {straight[-1]:.2f} dB")
print(f"aSeqDIP, {2 * steps} steps:                  {sequential[-1]:.2f} dB")

# %%
claim(distance(z1) < distance(zero_filled) - 0.05, "z_1 is nearer to the truth than A^H y, by more than 0.05")
claim(second_round[-1] > first_round[-1] + 0.3, "in as many steps, z_1 as input gains more than 0.3 dB over A^H y")
claim(abs(second_round[-1] - straight[-1]) < 1, "one network for all the steps gets as far, within 1 dB")
claim(sequential[-1] < straight[-1] + 0.5, "at this budget aSeqDIP is not more than 0.5 dB above that network")

# %% [markdown]
# This is one scan and one seed, and it gives us three sentences, none of which is an advertisement.
#
# - The better input **helps**: in the same number of steps, a fresh network gets further with $z_1$ than with $A^Hy$.
# - It **saves nothing** here: the first network, if left to run for all the steps, gets as far within 1 dB. $z_1$ was
#   made from $y$ alone, and says nothing that $y$ does not say.
# - aSeqDIP is **behind** at this size and budget, by 1.3 dB; its settings were found for longer runs. Lesson 06 shows
#   what its moving input and `lam` do, and lesson 12 compares it with DIP on several images, each with settings found
#   by a search of equal budget.
#
# So Figure 1 is a reason to try, not a proof. Its inputs contain the truth; those of a method do not.

# %% [markdown]
# ## A slider for the input (stretch)
#
# One stage without `lam` is DIP, because aSeqDIP with `K` = 1 never replaces its input before the end. So one panel
# can show both. The next cell runs this setting without the panel, and compares it with the loop from above.

# %%
dip_settings = dict(lam=0.0, N=steps, K=1, lr=method.lr, network=method.network)
same = replace(case, observation=replace(case.observation, start=noise)).to(device()).observation
one_stage = configure("aseqdip", "mri", **dip_settings)
short = pick(smoke=5, laptop=20, paper=20)
stage_curve = [psnr(state.image) for state in iterate(same, one_stage, seed=0, steps=short)]
claim(
    max(abs(a - b) for a, b in zip(stage_curve, near, strict=False)) < 1e-3,
    f"one stage of aSeqDIP with lam = 0 is DIP: {short} steps agree within 0.001 dB",
    needs="smoke",
)

# %% [markdown]
# Move `std`, the standard deviation of the input's noise, and watch the PSNR of "step 0", which is that of the input
# itself as a picture. Run, move `std`, and run again: the panel keeps both runs side by side. Set `input` to
# `zero-filled`. Then let the input follow the output, with `lam` = 1, `N` = 10, `K` = 30.

# %%
from aseqdip_lite.course.input_panel import input_panel

input_panel(size=size, coils=coils, std=0.1, **dip_settings)

# %% [markdown]
# ## What went wrong: an input that says nothing
#
# Somebody sets $z = 1$ at every pixel "to be neutral". Nothing crashes.

# %%
constant_curve, constant_image = dip(torch.ones_like(x))
shown = {"z = 1": case.display(constant_image), "z = A$^H$y": case.display(z1)}
scores = {"z = 1": f"{constant_curve[-1]:.2f} dB", "z = A$^H$y": f"{first_round[-1]:.2f} dB"}
show(
    plot_images(shown, case.truth, case.window, scores),
    alt="""The output for z = 1: a head whose inside is filled with smooth shades and has no folds; the
        output for the zero-filled input, blurred, with some folds; the truth. Below, four times the
        errors: all the fine structure for the first, less of it for the second.""",
)
print(f"z = 1: best {max(constant_curve):.2f} dB; noise, seven runs: {min(of_noise):.2f} to {max(of_noise):.2f} dB")
claim(max(constant_curve) < min(of_noise) - 0.3, "z = 1 is more than 0.3 dB worse than the worst noise")

# %%
f = networks.build("lite", x, torch.Generator().manual_seed(0))
with torch.no_grad():
    channels = f.network.down[0][0](networks.to_channels(torch.ones_like(x)))  # first convolution: (1, 16, H, W)
inside = channels[..., 1:-1, 1:-1]
ripple = float((inside - inside.mean(dim=(-2, -1), keepdim=True)).abs().max())
ring = float((channels - inside.mean(dim=(-2, -1), keepdim=True)).abs().max())
print(f"first convolution of z = 1: variation inside {ripple:.0e}, on the outermost ring {ring:.0e}")

# %%
claim(ripple < 1e-6, "the first convolution is constant except in the outermost ring, within 1e-6", "smoke")

# %% [markdown]
# A convolution turns a constant into a constant, and so do BatchNorm, pooling and upsampling. Only at the border,
# where the network pads with zeros, is there something to see, and it creeps inwards layer by layer. So what the
# network knows about a pixel is how it lies relative to the border. From this it can make smooth shades, but hardly a
# fold.
#
# Noise says just as little about the brain. But it gives each pixel a mark of its own, and with these marks the
# network can learn an image by heart. A good neutral input is random, not constant.

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the answers.

# %%
from aseqdip_lite.course import quiz

quiz("03")

# %% [markdown]
# ## What you can now say
#
# Compare these answers with your predictions.
#
# 1. The same, up to the spread between runs: BatchNorm divides the scale away, as long as $\varepsilon$ is small.
# 2. In our run the advantage was 2.8 dB at $\sigma$ = 0.3, in units of the image's peak; at 3, no more of it was left
#    than the spread between runs with noise. In the stored study of larger images, it was within the noise floor
#    already at 0.3. What counts is the ratio of image to noise.
# 3. The distance alone does not tell: $x + 0.3\,n$ lies farther away than $A^Hy$ but is the better input.
# 4. Yes, it was even the best input here, 0.9 dB above $3x$; one run cannot say whether that is more than chance. What
#    counts is what the input shows in the right place, not its gray values.
#
# - You can say which part of Figure 1 we see here (an image in the input helps) and which we do not (larger noise
#   **alone** is worse).
# - You can design inputs that put an explanation to the test.
# - You can find the onset of overfitting in a curve, and you know that a better input does not prevent it.
# - You can say why, for one fixed $\Theta$, an input that is nearer in each direction overfits sooner, and what could
#   still explain the reverse.
# - You can tell a diagnosis, which may use the truth, from a method, which may not.

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding
#   Sequential Deep Image Prior.* NeurIPS 2024. Section 3.1, Figure 1; Theorem A.1 and remark A.2.
# - D. Ulyanov, A. Vedaldi, V. Lempitsky. *Deep Image Prior.* CVPR 2018. doi:10.1109/CVPR.2018.00984.
# - S. Ioffe, C. Szegedy. *Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift.* ICML 2015.
# - A. Jacot, F. Gabriel, C. Hongler. *Neural Tangent Kernel: Convergence and Generalization in Neural Networks.*
#   NeurIPS 2018.
# - C. J. Holmes et al. *Enhancement of MR images using registration for signal averaging.* J. Comput. Assist. Tomogr.
#   22, 1998 (Colin27).
