"""The needs that made the demo bank's traffic, session by session. Reads data/truth, which no stage before may."""

from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.evaluate.inputs import Inputs

NO_NEED: Final = "none"  # how the truth writes that a visit has no need

_NEEDS: Final = """
WITH placed AS (
    SELECT s.row, t.need FROM (
        SELECT e.visitor_id, e.channel, e.ts, t.need FROM events e JOIN truth t ON e.event_id = t.event_id
        WHERE t.need IS NOT NULL
    ) t JOIN sessions s ON t.visitor_id = s.visitor_id AND t.channel = s.channel
        AND t.ts BETWEEN s.start_ts AND s.end_ts
),
counted AS (SELECT row, need, count(*) AS n FROM placed GROUP BY row, need)
SELECT row, arg_min(need, (-n, need)) AS need FROM counted GROUP BY row ORDER BY row
"""


def knows_sessions(inputs: Inputs) -> bool:
    """Returns whether ``true_needs`` can be asked."""
    return (inputs.truth / "intents.parquet").exists()


def true_needs(inputs: Inputs, rows: np.ndarray) -> np.ndarray:
    """Returns the need behind most events of each session in ``rows``, "" where none is known; of equals the first."""
    keys = inputs.sessions.select(["visitor_id", "channel", "start_ts", "end_ts"]).take(pa.array(rows))
    with duckdb.connect(config={"threads": 1}) as warehouse:
        warehouse.register("truth", pq.read_table(inputs.truth / "intents.parquet", columns=["event_id", "need"]))
        warehouse.register("events", inputs.events)
        warehouse.register("sessions", keys.append_column("row", pa.array(np.arange(len(rows)))))
        found = warehouse.sql(_NEEDS).to_arrow_table()
    needs = np.full(len(rows), "", dtype=object)
    needs[found.column("row").to_numpy()] = pc.cast(found.column("need"), pa.string()).to_numpy()
    return needs
