"""Several workers over one stream of items."""

import threading
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from pipelines.ingest import blocks
from pipelines.ingest.blocks import side_by_side
from pipelines.ingest.formats.rows import RawRows
from pipelines.params import Source


def workers(n_workers: int, work: Callable[[int], int]) -> tuple[list[Callable[[int], int]], list[int]]:
    """Workers that note in the list how many items each of them has at a time."""
    at_once: list[int] = []

    def worker() -> Callable[[int], int]:
        busy = threading.Lock()

        def run(item: int) -> int:
            at_once.append(1 if busy.acquire(blocking=False) else 2)
            try:
                return work(item)
            finally:
                busy.release()

        return run

    return [worker() for _ in range(n_workers)], at_once


@pytest.mark.parametrize("n_workers", [1, 3])
def test_every_item_is_worked_on_once_and_no_worker_has_two(n_workers: int) -> None:
    squared, at_once = workers(n_workers, lambda item: item * item)
    assert sorted(side_by_side(range(100), squared)) == [item * item for item in range(100)]
    assert at_once == [1] * 100


def test_no_more_items_are_made_than_can_be_worked_on() -> None:
    made: list[int] = []
    done: list[int] = []
    go_on = threading.Event()

    def items() -> Iterator[int]:
        for item in range(10):
            assert len(made) <= len(done) + 2  # two are worked on while one is made
            if item == 2:
                go_on.set()
            made.append(item)
            yield item

    def work(item: int) -> int:
        assert go_on.wait(10)
        done.append(item)
        return item

    assert len(list(side_by_side(items(), workers(2, work)[0]))) == 10


def test_a_failure_of_a_worker_or_of_the_source_is_raised() -> None:
    def work(item: int) -> int:
        return 10 // (item - 3)

    with pytest.raises(ZeroDivisionError):
        list(side_by_side(range(10), workers(2, work)[0]))

    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the source")

    with pytest.raises(ValueError, match="the source"):
        list(side_by_side(items(), workers(2, lambda item: item)[0]))


@pytest.mark.parametrize("sizes", [[3], [2, 2, 2, 2, 2], [23], [5, 5, 1], [1] * 11])
def test_blocks_are_merged_to_full_ones_and_no_row_is_lost(monkeypatch: pytest.MonkeyPatch, sizes: list[int]) -> None:
    monkeypatch.setattr(blocks, "MERGED_ROWS", 5)
    source = Source(path="a", format="jsonl", columns={"visitor_id": "v", "ts": "t"})
    numbers = iter(range(sum(sizes)))
    given = [RawRows(pa.table({"line": [next(numbers) for _ in range(size)]}), {}, "''") for size in sizes]
    merged = [raw.rows.column("line").to_pylist() for _, raw in blocks.merged((source, raw) for raw in given)]
    assert [len(rows) for rows in merged[:-1]] == [5] * (len(merged) - 1)
    assert [line for rows in merged for line in rows] == [*range(sum(sizes))]
