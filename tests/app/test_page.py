"""The page in a real browser: Debian's Chromium, headless."""

import csv
import io
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from review_page import FILES, SURE, UNLIKE, UNSURE, add, card, file, list_rows, needs_browser, review, smear
from tiny_reader import encode, shade

pytestmark = needs_browser


def is_outlined(page) -> bool:
    """Say whether one sees where the focus is."""
    style = page.evaluate(
        "(({outlineStyle, outlineWidth}) => [outlineStyle, parseFloat(outlineWidth)])"
        "(getComputedStyle(document.activeElement))"
    )
    return style[0] != "none" and style[1] >= 2


def test_opinions_and_why_there_is_none_are_said_in_words(page):
    assert add(page, SURE, UNSURE, UNLIKE) == "3 read, 0 not read"
    assert card(page, 1).locator(".opinion").inner_text() == "Opinion: Early"
    assert card(page, 2).locator(".opinion").inner_text() == "Abstained: not sure enough"
    assert "An opinion is given from 60.0 %" in " ".join(card(page, 2).inner_text().split())
    assert (
        card(page, 3).locator(".opinion").inner_text() == "Abstained: unlike the training images: unfamiliar features"
    )
    rows = card(page, 1).get_by_role("row")
    assert [row.get_by_role("rowheader").inner_text() for row in rows.all()] == [
        "Benign",
        "Early",
        "Pre",
        "Pro",
        "Malignant (any but Benign)",
    ]
    assert all("%" in row.inner_text() for row in rows.all())
    assert card(page, 1).locator("figcaption", has_text="distance").count() == 3
    pictures = card(page, 1).locator("img")
    for picture in pictures.all():
        picture.scroll_into_view_if_needed()
        picture.evaluate("one => one.decode()")
    assert all(picture.evaluate("one => one.naturalWidth > 0") for picture in pictures.all())


def test_what_cannot_be_read_is_named_with_the_reason(page):
    files = [file("notes.txt", b"hello"), file("empty.png", b""), file("big.png", b"x" * 50_001)]
    page.set_input_files(FILES, files)
    page.locator(".drop [role=status]", has_text="0 read, 3 not read").wait_for()
    said = page.get_by_role("alert").inner_text()
    assert "notes.txt: not an image of a known format" in said
    assert "empty.png: empty file (0 bytes)" in said
    assert "big.png: too large: 50,001 bytes; at most 50,000 are allowed" in said
    assert add(page, SURE, SURE) == "1 read, 1 not read"
    assert "the same file as image 1" in page.get_by_role("alert").inner_text()


def test_too_many_files_are_refused_in_the_browser_and_on_the_server(page):
    page.set_input_files(FILES, [file(f"{one}.png", encode(shade(one))) for one in range(100, 105)])
    page.locator(".drop [role=status]", has_text="3 read, 0 not read").wait_for()
    assert "2 of 5 files: at most 3 at a time" in page.get_by_role("alert").inner_text()
    assert add(page, SURE) == "0 read, 1 not read"
    assert "is full" in page.get_by_role("alert").inner_text()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget these images").click()
    page.get_by_text("None yet.").wait_for()
    assert add(page, SURE) == "1 read, 0 not read"


def test_files_may_be_dropped_anywhere_on_the_page(page):
    content = list(encode(shade(160)))
    dropped = page.evaluate_handle(
        """content => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(content)], "dropped.png"));
            return data;
        }""",
        content,
    )
    page.dispatch_event("h1", "drop", {"dataTransfer": dropped})
    assert card(page, 1).locator(".opinion").inner_text() == "Opinion: Early"


def test_the_opacity_of_the_overlay_follows_its_slider(page):
    add(page, file("field.png", smear(220)))
    slider, heat = card(page, 1).get_by_label("Opacity of the overlay"), card(page, 1).locator(".heat")
    assert heat.evaluate("one => getComputedStyle(one).opacity") == "0.5"
    slider.focus()
    slider.press("End")
    assert heat.evaluate("one => getComputedStyle(one).opacity") == "1"
    assert card(page, 1).locator(".slider output").inner_text() == "100 %"
    slider.press("Home")
    assert heat.evaluate("one => getComputedStyle(one).opacity") == "0"


