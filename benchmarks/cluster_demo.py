"""A small study on a cluster of this machine, of which a worker is killed in the middle: `make cluster-demo`.

Starts a scheduler and two workers, trains two small models on drawn smears with them, and names the page of the study.
A second time it finds everything finished, and kills nobody.
"""

import argparse
import os
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


def main() -> int:
    """Run the demo; gives the study's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", default="study.seeds=1", help="of the study, as kedro run takes them")
    given = parser.parse_args().params
    address = find_address()
    port = address.rpartition(":")[2]
    params = f"cluster.scheduler={address},cluster.workers=2,cluster.timeout=60,{given}"
    command = [sys.executable, "-m", "leukoscope", "--env", "demo", "--pipelines", "study", "--params", params]
    os.environ["DASK_LOGGING__DISTRIBUTED"] = "error"
    with ExitStack() as stack:
        stack.enter_context(start("dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"))
        nannies = [
            stack.enter_context(start("dask_worker", address, "--nthreads", "1", "--no-dashboard")) for _ in range(2)
        ]
        study = subprocess.Popen(command)
        kill_worker(nannies, study)
        code = study.wait()
    if code == 0:
        print(f"\nThe study's page: {_DATA / '08_reporting/study.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
