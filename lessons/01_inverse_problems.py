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
# - show two different images with the same measurements;
# - predict by which factor an inverse amplifies noise;
# - derive why gradient descent first improves an image and then spoils it, and stop it in time.
#
# **You need** linear algebra with complex vectors, the singular value decomposition, and a first PyTorch course.
#
# **Time** about {minutes} min to run in the `laptop` profile on one CPU thread (measured). No network is trained,
# and no GPU is used. To work through it, take two hours.
#
# **Data** Colin27 (Holmes et al. 1998; BSD-3-Clause), a CT slice that comes with pydicom (MIT), pictures that come
# with scikit-image (NASA's portrait: public domain; the cat: CC0). Measurements are simulated. Code BSD-3-Clause,
# text CC BY 4.0.
# **For teaching, not for diagnosis.**

# %%
import math
from itertools import islice

import matplotlib
import torch
from matplotlib.figure import Figure

from aseqdip_lite import LinearOperator, dot_test, load_case, metrics
from aseqdip_lite.course import banner, check, claim, drawings, pick, show
from aseqdip_lite.course.exercises.operators import Pair, suspects
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
        all images with A x = y, the truth among them, and beside it an arrow along the null space of A. Three rows
        of dots run at right angles to that line, from the points a, b and 0, and end on it at three different
        places. Right, the four images of two pixels with their values: the truth 0.90 and 0.30, from a 0.52 and
        0.67, from b 0.85 and 0.35, from 0 twice 0.60.""",
)

# %% [markdown]
# **Two pixels and one measurement.** Here $A$ adds up the two pixels, times $1/\sqrt2$. All images on the gray line
# have the same $y$, so no method that sees $y$ alone can tell them apart. Gradient descent on $\|Ax-y\|^2$ goes
# straight to the line, and where it arrives depends on where it began. From 0 it finds the image of least norm. None of
# the three ends is the truth.

# %% [markdown]
# ## Predict first
#
# Write your guesses down; the last section asks for them again.
#
# 1. Five tasks: MRI, CT, denoising, in-painting, deblurring. In which of them do exact, noise-free measurements
#    determine the image?
# 2. A small CT scan sends 458 rays through 448 unknown pixels; the data have 1 % noise. How large is the error of the
#    image that fits the data best: about 1 %, about 10 %, or more?
# 3. Gradient descent makes $\|Ax - y\|$ smaller at every step. Does the image get better at every step?
# 4. Somebody uses a back-projection that is off by a few percent. What will you see?

# %% [markdown]
# ## Five tasks, one equation
#
# $$y = A(x) + n$$
#
# $x$ is the image, $A$ the physics, $n$ the noise. Only $y$ and $A$ are known.
#
# | task | $A$ | linear? | its adjoint | start $z_0$ |
# |---|---|---|---|---|
# | MRI | $MFS$: coil maps, Fourier transform, sampled columns | yes | $S^HF^HM$ | $A^Hy$ |
# | CT | $R/\lVert R\rVert$: integrals along rays | yes | $R^T/\lVert R\rVert$, back-projection | $c\,A^Ty$ |
# | denoising | $I$: nothing | yes | $I$ | $y$ |
# | in-painting | $M$: sets a hole to zero | yes | $M$ | $y$ |
# | deblurring | camera shake, saturation, response curve | **no** | none; see below | $y$ |
#
# $z_0$ is the first image that a method makes of $y$ without any prior: aSeqDIP starts there. In CT, $c$ is the
# number that fits the data best. MRI has one coil here, so $S = 1$; lesson 07 has eight.

# %%
size = pick(smoke=64, laptop=128, paper=256)
motion = pick(smoke=6.0, laptop=10.0, paper=20.0)
cases = {
    "MRI": load_case("mri", "brain-070", size=size, coils=1, acceleration=4),
    "CT": load_case("ct", "ct-head", size=size, views=pick(smoke=18, laptop=30, paper=60), i0=1000, start="paper"),
    "denoising": load_case("denoising", "astronaut", size=size, fill="zero"),
    "in-painting": load_case("inpainting", "astronaut", size=size, fill="zero", paste=False),
    "deblurring": load_case("deblurring", "astronaut", size=size, motion=motion, fill="zero"),
}


def in_double(t):
    """The same numbers in double precision, so that rounding does not hide what we look for."""
    return t.to(torch.promote_types(t.dtype, torch.float64))


def image_of(case, like):
    """The truth of a case as a tensor (1, C, H, W), in the units and of the kind of `like`."""
    array = torch.from_numpy(case.truth)
    channels = array[None] if array.ndim == 2 else array.permute(2, 0, 1)  # (C, H, W)
    return (channels[None] / case.observation.scale).to(like.dtype)


operators = {name: case.observation.A.to(double=True) for name, case in cases.items()}
data = {name: in_double(case.observation.y) for name, case in cases.items()}
starts = {name: in_double(case.observation.start) for name, case in cases.items()}
truths = {name: image_of(case, starts[name]) for name, case in cases.items()}

# %% [markdown]
# The shapes, and a test of linearity: $A(x_1 + 2x_2) = A(x_1) + 2A(x_2)$ on random images.


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
def grid(columns, rows, alt):
    """Show {title: [array, ...]} as columns of pictures, each from its 0 (black) to its largest value (white)."""
    figure = Figure(figsize=(1.32 * len(columns) + 0.3, 1.32 * len(rows) + 0.4), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for axis_column, (title, arrays) in zip(axes.T, columns.items(), strict=True):
        for axis, array in zip(axis_column, arrays, strict=True):
            shown = array / array.max() if array.ndim == 2 else array.clip(0, 1)
            axis.imshow(shown, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        axis_column[0].set_title(title)
    for axis, name in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(name)
    show(figure, alt)


def as_seen(name, y):
    """Measurements as a picture: k-space on a logarithmic scale, a sinogram, or an image."""
    if name == "MRI":
        return torch.log1p(1000 * y[0, 0].abs() / y.abs().max()).numpy()
    return y[0].numpy() if name == "CT" else cases[name].display(y)


grid(
    {n: [c.truth, as_seen(n, data[n]), c.display(starts[n])] for n, c in cases.items()},
    ["truth x", "data y", "start z$_0$"],
    alt="""Five columns, one a task; rows: truth, data, start. MRI: a brain, k-space with black
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
# Where does it come from? From the chain rule. Let $\Phi(x) = \frac12\|Ax - y\|^2$ and move from $x$ by a small $d$:
#
# $$\Phi(x + d) = \tfrac12\|(Ax - y) + Ad\|^2 = \Phi(x) + \mathrm{Re}\,\langle Ad,\,Ax - y\rangle + \tfrac12\|Ad\|^2 .$$
#
# The first-order term is $\mathrm{Re}\,\langle Ad, Ax - y\rangle = \mathrm{Re}\,\langle d, A^H(Ax - y)\rangle$, by
# the definition of $A^H$. The gradient is the vector $g$ that writes this term as $\mathrm{Re}\,\langle d, g\rangle$:
#
# $$\nabla\Phi(x) = A^H(Ax - y).$$
#
# So each gradient step of each method in this course, also through a network, passes through $A^H$ once. If it is
# wrong, nothing crashes. The method goes somewhere else.
#
# ### Operators are not matrices in memory
#
# We never store $A$ as a matrix. How large would it be?

