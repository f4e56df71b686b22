"""A small project in which commands are run as processes, disturbed, and run again."""

import io
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SEED = int(os.environ.get("LEUKOSCOPE_FAULT_SEED", random.randrange(10**6)))
MODEL = "mobilenet_v2"
LONGEST = 900
_INTERRUPTED = "Interrupted. The same command goes on"
_DONE = "Pipeline execution completed successfully"

Now = Callable[[], bool]
Moment = Callable[["Command", random.Random], Now]


class Command:
    """A command that was started; ``end`` is the one place that looks at what every command must keep to.

    Args:
        process: The process, with a session of its own.
        log: All that it writes.
        place: Where it runs.
    """

    def __init__(self, process: subprocess.Popen, log: Path, place: "Workplace") -> None:
        self._process, self._log, self.place = process, log, place
        self.signalled = False

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def signal_at(self, now: Now, number: int = signal.SIGKILL) -> "Command":
        """Send a signal at a moment, or never if the command ends before."""
        while self.is_running and not now():
            time.sleep(0.001)
        if self.is_running:
            self.signalled = True
            self._process.send_signal(number)
        return self

    def end(self) -> int:
        """Wait for the end; whatever happened, there is no traceback, and an error is one line."""
        try:
            code = self._process.wait(LONGEST)
        finally:
            self._process.kill()
        assert "Traceback" not in self.text, self.text
        failed = code not in (0, 128 + signal.SIGTERM) and not self.signalled
        assert len(self.errors) == int(failed), self.text
        return code

    @property
    def errors(self) -> list[str]:
        return re.findall(r"^Error: .*", self.text, re.MULTILINE)

    def succeed(self) -> str:
        """Wait for the end, which is a good one; gives what was written, on one line."""
        assert self.end() == 0, self.text
        return " ".join(self.text.split())

    def fail(self) -> str:
        """Wait for the end, which is an error; gives its line."""
        assert self.end() == 1, self.text
        return self.errors[0]

    def is_interrupted(self) -> bool:
        """Wait for the end, and tell whether the signal came before all was done; then the command has said so."""
        code = self.end()
        if code == 0 or _DONE in self.text:  # nothing was left to do but to end
            return False
        assert not self.signalled or _INTERRUPTED in self.text, self.text
        return True


class Workplace:
    """A folder with a project.

    Args:
        root: The folder.
        logs: Where each command's output goes, outside it.
        prepared: A project to copy, in which a model was trained.
    """

    def __init__(self, root: Path, logs: Path, prepared: Path) -> None:
        self.root, self._logs, self._prepared = root, logs, prepared
        self.data = root / "data/demo"
        self._started = 0
        shutil.copytree(prepared, root, dirs_exist_ok=True, ignore=_mlflow)

    def reset(self, outputs: Iterable[str] = ()) -> None:
        """Make everything as it was prepared, without some results, and without anything in MLflow."""
        shutil.rmtree(self.data)
        shutil.copytree(self._prepared / "data/demo", self.data)
        for pattern in outputs:
            for path in list(self.data.glob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in self.root.glob("mlflow.db*"):
            path.unlink()
        for path in self.root.glob("mlartifacts/*"):
            shutil.rmtree(path)

    def start(self, options: Iterable[str], environment: dict[str, str] | None = None, **popen: Any) -> Command:
        """Start ``kedro run --env demo`` with more options, whether or not anything has changed."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "KEDRO"))}
        own |= {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"} | (environment or {})
        self._started += 1
        log = self._logs / f"{self._started}.txt"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "kedro", "run", "--env", "demo", "--force", "--verbose", *options],
                cwd=self.root,
                env=own,
                stdout=output,
                stderr=subprocess.STDOUT,
                **popen,
            )
        return Command(process, log, self)

    @property
    def epochs(self) -> int:
        """Whole epochs so far."""
        history = self.find_run() / "history.csv"
        return max(0, len(history.read_text().splitlines()) - 1) if history.is_file() else 0

    def find_run(self) -> Path:
        """The folder of the training at work; that of the model where there is none."""
        pointer = self.data / f"06_models/{MODEL}/current"
        return pointer.parent / pointer.read_text().strip() if pointer.is_file() else pointer.parent

    def contents(self, *left_out: str) -> dict[str, Any]:
        """Read all files of the data folder but locks, which are empty, and records of runs; none is unfinished.

        Args:
            left_out: Names, not paths, of files that differ rightly.
        """
        files = [path for path in self.data.rglob("*") if path.is_file() and path.suffix != ".lock"]
        files = [path for path in files if path.parent.name != ".finished"]
        unfinished = [path for path in files if re.search(r"unfinished-|/\.[^/]+\.(new|old)/", str(path))]
        assert not unfinished
        return {str(path.relative_to(self.data)): read(path) for path in sorted(files) if path.name not in left_out}

    def ask_mlflow(self, query: str) -> list[Any]:
        """Ask the database itself: a client of this process would hold on to the file of an earlier test."""
        return ask(self.root / "mlflow.db", query)

    @property
    def runs(self) -> list[str]:
        """The status of each run, in the order of their making."""
        return self.ask_mlflow("SELECT status FROM runs ORDER BY rowid")


def ask(file: Path, query: str) -> list[Any]:
    """Give the first column of what a database of MLflow answers; nothing where it is not whole yet."""
    if not file.is_file():
        return []
    with closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name IN ('runs', 'metrics')").fetchall()
        return [row[0] for row in database.execute(query)] if len(tables) == 2 else []


def read(path: Path) -> Any:
    """Give a file's content; of a Keras archive the weights by their names.

    The rest of it tells when it was written, addresses in memory, and the seed of weights before training.
    """
    if path.suffix != ".keras":
        return path.read_bytes()
    weights: list[tuple[str, bytes]] = []

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            weights.append((name, np.asarray(item[()]).tobytes()))

    with zipfile.ZipFile(path) as archive:
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(take)
        return weights


def name_differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Name the files that two folders do not have alike."""
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def _mlflow(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(("mlflow.db", "mlartifacts"))]


def at_any_time(longest: float = 12) -> Moment:
    """Some seconds after the start."""

    def moment(command: Command, chance: random.Random) -> Now:
        end = time.monotonic() + chance.uniform(0, longest)
        return lambda: time.monotonic() > end

    return moment


def _after(seen: Now, delay: float) -> Now:
    times: list[float] = []

    def now() -> bool:
        if not times and seen():
            times.append(time.monotonic())
        return bool(times) and time.monotonic() - times[0] > delay

    return now


def in_a_node(nodes: int, delay: float = 1.0) -> Moment:
    """Soon after one of the nodes began, whichever, so that it comes in, after or before one.

    Args:
        nodes: How many the command has.
        delay: Seconds at most.
    """

    def moment(command: Command, chance: random.Random) -> Now:
        number = chance.randint(1, nodes)
        return _after(lambda: command.text.count("Running node:") >= number, chance.uniform(0, delay))

    return moment


def in_an_epoch(command: Command, chance: random.Random) -> Now:
    """Some time after the next epoch was kept, so most often in the middle of one."""
    before = command.place.epochs
    return _after(lambda: command.place.epochs > before, chance.uniform(0, 0.8))


def while_there_is(pattern: str, after: float = 0, delay: float = 0.03) -> Moment:
    """A moment after a file appears that is there while something is written; some seconds from the start at most."""

    def moment(command: Command, chance: random.Random) -> Now:
        start = time.monotonic() + chance.uniform(0, after)
        return _after(
            lambda: time.monotonic() > start and any(command.place.root.glob(pattern)), chance.uniform(0, delay)
        )

    return moment
