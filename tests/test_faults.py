"""Runs that are killed for real, at random moments, and started again by the same command.

Not part of the default tests, for their length: ``make test-faults``.
"""

import io
import logging
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import LoggedModelStatus

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.faults

EPOCHS, ROUNDS = 5, 4
SEED = int(os.environ.get("LEUKOSCOPE_FAULT_SEED", random.randrange(10**6)))
BACKBONE = "mobilenet_v2"
RECIPES = [
    {"input_size": 32, "epochs": EPOCHS},
    {"input_size": 32, "epochs": EPOCHS, "head_epochs": 2, "trainable": "block_13", "ema_momentum": 0.9},
]
DATA = Path("data/demo")


def start(project: Path, recipe: dict, log: Path, **options) -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW", "KEDRO"))}
    command = [sys.executable, "-m", "kedro", "run", "--env", "demo", "--pipelines", f"train_{BACKBONE}"]
    parameters = ",".join(f"{BACKBONE}.training.{name}={value}" for name, value in recipe.items())
    with log.open("w") as output:
        return subprocess.Popen(
            [*command, "--params", parameters],
            cwd=project,
            env=environment | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,
        )


def finish(project: Path, recipe: dict, log: Path) -> str:
    process = start(project, recipe, log)
    assert process.wait(300) == 0, log.read_text()
    return log.read_text()


def epochs_so_far(project: Path) -> int:
    history = project / DATA / "06_models" / BACKBONE / "journal/history.csv"
    return len(history.read_text().splitlines()) - 1 if history.is_file() else 0


def in_an_epoch(project: Path, chance: random.Random) -> Callable[[], bool]:
    """Some time after the next epoch was kept, so most often in the middle of one."""
    before, delay, kept = epochs_so_far(project), chance.uniform(0, 0.8), []

    def now() -> bool:
        if not kept and epochs_so_far(project) > before:
            kept.append(time.monotonic())
        return bool(kept) and time.monotonic() - kept[0] > delay

    return now


def while_there_is(pattern: str, after: float = 0) -> Callable[[Path, random.Random], Callable[[], bool]]:
    """A moment after a file appears that is there while something is written; some seconds from the start at most."""

    def moment(project: Path, chance: random.Random) -> Callable[[], bool]:
        delay, seen, start = chance.uniform(0, 0.03), [], time.monotonic() + chance.uniform(0, after)

        def now() -> bool:
            if not seen and time.monotonic() > start and any(project.glob(pattern)):
                seen.append(time.monotonic())
            return bool(seen) and time.monotonic() - seen[0] > delay

        return now

    return moment


def at_any_time(project: Path, chance: random.Random) -> Callable[[], bool]:
    end = time.monotonic() + chance.uniform(0, 12)
    return lambda: time.monotonic() > end


WHILE_TRAINING = {
    "in an epoch": in_an_epoch,
    "in a checkpoint": while_there_is(f"{DATA}/06_models/{BACKBONE}/journal/unfinished-state*"),
    "while logging an epoch": while_there_is("mlflow.db-journal", after=12),
    "at any time": at_any_time,
}
WHILE_THE_HEAD_TRAINS = {
    "while keeping features": while_there_is(f"{DATA}/06_models/{BACKBONE}/features/*.npy"),
}
AT_THE_END = {
    "while keeping the trained weights": while_there_is(f"{DATA}/06_models/{BACKBONE}/journal/unfinished-final*"),
    "while saving the model": while_there_is(f"{DATA}/06_models/{BACKBONE}/unfinished*.keras"),
    "while logging the model": while_there_is("mlartifacts/**/model.keras"),
}


def kill(project: Path, recipe: dict, log: Path, now: Callable[[], bool]) -> bool:
    """Start the command and kill it at a moment; tell whether that was before its end."""
    process = start(project, recipe, log)
    while process.poll() is None and not now():
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL and "FINISHED" not in runs(project)


