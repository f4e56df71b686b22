"""Doubtful labels to be reviewed, and their reviews."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pandas as pd
from PIL import Image

from leukoscope.app.pictures import encode
from leukoscope.app.reviews import MAX_NOTE, UnusableReviewError, check_name, check_text
from leukoscope.evaluation.agreement import NOT_ASSESSABLE
from leukoscope.evaluation.label_issues import LABEL_RIGHT, LABEL_WRONG
from leukoscope.images.packed import PackedImages, find_by_content

# The same number as in the pipeline's figure.
_MOST = 40


class Doubt(NamedTuple):
    """An image whose label is contradicted by models.

    Attributes:
        number: Number of the doubtful label, from 1, the most doubtful first.
        row: Its row of the table of doubtful labels.
        picture: A PNG file.
    """

    number: int
    row: dict[str, Any]
    picture: bytes


class Doubts:
    """The doubtful labels that the page shows, and the newest verdict on each.

    Attributes:
        shown: The most doubtful labels among those whose images are packed.
        total: Total number of doubtful labels.
        class_names: The possible labels.

    Args:
        issues: The pipeline's list of doubtful labels; ``None`` if they were not searched for.
        smears: The packed images, if available.
        reviews: Reviews of labels, the oldest first; ``None`` if there are none.
        class_names: The classes in order.
        keep: Saves reviews, given as rows of the data set ``label_reviews``.
    """

    def __init__(
        self,
        issues: pd.DataFrame | None,
        smears: PackedImages | None,
        reviews: pd.DataFrame | None,
        class_names: Sequence[str],
        keep: Callable[[pd.DataFrame], None],
    ) -> None:
        self.class_names = tuple(class_names)
        self._keep = keep
        self.total = 0 if issues is None else len(issues)
        self.shown = _picture(issues, smears)
        self._verdicts: dict[tuple[str, str], str] = {}
        if reviews is not None:
            self._take(reviews)

    def find(self, number: int) -> Doubt | None:
        """Return a doubtful label by its number; ``None`` if there is none."""
        return self.shown[number - 1] if 1 <= number <= len(self.shown) else None

    def keep(self, review: pd.DataFrame) -> None:
        """Save a review made by ``form_label_review``; its verdict becomes the newest."""
        self._keep(review)
        self._take(review)

    def _take(self, reviews: pd.DataFrame) -> None:
        for row in reviews.to_dict("records"):
            other = f": {row['reviewer_class']}" if row["verdict"] == LABEL_WRONG else ""
            by = f" ({row['reviewer']})" if row["reviewer"] else ""
            self._verdicts[row["sha256"], row["label"]] = f"{row['verdict']}{other}{by}"

    def verdict(self, doubt: Doubt) -> str:
        """Return the newest verdict on the label of an image in words; empty if there is none."""
        return self._verdicts.get((doubt.row["sha256"], doubt.row["label"]), "")


def _picture(issues: pd.DataFrame | None, smears: PackedImages | None) -> list[Doubt]:
    """Make pictures of the first doubtful labels; lists from earlier versions do not identify the images' files."""
    shown: list[Doubt] = []
    if issues is None or smears is None or "sha256" not in issues:
        return shown
    for row in issues.to_dict("records"):
        found = find_by_content(smears, row["sha256"])
        if found is not None and len(shown) < _MOST:
            shown.append(Doubt(len(shown) + 1, row, encode(Image.fromarray(found[1]), "PNG")))
    return shown


def form_label_review(answer: Any, note: Any, reviewer: Any, doubt: Doubt, class_names: Sequence[str]) -> pd.DataFrame:
    """Make a review of a label from what a reviewer entered, as the single row to save.

    Args:
        answer: A class, or ``not assessable``.
        note: Free text.
        reviewer: Free text.
        doubt: The reviewed label.
        class_names: The possible labels.

    Raises:
        UnusableReviewError: No answer or an unknown one was chosen, or a text is too long.
    """
    if answer != NOT_ASSESSABLE and answer not in class_names:
        raise UnusableReviewError("Nothing was kept: choose one of the answers first.")
    row = {name: doubt.row[name] for name in ("sha256", "image_id", "data", "label", "suggested")}
    row |= {"reviewed_at": datetime.now(UTC).isoformat(timespec="seconds")}
    row |= {"note": check_text(note, "note", MAX_NOTE), "reviewer": check_name(reviewer)}
    if answer == NOT_ASSESSABLE:
        return pd.DataFrame([row | {"verdict": NOT_ASSESSABLE, "reviewer_class": None}])
    verdict = LABEL_RIGHT if answer == doubt.row["label"] else LABEL_WRONG
    return pd.DataFrame([row | {"verdict": verdict, "reviewer_class": answer}])
