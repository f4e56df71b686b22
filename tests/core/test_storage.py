import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from leukoscope.core import storage
from leukoscope.core.errors import InputError
from leukoscope.core.storage import hold, write_whole


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
        "from leukoscope.core.storage import hold",
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


class TestUnfinishedFiles:
    def test_two_writers_of_one_file_do_not_meet(self, tmp_path):
        """The second begins and ends while the first is at it: the last to finish wins, and neither sees the other."""
        file = tmp_path / "file.txt"

        def write_slowly(path):
            path.write_text("fir")
            write_whole(file, lambda other: other.write_text("second"))
            assert file.read_text() == "second"
            path.write_text(path.read_text() + "st")

        write_whole(file, write_slowly)
        assert file.read_text() == "first"
        assert list(tmp_path.iterdir()) == [file]

    def test_what_a_killed_run_left_is_removed_by_the_next_and_what_a_live_one_writes_stays(self, tmp_path):
        script = "import pathlib, sys, time\nfrom leukoscope.core.storage import write_whole\n"
        script += "def write(path):\n    path.write_text('half')\n    print(path, flush=True)\n    time.sleep(60)\n"
        script += "write_whole(pathlib.Path(sys.argv[1]), write)"
        file = tmp_path / "file.keras"
        with subprocess.Popen([sys.executable, "-c", script, file], stdout=subprocess.PIPE, text=True) as other:
            half = Path(other.stdout.readline().strip())
            write_whole(file, lambda path: path.write_text("live"))
            assert half.read_text() == "half"
            other.kill()
            other.wait()
            assert half.exists()
            write_whole(file, lambda path: path.write_text("after"))
        assert list(tmp_path.iterdir()) == [file]
        assert file.read_text() == "after"

    def test_what_an_earlier_release_left_is_removed(self, tmp_path):
        for name in ("unfinished-a.json", "unfinished-b.json"):
            (tmp_path / name).write_text("half")
        write_whole(tmp_path / "a.json", lambda path: path.write_text("whole"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "unfinished-b.json"]

    def test_a_folder_of_many_files_is_looked_through_once_in_a_while(self, tmp_path, monkeypatch):
        scanned, scan = [], os.scandir
        monkeypatch.setattr(storage.os, "scandir", lambda folder: scanned.append(folder) or scan(folder))
        monkeypatch.setattr(storage, "_MANY_FILES", 4)
        for number in range(12):
            write_whole(tmp_path / f"{number}.json", lambda path: path.write_text("whole"))
        assert len(scanned) == 6  # with none to five files there
        (tmp_path / "unfinished-a.json").write_text("half")
        clock = time.monotonic()
        monkeypatch.setattr(storage.time, "monotonic", lambda: clock + 61)
        write_whole(tmp_path / "a.json", lambda path: path.write_text("whole"))
        assert not (tmp_path / "unfinished-a.json").exists()

    def test_what_another_machine_left_is_removed_after_a_day(self, tmp_path):
        names = [f"unfinished-a.0123abcd-1-0000000{number}.json" for number in range(2)]
        for name in names:
            (tmp_path / name).write_text("half")
        os.utime(tmp_path / names[0], (0, 0))
        write_whole(tmp_path / "a.json", lambda path: path.write_text("whole"))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", names[1]]
