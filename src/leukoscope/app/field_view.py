"""The view of an image on an open page: its pictures, the prediction with its reasons, and the review forms."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from leukoscope.app.elements import SEND_VALUE, Viewer, add_form, add_html
from leukoscope.app.read_image import ReadImage
from leukoscope.app.reading import OCCLUSION
from leukoscope.app.rendering import describe_without, get_part, render_control, render_part
from leukoscope.app.reviews import GRADES, MAX_NOTE
from leukoscope.app.server import Office
from leukoscope.app.session import Session
from leukoscope.evaluation.agreement import NOT_ASSESSABLE

logger = logging.getLogger(__name__)

# Handled in the browser alone, since the server need not know the opacity of overlays.
_SET_OPACITY = """(event) => {
  event.target.closest("article").style.setProperty("--opacity", event.target.value / 100);
  event.target.nextElementSibling.value = `${event.target.value} %`;
}"""


@dataclass(frozen=True)
class FieldView:
    """One image on an open page.

    Attributes:
        number: Number of the image, from 1.
        image: The image that was read.
        office: Computes more about the image on request.
        place: Returns the address of one of its pictures.
        session: The session that contains the image.
        save: Saves the review entered in a phase, and reports the result.
    """

    number: int
    image: ReadImage
    office: Office
    place: Callable[[str], str]
    session: Session
    save: Callable[[str, Any], Awaitable[str]]

    def show(self) -> Element:
        """Add the image to the page, and return its element."""
        opacity = f"--opacity: {self.office.desk.options.opacity}"
        article = ui.element("article").props(f'id="field-{self.number}" aria-labelledby="image-{self.number}"')
        self.fill(article.style(opacity))
        return article

    def fill(self, article: Element, before: str = "") -> None:
        """Replace the content of an element by everything that may be shown.

        Args:
            article: The element.
            before: The initial status line of its form.
        """
        number = self.number
        image = self.image
        article.clear()
        with article:
            add_html(f"Image {number}", "h3").props(f'id="image-{number}"').classes("unseen")
            if self.session.blinding.is_held(image.sha256):
                self._show_alone()
                return
            with ui.element("div").classes("columns"):
                with ui.element("div"):
                    self._show_field()
                with ui.element("div"):
                    add_html(render_part("opinion", image, self.office.about))
                    self._show_review(before)
                    add_html(render_part("chances", image, self.office.about))
                if image.nearest:
                    add_html(render_part("nearest", image, 4, lambda near, _: self.place(f"nearest-{near}.png"), True))
            if image.cells:
                self._show_cells()
            add_html(render_part("identity", image))

    def _show_alone(self) -> None:
        """Show the field and ask for a class, without anything that depends on the prediction."""
        with ui.element("div").classes("columns"):
            with ui.element("div"), ui.element("figure"):
                self._view()
            with ui.element("div"):
                add_html("The opinion is hidden until you have chosen a class.", "p").classes("soft")
                self._show_review()
        add_html(render_part("identity", self.image))

    def _show_review(self, before: str = "") -> None:
        phase = self.session.blinding.phase(self.image.sha256)
        word = self.session.blinding.words.get(self.image.sha256)
        said = None if word is None else word.reviewer_class or NOT_ASSESSABLE
        grade = None if word is None else word.grade
        about = self.number, self.image, NOT_ASSESSABLE, MAX_NOTE, phase, GRADES
        answers = render_control("review", *about, said, grade)
        add_form(answers, partial(self.save, phase), before).classes("review")

    def _view(self) -> Viewer:
        side = self.office.desk.options.picture_side
        return Viewer(self.image, f"Image {self.number}, the field", self.place, side)

    def _show_cells(self) -> None:
        weight = get_part("weight")
        gallery = render_control(
            "strike", self.number, self.image, lambda cell: self.place(f"cell-{cell.number}.png"), weight
        )
        add_form(gallery, self._read_without)

    async def _read_without(self, entered: Any) -> str:
        fields = entered if isinstance(entered, dict) else {}
        struck = [cell.number for cell in self.image.cells if f"cell-{cell.number}" in fields]
        if not struck:
            return "No cell is struck."
        try:
            chances = await self.office.work(self.office.desk.read_without, self.image, struck)
        except Exception as error:
            logger.exception("An image could not be read without some of its cells")
            return f"It could not be read again (see the server's log): {error}"
        return describe_without(self.image, struck, chances)

    def _show_field(self) -> None:
        start = round(100 * self.office.desk.options.opacity)
        first = next(iter(self.image.maps))
        with ui.element("figure"):
            viewer = self._view()
            viewer.lay(self.place(f"{first}.png"))
            caption = add_html(_describe_map(self.image, first), "figcaption")
        with ui.element("div").classes("controls"):
            add_html(render_control("slider", self.number, start)).classes("slider").on(
                "input", js_handler=_SET_OPACITY
            )
            chooser = add_html(render_control("maps", self.number, _list_maps(self.image)), "fieldset")
            status = add_html("", "p").props("role=status")

        wanted = first

        async def choose(event: GenericEventArguments) -> None:
            nonlocal wanted
            method = wanted = event.args if event.args in self.image.maps else OCCLUSION
            # Another map may be chosen while this one is made.
            if await self._prepare_map(method, status) and wanted == method:
                viewer.lay(self.place(f"{method}.png"))
                caption.set_content(_describe_map(self.image, method))

        chooser.on("change", choose, js_handler=SEND_VALUE)

    async def _prepare_map(self, method: str, status: ui.html) -> bool:
        if method not in self.image.maps:
            status.set_content("Hiding one part of the field after another")
            status.classes("working")
            try:
                await self.office.work(self.office.desk.add_occlusion, self.image)
                message = "The occlusion map is ready."
            except Exception as error:
                logger.exception("An image could not be mapped")
                message = f"The occlusion map failed (see the server's log): {error}"
            status.classes(remove="working")
            status.set_content(escape(message))
        return method in self.image.maps


def _list_maps(image: ReadImage) -> dict[str, str]:
    """List the maps of an image that exist or can be made, with their descriptions."""
    if image.tiled:
        return {method: method for method in image.maps}
    at_once = {method: method for method in image.maps if method != OCCLUSION}
    return at_once | {OCCLUSION: "occlusion (takes some seconds)"}


def _describe_map(image: ReadImage, method: str) -> str:
    words = render_part("map", image, method)
    return f"{words[0].upper()}{words[1:]}." if image.tiled else f"Warm colours: {words}."
