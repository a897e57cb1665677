"""Partial runs: however events are cut into batches, the tables are those of a full run; what changed is listed."""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import DAY, NOON, Row, block, event, rows_of, sessionize, small_pieces

from pipelines import schemas
from pipelines.errors import TableError
from pipelines.params import Sessionize
from pipelines.paths import Workspace
from pipelines.tables import read_table

HOUR = 3600
TODAY = NOON.date()
TABLES = ("sessions", "pages", "identity")


def report_of(workspace: Workspace) -> dict[str, Any]:
    return dict(json.loads(workspace.sessionize_report.read_text(encoding="utf-8")))


def replaced_in(workspace: Workspace) -> dict[str, str | None]:
    rows = read_table(workspace.replaced_sessions, schemas.REPLACED).to_pylist()
    return {row["session_id"]: row["replaced_by"] for row in rows}


def assert_as_if_full(workspace: Workspace, root: Path, params: Sessionize, *files: Sequence[Row]) -> None:
    full = sessionize(root, params, *files)
    for name in TABLES:
        assert getattr(workspace, name).read_bytes() == getattr(full, name).read_bytes(), name
    partial, whole = report_of(workspace), report_of(full)
    assert partial.pop("since")
    assert whole.pop("since") is None
    assert partial == whole


def test_an_event_that_bridges_two_sessions_replaces_the_second(tmp_path: Path) -> None:
    events = [event("a", 0), event("c", 3000), event("other", 0, visitor="w")]
    workspace = sessionize(tmp_path / "part", block(), events)
    first, second = [row["session_id"] for row in rows_of(workspace) if row["visitor_id"] == "v"]
    bridge = event("b", 1500)
    sessionize(tmp_path / "part", block(), events, [bridge], since=TODAY)
    assert replaced_in(workspace) == {second: first}
    assert_as_if_full(workspace, tmp_path / "full", block(), [*events, bridge])


def test_an_earlier_first_event_replaces_the_id_and_a_later_run_keeps_the_list_and_follows_it(tmp_path: Path) -> None:
    events = [event("c", 1000)]
    workspace = sessionize(tmp_path, block(), events)
    ids = [rows_of(workspace)[0]["session_id"]]
    for name, seconds in (("b", 500), ("a", 0)):
        events.append(event(name, seconds))
        sessionize(tmp_path, block(), events, since=TODAY)
        ids.append(rows_of(workspace)[0]["session_id"])
    assert len(set(ids)) == 3
    assert replaced_in(workspace) == {ids[0]: ids[2], ids[1]: ids[2]}
    sessionize(tmp_path, block(), events, since=TODAY + 30 * DAY)
    assert replaced_in(workspace) == {ids[0]: ids[2], ids[1]: ids[2]}, "nothing new: the list stays"
    sessionize(tmp_path, block(), events)
    assert replaced_in(workspace) == {}, "a full run starts a new list"


def test_a_session_that_is_gone_is_replaced_by_none(tmp_path: Path) -> None:
    events = [event("a", 0), event("b", 9000)]
    workspace = sessionize(tmp_path, block(), events)
    gone = rows_of(workspace)[1]["session_id"]
    sessionize(tmp_path, block(), events[:1], since=TODAY)
    assert replaced_in(workspace) == {gone: None}
    assert len(rows_of(workspace)) == 1


def test_only_what_new_events_can_change_is_cut_again(tmp_path: Path) -> None:
    midnight = NOON - timedelta(hours=12)
    old = [event("x", 0, visitor="old", ts=midnight - DAY)]
    near = [event("y", 0, visitor="near", ts=midnight - timedelta(seconds=1800))]  # a silence equal to the gap stays
    parted = [event("z", 0, visitor="parted", ts=midnight - timedelta(seconds=1801))]
    events = [*old, *near, *parted]
    workspace = sessionize(tmp_path / "part", block(lateness_days=0), events)
    events += [event(name, 0, visitor=name, ts=midnight) for name in ("near", "parted", "old")]
    sessionize(tmp_path / "part", block(lateness_days=0), events, since=TODAY)
    assert report_of(workspace)["since"]["sessions_cut_again"] == 1
    assert [row["n_events"] for row in rows_of(workspace) if row["visitor_id"] == "near"] == [2]
    assert_as_if_full(workspace, tmp_path / "full", block(lateness_days=0), events)


def test_a_session_that_the_maximum_duration_cuts_is_cut_again_from_its_last_silence(tmp_path: Path) -> None:
    params = block(max_duration_seconds=4 * HOUR, lateness_days=0)
    stream = [event(f"{n:03}", n * 1000) for n in range(120)]  # 33 hours without a silence
    workspace = sessionize(tmp_path / "part", params, stream[:60])
    sessionize(tmp_path / "part", params, stream, since=TODAY + DAY)
    assert_as_if_full(workspace, tmp_path / "full", params, stream)


def test_a_trackers_session_that_goes_on_beside_another_is_cut_again_whole(tmp_path: Path) -> None:
    params = block(session_property="sid", lateness_days=0)
    midnight = NOON + timedelta(hours=12)
    stream = [
        event(name, 0, ts=midnight + timedelta(seconds=seconds), properties=json.dumps({"sid": sid}))
        for name, seconds, sid in (("a", -300, "1"), ("b", -200, "2"), ("c", 10, "1"))
    ]
    workspace = sessionize(tmp_path / "part", params, stream[:2])
    sessionize(tmp_path / "part", params, stream, since=TODAY + DAY)
    assert sorted(row["n_events"] for row in rows_of(workspace)) == [1, 2]
    assert_as_if_full(workspace, tmp_path / "full", params, stream)


