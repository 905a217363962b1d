# ---
# jupyter:
#   minutes: 1
# ---

# %% [markdown]
# # Start here: the map, the tools, a first reconstruction
#
# {colab}
#
# **After this lesson you can**
#
# - say what this course is about, and find the lesson that answers your question;
# - run a lesson on your machine or on Google Colab, and check that everything it needs is there;
# - read the letters of the course: `x`, `y`, `A`, `f`, `z`, `lam`, `N`, `K`, `lr`;
# - reconstruct a brain slice with two methods, and compare them;
# - tell apart three numbers that papers tend to mix up: the final, the blind and the oracle PSNR;
# - answer an exercise, and use its hints.
#
# **You need** nothing but curiosity. The lessons after this one need linear algebra and a first PyTorch course.
#
# **Time** about {minutes} minute to run in the `laptop` profile on one CPU thread (measured); not yet measured on a
# GPU. To work through it, take 40 minutes.
#
# **Data** one axial slice of Colin27 (Holmes et al. 1998; BSD-3-Clause). The slice is real; its phase, the coil
# sensitivities and the noise are simulated. Code BSD-3-Clause, text CC BY 4.0. **For teaching, not for diagnosis.**

# %%
import math
import time
from dataclasses import replace
from importlib.metadata import requires

import ipywidgets
import matplotlib
import numpy as np
import psutil
from IPython.display import display
from packaging.requirements import Requirement

from aseqdip_lite import InputError, configure, dot_test, iterate, load_case, metrics, reconstruct
from aseqdip_lite.course import banner, check, claim, device, drawings, pick, show
from aseqdip_lite.files import installed
from aseqdip_lite.run.plots import plot_curves, plot_images

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(drawings.stages(), alt=drawings.STAGES)

# %% [markdown]
# **In one picture.** The upper row shows one stage of aSeqDIP, the method of this course: the network is fitted for
# two steps, and then its output becomes the next input. The lower row shows this input after more and more stages of a
# short run. Nobody has trained the network beforehand: all that it has seen is the noisy picture $z_0$.

# %% [markdown]
# A cell runs when you press **Shift+Enter**, and *Run all* in the menu runs the whole lesson. The lines above the
# picture name the profile, the versions and the device. If your numbers differ from a neighbour's, compare these lines
# first.

# %% [markdown]
# ## The question of this course
#
# A scanner does not take pictures. It takes **measurements** $y$ of an image $x$ that nobody has seen,
#
# $$y = A(x) + n ,$$
#
# with a known physical process $A$ and some noise $n$. To save time or radiation, it takes **too few** of them. Many
# images then fit $y$ equally well, and because of the noise, even a perfect fit is a poor image.
#
# The usual cure is to learn from thousands of good images. This course is about a different one: take a neural network
# that has **seen no image at all**, with random weights, and fit it to the measurements of this one patient alone. For
# a while, what it gives looks like an image rather than like noise. The lessons ask why it does, for how long, and what
# **aSeqDIP** changes.
#
# **Two minutes.** An image has two pixels, and a scanner measures only their sum, 4, without noise. Write down three
# images that fit. How would you choose one of them? (Any two numbers with the sum 4 fit, so $y$ cannot choose. What
# chooses is what you expect of an image. This is called a *prior*.) The answers to *Two minutes* stand in brackets, as
# here, or in `docs/instructors.md`.

# %% [markdown]
# ## Predict first
#
# Every lesson begins with guesses. Do write yours down: you will remember what you were wrong about.
#
# 1. We keep a quarter of a scan's measurements, and they are rather noisy. A network with random weights is fitted to
#    them for many steps. Compared with the plain picture made from the measurements, is its image better, worse, or
#    first better and then worse?
# 2. Two methods use the same network and the same measurements. One keeps the network's input fixed; the other
#    replaces it by the network's own output every few steps. Which of them do you expect to be less stable?
# 3. The best image over all steps reaches 21 dB, the last one 19 dB. Which of the two numbers may a paper report?

