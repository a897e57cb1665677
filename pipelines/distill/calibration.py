"""Calibration of the student's logits, label by label, on the validation part.

Source: Platt 1999, "Probabilistic outputs for support vector machines": sigmoid(slope * logit + intercept) by maximum
likelihood. We depart in two ways: the targets are the teacher's soft scores, and instead of Platt's smoothed targets
a normal prior holds slope and intercept near (1, 0), so that a label with no or few positives stays as it was trained.
"""

from typing import Final

import numpy as np
from scipy.optimize import minimize

MIN_SLOPE: Final = 0.05  # a calibration may flatten a label, never turn its order round
PRIOR_PRECISION: Final = 1.0  # of slope - 1 and intercept: weighs about as much as four doubtful sessions


def fit(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns slopes and intercepts, float64 (C,), for ``logits`` and soft ``targets`` in [0, 1], both (N, C)."""
    fits = [_fit_label(logits[:, label].astype(np.float64), targets[:, label]) for label in range(logits.shape[1])]
    return np.array([slope for slope, _ in fits]), np.array([intercept for _, intercept in fits])


def _fit_label(logits: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        slope, intercept = weights
        scaled = slope * logits + intercept
        away = weights - (1.0, 0.0)
        error = 1 / (1 + np.exp(-np.clip(scaled, -700, 700))) - targets
        value = np.sum(np.logaddexp(0, scaled) - targets * scaled) + PRIOR_PRECISION / 2 * np.sum(away**2)
        return float(value), np.array([error @ logits, error.sum()]) + PRIOR_PRECISION * away

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(MIN_SLOPE, None), (None, None)])
    return float(found.x[0]), float(found.x[1])
