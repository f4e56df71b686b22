"""What a worker does with parts, in this process."""

import pickle

from leukoscope.cluster.attempts import attempt


def double(number: int) -> int:
    return 2 * number


def test_parts_are_done_one_after_the_other(tmp_path):
    files = [str(tmp_path / f"{number}.tries") for number in range(3)]
    answer = attempt(pickle.dumps((double, [1, 2, 3])), files)
    assert [attempted.result for attempted in answer.attempts] == [2, 4, 6]
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_tries_that_cannot_be_written_is_a_fault_and_no_broken_connection(tmp_path):
    """Raised, an OSError looks to the client as if the scheduler were lost."""
    files = [str(tmp_path / "missing" / "0.tries"), str(tmp_path / "1.tries")]
    answer = attempt(pickle.dumps((double, [1, 2])), files)
    (failed,) = answer.attempts
    assert str(tmp_path) in failed.fault
