"""Average precision of many labels at once, in every resample: how well probabilities rank, whatever the threshold."""

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, ratio


def average_precision_values(resamples: Resamples, probabilities: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Returns micro average precision, (B + 1,), of ``probabilities`` (N, C) against bool ``actual``, over all cells.

    The mean over the true cells of the precision among all cells of at least their probability: the area under the
    precision-recall curve, by steps. NaN where a resample holds no true cell.
    Source: scikit-learn's ``average_precision_score``, with the resamples' weights as weights of the samples.
    """
    order = np.argsort(-probabilities, axis=None, kind="stable")
    ranked, hits = probabilities.ravel()[order], np.flatnonzero(actual.ravel()[order])
    is_last = np.append(ranked[1:] < ranked[:-1], True)  # of equal probabilities: they come together or not at all
    last = np.flatnonzero(is_last)[np.searchsorted(np.flatnonzero(is_last), hits)]
    last_hit = np.searchsorted(hits, last, side="right") - 1
    clusters = resamples.cluster_of_row[order // probabilities.shape[1]]
    clusters_of_hits = clusters[hits]

    def value(weights: np.ndarray) -> np.ndarray:
        n_seen = np.cumsum(weights[clusters])[last]
        found = weights[clusters_of_hits]
        precision = np.cumsum(found)[last_hit] / np.maximum(n_seen, 1)  # none seen: none found either
        return ratio(np.sum(found * precision), found.sum())

    drawn = (value(weights) for block in resamples.weights() for weights in block)
    return np.array([value(np.ones(resamples.n_clusters)), *drawn])