def test_events_later_than_the_lateness_are_reported_and_not_dropped(tmp_path: Path) -> None:
    events = [event("a", 0), event("w", 0, visitor="w"), event("l", 60, customer_id="ann")]
    workspace = sessionize(tmp_path / "part", block(), events)
    late = [event("late", 30), event("later", 30 * HOUR, channel="app")]
    sessionize(tmp_path / "part", block(), events, late, since=TODAY + 10 * DAY)
    found = report_of(workspace)["since"]
    assert (found["late_events"], found["gone_events"], found["late_streams"]) == (2, 0, 2)
    assert_as_if_full(workspace, tmp_path / "full", block(), events, late)


def test_what_was_forgotten_leaves_the_former_sessions_as_well(tmp_path: Path) -> None:
    events = [event("a", 0), event("b", 60, visitor="w"), event("c", 9000, visitor="w")]
    workspace = sessionize(tmp_path / "part", block(), events)
    sessionize(tmp_path / "part", block(), events[:1], since=TODAY + 10 * DAY)
    assert report_of(workspace)["since"]["gone_events"] == 2
    assert_as_if_full(workspace, tmp_path / "full", block(), events[:1])


def test_streams_without_a_clock_are_followed_from_their_first_event(tmp_path: Path) -> None:
    visit = [event(f"{n}", 0, ts=schemas.SEQUENCE_EPOCH + n * timedelta(hours=1)) for n in range(5)]
    workspace = sessionize(tmp_path / "part", block(), visit[:3])
    for since in (TODAY, schemas.SEQUENCE_EPOCH.date()):
        sessionize(tmp_path / "part", block(), visit, since=since)
        assert_as_if_full(workspace, tmp_path / "full", block(), visit)


@pytest.mark.parametrize("change", [{"gap_seconds": 900}, {"max_duration_seconds": 60}, {"session_property": "s"}])
def test_sessions_cut_by_other_rules_are_not_added_to(tmp_path: Path, change: dict[str, Any]) -> None:
    workspace = sessionize(tmp_path, block(), [event("a", 0)])
    before = workspace.sessions.read_bytes()
    with pytest.raises(TableError, match="other rules"):
        sessionize(tmp_path, block(**change), [event("a", 0)], since=TODAY)
    assert workspace.sessions.read_bytes() == before


def test_a_first_run_needs_all_events(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="run sessionize without it first"):
        sessionize(tmp_path, block(), [event("a", 0)], since=TODAY)


HOURLY = st.lists(
    st.tuples(
        st.integers(0, 5 * 24),  # hours after the first midnight
        st.sampled_from("uvw"),
        st.sampled_from(["web", "app"]),
        st.sampled_from([None, None, "ann", "bob"]),
        st.sampled_from([None, "s1", "s2"]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(
    hourly=HOURLY,
    batch_of=st.lists(st.integers(0, 2), min_size=25, max_size=25),
    days=st.lists(st.integers(0, 6), min_size=2, max_size=2),
    by_tracker=st.booleans(),
    stitching=st.sampled_from(["asof", "latest"]),
)
def test_any_batches_in_any_order_give_the_table_of_a_full_run(
    tmp_path_factory: pytest.TempPathFactory,
    hourly: list[tuple[Any, ...]],
    batch_of: list[int],
    days: list[int],
    by_tracker: bool,
    stitching: str,
) -> None:
    """Some batches keep the promise of `--since` and some do not: both ways nothing is lost."""
    midnight = NOON - timedelta(hours=12)
    events = [
        event(
            f"{n:02}",
            0,
            visitor=visitor,
            ts=midnight + timedelta(hours=hours),
            channel=channel,
            customer_id=customer,
            title=f"{hours % 2}",
            properties=None if tracker is None else json.dumps({"sid": tracker}),
        )
        for n, (hours, visitor, channel, customer, tracker) in enumerate(hourly)
    ]
    params = block(
        gap_seconds=2 * HOUR,
        max_duration_seconds=5 * HOUR,
        lateness_days=1,
        session_property="sid" if by_tracker else None,
        stitching=stitching,
    )
    root, full = tmp_path_factory.mktemp("part"), tmp_path_factory.mktemp("full")
    with small_pieces():
        arrived: list[Row] = []
        known: set[str] = set()
        for batch, since in enumerate([None, *(TODAY + day * DAY for day in days)]):
            arrived += [row for row, of in zip(events, batch_of, strict=False) if of == batch]
            workspace = sessionize(root, params, arrived, since=since)
            now = {row["session_id"] for row in rows_of(workspace)}
            followed = replaced_in(workspace)
            assert known - now <= followed.keys(), "every id that is gone is listed"
            assert not now & followed.keys()
            assert set(followed.values()) <= now | {None}
            known |= now
        assert_as_if_full(workspace, full, params, events)
        again = sessionize(root, params, arrived, since=date(2026, 1, 1))
        assert {name: getattr(again, name).read_bytes() for name in TABLES} == {
            name: getattr(Workspace(full), name).read_bytes() for name in TABLES
        }, "the same events twice change nothing"
