"""A classifier that sees every field in several views, and answers by their mean: test-time augmentation."""

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

    Its features are the mean over the views, and so are the logarithms of its probabilities. For a network with one
    linear layer at its end both are the same: the mean of its scores.

    Attributes:
        member: The classifier.
        views: Which views, of ``VIEWS``.
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
        """What it is called where it lies."""
        return FOLDER

    @property
    def capabilities(self) -> frozenset[str]:
        """What it has beyond probabilities: features, where the classifier has them."""
        return self.member.capabilities & {"features"}

    @cached_property
    def fingerprint(self) -> str:
        """Of the classifier and the views."""
        return fingerprint_facts([self.member.fingerprint, self.views])

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images, each in every view.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which of them; all by default.
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
        """Give the logarithms of probabilities."""
        return score_probabilities(prediction.probabilities)

    def find_fault(self) -> str | None:
        """Return why it cannot be used, if so."""
        return self.member.find_fault()

    def save_own(self, path: Path) -> None:
        """Write what it has beside the classifier into a folder that is there."""
        facts = {"kind": "views", "views": self.views, "class_names": self.class_names, "trained_on": self.trained_on}
        write_json(path / FACTS, facts | {"fingerprint": self.fingerprint})

    def save(self, path: Path) -> None:
        """Write a folder that needs no other: the classifier lies in it, as its kind lies."""
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
            known: What was computed of fields before, for classifiers that measure them or look for cells.

        Raises:
            FileNotFoundError: There is none.
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
