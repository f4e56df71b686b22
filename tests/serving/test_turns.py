import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from leukoscope.serving.turns import LateError, Turns


@pytest.fixture
def turns() -> Turns:
    return Turns("test")


def test_a_task_gives_what_it_returns_and_raises(turns):
    assert turns.run(None, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        turns.run(None, divmod, 7, 0)


def test_no_two_tasks_are_at_work_at_once(turns):
    at_work, most = [], []

    def task(number: int) -> None:
        at_work.append(number)
        most.append(len(at_work))
        time.sleep(0.002)
        at_work.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: turns.run(None, task, number), range(40)))
    assert most == [1] * 40


def test_one_with_many_tasks_lets_others_have_their_turn(turns):
    order, begun = [], threading.Event()

    def many() -> None:
        for _ in range(20):
            turns.run(None, lambda: (order.append("many"), begun.set(), time.sleep(0.01)))

    with ThreadPoolExecutor(1) as pool:
        large = pool.submit(many)
        assert begun.wait(5)
        turns.run(None, order.append, "single")
        large.result()
    assert order.index("single") <= 3


def test_what_is_late_is_told_so_and_not_begun_any_more(turns):
    busy, done = threading.Event(), []
    with ThreadPoolExecutor(1) as pool:
        pool.submit(turns.run, None, busy.wait, 10)
        start = time.monotonic()
        with pytest.raises(LateError):
            turns.run(start + 0.1, done.append, 1)
        assert time.monotonic() - start < 5
        busy.set()
    turns.run(None, done.append, 2)
    assert done == [2]


def test_what_ends_as_its_time_does_is_done(turns, monkeypatch):
    """Between the end of the wait and the look at whether the task is done."""
    wait = Future.result

    def wait_too_short(future, timeout=None):
        wait(future)
        if timeout is None:
            return wait(future)
        raise TimeoutError

    monkeypatch.setattr(Future, "result", wait_too_short)
    assert turns.run(time.monotonic(), divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        turns.run(time.monotonic(), divmod, 7, 0)
