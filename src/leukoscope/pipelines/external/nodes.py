"""Score trained classifiers on images from another source."""

import logging
from collections.abc import Callable
from typing import Any

import pandas as pd

from leukoscope.core.commands import name_training
from leukoscope.core.counts import count_of
from leukoscope.core.errors import InputError
from leukoscope.core.storage import as_records
from leukoscope.evaluation.class_mapping import ClassMapping
from leukoscope.images.manifest import summarise
from leukoscope.images.packed import PackedImages
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from leukoscope.pipelines.external.options import ExternalOptions
from leukoscope.pipelines.external.taking_in import count_subjects
from leukoscope.reporting.context import PageContext

logger = logging.getLogger(__name__)

_SPLIT = "external"


def predict_external(
    external_smears: PackedImages,
    external_manifest: pd.DataFrame,
    mapping: dict[str, Any],
    trained_models: dict[str, Callable[[], Any]],
    calibrations: dict[str, Callable[[], Any]],
    class_names: list[str],
    options: EvaluationOptions,
    features: dict[str, pd.DataFrame],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict the external images with every model that was trained and evaluated.

    Args:
        external_smears: The packed external images.
        external_manifest: Which of them are accepted.
        mapping: The class mapping of the external images.
        trained_models: Functions that load each model's classifier.
        calibrations: Functions that load each model's calibration, learned from the validation images.
        class_names: The classes in the order of the parameters.
        options: The batch size.
        features: The last-layer features of each model, by model name.

    Returns:
        Predictions and opinions, each with a column ``model`` and one row per model and image.

    Raises:
        InputError: No model has been evaluated, or a model has other classes, was retrained since its evaluation, or
            was evaluated by an earlier version.
    """
    from leukoscope.evaluation import compatibility
    from leukoscope.reader.calibrated import CalibratedClassifier

    accepted = external_manifest[external_manifest["status"] == "accepted"]
    facts = accepted[["image_id", "label"]].reset_index(drop=True).assign(split=_SPLIT)
    evaluated = [name for name in features if name in trained_models and name in calibrations]
    if not evaluated:
        raise InputError(f"No model has been evaluated yet. Train one first: `{name_training()}`.")
    classes = ClassMapping(**mapping)
    predictions = []
    opinions = []
    for name in evaluated:
        classifier = trained_models[name]()
        compatibility.require_classes(name, classifier.class_names, class_names)
        learned = calibrations[name]()
        evaluated_as = {*features[name]["model"], learned["model"]}
        compatibility.require_evaluation(name, evaluated_as == {classifier.fingerprint})
        model = CalibratedClassifier.restore(classifier, learned, features[name], options.batch_size)
        predicted = model.predict(external_smears.pixels, external_smears.rows(facts["image_id"]))
        by_model = classes.translate_tables(predicted.probabilities, model.form_opinions(predicted))
        table = facts.assign(model=name)
        predictions.append(table.join(by_model[0]))
        opinions.append(table.join(by_model[1]))
    return pd.concat(predictions, ignore_index=True), pd.concat(opinions, ignore_index=True)


def score_external(
    external_predictions: pd.DataFrame,
    external_opinions: pd.DataFrame,
    external_manifest: pd.DataFrame,
    mapping: dict[str, Any],
    layout: dict[str, Any],
    options: EvaluationOptions,
    seed: int,
    results: list[dict[str, Any]],
) -> pd.DataFrame:
    """Score every model on the external images with the test set's metrics.

    Args:
        external_predictions: One row per model and image.
        external_opinions: One row per model and image.
        external_manifest: The groups of the images, which the intervals resample.
        mapping: The class mapping of the external images.
        layout: What file names reveal about the images.
        options: The evaluation parameters of the test set.
        seed: Random seed for the intervals.
        results: The results of each model, for its calibration.

    Returns:
        One row per model: ``external_<metric>``, and with the same prefix the facts of ``count_subjects``.
    """
    from leukoscope.evaluation import trust
    from leukoscope.evaluation.judge import Judge
    from leukoscope.evaluation.scoring import Scoring

    classes = ClassMapping(**mapping)
    how = Scoring(classes.class_names, classes.benign, options.prevalence)
    groups = external_manifest.set_index("image_id")["group"]
    subjects = count_subjects(external_manifest, layout)
    rows = []
    for result in results:
        if result["model"] not in set(external_predictions["model"]):
            continue
        mine, opinions = (_select(table, result["model"]) for table in (external_predictions, external_opinions))
        learned = trust.Calibration.restore(result["calibration"])
        learned = learned._replace(nonconformity=classes.select_sets(learned.nonconformity))
        judge = Judge(how, learned, options.resamples, options.confidence, seed)
        figures = judge.judge(mine, opinions, _SPLIT, groups.loc[mine["image_id"]])
        named = {f"{_SPLIT}_{name}": figure for name, figure in (subjects | figures).items()}
        rows.append({"model": result["model"]} | named)
        logger.info(
            "%s: accuracy %.3f on %s", result["title"], figures["accuracy"], count_of(len(mine), "external image")
        )
    return pd.DataFrame(rows)


def describe_external(
    external_manifest: pd.DataFrame,
    mapping: dict[str, Any],
    about_layout: dict[str, Any],
    external: ExternalOptions,
    software: dict[str, Any],
    seed: int,
    of_comparison: list[str],
    of_models: list[str],
) -> PageContext:
    """Collect what the pages state about the external images.

    Args:
        external_manifest: Every external file.
        mapping: The class mapping of the external images.
        about_layout: What file names reveal about the images, as returned by ``describe_layout``.
        external: What the user states about the images.
        software: Versions and the commit.
        seed: The project's random seed.
        of_comparison: The existing pages that compare models on the test images.
        of_models: The pages of models.
    """
    from leukoscope.reporting import data_sheet
    from leukoscope.reporting.worth import UNKNOWN

    counts = summarise(external_manifest, list(dict.fromkeys(mapping["by_folder"].values())), None)
    facts = data_sheet.describe_images(external_manifest, counts)
    facts["layout"] = about_layout
    stated = external.data_sheet.model_dump()
    provenance = software | {"seed": str(seed)}
    return PageContext.gather(facts, stated, provenance, UNKNOWN, [*of_comparison, *of_models])


def write_external_reports(
    external_predictions: pd.DataFrame,
    external_opinions: pd.DataFrame,
    external_metrics: pd.DataFrame,
    external_smears: PackedImages,
    mapping: dict[str, Any],
    options: EvaluationOptions,
    external_context: PageContext,
    results: list[dict[str, Any]],
) -> dict[str, str]:
    """Write a page for each model on the external images, like its page on the test images.

    Args:
        external_predictions: One row per model and image.
        external_opinions: One row per model and image.
        external_metrics: One row per model.
        external_smears: The packed external images.
        mapping: The class mapping of the external images.
        options: How many errors to show, and how metrics are computed.
        external_context: What the pages state about the images.
        results: The results of each model.

    Returns:
        HTML by ``<model>/external``.
    """
    from leukoscope.reporting import pages, sources
    from leukoscope.reporting import results as displays

    metrics = {row["model"]: row for row in as_records(external_metrics)}
    written = {}
    for result in results:
        name = result["model"]
        if name not in metrics:
            continue
        predictions = _select(external_predictions, name)
        opinions = _select(external_opinions, name)
        display = displays.describe(
            predictions, opinions, _SPLIT, external_smears, mapping["class_names"], options.worst_errors
        )
        # The published study's metrics are for the test images of the training data, so they are not shown here.
        kept = {part: result[part] for part in ("title", "model", "calibration", "outliers")}
        kept["training"] = sources.without_published(result["training"])
        kept["summary"] = result.get("summary", {})
        unknown: dict[str, Any] = {"history": [], "robustness": []}
        page = display | unknown | kept | options.as_display() | {"metrics": metrics[name]}
        written[f"{name}/external"] = pages.render_model(page, *external_context.facts, frame=external_context.frame)
    return written


def _select(table: pd.DataFrame, model: str) -> pd.DataFrame:
    return table[table["model"] == model].reset_index(drop=True)
