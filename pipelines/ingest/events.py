"""The accepted events, day by day, in the one order that does not depend on how the input was cut into files."""

from datetime import date
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import warehouse
from pipelines.ingest import blocks
from pipelines.schemas import EVENTS

ROW_GROUP_ROWS: Final = 131_072


def write(connection: duckdb.DuckDBPyConnection, folder: Path) -> int:
    """Writes ``folder``/day=YYYY-MM-DD/events.parquet for every UTC day; returns the number of events."""
    folder.mkdir()
    days = [day for (day,) in connection.execute("SELECT DISTINCT ts::DATE FROM candidates ORDER BY 1").fetchall()]
    writers = [partial(_write_day, connection.cursor(), folder) for _ in range(warehouse.n_threads())]
    return sum(blocks.side_by_side(days, writers))


def _write_day(connection: duckdb.DuckDBPyConnection, parent: Path, day: date) -> int:
    folder = parent / f"day={day}"
    folder.mkdir()
    stream = connection.sql(
        f"SELECT {', '.join(EVENTS.names)} FROM candidate_events "
        "WHERE ts >= $1::TIMESTAMPTZ AND ts < $1::TIMESTAMPTZ + INTERVAL 1 DAY ORDER BY visitor_id, ts, event_id",
        params=[day],
    ).to_arrow_reader(ROW_GROUP_ROWS)
    n_events, rows = 0, EVENTS.empty_table()
    with pq.ParquetWriter(folder / "events.parquet", EVENTS, compression="zstd") as writer:
        for batch in stream:
            # Row groups are cut here, at a fixed size: DuckDB's batches may differ from run to run.
            rows = pa.concat_tables([rows, pa.Table.from_batches([batch]).cast(EVENTS)])
            while len(rows) >= ROW_GROUP_ROWS:
                writer.write_table(rows.slice(0, ROW_GROUP_ROWS), row_group_size=ROW_GROUP_ROWS)
                n_events, rows = n_events + ROW_GROUP_ROWS, rows.slice(ROW_GROUP_ROWS)
        if len(rows):
            writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
    return n_events + len(rows)
