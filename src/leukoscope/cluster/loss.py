"""Report a lost scheduler in one line, whatever was under way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leukoscope.core.errors import InputError

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def telling_of_loss(client: "Client", message: str) -> Iterator[None]:
    """Turn whatever Dask's client raises when its scheduler is lost into one line.

    The client cancels what it waits for, but a request under way fails like a broken connection, and a request half a
    minute later like a closed client. In between, the client queues what is sent for a new scheduler that does not know
    the earlier tasks: nothing may be sent then.

    Args:
        client: Dask's client.
        message: The message of the error.

    Raises:
        InputError: The scheduler is lost.
        TimeoutError: The scheduler has not answered in time; raised by Dask.
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
