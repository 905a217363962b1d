# ---
# jupyter:
#   minutes: 3
# ---

# %% [markdown]
# # Learned priors: what a network knows that has seen images
#
# {colab}
#
# **After this lesson you can**
#
# - turn one denoiser into an estimate of the noise, a score, and a step to a cleaner image;
# - say where DDNM, DPS, Score-MRI and MCG let the data in, each in one line;
# - tell a sample from an estimate, and test without knowing the posterior whether samples spread far enough;
# - read a table of a trained prior where it was trained and where it was not;
# - add up the whole bill, training included, against a method that needs no training images.
#
# **You need** lessons 06 (aSeqDIP) and 07 (MRI); lesson 09 on denoisers and 13 on a trained autoencoder help. From
# statistics: mean and variance, Gaussian densities.
#
# **Time** about {minutes} minutes to run in the `laptop` profile on one CPU core (measured); not yet measured on a
# GPU. To work through it, take 90 minutes.
#
# **Data** slices of Colin27 (Holmes et al. 1998; BSD-3-Clause); an MR slice of an abdomen from pydicom's test files
# (MIT); weights that ship with the course, trained on other slices of Colin27; stored results of the course. Code
# BSD-3-Clause, text CC BY 4.0. **For teaching, not for diagnosis.**

# %%
import math
from statistics import fmean

import matplotlib
import torch
from matplotlib.figure import Figure

from aseqdip_lite import load_case, methods, metrics, reconstruct
from aseqdip_lite.course import banner, check, claim, device, drawings, pick, show, stored
from aseqdip_lite.course.theory import priors
from aseqdip_lite.course.theory.bands import complex_truth
from aseqdip_lite.images import load_image
from aseqdip_lite.learned import sampling
from aseqdip_lite.learned.weights import facts
from aseqdip_lite.run.plots import plot_images
from aseqdip_lite.study.statistics import difference
from aseqdip_lite.study.tables import cell

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(
    drawings.samplers(),
    alt="""A round: a noisy image of a head goes into a box, denoiser D of x and s, and comes out clean; an arrow leads
        back, again at a lower level. Below, an image of the data y and three boxes with dashed arrows up to where they
        act. To the noisy image: Score-MRI and MCG. To the denoiser: DPS and MCG, the slope of the misfit through D. To
        the clean image: DDNM, what A sees is replaced.""",
)

# %% [markdown]
# **One denoiser, four methods.** All of them begin with pure noise and call the same trained network at ever lower
# levels of noise. They differ in where they let the data $y$ in. This lesson asks what the network knows, how one
# would notice that it does not, and what it costs.

# %% [markdown]
# ## Predict first
#
# Write your guesses down; the last section asks for them again.
#
# 1. A prior was trained on eighteen slices of one head. Where will it lose most of its lead: on another contrast, on
#    another organ, on another sampling pattern, or at twice the acceleration?
# 2. Eight samples of a posterior, and their mean. Which is nearer to the truth, and by how many decibels?
# 3. How often does the truth of a pixel lie outside of all eight?
# 4. A small disc is pasted into a brain. How much of its contrast survives a prior that has never seen such a disc?
# 5. Training costs a quarter of an hour. After how many reconstructions has it paid, against aSeqDIP?

# %% [markdown]
# ## One denoiser
#
# Let $x_0$ be an image as the training had them, and $n$ white noise of deviation 1. A network is trained to give
#
# $$D(x; s) \approx \mathbb E[x_0 \mid x], \qquad x = x_0 + s\, n,$$
#
# for every level $s$ from 0.003 to 10 at once. That is all the training there is. Everything else is arithmetic:
#
# | what | formula |
# |---|---|
# | the noise, as estimated | $(x - D)/s$ |
# | the score, the slope of $\log p_s(x)$ | $(D - x)/s^2$ (Tweedie's formula) |
# | a step to a lower level | keep a part of the noise, or draw it anew |
#
# In words: a denoiser knows in which direction images are. Here $p_s$ is the density of $x$. Take a slice that the
# training has not seen, four millimetres from the nearest one that it has, in a scan with all samples and no noise.

# %%
size, coils = pick(smoke=32, laptop=96, paper=96), 8
brain = dict(image="brain-096", size=size, coils=coils)
case = load_case("mri", **brain, seed=0).to(device())
truth = complex_truth(case).to(case.observation.y)  # (1, 1, H, W)
prior = sampling.trained_prior(case.observation)
told = facts("denoiser-mri")
print(f"trained on {told['trained_on']['image']}, z = {', '.join(map(str, told['slices']))}: "
      f"{told['steps']} steps; {told['numbers']} weights")


