"""A logistic regression on frozen features: what it says of test sessions, scored with intervals over visitors."""

import warnings
from collections.abc import Mapping
from typing import Final

import numpy as np
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from pipelines.evaluate.average_precision import average_precision_values
from pipelines.evaluate.bootstrap import Resamples, estimate
from pipelines.evaluate.f1 import f1_values

PENALTIES: Final = (0.03, 0.3, 3.0)
"""scikit-learn's C, of standardised features; larger is weaker."""
PENALTIES_SPARSE: Final = (1.0, 10.0, 100.0)
"""Of TF-IDF, whose rows have length one."""
MAX_ITERATIONS: Final = 300

Column = dict[str, float | None]


def probed(features: np.ndarray | csr_array, targets: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Returns the probabilities (M, C) of the rows behind ``bounds[1]``: a regression on those before ``bounds[0]``.

    Its penalty is the one that the rows between prefer, by log loss.
    """
    dense = isinstance(features, np.ndarray)
    scaled = StandardScaler().fit(features[: bounds[0]]).transform(features) if dense else features
    best: tuple[float, np.ndarray] | None = None
    with threadpool_limits(1), warnings.catch_warnings():  # matrices this small: a second thread only waits
        warnings.simplefilter("ignore", ConvergenceWarning)  # the steps are bounded, for all alike
        for penalty in PENALTIES if dense else PENALTIES_SPARSE:
            model = LogisticRegression(C=penalty, max_iter=MAX_ITERATIONS).fit(
                scaled[: bounds[0]], targets[: bounds[0]]
            )
            chances = model.predict_proba(scaled[bounds[0] :])
            valid = targets[bounds[0] : bounds[1]]
            loss = -np.log(np.maximum(chances[np.arange(len(valid)), valid], 1e-15)).mean()
            if best is None or loss < best[0]:
                best = (float(loss), chances[len(valid) :])
    assert best is not None
    return best[1]


def log_losses(resamples: Resamples, probabilities: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Returns the log loss, (B + 1,)."""
    lost = -np.log(np.maximum(probabilities[np.arange(len(targets)), targets], 1e-15))
    totals = resamples.totals(np.column_stack([lost, np.ones(len(lost))]))
    return np.asarray(totals[:, 0] / totals[:, 1])


def quality(resamples: Resamples, probabilities: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """Returns macro F1 of several classes, average precision of the second of two, (B + 1,)."""
    if probabilities.shape[1] == 2:
        return {"average_precision": average_precision_values(resamples, probabilities[:, 1:], targets[:, None] == 1)}
    classes = np.arange(probabilities.shape[1])
    named, actual = probabilities.argmax(axis=1)[:, None] == classes, targets[:, None] == classes
    return {"macro_f1": f1_values(resamples, named, actual)["macro_f1"]}


def flat(task: str, figures: Mapping[str, np.ndarray]) -> Column:
    """Returns each figure with the bounds of its interval, by the names that the report reads."""
    column: Column = {}
    for name, values in figures.items():
        found = estimate(values)
        low, high = found["ci95"]
        column |= {f"{task}_{name}": found["value"], f"{task}_{name}_low": low, f"{task}_{name}_high": high}
    return column
