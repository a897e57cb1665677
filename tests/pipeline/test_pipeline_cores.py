"""Calls side by side: in order, as many at a time as there are cores, and none is waited for that failed."""

import threading
import time
from functools import partial

import pytest

from pipelines import cores
from pipelines.cores import side_by_side


@pytest.mark.parametrize("n_cores", [1, 2, 8])
def test_answers_come_in_the_order_of_the_calls(monkeypatch: pytest.MonkeyPatch, n_cores: int) -> None:
    monkeypatch.setattr(cores, "n_cores", lambda: n_cores)
    under_way, most = [0], [0]
    lock = threading.Lock()

    def call(number: int) -> int:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.02 * (5 - number))
        with lock:
            under_way[0] -= 1
        return number * number

    assert side_by_side([partial(call, number) for number in range(5)]) == [0, 1, 4, 9, 16]
    assert most[0] <= n_cores
    assert side_by_side([]) == []


def test_the_first_failure_is_raised_whoever_is_still_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "n_cores", lambda: 2)
    released = threading.Event()

    def failing() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        side_by_side([failing, lambda: released.wait(10)])
    released.set()
