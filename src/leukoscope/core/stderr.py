"""What libraries write to the process' standard error, past Python and its log."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def leaving_out(unwanted: bytes) -> Iterator[None]:
    """Hold back what is written to standard error meanwhile, and write it afterwards without the unwanted lines.

    Args:
        unwanted: A regular expression of how these lines begin.
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