def psnr(image, case=case):
    """PSNR in dB of an image (1, C, H, W), as displayed."""
    return metrics.psnr(case.display(image), case.truth, case.data_range)


levels = {}
print("level s    noisy   linear estimate   D(x; s)")
for level in (0.05, 0.2, 0.5, 1.0, 2.0):
    s = level * prior.unit
    x = truth + s * sampling.normal(truth, torch.Generator().manual_seed(0))
    linear = prior.sd**2 / (prior.sd**2 + s**2) * x  # the best estimate for white images of this size
    levels[level] = psnr(x), psnr(linear), psnr(prior(x, s))
    print(f"{level:7g}  {levels[level][0]:7.2f}  {levels[level][1]:16.2f}  {levels[level][2]:8.2f}  dB")

# %%
claim(
    all(found[2] > max(found[:2]) + 1 for found in levels.values()),
    "at each of these levels D(x; s) is more than 1 dB above both the noisy image and the linear estimate",
)

# %% [markdown]
# Papers write the same thing in other units. DDPM's images are
# $u = \sqrt{\bar\alpha}\, x_0 + \sqrt{1 - \bar\alpha}\, n$, which keep their size, if images have the variance 1,
# and its network returns the noise. That is no other network: it is $D$, called in the right unit.
#
# ### Exercise 1: another unit
#
# Given $u$, the number $\bar\alpha$ (`abar`) and $D$, a function `D(x, s)`: return the estimate of $n$.


# %% tags=["exercise"]
def my_eps(u, abar, D):
    # blank: ...
    x, s = u / abar**0.5, ((1 - abar) / abar) ** 0.5
    return (x - D(x, s)) / s
    # end


check("learned.eps", my_eps)

# %% [markdown]
# ## Four ways to let the data in
#
# Without data the round would end at *some* head. With them:
#
# | method | where $y$ enters | a step needs |
# |---|---|---|
# | Score-MRI, 2022 | in the noisy image, twice a step: $x \leftarrow x + A^H(y - Ax)$ | two calls of $D$ |
# | DPS, 2023 | through $D$: $x \leftarrow x - w\,\nabla_x \lVert y - A\,D(x; s)\rVert$ | a call and its gradient |
# | MCG, 2022 | both, but of the slope only what $A$ does not see | two calls, a gradient |
# | DDNM, 2023 | in the clean image: $x_0 \leftarrow x_0 + A^+(y - Ax_0)$ | one call |
#
# Each is reasonable and none is exact. Score-MRI puts clean data into an image that is noisy. DPS judges the noisy
# image by the misfit of its clean estimate. DDNM believes $y$ wholly wherever $A$ sees anything; with noise in $y$ it
# has to be damped. The library damps it as a Gaussian would: if $x_0$ is known up to the variance $r^2$,
# $r^2 = s^2 d^2/(s^2 + d^2)$ with $d$ the deviation of images (`sd`), and $y$ has the noise $\sigma$, then the mean of
# both is
#
# $$x_0' = x_0 + \left(A^HA + \tfrac{\sigma^2}{r^2} I\right)^{-1} A^H (y - A x_0).$$
#
# ### Exercise 2: the damped step, for $A = I$
#
# Return $x_0'$ in denoising.


# %% tags=["exercise"]
def my_step(x0, y, s, sd, sigma):
    # blank: ...
    r2 = s**2 * sd**2 / (s**2 + sd**2)
    return x0 + r2 / (r2 + sigma**2) * (y - x0)
    # end


check("learned.step", my_step)

# %% [markdown]
# Not each of them is for every $A$:

# %% tags=["nbval-check-output"]
for name in ("score_mri", "dps", "mcg", "ddnm"):
    offered = [task for task in ("mri", "ct", "denoising", "inpainting", "deblurring") if name in methods.names(task)]
    print(f"{name:>9}: {', '.join(offered)}")

# %% [markdown]
# One slice each, one sample each, all with the library's settings; CT has a denoiser of its own. The residual is
# $\lVert Ax - y\rVert / \lVert y \rVert$; that of the truth is the noise.

# %%
few = pick(smoke=3, laptop=None, paper=None)  # steps of a sampler, None: its own


def sampler(name, task, **settings):
    """A sampler with its default settings, but for the number of steps in smoke."""
    return methods.configure(name, task, **settings, **(dict(steps=few) if few else {}))


body = load_case("ct", "ct-brain-064", size=size, seed=0).to(device())
runs = {}
print(f"{'':>13}  levels  calls of D in each   PSNR of the start, of the sample   residual")
for problem, names in ((case, ("ddnm", "dps", "score_mri")), (body, ("ddnm", "mcg"))):
    for name in names:
        method = sampler(name, problem.task)
        run = runs[problem.task, name] = reconstruct(problem, method, progress=False)
        scores, residual = run.metrics["psnr"], run.metrics["answers"]["final"]["data_residual"]
        print(f"{problem.task:>4} {name:>9}  {method.steps:5d}  {priors.calls(problem.observation, method):10d}  "
              f"{scores['start']:20.2f}  {scores['final']:13.2f} dB  {residual:12.4f}")
