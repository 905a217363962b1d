"""The command line: what it writes, and that a mistake is one line, exit code 2 and nothing written."""

import csv
import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from checks import contents
from click.testing import CliRunner
from PIL import Image as Picture

from aseqdip_lite import images, load_case, methods, networks, tasks
from aseqdip_lite.cli import inventory
from aseqdip_lite.course import experiments
from aseqdip_lite.course.commands import main
from aseqdip_lite.images import fetch
from aseqdip_lite.methods import schedules
from aseqdip_lite.settings import fields_of

#: Options that make a run of `mri` last a tenth of a second.
TINY = ("--profile", "smoke", "--size", "16", "--coils", "2", "--quiet")

METRICS = {"task", "method", "image", "settings", "seed", "data_seed", "steps", "stop_reason", "seconds", "notes",
           "data_range", "psnr", "ssim", "answers", "gradients", "digests",
           "peak_memory_mib", "device", "hardware", "threads", "deterministic", "versions"}


def aseqdip(*args):
    """Run the command line in this process; only its own exit may come out of it."""
    result = CliRunner().invoke(main, [str(arg) for arg in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(out, *args):
    """A run that must succeed; returns its metrics."""
    result = aseqdip("run", *args, "--out", out)
    assert result.exit_code == 0, result.stderr
    return json.loads((out / "metrics.json").read_text())


def refused(out, *args):
    """The one line of a refused command, which leaves no out folder behind, or leaves it as it was."""
    before = contents(out) if os.path.isdir(out) else None
    result = aseqdip(*args, "--out", out)
    assert result.exit_code == 2 and result.stdout == ""
    line, = result.stderr.splitlines()
    assert line.startswith("aseqdip: ")
    assert (contents(out) == before) if before is not None else not os.path.isdir(out)
    return line.removeprefix("aseqdip: ")


# ---------------------------------------------------------------- help and list

def sections(text):
    """{heading: its lines as one text} of the sections of --help; lines are broken at hyphens too."""
    parts = re.split(r"^(\S.*):$", text, flags=re.MULTILINE)
    return {heading: " ".join(body.strip("\n").split("\n\n")[0].split()).replace("- ", "-")
            for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def default_shown(section, name):
    """The default of an option in a section of --help, None if it shows none."""
    row = re.search(rf"--{name.replace('_', '-')} .*?(?= --\w|$)", section)[0]
    return (re.findall(r"\[default: (.*?)\]", row) or [None])[-1]


def test_no_command_and_help_show_the_commands():
    for args in ((), ("--help",), ("-h",)):
        result = aseqdip(*args)
        assert result.exit_code == 0 and result.stderr == ""
        assert all(f"\n  {name} " in result.stdout for name in ("run", "compare", "list", "fetch", "experiment", "lab",
                                                             "grade", "bank"))


@pytest.mark.parametrize("command", ["run", "compare"])
def test_help_without_a_task_shows_the_tasks_and_with_one_its_settings(command):
    with_one = sections(aseqdip(command, "ct", "--help").stdout)
    assert "--views INTEGER" in with_one["Settings of ct"] and ("Settings of aseqdip" in with_one) == (command == "run")
    shown = sections(aseqdip(command, "--help").stdout)
    assert list(shown)[:2] == [f"{command.capitalize()} options", "Tasks"]
    assert all(f"{name} {cls.about}" in shown["Tasks"] for name, cls in tasks.REGISTRY.items())
    assert not re.search("--(acceleration|views|lam) ", " ".join(shown.values()))


@pytest.mark.parametrize("method", methods.names())
@pytest.mark.parametrize("task", tasks.names())
def test_help_of_a_task_shows_its_settings_and_those_of_the_method(task, method):
    result = aseqdip("run", task, "--method", method, "--help")
    if method not in methods.names(task):
        assert result.exit_code == 2 and result.stderr.startswith(f"aseqdip: {method} is not defined for {task}")
        return
    assert result.exit_code == 0 and max(map(len, result.stdout.splitlines())) <= 80
    shown = sections(result.stdout)
    assert list(shown)[:3] == ["Run options", f"Settings of {task}", f"Settings of {method}"]
    used, of_task = methods.configure(method, task), [field.name for field, _, _ in fields_of(tasks.get(task))]
    for cls, defaults in ((tasks.get(task), tasks.get(task).profiles["laptop"]), (methods.get(method), vars(used))):
        section = shown[f"Settings of {cls.name}"]
        kinds = {field.name: kind for field, kind, _ in fields_of(cls) if cls.name == task or field.name not in of_task}
        names = [name for name, kind in kinds.items() if kind is not bool]
        assert re.findall(r"(?:^| )--(\S+) [A-Z]", section) == [name.replace("_", "-") for name in names]
        assert all(f"--{name.replace('_', '-')} " in section for name in kinds)
        for field, _, _ in fields_of(cls):
            if field.name in names:
                default = defaults.get(field.name, field.default)
                assert default_shown(section, field.name) == (None if default is None else str(default))
                assert all(choice in section for choice in field.metadata["choices"] or ())


def test_examples_of_the_help_are_commands_that_exist(tmp_path):
    lines = re.findall(r"^    (aseqdip .*?)(?:   .*)?$", aseqdip("run", "--help").stdout, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        assert refused(tmp_path / "out", *line.split()[1:], "--device", "none").startswith("unknown device 'none'")


def test_neither_help_nor_the_refusal_of_an_option_waits_for_torch():
    code = """import sys
from aseqdip_lite.course.commands import main
for line in sys.argv[1:]:
    try:
        main(line.split())
    except SystemExit as end:
        assert end.code == (0 if line.endswith(("--help", "-h")) else 2), line
    assert not {"torch", "numpy"} & set(sys.modules), line
"""
    lines = [f"{command} --help" for command in ("run", "compare", "list", "fetch", "experiment", "lab", "grade",
                                                     "bank")]
    lines += ["--help", *(f"{command} {task} -h" for command in ("run", "compare") for task in tasks.names())]
    lines += ["run mir", "run mri --method fbp", "run mri --lamb 1", "run mri --views 3", "run mri --network lit",
              "run mri --K much", "compare mri --lam 1"]
    done = subprocess.run([sys.executable, "-c", code, *lines], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("columns", ["100", "300"])
def test_list_names_all_there_is_in_100_columns(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    result = aseqdip("list")
    assert result.exit_code == 0 and max(map(len, result.stdout.splitlines())) <= 100
    projectors = next(field for field, _, _ in fields_of(tasks.get("ct")) if field.name == "projector")
    parts = ("jupyterlab", "torch-radon", "bm3d", "astra-toolbox", "CUDA GPU")
    for name in (*tasks.names(), *methods.names(), *schedules.REGISTRY, *schedules.SIGNALS, *networks.PRESETS,
                 *images.everything(), *parts, *experiments.names(), *projectors.metadata["choices"]):
        assert f"\n  {name} " in result.stdout
    for facts in images.everything().values():
        assert facts["licence"] in result.stdout


def test_list_of_one_part():
    assert "".join(aseqdip("list", part).stdout for part in inventory.PARTS) == aseqdip("list").stdout
    refused = aseqdip("list", "image")
    assert refused.exit_code == 2 and refused.stdout == "" and refused.stderr.startswith(
        "aseqdip: unknown part of the list 'image': did you mean 'images'? known: tasks, ")


def test_list_tells_what_is_here_and_what_to_install(tmp_path, monkeypatch):
    def line(start):
        found, = (line for line in aseqdip("list").stdout.splitlines() if line.startswith(f"  {start} "))
        return found

    monkeypatch.setattr(fetch, "cache_folder", lambda: tmp_path)
    monkeypatch.delenv("ASEQDIP_DATA", raising=False)
    assert " to fetch, 1.0 MB " in line("tooth") and " to bring, 0.2 MB " in line("chest-1")
    assert " ships " in line("brain-070")
    (tmp_path / fetch.registry()["tooth"]["file"]).write_bytes(b"other")
    assert " faulty, 1.0 MB " in line("tooth")


def test_list_tells_how_to_install_what_is_missing(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")  # as wide as the list ever is
    monkeypatch.setattr(inventory.importlib.util, "find_spec", lambda name: None)
    shown = aseqdip("list", "parts").stdout
    assert shown.count(" not installed ") == len(inventory.OPTIONAL)
    assert "\n                                conda install -c conda-forge carterbox-torch-radon\n" in shown
    assert "  torch-radon  not installed " in aseqdip("list", "projectors").stdout
    monkeypatch.setattr(inventory.importlib.util, "find_spec", lambda name: name)
    assert f"  jupyterlab     {metadata.version('jupyterlab')} " in aseqdip("list", "parts").stdout


def test_list_tells_of_a_file_that_is_here(fetched):
    fetched("tooth")
    assert any(line.startswith("  tooth ") and " here, 1.0 MB " in line
               for line in aseqdip("list", "images").stdout.splitlines())


def test_version():
    from aseqdip_lite import __version__
    assert aseqdip("--version").stdout.strip().endswith(__version__)


# ---------------------------------------------------------------- what a run writes

def test_run_writes_picture_array_curve_and_metrics(tmp_path):
    out = tmp_path / "new" / "out"
    metrics = run(out, "mri", *TINY, "--N", "3", "--K", "4", "--snr", "25")
    assert {file.name for file in out.iterdir()} == {"recon.png", "recon.npy", "curve.csv", "metrics.json",
                                                     "checkpoint.pt", "overview.png"}
    assert set(metrics) == METRICS
    assert (metrics["task"], metrics["method"], metrics["image"]) == ("mri", "aseqdip", "brain-070")
    assert (metrics["steps"], metrics["stop_reason"], metrics["seed"], metrics["data_seed"]) == (12, "budget", 0, 0)
    assert metrics["settings"].items() >= dict(N=3, K=4, snr=25.0, coils=2, size=[16, 16]).items()
    assert set(metrics["psnr"]) == set(metrics["ssim"]) == {"start", "final", "blind", "oracle"}

    case = load_case("mri", profile="smoke", size=16, coils=2, snr=25.0)
    answer = np.load(out / "recon.npy", allow_pickle=False)
    assert answer.dtype == np.complex64 and answer.shape == (16, 16)
    error = np.mean((np.abs(answer).astype(float) - case.truth) ** 2)
    assert metrics["psnr"]["final"] == pytest.approx(10 * np.log10(case.truth.max() ** 2 / error), abs=1e-3)
    with Picture.open(out / "recon.png") as picture:
        assert picture.mode == "L"
        gray = 255 * np.clip(np.abs(answer) / case.truth.max(), 0, 1)
        assert np.abs(np.asarray(picture) - gray).max() <= 0.51

    rows = list(csv.DictReader((out / "curve.csv").open()))
    assert set(rows[0]) == {"step", "stage", "loss", "data", "autoencoding", "variance", "psnr"}
    assert [int(row["step"]) for row in rows] == list(range(1, 13))
    assert [int(row["stage"]) for row in rows] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert float(rows[-1]["psnr"]) == pytest.approx(metrics["psnr"]["final"])
    assert max(float(row["psnr"]) for row in rows) == pytest.approx(metrics["psnr"]["oracle"])
    for row in rows:
        total = float(row["data"]) + metrics["settings"]["lam"] * float(row["autoencoding"])
        assert float(row["loss"]) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("task", tasks.names())
def test_every_task_runs(tmp_path, task):
    metrics = run(tmp_path, task, "--profile", "smoke", "--steps", "2", "--quiet")
    assert metrics["steps"] == 2 and np.isfinite(metrics["psnr"]["final"])


def test_out_folder_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = aseqdip("run", "mri", *TINY, "--method", "zero_filled")
    assert result.exit_code == 0 and (tmp_path / "out" / "mri-zero_filled" / "metrics.json").is_file()
    assert result.stdout.splitlines()[-1].startswith(f"written to {Path('out', 'mri-zero_filled')}: ")


def test_steps_of_each_kind_of_method(tmp_path):
    """Adam steps, cut within a stage; solver iterations of a classic method; a direct method has none."""
    assert run(tmp_path, "mri", *TINY, "--N", "4", "--steps", "6")["steps"] == 6
    for name, option in (("a", "--steps"), ("b", "--iterations")):
        metrics = run(tmp_path / name, "mri", *TINY, "--method", "sense", option, "3")
        assert metrics["settings"]["iterations"] == 3 and metrics["steps"] == 1
    assert np.array_equal(np.load(tmp_path / "a" / "recon.npy"), np.load(tmp_path / "b" / "recon.npy"))
    metrics = run(tmp_path, "mri", *TINY, "--method", "zero_filled")
    assert metrics["steps"] == 1 and metrics["psnr"]["final"] == metrics["psnr"]["start"]


def test_seed_and_data_seed(tmp_path):
    def psnr(*args):
        found = run(tmp_path, "mri", *TINY, "--steps", "2", *args)["psnr"]
        return found["start"], found["final"]

    seeds = {(a, b): psnr("--seed", a, "--data-seed", b) for a in (0, 1) for b in (0, 1)}
    assert seeds[0, 0][0] == seeds[1, 0][0] != seeds[0, 1][0] == seeds[1, 1][0], "the data follow --data-seed"
    assert seeds[0, 0][1] != seeds[1, 0][1], "the weights follow --seed"
    assert psnr("--seed", 1) == seeds[1, 1] and psnr() == seeds[0, 0]


def test_patience_stops_at_the_blind_pick(tmp_path):
    metrics = run(tmp_path, "mri", *TINY, "--lr", "0.01", "--steps", "600", "--patience", "3")
    assert metrics["stop_reason"] == "early stopping" and 103 <= metrics["steps"] < 600
    truth = load_case("mri", profile="smoke", size=16, coils=2).truth
    error = np.mean((np.abs(np.load(tmp_path / "recon.npy")) - truth) ** 2)
    assert 10 * np.log10(truth.max() ** 2 / error) == pytest.approx(metrics["psnr"]["blind"], abs=1e-3)


def test_progress_goes_to_stderr_unless_quiet(tmp_path):
    loud = aseqdip("run", "mri", *TINY[:-1], "--steps", "2", "--out", tmp_path)
    quiet = aseqdip("run", "mri", *TINY, "--steps", "2", "--out", tmp_path)
    assert "2/2" in loud.stderr and "loss=" in loud.stderr and "psnr=" in loud.stderr
    assert quiet.stderr == "" and quiet.stdout.splitlines()[0].startswith("mri aseqdip on brain-070: 2 steps in ")


# ---------------------------------------------------------------- a user's files

def test_a_magnitude_npy_as_truth(tmp_path):
    picture = np.random.default_rng(0).random((20, 26)) * 1000
    np.save(tmp_path / "mine.npy", picture)
    metrics = run(tmp_path / "out", "mri", "--coils", "2", "--image", tmp_path / "mine.npy", "--steps", "2")
    assert metrics["image"] == "mine.npy" and metrics["settings"]["size"] == [20, 26]
    assert metrics["data_range"] == pytest.approx(picture.max()) and np.isfinite(metrics["psnr"]["final"])
    assert np.load(tmp_path / "out" / "recon.npy").shape == (20, 26)


def scan(shape=(128, 96), slices=2):
    """K-space (slices, coils, H, W) of brain slices seen by six coils, and their magnitudes (slices, H, W)."""
    shown = [images.fit(images.load_image(name), 96) for name in ("brain-070", "brain-096")[:slices]]
    pad = [(n - 96) // 2 for n in shape]
    truth = np.stack([np.pad(picture, [(p, p) for p in pad]) for picture in shown])
    maps = tasks.mri.simulated_maps(6, shape).numpy()
    axes = (-2, -1)
    coil_images = np.fft.ifftshift(maps * truth[:, None], axes)
    return np.fft.fftshift(np.fft.fft2(coil_images, norm="ortho"), axes).astype(np.complex64), truth


#: Sampled columns of the undersampled scans: every third, and 16 in the centre.
UNDER = ((np.arange(96) % 3 == 0) | (abs(np.arange(96) - 47.5) < 8)).astype(np.float32)


@pytest.fixture(scope="module")
def fastmri(tmp_path_factory):
    """Four fastMRI files of one scan: full with and without reference, undersampled with and without."""
    folder, (kspace, truth) = tmp_path_factory.mktemp("fastmri"), scan()
    reference = truth[:, 24:104, 8:88].astype(np.float32)  # central 80 x 80
    for name, arrays in dict(full=dict(kspace=kspace, reconstruction_rss=reference), bare=dict(kspace=kspace),
                             under=dict(kspace=kspace * UNDER, mask=UNDER, reconstruction_rss=reference),
                             blind=dict(kspace=kspace * UNDER, mask=UNDER)).items():
        with h5py.File(folder / f"{name}.h5", "w") as file:
            for key, array in arrays.items():
                file[key] = array
    return folder


@pytest.mark.parametrize("name, shape, known", [("full", (80, 80), True), ("under", (128, 96), True),
                                                ("bare", (128, 96), False), ("blind", (128, 96), False)])
def test_fastmri_file(tmp_path, fastmri, name, shape, known):
    metrics = run(tmp_path, "mri", "--profile", "smoke", "--steps", "6", "--quiet", "--image", fastmri / f"{name}.h5",
                  "--slice", "0")
    assert metrics["image"] == f"{name}.h5[0]" and metrics["settings"]["size"] == list(shape)
    assert np.load(tmp_path / "recon.npy").shape == shape
    for key in ("start", "final", "oracle"):
        for score in (metrics["psnr"][key], metrics["ssim"][key]):
            assert np.isfinite(score) if known else score is None
    undersampled = name in ("under", "blind")
    assert metrics["settings"]["sampled"] == pytest.approx(UNDER.mean() if undersampled else 0.25)
    assert any("undersampled as measured" in note for note in metrics["notes"]) == undersampled
    assert any("retrospectively undersampled" in note for note in metrics["notes"]) != undersampled
    assert ("psnr" in (tmp_path / "curve.csv").read_text().splitlines()[0].split(",")) == known


@pytest.mark.parametrize("args", [("full", "--acceleration", "1"), ("under",)])
def test_fastmri_reference_lies_where_the_answer_is(tmp_path, fastmri, args):
    """Nearly complete data bring SENSE close to the reference, so units and the central crop agree."""
    scores = {}
    for index in (0, 1):
        image = fastmri / f"{args[0]}.h5"
        scores[index] = run(tmp_path, "mri", "--method", "sense", "--profile", "smoke", "--quiet", "--lamda", "1e-4",
                            "--image", image, "--slice", index, *args[1:])["psnr"]["final"]
    assert min(scores.values()) > 45, scores


def test_slices_of_a_file(tmp_path, fastmri):
    args = ("run", "mri", "--method", "zero_filled", "--quiet", "--image", fastmri / "under.h5")
    assert refused(tmp_path / "out", *args, "--slice", "2").endswith(
        "under.h5: slice 2 does not exist: the file has slices 0 to 1")
    assert refused(tmp_path / "out", *args, "--slice", "-1").endswith("the file has slices 0 to 1")
    assert run(tmp_path / "out", *args[1:])["image"] == "under.h5[1]"


# ---------------------------------------------------------------- mistakes

@pytest.mark.parametrize("args, words", [
    ("mir", "unknown task 'mir': did you mean 'mri'? known: "),
    ("mri --method aseqdpi", "unknown method 'aseqdpi': did you mean 'aseqdip'? known: "),
    ("mri --method fbp", "fbp is not defined for mri: it inverts the projections of CT; known: "),
    ("deblurring --method ddnm", "ddnm is not defined for deblurring: a nonlinear A has no pseudo-inverse A^+; known"),
    ("mri --image brain-70", "unknown image 'brain-70': did you mean 'brain-070'? known: "),
    ("mri --image=", "unknown image '': known: "),
    ("mri --image no.npy", "no.npy: no such file (for the shipped images see: aseqdip list)"),
    ("mri --image brain-070 --slice 1", "brain-070 has no slices to choose from"),
    ("mri --profile smok", "unknown profile 'smok': did you mean 'smoke'? known: smoke, laptop, paper"),
    ("mri --network lit", "unknown network 'lit': did you mean 'lite'? known: lite, "),
    ("mri --refresh stal", "unknown refresh 'stal': did you mean 'stale'? known: fresh, stale, projected"),
    ("mri --acceleration 0", "acceleration must be at least 1, got 0.0"),
    ("mri --size 64 --acceleration 65", "acceleration must lie between 1 and the 64 columns of k-space, got 65.0"),
    ("mri --lam nan", "lam must be finite, got nan"),
    ("mri --lr -1e-3", "lr must be above 0.0, got -0.001"),
    ("mri --K -5", "K must be at least 1, got -5"),
    ("mri --N 2.5",
     "N must be of type int or a schedule: unknown schedule '2.5': known: geometric, growth, heldout, auto"),
    ("mri --lam much",
     "lam must be of type float or a schedule: unknown schedule 'much': known: geometric, growth, heldout, auto"),
    ("mri --steps 0", "steps must be a whole number of at least 1 and below 2^63, got 0"),
    ("mri --steps -5", "steps must be a whole number of at least 1 and below 2^63, got -5"),
    ("mri --steps 1e3", "Invalid value for '--steps': '1e3' is not a valid integer."),
    ("mri --steps 6 --K 50", "--K 50 contradicts --steps 6: give only one of the two"),
    ("mri --method sense --steps 6 --iterations 5", "--iterations 5 contradicts --steps 6: give only one of the two"),
    ("mri --seed -1", "seed must be a whole number of at least 0 and below 2^63, got -1"),
    ("mri --seed 9223372036854775808", "seed must be a whole number of at least 0 and below 2^63, got 9223372036854"),
    ("mri --data-seed -1", "seed must be a whole number of at least 0 and below 2^63, got -1"),
    ("mri --patience 0", "patience must be a whole number of at least 1 and below 2^63, got 0"),
    ("mri --device gpu", "unknown device 'gpu': use cpu, cuda or cuda:1"),
    ("mri --device mps", "unknown device 'mps': use cpu, cuda or cuda:1"),
    ("mri --device=", "unknown device '': use cpu, cuda or cuda:1"),
    (f"mri --device cuda:{torch.cuda.device_count()}",
     f"there is no GPU 'cuda:{torch.cuda.device_count()}' here ({torch.cuda.device_count()} found): use --device cpu"),
    ("mri --method vanilla --lam 1", "--lam is a setting of neither the task mri nor the method vanilla: they have "),
    ("mri --method sense --input-channels 3", "--input-channels is a setting of neither the task mri nor the method "),
    ("deblurring --profile smoke --refresh projected", "refresh 'projected' needs a linear forward operator: use "),
    ("denoising --coils 3", "--coils is a setting of neither the task denoising nor the method aseqdip: they have "),
])
def test_mistake_in_an_option(tmp_path, args, words):
    assert refused(tmp_path / "out", "run", *args.split()).startswith(words)


def test_unknown_option_brings_the_nearest(tmp_path):
    line = refused(tmp_path / "out", "run", "mri", "--lamb", "1")
    assert "--lamb" in line and "--lam" in line.replace("--lamb", "").replace("--lamda", "")
    assert "--acceleration" in refused(tmp_path / "out", "run", "mri", "--aceleration", "1")


@pytest.mark.parametrize("args, word", [
    (["run"], "TASK"), (["run", "mri", "ct"], "ct"), (["run", "mri", "--steps"], "--steps"), (["rum"], "rum"),
    (["--x"], "--x"), (["lab", "--port", "0"], "--port"), (["compare", "mri", "--profile", "smok"], "smoke"),
    (["compare", "mri", "--seeds", "0"], "seeds")])
def test_mistake_in_a_command(tmp_path, monkeypatch, args, word):
    monkeypatch.chdir(tmp_path)
    result = aseqdip(*args)
    assert result.exit_code == 2 and result.stdout == ""
    line, = result.stderr.splitlines()
    assert line.startswith("aseqdip: ") and word in line
    assert list(tmp_path.iterdir()) == []


def bad_files():
    picture = np.random.default_rng(0).random((20, 20))
    return {
        "flat.npy": (picture[0], "an image must have shape (H, W) or (H, W, 3), got (20,)"),
        "pickle.npy": (np.full((20, 20), None), "holds pickled objects, which are never loaded"),
        "mask.npz": (dict(kspace=np.ones((2, 20, 20), np.complex64), mask=np.zeros(20)), "the sampling mask is empty"),
        "empty.png": (b"", "is empty: save or copy it again"),
        "cut.h5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "damaged or not a .h5 file"),
        "image.gif": (b"GIF89a", "is a GIF file, which is not read: save it as PNG"),
        "two\nlines.npy": (b"", "is empty: save or copy it again"),
    }


@pytest.mark.parametrize("name", bad_files())
@pytest.mark.filterwarnings("error")
def test_bad_file(tmp_path, name):
    content, words = bad_files()[name]
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif isinstance(content, dict):
        np.savez(tmp_path / name, **content)
    else:
        np.save(tmp_path / name, content, allow_pickle=True)
    line = refused(tmp_path / "out", "run", "mri", "--image", tmp_path / name)
    assert line.startswith(" ".join(f"{tmp_path / name}".split()) + f": {words}")


def test_out_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for out, found in (("file", "file"), ("file/below", "file"), ("file/a/b", "file"), ("dangling", "dangling")):
        line = refused(tmp_path / out, "run", "mri", *TINY)
        assert line == (f"cannot write to the out folder {tmp_path / out}: {tmp_path / found} is not a folder, "
                        "choose another --out")
    assert (tmp_path / "file").read_text() == "mine" and not (tmp_path / "nowhere").exists()
    assert "File name too long" in refused(tmp_path / ("x" * 300), "run", "mri", *TINY)
    assert "/proc/" in refused(Path("/proc/aseqdip-out"), "run", "mri", *TINY)


def test_out_folder_without_permission(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("root may write into any folder")
    for out in (folder, folder / "below"):
        assert refused(out, "run", "mri", *TINY) == (f"cannot write to the out folder {out}: no permission in "
                                                     f"{folder}, choose another --out")


def test_a_gif_shows_the_way_from_the_start_to_the_answer(tmp_path):
    run(tmp_path, "mri", *TINY, "--steps", "100", "--gif")
    with Picture.open(tmp_path / "iterates.gif") as gif, Picture.open(tmp_path / "recon.png") as recon:
        assert 30 <= gif.n_frames <= 40 and gif.size == recon.size and gif.info["loop"] == 0
        gif.seek(gif.n_frames - 1)
        assert np.array_equal(np.asarray(gif.convert("L")), np.asarray(recon))
    run(tmp_path, "mri", *TINY, "--steps", "100", "--resume")  # nothing is left to do
    assert not (tmp_path / "iterates.gif").exists(), "it would be taken for this run's"
    assert "--gif does nothing here" in refused(tmp_path / "no", "run", "mri", *TINY, "--method", "tv", "--gif")


def test_a_refused_run_leaves_earlier_results_alone(tmp_path):
    run(tmp_path, "mri", *TINY, "--steps", "2")
    for args in (("--lam", "-1"), ("--method", "vanila"), ("--image", "no.npy"), ("--device", "cuda:99")):
        refused(tmp_path, "run", "mri", *TINY, *args)
    assert set(contents(tmp_path)) == {"recon.png", "recon.npy", "curve.csv", "metrics.json", "checkpoint.pt",
                                       "overview.png"}


# ---------------------------------------------------------------- going on

def test_resume_starts_in_an_empty_folder_and_goes_on_where_it_was(tmp_path):
    assert run(tmp_path / "a", "mri", *TINY, "--steps", "4", "--resume")["steps"] == 4
    assert run(tmp_path / "a", "mri", *TINY, "--steps", "9", "--resume")["steps"] == 9
    run(tmp_path / "b", "mri", *TINY, "--steps", "9")
    assert np.array_equal(np.load(tmp_path / "a" / "recon.npy"), np.load(tmp_path / "b" / "recon.npy"))
    assert (tmp_path / "a" / "curve.csv").read_text() == (tmp_path / "b" / "curve.csv").read_text()


def test_resume_of_a_damaged_checkpoint(tmp_path):
    run(tmp_path, "mri", *TINY, "--steps", "2")
    file = tmp_path / "checkpoint.pt"
    data = file.read_bytes()
    place = len(data) // 2  # one bit that torch itself would let pass
    for content in (data[:place], data[:place] + bytes([data[place] ^ 4]) + data[place + 1:]):
        file.write_bytes(content)
        line = refused(tmp_path, "run", "mri", *TINY, "--steps", "3", "--resume")
        assert line.startswith(f"{file}: the checkpoint is damaged (")
        assert line.endswith("delete it to start again")
    assert run(tmp_path, "mri", *TINY, "--steps", "3", "--overwrite")["steps"] == 3


def test_resume_of_another_run(tmp_path):
    run(tmp_path, "mri", *TINY, "--steps", "2")
    for args, words in ((("--lam", "2"), "aseqdip lam is 2.0 here and 0.25 there"), (("--seed", "1"), "seed is 1 here"),
                        (("--method", "vanilla"), "method is 'vanilla' here and 'aseqdip' there")):
        line = refused(tmp_path, "run", "mri", *TINY, "--steps", "3", "--resume", *args)
        assert line.startswith(f"{tmp_path / 'checkpoint.pt'}: the checkpoint belongs to another run: ")
        assert words in line


# ---------------------------------------------------------------- as a program of its own

def program(*args, **kwargs):
    command = [sys.executable, "-m", "aseqdip_lite", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, **kwargs)


def test_program_reports_a_mistake_in_one_line(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00")
    done = program("run", "mri", "--image", "a.npy", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("aseqdip: a.npy: damaged or not a .npy file (") and done.stderr.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_program_runs(tmp_path):
    done = program("run", "mri", *TINY, "--steps", "2", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads((tmp_path / "out" / "mri-aseqdip" / "metrics.json").read_text())["steps"] == 2


def test_program_survives_a_reader_that_leaves():
    """`aseqdip list | head -1` ends without a traceback."""
    command = [sys.executable, "-m", "aseqdip_lite", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


# ---------------------------------------------------------------- the deterministic mode

def test_deterministic_is_recorded_and_ends_with_the_command(tmp_path):
    assert run(tmp_path / "a", "mri", "--steps", 4, "--deterministic", *TINY)["deterministic"] is True
    assert run(tmp_path / "b", "mri", "--steps", 4, *TINY)["deterministic"] is False


def test_an_operation_without_a_deterministic_form_is_said_in_one_line(tmp_path, monkeypatch):
    """As PyTorch says it; on a CPU all operations of the tasks have one."""
    def fail(*args, **kwargs):
        raise RuntimeError("sum_cuda does not have a deterministic implementation, but you set it. You can turn it "
                           "off.")

    monkeypatch.setattr("aseqdip_lite.run.engine.reconstruct", fail)
    said = refused(tmp_path / "a", "run", "mri", "--deterministic", *TINY)
    assert said == ("--deterministic is not available here: sum_cuda does not have a deterministic implementation, "
                    "but you set it")
    with pytest.raises(RuntimeError):
        aseqdip("run", "mri", *TINY, "--out", tmp_path / "b")
