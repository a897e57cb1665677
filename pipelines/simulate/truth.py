"""What is true of the demo bank, apart from its events: read by evaluate, benchmarks and tests only."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from pipelines.simulate.record import IMPRESSION, Client, Event, Shown

INTENTS: Final = pa.schema([("event_id", pa.string()), ("need", pa.string())])
IDENTITY: Final = pa.schema([("client_id", pa.string()), ("login", pa.string()), ("person_id", pa.string())])
IMPRESSIONS: Final = pa.schema(
    [
        ("impression_id", pa.string()),
        ("tile", pa.string()),
        ("position", pa.int32()),  # 0 is the first
        ("propensity", pa.float64()),
        ("click_probability", pa.float64()),
    ]
)
BOTS: Final = pa.schema([("client_id", pa.string()), ("declared", pa.bool_())])
MALFORMED: Final = pa.schema([("file", pa.string()), ("line", pa.int64()), ("kind", pa.string())])


def intents(events: Sequence[Event], ids: Sequence[str]) -> pa.Table:
    """Returns the need behind every human event."""
    rows = [(event_id, event.need) for event, event_id in zip(events, ids, strict=True) if event.need is not None]
    return _table(rows, INTENTS)


def identity(events: Sequence[Event]) -> pa.Table:
    """Returns whose each cookie and app is, and that person's login, whether or not it was ever used there."""
    clients = {event.client.id: event.client for event in events if event.client.person_id is not None}
    return _table([(client.id, client.login, client.person_id) for client in clients.values()], IDENTITY)


def impressions(shown: Sequence[Shown], events: Sequence[Event]) -> pa.Table:
    """Returns the tiles of every impression among ``events``, one row a tile."""
    logged = {(event.props or {}).get("impression_id") for event in events if event.name == IMPRESSION}
    return _table([row for row in shown if row.impression_id in logged], IMPRESSIONS)


def bots(clients: Sequence[Client]) -> pa.Table:
    """Returns the clients of machines, of which the first half say what they are."""
    n_declared = len(clients) // 2
    return _table([(client.id, at < n_declared) for at, client in enumerate(clients)], BOTS)


def malformed(rows: Sequence[tuple[str, int, str]]) -> pa.Table:
    return _table(rows, MALFORMED)


def _table(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row[at] for row in rows], field.type) for at, field in enumerate(schema)]
    return pa.table(columns, schema=schema)
