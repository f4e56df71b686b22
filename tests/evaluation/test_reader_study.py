import numpy as np
import pandas as pd
import pytest

from leukoscope.evaluation import aided_reading, mrmc, reader_study
from leukoscope.evaluation.consensus import choose_votes, vote
from leukoscope.evaluation.figures_of_merit import covary_by_jackknife, measure_accuracy
from leukoscope.evaluation.readings import Known, select_readings
from reader_study import CLASSES, make_manifest, make_review, make_study, name_field


def study_of(reviews, manifest=None, splits=None) -> reader_study.Study:
    known, precision = Known.gather(manifest, splits), reader_study.Precision(20, 0.95, 0)
    return reader_study.Study(select_readings(reviews, 14), known, tuple(CLASSES), (0,), precision)


def read(*rows: tuple) -> pd.DataFrame:
    """Make reviews: field, reader, phase, what is said, what the model says, day."""
    return pd.DataFrame(
        [make_review(field, who, said, model, phase=phase, day=day) for field, who, phase, said, model, day in rows]
    )


def test_readers_are_held_against_each_other_the_model_and_labels():
    """Worked out by hand: A and B both read three fields, and agree on two."""
    said = {"A": ["Benign", "Early", "Early", None], "B": ["Benign", "Early", "Pro", "Pro"]}
    model = ["Benign", "Early", "Pro", "Pro"]
    rows = [(field, who, "blind", one, model[field], 0) for who in said for field, one in enumerate(said[who])]
    facts = reader_study.describe_phase(
        study_of(read(*rows), make_manifest(["Benign", "Benign", "Early", "Pro"])), "blind"
    )
    assert (facts["readers"], facts["fields"], facts["read_by_two"]) == (2, 4, 3)
    [pair] = facts["pairs"]
    assert (pair["first"], pair["second"], pair["fields"]) == ("A", "B", 3)
    assert pair["agreement"] == pytest.approx(2 / 3)
    assert pair["cohen_kappa"] == pytest.approx((2 / 3 - 3 / 9) / (1 - 3 / 9))
    one, two = facts["each"]
    assert (one["reviewer"], one["not_assessable"], one["model"]["agreement"]) == ("A", 1, pytest.approx(2 / 3))
    assert two["model"]["cohen_kappa"] == 1
    assert (one["label"]["fields"], one["label"]["accuracy"]) == (3, pytest.approx(2 / 3))
    assert (one["label"]["sensitivity"], one["label"]["specificity"]) == (1, pytest.approx(1 / 2))
    assert (two["label"]["fields"], two["label"]["accuracy"]) == (4, pytest.approx(2 / 4))
    assert reader_study.describe_phase(study_of(read(*rows)), "revised") is None


def test_what_the_opinion_changed_is_counted():
    said = [  # label, model, before, after
        ("Pre", "Pre", "Early", "Pre"),  # towards the model, and right
        ("Pre", "Pro", "Pre", "Pro"),  # misled
        ("Pre", "Pro", "Pre", "Pre"),  # not misled
        ("Pre", "Pro", "Pro", "Pre"),  # away from the model, and right
        ("Pro", "Pro", "Pro", "Early"),  # away, and wrong
        ("Pro", "Pro", None, "Pro"),  # not assessable before
    ]
    rows = [(n, "A", "blind", before, model, 0) for n, (_, model, before, _) in enumerate(said)]
    rows += [(n, "A", "revised", after, model, 0.1) for n, (_, model, _, after) in enumerate(said)]
    [counts] = reader_study.describe_changes(study_of(read(*rows), make_manifest([label for label, *_ in said])))
    assert counts == {
        "reviewer": "A",
        "fields": 5,
        "changed": 4,
        "towards_model": 2,
        "away_from_model": 2,
        "labelled": 5,
        "became_right": 2,
        "became_wrong": 2,
        "misled_of": 2,
        "misled": 1,
        "seconds_before": None,
        "seconds_after": None,
    }


def test_a_reader_is_held_against_itself_between_rounds():
    rows = [(field, "A", "blind", one, "Pre", 0) for field, one in enumerate(["Pre", "Pro", "Pre"])]
    rows += [(field, "A", "blind", one, "Pre", 20) for field, one in enumerate(["Pre", "Pre"])]
    rows += [(0, "B", "blind", "Pre", "Pre", 0), (0, "B", "unblinded", "Pre", "Pre", 20)]
    [row] = reader_study.describe_rounds(study_of(read(*rows)))
    assert (row["reviewer"], row["phase"], row["fields"], row["days"]) == ("A", "blind", 2, 20)
    assert row["agreement"] == pytest.approx(1 / 2)


