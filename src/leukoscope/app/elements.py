"""What the page is built of: plain HTML, forms that say what became of them, and parts that work in the browser."""

from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from leukoscope.app.server import NAME_HEADER

SEND_VALUE = "(event) => emit(event.target.value)"
_SEND_FORM = "(event) => { event.preventDefault(); emit(Object.fromEntries(new FormData(event.target))); }"


class Drop(Element, component="drop.js"):
    """Takes files in the browser, and sends them.

    Args:
        url: Where to.
        max_images: How many are taken at a time.
        max_bytes: Of each.
    """

    def __init__(self, url: str, max_images: int, max_bytes: int) -> None:
        super().__init__()
        self.props.update({"url": url, "name-header": NAME_HEADER, "max-images": max_images, "max-bytes": max_bytes})


def add_html(content: str, tag: str = "div") -> ui.html:
    """Add HTML whose parts are escaped already, as the templates do with what they are given."""
    return ui.html(content, sanitize=False, tag=tag)


def add_button(words: str) -> ui.html:
    """Add a button that sends no form."""
    return add_html(words, "button").props("type=button")


def add_picture(place: str, words: str) -> Element:
    """Add a picture, and the words for those who do not see it."""
    picture = ui.element("img")
    picture.props.update({"src": place, "alt": words})
    return picture


def add_form(content: str, answer: Callable[[Any], Awaitable[str]], before: str = "") -> ui.html:
    """Add a form with a line below it that says what became of what was entered, or was ``before``.

    Args:
        content: The controls, as HTML.
        answer: Takes what was entered, and gives the line.
        before: The line at first.
    """
    form = add_html(content, "form")
    status = add_html(escape(before), "p").props("role=status")

    async def submit(event: GenericEventArguments) -> None:
        status.set_content(escape(await answer(event.args)))

    form.on("submit", submit, js_handler=_SEND_FORM)
    return form
