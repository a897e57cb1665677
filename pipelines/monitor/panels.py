"""Which signals are shown together, in the report and on the dashboard."""

from typing import Final

from pipelines.drift.signals import SIGNALS

_TOGETHER: Final = {
    "What sessions are about": ("embeddings", "novelty", "intents", "subjects", "confidence", "abstention"),
    "What they saw and did": ("pages", "unseen_pages", "areas", "event_types", "session_length", "pace"),
    "Where they come from": ("channels", "entries", "fields"),
    "Data quality": ("gaps", "missing"),
}
LABELS: Final = {signal.name: signal.label for signal in SIGNALS}
PANELS: Final = _TOGETHER | {
    label: (name,) for name, label in LABELS.items() if not any(name in panel for panel in _TOGETHER.values())
}
"""Signals by the title of their panel; one that is named nowhere above has a panel of its own."""
