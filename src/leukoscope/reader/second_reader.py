"""The second reader: a classifier with everything that it needs to give an opinion on unlabelled images."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from leukoscope.core.class_names import join_benign, split_names
from leukoscope.core.drawn import describe_training, warn_of_reader
from leukoscope.core.errors import DamageError, InputError, telling_damage
from leukoscope.core.fingerprint import fingerprint_facts, fingerprint_table
from leukoscope.core.old_names import rename_entries
from leukoscope.core.storage import write_json
from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.evaluation.compatibility import require_classes
from leukoscope.evaluation.out_of_distribution import KnownImages
from leukoscope.evaluation.predictions import MALIGNANT_COLUMN, probability_columns
from leukoscope.evaluation.screening import score_malignant
from leukoscope.evaluation.trust import Calibration
from leukoscope.images.circumstances import VERSION
from leukoscope.images.decoding import Limits, decode
from leukoscope.inference.predictor import Predictor
from leukoscope.models.base import NETWORK, Classifier
from leukoscope.models.stored import NOTHING, Known, find_classifier, load_classifier, write_classifier
from leukoscope.reader.base import Reading
from leukoscope.reader.calibrated import CalibratedClassifier
from leukoscope.reader.faults import find_fault
from leukoscope.reader.photographs import Field, make_field
from leukoscope.reader.scale import Scale

_FACTS = "reader.json"
_SEEN = "seen.parquet"
_SEEN_COLUMNS = ("image_id", "split", "sha256", "model")
_BATCH = 64


@dataclass(frozen=True)
class SecondReader:
    """A classifier with its calibration and its training and validation images.

    Attributes:
        model: The name of the model's entry.
        classifier: The trained classifier.
        calibration: Learned from its validation images.
        seen: Its training and validation images: ``image_id, split, label, sha256, drawn, model``, their checks and
            features; ``drawn`` is missing if an earlier version evaluated it.
        benign_classes: The benign classes; all others are malignant.
        limits: The limits that a file must keep to.
        label: The model's display name; by default the name of its entry.
        engine: What predicts in place of the classifier, from the same weights; ``None``: the classifier itself.
        certificate: The version of the changes under which each prediction is repeated; ``None``: it is not repeated.
        scale: The scale at which the training images show their cells; ``None`` if unknown.
    """

    model: str
    classifier: Classifier
    calibration: Calibration
    seen: pd.DataFrame
    benign_classes: tuple[str, ...]
    limits: Limits
    label: str = ""
    engine: Classifier | None = None
    certificate: int | None = None
    scale: Scale | None = None

    @property
    def title(self) -> str:
        """The model's display name."""
        return self.label or self.model

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the probabilities."""
        return self.classifier.class_names

    @property
    def image_size(self) -> int:
        """Side in pixels of the squares to which images are reduced before reading."""
        return self.classifier.image_size

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of everything that opinions depend on."""
        own = [self.classifier.fingerprint, self.calibration, self.data_fingerprint, self._kept_benign, self.limits]
        # A reader without certificates keeps the fingerprint that it had before certificates existed.
        return fingerprint_facts(own if self.certificate is None else [*own, {"certificate": self.certificate}])

    @property
    def benign_class(self) -> str:
        """The names of the benign classes, joined."""
        return join_benign(self.benign_classes)

    @property
    def _kept_benign(self) -> str | list[str]:
        """The benign classes as stored: a single one as its plain name, as in earlier versions."""
        return self.benign_classes[0] if len(self.benign_classes) == 1 else list(self.benign_classes)

    @cached_property
    def data_fingerprint(self) -> str:
        """Fingerprint of the images that the classifier was trained and calibrated on."""
        return fingerprint_table(self.seen[["image_id", "split", "sha256"]])

    @property
    def drawn_images(self) -> int | None:
        """The number of these images that are drawn; ``None`` if that was not recorded."""
        if "drawn" not in self.seen or self.seen["drawn"].isna().any():
            return None
        return int(self.seen["drawn"].sum())

    @property
    def trained_on(self) -> str:
        """A short description of the training images, for a table column."""
        return describe_training(self.drawn_images, len(self.seen))

    @property
    def warning(self) -> str | None:
        """A warning on its opinions, if it was trained on drawn images."""
        return warn_of_reader(self.drawn_images, len(self.seen))

    @cached_property
    def known(self) -> KnownImages:
        """The training images, as a reference for other images.

        Raises:
            InputError: The reader is of an earlier version, which stored less about them.
        """
        return KnownImages.learn(self.seen)

    @cached_property
    def predictor(self) -> Predictor:
        """Predicts with the engine, if there is one, otherwise with the classifier."""
        return Predictor(self.engine or self.classifier, _BATCH)

    @cached_property
    def calibrated(self) -> CalibratedClassifier:
        """The classifier with its calibration and training images."""
        return CalibratedClassifier(self.class_names, self.predictor, self.known, self.calibration)

    @property
    def engine_title(self) -> str:
        """The name of what predicts: ``itself`` for a model that is not a network."""
        by_itself = "Keras" if self.classifier.place == NETWORK else "itself"
        return "ONNX Runtime" if self.engine else by_itself

    def answered_by(self, engine: Classifier | None) -> Self:
        """Return a copy in which another engine predicts; ``None``: the classifier itself."""
        return replace(self, engine=engine)

    def asking_again(self) -> Self:
        """Return a copy that repeats each prediction under other stains, lights, lenses and cameras."""
        return replace(self, certificate=VERSION)

    def at_scale(self, scale: Scale | None) -> Self:
        """Return a copy that knows the scale of the cells in its training images."""
        return replace(self, scale=scale)

    def decode(self, data: bytes, max_pixels: int | None = None, cutting: bool = False) -> Field:
        """Turn the content of a file into what the reader reads, as ingestion does.

        Args:
            data: The content.
            max_pixels: A stricter limit than the reader's own, if there is one.
            cutting: Whether the tiles of a photograph are wanted, too.

        Raises:
            UnusableImageError: The content is unusable, for the reason given.
        """
        most = min(self.limits.max_pixels, max_pixels or self.limits.max_pixels)
        decoded = decode(data, self.limits._replace(max_pixels=most))
        return make_field(self, decoded.pixels, decoded.warning, cutting)

    def read(self, pixels: np.ndarray) -> Reading:
        """Return an opinion on each image, or the reason for abstaining.

        Args:
            pixels: ``uint8 [n, size, size, 3]``, RGB, from ``decode``.

        Raises:
            InputError: The reader is of an earlier version.
        """
        predicted = self.calibrated.predict(pixels)
        certificates = None if self.certificate is None else self.calibrated.certify(pixels, predicted)
        opinions = self.calibrated.form_opinions(predicted, certificates)
        calibrated = opinions[probability_columns(self.class_names)].to_numpy()
        benign = [self.class_names.index(name) for name in self.benign_classes]
        opinions[MALIGNANT_COLUMN] = score_malignant(calibrated, benign)
        return Reading(opinions, predicted.features, self.calibrated.summarise(predicted))

    def predict_calibrated(self, pixels: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities without opinions, ``uint8 [n, size, size, 3]`` to ``[n, classes]``."""
        return apply_temperature(self.predictor.predict(pixels)[0], self.calibration.temperature)

    def warm_up(self) -> np.ndarray:
        """Read an empty field, so that the backend is ready for the first image; return the field."""
        field = np.full((1, self.image_size, self.image_size, 3), 255, np.uint8)
        self.read(field)
        return field

    def find_nearest(self, features: np.ndarray, number: int) -> list[pd.DataFrame]:
        """Find the training images most similar to the given images, by the features of the last layer.

        Args:
            features: Features from ``read``.
            number: Number of training images for each image.

        Returns:
            For each image ``image_id, sha256, distance``, nearest first.
        """
        train = self.seen.loc[self.seen["split"] == "train", ["image_id", "sha256"]].reset_index(drop=True)
        neighbours = zip(*self.known.find_nearest(features, number), strict=True)
        return [train.iloc[rows].assign(distance=distances).reset_index(drop=True) for rows, distances in neighbours]

    def save(self, folder: Path) -> None:
        """Write the reader into a folder, as plain files without pickles."""
        write_classifier(self.classifier, folder)
        self.seen.to_parquet(folder / _SEEN, write_page_checksum=True)
        write_json(folder / _FACTS, self.describe() | {"calibration": self.calibration.describe()})

    def describe(self) -> dict[str, Any]:
        """Return a description of the reader for display."""
        return {
            "model": self.model,
            "title": self.title,
            "class_names": list(self.class_names),
            "benign_class": self._kept_benign,
            "trained_on": self.trained_on,
            "image_size": self.image_size,
            "limits": self.limits._asdict(),
            "model_fingerprint": self.classifier.fingerprint,
            "data_fingerprint": self.data_fingerprint,
            "fingerprint": self.fingerprint,
            "scale": None if self.scale is None else self.scale.describe(),
        } | ({} if self.certificate is None else {"certificate": self.certificate})

    @classmethod
    def load(cls, folder: Path, lazily: bool = False, known: Known = NOTHING) -> "SecondReader":
        """Load a reader that ``save`` wrote, without running code from its files.

        Args:
            folder: The folder to read from.
            lazily: Whether to load the network, and Keras, only when needed; the folder must stay, and be a run's own.
            known: Results computed on fields before; empty for a served reader.

        Raises:
            InputError: A file is missing or damaged, or the files do not fit together.
        """
        needed = (find_classifier(folder), folder / _FACTS, folder / _SEEN)
        if missing := [file.name for file in needed if not file.exists()]:
            raise DamageError(folder, f"it lacks {', '.join(missing)}")
        with telling_damage(folder / _SEEN):
            seen = pd.read_parquet(folder / _SEEN, page_checksum_verification=True)
            _require_columns(seen)
        classifier = load_classifier(folder, known, lazily)
        with telling_damage(folder / _FACTS):
            facts = rename_entries(json.loads((folder / _FACTS).read_text()), folder / _FACTS)
            calibration = Calibration.restore(facts["calibration"])
            limits = Limits(**facts["limits"])
            benign = tuple(split_names(facts["benign_class"]))
            title = facts.get("title", "")
            certificate = facts.get("certificate")
            scale = Scale.restore(facts.get("scale"))
            reader = cls(facts["model"], classifier, calibration, seen, benign, limits, title, None, certificate, scale)
            names = list(facts["class_names"])
            fingerprint = facts["fingerprint"]
        reader.require_classes(names)
        another = "its parts are of different readers" if fingerprint != reader.fingerprint else None
        if fault := find_fault(reader) or another:
            raise InputError(f"The second reader in {folder} cannot be used: {fault}. Make it anew, or take another.")
        return reader

    def require_size(self, size: int) -> None:
        """Check that packed images have the size that the reader was trained on.

        Raises:
            InputError: They have another size.
        """
        if size != self.image_size:
            raise InputError(
                f"The packed images are {size} pixels a side, and the model {self.model} was trained on "
                f"{self.image_size}. Set ingestion.image_size to {self.image_size} and run the pipeline ingestion."
            )

    def require_classes(self, class_names: Sequence[str]) -> None:
        """Check that the reader knows these classes, in this order.

        Raises:
            InputError: It knows other classes.
        """
        require_classes(f"The model {self.model}", self.class_names, class_names)


def _require_columns(seen: pd.DataFrame) -> None:
    if missing := [name for name in _SEEN_COLUMNS if name not in seen]:
        raise ValueError(f"it lacks {', '.join(missing)}")
