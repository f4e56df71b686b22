"""Units as tasks of a cluster: the same rows as here, each at work once, whoever dies."""

import time
from types import SimpleNamespace
from unittest.mock import Mock

import psutil
import pytest
from distributed import KilledWorker

from fake_units import fake_workers, make_job, put_fake, read_ran
from leukoscope.cluster.client import connect
from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.study import commands
from leukoscope.study.commands import StoppedError
from leukoscope.study.plan import make_plan
from leukoscope.study.remote import Dask
from leukoscope.study.running import Processes, run_units
from leukoscope.study.workspace import Workspace
from made_study import plan_made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers of this machine, and a project whose units are a few lines."""
    project = tmp_path_factory.mktemp("cluster")
    source = put_fake(project, "leave()")
    with connect(ClusterOptions(workers=2), project, project / "data") as client:
        fake_workers(client, source)
        yield client, project


@pytest.fixture
def project(cluster, tmp_path):
    put_fake(tmp_path, "leave()")
    return tmp_path


def run(cluster, project, code: str, plan=None):
    client, _ = cluster
    (project / "code.py").write_text(code)
    job = make_job(project, parent="f00")
    return run_units(plan or plan_made(seeds=1), job.ledger, Dask(client, job))


def test_rows_are_those_of_this_machine(cluster, project, tmp_path_factory, monkeypatch):
    code = "sys.exit('Error: no luck') if seed == 1 and entry == 'vgg16' else leave()"
    plan = plan_made(seeds=2)
    remote = run(cluster, project, code, plan)
    other = tmp_path_factory.mktemp("here")
    monkeypatch.setattr(commands, "_SOURCE", put_fake(other, code))
    local = run_units(plan, make_job(other).ledger, Processes(make_job(other)))

    def rows(outcomes) -> list:
        return [(outcome.unit, outcome.mark and outcome.mark.place, outcome.reason) for outcome in outcomes]

    assert rows(remote) == rows(local)
    assert [outcome.reason for outcome in remote] == ["no luck"] * 2 + [""] * 6
    told = read_ran(project)
    assert len(told) == 8
    assert not (project / "twice").exists()
    assert '"mlflow.parentRunId": "f00"' in told[0][1]
    assert list((project / "data/.units").glob("*/")) == []


def test_two_entries_that_are_alike_are_two_units(cluster, project):
    outcomes = run(cluster, project, "leave()", make_plan({"vgg16": {}, "resnet50": {}}, 2, 1, 1))
    assert [outcome.unit.entry for outcome in outcomes if outcome.mark] == ["vgg16"] * 2 + ["resnet50"] * 2


def test_another_copy_of_the_project_has_units_of_its_own(tmp_path):
    """The scheduler would else hand one the outcome of the other, whose training it does not have."""
    keys = set()
    for name in ("one", "other"):
        place = Dask(Recording(), make_job(tmp_path / name))
        place._submit = lambda units: keys.update(units) or []
        list(place.run(plan_made(seeds=1, entries=("vgg16",)).units))
    assert len(keys) == 2 * 2


class Recording:
    """Stands in for a client whose workers declare some resources."""

    def __init__(self, *resources: dict[str, float]) -> None:
        self.workers = {str(number): {"resources": given} for number, given in enumerate(resources)}
        self.asked: list[dict] = []
        self.status = "running"

    def scheduler_info(self, n_workers: int) -> dict:
        return {"workers": self.workers}

    def map(self, *_, **options) -> list:
        self.asked.append(options)
        return []


@pytest.mark.parametrize(("resources", "needed"), [([{}, {}], None), ([{}, {"GPU": 1.0}], {"GPU": 1})])
def test_units_run_on_workers_with_a_gpu_where_there_are_some(tmp_path, resources, needed):
    client = Recording(*resources)
    Dask(client, make_job(tmp_path))._submit({})
    assert client.asked[0]["resources"] == needed


@pytest.mark.parametrize(("begun", "given_up"), [(0, False), (2, False), (3, True)])
def test_a_unit_is_given_up_by_its_own_beginnings_alone(tmp_path, begun, given_up):
    """Dask counts each death of a worker against all tasks that it had, also one that had not begun."""
    place = Dask(Recording(), make_job(tmp_path))
    (unit, _) = plan_made(seeds=1, entries=("vgg16",)).units
    workspace = Workspace(tmp_path / "data", unit)
    with workspace.open(lambda: False):
        for _ in range(begun):
            workspace.note_start(place._study)
        workspace.note_start("another study")
    killed = SimpleNamespace(cancelled=lambda: False, exception=lambda: KilledWorker("key", None, 3))
    outcome = place._explain(killed, unit)
    assert outcome is None if not given_up else outcome.reason.startswith("3 workers died")


def test_a_task_that_was_stopped_is_handed_in_again_and_a_lost_scheduler_is_told(tmp_path):
    place = Dask(client := Recording(), make_job(tmp_path))
    (unit, _) = plan_made(seeds=1, entries=("vgg16",)).units
    stopped = SimpleNamespace(cancelled=lambda: False, exception=StoppedError)
    assert place._explain(stopped, unit) is None
    client.status = "closed"
    with pytest.raises(InputError, match="The scheduler of Dask is lost"):
        place._explain(stopped, unit)


def test_a_scheduler_that_is_lost_when_units_are_handed_in_is_told(tmp_path):
    client = Recording()
    client.map = Mock(side_effect=OSError("Timed out"))
    with pytest.raises(InputError, match="The scheduler of Dask is lost"):
        Dask(client, make_job(tmp_path))._submit({})


def test_a_finished_unit_is_not_run_again(cluster, project):
    run(cluster, project, "leave()")
    outcomes = run(cluster, project, "sys.exit(1)")
    assert all(outcome.mark for outcome in outcomes)
    assert len(read_ran(project)) == 4


def test_a_unit_that_kills_its_workers_is_a_row_and_all_others_are_finished(cluster, project):
    code = "os.kill(os.getppid(), 9) if (entry, split) == ('vgg16', 'fold-2-of-2') else leave()"
    outcomes = run(cluster, project, code)
    reason = "3 workers died while they made it, which is often a lack of memory"
    assert [outcome.reason for outcome in outcomes] == ["", reason, "", ""]
    begun = [options["params"]["splitting"]["fold"] for options, _ in read_ran(project)]
    assert begun.count("2 of 2") == 3 + 1
    assert not (project / "twice").exists()
    assert list((project / "data/.units").glob("*.starts")) == []


@pytest.mark.slow
def test_a_unit_whose_worker_is_killed_goes_on_elsewhere_and_its_process_ends_with_the_worker(cluster, project):
    code = (
        "first = not pathlib.Path('number').exists()\n"
        "if first: pathlib.Path('number').write_text(f'{os.getpid()} {os.getppid()}'); os.kill(os.getppid(), 9)\n"
        "if first: time.sleep(60)\n"
        "leave()"
    )
    began = time.monotonic()
    outcomes = run(cluster, project, code, plan_made(seeds=1, entries=("vgg16",)))
    assert all(outcome.mark for outcome in outcomes)
    assert time.monotonic() - began < 50
    assert not is_there(int((project / "number").read_text().split()[0]))
    assert not (project / "twice").exists()


@pytest.mark.slow
def test_units_of_a_study_that_is_given_up_are_ended(cluster, project):
    client, _ = cluster
    (project / "code.py").write_text("pathlib.Path(f'{name}.number').write_text(str(os.getpid())); time.sleep(60)")
    job = make_job(project)
    begun = Dask(client, job)._submit({unit.identity: unit for unit in plan_made(seeds=1).units})
    while len(numbers := [int(file.read_text() or 0) for file in project.glob("*.number")]) < 2:
        time.sleep(0.05)
    for future in begun:
        future.release()
    del begun, future
    deadline = time.monotonic() + 20
    while any(is_there(number) for number in numbers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(is_there(number) for number in numbers)
    assert all(outcome.mark for outcome in run(cluster, project, "leave()"))  # at once, on the same workers


def is_there(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE  # one that nobody has waited for yet
    except psutil.NoSuchProcess:
        return False
