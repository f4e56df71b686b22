import numpy as np
from matplotlib.colors import to_hex

from figure_parts import list_words
from leukoscope.figures import colours
from leukoscope.figures.explanation import draw_explanation


def make_picture(value: int) -> np.ndarray:
    return np.full((4, 4, 3), value, "uint8")


PICTURES = [("field", make_picture(1)), ("Grad-CAM for Pro", make_picture(2))]
NEAREST = [(f"near {number}", make_picture(10 + number)) for number in range(2)]
CHANCES = {"Benign": 0.25, "Early": 0.0, "Pro": 0.75}


def read(axes) -> tuple[str, list[int]]:
    return axes.get_title(), [int(image.get_array()[0, 0, 0]) for image in axes.images]


def test_the_field_and_its_maps_stand_above_probabilities_and_nearest_images():
    figure = draw_explanation(PICTURES, NEAREST, CHANCES, "a.png: Pro")
    shown = [read(axes) for axes in figure.axes]
    assert shown == [
        ("field", [1]),
        ("Grad-CAM for Pro", [2]),
        ("", []),
        ("calibrated probabilities", []),
        ("near 0", [10]),
        ("near 1", [11]),
    ]
    assert figure.get_suptitle() == "a.png: Pro"
    assert figure.get_supxlabel() == ""


def test_probabilities_are_bars_in_the_order_and_colours_of_the_classes():
    axes = draw_explanation(PICTURES, NEAREST, CHANCES, "title").axes[3]
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0, 0.75]
    styles = colours.style_classes(list(CHANCES))
    assert [to_hex(bar.get_facecolor()).upper() for bar in axes.patches] == [one.colour for one in styles.values()]
    assert list_words(axes.texts) == ["0.25", "0.00", "0.75"]
    assert list_words(axes.get_yticklabels()) == list(CHANCES)
    assert axes.yaxis_inverted()
    assert axes.get_xlim() == (0, 1.25)


def test_without_neighbours_the_probabilities_stand_alone():
    figure = draw_explanation(PICTURES[:1], [], CHANCES, "title")
    assert [axes.get_title() for axes in figure.axes] == ["field", "calibrated probabilities"]


def test_a_warning_stands_below_wrapped():
    figure = draw_explanation(PICTURES, NEAREST, CHANCES, "title", "Trained on drawn data. " * 6)
    lines = figure.get_supxlabel().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Trained on drawn data.")


def test_cells_stand_below_all_else():
    cells = [(f"weight 0.{number}", make_picture(20 + number)) for number in range(5)]
    figure = draw_explanation(PICTURES, NEAREST, CHANCES, "title", "warning", cells)
    below = [read(axes) for axes in figure.subfigs[1].axes]
    assert below == [(f"weight 0.{number}", [20 + number]) for number in range(5)]
    assert [axes.get_title() for axes in figure.subfigs[0].axes][:2] == ["field", "Grad-CAM for Pro"]
    assert figure.get_supxlabel() == "warning"
