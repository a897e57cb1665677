"""Calibration of the student's logits, label by label, on the validation part.

Four curves, each richer than the one before: as trained, temperature (a slope; Guo et al. 2017, 1706.04599), Platt (a
slope and an intercept; Platt 1999, "Probabilistic outputs for support vector machines"), isotonic (Zadrozny & Elkan
2002, joined by lines so that the order of sessions is kept). A richer one is taken only where it is better by more than
one standard error on folds of the validation part that it was not fitted on.
We depart in two ways: the targets are the teacher's soft scores, and a normal prior holds slope and intercept near
(1, 0), so that a label with no or few positives stays as it was trained.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.isotonic import isotonic_regression

from pipelines.student.curve import Curve

MIN_SLOPE: Final = 0.05  # a calibration may flatten a label, never turn its order round
PRIOR_PRECISION: Final = 1.0  # of slope - 1 and intercept: weighs about as much as four doubtful sessions
N_FOLDS: Final = 5
DIGITS: Final = 6  # of slope and intercept: those beyond hang on the kernels that SciPy's BLAS takes
N_BINS: Final = 12  # of the isotonic curve, before neighbours that are out of order are merged

Fit = Callable[[np.ndarray, np.ndarray], Curve]


def fit(logits: np.ndarray, targets: np.ndarray) -> list[Curve]:
    """Returns the curve of each label for ``logits`` and soft ``targets`` in [0, 1], both (N, C)."""
    return [best(logits[:, label].astype(np.float64), targets[:, label]) for label in range(logits.shape[1])]


def best(logits: np.ndarray, targets: np.ndarray) -> Curve:
    """Returns the curve that folds speak for, fitted on all of (N,) ``logits`` and ``targets``."""
    folds = np.arange(len(logits)) % min(N_FOLDS, len(logits))
    chosen, least = "as trained", _held_out(METHODS["as trained"], logits, targets, folds)
    for name, method in METHODS.items():
        losses = _held_out(method, logits, targets, folds)
        gains = least - losses
        if gains.mean() > gains.std() / np.sqrt(len(gains)):
            chosen, least = name, losses
    return METHODS[chosen](logits, targets)


def as_trained(logits: np.ndarray, targets: np.ndarray) -> Curve:
    """Returns the line that changes nothing."""
    del logits, targets
    return Curve("as trained")


def temperature(logits: np.ndarray, targets: np.ndarray) -> Curve:
    """Returns the slope of the greatest likelihood under the prior."""
    slope, _ = _line(logits, targets, (0.0, 0.0))
    return Curve("temperature", slope)


def platt(logits: np.ndarray, targets: np.ndarray) -> Curve:
    """Returns the slope and intercept of the greatest likelihood under the prior."""
    return Curve("platt", *_line(logits, targets, (None, None)))


def isotonic(logits: np.ndarray, targets: np.ndarray) -> Curve:
    """Returns the rising curve through bins of logits, each of which counts one more session as Platt would have it.

    A bin stands where Platt's mean probability of it lies: the curve is Platt's line wherever that line is right.
    """
    line = platt(logits, targets)
    order = np.argsort(logits, kind="stable")
    ranked, by_platt, happened = logits[order], expit(line.of(logits))[order], targets[order]
    doubts = by_platt * (1 - by_platt)  # bins share out the doubtful sessions, not the sure ones
    before = np.cumsum(doubts) - doubts
    first = np.searchsorted(ranked, ranked)  # equal logits stay together
    starts = np.flatnonzero(np.diff((before[first] / doubts.sum() * N_BINS).astype(int), prepend=-1))
    sizes = np.diff(starts, append=len(order))
    expected, mean = (np.add.reduceat(values, starts) / sizes for values in (by_platt, happened))
    rising = isotonic_regression(
        (mean * sizes + expected) / (sizes + 1), sample_weight=sizes, y_min=1e-6, y_max=1 - 1e-6
    )
    blocks = np.flatnonzero(np.diff(rising, prepend=-1))
    middles = np.add.reduceat(expected * sizes, blocks) / np.add.reduceat(sizes, blocks)
    x = (logit(middles) - line.intercept) / line.slope
    return Curve.through("isotonic", list(zip(x.tolist(), logit(rising[blocks]).tolist(), strict=True)), line.slope)


METHODS: Final[Mapping[str, Fit]] = {
    "as trained": as_trained,
    "temperature": temperature,
    "platt": platt,
    "isotonic": isotonic,
}


def log_losses(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns the log loss of each of ``logits`` against soft ``targets``."""
    return np.asarray(np.logaddexp(0, logits) - targets * logits)


def _held_out(method: Fit, logits: np.ndarray, targets: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """The log loss of every session under the curve of the folds that it is not in."""
    losses = np.empty(len(logits))
    for fold in np.unique(folds):
        out = folds == fold
        losses[out] = log_losses(method(logits[~out], targets[~out]).of(logits[out]), targets[out])
    return losses


def _line(
    logits: np.ndarray, targets: np.ndarray, intercept_bounds: tuple[float | None, float | None]
) -> tuple[float, float]:
    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        slope, intercept = weights
        scaled = slope * logits + intercept
        away = weights - (1.0, 0.0)
        error = expit(scaled) - targets
        value = log_losses(scaled, targets).sum() + PRIOR_PRECISION / 2 * np.sum(away**2)
        slope_error = np.sum(error * logits)  # no BLAS: of vectors this short its threads wait for each other
        return float(value), np.array([slope_error, error.sum()]) + PRIOR_PRECISION * away

    bounds = [(MIN_SLOPE, None), intercept_bounds]
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    slope, intercept = np.round(found.x, DIGITS)
    return float(slope), float(intercept)
