"""Each of a visitor's n sessions in a run of days weighs 1/n."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipelines.drift.repeats import DAY_US, Repeats
from pipelines.drift.signals.signal import Signal
from pipelines.drift.tallies import n_effective, scores, tally

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def rows(*sessions: tuple[str, float]) -> pa.Table:
    """Of each session the visitor and the day after MONDAY on which it starts."""
    starts = pa.array([MONDAY + timedelta(days=day) for _, day in sessions], pa.timestamp("us", tz="UTC"))
    return pa.table({"visitor_id": [visitor for visitor, _ in sessions], "start_ts": starts})


def test_a_visitor_counts_as_one_in_each_run_of_days() -> None:
    table = rows(("a", 1.5), ("b", 0.5), ("a", 0.1), ("a", 2.9), ("a", 7.2), ("a", 8.0), ("b", 9.0), ("b", 11.0))
    first = int(MONDAY.timestamp() * 1e6) // DAY_US
    third, half = 1 / 3, 1 / 2
    assert Repeats.of(table).weights(first, 3).tolist() == pytest.approx([third, 1, third, third, half, half, 1, 1])
    fifth = 1 / 5
    assert Repeats.of(table).weights(first, 10).tolist() == pytest.approx([fifth, half, *[fifth] * 4, half, 1])


def test_days_before_and_after_the_window_do_not_weigh_on_those_in_it() -> None:
    window, others = [("a", 0.1), ("a", 1.0), ("b", 2.0)], [("a", 4.0), ("b", 5.0), ("a", -1.0), ("b", -3.0)]
    first = int(MONDAY.timestamp() * 1e6) // DAY_US
    alone, beside = (Repeats.of(rows(*found)).weights(first, 3) for found in (window, window + others))
    assert alone.tolist() == beside[:3].tolist()


def test_a_size_is_that_of_as_many_alike() -> None:
    ones, none = np.ones((1, 8)), np.zeros((1, 8))
    half = np.concatenate([none, ones], axis=1)
    assert n_effective(np.concatenate([ones, none], axis=1), half).tolist() == [4]
    assert n_effective(np.concatenate([3 * ones, none], axis=1), half).tolist() == [4], "one weight, whatever it is"
    uneven = np.concatenate([np.array([[1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5]]), none], axis=1)
    size = 36 / 5  # (4 + 4 / 2)^2 / (4 + 4 / 4)
    assert n_effective(uneven, half)[0] == pytest.approx(size * 8 / (size + 8))


def test_who_comes_ten_times_does_not_count_as_ten() -> None:
    """Two samples without drift, one of which one visitor fills by a half."""
    table = pa.table({"held": ["x"] * 10 + ["y"] * 10 + ["x"] * 2 + ["y"] * 18})
    tallies = tally([table], [Signal("s", "s", lambda found: found.column("held"))])
    current = np.arange(40)[None] < 20
    weights = np.concatenate([np.full(10, 0.1), np.ones(30)])[None]
    apart, _ = scores(tallies, current * weights, ~current * weights)
    plain, _ = scores(tallies, current, ~current)
    assert 0 < apart[0, 0] < plain[0, 0] / 1.5
