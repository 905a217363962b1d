# %% [markdown]
# # Project starter: does the mask choose the method?
#
# The brief is "The mask chooses the method?" in `docs/teaching/projects.md`. Run this file as it is, in the profile
# `smoke`, before you change anything. Data: one slice of Colin27 (Holmes et al. 1998; BSD-3-Clause), scan simulated.
# **For teaching, not for diagnosis.**

# %%
from aseqdip_lite import configure, load_case, reconstruct
from aseqdip_lite.course import banner, pick, show
from aseqdip_lite.run.plots import plot_curves, plot_images

banner()
size, coils, steps = pick(32, 128, 192), pick(2, 8, 8), pick(6, 1600, 4000)

# %% [markdown]
# ## The cases
#
# Slice, coils, noise level and acceleration are the same. Only the choice of columns differs.

# %%
cases = {pattern: load_case("mri", "brain-070", size=size, coils=coils, acceleration=4, pattern=pattern, seed=0)
         for pattern in ("random", "equispaced")}
for pattern, case in cases.items():
    print(f"{pattern}: {float(case.observation.A.mask.mean()):.3f} of the columns measured")

# %% [markdown]
# ## A baseline: one run of each method and mask

# %%
methods = {"zero_filled": configure("zero_filled", "mri"), "aseqdip": configure("aseqdip", "mri", steps=steps),
           "tv": configure("tv", "mri", steps=pick(6, None, None))}  # None: as many as its search chose
results = {(name, pattern): reconstruct(case, method, seed=0, progress=False)
           for name, method in methods.items() for pattern, case in cases.items()}
for (name, pattern), result in results.items():
    print(f"{name:>12}, {pattern:>10}: final {result.metrics['psnr']['final']:.2f} dB")

# %%
show(plot_curves({pattern: (results["aseqdip", pattern].curve["step"], results["aseqdip", pattern].curve["psnr"])
                  for pattern in cases}),
     alt="PSNR of aSeqDIP against steps, one line for the random and one for the equispaced columns.")

# %%
case = cases["equispaced"]
show(plot_images({name: case.display(results[name, "equispaced"].answer) for name in methods}, case.truth, case.window),
     alt="Zero-filled, aSeqDIP and total variation from equispaced columns, beside the truth; their errors below.")

# %% [markdown]
# ## Where to go on
#
# One slice, one seed and settings that were searched on random masks. Which of the three do you repair first?

# %%
# your turn: more seeds (`seed=` of load_case draws mask and noise), then more slices
