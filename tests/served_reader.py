"""MLflow's server of a reader that is made in a moment, in this process, and what may be sent to it."""

import asyncio
import base64
import json
from pathlib import Path

import httpx
import mlflow

import leukoscope
from leukoscope.serving.model import ARTIFACT
from leukoscope.serving.registry import describe_signature
from leukoscope.serving.requests import RequestLimits
from tiny_reader import encode, shade

LIMITS = RequestLimits(3, 20_000, 10_000, max_request_pixels=20_000, max_request_bytes=250_000, max_seconds=20)
PICTURE = base64.b64encode(encode(shade(100))).decode()
GOOD = json.dumps({"inputs": [{"image": PICTURE}]}).encode()
JSON = "application/json"


def pack(root: Path, reader) -> mlflow.pyfunc.PyFuncModel:
    """Pack a reader into an empty folder as promotion does, and load what MLflow serves."""
    (root / "reader").mkdir()
    reader.save(root / "reader")
    mlflow.pyfunc.save_model(
        root / "model",
        python_model=str(Path(leukoscope.__file__).parent / "serving/entry.py"),
        artifacts={ARTIFACT: str(root / "reader")},
        model_config=LIMITS._asdict(),
        signature=describe_signature(reader),
        pip_requirements=["mlflow"],
    )
    return mlflow.pyfunc.load_model(str(root / "model"))


class Client:
    """Sends requests to an application without a network."""

    def __init__(self, app) -> None:
        self.app = app

    def post(self, body, kind: str | None = JSON, path: str = "/invocations") -> httpx.Response:
        return asyncio.run(self._post(path, body, {} if kind is None else {"Content-Type": kind}))

    async def _post(self, path: str, body, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post(path, content=body, headers=headers)


def read_message(response) -> str:
    """The reason of a refusal: one short line, and nothing else."""
    answer = response.json()
    assert set(answer) <= {"error_code", "message", "sqlstate", "error_class"}
    assert "\n" not in answer["message"]
    assert 10 < len(answer["message"]) < 2_000
    return answer["message"]


def in_rows(image: str) -> bytes:
    return b'{"inputs": [{"image": ' + image.encode() + b"}]}"


NASTY = {
    "nested": b"[" * 100_000,
    "a nested image": in_rows("[" * 100_000 + "]" * 100_000),
    "an image of a hundred axes": in_rows("[" * 100 + "]" * 100),
    "5,000 digits": in_rows("1" * 5_000),
    "pixels of 4,000 digits": in_rows(str([[[10**4_000] * 3] * 2] * 2)),
    "NaN": in_rows("NaN"),
    "infinity": b'{"inputs": [-Infinity]}',
    "empty": b"",
    "blank": b"  \n",
    "not UTF-8": b"\xff\xfe{}",
    "text that is not UTF-8": b'{"inputs": [{"image": "\xff"}]}',
    "half a surrogate": in_rows('"\\ud800"'),
    "a byte-order mark": b"\xef\xbb\xbf" + GOOD,
    "an array": b"[1]",
    "a number": b"7",
    "null": b"null",
    "text": b'"inputs"',
    "two forms": b'{"inputs": [], "instances": []}',
    "a chat": b'{"messages": []}',
    "a prompt": b'{"prompt": "blast?"}',
    "ragged pixels": in_rows("[[[1, 2, 3]], [[1, 2]]]"),
    "a long name": json.dumps({"inputs": [{"x" * 100_000: 1}]}).encode(),
    "many columns": json.dumps({"inputs": [{str(number): 1 for number in range(10_000)}]}).encode(),
    "long text among short": json.dumps({"inputs": [{"image": ["a" * 100_000, *"b" * 1000]}]}).encode(),
    "no image": in_rows("{}"),
}
