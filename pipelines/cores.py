"""How many cores this process may use, and calls that share them out."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def n_cores() -> int:
    """Returns the cores that this process may use, which a container or `taskset` may have narrowed."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Returns what ``calls`` return, in their order; as many run at a time as there are cores, the first ones first.

    For calls of some seconds in NumPy or SciPy, which share nothing that they change. Ctrl-C waits for none of them.
    The first runs in the caller's thread: one of PyTorch's must, for it dies aloud in a thread that the end cuts off.

    Raises:
        Exception: what a call that failed raised.
    """
    waiting: SimpleQueue[tuple[Callable[[], T], Future[T]]] = SimpleQueue()
    promised = [Future[T]() for _ in calls]
    for pair in zip(calls, promised, strict=True):
        waiting.put(pair)
    own = _next(waiting)
    for _ in range(min(n_cores(), len(calls)) - 1):
        Thread(target=_work, args=(waiting,), daemon=True).start()
    while own:
        call, answer = own
        answer.set_result(call())
        own = _next(waiting)
    return [one.result() for one in promised]


def _work(waiting: SimpleQueue[tuple[Callable[[], T], Future[T]]]) -> None:
    while pair := _next(waiting):
        call, answer = pair
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001 (the caller's to answer)
            answer.set_exception(error)


def _next(waiting: SimpleQueue[tuple[Callable[[], T], Future[T]]]) -> tuple[Callable[[], T], Future[T]] | None:
    try:
        return waiting.get_nowait()
    except Empty:
        return None
