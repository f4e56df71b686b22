"""Commands that a study or a search starts: each is a process of its own, and ends with the one that started it."""

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
_SOURCE = str(Path(__file__).parents[2])  # the package's own, which `kedro run` finds where it is not installed too
_LEASH = [sys.executable, "-I", "-S", str(leash.__file__)]
_LONGEST = 300


class StoppedError(Exception):
    """A command was ended before its time, since nobody waits for it any more."""


def run_command(
    options: Mapping[str, Any],
    log: Path,
    project: Path,
    environment: Mapping[str, str],
    wait: Wait = subprocess.Popen.wait,
    files: Sequence[int] = (),
) -> int:
    """Run a command like ``kedro run``; when this process is ended, it is too, as gently.

    Args:
        options: As ``kedro run --config`` takes them.
        log: Takes what it prints.
        project: Where it runs.
        environment: As ``make_environment`` has it.
        wait: Waits for its end, or decides that it has run long enough; gives its code.
        files: Open files that it is to keep open, such as that of a lock.

    Returns:
        What ``wait`` gave.
    """
    file = log.with_suffix(".json")
    write_json(file, {_NAME: dict(options)})
    command = [*_LEASH, str(os.getpid()), sys.executable, "-m", _NAME, "--force", "--config", str(file.absolute())]
    shared: Any = {"cwd": project, "env": environment, "pass_fds": files}
    try:
        with log.open("wb") as output, heeding_hangup():
            # In a session of its own the terminal sends it no Ctrl-C, which would come beside the one from here.
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **shared)
            with _ending(process):
                return wait(process)
    finally:
        file.unlink(missing_ok=True)


def wait_unless(is_to_stop: Callable[[], int | bool]) -> Wait:
    """Make what waits for the end of a command, and ends it where it is to stop.

    Args:
        is_to_stop: Tells by which signal, or only that, it is to stop; is asked twice a second.

    Returns:
        As ``run_command`` takes it; raises ``StoppedError``.
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
    """Make the environment of a command whose run in MLflow is a child of this one's, and is called by a name.

    Args:
        parent: MLflow's run of the command at work.
        name: Of what the other command does.
        more: Variables of its own.
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
    """Let the closing of the terminal end this process as ``sys.exit`` does, so that what it has started ends too."""
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
    """Pass on what ends this process while another runs: Ctrl-C, SIGTERM, and a terminal that is closed."""
    try:
        yield
    except KeyboardInterrupt:
        end(process, signal.SIGINT)
        raise
    finally:
        end(process, signal.SIGTERM)


def end(process: "subprocess.Popen[bytes]", number: int) -> None:
    """End a process that still runs, first by a signal that lets it keep what it has."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def explain_end(code: int, log: Path) -> str:
    """Say in one line why a command failed, by what it printed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    if errors:
        said = " ".join(lines[errors[-1] :]).removeprefix("Error: ")
    elif code < 0:
        said = f"it was ended by signal {-code}, which for 9 is often a lack of memory"
    else:
        said = lines[-1] if lines else f"it ended with {code} and said nothing"
    return shorten(" ".join(said.split()), _LONGEST)
