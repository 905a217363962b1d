# ---
# jupyter:
#   minutes: 3
# ---

# %% [markdown]
# # Learned priors: what a network that has seen images knows
#
# {colab}
#
# **After this lesson you can**
#
# - turn one denoiser into an estimate of the noise, a score, and a step to a cleaner image;
# - say in one line each where DDNM, DPS, Score-MRI and MCG use the data;
# - tell a sample from an estimate, and test whether samples spread far enough without knowing the posterior;
# - read a table of results for a trained prior, both where it was trained and where it was not;
# - add up the whole bill, training included, and compare it with a method that needs no training images.
#
# **You need** lessons 06 (aSeqDIP) and 07 (MRI); lessons 09 (denoisers) and 13 (a trained autoencoder) help. From
# statistics: mean and variance, Gaussian densities.
#
# **Time** about {minutes} minutes to run in the `laptop` profile on one CPU core (measured); not yet measured on a
# GPU. To work through it, take 90 minutes; without the sections marked *stretch*, 80.
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
    alt="""A loop: a noisy image of a head goes into a box, the denoiser D of x and s, and comes out clean; an arrow
        leads back, again at a lower level. Below, an image of the data y and three boxes, with dashed arrows up to the
        places where they act. At the noisy image: Score-MRI and MCG. At the denoiser: DPS and MCG, with the slope of
        the misfit through D. At the clean image: DDNM, which replaces what A sees.""",
)

# %% [markdown]
# **One denoiser, four methods.** All four begin with pure noise and call the same trained network at lower and lower
# levels of noise. They differ in where they use the data $y$. This lesson asks what the network knows, how you would
# notice that it does not know enough, and what it costs.

# %% [markdown]
# ## Predict first
#
# Write down your guesses; the last section returns to them.
#
# 1. A prior was trained on eighteen slices of one head. Where will it lose most of its lead: on another contrast, on
#    another organ, with another sampling pattern, or at twice the acceleration?
# 2. You draw eight samples from a posterior and take their mean. Which is closer to the truth, the mean or a sample,
#    and by how many decibels?
# 3. How often does the truth of a pixel lie outside the range of all eight?
# 4. A small disc is pasted into a brain. How much of its contrast survives a prior that has never seen such a disc?
# 5. Training takes a quarter of an hour. After how many reconstructions has it paid for itself, compared with aSeqDIP?

# %% [markdown]
# ## One denoiser
#
# Let $x_0$ be an image like those of the training set, and $n$ white noise of standard deviation 1. A network is
# trained to return
#
# $$D(x; s) \approx \mathbb E[x_0 \mid x], \qquad x = x_0 + s\, n,$$
#
# for every level $s$ from 0.003 to 10 at once. This is the only training. Everything else is arithmetic:
#
# | what | formula |
# |---|---|
# | the estimated noise | $(x - D)/s$ |
# | the score, the slope of $\log p_s(x)$ | $(D - x)/s^2$ (Tweedie's formula) |
# | a step to a lower level | keep part of the noise, or draw it afresh |
#
# Here $p_s$ is the density of $x$. In words: a denoiser knows in which direction images lie. We try it on a slice that
# was not in the training set; the nearest training slice is four millimetres away. The scan has all its samples and no
# noise.

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
# **Two minutes.** Suppose that $D(x; s)$ is exactly $\mathbb E[x_0 \mid x]$. What does it return for $s \to 0$, and
# what for a very large $s$? (In the first case $x$ says everything about $x_0$, in the second nothing.)
#
# Papers write the same thing in other units. In DDPM the images are
# $u = \sqrt{\bar\alpha}\, x_0 + \sqrt{1 - \bar\alpha}\, n$, whose size stays the same if images have variance 1, and
# the network returns the noise. But this is not another network: it is $D$, called in the right unit.
#
# ### Exercise 1: another unit
#
# You are given $u$, the number $\bar\alpha$ (`abar`) and $D$, a function `D(x, s)`. Return the estimate of $n$.


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
# Without data, the loop would end at *some* head. The data can enter in four ways:
#
# | method | where $y$ enters | a step needs |
# |---|---|---|
# | Score-MRI, 2022 | in the noisy image, twice a step: $x \leftarrow x + A^H(y - Ax)$ | two calls of $D$ |
# | DPS, 2023 | through $D$: $x \leftarrow x - w\,\nabla_x \lVert y - A\,D(x; s)\rVert$ | a call and its gradient |
# | MCG, 2022 | in both places, but it keeps only the part of the slope that $A$ does not see | two calls, a gradient |
# | DDNM, 2023 | in the clean image: $x_0 \leftarrow x_0 + A^+(y - Ax_0)$ | one call |
#
# Each of them is reasonable and none is exact. Score-MRI puts clean data into a noisy image. DPS judges the noisy
# image by the misfit of its clean estimate. DDNM believes $y$ completely wherever $A$ sees anything, so it has to be
# damped if $y$ is noisy. The library damps it as if everything were Gaussian. Let $x_0$ be known up to the variance
# $r^2 = s^2 d^2/(s^2 + d^2)$, where $d$ is the standard deviation of images (`sd`), and let $\sigma$ be the noise in
# $y$. The mean that combines both is
#
# $$x_0' = x_0 + \left(A^HA + \tfrac{\sigma^2}{r^2} I\right)^{-1} A^H (y - A x_0).$$
#
# **Two minutes.** Take $A = I$. What is $x_0'$ for $\sigma = 0$, and what if $\sigma$ is much larger than $r$? (One
# answer believes the data alone, the other the network alone.)
#
# ### Exercise 2: the damped step, for $A = I$
#
# Return $x_0'$ for denoising.


