import pytest

from figure_parts import list_words
from leukoscope.figures import colours
from leukoscope.figures.canvas import WIDTH
from leukoscope.figures.flow import draw_flow

DATA = {"found": 1234, "accepted": 1220, "quarantined": {"empty file": 4, "damaged": 10}}
SPLITS = {
    "train": {"images": 900, "groups": 80},
    "validation": {"images": 160, "groups": 11},
    "test": {"images": 150, "groups": 12},
}


def read(data):
    axes = draw_flow(data).axes[0]
    return [words for words in list_words(axes.texts) if words], axes


def test_boxes_lead_from_files_to_splits_and_say_what_was_left_out():
    words, axes = read(DATA | {"splits": SPLITS, "in_no_split": 10})
    assert words == [
        "1,234 files found",
        "14 quarantined\nempty file: 4\ndamaged: 10",
        "1,220 images accepted",
        "10 in no split",
        "train\n900 images\n80 groups",
        "validation\n160 images\n11 groups",
        "test\n150 images\n12 groups",
    ]
    assert len(axes.patches) == 7


def test_an_arrow_ends_at_the_edge_of_every_box_but_the_first():
    axes = draw_flow(DATA | {"splits": SPLITS, "in_no_split": 10}).axes[0]
    boxes = [(box.get_x(), box.get_y(), box.get_width(), box.get_height()) for box in axes.patches]
    above = [(x + width / 2, y) for x, y, width, _ in boxes]
    beside = [(x, y + height / 2) for x, y, _, height in boxes]
    ends = [arrow.xy for arrow in axes.texts if not arrow.get_text()]
    reached = [
        any(end == pytest.approx(edge) for end in ends for edge in edges) for edges in zip(above, beside, strict=True)
    ]
    assert reached == [False] + [True] * 6
    assert len(ends) == 6


def test_images_that_are_not_divided_end_where_they_are_accepted():
    words, _ = read(DATA | {"quarantined": {}})
    assert words == ["1,234 files found", "1,220 images accepted"]


@pytest.mark.parametrize("data", [DATA, DATA | {"splits": SPLITS, "in_no_split": 10}, DATA | {"quarantined": {}}])
def test_no_two_boxes_touch_and_all_are_within_the_figure(data):
    figure = draw_flow(data)
    boxes = [box.get_window_extent() for box in figure.axes[0].patches]
    assert all(not box.overlaps(other) for box in boxes for other in boxes if other is not box)
    width, height = figure.get_size_inches() * figure.dpi
    assert all(box.x0 > 0 and box.y0 > 0 and box.x1 < width and box.y1 < height for box in boxes)
    assert figure.get_size_inches()[0] == WIDTH


def test_long_reasons_are_wrapped_and_the_box_grows():
    reason = "it claims more pixels than its bytes can hold, or it has countless frames"
    short, long = (draw_flow(DATA | {"quarantined": {text: 3}}) for text in ("empty", reason))
    (words,) = (text for text in list_words(long.axes[0].texts) if "quarantined" in text)
    assert max(map(len, words.splitlines())) <= 30
    assert len(words.splitlines()) == 4
    assert long.get_size_inches()[1] > short.get_size_inches()[1]


def test_what_is_left_out_has_another_colour():
    axes = draw_flow(DATA).axes[0]
    from matplotlib.colors import to_hex

    assert [to_hex(box.get_edgecolor()).upper() for box in axes.patches] == [
        colours.BLUE,
        colours.VERMILION,
        colours.BLUE,
    ]
