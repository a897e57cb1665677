"""One ridge logistic regression a label, all fitted at once: a rival of the perceptron, and the head of conversion."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

MAX_ITERATIONS: Final = 500


@dataclass(frozen=True)
class Heads:
    """One column a label."""

    weights: np.ndarray  # (F, C)
    intercepts: np.ndarray  # (C,)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Returns the probability of each label, (N, C)."""
        return np.asarray(expit(features @ self.weights + self.intercepts))

    def log_loss(self, features: np.ndarray, outcomes: np.ndarray) -> float:
        """Returns the mean log loss over all rows and labels."""
        logits = features @ self.weights + self.intercepts
        return float(np.mean(np.logaddexp(0, logits) - outcomes * logits))


def fit(
    features: np.ndarray, outcomes: np.ndarray, l2: np.ndarray, precision: float = 1e-11, near: Heads | None = None
) -> Heads:
    """Returns the heads with the least sum of log losses plus l2 / 2 * squared weights; intercepts are free.

    Args:
        features: (N, F), of about unit scale.
        outcomes: (N, C), yes or no, or in [0, 1].
        l2: (F,), the penalty of each feature's weights.
        precision: an iteration that lowers the sum by a smaller share of it is the last.
        near: heads that these will be like, to start from; without any, the base rates.
    """
    n_rows, n_features = features.shape
    n_labels = outcomes.shape[1]
    ridge = l2[:, None]
    rates = (outcomes.sum(axis=0) + 0.5) / (n_rows + 1)  # a start that is finite where a label has no positive
    bends = rates * (1 - rates)
    # Steps in units of the curvature at the start: penalties and rates lie orders of magnitude apart.
    units = 1 / np.sqrt(np.vstack([bends + ridge / n_rows, bends]))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercepts = np.split(flat.reshape(units.shape) * units, [n_features])
        logits = features @ weights + intercepts
        error = expit(logits) - outcomes
        value = np.sum(np.logaddexp(0, logits) - outcomes * logits) + np.sum(ridge * weights**2) / 2
        slopes = np.vstack([features.T @ error + ridge * weights, error.sum(axis=0)])
        return float(value / n_rows), (slopes * units).ravel() / n_rows

    near = near or Heads(np.zeros((n_features, n_labels)), np.log(rates / (1 - rates)))
    start = np.vstack([near.weights, near.intercepts])
    options = {"maxiter": MAX_ITERATIONS, "gtol": 1e-6, "ftol": precision}
    found = minimize(loss, (start / units).ravel(), jac=True, method="L-BFGS-B", options=options)
    weights = found.x.reshape(units.shape) * units
    return Heads(weights[:-1], weights[-1])
