"""A scheduler and two workers in processes of their own, which tests kill."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def start(*command: str, **options) -> subprocess.Popen:
    """Start Python with the modules of the tests."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen([sys.executable, *command], env=os.environ | {"PYTHONPATH": path}, **options)


@contextmanager
def run_cluster(file: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """Run a scheduler and two workers; gives the former, and its address."""
    file.unlink(missing_ok=True)
    common = ["--scheduler-file", str(file), "--no-dashboard"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    scheduler = start("-m", "distributed.cli.dask_scheduler", *common, "--port", "0", **quiet)
    options = ["--nworkers", "2", "--nthreads", "1", "--death-timeout", "120"]
    workers = start("-m", "distributed.cli.dask_worker", *common, *options, **quiet)
    try:
        yield scheduler, _read_address(file)
    finally:
        for leader in (workers, scheduler):
            # Workers that have lost their scheduler end by themselves, and not all of one command at once.
            with suppress(ProcessLookupError):
                os.killpg(leader.pid, signal.SIGKILL)
            leader.wait()


def _read_address(file: Path) -> str:
    while True:
        with suppress(FileNotFoundError, json.JSONDecodeError):  # it is there before it is whole
            return json.loads(file.read_text())["address"]
        time.sleep(0.05)
