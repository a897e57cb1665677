"""The course of a session must show: the same events in another order, another embedding."""

from typing import Any, Final

import numpy as np
import pyarrow as pa

from pipelines.pretrain.audits.subject import Subject

N_SESSIONS: Final = 500
MIN_SESSIONS: Final = 20
MIN_PAGES: Final = 3  # different ones, before the last event
_TIMES: Final = ("ts", "dwell_seconds")


def measure(subject: Subject) -> dict[str, float]:
    """Returns how far a session moves when its events but the last change places, in parts of a typical distance.

    The clock stays: only what happened moves, so that this is not sensitivity to times. The last event stays, so that
    it is not memory of the last event. A typical distance is the mean between two sessions drawn at random.
    """
    draw = np.random.default_rng(subject.seed)
    events = subject.sessions.column("events").to_pylist()
    fitting = [row for row, found in enumerate(events) if len({event["page"] for event in found[:-1]}) >= MIN_PAGES]
    chosen = draw.permutation(fitting)[:N_SESSIONS].astype(int).tolist()
    if len(chosen) < MIN_SESSIONS:
        return {}
    sessions = subject.sessions.take(chosen)
    shuffled = pa.array([_shuffled(events[row], draw) for row in chosen], sessions.schema.field("events").type)
    place = sessions.schema.get_field_index("events")
    moved = subject.runtime.embed(sessions.set_column(place, sessions.schema.field(place), shuffled), subject.pages)
    embeddings = subject.embeddings[chosen]
    apart = np.linalg.norm(embeddings - np.roll(embeddings, 1, axis=0), axis=1).mean()
    return {"order_sensitivity": float(np.linalg.norm(moved - embeddings, axis=1).mean() / max(apart, 1e-12))}


def _shuffled(events: list[dict[str, Any]], draw: np.random.Generator) -> list[dict[str, Any]]:
    """The events, all but the last in another order, on the clock of the first order."""
    places = draw.permutation(len(events) - 1)
    if (places == np.arange(len(places))).all():
        places = np.roll(places, 1)
    moved = [events[place] for place in places] + events[-1:]
    return [{**event, **{name: at[name] for name in _TIMES}} for event, at in zip(moved, events, strict=True)]
