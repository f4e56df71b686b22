"""Whether a classifier fits what it is used with."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from leukoscope.core.commands import name_evaluation, name_run
from leukoscope.core.errors import InputError
from leukoscope.images.circumstances import VERSION

logger = logging.getLogger(__name__)

# What an evaluation hands over: raise the format whenever pages need more of it, or a figure is measured otherwise, as
# `test_robust_accuracy` is under other changes.
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
    """Make sure that a classifier knows the classes that the parameters name, in their order.

    Args:
        who: The classifier, for the message.
        known: Its classes.
        wanted: Those of the parameters.

    Raises:
        InputError: It knows others.
    """
    if list(known) != list(wanted):
        raise InputError(
            f"{who} knows the classes {', '.join(known)}, and the parameters say {', '.join(wanted)}. Set class_names "
            f"as the model has them, train again, or choose another model."
        )


def covers_splits(table: pd.DataFrame, splits: pd.DataFrame) -> bool:
    """Tell whether an evaluation is of the images of these splits, in any order.

    Args:
        table: ``image_id, split, label`` and more, a row an image.
        splits: The same of the present ones.
    """
    facts = ["image_id", "split", "label"]
    evaluated, present = (
        table_of_splits[facts].sort_values("image_id", ignore_index=True) for table_of_splits in (table, splits)
    )
    return evaluated.equals(present)


def require_splits(model: str, fits: bool) -> None:
    """Make sure that a model that another one is made of is of the present splits.

    Args:
        model: Its entry.
        fits: Whether it is.

    Raises:
        InputError: It is of others.
    """
    if not fits:
        raise InputError(
            f"{model} was trained or evaluated on other splits than the present ones, and what is made of it must have "
            f"the same. Run `{name_run(f'train_{model}')}`, or restore the splits (seed and splitting parameters)."
        )


def require_evaluation(model: str, is_of_the_model: bool) -> None:
    """Make sure that what an evaluation left behind is of the model that is there now.

    Args:
        model: Which one.
        is_of_the_model: Whether it is.

    Raises:
        InputError: It is another model's.
    """
    if not is_of_the_model:
        raise InputError(
            f"{model} was trained again after it had been evaluated: its calibration and features are another "
            f"model's. Run `{name_evaluation(model)}`."
        )


def select_results(results: Iterable[Mapping[str, Any] | None]) -> list[dict[str, Any]]:
    """Select the results that have what pages and comparisons need; those of another version are warned of.

    A version may keep other things, measure other changes (``RESULT_FORMAT``), or ask again under others (``VERSION``).

    Args:
        results: One for each model, or ``None`` where it has none yet.

    Raises:
        InputError: There are results, and all are of another version.
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
