# %% [markdown]
# # Project starter: denoise your own photograph, and know how well
#
# The brief is "Your own photograph" in `docs/teaching/projects.md`. Until you have photographs of your own, two
# simulated exposures of the picture *coffee* (scikit-image; Rachel Michetti; CC0) stand in for them.

# %%
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from aseqdip_lite import configure, load_case, load_image, reconstruct
from aseqdip_lite.course import banner, pick, show
from aseqdip_lite.run.plots import plot_images

banner()
size, steps = pick(32, 128, 256), pick(6, 900, 3000)

# %% [markdown]
# ## Two exposures of one scene
#
# Set `FIRST` and `SECOND` to two photographs from a tripod, cut to the same part and at most 256 pixels wide.

# %%
FOLDER = TemporaryDirectory()
FIRST, SECOND = (Path(FOLDER.name) / f"exposure_{number}.png" for number in (1, 2))
scene = load_case("denoising", "coffee", size=size, seed=0).truth
for seed, path in enumerate((FIRST, SECOND)):
    exposure = scene + np.random.default_rng(seed).normal(0, 15 / 255, scene.shape)
    Image.fromarray(np.uint8(np.rint(255 * np.clip(exposure, 0, 1)))).save(path)
second = load_image(str(SECOND)).array
print(f"pixels of the second exposure that are black or white: {np.mean((second == 0) | (second == 1)):.1%}")

# %% [markdown]
# ## The case: no truth, and a noise level estimated from the picture

# %%
case = load_case("denoising", str(FIRST), measured=True)
sigma = case.observation.noise_std
print(f"estimated noise level: {255 * sigma:.1f} of 255; truth known: {case.truth is not None}")

# %% [markdown]
# ## A baseline, judged by the second exposure
#
# The noise of the second exposure is independent of the answer, so the mean square of their difference is the error of
# the answer plus the noise of the second exposure: $E\|x - y_2\|^2/m = \|x - x^*\|^2/m + \sigma^2$.

# %%
answers = {"as it is": case.display(case.observation.start)}
for name in ("nlm", "aseqdip"):
    result = reconstruct(case, configure(name, "denoising", steps=steps if name == "aseqdip" else None), progress=False)
    answers[name] = case.display(result.answer)
for name, image in answers.items():
    error = float(np.mean((image - second) ** 2)) - sigma**2
    estimate = f"{-10 * math.log10(error):.2f} dB" if error > 0 else "no estimate: the error is below its own noise"
    print(f"{name:>10}: PSNR estimated by the second exposure {estimate}; by the scene "
          f"{-10 * math.log10(float(np.mean((image - scene) ** 2))):.2f} dB")

# %%
show(plot_images(answers, None, (0, 1)),
     alt="The photograph as it is, denoised by non-local means, and denoised by aSeqDIP.")

# %% [markdown]
# ## Where to go on
#
# Your photographs have no true scene to compare with. In the profile `laptop` the estimate is too high even here, where
# everything is simulated. Compare $\sigma^2$ with the noise that the second exposure really has. Why is that noise
# smaller? What else spoils the estimate outdoors: light that changes, a camera that moves, noise that is not white?

# %%
# your turn: put your two exposures in, and take the noise level from their difference as a check of the estimate
