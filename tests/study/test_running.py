"""Units run once, a failed one stops no other, and a study that was cut off goes on."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fake_units import make_job, put_fake, read_ran
from leukoscope.study import commands
from leukoscope.study.ledger import Ledger
from leukoscope.study.plan import make_plan
from leukoscope.study.running import Processes, run_units
from made_study import MadeUnits, make_manifest, plan_made, run_made


@pytest.fixture
def home(tmp_path):
    return tmp_path / "06_models"


@pytest.fixture
def make_units(home, splits, class_names):
    def make(**options) -> MadeUnits:
        return MadeUnits(home, make_manifest(splits), class_names, {"vgg16": 0.9, "resnet50": 0.6}, **options)

    return make


def test_a_finished_study_trains_nothing_again(home, make_units, caplog):
    plan = plan_made(seeds=2)
    first, again = make_units(), make_units()
    with caplog.at_level(logging.INFO):
        outcomes, ledger = run_made(home, first, plan)
        assert "8 units (2 models x 2 folds x 2 seeds), of which 0 are finished" in caplog.text
        repeated, _ = run_made(home, again, plan)
    assert "of which 8 are finished" in caplog.text
    assert (len(first.ran), again.ran) == (8, [])
    assert [outcome.unit for outcome in outcomes] == list(plan.units)
    assert [outcome.mark for outcome in repeated] == [outcome.mark for outcome in outcomes]
    assert all(outcome.seconds == 2 for outcome in repeated)
    places = [outcome.mark.place for outcome in outcomes]
    assert len(list(home.glob("*/fold-*-of-2/runs/*/unit.json"))) == 8
    assert places[0].startswith("fold-1-of-2/runs/")
    assert len(ledger.load_history(plan.units[0], places[0])) == 2


def test_a_finished_study_asks_no_cluster(home, make_units):
    plan = plan_made(seeds=1)
    outcomes, ledger = run_made(home, make_units(), plan)

    class Unreachable:
        def run(self, units):
            raise AssertionError

    assert [outcome.mark for outcome in run_units(plan, ledger, Unreachable())] == [one.mark for one in outcomes]


def test_a_study_that_was_cut_off_goes_on_where_it_was(home, make_units):
    plan = plan_made(seeds=2)
    cut, rest = make_units(stop_after=3), make_units()
    with pytest.raises(KeyboardInterrupt):
        run_made(home, cut, plan)
    run_made(home, rest, plan)
    assert cut.ran + rest.ran == list(plan.units)


def test_more_seeds_add_units_and_another_recipe_is_trained_anew(home, make_units):
    run_made(home, make_units(), plan_made(seeds=1))
    more, other = make_units(), make_units()
    run_made(home, more, plan_made(seeds=2))
    assert {unit.seed for unit in more.ran} == {2}
    run_made(home, other, make_plan({"vgg16": {"recipe": "another"}}, 2, 1, 1))
    assert len(other.ran) == 2


def test_a_failed_unit_is_told_with_its_reason_and_runs_again(home, make_units, caplog):
    plan = plan_made(seeds=1)
    failing = make_units(failing=lambda unit: "no memory" if unit == plan.units[1] else None)
    with caplog.at_level(logging.INFO):
        outcomes, _ = run_made(home, failing, plan)
    assert [outcome.reason for outcome in outcomes] == ["", "no memory", "", ""]
    assert outcomes[1].mark is None
    assert "vgg16, fold 2 of 2, seed 1 failed: no memory after 2 s; 2 units are left" in caplog.text
    again = make_units()
    run_made(home, again, plan)
    assert again.ran == [plan.units[1]]


def test_a_unit_that_leaves_another_training_than_its_own_has_failed(home, make_units):
    plan = plan_made(seeds=1, entries=("vgg16",))
    units = make_units()
    make = units.make
    units.make = lambda unit: make(replace(unit, seed=9) if unit.fold == 1 else unit)
    outcomes, _ = run_made(home, units, plan)
    assert outcomes[0].reason.startswith("Nothing whole was left of vgg16, fold 1 of 2, seed 1: another run")
    assert outcomes[1].reason == ""


def test_a_training_that_does_not_say_its_seed_is_no_unit(home, make_units):
    plan = plan_made(seeds=1, entries=("vgg16",))
    units = make_units()
    make = units.make

    def make_without_seed(unit):
        make(unit)
        for file in home.glob(f"vgg16/{unit.split}/runs/*/key.json"):
            file.write_text(json.dumps({"split": unit.split}))

    units.make = make_without_seed
    outcomes, _ = run_made(home, units, plan)
    assert all(outcome.reason.startswith("Nothing whole was left of vgg16") for outcome in outcomes)


@pytest.mark.parametrize("damage", ["{", "[]", '{"unit": "another"}'])
def test_a_mark_that_is_damaged_or_of_another_unit_does_not_count(home, make_units, damage):
    plan = plan_made(seeds=1, entries=("vgg16",))
    outcomes, _ = run_made(home, make_units(), plan)
    (home / "vgg16" / outcomes[0].mark.place / "unit.json").write_text(damage)
    again = make_units()
    run_made(home, again, plan)
    assert again.ran == [plan.units[0]]


def test_a_unit_whose_evaluation_was_replaced_by_one_of_other_parameters_is_evaluated_anew(home, make_units):
    plan = plan_made(seeds=1, entries=("vgg16",))
    outcomes, _ = run_made(home, make_units(), plan)
    file = home / "vgg16" / outcomes[1].mark.place / "evaluation/metrics.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"test_auc": 0.123}))
    again = make_units()
    run_made(home, again, plan)
    assert again.ran == [plan.units[1]]


@pytest.mark.parametrize("file", ["summary.json", "evaluation/facts.json"])
def test_a_unit_whose_training_or_evaluation_is_gone_is_not_finished(home, make_units, file):
    plan = plan_made(seeds=1, entries=("vgg16",))
    outcomes, ledger = run_made(home, make_units(), plan)
    (home / "vgg16" / outcomes[0].mark.place / file).unlink()
    assert ledger.find(plan.units[0]) is None
    assert ledger.find(plan.units[1]) is not None


def test_two_recipes_of_a_unit_have_files_of_their_own(tmp_path):
    """Two studies at a time would else read each other's options."""
    (unit, _) = plan_made(seeds=1, entries=("vgg16",)).units
    ledger = make_job(tmp_path).ledger
    assert ledger.name_log(unit) != ledger.name_log(replace(unit, identity="another"))


