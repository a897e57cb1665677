"""The share of sessions with each value of the fields that describe the visitor's machine and place."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.drift.facts import FIELDS
from pipelines.drift.signals.signal import Signal


def categories(observed: pa.Table) -> pa.Array:
    said = [pc.binary_join_element_wise(name, pc.fill_null(observed.column(name), "(none)"), " ") for name in FIELDS]
    values = pa.concat_arrays([column.combine_chunks() for column in said])
    n_sessions = len(observed)
    order = np.arange(len(FIELDS) * n_sessions).reshape(len(FIELDS), n_sessions).T.ravel()
    offsets = np.arange(n_sessions + 1, dtype=np.int32) * len(FIELDS)
    return pa.ListArray.from_arrays(pa.array(offsets), values.take(pa.array(order)))


SIGNAL = Signal("fields", "devices and regions", categories)
