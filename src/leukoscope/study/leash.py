"""Start a command that ends with its parent process, even if the parent is killed.

This file is run by path with the bare interpreter, and then replaced by the command: a function called between fork
and exec could hang if the parent has threads, as Dask's workers do.
"""

import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # of Linux; elsewhere the command goes on, and keeps the lock that it was handed


def main() -> None:
    """Run ``leash.py PARENT COMMAND...``."""
    parent = int(sys.argv[1])
    command = sys.argv[2:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent has died already
            sys.exit(128 + signal.SIGKILL)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
