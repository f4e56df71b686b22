"""A run that is told to end does so, wherever that reaches it."""

import signal
import subprocess
import sys

import pytest

DEAF = """
import os, signal, time
from leukoscope.hooks import interruptions
interruptions.heed()

class Trap:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.1)

Trap()
time.sleep(20)
print("went on")
"""


def run(name: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", DEAF.format(name=name)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.slow
def test_sigterm_ends_a_run_although_it_comes_where_python_ignores_errors():
    """As while objects are deleted, or in a callback of the garbage collection: JAX has one."""
    done = run("SIGTERM")
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, "", "")


def test_ctrl_c_does_too():
    done = run("SIGINT")
    assert done.stdout == ""
    assert done.returncode == -signal.SIGINT
    assert "Exception ignored" not in done.stderr
