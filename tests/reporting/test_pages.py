import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from leukoscope.models.scoring import probability_columns
from leukoscope.models.trust import apply_temperature
from leukoscope.reporting import data_sheet, pages, results
from leukoscope.reporting.checklists import CLAIM, TRIPOD_AI

SOFTWARE = {"leukoscope": "0.1.0", "commit": None, "keras": "3", "seed": "1"}
KNOWN = {"name": "Drawn <smears>", "source": None}
VERDICT = "ALARM: these classes can be told apart.\nColour reaches 0.99."
AUDIT = pd.DataFrame(
    {
        "protocol": ["image", "duplicate", "look"],
        "predictor": ["colour_histogram", "colour_histogram", "border"],
        "accuracy": [0.99, 0.98, 0.97],
        "low": [0.98, 0.97, 0.9],
        "high": [1.0, 0.99, 0.98],
        "images": [24, 24, 24],
        "groups": [24, 20, 6],
    }
)


class Page(HTMLParser):
    """What a browser would load and where links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.anchors, self.loaded, self.words = set(), set(), [], ""
        self._script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self._script = tag in ("script", "style")
        self.ids |= {facts["id"]} if "id" in facts else set()
        if tag == "a" and facts["href"].startswith("#"):
            self.anchors.add(facts["href"][1:])
        elif tag != "a":
            self.loaded += [facts[name] for name in ("src", "href") if name in facts]

    def handle_endtag(self, tag):
        self._script = False

    def handle_data(self, data):
        if not self._script:
            self.words += " ".join(data.split()) + " "


@pytest.fixture
def data(splits) -> dict:
    manifest = splits.assign(
        sha256="0",
        width=224,
        height=224,
        mode="RGB",
        bytes=1000,
        status="accepted",
        reason=None,
        duplicate_kind=None,
    )
    bad = manifest.iloc[:2].assign(image_id=["x", "y"], status="quarantined", reason=["empty file", "damaged: why"])
    report = pd.DataFrame(
        {"label": ["Benign", "total"], "found": [42, 162], "accepted": [40, 160], "quarantined": [2, 2]}
    ).assign(duplicates=0, expected=pd.array([42, 162], "Int64"))
    return data_sheet.describe_data(pd.concat([manifest, bad], ignore_index=True), report, splits, "look")


@pytest.fixture
def result(predictions, smears, class_names) -> dict:
    opinions = predictions.assign(
        **dict(
            zip(
                probability_columns(class_names),
                apply_temperature(predictions[probability_columns(class_names)].to_numpy(), 2.0).T,
                strict=True,
            )
        )
    )
    shown = results.describe(predictions, opinions, "test", smears, class_names, most=3)
    figures = {"accuracy": 0.75, "accuracy_low": 0.7, "accuracy_high": None}
    robustness = [
        {"perturbation": name, "level": level, "unit": "", "images": 24, "accuracy": 0.5, "calibrated_ece": 0.1}
        | {"unlike": 0.2}
        for name, level in (("none", 0), ("grey", 0.5), ("grey", 1.0))
    ]
    return shown | {
        "backbone": "vgg16",
        "title": "VGG16",
        "benign_class": "Benign",
        "prevalence": 0.1,
        "target_error": 0.02,
        "set_confidence": 0.95,
        "summary": {"test_robust_accuracy": 0.4},
        "metrics": Figures(figures),
        "calibration": {"temperature": 1.5, "threshold": 0.8, "novelty": 0.3},
        "training": {"weights": "none", "epochs": 3, "input_size": 48, "device": "CPU", "splits": "a"}
        | {"parameters": 2_000_000, "precision": "float32", "report_test_accuracy": 0.9878},
        "pictures": {"confusion_matrix": "data:image/png;base64,cG5n"},
        "history": [
            {"epoch": 1, "train_loss": 1, "train_accuracy": 0.5, "validation_loss": 1, "validation_accuracy": 0.4}
        ],
        "robustness": robustness,
        "outliers": [{"kind": "no_cells", "images": 12, "unlike": 0.9, "auc": 0.95}],
    }


class Figures(dict):
    """Has every figure."""

    def __missing__(self, name: str) -> float:
        return self.get(name.split("_", 1)[1], 0.5)

    def get(self, name, default=None):
        return super().get(name.removeprefix("test_"), default)


@pytest.fixture
def page(result, data) -> Page:
    return Page(pages.render_backbone(result, data, KNOWN, SOFTWARE, AUDIT, VERDICT))


def test_a_page_loads_nothing(page):
    assert len(page.loaded) == 4
    assert all(source.startswith("data:image/") for source in page.loaded)


def test_without_scripts_a_picture_stands_in_for_a_plot(result, data):
    text = pages.render_backbone(result, data, KNOWN, SOFTWARE)
    assert '<noscript><img src="data:image/png;base64,cG5n" alt="Confusion matrix"></noscript>' in text


def test_links_lead_somewhere(page):
    assert page.anchors
    assert page.anchors <= page.ids


def test_a_page_says_what_its_figures_are_worth_and_what_cannot_be_known(page):
    for words in (
        "ALARM: these classes can be told apart.",
        "the look, a cluster of fields of nearly the same colours",
        "Age, sex, ethnicity, site:",
        "No medical device, and not for diagnosis",
        "random weights",
        "empty file (1), damaged (1)",
        "report test accuracy",
        "Drawn <smears>",
        "no cells 0.900 0.950",
    ):
        assert words in page.words


def test_without_an_audit_a_page_says_so(result, data):
    page = Page(pages.render_backbone(result, data, KNOWN, SOFTWARE))
    assert "Not known: these images have not been audited." in page.words
    assert "kedro run --pipeline audit" in page.words


def test_figures_have_their_intervals_and_what_is_undefined_is_said_so(result, data):
    result["metrics"]["accuracy_high"] = 0.81
    result["metrics"]["coverage"] = None
    words = Page(pages.render_backbone(result, data, KNOWN, SOFTWARE)).words
    assert "0.750 (0.700 to 0.810)" in words
    assert "share of images with an opinion not given" in words


def test_every_item_of_the_guidelines_is_there_once(page):
    for name, items in (("CLAIM 2024", CLAIM), ("TRIPOD+AI", TRIPOD_AI)):
        assert name in page.words
        numbers = [one for item in items for one in spell_out(item.number)]
        assert sorted(set(numbers)) == numbers == list(range(1, {"CLAIM 2024": 45, "TRIPOD+AI": 28}[name]))


def spell_out(number: str) -> list[int]:
    """Take "14-16", "1, 2" apart; of "12a-d", "12e" the first counts."""
    whole = re.fullmatch(r"(\d+)-(\d+)", number)
    if whole:
        return list(range(int(whole[1]), int(whole[2]) + 1))
    if re.search(r"[a-z]", number):
        return [int(re.match(r"\d+", number)[0])] if re.search(r"\d+a", number) else []
    return [int(one) for one in number.split(",")]


def test_the_card_has_the_sections_of_a_model_card(result, data):
    card = pages.render_card(result, data, KNOWN, SOFTWARE, VERDICT)
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == [
        "Model details",
        "Intended use",
        "Factors",
        "Evaluation data",
        "Training data",
        "Metrics",
        "What these figures are worth",
        "Caveats",
    ]
    assert "Colour reaches 0.99." in card
    assert "| accuracy | 0.750" in card
    assert "Drawn <smears>" in card


def test_the_comparison_has_every_backbone_and_which_differences_are_real(result, data):
    row = {"backbone": "vgg16", "title": "VGG16", "test_accuracy": 0.75, "test_images": 24, "parameters": 2e6}
    columns = ["train_accuracy", "test_macro_f1", "test_auc", "test_robust_accuracy", "model_mib", "seconds_per_epoch"]
    columns += ["epochs", "input_size", "precision"]
    columns += [f"test_{name}_{end}" for name in ("accuracy", "macro_f1", "auc") for end in ("low", "high")]
    columns += [f"report_{name}" for name in ("train_accuracy", "test_accuracy", "seconds_per_epoch")]
    comparison = pd.DataFrame([dict.fromkeys(columns, 0.5) | row, dict.fromkeys(columns, 0.6) | row])
    comparison.loc[1, ["backbone", "title"]] = ["resnet50", "ResNet50"]
    comparison["report_seconds_per_epoch"] = np.nan
    tests = dict.fromkeys(("low", "high", "group_p", "group_p_holm", "mcnemar_p", "mcnemar_p_holm"), 0.01)
    pair = {"first": "vgg16", "second": "resnet50", "difference": 0.1, "real": True}
    both = [result, result | {"title": "ResNet50"}]
    text = pages.render_comparison(
        comparison, pd.DataFrame([pair | tests]), both, data, KNOWN, SOFTWARE, AUDIT, VERDICT
    )
    page = Page(text)
    assert "VGG16 less ResNet50 0.100 (0.010 to 0.010)" in page.words
    assert page.words.count("ALARM") == 1
    assert page.anchors <= page.ids
    assert page.loaded == []
    assert 'href="vgg16/report.html"' in text


def test_the_data_sheet_counts_what_was_left_out(data):
    assert (data["found"], data["accepted"]) == (162, 160)
    assert data["quarantined"] == {"empty file": 1, "damaged": 1}
    assert data["as_expected"] is True
    assert data["splits"]["train"] == {
        "images": 112,
        "groups": 112,
        "classes": {"Benign": 28, "Early": 28, "Pre": 28, "Pro": 28},
    }
