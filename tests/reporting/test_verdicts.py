import pandas as pd
import pytest

from leukoscope.audit.baseline import COLOUR_BASELINE
from leukoscope.reporting.verdicts import (
    find_colour_pair,
    judge_comparison,
    judge_literature,
    judge_model,
    judge_readers,
    judge_search,
    judge_study,
)

BLIND = {"accuracy": 0.51, "low": 0.4, "high": 0.6}
PAIR = {"difference": 0.1, "shown": True}
RESULT = {
    "split": "test",
    "confidence": 0.95,
    "metrics": {"test_accuracy": 0.61, "test_accuracy_low": 0.5, "test_accuracy_high": 0.7, "test_images": 96.0},
}


@pytest.mark.parametrize(
    ("pair", "blind", "words"),
    [
        (PAIR, BLIND, "shown to be better than stain colour alone (0.510 on the same images)."),
        (PAIR | {"difference": -0.1}, BLIND, "shown to be worse than stain colour alone (0.510 on the same images)."),
        (PAIR | {"shown": False}, BLIND, "not shown to be better than stain colour alone (0.510 on the same images)."),
        (None, None, "whether that is better than stain colour alone was not tested."),
    ],
)
def test_a_model_is_held_against_stain_colour_in_one_sentence(pair, blind, words):
    sentence = judge_model(RESULT, pair, blind, None)
    assert sentence == f"Accuracy 0.610 (95 % interval 0.500 to 0.700) on 96 test images: {words}"


def test_an_alarm_of_the_audit_is_told_and_no_alarm_is_not():
    assert judge_model(RESULT, PAIR, BLIND, "ALARM: told apart.\nx").count("the audit raises an alarm") == 1
    assert "a warning" in judge_model(RESULT, PAIR, BLIND, "WARNING: a program")
    assert "audit" not in judge_model(RESULT, PAIR, BLIND, "No alarm: nothing")


def test_on_other_images_nothing_is_said_of_stain_colour():
    metrics = {"external_accuracy": 0.4, "external_images": 12.0}
    sentence = judge_model(RESULT | {"split": "external", "metrics": metrics}, None, None, None)
    assert sentence == "Accuracy 0.400 on 12 external images: stain colour alone was not evaluated on these images."


def table(model="vgg16", difference=0.1):
    row = {"first": model, "second": COLOUR_BASELINE, "difference": difference, "shown": True}
    return pd.DataFrame([row | {"second": "vgg19"}, row])


def test_a_pair_is_of_this_model_and_of_this_training():
    assert find_colour_pair("vgg16", 0.61, table(), BLIND)["second"] == COLOUR_BASELINE
    assert find_colour_pair("vgg16", 0.62, table(), BLIND) is None
    assert find_colour_pair("vgg19", 0.61, table(), BLIND) is None
    for nothing in (None, pd.DataFrame()):
        assert find_colour_pair("vgg16", 0.61, nothing, BLIND) is None
    assert find_colour_pair("vgg16", 0.61, table(), None) is None


def test_the_best_of_several_is_named_and_how_many_are_better():
    rows = [{"model": name, "title": name.upper(), "test_accuracy": value} for name, value in (("a", 0.5), ("b", 0.75))]
    rows = [row | {"test_images": 24} for row in rows]
    sentence = judge_comparison(rows, {"a": None, "b": PAIR}, BLIND, 0.9, None)
    assert sentence == (
        "The best of 2 models, B, has accuracy 0.750 on 24 test images: shown to be better than stain colour alone "
        "(0.510 on the same images); 1 of 2 models is shown to be better."
    )
    assert "shown to be better" not in judge_comparison(rows, {"a": None, "b": None}, None, 0.9, None)
    assert judge_comparison(rows[:1], {}, None, 0.9, None).startswith("The only model, A, has accuracy 0.500 on 24")


def test_published_figures_of_other_images_are_not_held_against_ours():
    ours = {"title": "VGG16", "test_accuracy": 0.61, "to_colour": {}}
    assert judge_literature([ours], 20, 1, None) == (
        "1 of 20 published systems is trained here; the best model, VGG16, has accuracy 0.610, whether that is better "
        "than stain colour alone was not tested; published figures on other images cannot be compared with it."
    )
    assert judge_literature([], 20, 0, BLIND) == "0 of 20 published systems are trained here."


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.01, 0.2), "shown to be better"),
        ((-0.2, -0.01), "shown to be worse"),
        ((-0.1, 0.2), "not shown to be better"),
    ],
)
def test_a_study_goes_by_the_interval_of_the_gain(ends, words):
    gain = {"gain_over_colour": sum(ends) / 2, "gain_over_colour_low": ends[0], "gain_over_colour_high": ends[1]}
    row = {"title": "A", "accuracy": 0.8, "seeds": 3} | gain
    sentence = judge_study([row, row | {"accuracy": float("nan")}], [{"real": True}, {"real": False}], 0.95)
    assert sentence.startswith("The only model, A, has accuracy 0.800 over 3 seeds, ")
    assert f", {words} than stain colour alone (difference " in sentence
    assert sentence.endswith("; 1 of 2 differences between models is real.")


def test_a_study_or_search_without_an_end_says_so():
    assert judge_study([{"title": "A", "accuracy": None}], [], 0.95).startswith("Nothing can be said yet")
    assert judge_search("Validation loss", None, 0).startswith("Nothing can be said yet")
    assert "which is optimistic; no test image was used" in judge_search("Validation loss", 0.5, 4)
    assert "which is best depends on the objective" in judge_search("Validation loss", None, 4)


PHASES = {"blind": "before the opinion was seen", "revised": "after it was seen"}


def describe_readers(difference: tuple[float, float, float] | None, **phases) -> dict:
    ends = dict(zip(("difference", "difference_low", "difference_high"), difference or (0.1, None, None), strict=True))
    aided = [{"figures": [{"figure": "auc"}, {"figure": "class_accuracy", "all_readers": ends}]}]
    return {"all": {"images": 40}, "study": {"phases": phases, "aided": aided if difference else []}}


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (
            (0.1, 0.02, 0.18),
            "the opinion is shown to help them (difference in accuracy 0.100 (interval 0.020 to",
        ),
        ((-0.1, -0.18, -0.02), "the opinion is shown to mislead them (difference in accuracy -0.100 "),
        ((0.1, -0.02, 0.22), "the opinion is not shown to help them (difference in accuracy 0.100 "),
        (None, "whether the opinion helps them was not tested."),
    ],
)
def test_readers_are_judged_by_what_they_said_blind(difference, words):
    facts = {"readers": 3, "fields": 40, "krippendorff_alpha": 0.6}
    facts |= {"krippendorff_alpha_low": 0.5, "krippendorff_alpha_high": 0.7}
    model = describe_readers(difference, revised=facts | {"krippendorff_alpha": 0.9}, blind=facts)
    sentence = judge_readers([model], PHASES, 0.95)
    lead = (
        "Krippendorff's alpha of 3 readers on 40 fields is 0.600 (95 % interval 0.500 to 0.700), before the opinion was"
    )
    assert sentence.startswith(f"{lead} seen; {words}")


def test_of_one_reader_nothing_is_said():
    alone = describe_readers(None, blind={"readers": 1, "fields": 40, "krippendorff_alpha": None})
    assert judge_readers([alone], PHASES, 0.95).startswith("Nothing can be said yet about how far readers agree")