# %% [markdown]
# ## The map
#
# | lesson | the question that it answers | minutes |
# |---|---|---|
# | 00 Start here | does everything run, and what is this course about? | 40 |
# | [01 Inverse problems](01_inverse_problems.ipynb) | what does an $A$ see of an image, and what does it miss? | 75 |
# | [01b Semiconvergence](01b_semiconvergence.ipynb) | why does gradient descent have to stop? | 75 |
# | [02 Deep Image Prior](02_deep_image_prior.ipynb) | why does an untrained network prefer images to noise? | 90 |
# | [03 Input sensitivity](03_input_sensitivity.ipynb) | how much does the network's input decide? | 75 |
# | [04 The tangent kernel](04_ntk_residual_theorem.ipynb) | what can be proved about such a network? | 100 |
# | [04b aSeqDIP's dynamics](04b_aseqdip_dynamics.ipynb) | what do `lam` and `N` do in a linear network? | 60 |
# | [05 Spectral bias](05_spectral_bias.ipynb) | which details come first, and what fills the gaps? | 90 |
# | [06 aSeqDIP](06_aseqdip.ipynb) | what happens when the output becomes the next input? | 90 |
# | [06b Why it works](06b_why_it_works.ipynb) | friction, or a kernel that moves: which explanation is right? | 60 |
# | [07 MRI](07_mri.ipynb) | a picture from a quarter of its measurements | 90 |
# | [08 CT](08_ct.ipynb) | a picture from a few X-ray views | 120 |
# | [09 Denoising](09_denoising.ipynb) | nothing is missing, everything is noisy | 90 |
# | [10 In-painting](10_inpainting.ipynb) | what fills a hole? | 90 |
# | [11 Deblurring](11_deblurring.ipynb) | a shaken camera, and an $A$ that is not linear | 90 |
# | [12 The family](12_baselines.ipynb) | who wins where, and how would one know? | 90 |
# | [13 A trained autoencoder](13_autoencoder.ipynb) | the same idea with a network that *has* seen images | 75 |
# | [14 Paper and code](14_paper_and_code.ipynb) | does the published code do what the paper says? | 90 |
# | [15 A lambda that sets itself](15_adaptive.ipynb) | can a run set its own $\lambda$, and stop by itself? | 90 |
# | [16 Learned priors](16_learned_priors.ipynb) | what does a trained network know of images, and what not? | 90 |
#
# The minutes say how long a lesson takes with its exercises. Sections marked *stretch* may be left out.
#
# Not everybody needs all the lessons.
#
# - **The short way**, about five hours: 00, 02, 06, 07.
# - **The mathematics:** 01, 01b, 04, 04b, 05, 06, 06b.
# - **One application:** 01, 02, 06, then the lesson from 07 to 11 on your application.
#
# The links open the lessons in Jupyter and on the rendered pages. On Google Colab, use *File*, *Open notebook*,
# *GitHub* instead.

# %% [markdown]
# ## How to run
#
# | where | how |
# |---|---|
# | on your machine | `make lab` in the course's folder: it installs what is missing and opens JupyterLab |
# | on Google Colab | the link at the top of each lesson; the first code cell installs the course there |
# | to read only | `make site` renders lessons, glossary and guides; the stored notebooks show all results too |
#
# A **profile** sets the image sizes and the numbers of steps, and nothing else. Choose it before Jupyter starts, for
# example with `ASEQDIP_PROFILE=smoke make lab`.
#
# | profile | for | pictures |
# |---|---|---|
# | `smoke` | seconds: does everything run here? | not meant to be good |
# | `laptop` (default) | minutes: the head of a lesson says how many | those that the text describes |
# | `paper` | the published sizes and steps: hours on a CPU, so take a GPU | closer to the papers |
#
# If something behaves oddly, choose *Kernel*, *Restart and run all*. A notebook remembers every cell that you have
# run, including cells that you have changed since. `docs/troubleshooting.md` lists the usual faults.

# %% [markdown]
# ## The letters
#
# These letters appear in every lesson. `docs/glossary.md` lists all of them, with shapes and units.
#
# | code | on paper | meaning | more in |
# |---|---|---|---|
# | `x` | $x$ | the image that we want; the **truth** where somebody knows it | 01 |
# | `y` | $y$ | the measurements, $A(x) + n$ | 01 |
# | `A` | $A$ | the forward operator: what the scanner does to an image | 01 |
# | `A.adjoint` | $A^H$ | the adjoint: takes measurements back to images. It is **not** the inverse | 01 |
# | `f` | $f_\phi$ | the network; $\phi$ are its weights | 02 |
# | `z` | $z$ | the network's input | 02 |
# | `lr` | | the learning rate of Adam: how far one step goes | 02 |
# | `lam` | $\lambda$ | the weight of aSeqDIP's second term | 06 |
# | `N`, `K` | $N$, $K$ | aSeqDIP runs $K$ stages of $N$ Adam steps each | 06 |

