"""The share of sessions of each channel."""

from pipelines.drift.signals.signal import Signal

SIGNAL = Signal("channels", "channels", lambda observed: observed.column("channel"))