# %% tags=["exercise"]
def my_step(x0, y, s, sd, sigma):
    # blank: ...
    r2 = s**2 * sd**2 / (s**2 + sd**2)
    return x0 + r2 / (r2 + sigma**2) * (y - x0)
    # end


check("learned.step", my_step)

# %% [markdown]
# The library does not offer every method for every task. A nonlinear $A$ has no $A^+$, and MCG is there for CT alone:

# %% tags=["nbval-check-output"]
for name in ("score_mri", "dps", "mcg", "ddnm"):
    offered = [task for task in ("mri", "ct", "denoising", "inpainting", "deblurring") if name in methods.names(task)]
    print(f"{name:>9}: {', '.join(offered)}")

# %% [markdown]
# Now we take one slice for each task and one sample from each method, all with the library's settings; CT has a
# denoiser of its own. The residual is $\lVert Ax - y\rVert / \lVert y \rVert$; the residual of the truth is the noise.

# %%
few = pick(smoke=3, laptop=None, paper=None)  # steps of a sampler, None: its own


def sampler(name, task, **settings):
    """A sampler with its default settings, except for the number of steps in smoke."""
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
# Do not rank the methods by this table: it shows one slice and one sample each, and it uses 75 to 150 levels where the
# papers use up to 2000. What it does show is that one denoiser for each kind of image, trained for none of the four,
# serves all the methods that were run on that kind. The *start* is $A^Hy$, as displayed. It is only a yardstick here,
# because the samplers themselves begin with noise.

# %% [markdown]
# ## A sample is not an estimate
#
# A sampler draws at random. Suppose that it were exact: its images $x_1, \dots, x_m$ are then drawn from
# $p(x \mid y)$, and so is the truth $x$, as far as $y$ can tell. Let $v$ be the variance of a pixel under
# $p(x \mid y)$. Then the mean square difference of two independent draws is $2v$:
#
# $$\mathbb E\,|x_i - x|^2 = 2v, \qquad \mathbb E\,\Bigl|\tfrac1m\textstyle\sum_i x_i - x\Bigr|^2
# = \bigl(1 + \tfrac1m\bigr) v .$$
#
# So an exact sample **must** be worse than the mean, by 3 dB in the limit. A sample is a picture; the mean is an
# estimate.
#
# ### Exercise 3: what a mean gains
#
# By how many dB does the mean of $m$ exact samples exceed a single one?


# %% tags=["exercise"]
def my_gain(m):
    # blank: ...
    return 10 * math.log10(2 * m / (m + 1))
    # end


check("learned.gain", my_gain)

