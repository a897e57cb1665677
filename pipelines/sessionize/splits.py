"""The split by time: train, then valid, then test, with an embargo before each boundary.

Visits of a source without a clock are split by their visitor's hash instead.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import duckdb

from pipelines.errors import ParamsError
from pipelines.params import Split

CLOCKLESS_VALID_SHARE: Final = 0.1
CLOCKLESS_TEST_SHARE: Final = 0.2
"""Shares of the visitors without a clock, where the split is set by dates, which say nothing about them."""

PART: Final = """
CASE
    WHEN clockless THEN CASE
        WHEN md5_number_lower(sessions.visitor_id) % 1000000 < $test_share * 1000000 THEN 'test'
        WHEN md5_number_lower(sessions.visitor_id) % 1000000 < ($test_share + $valid_share) * 1000000 THEN 'valid'
        ELSE 'train' END
    WHEN start_us >= $test_us THEN 'test'
    WHEN end_us >= $test_us - $embargo_us THEN 'embargo'
    WHEN start_us >= $valid_us THEN 'valid'
    WHEN end_us >= $valid_us - $embargo_us THEN 'embargo'
    ELSE 'train'
END
"""
"""The part a session belongs to; what begins before a boundary and reaches into its embargo belongs to none."""


@dataclass(frozen=True)
class Boundaries:
    """The values that PART asks for."""

    valid_us: int
    test_us: int
    embargo_us: int
    valid_share: float
    test_share: float


def boundaries(warehouse: duckdb.DuckDBPyConnection, split: Split) -> Boundaries:
    """Returns where the parts of the table ``sessions`` begin.

    Raises:
        ParamsError: the test part would begin before the validation part.
    """
    embargo_us = round(split.embargo_days * 86_400e6)
    if split.valid_share is not None and split.test_share is not None:
        first_us, last_us = _span_us(warehouse)
        test_us = last_us - round(split.test_share * (last_us - first_us))
        valid_us = test_us - round(split.valid_share * (last_us - first_us))
        return Boundaries(valid_us, test_us, embargo_us, split.valid_share, split.test_share)
    assert split.valid_from is not None
    assert split.test_from is not None
    valid_us, test_us = _instant_us(split.valid_from), _instant_us(split.test_from)
    if test_us < valid_us:
        raise ParamsError("sessionize.split: `test_from` is before `valid_from`; expected train, then valid, then test")
    return Boundaries(valid_us, test_us, embargo_us, CLOCKLESS_VALID_SHARE, CLOCKLESS_TEST_SHARE)


def _span_us(warehouse: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """First start and last end of the sessions that have a clock."""
    bounds = "SELECT coalesce(min(start_us), 0), coalesce(max(end_us), 0) FROM sessions WHERE NOT clockless"
    first_us, last_us = warehouse.execute(bounds).fetchall()[0]  # all of it: an open result blocks the connection
    return first_us, last_us


def _instant_us(moment: datetime | date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
