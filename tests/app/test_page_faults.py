"""The page in a real browser, where the machine is slow or somebody means ill."""

import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from review_page import FILES, SURE, UNLIKE, UNSURE, add, card, file, list_rows, needs_browser
from tiny_reader import encode, shade

pytestmark = needs_browser


@pytest.mark.slow
def test_a_slow_machine_loses_no_image(page, office, monkeypatch):
    """It answers nothing for some seconds, so that the browser gives its socket up, and is slow to open another."""
    from nicegui import core

    work, handlers, begun = office.work, core.sio.handlers["/"], []

    async def starve(*arguments):
        begun.append(1)
        time.sleep(8 if len(begun) == 2 else 0)
        await asyncio.sleep(2)
        return await work(*arguments)

    def delay(handler):
        async def handle_late(*arguments):
            await asyncio.sleep(1.5)
            return await handler(*arguments)

        return handle_late

    for name in ("connect", "handshake"):
        monkeypatch.setitem(handlers, name, delay(handlers[name]))
    monkeypatch.setattr(office, "work", starve)
    page.set_input_files(FILES, [SURE, UNSURE, UNLIKE])
    page.locator(".drop [role=status]", has_text="3 read, 0 not read").wait_for(timeout=60_000)
    assert list_rows(page) == [1, 2, 3]


def test_what_a_lost_page_did_not_read_is_still_named_when_it_is_loaded_anew(page, office, monkeypatch):
    before = set(office.tabs)
    read = office.desk.read

    def read_and_lose(*arguments):
        for key in before:
            office.close(key)
        return read(*arguments)

    assert add(page, SURE) == "1 read, 0 not read"
    monkeypatch.setattr(office.desk, "read", read_and_lose)
    page.set_input_files(FILES, [UNSURE, UNLIKE])
    page.locator(".drop [role=status]", has_text="0 read, 2 not read").wait_for()
    for _ in range(2):
        said = page.get_by_role("alert").inner_text()
        for name in (UNSURE["name"], UNLIKE["name"]):
            assert f"{name}: this page's session has ended: reload the page" in said
        if page.locator(".drop [role=status]").inner_text():
            page.reload()
            page.get_by_role("heading", name="Add smears").wait_for()
    page.reload()
    page.get_by_role("heading", name="Add smears").wait_for()
    assert page.locator(".drop [role=alert]").inner_text() == ""


def test_what_is_waiting_when_the_page_is_loaded_anew_is_named(page, office, monkeypatch):
    read, reading, go_on = office.desk.read, threading.Event(), threading.Event()

    def read_late(*arguments):
        reading.set()
        go_on.wait(20)
        return read(*arguments)

    monkeypatch.setattr(office.desk, "read", read_late)
    page.set_input_files(FILES, [SURE, UNSURE])
    assert reading.wait(20)
    page.reload()
    go_on.set()
    said = page.get_by_role("alert").inner_text()
    assert f"{SURE['name']}: " in said
    assert f"{UNSURE['name']}: the page was reloaded before it was read" in said


def test_what_a_dead_server_did_not_take_is_named_by_the_next(page):
    page.route("**/images", lambda route: route.abort())
    page.set_input_files(FILES, [SURE, UNSURE])
    page.locator(".drop [role=status]", has_text="0 read, 2 not read").wait_for()
    page.reload()
    page.get_by_role("alert").get_by_text("Not read").wait_for()
    said = page.get_by_role("alert").inner_text()
    assert all(f"{one['name']}: could not be sent" in said for one in (SURE, UNSURE))


def test_markup_in_a_name_stays_text(page):
    page.get_by_label("Keep file names").check()
    name = "<img src=x onerror=alert(1)>.png"
    assert add(page, file(name, SURE["buffer"]), file(name, b"")) == "1 read, 1 not read"
    assert name in card(page, 1).inner_text()
    assert f"{name}: empty file" in page.get_by_role("alert").inner_text()


@pytest.mark.slow
def test_ten_thousand_files_are_refused_but_for_those_that_fit(page):
    page.evaluate(
        """content => {
            const data = new DataTransfer();
            for (let number = 0; number < 10000; number += 1) {
                data.items.add(new File([new Uint8Array(content)], `${number}.png`));
            }
            window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
        }""",
        list(encode(shade(160))),
    )
    page.locator(".drop [role=status]", has_text="1 read, 2 not read").wait_for()
    assert "9997 of 10000 files: at most 3 at a time" in page.get_by_role("alert").inner_text()


class OtherSite(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another site</title>")

    def log_message(self, *_):
        pass


@pytest.fixture
def other_site(browser):
    server = HTTPServer(("127.0.0.1", 0), OtherSite)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    site = browser.new_page()
    site.goto(f"http://127.0.0.1:{server.server_port}/")
    yield site
    site.close()
    server.shutdown()
    server.server_close()


def test_the_page_of_another_site_gets_no_socket_and_no_answer(other_site, address):
    opened = other_site.evaluate(
        """address => new Promise(resolve => {
            const path = "_nicegui_ws/socket.io/?EIO=4&transport=websocket";
            const socket = new WebSocket(address.replace("http", "ws") + path);
            socket.onopen = () => resolve(true);
            socket.onerror = () => resolve(false);
        })""",
        address,
    )
    assert opened is False
    polled = other_site.evaluate(
        """address => fetch(address + "_nicegui_ws/socket.io/?EIO=4&transport=polling")
            .then(answer => answer.status, () => "no answer")""",
        address,
    )
    assert polled == "no answer"
