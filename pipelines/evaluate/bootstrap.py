"""Intervals by resampling visitors: the rows of one visitor are no independent witnesses.

Every metric here is a function of totals over rows, so a resample is a vector of visitor weights and all resamples
are one matrix product. Metrics computed from one ``Resamples`` see the same resamples, so their differences are paired.
Source: cluster bootstrap, Davison & Hinkley 1997, section 3.8; percentile intervals.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

BLOCK_VALUES: Final = 2_000_000  # weights drawn at a time; keeps the memory flat however many visitors there are
DECIMALS: Final = 6  # beyond them processors disagree in exp and log

Estimate = dict[str, Any]


class Resamples:
    """The same ``n_bootstrap`` resamples of the clusters of N rows, as often as they are asked for."""

    def __init__(self, clusters: np.ndarray, n_bootstrap: int, seed: int) -> None:
        self.n_bootstrap = n_bootstrap
        self.seed = seed
        names, self.cluster_of_row = np.unique(clusters, return_inverse=True)
        self.n_clusters = len(names)

    def weights(self) -> Iterator[np.ndarray]:
        """Yields how often each cluster was drawn, float64 (b, clusters), in blocks that make up all resamples."""
        generator = np.random.default_rng(self.seed)
        n_at_once = max(1, BLOCK_VALUES // self.n_clusters)
        for start in range(0, self.n_bootstrap, n_at_once):
            n_resamples = min(n_at_once, self.n_bootstrap - start)
            drawn = generator.integers(self.n_clusters, size=(n_resamples, self.n_clusters))
            drawn += np.arange(n_resamples)[:, None] * self.n_clusters
            counts = np.bincount(drawn.ravel(), minlength=n_resamples * self.n_clusters)
            yield counts.reshape(n_resamples, self.n_clusters).astype(np.float64)

    def totals(self, statistics: np.ndarray) -> np.ndarray:
        """Returns the column sums of ``statistics`` (N, F), (B + 1, F): the sample's own, then the resamples'."""
        order = np.argsort(self.cluster_of_row, kind="stable")
        starts = np.searchsorted(self.cluster_of_row[order], np.arange(self.n_clusters))
        by_cluster = np.add.reduceat(statistics[order].astype(np.float64), starts, axis=0)
        resampled = [weights @ by_cluster for weights in self.weights()]
        return np.concatenate([by_cluster.sum(axis=0, keepdims=True), *resampled])


def estimate(values: np.ndarray) -> Estimate:
    """Returns ``{value, ci95}`` of ``values`` (B + 1,), the sample's own first; what is undefined there is null."""
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(resampled):
        return {"value": None, "ci95": [None, None]}
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {"value": rounded(values[0]), "ci95": [rounded(low), rounded(high)]}


def centred(values: np.ndarray) -> np.ndarray:
    """Returns ``values`` (B + 1,) with the resamples moved to lie about the sample's own value.

    For entropies: a resample repeats rows, so it looks purer than the sample by about as much as the sample looks purer
    than the truth (Efron & Tibshirani 1993, section 10.2).
    """
    return np.concatenate([values[:1], values[1:] + values[0] - values[1:].mean()])


def gain(values: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Returns the relative improvement of a metric where more is better: .02 is 2 % more than the baseline."""
    return ratio(values, baseline) - 1


def reduction(values: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Returns the relative improvement of a metric where less is better: .02 is 2 % less than the baseline."""
    return 1 - ratio(values, baseline)


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Returns numerator / denominator, NaN where the denominator is 0."""
    quotient = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def rounded(value: float) -> float:
    """Returns ``value`` as reported."""
    return round(float(value), DECIMALS)
