"""The page itself, and the only module that knows the library that it is built with, NiceGUI."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from html import escape
from typing import Any

import pandas as pd
from fastapi import FastAPI
from kedro.io import DatasetError
from nicegui import Client, ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from leukoscope.app.doubts import Doubt, Doubts, form_label_review
from leukoscope.app.reading import OCCLUSION, ReadImage
from leukoscope.app.rendering import describe_without, get_part, render_control, render_part, render_style
from leukoscope.app.reviews import MAX_NAME, MAX_NOTE, UnusableReviewError, form_review, tabulate_review
from leukoscope.app.server import NAME_HEADER, Office
from leukoscope.evaluation.agreement import NOT_ASSESSABLE

logger = logging.getLogger(__name__)

TITLE = "Review of smears"
# A page is forgotten so many seconds after it was closed: until then the browser may have lost the line only.
_PATIENCE = 60.0
_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><circle cx='16' cy='16' r='15' fill='#e8c5d0'/>"
    "<circle cx='17' cy='16' r='9' fill='#5b3a86'/></svg>"
)
# In the browser alone: the server need not know how opaque an overlay is.
_SET_OPACITY = """(event) => {
  event.target.closest("article").style.setProperty("--opacity", event.target.value / 100);
  event.target.nextElementSibling.value = `${event.target.value} %`;
}"""
_SEND_VALUE = "(event) => emit(event.target.value)"
_SEND_FORM = "(event) => { event.preventDefault(); emit(Object.fromEntries(new FormData(event.target))); }"
_ASK = """() => { if (confirm("Forget the images of this page? Reviews that were kept stay.")) emit(); }"""


class _Drop(Element, component="drop.js"):
    """Takes files in the browser, and sends them."""

    def __init__(self, url: str, max_images: int, max_bytes: int) -> None:
        super().__init__()
        self.props.update({"url": url, "name-header": NAME_HEADER, "max-images": max_images, "max-bytes": max_bytes})


def add_page(server: FastAPI, office: Office, keep: Callable[[pd.DataFrame], None]) -> None:
    """Add the page to its server; once in a process, since the library has one page of an address.

    Args:
        server: As ``create_server`` gives it.
        office: Where images are read.
        keep: Keeps reviews, given as rows of the data set ``reviews``.
    """

    @ui.page("/", title=f"{TITLE} - Leukoscope", favicon=_ICON, reconnect_timeout=_PATIENCE)
    def show_page() -> None:
        _Page(office, keep, ui.context.client)

    ui.run_with(
        server,
        language="en-US",
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=_PATIENCE,
        show_welcome_message=False,
    )


class _Page:
    """One open page."""

    def __init__(self, office: Office, keep: Callable[[pd.DataFrame], None], client: Client) -> None:
        self._office, self._keep = office, keep
        self._key = secrets.token_urlsafe(16)
        self._session = office.open(self._key, self.show)
        client.on_delete(lambda: office.close(self._key))
        ui.add_css(render_style())
        self._add_frame(client)
        self._add_intake()
        self._add_session()
        self._results = ui.element("div")
        if office.doubts is not None and office.doubts.shown:
            self._add_doubts(office.doubts)
        self._add_card()

    def _add_frame(self, client: Client) -> None:
        names = ", ".join(self._office.about.class_names)
        with client.layout:
            lead = f"{self._office.about.title} reads fields of blood smears into {names}."
            banner = render_part("banner", self._office.about)
            _html(f"{banner}<h1>{TITLE}</h1><p>{escape(lead)}</p>", "header").move(target_index=0)
            _html("<p>Everything stays on this machine. Leukoscope is research code.</p>", "footer")
        _html(render_part("limits", self._office.about))

    def _add_intake(self) -> None:
        options, limits = self._office.desk.options, self._office.desk.limits
        with ui.element("section").props('aria-labelledby="add"') as section:
            _html("Add smears", "h2").props("id=add")
            _Drop(f"/sessions/{self._key}/images", options.max_images, limits.max_bytes)
            reviewer = _html(render_control("reviewer", MAX_NAME)).classes("field")
            reviewer.on("change", self._set_reviewer, js_handler=_SEND_VALUE)
        ui.skip_link("Skip to adding smears", target=section)

    def _add_session(self) -> None:
        _html("Images", "h2")
        self._empty = _html("None yet.", "p")
        with ui.element("div").classes("bar") as self._bar:
            for kind, words in (("html", "Export for reading and printing (HTML)"), ("csv", "Export as a table (CSV)")):
                place = f"/sessions/{self._key}/session.{kind}"
                _html(words, "a").props(f'href="{place}" download').classes("button")
            _button("Forget these images").on("click", self._forget, js_handler=_ASK)
        self._bar.set_visibility(False)

    def _add_card(self) -> None:
        with ui.element("details"):
            _html("<h2>Model card</h2>", "summary")
            _html(render_part("card", self._office.about))

    def _add_doubts(self, doubts: Doubts) -> None:
        with ui.element("details").props('id="labels"'):
            _html("<h2>Doubtful labels</h2>", "summary")
            _html(render_part("doubts", len(doubts.shown), doubts.total))
            with ui.element("ul").classes("pictures large"):
                for doubt in doubts.shown:
                    place = f"/sessions/{self._key}/labels/{doubt.number}.png"
                    with ui.element("li"):
                        _html(render_part("doubt", doubt, place))
                        form = render_control("doubt", doubt, doubts.class_names, NOT_ASSESSABLE, MAX_NOTE)
                        _add_form(form, partial(self._save_label, doubts, doubt), doubts.verdict(doubt))

    async def _save_label(self, doubts: Doubts, doubt: Doubt, entered: Any) -> str:
        fields = entered if isinstance(entered, dict) else {}
        try:
            given = fields.get("answer"), fields.get("note"), self._session.reviewer
            await asyncio.to_thread(doubts.keep, form_label_review(*given, doubt, doubts.class_names))
        except UnusableReviewError as error:
            return str(error)
        except DatasetError as error:
            logger.error("A review of a label was not kept: %s", error)
            return f"Nothing was kept: {error}"
        return f"Kept: {doubts.verdict(doubt)}."

    def show(self, number: int, image: ReadImage) -> None:
        """Show an image that was read."""
        self._empty.set_visibility(False)
        self._bar.set_visibility(True)
        opacity = f"--opacity: {self._office.desk.options.opacity}"
        with self._results, ui.element("article").props(f'aria-labelledby="image-{number}"').style(opacity):
            _html(f"Image {number}", "h3").props(f'id="image-{number}"')
            _html(render_part("identity", image))
            _html(render_part("opinion", image, self._office.about))
            with ui.element("div").classes("columns"):
                with ui.element("div"):
                    self._show_field(number, image)
                with ui.element("div"):
                    _html(render_part("chances", image, self._office.about))
                    _html(render_part("nearest", image, 4, lambda near, _: self._place(image, f"nearest-{near}.png")))
            if image.cells:
                self._show_cells(number, image)
            self._show_review(number, image)

    def _show_cells(self, number: int, image: ReadImage) -> None:
        weight = get_part("weight")
        gallery = render_control(
            "strike", number, image, lambda cell: self._place(image, f"cell-{cell.number}.png"), weight
        )
        _add_form(gallery, partial(self._read_without, image))

    async def _read_without(self, image: ReadImage, entered: Any) -> str:
        fields = entered if isinstance(entered, dict) else {}
        struck = [cell.number for cell in image.cells if f"cell-{cell.number}" in fields]
        if not struck:
            return "No cell is struck."
        try:
            chances = await self._office.work(self._office.desk.read_without, image, struck)
        except Exception as error:
            logger.exception("An image could not be read without some of its cells")
            return f"It could not be read again, and the server's log says more: {error}"
        return describe_without(image, struck, chances)

    def _show_field(self, number: int, image: ReadImage) -> None:
        start = round(100 * self._office.desk.options.opacity)
        first = next(iter(image.maps))
        with ui.element("figure"):
            with ui.element("div").classes("stack"):
                _picture(self._place(image, "field.jpg"), f"Image {number}, the field").classes("picture")
                heat = _picture(self._place(image, f"{first}.png"), "").classes("heat")
            caption = _html(_describe_map(image, first), "figcaption")
        with ui.element("div").classes("controls"):
            _html(render_control("slider", number, start)).classes("slider").on("input", js_handler=_SET_OPACITY)
            chooser = _html(render_control("maps", number, _list_maps(image)), "fieldset")
            status = _html("", "p").props("role=status")

        wanted = first

        async def choose(event: GenericEventArguments) -> None:
            nonlocal wanted
            method = wanted = event.args if event.args in image.maps else OCCLUSION
            # While a map is made, another may be chosen.
            if await self._prepare_map(image, method, status) and wanted == method:
                heat.props["src"] = self._place(image, f"{method}.png")
                caption.set_content(_describe_map(image, method))

        chooser.on("change", choose, js_handler=_SEND_VALUE)

    async def _prepare_map(self, image: ReadImage, method: str, status: ui.html) -> bool:
        if method not in image.maps:
            status.set_content("Hiding one part of the field after another")
            status.classes("working")
            try:
                await self._office.work(self._office.desk.add_occlusion, image)
                message = "The occlusion map is ready."
            except Exception as error:
                logger.exception("An image could not be mapped")
                message = f"The occlusion map failed, and the server's log says more: {error}"
            status.classes(remove="working")
            status.set_content(escape(message))
        return method in image.maps

    def _show_review(self, number: int, image: ReadImage) -> None:
        review = render_control("review", number, image, NOT_ASSESSABLE, MAX_NOTE)
        _add_form(review, partial(self._save_review, image))

    async def _save_review(self, image: ReadImage, entered: Any) -> str:
        fields = entered if isinstance(entered, dict) else {}
        try:
            review = form_review(fields.get("answer"), fields.get("note"), self._session.reviewer, image)
            await asyncio.to_thread(self._keep, tabulate_review(review, image, self._session.origin))
        except UnusableReviewError as error:
            return str(error)
        except DatasetError as error:
            logger.error("A review was not kept: %s", error)
            return f"Nothing was kept: {error}"
        if image.sha256 in self._session.images:
            self._session.reviews[image.sha256] = review
        summary = f"{review.verdict}, {review.reviewer_class}" if review.reviewer_class else review.verdict
        return f"Kept at {review.reviewed_at[11:16]} UTC: {summary}."

    def _set_reviewer(self, event: GenericEventArguments) -> None:
        self._session.reviewer = str(event.args or "")

    def _forget(self) -> None:
        self._session.forget()
        self._results.clear()
        self._empty.set_visibility(True)
        self._bar.set_visibility(False)

    def _place(self, image: ReadImage, name: str) -> str:
        return f"/sessions/{self._key}/pictures/{image.sha256}/{name}"


def _list_maps(image: ReadImage) -> dict[str, str]:
    """Give the maps that there are of an image, or can be, in words."""
    at_once = {method: method for method in image.maps if method != OCCLUSION}
    return at_once | {OCCLUSION: "occlusion (takes some seconds)"}


def _describe_map(image: ReadImage, method: str) -> str:
    return f"Warm colours: {render_part('map', image, method)}."


def _add_form(content: str, answer: Callable[[Any], Awaitable[str]], before: str = "") -> None:
    """Add a form with a line below it that says what became of what was entered, or was ``before``."""
    form = _html(content, "form")
    status = _html(escape(before), "p").props("role=status")

    async def submit(event: GenericEventArguments) -> None:
        status.set_content(escape(await answer(event.args)))

    form.on("submit", submit, js_handler=_SEND_FORM)


def _html(content: str, tag: str = "div") -> ui.html:
    # The templates escape what they are given.
    return ui.html(content, sanitize=False, tag=tag)


def _button(words: str) -> ui.html:
    return _html(words, "button").props("type=button")


def _picture(place: str, words: str) -> Element:
    picture = ui.element("img")
    picture.props.update({"src": place, "alt": words})
    return picture
