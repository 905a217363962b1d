# ---
# jupyter:
#   minutes: 1
# ---

# %% [markdown]
# # Inverse problems: what A sees, and what it does not
#
# {colab}
#
# **After this lesson you can**
#
# - write the five tasks of this course as $y = A(x) + n$, and say which $A$ are linear;
# - test an adjoint without reading its code, and find a wrong one;
# - compute the gradient of $\|A(x) - y\|^2$ for a nonlinear $A$, and check it by finite differences;
# - give two different images with the same measurements;
# - say what gradient descent does with a wrong adjoint, in few steps and in many.
#
# **You need** linear algebra with complex vectors, and a first PyTorch course.
#
# **Time** about {minutes} min to run in the `laptop` profile on one CPU thread (measured). No network is trained, and
# no GPU is used. To work through it, take 75 minutes; without the sections marked *stretch*, 55.
#
# **Data** Colin27 (Holmes et al. 1998; BSD-3-Clause), a CT slice that comes with pydicom (MIT), pictures that come
# with scikit-image (NASA's portrait: public domain; the cat: CC0). Measurements are simulated. Code BSD-3-Clause,
# text CC BY 4.0.
# **For teaching, not for diagnosis.**

# %%
import math

import matplotlib
import torch
from matplotlib.figure import Figure

from aseqdip_lite import dot_test, load_case
from aseqdip_lite.course import banner, check, claim, drawings, pick, show
from aseqdip_lite.course.exercises.operators import Pair, suspects
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
from aseqdip_lite.operators import DotTestError, random_like
from aseqdip_lite.operators.mri import MRIOperator
from aseqdip_lite.operators.projectors import MatrixProjector, RotationProjector, equal_angles
from aseqdip_lite.run.plots import plot_images

matplotlib.rcParams["font.size"] = 9
banner()

# %%
show(
    drawings.two_pixels(),
    alt="""Left, a plane whose axes are pixel 1 and pixel 2. A gray line falls from the upper left to the lower right:
        it is made of all images with A x = y, among them the truth. Beside it, an arrow points along the null space
        of A. Three rows of dots start at the points a, b and 0, run at right angles to that line, and end on it at
        three different places. Right, the four images of two pixels with their values: the truth 0.90 and 0.30, from
        a 0.52 and 0.67, from b 0.85 and 0.35, from 0 twice 0.60.""",
)

# %% [markdown]
# **Two pixels and one measurement.** Here $A$ adds the two pixels and multiplies the sum by $1/\sqrt2$. All images on
# the gray line have the same $y$, so no method that sees $y$ alone can tell them apart. Gradient descent on
# $\|Ax-y\|^2$ goes straight to the line, and it arrives at a place that depends on where it began. From 0 it finds the
# image of least norm. None of the three paths ends at the truth.

# %% [markdown]
# ## Predict first
#
# Write your guesses down; the last section asks for them again.
#
# 1. Think of five tasks: MRI, CT, denoising, in-painting and deblurring. In which of them do exact, noise-free
#    measurements determine the image?
# 2. Somebody shows you two back-projections of the same scan, one right and one that is off by a few percent. Can you
#    tell which is which?
# 3. Somebody reconstructs with the one that is off by a few percent. What will you see?

# %% [markdown]
# ## Five tasks, one equation
#
# $$y = A(x) + n$$
#
# Here $x$ is the image, $A$ the physics and $n$ the noise. Only $y$ and $A$ are known.
#
# | task | $A$ | linear? | its adjoint | start $z_0$ |
# |---|---|---|---|---|
# | MRI | $MFS$: coil maps, Fourier transform, sampled columns | yes | $S^HF^HM$ | $A^Hy$ |
# | CT | $R/\lVert R\rVert$: integrals along rays | yes | $R^T/\lVert R\rVert$, back-projection | $c\,A^Ty$ |
# | denoising | $I$: leaves $x$ as it is | yes | $I$ | $y$ |
# | in-painting | $M$: sets a hole to zero | yes | $M$ | $y$ |
# | deblurring | camera shake, saturation, response curve | **no** | none; see below | $y$ |
#
# The start $z_0$ is the first image that a method makes from $y$ without any prior, and it is aSeqDIP's first input. In
# CT, $c$ is the number for which $z_0$ fits the data best. MRI has one coil here, so $S = 1$; lesson 07 has eight.

