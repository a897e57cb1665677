"""Sessions of one bucket of events: cut by the rules, named, in the order of the table, with their events in order."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.params import Sessionize
from pipelines.schemas import SESSION_EVENT, SESSIONS, TIMESTAMP
from pipelines.sessionize import rules
from pipelines.sessionize.rules import Rule

CUT: Final = pa.schema([field for field in SESSIONS if field.name not in ("customer_id", "split")])
"""What a bucket knows of a session; customer and part come when the buckets are merged."""

_SLICE: Final = 16_384  # sessions a table: their lists, as strings, are held at once


def cut(house: duckdb.DuckDBPyConnection, events: pa.Table, params: Sessionize) -> Iterator[pa.Table]:
    """Yields the sessions (CUT) of ``events`` (as buckets.read returns them), by start and id, some at a time."""
    order, stream, times_us = _ordered(house, events)
    first = _first_places(stream, _starts(house, stream, times_us, params))
    ids, by_table = _named(house, events, order[first], times_us[first])
    n_events = np.diff(np.append(first, len(order)))[by_table]  # (N,)
    first = first[by_table]
    for start in range(0, len(first), _SLICE):
        part = slice(start, start + _SLICE)
        lengths = n_events[part]
        offsets = np.append(0, lengths.cumsum())
        places = np.repeat(first[part] - offsets[:-1], lengths) + np.arange(offsets[-1])
        begins = pa.array(order[first[part]])
        columns = {
            "session_id": ids.slice(start, _SLICE),
            **{name: _plain(events.column(name).take(begins)) for name in ("visitor_id", "channel")},
            "start_ts": pa.array(times_us[first[part]]).cast(TIMESTAMP),
            "end_ts": pa.array(times_us[first[part] + lengths - 1]).cast(TIMESTAMP),
            "n_events": pa.array(lengths.astype(np.int32)),
            "events": _lists(events.take(pa.array(order[places])), offsets),
        }
        yield pa.table([columns[name] for name in CUT.names], schema=CUT)


def _ordered(house: duckdb.DuckDBPyConnection, events: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of ``events`` in order, and in that order their streams and times: three of (E,)."""
    stream = np.zeros(len(events), np.int64)
    for name in ("visitor_id", "channel", "tracker"):
        codes = events.column(name).combine_chunks()
        known = codes.indices.fill_null(len(codes.dictionary)).to_numpy(zero_copy_only=False)
        stream = stream * (len(codes.dictionary) + 1) + known
    times_us = events.column("ts_us").to_numpy()
    arrived = pa.table(
        {"number": np.arange(len(events)), "stream": stream, "ts_us": times_us, "event_id": events.column("event_id")}
    )
    house.register("arrived", arrived)
    order = house.execute(rules.sql(rules.in_order)).fetchnumpy()["number"]
    house.unregister("arrived")
    return order, stream[order], times_us[order]


def _starts(
    house: duckdb.DuckDBPyConnection, stream: np.ndarray, times_us: np.ndarray, params: Sessionize
) -> np.ndarray:
    """When the session of each event starts, (E,)."""
    house.register("ordered", pa.table({"stream": stream, "place": np.arange(len(stream)), "ts_us": times_us}))
    rules.cut(partial(_make, house), round(params.gap_seconds * 1e6), round(params.max_duration_seconds * 1e6))
    found = house.execute(rules.sql(rules.starts)).fetchnumpy()
    house.unregister("ordered")
    starts_us = np.zeros(len(stream), np.int64)
    starts_us[found["place"]] = found["start_us"]
    return starts_us


def _first_places(stream: np.ndarray, starts_us: np.ndarray) -> np.ndarray:
    """The place of each session's first event, (N,): a session is a run of places."""
    if not len(stream):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.append(True, (np.diff(stream) != 0) | (np.diff(starts_us) != 0)))


def _named(
    house: duckdb.DuckDBPyConnection, events: pa.Table, rows: np.ndarray, starts_us: np.ndarray
) -> tuple[pa.ChunkedArray, np.ndarray]:
    """The ids of the sessions that begin with ``rows``, in the table's order, and their numbers in that order."""
    begun = {name: _plain(events.column(name).take(pa.array(rows))) for name in ("visitor_id", "channel", "event_id")}
    house.register("begun", pa.table({"number": np.arange(len(rows)), "start_us": starts_us, **begun}))
    named = house.sql(rules.sql(rules.session_ids)).to_arrow_table()
    house.unregister("begun")
    return named.column("session_id"), named.column("number").to_numpy()


def _make(house: duckdb.DuckDBPyConnection, name: str, rule: Rule, *values: Any) -> int:
    """rules.Make of DuckDB."""
    query = f"CREATE OR REPLACE TEMP TABLE {name} AS {rules.sql(rule, *values)}"
    return int(house.execute(query).fetchall()[0][0])


def _lists(events: pa.Table, offsets: np.ndarray) -> pa.Array:
    """Returns one list of SESSION_EVENT a session; list i holds the rows offsets[i] to offsets[i + 1]."""
    times_us = events.column("ts_us").to_numpy()
    last = np.zeros(len(events), dtype=bool)
    last[offsets[1:] - 1] = True
    dwell_seconds = (np.append(times_us[1:], 0) - times_us) / 1e6
    columns = {
        **{name: _plain(events.column(name)) for name in ("event_type", "page", "element", "query", "referrer")},
        "ts": pa.array(times_us).cast(TIMESTAMP),
        "dwell_seconds": pa.array(dwell_seconds.astype(np.float32), mask=last),
    }
    fields = list(SESSION_EVENT)
    structs = pa.StructArray.from_arrays([columns[field.name] for field in fields], fields=fields)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs)


def _plain(strings: pa.ChunkedArray) -> pa.Array:
    """Coded ``strings`` as they are."""
    return strings.cast(pa.string()).combine_chunks()
