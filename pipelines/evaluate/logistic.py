"""The conversion head: one ridge logistic regression a product, all fitted at once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

MAX_ITERATIONS: Final = 500


@dataclass(frozen=True)
class Heads:
    """One column a product."""

    weights: np.ndarray  # (F, P)
    intercepts: np.ndarray  # (P,)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Returns the probability of each product, (N, P)."""
        return np.asarray(expit(features @ self.weights + self.intercepts))

    def log_loss(self, features: np.ndarray, outcomes: np.ndarray) -> float:
        """Returns the mean log loss over all rows and products."""
        logits = features @ self.weights + self.intercepts
        return float(np.mean(np.logaddexp(0, logits) - outcomes * logits))


def fit(features: np.ndarray, outcomes: np.ndarray, l2: float) -> Heads:
    """Returns the heads with the least sum of log losses plus l2 / 2 * squared weights; intercepts are free.

    Args:
        features: (N, F), of about unit scale.
        outcomes: bool (N, P).
        l2: the penalty.
    """
    n_rows, n_features = features.shape
    n_products = outcomes.shape[1]
    rates = (outcomes.sum(axis=0) + 0.5) / (n_rows + 1)  # a start that is finite where a product has no outcome

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, intercepts = np.split(flat.reshape(n_features + 1, n_products), [n_features])
        logits = features @ weights + intercepts
        error = expit(logits) - outcomes
        value = np.sum(np.logaddexp(0, logits) - outcomes * logits) + l2 / 2 * np.sum(weights**2)
        slopes = np.vstack([features.T @ error + l2 * weights, error.sum(axis=0)])
        return float(value / n_rows), slopes.ravel() / n_rows

    start = np.vstack([np.zeros((n_features, n_products)), np.log(rates / (1 - rates))])
    options = {"maxiter": MAX_ITERATIONS, "gtol": 1e-6, "ftol": 1e-11}
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    weights = found.x.reshape(n_features + 1, n_products)
    return Heads(weights[:-1], weights[-1])
