"""Clocks that are off, told by the time of receipt."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingested import JSONL, Run, ingest, jsonl

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
SOURCE = {**JSONL, "columns": {**JSONL["columns"], "received_ts": "received"}}  # type: ignore[dict-item]


def event(who: str, at: float, ahead: float, delay: float = 1.0) -> dict[str, Any]:
    """An event ``at`` seconds after the start, on a device whose clock is ``ahead``, received ``delay`` later."""
    happened = START + timedelta(seconds=at)
    return {
        "id": f"{who}_{at:g}",
        "who": who,
        "at": (happened + timedelta(seconds=ahead)).isoformat(),
        "received": (happened + timedelta(seconds=delay)).isoformat(),
        "url": "/a",
    }


def run(root: Path, *events: dict[str, Any], clocks: bool = True) -> Run:
    return ingest(root, {"events.jsonl": jsonl(*events)}, [{**SOURCE, "path": "data"}], clocks=clocks)


def seconds(found: Run) -> dict[str, float]:
    """Seconds after the start, by event."""
    return {row["event_id"]: round((row["ts"] - START).total_seconds(), 3) for row in found.events}


def test_a_clock_that_is_ahead_is_set_back_by_its_offset(tmp_path: Path) -> None:
    found = run(tmp_path, event("a", 0, 3600), event("a", 100, 3600, delay=2), event("a", 300, 3600, delay=7000))
    assert seconds(found) == {"a_0": 1, "a_100": 101, "a_300": 301}  # late by the least delay, intervals as they were
    assert found.total["corrected"] == {"clock_ahead": 3}
    assert found.report["sources"][0]["files"][0]["accepted"] == 3


def test_a_single_event_from_the_future_takes_its_time_of_receipt(tmp_path: Path) -> None:
    rows = [event("a", 100 * number, 0) for number in range(5)]
    found = run(tmp_path, *rows, event("a", 50, 86_400 * 300))
    assert seconds(found) == {**{f"a_{100 * number}": 100 * number for number in range(5)}, "a_50": 51}
    assert found.total["corrected"] == {"clock_ahead": 1}


def test_a_clock_that_is_behind_is_told_by_a_constant_lateness(tmp_path: Path) -> None:
    found = run(tmp_path, *(event("a", at, -1200) for at in (0, 40, 90)))
    assert seconds(found) == {"a_0": 1, "a_40": 41, "a_90": 91}
    assert found.total["corrected"] == {"clock_behind": 3}


def test_events_kept_without_a_connection_are_no_clock_that_is_behind(tmp_path: Path) -> None:
    at_once = [event("a", at, 0, delay=3600 - at) for at in (0, 1, 2, 3, 400)]
    in_a_burst = [event("b", at, 0, delay=3600 - at) for at in (0, 1, 2, 3)]
    one_by_one = [event("c", at, 0, delay=delay) for at, delay in ((0, 4000), (60, 100), (90, 900))]
    with_others = [event("d", at, 0, delay=delay) for at, delay in ((0, 1000), (200, 1000), (400, 1000), (500, 1))]
    found = run(tmp_path, *at_once, *in_a_burst, *one_by_one, *with_others)
    assert all(name.endswith(f"_{at:g}") for name, at in seconds(found).items())
    assert found.total["corrected"] == {}


def test_small_offsets_and_switched_off_rules_change_nothing(tmp_path: Path) -> None:
    small = run(tmp_path / "small", event("a", 0, 50), event("a", 200, 50))
    assert seconds(small) == {"a_0": 50, "a_200": 250}
    off = run(tmp_path / "off", event("a", 0, 3600), clocks=False)
    assert seconds(off) == {"a_0": 3600}
    assert small.total["corrected"] == off.total["corrected"] == {}


def test_a_source_whose_receipts_are_dates_is_not_believed(tmp_path: Path, capsys: Any) -> None:
    rows = [{**event(f"v{number}", number, 0), "received": "2026-01-05"} for number in range(20)]
    found = run(tmp_path, *rows)
    assert seconds(found) == {f"v{number}_{number}": number for number in range(20)}
    assert found.report["sources"][0]["untrusted_clocks"] == {"clock_ahead": 1.0}
    assert "100% of the events would be clock_ahead" in capsys.readouterr().out
