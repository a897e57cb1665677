"""Which sessions the teacher reads and labels: some uniformly, the rest evenly over clusters of the embedding.

A uniform sample alone would show a model the popular intents over and over and the rare ones never.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

LABELLED_SPLITS = ("train", "valid", "test")
MAX_FITTED = 20_000  # sessions that the clusters are fitted on; more would not move them
MAX_SECOND = 1_500  # test sessions that are labelled twice: the ceiling's interval is then about +-2.5 points


@dataclass(frozen=True)
class Drawn:
    """Row numbers of the sessions table, ascending."""

    read: np.ndarray  # of the training part: the taxonomy is made from them
    label: np.ndarray  # of train, valid and test, each split and channel in proportion


@dataclass(frozen=True)
class Quota:
    """How a sample is drawn."""

    n_read: int
    n_label: int
    uniform_share: float
    n_clusters: int


def draw(embeddings: np.ndarray, splits: np.ndarray, channels: np.ndarray, quota: Quota, seed: int) -> Drawn:
    """Returns the sessions to read and to label.

    Args:
        embeddings: (N, D).
        splits: (N,) names of the split.
        channels: (N,) names of the channel.
        quota: how many, and how; a part that holds fewer sessions is taken whole.
        seed: the same seed on the same inputs gives the same sample.
    """
    rng = np.random.default_rng(seed)
    clusters = cluster(embeddings, np.flatnonzero(splits == "train"), quota.n_clusters, seed)
    read = _mixed(np.flatnonzero(splits == "train"), clusters, quota.n_read, quota.uniform_share, rng)
    strata = [
        np.flatnonzero((splits == split) & (channels == channel))
        for split in LABELLED_SPLITS
        for channel in np.unique(channels)
    ]
    sizes = _in_proportion(quota.n_label, [len(stratum) for stratum in strata])
    label = [
        _mixed(stratum, clusters, size, quota.uniform_share, rng) for stratum, size in zip(strata, sizes, strict=True)
    ]
    return Drawn(read, np.sort(np.concatenate(label)))


def second(labelled: np.ndarray, splits: np.ndarray, seed: int) -> np.ndarray:
    """Returns at most MAX_SECOND of the ``labelled`` rows that are in the test split, ascending."""
    in_test = labelled[splits[labelled] == "test"]
    if len(in_test) <= MAX_SECOND:
        return np.asarray(in_test)
    return np.sort(np.random.default_rng(seed).choice(in_test, MAX_SECOND, replace=False))


def cluster(embeddings: np.ndarray, fitted_on: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Returns the K-means cluster of every row, (N,), with the clusters fitted on (some of) the rows ``fitted_on``."""
    if len(fitted_on) > MAX_FITTED:
        fitted_on = np.sort(np.random.default_rng(seed).choice(fitted_on, MAX_FITTED, replace=False))
    n_distinct = len(np.unique(embeddings[fitted_on], axis=0))
    model = KMeans(min(n_clusters, n_distinct), n_init=1, random_state=seed).fit(embeddings[fitted_on])
    return np.asarray(model.predict(embeddings))


def _mixed(
    rows: np.ndarray, clusters: np.ndarray, size: int, uniform_share: float, rng: np.random.Generator
) -> np.ndarray:
    """At most ``size`` of ``rows``: a uniform share, then one a cluster in turn, the smaller clusters being used up."""
    shuffled = rng.permutation(rows)
    n_uniform = round(min(size, len(rows)) * uniform_share)
    uniform, rest = shuffled[:n_uniform], shuffled[n_uniform:]
    order = np.argsort(clusters[rest], kind="stable")
    grouped = clusters[rest][order]
    turn = np.empty(len(rest), dtype=np.int64)
    turn[order] = np.arange(len(rest)) - np.searchsorted(grouped, grouped)  # 0 for a cluster's first session, 1, 2, ...
    in_turn = rest[np.lexsort((rng.permutation(len(rest)), turn))]
    return np.sort(np.concatenate([uniform, in_turn[: max(0, min(size, len(rows)) - n_uniform)]]))


def _in_proportion(total: int, sizes: list[int]) -> list[int]:
    """``total`` shared out in proportion to ``sizes``, by largest remainder; nobody gets more than its size."""
    available = sum(sizes)
    if total >= available:
        return sizes
    exact = [total * size / available for size in sizes]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda index: (shares[index] - exact[index], index))
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares
