"""What is true of the demo bank, apart from its events: read by evaluate, benchmarks and tests only."""

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

TABLES: Final[Mapping[str, pa.Schema]] = {
    "intents": pa.schema([("event_id", pa.string()), ("need", pa.string())]),  # of every human event that has an id
    "sessions": pa.schema(
        [
            ("client_id", pa.string()),
            ("person", pa.int64()),
            ("channel", pa.string()),
            ("start_ts", pa.timestamp("ms", "UTC")),  # as it was, not as a clock that is off says
            ("end_ts", pa.timestamp("ms", "UTC")),
            ("n_events", pa.int32()),
            (
                "needs",
                pa.list_(pa.string()),
            ),  # on the web those of its pages, in the app all that the person has; or "none"
            ("touches", pa.list_(pa.string())),  # the scenarios that changed it
        ]
    ),
    # Whose each cookie and app is, one row a person: a shared browser has two.
    "identity": pa.schema([("client_id", pa.string()), ("login", pa.string()), ("person", pa.int64())]),
    "impressions": pa.schema(
        [
            ("impression_id", pa.string()),
            ("tile", pa.string()),
            ("position", pa.int32()),  # 0 is the first
            ("propensity", pa.float64()),
            ("click_probability", pa.float64()),
            ("needs", pa.list_(pa.string())),  # all that the person had then; or "none"
        ]
    ),
    "bots": pa.schema([("client_id", pa.string()), ("declared", pa.bool_())]),
    "clocks": pa.schema([("client_id", pa.string()), ("ahead_ms", pa.int64())]),  # those that are off
    "malformed": pa.schema([("file", pa.string()), ("line", pa.int64()), ("kind", pa.string())]),
}


def table(name: str, rows: Sequence[Sequence[object]]) -> pa.Table:
    """Returns ``rows`` as the table of that name."""
    schema = TABLES[name]
    columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
    return pa.table(columns, schema=schema)