# %%
size = pick(smoke=64, laptop=128, paper=256)
motion = pick(smoke=6.0, laptop=10.0, paper=20.0)
cases = five_tasks(size, views=pick(smoke=18, laptop=30, paper=60), motion=motion)
operators = {name: case.observation.A.to(double=True) for name, case in cases.items()}
data = {name: in_double(case.observation.y) for name, case in cases.items()}
starts = {name: in_double(case.observation.start) for name, case in cases.items()}
truths = {name: image_of(case, starts[name]) for name, case in cases.items()}

# %% [markdown]
# **Two minutes.** For which tasks do $x$ and $y$ lie in different spaces? Write down your answer for all five; the
# next cell prints the shapes. It also tests linearity, $A(x_1 + 2x_2) = A(x_1) + 2A(x_2)$, on random images.


# %%
def defect(A):
    """||A(x1 + 2 x2) - A(x1) - 2 A(x2)|| relative to ||A(x1)||, for random images."""
    x1, x2 = random_like(A, "in", 1, True), random_like(A, "in", 2, True)
    return float((A(x1 + 2 * x2) - A(x1) - 2 * A(x2)).norm() / A(x1).norm())


def space(shape, is_complex):
    return ("complex " if is_complex else "real ") + " x ".join(map(str, shape))


print(f"{'':>12} {'x':>22} {'y':>22} {'linearity defect':>17}")
for name, A in operators.items():
    x_space, y_space = space(A.in_shape, A.in_complex), space(A.out_shape, A.out_complex)
    print(f"{name:>12} {x_space:>22} {y_space:>22} {defect(A):>17.1e}")

# %% tags=["nbval-check-output"]
for name, A in operators.items():
    if name == "deblurring":
        claim(defect(A) > 0.1, f"{name}: superposition fails by more than 10 %", needs="smoke")
    else:
        claim(defect(A) < 1e-12, f"{name}: linear within a relative 1e-12", needs="smoke")
for name in ("MRI", "CT", "denoising", "in-painting"):
    back = operators[name].adjoint(data[name])
    c = torch.vdot(back.flatten(), starts[name].flatten()) / back.norm() ** 2
    off = float((c * back - starts[name]).norm() / starts[name].norm())
    claim(off < 1e-5, f"{name}: z_0 is a multiple of A^H y within 1e-5", needs="smoke")


# %%
def as_seen(name, y):
    """Measurements as a picture: k-space on a logarithmic scale, a sinogram, or an image."""
    if name == "MRI":
        return torch.log1p(1000 * y[0, 0].abs() / y.abs().max()).numpy()
    return y[0].numpy() if name == "CT" else cases[name].display(y)


columns = {n: [c.truth, as_seen(n, data[n]), c.display(starts[n])] for n, c in cases.items()}
show(
    gallery(columns, ["truth x", "data y", "start z$_0$"]),
    alt="""Five columns, one for each task; rows: truth, data, start. MRI: a brain, k-space with black
        columns, a brain smeared sideways. CT: a head, a sinogram, a blurred disc. Denoising: a
        portrait, the same with grain, twice. In-painting: the portrait with a black box in its
        middle. Deblurring: the portrait smeared and grainy.""",
)

# %% [markdown]
# ## The adjoint, and why everything needs it
#
# The adjoint of a linear $A$ is the map $A^H$ with
#
# $$\langle Ax, v\rangle = \langle x, A^Hv\rangle \quad\text{for all } x, v, \qquad
# \langle a, b\rangle = \sum_i \overline{a_i}\,b_i .$$
#
# For a matrix it is the conjugate transpose. It is **not** the inverse.
#
# The chain rule shows where it comes from. Let $\Phi(x) = \frac12\|Ax - y\|^2$ and move $x$ by a small $d$:
#
# $$\Phi(x + d) = \tfrac12\|(Ax - y) + Ad\|^2 = \Phi(x) + \mathrm{Re}\,\langle Ad,\,Ax - y\rangle + \tfrac12\|Ad\|^2 .$$
#
# The first-order term is $\mathrm{Re}\,\langle Ad, Ax - y\rangle = \mathrm{Re}\,\langle d, A^H(Ax - y)\rangle$, by
# the definition of $A^H$. The gradient is the vector $g$ that writes this term as $\mathrm{Re}\,\langle d, g\rangle$:
#
# $$\nabla\Phi(x) = A^H(Ax - y).$$
#
# So every gradient step of every method in this course, even through a network, passes through $A^H$ once. If $A^H$ is
# wrong, nothing crashes, but the method ends up somewhere else.
#
# **Two minutes.** Derive the gradient of $\frac12\|Ax - y\|^2 + \frac12\|x\|^2$ in the same way. What does the
# second term add?
#
# ### Operators are not matrices in memory
#
# We never store $A$ as a matrix. How large would it be if we did?

