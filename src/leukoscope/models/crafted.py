"""Hand-crafted measurements of a field's leukocytes, and a classical classifier of them."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from leukoscope.cells.finding import find_cells
from leukoscope.cells.measuring import measure_found
from leukoscope.cells.strips import Cutting
from leukoscope.core.cache import ContentCache, is_packed
from leukoscope.core.errors import DamageError, InputError, telling_damage
from leukoscope.core.storage import write_json
from leukoscope.features.fields import FEATURES, list_features
from leukoscope.features.measuring import MeasurementStore, measure_fields
from leukoscope.images.decoding import resize
from leukoscope.models.base import FACTS, FOLDER, Prediction, score_probabilities

_ESTIMATOR = "classifier.skops"
# Types a file may hold besides those skops trusts by default, all from scikit-learn: calibration and trees.
_TRUSTED = frozenset(
    {
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)


@contextmanager
def in_one_thread() -> Iterator[None]:
    """Limit OpenMP to one thread.

    In scikit-learn's boosting, threads wait for each other at every split of a tree. With a few thousand fields,
    several threads gain nothing, and when another process occupies a core they make fitting many times slower.
    """
    import sklearn.ensemble  # noqa: F401 (loads OpenMP, which cannot be limited before)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="openmp"):
        yield


@dataclass(frozen=True)
class CraftedClassifier:
    """A classifier of measurements of a field's leukocytes.

    Attributes:
        estimator: A scikit-learn classifier from the measurements of ``groups``, ``[n, features]``, to probabilities.
        groups: Groups of measurements, some of ``fields.GROUPS``.
        usual: The median of each measurement over the training images, for fields without detected cells.
        class_names: The classes in the order of the probabilities.
        trained_on: The fingerprint of the splits that it was trained on.
        image_size: Side in pixels of the squares in which it measures.
        fingerprint: Fingerprint of everything that its predictions depend on.
        store: Cache of earlier measurements, if any.
        cutting: How the cells to measure are found; ``None``: by its own segmentation.
        cache: Cache of the cells found before, if any.
    """

    estimator: Any
    groups: tuple[str, ...]
    usual: np.ndarray
    class_names: tuple[str, ...]
    trained_on: str
    image_size: int
    fingerprint: str
    store: MeasurementStore | None = field(default=None, compare=False)
    cutting: Cutting | None = None
    cache: ContentCache | None = field(default=None, compare=False)

    @property
    def place(self) -> str:
        """Its name on disk."""
        return FOLDER

    @property
    def capabilities(self) -> frozenset[str]:
        """What it offers beyond probabilities, as defined in ``base.Classifier``."""
        return frozenset({"features"})

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which images to predict; all by default.
            batch_size: Ignored: images are measured one by one.
        """
        features = self.measure(pixels, rows)
        with in_one_thread():
            probabilities = self.estimator.predict_proba(features).astype(np.float32)
        return Prediction(probabilities / probabilities.sum(axis=1, keepdims=True), features)

    def measure(self, pixels: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Measure the features of some images, ``float32 [rows, features]``.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which images to measure; all by default.
        """
        rows = np.arange(len(pixels)) if rows is None else np.asarray(rows)
        if self.cutting is None:
            measured = measure_fields(pixels, rows, self.store, is_packed(pixels))
        else:
            measured = self._measure_found(pixels, rows, self.cutting)
        return select_features(measured, self.groups, self.usual)

    def _measure_found(self, pixels: np.ndarray, rows: np.ndarray, cutting: Cutting) -> np.ndarray:
        """Measure the cells found in fields, after resizing the fields to the scale of cell detection."""
        if pixels.shape[1:3] != (self.image_size, self.image_size):
            pixels = np.stack([resize(pixels[row], self.image_size) for row in rows])
            rows = np.arange(len(rows))
        cells_of_fields = find_cells(pixels, rows, cutting.detector, cutting.diameter, self.cache, is_packed(pixels))
        measured = [
            measure_found(pixels[row], cells, self.groups) for row, cells in zip(rows, cells_of_fields, strict=True)
        ]
        return np.array(measured, np.float32).reshape(len(rows), len(FEATURES))

    def score(self, prediction: Prediction) -> np.ndarray:
        """Return log-probabilities."""
        return score_probabilities(prediction.probabilities)

    def find_fault(self) -> str | None:
        """Return nothing: its files were checked when it was loaded."""
        return None

    def save_own(self, path: Path) -> None:
        """Write everything but members; it has no members."""
        self.save(path)

    def save(self, path: Path) -> None:
        """Write a folder of plain files, without pickles.

        Args:
            path: An existing folder.
        """
        import skops.io

        skops.io.dump(self.estimator, path / _ESTIMATOR)
        facts = {
            "kind": "crafted",
            "groups": self.groups,
            "usual": dict(zip(list_features(self.groups), self.usual.tolist(), strict=True)),
            "class_names": self.class_names,
            "trained_on": self.trained_on,
            "image_size": self.image_size,
            "fingerprint": self.fingerprint,
            "sha256": _hash_file(path / _ESTIMATOR),
        }
        write_json(path / FACTS, facts | ({} if self.cutting is None else {"cutting": self.cutting.describe()}))

    @classmethod
    def load(
        cls, path: Path, store: MeasurementStore | None = None, cache: ContentCache | None = None
    ) -> "CraftedClassifier":
        """Read what ``save`` wrote, if it holds nothing but numbers and scikit-learn's own classifiers.

        Args:
            path: The folder.
            store: Cache of earlier measurements.
            cache: Cache of the cells found before.

        Raises:
            FileNotFoundError: There is no such folder.
            InputError: A file is damaged, of another version, or holds anything else.
        """
        with telling_damage(path / FACTS):
            facts = json.loads((path / FACTS).read_text())
            groups = tuple(facts["groups"])
            usual = np.array([facts["usual"][name] for name in list_features(groups)], np.float32)
            names = tuple(facts["class_names"])
            trained_on = facts["trained_on"]
            size = facts["image_size"]
            fingerprint = facts["fingerprint"]
            sha256 = facts["sha256"]
            cutting = Cutting.restore(facts["cutting"]) if "cutting" in facts else None
        if cutting is not None:
            cutting.require_known(path)
        if sha256 != _hash_file(path / _ESTIMATOR):
            raise DamageError(path / _ESTIMATOR, f"it is not the file that {FACTS} is of")
        estimator = _load_estimator(path / _ESTIMATOR)
        if list(estimator.classes_) != list(range(len(names))) or estimator.n_features_in_ != len(usual):
            raise DamageError(path / _ESTIMATOR, f"it does not take {len(usual)} measurements to {', '.join(names)}")
        return cls(estimator, groups, usual, names, trained_on, size, fingerprint, store, cutting, cache)

    def measure_size(self) -> dict[str, float]:
        """Count the numbers in the fitted classifier, ``parameters``, and compute its file's size, ``model_mib``."""
        import skops.io

        content = skops.io.dumps(self.estimator)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            arrays = [archive.read(name) for name in archive.namelist() if name.endswith(".npy")]
        numbers = sum(int(np.load(io.BytesIO(array), allow_pickle=False).size) for array in arrays)
        return {"parameters": numbers, "model_mib": len(content) / 2**20}


def select_features(measured: np.ndarray, groups: Sequence[str], usual: np.ndarray) -> np.ndarray:
    """Select the measurements of some groups, and fill in missing ones.

    Args:
        measured: ``float32 [n, FEATURES]``.
        groups: Some of ``fields.GROUPS``.
        usual: Values that replace missing measurements, ``[features]``.
    """
    chosen = measured[:, find_columns(groups)]
    return np.where(np.isnan(chosen), usual, chosen)


def find_columns(groups: Sequence[str]) -> list[int]:
    """Return the columns of some groups among all measurements."""
    places = {name: number for number, name in enumerate(FEATURES)}
    return [places[name] for name in list_features(tuple(groups))]


def _load_estimator(file: Path) -> Any:
    import skops.io

    with telling_damage(file):
        foreign = set(skops.io.get_untrusted_types(file=file)) - _TRUSTED
        if not foreign:
            return skops.io.load(file, trusted=sorted(_TRUSTED))
    raise InputError(
        f"{file} is not loaded, since it holds what no classifier of this project does: "
        f"{', '.join(sorted(foreign)[:3])}. Train the model again, or take the file from where it was trained."
    )


def _hash_file(file: Path) -> str:
    with telling_damage(file), file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
