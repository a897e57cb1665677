"""The share of sessions of which the student names no intent."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.drift.signals.signal import Signal


def categories(observed: pa.Table) -> pa.ChunkedArray:
    return pc.if_else(observed.column("abstained"), "no intent named", pa.scalar(None, pa.string()))


SIGNAL = Signal("abstention", "sessions without an intent", categories)
