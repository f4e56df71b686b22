import pandas as pd
import pytest

from leukoscope.figures.protocols import STYLES, list_rungs

ROW = {"predictor": "border", "accuracy": 0.9, "low": 0.8, "high": 0.95, "groups": 24}


def make_table(*protocols) -> pd.DataFrame:
    return pd.DataFrame([ROW | {"protocol": name, "embargo": embargo} for name, embargo in protocols])


def test_embargoes_stand_one_below_the_other_with_their_hollow_controls():
    rungs = list_rungs(make_table(("duplicate", None), ("series", 0), ("series", 37), ("series_control", 37)))
    assert [rung.label for rung in rungs] == [
        "copies together (24 groups)",
        "runs of file numbers, embargo of 0 (24 groups)",
        "runs of file numbers, embargo of 37 (24 groups)",
        "as many images as with 37, no embargo (24 groups)",
    ]
    shifts = [rung.shift for rung in rungs]
    assert shifts == pytest.approx([-0.27, -0.09, 0.09, 0.27])
    strict, control = rungs[2].style, rungs[3].style
    assert (strict.shade, strict.mark) == (control.shade, control.mark)
    assert strict.shade != rungs[1].style.shade
    assert (strict.filled, control.filled) == (True, False)


def test_a_table_without_embargoes_has_the_usual_styles():
    rungs = list_rungs(make_table(("image", None), ("appearance", None)).drop(columns="embargo"))
    assert [rung.style for rung in rungs] == [STYLES["image"], STYLES["appearance"]]


def test_the_largest_number_of_groups_is_told():
    table = pd.concat([make_table(("appearance", None)), make_table(("appearance", None)).assign(groups=1500)])
    (rung,) = list_rungs(table)
    assert rung.label == "appearance clusters together (1,500 groups)"
    assert len(rung.rows) == 2


def test_no_two_protocols_look_alike():
    looks = {(style.shade, style.mark) for style in STYLES.values()}
    assert len(looks) == len(STYLES)
