"""Thresholds that a window without drift exceeds, in any signal, as rarely as was asked for.

The champion's reference is split again and again: a run of days, as long as a window, of some visitors, against the
other days of the other visitors. So the splits differ as a window and the reference do: in people, who come back, and
in the days. A signal's threshold lies as many of its own spreads above its median as makes the share of splits that
exceed any threshold the false-alarm rate (the step-down idea of Westfall and Young, Resampling-Based Multiple Testing,
1993, with quantiles extrapolated by the spread, for the rarest splits are too few to read quantiles from). Spreads are
read far out, so that a signal with a long tail widens its own threshold and not those of all the others.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict
from scipy.stats import norm

from pipelines.drift.repeats import Repeats
from pipelines.drift.tallies import Tallies, n_effective, scores, tally

N_SPLITS: Final = 1000
SPLITS_AT_ONCE: Final = 100
WINDOWS_VISITORS: Final = 0.6
"""Share of visitors on the window's side: most of a difference comes from the window, which is the smaller sample."""
SPREAD_QUANTILE: Final = 0.95
THINNED: Final = 0.4
"""Share of visitors in the small splits."""


class Thresholds(BaseModel):
    """What was calibrated, and how: drift.json of a champion's bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alarm_rate: float
    window_days: int
    n_splits: int
    n_sessions: int
    n_visitors: int
    n_effective: float  # of a split (tallies.n_effective), on average
    seed: int
    weighing: Literal["1/n"]  # of each of a visitor's n sessions (repeats.py); limits of other code know none
    limits: dict[str, float]  # by signal, of a comparison of that size
    growth: dict[str, float]  # by signal: a limit grows as this power of the size
    swings: dict[str, dict[str, float]] = {}  # by signal with `own_swing` and category: the unit of its distance

    @classmethod
    def of(cls, reference: pa.Table, window_days: int, false_alarm_rate: float, seed: int) -> Self:
        """Returns the thresholds of ``reference`` (observed.OBSERVED): the same values and seed give the same."""
        tallies = tally([reference])
        whole, thin = (
            list(_splits(reference, window_days, kept, np.random.default_rng(seed))) for kept in (1.0, THINNED)
        )
        swings = tallies.by_category(_swing(tallies, whole))
        swing = tallies.swing(swings)
        sizes, found = [], []
        for pairs in (whole, thin):
            largest = np.concatenate([scores(tallies, *pair, swing)[1] for pair in pairs])
            sizes.append(float(np.mean([n_effective(*pair) for pair in pairs])))
            found.append(limits(tallies, largest, false_alarm_rate))
        return cls(
            false_alarm_rate=false_alarm_rate,
            window_days=window_days,
            n_splits=N_SPLITS,
            n_sessions=len(reference),
            n_visitors=pc.count_distinct(reference.column("visitor_id")).as_py(),
            n_effective=round(sizes[0], 1),
            seed=seed,
            weighing="1/n",
            limits=found[0],
            growth={name: _growth(found[0][name] / found[1][name], sizes[0] / max(sizes[1], 1.0)) for name in found[0]},
            swings=swings,
        )

    def limits_at(self, n: float) -> dict[str, float]:
        """Returns the limits of a comparison whose effective size is ``n``.

        Part of what differs between two samples without drift is in the days, and more sessions of the same days do not
        average it out: in standard deviations of sessions, it grows with the root of the size. A window and the whole
        reference are larger than the sides of a split, so limits grow beyond it as they did from small splits to these.
        """
        larger = max(1.0, float(n) / max(self.n_effective, 1.0))
        return {name: round(limit * larger ** self.growth[name], 4) for name, limit in self.limits.items()}


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


def _swing(tallies: Tallies, splits: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The root mean square of each category's distance over the splits, (K,); at least one, that of chance."""
    squares = [np.square(scores(tallies, *pair)[0]).sum(axis=0) for pair in splits]
    swing: np.ndarray = np.round(np.maximum(np.sqrt(np.sum(squares, axis=0) / N_SPLITS), 1.0), 4)
    return swing


def _growth(limits_ratio: float, sizes_ratio: float) -> float:
    """The power of the size by which a limit grew, between 0 (all of it is in sessions) and .5 (in the days)."""
    if sizes_ratio <= 1:  # a handful of sessions
        return 0.0
    return round(float(np.clip(np.log(limits_ratio) / np.log(sizes_ratio), 0, 0.5)), 4)


def _splits(
    reference: pa.Table, window_days: int, kept: float, draw: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields what each session weighs as the window's and as the reference's, two of (B, N), of N_SPLITS splits.

    Each split has a share ``kept`` of the visitors.
    """
    repeats = Repeats.of(reference)
    days, visitors = repeats.days, repeats.visitors
    starts = _starts(days, window_days)
    for _ in range(N_SPLITS // SPLITS_AT_ONCE):
        sides = draw.random((SPLITS_AT_ONCE, visitors.max() + 1)) / kept
        side = sides[:, visitors]
        mine, others = side < WINDOWS_VISITORS, (side >= WINDOWS_VISITORS) & (side < 1)
        inside = np.ones_like(mine)
        outside, weights = inside, repeats.weights(int(days.min()), window_days)
        if len(starts):
            first = draw.choice(starts, SPLITS_AT_ONCE)[:, None]
            inside = (days >= first) & (days < first + window_days)
            outside = ~inside & _on_its_weekdays(days, first, window_days)
            weights = np.stack([repeats.weights(one, window_days) for one in first[:, 0].tolist()])
        yield (mine & inside) * weights, (others & outside) * weights


def _starts(days: np.ndarray, window_days: int) -> np.ndarray:
    """The days on which a window can start so that days of the same weekdays remain; none: the days cannot be split."""
    first, last = days.min(), days.max()
    weeks_needed = 2 * max(7, window_days)
    return np.arange(first, last - window_days + 2) if last - first + 1 >= weeks_needed else np.empty(0, np.int64)


def _on_its_weekdays(days: np.ndarray, first: np.ndarray, window_days: int) -> np.ndarray:
    on_weekday: np.ndarray = (days - first) % 7 < window_days
    return on_weekday
