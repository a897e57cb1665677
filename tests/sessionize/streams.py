"""Literal streams of events, the stage run on them, and the slow loop that it is compared with."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st

from pipelines import schemas
from pipelines.params import Sessionize
from pipelines.paths import Workspace
from pipelines.sessionize import buckets, merge, sessions
from pipelines.sessionize.stage import run
from pipelines.tables import read_table, write_table

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BY_DATES = {"valid_from": "2026-03-10", "test_from": "2026-03-20", "valid_share": None, "test_share": None}
Row = dict[str, Any]


def block(embargo_days: float = 0.5, split: Mapping[str, Any] = BY_DATES, **values: Any) -> Sessionize:
    defaults = {"gap_seconds": 1800, "max_duration_seconds": 43200, "stitching": "asof", "engine": "duckdb"}
    defaults |= {"session_property": None, "lateness_days": 3, "memory_gb": 2}
    return Sessionize.model_validate({**defaults, "split": {**split, "embargo_days": embargo_days}, **values})


def event(event_id: str, seconds: float, visitor: str = "v", **values: Any) -> Row:
    ts = values.pop("ts", NOON + timedelta(seconds=seconds))
    values = {"channel": "web", "event_type": "page_view", "page": "/home"} | values
    return {"event_id": event_id, "visitor_id": visitor, "ts": ts, **values}


def sessionize(root: Path, params: Sessionize, *files: Sequence[Row], since: date | None = None) -> Workspace:
    """Runs the stage in ``root`` on events that lie in the given files."""
    workspace = Workspace(root)
    shutil.rmtree(workspace.events, ignore_errors=True)
    for number, events in enumerate(files):
        folder = workspace.events / f"day=2026-03-{number + 1:02}"
        folder.mkdir(parents=True, exist_ok=True)
        write_table(pa.Table.from_pylist(events, schemas.EVENTS), folder / "events.parquet", schemas.EVENTS)
    run(workspace, params, seed=7, since=since)
    return workspace


def sessions_of(root: Path, params: Sessionize, *files: Sequence[Row]) -> list[Row]:
    return rows_of(sessionize(root, params, *files))


def rows_of(workspace: Workspace) -> list[Row]:
    rows: list[Row] = read_table(workspace.sessions, schemas.SESSIONS).to_pylist()
    return rows


@contextmanager
def small_pieces() -> Iterator[None]:
    """Makes buckets, slices and row groups so small that a few sessions fill several of each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "EVENT_BYTES", 2**28)  # at 2 GB four events a bucket
        patch.setattr(sessions, "_SLICE", 2)
        patch.setattr(merge, "_HELD", 1)
        patch.setattr(merge, "ROW_GROUP", 3)
        yield


def slow_sessions(events: Sequence[Row], params: Sessionize) -> dict[tuple[Any, ...], tuple[int, str | None]]:
    """Number of events and customer of every session, by visitor, channel and start."""
    ordered = sorted(events, key=lambda row: (row["visitor_id"], row["channel"], row["ts"], row["event_id"]))
    found: dict[tuple[Any, ...], tuple[int, str | None]] = {}
    for (visitor, channel), stream in groupby(ordered, key=lambda row: (row["visitor_id"], row["channel"])):
        start = last = None
        for row in stream:
            ts = row["ts"]
            silent = last is None or (ts - last).total_seconds() > params.gap_seconds
            if start is None or silent or (ts - start).total_seconds() > params.max_duration_seconds:
                start = ts
            last = ts
            n_events = found.get((visitor, channel, start), (0, None))[0] + 1
            logins = [
                (other["ts"], other["event_id"], other["customer_id"])
                for other in events
                if other["visitor_id"] == visitor and other["customer_id"] and other["ts"] <= ts
            ]
            found[visitor, channel, start] = (n_events, max(logins)[2] if logins else None)
    return found


SOME_EVENTS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from("vw"),
        st.sampled_from(["web", "app"]),
        st.sampled_from([None, "ann", "bob"]),
    ),
    min_size=1,
    max_size=40,
)
