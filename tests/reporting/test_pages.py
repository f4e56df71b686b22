import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from statsmodels.stats.proportion import proportion_confint

from leukoscope.evaluation.calibration import apply_temperature
from leukoscope.evaluation.compatibility import RESULT_FORMAT
from leukoscope.evaluation.judge import Judge
from leukoscope.evaluation.label_issues import summarise
from leukoscope.evaluation.metric import Hits, Metric, Number, Section, Share, list_names
from leukoscope.evaluation.metrics import METRICS
from leukoscope.evaluation.out_of_distribution import choose_limit
from leukoscope.evaluation.predictions import probability_columns, select_split, tabulate_probabilities
from leukoscope.evaluation.scoring import Scoring
from leukoscope.evaluation.trust import Calibration, Targets, calibrate
from leukoscope.figures.svg import to_svg
from leukoscope.images.origin import Origin
from leukoscope.pipelines.augmentation.nodes import plan_training
from leukoscope.pipelines.augmentation.options import AugmentationOptions
from leukoscope.pipelines.reporting.options import DataSheetOptions
from leukoscope.reporting import data_sheet, pages, results, sources
from leukoscope.reporting.checklists import CLAIM, GUIDELINES, STARD_AI, TRIPOD_AI, locate
from leukoscope.reporting.filters import name_normaliser, page_environment
from leukoscope.reporting.frame import Frame
from leukoscope.reporting.metric_tables import write_table
from leukoscope.reporting.pictures import draw_glance
from leukoscope.reporting.sections import read_sections
from leukoscope.reporting.worth import Worth
from leukoscope.training.key import describe_balance, describe_key
from leukoscope.training.recipe import Recipe, RecipeDifferences, resolve_recipe
from review_page import needs_browser, open_browser

SOFTWARE = {"leukoscope": "0.1.0", "commit": None, "keras": "3", "seed": "1"}
OTHERS = Origin(160)
KNOWN = sources.describe(DataSheetOptions(name="Our <smears>").model_dump(), OTHERS)
VERDICT = "ALARM: these classes can be told apart.\nColour reaches 0.99."
AUDIT = pd.DataFrame(
    {
        "protocol": ["image", "duplicate", "appearance"],
        "predictor": ["colour_histogram", "colour_histogram", "border"],
        "accuracy": [0.99, 0.98, 0.97],
        "low": [0.98, 0.97, 0.9],
        "high": [1.0, 0.99, 0.98],
        "images": [24, 24, 24],
        "groups": [24, 20, 6],
    }
)
BASELINE = {"accuracy": 0.876, "low": 0.812, "high": 0.934, "images": 24, "groups": 24}
WORTH = Worth(AUDIT, VERDICT, BASELINE)
BESIDE = ("comparison.html", "literature.html", "vgg16/report.html", "resnet50/report.html")
FRAME = Frame("Our <smears>", "real smears", "2026-01-02", "demo", BESIDE, SOFTWARE)


