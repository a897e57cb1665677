"""The share of sessions in each cell of the embedding space."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.drift.signals.signal import Signal


def categories(observed: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise("cell", observed.column("cell").cast(pa.string()), " ")


SIGNAL = Signal("embeddings", "session embeddings", categories)
