import pytest

from leukoscope.core.durations import say_duration, say_time_left


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (38.6, "39 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (6000, "1.7 h"), (86400, "24.0 h")],
)
def test_a_duration_is_said_roughly(seconds, words):
    assert say_duration(seconds) == words


def test_the_first_epoch_takes_longer_than_others():
    assert say_time_left(1, 8, 60.0) == "at most 7 min left"
    assert say_time_left(2, 8, 5.0) == "about 30 s left"
    assert say_time_left(8, 8, 5.0) == ""
