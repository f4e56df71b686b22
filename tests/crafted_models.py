"""Crafted classifiers that are trained in a moment, on fields with discs."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from drawn_fields import Fields
from leukoscope.core.fingerprint import fingerprint_table
from leukoscope.evaluation import feature_table
from leukoscope.evaluation.trust import Calibration
from leukoscope.evaluation.voting import Vote, weigh
from leukoscope.features.measuring import MeasurementStore
from leukoscope.images.decoding import Limits
from leukoscope.images.field_checks import check_fields
from leukoscope.models.crafted import CraftedClassifier
from leukoscope.models.ensemble import EnsembleClassifier
from leukoscope.reader.second_reader import SecondReader
from leukoscope.training import crafted
from leukoscope.training.crafted import describe_key
from leukoscope.training.entry import ModelOptions
from leukoscope.training.recipe import Recipe


def make_entry(classifier: str = "knn", features=("shape",), name: str = "own") -> Any:
    values = {"name": name, "kind": "crafted", "classifier": classifier, "features": features}
    return ModelOptions.model_validate(values)


def make_key(fields: Fields, classifier: str = "knn", features=("shape",), seed: int = 1) -> dict[str, Any]:
    recipe = make_entry(classifier, features).describe_recipe(Recipe())
    names = ["Benign", "Early", "Pre", "Pro"]
    data = {"size": fields.pixels.shape[1]}
    return describe_key(recipe, True, names, fingerprint_table(fields.splits), data, seed)


@contextmanager
def quickly() -> Iterator[None]:
    """Let forests and boosting be small."""
    boosting = crafted.METHODS["gradient_boosting"]._replace(grid={"max_iter": (5, 10)})
    with patch.object(crafted, "_TREES", 10), patch.dict(crafted.METHODS, gradient_boosting=boosting):
        yield


@cache
def make_fields() -> Fields:
    return Fields()


@cache
def make_classifier(classifier: str = "knn", features=("shape",)) -> CraftedClassifier:
    """Train one; the same for whoever asks."""
    fields, key = make_fields(), make_key(make_fields(), classifier, features)
    with quickly():
        return crafted.fit_classifier(key, fields, fields.splits, _Memory(), "own")[0]


@cache
def make_vote() -> EnsembleClassifier:
    """Let two of them vote."""
    return EnsembleClassifier({"knn": make_classifier(), "svm": make_classifier("svm")}, Vote(weigh([1, 1])))


@cache
def make_reader() -> SecondReader:
    """Make a reader of the fields that were drawn."""
    fields, classifier = make_fields(), make_classifier("svm", ("shape", "colour"))
    facts = fields.splits.drop(columns="group").assign(model=classifier.fingerprint)
    facts = facts.merge(fields.records.drop(columns="row"), on="image_id")
    features = classifier.predict(fields.pixels).features
    seen = feature_table.tabulate(facts, features, check_fields(fields.pixels))
    given = {"temperature": 1.0, "threshold": 0.3, "ood_limit": 99.0, "nonconformity": [[0.1]] * 4, "target_error": 0.1}
    given |= {"error_bound": 0.08, "groups": 60.0, "needed": 29, "model": classifier.fingerprint}
    limits = Limits(16, 10**6, 10**6)
    return SecondReader("own", classifier, Calibration(**given), seen, ("Benign",), limits)


class _Memory(MeasurementStore):
    """Keeps what is measured as long as the tests run."""

    _kept: dict = {}  # noqa: RUF012

    def __init__(self) -> None:
        pass

    def find(self, keys):
        return {key: self._kept[key] for key in keys if key in self._kept}

    def keep(self, measured) -> None:
        self._kept.update(measured)