noise = case.observation.noise_std * math.sqrt(2 * case.observation.A.mask.sum() * coils * size)
print(f"residual of the truth in MRI, about: {float(noise / case.observation.y.norm()):.4f}")

# %%
for problem in (case, body):
    mine = {name: run for (task, name), run in runs.items() if task == problem.task}
    scores = {name: f"{run.metrics['psnr']['final']:.2f} dB" for name, run in mine.items()}
    show(
        plot_images({name: problem.display(run.answer) for name, run in mine.items()}, problem.truth, problem.window,
                    scores),
        alt=f"""{problem.task.upper()}: samples of {', '.join(mine)} beside the truth, and four times their errors
            below. All show the head with its outlines; they differ in fine detail and in how grainy they are.""",
    )

# %%
claim(
    all(run.metrics["psnr"]["final"] > run.metrics["psnr"]["start"] + 3 for run in runs.values()),
    "every sample is more than 3 dB above the start of its problem",
)

# %% [markdown]
# Do not rank them by this: one slice, one sample each, and numbers of levels from 100 to 200 where the papers use up
# to 2000. What can be said is that one denoiser for each kind of image, trained for none of the four, serves all that
# run there.

# %% [markdown]
# ## A sample is no estimate
#
# A sampler draws. Suppose that it were exact: its images $x_1, \dots, x_m$ are drawn from $p(x \mid y)$, and so is,
# for all that $y$ says, the truth $x$. Let $v$ be the variance of a pixel under $p(x \mid y)$. Two independent draws
# differ by $2v$ in the mean square:
#
# $$\mathbb E\,|x_i - x|^2 = 2v, \qquad \mathbb E\,\Bigl|\tfrac1m\textstyle\sum_i x_i - x\Bigr|^2
# = \bigl(1 + \tfrac1m\bigr) v .$$
#
# So an exact sample **must** be worse than the mean, by 3 dB in the limit. A sample is a picture; the mean is an
# estimate.
#
# ### Exercise 3: what a mean gains
#
# How many dB is the mean of $m$ exact samples above one of them?


# %% tags=["exercise"]
def my_gain(m):
    # blank: ...
    return 10 * math.log10(2 * m / (m + 1))
    # end


check("learned.gain", my_gain)

# %% [markdown]
# The same thought gives a test that needs no density at all. Put $m$ samples and the truth of a pixel in order. If all
# $m + 1$ are drawn alike, each is as likely to be the first as any other.
#
# ### Exercise 4: outside of all samples
#
# With which probability does the truth of a pixel lie outside of the range of $m$ exact samples?


# %% tags=["exercise"]
def my_outside(m):
    # blank: ...
    return 2 / (m + 1)
    # end


check("learned.outside", my_outside)

# %% [markdown]
# Now DDNM's samples, of two slices. It is another scan of brain-096 than above, with another mask.

# %%
count = pick(smoke=2, laptop=8, paper=16)
draws = {}
for name, eta in (("brain-096", 0.85), ("brain-056", 0.85), ("brain-096", 0.0)):
    scan = load_case("mri", name, size=size, coils=coils, seed=1).to(device())
    method = sampler("ddnm", "mri", eta=eta)
    draws[name, eta] = scan, torch.cat([reconstruct(scan, method, seed=seed, progress=False).answer
                                        for seed in range(count)])  # (m, 1, H, W)
print(f"DDNM, {count} samples; exact ones: mean {priors.gain(count):.2f} dB above a sample, truth outside of all "
      f"{100 * priors.outside(count):.0f} %, spread / error of the mean {(count / (count + 1)) ** 0.5:.2f}")
tests = {}
for (name, eta), (scan, samples) in draws.items():
    reference = complex_truth(scan).to(samples)
    found = priors.spread(samples, reference)
    place = priors.ranks(samples, reference)
    missed = float(((place == 0) | (place == count)).double().mean())
    tests[name, eta] = 20 * math.log10(found["one"] / found["mean"]), missed, found["spread"] / found["mean"]
    print(f"{name}, eta {eta:4g}: {fmean(psnr(one[None], scan) for one in samples):.2f} dB one sample, "
          f"{psnr(samples.mean(dim=0)[None], scan):.2f} dB their mean: "
          f"gain {tests[name, eta][0]:.2f} dB, outside {100 * missed:.0f} %, spread / error {tests[name, eta][2]:.2f}")

