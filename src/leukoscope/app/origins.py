"""Tell requests of the page itself from those of other sites open in the same browser."""

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_READING = ("GET", "HEAD", "OPTIONS")
_REFUSAL = "Refused: this request does not come from the review page itself. Open the page by its own address."


class SameOrigin:
    """Refuses requests of other sites to this server, over HTTP or as a WebSocket, with status 403.

    The server is only reachable from this machine, but any site open in a browser here can send requests to it. Host
    names other than the machine's own must have been refused before.

    Args:
        app: The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or is_own(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(_REFUSAL, 403)(scope, receive, send)


def is_own(scope: Scope) -> bool:
    """Check whether a request comes from the page itself, or from no page, such as a typed address.

    Browsers send ``Origin`` with WebSockets and with all requests that may change something, so both are refused
    without it. Requests that only read have none; for these, Fetch Metadata is used
    (https://www.w3.org/TR/fetch-metadata).

    Args:
        scope: The ASGI scope of an HTTP request or a WebSocket.
    """
    headers = Headers(scope=scope)
    origins = headers.getlist("origin")
    if origins:
        return all(origin.lower() == f"http://{headers.get('host', '').lower()}" for origin in origins)
    if scope["type"] == "websocket" or scope["method"] not in _READING:
        return False
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin") or _opens_page(headers)


def _opens_page(headers: Headers) -> bool:
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
