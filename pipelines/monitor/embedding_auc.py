"""How well a classifier tells a window's embeddings from the reference's, as an Evidently metric.

Evidently's own EmbeddingsDrift is not used: in a report it also draws an unseeded t-SNE, for 20 s and more.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from evidently.core.metric_types import SingleValue, SingleValueCalculation, SingleValueMetric
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

N_FOLDS = 5


def embedding_auc(reference: np.ndarray, current: np.ndarray, seed: int) -> float:
    """Returns the AUC, on sessions it was not fitted on, of telling ``current`` (N, D) from ``reference`` (M, D).

    A regularised logistic regression on each number and its square sees a shift of means and of spreads. 0.5: the two
    cannot be told apart. Source: Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests", arXiv 1610.06545.
    """
    vectors = np.concatenate([reference, current]).astype(np.float64)
    is_current = np.repeat([0, 1], [len(reference), len(current)])
    scaled = StandardScaler().fit_transform(vectors)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000))
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    squared = np.concatenate([scaled, scaled**2], axis=1)
    scores = cross_val_predict(model, squared, is_current, cv=folds, method="decision_function")
    return float(roc_auc_score(is_current, scores))


class EmbeddingAuc(SingleValueMetric):  # type: ignore[misc]  # evidently has no types
    """AUC of telling the window's embeddings from the reference's; one column a dimension."""

    columns: Sequence[str]
    seed: int


class EmbeddingAucCalculation(SingleValueCalculation[EmbeddingAuc]):  # type: ignore[misc]
    """Found by Evidently through its type argument."""

    def calculate(self, context: object, current_data: Any, reference_data: Any) -> SingleValue:
        tables: list[pd.DataFrame] = [part.as_dataframe() for part in (reference_data, current_data)]
        reference, current = (table[list(self.metric.columns)].to_numpy() for table in tables)
        return self.result(embedding_auc(reference, current, self.metric.seed))

    def display_name(self) -> str:
        return "AUC of telling the window's session embeddings from the reference's (0.5: alike)"
