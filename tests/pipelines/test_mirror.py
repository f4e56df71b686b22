import numpy as np
import pandas as pd
import pytest

from conftest import CLASS_NAMES
from drawn_fields import Fields
from leukoscope.cells.finding import find_cells
from leukoscope.cells.table import tabulate_cells
from leukoscope.core.errors import InputError
from leukoscope.images.manifest import fingerprint_manifest
from leukoscope.models.base import Prediction
from leukoscope.pipelines.audit.options import AuditOptions
from leukoscope.pipelines.mirror.nodes import blank_cells, climb_mirror, describe_by_cells, describe_mirror, draw_mirror
from leukoscope.pipelines.splitting.options import SplittingOptions

OPTIONS = AuditOptions(folds=3, trees=20, repeats=1, embargoes=())
SPLITTING = SplittingOptions(appearance_clusters=6)
SIZE = {"diameter": 20.0, "crop": 46, "field": 64}
ENTRY = {"kind": "network", "architecture": "vgg16", "name": "vgg16", "label": "A network"}


class BySize:
    """Goes by how much of a field is dark, as the classes' discs differ; after another training it is another model."""

    class_names = tuple(CLASS_NAMES)
    fingerprint = "as evaluated"
    image_size = 64

    def predict(self, pixels, rows=None, batch_size=64) -> Prediction:
        chosen = pixels if rows is None else pixels[rows]
        radius = np.sqrt((chosen.min(axis=3) < 120).sum(axis=(1, 2)) / np.pi)
        number = np.clip(np.rint((radius - 6) / 2), 0, 3).astype(int)
        return Prediction(np.eye(4, dtype=np.float32)[number], None)


@pytest.fixture(scope="module")
def fields() -> Fields:
    return Fields()


@pytest.fixture(scope="module")
def manifest(fields) -> pd.DataFrame:
    facts = fields.splits[["image_id", "label", "group"]].merge(fields.records[["image_id", "sha256"]])
    return facts.assign(path=facts["image_id"], status="accepted", duplicate_of=None)


@pytest.fixture(scope="module")
def cells(fields, manifest) -> pd.DataFrame:
    found = find_cells(fields.pixels, fields.rows(manifest["image_id"]), "classical", SIZE["diameter"])
    return tabulate_cells(manifest, found)


@pytest.fixture(scope="module")
def table(fields, cells, manifest) -> pd.DataFrame:
    described = describe_by_cells(fields, cells, SIZE, manifest)
    return climb_mirror(described, manifest, fields, None, OPTIONS, SPLITTING, 1)


def blank(fields, cells, manifest, models, model="as evaluated", **changed):
    seen = fields.splits[["image_id", "label", "split"]].merge(fields.records[["image_id", "sha256"]])
    seen = seen.assign(model=model, **changed)
    return blank_cells(fields, cells, SIZE, manifest, models, {"vgg16": ENTRY}, OPTIONS, {"vgg16": seen})


def test_form_tells_the_classes_apart_and_what_is_no_cell_does_not(table, manifest):
    accuracy = table[table["protocol"] == "duplicate"].set_index("predictor")["accuracy"]
    assert accuracy["cell_form"] > 0.95
    assert accuracy["without_cells"] < 0.6
    assert set(table["data"]) == {fingerprint_manifest(manifest)}


def test_a_model_is_asked_for_its_test_images_with_cells_and_without(fields, cells, manifest, table):
    blanked = blank(fields, cells, manifest, {"vgg16": BySize})
    (row,) = blanked.to_dict("records")
    assert (row["model"], row["title"], row["images"]) == ("vgg16", "A network", 12)
    assert (row["accuracy"], row["blanked"]) == (1.0, 0.25)
    text = describe_mirror(table, blanked, manifest, OPTIONS)
    assert "A network names the right class of 100 of 100 fields, and with the cells painted over of 25" in text


class OfAnotherSize(BySize):
    image_size = 96


@pytest.mark.parametrize(
    ("model", "changed", "reason"),
    [
        (BySize, {"model": "another"}, "it was trained again since it was evaluated"),
        (BySize, {"sha256": "another"}, "none of its test images is here with cells"),
        (OfAnotherSize, {}, "it was trained on squares of 96 pixels, and those packed have another side"),
    ],
)
def test_a_model_that_cannot_be_judged_is_not_asked(fields, cells, manifest, caplog, model, changed, reason):
    assert blank(fields, cells, manifest, {"vgg16": model}, **changed).empty
    assert f"A network is not shown fields without their cells: {reason}" in caplog.text


def test_without_any_model_the_cells_are_told_of_alone(fields, cells, manifest, table):
    blanked = blank(fields, cells, manifest, None)
    assert blanked.empty
    assert "No trained model was there" in describe_mirror(table, blanked, manifest, OPTIONS)
    assert draw_mirror(table, manifest).axes[0].get_yticklabels()[1].get_text() == "cell form"


def test_cells_of_other_images_or_none_are_refused(fields, cells, manifest):
    with pytest.raises(InputError, match="No field whose cells are needed has a cell, of 48"):
        describe_by_cells(fields, cells.iloc[:0], SIZE, manifest)
    with pytest.raises(InputError, match="found in fields of 224 pixels a side, and the packed images have 64"):
        describe_by_cells(fields, cells, SIZE | {"field": 224}, manifest)
    with pytest.raises(InputError, match="The cells are of other images"):
        blank_cells(fields, cells.assign(image_id="x"), SIZE, manifest, None, {}, OPTIONS, {})
