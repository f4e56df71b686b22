"""Fitting a classifier by a recipe."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from leukoscope.errors import InputError
from leukoscope.images.augmentation import build_augmentation
from leukoscope.images.batches import ImageBatches, TrainingBatches, ViewBatches
from leukoscope.images.labelled import LabelledImages
from leukoscope.memory import keep_freed_memory
from leukoscope.models import backend, checkpoint
from leukoscope.models.classifier import Classifier, build_classifier, build_empty, in_float32, set_trainable
from leukoscope.models.features import keep_features
from leukoscope.models.held import HeldImages
from leukoscope.models.journal import TrainingJournal
from leukoscope.models.optimizers import build_optimizer
from leukoscope.models.recipes import Phase, ResolvedRecipe

logger = logging.getLogger(__name__)


@dataclass
class Trainer:
    """Trains a classifier by a recipe, phase by phase.

    Args:
        backbone: A key of ``BACKBONES``.
        recipe: A resolved recipe.
        class_names: The classes in the order of the probabilities.
        training: The images of an epoch.
        validation: The images that early stopping looks at.
        augmentation: The arguments of ``build_augmentation``.
        journal: Takes the history, the state to go on from, the weights and the summary.
        seed: For everything random.
    """

    backbone: str
    recipe: ResolvedRecipe
    class_names: Sequence[str]
    training: LabelledImages
    validation: LabelledImages
    augmentation: dict[str, Any]
    journal: TrainingJournal
    seed: int
    _feature_seconds: float = field(default=0.0, init=False)

    def fit(self) -> Classifier:
        """Train, go on with a training that was interrupted, or take a finished one from its journal.

        Returns:
            The classifier in float32, with the best weights if the recipe has a patience, else the last.

        Raises:
            InputError: The loss is no longer a number, the weights cannot be had, or an epoch cannot be kept.
        """
        keep_freed_memory()
        backend.reset_peak_memory()
        keras.utils.clear_session()
        for row in self.journal.history().to_dict("records"):
            _log_epoch(self.backbone, self.recipe.epochs, row)
        if self.journal.finished:
            return self._recall()
        if self.journal.epochs:
            logger.info("%s: going on after epoch %d, where it was interrupted", self.backbone, self.journal.epochs)
        with backend.distribution(self.recipe.data_parallel, self.recipe.batch_size):
            for phase in self.recipe.phases:
                if self.journal.epochs <= phase.stop:
                    self.run(phase)
        return self._finish()

    @cached_property
    def precision(self) -> str:
        """The dtype policy that this device trains with."""
        precision = backend.choose_precision(self.recipe.precision)
        logger.info("%s: %s, %s on %s", self.backbone, keras.backend.backend(), precision, backend.describe_device())
        return precision

    @cached_property
    def network(self) -> keras.Model:
        """The network that trains, built when it is first asked for."""
        network = build_classifier(self.backbone, self.recipe, self.class_names, self.seed, self.precision).network
        backend.use_faster_kernels(network)
        return network

    def assemble(self, phase: Phase) -> tuple[keras.Model, TrainingBatches, ImageBatches]:
        """Compile the model that trains in a phase, with its batches of training and validation."""
        set_trainable(self.network, self.backbone, phase.trainable)
        on_features = phase.trainable == "head" and self.recipe.feature_views is not None
        model, batches, validation_data = self._on_features(phase) if on_features else self._on_images()
        if not len(batches):
            raise InputError(
                f"There are {len(self.training.rows)} training images, fewer than a batch has, "
                f"{self.recipe.batch_size}; with training.data_parallel it must be full. Choose a smaller batch_size."
            )
        model.compile(
            optimizer=build_optimizer(self.recipe, phase, len(batches), self.precision),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=self.recipe.label_smoothing),
            # Where the last validation batch is filled up, only weights tell which of its images count.
            **{"weighted_metrics" if self.recipe.data_parallel else "metrics": ["accuracy"]},
            steps_per_execution=backend.choose_steps_per_call(len(batches)),
        )
        model.optimizer.build(model.trainable_variables)
        return model, batches, validation_data

    def run(self, phase: Phase) -> None:
        """Train the epochs of a phase, from wherever the journal is."""
        model, batches, validation_data = self.assemble(phase)
        done = self.journal.epochs
        if phase.start < done:
            self._load(self.journal.state, list_state(model))
        if done == phase.stop or self._waited_enough(phase):
            model.optimizer.finalize_variable_values(model.trainable_variables)
            return
        average = keras.callbacks.SwapEMAWeights() if self.recipe.ema_momentum is not None else None
        log = _EpochLog(self.backbone, self.recipe, self.network, self.journal, average)
        model.fit(
            batches,
            validation_data=validation_data,
            initial_epoch=done,
            epochs=phase.stop,
            shuffle=False,
            callbacks=[
                *([average] if average else []),
                _Draw(self.seed, batches),
                log,
                _Stop(lambda: self._waited_enough(phase)),
            ],
            verbose=int(sys.stdout.isatty()),
        )

    def _recall(self) -> Classifier:
        logger.info(
            "%s: trained before with the same recipe, data and seed, not trained again. Remove %s to train anew.",
            self.backbone,
            self.journal.folder,
        )
        classifier = build_empty(self.backbone, self.recipe, self.class_names)
        self._load(self.journal.final_weights, classifier.network.weights)
        return classifier

    def _finish(self) -> Classifier:
        """Bring the weights wanted into a classifier in float32, and keep them."""
        if self.recipe.patience is not None:
            self._load(self.journal.best_weights, self.network.weights)
        set_trainable(self.network, self.backbone, self.recipe.trainable)
        classifier = Classifier(self.network, tuple(self.class_names))
        if self.precision != "float32" or self.recipe.data_parallel:
            classifier = in_float32(classifier, self.backbone, self.recipe)
        with _explain_full_disk("The trained weights", self.backbone, self.journal):
            weights = classifier.network.weights
            self.journal.finish(
                self._summarise(classifier.network), lambda path: checkpoint.save_variables(path, weights)
            )
        return classifier

    def _summarise(self, network: keras.Model) -> dict[str, Any]:
        history = self.journal.history()
        last = history.iloc[self.recipe.phases[-1].start :]
        return {
            "device": backend.describe_device(),
            "backend": keras.backend.backend(),
            "precision": self.precision,
            "input_size": self.recipe.input_size,
            "batch_size": self.recipe.batch_size,
            "parameters": network.count_params(),
            "trainable_parameters": sum(int(np.prod(one.shape)) for one in network.trainable_variables),
            "model_mib": sum(int(np.prod(one.shape)) for one in network.variables) * 4 / 2**20,
            "epochs": len(history),
            "best_epoch": self.journal.best_epoch,
            "seconds_per_epoch": last["seconds"].median(),
            "images_per_second": len(self.training.rows) / last["training_seconds"].median(),
            "seconds": float(history["seconds"].sum()),
            "feature_seconds": self._feature_seconds,
            "peak_memory_mib": backend.peak_memory_mib(),
        }

    def _load(self, file: Path, variables: Sequence[keras.Variable]) -> None:
        with self.journal.explain_damage(file):
            checkpoint.load_variables(file, variables)

    def _waited_enough(self, phase: Phase) -> bool:
        """Tell whether to stop early; from the journal alone, so that a training that goes on stops where it would."""
        if self.recipe.patience is None or phase != self.recipe.phases[-1]:
            return False
        return self.journal.epochs - max(self.journal.best_epoch, phase.start) >= self.recipe.patience

    def _on_images(self) -> tuple[keras.Model, TrainingBatches, ImageBatches]:
        """Put the network's own resizing and the augmentation before it; both models share all weights."""
        array, validation_array = self.training.pixels, self.validation.pixels
        if array is validation_array and backend.has_room_for(array.nbytes):
            logger.info("%s: the device holds all images", self.backbone)
            given = keras.Input((), dtype="int32", name="row")
            images = HeldImages(array)(given)
            array = validation_array = np.arange(len(array), dtype="int32")
        else:
            given = images = keras.Input(array.shape[1:], name="image")  # known: none is resized to its own size
        resized = keras.layers.Resizing(self.recipe.input_size, self.recipe.input_size)(images, training=False)
        augmented = build_augmentation(self.seed, **self.augmentation)(resized)
        model = keras.Model(given, self.network(augmented), name=f"{self.backbone}_training")
        batches = TrainingBatches(
            array,
            self.training.rows,
            self.training.classes,
            self.training.weights,
            n_classes=len(self.class_names),
            batch_size=self.recipe.batch_size,
            seed=self.seed,
            whole=self.recipe.data_parallel,
        )
        return model, batches, self._validation_batches(validation_array, self.validation.rows)

    def _on_features(self, phase: Phase) -> tuple[keras.Model, ViewBatches, ImageBatches]:
        """Leave out the frozen base: its features of several views of each image are computed once."""
        views = min(self.recipe.feature_views or 1, phase.stop - phase.start)
        # The augmentation is drawn batch by batch, and by the backend's own generator.
        key = self.journal.key | {"recipe": self.recipe.model_dump(include={"weights", "input_size", "batch_size"})}
        started = time.perf_counter()
        features = keep_features(
            self.journal.features,
            key | {"views": views},
            self.network,
            self.training,
            self.validation,
            build_augmentation(self.seed, **self.augmentation),
            views,
            self.recipe.batch_size,
        )
        self._feature_seconds += time.perf_counter() - started
        held = keras.Input(features.training.shape[-1:], name="features")
        head = self.network.get_layer("probabilities")(self.network.get_layer("dropout")(held))
        batches = ViewBatches(
            features.training,
            self.training.classes,
            self.training.weights,
            n_classes=len(self.class_names),
            batch_size=self.recipe.batch_size,
            seed=self.seed,
            whole=self.recipe.data_parallel,
        )
        model = keras.Model(held, head, name=f"{self.backbone}_head")
        return model, batches, self._validation_batches(features.validation, np.arange(len(features.validation)))

    def _validation_batches(self, array: np.ndarray, rows: np.ndarray) -> ImageBatches:
        one_hot = np.eye(len(self.class_names), dtype="float32")[self.validation.classes]
        size = self.recipe.batch_size
        return ImageBatches(array, rows, one_hot, batch_size=size, whole=self.recipe.data_parallel)