# %% [markdown]
# ## Is everything here?
#
# The cell below checks the packages, the memory and the device, and tests the library's mathematics on a small scan.
# The **dot test** compares $\langle Ax, v\rangle$ with $\langle x, A^Hv\rangle$ for random $x$ and $v$. They must be
# equal, or every gradient in this course would be wrong. Lesson 01 explains why.

# %%
GIGABYTE = 2**30
todo = []

for need in map(Requirement, requires("aseqdip-lite")):
    have = installed(need.name)
    if need.marker is None and (have is None or not need.specifier.contains(have, prereleases=True)):
        todo.append(f"package {need.name}: {have or 'missing'}, needed {need.specifier}; call make setup")

free = psutil.virtual_memory().available / GIGABYTE
if free < 1:
    todo.append("memory: close other programs, or set ASEQDIP_PROFILE to smoke")

small = load_case("mri", size=48, coils=4).to(device())
error = dot_test(small.observation.A, double=True, tol=1e-10)

moments = []
for _ in iterate(small.observation, configure("aseqdip", "mri"), steps=6):
    moments.append(time.perf_counter())
pace = (moments[-1] - moments[0]) / 5  # the first step also warms up

print(f"device       {device()}")
print(f"free memory  {free:.1f} GB, this lesson needs less than 1 GB")
print(f"one step     {1000 * pace:.0f} ms on an image of 48 x 48")
print("dot test     pass")
print("\n".join(["", *todo] if todo else ["", "Everything is here: go on."]))

# %% tags=["nbval-check-output"]
claim(error < 1e-10, "A and its adjoint agree within 1e-10 in double precision", needs="smoke")

# %% [markdown]
# Only the **panels**, with their sliders and buttons, need more than a running kernel: the page must be able to talk
# to it. Run the cell and press the button to see whether it can.

# %%
button = ipywidgets.Button(description="press me")
answer = ipywidgets.HTML("The kernel has heard nothing yet.")


def pressed(_):
    answer.value = "<b>Panels work here.</b>"


button.on_click(pressed)
display(ipywidgets.HBox([button, answer]))

# %% [markdown]
# - *Panels work here*: fine.
# - There is a button, but nothing happens: the kernel is busy or has gone. Wait for running cells, or else restart it.
# - There is no button: you are reading a stored page, where nothing runs. In Jupyter, see `docs/troubleshooting.md`.
#
# No lesson depends on a panel: a plain cell before it gives the same result.

# %% [markdown]
# ## A first reconstruction
#
# Our image is one slice of a head. The scanner measures its Fourier transform, called **k-space**, column by column,
# and we keep a quarter of the columns. The noise is stronger here than in lesson 07, so that you see within a minute
# what takes longer there.

# %%
size, steps = pick(smoke=(48, 24), laptop=(96, 450), paper=(192, 2000))
case = load_case("mri", "brain-070", acceleration=4, size=size, coils=4, snr=10.0, seed=0)
case = case.to(device())
observation = case.observation

# %% tags=["nbval-check-output"]
print("a method sees:", ", ".join(vars(observation)))
print("is the truth among it?", hasattr(observation, "truth"))

# %% [markdown]
# The truth is in `case`, for our eyes; a method gets `case.observation` alone. The simplest picture is the
# **zero-filled** one, $A^Hy$, in which everything that was not measured counts as zero.

# %%
zero_filled = case.display(observation.start)
kept = observation.A.mask.cpu().expand(size, -1).numpy()
show(
    plot_images(
        {
            "truth": case.truth / case.data_range,
            "measured columns (white)": kept,
            "zero-filled": zero_filled / case.data_range,
        },
        None,
        (0, 1),
    ),
    alt="""Left: a brain slice. Middle: the measured columns of k-space, a white band in the centre and
        a few single white columns. Right: the zero-filled image, the same slice smeared sideways and noisy.""",
)
print(f"zero-filled: {metrics.psnr(zero_filled, case.truth, case.data_range):.2f} dB")

