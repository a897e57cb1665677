"""How far embeddings lie from the centre of their cell: sessions unlike any before lie far out."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.drift.signals.signal import Signal


def categories(observed: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise("band", observed.column("distance_band").cast(pa.string()), " ")


SIGNAL = Signal("novelty", "distances of embeddings", categories)
