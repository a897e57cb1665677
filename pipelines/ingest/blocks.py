"""Blocks of raw rows on their way from the files to DuckDB: neither too small nor too large, several at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from queue import SimpleQueue
from typing import Final, TypeVar

import pyarrow as pa

from pipelines.ingest.formats.rows import RawRows
from pipelines.params import Source

MERGED_BYTES: Final = 128 << 20
MERGED_ROWS: Final = 1 << 17

Item = TypeVar("Item")
Result = TypeVar("Result")


def merged(blocks: Iterable[tuple[Source, RawRows]]) -> Iterator[tuple[Source, RawRows]]:
    """Yields blocks of many small files together, and large ones in parts, so that DuckDB has enough to plan for."""
    waiting: list[RawRows] = []
    read_by: Source | None = None
    for source, raw in blocks:
        if waiting and read_by and (source is not read_by or not _is_alike(raw, waiting[0]) or _is_enough(waiting)):
            yield from ((read_by, part) for part in _parts(waiting))
            waiting = []
        waiting.append(raw)
        read_by = source
    if waiting and read_by:
        yield from ((read_by, part) for part in _parts(waiting))


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


def _is_enough(blocks: Sequence[RawRows]) -> bool:
    return (
        sum(block.rows.nbytes for block in blocks) > MERGED_BYTES
        or sum(len(block.rows) for block in blocks) > MERGED_ROWS
    )


def _parts(blocks: Sequence[RawRows]) -> Iterator[RawRows]:
    rows = pa.concat_tables(block.rows for block in blocks)
    for start in range(0, len(rows), MERGED_ROWS):
        yield replace(blocks[0], rows=rows.slice(start, MERGED_ROWS))
