"""A search draws well, goes on where it was cut off, and trains nothing twice."""

import subprocess
import sys

import numpy as np
import optuna
import pytest

from leukoscope.core.errors import InputError
from leukoscope.study import search as searching
from leukoscope.study.search import Search, open_study, require_optuna
from made_search import MadeTrials, lose, make_ledger, plan_made, run_search


@pytest.fixture
def ledger(tmp_path):
    return make_ledger(tmp_path)


def list_values(trials) -> list[dict]:
    return [dict(trial.values) for trial in trials]


def find_least(seed: int) -> float:
    """Search the made loss itself, without trainings."""
    study = optuna.create_study()
    drawing = Search(plan_made(seed=seed, trials=30), study, "here")
    for trial in drawing.draw():
        study.tell(drawing._open.pop(trial.number - 1), lose(trial.values))
    return study.best_value


def find_least_at_random(seed: int) -> float:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    space = plan_made().space
    study.optimize(lambda trial: lose({name: values.draw(name, trial) for name, values in space.items()}), 30)
    return study.best_value


def test_it_finds_more_than_chance_does():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    searched, at_random = ([find(seed) for seed in range(10)] for find in (find_least, find_least_at_random))
    assert np.median(searched) < np.median(at_random) / 2


def test_a_search_that_was_cut_off_goes_on_as_it_would_have(ledger, tmp_path):
    """After trial 7 was ended and trial 8 begun."""
    cut = MadeTrials(ledger, stop_in=8)
    with pytest.raises(KeyboardInterrupt):
        run_search(plan_made(), ledger, cut)
    rest = MadeTrials(ledger)
    study = run_search(plan_made(), ledger, rest)
    assert [trial.number for trial in cut.ran] == list(range(1, 8))
    assert [trial.number for trial in rest.ran] == list(range(8, 13))
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}
    other = make_ledger(tmp_path / "whole")
    whole = MadeTrials(other)
    run_search(plan_made(), other, whole)
    assert list_values(cut.ran + rest.ran) == list_values(whole.ran)


def test_a_line_that_was_half_written_is_left_out(ledger):
    run_search(plan_made(trials=2), ledger, MadeTrials(ledger))
    with (ledger.folder / "trials.log").open("ab") as file:
        file.write(b'{"op_code":4,"wor')
    study = run_search(plan_made(trials=3), ledger, MadeTrials(ledger))
    assert len(study.trials) == 3
    assert len(run_search(plan_made(trials=4), ledger, MadeTrials(ledger)).trials) == 4


def test_more_trials_go_on_with_those_of_before(ledger):
    run_search(plan_made(trials=3), ledger, MadeTrials(ledger))
    more, nothing = MadeTrials(ledger), MadeTrials(ledger)
    run_search(plan_made(trials=5), ledger, more)
    run_search(plan_made(trials=5), ledger, nothing)
    assert [trial.number for trial in more.ran] == [4, 5]
    assert nothing.ran == []


def test_what_was_trained_before_is_not_trained_again(ledger):
    run_search(plan_made(trials=4), ledger, MadeTrials(ledger))
    again = MadeTrials(ledger)
    study = run_search(plan_made(trials=4, name="another"), ledger, again)  # which draws the same values
    assert again.ran == []
    assert [trial.value for trial in study.trials] == [lose(trial.params) for trial in study.trials]
    assert {trial.user_attrs["seconds"] for trial in study.trials} == {2.0}


def test_a_failed_trial_has_its_reason_and_stops_no_other(ledger, caplog):
    caplog.set_level("INFO")
    failing = MadeTrials(ledger, failing=lambda trial: "no memory" if trial.number == 2 else None)
    study = run_search(plan_made(trials=3), ledger, failing)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert study.trials[1].user_attrs["reason"] == "no memory"
    assert "vgg16, trial 2 after 2 s: failed: no memory; 1 trial is left" in caplog.text


def test_a_figure_that_is_no_number_is_a_failed_trial(ledger):
    study = run_search(plan_made(trials=1, objectives=("grey",)), ledger, MadeTrials(ledger, grey=float("nan")))
    assert study.trials[0].state.name == "FAIL"
    assert study.trials[0].user_attrs["reason"] == "grey came out as nan"


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["hyperband", "median"])
def test_hopeless_trials_are_pruned_by_their_epochs(ledger, pruner):
    study = run_search(plan_made(trials=20, pruner=pruner), ledger, MadeTrials(ledger, epochs=9))
    pruned = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert 0 < len(pruned) < 20
    assert all(len(trial.intermediate_values) < 9 for trial in pruned)
    assert study.best_trial.state.name == "COMPLETE"
    assert len(study.best_trial.intermediate_values) == 9


@pytest.mark.parametrize("facts", [{"pruner": "none"}, {"objectives": ("validation_loss", "grey")}])
def test_nothing_is_pruned_without_a_pruner_or_with_several_objectives(ledger, facts):
    study = run_search(plan_made(trials=12, **facts), ledger, MadeTrials(ledger, epochs=9))
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}


def test_several_objectives_have_a_front(ledger):
    facts = {"objectives": ("validation_loss", "milliseconds"), "trials": 6}
    study = run_search(plan_made(**facts), ledger, MadeTrials(ledger))
    assert [direction.name for direction in study.directions] == ["MINIMIZE", "MINIMIZE"]
    assert {trial.values[1] for trial in study.best_trials} == {0.5}


def test_in_a_database_trials_of_other_machines_are_left_alone(ledger, tmp_path):
    url = f"sqlite:///{tmp_path}/trials.db"
    plan = plan_made(trials=3)
    elsewhere = Search(plan, open_study(plan, tmp_path, url), "elsewhere", is_shared=True)
    begun = next(elsewhere.draw())
    here = MadeTrials(ledger)
    study = run_search(plan, ledger, here, url)
    assert begun.number == 1
    assert [trial.number for trial in here.ran] == [2, 3, 4]
    assert study.trials[0].state.name == "RUNNING"


@pytest.mark.parametrize("storage", ["nonsense", "nothing://host/name", "sqlite:////no/such/folder/trials.db"])
def test_a_database_that_cannot_be_used_is_told(ledger, storage):
    with pytest.raises(InputError, match=r"The trials of the search in .* cannot be read: .*Mend search.storage"):
        run_search(plan_made(), ledger, MadeTrials(ledger), storage)


def test_a_damaged_file_is_told(ledger):
    ledger.folder.mkdir(parents=True)
    (ledger.folder / "trials.log").write_bytes(b"nonsense\nmore\n")
    with pytest.raises(InputError, match=r"trials.log cannot be read: .*Remove it"):
        run_search(plan_made(), ledger, MadeTrials(ledger))


def test_two_searches_at_once_are_refused(ledger):
    class Another(MadeTrials):
        def run(self, trials):
            with pytest.raises(InputError, match="Another run is at work"):
                run_search(plan_made(), ledger, MadeTrials(ledger))
            return super().run(trials)

    run_search(plan_made(trials=1), ledger, Another(ledger))


def test_without_optuna_the_command_that_installs_it_is_named(monkeypatch):
    require_optuna()
    monkeypatch.setattr(searching, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install .*\[search\]"):
        require_optuna()


@pytest.mark.slow
def test_importing_the_pipelines_imports_no_optuna():
    code = (
        "import sys, leukoscope, leukoscope.settings, leukoscope.pipeline_registry as registry\n"
        "import leukoscope.pipelines.search.nodes, leukoscope.figures.search, leukoscope.study.found\n"
        "registry.register_pipelines()\n"
        "print('optuna' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split()[-1] == "False"
