"""Thresholds that a window without drift exceeds, in any signal, as rarely as was asked for.

The champion's reference is split again and again: a run of days, as long as a window, of some visitors, against the
other days of the other visitors. So the splits differ as a window and the reference do: in people, who come back, and
in the days. A signal's threshold lies as many of its own spreads above its median as makes the share of splits that
exceed any threshold the false-alarm rate (the step-down idea of Westfall and Young, Resampling-Based Multiple Testing,
1993, with quantiles extrapolated by the spread, for the rarest splits are too few to read quantiles from).
"""

from collections.abc import Iterator
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict
from scipy.stats import norm

from pipelines.drift.tallies import Tallies, scores, tally

N_SPLITS: Final = 1000
SPLITS_AT_ONCE: Final = 100
WINDOWS_VISITORS: Final = 0.6
"""Share of visitors on the window's side: most of a difference comes from the window, which is the smaller sample."""
SPREAD_QUANTILE: Final = 0.9


class Thresholds(BaseModel):
    """What was calibrated, and how: drift.json of a champion's bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alarm_rate: float
    window_days: int
    n_splits: int
    n_sessions: int
    n_visitors: int
    seed: int
    limits: dict[str, float]  # by signal

    @classmethod
    def of(cls, reference: pa.Table, window_days: int, false_alarm_rate: float, seed: int) -> Self:
        """Returns the thresholds of ``reference`` (observed.OBSERVED): the same values and seed give the same."""
        tallies = tally([reference])
        largest = np.concatenate(
            [scores(tallies, *pair)[1] for pair in _splits(reference, window_days, np.random.default_rng(seed))]
        )
        return cls(
            false_alarm_rate=false_alarm_rate,
            window_days=window_days,
            n_splits=len(largest),
            n_sessions=len(reference),
            n_visitors=pc.count_distinct(reference.column("visitor_id")).as_py(),
            seed=seed,
            limits=limits(tallies, largest, false_alarm_rate),
        )


def limits(tallies: Tallies, largest: np.ndarray, false_alarm_rate: float) -> dict[str, float]:
    """Returns the threshold of each signal, by the scores (B, S) of B splits without drift.

    None lies below what chance alone does to independent sessions: few splits of a small reference may show nothing.
    """
    median = np.median(largest, axis=0)
    spread = np.maximum(np.quantile(largest, SPREAD_QUANTILE, axis=0) - median, 1e-6)
    reach = np.quantile(((largest - median) / spread).max(axis=1), 1 - false_alarm_rate)
    by_chance = norm.isf(false_alarm_rate / 2 / len(tallies.signals))
    found = np.maximum(median + reach * spread, by_chance)
    return {signal.name: round(float(limit), 4) for signal, limit in zip(tallies.signals, found, strict=True)}


def _splits(
    reference: pa.Table, window_days: int, draw: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields which sessions are the window's and which the reference's, two of (B, N), of N_SPLITS splits."""
    days = pc.floor_temporal(reference.column("start_ts"), unit="day").cast(pa.int64()).to_numpy() // 86_400_000_000
    visitors = reference.column("visitor_id").combine_chunks().dictionary_encode().indices.to_numpy()
    starts = _starts(days, window_days)
    for _ in range(N_SPLITS // SPLITS_AT_ONCE):
        sides = draw.random((SPLITS_AT_ONCE, visitors.max() + 1)) < WINDOWS_VISITORS
        mine = sides[:, visitors]
        inside = np.ones_like(mine)
        outside = inside
        if len(starts):
            first = draw.choice(starts, SPLITS_AT_ONCE)[:, None]
            inside = (days >= first) & (days < first + window_days)
            outside = ~inside & _on_its_weekdays(days, first, window_days)
        yield mine & inside, ~mine & outside


def _starts(days: np.ndarray, window_days: int) -> np.ndarray:
    """The days on which a window can start so that days of the same weekdays remain; none: the days cannot be split."""
    first, last = days.min(), days.max()
    weeks_needed = 2 * max(7, window_days)
    return np.arange(first, last - window_days + 2) if last - first + 1 >= weeks_needed else np.empty(0, np.int64)


def _on_its_weekdays(days: np.ndarray, first: np.ndarray, window_days: int) -> np.ndarray:
    on_weekday: np.ndarray = (days - first) % 7 < window_days
    return on_weekday
