import pytest

from leukoscope.core.errors import InputError
from leukoscope.images.origin import Origin
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.reporting import sources

OTHERS, PART, DRAWN, MIXED = Origin(9), Origin(9, published=9), Origin(9, drawn=9), Origin(9, published=4)


def describe(origin: Origin, **stated) -> dict:
    return sources.describe(DataSheetOptions(**stated).model_dump(), origin)


@pytest.mark.parametrize("origin", [OTHERS, MIXED])
def test_nothing_is_stated_of_other_peoples_images(origin):
    described = describe(origin)
    assert described.pop("origin")
    assert set(described.values()) == {None}


def test_the_published_sets_facts_are_of_its_images_or_of_what_the_user_says_is_so():
    for described in (describe(PART), describe(OTHERS, published=True), describe(MIXED, published=True)):
        assert described["reference_standard"] == "labels of the authors, confirmed by flow cytometry"
        assert described["patients"].startswith("89 ")
        assert described["dates"] is None
    assert describe(PART, published=False)["reference_standard"] is None


def test_the_users_own_facts_win_and_take_numbers():
    described = describe(PART, patients=12, reference_standard="two haematologists", demographics=" ")
    assert described["patients"] == "12"
    assert described["reference_standard"] == "two haematologists"
    assert described["source"].startswith("Kaggle")
    assert described["demographics"] is None


def test_drawn_images_are_described_as_drawn_and_only_if_all_are():
    assert describe(DRAWN)["name"] == "Drawn smears"
    assert describe(Origin(9, drawn=8))["name"] is None
    assert describe(DRAWN, name="Our hospital")["source"] == "Leukoscope's own generator"
    with pytest.raises(InputError, match="drew 9 of the 9"):
        describe(DRAWN, published=True)


def test_the_published_studys_figures_can_be_left_out():
    result = {
        "title": "A",
        "summary": {"report_test_accuracy": 0.9, "splits": "a"},
        "training": {"report_x": 1, "y": 2},
    }
    assert sources.hide_published(result) == {"title": "A", "summary": {"splits": "a"}, "training": {"y": 2}}
    assert result["summary"]["report_test_accuracy"] == 0.9
