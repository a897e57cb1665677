"""Devices whose clock is off, told by when their events were received; their times are corrected, no event is dropped.

Judged within one visitor and UTC day of receipt, so that later days change no earlier one. An event cannot happen after
it was received: a clock is ahead when one seems to. A clock is behind when all events of the day seem to come late by
one and the same time, although they were received at different times; what was kept while there was no connection comes
late by different times, or at once. The constant is subtracted, after Snowplow's derived_tstamp (collector time less
the time between creation and sending), which needs a third time that few sources have.

Not seen: offsets of less than a minute, clocks behind on days of one or two events, and clocks set right at midday.
"""

from collections.abc import Mapping
from typing import Final

import duckdb
import pyarrow as pa

from pipelines.params import Clocks

LEAST: Final = 60_000_000
"""Microseconds: an offset below a minute changes neither the order of a visitor's events nor their sessions."""
STEADY: Final = 5_000_000
"""Microseconds: the median deviation of a constant offset; delays of delivery are mostly of a few seconds."""
NEAR: Final = 30_000_000
"""Microseconds around the median in which the least delayed event tells the offset: a single wild time does not."""
MIN_EVENTS: Final = 3
MAX_SHARE: Final = 0.2
MANY: Final = 10
"""Of a source's events, and of their visitors: when more seem to be off, then it is no device but ``received_ts``, or
the time zone, that is wrong, and nothing is corrected."""


def correct(connection: duckdb.DuckDBPyConnection, block: Clocks, source_of: Mapping[int, int]) -> None:
    """Sets ``candidates.ts`` right; what was corrected goes to ``corrected``, by file and rule.

    Args:
        connection: holds the tables of ``clean.TABLES``.
        block: which rules run.
        source_of: file -> the position of its source.
    """
    wanted = [name for name, is_on in (("clock_ahead", block.ahead), ("clock_behind", block.behind)) if is_on]
    sources = pa.table({"file": pa.array([*source_of], pa.uint32()), "position": pa.array([*source_of.values()])})
    connection.register("source_of", sources)
    for statement in (DAYS, OFFSETS, FOUND):
        connection.execute(statement)
    connection.execute(
        f"""INSERT INTO untrusted SELECT position, rule, count(*) / max(n_told) AS share
            FROM found JOIN source_of USING (file)
            JOIN (SELECT position, count(*) AS n_told FROM candidates JOIN source_of USING (file)
                  WHERE received_ts IS NOT NULL GROUP BY position) USING (position)
            GROUP BY position, rule HAVING share > {MAX_SHARE} AND count(DISTINCT visitor_id) >= {MANY}"""
    )
    connection.execute(
        "DELETE FROM found WHERE NOT list_contains($1::VARCHAR[], rule) OR file IN "
        "(SELECT file FROM source_of JOIN untrusted USING (position) WHERE untrusted.rule = found.rule)",
        [wanted],
    )
    connection.execute("UPDATE candidates SET ts = right_ts FROM found WHERE candidates.rowid = found.id")
    connection.execute("INSERT INTO corrected SELECT file, rule, count(*) FROM found GROUP BY ALL")
    connection.unregister("source_of")


AHEAD: Final = "epoch_us(ts) - epoch_us(received_ts)"
TOLD: Final = f"""(SELECT rowid AS id, file, visitor_id, received_ts::DATE AS day, ts, received_ts, {AHEAD} AS ahead
    FROM candidates WHERE has_clock AND received_ts IS NOT NULL AND rowid NOT IN (SELECT id FROM dropped))"""

DAYS: Final = f"""CREATE OR REPLACE TEMP TABLE clock_days AS
    SELECT visitor_id, day, max(ahead) AS most, count(*) AS n, max(received_ts) - min(received_ts) AS span
    FROM {TOLD} GROUP BY ALL HAVING most > {LEAST} OR (most < -{LEAST} AND n >= {MIN_EVENTS})"""
"""The visitors' days on which a clock may be off: few, so that the dear medians need few rows."""

OFFSETS: Final = f"""CREATE OR REPLACE TEMP TABLE clock_offsets AS
    SELECT visitor_id, day, any_value(most) > 0 AS is_ahead, max(ahead) FILTER (ahead <= middle + {NEAR}) AS off
    FROM (SELECT *, median(ahead) OVER (PARTITION BY visitor_id, day) AS middle
          FROM {TOLD} JOIN clock_days USING (visitor_id, day))
    GROUP BY visitor_id, day
    HAVING abs(off) > {LEAST} AND median(abs(ahead - middle)) <= {STEADY}
        AND (is_ahead OR any_value(span) > to_microseconds({LEAST}))"""

FOUND: Final = f"""CREATE OR REPLACE TEMP TABLE found AS
    SELECT id, file, visitor_id, CASE WHEN most > 0 THEN 'clock_ahead' ELSE 'clock_behind' END AS rule,
        -- Where no constant explains a time after its receipt, the receipt is the best that is known.
        least(ts - to_microseconds(coalesce(off, 0)), received_ts) AS right_ts
    FROM {TOLD} JOIN clock_days USING (visitor_id, day) LEFT JOIN clock_offsets USING (visitor_id, day)
    WHERE off IS NOT NULL OR ahead > {LEAST}"""