# %%
for name, A in operators.items():
    numbers = math.prod(A.in_shape) * math.prod(A.out_shape)
    print(f"{name:>12}: {numbers * (16 if A.in_complex else 8) / 2**30:8.2f} GiB as a full matrix")

# %% [markdown]
# At 24 x 24 pixels it is small enough. Column $j$ of the matrix is $A$ applied to the $j$-th unit vector. This is
# slow, and it is the truth: use it to test clever code.


# %%
def matrix_of(A):
    """The matrix (m, n) of a linear operator, in double precision."""
    n = math.prod(A.in_shape)
    kind = torch.complex128 if A.in_complex else torch.float64
    basis = torch.eye(n, dtype=kind).reshape(n, *A.in_shape)  # a batch of n unit images
    return A(basis).reshape(n, -1).T  # (n, m) -> (m, n)


small_cases = {
    "MRI": load_case("mri", "brain-070", size=24, coils=1),
    "CT": load_case("ct", "ct-brain", size=24, views=18),
    "denoising": load_case("denoising", "brain-070", size=24),
    "in-painting": load_case("inpainting", "brain-070", size=24),
    "deblurring": load_case("deblurring", "brain-070", size=24, motion=5.0, fill="zero"),
}
small = {name: case.observation.A.to(double=True) for name, case in small_cases.items()}

# %% tags=["nbval-check-output"]
for name in ("MRI", "CT", "denoising", "in-painting"):
    off = (matrix_of(small[name].H) - matrix_of(small[name]).mH).abs().max()
    claim(off < 1e-12, f"{name} at 24 x 24: the adjoint is the conjugate transpose within 1e-12", needs="smoke")

# %% [markdown]
# ### Exercise 1: the dot test
#
# For large operators we test the definition itself, on one random pair $x$, $v$. If $A^H$ is wrong by a matrix
# $E \ne 0$, the two sides differ by $\langle x, Ev\rangle$, which is zero for random $x$, $v$ with probability 0.
#
# Return the error $|\langle Ax, v\rangle - \langle x, A^Hv\rangle|$, divided by something that grows like it. `A(x)`
# and `A.adjoint(v)` are there; `torch.vdot(a, b)` takes two flat tensors.


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
# ### Exercise 2: what a factor mends
#
# A back-projection is often right up to a factor: somebody counts in millimetres, or an FFT is not normalised. Then
# `A.adjoint` is $B = cA^H$ with a number $c$, and $B/c$ mends it. Return $c$: 1 where nothing is wrong, a real number
# for a real $A$, and `None` where no number mends $B$. How does $c$ show in the dot test? `random_like(A, "in", seed,
# True)` and `random_like(A, "out", seed, True)` draw $x$ and $v$.


