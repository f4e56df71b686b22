"""Check whether a cell reader relies on the blasts: ``python -m leukoscope.inference.cell_truth``.

Only for drawn smears is the type of each cell known. They are drawn with many normal leukocytes among the blasts.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd

from leukoscope.cells.crops import choose_side
from leukoscope.cells.detector import CLASSICAL
from leukoscope.cells.finding import estimate_diameter, find_cells
from leukoscope.cells.judging import count_common, match, measure_overlaps
from leukoscope.cells.masks import decode_mask
from leukoscope.cells.strips import CellStrips, Cutting
from leukoscope.cells.table import tabulate_cells
from leukoscope.core.cache import ContentCache
from leukoscope.core.errors import InputError
from leukoscope.inference.cell_evidence import tells_cells, weigh_for
from leukoscope.models.architecture import CellReading, name_of_cells
from leukoscope.models.cell_classifier import CellClassifier
from leukoscope.synthetic import CLASSES, DrawnSmear, draw_smear_with_cells

ORDERS = ("weight", "speaks_for")
BLASTS = "all blasts"
OTHERS = "as many others"
# Settings of the reader trained here: a small encoder learns from random weights in minutes.
SIDE = 224
ENCODER = "sdct_cnn"
RECIPE: dict[str, Any] = {
    "input_size": 48,
    "batch_size": 16,
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "warmup_epochs": 1,
}
RECIPE |= {"dropout": 0.1, "patience": None}
# Separate the random draws of training, validation and judging fields.
_TRAIN, _VALIDATE, _JUDGE = range(3)


class KnownField(NamedTuple):
    """A drawn field.

    Attributes:
        label: Its class.
        drawn: Its image, and its cells.
    """

    label: str
    drawn: DrawnSmear


@dataclass
class Truth:
    """Results of a cell reader on malignant fields in which the type of each cell is known.

    Attributes:
        right: For each field whether its class was predicted; the other results cover only these fields.
        pairs: By ordering criterion, for each pair of a blast and another cell of the same field: 1 if the blast ranks
            first, 0 if it ranks last, and 0.5 for ties.
        turned: By which cells were struck, for each field with both types, whether the predicted class changed.
        struck: By which cells were struck, for each field with both types, how many there were.
    """

    right: list[bool] = field(default_factory=list)
    pairs: dict[str, list[float]] = field(default_factory=lambda: {order: [] for order in ORDERS})
    turned: dict[str, list[bool]] = field(default_factory=lambda: {BLASTS: [], OTHERS: []})
    struck: dict[str, list[int]] = field(default_factory=lambda: {BLASTS: [], OTHERS: []})

    def measure_auroc(self, order: str) -> float:
        """Return the share of pairs in which the blast ranks first: the area under the ROC curve within fields."""
        return float(np.mean(self.pairs[order]))

    def measure_turned(self, what: str) -> float:
        """Return the share of fields whose predicted class changed when these cells were struck."""
        return float(np.mean(self.turned[what]))

    def add_field(self, classifier: CellClassifier, known: KnownField) -> None:
        """Compare a classifier's reading of a field with the known cells.

        Args:
            classifier: A classifier that reads squares of the field's size.
            known: A malignant field.
        """
        image = known.drawn.image
        names = classifier.class_names
        predicted = names[classifier.predict(image[None]).probabilities[0].argmax()]
        self.right.append(predicted == known.label)
        if predicted != known.label:
            return
        cells = name_cells(classifier.read_cells(image), known.drawn)
        cells = weigh_for(cells[cells["blast"].notna()], predicted)
        is_blast = cells["blast"].to_numpy(bool)
        for order in ORDERS:
            values = cells[order].to_numpy()
            apart = np.sign(values[is_blast][:, None] - values[~is_blast])
            self.pairs[order] += ((1 + apart.ravel()) / 2).tolist()
        blasts, others = (cells.loc[chosen, "cell"].tolist() for chosen in (is_blast, ~is_blast))
        if blasts and others:
            for what, struck in ((BLASTS, blasts), (OTHERS, others[: len(blasts)])):
                left = names[classifier.predict_without(image, struck).probabilities[0].argmax()]
                self.turned[what].append(left != predicted)
                self.struck[what].append(len(struck))


def name_cells(cells: pd.DataFrame, drawn: DrawnSmear) -> pd.DataFrame:
    """Add whether each detected cell is a blast; missing if it matches none of the drawn cells.

    Args:
        cells: The table that ``CellClassifier.read_cells`` returns, for a field of the same size.
        drawn: The field.
    """
    height, width = drawn.cells.shape
    numbered = np.zeros((height, width), np.int32)
    for cell in cells[["cell", "mask"]].to_dict("records"):
        numbered[decode_mask(cell["mask"], height, width)] = cell["cell"]
    pairs = match(measure_overlaps(count_common(drawn.cells, numbered)))
    blasts = {number: drawn.kinds[drawn_number - 1].is_blast for drawn_number, number in pairs.items()}
    return cells.assign(blast=cells["cell"].map(blasts).astype("boolean"))


def judge_evidence(classifier: CellClassifier, fields: Sequence[KnownField]) -> Truth:
    """Compare a cell reader's evidence with the known cells of malignant fields."""
    truth = Truth()
    with tempfile.TemporaryDirectory() as folder:
        reader = replace(classifier, cache=ContentCache(Path(folder, "cells.db")))
        pixels = np.stack([known.drawn.image for known in fields])
        cutting = classifier.cutting
        find_cells(pixels, np.arange(len(pixels)), cutting.detector, cutting.diameter, reader.cache)
        for known in fields:
            truth.add_field(reader, known)
    return truth


