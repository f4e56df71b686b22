"""The work list: what it says of each image of a session. Names of files that were not sent are the browser's alone."""

from collections.abc import Callable
from typing import TypedDict

from leukoscope.app.read_image import ReadImage
from leukoscope.app.rendering import format_percent
from leukoscope.app.session import Session


class ListedReview(TypedDict):
    """The last review of an image: when, in UTC, and the verdict in words."""

    at: str
    summary: str


class Entry(TypedDict):
    """A row of the work list, as the browser gets it.

    Attributes:
        number: From 1, in the order in which images were read.
        thumbnail: The address of its smallest picture.
        opinion: A class; empty where there is none, or where it is kept back, as all that follows from it.
        reason: Why there is none, in short; else empty.
        likeliest: The class with the highest probability.
        certainty: That probability.
        certainty_words: The same in words.
        unlike: How unlike the training images it is, in deviations.
        review: Its last review of this session.
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
        place: Gives the address of a picture of an image.
    """
    return [_list(session, number, image, place) for number, image in enumerate(session.images.values(), start=1)]


def _list(session: Session, number: int, image: ReadImage, place: Callable[[ReadImage, str], str]) -> Entry:
    review = session.reviews.get(image.sha256)
    if session.blinding.is_held(image.sha256):
        # Nor may its place in any order tell what is kept back.
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