def test_occlusion_comes_on_request(page):
    add(page, file("field.png", smear(220)))
    heat = card(page, 1).locator(".heat")
    before = heat.get_attribute("src")
    card(page, 1).get_by_label("occlusion").check()
    card(page, 1).get_by_text("The occlusion map is ready.").wait_for()
    card(page, 1).locator("figcaption", has_text="(occlusion)").wait_for()
    assert heat.get_attribute("src") == before.replace("Grad-CAM", "occlusion")
    assert heat.evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
    card(page, 1).get_by_label("Grad-CAM").check()
    card(page, 1).locator("figcaption", has_text="(Grad-CAM)").wait_for()
    assert heat.get_attribute("src") == before


def test_reviews_are_kept_without_names_of_files(page, reviews):
    page.get_by_label("Your name or initials").fill("AB")
    add(page, SURE, UNSURE)
    review(page, 1, "Pro", "large\nnuclei; <b>odd</b>")
    review(page, 1, "Early", "after all")
    review(page, 2, "Not assessable")
    rows = reviews.load().tail(3).reset_index(drop=True)
    assert rows["verdict"].tolist() == ["disagree", "agree", "not assessable"]
    assert rows["reviewer_class"].fillna("").tolist() == ["Pro", "Early", ""]
    assert rows["note"].tolist() == ["large\nnuclei; <b>odd</b>", "after all", ""]
    assert rows["reviewer"].tolist() == ["AB"] * 3
    assert rows["file_name"].isna().all()
    assert b"Jane Roe" not in Path(reviews._filepath).read_bytes()


def test_names_of_files_are_kept_where_the_box_is_ticked(page, reviews):
    assert not page.get_by_label("Keep file names").is_checked()
    page.get_by_label("Keep file names").check()
    add(page, SURE)
    assert SURE["name"] in card(page, 1).inner_text()
    review(page, 1, "Early")
    assert reviews.load().iloc[-1]["file_name"] == SURE["name"]


def test_without_an_answer_no_review_is_sent(page, reviews):
    add(page, SURE)
    review(page, 1, "Early")
    before = len(reviews.load())
    page.reload()
    add(page, SURE)
    card(page, 1).get_by_role("button", name="Keep this review").click()
    assert card(page, 1).locator("input[name=answer]:invalid").count() > 0
    assert len(reviews.load()) == before


def test_the_session_is_exported_as_csv_and_as_html_that_stands_alone(page, browser, tmp_path):
    add(page, SURE, UNSURE)
    review(page, 1, "Early")
    for kind in ("CSV", "HTML"):
        with page.expect_download() as download:
            page.get_by_role("link", name=kind).click()
        download.value.save_as(tmp_path / f"session.{kind.lower()}")
    [first, second] = csv.DictReader(io.StringIO((tmp_path / "session.csv").read_text()))
    assert (first["verdict"], second["reason"]) == ("agree", "not sure enough")
    context = browser.new_context(offline=True)
    alone, asked = context.new_page(), []
    alone.on("request", lambda request: asked.append(urlsplit(request.url).scheme))
    alone.goto((tmp_path / "session.html").as_uri())
    assert alone.get_by_role("article").count() == 2
    assert all(one.evaluate("one => one.naturalWidth > 0") for one in alone.locator("img").all())
    assert set(asked) <= {"file", "data"}
    assert alone.pdf()[:4] == b"%PDF"
    context.close()


def test_nothing_is_asked_of_another_machine(page, asked):
    add(page, file("field.png", smear(220)), UNSURE)
    card(page, 1).get_by_label("occlusion").check()
    card(page, 1).get_by_text("The occlusion map is ready.").wait_for()
    review(page, 1, "Not assessable")
    page.get_by_text("Model card").first.click()
    with page.expect_download():
        page.get_by_role("link", name="HTML").click()
    assert any(one.startswith("ws") for one in asked)
    assert {urlsplit(one).hostname for one in asked if not one.startswith(("data:", "blob:"))} == {"127.0.0.1"}


def test_the_browser_itself_would_refuse_to(page):
    refused = page.evaluate(
        """() => new Promise(resolve => {
            document.addEventListener("securitypolicyviolation", event => resolve(event.blockedURI));
            fetch("https://example.org/").catch(() => {});
        })"""
    )
    assert refused.startswith("https://example.org")


