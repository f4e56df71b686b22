"""What the page is built of: plain HTML, forms that say what became of them, and parts that work in the browser."""

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
    """Takes files in the browser, and sends them.

    Args:
        url: Where to.
        max_images: How many are taken at a time.
        max_bytes: Of each.
    """

    def __init__(self, url: str, max_images: int, max_bytes: int) -> None:
        super().__init__()
        self.props.update({"url": url, "name-header": NAME_HEADER, "max-images": max_images, "max-bytes": max_bytes})


class Keys(Element, component="keys.js"):
    """Says which keys there are, and hears them.

    Args:
        class_names: In the order of their keys.
        not_assessable: The answer that is no class.
    """

    def __init__(self, class_names: Sequence[str], not_assessable: str) -> None:
        super().__init__()
        self.props.update({"class-names": list(class_names), "not-assessable": not_assessable})


class Worklist(Element, component="worklist.js"):
    """Lists images, and shows one at a time: of the articles inside it, each with the id ``field-<number>``.

    Args:
        class_names: In the order of their keys.
        advance: Whether it goes on to the next image by itself once the first review of one is kept.
    """

    def __init__(self, class_names: Sequence[str], advance: bool = True) -> None:
        super().__init__()
        self.props.update({"entries": [], "class-names": list(class_names), "advance": advance})

    def set_advance(self, on: bool) -> None:
        """Say whether to go on by itself."""
        self.props["advance"] = on

    def list(self, entries: Sequence[Entry]) -> None:
        """List what there is now."""
        self.props["entries"] = entries


class Stopwatch(Element, component="stopwatch.js"):
    """Measures in the browser how long each image is looked at."""


class Memory(Element, component="memory.js"):
    """Lets the reader's name and the switch outlast a reload, and emits ``browser``: a name that says nothing."""


class Viewer(Element, component="viewer.js"):
    """Shows a field with a map over it, to zoom into.

    Args:
        image: The field.
        words: For those who do not see it.
        place: Gives the address of one of its pictures.
        side: The longer one of the picture that it begins with.
    """

    def __init__(self, image: ReadImage, words: str, place: Callable[[str], str], side: int) -> None:
        super().__init__()
        full = place("full.jpg") if image.full else None
        poor = image.full is None and max(image.width, image.height) > side
        size = {"width": image.width, "height": image.height, "poor": poor}
        self.props.update({"picture": place("field.jpg"), "full": full, "words": words, **size})

    def lay(self, address: str) -> None:
        """Lay another map over the field."""
        self.props["heat"] = address


def add_html(content: str, tag: str = "div") -> ui.html:
    """Add HTML whose parts are escaped already, as the templates do with what they are given."""
    return ui.html(content, sanitize=False, tag=tag)


def add_button(words: str) -> ui.html:
    """Add a button that sends no form."""
    return add_html(words, "button").props("type=button")


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
        said = await answer(event.args)
        if not status.is_deleted:  # with the form, where the answer shows more of the image
            status.set_content(escape(said))

    form.on("submit", submit, js_handler=_SEND_FORM)
    return form
