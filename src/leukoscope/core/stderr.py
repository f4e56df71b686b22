"""Output that libraries write directly to standard error, bypassing Python and its log."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def leaving_out(unwanted: bytes) -> Iterator[None]:
    """Capture standard error within the context, and write it afterwards without the unwanted lines.

    Args:
        unwanted: A regular expression that matches the beginning of these lines.
    """
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            os.write(2, b"".join(line for line in file if not re.match(unwanted, line)))
