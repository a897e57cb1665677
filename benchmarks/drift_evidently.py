"""Evidently's own verdicts, with the thresholds that it comes with, on the windows that ours are given on."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.metrics.embeddings import ModelDriftMethod
from evidently.presets import DataDriftPreset

from benchmarks.drift_windows import Sessions

NUMBERS: Final = ["n_events", "seconds_per_event", "confidence"]
WORDS: Final = ["channel", "entry", "device", "os", "browser", "region", "intent"]

Verdict = tuple[bool, float]
"""Whether it calls drift, and how many times the threshold that column or classifier is which drifted most."""


def by_columns(window: Sessions, reference: Sessions) -> Verdict:
    """The preset over the columns of a session: drift where one column's distance is beyond its threshold."""
    frames = [sessions.rows.select([*NUMBERS, *WORDS]).to_pandas() for sessions in (window, reference)]
    return _preset(frames, DataDefinition(numerical_columns=NUMBERS, categorical_columns=WORDS))


def by_dimensions(window: Sessions, reference: Sessions) -> Verdict:
    """The preset over the dimensions of the embedding as columns."""
    names = [f"d{place:03}" for place in range(window.embeddings.shape[1])]
    frames = [pd.DataFrame(sessions.embeddings, columns=names) for sessions in (window, reference)]
    return _preset(frames, DataDefinition(numerical_columns=names))


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


def _preset(frames: list[pd.DataFrame], definition: DataDefinition) -> Verdict:
    parts = [Dataset.from_pandas(frame, data_definition=definition) for frame in frames]
    found = Report([DataDriftPreset()]).run(*parts).dict()["metrics"]
    reaches = [
        float(metric["value"]) / metric["config"]["threshold"]
        for metric in found
        if metric["config"]["type"] == "evidently:metric_v2:ValueDrift"
    ]
    return max(reaches) > 1, float(np.max(reaches))
