"""A work list of many fields in a real browser: filters, keys, and a viewer that zooms."""

import threading

import numpy as np
import pytest

from review_page import FILES, SURE, UNLIKE, UNSURE, add, answer, card, file, list_rows, needs_browser, review, row
from tiny_reader import encode, shade

pytestmark = needs_browser


def news(page, words: str):
    return page.locator(".news", has_text=words)


def chosen(page) -> list[str]:
    return page.locator("article:visible [name=answer]:checked").evaluate_all("all => all.map(one => one.value)")


def shown_number(page) -> int:
    [name] = page.locator("article:visible").evaluate_all("all => all.map(one => one.id)")
    return int(name.split("-")[1])


def test_the_list_can_be_filtered_and_ordered_and_says_how_many_are_reviewed(page):
    add(page, SURE, UNSURE, UNLIKE)
    assert "0 of 3 reviewed" in page.locator(".done").inner_text()
    rows = [row(page, number).inner_text() for number in (1, 2, 3)]
    assert [text.split("\n")[1] for text in rows] == [
        "Early",
        "Abstained: not sure enough",
        "Abstained: unlike the training images",
    ]
    page.get_by_label("Order").select_option("Least sure first")
    assert list_rows(page)[0] == 2
    page.get_by_label("Order").select_option("Most unlike first")
    assert list_rows(page)[0] == 3
    page.get_by_label("Show").select_option(label="Abstained (2)")
    assert set(list_rows(page)) == {2, 3}
    page.get_by_label("Show").select_option(label="Likeliest Benign (1)")
    assert list_rows(page) == [3]
    page.get_by_label("Order").select_option("Order given")
    page.get_by_label("Show").select_option(label="All (3)")
    review(page, 2, "Pro")
    assert "1 of 3 reviewed" in page.locator(".done").inner_text()
    page.get_by_label("Show").select_option(label="Not reviewed (2)")
    assert list_rows(page) == [1, 3]
    page.get_by_label("Show").select_option(label="Reviewed (1)")
    assert list_rows(page) == [2]


def test_a_session_is_reviewed_by_keys_alone(page, reviews):
    add(page, SURE, UNSURE, UNLIKE)
    page.get_by_role("listbox").focus()
    for key in ("ArrowDown", "ArrowLeft", "End", "Home", "4", "u"):
        page.keyboard.press(key)
    assert (shown_number(page), chosen(page)) == (1, [])
    page.keyboard.press("Enter")
    news(page, "Choose first").wait_for()
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    news(page, "Image 1 kept at ").wait_for()
    assert shown_number(page) == 2
    page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    news(page, "Image 3 kept at ").wait_for()
    assert shown_number(page) == 2
    assert reviews.load()["verdict"].tolist()[-2:] == ["agree", "not assessable"]
    assert page.evaluate("document.activeElement.getAttribute('role')") == "listbox"
    assert page.get_by_role("listbox").get_attribute("aria-activedescendant") == "row-2"


def test_keys_do_nothing_while_somebody_types_or_has_turned_them_off(page):
    add(page, SURE, UNSURE)
    note = card(page, 1).get_by_label("Note")
    note.press_sequentially("n2 m?")
    note.press("ArrowRight")
    page.get_by_label("Your name or initials").press_sequentially("14")
    assert note.input_value() == "n2 m?"
    assert (shown_number(page), chosen(page)) == (1, [])
    assert not page.get_by_role("dialog").is_visible()
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Keys are active").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    assert shown_number(page) == 1


def test_the_keys_are_said_in_an_overlay(page):
    page.keyboard.press("?")
    overlay = page.get_by_role("dialog", name="Keys")
    assert "choose Pro" in overlay.get_by_role("row", name="4").inner_text()
    page.keyboard.press("?")
    assert not overlay.is_visible()
    add(page, SURE)
    page.keyboard.press("?")
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    assert not overlay.is_visible()
    assert chosen(page) == []


def pinch(page, box: dict) -> None:
    """Move two fingers in the middle of a box three times as far apart."""
    browser = page.context.new_cdp_session(page)
    browser.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 60)):
        fingers = [{"x": x + apart * side, "y": y, "id": number} for number, side in enumerate((-1, 1))]
        browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})
    browser.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.fixture
def large() -> dict:
    pixels = np.kron(shade(160, 30), np.ones((10, 10, 1), np.uint8))
    pixels[:150] -= 30
    return file("large.png", encode(pixels))