# %%
for name, A in operators.items():
    numbers = math.prod(A.in_shape) * math.prod(A.out_shape)
    print(f"{name:>12}: {numbers * (16 if A.in_complex else 8) / 2**30:8.2f} GiB as a full matrix")

# %% [markdown]
# At 24 x 24 pixels, the matrix is small enough. Column $j$ is $A$ applied to the $j$-th unit vector, and that is how
# `matrix_of` finds it. This is slow, but it is right beyond doubt, so use it to test clever code.

# %%
small_cases = small_tasks()
small = {name: case.observation.A.to(double=True) for name, case in small_cases.items()}

# %% tags=["nbval-check-output"]
for name in ("MRI", "CT", "denoising", "in-painting"):
    off = (matrix_of(small[name].H) - matrix_of(small[name]).mH).abs().max()
    claim(off < 1e-12, f"{name} at 24 x 24: the adjoint is the conjugate transpose within 1e-12", needs="smoke")

# %% [markdown]
# ### Exercise 1: the dot test
#
# For large operators we test the definition itself on one random pair $x$, $v$. If $A^H$ is wrong by a matrix
# $E \ne 0$, the two sides differ by $\langle x, Ev\rangle$, and for random $x$, $v$ this is zero with probability 0.
#
# Return the error $|\langle Ax, v\rangle - \langle x, A^Hv\rangle|$, divided by something that scales in the same way.
# You may call `A(x)` and `A.adjoint(v)`; `torch.vdot(a, b)` takes two flat tensors.


# %% tags=["exercise"]
def my_dot_test(A, x, v):
    # blank: ...
    Ax, Ahv = A(x), A.adjoint(v)
    left = torch.vdot(Ax.flatten(), v.flatten())
    right = torch.vdot(x.flatten(), Ahv.flatten())
    return float((left - right).abs() / (Ax.norm() * v.norm()))
    # end


check("operators.dot_test", my_dot_test)

# %% [markdown]
# ### Exercise 2: an adjoint that is off by a factor (stretch)
#
# A back-projection is often right up to a factor, because somebody counts in millimetres or an FFT is not normalised.
# Then `A.adjoint` is $B = cA^H$ with a number $c$, and dividing by $c$ mends it. Return $c$: 1 if nothing is wrong, a
# real number for a real $A$, and `None` if no number mends $B$. How does $c$ show in the dot test?
# `random_like(A, "in", seed, True)` and `random_like(A, "out", seed, True)` draw $x$ and $v$.


# %% tags=["exercise"]
def my_factor(A):
    # blank: ...
    ratios = []
    for seed in (1, 2):
        x, v = random_like(A, "in", seed, True), random_like(A, "out", seed + 10, True)
        left, right = torch.vdot(A(x).flatten(), v.flatten()), torch.vdot(x.flatten(), A.adjoint(v).flatten())
        ratios.append(right / left)
    same = (ratios[1] - ratios[0]).abs() < 1e-6 * ratios[0].abs()  # if B is not c A^H, each x, v has another ratio
    return ratios[0].item() if same else None
    # end


check("operators.factor", my_factor)

# %% [markdown]
# ### Six suspects
#
# `suspects()` gives six operators in double precision, `{name: A}`. Three of them have the adjoint of another
# operator, which no factor mends. The library's `dot_test` finds them: it raises an error that shows both numbers.

# %% tags=["nbval-check-output"]
for name, A in suspects().items():
    try:
        dot_test(A)
        print(f"{name:>8}: pass")
    except DotTestError:
        print(f"{name:>8}: FAIL")

# %% [markdown]
# These are three faults of kinds that real code has had:
#
# - a coil map that is **not conjugated**;
# - a blur whose "adjoint" **blurs again**, although the adjoint turns the kernel round;
# - a back-projection that belongs to **another projector**: each of the two is a good projector, but they are not a
#   pair.
#
# Could we have seen the third fault? Here are both back-projections of the same sinogram.

