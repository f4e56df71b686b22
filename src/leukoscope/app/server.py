"""The page's server and its routes besides the page itself; for this machine only."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import ParamSpec, TypeVar
from urllib.parse import unquote

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leukoscope.app.doubts import Doubts
from leukoscope.app.origins import SameOrigin
from leukoscope.app.read_image import ReadImage
from leukoscope.app.reading import Desk
from leukoscope.app.rendering import About, render_export
from leukoscope.app.session import RefusedError, Session, describe_excess, gather
from leukoscope.app.showings import Showings
from leukoscope.images.decoding import UnusableImageError

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
NAME_HEADER = "X-File-Name"
_LONGEST_NAME = 255
# The page's library compiles its templates in the browser. Nothing may be loaded from or sent to any other host.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ENDED = "this page's session has ended: reload the page"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Tab:
    """An open page.

    Attributes:
        session: The session of the page.
        show: Shows an image that was read, given its number.
        lock: Held while a file is received, so that only one at a time is in memory.
    """

    session: Session
    show: Callable[[int, ReadImage], None]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Office:
    """All open pages, and the single desk that reads their images one at a time.

    Args:
        desk: Reads images.
        about: The description of the reader.
        doubts: The doubtful labels that reviewers are asked about, if any.
        showings: The record of predictions shown to whom.
    """

    def __init__(
        self, desk: Desk, about: About, doubts: Doubts | None = None, showings: Showings | None = None
    ) -> None:
        self.desk = desk
        self.about = about
        self.doubts = doubts
        self._showings = Showings(washout_days=desk.options.washout_days) if showings is None else showings
        self.tabs: dict[str, Tab] = {}
        self._worker = ThreadPoolExecutor(1, "desk")

    def open(self, key: str, show: Callable[[int, ReadImage], None]) -> Session:
        """Open a page under an unguessable key."""
        options = self.desk.options
        given = options.max_images, self.about.origin, self.about.trained_on, options.max_full_bytes
        session = Session(*given, blind_first=options.blind_first, showings=self._showings)
        self.tabs[key] = Tab(session, show)
        return session

    def close(self, key: str) -> None:
        """Forget a page and everything in it."""
        self.tabs.pop(key, None)

    def find(self, key: str) -> Tab:
        """Find an open page.

        Raises:
            HTTPException: The page is no longer open.
        """
        if key not in self.tabs:
            raise HTTPException(404, _ENDED)
        return self.tabs[key]

    async def work(self, task: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Run a task in the desk's own thread, while the page keeps responding."""
        return await asyncio.wrap_future(self._worker.submit(task, *arguments, **named))

    def warm_up(self) -> None:
        """Prepare for the first image in the background."""
        self._worker.submit(self.desk.warm_up)

    async def take(self, key: str, request: Request) -> int:
        """Receive the file in a request's body, read it, and show it.

        Raises:
            HTTPException: The page is no longer open.
            RefusedError: The file is too large, exceeds the number of images, or was already received.
            UnusableImageError: The file cannot be read.
        """
        tab = self.find(key)
        most = self.desk.limits.max_bytes
        if int(request.headers.get("Content-Length", 0)) > most:
            raise RefusedError(describe_excess(most))
        async with tab.lock:
            tab.session.require_room()
            data = await gather(request.stream(), most)
            tab.session.require_new(data)
            image = await self.work(self.desk.read, data, _read_name(request), tab.session.together)
            self.find(key)  # the page may have been closed meanwhile
            number = tab.session.add(image)
            tab.show(number, tab.session.images[image.sha256])
        return number


def _read_name(request: Request) -> str | None:
    """Return the file's name, if the page sent it, which it does only on request."""
    name = PurePosixPath(unquote(request.headers.get(NAME_HEADER, "")).replace("\\", "/")).name
    printable = "".join(character for character in name if character.isprintable())[:_LONGEST_NAME]
    return None if printable in ("", "..") else printable


def create_server(office: Office) -> FastAPI:
    """Create the server, without the page itself."""
    server = FastAPI(title="Leukoscope", docs_url=None, redoc_url=None, openapi_url=None)
    server.add_middleware(_Headers)
    server.add_middleware(SameOrigin)
    # Keep other sites from getting access by pointing their own host name at this machine.
    server.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])

    @server.post("/sessions/{key}/images")
    async def take_image(key: str, request: Request) -> Response:
        try:
            number = await office.take(key, request)
        except (RefusedError, UnusableImageError) as error:
            return PlainTextResponse(str(error), 422)
        except HTTPException as error:
            return PlainTextResponse(str(error.detail), error.status_code)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            logger.exception("An image could not be read")
            return PlainTextResponse(f"could not be read (see the server's log): {error}", 500)
        return PlainTextResponse(f"image {number}")

    _add_pictures(server, office)
    _add_exports(server, office)
    return server


def _add_pictures(server: FastAPI, office: Office) -> None:
    @server.get("/sessions/{key}/pictures/{sha256}/{name}")
    async def show_picture(key: str, sha256: str, name: str) -> Response:
        session = office.find(key).session
        image = session.images.get(sha256)
        pictures = {} if image is None else list_pictures(image, session.blinding.is_held(sha256))
        content = pictures.get(name)
        if content is None:
            raise HTTPException(404, "There is no such picture in this session.")
        return _answer(content, "image/jpeg" if name.endswith(".jpg") else "image/png")

    @server.get("/sessions/{key}/labels/{number}.png")
    async def show_doubtful(key: str, number: int) -> Response:
        office.find(key)
        doubt = office.doubts.find(number) if office.doubts else None
        if doubt is None:
            raise HTTPException(404, "There is no such picture on this page.")
        return _answer(doubt.picture, "image/png")


def _add_exports(server: FastAPI, office: Office) -> None:
    @server.get("/sessions/{key}/session.csv")
    async def export_csv(key: str) -> Response:
        return _answer(office.find(key).session.write_csv(), "text/csv; charset=utf-8", "leukoscope-session.csv")

    @server.get("/sessions/{key}/session.html")
    async def export_html(key: str) -> Response:
        session = office.find(key).session.freeze()
        page = await asyncio.to_thread(render_export, session, office.about, office.desk.options.opacity)
        return _answer(page, "text/html; charset=utf-8", "leukoscope-session.html")


def list_pictures(image: ReadImage, held: bool = False) -> dict[str, bytes]:
    """List the pictures of an image by their names on the server.

    Args:
        image: The image.
        held: Whether its prediction is withheld, so that only the field is listed.
    """
    pictures = {"field.jpg": image.picture, "thumbnail.jpg": image.thumbnail}
    pictures |= {"full.jpg": image.full} if image.full else {}
    if held:
        return pictures
    pictures |= {f"{method}.png": heat for method, heat in image.maps.items()}
    near = {f"nearest-{number}.png": neighbour.picture for number, neighbour in enumerate(image.nearest, start=1)}
    pictures |= {f"cell-{cell.number}.png": cell.picture for cell in image.cells}
    return pictures | {name: picture for name, picture in near.items() if picture is not None}


def _answer(content: str | bytes, media_type: str, file_name: str | None = None) -> Response:
    # By default, browsers store responses on disk.
    headers = {"Cache-Control": "no-store"}
    if file_name:
        headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return Response(content, media_type=media_type, headers=headers)


class _Headers:
    """Adds headers to every response that make the browser confine the page to this machine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