# %%
scan, samples = draws["brain-096", 0.85]
mean = samples.mean(dim=0)[None]
deviation = torch.std(samples, dim=0, keepdim=True)
error = (mean - complex_truth(scan).to(samples)).abs()


def draw_spread():
    """The mean, one sample, the deviation of the samples and the error of the mean; and the histogram of ranks."""
    figure = Figure(figsize=(9.8, 2.9), layout="constrained")
    axes = figure.subplots(1, 5, width_ratios=(1, 1, 1, 1, 1.5))
    top = float(error.quantile(0.995)) * scan.observation.scale
    pictures = {"mean of all": mean, "one sample": samples[:1], "deviation": deviation, "error of the mean": error}
    for axis, (title, image) in zip(axes, pictures.items(), strict=False):
        gray = title in ("mean of all", "one sample")
        drawn = axis.imshow(scan.display(image), cmap="gray" if gray else "cividis", vmin=0,
                            vmax=scan.window[1] if gray else top)
        axis.set_title(title)
        axis.set_axis_off()
    figure.colorbar(drawn, ax=axes[2:4], location="bottom", shrink=0.7, aspect=30, pad=0.02, format="%.2g")
    place = priors.ranks(samples, complex_truth(scan).to(samples)).flatten()
    axes[4].bar(range(count + 1), torch.bincount(place, minlength=count + 1) / len(place), color="C0", edgecolor="k")
    axes[4].axhline(1 / (count + 1), color="k", linestyle="--", label="exact samples")
    axes[4].set(xlabel="samples below the truth", title="share of the numbers")
    axes[4].legend(loc="upper center")
    return figure


show(
    draw_spread(),
    alt="""Four pictures of a head: the mean of eight samples; one sample, with more grain; the deviation of all,
        nearly even over the head; and on the same scale the error of the mean, brighter, and brightest along edges and
        around the ventricles. Right, bars: how often so many samples lie below the truth; the first and the last bar
        are far above the dashed line of exact samples, the others below it.""",
)

# %%
usual = [found for (_, eta), found in tests.items() if eta == 0.85]
claim(
    all(gain < priors.gain(count) and missed > 1.3 * priors.outside(count) for gain, missed, _ in usual),
    "on both slices the mean gains less than that of exact samples would, and the truth lies outside of all samples "
    "more than 1.3 times as often",
)
claim(all(ratio < 0.85 for *_, ratio in usual), "on both the spread is less than 0.85 of the error of the mean")
claim(
    tests["brain-096", 0.0][0] > priors.gain(count) and tests["brain-096", 0.0][1] > 1.3 * priors.outside(count),
    "with eta 0 the mean gains more than that of exact samples would, and the truth is outside of all too often, too",
)

# %% [markdown]
# Gain, ranks and spread count complex numbers, as $y$ does; PSNR counts displayed magnitudes, so the two PSNRs of a row
# differ by less than its gain. And the gain and spread / error are one test in two forms: the gain in dB is
# `10 * log10(1 + (m - 1) / m * (spread / error) ** 2)`.
#
# With `eta` 0.85 the samples agree with each other more than with the truth: they are **overconfident**. Two slices and
# one scan of each are no law, but nothing in the method promises otherwise: the network has seen few images, so its
# prior may be too narrow, and each of the four ways to let $y$ in is an approximation. One thing can be read from the
# sampler. In DDNM's step a share `eta` of the noise is drawn anew, and where $A$ sees nothing this alone makes the
# spread too small (`methods/ddnm.py` has the number: for a white Gaussian prior 0.76 of the variance). The last row
# draws none. Its samples do spread: by so much that the mean gains *more* than that of exact samples would, for each of
# them is decibels worse. That is not what exact samples do, either: over all pixels they spread too far, and yet too
# many truths lie outside, so the spread is not where the error is.
#
# So a map of deviations says where samples differ. It is no map of errors, and no interval of confidence, unless its
# ranks have been looked at, on images with a truth.

# %% [markdown]
# ## Inside and outside
#
# Now the question that no table of the aSeqDIP paper asks: what if the image is not like the training? The rows below
# were made with `scripts/learned_priors.py`, 96 pixels. The mask of a scan depends on its seed alone, so slices with
# the same seed share it. "As trained" holds four slices of the head that the training has seen other slices of, three
# scans each, so three masks. That flatters the trained methods: the nearest training slice is 4 to 10 mm away. aSeqDIP
# has the settings that were found at 128 pixels. Each other row changes the image or the sampling:
#
# - **other contrast**: two of these slices with bright and dark turned round within the head;
# - **other organ**: an MR slice of an abdomen;
# - **phantom**: Shepp-Logan;
# - **8x**, **equal spacing**, **points**: another acceleration or another pattern of sampling;
# - in CT, from 30 views, with a denoiser of its own that has seen MR slices of the same head, read as attenuation, and
#   random ellipses: two such slices; Shepp-Logan, in the row **ellipses**; **another head**, a real CT, so another
#   person and another kind of image; the abdomen; and 18 views.

