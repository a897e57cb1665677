"""Where sessions come from: the source of a campaign, or the host that referred their first event."""

from pipelines.drift.signals.signal import Signal

SIGNAL = Signal("entries", "where sessions come from", lambda observed: observed.column("entry"))
