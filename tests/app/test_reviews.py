import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from leukoscope.app.reviews import UnusableReviewError, form_review, tabulate_review
from leukoscope.core.errors import InputError
from leukoscope.datasets import ReviewsDataset
from tiny_reader import encode, shade


@pytest.fixture
def image(desk):
    return desk.read(encode(shade(160)))


@pytest.fixture
def reviews(tmp_path) -> ReviewsDataset:
    return ReviewsDataset(filepath=str(tmp_path / "folder" / "reviews.db"))


def tabulate(image, about, answer="Early", note="", reviewer="") -> pd.DataFrame:
    return tabulate_review(form_review(answer, note, reviewer, image), image, about.origin)


@pytest.mark.parametrize(
    ("answer", "verdict", "reviewer_class"),
    [("Early", "agree", "Early"), ("Pro", "disagree", "Pro"), ("not assessable", "not assessable", None)],
)
def test_an_answer_is_a_verdict_and_a_class(image, answer, verdict, reviewer_class):
    review = form_review(answer, None, None, image)
    assert (review.verdict, review.reviewer_class, review.note, review.reviewer) == (verdict, reviewer_class, "", "")


def test_a_review_says_when_in_utc(image):
    at = datetime.fromisoformat(form_review("Early", "", "", image).reviewed_at)
    assert at.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - at < timedelta(seconds=5)


@pytest.mark.parametrize("answer", [None, "", "Late"])
def test_without_an_answer_nothing_is_kept(image, answer):
    with pytest.raises(UnusableReviewError, match="choose one of the answers"):
        form_review(answer, "", "", image)


def test_what_is_too_long_is_not_cut_but_refused(image):
    with pytest.raises(UnusableReviewError, match="the note has 2,001 characters; at most 2,000"):
        form_review("Early", "x" * 2001, "", image)
    with pytest.raises(UnusableReviewError, match="reviewer's name"):
        form_review("Early", "", "x" * 101, image)


def test_reviews_come_back_as_a_table(reviews, image, about):
    reviews.save(tabulate(image, about, "Pre", "odd; nucleus, large", "AB"))
    row = reviews.load().iloc[0]
    assert row["sha256"] == image.sha256
    assert (row["model"], row["model_fingerprint"], row["data"]) == tuple(about.origin.values())
    assert (row["opinion"], row["reason"], row["likeliest"]) == ("Early", "", "Early")
    assert row["probability_early"] == pytest.approx(image.probabilities["Early"])
    assert row["probability_malignant"] == pytest.approx(image.malignant)
    assert (row["verdict"], row["reviewer_class"], row["note"], row["reviewer"]) == (
        "disagree",
        "Pre",
        "odd; nucleus, large",
        "AB",
    )
    assert pd.isna(row["file_name"])
    assert pd.isna(row["seen_in"])


def test_a_file_name_is_kept_where_it_was_asked_for(reviews, desk, about):
    named = desk.read(encode(shade(160)), "slide 7.png")
    reviews.save(tabulate(named, about))
    assert reviews.load()["file_name"].tolist() == ["slide 7.png"]


def test_a_second_verdict_is_a_second_row(reviews, image, about):
    for answer in ("Early", "Pro", "not assessable"):
        reviews.save(tabulate(image, about, answer))
    assert reviews.load()["verdict"].tolist() == ["agree", "disagree", "not assessable"]
    assert reviews.load()["reviewer_class"].isna().tolist() == [False, False, True]


def test_models_of_different_classes_have_columns_of_their_own(reviews, image, about):
    other = image._replace(probabilities={"Benign": 0.2, "Late": 0.8}, likeliest="Late")
    reviews.save(tabulate(image, about))
    reviews.save(tabulate(other, about, "Late"))
    table = reviews.load()
    assert table["probability_late"].isna().tolist() == [True, False]
    assert table["probability_pro"].isna().tolist() == [False, True]


def test_many_may_write_at_a_time(reviews, image, about):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: reviews.save(tabulate(image, about)), range(40)))
    assert len(reviews.load()) == 40


def test_without_reviews_it_says_how_to_make_some(reviews):
    with pytest.raises(InputError, match=r"no reviews in .*reviews\.db yet.*make app"):
        reviews.load()


def test_a_file_that_is_none_of_its_own_is_refused(reviews, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "reviews.db").write_bytes(b"no database at all, but long enough to be taken for one" * 9)
    with pytest.raises(InputError, match="cannot be read as reviews"):
        reviews.load()


def test_a_reader_that_knows_sql_finds_plain_columns(reviews, image, about, tmp_path):
    reviews.save(tabulate(image, about, "Pre"))
    with sqlite3.connect(tmp_path / "folder" / "reviews.db") as connection:
        assert connection.execute("SELECT likeliest, reviewer_class FROM reviews").fetchall() == [("Early", "Pre")]