# %%
angles = equal_angles(18)
rays = MatrixProjector(64, angles).to(double=True)
other_rays = RotationProjector(64, angles).to(double=True)
head = load_case("ct", "ct-head", size=64, views=18)
sinogram = rays(torch.from_numpy(head.truth).double()[None, None])
own, foreign = rays.adjoint(sinogram)[0, 0], other_rays.adjoint(sinogram)[0, 0]
foreign = rays.disc * foreign
difference = float((own - foreign).norm() / own.norm())
pictures = {
    "its own": (own / own.max()).numpy(),
    "the other one's": (foreign / own.max()).numpy(),
    "10 x difference": (10 * (own - foreign).abs() / own.max()).numpy(),
}
show(
    plot_images(pictures, None, (0, 1)),
    alt="""Two back-projections of the same sinogram, blurred discs that look alike, and ten times
        their difference: fine ripples, dark.""",
)
print(f"relative difference of the two back-projections: {difference:.1%}")

# %%
claim(difference < 0.05, "the two back-projections differ by less than 5 %", needs="smoke")

# %% [markdown]
# Hardly: they differ by a little grain, which nobody would call a fault. The section "What went wrong" at the end of
# this lesson shows what a fault of this kind can do, on a smaller scan where the difference is 6.4 %.

# %% [markdown]
# ## A nonlinear A: the vjp instead of the adjoint
#
# While it shakes, a camera averages **light**; it then saturates and applies its response curve. So $A$ is not linear,
# and there is no $A^H$. But a smooth $A$ is nearly linear for small changes:
#
# $$A(x + d) = A(x) + J(x)\,d + O(\|d\|^2).$$
#
# The matrix $J(x)$ of partial derivatives is the **Jacobian**. It acts linearly on $d$, so it has an adjoint $J(x)^H$.
# The derivation above still works with $J(x)d$ instead of $Ad$, because the squared term is still of second order:
#
# $$\nabla\,\tfrac12\|A(x) - y\|^2 = J(x)^H\,(A(x) - y).$$
#
# PyTorch multiplies by $J^H$ without ever building $J$: backpropagation **is** a vector-Jacobian product (vjp for
# short). `A.vjp(x, v)` returns $J(x)^Hv$. For a linear $A$ we have $J = A$, so the vjp is the adjoint. One formula
# serves all five tasks.
#
# ### Exercise 3: the gradient of another loss
#
# A dead pixel of the detector has a huge residual, and the square of that residual dominates the sum. A gentler loss
# grows like $|r_i|$ where the residual $r = A(x) - y$ is large:
#
# $$\Phi(x) = \sum_i\sqrt{|r_i|^2 + \varepsilon^2} .$$
#
# Return its gradient at $x$, for any $A$. The check tries a camera, and a scanner with complex data.


# %% tags=["exercise"]
def my_gradient(A, x, y, eps):
    # blank: ...
    r = A(x) - y
    return A.vjp(x, r / (r.abs() ** 2 + eps**2).sqrt())
    # end


check("operators.gradient", my_gradient)

# %% [markdown]
# ### The test of a gradient (stretch)
#
# Gradients also have a test. Let $\Phi$ be half the squared norm again. **Finite differences** give the slope along a
# random direction $d$:
#
# $$\frac{\Phi(x + hd) - \Phi(x - hd)}{2h} = \langle\nabla\Phi(x), d\rangle + O(h^2).$$
#
# Even powers of $h$ cancel in the difference, so the error of the formula falls like $h^2$. But subtracting two nearly
# equal numbers loses digits: rounding adds an error of about $10^{-16}\,|\Phi|/h$. Which $h$ is best? The next cell
# shows.

# %%
camera = operators["deblurring"]
target = data["deblurring"]
x = starts["deblurring"]
d = random_like(camera, "in", 7, True)


def energy(x):
    return 0.5 * (camera(x) - target).square().sum()


