import io
import json
import re
import warnings
from html import unescape

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from figure_parts import list_words
from leukoscope.core.errors import InputError
from leukoscope.figures import glyphs
from leukoscope.pipelines.agreement.nodes import draw_agreement, measure_agreement, take_consensus, write_agreement
from leukoscope.pipelines.agreement.options import AgreementOptions
from leukoscope.pipelines.evaluation.options import EvaluationOptions
from reader_study import make_study


def make_reviews(pairs, **columns) -> pd.DataFrame:
    """Make one review an image, of what the model and the reviewer say; ``None`` is not assessable."""
    model, reviewer = zip(*pairs, strict=True)
    verdicts = ["not assessable" if two is None else "agree" if one == two else "disagree" for one, two in pairs]
    facts = {
        "sha256": [f"{number:064x}" for number in range(len(pairs))],
        "seen_in": None,
        "model": "vgg16",
        "model_fingerprint": "m1",
        "data": "d1",
        "opinion": model,
        "likeliest": model,
        "verdict": verdicts,
        "reviewer_class": reviewer,
        "reviewer": "AB",
        "reviewed_at": "2026-01-02T10:00:00+00:00",
        "file_name": None,
        "phase": "unblinded",
        "seconds": None,
        "session": None,
        "grade": None,
    }
    return pd.DataFrame(facts | columns)


PAIRS = [("Early", "Early")] * 6 + [("Pre", "Pre")] * 5 + [("Early", "Pre")] * 3 + [("Pro", None)] * 2


def measure(reviews, class_names, manifest=None, splits=None, washout=14, **options) -> dict:
    given = AgreementOptions(**{"resamples": 200} | options), EvaluationOptions(benign_class="Benign"), 3
    return measure_agreement(reviews, manifest, splits, class_names, washout, *given)


def test_figures_are_those_of_the_reviews_that_say_a_class(class_names):
    [model] = measure(make_reviews(PAIRS), class_names)["models"]
    figures = model["all"]
    said = [pair for pair in PAIRS if pair[1]]
    assert (figures["reviews"], figures["images"]) == (16, 16)
    assert figures["not_assessable"] == pytest.approx(2 / 16)
    assert figures["agreement"] == pytest.approx(11 / 14)
    assert figures["cohen_kappa"] == pytest.approx(cohen_kappa_score(*zip(*said, strict=True)))
    assert figures["cohen_kappa_low"] < figures["cohen_kappa"] < figures["cohen_kappa_high"]
    assert figures["confusion"]["Early"] == {"Benign": 0, "Early": 6, "Pre": 3, "Pro": 0}
    assert (model["model"], model["model_fingerprint"], model["reviewers"], model["seen_before"]) == (
        "vgg16",
        "m1",
        1,
        0,
    )


def test_the_same_where_the_model_gave_an_opinion(class_names):
    opinions = ["abstained" if one != two else one for one, two in PAIRS]
    [model] = measure(make_reviews(PAIRS, opinion=opinions), class_names)["models"]
    assert model["with_opinion"]["reviews"] == 11
    assert model["with_opinion"]["agreement"] == 1
    assert model["all"]["reviews"] == 16


def test_the_newest_review_of_an_image_by_a_reviewer_counts(class_names):
    first, second = make_reviews([("Early", "Pre"), ("Pre", "Pre")]), make_reviews([("Early", "Early")])
    other = make_reviews([("Early", "Pro")], reviewer="CD")
    result = measure(pd.concat([first, second, other]), class_names)
    [model] = result["models"]
    assert (result["reviews"], result["superseded"]) == (4, 1)
    assert model["all"]["confusion"]["Early"] == {"Benign": 0, "Early": 1, "Pre": 0, "Pro": 1}
    assert (model["all"]["reviews"], model["all"]["images"], model["reviewers"]) == (3, 2, 2)


def test_each_model_has_figures_of_its_own(class_names):
    both = pd.concat([make_reviews(PAIRS), make_reviews([("Pre", "Pre")], model_fingerprint="m2")])
    result = measure(both, class_names)
    assert [model["model_fingerprint"] for model in result["models"]] == ["m1", "m2"]
    assert [model["all"]["reviews"] for model in result["models"]] == [16, 1]


@pytest.mark.parametrize("pairs", [[("Pro", None)], [("Pre", "Pre")] * 3])
def test_what_is_undefined_is_null(class_names, pairs):
    [model] = measure(make_reviews(pairs), class_names)["models"]
    assert model["all"]["cohen_kappa"] is None
    assert not any(isinstance(one, float) and np.isnan(one) for one in model["all"].values())


def test_a_model_may_abstain_on_every_image(class_names):
    [model] = measure(make_reviews(PAIRS, opinion="abstained"), class_names)["models"]
    assert model["with_opinion"]["reviews"] == 0
    assert model["with_opinion"]["agreement"] is None
    assert model["with_opinion"]["not_assessable"] is None


def test_a_class_that_the_parameters_do_not_name_is_counted_too(class_names):
    [model] = measure(make_reviews([("Late", "Late"), ("Late", "Pre")]), class_names)["models"]
    assert model["all"]["confusion"]["Late"]["Late"] == 1


def test_images_are_counted_that_the_model_had_seen(class_names):
    [model] = measure(make_reviews(PAIRS, seen_in=["train"] + [None] * 15), class_names)["models"]
    assert model["seen_before"] == 1


def read_page(text: str) -> str:
    """Give the words of a page."""
    return unescape(re.sub(r"<[^>]*>", " ", text))


