"""Data quality: the share of sessions with page views that came from an area which sent nothing, by area."""

from pipelines.drift.signals.signal import Signal

SIGNAL = Signal("gaps", "page views from areas that sent nothing", lambda observed: observed.column("gaps"))