exact = float((camera.vjp(x, camera(x) - target) * d).sum())
lengths = [10 ** (-e / 2) for e in range(2, 20)]
slopes = [float(energy(x + h * d) - energy(x - h * d)) / (2 * h) for h in lengths]
errors = [abs(slope / exact - 1) for slope in slopes]
wrong = [abs(slope / exact - 1.001) for slope in slopes]  # had the gradient been 0.1 % too large
figure = Figure(figsize=(6.0, 3.2), layout="constrained")
axis = figure.subplots()
axis.loglog(lengths, errors, "o-", label="the vjp")
axis.loglog(lengths, wrong, ":", label="a gradient that is 0.1 % too large")
axis.loglog(lengths[:9], [30 * h**2 for h in lengths[:9]], "--", label="$30 h^2$, for comparison")
axis.set(xlabel="step h", ylabel="relative error of the slope", ylim=(1e-11, 1e2))
axis.grid(alpha=0.3)
axis.legend(loc="upper left")
show(
    figure,
    alt="""Relative error of the finite difference against the step h, both axes logarithmic: a V. It
        falls with slope two as h shrinks, reaches its lowest point, and rises again. For a wrong
        gradient it falls to one thousandth and stays there.""",
)
best = min(errors)
print(f"smallest relative error {best:.0e}, at h = {lengths[errors.index(best)]:.0e}")

# %% tags=["nbval-check-output"]
claim(best < 1e-6, "vjp and finite differences agree within a relative 1e-6", needs="smoke")
claim(
    errors[-1] > 10 * best and errors[0] > 10 * best,
    "at the largest and the smallest h the error is more than 10 times as large: it is a V",
    needs="smoke",
)
claim(min(wrong) > 9e-4, "a gradient off by 0.1 % never gets below 0.09 %", needs="smoke")

# %% [markdown]
# What convinces is that the error falls with slope 2 over several decades of $h$. The error of a wrong gradient levels
# off at the size of its fault.
#
# ### $J(x)$ is also an operator
#
# $J(x)$ is linear, so every tool for linear operators works on it, including the dot test. The course's `Jacobian`
# multiplies by $J$ in forward mode, with `torch.func.jvp`, and by $J^H$ in reverse mode, with `A.vjp`.

# %%
local = Jacobian(camera, truths["deblurring"])

# %% tags=["nbval-check-output"]
claim(
    dot_test(local) < 1e-10,
    "forward and reverse mode pass the dot test within 1e-10 of the typical size",
    needs="smoke",
)

# %% [markdown]
# ## What A cannot see
#
# The **null space** of a linear $A$ contains the images $u$ with $Au = 0$. Then $A(x + u) = Ax$, so no method, however
# clever, can use $y$ to tell $x + u$ from $x$.
#
# Every image splits in exactly one way into a seen and an unseen part. Let $A^+$ be the **pseudo-inverse**: of all
# images that minimise $\|Ax - b\|$, $A^+b$ is the shortest. Then
#
# $$w = \underbrace{A^+Aw}_{\text{seen}} + \underbrace{(w - A^+Aw)}_{\text{unseen}} .$$
#
# - The unseen part is in the null space: $A^+Aw$ fits the data $Aw$ exactly, so $A(w - A^+Aw) = 0$.
# - The seen part is orthogonal to the null space: if it had a component there, we could remove that component without
#   changing the fit, and the image would be shorter.
#
# **Two minutes.** In the picture at the top, the truth is (0.9, 0.3), and $A$ adds both pixels and multiplies the sum
# by $1/\sqrt2$. Write down the seen and the unseen part of the truth. Which of the four images has no unseen part?
#
# How do we get $A^+b$ without a matrix? At a minimiser of $\|Ax-b\|^2$ the gradient is zero, so it solves the **normal
# equations** $A^HAx = A^Hb$. Conjugate gradients, started from 0, only ever add vectors from the range of $A^H$. That
# range is orthogonal to the null space, because $\langle A^Hv, u\rangle = \langle v, Au\rangle = 0$. So the limit is
# the minimiser without an unseen part, which is the shortest one.


# %%
def least_squares(A, b, steps=400, tolerance=1e-12):
    """A^+ b by conjugate gradients on A^H A x = A^H b from x = 0 (CGLS)."""
    residual = b
    gradient = A.adjoint(residual)
    x, direction = torch.zeros_like(gradient), gradient
    first = now = gradient.abs().square().sum()
    for _ in range(steps):
        if now <= tolerance**2 * first:
            break
        q = A(direction)
        length = now / q.abs().square().sum()
        x, residual = x + length * direction, residual - length * q
        gradient = A.adjoint(residual)
        now, before = gradient.abs().square().sum(), now
        direction = gradient + now / before * direction
    return x