# %% tags=["exercise"]
def my_factor(A):
    # blank: ...
    ratios = []
    for seed in (1, 2):
        x, v = random_like(A, "in", seed, True), random_like(A, "out", seed + 10, True)
        left, right = torch.vdot(A(x).flatten(), v.flatten()), torch.vdot(x.flatten(), A.adjoint(v).flatten())
        ratios.append(right / left)
    same = (ratios[1] - ratios[0]).abs() < 1e-6 * ratios[0].abs()  # another B has another ratio for each x, v
    return ratios[0].item() if same else None
    # end


check("operators.factor", my_factor)

# %% [markdown]
# `suspects()` gives six operators in double precision, `{name: A}`. In three of them the adjoint is another operator's,
# and no factor mends it. The library's `dot_test` finds them: it raises an error, which shows both numbers.

# %% tags=["nbval-check-output"]
for name, A in suspects().items():
    try:
        dot_test(A)
        print(f"{name:>8}: pass")
    except DotTestError:
        print(f"{name:>8}: FAIL")

# %% [markdown]
# Three faults, each of a kind that real code has had:
#
# - a coil map that is **not conjugated**;
# - a blur whose "adjoint" **blurs again**: the adjoint turns the kernel round;
# - a back-projection that belongs to **another projector**. Each of the two is a good projector. They are not a pair.
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
# Hardly: a little grain, which nobody would call a fault. What such a small fault can do is shown at the end of this
# lesson, under "What went wrong".

# %% [markdown]
# ## A nonlinear A: the vjp in place of the adjoint
#
# A camera averages **light** while it shakes, saturates, and applies its response curve. So $A$ is not linear, and
# there is no $A^H$. But a smooth $A$ is linear in the small:
#
# $$A(x + d) = A(x) + J(x)\,d + O(\|d\|^2).$$
#
# The matrix $J(x)$ of partial derivatives is the **Jacobian**. It is linear in $d$, so it has an adjoint $J(x)^H$.
# The derivation above goes through with $J(x)d$ in the place of $Ad$, and the square of $d$ is still of second order:
#
# $$\nabla\,\tfrac12\|A(x) - y\|^2 = J(x)^H\,(A(x) - y).$$
#
# PyTorch multiplies by $J^H$ without ever building $J$: backpropagation **is** the product of a vector with the
# Jacobian, short vjp. `A.vjp(x, v)` returns $J(x)^Hv$. For a linear $A$ it is $J = A$, so the vjp is the adjoint. One
# formula serves all five tasks.
#
# ### Exercise 3: the gradient of another loss
#
# A dead pixel of the detector has a huge residual, and its square rules the sum. A gentler loss grows like $|r_i|$
# where the residual $r = A(x) - y$ is large:
#
# $$\Phi(x) = \sum_i\sqrt{|r_i|^2 + \varepsilon^2} .$$
#
# Return its gradient at $x$, for every $A$. The check tries a camera, and a scanner with complex data.


# %% tags=["exercise"]
def my_gradient(A, x, y, eps):
    # blank: ...
    r = A(x) - y
    return A.vjp(x, r / (r.abs() ** 2 + eps**2).sqrt())
    # end


check("operators.gradient", my_gradient)

# %% [markdown]
# A gradient has its own test. Take half the squared norm as $\Phi$ again. The slope along a random direction $d$ by
# **finite differences** is
#
# $$\frac{\Phi(x + hd) - \Phi(x - hd)}{2h} = \langle\nabla\Phi(x), d\rangle + O(h^2).$$
#
# Even powers of $h$ cancel in the difference, so the error of the formula falls like $h^2$. But subtracting two
# nearly equal numbers loses digits: rounding adds an error of about $10^{-16}\,|\Phi|/h$. Which $h$ is best? Look.

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
    alt="""Relative error of the finite difference against the step h, both logarithmic: a V. It
        falls with slope two as h shrinks, reaches its lowest point, and rises again. For a wrong
        gradient it falls to one thousandth and stays there.""",
)
best = min(errors)
print(f"smallest relative error {best:.0e}, at h = {lengths[errors.index(best)]:.0e}")

# %% tags=["nbval-check-output"]
claim(best < 1e-6, "vjp and finite differences agree within a relative 1e-6", needs="smoke")
claim(
    errors[-1] > 10 * best and errors[0] > 10 * best,
    "larger and smaller steps are more than 10 times worse: the error is a V",
    needs="smoke",
)
claim(min(wrong) > 9e-4, "a gradient off by 0.1 % never gets below 0.09 %", needs="smoke")

