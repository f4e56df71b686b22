"""A network as a stack of its blocks."""

from itertools import pairwise
from typing import NamedTuple

import pytest

from leukoscope.figures.architecture import draw_architecture


class Block(NamedTuple):
    name: str
    shape: tuple[int, ...]
    parameters: int
    contents: tuple[str, ...]


BLOCKS = [
    [Block("input", (224, 224, 3), 0, ())],
    [Block("stem", (112, 112, 64), 38_720, ("2 convolutions", "max pooling"))],
    [Block("head", (4,), 2_052, ("global average pooling", "dropout", "dense layer"))],
]


def test_every_block_has_its_name_shape_and_parameters():
    axes = draw_architecture("A network", BLOCKS).axes[0]
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert words == [
        "input   224 x 224 x 3   nothing trains",
        "stem   112 x 112 x 64   38,720 parameters",
        "2 convolutions, max pooling",
        "head   4   2,052 parameters",
        "global average pooling, dropout, dense layer",
    ]


def test_blocks_follow_each_other_from_top_to_bottom_without_touching():
    axes = draw_architecture("A network", BLOCKS).axes[0]
    boxes = [(patch.get_y(), patch.get_y() + patch.get_height()) for patch in axes.patches if hasattr(patch, "get_y")]
    assert len(boxes) == 3
    assert all(before[1] < after[0] for before, after in pairwise(boxes))
    assert axes.get_ylim()[0] == pytest.approx(max(end for _, end in boxes))


def test_the_title_has_the_sum_of_all_parameters():
    figure = draw_architecture("A network", BLOCKS)
    assert " ".join(figure.get_suptitle().split()) == "A network: 40,772 parameters that train"


def test_long_contents_go_on_in_another_line():
    short = draw_architecture("A", BLOCKS)
    long = draw_architecture("A", [*BLOCKS[:2], [Block("block", (7, 7, 9), 1, ("3 depthwise convolutions",) * 4)]])
    assert long.get_figheight() > short.get_figheight()


def test_members_stand_side_by_side():
    members = [Block("vgg16", (7, 7, 512), 9, ("13 convolutions",)), Block("mobilenet", (7, 7, 1024), 8, ())]
    axes = draw_architecture("A fusion", [BLOCKS[0], members, BLOCKS[2]]).axes[0]
    boxes = [patch for patch in axes.patches if hasattr(patch, "get_y")]
    left, right = boxes[1:3]
    assert (left.get_y(), left.get_height()) == (right.get_y(), right.get_height())
    assert left.get_x() + left.get_width() < right.get_x()
    words = [text.get_text() for text in axes.texts if text.get_text()]
    assert words[1:8] == [
        "vgg16",
        "7 x 7 x 512",
        "9 parameters",
        "13 convolutions",
        "mobilenet",
        "7 x 7 x 1024",
        "8 parameters",
    ]