def list_rows(figure) -> list[str]:
    return [words.replace("\n", " ") for words in list_words(figure.axes[0].get_yticklabels())]


@pytest.fixture(scope="module")
def study() -> tuple[dict, pd.DataFrame]:
    reviews, manifest = make_study(3, 12, rounds=2)
    return measure(reviews, ["Benign", "Early", "Pre", "Pro"], manifest.assign(drawn=True), resamples=20), reviews


def test_a_study_of_readers_is_measured_with_its_model(study):
    [model] = study[0]["models"]
    found = model["study"]
    assert (found["unnamed"], list(found["phases"]), len(found["changes"])) == (0, ["blind", "revised"], 3)
    assert len(found["rounds"]) == 6  # both phases of each
    assert found["aided"][0]["readers"] == ["R1", "R2", "R3"]
    json.dumps(study[0], allow_nan=False)


def test_the_page_has_what_was_measured(study):
    page = read_page(write_agreement(study[0], {"leukoscope": "1"}, 3))
    for words in ("Krippendorff's alpha", "R1 and R2", "misled", "sequential design", "Hillis", "drawn", "written 20"):
        assert words in page
    assert "reviewed_labels.csv" in page
    for tie in study[0]["consensus"]["ties"]:
        assert tie["sha256"][:16] in page


def test_the_page_has_a_head_like_others_and_leads_to_them(study):
    page = write_agreement(study[0], {"leukoscope": "1"}, 3, ["comparison.html"], ["vgg16/report.html"])
    assert '<a href="comparison.html">Models compared</a>' in page
    assert '<a href="vgg16/report.html">vgg16</a>' in page
    head = " ".join(read_page(page.partition("<main>")[0]).split())
    assert "12 reviewed fields" in head
    assert "drawn smears" in head
    assert "Krippendorff's alpha of 3 readers on 12 fields is" in head
    assert page.count('<details class="fold">') == 8  # with the glossary
    unknown = study[0] | {"drawn": 0}
    assert "none known to be drawn" in read_page(write_agreement(unknown, {"leukoscope": "1"}, 3))


def test_names_of_readers_are_no_html(study):
    reviews, manifest = make_study(2, 6)
    named = reviews.assign(reviewer=reviews["reviewer"].replace("R1", "<b>x</b>$"))
    found = measure(named, ["Benign", "Early", "Pre", "Pro"], manifest, resamples=20)
    assert "<b>x</b>" not in write_agreement(found, {"leukoscope": "1"}, 3)
    assert draw_agreement(found) is not None


def test_the_figure_has_a_row_for_each_pair_and_reader(study):
    assert {"all readers", "R1 and R2", "R1 and the model"} <= set(list_rows(draw_agreement(study[0])))


def test_a_name_that_no_font_has_is_a_number_with_a_key_in_the_picture_and_itself_on_the_page(monkeypatch):
    monkeypatch.setattr("leukoscope.figures.glyphs._FALLBACKS", ())
    glyphs.list_families.cache_clear()
    reviews, manifest = make_study(2, 6)
    named = reviews.assign(reviewer=reviews["reviewer"].replace({"R1": "\u674e A", "R2": "Zo\u00eb"}))
    found = measure(named, ["Benign", "Early", "Pre", "Pro"], manifest, resamples=20)
    figure = draw_agreement(found)
    assert {"Zo\u00eb and reader 2", "reader 2 and the model", "Zo\u00eb and the model"} <= set(list_rows(figure))
    assert figure.axes[0].get_xlabel() == "agreement beyond chance\nreader 2: <U+674E> A"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Matplotlib warns of each letter that becomes a box
        figure.savefig(io.BytesIO())
    assert "\u674e A and the model" in write_agreement(found, {"leukoscope": "1"}, 3).replace("\n", " ")
    glyphs.list_families.cache_clear()


def test_a_long_name_is_cut_in_the_picture_and_whole_on_the_page():
    reviews, manifest = make_study(2, 6)
    long = "Professor von und zu " + "Sehrlangenau-" * 5
    named = reviews.assign(reviewer=reviews["reviewer"].replace({"R1": long, "R2": '"><script>'}))
    found = measure(named, ["Benign", "Early", "Pre", "Pro"], manifest, resamples=20)
    assert f"{long[:35]}\u2026 and the model" in list_rows(draw_agreement(found))
    page = write_agreement(found, {"leukoscope": "1"}, 3)
    assert f'<td class="name">{long}</td>' in page
    assert '"><script>' not in page
    assert "&gt;&lt;script&gt;</td>" in page


def test_reviews_without_names_have_a_page_too(class_names):
    found = measure(make_reviews(PAIRS, reviewer=""), class_names)
    assert found["models"][0]["study"]["unnamed"] == len(PAIRS)
    page = read_page(write_agreement(found, {"leukoscope": "1"}, 3))
    assert "No reader gave a name" in page
    assert "Nothing can be said yet about how far readers agree" in page
    assert list_rows(draw_agreement(found)) == ["all reviews and the model"]


def test_labels_by_majority_are_a_table_and_ties_are_named(study, caplog):
    labels = take_consensus(study[1], AgreementOptions())
    assert len(labels) == study[0]["consensus"]["labels"]
    assert len([record for record in caplog.records if "tied" in record.message]) == len(study[0]["consensus"]["ties"])


@pytest.mark.parametrize("days", [0, -1, "a week", None, True, float("nan")])
def test_a_washout_that_is_none_is_refused(class_names, days):
    with pytest.raises(InputError, match=r"app\.washout_days is .*Expected the number of days"):
        measure(make_reviews(PAIRS), class_names, washout=days)
