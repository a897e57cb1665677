"""Blocks of raw rows on their way from the files to DuckDB: neither too small nor too large, several at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from queue import SimpleQueue
from typing import Final, TypeVar

import pyarrow as pa

from pipelines.ingest.formats.rows import RawRows
from pipelines.params import Source

MERGED_BYTES: Final = 192 << 20
MERGED_ROWS: Final = 1 << 18

Item = TypeVar("Item")
Result = TypeVar("Result")


def merged(blocks: Iterable[tuple[Source, RawRows]]) -> Iterator[tuple[Source, RawRows]]:
    """Yields blocks of many small files together, and large ones in parts, so that DuckDB has enough to plan for."""
    waiting: list[RawRows] = []
    read_by: Source | None = None
    for source, raw in blocks:
        if waiting and read_by and not (source is read_by and _is_alike(raw, waiting[0])):
            yield read_by, _joined(waiting)
            waiting = []
        read_by = source
        waiting.append(raw)
        while sum(len(block.rows) for block in waiting) >= MERGED_ROWS:
            joined = _joined(waiting)
            yield source, replace(joined, rows=joined.rows.slice(0, MERGED_ROWS))
            rest = joined.rows.slice(MERGED_ROWS)
            waiting = [replace(joined, rows=rest)] if len(rest) else []
        if sum(block.rows.nbytes for block in waiting) > MERGED_BYTES:
            yield source, _joined(waiting)
            waiting = []
    if waiting and read_by:
        yield read_by, _joined(waiting)


def side_by_side(items: Iterable[Item], workers: Sequence[Callable[[Item], Result]]) -> Iterator[Result]:
    """Yields what ``workers`` make of ``items``, in the order in which they finish; each works on one item at a time.

    The next item is made meanwhile: reading, and all workers, release Python's lock where they spend their time.
    """
    idle: SimpleQueue[Callable[[Item], Result]] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def work(item: Item) -> Result:
        worker = idle.get_nowait()
        try:
            return worker(item)
        finally:
            idle.put(worker)

    running: set[Future[Result]] = set()
    with ThreadPoolExecutor(len(workers)) as threads:
        for item in items:
            if len(running) == len(workers):
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
            running.add(threads.submit(work, item))
        yield from (future.result() for future in running)


def _is_alike(raw: RawRows, other: RawRows) -> bool:
    """Whether the same SQL reads both; a stored column may have another type from file to file."""
    return raw.sql == other.sql and bool(raw.rows.schema.equals(other.rows.schema))


def _joined(blocks: Sequence[RawRows]) -> RawRows:
    return replace(blocks[0], rows=pa.concat_tables(block.rows for block in blocks))
