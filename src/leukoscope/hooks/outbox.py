"""What is to be told to MLflow, in order, and kept while it does not answer."""

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
# Of MLflow's codes, those of a fault that may pass; every other is a verdict on what was sent.
_PASSING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "IO_ERROR")
_PASSING_STATUS = (408, 429, 500, 502, 503, 504)

Entry = Callable[[], Any]


class Outbox:
    """Delivers entries in their order; while they cannot be delivered they wait, and the run goes on.

    Args:
        answers: Tells within seconds whether it is worth trying.
        place: Where the entries go, for messages.
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
        """Deliver an entry after all that wait; tell whether it was.

        What MLflow refuses for good is left out, and said in the log: the results themselves lie in files.
        """
        with self._one_at_a_time:
            self._waiting.append(entry)
            return self.deliver()

    def deliver(self) -> bool:
        """Deliver what waits; tell whether nothing does any more."""
        with self._one_at_a_time:
            if self._lost and not self._look():
                return False
            while self._waiting and not self._lost:
                if self._is_done_with(self._waiting[0]):
                    self._waiting.popleft()
            return not self._waiting

    def _is_done_with(self, entry: Entry) -> bool:
        """Deliver an entry; it is done with too if it is refused for good."""
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
        """Tell whether entries can be delivered now, by a look where that is cheap."""
        if not self._lost and not self._answers():
            self._lose(None)
        return self.deliver()

    def close(self) -> None:
        """Try once more, and say what could not be delivered."""
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
            # Until something is delivered: it may answer looks and nothing else.
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
    """Tell whether an error is of network, disk or database, so that the same may be taken later."""
    if isinstance(error, HTTPError) and error.response is not None:
        return error.response.status_code in _PASSING_STATUS
    if isinstance(error, RequestException):
        return True
    if isinstance(error, OSError):
        return error.errno is not None and not isinstance(error, FileNotFoundError | PermissionError)
    return isinstance(error, MlflowException) and error.error_code in _PASSING


def explain_tracking(error: BaseException) -> InputError | None:
    """Find in an error, or in what caused it, that MLflow failed; ``None`` if it did not.

    Args:
        error: As it was caught.
    """
    for cause in list_causes(error):
        if isinstance(cause, MlflowException | RequestException):
            return InputError(
                f"MLflow failed: {first_line(cause)}. What was computed before is kept: once MLflow answers, the same "
                f"command goes on."
            )
    return None


def first_line(error: BaseException) -> str:
    """Give an error's message as a line without a full stop, or the cause alone that MLflow and its libraries wrap."""
    text = str(error).strip() or type(error).__name__
    network = r"Failed to establish [^\"']+|[Rr]ead timed out|[Cc]onnection \w+ed out|\[SSL[^\"']+"
    cause = re.search(rf"{network}|(?<=\(sqlite3\.OperationalError\) )[^\n]+", text)
    text = cause[0].rstrip(" (") if cause else text
    return textwrap.shorten(text.splitlines()[0], 300, placeholder=" ...").rstrip(".")
