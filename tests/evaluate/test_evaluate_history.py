"""What a decision may read: links and sessions as of its moment, and nothing later."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from evaluate_world import at, session, table

from pipelines import schemas
from pipelines.evaluate.history import Moments, recency_weights, session_keys

DAY = 86_400_000_000


def link(visitor: str, customer: str, since: float, until: float | None = None) -> dict[str, Any]:
    valid_to = None if until is None else at(until)
    return {
        "visitor_id": visitor,
        "customer_id": customer,
        "valid_from": at(since),
        "valid_to": valid_to,
        "evidence_event_id": "e",
    }


def weights(
    decisions: list[tuple[float, str | None]], sessions: list[tuple[str, float]], identity: list[dict[str, Any]]
) -> list[list[float]]:
    """Weights with a half-life of 7 days and 28 days to look back; a session is (visitor, the day it ends)."""
    rows = [session(f"s{n}", visitor, "web", end - 0.01, ["/", "/x"], end) for n, (visitor, end) in enumerate(sessions)]
    moments = Moments(
        np.array([pa.scalar(at(day), schemas.TIMESTAMP).cast(pa.int64()).as_py() for day, _ in decisions]),
        pa.array([customer for _, customer in decisions], pa.string()),
    )
    keys = session_keys(table(rows, schemas.SESSIONS), np.arange(len(rows)))
    found = recency_weights(moments, keys, table(identity, schemas.IDENTITY), len(rows), 7, 28)
    return [[float(value) for value in row] for row in found.toarray()]


def test_a_weight_halves_in_a_half_life() -> None:
    found = weights([(20, "c")], [("v", 20 - 7), ("v", 20 - 14), ("v", 19.999)], [link("v", "c", 0)])
    assert found[0] == [pytest.approx(0.5), pytest.approx(0.25), pytest.approx(1, abs=1e-3)]


def test_a_session_that_ends_at_the_decision_or_later_is_not_read() -> None:
    assert weights([(10, "c")], [("v", 10), ("v", 11)], [link("v", "c", 0)]) == [[0, 0]]
    assert weights([(10.001, "c")], [("v", 10), ("v", 11)], [link("v", "c", 0)])[0][0] > 0


def test_a_session_beyond_the_lookback_is_not_read() -> None:
    found = weights([(30, "c")], [("v", 1.99), ("v", 2.01)], [link("v", "c", 0)])[0]
    assert found[0] == 0
    assert found[1] > 0


def test_a_first_login_before_the_decision_opens_the_visitors_past() -> None:
    assert weights([(10, "c")], [("v", 3)], [link("v", "c", 5)])[0][0] > 0
    assert weights([(10, "c")], [("v", 3)], [link("v", "c", 10)])[0][0] > 0  # at the very moment it is known


def test_a_login_after_the_decision_changes_nothing() -> None:
    sessions = [("v", 3.0), ("w", 8.0)]
    before = weights([(10, "c")], sessions, [link("w", "c", 1)])
    after = weights([(10, "c")], sessions, [link("w", "c", 1), link("v", "c", 10.5)])
    assert before == after
    assert after[0][0] == 0
    assert after[0][1] > 0


def test_who_takes_the_visitor_over_later_gets_only_what_follows() -> None:
    identity = [link("v", "c", 5, 12), link("v", "d", 12)]
    sessions = [("v", 3.0), ("v", 8.0), ("v", 13.0)]
    of_c, of_d = weights([(20, "c"), (20, "d")], sessions, identity)
    assert [value > 0 for value in of_c] == [True, True, False]
    assert [value > 0 for value in of_d] == [False, False, True]


def test_a_takeover_after_the_decision_changes_nothing() -> None:
    sessions = [("v", 3.0), ("v", 8.0)]
    assert weights([(10, "c")], sessions, [link("v", "c", 5)]) == weights(
        [(10, "c")], sessions, [link("v", "c", 5, 11), link("v", "d", 11)]
    )


def test_without_a_customer_there_is_no_history() -> None:
    assert weights([(10, None)], [("v", 3)], [link("v", "c", 0)]) == [[0]]


def test_a_customer_reads_all_their_visitors_and_nobody_elses() -> None:
    identity = [link("v", "c", 0), link("w", "c", 0), link("x", "d", 0)]
    found = weights([(10, "c")], [("v", 9), ("w", 9), ("x", 9), ("y", 9)], identity)[0]
    assert [value > 0 for value in found] == [True, True, False, False]
