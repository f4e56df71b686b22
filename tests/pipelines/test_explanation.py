from types import SimpleNamespace

import numpy as np
import pytest

from leukoscope.errors import InputError
from leukoscope.images.source import open_any
from leukoscope.pipelines.explanation import nodes
from leukoscope.pipelines.explanation.options import ExplanationOptions
from tiny_reader import encode, make_reader, shade

READER = make_reader()
OPTIONS = ExplanationOptions(images=3, patch=0.5, stride=0.25, neighbours=2)


@pytest.fixture
def smears():
    """The packed store holds the first half of the images that the reader knows."""
    ids = READER.seen["image_id"].to_numpy()[: len(READER.seen) // 2]
    rows = {name: number for number, name in enumerate(ids)}
    pixels = np.stack([shade(int(name[-3:])) for name in ids])
    return SimpleNamespace(ids=ids, pixels=pixels, rows=lambda wanted: np.array([rows[one] for one in wanted], int))


@pytest.fixture
def folder(tmp_path):
    for number, brightness in enumerate((43, 60, 230, 235)):
        (tmp_path / f"{number}.png").write_bytes(encode(shade(brightness)))
    (tmp_path / "0.txt").write_text("no image")
    return tmp_path


def titles(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_the_first_images_that_can_be_read_are_explained(folder, smears):
    figures = nodes.explain_images(open_any(folder), READER, smears, OPTIONS, seed=0)
    assert list(figures) == ["0", "1", "2"]
    first = titles(figures["0"])
    assert first[:3] == ["field", "Grad-CAM for Pro", "occlusion for Pro"]
    assert first[3] == "calibrated probabilities"
    assert first[4].startswith("Shade/044")
    assert figures["0"]._suptitle.get_text() == "0.png: Pro"


def test_training_images_that_are_no_longer_there_are_left_out(folder, smears):
    figures = nodes.explain_images(open_any(folder), READER, smears, OPTIONS, seed=0)
    assert not [title for title in titles(figures["2"]) if title.startswith("Shade")]


def test_nothing_to_explain_is_an_input_error(tmp_path, smears):
    (tmp_path / "0.txt").write_text("no image")
    with pytest.raises(InputError, match=r"None of the 1 files at .* can be read"):
        nodes.explain_images(open_any(tmp_path), READER, smears, OPTIONS, seed=0)
