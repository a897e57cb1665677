"""The student's confidence in the most probable intent, in tenths."""

import numpy as np
import pyarrow as pa

from pipelines.drift.signals.signal import Signal


def categories(observed: pa.Table) -> pa.Array:
    tenths = np.minimum(observed.column("confidence").to_numpy() * 10, 9).astype(int)
    return pa.array([f"{tenth / 10} to {(tenth + 1) / 10}" for tenth in range(10)]).take(pa.array(tenths))


SIGNAL = Signal("confidence", "the student's confidence", categories)
