"""What two samples of one distribution differ by: a drift that chance explains is none."""

from typing import Final

import numpy as np

ONE_IN: Final = 100
"""Chance alone exceeds these bounds once in so many comparisons."""

N_DRAWS: Final = 1000
NORMAL_QUANTILE: Final = 2.3263478740408408  # of 1 - 1 / ONE_IN
SMALLEST_SHARE: Final = 0.0001


def psi(reference_counts: np.ndarray, current_counts: np.ndarray) -> np.ndarray:
    """Returns the population stability index, (...,), of counts (..., categories); an empty category counts as .0001.

    Source: Siddiqi, Credit Risk Scorecards (2006); the share of empty categories follows Evidently's ``psi``.
    """
    reference, current = (_shares(counts) for counts in (reference_counts, current_counts))
    summed: np.ndarray = ((reference - current) * np.log(reference / current)).sum(axis=-1)
    return summed


def psi_by_chance(reference_counts: np.ndarray, current_counts: np.ndarray, seed: int) -> float:
    """Returns what the PSI exceeds once in ONE_IN when the pooled sessions are dealt out at random."""
    pooled = reference_counts + current_counts
    dealt = np.random.default_rng(seed).multivariate_hypergeometric(pooled, current_counts.sum(), size=N_DRAWS)
    return float(np.quantile(psi(pooled - dealt, dealt), 1 - 1 / ONE_IN))


def auc_by_chance(n_reference: int, n_current: int) -> float:
    """Returns what the AUC of scores that know nothing exceeds once in ONE_IN.

    Source: the variance of the Mann-Whitney statistic (Mann and Whitney 1947), in its normal approximation.
    """
    variance = (n_reference + n_current + 1) / (12 * n_reference * n_current)
    return float(0.5 + NORMAL_QUANTILE * variance**0.5)


def _shares(counts: np.ndarray) -> np.ndarray:
    shares = counts / counts.sum(axis=-1, keepdims=True)
    smallest = np.where(shares > 0, shares, 1).min(axis=-1, keepdims=True)
    filled: np.ndarray = np.where(
        shares > 0, shares, np.where(smallest <= SMALLEST_SHARE, smallest / 1e6, SMALLEST_SHARE)
    )
    return filled