# %% [markdown]
# ### Two methods, in words
#
# **Deep Image Prior** (DIP) draws a network $f_\phi$ and an input $z$ at random, keeps $z$ fixed, and takes Adam steps
# on
#
# $$\|A f_\phi(z) - y\|^2 .$$
#
# **aSeqDIP** starts with the zero-filled image as its input and works in stages $k = 1, \dots, K$. Each stage takes
# $N$ Adam steps on
#
# $$\|A f_\phi(z) - y\|^2 + \lambda\,\|f_\phi(z) - z\|^2 ,$$
#
# and then its output becomes the next input: $z \leftarrow f_\phi(z)$.
#
# Each method has the learning rate that a search of this course found for it on another slice. aSeqDIP also has a
# different network, most of which works at half the size. So the two runs below differ in `lr` and `network` as well.

# %%
dip = configure("vanilla", "mri", steps=steps)
aseqdip = configure("aseqdip", "mri", steps=steps)
print(dip)
print(aseqdip)

# %%
results = {"DIP": reconstruct(case, dip, seed=0)}

# %%
results["aSeqDIP"] = reconstruct(case, aseqdip, seed=0)

# %%
shown = {"zero-filled": zero_filled}
shown |= {name: case.display(result.answer) for name, result in results.items()}
scores = {name: f"{metrics.psnr(image, case.truth, case.data_range):.2f} dB" for name, image in shown.items()}
show(
    plot_images(shown, case.truth, case.window, scores),
    alt="""Zero-filled, DIP, aSeqDIP and the truth; below, four times their errors. The zero-filled image is smeared
        and noisy, DIP's is full of grain, aSeqDIP's is smooth: large shapes are there, fine folds are not.""",
)
for result in results.values():
    print(f"{result}\n")

# %% [markdown]
# That was a reconstruction without any training data. Look at the pictures before you look at the numbers. Neither is
# a good image of a brain, because the scan is short and noisy. Where is the error grain, and where is structure
# missing?

# %% [markdown]
# ## Reading the numbers
#
# **PSNR** says how large the error is, in decibels (dB): it is $10\log_{10}$ of the squared peak of the image over the
# mean squared error. An image with 3 dB more has half the mean squared error. Each run has three PSNRs, and they are
# three different things:
#
# | name | which image | who can choose it |
# |---|---|---|
# | **final** | the last output; aSeqDIP sometimes takes an earlier one | everybody |
# | **blind** | the output before which the outputs had moved least | everybody: the rule looks at the outputs alone |
# | **oracle** | the output with the highest PSNR | only someone who knows the truth, so nobody with a real patient |
#
# We need the truth to compute the PSNR of any of them. The difference is whether the truth was needed to **choose**
# the image. aSeqDIP takes an earlier final image if the first term of its loss has jumped up at the end, or has
# already fallen to the energy of the noise, where that is known. For neither does it need the truth.
#
# **Two minutes.** The mean squared error of one image is an eighth of another's. By how many decibels is its PSNR
# higher? (An eighth is half of a half of a half.)
#
# The summaries printed above have one more column, the **blend**: the mean of the final image, of the blind one, and
# of the image that a second such rule picks. Everybody can compute it. The errors of the three differ in part, and
# whatever they do not share shrinks in the mean. So a pick that is too early, or a run that is too long, spoils the
# blend less.


# %%
def kinds(result):
    """{name: (step, PSNR)} of the three images; there is no blind one before a whole window of outputs."""
    answers = result.metrics["answers"]
    return {name: (answers[name]["step"], answers[name]["psnr"])
            for name in ("final", "oracle", "blind") if name in answers}


start = metrics.psnr(zero_filled, case.truth, case.data_range)
figure = plot_curves({name: (r.curve["step"], r.curve["psnr"]) for name, r in results.items()})
axis = figure.axes[0]
axis.axhline(start, color="0.5", linewidth=1)
axis.annotate("zero-filled", (steps, start), ha="right", va="top", fontsize=8)
for name, marker, side in (("final", "s", 7), ("blind", "D", 9), ("oracle", "o", 12)):
    at = np.array([kinds(run)[name] for run in results.values() if name in kinds(run)]).reshape(-1, 2)
    axis.plot(*at.T, marker, color="black", fillstyle="none", markersize=side, label=name)
axis.legend(loc="lower right")
axis.set_ylim(bottom=12)
show(
    figure,
    alt="""PSNR against Adam steps. DIP rises fast, has its oracle in the first half and falls to its final value; its
        blind image lies just before its end. aSeqDIP rises more slowly, crosses DIP and stays up, with its oracle near
        the end and its blind image in the last fifth. A horizontal line below both ends is the zero-filled image.""",
)
for name, result in results.items():
    print(f"{name:>8}: " + ", ".join(f"{k} {v:.2f} dB (step {s})" for k, (s, v) in kinds(result).items()))