def processes(tmp_path, parent=None, workers=1) -> Processes:
    return Processes(make_job(tmp_path, None, parent), workers)


def test_a_command_is_given_what_the_study_was_but_for_fold_and_seed(tmp_path):
    given = {
        "seed": 5,
        "study": {"folds": 2},
        "cluster": {"workers": 2},
        "splitting": {"group_by": "table"},
        "training": {"epochs": 1},
    }
    (unit, _) = plan_made(seeds=1, entries=("vgg16",)).units
    options = make_job(tmp_path, given).describe(unit)
    splitting = {"group_by": "table", "fold": "1 of 2"}
    assert options == {
        "env": "demo",
        "conf_source": "conf",
        "pipelines": "train_vgg16",
        "node_names": "vgg16.a,vgg16.b",
        "params": {"seed": 1, "splitting": splitting, "training": {"epochs": 1}},
    }


@pytest.fixture
def fake_command(tmp_path, monkeypatch):
    """Put a command of a line in the place of the real one."""
    return lambda code: monkeypatch.setattr(commands, "_SOURCE", put_fake(tmp_path, code))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('Error: a line\\n  and more'); sys.exit(1)", "a line and more"),
        ("print('x'); print('the last'); sys.exit(3)", "the last"),
        ("sys.exit(3)", "it ended with 3 and said nothing"),
        ("os.kill(os.getpid(), 9)", "it was ended by signal 9, which for 9 is often a lack of memory"),
        ("leave()", ""),
    ],
)
def test_why_a_process_failed_is_one_line(tmp_path, fake_command, code, reason):
    fake_command(code)
    (ran, other) = processes(tmp_path, parent="f00").run(plan_made(seeds=1, entries=("vgg16",)).units)
    assert (ran.reason, other.reason) == (reason, reason)
    logs = list((tmp_path / "logs").iterdir())
    assert len(logs) == (2 if reason else 0)
    first, second = read_ran(tmp_path)
    assert (first[0]["params"]["splitting"]["fold"], second[0]["params"]["splitting"]["fold"]) == ("1 of 2", "2 of 2")
    assert json.loads(first[1]) == {"mlflow.parentRunId": "f00", "unit": "vgg16, fold 1 of 2, seed 1"}


@pytest.fixture
def heeding_ctrl_c():
    """What a shell starts in the background ignores Ctrl-C, and so do the tests there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_a_process_ends_with_the_study(tmp_path, fake_command):
    """Whatever ends the study while a unit runs, Ctrl-C or a batch system, the unit is told to end too."""
    fake_command("pathlib.Path('number').write_text(str(os.getpid())); time.sleep(60)")
    timer = threading.Timer(0.2, _interrupt_once, [tmp_path / "number"])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        list(processes(tmp_path).run(plan_made(seeds=1, entries=("vgg16",)).units))
    timer.join()
    assert not psutil.pid_exists(int((tmp_path / "number").read_text()))
    assert not list((tmp_path / "logs").glob("*.json"))


RECORDING = """
import signal
ended = []
def record(number, _):
    pathlib.Path('signals').open('a').write(signal.Signals(number).name + ' ')
    ended.append(number)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, record)