class Page(HTMLParser):
    """What a browser would load, where links lead, which ids there are, and the words, plots aside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids, self.anchors, self.loaded, self.words = [], set(), [], ""
        self._silent = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        if not self._silent and tag in ("script", "style", "svg"):
            self._silent = tag
        self.ids += [facts["id"]] if "id" in facts else []
        if tag == "a" and facts["href"].startswith("#"):
            self.anchors.add(facts["href"][1:])
        elif tag != "a":
            links = [facts[name] for name in ("src", "href", "xlink:href") if name in facts]
            self.loaded += [link for link in links if not link.startswith("#")]

    def handle_endtag(self, tag):
        if tag == self._silent:
            self._silent = ""

    def handle_data(self, data):
        if not self._silent:
            self.words += " ".join(data.split()) + " " if data.strip() else ""


@pytest.fixture(autouse=True)
def _blank(monkeypatch) -> None:
    """Leave plots blank, which takes most of the time that a page takes."""
    monkeypatch.setattr(pages, "to_svg", lambda figure, name: f"<svg>{name}</svg>")
    first = {True: "glance_learning", False: "glance_roc"}
    rest = ("glance_confusion", "glance_reliability")
    glance = lambda result: dict.fromkeys((first[bool(result["history"])], *rest))  # noqa: E731
    monkeypatch.setattr(pages, "draw_glance", glance)


@pytest.fixture
def _drawn(_blank, monkeypatch) -> None:
    """Draw all plots of pages."""
    monkeypatch.setattr(pages, "to_svg", to_svg)
    monkeypatch.setattr(pages, "draw_glance", draw_glance)


@pytest.fixture
def data(splits) -> dict:
    manifest = splits.assign(
        sha256="0",
        width=224,
        height=224,
        mode="RGB",
        bytes=1000,
        drawn=False,
        status="accepted",
        reason=None,
        duplicate_kind=None,
    )
    bad = manifest.iloc[:2].assign(image_id=["x", "y"], status="quarantined", reason=["empty file", "damaged: why"])
    report = pd.DataFrame(
        {"label": ["Benign", "total"], "found": [42, 162], "accepted": [40, 160], "quarantined": [2, 2]}
    ).assign(duplicates=0, expected=pd.array([42, 162], "Int64"))
    return data_sheet.describe_data(pd.concat([manifest, bad], ignore_index=True), report, splits, "appearance")


@pytest.fixture
def opinions(predictions, class_names) -> pd.DataFrame:
    columns = probability_columns(class_names)
    calibrated = apply_temperature(predictions[columns].to_numpy(), 2.0)
    return predictions.assign(reason="", **dict(zip(columns, calibrated.T, strict=True)))


@pytest.fixture
def metrics(predictions, opinions, splits, class_names) -> dict:
    """All figures that an evaluation has, and no other."""
    how = Scoring(class_names, ["Benign"], 0.1)
    truth, probabilities = select_split(predictions, "validation", class_names)
    learned = calibrate(truth, probabilities, np.zeros(len(truth)), np.arange(len(truth)), [0], Targets(0.1))
    judge = Judge(how, learned, 40, 0.95, seed=1)
    figures = {
        f"{split}_{name}": figure
        for split in ("train", "validation", "test")
        for name, figure in judge.score(predictions, opinions, split).items()
    }
    groups = splits.query("split == 'test'")["group"]
    judged = judge.judge(predictions, opinions, "test", groups)
    return figures | {f"test_{name}": figure for name, figure in judged.items()}


@pytest.fixture
def result(predictions, opinions, smears, class_names, metrics, splits) -> dict:
    shown = results.describe(predictions, opinions, "test", smears, class_names, most=3)
    robustness = [
        {"perturbation": name, "level": level, "unit": "", "images": 24, "accuracy": 0.5, "low": 0.4, "high": 0.6}
        | {"calibrated_ece": 0.1, "unlike": 0.2}
        for name, level in (("none", 0), ("stain", 0.1), ("stain", 0.2), ("stain", 0.4), ("grey", 0.5), ("grey", 1.0))
    ]
    recipe = resolve_recipe("vgg16", Recipe(weights="none"), RecipeDifferences()).model_dump()
    key = {"recipe": recipe, "weights": None, "seed": 1, "augmentation": {"rotation": 20.0}, "splits": "a"}
    balance = describe_balance(plan_training(splits, AugmentationOptions(), 1))
    return shown | {
        "format": RESULT_FORMAT,
        "model": "vgg16",
        "title": "VGG16",
        "benign_class": "Benign",
        "prevalence": 0.1,
        "confidence": 0.95,
        "screening_sensitivity": 0.98,
        "looks": 3,
        "strictest": None,
        "summary": {"test_robust_accuracy": 0.4, "drawn_images": 0, "accepted_images": 160},
        "metrics": metrics,
        "calibration": Calibration(1.5, 0.8, 0.3, [[0.1]] * 4, 0.1, 0.08, groups=60.0, needed=29).describe(),
        "training": {"epochs": 3, "input_size": 48, "device": "CPU"}
        | describe_key(key)
        | balance
        | {"parameters": 2_000_000, "precision": "float32", "report_test_accuracy": 0.9878, "provenance": SOFTWARE},
        "history": [
            {"epoch": 1, "train_loss": 1, "train_accuracy": 0.5, "validation_loss": 1, "validation_accuracy": 0.4}
        ],
        "robustness": robustness,
        "outliers": [{"kind": "no_cells", "images": 12, "unlike": 0.9, "auc": 0.95}],
    }


@pytest.fixture
def page(result, data) -> Page:
    return Page(pages.render_model(result, data, KNOWN, SOFTWARE, WORTH))


PLOTS = {
    "confusion_matrix": "Confusion matrix",
    "roc_curves": "ROC curves",
    "calibration": "Reliability diagram, and curve of risk and coverage",
    "audit": "Accuracy of each predictor under each protocol",
    "robustness": "Accuracy under each change, from weak to strong",
    "flow": "From files found to the images of each split",
    "learning_curves": "Accuracy and loss over the epochs",
}


def test_every_plot_of_a_page_is_there_and_named_for_those_who_do_not_see_it(result, data):
    text = pages.render_model(result, data, KNOWN, SOFTWARE, WORTH)
    assert re.findall(r'<div class="plot" role="img" aria-label="(.*?)"><svg>(\w+)</svg></div>', text) == [
        (words, name) for name, words in PLOTS.items()
    ]
    compared = re.findall(r'aria-label="(.*?)"><svg>([\w-]+)</svg>', compare(result, data))
    each = ["learning-vgg16", "confusion-vgg16", "learning-resnet50", "confusion-resnet50"]
    assert [name for _, name in compared] == ["overview", *each, "comparison", "audit", "robustness", "flow"]
    assert compared[3] == ("Training and validation accuracy of ResNet50", "learning-resnet50")


@pytest.mark.slow
@pytest.mark.usefixtures("_drawn")
def test_pages_load_nothing_and_are_the_same_for_the_same_results(result, data):
    one, compared = (write(result, data) for write in (render, compare))
    assert one == render(result, data)
    assert compared == compare(result, data)
    pictures = Page(one).loaded
    assert len(pictures) == 2 * 3  # errors, at the head and in their section
    assert all(source.startswith("data:image/") for source in pictures)
    assert Page(compared).loaded == []
    for text, plots in ((one, 7 + 3), (compared, 5 + 4)):
        ids = Page(text).ids
        assert len(ids) == len(set(ids))
        assert text.count("<svg ") == plots
        assert len(text) < 400_000


def render(result, data) -> str:
    return pages.render_model(result, data, KNOWN, SOFTWARE, WORTH)


def list_rows(text: str, label: str) -> list[list[str]]:
    """List the cells of the table beside a plot, without marks."""
    part = text.split(f'aria-label="{label}: the numbers"')[1].split("</div>", maxsplit=1)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)
    return [[Page(cell).words.strip() for cell in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row)] for row in rows]


def test_what_certificates_are_worth_is_said_where_opinions_have_any(result, data):
    assert "keep their predicted class under every fixed change" not in render(result, data)
    shares = (("test_certified", 0.5), ("test_accuracy_certified", 0.9), ("test_accuracy_not_certified", 0.4))
    shares += (("test_certified_stain", 0.6), ("test_certified_light", 0.8))
    measured = {f"{name}{end}": value for name, value in shares for end in ("", "_low", "_high")}
    text = render(result | {"summary": result["summary"] | measured}, data)
    words = re.sub(r"\s+", " ", Page(text).words).replace(" ;", ";").replace(" .", ".").replace(" ,", ",")
    assert "0.500 (0.500 to 0.500) of them keep their predicted class under every fixed change" in words
    assert "Accuracy on these images: 0.900 (0.900 to 0.900); on the others: 0.400 (0.400 to 0.400)." in words
    assert "Under the changes of one group only: stain 0.600 (0.600 to 0.600), light 0.800 (0.800 to 0.800)." in words
    assert "stability under eighteen sampled changes, not a proven guarantee" in words


def test_the_numbers_of_every_plot_stand_beside_it(result, data):
    text = render(result, data)
    confusion = [[str(count) for count in counts] for counts in result["confusion"]]
    assert [row[1:] for row in list_rows(text, PLOTS["confusion_matrix"])[1:]] == confusion
    changed = ["0.500 (0.400 to 0.600)", "0.100", "0.200"]
    robustness = list_rows(text, PLOTS["robustness"])
    assert robustness[1:7] == [["unchanged"], ["", *changed], ["stain"]] + [
        [level, *changed] for level in ("0.1", "0.2", "0.4")
    ]
    assert list_rows(text, PLOTS["learning_curves"])[1] == ["1", "0.500", "1", "0.400", "1"]
    audit = list_rows(text, PLOTS["audit"])
    assert audit[3:5] == [["copies together"], ["colour histogram", "0.980 (0.970 to 0.990)", "24", "20"]]
    assert len(audit) == 1 + 2 * len(AUDIT)
    trust = list_rows(text, PLOTS["calibration"])
    images = [int(row[3]) for row in trust if row[0] == "as given"]
    assert sum(images) == 24
    assert ["1.000", f"{len(result['errors']) / 24:.3f}"] in [row[:2] for row in trust]
    assert [row[0] for row in list_rows(text, PLOTS["roc_curves"])] == ["class", *result["class_names"]]
    strongest = list_rows(compare(result, data), "Accuracy of each model under each change at its strongest")
    assert strongest[0] == ["model", "unchanged", "stain", "grey"]
    assert strongest[2] == ["ResNet50", *["0.500 (0.400 to 0.600)"] * 3]


def test_links_lead_somewhere(page):
    assert page.anchors
    assert page.anchors <= set(page.ids)


def test_a_page_says_what_its_figures_are_worth_and_what_cannot_be_known(page):
    for words in (
        "ALARM: these classes can be told apart.",
        "the appearance cluster, fields of nearly the same colours",
        "age, sex and ethnicity not stated",
        "Not a medical device, and not for diagnosis",
        "random weights",
        "empty file (1), damaged (1)",
        "report test accuracy",
        "Our <smears>",
        "no cells 0.900 0.950",
    ):
        assert words in page.words


def test_without_an_audit_a_page_says_so(result, data):
    page = Page(pages.render_model(result, data, KNOWN, SOFTWARE))
    assert "Not known: these images have not been audited." in page.words
    assert "kedro run --pipelines audit" in page.words


def test_every_figure_of_a_page_is_one_that_an_evaluation_has(page):
    assert "undefined" not in page.words
    assert "not given" not in page.words.split("Data sheet")[-1].split("Performance")[-1]


@pytest.fixture
def numbered(result) -> dict[str, str]:
    """Each figure of the test set as its own number, by name."""
    names = [name for name in result["metrics"] if name.startswith("test_") and not name.endswith(("_low", "_high"))]
    result["metrics"] = dict(zip(names, (0.2 + 0.001 * np.arange(len(names))).tolist(), strict=True))
    result["splits"] = ["test"]
    return {name: f"{value:.3f}" for name, value in result["metrics"].items()}


def test_every_figure_of_the_table_is_on_page_and_card(numbered, result, data, class_names):
    page = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    card = pages.render_card(result, data, KNOWN, SOFTWARE)
    names = [f"test_{one}" for row in METRICS for one in list_names(row, [name.lower() for name in class_names])]
    assert set(names) == set(numbered)
    for text in (page, card):
        assert [name for name in names if numbered[name] not in text] == []


@pytest.mark.parametrize(
    ("energy", "source", "said"),
    [
        (0.0123, "processors (RAPL)", "0.012, by processors (RAPL)."),
        (None, "not measured: no counter", "not measured: no"),
    ],
)
def test_the_card_says_what_the_training_took_and_never_guesses(result, data, energy, source, said):
    assert "Energy" not in pages.render_card(result, data, KNOWN, SOFTWARE)  # of an earlier version
    cost = {"cpu_seconds": 81.5, "energy_kwh": energy, "energy_source": source}
    card = pages.render_card(result | {"training": result["training"] | cost}, data, KNOWN, SOFTWARE)
    assert "81.500 seconds of processor time" in card
    assert said in card


def strip(cell: str) -> str:
    """Give the words of a cell without the marks of what is explained."""
    return html.unescape(re.sub(r"</?a\b[^>]*>", "", cell))


def first_cells(text: str) -> list[str]:
    return [strip(cell) for cell in re.findall(r"^<tr><td>(.*?)</td>", text, re.MULTILINE)]


def test_page_and_card_call_metrics_by_their_titles_and_have_no_others(result, data):
    text = pages.render_model(result, data, KNOWN, SOFTWARE)
    titles = {section: [] for section in get_args(Section)}
    for row in METRICS.values():
        titles[row.section].append(row.title)
    performance, rest = text.split('id="performance"')[1].split("<h3>By class")
    by_class, rest = rest.split("<h3>Confusion matrix")
    trust, sets = rest.split('id="trust"')[1].split("<h3>Prediction sets")
    assert first_cells(performance) == titles["performance"]
    assert [strip(cell) for cell in re.findall(r"<th>(.*?)</th>", by_class)] == ["class", *titles["class"]]
    as_given = [METRICS[name].title for name in ("loss", "ece", "brier", "ece_if_calibrated")]
    assert first_cells(trust) == as_given + titles["opinions"]
    assert first_cells(sets.split("</table>")[0]) == titles["sets"]
    card = pages.render_card(result, data, KNOWN, SOFTWARE).split("## Quantitative analyses")[1]
    shown = re.findall(r"^\| ([^|]+?)(?: \(stated[^|]*)? \| \d[^|]* \|$", card, re.MULTILINE)
    overall = [title for section in ("performance", "calibration", "opinions", "sets") for title in titles[section]]
    assert shown == [*overall, "accuracy over all changes of robustness"]
    assert f"| class | {' | '.join(titles['class'])} |" in card


def test_templates_name_no_figure_that_the_table_lacks():
    folder = Path(pages.__file__).parent / "templates"
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()))
    named = {name for name in re.findall(r'judged ~ "_(\w+)"', text) if not name.endswith("_")}
    assert "error_groups" in named
    assert named <= set(METRICS)


MADE_UP = {
    "made_up": Metric(
        "made up <one>",
        "half the accuracy",
        Number(lambda draw: draw.average(draw.outcome.hits) / 2),
        is_primary=True,
        can_promote=True,
    ),
    "made_up_*": Metric(
        "made up for each",
        "its share of the images",
        Share(lambda outcome: [Hits(outcome.truth == number, outcome.every) for number in range(outcome.classes)]),
        "class",
    ),
    "calibrated_made_up": Metric(
        "made up, calibrated", "a third", Number(lambda draw: draw.average(draw.outcome.hits) / 3), "calibration"
    ),
    "set_made_up": Metric("made-up sets", "a fourth", Number(lambda draw: draw.average(draw.outcome.hits) / 4), "sets"),
}


@pytest.fixture
def made_up(monkeypatch):
    for name, metric in MADE_UP.items():
        monkeypatch.setitem(METRICS, name, metric)


def test_a_new_row_of_the_table_is_on_page_and_card_and_in_the_documentation(made_up, result, data):
    figures = result["metrics"]
    estimates = {
        name: f"{figures[name]:.3f} ({figures[f'{name}_low']:.3f} to {figures[f'{name}_high']:.3f})"
        for name in ("test_made_up", "test_made_up_early", "test_calibrated_made_up", "test_set_made_up")
    }
    words = " ".join(Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words.split())
    card = pages.render_card(result, data, KNOWN, SOFTWARE)
    assert f"test made up <one> {estimates['test_made_up'].split()[0]} " in words
    assert f" made up <one> {figures['train_made_up']:.3f} {figures['validation_made_up']:.3f} " in words
    assert f"made up <one> {estimates['test_made_up']} {estimates['test_calibrated_made_up']}" in words
    assert f"made-up sets {estimates['test_set_made_up']}" in words
    assert all(estimate in words and estimate in card for estimate in estimates.values())
    assert f"| made up, calibrated | {estimates['test_calibrated_made_up']} |" in card
    assert "made up for each" in words
    assert "| made up for each |" in card
    assert "| `made_up` | made up <one> | half the accuracy | 0 to 1 | 1 | other |  | yes |" in write_table(
        ["performance"]
    )


def test_a_metric_that_is_younger_than_a_result_is_left_out_of_its_page(result, data, monkeypatch):
    monkeypatch.setitem(METRICS, "made_up", replace(MADE_UP["made_up"], is_primary=False))
    words = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    assert "made up <one>" in words
    assert "undefined" not in words
    assert "made up" not in pages.render_card(result, data, KNOWN, SOFTWARE)


def test_figures_have_their_intervals_and_what_is_undefined_is_said_so(result, data):
    result["metrics"] |= {"test_auc": 0.75, "test_auc_low": 0.7, "test_auc_high": 0.81, "test_coverage": None}
    words = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    assert "0.750 (0.700 to 0.810)" in words
    assert "share of images with an opinion undefined" in words


@pytest.mark.parametrize(("groups", "warned"), [(9.0, True), (10.0, False)])
def test_errors_in_few_groups_are_warned_of(result, data, groups, warned):
    result["metrics"]["test_error_groups"] = groups
    page = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    card = " ".join(pages.render_card(result, data, KNOWN, SOFTWARE).split())
    assert f"There are 24 groups, {groups:.0f} of them with an error." in page
    assert f"24 groups, {groups:.0f} with an error." in card
    assert ("With fewer than 10, bootstrap intervals are rough" in page) is warned


def test_page_and_card_name_the_level_and_the_method_of_intervals(result, data):
    for text in (
        pages.render_model(result, data, KNOWN, SOFTWARE),
        pages.render_card(result, data, KNOWN, SOFTWARE),
    ):
        words = " ".join(text.split())
        assert "In brackets: 95 % confidence intervals, from a beta-binomial posterior by groups" in words
        assert "a BCa bootstrap of whole groups" in words


def test_what_stain_colour_alone_reaches_stands_beside_the_figures(page, result, data):
    assert "stain colour alone reaches 0.876 (0.812 to 0.934), with a forest" in page.words
    card = pages.render_card(result, data, KNOWN, SOFTWARE, WORTH)
    assert "reaches 0.876 (0.812 to 0.934)" in card


def test_images_that_are_not_those_of_the_data_sheet_are_told_in_page_and_card(result, data):
    for as_expected, told in ((False, True), (True, False), (None, False)):
        facts = data | {"as_expected": as_expected}
        page = Page(pages.render_model(result, facts, KNOWN, SOFTWARE)).words
        card = pages.render_card(result, facts, KNOWN, SOFTWARE)
        assert all(("Not all of these images are those described" in text) is told for text in (page, card))


def test_provenance_is_that_of_the_training(result, data):
    later = SOFTWARE | {"keras": "4", "commit": "c0ffee"}
    page = Page(pages.render_model(result, data, KNOWN, later)).words
    assert "keras 3 " in page
    assert "Software that was different when this report was written: commit c0ffee keras 4 " in page
    assert "Keras 3, seed 1" in pages.render_card(result, data, KNOWN, later)
    same = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    assert "Software that was different" not in same
    del result["training"]["provenance"]
    assert "was not recorded" in Page(pages.render_model(result, data, KNOWN, later)).words
    assert "was not recorded" in pages.render_card(result, data, KNOWN, later)


def test_that_a_classifier_always_abstains_is_said(result, data):
    result["calibration"] |= {"threshold": 1.001, "error_bound": None}
    words = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    assert "No error rate can be promised." in words
    assert "that takes 29 groups of them without an error" in words
    assert "The classifier abstains on every image." in words
    assert "No error rate of opinions can be promised" in pages.render_card(result, data, KNOWN, SOFTWARE)
    result["calibration"]["threshold"] = 0.7
    words = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    assert "Opinions are given all the same, as configured: from a confidence of 0.700" in words


def test_a_promise_says_what_it_is_of(result, data):
    words = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    assert "Promise: at most 0.100 of the opinions are wrong." in words
    assert (
        "show, with 95 % confidence, an error rate of at most 0.080 for opinions with a calibrated confidence of "
        "0.800 or more" in words
    )
    assert "Such promises hold for images like the validation images." in words


def test_sets_are_shown_under_the_strictest_split_too(result, data):
    result["strictest"] = {"unit": "appearance", "images": 80, "groups": 11, "present": False, "set_coverage": 0.48}
    result["strictest"] |= {"set_coverage_low": 0.31, "set_coverage_high": 0.66, "set_empty": 0.2, "set_size": 1.1}
    words = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    assert "under the strictest split evaluated" in words
    assert "0.480 (0.310 to 0.660)" in words
    assert "The promise holds for images like the validation images. A set may be empty" in words


@pytest.mark.parametrize(("auc", "missed"), [(0.79, True), (0.8, False)])
def test_outliers_that_are_not_recognised_are_told_in_page_and_card(result, data, auc, missed):
    result["outliers"] = [{"kind": "no_cells", "images": 12, "unlike": 0.1, "auc": auc}]
    result["outliers"] += [{"kind": "blurred", "images": 12, "unlike": 1.0, "auc": 1.0}]
    text = pages.render_model(result, data, KNOWN, SOFTWARE)
    card = pages.render_card(result, data, KNOWN, SOFTWARE)
    words = f"Fields without cells are not recognised as unlike the training images (AUC {auc:.2f}, below 0.8)"
    assert (f'<p class="note">{words}' in text) is missed
    assert (f"\n**{words}" in card) is missed
    assert "Fields out of focus are not" not in text + card
    assert "whose out-of-distribution score is above 0.300" in Page(text).words


def test_a_limit_that_nothing_exceeds_is_told_in_page_and_card(result, data):
    result["calibration"]["ood_limit"] = choose_limit(np.zeros(18), 0.05)
    json.dumps(result["calibration"], allow_nan=False)
    text = pages.render_model(result, data, KNOWN, SOFTWARE)
    assert '<p class="note">No field at all is flagged as unlike the training images' in text
    assert "whose out-of-distribution score is above" not in Page(text).words
    assert "\n**No field at all is flagged" in pages.render_card(result, data, KNOWN, SOFTWARE)


def test_images_in_no_split_are_counted_where_images_flow(data, splits, result):
    assert "in no split" not in pages.render_model(result, data, KNOWN, SOFTWARE)
    fewer = data | {"in_no_split": 12}
    assert "12 accepted images are in no split" in Page(pages.render_model(result, fewer, KNOWN, SOFTWARE)).words


def test_the_data_sheet_counts_images_in_no_split(data, splits):
    manifest = splits.assign(
        sha256="0", width=8, height=8, mode="RGB", bytes=1, status="accepted", reason=None, drawn=False
    )
    report = pd.DataFrame({"label": ["total"], "found": [160], "expected": pd.array([None], "Int64")})
    args = manifest.assign(duplicate_kind=None), report
    assert data_sheet.describe_data(*args, splits, "series")["in_no_split"] == 0
    assert data_sheet.describe_data(*args, splits.iloc[7:], "series")["in_no_split"] == 7


TRIPOD_SUBITEMS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab"}
TRIPOD_SUBITEMS |= {27: "abc"}
STARD_SUBITEMS = {15: "abcd", 16: "abc", 17: "ab", 26: "ab", 40: "ab"}


@pytest.mark.parametrize(
    ("name", "items", "last", "subitems", "rows"),
    [
        ("CLAIM 2024", CLAIM, 44, {}, 44),
        ("TRIPOD+AI", TRIPOD_AI, 27, TRIPOD_SUBITEMS, 52),
        ("STARD-AI", STARD_AI, 40, STARD_SUBITEMS, 48),
    ],
)
def test_every_item_of_the_guidelines_is_there_once(page, name, items, last, subitems, rows):
    expected = [(number, letter.strip()) for number in range(1, last + 1) for letter in subitems.get(number, " ")]
    assert len(expected) == rows
    assert f"{name} item topic section note" in page.words
    assert [one for item in items for one in spell_out(item.number)] == expected


@pytest.fixture
def external(result, data) -> str:
    """The page of the same classifier on images of another source."""
    judged = {name.replace("test_", "external_"): value for name, value in result["metrics"].items()}
    elsewhere = {"split": "external", "splits": ["external"], "metrics": judged, "history": [], "robustness": []}
    undivided = {name: value for name, value in data.items() if name not in ("splits", "splits_fingerprint")}
    undivided |= {"grouping_unit": None}
    return pages.render_model(result | elsewhere | {"outliers": []}, undivided, KNOWN, SOFTWARE)


def test_a_page_has_whatever_it_claims_to_have_of_the_guidelines(result, data, external):
    text = pages.render_model(result, data, KNOWN, SOFTWARE, WORTH)
    here, there = (read_sections(page) for page in (text, external))
    missing = [(name, row) for name, items in GUIDELINES.items() for row in locate(items, here, KNOWN) if row.missing]
    assert [(name, row.number) for name, row in missing] == [("CLAIM 2024", "33")]
    on_external_images = {row.number: row.section for row in locate(CLAIM, there, KNOWN)}
    assert on_external_images["33"] == "performance"
    assert on_external_images["19, 20"] == on_external_images["30"] == on_external_images["32"] == ""
    assert "assignment to partitions, and its level not on this page; see the report on the test images" in (
        Page(external).words
    )


def test_what_a_page_no_longer_has_is_not_claimed(result, data):
    for name in ("class_balance", "optimizer", "final_weights"):
        del result["training"][name]
    words = Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    for row in (
        "13 class imbalance",
        "25 training",
        "26 choice of the final model",
        "12c type and building of the model",
    ):
        assert f"{row} not on this page" in words


@pytest.mark.parametrize(
    ("field", "heading", "rows"),
    [
        ("demographics", "age, sex and ethnicity", ["36 demographic and clinical characteristics Patients"]),
        ("sites", "sites", ["6a setting Patients"]),
        ("readers", "readers and their agreement", ["18 variability between and within raters Patients"]),
        ("prevalence", "prevalence", ["28 whether the data represent the intended population Patients"]),
        ("eligibility", "eligibility", ["6b eligibility Patients"]),
        ("course", "course and treatment", ["6c treatments Patients"]),
        ("sample_size", "sample size", ["21 intended sample size Data sheet"]),
        ("dates", "dates", ["5b dates of the data Data sheet"]),
        ("blinding", "blinding", ["8c blinding Data sheet"]),
    ],
)
def test_the_users_own_facts_stand_in_for_what_is_not_stated(result, data, field, heading, rows):
    own = sources.describe(DataSheetOptions(**{field: "as we know"}).model_dump(), OTHERS)
    before, after = (Page(pages.render_model(result, data, known, SOFTWARE)).words for known in (KNOWN, own))
    assert f"{heading} not stated" in before
    assert f"{heading} as we know" in after
    assert f"{heading} not stated" not in after
    for row in rows:
        assert f"{row} not stated" in before
        assert f"{row} not stated" not in after
        assert row in after


def test_patients_of_the_users_table_are_told(result, data):
    told = "no table of patients was given"
    assert told in Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    by_table = data | {"by_patient_table": True}
    page, card = (write(result, by_table, KNOWN, SOFTWARE) for write in (pages.render_model, pages.render_card))
    assert told not in Page(page).words
    for text in (Page(page).words, " ".join(card.split())):
        assert "kept apart by the user's table of groups" in text


@pytest.mark.parametrize(
    ("drawn", "words"), [(160, "Leukoscope drew all 160 images"), (3, "Leukoscope drew 3 of the 160 images"), (0, None)]
)
def test_pages_of_drawn_data_say_so_first(result, data, drawn, words):
    facts = data | {"origin": Origin(160, drawn=drawn)._asdict()}
    for text in (pages.render_model(result, facts, KNOWN, SOFTWARE), compare(result, facts)):
        header = text.split("<header>")[1].split("</header>")[0]
        assert ("Drawn data: " in text.split("</title>")[0].split("<title>")[1]) is (words is not None)
        assert ('<p class="drawn" role="note">' in header) is (words is not None)
        assert words is None or words in header.split("<h1>")[0]
    card = pages.render_card(result, facts, KNOWN, SOFTWARE)
    assert ("> **Drawn data: " in card.split("## ")[0]) is (words is not None)
    assert words is None or words in card.split("## ")[0]


def test_a_page_on_other_images_says_that_its_classifier_learned_from_drawn_ones(result, data):
    result |= {"split": "external", "splits": ["external"], "history": [], "robustness": []}
    result["metrics"] = {name.replace("test_", "external_"): value for name, value in result["metrics"].items()}
    result["summary"] |= {"drawn_images": 160}
    header = pages.render_model(result, data, KNOWN, SOFTWARE).split("<header>")[1].split("<h1>")[0]
    assert (
        "Trained on drawn data: Leukoscope drew all 160 images of the data that the classifier learned from" in header
    )
    assert "Drawn data" not in header


def test_without_published_figures_a_page_does_not_speak_of_them(result, data):
    shown = "published study"
    assert shown in Page(pages.render_model(result, data, KNOWN, SOFTWARE)).words
    assert shown in Page(compare(result, data)).words
    hidden = sources.hide_published(result)
    assert shown not in Page(pages.render_model(hidden, data, KNOWN, SOFTWARE)).words
    page = Page(compare(hidden, data, lambda table: table.filter(regex="^(?!report_)"))).words
    assert shown not in page
    assert "report test accuracy" not in page


def spell_out(number: str) -> list[tuple[int, str]]:
    """Take "14-16", "1, 2", "12a-c" and "12f, g" apart."""
    whole, letters = re.fullmatch(r"(\d+)([a-g].*)?|.*", number).groups()
    if whole is None:
        first, last = (int(one) for one in re.split(r", |-", number))
        return [(one, "") for one in range(first, last + 1)]
    ends = re.findall(r"[a-g]", letters or "")
    return [(int(whole), chr(one)) for one in range(ord(ends[0]), ord(ends[-1]) + 1)] if ends else [(int(whole), "")]


def test_the_card_has_the_sections_of_a_model_card(result, data):
    card = pages.render_card(result, data, KNOWN, SOFTWARE, WORTH)
    assert re.findall(r"^## (.*)$", card, re.MULTILINE) == [
        "Model details",
        "Intended use",
        "Factors",
        "Evaluation data",
        "Training data",
        "Metrics",
        "Quantitative analyses",
        "What these figures are worth",
        "Ethical considerations",
        "Caveats and recommendations",
    ]
    assert "Colour reaches 0.99." in card
    low, high = proportion_confint(20, 24, 0.05, method="jeffreys")
    assert f"| accuracy | 0.833 ({low:.3f} to {high:.3f}) |" in card
    assert "Our <smears>" in card


def compare(result, data, select=lambda table: table, doubts=None, **pairs) -> str:
    """Render the comparison of two models."""
    row = {"model": "vgg16", "title": "VGG16", "test_accuracy": 0.75, "test_images": 24, "parameters": 2e6}
    columns = ["train_accuracy", "test_macro_f1", "test_auc", "test_robust_accuracy", "model_mib", "seconds_per_epoch"]
    columns += ["epochs", "input_size", "precision"]
    columns += [f"test_{name}_{end}" for name in ("accuracy", "macro_f1", "auc") for end in ("low", "high")]
    columns += [f"report_{name}" for name in ("train_accuracy", "test_accuracy", "seconds_per_epoch")]
    comparison = pd.DataFrame([dict.fromkeys(columns, 0.5) | row, dict.fromkeys(columns, 0.6) | row])
    comparison.loc[1, ["model", "title"]] = ["resnet50", "ResNet50"]
    comparison["report_seconds_per_epoch"] = np.nan
    tests = dict.fromkeys(("low", "high", "group_p", "group_p_holm", "mcnemar_p", "mcnemar_p_holm"), 0.01)
    pair = {"first": "vgg16", "second": "resnet50", "difference": 0.1, "shown": True} | tests
    alike = pair | {"second": "colour_histogram", "difference": 0.0, "low": np.nan, "high": np.nan, "shown": False}
    pair, alike = (row | pairs for row in (pair, alike))
    both = [result, result | {"title": "ResNet50", "model": "resnet50"}]
    facts = data, KNOWN, SOFTWARE | {"keras": "4"}, WORTH, ["VGG19"]
    tables = select(comparison), pd.DataFrame([pair, alike])
    return pages.render_comparison(*tables, both, *facts, doubts=doubts, frame=FRAME)


def test_the_comparison_has_every_model_and_which_differences_are_shown(result, data):
    text = compare(result, data)
    page = Page(text)
    assert "VGG16 minus ResNet50 0.100 (0.010 to 0.010)" in page.words
    assert "Differences from stain colour alone" in page.words
    assert "VGG16 minus stain colour alone 0.000 0.010" in page.words
    assert "Left out, because their results are on other splits: VGG19." in page.words
    assert "24 test images in 24 groups" in page.words
    assert (
        "A difference is shown if the p of its permutation test by groups stays below the significance level"
        in page.words
    )
    assert "ResNet50 was trained with different software: leukoscope" in page.words
    assert page.words.count("ALARM") == 1
    assert page.anchors <= set(page.ids)
    assert page.loaded == []
    assert "27b interaction and expertise of users Intended use" in page.words
    assert "25 training not on this page; see the report of each model" in page.words
    assert 'href="vgg16/report.html"' in text


def test_the_comparison_says_once_that_the_last_study_no_longer_fits(result, data):
    assert "The last study" not in Page(compare(result, data)).words
    changed = Page(compare(result, data, changed="the recipe of vgg16")).words
    assert changed.count("The last study does not say which differences are real here") == 1
    assert "no longer the same: the recipe of vgg16" in changed


def test_the_comparison_summarises_doubtful_labels_and_what_reviewers_said(result, data):
    assert "These images have not been checked for wrong labels" in Page(compare(result, data)).words
    facts = {"path": "p", "group": "g", "probability_label": 0.1, "probability_suggested": 0.8, "data": "f00d"}
    rows = [("a", "Early", "Pro"), ("b", "Early", "Pro"), ("c", "Pro", "<Pre>")]
    issues = pd.DataFrame([{"image_id": a, "sha256": a, "label": b, "suggested": c} | facts for a, b, c in rows])
    verdicts = [("a", "Early", "wrong"), ("c", "Pro", "wrong"), ("a", "Early", "right"), ("old", "Pro", "?")]
    reviews = pd.DataFrame([{"sha256": a, "label": b, "verdict": f"label {c}"} for a, b, c in verdicts])
    text = compare(result, data, doubts=summarise(issues, reviews, "f00d"))
    words = Page(text).words
    assert "3 labels are contradicted by models that have not seen the image" in words
    assert "Reviewers have checked 2 of them: label right 1, label wrong 1." in words
    assert "Early Pro 2" in words
    assert "a Early Pro 0.100 label right" in words
    assert 'href="label_issues.csv"' in text
    assert "&lt;Pre&gt;" in text
    assert (
        "No reviewer has checked them yet" in Page(compare(result, data, doubts=summarise(issues, None, "f00d"))).words
    )
    assert "No label is contradicted" in Page(compare(result, data, doubts=summarise(issues[:0], None, "f00d"))).words


@pytest.mark.parametrize("issues", [None, pd.DataFrame({"label": ["a"]}), pd.DataFrame({"data": ["other"]})])
def test_doubtful_labels_of_other_images_or_an_earlier_version_are_not_summarised(issues):
    assert summarise(issues, None, "f00d") is None


def test_the_data_sheet_counts_what_was_left_out(data):
    assert (data["found"], data["accepted"]) == (162, 160)
    assert data["quarantined"] == {"empty file": 1, "damaged": 1}
    assert data["as_expected"] is True
    assert data["splits"]["train"] == {
        "images": 112,
        "groups": 112,
        "classes": {"Benign": 28, "Early": 28, "Pre": 28, "Pro": 28},
    }


def judge_classes(class_names, benign, rng) -> dict:
    """Evaluate predictions of some classes, of which three of four are right."""
    truth = np.tile(np.arange(len(class_names)), 40)
    probabilities = np.full((len(truth), len(class_names)), 0.1)
    right = np.where(rng.random(len(truth)) < 0.75, truth, (truth + 1) % len(class_names))
    probabilities[np.arange(len(truth)), right] += rng.random(len(truth))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    ids = [str(number) for number in range(len(truth))]
    facts = pd.DataFrame({"image_id": ids, "split": "test", "label": np.array(class_names)[truth]})
    predictions = facts.join(tabulate_probabilities(probabilities, class_names))
    opinions = predictions.assign(reason="")
    learned = calibrate(truth, probabilities, np.zeros(len(truth)), np.arange(len(truth)), benign, Targets(0.1))
    how = Scoring(class_names, [class_names[number] for number in benign], 0.1)
    figures = Judge(how, learned, 20, 0.95, seed=1).judge(predictions, opinions, "test", facts["image_id"])
    shown = results.trace_curves(predictions, opinions, "test", class_names)
    shown |= {"class_names": class_names, "splits": ["test"], "failures": [], "errors": []}
    return shown | {
        "metrics": {f"test_{name}": value for name, value in figures.items()},
        "benign_class": how.benign[0],
    }


def test_pages_of_two_classes_say_nothing_twice(result, data, rng):
    two = result | judge_classes(["Benign", "Malignant"], [0], rng)
    metrics = two["metrics"]
    assert metrics["test_specificity_benign"] == metrics["test_sensitivity_malignant"]
    assert metrics["test_screening_auc"] == pytest.approx(metrics["test_auc"])
    words = Page(pages.render_model(two, data, KNOWN, SOFTWARE, WORTH)).words
    assert "class support sensitivity precision F1 AUPRC set coverage Benign 40 " in words
    assert "screening specificity" in words
    assert "screening AUC" not in words
    assert "One class against the other" in words
    assert list(results.select_curves(two)) == ["Malignant"]
    card = pages.render_card(two, data, KNOWN, SOFTWARE, WORTH)
    assert "| class | support | sensitivity | precision | F1 | AUPRC | set coverage |" in card
    assert re.search(r"^\| Malignant \| 40 \| 0\.\d+ \(.*\) \|$", card, re.MULTILINE)


ODD = ["Benign", "[Malignant] Pre-B", "100 % & <q>", "$a$ _x_", "_良性_", "2024"]


@pytest.mark.usefixtures("_drawn")
def test_pages_and_cards_show_names_of_any_letters_as_they_are(result, data, rng):
    odd = result | judge_classes(ODD, [0, 4], rng)
    page = pages.render_model(odd, data, KNOWN, SOFTWARE, WORTH)
    words = Page(page).words
    assert ", ".join(ODD) in words
    assert "screening AUC" in words
    for name in ODD:
        assert f"{name} 40 " in words
    assert "<q>" not in page
    matrix = page.split('aria-label="Confusion matrix"')[1].split("</svg>")[0]
    assert [matrix.count(f">{html.escape(name, quote=False)}</text>") for name in ODD] == [2] * len(ODD)
    card = pages.render_card(odd, data, KNOWN, SOFTWARE, WORTH)
    shown = MarkdownIt().enable("table").render(card)
    for name in ODD:
        assert f"<td>{html.escape(name)}</td>\n<td>40</td>\n<td>0." in shown


def test_a_model_without_epochs_is_told_in_its_own_words(result, data):
    training = {"epochs": None, "seconds_per_epoch": None, "description": "5 nearest neighbours, on 66 measurements"}
    training |= {"backend": "scikit-learn", "input_size": 48, "device": "CPU x2", "parameters": 900}
    training |= {"weights": "none", "splits": "a", "provenance": SOFTWARE}
    own = result | {"history": [], "training": training}
    page = Page(pages.render_model(own, data, KNOWN, SOFTWARE, WORTH))
    card = pages.render_card(own, data, KNOWN, SOFTWARE, WORTH)
    for words in (page.words, card):
        assert "5 nearest neighbours, on 66 measurements" in words
        for others in ("epochs", "random weights", "softmax", "global average pooling"):
            assert others not in words
    assert "06_models/vgg16/model as plain files" in page.words


def test_that_a_network_normalises_colours_is_said_wherever_it_is_judged(result, data):
    own = result | {"training": result["training"] | {"normalisation": "macenko"}}
    words = Page(pages.render_model(own, data, KNOWN, SOFTWARE, WORTH)).words
    assert "; colours normalised inside the network by the two dyes of Macenko et al. 2009." in words
    assert "give each image the average colours of the training images" in words
    assert "by the two dyes of Macenko" in pages.render_card(own, data, KNOWN, SOFTWARE, WORTH)
    assert "Colours are normalised inside the network" in Page(compare(own, data)).words
    assert "normalised" not in pages.render_card(result, data, KNOWN, SOFTWARE, WORTH)
    assert name_normaliser({"normalisation": "reinhard"}) == "the mean and deviation of Reinhard et al. 2001"
    assert name_normaliser({"normalisation": "none"}) is name_normaliser({}) is None


def test_a_vote_is_held_against_its_best_member(result, data):
    training = {"epochs": None, "seconds_per_epoch": None, "description": "ensemble of vgg16, vgg19", "weights": "none"}
    training |= {"backend": "scikit-learn", "input_size": 48, "device": "CPU", "parameters": 9, "splits": "a"}
    member = {"weight": 0.75, "validation_accuracy": 0.9, "test_accuracy": 0.8}
    vote = {"members": {"vgg16": member}, "best": "vgg16", "difference": 0.012, "low": -0.01, "high": 0.03, "p": 0.2}
    own = result | {"history": [], "title": "My vote", "training": training, "vote": vote | {"shown": False}}
    page = Page(pages.render_model(own, data, KNOWN, SOFTWARE, WORTH))
    for words in (
        "vgg16 0.750 0.900 0.800",
        "My vote minus vgg16, the member with the best validation accuracy: 0.012 (-0.010 to 0.030) in accuracy",
        "p by groups 0.200: no difference is shown",
    ):
        assert words in page.words


def test_a_page_begins_with_what_it_is_of_one_sentence_links_and_one_picture(result, data):
    pair = {"first": "vgg16", "second": "colour_histogram", "low": -0.1, "high": 0.2, "shown": False}
    pair |= dict.fromkeys(("group_p", "group_p_holm", "mcnemar_p", "mcnemar_p_holm"), 0.25)
    pair |= {"difference": result["metrics"]["test_accuracy"] - BASELINE["accuracy"], "only_first": 3, "only_second": 4}
    table = pd.DataFrame([pair])
    text = pages.render_model(result, data, KNOWN, SOFTWARE, WORTH, differences=table, frame=FRAME)
    head, rest = text.split("<details", 1)
    words = " ".join(Page(head).words.split()).split(" - Leukoscope VGG16 ")[1]
    low, high = (f"{result['metrics'][f'test_accuracy_{end}']:.3f}" for end in ("low", "high"))
    assert words.startswith(
        "Our <smears> · real smears · written 2026-01-02 · environment demo Accuracy 0.833 (95 % interval "
        f"{low} to {high}) on 24 test images: not shown to be better than stain colour alone (0.876 on the same "
        "images); the audit raises an alarm: predictors that see no cell do well on these images. "
        "Models compared Audit Published figures "
    )
    assert re.findall(r'<a href="(\.\.[^"]+)"', head) == [
        "../comparison.html",
        "../comparison.html#audit",
        "../literature.html",
    ]
    small = re.findall(r'class="plot small" role="img" aria-label="[^"]+"><svg>(\w+)</svg>', head)
    assert small == ["glance_learning", "glance_confusion", "glance_reliability"]
    assert head.count("<img ") == 3
    tested = Page(rest).words
    difference = f"{pair['difference']:.3f} (-0.100 to 0.200) in accuracy; p by groups 0.250"
    assert f"VGG16 minus stain colour alone: {difference}" in tested
    assert "Only the model is right on 3 images, only stain colour on 4." in tested


def test_what_is_longer_is_folded_and_needs_no_script(result, data):
    for text in (render(result, data), compare(result, data)):
        without = re.sub(r"<details class=\"fold\">.*?</section>\n</details>", "", text, flags=re.DOTALL)
        assert "<table" not in without
        assert "<h2" not in without
        assert len(Page(without).words.split()) < 160
        assert "details::details-content { content-visibility: visible" in text


def test_tables_that_scroll_can_be_reached_by_the_keyboard_and_have_names(result, data):
    for text in (render(result, data), compare(result, data)):
        boxes = re.findall(r'<div class="(?:scroll|numbers)"([^>]*)>', text)
        names = [re.fullmatch(r' tabindex="0" role="region" aria-label="(.+)"', facts)[1] for facts in boxes]
        assert len(names) == len(set(names)) > 4
        assert len(re.findall(r"<table", text)) <= len(names) + 1


def test_the_comparison_links_to_each_page_that_is_there_and_shows_each_model_small(result, data):
    text = compare(result, data)
    head = text.split("<details", 1)[0]
    assert re.findall(r'<a href="([^"#]+)"', head) == ["literature.html", "vgg16/report.html", "resnet50/report.html"]
    assert "The best of 2 models, VGG16, has" in " ".join(Page(head).words.split())
    assert "<svg>overview</svg>" in head
    part = text.split('id="models"')[1].split("</details>")[0]
    assert re.findall(r"<svg>([\w-]+)</svg>", part) == [
        f"{kind}-{model}" for model in ("vgg16", "resnet50") for kind in ("learning", "confusion")
    ]


def test_terms_lead_to_the_one_glossary(result, data):
    for text in (render(result, data), compare(result, data)):
        linked = set(re.findall(r'href="#(term-[\w-]+)"', text))
        described = set(re.findall(r'aria-describedby="([\w-]+)"', text))
        assert {"term-accuracy", "term-baseline"} <= linked
        assert linked | described <= set(Page(text).ids)


@pytest.fixture
def sheet():
    """A page of the width of a phone in a browser without scripts."""
    with open_browser() as browser:
        context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
        yield context.new_page()


@needs_browser[0]
@needs_browser[1]
@pytest.mark.slow
@pytest.mark.usefixtures("_drawn")
def test_on_a_phone_and_on_paper_all_is_there_without_a_script(result, data, sheet, tmp_path):
    for write in (render, compare):
        path = tmp_path / "page.html"
        path.write_text(write(result, data), encoding="utf-8")
        sheet.goto(path.as_uri())
        table = sheet.locator("#performance table").first
        assert sheet.locator("html").bounding_box()["width"] == 390
        assert not table.is_visible()
        sheet.emulate_media(media="print")
        assert table.is_visible()
        sheet.emulate_media(media="screen")
        sheet.goto(f"{path.as_uri()}#performance")
        assert table.is_visible()


@pytest.mark.parametrize("name", ["comparison", "literature", "model", "monitoring", "readers", "search", "study"])
def test_a_template_fills_no_block_that_no_page_shows(name):
    environment = page_environment()
    blocks = {kind: set(environment.get_template(f"{kind}.html").blocks) for kind in (name, "base")}
    assert blocks[name] <= blocks["base"]


@pytest.mark.parametrize("name", sorted(page_environment().list_templates(extensions=["html"])))
def test_what_scrolls_is_reached_by_keyboard(name):
    source = page_environment().loader.get_source(page_environment(), name)[0]
    assert '<div class="scroll">' not in source
