"""Choose who reads."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.images.decoding import Limits
from leukoscope.models.architecture import BACKBONES
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.ingestion.options import IngestionOptions
from leukoscope.pipelines.reader.options import ReaderOptions

logger = logging.getLogger(__name__)

Load = Callable[[], Any]


def assemble_reader(
    options: ReaderOptions,
    class_names: list[str],
    ingestion: IngestionOptions,
    evaluation: EvaluationOptions,
    registry: Any,
    *evaluated: Mapping[str, Load],
) -> Any:
    """Bring together a classifier and all that it needs to give opinions.

    Args:
        options: Which one: of the registry, a backbone, or the best on its validation images.
        class_names: The classes that the parameters name.
        ingestion: What a file must keep to.
        evaluation: Names the benign classes.
        registry: Fetches registered readers.
        evaluated: What loads of each backbone its classifier, what was learned of it from the validation images, its
            predictions, and what its last layer sees.

    Returns:
        A ``SecondReader``.

    Raises:
        InputError: There is no such classifier, it knows other classes, was trained again since its evaluation, or was
            evaluated by an earlier version.
    """
    from leukoscope.evaluation import feature_table
    from leukoscope.evaluation.trust import Calibration
    from leukoscope.reader.second_reader import SecondReader

    if options.model_uri:
        reader = registry.fetch(options.model_uri)
        reader.require_classes(class_names)
        feature_table.require_checks(reader.seen)
        return reader
    models, calibrations, predictions, features = evaluated
    there = [name for name in BACKBONES if all(name in parts for parts in evaluated)]
    backbone = options.backbone or _choose_best({name: predictions[name]() for name in there})
    if backbone not in there:
        raise InputError(
            f"{BACKBONES[backbone].title} has not been trained and evaluated. Run `kedro run --pipelines "
            f"train_{backbone}`, or choose another by reader.backbone (there: {', '.join(there) or 'none'})."
        )
    seen = features[backbone]()
    feature_table.require_checks(seen)
    reader = SecondReader(
        backbone,
        models[backbone](),
        Calibration.restore(calibrations[backbone]()),
        seen[seen["split"] != "test"].reset_index(drop=True),
        evaluation.benign_class,
        Limits(ingestion.min_side, ingestion.max_pixels, ingestion.max_bytes),
    )
    reader.require_classes(class_names)
    _require_one_evaluation(reader, predictions[backbone]())
    return reader


def _choose_best(predictions: Mapping[str, pd.DataFrame]) -> str:
    """Choose the backbone with the most validation images right; of equals, the first in the table."""
    if not predictions:
        raise InputError("No backbone has been evaluated yet. Train one first: `kedro run --pipelines train_resnet50`.")
    held = {name: table[table["split"] == "validation"].set_index("image_id") for name, table in predictions.items()}
    if len({frozenset(rows.index) for rows in held.values()}) > 1:
        raise InputError(
            f"{', '.join(held)} were evaluated on different validation images, so that none of them can be called the "
            f"best. Evaluate them again, or choose one by reader.backbone."
        )
    accuracies = {name: (rows["label"] == rows["predicted"]).mean() for name, rows in held.items()}
    best = max(accuracies, key=accuracies.__getitem__)
    said = ", ".join(f"{BACKBONES[name].title} {accuracy:.3f}" for name, accuracy in accuracies.items())
    logger.info("%s reads; validation accuracies: %s", BACKBONES[best].title, said)
    return best


def _require_one_evaluation(reader: Any, predictions: pd.DataFrame) -> None:
    """Make sure that features and calibration are of this model: a run may have been killed between them."""
    import numpy as np

    from leukoscope.evaluation import compatibility, conformal
    from leukoscope.evaluation.predictions import select_split

    truth, given = select_split(predictions, "validation", reader.class_names)
    learned = conformal.measure_nonconformity(truth, given)
    kept = reader.calibration.nonconformity
    same = [len(one) == len(other) and np.allclose(one, other) for one, other in zip(learned, kept, strict=False)]
    own = {*reader.seen["model"], reader.calibration.model} == {reader.classifier.fingerprint}
    compatibility.require_evaluation(reader.backbone, own and len(kept) == len(learned) and all(same))
