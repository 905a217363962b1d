# %% [markdown]
# # Project starter: how exactly must the blur be known?
#
# The brief is "How exactly must the blur be known?" in `docs/teaching/projects.md`. Data: NASA's portrait of Eileen
# Collins, which comes with scikit-image (public domain); blur and noise are simulated.

# %%
from dataclasses import replace

from aseqdip_lite import configure, load_case, reconstruct
from aseqdip_lite.course import banner, pick, show
from aseqdip_lite.operators.blur import MotionBlur
from aseqdip_lite.run.plots import plot_curves, plot_images

banner()
size, motion, steps = pick(32, 128, 256), pick(3.0, 10.0, 20.0), pick(4, 1200, 4000)
WIDTHS = pick((0, 1), (0, 1, 2), (0, 1, 2))  # pixels by which the kernel is widened

# %% [markdown]
# ## The case, and what a method is told about it
#
# The picture was blurred by one kernel. The method gets another one: the true kernel, widened by $w$ pixels on each
# side with weights that fall off linearly. The truth and the measurements stay the same.

# %%
case = load_case("deblurring", "astronaut", size=size, motion=motion, seed=0)
A = case.observation.A


def widened(kernel, w):
    """The kernel convolved with a triangle of half-width w pixels along rows and columns; its sum stays 1."""
    padded = kernel.new_zeros(len(kernel) + 2 * w, len(kernel) + 2 * w)
    for i in range(-w, w + 1):
        for j in range(-w, w + 1):
            shifted = slice(w + i, w + i + len(kernel)), slice(w + j, w + j + len(kernel))
            padded[shifted] += (w + 1 - abs(i)) * (w + 1 - abs(j)) * kernel
    return padded / padded.sum()


def believing(w):
    """The case of a method that takes the widened kernel for the true one."""
    wrong = MotionBlur(A.in_shape, widened(A.kernel, w), A.gamma, A.exposure, A.knee)
    return replace(case, observation=replace(case.observation, A=wrong))


# %% [markdown]
# ## A baseline: the true kernel, and wrong ones

# %%
methods = {"tv": configure("tv", "deblurring", steps=pick(3, None, None)),  # None: as many as its search chose
           "aseqdip": configure("aseqdip", "deblurring", steps=steps)}
results = {(name, w): reconstruct(believing(w), method, seed=0, progress=False)
           for name, method in methods.items() for w in WIDTHS}
blurred = {w: believing(w).observation.A(case.observation.start) for w in WIDTHS}
misfit = {w: float((blurred[w] - blurred[0]).norm() / blurred[0].norm()) for w in blurred}
for (name, w), result in results.items():
    print(f"{name:>8}, widened by {w}: final {result.metrics['psnr']['final']:.2f} dB; A differs by {misfit[w]:.3f}")

# %%
show(plot_curves({f"widened by {w}": (results["aseqdip", w].curve["step"], results["aseqdip", w].curve["psnr"])
                  for w in WIDTHS}),
     alt="PSNR of aSeqDIP against steps, with the true kernel and with widened ones.")

# %%
show(plot_images({f"aseqdip, w = {w}": case.display(results["aseqdip", w].answer) for w in WIDTHS}, case.truth,
                 case.window),
     alt="Answers of aSeqDIP with the true kernel and with widened ones, beside the truth; their errors below.")

# %% [markdown]
# ## Where to go on
#
# A widened kernel is one kind of mistake. Name two others, and make them equally large in `misfit`.

# %%
# your turn: a kernel turned by some degrees, and a wrong gamma of the camera