few_views = load_case("ct", "ct-brain", size=24, views=4).observation.A.to(double=True)
b = few_views(random_like(few_views, "in", 3, True))
by_matrix = torch.linalg.pinv(matrix_of(few_views), rtol=1e-6) @ b.flatten()
off = float((least_squares(few_views, b, 2000).flatten() - by_matrix).norm() / by_matrix.norm())
print(f"relative difference to the pseudo-inverse by SVD: {off:.0e}")
claim(off < 1e-6, "CG finds the pseudo-inverse of a CT of 4 views within 1e-6", needs="smoke")

# %% [markdown]
# ### Exercise 4: the unseen part
#
# Return the unseen part of an image $w$ for any linear `A`. You may use `least_squares`.


# %% tags=["exercise"]
def my_unseen(A, w):
    # blank: ...
    return w - least_squares(A, A(w), steps=2000)
    # end


check("operators.unseen", my_unseen)

# %% [markdown]
# This allows a trick, the **impostor**. Take a picture $w$ that has nothing to do with $x$, and replace its seen part
# by that of $x$:
#
# $$w + A^+A\,(x - w) = \text{unseen part of } w + \text{seen part of } x .$$
#
# The impostor has the data of $x$. For the camera we use $J(x)$ instead of $A$, only a few steps of conjugate
# gradients, and as $w$ the truth with a random texture.

# %%
cat = image_of(load_case("denoising", "chelsea", size=size), starts["in-painting"])
phantom = image_of(load_case("ct", "shepp-logan", size=size), starts["CT"])
phantom = phantom * truths["CT"].max() / phantom.max()
texture = 0.3 * random_like(camera, "in", 5, True).sign()
pretenders = {
    "MRI": image_of(load_case("mri", "brain-096", size=size, coils=1), starts["MRI"]),
    "CT": phantom,
    "denoising": cat,
    "in-painting": cat,
    "deblurring": truths["deblurring"] + texture,
}
pretenders["MRI"] *= truths["MRI"].abs().max() / pretenders["MRI"].abs().max()
linear = operators | {"deblurring": local}
impostors = {}
for name, w in pretenders.items():
    A, tries = linear[name], pick(30, 60, 60) if name == "deblurring" else pick(300, 600, 600)
    impostors[name] = w + least_squares(A, A(truths[name] - w), tries)

# %%
columns = {n: [case.display(image[n]) for image in (truths, pretenders, impostors)] for n, case in cases.items()}
show(
    gallery(columns, ["x", "w", "impostor"]),
    alt="""Rows: truth x, another picture w, impostor. MRI: a slice with another slice's
        ventricles over its own coarse contrast. CT: the head, blurred, with the outline of the
        phantom in it. Denoising: the portrait itself. In-painting: the portrait with a piece of a
        cat in the box. Deblurring: the portrait with a fine texture.""",
)

print(f"{'':>12} {'image differs by':>17} {'data differ by':>15} {'noise in the data':>18}")
gaps = {}
for name, A in operators.items():
    x, impostor = truths[name], impostors[name]
    in_image = float((impostor - x).norm() / x.norm())
    in_data = float((A(impostor) - A(x)).norm() / A(x).norm())
    gaps[name] = in_image, in_data
    print(f"{name:>12} {in_image:>17.1%} {in_data:>15.1e} {noise_share(cases[name]):>18.1e}")

# %%
claim(gaps["denoising"][0] < 1e-9, "denoising: there is no impostor, within 1e-9", needs="smoke")
for name in ("MRI", "in-painting", "CT"):
    limit = 1e-3 if name == "CT" else 1e-9
    claim(
        gaps[name][0] > 0.05 and gaps[name][1] < limit,
        f"{name}: the image differs by more than 5 %, its data by less than {limit:g}",
        needs="smoke",
    )
claim(
    gaps["deblurring"][0] > 0.1 and gaps["deblurring"][1] < noise_share(cases["deblurring"]),
    "deblurring: the image differs by more than 10 %, its data by less than the noise",
    needs="smoke",
)

# %% [markdown]
# - **MRI**: whatever lies on unsampled columns of k-space may be exchanged.
# - **CT**: fine detail between the few views may be exchanged.
# - **In-painting**: the hole may contain anything. Why not a cat?
# - **Denoising**: nothing may be exchanged, because $A = I$. And yet $y$ is not a good answer, so the null space is
#   not the whole trouble.
# - **Deblurring**: fine texture may be exchanged. It does reach the data, but it is fainter there than the noise.
#
# The last two show what a null space does not tell: how strongly a direction arrives in the data. Lesson 01b measures
# that.