# %%
score = {name: {kind: value for kind, (_, value) in kinds(run).items()} for name, run in results.items()}
claim(
    all(max(values.values()) == values["oracle"] for values in score.values()),
    "the oracle is never below final and blind, exactly: it is the maximum by definition",
    needs="smoke",
)
claim(score["DIP"]["final"] < score["DIP"]["oracle"] - 0.8, "DIP ends more than 0.8 dB below its own oracle")
claim(score["aSeqDIP"]["final"] > score["aSeqDIP"]["oracle"] - 0.3, "aSeqDIP ends less than 0.3 dB below its oracle")
blind, oracle = (kinds(results["DIP"]).get(name, (0, 0)) for name in ("blind", "oracle"))
claim(blind[0] > oracle[0], "DIP's blind image comes later than its oracle")
least = min(values["oracle"] for values in score.values())
claim(least > start + 1, "both oracles are more than 1 dB above the zero-filled image")
claim(min(values["final"] for values in score.values()) > start, "both final images are above the zero-filled image")

# %% [markdown]
# DIP was good but did not stay good: after its peak it continues to fit $y$ together with its noise, and its PSNR
# falls. This is **overfitting**, the subject of lesson 02. The blind rule came late here: it is a rule, not an oracle.
# The curve of aSeqDIP did not fall during these steps. We have not checked whether it falls later; lesson 06 does. Nor
# does this plot tell how much of the difference comes from the learning rate, which is smaller for aSeqDIP, and from
# the network. To find out, give DIP the same of both:
# `reconstruct(case, replace(dip, lr=aseqdip.lr, network=aseqdip.network), seed=0)`.
#
# One image, one seed, one noise level and one budget are not enough to rank methods. Lesson 07 compares both with
# several baselines. `docs/RESULTS.md` covers five tasks, with three to six images and three seeds; aSeqDIP loses some
# of them.

# %% [markdown]
# ## How an exercise works
#
# Replace the dots `...` by your answer and run the cell. `check` replies *right*, or *not yet* with a hint that says
# what went wrong. Try as often as you like: only you see the count of attempts, and nothing is stored. The solutions
# are in `lessons/solutions/`.
#
# ### Exercise 1: PSNR by hand
#
# $$\mathrm{PSNR} = 10\log_{10}\frac{\text{peak}^2}{\mathrm{MSE}}, \qquad
# \mathrm{MSE} = \text{mean over the pixels of } (\text{image} - \text{truth})^2 .$$
#
# `image` and `truth` are numpy arrays (H, W), and `peak` is a number.


# %% tags=["exercise"]
def my_psnr(image, truth, peak):
    # blank: ...
    mse = np.mean((image - truth) ** 2)
    return 10 * math.log10(peak**2 / mse)
    # end


check("start.psnr", my_psnr)

# %% [markdown]
# ### Exercise 2: steps and stages
#
# aSeqDIP runs with some `N` and `K`. Return two numbers: how many Adam steps it takes in all, and how many times the
# input `z` is replaced by an output. The last replacement counts, because its output is the answer.


# %% tags=["exercise"]
def my_count(N, K):
    # blank: ...
    return N * K, K
    # end


check("start.steps", my_count)

# %% [markdown]
# ### Exercise 3: who sees the truth?
#
# Only one of these statements is true. Which one? Answer with its letter in quotation marks.
#
# - A. During a run aSeqDIP is told how far its output is from the truth.
# - B. Nobody needs the truth to choose the blind image; we need it to print its PSNR.
# - C. The oracle image is what a hospital gets if it waits long enough.

# %% tags=["exercise"]
# blank: my_letter = ...
my_letter = "B"
# end
check("start.truth", my_letter)

# %% [markdown]
# ## Modify
#
# Change one thing, run the cell, and compare. The loss has one weight, `lam`. Is the image better or worse after the
# same number of steps without the second term (`lam` = 0)? Guess first.

# %%
lam = 0.0  # <- your turn: 0.1, 10, ...

changed = reconstruct(case, replace(aseqdip, lam=lam), seed=0)
before, after = (result.metrics["psnr"]["final"] for result in (results["aSeqDIP"], changed))
print(f"final PSNR with lam = {aseqdip.lam:g}: {before:.2f} dB, with lam = {lam:g}: {after:.2f} dB")
if lam == 0:
    claim(abs(after - before) < 1, "without the second term the final PSNR changes by less than 1 dB here")

