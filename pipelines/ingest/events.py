"""The accepted events, day by day, in the one order that does not depend on how the input was cut into files."""

from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.schemas import EVENTS

ROW_GROUP_ROWS: Final = 131_072


def write(connection: duckdb.DuckDBPyConnection, folder: Path) -> int:
    """Writes ``folder``/day=YYYY-MM-DD/events.parquet for every UTC day; returns the number of events."""
    folder.mkdir()
    days = connection.execute("SELECT DISTINCT ts::DATE FROM accepted ORDER BY 1").fetchall()
    return sum(_write_day(connection, day, folder / f"day={day}") for (day,) in days)


def _write_day(connection: duckdb.DuckDBPyConnection, day: object, folder: Path) -> int:
    folder.mkdir()
    stream = connection.sql(
        f"SELECT {', '.join(EVENTS.names)} FROM accepted "
        "WHERE ts >= $1::TIMESTAMPTZ AND ts < $1::TIMESTAMPTZ + INTERVAL 1 DAY ORDER BY visitor_id, ts, event_id",
        params=[day],
    ).to_arrow_reader(ROW_GROUP_ROWS)
    n_events, waiting = 0, []
    with pq.ParquetWriter(folder / "events.parquet", EVENTS, compression="zstd") as writer:
        for batch in stream:
            # Row groups are cut here, at a fixed size: DuckDB's batches may differ from run to run.
            waiting.append(pa.Table.from_batches([batch]).cast(EVENTS))
            rows = pa.concat_tables(waiting)
            while len(rows) >= ROW_GROUP_ROWS:
                writer.write_table(rows.slice(0, ROW_GROUP_ROWS), row_group_size=ROW_GROUP_ROWS)
                n_events, rows = n_events + ROW_GROUP_ROWS, rows.slice(ROW_GROUP_ROWS)
            waiting = [rows]
        for rows in waiting:
            writer.write_table(rows, row_group_size=ROW_GROUP_ROWS)
            n_events += len(rows)
    return n_events
