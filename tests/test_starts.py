"""Where a run starts and what its answers keep: the zero level, z_0, and the known pixels of noiseless data."""

import json

import numpy as np
import pytest
import torch
from checks import error_of, generator, randn

from aseqdip_lite import Case, Observation, iterate, load_case, reconstruct
from aseqdip_lite.methods import configure
from aseqdip_lite.operators import Identity, Mask, Shifted
from aseqdip_lite.operators.blur import MotionBlur, motion_path, path_kernel
from aseqdip_lite.run.metrics import psnr
from aseqdip_lite.tasks.inpainting import box_mask, harmonic

PICTURES = ("denoising", "inpainting", "deblurring")


@pytest.mark.parametrize("task", PICTURES)
def test_the_zero_level_changes_neither_the_picture_nor_what_is_measured(task):
    black, gray = (load_case(task, "coffee", profile="smoke", fill=fill) for fill in ("zero", "mean"))
    known = gray.observation.A.mask.bool() if task == "inpainting" else torch.ones(64, 64).bool()
    start = gray.observation.start[..., known]
    assert float(start.mean(dim=-1).abs().max()) < 1e-6 and float(black.observation.start.mean()) > 0.1
    truth = torch.from_numpy(gray.truth).permute(2, 0, 1)[None]
    offset = torch.as_tensor(gray.offset).reshape(-1, 1, 1)
    residuals = [observation.A(x) - observation.y for observation, x in (
        (black.observation, truth), (gray.observation, truth - offset))]
    torch.testing.assert_close(*residuals, atol=1e-6, rtol=1e-5)
    np.testing.assert_allclose(gray.array(gray.observation.start)[known], black.array(black.observation.start)[known],
                               atol=1e-6)


def test_a_shifted_operator_has_the_derivative_of_the_one_it_shifts():
    A = MotionBlur((1, 12, 12), path_kernel(motion_path(3.0, generator()))).to(double=True)
    shift, x, v = 0.4 * torch.ones(1, 1, 12, 12, dtype=torch.float64), 0.1 * randn(1, 1, 12, 12), randn(1, 1, 12, 12)
    shifted = Shifted(A, shift)
    assert torch.equal(shifted(x), A(x + shift)) and torch.equal(shifted.vjp(x, v), A.vjp(x + shift, v))
    assert shifted.to(double=False)(x.float()).dtype == torch.float32


def test_a_harmonic_filling_continues_a_ramp():
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(30.0), indexing="ij")
    ramp = (rows + 2 * columns)[None, None].double()
    mask = box_mask((24, 30), 0.2)
    torch.testing.assert_close(harmonic(ramp * mask, mask), ramp, atol=1e-5, rtol=0)


def test_a_filled_start_is_the_harmonic_filling_of_the_same_data():
    plain, filled = (load_case("inpainting", "retina", profile="smoke", start=start).observation
                     for start in ("paper", "filled"))
    assert torch.equal(plain.y, filled.y) and torch.equal(plain.start, plain.y)
    torch.testing.assert_close(filled.start, harmonic(plain.y, plain.A.mask))


@pytest.mark.parametrize("profile, start", [("smoke", "filled"), ("laptop", "filled"), ("paper", "paper")])
def test_the_default_start_is_the_filling_and_as_published_y(profile, start):
    assert load_case("inpainting", "retina", profile=profile, size=32).settings["start"] == start


def test_an_fbp_start_is_what_the_method_of_this_name_returns():
    plain, filtered = (load_case("ct", profile="smoke", start=start) for start in ("paper", "fbp"))
    (state,) = iterate(plain.observation, configure("fbp", "ct"))
    assert (filtered.observation.scale, filtered.data_range) == (plain.observation.scale, plain.data_range)
    assert torch.equal(plain.observation.y, filtered.observation.y)
    np.testing.assert_allclose(filtered.array(filtered.observation.start), plain.array(state.image), atol=1e-5)


# Known pixels.

def test_known_pixels_are_put_back_into_every_answer_and_the_raw_one_is_stored(tmp_path):
    raw, pasted = (load_case("inpainting", "coffee", profile="smoke", paste=paste) for paste in (False, True))
    method = configure("aseqdip", "inpainting", "smoke", steps=12)
    plain, result = (reconstruct(case, method, progress=False) for case in (raw, pasted))
    known = raw.observation.A.mask.numpy() == 1
    assert all(torch.equal(plain.images[name], result.images[name]) for name in ("start", "final"))
    shown = pasted.display(result.answer)
    np.testing.assert_allclose(shown[known], pasted.truth[known], atol=1e-6)
    assert np.array_equal(shown[~known], raw.display(plain.answer)[~known])
    hole = float(np.mean((shown - pasted.truth)[~known] ** 2)) * (1 - known.mean())
    assert result.metrics["psnr"]["final"] == pytest.approx(-10 * np.log10(hole), abs=1e-4)
    assert result.metrics["psnr"]["final"] > plain.metrics["psnr"]["final"]
    result.save(tmp_path)
    assert np.array_equal(np.load(tmp_path / "raw.npy"), raw.array(plain.answer))
    assert np.array_equal(np.load(tmp_path / "recon.npy"), pasted.array(result.answer))
    stored = json.loads((tmp_path / "metrics.json").read_text())
    assert stored["settings"]["paste"] is True and "raw.npy" in stored["digests"]
    plain.save(tmp_path)
    assert not (tmp_path / "raw.npy").exists()


def test_noisy_pixels_are_no_truth_and_stay_as_the_method_gives_them():
    said = error_of(load_case, "inpainting", "coffee", profile="smoke", sigma=10.0, paste=True)
    assert said.startswith("paste does nothing here, leave it out")


def test_only_the_hole_of_a_pasted_answer_counts():
    mask, truth = box_mask((8, 8), 0.25), randn(1, 1, 8, 8)
    case = Case("inpainting", "x", Observation(Mask(mask, (1, 8, 8)), truth * mask, truth * mask), truth[0, 0].numpy(),
                1.0, window=(-9.0, 9.0), paste=True)
    known, hole = truth + mask, truth + 1 - mask
    assert np.array_equal(case.display(known), case.truth) and psnr(case.display(hole), case.truth, 1.0) < 10
    assert np.array_equal(case.raw(known), known[0, 0].numpy())


@pytest.mark.parametrize("task", PICTURES)
def test_the_published_form_is_one_switch_away(task):
    case = load_case(task, profile="paper", size=64)
    assert case.offset == 0.0 and not case.paste and torch.equal(case.observation.start, case.observation.y)
    assert not isinstance(case.observation.A, Shifted)


def test_the_identity_shifted_is_a_translation():
    shift = randn(1, 1, 4, 4)
    assert torch.equal(Shifted(Identity((1, 4, 4)), shift)(torch.zeros(1, 1, 4, 4).double()), shift)
