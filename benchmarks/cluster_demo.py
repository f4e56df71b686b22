"""A small study and opinions on a cluster of this machine, of which a worker is killed: `make cluster-demo`.

Starts a scheduler and two workers, trains two small models on drawn smears with them, lets them read all smears, and
names the page of the study and the opinions. A second time it finds everything finished, and kills nobody.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil

_DATA = Path("data/demo")
_SECONDS_INTO_A_UNIT = 3.0
_READER = "putzu_svm"  # trained in seconds


@contextmanager
def start(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of Dask's commands for as long as it is needed."""
    process = subprocess.Popen([sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:]])
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def find_address() -> str:
    """Find a port that nobody uses."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{held.getsockname()[1]}"


def kill_worker(nannies: list[subprocess.Popen[bytes]], study: subprocess.Popen[bytes]) -> None:
    """Kill a worker that has a unit at work; its nanny starts another."""
    while study.poll() is None and not (busy := list_busy(nannies)):
        time.sleep(0.2)
    time.sleep(_SECONDS_INTO_A_UNIT)
    if study.poll() is None and busy[0].is_running():
        print(f"Killing the worker {busy[0].pid} with its unit, which goes on with another", flush=True)
        busy[0].kill()


def list_busy(nannies: list[subprocess.Popen[bytes]]) -> list[psutil.Process]:
    """List the workers whose child is a unit's command."""
    workers = [worker for nanny in nannies for worker in psutil.Process(nanny.pid).children()]
    return [worker for worker in workers if any("leukoscope" in " ".join(unit.cmdline()) for unit in worker.children())]


def name_command(pipelines: str, params: str) -> list[str]:
    """Name a command like `kedro run --env demo`."""
    return [sys.executable, "-m", "leukoscope", "--env", "demo", "--pipelines", pipelines, "--params", params]


def study_and_read(nannies: list[subprocess.Popen[bytes]], cluster: str, given: str) -> int:
    """Run the study, of which a worker is killed, and then what reads; gives the exit status of what fails, or 0."""
    study = subprocess.Popen(name_command("study", f"{cluster},{given}"))
    kill_worker(nannies, study)
    code = study.wait()
    steps = [
        name_command(f"train_{_READER}", "robustness.images=8"),
        name_command("reader", f"reader.model={_READER}"),
        name_command("predict", f"images={_DATA / '01_raw/leukemia'},{cluster}"),
    ]
    while code == 0 and steps:
        code = subprocess.run(steps.pop(0), check=False).returncode
    return code


def main() -> int:
    """Run the demo; gives the exit status of the first command that fails, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", default="study.seeds=1", help="of the study, as kedro run takes them")
    given = parser.parse_args().params
    address = find_address()
    port = address.rpartition(":")[2]
    cluster = f"cluster.scheduler={address},cluster.workers=2,cluster.timeout=60"
    os.environ["DASK_LOGGING__DISTRIBUTED"] = "error"
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # scheduler and workers end with it
    with ExitStack() as stack:
        stack.enter_context(start("dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"))
        nannies = [
            stack.enter_context(start("dask_worker", address, "--nthreads", "1", "--no-dashboard")) for _ in range(2)
        ]
        code = study_and_read(nannies, cluster, given)
    if code == 0:
        print(f"\nThe study's page: {_DATA / '08_reporting/study.html'}")
        print(f"The opinions:     {_DATA / '07_model_output/opinions.csv'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