# %% tags=["stored-result"]
known = {"aSeqDIP": "aSeqDIP", "VarNet (18)": "VarNet", "total variation": "TV"}
of_t3 = {"4 x": "as trained", "8 x": "8x", "phantom, 4 x": "phantom"}  # of the last two only aSeqDIP is not run again
rows = [dict(row, part=of_t3[row["part"]], arm=known[row["arm"]]) for row in stored("T3")["ours"]["rows"]
        if row["arm"] in known and (row["part"] == "4 x" or row["arm"] == "aSeqDIP")]
for row in stored("lesson16"):
    if "start" in row:
        rows.append(row)
        if row["arm"].startswith("DDNM"):
            rows.append(row | dict(arm=row["arm"].replace("DDNM", "DDNM, one"), psnr=row["one"]))


def by_scan(part, arm):
    """{(image, seed of the scan): PSNR} of an arm on a part."""
    return {(row["image"], row["seed"]): row["psnr"] for row in rows if (row["part"], row["arm"]) == (part, arm)}


def gaps(part, arm, other="TV"):
    """{image: [PSNR of an arm minus that of another one on the same scan]} of a part."""
    mine, theirs = (by_scan(part, name) for name in (arm, other))
    found = {}
    for image, seed in mine:
        found.setdefault(image, []).append(mine[image, seed] - theirs[image, seed])
    return found


def mean_of(found):
    return fmean(fmean(values) for values in found.values())


parts = list(dict.fromkeys(row["part"] for row in stored("lesson16") if "start" in row))
columns = ("aSeqDIP", "VarNet", "DDNM, one", "DDNM")
print(f"PSNR in dB; DDNM: the mean of four samples. The last columns: minus TV on the same scans (number of scans)\n"
      f"{'':>16}  {'start':>6} {'TV':>6}" + "".join(f"{name:>14}" for name in columns))
table = {}
for part in parts:
    tv = [row for row in rows if (row["part"], row["arm"]) == (part, "TV")]
    table[part] = {name: mean_of(gaps(part, name)) for name in columns if gaps(part, name)}
    cells = "".join(f"{table[part][name]:+8.2f} ({sum(map(len, gaps(part, name).values())):2d}) " if name in table[part]
                    else f"{'-':>14}" for name in columns)
    print(f"{part:>16}  {fmean(row['start'] for row in tv):6.2f} {fmean(row['psnr'] for row in tv):6.2f}{cells}")

# %% tags=["stored-result"]
print("as trained, in dB minus aSeqDIP: mean (each image), and the noise floor of the mean")
inside = {name: difference(gaps("as trained", name, "aSeqDIP")) for name in ("TV", "VarNet", "DDNM, one", "DDNM")}
for name, found in inside.items():
    print(f"{name:>10}: {cell(found)}; {found['floor']:.2f}")

# %%
claim(
    inside["DDNM"]["mean"] > inside["DDNM"]["floor"] and min(inside["DDNM"]["values"]) > 1,
    "stored: as trained DDNM's mean of four is more than 1 dB above aSeqDIP on each of the four images, and above the "
    "noise floor",
    needs="smoke",
)
kinds = ("other contrast", "other organ", "phantom")
lead = {part: table[part]["DDNM"] for part in parts}
claim(
    all(lead["as trained"] > lead[part] + 2 for part in kinds) and lead["phantom"] < -1
    and all(lead["CT, as trained"] > lead[part] + 2 for part in ("CT, other head", "CT, other organ")),
    "stored: of its lead over TV there, more than 2 dB are gone on three other kinds of image in MRI and on two in CT; "
    "on the phantom in MRI DDNM is more than 1 dB below TV",
    needs="smoke",
)
claim(
    all(table[part]["VarNet"] < -1 for part in kinds),
    "stored: on each of the three VarNet is more than 1 dB below TV",
    needs="smoke",
)

masks = ("8x", "equal spacing", "points")
claim(
    all(lead[part] > 1 and table[part]["VarNet"] < -1 for part in masks) and lead["CT, 18 views"] > 1,
    "stored: with each of three other samplings DDNM stays more than 1 dB above TV, with 18 views, too, and VarNet is "
    "more than 1 dB below it",
    needs="smoke",
)

