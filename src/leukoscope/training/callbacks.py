"""Callbacks of each epoch: journal, log, seeding of random draws, and early stopping."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from leukoscope.backend import device
from leukoscope.core.durations import say_time_left
from leukoscope.core.energy import Meter
from leukoscope.core.errors import InputError
from leukoscope.images.batches import TrainingBatches
from leukoscope.training import checkpoint
from leukoscope.training.converged import Judgement
from leukoscope.training.held_images import HeldImages
from leukoscope.training.journal import EPOCHS, TrainingJournal
from leukoscope.training.recipe import ResolvedRecipe


def list_state(model: keras.Model) -> list[keras.Variable]:
    """List the variables from which a training resumes, without images held on the device, which are already on disk.

    Args:
        model: The compiled model of a phase.
    """
    layers = (layer for layer in model.layers if not isinstance(layer, HeldImages))
    return [*(weight for layer in layers for weight in layer.weights), *model.optimizer.variables]


@contextmanager
def explain_full_disk(what: str, name: str, journal: TrainingJournal) -> Iterator[None]:
    """Turn a failure to write a file into an error that says what could not be kept.

    Raises:
        InputError: A file could not be written.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{what} of {name} could not be kept in {journal.folder}: {error}. Make room there; the same command "
            f"then goes on after epoch {journal.epochs}."
        ) from error


class EpochLog(keras.callbacks.Callback):
    """Writes each epoch into the journal and the log, and stops at a loss of NaN."""

    async_safe = True  # a GPU need not wait for the check of each step's loss

    def __init__(
        self,
        name: str,
        recipe: ResolvedRecipe,
        network: keras.Model,
        journal: TrainingJournal,
        average: keras.callbacks.SwapEMAWeights | None,
    ) -> None:
        super().__init__()
        self.name = name
        self.recipe = recipe
        self.network = network
        self.journal = journal
        self.average = average

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self.epoch = epoch + 1
        self.started = time.perf_counter()
        self.meter = Meter(bool(device.list_accelerators()))

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Measure the time of the training steps alone."""
        self.training_seconds = time.perf_counter() - self.started

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop if the loss is not a number."""
        self.meter.sample()
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self._refuse(f"in step {batch + 1} of epoch {self.epoch}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the epoch's files, then log it."""
        logs = logs or {}
        row = {
            "epoch": epoch + 1,
            "train_loss": float(logs["loss"]),
            "train_accuracy": float(logs["accuracy"]),
            "validation_loss": float(logs["val_loss"]),
            "validation_accuracy": float(logs["val_accuracy"]),
            "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
            "training_seconds": self.training_seconds,
        }
        if not np.isfinite(row["validation_loss"]):
            self._refuse(f"on the validation images after epoch {epoch + 1}")
        with explain_full_disk(f"Epoch {epoch + 1}", self.name, self.journal):
            self.journal.keep(epoch + 1, row["validation_loss"], self._save_state, self._save_best)
            row["seconds"] = time.perf_counter() - self.started
            used = self.meter.stop()
            row["cpu_seconds"] = used.cpu_seconds
            if used.energy_kwh is not None:
                row["energy_kwh"] = used.energy_kwh
            self.journal.append(row)
        log_epoch(self.name, self.recipe.epochs, row)

    def _save_state(self, path: Path) -> None:
        checkpoint.save_variables(path, list_state(self.model))

    def _save_best(self, path: Path) -> None:
        if self.average:
            self.average.on_test_begin()
        checkpoint.save_variables(path, self.network.weights)
        if self.average:
            self.average.on_test_end()

    def _refuse(self, where: str) -> None:
        raise InputError(
            f"Training {self.name} stopped: the loss is no longer a number {where}. Try a smaller "
            f"learning rate (models.{self.name}.training.learning_rate is {self.recipe.learning_rate:g}), a "
            f"warm-up, or precision float32. What was trained until then is in {self.journal.folder}."
        )


class HeadLog:
    """Writes a head that was fitted at once into the journal and the log, as the only epoch of its training.

    Args:
        name: The model's name.
        network: The network whose head was fitted.
        journal: Journal of the training.
    """

    def __init__(self, name: str, network: keras.Model, journal: TrainingJournal) -> None:
        self.name = name
        self.network = network
        self.journal = journal
        self.started = time.perf_counter()
        self.meter = Meter(bool(device.list_accelerators()))

    def keep(self, training: Judgement, validation: Judgement) -> None:
        """Keep the network's weights, then log the epoch.

        Args:
            training: The head's performance on the images that it was fitted to.
            validation: The head's performance on the validation images.

        Raises:
            InputError: A loss is not a number because features are not; nothing is kept.
        """
        if not np.isfinite([training.loss, validation.loss]).all():
            raise InputError(
                f"The head of {self.name} was not fitted: features of its images are no numbers, as of damaged "
                f"weights, or of a precision that cannot hold them. Expected finite ones: give other weights, or set "
                f"models.{self.name}.training.precision=float32."
            )
        seconds = time.perf_counter() - self.started
        row: dict[str, Any] = {"epoch": 1, "train_loss": training.loss, "train_accuracy": training.accuracy}
        row |= {"validation_loss": validation.loss, "validation_accuracy": validation.accuracy}
        row |= {"learning_rate": 0.0, "training_seconds": seconds, "seconds": seconds}
        with explain_full_disk("The head", self.name, self.journal):
            self.journal.keep(1, validation.loss, self._save, self._save)
            used = self.meter.stop()
            row["cpu_seconds"] = used.cpu_seconds
            if used.energy_kwh is not None:
                row["energy_kwh"] = used.energy_kwh
            self.journal.append(row)
        log_epoch(self.name, 1, row)

    def _save(self, path: Path) -> None:
        checkpoint.save_variables(path, self.network.weights)


class DrawAnew(keras.callbacks.Callback):
    """Makes an epoch's random draws depend on seed and epoch alone, since Keras saves no generator states."""

    def __init__(self, seed: int, batches: TrainingBatches) -> None:
        super().__init__()
        self.seed = seed
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Reseed all generators for the epoch."""
        self.batches.go_to(epoch)
        states = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for number, state in enumerate(states):
            drawn = np.random.SeedSequence([self.seed, epoch, number]).generate_state(1)
            state.assign(np.append(drawn, 0).astype("uint32"))


class StopEarly(keras.callbacks.Callback):
    """Ends the training after an epoch if a condition holds."""

    def __init__(self, enough: Callable[[], bool]) -> None:
        super().__init__()
        self.enough = enough

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Check the condition."""
        self.model.stop_training = self.enough()


def log_epoch(name: str, epochs: int, row: dict[str, Any]) -> None:
    """Log an epoch as a readable line, with the figures in ``record.epoch`` for tracking."""
    left = say_time_left(row["epoch"], epochs, row["seconds"])
    logging.getLogger(EPOCHS).info(
        "%s epoch %d/%d: loss %.4f, accuracy %.4f; validation loss %.4f, accuracy %.4f; %.1f s%s",
        name,
        row["epoch"],
        epochs,
        row["train_loss"],
        row["train_accuracy"],
        row["validation_loss"],
        row["validation_accuracy"],
        row["seconds"],
        f", {left}" if left else "",
        extra={"model": name, "epoch": row, "epochs": epochs},
    )
