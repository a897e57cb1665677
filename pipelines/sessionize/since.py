"""Which sessions new events can have changed: the rest of the former table is kept as it is.

``--since DATE`` says: what came since the last run was sent on DATE or later, and is at most
`sessionize.lateness_days` old. So events before the horizon, DATE less the lateness, are as they were. A stream is cut
again from the horizon on; where its last session before reaches so close that a silence does not part them, from the
last longer silence before the horizon, for nothing after such a silence depends on what lies before it.

An event that breaks the promise is not dropped. Visitors and channels whose events before the horizon are more, or
fewer, than those in the former table are cut again from their first event, and are counted in the report. Not seen is
an old event that was replaced by another of the same stream: after such a correction, run without ``--since``.

Links, pages, customers and parts of the split are derived from all events at every run: they need no sort of events.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import schemas
from pipelines.params import Sessionize
from pipelines.sessionize.merge import dataset

_EVER: Final = -(2**62)

_CHANGED = """
CREATE TABLE changed AS
WITH found AS (
    SELECT visitor_id, channel, count(*) AS n FROM events WHERE epoch_us(ts) < $horizon_us GROUP BY ALL
), held AS (
    SELECT visitor_id, channel, sum(n) AS n FROM (
        SELECT visitor_id, channel, n_events AS n FROM former WHERE epoch_us(end_ts) < $horizon_us
        UNION ALL
        SELECT visitor_id, channel, len(list_filter(events, lambda event: epoch_us(event.ts) < $horizon_us)) FROM former
        WHERE epoch_us(start_ts) < $horizon_us AND epoch_us(end_ts) >= $horizon_us
    ) GROUP BY ALL
)
SELECT visitor_id, channel, coalesce(found.n, 0) - coalesce(held.n, 0) AS n_late
FROM found FULL JOIN held USING (visitor_id, channel)
WHERE n_late <> 0
"""

_RESTARTS = """
CREATE TABLE restarts AS
WITH open AS (
    SELECT DISTINCT visitor_id, channel FROM former
    WHERE epoch_us(start_ts) < $horizon_us AND epoch_us(end_ts) >= $horizon_us - $gap_us
), spans AS (
    SELECT visitor_id, channel, epoch_us(start_ts) AS start_us, start_us - max(epoch_us(end_ts)) OVER (
        PARTITION BY visitor_id, channel ORDER BY start_ts, session_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS silence_us
    FROM former SEMI JOIN open USING (visitor_id, channel)
    WHERE epoch_us(start_ts) < $horizon_us
)
SELECT visitor_id, channel, max(start_us) FILTER (silence_us IS NULL OR silence_us > $gap_us) AS from_us
FROM spans ANTI JOIN changed USING (visitor_id, channel) GROUP BY ALL
UNION ALL
SELECT visitor_id, channel, $ever FROM changed
"""

_OPENED = """
CREATE VIEW reopened AS
SELECT events.* FROM events LEFT JOIN restarts USING (visitor_id, channel)
WHERE events.ts >= make_timestamptz({floor_us}) AND epoch_us(events.ts) >= coalesce(from_us, {horizon_us})
"""

_DROPPED = """
CREATE TABLE dropped AS
SELECT session_id, visitor_id, channel, start_ts, end_ts FROM former LEFT JOIN restarts USING (visitor_id, channel)
WHERE epoch_us(start_ts) >= coalesce(from_us, $horizon_us)
"""

_REPLACED = """
WITH now AS (
    SELECT dropped.session_id AS old, min_by(cut.session_id, (cut.start_ts, cut.session_id)) AS new
    FROM dropped LEFT JOIN cut ON dropped.visitor_id = cut.visitor_id AND dropped.channel = cut.channel
        AND cut.start_ts <= dropped.end_ts AND cut.end_ts >= dropped.start_ts
    WHERE dropped.session_id NOT IN (SELECT session_id FROM cut)
    GROUP BY ALL
), every AS (
    SELECT old, new FROM now
    UNION ALL
    SELECT listed.session_id, CASE WHEN now.old IS NULL THEN listed.replaced_by ELSE now.new END
    FROM listed LEFT JOIN now ON listed.replaced_by = now.old
    WHERE listed.session_id NOT IN (SELECT session_id FROM cut)
)
SELECT old AS session_id, min(new) AS replaced_by FROM every GROUP BY old ORDER BY old
"""


@dataclass(frozen=True)
class Restart:
    """From where on events were cut again."""

    since: date
    horizon_us: int
    dropped: pa.Array  # ids of the former sessions that are not kept


def restart(house: duckdb.DuckDBPyConnection, former: Path, params: Sessionize, since: date) -> Restart:
    """Makes the view ``reopened``, the ``events`` to cut again, and says which ``former`` sessions go for them."""
    horizon = datetime(since.year, since.month, since.day, tzinfo=UTC).timestamp() * 1e6
    horizon_us = round(horizon - params.lateness_days * 86_400e6)
    values = {"horizon_us": horizon_us, "gap_us": round(params.gap_seconds * 1e6)}
    house.read_parquet(str(former)).create_view("former")
    house.execute(_CHANGED, {"horizon_us": horizon_us})
    house.execute(_RESTARTS, {**values, "ever": _EVER})
    floor = house.execute("SELECT min(from_us) FROM restarts").fetchall()[0][0]
    floor_us = max(min(horizon_us, horizon_us if floor is None else floor), -(2**55))  # within what timestamps can say
    house.execute(_OPENED.format(horizon_us=horizon_us, floor_us=floor_us))
    house.execute(_DROPPED, {"horizon_us": horizon_us})
    dropped = house.sql("SELECT session_id FROM dropped").to_arrow_table().column(0).combine_chunks()
    return Restart(since, horizon_us, dropped)


def replaced(house: duckdb.DuckDBPyConnection, parts: list[Path], listed: Path) -> pa.Table:
    """Returns schemas.REPLACED: the ``dropped`` sessions whose id is no more, after those ``listed`` by earlier runs.

    Args:
        house: where ``restart`` was.
        parts: the sessions cut again (merge.write_part).
        listed: the earlier list, where there is one.
    """
    earlier = pq.read_table(listed) if listed.exists() else schemas.REPLACED.empty_table()
    if parts:
        house.register("cut", dataset(parts))
    else:
        house.execute("CREATE VIEW cut AS SELECT * FROM dropped WHERE false")
    house.register("listed", earlier)
    return house.sql(_REPLACED).to_arrow_table()


def changed(house: duckdb.DuckDBPyConnection, restart: Restart, replaced: pa.Table) -> dict[str, Any]:
    """Returns what the report says of a partial run; where ``restart`` was, ``house`` must be."""
    query = """
        SELECT
            coalesce(sum(n_late) FILTER (n_late > 0), 0)::BIGINT,
            coalesce(-sum(n_late) FILTER (n_late < 0), 0)::BIGINT,
            count(*)
        FROM changed
    """
    n_late, n_gone, n_streams = house.execute(query).fetchall()[0]
    return {
        "date": restart.since.isoformat(),
        "horizon": (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=restart.horizon_us)).isoformat(),
        "sessions_cut_again": len(restart.dropped),
        "late_events": n_late,  # from before the horizon, and yet new
        "gone_events": n_gone,  # from before the horizon, and no more there: forgotten, or found to be a robot's
        "late_streams": n_streams,
        "replaced": len(replaced),
    }
