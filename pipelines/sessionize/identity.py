"""Identity: which customer a visitor (a cookie or a device) was known to be, and from when to when."""

from typing import Final

import duckdb

_IDENTITY = """
CREATE TABLE identity AS
WITH logins AS (
    SELECT
        visitor_id, customer_id, event_id, ts,
        lag(customer_id) OVER stream IS DISTINCT FROM customer_id AS starts_run
    FROM events
    WHERE customer_id IS NOT NULL
    WINDOW stream AS (PARTITION BY visitor_id ORDER BY ts, event_id)
)
SELECT
    visitor_id, customer_id, ts AS valid_from,
    lead(ts) OVER (PARTITION BY visitor_id ORDER BY ts, event_id) AS valid_to,
    event_id AS evidence_event_id
FROM logins
WHERE starts_run
ORDER BY visitor_id, valid_from, evidence_event_id
"""

STITCHING: Final = {
    "asof": "epoch_us(valid_from) <= end_us AND (valid_to IS NULL OR end_us < epoch_us(valid_to))",
    "latest": "valid_to IS NULL",
    "none": "false",
}
"""By `sessionize.stitching`: which of its visitor's links names the customer of a session; at most one does.

`asof` knows what was known when the session ended, so a later login changes no earlier session. `latest` rewrites the
past: for analytics only, never for training.
"""


def link(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Makes the table ``identity`` (schemas.IDENTITY) out of ``events``: one row a run of one customer's logins.

    A link holds from its first authenticated event, on any channel, until another customer's on the same visitor.
    """
    warehouse.execute(_IDENTITY)
