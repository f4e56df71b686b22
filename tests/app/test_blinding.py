"""Reading blind first: nothing of an opinion leaves the server before the reader has said a class."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from leukoscope.app.answers import answer_review
from leukoscope.app.rendering import render_export
from leukoscope.app.reviews import UnusableReviewError, add_circumstances, form_review
from leukoscope.app.server import Office, create_server, list_pictures
from leukoscope.app.session import Session
from leukoscope.app.showings import Showings
from leukoscope.app.worklist import list_entries
from leukoscope.core.errors import InputError
from leukoscope.datasets import ShownOpinionsDataset
from tiny_reader import encode, shade


@pytest.fixture
def session(desk, about) -> Session:
    session = Session(3, about.origin, blind_first=True)
    session.reviewer = "AB"
    for brightness in (160, 130):
        session.add(desk.read(encode(shade(brightness)), "slide.png"))
    return session


@pytest.fixture
def images(session) -> list:
    return list(session.images.values())


def say(session, image, answer, phase="blind", **entered) -> tuple[str, list]:
    kept = []
    said = asyncio.run(answer_review(session, kept.append, image, phase, {"answer": answer} | entered))
    return said, [row for table in kept for row in table.to_dict("records")]


def list_all(session):
    return list_entries(session, lambda image, name: name)


def test_the_work_list_says_nothing_of_an_opinion_that_is_kept_back(session, images):
    first, second = list_all(session)
    assert {**first, "number": 2} == second  # one can not be told from the other, in any order
    assert (first["opinion"], first["likeliest"], first["certainty"], first["unlike"]) == ("", "", 0, 0)
    say(session, images[0], "Pro")
    first, second = list_all(session)
    assert (first["opinion"], first["review"]["summary"]) == ("Early", "disagree, Pro")
    assert second["likeliest"] == ""


def test_the_server_gives_the_field_alone(images):
    assert set(list_pictures(images[0], held=True)) <= {"field.jpg", "thumbnail.jpg", "full.jpg"}
    assert any(name.startswith("nearest") for name in list_pictures(images[0]))


def test_exports_say_nothing_of_it_either(session, images, about):
    rows = session.list_rows()
    told = ("opinion", "reason", "likeliest", "ood_score", "seen_in", "probability_early", "probability_malignant")
    assert [{row[name] for name in told} for row in rows] == [{None}, {None}]
    assert rows[0]["sha256"] == images[0].sha256
    page = render_export(session, about, 0.5)
    assert page.count("The opinion is hidden until it is") == 2
    assert "Opinion: " not in page
    assert "Most similar training images" not in page
    say(session, images[0], "Pro")
    assert session.list_rows()[0]["likeliest"] == "Early"
    page = render_export(session, about, 0.5)
    assert "Opinion: Early" in page
    assert "Before the opinion was seen</dt><dd>Pro" in page


def test_the_first_word_stays_and_another_may_be_added(session, images):
    said, [row] = say(session, images[0], "Pro", seconds="12.345", grade="4")
    assert said.startswith("Kept")
    assert (row["phase"], row["reviewer_class"], row["verdict"], row["seconds"], row["grade"]) == (
        "blind",
        "Pro",
        "disagree",
        12.35,
        4,
    )
    said, rows = say(session, images[0], "Early")  # a form that was still open
    assert "Nothing was kept: the opinion has been shown in the meantime" in said
    assert rows == []
    said, [row] = say(session, images[0], "Early", "revised")
    assert (row["phase"], row["verdict"], row["session"]) == ("revised", "agree", session.name)
    assert session.blinding.words[images[0].sha256].reviewer_class == "Pro"


def test_two_answers_at_once_are_one_blind_word(session, images):
    kept = []

    async def answer_twice() -> list[str]:
        given = [answer_review(session, kept.append, images[0], "blind", {"answer": one}) for one in ("Pro", "Early")]
        return await asyncio.gather(*given)

    said = asyncio.run(answer_twice())
    assert [one.split(":")[0] for one in said] == ["Kept", "Nothing was kept"]
    assert len(kept) == 1


def test_an_opinion_is_kept_back_where_the_word_could_not_be_kept(session, images):
    from kedro.io import DatasetError

    def refuse(_table):
        raise DatasetError("the disk is full")

    said = asyncio.run(answer_review(session, refuse, images[0], "blind", {"answer": "Pro"}))
    assert "the disk is full" in said
    assert session.blinding.is_held(images[0].sha256)


def test_a_blind_word_needs_a_name(session, images):
    session.reviewer = " "
    said, rows = say(session, images[0], "Pro")
    assert said.startswith("Nothing was kept: enter your name")
    assert rows == []
    assert session.blinding.is_held(images[0].sha256)


def test_the_mode_can_be_turned_off_and_on(session, images, desk):
    say(session, images[0], "Pro")
    assert session.blinding.turn(False) == [images[1].sha256]
    assert session.blinding.phase(images[1].sha256) == "unblinded"
    session.add(desk.read(encode(shade(255))))
    assert list_all(session)[2]["reason"] == "unlike the training images"
    assert session.blinding.turn(True) == []
    assert not session.blinding.is_held(images[1].sha256)  # what was shown stays shown
    session.forget()
    session.add(images[1])
    assert session.blinding.phase(images[1].sha256) == "blind"


def open_session(desk, about, showings, reviewer="AB", browser="b1", blind_first=True) -> tuple[Session, object]:
    """Open a page on one field, and give it with its field."""
    session = Session(3, about.origin, blind_first=blind_first, showings=showings)
    session.reviewer, session.browser = reviewer, browser
    session.add(desk.read(encode(shade(160))))
    return session, next(iter(session.images.values()))


@pytest.mark.parametrize("way", ["forget", "another page", "another start"])
def test_who_has_seen_the_opinion_does_not_read_blind_afterwards(desk, about, tmp_path, way):
    dataset = ShownOpinionsDataset(filepath=str(tmp_path / "reviews.db"))
    showings = Showings(dataset.load(), dataset.save)
    session, image = open_session(desk, about, showings)
    assert session.turn_blind(False) == [image.sha256]
    session.turn_blind(True)
    if way == "forget":
        session.forget()
        session.add(image)
    else:
        showings = Showings(dataset.load()) if way == "another start" else showings
        session, image = open_session(desk, about, showings, " AB")
    said, [row] = say(session, image, "Pro")
    assert "but not as blind, because the opinion on it was shown to you (" in said
    assert row["phase"] == "unblinded"
    assert session.blinding.phase(image.sha256) == "unblinded"


@pytest.mark.parametrize(
    ("seen_by", "seen_in", "reads", "reads_in", "phase"),
    [("AB", "b1", "CD", "b1", "blind"), ("", "b1", "CD", "b1", "unblinded"), ("", "b1", "CD", "b2", "blind")],
)
def test_what_is_shown_counts_for_the_reader_or_without_a_name_for_the_browser(
    desk, about, seen_by, seen_in, reads, reads_in, phase
):
    showings = Showings()
    open_session(desk, about, showings, seen_by, seen_in, blind_first=False)
    session, image = open_session(desk, about, showings, reads, reads_in)
    assert say(session, image, "Pro")[1][0]["phase"] == phase


def test_what_was_shown_before_the_washout_is_forgotten(desk, about):
    before = (datetime.now(UTC) - timedelta(days=15)).isoformat()
    session, image = open_session(desk, about, Showings())
    row = {"sha256": image.sha256, "reviewer": "AB", "browser": ""}
    for shown_at, phase in ((before, "blind"), (datetime.now(UTC).isoformat(), "unblinded"), ("?", "unblinded")):
        session, image = open_session(desk, about, Showings(pd.DataFrame([row | {"shown_at": shown_at}])))
        assert say(session, image, "Pro")[1][0]["phase"] == phase


def test_that_something_was_shown_cannot_be_kept_stops_nobody(desk, about, caplog):
    def refuse(_table):
        raise InputError("the disk is full")

    session, image = open_session(desk, about, Showings(keep=refuse), blind_first=False)
    assert "the disk is full" in caplog.text
    assert session.find_showing(image.sha256) is not None


@pytest.mark.parametrize("phase", ["revised", "unblinded"])
def test_a_second_click_keeps_nothing_more(session, images, phase):
    if phase == "revised":
        say(session, images[0], "Pro")
    else:
        session.turn_blind(False)
    assert len(say(session, images[0], "Early", phase, seconds="3", grade="2")[1]) == 1
    said, rows = say(session, images[0], "Early", phase, seconds="0", grade="2")
    assert (said, rows) == ("Already kept: agree, Early.", [])
    assert len(say(session, images[0], "Early", phase, grade="3")[1]) == 1


@pytest.mark.parametrize("where", ["reviewer", "note"])
def test_half_a_character_is_one_clear_line(session, images, where):
    fields = {"note": "well \ud83d"} if where == "note" else {}
    session.reviewer = "A\ud83d" if where == "reviewer" else "AB"
    said, rows = say(session, images[0], "Pro", **fields)
    assert said.startswith("Nothing was kept: the ")
    assert "half a character" in said
    assert rows == []
    session.turn_blind(False)  # which remembers to whom it is shown


@pytest.mark.parametrize(
    ("given", "seconds"), [("3.5", 3.5), ("", None), ("abc", None), ("-1", None), ("1e9", None), ("nan", None)]
)
def test_times_that_are_none_are_not_kept(images, given, seconds):
    review = form_review("Pro", "", "AB", images[0])
    assert add_circumstances(review, "unblinded", {"seconds": given}, "s1").seconds == seconds


@pytest.mark.parametrize("grade", ["6", "high", ["1"]])
def test_a_grade_that_there_is_none_of_is_refused(images, grade):
    with pytest.raises(UnusableReviewError, match="choose one of the grades"):
        add_circumstances(form_review("Pro", "", "AB", images[0]), "blind", {"grade": grade}, "s1")


@pytest.fixture
def client(office, serving):
    with serving(create_server(office)) as client:
        yield client


def test_what_is_kept_back_cannot_be_asked_for(client, office, desk):
    session = office.open("blind", lambda *_: None)
    session.blinding.turn(True)
    session.reviewer = "AB"
    answer = client.post("/sessions/blind/images", encode(shade(160)))
    assert answer.status == 200
    assert "Early" not in answer.text
    image = session.get(1)
    place = f"/sessions/blind/pictures/{image.sha256}"
    kept_back = [*(f"{method}.png" for method in image.maps), "nearest-1.png"]
    assert [client.get(f"{place}/{name}").status for name in kept_back] == [404] * len(kept_back)
    assert [client.get(f"{place}/{name}").status for name in ("field.jpg", "thumbnail.jpg")] == [200, 200]
    for kind in ("csv", "html"):
        text = client.get(f"/sessions/blind/session.{kind}").text
        assert json.dumps(image.probabilities["Early"])[:6] not in text
    say(session, image, "Pro")
    assert [client.get(f"{place}/{name}").status for name in kept_back] == [200] * len(kept_back)
    office.close("blind")


def test_the_mode_is_on_from_the_start_where_the_parameters_say_so(desk, about, monkeypatch):
    office = Office(desk, about)
    assert not office.open("one", lambda *_: None).blinding.on
    monkeypatch.setattr(desk, "options", desk.options.model_copy(update={"blind_first": True}))
    assert office.open("two", lambda *_: None).blinding.on
