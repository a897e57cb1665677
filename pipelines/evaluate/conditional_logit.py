"""The tile head: a conditional logit over the shown tiles.

The utility of tile k in decision m is intercept_k + position effect + tile features . shared weights
+ context_m . weights_k, and the click is a softmax draw over the shown tiles.
Source: McFadden 1974, "Conditional logit analysis of qualitative choice behavior". We add ridge penalties.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize

MAX_ITERATIONS: Final = 500
GRADIENT_TOLERANCE: Final = 1e-5  # of the mean loss: below what the reported digits show


@dataclass(frozen=True)
class Choices:
    """M decisions over K tiles and P positions; F features a tile, X features of the context."""

    position: np.ndarray  # int (M, K), -1 where not shown
    clicked: np.ndarray  # int (M,)
    tile_features: np.ndarray  # (M, K, F)
    context: np.ndarray  # (M, X)

    def rows(self, chosen: np.ndarray) -> "Choices":
        """Returns some of the decisions."""
        return Choices(self.position[chosen], self.clicked[chosen], self.tile_features[chosen], self.context[chosen])


@dataclass(frozen=True)
class Penalty:
    """Ridge penalties of the sum of log losses: half the penalty times the squared weight."""

    base: float  # intercepts, positions, tile features
    context: np.ndarray  # (X,), by context feature


@dataclass(frozen=True)
class Head:
    """The weights."""

    intercepts: np.ndarray  # (K,)
    positions: np.ndarray  # (P,)
    shared: np.ndarray  # (F,)
    context: np.ndarray  # (K, X)

    def log_probabilities(self, choices: Choices) -> np.ndarray:
        """Returns the log of the probability of a click on each tile, (M, K); -inf where it was not shown."""
        utilities = self.intercepts + choices.tile_features @ self.shared + choices.context @ self.context.T
        utilities += self.positions[np.clip(choices.position, 0, len(self.positions) - 1)]
        utilities = np.where(choices.position >= 0, utilities, -np.inf)
        top = utilities.max(axis=1, keepdims=True)
        return np.asarray(utilities - top - np.log(np.exp(utilities - top).sum(axis=1, keepdims=True)))


def fit(choices: Choices, n_positions: int, penalty: Penalty, start: Head | None = None) -> Head:
    """Returns the head with the least penalised log loss; ``start`` only shortens the way there."""
    sizes = (choices.position.shape[1], n_positions, choices.tile_features.shape[2], choices.context.shape[1])
    first = _flat(start) if start else np.zeros(sum(sizes[:3]) + sizes[0] * sizes[3])
    found = minimize(
        lambda weights: loss_and_gradient(weights, sizes, choices, penalty),
        first,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MAX_ITERATIONS, "gtol": GRADIENT_TOLERANCE, "ftol": 1e-9},
    )
    return _head(found.x, sizes)


def loss_and_gradient(
    weights: np.ndarray, sizes: tuple[int, int, int, int], choices: Choices, penalty: Penalty
) -> tuple[float, np.ndarray]:
    """Returns the penalised log loss and its gradient, both divided by the number of decisions."""
    head = _head(weights, sizes)
    log_probabilities = head.log_probabilities(choices)
    rows = np.arange(len(choices.clicked))
    shown = choices.position >= 0
    error = np.exp(log_probabilities)
    error[rows, choices.clicked] -= 1  # (M, K), 0 where not shown
    slopes = Head(
        error.sum(axis=0),
        np.bincount(choices.position[shown], weights=error[shown], minlength=sizes[1]).astype(np.float64),
        np.einsum("mk,mkf->f", error, choices.tile_features),
        error.T @ choices.context,
    )
    ridge = np.concatenate([np.full(sum(sizes[:3]), penalty.base), np.tile(penalty.context, sizes[0])])
    loss = -log_probabilities[rows, choices.clicked].sum() + np.sum(ridge * weights**2) / 2
    return float(loss / len(rows)), (_flat(slopes) + ridge * weights) / len(rows)


def _flat(head: Head) -> np.ndarray:
    return np.concatenate([head.intercepts, head.positions, head.shared, head.context.ravel()])


def _head(weights: np.ndarray, sizes: tuple[int, int, int, int]) -> Head:
    n_tiles, n_positions, n_shared, n_context = sizes
    parts = np.split(weights, np.cumsum([n_tiles, n_positions, n_shared]))
    return Head(parts[0], parts[1], parts[2], parts[3].reshape(n_tiles, n_context))
