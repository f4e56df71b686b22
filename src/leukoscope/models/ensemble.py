"""Ensembles: several classifiers that vote."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from leukoscope.core.errors import DamageError, telling_damage
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.core.storage import write_json
from leukoscope.evaluation.voting import Vote
from leukoscope.models.base import FACTS, FOLDER, Classifier, Prediction, score_probabilities
from leukoscope.models.stored import NOTHING, Known

_MEMBERS = "members"
# Capabilities that an ensemble has if all of its members have them.
_SHARED = frozenset({"features", "class_maps"})


@dataclass(frozen=True)
class EnsembleClassifier:
    """Classifiers with the same classes and splits, whose probabilities are combined.

    Attributes:
        members: The classifiers by the names of their models, in the order of the vote.
        vote: The rule that combines their probabilities.
    """

    members: Mapping[str, Classifier]
    vote: Vote

    @property
    def _first(self) -> Classifier:
        return next(iter(self.members.values()))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of the probabilities."""
        return self._first.class_names

    @property
    def image_size(self) -> int:
        """Side in pixels of the packed squares that all members were trained on."""
        return self._first.image_size

    @property
    def trained_on(self) -> str:
        """The fingerprint of the splits that all members were trained on."""
        return self._first.trained_on

    @property
    def place(self) -> str:
        """Its name on disk."""
        return FOLDER

    @property
    def capabilities(self) -> frozenset[str]:
        """What it offers beyond probabilities: features and class maps, if all members have them."""
        return frozenset.intersection(_SHARED, *(member.capabilities for member in self.members.values()))

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of its members and of the vote."""
        members = [member.fingerprint for member in self.members.values()]
        return fingerprint_facts([members, self.vote.describe()])

    def predict(self, pixels: np.ndarray, rows: np.ndarray | None = None, batch_size: int = 64) -> Prediction:
        """Predict some images with every member in turn.

        Args:
            pixels: ``uint8 [n, height, width, 3]``.
            rows: Which images to predict; all by default.
            batch_size: Images at a time.
        """
        predicted = [member.predict(pixels, rows, batch_size) for member in self.members.values()]
        features = [prediction.features for prediction in predicted if prediction.features is not None]
        return Prediction(
            self.vote.combine(np.stack([prediction.probabilities for prediction in predicted])),
            np.concatenate(features, axis=1) if len(features) == len(predicted) else None,
        )

    def score(self, prediction: Prediction) -> np.ndarray:
        """Return log-probabilities."""
        return score_probabilities(prediction.probabilities)

    def find_fault(self) -> str | None:
        """Return why it cannot be used, if so: members that do not belong together, or a member's fault."""
        kinds = {(member.class_names, member.image_size, member.trained_on) for member in self.members.values()}
        if len(kinds) > 1:
            return f"its members, {', '.join(self.members)}, are of other classes, sizes or splits than each other"
        faults = (f"{name}: {fault}" for name, member in self.members.items() if (fault := member.find_fault()))
        return next(faults, None)

    def save_own(self, path: Path) -> None:
        """Write everything but its members into an existing folder."""
        facts = {"kind": "ensemble", "members": list(self.members), "vote": self.vote.describe()}
        facts |= {"class_names": self.class_names, "trained_on": self.trained_on, "fingerprint": self.fingerprint}
        write_json(path / FACTS, facts)

    def save(self, path: Path) -> None:
        """Write a self-contained folder, with each member saved inside in its own format."""
        from leukoscope.models.stored import write_classifier

        self.save_own(path)
        for name, member in self.members.items():
            home = path / _MEMBERS / name
            home.mkdir(parents=True)
            write_classifier(member, home)

    @classmethod
    def load(cls, path: Path, known: Known = NOTHING) -> "EnsembleClassifier":
        """Read what ``save`` wrote.

        Args:
            path: The folder.
            known: Results computed for fields before, for members that measure them or look for cells.

        Raises:
            FileNotFoundError: There is no such folder.
            InputError: A file is damaged, or a member is not the one that was saved.
        """
        from leukoscope.models.stored import load_classifier

        with telling_damage(path / FACTS):
            facts = json.loads((path / FACTS).read_text())
            names = list(facts["members"])
            vote = Vote.restore(facts["vote"])
            fingerprint = facts["fingerprint"]
            if len(vote.weights) != len(names) or not names:
                raise ValueError(f"there are {len(vote.weights)} weights of {len(names)} members")
        members = {name: load_classifier(path / _MEMBERS / Path(name).name, known) for name in names}
        classifier = cls(members, vote)
        if classifier.fingerprint != fingerprint:
            raise DamageError(path, "its members are not those that it was made of")
        return classifier
