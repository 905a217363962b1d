# %% [markdown]
# # Project starter: is N (1 + lam) the number that counts?
#
# The brief is "Is N (1 + lam) the number that counts?" in `docs/teaching/projects.md`. Data: the picture *coffee* that
# comes with scikit-image (Rachel Michetti; CC0); its noise is simulated.

# %%
from aseqdip_lite import ASeqDIP, load_case, reconstruct
from aseqdip_lite.course import banner, pick, show
from aseqdip_lite.course.theory.grid import overfitting_start
from aseqdip_lite.run.plots import plot_curves

banner()
size, steps = pick(32, 64, 128), pick(12, 1200, 4000)

# %% [markdown]
# ## What theory says
#
# In the linear model of lesson 04b a stage covers the share $a \approx 2\beta\theta N(1+\lambda)$ of the distance to
# its target in a slow mode, while the spring $h \approx 2\beta\theta N$ does not contain $\lambda$. Two pairs
# $(N, \lambda)$ with the same $N(1+\lambda)$ therefore have the same friction per stage, but different springs.

# %%
case = load_case("denoising", "coffee", size=size, seed=0)
lr = 3e-4  # the same for all runs; what a search found for this U-Net
PAIRS = ((1, 5.0), (2, 2.0), (3, 1.0), (6, 0.0))
assert len({N * (1 + lam) for N, lam in PAIRS}) == 1

# %% [markdown]
# ## A baseline: four runs with the same product

# %%
results = {(N, lam): reconstruct(case, ASeqDIP(lam=lam, N=N, lr=lr, network="lite").with_steps(steps), seed=0,
                                    progress=False)
           for N, lam in PAIRS}
for (N, lam), result in results.items():
    psnr = result.metrics["psnr"]
    print(f"N {N}, lam {lam:g}: final {psnr['final']:.2f} dB, oracle {psnr['oracle']:.2f} dB, "
          f"overfitting begins at step {overfitting_start(result.curve['psnr'])}")

# %%
show(plot_curves({f"N {N}, lam {lam:g}": (result.curve["step"], result.curve["psnr"])
                  for (N, lam), result in results.items()}),
     alt="PSNR against Adam steps for four pairs of N and lam with the same product N (1 + lam).")

# %% [markdown]
# ## Where to go on
#
# If only the product counted, the four curves would agree when plotted against one of two axes: steps, or stages. Which
# axis does the theory name? And the theory is about gradient descent: what does Adam change?

# %%
# your turn: draw the curves against stages (step / N), then repeat with pairs of another product
