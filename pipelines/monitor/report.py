"""The comparison itself: an Evidently report, and what it says in numbers and in one sentence."""

import html
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from evidently import DataDefinition, Dataset, Report
from evidently.core.metric_types import SingleValueMetric
from evidently.metrics import ValueDrift
from evidently.tests import lte

from pipelines.monitor import chance
from pipelines.monitor.embedding_auc import EmbeddingAuc
from pipelines.monitor.signals import SIGNALS, comparable
from pipelines.params import Monitor

DIGITS = 6  # of a reported figure; the last bits of a float differ between CPUs

_RANDOM_ID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[47][0-9a-f]{3}\1[89ab][0-9a-f]{3}\1[0-9a-f]{12}(?![0-9a-f])"
)
"""UUIDs of version 4 and 7 (RFC 9562), with dashes or without; the scripts in the page hold none of their own."""


@dataclass(frozen=True)
class Finding:
    """One signal's value; it drifted when above its threshold and above what chance explains."""

    method: str
    value: float
    threshold: float
    chance: float
    drifted: bool


@dataclass(frozen=True)
class Drift:
    """What was found, and the page that shows it."""

    findings: Mapping[str, Finding]
    page: str

    @property
    def sentence(self) -> str:
        """What drifted, or that nothing did."""
        drifted = [
            f"{SIGNALS[name].label} ({found.method} {found.value:.3f}, limit {max(found.threshold, found.chance):.3f})"
            for name, found in self.findings.items()
            if found.drifted
        ]
        return f"Drifted: {', '.join(drifted)}." if drifted else "Nothing drifted."

    def values(self) -> dict[str, dict[str, Any]]:
        return {name: asdict(found) for name, found in self.findings.items()}


def compare(observed: pa.Table, reference: pa.Table, day: date, monitor: Monitor, seed: int) -> Drift:
    """Returns the drift of ``observed`` against ``reference`` (both champion.REFERENCE, neither empty).

    Args:
        observed: the window's sessions.
        reference: the champion's.
        day: the report's.
        monitor: the thresholds.
        seed: of the classifier's folds and of the draws behind the bounds of chance.
    """
    current, before = comparable(observed), comparable(reference)
    by_chance = {name: _by_chance(name, current, before, seed) for name in SIGNALS}
    limits = {name: max(signal.threshold(monitor), by_chance[name]) for name, signal in SIGNALS.items()}
    dimensions = [name for name in current.columns if name not in SIGNALS]
    metrics = [_metric(name, limits[name], dimensions, seed) for name in SIGNALS]
    definition = DataDefinition(
        categorical_columns=[name for name in current.columns if name in SIGNALS], numerical_columns=dimensions
    )
    parts = [Dataset.from_pandas(table, data_definition=definition) for table in (current, before)]
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    snapshot = Report(metrics, include_tests=True).run(*parts, timestamp=midnight)
    values = [round(float(metric["value"]), DIGITS) for metric in snapshot.dict()["metrics"]]
    findings = {
        name: Finding(
            method=signal.method,
            value=value,
            threshold=signal.threshold(monitor),
            chance=round(by_chance[name], DIGITS),
            drifted=value > limits[name],
        )
        for (name, signal), value in zip(SIGNALS.items(), values, strict=True)
    }
    return Drift(findings, _numbered(snapshot.get_html_str(as_iframe=False)))


def headed(page: str, sentence: str) -> str:
    """Returns Evidently's page with ``sentence`` above it: it does not say by itself which days it is about."""
    heading = f'<p style="font:18px/1.5 sans-serif;margin:1.5rem 2rem 0">{html.escape(sentence)}</p>'
    return page.replace("<body>", f"<body>{heading}", 1)


def _numbered(page: str) -> str:
    """The page with its random identifiers replaced, in order, by numbers: the same findings give the same bytes."""
    numbers: dict[str, str] = {}
    return _RANDOM_ID.sub(lambda found: numbers.setdefault(found[0], f"{len(numbers):0{len(found[0])}}"), page)


def _metric(name: str, limit: float, dimensions: list[str], seed: int) -> SingleValueMetric:
    if SIGNALS[name].method == "AUC":
        return EmbeddingAuc(columns=dimensions, seed=seed, tests=[lte(limit)])
    return ValueDrift(column=name, method="psi", threshold=limit)


def _by_chance(name: str, current: pd.DataFrame, before: pd.DataFrame, seed: int) -> float:
    if SIGNALS[name].method == "AUC":
        return chance.auc_by_chance(len(before), len(current))
    categories = np.unique(np.concatenate([before[name], current[name]]))
    reference_counts, current_counts = (
        table[name].value_counts().reindex(categories, fill_value=0).to_numpy() for table in (before, current)
    )
    return chance.psi_by_chance(reference_counts, current_counts, seed)
