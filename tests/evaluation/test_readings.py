import pandas as pd
import pytest

from leukoscope.evaluation.readings import Known, number_rounds, select_first, select_readings
from reader_study import make_manifest, make_review, name_field

PHASES = {"b": "blind", "r": "revised", "u": "unblinded"}


def make(*steps: tuple[float, str, str]) -> pd.DataFrame:
    """Make one reader's reviews of one field: day, first letter of the phase, class."""
    return pd.DataFrame([make_review(0, "AB", said, "Pre", day=day, phase=PHASES[one]) for day, one, said in steps])


def list_kept(reviews: pd.DataFrame) -> list[tuple[int, str, str]]:
    chosen = select_readings(reviews, 14)
    return list(chosen[["round", "phase", "reviewer_class"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("days", "rounds"),
    [
        ([0, 1, 20], [1, 1, 2]),
        ([0, 13.9], [1, 1]),
        ([0, 14], [1, 2]),
        ([0, 10, 20], [1, 1, 1]),
        ([0, 20, 40], [1, 2, 3]),
    ],
)
def test_a_round_begins_when_the_field_is_forgotten(days, rounds):
    assert number_rounds(make(*((day, "u", "Pre") for day in days)), 14).tolist() == rounds


def test_rounds_are_of_each_reader_and_field():
    rows = [("AB", 0, 0), ("CD", 0, 20), ("AB", 1, 20), ("AB", 0, 20), ("CD", 0, 30)]
    table = pd.DataFrame([make_review(field, reader, "Pre", "Pre", day=day) for reader, field, day in rows])
    assert number_rounds(table, 14).tolist() == [1, 1, 1, 2, 1]


def test_a_revision_begins_no_round():
    assert number_rounds(make((0, "b", "Pre"), (20, "r", "Pro")), 14).tolist() == [1, 1]


def test_the_first_blind_word_counts_and_the_last_of_the_others():
    steps = make((0, "b", "Early"), (0.1, "r", "Pre"), (0.2, "r", "Pro"), (1, "b", "Pre"), (20, "u", "Early"))
    assert list_kept(steps) == [(1, "blind", "Early"), (1, "revised", "Pro"), (2, "unblinded", "Early")]


def test_who_has_seen_the_opinion_is_not_blind():
    assert list_kept(make((0, "u", "Early"), (1, "b", "Pre"), (1.1, "r", "Pre"))) == [(1, "unblinded", "Early")]


def test_readers_without_a_name_are_left_out():
    assert select_readings(make((0, "u", "Early")).assign(reviewer=""), 14).empty


def test_the_first_round_of_a_phase_counts():
    chosen = select_readings(make((0, "b", "Early"), (30, "u", "Pre"), (60, "b", "Pro"), (90, "u", "Pro")), 14)
    assert select_first(chosen, "blind")["reviewer_class"].tolist() == ["Early"]
    assert select_first(chosen, "unblinded")["reviewer_class"].tolist() == ["Pre"]


def test_labels_and_groups_come_from_the_images():
    manifest = make_manifest(["Early", "Pre", "Pro", "Pre"])
    manifest.loc[3, "sha256"] = manifest.loc[2, "sha256"]  # the same file, under another label
    splits = pd.DataFrame({"image_id": manifest["image_id"][:2], "group": ["patient 1"] * 2})
    known = Known.gather(manifest.assign(drawn=[True, False, False, False]), splits)
    fields = [name_field(number) for number in (0, 1, 2, 9)]
    assert known.label(fields, ["Early", "Pre", "Pro"]).tolist() == [0, 1, -1, -1]
    assert known.group(fields).tolist() == ["patient 1", "patient 1", "Pro/2", name_field(9)]
    assert known.has_groups(fields)
    assert not known.has_groups(fields[1:])
    assert known.count_drawn(fields) == 1
    nothing = Known.gather(None, None)
    assert nothing.label(fields, ["Early"]).tolist() == [-1] * 4
    assert nothing.group(fields).tolist() == fields
