"""What the work list says of each image."""

import pytest

from leukoscope.app.reviews import form_review
from leukoscope.app.session import Session
from leukoscope.app.worklist import list_entries
from tiny_reader import encode, shade


@pytest.fixture
def session(desk, about) -> Session:
    session = Session(3, about.origin)
    for brightness in (160, 130, 255):
        session.add(desk.read(encode(shade(brightness)), "Jane Roe.png"))
    return session


def list_all(session):
    return list_entries(session, lambda image, name: f"{image.sha256[:4]}/{name}")


def test_it_says_the_opinion_or_in_short_why_there_is_none(session):
    entries = list_all(session)
    assert [(one["number"], one["opinion"], one["reason"]) for one in entries] == [
        (1, "Early", ""),
        (2, "", "not sure enough"),
        (3, "", "unlike the training images"),
    ]
    assert entries[0]["thumbnail"] == f"{next(iter(session.images))[:4]}/thumbnail.jpg"


def test_images_can_be_ordered_by_how_sure_and_how_unlike_they_are(session):
    for one, image in zip(list_all(session), session.images.values(), strict=True):
        assert one["likeliest"] == image.likeliest
        assert one["certainty"] == max(image.probabilities.values())
        assert one["unlike"] == image.ood_score
    assert min(list_all(session), key=lambda one: one["certainty"])["number"] == 2
    assert max(list_all(session), key=lambda one: one["unlike"])["number"] == 3


def test_it_says_what_was_reviewed_and_how(session):
    image = list(session.images.values())[1]
    review = session.reviews[image.sha256] = form_review("Pro", "", "", image)
    assert [one["review"] for one in list_all(session)] == [
        None,
        {"at": review.reviewed_at, "summary": "disagree, Pro"},
        None,
    ]