# %% [markdown]
# Read the rows. **As trained** DDNM's prior is worth decibels: all four images agree, and the lead is above the noise
# floor. VarNet, trained on the same slices, is level with aSeqDIP. **Another kind of image** takes most of DDNM's lead
# or all of it, while total variation, which knows only that edges are few, does what it always does. **Another
# sampling** is another kind of change: DDNM's prior has never heard of masks, and it keeps a lead. VarNet has learned
# the way from $y$ to the image for one kind of mask, and falls behind total variation in each of these rows. So "out
# of distribution" is not one thing: ask what of it a method has learned.
#
# A lead has two ends, and flat areas with sharp edges suit total variation. On Shepp-Logan in CT, whose ellipses the
# denoiser *has* seen, DDNM leads by less than a decibel. So a part of what is missing on the phantom in MRI is total
# variation's strength, and these rows cannot say how much.
#
# Outside there are one or two scans a row and no noise floor: examples of what can happen, and no table of what will.
# In MRI no other person's *head* is among them: the course has no second one. Where aSeqDIP ran, on one scan, it is
# behind total variation, too.

# %% [markdown]
# ### More data, more training
#
# The aSeqDIP paper prints one more comparison (Table 3): E2E-VarNet, a few gradient steps with trained corrections
# between them, learned end to end for one kind of scan. With 8000 training slices it is 0.81 dB above aSeqDIP, with
# 3000 it is 0.30 dB below. The course's miniature of it (experiment T3) has 18, 4 and 1 training slices, all trained
# for equally many steps:

# %% tags=["stored-result"]
t3 = stored("T3")
print(f"T3, {t3['about']}: {t3['verdict']}")
for found in t3["claims"]:
    print(f"{found['claim']}: {found['verdict']} ({found['why']})")

# %% [markdown]
# At these sizes more slices did not help VarNet: with all 18 it is level with aSeqDIP, and 18 slices are worse than 4
# on all four images. Fewer slices were seen more often in as many steps, and their distances from the images differ,
# too (`docs/REPRODUCTION.md`). A curve of quality against data says what was held fixed, or it says nothing.
#
# And more steps on the same images? The shipped denoiser of CT, and the same training after its first steps, each as
# the prior of DDNM. There is no noise in these data, so each image is a single scan:

# %% tags=["stored-result"]
stages = [arm for arm in dict.fromkeys(row["arm"] for row in rows) if arm.startswith("DDNM, ") and "one" not in arm]
more = {}
steps = (*[arm.split()[1] for arm in stages], facts("denoiser-ct")["steps"])
print(f"{'steps':>16}  " + "".join(f"{number:>8}" for number in steps) + "      more (each scan)")
for part in parts:
    found = [by_scan(part, arm) for arm in (*stages, "DDNM")]
    if scans := list(found[0]):
        more[part] = [found[-1][scan] - found[-2][scan] for scan in scans]
        print(f"{part:>16}  " + "".join(f"{fmean(stage[scan] for scan in scans):8.2f}" for stage in found)
              + f"   {fmean(more[part]):+.2f} ({', '.join(f'{gap:+.2f}' for gap in more[part])})")

# %%
claim(
    all(gap > 0 for found in more.values() for gap in found),
    "stored: on every scan of CT, inside and outside of the training, the longer training is better",
    needs="smoke",
)

# %% [markdown]
# One could expect that more training helps inside and harms outside, as a network learns its images by heart. It does
# not show here: the real head and the abdomen gain, too, though the abdomen least. This is one training, stopped at
# two places; where the curve turns, if it does, it cannot say.

# %% [markdown]
# ## What a prior removes
#
# A prior fills in what is likely. A small lesion is unlikely. So paste discs of 2.5 pixels' radius into two slices,
# two brighter and two darker than their surroundings, and reconstruct with and without them, from the same mask and
# noise. Let $t$ be the change of the truth, and $a$ that of the answer; the share
# $\langle a, t\rangle / \langle t, t\rangle$ of the discs has arrived. The discs are no real lesions: **for teaching,
# not for diagnosis.**

# %% tags=["stored-result"]
lesions = [row for row in stored("lesson16") if "kept" in row]
share = {}
print("share of the discs' contrast that arrives, each slice")
for arm in dict.fromkeys(row["arm"] for row in lesions):
    found = [row for row in lesions if row["arm"] == arm]
    share[arm] = [row["kept"] for row in found]
    one = [row["one"] for row in found if "one" in row]
    print(f"{arm:>8}: {', '.join(f'{value:.2f}' for value in share[arm])}" + (
        f"; one sample: {', '.join(f'{value:.2f}' for value in one)}" if one else ""))

