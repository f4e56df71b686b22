"""Building blocks of the page: plain HTML, forms that report their result, and components that run in the browser."""

from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from leukoscope.app.read_image import ReadImage
from leukoscope.app.server import NAME_HEADER
from leukoscope.app.worklist import Entry

SEND_VALUE = "(event) => emit(event.target.value)"
_SEND_FORM = "(event) => { event.preventDefault(); emit(Object.fromEntries(new FormData(event.target))); }"


class Drop(Element, component="drop.js"):
    """Accepts files in the browser and sends them to the server.

    Args:
        url: The URL to send files to.
        max_images: Maximum number of files at a time.
        max_bytes: Maximum size of each file.
    """

    def __init__(self, url: str, max_images: int, max_bytes: int) -> None:
        super().__init__()
        self.props.update({"url": url, "name-header": NAME_HEADER, "max-images": max_images, "max-bytes": max_bytes})


class Keys(Element, component="keys.js"):
    """Lists the keyboard shortcuts, and handles them.

    Args:
        class_names: The classes in the order of their keys.
        not_assessable: The answer that is not a class.
    """

    def __init__(self, class_names: Sequence[str], not_assessable: str) -> None:
        super().__init__()
        self.props.update({"class-names": list(class_names), "not-assessable": not_assessable})


class Worklist(Element, component="worklist.js"):
    """Lists images, and shows one of the articles inside it at a time, each with the id ``field-<number>``.

    Args:
        class_names: The classes in the order of their keys.
        advance: Whether to advance automatically once the first review of an image is saved.
    """

    def __init__(self, class_names: Sequence[str], advance: bool = True) -> None:
        super().__init__()
        self.props.update({"entries": [], "class-names": list(class_names), "advance": advance})

    def set_advance(self, on: bool) -> None:
        """Set whether to advance automatically."""
        self.props["advance"] = on

    def list(self, entries: Sequence[Entry]) -> None:
        """Update the list of images."""
        self.props["entries"] = entries


class Stopwatch(Element, component="stopwatch.js"):
    """Measures in the browser how long each image is viewed."""


class Memory(Element, component="memory.js"):
    """Preserves the reviewer's name and the switch across reloads, and emits ``browser``, a pseudonym."""


class Viewer(Element, component="viewer.js"):
    """A zoomable view of a field with a map over it.

    Args:
        image: The field.
        words: Alternative text for people who cannot see it.
        place: Returns the address of one of its pictures.
        side: The longer side of the initial picture.
    """

    def __init__(self, image: ReadImage, words: str, place: Callable[[str], str], side: int) -> None:
        super().__init__()
        full = place("full.jpg") if image.full else None
        poor = image.full is None and max(image.width, image.height) > side
        size = {"width": image.width, "height": image.height, "poor": poor}
        self.props.update({"picture": place("field.jpg"), "full": full, "words": words, **size})

    def lay(self, address: str) -> None:
        """Show another map over the field."""
        self.props["heat"] = address


def add_html(content: str, tag: str = "div") -> ui.html:
    """Add HTML whose parts are already escaped, as by the templates."""
    return ui.html(content, sanitize=False, tag=tag)


def add_button(words: str) -> ui.html:
    """Add a button that does not submit a form."""
    return add_html(words, "button").props("type=button")


def add_form(content: str, answer: Callable[[Any], Awaitable[str]], before: str = "") -> ui.html:
    """Add a form with a status line below it.

    Args:
        content: The controls, as HTML.
        answer: Handles the form's values, and returns the new status line.
        before: The initial status line.
    """
    form = add_html(content, "form")
    status = add_html(escape(before), "p").props("role=status")

    async def submit(event: GenericEventArguments) -> None:
        said = await answer(event.args)
        if not status.is_deleted:  # it is deleted with the form if the answer shows more of the image
            status.set_content(escape(said))

    form.on("submit", submit, js_handler=_SEND_FORM)
    return form
