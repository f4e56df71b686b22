"""Published figures, and ours beside them."""

import re

import pandas as pd
import pytest
from pydantic import ValidationError

from leukoscope.audit.baseline import COLOUR_BASELINE
from leukoscope.core.commands import set_environment
from leukoscope.core.storage import as_records
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.reporting.context import PageContext
from leukoscope.reporting.literature import (
    Literature,
    describe_models,
    find_difference,
    list_others,
    place_beside,
    read_literature,
    render_literature,
)
from leukoscope.reporting.worth import UNKNOWN, Worth

COMPARISON = pd.DataFrame(
    {
        "model": ["vgg16", "my_network", "resnet50"],
        "title": ["VGG16", "My <network>", "ResNet50"],
        "test_accuracy": [0.75, 0.70, 0.81],
        "test_accuracy_low": [0.66, 0.60, 0.73],
        "test_accuracy_high": [0.83, 0.79, None],
    }
)
DIFFERENCES = pd.DataFrame(
    [
        ("resnet50", "vgg16", 0.06, -0.02, 0.14, False),
        ("vgg16", "my_network", 0.05, 0.01, 0.09, True),
        ("resnet50", "my_network", 0.11, 0.05, 0.17, True),
        ("vgg16", COLOUR_BASELINE, 0.24, 0.1, 0.38, True),
    ],
    columns=["first", "second", "difference", "low", "high", "shown"],
)
SPLITS = {"test": {"images": 96, "groups": 90}}


def gather(published: int = 0, worth: Worth = UNKNOWN) -> PageContext:
    origin = {"images": 9, "drawn": 9 - published, "published": published, "complete": published == 9}
    sheet = {"origin": origin, "splits": SPLITS}
    return PageContext.gather(sheet, DataSheetOptions().model_dump(), {"leukoscope": "1"}, worth)


def read_words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_difference_is_of_the_first_whichever_the_table_has_first():
    straight = find_difference(as_records(DIFFERENCES), "resnet50", "vgg16")
    turned = find_difference(as_records(DIFFERENCES), "vgg16", "resnet50")
    assert straight == {"difference": 0.06, "low": -0.02, "high": 0.14, "shown": False}
    assert turned == {"difference": -0.06, "low": -0.14, "high": 0.02, "shown": False}
    assert find_difference(as_records(DIFFERENCES), "vgg16", "vgg19") == {}


def test_ours_stand_beside_the_published_figures_of_the_same_system():
    rows = place_beside(read_literature(), describe_models(COMPARISON, DIFFERENCES))
    ours = {row["entry"]: row["ours"] for row in rows["fields"]}
    assert ours["resnet50"]["test_accuracy"] == 0.81
    assert ours["resnet50"]["to_best"] is None
    assert ours["alim_resnet50"] is None  # which was not trained: another recipe is another system
    vgg = next(row["ours"] for row in rows["all_idb"] if row["entry"] == "vgg16")
    assert vgg["to_best"] == {"difference": -0.06, "low": -0.14, "high": 0.02, "shown": False, "best": "ResNet50"}
    assert vgg["to_colour"]["difference"] == 0.24


def test_no_figure_is_without_its_data_set_and_its_split():
    literature = read_literature()
    rows = place_beside(literature, describe_models(COMPARISON[:0], DIFFERENCES))
    assert sum(map(len, rows.values())) == len(literature.systems)
    assert list(rows) == list(literature.data_sets)
    assert all(row["split"] and row["ours"] is None for systems in rows.values() for row in systems)
    assert all(0 < value <= 1 for system in literature.systems for value in system.figures.values())


def test_a_data_set_that_is_not_described_is_refused():
    system = read_literature().systems[0].model_dump()
    with pytest.raises(ValidationError, match="names the data set fields, which data_sets does not have"):
        Literature(data_sets={}, systems=[system])


def test_a_model_of_the_users_own_is_listed_apart():
    others = list_others(read_literature(), describe_models(COMPARISON, DIFFERENCES))
    assert [model["title"] for model in others] == ["My <network>"]
    assert others[0]["to_colour"] == {}


def test_the_page_says_what_may_be_compared_and_what_is_missing():
    set_environment("demo")
    page = render_literature(COMPARISON, DIFFERENCES, gather(), ["vgg16", "resnet50", "alexnet"])
    words = read_words(page)
    assert "are not comparable" in words
    assert "96 test images in 90 groups" in words
    assert "not trained on this split: kedro run --pipelines train_alexnet --env demo" in words
    assert "no such entry in this configuration" in words
    assert "0.750 (0.660 to 0.830)" in words
    assert "-0.060 (-0.140 to +0.020) not shown" in words
    assert "My &lt;network&gt;" in page
    assert "ours say nothing about any published figure" in words


def test_on_the_published_images_ours_may_be_held_against_the_report():
    page = render_literature(COMPARISON, DIFFERENCES, gather(published=9), [])
    assert "ours say nothing about any published figure" not in page
    assert "Stain colour alone" not in page
    baseline = {"accuracy": 0.51, "low": 0.41, "high": 0.61}
    page = render_literature(COMPARISON, DIFFERENCES, gather(worth=Worth(None, None, baseline)), [])
    assert "Stain colour alone reaches 0.510 (0.410 to 0.610) on the same test images." in read_words(page)
