import logging

import pytest

from leukoscope.pipelines.reporting import nodes
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.reporting import pages


@pytest.fixture
def write(monkeypatch):
    monkeypatch.setattr(pages, "render_backbone", lambda result, *facts: f"{result['title']} {facts[2]['seed']}")
    monkeypatch.setattr(pages, "render_card", lambda result, *facts: f"card of {result['title']}")
    facts = {"splits_fingerprint": "now"}, DataSheetOptions(), {"keras": "3"}, 7

    def write_both(*results):
        return nodes.write_reports(*facts, None, None, *results), nodes.write_model_cards(*facts, None, *results)

    return write_both


def result(backbone: str, splits: str) -> dict:
    return {"backbone": backbone, "title": backbone.upper(), "training": {"splits": splits}}


def test_whatever_was_evaluated_on_these_splits_is_written_about(write, caplog):
    with caplog.at_level(logging.WARNING, "leukoscope"):
        reports, cards = write(result("vgg16", "now"), None, result("resnet50", "before"))
    assert reports == {"vgg16/report": "VGG16 7"}
    assert cards == {"vgg16/model_card": "card of VGG16"}
    assert "RESNET50 was evaluated on other splits: its report stays as it is" in caplog.text
