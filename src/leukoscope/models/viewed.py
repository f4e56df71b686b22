"""A classifier that sees every field in several views, and averages its predictions: test-time augmentation."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.special import softmax

from leukoscope.core.errors import DamageError, telling_damage
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.storage import write_json
from leukoscope.images.views import VIEWS
from leukoscope.models.base import FACTS, FOLDER, Classifier, Prediction, score_probabilities
from leukoscope.models.stored import NOTHING, Known

_MEMBER = "member"


@dataclass(frozen=True)
class ViewedClassifier:
    """A classifier of any other kind that sees each field in several views.

    Its features are averaged over the views, and so are its log-probabilities. For a network that ends in one linear
    layer both give the same result: the mean of its scores.

    Attributes:
        member: The classifier.
        views: The name of the views, a key of ``VIEWS``.
    """

    member: Classifier
    views: str

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the probabilities."""
        return self.member.class_names

    @property
    def image_size(self) -> int:
        """Side in pixels of the packed squares that the classifier was trained on."""
        return self.member.image_size

    @property
    def trained_on(self) -> str:
        """The fingerprint of the splits that the classifier was trained on."""
        return self.member.trained_on

    @property
    def place(self) -> str:
        """Its name on disk."""
        return FOLDER

    @property
    def capabilities(self) -> frozenset[str]:
        """What it offers beyond probabilities: features, if the classifier has them."""
        return self.member.capabilities & {"features"}

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the classifier and the views."""
        return fingerprint_facts([self.member.fingerprint, self.views])

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images, each in every view.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which images to predict; all by default.
            batch_size: Images at a time.
        """
        rows = np.arange(len(pixels)) if rows is None else rows
        starts = range(0, len(rows), batch_size)
        parts = [self._predict_batch(pixels[rows[start : start + batch_size]]) for start in starts]
        features = [part.features for part in parts if part.features is not None]
        return Prediction(
            np.concatenate([part.probabilities for part in parts]), np.concatenate(features) if features else None
        )

    def _predict_batch(self, images: np.ndarray) -> Prediction:
        predictions = [self.member.predict(view(images), None, len(images)) for view in VIEWS[self.views]]
        logarithms = np.mean([score_probabilities(prediction.probabilities) for prediction in predictions], axis=0)
        features = [prediction.features for prediction in predictions if prediction.features is not None]
        return Prediction(
            softmax(logarithms, axis=1).astype(np.float32),
            np.stack(features).mean(axis=0) if features else None,
        )

    def score(self, prediction: Prediction) -> np.ndarray:
        """Return log-probabilities."""
        return score_probabilities(prediction.probabilities)

    def find_fault(self) -> str | None:
        """Return why it cannot be used, if so."""
        return self.member.find_fault()

    def save_own(self, path: Path) -> None:
        """Write everything but the classifier into an existing folder."""
        facts = {"kind": "views", "views": self.views, "class_names": self.class_names, "trained_on": self.trained_on}
        write_json(path / FACTS, facts | {"fingerprint": self.fingerprint})

    def save(self, path: Path) -> None:
        """Write a self-contained folder, with the classifier saved inside in its own format."""
        from leukoscope.models.stored import write_classifier

        self.save_own(path)
        home = path / _MEMBER
        home.mkdir()
        write_classifier(self.member, home)

    @classmethod
    def load(cls, path: Path, known: Known = NOTHING) -> "ViewedClassifier":
        """Read what ``save`` wrote.

        Args:
            path: The folder.
            known: Results computed for fields before, for classifiers that measure them or look for cells.

        Raises:
            FileNotFoundError: There is no such folder.
            InputError: A file is damaged, or the classifier is not the one that was saved.
        """
        from leukoscope.models.stored import load_classifier

        with telling_damage(path / FACTS):
            facts = json.loads((path / FACTS).read_text())
            views = facts["views"]
            fingerprint = facts["fingerprint"]
            if views not in VIEWS:
                raise ValueError(f"there are no views '{views}'")
        classifier = cls(load_classifier(path / _MEMBER, known), views)
        if classifier.fingerprint != fingerprint:
            raise DamageError(path, "its classifier is not the one that it was made of")
        return classifier
