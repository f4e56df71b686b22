"""Errors that users can fix, found among the causes of other errors."""

from collections.abc import Iterator

from leukoscope.core.errors import InputError
from leukoscope.core.storage import describe_fault


def explain(error: BaseException) -> InputError | None:
    """Find an error that a user can fix among an error and its causes; ``None`` if it is a fault of the software.

    Args:
        error: The caught error.
    """
    for cause in list_causes(error):
        if isinstance(cause, InputError):
            return cause
        fault = describe_fault(cause)
        if fault:
            # When renaming a file fails, users know its target, not the temporary source.
            place = getattr(cause, "filename2", None) or getattr(cause, "filename", None)
            return InputError(
                f"{f'{place}: ' if place else ''}{fault}. What was computed before is kept: mend this, and the same "
                f"command goes on."
            )
    return None


def list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its explicit cause, and so on; errors that merely preceded it are not causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