# %% [markdown]
# The descent with slope 2 over several decades of $h$ is what convinces. A wrong gradient ends on a plateau at the size
# of its fault.
#
# $J(x)$ is a linear operator, so we can give it to every tool for linear operators, also to the dot test.


# %%
class Jacobian(LinearOperator):
    """J(x) of an operator A at one image x (1, C, H, W): d -> derivative of A(x + t d) at t = 0."""

    def __init__(self, A, x):
        kinds = dict(in_complex=A.in_complex, out_complex=A.out_complex)
        super().__init__(A.in_shape, A.out_shape, **kinds)
        self.A, self.x = A, x

    def _apply(self, d):
        return torch.func.jvp(self.A, (self.x.expand_as(d),), (d,))[1]  # forward mode

    def _adjoint(self, v):
        return self.A.vjp(self.x.expand(len(v), *self.in_shape), v)  # reverse mode


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
# The **null space** of a linear $A$ holds the images $u$ with $Au = 0$. Then $A(x + u) = Ax$: no method, however
# clever, can tell $x + u$ from $x$ by $y$.
#
# Every image splits in one way into a seen and an unseen part. Let $A^+$ be the **pseudo-inverse**: $A^+b$ is the
# shortest of the images that minimise $\|Ax - b\|$. Then
#
# $$w = \underbrace{A^+Aw}_{\text{seen}} + \underbrace{(w - A^+Aw)}_{\text{unseen}} .$$
#
# - The unseen part is in the null space: $A^+Aw$ fits the data $Aw$ exactly, so $A(w - A^+Aw) = 0$.
# - The seen part is orthogonal to the null space: if it had a part in there, we could take that off without changing
#   the fit, and the image would be shorter.
#
# How do we get $A^+b$ without a matrix? A minimiser of $\|Ax-b\|^2$ has zero gradient, so it solves the **normal
# equations** $A^HAx = A^Hb$. Conjugate gradients, started from 0, only ever add vectors from the range of $A^H$, and
# that range is orthogonal to the null space, because $\langle A^Hv, u\rangle = \langle v, Au\rangle = 0$. So the
# limit is the minimiser without an unseen part: the shortest one.


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
# Let us use it for a trick: the **impostor**. Take a picture $w$ that has nothing to do with $x$, and exchange its
# seen part for that of $x$:
#
# $$w + A^+A\,(x - w) = \text{unseen part of } w + \text{seen part of } x .$$
#
# It has the data of $x$. For the camera we take $J(x)$ in place of $A$, a $w$ that is the truth with a random
# texture, and few steps of conjugate gradients.

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
grid(
    {n: [case.display(image[n]) for image in (truths, pretenders, impostors)] for n, case in cases.items()},
    ["x", "w", "impostor"],
    alt="""Rows: truth x, another picture w, impostor. MRI: a slice with another slice's
        ventricles over its own coarse contrast. CT: the head, blurred, with the outline of the
        phantom in it. Denoising: the portrait itself. In-painting: the portrait with a piece of a
        cat in the box. Deblurring: the portrait with a fine texture.""",
)


def noise_of(name):
    """Expected norm of the noise, relative to that of the data."""
    numbers = int((data[name] != 0).sum()) * (2 if data[name].is_complex() else 1)
    return cases[name].observation.noise_std * numbers**0.5 / float(data[name].norm())


print(f"{'':>12} {'image differs by':>17} {'data differ by':>15} {'noise in the data':>18}")
gaps = {}
for name, A in operators.items():
    x, impostor = truths[name], impostors[name]
    in_image = float((impostor - x).norm() / x.norm())
    in_data = float((A(impostor) - A(x)).norm() / A(x).norm())
    gaps[name] = in_image, in_data
    print(f"{name:>12} {in_image:>17.1%} {in_data:>15.1e} {noise_of(name):>18.1e}")

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
    gaps["deblurring"][0] > 0.1 and gaps["deblurring"][1] < noise_of("deblurring"),
    "deblurring: the image differs by more than 10 %, its data by less than the noise",
    needs="smoke",
)

# %% [markdown]
# - **MRI**: all that lives on unsampled columns of k-space may be exchanged.
# - **CT**: fine detail between the few views.
# - **In-painting**: all that lies in the hole. Why not a cat?
# - **Denoising**: nothing, for $A = I$. And yet $y$ is not a good answer. A null space is not the whole trouble.
# - **Deblurring**: fine texture, which arrives, but fainter than the noise.

