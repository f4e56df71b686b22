import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from drawn_fields import draw_field
from leukoscope.cells.boxes import judge_detector, main, read_fields
from leukoscope.cells.finding import estimate_diameter
from leukoscope.core.errors import InputError

PLACES = [(60, 60), (60, 150), (160, 100)]


def describe_box(label: str, row: int, column: int, scale: float) -> str:
    corners = {"xmin": column - 14, "ymin": row - 14, "xmax": column + 14, "ymax": row + 14}
    inside = "".join(f"<{name}>{scale * value}</{name}>" for name, value in corners.items())
    return f"<object><name>{label}</name><bndbox>{inside}</bndbox></object>"


@pytest.fixture
def folders(tmp_path) -> list[Path]:
    """Two fields of 448 pixels: a red cell has a box in each, and a leukocyte in the second has none."""
    folders = [tmp_path / "images", tmp_path / "boxes"]
    for folder in folders:
        folder.mkdir()
    field = Image.fromarray(draw_field([(row, column, 14) for row, column in PLACES])).resize((448, 448))
    for name, count in (("first", 3), ("second", 2)):
        field.save(folders[0] / f"{name}.png")
        boxes = [describe_box("WBC", *place, 2.0) for place in PLACES[:count]]
        boxes.append(describe_box("RBC", 200, 200, 2.0))
        (folders[1] / f"{name}.xml").write_text(f"<annotation>{''.join(boxes)}</annotation>")
    return folders


def test_boxes_are_those_of_leukocytes_at_the_scale_of_the_packed_image(folders):
    first, second = read_fields(*folders, 224)
    assert first.image.shape == (224, 224, 3)
    assert first.boxes[0].tolist() == [46, 46, 74, 74]
    assert (len(first.boxes), len(second.boxes)) == (3, 2)


def test_recall_and_precision_are_told_for_each_half(folders):
    answer = CliRunner().invoke(main, [str(folder) for folder in folders])
    assert answer.exit_code == 0
    assert "from the first: 1 field, 3 leukocytes, recall 1.000, precision 1.000" in answer.output
    assert "from the second: 1 field, 2 leukocytes, recall 1.000, precision 0.667" in answer.output
    assert "all: 2 fields, 5 leukocytes, recall 1.000, precision 0.833" in answer.output


@pytest.mark.parametrize("content", [None, "no xml", "<a><object><name>WBC</name></object></a>"])
def test_an_image_without_readable_boxes_is_refused(folders, content):
    file = folders[1] / "second.xml"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(InputError, match=r"second.png cannot be used.*Pascal VOC"):
        read_fields(*folders, 224)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("LEUKOSCOPE_BCCD" not in os.environ, reason="LEUKOSCOPE_BCCD does not name the folder of BCCD")
def test_leukocytes_of_another_laboratory_are_found():
    folder = Path(os.environ["LEUKOSCOPE_BCCD"])
    fields = read_fields(folder / "images", folder / "boxes", 224)
    diameter = estimate_diameter(np.stack([field.image for field in fields]), np.arange(len(fields)))
    for half in (fields[::2], fields[1::2]):  # the first was tuned on
        tally = judge_detector(half, "classical", diameter)
        assert tally.recall >= 0.95
        assert tally.precision >= 0.9