def test_a_page_that_is_closed_is_forgotten(browser, address, office, monkeypatch):
    from nicegui import Client

    before = set(office.tabs)
    page = browser.new_page()
    page.goto(address)
    add(page, SURE)
    [key] = set(office.tabs) - before
    assert len(office.tabs[key].session.images) == 1
    [shown] = {client.page for client in Client.instances.values()}
    monkeypatch.setattr(shown, "reconnect_timeout", 0.5)  # less makes a slow machine forget pages that are open
    page.close()
    deadline = time.monotonic() + 10
    while key in office.tabs and time.monotonic() < deadline:
        time.sleep(0.1)
    assert key not in office.tabs


def test_two_pages_have_sessions_of_their_own(page, browser, address):
    other = browser.new_page()
    other.goto(address)
    other.get_by_role("heading", name="Add smears").wait_for()
    add(page, SURE)
    assert list_rows(other) == []
    assert add(other, UNSURE) == "1 read, 0 not read"
    assert list_rows(page) == [1]
    other.close()


def test_all_can_be_done_by_keyboard_and_the_focus_is_seen(page, reviews):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to adding smears"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "file"
    assert is_outlined(page)
    add(page, SURE)
    card(page, 1).get_by_label("Opacity of the overlay").focus()
    visited = []
    for _ in range(5):
        page.keyboard.press("Tab")
        visited.append(page.evaluate("document.activeElement.name || document.activeElement.type"))
        assert is_outlined(page)
        if visited[-1] == "answer":
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
    assert visited[:5] == ["map-1", "answer", "grade", "note", "submit"]
    card(page, 1).get_by_role("button", name="Keep this review").focus()
    page.keyboard.press("Enter")
    card(page, 1).get_by_text("Kept: ").wait_for()
    assert reviews.load().iloc[-1]["verdict"] == "agree"


def test_a_screen_reader_finds_its_way(page):
    add(page, SURE, UNSURE)
    assert page.evaluate("document.documentElement.lang") == "en-US"
    assert page.title() == "Review of smears - Leukoscope"
    assert page.get_by_role("heading", level=1).count() == 1
    for landmark in ("banner", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(one => Number(one.tagName[1]))")
    assert max(np.diff(levels)) <= 1
    unnamed = page.evaluate(
        """[...document.querySelectorAll("#app :is(input, textarea, select)")]
            .filter(one => !one.labels.length).map(one => one.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator("#app img:not([alt])").count() == 0
    names = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(names) == len(set(names))
    assert page.locator(".drop [role=status]").count() == 1


@pytest.mark.parametrize("width", [1300, 390])
def test_wide_and_narrow_screens_need_no_sideways_scrolling(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    add(page, SURE, UNSURE)
    page.get_by_text("Model card").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_limits_of_use_and_the_model_card_are_there(page):
    assert page.get_by_text("A research tool, not a medical device.").is_visible()
    page.get_by_text("Model card").first.click()
    assert page.get_by_role("heading", name="Model card: Tiny").is_visible()


def test_the_warning_of_drawn_data_is_the_first_thing_on_the_page(page):
    first = page.locator("header").first.locator("> *").first
    assert first.inner_text() == "Trained on <drawn> data"
    assert first.get_attribute("class") == "drawn"
    assert first.bounding_box()["y"] < page.get_by_role("heading", name="Review of smears").bounding_box()["y"]


def test_doubtful_labels_are_shown_with_pictures_and_what_is_said_of_them_is_kept(page, label_reviews):
    page.get_by_label("Your name or initials").fill("AB")
    page.get_by_label("Your name or initials").press("Tab")
    section = page.locator("details#labels")
    section.get_by_role("heading", name="Doubtful labels").click()
    assert "the first 2 of 2" in " ".join(section.inner_text().split())
    first = section.get_by_role("listitem").first
    assert "1. Labelled Early (10.0 %), suggested Pro (80.0 %) by 2 of 3 models" in " ".join(first.inner_text().split())
    picture = first.locator("img")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('#labels img').naturalWidth > 0")
    first.get_by_label("The label is wrong: Pro").check()
    first.get_by_label("Note").fill("smudge")
    first.get_by_role("button", name="Keep").click()
    first.get_by_text("Kept: label wrong: Pro (AB).").wait_for()
    row = label_reviews.load().iloc[-1]
    assert (row["verdict"], row["reviewer_class"], row["note"], row["reviewer"]) == (
        "label wrong",
        "Pro",
        "smudge",
        "AB",
    )
    page.reload()
    page.locator("details#labels summary").click()
    page.locator("details#labels").get_by_text("label wrong: Pro (AB)").wait_for()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