def test_readers_are_compared_without_and_with_the_opinion():
    """The table is the analysis of what each said before and after, of all that all read."""
    reviews, manifest = make_study(3, 30)
    [row] = aided_reading.describe_aided(study_of(reviews, manifest))
    assert (row["design"], row["readers"], row["left_out"]) == ("sequential", ["R1", "R2", "R3"], [])
    assert (row["fields"], row["groups"], row["graded"]) == (30, 30, True)
    figures = {figure["figure"]: figure for figure in row["figures"]}
    assert list(figures) == ["class_accuracy", "accuracy", "sensitivity", "specificity", "auc"]
    label = manifest["label"].to_numpy()
    hits = np.stack(
        [
            np.stack([own.set_index("sha256").loc[manifest["sha256"], "reviewer_class"] == label for _, own in rows])
            for rows in (reviews[reviews["phase"] == phase].groupby("reviewer") for phase in ("blind", "revised"))
        ]
    )
    everything = np.ones(30, bool)
    covariances = covary_by_jackknife(hits, everything, measure_accuracy, np.arange(30))
    expected = mrmc.compare_for_all_readers(hits.mean(axis=2), mrmc.average_covariances(covariances), 0.95)
    found = figures["class_accuracy"]["all_readers"]
    assert (found["statistic"], found["p"]) == pytest.approx((expected.statistic, expected.p))
    assert found["difference"] == pytest.approx(hits[1].mean() - hits[0].mean())
    assert figures["sensitivity"]["fields"] == (label != "Benign").sum()


def test_a_crossed_design_is_told_from_a_sequential_one():
    reviews, manifest = make_study(2, 20)
    blind = reviews[reviews["phase"] == "blind"]
    later = pd.to_datetime(blind["reviewed_at"]) + pd.Timedelta(days=30)
    aided = blind.assign(
        phase="unblinded", reviewer_class=blind["likeliest"], reviewed_at=later.map(pd.Timestamp.isoformat)
    )
    [row] = aided_reading.describe_aided(study_of(pd.concat([blind, aided], ignore_index=True), manifest))
    assert (row["design"], row["fields"]) == ("crossed", 20)
    # all readers say the same then: nothing varies between them
    assert row["figures"][0]["readers_with"][0] == row["figures"][0]["readers_with"][1]


def test_who_has_just_read_a_field_blind_is_not_in_a_crossed_design():
    """The field of the next day is of the same round; the one of a month later is of another."""
    said = {"A": ["Pre", "Pro"], "B": ["Pre", "Early"]}
    rows = [(field, who, "blind", one, "Pre", 0) for who in said for field, one in enumerate(said[who])]
    rows += [(field, who, "unblinded", "Pre", "Pre", 1) for who in said for field in range(2)]
    assert aided_reading.describe_aided(study_of(read(*rows), make_manifest(["Pre", "Pro"]))) == []
    rows += [(1, who, "unblinded", "Pro", "Pre", 31) for who in said]
    [row] = aided_reading.describe_aided(study_of(read(*rows), make_manifest(["Pre", "Pro"])))
    assert (row["design"], row["fields"]) == ("crossed", 1)


def test_a_reader_who_read_little_is_left_out():
    reviews, manifest = make_study(3, 20)
    little = reviews[(reviews["reviewer"] != "R3") | reviews["sha256"].isin([name_field(0), name_field(1)])]
    [row] = aided_reading.describe_aided(study_of(little, manifest))
    assert (row["readers"], row["left_out"], row["fields"]) == (["R1", "R2"], ["R3"], 20)


def test_what_cannot_be_compared_is_not():
    reviews, manifest = make_study(2, 20)
    assert aided_reading.describe_aided(study_of(reviews[reviews["reviewer"] == "R1"], manifest)) == []
    [row] = aided_reading.describe_aided(study_of(reviews))  # no labels
    assert (row["fields"], row["figures"]) == (0, [])
    [row] = aided_reading.describe_aided(study_of(reviews, manifest.assign(label="Pro")))
    assert [figure["figure"] for figure in row["figures"]] == ["class_accuracy", "accuracy", "sensitivity"]
    [row] = aided_reading.describe_aided(study_of(reviews.assign(grade=None), manifest))
    assert not row["graded"]


def test_most_readers_give_a_field_its_label():
    rows = [
        (0, "A", "blind", "Pre", "Pre", 0),
        (0, "A", "revised", "Pro", "Pro", 1),
        (0, "B", "blind", "Pro", "Pro", 2),
    ]
    rows += [(1, "A", "blind", "Pre", "Pre", 0), (1, "B", "blind", "Pro", "Pro", 0), (1, "C", "blind", None, "Pro", 0)]
    rows += [(2, "A", "blind", None, "Pro", 0)]
    labels, ties = vote(choose_votes(read(*rows), "last"))
    assert labels.to_dict("records") == [
        {"sha256": name_field(0), "file_name": None, "label": "Pro", "votes": 2, "readers": 2, "share": 1.0}
    ]
    assert ties == [{"sha256": name_field(1), "file_name": None, "votes": {"Pre": 1, "Pro": 1}}]
    labels, ties = vote(choose_votes(read(*rows), "blind"))
    assert labels.empty
    assert [tie["sha256"] for tie in ties] == [name_field(0), name_field(1)]


def test_a_blind_vote_is_the_first_word_on_a_field():
    """A has seen the opinion before the second, and B before the only one."""
    rows = [
        (0, "A", "blind", "Pre", "Pro", 0),
        (0, "A", "revised", "Pro", "Pro", 0.1),
        (0, "A", "blind", "Pro", "Pro", 1),
    ]
    rows += [(0, "B", "unblinded", "Pro", "Pro", 0), (0, "B", "blind", "Pro", "Pro", 1)]
    labels, _ = vote(choose_votes(read(*rows), "blind"))
    assert labels[["label", "votes", "readers"]].to_numpy().tolist() == [["Pre", 1, 1]]
