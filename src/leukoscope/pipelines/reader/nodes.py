"""Choose the second reader."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from leukoscope.core.commands import name_run, name_training
from leukoscope.core.errors import InputError
from leukoscope.images.decoding import Limits
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.pipelines.reader.options import ReaderOptions
from leukoscope.reader.base import Reader, Registry
from leukoscope.training.entry import ModelOptions

logger = logging.getLogger(__name__)

Load = Callable[[], Any]


def collect_evaluated(
    models: Mapping[str, Any],
    trained_models: Mapping[str, Load],
    calibrations: Mapping[str, Load],
    predictions: Mapping[str, Load],
    features: Mapping[str, Load],
) -> dict[str, dict[str, Load]]:
    """Collect the parts of a reader for each model that has all of them.

    Args:
        models: All entries; their models come first, in their order.
        trained_models: Functions that load each model's classifier.
        calibrations: Functions that load its calibration, learned from the validation images.
        predictions: Functions that load its predictions.
        features: Functions that load its last-layer features.

    Returns:
        By model name, functions that load its ``classifier``, ``calibration``, ``predictions`` and ``features``.
    """
    parts = {
        "classifier": trained_models,
        "calibration": calibrations,
        "predictions": predictions,
        "features": features,
    }
    evaluated = {}
    for name in dict.fromkeys([*models, *trained_models]):
        if all(name in part for part in parts.values()):
            evaluated[name] = {kind: part[name] for kind, part in parts.items()}
    return evaluated


def assemble_reader(
    options: ReaderOptions,
    class_names: list[str],
    ingestion: IngestionOptions,
    evaluation: EvaluationOptions,
    registry: Registry,
    models: Mapping[str, Any],
    evaluated: Mapping[str, Mapping[str, Load]],
    packed_images: PackedImages | None,
) -> Reader:
    """Assemble a reader from a classifier and everything it needs to give opinions.

    Args:
        options: Which classifier: a registered one, a named model, or the best on its validation images.
        class_names: The class names in the parameters.
        ingestion: The limits on files.
        evaluation: Names the benign classes, and says whether opinions are certified by asking again.
        registry: Fetches registered readers.
        models: All entries, for their titles.
        evaluated: The result of ``collect_evaluated``.
        packed_images: The packed images, for learning the scale of cells in the training images.

    Returns:
        A ``SecondReader``.

    Raises:
        InputError: The classifier does not exist, has other classes, was retrained since its evaluation, or was
            evaluated by an earlier version.
    """
    from leukoscope.evaluation import feature_table
    from leukoscope.evaluation.trust import Calibration
    from leukoscope.reader.scale import know_scale
    from leukoscope.reader.second_reader import SecondReader

    if options.model_uri:
        reader = registry.fetch(options.model_uri)
        reader.require_classes(class_names)
        feature_table.require_checks(reader.seen)
        reader = know_scale(reader, packed_images)
        return reader.asking_again() if evaluation.certificate else reader
    name = options.model or _choose_best({there: parts["predictions"]() for there, parts in evaluated.items()}, models)
    if name not in evaluated:
        raise InputError(
            f"{_find_title(models, name)} has not been trained and evaluated. Run `{name_run(f'train_{name}')}`, or "
            f"choose another by reader.model (there: {', '.join(evaluated) or 'none'})."
        )
    parts = evaluated[name]
    features = parts["features"]()
    feature_table.require_checks(features)
    reader = SecondReader(
        name,
        parts["classifier"](),
        Calibration.restore(parts["calibration"]()),
        features[features["split"] != "test"].reset_index(drop=True),
        evaluation.benign_class,
        Limits(ingestion.min_side, ingestion.max_pixels, ingestion.max_bytes),
        _find_title(models, name),
    )
    reader = know_scale(reader, packed_images)
    reader.require_classes(class_names)
    _require_one_evaluation(reader, parts["predictions"]())
    return reader.asking_again() if evaluation.certificate else reader


def plan_engine(reader: Reader, packed_images: PackedImages | None, options: ReaderOptions) -> Any:
    """Plan the engine of a reader, which the data set makes when the plan is saved, unless it exists.

    Args:
        reader: The second reader.
        packed_images: The packed images, some of which are used to compare the engine with Keras.
        options: Which engine to use.

    Returns:
        An ``EnginePlan``.
    """
    from leukoscope.reader.engine import EnginePlan

    return EnginePlan(reader, options.engine, packed_images)


def _find_title(models: Mapping[str, Any], name: str) -> str:
    """Return a model's title from its raw entry, as Kedro validates only the parameters of the current pipelines."""
    return ModelOptions.model_validate(models[name]).title if name in models else name


def _choose_best(predictions: Mapping[str, pd.DataFrame], models: Mapping[str, Any]) -> str:
    """Choose the model with the highest validation accuracy; the first one in case of ties."""
    if not predictions:
        raise InputError(f"No model has been evaluated yet. Train one first: `{name_training()}`.")
    validating = {
        name: table[table["split"] == "validation"].set_index("image_id") for name, table in predictions.items()
    }
    if len({frozenset(rows.index) for rows in validating.values()}) > 1:
        raise InputError(
            f"{', '.join(validating)} were evaluated on different validation images, so that none of them can be "
            f"called the best. Evaluate them again, or choose one by reader.model."
        )
    accuracies = {name: (rows["label"] == rows["predicted"]).mean() for name, rows in validating.items()}
    best = max(accuracies, key=accuracies.__getitem__)
    accuracies_in_words = ", ".join(
        f"{_find_title(models, name)} {accuracy:.3f}" for name, accuracy in accuracies.items()
    )
    logger.info("%s reads; validation accuracies: %s", _find_title(models, best), accuracies_in_words)
    return best


def _require_one_evaluation(reader: Reader, predictions: pd.DataFrame) -> None:
    """Make sure that features and calibration belong to this model; a run may have been killed between the two."""
    import numpy as np

    from leukoscope.evaluation import compatibility, conformal
    from leukoscope.evaluation.predictions import select_split

    truth, probabilities = select_split(predictions, "validation", reader.class_names)
    learned = conformal.measure_nonconformity(truth, probabilities)
    kept = reader.calibration.nonconformity
    same = [
        len(values) == len(kept_values) and np.allclose(values, kept_values)
        for values, kept_values in zip(learned, kept, strict=False)
    ]
    same_network = {*reader.seen["model"], reader.calibration.model} == {reader.classifier.fingerprint}
    compatibility.require_evaluation(reader.model, same_network and len(kept) == len(learned) and all(same))
