import re
from xml.etree import ElementTree

import numpy as np
import pytest

from leukoscope.figures.canvas import make_figure
from leukoscope.figures.svg import to_svg

SVG = "{http://www.w3.org/2000/svg}"


def draw(words="accuracy", hatched=False):
    figure = make_figure(2, "$title$ <b>")
    axes = figure.subplots()
    axes.plot([0, 1, 2], [0, 1, 0.5], "o-", label=words)
    axes.bar([0, 1], [0.2, 0.3], hatch="//" if hatched else None)
    axes.scatter([0, 1], [0.2, 0.3], [20, 30])
    axes.legend()
    return figure


def list_ids(svg: str) -> list[str]:
    return [element.get("id") for element in ElementTree.fromstring(svg).iter() if element.get("id")]


def list_references(svg: str) -> set[str]:
    links = re.findall(r'href="#([^"]+)"', svg)
    return {*links, *re.findall(r'url\(#([^)"]+)\)', svg)}


def test_the_same_figure_gives_the_same_bytes():
    assert to_svg(draw(hatched=True), "one") == to_svg(draw(hatched=True), "one")


def test_letters_stay_letters():
    texts = [element.text for element in ElementTree.fromstring(to_svg(draw(), "one")).iter(f"{SVG}text")]
    assert "accuracy" in texts
    assert "$title$ <b>" in texts


@pytest.mark.parametrize("hatched", [True, False])
def test_what_is_referred_to_is_there_and_nothing_else_has_an_id(hatched):
    svg = to_svg(draw(hatched=hatched), "one")
    assert list_references(svg)
    assert set(list_ids(svg)) == list_references(svg)
    assert len(list_ids(svg)) == len(set(list_ids(svg)))


def test_no_two_figures_of_a_page_share_an_id():
    first, second = (list_ids(to_svg(draw(hatched=True), name)) for name in ("one", "two"))
    assert first
    assert not set(first) & set(second)


def test_a_part_of_a_page_acts_on_nothing_else_and_says_nothing_of_itself():
    svg = to_svg(draw(), "one")
    assert svg.startswith("<svg ")
    assert "<style" not in svg
    assert "metadata" not in svg
    assert "xlink" not in svg
    assert "ns0:" not in svg
    assert not re.search(r"20\d\d-\d\d-\d\d", svg)
    root = ElementTree.fromstring(svg)
    assert root.get("viewBox").startswith("0 0 345.6 ")
    assert root.get("style") == "stroke-linejoin: round; stroke-linecap: butt"


@pytest.mark.filterwarnings("error")
def test_scripts_that_matplotlib_has_no_letters_of_are_left_to_the_browser():
    assert "良性" in to_svg(draw("良性"), "one")


def test_words_that_look_like_parts_of_the_document_stay_words():
    words = 'x id="axes_1" href="#y"'
    texts = [element.text for element in ElementTree.fromstring(to_svg(draw(words), "one")).iter(f"{SVG}text")]
    assert words in texts


def test_settings_of_matplotlib_stay_as_they_were():
    import matplotlib

    before = dict(matplotlib.rcParams)
    to_svg(draw(), "one")
    assert dict(matplotlib.rcParams) == before


def test_pictures_are_inside():
    figure = make_figure(2)
    figure.subplots().imshow(np.zeros((2, 2, 3), "uint8"))
    sources = re.findall(r'href="(?!#)([^"]{22})', to_svg(figure, "one"))
    assert sources == ["data:image/png;base64,"]
