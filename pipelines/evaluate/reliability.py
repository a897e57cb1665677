"""What probabilities mean: their calibration error, their Brier score, and how right they are the surer they are."""

from typing import Any, Final

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, ratio, rounded

N_BINS: Final = 15  # of equal width, as Guo et al. 2017 (1706.04599), "On calibration of modern neural networks"
N_COVERAGES: Final = 20  # points of the coverage-accuracy curve: 5 %, 10 %, ... of the sessions


def calibration_error(resamples: Resamples, probabilities: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the expected calibration error over all (session, intent) pairs, (B + 1,).

    The sum over bins of |probabilities - teacher's scores|, as a share of all pairs. Most pairs are near 0 on both
    sides, so it is small by nature: ``top_calibration_error`` looks at the pairs that decide.
    """
    bins = _bins(probabilities)
    gaps = [np.where(bins == place, probabilities - scores, 0).sum(axis=1) for place in range(N_BINS)]
    totals = resamples.totals(np.stack([*gaps, np.full(len(scores), scores.shape[1])], axis=1))
    return ratio(np.abs(totals[:, :-1]).sum(axis=1), totals[:, -1])


def top_calibration_error(resamples: Resamples, probabilities: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns ``calibration_error`` of each session's most probable intent alone, (B + 1,)."""
    top = probabilities.argmax(axis=1)[:, None]
    return calibration_error(
        resamples, np.take_along_axis(probabilities, top, axis=1), np.take_along_axis(scores, top, axis=1)
    )


def brier_score(resamples: Resamples, probabilities: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Returns the mean over sessions of the squared differences summed over intents, (B + 1,).

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability"; with soft scores for outcomes.
    """
    squared = ((probabilities.astype(np.float64) - scores) ** 2).sum(axis=1)
    totals = resamples.totals(np.stack([squared, np.ones(len(squared))], axis=1))
    return ratio(totals[:, 0], totals[:, 1])


def reliability(probabilities: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
    """Returns, for every bin that holds pairs, the mean probability, the teacher's mean score, and how many."""
    bins = _bins(probabilities)
    return [
        {
            "probability": rounded(probabilities[bins == place].mean(dtype=np.float64)),
            "teacher": rounded(scores[bins == place].mean(dtype=np.float64)),
            "n": int((bins == place).sum()),
        }
        for place in np.unique(bins)
    ]


def coverage_accuracy(resamples: Resamples, probabilities: np.ndarray, named: np.ndarray) -> list[dict[str, Any]]:
    """Returns how often the most probable intent is one that the teacher names, among the surest sessions.

    One row a coverage: of so many sessions, those of the highest top probabilities, the accuracy with its interval.
    Source: El-Yaniv & Wiener 2010, "On the foundations of noise-free selective classification".

    Args:
        resamples: of the N sessions.
        probabilities: (N, C).
        named: bool (N, C), by the teacher.
    """
    top = probabilities.max(axis=1)
    right = np.take_along_axis(named, probabilities.argmax(axis=1)[:, None], axis=1)[:, 0]
    n_answered = np.ceil(np.arange(1, N_COVERAGES + 1) * len(top) / N_COVERAGES).astype(int)
    cuts = np.sort(top)[::-1][n_answered - 1]
    answered = top[:, None] >= cuts  # (N, coverages)
    totals = resamples.totals(np.hstack([answered & right[:, None], answered]))
    accuracies = ratio(totals[:, :N_COVERAGES], totals[:, N_COVERAGES:])
    low, high = np.nanpercentile(accuracies[1:], [2.5, 97.5], axis=0)
    return [
        {
            "coverage": rounded(answered[:, place].mean()),
            "accuracy": rounded(accuracies[0, place]),
            "low": rounded(low[place]),
            "high": rounded(high[place]),
            "abstain_below": rounded(cuts[place]),
        }
        for place in range(N_COVERAGES)
    ]


def _bins(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(np.minimum((probabilities * N_BINS).astype(int), N_BINS - 1))
