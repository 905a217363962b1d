"""The ledger: every experiment runs in smoke, stores what it found, and judges by its own numbers."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from aseqdip_lite import InputError, course
from aseqdip_lite.course import RESULTS, experiments
from aseqdip_lite.course.commands import main
from aseqdip_lite.course.experiments import f1, verdicts


def aseqdip(*args):
    return CliRunner().invoke(main, [str(argument) for argument in args])


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """smoke(name): the folder and the report of an experiment's smoke run, made once."""
    made = {}

    def run(name):
        if name not in made:
            out = tmp_path_factory.mktemp(name)
            made[name] = out, experiments.run(name, "smoke", out=out)
        return made[name]
    return run


@pytest.mark.parametrize("name", experiments.names())
def test_smoke_run_is_stored_with_its_provenance(smoke, name):
    out, report = smoke(name)
    stored = json.loads((out / f"{name}.json").read_text())
    assert stored == json.loads(json.dumps(report)) and experiments.stored(name, out) == stored
    assert {"id", "ours", "published", "verdict", "why", "claims", "provenance"} <= set(stored)
    assert all(set(claim) == {"claim", "verdict", "why"} for claim in stored["claims"]) and stored["claims"]
    assert stored["verdict"] == verdicts.overall(stored["claims"]) in verdicts.VERDICTS
    assert any(digit in stored["why"] for digit in "0123456789")
    assert {"seconds", "profile", "settings", "versions", "device", "threads"} <= set(stored["provenance"])
    assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    if (out / f"{name}.npz").exists():
        pictures = dict(np.load(out / f"{name}.npz", allow_pickle=False))
        assert experiments.get(name).figure(stored["ours"], pictures).axes


@pytest.mark.parametrize("name", experiments.names())
def test_every_experiment_has_its_profiles_and_an_alternative_text(name):
    experiment = experiments.get(name)
    assert set(experiment.profiles) == {"smoke", "laptop", "paper"}
    assert len(experiment.alt) > 40 and experiment.about and experiment.published
    assert (experiment.measure.__doc__ or "").strip()


@pytest.mark.parametrize("name", experiments.names())
def test_a_committed_verdict_is_what_the_numbers_say_today(name):
    report = experiments.stored(name, RESULTS)
    if report is not None:
        assert {key: report[key] for key in ("verdict", "why", "claims")} == experiments.judged(name, report["ours"])


@pytest.mark.parametrize("name", ["F5", "G1", "G4"])
def test_stored_pictures_draw_the_figure(name):
    assert experiments.get(name).figure(course.stored(name)["ours"], course.stored(f"{name}.npz")).axes


def test_names_are_in_the_order_of_the_ledger():
    names = experiments.names()
    assert names == sorted(names, key=lambda name: (name[0], int(name[1:].rstrip("ab"))))


def test_the_verdicts_of_f1_follow_from_its_curves(monkeypatch):
    monkeypatch.setattr(verdicts, "task_floor", lambda task, seeds, networks=2: 0.4)

    def judged(truth, noise):
        best = {"truth + noise": [[value] * 3 for value in truth], "noise": [[value] * 3 for value in noise]}
        claims, _ = f1.judge(dict(sigmas=[0.1, 1.0], images=["a", "b", "c"], best=best))
        return [claim["verdict"] for claim in claims]

    assert judged([30, 25], [24, 23]) == ["agree", "agree", "agree"]
    assert judged([30, 22], [24, 23]) == ["agree", "agree", "disagree"]
    assert judged([25, 30], [24, 24]) == ["disagree", "undecided", "agree"]
    assert judged([26, 24], [24, 24.2]) == ["agree", "undecided", "undecided"]


def test_the_input_of_f1_with_little_noise_is_the_truth(monkeypatch):
    """With sigma 0 the input of the network is x* itself: a network that hands on its input has no error."""
    seen = []

    def iterate(observation, method, *, seed, z0):
        seen.append((observation, z0))
        return iter(())
    monkeypatch.setattr(f1, "iterate", iterate)
    f1.run(dict(image="brain-070", size=32, coils=2, seed=3, sigma=0.0, kind="truth + noise", budget=1), None)
    (observation, z0), = seen
    noise = (observation.A(z0) - observation.y).norm() / observation.y.norm()
    assert float(noise) == pytest.approx(10 ** (-25 / 20), rel=0.1)  # the data's own noise, 25 dB below the signal


