"""Hooks for MLflow's server that refuse invalid requests before MLflow parses them.

See docs/adr/0024-requests-are-checked-before-mlflow-parses-them.md.
"""

import io
import json
import logging
import os
from email.message import Message
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
from mlflow.pyfunc import PyFuncModel, scoring_server
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Event

from leukoscope.core.storage import describe_fault
from leukoscope.serving.bodies import EXPECTED_BODY
from leukoscope.serving.model import RefusedRequestError, SecondReaderModel
from leukoscope.serving.requests import RequestLimits

logger = logging.getLogger(__name__)

_CONTENT_TYPE = "application/json"
# The bodies of all requests in memory may together be as large as this many of the largest bodies.
_BODIES = 4
# A body this many times too large is not even received.
_FORGOTTEN = 10
_original_invocations = scoring_server.invocations


def guard_server(limits: RequestLimits) -> None:
    """Let this package handle MLflow's requests to second readers; other models are served as before.

    Args:
        limits: Limits of requests.
    """
    scoring_server.invocations = answer
    # Only in MLflow's server process, since elsewhere the next application made could be an unrelated one.
    if scoring_server._SERVER_MODEL_PATH in os.environ:
        _limit_next_application(limits.max_request_bytes)


def answer(data: bytes, content_type: str | None, model: PyFuncModel, input_schema: Any) -> Any:
    """Answer a request, replacing MLflow's function with the same arguments.

    Raises:
        MlflowException: The request is refused.
    """
    reader = _find_reader(model)
    if reader is None:
        return _original_invocations(data, content_type, model, input_schema)
    if not _is_json(content_type):
        return _refuse(415, "BAD_REQUEST", f"The Content-Type must be {_CONTENT_TYPE}, in UTF-8. {EXPECTED_BODY}")
    if len(data) > reader.limits.max_request_bytes:
        raise _make_excess_error(reader.limits.max_request_bytes)
    try:
        response = io.StringIO()
        scoring_server.predictions_to_json(reader.answer(data), response)
        return scoring_server.InvocationsResponse(response.getvalue(), 200, _CONTENT_TYPE)
    except MlflowException:
        raise
    except Exception as error:
        logger.exception("A request could not be answered")
        fault = describe_fault(error)
        if fault:
            return _refuse(
                503, "TEMPORARILY_UNAVAILABLE", f"The request could not be answered now: {fault}. Try again."
            )
        return _refuse(500, "INTERNAL_ERROR", "The request could not be answered, and the server's log says more.")


def _find_reader(model: PyFuncModel) -> SecondReaderModel | None:
    try:
        python_model = model.unwrap_python_model()
    except (AttributeError, MlflowException):
        return None
    return python_model if isinstance(python_model, SecondReaderModel) else None


def _is_json(content_type: str | None) -> bool:
    header = Message()
    header["Content-Type"] = content_type or ""
    return header.get_content_type() == _CONTENT_TYPE and header.get_content_charset("utf-8") == "utf-8"


def _refuse(status: int, code: str, message: str) -> Any:
    content = json.dumps({"error_code": code, "message": message})
    return scoring_server.InvocationsResponse(content, status, _CONTENT_TYPE)


def _make_excess_error(max_bytes: int) -> RefusedRequestError:
    return RefusedRequestError(
        f"The request has more than the {max_bytes:,} bytes that are allowed. Send several requests, or smaller images."
    )


def _limit_next_application(max_bytes: int) -> None:
    """Add the limit on bodies to the application that MLflow makes once it has loaded the model.

    MLflow has no hook for this: its function that makes the application is looked up before the model is loaded.
    """
    import fastapi

    class LimitedFastAPI(fastapi.FastAPI):
        def __init__(self, **options: Any) -> None:
            fastapi.FastAPI = original  # type: ignore[misc]
            super().__init__(**options)
            self.add_middleware(BodyLimit, max_bytes=max_bytes)

    original = fastapi.FastAPI
    fastapi.FastAPI = LimitedFastAPI  # type: ignore[misc]


class BodyLimit:
    """Refuses bodies that are too large while they arrive, and bodies that together exceed the memory set aside.

    The error is raised where MLflow's server waits for the body, so that the server answers with it. Many clients
    listen only after sending everything, so a body that is moderately too large is received and discarded.

    Args:
        app: The application.
        max_bytes: Maximum size of a body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._in_memory = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        size = 0
        complete = False

        async def receive_some() -> Event:
            nonlocal size, complete
            if complete:
                return await receive()
            if _get_declared_size(scope) > _FORGOTTEN * self._max_bytes:
                raise _make_excess_error(self._max_bytes)
            event = await _receive_part(receive)
            part = len(event.get("body", b""))
            complete = not event.get("more_body", False)
            size += part
            self._in_memory += part
            await self._check(size, event, receive)
            return event

        try:
            await self._app(scope, receive_some, send)
        finally:
            self._in_memory -= size

    async def _check(self, size: int, event: Event, receive: Receive) -> None:
        """Check that there is room for the bytes received; if not, discard the rest before raising an error."""
        if size <= self._max_bytes and self._in_memory <= _BODIES * self._max_bytes:
            return
        more = size
        while event.get("more_body", False) and more < _FORGOTTEN * self._max_bytes:
            event = await _receive_part(receive)
            more += len(event.get("body", b""))
        if size > self._max_bytes:
            raise _make_excess_error(self._max_bytes)
        raise RefusedRequestError(
            "The server is busy with other large requests. Try again later.", TEMPORARILY_UNAVAILABLE
        )


async def _receive_part(receive: Receive) -> Event:
    event = await receive()
    if event["type"] != "http.request":
        raise RefusedRequestError("The client left before it had sent all of the request.")
    return event


def _get_declared_size(scope: Scope) -> int:
    declared = dict(scope["headers"]).get(b"content-length", b"")
    return int(declared) if declared.isdigit() else 0
