# %% [markdown]
# # Project starter: many views or many photons?
#
# The brief is "Many views or many photons?" in `docs/teaching/projects.md`. Data: a CT slice that comes with pydicom
# (MIT); its projections are simulated. **For teaching, not for diagnosis.**

# %%
from aseqdip_lite import configure, load_case, reconstruct
from aseqdip_lite.course import banner, pick, show
from aseqdip_lite.run.plots import plot_curves, plot_images

banner()
size, steps = pick(32, 128, 192), pick(6, 1500, 4000)
DOSE = 300_000  # photons sent along each ray, added over all views

# %% [markdown]
# ## The cases
#
# The dose is the same: twice the views, half the photons in each.

# %%
cases = {views: load_case("ct", "ct-head", size=size, views=views, i0=DOSE / views, seed=0) for views in (15, 30, 60)}
for views, case in cases.items():
    print(f"{views} views with {DOSE / views:.0f} photons a ray: {case.observation.y.numel()} measurements")

# %% [markdown]
# ## A baseline: one run of each method

# %%
methods = {"fbp": configure("fbp", "ct"), "aseqdip": configure("aseqdip", "ct", steps=steps),
           "tv": configure("tv", "ct", steps=pick(6, None, None))}  # None: as many as its search chose
results = {(name, views): reconstruct(case, method, seed=0, progress=False)
           for name, method in methods.items() for views, case in cases.items()}
for name in methods:
    print(f"{name:>8}: " + ", ".join(f"{views} views {results[name, views].metrics['psnr']['final']:.2f} dB"
                                     for views in cases))

# %%
show(plot_curves({f"{views} views": (results["aseqdip", views].curve["step"], results["aseqdip", views].curve["psnr"])
                  for views in cases}),
     alt="PSNR of aSeqDIP against steps for 15, 30 and 60 views of the same total dose.")

# %%
case = cases[15]
show(plot_images({name: case.display(results[name, 15].answer) for name in methods}, case.truth, case.window),
     alt="Filtered back-projection, aSeqDIP and total variation from 15 views, beside the truth; their errors below.")

# %% [markdown]
# ## Where to go on
#
# The weight of total variation was searched on scans without noise. Is it fair to keep it here?

# %%
# your turn: add `sirt` and `pnp`, and find out which methods need a new search at each dose