# %% [markdown]
# The same idea gives a test that needs no density at all. Sort $m$ samples of a pixel together with its truth. If all
# $m + 1$ values are drawn from the same distribution, each is equally likely to be the smallest.
#
# ### Exercise 4: outside all samples
#
# What is the probability that the truth of a pixel lies outside the range of $m$ exact samples?


# %% tags=["exercise"]
def my_outside(m):
    # blank: ...
    return 2 / (m + 1)
    # end


check("learned.outside", my_outside)

# %% [markdown]
# Now look at DDNM's samples of two slices. The scan of brain-096 is not the one above; it has another mask.

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
    alt="""Four pictures of a head: the mean of eight samples; one sample, which has more grain; the deviation of all
        samples, nearly even over the head; and on the same scale the error of the mean, which is brighter, most of all
        along edges and around the ventricles. On the right, bars show how often a given number of samples lies below
        the truth; the first and the last bar are far above the dashed line of exact samples, the others below it.""",
)

# %%
usual = [found for (_, eta), found in tests.items() if eta == 0.85]
claim(
    all(gain < priors.gain(count) and missed > 1.3 * priors.outside(count) for gain, missed, _ in usual),
    "on both slices the mean gains less than the mean of exact samples would, and the truth lies outside all samples "
    "more than 1.3 times as often",
)
claim(all(ratio < 0.85 for *_, ratio in usual), "on both slices the spread is less than 0.85 of the error of the mean")
claim(
    tests["brain-096", 0.0][0] > priors.gain(count) and tests["brain-096", 0.0][1] > 1.3 * priors.outside(count),
    "with eta 0 the mean gains more than the mean of exact samples would, and again the truth lies outside all samples "
    "more than 1.3 times as often",
)

# %% [markdown]
# The gain, the ranks and the spread are computed from complex numbers, as $y$ is complex, but PSNR from displayed
# magnitudes; so the two PSNRs of a row differ by less than its gain. Moreover, the gain and spread / error are the
# same test in two forms: the gain in dB is `10 * log10(1 + (m - 1) / m * (spread / error) ** 2)`.
#
# With `eta` 0.85 the samples agree with each other more than with the truth: they are **overconfident**. Two slices
# with one scan each prove no law, but nothing in the method promises anything else: the network has seen few images,
# so its prior may be too narrow, and each of the four ways to let $y$ in is an approximation. One cause can be read
# from the sampler itself. In a step of DDNM a share `eta` of the noise is drawn afresh, and where $A$ sees nothing,
# this alone makes the spread too small (`methods/ddnm.py` gives the number: for a white Gaussian prior, 0.76 of the
# variance). In the last row, no noise is drawn afresh. Its samples do spread, so far that their mean gains *more* than
# the mean of exact samples would, because each sample is decibels worse. But exact samples would not gain so much, so
# this is another fault: over all pixels these samples spread too far, and yet too many truths lie outside their range.
# The spread is not where the error is.
#
# A map of deviations therefore shows where samples differ. It is not a map of errors, and it is not a confidence
# interval unless its ranks have been checked on images whose truth is known.

# %% [markdown]
# ## Inside and outside
#
# Now we ask a question that no table of the aSeqDIP paper asks: what if the image is not like the training set? The
# rows below were made with `scripts/learned_priors.py` at 96 pixels. The mask of a scan depends only on its seed, so
# slices with the same seed share a mask. The row "as trained" contains four slices of the head whose other slices were
# used for training, with three scans each and therefore three masks. This flatters the trained methods, because the
# nearest training slice is only 4 to 10 mm away. aSeqDIP has the settings that were found at 128 pixels. Each of the
# other rows changes the image or the sampling:
#
# - **other contrast**: two of these slices, with bright and dark exchanged within the head;
# - **other organ**: an MR slice of an abdomen;
# - **phantom**: Shepp-Logan;
# - **8x**, **equal spacing**, **points**: another acceleration or another sampling pattern;
# - the CT rows: 30 views, and a denoiser and a VarNet of their own, trained on random ellipses and on MR slices of
#   the same head, read as attenuation. **CT, as trained** has two such slices; **ellipses** is Shepp-Logan; **other
#   head** is a real CT, so both the person and the kind of image are different; **other organ** is the abdomen; **18
#   views** has the two slices from 18 views instead of 30.
#
# **Two minutes.** Before you read the table: DDNM's prior has learned images, VarNet has learned the way from $y$ to
# the image for one kind of mask, and total variation has learned nothing. Which of them should suffer from another
# image, and which from another mask? (For each, ask what has changed of the things that it has learned.)

