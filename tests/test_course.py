"""What lessons import: the profile, claims, and pictures with alt text."""

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from aseqdip_lite import InputError, course

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def profile(monkeypatch):
    """Sets the profile of a test; `course.profile` reads it afresh before and after."""
    def choose(name):
        monkeypatch.setenv("ASEQDIP_PROFILE", name)
        course.profile.cache_clear()
    yield choose
    course.profile.cache_clear()


@pytest.fixture
def shown(monkeypatch):
    """Collects what `show` displays."""
    bundles = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: bundles.append(data))
    return bundles


def test_a_stored_result_is_read_from_the_package_wherever_one_stands(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert course.stored("F1")["id"] == "F1"
    assert {"task", "lam", "psnr"} <= set(course.stored("grid/grid")[0])


@pytest.mark.parametrize("name", ["F111", "", "../data/catalogue.json"])
def test_a_result_that_does_not_ship_is_refused_in_one_line(name):
    with pytest.raises(InputError, match=f"^no stored result '{name}' in .*: check the name, or install .* again$"):
        course.stored(name)


@pytest.mark.parametrize("source", sorted((ROOT / "lessons").glob("[0-9]*.py")), ids=lambda source: source.stem)
def test_every_stored_result_that_a_lesson_names_ships(source):
    for name in re.findall(r'\bstored\("(.*?)"\)', source.read_text(encoding="utf-8")):
        assert course.stored(name)


def test_a_lesson_between_two_others_has_a_letter_and_its_place(tmp_path):
    for name in ("07_mri", "06b_why", "06_aseqdip", "notes", "6_x", "06bc_x"):
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "08_ct.ipynb").touch()
    found = course.lesson_files(tmp_path, "py")
    assert [(number, path.stem) for number, path in found.items()] == [
        ("06", "06_aseqdip"), ("06b", "06b_why"), ("07", "07_mri")]


def test_profile_is_laptop_by_default_and_read_once(monkeypatch, profile):
    monkeypatch.delenv("ASEQDIP_PROFILE", raising=False)
    course.profile.cache_clear()
    assert course.profile() == "laptop"
    monkeypatch.setenv("ASEQDIP_PROFILE", "paper")
    assert course.profile() == "laptop"


def test_profile_picks_sizes(profile):
    for name, size in (("smoke", 1), ("laptop", 2), ("paper", 3)):
        profile(name)
        assert course.pick(smoke=1, laptop=2, paper=3) == size


def test_unknown_profile_is_refused_with_the_nearest_one(profile):
    profile("labtop")
    with pytest.raises(InputError, match="unknown profile in ASEQDIP_PROFILE 'labtop': did you mean 'laptop'?"):
        course.profile()


def test_banner_says_profile_versions_and_device():
    code = "from aseqdip_lite.course import banner; banner()"
    run = subprocess.run([sys.executable, "-c", code], env=os.environ | dict(ASEQDIP_PROFILE="smoke"), check=True,
                         capture_output=True, text=True)
    first, versions, device = run.stdout.splitlines()
    assert first.startswith("profile smoke ")
    assert all(name in versions for name in ("aseqdip-lite ", "torch ", "numpy ", "sigpy ", "Python "))
    assert device == "device cpu, CPU threads: 1" or device.startswith("device cuda, ")  # one, for the same numbers


def test_claim_asserts_where_the_profile_suffices(profile, capsys):
    profile("laptop")
    course.claim(True, "true within 1e-5")
    course.claim(True, "also in smoke", needs="smoke")
    with pytest.raises(AssertionError, match="does not hold: false within 1e-5"):
        course.claim(False, "false within 1e-5")
    with pytest.raises(AssertionError, match="does not hold: nothing is nan"):
        course.claim(float("nan") > 0, "nothing is nan")
    assert capsys.readouterr().out == "holds: true within 1e-5\nholds: also in smoke\n"


def test_claim_says_so_where_the_profile_is_too_small(profile, capsys):
    profile("smoke")
    course.claim(False, "needs more steps")
    course.claim(False, "needs hours", needs="paper")
    assert capsys.readouterr().out == "not checked in smoke: needs more steps\nnot checked in smoke: needs hours\n"
    with pytest.raises(AssertionError, match="does not hold: smoke is enough"):
        course.claim(False, "smoke is enough", needs="smoke")


def figure():
    drawn = Figure(figsize=(2, 1.5), dpi=300, layout="constrained")
    drawn.subplots().plot([0, 1])
    return drawn


def test_show_makes_an_img_with_escaped_alt_text(profile, shown):
    profile("smoke")
    course.show(figure(), alt='a line from "0" to 1,\n  A < B & C')
    html = shown[0]["text/html"]
    assert html.startswith('<img src="data:image/png;base64,')
    assert html.endswith(' alt="a line from &quot;0&quot; to 1, A &lt; B &amp; C">')
    assert shown[0]["text/plain"] == 'Figure: a line from "0" to 1, A < B & C'


def test_shown_png_has_at_most_100_dpi(profile, shown):
    profile("smoke")
    course.show(figure(), alt="a line")
    picture = Image.open(io.BytesIO(base64.b64decode(shown[0]["text/html"].split(",")[1].split('"')[0])))
    assert picture.size == (200, 150)
    assert max(picture.info["dpi"]) == pytest.approx(100, abs=0.5)


def test_figures_carry_the_profile(profile):
    profile("smoke")
    drawn = course.stamp(figure())
    assert [text.get_text() for text in drawn.texts] == ["profile: smoke"]


def test_show_refuses_a_figure_without_alt_text(shown):
    with pytest.raises(InputError, match="every figure of a lesson needs an alt text"):
        course.show(figure(), alt="  ")
    assert not shown
