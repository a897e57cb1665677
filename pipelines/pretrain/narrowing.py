"""From the numbers that training writes to those of the embedding: the directions that the objectives read.

A network that may write many numbers learns more than one that may write few, yet most of what it writes is read by
nothing. After training the directions of its embedding are weighed: by how far the heads of the objectives turn on them
and, a little, by how far sessions lie apart along them. The weightiest are kept, each as long as it weighs, so that who
reads the embedding with a penalty on large coefficients (a logistic regression, a perceptron with weight decay) spends
it on what says little. All of it is one linear map, folded into the last layer: an embedding costs what it did before.

Departure from principal components, which know of no reader (reduced-rank regression: Izenman 1975). Axis legend: N
sessions, W trained numbers, D embedding.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

SPREAD: Final = 0.3
"""What the direction along which sessions lie farthest apart weighs, where the heads turn most on one that weighs 1."""
_LEAST_VARIANCE: Final = 1e-7  # in parts of the largest: a direction that is used less is rounding
_LEAST_READ: Final = 1e-10  # likewise; the root of rounding would be a million times as large


def narrowed(
    embeddings: np.ndarray, readers: Sequence[np.ndarray], n_kept: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a matrix (W, D) and a point (W,): the embedding is (trained numbers - point) @ matrix.

    It has mean 0 over ``embeddings`` and a mean variance of 1. Its directions are turned by a random rotation, so that
    no dimension is longer than another: standardised one by one, as features mostly are, they keep their lengths.

    Args:
        embeddings: (N, W), of training sessions.
        readers: (C, W) each, linear maps by which objectives read the trained numbers.
        n_kept: D, at most W.
        seed: of the rotation.
    """
    with threadpool_limits(1):  # sums in one order: the same bytes on one core or many
        centre = embeddings.mean(axis=0, dtype=np.float64)
        apart = embeddings - centre
        variances, axes = np.linalg.eigh(apart.T @ apart / len(apart))
        variances = np.maximum(variances, _LEAST_VARIANCE * variances[-1])
        deviations = np.sqrt(variances)
        weight = SPREAD * np.diag(variances / variances[-1]) + _reading(readers, axes * deviations)
        weights, directions = (found[..., ::-1][..., :n_kept] for found in np.linalg.eigh(weight))
        lengths = np.sqrt(weights * (n_kept / weights.sum()))
        rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(n_kept, n_kept)))[0]
        return (axes / deviations) @ (directions * lengths) @ rotation, centre


def _reading(readers: Sequence[np.ndarray], whitened: np.ndarray) -> np.ndarray:
    """How far heads turn on each direction in which sessions differ alike, (W, W); 1 at most.

    The root of the sum of squares: what is read by one rare page's logit alone counts, too.
    """
    turned = np.zeros((len(whitened), len(whitened)))
    for one in readers:
        along = one @ whitened
        turned += along.T @ along
    values, directions = np.linalg.eigh(turned)
    if values[-1] <= 0:
        return turned
    roots = np.sqrt(np.where(values < _LEAST_READ * values[-1], 0, values) / values[-1])
    return np.asarray((directions * roots) @ directions.T)