# %%
_, pasted = priors.with_lesions(load_image("brain-096"), size)
ill = load_case("mri", pasted, coils=coils, seed=0).to(device())
several = sampler("ddnm", "mri", samples=pick(smoke=2, laptop=4, paper=4))
answers = {name: reconstruct(ill, method, progress=False) for name, method in (
    ("tv", methods.configure("tv", "mri", lamda=t3["ours"]["lamda"])), ("varnet", methods.configure("varnet", "mri")),
    ("ddnm", several))}
show(
    plot_images({name: ill.display(run.answer) for name, run in answers.items()}, ill.truth, ill.window,
                {name: f"{run.metrics['psnr']['final']:.2f} dB" for name, run in answers.items()},
                zoom=(round(0.2 * size), round(0.3 * size), round(0.4 * size))),
    alt="""A slice of a brain with pasted discs, two of them enlarged: total variation, VarNet, the mean of four samples
        of DDNM, and the truth, with errors below. The bright disc is there in all, paler than in the truth and washed
        out; the dark one is hard to tell from its surroundings.""",
)

# %%
claim(
    all(value < 0.85 for values in share.values() for value in values) and min(share["DDNM"]) > max(share["VarNet"]),
    "stored: no method lets more than 0.85 of the discs' contrast through, and VarNet less than DDNM on both slices",
    needs="smoke",
)
claim(
    all(abs(a - b) < 0.05 for a, b in zip(share["DDNM"], share["TV"], strict=True)),
    "stored: on both slices DDNM keeps as much as total variation, within 0.05",
    needs="smoke",
)

# %% [markdown]
# About a fifth of the contrast is gone in the best of them. Total variation, which was trained on nothing, loses as
# much: from a quarter of k-space a part of a small disc arrives only faintly. But hold the two tables side by side.
# DDNM is decibels above total variation on this head, and keeps no more of what is not like the head. **PSNR is decided
# by what fills the picture; four discs are a few pixels of it.** VarNet, trained on this head, too, keeps less than
# either. Who looks for the unusual must measure the unusual. Eight discs on two slices say no more than that it can
# happen.

# %% [markdown]
# ## The bill
#
# What does it cost? In seconds of one processor, from the files of the weights and the stored runs (of aSeqDIP two);
# DDNM's are those of four samples. Another machine changes all of them. The training slices themselves, and whoever
# scanned the head, are not in it.

# %% tags=["stored-result"]
def seconds(arm):
    """Mean seconds of a reconstruction of MRI."""
    return fmean(row["seconds"] for row in rows if row["arm"] == arm and not row["part"].startswith("CT")
                 and "seconds" in row)


training = {"DDNM": facts("denoiser-mri")["cpu_seconds"], "VarNet": facts("varnet-mri")["cpu_seconds"]}
slow, cost = seconds("aSeqDIP"), {arm: seconds(arm) for arm in ("TV", "VarNet", "DDNM")}
print(f"aSeqDIP: no training images; {slow:.0f} s each")
for arm, value in cost.items():
    first = training.get(arm, 0)
    print(f"{arm:>7}: training {first:4d} s; {value:5.1f} s each; training is paid after "
          f"{priors.pays_after(first, slow, value):.1f} images against aSeqDIP")

# %% [markdown]
# ### Exercise 5: when has it paid?
#
# Training takes `training` seconds, then a reconstruction takes `fast` seconds, without training `slow`. After how
# many reconstructions has the training paid? Do not round.


# %% tags=["exercise"]
def my_bill(training, slow, fast):
    # blank: ...
    return training / (slow - fast)
    # end


check("learned.bill", my_bill)

# %% [markdown]
# So in seconds the training is soon paid, for whoever has the slices. With one scan of a kind for which there are no
# weights aSeqDIP is the cheaper one, and total variation cheaper than both. The bill has more lines that no clock
# shows: finding the settings of a sampler, knowing what was trained on, and training anew for another contrast.

