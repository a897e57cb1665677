"""Windows of banks against a champion's reference: calm ones, and ones where a share of the sessions is touched.

Axis legend: N sessions, B windows, S signals.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.drift_banks import DRIFT_DAYS, FROM_DAY
from pipelines.drift import policy
from pipelines.drift.calibration import Thresholds
from pipelines.drift.repeats import Repeats
from pipelines.drift.tallies import n_effective, scores, tally
from pipelines.params import Alarm
from pipelines.simulate.scenarios import BOT_WAVE

HISTORY_DAYS: Final = 2
"""Days before the drift whose reports an alarm may count."""
SOON_DAYS: Final = 3
MONDAY: Final = date(2026, 1, 5)


@dataclass(frozen=True)
class Sessions:
    """What was observed of sessions (drift.observed.OBSERVED), their days (N,) from 0 on, their embeddings (N, D)."""

    rows: pa.Table
    days: np.ndarray
    embeddings: np.ndarray

    @classmethod
    def of(cls, rows: pa.Table, embeddings: np.ndarray, first: date) -> "Sessions":
        """Returns the sessions whose day 0 is ``first``."""
        dates = pc.cast(pc.cast(rows.column("start_ts"), pa.timestamp("us")), pa.date32(), safe=False)
        return cls(rows, np.array([(day - first).days for day in dates.to_pylist()]), embeddings)

    @cached_property
    def repeats(self) -> Repeats:
        """What the sessions weigh beside others of their visitor."""
        return Repeats.of(self.rows)

    @property
    def epoch(self) -> int:
        """Day 0, since 1970."""
        return int(self.repeats.days[0] - self.days[0])

    def taken(self, chosen: np.ndarray) -> "Sessions":
        """Returns those that ``chosen`` (N,) says."""
        return Sessions(self.rows.filter(pa.array(chosen)), self.days[chosen], self.embeddings[chosen])


@dataclass(frozen=True)
class Judge:
    """A champion's reference, whose day 0 is the banks' and a Monday, and thresholds."""

    reference: Sessions
    thresholds: Thresholds

    def window(self, sessions: Sessions, last: int) -> np.ndarray:
        """Returns which of ``sessions`` start in the window that ends with day ``last``, (N,)."""
        inside: np.ndarray = (sessions.days > last - self.thresholds.window_days) & (sessions.days <= last)
        return inside

    def like(self, last: int) -> np.ndarray:
        """Returns which sessions of the reference start on the weekdays of that window, (N,)."""
        return np.isin(self.reference.days % 7, np.arange(last - self.thresholds.window_days + 1, last + 1) % 7)

    def reaches(self, sessions: Sessions, last_days: list[int]) -> np.ndarray:
        """Returns how many times its limit each signal is, (B, S), in the windows that end with ``last_days``."""
        tallies = tally([sessions.rows, self.reference.rows])
        beside, other = np.zeros(len(self.reference.days), bool), np.zeros(len(sessions.days), bool)
        sides = []
        for last in last_days:
            mine = self.window(sessions, last) * self._weights(sessions, last)
            its = self.like(last) * self._weights(self.reference, last)
            sides.append((np.concatenate([mine, beside]), np.concatenate([other, its])))
        windows, before = (np.stack(side) for side in zip(*sides, strict=True))
        sizes = n_effective(windows, before)
        by_name = [self.thresholds.limits_at(size) for size in sizes]
        limits = np.array([[found[signal.name] for signal in tallies.signals] for found in by_name])
        return np.asarray(scores(tallies, windows, before, tallies.swing(self.thresholds.swings))[1] / limits)

    def _weights(self, sessions: Sessions, last: int) -> np.ndarray:
        n_days = self.thresholds.window_days
        return sessions.repeats.weights(sessions.epoch + last - n_days + 1, n_days)


def mixed(calm: Sessions, touched: Sessions, kind: str, strength: float, draw: np.random.Generator) -> Sessions:
    """Returns the sessions around FROM_DAY as they are when a scenario touches a ``strength`` of them from then on.

    Each session is one of the calm bank or one of the bank where all are touched, by a coin. A wave of bots takes no
    place: its sessions, those of visitors that the calm bank does not know, come beside the others.
    """
    near = (calm.days > FROM_DAY - HISTORY_DAYS - 8) & (calm.days < FROM_DAY + DRIFT_DAYS)
    from_calm, from_touched = draw.random(len(calm.days)) >= strength, draw.random(len(touched.days)) < strength
    if kind == BOT_WAVE:
        known = pc.is_in(touched.rows.column("visitor_id"), value_set=calm.rows.column("visitor_id").combine_chunks())
        from_calm, from_touched = np.ones_like(from_calm), from_touched & ~known.to_numpy()
    one, other = calm.taken(near & ((calm.days < FROM_DAY) | from_calm)), touched.taken(from_touched)
    return Sessions(
        pa.concat_tables([one.rows, other.rows]),
        np.concatenate([one.days, other.days]),
        np.concatenate([one.embeddings, other.embeddings]),
    )


def delay_days(reaches: np.ndarray, rule: Alarm) -> int | None:
    """Returns how many days of drift had passed when the alarm came, by the reports of the days around FROM_DAY.

    Args:
        reaches: (HISTORY_DAYS + DRIFT_DAYS,) times its limit that the furthest signal is; the last DRIFT_DAYS are from
            FROM_DAY on.
        rule: what makes an alarm.
    """
    first = MONDAY - timedelta(days=HISTORY_DAYS)
    known = {first + timedelta(days=place): float(reach) for place, reach in enumerate(reaches)}
    for number in range(DRIFT_DAYS):
        if policy.days_of_alarm(known, MONDAY + timedelta(days=number), rule.drifted, rule.of, rule.at_once):
            return number + 1
    return None


def alarms(reaches: np.ndarray, rule: Alarm) -> Iterator[bool]:
    """Yields of each of consecutive days, by how many times its limit the furthest signal was, whether it alarmed."""
    known = {MONDAY + timedelta(days=place): float(reach) for place, reach in enumerate(reaches)}
    for day in known:
        yield bool(policy.days_of_alarm(known, day, rule.drifted, rule.of, rule.at_once))
