"""The share of sessions with each intent: the most probable one, unless the student abstained."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.drift.signals.signal import Signal


def categories(observed: pa.Table) -> pa.ChunkedArray:
    return pc.if_else(observed.column("abstained"), pa.scalar(None, pa.string()), observed.column("intent"))


SIGNAL = Signal("intents", "intents", categories, own_swing=True)
