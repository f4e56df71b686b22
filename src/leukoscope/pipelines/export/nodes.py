"""Write a reader's classifier for small machines, and hold what was written against Keras."""

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

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
    """Write the reader's classifier in every format and precision.

    Args:
        reader: Whose classifier.
        smears: The packed images.
        splits: Which of them train.
        options: From how many training images the ranges of int8 are learned.
        seed: For choosing them.

    Returns:
        What makes the content of each file, and of one that describes them, by name.

    Raises:
        InputError: The classifier is of a kind that cannot be exported.
    """
    if "export" not in reader.classifier.capabilities:
        raise InputError(
            f"{reader.title} cannot be a file for small machines: only networks can. Choose one by reader.model. "
            f"Nothing was exported."
        )
    from leukoscope.inference.exporting import Exporter

    reader.require_size(smears.pixels.shape[1])
    train = splits.loc[splits["split"] == "train", "image_id"]
    chosen = train.sample(min(options.examples, len(train)), random_state=seed)
    examples = smears.pixels[smears.rows(chosen)]
    exporter = Exporter(
        cast(NetworkClassifier, reader.classifier), reader.calibration.temperature, reader.describe(), examples
    )
    files = {
        name: partial(kind.write, exporter, precision) for name, (kind, precision) in _name_files(reader.model).items()
    }
    return files | {f"{reader.model}.json": partial(_as_json, exporter.describe())}


def _as_json(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, indent=2).encode()


def check_exports(
    exports: Mapping[str, Callable[[], bytes]],
    reader: Reader,
    smears: PackedImages,
    splits: pd.DataFrame,
    options: ExportOptions,
) -> pd.DataFrame:
    """Hold each file against Keras on the validation images: accuracy, probabilities, size and speed.

    Args:
        exports: What loads each file's content.
        reader: Whose classifier they came of.
        smears: The packed images.
        splits: Which of them validate.
        options: What may be lost.

    Returns:
        One row a file, Keras first, as ``ExportCheck`` has it.
    """
    from leukoscope.inference.export_check import ExportCheck

    validation = splits[splits["split"] == "validation"]
    truth = pd.Index(reader.class_names).get_indexer(validation["label"])
    rows = smears.rows(validation["image_id"])
    check = ExportCheck(reader.predict_calibrated, smears.pixels, rows, truth, options.timed_images, options.batch_size)
    checked = [check.describe_keras()]
    for name, (kind, precision) in _name_files(reader.model).items():
        content = exports[name]()
        most = getattr(options.max_difference, precision)
        facts = {"file": name, "format": kind.title, "precision": precision, "mib": len(content) / 2**20}
        checked.append(facts | check.compare(kind.load(content), options.max_points_lost, most))
        if not checked[-1]["within"]:
            _warn_of_loss(checked[-1])
    return pd.DataFrame(checked)


def _warn_of_loss(row: dict[str, Any]) -> None:
    logger.warning(
        "%s loses %.2f points of accuracy and differs by up to %.3f: more than export.max_points_lost or "
        "export.max_difference allows",
        row["file"],
        row["points_lost"],
        row["largest_difference"],
    )


def _name_files(model: str) -> dict[str, tuple[Any, str]]:
    """Name a file for each format and precision."""
    from leukoscope.inference.exporting import FORMATS, PRECISIONS

    both = ((kind, precision) for kind in FORMATS.values() for precision in PRECISIONS)
    return {f"{model}-{precision}{kind.suffix}": (kind, precision) for kind, precision in both}