pathlib.Path('number').write_text(str(os.getpid()))
while not ended: time.sleep(0.02)
time.sleep(0.5)
"""
STUDY = """
import pathlib, signal, sys
from leukoscope.study import commands, running, unit
from leukoscope.study.ledger import Ledger
from leukoscope.study.plan import make_plan
here = pathlib.Path.cwd()
commands._SOURCE = str(here / "fake")
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(143))
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which what nohup starts ignores
from leukoscope.core.session import Session
job = unit.Job({"vgg16": ["vgg16.a"]}, Session(here), Ledger(here / "06_models", here / "logs"))
place = running.Processes(job)
list(place.run(make_plan({"vgg16": {}}, 2, 1, 1).units))
"""


@pytest.mark.parametrize(
    ("number", "signals"), [("SIGINT", ["SIGINT"]), ("SIGTERM", ["SIGTERM"]), ("SIGHUP", ["SIGTERM"])]
)
def test_a_unit_is_sent_one_signal_however_the_study_is_ended(tmp_path, fake_command, number, signals):
    """A terminal sends Ctrl-C to the study and to all processes of its group."""
    fake_command(RECORDING)
    command = [sys.executable, "-c", STUDY]
    study = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE)
    while study.poll() is None and not (tmp_path / "number").is_file():
        time.sleep(0.05)
    os.killpg(study.pid, getattr(signal, number))
    study.communicate()
    assert (tmp_path / "signals").read_text().split() == signals
    assert not psutil.pid_exists(int((tmp_path / "number").read_text()))


def _interrupt_once(file: Path) -> None:
    """Send Ctrl-C once the unit has begun."""
    while not (file.is_file() and file.read_text()):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)


def test_run_units_takes_any_place(home, make_units):
    """A cluster gives units back in the order in which they end."""
    plan = plan_made(seeds=1)
    units = make_units()

    class Backwards:
        def run(self, given):
            yield from units.run(reversed(list(given)))

    outcomes = run_units(plan, Ledger(home, home), Backwards())
    assert [outcome.unit for outcome in outcomes] == list(plan.units)
    assert all(outcome.mark for outcome in outcomes)


def test_several_units_run_at_once_each_with_its_share_of_the_cores(tmp_path, fake_command):
    """Each waits for the other, so that one after the other they would never end."""
    fake_command(
        "pathlib.Path(f'{name}.here').touch()\n"
        "while len(list(pathlib.Path().glob('*.here'))) < 2: time.sleep(0.02)\n"
        "pathlib.Path(f'{name}.cores').write_text(os.environ['OMP_NUM_THREADS'])\n"
        "leave()"
    )
    outcomes = list(processes(tmp_path, workers=2).run(plan_made(seeds=1, entries=("vgg16",)).units))
    assert [outcome.reason for outcome in outcomes] == ["", ""]
    cores = max(1, len(os.sched_getaffinity(0)) // 2)
    assert [file.read_text() for file in tmp_path.glob("*.cores")] == [str(cores)] * 2


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_all_units_at_work_end_with_the_study_and_no_other_begins(tmp_path, fake_command):
    fake_command("pathlib.Path(f'{name}.number').write_text(str(os.getpid())); time.sleep(60)")
    place = processes(tmp_path, workers=2)

    def interrupt() -> None:
        while len([file for file in tmp_path.glob("*.number") if file.read_text()]) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Thread(target=interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        list(place.run(plan_made(seeds=3, entries=("vgg16",)).units))
    timer.join()
    numbers = [int(file.read_text()) for file in tmp_path.glob("*.number")]
    assert len(numbers) == 2
    assert not any(map(psutil.pid_exists, numbers))
    assert list((tmp_path / "data/.units").glob("*/")) == []


def test_a_study_that_is_killed_takes_its_units_with_it(tmp_path, fake_command):
    fake_command("pathlib.Path('number').write_text(str(os.getpid())); time.sleep(60)")
    study = subprocess.Popen([sys.executable, "-c", STUDY], cwd=tmp_path)
    while study.poll() is None and not ((tmp_path / "number").is_file() and (tmp_path / "number").read_text()):
        time.sleep(0.05)
    study.kill()
    study.wait()
    number = int((tmp_path / "number").read_text())
    psutil.wait_procs([psutil.Process(number)] if psutil.pid_exists(number) else [], timeout=10)
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE
