"""The work list of a session's images. File names that were not sent are known only to the browser."""

from collections.abc import Callable
from typing import TypedDict

from leukoscope.app.read_image import ReadImage
from leukoscope.app.rendering import format_percent
from leukoscope.app.session import Session


class ListedReview(TypedDict):
    """The last review of an image: its time in UTC, and the verdict in words."""

    at: str
    summary: str


class Entry(TypedDict):
    """A row of the work list, as sent to the browser.

    Attributes:
        number: Number of the image, from 1, in the order of reading.
        thumbnail: The address of its smallest picture.
        opinion: A class; empty if there is no prediction, or if it is withheld, like everything derived from it.
        reason: Why there is no prediction, in short; else empty.
        likeliest: The class with the highest probability.
        certainty: That probability.
        certainty_words: That probability in words.
        unlike: How unlike the training images it is, in deviations.
        review: Its last review in this session.
    """

    number: int
    thumbnail: str
    opinion: str
    reason: str
    likeliest: str
    certainty: float
    certainty_words: str
    unlike: float
    review: ListedReview | None


def list_entries(session: Session, place: Callable[[ReadImage, str], str]) -> list[Entry]:
    """List the images of a session for the browser.

    Args:
        session: The session.
        place: Returns the address of a picture of an image.
    """
    return [_list(session, number, image, place) for number, image in enumerate(session.images.values(), start=1)]


def _list(session: Session, number: int, image: ReadImage, place: Callable[[ReadImage, str], str]) -> Entry:
    review = session.reviews.get(image.sha256)
    if session.blinding.is_held(image.sha256):
        # Its position in any sort order must not reveal what is withheld, either.
        return Entry(
            number=number,
            thumbnail=place(image, "thumbnail.jpg"),
            opinion="",
            reason="",
            likeliest="",
            certainty=0.0,
            certainty_words="",
            unlike=0.0,
            review=None,
        )
    certainty = image.probabilities[image.likeliest]
    return Entry(
        number=number,
        thumbnail=place(image, "thumbnail.jpg"),
        opinion="" if image.reason else image.opinion,
        reason=image.reason.split(":")[0],
        likeliest=image.likeliest,
        certainty=certainty,
        certainty_words=format_percent(certainty),
        unlike=image.ood_score,
        review=None if review is None else ListedReview(at=review.reviewed_at, summary=review.summary),
    )
