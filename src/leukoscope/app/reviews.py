"""Reviews of predictions."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from leukoscope.app.read_image import ReadImage
from leukoscope.evaluation.readings import BLIND, UNBLINDED

MAX_NOTE = 2000
MAX_NAME = 100
# Grades by the value that the form sends.
GRADES = {
    "1": "definitely benign",
    "2": "probably benign",
    "3": "undecided",
    "4": "probably malignant",
    "5": "definitely malignant",
}
_DAY = 86_400


class UnusableReviewError(ValueError):
    """A review that cannot be saved; the message is for the reviewer."""


@dataclass(frozen=True)
class Review:
    """A verdict on one image.

    Attributes:
        reviewed_at: Time in UTC, ISO 8601, to the second.
        verdict: ``agree``, ``disagree`` or ``not assessable``.
        reviewer_class: The reviewer's own class; ``None`` if not assessable.
        note: A note; may be empty.
        reviewer: The reviewer's name; may be empty.
        phase: ``blind``, ``revised`` or ``unblinded``: whether the prediction had been seen.
        seconds: How long the reviewer viewed the image; ``None`` if unknown.
        session: Identifies one opening of the page.
        grade: From 1, definitely benign, to 5, definitely malignant; ``None`` if there is none.
    """

    reviewed_at: str
    verdict: str
    reviewer_class: str | None
    note: str
    reviewer: str
    phase: str = UNBLINDED
    seconds: float | None = None
    session: str | None = None
    grade: int | None = None

    @property
    def summary(self) -> str:
        """The verdict, and the class if there is one."""
        return f"{self.verdict}, {self.reviewer_class}" if self.reviewer_class else self.verdict


def form_review(answer: Any, note: Any, reviewer: Any, image: ReadImage) -> Review:
    """Make a review from what a reviewer entered.

    Args:
        answer: A class, or ``not assessable``.
        note: Free text.
        reviewer: Free text.
        image: The reviewed image.

    Raises:
        UnusableReviewError: No answer or an unknown one was chosen, or a text is too long.
    """
    from leukoscope.evaluation.agreement import AGREE, DISAGREE, NOT_ASSESSABLE

    if answer != NOT_ASSESSABLE and answer not in image.probabilities:
        raise UnusableReviewError("Nothing was kept: choose one of the answers first.")
    note = check_text(note, "note", MAX_NOTE)
    reviewer = check_name(reviewer)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if answer == NOT_ASSESSABLE:
        return Review(now, NOT_ASSESSABLE, None, note, reviewer)
    return Review(now, AGREE if answer == image.likeliest else DISAGREE, answer, note, reviewer)


def add_circumstances(review: Review, phase: str, entered: Mapping[str, Any], session: str) -> Review:
    """Add to a review its circumstances in a reader study.

    Args:
        review: The review.
        phase: Whether the prediction had been seen.
        entered: The fields of the form: ``seconds`` and ``grade``, if any.
        session: Identifies one opening of the page.

    Raises:
        UnusableReviewError: The review is blind but has no reviewer, or the grade is unknown.
    """
    if phase == BLIND and not review.reviewer:
        raise UnusableReviewError(
            "Nothing was kept: enter your name or initials at the top first, because blind answers are compared by "
            "reader."
        )
    grade = entered.get("grade") or None
    if grade is not None and grade not in tuple(GRADES):
        raise UnusableReviewError("Nothing was kept: choose one of the grades, or none.")
    seconds = _read_seconds(entered.get("seconds"))
    return replace(review, phase=phase, seconds=seconds, session=session, grade=None if grade is None else int(grade))


def repeats(review: Review, last: Review | None) -> bool:
    """Check whether a review repeats the last one of its image, as after a second click on its button."""
    if last is None:
        return False
    return replace(review, reviewed_at=last.reviewed_at, seconds=last.seconds) == last


def _read_seconds(given: Any) -> float | None:
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        return None
    return round(seconds, 2) if 0 < seconds < _DAY else None


def check_text(text: Any, name: str, longest: int) -> str:
    """Strip a text, and check that it can be saved.

    Raises:
        UnusableReviewError: The text is too long, or contains half a character, which no file can hold.
    """
    cleaned = str(text or "").strip()
    if any("\ud800" <= character <= "\udfff" for character in cleaned):
        raise UnusableReviewError(
            f"Nothing was kept: the {name} contains half a character, such as a cut emoji. Enter it again."
        )
    if len(cleaned) > longest:
        raise UnusableReviewError(
            f"Nothing was kept: the {name} has {len(cleaned):,} characters; at most {longest:,} are kept. Shorten it."
        )
    return cleaned


def check_name(name: Any) -> str:
    """Normalise a reviewer's name, so that it identifies one reviewer whatever keyboard was used.

    Raises:
        UnusableReviewError: The name is too long.
    """
    return check_text(write_name(name), "reviewer's name", MAX_NAME)


def write_name(name: Any) -> str:
    """Normalise a name like ``check_name``, accepting any name."""
    return " ".join(unicodedata.normalize("NFKC", str(name or "")).split())


def tabulate_image(image: ReadImage, origin: Mapping[str, str]) -> dict[str, Any]:
    """Return the table row of an image that was read, without pictures.

    Args:
        image: The image.
        origin: ``model``, ``model_fingerprint`` and ``data`` of the reader.
    """
    from leukoscope.evaluation.predictions import MALIGNANT_COLUMN, probability_columns

    chances = zip(probability_columns(list(image.probabilities)), image.probabilities.values(), strict=True)
    return {
        "sha256": image.sha256,
        "file_name": image.file_name,
        "seen_in": image.seen_in,
        **origin,
        "opinion": image.opinion,
        "reason": image.reason,
        "likeliest": image.likeliest,
        MALIGNANT_COLUMN: image.malignant,
        **dict(chances),
        "ood_score": image.ood_score,
    }


def tabulate_review(review: Review, image: ReadImage, origin: Mapping[str, str]) -> pd.DataFrame:
    """Return a review as a row of the data set ``reviews``."""
    return pd.DataFrame([tabulate_image(image, origin) | vars(review)])
