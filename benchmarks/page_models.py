"""What predicts a page: the unigram, and a mixture of a log-linear model and boosted trees, tuned on validation.

With seventeen classes the trees predict better, with fifty, or with few sessions, the log-linear model; the mixture is
about as good as the better one, or better. The validation part settles penalty, number of trees and weight, so that
nothing is chosen on the test part.
"""

from typing import Final

import lightgbm
import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

PENALTIES: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Of the log-linear model, as scikit-learn's C: larger is weaker. Wide enough for the smallest site: with a penalty too
strong for it, saying the same thing twice passes for information."""
MAX_ITERATIONS, TOLERANCE = 500, 1e-4
WEIGHTS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the log-linear model in the mixture."""
MAX_TREES, PATIENCE = 300, 10
TREES: Final = {
    "objective": "multiclass",
    "learning_rate": 0.1,
    "num_leaves": 8,
    "min_data_in_leaf": 20,
    "verbose": -1,
    "seed": 7,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}
FLOOR: Final = 0.01
"""The unigram's share in every prediction: a page that no session of the fitting part ends on is not impossible."""


def unigram(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Returns the share of each class among ``targets`` with half a session added to each (Jeffreys), (C,)."""
    counts = np.bincount(targets, minlength=n_classes) + 0.5
    return np.asarray(counts / counts.sum())


def predict(features: np.ndarray, target: np.ndarray, parts: np.ndarray, n_classes: int) -> np.ndarray:
    """Returns the probability of each class (M, C) for the M rows of the part "test".

    Args:
        features: (N, F).
        target: (N,) classes; those of the part "test" are not read.
        parts: (N,): "fit", "valid" or "test"; none of them empty.
        n_classes: C.
    """
    fit, valid = parts == "fit", parts == "valid"
    base = unigram(target[fit], n_classes)
    with threadpool_limits(1):  # matrices this small: a second thread of BLAS cost ten times the CPU time
        linear = _log_linear(features, target, fit, valid, base)
    trees = _trees(features, target, fit, valid, base)
    mixtures = [FLOOR * base + (1 - FLOOR) * (weight * linear + (1 - weight) * trees) for weight in WEIGHTS]
    return np.asarray(_best(mixtures, target, valid)[parts == "test"])


def _log_linear(
    features: np.ndarray, target: np.ndarray, fit: np.ndarray, valid: np.ndarray, base: np.ndarray
) -> np.ndarray:
    """Returns (N, C) by the penalty that the validation part likes best."""
    found = []
    model = LogisticRegression(max_iter=MAX_ITERATIONS, tol=TOLERANCE, warm_start=True)  # from the penalty before
    for penalty in PENALTIES:
        model.set_params(C=penalty).fit(features[fit], target[fit])
        probabilities = np.zeros((len(target), len(base)))
        probabilities[:, model.classes_] = model.predict_proba(features)
        found.append(FLOOR * base + (1 - FLOOR) * probabilities)
    return _best(found, target, valid)


def _trees(
    features: np.ndarray, target: np.ndarray, fit: np.ndarray, valid: np.ndarray, base: np.ndarray
) -> np.ndarray:
    """Returns (N, C) by trees that start from ``base`` and stop when the validation part gains no more."""
    start = np.log(base)
    training, validation = (
        lightgbm.Dataset(features[rows], target[rows], init_score=np.repeat(start, rows.sum())) for rows in (fit, valid)
    )
    validation.set_reference(training)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    settings = {**TREES, "num_class": len(base)}
    model = lightgbm.train(settings, training, MAX_TREES, valid_sets=[validation], callbacks=[stop])
    return np.asarray(softmax(np.asarray(model.predict(features, raw_score=True)) + start, axis=1))


def _best(found: list[np.ndarray], target: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Returns that one of the (N, C) probabilities that has the smallest log loss on the validation part."""
    rows = np.flatnonzero(valid)
    return min(found, key=lambda probabilities: -np.log(probabilities[rows, target[rows]]).mean())