@contextmanager
def locked(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_a_review_waits_for_another_program_to_let_go(reviews, image, about, tmp_path):
    reviews.save(tabulate(image, about))
    with ThreadPoolExecutor(1) as pool:
        with locked(tmp_path / "folder" / "reviews.db"):
            saving = pool.submit(reviews.save, tabulate(image, about, "Pro"))
            time.sleep(0.3)
            assert not saving.done()
        saving.result(10)
    assert reviews.load()["reviewer_class"].tolist() == ["Early", "Pro"]


def test_a_file_that_stays_locked_is_said_and_loses_nothing(reviews, image, about, tmp_path, monkeypatch):
    monkeypatch.setattr("leukoscope.datasets.review_table._PATIENCE", 0.1)
    reviews.save(tabulate(image, about))
    with (
        locked(tmp_path / "folder" / "reviews.db"),
        pytest.raises(InputError, match=r"No review can be added.*is locked"),
    ):
        reviews.save(tabulate(image, about, "Pro"))
    reviews.save(tabulate(image, about, "Pre"))
    assert reviews.load()["reviewer_class"].tolist() == ["Early", "Pre"]


def test_a_file_that_cannot_be_written_is_said(reviews, image, about, tmp_path):
    reviews.save(tabulate(image, about))
    folder = tmp_path / "folder"
    with closing(sqlite3.connect(folder / "reviews.db")) as connection:
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON reviews BEGIN SELECT RAISE(ABORT, 'read-only'); END")
    with pytest.raises(InputError, match=r"No review can be added.*read-only"):
        reviews.save(tabulate(image, about))
    assert len(reviews.load()) == 1


def test_a_table_of_another_kind_is_said(reviews, image, about, tmp_path):
    (tmp_path / "folder").mkdir()
    with closing(sqlite3.connect(tmp_path / "folder" / "reviews.db")) as connection:
        connection.execute("CREATE TABLE reviews (stars INTEGER)")
    with pytest.raises(InputError, match=r"No review can be added.*no such column"):
        reviews.save(pd.DataFrame())


OLD_TABLE = (
    "CREATE TABLE reviews (number INTEGER PRIMARY KEY AUTOINCREMENT, reviewed_at TEXT NOT NULL, sha256 TEXT NOT NULL, "
    "file_name TEXT, seen_in TEXT, backbone TEXT NOT NULL, model TEXT NOT NULL, data TEXT NOT NULL, opinion TEXT NOT "
    "NULL, reason TEXT NOT NULL, likeliest TEXT NOT NULL, probabilities TEXT NOT NULL, novelty REAL NOT NULL, verdict "
    "TEXT NOT NULL, reviewer_class TEXT, note TEXT NOT NULL, reviewer TEXT NOT NULL)"
)
OLD_REVIEW = (1, "2026-01-02", "ab", None, None, "vgg16", "1a2b", "3c4d", "withheld", "not sure enough", "Pro")
OLD_REVIEW = (*OLD_REVIEW, '{"probability_pro": 0.5}', 0.25, "agree", "Pro", "", "AB")


@pytest.fixture
def old_file(tmp_path):
    file = tmp_path / "folder" / "reviews.db"
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(OLD_TABLE)
        connection.execute(f"INSERT INTO reviews VALUES ({', '.join('?' * len(OLD_REVIEW))})", OLD_REVIEW)
    return file


def test_reviews_of_an_earlier_version_are_read_and_not_changed(reviews, old_file, caplog):
    before = old_file.read_bytes()
    row = reviews.load().iloc[0]
    assert (row["model"], row["model_fingerprint"], row["data"]) == ("vgg16", "1a2b", "3c4d")
    assert (row["opinion"], row["ood_score"], row["probability_pro"]) == ("abstained", 0.25, 0.5)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert old_file.read_bytes() == before


def test_a_review_is_added_to_those_of_an_earlier_version(reviews, old_file, image, about):
    reviews.save(tabulate(image, about))
    table = reviews.load()
    assert table["opinion"].tolist() == ["abstained", "Early"]
    assert table["model"].tolist() == ["vgg16", "mobilenet_v2"]
    assert table["model_fingerprint"].tolist() == ["1a2b", about.origin["model_fingerprint"]]
    with closing(sqlite3.connect(old_file)) as connection:
        names = {row[1] for row in connection.execute("PRAGMA table_info(reviews)")}
        assert {"model", "model_fingerprint", "ood_score"} <= names
        assert names.isdisjoint({"backbone", "novelty"})
        assert connection.execute("SELECT count(*) FROM reviews WHERE opinion = 'withheld'").fetchone() == (0,)


@pytest.mark.parametrize("typed", ["Zo\u00eb W", "Zoe\u0308 W", "\uff3ao\u00eb\u3000\uff37", "  Zo\u00eb  W "])
def test_a_reader_is_one_reader_by_whatever_keyboard(image, typed):
    assert form_review("Early", "", typed, image).reviewer == "Zo\u00eb W"
