"""The share of sessions that saw a page which no session of the reference saw."""

from pipelines.drift.signals.signal import Signal

SIGNAL = Signal("unseen_pages", "pages never seen before", lambda observed: observed.column("pages"), only_unseen=True)
