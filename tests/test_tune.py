"""The recorded search: who goes on to the second problem, who wins, and that every method has the same budget."""

import json
from functools import partial

import pytest
import tune

from aseqdip_lite.study.trials import Trial, record

PROBLEMS = [dict(image="one"), dict(image="two")]
GRID = [dict(lr=rate) for rate in (1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4)]


@pytest.fixture
def search(monkeypatch, tmp_path):
    """A search of one method on two problems; its winners go to a scratch file."""
    made = dict(steps=300, budgets=[100, 300], problems=PROBLEMS, methods=dict(vanilla=GRID), published={})
    monkeypatch.setitem(tune.SEARCHES, "denoising", made)
    monkeypatch.setattr(tune, "DEFAULTS", tmp_path / "defaults.json")
    tune.DEFAULTS.write_text("{}")
    return made


def row(settings, problem, finals):
    """A finished trial with its PSNR at each budget."""
    return dict(task="denoising", method="vanilla", problem=problem, settings=settings, steps=300, finals=finals,
                psnr=dict(final=finals["300"]))


def test_all_settings_enter_and_the_best_four_go_on(search):
    entered = list(tune.trials("denoising", 0, []))
    assert [trial.settings for trial in entered] == GRID and all(trial.problem == PROBLEMS[0] for trial in entered)
    peaks = [20.0, 25.0, 21.0, 24.0, 23.0, 22.0]
    rows = [row(settings, PROBLEMS[0], {"100": peak, "300": 10.0}) for settings, peak in zip(GRID, peaks, strict=True)]
    on = list(tune.trials("denoising", 1, rows))
    assert [trial.settings["lr"] for trial in on] == [2e-4, 4e-4, 5e-4, 6e-4]  # by their best budget, the best first
    assert all(trial.problem == PROBLEMS[1] and trial.steps == 300 for trial in on)


def test_the_best_mean_over_the_problems_wins_with_its_budget(search, capsys):
    rows = [row(GRID[0], PROBLEMS[0], {"100": 30.0, "300": 20.0}),
            row(GRID[0], PROBLEMS[1], {"100": 20.0, "300": 21.0}),
            row(GRID[1], PROBLEMS[0], {"100": 26.0, "300": 24.0}),
            row(GRID[1], PROBLEMS[1], {"100": 26.0, "300": 27.0}),
            row(GRID[2], PROBLEMS[0], {"100": 40.0, "300": 40.0})]  # left behind: no second problem
    tune.report("denoising", rows, write=True)
    assert json.loads(tune.DEFAULTS.read_text())["denoising"]["laptop"] == dict(vanilla=dict(lr=2e-4, steps=100))
    assert "26.00 dB" in capsys.readouterr().out


def test_a_budget_that_one_problem_lacks_cannot_win(search):
    rows = [row(GRID[0], PROBLEMS[0], {"100": 30.0, "300": 20.0}), row(GRID[0], PROBLEMS[1], {"300": 22.0})]
    tune.report("denoising", rows, write=True)
    assert json.loads(tune.DEFAULTS.read_text())["denoising"]["laptop"] == dict(vanilla=dict(lr=1e-4, steps=300))


def test_the_winner_of_a_networks_search_is_the_default_with_that_network(search):
    search |= dict(task="mri", network="lite-half")
    del search["published"]
    assert all(trial.task == "mri" and trial.settings["network"] == "lite-half"
               for trial in tune.trials("denoising", 0, []))
    rows = [row(GRID[0] | dict(network="lite-half"), problem, {"100": 20.0, "300": 21.0}) for problem in PROBLEMS]
    tune.report("denoising", rows, write=True)
    assert json.loads(tune.DEFAULTS.read_text()) == {
        "mri": {"lite-half": dict(vanilla=dict(lr=1e-4, network="lite-half", steps=300))}}


def test_with_seeds_each_setting_counts_by_the_mean_over_them(search):
    search["seeds"] = 2
    entered = list(tune.trials("denoising", 0, []))
    assert [(trial.settings, trial.seed) for trial in entered] == [(s, seed) for s in GRID for seed in (0, 1)]
    assert len({trial.key for trial in entered}) == 12  # a seed is a trial of its own
    peaks = [(30.0, 20.0), (26.0, 26.0), (25.5, 25.7), (24.0, 27.0), (25.2, 25.2), (33.0, 10.0)]
    rows = [row(settings, PROBLEMS[0], {"100": peak, "300": 10.0})
            for settings, both in zip(GRID, peaks, strict=True) for peak in both]
    on = [trial.settings["lr"] for trial in tune.trials("denoising", 1, rows)]
    assert on == [2e-4, 2e-4, 3e-4, 3e-4, 4e-4, 4e-4, 5e-4, 5e-4]  # not the lucky first seeds of 1e-4 and 6e-4
    rows += [row(GRID[1], PROBLEMS[1], {"100": 20.0, "300": 21.0}) for _ in range(2)]
    rows += [row(GRID[3], PROBLEMS[1], {"100": 40.0, "300": 40.0})]  # one seed of two is not measured yet
    assert tune.ranking("denoising", rows) == [(23.0, "vanilla", GRID[1], 100)]


def test_a_number_is_at_an_edge_if_nothing_beyond_it_was_tried(search):
    assert tune.edges("denoising", "vanilla", GRID[0], 100) == ["lr"]
    assert tune.edges("denoising", "vanilla", GRID[2], 100) == []
    assert tune.edges("denoising", "vanilla", GRID[-1], 300) == ["lr", "steps"]


@pytest.mark.parametrize("task", list(tune.SEARCHES))
def test_every_method_has_as_many_settings_as_every_other(task):
    """Six; eight in the one search that was widened, as SEARCH says."""
    assert {len(grid) for grid in tune.SEARCHES[task]["methods"].values()} == {8 if task == "mri_trained" else 6}


def test_a_run_is_read_at_the_budgets_at_which_it_would_be_the_same_run(tmp_path):
    where = dict(image="coffee", size=16)
    for method, read in (("vanilla", [2, 4]), ("sgld_dip", [4]), ("tv", []), ("es_dip", [])):
        trial = Trial("denoising", method, where, steps=4)
        row, = record([trial], read=partial(tune.budgets_read, budgets=[2, 4]), workers=1, progress=False)
        assert list(row.get("finals", {})) == read
        assert 4 not in read or row["finals"][4] == row["answers"]["final"]["psnr"]


@pytest.mark.parametrize("name", tune.SEARCHES)
def test_stored_searches_can_be_gone_on_with(name):
    rows = tune.stored(name)
    some = Trial(**{field: next(iter(rows.values()))[field] for field in tune.NAMES})
    assert record([some], file=tune.file_of(name), kinds=tune.KINDS, progress=False) == [rows[some.key]]


@pytest.mark.parametrize("name", tune.SEARCHES)
def test_a_stored_search_that_is_written_again_changes_no_default(name, tmp_path, monkeypatch):
    before = tune.DEFAULTS.read_text()
    monkeypatch.setattr(tune, "DEFAULTS", tmp_path / "defaults.json")
    tune.DEFAULTS.write_text(before)
    tune.search(name, workers=1, write=True)
    assert tune.DEFAULTS.read_text() == before
