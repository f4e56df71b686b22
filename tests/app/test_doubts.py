"""Doubtful labels on the page, and what reviewers say of them."""

import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from leukoscope.app.doubts import Doubts, form_label_review
from leukoscope.app.reviews import UnusableReviewError
from leukoscope.core.errors import InputError
from leukoscope.datasets import LabelReviewsDataset
from leukoscope.datasets.optional import OptionalDataset
from review_page import make_issues

CLASSES = ["Benign", "Early", "Pre", "Pro"]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "folder" / "reviews.db"


@pytest.fixture
def kept(file) -> LabelReviewsDataset:
    return LabelReviewsDataset(filepath=str(file))


@pytest.fixture
def make(desk, kept):
    def make_doubts(issues=None, reviews=None) -> Doubts:
        issues = make_issues(desk.reader.seen) if issues is None else issues
        return Doubts(issues, desk._smears, reviews, CLASSES, kept.save)

    return make_doubts


@pytest.mark.parametrize(
    ("answer", "verdict", "reviewer_class", "words"),
    [
        ("Early", "label right", "Early", "label right (AB)"),
        ("Pro", "label wrong", "Pro", "label wrong: Pro (AB)"),
        ("Benign", "label wrong", "Benign", "label wrong: Benign (AB)"),
        ("not assessable", "not assessable", None, "not assessable (AB)"),
    ],
)
def test_an_answer_confirms_or_rejects_a_label_and_is_kept(make, kept, answer, verdict, reviewer_class, words):
    doubts = make()
    doubts.keep(form_label_review(answer, " odd ", "AB", doubts.shown[0], CLASSES))
    row = kept.load().iloc[0]
    assert (row["verdict"], row["reviewer_class"], row["note"]) == (verdict, reviewer_class, "odd")
    assert (row["sha256"], row["label"], row["suggested"]) == (doubts.shown[0].row["sha256"], "Early", "Pro")
    assert [doubts.verdict(doubt) for doubt in doubts.shown] == [words, ""]
    assert [make(reviews=kept.load()).verdict(doubt) for doubt in doubts.shown] == [words, ""]


def test_the_newest_verdict_stands_and_all_are_kept(make, kept):
    doubts = make()
    for answer in ("Early", "Pre"):
        doubts.keep(form_label_review(answer, "", "", doubts.shown[1], CLASSES))
    assert kept.load()["reviewer_class"].tolist() == ["Early", "Pre"]
    assert make(reviews=kept.load()).verdict(doubts.shown[1]) == "label wrong: Pre"


def test_a_label_that_was_corrected_has_no_verdict_yet(make, kept, desk):
    doubts = make()
    doubts.keep(form_label_review("Pro", "", "", doubts.shown[0], CLASSES))
    corrected = make_issues(desk.reader.seen).assign(label="Pro", suggested="Pre")
    assert make(corrected, reviews=kept.load()).verdict(doubts.shown[0]._replace(row=corrected.iloc[0])) == ""


@pytest.mark.parametrize(("answer", "note"), [(None, ""), ("Late", ""), ("Early", "x" * 2001)])
def test_what_is_no_answer_is_refused(make, answer, note):
    doubts = make()
    with pytest.raises(UnusableReviewError, match="Nothing was kept"):
        form_label_review(answer, note, "", doubts.shown[0], CLASSES)


def test_only_what_has_a_picture_is_shown_and_at_most_forty(make, desk):
    many = make_issues(desk.reader.seen, len(desk.reader.seen))
    gone = many.assign(sha256="gone")
    assert make(gone).shown == []
    assert make(many.drop(columns="sha256")).shown == []
    assert Doubts(many, None, None, CLASSES, print).shown == []
    shown = make(many).shown
    assert [doubt.number for doubt in shown] == list(range(1, min(40, len(many)) + 1))
    assert make(many).total == len(many)
    assert make(many).find(1) is not None
    assert make(many).find(0) is make(many).find(len(shown) + 1) is None


def test_a_file_without_reviews_of_labels_has_none(kept, file):
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE reviews (number INTEGER)")
    assert kept.load().empty


def test_where_there_is_no_file_none_is_made(file):
    kind = "leukoscope.datasets.LabelReviewsDataset"
    assert OptionalDataset(dataset={"type": kind, "filepath": str(file)}).load() is None
    assert not file.exists()


def test_a_file_that_is_none_of_its_own_is_refused(kept, file):
    file.parent.mkdir()
    file.write_bytes(b"no database at all, but long enough to be taken for one" * 9)
    with pytest.raises(InputError, match="cannot be read as reviews"):
        kept.load()
    with pytest.raises(InputError, match="No review of a label can be added"):
        kept.save(pd.DataFrame())


def test_pictures_are_given_to_open_pages_alone(office, serving):
    from leukoscope.app.server import create_server

    office.open("key", lambda number, image: None)
    with serving(create_server(office)) as client:
        assert client.get("/sessions/key/labels/1.png").headers["Content-Type"] == "image/png"
        assert client.get("/sessions/key/labels/99.png").status == 404
        assert client.get("/sessions/other/labels/1.png").status == 404
    office.close("key")