def list_state(model: keras.Model) -> list[keras.Variable]:
    """List the variables that a training goes on from; images that the device holds are on the disk already.

    Args:
        model: Of a phase, compiled.
    """
    layers = (layer for layer in model.layers if not isinstance(layer, HeldImages))
    return [*(one for layer in layers for one in layer.weights), *model.optimizer.variables]


@contextmanager
def _explain_full_disk(what: str, backbone: str, journal: TrainingJournal) -> Iterator[None]:
    """Say what could not be kept, if something could not.

    Raises:
        InputError: A file could not be written.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{what} of {backbone} could not be kept in {journal.folder}: {error}. Make room there; the same command "
            f"then goes on after epoch {journal.epochs}."
        ) from error


class _EpochLog(keras.callbacks.Callback):
    """Writes each epoch into the journal and the log, and stops at a loss of NaN."""

    async_safe = True  # a GPU need not wait for the look at each step's loss

    def __init__(
        self,
        backbone: str,
        recipe: ResolvedRecipe,
        network: keras.Model,
        journal: TrainingJournal,
        average: keras.callbacks.SwapEMAWeights | None,
    ) -> None:
        super().__init__()
        self.backbone, self.recipe, self.network, self.journal = backbone, recipe, network, journal
        self.average = average

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch + 1
        self.started = time.perf_counter()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self.training_seconds = time.perf_counter() - self.started

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if not np.isfinite((logs or {}).get("loss", 0.0)):
            self._refuse(f"in step {batch + 1} of epoch {self.epoch}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
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
        with _explain_full_disk(f"Epoch {epoch + 1}", self.backbone, self.journal):
            self.journal.keep(epoch + 1, row["validation_loss"], self._save_state, self._save_best)
            row["seconds"] = time.perf_counter() - self.started
            self.journal.append(row)
        _log_epoch(self.backbone, self.recipe.epochs, row)

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
            f"Training {self.backbone} stopped: the loss is no longer a number {where}. Try a smaller "
            f"learning rate ({self.backbone}.training.learning_rate is {self.recipe.learning_rate:g}), a "
            f"warm-up, or precision float32. What was trained until then is in {self.journal.folder}."
        )


class _Draw(keras.callbacks.Callback):
    """Lets what is drawn in an epoch depend on the seed and the epoch alone: Keras saves no generator's state."""

    def __init__(self, seed: int, batches: TrainingBatches) -> None:
        super().__init__()
        self.seed, self.batches = seed, batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.go_to(epoch)
        states = [one for one in self.model.variables if one.name == "seed_generator_state"]
        for number, state in enumerate(states):
            drawn = np.random.SeedSequence([self.seed, epoch, number]).generate_state(1)
            state.assign(np.append(drawn, 0).astype("uint32"))


class _Stop(keras.callbacks.Callback):
    """Ends the training after an epoch when told to."""

    def __init__(self, enough: Callable[[], bool]) -> None:
        super().__init__()
        self.enough = enough

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.model.stop_training = self.enough()


def _log_epoch(backbone: str, epochs: int, row: dict[str, Any]) -> None:
    """Log an epoch as a line to read, with the figures in ``record.epoch`` for whoever tracks them."""
    logger.info(
        "%s epoch %d/%d: loss %.4f, accuracy %.4f; validation loss %.4f, accuracy %.4f; %.1f s",
        backbone,
        row["epoch"],
        epochs,
        row["train_loss"],
        row["train_accuracy"],
        row["validation_loss"],
        row["validation_accuracy"],
        row["seconds"],
        extra={"backbone": backbone, "epoch": row},
    )
