"""From a probability to a yes: the cut with the best F1."""

import numpy as np


def best_threshold(probabilities: np.ndarray, actual: np.ndarray) -> tuple[float, float]:
    """Returns the threshold of (N,) ``probabilities`` with the best F1 against bool ``actual``, and that F1.

    F1 = 2 TP / (predicted + actual). Of equal cuts it is the highest; the threshold lies halfway between the least
    probability that passes and the next lower one. At least one of ``actual`` must be true.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order].astype(np.float64)
    f1 = 2 * np.cumsum(actual[order]) / (np.arange(1, len(ranked) + 1) + actual.sum())
    is_cut = np.append(ranked[:-1] > ranked[1:], True)  # a threshold cannot part equal probabilities
    best = int(np.argmax(np.where(is_cut, f1, -1.0)))
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2), float(f1[best])
