"""To whom and to which part of the split a session belongs, and what looking into the future would have changed."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sessionize import rules
from pipelines.sessionize.splits import Boundaries

_LINKS: Final = """
CREATE OR REPLACE TEMP VIEW links AS
SELECT visitor_id, customer_id, epoch_us(valid_from) AS from_us, epoch_us(valid_to) AS to_us FROM identity
"""


@dataclass(frozen=True)
class Tally:
    """What was counted while sessions passed."""

    by_split: Counter[str] = field(default_factory=Counter)
    leaked: Counter[str] = field(default_factory=Counter)  # by split: the last link names another customer than as of
    of: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Membership:
    """Adds ``customer_id`` and ``split`` to sessions."""

    house: duckdb.DuckDBPyConnection  # holds the table identity
    stitching: Literal["asof", "latest", "none"]
    boundaries: Boundaries
    tally: Tally = field(default_factory=Tally)

    def dress(self, sessions: pa.Table) -> pa.Table:
        """Returns ``sessions`` (CUT) with both columns, and counts them."""
        keys = {
            "number": np.arange(len(sessions)),
            "visitor_id": sessions.column("visitor_id"),
            "start_us": sessions.column("start_ts").cast(pa.int64()),
            "end_us": sessions.column("end_ts").cast(pa.int64()),
        }
        self.house.register("sessions", pa.table(keys))
        self.house.execute(_LINKS)
        belonging = self.house.sql(rules.sql(rules.membership, self.stitching, self.boundaries)).to_arrow_table()
        self.house.unregister("sessions")
        self._count(sessions, belonging)
        for name in ("customer_id", "split"):
            sessions = sessions.append_column(name, belonging.column(name).combine_chunks())
        return sessions

    def _count(self, sessions: pa.Table, belonging: pa.Table) -> None:
        split = belonging.column("split")
        for counter, parts in (
            (self.tally.by_split, split),
            (self.tally.leaked, split.filter(belonging.column("latest_differs"))),
        ):
            counter.update({row["values"]: row["counts"] for row in pc.value_counts(parts).to_pylist()})
        n_events = sessions.column("n_events")
        self.tally.of.update(
            events=pc.sum(n_events).as_py() or 0,
            known=len(sessions) - belonging.column("customer_id").null_count,
            single_event=pc.sum(pc.equal(n_events, 1)).as_py() or 0,
        )
