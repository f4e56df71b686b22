"""Signals that end a run, wherever they reach it."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_SECONDS_UNTIL_AGAIN = 0.1


def heed() -> None:
    """Let SIGTERM, by which batch systems end a run, end it as ``sys.exit`` does, and let nothing swallow that.

    Python ignores what is raised while an object is deleted or garbage is collected, a run's end too: then the signal
    is sent again.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)
    if not isinstance(sys.unraisablehook, _SendAgain):
        sys.unraisablehook = _SendAgain(sys.unraisablehook)


def disregard() -> None:
    """Undo ``heed``."""
    if isinstance(sys.unraisablehook, _SendAgain):
        sys.unraisablehook = sys.unraisablehook.before
    if signal.getsignal(signal.SIGTERM) is _exit:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


class _SendAgain:
    """Sends the signal again whose exception Python ignored; leaves any other exception to whoever was told before."""

    def __init__(self, before: Callable[[Any], Any]) -> None:
        self.before = before

    def __call__(self, ignored: Any) -> None:
        if not isinstance(ignored.exc_value, SystemExit | KeyboardInterrupt):
            self.before(ignored)
            return
        number = signal.SIGTERM if isinstance(ignored.exc_value, SystemExit) else signal.SIGINT
        again = threading.Timer(_SECONDS_UNTIL_AGAIN, os.kill, [os.getpid(), number])
        again.daemon = True
        again.start()
