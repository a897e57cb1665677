"""The drift signals, one file each. A new one is its file and its line here."""

from typing import Final

from pipelines.drift.signals import (
    abstention,
    areas,
    channels,
    confidence,
    embeddings,
    entries,
    event_types,
    fields,
    gaps,
    intents,
    missing,
    novelty,
    pace,
    pages,
    session_length,
    subjects,
    unseen_pages,
)
from pipelines.drift.signals.signal import Signal

SIGNALS: Final[tuple[Signal, ...]] = (
    embeddings.SIGNAL,
    novelty.SIGNAL,
    intents.SIGNAL,
    confidence.SIGNAL,
    abstention.SIGNAL,
    subjects.SIGNAL,
    pages.SIGNAL,
    unseen_pages.SIGNAL,
    areas.SIGNAL,
    event_types.SIGNAL,
    session_length.SIGNAL,
    pace.SIGNAL,
    channels.SIGNAL,
    entries.SIGNAL,
    fields.SIGNAL,
    gaps.SIGNAL,
    missing.SIGNAL,
)

__all__ = ["SIGNALS", "Signal"]
