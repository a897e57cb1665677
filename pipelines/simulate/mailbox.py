"""The bank's server: keeps what arrives by day and hands out each day's file, broken lines among the others."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise
from tempfile import SpooledTemporaryFile
from typing import Final

import numpy as np
import pyarrow as pa

from pipelines.simulate import faults
from pipelines.simulate.draws import Draws, Purpose
from pipelines.simulate.parcels import Parcel
from pipelines.simulate.record import MS_PER_DAY

_GZIP_LEVEL: Final = 3
_N_AT_ONCE: Final = 2  # files that are compressed while the next is put in order
_IN_MEMORY_BYTES: Final = 1 << 23  # of a day; a larger bank's days lie in temporary files


class Mailbox:
    """One box a day."""

    def __init__(self, start: date, n_days: int, seed: int, malformed: float) -> None:
        self._start, self._seed, self._malformed = start, seed, malformed
        # Kept open from parcel to parcel.
        self._boxes = [SpooledTemporaryFile(_IN_MEMORY_BYTES) for _ in range(n_days)]  # noqa: SIM115
        self._received: list[list[np.ndarray]] = [[] for _ in range(n_days)]
        self._lengths: list[list[np.ndarray]] = [[] for _ in range(n_days)]
        self.broken: list[tuple[str, int, str]] = []  # file, line, kind

    def put(self, parcel: Parcel) -> None:
        """Takes a parcel; the order of parcels decides only between events that arrive in the same millisecond."""
        received, lengths = np.array(parcel.received_ms), np.array(parcel.lengths)
        bounds = np.searchsorted(received // MS_PER_DAY, np.arange(len(self._boxes) + 1))
        ends = np.concatenate([[0], np.cumsum(lengths)])
        content = memoryview(parcel.content)
        for day, (first, after) in enumerate(pairwise(bounds.tolist())):
            self._boxes[day].write(content[ends[first] : ends[after]])
            self._received[day].append(received[first:after])
            self._lengths[day].append(lengths[first:after])

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yields name and compressed bytes of each day's file, and notes its broken lines."""
        breaker = faults.Breaker(self._malformed, Draws(self._seed, Purpose.FAULT))
        with ThreadPoolExecutor(_N_AT_ONCE) as pool:  # compression needs no lock of Python's
            waiting: deque[tuple[str, Future[bytes]]] = deque()
            for day in range(len(self._boxes)):
                name = f"{self._start + timedelta(days=day)}.jsonl.gz"
                lines = self._lines(day)
                breaks = breaker.breaks(len(lines))
                self.broken += [(name, place + at, kind) for at, (place, kind) in enumerate(breaks, start=1)]
                waiting.append((name, pool.submit(_compressed, _with_broken(lines, breaks))))
                if len(waiting) > _N_AT_ONCE:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)

    def close(self) -> None:
        """Closes the boxes that were not handed out."""
        for box in self._boxes:
            box.close()

    def _lines(self, day: int) -> pa.LargeBinaryArray:
        """Returns a day's lines in order of arrival."""
        with self._boxes[day] as box:
            box.seek(0)
            content = pa.py_buffer(box.read())
        ends = pa.py_buffer(np.cumsum(np.concatenate([[0], *self._lengths[day]])))
        order = np.argsort(np.concatenate(self._received[day]), kind="stable")
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(order), [None, ends, content]).take(
            pa.array(order)
        )


def _with_broken(lines: pa.LargeBinaryArray, breaks: Sequence[tuple[int, str]]) -> bytes:
    """Returns ``lines`` end to end, with the broken ones before those that they are copies of."""
    _, ends, content = lines.buffers()
    bounds, whole = np.frombuffer(ends, np.int64), memoryview(content or b"")
    parts: list[bytes | memoryview] = []
    start = 0
    for place, kind in breaks:
        first, after = bounds[place : place + 2].tolist()
        parts += [whole[start:first], faults.broken(bytes(whole[first:after]), kind)]
        start = first
    return b"".join([*parts, whole[start : bounds[len(lines)]]])


def _compressed(content: bytes) -> bytes:
    # Arrow's own zlib: the same bytes everywhere. A codec of its own each time: two threads in one crash.
    compressed: bytes = pa.Codec("gzip", compression_level=_GZIP_LEVEL).compress(content, asbytes=True)
    return compressed


def _first(waiting: "deque[tuple[str, Future[bytes]]]") -> tuple[str, bytes]:
    name, compressed = waiting.popleft()
    return name, compressed.result()
