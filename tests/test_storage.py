import subprocess
import sys

import pytest

from leukoscope.errors import InputError
from leukoscope.storage import hold


def test_one_run_at_a_time_holds_a_folder(tmp_path):
    with hold(tmp_path / "store"):
        with hold(tmp_path / "other"):
            pass
        with pytest.raises(InputError, match=r"Another run is at work in .*store"), hold(tmp_path / "store"):
            pass
    with hold(tmp_path / "store"):
        pass


def test_a_run_that_is_killed_holds_nothing(tmp_path):
    lines = [
        "import sys, pathlib",
        "from leukoscope.storage import hold",
        "with hold(pathlib.Path(sys.argv[1])): print('held', flush=True); input()",
    ]
    command = [sys.executable, "-c", "\n".join(lines), tmp_path / "store"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(InputError, match="Another run"), hold(tmp_path / "store"):
            pass
        other.kill()
    with hold(tmp_path / "store"):
        pass