# %% [markdown]
# ## Paper and code, once more
#
# Lesson 14 has compared aSeqDIP's paper with its code. What the public scripts of the rivals do is worth as much
# attention, for it is what a comparison runs. These were read at the named commits; they are research code, published
# so that others can look, and nothing here says that a printed number is wrong.
#
# - **Score-MRI** (`HJ-harry/score-MRI`, 8359aae). In the multi-coil "hybrid" script the weight of the data falls over
#   a fixed 2000 steps, and the script's default is 500 steps: it goes from 1.0 to 0.8, and not to the 0.2 that stands
#   there. Its coil maps come from the fully sampled k-space, which a scan that saves time has not got. Its step "with
#   maps" multiplies images that are coil images already by the maps, and adds one combined image to all of them. The
#   phase of the test image is mapped linearly to between 0 and 1 radian, which makes the imaginary part small and
#   smooth. In the script for real images the last "mean" is computed from the noisy image, so the final denoising does
#   nothing.
# - **MCG** (`HJ-harry/MCG_diffusion`, d5bfd15). The gradient is that of a norm over all pixels, with a fixed weight:
#   how strong it is depends on the size of the image, its unit and the number of views. The image that is returned is
#   the last noisy one.
# - **DPS** (`DPS2022/diffusion-posterior-sampling`, effbde7). For Poisson noise one norm over all pixels is divided by
#   each $\lvert y\rvert$ and averaged: no pixel's residual is weighed by its own count.
# - **DDNM** (`wyhuai/DDNM`, 00b58ea). The simplified path without singular vectors has $\sqrt{1 - \bar\alpha^2}$ where
#   $\sqrt{1 - \bar\alpha}$ belongs, and adds no noise to $y$, for whatever noise level is asked for.
#
# And the comparison in the aSeqDIP paper itself (Tables 2 to 4):
#
# - No row of it asks what a prior is worth on images unlike its training. VarNet was trained and tested on fastMRI, the
#   priors of Table 4 on faces; in Table 2 DPS has a prior of ImageNet for other photographs.
# - DDNM needs $A^+$, and a nonlinear blur has none. The paper prints 23.88 dB of DDNM for nonlinear deblurring and
#   does not say what stood for $A^+$. In this course DDNM is not offered there.
# - With 8000 training slices in place of 3000 VarNet gains 1.11 dB, more than it is away from aSeqDIP in either case.
#   So "trained on how many?" belongs into the table.

# %% [markdown]
# ### The same with sliders
#
# One plain cell, then the panel with the same settings. With two samples or more it shows, beside the mean and its
# error, one sample and the deviation of all. Raise the number of samples and watch which of the pictures changes; set
# `eta` to 0 and 1, or take DPS and change `zeta`. Then choose Shepp-Logan as an image file, or another acceleration.
# The panel lives only in a running notebook; nothing after it depends on it.

# %%
mine = sampler("ddnm", "mri", samples=4)
short = reconstruct(load_case("mri", "brain-070", size=size, coils=coils, seed=0).to(device()), mine, progress=False)
print(f"{mine}: {short.metrics['psnr']['final']:.2f} dB")

# %%
from aseqdip_lite.widgets import panel

panel("mri", method="ddnm", methods=["ddnm", "dps", "score_mri"], size=size, coils=coils, samples=4)

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the
# answers.

# %%
from aseqdip_lite.course import quiz

quiz("16")

# %% [markdown]
# ## What you can now say
#
# Take out your predictions.
#
# 1. On other kinds of images: contrast, organ, phantom. Where only the sampling changed, DDNM kept a lead; VarNet's,
#    which was small, was gone.
# 2. The mean, by up to 3 dB if the samples are exact; here by less.
# 3. In two cases of nine if they are exact; here more often.
# 4. The table of discs says it; that of none arrives whole.
# 5. The bill says it. What it does not say is who has the images to train on, and whether the next patient is like
#    them.
#
# - You can turn a denoiser into a score and a noise estimate, in the unit that a paper has.
# - You can say of a sampler where the data enter, and what is not exact about it.
# - You can test samples by the gain of their mean and by ranks, and you know that both are necessary and not
#   sufficient.
# - You ask of a trained method: trained on what, how many, how long, tested on whom, and at which whole price?

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding
#   Sequential Deep Image Prior.* NeurIPS 2024. Tables 2 to 4.
# - A. Sriram et al. *End-to-End Variational Networks for Accelerated MRI Reconstruction.* MICCAI 2020.
# - H. Chung, J. C. Ye. *Score-based diffusion models for accelerated MRI.* Medical Image Analysis 80, 2022.
# - H. Chung, B. Sim, D. Ryu, J. C. Ye. *Improving Diffusion Models for Inverse Problems using Manifold Constraints.*
#   NeurIPS 2022.
# - H. Chung, J. Kim, M. T. Mccann, M. L. Klasky, J. C. Ye. *Diffusion Posterior Sampling for General Noisy Inverse
#   Problems.* ICLR 2023.
# - Y. Wang, J. Yu, J. Zhang. *Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model.* ICLR 2023.
# - J. Ho, A. Jain, P. Abbeel. *Denoising Diffusion Probabilistic Models.* NeurIPS 2020.
# - T. Karras, M. Aittala, T. Aila, S. Laine. *Elucidating the Design Space of Diffusion-Based Generative Models.*
#   NeurIPS
#   2022. The form of the denoiser and its training.
# - T. M. Hamill. *Interpretation of Rank Histograms for Verifying Ensemble Forecasts.* Monthly Weather Review 129,
#   2001.
