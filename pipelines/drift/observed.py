"""What drift compares, of a session: of a sample of the champion's own sessions, and of those of a window."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.alignment import stacked
from pipelines.drift.cells import Cells
from pipelines.errors import TableError
from pipelines.schemas import FACTS, INTENTS, SESSIONS
from pipelines.student.labels import embedding_matrix

OBSERVED: Final = pa.schema(
    [
        *(SESSIONS.field(name) for name in ("session_id", "visitor_id", "channel", "start_ts", "n_events")),
        pa.field("seconds_per_event", pa.float32()),  # null: a single event
        pa.field("pages", pa.list_(pa.string()), nullable=False),  # each once
        pa.field("event_types", pa.list_(pa.string()), nullable=False),  # each once
        *(field for field in FACTS if field.name != "session_id"),
        pa.field("cell", pa.int32(), nullable=False),  # of the embedding
        pa.field("distance_band", pa.int32(), nullable=False),  # 0: nearest to the cell's centre
        pa.field("intent", pa.string(), nullable=False),  # the most probable one, also where the student abstained
        pa.field("confidence", pa.float32(), nullable=False),  # its calibrated probability
        INTENTS.field("abstained"),
    ]
)


def observed(
    sessions: pa.Table, facts: pa.Table, embeddings: pa.Table, intents: pa.Table, intent_ids: list[str], cells: Cells
) -> pa.Table:
    """Returns the OBSERVED row of each of ``sessions``, in their order.

    Raises:
        TableError: a session has no embedding, no intents or no facts, or the embeddings are of several encoders.
    """
    rows = sessions.column("session_id")
    own, decided = _of(rows, facts, "facts"), _of(rows, intents, "intents")
    probabilities = pc.list_flatten(decided.column("probabilities")).to_numpy().reshape(len(rows), len(intent_ids))
    best = probabilities.argmax(axis=1) if len(rows) else np.empty(0, np.int64)
    cell, band = cells.place(embedding_matrix(_of(rows, stacked([embeddings]), "embeddings")))
    columns = {
        **{name: sessions.column(name) for name in ("session_id", "visitor_id", "channel", "start_ts", "n_events")},
        "seconds_per_event": _pace(sessions),
        "pages": _each_once(sessions, "page"),
        "event_types": _each_once(sessions, "event_type"),
        **{name: own.column(name) for name in FACTS.names if name != "session_id"},
        "cell": pa.array(cell),
        "distance_band": pa.array(band),
        "intent": pa.array(intent_ids, pa.string()).take(pa.array(best)),
        "confidence": pa.array(probabilities[np.arange(len(rows)), best]),
        "abstained": decided.column("abstained"),
    }
    return pa.table(columns).cast(OBSERVED)


def _pace(sessions: pa.Table) -> pa.Array:
    n_events = sessions.column("n_events").to_numpy()
    spans_us = (sessions.column("end_ts").cast(pa.int64()).to_numpy()
                - sessions.column("start_ts").cast(pa.int64()).to_numpy())  # fmt: skip
    seconds = spans_us / 1e6 / np.maximum(n_events - 1, 1)
    return pa.array(seconds.astype(np.float32), mask=n_events < 2)


def _each_once(sessions: pa.Table, field: str) -> pa.Array:
    """The values of an event field that each session holds, without repetition."""
    events = sessions.column("events").combine_chunks()
    values = pc.struct_field(events.flatten(), field)
    held = pa.table({"row": pc.list_parent_indices(events), "value": values}).drop_null()
    held = held.group_by(["row", "value"]).aggregate([]).sort_by([("row", "ascending"), ("value", "ascending")])
    offsets = np.searchsorted(held.column("row").to_numpy(), np.arange(len(sessions) + 1))
    listed = held.column("value").combine_chunks()
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), listed)


def _of(session_ids: pa.ChunkedArray, table: pa.Table, name: str) -> pa.Table:
    """The rows of ``table`` that belong to ``session_ids``, in their order."""
    places = pc.index_in(session_ids, value_set=table.column("session_id").combine_chunks())
    if places.null_count:
        raise TableError(f"{name}.parquet lacks sessions that sessions.parquet has: run the stages again")
    return table.take(places)
