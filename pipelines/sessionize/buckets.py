"""Buckets of visitors: each small enough to be cut in memory, so that the memory limit bounds the stage, not the data.

A visitor is never in two buckets; one visitor with more events than a bucket should hold makes a larger bucket.
"""

import math
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

EVENT_BYTES: Final = 700
"""Measured on ten million events: the peak of a bucket by its events, with strings, sort keys and lists."""
CODED: Final = ("visitor_id", "channel", "tracker", "event_type", "page", "element", "query", "referrer")
"""Columns that are held as a dictionary and codes: their values repeat."""

_BATCH: Final = 200_000  # events that are split at once
_COLUMNS = "event_id, visitor_id, epoch_us(ts) AS ts_us, channel, event_type, page, element, query, referrer"


def n_buckets(n_events: int, memory_gb: float) -> int:
    """Returns into how many buckets ``n_events`` go when half of ``memory_gb`` is for a bucket."""
    return max(1, math.ceil(n_events * EVENT_BYTES / (memory_gb * 2**30 / 2)))


def spread(
    house: duckdb.DuckDBPyConnection, events: str, session_property: str | None, folder: Path, n: int
) -> list[Path]:
    """Writes the rows of the view ``events`` into ``n`` files by the hash of their visitor; returns the files.

    Arrow files, split batch by batch: DuckDB's partitioned Parquet took three times as long.

    Args:
        house: where the view is.
        events: the name of a view with the columns of schemas.EVENTS.
        session_property: the property that holds the tracker's session id, if one does.
        folder: an absent folder.
        n: at least 1.
    """
    tracker = "NULL::VARCHAR"
    if session_property is not None:
        tracker = f"json_extract_string(properties, {_path(session_property)})"
    columns = f"{_COLUMNS}, {tracker} AS tracker, (hash(visitor_id) % {n})::INTEGER AS bucket"
    batches = house.sql(f"SELECT {columns} FROM {events}").to_arrow_reader(_BATCH)
    folder.mkdir()
    paths = [folder / f"{number:05}.arrow" for number in range(n)]
    schema = batches.schema.remove(batches.schema.get_field_index("bucket"))
    with ExitStack() as stack:
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        writers = [stack.enter_context(pa.ipc.new_file(path, schema, options=options)) for path in paths]
        for batch in batches:
            _split(batch, writers)
    return paths


def read(bucket: Path) -> pa.Table:
    """Returns the events of a bucket in one chunk; the columns CODED as dictionaries."""
    with pa.ipc.open_file(bucket) as file:
        events = file.read_all()
    columns = {
        name: events.column(name).dictionary_encode() if name in CODED else events.column(name)
        for name in events.column_names
    }
    return pa.table(columns).combine_chunks()


def _split(batch: pa.RecordBatch, writers: list[pa.ipc.RecordBatchFileWriter]) -> None:
    """Gives each row of ``batch`` to the writer whose number its column ``bucket`` holds."""
    bucket = batch.column("bucket").to_numpy()
    order = np.argsort(bucket, kind="stable")
    bounds = np.searchsorted(bucket[order], np.arange(len(writers) + 1))
    rows = batch.drop_columns(["bucket"]).take(pa.array(order))
    for writer, start, end in zip(writers, bounds[:-1], bounds[1:], strict=True):
        if start < end:
            writer.write_batch(rows.slice(start, end - start))


def _path(name: str) -> str:
    """The JSON path of the property of that name, as an SQL string."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("'", "''")
    return f"'$.\"{escaped}\"'"
