import logging

import pandas as pd
import pytest

from leukoscope.core.errors import InputError
from leukoscope.evaluation.compatibility import RESULT_FORMAT, RESULT_PARTS
from leukoscope.pipelines.collect.nodes import collect_results
from leukoscope.pipelines.reporting import nodes
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.reporting import pages

ORIGIN = {"images": 9, "drawn": 0, "published": 0, "complete": False}
DATA = {"splits_fingerprint": "now", "fingerprint": "f00d", "origin": ORIGIN}
LADDER = pd.DataFrame({"protocol": ["appearance"], "data": ["f00d"]})
VERDICT = "No alarm.\nOf the images with the fingerprint f00d.\n"
BASELINE = {"accuracy": 0.9, "splits": "now"}


@pytest.fixture
def write(monkeypatch):
    monkeypatch.setattr(pages, "render_model", lambda result, *facts, **how: f"{result['title']} {facts[2]['seed']}")
    monkeypatch.setattr(pages, "render_card", lambda result, *facts: f"card of {result['title']}")
    context = nodes.gather_context(DATA, DataSheetOptions(), {"keras": "3"}, 7, None, None, None)

    def write_both(*results):
        gathered = collect_results(*results)
        return [function(context, gathered) for function in (nodes.write_reports, nodes.write_model_cards)]

    return write_both


def result(model: str, splits: str) -> dict:
    facts = {name: {} for name in RESULT_PARTS} | {
        "format": RESULT_FORMAT,
        "model": model,
        "title": model.upper(),
    }
    return facts | {"training": {"splits": splits}}


def test_whatever_was_evaluated_on_these_splits_is_written_about(write, caplog):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        reports, cards = write(result("vgg16", "now"), None, result("resnet50", "before"))
    assert reports == {"vgg16/report": "VGG16 7"}
    assert cards == {"vgg16/model_card": "card of VGG16"}
    assert "RESNET50 was evaluated on other splits: its report stays as it is" in caplog.text


@pytest.mark.parametrize("function", [nodes.write_reports, nodes.write_model_cards])
@pytest.mark.parametrize(("images", "splits"), [("f00d", "now"), ("beef", "now"), ("f00d", "later")])
def test_what_accuracies_are_worth_is_of_these_images_and_splits(monkeypatch, caplog, function, images, splits):
    said = []
    for name in ("render_model", "render_card"):
        monkeypatch.setattr(pages, name, lambda *facts, **how: said.append(facts[-1]) or "")
    data = {"fingerprint": images, "splits_fingerprint": splits, "origin": ORIGIN}
    context = nodes.gather_context(data, DataSheetOptions(), {}, 7, LADDER, VERDICT, BASELINE)
    function(context, [result("vgg16", splits)])
    assert (said[0].ladder is LADDER) is (said[0].verdict == VERDICT) is (images == "f00d")
    assert said[0].baseline == (BASELINE if splits == "now" else None)
    assert ("The audit is of other images" in caplog.text) is (images != "f00d")


def test_the_comparison_leaves_other_splits_out_and_says_so(monkeypatch):
    monkeypatch.setattr(pages, "render_comparison", lambda *facts, doubts, frame: facts)
    table = pd.DataFrame({"model": ["vgg16", "resnet50"]})
    both = [result("vgg16", "now"), result("resnet50", "before")]
    context = nodes.gather_context(DATA, DataSheetOptions(), {}, 7, LADDER, VERDICT, BASELINE)
    rows, _, results, *_, left_out = nodes.write_comparison(table, pd.DataFrame(), context, both)
    assert rows["model"].tolist() == ["vgg16"]
    assert [one["title"] for one in results] == ["VGG16"]
    assert left_out == ["RESNET50"]
    with pytest.raises(InputError, match="kedro run --pipelines comparison"):
        nodes.write_comparison(table, pd.DataFrame(), context, both[1:])


@pytest.mark.parametrize(
    ("origin", "stated", "shown"),
    [
        ({"published": 9}, None, True),
        ({"published": 9}, False, False),
        ({"published": 8}, None, False),
        ({}, None, False),
        ({}, True, True),
        ({"drawn": 9}, None, False),
    ],
)
def test_what_was_published_stands_beside_the_published_images_only(monkeypatch, origin, stated, shown):
    monkeypatch.setattr(pages, "render_comparison", lambda *facts, doubts, frame: facts)
    monkeypatch.setattr(pages, "render_model", lambda *facts, **how: facts)
    data = DATA | {"origin": ORIGIN | origin}
    own = result("vgg16", "now")
    own["training"]["report_test_accuracy"] = 0.98
    context = nodes.gather_context(data, DataSheetOptions(published=stated), {}, 7, LADDER, VERDICT, BASELINE)
    page = nodes.write_reports(context, [own])["vgg16/report"]
    table = pd.DataFrame({"model": ["vgg16"], "report_test_accuracy": 0.98})
    rows, _, compared, _, described, *_ = nodes.write_comparison(table, pd.DataFrame(), context, [own])
    assert ("report_test_accuracy" in page[0]["training"]) is shown
    assert ("report_test_accuracy" in compared[0]["training"]) is shown
    assert ("report_test_accuracy" in rows) is shown
    for sheet in (page[2], described):
        assert ("flow cytometry" in (sheet["reference_standard"] or "")) is shown


def test_drawn_images_that_are_said_to_be_published_are_an_input_error():
    data = DATA | {"origin": ORIGIN | {"drawn": 9}}
    with pytest.raises(InputError, match="drew 9 of the 9"):
        nodes.gather_context(data, DataSheetOptions(published=True), {}, 7, None, None, None)


def test_pages_link_to_those_that_the_same_run_writes_and_to_others_that_are_there(monkeypatch):
    frames = []
    monkeypatch.setattr(pages, "render_model", lambda *facts, frame, **how: frames.append(frame) or "")
    monkeypatch.setattr(pages, "render_comparison", lambda *facts, frame, **how: frames.append(frame) or "")
    context = nodes.gather_context(DATA, DataSheetOptions(name="Ours"), {}, 7, None, None, None, ["study.html"])
    own = [result("vgg16", "now")]
    nodes.write_reports(context, own, pd.DataFrame())
    nodes.write_reports(context, own, pd.DataFrame(), [])
    nodes.write_comparison(pd.DataFrame({"model": ["vgg16"]}), pd.DataFrame(), context, own)
    comparing = ("study.html", "comparison.html", "literature.html")
    assert [frame.pages for frame in frames] == [comparing, ("study.html",), (*comparing, "vgg16/report.html")]
    assert {frame.data_set for frame in frames} == {"Ours"}


def test_a_page_of_all_images_says_which_they_are_and_whether_they_are_drawn(monkeypatch):
    manifest = pd.DataFrame({"status": ["accepted"] * 2, "drawn": [True, False], "sha256": "0", "label": "Pre"})
    frame = nodes.gather_frame(manifest, DataSheetOptions(), {"keras": "3"}, 7, ["comparison.html"], [])
    assert frame[:2] == ("images without a name", "1 of 2 smears drawn")
    assert (frame.pages, frame.provenance) == (("comparison.html",), {"keras": "3", "seed": "7"})
