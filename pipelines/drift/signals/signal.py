"""What a drift signal is: categories of sessions whose shares may move."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

Categories = Callable[[pa.Table], pa.Array | pa.ChunkedArray]
"""From observed.OBSERVED rows: of each session its category (null: none), or the list of those that it holds."""


@dataclass(frozen=True)
class Signal:
    """One thing that may drift.

    Attributes:
        name: as reports and thresholds spell it.
        label: as a sentence says it.
        categories: of sessions.
        only_unseen: compare but one share: of the sessions with a category that the reference never shows.
        own_swing: each category is measured by its own swing over the reference's splits (calibration.py), so that a
            few restless ones do not set the limit of all.
        beside: how the categories of one part begin; those that begin otherwise are another. The signal's distance is
            the mean of the largest distances of both parts.
    """

    name: str
    label: str
    categories: Categories
    only_unseen: bool = False
    own_swing: bool = False
    beside: str | None = None

    def parts(self, names: Sequence[str]) -> list[np.ndarray]:
        """Returns which of the categories ``names`` (K,) are in each part, (K,) bool: mostly all in one."""
        if self.beside is None:
            return [np.ones(len(names), bool)]
        beside = np.array([name.startswith(self.beside) for name in names])
        return [~beside, beside]