def draw_fields(
    count: int, size: int, others: float, seed: int, purpose: int = _JUDGE, magnification: float = 1.0
) -> Iterator[KnownField]:
    """Draw fields of each class in turn.

    Args:
        count: Number of fields per class.
        size: Side in pixels.
        others: Share of normal cells among the leukocytes of malignant fields.
        seed: Seed of all fields; each depends only on it, its class and its number.
        purpose: Selects separate fields for training, validation and judging.
        magnification: Size of the cells relative to the published smears.
    """
    for number in range(count):
        for rank, label in enumerate(CLASSES):
            rng = np.random.default_rng([seed, purpose, rank, number])
            drawn = draw_smear_with_cells(label, rng, size, magnification=magnification, others=others)
            yield KnownField(label, drawn)


def train_reader(
    training: Sequence[KnownField],
    validation: Sequence[KnownField],
    architecture: str,
    recipe: dict[str, Any],
    seed: int,
) -> CellClassifier:
    """Train a small cell reader on drawn fields, from random weights.

    Args:
        training: The training fields.
        validation: The validation fields, which end the training.
        architecture: An architecture's name as ``architecture.get`` takes it, including how cells are read.
        recipe: Differences from the shared recipe.
        seed: Seed for everything random.
    """
    from leukoscope.training.journal import TrainingJournal
    from leukoscope.training.labelled import LabelledImages
    from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
    from leukoscope.training.trainer import Trainer

    fields = [*training, *validation]
    pixels = np.stack([known.drawn.image for known in fields])
    cutting, strips = _cut_out(pixels, seed)
    classes = np.array([CLASSES.index(known.label) for known in fields])
    rows = np.arange(len(fields))
    parts = (rows[: len(training)], rows[len(training) :])
    learned, validating = (LabelledImages(strips, part, classes[part], np.ones(len(part))) for part in parts)
    resolved = resolve_recipe(architecture, Recipe(weights="none", precision="float32"), RecipeDifferences(**recipe))
    drawn = {"horizontal_flip": True, "vertical_flip": True}
    with tempfile.TemporaryDirectory() as folder:
        journal = TrainingJournal(Path(folder))
        journal.start({})
        network = Trainer(architecture, resolved, CLASSES, learned, validating, drawn, journal, seed).fit()
    network = replace(network, trained_on="drawn smears", image_size=pixels.shape[1])
    return CellClassifier(network, cutting, architecture)


