"""Whose past a decision may read: sessions linked to its customer as of the moment of the decision, nothing later.

The risk here is leakage. A session counts when it ended strictly before the decision and, at that moment, was known to
be the customer's: by the link valid at the session's end or, for a session before its visitor's first login, by that
first login if it had happened by the decision. A login after the decision changes nothing.
"""

from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

DAY_US: Final = 86_400_000_000

OWNERS: Final = """
WITH first_links AS (
    SELECT visitor_id, min_by(customer_id, valid_from) AS customer_id, min(epoch_us(valid_from)) AS from_us
    FROM identity GROUP BY visitor_id
)
SELECT s.row, i.customer_id, s.end_us, s.end_us AS known_us
FROM sessions s JOIN identity i ON s.visitor_id = i.visitor_id
    AND epoch_us(i.valid_from) <= s.end_us AND (i.valid_to IS NULL OR s.end_us < epoch_us(i.valid_to))
UNION ALL
SELECT s.row, f.customer_id, s.end_us, f.from_us AS known_us
FROM sessions s JOIN first_links f ON s.visitor_id = f.visitor_id AND s.end_us < f.from_us
"""
"""Each session's customer, and since when that is known (microseconds)."""

_LINKED = f"""
WITH owners AS ({OWNERS})
SELECT d.row AS decision, o.row AS session, d.at_us - o.end_us AS age_us
FROM decisions d JOIN owners o ON d.customer_id = o.customer_id
WHERE o.end_us < d.at_us AND o.known_us <= d.at_us AND o.end_us >= d.at_us - $lookback_us
ORDER BY decision, session
"""


@dataclass(frozen=True)
class Moments:
    """When something was decided, and for whom: M of them."""

    at_us: np.ndarray  # int64 (M,)
    customers: pa.Array  # (M,), null where nobody was known


def session_keys(sessions: pa.Table, rows: np.ndarray) -> pa.Table:
    """Returns ``row, visitor_id, end_us`` of some rows of a session table, as the functions here expect them."""
    chosen = sessions.select(["visitor_id", "end_ts"]).take(pa.array(rows))
    return pa.table(
        {
            "row": pa.array(rows, pa.int64()),
            "visitor_id": chosen.column("visitor_id"),
            "end_us": chosen.column("end_ts").cast(pa.int64()),
        }
    )


def recency_weights(
    moments: Moments,
    sessions: pa.Table,
    identity: pa.Table,
    n_sessions: int,
    half_life_days: float,
    lookback_days: float,
) -> csr_array:
    """Returns (M, n_sessions): 2 ** (-age / half-life) where a moment may read a session, 0 elsewhere.

    Args:
        moments: the decisions.
        sessions: ``session_keys`` of the sessions that may be read.
        identity: schemas.IDENTITY.
        n_sessions: rows of the whole session table.
        half_life_days: the age at which a session weighs half.
        lookback_days: a session that ended longer ago is not read.
    """
    numbers = np.arange(len(moments.at_us))
    decisions = pa.table({"row": numbers, "at_us": moments.at_us, "customer_id": moments.customers})
    with duckdb.connect(config={"threads": 1}) as warehouse:
        warehouse.register("decisions", decisions)
        warehouse.register("sessions", sessions)
        warehouse.register("identity", identity)
        pairs = warehouse.execute(_LINKED, {"lookback_us": round(lookback_days * DAY_US)}).fetchnumpy()
    weights = np.exp2(-pairs["age_us"] / (half_life_days * DAY_US))
    places = (np.asarray(pairs["decision"]), np.asarray(pairs["session"]))
    return csr_array((weights, places), shape=(len(moments.at_us), n_sessions))
