"""The share of sessions in each cell of the embedding space."""

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.drift.signals import intents
from pipelines.drift.signals.signal import Signal


def categories(observed: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise("cell", observed.column("cell").cast(pa.string()), " ")


def regions(reference: pa.Table, names: Mapping[str, str]) -> dict[str, str]:
    """Returns what people may call each cell that ``reference`` shows: by its commonest intent, as ``names`` names it.

    A cell in which no session has an intent keeps its number alone.
    """
    counts: dict[str, Counter[str]] = {}
    for cell, intent in zip(categories(reference).to_pylist(), intents.categories(reference).to_pylist(), strict=True):
        if intent is not None:
            counts.setdefault(cell, Counter())[intent] += 1
    commonest = {cell: max(sorted(held), key=held.__getitem__) for cell, held in counts.items()}
    return {cell: f"{cell}, mostly {names.get(intent, intent)}" for cell, intent in commonest.items()}


SIGNAL = Signal("embeddings", "session embeddings", categories)