# %% tags=["stored-result"]
known = {"aSeqDIP": "aSeqDIP", "VarNet (18)": "VarNet", "total variation": "TV"}
of_t3 = {"4 x": "as trained", "8 x": "8x", "phantom, 4 x": "phantom"}  # of the last two, aSeqDIP alone
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
    """{image: [PSNR of an arm minus PSNR of another arm on the same scan]} of a part."""
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
print("CT, as trained, in dB minus aSeqDIP, one scan of each image:")
for name in inside:
    print(f"{name:>10}: {cell(difference(gaps('CT, as trained', name, 'aSeqDIP')))}")

# %%
claim(
    inside["DDNM"]["mean"] > inside["DDNM"]["floor"] and min(inside["DDNM"]["values"]) > 1,
    "stored: as trained, DDNM's mean of four is more than 1 dB above aSeqDIP on each of the four images, and the lead "
    "is above the noise floor",
    needs="smoke",
)
kinds = ("other contrast", "other organ", "phantom")
lead = {part: table[part]["DDNM"] for part in parts}
claim(
    all(lead["as trained"] > lead[part] + 2 for part in kinds) and lead["phantom"] < -1
    and all(lead["CT, as trained"] > lead[part] + 2 for part in ("CT, other head", "CT, other organ")),
    "stored: DDNM loses more than 2 dB of its lead over TV on three other kinds of image in MRI and on two in CT; on "
    "the phantom in MRI it is more than 1 dB below TV",
    needs="smoke",
)
claim(
    all(table[part]["VarNet"] < -1 for part in kinds),
    "stored: on each of the three kinds in MRI VarNet is more than 1 dB below TV",
    needs="smoke",
)

masks = ("8x", "equal spacing", "points")
claim(
    all(lead[part] > 1 and table[part]["VarNet"] < -1 for part in masks) and lead["CT, 18 views"] > 1,
    "stored: with each of three other samplings in MRI, and with 18 views in CT, DDNM stays more than 1 dB above TV; "
    "with each of the three VarNet is more than 1 dB below TV",
    needs="smoke",
)
ct = {part: table[part]["VarNet"] for part in parts if part.startswith("CT")}
claim(
    min(ct["CT, as trained"], ct["CT, ellipses"], ct["CT, 18 views"]) > 2
    and max(ct["CT, other head"], ct["CT, other organ"]) < -0.3,
    "stored: in CT VarNet is more than 2 dB above TV on both kinds of image of its training and with 18 views, and "
    "below TV on the two other kinds",
    needs="smoke",
)

# %% [markdown]
# Go through the rows. **As trained**, DDNM's prior is worth decibels: all four images agree, and the lead is above the
# noise floor. VarNet, trained on the same slices, is level with aSeqDIP. In CT both are ahead of aSeqDIP, by about 3
# dB in the mean of two images. **Another kind of image** takes away most or all of DDNM's lead, while total variation,
# which knows only that edges are few, does what it always does. VarNet ends lower on each of them: in MRI it is 1.7 to
# 7.8 dB below total variation there. **Another sampling** is a different kind of change. DDNM's prior knows nothing
# about masks, and it keeps a lead. VarNet has learned the way from $y$ to the image for one kind of mask, and in MRI
# it is 1.1 to 3.3 dB below total variation in these rows. But in CT, with 18 views, it keeps a lead of more than 2 dB.
# So "out of distribution" can mean different things: ask which of the things that a method has learned have changed,
# and by how much.
#
# A lead depends on both methods, and flat areas with sharp edges suit total variation. On Shepp-Logan in CT, whose
# ellipses the denoiser *has* seen, DDNM leads by less than a decibel. So on the phantom in MRI a part of what DDNM
# lacks is the strength of total variation, but these rows cannot say how large a part.
#
# Outside the training there are only one or two scans in a row, and no noise floor. These rows are examples of what
# can happen, not a table of what will. In MRI they do not include the *head* of another person, because the course has
# none. aSeqDIP ran on only one scan in some of the rows; in MRI it is behind total variation in each of them.

