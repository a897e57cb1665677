"""From a probability to a yes: the cut with the best F1, and the cut that costs least."""

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


def cheapest_threshold(scores: np.ndarray, cost_above: np.ndarray, cost_below: np.ndarray) -> tuple[float, float]:
    """Returns the threshold of (N,) ``scores`` in [0, 1] with the least total cost, and that cost.

    Row i costs ``cost_above[i]`` where its score reaches the threshold, else ``cost_below[i]``. Of equally cheap cuts
    it is the highest; the threshold lies halfway between the scores it parts, with 0 and 1 as the outermost ones.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    steps = (cost_above - cost_below)[order]
    totals = cost_below.sum() + np.concatenate([[0.0], np.cumsum(steps)])  # by how many lie above, 0 to N
    edges = np.concatenate([[1.0], ranked, [0.0]])
    is_cut = edges[:-1] > edges[1:]  # a threshold cannot part equal scores; nothing lies above a score of 1
    is_cut[-1] = True
    best = int(np.argmin(np.where(is_cut, totals, np.inf)))
    return float((edges[best] + edges[best + 1]) / 2), float(totals[best])
