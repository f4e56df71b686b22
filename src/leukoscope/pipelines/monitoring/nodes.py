"""Compare logged opinions with those on validation images."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from leukoscope.core.commands import name_run
from leukoscope.core.errors import AlarmError, InputError
from leukoscope.pipelines.monitoring.options import MonitoringOptions
from leukoscope.reader.opinion_log import Retention
from leukoscope.reporting.frame import Frame
from leukoscope.training.entry import ModelOptions

logger = logging.getLogger(__name__)

Load = Callable[[], Any]


def set_retention(options: MonitoringOptions) -> Retention:
    """Return how long opinions are kept; the data set removes older ones.

    Args:
        options: The number of days.
    """
    return Retention(options.keep_days)


def summarise_validation(
    opinion_log: pd.DataFrame,
    calibrations: Mapping[str, Load],
    predictions: Mapping[str, Load],
    features: Mapping[str, Load],
    splits: pd.DataFrame,
    class_names: list[str],
) -> dict[Any, pd.DataFrame]:
    """Compute the monitored facts on the validation images of the models with logged opinions.

    Args:
        opinion_log: All opinions.
        calibrations: Functions that load the calibration of each evaluated model.
        predictions: Functions that load its predictions.
        features: Functions that load its last-layer features.
        splits: The groups of the images.
        class_names: The classes in order.

    Returns:
        Tables of facts with their ``group``, by reader (model and calibration).

    Raises:
        InputError: No opinion comes from a model that is evaluated here with the same calibration.
    """
    from leukoscope.evaluation.monitoring import Reader
    from leukoscope.evaluation.opinion_facts import tabulate_validation
    from leukoscope.evaluation.trust import Calibration

    logged = set(map(Reader._make, zip(opinion_log["model_fingerprint"], opinion_log["calibration"], strict=True)))
    groups = splits.set_index("image_id")["group"]
    facts = {}
    for name in [name for name in calibrations if name in predictions and name in features]:
        stored = calibrations[name]()
        reader = Reader(str(stored.get("model")), str(stored["seal"]))
        if reader in logged:
            parts = predictions[name](), features[name](), Calibration.restore(stored), class_names
            known = tabulate_validation(*parts)
            facts[reader] = known.assign(group=known["image_id"].map(groups))
    _tell_of_others(opinion_log, set(facts))
    return facts


def _tell_of_others(opinion_log: pd.DataFrame, known: set[Any]) -> None:
    """Warn about opinions without validation images to compare them with.

    Raises:
        InputError: No opinion can be compared.
    """
    of_whom = pd.Series(zip(opinion_log["model_fingerprint"], opinion_log["calibration"], strict=True), dtype=object)
    others = opinion_log[~of_whom.isin([tuple(reader) for reader in known]).to_numpy()]
    if not len(opinion_log):
        raise InputError(
            f"The log of opinions is empty: nothing was read, or all of it is older than monitoring.keep_days. "
            f"`{name_run('predict')}` adds to it."
        )
    if not known:
        models = ", ".join(sorted(set(opinion_log["model"])))
        raise InputError(
            f"None of the {len(opinion_log)} opinions in the log, of {models}, is of a model that is evaluated here as "
            f"it was calibrated then, so that there are no validation images to compare with. Put the results of that "
            f"evaluation back, or log opinions of the present models: `{name_run('predict')}`."
        )
    if len(others):
        logger.warning(
            "Opinions left out, of models that are not evaluated here any more, or of an earlier calibration: %d of %d",
            len(others),
            len(opinion_log),
        )


def judge_windows(
    opinion_log: pd.DataFrame, validation_facts: dict[Any, pd.DataFrame], options: MonitoringOptions, seed: int
) -> pd.DataFrame:
    """Compare each window with the validation images, and warn if the last window raises an alarm.

    Args:
        opinion_log: All opinions.
        validation_facts: The facts on the validation images, by reader.
        options: How windows are judged.
        seed: Random seed for the tests.

    Returns:
        One row per model, window and quantity, as documented in ``leukoscope.evaluation.monitoring``.
    """
    from leukoscope.evaluation import monitoring

    asked = options.window, options.group_by, options.min_images, options.false_alarm, options.judge_unfinished
    rule = monitoring.Rule(*asked, options.keep_days)
    table = monitoring.judge_windows(opinion_log, validation_facts, rule, seed)
    verdict = monitoring.say_verdict(table, options.window)
    logger.log(logging.WARNING if verdict.is_alarm else logging.INFO, verdict.text)
    return table


def count_alarms(monitoring: pd.DataFrame) -> dict[str, Any]:
    """Return the monitoring metrics for MLflow.

    Args:
        monitoring: One row per model, window and quantity.

    Returns:
        The number of windows that were judged, the number with an alarm, whether the last one has an alarm (0 or 1),
        and its corrected p for each quantity.
    """
    from leukoscope.evaluation.monitoring import summarise_alarms

    return summarise_alarms(monitoring)


def write_monitoring(
    monitoring: pd.DataFrame,
    manifest: pd.DataFrame,
    page_frame: Frame,
    models: dict[str, Any],
    options: MonitoringOptions,
) -> str:
    """Write the monitoring page.

    Args:
        monitoring: One row per model, window and quantity.
        manifest: The images that the models learned from, for the warning if any were drawn.
        page_frame: The head of the page.
        models: All entries, for their titles.
        options: How windows were judged.
    """
    from leukoscope.reporting import monitoring as page

    titles = {name: ModelOptions.model_validate(entry).title for name, entry in models.items()}
    return page.render_monitoring(monitoring, titles, manifest, options.model_dump(), page_frame)


def require_no_alarm(monitoring: pd.DataFrame, monitoring_page: str, options: MonitoringOptions) -> str:
    """Raise an error if the last window has an alarm and the parameters ask for one, after the page is written.

    Args:
        monitoring: One row per model, window and quantity.
        monitoring_page: The page, an input so that it is written first.
        options: Whether to fail on an alarm.

    Returns:
        The verdict on the last window.

    Raises:
        AlarmError: The last window has an alarm, and ``fail_on_alarm`` is set.
    """
    from leukoscope.evaluation.monitoring import say_verdict

    verdict = say_verdict(monitoring, options.window)
    if verdict.is_alarm and options.fail_on_alarm:
        raise AlarmError(f"{verdict.text} monitoring.html shows it. Look at those images before going on.")
    return verdict.text