def result(project: Path) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """The history without its times, and the weights of the model."""
    folder = project / DATA / "06_models" / BACKBONE
    history = pd.read_csv(folder / "journal/history.csv").drop(columns=["training_seconds", "seconds"])
    weights = []
    with zipfile.ZipFile(folder / "model.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(lambda _, item: weights.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return history, weights


def tracked(project: Path, query: str) -> list:
    """Ask MLflow's database itself: a client of this process would hold on to the file of an earlier test."""
    with closing(sqlite3.connect(project / "mlflow.db")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name IN ('runs', 'metrics')").fetchall()
        return [row[0] for row in database.execute(query)] if len(tables) == 2 else []


def runs(project: Path) -> list[str]:
    return tracked(project, "SELECT status FROM runs")


def clean(project: Path) -> None:
    shutil.rmtree(project / DATA / "06_models")
    shutil.rmtree(project / "mlartifacts")
    for file in project.glob("mlflow.db*"):
        file.unlink()


@pytest.fixture(scope="module")
def expected(project, tmp_path_factory):
    outcomes = []
    for recipe in RECIPES:
        finish(project, recipe, tmp_path_factory.mktemp("log") / "log.txt")
        outcomes.append(result(project))
        clean(project)
    return outcomes


@pytest.fixture
def log(project, tmp_path) -> Iterator[Path]:
    yield tmp_path / "log.txt"
    clean(project)


def check(project, expected) -> None:
    history, weights = result(project)
    assert history.equals(expected[0])
    assert all((ours == theirs).all() for ours, theirs in zip(weights, expected[1], strict=True))
    assert runs(project) == ["FINISHED"]
    assert LoggedModelStatus.PENDING.to_int() not in tracked(project, "SELECT status FROM logged_models")
    steps = tracked(project, "SELECT step FROM metrics WHERE key = 'epoch/train_loss' ORDER BY timestamp")
    assert steps == list(range(1, EPOCHS + 1))


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_killed_run_ends_like_one_that_was_not(project, expected, log, number):
    """Each round kills at every kind of moment once: first keeping features, then training, then what ends a run."""
    chance = random.Random(f"{SEED}-{number}")
    which = number % len(RECIPES)
    training = chance.sample(list(WHILE_TRAINING.items()), len(WHILE_TRAINING))
    moments = [*(WHILE_THE_HEAD_TRAINS.items() if which else ()), *training, *AT_THE_END.items()]
    kills = []
    for name, moment in moments:
        if not kill(project, RECIPES[which], log, moment(project, chance)):
            break
        kills.append(f"{name} (epoch {epochs_so_far(project)})")
    else:
        finish(project, RECIPES[which], log)
    logger.warning("LEUKOSCOPE_FAULT_SEED=%d, round %d: killed %s", SEED, number, ", ".join(kills))
    check(project, expected[which])
    assert len(kills) >= 5


def test_a_run_that_finds_the_disk_full_goes_on_once_there_is_room(project, expected, log):
    def fill() -> None:
        # A limit on the size of files: they fail to grow as they do on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (20 * 2**20, 20 * 2**20))

    process = start(project, RECIPES[0], log, preexec_fn=fill)
    assert process.wait(300) != 0
    assert "Epoch 1 of mobilenet_v2 could not be kept" in " ".join(log.read_text().split())
    finish(project, RECIPES[0], log)
    check(project, expected[0])


def test_an_interrupted_run_is_marked_and_says_how_to_go_on(project, expected, log):
    def listen() -> None:
        # What is started in a shell's background ignores Ctrl-C, and hands that on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    process = start(project, RECIPES[0], log, preexec_fn=listen)
    now = in_an_epoch(project, random.Random(SEED))
    while process.poll() is None and not now():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    assert "The same command goes on in the same run" in log.read_text()
    assert runs(project) == ["KILLED"]
    assert "going on after epoch" in finish(project, RECIPES[0], log)
    check(project, expected[0])
