"""`compare`: the same data for every method, statistics that can be checked by hand, and resuming."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from aseqdip_lite import InputError, configure, load_case, reconstruct
from aseqdip_lite.cli.commands import main
from aseqdip_lite.files import plain
from aseqdip_lite.study.compare import compare
from aseqdip_lite.study.statistics import ALL, paired, summarise
from aseqdip_lite.study.tables import as_markdown, text_table

SMALL = dict(profile="smoke", size=32, coils=2)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("compare")
    return out, compare("mri", ["zero_filled", "vanilla"], seeds=2, steps=4, out=out, progress=False, **SMALL)


def test_each_row_is_what_the_method_alone_returns(report):
    rows = {(row["method"], row["seed"]): row for row in report[1]["rows"]}
    assert set(rows) == {(name, seed) for name in ("zero_filled", "vanilla") for seed in (0, 1)}
    case = load_case("mri", seed=1, **SMALL)
    alone = reconstruct(case, configure("vanilla", "mri", "smoke", 4), seed=1, progress=False)
    assert rows["vanilla", 1]["answers"] == plain(alone.metrics["answers"])
    assert rows["zero_filled", 1]["psnr"]["final"] == rows["vanilla", 1]["psnr"]["start"]  # they saw the same y


def row(value, method="m", image="a", seed=0):
    answers = {name: dict(step=None, psnr=psnr, ssim=psnr) for name, psnr in dict(start=1.0, final=value,
                                                                                  oracle=value).items()}
    return dict(method=method, image=image, seed=seed, steps=5, seconds=2.0, answers=answers)


def test_the_summary_is_mean_and_sample_deviation():
    found, = summarise([row(20.0), row(23.0, seed=1), row(26.0, seed=2)])
    assert found["answers"]["final"]["psnr"] == dict(mean=23.0, std=3.0) and found["to_aseqdip"] is None
    assert set(found["answers"]) == {"start", "final", "oracle"} and "step" not in found["answers"]["oracle"]
    assert as_markdown([found]).splitlines()[0] == (
        "| method | PSNR start | PSNR final (dB) | PSNR oracle | SSIM final | steps | seconds |")  # what is known
    assert "| m | 1.00 (0.00) | 23.00 (3.00) | 23.00 (3.00) | 23.000 (3.000) | 5 | 2 |" in as_markdown([found])


def test_what_the_blend_loses_is_tabled_and_explained_where_it_is_known():
    known = row(20.0)
    known["answers"]["oracle"]["step"] = 3
    without = as_markdown(summarise([known]))
    known["answers"]["blend"] = dict(step=None, psnr=19.5, ssim=0.5)
    text = as_markdown(summarise([known]))
    assert "| method | step of the peak | lost by the final image | lost by blend |" in text
    assert "| m | 3 | 0.00 | 0.50 |" in text and "(blend: the mean of" in text
    assert "| m | 3 | 0.00 |" in without and "blend" not in without


def test_a_table_in_the_terminal_is_aligned_and_at_most_80_wide():
    rows = [row(20.0 + seed, method, seed=seed) for method in ("aseqdip", "reference_guided") for seed in range(3)]
    for one in rows:
        one["answers"]["oracle"]["step"] = 3
        one["answers"]["blend"] = dict(step=None, psnr=19.5, ssim=0.5)
    summary = summarise(rows)
    text = as_markdown(summary, text_table)
    assert max(map(len, text.splitlines())) <= 80
    for block in text.split("\n\n"):
        starts = {tuple(cell.end() for cell in re.finditer(r"\S+(?: [(\[].*?[)\]],?)?(?: level)?", line))
                  for line in block.splitlines() if line.startswith(("aseqdip", "reference_guided"))}
        assert len({ends[1:] for ends in starts}) <= 1, "numbers end below each other"
    shown = re.findall(r"[\d.]+", re.sub(r"^Steps .*?:$", "", text, flags=re.DOTALL | re.MULTILINE))
    assert sorted(shown) == sorted(re.findall(r"[\d.]+", re.sub(r"^Steps .*?:$", "", as_markdown(summary),
                                                               flags=re.DOTALL | re.MULTILINE)))
    assert "where a rule" in as_markdown(summary) and "blend:" in " ".join(text.split())
    for one in rows:
        del one["answers"]["blend"]
    assert "where a rule" not in as_markdown(summarise(rows))


def test_over_images_the_spread_is_that_of_the_seeds():
    rows = [row(value, image=image, seed=seed) for image, values in dict(a=(20.0, 22.0), b=(30.0, 34.0)).items()
            for seed, value in enumerate(values)]
    summary = {found["image"]: found["answers"]["final"]["psnr"] for found in summarise(rows)}
    assert summary["a"] == dict(mean=21.0, std=pytest.approx(2**0.5))
    assert summary[ALL] == dict(mean=26.5, std=pytest.approx(5**0.5))  # the mean of the variances 2 and 8
    assert "| image | method |" in as_markdown(summarise(rows))


def test_differences_are_paired_by_image_and_seed():
    gaps = [1.0, 2.0, 4.0, -1.0, 0.0, 3.0]
    ours = [row(20.0 + 5 * seed, "aseqdip", seed=seed) for seed in range(6)]
    others = [row(20.0 + 5 * seed + gap, seed=seed) for seed, gap in enumerate(gaps)]
    found = summarise(others[::-1] + ours)
    gap = next(entry["to_aseqdip"] for entry in found if entry["method"] == "m")
    assert gap["mean"] == pytest.approx(np.mean(gaps)) and gap["values"] == [gap["mean"]]
    assert gap["low"] is gap["high"] is None  # six seeds of one image are one image
    assert gap["floor"] == pytest.approx(2.571 * np.std(gaps, ddof=1) / 6**0.5, rel=1e-3)
    assert paired(others[:2], {("a", 0): 20.0}) == dict(a=[1.0])
    assert paired(others, {}) == {}


def test_files_hold_the_same_rows(report):
    out, found = report
    stored = json.loads((out / "compare.json").read_text())
    assert stored == plain({name: found[name] for name in ("rows", "summary", "left_out")})
    assert [row["method"] for row in stored["summary"]] == ["zero_filled", "vanilla"]
    table = list(csv.DictReader((out / "compare.csv").read_text().splitlines()))
    assert np.allclose([float(row["psnr_final"]) for row in table], [r["psnr"]["final"] for r in stored["rows"]])
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in ("compare.png", "curves.png"))
    assert (out / "brain-070-vanilla-seed1" / "metrics.json").exists()


def test_a_finished_run_is_read_and_not_made_again(report):
    out, found = report

    def carry():
        return torch.load(out / "brain-070-vanilla-seed0" / "checkpoint.pt", weights_only=True)["carry"]

    before = carry()
    again = compare("mri", ["vanilla"], seeds=1, steps=4, out=out, progress=False, **SMALL)
    first = next(row for row in found["rows"] if row["method"] == "vanilla" and row["seed"] == 0)
    assert again["rows"][0]["psnr"] == first["psnr"]
    assert carry()["step"] == before["step"] == 4
    assert all(torch.equal(value, carry()["network"][name]) for name, value in before["network"].items())


def test_other_settings_in_the_same_folder_are_refused(report):
    with pytest.raises(InputError, match="mri acceleration is 8.0 here and 4.0 there"):
        compare("mri", ["vanilla"], steps=4, out=report[0], progress=False, acceleration=8, **SMALL)


def test_processes_and_images(tmp_path):
    """Two processes reach what one reaches, image by image."""
    images = ("brain-056", "brain-064")
    runs = {workers: compare("mri", ["vanilla", "zero_filled"], images=images, steps=3, workers=workers,
                             out=tmp_path / str(workers), progress=False, **SMALL) for workers in (1, 2)}
    kept = [[(row["image"], row["method"], row["psnr"]) for row in found["rows"]] for found in runs.values()]
    assert kept[0] == kept[1] and len(kept[0]) == 4 and not runs[2]["interrupted"]
    assert [entry["image"] for entry in runs[2]["summary"]] == ["brain-056"] * 2 + ["brain-064"] * 2 + [ALL] * 2
    assert {path.name for path in (tmp_path / "2").glob("*.png")} == {
        "compare.png", "curves.png", "compare-brain-064.png", "curves-brain-064.png"}


def test_images_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="two images are called brain-056"):
        compare("mri", ["zero_filled"], images=("brain-056", "brain-056"), out=tmp_path, **SMALL)


def test_command_line(tmp_path):
    arguments = ["compare", "mri", "--profile", "smoke", "--size", "32", "--coils", "2", "--methods",
                 "zero_filled, sense", "--out", str(tmp_path / "out"), "--quiet"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert re.search(r"^sense +\d", result.stdout, re.MULTILINE)
    wrong = CliRunner().invoke(main, ["compare", "mri", "--methods", "sense,vanila", "--out", str(tmp_path / "no")])
    assert wrong.exit_code == 2
    assert "did you mean 'vanilla'?" in wrong.stderr and not (tmp_path / "no").exists()
    method_setting = CliRunner().invoke(main, ["compare", "mri", "--lam", "1"])
    assert method_setting.exit_code == 2


def test_a_reference_that_is_the_image_is_left_out_and_said(tmp_path):
    arguments = ["compare", "mri", "--profile", "smoke", "--size", "32", "--coils", "2", "--steps", "2", "--methods",
                 "reference_guided,zero_filled", "--image", "brain-088", "--image", "brain-056", "--out", str(tmp_path),
                 "--quiet", "--workers", "1"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "left out: reference_guided on brain-088, the reference brain-088 is the image itself" in result.stdout
    report = json.loads((tmp_path / "compare.json").read_text())
    assert [(row["image"], row["method"]) for row in report["rows"]] == [
        ("brain-088", "zero_filled"), ("brain-056", "reference_guided"), ("brain-056", "zero_filled")]
    assert [(entry["method"], entry["image"]) for entry in report["left_out"]] == [("reference_guided", "brain-088")]


def test_pictures_of_an_earlier_comparison_go_and_those_of_a_user_stay(tmp_path):
    options = dict(out=tmp_path, profile="smoke", progress=False, workers=1, size=16)
    compare("denoising", ["tv"], images=["astronaut", "coffee"], **options)
    assert (tmp_path / "compare-coffee.png").exists()
    (tmp_path / "compare-mine.png").write_bytes(b"a user's")
    report = compare("denoising", ["tv"], images=["astronaut"], **options)
    assert {file.name for file in tmp_path.glob("*.png")} == {"compare.png", "compare-mine.png"}
    assert report["pictures"] == [str(tmp_path / "compare.png")]
