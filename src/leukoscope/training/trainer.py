"""Training a classifier by a recipe."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np

from leukoscope.backend import device, distribution, kernels, memory, precision
from leukoscope.core.cache import ContentCache
from leukoscope.core.errors import InputError
from leukoscope.models.network import Classifier, build_classifier, build_empty, in_float32, set_trainable
from leukoscope.models.parts import Parts
from leukoscope.training import checkpoint
from leukoscope.training.callbacks import (
    DrawAnew,
    EpochLog,
    HeadLog,
    StopEarly,
    explain_full_disk,
    list_state,
    log_epoch,
)
from leukoscope.training.converged import fit_head, judge_head
from leukoscope.training.cost import summarise_use
from leukoscope.training.distillation import build_loss, choose_metric
from leukoscope.training.journal import TrainingJournal
from leukoscope.training.labelled import LabelledImages
from leukoscope.training.optimizers import build_optimizer, share_rates
from leukoscope.training.phases import PhaseBuilder, PhaseParts
from leukoscope.training.recipe import Phase, ResolvedRecipe

logger = logging.getLogger(__name__)


@dataclass
class Trainer:
    """Trains a classifier by a recipe, phase by phase.

    Args:
        architecture: A registered architecture.
        recipe: A resolved recipe.
        class_names: The classes in the order of the probabilities.
        training: The images of an epoch.
        validation: The images used for early stopping.
        augmentation: The arguments of ``build_augmentation``.
        journal: Stores the history, the state to resume from, the weights and the summary.
        seed: Seed for everything random.
        name: The model's name in the log; by default the architecture's.
        known: Cache of the cells found before, for a network that reads cells.
    """

    architecture: str
    recipe: ResolvedRecipe
    class_names: Sequence[str]
    training: LabelledImages
    validation: LabelledImages
    augmentation: dict[str, Any]
    journal: TrainingJournal
    seed: int
    name: str = ""
    known: ContentCache | None = None

    def __post_init__(self) -> None:
        self.name = self.name or self.architecture

    def fit(self) -> Classifier:
        """Train, resume an interrupted training, or load a finished one from its journal.

        Returns:
            The classifier in float32, with the best weights if the recipe has a patience, else the last.

        Raises:
            InputError: The loss is no longer a number, the weights are unavailable, or an epoch cannot be kept.
        """
        memory.keep_freed_memory()
        memory.reset_peak_memory()
        keras.utils.clear_session()
        for row in self.journal.history().to_dict("records"):
            log_epoch(self.name, self.recipe.epochs, row)
        if self.journal.finished:
            return self._recall()
        if self.journal.epochs:
            logger.info("%s: going on after epoch %d, where it was interrupted", self.name, self.journal.epochs)
        with distribution.distribution(self.recipe.data_parallel, self.recipe.batch_size):
            for phase in self.recipe.phases:
                if self.journal.epochs <= phase.stop:
                    self.run(phase)
        return self._finish()

    @cached_property
    def precision(self) -> str:
        """The dtype policy with which this device trains."""
        policy = precision.choose_precision(self.recipe.precision)
        logger.info("%s: %s, %s on %s", self.name, keras.backend.backend(), policy, device.describe_device())
        return policy

    @cached_property
    def network(self) -> keras.Model:
        """The network to train, built on first use."""
        network = build_classifier(self.architecture, self.recipe, self.class_names, self.seed, self.precision).network
        kernels.use_faster_kernels(network)
        return network

    @cached_property
    def _phases(self) -> PhaseBuilder:
        return PhaseBuilder(
            self.name,
            self.recipe,
            len(self.class_names),
            self.training,
            self.validation,
            self.augmentation,
            self.journal,
            self.seed,
            self.known,
        )

    def assemble(self, phase: Phase) -> PhaseParts:
        """Compile the model of a phase, and return it with its batches of training and validation."""
        set_trainable(self.network, self.architecture, phase.trainable)
        model, batches, validation_data = self._phases.build(self.network, phase)
        if not len(batches):
            raise InputError(
                f"There are {len(self.training.rows)} training images, fewer than a batch has, "
                f"{self.recipe.batch_size}; with training.data_parallel it must be full. Choose a smaller batch_size."
            )
        rates = self.recipe.block_rates if phase == self.recipe.phases[-1] else {}
        shares = share_rates(self.network, self.architecture, rates)
        model.compile(
            optimizer=build_optimizer(self.recipe, phase, len(batches), self.precision, shares),
            loss=build_loss(self.recipe),
            # If the last validation batch is padded, only weights tell which of its images count.
            **{"weighted_metrics" if self.recipe.data_parallel else "metrics": [choose_metric(self.recipe)]},
            steps_per_execution=kernels.choose_steps_per_call(len(batches)),
        )
        model.optimizer.build(model.trainable_variables)
        kernels.use_faster_updates(model.optimizer)
        return model, batches, validation_data

    def run(self, phase: Phase) -> None:
        """Train the epochs of a phase, starting from the journal's state."""
        if self.recipe.converges:
            self._converge(phase)
            return
        model, batches, validation_data = self.assemble(phase)
        done = self.journal.epochs
        if phase.start < done:
            self._load(self.journal.state, list_state(model))
        if done == phase.stop or self._waited_enough(phase):
            model.optimizer.finalize_variable_values(model.trainable_variables)
            return
        average = keras.callbacks.SwapEMAWeights() if self.recipe.ema_momentum is not None else None
        log = EpochLog(self.name, self.recipe, self.network, self.journal, average)
        model.fit(
            batches,
            validation_data=validation_data,
            initial_epoch=done,
            epochs=phase.stop,
            shuffle=False,
            callbacks=[
                *([average] if average else []),
                DrawAnew(self.seed, batches),
                log,
                StopEarly(lambda: self._waited_enough(phase)),
            ],
            verbose=int(sys.stdout.isatty()),
        )

    def _converge(self, phase: Phase) -> None:
        """Fit the head at once: the journal records one epoch, and training resumes from its weights alone."""
        weights = self.network.weights
        if self.journal.epochs:
            self._load(self.journal.state, weights)
            return
        log = HeadLog(self.name, self.network, self.journal)
        features = self._phases.see_features(self.network, phase)
        parts = Parts(self.network)
        views = features.training.shape[1]
        training = np.concatenate(np.swapaxes(features.training, 0, 1))
        labels = [np.tile(values, views) for values in (self.training.classes, self.training.weights)]
        fit_head(parts, training, labels[0], labels[1], self.recipe.weight_decay)
        seen = [(training, *labels), (features.validation, self.validation.classes, self.validation.weights)]
        log.keep(*(judge_head(parts, *images) for images in seen))

    def _recall(self) -> Classifier:
        logger.info(
            "%s: trained before with the same recipe, data and seed, not trained again. Remove %s to train anew.",
            self.name,
            self.journal.folder,
        )
        classifier = build_empty(self.architecture, self.recipe, self.class_names)
        self._load(self.journal.final_weights, classifier.network.weights)
        return classifier

    def _finish(self) -> Classifier:
        """Load the chosen weights into a float32 classifier, and keep them."""
        if self.recipe.patience is not None:
            self._load(self.journal.best_weights, self.network.weights)
        set_trainable(self.network, self.architecture, self.recipe.trainable)
        classifier = Classifier(self.network, tuple(self.class_names))
        if self.precision != "float32" or self.recipe.data_parallel:
            classifier = in_float32(classifier, self.architecture, self.recipe)
        with explain_full_disk("The trained weights", self.name, self.journal):
            weights = classifier.network.weights
            self.journal.finish(
                self._summarise(classifier.network), lambda path: checkpoint.save_variables(path, weights)
            )
        return classifier

    def _summarise(self, network: keras.Model) -> dict[str, Any]:
        history = self.journal.history()
        last = history.iloc[self.recipe.phases[-1].start :]
        return {
            "device": device.describe_device(),
            "backend": keras.backend.backend(),
            "precision": self.precision,
            "input_size": self.recipe.input_size,
            "batch_size": self.recipe.batch_size,
            "parameters": network.count_params(),
            "trainable_parameters": sum(int(np.prod(variable.shape)) for variable in network.trainable_variables),
            "model_mib": sum(int(np.prod(variable.shape)) for variable in network.variables) * 4 / 2**20,
            "epochs": len(history),
            "best_epoch": self.journal.best_epoch,
            "seconds_per_epoch": last["seconds"].median(),
            "images_per_second": len(self.training.rows) / last["training_seconds"].median(),
            "seconds": float(history["seconds"].sum()),
            **summarise_use(history),
            "feature_seconds": self._phases.feature_seconds,
            "peak_memory_mib": memory.peak_memory_mib(),
        }

    def _load(self, file: Path, variables: Sequence[keras.Variable]) -> None:
        with self.journal.explain_damage(file):
            checkpoint.load_variables(file, variables)

    def _waited_enough(self, phase: Phase) -> bool:
        """Check whether to stop early, from the journal alone, so that a resumed training stops at the same epoch."""
        if self.recipe.patience is None or phase != self.recipe.phases[-1]:
            return False
        return self.journal.epochs - max(self.journal.best_epoch, phase.start) >= self.recipe.patience
