"""The comparison as Evidently shows it: a page that needs no network, and a snapshot for the dashboard of history."""

import html
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

import pandas as pd
import pyarrow as pa
from evidently import DataDefinition, Dataset, Report
from evidently.core.report import Snapshot
from evidently.metrics import ValueDrift
from evidently.tests import lte

from pipelines.drift.comparison import Finding
from pipelines.drift.signals import SIGNALS
from pipelines.monitor.metric import COLUMN, SignalScore

NONE: Final = "(none)"
SHOWN: Final = ("intents", "confidence", "abstention", "session_length", "pace", "channels", "entries")
"""Signals of which a session has one category at most: Evidently draws their distributions side by side."""

_RANDOM_ID = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}(-?)[0-9a-f]{4}\1[47][0-9a-f]{3}\1[89ab][0-9a-f]{3}\1[0-9a-f]{12}(?![0-9a-f])"
)
"""UUIDs of version 4 and 7 (RFC 9562), with dashes or without; the scripts in the page hold none of their own."""


def snapshot(findings: Sequence[Finding], window: pa.Table, reference: pa.Table, day: date) -> Snapshot:
    """Returns Evidently's report of ``window`` against ``reference`` (observed.OBSERVED): every signal, tested.

    The distributions that it draws below the signals are for the eye: what drifted, the signals' limits say.
    """
    scored = [SignalScore(signal=one.signal, label=one.label, tests=[lte(1.0)]) for one in findings]
    scores = {COLUMN.format(signal=one.signal): round(one.score / one.limit, 4) for one in findings}
    drawn = [ValueDrift(column=name, method="psi", tests=[]) for name in SHOWN]
    definition = DataDefinition(categorical_columns=list(SHOWN), numerical_columns=list(scores))
    tables = [_columns(table).assign(**scores) for table in (window, reference)]  # both: they are to be alike
    parts = [Dataset.from_pandas(table, data_definition=definition) for table in tables]
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Report([*scored, *drawn], include_tests=True).run(*parts, timestamp=midnight)


def page(shown: Snapshot, title: str, head: str) -> str:
    """Returns Evidently's page with the HTML ``head`` above it, and with the same bytes for the same findings."""
    drawn = _numbered(shown.get_html_str(as_iframe=False))
    named = drawn.replace("<head>", f"<head><title>{html.escape(title)}</title>", 1)
    return named.replace("<body>", f"<body>{head}", 1)


def _columns(table: pa.Table) -> pd.DataFrame:
    categories = {signal.name: signal.categories(table) for signal in SIGNALS if signal.name in SHOWN}
    return pd.DataFrame({name: pd.Series(held.to_pylist()).fillna(NONE) for name, held in categories.items()})


def _numbered(page: str) -> str:
    """The page with its random identifiers replaced, in order, by numbers."""
    numbers: dict[str, str] = {}
    return _RANDOM_ID.sub(lambda found: numbers.setdefault(found[0], f"{len(numbers):0{len(found[0])}}"), page)
