import re

import pandas as pd
import pytest

from leukoscope.core.commands import set_environment
from leukoscope.images.origin import Origin
from leukoscope.reporting.frame import Frame, name_smears, warn_of_manifest


@pytest.mark.parametrize(
    ("origin", "is_published", "words"),
    [
        (Origin(9, drawn=9), False, "drawn smears"),
        (Origin(9, drawn=3), False, "3 of 9 smears drawn"),
        (Origin(9, published=9), True, "real smears"),
        (Origin(9), False, "real smears, as far as known: none carries the mark of a drawn one"),
    ],
)
def test_smears_are_real_as_far_as_is_known(origin, is_published, words):
    assert name_smears(origin, is_published) == words


def test_a_page_is_of_today_and_of_the_environment_at_work():
    set_environment("demo")
    frame = Frame.make({"name": None}, Origin(9), False, ["study.html"], {"seed": "1"}).add(["study.html", "a.html"])
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", frame.date)
    assert (frame.data_set, frame.environment, frame.pages) == (
        "images without a name",
        "demo",
        ("study.html", "a.html"),
    )


def test_drawn_images_of_a_manifest_are_warned_of_if_they_are_used():
    manifest = pd.DataFrame({"status": ["accepted", "accepted", "quarantined"], "drawn": [True, False, True]})
    [warning] = warn_of_manifest(manifest)
    assert "1 of the 2 images" in warning
    assert warn_of_manifest(manifest.assign(drawn=[False, False, True])) == []
    assert warn_of_manifest(manifest.drop(columns="drawn")) == []
