"""Sessions, links and splits on literal streams of events, and against a slow loop over any events in any order."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import BY_DATES, NOON, SOME_EVENTS, Row, block, event, sessionize, sessions_of, slow_sessions

from pipelines import schemas
from pipelines.errors import ParamsError, TableError
from pipelines.paths import Workspace
from pipelines.sessionize.stage import run
from pipelines.tables import read_table


def sizes(sessions: Sequence[Row]) -> list[int]:
    return [session["n_events"] for session in sessions]


def test_a_session_ends_only_by_a_strictly_longer_silence(tmp_path: Path) -> None:
    events = [event("a", 0), event("b", 1800), event("c", 3600.000001)]
    first, second = sessions_of(tmp_path, block(), events)
    assert [row["page"] for row in first["events"]] == ["/home", "/home"]
    assert [row["dwell_seconds"] for row in first["events"]] == [1800.0, None]
    assert (first["start_ts"], first["end_ts"]) == (NOON, NOON + timedelta(seconds=1800))
    assert [row["dwell_seconds"] for row in second["events"]] == [None]


def test_a_session_is_cut_when_it_lasts_too_long_and_the_next_counts_from_its_own_start(tmp_path: Path) -> None:
    stream = [event(f"{n:02}", 400 * n) for n in range(8)]  # 0 .. 2800 s
    sessions = sessions_of(tmp_path, block(max_duration_seconds=1000), stream)
    assert sizes(sessions) == [3, 3, 2]  # 0, 400, 800 | 1200, 1600, 2000 | 2400, 2800
    assert sizes(sessions_of(tmp_path, block(max_duration_seconds=800), stream)) == [3, 3, 2], "800 s are allowed"
    assert sizes(sessions_of(tmp_path, block(max_duration_seconds=799), stream)) == [2, 2, 2, 2]


def test_channels_and_visitors_have_sessions_of_their_own(tmp_path: Path) -> None:
    events = [event("a", 0), event("b", 10, channel="app"), event("c", 20, visitor="w"), event("d", 30)]
    sessions = sessions_of(tmp_path, block(), events)
    assert [(row["visitor_id"], row["channel"], row["n_events"]) for row in sessions] == [
        ("v", "web", 2),
        ("v", "app", 1),
        ("w", "web", 1),
    ]
    assert len({row["session_id"] for row in sessions}) == 3


def test_the_id_of_a_session_stays_when_events_follow(tmp_path: Path) -> None:
    before = sessions_of(tmp_path, block(), [event("a", 0)])
    after = sessions_of(tmp_path, block(), [event("a", 0), event("b", 5), event("c", 9000)])
    assert after[0]["session_id"] == before[0]["session_id"]
    assert after[1]["session_id"] != before[0]["session_id"]


def test_a_session_knows_the_customer_as_of_its_end(tmp_path: Path) -> None:
    events = [
        event("a", 0),  # before any login
        event("b", 7200),
        event("c", 7260, customer_id="ann"),  # logs in during the second session
        event("d", 14400, channel="app"),  # still ann, on the other channel as well
        event("e", 21600, customer_id="bob"),
        event("f", 21660),
        event("g", 28800, customer_id="ann"),
        event("h", 36000, visitor="w"),
    ]
    by = {how: sessions_of(tmp_path, block(stitching=how), events) for how in ("asof", "latest", "none")}
    known = {how: [row["customer_id"] for row in sessions] for how, sessions in by.items()}
    assert known["asof"] == [None, "ann", "ann", "bob", "ann", None]
    assert known["latest"] == ["ann", "ann", "ann", "ann", "ann", None]
    assert known["none"] == [None] * 6


def test_identity_has_one_row_a_run_of_one_customer(tmp_path: Path) -> None:
    logins = [("a", 0, "ann"), ("b", 60, "ann"), ("c", 90, None), ("d", 120, "bob"), ("e", 180, "ann")]
    events = [event(name, seconds, customer_id=customer) for name, seconds, customer in logins]
    links = read_table(sessionize(tmp_path, block(), events).identity, schemas.IDENTITY).to_pylist()
    second = timedelta(seconds=1)
    assert [tuple(link.values())[1:] for link in links] == [
        ("ann", NOON, NOON + 120 * second, "a"),
        ("bob", NOON + 120 * second, NOON + 180 * second, "d"),
        ("ann", NOON + 180 * second, None, "e"),
    ]


def test_two_logins_in_one_instant_go_by_event_id(tmp_path: Path) -> None:
    events = [event("b", 0, customer_id="bob"), event("a", 0, customer_id="ann"), event("c", 5)]
    assert [row["customer_id"] for row in sessions_of(tmp_path, block(), events)] == ["bob"]


def test_a_later_login_changes_no_earlier_session(tmp_path: Path) -> None:
    events = [event("a", 0), event("b", 60), event("c", 9000, customer_id="ann"), event("d", 9060)]
    next_week = [event(name, 7 * 86400 + 60, customer_id=who) for name, who in (("y", "bob"), ("z", "ann"))]
    before = sessions_of(tmp_path, block(), events)
    assert sessions_of(tmp_path, block(), events, next_week)[: len(before)] == before


def test_the_catalogue_holds_the_commonest_title_and_text(tmp_path: Path) -> None:
    said = [("Home", None), ("Home", "new"), ("Start", "old"), (None, "old"), (None, "new"), (None, None)]
    events = [event(str(n), n, title=title, text=text) for n, (title, text) in enumerate(said)]
    events += [
        event("x", 50, page="/b", title="Zed"),
        event("y", 51, page="/b", title="Abe"),
        event("z", 52, page=None),
    ]
    events += [event("app", 53, channel="app")]
    pages = read_table(sessionize(tmp_path, block(), events).pages, schemas.PAGES).to_pylist()
    assert [tuple(page.values()) for page in pages] == [
        ("/b", "web", "Abe", None, 2),  # a tie: alphabetical order
        ("/home", "app", None, None, 1),
        ("/home", "web", "Home", "new", 6),
    ]


@pytest.mark.parametrize(
    ("start", "hours", "part"),
    [
        ("2026-03-09T11:59", 0, "train"),
        ("2026-03-09T12:00", 0, "embargo"),
        ("2026-03-09T11:00", 2, "embargo"),  # begins in time, but reaches into the embargo
        ("2026-03-09T23:59", 1, "embargo"),
        ("2026-03-10T00:00", 0, "valid"),
        ("2026-03-19T11:59", 0, "valid"),
        ("2026-03-19T12:00", 0, "embargo"),
        ("2026-03-20T00:00", 0, "test"),
    ],
)
def test_the_split_by_dates(tmp_path: Path, start: str, hours: int, part: str) -> None:
    first = datetime.fromisoformat(start).replace(tzinfo=NOON.tzinfo)
    events = [event(str(n), 0, ts=first + timedelta(hours=n)) for n in range(hours + 1)]
    assert [row["split"] for row in sessions_of(tmp_path, block(gap_seconds=3600), events)] == [part]


def test_the_split_by_shares_of_the_time_span(tmp_path: Path) -> None:
    shares = {"valid_from": None, "test_from": None, "valid_share": 0.2, "test_share": 0.3}
    events = [event(f"{day:02}", 86400 * day) for day in range(11)]  # a span of ten days: valid from 5, test from 7
    parts = [row["split"] for row in sessions_of(tmp_path, block(embargo_days=1, split=shares), events)]
    assert parts == ["train"] * 4 + ["embargo", "valid", "embargo"] + ["test"] * 4


def test_visits_without_a_clock_are_one_session_each_and_are_split_by_visitor(tmp_path: Path) -> None:
    second = timedelta(seconds=1)
    events = [
        event(f"{visitor}-{n}", 0, visitor=f"v{visitor}", ts=schemas.SEQUENCE_EPOCH + n * second)
        for visitor in range(400)
        for n in range(3)
    ]
    params = block(gap_seconds=0.5, max_duration_seconds=1, split={**BY_DATES})
    sessions = sessions_of(tmp_path, params, events)
    assert sizes(sessions) == [3] * 400
    parts = [row["split"] for row in sessions]
    assert 20 <= parts.count("valid") <= 60  # .1 of 400
    assert 55 <= parts.count("test") <= 105  # .2 of 400
    assert parts.count("embargo") == 0
    part_of = {row["visitor_id"]: row["split"] for row in sessions}
    fewer = sessions_of(tmp_path, params, events[:300])
    assert all(part_of[row["visitor_id"]] == row["split"] for row in fewer), "other visitors change nothing"


def test_no_events_give_empty_tables(tmp_path: Path) -> None:
    workspace = sessionize(tmp_path, block(), [])
    for path, schema in ((workspace.sessions, schemas.SESSIONS), (workspace.identity, schemas.IDENTITY)):
        assert len(read_table(path, schema)) == 0


def test_boundaries_out_of_order_are_refused(tmp_path: Path) -> None:
    split = {**BY_DATES, "test_from": "2026-03-09"}
    with pytest.raises(ParamsError, match="`test_from` is before `valid_from`"):
        sessions_of(tmp_path, block(split=split), [event("a", 0)])
    assert not (tmp_path / "artifacts" / "sessions.parquet").exists()


def test_missing_events_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="events is missing"):
        run(Workspace(tmp_path), block(), seed=7)


@settings(max_examples=25, deadline=None)
@given(steps=SOME_EVENTS, shuffled=st.randoms(use_true_random=False), n_files=st.integers(1, 3))
def test_any_order_and_partition_gives_the_sessions_of_a_slow_loop(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]], shuffled: Any, n_files: int
) -> None:
    events = [
        event(f"{n:02}", 100 * seconds, visitor=visitor, channel=channel, customer_id=customer)
        for n, (seconds, visitor, channel, customer) in enumerate(steps)
    ]
    params = block(gap_seconds=200, max_duration_seconds=700)
    mixed = shuffled.sample(events, len(events))
    root = tmp_path_factory.mktemp("any")
    sessions = sessions_of(root, params, *(mixed[start::n_files] for start in range(n_files)))
    found = {
        (row["visitor_id"], row["channel"], row["start_ts"]): (row["n_events"], row["customer_id"]) for row in sessions
    }
    assert found == slow_sessions(events, params)
    for row in sessions:
        times = [inner["ts"] for inner in row["events"]]
        assert [inner["dwell_seconds"] for inner in row["events"]] == [
            (after - before).total_seconds() for before, after in pairwise(times)
        ] + [None]
    in_order = sessionize(tmp_path_factory.mktemp("order"), params, events)
    assert in_order.sessions.read_bytes() == Workspace(root).sessions.read_bytes()
