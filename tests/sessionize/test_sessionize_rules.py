"""What a session is at the edges: buckets, trackers' own ids, robots, year-long streams, shared and several devices."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import DAY, NOON, SOME_EVENTS, Row, block, event, rows_of, sessionize, sessions_of, small_pieces

from pipelines.sessionize import merge
from pipelines.sessionize.buckets import n_buckets


def tracked(event_id: str, seconds: float, session: Any, **values: Any) -> Row:
    return event(event_id, seconds, properties=json.dumps({"a b.c'\"": session}), **values)


NAMED = block(session_property="a b.c'\"")


def contents(sessions: list[Row]) -> list[list[float]]:
    """The seconds after noon of the events of each session."""
    return [[(inner["ts"] - NOON).total_seconds() for inner in row["events"]] for row in sessions]


def test_the_id_of_a_tracker_cuts_and_so_do_the_gap_and_the_maximum_duration(tmp_path: Path) -> None:
    events = [
        tracked("a", 0, 1),
        tracked("b", 10, 2),
        tracked("c", 20, 2),
        tracked("d", 5000, 2),  # a silence inside an id
        event("e", 15),  # without an id: a stream of its own
        event("f", 16, properties="{}"),
        tracked("g", 5001, None),
    ]
    assert contents(sessions_of(tmp_path / "on", NAMED, events)) == [[0], [10, 20], [15, 16], [5000], [5001]]
    assert contents(sessions_of(tmp_path / "off", block(), events)) == [[0, 10, 15, 16, 20], [5000, 5001]]


def test_sessions_of_two_ids_that_start_in_one_instant_are_two(tmp_path: Path) -> None:
    sessions = sessions_of(tmp_path, NAMED, [tracked("a", 0, 1), tracked("b", 0, 2), tracked("c", 5, 1)])
    assert sorted(contents(sessions)) == [[0], [0, 5]]
    assert len({row["session_id"] for row in sessions}) == 2


def test_a_robot_that_is_never_silent_for_a_year_is_cut_every_half_day(tmp_path: Path) -> None:
    events = [event(f"{n:05}", 1500 * n) for n in range(365 * 86_400 // 1500)]
    sessions = sessions_of(tmp_path, block(), events)
    assert sum(row["n_events"] for row in sessions) == len(events)
    assert {row["n_events"] for row in sessions[:-1]} == {29}  # 0 .. 42,000 s; the next would be at 43,500
    assert max(row["end_ts"] - row["start_ts"] for row in sessions) <= timedelta(seconds=43_200)


def test_a_thousand_events_of_one_instant_are_one_session_in_the_order_of_their_ids(tmp_path: Path) -> None:
    events = [event(f"{n:04}", 0, page=f"/{n}") for n in reversed(range(1000))]
    (session,) = sessions_of(tmp_path, block(), events)
    assert [inner["page"] for inner in session["events"]] == [f"/{n}" for n in range(1000)]
    assert {inner["dwell_seconds"] for inner in session["events"][:-1]} == {0.0}


def test_a_customer_on_two_devices_is_linked_and_the_sessions_stay_apart(tmp_path: Path) -> None:
    events = [event("a", 0, customer_id="ann"), event("b", 0, visitor="phone", channel="app", customer_id="ann")]
    workspace = sessionize(tmp_path, block(), events)
    assert {(row["visitor_id"], row["customer_id"]) for row in rows_of(workspace)} == {("v", "ann"), ("phone", "ann")}
    report = json.loads(workspace.sessionize_report.read_text(encoding="utf-8"))
    assert report["identity"] == {"links": 2, "visitors_of_several_customers": 0, "customers_of_several_visitors": 1}


def test_the_report_says_what_the_latest_link_would_have_leaked(tmp_path: Path) -> None:
    far = 40 * DAY
    events = [
        event("a", 0),  # train; nobody yet, later ann's, at last bob's
        event("b", 7200, customer_id="ann"),  # train; ann's, at last bob's
        event("c", 0, ts=NOON + far, customer_id="bob"),  # test; bob's either way
        event("d", 0, visitor="w"),  # nobody's either way
    ]
    workspace = sessionize(tmp_path, block(), events)
    report = json.loads(workspace.sessionize_report.read_text(encoding="utf-8"))
    assert report["latest_would_leak"] == {"sessions": 2, "train": 2, "valid": 0, "test": 0, "embargo": 0}
    assert report["by_split"] == {"train": 3, "valid": 0, "test": 1, "embargo": 0}
    assert (report["events"], report["sessions"], report["single_event_sessions"]) == (4, 4, 4)
    assert (report["of_a_known_customer"], report["identity"]["visitors_of_several_customers"]) == (2, 1)


def test_buckets_grow_in_number_with_the_events_and_shrink_with_the_memory() -> None:
    assert n_buckets(1, 2) == 1
    assert n_buckets(100_000_000, 2) >= 2 * n_buckets(100_000_000, 4) - 1 > 1


@settings(max_examples=25, deadline=None)
@given(steps=SOME_EVENTS, n_files=st.integers(1, 3))
def test_no_bucket_shows_and_every_event_is_in_one_session(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]], n_files: int
) -> None:
    events = [
        event(
            f"{n:02}", 100 * seconds, visitor=f"{visitor}{n % 5}", channel=channel, customer_id=customer, element=f"{n}"
        )
        for n, (seconds, visitor, channel, customer) in enumerate(steps)
    ]
    params = block(gap_seconds=200, max_duration_seconds=700)
    whole = rows_of(sessionize(tmp_path_factory.mktemp("whole"), params, events))
    with small_pieces():
        files = [events[start::n_files] for start in range(n_files)]
        pieces = sessionize(tmp_path_factory.mktemp("pieces"), params, *(file for file in files if file))
        groups = pq.ParquetFile(pieces.sessions).metadata
        sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
    assert rows_of(pieces) == whole
    assert set(sizes[:-1]) <= {3}, "row groups are full"
    assert sorted(inner["element"] for row in whole for inner in row["events"]) == sorted(
        row["element"] for row in events
    )
    assert len({row["session_id"] for row in whole}) == len(whole)
    assert [(row["start_ts"], row["session_id"]) for row in whole] == sorted(
        (row["start_ts"], row["session_id"]) for row in whole
    )


@settings(max_examples=25, deadline=None)
@given(steps=SOME_EVENTS, until=st.integers(0, 30))
def test_what_ended_is_as_it_was_before_the_future_came(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]], until: int
) -> None:
    events = [
        event(f"{n:02}", 100 * seconds, visitor=visitor, channel=channel, customer_id=customer)
        for n, (seconds, visitor, channel, customer) in enumerate(steps)
    ]
    params, now = block(gap_seconds=200, max_duration_seconds=700), NOON + timedelta(seconds=100 * until)
    then = sessions_of(tmp_path_factory.mktemp("then"), params, [row for row in events if row["ts"] <= now])
    later = sessions_of(tmp_path_factory.mktemp("later"), params, events)
    was = {row["session_id"]: row for row in then}
    ended = [row for row in later if row["end_ts"] <= now]
    assert ended == [was[row["session_id"]] for row in ended]


def test_former_sessions_come_a_row_group_at_a_time_for_each_batch_costs_a_look_at_all_that_are_dropped(
    tmp_path: Path,
) -> None:
    events = [event(f"{n:02}", 10_000 * n, visitor=f"v{n}") for n in range(7)]
    with small_pieces():
        made = sessionize(tmp_path, block(gap_seconds=200), events)
        sizes = [len(batch) for batch in merge.Kept(made.sessions).batches()]
    assert sizes == [3, 3, 1]
