"""What monitoring reads of a session's events beyond the table of sessions: how it came, on what, and what is missing.

A gap is a page of the site that a page view names as the one before it, and that the session never saw: a tag that is
dead, or a page that sends nothing. Pages opened in two windows leave gaps as well: what is usual is learned with the
thresholds. So do events that are still on their way, in yesterday's sessions and not in last month's: all sessions are
taken as they had arrived by the end of their first day.
"""

import tempfile
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import schemas, warehouse
from pipelines.tables import check_table

FIELDS: Final = ("device", "os", "browser", "region")
MAY_MISS: Final = ("page", "url", "title", "received_ts", *FIELDS)

_HOST: Final = "regexp_extract({}, '^https?://([^/?#]+)', 1)"
_AREA: Final = "regexp_extract({}, '^https?://[^/?#]+(/[^/?#]*)', 1)"
_PLACE: Final = "regexp_extract({}, '^[^?#]+')"

_QUERY: Final = f"""
WITH own AS MATERIALIZED (
    SELECT session_id, e.ts, event_id, event_type, source, {", ".join(MAY_MISS)},
        nullif({_HOST.format("referrer")}, '') AS referring,
        {_HOST.format("referrer")} = {_HOST.format("url")} AS inside,
        {_PLACE.format("url")} AS place, {_PLACE.format("referrer")} AS place_before,
        row_number() OVER (PARTITION BY session_id ORDER BY e.ts, event_id) AS number
    FROM sessions s JOIN events e ON e.visitor_id = s.visitor_id AND e.channel = s.channel
        AND e.ts BETWEEN s.start_ts AND s.end_ts
    WHERE coalesce(e.received_ts < date_trunc('day', s.start_ts) + INTERVAL 1 DAY, true)
), known AS (SELECT session_id, place, min(number) AS number FROM own WHERE place IS NOT NULL GROUP BY ALL),
gaps AS (
    SELECT own.session_id, list(DISTINCT {_AREA.format("own.place_before")}) AS gaps
    FROM own LEFT JOIN known
        ON known.session_id = own.session_id AND known.place = own.place_before AND known.number < own.number
    WHERE own.inside AND own.place_before <> own.place AND known.session_id IS NULL GROUP BY ALL
), said AS (
    SELECT session_id,
        coalesce(arg_min(coalesce(source, CASE WHEN NOT coalesce(inside, false) THEN referring END), number)
            FILTER (number = 1), '(direct)') AS entry,
        {", ".join(f"arg_min({name}, number) AS {name}" for name in FIELDS)},
        list_filter([{", ".join(f"CASE WHEN count({name}) = 0 THEN '{name}' END" for name in MAY_MISS)}],
            lambda name: name IS NOT NULL) AS missing
    FROM own GROUP BY session_id
)
SELECT sessions.session_id, coalesce(entry, '(direct)') AS entry, {", ".join(FIELDS)}, coalesce(missing, []) AS missing,
    list_sort(coalesce(gaps, [])) AS gaps
FROM sessions LEFT JOIN said USING (session_id) LEFT JOIN gaps USING (session_id) ORDER BY place
"""


def facts(events: Path, sessions: pa.Table) -> pa.Table:
    """Returns one row (schemas.FACTS) of each of ``sessions`` (not none), in their order, from the table at ``events``.

    Raises:
        TableError: the events are missing, or are not what ``ingest`` writes.
    """
    keys = sessions.select(["session_id", "visitor_id", "channel", "start_ts", "end_ts"])
    numbered = keys.append_column("place", pa.array(range(len(keys)), pa.int64()))
    with tempfile.TemporaryDirectory(prefix="facts-") as scratch, warehouse.connect(Path(scratch)) as house:
        house.register("sessions", numbered)
        house.read_parquet(_files(events, sessions), hive_partitioning=False).create_view("events")
        return house.sql(_QUERY).to_arrow_table().cast(schemas.FACTS)


def _files(events: Path, sessions: pa.Table) -> list[str]:
    """The files of ``events`` that may hold events of ``sessions``: a day's lie in a folder of its name."""
    first, last = (
        side(sessions.column(name)).as_py().date() for side, name in ((pc.min, "start_ts"), (pc.max, "end_ts"))
    )
    files = check_table(events, schemas.EVENTS)
    return [str(file) for file in files if f"day={first}" <= file.parent.name <= f"day={last}"]
