"""Training of a classical classifier of hand-crafted measurements."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from leukoscope.cells.measuring import FoundCells
from leukoscope.core.counts import count_of
from leukoscope.core.energy import Meter
from leukoscope.core.fingerprint import fingerprint_facts
from leukoscope.features.fields import COUNT, FEATURES, SHARE
from leukoscope.features.measuring import MeasurementStore, measure_fields
from leukoscope.images.packed import PackedImages
from leukoscope.models.crafted import CraftedClassifier, find_columns, in_one_thread, select_features
from leukoscope.training import without_epochs
from leukoscope.training.importance import measure_importance

logger = logging.getLogger(__name__)

# Raise by hand when the same key would give another classifier.
CRAFTED_FORMAT = 1
_FOLDS = 3
_NEIGHBOURS = 5
_TREES = 300


class Method(NamedTuple):
    """A scikit-learn classifier, and its parameters to choose by cross-validation.

    Attributes:
        title: Its name in words.
        build: Builds it from a seed and the class weights, ``balanced`` or ``None``.
        grid: The values to choose from, by parameter name.
    """

    title: str
    build: Callable[[int, str | None], Any]
    grid: Mapping[str, Sequence[Any]]


def _build_neighbours(seed: int, weights: str | None) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(_NEIGHBOURS, algorithm="brute")


def _build_svm(seed: int, weights: str | None) -> Any:
    from sklearn.svm import SVC

    return SVC(kernel="rbf", class_weight=weights)


def _build_forest(seed: int, weights: str | None) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(_TREES, class_weight=weights, random_state=seed, n_jobs=-1)


def _build_boosting(seed: int, weights: str | None) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(class_weight=weights, random_state=seed, early_stopping=False)


METHODS = {
    "knn": Method(f"{_NEIGHBOURS} nearest neighbours", _build_neighbours, {}),
    "svm": Method(
        "support vector machine with radial kernel", _build_svm, {"C": (1, 10, 100), "gamma": ("scale", 0.01, 0.1)}
    ),
    "random_forest": Method(
        f"random forest of {_TREES} trees", _build_forest, {"max_features": ("sqrt", 0.3), "min_samples_leaf": (1, 3)}
    ),
    "gradient_boosting": Method(
        "gradient boosting on histograms", _build_boosting, {"max_iter": (100, 200), "max_leaf_nodes": (15, 31)}
    ),
}


def describe_key(
    recipe: Mapping[str, Any],
    balanced: bool,
    class_names: Sequence[str],
    splits: str,
    data: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Collect everything that determines a training; its model's name is not part of it.

    Args:
        recipe: The kind, and the ``recipe`` in effect.
        balanced: Whether classes are weighted equally.
        class_names: The classes in order.
        splits: The fingerprint of the splits.
        data: The training images, and how they were packed and are measured.
        seed: Seed for everything random in training.
    """
    facts = {"balanced": balanced, "class_names": list(class_names), "seed": seed, "splits": splits, "data": data}
    return {**recipe, **facts, "format": CRAFTED_FORMAT, "engine": without_epochs.describe_engine()}


def describe_training(key: Mapping[str, Any], splits: pd.DataFrame) -> dict[str, Any]:
    """Describe the origin of a training for its summary.

    Args:
        key: Key of the training.
        splits: The table of splits, which names the training images.
    """
    recipe = key["recipe"]
    method = METHODS[key["recipe"]["classifier"]]
    number = len(find_columns(recipe["features"]))
    of_found = " of the cells that the pipeline cells finds" if "cells" in key["data"] else ""
    train = splits.loc[splits["split"] == "train", "label"].value_counts(sort=False)
    weighs = key["balanced"] and recipe["classifier"] != "knn"
    return without_epochs.describe_training(key) | {
        "description": f"{method.title}, on {number} measurements of {_enumerate(recipe['features'])}{of_found}",
        "input_size": key["data"]["size"],
        "class_balance": "class weights in the fit" if weighs else "none: every training image with equal weight",
        "training_images": {name: int(train[name]) for name in key["class_names"] if name in train},
    }


