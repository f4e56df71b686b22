"""Networks that stay in their file until something beyond the file's stored facts is needed."""

import json
import shutil
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leukoscope.core.errors import InputError, telling_damage
from leukoscope.models.base import NETWORK, NetworkClassifier, Prediction

if TYPE_CHECKING:
    import keras

    from leukoscope.models.network import Classifier
    from leukoscope.models.parts import Parts

# The member of a ``.keras`` file that stores what Keras does not.
MEMBER = "leukoscope.json"


@dataclass(frozen=True)
class DeferredNetwork:
    """A network that is loaded, together with Keras, when first asked for predictions or parts.

    Attributes:
        path: Its file.
        class_names: The classes in the order of the probabilities.
        trained_on: The fingerprint of the splits that it was trained on.
        image_size: Side in pixels of the squares that it was trained on.
        fingerprint: Stored fingerprint of its weights and class names; loading compares it with the actual ones.
    """

    path: Path
    class_names: tuple[str, ...]
    trained_on: str
    image_size: int
    fingerprint: str

    @cached_property
    def loaded(self) -> "Classifier":
        """The classifier itself.

        Raises:
            InputError: The file is gone or damaged, now holds another model, or holds one that cannot be used.
        """
        from leukoscope.models.network import Classifier

        classifier = Classifier.load(self.path)
        if classifier.fingerprint != self.fingerprint:
            raise InputError(
                f"{self.path} holds the model {classifier.fingerprint}, and the run began with {self.fingerprint}: "
                f"another run has replaced it meanwhile, or it was edited. Run this command again."
            )
        if fault := classifier.find_fault():
            raise InputError(f"{self.path} cannot be used: {fault}. Train it again.")
        return classifier

    @property
    def network(self) -> "keras.Model":
        """Maps raw RGB images to probabilities."""
        return self.loaded.network

    @property
    def parts(self) -> "Parts":
        """The parts of its network."""
        return self.loaded.parts

    @property
    def capabilities(self) -> frozenset[str]:
        """What it offers beyond probabilities."""
        return self.loaded.capabilities

    @property
    def place(self) -> str:
        """Its name on disk."""
        return NETWORK

    def find_fault(self) -> str | None:
        """Return nothing: faults are checked, and raised, on loading."""
        return None

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images; see ``base.Classifier``."""
        return self.loaded.predict(pixels, rows, batch_size)

    def score(self, prediction: Prediction) -> np.ndarray:
        """Return the last layer's scores, before its softmax."""
        return self.loaded.score(prediction)

    def save(self, path: Path) -> None:
        """Copy the file."""
        shutil.copyfile(self.path, path)


def open_network(path: Path) -> NetworkClassifier:
    """Open a file that ``network.Classifier.save`` wrote, without loading the network if possible.

    Args:
        path: The ``.keras`` file.

    Returns:
        A ``DeferredNetwork``; or the loaded classifier if the file lacks a fingerprint, as in earlier versions, or was
        changed since it was written.

    Raises:
        FileNotFoundError: There is no file.
        InputError: The file is damaged.
    """
    with telling_damage(path), zipfile.ZipFile(path) as archive:
        facts = read_member(archive)
        damaged = archive.testzip()
        if damaged:
            raise ValueError(f"the checksum of its member {damaged} is wrong")
        is_as_written = facts.pop("checksums") == list_checksums(archive)
    if not is_as_written or facts["fingerprint"] is None:
        from leukoscope.models.network import Classifier

        return Classifier.load(path)
    return DeferredNetwork(path, **facts)


def read_member(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Read the classifier's facts from a ``.keras`` file.

    Returns:
        ``class_names``, ``trained_on``, ``image_size``, and ``fingerprint`` and ``checksums``, which are ``None`` if an
        earlier version wrote the file.
    """
    facts = json.loads(archive.read(MEMBER))
    return {
        "class_names": tuple(facts["class_names"]),
        "trained_on": facts["trained_on"],
        "image_size": facts["image_size"],
        "fingerprint": facts.get("fingerprint"),
        "checksums": facts.get("checksums"),
    }


def list_checksums(archive: zipfile.ZipFile) -> dict[str, int]:
    """Return the CRC-32 of each member that Keras wrote, so that the fingerprint cannot outlive the weights."""
    return {member.filename: member.CRC for member in archive.infolist() if member.filename != MEMBER}
