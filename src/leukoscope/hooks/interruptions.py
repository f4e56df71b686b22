"""Handling of signals that end a run, at any point."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_SECONDS_UNTIL_AGAIN = 0.1


def heed() -> None:
    """Let SIGTERM, which batch systems send, end a run like ``sys.exit``, and make sure that nothing swallows it.

    Python ignores exceptions raised while objects are deleted or garbage is collected, including this one; the signal
    is then sent again.
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
    """Sends a signal again if Python ignored its exception; passes other exceptions to the previous handler."""

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
