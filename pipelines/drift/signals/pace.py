"""The mean seconds between a session's events, in steps of doubling."""

import numpy as np
import pyarrow as pa

from pipelines.drift.signals.signal import Signal

N_STEPS = 12


def categories(observed: pa.Table) -> pa.Array:
    seconds = observed.column("seconds_per_event").to_numpy()  # NaN: null
    doublings = np.log2(np.clip(np.nan_to_num(seconds, nan=1.0), 1.0, 2.0 ** (N_STEPS - 1))).astype(int)
    steps = pa.array(doublings, mask=np.isnan(seconds))
    return pa.array([f"{2**step}+ s" for step in range(N_STEPS)]).take(steps)


SIGNAL = Signal("pace", "seconds between events", categories)
