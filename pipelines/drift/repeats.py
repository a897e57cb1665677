"""What a session weighs beside others of its visitor: each visitor counts as one, however often they come.

Who comes three times in a window comes for one thing, mostly, so the second and third visit say little that is new and
sway the shares as if three people had come. Of a visitor with n sessions in a run of days each weighs 1/n. A reference
is cut into runs as long as the window, a week apart, so that both sides weigh alike.

Axis legend: N sessions.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa

DAY_US = 86_400_000_000
_WEEK = 7


@dataclass(frozen=True)
class Repeats:
    """Whose N sessions are, and when they start."""

    visitors: np.ndarray  # (N,), a number of each
    starts_us: np.ndarray  # (N,), since 1970
    _made: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pa.Table) -> Self:
        """Returns those of ``rows`` (observed.OBSERVED)."""
        codes = pa.chunked_array(rows.column("visitor_id")).combine_chunks().dictionary_encode().indices
        return cls(codes.to_numpy(), rows.column("start_ts").cast(pa.int64()).to_numpy())

    @property
    def days(self) -> np.ndarray:
        """The UTC days on which the sessions start, (N,), since 1970."""
        return self.starts_us // DAY_US

    def weights(self, first: int, window_days: int) -> np.ndarray:
        """Returns what each session weighs, (N,) float32, in runs of days that begin with a window's.

        Args:
            first: the window's first day, since 1970.
            window_days: its days; the runs of a shorter window than a week are a week apart, and sessions of the days
                between weigh 1: nobody asks for them.
        """
        apart = max(_WEEK, window_days)
        begins = first % apart  # windows that begin so many days apart cut the same runs
        if (begins, window_days) not in self._made:
            since = self.days - begins
            runs, inside = since // apart, since % apart < window_days
            _, whose = np.unique(np.stack([self.visitors, runs]), axis=1, return_inverse=True)
            n_sessions = np.bincount(whose, weights=inside)[whose]
            self._made[begins, window_days] = (1 / np.where(inside, n_sessions, 1)).astype(np.float32)
        return self._made[begins, window_days]
