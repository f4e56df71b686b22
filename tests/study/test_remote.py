"""Units as tasks of a cluster: the same rows as here, each at work once, whoever dies."""

import os
import signal
import time

import pytest

from fake_units import fake_workers, make_job, put_fake, read_ran
from leukoscope.cluster.client import connect
from leukoscope.cluster.options import ClusterOptions
from leukoscope.study import commands
from leukoscope.study.remote import Dask
from leukoscope.study.running import Processes, run_units
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
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "number").read_text().split()[0]), signal.SIG_DFL)
    assert not (project / "twice").exists()


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
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
