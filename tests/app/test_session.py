import asyncio
import csv
import io
import re

import pytest

from leukoscope.app.rendering import describe_reader, format_percent, render_export, render_part
from leukoscope.app.reviews import form_review
from leukoscope.app.session import RefusedError, Session, gather
from tiny_reader import encode, make_reader, shade


@pytest.fixture
def session(desk, about) -> Session:
    return Session(desk.options.max_images, about.origin)


def read_rows(session) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(session.write_csv())))


async def in_parts(content: bytes, size: int):
    for start in range(0, len(content), size):
        yield content[start : start + size]


def test_files_are_gathered_up_to_the_limit():
    assert asyncio.run(gather(in_parts(b"x" * 100, 30), 100)) == b"x" * 100


def test_a_file_is_refused_as_soon_as_it_is_too_large():
    came = []

    async def very_long():
        for _ in range(100):
            came.append(1)
            yield b"x" * 30

    with pytest.raises(RefusedError, match=r"too large: at most 100 bytes.*app\.max_bytes"):
        asyncio.run(gather(very_long(), 100))
    assert len(came) == 4


def test_a_full_session_takes_no_more(session, desk):
    for brightness in (160, 161, 162):
        session.require_room()
        session.add(desk.read(encode(shade(brightness))))
    with pytest.raises(RefusedError, match="holds 3 images"):
        session.require_room()
    session.forget()
    session.require_room()


def test_the_same_file_is_refused_whatever_its_name(session, desk):
    content = encode(shade(160))
    session.add(desk.read(content, "a.png"))
    with pytest.raises(RefusedError, match="the same file as image 1"):
        session.require_new(content)
    session.require_new(encode(shade(161)))


def test_full_size_pictures_are_held_as_long_as_there_is_room_for_them(desk, about):
    first, second, third = (desk.read(encode(shade(one)))._replace(full=b"x" * 40) for one in (160, 161, 162))
    session = Session(3, about.origin, max_full_bytes=100)
    for image in (first, second, third):
        session.add(image)
    assert [image.full is not None for image in session.images.values()] == [True, True, False]
    session.forget()
    session.add(third)
    assert session.images[third.sha256].full


def test_the_csv_has_a_row_an_image_with_the_last_review(session, desk):
    first, second = desk.read(encode(shade(160))), desk.read(encode(shade(130)))
    session.add(first)
    session.add(second)
    session.reviews[first.sha256] = form_review("Pre", "dark, large", "AB", first)
    rows = read_rows(session)
    assert [row["number"] for row in rows] == ["1", "2"]
    assert rows[0]["opinion"] == "Early"
    assert float(rows[0]["probability_early"]) == pytest.approx(first.probabilities["Early"])
    assert [rows[0][name] for name in ("verdict", "reviewer_class", "note", "reviewer")] == [
        "disagree",
        "Pre",
        "dark, large",
        "AB",
    ]
    assert (rows[1]["opinion"], rows[1]["reason"], rows[1]["verdict"]) == ("abstained", "not sure enough", "")
    assert {row["file_name"] for row in rows} == {""}
    assert {row["model_fingerprint"] for row in rows} == {desk.reader.classifier.fingerprint}


def test_no_spreadsheet_takes_a_note_for_a_formula(session, desk):
    image = desk.read(encode(shade(160)), "=cmd.png")
    session.add(image)
    session.reviews[image.sha256] = form_review("Early", "=1+1", "@me", image)
    row = read_rows(session)[0]
    assert (row["note"], row["reviewer"], row["file_name"]) == ("'=1+1", "'@me", "'=cmd.png")


def test_an_empty_session_can_be_exported(session, about):
    assert session.write_csv() == "number\n"
    assert "0 images" in render_export(session, about, 0.5)


def test_what_is_exported_is_what_was_there_then(session, desk, about):
    """The page goes on meanwhile: maps come, opinions are shown, images are forgotten."""
    session.blinding.turn(True)
    image = desk.read(encode(shade(160)))
    session.add(image)
    frozen, maps = session.freeze(), len(image.maps)
    desk.add_occlusion(image)
    session.forget()
    page = render_export(frozen, about, 0.5)
    assert "The opinion is hidden until it is." in page
    assert len(frozen.images[image.sha256].maps) == maps < len(image.maps)


def test_the_html_stands_alone_and_says_everything(session, desk, about):
    first, second = desk.read(encode(shade(160))), desk.read(encode(shade(255)))
    session.add(first)
    session.add(second)
    desk.add_occlusion(first)
    session.reviews[first.sha256] = form_review("Early", "<b>sure</b>", "", first)
    page = render_export(session, about, 0.5)
    assert set(re.findall(r'(?:src|href)="([^"]{0,10})', page)) == {"data:image"}
    assert re.findall(r"https?://|@import|<script", page) == []
    assert page.count("<h1>") == 1
    assert '<html lang="en">' in page
    assert "Opinion: Early" in page
    assert "Abstained: unlike the training images: unfamiliar features" in page
    assert "agree: Early" in page
    assert "&lt;b&gt;sure&lt;/b&gt;" in page
    assert page.count("<figure>") == 3 + 2 + 6  # field and maps of each, and three neighbours
    assert "not a medical device" in page
    assert about.origin["model_fingerprint"] in page


def test_the_card_stands_below_the_headings_of_the_page_and_without_its_html(about):
    assert "<h3>Model card: Tiny</h3>" in about.card
    assert "<td>accuracy</td>" in about.card
    assert "<script>" not in about.card


def test_without_a_card_it_says_how_to_get_one(about):
    assert "kedro run --pipelines reporting" in render_part("card", about._replace(card=None))


@pytest.mark.parametrize(
    ("share", "words"), [(1.0, "above 99.9 %"), (0.9992, "above 99.9 %"), (0.618, "61.8 %"), (0.0, "below 0.1 %")]
)
def test_nothing_is_written_as_certain(share, words):
    assert format_percent(share) == words


@pytest.mark.parametrize("drawn", [55, 0])
def test_exports_of_a_reader_that_learned_from_drawn_images_say_so(desk, drawn):
    about = describe_reader(make_reader(drawn=drawn), None)
    session = Session(3, about.origin, about.trained_on)
    session.add(desk.read(encode(shade(160)))._replace(drawn=True))
    row = read_rows(session)[0]
    assert row["trained_on"] == ("drawn images" if drawn else "no images known to be drawn")
    assert row["drawn"] == "True"
    page = render_export(session, about, 0.5)
    header = page.split("<header>")[1].split("</header>")[0]
    assert ("Leukoscope drew all 55 images of the data that the classifier learned from" in header) is bool(drawn)
    assert ("Trained on drawn data" in page.split("</title>")[0]) is bool(drawn)
    assert "This image was drawn by Leukoscope." in page
