"""Commands started by a study or a search: each is a separate process that ends with the process that started it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leukoscope.core.errors import shorten
from leukoscope.core.storage import write_json
from leukoscope.study import leash

Wait = Callable[["subprocess.Popen[bytes]"], int]
_SECONDS_TO_END = 30
_SECONDS_BETWEEN_LOOKS = 0.5
_NAME = "leukoscope"  # of the command, and of its part of a file of options
_PARENT = "mlflow.parentRunId"  # MLflow's tag
_SOURCE = str(Path(__file__).parents[2])  # the package's folder, so that `kedro run` finds it even if not installed
_LEASH = [sys.executable, "-I", "-S", str(leash.__file__)]
_LONGEST = 300


class StoppedError(Exception):
    """A command was stopped early, since its result is no longer needed."""


def run_command(
    options: Mapping[str, Any],
    log: Path,
    project: Path,
    environment: Mapping[str, str],
    wait: Wait = subprocess.Popen.wait,
    files: Sequence[int] = (),
) -> int:
    """Run a command like ``kedro run``; if this process is ended, the command is ended too, just as gently.

    Args:
        options: Options for ``kedro run --config``.
        log: File for the command's output.
        project: Folder to run the command in.
        environment: Environment, as returned by ``make_environment``.
        wait: Waits for the command's end, or stops it early; returns its exit code.
        files: Open files to pass on to the command, such as that of a lock.

    Returns:
        The result of ``wait``.
    """
    file = log.with_suffix(".json")
    write_json(file, {_NAME: dict(options)})
    command = [*_LEASH, str(os.getpid()), sys.executable, "-m", _NAME, "--force", "--config", str(file.absolute())]
    shared: Any = {"cwd": project, "env": environment, "pass_fds": files}
    try:
        with log.open("wb") as output, heeding_hangup():
            # In its own session, it gets no second Ctrl-C from the terminal in addition to the one passed on here.
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **shared)
            with _ending(process):
                return wait(process)
    finally:
        file.unlink(missing_ok=True)


def wait_unless(is_to_stop: Callable[[], int | bool]) -> Wait:
    """Make a function that waits for the end of a command, and ends it early on demand.

    Args:
        is_to_stop: Returns a signal to stop the command with, true for SIGTERM, or false; called twice a second.

    Returns:
        The ``wait`` function for ``run_command``; raises ``StoppedError``.
    """

    def wait(process: "subprocess.Popen[bytes]") -> int:
        while True:
            try:
                return process.wait(_SECONDS_BETWEEN_LOOKS)
            except subprocess.TimeoutExpired:
                number = is_to_stop()
                if number:
                    end(process, signal.SIGTERM if number is True else number)
                    raise StoppedError from None

    return wait


def make_environment(parent: str | None, name: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the environment of a command whose MLflow run is a named child of this process's run.

    Args:
        parent: The MLflow run of this process.
        name: Name of what the command does.
        more: Additional variables.
    """
    places = [_SOURCE, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)} | dict(more or {})
    if parent is None:
        return environment
    tags = json.loads(os.environ.get("MLFLOW_RUN_CONTEXT") or "{}")
    tags |= {_PARENT: parent, "unit": name}
    return environment | {"MLFLOW_RUN_CONTEXT": json.dumps(tags)}


@contextmanager
def heeding_hangup() -> Iterator[None]:
    """End this process like ``sys.exit`` when the terminal is closed, so that the commands it started end too."""
    number = getattr(signal, "SIGHUP", signal.SIGTERM)
    in_main = threading.current_thread() is threading.main_thread()
    caught = in_main and signal.getsignal(number) is signal.SIG_DFL
    if caught:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        if caught:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _ending(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Pass on signals that end this process to the running command: Ctrl-C, SIGTERM, and closing the terminal."""
    try:
        yield
    except KeyboardInterrupt:
        end(process, signal.SIGINT)
        raise
    finally:
        end(process, signal.SIGTERM)


def end(process: "subprocess.Popen[bytes]", number: int) -> None:
    """End a running process, first by a signal that lets it save its state."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def explain_end(code: int, log: Path) -> str:
    """Explain in one line why a command failed, based on its output."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    if errors:
        said = " ".join(lines[errors[-1] :]).removeprefix("Error: ")
    elif code < 0:
        said = f"it was ended by signal {-code}, which for 9 is often a lack of memory"
    else:
        said = lines[-1] if lines else f"it ended with {code} and said nothing"
    return shorten(" ".join(said.split()), _LONGEST)
