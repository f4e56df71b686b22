"""A scheduler that is lost, which is told in a line whatever was under way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leukoscope.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def telling_of_loss(client: "Client", message: str) -> Iterator[None]:
    """Let whatever Dask's client raises where its scheduler is lost be one line.

    It cancels what it waits for, but a question that is under way fails as a broken connection does, and one that comes
    half a minute later as a closed client. In between it keeps what is sent, for a scheduler that knows nothing of the
    rest: nobody is to send anything then.

    Args:
        client: Dask's.
        message: What to say.

    Raises:
        InputError: The scheduler is lost.
        TimeoutError: It has not answered in time, as Dask says itself.
    """
    from distributed import CancelledError, KilledWorker

    if client.status != "running":
        raise InputError(message)
    try:
        yield
    except (TimeoutError, KilledWorker):
        raise
    except Exception as error:
        if client.status == "running" and not isinstance(error, CancelledError | OSError):
            raise
        raise InputError(message) from error