def _cut_out(pixels: np.ndarray, seed: int) -> tuple[Cutting, np.ndarray]:
    """Find the cells of fields, and cut them out: ``uint8 [fields, slots * side, side, 3]``."""
    rows = np.arange(len(pixels))
    diameter = estimate_diameter(pixels, rows)
    records = pd.DataFrame({"image_id": rows.astype(str), "path": "", "label": "", "sha256": rows.astype(str)})
    cells = tabulate_cells(records, find_cells(pixels, rows, CLASSICAL, diameter))
    cutting = Cutting(CLASSICAL, diameter, choose_side(diameter), "neutral")
    return cutting, np.stack(list(CellStrips(pixels, rows, records, cells, cutting, 16, seed).strips()))


def _describe(truth: Truth) -> Iterator[str]:
    """Describe a reader's results, line by line."""
    yield f"malignant fields: {len(truth.right)}, of which {np.mean(truth.right):.3f} get their class; of these:"
    fields = len(truth.turned[BLASTS])
    pairs = len(truth.pairs[ORDERS[0]])
    yield f"fields with blasts and others: {fields}, with {pairs} pairs of a blast and another"
    if fields:
        by_weight, by_share = (truth.measure_auroc(order) for order in ORDERS)
        yield f"AUROC of being a blast, within fields: {by_weight:.3f} by weight, {by_share:.3f} by contribution"
        for what in (BLASTS, OTHERS):
            cells = np.mean(truth.struck[what])
            yield f"{what} struck, {cells:.1f} a field: {truth.measure_turned(what):.3f} get another class"


@click.command()
@click.option(
    "--model", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of a reader of cells."
)
@click.option("--architecture", default=ENCODER, show_default=True, help="What sees one cell at a time.")
@click.option(
    "--fields", type=click.IntRange(min=5), default=48, show_default=True, help="Of each class that train; half judge."
)
@click.option(
    "--others", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Share of normal leukocytes."
)
@click.option(
    "--trained-others", type=click.FloatRange(0, 1), help="The same of fields that train; as many by default."
)
@click.option("--epochs", type=click.IntRange(min=2), default=20, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--magnification",
    type=click.FloatRange(min=1),
    default=1.0,
    show_default=True,
    help="Of the cells; the demo has 3.",
)
def main(
    model: Path | None,
    architecture: str,
    fields: int,
    others: float,
    trained_others: float | None,
    epochs: int,
    seed: int,
    magnification: float,
) -> None:
    """Tell whether the cells that a reader goes by are the blasts, on drawn smears that it has not seen.

    Without --model a small one is trained on others like them, in some minutes.
    """
    if model is None:
        others_in_training = others if trained_others is None else trained_others
        training = draw_fields(fields, SIDE, others_in_training, seed, _TRAIN, magnification)
        validation = draw_fields(fields // 5, SIDE, others_in_training, seed, _VALIDATE, magnification)
        name = name_of_cells(architecture, CellReading("attention", False))
        classifier = train_reader(list(training), list(validation), name, RECIPE | {"epochs": epochs}, seed)
    else:
        classifier = _load(model)
    drawn = draw_fields(fields // 2, classifier.image_size, others, seed, _JUDGE, magnification)
    truth = judge_evidence(classifier, [known for known in drawn if known.label != "Benign"])
    click.echo("\n".join(_describe(truth)))


def _load(folder: Path) -> CellClassifier:
    from leukoscope.models.stored import load_classifier

    classifier = load_classifier(folder)
    if not tells_cells(classifier) or classifier.class_names != CLASSES:
        raise InputError(
            f"{folder} does not hold a reader of cells of the classes {', '.join(CLASSES)}: expected the folder of a "
            f"model of the kind cells, such as data/06_models/cell_reader."
        )
    return classifier


if __name__ == "__main__":
    main()