def test_a_field_is_zoomed_to_its_full_size_with_the_map_in_step(page, large):
    add(page, large)
    frame, stage = (card(page, 1).locator(f".{part}") for part in ("frame", "stage"))
    page.keyboard.press("+")
    page.wait_for_function("document.querySelector('.full')?.naturalWidth === 300")
    frame.hover(position={"x": 9, "y": 9})
    page.mouse.wheel(0, -500)
    zoomed = stage.bounding_box()
    assert zoomed["width"] > 2 * frame.bounding_box()["width"]
    assert card(page, 1).locator(".heat").bounding_box() == zoomed
    page.keyboard.press("Shift+ArrowRight")
    assert stage.bounding_box()["x"] < zoomed["x"]
    page.keyboard.press("m")
    assert not card(page, 1).locator(".heat").is_visible()
    page.keyboard.press("0")
    assert stage.bounding_box()["width"] == frame.bounding_box()["width"]
    frame.dblclick()
    assert stage.bounding_box()["width"] == 2 * frame.bounding_box()["width"]
    page.keyboard.press("0")
    pinch(page, frame.bounding_box())
    assert stage.bounding_box()["width"] == pytest.approx(3 * frame.bounding_box()["width"])
    assert page.evaluate("visualViewport.scale") == 1


def test_names_of_files_are_shown_and_not_sent(page, office):
    sent = []
    page.on("request", lambda request: sent.append(f"{request.headers} {request.post_data_buffer}"))
    page.on("websocket", lambda socket: socket.on("framesent", lambda content: sent.append(str(content))))
    page.reload()
    add(page, SURE, UNSURE)
    assert SURE["name"] in row(page, 1).inner_text()
    review(page, 1, "Pro")
    assert UNSURE["name"] in page.locator(".where").inner_text()
    assert any("images" in one or "answer" in one for one in sent)
    assert not any("Jane" in one for one in sent)
    assert "Jane" not in "".join(tab.session.write_csv() for tab in office.tabs.values())


def test_the_first_is_reviewed_while_others_are_read(page, office, monkeypatch):
    read, go_on = office.desk.read, threading.Event()

    def read_late(*arguments):
        image = read(*arguments)
        if image.likeliest != "Early" or image.reason:
            go_on.wait(20)
        return image

    monkeypatch.setattr(office.desk, "read", read_late)
    page.set_input_files(FILES, [SURE, UNLIKE, UNSURE])
    row(page, 1).wait_for()
    waiting = page.locator("[role=option][aria-disabled=true]")
    assert [one.inner_text().split("\n") for one in waiting.all()] == [
        [UNLIKE["name"], "being read"],
        [UNSURE["name"], "waiting"],
    ]
    review(page, 1, "Pro")
    assert "1 of 3 reviewed, 2 still to be read" in " ".join(page.locator(".done").inner_text().split())
    go_on.set()
    row(page, 3).wait_for()
    assert shown_number(page) == 1


@pytest.mark.slow
def test_times_are_those_where_the_reviewer_is(browser, address, reviews):
    context = browser.new_context(timezone_id="Asia/Kathmandu", locale="en-GB")
    page = context.new_page()
    page.goto(address)
    add(page, SURE)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    news(page, "Image 1 kept at ").wait_for()
    hour, minute = map(int, reviews.load()["reviewed_at"].iloc[-1][11:16].split(":"))
    there = (60 * hour + minute + 345) % (24 * 60)
    said = f"{there // 60:02}:{there % 60:02}"
    assert f"kept at {said}: agree, Early." in page.locator(".news").inner_text()
    assert f"reviewed at {said}" in page.locator(".where").inner_text()
    context.close()


def test_a_review_that_is_not_kept_stays_and_is_not_called_reviewed(page, monkeypatch):
    add(page, SURE, UNSURE)
    shown = card(page, 1)
    shown.get_by_label("Note").evaluate("one => { one.removeAttribute('maxlength'); one.value = 'x'.repeat(2001); }")
    answer(shown, "Pro").check()
    page.keyboard.press("Enter")
    shown.get_by_text("Nothing was kept: the note has 2,001 characters").wait_for()
    assert (shown_number(page), chosen(page)) == (1, ["Pro"])
    assert page.locator(".mark").count() == 0
