"""The calibration of one label: a rising, piecewise linear curve from its logit to the logit of what happens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """slope * z + intercept + sum of bend * relu(z - knot); a straight line where there are no knots."""

    method: str
    slope: float = 1.0
    intercept: float = 0.0
    knots: tuple[float, ...] = ()
    bends: tuple[float, ...] = ()

    @classmethod
    def through(cls, method: str, points: Sequence[tuple[float, float]], slope: float = 1.0) -> "Curve":
        """Returns the curve that joins ``points`` (rising in x and y), and goes on with ``slope`` at both ends."""
        x, y = (np.array([point[axis] for point in points], np.float64) for axis in (0, 1))
        slopes = np.concatenate([[slope], np.diff(y) / np.diff(x), [slope]])
        return cls(method, slope, float(y[0] - slope * x[0]), tuple(x.tolist()), tuple(np.diff(slopes).tolist()))

    def of(self, logits: np.ndarray) -> np.ndarray:
        """Returns the calibrated logits, of the shape of ``logits``."""
        bent = logits * self.slope + self.intercept
        for knot, bend in zip(self.knots, self.bends, strict=True):
            bent = bent + bend * np.maximum(logits - knot, 0)
        return np.asarray(bent)
