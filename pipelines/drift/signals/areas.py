"""The share of sessions that were in each area of the website or the app: the first step of a page's path."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.drift.signals.signal import Signal


def categories(observed: pa.Table) -> pa.Array:
    pages = observed.column("pages").combine_chunks()
    areas = pc.replace_substring_regex(pages.flatten(), pattern=r"^(/?[^/?#]*).*$", replacement=r"\1")
    return pa.ListArray.from_arrays(pages.offsets, areas)


SIGNAL = Signal("areas", "areas of the site", categories)