FAKE = experiments.Experiment(
    id="F99", about="a fake", published="42", profiles={name: {} for name in ("smoke", "laptop", "paper")},
    measure=lambda: dict(answer=41.0, none=float("nan")), figure=lambda ours: Figure(),
    judge=lambda ours: ([verdicts.claim("42", "undecided", "one number")], f"41 is near {ours['answer']}"),
    alt="nothing")


def test_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "REGISTRY", {"F99": FAKE})
    found = aseqdip("experiment", "F99", "--out", "here")
    assert found.exit_code == 0 and "F99: undecided. 41 is near 41.0" in found.stdout
    assert json.loads((tmp_path / "here" / "F99.json").read_text())["ours"] == dict(answer=41.0, none=None)
    everything = aseqdip("experiment", "--all", "--out", "here")
    assert everything.exit_code == 0 and "F99:" not in everything.stdout  # it is there already
    assert {path.name for path in tmp_path.rglob("*")} == {"here", "F99.json", "F99.png"}  # and nothing else


def test_finished_runs_are_recorded_in_the_out_folder(tmp_path, monkeypatch):
    """A folder that cannot be written to is refused before anything is measured."""
    measured = []
    fake = replace(FAKE, profiles=dict(smoke=dict(size=8, file="F99_runs.json")),
                   measure=lambda size, file: measured.append(file) or dict(answer=41.0))
    monkeypatch.setattr(experiments, "REGISTRY", {"F99": fake})
    report = experiments.run("F99", "smoke", out=tmp_path / "new")
    assert measured == [tmp_path / "new" / "F99_runs.json"]
    assert report["provenance"]["settings"] == dict(size=8, file="F99_runs.json")
    (tmp_path / "taken").write_text("a file, no folder")
    with pytest.raises(InputError, match="cannot write to the out folder"):
        experiments.run("F99", "smoke", out=tmp_path / "taken")
    assert len(measured) == 1


@pytest.mark.parametrize("args, words", [
    (["experiment"], "give one experiment's ID, or --all"), (["experiment", "F1", "--all"], "or --all"),
    (["experiment", "F111"], "unknown experiment 'F111'"), (["experiment", "F1", "--profile", "tiny"], "tiny")])
def test_mistakes(tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    found = aseqdip(*args)
    assert found.exit_code == 2 and words in found.stderr and len(found.stderr.splitlines()) == 1


def test_a_damaged_result_is_refused(tmp_path):
    for content in ("{", "[]", '{"id": "F1"}'):
        (tmp_path / "F1.json").write_text(content)
        found = aseqdip("experiment", "--all", "--out", tmp_path)
        assert found.exit_code == 2 and "F1.json is damaged: remove it" in found.stderr


@pytest.fixture
def heard():
    """Ctrl-C is heard, although tests that were started with & inherit that it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("rows, said", [
    (None, "nothing of F99 is stored yet; the same command begins it again"),
    (0, "nothing of F99 is stored yet; the same command begins it again"),
    (1, "1 finished run is stored in {}; the same command goes on there"),
    (3, "3 finished runs are stored in {}; the same command goes on there")])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("heard")
def test_ctrl_c_says_what_is_stored_and_how_to_go_on(tmp_path, monkeypatch, rows, said, number):
    def measure(file=None):
        if rows:
            file.write_bytes(b"{}\n" * rows + b'{"cut off')
        signal.raise_signal(number)

    profile = {} if rows is None else dict(file="F99_runs.jsonl")
    fake = replace(FAKE, measure=measure, profiles=dict(laptop=profile))
    monkeypatch.setattr(experiments, "REGISTRY", {"F99": fake})
    for command in (("F99",), ("--all",)):
        found = aseqdip("experiment", *command, "--out", tmp_path)
        assert found.exit_code == 130 and found.stdout == "" and not (tmp_path / "F99.json").exists()
        assert found.stderr == f"interrupted: {said.format(tmp_path / 'F99_runs.jsonl')}\n"


def test_ctrl_c_while_the_result_is_written_leaves_it_whole(tmp_path, monkeypatch):
    """And no further experiment begins."""
    def write(out, files):
        signal.raise_signal(signal.SIGINT)
        write_together(out, files)

    write_together = experiments.write_together
    monkeypatch.setattr(experiments, "write_together", write)
    monkeypatch.setattr(experiments, "REGISTRY", {name: replace(FAKE, id=name) for name in ("F98", "F99")})
    found = aseqdip("experiment", "--all", "--out", tmp_path)
    assert found.exit_code == 130 and found.stderr == f"interrupted: F98 is done and stored in {tmp_path}\n"
    assert experiments.stored("F98", tmp_path)["ours"]["answer"] == 41 and not (tmp_path / "F99.json").exists()
