"""Kedro-Viz of a project, started for as long as somebody looks at it."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 300  # seconds


@contextmanager
def serve(project: Path, *options: str, **variables: str) -> Iterator[str]:
    """Start Kedro-Viz, and end it.

    Args:
        project: The folder of the project.
        options: Of `kedro viz run`.
        variables: Of the environment, beside those that there are.

    Yields:
        Its address.
    """
    port = _find_port()
    command = [sys.executable, "-m", "kedro", "viz", "run", "--no-browser", "--port", str(port), *options]
    place: Mapping[str, Any] = {"cwd": project, "env": os.environ | variables, "start_new_session": True}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, **place) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/main", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def fetch(address: str) -> Any:
    """Ask Kedro-Viz for JSON."""
    with urllib.request.urlopen(address) as answer:
        return json.load(answer)


def _find_port() -> int:
    """Find a free port; Kedro-Viz takes none above 49151, where a system's own choice may be."""
    while True:
        port = random.randrange(20_000, 49_000)
        with suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError):
            fetch(address)
            return
        time.sleep(1)
    raise SystemExit("Kedro-Viz did not start: `kedro viz run --no-browser` says why.")
