"""The page itself. Only this module, ``elements`` and ``field_view`` use the page's library, NiceGUI."""

import secrets
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import pandas as pd
from fastapi import FastAPI
from nicegui import Client, ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from leukoscope.app.answers import answer_doubt, answer_review
from leukoscope.app.doubts import Doubts
from leukoscope.app.elements import SEND_VALUE, Drop, Keys, Memory, Stopwatch, Worklist, add_button, add_form, add_html
from leukoscope.app.field_view import FieldView
from leukoscope.app.read_image import ReadImage
from leukoscope.app.rendering import render_control, render_part, render_style
from leukoscope.app.reviews import MAX_NAME, MAX_NOTE
from leukoscope.app.server import Office
from leukoscope.app.worklist import list_entries
from leukoscope.evaluation.agreement import NOT_ASSESSABLE
from leukoscope.evaluation.readings import BLIND

TITLE = "Review of smears"
# Seconds after closing until a page is forgotten: until then, the browser may merely have lost its connection.
_PATIENCE = 60.0
_LONGEST_KEY = 40
_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><circle cx='16' cy='16' r='15' fill='#e8c5d0'/>"
    "<circle cx='17' cy='16' r='9' fill='#5b3a86'/></svg>"
)
_SEND_TICK = "(event) => emit(event.target.checked)"
_ASK = """() => { if (confirm("Forget the images of this page? Reviews that were kept stay.")) emit(); }"""


def add_page(server: FastAPI, office: Office, keep: Callable[[pd.DataFrame], None]) -> None:
    """Add the page to its server; only once per process, since the library allows one page per address.

    Args:
        server: The server, as returned by ``create_server``.
        office: Reads images.
        keep: Saves reviews, given as rows of the data set ``reviews``.
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
        self._office = office
        self._keep = keep
        self._key = secrets.token_urlsafe(16)
        self._views: dict[str, tuple[FieldView, Element]] = {}
        self._session = office.open(self._key, self.show)
        client.on_delete(lambda: office.close(self._key))
        ui.add_css(render_style())
        self._add_frame(client)
        self._add_intake()
        self._add_session()
        self._doubts = ui.element("div")
        self._add_doubts()
        self._add_card()

    def _add_frame(self, client: Client) -> None:
        about = self._office.about
        names = ", ".join(about.class_names)
        lead = (
            f"{about.title} classifies fields of blood smears as {names}. Look at each, choose its class, and export."
        )
        with client.layout:
            banner = render_part("banner", about)
            add_html(f"{banner}<h1>{TITLE}</h1><p>{escape(lead)}</p>", "header").move(target_index=0)
            add_html("<p>Everything stays on this machine. Leukoscope is research code.</p>", "footer")
        add_html(render_control("limits"))

    def _add_intake(self) -> None:
        options = self._office.desk.options
        limits = self._office.desk.limits
        with ui.element("section").props('aria-labelledby="add"').classes("intake") as section:
            add_html("Add smears", "h2").props("id=add")
            Drop(f"/sessions/{self._key}/images", options.max_images, limits.max_bytes)
            with ui.element("div"):
                reviewer = add_html(render_control("reviewer", MAX_NAME)).classes("field")
                reviewer.on("change", self._set_reviewer, js_handler=SEND_VALUE)
                blind = add_html(render_control("blind", self._session.blinding.on)).classes("field")
                blind.on("change", self._turn_blind, js_handler=_SEND_TICK)
                Stopwatch()
                Memory().on("browser", self._set_browser)
        ui.skip_link("Skip to adding smears", target=section)

    def _add_session(self) -> None:
        classes = self._office.about.class_names
        with ui.element("div").classes("heading"):
            add_html("Images", "h2").props("id=images")
            Keys(classes, NOT_ASSESSABLE)
        self._empty = add_html("None yet. Images appear here one by one, as they are read.", "p")
        self._work = Worklist(classes, not self._session.blinding.on)
        with ui.element("div").classes("bar") as self._bar:
            for kind, words in (("html", "Export for reading and printing (HTML)"), ("csv", "Export as a table (CSV)")):
                place = f"/sessions/{self._key}/session.{kind}"
                add_html(words, "a").props(f'href="{place}" download').classes("button")
            add_button("Forget these images").on("click", self._forget, js_handler=_ASK)
        self._list()

    def _add_card(self) -> None:
        with ui.element("details"):
            add_html("<h2>Model card</h2>", "summary")
            add_html(render_part("card", self._office.about))

    def _add_doubts(self) -> None:
        """Add the doubtful labels, but not in blind mode, since fields to be read blind may be among them."""
        self._doubts.clear()
        doubts = self._office.doubts
        if doubts is not None and doubts.shown and not self._session.blinding.on:
            with self._doubts:
                self._list_doubts(doubts)

    def _list_doubts(self, doubts: Doubts) -> None:
        with ui.element("details").props('id="labels"'):
            add_html("<h2>Doubtful labels</h2>", "summary")
            add_html(render_part("doubts", len(doubts.shown), doubts.total))
            with ui.element("ul").classes("pictures large"):
                for doubt in doubts.shown:
                    place = f"/sessions/{self._key}/labels/{doubt.number}.png"
                    with ui.element("li"):
                        add_html(render_part("doubt", doubt, place))
                        form = render_control("doubt", doubt, doubts.class_names, NOT_ASSESSABLE, MAX_NOTE)
                        add_form(form, partial(answer_doubt, self._session, doubts, doubt), doubts.verdict(doubt))

    def show(self, number: int, image: ReadImage) -> None:
        """Show an image that was read."""
        answers = partial(self._place, image), self._session, partial(self._review, image)
        view = FieldView(number, image, self._office, *answers)
        with self._work:
            self._views[image.sha256] = view, view.show()
        self._list()

    async def _review(self, image: ReadImage, phase: str, entered: Any) -> str:
        said = await answer_review(self._session, self._keep, image, phase, entered)
        if phase == BLIND and not self._session.blinding.is_held(image.sha256):
            self._reveal(image.sha256, said)
        self._list()
        return said

    def _reveal(self, sha256: str, before: str = "") -> None:
        if sha256 in self._views:
            view, article = self._views[sha256]
            view.fill(article, before)

    def _turn_blind(self, event: GenericEventArguments) -> None:
        for sha256 in self._session.turn_blind(bool(event.args)):
            self._reveal(sha256)
        self._work.set_advance(not self._session.blinding.on)
        self._add_doubts()
        self._list()

    def _list(self) -> None:
        self._work.list(list_entries(self._session, self._place))
        self._bar.set_visibility(bool(self._session.images))
        self._empty.set_visibility(not self._session.images)

    def _set_reviewer(self, event: GenericEventArguments) -> None:
        self._session.reviewer = str(event.args or "")

    def _set_browser(self, event: GenericEventArguments) -> None:
        self._session.browser = str(event.args or "")[:_LONGEST_KEY] or self._session.name

    def _forget(self) -> None:
        self._session.forget()
        self._views.clear()
        self._work.clear()
        self._list()

    def _place(self, image: ReadImage, name: str) -> str:
        return f"/sessions/{self._key}/pictures/{image.sha256}/{name}"
