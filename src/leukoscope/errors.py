"""The one error that a user's input can cause."""

import re

import click
from kedro.io import DatasetError


class InputError(DatasetError, click.ClickException):
    """What the user gave cannot be used: the message says what happened, what was expected and how to mend it.

    A ``ClickException``, so that ``kedro run`` prints the message without a traceback, and a ``DatasetError``, so
    that a data set passes it on as it is. Kedro's catalog wraps it all the same; a hook unwraps it.

    The message is one line, whatever names it has: line breaks are spaces, and what a terminal would act on is spelled.
    """

    def __init__(self, message: str) -> None:
        line = re.sub(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*", " ", message)
        super().__init__("".join(sign if sign.isprintable() else _spell(sign) for sign in line))


def _spell(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
