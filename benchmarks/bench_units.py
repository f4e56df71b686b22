"""How much a cluster adds to a study, and how much faster two workers are than one.

    python benchmarks/bench_units.py

Units are no trainings: 10,000 that do nothing, then 12 (2 models x 3 folds x 2 seeds) whose command waits. Prints
figures with their targets, and the load of the machine.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fake_units import fake_workers, make_job, put_fake
from leukoscope.cluster.client import connect
from leukoscope.cluster.options import ClusterOptions
from leukoscope.study import commands
from leukoscope.study.ledger import Mark
from leukoscope.study.plan import Unit, make_plan
from leukoscope.study.remote import Dask
from leukoscope.study.running import Processes, run_units
from leukoscope.study.unit import Job, Outcome

_SECONDS = 3.0


def do_nothing(unit: Unit, job: Job, study: str) -> Outcome:
    """Stand in for a unit."""
    return Outcome(unit, Mark("fold-1-of-10/runs/0", 0.0), "", 0.0)


def measure_plan(project: Path) -> dict[str, float]:
    """Plan and run 10,000 empty units; the scheduler is in this process, so that its memory counts too."""
    began = time.monotonic()
    plan = make_plan({f"model_{number}": {} for number in range(100)}, 10, 10, 1)
    job = make_job(project)
    with connect(ClusterOptions(workers=2), project, project / "data") as client:
        outcomes = run_units(plan, job.ledger, Dask(client, job, do_nothing))
    assert len(outcomes) == 10_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return {"seconds (target: 60)": time.monotonic() - began, "peak GiB (target: 1)": peak}


def measure_workers(project: Path) -> dict[str, float]:
    """Run twelve units that wait, on this machine and on two workers of a cluster."""
    plan = make_plan({"vgg16": {}, "resnet50": {}}, 3, 2, 1)
    code = f"time.sleep({_SECONDS}); leave()"
    one, two = project / "one", project / "two"
    for place in (one, two):
        place.mkdir()
    commands._SOURCE = put_fake(one, code)
    began = time.monotonic()
    assert all(outcome.mark for outcome in run_units(plan, make_job(one).ledger, Processes(make_job(one))))
    alone = time.monotonic() - began
    with connect(ClusterOptions(workers=2), two, two / "data") as client:
        fake_workers(client, put_fake(two, code))
        began = time.monotonic()
        job = make_job(two)
        assert all(outcome.mark for outcome in run_units(plan, job.ledger, Dask(client, job)))
        spread = time.monotonic() - began
    return {"seconds of one": alone, "seconds of two": spread, "ratio (target: 0.6)": spread / alone}


def main() -> None:
    """Measure both."""
    for measure in (measure_plan, measure_workers):
        with TemporaryDirectory() as folder:
            figures = measure(Path(folder))
        rounded = {name: round(value, 2) for name, value in figures.items()}
        load = [round(value, 1) for value in os.getloadavg()]
        print(json.dumps({"what": measure.__name__} | rounded | {"load": load, "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
