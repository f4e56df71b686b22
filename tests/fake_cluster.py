"""A cluster of processes on this machine that are killed for real, with units of some lines."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil

from fake_units import put_fake

EPOCHS = 4
# Each unit has some epochs, and goes on after the last whole one.
CODE = f"""
folder = workspace / "06_models" / entry / split / "runs" / f"{{seed:012x}}"
folder.mkdir(parents=True, exist_ok=True)
file = folder / "epochs"
for epoch in range(len(file.read_text().split()) if file.is_file() else 0, {EPOCHS}):
    time.sleep(0.15)
    with file.open("a") as lines: lines.write(f"{{epoch}}\\n")
leave()
"""
CLIENT = """
import json, sys
from pathlib import Path
from fake_units import fake_workers, make_job
from leukoscope.cluster.client import connect
from leukoscope.cluster.options import ClusterOptions
from leukoscope.core.errors import InputError
from leukoscope.study.remote import Dask
from leukoscope.study.running import run_units
from made_study import plan_made
project, address, source = Path.cwd(), sys.argv[1], sys.argv[2]
try:
    options = ClusterOptions(scheduler=address, workers=2, timeout=60)
    with connect(options, project, project / "data") as client:
        fake_workers(client, source)
        job = make_job(project)
        outcomes = run_units(plan_made(seeds=2), job.ledger, Dask(client, job))
    rows = [[str(outcome.unit), outcome.reason] for outcome in outcomes]
    (project / "rows.json").write_text(json.dumps(rows))
except InputError as error:
    sys.exit(error.message)
"""
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}


class FakeCluster:
    """A scheduler, two workers with their nannies, and a client, each of which can be killed."""

    def __init__(self, project: Path) -> None:
        self.project, self.source = project, put_fake(project, CODE)
        with closing(socket.socket()) as held:
            held.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{held.getsockname()[1]}"
        self._servers: list[subprocess.Popen[bytes]] = []
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        }

    def start_servers(self) -> None:
        port = self.address.rpartition(":")[2]
        self._start("dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        for number in range(2):
            self._start("dask_worker", self.address, "--nthreads", "1", "--name", str(number), "--no-dashboard")

    def _start(self, name: str, *options: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{name}", *options]
        self._servers.append(subprocess.Popen(command, cwd=self.project, env=self._environment, **_QUIET))

    def start_client(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CLIENT, self.address, self.source]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.project, env=self._environment, **pipe)

    def kill(self, what: str, client: subprocess.Popen[str]) -> None:
        """Kill the client, the scheduler, or the process of a worker, which its nanny starts again."""
        assert client.poll() is None
        if what == "client":
            client.kill()
        elif what == "scheduler":
            self._servers[0].kill()
        else:
            nanny = psutil.Process(self._servers[1].pid)
            workers = [child for child in nanny.children() if "spawn_main" in " ".join(child.cmdline())]
            assert workers
            for worker in workers:
                worker.kill()

    def stop_servers(self) -> None:
        for process in reversed(self._servers):
            for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
                child.kill()
            process.kill()
            process.wait()
        self._servers.clear()

    def finish(self, client: subprocess.Popen[str]) -> list[list[str]]:
        """Let the client end; where it was lost or lost its scheduler, begin again, as its user would."""
        said, _ = client.communicate(timeout=120)
        if client.returncode:
            assert client.returncode == -signal.SIGKILL or "scheduler of Dask is lost" in said, said
            if self._servers[0].poll() is not None:
                self.stop_servers()
                self.start_servers()
            said, _ = (client := self.start_client()).communicate(timeout=120)
        assert client.returncode == 0, said
        return json.loads((self.project / "rows.json").read_text())

    def wait_for_epoch(self, client: subprocess.Popen[str], seconds: float) -> None:
        """Wait until the first unit is at work, and some more."""
        while client.poll() is None and not list(self.project.glob("data/06_models/*/*/runs/*/epochs")):
            time.sleep(0.02)
        time.sleep(seconds)

    def list_epochs(self) -> list[list[str]]:
        return [file.read_text().split() for file in self.project.glob("data/06_models/*/*/runs/*/epochs")]
