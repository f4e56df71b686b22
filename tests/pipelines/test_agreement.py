import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from leukoscope.pipelines.agreement.nodes import measure_agreement
from leukoscope.pipelines.agreement.options import AgreementOptions


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
    }
    return pd.DataFrame(facts | columns)


PAIRS = [("Early", "Early")] * 6 + [("Pre", "Pre")] * 5 + [("Early", "Pre")] * 3 + [("Pro", None)] * 2


def measure(reviews, class_names, **options) -> dict:
    return measure_agreement(reviews, class_names, AgreementOptions(**{"resamples": 200} | options), 3)


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
