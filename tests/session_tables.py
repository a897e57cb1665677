"""Small literal tables of sessions and pages, for the tests of what reads them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from pipelines import schemas

START = datetime(2026, 1, 5, 9, tzinfo=UTC)  # a Monday


def make_sessions(visits: Sequence[Sequence[str]], splits: Sequence[str] = (), gap_seconds: float = 20) -> pa.Table:
    """Returns one web session a visit, an hour apart; an event is a page, or "event_type:page"."""
    rows = [_session(number, visit, gap_seconds) for number, visit in enumerate(visits)]
    for row, split in zip(rows, splits, strict=False):
        row["split"] = split
    return pa.Table.from_pylist(rows, schema=schemas.SESSIONS)


def make_pages(pages: Sequence[str]) -> pa.Table:
    """Returns the catalogue of web ``pages``, titled by their own names."""
    rows = [
        {"page": page, "channel": "web", "title": f"All about {page.strip('/')}", "text": None, "n_events": 1}
        for page in pages
    ]
    return pa.Table.from_pylist(rows, schema=schemas.PAGES)


def _session(number: int, visit: Sequence[str], gap_seconds: float) -> dict[str, object]:
    start = START + timedelta(hours=number)
    times = [start + timedelta(seconds=gap_seconds * step) for step in range(len(visit))]
    events = [
        {
            "ts": ts,
            "event_type": name.rpartition(":")[0] or "page_view",
            "page": name.rpartition(":")[2],
            "dwell_seconds": None if ts == times[-1] else gap_seconds,
        }
        for ts, name in zip(times, visit, strict=True)
    ]
    return {
        "session_id": f"session-{number:04d}",
        "visitor_id": f"visitor-{number % 7}",
        "channel": "web",
        "start_ts": times[0],
        "end_ts": times[-1],
        "n_events": len(events),
        "events": events,
        "split": "train",
    }
