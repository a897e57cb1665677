"""The probability from which an intent is named: the best F1 on valid, with care where positives are few."""

from typing import Final

import numpy as np

from pipelines.student.thresholds import best_threshold

MIN_POSITIVES: Final = 10
"""A label with fewer positives shares the threshold of all labels together: the best cut of a handful is noise."""

DEFAULT: Final = 0.5  # without any positive there is nothing to choose by


def fit(probabilities: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Returns a threshold a label, float64 (C,).

    Args:
        probabilities: calibrated, (N, C).
        named: bool (N, C), what the teacher named.
    """
    shared = best_threshold(probabilities.ravel(), named.ravel())[0] if named.any() else DEFAULT
    thresholds = np.full(named.shape[1], shared)
    for label in np.flatnonzero(named.sum(axis=0) >= MIN_POSITIVES):
        thresholds[label], _ = best_threshold(probabilities[:, label], named[:, label])
    return thresholds
