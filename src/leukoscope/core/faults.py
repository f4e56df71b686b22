"""Errors that users can mend, found in whatever wraps them."""

from collections.abc import Iterator

from leukoscope.core.errors import InputError
from leukoscope.core.storage import describe_fault


def explain(error: BaseException) -> InputError | None:
    """Find in an error, or in what caused it, what a user can mend; ``None`` if it is a fault of the software.

    Args:
        error: As it was caught.
    """
    for cause in list_causes(error):
        if isinstance(cause, InputError):
            return cause
        fault = describe_fault(cause)
        if fault:
            # Of a file that is put in another's place, the other one is what a user knows.
            place = getattr(cause, "filename2", None) or getattr(cause, "filename", None)
            return InputError(
                f"{f'{place}: ' if place else ''}{fault}. What was computed before is kept: mend this, and the same "
                f"command goes on."
            )
    return None


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error, what is said to have caused it, and so on: not what merely went before it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