def _enumerate(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


class Fitted(NamedTuple):
    """A fitted classifier.

    Attributes:
        estimator: Scales measurements and predicts calibrated probabilities.
        chosen: The values that cross-validation chose, by parameter name.
        by_group: Whether no group of images straddled the folds.
    """

    estimator: Any
    chosen: dict[str, Any]
    by_group: bool


@in_one_thread()
def fit_estimator(
    method: str, features: np.ndarray, classes: np.ndarray, groups: np.ndarray, balanced: bool, seed: int
) -> Fitted:
    """Choose a classifier's parameters by grouped cross-validation, fit it, and calibrate it on the same folds.

    Probabilities are a logistic function of the scores (Platt 1999, Probabilistic outputs for support vector machines),
    fitted on held-out folds.

    Args:
        method: A key of ``METHODS``.
        features: ``[n, features]``, without gaps.
        classes: The class index of each image, ``[n]``.
        groups: The group of each image, ``[n]``; images of a group belong together.
        balanced: Whether classes are weighted equally, however many images they have; nearest neighbours ignore this.
        seed: Seed of the folds, and of anything random in the classifier.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    how = METHODS[method]
    folds, by_group = _divide(classes, groups, seed)
    classifier = how.build(seed, "balanced" if balanced else None)
    pipeline = Pipeline([("scaler", StandardScaler()), ("classifier", classifier)])
    chosen: dict[str, Any] = {}
    if how.grid:
        grid = {f"classifier__{name}": list(values) for name, values in how.grid.items()}
        search = GridSearchCV(pipeline, grid, scoring="balanced_accuracy", cv=folds, refit=False)
        best = search.fit(features, classes).best_params_
        pipeline.set_params(**best)
        chosen = {name.removeprefix("classifier__"): value for name, value in best.items()}
    estimator = CalibratedClassifierCV(pipeline, method="sigmoid", cv=folds, ensemble=False)
    return Fitted(estimator.fit(features, classes), chosen, by_group)


def _divide(classes: np.ndarray, groups: np.ndarray, seed: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], bool]:
    """Divide images into folds by group, or by image if a class has fewer groups than folds."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    fewest = min(len(np.unique(groups[classes == number])) for number in np.unique(classes))
    if fewest >= _FOLDS:
        grouped = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
        folds = list(grouped.split(classes, classes, groups))
        if all(set(classes[train]) == set(classes) for train, _ in folds):
            return folds, True
    logger.warning(
        "A class has its training images in %s: parameters are chosen by folds of images, not of groups",
        count_of(fewest, "group"),
    )
    by_image = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    return list(by_image.split(classes, classes)), False


def fit_classifier(
    key: Mapping[str, Any],
    smears: PackedImages,
    splits: pd.DataFrame,
    store: MeasurementStore | None,
    name: str,
    found: FoundCells | None = None,
) -> tuple[CraftedClassifier, dict[str, Any]]:
    """Measure the training images and fit a classifier.

    Args:
        key: Key of the training.
        smears: The packed images.
        splits: Defines the training images and their groups.
        store: Cache of earlier measurements.
        name: The model's name in the log.
        found: The cells to measure; ``None``: the cells of its own segmentation.

    Returns:
        The classifier, and facts about its training.
    """
    recipe = key["recipe"]
    train = splits[splits["split"] == "train"]
    measured = _measure(recipe["features"], smears, train["image_id"], store, found)
    columns = find_columns(recipe["features"])
    of_cells = [column for column in columns if FEATURES[column] not in {COUNT, SHARE}]
    empty = np.isnan(measured[:, of_cells]).all(axis=1)  # no cell could be measured
    seen = measured[~empty][:, columns]
    usual = np.nanmedian(seen, axis=0) if len(seen) else np.zeros(len(columns), np.float32)
    features = select_features(measured, recipe["features"], usual)
    classes = pd.Index(key["class_names"]).get_indexer(train["label"])
    started = time.perf_counter()
    meter = Meter()
    fitted = fit_estimator(
        recipe["classifier"], features, classes, train["group"].to_numpy(), key["balanced"], key["seed"]
    )
    seconds = time.perf_counter() - started
    used = meter.stop()
    chosen = ", ".join(f"{parameter} {value}" for parameter, value in fitted.chosen.items())
    logger.info(
        "%s: fitted on %s in %.1f s%s", name, count_of(len(train), "image"), seconds, f"; {chosen}" if chosen else ""
    )
    facts = {name: key[name] for name in key if name != "split"}
    facts |= {"usual": usual.tolist(), "features": hashlib.sha256(features.tobytes()).hexdigest()}
    classifier = CraftedClassifier(
        fitted.estimator,
        tuple(recipe["features"]),
        usual,
        tuple(key["class_names"]),
        key["splits"],
        key["data"]["size"],
        fingerprint_facts(facts),
        store,
        None if found is None else found.cutting,
    )
    facts = _summarise(classifier, fitted, seconds, int(empty.sum())) | used.describe()
    if len(classifier.groups) < 2:
        return classifier, facts
    validation = splits[splits["split"] == "validation"]
    validation_features = _measure(classifier.groups, smears, validation["image_id"], store, found)
    return classifier, facts | _explain(classifier, validation_features, validation, key["seed"])


def _measure(
    groups: Sequence[str],
    smears: PackedImages,
    names: pd.Series,
    store: MeasurementStore | None,
    found: FoundCells | None,
) -> np.ndarray:
    """Measure fields, ``float32 [fields, FEATURES]``."""
    rows = smears.rows(names)
    if found is None:
        return measure_fields(smears.pixels, rows, store)
    return found.measure(smears.pixels, rows, names.tolist(), groups)


def _explain(classifier: CraftedClassifier, measurements: np.ndarray, some: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Measure how much each group of measurements contributes to the classifier."""
    features = select_features(measurements, classifier.groups, classifier.usual)
    classes = pd.Index(classifier.class_names).get_indexer(some["label"])
    lost = measure_importance(classifier.estimator, features, classes, classifier.groups, seed)
    return {"validation_accuracy_lost_by_shuffling": lost}


def _summarise(classifier: CraftedClassifier, fitted: Fitted, seconds: float, empty: int) -> dict[str, Any]:
    unit = "groups" if fitted.by_group else "images"
    return {
        **classifier.measure_size(),
        "chosen": fitted.chosen,
        "chosen_by": f"balanced accuracy over {_FOLDS} folds of {unit} of the training images",
        "fields_without_cells": empty,
        "seconds": seconds,
    }
