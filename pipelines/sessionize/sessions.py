"""Sessions: where one visitor's stream of events on one channel is cut, and what a session holds.

The rule of web analytics: a strictly longer silence than ``gap_seconds`` starts a new session. Source: Halfaker et al.,
"User Session Identification Based on Strong Regularities in Inter-activity Time", arXiv 1411.2878.
"""

from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.params import Sessionize
from pipelines.schemas import SEQUENCE_EPOCH, SESSION_EVENT, TIMESTAMP

EPOCH_US: Final = int(SEQUENCE_EPOCH.timestamp()) * 1_000_000

_SLICE: Final = 200_000  # sessions a list array: its offsets into one column's text are 32 bits wide

_STEPS = """
CREATE TABLE steps AS
WITH silences AS (
    SELECT
        visitor_id, channel, event_id, event_type, page, element, query, epoch_us(ts) AS ts_us,
        ts_us - lag(ts_us) OVER stream AS silence_us,
        first_value(ts_us) OVER stream = $epoch_us AS clockless  -- has an order but no clock: one visit, never cut
    FROM events
    WINDOW stream AS (PARTITION BY visitor_id, channel ORDER BY epoch_us(ts), event_id)
)
SELECT
    * EXCLUDE (silence_us),
    max(ts_us) FILTER (silence_us IS NULL OR silence_us > $gap_us AND NOT clockless) OVER stream AS start_us
FROM silences
WINDOW stream AS (PARTITION BY visitor_id, channel ORDER BY ts_us, event_id ROWS UNBOUNDED PRECEDING)
"""

_OVERLONG = """
CREATE TABLE overlong AS
SELECT steps.* FROM steps JOIN (
    SELECT visitor_id, channel, start_us FROM steps
    WHERE NOT clockless GROUP BY ALL HAVING max(ts_us) - start_us > $max_us
) USING (visitor_id, channel, start_us)
"""

_CUTS = """
CREATE TABLE cuts AS
WITH RECURSIVE parts AS (
    SELECT DISTINCT visitor_id, channel, start_us, start_us AS cut_us FROM overlong
    UNION ALL
    SELECT visitor_id, channel, start_us, min(ts_us)
    FROM parts JOIN overlong USING (visitor_id, channel, start_us)
    WHERE ts_us > cut_us + $max_us
    GROUP BY visitor_id, channel, start_us
)
FROM parts
"""

_SESSION_EVENTS = """
CREATE VIEW session_events AS
SELECT * FROM steps ANTI JOIN overlong USING (visitor_id, channel, start_us)
UNION ALL
SELECT overlong.* REPLACE (cut_us AS start_us)
FROM overlong ASOF JOIN cuts
ON overlong.visitor_id = cuts.visitor_id AND overlong.channel = cuts.channel
    AND overlong.start_us = cuts.start_us AND overlong.ts_us >= cuts.cut_us
"""

_SESSIONS = """
CREATE TABLE sessions AS
SELECT
    left(sha256(concat_ws(chr(31), visitor_id, channel, min(event_id) FILTER (ts_us = start_us))), 32) AS session_id,
    visitor_id, channel, start_us, max(ts_us) AS end_us, count(*) AS n_events, bool_and(clockless) AS clockless
FROM session_events
GROUP BY visitor_id, channel, start_us
"""

_ORDERED_EVENTS = """
SELECT ts_us, event_type, page, element, query
FROM session_events JOIN sessions USING (visitor_id, channel, start_us)
ORDER BY start_us, session_id, ts_us, event_id
"""


def cut(warehouse: duckdb.DuckDBPyConnection, params: Sessionize) -> None:
    """Makes the tables ``sessions`` (one row a session) and ``session_events`` out of ``events``.

    A session is cut before its first event that lies strictly more than ``max_duration_seconds`` after its start.
    Events of one instant go by their id, so the order in which they arrived never matters.
    """
    max_us = {"max_us": round(params.max_duration_seconds * 1e6)}
    warehouse.execute(_STEPS, {"epoch_us": EPOCH_US, "gap_us": round(params.gap_seconds * 1e6)})
    warehouse.execute(_OVERLONG, max_us)
    warehouse.execute(_CUTS, max_us)
    warehouse.execute(_SESSION_EVENTS)
    warehouse.execute(_SESSIONS)


def event_lists(warehouse: duckdb.DuckDBPyConnection, n_events: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns each session's events in order, for sessions ordered by (start, id) with ``n_events`` each.

    The lists are cut out of one sorted table: DuckDB's ``list()`` holds every list in memory at once, sorting spills.
    """
    events = warehouse.sql(_ORDERED_EVENTS).to_arrow_table()
    lists, done = [], 0
    for start in range(0, len(n_events), _SLICE):
        lengths = n_events.slice(start, _SLICE).to_numpy()
        offsets = pa.array([0, *lengths.cumsum()], pa.int32())
        lists.append(_lists(events.slice(done, offsets[-1].as_py()).combine_chunks(), offsets))
        done += offsets[-1].as_py()
    return pa.chunked_array(lists, pa.list_(SESSION_EVENT))


def _lists(events: pa.Table, offsets: pa.Array) -> pa.Array:
    """Returns one list of SESSION_EVENT a session; list i holds the rows offsets[i] to offsets[i + 1]."""
    times_us = events.column("ts_us").to_numpy()
    last = np.zeros(len(events), dtype=bool)
    last[offsets.to_numpy()[1:] - 1] = True
    dwell_seconds = (np.append(times_us[1:], 0) - times_us) / 1e6
    columns = {
        **{name: events.column(name).combine_chunks() for name in ("event_type", "page", "element", "query")},
        "ts": pa.array(times_us).cast(TIMESTAMP),
        "dwell_seconds": pa.array(dwell_seconds.astype(np.float32), mask=last),
    }
    fields = list(SESSION_EVENT)
    return pa.ListArray.from_arrays(
        offsets, pa.StructArray.from_arrays([columns[f.name] for f in fields], fields=fields)
    )
