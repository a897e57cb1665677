"""The split by time: train, then valid, then test, with an embargo before each boundary.

Visits of a source without a clock are split by their visitor's hash instead.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from pipelines.errors import ParamsError
from pipelines.params import Split

CLOCKLESS_VALID_SHARE: Final = 0.1
CLOCKLESS_TEST_SHARE: Final = 0.2
"""Shares of the visitors without a clock, where the split is set by dates, which say nothing about them."""


@dataclass(frozen=True)
class Boundaries:
    """What decides about the part of a session."""

    valid_us: int
    test_us: int
    embargo_us: int
    valid_share: float
    test_share: float


def check(split: Split) -> None:
    """Checks that the parts follow each other.

    Raises:
        ParamsError: the test part would begin before the validation part.
    """
    if split.valid_from and split.test_from and _instant_us(split.test_from) < _instant_us(split.valid_from):
        raise ParamsError("sessionize.split: `test_from` is before `valid_from`; expected train, then valid, then test")


def boundaries(split: Split, span_us: Callable[[], tuple[int, int]]) -> Boundaries:
    """Returns where the parts begin; ``span_us`` gives first start and last end of the sessions that have a clock."""
    embargo_us = round(split.embargo_days * 86_400e6)
    if split.valid_share is not None and split.test_share is not None:
        first_us, last_us = span_us()
        test_us = last_us - round(split.test_share * (last_us - first_us))
        valid_us = test_us - round(split.valid_share * (last_us - first_us))
        return Boundaries(valid_us, test_us, embargo_us, split.valid_share, split.test_share)
    assert split.valid_from is not None
    assert split.test_from is not None
    valid_us, test_us = _instant_us(split.valid_from), _instant_us(split.test_from)
    return Boundaries(valid_us, test_us, embargo_us, CLOCKLESS_VALID_SHARE, CLOCKLESS_TEST_SHARE)


def _instant_us(moment: datetime | date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
