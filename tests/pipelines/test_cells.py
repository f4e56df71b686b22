from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from conftest import CLASS_NAMES
from drawn_fields import draw_field
from leukoscope.cells.crops import NEUTRAL
from leukoscope.cells.masks import decode_mask
from leukoscope.core.errors import InputError
from leukoscope.pipelines.cells.nodes import cut_out_cells
from leukoscope.pipelines.cells.options import CellOptions
from leukoscope.pipelines.cells.pipeline import create_pipeline
from named_columns import list_unnamed

CONF = Path(__file__).parents[2] / "conf/base"
DEFAULTS = yaml.safe_load((CONF / "parameters_cells.yml").read_text())["cells"]
KEPT = ["known_cells", "cell_size", "cells", "cell_images", "cell_report"]
# Of each class two fields; the second of Benign is empty, and the second of Pro is not accepted.
DISCS = [
    [(30, 30, 9)], [],
    [(30, 30, 9), (60, 60, 9)], [(48, 48, 9)],
    [(30, 30, 9), (30, 47, 9)], [(4, 40, 9)],
    [(48, 48, 9)], [(30, 30, 9)],
]  # fmt: skip


class Smears:
    """Stands in for packed images."""

    def __init__(self) -> None:
        self.pixels = np.stack([draw_field(discs, side=96) for discs in DISCS])
        self.ids = [f"{name}/{number}" for name in CLASS_NAMES for number in (1, 2)]
        self.records = pd.DataFrame({"image_id": self.ids})

    def rows(self, image_ids) -> np.ndarray:
        return np.array([self.ids.index(name) for name in image_ids], int)


@pytest.fixture(scope="module")
def manifest() -> pd.DataFrame:
    ids = Smears().ids
    facts = {"image_id": ids, "path": [f"{name}.jpg" for name in ids], "label": np.repeat(CLASS_NAMES, 2)}
    facts |= {"status": ["accepted"] * 7 + ["quarantined"], "group": ids, "sha256": ids, "duplicate_of": None}
    return pd.DataFrame(facts)


def run(store: Path, manifest: pd.DataFrame, pipeline=None, **changes) -> dict:
    """Run the pipeline but for the figure, or the one given; gives what it made."""
    config = yaml.safe_load((CONF / "catalog_cells.yml").read_text())
    catalog = DataCatalog.from_config(
        {name: config[name].get("dataset", config[name]) | {"filepath": str(store / name)} for name in KEPT}
    )
    catalog["smears"], catalog["manifest"] = Smears(), manifest
    catalog["params:class_names"] = CLASS_NAMES
    catalog["params:cells"] = CellOptions(**DEFAULTS | changes)
    pipeline = pipeline or create_pipeline().to_outputs("cell_images", "cell_report")
    figures = SequentialRunner().run(pipeline, catalog)
    return {name: figure.load() for name, figure in figures.items()} | {name: catalog.load(name) for name in KEPT}


@pytest.fixture(scope="module")
def made(tmp_path_factory, manifest) -> dict:
    """What the whole pipeline makes, with the figure kept in memory."""
    return run(tmp_path_factory.mktemp("cells"), manifest, create_pipeline())


def test_the_cells_of_every_accepted_field_have_a_row_and_a_crop(made):
    cells, crops, size = made["cells"], made["cell_images"], made["cell_size"]
    assert size == {"diameter": pytest.approx(18, abs=2), "estimated": True, "crop": crops.shape[1], "field": 96}
    assert cells["image_id"].tolist() == ["Benign/1", *["Early/1"] * 2, "Early/2", *["Pre/1"] * 2, "Pre/2", "Pro/1"]
    assert list_unnamed("cells", cells) == []
    assert list_unnamed("cell_report", made["cell_report"]) == []
    assert cells["path"][0] == "Benign/1.jpg"
    assert cells["touching"].tolist() == [False] * 4 + [True] * 2 + [False] * 2
    assert cells["cut"].tolist() == [False] * 6 + [True, False]
    assert len(crops) == len(cells) == 8
    # The crop of a cell in the middle of a field shows it in its middle, and grey around it.
    (middle,) = np.flatnonzero(cells["image_id"] == "Early/2")
    shown = (crops[middle] != NEUTRAL).any(axis=2)
    assert shown.sum() == decode_mask(cells["mask"][middle], 96, 96).sum() == cells["cell_area"][middle]
    assert np.argwhere(shown).mean(axis=0) == pytest.approx([crops.shape[1] / 2 - 0.5] * 2, abs=1)


def test_cells_are_counted_by_class_and_empty_fields_told(tmp_path, manifest, caplog):
    report = run(tmp_path, manifest)["cell_report"].set_index("label")
    assert report["fields"].tolist() == [2, 2, 2, 1, 7]
    assert report["cells"].tolist() == [1, 3, 3, 1, 8]
    assert report["fields_without_cells"].tolist() == [1, 0, 0, 0, 1]
    assert report.loc["Pre", ["touching", "cut"]].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert "Benign: no leukocyte was found in 1 of 2 fields" in caplog.text


def test_outlines_are_drawn_on_fields_of_each_class(made):
    figure = made["cell_figure"]
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["Benign/1", "Benign/2", "Early/1", "Early/2", "Pre/1", "Pre/2", "Pro/1"]
    outlines = {axes.get_title(): len(axes.collections) for axes in figure.axes}
    assert [outlines[title] for title in titles] == [2, 0, 4, 2, 4, 2, 2]  # of cell and nucleus


def test_parameters_decide_on_size_and_background(tmp_path, manifest):
    made = run(tmp_path, manifest, diameter=20.0, crop=30, background="kept")
    assert made["cell_size"] == {"diameter": 20.0, "estimated": False, "crop": 30, "field": 96}
    (middle,) = np.flatnonzero(made["cells"]["image_id"] == "Early/2")
    assert made["cell_images"].shape[1:] == (30, 30, 3)
    assert (made["cell_images"][middle][0, 0] == Smears().pixels[3][0, 0]).all()


def test_fields_without_any_cell_leave_empty_tables(tmp_path, manifest):
    made = run(tmp_path, manifest[manifest["image_id"] == "Benign/2"], diameter=18.0)
    assert len(made["cells"]) == len(made["cell_images"]) == 0
    assert made["cell_report"]["cells"].tolist() == [0] * 5


def test_cells_of_another_run_are_not_cut_out(made):
    taken = (Smears(), made["cells"], made["cell_size"] | {"field": 192}, CellOptions())
    with pytest.raises(InputError, match="found in fields of 192 pixels a side, and the packed images have 96"):
        cut_out_cells(*taken)


def test_a_second_run_looks_at_no_field_again(tmp_path, manifest, monkeypatch):
    first = run(tmp_path, manifest)["cells"]
    from leukoscope.cells import finding

    monkeypatch.setattr(finding, "describe_cells", None)
    pd.testing.assert_frame_equal(run(tmp_path, manifest)["cells"], first)


@pytest.mark.parametrize("wrong", [{"background": "black"}, {"diameter": 0}, {"detektor": "classical"}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        CellOptions(**wrong)
