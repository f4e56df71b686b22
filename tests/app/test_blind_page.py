"""Reading blind first in a real browser."""

from review_page import SURE, UNSURE, add, answer, card, needs_browser, row

pytestmark = needs_browser


def keep(page, words: str) -> None:
    answer(card(page, 1), words).check()
    card(page, 1).get_by_role("button", name="Keep this review").click()


def test_a_class_is_said_before_the_opinion_is_shown(page, reviews, caplog):
    received = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(str(frame))))
    page.reload()
    page.get_by_label("Choose the class before you see the opinion").check()
    page.get_by_text("Doubtful labels").wait_for(state="detached")
    received.clear()
    add(page, SURE, UNSURE)
    assert page.locator(".opinion, .chances, .heat, figcaption").count() == 0
    assert row(page, 1).inner_text().split("\n")[1:] == row(page, 2).inner_text().split("\n")[1:]
    assert received
    assert not [frame for frame in received if any(told in frame for told in ("not sure enough", "nearest-", "deviat"))]

    keep(page, "Pro")
    card(page, 1).get_by_text("Nothing was kept: enter your name").wait_for()
    page.get_by_label("Your name or initials").fill("CD")
    page.get_by_label("Your name or initials").press("Tab")
    card(page, 1).get_by_label("Malignant, how surely?").select_option("4")
    page.wait_for_timeout(600)
    keep(page, "Pro")
    card(page, 1).locator(".opinion", has_text="Opinion: Early").wait_for()
    assert answer(card(page, 1), "Pro").is_checked()
    assert "still being used" not in caplog.text  # of what was shown before
    assert "Before, you said Pro." in card(page, 1).inner_text()

    keep(page, "Early")
    page.locator(".news, [role=status]", has_text="agree, Early").first.wait_for()
    table = reviews.load()
    blind, revised = table[table["reviewer"] == "CD"].to_dict("records")
    assert (blind["phase"], blind["reviewer_class"], blind["grade"]) == ("blind", "Pro", 4)
    assert (revised["phase"], revised["reviewer_class"], revised["session"]) == ("revised", "Early", blind["session"])
    assert blind["seconds"] >= 0.5

    page.get_by_label("Choose the class before you see the opinion").uncheck()
    row(page, 2).get_by_text("not sure enough").wait_for()
    page.get_by_text("Doubtful labels").first.wait_for()


def test_name_and_switch_outlast_a_reload_and_what_was_shown_is_not_read_blind(page, reviews):
    switch, name = page.get_by_label("Choose the class before you see the opinion"), page.get_by_label("Your name or")
    switch.check()
    name.fill("EF")
    name.press("Tab")
    page.get_by_text("Doubtful labels").wait_for(state="detached")
    page.reload()
    page.get_by_text("Doubtful labels").wait_for(state="detached")
    assert (switch.is_checked(), name.input_value()) == (True, "EF")
    add(page, SURE)
    assert page.locator(".opinion").count() == 0
    switch.uncheck()
    card(page, 1).locator(".opinion").wait_for()
    switch.check()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget these images").click()
    page.locator("article").wait_for(state="detached")
    add(page, SURE)
    assert page.locator(".opinion").count() == 0
    keep(page, "Pro")
    page.get_by_text("but not as blind, because the opinion on it was shown to you").first.wait_for()
    card(page, 1).locator(".opinion").wait_for()
    assert reviews.load().query("reviewer == 'EF'")["phase"].tolist() == ["unblinded"]
