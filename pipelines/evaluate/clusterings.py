"""How far one grouping of rows follows another, from counts that resample. Names do not matter."""

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, ratio


def joint_counts(resamples: Resamples, classes: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Returns how many rows each class and cluster share, (B + 1, K, C), of names (N,) and (N,)."""
    class_names, class_of = np.unique(classes, return_inverse=True)
    cluster_names, cluster_of = np.unique(clusters, return_inverse=True)
    shape = (len(class_names), len(cluster_names))
    met, cell_of = np.unique(class_of * shape[1] + cluster_of, return_inverse=True)  # most pairs never meet
    totals = resamples.totals(np.eye(len(met))[cell_of])
    counts = np.zeros((len(totals), shape[0] * shape[1]))
    counts[:, met] = totals
    return counts.reshape(-1, *shape)


def v_measure(counts: np.ndarray) -> np.ndarray:
    """Returns the V-measure of ``joint_counts``, (B + 1,).

    Source: Rosenberg & Hirschberg 2007, the harmonic mean of homogeneity and completeness. It is also the mutual
    information over the arithmetic mean of the two entropies.
    """
    shared, by_class, by_cluster = _information(counts)
    homogeneity = np.where(by_class > 0, ratio(shared, by_class), 1.0)
    completeness = np.where(by_cluster > 0, ratio(shared, by_cluster), 1.0)
    return ratio(2 * homogeneity * completeness, homogeneity + completeness)


def normalized_information(counts: np.ndarray) -> np.ndarray:
    """Returns the mutual information over the geometric mean of the two entropies, (B + 1,).

    Source: Strehl & Ghosh 2002, "Cluster ensembles". Over the arithmetic mean it would be the V-measure again.
    """
    shared, by_class, by_cluster = _information(counts)
    return ratio(shared, np.sqrt(by_class * by_cluster))


def adjusted_rand(counts: np.ndarray) -> np.ndarray:
    """Returns the adjusted Rand index, (B + 1,): pairs of rows that are together in both, chance counting zero.

    Source: Hubert & Arabie 1985, "Comparing partitions".
    """
    together = _pairs(counts).sum(axis=(1, 2))
    in_class, in_cluster = _pairs(counts.sum(axis=2)).sum(axis=1), _pairs(counts.sum(axis=1)).sum(axis=1)
    by_chance = in_class * in_cluster / _pairs(counts.sum(axis=(1, 2)))
    return ratio(together - by_chance, (in_class + in_cluster) / 2 - by_chance)


def _information(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mutual information, and the entropies of the classes and of the clusters."""
    joint = counts / counts.sum(axis=(1, 2), keepdims=True)
    by_class, by_cluster = _entropy(joint.sum(axis=2)), _entropy(joint.sum(axis=1))
    return by_class + by_cluster - _entropy(joint.reshape(len(joint), -1)), by_class, by_cluster


def _entropy(shares: np.ndarray) -> np.ndarray:
    return np.asarray(-np.sum(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares)), axis=1))


def _pairs(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts * (counts - 1) / 2)