# %% [markdown]
# The next cell does the same with sliders. **Run** starts a run, **Stop** ends it, and the next run is drawn beside
# the last one. The slider below the pictures goes back to earlier steps. Nothing after this cell depends on it.

# %%
from aseqdip_lite.widgets import panel

panel("mri", size=size, coils=4, snr=10.0, **replace(aseqdip, lam=lam).to_dict())

# %% [markdown]
# ## What went wrong, and why: a score of the wrong thing
#
# Somebody takes the answer from a result and scores it by hand, with the right formula:

# %%
raw = results["aSeqDIP"].answer[0, 0].abs().cpu().numpy()  # (1, 1, H, W) -> (H, W)
wrong = metrics.psnr(raw, case.truth, case.data_range)
right = results["aSeqDIP"].metrics["psnr"]["final"]
print(f"by hand: {wrong:.2f} dB, the library says {right:.2f} dB")
print(f"truth: values up to {case.truth.max():.2f}; raw answer: up to {raw.max():.2f}")

# %% [markdown]
# The image is the same, but its **unit** is not. Methods work on measurements divided by a `scale`, so that images
# peak near 1 whatever the scanner's unit is. `case.display` multiplies by this scale again and takes the magnitude.
# Only then can image and truth be compared.

# %%
shown_again = case.display(results["aSeqDIP"].answer)
print(f"scale: {observation.scale:.3f}")
print(f"by hand, after case.display: {metrics.psnr(shown_again, case.truth, case.data_range):.2f} dB")
claim(
    abs(metrics.psnr(shown_again, case.truth, case.data_range) - right) < 1e-3,
    "in the unit of the truth, the score by hand equals the library's within 0.001 dB",
    needs="smoke",
)
claim(wrong < right - 3, "the wrong unit costs more than 3 dB")

# %% [markdown]
# A score means something only if the two images that it compares have the same unit. If a score surprises you, look at
# the ranges of both first.
#
# Another kind of mistake is more common, and harmless: a misspelt name, or a value out of bounds. A single line then
# says what is wrong and, where it can, what was meant.

# %% tags=["nbval-check-output"]
for mistake in (dict(lamb=1.0), dict(lam=-1.0), dict(N=2.5)):
    try:
        configure("aseqdip", "mri", **mistake)
    except InputError as error:
        print(str(error)[:72])

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the
# answers.

# %%
from aseqdip_lite.course import quiz

quiz("00")

# %% [markdown]
# ## What you can now say
#
# Compare these answers with your predictions.
#
# 1. First better, then worse: that is what DIP's image did. At the end of this run it was still better than the
#    zero-filled one.
# 2. Perhaps you expected the method that replaces its own input to be less stable. Here its PSNR did not fall, and
#    DIP's did. Without the second term (`lam` = 0), it ended at 22.9 instead of 22.7 dB, too little to mean anything on
#    one seed. But its learning rate was the smaller one, and its network was different. Try `lr` and `N` in the panel;
#    lesson 06 varies `lam` and `N`.
# 3. The 19 dB. The 21 dB may be reported beside it if it is called what it is: an upper bound that needs the truth.
#
# - You can run every lesson, and you know where to look when one does not run.
# - You can say what `y`, `A`, `f`, `z`, `lam`, `N` and `K` are.
# - You can compute a PSNR, and ask about any PSNR: who chose this image, and did they know the truth?
# - You know that one slice and one seed are no ranking.
#
# Next: [01 Inverse problems](01_inverse_problems.ipynb), or, if you are in a hurry,
# [02 Deep Image Prior](02_deep_image_prior.ipynb).

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding
#   Sequential Deep Image Prior.* NeurIPS 2024. Equations (1), (3) and (4).
# - D. Ulyanov, A. Vedaldi, V. Lempitsky. *Deep Image Prior.* CVPR 2018. doi:10.1109/CVPR.2018.00984
# - H. Wang, T. Li, Z. Zhuang, T. Chen, H. Liang, J. Sun. *Early stopping for deep image prior.* Transactions on Machine
#   Learning Research, 2023. arXiv:2112.06074 (the blind image).
# - C. J. Holmes et al. *Enhancement of MR images using registration for signal averaging.* J. Comput. Assist. Tomogr.
#   22, 1998 (Colin27). doi:10.1097/00004728-199803000-00032
