"""A queue of entries for MLflow, which keeps them while MLflow does not answer."""

import logging
import re
import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from mlflow.exceptions import MlflowException
from requests.exceptions import HTTPError, RequestException

from leukoscope.core.errors import InputError
from leukoscope.core.faults import list_causes

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 15
_MOST_SECONDS_BETWEEN_LOOKS = 600
# MLflow's error codes for temporary faults; every other code means that the entry itself was refused.
_PASSING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "IO_ERROR")
_PASSING_STATUS = (408, 429, 500, 502, 503, 504)

Entry = Callable[[], Any]


class Outbox:
    """Delivers entries in order; entries that cannot be delivered wait while the run goes on.

    Args:
        answers: Returns within seconds whether a delivery is worth trying.
        place: The destination of the entries, for messages.
    """

    def __init__(self, answers: Callable[[], bool], place: str) -> None:
        self._answers = answers
        self._place = place
        self._waiting: deque[Entry] = deque()
        self._lost = False
        self._looked = float("-inf")
        self._pause = _SECONDS_BETWEEN_LOOKS
        self._one_at_a_time = threading.RLock()

    def send(self, entry: Entry) -> bool:
        """Deliver an entry after all waiting ones, and return whether it was delivered.

        Entries that MLflow refuses for good are dropped with a warning; the results themselves are in files.
        """
        with self._one_at_a_time:
            self._waiting.append(entry)
            return self.deliver()

    def deliver(self) -> bool:
        """Deliver the waiting entries, and return whether none is left."""
        with self._one_at_a_time:
            if self._lost and not self._look():
                return False
            while self._waiting and not self._lost:
                if self._is_done_with(self._waiting[0]):
                    self._waiting.popleft()
            return not self._waiting

    def _is_done_with(self, entry: Entry) -> bool:
        """Deliver an entry, and return whether it is done, which includes being refused for good."""
        try:
            entry()
        except Exception as error:
            if is_passing(error):
                self._lose(error)
                return False
            what = f"{type(error).__name__}: {first_line(error)}"
            logger.warning("MLflow did not take an entry, and it is left out: %s", what)
        else:
            self._pause = _SECONDS_BETWEEN_LOOKS
        return True

    def is_open(self) -> bool:
        """Check the connection if that is cheap, and return whether entries can be delivered now."""
        if not self._lost and not self._answers():
            self._lose(None)
        return self.deliver()

    def close(self) -> None:
        """Try once more, and warn about entries that could not be delivered."""
        self._looked = float("-inf")
        if not self.deliver():
            logger.warning(
                "%d entries could not be logged to %s. All results are in files; the same command trains nothing "
                "again and logs what is missing, once MLflow answers.",
                len(self._waiting),
                self._place,
            )

    def _look(self) -> bool:
        if time.monotonic() - self._looked < self._pause:
            return False
        self._lost = not self._answers()
        self._looked = time.monotonic()
        if not self._lost:
            # Until something is delivered: the server may answer checks and nothing else.
            self._pause = min(2 * self._pause, _MOST_SECONDS_BETWEEN_LOOKS)
            logger.info("MLflow at %s answers again: what waited is logged now", self._place)
        return not self._lost

    def _lose(self, error: BaseException | None) -> None:
        self._lost = True
        self._looked = time.monotonic()
        why = f" ({first_line(error)})" if error else ""
        logger.warning(
            "MLflow at %s does not answer%s: the run goes on, and is logged when it answers again", self._place, why
        )


def is_passing(error: BaseException) -> bool:
    """Return whether an error comes from network, disk or database, so that the same entry may be accepted later."""
    if isinstance(error, HTTPError) and error.response is not None:
        return error.response.status_code in _PASSING_STATUS
    if isinstance(error, RequestException):
        return True
    if isinstance(error, OSError):
        return error.errno is not None and not isinstance(error, FileNotFoundError | PermissionError)
    return isinstance(error, MlflowException) and error.error_code in _PASSING


def explain_tracking(error: BaseException) -> InputError | None:
    """Find a failure of MLflow among an error and its causes; ``None`` if there is none.

    Args:
        error: The caught error.
    """
    for cause in list_causes(error):
        if isinstance(cause, MlflowException | RequestException):
            return InputError(
                f"MLflow failed: {first_line(cause)}. What was computed before is kept: once MLflow answers, the same "
                f"command goes on."
            )
    return None


def first_line(error: BaseException) -> str:
    """Return an error's message as one line without a full stop, or only the cause that MLflow's libraries wrap."""
    text = str(error).strip() or type(error).__name__
    network = r"Failed to establish [^\"']+|[Rr]ead timed out|[Cc]onnection \w+ed out|\[SSL[^\"']+"
    cause = re.search(rf"{network}|(?<=\(sqlite3\.OperationalError\) )[^\n]+", text)
    text = cause[0].rstrip(" (") if cause else text
    return textwrap.shorten(text.splitlines()[0], 300, placeholder=" ...").rstrip(".")
