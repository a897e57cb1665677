"""What sessions are about, told twice: by the student's intent and by the pages that they saw.

A shift of needs moves both a little, where chance moves one or the other: together they are seen days sooner.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.drift.signals import intents
from pipelines.drift.signals.signal import Signal

PAGE = "page "


def categories(observed: pa.Table) -> pa.Array:
    intent = pa.chunked_array(intents.categories(observed)).combine_chunks()
    pages = observed.column("pages").combine_chunks()
    seen = pc.binary_join_element_wise(PAGE, pages.flatten(), "")
    n_held = intent.is_valid().cast(pa.int32()).to_numpy() + pc.fill_null(pc.list_value_length(pages), 0).to_numpy()
    rows = np.concatenate([np.flatnonzero(intent.is_valid()), pc.list_parent_indices(pages).to_numpy()])
    held = pa.concat_arrays([intent.drop_null().cast(pa.string()), seen.cast(pa.string())])
    by_session = held.take(pa.array(np.argsort(rows, kind="stable")))
    offsets = np.concatenate([[0], np.cumsum(n_held)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), by_session)


SIGNAL = Signal("subjects", "intents and pages together", categories, own_swing=True, beside=PAGE)
