"""Export a reader's classifier for small machines, and compare the files with Keras."""

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import pandas as pd

from leukoscope.core.errors import InputError
from leukoscope.images.packed import PackedImages
from leukoscope.models.base import NetworkClassifier
from leukoscope.pipelines.export.options import ExportOptions
from leukoscope.reader.base import Reader

logger = logging.getLogger(__name__)


def export_reader(
    reader: Reader, smears: PackedImages, splits: pd.DataFrame, options: ExportOptions, seed: int
) -> Mapping[str, Callable[[], bytes]]:
    """Export the reader's classifier in every format and precision.

    Args:
        reader: The reader with the classifier.
        smears: The packed images.
        splits: Which images are in the training split.
        options: The number of training images used to learn the int8 ranges.
        seed: Random seed for choosing these images.

    Returns:
        Functions that make the content of each file and of a file that describes them, by file name.

    Raises:
        InputError: The classifier is of a kind that cannot be exported.
    """
    if "export" not in reader.classifier.capabilities:
        raise InputError(
            f"{reader.title} cannot be a file for small machines: only networks can, and readers of cells. Choose one "
            f"by reader.model. "
            f"Nothing was exported."
        )
    reader.require_size(smears.pixels.shape[1])
    train = splits.loc[splits["split"] == "train", "image_id"]
    chosen = train.sample(min(options.examples, len(train)), random_state=seed)
    exporter = _make_exporter(reader, smears.pixels, smears.rows(chosen))
    files = {
        name: partial(kind.write, exporter, precision) for name, (kind, precision) in _name_files(reader.model).items()
    }
    return files | {f"{reader.model}.json": partial(_as_json, exporter.describe())}


def _make_exporter(reader: Reader, pixels: np.ndarray, rows: np.ndarray) -> Any:
    """Make the exporter, with example images for learning the int8 ranges."""
    from leukoscope.inference.cell_evidence import tells_cells

    classifier = reader.classifier
    temperature = reader.calibration.temperature
    facts = reader.describe()
    if tells_cells(classifier):
        from leukoscope.inference.cell_exporting import MOST_SLOTS, CellExporter

        return CellExporter(classifier, temperature, facts, classifier.cut_bags(pixels, rows, MOST_SLOTS))
    from leukoscope.inference.exporting import Exporter

    return Exporter(cast(NetworkClassifier, classifier), temperature, facts, pixels[rows])


def _as_json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=2).encode()


def check_exports(
    exports: Mapping[str, Callable[[], bytes]],
    reader: Reader,
    smears: PackedImages,
    splits: pd.DataFrame,
    options: ExportOptions,
) -> pd.DataFrame:
    """Compare each file with Keras on the validation images: accuracy, probabilities, size and speed.

    Args:
        exports: Functions that load each file's content.
        reader: The reader whose classifier was exported.
        smears: The packed images.
        splits: Which images are in the validation split.
        options: The tolerated losses.

    Returns:
        One row per file, Keras first, in the format of ``ExportCheck``.
    """
    from leukoscope.inference.export_check import ExportCheck

    validation = splits[splits["split"] == "validation"]
    truth = pd.Index(reader.class_names).get_indexer(validation["label"])
    taken, rows, predict = _prepare_check(reader, smears.pixels, smears.rows(validation["image_id"]))
    check = ExportCheck(predict, taken, rows, truth, options.timed_images, options.batch_size)
    checked = [check.describe_keras()]
    for name, (kind, precision) in _name_files(reader.model).items():
        content = exports[name]()
        most = getattr(options.max_difference, precision)
        facts = {"file": name, "format": kind.title, "precision": precision, "mib": len(content) / 2**20}
        checked.append(facts | check.compare(kind.load(content), options.max_points_lost, most))
        if not checked[-1]["within"]:
            _warn_of_loss(checked[-1])
    return pd.DataFrame(checked)


def _prepare_check(
    reader: Reader, pixels: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Return the inputs for some fields, the indices of those to compare, and the function that predicts with Keras."""
    from leukoscope.inference.cell_evidence import tells_cells

    classifier = reader.classifier
    if not tells_cells(classifier):
        return pixels, rows, reader.predict_calibrated
    from leukoscope.inference.cell_exporting import MOST_SLOTS, predict_bags

    bags = classifier.cut_bags(pixels, rows, MOST_SLOTS)
    return bags, np.arange(len(bags)), partial(predict_bags, classifier, reader.calibration.temperature)


def apply_budget(table: pd.DataFrame, options: ExportOptions) -> dict[str, Any]:
    """Reject files that are larger or slower than the budget allows, and list those that keep to it.

    Args:
        table: The result of ``check_exports``, Keras first.
        options: The budget.

    Returns:
        ``max_mib`` and ``max_ms``, the names of the files that ``hold``, and the excesses of those ``refused``.
        With a budget, files that lose too much are refused too.

    Raises:
        InputError: No file is within the budget.
    """
    files = table.iloc[1:].to_dict("records")
    excesses = {row["file"]: _list_excesses(row, options) for row in files}
    holding = [name for name, excess in excesses.items() if not excess]
    refused = {name: " and ".join(excess) for name, excess in excesses.items() if excess}
    for name, excess in refused.items():
        logger.warning("%s is refused: %s", name, excess)
    if refused and not holding:
        figures = "; ".join(f"{name} {excess}" for name, excess in refused.items())
        raise InputError(
            f"No exported file keeps to the budget: {figures}. Choose a smaller model by reader.model, or raise "
            f"export.max_mib or export.max_ms. The files and export.csv are there, to be looked at."
        )
    if refused:
        logger.warning("Within the budget: %s", ", ".join(holding))
    return {"max_mib": options.max_mib, "max_ms": options.max_ms, "hold": holding, "refused": refused}


def _list_excesses(row: Mapping[str, Any], options: ExportOptions) -> list[str]:
    """List the ways in which a file exceeds the budget."""
    limits = (("mib", options.max_mib, "MiB"), ("ms", options.max_ms, "ms an image"))
    limited = any(limit is not None for _, limit, _ in limits)
    lossy = ["loses more than export.max_points_lost or export.max_difference allow"] * (not row["within"])
    return lossy * limited + [
        f"has {row[name]:.2f} {unit}, and export.max_{name} is {limit:g}"
        for name, limit, unit in limits
        if limit is not None and row[name] > limit
    ]


def _warn_of_loss(row: dict[str, Any]) -> None:
    logger.warning(
        "%s loses %.2f points of accuracy and differs by up to %.3f: more than export.max_points_lost or "
        "export.max_difference allows",
        row["file"],
        row["points_lost"],
        row["largest_difference"],
    )


def _name_files(model: str) -> dict[str, tuple[Any, str]]:
    """Return a file name for each format and precision."""
    from leukoscope.inference.exporting import FORMATS, PRECISIONS

    both = ((kind, precision) for kind in FORMATS.values() for precision in PRECISIONS)
    return {f"{model}-{precision}{kind.suffix}": (kind, precision) for kind, precision in both}