# %% [markdown]
# ## What went wrong, and why: two wrong adjoints
#
# This section puts two of the three faults to work. Gradient descent on $\frac12\|Ax - y\|^2$ from $x = 0$ with steps
# of length 1 is $x \leftarrow x + A^H(y - Ax)$. Now $B$ stands where $A^H$ should be.
#
# **Coil maps that are not conjugated**, in MRI with four coils:

# %%
scan = load_case("mri", "brain-070", size=size, coils=4)
A, y = scan.observation.A.to(double=True), in_double(scan.observation.y)
unconjugated = Pair(A, MRIOperator(A.sens_maps.conj(), A.mask))


def residuals_of(A, y, steps):
    """||A x_k - y|| / ||y|| of gradient steps with A.adjoint, right or wrong."""
    x, found = torch.zeros(1, *A.in_shape, dtype=y.dtype), []
    for _ in range(steps + 1):
        found.append(float((A(x) - y).norm() / y.norm()))
        x = x + A.adjoint(y - A(x))
    return found


loud = {"conjugated": residuals_of(A, y, 20), "not conjugated": residuals_of(unconjugated, y, 20)}
tiny = load_case("mri", "brain-070", size=16, coils=4).observation.A.to(double=True)
for name, maps in (("conjugated", tiny.sens_maps), ("not conjugated", tiny.sens_maps.conj())):
    BA = matrix_of(MRIOperator(maps, tiny.mask).H) @ matrix_of(tiny)
    values = torch.linalg.eigvals(BA).real
    print(f"{name:>14}, 16 x 16: eigenvalues of BA have real parts from {values.min():.2f} to {values.max():.2f}")

# %% [markdown]
# **The back-projection of another projector**, in CT with 4 views at 24 x 24 pixels and 1 % noise, for very many
# steps. We need not take them one by one: from 0, the iteration $x_{k+1} = Mx_k + By$ with $M = I - BA$ gives
# $x_k = (I + M + \dots + M^{k-1})By$, and so $x_{2k} = x_k + M^kx_k$. Each pass through the loop doubles the number of
# steps.

# %%
angles = equal_angles(4)
rays = MatrixProjector(24, angles).to(double=True)
scale = 1 / rays.norm(double=True)
R = scale * matrix_of(rays)
B_foreign = scale * matrix_of(RotationProjector(24, angles).to(double=True)).T
slice24 = torch.from_numpy(small_cases["CT"].truth).double().flatten()
clean = R @ slice24
sigma = 0.01 * float(clean.norm()) / int((clean != 0).sum()) ** 0.5  # 1 % of the data, root mean square
y4 = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
rest = y4 - R @ (torch.linalg.pinv(R, rtol=1e-6) @ y4)  # the part that no image explains


def errors_by_doubling(B, doublings):
    """Relative errors after 1, 2, 4, ... steps of x + B (y - R x) from x = 0."""
    M, x, found = torch.eye(R.shape[1], dtype=torch.float64) - B @ R, B @ y4, []
    for _ in range(doublings):
        found.append(float((x - slice24).norm() / slice24.norm()))
        M, x = M @ M, x + M @ x
    return found


quiet = {"its own": errors_by_doubling(R.T, 17), "another's": errors_by_doubling(B_foreign, 17)}
print(f"relative difference of the two back-projections: {float((B_foreign - R.T).norm() / R.norm()):.1%}")

# %%
figure = Figure(figsize=(9.0, 3.2), layout="constrained")
left, right = figure.subplots(1, 2)
for (name, values), style in zip(loud.items(), ("-", "--"), strict=True):
    left.semilogy(values, linestyle=style, label=name)
for (name, values), style in zip(quiet.items(), ("-", "--"), strict=True):
    right.loglog([2**j for j in range(17)], values, linestyle=style, label=name)
left.set(xlabel="steps", ylabel="||Ax - y|| / ||y||", title="MRI, coil maps")
right.set(xlabel="steps", ylabel="relative error of x", title="CT, back-projection")
for axis in (left, right):
    axis.grid(alpha=0.3)
    axis.legend()
