"""The one error that a user's input can cause."""

import click
from kedro.io import DatasetError


class InputError(DatasetError, click.ClickException):
    """What the user gave cannot be used: the message says what happened, what was expected and how to mend it.

    A ``ClickException``, so that ``kedro run`` prints the message without a traceback, and a ``DatasetError``, so
    that a data set passes it on as it is. Kedro's catalog wraps it all the same; a hook unwraps it.
    """
