"""The drift signals: what is compared, how, and from where on it is drift. A new signal is one entry of SIGNALS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.params import Monitor
from pipelines.student.labels import embedding_matrix

NO_INTENT: Final = "(none)"


@dataclass(frozen=True)
class Signal:
    """One thing that may drift; ``column`` makes categories out of champion.REFERENCE rows, for PSI."""

    label: str  # as a report's sentence says it
    method: Literal["AUC", "PSI"]
    threshold: Callable[[Monitor], float]
    column: Callable[[pa.Table], list[str]] | None = None


def _intents(observed: pa.Table) -> list[str]:
    """The most probable intent, unless the student abstained."""
    named: list[str] = pc.if_else(observed.column("abstained"), NO_INTENT, observed.column("intent")).to_pylist()
    return named


def _confidences(observed: pa.Table) -> list[str]:
    """Tenths."""
    tenths = np.minimum(observed.column("confidence").to_numpy() * 10, 9).astype(int)
    return [f"0.{tenth}" for tenth in tenths]


def _lengths(observed: pa.Table) -> list[str]:
    """Numbers of events, in steps of doubling; the longest together."""
    doublings = np.minimum(np.log2(observed.column("n_events").to_numpy()).astype(int), 6)
    return [f"{2**doubling}+" for doubling in doublings]


def _channels(observed: pa.Table) -> list[str]:
    channels: list[str] = observed.column("channel").to_pylist()
    return channels


SIGNALS: Final[Mapping[str, Signal]] = {
    "embedding": Signal("session embeddings", "AUC", lambda monitor: monitor.max_embedding_auc),
    "intent": Signal("intents", "PSI", lambda monitor: monitor.max_label_psi, _intents),
    "confidence": Signal("the student's confidence", "PSI", lambda monitor: monitor.max_label_psi, _confidences),
    "session_length": Signal("session lengths", "PSI", lambda monitor: monitor.max_label_psi, _lengths),
    "channel": Signal("channels", "PSI", lambda monitor: monitor.max_label_psi, _channels),
}


def comparable(observed: pa.Table) -> pd.DataFrame:
    """Returns one column a PSI signal, and one a dimension of the embedding, of champion.REFERENCE rows."""
    categories = {name: signal.column(observed) for name, signal in SIGNALS.items() if signal.column}
    vectors = embedding_matrix(observed)
    return pd.DataFrame(categories | {f"dimension_{i:03}": vectors[:, i] for i in range(vectors.shape[1])})
