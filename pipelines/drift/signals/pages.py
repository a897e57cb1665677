"""The share of sessions that saw each page."""

from pipelines.drift.signals.signal import Signal

SIGNAL = Signal("pages", "pages", lambda observed: observed.column("pages"))
