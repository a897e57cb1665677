"""The rules, each once, as SQL: what follows what in a stream, where a session begins, its id, its customer, its part.

Plain SQL of window functions, common tables and one recursion over integers, so that another engine can run it: of
DuckDB's own there is ``md5_number_lower``, in the split of streams without a clock, and ``epoch_us``.

A **stream** is what one visitor does on one channel, under one session id of the tracker where
``sessionize.session_property`` names one. Sessions never reach over streams. In a stream, events follow each other by
time, those of one instant by event id, so the order in which they arrived never matters.

- A session has at least one event; without events there is no session. One event is a session of no length.
- A strictly longer silence than the gap starts a new session. Source: Halfaker et al., "User Session Identification
  Based on Strong Regularities in Inter-activity Time", arXiv 1411.2878.
- A session is cut before its first event that lies strictly more than the maximum duration after its start. A stream
  that is never silent, a robot's say, is thus cut again and again, each time counting from the last cut.
- A stream that begins at schemas.SEQUENCE_EPOCH has an order but no clock: it is one session, never cut.
- Events that carry a tracker's session id share a session only with events of that id; those without one are streams
  of their own. The gap and the maximum duration hold inside: trackers differ in both, and an id can live for months.
"""

from typing import Final

ORDER: Final = "SELECT number FROM arrived ORDER BY stream, ts_us, event_id"
"""``arrived`` (number, stream, ts_us, event_id) -> the numbers, in order."""

STEPS: Final = """
CREATE OR REPLACE TEMP TABLE steps AS
WITH silences AS (
    SELECT
        stream, place, ts_us,
        ts_us - lag(ts_us) OVER (PARTITION BY stream ORDER BY place) AS silence_us,
        first_value(ts_us) OVER (PARTITION BY stream ORDER BY place) = $epoch_us AS clockless
    FROM ordered
)
SELECT
    stream, place, ts_us, clockless,
    max(CASE WHEN silence_us IS NULL OR (silence_us > $gap_us AND NOT clockless) THEN ts_us END)
        OVER (PARTITION BY stream ORDER BY place ROWS UNBOUNDED PRECEDING) AS start_us
FROM silences
"""
"""``ordered`` (stream, place, ts_us) -> ``steps``: where the session of an event starts, by silences alone."""

OVERLONG: Final = """
CREATE OR REPLACE TEMP TABLE overlong AS
SELECT steps.stream, steps.place, steps.ts_us, steps.start_us
FROM steps JOIN (
    SELECT stream, start_us FROM steps WHERE NOT clockless
    GROUP BY stream, start_us HAVING max(ts_us) - min(ts_us) > $max_us
) AS too_long ON steps.stream = too_long.stream AND steps.start_us = too_long.start_us
"""

CUTS: Final = """
CREATE OR REPLACE TEMP TABLE cuts AS
WITH RECURSIVE parts AS (
    SELECT DISTINCT stream, start_us, start_us AS cut_us FROM overlong
    UNION ALL
    SELECT parts.stream, parts.start_us, min(overlong.ts_us)
    FROM parts JOIN overlong ON parts.stream = overlong.stream AND parts.start_us = overlong.start_us
    WHERE overlong.ts_us > parts.cut_us + $max_us
    GROUP BY parts.stream, parts.start_us
)
SELECT stream, start_us, cut_us FROM parts
"""

STARTS: Final = "SELECT place, start_us FROM steps"

LATER_STARTS: Final = """
SELECT overlong.place, max(cuts.cut_us) OVER (
    PARTITION BY overlong.stream, overlong.start_us ORDER BY overlong.place ROWS UNBOUNDED PRECEDING
) AS start_us
FROM overlong LEFT JOIN cuts
ON overlong.stream = cuts.stream AND overlong.start_us = cuts.start_us AND overlong.ts_us = cuts.cut_us
"""
"""Where the session of an event starts that lies in an overlong one."""

SESSION_ID: Final = """
SELECT number, left(sha256(concat_ws(chr(31), visitor_id, channel, event_id)), 32) AS session_id
FROM begun ORDER BY start_us, session_id
"""
"""``begun`` (number, start_us, visitor_id, channel, id of the first event) -> ids, in the order of the table."""

IDENTITY: Final = """
CREATE TABLE identity AS
WITH logins AS (
    SELECT
        visitor_id, customer_id, event_id, ts,
        lag(customer_id) OVER (PARTITION BY visitor_id ORDER BY ts, event_id) IS DISTINCT FROM customer_id AS starts_run
    FROM events
    WHERE customer_id IS NOT NULL
)
SELECT
    visitor_id, customer_id, ts AS valid_from,
    lead(ts) OVER (PARTITION BY visitor_id ORDER BY ts, event_id) AS valid_to,
    event_id AS evidence_event_id
FROM logins
WHERE starts_run
ORDER BY visitor_id, valid_from, evidence_event_id
"""

STITCHING: Final = {"asof": "as_of.customer_id", "latest": "latest.customer_id", "none": "CAST(NULL AS VARCHAR)"}
"""By `sessionize.stitching`: what names the customer of a session.

`asof` knows what was known when the session ended, so a later login changes no earlier session. `latest` rewrites the
past: for analytics only, never for training.
"""

PART: Final = """
CASE
    WHEN sessions.start_us = $epoch_us THEN CASE
        WHEN md5_number_lower(sessions.visitor_id) % 1000000 < $test_share * 1000000 THEN 'test'
        WHEN md5_number_lower(sessions.visitor_id) % 1000000 < ($test_share + $valid_share) * 1000000 THEN 'valid'
        ELSE 'train' END
    WHEN sessions.start_us >= $test_us THEN 'test'
    WHEN sessions.end_us >= $test_us - $embargo_us THEN 'embargo'
    WHEN sessions.start_us >= $valid_us THEN 'valid'
    WHEN sessions.end_us >= $valid_us - $embargo_us THEN 'embargo'
    ELSE 'train'
END
"""
"""The part a session belongs to; what begins before a boundary and reaches into its embargo belongs to none."""

MEMBERSHIP: Final = f"""
SELECT
    {{customer}} AS customer_id,
    {PART} AS split,
    as_of.customer_id IS DISTINCT FROM latest.customer_id AS latest_differs
FROM sessions
LEFT JOIN identity AS as_of ON sessions.visitor_id = as_of.visitor_id
    AND epoch_us(as_of.valid_from) <= sessions.end_us
    AND (as_of.valid_to IS NULL OR sessions.end_us < epoch_us(as_of.valid_to))
LEFT JOIN identity AS latest ON sessions.visitor_id = latest.visitor_id AND latest.valid_to IS NULL
ORDER BY sessions.number
"""
"""``sessions`` (number, visitor_id, start_us, end_us) -> customer and part of each: at most one link of either kind."""
