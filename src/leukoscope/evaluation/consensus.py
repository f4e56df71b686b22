"""Majority vote of readers on each field: a table of labels."""

from typing import Any

import pandas as pd

from leukoscope.evaluation.readings import BLIND

COLUMNS = ("sha256", "file_name", "label", "votes", "readers", "share")


def choose_votes(reviews: pd.DataFrame, which: str) -> pd.DataFrame:
    """Choose the reviews that count as votes.

    Args:
        reviews: All reviews, oldest first.
        which: ``last``: all; ``blind``: each reader's first review of a field, if the opinion had not been seen.
    """
    if which != "blind":
        return reviews
    # In any later review, whatever its phase, the reader has already seen an opinion on the field.
    first = reviews.drop_duplicates(["sha256", "reviewer"])
    return first[first["phase"] == BLIND]


def vote(reviews: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Take the majority class of each field, from each reader's last review of it, whichever model it was under.

    Readers without a name count as one reader. Reviews that find a field not assessable do not vote.

    Args:
        reviews: All reviews, oldest first.

    Returns:
        One row per field with a majority: ``COLUMNS``; and for each tied field a dictionary with ``sha256``,
        ``file_name`` and ``votes`` by class.
    """
    last = reviews.drop_duplicates(["sha256", "reviewer"], keep="last").dropna(subset="reviewer_class")
    rows: list[dict[str, Any]] = []
    ties: list[dict[str, Any]] = []
    for sha256, reviews_of_image in last.groupby("sha256", sort=False):
        votes = reviews_of_image["reviewer_class"].value_counts()
        names = reviews_of_image["file_name"].dropna()
        field = {"sha256": sha256, "file_name": names.iloc[-1] if len(names) else None}
        if (votes == votes.iloc[0]).sum() > 1:
            ties.append(field | {"votes": {str(name): int(count) for name, count in votes.items()}})
            continue
        counts = {
            "votes": int(votes.iloc[0]),
            "readers": len(reviews_of_image),
            "share": float(votes.iloc[0] / len(reviews_of_image)),
        }
        rows.append(field | {"label": votes.index[0]} | counts)
    return pd.DataFrame(rows, columns=list(COLUMNS)), ties
