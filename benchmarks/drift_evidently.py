"""Evidently's own verdicts, with the thresholds that it comes with, on the windows that ours are given on.

Its DataDriftPreset spends nine tenths of its time on drawing: what it calculates is called without that here.
"""

from collections.abc import Callable, Sequence
from typing import Final

import pandas as pd
from evidently.legacy.calculations.data_drift import ColumnDataDriftMetrics, get_one_column_drift
from evidently.legacy.core import ColumnType
from evidently.legacy.metric_results import DatasetColumns, DatasetUtilityColumns
from evidently.legacy.options.data_drift import DataDriftOptions
from evidently.metrics.embeddings import ModelDriftMethod

from benchmarks.drift_windows import Sessions

NUMBERS: Final = ["n_events", "seconds_per_event", "confidence"]
WORDS: Final = ["channel", "entry", "device", "os", "browser", "region", "intent"]

Verdict = tuple[bool, float]
"""Whether it calls drift, and how many times the threshold that column or classifier is which drifted most."""


def by_columns(window: Sessions, reference: Sessions) -> Verdict:
    """The preset over the columns of a session: drift where one column's distance is beyond its threshold."""
    frames = [sessions.rows.select([*NUMBERS, *WORDS]).to_pandas() for sessions in (window, reference)]
    return preset(*frames, NUMBERS, WORDS)


def by_dimensions(window: Sessions, reference: Sessions) -> Verdict:
    """The preset over the dimensions of the embedding as columns."""
    names = [f"d{place:03}" for place in range(window.embeddings.shape[1])]
    frames = [pd.DataFrame(sessions.embeddings, columns=names) for sessions in (window, reference)]
    return preset(*frames, names)


def by_classifier(window: Sessions, reference: Sessions) -> Verdict:
    """The default of its embedding drift: a classifier that tells window from reference, above an AUC of .55."""
    frames = [pd.DataFrame(sessions.embeddings) for sessions in (window, reference)]
    auc, drifted, _ = ModelDriftMethod()(current_emb=frames[0], reference_emb=frames[1])
    return bool(drifted), float(auc) / 0.55


METHODS: Final[dict[str, Callable[[Sessions, Sessions], Verdict]]] = {
    "evidently_columns": by_columns,
    "evidently_dimensions": by_dimensions,
    "evidently_classifier": by_classifier,
}


def preset(window: pd.DataFrame, reference: pd.DataFrame, numbers: Sequence[str], words: Sequence[str] = ()) -> Verdict:
    """What DataDriftPreset finds in columns of ``numbers`` and of ``words``, without its pictures."""
    kinds = dict.fromkeys(numbers, ColumnType.Numerical) | dict.fromkeys(words, ColumnType.Categorical)
    found = [_column(window[[name]], reference[[name]], kind) for name, kind in kinds.items()]
    reach = max(float(one.drift_score / one.stattest_threshold) for one in found)
    return reach > 1, reach


def _column(window: pd.DataFrame, reference: pd.DataFrame, kind: ColumnType) -> ColumnDataDriftMetrics:
    # as the calculation behind its ValueDrift does; with other columns here, their correlations would be reckoned, too
    (name,) = window.columns
    columns = DatasetColumns(
        utility_columns=DatasetUtilityColumns(date=None, id=None, target=None, prediction=None),
        target_type=None,
        num_feature_names=[name] if kind is ColumnType.Numerical else [],
        cat_feature_names=[name] if kind is ColumnType.Categorical else [],
        text_feature_names=[],
        datetime_feature_names=[],
        target_names=None,
    )
    return get_one_column_drift(
        current_data=window,
        reference_data=reference,
        column_name=name,
        options=DataDriftOptions(),
        dataset_columns=columns,
        column_type=kind,
        agg_data=True,
    )