show(
    figure,
    alt="""Left: residual against steps; with conjugated maps it falls, with maps that are not
        conjugated it grows exponentially. Right: error of CT against steps on logarithmic axes. The
        curves for its own and for another back-projection lie together for hundreds of steps, then
        the second one rises steeply.""",
)
for (name, values), back in zip(quiet.items(), (R.T, B_foreign), strict=True):
    leak = float((back @ rest).norm() / rest.norm())
    print(
        f"{name:>10}: error {values[7]:.4f} after 128 steps, {values[16]:.4f} after 65536; "
        f"back-projects {leak:.1e} of the residual of least squares"
    )

# %%
claim(loud["not conjugated"][20] > 1000, "without the conjugate, the residual grows more than 1000-fold", needs="smoke")
claim(
    abs(quiet["another's"][7] / quiet["its own"][7] - 1) < 0.05,
    "after 128 steps the errors of the two pairs differ by less than 5 %",
    needs="smoke",
)
claim(
    quiet["another's"][16] > 3 * quiet["its own"][16],
    "after 65536 steps the unmatched pair's error is more than 3 times as large",
    needs="smoke",
)

# %% [markdown]
# The first fault is loud. Each step multiplies what is missing from $x$ by $I - BA$. Because $BA$ has eigenvalues with
# a negative real part, what is missing grows in those directions. Such a fault is found on the first day.
#
# The second fault is quiet. At a least-squares solution $x^*$ the residual is orthogonal to the range of $A$, so
# $A^H(y - Ax^*) = 0$ and the iteration rests there. The residual itself is **not** zero: it is the part of the noise
# that no image explains. With $B$ instead of $A^H$, a little of it leaks into the image at each step, because
# $B(y - Ax^*) \ne 0$. In directions that $BA$ hardly moves, nothing brings it back, so it adds up.
#
# Within a hundred steps nobody sees it, so an unmatched pair may be good enough for a method that stops early. But if
# $BA$ is not symmetric, $B(Ax - y)$ is not the gradient of any function. The dot test found both faults with one
# random pair.

# %% [markdown]
# ## Quiz
#
# The button below a question says whether your answer is right, and why. On a page that does not run, open the answers.

# %%
from aseqdip_lite.course import quiz

quiz("01")

# %% [markdown]
# ## What you can now say
#
# Compare these answers with your predictions.
#
# 1. Only in denoising, and as soon as there is noise, $y$ is not the answer even there. MRI, CT with few views and
#    in-painting have a null space. Deblurring lies between: some directions arrive so faintly that the slightest error
#    in $y$ hides them.
# 2. Hardly: the two pictures differed by a little grain.
# 3. After a hundred steps, nothing. After tens of thousands, the error of the other back-projection was several times
#    as large as that of the right one. A dot test finds the fault before the first step.
#
# - You can test an adjoint or a gradient without reading its code.
# - You can compute the gradient of a data term for any $A$, linear or not.
# - You can give two images that a scanner cannot tell apart.
#
# Next: [01b Semiconvergence](01b_semiconvergence.ipynb), about what the noise does to the directions that are seen.

# %% [markdown]
# ## References
#
# - I. R. Alkhouri, S. Liang, E. Bell, Q. Qu, R. Wang, S. Ravishankar. *Image Reconstruction Via Autoencoding
#   Sequential Deep Image Prior.* NeurIPS 2024.
# - P. C. Hansen. *Discrete Inverse Problems: Insight and Algorithms.* SIAM, 2010. doi:10.1137/1.9780898718836.
# - M. R. Hestenes, E. Stiefel. *Methods of conjugate gradients for solving linear systems.* J. Res. Natl. Bur. Stand.
#   49, 1952. doi:10.6028/jres.049.044.
# - G. L. Zeng, G. T. Gullberg. *Unmatched projector/backprojector pairs in an iterative reconstruction algorithm.*
#   IEEE Trans. Med. Imaging 19, 2000. doi:10.1109/42.870265.
# - T. Elfving, P. C. Hansen. *Unmatched projector/backprojector pairs: perturbation and convergence analysis.* SIAM
#   J. Sci. Comput. 40, 2018. doi:10.1137/17M1133828.
# - C. J. Holmes et al. *Enhancement of MR images using registration for signal averaging.* J. Comput. Assist. Tomogr.
#   22, 1998 (Colin27).
