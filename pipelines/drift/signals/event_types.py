"""The share of sessions that hold each type of event."""

from pipelines.drift.signals.signal import Signal

SIGNAL = Signal("event_types", "event types", lambda observed: observed.column("event_types"))
