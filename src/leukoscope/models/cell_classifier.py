"""A classifier that finds the cells of a field, reads each cell separately, and pools the results."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leukoscope.cells.finding import find_cells
from leukoscope.cells.strips import Cutting
from leukoscope.core.cache import ContentCache, is_packed
from leukoscope.core.errors import DamageError, InputError, telling_damage
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.storage import write_json
from leukoscope.images.decoding import resize
from leukoscope.models.base import FACTS, FOLDER, NETWORK, NetworkClassifier, Prediction
from leukoscope.models.cell_batches import plan_batches, round_up
from leukoscope.models.deferred import open_network

CONTRIBUTION = "contribution_"
_FIELDS = 256  # fields whose cells are in memory at a time
_CELLS_AT_ONCE = 256  # cells of a single field
_CELLS_AN_IMAGE = 4  # cells that a batch may hold per image of the batch size
_SHOWN = ["cell", "left", "top", "right", "bottom", "row", "column", "touching", "cut", "mask"]
Cells = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class CellClassifier:
    """A network that reads strips of cells, with the settings for finding cells and cutting them out.

    Attributes:
        network: Reads strips, ``[batch, cells * side, side, 3]``, for any side and number of cells.
        cutting: How cells are found and cut out of squares of ``image_size``.
        architecture: Name of the architecture of the network.
        cache: Cache of the cells found before, if any.
        frozen: Whether its encoder was not trained; cell vectors are then cached, since other classifiers share them.
    """

    network: NetworkClassifier
    cutting: Cutting
    architecture: str
    cache: ContentCache | None = field(default=None, compare=False)
    frozen: bool = False

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the probabilities."""
        return self.network.class_names

    @property
    def trained_on(self) -> str:
        """The fingerprint of the splits that it was trained on."""
        return self.network.trained_on

    @property
    def image_size(self) -> int:
        """Side in pixels of the packed squares whose cells it was trained on."""
        return self.network.image_size

    @property
    def place(self) -> str:
        """Its name on disk."""
        return FOLDER

    @property
    def capabilities(self) -> frozenset[str]:
        """What it offers beyond probabilities, as defined in ``base.Classifier``."""
        return frozenset({"features", "cells", "export", "epochs"})

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the network and of how cells are found and cut out."""
        return fingerprint_facts([self.network.fingerprint, self.architecture, self.cutting.describe()])

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images from all of their cells.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which images to predict; all by default.
            batch_size: Images at a time; a multiple of it is the number of cells read at a time.
        """
        rows = np.arange(len(pixels)) if rows is None else np.asarray(rows)
        starts = range(0, len(rows), _FIELDS)
        parts = [self._predict_some(pixels, rows[start : start + _FIELDS], batch_size) for start in starts]
        probabilities, features = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Prediction(probabilities, features)

    def _predict_some(self, pixels: np.ndarray, rows: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        pixels, rows = self._fit(pixels, rows)
        by_field = self._find(pixels, rows)
        if self.frozen and self.cache and is_packed(pixels):
            bags = [
                self.cutting.stack(pixels[row], cells, len(cells)) for row, cells in zip(rows, by_field, strict=True)
            ]
            return self._judge(self._known_vectors.pool_bags(bags))
        probabilities = []
        features = []
        order = []
        most = _CELLS_AN_IMAGE * batch_size
        for batch in plan_batches([len(cells) for cells in by_field], most):
            order.append(batch.fields)
            if batch.slots > most:
                (number,) = batch.fields
                prediction = self._predict_field(pixels[rows[number]], by_field[number], most)
            else:
                strips = [self.cutting.stack(pixels[rows[n]], by_field[n], batch.slots) for n in batch.fields]
                strips += [self.cutting.stack(pixels[rows[0]], [], batch.slots)] * (batch.rows - len(batch.fields))
                prediction = self.network.predict(np.stack(strips), None, batch.rows)
            assert prediction.features is not None  # networks always return features
            probabilities.append(prediction.probabilities[: len(batch.fields)])
            features.append(prediction.features[: len(batch.fields)])
        back = np.argsort(np.concatenate(order))
        return np.concatenate(probabilities)[back], np.concatenate(features)[back]

    @cached_property
    def _known_vectors(self) -> Any:
        from leukoscope.models.cell_vectors import CellVectors

        return CellVectors(self.network.parts, self.cache)

    def _fit(self, pixels: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Resize fields to the scale at which cells are detected."""
        if pixels.shape[1:3] == (self.image_size, self.image_size):
            return pixels, rows
        return np.stack([resize(pixels[row], self.image_size) for row in rows]), np.arange(len(rows))

    def _find(self, pixels: np.ndarray, rows: np.ndarray) -> Sequence[Cells]:
        return find_cells(pixels, rows, self.cutting.detector, self.cutting.diameter, self.cache, is_packed(pixels))

    def cut_bags(self, pixels: np.ndarray, rows: np.ndarray, most: int) -> np.ndarray:
        """Cut out the cells of fields in the format that exported files take.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which fields to cut.
            most: Maximum number of slots per field; further cells are left out.

        Returns:
            ``uint8 [rows, slots, side, side, 3]``, with as many slots as the field with the most cells needs; free
            slots are grey.
        """
        pixels, rows = self._fit(pixels, rows)
        by_field = [cells[:most] for cells in self._find(pixels, rows)]
        slots = max(1, *map(len, by_field))
        strips = [self.cutting.stack(pixels[row], cells, slots) for row, cells in zip(rows, by_field, strict=True)]
        return np.stack(strips).reshape(len(rows), slots, self.cutting.side, self.cutting.side, 3)

    def read_cells(self, image: np.ndarray) -> pd.DataFrame:
        """Compute what each cell of a field adds to the scores.

        Args:
            image: ``uint8 [height, width, 3]``, RGB.

        Returns:
            One row per cell: its number, box, centre, whether it touches another or is cut, and mask, as in the table
            of cells, in pixels of squares of ``image_size``; ``weight``, which adds up to 1 over the cells; and one
            column per class, ``contribution_`` plus its name. Their sum plus the last layer's bias is the score.
        """
        pixels, rows = self._fit(image[None], np.arange(1))
        (cells,) = self._find(pixels, rows)
        table = pd.DataFrame(cells, columns=_SHOWN)
        vectors, weights = self._read(pixels[0], cells)
        shares = weights[:, None] * (vectors @ self.network.parts.linear_head.kernel)
        columns = [f"{CONTRIBUTION}{name}" for name in self.class_names]
        return table.assign(weight=weights).join(pd.DataFrame(shares, columns=columns))

    def predict_without(self, image: np.ndarray, struck: Collection[int]) -> Prediction:
        """Predict a field as if some of its cells were not there.

        Args:
            image: ``uint8 [height, width, 3]``, RGB.
            struck: The numbers of the cells to leave out, as ``read_cells`` returns them.

        Returns:
            The prediction of the one field.

        Raises:
            InputError: The field has no cell with one of the numbers.
        """
        pixels, rows = self._fit(image[None], np.arange(1))
        (cells,) = self._find(pixels, rows)
        left_out = set(struck)
        if unknown := sorted(left_out - {cell["cell"] for cell in cells}):
            raise InputError(
                f"The field has no cell {', '.join(map(str, unknown))}: expected numbers of its {len(cells)} cells, "
                f"from 1 on, as the table of its cells gives them."
            )
        kept = [cell for cell in cells if cell["cell"] not in left_out]
        return self._predict_field(pixels[0], kept, _CELLS_AT_ONCE)

    @cached_property
    def _vectors(self) -> Any:
        return self.network.parts.cell_vectors

    def _encode(self, field: np.ndarray, cells: Cells, most: int) -> tuple[Any, Any]:
        """Return the vectors of a field's cells, ``[1, slots, channels]``, and which slots are filled, ``[1, slots]``.

        At most ``most`` cells are encoded at a time, which bounds memory for any field.
        """
        import keras

        slots = min(1 << (most.bit_length() - 1), round_up(len(cells)))
        parts = []
        for start in range(0, max(1, len(cells)), slots):
            strip = self.cutting.stack(field, cells[start : start + slots], slots)
            parts.append(self._vectors.predict_on_batch(strip[None]))
        vectors = np.concatenate([vectors for vectors, _ in parts])[None]
        filled = np.concatenate([filled for _, filled in parts], axis=1)
        return keras.ops.convert_to_tensor(vectors), keras.ops.convert_to_tensor(filled)

    def _predict_field(self, field: np.ndarray, cells: Cells, most: int) -> Prediction:
        """Predict one field with any number of cells."""
        import keras

        features = keras.ops.convert_to_numpy(self._pooling(*self._encode(field, cells, most)))
        return Prediction(*self._judge(features))

    def _judge(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities of pooled vectors, ``[fields, channels]``, and the vectors."""
        scores = self.network.score(Prediction(features, features))
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32), features

    def _read(self, field: np.ndarray, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
        """Return the vector and the weight of each cell of a field."""
        import keras

        vectors, filled = self._encode(field, cells, _CELLS_AT_ONCE)
        weights = keras.ops.convert_to_numpy(self._pooling.weigh(vectors, filled))
        return keras.ops.convert_to_numpy(vectors)[0, : len(cells)], weights[0, : len(cells)]

    @property
    def _pooling(self) -> Any:
        pooling = self.network.parts.pooling
        assert pooling is not None  # every network that reads cells has one
        return pooling

    def score(self, prediction: Prediction) -> np.ndarray:
        """Return the last layer's scores, before its softmax."""
        return self.network.score(prediction)

    def find_fault(self) -> str | None:
        """Return why it cannot be used, if so."""
        return self.network.find_fault()

    def save_own(self, path: Path) -> None:
        """Write everything but members; it has no members."""
        self.save(path)

    def save(self, path: Path) -> None:
        """Write a folder with the network's file and the settings for finding and cutting out cells.

        Args:
            path: An existing folder.
        """
        self.network.save(path / NETWORK)
        facts: dict[str, Any] = {"kind": "cells", "architecture": self.architecture, "cutting": self.cutting.describe()}
        facts |= {"class_names": self.class_names, "trained_on": self.trained_on, "image_size": self.image_size}
        facts |= {"frozen": True} if self.frozen else {}
        write_json(path / FACTS, facts | {"fingerprint": self.fingerprint})

    @classmethod
    def load(cls, path: Path, cache: ContentCache | None = None, lazily: bool = False) -> "CellClassifier":
        """Read what ``save`` wrote.

        Args:
            path: The folder.
            cache: Cache of the cells found before.
            lazily: Whether to defer loading the network, and Keras, until needed.

        Raises:
            FileNotFoundError: There is no such folder.
            InputError: A file is damaged or of an earlier version, or its cell detector is unknown here.
        """
        with telling_damage(path / FACTS):
            facts = json.loads((path / FACTS).read_text())
            cutting = Cutting.restore(facts["cutting"])
            architecture = str(facts["architecture"])
            fingerprint = facts["fingerprint"]
        cutting.require_known(path)
        classifier = cls(_load_network(path / NETWORK, lazily), cutting, architecture, cache, bool(facts.get("frozen")))
        if classifier.fingerprint != fingerprint:
            raise DamageError(path, "its network is not the one that it was made of")
        return classifier


def _load_network(file: Path, lazily: bool) -> NetworkClassifier:
    if lazily:
        return open_network(file)
    from leukoscope.models.network import Classifier

    return Classifier.load(file)
