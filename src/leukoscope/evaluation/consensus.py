"""The class that most readers give a field: a table of labels."""

from typing import Any

import pandas as pd

from leukoscope.evaluation.readings import BLIND

COLUMNS = ("sha256", "file_name", "label", "votes", "readers", "share")


def choose_votes(reviews: pd.DataFrame, which: str) -> pd.DataFrame:
    """Choose the reviews that vote.

    Args:
        reviews: The oldest first.
        which: ``last``: all; ``blind``: of each reader the first of a field, if the opinion had not been seen.
    """
    if which != "blind":
        return reviews
    # A later one is of somebody who has seen an opinion on the field, whatever its phase.
    first = reviews.drop_duplicates(["sha256", "reviewer"])
    return first[first["phase"] == BLIND]


def vote(reviews: pd.DataFrame) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Take of each field the class that most readers give it, each by the last word on it, under whatever model.

    Readers without a name count as one. Who finds a field not assessable has no vote.

    Args:
        reviews: The oldest first.

    Returns:
        A row a field that has such a class: ``COLUMNS``; and of each field whose votes are tied ``sha256``,
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