# %% [markdown]
# ## Singular values: between seen and unseen
#
# The SVD $A = \sum_i s_i\,u_iv_i^H$ says it with numbers: the pattern $v_i$ arrives in the data as $s_iu_i$. With
# $s_i = 0$ it is lost, with $s_i = 1$ it arrives as it is. Here are **all** singular values at 24 x 24 pixels; of the
# camera, those of $J(x)$ at the truth.

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
    alt="""Singular values of five tasks on a logarithmic axis. Denoising: all one. In-painting and
        MRI: one, then a drop to the floor. CT: a slope over six decades, then a drop. Deblurring:
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
# Three kinds of trouble: nothing is lost but the noise stays (denoising); some directions are lost, the others arrive
# unharmed (MRI with one coil, in-painting); directions arrive fainter and fainter (CT, deblurring). The last is the
# most treacherous, because on paper each faint direction can be inverted.
#
# ## The naive inverse, and why it fails
#
# Put $y = Ax + n$ into the pseudo-inverse, direction by direction:
#
# $$A^+y = \sum_{s_i > 0} \frac{\langle u_i, y\rangle}{s_i}\,v_i
# = \sum_{s_i > 0} \Bigl(\langle v_i, x\rangle + \frac{\langle u_i, n\rangle}{s_i}\Bigr)\,v_i ,$$
#
# since $\langle u_i, Ax\rangle = \langle A^Hu_i, x\rangle = s_i\,\langle v_i, x\rangle$. What is seen of $x$ comes
# back exactly. But a direction that arrived faintly is turned up, and its noise with it. Let $n$ be real and white with
# standard deviation $\sigma$. Then each $\langle u_i, n\rangle$ has variance $\sigma^2$, because the $u_i$ are unit
# vectors; the $v_i$ are orthonormal, so
#
# $$\mathbb E\,\|A^+y - A^+Ax\|^2 = \sigma^2\sum_{s_i > 0}\frac1{s_i^2} .$$
#
# (Complex noise with $\sigma$ in real and in imaginary part, as in MRI, has $2\sigma^2$ in place of $\sigma^2$.)
#
# Two problems to look at, both real: a blurred signal of 64 points, and the CT scan of 24 x 24 pixels. The noise is 1 %
# of the data (root mean square).


# %%
def decompose(B):
    """(U, s, V^H) of a matrix without the directions that it does not see."""
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
    claim(with_noise > 10, f"{name}: 1 % of noise makes an error above 1000 %", needs="smoke")
    claim(abs(mean / formula - 1) < 0.1, f"{name}: the mean over draws is within 10 % of the formula", needs="smoke")

# %% [markdown]
# The formula is a mean. One draw may lie far from it, since a few of the smallest singular values make up the sum.

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
# falling, they hold little but noise. To the right of that, division by $s_i$ does more harm than good.

# %% [markdown]
# ## Gradient descent filters
#
# Everybody trains by gradient descent; what does it do with small singular values? Steps along $-\nabla\Phi$ from
# $x_0 = 0$,
#
# $$x_{k+1} = x_k + \tau A^H(y - Ax_k),$$
#
# are called **Landweber iteration**. Look at one direction. With $c_k = \langle v_i, x_k\rangle$,
# $b = \langle u_i, y\rangle$ and $s = s_i$,
#
# $$c_{k+1} = c_k + \tau s\,(b - s\,c_k) = (1 - \tau s^2)\,c_k + \tau s\,b, \qquad c_0 = 0,$$
#
# because $\langle v_i, A^Hr\rangle = \langle Av_i, r\rangle = s\,\langle u_i, r\rangle$ and
# $\langle u_i, Ax_k\rangle = s\,c_k$. Directions do not mix: a million-dimensional iteration is a million scalar
# ones.
#
# The fixed point is $c = b/s$, the naive inverse. What is missing is multiplied by the same number at each step:
#
# $$c_{k+1} - \tfrac bs = (1 - \tau s^2)\,\bigl(c_k - \tfrac bs\bigr) \quad\Rightarrow\quad
# c_k = \varphi_k(s)\,\frac bs, \qquad \boxed{\varphi_k(s) = 1 - (1 - \tau s^2)^k} .$$
#
# The share $\varphi_k(s)$ of the naive inverse that has arrived after $k$ steps is called the **filter factor**.
#
# - It converges in all directions with $s > 0$ if $|1 - \tau s^2| < 1$ for all of them: $0 < \tau < 2/s_1^2$. Here
#   $s_1 \approx 1$ and $\tau = 1$.
# - A direction has arrived after about $1/(\tau s^2)$ steps: strong directions first.
# - A direction with $s = 0$ never moves.
#
# ### Exercise 5: another start
#
# aSeqDIP does not start at 0, but at $z_0$, a multiple of $A^Hy$ in the four linear tasks. Return the filter factor
# after $k$ Landweber steps from $x_0 = a\,A^Hy$ with a number $a$, for a tensor `s` of singular values; `step` is
# $\tau$.


# %% tags=["exercise"]
def my_filter(s, k, step, a):
    # blank: ...
    return 1 - (1 - step * s**2) ** k * (1 - a * s**2)  # c_0 = a s b = a s^2 (b / s)
    # end


check("operators.filter", my_filter)

# %% [markdown]
# With $a = \tau$ the start is what one step from 0 gives, and the filter is that of $k + 1$ steps.
#
# Now the iteration itself. A generator yields $x_0, x_1, \dots$; with the vjp it serves nonlinear $A$ too.


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
# The first curve falls fast at first, because images have most of their energy in strong directions. The second
# starts at 0 and ends at the catastrophe of the naive inverse. If the noise matters at all, the error
# **falls, then rises**. This is called **semiconvergence**. The filter factors give any $k$ at once, also a million.

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
# **When to stop**, without the truth? The truth itself misses the data by the noise:
# $\mathbb E\,\|Ax - y\|^2 = m\sigma^2$, with $m$ the number of noisy values. So stop at the first $k$ with
# $\|Ax_k - y\| \le \sqrt m\,\sigma$: what is left in the residual may all be noise, and fitting it is pointless. This
# is the **discrepancy principle** (Morozov). It needs $\sigma$, and no truth. In the plot we test the values of $k$
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
# The same generator, on the cases from the beginning. CT has photon noise now. The camera is nonlinear: there the vjp
# makes the step, and no formula tells how the curve will look.

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
    fits = [k for k, r in enumerate(run["residuals"]) if r <= noise_of(name) + 1e-12]
    stopped = f"{e[fits[0]]:.3f} at step {fits[0]}" if fits else "not reached"
    print(
        f"{name:>12}: smallest error {min(e):.3f} at step {e.index(min(e))}, last {e[-1]:.3f}; "
        f"discrepancy principle {stopped}"
    )

# %%
for name in ("MRI", "denoising", "in-painting"):
    e = runs[name]["errors"]
    claim(abs(e[-1] - e[1]) < 1e-6, f"{name}: nothing changes after the first step, within 1e-6", needs="smoke")
for name in ("CT", "deblurring"):
    r, e = runs[name]["residuals"], runs[name]["errors"]
    claim(r[-1] < r[e.index(min(e))], f"{name}: the residual still falls after the best image", needs="smoke")
    claim(e[-1] > 1.2 * min(e), f"{name}: the last error is more than 20 % above the smallest")

# %% [markdown]
# Two lessons in one plot.
#
# - **CT, deblurring**: semiconvergence, also without linearity. The residual falls on while the image gets worse, so
#   the residual alone does not show the best moment.
# - **MRI with one coil, denoising, in-painting**: all singular values are 0 or 1. With $\tau = 1$ one step and all is
#   over.
#
# A smaller step makes the way longer. For $s = 1$ the filter factor is $g_k = 1 - (1 - \tau)^k$, the same number in all
# directions that are seen: $x_k = g_k A^Hy$, from black to $A^Hy$. The stops on this way are **darker copies of one
# image**. Is one of them better than the end?

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
    claim(min(errors) > 0.98 * errors[-1], f"{name}: the best stop has less than 2 % less error than the end")

# %% [markdown]
# Hardly: dark is not clean. In the space of pixels, with singular values 0 and 1, there is **next to nothing to gain by
# stopping**.
#
# Look at the images of CT.

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
# The same under a slider, for all tasks and more steps. It lives only in a running notebook, and nothing after it
# depends on it. Choose `deblurring`: where would you stop?

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
# The data do not say what to put where they are silent. Somebody has to choose. There are three places to do so.
#
# ### Choice 1: how faint is too faint
#
# Every linear method of this kind is a filter $\varphi(s)$ on the naive inverse.
#
# | method | filter $\varphi(s)$ | knob |
# |---|---|---|
# | truncated SVD | 1 if $s \ge \varepsilon$, else 0 | $\varepsilon$ |
# | Tikhonov, $\min \lVert Ax-y\rVert^2 + \alpha\lVert x\rVert^2$ | $s^2/(s^2+\alpha)$ | $\alpha$ |
# | Landweber | $1-(1-\tau s^2)^k$ | $k$ |
#
# (Tikhonov: the normal equations are $(A^HA + \alpha I)\,x = A^Hy$, in one direction $(s^2 + \alpha)\,c = s\,b$.) All
# three let strong directions pass and hold faint ones back. The bend is where $s \approx \varepsilon$, $\sqrt\alpha$
# or $1/\sqrt{\tau k}$: the number of steps **is** a regularisation parameter, $\alpha \approx 1/(\tau k)$.

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
        f"{problem}: with the best bend each, the three differ by less than 20 %",
        needs="smoke",
    )

# %% [markdown]
# With the best bend each, the kind of filter makes little difference. Where it bends makes a large one: see the curves
# of semiconvergence above. (The truth chose the bend here: fair for this comparison, and not possible in practice.)
#
# ### Choice 2: what to put into the null space
#
# Directions with $s = 0$ never move, so the unseen part of $x_k$ is that of $x_0$, for ever. Starting from 0 is a
# choice too: "what I do not see is black". Start at the cat instead. Or let 0 stand for the mean of the known pixels,
# as the library does where nothing else is asked for (`fill="mean"`).

# %%
from_cat = landweber(operators["in-painting"], data["in-painting"], x=cat)
*_, tenth = islice(from_cat, 11)
same = float((tenth - impostors["in-painting"]).norm() / cat.norm())
print(f"ten steps from the cat, relative difference to the impostor: {same:.0e}")
claim(same < 1e-9, "gradient descent from w ends at the impostor, within 1e-9", needs="smoke")
gray = load_case("inpainting", "astronaut", size=size, fill="mean", paste=False)
psnr = {
    fill: metrics.psnr(case.display(case.observation.start), case.truth, case.data_range)
    for fill, case in (("black", cases["in-painting"]), ("gray", gray))
}
print(f"hole black: {psnr['black']:.2f} dB, hole gray: {psnr['gray']:.2f} dB, with the same data")
claim(psnr["gray"] > psnr["black"] + 3, "gray is more than 3 dB better than black", needs="smoke")

# %% [markdown]
# ### Choice 3: the coordinates
#
# So far we moved pixels. Write $x = Gc$ instead and run gradient descent on $c$. By the chain rule
# $c_{k+1} = c_k + \tau\,G^HA^H(y - AGc_k)$, and so
#
# $$x_{k+1} = x_k + \tau\,GG^H\,A^H(y - Ax_k).$$
#
# The data and the minimisers of $\|Ax - y\|$ are the same, if $G$ is invertible. But the step has changed: what comes
# back from the data is passed through $GG^H$. If $G$ smooths, a known pixel tells its neighbours, **also those in the
# null space**. And the singular values are now those of $AG$: for $A = I$ smooth patterns come first, rough ones last.


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

half = load_case("inpainting", "astronaut", size=size, missing=0.5, fill="mean", paste=False)
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
grid(
    columns,
    ["denoising", "in-painting"],
    alt="""Two rows of three portraits. Denoising: grainy in pixel coordinates; smoother at the best
        step with x = Gc; grainier again at the last. In-painting: half of the pixels gray in
        pixel coordinates; complete, a little soft, with x = Gc, at the best step and at the last.""",
)

# %%
if width == 1.0:
    noisy_psnr, smooth = max(scores["denoising", "pixels"]), scores["denoising", "x = Gc"]
    claim(max(smooth) > noisy_psnr + 2, "denoising gains more than 2 dB by smooth coordinates")
    claim(smooth[-1] < max(smooth) - 0.5, "and loses more than 0.5 dB again without a stop")
    name = "in-painting, half of the pixels"
    gain = scores[name, "x = Gc"][-1] - scores[name, "pixels"][-1]
    claim(gain > 5, "in-painting gains more than 5 dB: the null space is filled")

# %% [markdown]
# Nothing was added to the loss. The **parametrisation** is the prior, and the number of steps is its knob. Denoising
# has a best moment now; before, there was next to nothing to gain by stopping.
#
# A Gaussian is a poor choice: it knows that neighbours are alike, and nothing of edges. Its reach is short, too. On
# the big hole of our in-painting case:

# %%
A, y, case = operators["in-painting"], data["in-painting"], cases["in-painting"]
G = Smoothing(A.in_shape, 1.0)
*_, c = islice(landweber(A @ G, y), steps + 1)
before, after = (metrics.psnr(case.display(x), case.truth, 1.0) for x in (y, G(c)))
print(f"hole in the middle: z_0 {before:.2f} dB, x = Gc after {steps} steps {after:.2f} dB")
claim(after - before < 2, "the hole in the middle gains less than 2 dB: its middle is out of reach")

# %% [markdown]
# Now replace $Gc$ by a network with random weights, $x = f_\phi(z)$, and run gradient descent on the weights $\phi$.
# That is **Deep Image Prior**, and lesson 02 begins here. For small steps its update is the one above with
# $J_\phi J_\phi^H$ in place of $GG^H$, where $J_\phi$ is the Jacobian of the network in its weights: lesson 04 calls
# it the neural tangent kernel. Semiconvergence will be back under the name of overfitting, and early stopping with
# it.

# %% [markdown]
# ## What went wrong, and why: two wrong adjoints
#
# Two of the three faults, at work in Landweber iteration: $B$ stands where $A^H$ should be.
#
# **Maps that are not conjugated**, in MRI with four coils.

# %%
scan = load_case("mri", "brain-070", size=size, coils=4)
A, y = scan.observation.A.to(double=True), in_double(scan.observation.y)
unconjugated = Pair(A, MRIOperator(A.sens_maps.conj(), A.mask))


def residuals_of(A, y, steps):
    """||A x_k - y|| / ||y|| of Landweber steps with A.adjoint, right or wrong."""
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
# steps. We need not make them one by one: $x_{k+1} = Mx_k + By$ with $M = I - BA$, from 0, is
# $x_k = (I + M + \dots + M^{k-1})By$, and so $x_{2k} = x_k + M^kx_k$. Each line of the loop doubles the number of
# steps.

# %%
angles = equal_angles(4)
rays = MatrixProjector(24, angles).to(double=True)
scale = 1 / rays.norm(double=True)
R = scale * matrix_of(rays)
B_foreign = scale * matrix_of(RotationProjector(24, angles).to(double=True)).T
y4, _ = noisy(R, slice24, seed=0)
rest = y4 - R @ (torch.linalg.pinv(R, rtol=1e-6) @ y4)  # what no image explains


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
for (name, values), style in zip(loud.items(), styles, strict=False):
    left.semilogy(values, linestyle=style, label=name)
for (name, values), style in zip(quiet.items(), styles, strict=False):
    right.loglog([2**j for j in range(17)], values, linestyle=style, label=name)
left.set(xlabel="steps", ylabel="||Ax - y|| / ||y||", title="MRI, coil maps")
right.set(xlabel="steps", ylabel="relative error of x", title="CT, back-projection")
for axis in (left, right):
    axis.grid(alpha=0.3)
    axis.legend()
show(
    figure,
    alt="""Left: residual against steps; with conjugated maps it falls, without it grows
        exponentially. Right: error of CT against steps on logarithmic axes; with its own and with
        another back-projection the two curves lie together for hundreds of steps, then the
        second one rises steeply.""",
)
for (name, values), back in zip(quiet.items(), (R.T, B_foreign), strict=True):
    leak = float((back @ rest).norm() / rest.norm())
    print(
        f"{name:>10}: error {values[7]:.4f} after 128 steps, {values[16]:.4f} after 65536; "
        f"back-projects {leak:.1e} of the residual of least squares"
    )

# %%
claim(loud["not conjugated"][20] > 1000, "without the conjugate the residual grows more than 1000-fold", needs="smoke")
claim(
    abs(quiet["another's"][7] / quiet["its own"][7] - 1) < 0.05,
    "the unmatched pair differs by less than 5 % after 128 steps",
    needs="smoke",
)
claim(
    quiet["another's"][16] > 3 * quiet["its own"][16],
    "after 65536 steps its error is more than 3 times as large",
    needs="smoke",
)

# %% [markdown]
# The first fault is loud. What is missing from $x$ is multiplied by $I - BA$ at each step, and $BA$ has eigenvalues
# with a negative real part: in those directions it grows. Such a fault is found on the first day.
#
# The second is quiet. At a least-squares solution $x^*$ the residual is orthogonal to the range of $A$, so
# $A^H(y - Ax^*) = 0$ and the iteration rests there. The residual itself is **not** zero: it is the part of the noise
# that no image explains. With $B$ in place of $A^H$ a little of it leaks into the image at each step,
# $B(y - Ax^*) \ne 0$. In directions that $BA$ hardly moves, nothing brings it back, and it adds up.
#
# In a hundred steps nobody sees it, so an unmatched pair may do for a method that stops early. But if $BA$ is not
# symmetric, $B(Ax - y)$ is not the gradient of any function. The dot test found both faults on one random pair.

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
# Take out your predictions.
#
# 1. In denoising, where it is no help once there is noise. MRI, CT with few views and in-painting have a null space.
#    Deblurring lies between: in the small example the faintest direction arrives with less than a millionth of the
#    strength of the strongest, so exact data would have to be very exact.
# 2. Far more: the error of the naive inverse of the small scan was hundreds of times the image, see the numbers above.
#    Counting equations tells little; the small singular values tell more.
# 3. No: semiconvergence, in CT and deblurring. In the other three tasks one step of length 1 ends it.
# 4. In a hundred steps, nothing. After tens of thousands, the error of the other back-projection was several times as
#    large. A dot test shows the fault before the first step.
#
# - You can test an adjoint, or a gradient, without reading its code.
# - You can show two images that a scanner cannot tell apart.
# - You can explain early stopping as a filter on singular values, and stop without knowing the truth.
# - You can name the three choices of a regulariser: the filter, the null space, the coordinates.

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
# - M. R. Hestenes, E. Stiefel. *Methods of conjugate gradients for solving linear systems.* J. Res. Natl. Bur. Stand.
#   49, 1952. doi:10.6028/jres.049.044.
# - G. L. Zeng, G. T. Gullberg. *Unmatched projector/backprojector pairs in an iterative reconstruction algorithm.*
#   IEEE Trans. Med. Imaging 19, 2000. doi:10.1109/42.870265.
# - T. Elfving, P. C. Hansen. *Unmatched projector/backprojector pairs: perturbation and convergence analysis.* SIAM
#   J. Sci. Comput. 40, 2018. doi:10.1137/17M1133828.
# - C. J. Holmes et al. *Enhancement of MR images using registration for signal averaging.* J. Comput. Assist. Tomogr.
#   22, 1998 (Colin27).
