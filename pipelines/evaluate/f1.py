"""F1 of many labels at once, from counts that resample."""

import numpy as np

from pipelines.evaluate.bootstrap import Resamples, ratio


def f1_values(resamples: Resamples, predicted: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
    """Returns micro and macro F1, (B + 1,) each, of bool ``predicted`` and ``actual`` (N, C).

    Macro F1 is the mean over the labels that are predicted or true at least once; each is 2 TP / (predicted + true).
    """
    n_labels = predicted.shape[1]
    totals = resamples.totals(np.hstack([predicted & actual, predicted, actual]))
    both, sizes = totals[:, :n_labels], totals[:, n_labels : 2 * n_labels] + totals[:, 2 * n_labels :]
    by_label = ratio(2 * both, sizes)
    seen = np.isfinite(by_label)
    macro = ratio(np.where(seen, by_label, 0).sum(axis=1), seen.sum(axis=1))
    return {"micro_f1": ratio(2 * both.sum(axis=1), sizes.sum(axis=1)), "macro_f1": macro}


def f1_by_label(resamples: Resamples, predicted: np.ndarray, actual: np.ndarray) -> dict[str, np.ndarray]:
    """Returns F1, precision and recall of each label, (B + 1, C) each; NaN where there is nothing to divide by."""
    n_labels = predicted.shape[1]
    totals = resamples.totals(np.hstack([predicted & actual, predicted, actual]))
    both, said, true = np.split(totals, [n_labels, 2 * n_labels], axis=1)
    return {"f1": ratio(2 * both, said + true), "precision": ratio(both, said), "recall": ratio(both, true)}
