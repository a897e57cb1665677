"""Data quality: the share of sessions in which no event fills a column."""

from pipelines.drift.signals.signal import Signal

SIGNAL = Signal("missing", "columns without a value", lambda observed: observed.column("missing"))
