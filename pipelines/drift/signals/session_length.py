"""How many events a session has, in steps of doubling; the longest together."""

import numpy as np
import pyarrow as pa

from pipelines.drift.signals.signal import Signal

N_STEPS = 7


def categories(observed: pa.Table) -> pa.Array:
    doublings = np.minimum(np.log2(observed.column("n_events").to_numpy()).astype(int), N_STEPS - 1)
    return pa.array([f"{2**step}+ events" for step in range(N_STEPS)]).take(pa.array(doublings))


SIGNAL = Signal("session_length", "session lengths", categories)
