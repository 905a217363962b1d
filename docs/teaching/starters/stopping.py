# %% [markdown]
# # Project starter: which window should a stopping rule have?
#
# The brief is "Which window should a stopping rule have?" in `docs/teaching/projects.md`. Data: the picture *coffee*
# that comes with scikit-image (Rachel Michetti; CC0); its noise is simulated.

# %%
from aseqdip_lite import configure, iterate, load_case, metrics
from aseqdip_lite.course import banner, pick, show
from aseqdip_lite.run.plots import plot_curves
from aseqdip_lite.run.stopping import MovingVariance

banner()
size, steps = pick(32, 64, 128), pick(16, 900, 3000)
WINDOWS = pick((3, 6), (10, 25, 50, 100, 200), (10, 25, 50, 100, 200))

# %% [markdown]
# ## One run, many rules
#
# The rules look at the outputs alone, so one run serves them all. The PSNR is recorded beside them, for us.

# %%
case = load_case("denoising", "coffee", size=size, seed=0)


def watched(method, seed):
    """PSNR of each step, and {window: step that its rule picks} of one run."""
    rules, psnr = {window: MovingVariance(window) for window in WINDOWS}, []
    for state in iterate(case.observation, method, seed=seed, steps=steps):
        psnr.append(metrics.psnr(case.display(state.image), case.truth, case.data_range))
        for rule in rules.values():
            rule.update(state.image, state.step)
    return psnr, {window: rule.best_step for window, rule in rules.items()}


# %% [markdown]
# ## A baseline: Deep Image Prior and aSeqDIP

# %%
runs = {name: watched(configure(name, "denoising", steps=steps), seed=0) for name in ("vanilla", "aseqdip")}
for name, (psnr, picks) in runs.items():
    print(f"{name}: final {psnr[-1]:.2f} dB, oracle {max(psnr):.2f} dB")
    for window, step in picks.items():
        print(f"   window {window:>3}: step {step}, {max(psnr) - psnr[step - 1]:.2f} dB below the oracle")

# %%
show(plot_curves({name: (range(1, len(psnr) + 1), psnr) for name, (psnr, _) in runs.items()}),
     alt="PSNR against steps of Deep Image Prior and of aSeqDIP on one noisy picture.")

# %% [markdown]
# ## Where to go on
#
# A window that was chosen on this picture by the PSNR was chosen with the truth. On which pictures may you choose it,
# and on which may you report it?

# %%
# your turn: the price of each window over ten seeds of the weights (`seed=`), with its spread
