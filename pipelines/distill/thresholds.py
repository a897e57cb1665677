"""The probability from which an intent is named, and below which none is: what costs least on the validation part.

Source: Elkan 2001, "The foundations of cost-sensitive learning", and for abstention Chow 1970, "On optimum recognition
error and reject tradeoff". With calibrated probabilities the cheapest threshold is false_positive / (false_positive +
false_negative); we look for it on the validation part, since what is calibrated is the teacher's soft score, and what
is named or not is its rounding.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipelines.params import Costs
from pipelines.student.thresholds import cheapest_threshold

SURE: Final = 2.0
"""Standard errors by which a label's own cut must be cheaper than the one that all labels share: the best of many cuts
on some hundred positives is mostly chance (docs/LOG.md)."""


@dataclass(frozen=True)
class Thresholds:
    """When the student names an intent, and when it names none."""

    by_label: np.ndarray  # float64 (C,)
    abstain_below: float  # of a session's highest probability


def fit(probabilities: np.ndarray, named: np.ndarray, costs: Costs) -> Thresholds:
    """Returns the cheapest thresholds.

    Args:
        probabilities: calibrated, (N, C).
        named: bool (N, C), what the teacher named.
        costs: of naming a wrong intent, of missing one, and of answering nothing.
    """
    above, below = costs.false_positive * ~named, costs.false_negative * named
    shared, _ = cheapest_threshold(probabilities.ravel(), above.ravel(), below.ravel())
    if not named.any():
        shared = costs.false_positive / (costs.false_positive + costs.false_negative)
    by_label = np.full(named.shape[1], shared)
    for label, (scores, wrong, missed) in enumerate(zip(probabilities.T, above.T, below.T, strict=True)):
        own, _ = cheapest_threshold(scores, wrong, missed)
        saved = np.where(scores >= shared, wrong, missed) - np.where(scores >= own, wrong, missed)
        if saved.sum() > SURE * np.sqrt(np.square(saved).sum()):
            by_label[label] = own
    spent = session_costs(probabilities >= by_label, named, costs)
    silence = np.full(len(spent), costs.abstention)
    abstain_below, _ = cheapest_threshold(probabilities.max(axis=1), spent, silence)
    return Thresholds(by_label, abstain_below)


def session_costs(answered: np.ndarray, named: np.ndarray, costs: Costs) -> np.ndarray:
    """Returns what each session's answer costs, (N,), of bool ``answered`` and ``named`` (N, C)."""
    wrong = costs.false_positive * (answered & ~named).sum(axis=1)
    missed = costs.false_negative * (named & ~answered).sum(axis=1)
    return np.where(answered.any(axis=1), wrong + missed, costs.abstention)
