"""How far embeddings lie from the centre of their cell: sessions unlike any before lie far out."""

import pyarrow as pa

from pipelines.drift.cells import BANDS
from pipelines.drift.signals.signal import Signal

_EDGES = [f"{share:.0%}" for share in BANDS]
NAMES = [f"nearest {_EDGES[0]}", *map("{} to {}".format, _EDGES, _EDGES[1:]), f"beyond {_EDGES[-1]}"]
"""Of the bands: which share of the champion's own sessions lies nearer."""


def categories(observed: pa.Table) -> pa.Array:
    return pa.array(NAMES).take(observed.column("distance_band").combine_chunks())


SIGNAL = Signal("novelty", "distances of embeddings", categories)
