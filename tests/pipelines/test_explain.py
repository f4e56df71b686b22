from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import crafted_models
from leukoscope.core.errors import InputError
from leukoscope.images.source import open_any
from leukoscope.pipelines.explain import nodes
from leukoscope.pipelines.explain.options import ExplanationOptions
from tiny_reader import ScaleBySize, draw_photograph, encode, make_reader, shade

READER = make_reader()
OPTIONS = ExplanationOptions(images=3, patch=0.5, stride=0.25, neighbours=2)


@pytest.fixture
def smears():
    """The packed store holds the first half of the images that the reader knows."""
    ids = READER.seen["image_id"].to_numpy()[: len(READER.seen) // 2]
    rows = {name: number for number, name in enumerate(ids)}
    pixels = np.stack([shade(int(name[-3:])) for name in ids])
    # The names are those of another data set: a training image is found by its content.
    facts = {"image_id": [f"other {number}" for number in rows.values()], "row": list(rows.values())}
    return SimpleNamespace(pixels=pixels, records=pd.DataFrame(facts | {"sha256": READER.seen["sha256"][: len(ids)]}))


@pytest.fixture
def folder(tmp_path):
    for number, brightness in enumerate((43, 60, 230, 235)):
        (tmp_path / f"{number}.png").write_bytes(encode(shade(brightness)))
    (tmp_path / "0.txt").write_text("no image")
    return tmp_path


def titles(figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_the_first_images_that_can_be_read_are_explained(folder, smears):
    draw = nodes.explain_images(open_any(folder), READER, smears, OPTIONS, seed=0)
    assert list(draw) == ["0", "1", "2"]
    figure = draw["0"]()
    first = titles(figure)
    assert first[:3] == ["field", "Grad-CAM for Pro", "occlusion for Pro"]
    assert first[3] == "calibrated probabilities"
    assert first[4].startswith("Shade/044")
    assert figure._suptitle.get_text() == "0.png: Pro"
    nearest = next(axes for axes in figure.axes if axes.get_title().startswith("Shade/044"))
    assert (np.asarray(nearest.images[0].get_array()) == 44).all()


def test_training_images_that_are_no_longer_there_are_named_and_grey(folder, smears):
    figure = nodes.explain_images(open_any(folder), READER, smears, OPTIONS, seed=0)["2"]()
    named = [axes for axes in figure.axes if axes.get_title().startswith("Shade")]
    assert len(named) == 2
    assert all((np.asarray(axes.images[0].get_array()) == 200).all() for axes in named)


def test_a_name_is_no_formula_in_a_figure(tmp_path, smears):
    (tmp_path / "cost$^$.png").write_bytes(encode(shade(43)))
    draw = nodes.explain_images(open_any(tmp_path), READER, smears, OPTIONS, seed=0)["cost$^$"]
    draw().savefig(tmp_path / "out.png")


@pytest.mark.parametrize("options", [{"patch": 0.1, "stride": 0.3}, {"stride": 0.001}])
def test_a_stride_that_leaves_gaps_or_takes_for_ever_is_refused(options):
    with pytest.raises(ValueError, match=r"explanation\.stride"):
        ExplanationOptions(**options)


def test_nothing_to_explain_is_an_input_error(tmp_path, smears):
    (tmp_path / "0.txt").write_text("no image")
    with pytest.raises(InputError, match=r"No file at .* can be read, of 1"):
        nodes.explain_images(open_any(tmp_path), READER, smears, OPTIONS, seed=0)


def test_explanations_of_a_reader_that_learned_from_drawn_images_say_so(folder, smears):
    for drawn, told in ((55, True), (0, False)):
        reader = make_reader(drawn=drawn)
        figure = nodes.explain_images(open_any(folder), reader, smears, OPTIONS, seed=0)["0"]()
        words = figure.get_supxlabel().replace("\n", " ")
        assert ("Trained on drawn data: Leukoscope drew all 55 images" in words) is told


def test_a_reader_without_maps_is_explained_by_occlusion(tmp_path):
    fields, reader = crafted_models.make_fields(), crafted_models.make_reader()
    (tmp_path / "0.png").write_bytes(encode(fields.pixels[5]))
    figures = nodes.explain_images(open_any(tmp_path), reader, fields, OPTIONS, 1)
    shown = titles(next(iter(figures.values()))())
    assert not any(title.startswith("Grad-CAM") for title in shown)
    assert any(title.startswith("occlusion for ") for title in shown)


def test_of_a_photograph_the_figure_and_the_log_say_that_it_was_squeezed(tmp_path, smears, caplog):
    (tmp_path / "wide.png").write_bytes(encode(draw_photograph()))
    draw = nodes.explain_images(open_any(tmp_path), READER.at_scale(ScaleBySize()), smears, OPTIONS, seed=0)
    said = draw["wide"]()._suptitle.get_text()
    assert said.startswith("wide.png: abstained: a photograph of many fields")
    assert "3.0 times as many" in said
    assert caplog.text.count("squeezed into one field: cut it into fields") == 1