# %% [markdown]
# ### More data, more training
#
# The aSeqDIP paper prints another comparison (Table 3), with E2E-VarNet: a few gradient steps with trained corrections
# between them, learned end to end for one kind of scan. With 8000 training slices it is 0.81 dB above aSeqDIP, with
# 3000 it is 0.30 dB below. The course has a miniature of it (experiment T3) with 18, 4 and 1 training slices, all
# trained for the same number of steps:

# %% tags=["stored-result"]
t3 = stored("T3")
print(f"T3, {t3['about']}: {t3['verdict']}")
for found in t3["claims"]:
    print(f"{found['claim']}: {found['verdict']} ({found['why']})")

# %% [markdown]
# In these runs more slices did not help VarNet: with all 18 it is level with aSeqDIP, and it is worse with 18 slices
# than with 4 on all four images. But each number of slices has one training, and nobody knows how much another seed of
# the training would change, so the verdict is "undecided". With fewer slices, each was also seen more often in the same
# number of steps, and the distances to the test images differ (`docs/REPRODUCTION.md`). A curve of quality against data
# says nothing unless it states what was held fixed.
#
# What do more steps on the same images do? We compare the shipped denoiser of CT with an earlier state of the same
# training, each as the prior of DDNM. These data contain no noise, so each image has a single scan:

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
    "stored: on every CT scan, inside and outside the training, the longer training is better",
    needs="smoke",
)

# %% [markdown]
# You might expect longer training to help inside the training set and to harm outside it, because a network learns its
# images by heart. That does not show here: the real head and the abdomen gain as well, though the abdomen gains least.
# This is one training, stopped at two points; it cannot say where the curve turns, if it does.

