"""Whose a visitor's events and sessions are, by links that hold from a login until somebody else's."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from pipelines.errors import ParamsError
from pipelines.forget.person import Link, Person, Span, events_of, of_customer, sessions_of
from pipelines.ingest import forgotten
from pipelines.ingest.forgotten import Line
from pipelines.schemas import TIMESTAMP

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def link(visitor: str, customer: str, since: float, until: float | None) -> Link:
    return Link(visitor, at(since), None if until is None else at(until), customer)


LINKS = [
    link("own", "a", 0, None),
    link("shared", "a", 10, 20),
    link("shared", "b", 20, 30),
    link("shared", "a", 30, None),
    link("other", "b", 0, None),
    link("later", "b", 5, 15),
    link("later", "a", 15, None),
]


def test_a_person_has_whole_visitors_and_times_on_shared_ones() -> None:
    expected = (Span("later", at(15), None), Span("shared", None, at(20)), Span("shared", at(30), None))
    assert of_customer("a", [*LINKS, *LINKS]) == Person("a", frozenset({"own"}), expected)
    assert of_customer("c", LINKS) == Person("c", frozenset())


def test_events_before_the_first_login_are_the_first_owners_and_nobody_elses_login_goes() -> None:
    rows = [
        ("own", None, -60, True),
        ("shared", None, -60, True),
        ("shared", "a", 10, True),
        ("shared", None, 19.9, True),
        ("shared", "b", 20, False),
        ("shared", None, 25, False),
        ("shared", None, 30, True),
        ("shared", "b", 31, False),  # signed by somebody else, whatever the links say
        ("later", None, 0, False),
        ("later", None, 16, True),
        ("other", None, 16, False),
        ("unlinked", "a", 16, True),
    ]
    events = pa.table(
        {
            "visitor_id": [row[0] for row in rows],
            "customer_id": pa.array([row[1] for row in rows], pa.string()),
            "ts": pa.array([at(row[2]) for row in rows], TIMESTAMP),
        }
    )
    assert events_of(of_customer("a", LINKS), events).to_pylist() == [row[3] for row in rows]
    one = Person(None, frozenset({"shared"}))
    assert events_of(one, events).to_pylist() == [row[0] == "shared" for row in rows]


def test_a_session_that_changes_hands_goes_and_the_other_owners_stay() -> None:
    rows = [
        ("own", "a", -60, -50, True),
        ("shared", None, -60, -50, True),
        ("shared", "b", 18, 22, True),  # begun by one, ended by the other
        ("shared", "b", 21, 29, False),
        ("shared", "a", 29, 31, True),
        ("later", "b", 5, 6, False),
        ("other", "b", 0, 90, False),
    ]
    sessions = pa.table(
        {
            "visitor_id": [row[0] for row in rows],
            "customer_id": pa.array([row[1] for row in rows], pa.string()),
            "start_ts": pa.array([at(row[2]) for row in rows], TIMESTAMP),
            "end_ts": pa.array([at(row[3]) for row in rows], TIMESTAMP),
        }
    )
    assert sessions_of(of_customer("a", LINKS), sessions).to_pylist() == [row[4] for row in rows]


def test_the_list_reads_what_was_written_once_each(tmp_path) -> None:
    lines = of_customer("a", LINKS).lines
    path = tmp_path / "forgotten.txt"
    path.write_text(forgotten.text([*lines, *lines]), encoding="utf-8")
    assert sorted(map(str, forgotten.read(path))) == sorted(map(str, lines))
    assert {*forgotten.read(path)} == {*lines}
    assert Line("visitor", "shared", None, at(20)) in forgotten.read(path)
    assert forgotten.read(tmp_path / "none") == []


@pytest.mark.parametrize("line", ["customer", "customer a b c", "person a", "visitor a b c", "visitor a - - -"])
def test_a_damaged_list_is_refused_rather_than_half_read(line: str, tmp_path) -> None:
    path = tmp_path / "forgotten.txt"
    path.write_text(f"# heading\n{line}\n", encoding="utf-8")
    with pytest.raises(ParamsError, match=r"forgotten\.txt, line 2"):
        forgotten.read(path)
