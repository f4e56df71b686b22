"""Trainings that are killed for real, at random moments, and started again by the same command."""

import io
import logging
import random
import resource
import signal
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import LoggedModelStatus

from faults.workplace import MODEL, SEED, Workplace, at_any_time, in_an_epoch, while_there_is
from faults.works import TRAINING

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.faults

EPOCHS, ROUNDS = 5, 2
RECIPES = [{}, {"head_epochs": 2, "trainable": "block_13", "ema_momentum": 0.9}]
MODELS = f"data/demo/06_models/{MODEL}"
WHILE_TRAINING = {
    "in an epoch": in_an_epoch,
    "in a checkpoint": while_there_is(f"{MODELS}/*/runs/*/unfinished-state*"),
    "while logging an epoch": while_there_is("mlflow.db-journal", after=12),
    "at any time": at_any_time(),
}
WHILE_THE_HEAD_TRAINS = {"while keeping features": while_there_is(f"{MODELS}/features/*.npy")}
AT_THE_END = {
    "while keeping the trained weights": while_there_is(f"{MODELS}/*/runs/*/unfinished-final*"),
    "while saving the model": while_there_is(f"{MODELS}/unfinished*.keras"),
    "while logging the model": while_there_is("mlartifacts/**/model.keras"),
}

# What differs between two trainings that are alike; without counters there is no energy.
COSTS = ["training_seconds", "seconds", "cpu_seconds", "energy_kwh"]


def train(recipe: dict) -> list[str]:
    parameters = ",".join(f"{MODEL}.training.{name}={value}" for name, value in recipe.items())
    return [*TRAINING.options, *(["--params", parameters] if recipe else [])]


def result(place: Workplace) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """The history without its times, and the weights of the model."""
    folder = place.root / MODELS
    history = pd.read_csv(place.find_run() / "history.csv").drop(columns=COSTS, errors="ignore")
    weights = []
    with zipfile.ZipFile(folder / "model.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(lambda _, item: weights.append(item[()]) if isinstance(item, h5py.Dataset) else None)
    return history, weights


@pytest.fixture(scope="module")
def expected(prepared, tmp_path_factory):
    place = Workplace(tmp_path_factory.mktemp("expected"), tmp_path_factory.mktemp("logs"), prepared)
    outcomes = []
    for recipe in RECIPES:
        place.reset(TRAINING.outputs)
        place.start(train(recipe)).succeed()
        outcomes.append(result(place))
    return outcomes


@pytest.fixture
def place(workplace) -> Workplace:
    workplace.reset(TRAINING.outputs)
    return workplace


def check(place, expected) -> None:
    history, weights = result(place)
    assert history.equals(expected[0])
    assert all((ours == theirs).all() for ours, theirs in zip(weights, expected[1], strict=True))
    assert place.runs == ["FINISHED"]
    assert LoggedModelStatus.PENDING.to_int() not in place.ask_mlflow("SELECT status FROM logged_models")
    steps = place.ask_mlflow("SELECT step FROM metrics WHERE key = 'epoch/train_loss' ORDER BY timestamp")
    assert steps == list(range(1, EPOCHS + 1))


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_killed_run_ends_like_one_that_was_not(place, expected, chance, number):
    """Each round kills at every kind of moment once: first keeping features, then training, then what ends a run."""
    which = number % len(RECIPES)
    training = chance.sample(list(WHILE_TRAINING.items()), len(WHILE_TRAINING))
    moments = [*(WHILE_THE_HEAD_TRAINS.items() if which else ()), *training, *AT_THE_END.items()]
    kills = []
    for name, moment in moments:
        command = place.start(train(RECIPES[which]))
        command.signal_at(moment(command, chance)).end()
        if "FINISHED" in place.runs:
            break
        kills.append(f"{name} (epoch {place.epochs})")
    else:
        place.start(train(RECIPES[which])).succeed()
    logger.warning("LEUKOSCOPE_FAULT_SEED=%d, round %d: killed %s", SEED, number, ", ".join(kills))
    check(place, expected[which])
    assert len(kills) >= 5


def test_a_run_that_may_write_no_large_file_goes_on_once_it_may(place, expected):
    def fill() -> None:
        # A limit on the size of files: they fail to grow as they do on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (20 * 2**20, 20 * 2**20))

    command = place.start(train(RECIPES[0]), preexec_fn=fill)
    assert f"Epoch 1 of {MODEL} could not be kept" in command.fail()
    place.start(train(RECIPES[0])).succeed()
    check(place, expected[0])


def test_an_interrupted_run_is_marked_and_says_how_to_go_on(place, expected):
    def listen() -> None:
        # What is started in a shell's background ignores Ctrl-C, and hands that on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    command = place.start(train(RECIPES[0]), preexec_fn=listen)
    command.signal_at(in_an_epoch(command, random.Random(SEED)), signal.SIGINT)
    assert command.end() != 0
    assert "The same command goes on in the same run" in " ".join(command.text.split())
    assert place.runs == ["KILLED"]
    assert "going on after epoch" in place.start(train(RECIPES[0])).succeed()
    check(place, expected[0])
