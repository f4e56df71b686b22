"""Check whether a classifier fits the data and settings that it is used with."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from leukoscope.core.commands import name_evaluation, name_run
from leukoscope.core.errors import InputError
from leukoscope.images.circumstances import VERSION

logger = logging.getLogger(__name__)

# Version of the evaluation results: increase it whenever reports need more content, or a metric is computed
# differently, such as `test_robust_accuracy` under other changes.
RESULT_FORMAT = 3
RESULT_PARTS = {
    "class_names",
    "split",
    "errors",
    "confusion",
    "roc",
    "reliability",
    "risk",
    "confidence",
    "benign_class",
}
RESULT_PARTS |= {"prevalence", "summary", "metrics", "calibration", "training"}
RESULT_PARTS |= {"history", "robustness", "outliers"}


def require_classes(who: str, known: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that a classifier knows the classes named in the parameters, in the same order.

    Args:
        who: The classifier's name, for the error message.
        known: The classifier's classes.
        wanted: The classes in the parameters.

    Raises:
        InputError: The classes differ.
    """
    if list(known) != list(wanted):
        raise InputError(
            f"{who} knows the classes {', '.join(known)}, and the parameters say {', '.join(wanted)}. Set class_names "
            f"as the model has them, train again, or choose another model."
        )


def covers_splits(table: pd.DataFrame, splits: pd.DataFrame) -> bool:
    """Check whether an evaluation covers exactly the images of the given splits, in any order.

    Args:
        table: One row per image: ``image_id, split, label`` and further columns.
        splits: The same columns for the present splits.
    """
    facts = ["image_id", "split", "label"]
    evaluated, present = (
        table_of_splits[facts].sort_values("image_id", ignore_index=True) for table_of_splits in (table, splits)
    )
    return evaluated.equals(present)


def require_splits(model: str, fits: bool) -> None:
    """Check that a model that another model is built from uses the present splits.

    Args:
        model: Name of the model's entry.
        fits: Whether it uses the present splits.

    Raises:
        InputError: It uses other splits.
    """
    if not fits:
        raise InputError(
            f"{model} was trained or evaluated on other splits than the present ones, and what is made of it must have "
            f"the same. Run `{name_run(f'train_{model}')}`, or restore the splits (seed and splitting parameters)."
        )


def require_evaluation(model: str, is_of_the_model: bool) -> None:
    """Check that an evaluation's outputs belong to the model as it is now.

    Args:
        model: Name of the model's entry.
        is_of_the_model: Whether they belong to it.

    Raises:
        InputError: They belong to another training of the model.
    """
    if not is_of_the_model:
        raise InputError(
            f"{model} was trained again after it had been evaluated: its calibration and features are another "
            f"model's. Run `{name_evaluation(model)}`."
        )


def select_results(results: Iterable[Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """Select the results that reports and comparisons can use; warn about results of other versions.

    Another version may keep other content, compute metrics differently (``RESULT_FORMAT``) or change images differently
    in certificates (``VERSION``).

    Args:
        results: One per model, or ``None`` if the model has none yet.

    Raises:
        InputError: There are results, but all are of another version.
    """
    there = [dict(result) for result in results if result is not None]
    current = [result for result in there if _is_current(result)]
    old = [result for result in there if result not in current]
    names = ", ".join(result["title"] for result in old)
    mend = f"Run `{name_evaluation(*(result['model'] for result in old))}`"
    if old and not current:
        raise InputError(f"All results ({names}) are of another version, which kept or measured other things. {mend}.")
    if old:
        logger.warning("Left out, since another version evaluated them: %s. %s", names, mend)
    return current


def _is_current(result: Mapping[str, Any]) -> bool:
    if result.get("format") != RESULT_FORMAT or not result.keys() >= RESULT_PARTS:
        return False
    return result["summary"].get("certificate_version") in (None, VERSION)