# %% [markdown]
# ## What a prior removes
#
# A prior fills in what is likely, and a small lesion is unlikely. So we paste discs with a radius of 2.5 pixels into
# two slices, two brighter and two darker than their surroundings, and reconstruct each slice with and without them,
# from the same mask and noise. Let $t$ be the change in the truth and $a$ the change in the answer; then
# $\langle a, t\rangle / \langle t, t\rangle$ is the share of the discs that arrives in the answer. The discs are not
# real lesions: **for teaching, not for diagnosis.**

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
        of DDNM, and the truth, with errors below. All show the bright disc, paler than in the truth and washed out;
        the dark one is hard to tell from its surroundings.""",
)

# %%
claim(
    all(value < 0.85 for values in share.values() for value in values) and min(share["DDNM"]) > max(share["VarNet"]),
    "stored: no method lets more than 0.85 of the discs' contrast through, and VarNet lets less through than DDNM on "
    "both slices",
    needs="smoke",
)
claim(
    all(abs(a - b) < 0.05 for a, b in zip(share["DDNM"], share["TV"], strict=True)),
    "stored: on both slices DDNM and total variation keep the same share, within 0.05",
    needs="smoke",
)

# %% [markdown]
# Even the best method loses about a fifth of the contrast. Total variation, which was trained on nothing, loses as
# much: a quarter of k-space carries a small disc only faintly. But compare the two tables. DDNM is decibels above
# total variation on this head, and still it keeps no more of what is not like the head. **PSNR is decided by what
# fills the picture, and four discs are only a few of its pixels.** VarNet, which was also trained on this head, keeps
# less than either. If you look for the unusual, you must measure the unusual. Eight discs on two slices show only that
# this can happen.

# %% [markdown]
# ## The bill
#
# What does it all cost? We count seconds of one processor, taken from the files of the weights and from the stored
# runs (two for aSeqDIP); the seconds of DDNM are those of four samples. Another machine would change all these
# numbers. They do not include the training slices themselves, or the work of whoever scanned the head.

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
# Training takes `training` seconds. After it, a reconstruction takes `fast` seconds; without training it takes `slow`
# seconds. After how many reconstructions has the training paid for itself? Do not round.


# %% tags=["exercise"]
def my_bill(training, slow, fast):
    # blank: ...
    return training / (slow - fast)
    # end


check("learned.bill", my_bill)

# %% [markdown]
# So in seconds the training soon pays for itself, provided that you have the slices. For a single scan of a kind that
# has no trained weights, aSeqDIP is cheaper, and total variation is cheaper than both. The bill has more items, which
# no clock shows: finding the settings of a sampler, knowing what the training set was, and training again for another
# contrast.

# %% [markdown]
# ## Paper and code, once more (stretch)
#
# Lesson 14 compares aSeqDIP's paper with its code. What the public scripts of its rivals do deserves the same
# attention, because a comparison runs these scripts. We read them at the commits named below. They are research code,
# published so that others can look, and nothing here says that a printed number is wrong.
#
# - **Score-MRI** (`HJ-harry/score-MRI`, 8359aae). In the multi-coil "hybrid" script the weight of the data falls over
#   a fixed 2000 steps, but the script's default is 500 steps: the weight goes from 1.0 to 0.8, and not to the 0.2 that
#   is written there. Its coil maps come from the fully sampled k-space, which an accelerated scan does not have. Its
#   step "with maps" multiplies images that are already coil images by the maps, and adds one combined image to all of
#   them. The phase of the test image is mapped linearly to between 0 and 1 radian, which makes the imaginary part
#   small and smooth. In the script for real images the last "mean" is computed from the noisy image, so the final
#   denoising has no effect.
# - **MCG** (`HJ-harry/MCG_diffusion`, d5bfd15). The gradient is that of a norm over all pixels, with a fixed weight,
#   so its strength depends on the size of the image, its unit and the number of views. The image that is returned is
#   the last noisy one.
# - **DPS** (`DPS2022/diffusion-posterior-sampling`, effbde7). For Poisson noise, one norm over all pixels is divided
#   by each $\lvert y\rvert$ and averaged, so no pixel's residual is weighted by its own count.
# - **DDNM** (`wyhuai/DDNM`, 00b58ea). The simplified path without singular vectors has $\sqrt{1 - \bar\alpha^2}$ where
#   $\sqrt{1 - \bar\alpha}$ belongs, and it adds no noise to $y$, whatever noise level is requested.
#
# There are also open questions about the comparison in the aSeqDIP paper itself (Tables 2 to 4):
#
# - No row asks what a prior is worth on images that differ from its training set. VarNet was trained and tested on
#   fastMRI and the priors of Table 4 on faces; in Table 2 DPS has a prior trained on ImageNet for other photographs.
# - DDNM needs $A^+$, which a nonlinear blur does not have. The paper prints 23.88 dB for DDNM in nonlinear deblurring
#   and does not say what was used as $A^+$. In this course DDNM is not offered for that task.
# - With 8000 training slices instead of 3000, VarNet gains 1.11 dB, which is more than its distance from aSeqDIP in
#   either case. So "trained on how many?" belongs in the table.

# %% [markdown]
# ### The same with sliders
#
# First comes one plain cell, then the panel with the same settings. With two samples or more, the panel shows one
# sample and the deviation of all samples beside the mean and its error. Raise the number of samples and watch which of
# the pictures changes; set `eta` to 0 and 1, or take DPS and change `zeta`. Then choose Shepp-Logan as an image file,
# or another acceleration. The panel lives only in a running notebook; nothing after it depends on it.

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
# Compare your predictions with these answers.
#
# 1. On other kinds of images: contrast, organ, phantom. Where only the sampling changed, DDNM kept a lead.
#    VarNet fell behind with both in MRI; in CT it fell behind on other images, but not with fewer views.
# 2. The mean, by up to 3 dB if the samples are exact; here by less.
# 3. In two cases out of nine if they are exact; here more often.
# 4. The table of discs gives the share for each method: most of it with DDNM and total variation, less with VarNet, and
#    the whole contrast with none.
# 5. After a dozen or so: the bill gives the number. It does not say who has images to train on, or whether the next
#    patient is like them.
#
# - You can turn a denoiser into a score and a noise estimate, in the unit that a paper uses.
# - You can say where a sampler uses the data, and what is not exact about it.
# - You can test samples by the gain of their mean and by ranks, and you know that both tests are necessary but not
#   sufficient.
# - You ask about a trained method: on what was it trained, on how many images and for how long, on whom was it tested,
#   and what is its whole price?

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
