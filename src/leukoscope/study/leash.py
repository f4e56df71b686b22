"""Starts a command that ends with the process which started it, even if that is killed.

It is run by its path, by the bare interpreter, and is then replaced by the command: a function that is called between
fork and exec could hang where the parent has threads, as Dask's workers have.
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
        if os.getppid() != parent:  # it has died already
            sys.exit(128 + signal.SIGKILL)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
