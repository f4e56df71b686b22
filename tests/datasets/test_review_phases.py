"""Reviews of earlier versions, which say nothing of phases."""

import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from leukoscope.datasets import ReviewsDataset
from reader_study import make_review

_NEW = ("phase", "seconds", "session", "grade")


@pytest.fixture
def reviews(tmp_path) -> ReviewsDataset:
    return ReviewsDataset(filepath=str(tmp_path / "reviews.db"))


def make(**columns) -> pd.DataFrame:
    return pd.DataFrame([make_review(0, "AB", "Pre", "Pro", **columns)]).assign(
        reason="", probability_pro=0.5, ood_score=0.1, note=""
    )


def drop_new(reviews) -> None:
    """Make of a file what an earlier version would have written."""
    with closing(sqlite3.connect(reviews._filepath)) as connection, connection:
        for name in _NEW:
            connection.execute(f"ALTER TABLE reviews DROP COLUMN {name}")


def test_phases_come_back(reviews):
    reviews.save(make(phase="blind", seconds=4.5, session="s1", grade=5))
    reviews.save(make(phase="revised"))
    table = reviews.load()
    assert table["phase"].tolist() == ["blind", "revised"]
    assert (table.loc[0, "seconds"], table.loc[0, "session"], table.loc[0, "grade"]) == (4.5, "s1", 5)
    assert pd.isna(table.loc[1, "seconds"])
    assert pd.isna(table.loc[1, "grade"])


def test_reviews_without_a_phase_were_made_with_the_opinion_in_sight(reviews):
    reviews.save(make())
    drop_new(reviews)
    before = reviews._filepath.read_bytes()
    table = reviews.load()
    assert table["phase"].tolist() == ["unblinded"]
    assert table[["seconds", "session", "grade"]].isna().all(axis=None)
    assert reviews._filepath.read_bytes() == before


def test_a_file_of_an_earlier_version_gets_the_columns_that_it_lacks(reviews):
    reviews.save(make())
    drop_new(reviews)
    reviews.save(make(phase="blind", seconds=3.0))
    table = reviews.load()
    assert table["phase"].tolist() == ["unblinded", "blind"]
    assert table["seconds"].tolist()[1] == 3


def test_an_earlier_version_may_go_on_writing(reviews):
    reviews.save(make(phase="blind"))
    with closing(sqlite3.connect(reviews._filepath)) as connection, connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(reviews)") if row[1] not in ("number", *_NEW)]
        connection.execute(f"INSERT INTO reviews ({', '.join(names)}) SELECT {', '.join(names)} FROM reviews")
    assert reviews.load()["phase"].tolist() == ["blind", "unblinded"]
